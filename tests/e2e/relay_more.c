#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/*
 * Ends that coincide with something else: a backlog, a reset right behind octets, a receiver that
 * does not read, the daemon's own end.
 */

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct rig rig;
static int gateway, gateway_port;

static void begin(enum sim_proto proto, const char *keys, const char *daemon)
{
	struct rig_options options = { .daemon = daemon };
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &gateway_port, .upstream_count = 1, .keys = keys };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
}

/*
 * The FIN stands behind more octets than one look shows: the PDU that the look ends in is no tail,
 * the frames behind it are still frames.
 */
static void fin_behind_backlog(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 101, 900 * KIB, 3000, &n);

	(void)state;
	begin(SIM_CMPP2, "bad_length = \"close\";", NULL);
	for (int way = 0; way < 4; way++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		int from = way & 1 ? p.gw : p.sp, to = way & 1 ? p.sp : p.gw;

		rig_freeze(&rig);
		peer_send(from, octets, n);
		if (way & 2)
			peer_close(from);
		else
			shutdown(from, SHUT_WR);
		pause_ms(50);
		rig_thaw(&rig);
		peer_expect(to, octets, n);
		peer_expect_end(to);
		peer_close(to);
		if (!(way & 2))
			peer_close(from);
	}
	rig_await_count(&rig, 4, "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=session_close how=fin"), 4);
	free(octets);
	rig_stop(&rig);
}

/* One edge tells of octets and of the reset behind them; the other side has nothing to say. */
static void reset_behind_octets(void **state)
{
	uint8_t octets[300];

	(void)state;
	begin(SIM_CMPP2, NULL, NULL);
	pdu_make(SIM_CMPP2, 7, sizeof octets, octets);
	for (int way = 0; way < 2; way++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		int from = way ? p.gw : p.sp, to = way ? p.sp : p.gw;

		rig_freeze(&rig);
		peer_send(from, octets, sizeof octets);
		peer_reset(from);
		rig_thaw(&rig);
		peer_expect(to, octets, sizeof octets);
		assert_true(peer_ended(to, 3000));
		peer_close(to);
	}
	rig_await_count(&rig, 2, "ev=session_close how=reset");
	rig_stop(&rig);
}

/* The same before there is a gateway: half a login, then a reset. */
static void reset_behind_half_login(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	uint64_t start;
	int sp;

	(void)state;
	begin(SIM_SMPP, "login_timeout = \"60s\";", NULL);
	sp = peer_dial(rig.port[0]);
	rig_await(&rig, 0, NULL, "ev=session_open");
	rig_freeze(&rig);
	start = now_us();
	peer_send(sp, octets, n / 2);
	peer_reset(sp);
	rig_thaw(&rig);
	rig_await(&rig, 0, NULL, "ev=session_close how=reset");
	assert_in_range(now_us() - start, 0, 3000000);
	rig_stop(&rig);
}

/* `to` reads until the FIN of `from` has reached the daemon, behind what `to` does not read. */
static void bring_fin(int from, int to)
{
	uint8_t away[64 * KIB];
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	shutdown(from, SHUT_WR);
	for (int i = 0; i < 2000 && info.tcpi_state != TCP_FIN_WAIT2; i++) {
		assert_int_not_equal(peer_read(to, away, sizeof away, WAIT_MS), 0);
		pause_ms(1);
		assert_int_equal(getsockopt(from, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	}
	assert_int_equal(info.tcpi_state, TCP_FIN_WAIT2);
}

/* The sender has ended, the receiver never reads again: not kept for ever. */
static void end_behind_stuck_reader(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 102, 48 * MIB, 3000, &n);

	(void)state;
	begin(SIM_CMPP2, "half_close_timeout = \"1s\"; linger_timeout = \"300ms\";", NULL);
	for (int way = 0; way < 4; way++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		int from = way & 1 ? p.gw : p.sp, to = way & 1 ? p.sp : p.gw;

		peer_fill(from, octets, n);
		if (way & 2)
			bring_fin(from, to);
		else
			peer_reset(from);
		rig_await_count(&rig, (size_t)way + 1, "ev=session_close");
		if (way & 2)
			peer_close(from);
		peer_close(to);
	}
	free(octets);
	rig_stop(&rig);
}

/* While the receiver reads, however slowly, the rest of an ended stream is not cut off. */
static void end_behind_slow_reader(void **state)
{
	size_t n, got = 0;
	uint8_t *octets = stream_make(SIM_CMPP2, 103, 2 * MIB, 3000, &n), *out = malloc(n + 1);
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, "half_close_timeout = \"1s\"; linger_timeout = \"300ms\";", NULL);
	p = pair_login_over(peer_dial(rig.port[0]), gateway, SIM_CMPP2);
	n = peer_fill(p.sp, octets, n);
	peer_close(p.sp);
	for (size_t piece = n / 40 + 1; got < n; pause_ms(100)) {
		size_t some = peer_read(p.gw, out + got, piece < n - got ? piece : n - got, WAIT_MS);

		assert_true(some > 0);
		got += some;
	}
	assert_memory_equal(out, octets, n);
	peer_expect_end(p.gw);
	peer_close(p.gw);
	free(octets);
	free(out);
	rig_stop(&rig);
}

/* How many octets of `n` at `p` are whole PDUs. */
static size_t whole(const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (n - at >= 4) {
		int len = sim_pdu_len(SIM_CMPP2, p + at, n - at);

		assert_true(len > 0);
		if ((size_t)len > n - at)
			break;
		at += (size_t)len;
	}
	return at;
}

/* When the time of a drain is over, a receiver that reads gets whole PDUs and then the FIN. */
static void drain_ends_between_pdus(void **state)
{
	size_t n, sent = 0, got = 0;
	uint8_t *octets = stream_make(SIM_CMPP2, 104, 48 * MIB, 3000, &n), *out = malloc(n);
	bool told = false;
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, "linger_timeout = \"5s\";", "drain_timeout = \"500ms\";");
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	for (;;) {
		ssize_t r, s = send(p.sp, octets + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += s > 0 ? (size_t)s : 0;
		r = got + 20000 < sent ? recv(p.gw, out + got, 20000, 0) :
			recv(p.gw, out + got, n - got, MSG_DONTWAIT);
		if (r == 0)
			break;
		got += r > 0 ? (size_t)r : 0;
		if (!told && got > MIB)
			told = kill(rig.pid, SIGTERM) == 0;
		pause_ms(1);
	}
	assert_memory_equal(out, octets, got);
	assert_int_equal(whole(out, got), got);
	free(octets);
	free(out);
	rig_stop(&rig); /* which still waits for the peers' FINs */
}

/*
 * C9: traffic goes on after the first TERM. The second ends it at once, with octets on their way and with a reader that
 * takes none; what has come out by then is what went in.
 */
static void second_term_under_load(void **state)
{
	size_t n, sent = 0, got = 0;
	uint8_t *octets = stream_make(SIM_CMPP2, 105, 16 * MIB, 3000, &n), *out = malloc(n);
	struct pair busy, stuck, idle;
	ssize_t s, r;

	(void)state;
	begin(SIM_CMPP2, "", "drain_timeout = \"60s\";");
	busy = pair_login(&rig, 0, gateway, SIM_CMPP2);
	stuck = pair_login(&rig, 0, gateway, SIM_CMPP2);
	idle = pair_login(&rig, 0, gateway, SIM_CMPP2);
	assert_in_range(peer_fill(stuck.sp, octets, n), 1, n - 1);
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	while (got < 8 * MIB) {
		s = send(busy.sp, octets + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += s > 0 ? (size_t)s : 0;
		r = recv(busy.gw, out + got, n - got, MSG_DONTWAIT);
		assert_int_not_equal(r, 0);
		got += r > 0 ? (size_t)r : 0;
	}
	peer_expect_silence(idle.sp, 100);
	peer_forget(busy.gw);
	rig_stop(&rig); /* sends the second, and waits for less than 60 s */
	while ((r = recv(busy.gw, out + got, n - got, 0)) > 0)
		got += (size_t)r;
	close(busy.gw);
	assert_in_range(got, 1, sent);
	assert_memory_equal(out, octets, got);
	free(octets);
	free(out);
}

/* No gateway: the answer arrives although far more than the login was sent, and is followed by a FIN. */
static void refused_with_more_behind(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets), more;
	uint8_t *burst = stream_make(SIM_SMPP, 105, 2 * MIB, 3000, &more);
	int port = port_closed();
	struct rig_link link = { .protocol = "auto", .upstream = &port, .upstream_count = 1,
		.keys = "linger_timeout = \"10s\"; retry = \"10ms\";" };

	(void)state;
	rig_start(&rig, NULL, &link, 1);
	for (int round = 0; round < 6; round++) {
		int sp = peer_dial(rig.port[0]);
		struct sim_pdu answer;

		peer_send(sp, octets, n);
		peer_send(sp, burst, round < 3 ? 50000 : more);
		if (round % 2)
			shutdown(sp, SHUT_WR);
		peer_read_pdu(sp, SIM_SMPP, octets + n, &answer);
		assert_int_equal(answer.what, SIM_LOGIN_RESP);
		assert_int_not_equal(answer.status, 0);
		peer_expect_end(sp);
		peer_close(sp);
	}
	rig_await_count(&rig, 6, "ev=session_close");
	free(burst);
	rig_stop(&rig);
}

/* Dialled on accept, in vain: the login is answered all the same when it comes, in parts if need be. */
static void refused_before_login(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	int port = port_closed(), sp;
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
		.keys = "dial = \"accept\"; retry = \"10ms\"; login_timeout = \"1s\";" };
	struct sim_pdu answer;

	(void)state;
	rig_start(&rig, NULL, &link, 1);
	for (int round = 0; round < 2; round++) {
		sp = peer_dial(rig.port[0]);
		pause_ms(200);
		peer_send(sp, octets, n / 2);
		pause_ms(50);
		if (round == 0) {
			peer_send(sp, octets + n / 2, n - n / 2);
			peer_read_pdu(sp, SIM_SMPP, octets + n, &answer);
			assert_int_equal(answer.what, SIM_LOGIN_RESP);
			assert_int_not_equal(answer.status, 0);
		}
		peer_expect_end(sp);
		peer_close(sp);
	}
	sp = peer_dial(rig.port[0]);
	pause_ms(50);
	peer_close(sp);
	rig_await_count(&rig, 3, "ev=session_close how=upstream");
	rig_stop(&rig);
}

/* What an SP says behind its login, and its FIN, wait while the second server is found. */
static void speaks_while_dialing(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets), more;
	uint8_t *burst = stream_make(SIM_SMPP, 106, 300 * KIB, 3000, &more);
	int ports[2] = { port_closed(), 0 }, listener = peer_listen(&ports[1], 8);
	struct rig_link link = { .protocol = "auto", .upstream = ports, .upstream_count = 2,
		.keys = "retry = \"10ms\"; bad_length = \"close\";" };

	(void)state;
	rig_start(&rig, NULL, &link, 1);
	for (int round = 0; round < 4; round++) {
		int sp = peer_dial(rig.port[0]), gw;

		rig_freeze(&rig);
		peer_send(sp, octets, n);
		peer_send(sp, burst, more);
		if (round % 2)
			shutdown(sp, SHUT_WR);
		rig_thaw(&rig);
		gw = peer_accept(listener);
		peer_expect(gw, octets, n);
		peer_expect(gw, burst, more);
		if (round % 2 == 0)
			peer_expect_silence(gw, 50);
		shutdown(sp, SHUT_WR);
		peer_expect_end(gw);
		peer_close(gw);
		peer_expect_end(sp);
		peer_close(sp);
	}
	rig_await_count(&rig, 4, "ev=session_close");
	free(burst);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(fin_behind_backlog, rig_sweep),
		cmocka_unit_test_teardown(reset_behind_octets, rig_sweep),
		cmocka_unit_test_teardown(reset_behind_half_login, rig_sweep),
		cmocka_unit_test_teardown(end_behind_stuck_reader, rig_sweep),
		cmocka_unit_test_teardown(end_behind_slow_reader, rig_sweep),
		cmocka_unit_test_teardown(drain_ends_between_pdus, rig_sweep),
		cmocka_unit_test_teardown(second_term_under_load, rig_sweep),
		cmocka_unit_test_teardown(refused_with_more_behind, rig_sweep),
		cmocka_unit_test_teardown(refused_before_login, rig_sweep),
		cmocka_unit_test_teardown(speaks_while_dialing, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
