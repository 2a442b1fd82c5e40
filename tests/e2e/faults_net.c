#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* Rows N1 to N5 of the fault list: peers that say nothing or too little, floods, gateways that do
 * not answer. */

static struct rig rig;
static int gateway, gateway_port;

static void begin(const char *protocol, const char *keys, const int *upstream, int upstream_count)
{
	struct rig_link link = { .protocol = protocol,
		.upstream = upstream,
		.upstream_count = upstream_count,
		.keys = keys };

	rig_start(&rig, NULL, &link, 1);
}

static void begin_plain(const char *protocol, const char *keys)
{
	gateway = peer_listen(&gateway_port, 256);
	begin(protocol, keys, &gateway_port, 1);
}

/* N1: nothing said, nothing dialled, closed in time. */
static void says_nothing(void **state)
{
	enum { IDLE = 500 };
	uint64_t start;
	int sp[IDLE];

	(void)state;
	begin_plain("cmpp", "login_timeout = \"1s\"; max_per_ip = 1000;");
	start = now_us();
	for (int i = 0; i < IDLE; i++)
		sp[i] = peer_dial(rig.port[0]);
	peer_expect_silence(sp[IDLE - 1], 500);
	for (int i = 0; i < IDLE; i++) {
		if (!peer_ended(sp[i], 5000))
			fail_msg("idle connection %d stays", i);
		peer_close(sp[i]);
	}
	assert_in_range(now_us() - start, 900000, 5000000);
	assert_false(peer_has_caller(gateway, 20));
	rig_await_count(&rig, IDLE, "ev=session_close *~login_timeout");
	rig_stop(&rig);
}

/* N2: an octet now and then does not make a login. */
static void slow_login(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	uint64_t start;
	size_t at = 0;
	int sp;

	(void)state;
	hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	begin_plain("smpp", "login_timeout = \"1s\";");
	sp = peer_dial(rig.port[0]);
	for (start = now_us(); !peer_ended(sp, 100) && now_us() < start + 5000000 && at < 30; at++)
		if (send(sp, octets + at, 1, MSG_NOSIGNAL) < 0)
			break;
	assert_in_range(now_us() - start, 900000, 2500000);
	assert_false(peer_has_caller(gateway, 20));
	rig_await(&rig, 0, NULL, "ev=session_close *~login_timeout");
	rig_stop(&rig);
}

static int still_open(const int *sp, int count)
{
	int open = 0;

	for (int i = 0; i < count; i++)
		open += !peer_ended(sp[i], 11);
	return open;
}

/* N3: the limits hold exactly, and one more fits as soon as one is gone. */
static void limits(const char *keys, const char *name, int limit)
{
	enum { CALLERS = 200 }; /* at the same time */
	int sp[CALLERS], open;

	begin_plain("cmpp", keys);
	for (int i = 0; i < CALLERS; i++)
		sp[i] = peer_dial(rig.port[0]);
	pause_ms(300);
	open = still_open(sp, CALLERS);
	assert_int_equal(open, limit);
	rig_await(&rig, 0, NULL, "*~%s", name);
	for (int i = 0; i < CALLERS; i++)
		peer_close(sp[i]);
	pause_ms(300);
	sp[0] = peer_dial(rig.port[0]);
	peer_expect_silence(sp[0], 200);
	peer_close(sp[0]);
	rig_stop(&rig);
}

static void session_limit(void **state)
{
	(void)state;
	limits("max_sessions = 7; max_per_ip = 7; login_timeout = \"20s\";", "max_sessions", 7);
}

static void address_limit(void **state)
{
	(void)state;
	limits("max_sessions = 100; max_per_ip = 5; login_timeout = \"20s\";", "max_per_ip", 5);
}

/* Connect and close as fast as one process can until it is killed. */
static pid_t flood_start(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct linger abort_it = { 1, 0 };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
		close(fd);
	}
}

/* N3: a flood leaves bound sessions alone, leaks nothing, and is over when it is over. */
static void flood(void **state)
{
	struct pair p, q;
	uint64_t before, during;
	pid_t flooder;
	int fds;

	(void)state;
	begin_plain("cmpp", "max_sessions = 50; max_per_ip = 50;");
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	rig_await(&rig, 0, NULL, "ev=login");
	before = pair_p99(p, SIM_CMPP2, 500);
	fds = rig_engine_fds(&rig);
	flooder = flood_start(rig.port[0]);
	during = pair_p99(p, SIM_CMPP2, 4000);
	kill(flooder, SIGKILL);
	waitpid(flooder, NULL, 0);
	print_message("p99 of a bound session: %lu us, in the flood %lu us\n",
		(unsigned long)before, (unsigned long)during);
	assert_in_range(during, 0, BOUND_P99_US);
	pause_ms(500);
	q = pair_login(&rig, 0, gateway, SIM_CMPP2);
	assert_in_range(rig_engine_fds(&rig), fds, fds + 4);
	peer_close(p.sp);
	peer_close(q.sp);
	rig_stop(&rig);
}

/* The refusal of a login, after which the stream ends in order: whatever else the SP had sent. */
static void expect_refusal(int sp, enum sim_proto proto, uint32_t command, uint32_t seq)
{
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu answer;
	size_t n = peer_read_pdu(sp, proto, octets, &answer);

	assert_int_equal(answer.what, SIM_LOGIN_RESP);
	assert_int_equal(answer.command, command | 0x80000000u);
	assert_int_equal(answer.seq, seq);
	assert_int_not_equal(answer.status, 0);
	if (proto != SIM_SMPP)
		assert_int_equal(n, proto == SIM_CMPP3 ? 33 : 30);
	peer_expect_end(sp);
	peer_close(sp);
}

/* N4: nobody listens at any server: the login is answered in its own protocol, soon, and it
 * arrives. */
static void refused(enum sim_proto proto, const char *fixture, uint32_t command, uint32_t seq)
{
	int servers[2] = { port_closed(), port_closed() };
	struct sim_pdu submit = { .what = SIM_SUBMIT, .dst = sim_text("13800138000") };
	uint8_t octets[64 * 1024];
	size_t login = hex_load(fixture, octets, sizeof octets), n = login;
	uint64_t start;
	char why[160];
	int sp;

	begin(proto == SIM_SMPP ? "smpp" : "cmpp", "retry = \"10ms\";", servers, 2);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, login);
	start = now_us();
	expect_refusal(sp, proto, command, seq);
	assert_in_range(now_us() - start, 0, 400000); /* 100 ms, and slack for a busy machine */
	rig_await(&rig, 0, NULL, "ev=upstream *~127.0.0.1:%d", servers[0]);
	rig_await(&rig, 0, NULL, "ev=upstream *~127.0.0.1:%d", servers[1]);
	rig_await(&rig, 0, NULL, "ev=session_close *~upstream");
	/* One line says that it was smscope, and why. */
	snprintf(why, sizeof why, "no server answers: 127.0.0.1:%d ECONNREFUSED, 127.0.0.1:%d ECONNREFUSED",
		servers[0], servers[1]);
	assert_string_equal(json_string_value(json_object_get(
				    rig_await(&rig, 0, NULL, "ev=login by=smscope"), "why")), why);
	for (submit.seq = 100; submit.seq < 200; submit.seq++)
		n += sim_build(proto, &submit, octets + n);
	pause_ms(50);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, n);
	pause_ms(300); /* whatever destroys the answer has had its time */
	expect_refusal(sp, proto, command, seq);
	rig_stop(&rig);
}

static void nobody_answers(void **state)
{
	(void)state;
	refused(SIM_SMPP, "smpp-bind_transceiver-1", 9, 235857);
	refused(SIM_CMPP2, "cmpp-connect-21", 1, 23);
	refused(SIM_CMPP3, "cmpp-connect-30", 1, 2);
}

/* N4: the servers are tried in their order, and one that failed is left alone for `retry`. */
static void fall_back(void **state)
{
	int ports[3], second, third;
	struct pair p;
	uint64_t start;

	(void)state;
	gateway = peer_listen(&ports[0], 16);
	second = peer_listen(&ports[1], 16);
	third = peer_listen(&ports[2], 16);
	begin("smpp", "retry = \"1s\";", ports, 3);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	peer_close(p.sp);
	peer_close(p.gw);
	peer_close(gateway);
	p = pair_login(&rig, 0, second, SIM_SMPP);
	peer_close(p.sp);
	peer_close(p.gw);
	peer_close(second);
	start = now_us();
	p = pair_login(&rig, 0, third, SIM_SMPP);
	assert_in_range(now_us() - start, 0, 500000);
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=upstream *~127.0.0.1:%d", ports[1]);
	rig_stop(&rig);
}

/* A listening socket whose queue is full: the kernel drops what knocks, as a firewall does. */
static int blackhole(int *ret_port)
{
	int fd = peer_listen(ret_port, 0);

	for (int i = 0; i < 4; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)*ret_port) };
		int full = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_true(connect(full, (struct sockaddr *)&a, sizeof a) == 0
			|| errno == EINPROGRESS);
	}
	pause_ms(20);
	return fd;
}

/* N5: connect_timeout, then the next server; nobody else waits for it. */
static void black_hole(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	int hole, good, lone;
	struct rig_link links[2] = {
		{ .protocol = "smpp",
			.upstream = &hole,
			.upstream_count = 1,
			.keys = "connect_timeout = \"700ms\";" },
		{ .protocol = "smpp", .upstream = &good, .upstream_count = 1 },
	};
	uint64_t start, during;
	struct pair p;

	(void)state;
	blackhole(&hole);
	gateway = peer_listen(&good, 16);
	rig_start(&rig, NULL, links, 2);
	p = pair_login(&rig, 1, gateway, SIM_SMPP);
	start = now_us();
	lone = peer_dial(rig.port[0]);
	peer_send(lone, octets, n);
	during = pair_p99(p, SIM_SMPP, 400);
	assert_in_range(during, 0, BOUND_P99_US);
	expect_refusal(lone, SIM_SMPP, 9, 235857);
	assert_in_range(now_us() - start, 600000, 1500000);
	rig_await(&rig, 0, NULL, "ev=upstream *~127.0.0.1:%d", hole);
	peer_close(p.sp);
	peer_close(p.gw);
	rig_stop(&rig);
}

static void black_hole_then_good(void **state)
{
	struct rig_link link = { .protocol = "cmpp",
		.upstream_count = 2,
		.keys = "connect_timeout = \"500ms\"; retry = \"5s\";" };
	int ports[2];
	struct pair p;
	uint64_t start;

	(void)state;
	blackhole(&ports[0]);
	gateway = peer_listen(&ports[1], 16);
	link.upstream = ports;
	rig_start(&rig, NULL, &link, 1);
	start = now_us();
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	assert_in_range(now_us() - start, 400000, 1500000);
	peer_close(p.sp);
	peer_close(p.gw);
	start = now_us();
	p = pair_login(&rig, 0, gateway, SIM_CMPP2); /* the first one is still left alone */
	assert_in_range(now_us() - start, 0, 300000);
	peer_close(p.sp);
	peer_close(p.gw);
	rig_stop(&rig);
}

/* Dial ::1, from a port of our choice if not 0. */
static int dial6(int port, int from)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	a.sin6_port = htons((uint16_t)from);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	a.sin6_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&a, sizeof a))
		fail_msg("connect to [::1]:%d: %s", port, strerror(errno));
	return fd;
}

/*
 * N16: IPv6 at the SP's side. And a daemon that ends first leaves its port in TIME_WAIT: the next one
 * listens there at once, and the same pair of addresses and ports connects again.
 */
static void again_on_the_same_port(void **state)
{
	struct rig_link link = { .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1,
		.host = "[::1]", .keys = "allow = \"::1\"; linger_timeout = \"200ms\";" };
	struct sockaddr_in6 a;
	socklen_t len = sizeof a;
	struct pair p;

	(void)state;
	if (access("/proc/net/if_inet6", R_OK))
		skip();
	gateway = peer_listen(&gateway_port, 16);
	link.port = port_closed();
	rig_start(&rig, NULL, &link, 1);
	p = pair_login_over(dial6(link.port, 0), gateway, SIM_SMPP);
	assert_int_equal(getsockname(p.sp, (struct sockaddr *)&a, &len), 0);
	rig_await(&rig, 0, NULL, "ev=login peer=[::1]:%d", ntohs(a.sin6_port));
	kill(rig.pid, SIGTERM);
	peer_expect_end(p.sp); /* its FIN is first */
	close(p.sp);
	peer_close(p.gw);
	rig_stop(&rig);
	gateway = peer_listen(&gateway_port, 16);
	rig_start(&rig, NULL, &link, 1);
	p = pair_login_over(dial6(link.port, ntohs(a.sin6_port)), gateway, SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	close(p.sp);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(says_nothing, rig_sweep),
		cmocka_unit_test_teardown(slow_login, rig_sweep),
		cmocka_unit_test_teardown(session_limit, rig_sweep),
		cmocka_unit_test_teardown(address_limit, rig_sweep),
		cmocka_unit_test_teardown(flood, rig_sweep),
		cmocka_unit_test_teardown(nobody_answers, rig_sweep),
		cmocka_unit_test_teardown(fall_back, rig_sweep),
		cmocka_unit_test_teardown(black_hole, rig_sweep),
		cmocka_unit_test_teardown(black_hole_then_good, rig_sweep),
		cmocka_unit_test_teardown(again_on_the_same_port, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
