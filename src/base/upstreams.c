#include "base/upstreams.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

struct server {
	struct upstream_status status;
	bool on_probation;   /* a probe found it up: one failure makes it down; else down_after in a row do */
	bool failing;        /* and nobody has connected since */
	uint64_t failed_ns;  /* the last failure that counted; 0: none did */
	uint64_t retry_ns;   /* no session dials it before that */
	uint64_t probe_ns;   /* when it is probed next, while down */
	bool probing;
	bool told_up;        /* news: */
	struct upstream_address was; /* … its address is another one now */
	struct shm_server *kept; /* for the next engine; NULL: it will know nothing */
};

struct upstreams {
	pthread_mutex_t lock;
	const struct settings *settings;
	uint64_t random;
	int *first;          /* by link: its first server */
	int count;
	int news;            /* servers that have some */
	struct server *servers;
	struct shm *shm;     /* NULL: nothing is kept */
	uint32_t engine;
};

const char *upstream_state_name(enum upstream_state s)
{
	static const char *const names[] = {
		[UPSTREAM_UNKNOWN] = "unknown",
		[UPSTREAM_UP] = "up",
		[UPSTREAM_DOWN] = "down",
	};

	return names[s];
}

struct upstreams *upstreams_new(const struct settings *settings, uint64_t seed, uint64_t now_ns)
{
	struct upstreams *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	pthread_mutex_init(&u->lock, NULL);
	u->settings = settings;
	u->random = seed | 1; /* never 0, which would stay 0 */
	for (int l = 0; l < settings->link_count; l++)
		u->count += settings->links[l].upstream_count;
	u->first = calloc((size_t)settings->link_count + 1, sizeof(*u->first));
	u->servers = calloc((size_t)u->count + 1, sizeof(*u->servers));
	if (u->first == NULL || u->servers == NULL) {
		upstreams_free(u);
		return NULL;
	}
	for (int l = 0, n = 0; l < settings->link_count; l++) {
		u->first[l] = n;
		for (int i = 0; i < settings->links[l].upstream_count; i++, n++) {
			const struct endpoint *e = &settings->links[l].upstream[i];

			u->servers[n].status.since_ns = now_ns;
			u->servers[n].status.address = (struct upstream_address){ e->addr, e->addr_len };
		}
	}
	return u;
}

void upstreams_free(struct upstreams *u)
{
	if (u == NULL)
		return;
	pthread_mutex_destroy(&u->lock);
	free(u->first);
	free(u->servers);
	free(u);
}

static struct server *server_of(const struct upstreams *u, int link, int server)
{
	return &u->servers[u->first[link] + server];
}

/* xorshift: whoever guesses a pause has gained nothing. */
static uint32_t next_random(struct upstreams *u)
{
	u->random ^= u->random << 13;
	u->random ^= u->random >> 7;
	u->random ^= u->random << 17;
	return (uint32_t)(u->random >> 32);
}

static uint64_t jitter_ms(uint64_t ms, uint32_t random)
{
	return ms - ms / 4 + (ms / 2) * random / UINT32_MAX;
}

uint64_t upstream_pause_ms(uint32_t failures, uint32_t first, uint32_t most, uint32_t random)
{
	uint64_t ms = first;

	while (failures-- > 1 && ms < most)
		ms *= 2;
	return jitter_ms(ms < most ? ms : most, random);
}

/* Call it with the lock held, behind each change. An engine of before keeps its knowledge to itself. */
static void keep(const struct upstreams *u, const struct server *s)
{
	struct shm_server *k = s->kept;

	if (k == NULL || atomic_load(&u->shm->engine) != u->engine)
		return;
	atomic_fetch_add(&k->version, 1);
	k->state = s->status.state;
	k->failing = s->failing;
	k->failures = s->status.failures;
	k->on_probation = s->on_probation;
	k->failed = s->status.failed;
	k->since_ns = s->status.since_ns;
	k->failed_ns = s->failed_ns;
	k->retry_ns = s->retry_ns;
	k->probe_ns = s->probe_ns;
	k->addr = s->status.address.addr;
	k->addr_len = s->status.address.len;
	atomic_fetch_add(&k->version, 1);
}

static void take_over(struct server *s, const struct shm_server *k)
{
	if (k->state > UPSTREAM_DOWN || k->addr_len > sizeof(k->addr))
		return;
	s->status.state = (enum upstream_state)k->state;
	s->status.failures = k->failures;
	s->status.failed = k->failed;
	s->status.since_ns = k->since_ns;
	s->failing = k->failing != 0;
	s->on_probation = k->on_probation != 0;
	s->failed_ns = k->failed_ns;
	s->retry_ns = k->retry_ns;
	s->probe_ns = k->probe_ns;
	if (s->status.address.len == 0)
		s->status.address = (struct upstream_address){ k->addr, k->addr_len };
}

/* Where the server lies in the shared memory, or may lie from here on; NULL: all places are taken. */
static struct shm_server *place_of(struct shm *shm, int link_number, uint32_t key)
{
	for (uint32_t i = 0; i < SHM_SERVERS_MAX; i++) {
		struct shm_server *k = shm_server(shm, i);

		if (k->link == 0) {
			k->key = key;
			k->link = (uint32_t)link_number + 1;
			return k;
		}
		if (k->link == (uint32_t)link_number + 1 && k->key == key)
			return k;
	}
	return NULL;
}

void upstreams_share(struct upstreams *u, struct shm *shm)
{
	u->shm = shm;
	u->engine = atomic_load(&shm->engine);
	for (int l = 0, n = 0; l < u->settings->link_count; l++)
		for (int i = 0; i < u->settings->links[l].upstream_count; i++, n++) {
			const struct link_settings *link = &u->settings->links[l];
			struct server *s = &u->servers[n];

			s->kept = place_of(shm, link->number, upstreams_key(&link->upstream[i]));
			if (s->kept == NULL)
				continue;
			if (atomic_load(&s->kept->version) % 2 == 0 && atomic_load(&s->kept->version) > 0)
				take_over(s, s->kept);
			atomic_store(&s->kept->version, 0);
			keep(u, s);
		}
}

static void enter(struct server *s, enum upstream_state state, uint64_t now_ns)
{
	if (s->status.state == state)
		return;
	s->status.state = state;
	s->status.since_ns = now_ns;
}

static bool has_news(const struct server *s)
{
	return s->told_up || s->was.len > 0;
}

/** Call it with what has_news() said before a change. */
static void count_news(struct upstreams *u, const struct server *s, bool before)
{
	u->news += has_news(s) - before;
}

/** The better one of those that may be dialled and are down, or are not; -1: there is none. */
static int best_of(const struct upstreams *u, int link, uint32_t tried, bool down, uint64_t now_ns)
{
	const struct link_settings *l = &u->settings->links[link];
	int best = -1;

	for (int i = 0; i < l->upstream_count; i++) {
		const struct server *s = server_of(u, link, i);

		if ((tried >> i & 1u) != 0 || s->retry_ns > now_ns ||
			(s->status.state == UPSTREAM_DOWN) != down)
			continue;
		if (best < 0 || s->status.sessions < server_of(u, link, best)->status.sessions)
			best = i;
		if (l->balance == BALANCE_ORDER)
			break;
	}
	return best;
}

int upstreams_choose(struct upstreams *u, int link, uint32_t tried, uint64_t now_ns,
	struct upstream_address *ret)
{
	int server;

	pthread_mutex_lock(&u->lock);
	server = best_of(u, link, tried, false, now_ns);
	if (server < 0)
		server = best_of(u, link, tried, true, now_ns);
	if (server >= 0) {
		server_of(u, link, server)->status.sessions++;
		*ret = server_of(u, link, server)->status.address;
	}
	pthread_mutex_unlock(&u->lock);
	return server;
}

uint32_t upstreams_key(const struct endpoint *server)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (const char *p = server->text; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	return h;
}

int upstreams_adopt(struct upstreams *u, int link, uint32_t key)
{
	const struct link_settings *l = &u->settings->links[link];

	for (int i = 0; i < l->upstream_count; i++) {
		if (upstreams_key(&l->upstream[i]) != key)
			continue;
		pthread_mutex_lock(&u->lock);
		server_of(u, link, i)->status.sessions++;
		pthread_mutex_unlock(&u->lock);
		return i;
	}
	return -1;
}

void upstreams_leave(struct upstreams *u, int link, int server)
{
	pthread_mutex_lock(&u->lock);
	server_of(u, link, server)->status.sessions--;
	pthread_mutex_unlock(&u->lock);
}

/** It answers: what had failed is forgotten. */
static bool recover(struct server *s, bool on_probation, uint64_t now_ns)
{
	bool failing = s->failing;

	s->failing = false;
	s->on_probation = on_probation;
	s->status.failures = 0;
	s->retry_ns = 0;
	enter(s, UPSTREAM_UP, now_ns);
	return failing;
}

bool upstreams_connected(struct upstreams *u, int link, int server, uint64_t now_ns)
{
	struct server *s = server_of(u, link, server);
	bool failing;

	pthread_mutex_lock(&u->lock);
	failing = recover(s, false, now_ns);
	keep(u, s);
	pthread_mutex_unlock(&u->lock);
	return failing;
}

static uint64_t next_probe(struct upstreams *u, const struct link_settings *l, uint64_t now_ns)
{
	return now_ns + jitter_ms(l->probe_interval_ms, next_random(u)) * MS;
}

bool upstreams_failed(struct upstreams *u, int link, int server, uint64_t began_ns,
	uint64_t now_ns, struct upstream_status *ret)
{
	const struct link_settings *l = &u->settings->links[link];
	struct server *s = server_of(u, link, server);
	bool fell = false, news;

	pthread_mutex_lock(&u->lock);
	s->status.failed++;
	s->failing = true;
	if (began_ns >= s->failed_ns) {
		s->failed_ns = now_ns;
		s->status.failures++;
		s->retry_ns = now_ns + MS * upstream_pause_ms(s->status.failures, l->retry_ms,
			l->retry_max_ms, next_random(u));
	}
	if (s->status.state != UPSTREAM_DOWN && s->status.failures >= (s->on_probation ? 1 : l->down_after)) {
		fell = true;
		enter(s, UPSTREAM_DOWN, now_ns);
		s->probe_ns = next_probe(u, l, now_ns);
		news = has_news(s);
		s->told_up = false; /* nobody was told that it was up, and it is no more */
		count_news(u, s, news);
	}
	keep(u, s);
	*ret = s->status;
	pthread_mutex_unlock(&u->lock);
	return fell;
}

bool upstreams_probe(struct upstreams *u, uint64_t now_ns, int *ret_link, int *ret_server,
	struct upstream_address *to)
{
	bool due = false;

	pthread_mutex_lock(&u->lock);
	for (int l = 0; l < u->settings->link_count && !due; l++)
		for (int i = 0; i < u->settings->links[l].upstream_count && !due; i++) {
			struct server *s = server_of(u, l, i);

			due = s->status.state == UPSTREAM_DOWN && !s->probing &&
				s->status.address.len > 0 && s->probe_ns <= now_ns;
			if (!due)
				continue;
			s->probing = true;
			*ret_link = l;
			*ret_server = i;
			*to = s->status.address;
		}
	pthread_mutex_unlock(&u->lock);
	return due;
}

bool upstreams_probed(struct upstreams *u, int link, int server, bool connected, uint64_t now_ns)
{
	struct server *s = server_of(u, link, server);
	bool up = false, news;

	pthread_mutex_lock(&u->lock);
	s->probing = false;
	s->probe_ns = next_probe(u, &u->settings->links[link], now_ns);
	if (s->status.state == UPSTREAM_DOWN && connected) {
		news = has_news(s);
		up = s->told_up = true;
		count_news(u, s, news);
		/* That it takes connections is not yet that it serves sessions: one that fails is enough now. */
		(void)recover(s, true, now_ns);
	} else if (s->status.state == UPSTREAM_DOWN) {
		s->status.failures++;
		s->status.failed++;
	}
	keep(u, s);
	pthread_mutex_unlock(&u->lock);
	return up;
}

static bool same(const struct upstream_address *a, const struct upstream_address *b)
{
	return a->len == b->len && memcmp(&a->addr, &b->addr, a->len) == 0;
}

bool upstreams_resolved(struct upstreams *u, int link, int server,
	const struct upstream_address *all, int count, uint64_t now_ns,
	struct upstream_address *ret, struct upstream_address *ret_was)
{
	struct server *s = server_of(u, link, server);
	bool changed, news;
	int at = 0;

	pthread_mutex_lock(&u->lock);
	s->status.unanswered = 0;
	while (at < count && !same(&all[at], &s->status.address))
		at++;
	changed = at == count || (s->failing && count > 1);
	if (changed) {
		*ret_was = s->status.address;
		*ret = s->status.address = all[at == count ? 0 : (at + 1) % count];
		s->retry_ns = 0; /* it was the other one that did not answer */
		s->probe_ns = now_ns;
		news = has_news(s);
		if (s->was.len == 0)
			s->was = *ret_was;
		count_news(u, s, news);
		keep(u, s);
	}
	pthread_mutex_unlock(&u->lock);
	return changed;
}

bool upstreams_unresolved(struct upstreams *u, int link, int server)
{
	bool first;

	pthread_mutex_lock(&u->lock);
	first = server_of(u, link, server)->status.unanswered++ == 0;
	pthread_mutex_unlock(&u->lock);
	return first;
}

bool upstreams_reachable(struct upstreams *u, int link)
{
	bool reachable = false;

	pthread_mutex_lock(&u->lock);
	for (int i = 0; i < u->settings->links[link].upstream_count; i++)
		reachable = reachable || server_of(u, link, i)->status.address.len > 0;
	pthread_mutex_unlock(&u->lock);
	return reachable;
}

void upstreams_status(const struct upstreams *u, int link, int server, struct upstream_status *ret)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&u->lock;

	pthread_mutex_lock(lock);
	*ret = server_of(u, link, server)->status;
	pthread_mutex_unlock(lock);
}

bool upstreams_news(struct upstreams *u, struct upstream_news *ret)
{
	bool found = false;

	pthread_mutex_lock(&u->lock);
	for (int l = 0; u->news > 0 && l < u->settings->link_count && !found; l++)
		for (int i = 0; i < u->settings->links[l].upstream_count && !found; i++) {
			struct server *s = server_of(u, l, i);

			found = has_news(s);
			if (!found)
				continue;
			*ret = (struct upstream_news){ l, i, s->told_up, s->status.address, s->was };
			s->told_up = false;
			s->was.len = 0;
			u->news--;
		}
	pthread_mutex_unlock(&u->lock);
	return found;
}

void upstreams_again(struct upstreams *u, const struct upstream_news *untold)
{
	struct server *s = server_of(u, untold->link, untold->server);
	bool news;

	pthread_mutex_lock(&u->lock);
	news = has_news(s);
	s->told_up = s->told_up || (untold->up && s->status.state != UPSTREAM_DOWN);
	if (untold->was.len > 0)
		s->was = untold->was;
	count_news(u, s, news);
	pthread_mutex_unlock(&u->lock);
}

bool upstreams_have_news(struct upstreams *u)
{
	bool some;

	pthread_mutex_lock(&u->lock);
	some = u->news > 0;
	pthread_mutex_unlock(&u->lock);
	return some;
}
