#ifndef SMSCOPE_CORE_STORY_TABLE_H
#define SMSCOPE_CORE_STORY_TABLE_H

#include <stdatomic.h>

#include "smscope/story.h"

/* What the files of the story table share. */

enum { STORY_LINKS = 256, STORY_JOINS = 4096 };

enum {
	STORY_WANTED = 1, /* asked for a report */
	STORY_FINAL = 2,  /* has had its final report */
	STORY_BINARY = 4,
	STORY_RANGE = 8,  /* a guess: one of the Msg_Ids of a submit to several destinations */
	STORY_BROKEN = 16, /* found so by story_adopt(): in no chain */
};

struct story_entry {
	uint64_t hash;         /* of account and folded id */
	uint64_t number;
	uint64_t sent_us;
	uint64_t session;
	uint64_t dst;          /* last digits, a nibble each plus 1, the last one lowest; 0 unknown */
	uint64_t first;        /* position + 1 of the first accepted part of its message */
	uint32_t older, newer; /* of its bucket: index + 1, 0 none */
	uint32_t account;
	uint32_t sent_s;       /* wall time, seconds since 1970 */
	uint32_t answer_us;    /* from sent_us on; at most an hour or so */
	uint16_t link;
	uint8_t part, total, dst_count, flags, reports, parts_reported;
	int8_t state;          /* of the latest report */
	uint8_t id_len;        /* of the whole id */
	char id[STORY_ID];
};

_Static_assert(sizeof(struct story_entry) == 128, "two cache lines");

/* A long message that is being submitted. */
struct story_join {
	uint64_t key;          /* hash of who, to whom, which; 0 unused */
	uint64_t number;
	uint64_t begun_us;
	uint64_t first;        /* as of an entry; 0 none accepted yet */
	uint64_t seen[4];      /* parts, a bit each */
};

struct story_link {
	_Atomic uint32_t key;  /* 0 unused */
	uint32_t told_rule;
	_Atomic uint64_t reports, matched, by_rule[ID_RULES];
};

struct story_table {
	uint32_t magic, layout;
	uint64_t size;
	uint32_t limit, buckets; /* a power of two */
	uint64_t seed;
	_Atomic uint64_t head, tail; /* positions grow for ever; an entry lies at its position % limit */
	uint64_t next_number;
	_Atomic uint64_t matched, unmatched, duplicates, aged, evicted, unreported;
	uint64_t buckets_at, joins_at, entries_at;
	struct story_link links[STORY_LINKS];
};

static inline uint32_t *story_bucket(const struct story_table *t, uint64_t hash)
{
	return (uint32_t *)(void *)((char *)(uintptr_t)t + t->buckets_at) + (hash & (t->buckets - 1));
}

static inline struct story_join *story_joins(struct story_table *t)
{
	return (struct story_join *)(void *)((char *)t + t->joins_at);
}

static inline struct story_entry *story_entries(const struct story_table *t)
{
	return (struct story_entry *)(void *)((char *)(uintptr_t)t + t->entries_at);
}

static inline uint64_t story_load(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* One writer: no locked instruction is needed. */
static inline void story_add(_Atomic uint64_t *n, uint64_t more)
{
	atomic_store_explicit(n, story_load(n) + more, memory_order_relaxed);
}

static inline struct story_entry *story_at(const struct story_table *t, uint64_t position)
{
	return &story_entries(t)[position % t->limit];
}

/* Is the position + 1 of an entry that is still remembered? */
static inline bool story_alive(const struct story_table *t, uint64_t first)
{
	return first > story_load(&t->tail) && first <= story_load(&t->head);
}

uint64_t story_hash(uint64_t seed, const void *p, size_t n);

/** Of an id as the table looks for it: folded, or the octets of a binary one. */
uint64_t story_id_hash(const struct story_table *t, uint32_t account, struct span folded);

/** The last digits of a number, packed; 0 if it has none. */
uint64_t story_tail(struct span number);

/** 1 the numbers agree, -1 they do not, 0 one of them is not known. */
int story_tails_agree(uint64_t a, uint64_t b);

/** A new entry, the newest of its bucket. `e` is copied; its chain is set here. Returns its position. */
uint64_t story_put(struct story_table *t, const struct story_entry *e);

/** Forget the oldest entry; there must be one. */
void story_drop(struct story_table *t);

/** `e` as the caller sees it. */
void story_view(const struct story_entry *e, struct story *ret);

#endif
