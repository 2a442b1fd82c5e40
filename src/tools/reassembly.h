#ifndef SMSCOPE_TOOLS_REASSEMBLY_H
#define SMSCOPE_TOOLS_REASSEMBLY_H

#include <stdbool.h>

#include "tools/segment.h"

/*
 * One direction of a TCP connection: from segments as somebody saw them go by, in any order, some
 * twice, some never, to its octets in order. Of octets that came twice the first copy counts.
 *
 *       delivered          missing      held          missing   held
 *     ─────────────────┬─────────────┬──────────────┬─────────┬─────────┄
 *                    next         held->seq
 *
 * What is missing is waited for. It is given up when the other end has acknowledged it, so it did
 * arrive and only the capture lacks it; when too much is held behind it; and at the end.
 */
enum {
	REASSEMBLY_HELD_MAX = 1 << 20, /* octets held of one direction */
	REASSEMBLY_PIECES_MAX = 4096,
	REASSEMBLY_ALL_MAX = 64 << 20, /* memory of all directions with the same `all_held` */
	REASSEMBLY_GRACE_MS = 50,      /* what was acknowledged may still come, out of order */
};

/* Both are called from within reassembly_segment(), _time() and _end(). */
struct reassembly_to {
	/** Never empty; a segment's octets, or what of them is new, and where they stand. */
	void (*octets)(void *arg, struct span s, const struct capture_at *at);
	/** So many octets before the next ones never came. `at` is where those are that tell it. */
	void (*gap)(void *arg, uint64_t missing, const struct capture_at *at);
};

struct reassembly_piece;

struct reassembly {
	const struct reassembly_to *to;
	void *arg;
	size_t *all_held;
	bool begun;    /* `next` counts: a SYN was seen, or the first octets */
	bool syn, fin; /* seen; isn and fin_at count */
	bool done;     /* all is there up to the FIN; what follows is nothing */
	bool waits;    /* `acked` lies beyond `next` */
	uint32_t isn, fin_at, next, acked;
	struct capture_at acked_at;
	struct reassembly_piece *held; /* in order, none touches another or `next` */
	size_t held_octets, held_count;
};

/** `all_held` is shared by all directions that together may hold REASSEMBLY_ALL_MAX. */
void reassembly_init(struct reassembly *r, const struct reassembly_to *to, void *arg,
	size_t *all_held);

/** A segment of this direction. Without a SYN the first octets seen are the beginning. */
void reassembly_segment(struct reassembly *r, const struct segment *s,
	const struct capture_at *at);

/** The other end has everything before `ack`. */
void reassembly_acked(struct reassembly *r, uint32_t ack, const struct capture_at *at);

/** It is that late, by the capture's clock: what was acknowledged and did not come is given up. */
void reassembly_time(struct reassembly *r, uint64_t now_ns);

/** Are there octets missing that may still come? */
bool reassembly_misses(const struct reassembly *r);

/** Is `now_ns` so much later than `since_ns` that what may come out of order has come? */
bool reassembly_late(uint64_t since_ns, uint64_t now_ns);

/** Nothing follows: what is held goes out, what is missing is told. */
void reassembly_end(struct reassembly *r);

/** Drop what is held; without a word. */
void reassembly_fini(struct reassembly *r);

#endif
