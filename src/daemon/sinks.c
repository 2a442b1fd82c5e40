#include "daemon/sinks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { FLUSH_MS = 2000 }; /* all sinks together may take so long for their queues when we end */

int sinks_init(struct sinks *k, struct shm *shm, const struct settings *settings)
{
	size_t n = (size_t)settings->sink_count + 1;

	*k = (struct sinks){ .shm = shm, .settings = settings, .engine = atomic_load(&shm->engine),
		.lock = PTHREAD_MUTEX_INITIALIZER };
	k->all = calloc(n, sizeof(struct sink *));
	k->places = calloc(n, sizeof(*k->places));
	return k->all != NULL && k->places != NULL ? 0 : -ENOMEM;
}

/* Nobody who lives has it, and it is large enough. */
static bool place_is_free(const struct sinks *k, uint32_t i, const struct sink_settings *s)
{
	uint32_t has = (uint32_t)atomic_load(&k->shm->sinks[i].engine);

	return k->shm->sinks[i].bytes >= sink_shared_bytes(s) &&
		(has == 0 || (has != k->engine && !shm_engine_lives(k->shm, has)));
}

static bool place_is_ours(const struct sinks *k, uint32_t i)
{
	for (int s = 0; s < k->settings->sink_count; s++)
		if (sink_shared_fits(shm_sink(k->shm, i), &k->settings->sinks[s]))
			return true;
	return false;
}

/* The place that holds lines of that sink, or one that holds none of ours; -1: there is none. */
static int place_of(const struct sinks *k, const struct sink_settings *s)
{
	for (uint32_t i = 0; i < k->shm->sink_count; i++)
		if (place_is_free(k, i, s) && sink_shared_fits(shm_sink(k->shm, i), s))
			return (int)i;
	for (uint32_t i = 0; i < k->shm->sink_count; i++)
		if (place_is_free(k, i, s) && !place_is_ours(k, i))
			return (int)i;
	return -1;
}

static void open_one(struct sinks *k, const struct sink_settings *s)
{
	int at = place_of(k, s);
	struct sink *new;

	if (at < 0)
		log_warn("log %s: no shared memory for its queue until the next restart: what waits in it "
			 "dies with the engine", s->path != NULL ? s->path : "stdout");
	else
		atomic_store(&k->shm->sinks[at].engine, k->engine);
	new = sink_new(s, at >= 0 ? shm_sink(k->shm, (uint32_t)at) : NULL);
	if (new == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->places[k->count] = at;
	k->all[k->count++] = new;
	pthread_mutex_unlock(&k->lock);
}

void sinks_open(struct sinks *k)
{
	for (int i = 0; i < k->settings->sink_count; i++)
		open_one(k, &k->settings->sinks[i]);
}

void sinks_reopen(struct sinks *k)
{
	pthread_mutex_lock(&k->lock);
	for (int i = 0; i < k->count; i++)
		sink_reopen(k->all[i]);
	pthread_mutex_unlock(&k->lock);
}

static void close_all(struct sinks *k, bool (*close_one)(struct sink *, uint32_t))
{
	uint64_t end_ns = clock_mono_ns() + FLUSH_MS * 1000000ull, now;

	pthread_mutex_lock(&k->lock);
	for (int i = 0; i < k->count; i++) {
		now = clock_mono_ns();
		if (!close_one(k->all[i], now < end_ns ? (uint32_t)((end_ns - now) / 1000000u) : 0))
			k->stuck = true;
		else if (k->places[i] >= 0)
			atomic_store(&k->shm->sinks[k->places[i]].engine, 0);
	}
	k->count = 0;
	pthread_mutex_unlock(&k->lock);
}

void sinks_end(struct sinks *k)
{
	close_all(k, sink_free);
}

void sinks_leave(struct sinks *k)
{
	close_all(k, sink_leave);
}

void sinks_fini(struct sinks *k)
{
	free(k->all);
	free(k->places);
}
