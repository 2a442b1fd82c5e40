#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/* Several servers of one link: which one a session gets, what is down, and how it comes back. Rows N4 and N5. */

enum { SERVERS = 2 };

static struct rig rig;
static int port[SERVERS], gateway[SERVERS];

/* The server listens: on its port, if it had one before, although connections of that time are still open. */
static void serve(int server)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int on = 1, fd = peer_adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (!port[server])
		port[server] = port_closed();
	a.sin_port = htons((uint16_t)port[server]);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 64))
		fail_msg("port %d: %s", port[server], strerror(errno));
	gateway[server] = fd;
}

static void begin(const char *keys)
{
	/* Two workers: what one of them finds out holds for the other. */
	static const struct rig_options two_workers = {
		.daemon = "workers = 2; drain_timeout = \"2s\";",
		.control = true
	};
	struct rig_link link = { .protocol = "smpp", .upstream = port, .upstream_count = SERVERS,
		.keys = keys };

	for (int i = 0; i < SERVERS; i++) {
		port[i] = 0;
		serve(i);
	}
	rig_start(&rig, &two_workers, &link, 1);
	rig_await_ready(&rig);
}

static struct pair login(int server)
{
	return pair_login(&rig, 0, gateway[server], SIM_SMPP);
}

static void end_pair(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

/* What the status says of a server. */
static json_t *status_of(int server)
{
	char *text = rig_ctl(&rig, "--json status", 0);
	json_t *all = json_loads(text, 0, NULL), *one;

	free(text);
	one = json_array_get(json_object_get(json_array_get(json_object_get(all, "links"), 0), "servers"),
		(size_t)server);
	assert_non_null(one);
	json_incref(one);
	json_decref(all);
	return one;
}

static void expect_status(int server, const char *state, int sessions, int failures_in_row)
{
	json_t *s = status_of(server);

	assert_string_equal(json_string_value(json_object_get(s, "state")), state);
	assert_int_equal(json_integer_value(json_object_get(s, "sessions")), sessions);
	assert_int_equal(json_integer_value(json_object_get(s, "failures_in_row")), failures_in_row);
	json_decref(s);
}

/* The preferred one goes, is down, and a probe finds it again: new sessions have it, those that are up stay where they are. */
static void preferred_returns(void **state)
{
	struct pair before, between, after;
	json_t *up;
	int probe;

	(void)state;
	begin("retry = \"10ms\"; retry_max = \"10ms\"; down_after = 2; probe_interval = \"100ms\";");
	before = login(0);
	expect_status(0, "up", 1, 0);
	peer_close(gateway[0]);
	end_pair(login(1));
	rig_await(&rig, 0, NULL, "ev=upstream state=failed failures=1 server=127.0.0.1:%d", port[0]);
	pause_ms(20);
	between = login(1);
	rig_await(&rig, 0, NULL, "ev=upstream state=down failures=2 server=127.0.0.1:%d", port[0]);
	pair_ping(before, SIM_SMPP);
	serve(0);
	up = rig_await(&rig, 0, NULL, "ev=upstream state=up server=127.0.0.1:%d", port[0]);
	assert_null(json_object_get(up, "sess"));
	assert_string_equal(json_string_value(json_object_get(up, "link")), "l1");
	probe = peer_accept(gateway[0]);
	peer_expect_end(probe); /* and not an octet */
	after = login(0);
	pair_ping(between, SIM_SMPP);
	pair_ping(before, SIM_SMPP);
	expect_status(0, "up", 2, 0);
	expect_status(1, "up", 1, 0);
	end_pair(before);
	end_pair(between);
	end_pair(after);
	rig_stop(&rig);
}

/* While it is down and another is not, nobody dials it, even if it listens; it is probed when that is due, not before. */
static void down_is_not_dialled(void **state)
{
	size_t told;

	(void)state;
	begin("retry = \"10ms\"; retry_max = \"10ms\"; down_after = 1; probe_interval = \"1h\";");
	peer_close(gateway[0]);
	end_pair(login(1));
	rig_await(&rig, 0, NULL, "ev=upstream state=down server=127.0.0.1:%d", port[0]);
	serve(0);
	pause_ms(20);
	for (int i = 0; i < 10; i++)
		end_pair(login(1));
	assert_false(peer_has_caller(gateway[0], 0));
	rig_await_count(&rig, 11, "ev=session_close");
	told = rig_count(&rig, "ev=upstream server=127.0.0.1:%d", port[0]);
	assert_int_equal(told, 1);
	expect_status(0, "down", 0, 1);
	/* The next engine knows, too. */
	rig_kill_engine(&rig);
	rig_await_ready(&rig);
	for (int i = 0; i < 3; i++)
		end_pair(login(1));
	assert_false(peer_has_caller(gateway[0], 0));
	expect_status(0, "down", 0, 1);
	rig_stop(&rig);
}

/* What one worker found out the other one knows, too. */
static void left_alone_by_all(void **state)
{
	struct pair p[6];

	(void)state;
	begin("retry = \"1h\"; retry_max = \"1h\";");
	peer_close(gateway[0]);
	for (int i = 0; i < 6; i++) /* they stay: each goes to the worker that has fewer */
		p[i] = login(1);
	for (int i = 0; i < 6; i++)
		end_pair(p[i]);
	rig_await_count(&rig, 6, "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=upstream state=failed server=127.0.0.1:%d", port[0]), 1);
	rig_stop(&rig);
}

/* All are down: a session tries them still, in their order, and the one that answers is up. */
static void all_down(void **state)
{
	uint8_t octets[SIM_PDU_MAX], answer[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	struct sim_pdu refusal;
	struct pair p;
	json_t *up;

	(void)state;
	begin("retry = \"10ms\"; retry_max = \"10ms\"; down_after = 1; probe_interval = \"1h\";");
	peer_close(gateway[0]);
	peer_close(gateway[1]);
	for (int i = 0; i < 3; i++) {
		int sp = peer_dial(rig.port[0]);

		peer_send(sp, octets, n);
		peer_read_pdu(sp, SIM_SMPP, answer, &refusal);
		assert_int_equal(refusal.what, SIM_LOGIN_RESP);
		assert_int_not_equal(refusal.status, 0);
		peer_close(sp);
		pause_ms(30);
	}
	for (int i = 0; i < SERVERS; i++) /* each was tried by each */
		rig_await(&rig, 0, NULL, "ev=upstream state=down failures=3 server=127.0.0.1:%d", port[i]);
	serve(1);
	p = login(1);
	up = rig_await(&rig, 0, NULL, "ev=upstream state=up server=127.0.0.1:%d", port[1]);
	assert_non_null(json_object_get(up, "sess"));
	rig_await(&rig, 0, NULL, "ev=upstream state=down failures=4 server=127.0.0.1:%d", port[0]);
	end_pair(p);
	rig_stop(&rig);
}

/* By sessions: they spread, and who leaves makes room. */
static void least(void **state)
{
	struct pair p[6], more[2];

	(void)state;
	begin("balance = \"least\";");
	for (int i = 0; i < 6; i++)
		p[i] = login(i % SERVERS);
	expect_status(0, "up", 3, 0);
	expect_status(1, "up", 3, 0);
	end_pair(p[1]);
	end_pair(p[3]);
	rig_await_count(&rig, 2, "ev=session_close");
	for (int i = 0; i < 2; i++)
		more[i] = login(1);
	end_pair(more[0]);
	end_pair(more[1]);
	for (int i = 0; i < 6; i++)
		if (i != 1 && i != 3)
			end_pair(p[i]);
	rig_stop(&rig);
}

/* Sessions that outlived their engine count for the server that they have, and what was known of servers is. */
static void after_a_crash(void **state)
{
	struct pair p[3], q;

	(void)state;
	begin("balance = \"least\";");
	for (int i = 0; i < 3; i++)
		p[i] = login(i % SERVERS);
	end_pair(p[1]);
	rig_await(&rig, 0, NULL, "ev=session_close");
	rig_kill_engine(&rig);
	rig_await_ready(&rig);
	pair_ping(p[0], SIM_SMPP);
	expect_status(0, "up", 2, 0);
	expect_status(1, "up", 0, 0);
	q = login(1);
	p[1] = login(1);
	end_pair(p[0]);
	end_pair(p[2]);
	rig_await_count(&rig, 3, "ev=session_close");
	expect_status(0, "up", 0, 0);
	end_pair(q);
	end_pair(p[1]);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(preferred_returns, rig_sweep),
		cmocka_unit_test_teardown(down_is_not_dialled, rig_sweep),
		cmocka_unit_test_teardown(left_alone_by_all, rig_sweep),
		cmocka_unit_test_teardown(all_down, rig_sweep),
		cmocka_unit_test_teardown(least, rig_sweep),
		cmocka_unit_test_teardown(after_a_crash, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
