#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/reassembly.h"

/*
 * One direction, from segments to octets. `got` is what came out, "[12]" where 12 octets were told to
 * be missing.
 */

static struct {
	char got[2 << 20];
	size_t n, held;
	uint64_t packet;   /* of the last octets */
	struct capture_at now;
	struct reassembly r;
} t;

static void octets(void *arg, struct span s, const struct capture_at *at)
{
	assert_ptr_equal(arg, &t);
	assert_true(s.n > 0 && t.n + s.n < sizeof(t.got));
	memcpy(t.got + t.n, s.p, s.n);
	t.n += s.n;
	t.packet = at->packet;
}

static void gap(void *arg, uint64_t missing, const struct capture_at *at)
{
	assert_ptr_equal(arg, &t);
	assert_true(missing > 0 && at->packet > 0);
	t.n += (size_t)snprintf(t.got + t.n, sizeof(t.got) - t.n, "[%llu]",
		(unsigned long long)missing);
}

static const struct reassembly_to to = { octets, gap };

static void begin(void)
{
	memset(&t, 0, sizeof(t));
	reassembly_init(&t.r, &to, &t, &t.held);
}

/* A segment, 1 ms after the one before. */
static void put(uint32_t seq, const char *s, uint8_t flags)
{
	struct segment segment = { .seq = seq, .len = (uint32_t)strlen(s), .flags = flags,
		.data = span_of(s, strlen(s)) };

	t.now.packet++;
	t.now.time_ns += 1000000;
	reassembly_time(&t.r, t.now.time_ns);
	reassembly_segment(&t.r, &segment, &t.now);
}

static void acked(uint32_t ack)
{
	t.now.packet++;
	t.now.time_ns += 1000000;
	reassembly_time(&t.r, t.now.time_ns);
	reassembly_acked(&t.r, ack, &t.now);
}

static void wait_ms(unsigned ms)
{
	t.now.time_ns += ms * UINT64_C(1000000);
	reassembly_time(&t.r, t.now.time_ns);
}

static void is(const char *want)
{
	t.got[t.n] = '\0';
	assert_string_equal(t.got, want);
}

static void finish(const char *want)
{
	reassembly_end(&t.r);
	is(want);
	reassembly_fini(&t.r);
	assert_int_equal(t.held, 0);
	assert_int_equal(t.r.held_octets, 0);
	assert_int_equal(t.r.held_count, 0);
}

static void in_order(void **state)
{
	(void)state;
	begin();
	put(99, "", TCP_SYN);
	put(100, "abc", 0);
	put(103, "", 0);
	put(103, "def", 0);
	is("abcdef");
	assert_int_equal(t.packet, 4);
	put(106, "g", TCP_FIN);
	assert_true(t.r.done);
	put(107, "no", 0);
	finish("abcdefg");
}

static void with_the_syn(void **state)
{
	(void)state;
	begin();
	put(99, "abc", TCP_SYN);
	put(99, "abc", TCP_SYN);
	put(103, "d", 0);
	finish("abcd");
}

/* Nothing says where it began: the first octets are its beginning, and older ones are old. */
static void in_the_middle(void **state)
{
	(void)state;
	begin();
	put(499, "", 0);
	put(500, "abc", 0);
	put(490, "old", 0);
	put(498, "xxabcd", 0);
	finish("abcd");
}

static void out_of_order(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(7, "gh", 0);
	put(4, "d", 0);
	put(9, "i", TCP_FIN);
	is("");
	put(1, "abc", 0);
	is("abcd");
	assert_int_equal(t.packet, 3);
	put(5, "ef", 0);
	assert_true(t.r.done);
	finish("abcdefghi");
}

static void sent_again(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	put(1, "abc", 0);
	put(2, "bcde", 0);
	put(1, "a", 0);
	put(9, "ij", 0);
	put(9, "ij", 0);
	put(6, "fgh", 0);
	finish("abcdefghij");
}

/* Of octets that differ the first copy counts, whichever side of it the other one lies. */
static void first_copy_wins(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(5, "EF", 0);
	put(9, "IJ", 0);
	put(3, "cdxxghxxkl", 0); /* over both, and between, before and behind */
	put(4, "yyyyyyyy", 0);
	put(1, "abzzzz", 0);
	finish("abcdEFghIJkl");
}

static void numbers_wrap(void **state)
{
	(void)state;
	begin();
	put(0xfffffffd, "", TCP_SYN);
	put(2, "ef", 0);
	put(0, "cd", 0);
	put(0xfffffffe, "ab", 0);
	put(0xfffffffe, "ab", 0);
	put(0xffffffff, "bcdefg", 0);
	finish("abcdefg");
}

/* A FIN says how far the octets go. */
static void fin_before_the_rest(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(4, "def", TCP_FIN);
	put(9, "beyond", 0);
	assert_false(t.r.done);
	put(1, "abcdefghi", 0);
	assert_true(t.r.done);
	finish("abcdef");
}

/* Acknowledged, it did arrive: but what is only late in the capture is waited for a little. */
static void gap_acknowledged(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	put(8, "hi", 0);
	acked(10);
	wait_ms(REASSEMBLY_GRACE_MS - 1);
	is("abc");
	put(6, "f", 0);
	wait_ms(2);
	is("abc[2]f[1]hi");
	put(4, "de", 0);
	put(10, "j", 0);
	finish("abc[2]f[1]hij");
}

static void more_is_acknowledged(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	put(6, "f", 0);
	put(9, "i", 0);
	acked(7);
	acked(10);
	acked(4);
	wait_ms(REASSEMBLY_GRACE_MS);
	is("abc[2]f[2]i");
	finish("abc[2]f[2]i");
}

/* Each gap has its own grace. */
static void another_gap(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(2, "b", 0);
	acked(3);
	put(1, "a", 0);
	wait_ms(REASSEMBLY_GRACE_MS - 10);
	put(5, "e", 0);
	acked(6);
	wait_ms(20);
	is("ab");
	put(3, "cd", 0);
	finish("abcde");
}

static void late_but_not_missing(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(4, "de", 0);
	acked(6);
	put(1, "abc", 0);
	wait_ms(1000);
	acked(6);
	put(6, "f", 0);
	finish("abcdef");
}

/* The capture's clock may be set back. */
static void clock_goes_back(void **state)
{
	(void)state;
	begin();
	wait_ms(100000);
	put(0, "", TCP_SYN);
	put(4, "d", 0);
	acked(5);
	t.now.time_ns -= UINT64_C(90000000000);
	put(5, "e", 0);
	is("[3]de");
	finish("[3]de");
}

static void nothing_behind_the_gap(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	acked(9);
	wait_ms(1000);
	is("abc[5]");
	/* one octet with nothing behind it may be a FIN */
	acked(10);
	wait_ms(1000);
	is("abc[5]");
	put(10, "j", 0);
	wait_ms(1000);
	finish("abc[5][1]j");
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	acked(5);
	finish("abc");
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	acked(9);
	finish("abc[5]");
}

static void fin_behind_a_gap(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(4, "de", TCP_FIN);
	acked(7);
	wait_ms(1000);
	assert_true(t.r.done);
	is("[3]de");
	begin();
	put(0, "", TCP_SYN);
	put(4, "", TCP_FIN);
	acked(5);
	wait_ms(1000);
	assert_true(t.r.done);
	finish("[3]");
}

static void gap_at_the_end(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(3, "c", 0);
	put(6, "f", 0);
	is("");
	finish("[2]c[2]f");
}

/* The capture has fewer octets than were sent. */
static void cut_short(void **state)
{
	struct segment s = { .seq = 1, .len = 10, .data = span_of("abcd", 4), .flags = TCP_FIN };

	(void)state;
	begin();
	put(0, "", TCP_SYN);
	reassembly_segment(&t.r, &s, &t.now);
	assert_false(t.r.done);
	acked(12);
	wait_ms(1000);
	assert_true(t.r.done);
	finish("abcd[6]");
}

/* Numbers that no window has ahead, and acknowledgements of them, are no gap. */
static void far_away(void **state)
{
	(void)state;
	begin();
	put(0, "", TCP_SYN);
	put(1, "abc", 0);
	put(0x70000000, "far", 0);
	acked(0x70000003);
	wait_ms(1000);
	put(4, "d", 0);
	finish("abcd");
}

static void memory_is_bounded(void **state)
{
	static char kib[1025];
	uint32_t seq;

	(void)state;
	memset(kib, 'k', sizeof(kib) - 1);
	begin();
	put(0, "", TCP_SYN);
	for (seq = 2; seq < 2 + REASSEMBLY_HELD_MAX; seq += 1024)
		put(seq, kib, 0);
	is("");
	assert_int_equal(t.r.held_octets, REASSEMBLY_HELD_MAX);
	put(seq + 1, "x", 0); /* too much: it goes on behind what is missing */
	assert_memory_equal(t.got, "[1]kkk", 6);
	assert_int_equal(t.r.held_octets, 1);
	reassembly_fini(&t.r);
	begin();
	put(0, "", TCP_SYN);
	for (seq = 3; seq < 3 + 2 * REASSEMBLY_PIECES_MAX; seq += 2)
		put(seq, "x", 0);
	is("");
	put(seq, "x", 0);
	is("[2]x");
	reassembly_fini(&t.r);
	assert_int_equal(t.held, 0);
}

/* Small pieces need more memory than their octets. */
static void others_hold_too(void **state)
{
	const size_t left = 60;

	(void)state;
	begin();
	t.held = REASSEMBLY_ALL_MAX - left;
	put(0, "", TCP_SYN);
	put(4, "de", 0);
	is("");
	put(8, "h", 0);
	is("[3]de");
	t.held -= REASSEMBLY_ALL_MAX - left;
	finish("[3]de[2]h");
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t s = 88172645463325252u;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return (uint32_t)(s >> 11) % n;
}

enum { STREAM = 3000, PIECES = 400 };

/*
 * A stream cut at random, its segments shuffled within a window, some sent again in another cut, some with
 * another SYN, comes out whole: whatever its first number.
 */
static void any_cut_comes_out_whole(void **state)
{
	static char stream[STREAM + 1];
	uint32_t at[PIECES], len[PIECES];

	(void)state;
	for (int i = 0; i < STREAM; i++)
		stream[i] = (char)('a' + random_below(26));
	for (int round = 0; round < 400; round++) {
		uint32_t isn = round % 3 == 0 ? 0u - random_below(STREAM) : random_below(1u << 31) * 2,
			 n = 0, window = 1 + random_below(60);

		for (uint32_t pos = 0; pos < STREAM; n++) {
			uint32_t most = n + 150 < PIECES ? 1 + random_below(40) : STREAM;

			at[n] = pos;
			len[n] = most < STREAM - pos ? most : STREAM - pos;
			pos += len[n];
		}
		for (; n < PIECES; n++) {
			at[n] = random_below(STREAM);
			len[n] = random_below(STREAM - at[n]) % 90;
		}
		for (uint32_t i = 0; i < n; i++) {
			uint32_t j = i + random_below(window), x;

			j = j < n ? j : n - 1;
			x = at[i], at[i] = at[j], at[j] = x;
			x = len[i], len[i] = len[j], len[j] = x;
		}
		begin();
		put(isn, "", TCP_SYN);
		for (uint32_t i = 0; i < n; i++) {
			struct segment s = { .seq = isn + 1 + at[i], .len = len[i],
				.data = span_of(stream + at[i], len[i]) };

			if (at[i] + len[i] == STREAM)
				s.flags = TCP_FIN;
			t.now.packet++;
			reassembly_segment(&t.r, &s, &t.now);
			if (random_below(10) == 0)
				reassembly_acked(&t.r, t.r.next, &t.now);
		}
		assert_true(t.r.done);
		finish(stream);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(with_the_syn),
		cmocka_unit_test(in_the_middle),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(sent_again),
		cmocka_unit_test(first_copy_wins),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(fin_before_the_rest),
		cmocka_unit_test(gap_acknowledged),
		cmocka_unit_test(more_is_acknowledged),
		cmocka_unit_test(another_gap),
		cmocka_unit_test(late_but_not_missing),
		cmocka_unit_test(clock_goes_back),
		cmocka_unit_test(nothing_behind_the_gap),
		cmocka_unit_test(fin_behind_a_gap),
		cmocka_unit_test(gap_at_the_end),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(far_away),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(others_hold_too),
		cmocka_unit_test(any_cut_comes_out_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
