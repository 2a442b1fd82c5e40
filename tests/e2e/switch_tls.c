#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch_rig.h"
#include "tls_peer.h"

/*
 * TLS sessions cannot move: they stay with the engine that they have, through a reload for as long as they like,
 * through an upgrade for drain_timeout. Rows C5, C8 and C9 of the fault list.
 */

enum { KIB = 1024, MIB = KIB * KIB };

static struct rig rig;
static struct pair plain, tls;
static int gateway, gateway_port;
static struct rig_link links[2];
static struct rig_options options;

static struct pair tls_login(void)
{
	return pair_login_over(tls_dial(rig.port[1], kit.sp, "smscope.test"), gateway, SIM_SMPP);
}

/* A plain link, l1, and one with TLS, l2; a session through each. */
static void begin(const char *daemon)
{
	static char keys[256];

	gateway = peer_listen(&gateway_port, 64);
	snprintf(keys, sizeof keys, "linger_timeout = \"2s\"; tls_certificate = \"%s\";",
		kit.server_file);
	for (int i = 0; i < 2; i++)
		links[i] = (struct rig_link){ .protocol = "smpp", .upstream = &gateway_port,
			.upstream_count = 1, .keys = i == 1 ? keys : "linger_timeout = \"2s\";" };
	options = (struct rig_options){ .daemon = daemon };
	rig_start(&rig, &options, links, 2);
	for (int i = 0; i < 2; i++)
		links[i].port = rig.port[i];
	rig_await_ready(&rig);
	plain = pair_login(&rig, 0, gateway, SIM_SMPP);
	tls = tls_login();
}

static void both(size_t octets)
{
	traffic(plain, SIM_SMPP, octets);
	traffic(tls, SIM_SMPP, octets);
}

static void signal_and_await(int number, const char *words, int older)
{
	size_t said = said_now(&rig);

	kill(rig.pid, number);
	both(200 * KIB);
	await_said(&rig, said, "%s", words);
	await_engine(&rig, older);
}

/* Another engine has the place, and the TLS session stays in the one before. */
static void reload(void)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	links[0].keys = strstr(links[0].keys, "show_text") ? "linger_timeout = \"2s\";" :
		"linger_timeout = \"2s\"; show_text = true;";
	rig_configure(&rig, &options, links, 2);
	signal_and_await(SIGHUP, "reload done", 1);
	await_said(&rig, said, "reload: link l1 show_text ");
	assert_int_not_equal(rig.engine, before);
}

/* Long after drain_timeout, through two reloads, with records, beside sessions of the newest engine. */
static void reloads(void **state)
{
	struct pair later;
	size_t said;

	(void)state;
	begin("drain_timeout = \"200ms\";");
	said = said_now(&rig);
	reload();
	await_said(&rig, said, "keeps 1 sessions until they end");
	submit(tls, SIM_SMPP, 501, 0, "501a");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=501");
	said = said_now(&rig);
	reload();
	assert_false(has_said(&rig, said, "keeps"));
	later = tls_login();
	for (int i = 0; i < 10; i++) {
		both(20 * KIB);
		traffic(later, SIM_SMPP, 20 * KIB);
		pause_ms(100);
	}
	submit(tls, SIM_SMPP, 502, 0, "502a");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=502");
	said = said_now(&rig);
	pair_close(tls);
	await_said(&rig, said, "the engine before has ended");
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=fin");
	await_engine(&rig, 0);
	traffic(plain, SIM_SMPP, 200 * KIB);
	traffic(later, SIM_SMPP, 200 * KIB);
	pair_close(plain);
	pair_close(later);
	rig_stop(&rig);
}

/* While an engine of before has a session no other program takes over; then one does. */
static void an_upgrade_has_to_wait(void **state)
{
	static const char why[] = "an engine of before still has sessions that cannot move";
	size_t said;

	(void)state;
	begin("drain_timeout = \"10s\";");
	reload();
	signal_and_await(SIGUSR2, why, 1);
	rig_await(&rig, 0, NULL, "ev=config what=program state=failed error~before");
	both(200 * KIB);
	said = said_now(&rig);
	pair_close(tls);
	await_said(&rig, said, "the engine before has ended");
	tls = tls_login();
	signal_and_await(SIGUSR2, "upgrade done", 1);
	both(20 * KIB);
	signal_and_await(SIGUSR2, why, 1);
	pair_close(tls);
	await_engine(&rig, 0);
	pair_close(plain);
	rig_stop(&rig);
}

/* How many of the octets are whole PDUs. */
static size_t whole(const uint8_t *p, size_t n)
{
	size_t at = 0;
	int len;

	while (n - at >= 4 && (len = sim_pdu_len(SIM_SMPP, p + at, n - at)) > 0 && (size_t)len <= n - at)
		at += (size_t)len;
	return at;
}

/* drain_timeout after an upgrade ends a busy TLS session behind a whole PDU. */
static void an_upgrade_ends_them(void **state)
{
	size_t n, sent = 0, got = 0;
	uint8_t *octets = stream_make(SIM_SMPP, 104, 48 * MIB, 3000, &n), *out = malloc(n);
	bool told = false;
	size_t said;

	(void)state;
	begin("drain_timeout = \"500ms\";");
	said = said_now(&rig);
	for (;;) {
		ssize_t r, s = send(tls.sp, octets + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += s > 0 ? (size_t)s : 0;
		r = got + 20000 < sent ? recv(tls.gw, out + got, 20000, 0) :
			recv(tls.gw, out + got, n - got, MSG_DONTWAIT);
		if (r == 0 || got == n)
			break;
		got += r > 0 ? (size_t)r : 0;
		if (!told && got > MIB / 2)
			told = kill(rig.pid, SIGUSR2) == 0;
		pause_ms(1);
	}
	assert_true(got < n);
	assert_memory_equal(out, octets, got);
	assert_int_equal(whole(out, got), got);
	free(octets);
	free(out);
	await_said(&rig, said, "upgrade done");
	pair_close(tls);
	await_engine(&rig, 0);
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=shutdown");
	traffic(plain, SIM_SMPP, 200 * KIB);
	pair_close(plain);
	rig_stop(&rig);
}

/* TERM: the sessions of both engines go on, until the time is over. The newest one waits for what it has to tell. */
static void term_ends_both(void **state)
{
	size_t said;

	(void)state;
	begin("drain_timeout = \"3s\";");
	reload();
	said = said_now(&rig);
	kill(rig.pid, SIGTERM);
	both(200 * KIB);
	pair_close(plain);
	rig_await(&rig, 0, NULL, "ev=session_close link=l1");
	pause_ms(500);
	traffic(tls, SIM_SMPP, 20 * KIB);
	submit(tls, SIM_SMPP, 504, 0, "504a");
	peer_expect_end(tls.sp);
	peer_expect_end(tls.gw);
	pair_close(tls);
	await_said(&rig, said, "the engine before has ended");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=504");
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=shutdown");
	rig_await_end(&rig);
}

/* The second TERM ends at once what would have had ten minutes. */
static void second_term(void **state)
{
	(void)state;
	begin("drain_timeout = \"10m\";");
	reload();
	kill(rig.pid, SIGTERM);
	both(200 * KIB);
	pause_ms(500);
	both(200 * KIB);
	kill(rig.pid, SIGTERM);
	rig_await(&rig, 0, NULL, "ev=session_close link=l1 how=shutdown");
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=shutdown");
	rig_await_end(&rig);
}

/* An engine of before that dies takes its session with it, and nothing else. */
static void it_dies(void **state)
{
	pid_t before;

	(void)state;
	begin("drain_timeout = \"2s\";");
	before = rig.engine;
	reload();
	kill(before, SIGKILL);
	assert_true(peer_ended(tls.sp, WAIT_MS));
	assert_true(peer_ended(tls.gw, WAIT_MS));
	pair_close(tls);
	await_engine(&rig, 0);
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=engine_died");
	traffic(plain, SIM_SMPP, 200 * KIB);
	tls = tls_login();
	both(200 * KIB);
	pair_close(tls);
	pair_close(plain);
	rig_stop(&rig);
}

/* … as the newest one does; the one before goes on, and its records too. */
static void the_newest_dies(void **state)
{
	(void)state;
	begin("drain_timeout = \"2s\";");
	reload();
	kill(rig.engine, SIGKILL);
	both(200 * KIB);
	await_engine(&rig, 1);
	both(200 * KIB);
	submit(tls, SIM_SMPP, 503, 0, "503a");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=503");
	pair_close(tls);
	await_engine(&rig, 0);
	pair_close(plain);
	rig_stop(&rig);
}

/* Without their keeper both end within drain_timeout. */
static void the_keeper_dies(void **state)
{
	pid_t engines[4];
	int count, status;

	(void)state;
	begin("drain_timeout = \"1s\";");
	reload();
	count = rig_children(&rig, engines, 4);
	assert_int_equal(count, 2);
	kill(rig.pid, SIGKILL);
	assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
	both(20 * KIB);
	assert_true(peer_ended(tls.sp, WAIT_MS));
	assert_true(peer_ended(plain.sp, WAIT_MS));
	pair_close(tls);
	pair_close(plain);
	for (int i = 0; i < count; i++) {
		pid_t ended = 0;

		for (int k = 0; k < 1000 && ended == 0; k++, pause_ms(10))
			ended = waitpid(engines[i], &status, WNOHANG);
		if (ended != engines[i])
			kill(engines[i], SIGKILL);
		assert_int_equal(ended, engines[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	rig_over(&rig);
}

/* With these keys of the first link; so many engines are left behind the newest one. */
static void reload_with(const char *keys, int older)
{
	size_t said = said_now(&rig);

	links[0].keys = keys;
	rig_configure(&rig, &options, links, 2);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload done");
	await_engine(&rig, older);
}

/* An SP that has said nothing yet logs in; the gateway has TLS or not. */
static struct pair log_in_late(int sp, bool with_tls)
{
	struct sim_pdu login = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("01234567") };
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 1, .user = sim_text("gateway") };
	struct pair p = { sp, -1 };
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu got;

	peer_send_pdu(sp, SIM_SMPP, &login);
	p.gw = with_tls ? tls_answer(gateway, kit.gw) : peer_accept(gateway);
	peer_read_pdu(p.gw, SIM_SMPP, octets, &got);
	assert_int_equal(got.what, SIM_LOGIN);
	peer_send_pdu(p.gw, SIM_SMPP, &answer);
	peer_read_pdu(sp, SIM_SMPP, octets, &got);
	assert_int_equal(got.status, 0);
	return p;
}

/*
 * A reload that brings TLS finds connections without a login. What becomes of them is what counts at the next one: TLS
 * with the gateway stays, plain octets on both sides move on.
 */
static void becomes_tls(void **state)
{
	static char sp_keys[256];
	struct pair late;
	size_t said;
	int sp[2];

	(void)state;
	begin("drain_timeout = \"2s\";");
	pair_close(tls);
	sp[0] = peer_dial(rig.port[0]);
	rig_await(&rig, 0, NULL, "ev=session_open link=l1 sess=3");
	reload_with("linger_timeout = \"2s\"; upstream_tls = true; upstream_tls_verify = false;", 0);
	late = log_in_late(sp[0], true);
	traffic(late, SIM_SMPP, 20 * KIB);
	said = said_now(&rig);
	sp[1] = peer_dial(rig.port[0]);
	rig_await(&rig, 0, NULL, "ev=session_open link=l1 sess=4");
	reload_with("linger_timeout = \"2s\"; max_per_ip = 44;", 1);
	await_said(&rig, said, "keeps 2 sessions until they end");
	traffic(late, SIM_SMPP, 200 * KIB);
	traffic(plain, SIM_SMPP, 200 * KIB);
	pair_close(late);
	rig_await(&rig, 0, NULL, "ev=session_close link=l1 sess=3 how=fin");
	peer_close(sp[1]);
	await_engine(&rig, 0);
	/* The same with TLS at the SP's side: it has begun without, and so it goes on. */
	sp[0] = peer_dial(rig.port[0]);
	rig_await(&rig, 0, NULL, "ev=session_open link=l1 sess=5");
	snprintf(sp_keys, sizeof sp_keys, "linger_timeout = \"2s\"; tls_certificate = \"%s\";", kit.server_file);
	reload_with(sp_keys, 0);
	late = log_in_late(sp[0], false);
	reload_with("linger_timeout = \"2s\"; max_per_ip = 45;", 0);
	traffic(late, SIM_SMPP, 200 * KIB);
	pair_close(late);
	pair_close(plain);
	assert_int_equal(rig_count(&rig, "ev=session_close how=engine_died"), 0);
	rig_stop(&rig);
}

static int sweep(void **state)
{
	int code = side_sweep(state);

	tls_sweep();
	return code;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reloads, sweep),
		cmocka_unit_test_teardown(an_upgrade_has_to_wait, sweep),
		cmocka_unit_test_teardown(an_upgrade_ends_them, sweep),
		cmocka_unit_test_teardown(term_ends_both, sweep),
		cmocka_unit_test_teardown(second_term, sweep),
		cmocka_unit_test_teardown(it_dies, sweep),
		cmocka_unit_test_teardown(the_newest_dies, sweep),
		cmocka_unit_test_teardown(the_keeper_dies, sweep),
		cmocka_unit_test_teardown(becomes_tls, sweep),
	};

	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
