#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/pending.h"

enum { SUBMIT = 4, DELIVER = 5 };

static void put(struct pending_table *t, uint32_t sequence, uint32_t command, uint64_t us)
{
	struct pending forgotten;
	bool forgot;

	pending_put(t, sequence, us, &forgotten, &forgot)->command = command;
	assert_false(forgot);
}

static void take_gives_what_was_put(void **state)
{
	struct pending_table *t = pending_new(8);
	struct pending p;

	(void)state;
	put(t, 7, SUBMIT, 100);
	put(t, 8, SUBMIT, 200);
	assert_int_equal(pending_count(t), 2);
	assert_int_equal(pending_oldest_us(t), 100);
	assert_true(pending_take(t, 7, SUBMIT, &p));
	assert_int_equal(p.sent_us, 100);
	assert_int_equal(pending_oldest_us(t), 200);
	assert_false(pending_take(t, 7, SUBMIT, &p));
	assert_true(pending_take(t, 8, 0, &p));
	assert_int_equal(pending_count(t), 0);
	assert_int_equal(pending_oldest_us(t), 0);
	pending_free(t);
}

static void other_command_does_not_match(void **state)
{
	struct pending_table *t = pending_new(8);
	struct pending p;

	(void)state;
	put(t, 7, SUBMIT, 100);
	assert_false(pending_take(t, 7, DELIVER, &p));
	put(t, 7, DELIVER, 200);
	assert_true(pending_take(t, 7, DELIVER, &p));
	assert_int_equal(p.sent_us, 200);
	assert_int_equal(pending_count(t), 1);
	pending_free(t);
}

static void repeated_sequence_is_first_in_first_out(void **state)
{
	struct pending_table *t = pending_new(8);
	struct pending p;

	(void)state;
	for (uint64_t us = 1; us <= 3; us++)
		put(t, 0xffffffffu, SUBMIT, us);
	for (uint64_t us = 1; us <= 3; us++) {
		assert_true(pending_take(t, 0xffffffffu, SUBMIT, &p));
		assert_int_equal(p.sent_us, us);
	}
	assert_false(pending_take(t, 0xffffffffu, SUBMIT, &p));
	pending_free(t);
}

static void full_table_forgets_the_oldest(void **state)
{
	struct pending_table *t = pending_new(3);
	struct pending p, forgotten;
	bool forgot;

	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		put(t, i, SUBMIT, i);
	pending_put(t, 4, 4, &forgotten, &forgot)->command = SUBMIT;
	assert_true(forgot);
	assert_int_equal(forgotten.sequence, 1);
	assert_int_equal(pending_count(t), 3);
	assert_false(pending_take(t, 1, SUBMIT, &p));
	for (uint32_t i = 2; i <= 4; i++)
		assert_true(pending_take(t, i, SUBMIT, &p));
	pending_free(t);
}

/* The table against a plain list that does the same slowly: faults.md P18, X4. */
static void agrees_with_a_plain_list(void **state)
{
	enum { LIMIT = 50, STEPS = 200000 };
	struct pending_table *t = pending_new(LIMIT);
	struct pending list[LIMIT + 1], p, forgotten;
	int n = 0;

	(void)state;
	srand(3);
	for (uint64_t step = 0; step < STEPS; step++) {
		uint32_t sequence = (uint32_t)rand() % 60, command = 4 + (uint32_t)rand() % 2;
		bool forgot;
		int i;

		if (rand() % 2 == 0) {
			pending_put(t, sequence, step, &forgotten, &forgot)->command = command;
			assert_int_equal(forgot, n == LIMIT);
			if (forgot) {
				assert_int_equal(forgotten.sent_us, list[0].sent_us);
				memmove(list, list + 1, (size_t)--n * sizeof(list[0]));
			}
			list[n++] = (struct pending){
				.sequence = sequence, .command = command, .sent_us = step};
		} else {
			for (i = 0; i < n; i++) {
				if (list[i].sequence == sequence && list[i].command == command)
					break;
			}
			assert_int_equal(pending_take(t, sequence, command, &p), i < n);
			if (i < n) {
				assert_int_equal(p.sent_us, list[i].sent_us);
				n--;
				memmove(list + i, list + i + 1, (size_t)(n - i) * sizeof(list[0]));
			}
		}
		assert_int_equal(pending_count(t), n);
		assert_int_equal(pending_oldest_us(t), n > 0 ? list[0].sent_us : 0);
	}
	pending_free(t);
}

static void overdue_ones_are_given_once(void **state)
{
	struct pending_table *t = pending_new(8);
	const struct pending *p;
	struct pending taken;

	(void)state;
	put(t, 1, SUBMIT, 10);
	put(t, 2, SUBMIT, 20);
	put(t, 3, SUBMIT, 30);
	assert_null(pending_overdue(t, 10));
	assert_int_equal(pending_overdue(t, 25)->sequence, 1);
	assert_int_equal(pending_overdue(t, 25)->sequence, 2);
	assert_null(pending_overdue(t, 25));
	/* The one given last is answered late, and a new request takes its place. */
	assert_true(pending_take(t, 2, SUBMIT, &taken));
	put(t, 4, SUBMIT, 40);
	assert_int_equal(pending_overdue(t, 100)->sequence, 3);
	p = pending_overdue(t, 100);
	assert_non_null(p);
	assert_int_equal(p->sequence, 4);
	assert_null(pending_overdue(t, 100));
	assert_int_equal(pending_count(t), 3);
	/* All that were given are gone. */
	assert_true(pending_take(t, 1, SUBMIT, &taken));
	assert_true(pending_take(t, 3, SUBMIT, &taken));
	assert_true(pending_take(t, 4, SUBMIT, &taken));
	put(t, 5, SUBMIT, 50);
	p = pending_overdue(t, 100);
	assert_non_null(p);
	assert_int_equal(p->sequence, 5);
	pending_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_gives_what_was_put),
		cmocka_unit_test(other_command_does_not_match),
		cmocka_unit_test(repeated_sequence_is_first_in_first_out),
		cmocka_unit_test(overdue_ones_are_given_once),
		cmocka_unit_test(full_table_forgets_the_oldest),
		cmocka_unit_test(agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
