#include <strings.h>

#include "core/codes_build.h"
#include "smscope/receipt.h"

/* Maps: checked when they are added, then part of the set. */

static const char *const kinds[MAP_KINDS] = {
	[MAP_STATUS] = "status",
	[MAP_STAT] = "stat",
	[MAP_ERR] = "err",
};

const char *code_map_kind_name(enum code_map_kind k)
{
	return (unsigned)k < MAP_KINDS ? kinds[k] : "unknown";
}

int code_map_kind_of(const char *name)
{
	for (int i = 0; i < MAP_KINDS; i++) {
		if (strcasecmp(kinds[i], name) == 0)
			return i;
	}
	return SM_ENONE;
}

const struct code_map *codes_map(const struct code_set *set, const char *name)
{
	for (int i = 0; i < set->map_count; i++) {
		if (strcmp(set->maps[i]->name, name) == 0)
			return set->maps[i];
	}
	return NULL;
}

int codes_map_count(const struct code_set *set)
{
	return set->map_count;
}

const struct code_map *codes_map_at(const struct code_set *set, int i)
{
	return i >= 0 && i < set->map_count ? set->maps[i] : NULL;
}

static bool text_fits(const struct code_map_row *r, struct span s)
{
	size_t n = strlen(r->text);

	if (r->prefix ? s.n < n : s.n != n)
		return false;
	return strncasecmp(r->text, (const char *)s.p, n) == 0;
}

static bool row_fits(const struct code_map_row *r, const struct code_mapped *c)
{
	if (r->contexts != 0 && (r->contexts >> c->context & 1u) == 0)
		return false;
	if (r->dialect_to != 0 && (c->dialect < r->dialect_from || c->dialect > r->dialect_to))
		return false;
	if (r->is_default)
		return true;
	if (r->text != NULL)
		return c->is_text && text_fits(r, c->text);
	if (r->classes != 0)
		return c->has_class && (r->classes >> c->cls & 1u) != 0;
	return !c->is_text && r->lo <= c->number && c->number <= r->hi;
}

const struct code_map_row *code_map_find(const struct code_map *map, const struct code_mapped *c)
{
	for (int i = 0; i < map->row_count; i++) {
		if (row_fits(&map->rows[i], c))
			return &map->rows[i];
	}
	return NULL;
}

bool code_map_asks_class(const struct code_map *map)
{
	for (int i = 0; i < map->row_count; i++) {
		if (map->rows[i].classes != 0)
			return true;
	}
	return false;
}

/* The seven states that CMPP and SMPP have in common. Source: CMPP 2.0, section 7.4.5.1. */
static bool is_standard_state(const char *word)
{
	static const char *const seven[] = { "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD",
		"UNKNOWN", "REJECTD" };

	for (size_t i = 0; i < sizeof(seven) / sizeof(seven[0]); i++) {
		if (strcmp(word, seven[i]) == 0)
			return true;
	}
	return false;
}

/* One word of printable ASCII, as a receipt's err can hold it. */
static bool is_plain_word(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < n; i++) {
		if (word[i] <= ' ' || word[i] > '~')
			return false;
	}
	return n > 0 && n <= 16;
}

static void row_check(struct code_builder *b, const struct code_map *m,
	const struct code_map_row *r)
{
	bool number = r->lo <= r->hi;
	int ways = number + (r->text != NULL) + (r->classes != 0) + r->is_default;

	if (ways != 1)
		codes_fault(b, m->file, r->line,
			"a row of a map matches by value, by text, by class, or is the default");
	if (number && (r->lo < 0 || r->hi > UINT32_MAX))
		codes_fault(b, m->file, r->line, "a result is 0 to 0xFFFFFFFF; from 0x80000000 on it "
			"is written with an L behind it");
	if (r->dialect_from > r->dialect_to)
		codes_fault(b, m->file, r->line, "dialect_from is the lesser one");
	if (m->kind == MAP_STATUS && r->text != NULL)
		codes_fault(b, m->file, r->line, "a map of statuses matches by value, not by text");
	if (m->kind != MAP_STATUS && number)
		codes_fault(b, m->file, r->line, "a map of words matches by text, not by value");
	if (m->kind != MAP_STATUS && r->word == NULL)
		codes_fault(b, m->file, r->line, "gives is a text in this map");
	else if (m->kind == MAP_STAT && !is_standard_state(r->word))
		codes_fault(b, m->file, r->line, "\"%s\" is none of the seven states", r->word);
	else if (m->kind == MAP_ERR && !is_plain_word(r->word))
		codes_fault(b, m->file, r->line, "\"%s\" is no word of at most 16 octets", r->word);
	if (m->kind == MAP_STATUS && r->word != NULL)
		codes_fault(b, m->file, r->line, "gives is a number in this map");
}

/* Is row `a` for every PDU that `b` is for? */
static bool scope_covers(const struct code_map_row *a, const struct code_map_row *b)
{
	if (a->contexts != 0 && (b->contexts == 0 || (b->contexts & ~a->contexts) != 0))
		return false;
	return a->dialect_to == 0 || (b->dialect_to != 0 && a->dialect_from <= b->dialect_from &&
					     b->dialect_to <= a->dialect_to);
}

/* Has each word that is as `b` wants it what `a` wants? */
static bool text_covers(const struct code_map_row *a, const struct code_map_row *b)
{
	if (!a->prefix)
		return !b->prefix && strcasecmp(a->text, b->text) == 0;
	return strncasecmp(a->text, b->text, strlen(a->text)) == 0;
}

/* Does it match whatever code there is? */
static bool takes_all(const struct code_map_row *r)
{
	return r->is_default || (r->text != NULL && r->prefix && r->text[0] == '\0') ||
	       (r->lo <= 0 && r->hi >= UINT32_MAX);
}

/* Of what the later row `b` matches by, what `a` takes: all of it, or classes that are named in both. */
static bool row_takes(const struct code_map_row *a, const struct code_map_row *b)
{
	if (takes_all(a))
		return true;
	if (a->text != NULL && b->text != NULL)
		return text_covers(a, b);
	return (a->classes & b->classes) != 0;
}

/*
 * The row that takes the last of the numbers of row `at`, or -1: some of them are left. Several rows may take
 * them together.
 */
static int numbers_taken(const struct code_map *m, int at)
{
	const struct code_map_row *b = &m->rows[at];
	int64_t v = b->lo;

	for (int i = 0; i < at; i++) {
		const struct code_map_row *a = &m->rows[i];

		if (v < a->lo || v > a->hi || !scope_covers(a, b))
			continue;
		if (a->hi >= b->hi)
			return i;
		v = a->hi + 1;
		i = -1; /* what is left may be an earlier row's */
	}
	return -1;
}

/* The earlier row that keeps row `at` from ever being reached, or one of its classes; -1: none. */
static int hidden_by(const struct code_map *m, int at)
{
	for (int i = 0; i < at; i++) {
		if (scope_covers(&m->rows[i], &m->rows[at]) && row_takes(&m->rows[i], &m->rows[at]))
			return i;
	}
	return m->rows[at].lo <= m->rows[at].hi ? numbers_taken(m, at) : -1;
}

/* A row that an earlier one keeps from ever being reached is a slip. */
static void rows_check(struct code_builder *b, const struct code_map *m)
{
	for (int i = 0; i < m->row_count; i++) {
		const struct code_map_row *r = &m->rows[i];
		int by = hidden_by(m, i);

		row_check(b, m, r);
		if (by >= 0 && !takes_all(&m->rows[by]) && (r->classes & ~m->rows[by].classes) != 0)
			codes_fault(b, m->file, r->line, "a class of this row of map \"%s\" is in line %d already",
				m->name, m->rows[by].line);
		else if (by >= 0)
			codes_fault(b, m->file, r->line, "this row of map \"%s\" is never reached: see line %d",
				m->name, m->rows[by].line);
	}
}

/* Its place among the maps: a new one, or that of a shipped one whose place it takes; -1: none. */
static int place_of(struct code_builder *b, const struct code_map *def)
{
	struct code_set *set = b->set;

	for (int i = 0; i < set->map_count; i++) {
		if (strcmp(set->maps[i]->name, def->name) != 0)
			continue;
		if (b->map_layer[i] < b->layer)
			return i;
		codes_fault(b, def->file, def->line, "map \"%s\" is already at %s:%d", def->name,
			set->maps[i]->file, set->maps[i]->line);
		return -1;
	}
	if (set->map_count < CODE_MAPS_MAX)
		return set->map_count++;
	codes_fault(b, def->file, def->line, "more than %d maps", CODE_MAPS_MAX);
	return -1;
}

void codes_add_map(struct code_builder *b, const struct code_map *def)
{
	struct code_map *m = codes_alloc(b, sizeof(*m));
	struct code_map_row *rows = codes_alloc(b, (size_t)(def->row_count + 1) * sizeof(*rows));
	int at;

	if (m == NULL || rows == NULL)
		return;
	if (def->title_zh == NULL || def->title_en == NULL || def->source == NULL)
		codes_fault(b, def->file, def->line,
			"map \"%s\" needs title_zh, title_en and source", def->name);
	if (def->row_count == 0)
		codes_fault(b, def->file, def->line, "map \"%s\" has no rows", def->name);
	rows_check(b, def);
	*m = *def;
	m->name = codes_keep(b, def->name);
	m->title_zh = codes_keep(b, def->title_zh);
	m->title_en = codes_keep(b, def->title_en);
	m->source = codes_keep(b, def->source);
	m->file = codes_keep(b, def->file);
	m->rows = rows;
	for (int i = 0; i < def->row_count; i++) {
		rows[i] = def->rows[i];
		rows[i].text = codes_keep(b, def->rows[i].text);
		rows[i].word = codes_keep(b, def->rows[i].word);
	}
	if (m->name == NULL || (at = place_of(b, def)) < 0)
		return;
	b->set->maps[at] = m;
	b->map_layer[at] = b->layer;
}
