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

/* In this order: ids grow, so what has one is told before anything that has none yet. */
enum pass {
	PASS_TOLD,    /* read once more */
	PASS_BEGUN,   /* was being told when the engine died */
	PASS_WAITING,
	PASS_NONE,
};

static bool lives(const struct scribe *s, const struct ring_entry *e)
{
	return e->slot < s->shm->session_max && e->session != 0 &&
	       shm_session(s->shm, e->slot)->id == e->session &&
	       e->len + e->note_len <= e->size - sizeof(*e);
}

/* A report that had not been told: it waits again, or is told now, as one that was being told when the engine died. */
static void take_up(struct scribe *s, struct ring_entry *copy, struct ring_entry *where)
{
	s->link = scribe_link_of(s, copy->link);
	s->given = 0;
	s->kept = false;
	s->entry = where;
	s->told_id = copy->record;
	scribe_frame(s, copy, false, copy->told == RING_TELLING);
	s->entry = NULL;
	s->told_id = 0;
	if (s->kept)
		return;
	where->told = RING_TOLD;
	scribe_account(s);
}

static enum pass pass_of(const struct ring_entry *e)
{
	switch (e->told) {
	case RING_TOLD:
		return PASS_TOLD;
	case RING_TELLING:
		return PASS_BEGUN;
	case RING_WAITS:
		return PASS_WAITING;
	default:
		return PASS_NONE;
	}
}

static void look_back_at(struct scribe *s, struct ring *ring, struct ring_entry *copy, enum pass pass)
{
	uint64_t at = ring_kept(ring);
	struct ring_entry *where;

	while (ring_kept_next(ring, &at, copy, ENTRY_MAX, &where)) {
		if (!lives(s, copy) || pass_of(copy) != pass)
			continue;
		if (pass == PASS_TOLD)
			scribe_replay(s, copy);
		else
			take_up(s, copy, where);
	}
}

static void look_back(struct scribe *s, struct ring_entry *copy, enum pass pass)
{
	for (uint32_t i = 0; i < s->shm->ring_count; i++)
		look_back_at(s, shm_ring(s->shm, (int)i), copy, pass);
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

	if (copy == NULL) { /* then responses are told without their requests */
		scribe_take_in_hand(s);
		return;
	}
	look_back(s, copy, PASS_TOLD);
	forget_overdue(s);
	look_back(s, copy, PASS_BEGUN);
	scribe_take_in_hand(s);
	look_back(s, copy, PASS_WAITING);
	free(copy);
}
