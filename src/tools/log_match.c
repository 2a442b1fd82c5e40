#include "tools/log_match.h"

#include <strings.h>

#include "smscope/receipt.h"
#include "smscope/record.h"

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool same_case(struct span a, struct span b)
{
	return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0;
}

static struct span text_of(const char *s)
{
	return span_of(s, strlen(s));
}

static struct span unpadded(struct span s)
{
	while (s.n > 1 && s.p[0] == '0')
		s = span_of(s.p + 1, s.n - 1);
	return s;
}

/* All of `s` as a number; false if it is none or has more than 64 bits. */
static bool number_of(struct span s, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] | 0x20;
		unsigned digit = c >= 'a' && c <= 'f' ? c - 'a' + 10u : s.p[i] - (unsigned)'0';

		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	*ret = v;
	return s.n > 0;
}

static bool same_value(struct span hex, struct span dec)
{
	uint64_t a, b;

	return number_of(hex, 16, &a) && number_of(dec, 10, &b) && a == b;
}

static bool same_octets(struct span wanted, struct span id)
{
	char text[40];
	uint64_t v;

	if (!(wanted.n == 16 && number_of(wanted, 16, &v)) &&
	    !(wanted.n > 16 && number_of(wanted, 10, &v)))
		return false;
	return same(span_of(text, msgid_text(v, text, sizeof(text))), id);
}

enum match id_match(struct span wanted, struct span id)
{
	if (wanted.n == 0 || id.n == 0)
		return MATCH_NONE;
	if (same(wanted, id))
		return MATCH_EXACT;
	if (same_case(wanted, id))
		return MATCH_CASE;
	if (same_case(unpadded(wanted), unpadded(id)))
		return MATCH_PADDING;
	if (same_value(wanted, id) || same_value(id, wanted))
		return MATCH_HEX_DEC;
	return same_octets(wanted, id) ? MATCH_OCTETS : MATCH_NONE;
}

const char *match_name(enum match m)
{
	static const char *const names[] = { "exact",   "case",   "padding", "number",
					     "hex_dec", "octets", "none" };

	return names[m];
}

const char *match_words(enum match m)
{
	static const char *const words[] = {
		[MATCH_EXACT] = "as written",
		[MATCH_CASE] = "but for upper and lower case",
		[MATCH_PADDING] = "but for leading zeros",
		[MATCH_NUMBER] = "as a telephone number",
		[MATCH_HEX_DEC] = "one hexadecimal, the other decimal",
		[MATCH_OCTETS] = "as the octets of a Msg_Id",
		[MATCH_NONE] = "not at all",
	};

	return words[m];
}

static bool begins(struct span s, struct span head)
{
	return s.n >= head.n && memcmp(s.p, head.p, head.n) == 0;
}

/* Do the last octets agree, as many as both have? */
static bool ends_alike(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	return memcmp(a.p + a.n - n, b.p + b.n - n, n) == 0;
}

/* What stands before and behind the mask; false if there is none. */
static bool masked(struct span s, struct span *ret_head, struct span *ret_tail)
{
	const uint8_t *mask = memmem(s.p, s.n, "****", 4);

	if (mask == NULL)
		return false;
	*ret_head = span_of(s.p, (size_t)(mask - s.p));
	*ret_tail = span_of(mask + 4, s.n - ret_head->n - 4);
	return true;
}

static struct span without_plus(struct span s)
{
	return s.n > 0 && s.p[0] == '+' ? span_of(s.p + 1, s.n - 1) : s;
}

/* Does the number, with the country code or without it, begin so? */
static bool head_agrees(struct span number, struct span head)
{
	static const char *const countries[] = { "86", "0086" };

	if (begins(number, head))
		return true;
	for (size_t i = 0; i < sizeof(countries) / sizeof(*countries); i++) {
		struct span code = text_of(countries[i]);
		char room[16];
		struct out o = out_of(room, sizeof(room));

		if (begins(number, code) &&
		    begins(span_of(number.p + code.n, number.n - code.n), head))
			return true;
		out_put(&o, code.p, code.n);
		out_put(&o, number.p, number.n);
		if (begins(span_of(room, out_len(&o)), head))
			return true;
	}
	return false;
}

bool number_match(struct span wanted, struct span shown)
{
	enum { WHOLE = 7 }; /* digits: fewer are the end of a number */
	struct span head, tail, wanted_head, wanted_tail;
	bool hides, asks_hidden;

	wanted = without_plus(wanted);
	shown = without_plus(shown);
	hides = masked(shown, &head, &tail);
	asks_hidden = masked(wanted, &wanted_head, &wanted_tail);
	if (wanted.n == 0 || shown.n == 0)
		return false;
	if (hides && asks_hidden)
		return head.n > 0 && same(head, wanted_head) && same(tail, wanted_tail);
	if (hides)
		return tail.n > 0 && ends_alike(tail, wanted) &&
		       (wanted.n < WHOLE || head_agrees(wanted, head));
	if (asks_hidden)
		return shown.n >= wanted_head.n + wanted_tail.n && wanted_tail.n > 0 &&
		       ends_alike(shown, wanted_tail) && head_agrees(shown, wanted_head);
	return ends_alike(wanted, shown) && (shown.n >= wanted.n || shown.n >= WHOLE);
}

/* "0x58" or "88". */
static bool code_value(struct span s, uint64_t *ret)
{
	if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x')
		return number_of(span_of(s.p + 2, s.n - 2), 16, ret);
	return number_of(s, 10, ret);
}

bool code_match(struct span wanted, struct span code)
{
	uint64_t a, b;

	return same_case(wanted, code) ||
	       (code_value(wanted, &a) && code_value(code, &b) && a == b);
}
