#include "admin/admin.h"

#include "base/clock.h"

void admin_init(struct admin *a, const struct settings *settings, struct shm *shm,
	const struct tls_status *tls, const struct upstreams *upstreams, const char *version)
{
	*a = (struct admin){ .settings = settings, .shm = shm, .tls = tls, .upstreams = upstreams,
		.version = version,
		.started_mono_ns = clock_mono_ns(), .started_wall_ns = clock_wall_ns(),
		.lock = PTHREAD_MUTEX_INITIALIZER };
}

void admin_codes(struct admin *a, const struct code_set *codes)
{
	pthread_mutex_lock(&a->lock);
	a->codes = codes;
	pthread_mutex_unlock(&a->lock);
}

static pthread_mutex_t *lock_of(const struct admin *a)
{
	return (pthread_mutex_t *)(uintptr_t)&a->lock;
}

const struct code_set *admin_codes_lock(const struct admin *a)
{
	pthread_mutex_lock(lock_of(a));
	return a->codes;
}

void admin_codes_unlock(const struct admin *a)
{
	pthread_mutex_unlock(lock_of(a));
}

void admin_late(struct admin *a, struct scribe *scribe)
{
	atomic_store_explicit(&a->scribe, scribe, memory_order_release);
}
