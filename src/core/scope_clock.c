#include "core/scope_clock.h"

enum { DAY_S = 86400, HOUR_S = 3600, ZONES_HOURS = 26 };

static bool leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/** Days from 1970-01-01 to the first of January of `year`, from 1970 on. */
static int64_t days_before(int64_t year)
{
	int64_t past = year - 1;

	return (year - 1970) * 365 + past / 4 - past / 100 + past / 400 - 477;
}

/** Seconds from 1970 to that time of that year; -1: there is no such day. */
static int64_t seconds_of(uint32_t stamp, int64_t year)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint32_t month = stamp / 100000000, day = stamp / 1000000 % 100, hour = stamp / 10000 % 100;
	uint32_t minute = stamp / 100 % 100, second = stamp % 100;
	int64_t days = days_before(year);

	if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60 ||
		day > lengths[month - 1] + (month == 2 && leap(year) ? 1u : 0u))
		return -1;
	for (uint32_t m = 1; m < month; m++)
		days += lengths[m - 1] + (m == 2 && leap(year) ? 1 : 0);
	return (days + day - 1) * DAY_S + hour * HOUR_S + minute * 60 + second;
}

static int64_t away(int64_t s)
{
	return s < 0 ? -s : s;
}

bool scope_skew(uint32_t stamp, uint64_t wall_ns, int utc_offset_s, int64_t *ret_s)
{
	int64_t local = (int64_t)(wall_ns / 1000000000u) + utc_offset_s;
	int64_t year = 1970 + local / (365 * DAY_S + DAY_S / 4);
	bool found = false;

	for (int64_t y = year > 1971 ? year - 2 : 1970; y <= year + 2; y++) {
		int64_t then = seconds_of(stamp, y);

		if (then < 0 || (found && away(then - local) >= away(*ret_s)))
			continue;
		*ret_s = then - local;
		found = true;
	}
	return found;
}

bool scope_skew_is_zone(int64_t skew_s)
{
	int64_t hours = (away(skew_s) + HOUR_S / 2) / HOUR_S;

	return hours >= 1 && hours <= ZONES_HOURS &&
		away(away(skew_s) - hours * HOUR_S) <= SKEW_TOLD_S;
}
