#ifndef SMSCOPE_UNKNOWN_H
#define SMSCOPE_UNKNOWN_H

#include "smscope/codes.h"

/*
 * Codes of one link that no table lists: each value with how often and when it was seen. The peer
 * chooses codes, so the list is bounded: values beyond its limit are counted together as the
 * other. Preallocated; noting one costs a hash and a comparison or two, knowing a code nothing.
 */

enum { UNKNOWN_LIMIT = 256, UNKNOWN_TEXT = 24, UNKNOWN_SAMPLE = 160 };

struct unknown_code {
	bool other;               /* all values that found the list full; the next four are empty */
	enum code_context context;
	bool is_text;
	int64_t number;           /* unless is_text */
	char text[UNKNOWN_TEXT];  /* as on the wire, cut to fit, foreign */
	uint8_t text_len;
	uint64_t count;
	uint64_t first_ns, last_ns; /* wall clock */
	uint64_t told_ns;         /* when it was last worth a record */
	uint64_t told_count;      /* and its count then */
	char sample[UNKNOWN_SAMPLE]; /* the caller's, of the first; NUL-terminated */
};

struct unknown_codes;

/** A list of at most `limit` values and the other. NULL when memory is short. */
struct unknown_codes *unknown_new(uint32_t limit);
void unknown_free(struct unknown_codes *u);

/* One code seen. */
struct unknown_seen {
	enum code_context context;
	bool is_text;
	int64_t number;
	struct span text;
	uint64_t wall_ns;
};

/**
 * Count a code. Returns its entry; *ret_tell is set if it deserves a record now: the first time,
 * then once `every_ns` has passed since the last. The entry lives as long as the list; an entry
 * whose count is 1 has an empty sample for the caller to fill in.
 */
struct unknown_code *unknown_note(struct unknown_codes *u, const struct unknown_seen *seen,
	uint64_t every_ns, bool *ret_tell);

/** Entries in the order in which they were first seen; the other, if there is one, last. */
uint32_t unknown_count(const struct unknown_codes *u);
const struct unknown_code *unknown_at(const struct unknown_codes *u, uint32_t i);

#endif
