#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smscope/receipt.h"

/* Dates of receipts. Seconds are from date(1): date -u -d '2017-01-24 09:04' +%s. */

#define S 1000000000ull
#define NONE INT64_MIN

static const struct sample {
	const char *text;
	uint64_t near_s;
	int64_t want;
} samples[] = {
	/* 10 digits: SMPP 3.4, appendix B; CMPP 2.0, section 7.4.5.1 */
	{ "1701240904", 1485248700, 1485248640 },
	{ "2411291200", 1732881600, 1732881600 },
	{ "2402292359", 1732881600, 1709251140 },
	/* 12 digits with seconds, as Clickatell and Telesign write them */
	{ "260905143145", 1788618705, 1788618705 },
	{ "171026130350", 1509023035, 1509023030 },
	/* 12 digits with the century, as a test of jSMPP has them; 25 hours are none */
	{ "200809011130", 1220268600, 1220268600 },
	{ "202411291200", 1732881600, 1732881600 },
	/* the same digits, later: 9 August 2020, 01:11:30 */
	{ "200809011130", 1596935490, 1596935490 },
	/* 14 digits: cloudhopper-smpp's tests */
	{ "20110314181534", 1300126534, 1300126534 },
	{ "20110314181534", 0, 1300126534 },
	/* ISO 8601, with a blank, a T, a fraction, a zone, without seconds */
	{ "2013-02-17 00:04:29", 1361059469, 1361059469 },
	{ "2013-02-17T00:04:29", 1361059469, 1361059469 },
	{ "2013-02-17T00:04:29Z", 1361059469, 1361059469 },
	{ "2013-02-17T00:04:29.123", 1361059469, 1361059469 },
	{ "2013-02-17 00:04:29,5+08:00", 1361059469, 1361030669 },
	{ "2013-02-17T00:04:29-0330", 1361059469, 1361072069 },
	{ "2013-02-17T00:04:29+08", 1361059469, 1361030669 },
	{ "2013-02-17 00:04", 1361059469, 1361059440 },
	/* SMPP 3.4, section 7.1.1.1; smppex #46 */
	{ "180711070003912+", 1531281603, 1531281603 },
	{ "180711070003900+", 1531281603, 1531292403 },
	{ "180711070003948-", 1531281603, 1531335603 },
	/* two digits of a year are of the century that is nearer */
	{ "3712312359", 1795259820, 2145916740 },
	{ "3801010000", 1795259820, 2145916800 },
	{ "9912312359", 1795259820, 946684740 },
	{ "0001010000", 1795259820, 946684800 },
	{ "7501010000", 1577836800, 157766400 },
	{ "6501010000", 1577836800, 2997993600 },
	{ "0002290000", 951782400, 951782400 },
	/* none */
	{ "", 1795259820, NONE },
	{ " ", 1795259820, NONE },
	{ "0", 1795259820, NONE },
	{ "0000000000", 1795259820, NONE },
	{ "000000000000", 1795259820, NONE },
	{ "00000000000000", 1795259820, NONE },
	{ "000000000000000+", 1795259820, NONE },
	{ "0000-00-00 00:00:00", 1795259820, NONE },
	{ "2613010000", 1795259820, NONE }, /* month 13 */
	{ "2606310000", 1795259820, NONE }, /* 31 June */
	{ "2602290000", 1795259820, NONE }, /* no leap year */
	{ "2601012400", 1795259820, NONE },
	{ "2601010060", 1795259820, NONE },
	{ "260101000060", 1795259820, NONE },
	{ "20260631000000", 1795259820, NONE },
	{ "2026-06-31 00:00:00", 1795259820, NONE },
	{ "2026-13-01 00:00:00", 1795259820, NONE },
	{ "18990101000000", 1795259820, NONE },
	{ "260101000000949+", 1795259820, NONE }, /* 49 quarters */
	{ "260101000000900R", 1795259820, NONE }, /* a span of time */
	{ "260101000000900", 1795259820, NONE },
	{ "170124090", 1795259820, NONE },
	{ "17012409040", 1795259820, NONE },
	{ "1701240904x", 1795259820, NONE },
	{ "170124o904", 1795259820, NONE },
	{ "2013-02-17 00:04:29+15:00", 1795259820, NONE },
	{ "2013-02-17 00:04:29 PM", 1795259820, NONE },
	{ "2013-02-17 00:04:29+08:0", 1795259820, NONE },
	{ "2013-02-17  00:04:29", 1795259820, NONE },
	{ "2013/02/17 00:04:29", 1795259820, NONE },
	{ "DELIVRD", 1795259820, NONE },
};

/* In memory of just its size, so that a read behind it is caught. */
static int64_t time_of(const char *text, size_t n, uint64_t near_ns)
{
	char *exact = malloc(n > 0 ? n : 1);
	int64_t t = NONE;
	bool is_time;

	memcpy(exact, text, n);
	is_time = receipt_time(span_of(exact, n), near_ns, &t);
	assert_true(is_time == (t != NONE));
	free(exact);
	return t;
}

static void dates_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const struct sample *s = &samples[i];
		char padded[32] = "";
		size_t n = strlen(s->text);
		int64_t t = time_of(s->text, n, s->near_s * S);

		if (t != s->want)
			fail_msg("\"%s\" near %llu is %lld, not %lld", s->text,
				(unsigned long long)s->near_s, (long long)t, (long long)s->want);
		memcpy(padded, s->text, n);
		assert_true(time_of(padded, n + 2, s->near_s * S) == t);
		padded[n] = ' ';
		assert_true(time_of(padded, n + 1, s->near_s * S) == t);
	}
}

/* No beginning of a date is another date, but those that are forms themselves. */
static void truncations(void **state)
{
	static const char date[] = "2013-02-17 00:04:29+0800";

	(void)state;
	for (size_t n = 0; n < sizeof(date) - 1; n++) {
		bool form = n == 16 || n == 19 || n == 22;

		assert_true((time_of(date, n, 1361059469 * S) != NONE) == form);
	}
	for (size_t n = 0; n < 14; n++)
		assert_true((time_of("20110314181534", n, 1300126534 * S) != NONE) ==
			    (n == 12 || n == 10));
}

/* Every day of three centuries against the C library's calendar. */
static void every_day(void **state)
{
	(void)state;
	for (int64_t day = -25567; day < 84005; day++) {
		time_t t = day * 86400 + 86399;
		char text[32];
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm);
		assert_true(time_of(text, 14, 0) == t);
		if (t < 0)
			continue;
		assert_true(time_of(text + 2, 12, (uint64_t)t * S) == t);
		assert_true(time_of(text + 2, 10, (uint64_t)t * S) == t - 59);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_as_written),
		cmocka_unit_test(truncations),
		cmocka_unit_test(every_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
