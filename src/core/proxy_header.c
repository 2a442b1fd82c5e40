#include "smscope/proxy_header.h"

#include "smscope/text.h"

enum { V2_FIXED = 16, V2_SIGNATURE = 12 };
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static const uint8_t v2_signature[V2_SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t v1_word[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

/** Decimal without leading zeros, up to `max`, the whole span: the number, or -1. */
static int32_t decimal_of(struct span s, int32_t max)
{
	int32_t v = 0;

	if (s.n < 1 || s.n > 5 || (s.n > 1 && s.p[0] == '0'))
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return v <= max ? v : -1;
}

/** The octets before the next `mark`, which is taken too; all that is left where there is none. */
static struct span next_word(struct span *in, uint8_t mark)
{
	struct span word = { in->p, 0 };

	while (word.n < in->n && in->p[word.n] != mark)
		word.n++;
	*in = span_of(in->p + word.n, in->n - word.n);
	if (in->n > 0)
		*in = span_of(in->p + 1, in->n - 1);
	return word;
}

static bool ipv4_of(struct span s, uint8_t to[4])
{
	size_t dots = 0;

	for (size_t i = 0; i < s.n; i++)
		dots += s.p[i] == '.';
	if (dots != 3)
		return false;
	for (int i = 0; i < 4; i++) {
		int32_t v = decimal_of(next_word(&s, '.'), 255);

		if (v < 0)
			return false;
		to[i] = (uint8_t)v;
	}
	return true;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** Groups of one to four hexadecimal digits with ':' between, the last perhaps an IPv4 address: octets, or -1. */
static int groups_of(struct span s, uint8_t to[16])
{
	int n = 0;

	if (s.n == 0)
		return 0;
	for (;;) {
		bool more = memchr(s.p, ':', s.n) != NULL;
		struct span word = next_word(&s, ':');
		unsigned v = 0;

		if (!more && n <= 12 && ipv4_of(word, to + n))
			return n + 4;
		if (word.n < 1 || word.n > 4 || n == 16)
			return -1;
		for (size_t i = 0; i < word.n; i++) {
			int digit = hex_of(word.p[i]);

			if (digit < 0)
				return -1;
			v = v << 4 | (unsigned)digit;
		}
		to[n++] = (uint8_t)(v >> 8);
		to[n++] = (uint8_t)v;
		if (!more)
			return n;
	}
}

static bool ipv6_of(struct span s, uint8_t to[16])
{
	uint8_t head[16] = { 0 }, tail[16] = { 0 };
	size_t gap = 0;
	int heads, tails;

	while (gap + 1 < s.n && (s.p[gap] != ':' || s.p[gap + 1] != ':'))
		gap++;
	memset(to, 0, 16);
	if (gap + 1 >= s.n)
		return groups_of(s, to) == 16;
	heads = groups_of(span_of(s.p, gap), head);
	tails = groups_of(span_of(s.p + gap + 2, s.n - gap - 2), tail);
	if (heads < 0 || tails < 0 || heads + tails > 14 ||
		memchr(s.p, '.', gap) != NULL)
		return false;
	memcpy(to, head, (size_t)heads);
	memcpy(to + 16 - tails, tail, (size_t)tails);
	return true;
}

static bool end_of(struct span addr, struct span port, bool v6, struct proxy_end *to)
{
	int32_t n = decimal_of(port, 65535);

	if (n < 0 || !(v6 ? ipv6_of(addr, to->addr) : ipv4_of(addr, to->addr)))
		return false;
	to->port = (uint16_t)n;
	return true;
}

/** "TCP4 ADDRESS ADDRESS PORT PORT", "UNKNOWN" and whatever follows it. */
static int v1_words(struct span line, struct proxy_header *h)
{
	struct span family = next_word(&line, ' '), from, to, from_port;
	bool v6;

	if (family.n == 7 && memcmp(family.p, "UNKNOWN", 7) == 0)
		return SM_OK;
	if (family.n != 4 || memcmp(family.p, "TCP", 3) != 0 ||
		(family.p[3] != '4' && family.p[3] != '6'))
		return SM_EFORMAT;
	v6 = family.p[3] == '6';
	from = next_word(&line, ' ');
	to = next_word(&line, ' ');
	from_port = next_word(&line, ' ');
	if (!end_of(from, from_port, v6, &h->from) || !end_of(to, line, v6, &h->to))
		return SM_EFORMAT;
	h->family = v6 ? PROXY_IPV6 : PROXY_IPV4;
	return SM_OK;
}

static int v1_read(struct span in, struct proxy_header *ret)
{
	struct proxy_header h = { .version = 1 };
	size_t i = sizeof(v1_word);

	for (; i < in.n && i < PROXY_V1_MAX; i++) {
		if (in.p[i] == '\n' && in.p[i - 1] == '\r')
			break;
		if (in.p[i - 1] == '\r' || (in.p[i] < ' ' && in.p[i] != '\r') || in.p[i] > '~')
			return SM_EFORMAT;
	}
	if (i == PROXY_V1_MAX)
		return SM_ELEN;
	if (i >= in.n)
		return 0;
	if (v1_words(span_of(in.p + sizeof(v1_word), i - 1 - sizeof(v1_word)), &h) < 0)
		return SM_EFORMAT;
	*ret = h;
	return (int)i + 1;
}

/** Type, two octets of length, value, to the last octet: or the header's length was a lie. */
static bool tlvs_fit(struct span in)
{
	struct reader r = reader_of(in);

	while (r.err == SM_OK && reader_left(&r) > 0) {
		(void)reader_take(&r, 1);
		(void)reader_take(&r, (size_t)reader_uint(&r, 2));
	}
	return reader_finish(&r) == SM_OK;
}

static int v2_addresses(struct span in, uint8_t family, struct proxy_header *h)
{
	struct reader r = reader_of(in);
	size_t each = family == V2_TCP6 ? 16 : 4;
	struct span from = reader_take(&r, each), to = reader_take(&r, each);

	h->from.port = (uint16_t)reader_uint(&r, 2);
	h->to.port = (uint16_t)reader_uint(&r, 2);
	if (r.err != SM_OK || !tlvs_fit(span_of(r.pos, reader_left(&r))))
		return SM_EFORMAT;
	memcpy(h->from.addr, from.p, each);
	memcpy(h->to.addr, to.p, each);
	h->family = family == V2_TCP6 ? PROXY_IPV6 : PROXY_IPV4;
	return SM_OK;
}

static int v2_read(struct span in, struct proxy_header *ret)
{
	struct proxy_header h = { .version = 2 };
	size_t len;

	if (in.n > V2_SIGNATURE && in.p[12] != V2_LOCAL && in.p[12] != V2_PROXY)
		return SM_EFORMAT;
	if (in.n > V2_SIGNATURE + 1 && in.p[12] == V2_PROXY && in.p[13] != V2_UNSPEC &&
		in.p[13] != V2_TCP4 && in.p[13] != V2_TCP6 && in.p[13] != V2_UNIX)
		return SM_EFORMAT;
	if (in.n < V2_FIXED)
		return 0;
	len = (size_t)span_uint(span_of(in.p + 14, 2));
	if (len > PROXY_V2_MAX - V2_FIXED)
		return SM_ELEN;
	if (in.n - V2_FIXED < len)
		return 0;
	if (in.p[12] == V2_PROXY && (in.p[13] == V2_TCP4 || in.p[13] == V2_TCP6) &&
		v2_addresses(span_of(in.p + V2_FIXED, len), in.p[13], &h) < 0)
		return SM_EFORMAT;
	*ret = h;
	return V2_FIXED + (int)len;
}

static bool begins(struct span in, const uint8_t *p, size_t n)
{
	return memcmp(in.p, p, in.n < n ? in.n : n) == 0;
}

int proxy_header_read(struct span in, struct proxy_header *ret)
{
	if (begins(in, v1_word, sizeof(v1_word)))
		return in.n > sizeof(v1_word) ? v1_read(in, ret) : 0;
	if (begins(in, v2_signature, sizeof(v2_signature)))
		return v2_read(in, ret);
	return SM_EFORMAT;
}

static void put_address(struct out *o, const struct proxy_end *e, uint8_t family)
{
	if (family == PROXY_IPV4) {
		out_fmt(o, "%u.%u.%u.%u", e->addr[0], e->addr[1], e->addr[2], e->addr[3]);
		return;
	}
	for (int i = 0; i < 16; i += 2)
		out_fmt(o, "%s%x", i > 0 ? ":" : "", (unsigned)(e->addr[i] << 8 | e->addr[i + 1]));
}

static void v1_write(const struct proxy_header *h, struct out *o)
{
	if (h->family == PROXY_NONE) {
		out_str(o, "PROXY UNKNOWN\r\n");
		return;
	}
	out_str(o, h->family == PROXY_IPV4 ? "PROXY TCP4 " : "PROXY TCP6 ");
	put_address(o, &h->from, h->family);
	out_char(o, ' ');
	put_address(o, &h->to, h->family);
	out_fmt(o, " %u %u\r\n", h->from.port, h->to.port);
}

static void put_u16(struct out *o, unsigned v)
{
	out_put(o, (const uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void v2_write(const struct proxy_header *h, struct out *o)
{
	size_t each = h->family == PROXY_IPV4 ? 4 : 16;

	out_put(o, v2_signature, sizeof(v2_signature));
	if (h->family == PROXY_NONE) {
		out_put(o, (const uint8_t[]){ V2_LOCAL, V2_UNSPEC, 0, 0 }, 4);
		return;
	}
	out_put(o, (const uint8_t[]){ V2_PROXY, h->family == PROXY_IPV4 ? V2_TCP4 : V2_TCP6 }, 2);
	put_u16(o, (unsigned)(2 * each + 4));
	out_put(o, h->from.addr, each);
	out_put(o, h->to.addr, each);
	put_u16(o, h->from.port);
	put_u16(o, h->to.port);
}

int proxy_header_write(const struct proxy_header *h, uint8_t *to, size_t cap)
{
	struct out o = out_of((char *)to, cap);

	if (h->version == 2)
		v2_write(h, &o);
	else
		v1_write(h, &o);
	return o.full ? SM_ELEN : (int)out_len(&o);
}
