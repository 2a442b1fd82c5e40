#include "smscope/receipt.h"

/*
 * Dates of receipts. SMPP 3.4, appendix B, has YYMMDDhhmm; with seconds, with the century, in ISO
 * 8601 and as a time of section 7.1.1 they are seen, too.
 */

/*
 * y: two digits of a year, Y: four; m d h i s: month to second; t: tenths of a second; q: quarters
 * of an hour from UTC, and the sign; T: a blank or a T; f: a fraction, or nothing; z: a zone, or
 * nothing. All else stands for itself.
 */
static const char *const forms[] = {
	"ymdhi", "ymdhis", "Ymdhi", "Ymdhis", "ymdhistq", "Y-m-dTh:i", "Y-m-dTh:i:sfz",
};

struct moment {
	unsigned year, month, day, hour, minute, second;
	int ahead_s; /* of UTC */
	bool short_year;
};

static bool read_number(struct reader *r, size_t digits, unsigned *ret)
{
	struct span s = reader_take(r, digits);
	unsigned v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = 10 * v + (unsigned)(s.p[i] - '0');
	}
	*ret = v;
	return s.n == digits;
}

static uint8_t next_octet(const struct reader *r)
{
	return reader_left(r) > 0 ? *r->pos : 0;
}

static void skip_fraction(struct reader *r)
{
	if (next_octet(r) != '.' && next_octet(r) != ',')
		return;
	do
		reader_take(r, 1);
	while (next_octet(r) >= '0' && next_octet(r) <= '9');
}

/* Nothing, Z, +08, +0800 or +08:00. */
static bool read_zone(struct reader *r, int *ret_ahead_s)
{
	unsigned hours, minutes = 0;
	uint8_t sign = next_octet(r);

	if (sign == 0)
		return true;
	reader_take(r, 1);
	if (sign == 'Z')
		return true;
	if ((sign != '+' && sign != '-') || !read_number(r, 2, &hours))
		return false;
	if (next_octet(r) == ':')
		reader_take(r, 1);
	if (reader_left(r) > 0 && !read_number(r, 2, &minutes))
		return false;
	*ret_ahead_s = (int)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
	return hours <= 14 && minutes < 60;
}

/* SMPP 3.4, section 7.1.1.1. */
static bool read_quarters(struct reader *r, int *ret_ahead_s)
{
	unsigned quarters;
	uint8_t sign;

	if (!read_number(r, 2, &quarters) || quarters > 48)
		return false;
	sign = next_octet(r);
	reader_take(r, 1);
	*ret_ahead_s = (int)quarters * 900 * (sign == '-' ? -1 : 1);
	return sign == '+' || sign == '-';
}

static bool read_part(struct reader *r, char part, struct moment *m)
{
	unsigned tenths;

	switch (part) {
	case 'y':
		m->short_year = true;
		return read_number(r, 2, &m->year);
	case 'Y': return read_number(r, 4, &m->year);
	case 'm': return read_number(r, 2, &m->month);
	case 'd': return read_number(r, 2, &m->day);
	case 'h': return read_number(r, 2, &m->hour);
	case 'i': return read_number(r, 2, &m->minute);
	case 's': return read_number(r, 2, &m->second);
	case 't': return read_number(r, 1, &tenths);
	case 'q': return read_quarters(r, &m->ahead_s);
	case 'T':
		part = (char)next_octet(r);
		reader_take(r, 1);
		return part == ' ' || part == 'T';
	case 'f':
		skip_fraction(r);
		return true;
	case 'z': return read_zone(r, &m->ahead_s);
	default: return span_uint(reader_take(r, 1)) == (uint8_t)part;
	}
}

static bool read_form(struct span s, const char *form, struct moment *ret)
{
	struct reader r = reader_of(s);

	*ret = (struct moment){ 0 };
	for (; *form != '\0'; form++) {
		if (!read_part(&r, *form, ret))
			return false;
	}
	return reader_finish(&r) == SM_OK;
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Seconds since 1970; false if the calendar has no such day, or the day no such time. */
static bool seconds_of(const struct moment *m, int64_t *ret)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t before = (int64_t)m->year - 1, days;

	if (m->year < 1900 || m->month < 1 || m->month > 12 || m->day < 1 || m->hour > 23 ||
	    m->minute > 59 || m->second > 59)
		return false;
	if (m->day > lengths[m->month - 1] + (m->month == 2 && is_leap(m->year) ? 1u : 0u))
		return false;
	days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
	for (unsigned i = 1; i < m->month; i++)
		days += lengths[i - 1] + (i == 2 && is_leap(m->year));
	days += m->day - 1;
	*ret = days * 86400 + m->hour * 3600 + m->minute * 60 + m->second - m->ahead_s;
	return true;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

bool receipt_time(struct span s, uint64_t near_wall_ns, int64_t *ret_s)
{
	int64_t near = (int64_t)(near_wall_ns / 1000000000u), t = 0, best = 0;
	bool found = false;

	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\0'))
		s.n--;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct moment m;

		if (!read_form(s, forms[i], &m))
			continue;
		for (unsigned century = m.short_year ? 1900 : 0; century <= 2100; century += 100) {
			struct moment whole = m;

			whole.year += century;
			if (seconds_of(&whole, &t) &&
			    (!found || distance(t, near) < distance(best, near))) {
				best = t;
				found = true;
			}
			if (!m.short_year)
				break;
		}
	}
	if (found)
		*ret_s = best;
	return found;
}
