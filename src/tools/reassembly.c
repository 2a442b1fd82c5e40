#include <stdlib.h>

#include "tools/reassembly.h"

struct reassembly_piece {
	struct reassembly_piece *next;
	struct capture_at at;
	uint32_t seq;
	uint32_t n;
	uint8_t octets[];
};

/* No window is larger: what lies farther ahead belongs to no octet that was sent. */
enum { WINDOW_MAX = 1 << 30 };

/* How far `a` lies behind `b` on the circle of sequence numbers; negative: before it. */
static int32_t distance(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void reassembly_init(struct reassembly *r, const struct reassembly_to *to, void *arg,
	size_t *all_held)
{
	*r = (struct reassembly){ .to = to, .arg = arg, .all_held = all_held };
}

static void drop_first(struct reassembly *r)
{
	struct reassembly_piece *p = r->held;

	r->held = p->next;
	r->held_octets -= p->n;
	r->held_count--;
	*r->all_held -= sizeof(*p) + p->n;
	free(p);
}

static void deliver(struct reassembly *r, struct span s, const struct capture_at *at)
{
	r->next += (uint32_t)s.n;
	if (s.n > 0)
		r->to->octets(r->arg, s, at);
}

/* What is held and has its turn. */
static void deliver_held(struct reassembly *r)
{
	while (r->held != NULL && r->held->seq == r->next) {
		deliver(r, span_of(r->held->octets, r->held->n), &r->held->at);
		drop_first(r);
	}
	if (r->fin && r->next == r->fin_at && !r->done) {
		r->next++;
		r->done = true;
	}
}

/* Go on at `seq`, which lies ahead. */
static void pass_over(struct reassembly *r, uint32_t seq)
{
	uint32_t missing = seq - r->next;
	bool held = r->held != NULL && r->held->seq == seq;

	r->next = seq;
	r->to->gap(r->arg, missing, held ? &r->held->at : &r->acked_at);
	deliver_held(r);
}

/* Hold octets ahead of `next`, without those that are held already. */
static void hold(struct reassembly *r, uint32_t seq, struct span s, const struct capture_at *at)
{
	struct reassembly_piece **to = &r->held, *p;
	uint32_t n;

	for (; s.n > 0; s = span_of(s.p + n, s.n - n), seq += n) {
		while (*to != NULL && distance(seq, (*to)->seq + (*to)->n) >= 0)
			to = &(*to)->next;
		n = (uint32_t)s.n;
		if (*to != NULL && distance(seq, (*to)->seq) >= 0) {
			uint32_t there = (*to)->seq + (*to)->n - seq;

			n = there < n ? there : n;
			continue;
		}
		if (*to != NULL && n > (*to)->seq - seq)
			n = (*to)->seq - seq;
		p = malloc(sizeof(*p) + n);
		if (p == NULL)
			return; /* as if it had not been captured */
		*p = (struct reassembly_piece){ .next = *to, .at = *at, .seq = seq, .n = n };
		memcpy(p->octets, s.p, n);
		*to = p;
		r->held_octets += n;
		r->held_count++;
		*r->all_held += sizeof(*p) + n;
	}
}

static bool too_much(const struct reassembly *r)
{
	return r->held_octets > REASSEMBLY_HELD_MAX || r->held_count > REASSEMBLY_PIECES_MAX ||
	       *r->all_held > REASSEMBLY_ALL_MAX;
}

/* The part of the segment's octets that lies between `next` and the FIN; *seq is its place then. */
static struct span new_octets(const struct reassembly *r, struct span s, uint32_t *seq)
{
	int32_t ahead = distance(*seq, r->next);

	if (ahead < 0) {
		size_t old = (size_t)-(int64_t)ahead;

		s = old < s.n ? span_of(s.p + old, s.n - old) : span_of(s.p, 0);
		*seq = r->next;
	}
	if (r->fin && distance(*seq, r->fin_at) >= 0)
		s.n = 0;
	else if (r->fin && s.n > r->fin_at - *seq)
		s.n = r->fin_at - *seq;
	return s;
}

void reassembly_segment(struct reassembly *r, const struct segment *s,
	const struct capture_at *at)
{
	bool syn = (s->flags & TCP_SYN) != 0;
	uint32_t seq = s->seq;
	struct span data;
	int32_t ahead;

	if (syn) {
		r->syn = true;
		r->isn = seq++;
	}
	if (!r->begun && !syn && s->len == 0)
		return;
	if (!r->begun)
		r->next = seq;
	r->begun = true;
	ahead = distance(seq, r->next);
	if (r->done || ahead > WINDOW_MAX)
		return;
	if ((s->flags & TCP_FIN) != 0 && !r->fin && ahead + (int64_t)s->len >= 0) {
		r->fin = true;
		r->fin_at = seq + s->len;
	}
	data = new_octets(r, s->data, &seq);
	/* What is held came first, and so it counts, where the two overlap. */
	if (r->held != NULL || seq != r->next)
		hold(r, seq, data, at);
	else
		deliver(r, data, at);
	deliver_held(r);
	while (r->held != NULL && too_much(r))
		pass_over(r, r->held->seq);
}

void reassembly_acked(struct reassembly *r, uint32_t ack, const struct capture_at *at)
{
	int32_t ahead = distance(ack, r->next);

	if (!r->begun || r->done || ahead <= 0 || ahead > WINDOW_MAX)
		return;
	if (!r->waits) {
		r->acked = ack;
		r->acked_at = *at;
		r->waits = true;
	} else if (distance(ack, r->acked) > 0) {
		r->acked = ack;
	}
}

/*
 * Up to `acked` nothing comes any more. A single octet with nothing behind it may be the FIN, which
 * counts as one and was not captured either.
 */
static void give_up(struct reassembly *r)
{
	while (!r->done && distance(r->acked, r->next) > 0) {
		uint32_t to = r->acked;

		if (r->fin && distance(to, r->fin_at) > 0 && distance(r->fin_at, r->next) > 0)
			to = r->fin_at;
		else if (r->held == NULL && to - r->next == 1)
			return;
		if (r->held != NULL && distance(to, r->held->seq) > 0)
			to = r->held->seq;
		pass_over(r, to);
	}
	r->waits = false;
}

bool reassembly_misses(const struct reassembly *r)
{
	return !r->done && (r->held != NULL || (r->waits && distance(r->acked, r->next) > 0));
}

bool reassembly_late(uint64_t since_ns, uint64_t now_ns)
{
	uint64_t ns = now_ns > since_ns ? now_ns - since_ns : since_ns - now_ns;

	return ns > REASSEMBLY_GRACE_MS * UINT64_C(1000000);
}

void reassembly_time(struct reassembly *r, uint64_t now_ns)
{
	if (!r->waits)
		return;
	if (r->done || distance(r->acked, r->next) <= 0) {
		r->waits = false;
		return;
	}
	if (reassembly_late(r->acked_at.time_ns, now_ns))
		give_up(r);
}

void reassembly_end(struct reassembly *r)
{
	while (r->held != NULL)
		pass_over(r, r->held->seq);
	if (r->waits)
		give_up(r);
}

void reassembly_fini(struct reassembly *r)
{
	while (r->held != NULL)
		drop_first(r);
}
