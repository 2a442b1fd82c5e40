#include "net/pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { WAYS = 8, SETS = PACE_ROWS / WAYS };

#define MINUTE_MS 60000ull
#define MINUTE_NS (MINUTE_MS * 1000000)

/* A row may lie in the places of one set only, so that finding it is bounded. */
struct row {
	uint8_t octets[PACE_OCTETS];
	uint8_t n, kind;
	uint16_t link;
	uint32_t before, now; /* counted in the minute before `since_ns` and in the one from there */
	uint64_t since_ns;    /* 0: the row is free */
	uint64_t used_ns, out_until_ns;
};

struct pace {
	pthread_mutex_t lock;
	uint64_t seed; /* else a flood could choose addresses that push a certain one out */
	struct row rows[PACE_ROWS];
};

struct pace *pace_new(void)
{
	struct pace *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	if (getrandom(&p->seed, sizeof(p->seed), GRND_NONBLOCK) != (ssize_t)sizeof(p->seed))
		p->seed = (uintptr_t)p;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pace_free(struct pace *p)
{
	if (p == NULL)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct row row_of(const struct pace_key *key)
{
	struct row r = { .kind = (uint8_t)key->kind, .link = (uint16_t)key->link };

	r.n = (uint8_t)(key->octets.n < PACE_OCTETS ? key->octets.n : PACE_OCTETS);
	memcpy(r.octets, key->octets.p, r.n);
	return r;
}

static uint64_t mixed(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static struct row *set_of(struct pace *p, const struct row *r)
{
	uint64_t words[2], h = p->seed;

	memcpy(words, r->octets, sizeof(words));
	h = mixed(h ^ words[0]);
	h = mixed(h + words[1]);
	h = mixed(h ^ ((uint64_t)r->link << 16 | (uint64_t)r->kind << 8 | r->n));
	return &p->rows[h % SETS * WAYS];
}

static bool row_same(const struct row *a, const struct row *b)
{
	return a->since_ns != 0 && a->link == b->link && a->kind == b->kind && a->n == b->n &&
		memcmp(a->octets, b->octets, PACE_OCTETS) == 0;
}

/** The key's row, its minutes up to date; `make` one if there is none, else NULL. */
static struct row *row_find(struct pace *p, const struct pace_key *key, bool make, uint64_t now_ns)
{
	struct row want = row_of(key), *set = set_of(p, &want), *found = NULL, *oldest = set;

	for (int i = 0; i < WAYS && found == NULL; i++) {
		if (row_same(&set[i], &want))
			found = &set[i];
		else if (set[i].used_ns < oldest->used_ns)
			oldest = &set[i];
	}
	if (found == NULL && make) {
		found = oldest;
		*found = want;
		found->since_ns = now_ns;
	}
	if (found == NULL)
		return NULL;
	found->used_ns = now_ns;
	if (now_ns - found->since_ns >= 2 * MINUTE_NS) {
		found->before = found->now = 0;
		found->since_ns = now_ns;
	} else if (now_ns - found->since_ns >= MINUTE_NS) {
		found->before = found->now;
		found->now = 0;
		found->since_ns += MINUTE_NS;
	}
	return found;
}

/** How many within the last minute. */
static uint64_t row_count(const struct row *r, uint64_t now_ns)
{
	uint64_t left_ms = (MINUTE_NS - (now_ns - r->since_ns)) / 1000000;

	return r->now + (r->before * left_ms + MINUTE_MS - 1) / MINUTE_MS;
}

bool pace_take(struct pace *p, const struct pace_key *key, uint32_t limit, uint64_t now_ns)
{
	struct row *r;
	bool room;

	pthread_mutex_lock(&p->lock);
	r = row_find(p, key, true, now_ns);
	room = row_count(r, now_ns) < limit;
	if (room)
		r->now++;
	pthread_mutex_unlock(&p->lock);
	return room;
}

void pace_refused(struct pace *p, const struct pace_key *key, uint32_t after, uint32_t penalty_ms,
	uint64_t now_ns)
{
	struct row *r;

	pthread_mutex_lock(&p->lock);
	r = row_find(p, key, true, now_ns);
	r->now++;
	if (row_count(r, now_ns) >= after) {
		r->out_until_ns = now_ns + penalty_ms * 1000000ull;
		r->before = r->now = 0;	/* whoever has served it begins anew */
	}
	pthread_mutex_unlock(&p->lock);
}

bool pace_out(struct pace *p, const struct pace_key *key, uint64_t now_ns)
{
	struct row *r;
	bool out;

	pthread_mutex_lock(&p->lock);
	r = row_find(p, key, false, now_ns);
	out = r != NULL && now_ns < r->out_until_ns;
	pthread_mutex_unlock(&p->lock);
	return out;
}
