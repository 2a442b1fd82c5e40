#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * USR2 puts another program in the engine's place, and engines that die put one there that only relays. Rows C6
 * and C7 of the fault list, and what C10 says of deaths in a row.
 */

enum { SESSIONS = 12, KIB = 1024 };

static struct rig rig;
static struct pair session;
static int gateway, gateway_port;
static char codes[256];

static void begin(void)
{
	struct rig_link link = { .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1 };
	struct rig_options o = { .own_program = true, .control = true, .daemon = codes };

	snprintf(codes, sizeof codes, "workers = 2; drain_timeout = \"2s\"; codes = \"" SOURCE_DIR "/codes\";");
	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &o, &link, 1);
	rig_await_ready(&rig);
	session = pair_login(&rig, 0, gateway, SIM_SMPP);
}

static void end(void)
{
	char stub[128];

	peer_close(session.sp);
	peer_close(session.gw);
	snprintf(stub, sizeof stub, "%s/stub", rig.dir);
	unlink(stub);
	rig_stop(&rig);
}

static void upgrade(void)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	kill(rig.pid, SIGUSR2);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "upgrade done");
	await_engine(&rig, 0);
	assert_int_not_equal(rig.engine, before);
}

/* Each counter of `was` is there in `is`, and not less. */
static void expect_counters_grow(const char *was, const char *is)
{
	char *text = strdup(was), *rest = text;
	int seen = 0;

	for (char *line; (line = strsep(&rest, "\n"));) {
		char *value = strrchr(line, ' '), *name = strpbrk(line, "{ "), key[600];
		const char *now;
		size_t n;

		if (*line == '#' || !value || name - line < 6 || strncmp(name - 6, "_total", 6) != 0)
			continue;
		n = (size_t)snprintf(key, sizeof key, "\n%.*s ", (int)(value - line), line);
		now = strstr(is, key);
		if (!now)
			fail_msg("%s is gone", key + 1);
		if (atof(now + n) < atof(value))
			fail_msg("%s went back from %.0f to %.0f", key + 1, atof(value), atof(now + n));
		seen++;
	}
	assert_true(seen > 20);
	free(text);
}

/* The report of a message whose submit the first engine saw. */
/* All that was relayed is decoded: with sanitizers, beside others, that takes its time. */
static void await_decoded(void)
{
	bool waits = true;

	for (int i = 0; waits && i < 600; i++, pause_ms(100)) {
		char *metrics = rig_ctl(&rig, "metrics", 0);

		waits = false;
		for (const char *at = metrics; (at = strstr(at, "\nsmscope_ring_used_bytes{")) != NULL; at++)
			waits = waits || strncmp(strchr(at, '}'), "} 0\n", 4) != 0;
		free(metrics);
	}
	assert_false(waits);
}

static void expect_report_of(json_t *submit_resp, const char *msgid)
{
	struct sim_pdu report = { .what = SIM_DELIVER, .seq = 77, .registered = true,
		.src = sim_text("13812345678"), .dst = sim_text("10690001"),
		.msgid = sim_text(msgid), .stat = sim_text("DELIVRD"), .err = sim_text("000"),
		.submit_time = sim_text("2611301200"), .done_time = sim_text("2611301201") };
	uint8_t octets[SIM_PDU_MAX];
	json_t *r;

	peer_send_pdu(session.gw, SIM_SMPP, &report);
	peer_read_pdu(session.sp, SIM_SMPP, octets, NULL);
	r = rig_await(&rig, 0, NULL, "ev=report msgid=%s", msgid);
	assert_true(json_is_integer(json_object_get(submit_resp, "story")));
	assert_int_equal(json_integer_value(json_object_get(r, "story")),
		json_integer_value(json_object_get(submit_resp, "story")));
}

/* Many sessions under load, callers all the time, and three upgrades. */
static void under_load(void **state)
{
	struct flow flows[2 * SESSIONS];
	struct pair all[SESSIONS];
	static struct dialing d = { .count = 1 };
	static struct side_job callers = { .turn = dial_turn, .arg = &d };
	size_t n;
	uint8_t *octets = stream_make(SIM_SMPP, 9, 120 * KIB, 4000, &n);
	char *was, *is;
	pid_t keeper;
	json_t *r;

	(void)state;
	begin();
	keeper = rig.pid;
	submit(session, SIM_SMPP, 4000, 0, "4711abc");
	r = rig_await(&rig, 0, NULL, "ev=submit_resp msgid=4711abc");
	for (int i = 0; i < SESSIONS; i++)
		all[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	d.port[0] = rig.port[0];
	side_begin(&callers);
	for (int round = 0; round < 3; round++) {
		size_t said = said_now(&rig);

		was = rig_ctl(&rig, "metrics", 0);
		kill(rig.pid, SIGUSR2);
		do {
			for (int i = 0; i < SESSIONS; i++)
				for (int way = 0; way < 2; way++)
					flows[2 * i + way] = (struct flow){
						.from = way ? all[i].gw : all[i].sp,
						.to = way ? all[i].sp : all[i].gw, .p = octets,
						.n = n, .piece_max = 3000 };
			flows_run(flows, 2 * SESSIONS, 5 + (uint32_t)round);
		} while (!has_said(&rig, said, "upgrade done"));
		await_engine(&rig, 0);
		is = rig_ctl(&rig, "metrics", 0);
		expect_counters_grow(was, is);
		free(was);
		free(is);
	}
	side_end(&callers);
	free(octets);
	assert_true(d.dialed > 100);
	assert_int_equal(d.refused, 0);
	assert_int_equal(rig.pid, keeper);
	await_decoded();
	expect_report_of(r, "4711abc");
	assert_int_equal(rig_count(&rig, "ev=config what=program state=ok"), 3);
	assert_int_equal(rig_count(&rig, "ev=session_close how=engine_died"), 0);
	for (int i = 0; i < SESSIONS; i++) {
		peer_close(all[i].sp);
		peer_close(all[i].gw);
	}
	end();
}

static void stub(const char *prove, const char *engine)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/stub", rig.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s %s\n", prove, engine);
	assert_int_equal(fclose(f), 0);
	rig_install(&rig, BUILD_DIR "/tests/switch_stub", 0755);
}

/* What is said of the upgrade, everywhere; sessions have gone on meanwhile, and do so. */
static void expect_failed(size_t said, const char *why)
{
	char word[160];

	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "upgrade failed, nothing is changed: ");
	await_said(&rig, said, "%s", why);
	await_engine(&rig, 0);
	snprintf(word, sizeof word, "%s", why);
	word[strcspn(word, " ")] = '\0';
	/* Changes are told in their order: with the last failed one all before it are. */
	rig_await_count(&rig, (size_t)count_said(&rig, 0, "upgrade failed, nothing is changed: "),
		"ev=config what=program state=failed");
	rig_await(&rig, 0, NULL, "ev=config what=program state=failed error~%s", word);
	assert_int_equal(rig_count(&rig, "ev=config what=program state=ok"),
		count_said(&rig, 0, "upgrade done"));
	traffic(session, SIM_SMPP, 200 * KIB);
	serve_one(&rig, 0, gateway, SIM_SMPP);
}

static void expect_refused(const char *why)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	kill(rig.pid, SIGUSR2);
	expect_failed(said, why);
	assert_int_equal(rig.engine, before);
}

/* The checker finds it; the engine notices nothing. */
static void programs_that_are_refused(void **state)
{
	char path[128];

	(void)state;
	begin();
	snprintf(path, sizeof path, "%s/smscoped", rig.dir);
	assert_int_equal(unlink(path), 0);
	strcat(path, ": No such file or directory");
	expect_refused(path);
	rig_install(&rig, BUILD_DIR "/smscoped", 0644);
	expect_refused("cannot be run: Permission denied");
	rig_install(&rig, SOURCE_DIR "/conf/smscope.conf", 0755);
	expect_refused("cannot be run: Exec format error");
	stub("fails", "works");
	expect_refused("smscope.conf:1: error: this version knows no links");
	stub("crashes", "works");
	expect_refused("the check ended by signal 6");
	rig_install(&rig, BUILD_DIR "/smscoped", 0755);
	upgrade();
	end();
}

/* The engine had given up its place: another one of its kind has it then. */
static void expect_taken_back(const char *engine)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	stub("works", engine);
	kill(rig.pid, SIGUSR2);
	expect_failed(said, "the new engine died");
	assert_true(has_said(&rig, said, "engine died pid="));
	assert_int_not_equal(rig.engine, before);
}

static void programs_that_die(void **state)
{
	size_t said;

	(void)state;
	begin();
	expect_taken_back("crashes");
	expect_taken_back("fails");
	/* A program that begins well, and dies right then. */
	rig_install(&rig, BUILD_DIR "/smscoped", 0755);
	upgrade();
	said = said_now(&rig);
	kill(rig.engine, SIGKILL);
	expect_failed(said, "the new engine died");
	upgrade();
	end();
}

static void await_children(int count)
{
	pid_t children[4];
	int have = 0;

	for (int i = 0; i < 500 && (have = rig_children(&rig, children, 4)) != count; i++)
		pause_ms(10);
	assert_int_equal(have, count);
}

/* What else is asked for waits until then; an end does not. */
static void a_check_that_hangs(void **state)
{
	pid_t children[4], checker;
	size_t said;

	(void)state;
	begin();
	said = said_now(&rig);
	stub("hangs", "works");
	kill(rig.pid, SIGUSR2);
	await_said(&rig, said, "USR2: checking");
	kill(rig.pid, SIGHUP);
	kill(rig.pid, SIGUSR1);
	traffic(session, SIM_SMPP, 1000 * KIB);
	serve_one(&rig, 0, gateway, SIM_SMPP);
	assert_false(has_said(&rig, said, "HUP: checking"));
	assert_int_equal(rig_children(&rig, children, 4), 2);
	checker = children[0] == rig.engine ? children[1] : children[0];
	kill(checker, SIGKILL);
	expect_failed(said, "the check ended by signal 9");
	await_said(&rig, said, "the configuration is the same");
	rig_await(&rig, 0, NULL, "ev=config what=codes");
	said = said_now(&rig);
	kill(rig.pid, SIGUSR2);
	await_said(&rig, said, "USR2: checking");
	await_children(2);
	end();
}

/* Long: the time that a check may take, and that an engine may stand still. */
static void what_hangs_is_ended(void **state)
{
	size_t said;

	(void)state;
	if (!getenv("SMSCOPE_TEST_LONG"))
		skip();
	begin();
	stub("hangs", "works");
	said = said_now(&rig);
	kill(rig.pid, SIGUSR2);
	await_said(&rig, said, "USR2: checking");
	for (int i = 0; i < 65 && !has_said(&rig, said, "failed"); i++) {
		traffic(session, SIM_SMPP, 20 * KIB);
		pause_ms(1000);
	}
	expect_failed(said, "the check takes too long");
	stub("works", "hangs");
	said = said_now(&rig);
	kill(rig.pid, SIGUSR2);
	await_said(&rig, said, "stands still");
	expect_failed(said, "the new engine died");
	end();
}

/* Both ways, a PDU and octets that are none. */
static void expect_octets(struct pair p)
{
	(void)pair_ping(p, SIM_SMPP);
	p = (struct pair){ p.gw, p.sp };
	(void)pair_ping(p, SIM_SMPP);
}

/* Engines that die without having relayed anything: the sixth one looks at nothing, until HUP. */
static void blind_in_the_end(void **state)
{
	size_t said;
	struct pair late;
	char *status;

	(void)state;
	begin();
	submit(session, SIM_SMPP, 100, 0, "100a");
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=100");
	rig_kill_engine(&rig); /* that one had relayed a PDU */
	said = said_now(&rig);
	for (int i = 0; i < 5; i++) {
		assert_false(has_said(&rig, said, "blind"));
		rig_kill_engine(&rig);
	}
	await_said(&rig, said, "5 engines died without relaying a PDU: from now on PDUs are relayed blind");
	await_said(&rig, said, "relaying blind: PDUs are not looked at, nothing is logged or rewritten");
	await_engine(&rig, 0);
	expect_octets(session);
	traffic(session, SIM_SMPP, 200 * KIB);
	status = rig_ctl(&rig, "status --json", 0);
	assert_non_null(strstr(status, "\"blind\":true,\"older\":0}"));
	free(status);
	late = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(late, SIM_SMPP, 200, 0, "200a");
	traffic(late, SIM_SMPP, 200 * KIB);
	kill(rig.pid, SIGUSR1);
	said = said_now(&rig);
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "reload done");
	await_engine(&rig, 0);
	traffic(session, SIM_SMPP, 200 * KIB);
	traffic(late, SIM_SMPP, 200 * KIB);
	peer_close(late.sp);
	peer_close(late.gw);
	late = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(late, SIM_SMPP, 300, 0, "300a");
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=300");
	assert_int_equal(rig_count(&rig, "ev=submit_resp seq=200"), 0);
	peer_close(late.sp);
	peer_close(late.gw);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(under_load, side_sweep),
		cmocka_unit_test_teardown(programs_that_are_refused, rig_sweep),
		cmocka_unit_test_teardown(programs_that_die, rig_sweep),
		cmocka_unit_test_teardown(a_check_that_hangs, rig_sweep),
		cmocka_unit_test_teardown(blind_in_the_end, rig_sweep),
		cmocka_unit_test_teardown(what_hangs_is_ended, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
