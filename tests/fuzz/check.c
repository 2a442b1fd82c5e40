#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

uint8_t *check_copy(const void *p, size_t n)
{
	uint8_t *copy = malloc(n);

	CHECK(copy != NULL || n == 0);
	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

struct span check_take(struct span *in, size_t n)
{
	struct span s = { in->p, n < in->n ? n : in->n };

	*in = span_of(in->p + s.n, in->n - s.n);
	return s;
}

uint8_t check_octet(struct span *in)
{
	struct span s = check_take(in, 1);

	return s.n > 0 ? *s.p : 0;
}

bool check_inside(struct span outer, struct span s)
{
	return s.p >= outer.p && s.p <= outer.p + outer.n &&
	       s.n <= (size_t)(outer.p + outer.n - s.p);
}

/* One character: octets by the number of leading ones, and no shorter form of the same. */
static size_t character(const char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t head = (uint8_t)*p;
	size_t len = head < 0x80       ? 1
		     : head >> 5 == 6  ? 2
		     : head >> 4 == 14 ? 3
		     : head >> 3 == 30 ? 4
				       : 0;
	uint32_t c = len == 1 ? head : head & (0x7fu >> len);

	CHECK(len > 0 && len <= n);
	for (size_t i = 1; i < len; i++) {
		CHECK((p[i] & 0xc0) == 0x80);
		c = c << 6 | (p[i] & 0x3f);
	}
	CHECK(c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
	*ret = c;
	return len;
}

void check_utf8(const char *p, size_t n)
{
	uint32_t c;

	for (size_t at = 0; at < n;)
		at += character(p + at, n - at, &c);
}

void check_shown(const char *p, size_t n)
{
	uint32_t c;

	for (size_t at = 0; at < n;) {
		at += character(p + at, n - at, &c);
		CHECK(c >= 0x20 && (c < 0x7f || c > 0x9f)); /* C0, DEL, C1 */
		CHECK(c != 0x61c && (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e));
		CHECK((c < 0x2060 || c > 0x206f) && c != 0xfeff);
		CHECK((c < 0xfe00 || c > 0xfe0f) && (c < 0xfff0 || c > 0xfffb));
		CHECK((c < 0xe0000 || c > 0xe0fff) && (c & 0xfffe) != 0xfffe);
	}
}
