#ifndef SMSCOPE_STORY_H
#define SMSCOPE_STORY_H

#include "smscope/msgid.h"

/*
 * Messages that a gateway accepted, until their reports have come: what joins a submit, its response
 * and its reports into one story, whatever connection of the account each came by.
 *
 *   | struct story_table | evidence by link | long messages | buckets | entries, a ring |
 *
 * All of it lies in memory of the caller's, which may be shared and outlive the process: indexes, no
 * pointers. Entries are a ring in the order of acceptance: the oldest is the first to go, whether for
 * its age or for room. Putting, finding and forgetting one take the same time in a full table as in
 * an empty one. One thread writes; counts may be read by any.
 */
struct story_table;

enum { STORY_LAYOUT = 2, STORY_ID = 50, STORY_NUMBER = 16 };

/** Octets of memory for `limit` messages (at least 16): 132 to 136 each and 330 KiB. */
size_t story_bytes(uint32_t limit);

/**
 * Make an empty table at `mem`, which is all zero and aligned to 64. Stories are numbered upwards from
 * `first`.
 */
struct story_table *story_init(void *mem, size_t bytes, uint32_t limit, uint64_t first);

/**
 * The table that another process left at `mem`, or NULL if it is none of this layout and limit. What
 * an entry says of itself is checked, one that is broken is forgotten and counted.
 */
struct story_table *story_adopt(void *mem, size_t bytes, uint32_t limit, uint32_t *ret_broken);

/** Key of an account or of a link, from its name. */
uint32_t story_key(const char *name);

/* Which message a submit belongs to; kept with the request until it is answered. */
struct story_part {
	uint64_t number;     /* the message's; all parts of a long one have the same; 0 none */
	uint16_t join;
	uint8_t part, total; /* 2 of 3; total 0 or 1: the message is whole */
};

/**
 * A submit went by. Parts of a long message are joined by account, numbers, reference and total; one
 * that stands twice begins another message, unless story_refused() took it back.
 */
void story_begin(struct story_table *t, uint32_t account, struct span src, struct span dst,
	uint32_t reference, uint8_t part, uint8_t total, uint64_t now_us, struct story_part *ret);
void story_refused(struct story_table *t, const struct story_part *p);

/* A submit that the gateway accepted. */
struct story_accepted {
	uint32_t account;
	uint16_t link;         /* index, given back */
	struct span id;
	bool id_binary;        /* CMPP: the 8 octets of Msg_Id */
	struct span dst;
	uint8_t dst_count;
	bool wants_report;
	struct story_part part;
	uint64_t session, sent_us, wall_ns; /* of the submit */
	uint64_t answered_us;
};

/**
 * Remember it. A Msg_Id that stands for several destinations is remembered as the range that CMPP 3.0
 * makes of it (appendix 1): its sequence counts on, one for each.
 */
void story_accept(struct story_table *t, const struct story_accepted *a);

/* A report, as far as finding its message goes. */
struct story_report {
	uint32_t account, link;    /* story_key() of each; the link's habit is learned */
	struct span id;
	bool id_binary;
	struct span dst;           /* empty: not known */
	struct span submit_date;   /* as written, in whatever zone the gateway lives */
	uint64_t wall_ns;          /* when the report came */
	bool final;
	int state;                 /* message_state, -1 unknown */
	bool may_wait;             /* asked for again later: not to be found is not counted yet */
};

/* A message as the table has it. */
struct story {
	enum id_rule rule;         /* that made the report's id this one */
	struct story_part part;
	uint64_t session, sent_us, answered_us;
	uint16_t link;
	uint8_t reports;           /* so far, the one in hand included */
	uint8_t parts_reported;    /* parts of the message that have their final report */
	bool duplicate, dst_differs;
	bool id_binary;
	uint8_t id_len;
	char id[STORY_ID];         /* as the response had it, cut to fit */
	char dst[STORY_NUMBER + 1]; /* its last digits */
};

/** Is there a message that the report may be of? Changes nothing. */
bool story_known(const struct story_table *t, const struct story_report *r);

/** Find the report's message and note the report. False: there is none, which is counted. */
bool story_match(struct story_table *t, const struct story_report *r, struct story *ret);

/**
 * Forget the oldest messages that are older than `age_us`, or that take the last `spare` places. Those
 * that had asked for a report and never had a final one are given back one by one: true while there
 * is one, *ret_full if it went for room. Looks at no more than a thousand in one call.
 */
bool story_expire(struct story_table *t, uint64_t now_us, uint64_t age_us, uint32_t spare,
	struct story *ret, bool *ret_full);

/* How the reports of a link found their messages. */
struct id_evidence {
	uint64_t reports;            /* of which a message was looked for */
	uint64_t matched;
	uint64_t by_rule[ID_RULES];  /* reports that the rule fits; several may fit one */
	enum id_rule rule;           /* the simplest that fits most; ID_NONE: nothing matched yet */
};

void story_evidence(const struct story_table *t, uint32_t link, struct id_evidence *ret);

/** As story_evidence(), but true only when the rule is well founded and was not said before. */
bool story_evidence_news(struct story_table *t, uint32_t link, struct id_evidence *ret);

struct story_counts {
	uint32_t entries, limit;
	uint64_t accepted, matched, unmatched, duplicates;
	uint64_t aged;       /* forgotten for their age */
	uint64_t evicted;    /* forgotten for room */
	uint64_t unreported; /* of these two, those that had asked for a report and had no final one */
};

void story_counts(const struct story_table *t, struct story_counts *ret);

#endif
