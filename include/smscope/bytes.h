#ifndef SMSCOPE_BYTES_H
#define SMSCOPE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smscope/err.h"

/* Borrowed octets. `p` is valid even when `n` is 0. */
struct span {
	const uint8_t *p;
	size_t n;
};

/*
 * A bounded cursor. The first error sticks: later reads give zero or an empty span and do not move,
 * so `pos` still shows where it broke. Nothing is checked in the middle; reader_finish() tells.
 */
struct reader {
	const uint8_t *base, *pos, *end;
	int err;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct reader reader_of(struct span s)
{
	return (struct reader){ s.p, s.p, s.p + s.n, SM_OK };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->pos);
}

static inline size_t reader_at(const struct reader *r)
{
	return (size_t)(r->pos - r->base);
}

static inline struct span reader_take(struct reader *r, size_t n)
{
	struct span s = { r->pos, 0 };

	if (r->err != SM_OK)
		return s;
	if (n > reader_left(r)) {	/* compare with what is left; never add to a position */
		r->err = SM_ESHORT;
		return s;
	}
	s.n = n;
	r->pos += n;
	return s;
}

/** Big-endian unsigned integer of the span's 0 to 8 octets. */
static inline uint64_t span_uint(struct span s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n && i < sizeof(v); i++)
		v = v << 8 | s.p[i];
	return v;
}

/** Big-endian unsigned integer of `n` octets (1, 2, 4 or 8); 0 after an error. */
static inline uint64_t reader_uint(struct reader *r, size_t n)
{
	return span_uint(reader_take(r, n));
}

/** Offset of the first NUL of the `n` octets at `p`, or `n`. */
static inline size_t bytes_nul(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint64_t w;

	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		if (((w - 0x0101010101010101u) & ~w & 0x8080808080808080u) != 0)
			break; /* one of these eight octets is zero */
	}
	while (i < n && p[i] != 0)
		i++;
	return i;
}

/**
 * C-Octet String: octets up to and without the NUL. `max` counts the NUL, as SMPP does; no NUL
 * within `max` octets is SM_ENUL, no NUL in what is left SM_ESHORT.
 */
static inline struct span reader_cstr(struct reader *r, size_t max)
{
	struct span s = { r->pos, 0 };
	size_t left = reader_left(r), scan = left < max ? left : max;

	if (r->err != SM_OK)
		return s;
	if ((s.n = bytes_nul(r->pos, scan)) == scan) {
		s.n = 0;
		r->err = left < max ? SM_ESHORT : SM_ENUL;
		return s;
	}
	r->pos += s.n + 1;
	return s;
}

/** The error that stuck, or SM_ETRAIL for unread octets, or SM_OK. */
static inline int MUST_CHECK reader_finish(const struct reader *r)
{
	if (r->err != SM_OK)
		return r->err;
	return r->pos == r->end ? SM_OK : SM_ETRAIL;
}

static inline uint32_t bytes_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void bytes_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

#endif
