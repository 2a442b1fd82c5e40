#include <getopt.h>
#include <stdlib.h>
#include <strings.h>

#include "conf/conf.h"
#include "smscope/record.h"
#include "tools/codes.h"
#include "tools/print.h"
#include "tools/tools.h"

enum { EXIT_FAULTS = 1, EXIT_USAGE = 2 };

struct options {
	const char *codes, *site;
	enum record_lang lang;
	bool json;
	char **args; /* after the verb */
	int arg_count;
};

static const char usage_text[] =
	"usage: smscope codes list [--json]          every table: rows, file, source\n"
	"       smscope codes show NAME [--lang L]   one table or map (zh, en or both)\n"
	"       smscope codes lint [DIR]             check the tables, or those of DIR; faults by file and line\n"
	"       smscope codes coverage [--json] [TABLE]  what is missing, by table, language, class and source\n"
	"  --codes DIR   code tables to use instead of the shipped ones\n"
	"  --site DIR    the site's own tables, which win (default: " CODES_SITE ")\n"
	"example: smscope codes lint --site codes.d\n";

static int usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stderr ? EXIT_USAGE : EXIT_SUCCESS;
}

/* Where a table came from, without the folder that all of them have. */
static const char *file_shown(const struct options *o, const char *file)
{
	const char *folder = codes_dir(o->codes);
	size_t n = strlen(folder);

	return strncmp(file, folder, n) == 0 && file[n] == '/' ? file + n + 1 : file;
}

static void list_json(const struct code_set *set)
{
	fputs("{\"tables\":[", stdout);
	for (int i = 0; i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		fprintf(stdout, "%s{\"table\":", i > 0 ? "," : "");
		json_string(stdout, t->name);
		fprintf(stdout, ",\"rows\":%d", t->row_count);
		json_key(stdout, "title_zh", t->title_zh);
		json_key(stdout, "title_en", t->title_en);
		json_key(stdout, "source", t->source);
		json_key(stdout, "file", t->file);
		fprintf(stdout, ",\"line\":%d}", t->line);
	}
	fputs("],\"profiles\":[", stdout);
	for (int i = 0; i < codes_profile_count(set); i++) {
		const struct code_profile *p = codes_profile_at(set, i);

		fprintf(stdout, "%s{\"profile\":", i > 0 ? "," : "");
		json_string(stdout, codes_profile_name(p));
		json_key(stdout, "title_zh", codes_profile_title(p, true));
		json_key(stdout, "title_en", codes_profile_title(p, false));
		fputc('}', stdout);
	}
	fputs("],\"maps\":[", stdout);
	for (int i = 0; i < codes_map_count(set); i++) {
		const struct code_map *m = codes_map_at(set, i);

		fprintf(stdout, "%s{\"map\":", i > 0 ? "," : "");
		json_string(stdout, m->name);
		json_key(stdout, "kind", code_map_kind_name(m->kind));
		fprintf(stdout, ",\"rows\":%d", m->row_count);
		json_key(stdout, "title_zh", m->title_zh);
		json_key(stdout, "title_en", m->title_en);
		json_key(stdout, "source", m->source);
		json_key(stdout, "file", m->file);
		fprintf(stdout, ",\"line\":%d}", m->line);
	}
	fprintf(stdout, "],\"rows\":%d}\n", codes_row_count(set));
}

static void wider(int *width, const char *s)
{
	int w = text_width(s);

	*width = w > *width ? w : *width;
}

static void list_text(const struct options *o, const struct code_set *set)
{
	int names = 0, files = 0;

	for (int i = 0; i < codes_table_count(set); i++) {
		wider(&names, codes_table_at(set, i)->name);
		wider(&files, file_shown(o, codes_table_at(set, i)->file));
	}
	for (int i = 0; i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		text_cell(stdout, t->name, names);
		printf("%4d  ", t->row_count);
		text_cell(stdout, file_shown(o, t->file), files);
		puts(t->source);
	}
	printf("%d tables, %d rows; profiles:", codes_table_count(set), codes_row_count(set));
	for (int i = 0; i < codes_profile_count(set); i++)
		printf(" %s", codes_profile_name(codes_profile_at(set, i)));
	fputs("\nmaps:", stdout);
	for (int i = 0; i < codes_map_count(set); i++)
		printf(" %s", codes_map_at(set, i)->name);
	putchar('\n');
}

static void both(const char *zh, const char *en, enum record_lang lang)
{
	if (zh == NULL || en == NULL)
		lang = zh == NULL ? LANG_EN : LANG_ZH;
	printf("%s%s%s\n", lang != LANG_EN ? zh : "", lang == LANG_BOTH ? " / " : "",
		lang != LANG_ZH ? en : "");
}

static void more(const char *what, const char *zh, const char *en, enum record_lang lang)
{
	if (zh == NULL && en == NULL)
		return;
	printf("    %s: ", what);
	both(zh, en, lang);
}

static const char *row_cell(const struct code_row *r, int column)
{
	switch (column) {
	case 0:
		return r->key;
	case 1:
		return r->name != NULL ? r->name : "";
	case 2:
		return code_class_name((enum code_class)r->cls);
	case 3:
		return code_origin_name((enum code_origin)r->origin);
	default:
		return code_retry_name((enum code_retry)r->retry);
	}
}

static void show_nested(const struct code_row *r)
{
	if (r->nested[0] == NULL)
		return;
	fputs("    then:", stdout);
	for (int i = 0; i < CODE_NESTED_MAX && r->nested[i] != NULL; i++)
		printf(" %s", r->nested[i]->name);
	putchar('\n');
}

static void show(const struct code_table *t, enum record_lang lang)
{
	enum { COLUMNS = 5 };
	int widths[COLUMNS] = { 0 };

	printf("%s  ", t->name);
	both(t->title_zh, t->title_en, lang);
	printf("source: %s\nfile: %s:%d, %d rows\n\n", t->source, t->file, t->line, t->row_count);
	for (int i = 0; i < t->row_count; i++)
		for (int c = 0; c < COLUMNS; c++)
			wider(&widths[c], row_cell(&t->rows[i], c));
	for (int i = 0; i < t->row_count; i++) {
		const struct code_row *r = &t->rows[i];

		for (int c = 0; c < COLUMNS; c++)
			if (widths[c] > 0)
				text_cell(stdout, row_cell(r, c), widths[c]);
		both(r->zh, r->en, lang);
		more("remark", r->remark_zh, r->remark_en, lang);
		more("cause", r->cause_zh, r->cause_en, lang);
		more("action", r->action_zh, r->action_en, lang);
		show_nested(r);
	}
}

static struct code_set *load(const struct options *o, FILE *faults_to)
{
	struct conf_faults faults = { .to = faults_to };

	return codes_load(codes_dir(o->codes), codes_site_dir(o->site), &faults);
}

/* The table, or NULL after naming those that are like it. */
static const struct code_table *table_named(const struct code_set *set, const char *name)
{
	const struct code_table *t = codes_table(set, name);

	if (t != NULL)
		return t;
	fprintf(stderr, "smscope codes: no table is named \"%s\"; there are:", name);
	for (int pass = 0, found = 0; pass < 2 && found == 0; pass++)
		for (int i = 0; i < codes_table_count(set); i++) {
			const char *other = codes_table_at(set, i)->name;

			if (pass == 0 && strstr(other, name) == NULL)
				continue;
			fprintf(stderr, " %s", other);
			found++;
		}
	fputc('\n', stderr);
	return NULL;
}

static int list_run(const struct options *o, const struct code_set *set)
{
	if (o->json)
		list_json(set);
	else
		list_text(o, set);
	return EXIT_SUCCESS;
}

static int show_run(const struct options *o, const struct code_set *set)
{
	const struct code_map *m = codes_map(set, o->args[0]);
	const struct code_table *t = m == NULL || codes_table(set, o->args[0]) != NULL
		? table_named(set, o->args[0]) : NULL;

	if (m != NULL)
		codes_show_map(m, o->lang, t != NULL);
	if (t == NULL)
		return m != NULL ? EXIT_SUCCESS : EXIT_FAULTS;
	show(t, o->lang);
	return EXIT_SUCCESS;
}

static int coverage_run(const struct options *o, const struct code_set *set)
{
	const struct code_table *t = o->arg_count > 0 ? table_named(set, o->args[0]) : NULL;

	if (o->arg_count > 0 && t == NULL)
		return EXIT_FAULTS;
	if (t != NULL)
		coverage_rows(stdout, t);
	else if (o->json)
		coverage_json(stdout, set);
	else
		coverage_text(stdout, set);
	return EXIT_SUCCESS;
}

/* A table of the site that nothing asks is no fault, but may be a file that lost its end. */
static void lint_unreached(const struct code_set *set, const char *site)
{
	size_t n = site != NULL ? strlen(site) : 0;

	for (int i = 0; n > 0 && i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		if (!t->reached && strncmp(t->file, site, n) == 0)
			printf("%s:%d: note: table \"%s\" is asked by no profile\n", t->file,
				t->line, t->name);
	}
}

/* A folder that is named is checked as it is, without the site's tables. */
static int lint(struct options *o)
{
	struct code_set *set;

	if (o->arg_count > 0) {
		o->codes = o->args[0];
		if (o->site == NULL)
			o->site = "";
	}
	set = load(o, stdout);
	if (set == NULL)
		return EXIT_FAULTS;
	lint_unreached(set, codes_site_dir(o->site));
	printf("OK: %d tables, %d rows, %d profiles\n", codes_table_count(set),
		codes_row_count(set), codes_profile_count(set));
	codes_free(set);
	return EXIT_SUCCESS;
}

static const struct verb {
	const char *name;
	int args_min, args_max;
	int (*run)(const struct options *o, const struct code_set *set);
} verbs[] = {
	{ "list", 0, 0, list_run },
	{ "show", 1, 1, show_run },
	{ "lint", 0, 1, NULL }, /* loads on its own: faults are what it is asked for */
	{ "coverage", 0, 1, coverage_run },
};

/* 0, or the exit code plus one. */
static int options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "codes", required_argument, NULL, 'd' },
		{ "site", required_argument, NULL, 'o' },
		{ "lang", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const langs[] = {
		[LANG_BOTH] = "both", [LANG_ZH] = "zh", [LANG_EN] = "en"
	};
	int c, lang = LANG_BOTH;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout) + 1;
		for (lang = c == 'l' ? 0 : lang; c == 'l' && lang < 3; lang++)
			if (strcmp(langs[lang], optarg) == 0)
				break;
		if (c == '?' || lang == 3)
			return usage(stderr) + 1;
		o->codes = c == 'd' ? optarg : o->codes;
		o->site = c == 'o' ? optarg : o->site;
		o->json = o->json || c == 'j';
	}
	o->lang = (enum record_lang)lang;
	return 0;
}

int codes_main(int argc, char **argv)
{
	struct options o = { .lang = LANG_BOTH };
	int ret = options_read(argc, argv, &o);
	const struct verb *v = verbs, *end = verbs + sizeof(verbs) / sizeof(verbs[0]);
	struct code_set *set;

	if (ret != 0)
		return ret - 1;
	while (v < end && (optind == argc || strcmp(v->name, argv[optind]) != 0))
		v++;
	if (v == end)
		return usage(stderr);
	o.args = argv + optind + 1;
	o.arg_count = argc - optind - 1;
	if (o.arg_count < v->args_min || o.arg_count > v->args_max)
		return usage(stderr);
	if (v->run == NULL) {
		ret = lint(&o);
	} else {
		set = load(&o, stderr);
		ret = set != NULL ? v->run(&o, set) : EXIT_FAULTS;
		codes_free(set);
	}
	return fflush(stdout) == 0 ? ret : EXIT_FAULTS;
}
