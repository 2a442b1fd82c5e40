#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smscope/scope.h"
#include "vectors.h"

/* Reports of PDUs that break behind them: malformed, and read all the same. */

static struct scope_work work;

/* Octet `at` of the vector set to `value`, as if a gateway had sent it on a link of `dialect`. */
static int feed(const char *id, uint8_t dialect, size_t at, uint8_t value)
{
	const struct scope_link link = { .name = "link", .pending = 4 };
	struct scope *s = scope_new(&link, 1, NULL);
	json_t *vectors = vectors_load(), *v;
	size_t i, n;
	int count = -1;

	json_array_foreach(vectors, i, v) {
		uint8_t *octets;

		if (strcmp(vector_str(v, "id"), id) != 0)
			continue;
		octets = octets_of(vector_str(v, "hex"), &n);
		octets[at] = value;
		scope_resume(s, vector_proto(v), dialect, true);
		count = scope_pdu(s, &(struct scope_frame){ .octets = span_of(octets, n),
			.from = SIDE_GW }, &work);
		free(octets);
	}
	json_decref(vectors);
	scope_free(s);
	return count;
}

static void tlv_that_overruns(void **state)
{
	(void)state;
	assert_int_equal(feed("smpp-deliver_sm-receipt-cut", 0x34, 0, 0), 2);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
	assert_int_equal(work.records[1].kind, REC_REPORT);
	assert_true(work.receipt.state >= 0);
}

/* 60 octets that say they are 71, so that the LinkID is cut: one gateway's habit (SMSGate). */
static void report_shorter_than_it_says(void **state)
{
	(void)state;
	assert_int_equal(feed("cmpp-deliver-30-report60", 0x30, 88, 71), 2);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
	assert_int_equal(work.records[1].kind, REC_REPORT);
	assert_int_equal(work.receipt.state, 2);
}

/* Nothing is made of a message that is itself cut. */
static void message_that_overruns(void **state)
{
	(void)state;
	assert_int_equal(feed("smpp-deliver_sm-short", 0x34, 0, 0), 1);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
	assert_int_equal(feed("cmpp-deliver-30-report60", 0x30, 88, 200), 1);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tlv_that_overruns), cmocka_unit_test(report_shorter_than_it_says),
		cmocka_unit_test(message_that_overruns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
