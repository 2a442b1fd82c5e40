#include "smscope/record.h"

#include <string.h>

#include "smscope/receipt.h"

/*
 * The text log's line, in columns first and key=value after:
 *
 *   TIME  LINK  VERB  seq= CODE=value «meaning» msgid= rtt= dst= src= … origin= retry= table=
 *
 * Reports put the message first: msgid= stat= err= dst=. What the line is about comes early, what
 * can be looked up late.
 */

enum { VERB_WIDTH = 12, LINK_WIDTH = 7, TAIL_ROOM = 16, TEXT_SHOWN = 1024 };

#define LIT(o, s) out_put((o), (s), sizeof(s) - 1)

static const char RED[] = "\x1b[31m", GREEN[] = "\x1b[32m", YELLOW[] = "\x1b[33m",
		  BLUE[] = "\x1b[36m", DIM[] = "\x1b[2m", RESET[] = "\x1b[0m";

/* A line being written: what does not fit is taken back whole. */
struct line {
	struct out *o;
	const struct record *r;
	const struct record_style *style;
	const char *color;
	char *good; /* end of the last value that fits */
	bool cut;
};

static struct span text_of(const char *s)
{
	return span_of(s, strlen(s));
}

/* Keep what was written since the last call, or take it back when it does not fit. */
static void settle(struct line *l)
{
	if (l->o->full) {
		l->o->pos = l->good;
		l->o->full = false;
		l->cut = true;
	}
	l->good = l->o->pos;
}

static void begin(struct line *l, const char *key)
{
	out_char(l->o, ' ');
	out_str(l->o, key);
	out_char(l->o, '=');
}

static void put_foreign(struct line *l, const char *key, struct span s)
{
	begin(l, key);
	if (s.n == 0)
		out_char(l->o, '-');
	else
		text_escape(l->o, s, true);
	settle(l);
}

/* Words of our own; quoted if there is a blank between them. */
static void put_word(struct line *l, const char *key, struct span words)
{
	bool quote = memchr(words.p, ' ', words.n) != NULL;

	begin(l, key);
	if (quote)
		out_char(l->o, '"');
	text_escape(l->o, words, false);
	if (quote)
		out_char(l->o, '"');
	settle(l);
}

static void put_number(struct line *l, const char *key, struct span s)
{
	begin(l, key);
	text_number(l->o, s, l->style->mask);
	settle(l);
}

static void put_paint(struct line *l, const char *color)
{
	if (l->style->color && color != NULL)
		out_str(l->o, color);
}

/* One language's side of an answer: "meaning → inner meaning". */
static void put_side(struct out *o, const struct code_answer *a, bool zh)
{
	const char *own = zh ? a->row->zh : a->row->en;

	if (own != NULL)
		record_words(o, own, false);
	if (!a->has_nested)
		return;
	LIT(o, " → ");
	for (int i = 0; i < a->nested_count; i++) {
		const struct code_row *row = a->nested[i].row;
		const char *inner = zh ? row->zh : row->en;

		if (i > 0)
			LIT(o, " | ");
		if (inner != NULL)
			record_words(o, inner, false);
	}
	if (a->nested_count > 0)
		return;
	text_escape(o, text_of(a->nested_text), true); /* foreign: it must not end the marks */
	if (a->nested_foreign)
		out_str(o, zh ? " 对端自定" : " peer's own");
	else
		out_str(o, zh ? " 未知" : " unknown");
}

static void put_reading(struct out *o, const struct code_answer *a, enum record_lang lang)
{
	const char *zh = a->row->zh, *en = a->row->en;
	bool one = zh == NULL || en == NULL || (strcmp(zh, en) == 0 && !a->has_nested);

	if (zh != NULL && (lang != LANG_EN || en == NULL))
		put_side(o, a, true);
	if (lang == LANG_BOTH && !one)
		LIT(o, " / ");
	if (en != NULL && (lang == LANG_EN || zh == NULL || (lang == LANG_BOTH && !one)))
		put_side(o, a, false);
}

void answer_text(struct out *o, const struct code_answer *answers, int count, enum record_lang lang)
{
	static const char *const unknown[] = {
		[LANG_BOTH] = "未知 / unknown", [LANG_ZH] = "未知", [LANG_EN] = "unknown",
	};

	LIT(o, "«");
	if (count == 0)
		out_str(o, unknown[lang]);
	for (int i = 0; i < count; i++) {
		if (i > 0)
			LIT(o, " | ");
		put_reading(o, &answers[i], lang);
	}
	LIT(o, "»");
}

int answers_shown(const struct code_answer *answers, int count)
{
	int shown = count > 0;

	while (shown < count && answers[shown - 1].ambiguous && answers[shown].ambiguous)
		shown++;
	if (shown == 1 && count > 1 && answers[0].row->is_default)
		shown = 2;
	return shown;
}

static void put_meaning(struct line *l, const struct code_answer *answers, int count)
{
	out_char(l->o, ' ');
	put_paint(l, l->color);
	answer_text(l->o, answers, answers_shown(answers, count), l->style->lang);
	put_paint(l, l->color != NULL ? RESET : NULL);
	settle(l);
	for (int i = 0; i < answers_shown(answers, count); i++) {
		if (answers[i].row->name != NULL) {
			put_foreign(l, "name", text_of(answers[i].row->name));
			break;
		}
	}
}

static void put_code(struct line *l)
{
	const struct record *r = l->r;

	if (!r->has_code)
		return;
	begin(l, r->code_label);
	if (r->code_is_text && r->code_text.n == 0)
		out_char(l->o, '-');
	else if (r->code_is_text)
		text_escape(l->o, r->code_text, true);
	else if (r->proto != NULL && r->proto->status_in_header) {
		LIT(l->o, "0x");
		out_hex(l->o, r->code, 8);
	} else
		out_dec(l->o, r->code);
	settle(l);
	if (!r->code_is_text || r->code_text.n > 0)
		put_meaning(l, r->answers, r->answer_count);
}

static bool all_zero(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '0')
			return false;
	}
	return true;
}

static void put_err(struct line *l)
{
	const struct record *r = l->r;

	if (r->err.n == 0)
		return;
	put_foreign(l, "err", r->err);
	/* 000 says that there was no error, even where no table lists it. */
	if (r->err_answer_count > 0 || !all_zero(r->err))
		put_meaning(l, r->err_answers, r->err_answer_count);
}

static void put_msgid(struct line *l)
{
	const struct record *r = l->r;
	char text[40];

	if (r->msgid.n == 0)
		return;
	if (r->msgid_binary)
		put_foreign(l, "msgid",
			    span_of(text, msgid_text(span_uint(r->msgid), text, sizeof(text))));
	else
		put_foreign(l, "msgid", r->msgid);
}

static void put_extra(struct line *l, const struct record_extra *x)
{
	if (x->type == EXTRA_TEXT) {
		put_foreign(l, x->key, x->text);
		return;
	}
	if (x->type == EXTRA_WORDS) {
		put_word(l, x->key, x->text);
		return;
	}
	begin(l, x->key);
	switch (x->type) {
	case EXTRA_NUMBER:
		text_number(l->o, x->text, l->style->mask);
		break;
	case EXTRA_OCTETS:
		out_octets(l->o, x->text);
		break;
	case EXTRA_INT:
		out_int(l->o, (int64_t)x->value);
		break;
	case EXTRA_HEX:
		LIT(l->o, "0x");
		out_hex(l->o, x->value, 8);
		break;
	case EXTRA_MS:
		record_duration(l->o, x->value);
		break;
	case EXTRA_TIME:
		record_time(l->o, x->value, l->style->utc_offset_s, 3);
		break;
	default:
		out_dec(l->o, x->value);
		break;
	}
	settle(l);
}

/* The message itself, in quotes, decoded and then escaped; 0x22 is written \u0022. */
static void put_body(struct line *l)
{
	const struct record *r = l->r;
	char text[TEXT_SHOWN];
	struct out decoded = out_of(text, sizeof(text));
	const char *p = text, *end, *quote;

	if (!r->has_body)
		return;
	put_word(l, "enc", text_of(text_charset_name(r->charset)));
	begin(l, "len");
	out_dec(l->o, r->body_len);
	settle(l);
	if (!r->has_text || !l->style->show_text)
		return;
	text_decode(&decoded, r->charset, r->body);
	end = decoded.pos;
	LIT(l->o, " text=\"");
	while ((quote = memchr(p, '"', (size_t)(end - p))) != NULL) {
		text_escape(l->o, span_of(p, (size_t)(quote - p)), false);
		LIT(l->o, "\\u0022");
		p = quote + 1;
	}
	text_escape(l->o, span_of(p, (size_t)(end - p)), false);
	if (decoded.full)
		LIT(l->o, "…");
	out_char(l->o, '"');
	settle(l);
}

void answers_tables(struct out *o, const struct code_answer *answers, int count)
{
	for (int i = 0; i < answers_shown(answers, count); i++) {
		const struct code_answer *a = &answers[i];

		if (i > 0)
			out_char(o, '|');
		text_escape(o, text_of(a->table->name), true);
		for (int n = 0; n < a->nested_count; n++) {
			if (n > 0 && a->nested[n].table == a->nested[n - 1].table)
				continue;
			out_char(o, n == 0 ? '>' : ',');
			text_escape(o, text_of(a->nested[n].table->name), true);
		}
	}
}

static bool is_failure(enum code_class c)
{
	return c != CLASS_OK && c != CLASS_UNKNOWN;
}

static void put_advice(struct line *l)
{
	const struct record *r = l->r;

	if (r->answer_count > 0 && is_failure(answer_class(&r->answers[0]))) {
		enum code_origin origin = answer_origin(&r->answers[0]);
		enum code_retry retry = answer_retry(&r->answers[0]);

		if (origin != ORIGIN_NONE)
			put_word(l, "origin", text_of(code_origin_name(origin)));
		if (retry != RETRY_NA)
			put_word(l, "retry", text_of(code_retry_name(retry)));
	}
	if (r->answer_count > 0) {
		begin(l, "table");
		answers_tables(l->o, r->answers, r->answer_count);
		settle(l);
	}
	if (r->err_answer_count > 0) {
		begin(l, "err_table");
		answers_tables(l->o, r->err_answers, r->err_answer_count);
		settle(l);
	}
}

static const char *verb(const struct record *r)
{
	static const char *const verbs[REC_COUNT] = {
		[REC_SUBMIT] = "SUBMIT",
		[REC_SUBMIT_RESP] = "SUBMIT_RESP",
		[REC_REPORT] = "REPORT",
		[REC_DELIVER] = "DELIVER",
		[REC_DELIVER_RESP] = "DELIVER_RESP",
		[REC_QUERY_RESP] = "QUERY_RESP",
		[REC_CANCEL_RESP] = "CANCEL_RESP",
		[REC_NACK] = "NACK",
		[REC_SESSION_OPEN] = "SESSION_OPEN",
		[REC_SESSION_CLOSE] = "SESSION_CLOSE",
		[REC_STALL] = "STALL",
		[REC_BLIND] = "BLIND",
		[REC_LOST] = "LOST",
		[REC_MALFORMED] = "MALFORMED",
		[REC_UPSTREAM] = "UPSTREAM",
		[REC_UNKNOWN_CODE] = "UNKNOWN_CODE",
		[REC_CONFIG] = "CONFIG",
		[REC_REFUSED] = "REFUSED",
		[REC_NO_REPORT] = "NO_REPORT",
		[REC_ID_RULE] = "ID_RULE",
	};

	if (r->kind == REC_LOGIN)
		return r->proto != NULL ? r->proto->login_verb : "LOGIN_RESP";
	return verbs[r->kind];
}

static const char *class_color(enum code_class c)
{
	switch (c) {
	case CLASS_OK:
		return GREEN;
	case CLASS_PENDING:
	case CLASS_THROTTLED:
	case CLASS_UNKNOWN:
		return YELLOW;
	default:
		return RED;
	}
}

static const char *record_color(const struct record *r)
{
	if (r->has_code)
		return r->answer_count > 0 ? class_color(answer_class(&r->answers[0])) : YELLOW;
	switch (r->kind) {
	case REC_SESSION_OPEN:
	case REC_SESSION_CLOSE:
		return BLUE;
	case REC_BLIND:
	case REC_MALFORMED:
	case REC_LOST:
		return RED;
	case REC_STALL:
	case REC_UPSTREAM:
	case REC_UNKNOWN_CODE:
	case REC_REFUSED:
		return YELLOW;
	default:
		return NULL;
	}
}

static void put_padded(struct out *o, const char *s, size_t width)
{
	static const char blanks[] = "                                ";
	size_t n = strlen(s);

	out_put(o, s, n);
	if (n < width)
		out_put(o, blanks, width - n < sizeof(blanks) - 1 ? width - n : sizeof(blanks) - 1);
}

static void put_columns(struct line *l)
{
	int width = l->style->link_width > LINK_WIDTH ? l->style->link_width : LINK_WIDTH;

	put_paint(l, DIM);
	record_time(l->o, l->r->wall_ns, l->style->utc_offset_s, 3);
	put_paint(l, RESET);
	out_char(l->o, ' ');
	put_padded(l->o, l->r->link != NULL ? l->r->link : "-", (size_t)width);
	LIT(l->o, "  ");
	put_paint(l, l->color);
	put_padded(l->o, verb(l->r), VERB_WIDTH);
	put_paint(l, l->color != NULL ? RESET : NULL);
	settle(l);
}

/* Kinds that tell of the session itself name it; a message's line is long enough. */
static bool names_session(enum record_kind k)
{
	return k == REC_LOGIN || k == REC_SESSION_OPEN || k == REC_SESSION_CLOSE ||
	       k == REC_STALL || k == REC_BLIND || k == REC_MALFORMED || k == REC_NACK;
}

static void put_values(struct line *l)
{
	const struct record *r = l->r;
	bool report = r->kind == REC_REPORT;

	if (report)
		put_msgid(l);
	else if (r->has_pdu && r->kind != REC_LOGIN) {
		begin(l, "seq");
		out_dec(l->o, r->sequence);
		settle(l);
	}
	put_code(l);
	put_err(l);
	if (!report)
		put_msgid(l);
	if (r->has_rtt) {
		begin(l, "rtt");
		record_duration(l->o, r->rtt_us);
		settle(l);
	}
	if (r->dst.n > 0)
		put_number(l, "dst", r->dst);
	if (r->src.n > 0)
		put_number(l, "src", r->src);
	for (int i = 0; i < r->extra_count; i++)
		put_extra(l, &r->extras[i]);
	put_body(l);
	put_advice(l);
	if (names_session(r->kind) && r->session != 0) {
		begin(l, "sess");
		out_dec(l->o, r->session);
		settle(l);
	}
}

size_t record_line_text(const struct record *r, const struct record_style *style, char *to,
			size_t cap)
{
	struct out o = out_of(to, cap > TAIL_ROOM ? cap - TAIL_ROOM : 0);
	struct line l = { .o = &o, .r = r, .style = style, .good = to };

	l.color = style->color ? record_color(r) : NULL;
	put_columns(&l);
	put_values(&l);
	o.end = to + cap;
	if (l.cut)
		LIT(&o, " cut=1");
	out_char(&o, '\n');
	return out_len(&o);
}
