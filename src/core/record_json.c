#include "smscope/record.h"

#include <string.h>

#include "smscope/receipt.h"

/*
 * The JSON log's line: one object, keys in a fixed order and never renamed:
 *
 *   ts id ev link sess dir proto cmd seq code table name zh en class origin retry ambiguous nested
 *   also err err_table err_zh err_en err_nested msgid rtt_us dst src, the kind's own, enc len text
 *
 * A key without a value is left out. `code` is a number where the wire has a number, else a string.
 */

enum { TAIL_ROOM = 16, TEXT_SHOWN = 1024 };

#define LIT(o, s) out_put((o), (s), sizeof(s) - 1)

/* An object being written: a member that does not fit is taken back whole. */
struct object {
	struct out *o;
	char *good; /* end of the last member that fits */
	bool cut;
};

static void settle(struct object *j)
{
	if (j->o->full) {
		j->o->pos = j->good;
		j->o->full = false;
		j->cut = true;
	}
	j->good = j->o->pos;
}

static void put_string(struct out *o, struct span s)
{
	out_char(o, '"');
	text_json(o, s);
	out_char(o, '"');
}

static void put_key(struct out *o, const char *key)
{
	LIT(o, ",\"");
	out_str(o, key);
	LIT(o, "\":");
}

static void member_string(struct object *j, const char *key, struct span s)
{
	put_key(j->o, key);
	put_string(j->o, s);
	settle(j);
}

static void put_words(struct out *o, const char *words)
{
	out_char(o, '"');
	record_words(o, words, true);
	out_char(o, '"');
}

static void member_word(struct object *j, const char *key, const char *word)
{
	put_key(j->o, key);
	put_words(j->o, word);
	settle(j);
}

static void member_uint(struct object *j, const char *key, uint64_t v)
{
	put_key(j->o, key);
	out_dec(j->o, v);
	settle(j);
}

/* A masked number is all digits, marks and escapes of the text log: escape once more for JSON. */
static void member_number(struct object *j, const char *key, struct span s, enum mask mask)
{
	char text[256];
	struct out number = out_of(text, sizeof(text));

	text_number(&number, s, mask);
	member_string(j, key, span_of(text, out_len(&number)));
}

static void put_row(struct out *o, const struct code_table *table, const struct code_row *row)
{
	LIT(o, "\"table\":");
	put_words(o, table->name);
	if (row->name != NULL) {
		LIT(o, ",\"name\":");
		put_words(o, row->name);
	}
	if (row->zh != NULL) {
		LIT(o, ",\"zh\":");
		put_words(o, row->zh);
	}
	if (row->en != NULL) {
		LIT(o, ",\"en\":");
		put_words(o, row->en);
	}
}

static void put_class(struct out *o, enum code_class c, enum code_origin origin,
		      enum code_retry retry)
{
	put_key(o, "class");
	put_words(o, code_class_name(c));
	if (origin != ORIGIN_NONE) {
		put_key(o, "origin");
		put_words(o, code_origin_name(origin));
	}
	put_key(o, "retry");
	put_words(o, code_retry_name(retry));
}

/*
 * "nested":[{"code":"0064","table":…}], one item a reading; without a row the value is unknown or
 * the peer's own.
 */
static void put_nested(struct out *o, const char *key, const struct code_answer *a)
{
	put_key(o, key);
	out_char(o, '[');
	for (int i = 0; i < a->nested_count; i++) {
		const struct code_row *row = a->nested[i].row;

		if (i > 0)
			out_char(o, ',');
		LIT(o, "{\"code\":");
		put_words(o, a->nested_text);
		out_char(o, ',');
		put_row(o, a->nested[i].table, row);
		put_class(o, (enum code_class)row->cls, (enum code_origin)row->origin,
			(enum code_retry)row->retry);
		out_char(o, '}');
	}
	if (a->nested_count == 0) {
		LIT(o, "{\"code\":");
		put_words(o, a->nested_text);
		if (a->nested_foreign)
			LIT(o, ",\"foreign\":true");
		else
			LIT(o, ",\"class\":\"unknown\"");
		out_char(o, '}');
	}
	out_char(o, ']');
}

static void put_answer(struct out *o, const struct code_answer *a)
{
	put_row(o, a->table, a->row);
	put_class(o, answer_class(a), answer_origin(a), answer_retry(a));
	if (a->ambiguous)
		LIT(o, ",\"ambiguous\":true");
	if (a->derived)
		LIT(o, ",\"derived\":true");
	if (a->has_nested)
		put_nested(o, "nested", a);
}

void answer_json(struct out *o, const struct code_answer *answers, int count)
{
	if (count == 0) {
		LIT(o, "\"class\":\"unknown\"");
		return;
	}
	put_answer(o, &answers[0]);
	if (count == 1)
		return;
	LIT(o, ",\"also\":[");
	for (int i = 1; i < count; i++) {
		if (i > 1)
			out_char(o, ',');
		out_char(o, '{');
		put_answer(o, &answers[i]);
		out_char(o, '}');
	}
	out_char(o, ']');
}

static void member_code(struct object *j, const struct record *r)
{
	int count = r->answer_count;

	if (!r->has_code)
		return;
	/* Most lines tell of success: there a second opinion is not worth its octets. */
	if (count > 1 && !r->answers[0].ambiguous && answer_class(&r->answers[0]) == CLASS_OK)
		count = 1;
	if (r->code_is_text)
		member_string(j, "code", r->code_text);
	else
		member_uint(j, "code", r->code);
	out_char(j->o, ',');
	answer_json(j->o, r->answers, count);
	settle(j);
}

static void member_err(struct object *j, const struct record *r)
{
	if (r->err.n == 0)
		return;
	member_string(j, "err", r->err);
	if (r->err_answer_count == 0)
		return;
	member_word(j, "err_table", r->err_answers[0].table->name);
	if (r->err_answers[0].row->zh != NULL)
		member_word(j, "err_zh", r->err_answers[0].row->zh);
	if (r->err_answers[0].row->en != NULL)
		member_word(j, "err_en", r->err_answers[0].row->en);
	if (r->err_answers[0].has_nested) {
		put_nested(j->o, "err_nested", &r->err_answers[0]);
		settle(j);
	}
}

static void member_msgid(struct object *j, const struct record *r)
{
	char text[40];

	if (r->msgid.n == 0)
		return;
	if (r->msgid_binary)
		member_string(j, "msgid",
			      span_of(text, msgid_text(span_uint(r->msgid), text, sizeof(text))));
	else
		member_string(j, "msgid", r->msgid);
}

static void member_body(struct object *j, const struct record *r, const struct record_style *style)
{
	char text[TEXT_SHOWN];
	struct out decoded = out_of(text, sizeof(text));

	if (!r->has_body)
		return;
	member_word(j, "enc", text_charset_name(r->charset));
	member_uint(j, "len", r->body_len);
	if (!r->has_text || !style->show_text)
		return;
	text_decode(&decoded, r->charset, r->body);
	member_string(j, "text", span_of(text, out_len(&decoded)));
	if (decoded.full)
		j->cut = true;
}

static void member_time(struct object *j, const char *key, uint64_t wall_ns, int utc_offset_s)
{
	put_key(j->o, key);
	out_char(j->o, '"');
	record_time(j->o, wall_ns, utc_offset_s, 6);
	out_char(j->o, '"');
	settle(j);
}

static void member_octets(struct object *j, const char *key, struct span s)
{
	put_key(j->o, key);
	out_char(j->o, '"');
	out_octets(j->o, s);
	out_char(j->o, '"');
	settle(j);
}

static void member_extra(struct object *j, const struct record_extra *x,
			 const struct record_style *style)
{
	switch (x->type) {
	case EXTRA_TEXT:
	case EXTRA_WORDS:
		member_string(j, x->key, x->text);
		break;
	case EXTRA_OCTETS:
		member_octets(j, x->key, x->text);
		break;
	case EXTRA_NUMBER:
		member_number(j, x->key, x->text, style->mask);
		break;
	case EXTRA_MS:
		LIT(j->o, ",\"");
		out_str(j->o, x->key);
		LIT(j->o, "_ms\":");
		out_dec(j->o, x->value / 1000);
		settle(j);
		break;
	case EXTRA_TIME:
		member_time(j, x->key, x->value, style->utc_offset_s);
		break;
	case EXTRA_INT:
		put_key(j->o, x->key);
		out_int(j->o, (int64_t)x->value);
		settle(j);
		break;
	case EXTRA_FLAG:
		put_key(j->o, x->key);
		LIT(j->o, "true");
		settle(j);
		break;
	default:
		member_uint(j, x->key, x->value);
		break;
	}
}

static void put_head(struct object *j, const struct record *r, const struct record_style *style)
{
	LIT(j->o, "{\"ts\":\"");
	record_time(j->o, r->wall_ns, style->utc_offset_s, 6);
	out_char(j->o, '"');
	settle(j);
	if (r->id != 0)
		member_uint(j, "id", r->id);
	member_word(j, "ev", record_kind_name(r->kind));
	if (r->link != NULL)
		member_word(j, "link", r->link);
	if (r->session != 0)
		member_uint(j, "sess", r->session);
	if (r->has_pdu)
		member_word(j, "dir", r->from == SIDE_SP ? "sp>gw" : "gw>sp");
	if (r->proto != NULL)
		member_word(j, "proto", dialect_name(r->proto, r->dialect));
	if (r->cmd != NULL)
		member_word(j, "cmd", r->cmd);
	if (r->has_pdu)
		member_uint(j, "seq", r->sequence);
}

size_t record_line_json(const struct record *r, const struct record_style *style, char *to,
			size_t cap)
{
	struct out o = out_of(to, cap > TAIL_ROOM ? cap - TAIL_ROOM : 0);
	struct object j = { .o = &o, .good = to };

	put_head(&j, r, style);
	member_code(&j, r);
	member_err(&j, r);
	member_msgid(&j, r);
	if (r->story != 0)
		member_uint(&j, "story", r->story);
	if (r->has_rtt)
		member_uint(&j, "rtt_us", r->rtt_us);
	if (r->dst.n > 0)
		member_number(&j, "dst", r->dst, style->mask);
	if (r->src.n > 0)
		member_number(&j, "src", r->src, style->mask);
	for (int i = 0; i < r->extra_count; i++)
		member_extra(&j, &r->extras[i], style);
	member_body(&j, r, style);
	o.end = to + cap;
	if (j.cut)
		LIT(&o, ",\"cut\":true");
	LIT(&o, "}\n");
	return out_len(&o);
}
