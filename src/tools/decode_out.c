#include <stdlib.h>

#include "tools/decode.h"
#include "tools/print.h"

enum { COLUMNS = 5 };

static bool first_of(bool *first)
{
	bool was = *first;

	*first = false;
	return was;
}

/* A text of both languages as one: "zh / en", or the one that is wanted or there. */
static void json_either(
	FILE *to, const char *key, const char *zh, const char *en, enum record_lang lang)
{
	char both[PRINT_ROOM];

	if (lang == LANG_BOTH && zh != NULL && en != NULL) {
		snprintf(both, sizeof(both), "%s / %s", zh, en);
		json_key(to, key, both);
		return;
	}
	json_key(to, key, lang == LANG_EN ? (en != NULL ? en : zh) : (zh != NULL ? zh : en));
}

/* The keys of a row, without braces; all null when there is none. */
static void json_row(
	FILE *to, const struct code_table *t, const struct code_row *r, enum record_lang lang)
{
	static const struct code_table no_table;
	static const struct code_row no_row;
	bool none = r == NULL;

	t = none ? &no_table : t;
	r = none ? &no_row : r;
	fputs("\"table\":", to);
	json_string(to, t->name);
	json_key(to, "key", r->key);
	json_key(to, "name", r->name);
	json_key(to, "zh", r->zh);
	json_key(to, "en", r->en);
	json_key(to, "class", none ? NULL : code_class_name((enum code_class)r->cls));
	json_key(to, "origin", none ? NULL : code_origin_name((enum code_origin)r->origin));
	json_key(to, "retry", none ? NULL : code_retry_name((enum code_retry)r->retry));
	json_either(to, "remark", r->remark_zh, r->remark_en, lang);
	json_either(to, "cause", r->cause_zh, r->cause_en, lang);
	json_either(to, "action", r->action_zh, r->action_en, lang);
	json_key(to, "source", t->source);
	if (r->source_line > 0)
		fprintf(to, ",\"source_line\":%d", r->source_line);
	else
		fputs(",\"source_line\":null", to);
}

static void json_inner_row(FILE *to, const struct code_answer *a, int i, enum record_lang lang)
{
	bool there = i < a->nested_count;

	json_row(to, there ? a->nested[i].table : NULL, there ? a->nested[i].row : NULL, lang);
	fprintf(to, ",\"ambiguous\":%s,\"derived\":%s,\"nested\":null",
		there && a->nested[i].ambiguous ? "true" : "false",
		there && a->nested[i].derived ? "true" : "false");
}

/* The best inner reading, further ones in "also"; unknown or the peer's own: the same keys, null. */
static void json_nested(FILE *to, const struct code_answer *a, enum record_lang lang)
{
	if (!a->has_nested) {
		fputs(",\"nested\":null", to);
		return;
	}
	fputs(",\"nested\":{\"value\":", to);
	json_string(to, a->nested_text);
	fprintf(to, ",\"known\":%s,\"foreign\":%s", a->nested_count > 0 ? "true" : "false",
		a->nested_foreign ? "true" : "false");
	for (int i = 0; i == 0 || i < a->nested_count; i++) {
		fputs(i == 0 ? "," : i == 1 ? ",\"also\":[{" : ",{", to);
		json_inner_row(to, a, i, lang);
		fputs(i > 0 ? "}" : "", to);
	}
	fputs(a->nested_count > 1 ? "]}" : "}", to);
}

static void json_reading(FILE *to, const struct reading *r, enum record_lang lang)
{
	const struct code_answer *a = &r->answer;
	bool first = true;

	fputc('{', to);
	json_row(to, a->table, a->row, lang);
	if (a->number != INT64_MIN)
		fprintf(to, ",\"number\":%lld", (long long)a->number);
	else
		fputs(",\"number\":null", to);
	fprintf(to, ",\"ambiguous\":%s,\"derived\":%s,\"beside\":%s",
		a->ambiguous ? "true" : "false", a->derived ? "true" : "false",
		a->beside ? "true" : "false");
	json_nested(to, a, lang);
	fputs(",\"value\":", to);
	json_octets(to, r->value);
	json_key(to, "profile", codes_profile_name(a->profile));
	fputs(",\"contexts\":[", to);
	for (int c = 0; c < CTX_COUNT; c++)
		if (r->contexts >> c & 1u)
			fprintf(to, "%s\"%s\"", first_of(&first) ? "" : ",",
				code_context_name((enum code_context)c));
	fprintf(to, "],\"sides\":[%s]}", r->sides == CODE_ANY ? "\"smpp\",\"cmpp\""
		: r->sides == CODE_SMPP ? "\"smpp\"" : "\"cmpp\"");
}

void findings_json(FILE *to, const struct findings *f, enum record_lang lang)
{
	fputs("{\"input\":", to);
	json_octets(to, f->input);
	json_key(to, "profile", f->profile);
	json_key(to, "context", f->context);
	fprintf(to, ",\"known\":%s,\"ambiguous\":%s,\"answers\":[",
		f->unknown_count == 0 ? "true" : "false", f->ambiguous ? "true" : "false");
	for (int i = 0; i < f->count; i++) {
		fputs(i > 0 ? "," : "", to);
		json_reading(to, &f->at[i], lang);
	}
	fputs("],\"unknown\":[", to);
	for (int i = 0; i < f->unknown_count; i++) {
		fputs(i > 0 ? "," : "", to);
		json_octets(to, f->unknown[i]);
	}
	fputs("]}\n", to);
}

static void text_octets(FILE *to, struct span s)
{
	char room[PRINT_ROOM];
	struct out o = out_of(room, sizeof(room));

	text_escape(&o, s, false);
	fwrite(room, 1, out_len(&o), to);
}

/* One line of the listing. */
struct line {
	char indent, mark;
	const struct code_table *table;
	const struct code_row *row;
	char note[80]; /* after the meaning */
};

struct lines {
	struct line *at;
	int count;
};

static const char *cell(const struct line *l, int column)
{
	switch (column) {
	case 0:
		return l->table->name;
	case 1:
		return l->row->key;
	case 2:
		return code_class_name((enum code_class)l->row->cls);
	case 3:
		return code_origin_name((enum code_origin)l->row->origin);
	default:
		return code_retry_name((enum code_retry)l->row->retry);
	}
}

static void meaning(FILE *to, const char *zh, const char *en, enum record_lang lang)
{
	fprintf(to, "%s%s%s", lang != LANG_EN ? zh : "", lang == LANG_BOTH ? " / " : "",
		lang != LANG_ZH ? en : "");
}

static void more(FILE *to, const char *what, const char *zh, const char *en, enum record_lang lang)
{
	if (zh == NULL && en == NULL)
		return;
	fprintf(to, "        %s: ", what);
	meaning(to, zh != NULL ? zh : en, en != NULL ? en : zh,
		zh == NULL || en == NULL ? LANG_ZH : lang);
	fputc('\n', to);
}

static void lines_print(FILE *to, const struct lines *l, enum record_lang lang)
{
	int widths[COLUMNS] = { 0 };

	for (int i = 0; i < l->count; i++)
		for (int c = 0; c < COLUMNS; c++) {
			int w = text_width(cell(&l->at[i], c)) + (c == 0 ? l->at[i].indent : 0);

			widths[c] = w > widths[c] ? w : widths[c];
		}
	for (int i = 0; i < l->count; i++) {
		const struct line *x = &l->at[i];

		fprintf(to, "  %c %*s", x->mark, x->indent, "");
		for (int c = 0; c < COLUMNS; c++) {
			int w = text_width(cell(x, c)) + (c == 0 ? x->indent : 0);

			fprintf(to, "%s%*s", cell(x, c), widths[c] - w + 2, "");
		}
		if (x->row->name != NULL)
			fprintf(to, "%s  ", x->row->name);
		meaning(to, x->row->zh, x->row->en, lang);
		fprintf(to, "%s\n", x->note);
		more(to, "remark", x->row->remark_zh, x->row->remark_en, lang);
		more(to, "cause", x->row->cause_zh, x->row->cause_en, lang);
		more(to, "action", x->row->action_zh, x->row->action_en, lang);
	}
}

static void reading_lines(struct lines *l, const struct reading *r)
{
	const struct code_answer *a = &r->answer;
	struct line *x = &l->at[l->count++];

	*x = (struct line){ 0, a->ambiguous ? '?' : a->beside ? '.' : ' ', a->table, a->row, "" };
	if (a->has_nested && a->nested_foreign)
		snprintf(x->note, sizeof(x->note), " -> %s, the peer's own code", a->nested_text);
	else if (a->has_nested && a->nested_count == 0)
		snprintf(x->note, sizeof(x->note), " -> %s, not in any table", a->nested_text);
	else if (a->derived)
		snprintf(x->note, sizeof(x->note), " (by rule)");
	for (int i = 0; i < a->nested_count; i++) {
		x = &l->at[l->count++];
		*x = (struct line){ 2, a->nested[i].ambiguous ? '?' : ' ', a->nested[i].table,
			a->nested[i].row, "" };
		if (a->nested[i].number != a->nested_value && a->nested_value != INT64_MIN)
			snprintf(x->note, sizeof(x->note), " (digits read as hexadecimal)");
	}
}

static bool same_group(const struct reading *a, const struct reading *b)
{
	return a->contexts == b->contexts && a->sides == b->sides && a->value.p == b->value.p
		&& (a->answer.profile == b->answer.profile || b->answer.beside);
}

static void group_title(FILE *to, const struct findings *f, const struct reading *r)
{
	bool first = true;

	fputs("  ", to);
	if (r->value.n != f->input.n) {
		text_octets(to, r->value);
		fputs("  ", to);
	}
	fprintf(to, "[%s] ", codes_profile_name(r->answer.profile));
	for (int c = 0; c < CTX_COUNT; c++)
		if (r->contexts >> c & 1u)
			fprintf(to, "%s%s", first_of(&first) ? "" : ", ",
				code_context_name((enum code_context)c));
	fprintf(to, "%s\n",
		r->sides == CODE_SMPP           ? " (smpp)"
			: r->sides == CODE_CMPP ? " (cmpp)"
						: "");
}

void findings_text(FILE *to, const struct findings *f, enum record_lang lang)
{
	struct line room[READINGS_MAX * (1 + CODE_NESTED_MAX)];
	bool done[READINGS_MAX] = { false }, beside = false;

	text_octets(to, f->input);
	fputc('\n', to);
	for (int i = 0; i < f->count; i++) {
		struct lines l = { room, 0 };

		if (done[i])
			continue;
		group_title(to, f, &f->at[i]);
		for (int k = i; k < f->count; k++) {
			if (done[k] || !same_group(&f->at[i], &f->at[k]))
				continue;
			reading_lines(&l, &f->at[k]);
			beside = beside || f->at[k].answer.beside;
			done[k] = true;
		}
		lines_print(to, &l, lang);
	}
	for (int i = 0; i < f->unknown_count; i++) {
		fputs("  unknown: ", to);
		text_octets(to, f->unknown[i]);
		fprintf(to, " is in no table%s%s\n", f->profile != NULL ? " of profile " : "",
			f->profile != NULL ? f->profile : "");
	}
	if (f->ambiguous)
		fputs("  ? more than one reading is possible\n", to);
	if (beside)
		fputs("  . the standard meaning, for comparison\n", to);
}
