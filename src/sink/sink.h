#ifndef SMSCOPE_SINK_H
#define SMSCOPE_SINK_H

#include "base/settings.h"

/*
 * Where records go. sink_put() is called by the scribe alone: it formats the record into the sink's
 * own bounded queue and returns; it never waits. A writer thread of the sink's own takes it from
 * there. A queue that is full drops the line and counts it; when there is room again one line says
 * how many were lost.
 */
struct sink;

struct sink_counts {
	uint64_t lines, octets;   /* handed to the system */
	uint64_t dropped;         /* lines that found the queue full */
	uint64_t errors;          /* writes that failed */
	uint32_t queued;          /* octets waiting now */
};

/**
 * Octets of memory for the queue and the counters of such a sink, aligned to 64. Zeros are an empty
 * queue.
 */
size_t sink_shared_bytes(const struct sink_settings *s);

/**
 * Do the lines in this memory, whatever its size, go to the place that `s` names? False for zeros,
 * and for what this program cannot read.
 */
bool sink_shared_fits(const void *shared, const struct sink_settings *s);

/** Does no line wait in this memory? Another sink may have it, and nothing is lost. */
bool sink_shared_empty(const void *shared);

/**
 * Open what the settings name and start the writer. NULL with the reason logged; a path that cannot
 * be opened yet is no failure: it is retried.
 *
 * `shared` is sink_shared_bytes() of the caller's memory, or NULL: the sink has its own. In memory
 * that outlives the process the lines do, too: whatever the moment of its death, the next sink over
 * it writes them, each exactly once to a regular file, at least once elsewhere. That process must
 * be gone, with all its threads. A memory of another layout, size or place, or with positions that
 * cannot be, starts empty; if lines may have waited there it says so, and counts them as dropped as far as it can.
 */
struct sink *sink_new(const struct sink_settings *s, void *shared);

/**
 * A record that has been put before, by this process or one that is gone, is not put again: ids grow from one to the
 * next. One with id 0 always is.
 */
void sink_put(struct sink *k, const struct record *r);

/**
 * Let the writer have what is queued now, without waiting: called by the scribe when it has drained
 * its rings.
 */
void sink_flush(struct sink *k);

/**
 * Reopen the file (USR1): lines put before go to the old file, lines after to the new one. Any
 * thread.
 */
void sink_reopen(struct sink *k);

/** What messages call it: its path, or "stdout". Any thread; lives as long as the sink. */
const char *sink_name(const struct sink *k);

/** Any thread. */
void sink_counts(const struct sink *k, struct sink_counts *ret);

/**
 * Write what is queued for at most `wait_ms`, count the rest as dropped, stop the writer. False:
 * the system holds it in a write that does not return, so the shared memory has to stay mapped.
 */
bool sink_free(struct sink *k, uint32_t wait_ms);

/**
 * The end of a sink whose shared memory another process goes on with: the writer stops after its
 * present write, lines and counters stay. False: that write does not return within `wait_ms`; the
 * memory has to stay mapped, and another process may take it only when this one is gone.
 */
bool sink_leave(struct sink *k, uint32_t wait_ms);

#endif
