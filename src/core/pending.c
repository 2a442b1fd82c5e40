#include "smscope/pending.h"

#include <stdlib.h>
#include <string.h>

/*
 * Entries lie in one array; links are index + 1, 0 none, so that the array may move. Each entry is in one
 * bucket chain and in the list by age, both oldest first. There are as many buckets as entries.
 *
 * A table begins with the one entry that it has in itself and doubles up to its limit: most sessions
 * never have more than a few requests unanswered, and thousands of idle ones must cost little. It is the
 * one thing in the core that allocates outside a *_new; where memory is short it forgets the oldest
 * instead.
 */
struct entry {
	struct pending p;
	uint32_t chain_prev, chain_next;
	uint32_t age_prev, age_next; /* age_next also links the free entries */
};

struct bucket {
	uint32_t first, last;
};

struct pending_table {
	uint32_t limit, count;
	uint32_t room;    /* entries and buckets there are, a power of two */
	uint32_t touched; /* entries ever used; beyond it none was */
	uint32_t unused;  /* entries given back, newest first */
	uint32_t oldest, newest;
	uint32_t told; /* it and all that are older were given by pending_overdue() */
	struct bucket *buckets;
	struct entry *entries;
	struct bucket own_bucket; /* where there is room for one */
	struct entry own_entry;
};

enum { LIMIT_MOST = 1 << 24 };

static struct entry *entry_at(struct pending_table *t, uint32_t link)
{
	return &t->entries[link - 1];
}

static struct bucket *bucket_of(struct pending_table *t, uint32_t sequence)
{
	uint32_t hash = sequence * 2654435769u;

	return &t->buckets[(hash ^ hash >> 16) & (t->room - 1)];
}

static void chain(struct pending_table *t, uint32_t link)
{
	struct entry *e = entry_at(t, link);
	struct bucket *b = bucket_of(t, e->p.sequence);

	e->chain_prev = b->last;
	e->chain_next = 0;
	if (b->last != 0)
		entry_at(t, b->last)->chain_next = link;
	else
		b->first = link;
	b->last = link;
}

static void let_go(struct pending_table *t)
{
	if (t->entries == &t->own_entry)
		return;
	free(t->buckets);
	free(t->entries);
}

/* Empty, with room for one. */
static void begin(struct pending_table *t)
{
	t->own_bucket = (struct bucket){ 0, 0 };
	t->buckets = &t->own_bucket;
	t->entries = &t->own_entry;
	t->room = 1;
	t->touched = t->unused = t->oldest = t->newest = t->told = 0;
}

/* Room for `room` entries; false, and nothing changed, if memory is short. */
static bool resize(struct pending_table *t, uint32_t room)
{
	struct bucket *buckets = calloc(room, sizeof(*buckets));
	struct entry *entries = buckets != NULL ? malloc(room * sizeof(*entries)) : NULL;

	if (entries == NULL) {
		free(buckets);
		return false;
	}
	memcpy(entries, t->entries, t->room * sizeof(*entries));
	let_go(t);
	t->buckets = buckets;
	t->entries = entries;
	t->room = room;
	for (uint32_t link = t->oldest; link != 0; link = entry_at(t, link)->age_next)
		chain(t, link);
	return true;
}

struct pending_table *pending_new(uint32_t limit)
{
	struct pending_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->limit = limit == 0 ? 1 : limit > LIMIT_MOST ? LIMIT_MOST : limit;
	begin(t);
	return t;
}

void pending_free(struct pending_table *t)
{
	if (t == NULL)
		return;
	let_go(t);
	free(t);
}

void pending_rest(struct pending_table *t)
{
	if (t->count > 0 || t->room == 1)
		return;
	let_go(t);
	begin(t);
}

/* Take the entry out of its chain and of the list by age, and give it back. */
static void unlink_entry(struct pending_table *t, uint32_t link)
{
	struct entry *e = entry_at(t, link);
	struct bucket *b = bucket_of(t, e->p.sequence);

	if (e->chain_prev != 0)
		entry_at(t, e->chain_prev)->chain_next = e->chain_next;
	else
		b->first = e->chain_next;
	if (e->chain_next != 0)
		entry_at(t, e->chain_next)->chain_prev = e->chain_prev;
	else
		b->last = e->chain_prev;
	if (e->age_prev != 0)
		entry_at(t, e->age_prev)->age_next = e->age_next;
	else
		t->oldest = e->age_next;
	if (e->age_next != 0)
		entry_at(t, e->age_next)->age_prev = e->age_prev;
	else
		t->newest = e->age_prev;
	if (t->told == link)
		t->told = e->age_prev;
	e->age_next = t->unused;
	t->unused = link;
	t->count--;
}

static uint32_t unused_entry(struct pending_table *t)
{
	uint32_t link = t->unused;

	if (link == 0)
		return ++t->touched;
	t->unused = entry_at(t, link)->age_next;
	return link;
}

struct pending *pending_put(struct pending_table *t, uint32_t sequence, uint64_t now_us,
	struct pending *ret_forgotten, bool *ret_forgot)
{
	struct entry *e;
	uint32_t link;

	*ret_forgot = t->count == t->limit || (t->count == t->room && !resize(t, 2 * t->room));
	if (*ret_forgot) {
		*ret_forgotten = entry_at(t, t->oldest)->p;
		unlink_entry(t, t->oldest);
	}
	link = unused_entry(t);
	e = entry_at(t, link);
	e->p = (struct pending){ .sequence = sequence, .sent_us = now_us };
	chain(t, link);
	e->age_prev = t->newest;
	e->age_next = 0;
	if (t->newest != 0)
		entry_at(t, t->newest)->age_next = link;
	else
		t->oldest = link;
	t->newest = link;
	t->count++;
	return &e->p;
}

bool pending_take_old(struct pending_table *t, uint32_t sequence, uint32_t command, uint64_t before_us,
	struct pending *ret)
{
	uint32_t link = bucket_of(t, sequence)->first;

	while (link != 0) {
		struct entry *e = entry_at(t, link);

		if (e->p.sequence == sequence && e->p.sent_us < before_us &&
			(command == 0 || e->p.command == command)) {
			*ret = e->p;
			unlink_entry(t, link);
			return true;
		}
		link = e->chain_next;
	}
	return false;
}

bool pending_take(struct pending_table *t, uint32_t sequence, uint32_t command, struct pending *ret)
{
	return pending_take_old(t, sequence, command, UINT64_MAX, ret);
}

const struct pending *pending_overdue(struct pending_table *t, uint64_t before_us)
{
	uint32_t link = t->told != 0 ? entry_at(t, t->told)->age_next : t->oldest;

	if (link == 0 || entry_at(t, link)->p.sent_us >= before_us)
		return NULL;
	t->told = link;
	return &entry_at(t, link)->p;
}

uint32_t pending_count(const struct pending_table *t)
{
	return t->count;
}

uint64_t pending_oldest_us(const struct pending_table *t)
{
	return t->oldest != 0 ? t->entries[t->oldest - 1].p.sent_us : 0;
}
