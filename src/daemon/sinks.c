#include "daemon/sinks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf_keys.h"

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

/* Nobody who lives has it. */
static bool place_is_left(const struct sinks *k, uint32_t i)
{
	uint32_t has = (uint32_t)atomic_load(&k->shm->sinks[i].engine);

	return has == 0 || (has != k->engine && !shm_engine_lives(k->shm, has));
}

/* … and it is large enough. */
static bool place_is_free(const struct sinks *k, uint32_t i, const struct sink_settings *s)
{
	return k->shm->sinks[i].bytes >= sink_shared_bytes(s) && place_is_left(k, i);
}

static bool place_is_ours(const struct sinks *k, uint32_t i)
{
	for (int s = 0; s < k->settings->sink_count; s++)
		if (sink_shared_fits(shm_sink(k->shm, i), &k->settings->sinks[s]))
			return true;
	return false;
}

/* One that holds none of ours; an `empty` one, in which nothing waits, or any. -1: there is none. */
static int place_of_nobody(const struct sinks *k, const struct sink_settings *s, bool empty)
{
	for (uint32_t i = 0; i < k->shm->sink_count; i++)
		if (place_is_free(k, i, s) && !place_is_ours(k, i) &&
			(!empty || sink_shared_empty(shm_sink(k->shm, i))))
			return (int)i;
	return -1;
}

/* The place that holds lines of that sink, or one of nobody's; -1: there is none. */
static int place_of(const struct sinks *k, const struct sink_settings *s)
{
	int at;

	for (uint32_t i = 0; i < k->shm->sink_count; i++)
		if (place_is_left(k, i) && sink_shared_fits(shm_sink(k->shm, i), s))
			return (int)i;
	at = place_of_nobody(k, s, true);
	return at >= 0 ? at : place_of_nobody(k, s, false);
}

/* What waits there matters more than the room that is asked for now. */
static void fit_queue(struct sink_settings *s, uint64_t bytes, const char *name)
{
	uint32_t asked = s->queue;

	while (sink_shared_bytes(s) > bytes && s->queue > 0)
		s->queue /= 2;
	if (s->queue < asked)
		log_warn("log %s: its queue is no larger than %u KiB until the next restart", name, s->queue / 1024);
}

static void open_one(struct sinks *k, const struct sink_settings *settings)
{
	struct sink_settings fitted = *settings, *s = &fitted;
	const char *name = s->path != NULL ? s->path : "stdout";
	int at = place_of(k, s);
	struct sink *new;

	if (at < 0) {
		log_warn("log %s: no shared memory for its queue until the next restart: what waits in it "
			 "dies with the engine", name);
	} else {
		atomic_store(&k->shm->sinks[at].engine, k->engine);
		fit_queue(s, k->shm->sinks[at].bytes, name);
	}
	new = sink_new(s, at >= 0 ? shm_sink(k->shm, (uint32_t)at) : NULL);
	if (new == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->places[k->count] = at;
	k->all[k->count++] = new;
	pthread_mutex_unlock(&k->lock);
}

/* Nobody writes them, unless a configuration names that log again. */
static void warn_of_orphans(const struct sinks *k)
{
	for (uint32_t i = 0; i < k->shm->sink_count; i++)
		if (place_is_left(k, i) && !place_is_ours(k, i) && !sink_shared_empty(shm_sink(k->shm, i)))
			log_warn("lines of a log that is configured no more wait in memory: they are written if it is "
				 "again, and lost at a restart");
}

void sinks_open(struct sinks *k)
{
	for (int i = 0; i < k->settings->sink_count; i++)
		open_one(k, &k->settings->sinks[i]);
	warn_of_orphans(k);
}

/* Could a log be written there now? 0 or -errno. Nothing is made or opened: a reader of a FIFO would see it. */
static int path_fits(const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	char *slash;

	if (lstat(path, &st) == 0) {
		if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
			return S_ISLNK(st.st_mode) ? -ELOOP : -EISDIR;
		return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ? 0 : -errno;
	}
	if (errno != ENOENT)
		return -errno;
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder] = '\0';
	return faccessat(AT_FDCWD, slash != NULL ? folder : ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

void sinks_check(const struct settings *s, struct conf_faults *faults)
{
	for (int i = 0; i < s->sink_count; i++) {
		const struct sink_settings *k = &s->sinks[i];
		const struct setting_origin *o = conf_origin(CONF_SINK, k, "path");
		int err = k->type == SINK_FILE && k->path != NULL ? path_fits(k->path) : 0;

		if (o->file == NULL)
			o = conf_origin(CONF_SINK, k, NULL);
		if (err < 0)
			conf_warn(faults, o->file, o->line, "log %s cannot be written now: %s", k->path, err_text(err));
	}
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
