/* How far the clock of an SP is off, from a timestamp without a year, and what its login's record says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/scope_clock.h"
#include "smscope/scope.h"

static uint64_t utc(int year, int month, int day, int hour, int minute, int second)
{
	struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour,
		.tm_min = minute, .tm_sec = second };

	return (uint64_t)timegm(&t) * 1000000000u;
}

static void differences(void **state)
{
	static const struct {
		uint32_t stamp;
		int at[6], offset_s;
		int64_t want;
	} rows[] = {
		{ 1121080000, { 2026, 11, 21, 8, 0, 0 }, 0, 0 },
		{ 1121080001, { 2026, 11, 21, 0, 0, 0 }, 28800, 1 },
		{ 1121080000, { 2026, 11, 21, 8, 5, 1 }, 0, -301 },
		{ 1121160000, { 2026, 11, 21, 8, 0, 0 }, 0, 28800 },
		{ 101000010, { 2026, 12, 31, 23, 59, 50 }, 0, 20 },     /* over the turn of the year */
		{ 1231235950, { 2027, 1, 1, 0, 0, 10 }, 0, -20 },
		{ 229120000, { 2028, 2, 29, 12, 0, 0 }, 0, 0 },         /* a leap year's day */
		{ 229120000, { 2027, 3, 1, 12, 0, 0 }, 0, 365 * 86400 },/* the nearest year that has one */
		{ 301000000, { 2100, 3, 1, 0, 0, 0 }, 0, 0 },
		{ 119031407, { 2038, 1, 19, 3, 14, 8 }, 0, -1 },
	};
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const int *at = rows[i].at;

		assert_true(scope_skew(rows[i].stamp, utc(at[0], at[1], at[2], at[3], at[4], at[5]),
			rows[i].offset_s, &s));
		if (s != rows[i].want)
			fail_msg("%u: %lld, not %lld", rows[i].stamp, (long long)s, (long long)rows[i].want);
	}
}

static void no_dates(void **state)
{
	static const uint32_t stamps[] = { 0, 1, 1321080000, 1100080000, 1131080000, 1121240000,
		1121086000, 1121080061, 230120000, 0xffffffff };
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof(stamps) / sizeof(*stamps); i++)
		assert_false(scope_skew(stamps[i], utc(2026, 11, 21, 8, 0, 0), 0, &s));
}

static void zones(void **state)
{
	(void)state;
	assert_true(scope_skew_is_zone(28800));
	assert_true(scope_skew_is_zone(-28800 + 299));
	assert_true(scope_skew_is_zone(3600 - 300));
	assert_false(scope_skew_is_zone(299));
	assert_false(scope_skew_is_zone(1800));
	assert_false(scope_skew_is_zone(28800 + 301));
	assert_false(scope_skew_is_zone(27 * 3600));
}

static const char *login(uint32_t stamp, uint8_t status, bool json)
{
	static struct scope_link link = { .name = "lab", .proto = &proto_cmpp, .pending = 16,
		.utc_offset_s = 28800 };
	static struct scope_work work;
	static char line[RECORD_LINE_MAX + 1];
	struct record_style style = { .lang = LANG_EN };
	uint8_t asked[39] = { 0, 0, 0, 39, 0, 0, 0, 1, 0, 0, 0, 7, '9', '0', '0', '0', '0', '1',
		[34] = 0x20 };
	uint8_t answer[30] = { 0, 0, 0, 30, 0x80, 0, 0, 1, 0, 0, 0, 7, status, [29] = 0x20 };
	struct scope_frame f = { .octets = span_of(asked, sizeof(asked)), .from = SIDE_SP,
		.wall_ns = utc(2026, 11, 21, 0, 0, 0) };
	struct scope *s = scope_new(&link, 1, NULL);

	bytes_put_u32(asked + 35, stamp);
	assert_int_equal(scope_pdu(s, &f, &work), 0);
	f.octets = span_of(answer, sizeof(answer));
	f.from = SIDE_GW;
	assert_int_equal(scope_pdu(s, &f, &work), 1);
	line[json ? record_line_json(work.records, &style, line, RECORD_LINE_MAX) :
		record_line_text(work.records, &style, line, RECORD_LINE_MAX)] = '\0';
	scope_free(s);
	return line;
}

static void told(void **state)
{
	(void)state;
	assert_null(strstr(login(1121080459, 0, false), "skew"));
	assert_null(strstr(login(1121080459, 3, false), "hint"));
	assert_null(strstr(login(0, 3, false), "skew"));
	assert_non_null(strstr(login(1121075459, 0, false), " skew=-301"));
	assert_null(strstr(login(1121075459, 0, false), "hint"));
	assert_non_null(strstr(login(1121075459, 3, true), "\"skew\":-301"));
	assert_non_null(strstr(login(1121075459, 3, true), "\"hint_en\":\"the SP's clock is off"));
	assert_null(strstr(login(1121075459, 3, true), "skew_as"));
	assert_non_null(strstr(login(1121000000, 3, false), " skew=-28800 skew_as=\"time zone\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences), cmocka_unit_test(no_dates), cmocka_unit_test(zones),
		cmocka_unit_test(told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
