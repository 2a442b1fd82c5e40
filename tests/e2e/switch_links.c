#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * HUP with another configuration: links come, go, move and change while sessions are at work. Rows C4 and C5 of
 * the fault list; TLS sessions are in switch_tls.c.
 */

enum { KIB = 1024, STORM_MS = 4000 };

static struct rig rig;
static struct pair session;
static int gateway, gateway_port;
static struct rig_link links[3];

static struct rig_options options = { .daemon = "workers = 2; drain_timeout = \"2s\";" };

static void begin(int count)
{
	session = links_begin(&rig, &options, links, count, &gateway, &gateway_port);
}

static void end(void)
{
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
}

/* HUP with these links under traffic; `line` is how they differ, `older` engines are left. */
static void reload(int count, const char *line, int older)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	rig_configure(&rig, &options, links, count);
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "reload: %s\n", line);
	await_said(&rig, said, "reload done");
	await_engine(&rig, older);
	assert_int_not_equal(rig.engine, before);
	traffic(session, SIM_SMPP, 200 * KIB);
}

/* At any moment there is somebody at one of the two. */
static void another_address(void **state)
{
	static struct dialing d = { .count = 2 };
	static struct side_job callers = { .turn = dial_turn, .arg = &d };
	char line[128];
	int moved = 0;

	(void)state;
	begin(1);
	d = (struct dialing){ .port = { links[0].port }, .count = 2 };
	for (int round = 0; round < 3; round++) {
		d.port[1] = moved = port_closed();
		snprintf(line, sizeof line, "link l1 listen \"127.0.0.1:%d\" -> \"127.0.0.1:%d\"",
			links[0].port, moved);
		side_begin(&callers);
		links[0].port = moved;
		reload(1, line, 0);
		side_end(&callers);
		assert_true(d.dialed > 10);
		assert_int_equal(d.refused, 0);
		assert_false(port_open(d.port[0]));
		rig.port[0] = d.port[0] = moved;
		serve_one(&rig, 0, gateway, SIM_SMPP);
	}
	end();
}

static void a_link_comes(void **state)
{
	(void)state;
	begin(1);
	assert_false(port_open(links[1].port));
	reload(2, "link l2 added", 0);
	serve_one(&rig, 1, gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login link=l2");
	rig_await(&rig, 0, NULL, "ev=config what=config state=ok changes~added");
	end();
}

/* Its session has its old engine until it ends by itself; what it says is still written. */
static void a_link_goes(void **state)
{
	struct pair gone;
	size_t said;

	(void)state;
	begin(2);
	gone = pair_login(&rig, 1, gateway, SIM_SMPP);
	said = said_now(&rig);
	reload(1, "link l2 removed", 1);
	await_said(&rig, said, "keeps 1 sessions until they end");
	assert_false(port_open(links[1].port));
	traffic(gone, SIM_SMPP, 200 * KIB);
	submit(gone, SIM_SMPP, 500, 0, "500a");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=500");

	/* Two more changes while it goes on, one of them of the same kind. */
	links[0].keys = "show_text = true;";
	reload(1, "link l1 show_text false -> true", 1);
	traffic(gone, SIM_SMPP, 200 * KIB);
	links[0].keys = NULL;
	reload(1, "link l1 show_text true -> false", 1);
	traffic(gone, SIM_SMPP, 200 * KIB);
	submit(gone, SIM_SMPP, 501, 0, "501a");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=501");

	said = said_now(&rig);
	peer_close(gone.sp);
	peer_expect_end(gone.gw);
	peer_close(gone.gw);
	await_said(&rig, said, "the engine before has ended");
	await_engine(&rig, 0);
	rig_await(&rig, 0, NULL, "ev=session_close link=l2");
	traffic(session, SIM_SMPP, 100 * KIB);
	end();
}

/* As many engines of before as there is room for; the next change has to wait for one of them to end. */
static void too_many_of_before(void **state)
{
	enum { KEPT = 3 };
	struct pair kept[KEPT];
	size_t said;

	(void)state;
	begin(1);
	for (int i = 0; i < KEPT; i++) {
		reload(2, "link l2 added", i);
		kept[i] = pair_login(&rig, 1, gateway, SIM_SMPP);
		reload(1, "link l2 removed", i + 1);
	}
	said = said_now(&rig);
	rig_configure(&rig, &options, links, 2);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload failed, nothing is changed: too many engines of before");
	for (int i = 0; i < KEPT; i++)
		traffic(kept[i], SIM_SMPP, 100 * KIB);
	traffic(session, SIM_SMPP, 100 * KIB);
	assert_false(port_open(links[1].port));
	peer_close(kept[1].sp);
	peer_close(kept[1].gw);
	await_engine(&rig, KEPT - 1);
	reload(2, "link l2 added", KEPT - 1);
	for (int i = 0; i < KEPT; i += 2) {
		traffic(kept[i], SIM_SMPP, 100 * KIB);
		peer_close(kept[i].sp);
		peer_close(kept[i].gw);
	}
	await_engine(&rig, 0);
	serve_one(&rig, 1, gateway, SIM_SMPP);
	end();
}

/* A response with status 8 comes out as what? */
static uint32_t status_of(uint32_t seq)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT, .seq = seq, .src = sim_text("10690001"),
		.dst = sim_text("13812345678"), .body = sim_text("CanaryText") };
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .status = 8,
		.msgid = sim_text("8a") }, seen;
	uint8_t octets[SIM_PDU_MAX];

	peer_send_pdu(session.sp, SIM_SMPP, &ask);
	peer_read_pdu(session.gw, SIM_SMPP, octets, NULL);
	peer_send_pdu(session.gw, SIM_SMPP, &answer);
	peer_read_pdu(session.sp, SIM_SMPP, octets, &seen);
	return seen.status;
}

/* Each key holds from the next PDU of a session that was there before. */
static void keys_of_a_link(void **state)
{
	uint8_t pdu[9000];
	size_t said;

	(void)state;
	begin(1);
	assert_int_equal(status_of(801), 8);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=801");
	assert_int_equal(rig_count(&rig, "*~CanaryText"), 0);

	links[0].keys = "show_text = true;";
	reload(1, "link l1 show_text false -> true", 0);
	assert_int_equal(status_of(802), 8);
	rig_await(&rig, 0, NULL, "ev=submit seq=802 *~CanaryText");

	links[0].keys = "rules = ( { name = \"r\"; action = \"map_status\"; pdu = \"submit_resp\"; "
		"code = \"8\"; to = \"88\"; } );";
	reload(1, "link l1 rules changed", 0);
	assert_int_equal(status_of(803), 88);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=803 *~r");

	links[0].keys = "profile = \"infox\";";
	said = said_now(&rig);
	reload(1, "link l1 rules changed", 0);
	await_said(&rig, said, "reload: link l1 profile \"standard\" -> \"infox\"\n");
	assert_int_equal(status_of(804), 8);

	/* What had passed is too long now. */
	pdu_make(SIM_SMPP, 805, sizeof pdu, pdu);
	peer_send(session.sp, pdu, sizeof pdu);
	peer_expect(session.gw, pdu, sizeof pdu);
	assert_int_equal(rig_count(&rig, "ev=blind"), 0);
	links[0].keys = "profile = \"infox\"; max_pdu = \"8K\";";
	said = said_now(&rig);
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload: link l1 max_pdu ");
	await_said(&rig, said, "reload done");
	await_engine(&rig, 0);
	traffic(session, SIM_SMPP, 200 * KIB);
	pdu_make(SIM_SMPP, 806, sizeof pdu, pdu);
	peer_send(session.sp, pdu, sizeof pdu);
	peer_expect(session.gw, pdu, sizeof pdu);
	rig_await(&rig, 0, NULL, "ev=blind from=sp length=9000");
	end();
}

/* What the shared memory was made for is told, and stays; if nothing else differs, so does the engine. */
static void keys_that_need_a_restart(void **state)
{
	const char *before = options.daemon;
	size_t said;

	(void)state;
	begin(1);
	said = said_now(&rig);
	options.daemon = "workers = 3; drain_timeout = \"2s\";";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_SMPP, 200 * KIB);
	await_said(&rig, said, "daemon.workers 2 -> 3: needs a restart, stays as it is");
	await_said(&rig, said, "the configuration is the same; code tables and certificates are loaded again");
	rig_await(&rig, 0, NULL, "ev=config what=codes state=ok");
	assert_false(has_said(&rig, said, "engine started"));
	/* Others do not. */
	options.daemon = "workers = 2; drain_timeout = \"2s\"; resolve_interval = \"7s\"; resolvers = \"127.0.0.1:9\";";
	said = said_now(&rig);
	reload(1, "daemon.resolve_interval \"1m\" -> \"7s\"", 0);
	assert_true(has_said(&rig, said, "daemon.resolvers none -> "));
	assert_false(has_said(&rig, said, "needs a restart"));
	links[0].keys = "show_text = true;";
	reload(1, "link l1 show_text false -> true", 0);
	traffic(session, SIM_SMPP, 200 * KIB);
	end();
	options.daemon = before;
}

static char log_dir[32], log_path[96], more_logs[160];

/* The second log is the one of that name in a folder of its own. */
static const char *log_queue = "64K";

static void name_log(const char *name)
{
	snprintf(log_path, sizeof log_path, "%s/%s", log_dir, name);
	snprintf(more_logs, sizeof more_logs, ", { path = \"%s\"; records = \"login\"; queue = \"%s\"; }", log_path, log_queue);
	options.more_logs = more_logs;
}

/* The second log waits for its folder, with the login. */
static void begin_without_folder(void)
{
	strcpy(log_dir, "/tmp/smscope-e2e-log-XXXXXX");
	assert_non_null(mkdtemp(log_dir));
	name_log("none/log");
	begin(1);
	rig_await(&rig, 0, NULL, "ev=login");
}

static void make_folder(void)
{
	char path[96];

	snprintf(path, sizeof path, "%s/none", log_dir);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void end_with_folder(void)
{
	end();
	options.more_logs = NULL;
	snprintf(more_logs, sizeof more_logs, "rm -rf %s", log_dir);
	assert_int_equal(system(more_logs), 0);
}

/* What waited is in the log. */
static void expect_written(void)
{
	char *text = NULL;

	for (int i = 0; i < WAIT_MS / 10 && (text == NULL || strstr(text, "\n") == NULL); i++) {
		free(text);
		text = access(log_path, F_OK) == 0 ? rig_file(&rig, log_path, NULL) : NULL;
		pause_ms(10);
	}
	assert_non_null(text);
	assert_non_null(strstr(text, " BIND_RESP "));
	assert_null(strstr(text, " LOST "));
	free(text);
}

static size_t move_log(const char *name)
{
	char was[96], line[256];
	size_t said = said_now(&rig);

	memcpy(was, log_path, sizeof was);
	name_log(name);
	snprintf(line, sizeof line, "logs[1] path \"%s\" -> \"%s\"", was, log_path);
	reload(1, line, 0);
	return said;
}

/*
 * A log is written elsewhere from now on, while lines wait for a folder that is not there yet: nothing is lost of them,
 * and they are written once the configuration names it again.
 */
static void a_log_moves(void **state)
{
	size_t said;

	(void)state;
	begin_without_folder();
	said = move_log("log");
	await_said(&rig, said, "lines of a log that is configured no more wait in memory");
	assert_false(has_said(&rig, said, "are lost"));
	assert_false(has_said(&rig, said, "cannot be written now"));
	make_folder();
	said = move_log("none/log");
	await_said(&rig, said, "none/log: lines of an earlier process go on octets=");
	expect_written();
	/* Now nothing waits, and there is nothing to say of lines; but that the next one cannot be had, there is. */
	said = move_log("no-such-folder/log");
	assert_false(has_said(&rig, said, "that waited"));
	assert_false(has_said(&rig, said, "lines of a log that"));
	await_said(&rig, said, "no-such-folder/log cannot be written now: No such file or directory");
	end_with_folder();
}

/* Room is asked for while lines wait: they are not given up for it. */
static void a_queue_grows(void **state)
{
	size_t said;

	(void)state;
	begin_without_folder();
	log_queue = "1M";
	name_log("none/log");
	said = said_now(&rig);
	reload(1, "logs[1] queue \"64K\" -> \"1M\"", 0);
	log_queue = "64K";
	await_said(&rig, said, "none/log: its queue is no larger than 64 KiB until the next restart");
	make_folder();
	expect_written();
	end_with_folder();
}

static void the_same_file(void **state)
{
	size_t said;

	(void)state;
	begin(1);
	said = said_now(&rig);
	for (int i = 1; i <= 3; i++) {
		kill(rig.pid, SIGHUP);
		traffic(session, SIM_SMPP, 200 * KIB);
		rig_await_count(&rig, (size_t)i, "ev=config what=codes state=ok");
	}
	assert_int_equal(rig_count(&rig, "ev=config what=config"), 0);
	assert_int_equal(count_said(&rig, said, "the configuration is the same"), 3);
	assert_false(has_said(&rig, said, "engine started"));
	end();
}

static int count_fds(pid_t pid)
{
	struct rig one = { .engine = pid };

	return rig_engine_fds(&one);
}

/* HUP, with another file every now and then, USR1 and USR2, 200 in a second. */
static void storm_turn(void *arg)
{
	static const int numbers[] = { SIGHUP, SIGUSR1, SIGHUP, SIGUSR2 };
	static unsigned int turn;

	kill(*(const pid_t *)arg, numbers[turn++ % 4]);
	pause_ms(5);
}

/* Until nothing is said for a while. */
static void await_quiet(void)
{
	for (int was = -1, now = 0; was != now; was = now, now = (int)said_now(&rig))
		for (int i = 0; i < 30; i++) {
			traffic(session, SIM_SMPP, 2 * KIB);
			pause_ms(50);
		}
}

/* Another program and another file, after which nothing of those before them is held. */
static void settle(void)
{
	static const char *const keys[] = { "show_text = true;", NULL };
	size_t said;

	await_quiet();
	said = said_now(&rig);
	kill(rig.pid, SIGUSR2);
	await_said(&rig, said, "upgrade done");
	for (int i = 0; i < 2; i++) {
		links[0].keys = keys[i];
		rig_configure(&rig, &options, links, 1);
		kill(rig.pid, SIGHUP);
		await_quiet();
	}
	await_said(&rig, said, "the new program stays");
	await_said(&rig, said, "show_text true -> false");
	await_engine(&rig, 0);
}

static void a_storm(void **state)
{
	static struct side_job storm = { .turn = storm_turn };
	int fds[2], after[2] = { 0, 0 };
	pid_t keeper;
	size_t said;

	(void)state;
	begin(1);
	settle();
	keeper = rig.pid;
	fds[0] = count_fds(keeper);
	fds[1] = rig_engine_fds(&rig);
	said = said_now(&rig);
	storm.arg = &keeper;
	side_begin(&storm);
	for (uint64_t end = now_us() + STORM_MS * 1000u; now_us() < end;) {
		links[0].keys = links[0].keys ? NULL : "show_text = true;";
		rig_configure(&rig, &options, links, 1);
		traffic(session, SIM_SMPP, 200 * KIB);
		serve_one(&rig, 0, gateway, SIM_SMPP);
	}
	side_end(&storm);
	settle();
	assert_in_range(count_said(&rig, said, "HUP: checking"), 2, 200);
	assert_in_range(count_said(&rig, said, "USR2: checking"), 3, 200);
	assert_false(has_said(&rig, said, "engine died"));
	for (int i = 0; i < 100 && (after[0] != fds[0] || after[1] != fds[1]); i++, pause_ms(20)) {
		after[0] = count_fds(keeper);
		after[1] = rig_engine_fds(&rig);
	}
	assert_int_equal(after[0], fds[0]);
	assert_int_equal(after[1], fds[1]);
	traffic(session, SIM_SMPP, 200 * KIB);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(another_address, side_sweep),
		cmocka_unit_test_teardown(a_link_comes, side_sweep),
		cmocka_unit_test_teardown(a_link_goes, side_sweep),
		cmocka_unit_test_teardown(too_many_of_before, side_sweep),
		cmocka_unit_test_teardown(keys_of_a_link, side_sweep),
		cmocka_unit_test_teardown(keys_that_need_a_restart, side_sweep),
		cmocka_unit_test_teardown(a_log_moves, rig_sweep),
		cmocka_unit_test_teardown(a_queue_grows, rig_sweep),
		cmocka_unit_test_teardown(the_same_file, side_sweep),
		cmocka_unit_test_teardown(a_storm, side_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
