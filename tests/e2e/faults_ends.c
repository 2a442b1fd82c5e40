#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/*
 * Rows N6 to N9, N13 and N14 of the fault list: how connections end, and readers that do not
 * read.
 */

enum { MIB = 1 << 20 };

static struct rig rig;
static int gateway, gateway_port;

static void begin(const char *protocol, const char *keys)
{
	struct rig_link link = {
		.protocol = protocol, .upstream = &gateway_port, .upstream_count = 1, .keys = keys
	};

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, NULL, &link, 1);
}

static size_t submits(enum sim_proto proto, int count, uint8_t *to)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.user = sim_text("900001"),
		.src = sim_text("10690001"),
		.dst = sim_text("13800138000"),
		.body = sim_text("in flight") };
	size_t n = 0;

	for (submit.seq = 1; submit.seq <= (uint32_t)count; submit.seq++)
		n += sim_build(proto, &submit, to + n);
	return n;
}

/*
 * N6: the gateway resets in the middle of a PDU. All that was whole arrives; the record lists
 * what was out.
 */
static void reset_mid_pdu(void **state)
{
	uint8_t octets[8192], out[8192];
	size_t whole, n, got;

	(void)state;
	begin("smpp", NULL);
	for (int round = 0; round < 20; round++) {
		size_t from = json_array_size(rig.records);
		struct pair p = pair_login(&rig, 0, gateway, SIM_SMPP);

		n = submits(SIM_SMPP, 3, octets);
		peer_send(p.sp, octets, n);
		peer_expect(p.gw, octets, n);
		whole = submits(SIM_SMPP, 4, octets);
		pdu_make(SIM_SMPP, 9, 200, octets + whole);
		peer_send(p.gw, octets, whole + 50);
		if (round % 2)
			pause_ms(20);
		peer_reset(p.gw);
		got = peer_read(p.sp, out, sizeof out, WAIT_MS);
		assert_in_range(got, whole, whole + 50);
		assert_memory_equal(out, octets, got);
		assert_true(peer_ended(p.sp, WAIT_MS));
		peer_close(p.sp);
		rig_await(&rig, from, NULL,
			"ev=session_close by=gw how=reset *~ECONNRESET *~unanswered\":3");
	}
	rig_stop(&rig);
}

/* N7: the SP has said all, the answers still come, in their time. */
static void half_close_by_sp(void **state)
{
	uint8_t octets[8192], answers[8192];
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .msgid = sim_text("12345678") };
	struct pair p;
	size_t n, at = 0;

	(void)state;
	begin("smpp", "half_close_timeout = \"20s\";");
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	n = submits(SIM_SMPP, 10, octets);
	peer_send(p.sp, octets, n);
	shutdown(p.sp, SHUT_WR);
	peer_expect(p.gw, octets, n);
	peer_expect_end(p.gw);
	for (answer.seq = 1; answer.seq <= 10; answer.seq++) {
		size_t len = sim_build(SIM_SMPP, &answer, answers + at);

		pause_ms(30);
		peer_send(p.gw, answers + at, len);
		peer_expect(p.sp, answers + at, len);
		at += len;
	}
	shutdown(p.gw, SHUT_WR);
	peer_expect_end(p.sp);
	pair_close(p);
	rig_await(&rig, 0, NULL, "ev=session_close by=sp how=fin");
	assert_int_equal(rig_count(&rig, "ev=submit_resp"), 10);
	rig_stop(&rig);
}

/* N8: the mirror. */
static void half_close_by_gateway(void **state)
{
	uint8_t octets[8192];
	struct pair p;
	size_t n;

	(void)state;
	begin("cmpp", "half_close_timeout = \"20s\";");
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	shutdown(p.gw, SHUT_WR);
	peer_expect_end(p.sp);
	for (int i = 0; i < 5; i++) {
		pause_ms(30);
		n = submits(SIM_CMPP2, 10, octets);
		peer_send(p.sp, octets, n);
		peer_expect(p.gw, octets, n);
	}
	shutdown(p.sp, SHUT_WR);
	peer_expect_end(p.gw);
	pair_close(p);
	rig_await(&rig, 0, NULL, "ev=session_close by=gw how=fin");
	rig_stop(&rig);
}

/* The other half is not kept for ever. */
static void half_close_timeout(void **state)
{
	(void)state;
	begin("cmpp", "half_close_timeout = \"600ms\"; linger_timeout = \"300ms\";");
	for (int way = 0; way < 2; way++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		int first = way ? p.gw : p.sp, other = way ? p.sp : p.gw;
		uint64_t start = now_us();

		shutdown(first, SHUT_WR);
		peer_expect_end(other);
		assert_true(peer_ended(first, 5000));
		assert_in_range(now_us() - start, 500000, 2500000);
		pair_close(p);
	}
	rig_await_count(&rig, 2, "ev=session_close");
	rig_stop(&rig);
}

/* N9: a peer that does not read stops its sender, and costs neither memory nor the others' time. */
static void peer_stops_reading(enum sim_proto proto, int way)
{
	size_t n, sent;
	uint8_t *octets = stream_make(proto, 71, 48 * MIB, 3000, &n);
	struct pair p, other;
	struct flow rest;
	uint64_t p99;
	long kib;

	begin(proto == SIM_SMPP ? "smpp" : "cmpp", NULL);
	p = pair_login(&rig, 0, gateway, proto);
	other = pair_login(&rig, 0, gateway, proto);
	pair_p99(other, proto, 100);
	kib = rig_engine_kib(&rig, false);
	sent = peer_fill(way ? p.gw : p.sp, octets, n);
	assert_true(sent < n); /* back-pressure: what two sockets hold and no more */
	p99 = pair_p99(other, proto, 1000);
	print_message("%zu KiB on the way, p99 of another session %lu us, memory %+ld KiB\n",
		sent >> 10, (unsigned long)p99, rig_engine_kib(&rig, false) - kib);
	assert_in_range(p99, 0, BOUND_P99_US);
	/* Not what is held up: ring and queue of the log, and what the sanitizer makes of it. */
	assert_true(rig_engine_kib(&rig, false) - kib < 36 * 1024);
	rest = (struct flow){
		.from = way ? p.gw : p.sp, .to = way ? p.sp : p.gw, .p = octets, .n = n
	};
	rest.sent = sent;
	flows_run(&rest, 1, 1);
	pair_close(p);
	pair_close(other);
	free(octets);
	rig_stop(&rig);
}

static void stops_reading(void **state)
{
	(void)state;
	peer_stops_reading(SIM_CMPP2, 0);
	peer_stops_reading(SIM_SMPP, 1);
}

/*
 * N13: every write of the daemon goes in parts: the smallest buffers there are, and readers of a
 * few octets.
 */
static void partial_writes(void **state)
{
	int least = 1;
	size_t n;
	uint8_t *octets =
		stream_make(SIM_CMPP2, 81, 30000, 5000, &n); /* windows so small are slow */
	struct flow flows[2];
	struct pair p;

	(void)state;
	begin("cmpp", NULL);
	setsockopt(gateway, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
	p = pair_login_over(peer_dial_buffers(rig.port[0], least), gateway, SIM_CMPP2);
	for (int i = 0; i < 2; i++)
		flows[i] = (struct flow){ .from = i ? p.gw : p.sp,
			.to = i ? p.sp : p.gw,
			.p = octets,
			.n = n,
			.read_max = 111 };
	flows_run(flows, 2, 1);
	pair_close(p);
	free(octets);
	rig_stop(&rig);
}

/* N14: writing to a connection that is gone ends that session and nothing else. */
static void reader_dies(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 91, 4 * MIB, 3000, &n);
	struct pair other;
	int fds;

	(void)state;
	begin("cmpp", NULL);
	other = pair_login(&rig, 0, gateway, SIM_CMPP2);
	rig_await(&rig, 0, NULL, "ev=login"); /* the log is open */
	fds = rig_engine_fds(&rig);
	for (int round = 0; round < 12; round++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		int writer = round & 1 ? p.gw : p.sp, reader = round & 1 ? p.sp : p.gw;

		if (round & 2)
			peer_fill(writer, octets, 200000);
		if (round & 4)
			peer_close(reader);
		else
			peer_reset(reader);
		for (int i = 0; i < 200; i++) /* until the reset comes back */
			if (send(writer, octets, 4096, MSG_DONTWAIT | MSG_NOSIGNAL) < 0
				&& errno != EAGAIN)
				break;
		assert_true(peer_ended(writer, WAIT_MS));
		peer_close(writer);
		pair_ping(other, SIM_CMPP2);
	}
	rig_await_count(&rig, 12, "ev=session_close");
	pause_ms(100);
	assert_int_equal(rig_engine_fds(&rig), fds);
	pair_close(other);
	free(octets);
	rig_stop(&rig);
}

/* The SP is gone before the gateway's connection is there. */
static void caller_leaves_early(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	int fds;

	(void)state;
	begin("smpp", NULL);
	pair_ping(pair_login(&rig, 0, gateway, SIM_SMPP), SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login");
	fds = rig_engine_fds(&rig);
	for (int i = 0; i < 40; i++) {
		int sp = peer_dial(rig.port[0]);

		peer_send(sp, octets, n);
		if (i % 2)
			peer_reset(sp);
		else
			peer_close(sp);
	}
	for (int i = 0; i < 40 && peer_has_caller(gateway, 300); i++) {
		int gw = peer_accept(gateway);

		assert_true(peer_ended(gw, WAIT_MS));
		peer_close(gw);
	}
	rig_await_count(&rig, 40, "ev=session_close");
	pause_ms(100);
	assert_int_equal(rig_engine_fds(&rig), fds);
	peers_sweep();
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reset_mid_pdu, rig_sweep),
		cmocka_unit_test_teardown(half_close_by_sp, rig_sweep),
		cmocka_unit_test_teardown(half_close_by_gateway, rig_sweep),
		cmocka_unit_test_teardown(half_close_timeout, rig_sweep),
		cmocka_unit_test_teardown(stops_reading, rig_sweep),
		cmocka_unit_test_teardown(partial_writes, rig_sweep),
		cmocka_unit_test_teardown(reader_dies, rig_sweep),
		cmocka_unit_test_teardown(caller_leaves_early, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
