#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static int stderr_was = -1;
static char got[1 << 20];

/* Standard error becomes `fd`, which is given away. */
static void stderr_to(int fd)
{
	stderr_was = dup(STDERR_FILENO);
	assert_true(stderr_was >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	log_init("test", LOG_INFO_);
}

static void stderr_back(void)
{
	dup2(stderr_was, STDERR_FILENO);
	close(stderr_was);
	log_init("test", LOG_INFO_); /* lets go of its own descriptor */
}

/* All of a non-blocking `fd`, as text in `got`. */
static size_t drain(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	got[len] = '\0';
	return len;
}

/* The reading end, non-blocking. */
static int stderr_to_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	stderr_to(fds[1]);
	return fds[0];
}

static bool matches(const char *text, const char *pattern)
{
	regex_t re;
	bool found;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

static void test_line(void **state)
{
	char want[160];
	int fd = stderr_to_pipe();

	(void)state;
	setenv("TZ", "UTC-8", 1);
	tzset();
	log_warn("listening link=%s port=%d", "cmcc-bj", 7890);
	stderr_back();
	drain(fd);
	close(fd);
	snprintf(want, sizeof(want), "^20[0-9]{2}-[01][0-9]-[0-3][0-9]"
		"T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}\\+08:00 "
		"smscoped\\[test %ld\\] warn: listening link=cmcc-bj port=7890\n$", (long)getpid());
	assert_true(matches(got, want));
}

static void test_zone(void **state)
{
	static const struct { const char *tz, *want; } rows[] = {
		{ "UTC0", "\\.[0-9]{3}\\+00:00 " },
		{ "XST-5:45", "\\.[0-9]{3}\\+05:45 " },
		{ "XST3:30", "\\.[0-9]{3}-03:30 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = stderr_to_pipe();

		setenv("TZ", rows[i].tz, 1);
		tzset();
		log_info("x");
		stderr_back();
		drain(fd);
		close(fd);
		assert_true(matches(got, rows[i].want));
	}
}

static void test_level(void **state)
{
	int fd = stderr_to_pipe();

	(void)state;
	log_debug("hidden");
	log_init("test", LOG_ERROR_);
	log_warn("hidden");
	log_error("shown");
	stderr_back();
	drain(fd);
	close(fd);
	assert_null(strstr(got, "hidden"));
	assert_non_null(strstr(got, "error: shown\n"));
}

/* One call is one line, whatever is in it; errno stays as it was. */
static void test_one_line(void **state)
{
	int fd = stderr_to_pipe();

	(void)state;
	errno = EXDEV;
	log_info("a\nb\x1b[31m\x7f%s", "\r\nFAKE");
	assert_int_equal(errno, EXDEV);
	stderr_back();
	drain(fd);
	close(fd);
	assert_non_null(strstr(got, "info: a b [31m   FAKE\n"));
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

static void test_long_line(void **state)
{
	static char text[3 * LOG_LINE_MAX];
	int fd = stderr_to_pipe();
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_info("%s", text);
	stderr_back();
	len = drain(fd);
	close(fd);
	assert_int_equal(len, LOG_LINE_MAX);
	assert_int_equal(got[len - 1], '\n');
	assert_int_equal(got[len - 2], 'x');
}

/* Write until no more fits, look that nobody waited, then make room: the loss is told. */
static void expect_no_wait(int reader)
{
	enum { LINES = 20000 };
	unsigned long kept = 0, lost = 0;
	const char *told;

	alarm(20); /* a call that waits would wait for ever */
	for (int i = 0; i < LINES; i++)
		log_info("filling %d", i);
	alarm(0);
	drain(reader);
	log_info("room again");
	stderr_back();
	for (const char *p = got; (p = strstr(p, "filling ")) != NULL; p++)
		kept++;
	assert_in_range(kept, 1, LINES - 1);
	drain(reader);
	close(reader);
	told = strstr(got, "warn: log lines dropped count=");
	assert_non_null(told);
	lost = strtoul(strchr(told, '=') + 1, NULL, 10);
	assert_int_equal(kept + lost, LINES);
	assert_non_null(strstr(told, "info: room again\n"));
}

static void test_full_pipe(void **state)
{
	(void)state;
	expect_no_wait(stderr_to_pipe());
}

/* Under a service manager standard error is a stream socket. */
static void test_full_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	stderr_to(fds[1]);
	expect_no_wait(fds[0]);
}

/* What others write to the same open file stays where it is, and nothing becomes non-blocking. */
static void test_shared_file(void **state)
{
	char name[] = "/tmp/smscope-log-XXXXXX";
	int fd = mkstemp(name), reader;

	(void)state;
	assert_true(fd >= 0);
	reader = open(name, O_RDONLY);
	stderr_to(fd);
	assert_int_equal(write(STDERR_FILENO, "before\n", 7), 7);
	log_info("ours");
	assert_int_equal(write(STDERR_FILENO, "after\n", 6), 6);
	assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	stderr_back();
	drain(reader);
	close(reader);
	unlink(name);
	assert_true(matches(got, "^before\n20.*info: ours\nafter\n$"));
}

enum { THREADS = 4, EACH = 100 };

static void *writer(void *arg)
{
	char text[200];

	memset(text, *(const char *)arg, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < EACH; i++)
		log_info("%s", text);
	return NULL;
}

static void test_threads(void **state)
{
	char letters[THREADS] = { 'a', 'b', 'c', 'd' }, pattern[64];
	char name[] = "/tmp/smscope-log-XXXXXX";
	int fd = mkstemp(name), reader, counts[THREADS] = { 0 };
	pthread_t threads[THREADS];

	(void)state;
	assert_true(fd >= 0);
	reader = open(name, O_RDONLY);
	stderr_to(fd);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &letters[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stderr_back();
	drain(reader);
	close(reader);
	unlink(name);
	for (char *line = strtok(got, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		int who = line[strlen(line) - 1] - 'a';

		assert_in_range(who, 0, THREADS - 1);
		snprintf(pattern, sizeof(pattern), "^20.* info: %c{199}$", 'a' + who);
		assert_true(matches(line, pattern));
		counts[who]++;
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(counts[i], EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_full_pipe),
		cmocka_unit_test(test_full_socket),
		cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
