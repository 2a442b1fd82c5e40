#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codes_build.h"

enum { CHUNK_SIZE = 64 * 1024, FAULT_MAX = 512 };

void codes_fault(struct code_builder *b, const char *file, int line, const char *fmt, ...)
{
	char text[FAULT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	b->faults++;
	b->fault(b->arg, file, line, text);
}

static void no_memory(struct code_builder *b)
{
	if (!b->no_memory)
		codes_fault(b, NULL, 0, "out of memory");
	b->no_memory = true;
}

void *codes_alloc(struct code_builder *b, size_t n)
{
	struct code_chunk *c = b->set->chunks;
	size_t want = (n + 15) & ~(size_t)15;
	void *p;

	if (c == NULL || want > c->size - c->used) {
		size_t size = want > CHUNK_SIZE ? want : CHUNK_SIZE;

		c = calloc(1, sizeof(*c) + size);
		if (c == NULL) {
			no_memory(b);
			return NULL;
		}
		c->size = size;
		c->next = b->set->chunks;
		b->set->chunks = c;
	}
	p = c->mem + c->used;
	c->used += want;
	return p;
}

const char *codes_keep(struct code_builder *b, const char *s)
{
	size_t n = s != NULL ? strlen(s) + 1 : 0;
	char *to = n > 0 ? codes_alloc(b, n) : NULL;

	if (to != NULL)
		memcpy(to, s, n);
	return to;
}

/* Rows come file by file: the name kept last mostly serves again. */
static const char *keep_file(struct code_builder *b, const char *file)
{
	if (file == NULL || b->file == NULL || strcmp(b->file, file) != 0)
		b->file = codes_keep(b, file);
	return b->file;
}

/* Room for one more element; the array may move. False when there is no memory. */
static bool grow(struct code_builder *b, void **array, int count, int *room, size_t size)
{
	int more = *room > 0 ? *room * 2 : 16;
	void *to;

	if (count < *room)
		return true;
	to = realloc(*array, (size_t)more * size);
	if (to == NULL) {
		no_memory(b);
		return false;
	}
	*array = to;
	*room = more;
	return true;
}

struct code_builder *codes_builder_new(code_fault_fn *fault, void *arg)
{
	struct code_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->set = calloc(1, sizeof(*b->set));
	if (b->set == NULL) {
		free(b);
		return NULL;
	}
	b->fault = fault;
	b->arg = arg;
	return b;
}

void codes_builder_free(struct code_builder *b)
{
	for (int i = 0; i < b->table_count; i++)
		free(b->tables[i].rows);
	for (int i = 0; i < b->profile_count; i++) {
		free(b->profiles[i].rules);
		free(b->profiles[i].inner);
	}
	free(b->tables);
	free(b->profiles);
	codes_free(b->set);
	free(b);
}

void codes_builder_override(struct code_builder *b)
{
	b->layer++;
}

static int table_of(const struct code_builder *b, const char *name)
{
	for (int i = 0; i < b->table_count; i++)
		if (strcmp(b->tables[i].index->pub.name, name) == 0)
			return i;
	return SM_ENONE;
}

/* A later layer's title, source and kind replace those it gives. */
static void table_merge(struct code_builder *b, struct code_table *t, const struct code_table *def)
{
	if (def->title_zh != NULL)
		t->title_zh = codes_keep(b, def->title_zh);
	if (def->title_en != NULL)
		t->title_en = codes_keep(b, def->title_en);
	if (def->source != NULL)
		t->source = codes_keep(b, def->source);
	if (def->divisor != 0)
		t->divisor = def->divisor;
	t->hex = t->hex || def->hex;
}

int codes_add_table(struct code_builder *b, const struct code_table *def)
{
	int have = table_of(b, def->name);
	struct build_table *t;

	if (have >= 0 && b->layer == 0) {
		const struct code_table *first = &b->tables[have].index->pub;

		codes_fault(b, def->file, def->line, "table \"%s\" is already defined at %s:%d",
			def->name, first->file, first->line);
		return SM_EVALUE;
	}
	if (have >= 0) {
		table_merge(b, &b->tables[have].index->pub, def);
		return have;
	}
	if (!grow(b, (void **)&b->tables, b->table_count, &b->table_room, sizeof(*b->tables)))
		return SM_EVALUE;
	t = &b->tables[b->table_count];
	memset(t, 0, sizeof(*t));
	t->index = codes_alloc(b, sizeof(*t->index));
	if (t->index == NULL)
		return SM_EVALUE;
	t->index->pub.name = codes_keep(b, def->name);
	if (t->index->pub.name == NULL)
		return SM_EVALUE;
	t->index->pub.file = codes_keep(b, def->file);
	t->index->pub.line = def->line;
	table_merge(b, &t->index->pub, def);
	if (def->source == NULL)
		codes_fault(b, def->file, def->line, "table \"%s\" names no source", def->name);
	if (def->title_zh == NULL || def->title_en == NULL)
		codes_fault(b, def->file, def->line, "table \"%s\" needs title_zh and title_en",
			def->name);
	return b->table_count++;
}

static bool row_whole(struct code_builder *b, const struct code_row_def *def)
{
	const struct code_row *r = &def->row;
	const char *missing = r->key == NULL ? "key"
		: r->zh == NULL              ? "zh"
		: r->en == NULL              ? "en"
					     : NULL;

	if (missing != NULL)
		codes_fault(b, r->file, r->line, "row \"%s\" has no %s",
			r->key != NULL ? r->key : "?", missing);
	else if (def->match_count == 0)
		codes_fault(b, r->file, r->line,
			"row \"%s\" has nothing to match by: value, from and to, text, "
			"smpp, cmpp or default",
			r->key);
	for (int i = 0; i < def->match_count; i++)
		if (def->matches[i].kind == MATCH_NUMBER
			&& def->matches[i].lo > def->matches[i].hi) {
			codes_fault(
				b, r->file, r->line, "row \"%s\": from is greater than to", r->key);
			return false;
		}
	return missing == NULL && def->match_count > 0;
}

void codes_add_row(struct code_builder *b, int table, const struct code_row_def *def)
{
	struct build_table *t;
	struct build_row *to;
	struct code_row *r;

	if (!row_whole(b, def) || table < 0 || table >= b->table_count)
		return;
	t = &b->tables[table];
	if (!grow(b, (void **)&t->rows, t->count, &t->room, sizeof(*t->rows)))
		return;
	to = &t->rows[t->count++];
	*to = (struct build_row){ .def = *def, .layer = b->layer };
	r = &to->def.row;
	r->key = codes_keep(b, r->key);
	r->name = codes_keep(b, r->name);
	r->zh = codes_keep(b, r->zh);
	r->en = codes_keep(b, r->en);
	r->remark_zh = codes_keep(b, r->remark_zh);
	r->remark_en = codes_keep(b, r->remark_en);
	r->cause_zh = codes_keep(b, r->cause_zh);
	r->cause_en = codes_keep(b, r->cause_en);
	r->action_zh = codes_keep(b, r->action_zh);
	r->action_en = codes_keep(b, r->action_en);
	r->file = keep_file(b, r->file);
	for (int i = 0; i < def->match_count; i++)
		to->def.matches[i].text = codes_keep(b, def->matches[i].text);
	for (int i = 0; i < CODE_NESTED_MAX; i++)
		to->def.nested[i] = codes_keep(b, def->nested[i]);
}

int codes_add_profile(struct code_builder *b, const char *name, const char *title_zh,
	const char *title_en, const char *file, int line)
{
	struct build_profile *p;

	for (int i = 0; i < b->profile_count; i++) {
		p = &b->profiles[i];
		if (strcmp(p->profile->name, name) != 0)
			continue;
		if (p->layer == b->layer) {
			codes_fault(b, file, line, "profile \"%s\" is already defined at %s:%d",
				name, p->file, p->line);
			return SM_EVALUE;
		}
		return i;
	}
	if (!grow(b, (void **)&b->profiles, b->profile_count, &b->profile_room,
		    sizeof(*b->profiles)))
		return SM_EVALUE;
	p = &b->profiles[b->profile_count];
	*p = (struct build_profile){ .profile = codes_alloc(b, sizeof(*p->profile)),
		.file = codes_keep(b, file),
		.line = line,
		.layer = b->layer };
	if (p->profile == NULL)
		return SM_EVALUE;
	p->profile->name = codes_keep(b, name);
	p->profile->title_zh = codes_keep(b, title_zh);
	p->profile->title_en = codes_keep(b, title_en);
	if (p->profile->name == NULL)
		return SM_EVALUE;
	return b->profile_count++;
}

static void keep_steps(struct code_builder *b, struct code_step_def *steps, int count)
{
	for (int i = 0; i < count; i++) {
		steps[i].table = codes_keep(b, steps[i].table);
		steps[i].file = keep_file(b, steps[i].file);
	}
}

void codes_add_rule(struct code_builder *b, int profile, const struct code_rule_def *def)
{
	struct build_profile *p;
	struct build_rule *r;

	if (profile < 0 || profile >= b->profile_count)
		return;
	p = &b->profiles[profile];
	if (!grow(b, (void **)&p->rules, p->rule_count, &p->rule_room, sizeof(*p->rules)))
		return;
	r = &p->rules[p->rule_count++];
	*r = (struct build_rule){ *def, b->layer };
	r->def.file = keep_file(b, def->file);
	keep_steps(b, r->def.steps, def->step_count);
}

void codes_add_inner(struct code_builder *b, int profile, const struct code_inner_def *def)
{
	struct build_profile *p;
	struct build_inner *r;

	if (profile < 0 || profile >= b->profile_count)
		return;
	p = &b->profiles[profile];
	if (!grow(b, (void **)&p->inner, p->inner_count, &p->inner_room, sizeof(*p->inner)))
		return;
	r = &p->inner[p->inner_count++];
	*r = (struct build_inner){ *def, b->layer };
	r->def.file = keep_file(b, def->file);
	for (int i = 0; i < def->under_count; i++)
		r->def.under[i] = codes_keep(b, def->under[i]);
	keep_steps(b, r->def.steps, def->step_count);
}
