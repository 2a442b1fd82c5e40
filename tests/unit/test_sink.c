#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sink_case.h"

/* Rows S1 to S5 of faults.md, and what sink_put() costs while the system holds the writer. */

static struct sink *new_sink(const char *file, uint32_t queue)
{
	struct sink_settings s = {.type = SINK_FILE,
				  .path = (char *)(uintptr_t)file,
				  .format = FORMAT_TEXT,
				  .kinds = UINT32_MAX,
				  .queue = queue,
				  .mask = MASK_NONE};
	struct sink *k = sink_new(&s, NULL);

	assert_non_null(k);
	return k;
}

/* Every line is whole; its numbers go on from *next. Returns how many lines. */
static uint32_t check_lines(char *text, uint32_t *next)
{
	uint32_t lines = 0;
	char *line, *save = NULL;

	assert_true(text[0] == '\0' || text[strlen(text) - 1] == '\n');
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		const char *seq = strstr(line, " seq=");

		assert_non_null(seq);
		assert_non_null(strstr(line, " dst=13800001234"));
		assert_int_equal(strtoul(seq + 5, NULL, 10), *next);
		(*next)++;
		lines++;
	}
	return lines;
}

static void lines_reach_the_file(void **state)
{
	struct sink *k = new_sink(path, 1 << 20);
	uint32_t next = 0;
	struct stat st;
	char *text;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		put(k, i);
	settle(k);
	assert_int_equal(counts_of(k).lines, 1000);
	assert_int_equal(counts_of(k).dropped, 0);
	sink_free(k, 1000);
	text = read_file(path);
	assert_int_equal(check_lines(text, &next), 1000);
	free(text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void kinds_are_chosen(void **state)
{
	struct sink_settings s = { .type = SINK_FILE, .path = path, .kinds = 1u << REC_REPORT };
	struct sink *k = sink_new(&s, NULL);
	char *text;

	(void)state;
	put(k, 1);
	sink_free(k, 1000);
	text = read_file(path);
	assert_string_equal(text, "");
	free(text);
}

/* A line that a dead process left half written is ended before ours begin. */
static void half_a_line_is_ended(void **state)
{
	struct sink *k;
	int fd = open(path, O_WRONLY | O_CREAT, 0640);
	char *text;

	(void)state;
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	k = new_sink(path, 0);
	put(k, 1);
	sink_free(k, 1000);
	text = read_file(path);
	assert_memory_equal(text, "half\n20", 7);
	free(text);
}

static void symbolic_link_is_refused(void **state)
{
	struct sink *k;

	(void)state;
	assert_int_equal(symlink("/dev/null", path), 0);
	k = new_sink(path, 0);
	put(k, 1);
	sink_flush(k);
	nap(50);
	assert_true(counts_of(k).errors >= 1);
	assert_int_equal(counts_of(k).lines, 0);
	sink_free(k, 0);
}

/* S4: rename and reopen twenty times under load; no line is lost, split or out of order. */
static void rotation_under_load(void **state)
{
	enum { ROTATIONS = 20, LINES = 500 };
	struct sink *k = new_sink(path, 4 << 20);
	uint32_t next = 0, total = 0;
	char name[128], *text;

	(void)state;
	for (uint32_t r = 0; r < ROTATIONS; r++) {
		for (uint32_t i = 0; i < LINES; i++)
			put(k, r * LINES + i);
		if (r % 3 == 0)
			settle(k); /* sometimes the writer is far behind, sometimes idle */
		else
			sink_flush(k);
		while (access(path, F_OK) != 0)
			nap(1);
		snprintf(name, sizeof(name), "%s.%u", path, r);
		assert_int_equal(rename(path, name), 0);
		sink_reopen(k);
		while (access(path, F_OK) != 0)
			nap(1);
	}
	sink_free(k, 2000);
	for (uint32_t r = 0; r < ROTATIONS; r++) {
		uint32_t lines;

		snprintf(name, sizeof(name), "%s.%u", path, r);
		text = read_file(name);
		lines = check_lines(text, &next);
		assert_int_equal(lines, LINES); /* exactly those put before the request */
		total += lines;
		free(text);
	}
	assert_int_equal(total, ROTATIONS * LINES);
}

static void reopen_without_a_folder_keeps_the_old_file(void **state)
{
	struct sink *k;
	char *text, sub[128], file[160], kept[160];
	uint32_t next = 1;

	(void)state;
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	snprintf(file, sizeof(file), "%s/log", sub);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	mkdir(sub, 0750);
	k = new_sink(file, 0);
	put(k, 1);
	settle(k);
	assert_int_equal(rename(file, kept), 0);
	assert_int_equal(rmdir(sub), 0);
	sink_reopen(k);
	nap(50);
	assert_true(counts_of(k).errors >= 1);
	put(k, 2);
	settle(k);
	text = read_file(kept);
	assert_int_equal(check_lines(text, &next), 2);
	free(text);
	assert_int_equal(mkdir(sub, 0750), 0);
	for (int i = 0; i < 300 && access(file, F_OK) != 0; i++)
		nap(10);
	put(k, 3);
	sink_free(k, 1000);
	text = read_file(file);
	assert_int_equal(check_lines(text, &next), 1);
	free(text);
}

/* Longest time that one of `n` puts took, in nanoseconds. */
static uint64_t worst_put(struct sink *k, uint32_t n)
{
	uint64_t worst = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t before = clock_mono_ns(), took;

		put(k, i);
		if (i % 64 == 0)
			sink_flush(k);
		took = clock_mono_ns() - before;
		if (took > worst)
			worst = took;
	}
	return worst;
}

static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/*
 * S1 with the disk that is always full: lines wait, then are dropped and counted; nobody spins,
 * nobody waits.
 */
static void full_disk(void **state)
{
	struct sink *k = new_sink("/dev/full", 0);
	uint64_t before, cpu;
	struct sink_counts c;

	(void)state;
	worst_put(k, 5000);
	c = counts_of(k);
	assert_true(c.dropped > 0);
	assert_int_equal(c.lines, 0);
	assert_in_range(c.queued, 60000, 65536);
	cpu = cpu_ns();
	nap(1500);
	cpu = cpu_ns() - cpu;
	assert_in_range(counts_of(k).errors, 1, 4); /* once a second */
	assert_true(cpu < 50 * 1000000);
	before = clock_mono_ns();
	sink_free(k, 100);
	assert_true(clock_mono_ns() - before < 1000 * 1000000ull);
}

/*
 * S1: the file may not grow (RLIMIT_FSIZE), then it may: the queue goes out, one line tells of the
 * dropped ones.
 */
static void limit_that_goes_away(void **state)
{
	struct rlimit before, small;
	struct sink *k;
	char *text, *lost;
	unsigned long dropped;
	uint32_t lines = 0;

	(void)state;
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 10000;
	k = new_sink(path, 0);
	setrlimit(RLIMIT_FSIZE, &small);
	worst_put(k, 3000);
	nap(100);
	assert_true(counts_of(k).errors > 0);
	assert_true(counts_of(k).dropped > 0);
	setrlimit(RLIMIT_FSIZE, &before);
	for (int i = 0; i < 40 && counts_of(k).queued > 0; i++)
		nap(50);
	put(k, 3000);
	settle(k);
	dropped = counts_of(k).dropped;
	sink_free(k, 1000);
	text = read_file(path);
	lost = strstr(text, " LOST ");
	assert_non_null(lost);
	assert_null(strstr(lost + 1, " LOST "));
	assert_int_equal(strtoul(strstr(lost, " dropped=") + 9, NULL, 10), dropped);
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) {
		lines++;
		assert_true(p[1] == '\0' || strncmp(p + 1, "20", 2) == 0); /* no line is split */
	}
	assert_int_equal(lines, 3001 - dropped + 1);
	free(text);
}

/* S2: a FIFO that nobody reads holds up nothing, not even opening. */
static void fifo_that_nobody_reads(void **state)
{
	struct sink *k;
	uint64_t before, worst;

	(void)state;
	assert_int_equal(mkfifo(path, 0640), 0);
	before = clock_mono_ns();
	k = new_sink(path, 0);
	assert_true(clock_mono_ns() - before < 100 * 1000000ull);
	worst = worst_put(k, 20000);
	print_message("worst put into a FIFO that nobody reads: %llu us\n",
		      (unsigned long long)worst / 1000);
	assert_true(counts_of(k).dropped > 0);
	before = clock_mono_ns();
	sink_free(k, 50);
	assert_true(clock_mono_ns() - before < 1000 * 1000000ull);
}

static size_t drain(int fd, char *to, size_t cap)
{
	size_t n = 0;
	ssize_t got;
	struct pollfd p = { fd, POLLIN, 0 };

	while (n < cap && poll(&p, 1, 300) > 0 && (got = read(fd, to + n, cap - n)) > 0)
		n += (size_t)got;
	return n;
}

/*
 * S3: the reader stops, dies, another comes: no SIGPIPE, and each reader begins with a whole line.
 */
static void fifo_reader_dies(void **state)
{
	enum { CAP = 1 << 20 };
	struct sink *k;
	char *text = malloc(CAP + 1);
	int fd;
	size_t n;
	uint32_t first, next;

	(void)state;
	assert_int_equal(mkfifo(path, 0640), 0);
	k = new_sink(path, 1 << 20);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	worst_put(k, 3000); /* more than the pipe and less than pipe and queue: the reader stands
			       still */
	nap(1200);
	assert_int_equal(counts_of(k).dropped, 0);
	n = (size_t)read(fd, text, 1000);
	assert_int_equal(n, 1000);
	close(fd); /* dies with unread octets in the pipe */
	nap(50);
	sink_flush(k);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	for (int i = 0; i < 30 && counts_of(k).queued > 0; i++) {
		n = drain(fd, text, CAP);
		if (n > 0)
			break;
	}
	text[n] = '\0';
	assert_memory_equal(text, "20", 2);
	first = next = (uint32_t)strtoul(strstr(text, " seq=") + 5, NULL, 10);
	assert_true(first > 0);
	assert_true(check_lines(text, &next) > 0);
	assert_int_equal(next, 3000);
	sink_free(k, 100);
	close(fd);
	free(text);
}

/* Standard output into a pipe whose reader has gone: the lines are dropped, the process lives. */
static void stdout_reader_gone(void **state)
{
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct sink_settings s = { .type = SINK_STDOUT, .kinds = UINT32_MAX, .color = -1 };
		struct sink *k;

		dup2(ends[1], STDOUT_FILENO);
		close(ends[1]);
		close(ends[0]);
		k = sink_new(&s, NULL);
		worst_put(k, 1000);
		nap(100);
		sink_flush(k);
		nap(100);
		_exit(counts_of(k).queued == 0 && counts_of(k).dropped >= 1 ? 0 : 1);
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Standard output into a pipe that nobody empties: nothing waits, the end comes in time. */
static void stdout_reader_stopped(void **state)
{
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct sink_settings s = { .type = SINK_STDOUT, .kinds = UINT32_MAX, .color = -1 };
		struct sink *k;
		uint64_t before;

		dup2(ends[1], STDOUT_FILENO);
		k = sink_new(&s, NULL);
		worst_put(k, 20000);
		before = clock_mono_ns();
		sink_free(k, 50);
		_exit(clock_mono_ns() - before < 1000 * 1000000ull ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(lines_reach_the_file),
		TEST(kinds_are_chosen),
		TEST(half_a_line_is_ended),
		TEST(symbolic_link_is_refused),
		TEST(rotation_under_load),
		TEST(reopen_without_a_folder_keeps_the_old_file),
		TEST(full_disk),
		TEST(limit_that_goes_away),
		TEST(fifo_that_nobody_reads),
		TEST(fifo_reader_dies),
		TEST(stdout_reader_gone),
		TEST(stdout_reader_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
