#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>

#include "smscope/text.h"

static char buffer[4096];

static struct span literal(const char *s)
{
	return span_of(s, strlen(s));
}

static void same(const struct out *o, const char *want)
{
	if (out_len(o) != strlen(want) || memcmp(o->base, want, out_len(o)) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)out_len(o), o->base, want);
}

static void escapes(const void *p, size_t n, bool bare, const char *want)
{
	struct out o = out_of(buffer, sizeof(buffer));

	text_escape(&o, span_of(p, n), bare);
	same(&o, want);
}

#define ESCAPES(s, bare, want) escapes(s, sizeof(s) - 1, bare, want)

static void escape_what_cannot_be_seen(void **state)
{
	(void)state;
	ESCAPES("plain text", false, "plain text");
	ESCAPES("\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80", false,
		"\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80");
	ESCAPES("a\nb\r\n\0c\x1b[2J", false, "a\\u000ab\\u000d\\u000a\\u0000c\\u001b[2J");
	ESCAPES("\x7f", false, "\\u007f");
	/* C1, then NBSP */
	ESCAPES("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", false, "\\u0080\\u009b\\u009f\xc2\xa0");
	ESCAPES("\x9b", false, "\\x9b");
	ESCAPES("\xe2\x80\xae" "abc\xe2\x80\xac", false, "\\u202eabc\\u202c");
	ESCAPES("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e", false, "\\u2066\\u2069\\u200e");
	ESCAPES("\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf", false, "\\u200b\\u200d\\ufeff");
	ESCAPES("\xe2\x80\xa8\xe2\x80\xa9", false, "\\u2028\\u2029");
	ESCAPES("\xf3\xa0\x81\x81", false, "\\U000e0041");
	ESCAPES("a\\b", false, "a\\\\b");
}

/* Each character that is not seen or moves its neighbours, in both forms; and their neighbours, which are. */
static void escape_each(void **state)
{
	static const struct {
		const char *octets, *want;
	} rows[] = {
		{ "\xd8\x9c", "\\u061c" },                  /* Arabic letter mark */
		{ "\xe1\xa0\x8b", "\\u180b" },              /* Mongolian selector */
		{ "\xe2\x81\xa0", "\\u2060" },              /* word joiner */
		{ "\xe2\x81\xa4", "\\u2064" },              /* invisible plus */
		{ "\xe2\x80\xaa", "\\u202a" },
		{ "\xe2\x81\xa8", "\\u2068" },
		{ "\xef\xb7\x90", "\\ufdd0" },              /* no character */
		{ "\xef\xb8\x8f", "\\ufe0f" },              /* variation selector 16 */
		{ "\xef\xbf\xb9", "\\ufff9" }, { "\xef\xbf\xbb", "\\ufffb" },
		{ "\xef\xbf\xbf", "\\uffff" },
		{ "\xf0\x9d\x85\xb3", "\\U0001d173" },
		{ "\xf0\x9f\xbf\xbf", "\\U0001ffff" },
		{ "\xf3\xa0\x80\x81", "\\U000e0001" },      /* language tag */
		{ "\xf3\xa0\x84\x80", "\\U000e0100" },      /* variation selector 17 */
		{ "\xef\xbf\xbd", NULL }, { "\xe2\x80\x90", NULL }, { "\xc2\xa1", NULL },
		{ "\xf0\xa0\x80\x80", NULL }, { "%s%n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct span s = literal(rows[i].octets);
		struct out json = out_of(buffer + 2048, 1024);

		escapes(s.p, s.n, true, rows[i].want != NULL ? rows[i].want : rows[i].octets);
		text_json(&json, s);
		assert_int_equal(rows[i].want == NULL,
			out_len(&json) == s.n && memcmp(json.base, s.p, s.n) == 0);
	}
}

static void escape_what_is_no_utf8(void **state)
{
	(void)state;
	ESCAPES("\xc0\xaf", false, "\\xc0\\xaf");                   /* overlong / */
	ESCAPES("\xe0\x80\xaf", false, "\\xe0\\x80\\xaf");
	ESCAPES("\xf0\x80\x80\xaf", false, "\\xf0\\x80\\x80\\xaf");
	ESCAPES("\xc1\x81", false, "\\xc1\\x81");
	ESCAPES("\xed\xa0\x80", false, "\\xed\\xa0\\x80");          /* surrogate */
	ESCAPES("\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
	ESCAPES("\xff\xfe", false, "\\xff\\xfe");
	ESCAPES("\xe4\xb8", false, "\\xe4\\xb8");                   /* cut */
	ESCAPES("\xe4\xb8" "a", false, "\\xe4\\xb8a");
	ESCAPES("\x80" "a", false, "\\x80a");
}

/* What would end a value or begin another one. */
static void escape_bare(void **state)
{
	(void)state;
	ESCAPES("a b=c\"d", true, "a\\x20b\\x3dc\\x22d");
	ESCAPES("a b=c\"d", false, "a b=c\"d");
	ESCAPES("\xc2\xab" "ok\xc2\xbb", true, "\\u00abok\\u00bb");
	ESCAPES("1\n2026-11-21 FAKE seq=1", true, "1\\u000a2026-11-21\\x20FAKE\\x20seq\\x3d1");
}

/* Cut anywhere, an escape or a character is there whole or not at all. */
static void escape_into_little_room(void **state)
{
	static const char text[] = "a\n\xe4\xb8\xad\xff";
	static const char whole[] = "a\\u000a\xe4\xb8\xad\\xff";
	static const size_t ends[] = { 0, 1, 7, 10, 14 };

	(void)state;
	for (size_t cap = 0; cap <= sizeof(whole); cap++) {
		struct out o = out_of(buffer, cap);
		bool is_end = false;

		text_escape(&o, literal(text), false);
		for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
			is_end = is_end || out_len(&o) == ends[i];
		assert_true(is_end);
		assert_memory_equal(buffer, whole, out_len(&o));
		assert_int_equal(o.full, cap < sizeof(whole) - 1);
	}
}

static json_t *json_of(struct span s, size_t cap)
{
	struct out o = out_of(buffer, sizeof(buffer));
	struct out inner;

	out_str(&o, "[\"");
	inner = out_of(o.pos, cap);
	text_json(&inner, s);
	o.pos = inner.pos;
	out_str(&o, "\"]");
	return json_loadb(buffer, out_len(&o), 0, NULL);
}

static void json_of_anything(void **state)
{
	uint64_t seed = 88172645463325252u;
	uint8_t octets[200];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = seed % sizeof(octets), cap = round % 3 == 0 ? (seed >> 20) % 100 : 3000;
		json_t *value;

		for (size_t i = 0; i < n; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			octets[i] = (uint8_t)(seed >> (round % 2 == 0 ? 11 : 9) &
				(round % 5 == 0 ? 0xff : 0xef));
		}
		seed += 0x9e3779b97f4a7c15u;
		value = json_of(span_of(octets, n), cap);
		if (value == NULL)
			fail_msg("round %d is no JSON: %.300s", round, buffer);
		json_decref(value);
	}
}

static void json_keeps_what_it_says(void **state)
{
	static const char text[] = "\"q\"\\ \x01\x7f \xe2\x80\xae \xf3\xa0\x81\x81 \xe4\xb8\xad";
	static const char bad[] = "a\xff" "b";
	json_t *value = json_of(literal(text), 1000);

	(void)state;
	assert_non_null(value);
	assert_string_equal(json_string_value(json_array_get(value, 0)), text);
	assert_null(strstr(buffer, "\xe2\x80\xae"));
	json_decref(value);
	value = json_of(literal(bad), 1000);
	assert_string_equal(json_string_value(json_array_get(value, 0)), "a\\xffb");
	json_decref(value);
}

static void numbers(void **state)
{
	static const struct {
		const char *in;
		enum mask mask;
		const char *want;
	} rows[] = {
		{ "13800138000", MASK_PART, "138****8000" },
		  { "8613800138000", MASK_PART, "861****8000" },
		{ "13800138000", MASK_FULL, "****" }, { "13800138000", MASK_NONE, "13800138000" },
		{ "12345678", MASK_PART, "12****78" }, { "1069", MASK_PART, "1069" },
		  { "GTBank", MASK_PART, "GTBank" },
		{ "", MASK_PART, "" }, { "", MASK_FULL, "" },
		  { "a b=\n", MASK_NONE, "a\\x20b\\x3d\\u000a" },
		{ "13\n00138000", MASK_PART, "13\\u000a****8000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct out o = out_of(buffer, sizeof(buffer));

		text_number(&o, literal(rows[i].in), rows[i].mask);
		same(&o, rows[i].want);
	}
}

static void decodes(enum charset c, const void *p, size_t n, const char *want)
{
	struct out o = out_of(buffer, sizeof(buffer));
	uint8_t *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, p, n);
	text_decode(&o, c, span_of(copy, n));
	same(&o, want);
	free(copy);
}

#define DECODES(c, s, want) decodes(c, s, sizeof(s) - 1, want)
#define FFFD "\xef\xbf\xbd"

static void decode_ucs2(void **state)
{
	(void)state;
	DECODES(CHARSET_UCS2, "\x6d\x4b\x8b\xd5\0A", "\xe6\xb5\x8b\xe8\xaf\x95" "A");
	DECODES(CHARSET_UCS2, "\xd8\x3d\xde\x00", "\xf0\x9f\x98\x80");          /* a pair */
	DECODES(CHARSET_UCS2, "\xd8\x3d\0A", FFFD "A");                         /* half of one */
	DECODES(CHARSET_UCS2, "\xde\x00\0A", FFFD "A");
	DECODES(CHARSET_UCS2, "\0A\xd8\x3d", "A" FFFD);
	DECODES(CHARSET_UCS2, "\xd8\x3d\xd8\x3d\xde\x00", FFFD "\xf0\x9f\x98\x80");
	DECODES(CHARSET_UCS2, "\0A\x6d", "A" FFFD);                             /* odd */
	DECODES(CHARSET_UCS2, "\x6d", FFFD);
	DECODES(CHARSET_UCS2, "", "");
}

static void decode_gb18030(void **state)
{
	(void)state;
	/* Msg_Content of vectors.json, cmpp-submit-20-multi */
	DECODES(CHARSET_GB18030, "\xd6\xd0\xce\xc4\xb2\xe2\xca\xd4",
		"\xe4\xb8\xad\xe6\x96\x87\xe6\xb5\x8b\xe8\xaf\x95");
	DECODES(CHARSET_GB18030, "ok\xd6", "ok" FFFD);                          /* cut */
	DECODES(CHARSET_GB18030, "\xd6\xd0\xff" "a", "\xe4\xb8\xad" FFFD "a");
	DECODES(CHARSET_GB18030, "\x95\x32\x82\x36", "\xf0\xa0\x80\x80");       /* four octets */
	DECODES(CHARSET_GB18030, "\x95\x32\x82", FFFD "2" FFFD);
	DECODES(CHARSET_GB18030, "", "");
}

static void decode_gsm(void **state)
{
	(void)state;
	DECODES(CHARSET_GSM, "Hello\x00\x02\x11", "Hello@$_");
	DECODES(CHARSET_GSM, "\x1b\x65\x1b\x3c\x1b\x3e", "\xe2\x82\xac[]");
	/* escape at the end */
	DECODES(CHARSET_GSM, "a\x1b", "a" FFFD);
	/* escape of nothing */
	DECODES(CHARSET_GSM, "\x1b" "a", FFFD "a");
	DECODES(CHARSET_GSM, "\x1b\x1b\x65", FFFD "\xe2\x82\xac");
	DECODES(CHARSET_GSM, "\x80\xff", FFFD FFFD);
	DECODES(CHARSET_GSM, "\x10\x24\x40\x5b\x60\x7f",
		"\xce\x94\xc2\xa4\xc2\xa1\xc3\x84\xc2\xbf\xc3\xa0");
}

static void decode_others(void **state)
{
	(void)state;
	DECODES(CHARSET_ASCII, "a\x80z", "a" FFFD "z");
	DECODES(CHARSET_LATIN1, "a\xe9", "a\xc3\xa9");
	DECODES(CHARSET_CYRILLIC, "\xb4\xd0", "\xd0\x94\xd0\xb0");
	DECODES(CHARSET_HEBREW, "\xe9\xff", "\xd7\x99" FFFD);
	DECODES(CHARSET_JIS, "\x1b$B$\"\x1b(Ba", "\xe3\x81\x82" "a");
	DECODES(CHARSET_JIS, "a\x1b", "a" FFFD);
	DECODES(CHARSET_KOREAN, "\xb0\xa1\xb0", "\xea\xb0\x80" FFFD);
	DECODES(CHARSET_BINARY, "\x00\xff\x1b", "00ff1b");
	DECODES(CHARSET_OTHER, "\x00\xff", "00ff");
}

/* Whatever comes in, and however little room there is, what comes out is whole UTF-8. */
static void decode_into_little_room(void **state)
{
	static const char text[] = "\x6d\x4b\x8b\xd5\xd8\x3d\xde\x01\xd6\xd0\xff";

	(void)state;
	for (int c = CHARSET_GSM; c <= CHARSET_OTHER; c++) {
		for (size_t cap = 0; cap < 48; cap++) {
			struct out o = out_of(buffer, cap), e = out_of(buffer + 1024, 1024);

			text_decode(&o, (enum charset)c, span_of(text, sizeof(text) - 1));
			assert_true(out_len(&o) <= cap);
			text_json(&e, span_of(buffer, out_len(&o)));
			*e.pos = '\0';
			assert_null(strstr(buffer + 1024, "\\x"));
		}
	}
}

static void charsets(void **state)
{
	(void)state;
	assert_int_equal(text_charset("smpp", 0), CHARSET_GSM);
	assert_int_equal(text_charset("cmpp", 0), CHARSET_ASCII);
	assert_int_equal(text_charset("smpp", 8), CHARSET_UCS2);
	assert_int_equal(text_charset("cmpp", 8), CHARSET_UCS2);
	assert_int_equal(text_charset("cmpp", 15), CHARSET_GB18030);
	assert_int_equal(text_charset("smpp", 3), CHARSET_LATIN1);
	assert_int_equal(text_charset("cmpp", 3), CHARSET_BINARY);
	assert_int_equal(text_charset("smpp", 0x18), CHARSET_UCS2);
	assert_int_equal(text_charset("smpp", 0xf4), CHARSET_BINARY);
	assert_int_equal(text_charset("smpp", 0xf0), CHARSET_GSM);
	assert_int_equal(text_charset("cmpp", 0xf6), CHARSET_BINARY);
	for (int i = 0; i < 256; i++) {
		assert_non_null(text_charset_name(text_charset("smpp", (uint8_t)i)));
		assert_non_null(text_charset_name(text_charset("cmpp", (uint8_t)i)));
	}
}

static void digits(void **state)
{
	struct out o = out_of(buffer, sizeof(buffer));

	(void)state;
	out_dec(&o, 0);
	out_char(&o, ' ');
	out_dec(&o, UINT64_MAX);
	out_char(&o, ' ');
	out_hex(&o, 0, 1);
	out_char(&o, ' ');
	out_hex(&o, 0x58, 8);
	out_char(&o, ' ');
	out_hex(&o, UINT64_MAX, 99);
	out_char(&o, ' ');
	out_octets(&o, span_of("\x01\xab", 2));
	out_fmt(&o, " %s=%d", "n", -1);
	same(&o, "0 18446744073709551615 0 00000058 FFFFFFFFFFFFFFFF 01ab n=-1");
	o = out_of(buffer, 3);
	out_fmt(&o, "%s", "long");
	assert_true(o.full);
	same(&o, "lon");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape_what_cannot_be_seen), cmocka_unit_test(escape_each),
			cmocka_unit_test(escape_what_is_no_utf8),
		cmocka_unit_test(escape_bare), cmocka_unit_test(escape_into_little_room),
		cmocka_unit_test(json_of_anything), cmocka_unit_test(json_keeps_what_it_says),
		cmocka_unit_test(numbers), cmocka_unit_test(decode_ucs2),
			cmocka_unit_test(decode_gb18030),
		cmocka_unit_test(decode_gsm), cmocka_unit_test(decode_others),
		cmocka_unit_test(decode_into_little_room), cmocka_unit_test(charsets),
			cmocka_unit_test(digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
