#include "smscope/record.h"

#include <string.h>

static const char *const kind_names[REC_COUNT] = {
	[REC_LOGIN] = "login",
	[REC_SUBMIT] = "submit",
	[REC_SUBMIT_RESP] = "submit_resp",
	[REC_REPORT] = "report",
	[REC_DELIVER] = "deliver",
	[REC_DELIVER_RESP] = "deliver_resp",
	[REC_QUERY_RESP] = "query_resp",
	[REC_CANCEL_RESP] = "cancel_resp",
	[REC_NACK] = "nack",
	[REC_SESSION_OPEN] = "session_open",
	[REC_SESSION_CLOSE] = "session_close",
	[REC_STALL] = "stall",
	[REC_BLIND] = "blind",
	[REC_LOST] = "lost",
	[REC_MALFORMED] = "malformed",
	[REC_UPSTREAM] = "upstream",
	[REC_UNKNOWN_CODE] = "unknown_code",
	[REC_CONFIG] = "config",
	[REC_REFUSED] = "refused",
	[REC_NO_REPORT] = "no_report",
	[REC_ID_RULE] = "id_rule",
};

const char *record_kind_name(enum record_kind k)
{
	return (unsigned)k < REC_COUNT ? kind_names[k] : "unknown";
}

int record_kind_of(const char *name)
{
	for (int k = 0; k < REC_COUNT; k++) {
		if (strcmp(kind_names[k], name) == 0)
			return k;
	}
	return SM_ENONE;
}

void record_init(struct record *r, enum record_kind kind)
{
	memset(r, 0, offsetof(struct record, answers));
	r->kind = kind;
}

static void append(struct record *r, const char *key, enum extra_type type, struct span s,
		   uint64_t v)
{
	if (r->extra_count == RECORD_EXTRAS_MAX)
		return;
	r->extras[r->extra_count++] = (struct record_extra){ key, type, s, v };
}

void record_text_extra(struct record *r, const char *key, struct span s)
{
	append(r, key, EXTRA_TEXT, s, 0);
}

void record_words_extra(struct record *r, const char *key, const char *words)
{
	append(r, key, EXTRA_WORDS, span_of(words, strlen(words)), 0);
}

void record_number_extra(struct record *r, const char *key, struct span s)
{
	append(r, key, EXTRA_NUMBER, s, 0);
}

void record_uint_extra(struct record *r, const char *key, uint64_t v)
{
	append(r, key, EXTRA_UINT, span_of("", 0), v);
}

void record_int_extra(struct record *r, const char *key, int64_t v)
{
	append(r, key, EXTRA_INT, span_of("", 0), (uint64_t)v);
}

void record_hex_extra(struct record *r, const char *key, uint64_t v)
{
	append(r, key, EXTRA_HEX, span_of("", 0), v);
}

void record_octets_extra(struct record *r, const char *key, struct span s)
{
	append(r, key, EXTRA_OCTETS, s, 0);
}

void record_ms_extra(struct record *r, const char *key, uint64_t us)
{
	append(r, key, EXTRA_MS, span_of("", 0), us);
}

void record_time_extra(struct record *r, const char *key, uint64_t wall_ns)
{
	append(r, key, EXTRA_TIME, span_of("", 0), wall_ns);
}

void record_flag_extra(struct record *r, const char *key)
{
	append(r, key, EXTRA_FLAG, span_of("", 0), 1);
}

/* The row that tells what happened: the inner one, where it does. */
static const struct code_row *inner_row(const struct code_answer *a)
{
	if (a->nested_count > 0 && a->nested[0].row->cls != CLASS_UNKNOWN)
		return a->nested[0].row;
	return a->row;
}

enum code_class answer_class(const struct code_answer *a)
{
	return (enum code_class)inner_row(a)->cls;
}

enum code_origin answer_origin(const struct code_answer *a)
{
	if (a->row->origin == ORIGIN_NONE && a->nested_count > 0)
		return (enum code_origin)a->nested[0].row->origin;
	return (enum code_origin)a->row->origin;
}

enum code_retry answer_retry(const struct code_answer *a)
{
	const struct code_row *row = inner_row(a);

	return (enum code_retry)(row->retry != RETRY_NA ? row->retry : a->row->retry);
}

/*
 * The next character if it is one of which tables are full: printable ASCII, an ideograph, Chinese
 * punctuation.
 */
static size_t common_rune(const uint8_t *p)
{
	if (p[0] < 0x80)
		return p[0] >= ' ' && p[0] < 0x7f && p[0] != '"' && p[0] != '\\';
	if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (p[0] >= 0xe4 && p[0] <= 0xe9) /* U+4000 to U+9FFF */
		return 3;
	/* U+3001 to U+303F; U+FF00 to U+FF3F */
	return (p[0] == 0xe3 && p[1] == 0x80 && p[2] > 0x80) || (p[0] == 0xef && p[1] == 0xbc) ? 3
											       : 0;
}

void record_words(struct out *o, const char *words, bool json)
{
	const uint8_t *p = (const uint8_t *)words;
	size_t n;

	while ((n = common_rune(p)) > 0)
		p += n;
	out_put(o, words, (size_t)(p - (const uint8_t *)words));
	n = strlen((const char *)p);
	if (n > 0 && json)
		text_json(o, span_of(p, n));
	else if (n > 0)
		text_escape(o, span_of(p, n), false);
}
