#include "core/story_table.h"

/*
 * Long messages while they are being submitted: a few places for each key, of which the oldest gives
 * way. A place outlives its message by far, so its age says whether a part belongs to it.
 */

enum { WAYS = 4, JOIN_AGE_US = 600000000 };

static uint64_t join_key(const struct story_table *t, uint32_t account, struct span src,
	struct span dst, uint32_t reference, uint8_t total)
{
	uint32_t which[3] = { account, reference, total };
	uint64_t h = story_hash(t->seed, which, sizeof(which));

	h = story_hash(h, src.p, src.n);
	h = story_hash(h, dst.p, dst.n);
	return h != 0 ? h : 1;
}

static bool part_seen(const struct story_join *j, uint8_t part)
{
	return (j->seen[part / 64] >> part % 64 & 1) != 0;
}

void story_begin(struct story_table *t, uint32_t account, struct span src, struct span dst,
	uint32_t reference, uint8_t part, uint8_t total, uint64_t now_us, struct story_part *ret)
{
	struct story_join *joins = story_joins(t), *j, *oldest;
	uint64_t key;
	size_t home;

	*ret = (struct story_part){ .part = part, .total = total };
	if (total <= 1) {
		ret->number = t->next_number++;
		return;
	}
	key = join_key(t, account, src, dst, reference, total);
	home = (size_t)key % (STORY_JOINS / WAYS) * WAYS;
	j = oldest = &joins[home];
	for (size_t i = 0; i < WAYS && j->key != key; i++) {
		j = &joins[home + i];
		if (j->begun_us < oldest->begun_us)
			oldest = j;
	}
	if (j->key != key || part_seen(j, part) || now_us - j->begun_us > JOIN_AGE_US) {
		j = j->key == key ? j : oldest;
		*j = (struct story_join){ .key = key, .number = t->next_number++,
			.begun_us = now_us };
	}
	j->seen[part / 64] |= (uint64_t)1 << part % 64;
	ret->join = (uint16_t)(j - joins);
	ret->number = j->number;
}

void story_refused(struct story_table *t, const struct story_part *p)
{
	struct story_join *j = &story_joins(t)[p->join % STORY_JOINS];

	if (p->total > 1 && j->number == p->number)
		j->seen[p->part / 64] &= ~((uint64_t)1 << p->part % 64);
}
