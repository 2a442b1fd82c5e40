#include "core/codes_build.h"

/*
 * What a row or a profile says, as one number, and by it what differs between two sets. FNV-1a: the
 * numbers are compared for equality only, and nobody gains by a collision.
 */

static uint64_t fold(uint64_t h, const void *octets, size_t n)
{
	const unsigned char *p = octets;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

/* With its NUL, so that neighbours do not run together; none differs from an empty one. */
static uint64_t fold_text(uint64_t h, const char *text)
{
	return text != NULL ? fold(h, text, strlen(text) + 1) : fold(h, "\1\0\1", 3);
}

static uint64_t fold_number(uint64_t h, int64_t v)
{
	return fold(h, &v, sizeof(v));
}

uint64_t codes_table_digest(const struct code_table *t)
{
	uint64_t h = fold_text(14695981039346656037u, t->source);

	return fold_number(fold_number(h, t->hex), t->divisor);
}

static uint64_t fold_row(uint64_t h, const struct code_row *r)
{
	const char *texts[] = { r->key, r->name, r->zh, r->en, r->remark_zh, r->remark_en,
		r->cause_zh, r->cause_en, r->action_zh, r->action_en };
	int64_t numbers[] = { r->cls, r->origin, r->retry, r->foreign, r->source_line };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		h = fold_text(h, texts[i]);
	return fold(h, numbers, sizeof(numbers));
}

uint64_t codes_row_digest(uint64_t table, const struct build_row *r)
{
	uint64_t h = fold_row(table, &r->def.row);

	for (int i = 0; i < r->def.match_count; i++) {
		const struct code_match *m = &r->def.matches[i];
		int64_t numbers[] = { m->kind, m->sides, m->lo, m->hi };

		h = fold_text(fold(h, numbers, sizeof(numbers)), m->text);
	}
	for (int i = 0; i < CODE_NESTED_MAX; i++)
		h = fold_text(h, r->def.nested[i]);
	return fold_number(h, r->dead);
}

static uint64_t fold_steps(uint64_t h, const struct code_step_def *steps, int count)
{
	for (int i = 0; i < count; i++) {
		const struct code_step_def *d = &steps[i];
		int64_t numbers[] = { d->when, d->rows, d->form, d->beside, d->derived, d->side,
			d->dialect_from, d->dialect_to, d->platform, d->from, d->to, d->subtract };

		h = fold_text(fold(h, numbers, sizeof(numbers)), d->table);
	}
	return fold_number(h, count);
}

uint64_t codes_profile_digest(const struct build_profile *p)
{
	uint64_t h = fold_text(14695981039346656037u, p->profile->title_zh);

	h = fold_text(h, p->profile->title_en);
	for (int i = 0; i < p->rule_count; i++) {
		const struct code_rule_def *d = &p->rules[i].def;
		int64_t numbers[] = { d->contexts, d->sides, p->rules[i].layer };

		h = fold_steps(fold(h, numbers, sizeof(numbers)), d->steps, d->step_count);
	}
	for (int i = 0; i < p->inner_count; i++) {
		const struct code_inner_def *d = &p->inner[i].def;
		int64_t numbers[] = { d->required, d->under_count, p->inner[i].layer };

		h = fold(h, numbers, sizeof(numbers));
		for (int k = 0; k < d->under_count; k++)
			h = fold_text(h, d->under[k]);
		h = fold_steps(h, d->steps, d->step_count);
	}
	return h;
}

/*
 * Rows of `to` by what `from` has under the same key: nothing, the same, or another row. Both
 * mostly stand in the same order, so each search begins where the last one ended.
 */
static void compare_rows(const struct code_table *from, const struct code_table *to,
	struct codes_count *ret)
{
	int hint = 0, added = 0, changed = 0, removed;

	for (int i = 0; i < to->row_count; i++) {
		const struct code_row *r = &to->rows[i];
		bool have = false, same = false;

		for (int n = 0; n < from->row_count && !same; n++) {
			int at = (hint + n) % from->row_count;

			if (strcmp(from->rows[at].key, r->key) != 0)
				continue;
			have = true;
			same = from->rows[at].digest == r->digest;
			hint = same ? at + 1 : hint;
		}
		added += !have;
		changed += have && !same;
	}
	removed = from->row_count - (to->row_count - added);
	/* A key that the source prints twice may have found the same row twice. */
	ret->added += added + (removed < 0 ? -removed : 0);
	ret->changed += changed - (removed < 0 && changed >= -removed ? -removed : 0);
	ret->removed += removed > 0 ? removed : 0;
}

static void compare_profiles(const struct code_set *from, const struct code_set *to,
	struct codes_count *ret)
{
	int kept = 0;

	for (int i = 0; i < to->profile_count; i++) {
		const struct code_profile *p = to->profiles[i], *old = codes_profile(from, p->name);

		ret->added += old == NULL;
		ret->changed += old != NULL && old->digest != p->digest;
		kept += old != NULL;
	}
	ret->removed = from->profile_count - kept;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_map_row(const struct code_map_row *a, const struct code_map_row *b)
{
	return a->contexts == b->contexts && a->dialect_from == b->dialect_from &&
	       a->dialect_to == b->dialect_to && a->lo == b->lo && a->hi == b->hi &&
	       same_text(a->text, b->text) && a->prefix == b->prefix && a->classes == b->classes &&
	       a->is_default == b->is_default && a->number == b->number &&
	       same_text(a->word, b->word);
}

static bool same_map(const struct code_map *a, const struct code_map *b)
{
	if (a->kind != b->kind || a->sides != b->sides || a->row_count != b->row_count)
		return false;
	for (int i = 0; i < a->row_count; i++) {
		if (!same_map_row(&a->rows[i], &b->rows[i]))
			return false;
	}
	return true;
}

static void compare_maps(const struct code_set *from, const struct code_set *to,
	struct codes_count *ret)
{
	int kept = 0;

	for (int i = 0; i < to->map_count; i++) {
		const struct code_map *old = codes_map(from, to->maps[i]->name);

		ret->added += old == NULL;
		ret->changed += old != NULL && !same_map(old, to->maps[i]);
		kept += old != NULL;
	}
	ret->removed = from->map_count - kept;
}

void codes_compare(const struct code_set *from, const struct code_set *to,
	struct codes_changes *ret)
{
	*ret = (struct codes_changes){ 0 };
	for (int i = 0; i < to->table_count; i++) {
		const struct code_table *t = &to->tables[i]->pub, *old = codes_table(from, t->name);

		if (old != NULL)
			compare_rows(old, t, &ret->rows);
		else
			ret->rows.added += t->row_count;
	}
	for (int i = 0; i < from->table_count; i++) {
		const struct code_table *t = &from->tables[i]->pub;

		if (codes_table(to, t->name) == NULL)
			ret->rows.removed += t->row_count;
	}
	compare_profiles(from, to, &ret->profiles);
	compare_maps(from, to, &ret->maps);
}
