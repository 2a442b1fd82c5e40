#include "sink/sink_note.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* NULL: nothing was written yet. */
static const struct sink_note *last_note(const struct sink_queue *q)
{
	uint32_t noted = atomic_load_explicit(&q->noted, memory_order_acquire);

	return noted > 0 ? &q->notes[noted - 1] : NULL;
}

void sink_note_write(struct sink_queue *q, const struct stat *st, off_t size, uint64_t at,
	uint64_t until)
{
	uint32_t next = atomic_load_explicit(&q->noted, memory_order_relaxed) == 1 ? 2 : 1;

	q->notes[next - 1] = (struct sink_note){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)size,
		.at = at,
		.until = until,
		.tail = atomic_load_explicit(&q->tail, memory_order_relaxed),
		.lines = atomic_load_explicit(&q->tally.lines, memory_order_relaxed),
		.octets = atomic_load_explicit(&q->tally.octets, memory_order_relaxed),
	};
	atomic_store_explicit(&q->noted, next, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst); /* and only then write(2) */
}

static bool is_file_of(const struct sink_note *n, const struct stat *st)
{
	return n->dev == st->st_dev && n->ino == st->st_ino;
}

/* The file that is open to write, open to read; negative if it is not to be had. */
static int open_to_read(const char *path, int fd, const struct stat *st)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, ret;
	char self[32];
	struct stat there;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ret = path != NULL ? open(path, flags | O_NOFOLLOW) : open(self, flags);
	if (ret >= 0 && (fstat(ret, &there) < 0 || there.st_dev != st->st_dev ||
				there.st_ino != st->st_ino)) {
		close(ret);
		ret = -1;
	}
	return ret;
}

/* The note's file under another name in the folder of `path`, to read and to write. */
static int open_renamed(const char *path, const struct sink_note *n)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	struct dirent *e;
	struct stat st;
	int fd = -1;
	DIR *d;

	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
	d = opendir(folder);
	while (d != NULL && fd < 0 && (e = readdir(d)) != NULL) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(st.st_mode) || !is_file_of(n, &st))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	}
	if (d != NULL)
		closedir(d);
	return fd;
}

/* Are the file's last octets, up to `size`, those of the queue between two positions? */
static bool ends_with(int fd, uint64_t size, const struct sink_queue *q, uint64_t at,
	uint64_t until)
{
	uint8_t part[4096];

	if (until - at > size)
		return false;
	while (at < until) {
		struct span s = sink_queue_peek(q, at, until);
		size_t n = s.n < sizeof(part) ? s.n : sizeof(part);

		if (pread(fd, part, n, (off_t)(size - (until - at))) != (ssize_t)n ||
			memcmp(part, s.p, n) != 0)
			return false;
		at += n;
	}
	return true;
}

/*
 * Position up to which octets are in the note's file, of `size` now; the tail, too, if that cannot
 * be told: somebody else wrote there, or cut it.
 */
static uint64_t find_out(const struct sink_queue *q, const struct sink_note *n, int fd,
	uint64_t size)
{
	uint64_t head = atomic_load(&q->head), tail = atomic_load(&q->tail);
	uint64_t out = n->at + (size - n->size);

	if (out < tail || out > head || out > n->until || !ends_with(fd, size, q, tail, out))
		return tail;
	return out;
}

/* Everything before position `out` is in the file. */
static void take_off(struct sink_queue *q, const struct sink_note *n, uint64_t out)
{
	uint64_t tail = atomic_load(&q->tail), lines, end;

	lines = sink_queue_lines(q, tail, out, &end);
	if (tail == n->tail) { /* else that write was counted to its end */
		atomic_store(&q->tally.lines, n->lines + lines);
		atomic_store(&q->tally.octets, n->octets + (out > n->at ? out - n->at : 0));
	}
	sink_queue_consume(q, end);
}

/* The lines of a file that is no longer ours; the sent part of another one is taken out again. */
static void settle_renamed(struct sink_queue *q, const struct sink_note *n, const char *path)
{
	int fd = open_renamed(path, n);
	struct stat st;
	uint64_t out, part;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && is_file_of(n, &st)) {
		out = find_out(q, n, fd, (uint64_t)st.st_size);
		take_off(q, n, out);
		part = out - atomic_load(&q->tail);
		if (part > 0)
			(void)!ftruncate(fd, st.st_size - (off_t)part);
	}
	close(fd);
}

uint64_t sink_note_settle(struct sink_queue *q, const char *path, int fd, const struct stat *st)
{
	const struct sink_note *n = last_note(q);
	uint64_t out = atomic_load(&q->tail);
	int here;

	if (n == NULL || sink_queue_used(q) == 0)
		return out;
	if (!is_file_of(n, st)) {
		if (path != NULL)
			settle_renamed(q, n, path);
		return atomic_load(&q->tail);
	}
	here = open_to_read(path, fd, st);
	if (here < 0)
		return out;
	out = find_out(q, n, here, (uint64_t)st->st_size);
	take_off(q, n, out);
	close(here);
	return out;
}

bool sink_note_half(const struct sink_queue *q, const struct stat *st)
{
	uint64_t head = atomic_load(&q->head), tail = atomic_load(&q->tail);
	const struct sink_note *n = last_note(q);

	if (n == NULL || !is_file_of(n, st) || n->until <= tail || n->until > head)
		return false;
	return n->at > tail || *sink_queue_peek(q, n->until - 1, n->until).p != '\n';
}

bool sink_file_is_ragged(const char *path, int fd, const struct stat *st)
{
	char last = '\n';
	int here;

	if (st->st_size == 0)
		return false;
	here = open_to_read(path, fd, st);
	if (here < 0)
		return false;
	if (pread(here, &last, 1, st->st_size - 1) != 1)
		last = '\n';
	close(here);
	return last != '\n';
}
