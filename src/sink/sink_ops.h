#ifndef SMSCOPE_SINK_OPS_H
#define SMSCOPE_SINK_OPS_H

#include "base/settings.h"
#include "sink/sink_queue.h"

struct sink_writer;

/* What empties a sink's queue. A new kind of sink is one of these and a line in sink.c. */
struct sink_ops {
	/**
	 * Start the writer thread; the queue outlives it. What a process that is no more left in
	 * the queue may be written already. NULL with the reason logged.
	 */
	struct sink_writer *(*start)(const struct sink_settings *s, struct sink_queue *q);

	/** Look at the queue again; any thread, never waits. */
	void (*wake)(struct sink_writer *w);

	/**
	 * Lines before the present end of the queue go to the old file, lines after it to a new
	 * one; any thread.
	 */
	void (*reopen)(struct sink_writer *w);

	/**
	 * Write what is queued for at most `wait_ms`, then drop the rest; or, with `leave`, end
	 * after the present write, at most `wait_ms` from now, and leave the queue as it is. False:
	 * the system holds the thread in a write that does not return; it keeps the writer and the
	 * queue for ever.
	 */
	bool (*stop)(struct sink_writer *w, uint32_t wait_ms, bool leave);
};

extern const struct sink_ops sink_file;

#endif
