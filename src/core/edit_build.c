#include "core/edit_state.h"

/*
 * The octets of an edited PDU: those of the frame, with the plan's patches and the lengths that
 * follow from them put in on the way.
 *
 *     frame   |=======|del|==========|del|=====|            |
 *     out     |=======|put....|======|put|=====|TLVs added..|
 */

enum { SPLICES_MAX = EDIT_CHANGES_MAX + 8 };

struct splice {
	uint32_t at, del;
	struct span put;
};

struct building {
	struct edit_context *ctx;
	const struct edit_plan *plan;
	struct splice list[SPLICES_MAX];
	int count;
	uint8_t lengths[8 * SPLICES_MAX]; /* of TLVs and of the message */
	size_t lengths_len;
	bool full;
};

static void splice(struct building *b, uint32_t at, uint32_t del, struct span put)
{
	int i = b->count;

	if (i == SPLICES_MAX) {
		b->full = true;
		return;
	}
	b->count++;
	/* Kept in the order of their places; of one place in the order they came. */
	for (; i > 0 && b->list[i - 1].at > at; i--)
		b->list[i] = b->list[i - 1];
	b->list[i] = (struct splice){ at, del, put };
}

/* A big-endian number of `n` octets that lives as long as the building. */
static struct span number(struct building *b, size_t v, size_t n)
{
	uint8_t *to = b->lengths + b->lengths_len;

	if (n > sizeof(b->lengths) - b->lengths_len) {
		b->full = true;
		return span_of(b->lengths, 0);
	}
	for (size_t i = n; i-- > 0; v >>= 8)
		to[i] = (uint8_t)v;
	b->lengths_len += n;
	return span_of(to, n);
}

static bool inside(const struct edit_patch *p, uint32_t at, size_t n)
{
	return p->kind == PATCH_LABEL && p->at >= at && p->at - at <= n;
}

/* The message as it will be, in the context's memory; empty if that is too small. */
static struct span new_message(struct building *b, uint32_t at, size_t n)
{
	struct edit_context *ctx = b->ctx;
	struct out o = out_of((char *)ctx->content, sizeof(ctx->content));
	const uint8_t *frame = ctx->pdu.frame.p;
	uint32_t from = at;

	for (int i = 0; i < b->count; i++) {
		const struct splice *s = &b->list[i];

		if (s->at < at || s->at > at + n)
			continue;
		out_put(&o, frame + from, s->at - from);
		out_put(&o, s->put.p, s->put.n);
		from = s->at + s->del;
	}
	out_put(&o, frame + from, at + n - from);
	return span_of(ctx->content, o.full ? 0 : out_len(&o));
}

/* The labels of the text; sm_length, or the payload's length, follows. */
static int put_labels(struct building *b)
{
	const struct pdu *pdu = &b->ctx->pdu;
	struct span sm = pdu_octets(pdu, F_SHORT_MESSAGE), moved;
	uint32_t sm_at = (uint32_t)(sm.p - pdu->frame.p);
	struct tlv t;
	size_t len;

	if ((b->plan->kinds >> PATCH_LABEL & 1u) == 0)
		return 0;
	len = edit_message_len(b->ctx, b->plan);
	for (int i = 0; i < b->plan->count; i++) {
		const struct edit_patch *p = &b->plan->patches[i];

		if (p->kind == PATCH_LABEL)
			splice(b, p->at, p->del, p->put);
	}
	if (b->plan->move) {
		moved = new_message(b, sm_at, sm.n);
		if (moved.n == 0)
			return -EDIT_NO_ROOM;
		b->count = 0;
		splice(b, sm_at, (uint32_t)sm.n, span_of(sm.p, 0));
		splice(b, sm_at - 1, 1, number(b, 0, 1));
		splice(b, (uint32_t)pdu->frame.n, 0, number(b, TAG_PAYLOAD << 16 | moved.n, 4));
		splice(b, (uint32_t)pdu->frame.n, 0, moved);
		return 0;
	}
	if (len != sm.n)
		splice(b, sm_at - 1, 1, number(b, len, 1));
	/* A receipt has its labels in one of the two. */
	if (edit_in_message(b->ctx) || !edit_tlv_find(pdu, TAG_PAYLOAD, &t))
		return 0;
	len = t.value.n;
	for (int i = 0; i < b->plan->count; i++) {
		const struct edit_patch *p = &b->plan->patches[i];

		if (inside(p, t.at + 4, t.value.n))
			len = len - p->del + p->put.n;
	}
	if (len > UINT16_MAX)
		return -EDIT_TOO_LONG;
	if (len != t.value.n)
		splice(b, t.at + 2, 2, number(b, len, 2));
	return 0;
}

static void put_patch(struct building *b, const struct edit_patch *p)
{
	switch (p->kind) {
	case PATCH_TLV:
		splice(b, p->at - 2, 2, number(b, p->put.n, 2));
		splice(b, p->at, p->del, p->put);
		break;
	case PATCH_TLV_ADD:
		splice(b, (uint32_t)b->ctx->pdu.frame.n, 0,
			number(b, (size_t)p->tag << 16 | p->put.n, 4));
		splice(b, (uint32_t)b->ctx->pdu.frame.n, 0, p->put);
		break;
	case PATCH_LABEL:
		break;
	default:
		splice(b, p->at, p->del, p->put);
		break;
	}
}

/* Frame and splices, in order. SM_ELEN: they overlap, or `cap` is too small. */
static int merge(const struct building *b, uint8_t *out, size_t cap)
{
	const struct span frame = b->ctx->pdu.frame;
	struct out o = out_of((char *)out, cap);
	uint32_t from = 0;

	for (int i = 0; i < b->count; i++) {
		const struct splice *s = &b->list[i];

		if (s->at < from || s->at + s->del > frame.n)
			return -EDIT_VERIFY;
		out_put(&o, frame.p + from, s->at - from);
		out_put(&o, s->put.p, s->put.n);
		from = s->at + s->del;
	}
	out_put(&o, frame.p + from, frame.n - from);
	if (o.full)
		return -EDIT_NO_ROOM;
	return (int)out_len(&o);
}

int edit_build(struct edit_context *ctx, const struct edit_plan *plan, uint8_t *out, size_t cap)
{
	static const uint8_t zeros[8];
	struct building b;
	uint32_t max = ctx->max_pdu != 0 ? ctx->max_pdu : ctx->proto->max_pdu;
	int n;

	b.ctx = ctx;
	b.plan = plan;
	b.count = 0;
	b.lengths_len = 0;
	b.full = false;
	if ((n = put_labels(&b)) < 0)
		return n;
	if (plan->fill > sizeof(zeros))
		return -EDIT_NO_FIELD;
	if (plan->fill > 0)
		splice(&b, (uint32_t)ctx->pdu.frame.n, 0, span_of(zeros, plan->fill));
	for (int i = 0; i < plan->count; i++)
		put_patch(&b, &plan->patches[i]);
	if (b.full)
		return -EDIT_NO_ROOM;
	n = merge(&b, out, cap);
	if (n < 0)
		return n;
	if ((uint32_t)n > max)
		return -EDIT_TOO_LONG;
	bytes_put_u32(out, (uint32_t)n);
	return n;
}
