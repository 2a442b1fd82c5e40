#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/connection.h"

/*
 * Connections from segments. What a reader hears is written into `heard`: "+1d" connection 1 begins,
 * "d" if a SYN tells who dialled; "1>abc" what its end 0 sent, "1<abc" its end 1; "1>[3]" what is
 * missing; "-1:fin" its end.
 */

static char heard[1 << 16];
static size_t heard_n, open_count;
static struct connections *table;
static struct capture_at now;

#define HEAR(...) (heard_n += (size_t)snprintf(heard + heard_n, sizeof(heard) - heard_n, __VA_ARGS__))

static void on_begin(void *arg, struct connection *c, const struct capture_at *at)
{
	assert_ptr_equal(arg, &table);
	assert_int_equal(at->packet, now.packet);
	assert_null(c->user);
	c->user = &now;
	open_count++;
	HEAR("+%u%s ", (unsigned)c->number, c->dialled ? "d" : "");
}

static void on_octets(void *arg, struct connection *c, int from, struct span run,
	const struct capture_at *at)
{
	assert_ptr_equal(arg, &table);
	assert_ptr_equal(c->user, &now);
	assert_true(at->packet <= now.packet);
	HEAR("%u%c%.*s ", (unsigned)c->number, from == 0 ? '>' : '<', (int)run.n, (const char *)run.p);
}

static void on_gap(void *arg, struct connection *c, int from, uint64_t missing,
	const struct capture_at *at)
{
	assert_ptr_equal(arg, &table);
	(void)at;
	HEAR("%u%c[%u] ", (unsigned)c->number, from == 0 ? '>' : '<', (unsigned)missing);
}

static void on_end(void *arg, struct connection *c, enum connection_end how,
	const struct capture_at *at)
{
	static const char *const words[] = { "fin", "reset", "again", "forgotten", "cut" };

	assert_ptr_equal(arg, &table);
	(void)at;
	open_count--;
	HEAR("-%u:%s ", (unsigned)c->number, words[how]);
}

static const struct connection_reader reader = { on_begin, on_octets, on_gap, on_end };

static int setup(void **state)
{
	(void)state;
	heard_n = open_count = 0;
	now = (struct capture_at){ .time_ns = 1000 };
	table = connections_new(&reader, &table);
	return table == NULL;
}

static int teardown(void **state)
{
	(void)state;
	connections_free(table);
	return open_count != 0;
}

static void is(const char *want)
{
	heard[heard_n] = '\0';
	assert_string_equal(heard, want);
	heard_n = 0;
}

/* What a segment of 10.0.0.from to 10.0.0.to says. */
static void put(unsigned from, unsigned to, uint32_t seq, uint32_t ack, int flags, const char *s)
{
	struct segment x = { .from = { { 10, 0, 0, (uint8_t)from }, 4, (uint16_t)(1000 + from) },
		.to = { { 10, 0, 0, (uint8_t)to }, 4, (uint16_t)(1000 + to) }, .seq = seq, .ack = ack,
		.flags = (uint8_t)flags, .len = (uint32_t)strlen(s), .data = span_of(s, strlen(s)) };

	now.packet++;
	now.time_ns += 100000000;
	assert_int_equal(connections_segment(table, &x, &now), SM_OK);
}

static void dial(unsigned from, unsigned to, uint32_t a, uint32_t b)
{
	put(from, to, a, 0, TCP_SYN, "");
	put(to, from, b, a + 1, TCP_SYN | TCP_ACK, "");
	put(from, to, a + 1, b + 1, TCP_ACK, "");
}

static void from_syn_to_fin(void **state)
{
	(void)state;
	dial(1, 2, 100, 500);
	put(1, 2, 101, 501, TCP_ACK, "ab");
	put(2, 1, 501, 103, TCP_ACK, "xy");
	put(1, 2, 103, 503, TCP_ACK | TCP_FIN, "c");
	put(2, 1, 503, 105, TCP_ACK, "z");
	is("+1d 1>ab 1<xy 1>c 1<z ");
	put(2, 1, 504, 105, TCP_ACK | TCP_FIN, "");
	is("-1:fin ");
	/* sent again, late: not another connection */
	put(1, 2, 105, 505, TCP_ACK, "");
	put(1, 2, 103, 503, TCP_ACK | TCP_FIN, "c");
	put(2, 1, 501, 103, TCP_ACK, "xy");
	is("");
}

/* Octets before a FIN may come out of order, but not for ever; whatever connection tells the time. */
static void a_fin_whose_octets_are_missing(void **state)
{
	(void)state;
	dial(1, 2, 100, 500);
	put(1, 2, 105, 501, TCP_ACK | TCP_FIN, "c");
	put(2, 1, 501, 107, TCP_ACK | TCP_FIN, "");
	is("+1d ");
	now.time_ns -= 100000000;
	put(3, 4, 700, 800, TCP_ACK, "q");
	is("+2 2>q ");
	put(3, 4, 701, 800, TCP_ACK, "r");
	is("1>[4] 1>c -1:fin 2>r ");
	dial(1, 2, 2000, 5000);
	put(1, 2, 2003, 5001, TCP_ACK | TCP_FIN, "c");
	put(2, 1, 5001, 2005, TCP_ACK | TCP_FIN, "");
	now.time_ns -= 100000000;
	put(1, 2, 2001, 5001, TCP_ACK, "ab");
	is("+3d 3>ab 3>c -3:fin ");
	dial(1, 2, 7000, 5000);
	put(1, 2, 7003, 5001, TCP_ACK | TCP_FIN, "");
	put(2, 1, 5001, 7004, TCP_ACK | TCP_FIN, "");
	now.time_ns -= 100000000;
	put(1, 2, 7001, 5001, TCP_ACK, "ab");
	is("+4d 4>ab -4:fin ");
}

static void reset(void **state)
{
	(void)state;
	dial(1, 2, 100, 500);
	put(1, 2, 103, 501, TCP_ACK, "cd");
	put(2, 1, 501, 0, TCP_RST, "");
	is("+1d ");
	put(3, 4, 9, 0, TCP_ACK, "");
	is("1>[2] 1>cd -1:reset ");
	/* was under way then */
	put(1, 2, 105, 501, TCP_ACK, "ef");
	put(2, 1, 501, 0, TCP_RST, "");
	is("");
	/* the port is used again, and its SYN is not in the capture */
	put(1, 2, 0x40000000, 501, TCP_ACK, "new");
	is("+2 2>new ");
}

static void refused(void **state)
{
	(void)state;
	put(1, 2, 100, 0, TCP_SYN, "");
	put(2, 1, 0, 101, TCP_RST | TCP_ACK, "");
	is("+1d -1:reset ");
}

static void again_on_the_same_ports(void **state)
{
	(void)state;
	dial(1, 2, 100, 500);
	put(1, 2, 101, 501, TCP_ACK, "ab");
	put(1, 2, 100, 0, TCP_SYN, ""); /* the same SYN again is nothing new */
	put(2, 1, 500, 101, TCP_SYN | TCP_ACK, "");
	is("+1d 1>ab ");
	dial(1, 2, 90000, 700);
	put(2, 1, 701, 90001, TCP_ACK, "x");
	is("-1:again +2d 2<x ");
	put(1, 2, 90001, 702, TCP_FIN | TCP_ACK, "");
	put(2, 1, 702, 90002, TCP_FIN | TCP_ACK, "");
	dial(2, 1, 5, 6); /* the other one dials */
	put(2, 1, 6, 7, TCP_ACK, "q");
	is("-2:fin +3d 3>q ");
}

static void begun_before_the_capture(void **state)
{
	(void)state;
	put(2, 1, 900, 300, TCP_ACK, "");
	is("");
	put(2, 1, 900, 300, TCP_ACK, "ab");
	put(1, 2, 300, 902, TCP_ACK, "xy");
	put(1, 2, 302, 902, TCP_FIN | TCP_ACK, "");
	put(2, 1, 902, 303, TCP_FIN | TCP_ACK, "c");
	is("+1 1>ab 1<xy 1>c -1:fin ");
}

/* An answer to a SYN that is not there: whom it goes to has dialled. */
static void answer_first(void **state)
{
	(void)state;
	put(2, 1, 500, 101, TCP_SYN | TCP_ACK, "");
	put(1, 2, 101, 501, TCP_ACK, "ab");
	is("+1d 1>ab ");
}

static void many_at_once(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 100; i++)
		dial(i, 200, i, 1000 * i);
	heard_n = 0;
	for (unsigned i = 99; i > 0; i--) {
		char want[32];

		put(i, 200, i + 1, 1000 * i + 1, TCP_ACK, "s");
		put(200, i, 1000 * i + 1, i + 2, TCP_ACK, "t");
		snprintf(want, sizeof(want), "%u>s %u<t ", i, i);
		is(want);
	}
}

/* The least recently used is forgotten. */
static void too_many(void **state)
{
	struct segment x = { .from = { { 10 }, 4, 1 }, .to = { { 11 }, 4, 2 }, .flags = TCP_SYN };

	(void)state;
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		x.from.ip[2] = (uint8_t)(i >> 8);
		x.from.ip[3] = (uint8_t)i;
		assert_int_equal(connections_segment(table, &x, &now), SM_OK);
		heard_n = 0;
	}
	x.from.ip[2] = x.from.ip[3] = 0; /* the first one is used */
	x.seq = 1;
	x.flags = TCP_ACK;
	x.len = 1;
	x.data = span_of("a", 1);
	assert_int_equal(connections_segment(table, &x, &now), SM_OK);
	is("1>a ");
	assert_int_equal(open_count, CONNECTIONS_MAX);
	put(1, 2, 100, 0, TCP_SYN, "");
	is("-2:forgotten +4097d ");
	assert_int_equal(open_count, CONNECTIONS_MAX);
}

static void told_apart(void **state)
{
	struct segment x = { .from = { { 0x20, 1 }, 16, 7 }, .to = { { 0x20, 1, 1 }, 16, 8 },
		.flags = TCP_SYN };
	char text[TCP_END_TEXT];

	(void)state;
	assert_int_equal(connections_segment(table, &x, &now), SM_OK);
	x.from.ip[15] = 1;
	assert_int_equal(connections_segment(table, &x, &now), SM_OK);
	x.from.port = 9;
	assert_int_equal(connections_segment(table, &x, &now), SM_OK);
	is("+1d +2d +3d ");
	tcp_end_text(&x.from, text);
	assert_string_equal(text, "[2001::1]:9");
	x.from.ip_len = 4;
	tcp_end_text(&x.from, text);
	assert_string_equal(text, "32.1.0.0:9");
	connections_free(table);
	table = NULL;
	is("-1:cut -2:cut -3:cut ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(from_syn_to_fin),
		TEST(a_fin_whose_octets_are_missing),
		TEST(reset),
		TEST(refused),
		TEST(again_on_the_same_ports),
		TEST(begun_before_the_capture),
		TEST(answer_first),
		TEST(many_at_once),
		TEST(too_many),
		TEST(told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
