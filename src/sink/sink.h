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
 * Open what the settings name and start the writer. NULL with the reason logged; a path that cannot
 * be opened yet is no failure: it is retried.
 */
struct sink *sink_new(const struct sink_settings *s);

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

/** Write what is queued for at most `wait_ms`, count the rest as dropped, stop the writer. */
void sink_free(struct sink *k, uint32_t wait_ms);

#endif
