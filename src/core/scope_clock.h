#ifndef SMSCOPE_CORE_SCOPE_CLOCK_H
#define SMSCOPE_CORE_SCOPE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * CMPP's CONNECT has a Timestamp, MMDDHHMMSS as a number, without year or zone; it is part of what the
 * authenticator is made from, and gateways refuse those that are off. Source: CMPP 2.0, section 7.4.1.1.
 */

enum { SKEW_TOLD_S = 300 }; /* less is no news */

/**
 * How far `stamp` is ahead of the time `wall_ns` of a place `utc_offset_s` ahead of UTC, in *ret_s; the year is the
 * one that makes it least. False if it is no date.
 */
bool scope_skew(uint32_t stamp, uint64_t wall_ns, int utc_offset_s, int64_t *ret_s);

/** Is it as far off as the clock of another time zone: whole hours, and no more of them than zones have? */
bool scope_skew_is_zone(int64_t skew_s);

#endif
