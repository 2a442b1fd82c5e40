#include <pcap/dlt.h>

#include "tools/packet.h"

enum {
	ETHER_IP4 = 0x0800,
	ETHER_IP6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_QINQ_OLD = 0x9100,
};

/* IP protocols; of IPv6 also the extension headers that may stand before TCP. */
enum { IP_HOPS = 0, IP_TCP = 6, IP_ROUTING = 43, IP_FRAGMENT = 44, IP_AUTH = 51, IP_OPTIONS = 60 };

bool packet_link_known(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
		return true;
	default:
		return false;
	}
}

/* The version octet of an IP header, which every one of them begins with. */
static int version(const struct reader *r)
{
	return reader_left(r) > 0 ? *r->pos >> 4 : 0;
}

/*
 * Step over the link layer; 4, 6, or 0 for what is no IP. Tags of VLANs stand before the type:
 *     Ethernet  6 destination | 6 source | { 2 tag | 2 VLAN }… | 2 type
 *     SLL       14 of other things | 2 type      SLL2  2 type | 18 of other things
 *     NULL, LOOP  4 family, in the byte order of who captured: the IP header tells the same
 */
static int link_read(int link, struct reader *r)
{
	uint64_t type;

	if (link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6)
		return version(r);
	if (link == DLT_NULL || link == DLT_LOOP) {
		(void)reader_take(r, 4);
		return version(r);
	}
	if (link != DLT_LINUX_SLL2)
		(void)reader_take(r, link == DLT_EN10MB ? 12 : 14);
	type = reader_uint(r, 2);
	if (link == DLT_LINUX_SLL2)
		(void)reader_take(r, 18);
	while (type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD) {
		(void)reader_take(r, 2);
		type = reader_uint(r, 2);
	}
	return type == ETHER_IP4 ? 4 : type == ETHER_IP6 ? 6 : 0;
}

static void address_read(struct reader *r, struct tcp_end *e, uint8_t n)
{
	struct span s = reader_take(r, n);

	memcpy(e->ip, s.p, s.n);
	e->ip_len = n;
}

/*
 * IPv4 to the end of its options; *ret_len is what follows of it. An offloading network card leaves
 * the length 0: then the packet is as long as the frame.
 *     1 version, words | 1 | 2 length | 2 id | 2 flags, offset | 1 ttl | 1 protocol | 2 sum | 4 | 4
 */
static enum packet ip4_read(struct reader *r, size_t sent, struct segment *ret, size_t *ret_len)
{
	size_t words = (size_t)reader_uint(r, 1) & 15, len;
	uint64_t offset, protocol;

	(void)reader_take(r, 1);
	len = (size_t)reader_uint(r, 2);
	(void)reader_take(r, 2);
	offset = reader_uint(r, 2) & 0x3fff; /* with "more fragments" */
	(void)reader_take(r, 1);
	protocol = reader_uint(r, 1);
	(void)reader_take(r, 2);
	address_read(r, &ret->from, 4);
	address_read(r, &ret->to, 4);
	if (r->err != SM_OK)
		return PACKET_CUT;
	if (protocol != IP_TCP)
		return PACKET_NOT_TCP;
	if (offset != 0)
		return PACKET_FRAGMENT;
	len = len == 0 ? sent : len;
	if (words < 5 || len < 4 * words)
		return PACKET_BAD;
	(void)reader_take(r, 4 * words - 20);
	*ret_len = len - 4 * words;
	return PACKET_TCP;
}

/*
 * IPv6 to the end of its extension headers.
 *     4 version | 2 length | 1 next | 1 hops | 16 | 16        then    1 next | 1 length | …
 * An extension's length counts 8 octets, without the first 8; AH's counts 4, without the first 8.
 */
static enum packet ip6_read(struct reader *r, size_t sent, struct segment *ret, size_t *ret_len)
{
	size_t len, at;
	uint64_t next;

	(void)reader_take(r, 4);
	len = (size_t)reader_uint(r, 2);
	next = reader_uint(r, 1);
	(void)reader_take(r, 1);
	address_read(r, &ret->from, 16);
	address_read(r, &ret->to, 16);
	at = reader_at(r);
	while (r->err == SM_OK && (next == IP_HOPS || next == IP_ROUTING || next == IP_FRAGMENT ||
				   next == IP_AUTH || next == IP_OPTIONS)) {
		uint64_t kind = next, more;

		next = reader_uint(r, 1);
		more = reader_uint(r, 1);
		if (kind == IP_FRAGMENT) {
			if ((reader_uint(r, 2) & 0xfff9) != 0)
				return next == IP_TCP ? PACKET_FRAGMENT : PACKET_NOT_TCP;
			(void)reader_take(r, 4);
		} else {
			(void)reader_take(r, 6 + (size_t)more * (kind == IP_AUTH ? 4 : 8));
		}
	}
	if (r->err != SM_OK)
		return PACKET_CUT;
	if (next != IP_TCP)
		return PACKET_NOT_TCP;
	at = reader_at(r) - at;
	len = len == 0 && sent > 40 ? sent - 40 : len;
	if (len < at)
		return PACKET_BAD;
	*ret_len = len - at;
	return PACKET_TCP;
}

/* 2 port | 2 port | 4 seq | 4 ack | 1 words | 1 flags | 2 window | 2 sum | 2 urgent | options */
static enum packet tcp_read(struct reader *r, size_t len, struct segment *ret)
{
	size_t words, options;

	ret->from.port = (uint16_t)reader_uint(r, 2);
	ret->to.port = (uint16_t)reader_uint(r, 2);
	ret->seq = (uint32_t)reader_uint(r, 4);
	ret->ack = (uint32_t)reader_uint(r, 4);
	words = (size_t)reader_uint(r, 1) >> 4;
	ret->flags = (uint8_t)reader_uint(r, 1);
	(void)reader_take(r, 6);
	if (r->err != SM_OK)
		return PACKET_CUT;
	if (words < 5 || len < 4 * words)
		return PACKET_BAD;
	options = 4 * words - 20;
	(void)reader_take(r, options < reader_left(r) ? options : reader_left(r));
	ret->len = (ret->flags & TCP_RST) != 0 ? 0 : (uint32_t)(len - 4 * words);
	ret->data = reader_take(r, ret->len < reader_left(r) ? ret->len : reader_left(r));
	return PACKET_TCP;
}

enum packet packet_read(int link, struct span octets, size_t sent, struct segment *ret)
{
	struct reader r = reader_of(octets);
	struct segment s = { .data = octets };
	int ip = link_read(link, &r);
	bool whole = sent <= octets.n;
	enum packet kind = PACKET_NOT_IP;
	size_t len = 0;

	sent = whole ? reader_left(&r) : sent - reader_at(&r);
	if (r.err != SM_OK)
		kind = PACKET_CUT;
	else if (ip == 4)
		kind = ip4_read(&r, sent, &s, &len);
	else if (ip == 6)
		kind = ip6_read(&r, sent, &s, &len);
	if (kind == PACKET_TCP)
		kind = tcp_read(&r, len, &s);
	if (kind == PACKET_CUT && whole) /* it was sent like this */
		kind = PACKET_BAD;
	if (kind == PACKET_TCP)
		*ret = s;
	return kind;
}
