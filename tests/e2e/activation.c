#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

/*
 * Sockets that a service manager opened: the test is the manager. It binds, listens, and passes the
 * descriptors from 3 on; those that fit a link are used, so that whoever connects waits instead of being
 * refused, and no other stays open.
 */

enum { FIRST = 3, PASSED_MAX = 8, FAR = 100 };

static struct rig rig;
static int gateway, gateway_port;
static int passed[PASSED_MAX], passed_count;
static bool for_another; /* LISTEN_PID is not the daemon's */

/* In the child that becomes the daemon. */
static void pass(void)
{
	char pid[16], count[16];
	int away[PASSED_MAX];

	for (int i = 0; i < passed_count; i++)
		away[i] = fcntl(passed[i], F_DUPFD_CLOEXEC, FAR);
	for (int i = 0; i < passed_count; i++)
		if (dup2(away[i], FIRST + i) < 0)
			_exit(126);
	snprintf(pid, sizeof pid, "%d", for_another ? (int)getppid() : (int)getpid());
	snprintf(count, sizeof count, "%d", passed_count);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", "one:two", 1);
}

/* The engine, which everything else starts from, is told nothing of what was passed. */
static void expect_no_variables(void)
{
	char path[64];
	size_t n;
	char *text;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)rig.engine);
	text = rig_file(&rig, path, &n);
	assert_true(n > 0);
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		if (strncmp(at, "LISTEN_", 7) == 0)
			fail_msg("the engine has %s", at);
	free(text);
}

/* A daemon with one link, at that port; 0: any. */
static void begin(int port)
{
	struct rig_options o = { .before = pass };
	struct rig_link link = { .protocol = "cmpp", .upstream = &gateway_port, .upstream_count = 1,
		.port = port };

	rig_start(&rig, &o, &link, 1);
	rig_await_ready(&rig);
	expect_no_variables();
}

static void expect_said(bool want, const char *words)
{
	char *text = rig_file(&rig, rig.err_path, NULL);

	if ((strstr(text, words) != NULL) != want)
		fail_msg("%s \"%s\" in:\n%s", want ? "no" : "unwanted", words, text);
	free(text);
}

static void expect_served(int sp)
{
	struct pair p = pair_login_over(sp, gateway, SIM_CMPP2);

	(void)pair_ping(p, SIM_CMPP2);
	peer_close(p.sp);
	peer_close(p.gw);
}

static bool refused(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	rc = connect(fd, (struct sockaddr *)&a, sizeof a);
	close(fd);
	return rc < 0;
}

/* What a listener that we make has, too. The flags of a descriptor are those of this process's own. */
static void expect_options(int listener, int number)
{
	char path[64], *text;
	const char *flags;
	int inline_ = 0;
	socklen_t len = sizeof inline_;

	assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
	assert_int_equal(getsockopt(listener, SOL_SOCKET, SO_OOBINLINE, &inline_, &len), 0);
	assert_int_equal(inline_, 1);
	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)rig.pid, number);
	text = rig_file(&rig, path, NULL);
	flags = strstr(text, "flags:");
	assert_non_null(flags);
	assert_true(strtoul(flags + 6, NULL, 8) & O_CLOEXEC);
	free(text);
}

/* Who connected before there was a daemon, while it runs, after its engine's death, between two daemons. */
static void nobody_is_refused(void **state)
{
	int port, early, between;

	(void)state;
	if (getenv("SMSCOPED"))
		skip();
	passed[0] = peer_listen(&port, 16);
	passed_count = 1;
	peer_forget(passed[0]); /* for both daemons */
	early = peer_dial(port);
	begin(port);
	expect_said(true, "descriptor=3 was passed link=l1 on=127.0.0.1:");
	expect_options(passed[0], FIRST);
	expect_served(early);
	expect_served(peer_dial(port));
	rig_kill_engine(&rig);
	expect_served(peer_dial(port));
	rig_stop(&rig);
	between = peer_dial(port);
	begin(port);
	expect_served(between);
	rig_stop(&rig);
	peer_close(passed[0]);
	assert_true(refused(port));
}

static int unix_listener(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = peer_adopt(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	/* No name: the kernel gives one. */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* The socket that fits is the last one. */
static void what_fits_no_link_is_closed(void **state)
{
	int port, stray_port, pair[2];
	char stray[96];

	(void)state;
	if (getenv("SMSCOPED"))
		skip();
	passed[0] = peer_listen(&stray_port, 1);
	passed[1] = peer_adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	passed[2] = peer_adopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	passed[3] = unix_listener();
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	passed[4] = peer_adopt(pair[0]);
	close(pair[1]);
	passed[5] = peer_listen(&port, 16);
	passed_count = 6;
	begin(port);
	snprintf(stray, sizeof stray, "descriptor=3 was passed on=127.0.0.1:%d, where no link listens: closed",
		stray_port);
	expect_said(true, stray);
	for (int i = 1; i < 5; i++) {
		char words[96];

		snprintf(words, sizeof words, "descriptor=%d was passed, but is no listening TCP socket: closed",
			FIRST + i);
		expect_said(true, words);
	}
	expect_said(true, "descriptor=8 was passed link=l1");
	for (int i = 0; i < passed_count; i++)
		peer_close(passed[i]);
	assert_true(refused(stray_port));
	expect_served(peer_dial(port));
	rig_stop(&rig);
	assert_true(refused(port));
}

/* A program between the manager and us kept the variables: descriptor 3 is none of our business. */
static void another_process_is_meant(void **state)
{
	int stray_port;

	(void)state;
	if (getenv("SMSCOPED"))
		skip();
	passed[0] = peer_listen(&stray_port, 1);
	passed_count = 1;
	for_another = true;
	begin(0);
	expect_said(false, "was passed");
	expect_served(peer_dial(rig.port[0]));
	rig_stop(&rig);
	for_another = false;
}

static int open_gateway(void **state)
{
	(void)state;
	gateway = peer_listen(&gateway_port, 16);
	peer_forget(gateway); /* for all tests */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_is_refused, rig_sweep),
		cmocka_unit_test_teardown(what_fits_no_link_is_closed, rig_sweep),
		cmocka_unit_test_teardown(another_process_is_meant, rig_sweep),
	};

	return cmocka_run_group_tests(tests, open_gateway, NULL);
}
