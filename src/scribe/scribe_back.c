#include "scribe/scribe_state.h"

#include <stdlib.h>

#include "base/clock.h"

/*
 * What an engine knew of its sessions dies with it: which requests wait for an answer, who logged in,
 * reports that wait for the response that names their message. But their octets are in the rings until
 * they are written over. So the next scribe reads once more what was told already, tells nothing, and
 * knows it, too.
 */

enum { ENTRY_MAX = 128 * 1024 };

static bool lives(const struct scribe *s, const struct ring_entry *e)
{
	return e->slot < s->shm->session_max && e->session != 0 &&
	       shm_session(s->shm, e->slot)->id == e->session &&
	       e->len + e->note_len <= e->size - sizeof(*e);
}

/* A report that had not been told: it waits again, or is told now. */
static void take_up(struct scribe *s, struct ring_entry *copy, struct ring_entry *where)
{
	s->link = scribe_link_of(s, copy->link);
	s->given = 0;
	s->kept = false;
	s->entry = where;
	scribe_frame(s, copy, false, false);
	s->entry = NULL;
	if (s->kept)
		return;
	where->told = RING_TOLD;
	scribe_account(s);
}

static void look_back(struct scribe *s, struct ring *ring, struct ring_entry *copy,
	enum ring_told which)
{
	uint64_t at = ring_kept(ring);
	struct ring_entry *where;

	while (ring_kept_next(ring, &at, copy, ENTRY_MAX, &where)) {
		if (!lives(s, copy) || copy->told != which)
			continue;
		if (which == RING_WAITS)
			take_up(s, copy, where);
		else
			scribe_replay(s, copy);
	}
}

/* What has waited too long was told to be so. */
static void forget_overdue(struct scribe *s)
{
	uint64_t now_us = clock_mono_ns() / 1000;

	for (uint32_t i = 0; i < s->shm->session_max; i++)
		while (s->tracks[i].scope != NULL &&
			scope_overdue(s->tracks[i].scope, now_us, 0, &s->work) > 0)
			;
}

void scribe_look_back(struct scribe *s)
{
	struct ring_entry *copy = malloc(ENTRY_MAX);

	if (copy == NULL)
		return; /* then responses are told without their requests */
	for (uint32_t i = 0; i < s->shm->ring_count; i++)
		look_back(s, shm_ring(s->shm, (int)i), copy, RING_TOLD);
	forget_overdue(s);
	for (uint32_t i = 0; i < s->shm->ring_count; i++)
		look_back(s, shm_ring(s->shm, (int)i), copy, RING_WAITS);
	free(copy);
}
