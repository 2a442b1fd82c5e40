#include <errno.h>
#include <iconv.h>

#include "tools/annotate.h"

/* The bounds of a UTF-8 character's second octet. Source: Unicode, table 3-7. */
static bool utf8_head(struct charset_guess *g, uint8_t c)
{
	g->low = 0x80;
	g->top = 0xbf;
	if (c < 0xc2 || c > 0xf4)
		return false;
	g->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	g->wide = g->wide || c >= 0xe0;
	if (c == 0xe0)
		g->low = 0xa0;
	else if (c == 0xed)
		g->top = 0x9f;
	else if (c == 0xf0)
		g->low = 0x90;
	else if (c == 0xf4)
		g->top = 0x8f;
	return true;
}

static void feed_utf8(struct charset_guess *g, uint8_t c)
{
	if (g->left > 0) {
		if (c < g->low || c > g->top)
			g->not_utf8 = true;
		g->left--;
		g->low = 0x80;
		g->top = 0xbf;
	} else if (c >= 0x80 && !utf8_head(g, c)) {
		g->not_utf8 = true;
	}
}

static void feed_gbk(struct charset_guess *g, uint8_t c)
{
	if (g->trail) {
		g->trail = false;
		if (c < 0x40 || c == 0x7f || c == 0xff)
			g->not_gbk = true;
	} else if (c == 0x80 || c == 0xff) {
		g->not_gbk = true;
	} else {
		g->trail = c > 0x80;
	}
}

void charset_feed(struct charset_guess *g, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint64_t w;

		if (g->left == 0 && !g->trail && s.n - i >= sizeof(w)) {
			memcpy(&w, s.p + i, sizeof(w));
			if ((w & 0x8080808080808080u) == 0) {
				i += sizeof(w) - 1;
				continue;
			}
		}
		g->high = g->high || s.p[i] >= 0x80;
		if (!g->not_utf8)
			feed_utf8(g, s.p[i]);
		if (!g->not_gbk)
			feed_gbk(g, s.p[i]);
	}
}

bool charset_is_gbk(const struct charset_guess *g, bool before)
{
	bool utf8 = !g->not_utf8 && g->left == 0, gbk = !g->not_gbk && !g->trail;

	if (!g->high || (!utf8 && !gbk) || (utf8 && gbk && !g->wide))
		return before;
	return !utf8;
}

/* GBK has no guillemets; these look alike. */
static struct span gbk_mark(const char *p, size_t n)
{
	if (n >= 2 && memcmp(p, "«", 2) == 0)
		return span_of("\xa1\xb6", 2);
	if (n >= 2 && memcmp(p, "»", 2) == 0)
		return span_of("\xa1\xb7", 2);
	return span_of("", 0);
}

void charset_put_gbk(struct out *o, struct span utf8)
{
	static iconv_t cd;
	char *in = (char *)(uintptr_t)utf8.p, *end = in + utf8.n;

	if (cd == NULL)
		cd = iconv_open("GBK", "UTF-8");
	while (in < end && !o->full) {
		struct span mark = gbk_mark(in, (size_t)(end - in));
		size_t run = 1, room = (size_t)(o->end - o->pos);

		if (mark.n > 0) {
			out_put(o, mark.p, mark.n);
			in += 2;
			continue;
		}
		while (in + run < end && (uint8_t)in[run] != 0xc2)
			run++;
		if (iconv(cd, &in, &run, &o->pos, &room) != (size_t)-1)
			continue;
		o->full = o->full || errno == E2BIG;
		out_char(o, '?'); /* a character that GBK has not */
		in++;
		while (in < end && ((uint8_t)*in & 0xc0) == 0x80)
			in++;
	}
}
