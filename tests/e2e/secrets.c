#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/*
 * Rows O8 and O9 of the fault list: words that may be seen nowhere go through the daemon, and every
 * place that they could be seen in is looked through.
 */

#define PASSWORD "Canary7x"             /* of an SMPP bind */
#define AUTHENTICATOR "cAnArY-AUTH-0123" /* of a CMPP connect, and of its answer */
#define ISMG "cAnArY-ISMG-0123"
#define WORDS "canary words of a message"
#define NUMBER "13912345678"

enum { DEAD_WORDS = 5 };
static const char *const words[DEAD_WORDS] = { PASSWORD, AUTHENTICATOR, ISMG, WORDS, NUMBER };

static struct rig rig;
static int gateway, gateway_port;

static const char *hex_of(const char *word)
{
	static char hex[128];

	for (size_t i = 0; word[i] != '\0'; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)word[i]);
	return hex;
}

/* Fails when a word, or its octets in hexadecimal, stands in `text`, which comes from `where`. */
static void expect_none(const char *where, const char *text, size_t n)
{
	for (int i = 0; i < DEAD_WORDS; i++) {
		const char *hex = hex_of(words[i]);

		if (memmem(text, n, words[i], strlen(words[i])))
			fail_msg("%s shows \"%s\"", where, words[i]);
		if (memmem(text, n, hex, strlen(hex)))
			fail_msg("%s shows \"%s\" in hexadecimal", where, words[i]);
	}
}

static void expect_none_in_file(const char *path, bool must_say)
{
	size_t n;
	char *text = rig_file(&rig, path, &n);

	if (must_say)
		assert_true(n > 0);
	expect_none(path, text, n);
	free(text);
}

/* What a program of ours prints. */
static void expect_none_printed(const char *command, bool must_say)
{
	static char text[1 << 20];
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof text, f);
	pclose(f);
	if (must_say && n == 0)
		fail_msg("%s says nothing", command);
	expect_none(command, text, n);
}

static size_t login(enum sim_proto proto, bool answer, uint32_t status, uint8_t *to)
{
	struct sim_pdu p = { .what = answer ? SIM_LOGIN_RESP : SIM_LOGIN, .seq = 3, .status = status,
		.user = sim_text(answer ? "gateway" : "900001"),
		.secret = sim_text(proto == SIM_SMPP ? PASSWORD : answer ? ISMG : AUTHENTICATOR),
		.stamp = 1121080000 };

	return sim_build(proto, &p, to);
}

/* A login that the gateway answers with `status`, a message and its report. */
static void talk(int link, enum sim_proto proto, uint32_t status)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT, .seq = 4, .src = sim_text("1069"),
		.dst = sim_text(NUMBER), .body = sim_text(WORDS) };
	struct sim_pdu deliver = { .what = SIM_DELIVER, .seq = 5, .src = sim_text(NUMBER),
		.dst = sim_text("1069"), .body = sim_text(WORDS) };
	uint8_t octets[SIM_PDU_MAX];
	int sp = peer_dial(rig.port[link]), gw;
	size_t n = login(proto, false, 0, octets);

	peer_send(sp, octets, n);
	gw = peer_accept(gateway);
	peer_expect(gw, octets, n);
	n = login(proto, true, status, octets);
	peer_send(gw, octets, n);
	peer_expect(sp, octets, n);
	n = sim_build(proto, &submit, octets);
	peer_send(sp, octets, n);
	peer_expect(gw, octets, n);
	n = sim_build(proto, &deliver, octets);
	peer_send(gw, octets, n);
	peer_expect(sp, octets, n);
	peer_close(sp);
	peer_close(gw);
}

/* Logins that do not parse, are cut, are refused by us, or are never answered. */
static void stammer(int link, enum sim_proto proto)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login(proto, false, 0, octets);
	int sp = peer_dial(rig.port[link]), gw;

	peer_send(sp, octets, n - 2);
	peer_close(sp);
	sp = peer_dial(rig.port[link]);
	octets[3] = (uint8_t)(octets[3] - 3);	/* its length cuts the login */
	peer_send(sp, octets, n);
	if (peer_has_caller(gateway, 300)) {
		gw = peer_accept(gateway);
		(void)peer_ended(gw, 100);
		peer_close(gw);
	}
	peer_close(sp);
}

static void open_cores(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_CORE, &all);
}

/* Every octet of the shared memory, where the rings' copies lie. */
static int look_through_shared_memory(void)
{
	char dir[64], path[128], name[128];
	struct dirent *d;
	int found = 0;
	DIR *fds;

	snprintf(dir, sizeof dir, "/proc/%d/fd", (int)rig.pid);
	fds = opendir(dir);
	while (fds && (d = readdir(fds)) != NULL) {
		ssize_t n;

		snprintf(path, sizeof path, "%s/%.20s", dir, d->d_name);
		n = readlink(path, name, sizeof name - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strncmp(name, "/memfd:smscope ", 15) != 0)
			continue;
		/* WORDS and NUMBER are in the frames, for who shows them; secrets are not. */
		for (int i = 0; i < 3; i++) {
			size_t size;
			char *octets = rig_file(&rig, path, &size);

			assert_true(size > 65536);
			assert_null(memmem(octets, size, words[i], strlen(words[i])));
			free(octets);
		}
		found++;
	}
	if (fds)
		closedir(fds);
	return found;
}

static void wait_for_next_engine(pid_t dead)
{
	for (int i = 0; i < WAIT_MS / 10; i++, pause_ms(10)) {
		char path[64];
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)rig.pid, (int)rig.pid);
		f = fopen(path, "r");
		assert_non_null(f);
		if (fscanf(f, "%d", &rig.engine) != 1)
			rig.engine = dead;
		fclose(f);
		if (rig.engine != dead)
			return;
	}
	fail_msg("no other engine comes up");
}

/* A crash leaves a message and no core, whatever the limit. */
static void crash(void)
{
	struct dirent *d;
	char *text;
	DIR *dir;

	kill(rig.engine, SIGABRT);
	wait_for_next_engine(rig.engine);
	dir = opendir(rig.dir);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, "core", 4) == 0)
			fail_msg("a core file: %s", d->d_name);
	closedir(dir);
	text = rig_file(&rig, rig.err_path, NULL);
	assert_non_null(strstr(text, "signal=SIGABRT core=no"));
	free(text);
	talk(0, SIM_SMPP, 0);
}

static void everywhere(void **state)
{
	char text_log[256], log_path[160], command[512];
	struct rig_options options = { .control = true, .before = open_cores, .sealed = true,
		.more_logs = text_log };
	struct rig_link links[2] = {
		{ .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1,
			.keys = "retry = \"10ms\";" },
		{ .protocol = "auto", .upstream = &gateway_port, .upstream_count = 1 },
	};
	static const char *const verbs[] = { "help", "status", "sessions", "unknown", "metrics" };

	(void)state;
	gateway = peer_listen(&gateway_port, 64);
	snprintf(text_log, sizeof text_log, ", { type = \"file\"; path = \"log.txt\"; }");
	rig_start(&rig, &options, links, 2);
	for (uint32_t status = 0; status < 2; status++) {
		talk(0, SIM_SMPP, status);
		talk(1, SIM_SMPP, status);
		talk(1, SIM_CMPP2, status);
		talk(1, SIM_CMPP3, status);
	}
	stammer(0, SIM_SMPP);
	stammer(1, SIM_CMPP2);
	rig_await_count(&rig, 4, "ev=login code=0");
	rig_await_count(&rig, 8, "ev=session_close how=fin");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		for (int json = 0; json < 2; json++) {
			snprintf(command, sizeof command, BUILD_DIR "/smscope ctl --socket %s %s %s 2>&1",
				rig.control_path, json ? "--json" : "", verbs[i]);
			expect_none_printed(command, true);
		}
	snprintf(command, sizeof command, BUILD_DIR "/smscoped --dump-config -c %s/smscope.conf",
		rig.dir);
	expect_none_printed(command, true);
	snprintf(command, sizeof command, "cat /proc/%d/cmdline /proc/%d/cmdline", (int)rig.pid,
		(int)rig.engine);
	expect_none_printed(command, true);
	if (geteuid() == 0)
		assert_true(look_through_shared_memory() > 0);
	crash();
	rig_await_count(&rig, 9, "ev=login");
	snprintf(log_path, sizeof log_path, "%s/log.txt", rig.dir);
	expect_none_in_file(rig.log_path, true);
	expect_none_in_file(log_path, true);
	expect_none_in_file(rig.err_path, true);
	rig_stop(&rig);
}

static void just_log_in(enum sim_proto proto)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login(proto, false, 0, octets);
	int sp = peer_dial(rig.port[0]), gw;

	peer_send(sp, octets, n);
	gw = peer_accept(gateway);
	peer_expect(gw, octets, n);
	n = login(proto, true, 0, octets);
	if (proto == SIM_SMPP)
		n = 16;	/* no more than a header: the least to lie on top of a login */
	octets[3] = (uint8_t)n;
	peer_send(gw, octets, n);
	peer_expect(sp, octets, n);
}

/*
 * No login stays in the engine's own memory once it is over. Looked for with the account before it: without
 * optimisation a variable of eight octets may keep the password alone on a dead part of a stack. Needs root.
 */
static void not_in_memory(void **state)
{
	static const struct rig_options options = { .sealed = true,
		.daemon = "workers = 1; drain_timeout = \"2s\";" };
	struct rig_link link = { .protocol = "auto", .upstream = &gateway_port, .upstream_count = 1 };
	static const struct {
		const char *p;
		size_t n;
	} left[] = { { "900001\0" PASSWORD, 15 }, { AUTHENTICATOR, 16 }, { ISMG, 16 } };
	char path[64], line[512];
	static char octets[1 << 20];
	int mem, found = 0;
	FILE *maps;

	(void)state;
	if (geteuid() != 0)
		skip();
	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
	talk(0, SIM_SMPP, 1);
	talk(0, SIM_CMPP2, 0);
	rig_await_count(&rig, 2, "ev=session_close");
	/* Logins last: whatever comes behind one lies where it did. */
	just_log_in(SIM_CMPP2);
	just_log_in(SIM_SMPP);
	snprintf(path, sizeof path, "/proc/%d/maps", (int)rig.engine);
	maps = fopen(path, "r");
	snprintf(path, sizeof path, "/proc/%d/mem", (int)rig.engine);
	mem = open(path, O_RDONLY);
	assert_true(maps != NULL && mem >= 0);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char mode[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
			to - from > 1ul << 30)
			continue;
		/* Pieces overlap by more than a word. */
		for (unsigned long at = from; at < to; at += sizeof octets - 64) {
			size_t want = to - at < sizeof octets ? to - at : sizeof octets;
			ssize_t n = pread(mem, octets, want, (off_t)at);

			for (size_t i = 0; n > 0 && i < sizeof left / sizeof *left; i++)
				if (memmem(octets, (size_t)n, left[i].p, left[i].n)) {
					print_error("word %zu is in %s", i, line);
					found++;
				}
		}
	}
	close(mem);
	fclose(maps);
	assert_int_equal(found, 0);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(everywhere, rig_sweep),
		cmocka_unit_test_teardown(not_in_memory, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
