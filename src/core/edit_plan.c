#include "core/edit_state.h"

/* What a rule changes, as patches: results, ids, TLVs of responses. Receipts: edit_receipt.c. */

int edit_patch_add(struct edit_plan *plan, struct edit_result *ret, const struct edit_patch *patch,
	struct edit_change change, int rule)
{
	if (plan->count == EDIT_CHANGES_MAX || ret->change_count == EDIT_CHANGES_MAX)
		return -EDIT_NO_ROOM;
	plan->patches[plan->count++] = *patch;
	plan->kinds |= 1u << patch->kind;
	change.rule = rule;
	change.dry_run = plan->dry;
	ret->changes[ret->change_count++] = change;
	return 0;
}

const struct edit_patch *edit_patch_of(const struct edit_plan *plan, enum patch_kind kind, int what)
{
	for (int i = 0; (plan->kinds >> kind & 1u) != 0 && i < plan->count; i++) {
		const struct edit_patch *p = &plan->patches[i];
		int has = kind == PATCH_LABEL ? (int)p->label
			: kind == PATCH_TLV || kind == PATCH_TLV_ADD ? (int)p->tag : (int)p->field;

		if (p->kind == kind && has == what)
			return p;
	}
	return NULL;
}

/* Where the result stands: in the header, or a field of the body. */
static bool result_at(const struct pdu *pdu, uint32_t *ret_at, uint32_t *ret_len,
	enum field *ret_field)
{
	const enum field *f = pdu->proto->status_fields;

	if (pdu->proto->status_in_header) {
		*ret_at = 8;
		*ret_len = 4;
		*ret_field = F_COMMAND_STATUS;
		return true;
	}
	while (f != NULL && *f != F_NONE && !pdu_has(pdu, *f))
		f++;
	if (f == NULL || *f == F_NONE)
		return false;
	*ret_at = pdu->fields[pdu->slot_of[*f] - 1].at;
	*ret_len = pdu->fields[pdu->slot_of[*f] - 1].len;
	*ret_field = *f;
	return true;
}

/*
 * AuthenticatorISMG is made of Status, AuthenticatorSource and the secret; a failure has none.
 * Source: CMPP 2.0, section 7.4.1.2.
 */
static bool is_signed(const struct pdu *pdu)
{
	struct span s = pdu_octets(pdu, F_AUTH_ISMG);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != 0)
			return true;
	}
	return false;
}

static int plan_status(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	const struct code_map_row *row = NULL;
	uint32_t to = r->number;
	struct edit_patch p = { .kind = PATCH_STATUS };
	struct edit_change c = { .number = true, .was_number = ctx->number };
	uint8_t octets[4];

	if (r->def.map != NULL && (row = edit_mapped(ctx, r->def.map)) == NULL)
		return 0;
	if (row != NULL)
		to = row->number;
	if (!result_at(&ctx->pdu, &p.at, &p.del, &p.field))
		return 0;
	if (to == ctx->number)
		return 1;
	if (is_signed(&ctx->pdu))
		return -EDIT_SIGNED;
	if (p.del < 4 && to >> 8 * p.del != 0)
		return -EDIT_WIDTH;
	bytes_put_u32(octets, to);
	p.put = edit_keep(ctx, octets + 4 - p.del, p.del);
	c.field = field_name(ctx->proto, p.field);
	c.now_number = to;
	if (p.put.n != p.del)
		return -EDIT_NO_ROOM;
	return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
}

/* Message ids */

static bool is_zero(uint8_t c)
{
	return c == '0';
}

/* Where zeros in front do not stand at the beginning: 0x1F. */
static bool has_prefix(struct span id)
{
	return id.n > 1 && is_zero(*id.p) && (id.p[1] | 0x20) == 'x';
}

/* Two ways to write one number: is `id` in the base asked for already, and the other one in the base it has elsewhere? */
static bool is_rebased(const struct rule *r, struct span id, struct span other)
{
	unsigned rules = id_rules(id, other);

	if (r->def.base == ID_BASE_KEEP || (rules >> ID_PADDING & 1u) != 0)
		return false;
	return (rules >> (r->def.base == ID_BASE_HEX_TO_DEC ? ID_DEC_HEX : ID_HEX_DEC) & 1u) != 0;
}

/* The new id for an old one; `other` is what the PDU has in another place, or empty. */
static enum edit_refusal edit_id(struct edit_context *ctx, const struct rule *r, struct span id, struct span other,
	struct span *ret)
{
	enum { ID_MAX = 64 };
	char rebased[ID_FOLDED_MAX], text[ID_MAX];
	const struct rule_def *d = &r->def;
	size_t n = 0;

	if (d->base != ID_BASE_KEEP && !is_rebased(r, id, other)) {
		n = id_rebase(id, d->base == ID_BASE_HEX_TO_DEC, rebased);
		if (n == 0)
			return EDIT_VALUE;
		id = span_of(rebased, n);
	}
	if ((d->strip_zeros || d->id_width > id.n) && has_prefix(id))
		return EDIT_VALUE;
	if (d->strip_zeros) {
		while (id.n > 1 && is_zero(*id.p))
			id = span_of(id.p + 1, id.n - 1);
	}
	if (id.n > ID_MAX || d->id_width > ID_MAX)
		return EDIT_WIDTH;
	n = id.n < d->id_width ? d->id_width - id.n : 0;
	memset(text, '0', n);
	memcpy(text + n, id.p, id.n);
	n += id.n;
	for (size_t i = 0; i < n; i++) {
		bool upper = text[i] >= 'A' && text[i] <= 'Z';
		bool lower = text[i] >= 'a' && text[i] <= 'z';

		if (d->letters == ID_CASE_LOWER ? upper : d->letters == ID_CASE_UPPER && lower)
			text[i] = (char)(text[i] ^ 0x20);
	}
	*ret = edit_keep(ctx, text, n);
	return ret->n == n ? EDIT_FINE : EDIT_NO_ROOM;
}

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int plan_field_id(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	const struct pdu_field *f;
	struct edit_patch p = { .kind = PATCH_FIELD, .field = F_MESSAGE_ID };
	struct edit_change c = { .field = field_name(ctx->proto, F_MESSAGE_ID) };
	enum { VERSION_LONG = 0x34, SHORT_MAX = 8 }; /* octets in 3.3, without the NUL */
	enum edit_refusal refused;

	if (!pdu_has(&ctx->pdu, F_MESSAGE_ID) || pdu_text(&ctx->pdu, F_MESSAGE_ID).n == 0)
		return 0;
	f = &ctx->pdu.fields[ctx->pdu.slot_of[F_MESSAGE_ID] - 1];
	c.was = pdu_text(&ctx->pdu, F_MESSAGE_ID);
	refused = edit_id(ctx, r, c.was, span_of(c.was.p, 0), &c.now);
	if (refused != EDIT_FINE)
		return -(int)refused;
	if (same(c.was, c.now))
		return 1;
	if (ctx->dialect < VERSION_LONG && c.now.n > SHORT_MAX && c.now.n > c.was.n)
		return -EDIT_WIDTH;
	p.at = f->at;
	p.del = f->text_len;
	p.put = c.now;
	return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
}

/* The id of a receipt: in its text, in its TLV, and they still say the same. */
static int plan_receipt_id(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	struct span text = ctx->receipt.text_id.n > 0 ? ctx->receipt.text_id : ctx->receipt.id, now;
	struct span other = span_of(text.p, 0);
	struct tlv t;
	bool tlv = edit_tlv_find(&ctx->pdu, TAG_RECEIPTED_ID, &t);
	enum edit_refusal refused;
	int n = 0;

	if (tlv && ctx->receipt.text_id.n == 0) {
		/* The receipt gives the TLV's; the text's may be written in another way. */
		text = receipt_first_word(edit_labels(ctx)->value[L_ID]);
	}
	if (tlv)
		other = receipt_trim(t.value);
	if (text.n > 0 && edit_has_label(ctx, text)) {
		refused = edit_id(ctx, r, text, other, &now);
		if (refused != EDIT_FINE)
			return -(int)refused;
		n = edit_label(ctx, plan, ret, L_ID, text, now, rule);
	}
	if (n < 0 || !tlv)
		return n < 0 ? n : text.n > 0;
	refused = edit_id(ctx, r, other, text, &now);
	return refused != EDIT_FINE ? -(int)refused : edit_tlv(ctx, plan, ret, &t, now, rule);
}

static int plan_id(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	if (!ctx->proto->status_in_header)
		return 0; /* CMPP's are numbers: there is no other way to write them */
	if (ctx->kind == CTX_REPORT)
		return plan_receipt_id(ctx, r, plan, ret, rule);
	return plan_field_id(ctx, r, plan, ret, rule);
}

/* TLVs */

bool edit_tlv_find(const struct pdu *pdu, uint16_t tag, struct tlv *ret)
{
	struct tlv t;
	size_t at = 0;

	while (tlv_next(pdu, &at, &t) > 0) {
		if (t.tag == tag && (t.value.n > 0 || tag == TAG_STATUS_TEXT)) {
			*ret = t;
			return true;
		}
	}
	return false;
}

/* A text keeps the NUL it had; a number keeps its length. */
int edit_tlv(struct edit_context *ctx, struct edit_plan *plan, struct edit_result *ret,
	const struct tlv *t, struct span now, int rule)
{
	struct edit_patch p = { .kind = PATCH_TLV, .tag = t->tag, .at = t->at + 4,
		.del = (uint32_t)t->value.n };
	struct edit_change c = { .field = tlv_name(t->tag), .was = t->value, .now = now };
	bool text = t->tag == TAG_RECEIPTED_ID;

	if (edit_patch_of(plan, PATCH_TLV, t->tag) != NULL ||
	    (text && same(receipt_trim(t->value), now)))
		return 1;
	if (text && t->value.n > 0 && t->value.p[t->value.n - 1] == 0) {
		p.put = edit_keep(ctx, now.p, now.n);
		if (edit_keep(ctx, "", 1).n != 1 || p.put.n != now.n)
			return -EDIT_NO_ROOM;
		p.put.n++;
	} else {
		p.put = edit_keep(ctx, now.p, now.n);
		if (p.put.n != now.n)
			return -EDIT_NO_ROOM;
	}
	c.now = span_of(p.put.p, t->tag == TAG_STATUS_TEXT ? now.n - 1 : now.n); /* without its NUL */
	if (same(p.put, t->value))
		return 1;
	if (p.put.n > (text ? 65 : 256))
		return -EDIT_TOO_LONG;
	if (text || t->tag == TAG_STATUS_TEXT || t->tag == TAG_NETWORK_ERROR) {
		c.was = t->tag == TAG_NETWORK_ERROR ? t->value : receipt_trim(t->value);
	} else {
		c.number = true;
		c.was_number = (uint32_t)span_uint(t->value);
		c.now_number = (uint32_t)span_uint(now);
	}
	return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
}

/*
 * Octets that a response which ends early needs before it can have a TLV: empty strings, and the
 * NUL that was left off. False: it has no place for TLVs, or an empty field there would be a
 * statement.
 */
static bool fill_of(const struct pdu *pdu, uint32_t *ret)
{
	const struct slot *s = pdu->layout->body;
	const struct pdu_field *last;
	int seen = 0;

	*ret = 0;
	for (; s->shape != SHAPE_END && s->shape != SHAPE_TLVS; s++) {
		if (s->shape == SHAPE_STOP)
			continue;
		if (seen++ < pdu->field_count)
			continue;
		if (s->shape != SHAPE_CSTR)
			return false;
		++*ret;
	}
	if (pdu->field_count > 0) {
		last = &pdu->fields[pdu->field_count - 1];
		*ret += last->shape == SHAPE_CSTR && last->len == last->text_len;
	}
	return s->shape == SHAPE_TLVS;
}

/* At most `max` octets of it, cut between characters of UTF-8. */
static size_t cut(const char *p, size_t n, size_t max)
{
	if (n <= max)
		return n;
	n = max;
	while (n > 0 && ((uint8_t)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static int plan_status_text(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	enum { VERSION_TLVS = 0x34, TEXT_MAX = 255 };
	struct edit_patch p = { .kind = PATCH_TLV_ADD, .tag = TAG_STATUS_TEXT };
	struct edit_change c = { .field = tlv_name(TAG_STATUS_TEXT), .added = true };
	char text[1024];
	struct out o = out_of(text, sizeof(text));
	struct tlv t;
	size_t n;

	if (ctx->proto->status_in_header == false)
		return 0;
	if (ctx->dialect < VERSION_TLVS)
		return -EDIT_VERSION;
	if (!fill_of(&ctx->pdu, &plan->fill))
		return -EDIT_NO_FIELD;
	edit_meaning(ctx, r->def.lang, &o);
	n = cut(text, out_len(&o), TEXT_MAX);
	c.now = edit_keep(ctx, text, n);
	if (c.now.n != n || edit_keep(ctx, "", 1).n != 1)
		return -EDIT_NO_ROOM;
	p.put = span_of(c.now.p, n + 1);
	if (!edit_tlv_find(&ctx->pdu, TAG_STATUS_TEXT, &t))
		return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
	plan->fill = 0;
	return edit_tlv(ctx, plan, ret, &t, p.put, rule);
}

/* Success explains itself: it is annotated only where a rule asks for it by class or code. */
static int plan_annotate(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	const struct rule_def *d = &r->def;

	if (edit_answers(ctx) == 0)
		return 0;
	if (d->classes == 0 && d->code_count == 0 && answer_class(&ctx->answers[0]) == CLASS_OK)
		return 0;
	return ctx->kind == CTX_REPORT ? edit_plan_text(ctx, r, plan, ret, rule)
				       : plan_status_text(ctx, r, plan, ret, rule);
}

static int plan_action(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	switch (r->def.action) {
	case EDIT_MAP_STATUS: return plan_status(ctx, r, plan, ret, rule);
	case EDIT_MAP_STAT: return edit_plan_stat(ctx, r, plan, ret, rule);
	case EDIT_MESSAGE_ID: return plan_id(ctx, r, plan, ret, rule);
	case EDIT_ERR_WIDTH: return edit_plan_err(ctx, r, plan, ret, rule);
	case EDIT_ANNOTATE: return plan_annotate(ctx, r, plan, ret, rule);
	default: return 1;
	}
}

/* A message that its rule made too long moves, if the rule says so and there is a place to go. */
static int check_length(const struct edit_context *ctx, const struct rule *r,
	struct edit_plan *plan)
{
	size_t n = edit_message_len(ctx, plan), was = pdu_octets(&ctx->pdu, F_SHORT_MESSAGE).n;
	struct tlv t;

	if (n <= SM_MAX || n <= was || plan->move)
		return 0;
	if (!r->def.to_payload && !plan->may_move)
		return -EDIT_TOO_LONG;
	if (ctx->dialect < 0x34)
		return -EDIT_VERSION;
	if (edit_tlv_find(&ctx->pdu, TAG_PAYLOAD, &t))
		return -EDIT_TOO_LONG;
	plan->move = true;
	return 0;
}

int edit_plan_rule(struct edit_context *ctx, const struct rule_set *rules, int rule,
	struct edit_plan *plan, struct edit_result *ret)
{
	const struct rule *r = &rules->rules[rule];
	struct edit_mark mark = edit_mark(plan, ret);
	int n = plan_action(ctx, r, plan, ret, rule), err;

	if (n > 0) {
		err = plan->count > mark.count ? check_length(ctx, r, plan) : 0;
		plan->may_move |= r->def.to_payload;
		n = err < 0 ? err : n;
	}
	if (n <= 0)
		edit_back(&mark, plan, ret);
	return n;
}
