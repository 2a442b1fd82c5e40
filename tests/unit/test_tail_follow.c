#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SMSCOPE BUILD_DIR "/smscope"

/* `smscope tail` as a process that follows a file, whatever becomes of the file. */

enum { WAIT_MS = 20000 };

static char folder[] = "/tmp/test-follow-XXXXXX";
static char path[128], other[128];

static void put(const char *to, const char *mode, const char *text)
{
	FILE *f = fopen(to, mode);

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}
/* A process that follows `path`. */
static struct {
	pid_t pid;
	int out, err;
	char text[65536], said[4096];
	size_t fill, said_fill;
} tail;

static void tail_start(char *const args[])
{
	int out[2], err[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	memset(&tail, 0, sizeof(tail));
	tail.pid = fork();
	assert_true(tail.pid >= 0);
	if (tail.pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		execv(SMSCOPE, args);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	tail.out = out[0];
	tail.err = err[0];
}

static void take(int fd, char *to, size_t *fill, size_t room)
{
	ssize_t n = read(fd, to + *fill, room - 1 - *fill);

	if (n > 0)
		*fill += (size_t)n;
	to[*fill] = '\0';
}

/* Until `text` was written (out, else on standard error). */
static void wait_for(const char *text, bool out)
{
	struct timespec t;
	int64_t until;

	clock_gettime(CLOCK_MONOTONIC, &t);
	until = t.tv_sec * 1000 + t.tv_nsec / 1000000 + WAIT_MS;
	while (strstr(out ? tail.text : tail.said, text) == NULL) {
		struct pollfd p[] = { { tail.out, POLLIN, 0 }, { tail.err, POLLIN, 0 } };

		clock_gettime(CLOCK_MONOTONIC, &t);
		if (t.tv_sec * 1000 + t.tv_nsec / 1000000 > until)
			fail_msg("no \"%s\" in \"%s\" \"%s\"", text, tail.text, tail.said);
		(void)poll(p, 2, 1000);
		if (p[0].revents != 0)
			take(tail.out, tail.text, &tail.fill, sizeof(tail.text));
		if (p[1].revents != 0)
			take(tail.err, tail.said, &tail.said_fill, sizeof(tail.said));
	}
}

static void tail_stop(int signal)
{
	int status;

	if (signal != 0)
		assert_int_equal(kill(tail.pid, signal), 0);
	assert_int_equal(waitpid(tail.pid, &status, 0), tail.pid);
	if (signal != 0)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	else
		assert_int_equal(status, 0);
	close(tail.out);
	close(tail.err);
}

#define LINE(n) "2026-11-21T19:17:00.123+08:00 l  SUBMIT       seq=" n

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* Renamed and created anew, with the writer still at the old file; truncated; lines in pieces. */
static void follows(void **state)
{
	char *args[] = { "smscope", "tail", "-n", "1", "--event", "submit", path, NULL };

	(void)state;
	unlink(path);
	tail_start(args);
	wait_for("smscope tail: waiting for ", false);
	put(path, "w", LINE("1") "\n" LINE("2") "\n");
	wait_for("seq=2\n", true);
	assert_int_equal(count(tail.text, "seq=1\n"), 1);
	put(path, "a", "2026-11-21T19:17:00.123+08:00 l  LOST         seq=999\n" LINE("3"));
	put(path, "a", "3\n");
	wait_for("seq=33\n", true);

	assert_int_equal(rename(path, other), 0);
	put(path, "w", "");
	put(other, "a", LINE("4") "\n");
	wait_for("seq=4\n", true);
	put(other, "a", LINE("5") "\n");
	put(path, "a", LINE("6") "\n");
	wait_for("seq=6\n", true);
	wait_for("is a new file\n", false);
	put(path, "a", LINE("7") "\n");
	wait_for("seq=7\n", true);

	assert_int_equal(truncate(path, 0), 0);
	wait_for("was truncated\n", false);
	put(path, "a", LINE("8") "\n");
	wait_for("seq=8\n", true);

	assert_int_equal(unlink(path), 0);
	put(path, "w", LINE("9") "\n");
	wait_for("seq=9\n", true);
	tail_stop(SIGINT);
	assert_int_equal(count(tail.text, "\n"), 9);
	assert_null(strstr(tail.text, "LOST"));
}

/* Whoever reads it goes away: it ends by itself, and says nothing, though nothing is written. */
static void ends_with_its_reader(void **state)
{
	char *args[] = { "smscope", "tail", "-n", "1", path, NULL };

	(void)state;
	put(path, "w", LINE("1") "\n");
	tail_start(args);
	wait_for("seq=1\n", true);
	close(tail.out);
	tail.out = open("/dev/null", O_RDONLY);
	tail_stop(0);
	assert_string_equal(tail.said, "");
}

/* From a pipe, each line at once. */
static void standard_input(void **state)
{
	char *args[] = { "smscope", "tail", "-", NULL };
	int in[2], saved = dup(0);

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(dup2(in[0], 0), 0);
	tail_start(args);
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	close(in[0]);
	assert_int_equal(write(in[1], LINE("1") "\n", strlen(LINE("1")) + 1),
			 strlen(LINE("1")) + 1);
	wait_for("seq=1\n", true);
	assert_int_equal(write(in[1], LINE("2"), strlen(LINE("2"))), strlen(LINE("2")));
	close(in[1]);
	wait_for("seq=2\n", true);
	tail_stop(0);
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(other, sizeof(other), "%s/log.1", folder);
	return access(SMSCOPE, X_OK);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows),
		cmocka_unit_test(ends_with_its_reader),
		cmocka_unit_test(standard_input),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
