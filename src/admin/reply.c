#include "admin/reply.h"

#include <stdlib.h>

enum {
	TURN_ITEMS = 256,          /* that write little or nothing */
	TURN_OCTETS = 32 * 1024,   /* a turn ends after the item that reaches it */
	WORDS_MAX = 8,
};

_Static_assert(REPLY_TURN_MAX >= TURN_OCTETS + 2 * REPLY_ITEM_MAX + 3,
	"every octet may be a dot on a line of its own");

static bool is_text(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < 0x20 || line.p[i] > 0x7e)
			return false;
	return true;
}

/* The words of a line, which are separated by blanks; returns how many, WORDS_MAX + 1 at most. */
static int split(struct span line, struct span *ret)
{
	const uint8_t *p = line.p, *end = line.p + line.n;
	int n = 0;

	while (p < end && n <= WORDS_MAX) {
		const uint8_t *from;

		while (p < end && *p == ' ')
			p++;
		for (from = p; p < end && *p != ' '; p++)
			;
		if (p > from)
			ret[n++] = span_of(from, (size_t)(p - from));
	}
	return n;
}

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static int refuse(struct out *err, const char *what, struct span word, const char *then)
{
	enum { SHOWN = 32 };

	out_str(err, what);
	out_str(err, " \"");
	out_put(err, word.p, word.n < SHOWN ? word.n : SHOWN);
	out_str(err, word.n < SHOWN ? "\"; " : "...\"; ");
	out_str(err, then);
	return SM_EVALUE;
}

static int refuse_line(struct out *err, int code, const char *why)
{
	out_str(err, why);
	return code;
}

static int name_width(const struct settings *s)
{
	int width = (int)strlen("LINK");

	for (int i = 0; i < s->link_count; i++) {
		int n = (int)strlen(s->links[i].name);

		width = n > width ? n : width;
	}
	return width < REPLY_NAME_WIDTH ? width : REPLY_NAME_WIDTH;
}

int reply_begin(struct reply *r, const struct admin *a, struct span line, bool may_change,
	struct out *err)
{
	struct span words[WORDS_MAX + 1];
	const struct verb *v = verb_all();
	bool json = false;
	int n;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!is_text(line))
		return refuse_line(err, SM_EFORMAT, "this is no line of text");
	n = split(line, words);
	if (n == 0)
		return refuse_line(err, SM_EVALUE, "no verb; help lists them");
	if (n > WORDS_MAX)
		return refuse_line(err, SM_EVALUE, "too many words");
	while (v->name != NULL && !is(words[0], v->name))
		v++;
	if (v->name == NULL)
		return refuse(err, "no verb", words[0], "help lists them");
	for (int i = 1; i < n; i++) {
		if (!is(words[i], "--json") || v->json == NULL)
			return refuse(err, "no option", words[i], "help lists them");
		json = true;
	}
	if (v->changes && !may_change)
		return refuse(err, "not permitted:", words[0], "be root or the daemon's user");
	*r = (struct reply){ .admin = a, .verb = v, .part = json ? v->json : v->text,
		.name_width = name_width(a->settings), .unknown_link = -1 };
	return SM_OK;
}

/* An item's text behind what `o` holds, a dot before each dot that begins a line. */
static void put_lines(struct reply *r, struct out *o, const char *p, size_t n)
{
	for (const char *end = p + n; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl != NULL ? nl + 1 : end;

		if (!r->line_begun && *p == '.')
			out_char(o, '.');
		out_put(o, p, (size_t)(next - p));
		r->line_begun = nl == NULL;
		p = next;
	}
}

size_t reply_turn(struct reply *r, char *to, bool *ret_more)
{
	struct out o = out_of(to, REPLY_TURN_MAX), item;
	char text[REPLY_ITEM_MAX];

	for (int i = 0; i < TURN_ITEMS && out_len(&o) < TURN_OCTETS && r->part->item != NULL; i++) {
		item = out_of(text, sizeof(text));
		r->out = &item;
		if (r->part->item(r, r->item)) {
			r->item++;
			put_lines(r, &o, text, out_len(&item));
		} else {
			r->part++;
			r->item = 0;
		}
	}
	r->out = NULL;
	*ret_more = r->part->item != NULL;
	if (!*ret_more)
		out_str(&o, r->line_begun ? "\n.\n" : ".\n");
	return out_len(&o);
}

void reply_end(struct reply *r)
{
	free(r->sessions);
	free(r->unknown);
	r->sessions = NULL;
	r->unknown = NULL;
}

void reply_cell(struct reply *r, const char *s, int width)
{
	int n = (int)strlen(s);

	out_str(r->out, s);
	for (; n < width + 2; n++)
		out_char(r->out, ' ');
}
