#include "tools/json_line.h"

/* What is left of the line. */
struct cursor {
	const uint8_t *p, *end;
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static uint8_t peek(const struct cursor *c)
{
	return c->p < c->end ? *c->p : 0;
}

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

/* Take `mark`, and the blanks before it. */
static bool take(struct cursor *c, uint8_t mark)
{
	skip_blanks(c);
	if (c->p == c->end || *c->p != mark)
		return false;
	c->p++;
	return true;
}

static int hex_of(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; their value, or -1. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_of(p[i]);

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/*
 * A character written as \uXXXX or, beyond U+FFFF, as a pair of them; `p` stands behind the first
 * "\u". Its octets behind there, 0 if it is none.
 */
static size_t escaped_rune(const uint8_t *p, const uint8_t *end, uint32_t *ret)
{
	int32_t high = hex4(p, end), low;

	if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0;
	*ret = (uint32_t)high;
	if (high < 0xd800 || high > 0xdbff)
		return 4;
	if (end - p < 10 || p[4] != '\\' || p[5] != 'u')
		return 0;
	low = hex4(p + 6, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*ret = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
	return 10;
}

/* Octets of the character beyond ASCII at p; 0 if it is not well-formed: Unicode, table 3-7. */
static size_t rune_len(const uint8_t *p, const uint8_t *end)
{
	uint8_t low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80;
	uint8_t high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;
	size_t n = *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	if (n == 0 || (size_t)(end - p) < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* One character of a string, its escape included; 0 if it may not stand there. */
static size_t string_step(const uint8_t *p, const uint8_t *end)
{
	uint32_t rune;
	size_t n;

	if (*p >= 0x80)
		return rune_len(p, end);
	if (*p != '\\')
		return *p >= ' ';
	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
	n = escaped_rune(p + 2, end, &rune);
	return n > 0 ? n + 2 : 0;
}

/* A string, from its quote on. */
static bool take_string(struct cursor *c, struct span *ret)
{
	const uint8_t *start;
	size_t n;

	if (!take(c, '"'))
		return false;
	for (start = c->p; c->p < c->end && *c->p != '"'; c->p += n) {
		n = string_step(c->p, c->end);
		if (n == 0)
			return false;
	}
	*ret = span_of(start, (size_t)(c->p - start));
	return take(c, '"');
}

static bool take_digits(struct cursor *c)
{
	const uint8_t *start = c->p;

	while (is_digit(peek(c)))
		c->p++;
	return c->p > start;
}

static bool take_number(struct cursor *c)
{
	if (peek(c) == '-')
		c->p++;
	if (peek(c) == '0')
		c->p++;
	else if (!take_digits(c))
		return false;
	if (peek(c) == '.') {
		c->p++;
		if (!take_digits(c))
			return false;
	}
	if (peek(c) == 'e' || peek(c) == 'E') {
		c->p++;
		if (peek(c) == '+' || peek(c) == '-')
			c->p++;
		return take_digits(c);
	}
	return true;
}

static bool take_word(struct cursor *c, const char *word, uint8_t type, struct json_line_value *ret)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	*ret = (struct json_line_value){ type, span_of(c->p, n) };
	c->p += n;
	return true;
}

/* Any value but a list and an object. */
static bool take_scalar(struct cursor *c, struct json_line_value *ret)
{
	const uint8_t *start;

	skip_blanks(c);
	start = c->p;
	switch (peek(c)) {
	case '"':
		ret->type = JSON_LINE_STRING;
		return take_string(c, &ret->text);
	case 't':
		return take_word(c, "true", JSON_LINE_TRUE, ret);
	case 'f':
		return take_word(c, "false", JSON_LINE_FALSE, ret);
	case 'n':
		return take_word(c, "null", JSON_LINE_NULL, ret);
	default:
		if (!take_number(c))
			return false;
		*ret = (struct json_line_value){ JSON_LINE_NUMBER,
						 span_of(start, (size_t)(c->p - start)) };
		return true;
	}
}

static bool take_key(struct cursor *c, struct span *ret)
{
	return take_string(c, ret) && take(c, ':');
}

/* A list or an object with all that is in it: checked, not kept. */
static int take_nested(struct cursor *c)
{
	uint8_t closing[JSON_LINE_DEPTH];
	struct json_line_value value;
	struct span key;
	int depth = 0;

	do {
		uint8_t open;
		bool opened;

		skip_blanks(c);
		open = peek(c);
		opened = open == '{' || open == '[';
		if (opened) {
			if (depth == JSON_LINE_DEPTH - 1)
				return SM_EFULL;
			closing[depth++] = open == '{' ? '}' : ']';
			c->p++;
			skip_blanks(c);
			if (peek(c) != closing[depth - 1]) {
				if (open == '{' && !take_key(c, &key))
					return SM_EFORMAT;
				continue;
			}
		} else if (!take_scalar(c, &value)) {
			return SM_EFORMAT;
		}
		while (depth > 0 && take(c, closing[depth - 1]))
			depth--;
		if (depth > 0 && !take(c, ','))
			return SM_EFORMAT;
		if (depth > 0 && closing[depth - 1] == '}' && !take_key(c, &key))
			return SM_EFORMAT;
	} while (depth > 0);
	return SM_OK;
}

static int take_value(struct cursor *c, struct json_line_value *ret)
{
	const uint8_t *start;
	int rc;

	skip_blanks(c);
	start = c->p;
	if (peek(c) != '{' && peek(c) != '[')
		return take_scalar(c, ret) ? SM_OK : SM_EFORMAT;
	rc = take_nested(c);
	ret->type = *start == '{' ? JSON_LINE_OBJECT : JSON_LINE_LIST;
	ret->text = span_of(start, (size_t)(c->p - start));
	return rc;
}

static int take_object(struct cursor *c, struct json_line *l)
{
	l->count = 0;
	if (!take(c, '{'))
		return SM_EFORMAT;
	if (take(c, '}'))
		return SM_OK;
	do {
		struct json_line_member *m = &l->at[l->count];
		int rc;

		if (l->count == JSON_LINE_MEMBERS)
			return SM_EFULL;
		if (!take_key(c, &m->key))
			return SM_EFORMAT;
		rc = take_value(c, &m->value);
		if (rc != SM_OK)
			return rc;
		l->count++;
	} while (take(c, ','));
	return take(c, '}') ? SM_OK : SM_EFORMAT;
}

int json_line_read(struct json_line *l, struct span line)
{
	struct cursor c = { line.p, line.p + line.n };
	int rc;

	if (line.n > JSON_LINE_MAX)
		return SM_ELEN;
	rc = take_object(&c, l);
	skip_blanks(&c);
	return rc != SM_OK || c.p == c.end ? rc : SM_EFORMAT;
}

bool json_line_item(const struct json_line_value *list, size_t *at, struct json_line *ret)
{
	struct cursor c = { list->text.p + *at, list->text.p + list->text.n };

	if (list->type != JSON_LINE_LIST || !take(&c, *at == 0 ? '[' : ','))
		return false;
	if (take_object(&c, ret) != SM_OK)
		return false;
	*at = (size_t)(c.p - list->text.p);
	return true;
}

static void put_rune(struct out *o, uint32_t c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	out_put(o, s, n);
}

/* What stands for an escape of one letter. */
static char letter_of(uint8_t c)
{
	static const char letters[] = "bfnrt", octets[] = "\b\f\n\r\t";
	const char *at = strchr(letters, c);

	return at != NULL ? octets[at - letters] : (char)c;
}

void json_line_text(struct out *o, const struct json_line_value *v)
{
	const uint8_t *p = v->text.p, *end = p + v->text.n;

	if (v->type != JSON_LINE_STRING) {
		out_put(o, p, v->text.n);
		return;
	}
	while (p < end) {
		const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
		uint32_t rune = 0;

		out_put(o, p, (size_t)((slash != NULL ? slash : end) - p));
		if (slash == NULL)
			return;
		p = slash + 2;
		if (slash[1] == 'u') {
			p += escaped_rune(p, end, &rune);
			put_rune(o, rune);
		} else {
			out_char(o, letter_of(slash[1]));
		}
	}
}

bool json_line_is(const struct json_line_value *v, const char *text)
{
	char room[128];
	struct out o = out_of(room, sizeof(room));
	size_t n = strlen(text);

	if (v == NULL || v->type != JSON_LINE_STRING)
		return false;
	if (memchr(v->text.p, '\\', v->text.n) == NULL)
		return v->text.n == n && memcmp(v->text.p, text, n) == 0;
	json_line_text(&o, v);
	return !o.full && out_len(&o) == n && memcmp(room, text, n) == 0;
}

const struct json_line_value *json_line_find(const struct json_line *l, const char *key)
{
	for (int i = l->count - 1; i >= 0; i--) {
		struct json_line_value k = { JSON_LINE_STRING, l->at[i].key };

		if (json_line_is(&k, key))
			return &l->at[i].value;
	}
	return NULL;
}

bool json_line_uint(const struct json_line_value *v, uint64_t *ret)
{
	uint64_t n = 0;

	if (v == NULL || v->type != JSON_LINE_NUMBER)
		return false;
	for (size_t i = 0; i < v->text.n; i++) {
		uint8_t digit = (uint8_t)(v->text.p[i] - '0');

		if (digit > 9 || n > UINT64_MAX / 10 || n * 10 > UINT64_MAX - digit)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}
