#include <stdlib.h>

#include "core/codes_build.h"

/* One match of one row on one side, for sorting. Rank: exact values, ranges, the default row. */
struct entry {
	enum { RANK_EXACT, RANK_RANGE, RANK_DEFAULT } rank;
	int64_t lo, hi;
	const char *word; /* text matches: folded, without the '*' */
	size_t len;
	bool prefix;
	uint8_t sides;
	struct build_row *row;
	uint32_t bit;     /* of build_row.dead */
};

static int entry_cmp(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->word != NULL && a->prefix != b->prefix)
		return a->prefix ? 1 : -1;
	if (a->word != NULL)
		return code_word_cmp(a->word, a->len, b->word, b->len);
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->hi < b->hi ? -1 : a->hi > b->hi;
}

/* The order of the source decides among rows that match the same. */
static int entry_sort(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d = entry_cmp(a, b);

	if (d != 0)
		return d;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return (a->lo > b->lo) - (a->lo < b->lo);
}

static const char *word_fold(struct code_builder *b, const char *text, size_t len)
{
	char *to = codes_alloc(b, len + 1);

	for (size_t i = 0; to != NULL && i < len; i++)
		to[i] = code_fold(text[i]);
	return to;
}

static bool entry_of(
	struct code_builder *b, struct build_row *r, int match, int slot, struct entry *ret)
{
	const struct code_match *m = &r->def.matches[match];

	*ret = (struct entry){ .row = r, .sides = m->sides, .bit = 1u << (SIDE_SLOTS * match + slot) };
	switch (m->kind) {
	case MATCH_NUMBER:
		ret->rank = m->lo == m->hi ? RANK_EXACT : RANK_RANGE;
		ret->lo = m->lo;
		ret->hi = m->hi;
		break;
	case MATCH_DEFAULT:
		ret->rank = RANK_DEFAULT;
		break;
	case MATCH_TEXT:
		ret->len = strlen(m->text);
		ret->prefix = ret->len > 0 && m->text[ret->len - 1] == '*';
		ret->len -= ret->prefix;
		if (ret->len == 0 || ret->len > CODE_WORD_MAX) {
			codes_fault(b, r->def.row.file, r->def.row.line,
				"row \"%s\": a text has 1 to %d octets", r->def.row.key,
				CODE_WORD_MAX);
			return false;
		}
		ret->word = word_fold(b, m->text, ret->len);
		return ret->word != NULL;
	}
	return true;
}

/* Number matches (or text matches) of one side, sorted. Returns how many; the caller frees. */
static int entries_of(struct code_builder *b, const struct build_table *t, int slot, bool text,
	struct entry **ret)
{
	size_t room = (size_t)t->count * CODE_MATCHES_MAX;
	struct entry *e = calloc(room > 0 ? room : 1, sizeof(*e));
	int n = 0;

	*ret = e;
	if (e == NULL) {
		b->no_memory = true;
		codes_fault(b, NULL, 0, "out of memory");
		return 0;
	}
	for (int i = 0; i < t->count; i++) {
		const struct code_row_def *d = &t->rows[i].def;

		for (int k = 0; k < d->match_count; k++) {
			bool is_text = d->matches[k].kind == MATCH_TEXT;

			if (text != is_text || (!text && (d->matches[k].sides >> slot & 1u) == 0))
				continue;
			if (entry_of(b, &t->rows[i], k, slot, &e[n]))
				n++;
		}
	}
	qsort(e, (size_t)n, sizeof(*e), entry_sort);
	return n;
}

/* What all sides share is reported once, with the first side. */
static bool reported(const struct entry *a, const struct entry *c, int slot)
{
	return slot != 0 && a->sides == CODE_ANY && c->sides == CODE_ANY;
}

static void overlap_check(struct code_builder *b, const struct entry *a, const struct entry *c)
{
	const struct code_row *first = &a->row->def.row, *second = &c->row->def.row;

	if (a->rank == RANK_RANGE && c->rank == RANK_RANGE && a->word == NULL && c->lo <= a->hi)
		codes_fault(b, second->file, second->line,
			"row \"%s\" overlaps row \"%s\" at %s:%d", second->key, first->key,
			first->file, first->line);
}

/* Of rows that match the same, the latest layer's stay. Two of one layer must both say `twice`. */
static int entries_prune(struct code_builder *b, struct entry *e, int n, int slot)
{
	int kept = 0;

	for (int i = 0, end; i < n; i = end) {
		int top = 0, first = -1;

		for (end = i; end < n && entry_cmp(&e[i], &e[end]) == 0; end++)
			top = e[end].row->layer > top ? e[end].row->layer : top;
		for (int k = i; k < end; k++) {
			const struct code_row *r = &e[k].row->def.row;

			if (e[k].row->layer < top) {
				e[k].row->dead |= e[k].bit;
				continue;
			}
			if (first >= 0 && !reported(&e[first], &e[k], slot)
				&& !(e[k].row->def.twice && e[first].row->def.twice))
				codes_fault(b, r->file, r->line,
					"row \"%s\" matches the same as row \"%s\" at %s:%d",
					r->key, e[first].row->def.row.key,
					e[first].row->def.row.file, e[first].row->def.row.line);
			first = first < 0 ? kept : first;
			e[kept++] = e[k];
		}
	}
	for (int i = 1; i < kept; i++)
		if (!reported(&e[i - 1], &e[i], slot))
			overlap_check(b, &e[i - 1], &e[i]);
	return kept;
}

static void small_fill(struct code_builder *b, struct code_numbers *to)
{
	int *small;

	if (to->exact_count == 0 || to->exact[0].value >= CODE_SMALL
		|| to->exact[to->exact_count - 1].value < 0)
		return;
	small = codes_alloc(b, CODE_SMALL * sizeof(*small));
	for (int v = 0; small != NULL && v < CODE_SMALL; v++)
		small[v] = to->exact_count;
	for (int i = to->exact_count; small != NULL && i-- > 0;)
		if (to->exact[i].value >= 0 && to->exact[i].value < CODE_SMALL)
			small[to->exact[i].value] = i;
	to->small = small;
}

static void numbers_fill(
	struct code_builder *b, struct code_numbers *to, const struct entry *e, int n)
{
	struct code_exact *exact = codes_alloc(b, (size_t)n * sizeof(*exact));
	struct code_range *ranges = codes_alloc(b, (size_t)n * sizeof(*ranges));

	if (exact == NULL || ranges == NULL)
		return;
	to->exact = exact;
	to->ranges = ranges;
	for (int i = 0; i < n; i++) {
		const struct code_row *row = e[i].row->row;

		if (e[i].rank == RANK_EXACT)
			exact[to->exact_count++] = (struct code_exact){ e[i].lo, row };
		else if (e[i].rank == RANK_RANGE)
			ranges[to->range_count++] = (struct code_range){ e[i].lo, e[i].hi, row };
		else
			to->fallback = row;
	}
	small_fill(b, to);
}

static void words_fill(
	struct code_builder *b, struct code_words *to, const struct entry *e, int n, bool prefix)
{
	struct code_word *w = codes_alloc(b, (size_t)n * sizeof(*w));

	if (w == NULL)
		return;
	to->at = w;
	for (int i = 0; i < n; i++) {
		if (e[i].prefix != prefix)
			continue;
		w[to->count++] = (struct code_word){ e[i].word,
			code_word_head(e[i].word, e[i].len), e[i].len, e[i].row->row };
		to->firsts |= code_word_first(e[i].word[0]);
	}
	if (to->count > 0) {
		to->len_min = w[0].len;
		to->len_max = w[to->count - 1].len;
	}
}

static void names_fill(struct code_builder *b, struct code_index *t)
{
	struct entry *e = calloc((size_t)t->pub.row_count + 1, sizeof(*e));
	struct code_word *w = codes_alloc(b, (size_t)t->pub.row_count * sizeof(*w));
	int n = 0;

	for (int i = 0; e != NULL && w != NULL && i < t->pub.row_count; i++) {
		const struct code_row *row = &t->pub.rows[i];
		size_t len = row->name != NULL ? strlen(row->name) : 0;

		if (len == 0 || len > CODE_WORD_MAX)
			continue;
		e[n].word = word_fold(b, row->name, len);
		e[n].len = len;
		e[n].lo = i;
		n += e[n].word != NULL;
	}
	if (e != NULL && w != NULL) {
		qsort(e, (size_t)n, sizeof(*e), entry_cmp);
		for (int i = 0; i < n; i++)
			w[i] = (struct code_word){ e[i].word, code_word_head(e[i].word, e[i].len),
				e[i].len, &t->pub.rows[e[i].lo] };
		t->names = (struct code_words){ w, n, n > 0 ? w[0].len : 0,
			n > 0 ? w[n - 1].len : 0, ~(uint64_t)0 };
	}
	free(e);
}

/* Rows that still match something, as the public array. */
static void rows_fill(struct code_builder *b, struct build_table *t)
{
	struct code_row *rows = codes_alloc(b, (size_t)t->count * sizeof(*rows));
	uint64_t digest = codes_table_digest(&t->index->pub);
	int n = 0;

	for (int i = 0; rows != NULL && i < t->count; i++) {
		struct build_row *from = &t->rows[i];
		struct code_row *r = &rows[n];
		uint32_t all = 0;

		for (int k = 0; k < from->def.match_count; k++)
			all |= (uint32_t)(from->def.matches[k].kind == MATCH_TEXT
					       ? CODE_SMPP
					       : from->def.matches[k].sides)
				<< SIDE_SLOTS * k;
		if (from->dead == all)
			continue;
		from->row = r;
		*r = from->def.row;
		r->digest = codes_row_digest(digest, from);
		r->lo = 0;
		r->hi = -1;
		for (int k = from->def.match_count; k-- > 0;) {
			const struct code_match *m = &from->def.matches[k];

			if (m->kind == MATCH_NUMBER) {
				r->lo = m->lo;
				r->hi = m->hi;
			} else if (m->kind == MATCH_TEXT) {
				r->text = m->text;
				r->prefix =
					m->text[0] != '\0' && m->text[strlen(m->text) - 1] == '*';
			} else {
				r->is_default = true;
			}
		}
		n++;
	}
	t->index->pub.rows = rows;
	t->index->pub.row_count = n;
	b->set->row_count += n;
}

static int key_cmp(const void *pa, const void *pb)
{
	const struct build_row *a = *(const struct build_row *const *)pa,
			       *b = *(const struct build_row *const *)pb;
	int d = strcmp(a->def.row.key, b->def.row.key);

	return d != 0 ? d : (a > b) - (a < b);
}

static void keys_check(struct code_builder *b, const struct build_table *t)
{
	const struct build_row **rows = calloc((size_t)t->count + 1, sizeof(*rows));
	int n = 0;

	for (int i = 0; rows != NULL && i < t->count; i++)
		if (t->rows[i].row != NULL)
			rows[n++] = &t->rows[i];
	if (rows != NULL)
		qsort(rows, (size_t)n, sizeof(*rows), key_cmp);
	for (int i = 1; rows != NULL && i < n; i++) {
		const struct code_row *x = &rows[i - 1]->def.row, *y = &rows[i]->def.row;

		if (strcmp(x->key, y->key) == 0 && !(rows[i - 1]->def.twice && rows[i]->def.twice))
			codes_fault(b, y->file, y->line, "row \"%s\" is already at %s:%d", y->key,
				x->file, x->line);
	}
	free(rows);
}

void codes_table_seal(struct code_builder *b, struct build_table *t)
{
	struct entry *numbers[SIDE_SLOTS], *texts;
	int counts[SIDE_SLOTS], text_count;

	if (t->count == 0)
		codes_fault(b, t->index->pub.file, t->index->pub.line, "table \"%s\" has no rows",
			t->index->pub.name);
	for (int s = 0; s < SIDE_SLOTS; s++) {
		counts[s] = entries_of(b, t, s, false, &numbers[s]);
		counts[s] = entries_prune(b, numbers[s], counts[s], s);
	}
	text_count = entries_of(b, t, 0, true, &texts);
	text_count = entries_prune(b, texts, text_count, 0);
	rows_fill(b, t);
	keys_check(b, t);
	for (int s = 0; s < SIDE_SLOTS; s++)
		numbers_fill(b, &t->index->numbers[s], numbers[s], counts[s]);
	words_fill(b, &t->index->exact, texts, text_count, false);
	words_fill(b, &t->index->prefix, texts, text_count, true);
	names_fill(b, t->index);
	for (int s = 0; s < SIDE_SLOTS; s++)
		free(numbers[s]);
	free(texts);
}
