#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	options = (struct rig_options){ .control = true, .daemon = "workers = 2; drain_timeout = \"2s\";" };
	session = links_begin(&rig, &options, links, count, &gateway, &gateway_port);
}

static void end(void)
{
	traffic(session, SIM_SMPP, 100 * KIB);
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_reads, rig_sweep),
		cmocka_unit_test_teardown(warnings, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
