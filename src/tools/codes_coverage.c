#include "tools/codes.h"
#include "tools/print.h"

/*
 * What a table lacks. Loading refuses a row without both languages or a table without a source; this
 * counts what loading cannot judge: a "translation" without a word of the language, a remark, cause or
 * action in one language only, a class or an origin that nobody chose, a row whose line in the
 * document is not named.
 */
enum lack { LACK_ZH, LACK_EN, LACK_SECOND, LACK_CLASS, LACK_ORIGIN, LACK_LINE, LACK_COUNT };

static const char *const lack_names[LACK_COUNT] = {
	"zh", "en", "second_language", "class", "origin", "source_line",
};

struct lacks {
	int rows;
	int of[LACK_COUNT];
};

/* Does the text hold a Han character? */
static bool is_chinese(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0xe3 && (unsigned char)*s <= 0xe9)
			return true;
	return false;
}

static bool one_of(const char *zh, const char *en)
{
	return (zh == NULL) != (en == NULL);
}

static bool row_lacks(const struct code_row *r, enum lack what)
{
	switch (what) {
	case LACK_ZH:
		return !is_chinese(r->zh);
	case LACK_EN:
		return is_chinese(r->en);
	case LACK_SECOND:
		return one_of(r->remark_zh, r->remark_en) || one_of(r->cause_zh, r->cause_en)
			|| one_of(r->action_zh, r->action_en);
	case LACK_CLASS:
		return r->cls == CLASS_UNKNOWN;
	case LACK_ORIGIN:
		return r->origin == ORIGIN_NONE;
	case LACK_LINE:
		return r->source_line == 0;
	default:
		return false;
	}
}

static struct lacks table_lacks(const struct code_table *t)
{
	struct lacks l = { .rows = t->row_count };

	for (int i = 0; i < t->row_count; i++)
		for (int k = 0; k < LACK_COUNT; k++)
			l.of[k] += row_lacks(&t->rows[i], (enum lack)k);
	return l;
}

static struct lacks all_lacks(const struct code_set *set)
{
	struct lacks all = { 0 };

	for (int i = 0; i < codes_table_count(set); i++) {
		struct lacks l = table_lacks(codes_table_at(set, i));

		all.rows += l.rows;
		for (int k = 0; k < LACK_COUNT; k++)
			all.of[k] += l.of[k];
	}
	return all;
}

static int class_rows(const struct code_set *set, uint8_t cls)
{
	int n = 0;

	for (int i = 0; i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		for (int k = 0; k < t->row_count; k++)
			n += t->rows[k].cls == cls;
	}
	return n;
}

/* Rows of the i-th table's source, or 0 if a table before it has the same one. */
static int source_rows(const struct code_set *set, int i, int *ret_unlined)
{
	const char *source = codes_table_at(set, i)->source;
	int n = 0;

	*ret_unlined = 0;
	for (int k = 0; k < codes_table_count(set); k++) {
		const struct code_table *t = codes_table_at(set, k);

		if (strcmp(t->source, source) != 0)
			continue;
		if (k < i)
			return 0;
		n += t->row_count;
		*ret_unlined += table_lacks(t).of[LACK_LINE];
	}
	return n;
}

static void lacks_line(FILE *to, const char *name, int width, const struct lacks *l)
{
	text_cell(to, name, width);
	fprintf(to, "%5d", l->rows);
	for (int k = 0; k < LACK_COUNT; k++) {
		if (l->of[k] > 0)
			fprintf(to, "  %*d", (int)strlen(lack_names[k]), l->of[k]);
		else
			fprintf(to, "  %*s", (int)strlen(lack_names[k]), "-");
	}
	fputc('\n', to);
}

void coverage_text(FILE *to, const struct code_set *set)
{
	static const char head[] = "missing in table";
	struct lacks all = all_lacks(set);
	int width = (int)strlen(head), unlined, n;

	for (int i = 0; i < codes_table_count(set); i++) {
		int w = text_width(codes_table_at(set, i)->name);

		width = w > width ? w : width;
	}
	text_cell(to, head, width);
	fputs(" rows", to);
	for (int k = 0; k < LACK_COUNT; k++)
		fprintf(to, "  %s", lack_names[k]);
	fputc('\n', to);
	for (int i = 0; i < codes_table_count(set); i++) {
		struct lacks l = table_lacks(codes_table_at(set, i));

		lacks_line(to, codes_table_at(set, i)->name, width, &l);
	}
	lacks_line(to, "all", width, &all);
	fprintf(to, "\nlanguages: zh %d of %d, en %d of %d\nclasses:", all.rows - all.of[LACK_ZH],
		all.rows, all.rows - all.of[LACK_EN], all.rows);
	for (int c = 0; c < CLASS_COUNT; c++)
		fprintf(to, " %s %d", code_class_name((enum code_class)c),
			class_rows(set, (uint8_t)c));
	fputs("\nsources (rows, of which without a line):\n", to);
	for (int i = 0; i < codes_table_count(set); i++) {
		n = source_rows(set, i, &unlined);
		if (n > 0)
			fprintf(to, "%6d %5d  %s\n", n, unlined, codes_table_at(set, i)->source);
	}
}

static void lacks_json(FILE *to, const struct lacks *l)
{
	fprintf(to, "\"rows\":%d,\"missing\":{", l->rows);
	for (int k = 0; k < LACK_COUNT; k++)
		fprintf(to, "%s\"%s\":%d", k > 0 ? "," : "", lack_names[k], l->of[k]);
	fputc('}', to);
}

void coverage_json(FILE *to, const struct code_set *set)
{
	struct lacks all = all_lacks(set);
	int unlined, n;

	fputs("{\"tables\":[", to);
	for (int i = 0; i < codes_table_count(set); i++) {
		struct lacks l = table_lacks(codes_table_at(set, i));

		fprintf(to, "%s{\"table\":", i > 0 ? "," : "");
		json_string(to, codes_table_at(set, i)->name);
		fputc(',', to);
		lacks_json(to, &l);
		fputc('}', to);
	}
	fputs("],\"all\":{", to);
	lacks_json(to, &all);
	fprintf(to, "},\"languages\":{\"zh\":%d,\"en\":%d},\"classes\":{", all.rows - all.of[LACK_ZH],
		all.rows - all.of[LACK_EN]);
	for (int c = 0; c < CLASS_COUNT; c++)
		fprintf(to, "%s\"%s\":%d", c > 0 ? "," : "", code_class_name((enum code_class)c),
			class_rows(set, (uint8_t)c));
	fputs("},\"sources\":[", to);
	for (int i = 0; i < codes_table_count(set); i++) {
		n = source_rows(set, i, &unlined);
		if (n == 0)
			continue;
		fprintf(to, "%s{\"source\":", i > 0 ? "," : "");
		json_string(to, codes_table_at(set, i)->source);
		fprintf(to, ",\"rows\":%d,\"without_line\":%d}", n, unlined);
	}
	fputs("]}\n", to);
}

void coverage_rows(FILE *to, const struct code_table *t)
{
	for (int i = 0; i < t->row_count; i++) {
		const struct code_row *r = &t->rows[i];
		const char *before = ": missing ";

		for (int k = 0; k < LACK_COUNT; k++) {
			if (!row_lacks(r, (enum lack)k))
				continue;
			if (*before == ':')
				fprintf(to, "%s:%d: %s", r->file, r->line, r->key);
			fprintf(to, "%s%s", before, lack_names[k]);
			before = ", ";
		}
		if (*before != ':')
			fputc('\n', to);
	}
}
