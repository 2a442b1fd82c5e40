#include "core/edit_state.h"

/* What a rule changes in a report: the seven octets of CMPP, the labels and TLVs of SMPP. */

enum { STATE_DELIVERED = 2, STATE_REJECTED = 8, NETWORK_ERROR_LEN = 3 };

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* The text that the labels were found in: the octets as they are, or decoded. */
static struct span text_of(const struct edit_context *ctx)
{
	const struct receipt *x = &ctx->receipt;

	return x->store_len > 0 ? span_of(x->store, x->store_len) : x->raw;
}

bool edit_has_label(const struct edit_context *ctx, struct span value)
{
	struct span text = text_of(ctx);

	/* No label begins the text: its value would stand there only if there is none. */
	return value.p > receipt_trim(text).p && value.p <= text.p + text.n;
}

static size_t utf8_len(uint8_t c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Units of UTF-16 that UTF-8 text of whole characters has. */
static size_t units_of(struct span s)
{
	size_t units = 0;

	for (size_t i = 0; i < s.n; i += utf8_len(s.p[i]))
		units += utf8_len(s.p[i]) == 4 ? 2 : 1;
	return units;
}

/* The order of the octets, as the zeros of its ASCII tell. */
static bool is_big(struct span raw)
{
	size_t even = 0, odd = 0;

	for (size_t i = 0; i + 1 < raw.n; i += 2) {
		even += raw.p[i] == 0;
		odd += raw.p[i + 1] == 0;
	}
	return even >= odd;
}

static void put_unit(uint8_t *to, uint32_t unit, bool big)
{
	to[big ? 0 : 1] = (uint8_t)(unit >> 8);
	to[big ? 1 : 0] = (uint8_t)unit;
}

/* UTF-8 text as UTF-16 into the scratch; our own words, so it is whole characters. */
static struct span keep_wide(struct edit_context *ctx, struct span s, bool big)
{
	size_t n = 2 * units_of(s);
	uint8_t *to = ctx->scratch + ctx->scratch_len;

	if (n > sizeof(ctx->scratch) - ctx->scratch_len)
		return span_of(to, 0);
	ctx->scratch_len += n;
	for (size_t i = 0, at = 0; i < s.n; i += utf8_len(s.p[i])) {
		size_t len = utf8_len(s.p[i]);
		uint32_t c = len == 1 ? s.p[i] : s.p[i] & (0x7fu >> len);

		for (size_t k = 1; k < len && i + k < s.n; k++)
			c = c << 6 | (s.p[i + k] & 0x3f);
		if (len == 4) {
			put_unit(to + at, 0xd7c0 + (c >> 10), big);
			at += 2;
			c = 0xdc00 + (c & 0x3ff);
		}
		put_unit(to + at, c, big);
		at += 2;
	}
	return span_of(to, n);
}

static const char *label_name(enum label label)
{
	return label == L_ID ? "id" : label == L_STAT ? "stat" : label == L_ERR ? "err" : "text";
}

int edit_label(struct edit_context *ctx, struct edit_plan *plan, struct edit_result *ret,
	enum label label, struct span was, struct span now, int rule)
{
	struct edit_patch p = { .kind = PATCH_LABEL, .label = label, .said = now, .put = now };
	struct edit_change c = { .field = label_name(label), .was = was, .now = now };
	const struct receipt *x = &ctx->receipt;
	const uint8_t *store = (const uint8_t *)x->store;

	if (same(was, now) || edit_patch_of(plan, PATCH_LABEL, (int)label) != NULL)
		return 1;
	if (x->store_len == 0) {
		p.at = (uint32_t)(was.p - ctx->pdu.frame.p);
		p.del = (uint32_t)was.n;
	} else {
		p.at = (uint32_t)((size_t)(x->raw.p - ctx->pdu.frame.p) +
				  2 * units_of(span_of(store, (size_t)(was.p - store))));
		p.del = (uint32_t)(2 * units_of(was));
		p.put = keep_wide(ctx, now, is_big(x->raw));
		if (now.n > 0 && p.put.n == 0)
			return -EDIT_NO_ROOM;
	}
	return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
}

size_t edit_message_len(const struct edit_context *ctx, const struct edit_plan *plan)
{
	struct span sm = pdu_octets(&ctx->pdu, F_SHORT_MESSAGE);
	const uint8_t *base = ctx->pdu.frame.p;
	size_t n = sm.n;

	for (int i = 0; i < plan->count; i++) {
		const struct edit_patch *p = &plan->patches[i];

		if (p->kind == PATCH_LABEL && base + p->at >= sm.p && base + p->at <= sm.p + sm.n)
			n = n - p->del + p->put.n;
	}
	return n;
}

/* Stat */

static int plan_cmpp_stat(struct edit_context *ctx, const char *word, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	struct edit_patch p = { .kind = PATCH_STAT, .field = F_SHORT_MESSAGE, .del = STAT_LEN };
	struct edit_change c = { .field = "Stat", .was = ctx->receipt.stat };
	uint8_t octets[STAT_LEN] = { 0 };
	size_t n = strlen(word);

	if (n > STAT_LEN)
		return -EDIT_WIDTH;
	c.now = edit_keep(ctx, word, n);
	if (same(c.was, c.now))
		return 1;
	memcpy(octets, word, n);
	p.at = (uint32_t)(ctx->receipt.raw.p + STAT_AT - ctx->pdu.frame.p);
	p.put = edit_keep(ctx, octets, sizeof(octets));
	if (p.put.n != STAT_LEN)
		return -EDIT_NO_ROOM;
	return edit_patch_add(plan, ret, &p, c, rule) == 0 ? 1 : -EDIT_NO_ROOM;
}

/* The TLVs that say the same as the stat: its state, and of what is delivered no error. */
static int plan_state_tlvs(struct edit_context *ctx, const char *word, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	int state = receipt_state_of(span_of(word, strlen(word))), n = 1;
	uint8_t octets[4] = { 0 };
	struct tlv t;

	if (edit_tlv_find(&ctx->pdu, TAG_STATE, &t) && t.value.n <= 4) {
		octets[t.value.n - 1] = (uint8_t)state;
		n = edit_tlv(ctx, plan, ret, &t, span_of(octets, t.value.n), rule);
	}
	if (n < 0 || state != STATE_DELIVERED || !ctx->receipt.has_network_error ||
	    ctx->receipt.network_error == 0 || !edit_tlv_find(&ctx->pdu, TAG_NETWORK_ERROR, &t) ||
	    t.value.n != NETWORK_ERROR_LEN)
		return n;
	octets[0] = t.value.p[0];
	octets[1] = octets[2] = 0;
	return edit_tlv(ctx, plan, ret, &t, span_of(octets, NETWORK_ERROR_LEN), rule);
}

/* An err without a statement of its own: nothing, or zeros. */
static bool says_nothing(struct span err)
{
	for (size_t i = 0; i < err.n; i++) {
		if (err.p[i] != '0')
			return false;
	}
	return true;
}

/* The stat that was goes where the receipt has an err that says nothing, if it fits. */
static int keep_original(struct edit_context *ctx, struct span was, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	struct span err = ctx->receipt.err;
	struct edit_mark mark = edit_mark(plan, ret);
	int n;

	if (!edit_has_label(ctx, err) || !says_nothing(err) || receipt_first_word(was).n != was.n ||
	    ctx->receipt.stat_state >= 0)
		return 1;
	n = edit_label(ctx, plan, ret, L_ERR, err, was, rule);
	if (n > 0 && edit_message_len(ctx, plan) > SM_MAX)
		edit_back(&mark, plan, ret);
	return n;
}

static int plan_smpp_stat(struct edit_context *ctx, const struct rule *r, const char *word,
	struct edit_plan *plan, struct edit_result *ret, int rule)
{
	struct span now = span_of(word, strlen(word)), was = ctx->receipt.stat;
	int n = 1;

	if (edit_has_label(ctx, was)) {
		n = edit_label(ctx, plan, ret, L_STAT, was, now, rule);
		if (n > 0 && r->def.keep_err &&
		    edit_patch_of(plan, PATCH_LABEL, (int)L_ERR) == NULL)
			n = keep_original(ctx, was, plan, ret, rule);
	}
	return n < 0 ? n : plan_state_tlvs(ctx, word, plan, ret, rule);
}

/* A state of the protocol, as it is written in capitals; NULL: it is none, or has more words. CMPP has seven, SMPP ten. */
static const char *canonical(struct span code, bool cmpp)
{
	int state = receipt_stat_word(code).n == code.n ? receipt_state_of(code) : -1;

	if (cmpp && (state < STATE_DELIVERED || state > STATE_REJECTED))
		return NULL;
	return state >= 0 ? receipt_state_word(state) : NULL;
}

int edit_plan_stat(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	const struct code_map_row *row;
	const char *word = r->def.to;

	if (ctx->code.n == 0)
		return 0;
	if (r->def.map != NULL) {
		row = edit_mapped(ctx, r->def.map);
		word = canonical(ctx->code, ctx->receipt.id_binary);
		/* A state is what it says, unless the map names it. */
		if (row != NULL && (word == NULL || row->text != NULL))
			word = row->word;
		if (word == NULL)
			return 0;
	}
	return ctx->receipt.id_binary ? plan_cmpp_stat(ctx, word, plan, ret, rule)
				      : plan_smpp_stat(ctx, r, word, plan, ret, rule);
}

/* err */

/* By the map, or by zeros that do not count. An empty span: it cannot be told without loss. */
static struct span err_of_width(struct edit_context *ctx, const struct rule *r, struct span err)
{
	struct code_mapped c = { .context = CTX_RECEIPT_ERR, .dialect = ctx->dialect,
		.is_text = true, .text = err };
	const struct code_map_row *row = NULL;
	char zeros[] = "0000";

	if (r->def.map != NULL) {
		if (code_map_asks_class(r->def.map) && edit_err_answers(ctx) > 0) {
			c.has_class = true;
			c.cls = answer_class(&ctx->err_answers[0]);
		}
		row = code_map_find(r->def.map, &c);
	}
	if (row != NULL)
		return edit_keep(ctx, row->word, strlen(row->word));
	while (err.n > r->def.err_width && *err.p == '0')
		err = span_of(err.p + 1, err.n - 1);
	if (err.n > r->def.err_width)
		return span_of(err.p, 0);
	memcpy(zeros + r->def.err_width - err.n, err.p, err.n);
	return edit_keep(ctx, zeros, r->def.err_width);
}

/* Letters and digits: anything else, as in MB:0064, is not padded. */
static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] | 0x20;

		if ((s.p[i] < '0' || s.p[i] > '9') && (c < 'a' || c > 'z'))
			return false;
	}
	return true;
}

int edit_plan_err(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	struct span was = ctx->receipt.err, now;
	struct tlv t;
	int n;

	if (ctx->receipt.id_binary || !edit_has_label(ctx, was) || was.n == 0)
		return 0;
	if (was.n == r->def.err_width && r->def.map == NULL)
		return 1;
	now = err_of_width(ctx, r, was);
	if (now.n == 0 || (now.n != r->def.err_width) || (!is_plain(was) && r->def.map == NULL))
		return -EDIT_WIDTH;
	n = edit_label(ctx, plan, ret, L_ERR, was, now, rule);
	/* Digits in network_error_code that were the err stay the err, where they have room. */
	if (n > 0 && now.n == NETWORK_ERROR_LEN && ctx->receipt.network_digits && same(ctx->receipt.network_raw, was) &&
	    edit_tlv_find(&ctx->pdu, TAG_NETWORK_ERROR, &t))
		n = edit_tlv(ctx, plan, ret, &t, now, rule);
	return n;
}

/* Text */

/* The meaning in words of ASCII, or false. */
static bool to_ascii(char *text, size_t n, size_t *ret_n)
{
	static const char arrow[] = "\xe2\x86\x92";
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (n - i >= 3 && memcmp(text + i, arrow, 3) == 0) {
			text[at++] = '-';
			text[at++] = '>';
			i += 2;
		} else if ((uint8_t)text[i] < ' ' || (uint8_t)text[i] > '~') {
			return false;
		} else {
			text[at++] = text[i];
		}
	}
	*ret_n = at;
	return true;
}

void edit_meaning(struct edit_context *ctx, enum record_lang lang, struct out *o)
{
	static const char quotes[] = "«»";
	int count = edit_answers(ctx);
	size_t n;

	answer_text(o, ctx->answers, answers_shown(ctx->answers, count), lang);
	n = out_len(o);
	if (n >= sizeof(quotes) - 1 && memcmp(o->base, quotes, 2) == 0) {
		/* Without the quotation marks that a line of a log has. */
		n -= !o->full && memcmp(o->pos - 2, quotes + 2, 2) == 0 ? 4 : 2;
		memmove(o->base, o->base + 2, n);
		o->pos = o->base + n;
	}
	if (lang == LANG_EN && to_ascii(o->base, out_len(o), &n))
		o->pos = o->base + n;
}

int edit_plan_text(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule)
{
	struct span was = ctx->receipt.text, now;
	char text[512];
	struct out o = out_of(text, sizeof(text));
	bool wide = ctx->receipt.store_len > 0;
	size_t n;

	if (ctx->receipt.id_binary)
		return 0;
	if (!edit_has_label(ctx, was))
		return -EDIT_NO_FIELD;
	edit_meaning(ctx, r->def.lang, &o);
	n = out_len(&o);
	if (o.full)
		return -EDIT_TOO_LONG;
	if (!wide && !to_ascii(text, n, &n))
		return -EDIT_CHARSET;
	now = edit_keep(ctx, text, n);
	if (now.n != n || n == 0)
		return -EDIT_NO_ROOM;
	return edit_label(ctx, plan, ret, L_TEXT, was, now, rule);
}
