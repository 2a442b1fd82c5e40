#include "admin/admin.h"

#include "base/clock.h"

void admin_init(struct admin *a, const struct settings *settings, struct shm *shm,
	const char *version)
{
	*a = (struct admin){ .settings = settings, .shm = shm, .version = version,
		.started_mono_ns = clock_mono_ns(), .started_wall_ns = clock_wall_ns() };
}

void admin_late(struct admin *a, struct scribe *scribe, const struct code_set *codes)
{
	a->codes = codes;
	atomic_store_explicit(&a->scribe, scribe, memory_order_release);
}

const struct proto *admin_proto(uint8_t letter)
{
	for (const struct proto *const *p = proto_all(); *p != NULL; p++)
		if ((uint8_t)(*p)->name[0] == letter)
			return *p;
	return NULL;
}
