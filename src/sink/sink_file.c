#include "sink/sink_note.h"
#include "sink/sink_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

/*
 * Lines to a file, a FIFO or standard output. Only this thread ever waits for the system.
 *
 *   queue:   consumed │ line_at ──── at ──── until (end of queue, or where a reopen takes effect)
 *                       └ sent part ┘ of a line whose rest the file did not take
 *
 * A line is consumed when all of it is out, so a new file, or a FIFO's next reader, gets it from
 * its beginning.
 *
 * The process may be killed anywhere here, and another one goes on with the queue. What a regular
 * file has by then its size tells: sink_note.h. Nothing tells what went into a pipe, so a pipe gets
 * whole lines, in writes that it takes whole or not at all, and some of them twice.
 */

enum {
	RETRY_MS = 1000,         /* between attempts while the system takes nothing */
	WRITE_MAX = 256 * 1024,  /* octets of one write(2) to a regular file */
	STUCK_MS = 200,          /* beyond the agreed time, for a thread that is about to end */
};

struct sink_writer {
	struct sink_queue *queue;
	char *path; /* NULL: standard output */
	pthread_t thread;
	int wake_fd;
	_Atomic bool asleep;         /* waits for octets */
	_Atomic uint64_t reopen_at;  /* position + 1 in the queue; 0 none */
	_Atomic uint64_t stop_ns;    /* monotonic; 0 runs */
	_Atomic bool leaving;        /* end, and the queue stays as it is */
	_Atomic bool ended;

	/* The thread's own. */
	bool settled;                /* a dead process's last write was looked at */
	int fd;                      /* -1: not open */
	struct stat file;            /* what it is; size and times are those when it was opened */
	bool regular;                /* a file that we write at its end */
	bool paced;                  /* cannot be made non-blocking, so poll */
	bool ragged;                 /* ends inside a line that is not the one at line_at */
	bool reopening;      /* the new file could not be opened yet; the old one is used on */
	uint64_t reopen_ns;          /* when to try again */
	bool failing;                /* nothing is taken; logged */
	bool gone;                   /* nobody will ever read standard output again */
	uint64_t at, line_at;
	off_t size;                  /* of a regular file after the last write */
	uint64_t retry_ns;
	uint8_t piece[PIPE_BUF];     /* what a pipe gets next */
};

static const char *name_of(const struct sink_writer *w)
{
	return w->path != NULL ? w->path : "standard output";
}

static bool stopping(struct sink_writer *w)
{
	return atomic_load(&w->stop_ns) != 0;
}

static bool out_of_time(struct sink_writer *w)
{
	uint64_t stop_ns = atomic_load(&w->stop_ns);

	return stop_ns != 0 && clock_mono_ns() >= stop_ns;
}

/* Until woken, until `fd` takes octets (if not -1), or for `ms` (-1: no limit). */
static void wait_for(struct sink_writer *w, int fd, int ms)
{
	struct pollfd p[2] = { { w->wake_fd, POLLIN, 0 }, { fd, POLLOUT, 0 } };
	uint64_t count, stop_ns = atomic_load(&w->stop_ns);

	if (stop_ns != 0) {
		uint64_t now = clock_mono_ns(),
			 left = stop_ns > now ? (stop_ns - now) / 1000000 + 1 : 0;

		if (ms < 0 || (uint64_t)ms > left)
			ms = (int)left;
	}
	if (poll(p, fd >= 0 ? 2 : 1, ms) > 0 && (p[0].revents & POLLIN) != 0)
		(void)!read(w->wake_fd, &count, sizeof(count));
}

static uint64_t next_try(void)
{
	return clock_mono_ns() + RETRY_MS * 1000000ull;
}

static void report_failure(struct sink_writer *w, int err)
{
	atomic_fetch_add_explicit(&w->queue->tally.errors, 1, memory_order_relaxed);
	w->retry_ns = next_try();
	if (w->failing)
		return;
	w->failing = true;
	if (err == ENXIO || err == EPIPE)
		log_warn("log %s: nobody reads it; lines wait, then are dropped", name_of(w));
	else
		log_warn("log %s: %s; lines wait, then are dropped", name_of(w),
			 strerrordesc_np(err));
}

static void report_success(struct sink_writer *w)
{
	if (!w->failing)
		return;
	w->failing = false;
	log_info("log %s: written again dropped=%llu", name_of(w),
		(unsigned long long)atomic_load(&w->queue->tally.dropped));
}

static void look_at_end(struct sink_writer *w)
{
	struct stat st;

	w->ragged = w->regular && w->at == w->line_at && fstat(w->fd, &st) == 0 &&
		    sink_file_is_ragged(w->path, w->fd, &st);
}

/* Take the sent part of an unfinished line out of the old file: it goes to the new one whole. */
static void take_back(struct sink_writer *w)
{
	off_t part = (off_t)(w->at - w->line_at);
	struct stat st;

	if (part > 0 && w->regular && fstat(w->fd, &st) == 0 && st.st_size == w->size &&
	    st.st_size >= part)
		(void)!ftruncate(w->fd, st.st_size - part);
	w->at = w->line_at;
}

/* Does what is written to standard output go behind what the file has? */
static bool is_at_end(int fd, const struct stat *st)
{
	return (fcntl(fd, F_GETFL) & O_APPEND) != 0 || lseek(fd, 0, SEEK_CUR) == st->st_size;
}

/* Go on behind what a process that is no more wrote. */
static void settle(struct sink_writer *w)
{
	w->settled = true;
	if (w->regular) {
		w->at = sink_note_settle(w->queue, w->path, w->fd, &w->file);
		w->line_at = atomic_load(&w->queue->tail);
	} else
		w->ragged = sink_note_half(w->queue, &w->file);
}

static void adopt(struct sink_writer *w, int fd)
{
	w->fd = fd;
	w->regular = fstat(fd, &w->file) == 0 && S_ISREG(w->file.st_mode) &&
		     (w->path != NULL || is_at_end(fd, &w->file));
	w->size = w->regular ? w->file.st_size : 0;
	w->paced = w->path == NULL && !w->regular;
	w->at = w->line_at;
	w->ragged = false;
	if (!w->settled)
		settle(w);
	if (w->regular)
		look_at_end(w);
}

/*
 * Open the path in place of what is open; 0 or -errno. A FIFO without a reader refuses (ENXIO)
 * rather than waits.
 */
static int open_path(struct sink_writer *w)
{
	int fd, flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC;

	if (w->path == NULL)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(w->path, flags, 0640);
	if (fd < 0)
		return -errno;
	if (w->fd >= 0) {
		take_back(w);
		close(w->fd);
	}
	adopt(w, fd);
	return 0;
}

static bool open_first(struct sink_writer *w)
{
	int err = open_path(w);

	if (err < 0)
		report_failure(w, -err);
	return err == 0;
}

/* The path anew; meanwhile, and as long as it cannot be had, the old file is written on. */
static void reopen(struct sink_writer *w)
{
	bool again = w->reopen_ns != 0;
	int err = open_path(w);

	w->reopening = err < 0;
	w->reopen_ns = err < 0 ? next_try() : 0;
	if (err == 0)
		return;
	atomic_fetch_add_explicit(&w->queue->tally.errors, 1, memory_order_relaxed);
	if (!again)
		log_warn("log %s: cannot be reopened: %s; the old file is used on", name_of(w),
			strerrordesc_np(-err));
}

/* Where the present file's lines end. */
static uint64_t write_until(struct sink_writer *w)
{
	uint64_t head = atomic_load_explicit(&w->queue->head, memory_order_acquire);
	uint64_t reopen_at = atomic_load(&w->reopen_at);

	return reopen_at != 0 && reopen_at - 1 < head ? reopen_at - 1 : head;
}

/* A reopen is due when the old file has all its lines, or takes none. */
static void reopen_if_due(struct sink_writer *w)
{
	uint64_t reopen_at = atomic_load(&w->reopen_at);

	if (reopen_at != 0 && (w->line_at >= reopen_at - 1 || w->failing || w->fd < 0)) {
		atomic_store(&w->reopen_at,
			     0); /* before the open: a request from now on is another one */
		w->reopening = w->path != NULL && w->fd >= 0;
		w->reopen_ns = 0;
		w->retry_ns = 0;
	}
	if (w->reopening && clock_mono_ns() >= w->reopen_ns)
		reopen(w);
}

/* `n` octets are out. Whole lines are consumed, last: then the scribe writes over them. */
static void advance(struct sink_writer *w, size_t n)
{
	uint64_t end, lines = sink_queue_lines(w->queue, w->at, w->at + n, &end);

	atomic_fetch_add_explicit(&w->queue->tally.octets, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->queue->tally.lines, lines, memory_order_relaxed);
	if (lines > 0) {
		w->line_at = end;
		sink_queue_consume(w->queue, end);
	}
	w->at += n;
	w->size += (off_t)n;
}

/* After a short write the rest of the line may only follow if nobody touched the file. */
static void check_unfinished(struct sink_writer *w)
{
	struct stat st;

	if (!w->regular || fstat(w->fd, &st) < 0)
		return;
	if (w->at > w->line_at && st.st_size != w->size) {
		w->at = w->line_at;
		look_at_end(w);
	}
	w->size = st.st_size;
}

static void write_failed(struct sink_writer *w, int err)
{
	if (err == EAGAIN) {
		wait_for(w, w->fd, -1);
		return;
	}
	report_failure(w, err);
	if (err != EPIPE)
		return;
	close(w->fd);
	w->fd = -1;
	w->at = w->line_at;
	w->retry_ns = 0; /* the next reader may be there already */
	w->gone = w->path == NULL;
}

/* End a line that an earlier process, a full disk or somebody else left half written. */
static bool end_line(struct sink_writer *w)
{
	ssize_t n = write(w->fd, "\n", 1);

	if (n < 0 && errno != EINTR)
		write_failed(w, errno);
	if (n != 1)
		return false;
	w->ragged = false;
	w->size++;
	return true;
}

/* Whole lines, as many as fit into one write to a pipe; the beginning of one that is longer. */
static struct span gather(struct sink_writer *w, uint64_t until)
{
	uint64_t at = w->at, end;
	size_t n = 0;

	if (until - at > sizeof(w->piece))
		until = at + sizeof(w->piece);
	if (sink_queue_lines(w->queue, at, until, &end) > 0)
		until = end;
	while (at < until) {
		struct span s = sink_queue_peek(w->queue, at, until);

		memcpy(w->piece + n, s.p, s.n);
		n += s.n;
		at += s.n;
	}
	return span_of(w->piece, n);
}

static void write_some(struct sink_writer *w, uint64_t until)
{
	struct pollfd p = { w->fd, POLLOUT, 0 };
	struct span s;
	ssize_t n;

	if (w->paced && poll(&p, 1, 0) == 0) {
		wait_for(w, w->fd, -1);
		return;
	}
	check_unfinished(w);
	if (w->ragged && !end_line(w))
		return;
	s = w->regular ? sink_queue_peek(w->queue, w->at, until) : gather(w, until);
	if (s.n > WRITE_MAX)
		s.n = WRITE_MAX;
	sink_note_write(w->queue, &w->file, w->size, w->at, w->at + s.n);
	n = write(w->fd, s.p, s.n);
	if (n > 0) {
		advance(w, (size_t)n);
		report_success(w);
	} else if (n < 0 && errno != EINTR)
		write_failed(w, errno);
}

/* Lines that nobody will ever read. */
static void discard(struct sink_writer *w, uint64_t until)
{
	uint64_t lines = sink_queue_lines(w->queue, w->line_at, until, &w->line_at);

	atomic_fetch_add_explicit(&w->queue->tally.dropped, lines, memory_order_relaxed);
	w->at = w->line_at;
	sink_queue_consume(w->queue, w->line_at);
}

static void sleep_until_woken(struct sink_writer *w)
{
	atomic_store(&w->asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (write_until(w) == w->at && atomic_load(&w->reopen_at) == 0 && !stopping(w))
		wait_for(w, -1, w->reopening ? RETRY_MS : -1);
	atomic_store(&w->asleep, false);
}

/* One thing at a time; returns when there may be another. */
static void turn(struct sink_writer *w)
{
	uint64_t until;

	reopen_if_due(w);
	until = write_until(w);
	if (w->gone)
		discard(w, until);
	if (until == w->at) {
		if (!stopping(w) && atomic_load(&w->reopen_at) == 0)
			sleep_until_woken(w);
		return;
	}
	if (w->failing && clock_mono_ns() < w->retry_ns) {
		wait_for(w, -1, RETRY_MS);
		return;
	}
	if (w->fd >= 0 || open_first(w))
		write_some(w, until);
}

/* What there was no time for. */
static void give_up(struct sink_writer *w)
{
	uint64_t dropped = atomic_load(&w->queue->tally.dropped);

	discard(w, atomic_load_explicit(&w->queue->head, memory_order_acquire));
	dropped = atomic_load(&w->queue->tally.dropped) - dropped;
	if (dropped > 0)
		log_warn("log %s: ended with lines unwritten dropped=%llu", name_of(w),
			(unsigned long long)dropped);
}

static void *run(void *arg)
{
	struct sink_writer *w = arg;
	uint64_t head;

	thread_name("log-writer");
	thread_background();
	(void)open_first(w);
	while (!out_of_time(w) && !atomic_load(&w->leaving)) {
		head = atomic_load_explicit(&w->queue->head, memory_order_acquire);
		if (stopping(w) && w->line_at == head)
			break;
		turn(w);
	}
	if (!atomic_load(&w->leaving))
		give_up(w);
	if (w->fd >= 0)
		close(w->fd);
	atomic_store(&w->ended, true);
	return NULL;
}

static void writer_free(struct sink_writer *w)
{
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	free(w->path);
	free(w);
}

/*
 * The thread takes no signal: SIGPIPE and SIGXFSZ, which its own writes raise, stay pending for
 * ever and the write says EPIPE or EFBIG.
 */
static int start_thread(struct sink_writer *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static struct sink_writer *file_start(const struct sink_settings *s, struct sink_queue *q)
{
	struct sink_writer *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (w == NULL)
		goto fail;
	w->queue = q;
	w->at = w->line_at = atomic_load(&q->tail);
	w->fd = w->wake_fd = -1;
	if (s->type == SINK_FILE) {
		w->path = strdup(s->path);
		if (w->path == NULL)
			goto fail;
	}
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = w->wake_fd >= 0 ? start_thread(w) : -errno;
	if (err == 0)
		return w;
fail:
	log_error("log %s: %s", s->type == SINK_FILE ? s->path : "standard output",
		  strerrordesc_np(-err));
	if (w != NULL)
		writer_free(w);
	return NULL;
}

static void knock(struct sink_writer *w)
{
	uint64_t one = 1;

	(void)!write(w->wake_fd, &one, sizeof(one));
}

static void file_wake(struct sink_writer *w)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&w->asleep, memory_order_relaxed) &&
	    atomic_exchange(&w->asleep, false))
		knock(w);
}

static void file_reopen(struct sink_writer *w)
{
	uint64_t none = 0, head = atomic_load_explicit(&w->queue->head, memory_order_acquire);

	/*
	 * A request that was not served yet stands: the file opened then will be the newest one,
	 * too.
	 */
	(void)atomic_compare_exchange_strong(&w->reopen_at, &none, head + 1);
	knock(w);
}

static bool file_stop(struct sink_writer *w, uint32_t wait_ms, bool leave)
{
	const struct timespec nap = { 0, 1000000 };
	uint64_t stop_ns = clock_mono_ns() + wait_ms * 1000000ull;

	atomic_store(&w->leaving, leave);
	atomic_store(&w->stop_ns, stop_ns);
	knock(w);
	while (!atomic_load(&w->ended) && clock_mono_ns() < stop_ns + STUCK_MS * 1000000ull)
		(void)nanosleep(&nap, NULL);
	if (!atomic_load(&w->ended)) {
		log_warn("log %s: the system holds a write that does not return", name_of(w));
		pthread_detach(w->thread);
		return false;
	}
	pthread_join(w->thread, NULL);
	writer_free(w);
	return true;
}

const struct sink_ops sink_file = { file_start, file_wake, file_reopen, file_stop };
