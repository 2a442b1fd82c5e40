#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * What is said of a change, to whom, and that nobody waits for who does not listen.
 */

enum { KIB = 1024 };

static struct rig rig;
static struct pair session;
static int gateway, gateway_port, deaf = -1;
static struct rig_link links[3];
static struct rig_options options;

static const char warns[] = "upstream_tls = true; upstream_tls_verify = false;";

static void begin(int count)
{
	options = (struct rig_options){ .control = true, .before = notify_be_told, .daemon = "workers = 2; drain_timeout = \"2s\";" };
	notify_open();
	session = links_begin(&rig, &options, links, count, &gateway, &gateway_port);
}

static void end(void)
{
	traffic(session, SIM_SMPP, 100 * KIB);
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
	notify_close();
}

/* `verb` of smscope ctl, which ends with that code, says these words. */
static void expect_ctl(const char *verb, int code, const char *words)
{
	char *all = rig_ctl(&rig, verb, code);

	if (!strstr(all, words))
		fail_msg("%s: no %s in %.900s", verb, words, all);
	free(all);
}

static void hear_nothing(void)
{
	if (dup2(deaf, STDERR_FILENO) < 0)
		_exit(126);
}

/* Standard error is a pipe that has no room left, and nobody reads it. */
static void begin_deaf(int ret_pipe[2])
{
	static char octets[4 * KIB];
	int again;

	assert_int_equal(pipe2(ret_pipe, O_CLOEXEC), 0);
	deaf = ret_pipe[1];
	options = (struct rig_options){ .control = true, .before = hear_nothing, .daemon = "workers = 2;" };
	gateway = peer_listen(&gateway_port, 16);
	links[0] = (struct rig_link){ .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1 };
	links[1] = links[0];
	links[1].keys = warns;
	rig_start(&rig, &options, links, 2);
	for (int i = 0; i < 2; i++)
		links[i].port = rig.port[i];
	session = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login");
	snprintf(octets, sizeof octets, "/proc/self/fd/%d", deaf);
	again = open(octets, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(again >= 0);
	for (size_t n = sizeof octets; n > 0; n = n > 1 ? n / 2 : 0)
		while (write(again, octets, n) > 0)
			;
	close(again);
}

/* Until the last change has that number. */
static void await_change(int number)
{
	char word[16], *all = NULL;

	snprintf(word, sizeof word, "%d ", number);
	for (int i = 0; i < WAIT_MS / 100; i++, pause_ms(100)) {
		all = rig_ctl(&rig, "change", 0);
		if (strncmp(all, word, strlen(word)) == 0)
			break;
		if (i < WAIT_MS / 100 - 1)
			free(all);
	}
	if (strncmp(all, word, strlen(word)) != 0)
		fail_msg("no change %d, but %s", number, all);
	free(all);
}

/* Who reads standard error stands still: the keeper does not, whatever there is to warn of. */
static void nobody_reads(void **state)
{
	int pipe[2];
	pid_t before;

	(void)state;
	begin_deaf(pipe);
	kill(rig.pid, SIGHUP);
	await_change(1);
	links[0].keys = "show_text = true;";
	rig_configure(&rig, &options, links, 2);
	kill(rig.pid, SIGHUP);
	await_change(2);
	traffic(session, SIM_SMPP, 100 * KIB);
	before = rig.engine;
	rig_kill_engine(&rig);
	assert_int_not_equal(rig.engine, before);
	serve_one(&rig, 0, gateway, SIM_SMPP);
	end();
	close(pipe[0]);
	close(pipe[1]);
}

/* A warning is one, and told once, with its file and line; what is wrong beside it is told as the reason. */
static void warnings(void **state)
{
	const char *warning = "smscope.conf:", *words = "warning: upstream_tls_verify = false";
	size_t said;
	char *text, *at;

	(void)state;
	begin(2);
	links[1].keys = warns;
	for (int i = 0; i < 2; i++) {
		said = said_now(&rig);
		rig_configure(&rig, &options, links, 2);
		expect_ctl("reload", 0, "reload ok");
		await_engine(&rig, 0);
		assert_int_equal(count_said(&rig, said, words), 1);
		assert_int_equal(count_said(&rig, said, "configuration:"), 0);
		assert_int_equal(count_said(&rig, said, "] error: "), 0);
		text = rig_file(&rig, rig.err_path, NULL);
		at = strstr(text + said, "] warn: ");
		assert_non_null(at);
		at[strcspn(at, "\n")] = '\0';
		assert_non_null(strstr(at, warning));
		assert_non_null(strstr(at, words));
		free(text);
	}
	links[1].keys = "upstream_tls = true; upstream_tls_verify = false; nonsense = 1;";
	rig_configure(&rig, &options, links, 2);
	expect_ctl("reload", 1, "error: unknown key nonsense in links[]");
	expect_ctl("status", 0, "error: unknown key nonsense in links[]");
	links[1].keys = "upstream_tls = true; upstream_tls_verify = false; profile = \"nonesuch\";";
	rig_configure(&rig, &options, links, 2);
	expect_ctl("reload", 1, "error: no profile \"nonesuch\"");
	end();
}

static int sweep(void **state)
{
	notify_close();
	return rig_sweep(state);
}

/* Somebody reads the configuration's file: IN_CLOSE_NOWRITE is when that is done. */
static int watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[128];

	snprintf(path, sizeof path, "%s/smscope.conf", rig.dir);
	assert_true(inotify_add_watch(fd, path, IN_CLOSE_NOWRITE) >= 0);
	return fd;
}

/* It writes to where only a checker does. */
static bool is_checker(pid_t pid)
{
	char path[64], to[64] = "";

	snprintf(path, sizeof path, "/proc/%d/fd/2", (int)pid);
	return readlink(path, to, sizeof to - 1) > 0 && strstr(to, "smscope-faults") != NULL;
}

/* A checker that has read the file; it stands still from now on. */
static pid_t stop_checker(int watched)
{
	struct pollfd seen = { .fd = watched, .events = POLLIN };
	char away[4096];
	pid_t children[4];

	assert_int_equal(poll(&seen, 1, WAIT_MS), 1);
	assert_true(read(watched, away, sizeof away) > 0);
	for (uint64_t end = now_us() + WAIT_MS * 1000u; now_us() < end;) {
		int n = rig_children(&rig, children, 4);

		for (int i = 0; i < n; i++)
			if (is_checker(children[i]) && kill(children[i], SIGSTOP) == 0)
				return children[i];
	}
	fail_msg("nobody checks");
	return 0;
}

/* A file that is refused is not taken for the good one before it, which a HUP was about. */
static void a_reload_was_under_way(void **state)
{
	char options_text[160];
	const char *args[] = { "ctl", "--socket", options_text, "reload", NULL };
	char said[1024] = "";
	size_t from;
	pid_t checker, ctl;
	int out, watched;

	(void)state;
	begin(1);
	snprintf(options_text, sizeof options_text, "%s", rig.control_path);
	from = said_now(&rig);
	watched = watch();
	links[0].keys = "show_text = true;";
	rig_configure(&rig, &options, links, 1);
	kill(rig.pid, SIGHUP);
	checker = stop_checker(watched);
	links[0].keys = "profile = \"nonesuch\";";
	rig_configure(&rig, &options, links, 1);
	ctl = program_start(&out, "../smscope", args);
	pause_ms(1500); /* so it has asked */
	assert_false(has_said(&rig, from, "reload: "));
	kill(checker, SIGCONT);
	checker = stop_checker(watched);
	await_said(&rig, from, "reload done");
	pause_ms(1500); /* so it has seen that the first one is done */
	kill(checker, SIGCONT);
	assert_int_equal(program_wait(ctl, WAIT_MS), 1);
	assert_int_equal(read(out, said, sizeof said - 1), 0); /* it was on standard error */
	close(out);
	close(watched);
	await_said(&rig, from, "reload: link l1 show_text false -> true");
	await_said(&rig, from, "no profile \"nonesuch\"");
	assert_int_equal(count_said(&rig, from, "HUP: checking"), 2);
	await_change(2);
	expect_ctl("change", 0, "2 reload failed ");
	await_engine(&rig, 0);
	links[0].keys = NULL;
	rig_configure(&rig, &options, links, 1);
	expect_ctl("reload", 0, "reload ok link l1 show_text true -> false\n");
	await_engine(&rig, 0);
	end();
}

/* What needs a restart is told to who asked, though nothing else is other. */
static void needs_a_restart(void **state)
{
	(void)state;
	begin(1);
	expect_ctl("reload", 0, "reload ok\n");
	options.daemon = "workers = 3; drain_timeout = \"2s\";";
	rig_configure(&rig, &options, links, 1);
	expect_ctl("reload", 0, "reload ok daemon.workers 2 -> 3: needs a restart, stays as it is\n");
	expect_ctl("change", 0, "2 reload ok daemon.workers 2 -> 3: needs a restart, stays as it is\n");
	end();
}

/* A reload that failed is told until one succeeds, whatever became of upgrades; and the other way round. */
static void each_kind(void **state)
{
	static const char failed[] = "\nthe last reload failed: ";
	char *all;

	(void)state;
	begin(1);
	links[0].keys = "nonsense = 1;";
	rig_configure(&rig, &options, links, 1);
	expect_ctl("reload", 1, "unknown key nonsense");
	expect_ctl("status", 0, failed);
	expect_ctl("metrics", 0, "\nsmscope_config_last_reload_successful 0\n");
	notify_forget();
	expect_ctl("upgrade", 0, "upgrade ok\n");
	await_engine(&rig, 0);
	await_told("last reload failed: ");
	expect_ctl("status", 0, failed);
	expect_ctl("metrics", 0, "\nsmscope_config_last_reload_successful 0\n");
	expect_ctl("metrics", 0, "\nsmscope_program_last_upgrade_successful 1\n");
	expect_ctl("change", 0, "2 upgrade ok\n1 reload failed ");
	expect_ctl("status --json", 0, "\"change\":{\"number\":2,\"what\":\"upgrade\",\"failed\":false,");
	expect_ctl("status --json", 0, "\"last_reload\":{\"number\":1,\"what\":\"reload\",\"failed\":true,");
	expect_ctl("status --json", 0, "\"last_upgrade\":{\"number\":2,\"what\":\"upgrade\",\"failed\":false,");
	links[0].keys = NULL;
	rig_configure(&rig, &options, links, 1);
	expect_ctl("reload", 0, "reload ok\n");
	expect_ctl("metrics", 0, "\nsmscope_config_last_reload_successful 1\n");
	all = rig_ctl(&rig, "status", 0);
	assert_null(strstr(all, "failed: "));
	free(all);
	end();
}

/* More than there is room for: whole lines, and how many there are besides. */
static void many_lines(void **state)
{
	static const char keys[] = "show_text = true; max_pdu = \"9K\"; connect_timeout = \"9s\"; idle_timeout = \"9s\"; "
		"login_timeout = \"9s\"; linger_timeout = \"9s\"; stall = \"9s\";";
	unsigned int more = 0, told = 1;
	char accounts[512], *all;
	size_t from, n = 0;

	(void)state;
	begin(3);
	from = said_now(&rig);
	for (int i = 0; i < 3; i++)
		links[i].keys = keys;
	rig_configure(&rig, &options, links, 3);
	all = rig_ctl(&rig, "reload", 0);
	for (const char *at = all; (at = strstr(at, "; link l")) != NULL; at++)
		told++;
	assert_non_null(strstr(all, "; and "));
	assert_int_equal(sscanf(strstr(all, "; and "), "; and %u more", &more), 1);
	assert_non_null(strstr(all, " more\n"));
	assert_int_equal(told + more, count_said(&rig, from, "reload: link l"));
	free(all);
	await_engine(&rig, 0);
	/* A value that is too long, too, says so. */
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(accounts + n, sizeof accounts - n, "%s\"account-%d\"", i > 0 ? ", " : "accounts = [ ", i);
	snprintf(accounts + n, sizeof accounts - n, " ];");
	links[0].keys = accounts;
	rig_configure(&rig, &options, links, 3);
	expect_ctl("reload", 0, "...; link l1 ");
	await_engine(&rig, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_reads, sweep),
		cmocka_unit_test_teardown(warnings, sweep),
		cmocka_unit_test_teardown(a_reload_was_under_way, sweep),
		cmocka_unit_test_teardown(needs_a_restart, sweep),
		cmocka_unit_test_teardown(each_kind, sweep),
		cmocka_unit_test_teardown(many_lines, sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
