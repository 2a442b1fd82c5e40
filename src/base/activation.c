#include "base/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The variable's decimal number; -1: it is none, or not there. */
static long number_of(const char *name)
{
	const char *text = getenv(name);
	long n;

	/* strtol() would take blanks and signs. */
	if (text == NULL || text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return -1;
	errno = 0;
	n = strtol(text, NULL, 10);
	return errno == 0 ? n : -1;
}

int activation_take(void)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS",
		"LISTEN_FDNAMES" };
	bool ours = number_of("LISTEN_PID") == (long)getpid() && getenv("LISTEN_FDS") != NULL;
	long count = number_of("LISTEN_FDS");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	if (!ours)
		return 0;
	if (count < 0 || count > INT_MAX - ACTIVATION_FIRST)
		return -EINVAL;
	for (int i = 0; i < (int)count; i++)
		if (fcntl(ACTIVATION_FIRST + i, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	return (int)count;
}
