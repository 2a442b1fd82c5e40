#ifndef SMSCOPE_SINK_QUEUE_H
#define SMSCOPE_SINK_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smscope/bytes.h"

/*
 * Lines on their way from the scribe to a writer thread: a bounded ring of octets, one producer,
 * one consumer, no lock. Positions grow for ever; `head` only ever stands behind a whole line.
 */
struct sink_queue {
	uint8_t *data;
	uint32_t size; /* a power of two */
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
};

/** `size` is rounded up to a power of two of at least 64 KiB. Returns SM_OK or -ENOMEM. */
int sink_queue_init(struct sink_queue *q, uint32_t size) MUST_CHECK;
void sink_queue_fini(struct sink_queue *q);

/** Octets waiting; any thread. */
uint32_t sink_queue_used(const struct sink_queue *q);

/** Producer: append a whole line; false if there is no room for all of it. */
bool sink_queue_put(struct sink_queue *q, const void *line, size_t n);

/**
 * Consumer: octets from position `at` on that lie together, up to position `until` at most. `at`
 * lies between the consumed and the produced; octets stay until sink_queue_consume().
 */
struct span sink_queue_peek(const struct sink_queue *q, uint64_t at, uint64_t until);

/** Consumer: everything before position `at` is done. */
void sink_queue_consume(struct sink_queue *q, uint64_t at);

#endif
