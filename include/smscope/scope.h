#ifndef SMSCOPE_SCOPE_H
#define SMSCOPE_SCOPE_H

#include "smscope/pending.h"
#include "smscope/receipt.h"
#include "smscope/record.h"
#include "smscope/story.h"

/*
 * What an onlooker knows of one session: its protocol and dialect by evidence, whether it is logged
 * in, which requests wait for a response. PDUs go in, records come out. Times are arguments.
 */
struct scope;

/* What the sessions of a link have in common; outlives their scopes. */
struct scope_link {
	const char *name;
	const struct proto *proto;     /* NULL: told by the first PDU */
	const struct code_set *codes;  /* NULL: nothing is looked up */
	const struct code_profile *const *profiles; /* ends with NULL */
	uint32_t pending;              /* unanswered requests remembered per direction */
	bool show_text;
	int utc_offset_s;              /* of local time, in which CMPP's logins say when they were made */
	uint64_t answer_us, probe_us;  /* a request, a keepalive unanswered for so long is told; 0 never */
	struct story_table *stories;   /* NULL: reports are not joined to their messages */
	uint32_t account, key;         /* story_key() of the account's and of the link's name */
	uint16_t index;                /* given back with a story */
	uint64_t late_us;              /* a report so long after its submit is late */
	uint32_t *unanswered;          /* requests of the account's SPs now; NULL: nobody counts */
};

enum scope_login { LOGIN_NONE, LOGIN_ASKED, LOGIN_REFUSED, LOGIN_DONE };

/**
 * `peer` is the SP's address as text: shown with logins, borrowed, may be NULL. NULL when memory is
 * short.
 */
struct scope *scope_new(const struct scope_link *link, uint64_t session, const char *peer);
void scope_free(struct scope *s);

/**
 * Start from what somebody else saw: the session's login went by unobserved. `proto` may be NULL.
 */
void scope_resume(struct scope *s, const struct proto *proto, uint8_t dialect, bool logged_in);

/** The account that logged in, or asks to; empty: none yet. And that of a login that went by unobserved. */
const char *scope_account(const struct scope *s);
void scope_known_as(struct scope *s, const char *account);

/* One PDU as it went by. */
struct scope_frame {
	struct span octets; /* the PDU, or its beginning */
	enum side from;
	bool cut;           /* not all of it is here */
	bool ours;          /* smscope answered in the gateway's place */
	const char *why;    /* with `ours`: why it had to; NULL not known */
	bool ruled;         /* rules have something to tell of it, so there is a record even if it says nothing new */
	bool may_wait;      /* a report whose message is not known yet is not told: see `wait` */
	bool again;         /* it had to wait; it was taken in then */
	bool replayed;      /* told by a scope before this one; stories are left alone */
	struct story_part part; /* that a scope before this one gave a submit; its `number` 0: none did */
	uint64_t mono_us, wall_ns;
};

enum { SCOPE_RECORDS_MAX = 5 };

/*
 * Memory for the records of one PDU, which point into it and into the frame. One serves all scopes
 * of a thread.
 */
struct scope_work {
	struct pdu pdu;
	struct receipt receipt;
	struct pending request; /* that the PDU answers */
	struct story story;     /* of the report */
	struct story_report waiting; /* with `wait` */
	struct story_part part; /* of the submit in hand; number 0: it is none */
	bool wait;  /* give the frame again, when story_known() or when it will never be */
	char part_text[16], parts[16];
	int count;
	struct record records[SCOPE_RECORDS_MAX];
};

/**
 * Take in one PDU; the records it gives are in `w`. Returns how many: 0 for keepalives and their
 * like.
 */
int scope_pdu(struct scope *s, const struct scope_frame *f, struct scope_work *w);

/**
 * One request, or keepalive, that has had no answer for longer than the link allows, as a record; each
 * is told once. Returns 1, or 0 when there is none. Call now and then.
 */
int scope_overdue(struct scope *s, uint64_t now_us, uint64_t wall_ns, struct scope_work *w);

/** Give back what a session that was silent since `before_us` does not need until it speaks again. */
void scope_rest(struct scope *s, uint64_t before_us);

/** When the oldest request of the SP that is unanswered was sent; 0 none. */
uint64_t scope_oldest_us(const struct scope *s);

/** What frames well but is not taken in, as a record: `why` is static text. */
void scope_malformed(const struct scope *s, const struct scope_frame *f, const char *why,
		     struct scope_work *w);

/**
 * What a number means on the session's link that no PDU carries: an errno of ours, what a gateway of
 * that kind writes in its log. As codes_lookup().
 */
int scope_meaning(const struct scope *s, enum code_context context, int64_t number,
	struct code_answer *ret, int cap);

/** Set link, session, protocol and time of a record that tells of the session itself. */
void scope_record(const struct scope *s, struct record *r, enum record_kind kind, uint64_t wall_ns);

/* The state of a session, for the verdict at its end. */
struct scope_summary {
	enum scope_login login;
	const char *account;        /* system_id, Source_Addr; "" unknown; foreign */
	bool logout;                /* unbind or TERMINATE went by */
	enum side logout_by;
	uint64_t pdus[2];           /* by sender's side, as the next ones */
	const char *last[2];        /* name of the last PDU, NULL none */
	uint64_t last_us[2];
	uint64_t probe_us[2];       /* last keepalive, 0 none */
	uint64_t probe_open_us[2];  /* first keepalive without an answer, 0 none */
	uint64_t probe_rtt_us[2];   /* how long the last answer to one took */
	uint32_t unanswered[2];
	uint64_t oldest_us[2];      /* when the oldest of them was sent */
	uint64_t forgotten;         /* requests that found the table full */
};

void scope_summary(const struct scope *s, struct scope_summary *ret);

#endif
