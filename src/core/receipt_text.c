#include "core/receipt_text.h"
#include "smscope/text.h"

/*
 * Everyone writes it differently:
 *
 *     id:IIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm
 *     stat:DDDDDDD err:EEE text:…
 *
 * Labels are found anywhere, case-blind; a value ends at the next label, not at a blank. The first
 * of each label counts, unless nothing stands behind it.
 * Source: SMPP 3.4, appendix B; of its variations: captures and public issue trackers.
 */

/* Words of a stat, by message_state; and some of a few gateways, of which none is final. */
struct word {
	const char *text;
	size_t n;
};

#define WORD(s) { s, sizeof(s) - 1 }

static const struct word state_words[] = {
	WORD("SCHEDULED"), WORD("ENROUTE"), WORD("DELIVRD"), WORD("EXPIRED"), WORD("DELETED"),
	WORD("UNDELIV"), WORD("ACCEPTD"), WORD("UNKNOWN"), WORD("REJECTD"), WORD("SKIPPED"),
};
static const struct word interim_words[] = {
	WORD("ACKED"), WORD("BUFFRED"), WORD("BUFFERD"), WORD("BUFFERED"),
};

enum { STATES = sizeof(state_words) / sizeof(*state_words) };
enum { STATE_SCHEDULED = 0, STATE_ENROUTE = 1, STATE_ACCEPTED = 6 };
enum { GSM_UNDERSCORE = 0x11 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(uint8_t c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '_' ||
	       c == GSM_UNDERSCORE;
}

struct span receipt_first_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (receipt_is_blank(s.p[i]))
			return span_of(s.p, i);
	}
	return s;
}

/* Which of the words is `s`, written in whatever case? -1: none. */
static int word_of(struct span s, const struct word *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		if (s.n != words[i].n)
			continue;
		while (same < s.n && lower(s.p[same]) == lower((uint8_t)words[i].text[same]))
			same++;
		if (same == s.n)
			return (int)i;
	}
	return -1;
}

struct span receipt_stat_word(struct span stat)
{
	size_t n = 0;

	while (n < stat.n && (is_word(stat.p[n]) || stat.p[n] == '-'))
		n++;
	if (n == 0 || (stat.n - n > 1 && stat.p[n] == ':' && is_digit(stat.p[n + 1])))
		return stat;
	return span_of(stat.p, n);
}

int receipt_state_of(struct span stat)
{
	int state = word_of(stat, state_words, STATES);

	return state >= 0 ? state : word_of(receipt_stat_word(stat), state_words, STATES);
}

const char *receipt_state_word(int state)
{
	return state >= 0 && state < STATES ? state_words[state].text : NULL;
}

/* ACCEPTD is final in the specification and "taken over, more to come" from most gateways. */
bool receipt_is_interim(int state, struct span stat)
{
	if (state >= 0)
		return state == STATE_SCHEDULED || state == STATE_ENROUTE ||
		       state == STATE_ACCEPTED;
	return word_of(receipt_stat_word(stat), interim_words,
		       sizeof(interim_words) / sizeof(*interim_words)) >= 0;
}

/* Where `word`, in lower case, begins if it ends at `end`; NULL if it does not. */
static const uint8_t *word_before(struct span s, const uint8_t *end, const char *word, size_t n)
{
	const uint8_t *p;

	if ((size_t)(end - s.p) < n)
		return NULL;
	p = end - n;
	for (size_t i = 0; i < n; i++) {
		if (lower(p[i]) != (uint8_t)word[i])
			return NULL;
	}
	return p;
}

/* "submit date", "done_date", "donedate": what stands before "date". */
static enum label date_label(struct span s, const uint8_t *date, const uint8_t **ret_start)
{
	while (date > s.p &&
	       (receipt_is_blank(date[-1]) || date[-1] == '_' || date[-1] == GSM_UNDERSCORE))
		date--;
	if ((*ret_start = word_before(s, date, "submit", 6)) != NULL)
		return L_SUBMIT;
	return (*ret_start = word_before(s, date, "done", 4)) != NULL ? L_DONE : L_NONE;
}

/* The label's word that ends at `end`, its first octet in *ret_start; its last letter tells which. */
static enum label word_label(struct span s, const uint8_t *end, const uint8_t **ret_start)
{
	switch (end > s.p ? lower(end[-1]) : 0) {
	case 'd':
		if ((*ret_start = word_before(s, end, "id", 2)) != NULL)
			return L_ID;
		return (*ret_start = word_before(s, end, "dlvrd", 5)) != NULL ? L_DLVRD : L_NONE;
	case 'b':
		return (*ret_start = word_before(s, end, "sub", 3)) != NULL ? L_SUB : L_NONE;
	case 't':
		if ((*ret_start = word_before(s, end, "stat", 4)) != NULL)
			return L_STAT;
		return (*ret_start = word_before(s, end, "text", 4)) != NULL ? L_TEXT : L_NONE;
	case 's':
		return (*ret_start = word_before(s, end, "status", 6)) != NULL ? L_STAT : L_NONE;
	case 'r':
		return (*ret_start = word_before(s, end, "err", 3)) != NULL ? L_ERR : L_NONE;
	case 'e':
		*ret_start = word_before(s, end, "date", 4);
		return *ret_start != NULL ? date_label(s, *ret_start, ret_start) : L_NONE;
	default:
		return L_NONE;
	}
}

/* The label that ends at the colon, its first octet in *ret_start: a word of its own. */
static enum label label_at(struct span s, const uint8_t *colon, const uint8_t **ret_start)
{
	enum label l;

	while (colon > s.p && receipt_is_blank(colon[-1]))
		colon--;
	l = word_label(s, colon, ret_start);
	return l != L_NONE && *ret_start > s.p && is_word((*ret_start)[-1]) ? L_NONE : l;
}

/* Fields one after the other: `open` is the label whose value begins at `value`. */
struct fields {
	struct span all;
	const uint8_t *at, *start, *value;
	enum label open;
};

static struct fields fields_of(struct span s)
{
	return (struct fields){ s, s.p, s.p, s.p, L_NONE };
}

static struct span rest_of(const struct fields *f, const uint8_t *from)
{
	return span_of(from, (size_t)(f->all.p + f->all.n - from));
}

/*
 * A code can begin with what is a label elsewhere: "err:ID:0005", "stat:ERR:021". A label directly
 * behind the colon of stat or err is one, and so is an id: behind a blank, if the id is known.
 */
static bool is_code(const struct fields *f, enum label found, const struct labels *l)
{
	struct span between = span_of(f->value, (size_t)(f->start - f->value));

	if ((f->open != L_STAT && f->open != L_ERR) || (found != L_ID && found != L_ERR))
		return false;
	return between.n == 0 ||
	       (found == L_ID && l->seen[L_ID] && receipt_trim(between).n == 0);
}

/* The next label: `start` is its first octet, `at` behind its colon. L_NONE: both are the end. */
static enum label next_label(struct fields *f, const struct labels *l)
{
	struct span rest = rest_of(f, f->at);
	const uint8_t *colon;

	while (rest.n > 0 && (colon = memchr(rest.p, ':', rest.n)) != NULL) {
		enum label found = label_at(f->all, colon, &f->start);

		f->at = colon + 1;
		rest = rest_of(f, f->at);
		if (found != L_NONE && !is_code(f, found, l))
			return found;
	}
	f->at = f->start = rest.p + rest.n;
	return L_NONE;
}

/* The value of the label that is open: it ends where the next one starts. */
static struct span open_value(const struct fields *f)
{
	return receipt_trim(span_of(f->value, (size_t)(f->start - f->value)));
}

static void take(struct labels *l, enum label which, struct span value)
{
	if (which == L_NONE)
		return;
	if (l->value[which].n == 0)
		l->value[which] = value;
	l->count += !l->seen[which];
	l->seen[which] = true;
}

static bool is_one_word(enum label l, struct span s)
{
	return l == L_SUBMIT || l == L_DONE || receipt_first_word(s).n == s.n;
}

/*
 * Labels to the end of `s`, which begins with one. `strict`: each is new, has one word or a date
 * behind it, and nothing else follows; if not, false.
 */
static bool read_fields(struct span s, bool strict, struct labels *ret)
{
	struct fields f = fields_of(s);
	enum label next;

	do {
		next = next_label(&f, ret);
		if (strict && f.open != L_NONE &&
		    (ret->seen[f.open] || !is_one_word(f.open, open_value(&f))))
			return false;
		take(ret, f.open, open_value(&f));
		f.open = next;
		f.value = f.at;
	} while (next != L_NONE);
	return true;
}

/*
 * What follows "text:" is the message, whatever it says. But some do not write it last: if it
 * comes first, an id and a stat follow; else fields that were missing, and only those, to the end. A
 * field that was there shows that the message quotes a receipt. Returns where the message ends.
 */
static const uint8_t *read_behind_text(struct span s, struct labels *ret)
{
	struct fields f = fields_of(s);
	bool first = ret->count == 1;
	enum label l;

	while ((l = next_label(&f, ret)) != L_NONE && !ret->seen[l]) {
		struct labels more = *ret;
		struct span tail = rest_of(&f, f.start);

		if (f.start == s.p || !receipt_is_blank(f.start[-1]))
			continue;
		if (read_fields(tail, !first, &more) &&
		    (!first || (more.seen[L_ID] && more.seen[L_STAT]))) {
			*ret = more;
			return tail.p;
		}
		first = false;
	}
	return s.p + s.n;
}

static void read_labels(struct span s, struct labels *ret)
{
	struct fields f = fields_of(s);
	enum label next;

	ret->count = 0;
	for (int i = 0; i < L_COUNT; i++) {
		ret->value[i] = span_of(s.p, 0);
		ret->seen[i] = false;
	}
	do {
		next = next_label(&f, ret);
		take(ret, f.open, open_value(&f));
		f.open = next;
		f.value = f.at;
	} while (next != L_NONE && next != L_TEXT);
	if (next == L_NONE)
		return;
	take(ret, L_TEXT, span_of(f.value, 0));
	f.start = read_behind_text(rest_of(&f, f.value), ret);
	if (open_value(&f).n > 0)
		ret->value[L_TEXT] = open_value(&f);
}

enum order { ORDER_NONE, ORDER_BIG, ORDER_LITTLE };

/* Octets as text of two octets a character? Of each pair of an ASCII character one is zero. */
static enum order wide_order(struct span s)
{
	enum { ENOUGH = 6 }; /* no receipt has fewer; a NUL here and there is GSM's '@' */
	size_t big = 0, little = 0;

	for (size_t i = 0; i + 1 < s.n; i += 2) {
		big += s.p[i] == 0 && s.p[i + 1] != 0;
		little += s.p[i] != 0 && s.p[i + 1] == 0;
	}
	if (big >= ENOUGH && big > 2 * little)
		return ORDER_BIG;
	return little >= ENOUGH && little > 2 * big ? ORDER_LITTLE : ORDER_NONE;
}

/* UTF-16LE, by parts that do not end between the halves of a pair. */
static void decode_little(struct out *o, struct span s)
{
	uint8_t part[128];
	size_t n = 0;

	for (size_t i = 0; i + 1 < s.n; i += 2) {
		part[n++] = s.p[i + 1];
		part[n++] = s.p[i];
		if (n == sizeof(part) || (n > sizeof(part) - 4 && (s.p[i + 1] & 0xfc) != 0xd8)) {
			text_decode(o, CHARSET_UCS2, span_of(part, n));
			n = 0;
		}
	}
	text_decode(o, CHARSET_UCS2, span_of(part, n));
}

struct span labels_read(struct span octets, struct receipt *store, struct labels *ret)
{
	struct span narrow = receipt_trim(octets), wide;
	struct out o = out_of(store->store, sizeof(store->store));
	enum order order;
	struct labels l;

	store->store_len = 0;
	read_labels(narrow, ret);
	if (ret->count >= 2 || (order = wide_order(octets)) == ORDER_NONE)
		return narrow;
	if (order == ORDER_BIG)
		text_decode(&o, CHARSET_UCS2, span_of(octets.p, octets.n - octets.n % 2));
	else
		decode_little(&o, octets);
	wide = span_of(store->store, out_len(&o));
	read_labels(wide, &l);
	if (l.count <= ret->count)
		return narrow;
	store->store_len = wide.n;
	*ret = l;
	return wide;
}
