#ifndef SMSCOPE_SINK_QUEUE_H
#define SMSCOPE_SINK_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smscope/bytes.h"

/*
 * Lines on their way from the scribe to a writer thread: a bounded ring of octets, one producer,
 * one consumer, no lock. Positions grow for ever; `head` only ever stands behind a whole line, and
 * `tail` behind the last line that is out.
 *
 * It may lie in memory that outlives the process: no pointers, and whoever is killed at whatever
 * instruction leaves what the next one can go on with. So what belongs together is stored in the
 * order that the comments give.
 */

enum { SINK_QUEUE_MAGIC = 0x736e6b71, SINK_QUEUE_LAYOUT = 2 };

/* What the two threads of a sink count, from the memory's beginning on. */
struct sink_tally {
	_Atomic uint64_t lines, octets; /* the writer's; before the tail moves */
	_Atomic uint64_t dropped, errors;
};

/* The scribe's: lines dropped that no line has told of yet. */
struct sink_loss {
	_Atomic uint64_t lost;  /* last, when it grows */
	uint64_t from_ns, to_ns;
	uint64_t told_at;       /* the line that tells of them ends here, once it is put; 0 none */
};

/* The scribe's, before each put: what tells, after a death, the last record whose line is there. */
struct sink_put {
	uint64_t id;            /* the record's, or of the one before if the line is of none */
	uint64_t end;           /* it is put if `head` is that far */
};

/* The writer's, before each write(2): what tells, after a death, how much of it is out. */
struct sink_note {
	uint64_t dev, ino, size; /* the file; its octets before the write (0: no regular file) */
	uint64_t at, until;      /* positions of what is handed over */
	uint64_t tail;           /* of the queue, then */
	uint64_t lines, octets;  /* of the tally, then */
};

struct sink_queue {
	_Atomic uint32_t magic;
	uint32_t layout;
	uint64_t place;          /* hash of where its lines go to */
	uint32_t size;           /* octets of data, a power of two */
	_Atomic uint32_t noted;  /* notes[noted - 1] is the last one; 0 none */
	_Atomic uint32_t begun;  /* puts[begun] is the last one that began, the other one that before it */
	struct sink_tally tally;
	_Alignas(64) struct sink_loss loss;
	struct sink_put puts[2];
	_Alignas(64) struct sink_note notes[2];
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) uint8_t data[];
};

/** Octets for a queue of `size`, which becomes a power of two of at least 64 KiB; aligned to 64. */
size_t sink_queue_bytes(uint32_t size);

/* What sink_queue_adopt() found; but for SINK_QUEUE_KEPT the queue is empty now. */
enum sink_queue_was {
	SINK_QUEUE_NEW,        /* zeros: an empty queue */
	SINK_QUEUE_KEPT,       /* a queue for that place */
	SINK_QUEUE_OF_OTHER,   /* for another place */
	SINK_QUEUE_LAYOUT_BAD, /* something else, or of another layout */
	SINK_QUEUE_SIZE_BAD,   /* of another size */
	SINK_QUEUE_ENDS_BAD,   /* with positions that cannot be */
};

/** Make the queue at `mem`, or go on with the one that a process which is no more left there. */
enum sink_queue_was sink_queue_adopt(struct sink_queue *mem, uint32_t size, uint64_t place);

/** The place that a queue at `mem` is for; 0 if none is there that this program can read. */
uint64_t sink_queue_place(const struct sink_queue *mem);

/* What is there before that: */
struct sink_queue_left {
	bool some;               /* lines, or what may be some */
	uint64_t lines;          /* how many; 0: that cannot be known */
};

/** What sink_queue_adopt() with that `size` would throw away if the queue is for another place, or does not fit. */
struct sink_queue_left sink_queue_look(const struct sink_queue *mem, uint32_t size);

/** Octets waiting; any thread. */
uint32_t sink_queue_used(const struct sink_queue *q);

/** Producer: append a whole line, that of record `id` or, if 0, of none; false if there is no room for all of it. */
bool sink_queue_put(struct sink_queue *q, const void *line, size_t n, uint64_t id);

/** Producer: the id of the record that was put last, by whatever process; 0 none. */
uint64_t sink_queue_last(const struct sink_queue *q);

/**
 * Consumer: octets from position `at` on that lie together, up to position `until` at most. `at`
 * lies between the consumed and the produced; octets stay until sink_queue_consume().
 */
struct span sink_queue_peek(const struct sink_queue *q, uint64_t at, uint64_t until);

/** Consumer: how many lines end between two positions; *ret_end is behind the last, or `at`. */
uint64_t sink_queue_lines(const struct sink_queue *q, uint64_t at, uint64_t until,
	uint64_t *ret_end);

/** Consumer: everything before position `at` is done. */
void sink_queue_consume(struct sink_queue *q, uint64_t at);

#endif
