#include "smscope/record.h"

static char *put_digits(char *to, uint32_t v, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		to[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return to + n;
}

/*
 * Proleptic Gregorian date of a day since 1970. Years are counted from 1 March, so that the leap
 * day is the last of its year and every month before it has a fixed beginning: (153 m + 2) / 5.
 */
static void put_date(char *to, int64_t day)
{
	uint32_t since = (uint32_t)(day + 719468); /* since 0000-03-01 */
	uint32_t era = since / 146097, in_era = since % 146097;
	uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
	uint32_t m = (5 * in_year + 2) / 153;
	uint32_t month = m < 10 ? m + 3 : m - 9;

	to = put_digits(to, era * 400 + year + (month <= 2 ? 1 : 0), 4);
	*to++ = '-';
	to = put_digits(to, month, 2);
	*to++ = '-';
	put_digits(to, in_year - (153 * m + 2) / 5 + 1, 2);
}

void record_time(struct out *o, uint64_t wall_ns, int utc_offset_s, int digits)
{
	char text[40], *p = text;
	uint64_t seconds = wall_ns / 1000000000u;
	uint32_t fraction = (uint32_t)(wall_ns % 1000000000u);
	int64_t local = (int64_t)seconds + utc_offset_s;
	uint32_t in_day, minutes = (uint32_t)(utc_offset_s < 0 ? -utc_offset_s : utc_offset_s) / 60;

	if (local < 0)
		local = 0;
	in_day = (uint32_t)(local % 86400);
	put_date(p, local / 86400);
	p += 10;
	*p++ = 'T';
	p = put_digits(p, in_day / 3600, 2);
	*p++ = ':';
	p = put_digits(p, in_day / 60 % 60, 2);
	*p++ = ':';
	p = put_digits(p, in_day % 60, 2);
	*p++ = '.';
	p = put_digits(p, fraction / (digits == 3 ? 1000000 : 1000), digits);
	*p++ = utc_offset_s < 0 ? '-' : '+';
	p = put_digits(p, minutes / 60, 2);
	*p++ = ':';
	p = put_digits(p, minutes % 60, 2);
	out_put(o, text, (size_t)(p - text));
}

/* "4.2s": `tenths` of `unit`. */
static void put_tenths(struct out *o, uint64_t tenths, const char *unit)
{
	out_dec(o, tenths / 10);
	out_char(o, '.');
	out_dec(o, tenths % 10);
	out_str(o, unit);
}

/* "1m05s" */
static void put_pair(struct out *o, uint64_t high, char high_unit, uint64_t low, char low_unit)
{
	out_dec(o, high);
	out_char(o, high_unit);
	if (low < 10)
		out_char(o, '0');
	out_dec(o, low);
	out_char(o, low_unit);
}

void record_duration(struct out *o, uint64_t us)
{
	uint64_t s = us / 1000000;

	if (us < 10000)
		put_tenths(o, us / 100, "ms");
	else if (s < 1) {
		out_dec(o, us / 1000);
		out_str(o, "ms");
	} else if (s < 60)
		put_tenths(o, us / 100000, "s");
	else if (s < 3600)
		put_pair(o, s / 60, 'm', s % 60, 's');
	else if (s < 86400)
		put_pair(o, s / 3600, 'h', s / 60 % 60, 'm');
	else
		put_pair(o, s / 86400, 'd', s / 3600 % 24, 'h');
}
