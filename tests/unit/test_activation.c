#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/activation.h"

/* What a service manager says in the environment; descriptors 3 and 4 are there, 5 is not. */

static char self[32];

/* What activation_take() says to these; NULL: not set. The variables are gone afterwards. */
static int take(const char *pid, const char *count)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS",
		"LISTEN_FDNAMES" };
	const char *values[] = { pid, "812", count, "cmpp:smpp" };
	int got;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (values[i] != NULL)
			setenv(names[i], values[i], 1);
	for (int fd = 3; fd < 5; fd++)
		assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	got = activation_take();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(getenv(names[i]));
	return got;
}

static bool ends_with_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void passed(void **state)
{
	(void)state;
	assert_int_equal(take(self, "1"), 1);
	assert_true(ends_with_exec(3));
	assert_false(ends_with_exec(4));
	assert_int_equal(take(self, "2"), 2);
	assert_true(ends_with_exec(3) && ends_with_exec(4));
	assert_int_equal(activation_take(), 0); /* only once */
}

static void nothing_passed(void **state)
{
	(void)state;
	assert_int_equal(take(NULL, NULL), 0);
	assert_int_equal(take(self, NULL), 0);
	assert_int_equal(take(self, "0"), 0);
}

static void for_another_process(void **state)
{
	static const char *const pids[] = { NULL, "", "1", "-1", "0", "nonsense", "99999999999999999999" };
	char text[40];

	(void)state;
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		assert_int_equal(take(pids[i], "2"), 0);
	snprintf(text, sizeof(text), "%s ", self);
	assert_int_equal(take(text, "2"), 0);
	snprintf(text, sizeof(text), "+%s", self);
	assert_int_equal(take(text, "2"), 0);
	assert_false(ends_with_exec(3));
}

static void no_number(void **state)
{
	static const char *const counts[] = { "", " 1", "1 ", "-1", "+1", "0x1", "two", "2147483645",
		"4294967297", "18446744073709551617" };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert_int_equal(take(self, counts[i]), -EINVAL);
	assert_false(ends_with_exec(3));
}

static void more_than_there_are(void **state)
{
	(void)state;
	assert_int_equal(take(self, "3"), -EBADF);
	assert_int_equal(take(self, "2147483644"), -EBADF);
}

static int open_two(void **state)
{
	int null = open("/dev/null", O_RDWR), high = fcntl(null, F_DUPFD, 64);

	(void)state;
	snprintf(self, sizeof(self), "%ld", (long)getpid());
	close(5);
	return dup2(high, 3) == 3 && dup2(high, 4) == 4 && close(high) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passed),
		cmocka_unit_test(nothing_passed),
		cmocka_unit_test(for_another_process),
		cmocka_unit_test(no_number),
		cmocka_unit_test(more_than_there_are),
	};

	return cmocka_run_group_tests(tests, open_two, NULL);
}
