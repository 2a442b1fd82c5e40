#include <stdio.h>

#include "core/codes_set.h"

/*
 * A lookup runs the steps that a profile lists for the context and side. Each step asks one table and
 * adds hits; what a step may see of the hits before it (nothing known yet, only vague ones) is its
 * `when`. A hit whose row holds an inner value runs the inner steps the same way.
 */

enum { HITS_MAX = CODE_ANSWERS_MAX };

/* A value as one side of the question sees it. */
struct value {
	bool is_text, has_number;
	int64_t number;
	struct span text;      /* empty for a plain number */
	uint64_t head;         /* of `folded` */
	char folded[CODE_WORD_MAX];
};

struct hit {
	const struct code_index *table;
	const struct code_row *row;
	int64_t number;
	bool exact, beside, derived, ambiguous, has_inner;
	struct value inner;
};

struct hits {
	int count, cap;
	struct hit at[HITS_MAX];
};

static const struct code_row *exact_find(const struct code_numbers *n, int64_t v, int *ret_at)
{
	int lo = 0, hi = n->exact_count;

	if (n->small != NULL && v >= 0 && v < CODE_SMALL)
		lo = hi = n->small[v];
	else if (hi > 0 && n->exact[hi - 1].value < v) /* as most that no table lists */
		lo = hi;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (n->exact[mid].value < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_at = lo;
	return lo < n->exact_count && n->exact[lo].value == v ? n->exact[lo].row : NULL;
}

static const struct code_row *range_find(const struct code_numbers *n, int64_t v)
{
	int lo = 0, hi = n->range_count;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (n->ranges[mid].hi < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n->range_count && n->ranges[lo].lo <= v ? n->ranges[lo].row : NULL;
}

static int word_cmp(const struct code_word *w, const char *text, size_t len, uint64_t head)
{
	if (w->len != len)
		return w->len < len ? -1 : 1;
	if (w->head != head)
		return w->head < head ? -1 : 1;
	return len <= sizeof(head) ? 0 : memcmp(w->text, text, len);
}

static int word_find(const struct code_words *w, const char *text, size_t len, uint64_t head)
{
	int lo = 0, hi = w->count;

	if (len < w->len_min || len > w->len_max || (w->firsts & code_word_first(*text)) == 0)
		return -1;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (word_cmp(&w->at[mid], text, len, head) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->count && word_cmp(&w->at[lo], text, len, head) == 0 ? lo : -1;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Digits of `base`, at least one, the value below 2^40. */
static bool digits_of(struct span s, int base, int64_t *ret)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		int d = digit_of(s.p[i]);

		if (d >= base || v >= (int64_t)1 << 40)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return s.n > 0;
}

/* "0051" is 51: padding is decimal; only 0x makes a number hexadecimal. */
static bool number_of(struct span s, int64_t *ret)
{
	bool minus = s.n > 1 && s.p[0] == '-';
	int64_t v;

	if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x')
		return digits_of(span_of(s.p + 2, s.n - 2), 16, ret);
	if (!digits_of(minus ? span_of(s.p + 1, s.n - 1) : s, 10, &v))
		return false;
	*ret = minus ? -v : v;
	return true;
}

/* Blanks and NULs around it do not count: a fixed field's padding. */
static void value_text(struct value *v, struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\0'))
		s.n--;
	while (s.n > 0 && *s.p == ' ') {
		s.p++;
		s.n--;
	}
	v->is_text = true;
	v->text = s;
	v->number = INT64_MIN;
	v->has_number = number_of(s, &v->number);
	memset(v->folded, 0, sizeof(v->head));
	for (size_t i = 0; i < s.n && i < CODE_WORD_MAX; i++)
		v->folded[i] = code_fold((char)s.p[i]);
	v->head = code_word_head(v->folded, sizeof(v->head));
}

static void value_number(struct value *v, int64_t number)
{
	v->is_text = false;
	v->has_number = true;
	v->number = number;
	v->text = (struct span){ (const uint8_t *)v->folded, 0 };
}

/* The inner value of a composite number, written with the zeros that the divisor has. */
static void value_digits(struct value *v, int64_t number, int64_t divisor)
{
	int width = 0, at;

	for (int64_t d = divisor; d > 1 && width < CODE_WORD_MAX; d /= 10)
		width++;
	v->is_text = true;
	v->has_number = true;
	v->number = number;
	for (at = width; at-- > 0; number /= 10)
		v->folded[at] = (char)('0' + number % 10);
	v->head = code_word_head(v->folded, (size_t)width);
	v->text = (struct span){ (const uint8_t *)v->folded, (size_t)width };
}

static struct hit *hit_add(struct hits *h, const struct code_step *s, const struct code_row *row,
	int64_t number, bool exact)
{
	struct hit *x;

	for (int i = 0; i < h->count; i++)
		if (h->at[i].row == row)
			return NULL;
	if (h->count == h->cap)
		return NULL;
	x = &h->at[h->count++];
	x->table = s->table;
	x->row = row;
	x->number = number;
	x->exact = exact;
	x->beside = s->def.beside;
	x->derived = s->def.derived;
	x->ambiguous = false;
	x->has_inner = false;
	return x;
}

static bool row_allowed(enum code_rows rows, const struct code_row *row, bool exact)
{
	switch (rows) {
	case ROWS_EXACT:
		return exact;
	case ROWS_NAMED:
		return exact && row->name != NULL;
	case ROWS_RANGE:
		return !exact;
	default:
		return true;
	}
}

/* The inner value of a composite number. */
static void inner_number(struct hit *x, int64_t number)
{
	int64_t divisor = x->table->pub.divisor;

	if (divisor > 0) {
		x->has_inner = true;
		value_digits(&x->inner, number % divisor, divisor);
	}
}

static bool ask_number(struct hits *h, const struct code_step *s, const struct code_numbers *n,
	int64_t number, bool fallback)
{
	int64_t v = number, divisor = s->table->pub.divisor;
	const struct code_row *row;
	struct hit *x;
	int at;

	if (divisor > 0) {
		if (number < 0)
			return false;
		v /= divisor;
	}
	row = s->def.rows != ROWS_RANGE ? exact_find(n, v, &at) : NULL;
	if (row != NULL) {
		bool any = false;

		for (; at < n->exact_count && n->exact[at].value == v; at++) {
			row = n->exact[at].row;
			if (!row_allowed(s->def.rows, row, true))
				continue;
			any = true;
			x = hit_add(h, s, row, number, true);
			if (x != NULL)
				inner_number(x, number);
		}
		return any;
	}
	row = range_find(n, v);
	if (row == NULL && fallback)
		row = n->fallback;
	if (row == NULL || !row_allowed(s->def.rows, row, false))
		return false;
	x = hit_add(h, s, row, number, false);
	if (x != NULL)
		inner_number(x, number);
	return true;
}

static bool ask_words(struct hits *h, const struct code_step *s, const struct code_words *w,
	const struct value *v)
{
	int at = word_find(w, v->folded, v->text.n, v->head);

	if (at < 0 || s->def.rows == ROWS_RANGE)
		return false;
	for (; at < w->count && word_cmp(&w->at[at], v->folded, v->text.n, v->head) == 0; at++)
		hit_add(h, s, w->at[at].row, v->number, true);
	return true;
}

/* The longest prefix wins. A separator written twice, as in "MI::0010", counts once. */
static bool ask_prefix(struct hits *h, const struct code_step *s, const struct code_words *w,
	const struct value *v)
{
	size_t len = v->text.n < w->len_max ? v->text.n : w->len_max;

	for (; w->count > 0 && len >= w->len_min && len > 0; len--) {
		int at = word_find(w, v->folded, len, code_word_head(v->folded, len));
		struct span rest = { v->text.p + len, v->text.n - len };
		struct hit *x;

		if (at < 0 || !row_allowed(s->def.rows, w->at[at].row, true))
			continue;
		if (rest.n > 0 && rest.p[-1] == ':' && rest.p[0] == ':') {
			rest.p++;
			rest.n--;
		}
		x = hit_add(h, s, w->at[at].row, INT64_MIN, true);
		if (x != NULL) {
			x->has_inner = true;
			value_text(&x->inner, rest);
		}
		return true;
	}
	return false;
}

/*
 * The digits read as hexadecimal, when the table's source writes them so and that reading names a row.
 * With letters among them it is the only reading and any row will do.
 */
static bool ask_hex(struct hits *h, const struct code_step *s, const struct code_numbers *n,
	const struct value *v)
{
	struct code_step exact;
	int64_t number;

	if (!s->table->pub.hex || v->text.n == 0 || !digits_of(v->text, 16, &number))
		return false;
	if (!v->has_number)
		return ask_number(h, s, n, number, true);
	exact = *s;
	exact.def.rows = ROWS_EXACT;
	return number != v->number && ask_number(h, &exact, n, number, false);
}

static void ask_table(
	struct hits *h, const struct code_step *s, int slot, const struct value *v, bool by_name)
{
	const struct code_index *t = s->table;
	const struct code_numbers *n =
		&t->numbers[s->def.side != 0 ? code_slot(s->def.side) : slot];
	bool numeric = n->exact_count + n->range_count > 0, found = false;
	int64_t number = v->number - (v->has_number ? s->def.subtract : 0);

	if (!v->is_text) {
		ask_number(h, s, n, number, numeric);
		return;
	}
	if (v->text.n > 0 && v->text.n <= CODE_WORD_MAX) {
		if (ask_words(h, s, &t->exact, v) || (by_name && ask_words(h, s, &t->names, v)))
			return;
	}
	if (v->has_number)
		found = ask_number(h, s, n, number, numeric);
	found = ask_hex(h, s, n, v) || found;
	if (!found)
		found = ask_prefix(h, s, &t->prefix, v);
	if (!found && !numeric && n->fallback != NULL
		&& row_allowed(s->def.rows, n->fallback, false))
		hit_add(h, s, n->fallback, v->number, false);
}

static bool step_applies(const struct code_step *s, const struct code_query *q,
	const struct value *v, const struct hits *h)
{
	const struct code_step_def *d = &s->def;

	if (d->when == WHEN_UNKNOWN && h->count > 0)
		return false;
	if (s->always)
		return true;
	if (d->when == WHEN_VAGUE && h->count > 0 && h->at[0].exact
		&& h->at[0].row->cls != CLASS_UNKNOWN)
		return false;
	if (d->form != FORM_ANY && (d->form == FORM_TEXT) != v->is_text)
		return false;
	if (d->dialect_to != 0
		&& (q->dialect < d->dialect_from || q->dialect > d->dialect_to || q->dialect == 0))
		return false;
	if (d->platform != 0 && q->platform != PLATFORM_ANY && d->platform != q->platform)
		return false;
	if (d->from != INT64_MIN || d->to != INT64_MAX)
		return v->has_number && v->number >= d->from && v->number <= d->to;
	return true;
}

static void steps_run(struct hits *h, const struct code_steps *steps, int slot,
	const struct code_query *q, const struct value *v)
{
	int equal = 0;

	for (int i = 0; i < steps->count; i++) {
		const struct code_step *s = &steps->at[i];

		if (step_applies(s, q, v, h))
			ask_table(h, s, slot, v, q->by_name);
	}
	for (int i = 0; i < h->count; i++)
		equal += !h->at[i].beside;
	for (int i = 0; i < h->count && equal > 1; i++)
		h->at[i].ambiguous = !h->at[i].beside;
}

static const struct code_inner *inner_of(const struct code_profile *p, const struct code_row *row)
{
	int lo = 0, hi = p->inner_count;

	if (hi == 0 || (uintptr_t)row < (uintptr_t)p->inner[0].row
		|| (uintptr_t)row > (uintptr_t)p->inner[hi - 1].row)
		return NULL;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if ((uintptr_t)p->inner[mid].row < (uintptr_t)row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->inner_count && p->inner[lo].row == row ? &p->inner[lo] : NULL;
}

/* The row's own nested tables: the first that knows the value. */
static void nested_run(struct hits *h, const struct code_row *row, int slot,
	const struct code_query *q, const struct value *v)
{
	struct code_step step = { .always = true,
		.def = { .from = INT64_MIN, .to = INT64_MAX, .when = WHEN_UNKNOWN } };
	struct code_steps steps = { &step, 1 };

	for (int i = 0; i < CODE_NESTED_MAX && row->nested[i] != NULL && h->count == 0; i++) {
		step.table = (const struct code_index *)row->nested[i];
		steps_run(h, &steps, slot, q, v);
	}
}

/* Does the hit hold an inner value? Behind a plain number that is the number itself, if anything explains it. */
static bool inner_value(struct hit *x, const struct code_inner *rule)
{
	if (!x->has_inner && x->number != INT64_MIN
		&& (rule != NULL || x->row->nested[0] != NULL)) {
		value_number(&x->inner, x->number);
		x->has_inner = true;
	}
	return x->has_inner;
}

static void inner_text(struct code_answer *a, const struct value *v)
{
	size_t n = v->text.n < sizeof(a->nested_text) - 1 ? v->text.n : sizeof(a->nested_text) - 1;

	if (v->is_text)
		memcpy(a->nested_text, v->text.p, n);
	else
		snprintf(a->nested_text, sizeof(a->nested_text), "%lld", (long long)v->number);
}

/* Fills the inner half of an answer. False if the outer row means nothing without it. */
static bool answer_inner(struct code_answer *a, const struct code_profile *p, struct hit *x,
	int slot, const struct code_query *q)
{
	const struct code_inner *rule = inner_of(p, x->row);
	const struct value *v = &x->inner;
	struct hits h;

	if (!inner_value(x, rule))
		return true;
	a->has_nested = true;
	a->nested_value = v->has_number ? v->number : INT64_MIN;
	inner_text(a, v);
	a->nested_foreign = x->row->foreign || (rule == NULL && x->row->nested[0] == NULL);
	if (a->nested_foreign)
		return true;
	h.count = 0;
	h.cap = CODE_NESTED_MAX;
	if (rule != NULL)
		steps_run(&h, &rule->steps, slot, q, v);
	else
		nested_run(&h, x->row, slot, q, v);
	for (int i = 0; i < h.count; i++) {
		a->nested[i].table = &h.at[i].table->pub;
		a->nested[i].row = h.at[i].row;
		a->nested[i].number = h.at[i].number;
		a->nested[i].ambiguous = h.at[i].ambiguous;
		a->nested[i].derived = h.at[i].derived;
	}
	a->nested_count = h.count;
	return h.count > 0 || rule == NULL || !rule->required;
}

struct asking {
	const struct code_query *q;
	const struct value *value;
	struct code_answer *ret;
	int cap, count;
};

static bool answer_has(const struct asking *a, const struct code_row *row)
{
	for (int i = 0; i < a->count; i++)
		if (a->ret[i].row == row)
			return true;
	return false;
}

/* Answers of one profile. Returns how many there were, those given before and those cut off included. */
static int ask_profile(struct asking *a, const struct code_profile *p, int slot, bool beside)
{
	const struct code_steps *steps = &p->rules[a->q->context][slot];
	struct hits h;
	int known = 0;

	if (steps->count == 0)
		return 0;
	h.count = 0;
	h.cap = HITS_MAX;
	steps_run(&h, steps, slot, a->q, a->value);
	for (int i = 0; i < h.count; i++) {
		struct hit *x = &h.at[i];
		struct code_answer *to;

		if (answer_has(a, x->row)) {
			known++;
			continue;
		}
		if (a->count == a->cap)
			return known + 1;
		to = &a->ret[a->count];
		/* Not the nested readings, of which nested_count says that there are none yet. */
		to->has_nested = false;
		to->nested_value = 0;
		memset(to->nested_text, 0, sizeof(to->nested_text));
		to->nested_count = 0;
		to->nested_foreign = false;
		to->profile = p;
		to->table = &x->table->pub;
		to->row = x->row;
		to->number = x->number;
		to->derived = x->derived;
		to->beside = beside || x->beside;
		to->ambiguous = x->ambiguous && !beside;
		if (!answer_inner(to, p, x, slot, a->q))
			continue;
		a->count++;
		known++;
	}
	return known;
}

static void ask_side(struct asking *a, const struct code_set *set, int slot)
{
	const struct code_profile *const *p = a->q->profiles;
	bool answered = false, standard = false;

	for (; p != NULL && *p != NULL && !answered; p++) {
		answered = ask_profile(a, *p, slot, false) > 0;
		standard = *p == set->standard;
	}
	if (!standard && set->standard != NULL)
		ask_profile(a, set->standard, slot, answered);
}

/* With the side unknown, what each side says is as good as what the other does. */
static void mark_sides(struct code_answer *ret, int first, int count)
{
	bool second = false;

	for (int i = first; i < count; i++)
		second = second || !ret[i].beside;
	for (int i = 0; i < count && first > 0 && second; i++)
		ret[i].ambiguous = ret[i].ambiguous || !ret[i].beside;
}

int codes_lookup(
	const struct code_set *set, const struct code_query *q, struct code_answer *ret, int cap)
{
	struct asking a = { q, NULL, ret, cap, 0 };
	struct value v;

	if ((unsigned)q->context >= CTX_COUNT || cap <= 0)
		return 0;
	if (q->is_text)
		value_text(&v, q->text);
	else
		value_number(&v, q->number);
	a.value = &v;
	for (int slot = 0; slot < SIDE_SLOTS; slot++) {
		int first = a.count;

		if ((q->side >> slot & 1u) != 0)
			ask_side(&a, set, slot);
		mark_sides(ret, first, a.count);
	}
	return a.count;
}
