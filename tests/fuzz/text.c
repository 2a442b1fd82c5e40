#include <jansson.h>
#include <stdlib.h>

#include "check.h"
#include "smscope/text.h"

/*
 * Text for people: whatever the octets, what is written is safe to show, can be read back, and is
 * never more than there is room for.
 */

enum { WRITTEN_MAX = 16 * 1024, INPUT_MAX = 1024, EVERY_CAP = 20 };

/* Every way to write; those from DECODE on are the charsets. */
enum way {
	BARE,
	ESCAPE,
	JSON,
	NUMBER,
	NUMBER_PART,
	NUMBER_NONE,
	DECODE,
	WAYS = DECODE + CHARSET_OTHER + 1
};

static void write_way(struct out *o, enum way way, struct span s)
{
	switch (way) {
	case BARE:
	case ESCAPE:
		text_escape(o, s, way == BARE);
		break;
	case JSON:
		text_json(o, s);
		break;
	case NUMBER:
	case NUMBER_PART:
	case NUMBER_NONE:
		text_number(o, s, (enum mask)(way - NUMBER));
		break;
	default:
		text_decode(o, (enum charset)(way - DECODE), s);
		break;
	}
}

/* What a JSON reader makes of the text inside a string; the caller releases. */
static json_t *parsed(const char *p, size_t n)
{
	char *quoted = malloc(n + 2);
	json_error_t error;
	json_t *j;

	CHECK(quoted != NULL);
	quoted[0] = quoted[n + 1] = '"';
	memcpy(quoted + 1, p, n);
	j = json_loadb(quoted, n + 2, JSON_DECODE_ANY, &error);
	CHECK(j != NULL && json_is_string(j));
	free(quoted);
	return j;
}

static bool one_word(const char *p, size_t n)
{
	return memchr(p, ' ', n) == NULL && memchr(p, '"', n) == NULL &&
	       memchr(p, '=', n) == NULL && memmem(p, n, "»", strlen("»")) == NULL;
}

static void check_written(enum way way, const char *p, size_t n)
{
	if (way < DECODE)
		check_shown(p, n);
	else
		check_utf8(p, n);
	if (way == JSON)
		json_decref(parsed(p, n));
	else if (way < DECODE && way != ESCAPE)
		CHECK(one_word(p, n));
}

/* With less room a beginning is written, in whole characters, and `full` says so. */
static void check_cap(enum way way, struct span s, const struct out *whole, size_t cap)
{
	char *to = malloc(cap);
	struct out o = out_of(to, cap);

	write_way(&o, way, s);
	CHECK(out_len(&o) <= cap && out_len(&o) <= out_len(whole));
	CHECK(o.full == (cap < out_len(whole)));
	CHECK(memcmp(to, whole->base, out_len(&o)) == 0);
	check_written(way, to, out_len(&o));
	free(to);
}

static void check_way(enum way way, struct span s, char *to)
{
	struct out whole = out_of(to, WRITTEN_MAX);
	size_t n;

	write_way(&whole, way, s);
	n = out_len(&whole);
	CHECK(!whole.full);
	check_written(way, to, n);
	for (size_t cap = 0; cap < n; cap += s.n <= EVERY_CAP ? 1 : 1 + n / 10)
		check_cap(way, s, &whole, cap);
	check_cap(way, s, &whole, n);
	if (n > 0)
		check_cap(way, s, &whole, n - 1);
}

static void put_utf8(struct out *o, unsigned long c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	out_put(o, s, n);
}

/* Undo text_escape(): \\ \xNN \uNNNN \UNNNNNNNN. */
static void unescape(struct out *o, const char *p, const char *end)
{
	while (p < end) {
		char digits[9] = "";
		size_t n;

		if (*p != '\\') {
			out_char(o, *p++);
			continue;
		}
		CHECK(end - p >= 2);
		n = p[1] == 'x' ? 2 : p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
		CHECK(p[1] == '\\' || (n > 0 && (size_t)(end - p) >= 2 + n));
		memcpy(digits, p + 2, n);
		CHECK(strspn(digits, "0123456789abcdef") == n);
		if (n == 0)
			out_char(o, '\\');
		else if (n == 2)
			out_char(o, (char)strtoul(digits, NULL, 16));
		else
			put_utf8(o, strtoul(digits, NULL, 16));
		p += 2 + n;
	}
}

static void check_read_back(struct span s, char *to, char *back)
{
	for (int bare = 0; bare <= 1; bare++) {
		struct out o = out_of(to, WRITTEN_MAX), b = out_of(back, WRITTEN_MAX);

		text_escape(&o, s, bare != 0);
		unescape(&b, to, o.pos);
		CHECK(out_len(&b) == s.n && memcmp(back, s.p, s.n) == 0);
	}
}

/* Text that is UTF-8 without NUL comes out of a JSON reader as it was; GSM 03.38 makes such of
 * anything. */
static void check_json_read_back(struct span s, char *to, char *back)
{
	struct out text = out_of(back, WRITTEN_MAX), o = out_of(to, WRITTEN_MAX);
	json_t *j;

	text_decode(&text, CHARSET_GSM, s);
	text_json(&o, span_of(back, out_len(&text)));
	j = parsed(to, out_len(&o));
	CHECK(json_string_length(j) == out_len(&text));
	CHECK(memcmp(json_string_value(j), back, out_len(&text)) == 0);
	json_decref(j);
}

/* Digits under the mask do not show: with others in their place the same is written. */
static void check_mask(struct span s, char *to, char *other)
{
	uint8_t *changed = check_copy(s.p, s.n);
	struct out a = out_of(to, WRITTEN_MAX), b = out_of(other, WRITTEN_MAX);
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool digit = s.p[i] >= '0' && s.p[i] <= '9';

		digits += digit;
		if (digit && i >= 3 && s.n - i > 4)
			changed[i] = (uint8_t)('0' + (s.p[i] - '0' + 1) % 10);
	}
	text_number(&a, s, MASK_PART);
	text_number(&b, span_of(changed, s.n), MASK_PART);
	CHECK(digits < 7 || (out_len(&a) == out_len(&b) && memcmp(to, other, out_len(&a)) == 0));
	a = out_of(to, WRITTEN_MAX);
	text_number(&a, s, MASK_FULL);
	CHECK(out_len(&a) == (s.n > 0 ? 4 : 0));
	free(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char to[WRITTEN_MAX], other[WRITTEN_MAX];
	uint8_t *copy;
	struct span s;

	if (size > INPUT_MAX)
		return 0;
	copy = check_copy(data, size);
	s = span_of(copy, size);
	for (int way = 0; way < WAYS; way++)
		check_way((enum way)way, s, to);
	check_read_back(s, to, other);
	check_json_read_back(s, to, other);
	check_mask(s, to, other);
	free(copy);
	return 0;
}
