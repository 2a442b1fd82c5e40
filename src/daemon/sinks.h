#ifndef SMSCOPE_DAEMON_SINKS_H
#define SMSCOPE_DAEMON_SINKS_H

#include <pthread.h>

#include "base/settings.h"
#include "base/shm.h"
#include "conf/conf.h"
#include "sink/sink.h"

/* The sinks of an engine, over the shared memory: what waits in them outlives it. */
struct sinks {
	struct shm *shm;
	const struct settings *settings;
	uint32_t engine;
	pthread_mutex_t lock; /* grown by one thread, used by another on USR1 */
	struct sink **all;
	int *places;          /* of the shared memory; -1: a sink has its own */
	int count;
	bool stuck;           /* a writer did not end: the shared memory stays mapped */
};

/** Warn of paths that cannot be written now: such a log is tried again and again, and its lines wait meanwhile. */
void sinks_check(const struct settings *s, struct conf_faults *faults);

/** 0 or negative; no sink yet. */
int MUST_CHECK sinks_init(struct sinks *k, struct shm *shm, const struct settings *settings);

/** All of the settings' sinks; one that cannot be had is left out, which was logged. */
void sinks_open(struct sinks *k);

/** USR1. Any thread. */
void sinks_reopen(struct sinks *k);

/** Write what waits, and end. */
void sinks_end(struct sinks *k);

/** Leave what waits to the next engine. */
void sinks_leave(struct sinks *k);

void sinks_fini(struct sinks *k);

#endif
