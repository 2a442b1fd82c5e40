#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/*
 * Rows S1 to S3 of the fault list: a log that cannot be written changes nothing for the traffic.
 * The other log goes on, and beside it the blocked one accounts for every line: written +
 * dropped = all.
 */

enum { MIB = 1 << 20, COUNT = 30000 };

static struct rig rig;
static int port, gateway, gw_out;
static pid_t gw_pid;
static char dir[64];

/* What simsp found. */
struct figures {
	double rate;
	unsigned long p50_us, p99_us, ok, strange, unanswered;
};

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, P_tmpdir "/smscope-sink-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "fifo", "disk/log", "disk/filler" };
	char path[128];

	rig_sweep(state);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/disk", dir);
	umount2(path, MNT_DETACH);
	rmdir(path);
	rmdir(dir);
	return 0;
}

/*
 * Link l1 leads to simgw, l2 to a gateway that this test plays. `log` is the second log's path,
 * or NULL.
 */
static void begin(const char *log)
{
	const char *const args[] = { "--proto", "smpp", "--listen", "127.0.0.1:0", "--quiet",
		NULL };
	static int gateway_port;
	char more[512] = "", text[32] = "";
	struct rig_options o = { .more_logs = more };
	struct rig_link links[2] = {
		{ .protocol = "smpp", .upstream = &port, .upstream_count = 1 },
		{ .protocol = "cmpp", .upstream = &gateway_port, .upstream_count = 1 },
	};

	gw_pid = program_start(&gw_out, "simgw", args);
	assert_true(read(gw_out, text, sizeof text - 1) > 0);
	port = atoi(text);
	gateway = peer_listen(&gateway_port, 8);
	if (log)
		snprintf(more, sizeof more,
			",\n  { type = \"file\"; path = \"%s\"; format = \"json\"; queue = "
			"\"128K\"; }",
			log);
	rig_start(&rig, &o, links, 2);
}

static void end(void)
{
	kill(gw_pid, SIGTERM);
	assert_int_equal(program_wait(gw_pid, WAIT_MS), 0);
	close(gw_out);
	rig_stop(&rig);
}

static unsigned long figure(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	assert_non_null(at);
	return strtoul(at + strlen(key), NULL, 10);
}

static struct figures load(const char *count, const char *rate)
{
	char where[64], text[1024] = "";
	const char *const args[] = { "--proto", "smpp", "--connect", where, "--count", count,
		"--window", "16", "--connections", "2", "--rate", rate, NULL };
	struct figures f = { 0 };
	int out, code;
	pid_t pid;

	snprintf(where, sizeof where, "127.0.0.1:%d", rig.port[0]);
	pid = program_start(&out, "simsp", args);
	code = program_wait(pid, 60000);
	assert_true(read(out, text, sizeof text - 1) > 0);
	close(out);
	if (code)
		fail_msg("simsp: %s", text);
	f.ok = figure(text, " ok=");
	f.strange = figure(text, " strange=");
	f.unanswered = figure(text, " unanswered=");
	f.rate = (double)figure(text, " rate=");
	f.p50_us = figure(text, " p50_us=");
	f.p99_us = figure(text, " p99_us=");
	assert_int_equal(f.strange + f.unanswered, 0);
	return f;
}

/*
 * Throughput as fast as it goes, latency at a rate that leaves the machine room; every octet of
 * l2 right.
 */
static struct figures measure(const char *what)
{
	struct pair p = pair_login(&rig, 1, gateway, SIM_CMPP2);
	size_t n;
	uint8_t *octets = stream_make(SIM_CMPP2, 3, 2 * MIB, 3000, &n);
	struct flow flows[2] = { { .from = p.sp, .to = p.gw, .p = octets, .n = n },
		{ .from = p.gw, .to = p.sp, .p = octets, .n = n } };
	struct figures fast = load("30000", "0"), paced = load("2000", "2000");

	assert_int_equal(fast.ok, COUNT);
	flows_run(flows, 2, 1);
	peer_close(p.sp);
	peer_close(p.gw);
	free(octets);
	paced.rate = fast.rate;
	print_message("%-28s %8.0f PDU/s  p50 %5lu us  p99 %6lu us\n", what, paced.rate,
		paced.p50_us, paced.p99_us);
	return paced;
}

static bool alike(struct figures with, struct figures without)
{
	return with.rate > without.rate / 3 && with.p99_us < 4 * without.p99_us + 20000;
}

/*
 * Generous, for a machine with two cores that does other things too; a wait for a sink would be
 * seconds every time. The best of three counts.
 */
static void expect_undisturbed(const char *what, struct figures without)
{
	for (int i = 0; i < 3; i++)
		if (alike(measure(what), without))
			return;
	fail_msg("%s: slower three times", what);
}

/* Lines of a JSON log: records and the sum of `dropped` that they report. */
struct tally {
	unsigned long lines, dropped;
};

static void tally_line(struct tally *t, const char *line, size_t n)
{
	json_error_t e;
	json_t *o = json_loadb(line, n, 0, &e);
	json_t *dropped;

	if (!o)
		fail_msg("no JSON: %.*s", (int)n, line);
	dropped = json_object_get(o, "dropped");
	if (dropped)
		t->dropped += (unsigned long)json_integer_value(dropped);
	else
		t->lines++;
	json_decref(o);
}

/* Whole lines of `text`; returns the octets they take. */
static size_t tally_text(struct tally *t, const char *text, size_t n)
{
	size_t at = 0;
	const char *end;

	while (at < n && (end = memchr(text + at, '\n', n - at))) {
		tally_line(t, text + at, (size_t)(end - text) - at);
		at = (size_t)(end - text) + 1;
	}
	return at;
}

static unsigned long all_records(void)
{
	struct tally t = { 0 };
	size_t n;
	char *text = rig_file(&rig, rig.log_path, &n);

	tally_text(&t, text, n);
	free(text);
	return t.lines + t.dropped;
}

/* Read `fd` until written + dropped there is all that the first log has, and nothing new comes. */
static void expect_accounted(int fd, struct tally *t, char *rest, size_t *rest_n)
{
	static char text[1 << 17];
	unsigned long all = 0;

	for (uint64_t end = now_us() + 20000000u; now_us() < end;) {
		ssize_t r;

		memcpy(text, rest, *rest_n);
		r = read(fd, text + *rest_n, 65536);
		if (r > 0) {
			size_t n = *rest_n + (size_t)r, used = tally_text(t, text, n);

			*rest_n = n - used;
			assert_true(*rest_n < 16384);
			memcpy(rest, text + used, *rest_n);
			continue;
		}
		all = all_records();
		if (t->lines + t->dropped == all && *rest_n == 0)
			return;
		pause_ms(20);
	}
	fail_msg("%lu written + %lu dropped, %lu records", t->lines, t->dropped, all);
}

static char *fifo_make(char path[128])
{
	snprintf(path, 128, "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	return path;
}

static struct figures baseline(void)
{
	struct figures f;

	begin(NULL);
	f = measure("one log, nothing wrong");
	end();
	return f;
}

/* S3: a FIFO that is open and never read, then read. */
static void fifo_not_read(void **state)
{
	static char rest[65536];
	char path[128];
	struct figures without = baseline();
	struct tally t = { 0 };
	size_t rest_n = 0;
	int fd;

	(void)state;
	fd = open(fifo_make(path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	begin(path);
	expect_undisturbed("a FIFO nobody reads", without);
	expect_accounted(fd, &t, rest, &rest_n);
	assert_true(t.dropped > 0);
	print_message("%lu lines written, %lu dropped and reported\n", t.lines, t.dropped);
	close(fd);
	end();
}

/* S3: a FIFO that nobody even opened. */
static void fifo_not_open(void **state)
{
	char path[128];
	struct figures without = baseline();

	(void)state;
	begin(fifo_make(path));
	expect_undisturbed("a FIFO nobody has open", without);
	end();
}

static pid_t cat_start(const char *path)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int away = open("/dev/null", O_WRONLY);

		dup2(away, 1);
		execlp("cat", "cat", path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* S3: a reader is stopped, goes on, dies; the next one is served. */
static void fifo_reader_stops(void **state)
{
	char path[128];
	struct figures without = baseline();
	struct tally t = { 0 };
	pid_t cat;
	int fd;
	char line[8192];

	(void)state;
	cat = cat_start(fifo_make(path));
	begin(path);
	load("1000", "0");
	kill(cat, SIGSTOP);
	expect_undisturbed("a FIFO whose reader stopped", without);
	kill(cat, SIGCONT);
	load("1000", "0");
	kill(cat, SIGKILL);
	waitpid(cat, NULL, 0);
	expect_undisturbed("a FIFO whose reader died", without);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	for (uint64_t until = now_us() + 20000000u; now_us() < until && t.lines == 0;) {
		ssize_t r;

		load("10", "0");
		r = read(fd, line, sizeof line);
		if (r > 0)
			tally_text(&t, line, (size_t)r);
	}
	assert_true(t.lines > 0); /* opened again for the new reader, from the start of a line */
	close(fd);
	end();
}

/* S1: a device that is always full. */
static void disk_always_full(void **state)
{
	struct figures without = baseline();

	(void)state;
	begin("/dev/full");
	expect_undisturbed("/dev/full", without);
	end();
}

static void file_of(const char *path, size_t n)
{
	static const char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (n > 0) {
		ssize_t w = write(fd, zeros, n < sizeof zeros ? n : sizeof zeros);

		if (w <= 0)
			break;
		n -= (size_t)w;
	}
	close(fd);
}

/*
 * S1: a small disk fills up, is freed, and the log goes on with whole lines and the count of
 * those it lost.
 */
static void disk_full_then_free(void **state)
{
	static char rest[65536];
	char disk[96], log[128], filler[128];
	struct figures without;
	struct tally t = { 0 };
	size_t rest_n = 0;
	int fd;

	(void)state;
	snprintf(disk, sizeof disk, "%s/disk", dir);
	snprintf(log, sizeof log, "%s/log", disk);
	snprintf(filler, sizeof filler, "%s/filler", disk);
	assert_int_equal(mkdir(disk, 0700), 0);
	if (mount("none", disk, "tmpfs", 0, "size=64m")) {
		print_message("no tmpfs here: %s\n", strerror(errno));
		skip();
	}
	file_of(filler, 64 * MIB - 100000);
	without = baseline();
	begin(log);
	expect_undisturbed("a full tmpfs", without);
	assert_int_equal(unlink(filler), 0);
	pause_ms(1500);
	load("1000", "0");
	fd = open(log, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	expect_accounted(fd, &t, rest, &rest_n);
	assert_true(t.dropped > 0);
	print_message("%lu lines written, %lu dropped and reported\n", t.lines, t.dropped);
	close(fd);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fifo_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(fifo_not_open, setup, teardown),
		cmocka_unit_test_setup_teardown(fifo_reader_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_always_full, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_full_then_free, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
