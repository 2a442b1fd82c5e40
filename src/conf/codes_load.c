#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "conf/codes_load.h"

enum { FOLDERS_DEEP = 8 };

/* Defaults that a table gives its rows. */
struct row_defaults {
	uint8_t cls, origin, retry;
};

static void match_add(
	struct codes_loader *l, config_setting_t *s, struct code_row_def *d, struct code_match m)
{
	if (d->match_count == CODE_MATCHES_MAX)
		SETTING_FAULT(l, s, "a row matches in at most %d ways", CODE_MATCHES_MAX);
	else
		d->matches[d->match_count++] = m;
}

/* PREFIXvalue, or PREFIXfrom with PREFIXto, or PREFIXdefault, for one side or both. */
static void match_numbers(struct codes_loader *l, config_setting_t *s, struct code_row_def *d,
	const char *value, const char *prefix, uint8_t sides)
{
	struct code_match m = { .kind = MATCH_NUMBER, .sides = sides };
	char from[16], to[16], fallback[16];
	bool is_default = false, has_from, has_to;

	snprintf(from, sizeof(from), "%sfrom", prefix);
	snprintf(to, sizeof(to), "%sto", prefix);
	snprintf(fallback, sizeof(fallback), "%sdefault", prefix);
	if (setting_int(l, s, value, &m.lo)) {
		m.hi = m.lo;
		match_add(l, s, d, m);
	}
	has_from = setting_int(l, s, from, &m.lo);
	has_to = setting_int(l, s, to, &m.hi);
	if (has_from && has_to)
		match_add(l, s, d, m);
	else if (has_from || has_to)
		SETTING_FAULT(l, s, "%s and %s stand together", from, to);
	setting_bool(l, s, fallback, &is_default);
	if (is_default)
		match_add(l, s, d, (struct code_match){ .kind = MATCH_DEFAULT, .sides = sides });
}

static void row_matches(struct codes_loader *l, config_setting_t *s, struct code_row_def *d)
{
	struct code_match also = { .kind = MATCH_NUMBER, .sides = CODE_ANY };
	struct code_match text = { .kind = MATCH_TEXT, .sides = CODE_ANY };

	match_numbers(l, s, d, "value", "", CODE_ANY);
	match_numbers(l, s, d, "smpp", "smpp_", CODE_SMPP);
	match_numbers(l, s, d, "cmpp", "cmpp_", CODE_CMPP);
	if (setting_int(l, s, "also", &also.lo)) {
		also.hi = also.lo;
		match_add(l, s, d, also);
	}
	setting_string(l, s, "text", &text.text);
	if (text.text != NULL)
		match_add(l, s, d, text);
}

static void row_add(
	struct codes_loader *l, int table, config_setting_t *s, const struct row_defaults *defaults)
{
	static const char *const known[] = { "key", "value", "also", "from", "to", "default",
		"smpp", "smpp_from", "smpp_to", "smpp_default", "cmpp", "cmpp_from", "cmpp_to",
		"cmpp_default", "text", "name", "zh", "en", "remark_zh", "remark_en", "cause_zh",
		"cause_en", "action_zh", "action_en", "class", "origin", "retry", "nested",
		"foreign", "twice", "line", NULL };
	struct code_row_def d = { .row = { .cls = defaults->cls,
					  .origin = defaults->origin,
					  .retry = defaults->retry,
					  .file = l->file,
					  .line = (int)config_setting_source_line(s) } };
	int64_t line = 0;

	setting_unknown(l, s, known);
	setting_string(l, s, "key", &d.row.key);
	setting_string(l, s, "name", &d.row.name);
	setting_string(l, s, "zh", &d.row.zh);
	setting_string(l, s, "en", &d.row.en);
	setting_string(l, s, "remark_zh", &d.row.remark_zh);
	setting_string(l, s, "remark_en", &d.row.remark_en);
	setting_string(l, s, "cause_zh", &d.row.cause_zh);
	setting_string(l, s, "cause_en", &d.row.cause_en);
	setting_string(l, s, "action_zh", &d.row.action_zh);
	setting_string(l, s, "action_en", &d.row.action_en);
	setting_name(l, s, "class", code_class_of, &d.row.cls);
	setting_name(l, s, "origin", code_origin_of, &d.row.origin);
	setting_name(l, s, "retry", code_retry_of, &d.row.retry);
	setting_bool(l, s, "foreign", &d.row.foreign);
	setting_bool(l, s, "twice", &d.twice);
	if (setting_int(l, s, "line", &line) && (line < 1 || line > INT_MAX))
		SETTING_FAULT(l, s, "line is a line of the source document");
	d.row.source_line = (int)line;
	setting_strings(l, s, "nested", d.nested, CODE_NESTED_MAX);
	row_matches(l, s, &d);
	codes_add_row(l->builder, table, &d);
}

static void table_add(struct codes_loader *l, config_setting_t *s)
{
	static const char *const known[] = { "table", "title_zh", "title_en", "source", "hex",
		"divisor", "class", "origin", "retry", "rows", NULL };
	struct code_table def = { .file = l->file, .line = (int)config_setting_source_line(s) };
	struct row_defaults defaults = { CLASS_UNKNOWN, ORIGIN_NONE, RETRY_NA };
	config_setting_t *rows = setting_groups(l, s, "rows");
	int table;

	setting_unknown(l, s, known);
	setting_string(l, s, "table", &def.name);
	setting_string(l, s, "title_zh", &def.title_zh);
	setting_string(l, s, "title_en", &def.title_en);
	setting_string(l, s, "source", &def.source);
	setting_bool(l, s, "hex", &def.hex);
	setting_name(l, s, "class", code_class_of, &defaults.cls);
	setting_name(l, s, "origin", code_origin_of, &defaults.origin);
	setting_name(l, s, "retry", code_retry_of, &defaults.retry);
	if (setting_int(l, s, "divisor", &def.divisor)
		&& (def.divisor < 2 || def.divisor > 1000000000))
		SETTING_FAULT(l, s, "divisor is 2 to 1000000000");
	if (def.name == NULL) {
		SETTING_FAULT(l, s, "a table needs its name: table = \"…\"");
		return;
	}
	if (rows == NULL)
		SETTING_FAULT(l, s, "table \"%s\" needs rows = ( { … }, … )", def.name);
	table = codes_add_table(l->builder, &def);
	for (int i = 0; rows != NULL && i < config_setting_length(rows); i++)
		row_add(l, table, config_setting_get_elem(rows, (unsigned)i), &defaults);
}

static void file_add(struct codes_loader *l, const char *path)
{
	static const char *const known[] = { "tables", "profiles", "maps", NULL };
	config_setting_t *root, *tables, *profiles, *maps;
	config_t cfg;

	l->file = path;
	config_init(&cfg);
	if (codes_file_read(l, &cfg) == 0) {
		root = config_root_setting(&cfg);
		setting_unknown(l, root, known);
		tables = setting_groups(l, root, "tables");
		profiles = setting_groups(l, root, "profiles");
		for (int i = 0; tables != NULL && i < config_setting_length(tables); i++)
			table_add(l, config_setting_get_elem(tables, (unsigned)i));
		if (profiles != NULL)
			codes_profiles_add(l, profiles);
		maps = setting_groups(l, root, "maps");
		if (maps != NULL)
			codes_maps_add(l, maps);
		if (config_setting_length(root) == 0)
			conf_error(l->faults, path, 1, "holds neither tables nor profiles nor maps");
	}
	config_destroy(&cfg);
}

static int name_cmp(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int name_shown(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Every *.conf below `dir`, in the order of names. Links to folders are not followed. */
static void dir_add(struct codes_loader *l, const char *dir, int depth, bool may_miss)
{
	struct dirent **names;
	int n = scandir(dir, &names, name_shown, name_cmp);

	if (n < 0) {
		if (!may_miss || errno != ENOENT)
			conf_error(l->faults, dir, 0, "%s", err_text(-errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]->d_name);
		char path[PATH_MAX];
		struct stat st;

		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name)
			>= sizeof(path))
			conf_error(l->faults, dir, 0, "name too long");
		else if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && depth < FOLDERS_DEEP)
			dir_add(l, path, depth + 1, false);
		else if (len > 5 && strcmp(names[i]->d_name + len - 5, ".conf") == 0)
			file_add(l, path);
		free(names[i]);
	}
	free(names);
}

static void builder_fault(void *arg, const char *file, int line, const char *what)
{
	struct codes_loader *l = arg;

	conf_error(l->faults, file, line, "%s", what);
}

struct code_set *codes_load(const char *dir, const char *site_dir, struct conf_faults *faults)
{
	struct codes_loader l = { .faults = faults };
	int before = faults->errors;
	struct code_set *set;

	l.builder = codes_builder_new(builder_fault, &l);
	if (l.builder == NULL) {
		conf_error(faults, dir, 0, "out of memory");
		return NULL;
	}
	dir_add(&l, dir, 0, false);
	if (site_dir != NULL) {
		codes_builder_override(l.builder);
		dir_add(&l, site_dir, 0, true);
	}
	set = codes_seal(l.builder);
	if (set != NULL && codes_table_count(set) == 0)
		conf_error(faults, dir, 0, "no code tables here");
	if (faults->errors == before)
		return set;
	codes_free(set);
	return NULL;
}
