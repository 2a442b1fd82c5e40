#ifndef SMSCOPE_SCRIBE_H
#define SMSCOPE_SCRIBE_H

#include "base/settings.h"
#include "base/shm.h"
#include "sink/sink.h"
#include "smscope/edit.h"
#include "smscope/unknown.h"

/*
 * One thread from the rings to records: parse → decode → correlate → record → counters, sinks.
 * It polls, at most 5 ms apart under load, and sleeps when idle.
 */
struct scribe;

/*
 * Totals since the shared memory was made: entries + extra == sum of records + silent. A PDU may give a
 * second record (malformed beside what could be read of it), and a loss gives one without an entry:
 * these are `extra`.
 */
struct scribe_counts {
	uint64_t entries;          /* ring entries read */
	uint64_t silent; /* entries that give no record: keepalives, requests answered later */
	uint64_t extra;            /* records that are not the first of an entry */
	uint64_t records[REC_COUNT];
	uint64_t lost;             /* entries the rings had no room for */
	uint64_t known, unknown;   /* codes with and without a meaning */
	uint64_t malformed;
};

/* Whose result it was that a code told. */
enum scribe_result { RESULT_LOGIN, RESULT_SUBMIT, RESULT_REPORT, RESULT_COUNT };

/* The same of one link. Of results, what happened: those without a meaning are CLASS_UNKNOWN. */
struct scribe_link_counts {
	uint64_t records[REC_COUNT];
	uint64_t known, unknown;
	uint64_t results[RESULT_COUNT][CLASS_COUNT];
	uint64_t opened;             /* connections that became sessions */
	uint64_t refused[END_COUNT]; /* and those that did not, by reason */
	uint64_t ended[END_COUNT];   /* sessions, by what ended them */
	uint64_t edits[RULES_MAX];   /* PDUs that a rule of the link changed */
	uint64_t edits_refused[EDIT_REFUSALS]; /* and those that it was not allowed to, by reason */
};

/* A sink, as messages call it, and its counts. */
struct scribe_sink {
	const char *name;
	struct sink_counts counts;
};

/** Octets of the shared memory for what is counted. */
size_t scribe_shared_bytes(void);

/**
 * Start the thread. `codes` is borrowed until scribe_free() or another set takes its place; the
 * sinks until scribe_free(). NULL with the reason logged.
 */
struct scribe *scribe_new(const struct settings *settings, struct shm *shm,
	const struct code_set *codes, struct sink *const *sinks, int sink_count);

/**
 * Have the thread hand `r`, a record of the daemon itself, to the sinks, and look up in `codes` from
 * the next PDU on, unless that is NULL. Returns when it has, some ms later: then nothing refers to
 * the set before. -ENOMEM: nothing was done, which cannot be without a set. One caller at a time,
 * and none during scribe_free().
 */
int scribe_change(struct scribe *s, const struct code_set *codes, struct record *r) MUST_CHECK;

/** Any thread; a consistent-enough snapshot. */
void scribe_counts(const struct scribe *s, struct scribe_counts *ret);

/**
 * Counts of a link; link_count stands for what belongs to none. False: there is no such link. Any
 * thread.
 */
bool scribe_link_counts(const struct scribe *s, int link, struct scribe_link_counts *ret);

/** Sink `i`, in the order of the configuration; false: there are no more. Any thread. */
bool scribe_sink(const struct scribe *s, int i, struct scribe_sink *ret);

/** The table of stories, for its counts and evidence; NULL: there is none. Any thread. */
const struct story_table *scribe_stories(const struct scribe *s);

/**
 * The codes of a link that no table knows, into `ret` (at most `cap`), in the order in which they
 * were first seen; link_count stands for sessions whose link cannot be told. Returns how many there
 * are. Any thread.
 */
int scribe_unknown(struct scribe *s, int link, struct unknown_code *ret, int cap);

/** End the thread where it stands: what is left in the rings is for the scribe of the next engine. */
void scribe_leave(struct scribe *s);

/**
 * Drain what is in the rings, flush the sinks, join the thread. Call when the workers have stopped.
 */
void scribe_free(struct scribe *s);

#endif
