#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sink_case.h"

/*
 * A process that puts lines into a sink over shared memory is killed at random instants, and
 * another one goes on with the line that was in hand: each reaches a regular file exactly once and whole,
 * a pipe at least once. The environment's SINK_KILLS says how often, SINK_SEED repeats a run.
 */

enum { LINES_MAX = 1 << 22, KILLS = 100, LIFE_US = 12000 };

enum fate { UNKNOWN, PUT, DROPPED };

/* What children tell, whatever becomes of them. */
struct told {
	uint32_t next;     /* the line to put next */
	uint32_t renamed;  /* names given to old files */
	uint32_t restarts; /* lines at which a child began, as many as there were children */
	uint8_t fate[LINES_MAX];
};

enum how { PLAIN, ROTATED, LIMITED, STDOUT_FILE, STDOUT_PIPE, FIFO };

struct run {
	enum how how;
	struct sink_settings settings;
	void *memory;
	struct told *told;
	int out[2]; /* STDOUT_PIPE */
};

static unsigned seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static int kills(void)
{
	const char *s = getenv("SINK_KILLS");

	return s != NULL ? atoi(s) : KILLS;
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void begin(struct run *r, enum how how)
{
	bool to_stdout = how == STDOUT_FILE || how == STDOUT_PIPE;

	memset(r, 0, sizeof(*r));
	r->how = how;
	r->settings = (struct sink_settings){ .type = to_stdout ? SINK_STDOUT : SINK_FILE,
		.path = to_stdout ? NULL : path, .format = FORMAT_TEXT, .kinds = UINT32_MAX,
		.queue = how == LIMITED ? 1 << 16 : 1 << 19, .mask = MASK_NONE };
	r->memory = shared(sink_shared_bytes(&r->settings));
	r->told = shared(sizeof(*r->told));
	if (getenv("SINK_SEED") != NULL)
		seed = (unsigned)atoi(getenv("SINK_SEED"));
	else
		seed = (unsigned)getpid();
	print_message("SINK_SEED=%u\n", seed);
}

static void end(struct run *r)
{
	munmap(r->memory, sink_shared_bytes(&r->settings));
	munmap(r->told, sizeof(*r->told));
}

static void name_old(char *to, size_t cap, uint32_t n)
{
	snprintf(to, cap, "%s.%u", path, n);
}

static void rename_log(struct told *t)
{
	char old[128];

	name_old(old, sizeof(old), t->renamed++);
	(void)rename(path, old);
}

/* Standard output, or the limit of the file's size, of a child. */
static void dress(struct run *r)
{
	struct rlimit limit;
	struct stat st;
	int fd;

	if (r->how == STDOUT_FILE) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0640);
		dup2(fd, STDOUT_FILENO);
	} else if (r->how == STDOUT_PIPE) {
		dup2(r->out[1], STDOUT_FILENO);
		close(r->out[0]);
	} else if (r->how == LIMITED) {
		getrlimit(RLIMIT_FSIZE, &limit);
		limit.rlim_cur = (stat(path, &st) == 0 ? (rlim_t)st.st_size : 0) + below(100000);
		setrlimit(RLIMIT_FSIZE, &limit);
		signal(SIGXFSZ, SIG_IGN); /* our own log may be in a file, too */
	}
}

/* Put lines until killed. */
static void work(struct run *r)
{
	struct told *t = r->told;
	struct sink *k;
	uint64_t dropped;

	dress(r);
	k = sink_new(&r->settings, r->memory);
	dropped = counts_of(k).dropped;
	while (t->next < LINES_MAX) {
		uint64_t now;

		put_record(k, t->next, t->next + 1u);
		now = counts_of(k).dropped;
		t->fate[t->next] = now == dropped ? PUT : DROPPED;
		dropped = now;
		t->next++;
		if (t->next % 16 == 0)
			sink_flush(k);
		if (r->how == ROTATED && below(3000) == 0) {
			rename_log(t);
			sink_reopen(k);
		}
		/* Else everything is dropped. */
		if (below(r->how >= STDOUT_PIPE ? 20 : 5000) == 0 ||
			(t->fate[t->next - 1] == DROPPED && below(50) == 0))
			usleep(below(200));
	}
	_exit(1);
}

static pid_t start(struct run *r)
{
	pid_t child;

	(void)rand_r(&seed); /* another life for each */
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		work(r);
	return child;
}

static void finish_off(pid_t child)
{
	int status;

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The sum of `dropped=` of a line that tells of lost ones, or 0. */
static uint64_t loss_of(const char *line)
{
	return strstr(line, " LOST ") != NULL ? strtoull(strstr(line, " dropped=") + 9, NULL, 10)
					      : 0;
}

struct seen {
	uint32_t next, lines;
	uint64_t octets, lost, twice;
};

/* Whole lines, those put and no other ones, in order. With `twice`, some again. */
static void check_text(const struct told *t, char *text, struct seen *seen, bool twice)
{
	char *line, *save = NULL;
	size_t n = strlen(text);

	assert_true(n == 0 || text[n - 1] == '\n');
	seen->octets += n;
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		const char *seq = strstr(line, " seq=");
		uint32_t number;

		seen->lines++;
		assert_memory_equal(line, "2026-11-2", 9);
		if (seq == NULL) {
			assert_true(loss_of(line) > 0);
			seen->lost += loss_of(line);
			continue;
		}
		number = (uint32_t)strtoul(seq + 5, NULL, 10);
		assert_string_equal(strstr(line, " dst="), " dst=13800001234");
		if (twice && number < seen->next) {
			seen->twice += seen->next - number;
			seen->next = number;
		}
		for (; seen->next < number; seen->next++)
			assert_int_not_equal(t->fate[seen->next], PUT);
		assert_int_equal(number, seen->next);
		assert_int_not_equal(t->fate[number], DROPPED);
		seen->next++;
	}
}

static void check_rest(const struct told *t, const struct seen *seen)
{
	uint32_t dropped = 0;

	for (uint32_t i = seen->next; i < t->next; i++)
		assert_int_not_equal(t->fate[i], PUT);
	for (uint32_t i = 0; i < t->next; i++)
		dropped += t->fate[i] == DROPPED;
	print_message("%u lines put in %u lives, %u dropped, %u renamed, %llu again\n", t->next,
		t->restarts, dropped, t->renamed, (unsigned long long)seen->twice);
	if (seen->twice == 0)
		assert_in_range(seen->lost, dropped, dropped + t->restarts);
}

/* The last life: nobody is killed, everything is written. */
static struct sink_counts write_rest(struct run *r)
{
	struct sink *k = sink_new(&r->settings, r->memory);
	struct sink_counts c;

	settle(k);
	sink_flush(k);
	settle(k);
	c = counts_of(k);
	assert_true(sink_free(k, 1000));
	return c;
}

static void many_lives(struct run *r)
{
	for (int i = 0; i < kills(); i++) {
		pid_t child = start(r);

		usleep(below(LIFE_US) + (unsigned)(i % 10 == 0 ? 10000 : 0));
		finish_off(child);
		r->told->restarts++;
		if (r->how == ROTATED && i % 3 == 0)
			rename_log(r->told);
	}
}

/* The old files in the order of their names, then the present one. */
static void check_files(struct run *r, struct seen *seen)
{
	char name[128], *text;

	for (uint32_t i = 0; i <= r->told->renamed; i++) {
		name_old(name, sizeof(name), i);
		if (i == r->told->renamed)
			strcpy(name, path);
		if (access(name, F_OK) != 0)
			continue; /* there was no log to rename */
		text = read_file(name);
		check_text(r->told, text, seen, false);
		free(text);
	}
	check_rest(r->told, seen);
}

static void into_a_file(enum how how)
{
	struct seen seen = { 0 };
	struct sink_counts c;
	struct run r;

	begin(&r, how);
	many_lives(&r);
	c = write_rest(&r);
	check_files(&r, &seen);
	assert_int_equal(c.lines, seen.lines); /* counted on over every death */
	if (how != ROTATED)
		assert_int_equal(c.octets, seen.octets); /* and no line was mended */
	end(&r);
}

static void exactly_once(void **state)
{
	(void)state;
	into_a_file(PLAIN);
}

static void exactly_once_while_files_are_renamed(void **state)
{
	(void)state;
	into_a_file(ROTATED);
}

/* Most children find a limit of the file's size in the middle of a line, and drop lines. */
static void exactly_once_in_a_file_that_may_not_grow(void **state)
{
	(void)state;
	into_a_file(LIMITED);
}

static void exactly_once_to_standard_output_in_a_file(void **state)
{
	struct seen seen = { 0 };
	struct run r;
	int saved = dup(STDOUT_FILENO), fd;

	(void)state;
	begin(&r, STDOUT_FILE);
	many_lives(&r);
	fflush(stdout);
	fd = open(path, O_WRONLY | O_APPEND);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	(void)write_rest(&r);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	check_files(&r, &seen);
	end(&r);
}

struct inflow {
	char *text;
	size_t n, cap;
	int fd;
};

/* Read what comes for `ms`. */
static void read_on(struct inflow *to, int ms)
{
	struct pollfd p = { to->fd, POLLIN, 0 };
	ssize_t n;

	while (poll(&p, 1, ms) > 0 && (p.revents & POLLIN) != 0) {
		if (to->cap - to->n < 1 << 17)
			to->text = realloc(to->text, to->cap += 1 << 20);
		assert_non_null(to->text);
		n = read(to->fd, to->text + to->n, 1 << 16);
		if (n <= 0)
			break;
		to->n += (size_t)n;
		if (ms > 0 && --ms == 0)
			break;
	}
}

/* A reader that stays while those who write to its pipe are killed one after the other. */
static void into_a_pipe(enum how how)
{
	struct inflow in = { 0 };
	struct seen seen = { 0 };
	struct run r;
	pid_t child;

	begin(&r, how);
	if (how == FIFO) {
		assert_int_equal(mkfifo(path, 0640), 0);
		in.fd = open(path, O_RDWR | O_NONBLOCK); /* never sees an end */
	} else {
		assert_int_equal(pipe2(r.out, O_CLOEXEC), 0);
		in.fd = r.out[0];
		fcntl(in.fd, F_SETFL, O_NONBLOCK);
	}
	for (int i = 0; i < kills(); i++) {
		child = start(&r);
		if (i % 4 != 0)
			read_on(&in, 1 + (int)below(10)); /* sometimes the pipe is full */
		usleep(below(LIFE_US));
		finish_off(child);
		r.told->restarts++;
	}
	child = fork();
	if (child == 0) {
		dress(&r);
		(void)write_rest(&r);
		_exit(0);
	}
	for (int status; waitpid(child, &status, WNOHANG) == 0;)
		read_on(&in, 1);
	read_on(&in, 0);
	in.text[in.n] = '\0';
	assert_null(strstr(in.text, "\n\n")); /* no half line had to be ended */
	check_text(r.told, in.text, &seen, true);
	check_rest(r.told, &seen);
	free(in.text);
	close(in.fd);
	end(&r);
}

static void at_least_once_into_a_fifo(void **state)
{
	(void)state;
	into_a_pipe(FIFO);
}

static void at_least_once_to_standard_output(void **state)
{
	(void)state;
	into_a_pipe(STDOUT_PIPE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(exactly_once),
		TEST(exactly_once_while_files_are_renamed),
		TEST(exactly_once_in_a_file_that_may_not_grow),
		TEST(exactly_once_to_standard_output_in_a_file),
		TEST(at_least_once_into_a_fifo),
		TEST(at_least_once_to_standard_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
