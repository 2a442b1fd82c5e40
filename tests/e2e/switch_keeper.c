#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * Ten good seconds after an upgrade the keeper, too, is the new program: the same process, with all that it held.
 * And what it does about engines of before.
 */

enum { KIB = 1024 };

static struct rig rig;
static struct pair session;
static int gateway, gateway_port;
static struct rig_link links[3];
static struct rig_options options = { .own_program = true, .control = true,
	.daemon = "workers = 2; drain_timeout = \"2s\"; codes = \"" SOURCE_DIR "/codes\";" };

static void begin(int count)
{
	session = links_begin(&rig, &options, links, count, &gateway, &gateway_port);
}

static void end(void)
{
	traffic(session, SIM_SMPP, 200 * KIB);
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
}

/* Is the keeper the program that lies there now? */
static bool keeper_is_installed(void)
{
	char path[128];
	struct stat file, runs;

	snprintf(path, sizeof path, "%s/smscoped", rig.dir);
	assert_int_equal(stat(path, &file), 0);
	snprintf(path, sizeof path, "/proc/%d/exe", (int)rig.pid);
	assert_int_equal(stat(path, &runs), 0);
	return file.st_dev == runs.st_dev && file.st_ino == runs.st_ino;
}

static size_t upgrade(void)
{
	size_t said = said_now(&rig);

	rig_install(&rig, BUILD_DIR "/smscoped", 0755);
	assert_false(keeper_is_installed());
	kill(rig.pid, SIGUSR2);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "upgrade done");
	return said;
}

static void await_move(size_t said)
{
	for (int i = 0; i < 100 && !has_said(&rig, said, "the keeper is the new program"); i++) {
		traffic(session, SIM_SMPP, 20 * KIB);
		pause_ms(200);
	}
	await_said(&rig, said, "the keeper is the new program engine=%d", (int)rig.engine);
	assert_false(has_said(&rig, said, "the keeper stays"));
	assert_true(keeper_is_installed());
}

/* What a keeper is there for. */
static void expect_keeper_works(void)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	rig_kill_engine(&rig);
	assert_int_not_equal(rig.engine, before);
	traffic(session, SIM_SMPP, 200 * KIB);
	serve_one(&rig, 0, gateway, SIM_SMPP);
	kill(rig.pid, SIGUSR1);
	await_said(&rig, said, "log files are reopened");
	said = said_now(&rig);
	links[0].keys = links[0].keys ? NULL : "show_text = true;";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload: link l1 show_text %s", links[0].keys ? "false -> true" : "true -> false");
	await_said(&rig, said, "reload done");
	traffic(session, SIM_SMPP, 200 * KIB);
}

static void expect_ctl(const char *verb, const char *words)
{
	char *all = rig_ctl(&rig, verb, 0);

	if (!strstr(all, words))
		fail_msg("%s: no %s in %.600s", verb, words, all);
	free(all);
}

static bool ctl_says(const char *verb, const char *words)
{
	char *all = rig_ctl(&rig, verb, 0);
	bool says = strstr(all, words) != NULL;

	free(all);
	return says;
}

static int descriptors(void)
{
	int was = -1, now = rig_keeper_fds(&rig);

	/* Those of sessions that ended go a little later. */
	for (int i = 0; i < 20 && now != was; i++, now = rig_keeper_fds(&rig)) {
		was = now;
		pause_ms(400);
	}
	return now;
}

/* Twice: the second one has what was left to the first. */
static void becomes_the_program(void **state)
{
	size_t said;
	pid_t keeper;
	int fds;

	(void)state;
	begin(1);
	keeper = rig.pid;
	fds = descriptors();
	for (int round = 0; round < 2; round++) {
		said = upgrade();
		await_engine(&rig, 0);
		expect_ctl("status --json", "\"what\":\"upgrade\",\"failed\":false,");
		await_move(said);
		assert_int_equal(rig.pid, keeper);
		expect_keeper_works();
		await_engine(&rig, 0);
		assert_in_range(descriptors(), 1, fds);
	}
	rig_await_count(&rig, 2, "ev=config what=program state=ok");
	end();
}

/* A reload that leaves an engine of before with a session whose link is gone. */
static struct pair leave_older(void)
{
	struct pair gone = pair_login(&rig, 1, gateway, SIM_SMPP);
	size_t said = said_now(&rig);

	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "keeps 1 sessions until they end");
	await_said(&rig, said, "reload done");
	await_engine(&rig, 1);
	return gone;
}

static void with_an_older_engine(void **state)
{
	struct pair gone;
	size_t said;
	pid_t newest;

	(void)state;
	begin(2);
	said = upgrade();
	await_engine(&rig, 0);
	gone = leave_older();
	await_move(said);
	expect_ctl("status --json", "\"blind\":false,\"older\":1}");
	expect_ctl("status --json", "\"what\":\"reload\",\"failed\":false,");
	expect_ctl("status --json", "\"text\":\"link l2 removed\"");
	traffic(gone, SIM_SMPP, 200 * KIB);
	newest = rig.engine;
	kill(newest, SIGKILL);
	traffic(gone, SIM_SMPP, 200 * KIB);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_engine(&rig, 1);
	assert_int_not_equal(rig.engine, newest);
	peer_close(gone.sp);
	peer_expect_end(gone.gw);
	peer_close(gone.gw);
	await_said(&rig, said, "the engine before has ended");
	await_engine(&rig, 0);
	rig_await(&rig, 0, NULL, "ev=session_close link=l2");
	end();
}

/* Nobody waits for it for ever; the newest one has nothing to do with that. */
static void an_older_engine_stands_still(void **state)
{
	struct pair gone;
	size_t said;
	pid_t older, newest;

	(void)state;
	begin(2);
	older = rig.engine;
	expect_ctl("status --json", "\"change\":null");
	gone = leave_older();
	newest = rig.engine;
	said = said_now(&rig);
	kill(older, SIGSTOP);
	for (int i = 0; i < 100 && !has_said(&rig, said, "stands still"); i++) {
		traffic(session, SIM_SMPP, 20 * KIB);
		pause_ms(250);
	}
	await_said(&rig, said, "engine of before pid=%d stands still", (int)older);
	peer_expect_end(gone.sp);
	peer_expect_end(gone.gw);
	peer_close(gone.sp);
	peer_close(gone.gw);
	await_engine(&rig, 0);
	assert_int_equal(rig.engine, newest);
	rig_await(&rig, 0, NULL, "ev=session_close link=l2 how=engine_died");
	end();
}

/* A keeper that has no descriptor left: the session is counted, stays with its engine, and ends with it. */
static void no_descriptor_left(void **state)
{
	struct rlimit was, none;
	struct pair unkept;
	pid_t older;
	size_t said;

	(void)state;
	begin(1);
	rig_kill_engine(&rig);
	traffic(session, SIM_SMPP, 20 * KIB); /* so the keeper has it */
	said = said_now(&rig);
	assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, NULL, &was), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = was.rlim_max };
	assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &none, NULL), 0);
	unkept = pair_login(&rig, 0, gateway, SIM_SMPP);
	traffic(unkept, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "no descriptor left to keep a session's socket");
	for (int i = 0; i < 100 && !ctl_says("metrics", "\nsmscope_sessions_unkept_total 2\n"); i++)
		pause_ms(10);
	expect_ctl("metrics", "\nsmscope_sessions_unkept_total 2\n");
	assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &was, NULL), 0);
	/* A reload leaves it where it is. */
	older = rig.engine;
	links[0].keys = "show_text = true;";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "keeps 1 sessions until they end");
	await_said(&rig, said, "reload done");
	await_engine(&rig, 1);
	traffic(unkept, SIM_SMPP, 200 * KIB);
	traffic(session, SIM_SMPP, 200 * KIB);
	kill(older, SIGKILL);
	peer_expect_end(unkept.sp);
	peer_expect_end(unkept.gw);
	peer_close(unkept.sp);
	peer_close(unkept.gw);
	rig_await(&rig, 0, NULL, "ev=session_close how=engine_died");
	end();
}

static int alive(const struct pair *p, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n += !peer_ended(p[i].sp, 20);
	return n;
}

/*
 * Sessions of two engines have more sockets than the keeper may hold, though each engine has descriptors enough. What
 * it has no room for ends with its engine; the rest goes on, and somebody is there for who comes next.
 */
static void more_sockets_than_descriptors(void **state)
{
	enum { MANY = 30, LIMIT = 130 };
	struct pair before[MANY], now[MANY];
	int left;

	(void)state;
	options.nofile = LIMIT;
	begin(2);
	for (int i = 0; i < MANY; i++)
		before[i] = pair_login(&rig, 1, gateway, SIM_SMPP);
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, 0, "keeps %d sessions until they end", MANY);
	await_said(&rig, 0, "reload done");
	await_engine(&rig, 1);
	for (int i = 0; i < MANY; i++)
		now[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	await_said(&rig, 0, "no descriptor left to keep a session's socket");
	assert_in_range(rig_keeper_fds(&rig), LIMIT - 40, LIMIT - 28);
	kill(rig.engine, SIGKILL);
	await_said(&rig, 0, "engine died pid=%d", (int)rig.engine);
	await_engine(&rig, 1);
	assert_int_equal(alive(before, MANY), MANY);
	rig_await(&rig, 0, NULL, "ev=session_close how=engine_died");
	left = alive(now, MANY);
	assert_in_range(left, 1, MANY - 1);
	serve_one(&rig, 0, gateway, SIM_SMPP);
	for (int i = 0; i < MANY; i++) {
		peer_close(before[i].sp);
		peer_close(before[i].gw);
		peer_close(now[i].sp);
		peer_close(now[i].gw);
	}
	await_engine(&rig, 0);
	end();
	options.nofile = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(becomes_the_program, rig_sweep),
		cmocka_unit_test_teardown(with_an_older_engine, rig_sweep),
		cmocka_unit_test_teardown(an_older_engine_stands_still, rig_sweep),
		cmocka_unit_test_teardown(no_descriptor_left, rig_sweep),
		cmocka_unit_test_teardown(more_sockets_than_descriptors, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
