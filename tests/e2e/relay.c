#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/*
 * Observe mode changes nothing: octets of both directions are compared with what was sent, one by
 * one, however they are cut on their way. design.md, section 2; rows N7, N8, N13 and P7 of
 * faults.md.
 */

enum { HOLD_MAX = 32768, BIG = 1 << 20 };

static struct rig rig;
static int gateway;

/* One link of `proto` to a gateway that this test plays; `daemon` are lines of that section. */
static void begin(enum sim_proto proto, const char *daemon)
{
	struct rig_options o = { .daemon = daemon };
	int port;
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &port,
		.upstream_count = 1,
		.keys = "max_pdu = 2097152;" };

	gateway = peer_listen(&port, 64);
	rig_start(&rig, &o, &link, 1);
}

static struct pair login(enum sim_proto proto)
{
	return pair_login(&rig, 0, gateway, proto);
}

static void end(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
	rig_stop(&rig);
}

/*
 * Every offset of three PDUs: the first part, a pause, the rest. Only whole PDUs come out before
 * the rest is there.
 */
static void split_everywhere(enum sim_proto proto, int from, int to)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.seq = 7,
		.user = sim_text("900001"),
		.src = sim_text("10690001"),
		.dst = sim_text("13800138000"),
		.body = sim_text("split") };
	struct sim_pdu test = { .what = SIM_TEST, .seq = 8 };
	uint8_t octets[3 * SIM_PDU_MAX], early[3 * SIM_PDU_MAX];
	size_t first = sim_build(proto, &submit, octets);
	size_t second = first + sim_build(proto, &test, octets + first);
	size_t n = second + sim_build(proto, &submit, octets + second);

	for (size_t at = 1; at < n; at++) {
		size_t whole = at < first ? 0 : at < second ? first : second;

		peer_send(from, octets, at);
		peer_expect(to, octets, whole);
		if (recv(to, early, sizeof early, MSG_DONTWAIT) > 0)
			fail_msg("part of a PDU came out, cut at %zu", at);
		if (at % 16 == 0)
			peer_expect_silence(to, 5);
		peer_send(from, octets + at, n - at);
		peer_expect(to, octets + whole, n - whole);
	}
}

static void every_offset(void **state)
{
	(void)state;
	for (int proto = SIM_CMPP2; proto <= SIM_SMPP; proto++) {
		struct pair p;

		begin((enum sim_proto)proto, NULL);
		p = login((enum sim_proto)proto);
		split_everywhere((enum sim_proto)proto, p.sp, p.gw);
		split_everywhere((enum sim_proto)proto, p.gw, p.sp);
		end(p);
	}
}

/* The login itself, cut at every offset, and one octet at a time. */
static void login_in_pieces(void **state)
{
	uint8_t octets[SIM_PDU_MAX], answer[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	size_t m = hex_load("smpp-bind_transceiver_resp-1", answer, sizeof answer);

	(void)state;
	begin(SIM_SMPP, NULL);
	for (size_t at = 1; at <= n; at++) {
		int sp = peer_dial(rig.port[0]), gw;

		peer_send(sp, octets, at);
		if (at < n)
			assert_false(peer_has_caller(gateway, at % 8 == 0 ? 10 : 0));
		if (at == 16) {
			for (; at < n; at++)
				peer_send(sp, octets + at, 1);
			at = 16;
		} else {
			peer_send(sp, octets + at, n - at);
		}
		gw = peer_accept(gateway);
		peer_expect(gw, octets, n);
		peer_send(gw, answer, m);
		peer_expect(sp, answer, m);
		peer_close(sp);
		peer_close(gw);
	}
	rig_stop(&rig);
}

static void both_ways(struct pair p, uint32_t seed, size_t n, size_t pdu_max, size_t piece_max,
	size_t read_max, unsigned int pause_us)
{
	size_t up_n, down_n;
	uint8_t *up = stream_make(SIM_CMPP2, seed, n, pdu_max, &up_n);
	uint8_t *down = stream_make(SIM_CMPP2, seed + 1, n, pdu_max, &down_n);
	struct flow flows[2] = {
		{ .from = p.sp, .to = p.gw, .p = up, .n = up_n },
		{ .from = p.gw, .to = p.sp, .p = down, .n = down_n },
	};

	for (int i = 0; i < 2; i++) {
		flows[i].piece_max = piece_max;
		flows[i].read_max = read_max;
		flows[i].pause_us = pause_us;
	}
	flows_run(flows, 2, seed);
	free(up);
	free(down);
}

static void random_splits(void **state)
{
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, NULL);
	p = login(SIM_CMPP2);
	both_ways(p, 1, 200000, 3000, 7, 0, 0);
	both_ways(p, 2, 2 * BIG, 3000, 500, 0, 0);
	both_ways(p, 3, 4 * BIG, 30000, 5000, 0, 0);
	both_ways(p, 4, 4 * BIG, 30000, 100000, 300, 0);
	end(p);
}

static void one_octet_segments(void **state)
{
	struct pair p;
	size_t n;
	uint8_t *octets = stream_make(SIM_SMPP, 5, 20000, 900, &n);

	(void)state;
	begin(SIM_SMPP, NULL);
	p = login(SIM_SMPP);
	for (int way = 0; way < 2; way++) {
		for (size_t i = 0; i < n; i++)
			peer_send(way ? p.gw : p.sp, octets + i, 1);
		peer_expect(way ? p.sp : p.gw, octets, n);
	}
	free(octets);
	end(p);
}

static void coalesced(void **state)
{
	static const int counts[] = { 2, 41, 1000, 6000 };
	uint8_t *octets = malloc(6000 * 64);
	struct pair p;

	(void)state;
	assert_non_null(octets);
	begin(SIM_CMPP3, NULL);
	p = login(SIM_CMPP3);
	for (size_t c = 0; c < 4; c++) {
		size_t n = 0;

		for (int i = 0; i < counts[c]; i++) {
			size_t len = 12 + (size_t)(i % 50);

			pdu_make(SIM_CMPP3, (uint32_t)i + 1, len, octets + n);
			n += len;
		}
		for (int way = 0; way < 2; way++) {
			struct flow f = { .from = way ? p.gw : p.sp,
				.to = way ? p.sp : p.gw,
				.p = octets,
				.n = n };

			flows_run(&f, 1, 1);
		}
	}
	free(octets);
	end(p);
}

/* A header that begins at each of the last octets before 64 KiB of one write, and at it. */
static void boundary_64k(void **state)
{
	uint8_t *octets = malloc(65536 + 256);
	struct pair p;

	(void)state;
	assert_non_null(octets);
	begin(SIM_CMPP2, NULL);
	p = login(SIM_CMPP2);
	for (size_t before = 0; before <= 20; before++) {
		size_t at = 0, until = 65536 - before;
		struct flow f = { .from = p.sp, .to = p.gw, .p = octets };

		while (until - at > 4096) {
			pdu_make(SIM_CMPP2, 1, 2048, octets + at);
			at += 2048;
		}
		pdu_make(SIM_CMPP2, 2, until - at, octets + at);
		pdu_make(SIM_CMPP2, 3, 100, octets + until);
		f.n = until + 100;
		flows_run(&f, 1, 1);
	}
	free(octets);
	end(p);
}

static void small_buffers(void **state)
{
	struct pair p;
	int four_k = 4096;

	(void)state;
	begin(SIM_CMPP2, NULL);
	assert_int_equal(setsockopt(gateway, SOL_SOCKET, SO_RCVBUF, &four_k, sizeof four_k), 0);
	assert_int_equal(setsockopt(gateway, SOL_SOCKET, SO_SNDBUF, &four_k, sizeof four_k), 0);
	p = pair_login_over(peer_dial_buffers(rig.port[0], four_k), gateway, SIM_CMPP2);
	both_ways(p, 11, 300000, 2000, 1500, 0, 0);
	both_ways(p, 12, 600000, 30000, 0, 700, 0);
	end(p);
}

static void slow_readers(void **state)
{
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, NULL);
	p = login(SIM_CMPP2);
	both_ways(p, 21, 3 * BIG, 3000, 0, 16384, 1000);
	end(p);
}

static void lengths_around_hold_max(void **state)
{
	static const size_t lengths[] = { HOLD_MAX - 1, HOLD_MAX, HOLD_MAX + 1, 65535, 65536, 65537,
		300000, BIG };
	uint8_t *octets = malloc(BIG + 12);
	struct pair p;

	(void)state;
	assert_non_null(octets);
	begin(SIM_CMPP2, "hold_max = 32768; drain_timeout = \"2s\";");
	p = login(SIM_CMPP2);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		pdu_make(SIM_CMPP2, (uint32_t)i + 1, lengths[i], octets);
		pdu_make(SIM_CMPP2, 99, 12, octets + lengths[i]);
		for (int way = 0; way < 4; way++) {
			struct flow f = { .from = way & 1 ? p.gw : p.sp,
				.to = way & 1 ? p.sp : p.gw,
				.p = octets,
				.n = lengths[i] + 12,
				.piece_max = way & 2 ? 9000 : 0 };

			flows_run(&f, 1, (uint32_t)i);
		}
	}
	free(octets);
	end(p);
}

/* A PDU beyond hold_max goes out as it arrives; one of exactly hold_max waits until it is whole. */
static void over_long_goes_on(void **state)
{
	uint8_t *octets = malloc(100000);
	struct pair p;

	(void)state;
	assert_non_null(octets);
	begin(SIM_SMPP, "hold_max = 32768; drain_timeout = \"2s\";");
	p = login(SIM_SMPP);
	pdu_make(SIM_SMPP, 1, 100000, octets);
	peer_send(p.sp, octets, 40000);
	peer_expect(p.gw, octets, 40000);
	peer_send(p.sp, octets + 40000, 60000);
	peer_expect(p.gw, octets + 40000, 60000);
	pdu_make(SIM_SMPP, 2, HOLD_MAX, octets);
	peer_send(p.gw, octets, HOLD_MAX - 1);
	peer_expect_silence(p.sp, 50);
	peer_send(p.gw, octets + HOLD_MAX - 1, 1);
	peer_expect(p.sp, octets, HOLD_MAX);
	free(octets);
	end(p);
}

/* `a` sends, ends its half, and still gets what `b` sends after it. `tail`: a PDU cut off by the
 * end. */
static void half_close(int a, int b, size_t tail)
{
	size_t n, m;
	uint8_t *there = stream_make(SIM_CMPP2, 31, BIG, 3000, &n);
	uint8_t *back = stream_make(SIM_CMPP2, 32, BIG, 3000, &m);
	struct flow f = { .from = a, .to = b, .p = there, .n = n },
		    g = { .from = b, .to = a, .p = back, .n = m };

	flows_run(&f, 1, 1);
	peer_send(a, there, tail);
	assert_int_equal(shutdown(a, SHUT_WR), 0);
	peer_expect(b, there, tail);
	peer_expect_end(b);
	flows_run(&g, 1, 1);
	peer_send(b, back, tail);
	assert_int_equal(shutdown(b, SHUT_WR), 0);
	peer_expect(a, back, tail);
	peer_expect_end(a);
	free(there);
	free(back);
}

static void half_close_each_way(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct pair p;

		begin(SIM_CMPP2, NULL);
		p = login(SIM_CMPP2);
		half_close(way & 1 ? p.gw : p.sp, way & 1 ? p.sp : p.gw, way & 2 ? 9 : 0);
		end(p);
	}
}

/* All of a burst arrives although its sender closes at once and the reader is late. */
static void close_after_burst(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 41, 400000, 3000, &n);

	(void)state;
	begin(SIM_CMPP2, NULL);
	for (int way = 0; way < 2; way++) {
		struct pair p = login(SIM_CMPP2);
		int from = way ? p.gw : p.sp, to = way ? p.sp : p.gw;

		peer_send(from, octets, n);
		peer_close(from);
		pause_ms(100);
		peer_expect(to, octets, n);
		peer_expect_end(to);
		peer_close(to);
	}
	free(octets);
	rig_stop(&rig);
}

/* An urgent octet is an octet: it arrives in its place, wherever in a PDU it is, also when nothing
 * follows. */
static void urgent_octet(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 51, 200000, 900, &n);

	(void)state;
	begin(SIM_CMPP2, NULL);
	for (int way = 0; way < 2; way++) {
		struct pair p = login(SIM_CMPP2);
		int from = way ? p.gw : p.sp, to = way ? p.sp : p.gw;
		uint32_t random = 7;

		for (size_t at = 0; at < n;) {
			size_t piece = 1 + random_next(&random) % 3000;

			piece = piece < n - at ? piece : n - at;
			if (piece > 1)
				peer_send(from, octets + at, piece - 1);
			assert_int_equal(send(from, octets + at + piece - 1, 1, MSG_OOB), 1);
			at += piece;
			if (random % 4 == 0)
				pause_ms(2);
		}
		peer_expect(to, octets, n);
		peer_close(from);
		peer_expect_end(to);
		peer_close(to);
	}
	free(octets);
	rig_stop(&rig);
}

static void full_duplex_bulk(void **state)
{
	enum { SESSIONS = 4 };
	struct flow flows[2 * SESSIONS];
	struct pair p[SESSIONS];
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 61, 4 * BIG, 3000, &n);

	(void)state;
	begin(SIM_CMPP2, "workers = 2; drain_timeout = \"2s\";");
	memset(flows, 0, sizeof flows);
	for (int i = 0; i < SESSIONS; i++) {
		p[i] = login(SIM_CMPP2);
		flows[2 * i] = (struct flow){ .from = p[i].sp, .to = p[i].gw, .p = octets, .n = n };
		flows[2 * i + 1] =
			(struct flow){ .from = p[i].gw, .to = p[i].sp, .p = octets, .n = n };
	}
	flows_run(flows, 2 * SESSIONS, 1);
	for (int i = 0; i < SESSIONS; i++) {
		peer_close(p[i].sp);
		peer_close(p[i].gw);
	}
	free(octets);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_offset, rig_sweep),
		cmocka_unit_test_teardown(login_in_pieces, rig_sweep),
		cmocka_unit_test_teardown(random_splits, rig_sweep),
		cmocka_unit_test_teardown(one_octet_segments, rig_sweep),
		cmocka_unit_test_teardown(coalesced, rig_sweep),
		cmocka_unit_test_teardown(boundary_64k, rig_sweep),
		cmocka_unit_test_teardown(small_buffers, rig_sweep),
		cmocka_unit_test_teardown(slow_readers, rig_sweep),
		cmocka_unit_test_teardown(lengths_around_hold_max, rig_sweep),
		cmocka_unit_test_teardown(over_long_goes_on, rig_sweep),
		cmocka_unit_test_teardown(half_close_each_way, rig_sweep),
		cmocka_unit_test_teardown(close_after_burst, rig_sweep),
		cmocka_unit_test_teardown(urgent_octet, rig_sweep),
		cmocka_unit_test_teardown(full_duplex_bulk, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
