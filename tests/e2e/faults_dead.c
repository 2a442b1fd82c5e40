#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "harness.h"

/*
 * Row N10 of the fault list: a peer that is gone without a FIN, as when its host loses power. A filter that
 * lets no segment through to a socket of the test makes it so.
 */

enum { STREAM = 8 << 20, PDU = 2000 }; /* more than both kernels hold of a session */

static struct rig rig;
static int gateway, gateway_port;
static uint8_t octets[STREAM];

static void begin(const char *keys)
{
	struct rig_link link = { .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1,
		.keys = keys };

	gateway = peer_listen(&gateway_port, 16);
	rig_start(&rig, NULL, &link, 1);
}

/* From here on no segment reaches this socket, and so it answers none. */
static void die(int fd)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog drop = { 1, nothing };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop)), 0);
}

static void come_back(int fd)
{
	int none = 0;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
}

/*
 * One that is gone while octets are on their way to it, at either side, and one that is gone with its window
 * shut: their sessions end. One whose window is shut and that is alive stays.
 */
static void dead_peers(void **state)
{
	struct pair to_gw, to_sp, shut, alive, quiet;

	(void)state;
	begin("dead_timeout = \"3s\";");
	to_gw = pair_login(&rig, 0, gateway, SIM_SMPP);
	to_sp = pair_login(&rig, 0, gateway, SIM_SMPP);
	shut = pair_login(&rig, 0, gateway, SIM_SMPP);
	alive = pair_login(&rig, 0, gateway, SIM_SMPP);
	quiet = pair_login(&rig, 0, gateway, SIM_SMPP);
	(void)peer_fill(alive.sp, octets, sizeof(octets));
	(void)peer_fill(shut.sp, octets, sizeof(octets));
	die(to_gw.gw);
	die(to_sp.sp);
	die(shut.gw);
	peer_send(to_gw.sp, octets, PDU);
	peer_send(to_sp.gw, octets, PDU);
	assert_true(peer_ended(to_gw.sp, 4 * WAIT_MS));
	assert_true(peer_ended(to_sp.gw, 4 * WAIT_MS));
	assert_true(peer_ended(shut.sp, 4 * WAIT_MS));
	rig_await_count(&rig, 2, "ev=session_close how=dead_peer by=gw");
	rig_await_count(&rig, 1, "ev=session_close how=dead_peer by=sp");
	(void)pair_ping(quiet, SIM_SMPP);
	peer_expect_silence(alive.sp, 3000);
	assert_int_equal(rig_count(&rig, "ev=session_close"), 3);
	rig_stop(&rig);
}

/* Silence while there was nothing to confirm is not held against a peer that cannot be reached for a moment. */
static void idle_then_away(void **state)
{
	enum { DEAD_MS = 12000, AWAY_MS = 4000 };
	struct pair p;

	(void)state;
	begin("dead_timeout = \"12s\";");
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	peer_expect_silence(p.sp, DEAD_MS + 1000);
	die(p.gw);
	peer_send(p.sp, octets, PDU);
	peer_expect_silence(p.sp, AWAY_MS);
	come_back(p.gw);
	peer_expect(p.gw, octets, PDU);
	(void)pair_ping(p, SIM_SMPP);
	assert_int_equal(rig_count(&rig, "ev=session_close"), 0);
	rig_stop(&rig);
}

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

/* The longer a window stays shut, the more rarely it is asked for, if nothing is done; and its peer may be gone all the same. */
static void shut_for_long(void **state)
{
	enum { SHUT_MS = 14000 }; /* from then on the next attempt would be 12 s away, and 24 s the one behind it */
	struct pair p;
	int most;
	socklen_t len = sizeof(most);

	(void)state;
	begin("dead_timeout = \"4s\";");
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	if (getsockopt(p.sp, IPPROTO_TCP, TCP_RTO_MAX_MS, &most, &len) < 0) {
		rig_stop(&rig);
		skip(); /* before Linux 6.15 nothing can be done */
	}
	(void)peer_fill(p.sp, octets, sizeof(octets));
	peer_expect_silence(p.sp, SHUT_MS);
	die(p.gw);
	assert_true(peer_ended(p.sp, 2 * WAIT_MS));
	rig_await(&rig, 0, NULL, "ev=session_close how=dead_peer by=gw");
	rig_stop(&rig);
}

static int make_stream(void **state)
{
	(void)state;
	for (size_t at = 0; at + PDU <= sizeof(octets); at += PDU)
		pdu_make(SIM_SMPP, (uint32_t)at, PDU, octets + at);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(dead_peers, rig_sweep),
		cmocka_unit_test_teardown(idle_then_away, rig_sweep),
		cmocka_unit_test_teardown(shut_for_long, rig_sweep),
	};

	return cmocka_run_group_tests(tests, make_stream, NULL);
}
