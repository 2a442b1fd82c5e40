#include "net/refusals.h"

#include <pthread.h>
#include <stdlib.h>

#define TOLD_EVERY_NS 1000000000u

struct heap {
	uint64_t count, told_ns; /* told_ns 0: never */
	struct sockaddr_storage peer;
};

struct refusals {
	pthread_mutex_t lock;
	int link_count;
	uint64_t waiting; /* how many of all heaps are to be told */
	struct heap (*heaps)[END_COUNT]; /* by link */
};

struct refusals *refusals_new(int link_count)
{
	struct refusals *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->link_count = link_count;
	r->heaps = calloc((size_t)link_count + 1, sizeof(*r->heaps));
	pthread_mutex_init(&r->lock, NULL);
	if (r->heaps == NULL) {
		refusals_free(r);
		return NULL;
	}
	return r;
}

void refusals_free(struct refusals *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r->heaps);
	free(r);
}

/** Take what is to be told of a heap, if it has waited long enough. */
static bool heap_take(struct refusals *r, int link, enum end_how how, uint64_t now_ns,
	struct refusal_count *ret)
{
	struct heap *h = &r->heaps[link][how];

	if (h->count == 0 || (h->told_ns != 0 && now_ns - h->told_ns < TOLD_EVERY_NS))
		return false;
	*ret = (struct refusal_count){ link, how, h->count, h->peer };
	r->waiting -= h->count;
	h->count = 0;
	h->told_ns = now_ns;
	return true;
}

bool refusals_add(struct refusals *r, int link, enum end_how how,
	const struct sockaddr_storage *peer, uint64_t now_ns, struct refusal_count *ret)
{
	bool tell;

	pthread_mutex_lock(&r->lock);
	r->heaps[link][how].count++;
	r->heaps[link][how].peer = *peer;
	r->waiting++;
	tell = heap_take(r, link, how, now_ns, ret);
	pthread_mutex_unlock(&r->lock);
	return tell;
}

void refusals_again(struct refusals *r, const struct refusal_count *untold)
{
	pthread_mutex_lock(&r->lock);
	r->heaps[untold->link][untold->how].count += untold->count;
	r->waiting += untold->count;
	pthread_mutex_unlock(&r->lock);
}

bool refusals_due(struct refusals *r, uint64_t now_ns, struct refusal_count *ret)
{
	bool tell = false;

	pthread_mutex_lock(&r->lock);
	for (int l = 0; r->waiting > 0 && l < r->link_count && !tell; l++)
		for (int how = 0; how < END_COUNT && !tell; how++)
			tell = heap_take(r, l, (enum end_how)how, now_ns, ret);
	pthread_mutex_unlock(&r->lock);
	return tell;
}
