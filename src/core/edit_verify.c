#include "core/edit_state.h"

/*
 * Does the edited PDU say what was meant? It is parsed like any other and compared with the
 * frame it came from, field by field, TLV by TLV, label by label: what the plan names has the
 * value that the plan gives it, everything else is the same.
 */

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static struct span octets_at(const struct pdu *pdu, const struct pdu_field *f)
{
	return span_of(pdu->frame.p + f->at, f->shape == SHAPE_CSTR ? f->text_len : f->len);
}

static bool same_header(const struct pdu *was, const struct pdu *now, const struct edit_plan *plan)
{
	const struct edit_patch *p = edit_patch_of(plan, PATCH_STATUS, (int)F_COMMAND_STATUS);
	uint32_t status = p != NULL ? (uint32_t)span_uint(p->put) : was->status;

	return now->length == now->frame.n && now->command == was->command &&
	       now->sequence == was->sequence && now->layout == was->layout &&
	       now->dialect == was->dialect && now->status == status;
}

static bool same_field(const struct edit_context *ctx, const struct edit_plan *plan, int i)
{
	const struct pdu_field *was = &ctx->pdu.fields[i], *now = &ctx->edited.fields[i];
	enum field id = (enum field)was->field;
	const struct edit_patch *p = edit_patch_of(plan, PATCH_FIELD, (int)id);
	struct span a = octets_at(&ctx->pdu, was), b = octets_at(&ctx->edited, now);

	if (now->field != was->field || now->shape != was->shape)
		return false;
	if (id == F_SHORT_MESSAGE || id == F_SM_LENGTH)
		return true; /* same_message() */
	if (p == NULL && id != F_COMMAND_STATUS)
		p = edit_patch_of(plan, PATCH_STATUS, (int)id);
	return same(b, p != NULL ? p->put : a);
}

/* Of a delivery all fields but the message are one run of octets; the same ones parse the same. */
static bool is_untouched(const struct edit_context *ctx, const struct edit_plan *plan)
{
	const struct pdu *was = &ctx->pdu, *now = &ctx->edited;
	const struct pdu_field *last;
	uint32_t head = was->proto->header_len;

	if ((plan->kinds & (1u << PATCH_FIELD | 1u << PATCH_STATUS)) != 0 ||
	    !ctx->proto->status_in_header || !pdu_has(was, F_SM_LENGTH) || plan->fill > 0)
		return false;
	last = &was->fields[was->slot_of[F_SM_LENGTH] - 1];
	return last->at >= head && now->frame.n >= last->at &&
	       memcmp(was->frame.p + head, now->frame.p + head, last->at - head) == 0;
}

static bool same_fields(const struct edit_context *ctx, const struct edit_plan *plan)
{
	const struct pdu *was = &ctx->pdu, *now = &ctx->edited;

	if (now->field_count < was->field_count ||
	    now->field_count - was->field_count > (int)plan->fill)
		return false;
	if (is_untouched(ctx, plan))
		return now->field_count == was->field_count;
	for (int i = 0; i < was->field_count; i++) {
		if (!same_field(ctx, plan, i))
			return false;
	}
	for (int i = was->field_count; i < now->field_count; i++) {
		if (now->fields[i].shape != SHAPE_CSTR || now->fields[i].text_len != 0)
			return false;
	}
	return true;
}

/* The same TLVs in the same order, then those that were added. */
static bool same_tlvs(const struct edit_context *ctx, const struct edit_plan *plan,
	bool payload_edited)
{
	size_t at = 0, now_at = 0;
	struct tlv was, now;
	bool seen = false;

	while (tlv_next(&ctx->pdu, &at, &was) > 0) {
		const struct edit_patch *p = edit_patch_of(plan, PATCH_TLV, was.tag);
		bool payload = was.tag == TAG_PAYLOAD && was.value.n > 0 && !seen;

		if (tlv_next(&ctx->edited, &now_at, &now) <= 0 || now.tag != was.tag)
			return false;
		if (p != NULL && p->at == was.at + 4 ? !same(now.value, p->put)
		    : !(payload && payload_edited) && !same(now.value, was.value))
			return false;
		seen |= payload;
	}
	if (plan->move && (tlv_next(&ctx->edited, &now_at, &now) <= 0 || now.tag != TAG_PAYLOAD))
		return false;
	for (int i = 0; i < plan->count; i++) {
		const struct edit_patch *p = &plan->patches[i];

		if (p->kind != PATCH_TLV_ADD)
			continue;
		if (tlv_next(&ctx->edited, &now_at, &now) <= 0 || now.tag != p->tag ||
		    !same(now.value, p->put))
			return false;
	}
	return tlv_next(&ctx->edited, &now_at, &now) == 0;
}

/* The part of a label's value that a patch replaces: an id and an err are one word. */
static struct span part_of(enum label l, struct span value)
{
	return l == L_ID || l == L_ERR ? receipt_first_word(value) : value;
}

/* Bit l: label l has a patch. */
static uint32_t patched_labels(const struct edit_plan *plan)
{
	uint32_t labels = 0;

	for (int i = 0; i < plan->count; i++) {
		if (plan->patches[i].kind == PATCH_LABEL)
			labels |= 1u << plan->patches[i].label;
	}
	return labels;
}

/* Of `labels` the one that comes first in the old text; L_NONE: there are none. */
static enum label first_of(uint32_t labels, const struct labels *was)
{
	enum label first = L_NONE;

	for (enum label l = L_ID; labels >> l != 0; l++) {
		if ((labels >> l & 1u) != 0 &&
		    (first == L_NONE || was->value[l].p < was->value[first].p))
			first = l;
	}
	return first;
}

/* What stands between the values that were replaced is as it was, octet for octet. */
static bool same_gaps(uint32_t labels, const struct labels *was, struct span old,
	const struct labels *now, struct span edited)
{
	const uint8_t *from = old.p, *to = edited.p, *end = old.p + old.n;
	const uint8_t *edited_end = edited.p + edited.n;
	enum label l;

	while ((l = first_of(labels, was)) != L_NONE) {
		const uint8_t *p = was->value[l].p, *q = now->value[l].p;

		if (p < from || q < to || p - from != q - to ||
		    memcmp(from, to, (size_t)(p - from)) != 0)
			return false;
		from = p + part_of(l, was->value[l]).n;
		to = q + part_of(l, now->value[l]).n;
		labels &= ~(1u << l);
	}
	return from <= end && to <= edited_end && end - from == edited_end - to &&
	       memcmp(from, to, (size_t)(end - from)) == 0;
}

/* A label that has a patch: is it there, with the value it was to have? */
static bool said_label(const struct edit_plan *plan, enum label l, const struct labels *was,
	const struct labels *now)
{
	return was->seen[l] == now->seen[l] &&
	       same(part_of(l, now->value[l]), edit_patch_of(plan, PATCH_LABEL, (int)l)->said);
}

/* The text behind the header, read again: values by label, and all that is not a value. */
static bool same_text(struct edit_context *ctx, const struct edit_plan *plan, struct span old,
	struct span edited)
{
	const struct labels *was = edit_labels(ctx);
	struct labels now;
	struct span a = ctx->receipt.store_len > 0
		? span_of(ctx->receipt.store, ctx->receipt.store_len) : receipt_trim(old);
	struct span b = labels_read(edited, &ctx->again, &now);
	uint32_t labels = patched_labels(plan);

	if (was->count != now.count || (ctx->receipt.store_len > 0) != (ctx->again.store_len > 0))
		return false;
	for (enum label l = L_ID; l < L_COUNT; l++) {
		if ((labels >> l & 1u) != 0 ? !said_label(plan, l, was, &now)
		    : was->seen[l] != now.seen[l] || !same(was->value[l], now.value[l]))
			return false;
	}
	/* Blanks around the text were left off in both, and are the copy's. */
	return same_gaps(labels, was, a, &now, b);
}

/* The message of a receipt whose labels changed: where it was, or in the payload if it moved. */
static bool same_receipt(struct edit_context *ctx, const struct edit_plan *plan, bool in_payload)
{
	struct span raw = ctx->receipt.raw, old, edited;
	struct tlv was = { 0 }, now = { 0 };
	size_t head, delta = 0, del = 0;

	if ((in_payload && !edit_tlv_find(&ctx->pdu, TAG_PAYLOAD, &was)) ||
	    ((in_payload || plan->move) && !edit_tlv_find(&ctx->edited, TAG_PAYLOAD, &now)))
		return false;
	old = in_payload ? was.value : pdu_octets(&ctx->pdu, F_SHORT_MESSAGE);
	edited = in_payload || plan->move ? now.value : pdu_octets(&ctx->edited, F_SHORT_MESSAGE);
	for (int i = 0; i < plan->count; i++) {
		if (plan->patches[i].kind != PATCH_LABEL)
			continue;
		delta += plan->patches[i].put.n;
		del += plan->patches[i].del;
	}
	head = (size_t)(raw.p - old.p);
	/* A header that does not fit into this message might fit into a longer one. */
	if (head == 0 && (pdu_uint(&ctx->pdu, F_ESM_CLASS) & ESM_UDHI) != 0)
		return false;
	if (raw.p < old.p || head > old.n || edited.n + del != old.n + delta || head > edited.n ||
	    memcmp(old.p, edited.p, head) != 0)
		return false;
	return same_text(ctx, plan, raw, span_of(edited.p + head, edited.n - head));
}

/* Of a CMPP report the seven octets of Stat, and no other. */
static bool same_stat(const struct edit_patch *p, struct span was, struct span now)
{
	const size_t end = STAT_AT + STAT_LEN;

	return was.n == now.n && was.n >= end && memcmp(was.p, now.p, STAT_AT) == 0 &&
	       memcmp(now.p + STAT_AT, p->put.p, STAT_LEN) == 0 &&
	       memcmp(was.p + end, now.p + end, was.n - end) == 0;
}

static bool has_labels(const struct edit_plan *plan)
{
	for (int i = 0; i < plan->count; i++) {
		if (plan->patches[i].kind == PATCH_LABEL)
			return true;
	}
	return false;
}

static bool same_message(struct edit_context *ctx, const struct edit_plan *plan, bool in_payload)
{
	struct span was = pdu_octets(&ctx->pdu, F_SHORT_MESSAGE);
	struct span now = pdu_octets(&ctx->edited, F_SHORT_MESSAGE);
	const struct edit_patch *stat = edit_patch_of(plan, PATCH_STAT, (int)F_SHORT_MESSAGE);

	if (ctx->proto->status_in_header &&
	    pdu_uint(&ctx->edited, F_SM_LENGTH) != now.n)
		return false;
	if (stat != NULL)
		return same_stat(stat, was, now);
	if (!has_labels(plan))
		return same(was, now);
	if (plan->move ? now.n != 0 : in_payload && !same(was, now))
		return false;
	return (plan->move || now.n <= SM_MAX || now.n <= was.n) &&
	       same_receipt(ctx, plan, in_payload);
}

bool edit_verify(struct edit_context *ctx, const struct edit_plan *plan, struct span out)
{
	const struct pdu *was = &ctx->pdu, *now = &ctx->edited;
	bool labels = has_labels(plan), in_payload = labels && !edit_in_message(ctx);

	if (pdu_parse(&ctx->edited, was->proto, was->dialect, out) != SM_OK)
		return false;
	return same_header(was, now, plan) && same_fields(ctx, plan) &&
	       same_tlvs(ctx, plan, labels && in_payload) && same_message(ctx, plan, in_payload);
}
