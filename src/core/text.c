#include "smscope/text.h"

/*
 * Escaping. What must not reach a terminal, a log or a page as it is, is found once, in
 * rune_hidden(), for the text log and for JSON alike.
 */

void out_dec(struct out *o, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	out_put(o, digits + at, sizeof(digits) - at);
}

void out_hex(struct out *o, uint64_t v, int width)
{
	char digits[16];
	int at = (int)sizeof(digits);

	do {
		digits[--at] = "0123456789ABCDEF"[v & 15];
		v >>= 4;
	} while (at > 0 && (v != 0 || (int)sizeof(digits) - at < width));
	out_put(o, digits + at, sizeof(digits) - (size_t)at);
}

void out_octets(struct out *o, struct span s)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++)
		out_put(o, (const char[]){ digit[s.p[i] >> 4], digit[s.p[i] & 15] }, 2);
}

void out_fmt(struct out *o, const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		o->full = true;
		n = (int)sizeof(line) - 1;
	}
	out_put(o, line, (size_t)n);
}

/* Append all of it or nothing, so that no escape and no character is ever cut. */
static void put_whole(struct out *o, const char *p, size_t n)
{
	if (o->full || n > (size_t)(o->end - o->pos)) {
		o->full = true;
		return;
	}
	memcpy(o->pos, p, n);
	o->pos += n;
}

/*
 * The character at the head of `s` (not empty) as well-formed UTF-8: its length, its code in
 * *ret_rune; 0 if the octet does not begin one. Source: Unicode, table 3-7.
 */
static size_t rune_read(struct span s, uint32_t *ret_rune)
{
	uint8_t head = s.p[0], low = 0x80, high = 0xbf;
	uint32_t rune;
	size_t n;

	if (head < 0x80) {
		*ret_rune = head;
		return 1;
	}
	if (head < 0xc2 || head > 0xf4)
		return 0;
	n = head < 0xe0 ? 2 : head < 0xf0 ? 3 : 4;
	if (s.n < n)
		return 0;
	if (head == 0xe0)
		low = 0xa0; /* overlong */
	else if (head == 0xed)
		high = 0x9f; /* surrogates */
	else if (head == 0xf0)
		low = 0x90;
	else if (head == 0xf4)
		high = 0x8f;
	rune = head & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (s.p[i] < low || s.p[i] > high)
			return 0;
		rune = rune << 6 | (s.p[i] & 0x3fu);
		low = 0x80;
		high = 0xbf;
	}
	*ret_rune = rune;
	return n;
}

/* Controls, and characters that cannot be seen or change how their neighbours are seen. */
static bool rune_hidden(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} hidden[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f },
		{ 0xad, 0xad },         /* soft hyphen */
		{ 0x34f, 0x34f },       /* grapheme joiner */
		{ 0x61c, 0x61c },       /* bidi mark */
		{ 0x115f, 0x1160 },     /* Hangul fillers */
		{ 0x17b4, 0x17b5 },     /* Khmer vowels without a shape */
		{ 0x180b, 0x180f },     /* Mongolian selectors */
		{ 0x200b, 0x200f },     /* zero width, bidi marks */
		{ 0x2028, 0x202e },     /* line and paragraph separators, bidi embedding */
		{ 0x2060, 0x206f },     /* word joiner, invisible operators, bidi isolates */
		{ 0x3164, 0x3164 },
		{ 0xfdd0, 0xfdef },     /* no characters */
		{ 0xfe00, 0xfe0f },     /* variation selectors: two names that look the same */
		{ 0xfeff, 0xfeff },     /* byte order mark */
		{ 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb },     /* interlinear annotation, and what shall be as invisible */
		{ 0xfffe, 0xffff },
		{ 0x13430, 0x1343f },   /* hieroglyph joiners */
		{ 0x1bca0, 0x1bca3 },   /* shorthand controls */
		{ 0x1d173, 0x1d17a },   /* beams and slurs */
		{ 0xe0000, 0xe0fff },   /* tags, more variation selectors */
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden) && c >= hidden[i].lo; i++) {
		if (c <= hidden[i].hi)
			return true;
	}
	return (c & 0xfffe) == 0xfffe; /* the last two of any plane are no characters */
}

/* ASCII that needs no thought in either form. */
static size_t plain_run(struct span s, bool bare)
{
	size_t i = 0;

	while (i < s.n && s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '\\' && s.p[i] != '"' &&
	       (!bare || (s.p[i] != ' ' && s.p[i] != '=')))
		i++;
	return i;
}

/* As much of a run of ASCII as fits. */
static void put_run(struct out *o, const uint8_t *p, size_t n)
{
	if (!o->full)
		out_put(o, p, n);
}

static void put_escape(struct out *o, const char *fmt, uint32_t v)
{
	static const char digit[] = "0123456789abcdef";
	char s[16];
	size_t n = 0;

	for (; *fmt != '\0'; fmt++) {
		if (*fmt >= '0' && *fmt <= '9') {
			for (int i = *fmt - '0'; i > 0; i--)
				s[n++] = digit[v >> (4 * (i - 1)) & 15];
		} else {
			s[n++] = *fmt;
		}
	}
	put_whole(o, s, n);
}

void text_escape(struct out *o, struct span s, bool bare)
{
	while (s.n > 0 && !o->full) {
		size_t n = plain_run(s, bare);
		uint32_t c;

		if (n > 0) {
			put_run(o, s.p, n);
		} else if ((n = rune_read(s, &c)) == 0) {
			put_escape(o, "\\x2", s.p[0]);
			n = 1;
		} else if (c == '\\') {
			put_whole(o, "\\\\", 2);
		} else if (bare && (c == ' ' || c == '"' || c == '=')) {
			put_escape(o, "\\x2", c);
		} else if (rune_hidden(c) || (bare && (c == 0xab || c == 0xbb))) {
			/* in a bare word also the marks of a meaning */
			put_escape(o, c > 0xffff ? "\\U8" : "\\u4", c);
		} else {
			put_whole(o, (const char *)s.p, n);
		}
		s = span_of(s.p + n, s.n - n);
	}
}

static void put_json_escape(struct out *o, uint32_t c)
{
	char pair[16];
	struct out both = out_of(pair, sizeof(pair));

	if (c <= 0xffff) {
		put_escape(o, "\\u4", c);
		return;
	}
	c -= 0x10000;
	put_escape(&both, "\\u4", 0xd800 + (c >> 10));
	put_escape(&both, "\\u4", 0xdc00 + (c & 0x3ff));
	put_whole(o, pair, out_len(&both));
}

void text_json(struct out *o, struct span s)
{
	while (s.n > 0 && !o->full) {
		size_t n = plain_run(s, false);
		uint32_t c;

		if (n > 0) {
			put_run(o, s.p, n);
		} else if ((n = rune_read(s, &c)) == 0 || c == 0) {
			put_escape(o, "\\\\x2", s.p[0]);
			n = 1;
		} else if (c == '\\' || c == '"') {
			put_whole(o, (const char[]){ '\\', (char)c }, 2);
		} else if (rune_hidden(c)) {
			put_json_escape(o, c);
		} else {
			put_whole(o, (const char *)s.p, n);
		}
		s = span_of(s.p + n, s.n - n);
	}
}

/*
 * Fewer than seven digits are no subscriber's number: short codes and alphanumeric senders are
 * shown. Numbers of seven to nine digits keep two octets at either end.
 */
void text_number(struct out *o, struct span s, enum mask mask)
{
	size_t digits = 0, head, tail;

	for (size_t i = 0; i < s.n; i++)
		digits += s.p[i] >= '0' && s.p[i] <= '9';
	if (mask == MASK_NONE || (mask == MASK_PART && digits < 7)) {
		text_escape(o, s, true);
		return;
	}
	if (s.n == 0)
		return;
	head = mask == MASK_FULL ? 0 : digits < 10 ? 2 : 3;
	tail = mask == MASK_FULL ? 0 : digits < 10 ? 2 : 4;
	text_escape(o, span_of(s.p, head), true);
	put_whole(o, "****", 4);
	text_escape(o, span_of(s.p + s.n - tail, tail), true);
}
