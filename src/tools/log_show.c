#include "tools/log_show.h"

#include "smscope/receipt.h"

/*
 * The line that record_line_text() writes, from the record in JSON: columns first, then seq, the
 * code with its meaning, msgid, rtt, dst, src, what only that kind has, the body, advice and table.
 */

enum { VERB_WIDTH = 12, LINK_WIDTH = 7 };

#define LIT(o, s) out_put((o), (s), sizeof(s) - 1)

/* Keys with a place of their own, and the number of the story, which is for programs. */
static const char *const placed[] = {
	"ts",	     "id",	 "ev",	     "link",   "sess",	   "dir",    "proto",	 "cmd",
	"seq",	     "code",	 "table",    "name",   "zh",	   "en",     "class",	 "origin",
	"retry",     "nested",	 "also",     "err",    "err_table", "err_zh", "err_en",	 "err_nested",
	"ambiguous", "derived",	 "msgid",    "rtt_us", "dst",	   "src",    "enc",	 "len",
	"text",	     "story",
};

/* A value, at most `cap` octets of it. */
static struct span value_of(const struct log_line *l, const char *key, char *room, size_t cap)
{
	struct out o = out_of(room, cap);

	(void)log_line_value(l, key, &o);
	return span_of(room, out_len(&o));
}

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static void put_key(struct out *o, const char *key)
{
	out_char(o, ' ');
	out_str(o, key);
	out_char(o, '=');
}

/* One word, or in quotes; 0x22 is then written \u0022. */
static void put_value(struct out *o, struct span s, bool quoted)
{
	const uint8_t *quote;

	if (s.n == 0 && !quoted)
		out_char(o, '-');
	if (!quoted && memchr(s.p, ' ', s.n) == NULL) {
		text_escape(o, s, true);
		return;
	}
	out_char(o, '"');
	while ((quote = memchr(s.p, '"', s.n)) != NULL) {
		size_t n = (size_t)(quote - s.p);

		text_escape(o, span_of(s.p, n), false);
		LIT(o, "\\u0022");
		s = span_of(quote + 1, s.n - n - 1);
	}
	text_escape(o, s, false);
	out_char(o, '"');
}

/* A member under the text log's name for it: durations as such, flags as 1. */
static void put_member(struct out *o, const char *label, const struct json_line_value *v)
{
	static char room[JSON_LINE_MAX];
	struct out text = out_of(room, sizeof(room));
	size_t n = strlen(label);
	uint64_t t;

	if (v->type == JSON_LINE_LIST || v->type == JSON_LINE_OBJECT || v->type == JSON_LINE_NULL)
		return;
	out_char(o, ' ');
	if (n > 3 && json_line_uint(v, &t) &&
	    (strcmp(label + n - 3, "_ms") == 0 || strcmp(label + n - 3, "_us") == 0)) {
		bool ms = label[n - 2] == 'm';

		text_escape(o, span_of(label, n - 3), true);
		out_char(o, '=');
		record_duration(o, ms && t < UINT64_MAX / 1000 ? t * 1000 : t);
		return;
	}
	text_escape(o, span_of(label, n), true);
	out_char(o, '=');
	json_line_text(&text, v);
	if (v->type == JSON_LINE_TRUE || v->type == JSON_LINE_FALSE)
		out_char(o, v->type == JSON_LINE_TRUE ? '1' : '0');
	else
		put_value(o, span_of(room, out_len(&text)), strcmp(label, "text") == 0);
}

void log_show_member(struct out *o, const struct log_line *l, const char *key, const char *label)
{
	const struct json_line_value *v = json_line_find(&l->json, key);

	if (v != NULL)
		put_member(o, label, v);
}

/* A text of the record's tables. */
static void put_words(struct out *o, const struct json_line_value *v)
{
	char room[2048];
	struct out text = out_of(room, sizeof(room));

	if (v == NULL)
		return;
	json_line_text(&text, v);
	text_escape(o, span_of(room, out_len(&text)), false);
}

/* Names of the members that hold one answer. */
struct answer_keys {
	const char *zh, *en, *nested;
};

/* One language's side of an answer: "meaning → inner meaning". */
static void put_side(struct out *o, const struct json_line *j, const struct answer_keys *k, bool zh)
{
	const struct json_line_value *nested = json_line_find(j, k->nested);
	struct json_line inner;
	size_t at = 0;

	put_words(o, json_line_find(j, zh ? k->zh : k->en));
	while (nested != NULL) {
		size_t before = at;
		const struct json_line_value *words;

		if (!json_line_item(nested, &at, &inner))
			break;
		out_str(o, before == 0 ? " → " : " | ");
		words = json_line_find(&inner, zh ? "zh" : "en");
		if (words != NULL) {
			put_words(o, words);
			continue;
		}
		put_words(o, json_line_find(&inner, "code"));
		if (json_line_find(&inner, "foreign") != NULL)
			out_str(o, zh ? " 对端自定" : " peer's own");
		else if (json_line_is(json_line_find(&inner, "class"), "unknown"))
			out_str(o, zh ? " 未知" : " unknown");
	}
}

static void put_reading(struct out *o, const struct json_line *j, const struct answer_keys *k,
			enum record_lang lang)
{
	const struct json_line_value *zh = json_line_find(j, k->zh), *en = json_line_find(j, k->en);

	if (zh == NULL && en == NULL) {
		out_str(o, lang == LANG_BOTH ? "未知 / unknown"
					     : lang == LANG_ZH ? "未知" : "unknown");
		return;
	}
	if (zh != NULL && (lang != LANG_EN || en == NULL))
		put_side(o, j, k, true);
	if (zh != NULL && en != NULL && lang == LANG_BOTH)
		LIT(o, " / ");
	if (en != NULL && (lang != LANG_ZH || zh == NULL))
		put_side(o, j, k, false);
}

/*
 * Does the second reading say more? The log does not tell which row speaks of one code and which of
 * all that have no row; a reading with a name beside one without, of another class, does say more.
 */
static bool says_more(const struct json_line *first, const struct json_line *second)
{
	const struct json_line_value *a = json_line_find(first, "class");
	const struct json_line_value *b = json_line_find(second, "class");

	return json_line_find(first, "name") == NULL && json_line_find(second, "name") != NULL &&
	       a != NULL && b != NULL &&
	       (a->text.n != b->text.n || memcmp(a->text.p, b->text.p, a->text.n) != 0);
}

/* The next of the readings that are shown beside the first; `*at` starts at 0. */
static bool next_reading(const struct json_line *first, size_t *at, struct json_line *ret)
{
	const struct json_line_value *also = json_line_find(first, "also");
	bool beside = *at == 0;

	if (also == NULL || !json_line_item(also, at, ret))
		return false;
	if (json_line_find(first, "ambiguous") != NULL)
		return json_line_find(ret, "ambiguous") != NULL;
	return beside && says_more(first, ret);
}

/* «…», with the other readings behind it. */
static void put_meaning(struct out *o, const struct log_line *l, const struct answer_keys *k,
			const struct log_style *style)
{
	const char *color = style->color ? log_color(l) : NULL;
	struct json_line other;
	size_t at = 0;

	out_char(o, ' ');
	out_str(o, color != NULL ? color : "");
	LIT(o, "«");
	put_reading(o, &l->json, k, style->lang);
	while (strcmp(k->zh, "zh") == 0 && next_reading(&l->json, &at, &other)) {
		LIT(o, " | ");
		put_reading(o, &other, k, style->lang);
	}
	LIT(o, "»");
	out_str(o, color != NULL ? COLOR_RESET : "");
}

void log_show_name(struct out *o, const struct log_line *l)
{
	const struct json_line_value *name = json_line_find(&l->json, "name");
	struct json_line other;
	size_t at = 0;

	while (name == NULL && next_reading(&l->json, &at, &other))
		name = json_line_find(&other, "name");
	if (name != NULL)
		put_member(o, "name", name);
}

static const char *code_label(const struct log_line *l, const struct proto *proto)
{
	const struct json_line_value *ev = json_line_find(&l->json, "ev");

	if (json_line_is(ev, "report"))
		return "stat";
	if (json_line_is(ev, "unknown_code"))
		return "code";
	return json_line_is(ev, "login") || (proto != NULL && proto->status_in_header) ? "status"
										       : "result";
}

void log_show_code(struct out *o, const struct log_line *l, const struct log_style *style)
{
	static const struct answer_keys keys = { "zh", "en", "nested" };
	const struct json_line_value *code = json_line_find(&l->json, "code");
	const struct proto *proto = log_line_proto(l);
	uint64_t v;

	if (code == NULL)
		return;
	if (json_line_uint(code, &v) && proto != NULL && proto->status_in_header) {
		put_key(o, code_label(l, proto));
		LIT(o, "0x");
		out_hex(o, v, 8);
	} else {
		put_member(o, code_label(l, proto), code);
	}
	put_meaning(o, l, &keys, style);
}

static bool all_zero(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '0')
			return false;
	}
	return true;
}

void log_show_err(struct out *o, const struct log_line *l, const struct log_style *style)
{
	static const struct answer_keys keys = { "err_zh", "err_en", "err_nested" };
	char room[LOG_VALUE_MAX];
	struct span err = value_of(l, "err", room, sizeof(room));

	if (err.n == 0)
		return;
	log_show_member(o, l, "err", "err");
	/* 000 says that there was no error, even where no table lists it. */
	if (json_line_find(&l->json, "err_table") != NULL || !all_zero(err))
		put_meaning(o, l, &keys, style);
}

void log_show_advice(struct out *o, const struct log_line *l)
{
	const struct json_line_value *class = json_line_find(&l->json, "class");

	if (class == NULL || json_line_is(class, "ok") || json_line_is(class, "unknown"))
		return;
	log_show_member(o, l, "origin", "origin");
	if (!json_line_is(json_line_find(&l->json, "retry"), "n/a"))
		log_show_member(o, l, "retry", "retry");
}

static const char *class_color(struct span class)
{
	if (is(class, "ok"))
		return COLOR_GREEN;
	return is(class, "pending") || is(class, "throttled") || is(class, "unknown") ? COLOR_YELLOW
										      : COLOR_RED;
}

/* Text lines name no class: their code tells, as far as it is the same for everybody. */
static const char *text_color(const struct log_line *l)
{
	char room[LOG_VALUE_MAX];
	struct span result = value_of(l, "result", room, sizeof(room));
	int state;

	if (result.n > 0)
		return is(result, "0") ? COLOR_GREEN : is(result, "8") ? COLOR_YELLOW : COLOR_RED;
	result = value_of(l, "status", room, sizeof(room));
	if (result.n > 0)
		return is(result, "0") || is(result, "0x00000000") ? COLOR_GREEN
		       : is(result, "0x00000058") || is(result, "0x00000014") ? COLOR_YELLOW
									       : COLOR_RED;
	result = value_of(l, "stat", room, sizeof(room));
	if (result.n == 0)
		return NULL;
	state = receipt_state_of(result);
	return state == 2 ? COLOR_GREEN : state == 0 || state == 1 || state == 6 ? COLOR_YELLOW
										 : COLOR_RED;
}

const char *log_color(const struct log_line *l)
{
	static const char *const red[] = { "BLIND", "MALFORMED", "LOST", "NO_REPORT" };
	static const char *const yellow[] = { "STALL", "UPSTREAM", "UNKNOWN_CODE", "REFUSED" };
	char room[LOG_VALUE_MAX];
	struct span s;
	const char *color;

	if (l->form == LOG_JSON && json_line_find(&l->json, "code") != NULL) {
		s = value_of(l, "class", room, sizeof(room));
		return class_color(s);
	}
	color = l->form == LOG_TEXT ? text_color(l) : NULL;
	if (color != NULL)
		return color;
	s = log_line_verb(l, room);
	if (is(s, "SESSION_OPEN") || is(s, "SESSION_CLOSE"))
		return COLOR_BLUE;
	for (size_t i = 0; i < sizeof(red) / sizeof(*red); i++) {
		if (is(s, red[i]))
			return COLOR_RED;
		if (is(s, yellow[i]))
			return COLOR_YELLOW;
	}
	return NULL;
}

/* A column of text that was escaped already. */
static void pad(struct out *o, const char *start, size_t width)
{
	for (size_t n = (size_t)(o->pos - start); n < width; n++)
		out_char(o, ' ');
}

/* The time with three digits of its fraction, whatever it was. */
static void put_time(struct out *o, struct span s)
{
	const uint8_t *dot = memchr(s.p, '.', s.n);
	size_t whole = dot != NULL ? (size_t)(dot - s.p) : s.n, digits = 0;

	while (dot != NULL && whole + 1 + digits < s.n && dot[1 + digits] >= '0' &&
	       dot[1 + digits] <= '9')
		digits++;
	if (digits <= 3) {
		text_escape(o, s, true);
		return;
	}
	text_escape(o, span_of(s.p, whole + 4), true);
	whole += 1 + digits;
	text_escape(o, span_of(s.p + whole, s.n - whole), true);
}

static void put_columns(struct out *o, const struct log_line *l, struct log_style *style)
{
	char room[LOG_VALUE_MAX];
	const char *color = style->color ? log_color(l) : NULL, *start;
	struct span link;

	out_str(o, style->color ? COLOR_DIM : "");
	put_time(o, value_of(l, "ts", room, sizeof(room)));
	out_str(o, style->color ? COLOR_RESET : "");
	out_char(o, ' ');
	link = value_of(l, "link", room, sizeof(room));
	start = o->pos;
	put_value(o, link, false);
	if (o->pos - start > style->link_width && o->pos - start <= 32)
		style->link_width = (int)(o->pos - start);
	pad(o, start, (size_t)(style->link_width > LINK_WIDTH ? style->link_width : LINK_WIDTH));
	LIT(o, "  ");
	out_str(o, color != NULL ? color : "");
	start = o->pos;
	put_value(o, log_line_verb(l, room), false);
	pad(o, start, VERB_WIDTH);
	out_str(o, color != NULL ? COLOR_RESET : "");
}

/* Every member without a place of its own, as it comes. */
static void put_extras(struct out *o, const struct log_line *l)
{
	for (int i = 0; i < l->json.count; i++) {
		const struct json_line_member *m = &l->json.at[i];
		char key[64];
		size_t k = 0, n = m->key.n < sizeof(key) - 1 ? m->key.n : sizeof(key) - 1;

		memcpy(key, m->key.p, n);
		key[n] = '\0';
		while (k < sizeof(placed) / sizeof(*placed) && strcmp(placed[k], key) != 0)
			k++;
		if (k == sizeof(placed) / sizeof(*placed))
			put_member(o, key, &m->value);
	}
}

/* "infox-report-prefix>infox-smc,infox-gateway": a reading's table and those of what is in it. */
static void put_table(struct out *o, const struct json_line *j, const char *key, const char *nested)
{
	const struct json_line_value *list = json_line_find(j, nested);
	struct span last = span_of("", 0); /* of the log's line */
	struct json_line inner;
	size_t at = 0;

	put_words(o, json_line_find(j, key));
	while (list != NULL && json_line_item(list, &at, &inner)) {
		const struct json_line_value *table = json_line_find(&inner, "table");

		if (table == NULL || (last.n == table->text.n &&
				      memcmp(last.p, table->text.p, last.n) == 0))
			continue;
		out_char(o, last.n == 0 ? '>' : ',');
		put_words(o, table);
		last = table->text;
	}
}

void log_show_table(struct out *o, const struct log_line *l)
{
	struct json_line other;
	size_t at = 0;

	if (json_line_find(&l->json, "table") != NULL) {
		put_key(o, "table");
		put_table(o, &l->json, "table", "nested");
		while (next_reading(&l->json, &at, &other)) {
			out_char(o, '|');
			put_table(o, &other, "table", "nested");
		}
	}
	if (json_line_find(&l->json, "err_table") != NULL) {
		put_key(o, "err_table");
		put_table(o, &l->json, "err_table", "err_nested");
	}
}

static void put_values(struct out *o, const struct log_line *l, const struct log_style *style)
{
	const struct json_line_value *ev = json_line_find(&l->json, "ev");
	bool report = json_line_is(ev, "report"), login = json_line_is(ev, "login");

	if (report)
		log_show_member(o, l, "msgid", "msgid");
	else if (!login)
		log_show_member(o, l, "seq", "seq");
	log_show_code(o, l, style);
	log_show_name(o, l);
	log_show_err(o, l, style);
	if (!report)
		log_show_member(o, l, "msgid", "msgid");
	log_show_member(o, l, "rtt_us", "rtt_us");
	log_show_member(o, l, "dst", "dst");
	log_show_member(o, l, "src", "src");
	put_extras(o, l);
	log_show_member(o, l, "enc", "enc");
	log_show_member(o, l, "len", "len");
	log_show_member(o, l, "text", "text");
	log_show_advice(o, l);
	log_show_table(o, l);
	if (login || json_line_find(&l->json, "dst") == NULL)
		log_show_member(o, l, "sess", "sess");
}

/* Escape what a log has already escaped: its backslashes stay what they are. */
static void put_text(struct out *o, struct span s)
{
	const uint8_t *slash;

	while ((slash = memchr(s.p, '\\', s.n)) != NULL) {
		size_t n = (size_t)(slash - s.p);

		text_escape(o, span_of(s.p, n), false);
		out_char(o, '\\');
		s = span_of(slash + 1, s.n - n - 1);
	}
	text_escape(o, s, false);
}

static void put_text_line(struct out *o, const struct log_line *l, const struct log_style *style)
{
	const char *color = style->color ? log_color(l) : NULL;
	const uint8_t *at = l->raw.p, *open, *close, *end = at + l->raw.n;
	const struct {
		struct span s;
		const char *color;
	} painted[] = { { l->time, style->color ? COLOR_DIM : NULL }, { l->verb, color } };

	for (size_t i = 0; i < sizeof(painted) / sizeof(*painted); i++) {
		put_text(o, span_of(at, (size_t)(painted[i].s.p - at)));
		out_str(o, painted[i].color != NULL ? painted[i].color : "");
		put_text(o, painted[i].s);
		out_str(o, painted[i].color != NULL ? COLOR_RESET : "");
		at = painted[i].s.p + painted[i].s.n;
	}
	while (color != NULL && (open = memmem(at, (size_t)(end - at), "«", 2)) != NULL &&
	       (close = memmem(open, (size_t)(end - open), "»", 2)) != NULL) {
		put_text(o, span_of(at, (size_t)(open - at)));
		out_str(o, color);
		put_text(o, span_of(open, (size_t)(close + 2 - open)));
		LIT(o, COLOR_RESET);
		at = close + 2;
	}
	put_text(o, span_of(at, (size_t)(end - at)));
}

void log_show(struct out *o, const struct log_line *l, struct log_style *style)
{
	if (l->form == LOG_TEXT) {
		put_text_line(o, l, style);
	} else {
		put_columns(o, l, style);
		put_values(o, l, style);
	}
	out_char(o, '\n');
}

void log_show_json(struct out *o, const struct log_line *l)
{
	struct span s = l->raw;

	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] < 0x7f)
			n++;
		out_put(o, s.p, n);
		s = span_of(s.p + n, s.n - n);
		for (n = 0; n < s.n && s.p[n] >= 0x7f;)
			n++;
		text_json(o, span_of(s.p, n));
		s = span_of(s.p + n, s.n - n);
	}
	out_char(o, '\n');
}
