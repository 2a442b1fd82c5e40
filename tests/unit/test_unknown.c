#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "smscope/unknown.h"

static const uint64_t hour_ns = 3600000000000ull;

static struct unknown_code *note(struct unknown_codes *u, enum code_context c, int64_t number,
	uint64_t wall_ns, bool *ret_tell)
{
	struct unknown_seen seen = { .context = c, .number = number, .wall_ns = wall_ns };

	return unknown_note(u, &seen, hour_ns, ret_tell);
}

static struct unknown_code *note_text(struct unknown_codes *u, const char *text, bool *ret_tell)
{
	struct unknown_seen seen = { .context = CTX_REPORT, .is_text = true,
		.text = span_of(text, strlen(text)), .wall_ns = 1 };

	return unknown_note(u, &seen, hour_ns, ret_tell);
}

static void once_then_every_hour(void **state)
{
	struct unknown_codes *u = unknown_new(UNKNOWN_LIMIT);
	const struct unknown_code *e;
	bool tell;

	(void)state;
	e = note(u, CTX_SUBMIT_RESP, 1234, 1000, &tell);
	assert_true(tell);
	assert_int_equal(e->count, 1);
	assert_int_equal(e->first_ns, 1000);
	for (int i = 1; i <= 99; i++) {
		assert_ptr_equal(note(u, CTX_SUBMIT_RESP, 1234, 1000 + (uint64_t)i, &tell), e);
		assert_false(tell);
	}
	(void)note(u, CTX_SUBMIT_RESP, 1234, 1000 + hour_ns - 1, &tell);
	assert_false(tell);
	(void)note(u, CTX_SUBMIT_RESP, 1234, 1000 + hour_ns, &tell);
	assert_true(tell);
	assert_int_equal(e->count, 102);
	assert_int_equal(e->last_ns, 1000 + hour_ns);
	(void)note(u, CTX_SUBMIT_RESP, 1234, 5, &tell); /* the clock was set back */
	assert_true(tell);
	assert_int_equal(unknown_count(u), 1);
	unknown_free(u);
}

static void one_entry_a_value_and_context(void **state)
{
	struct unknown_codes *u = unknown_new(8);
	bool tell;

	(void)state;
	(void)note(u, CTX_SUBMIT_RESP, 5, 1, &tell);
	(void)note(u, CTX_LOGIN, 5, 1, &tell);
	assert_true(tell);
	(void)note(u, CTX_SUBMIT_RESP, -5, 1, &tell);
	assert_true(tell);
	(void)note_text(u, "5", &tell);
	assert_true(tell);
	(void)note_text(u, "XX:0001", &tell);
	assert_true(tell);
	(void)note_text(u, "XX:0001", &tell);
	assert_false(tell);
	(void)note_text(u, "", &tell);
	assert_int_equal(unknown_count(u), 6);
	assert_string_equal(unknown_at(u, 4)->text, "XX:0001");
	assert_int_equal(unknown_at(u, 4)->count, 2);
	/* what is longer than the room counts as one */
	(void)note_text(u, "abcdefghijklmnopqrstuvwxyz", &tell);
	(void)note_text(u, "abcdefghijklmnopqrstuvwxyZ", &tell);
	assert_false(tell);
	assert_int_equal(unknown_at(u, 6)->text_len, UNKNOWN_TEXT);
	unknown_free(u);
}

/* A peer that invents codes fills the list and then one counter, and gets no record for it. */
static void bounded_under_attack(void **state)
{
	struct unknown_codes *u = unknown_new(UNKNOWN_LIMIT);
	uint64_t told = 0, counted = 0;
	bool tell;

	(void)state;
	for (int64_t i = 0; i < 100000; i++) {
		struct unknown_code *e = note(u, CTX_SUBMIT_RESP, i * 7919, 1000 + (uint64_t)i, &tell);

		assert_true(e->other == (i >= UNKNOWN_LIMIT));
		told += tell;
	}
	assert_int_equal(told, UNKNOWN_LIMIT + 1);
	assert_int_equal(unknown_count(u), UNKNOWN_LIMIT + 1);
	for (uint32_t i = 0; i < unknown_count(u); i++) {
		counted += unknown_at(u, i)->count;
		assert_true(unknown_at(u, i)->other == (i == UNKNOWN_LIMIT));
	}
	assert_int_equal(counted, 100000);
	/* those on the list are still counted one by one */
	assert_int_equal(note(u, CTX_SUBMIT_RESP, 7919, 2000000, &tell)->count, 2);
	assert_false(tell);
	unknown_free(u);
	unknown_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_then_every_hour), cmocka_unit_test(one_entry_a_value_and_context),
		cmocka_unit_test(bounded_under_attack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
