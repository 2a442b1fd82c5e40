#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch_rig.h"

/* Deaths, signals and shortages at the moments when engines, or the keeper, change over. */

enum { KIB = 1024, MANY = 40 };

static struct rig rig;
static struct pair session;
static int gateway, gateway_port;
static struct rig_link links[3];
/* One worker: its engines' sessions lie side by side. */
static struct rig_options options = { .own_program = true, .control = true,
	.daemon = "workers = 1; drain_timeout = \"2s\"; codes = \"" SOURCE_DIR "/codes\";" };

static void begin(int count)
{
	session = links_begin(&rig, &options, links, count, &gateway, &gateway_port);
}

static void end_pair(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

static void end(void)
{
	traffic(session, SIM_SMPP, 100 * KIB);
	end_pair(session);
	rig_stop(&rig);
}

/* The last link goes, a session of it stays with the engine that has it. */
static struct pair leave_older(int count, int older)
{
	struct pair gone = pair_login(&rig, count, gateway, SIM_SMPP);
	size_t said = said_now(&rig);

	rig_configure(&rig, &options, links, count);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "keeps 1 sessions until they end");
	await_said(&rig, said, "reload done");
	await_engine(&rig, older);
	return gone;
}

/* A child of the keeper that is none of those; it is stopped before it can do anything. */
static pid_t stop_next(const pid_t *known, int count)
{
	pid_t children[8];

	for (uint64_t until = now_us() + WAIT_MS * 1000u; now_us() < until;) {
		int have = rig_children(&rig, children, 8);

		for (int i = 0; i < have; i++) {
			bool new = true;

			for (int k = 0; k < count; k++)
				new = new && children[i] != known[k];
			if (new && kill(children[i], SIGSTOP) == 0)
				return children[i];
		}
	}
	fail_msg("no next engine");
	return 0;
}

/* While nobody has the newest one's sessions, those that have none of them do not take them. */
static void older_ones_leave_them_alone(void **state)
{
	struct pair gone[2];
	pid_t children[8], next;
	int count;

	(void)state;
	begin(3);
	gone[0] = leave_older(2, 1);
	gone[1] = leave_older(1, 2);
	traffic(session, SIM_SMPP, 20 * KIB);
	count = rig_children(&rig, children, 8);
	kill(rig.engine, SIGKILL);
	next = stop_next(children, count);
	for (int i = 0; i < 10; i++) {
		traffic(gone[0], SIM_SMPP, 10 * KIB);
		traffic(gone[1], SIM_SMPP, 10 * KIB);
		pause_ms(50);
	}
	kill(next, SIGCONT);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_engine(&rig, 2);
	end_pair(gone[0]);
	end_pair(gone[1]);
	await_engine(&rig, 0);
	assert_int_equal(rig_count(&rig, "ev=session_close how=engine_died"), 0);
	end();
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", rig.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", rig.dir, name);
	assert_int_equal(unlink(path), 0);
}

static size_t upgrade(void)
{
	size_t said = said_now(&rig);

	kill(rig.pid, SIGUSR2);
	traffic(session, SIM_SMPP, 100 * KIB);
	await_said(&rig, said, "upgrade done");
	await_engine(&rig, 0);
	return said;
}

/* Its death is told to nobody: between two programs the keeper has no ear for signals. */
static void it_dies_while_the_keeper_moves(void **state)
{
	char pid[16];
	size_t said;
	pid_t died;

	(void)state;
	begin(1);
	put_file("stub", "unseen unseen");
	rig_install(&rig, BUILD_DIR "/tests/switch_stub", 0755);
	said = upgrade();
	died = rig.engine;
	snprintf(pid, sizeof pid, "%d", (int)died);
	put_file("engine", pid);
	for (int i = 0; i < 60 && !has_said(&rig, said, "the keeper becomes"); i++)
		pause_ms(250);
	await_said(&rig, said, "the keeper is the new program");
	await_said(&rig, said, "engine died pid=%d", (int)died);
	await_engine(&rig, 0);
	remove_file("stub");
	remove_file("engine");
	end();
}

/* A descriptor for each socket, here and there, the 32 that the keeper spares, and hardly one more. */
static void hardly_a_descriptor(void **state)
{
	struct pair many[MANY];
	struct rlimit was, few;
	int fds;

	(void)state;
	begin(1);
	fds = rig_keeper_fds(&rig) + 2 * MANY;
	for (int i = 0; i < MANY; i++)
		many[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	for (int i = 0; i < WAIT_MS / 10 && rig_keeper_fds(&rig) < fds; i++)
		pause_ms(10);
	assert_in_range(rig_keeper_fds(&rig), fds, fds + 2);
	assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, NULL, &was), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)rig_keeper_fds(&rig) + 32 + 50, .rlim_max = was.rlim_max };
	assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &few, NULL), 0);
	for (int round = 0; round < 2; round++) {
		rig_kill_engine(&rig);
		for (int i = 0; i < MANY; i++)
			traffic(many[i], SIM_SMPP, 8 * KIB);
		/* Gaps among the numbers, which nobody's socket may fill but its own. */
		for (int i = round; i < MANY; i += 3) {
			end_pair(many[i]);
			many[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
		}
	}
	rig_await_ready(&rig);
	assert_int_equal(rig_count(&rig, "ev=session_close how=engine_died"), 0);
	for (int i = 0; i < MANY; i++)
		end_pair(many[i]);
	end();
}

static void await_closed(int port)
{
	for (uint64_t end = now_us() + 1000000; port_open(port); pause_ms(5))
		assert_true(now_us() < end);
}

/* TERM while the engine is giving up its place: the next one hears of it, and ends what it got. */
static void term_while_it_yields(void **state)
{
	size_t said;
	pid_t before;

	(void)state;
	begin(1);
	before = rig.engine;
	said = said_now(&rig);
	links[0].keys = "show_text = true;";
	rig_configure(&rig, &options, links, 1);
	kill(before, SIGSTOP);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload: link l1 show_text");
	pause_ms(100);
	kill(rig.pid, SIGTERM);
	await_said(&rig, said, "ending signal=TERM");
	kill(before, SIGCONT);
	await_said(&rig, said, "engine started");
	traffic(session, SIM_SMPP, 20 * KIB);
	await_closed(rig.port[0]);
	peer_expect_end(session.sp);
	peer_expect_end(session.gw);
	end_pair(session);
	rig_await(&rig, 0, NULL, "ev=session_close how=shutdown");
	rig_await_end(&rig);
}

/* Ports are closed as soon as it is told, while a session has all its time; who waited to be let in is not left waiting. */
static void term_closes_the_ports(void **state)
{
	char *text;
	size_t said;

	(void)state;
	begin(2);
	said = said_now(&rig);
	kill(rig.pid, SIGTERM);
	await_said(&rig, said, "ending signal=TERM");
	for (int i = 0; i < 2; i++)
		await_closed(rig.port[i]);
	traffic(session, SIM_SMPP, 20 * KIB);
	text = rig_ctl(&rig, "status", 0);
	assert_non_null(strstr(text, "\nENDING: "));
	free(text);
	text = rig_ctl(&rig, "--json status", 0);
	assert_non_null(strstr(text, "\"ending\":true"));
	free(text);
	/* Nobody takes its place. */
	kill(rig.engine, SIGKILL);
	assert_true(peer_ended(session.sp, WAIT_MS));
	assert_true(peer_ended(session.gw, WAIT_MS));
	end_pair(session);
	assert_int_equal(waitpid(rig.pid, NULL, 0), rig.pid);
	assert_int_equal(count_said(&rig, said, "engine started"), 0);
	rig_over(&rig);
}

/* What an older engine relays is not to the newest one's credit: its deaths delay the next. */
static void progress_of_its_own(void **state)
{
	struct pair gone;
	size_t said;

	(void)state;
	begin(2);
	gone = leave_older(1, 1);
	said = said_now(&rig);
	for (int i = 0; i < 3; i++) {
		size_t before = said_now(&rig);

		kill(rig.engine, SIGKILL);
		traffic(gone, SIM_SMPP, 20 * KIB);
		await_said(&rig, before, "engine started");
		await_engine(&rig, 1);
	}
	assert_true(has_said(&rig, said, "next engine in 100 ms"));
	assert_true(has_said(&rig, said, "next engine in 200 ms"));
	assert_true(has_said(&rig, said, "next engine in 400 ms"));
	end_pair(gone);
	await_engine(&rig, 0);
	end();
}

/* A file that is refused is no reason to trust a new program. */
static void a_trial_goes_on(void **state)
{
	size_t said;

	(void)state;
	begin(1);
	rig_install(&rig, BUILD_DIR "/smscoped", 0755);
	said = upgrade();
	links[0].keys = "no_such_key = 1;";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload failed, nothing is changed");
	traffic(session, SIM_SMPP, 20 * KIB);
	kill(rig.engine, SIGKILL);
	await_said(&rig, said, "upgrade failed, nothing is changed: the new engine died");
	await_engine(&rig, 0);
	assert_false(has_said(&rig, said, "the new program stays"));
	/* One that is good ends it. */
	said = upgrade();
	links[0].keys = "show_text = true;";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload done");
	assert_true(has_said(&rig, said, "the new program stays"));
	await_engine(&rig, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(older_ones_leave_them_alone, rig_sweep),
		cmocka_unit_test_teardown(it_dies_while_the_keeper_moves, rig_sweep),
		cmocka_unit_test_teardown(hardly_a_descriptor, rig_sweep),
		cmocka_unit_test_teardown(term_while_it_yields, rig_sweep),
		cmocka_unit_test_teardown(term_closes_the_ports, rig_sweep),
		cmocka_unit_test_teardown(progress_of_its_own, rig_sweep),
		cmocka_unit_test_teardown(a_trial_goes_on, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
