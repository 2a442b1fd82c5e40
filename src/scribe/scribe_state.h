#ifndef SMSCOPE_SCRIBE_STATE_H
#define SMSCOPE_SCRIBE_STATE_H

#include <pthread.h>

#include "scribe/scribe.h"
#include "smscope/scope.h"

/*
 * What the files of the scribe share. Everything but the counts and `stop` belongs to its thread.
 */

/* A slot of the session table as the scribe follows it. */
struct track {
	uint64_t session; /* 0: none */
	uint64_t opened_mono_ns;
	struct scope *scope; /* NULL: memory was short, the session goes unseen */
	char peer[SHM_ADDR_TEXT];
};

struct tally {
	_Atomic uint64_t entries, silent, extra, lost, known, unknown, malformed;
	_Atomic uint64_t records[REC_COUNT];
};

struct link_tally {
	_Atomic uint64_t records[REC_COUNT], known, unknown;
	_Atomic uint64_t results[RESULT_COUNT][CLASS_COUNT];
};

struct scribe {
	const struct settings *settings;
	struct shm *shm;
	struct sink *const *sinks;
	int sink_count;
	struct scope_link *links; /* link_count of them, and one for a link that cannot be told */
	const struct code_profile **profiles; /* their lists, one behind the other */
	struct track *tracks;                 /* by slot */
	struct tally tally;
	struct link_tally *link_tally; /* as links */
	int link;                      /* index of the entry in hand's; link_count: none */
	pthread_t thread;
	_Atomic bool stop;
	uint64_t lost_seen[SHM_RINGS_MAX];
	uint64_t lost_told_ns;
	bool suspect[SHM_RINGS_MAX]; /* the ring's first entry was in hand when an engine died */
	uint32_t given;                       /* records of the entry in hand */
	pthread_mutex_t unknown_lock;         /* taken for an unknown code, and by who asks */
	struct unknown_codes **unknown;       /* by link; NULL until it has one */
	struct scope_work work;
};

static inline void tally_add(_Atomic uint64_t *count, uint64_t n)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/** Count the record for the link in hand. */
void scribe_tally_link(struct scribe *s, const struct record *r);

/** Number the record, count it, hand it to every sink. */
void scribe_emit(struct scribe *s, struct record *r);

/** Count the codes of a record that no table knows, and tell of those that are new. */
void scribe_unknown_note(struct scribe *s, const struct record *r);
void scribe_unknown_free(struct scribe *s);

/** Does no table know the record's code, or no more of it than its prefix? */
static inline bool code_is_unknown(const struct record *r)
{
	const struct code_answer *a = &r->answers[0];

	if (!r->has_code || r->kind == REC_UNKNOWN_CODE)
		return false;
	return r->answer_count == 0 ||
	       (a->has_nested && a->nested_count == 0 && !a->nested_foreign);
}

static inline bool err_is_unknown(const struct record *r)
{
	return r->err.n > 0 && r->err_answer_count == 0;
}

/** The session of an entry, followed from here on if it was not yet. NULL: the entry names none. */
struct track *scribe_track(struct scribe *s, const struct ring_entry *e);

/** Follow a session no longer. */
void track_end(struct track *t);

/** A RING_FRAME entry; `suspect`: it was in hand when an engine died, so it is not parsed again. */
void scribe_frame(struct scribe *s, const struct ring_entry *e, bool suspect);

/** A RING_EVENT entry. */
void scribe_event(struct scribe *s, const struct ring_entry *e);

#endif
