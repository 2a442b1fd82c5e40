#include "net/census.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Addresses are kept as IPv6, IPv4 ones mapped. Open addressing, linear probing, deletion by shifting back. */
struct visitor {
	uint8_t addr[16];
	uint32_t link, count; /* count 0: empty */
};

struct census {
	pthread_mutex_t lock;
	const struct settings *settings;
	uint32_t *per_link;
	struct visitor *visitors;
	uint32_t mask;
};

struct census *census_new(const struct settings *settings)
{
	struct census *c = calloc(1, sizeof(*c));
	uint32_t size = 64;

	if (c == NULL)
		return NULL;
	while (size < 2 * settings->max_sessions)
		size *= 2;
	c->settings = settings;
	c->mask = size - 1;
	c->visitors = calloc(size, sizeof(*c->visitors));
	c->per_link = calloc((size_t)settings->link_count, sizeof(*c->per_link));
	pthread_mutex_init(&c->lock, NULL);
	if (c->visitors == NULL || c->per_link == NULL) {
		census_free(c);
		return NULL;
	}
	return c;
}

void census_free(struct census *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->visitors);
	free(c->per_link);
	free(c);
}

static void visitor_addr(uint8_t to[16], const struct sockaddr_storage *peer)
{
	memset(to, 0, 16);
	if (peer->ss_family == AF_INET6) {
		memcpy(to, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	} else if (peer->ss_family == AF_INET) {
		to[10] = to[11] = 0xff;
		memcpy(to + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	}
}

static uint32_t visitor_home(const struct census *c, const uint8_t addr[16], uint32_t link)
{
	uint32_t h = 2166136261u ^ link;

	for (int i = 0; i < 16; i++)
		h = (h ^ addr[i]) * 16777619u;
	return (h ^ h >> 15) & c->mask;
}

/** The visitor's place, or the empty one where it would go. */
static struct visitor *visitor_find(struct census *c, const uint8_t addr[16], uint32_t link)
{
	uint32_t at = visitor_home(c, addr, link);

	while (c->visitors[at].count > 0 && (c->visitors[at].link != link ||
			memcmp(c->visitors[at].addr, addr, 16) != 0))
		at = (at + 1) & c->mask;
	return &c->visitors[at];
}

enum end_how census_enter(struct census *c, int link, const struct sockaddr_storage *peer)
{
	const struct link_settings *l = &c->settings->links[link];
	enum end_how how = END_NONE;
	struct visitor *v;
	uint8_t addr[16];

	visitor_addr(addr, peer);
	pthread_mutex_lock(&c->lock);
	v = visitor_find(c, addr, (uint32_t)link);
	if (c->per_link[link] >= l->max_sessions) {
		how = END_LIMIT_SESSIONS;
	} else if (v->count >= l->max_per_ip) {
		how = END_LIMIT_ADDRESS;
	} else {
		if (v->count == 0) {
			memcpy(v->addr, addr, 16);
			v->link = (uint32_t)link;
		}
		v->count++;
		c->per_link[link]++;
	}
	pthread_mutex_unlock(&c->lock);
	return how;
}

/** Close the gap at `at`: whatever was pushed beyond it by probing moves back. */
static void visitor_close_gap(struct census *c, uint32_t at)
{
	for (uint32_t next = (at + 1) & c->mask; c->visitors[next].count > 0;
		next = (next + 1) & c->mask) {
		uint32_t home = visitor_home(c, c->visitors[next].addr, c->visitors[next].link);

		if (((next - home) & c->mask) < ((next - at) & c->mask))
			continue;
		c->visitors[at] = c->visitors[next];
		c->visitors[next].count = 0;
		at = next;
	}
}

void census_leave(struct census *c, int link, const struct sockaddr_storage *peer)
{
	struct visitor *v;
	uint8_t addr[16];

	visitor_addr(addr, peer);
	pthread_mutex_lock(&c->lock);
	v = visitor_find(c, addr, (uint32_t)link);
	if (v->count > 0) {
		c->per_link[link]--;
		if (--v->count == 0)
			visitor_close_gap(c, (uint32_t)(v - c->visitors));
	}
	pthread_mutex_unlock(&c->lock);
}
