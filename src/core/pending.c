#include "smscope/pending.h"

#include <stdlib.h>

/*
 * Entries lie in one array; links are index + 1, 0 none, so that fresh zeroed pages are a valid
 * empty table and an idle session never touches them. Each entry is in one bucket chain and in the
 * list by age, both oldest first.
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
	uint32_t touched; /* entries ever used; beyond it none was */
	uint32_t unused;  /* entries given back, newest first */
	uint32_t oldest, newest;
	int shift; /* 32 - log2(buckets) */
	struct bucket *buckets;
	struct entry entries[];
};

struct pending_table *pending_new(uint32_t limit)
{
	struct pending_table *t;
	int bits = 4;

	if (limit == 0)
		limit = 1;
	if (limit > 1u << 24)
		limit = 1u << 24;
	while (1u << bits < limit)
		bits++;
	t = calloc(1, sizeof(*t) + limit * sizeof(struct entry));
	if (t == NULL)
		return NULL;
	t->buckets = calloc((size_t)1 << bits, sizeof(struct bucket));
	if (t->buckets == NULL) {
		free(t);
		return NULL;
	}
	t->limit = limit;
	t->shift = 32 - bits;
	return t;
}

void pending_free(struct pending_table *t)
{
	if (t == NULL)
		return;
	free(t->buckets);
	free(t);
}

static struct entry *entry_at(struct pending_table *t, uint32_t link)
{
	return &t->entries[link - 1];
}

static struct bucket *bucket_of(struct pending_table *t, uint32_t sequence)
{
	return &t->buckets[(uint32_t)(sequence * 2654435769u) >> t->shift];
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
	struct bucket *b = bucket_of(t, sequence);
	struct entry *e;
	uint32_t link;

	*ret_forgot = t->count == t->limit;
	if (*ret_forgot) {
		*ret_forgotten = entry_at(t, t->oldest)->p;
		unlink_entry(t, t->oldest);
	}
	link = unused_entry(t);
	e = entry_at(t, link);
	e->p = (struct pending){ .sequence = sequence, .sent_us = now_us };
	e->chain_prev = b->last;
	e->chain_next = 0;
	if (b->last != 0)
		entry_at(t, b->last)->chain_next = link;
	else
		b->first = link;
	b->last = link;
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

bool pending_take(struct pending_table *t, uint32_t sequence, uint32_t command, struct pending *ret)
{
	uint32_t link = bucket_of(t, sequence)->first;

	while (link != 0) {
		struct entry *e = entry_at(t, link);

		if (e->p.sequence == sequence && (command == 0 || e->p.command == command)) {
			*ret = e->p;
			unlink_entry(t, link);
			return true;
		}
		link = e->chain_next;
	}
	return false;
}

uint32_t pending_count(const struct pending_table *t)
{
	return t->count;
}

uint64_t pending_oldest_us(const struct pending_table *t)
{
	return t->oldest != 0 ? t->entries[t->oldest - 1].p.sent_us : 0;
}
