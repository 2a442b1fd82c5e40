#include "scribe/scribe_state.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Changes that come from outside while records are written. One waits in `s->change` at a time; the
 * scribe takes it between two entries, when no record points into a code set.
 */
struct scribe_change {
	struct record *record;
	const struct code_set *codes;         /* NULL: they stay */
	const struct code_profile **profiles; /* in that set; afterwards those of the set before */
};

const struct code_profile **scribe_profiles(const struct scribe *s, const struct code_set *codes)
{
	size_t lists = (size_t)s->link_count + 1;
	const struct code_profile **all = calloc(lists * (NAMES_MAX + 1), sizeof(*all));

	for (int i = 0; all != NULL && codes != NULL && i < s->link_count; i++) {
		const struct link_settings *link = s->of[i];
		const struct code_profile **next = all + (size_t)i * (NAMES_MAX + 1);

		for (int p = 0; link != NULL && p < link->profile_count; p++) {
			*next = codes_profile(codes, link->profiles[p]);
			if (*next != NULL)
				next++;
		}
	}
	return all;
}

static void install(struct scribe *s, struct scribe_change *c)
{
	const struct code_profile **before = s->profiles;

	for (int i = 0; i <= s->link_count; i++) {
		s->links[i].codes = c->codes;
		s->links[i].profiles = c->profiles + (size_t)i * (NAMES_MAX + 1);
	}
	s->profiles = c->profiles;
	c->profiles = before;
}

void scribe_take_change(struct scribe *s)
{
	struct scribe_change *c;

	if (atomic_load_explicit(&s->change, memory_order_relaxed) == NULL)
		return;
	c = atomic_exchange_explicit(&s->change, NULL, memory_order_acquire);
	if (c->codes != NULL)
		install(s, c);
	tally_add(&s->tallies->all.extra, 1);
	scribe_emit(s, c->record);
	sem_post(&s->taken);
}

int scribe_change(struct scribe *s, const struct code_set *codes, struct record *r)
{
	struct scribe_change c = { .record = r, .codes = codes };

	if (codes != NULL) {
		c.profiles = scribe_profiles(s, codes);
		if (c.profiles == NULL)
			return -ENOMEM;
	}
	atomic_store_explicit(&s->change, &c, memory_order_release);
	while (sem_wait(&s->taken) < 0 && errno == EINTR)
		;
	free(c.profiles);
	return 0;
}
