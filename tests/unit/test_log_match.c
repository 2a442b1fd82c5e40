#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/log_match.h"
#include "tools/log_reader.h"

/* Ids, numbers and codes that are the ones asked for; lines and their words; times; line ends. */

static struct span s(const char *text)
{
	return span_of(text, strlen(text));
}

static void ids(void **state)
{
	static const struct {
		const char *wanted, *id;
		enum match match;
	} cases[] = {
		{ "7F00A1", "7F00A1", MATCH_EXACT },
		{ "7f00a1", "7F00A1", MATCH_CASE },
		{ "12", "000000012", MATCH_PADDING },
		{ "0012", "12", MATCH_PADDING },
		{ "00aB", "Ab", MATCH_PADDING },
		{ "123456", "0001E240", MATCH_HEX_DEC },
		{ "1e240", "123456", MATCH_HEX_DEC },
		{ "123456", "1E241", MATCH_NONE },
		{ "FFFFFFFFFFFFFFFF0", "18446744073709551600", MATCH_NONE },
		{ "0", "00", MATCH_PADDING },
		{ "", "0", MATCH_NONE },
		{ "x", "", MATCH_NONE },
		{ "a-1", "b-1", MATCH_NONE },
		/* month 11, day 21, 19:17:00, gateway 104, sequence 7 */
		{ "13356978812313894919", "1121191700-104-7", MATCH_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum match m = id_match(s(cases[i].wanted), s(cases[i].id));

		if (m != cases[i].match)
			fail_msg("%s, %s: %s", cases[i].wanted, cases[i].id, match_name(m));
	}
}

/* A Msg_Id as one number, built here bit by bit: CMPP, Msg_Id of SUBMIT_RESP. */
static void ids_as_octets(void **state)
{
	uint64_t id = 11ull << 60 | 21ull << 55 | 19ull << 50 | 17ull << 44 | 0ull << 38 |
		      104ull << 16 | 7;
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	assert_int_equal(id_match(s(text), s("1121191700-104-7")), MATCH_OCTETS);
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
	assert_int_equal(id_match(s(text), s("1121191700-104-7")), MATCH_OCTETS);
	assert_int_equal(id_match(s(text), s("1121191700-104-8")), MATCH_NONE);
}

static void numbers(void **state)
{
	static const struct {
		const char *wanted, *shown;
		bool match;
	} cases[] = {
		{ "13812341234", "138****1234", true },
		{ "13912341234", "138****1234", false },
		{ "13812341235", "138****1234", false },
		{ "1234", "138****1234", true },
		{ "34", "138****1234", true },
		{ "1235", "138****1234", false },
		{ "13812341234", "861****1234", true },
		{ "13812341234", "+86****1234", true },
		{ "8613812341234", "138****1234", true },
		{ "+8613812341234", "138****1234", true },
		{ "13812341234", "852****1234", false },
		{ "138****1234", "138****1234", true },
		{ "138****1234", "13812341234", true },
		{ "138****1234", "8613812341234", true },
		{ "138****1234", "13912341234", false },
		{ "138****1234", "139****1234", false },
		{ "13812341234", "13812341234", true },
		{ "13812341234", "8613812341234", true },
		{ "8613812341234", "13812341234", true },
		{ "1234", "13812341234", true },
		{ "13812341234", "1234", false },
		{ "13812341234", "****", false },
		{ "13812341234", "", false },
		{ "", "138****1234", false },
		{ "106900002", "10****01", false },
		{ "106900001", "10****01", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (number_match(s(cases[i].wanted), s(cases[i].shown)) != cases[i].match)
			fail_msg("%s, %s", cases[i].wanted, cases[i].shown);
	}
}

static void codes(void **state)
{
	(void)state;
	assert_true(code_match(s("0x58"), s("88")));
	assert_true(code_match(s("88"), s("0x00000058")));
	assert_true(code_match(s("mb:0064"), s("MB:0064")));
	assert_false(code_match(s("58"), s("0x58")));
	assert_false(code_match(s("8"), s("88")));
	assert_false(code_match(s("0x"), s("0")));
	assert_false(code_match(s("DELIVRD"), s("UNDELIV")));
}

static void words_of_text_lines(void **state)
{
	static const char text[] =
		"2026-11-21T19:17:00.123+08:00 cmcc-bj  REPORT       msgid=1-2 stat=MB:0064 «a dst=9 → "
		"b=c / d» dst=138****1234 text=\"x y=z\" flag version=\"CMPP 2.0\" last=\r";
	static const struct {
		const char *key, *value;
	} words[] = {
		{ "msgid", "1-2" },    { "stat", "MB:0064" },	  { "dst", "138****1234" },
		{ "text", "x y=z" },   { "version", "CMPP 2.0" }, { "last", "" },
	};
	struct log_line l;
	char room[LOG_VALUE_MAX];
	int64_t us;

	(void)state;
	log_line_read(&l, s(text));
	assert_int_equal(l.form, LOG_TEXT);
	assert_true(log_line_time(&l, &us));
	assert_int_equal(us, 1795259820123000);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct out o = out_of(room, sizeof(room));

		assert_true(log_line_value(&l, words[i].key, &o));
		assert_int_equal(out_len(&o), strlen(words[i].value));
		assert_memory_equal(room, words[i].value, out_len(&o));
	}
	assert_false(log_line_value(&l, "b", &(struct out){ room, room, room + 1, false }));
	assert_false(log_line_value(&l, "y", &(struct out){ room, room, room + 1, false }));
	log_line_read(&l, s("-- rotated --"));
	assert_int_equal(l.form, LOG_OTHER);
	log_line_read(&l, s("{\"ts\":"));
	assert_int_equal(l.form, LOG_OTHER);
	log_line_read(&l, s(""));
	assert_int_equal(l.form, LOG_OTHER);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: none */
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T08:00:00.000001+08:00", 1 },
		{ "1969-12-31T16:30:00-08:00", 1800000000 },
		{ "2000-02-29T12:00:00+00:00", 951825600000000 },
		{ "2026-11-21T19:17:00.123456+08:00", 1795259820123456 },
		{ "2026-11-21T19:17:00", 1795288620000000 },
		{ "2026-13-21T19:17:00Z", -1 },
		{ "2026-11-21 19:17:00Z", -1 },
		{ "2026-11-21T19:17", -1 },
		{ "2026-11-21T19:17:00+8", -1 },
		{ "2026-11-21T19:17:00.12x", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t us = -1;

		(void)log_time_read(s(cases[i].text), 0, &us);
		if (us != cases[i].us)
			fail_msg("%s: %lld", cases[i].text, (long long)us);
	}
}

/* Lines of any length, longer ones left out, and where each begins. */
static void lines_of_a_file(void **state)
{
	static const size_t lengths[] = { 0, 1, 100, JSON_LINE_MAX, JSON_LINE_MAX + 1, 5,
					  3 * JSON_LINE_MAX, 7, 2 * JSON_LINE_MAX, 2 };
	enum { COUNT = sizeof(lengths) / sizeof(*lengths) };
	FILE *f = tmpfile();
	struct log_reader r;
	struct span line;
	int64_t at, want = 0;
	size_t i = 0;

	(void)state;
	assert_non_null(f);
	for (size_t k = 0; k < COUNT; k++) {
		for (size_t n = 0; n < lengths[k]; n++)
			fputc('a' + (int)k, f);
		fputc('\n', f);
	}
	fputs("rest", f);
	fflush(f);
	assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
	assert_int_equal(log_reader_init(&r), 0);
	log_reader_reset(&r, 0);
	while (log_reader_fill(&r, fileno(f)) > 0) {
		while (log_reader_next(&r, &line, &at)) {
			while (lengths[i] > JSON_LINE_MAX)
				want += (int64_t)lengths[i++] + 1;
			assert_int_equal(line.n, lengths[i]);
			assert_true(line.n == 0 || line.p[line.n - 1] == 'a' + (int)i);
			assert_int_equal(at, want);
			want += (int64_t)lengths[i++] + 1;
		}
	}
	assert_int_equal(i, COUNT);
	assert_int_equal(r.too_long, 3);
	assert_true(log_reader_last(&r, &line, &at));
	assert_int_equal(line.n, 4);
	assert_int_equal(at, want);
	assert_false(log_reader_last(&r, &line, &at));
	log_reader_free(&r);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),		       cmocka_unit_test(ids_as_octets),
		cmocka_unit_test(numbers),	       cmocka_unit_test(codes),
		cmocka_unit_test(words_of_text_lines), cmocka_unit_test(times),
		cmocka_unit_test(lines_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
