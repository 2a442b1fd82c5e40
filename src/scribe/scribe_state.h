#ifndef SMSCOPE_SCRIBE_STATE_H
#define SMSCOPE_SCRIBE_STATE_H

#include <pthread.h>
#include <semaphore.h>

#include "scribe/scribe.h"
#include "smscope/scope.h"

/*
 * What the files of the scribe share. Everything but the counts, `stop` and `change` belongs to its
 * thread.
 */

/* A slot of the session table as the scribe follows it. */
struct track {
	uint64_t session; /* 0: none */
	uint64_t opened_mono_ns;
	struct scope *scope; /* NULL: memory was short, the session goes unseen */
	int link;
	uint32_t account; /* story_key() */
	char peer[SHM_ADDR_TEXT];
	struct track_words *words; /* NULL: there is nothing of that */
};

/* What few sessions have. */
struct track_words {
	char tls[2][64];   /* version and cipher towards each side; empty: plain */
	char tls_name[72]; /* of the SP's certificate */
	char down[160]; /* servers that did not answer: "no server answers: 10.0.0.1:7890 ECONNREFUSED" */
};

/* A report that came before the response that names its message: kept until it is known. */
struct held {
	struct held *next;
	uint64_t until_ns;          /* monotonic: then it is told as it is */
	uint32_t account;
	struct story_report ask;    /* its id lies in `id` */
	char id[ID_FOLDED_MAX];
	struct ring_entry *where;   /* in its ring, which may have something else there by now */
	const struct ring *ring;    /* NULL: none has it */
	struct ring_entry entry;    /* its octets follow */
};

/* What the links of one account have in common. */
struct account {
	uint32_t key, unanswered;
};

struct tally {
	_Atomic uint64_t entries, silent, extra, lost, known, unknown, malformed;
	_Atomic uint64_t records[REC_COUNT];
};

struct link_tally {
	_Atomic uint64_t records[REC_COUNT], known, unknown;
	_Atomic uint64_t results[RESULT_COUNT][CLASS_COUNT];
	_Atomic uint64_t opened, refused[END_COUNT], ended[END_COUNT];
	_Atomic uint64_t edits[RULES_MAX], edits_refused[EDIT_REFUSALS];
};

/* All that is counted, in the shared memory: it goes on in the next engine. */
struct tallies {
	uint64_t layout; /* TALLIES_LAYOUT */
	struct tally all;
	struct link_tally links[SHM_LINKS_MAX + 1]; /* by number; the last one: no link */
};

enum { TALLIES_LAYOUT = 1u << 24 | (sizeof(struct tallies) & 0xffffff) };

struct scribe {
	const struct settings *settings;
	struct shm *shm;
	struct sink *const *sinks;
	int sink_count;
	/* By the number of a link: its settings, NULL if there are none any more; then what hangs on them. */
	int link_count;
	const struct link_settings **of;
	struct scope_link *links; /* link_count of them, and one for a link that cannot be told */
	const struct code_profile **profiles; /* their lists, one behind the other */
	struct track *tracks;                 /* by slot */
	struct tallies *tallies, *own_tallies; /* own: where the shared memory has no room for any */
	int link;                      /* number of the entry in hand's; link_count: none */
	pthread_t thread;
	_Atomic bool stop, leave;
	_Atomic(struct scribe_change *) change; /* waits to be taken; NULL: none */
	sem_t taken;                            /* it was */
	uint64_t lost_seen[SHM_RINGS_MAX];
	uint64_t lost_told_ns;
	bool suspect[SHM_RINGS_MAX]; /* the ring's first entry was in hand when an engine died */
	uint32_t given;                       /* records of the entry in hand */
	struct ring_entry *entry;             /* the one in hand */
	uint64_t told_id;                     /* the id its next record had when it was read before; 0: it was not */
	bool kept;                            /* the entry in hand waits among `held` */
	struct story_table *stories;          /* NULL: memory was short */
	struct account *accounts;             /* one a link; links of one account share the first */
	struct held *held, **held_end;        /* oldest first */
	uint32_t held_count;
	uint64_t overdue_ns;                  /* when requests without answers were last looked for */
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

/** By the settings' index of a link its number; link_count of either for none. */
static inline int scribe_link(const struct scribe *s, int index)
{
	return index < s->settings->link_count ? s->settings->links[index].number : s->link_count;
}

/** The link of an entry, link_count if it cannot be told. */
static inline int scribe_link_of(const struct scribe *s, uint32_t number)
{
	return number < (uint32_t)s->link_count ? (int)number : s->link_count;
}

static inline struct link_tally *scribe_link_tally(const struct scribe *s, int number)
{
	return &s->tallies->links[number < s->link_count ? number : SHM_LINKS_MAX];
}

/** Count the record for the link in hand. */
void scribe_tally_link(struct scribe *s, const struct record *r);

/** Count an event for the link in hand: connections, refusals, ends of sessions. */
void scribe_tally_event(struct scribe *s, const struct session_event *e);

/** Number the record, count it, hand it to every sink. */
void scribe_emit(struct scribe *s, struct record *r);

/** The entry in hand was read: count what it gave. */
void scribe_account(struct scribe *s);

/** The links' lists of profiles in that set, one behind the other; the caller frees. NULL: no memory. */
const struct code_profile **scribe_profiles(const struct scribe *s, const struct code_set *codes);

/** Take what scribe_change() offers, if it offers anything. */
void scribe_take_change(struct scribe *s);

/** Count what rules did to a PDU of the link in hand. */
void scribe_tally_edit(struct scribe *s, const struct edit_note *n);

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
void track_end(struct scribe *s, struct track *t);

/**
 * A RING_FRAME entry; `suspect`: it was in hand when an engine died, so it is not parsed again; `again`:
 * it was held.
 */
void scribe_frame(struct scribe *s, const struct ring_entry *e, bool suspect, bool again);

/** A frame that a scribe before us has told of: what it changes in its session's state, and nothing else. */
void scribe_replay(struct scribe *s, const struct ring_entry *e);

/** Read what is left in the rings of what was told before: requests that wait, reports that do. */
void scribe_look_back(struct scribe *s);

/** Entries that were being told when an engine died: first of all, for their ids are lower than what is new. */
void scribe_take_in_hand(struct scribe *s);

/** Find the story table in the shared memory; the links' scopes are told of it. */
void scribe_stories_open(struct scribe *s);

/** Keep the report in `s->work` until its message is known; false if there is no room. */
bool scribe_hold(struct scribe *s, const struct ring_entry *e);

/** Tell the held reports of a session, or all (0), as they are. */
void scribe_release(struct scribe *s, uint64_t session);

/** Tell the links' scopes how far local time is ahead of UTC. */
void scribe_look_at_zone(struct scribe *s);

/** What time brings: held reports, messages that had no report, requests without a response. */
void scribe_tick(struct scribe *s, uint64_t now_ns);

/** What the session's login and end say of TLS, if it has any. */
void scribe_put_tls(struct record *r, const struct track *t);

/** A RING_EVENT entry. */
void scribe_event(struct scribe *s, const struct ring_entry *e);

#endif
