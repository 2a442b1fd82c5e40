#include "net/census.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/access.h"

/* Who is counted. Open addressing, linear probing, deletion by shifting back. */
struct visitor {
	uint8_t octets[16]; /* of an address, or of an account */
	uint32_t link, count; /* count 0: empty */
	uint32_t kind;
};

enum { ADDRESS = 1, ACCOUNT = 2 };

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
	while (size < 4 * (uint64_t)settings->max_sessions) /* a session is there by address and by account */
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

static struct visitor visitor_address(int link, const struct sockaddr_storage *peer)
{
	struct visitor v = { .link = (uint32_t)link, .kind = ADDRESS };

	access_octets(v.octets, peer);
	return v;
}

static struct visitor visitor_account(int link, struct span account)
{
	struct visitor v = { .link = (uint32_t)link, .kind = ACCOUNT };

	memcpy(v.octets, account.p, account.n < sizeof(v.octets) ? account.n : sizeof(v.octets));
	return v;
}

static uint32_t visitor_home(const struct census *c, const struct visitor *v)
{
	uint32_t h = 2166136261u ^ v->link ^ v->kind << 24;

	for (int i = 0; i < 16; i++)
		h = (h ^ v->octets[i]) * 16777619u;
	return (h ^ h >> 15) & c->mask;
}

/** The visitor's place, or the empty one where it would go. */
static struct visitor *visitor_find(struct census *c, const struct visitor *v)
{
	uint32_t at = visitor_home(c, v);

	while (c->visitors[at].count > 0 && (c->visitors[at].link != v->link ||
			c->visitors[at].kind != v->kind ||
			memcmp(c->visitors[at].octets, v->octets, sizeof(v->octets)) != 0))
		at = (at + 1) & c->mask;
	return &c->visitors[at];
}

/** Count one more of `who` unless there are `limit`. */
static bool visitor_enter(struct census *c, const struct visitor *who, uint32_t limit)
{
	struct visitor *v = visitor_find(c, who);
	uint32_t count = v->count;

	if (count >= limit)
		return false;
	*v = *who;
	v->count = count + 1;
	return true;
}

static bool address_known(const struct sockaddr_storage *peer)
{
	return peer->ss_family != AF_UNSPEC;
}

enum end_how census_enter(struct census *c, int link, const struct sockaddr_storage *peer)
{
	const struct link_settings *l = &c->settings->links[link];
	struct visitor who = visitor_address(link, peer);
	enum end_how how = END_NONE;

	pthread_mutex_lock(&c->lock);
	if (c->per_link[link] >= l->max_sessions)
		how = END_LIMIT_SESSIONS;
	else if (address_known(peer) && !visitor_enter(c, &who, l->max_per_ip))
		how = END_LIMIT_ADDRESS;
	else
		c->per_link[link]++;
	pthread_mutex_unlock(&c->lock);
	return how;
}

enum end_how census_address(struct census *c, int link, const struct sockaddr_storage *peer)
{
	struct visitor who = visitor_address(link, peer);
	bool room;

	pthread_mutex_lock(&c->lock);
	room = visitor_enter(c, &who, c->settings->links[link].max_per_ip);
	pthread_mutex_unlock(&c->lock);
	return room ? END_NONE : END_LIMIT_ADDRESS;
}

enum end_how census_account(struct census *c, int link, struct span account)
{
	struct visitor who = visitor_account(link, account);
	bool room;

	pthread_mutex_lock(&c->lock);
	room = visitor_enter(c, &who, c->settings->links[link].max_per_account);
	pthread_mutex_unlock(&c->lock);
	return room ? END_NONE : END_LIMIT_ACCOUNT;
}

void census_adopt(struct census *c, int link, const struct sockaddr_storage *peer)
{
	struct visitor who = visitor_address(link, peer);

	pthread_mutex_lock(&c->lock);
	c->per_link[link]++;
	if (address_known(peer))
		(void)visitor_enter(c, &who, UINT32_MAX);
	pthread_mutex_unlock(&c->lock);
}

void census_adopt_account(struct census *c, int link, struct span account)
{
	struct visitor who = visitor_account(link, account);

	pthread_mutex_lock(&c->lock);
	(void)visitor_enter(c, &who, UINT32_MAX);
	pthread_mutex_unlock(&c->lock);
}

/** Close the gap at `at`: whatever was pushed beyond it by probing moves back. */
static void visitor_close_gap(struct census *c, uint32_t at)
{
	for (uint32_t next = (at + 1) & c->mask; c->visitors[next].count > 0;
		next = (next + 1) & c->mask) {
		uint32_t home = visitor_home(c, &c->visitors[next]);

		if (((next - home) & c->mask) < ((next - at) & c->mask))
			continue;
		c->visitors[at] = c->visitors[next];
		c->visitors[next].count = 0;
		at = next;
	}
}

static void visitor_leave(struct census *c, const struct visitor *who)
{
	struct visitor *v = visitor_find(c, who);

	if (v->count > 0 && --v->count == 0)
		visitor_close_gap(c, (uint32_t)(v - c->visitors));
}

void census_leave(struct census *c, int link, const struct sockaddr_storage *peer)
{
	struct visitor who = visitor_address(link, peer);

	pthread_mutex_lock(&c->lock);
	if (c->per_link[link] > 0)
		c->per_link[link]--;
	if (address_known(peer))
		visitor_leave(c, &who);
	pthread_mutex_unlock(&c->lock);
}

void census_account_leave(struct census *c, int link, struct span account)
{
	struct visitor who = visitor_account(link, account);

	pthread_mutex_lock(&c->lock);
	visitor_leave(c, &who);
	pthread_mutex_unlock(&c->lock);
}
