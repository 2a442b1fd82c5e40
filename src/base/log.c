#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static struct {
	const char *role;
	enum log_level least;
	int own_fd;      /* standard error opened again for us alone, non-blocking; -1 none */
	bool is_socket;
	_Atomic unsigned long dropped;
} out = { .role = "", .least = LOG_INFO_, .own_fd = -1 };

/*
 * O_NONBLOCK belongs to the open file, which we share with whoever started us: set on descriptor 2
 * it would change the user's terminal. A pipe or a terminal is therefore opened once more. A
 * regular file is not: a second offset would overwrite what others write through the first.
 */
void log_init(const char *role, enum log_level least)
{
	struct stat st;

	out.role = role;
	out.least = least;
	if (out.own_fd >= 0)
		close(out.own_fd);
	out.own_fd = -1;
	out.is_socket = false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	out.is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		out.own_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool put(const char *line, size_t len)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (out.is_socket)
		return send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	if (out.own_fd >= 0)
		return write(out.own_fd, line, len) >= 0;
	/* Another user's pipe cannot be opened again; one that has room takes PIPE_BUF octets. */
	return poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) &&
		write(STDERR_FILENO, line, len) >= 0;
}

/* "2026-11-21T19:17:00.123+08:00 smscoped[keeper 812] warn: " into `to`; returns its length. */
static size_t put_head(char *to, size_t cap, enum log_level level)
{
	struct timespec now;
	struct tm tm;
	char when[32];
	long zone;
	int len;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	zone = labs(tm.tm_gmtoff) / 60;
	len = snprintf(to, cap, "%s.%03ld%c%02ld:%02ld smscoped[%s%s%ld] %s: ", when,
		now.tv_nsec / 1000000, tm.tm_gmtoff < 0 ? '-' : '+', zone / 60, zone % 60,
		out.role, out.role[0] != '\0' ? " " : "", (long)getpid(), level_names[level]);
	return len > 0 ? (size_t)len : 0;
}

static PRINTF_LIKE(2, 0) bool put_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t head = put_head(line, sizeof(line), level), len = head;
	int more = vsnprintf(line + head, sizeof(line) - head, fmt, ap);

	if (more > 0)
		len += (size_t)more;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	for (size_t i = head; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[len++] = '\n';
	return put(line, len);
}

static PRINTF_LIKE(2, 3) bool say(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	bool done;

	va_start(ap, fmt);
	done = put_line(level, fmt, ap);
	va_end(ap);
	return done;
}

static PRINTF_LIKE(2, 0) void log_at(enum log_level level, const char *fmt, va_list ap)
{
	int err = errno; /* callers log first and look at errno afterwards */
	unsigned long lost;

	if (level < out.least)
		return;
	lost = atomic_exchange(&out.dropped, 0);
	if (lost > 0 && !say(LOG_WARN_, "log lines dropped count=%lu", lost))
		atomic_fetch_add(&out.dropped, lost);
	if (!put_line(level, fmt, ap))
		atomic_fetch_add(&out.dropped, 1);
	errno = err;
}

#define LOG_FUNCTION(name, level) \
	void name(const char *fmt, ...) \
	{ \
		va_list ap; \
\
		va_start(ap, fmt); \
		log_at(level, fmt, ap); \
		va_end(ap); \
	}

LOG_FUNCTION(log_debug, LOG_DEBUG_)
LOG_FUNCTION(log_info, LOG_INFO_)
LOG_FUNCTION(log_warn, LOG_WARN_)
LOG_FUNCTION(log_error, LOG_ERROR_)
