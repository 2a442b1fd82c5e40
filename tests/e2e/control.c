#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/*
 * The control socket beside traffic: counts that the test itself made, an engine that dies, and
 * clients that misbehave (row C12 of the fault list), of which a session must notice nothing.
 */

enum { CROWD = 100, CLIENTS_MAX = 16, LINE_S = 10, BIG = 1 << 20 };

static const char subscriber[] = "13812345678", canary[] = "Canary77", secret_text[] = "SecretText42";

static struct rig rig;

static int ask_open(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%.100s", rig.control_path);
	if (connect(fd, (struct sockaddr *)&at, sizeof at))
		fail_msg("%s: %s", rig.control_path, strerror(errno));
	return fd;
}

/* What comes until the end of the stream, or until nothing does for `wait_ms`; NUL-terminated. */
static size_t take_all(int fd, char *to, size_t cap, int wait_ms)
{
	size_t n = peer_read(fd, to, cap - 1, wait_ms);

	to[n] = '\0';
	return n;
}

static char *ctl(const char *words, int want_code)
{
	return rig_ctl(&rig, words, want_code);
}

static json_t *ctl_json(const char *words)
{
	char *text = ctl(words, 0);
	json_t *all = json_loads(text, 0, NULL);

	if (!all)
		fail_msg("ctl %s: %s", words, text);
	free(text);
	return all;
}

static long long number(json_t *all, int link, const char *group, const char *key)
{
	json_t *l = json_array_get(json_object_get(all, "links"), (size_t)link);
	json_t *n = json_object_get(group ? json_object_get(l, group) : l, key);

	return json_is_integer(n) ? json_integer_value(n) : -1;
}

static void begin(struct rig_link *links, int *port, int gateway[2])
{
	static const struct rig_options options = { .control = true };

	for (int i = 0; i < 2; i++) {
		gateway[i] = peer_listen(&port[i], 64);
		links[i] = (struct rig_link){ .protocol = i ? "cmpp" : "smpp", .upstream = &port[i],
			.upstream_count = 1 };
	}
	rig_start(&rig, &options, links, 2);
}

/* One submit, answered with `status`. */
static void submit(struct pair p, enum sim_proto proto, uint32_t seq, uint32_t status)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT, .seq = seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text(subscriber),
		.body = sim_text(secret_text), .registered = true };
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .status = status,
		.msgid = sim_text(proto == SIM_SMPP ? "4711" : "\x71\xb2\xd9\x02\x01\x02\x03\x04") };
	struct sim_pdu seen;
	uint8_t octets[SIM_PDU_MAX];

	peer_send_pdu(p.sp, proto, &ask);
	peer_read_pdu(p.gw, proto, octets, &seen);
	peer_send_pdu(p.gw, proto, &answer);
	peer_read_pdu(p.sp, proto, octets, &seen);
	assert_int_equal(seen.status, status);
}

/* A login whose password must turn up nowhere. */
static struct pair login(int link, int listener)
{
	struct sim_pdu ask = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("acme"),
		.secret = sim_text(canary) };
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 1, .user = sim_text("gw") }, seen;
	uint8_t octets[SIM_PDU_MAX];
	struct pair p = { peer_dial(rig.port[link]), -1 };

	peer_send_pdu(p.sp, SIM_SMPP, &ask);
	p.gw = peer_accept(listener);
	peer_read_pdu(p.gw, SIM_SMPP, octets, &seen);
	peer_send_pdu(p.gw, SIM_SMPP, &answer);
	peer_read_pdu(p.sp, SIM_SMPP, octets, &seen);
	return p;
}

static void expect_no_secrets(void)
{
	static const char *const verbs[] = { "status", "status --json", "sessions", "sessions --json",
		"unknown", "unknown --json", "metrics", "help" };

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		char *text = ctl(verbs[i], 0);

		assert_null(strstr(text, canary));
		assert_null(strstr(text, subscriber));
		assert_null(strstr(text, secret_text));
		free(text);
	}
}

/* The two sessions, and the one code that no table knows. */
static void expect_lists(void)
{
	json_t *all, *list;

	all = ctl_json("sessions --json");
	list = json_object_get(all, "sessions");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *s = json_array_get(list, i);

		assert_string_equal(json_string_value(json_object_get(s, "state")), "relaying");
		assert_true(json_is_true(json_object_get(s, "logged_in")));
		assert_true(json_integer_value(json_object_get(s, "sp_octets")) > 100);
	}
	json_decref(all);
	all = ctl_json("unknown --json");
	list = json_array_get(json_object_get(all, "unknown"), 0);
	assert_int_equal(json_integer_value(json_object_get(list, "code")), 990099);
	assert_non_null(strstr(json_string_value(json_object_get(list, "sample")), "dst=138****5678"));
	json_decref(all);
}

static void counts(void **state)
{
	struct rig_link links[2];
	int port[2], gateway[2];
	struct pair p, q;
	json_t *all;
	char *text, *line;

	(void)state;
	begin(links, port, gateway);
	p = login(0, gateway[0]);
	q = pair_login(&rig, 1, gateway[1], SIM_CMPP3);
	submit(p, SIM_SMPP, 2, 0);
	submit(p, SIM_SMPP, 3, 0);
	submit(p, SIM_SMPP, 4, 0x58);
	submit(q, SIM_CMPP3, 6, 8);
	submit(q, SIM_CMPP3, 7, 990099);
	rig_await_count(&rig, 5, "ev=submit_resp");
	all = ctl_json("--json status");
	assert_int_equal(number(all, 0, "sessions", "relaying"), 1);
	assert_int_equal(number(all, 0, NULL, "logged_in"), 1);
	assert_int_equal(number(all, 0, NULL, "blind"), 0);
	assert_int_equal(number(all, 0, "records", "submit"), 3);
	assert_int_equal(number(all, 0, "records", "submit_resp"), 3);
	assert_int_equal(number(all, 0, "logins", "ok"), 1);
	assert_int_equal(number(all, 0, "submits", "ok"), 2);
	assert_int_equal(number(all, 0, "submits", "throttled"), 1);
	assert_int_equal(number(all, 0, "codes", "known"), 4);
	assert_int_equal(number(all, 0, "codes", "unknown"), 0);
	assert_int_equal(number(all, 1, "sessions", "relaying"), 1);
	assert_int_equal(number(all, 1, "submits", "throttled"), 1);
	assert_int_equal(number(all, 1, "submits", "unknown"), 1);
	assert_int_equal(number(all, 1, "codes", "unknown"), 1);
	if (!getenv("SMSCOPED"))
		assert_int_equal(json_integer_value(json_object_get(
			json_object_get(all, "engine"), "pid")), rig.engine);
	json_decref(all);
	expect_lists();
	expect_no_secrets();
	text = ctl("status", 0);
	for (line = text; *line; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 100);
	free(text);
	free(ctl("nonsense", 1));
	free(ctl("status --nonsense", 1));
	free(ctl("", 2));
	rig_stop(&rig);
	text = ctl("status", 1);
	assert_non_null(strstr(text, rig.control_path));
	assert_non_null(strstr(text, "is smscoped running"));
	free(text);
}

/* The same place answers when another engine has come; what it was asked is lost, sessions are not. */
static void engine_dies(void **state)
{
	static const char said[] = "error: no verb \"nope\"; help lists them\n.\n";
	struct rig_link links[2];
	int port[2], gateway[2], fd;
	struct stat before, after;
	char answer[4096];
	struct pair p;
	json_t *all = NULL;
	pid_t old;

	(void)state;
	begin(links, port, gateway);
	assert_int_equal(lstat(rig.control_path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0660);
	p = pair_login(&rig, 0, gateway[0], SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login");
	old = rig.engine;
	fd = ask_open();
	assert_int_equal(send(fd, "nope\n", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(peer_read(fd, answer, sizeof said - 1, WAIT_MS), sizeof said - 1);
	assert_memory_equal(answer, said, sizeof said - 1); /* so it is this engine that has it */
	kill(old, SIGKILL);
	assert_true(peer_ended(fd, WAIT_MS));
	close(fd);
	/* Asked while there may be no engine: the answer waits for it. */
	for (int i = 0; i < 200 && rig.engine == old; i++, pause_ms(20)) {
		all = ctl_json("status --json");
		rig.engine = (pid_t)json_integer_value(
			json_object_get(json_object_get(all, "engine"), "pid"));
		if (rig.engine == old)
			json_decref(all);
	}
	assert_int_not_equal(rig.engine, old);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(all, "engine"), "starts")), 2);
	assert_int_equal(number(all, 0, "sessions", "relaying"), 1);
	json_decref(all);
	assert_int_equal(lstat(rig.control_path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	(void)pair_ping(p, SIM_SMPP);
	p = pair_login(&rig, 0, gateway[0], SIM_SMPP);
	all = ctl_json("status --json");
	assert_int_equal(number(all, 0, "sessions", "relaying"), 2);
	json_decref(all);
	rig_stop(&rig);
	assert_int_not_equal(lstat(rig.control_path, &after), 0);
}

static void send_quietly(int fd, const void *p, size_t n)
{
	(void)send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void garbage(struct pair p)
{
	static char big[BIG];
	char answer[1024];
	int fd = ask_open();

	for (size_t i = 0; i < 200; i++)
		big[i] = (char)(i * 37 + 128);
	big[200] = '\n';
	send_quietly(fd, big, 201);
	take_all(fd, answer, sizeof answer, WAIT_MS);
	assert_string_equal(answer, "error: this is no line of text\n.\n");
	close(fd);
	memset(big, 'a', sizeof big);
	fd = ask_open();
	send_quietly(fd, big, sizeof big);
	take_all(fd, answer, sizeof answer, WAIT_MS);
	assert_string_equal(answer, "error: the line is too long\n.\n");
	close(fd);
	/* A mistake costs no more than its answer; the end of the stream ends a line, too. */
	fd = ask_open();
	send_quietly(fd, "nope\nhelp", 9);
	shutdown(fd, SHUT_WR);
	take_all(fd, answer, sizeof answer, WAIT_MS);
	assert_memory_equal(answer, "error: no verb \"nope\"; help lists them\n.\nstatus ", 48);
	assert_string_equal(answer + strlen(answer) - 3, "\n.\n");
	close(fd);
	pair_ping(p, SIM_SMPP);
}

static void crowd(struct pair p)
{
	char answer[1024];
	int fds[CROWD], refused = 0;

	for (int i = 0; i < CROWD; i++) {
		fds[i] = ask_open();
		pause_ms(1);
	}
	for (int i = 0; i < CROWD; i++) {
		take_all(fds[i], answer, sizeof answer, 1);
		refused += strcmp(answer, "error: too many clients\n.\n") == 0;
	}
	assert_int_equal(refused, CROWD - CLIENTS_MAX);
	free(ctl("help", 1));
	pair_ping(p, SIM_SMPP);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
	pause_ms(100);
	free(ctl("help", 0));
}

/* One that asks and never reads, and some that stop in the middle of a line. */
static void slow(struct pair p)
{
	static char line[] = "metrics\n", answer[1 << 22];
	int reader = ask_open(), half[4], ended;
	long before = rig_engine_kib(&rig, false);
	uint64_t p99, asked = now_us();

	for (int i = 0; i < 2000; i++)
		send_quietly(reader, line, sizeof line - 1);
	for (int i = 0; i < 4; i++) {
		half[i] = ask_open();
		send_quietly(half[i], "stat", 4);
	}
	p99 = pair_p99(p, SIM_SMPP, (LINE_S - 3) * 1000);
	print_message("beside slow clients: p99 of a bound session %lu us\n", (unsigned long)p99);
	assert_in_range(p99, 0, BOUND_P99_US);
	assert_true(rig_engine_kib(&rig, false) - before < 16 * 1024);
	free(ctl("help", 0));
	for (int i = 0; i < 4; i++) {
		ended = (int)take_all(half[i], answer, sizeof answer, (LINE_S - 3) * 1000);
		assert_string_equal(answer, "error: no line for too long\n.\n");
		assert_true(ended > 0);
		close(half[i]);
	}
	assert_in_range(now_us() - asked, (LINE_S - 1) * 1000000u, (LINE_S + 5) * 1000000u);
	pause_ms(3000);
	take_all(reader, answer, sizeof answer, 2000);
	assert_true(peer_ended(reader, 1000));
	assert_true(strlen(answer) < 1 << 20); /* what the kernel held; it was hung up on */
	close(reader);
}

static void misuse(void **state)
{
	struct rig_link links[2];
	int port[2], gateway[2];
	struct pair p;
	int fds;

	(void)state;
	begin(links, port, gateway);
	p = pair_login(&rig, 0, gateway[0], SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login");
	free(ctl("help", 0));
	fds = rig_engine_fds(&rig);
	garbage(p);
	crowd(p);
	slow(p);
	pause_ms(300);
	assert_int_equal(rig_engine_fds(&rig), fds);
	pair_ping(p, SIM_SMPP);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(counts, rig_sweep),
		cmocka_unit_test_teardown(engine_dies, rig_sweep),
		cmocka_unit_test_teardown(misuse, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
