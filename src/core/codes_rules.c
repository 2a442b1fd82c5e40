#include <stdlib.h>

#include "core/codes_build.h"

/* Names become pointers: nested tables, steps, the rows that inner rules stand under. */

static struct code_index *index_named(const struct code_builder *b, const char *name, size_t len)
{
	for (int i = 0; i < b->table_count; i++) {
		struct code_index *t = b->tables[i].index;

		if (strncmp(t->pub.name, name, len) == 0 && t->pub.name[len] == '\0')
			return t;
	}
	return NULL;
}

static void nested_resolve(struct code_builder *b, const struct build_table *t)
{
	for (int i = 0; i < t->count; i++) {
		const struct build_row *r = &t->rows[i];

		for (int k = 0; k < CODE_NESTED_MAX && r->def.nested[k] != NULL; k++) {
			const char *name = r->def.nested[k];
			struct code_index *to = index_named(b, name, strlen(name));

			if (to == NULL)
				codes_fault(b, r->def.row.file, r->def.row.line,
					"row \"%s\": no table is named \"%s\"", r->def.row.key,
					name);
			else if (r->row != NULL) {
				r->row->nested[k] = &to->pub;
				to->pub.reached = true;
			}
		}
	}
}

static struct code_steps steps_seal(
	struct code_builder *b, const struct code_step_def *defs, int count)
{
	struct code_step *to = codes_alloc(b, (size_t)count * sizeof(*to));
	struct code_steps steps = { to, 0 };

	for (int i = 0; to != NULL && i < count; i++) {
		const struct code_step_def *d = &defs[i];
		struct code_index *table = index_named(b, d->table, strlen(d->table));

		to[i].table = table;
		to[i].def = *d;
		to[i].always = d->when == WHEN_UNKNOWN && d->form == FORM_ANY && d->dialect_to == 0
			&& d->platform == 0 && d->from == INT64_MIN && d->to == INT64_MAX;
		if (table == NULL) {
			codes_fault(b, d->file, d->line, "no table is named \"%s\"", d->table);
			continue;
		}
		table->pub.reached = true;
		steps.count++;
	}
	return steps;
}

static void rules_seal(struct code_builder *b, struct build_profile *p)
{
	const struct build_rule *given[CTX_COUNT][SIDE_SLOTS] = { { NULL } };

	for (int i = 0; i < p->rule_count; i++) {
		const struct build_rule *r = &p->rules[i];
		struct code_steps steps = steps_seal(b, r->def.steps, r->def.step_count);

		for (int c = 0; c < CTX_COUNT * SIDE_SLOTS; c++) {
			int context = c / SIDE_SLOTS, slot = c % SIDE_SLOTS;
			const struct build_rule *first = given[context][slot];

			if ((r->def.contexts >> context & 1u) == 0
				|| (r->def.sides >> slot & 1u) == 0)
				continue;
			if (first != NULL && first->layer == r->layer)
				codes_fault(b, r->def.file, r->def.line,
					"profile \"%s\" has a rule for %s of %s already, at %s:%d",
					p->profile->name,
					code_context_name((enum code_context)context),
					code_side_name((enum code_side)(1u << slot)), first->def.file,
					first->def.line);
			given[context][slot] = r;
			p->profile->rules[context][slot] = steps;
		}
	}
}

static int inner_cmp(const void *pa, const void *pb)
{
	const struct code_inner *a = pa, *b = pb;

	return ((uintptr_t)a->row > (uintptr_t)b->row) - ((uintptr_t)a->row < (uintptr_t)b->row);
}

/* A later layer's rule takes the place of an earlier one's. */
static void inner_put(struct code_builder *b, const struct build_profile *p, struct code_inner *all,
	int *layers, int *count, const struct build_inner *from, struct code_inner inner)
{
	int at = 0;

	while (at < *count && all[at].row != inner.row)
		at++;
	if (at < *count && layers[at] == from->layer)
		codes_fault(b, from->def.file, from->def.line,
			"profile \"%s\" says twice how row \"%s\" is read", p->profile->name,
			inner.row->key);
	all[at] = inner;
	layers[at] = from->layer;
	*count += at == *count;
}

/* Rows of "table/key". Several when the source prints one key twice. */
static int under_rows(struct code_builder *b, const struct build_inner *from, const char *under,
	const struct code_row **ret, int cap)
{
	const char *slash = strchr(under, '/');
	const struct code_index *t =
		slash != NULL ? index_named(b, under, (size_t)(slash - under)) : NULL;
	int n = 0;

	for (int i = 0; t != NULL && i < t->pub.row_count && n < cap; i++)
		if (strcmp(t->pub.rows[i].key, slash + 1) == 0)
			ret[n++] = &t->pub.rows[i];
	if (n == 0)
		codes_fault(
			b, from->def.file, from->def.line, "no row is \"%s\" (table/key)", under);
	return n;
}

static void inner_seal(struct code_builder *b, struct build_profile *p)
{
	enum { SAME_KEY_MAX = 4 };
	size_t room = (size_t)p->inner_count * CODE_UNDER_MAX * SAME_KEY_MAX;
	struct code_inner *all = codes_alloc(b, room * sizeof(*all));
	int *layers = calloc(room + 1, sizeof(*layers));
	int count = 0;

	for (int i = 0; all != NULL && layers != NULL && i < p->inner_count; i++) {
		const struct build_inner *r = &p->inner[i];
		struct code_inner inner = { NULL, steps_seal(b, r->def.steps, r->def.step_count),
			r->def.required };

		for (int k = 0; k < r->def.under_count; k++) {
			const struct code_row *rows[SAME_KEY_MAX];
			int n = under_rows(b, r, r->def.under[k], rows, SAME_KEY_MAX);

			for (int x = 0; x < n; x++) {
				inner.row = rows[x];
				inner_put(b, p, all, layers, &count, r, inner);
			}
		}
	}
	if (all != NULL && count > 0)
		qsort(all, (size_t)count, sizeof(*all), inner_cmp);
	p->profile->inner = all;
	p->profile->inner_count = count;
	free(layers);
}

static void set_fill(struct code_builder *b)
{
	struct code_set *set = b->set;

	set->tables = codes_alloc(b, (size_t)b->table_count * sizeof(struct code_index *));
	set->profiles = codes_alloc(b, (size_t)b->profile_count * sizeof(struct code_profile *));
	if (set->tables == NULL || set->profiles == NULL)
		return;
	for (int i = 0; i < b->table_count; i++)
		set->tables[set->table_count++] = b->tables[i].index;
	for (int i = 0; i < b->profile_count; i++)
		set->profiles[set->profile_count++] = b->profiles[i].profile;
	set->standard = codes_profile(set, "standard");
}

struct code_set *codes_seal(struct code_builder *b)
{
	struct code_set *set = NULL;

	for (int i = 0; i < b->table_count && !b->no_memory; i++)
		codes_table_seal(b, &b->tables[i]);
	for (int i = 0; i < b->table_count && !b->no_memory; i++)
		nested_resolve(b, &b->tables[i]);
	for (int i = 0; i < b->profile_count && !b->no_memory; i++) {
		rules_seal(b, &b->profiles[i]);
		inner_seal(b, &b->profiles[i]);
		b->profiles[i].profile->digest = codes_profile_digest(&b->profiles[i]);
	}
	if (!b->no_memory)
		set_fill(b);
	if (b->faults == 0) {
		set = b->set;
		b->set = NULL;
	}
	codes_builder_free(b);
	return set;
}
