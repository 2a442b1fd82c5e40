#include "net/access.h"

#include <string.h>

enum { MAPPED_BITS = 96 };

static const uint8_t mapped_head[12] = { [10] = 0xff, [11] = 0xff };

void access_octets(uint8_t to[static 16], const struct sockaddr_storage *peer)
{
	memset(to, 0, 16);
	if (peer->ss_family == AF_INET6) {
		memcpy(to, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	} else if (peer->ss_family == AF_INET) {
		memcpy(to, mapped_head, sizeof(mapped_head));
		memcpy(to + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	}
}

/** ::/0 is all of IPv6 and nothing of IPv4: a shorter prefix than the mapped ones' holds none of these. */
static bool prefix_holds(const struct prefix *p, const uint8_t addr[static 16])
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	if (p->bits < MAPPED_BITS && memcmp(addr, mapped_head, sizeof(mapped_head)) == 0)
		return false;
	if (memcmp(p->addr, addr, whole) != 0)
		return false;
	return rest == 0 || (p->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

/** Bits of the longest prefix that holds `addr`, or -1. */
static int longest(const struct prefix *p, int count, const uint8_t addr[static 16])
{
	int bits = -1;

	for (int i = 0; i < count; i++)
		if (p[i].bits > bits && prefix_holds(&p[i], addr))
			bits = p[i].bits;
	return bits;
}

bool access_allowed(const struct link_settings *l, const struct sockaddr_storage *peer)
{
	uint8_t addr[16];
	int allow, deny;

	if (l->allow_count == 0 && l->deny_count == 0)
		return true;
	access_octets(addr, peer);
	allow = longest(l->allow, l->allow_count, addr);
	deny = longest(l->deny, l->deny_count, addr);
	return allow == deny ? l->allow_count == 0 : allow > deny; /* equal: neither holds it */
}

bool access_proxied(const struct link_settings *l, const struct sockaddr_storage *peer)
{
	uint8_t addr[16];

	if (l->proxy_from_count == 0)
		return false;
	access_octets(addr, peer);
	return longest(l->proxy_from, l->proxy_from_count, addr) >= 0;
}

bool access_account(const struct link_settings *l, struct span account)
{
	for (int i = 0; i < l->account_count; i++)
		if (strlen(l->accounts[i]) == account.n &&
			memcmp(l->accounts[i], account.p, account.n) == 0)
			return true;
	return l->account_count == 0;
}
