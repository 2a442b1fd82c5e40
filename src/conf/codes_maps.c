#include <stdlib.h>

#include "conf/codes_load.h"

/* Maps of codes: from libconfig's groups to struct code_map. */

/* Names of a fixed list as bits. */
static uint32_t setting_bits(struct codes_loader *l, config_setting_t *group, const char *key,
	int (*of)(const char *), uint32_t preset)
{
	enum { NAMES = 32 };
	const char *names[NAMES];
	int n = setting_strings(l, group, key, names, NAMES);
	uint32_t bits = 0;

	for (int i = 0; i < n; i++) {
		int v = of(names[i]);

		if (v < 0)
			SETTING_FAULT(l, group, "unknown %s \"%s\"", key, names[i]);
		else
			bits |= 1u << v;
	}
	return n > 0 ? bits : preset;
}

/* value, or from and to: a row by number. Numbers of 2^31 and above read as negative without L. */
static void row_numbers(struct codes_loader *l, config_setting_t *s, struct code_map_row *r)
{
	bool value = setting_int(l, s, "value", &r->lo), from, to;

	if (value)
		r->hi = r->lo;
	from = setting_int(l, s, "from", &r->lo);
	to = setting_int(l, s, "to", &r->hi);
	if (value && (from || to))
		SETTING_FAULT(l, s, "value, or from and to: not both");
	else if (from != to)
		SETTING_FAULT(l, s, "from and to stand together");
	else if (from && r->lo > r->hi)
		SETTING_FAULT(l, s, "from is the lesser one: from = %lld; to = %lld", (long long)r->hi,
			(long long)r->lo);
	else
		return;
	r->hi = r->lo;
}

static void row_gives(struct codes_loader *l, config_setting_t *s, struct code_map_row *r)
{
	config_setting_t *gives = config_setting_get_member(s, "gives");
	int64_t v = 0;

	if (gives == NULL) {
		SETTING_FAULT(l, s, "a row of a map says what it gives");
	} else if (config_setting_type(gives) == CONFIG_TYPE_STRING) {
		setting_string(l, s, "gives", &r->word);
	} else if (setting_int(l, s, "gives", &v)) {
		if (v < 0 || v > UINT32_MAX)
			SETTING_FAULT(l, s, "gives is 0 to 0xFFFFFFFF");
		r->number = (uint32_t)v;
	}
}

/* `text` of a row is kept here without its '*' until the map is added. */
static void row_read(struct codes_loader *l, config_setting_t *s, const struct code_map *map,
	uint32_t contexts, struct code_map_row *r, char **ret_text)
{
	static const char *const known[] = { "value", "from", "to", "text", "class", "default",
		"gives", "contexts", "dialect_from", "dialect_to", NULL };
	size_t n;

	*r = (struct code_map_row){ .lo = 1, .line = (int)config_setting_source_line(s) };
	setting_unknown(l, s, known);
	row_numbers(l, s, r);
	row_gives(l, s, r);
	setting_string(l, s, "text", &r->text);
	setting_bool(l, s, "default", &r->is_default);
	r->classes = setting_bits(l, s, "class", code_class_of, 0);
	r->contexts = setting_bits(l, s, "contexts", code_context_of, contexts);
	setting_octet(l, s, "dialect_from", &r->dialect_from);
	setting_octet(l, s, "dialect_to", &r->dialect_to);
	if (r->dialect_from != 0 && r->dialect_to == 0)
		r->dialect_to = 0xff;
	if (map->kind != MAP_STATUS)
		r->contexts = 0;
	n = r->text != NULL ? strlen(r->text) : 0;
	if (n == 0 || r->text[n - 1] != '*')
		return;
	r->prefix = true;
	*ret_text = strndup(r->text, n - 1);
	r->text = *ret_text != NULL ? *ret_text : "";
}

static void map_rows(struct codes_loader *l, config_setting_t *list, struct code_map *def,
	uint32_t contexts)
{
	size_t n = (size_t)config_setting_length(list);
	struct code_map_row *rows = calloc(n + 1, sizeof(*rows));
	char **texts = calloc(n + 1, sizeof(*texts));

	for (size_t i = 0; rows != NULL && texts != NULL && i < n; i++)
		row_read(l, config_setting_get_elem(list, (unsigned)i), def, contexts, &rows[i],
			&texts[i]);
	if (rows == NULL || texts == NULL) {
		SETTING_FAULT(l, list, "out of memory");
	} else {
		def->rows = rows;
		def->row_count = (int)n;
		codes_add_map(l->builder, def);
	}
	for (size_t i = 0; texts != NULL && i < n; i++)
		free(texts[i]);
	free(texts);
	free(rows);
}

static void map_add(struct codes_loader *l, config_setting_t *s)
{
	static const char *const known[] = { "map", "title_zh", "title_en", "source", "kind",
		"side", "contexts", "rows", NULL };
	struct code_map def = { .sides = CODE_ANY, .file = l->file,
		.line = (int)config_setting_source_line(s) };
	config_setting_t *rows = setting_groups(l, s, "rows");
	uint8_t kind = MAP_STATUS;
	uint32_t contexts;

	setting_unknown(l, s, known);
	setting_string(l, s, "map", &def.name);
	setting_string(l, s, "title_zh", &def.title_zh);
	setting_string(l, s, "title_en", &def.title_en);
	setting_string(l, s, "source", &def.source);
	setting_name(l, s, "kind", code_map_kind_of, &kind);
	setting_side(l, s, &def.sides);
	contexts = setting_bits(l, s, "contexts", code_context_of, 0);
	def.kind = (enum code_map_kind)kind;
	if (config_setting_get_member(s, "kind") == NULL)
		SETTING_FAULT(l, s, "a map says its kind: status, stat or err");
	else if (def.name == NULL)
		SETTING_FAULT(l, s, "a map needs its name: map = \"…\"");
	else if (rows == NULL)
		SETTING_FAULT(l, s, "map \"%s\" needs rows = ( { … }, … )", def.name);
	else
		map_rows(l, rows, &def, contexts);
}

void codes_maps_add(struct codes_loader *l, config_setting_t *maps)
{
	for (int i = 0; i < config_setting_length(maps); i++)
		map_add(l, config_setting_get_elem(maps, (unsigned)i));
}
