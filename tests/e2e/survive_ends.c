#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/*
 * Ends that coincide with the death of an engine: a FIN counts one octet, a reset none, and either may
 * come while nobody is there to see it.
 */

static struct rig rig;
static int gateway, gateway_port;

static const char *const sides[] = { "sp", "gw" };

/* A session whose sockets at our ends have little room if `small`; the SP's end and the gateway's. */
static struct pair begin(enum sim_proto proto, bool small)
{
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &gateway_port, .upstream_count = 1 };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, NULL, &link, 1);
	if (!small)
		return pair_login(&rig, 0, gateway, proto);
	peer_buffers(gateway, 4096);
	return pair_login_over(peer_dial_buffers(rig.port[0], 4096), gateway, proto);
}

/* One verdict: it names who ended the session first, and how. */
static void end(const char *by, const char *how)
{
	rig_await(&rig, 0, NULL, "ev=session_close sess=1 by=%s how=%s", by, how);
	assert_int_equal(rig_count(&rig, "ev=session_close"), 1);
	assert_int_equal(rig_count(&rig, "ev=session_open"), 1);
	rig_stop(&rig);
}

/* The other direction of a session of which one has ended: everything arrives, then its FIN. */
static void half_goes_on(int from, int to, enum sim_proto proto)
{
	size_t n;
	uint8_t *octets = stream_make(proto, 3, 200000, 3000, &n);
	struct flow f = { .from = from, .to = to, .p = octets, .n = n };

	flows_run(&f, 1, 3);
	assert_int_equal(shutdown(from, SHUT_WR), 0);
	peer_expect_end(to);
	free(octets);
}

/* The FIN is through when the engine dies; a second engine dies with both in their half-closed states. */
static void fin_before(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		struct pair p = begin(SIM_CMPP2, false);
		int from = side ? p.gw : p.sp, to = side ? p.sp : p.gw;

		pair_exchange(p, SIM_CMPP2, 5);
		assert_int_equal(shutdown(from, SHUT_WR), 0);
		peer_expect_end(to);
		rig_kill_engine(&rig);
		pause_ms(50);
		rig_kill_engine(&rig);
		half_goes_on(to, from, SIM_CMPP2);
		end(sides[side], "fin");
	}
}

/* All that goes into the way while the receiver reads no more than it must for the sender to be rid of it. */
static void fill_way(struct flow *f)
{
	uint8_t octets[4096];
	int left = 1;

	flow_fill(f);
	f->n = f->sent;
	for (int i = 0; i < 5000 && ioctl(f->from, SIOCOUTQ, &left) == 0 && left > 0; i++) {
		size_t n = peer_has_caller(f->to, 10) ? peer_read(f->to, octets, sizeof octets, 0) : 0;

		assert_memory_equal(octets, f->p + f->got, n);
		f->got += n;
	}
	assert_int_equal(left, 0);
}

/* The FIN is there, the octets before it are not through: the receiver does not read. */
static void fin_behind_unread(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_SMPP, 6, 16000000, 7000, &n);

	(void)state;
	for (int side = 0; side < 2; side++) {
		struct pair p = begin(SIM_SMPP, true);
		struct flow f = { .from = side ? p.gw : p.sp, .to = side ? p.sp : p.gw, .p = octets, .n = n };

		fill_way(&f);
		assert_int_equal(shutdown(f.from, SHUT_WR), 0);
		pause_ms(50);
		rig_kill_engine(&rig);
		pause_ms(50);
		rig_engine_down(&rig);
		flow_drain(&f);
		rig_engine_up(&rig);
		flows_run(&f, 1, 6);
		peer_expect_end(f.to);
		half_goes_on(f.to, f.from, SIM_SMPP);
		end(sides[side], "fin");
	}
	free(octets);
}

/* FINs that come while nobody runs, of one side or both, with PDUs before them and without, or inside one. */
static void fin_meanwhile(void **state)
{
	static const struct { bool sp, gw; size_t n; } rows[] = {
		{ true, false, 0 }, { false, true, 0 }, { true, false, 500 }, { false, true, 500 },
		{ true, true, 0 }, { true, true, 500 }, { true, true, 499 }, { true, false, 101 },
	};
	uint8_t octets[500];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		pdu_make(SIM_CMPP3, (uint32_t)i, 100, octets + 100 * i);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pair p = begin(SIM_CMPP3, false);

		rig_engine_down(&rig);
		if (rows[i].sp) {
			peer_send(p.sp, octets, rows[i].n);
			assert_int_equal(shutdown(p.sp, SHUT_WR), 0);
		}
		if (rows[i].gw) {
			peer_send(p.gw, octets, rows[i].n);
			assert_int_equal(shutdown(p.gw, SHUT_WR), 0);
		}
		rig_engine_up(&rig);
		if (rows[i].sp) {
			peer_expect(p.gw, octets, rows[i].n);
			peer_expect_end(p.gw);
		}
		if (rows[i].gw) {
			peer_expect(p.sp, octets, rows[i].n);
			peer_expect_end(p.sp);
		}
		if (!rows[i].sp)
			half_goes_on(p.sp, p.gw, SIM_CMPP3);
		if (!rows[i].gw)
			half_goes_on(p.gw, p.sp, SIM_CMPP3);
		rig_await(&rig, 0, NULL, "ev=session_close");
		peer_close(p.sp);
		peer_close(p.gw);
		if (rows[i].n % 100 == 0)
			end(sides[!rows[i].sp], "fin");
		else
			rig_stop(&rig);
	}
}

static void fin_after(void **state)
{
	struct pair p = begin(SIM_SMPP, false);

	(void)state;
	pair_exchange(p, SIM_SMPP, 8);
	rig_kill_engine(&rig);
	pair_exchange(p, SIM_SMPP, 9);
	assert_int_equal(shutdown(p.gw, SHUT_WR), 0);
	peer_expect_end(p.sp);
	half_goes_on(p.sp, p.gw, SIM_SMPP);
	end("gw", "fin");
}

/* A reset that comes while nobody runs: what was said before it arrives, and one record tells it. */
static void reset_meanwhile(void **state)
{
	uint8_t octets[500];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		pdu_make(SIM_CMPP2, (uint32_t)i, 100, octets + 100 * i);
	for (int i = 0; i < 6; i++) {
		struct pair p = begin(SIM_CMPP2, false);
		int side = i % 2, from = side ? p.gw : p.sp, to = side ? p.sp : p.gw;
		size_t n = i / 2 == 0 ? 0 : 300 + 100 * (size_t)i;

		n = n < sizeof octets ? n : sizeof octets;
		pair_exchange(p, SIM_CMPP2, 12);
		rig_engine_down(&rig);
		peer_send(from, octets, n);
		if (i / 2 == 2) /* what is for the one that is gone, is for nobody */
			peer_send(to, octets, sizeof octets);
		peer_reset(from);
		rig_engine_up(&rig);
		peer_expect(to, octets, n);
		assert_true(peer_ended(to, WAIT_MS));
		peer_close(to); /* or it is waited for */
		end(sides[side], "reset");
	}
}

/*
 * A reset behind what is not through, because the receiver does not read; perhaps a FIN before it. An
 * engine sees the reset and dies, and its successor must count as if it had seen it.
 */
static void reset_behind_unread(int side, bool fin, bool twice)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 15, 16000000, 7000, &n);
	struct pair p = begin(SIM_CMPP2, true);
	struct flow f = { .from = side ? p.gw : p.sp, .to = side ? p.sp : p.gw, .p = octets, .n = n };

	fill_way(&f);
	if (fin)
		assert_int_equal(shutdown(f.from, SHUT_WR), 0);
	pause_ms(20);
	rig_engine_down(&rig);
	peer_reset(f.from);
	rig_engine_up(&rig);
	if (twice) {
		pause_ms(1500); /* an engine that has it looks twice a second */
		rig_engine_down(&rig);
		flow_drain(&f);
		rig_engine_up(&rig);
	}
	flows_run(&f, 1, 15);
	assert_true(peer_ended(f.to, WAIT_MS));
	peer_close(f.to);
	free(octets);
	end(sides[side], "reset");
}

static void reset_of_a_slow_session(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		reset_behind_unread(i & 1, (i & 2) != 0, (i & 4) != 0);
}

/* smscope's own answer is the last that a session says: a kill then takes nothing of it, or all. */
static void refusal(void **state)
{
	enum { TRIES = 12 };
	int down = port_closed(), answers = 0;
	struct rig_link link = { .protocol = "smpp", .upstream = &down, .upstream_count = 1,
		.keys = "login_timeout = \"1s\"; retry = \"1s\";" };
	uint8_t octets[SIM_PDU_MAX], answer[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets), got;

	(void)state;
	rig_start(&rig, NULL, &link, 1);
	for (int i = 0; i < TRIES; i++) {
		size_t opened = rig_count(&rig, "ev=session_open");
		int sp = peer_dial(rig.port[0]);
		struct sim_pdu pdu;

		if (i % 3 == 0)
			rig_await_count(&rig, opened + 1, "ev=session_open");
		peer_send(sp, octets, n);
		if (i % 4 < 3)
			usleep((useconds_t)(i % 4) * 300);
		else
			assert_true(peer_has_caller(sp, WAIT_MS)); /* it is answered, and waits for our FIN */
		rig_kill_engine(&rig);
		got = peer_read(sp, answer, sizeof answer, WAIT_MS);
		if (got > 0) {
			assert_int_equal(sim_pdu_len(SIM_SMPP, answer, got), got);
			assert_int_equal(sim_parse(SIM_SMPP, answer, got, &pdu), 0);
			assert_int_equal(pdu.what, SIM_LOGIN_RESP);
			assert_int_not_equal(pdu.status, 0);
			answers++;
		}
		assert_true(peer_ended(sp, WAIT_MS));
		peer_close(sp);
	}
	assert_true(answers >= TRIES / 4);
	rig_await_count(&rig, rig_count(&rig, "ev=session_open"), "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=session_close"), rig_count(&rig, "ev=session_open"));
	rig_stop(&rig);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, rig_sweep)
	const struct CMUnitTest tests[] = {
		TEST(fin_before),
		TEST(fin_behind_unread),
		TEST(fin_meanwhile),
		TEST(fin_after),
		TEST(reset_meanwhile),
		TEST(reset_of_a_slow_session),
		TEST(refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
