#ifndef SMSCOPE_CORE_SCOPE_STATE_H
#define SMSCOPE_CORE_SCOPE_STATE_H

#include "core/scope_message.h"
#include "core/scope_report.h"

/* What the files of the scope share. */

enum { SCOPE_ACCOUNT_LEN = 24 };

/* The keepalives of one side. */
struct scope_probe {
	uint64_t last_us;  /* the latest one, 0 none */
	uint64_t asked_us; /* the first that is unanswered, 0 none */
	uint64_t rtt_us;   /* of the latest answer */
	const char *name;  /* and sequence: of the first that is unanswered */
	uint32_t sequence;
	bool told;         /* a record says that it is unanswered */
};

struct scope {
	const struct scope_link *link;
	uint64_t session;
	const char *peer;
	const struct proto *proto;
	uint8_t dialect;
	bool dialect_proved;
	uint8_t version_asked;  /* 0: the login did not go by */
	enum scope_login login;
	bool skewed;            /* the latest login's clock is off, by `skew_s` */
	int64_t skew_s;
	char account[SCOPE_ACCOUNT_LEN], asked[SCOPE_ACCOUNT_LEN]; /* asked: by the latest login */
	bool logout;
	enum side logout_by;
	struct pending_table *pending[2]; /* by the requester's side */
	uint64_t forgotten;
	uint64_t pdus[2], last_us[2];
	struct scope_probe probe[2];      /* by the asking side */
	const char *last[2];
};

/** A record of the PDU in hand. */
struct record *scope_record_new(const struct scope *s, const struct scope_frame *f,
	struct scope_work *w, enum record_kind kind);

/** Show that the message is part 2 of 3, if it is a long one. */
void scope_part(struct record *r, struct scope_work *w, const struct story_part *p);

/** Tell of a request that waits, or waited in vain. `p` is copied. */
void scope_put_waiting(struct record *r, struct scope_work *w, const struct pending *p, uint64_t now_us,
	const char *reason);

/** "sp", "gw". */
const char *scope_side_name(enum side side);

/** The report in `w->receipt`: its record, or `w->wait`. */
void scope_report(const struct scope *s, const struct scope_frame *f, struct scope_work *w);

/* Stories of the submit in hand; nothing without a table. */
void scope_submitted(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	const struct body *body, struct pending *request);
void scope_answered(const struct scope *s, const struct scope_frame *f, struct record *r,
	struct scope_work *w);

#endif
