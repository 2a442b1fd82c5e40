#include "tools/explain.h"

/* Times as the protocols write them, for people. */

struct date {
	unsigned year, month, day, hour, minute, second;
};

/* `n` digits at the reader; false if they are none. */
static bool read_digits(struct reader *r, size_t n, unsigned *ret)
{
	struct span s = reader_take(r, n);
	unsigned v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = 10 * v + (unsigned)(s.p[i] - '0');
	}
	if (r->err != SM_OK)
		return false;
	*ret = v;
	return true;
}

/*
 * A year of 2 or 4 digits, then pairs of digits until `pairs` are read: month, day, hour, minute,
 * second. Two digits are 2000 to 2037, 1938 to 1999. Source: SMPP 3.4, section 7.1.1.1.
 */
static bool read_date(struct reader *r, size_t year_digits, size_t pairs, struct date *ret)
{
	struct date d = { 0 };
	unsigned *const parts[] = { &d.month, &d.day, &d.hour, &d.minute, &d.second };

	if (!read_digits(r, year_digits, &d.year))
		return false;
	if (year_digits == 2)
		d.year += d.year < 38 ? 2000 : 1900;
	for (size_t i = 0; i < pairs; i++) {
		if (!read_digits(r, 2, parts[i]))
			return false;
	}
	*ret = d;
	return true;
}

static bool is_date(const struct date *d)
{
	return d->year >= 1938 && d->year < 2100 && d->month >= 1 && d->month <= 12 &&
	       d->day >= 1 && d->day <= 31 && d->hour < 24 && d->minute < 60 && d->second < 60;
}

static void put_date(struct out *o, const struct date *d, bool seconds)
{
	out_fmt(o, "%04u-%02u-%02u %02u:%02u", d->year, d->month, d->day, d->hour, d->minute);
	if (seconds)
		out_fmt(o, ":%02u", d->second);
}

void note_date(struct out *o, struct span text)
{
	static const struct {
		size_t n, year_digits, pairs;
	} forms[] = { { 10, 2, 4 }, { 12, 2, 5 }, { 12, 4, 4 }, { 14, 4, 5 } };
	size_t digits = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct reader r = reader_of(text);
		struct date d;

		if (text.n != forms[i].n ||
		    !read_date(&r, forms[i].year_digits, forms[i].pairs, &d))
			continue;
		if (is_date(&d)) {
			put_date(o, &d, forms[i].pairs == 5);
			return;
		}
	}
	for (size_t i = 0; i < text.n; i++)
		digits += text.p[i] >= '0' && text.p[i] <= '9';
	if (text.n > 0 && digits == text.n)
		out_str(o, "no date");
}

void note_time(struct out *o, struct span text)
{
	struct reader r = reader_of(text);
	struct date d;
	unsigned tenths, quarters;
	struct span zone;

	if (text.n == 0)
		return;
	if (!read_date(&r, 2, 5, &d) || !read_digits(&r, 1, &tenths) ||
	    !read_digits(&r, 2, &quarters) || (zone = reader_take(&r, 1)).n == 0 ||
	    reader_finish(&r) != SM_OK) {
		note_date(o, text);
	} else if (*zone.p == 'R') {
		out_fmt(o, "%02u years %02u months %02u days %02u:%02u:%02u from now",
			d.year % 100, d.month, d.day, d.hour, d.minute, d.second);
	} else if (!is_date(&d) || quarters > 48 || (*zone.p != '+' && *zone.p != '-')) {
		out_str(o, "no time");
	} else {
		put_date(o, &d, true);
		out_fmt(o, " UTC%c%02u:%02u", *zone.p, quarters / 4, quarters % 4 * 15);
	}
}
