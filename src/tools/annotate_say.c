#include "tools/annotate.h"

/*
 * What stands behind a line:
 *
 *     # Stat=MB:0064 report «…» origin=smsc retry=fix table=infox-report-prefix>infox-smc; …
 *
 * the code as it was found, the context it was read in ('?': assumed, no word told it), what it
 * means, and the tables that say so.
 */

enum { SEEN_MAX = HITS_MAX };

/* Answers to one hit. */
struct found {
	struct code_answer answers[CODE_ANSWERS_MAX];
	int count;
	enum code_context context;
};

/* Does the answer speak of this value, rather than of a range, of any other, of a prefix? */
static bool is_exact(const struct code_answer *a)
{
	if (a->row->is_default || a->row->cls == CLASS_UNKNOWN)
		return false;
	if (a->has_nested)
		return a->nested_count > 0;
	return a->row->text != NULL || a->row->lo == a->row->hi;
}

static bool is_foreign(const struct code_answer *a)
{
	return a->has_nested && a->nested_foreign;
}

static int ask(const struct say *say, const struct hit *h, enum code_context c,
	       const struct code_profile *const *profiles, struct code_answer *ret)
{
	bool words = h->kind == HIT_STAT || h->kind == HIT_ERR || c == CTX_REPORT;
	struct code_query q = {
		.profiles = profiles,
		.context = c,
		.side = (enum code_side)h->side,
		.platform = (uint8_t)say->platform,
		.by_name = h->kind == HIT_NAME,
		.is_text = !h->has_number || (words && h->kind != HIT_STATE),
		.number = h->number,
		.text = span_of(h->text + h->value_at, (size_t)(h->len - h->value_at))};

	return codes_lookup(say->set, &q, ret, CODE_ANSWERS_MAX);
}

/*
 * Without a profile the protocols' own tables come first. Where they do not know the value, or say
 * no more than what kind of value it is, whoever knows better answers; but nobody knows the err: of
 * somebody else's receipts.
 */
static int ask_all(const struct say *say, const struct hit *h, enum code_context c,
		   struct code_answer *ret)
{
	static const struct code_profile *const none[] = {NULL};
	struct code_answer other[CODE_ANSWERS_MAX];
	int count = ask(say, h, c, none, ret), n;

	if ((count > 0 && is_exact(&ret[0])) || (h->kind == HIT_ERR && h->has_number))
		return count;
	for (const struct code_profile *const *p = say->others; *p != NULL; p++) {
		const struct code_profile *one[] = {*p, NULL};

		n = ask(say, h, c, one, other);
		if (n == 0 || other[0].profile != *p ||
		    (count > 0 && !is_exact(&other[0]) && !is_foreign(&other[0])))
			continue;
		memcpy(ret, other, (size_t)n * sizeof(*other));
		return n;
	}
	return count;
}

static void find_in(const struct say *say, const struct hit *h, enum code_context c,
		    struct found *ret)
{
	ret->context = c;
	ret->count = say->profiles != NULL ? ask(say, h, c, say->profiles, ret->answers)
					   : ask_all(say, h, c, ret->answers);
}

/* In the first context that has this very value, else the first that has anything to say. */
static void find(const struct say *say, const struct hit *h, struct found *ret)
{
	int vague = 0;

	for (int i = 0; i < h->context_count; i++) {
		find_in(say, h, (enum code_context)h->contexts[i], ret);
		if (ret->count > 0 && (h->context_count == 1 || is_exact(&ret->answers[0])))
			return;
		if (ret->count > 0 && vague == 0)
			vague = i + 1;
	}
	if (h->context_count > 1)
		find_in(say, h, (enum code_context)h->contexts[vague > 0 ? vague - 1 : 0], ret);
}

/* What may be no code at all is said only where a table has that very value. */
static bool worth_saying(const struct hit *h, const struct found *f)
{
	const struct code_answer *best = &f->answers[0];

	if (h->strong)
		return true;
	if (f->count == 0 || (h->kind == HIT_ERR && h->has_number && h->number == 0))
		return false;
	switch (h->kind) {
	case HIT_WORD:
	case HIT_RESULT:
		return !h->assumed || (h->number != 0 && is_exact(best));
	case HIT_BARE:
		return is_exact(best) || is_foreign(best);
	case HIT_ERROR:
	case HIT_NAME:
	case HIT_ERRNO:
		return is_exact(best);
	default:
		return true;
	}
}

static void put_name(struct out *o, const struct found *f)
{
	for (int i = 0; i < answers_shown(f->answers, f->count); i++) {
		const char *name = f->answers[i].row->name;

		if (name == NULL)
			continue;
		out_str(o, " name=");
		text_escape(o, span_of(name, strlen(name)), true);
		break;
	}
}

static void put_advice(struct out *o, const struct found *f)
{
	const struct code_answer *a = &f->answers[0];
	enum code_class cls = answer_class(a);

	if (cls != CLASS_OK && cls != CLASS_UNKNOWN) {
		if (answer_origin(a) != ORIGIN_NONE) {
			out_str(o, " origin=");
			out_str(o, code_origin_name(answer_origin(a)));
		}
		if (answer_retry(a) != RETRY_NA) {
			out_str(o, " retry=");
			out_str(o, code_retry_name(answer_retry(a)));
		}
	}
	out_str(o, " table=");
	answers_tables(o, f->answers, f->count);
}

static void say_one(const struct say *say, const struct hit *h, const struct found *f,
		    struct out *o)
{
	out_put(o, h->text, h->len);
	out_char(o, ' ');
	out_str(o, code_context_name(f->context));
	if (h->assumed)
		out_char(o, '?');
	out_char(o, ' ');
	answer_text(o, f->answers, answers_shown(f->answers, f->count), say->lang);
	if (f->count > 0 && h->kind != HIT_NAME)
		put_name(o, f);
	if (f->count > 0)
		put_advice(o, f);
}

void say_hits(const struct say *say, const struct scan *s, struct out *o)
{
	const struct code_row *seen[SEEN_MAX];
	int said = 0;

	for (int i = 0; i < s->count; i++) {
		const struct hit *h = &s->hits[i];
		bool again = false;
		struct found f;

		find(say, h, &f);
		if (!worth_saying(h, &f))
			continue;
		/* The name beside its number says nothing new. */
		for (int k = 0; k < said && f.count > 0 && h->kind == HIT_NAME; k++)
			again = again || seen[k] == f.answers[0].row;
		if (again)
			continue;
		out_str(o, said > 0 ? "; " : say->color ? "  \x1b[36m# " : "  # ");
		say_one(say, h, &f, o);
		seen[said++] = f.count > 0 ? f.answers[0].row : NULL;
	}
	if (said > 0 && s->more)
		out_str(o, "; …");
	if (said > 0 && say->color)
		out_str(o, "\x1b[0m");
}
