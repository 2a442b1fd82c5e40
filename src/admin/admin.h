#ifndef SMSCOPE_ADMIN_H
#define SMSCOPE_ADMIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/settings.h"
#include "base/shm.h"
#include "base/tls_status.h"
#include "base/upstreams.h"
#include "scribe/scribe.h"

/*
 * What answers about a running engine are made from. Everything is borrowed and read only; whoever
 * asks, over the control socket or another way, is answered in the front's thread.
 */
struct admin {
	const struct settings *settings;
	struct shm *shm;
	const struct tls_status *tls;
	const struct upstreams *upstreams;
	const char *version;
	uint64_t started_mono_ns, started_wall_ns; /* this engine */
	pthread_mutex_t lock;
	const struct code_set *codes;              /* NULL: none; used under `lock` only */
	_Atomic(struct scribe *) scribe;           /* NULL until it runs */
	_Atomic bool ending;                       /* no new sessions; those that are there may end on their own */
	void (*ask)(bool upgrade);                 /* the keeper for a change; NULL: nobody can be asked */
};

void admin_init(struct admin *a, const struct settings *settings, struct shm *shm,
	const struct tls_status *tls, const struct upstreams *upstreams, const char *version);

/** What comes up after relaying has begun, once: any thread. */
void admin_late(struct admin *a, struct scribe *scribe);

/** The code tables in use from now on, borrowed until the next call: any thread. */
void admin_codes(struct admin *a, const struct code_set *codes);

/** The code tables in use, which stay until the unlock; NULL: none. */
const struct code_set *admin_codes_lock(const struct admin *a);
void admin_codes_unlock(const struct admin *a);

static inline struct scribe *admin_scribe(const struct admin *a)
{
	return atomic_load_explicit(&a->scribe, memory_order_acquire);
}

#endif
