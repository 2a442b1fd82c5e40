#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tail.h"

/*
 * Following a file: what was appended is read five times a second. The name may come to stand for
 * another file (logrotate renames the old one and creates a new one), and the daemon goes on
 * writing to the old one until it is told; so the old one is followed until there is something in
 * the new one.
 */

enum { PAUSE_MS = 200, WINDOW = 4 * JSON_LINE_MAX };

static int fault(const char *name, int err)
{
	fprintf(stderr, "smscope tail: %s: %s\n", name, err_text(err));
	return 1;
}

/* Wait a moment, less if whoever reads our output goes away. */
static void pause_a_moment(struct tail *t)
{
	struct pollfd out = { STDOUT_FILENO, 0, 0 };

	tail_flush(t);
	if (poll(&out, 1, PAUSE_MS) > 0 && (out.revents & (POLLERR | POLLNVAL)) != 0)
		t->gone = true;
}

/* Whole lines of what can be read now. Octets read, or negative. */
static int64_t drain(struct tail *t, int fd)
{
	int64_t total = 0, at;
	struct span line;
	int n;

	while ((n = log_reader_fill(&t->reader, fd)) > 0 && !t->gone) {
		while (log_reader_next(&t->reader, &line, &at))
			tail_line(t, line);
		total += n;
	}
	return n < 0 ? n : total;
}

/* The end of the input: what stands behind the last line end is a line all the same. */
static int finish(struct tail *t)
{
	struct span line;
	int64_t at;

	if (log_reader_last(&t->reader, &line, &at))
		tail_line(t, line);
	tail_flush(t);
	return t->rc;
}

int tail_stream(struct tail *t, int fd, const char *name)
{
	struct pollfd in = { fd, POLLIN, 0 };
	struct span line;
	int64_t at;
	int n = 1;

	while (n > 0 && !t->gone) {
		if (poll(&in, 1, 0) <= 0)
			tail_flush(t);
		n = log_reader_fill(&t->reader, fd);
		if (n == -EAGAIN) {
			(void)poll(&in, 1, -1);
			n = 1;
		}
		while (n > 0 && log_reader_next(&t->reader, &line, &at))
			tail_line(t, line);
	}
	if (n < 0)
		return fault(name, n);
	return finish(t);
}

/* Is the line from before what is asked for? Then so are all that stand before it. */
static bool is_too_old(struct tail *t)
{
	int64_t us;

	return t->filter.has_since && log_line_time(&t->line, &us) && us < t->filter.since_us;
}

/*
 * Where the last lines that are wanted begin. Looked for from the end, a window at a time, so that
 * a large file costs no more than what is shown of it.
 */
static int64_t start_of_last(struct tail *t, int fd, int64_t size)
{
	char *window = malloc(WINDOW);
	int64_t end = size, found = 0, start = size;

	while (window != NULL && end > 0 && (t->last < 0 || found < t->last)) {
		int64_t begin = end > WINDOW ? end - WINDOW : 0;
		ssize_t n = pread(fd, window, (size_t)(end - begin), begin);
		const char *stop = window + n, *line;

		if (n <= 0)
			break;
		for (; stop > window; stop = line) {
			const char *before = memrchr(window, '\n', (size_t)(stop - 1 - window));

			if (before == NULL && begin > 0)
				break;
			line = before != NULL ? before + 1 : window;
			if (tail_wants(t, span_of(line, (size_t)(stop - line)))) {
				start = begin + (line - window);
				if (++found == t->last)
					break;
			} else if (is_too_old(t)) {
				free(window);
				return start;
			}
		}
		/* a line longer than the window is passed over */
		end = stop == window + n ? begin : begin + (stop - window);
	}
	free(window);
	return start;
}

/* The beginning of the line that is being written at the end of the file. */
static int64_t start_of_partial(int fd, int64_t size)
{
	char octet;

	while (size > 0 && (pread(fd, &octet, 1, size - 1) == 1 && octet != '\n'))
		size--;
	return size;
}

static int begin(struct tail *t, int fd, const struct stat *st)
{
	int64_t size = st->st_size, start;

	if (t->follow && t->last >= 0)
		size = start_of_partial(fd, size);
	start = start_of_last(t, fd, size);
	if (lseek(fd, start, SEEK_SET) < 0)
		return -errno;
	log_reader_reset(&t->reader, start);
	return 0;
}

/* Does the name stand for another file by now, and is there something in it? */
static bool is_replaced(const struct tail *t, const struct stat *old)
{
	struct stat now;

	return stat(t->path, &now) == 0 && now.st_size > 0 &&
	       (now.st_ino != old->st_ino || now.st_dev != old->st_dev);
}

/* The file of that name, opened; waits for it if it is followed. */
static int open_file(struct tail *t, bool *ret_waited)
{
	int fd = open(t->path, O_RDONLY | O_CLOEXEC);

	*ret_waited = false;
	if (fd < 0 && errno == ENOENT && t->follow) {
		fprintf(stderr, "smscope tail: waiting for %s\n", t->path);
		*ret_waited = true;
	}
	while (fd < 0 && errno == ENOENT && t->follow && !t->gone) {
		pause_a_moment(t);
		fd = open(t->path, O_RDONLY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

static int reopen(struct tail *t, int fd, struct stat *st)
{
	int next = open(t->path, O_RDONLY | O_CLOEXEC);

	if (next < 0 || fstat(next, st) < 0) {
		if (next >= 0)
			close(next);
		return fd;
	}
	fprintf(stderr, "smscope tail: %s is a new file\n", t->path);
	close(fd);
	log_reader_reset(&t->reader, 0);
	return next;
}

/* A file that is shorter than what was read of it begins anew. */
static void look_for_truncation(struct tail *t, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size >= lseek(fd, 0, SEEK_CUR))
		return;
	fprintf(stderr, "smscope tail: %s was truncated\n", t->path);
	(void)lseek(fd, 0, SEEK_SET);
	log_reader_reset(&t->reader, 0);
}

static int follow(struct tail *t, int fd, struct stat *st)
{
	int64_t n = 0;

	while (!t->gone && n >= 0) {
		bool replaced = is_replaced(t, st);

		look_for_truncation(t, fd);
		n = drain(t, fd);
		if (replaced && n >= 0)
			fd = reopen(t, fd, st);
		else if (n == 0)
			pause_a_moment(t);
	}
	close(fd);
	return n < 0 ? fault(t->path, (int)n) : t->rc;
}

int tail_file(struct tail *t)
{
	struct stat st;
	bool waited;
	int fd = open_file(t, &waited), rc;
	int64_t n;

	if (fd < 0)
		return t->gone ? t->rc : fault(t->path, fd);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		rc = tail_stream(t, fd, t->path);
		close(fd);
		return rc;
	}
	rc = waited ? 0 : begin(t, fd, &st);
	if (rc < 0) {
		close(fd);
		return fault(t->path, rc);
	}
	if (t->follow)
		return follow(t, fd, &st);
	n = drain(t, fd);
	close(fd);
	return n < 0 ? fault(t->path, (int)n) : finish(t);
}
