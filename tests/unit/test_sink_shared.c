#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sink/sink_note.h"
#include "sink_case.h"

/*
 * What a sink makes of the memory that a dead process left, each state of it made by hand: killed
 * before, inside and behind a write, with the file as it was, renamed, or touched by somebody else.
 * test_sink_kill.c has real deaths.
 */

enum { LINES = 3 };

static const char old_text[] = "an old line\n";

static struct sink_settings settings;
static struct sink_queue *memory, *template; /* as much of both as `extent` */
static size_t extent;
static char folder[80], file[96], renamed[128], expected[2048];
static uint32_t waiting; /* octets of LINES lines in the template */

static struct sink *sink_over(void *mem)
{
	struct sink *k = sink_new(&settings, mem);

	assert_non_null(k);
	return k;
}

static struct sink_queue *new_memory(void)
{
	void *p = aligned_alloc(64, extent);

	assert_non_null(p);
	memset(p, 0, extent);
	return p;
}

/* Lines wait in the template's queue, for their folder was not there yet. */
static int make_template(void **state)
{
	struct sink *k;

	if (make_dir(state) != 0)
		return -1;
	snprintf(folder, sizeof(folder), "%s/sub", dir);
	snprintf(file, sizeof(file), "%s/log", folder);
	snprintf(renamed, sizeof(renamed), "%s/log.1", folder);
	settings = (struct sink_settings){ .type = SINK_FILE, .path = file, .format = FORMAT_TEXT,
		.kinds = UINT32_MAX, .mask = MASK_NONE };
	extent = sink_shared_bytes(&settings);
	template = new_memory();
	memory = new_memory();
	k = sink_over(template);
	for (uint32_t i = 0; i < LINES; i++)
		put(k, i);
	waiting = counts_of(k).queued;
	assert_true(sink_leave(k, 1000));
	assert_int_equal(sink_queue_used(template), waiting);
	assert_in_range(waiting, 100, sizeof(expected) - 100);
	atomic_store(&template->tally.errors, 0);
	memcpy(expected, template->data, waiting);
	expected[waiting] = '\0';
	return mkdir(folder, 0750);
}

static int free_template(void **state)
{
	free(template);
	free(memory);
	return remove_dir(state);
}

static void write_file(const char *to, const char *text, size_t n)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_APPEND, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st;
}

/*
 * The state of one who wrote `before` octets, noted the rest, and died when `n` of that were out;
 * if `consumed`, after the tail had moved.
 */
static void die(size_t before, size_t n, bool consumed)
{
	struct sink_tally *tally = &memory->tally;
	uint64_t end, lines;
	struct stat st;

	memcpy(memory, template, extent);
	(void)unlink(file);
	(void)unlink(renamed);
	write_file(file, old_text, strlen(old_text));
	write_file(file, expected, before);
	atomic_store(&tally->octets, before);
	st = stat_of(file);
	sink_note_write(memory, &st, st.st_size, before, waiting);
	write_file(file, expected + before, n);
	if (!consumed)
		return;
	lines = sink_queue_lines(memory, 0, before + n, &end);
	atomic_store(&tally->octets, before + n);
	atomic_store(&tally->lines, lines);
	sink_queue_consume(memory, end);
}

/* The next process writes what there is to write. */
static struct sink_counts live(void)
{
	struct sink *k = sink_over(memory);
	struct sink_counts c;

	assert_true(sink_free(k, 2000));
	k = sink_over(memory);
	c = counts_of(k);
	assert_true(sink_leave(k, 1000));
	return c;
}

/* The file has these texts, one behind the other. */
static void expect(const char *name, const char *a, const char *b, const char *c)
{
	char *text = read_file(name), all[4096];

	snprintf(all, sizeof(all), "%s%s%s", a, b, c);
	assert_string_equal(text, all);
	free(text);
}

static void inside_a_write(size_t before)
{
	for (size_t n = 0; n <= waiting - before; n++)
		for (int consumed = 0; consumed < 2; consumed++) {
			struct sink_counts c;

			die(before, n, consumed != 0);
			c = live();
			expect(file, old_text, expected, "");
			assert_int_equal(c.lines, LINES);
			assert_int_equal(c.octets, waiting);
			assert_int_equal(c.dropped, 0);
			assert_int_equal(c.errors, 0);
		}
}

static void killed_at_every_octet(void **state)
{
	(void)state;
	inside_a_write(0);
}

/* The write before had stopped inside a line. */
static void killed_behind_half_a_line(void **state)
{
	(void)state;
	inside_a_write(17);
}

/* Two deaths: the second one before anything was written again. */
static void killed_twice(void **state)
{
	(void)state;
	for (size_t n = 0; n <= waiting; n += 5) {
		struct sink *k;

		die(0, n, false);
		k = sink_over(memory);
		assert_true(sink_leave(k, 1000)); /* may have written, or not even have looked */
		assert_int_equal(live().lines, LINES);
		expect(file, old_text, expected, "");
	}
}

/* A tally was counted on, and the tail had not moved yet. */
static void killed_while_counting(void **state)
{
	struct sink_counts c;

	(void)state;
	die(0, waiting, false);
	atomic_store(&memory->tally.octets, waiting);
	atomic_store(&memory->tally.lines, LINES);
	c = live();
	assert_int_equal(c.lines, LINES);
	assert_int_equal(c.octets, waiting);
	expect(file, old_text, expected, "");
}

/* Whole lines stay in the old file, the rest goes to the new one. */
static void renamed_while_nobody_ran(void **state)
{
	char begun[2048];

	(void)state;
	for (size_t n = 0; n <= waiting; n++) {
		uint64_t end;

		die(0, n, false);
		(void)sink_queue_lines(template, 0, n, &end);
		assert_int_equal(rename(file, renamed), 0);
		if (n % 2 == 0)
			write_file(file, "new\n", 4); /* logrotate's "create", say */
		assert_int_equal(live().lines, LINES);
		expect(file, n % 2 == 0 ? "new\n" : "", expected + end, "");
		snprintf(begun, sizeof(begun), "%.*s", (int)end, expected);
		expect(renamed, old_text, begun, "");
	}
}

/* Nothing tells where the old file is: every line is written, some for the second time. */
static void moved_away(void **state)
{
	char elsewhere[128];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	die(0, waiting / 2, false);
	assert_int_equal(rename(file, elsewhere), 0);
	(void)live();
	expect(file, "", expected, "");
}

/* Somebody else wrote behind our octets, or cut the file: lines are whole, some are there twice. */
static void touched_by_somebody_else(void **state)
{
	char begun[2048];

	(void)state;
	for (size_t n = 0; n <= waiting; n++) {
		die(0, n, false);
		write_file(file, "who?", 4);
		(void)live();
		snprintf(begun, sizeof(begun), "%s%.*swho?\n", old_text, (int)n, expected);
		expect(file, begun, expected, "");
		die(0, n, false);
		assert_int_equal(truncate(file, 0), 0);
		(void)live();
		expect(file, expected, "", "");
	}
}

/* As long as ours would be, and not ours. */
static void grown_by_somebody_else(void **state)
{
	static const char other[] = "2026-11-22 not ours";
	char begun[2048];

	(void)state;
	die(0, 0, false);
	write_file(file, other, strlen(other));
	(void)live();
	snprintf(begun, sizeof(begun), "%s%s\n", old_text, other);
	expect(file, begun, expected, "");
}

/* If a half line may have gone out, its reader gets a line end first. */
static void half_a_line_in_a_fifo(void **state)
{
	char text[2048];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(file, 0640), 0);
	fd = open(file, O_RDWR | O_NONBLOCK);
	st = stat_of(file);
	for (uint32_t half = 0; half < 2; half++) {
		ssize_t n;

		memcpy(memory, template, extent);
		sink_note_write(memory, &st, 0, 0, waiting - 10 * half);
		(void)live();
		n = read(fd, text, sizeof(text));
		assert_int_equal(n, waiting + half);
		if (half != 0)
			assert_int_equal(text[0], '\n');
		assert_memory_equal(text + half, expected, waiting);
	}
	close(fd);
}

/* A line on standard error for each, and none of them goes on. */
static void memory_that_does_not_fit(void **state)
{
	static const char *const words[] = { "another layout", "cannot be", "cannot be",
		"cannot be", "another size", "another log's", "" };
	char name[128], other[128], lines[48], *said, *text;
	int saved = dup(STDERR_FILENO), fd;

	(void)state;
	snprintf(name, sizeof(name), "%s/stderr", dir);
	snprintf(other, sizeof(other), "%s/other", folder);
	snprintf(lines, sizeof(lines), "lines that waited there are lost lines=%d\n", LINES);
	for (int i = 0; i < 7; i++) {
		memcpy(memory, template, extent);
		memory->layout += i == 0;
		if (i == 1)
			atomic_store(&memory->tail, waiting + 1);
		if (i == 2)
			atomic_store(&memory->head, memory->size + waiting);
		if (i == 3)
			atomic_fetch_sub(&memory->head, 1);
		memory->size <<= i == 4;
		if (i == 6) /* of another log, too, and empty */
			atomic_store(&memory->tail, atomic_load(&memory->head));
		settings.path = i >= 5 ? other : file;
		assert_int_equal(sink_shared_fits(memory, &settings), i != 0 && i < 5);
		assert_int_equal(sink_shared_empty(memory), i == 6);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
		dup2(fd, STDERR_FILENO);
		close(fd);
		(void)unlink(settings.path);
		(void)live();
		dup2(saved, STDERR_FILENO);
		said = read_file(name);
		assert_non_null(strstr(said, words[i]));
		if (i == 6)
			assert_string_equal(said, "");
		else
			assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
		assert_int_equal(strstr(said, lines) != NULL, i == 5);
		free(said);
		text = read_file(settings.path);
		assert_null(strstr(text, " seq="));
		assert_true(i == 6 ? text[0] == '\0' : strstr(text, " LOST ") != NULL);
		snprintf(lines, sizeof(lines), "dropped=%d ", LINES);
		assert_int_equal(strstr(text, lines) != NULL, i == 5);
		assert_int_equal(strstr(text, "dropped=") != NULL, i == 5);
		assert_int_equal(atomic_load(&memory->tally.dropped), i == 5 ? LINES : 0);
		snprintf(lines, sizeof(lines), "lines that waited there are lost lines=%d\n", LINES);
		free(text);
		assert_true(sink_shared_fits(memory, &settings));
	}
	close(saved);
}

static uint32_t count_of(const char *text, const char *word)
{
	uint32_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* Lines dropped before the death are told once: by the dead process, or by the next. */
static void losses_are_told_once(void **state)
{
	static const char told[] = "2026-11-21 lab LOST dropped=5 where=sink\n";
	char *text;

	(void)state;
	for (int put_already = 0; put_already < 2; put_already++) {
		struct sink_loss *loss = &memory->loss;

		memcpy(memory, template, extent);
		(void)unlink(file);
		atomic_store(&loss->lost, 5);
		atomic_store(&memory->tally.dropped, 5);
		loss->from_ns = loss->to_ns = 1795259820123456789ull;
		loss->told_at = waiting + strlen(told);
		if (put_already)
			assert_true(sink_queue_put(memory, told, strlen(told), 0));
		assert_int_equal(live().dropped, 5);
		text = read_file(file);
		assert_int_equal(count_of(text, "dropped=5"), 1);
		assert_int_equal(count_of(text, "\n"), LINES + 1);
		free(text);
	}
}

/* A sink is left and taken on while it writes; nothing gets lost, nothing comes twice. */
static void left_and_taken_on(void **state)
{
	enum { TIMES = 200, EACH = 50 };
	uint32_t next = 0;
	char *text, *at;

	(void)state;
	memset(memory, 0, extent);
	settings.queue = 1 << 16;
	for (int i = 0; i < TIMES; i++) {
		struct sink *k = sink_over(memory);

		for (int j = 0; j < EACH; j++)
			put(k, next++);
		sink_flush(k);
		if (i % 10 == 9)
			settle(k);
		assert_int_equal(counts_of(k).dropped, 0);
		assert_true(sink_leave(k, 1000));
	}
	assert_int_equal(live().lines, TIMES * EACH);
	text = at = read_file(file);
	for (uint32_t i = 0; i < next; i++) {
		at = strstr(at, " seq=");
		assert_non_null(at);
		assert_int_equal(strtoul(at + 5, NULL, 10), i);
		at++;
	}
	assert_null(strstr(at, " seq="));
	free(text);
}

/* A record whose line is there is known by its id; one that died on the way is not taken for it, whatever came behind. */
static void records_are_put_once(void **state)
{
	static const unsigned long expect[] = { 1, 2, 3 };
	struct sink *k;
	uint32_t next;
	char *text, *at;

	(void)state;
	memset(memory, 0, extent);
	k = sink_over(memory);
	put_record(k, 1, 10);
	assert_true(sink_leave(k, 1000));
	next = 1 - atomic_load(&memory->begun);
	memory->puts[next] = (struct sink_put){ .id = 11, .end = atomic_load(&memory->head) + 10 };
	atomic_store(&memory->begun, next);
	assert_int_equal(sink_queue_last(memory), 10);
	k = sink_over(memory);
	put(k, 2);
	assert_int_equal(sink_queue_last(memory), 10);
	put_record(k, 3, 11);
	assert_int_equal(sink_queue_last(memory), 11);
	put_record(k, 4, 10);
	put_record(k, 5, 11);
	settle(k);
	assert_true(sink_leave(k, 1000));
	text = at = read_file(file);
	for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++) {
		at = strstr(at, " seq=");
		assert_non_null(at);
		assert_int_equal(strtoul(at + 5, &at, 10), expect[i]);
	}
	assert_null(strstr(at, " seq="));
	free(text);
}

/* Counters and lines of a disk that is full outlive who met it. */
static void full_disk_over_deaths(void **state)
{
	static char full[] = "/dev/full";
	struct sink_counts first, second;
	struct sink *k;

	(void)state;
	memset(memory, 0, extent);
	settings.path = full;
	k = sink_over(memory);
	for (uint32_t i = 0; i < 5000; i++)
		put(k, i);
	sink_flush(k);
	for (int i = 0; i < 1000 && counts_of(k).errors == 0; i++)
		nap(1);
	first = counts_of(k);
	assert_true(first.dropped > 0 && first.errors > 0);
	assert_true(sink_leave(k, 1000));
	k = sink_over(memory);
	second = counts_of(k);
	assert_int_equal(second.dropped, first.dropped);
	assert_int_equal(second.queued, first.queued);
	assert_true(second.errors >= first.errors);
	assert_true(sink_leave(k, 1000));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_template, free_template)
	const struct CMUnitTest tests[] = {
		TEST(killed_at_every_octet),
		TEST(killed_behind_half_a_line),
		TEST(killed_twice),
		TEST(killed_while_counting),
		TEST(renamed_while_nobody_ran),
		TEST(moved_away),
		TEST(touched_by_somebody_else),
		TEST(grown_by_somebody_else),
		TEST(half_a_line_in_a_fifo),
		TEST(memory_that_does_not_fit),
		TEST(losses_are_told_once),
		TEST(left_and_taken_on),
		TEST(records_are_put_once),
		TEST(full_disk_over_deaths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
