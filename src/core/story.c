#include "core/story_table.h"

/*
 * Positions grow for ever, an entry lies at its position modulo the limit. A bucket's chain is newest
 * first, so that an id that is used again finds the new message, and linked both ways, so that the
 * oldest entry is taken out at once however long the chain.
 */

enum { MAGIC = 0x73746f72, LIMIT_LEAST = 16, ALIGN = 64, LOOK_MOST = 1000 };

static uint64_t align(uint64_t n)
{
	return (n + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static uint32_t bucket_count(uint32_t limit)
{
	uint32_t n = LIMIT_LEAST;

	while (n < limit && n < 1u << 31)
		n *= 2;
	return n;
}

static void lay_out(struct story_table *t, uint32_t limit)
{
	t->limit = limit;
	t->buckets = bucket_count(limit);
	t->joins_at = align(sizeof(*t));
	t->buckets_at = align(t->joins_at + STORY_JOINS * sizeof(struct story_join));
	t->entries_at = align(t->buckets_at + t->buckets * sizeof(uint32_t));
	t->size = t->entries_at + (uint64_t)limit * sizeof(struct story_entry);
}

size_t story_bytes(uint32_t limit)
{
	struct story_table t;

	lay_out(&t, limit < LIMIT_LEAST ? LIMIT_LEAST : limit);
	return (size_t)t.size;
}

struct story_table *story_init(void *mem, size_t bytes, uint32_t limit, uint64_t first)
{
	struct story_table *t = mem;

	if (limit < LIMIT_LEAST || bytes < story_bytes(limit))
		return NULL;
	lay_out(t, limit);
	t->seed = first * 0x9e3779b97f4a7c15u + (uintptr_t)mem;
	t->next_number = first;
	t->layout = STORY_LAYOUT;
	t->magic = MAGIC;
	return t;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t story_hash(uint64_t seed, const void *p, size_t n)
{
	static const uint64_t odd = 0x9e3779b97f4a7c15u, odder = 0xd6e8feb86659fd93u;
	uint64_t h = seed ^ mix(n + 1, odd), w;
	const uint8_t *at = p;

	for (; n >= sizeof(w); n -= sizeof(w), at += sizeof(w)) {
		memcpy(&w, at, sizeof(w));
		h = mix(h ^ w, odder);
	}
	w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)at[i] << 8 * i;
	return mix(h ^ w, odder) ^ odd;
}

uint64_t story_id_hash(const struct story_table *t, uint32_t account, struct span folded)
{
	return story_hash(t->seed ^ (uint64_t)account << 32, folded.p, folded.n);
}

uint32_t story_key(const char *name)
{
	uint32_t h = (uint32_t)story_hash(0, name, strlen(name));

	return h != 0 ? h : 1;
}

uint64_t story_tail(struct span number)
{
	uint64_t tail = 0;
	int at = 0;

	for (size_t i = number.n; i-- > 0 && at < 64;) {
		if (number.p[i] < '0' || number.p[i] > '9')
			continue;
		tail |= (uint64_t)(number.p[i] - '0' + 1) << at;
		at += 4;
	}
	return tail;
}

int story_tails_agree(uint64_t a, uint64_t b)
{
	enum { ENOUGH = 7 }; /* digits; what stands before them is a country or a trunk prefix */
	int n = 0;

	if (a == 0 || b == 0)
		return 0;
	while ((a & 15) != 0 && (a & 15) == (b & 15)) {
		a >>= 4;
		b >>= 4;
		n++;
	}
	return (a == 0 && b == 0) || (n >= ENOUGH && (a == 0 || b == 0)) ? 1 : -1;
}

static void tail_text(uint64_t tail, char to[STORY_NUMBER + 1])
{
	int n = 0;

	while (n < STORY_NUMBER && (tail >> 4 * n & 15) != 0)
		n++;
	for (int i = 0; i < n; i++)
		to[n - 1 - i] = (char)('0' + (tail >> 4 * i & 15) - 1);
	to[n] = '\0';
}

static void chain(struct story_table *t, struct story_entry *e)
{
	uint32_t *bucket = story_bucket(t, e->hash), link = (uint32_t)(e - story_entries(t)) + 1;

	e->older = *bucket;
	e->newer = 0;
	if (e->older != 0)
		story_entries(t)[e->older - 1].newer = link;
	*bucket = link;
}

void story_drop(struct story_table *t)
{
	struct story_entry *e = story_at(t, story_load(&t->tail));

	if ((e->flags & STORY_BROKEN) == 0) {
		if (e->newer != 0)
			story_entries(t)[e->newer - 1].older = e->older;
		else
			*story_bucket(t, e->hash) = e->older;
		if (e->older != 0)
			story_entries(t)[e->older - 1].newer = e->newer;
	}
	story_add(&t->tail, 1);
}

/* Does somebody still wait for the entry's report? */
static bool is_wanted(const struct story_entry *e)
{
	return (e->flags & (STORY_WANTED | STORY_FINAL | STORY_RANGE | STORY_BROKEN)) == STORY_WANTED;
}

uint64_t story_put(struct story_table *t, const struct story_entry *e)
{
	uint64_t head = story_load(&t->head);
	struct story_entry *to;

	if (head - story_load(&t->tail) == t->limit) {
		story_add(&t->evicted, 1);
		story_add(&t->unreported, is_wanted(story_at(t, story_load(&t->tail))));
		story_drop(t);
	}
	to = story_at(t, head);
	*to = *e;
	chain(t, to);
	atomic_store_explicit(&t->head, head + 1, memory_order_relaxed);
	return head;
}

void story_accept(struct story_table *t, const struct story_accepted *a)
{
	enum { MSG_ID_LEN = 8, RANGE_MOST = 100 };
	struct story_join *j = a->part.total > 1 ? &story_joins(t)[a->part.join % STORY_JOINS] : NULL;
	char folded[ID_FOLDED_MAX];
	struct story_entry e = {
		.number = a->part.number, .sent_us = a->sent_us, .session = a->session,
		.dst = a->dst_count > 1 ? 0 : story_tail(a->dst), .account = a->account,
		.sent_s = (uint32_t)(a->wall_ns / 1000000000u), .link = a->link,
		.part = a->part.part, .total = a->part.total, .dst_count = a->dst_count,
		.flags = (uint8_t)((a->wants_report ? STORY_WANTED : 0) |
			(a->id_binary ? STORY_BINARY : 0)),
		.state = -1, .id_len = (uint8_t)(a->id.n < UINT8_MAX ? a->id.n : UINT8_MAX),
	};
	uint64_t took_us = a->answered_us > a->sent_us ? a->answered_us - a->sent_us : 0;
	bool range = a->id_binary && a->id.n == MSG_ID_LEN && a->dst_count > 1;

	if (a->id.n == 0)
		return;
	e.answer_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
	memcpy(e.id, a->id.p, a->id.n < STORY_ID ? a->id.n : STORY_ID);
	e.first = story_load(&t->head) + 1;
	if (j != NULL && j->number == a->part.number) {
		if (story_alive(t, j->first))
			e.first = j->first;
		j->first = e.first;
	}
	for (unsigned i = 0; i == 0 || (range && i < a->dst_count && i < RANGE_MOST); i++) {
		struct span id = span_of(e.id, MSG_ID_LEN);

		if (!a->id_binary)
			id = span_of(folded, id_fold(a->id, folded));
		e.hash = story_id_hash(t, a->account, id);
		(void)story_put(t, &e);
		e.flags |= STORY_RANGE;
		e.dst_count = 1;
		e.first = 0;
		if (++e.id[MSG_ID_LEN - 1] == 0) /* 16 bits, without a carry */
			e.id[MSG_ID_LEN - 2]++;
	}
}

void story_view(const struct story_entry *e, struct story *ret)
{
	*ret = (struct story){
		.part = { .number = e->number, .part = e->part, .total = e->total },
		.session = e->session, .sent_us = e->sent_us,
		.answered_us = e->sent_us + e->answer_us, .link = e->link,
		.reports = e->reports, .id_binary = (e->flags & STORY_BINARY) != 0,
		.id_len = e->id_len < STORY_ID ? e->id_len : STORY_ID,
	};
	memcpy(ret->id, e->id, sizeof(ret->id));
	tail_text(e->dst, ret->dst);
}

bool story_expire(struct story_table *t, uint64_t now_us, uint64_t age_us, uint32_t spare,
	struct story *ret, bool *ret_full)
{
	for (int i = 0; i < LOOK_MOST; i++) {
		uint64_t count = story_load(&t->head) - story_load(&t->tail);
		struct story_entry *e = story_at(t, story_load(&t->tail));
		bool full = count + spare > t->limit, wanted;

		if (count == 0 || (!full && (now_us < e->sent_us || now_us - e->sent_us < age_us)))
			return false;
		wanted = is_wanted(e);
		if (wanted) {
			story_view(e, ret);
			*ret_full = full;
		}
		story_add(full ? &t->evicted : &t->aged, 1);
		story_add(&t->unreported, wanted);
		story_drop(t);
		if (wanted)
			return true;
	}
	return false;
}

void story_counts(const struct story_table *t, struct story_counts *ret)
{
	*ret = (struct story_counts){
		.entries = (uint32_t)(story_load(&t->head) - story_load(&t->tail)),
		.limit = t->limit,
		.accepted = story_load(&t->head),
		.matched = story_load(&t->matched),
		.unmatched = story_load(&t->unmatched),
		.duplicates = story_load(&t->duplicates),
		.aged = story_load(&t->aged),
		.evicted = story_load(&t->evicted),
		.unreported = story_load(&t->unreported),
	};
}

/* Is what the entry says of itself possible? Its hash is proof where the whole id is kept. */
static bool entry_is_whole(const struct story_table *t, const struct story_entry *e, uint64_t position)
{
	char folded[ID_FOLDED_MAX];
	struct span id = span_of(e->id, e->id_len);

	if (e->id_len == 0 || e->first > position + 1)
		return false;
	if (e->id_len > STORY_ID)
		return true;
	if ((e->flags & STORY_BINARY) == 0)
		id = span_of(folded, id_fold(id, folded));
	return e->hash == story_id_hash(t, e->account, id);
}

struct story_table *story_adopt(void *mem, size_t bytes, uint32_t limit, uint32_t *ret_broken)
{
	struct story_table *t = mem, want;
	uint64_t head, tail;
	uint32_t broken = 0;

	if (limit < LIMIT_LEAST || bytes < story_bytes(limit))
		return NULL;
	lay_out(&want, limit);
	head = story_load(&t->head);
	tail = story_load(&t->tail);
	if (t->magic != MAGIC || t->layout != STORY_LAYOUT || t->size != want.size ||
		t->limit != limit || t->buckets != want.buckets || t->joins_at != want.joins_at ||
		t->buckets_at != want.buckets_at || t->entries_at != want.entries_at || head < tail ||
		head - tail > limit)
		return NULL;
	/* The other process may have died between two links of a chain: they are made anew. */
	memset((char *)mem + t->buckets_at, 0, t->buckets * sizeof(uint32_t));
	for (uint64_t at = tail; at < head; at++) {
		struct story_entry *e = story_at(t, at);

		if (entry_is_whole(t, e, at)) {
			e->flags &= (uint8_t)~STORY_BROKEN;
			chain(t, e);
		} else {
			e->flags |= STORY_BROKEN;
			broken++;
		}
	}
	*ret_broken = broken;
	return t;
}
