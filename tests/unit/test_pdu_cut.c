#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/pdu_cut.h"

/* PDUs from runs of octets. `heard` has their sequence numbers, "(9)2": 9 octets were skipped before. */

/* enquire_link 1, submit_sm_resp 2 with an id, enquire_link_resp 3 */
static const uint8_t stream[] = {
	0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1,
	0, 0, 0, 20, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 'c', 0,
	0, 0, 0, 16, 0x80, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 3,
};

enum { SECOND = 16, THIRD = 36, ALL = sizeof(stream), MAX = 1000 };

static char heard[4096];
static size_t heard_n;
static struct pdu_cut cut;

static void hear(void *arg, struct span frame, uint64_t skipped)
{
	assert_ptr_equal(arg, &cut);
	assert_true(frame.n >= 16 && bytes_u32(frame.p) == frame.n);
	if (skipped > 0)
		heard_n += (size_t)snprintf(heard + heard_n, sizeof(heard) - heard_n, "(%u)",
			(unsigned)skipped);
	heard_n += (size_t)snprintf(heard + heard_n, sizeof(heard) - heard_n, "%u",
		bytes_u32(frame.p + 12));
}

static void begin(bool in_step)
{
	heard_n = 0;
	pdu_cut_init(&cut, &proto_smpp, MAX);
	cut.in_step = in_step;
}

/* Octets of the stream from `at` to before `end`, in memory of just that size. */
static void put(size_t at, size_t end)
{
	uint8_t *copy = malloc(end - at + 1);

	assert_non_null(copy);
	memcpy(copy + 1, stream + at, end - at);
	assert_int_equal(pdu_cut_run(&cut, span_of(copy + 1, end - at), hear, &cut), SM_OK);
	free(copy);
}

static void finish(const char *want, uint64_t left)
{
	heard[heard_n] = '\0';
	assert_string_equal(heard, want);
	assert_int_equal(pdu_cut_left(&cut), left);
	pdu_cut_fini(&cut);
}

static void every_cut(void **state)
{
	(void)state;
	for (size_t a = 0; a <= ALL; a++) {
		for (size_t b = a; b <= ALL; b++) {
			begin(true);
			if (a > 0)
				put(0, a);
			if (b > a)
				put(a, b);
			if (b < ALL)
				put(b, ALL);
			finish("123", 0);
		}
	}
	begin(true);
	for (size_t i = 0; i < ALL; i++)
		put(i, i + 1);
	finish("123", 0);
	begin(true);
	put(0, ALL - 1);
	finish("12", 15);
}

/* From the middle: the first run that begins as PDUs do, or two of them in a row inside one. */
static void in_the_middle(void **state)
{
	(void)state;
	begin(false);
	put(5, SECOND);
	put(SECOND, ALL);
	finish("(11)23", 0);
	begin(false);
	put(5, ALL);
	finish("(11)23", 0);
	begin(false);
	put(5, THIRD + 8);
	put(THIRD + 8, ALL);
	finish("(11)23", 0);
	begin(false);
	put(5, THIRD + 7); /* a header alone */
	put(SECOND + 1, ALL);
	put(THIRD, ALL);
	finish("(73)3", 0);
	begin(false);
	put(SECOND, SECOND + 7); /* too little to tell */
	put(SECOND + 7, ALL);
	finish("", ALL - SECOND);
	begin(false);
	put(SECOND, SECOND + 9);
	put(SECOND + 9, ALL);
	finish("23", 0);
}

static void behind_a_gap(void **state)
{
	static const uint8_t odd[] = { 0, 0, 0, 16, 0, 0, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 9 };

	(void)state;
	begin(true);
	put(0, SECOND + 9);
	pdu_cut_gap(&cut);
	put(SECOND + 12, THIRD);
	put(THIRD, ALL);
	finish("1(17)3", 0);
	/* a gap of whole PDUs */
	begin(true);
	put(0, SECOND);
	pdu_cut_gap(&cut);
	put(THIRD, ALL);
	finish("13", 0);
	/* what might be one, had it a command */
	begin(true);
	put(0, SECOND + 1);
	pdu_cut_gap(&cut);
	assert_int_equal(pdu_cut_run(&cut, span_of(odd, sizeof(odd)), hear, &cut), SM_OK);
	put(THIRD, ALL);
	finish("1(17)3", 0);
}

/* A length that no PDU has: the rest of the run is skipped. */
static void out_of_step(void **state)
{
	static const uint8_t bad[] = { 0, 0, 0, 15, 1, 2, 3, 4 }, big[] = { 0, 0, 3, 0xe9 };

	(void)state;
	begin(true);
	put(0, SECOND);
	assert_int_equal(pdu_cut_run(&cut, span_of(bad, sizeof(bad)), hear, &cut), SM_OK);
	put(SECOND, ALL);
	finish("1(8)23", 0);
	begin(true);
	assert_int_equal(pdu_cut_run(&cut, span_of(bad, 3), hear, &cut), SM_OK);
	assert_int_equal(pdu_cut_run(&cut, span_of(bad + 3, 5), hear, &cut), SM_OK);
	put(SECOND, ALL);
	finish("(8)23", 0);
	begin(true);
	assert_int_equal(pdu_cut_run(&cut, span_of(big, 2), hear, &cut), SM_OK);
	assert_int_equal(pdu_cut_run(&cut, span_of(big + 2, 2), hear, &cut), SM_OK);
	put(SECOND, ALL);
	finish("(4)23", 0);
}

static void beginnings(void **state)
{
	uint8_t copy[ALL];

	(void)state;
	assert_true(pdu_cut_begins(&proto_smpp, MAX, span_of(stream, ALL)));
	assert_true(pdu_cut_begins(&proto_smpp, MAX, span_of(stream, 8)));
	assert_false(pdu_cut_begins(&proto_smpp, MAX, span_of(stream, 7)));
	assert_true(pdu_cut_begins(&proto_smpp, MAX, span_of(stream + THIRD, 9)));
	assert_false(pdu_cut_begins(&proto_smpp, 19, span_of(stream, ALL)));
	memcpy(copy, stream, ALL);
	copy[7] = 0x77;
	assert_false(pdu_cut_begins(&proto_smpp, MAX, span_of(copy, ALL)));
	/* the second header counts as well */
	memcpy(copy, stream, ALL);
	copy[SECOND + 7] = 0x77;
	assert_false(pdu_cut_begins(&proto_smpp, MAX, span_of(copy, ALL)));
	assert_true(pdu_cut_begins(&proto_smpp, MAX, span_of(copy, SECOND)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
		cmocka_unit_test(in_the_middle),
		cmocka_unit_test(behind_a_gap),
		cmocka_unit_test(out_of_step),
		cmocka_unit_test(beginnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
