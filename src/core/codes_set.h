#ifndef SMSCOPE_CORE_CODES_SET_H
#define SMSCOPE_CORE_CODES_SET_H

#include "smscope/codes_build.h"

/*
 * The sealed set. One arena owns all of it. Numbers are looked up in two sorted arrays per side: exact
 * values, then ranges, which do not overlap; exact values below CODE_SMALL have a place by number, too.
 * Words are folded to lower case and sorted by length first, so that the longest prefix is found by one
 * search per length.
 */

struct code_exact {
	int64_t value;
	const struct code_row *row;
};

struct code_range {
	int64_t lo, hi;
	const struct code_row *row;
};

struct code_word {
	const char *text;
	uint64_t head; /* code_word_head() */
	size_t len;
	const struct code_row *row;
};

struct code_words {
	const struct code_word *at;
	int count;
	size_t len_min, len_max;
	uint64_t firsts; /* bit c & 63 for each first octet c */
};

enum { CODE_SMALL = 256 };

struct code_numbers {
	const struct code_exact *exact;
	const struct code_range *ranges;
	const int *small; /* [v]: where v stands in `exact`, or exact_count; NULL: none is so small */
	int exact_count, range_count;
	const struct code_row *fallback; /* the default row */
};

enum { SIDE_SLOTS = CODE_SIDES, CODE_WORD_MAX = 64 };

static inline int code_slot(unsigned side)
{
	int slot = 0;

	while (slot < SIDE_SLOTS - 1 && (side >> slot & 1u) == 0)
		slot++;
	return slot;
}

struct code_index {
	struct code_table pub;
	struct code_numbers numbers[SIDE_SLOTS];
	struct code_words exact, prefix, names;
};

struct code_step {
	const struct code_index *table;
	bool always; /* nothing but `when` can keep it from being taken, and that is WHEN_UNKNOWN */
	struct code_step_def def;
};

struct code_steps {
	const struct code_step *at;
	int count;
};

struct code_inner {
	const struct code_row *row;
	struct code_steps steps;
	bool required;
};

struct code_profile {
	const char *name, *title_zh, *title_en;
	struct code_steps rules[CTX_COUNT][SIDE_SLOTS];
	const struct code_inner *inner; /* sorted by row */
	int inner_count;
	uint64_t digest; /* as that of a row */
};

struct code_chunk {
	struct code_chunk *next;
	size_t used, size;
	_Alignas(16) unsigned char mem[];
};

enum { CODE_MAPS_MAX = 64 };

struct code_set {
	struct code_chunk *chunks;
	const struct code_index **tables; /* load order */
	int table_count, row_count;
	const struct code_profile **profiles;
	int profile_count;
	const struct code_map *maps[CODE_MAPS_MAX];
	int map_count;
	const struct code_profile *standard; /* NULL: the set has none */
};

/** The first octets of a folded word as one number, in whatever order this machine has. */
static inline uint64_t code_word_head(const char *text, size_t len)
{
	uint64_t head = 0;

	memcpy(&head, text, len < sizeof(head) ? len : sizeof(head));
	return head;
}

/** Order of struct code_words: length, head, octets. Both are folded. */
static inline int code_word_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
	uint64_t a_head = code_word_head(a, a_len), b_head = code_word_head(b, b_len);

	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	if (a_head != b_head)
		return a_head < b_head ? -1 : 1;
	return memcmp(a, b, a_len);
}

/** Bit of struct code_words.firsts. */
static inline uint64_t code_word_first(char c)
{
	return (uint64_t)1 << ((unsigned char)c & 63);
}

static inline char code_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
