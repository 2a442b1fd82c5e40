#include "core/story_table.h"
#include "smscope/receipt.h"

/*
 * A report's id is looked for as it is, folded, and in the other base. Of several messages that fit,
 * the one to the same number wins; then the link's habit; then the simplest rule; then the one whose
 * submit time is nearest to what the report says; then one without a final report; then the newest.
 */

enum { CHAIN_MOST = 256, EVIDENCE_ENOUGH = 20, SOON_S = 3600 };

struct candidate {
	struct story_entry *e;
	unsigned rules;
	enum id_rule rule;
	int agrees;
};

static struct story_link *link_of(const struct story_table *t, uint32_t key, bool make)
{
	struct story_link *links = ((struct story_table *)(uintptr_t)t)->links;

	for (uint32_t i = 0; i < STORY_LINKS; i++) {
		struct story_link *l = &links[(key + i) % STORY_LINKS];
		uint32_t has = atomic_load_explicit(&l->key, memory_order_relaxed);

		if (has == 0 && make)
			atomic_store_explicit(&l->key, key, memory_order_relaxed);
		if (has == key || has == 0)
			return has == key || make ? l : NULL;
	}
	return NULL;
}

/* The simplest rule that fits as many reports as any does. */
static enum id_rule best_rule(const struct story_link *l)
{
	enum id_rule best = ID_NONE;
	uint64_t most = 0;

	for (enum id_rule r = ID_EXACT; r < ID_RULES; r++) {
		if (story_load(&l->by_rule[r]) > most) {
			most = story_load(&l->by_rule[r]);
			best = r;
		}
	}
	return best;
}

static unsigned rules_of(const struct story_entry *e, const struct story_report *r)
{
	struct span id = span_of(e->id, e->id_len), reported = r->id;

	if (((e->flags & STORY_BINARY) != 0) != r->id_binary)
		return 0;
	if (r->id_binary)
		return e->id_len == r->id.n && memcmp(e->id, r->id.p, r->id.n) == 0
			? 1u << ID_EXACT : 0;
	if (id.n <= STORY_ID)
		return id_rules(id, reported);
	/* The hash spoke for what was not kept. */
	if (reported.n != id.n)
		return 1u << ID_PADDING;
	return id_rules(span_of(e->id, STORY_ID), span_of(reported.p, STORY_ID));
}

static int64_t distance(const struct story_entry *e, int64_t submit_s)
{
	int64_t d = submit_s - (int64_t)e->sent_s;

	return d < 0 ? -d : d;
}

/* Is `a` the better one? `b` is newer, or the same age. */
static bool is_better(const struct candidate *a, const struct candidate *b,
	const struct story_report *r, enum id_rule habit)
{
	int64_t submit_s;
	bool a_final = (a->e->flags & STORY_FINAL) != 0, b_final = (b->e->flags & STORY_FINAL) != 0;

	if (a->agrees != b->agrees)
		return a->agrees > b->agrees;
	if (a->rule != b->rule)
		return a->rule == habit || (b->rule != habit && a->rule < b->rule);
	if (receipt_time(r->submit_date, r->wall_ns, &submit_s)) {
		int64_t x = distance(a->e, submit_s), y = distance(b->e, submit_s);

		if (x + SOON_S < y || y + SOON_S < x)
			return x < y;
	}
	return b_final && !a_final;
}

static void look(const struct story_table *t, uint64_t hash, const struct story_report *r,
	enum id_rule habit, struct candidate *best)
{
	uint32_t link = *story_bucket(t, hash);

	for (int i = 0; link != 0 && i < CHAIN_MOST; i++) {
		struct candidate c = { .e = &story_entries(t)[link - 1] };

		link = c.e->older;
		if (c.e->hash != hash || c.e->account != r->account ||
			(c.rules = rules_of(c.e, r)) == 0)
			continue;
		c.rule = id_rule_first(c.rules, habit);
		c.agrees = story_tails_agree(c.e->dst, story_tail(r->dst));
		if (c.agrees < 0 && c.e->dst_count > 1)
			c.agrees = 0; /* another of its destinations */
		/* In the other base any number is another message's: there the destination decides. */
		if (c.rule >= ID_HEX_DEC && c.agrees < 0)
			continue;
		if (best->e == NULL || is_better(&c, best, r, habit))
			*best = c;
	}
}

static void find(const struct story_table *t, const struct story_report *r, enum id_rule habit,
	struct candidate *best)
{
	char folded[ID_FOLDED_MAX], rebased[ID_FOLDED_MAX];
	size_t n;

	best->e = NULL;
	if (r->id.n == 0)
		return;
	if (r->id_binary) {
		look(t, story_id_hash(t, r->account, r->id), r, habit, best);
		return;
	}
	n = id_fold(r->id, folded);
	look(t, story_id_hash(t, r->account, span_of(folded, n)), r, habit, best);
	if (best->e != NULL && best->agrees > 0 && (best->rule == habit || habit == ID_NONE))
		return; /* nothing in the other base could be better */
	for (int from_hex = 0; from_hex <= 1; from_hex++) {
		size_t m = id_rebase(r->id, from_hex != 0, rebased);

		if (m > 0 && (m != n || memcmp(folded, rebased, n) != 0))
			look(t, story_id_hash(t, r->account, span_of(rebased, m)), r, habit, best);
	}
}

bool story_known(const struct story_table *t, const struct story_report *r)
{
	struct candidate c;

	find(t, r, ID_NONE, &c);
	return c.e != NULL;
}

/* One id for several destinations: each has an entry of its own from its first report on. */
static struct story_entry *one_of_many(struct story_table *t, struct story_entry *e,
	const struct story_report *r)
{
	uint64_t dst = story_tail(r->dst);
	struct story_entry own = *e;

	if (e->dst_count <= 1 || dst == 0 || story_tails_agree(e->dst, dst) == 1)
		return e;
	if (e->dst == 0) {
		e->dst = dst;
		return e;
	}
	own.dst = dst;
	own.dst_count = 1;
	own.flags = (uint8_t)((own.flags & ~STORY_FINAL) | STORY_RANGE);
	own.reports = 0;
	own.state = -1;
	return story_at(t, story_put(t, &own));
}

/* How many parts of the message have their final report, this one's included. */
static uint8_t count_part(struct story_table *t, struct story_entry *e, bool first_final)
{
	struct story_entry *head = e;

	if (e->total <= 1)
		return 0;
	if (story_alive(t, e->first) && story_at(t, e->first - 1)->number == e->number)
		head = story_at(t, e->first - 1);
	head->parts_reported = (uint8_t)(head->parts_reported + first_final);
	return head->parts_reported;
}

static void note(struct story_table *t, struct story_entry *e, const struct story_report *r,
	struct story *ret)
{
	bool was_final = (e->flags & STORY_FINAL) != 0;

	ret->duplicate = r->final ? was_final : r->state >= 0 && r->state == e->state;
	e->reports = (uint8_t)(e->reports + (e->reports < UINT8_MAX));
	if (r->final)
		e->flags |= STORY_FINAL;
	e->state = (int8_t)r->state;
	ret->reports = e->reports;
	ret->parts_reported = count_part(t, e, r->final && !was_final);
	story_add(&t->duplicates, ret->duplicate);
}

bool story_match(struct story_table *t, const struct story_report *r, struct story *ret)
{
	struct story_link *l = link_of(t, r->link, true);
	struct candidate c;
	struct story_entry *e;

	find(t, r, l != NULL ? best_rule(l) : ID_NONE, &c);
	if (c.e == NULL && r->may_wait)
		return false;
	if (l != NULL) {
		story_add(&l->reports, 1);
		story_add(&l->matched, c.e != NULL);
		for (enum id_rule i = ID_EXACT; c.e != NULL && i < ID_RULES; i++)
			story_add(&l->by_rule[i], c.rules >> i & 1);
	}
	story_add(c.e != NULL ? &t->matched : &t->unmatched, 1);
	if (c.e == NULL)
		return false;
	e = one_of_many(t, c.e, r);
	story_view(e, ret);
	note(t, e, r, ret);
	ret->rule = c.rule;
	ret->dst_differs = e == c.e && story_tails_agree(e->dst, story_tail(r->dst)) < 0;
	return true;
}

static void evidence_of(const struct story_link *l, struct id_evidence *ret)
{
	*ret = (struct id_evidence){
		.reports = story_load(&l->reports),
		.matched = story_load(&l->matched),
		.rule = best_rule(l),
	};
	for (enum id_rule r = ID_EXACT; r < ID_RULES; r++)
		ret->by_rule[r] = story_load(&l->by_rule[r]);
}

void story_evidence(const struct story_table *t, uint32_t link, struct id_evidence *ret)
{
	const struct story_link *l = link_of(t, link, false);

	*ret = (struct id_evidence){ 0 };
	if (l != NULL)
		evidence_of(l, ret);
}

bool story_evidence_news(struct story_table *t, uint32_t link, struct id_evidence *ret)
{
	struct story_link *l = link_of(t, link, false);

	if (l == NULL)
		return false;
	evidence_of(l, ret);
	if (ret->rule == l->told_rule || ret->by_rule[ret->rule] < EVIDENCE_ENOUGH)
		return false;
	l->told_rule = ret->rule;
	return true;
}
