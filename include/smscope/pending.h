#ifndef SMSCOPE_PENDING_H
#define SMSCOPE_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "smscope/story.h"

/*
 * Requests of one session and one direction that wait for their response, by sequence number.
 * Bounded: beyond `limit`, or where memory is short, the oldest is forgotten. Put and take are O(1); a
 * table that has never held many takes little memory.
 */

enum { PENDING_ID_LEN = 24 };

struct pending {
	uint32_t sequence;
	uint32_t command;
	const char *name;  /* the PDU's, static text */
	uint64_t sent_us;  /* monotonic */
	uint64_t wall_ns;  /* of a submit, as the next ones */
	struct story_part part;
	bool wants_report;
	bool probe;        /* a keepalive */
	uint8_t dst_count; /* destinations of the request */
	char dst[PENDING_ID_LEN]; /* the first as sent, cut to fit, NUL-terminated */
};

struct pending_table;

/** NULL when memory is short. */
struct pending_table *pending_new(uint32_t limit);
void pending_free(struct pending_table *t);

/**
 * Remember a request; returns its entry for the caller to fill in, valid until the next put. The entry that made room, if
 * any, is copied to `ret_forgotten` and *ret_forgot set. Sequence numbers in use twice stay in
 * order.
 */
struct pending *pending_put(struct pending_table *t, uint32_t sequence, uint64_t now_us,
	struct pending *ret_forgotten, bool *ret_forgot);

/**
 * Remove the oldest request with `sequence` whose command matches `command` (0: any) and copy it
 * out. False means unknown, forgotten or answered twice. Report the response anyway.
 */
bool pending_take(struct pending_table *t, uint32_t sequence, uint32_t command,
		  struct pending *ret);

/** As pending_take(), but only a request that was sent before `before_us`. */
bool pending_take_old(struct pending_table *t, uint32_t sequence, uint32_t command, uint64_t before_us,
	struct pending *ret);

/**
 * The oldest request that was sent before `before_us` and that this call has not given yet; it stays
 * where it is. NULL: none. Valid until the next put or take.
 */
const struct pending *pending_overdue(struct pending_table *t, uint64_t before_us);

/** Give back what an empty table that once held many has; the next requests take it again. */
void pending_rest(struct pending_table *t);

/** Unanswered requests now, and when the oldest of them was sent (0 if none). */
uint32_t pending_count(const struct pending_table *t);
uint64_t pending_oldest_us(const struct pending_table *t);

#endif
