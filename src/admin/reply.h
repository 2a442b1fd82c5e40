#ifndef SMSCOPE_ADMIN_REPLY_H
#define SMSCOPE_ADMIN_REPLY_H

#include "admin/admin.h"
#include "smscope/text.h"

/*
 * A request is a line: a verb and its options. Its reply is made in turns of bounded work and
 * length, so that neither a large table nor a slow reader keeps the loop it runs in.
 *
 *   reply_begin() ─▶ reply_turn() … reply_turn() ─▶ reply_end()
 *
 * A verb's reply is a list of parts, a part is a row of items: each call writes item 0, 1, 2, …
 * until there is none. An item is text of at most REPLY_ITEM_MAX octets.
 */

enum {
	REPLY_LINE_MAX = 1024,        /* of a request, without its end */
	REPLY_ITEM_MAX = 32 * 1024,
	REPLY_TURN_MAX = 100 * 1024,  /* room that a turn needs */
	REPLY_NAME_WIDTH = 20,        /* a longer name pushes its line to the right */
};

struct reply;

struct part {
	bool (*item)(struct reply *r, uint32_t i); /* false: there is no such item, go on */
};

struct verb {
	const char *name;
	const char *what;          /* for `help` */
	const struct part *text;   /* ends with item NULL */
	const struct part *json;   /* NULL: takes no --json */
	bool changes;              /* for root and the owner only */
};

/** Ends with name NULL. */
const struct verb *verb_all(void);

/* What a part remembers between its items. */
struct reply {
	const struct admin *admin;
	const struct verb *verb;
	const struct part *part;
	uint32_t item;
	struct out *out;               /* where an item goes; only inside it */
	int name_width;                /* columns for the names of links */
	bool comma;                    /* JSON: another value stands before the next one */
	bool line_begun;
	uint32_t worker, slot;         /* the session table is walked from here */
	bool walking;
	struct link_sessions *sessions; /* by link, once counted */
	struct unknown_code *unknown;  /* of the link in hand */
	int unknown_link, unknown_count, unknown_at;
	uint32_t family, sample;       /* of the metrics */
};

/**
 * Take a request: `line` without its end. 0; or negative after writing to `err` why not, one line
 * without its end: SM_EFORMAT for what no program of ours would send (hang up), SM_EVALUE for a
 * mistake.
 */
int reply_begin(struct reply *r, const struct admin *a, struct span line, bool may_change,
	struct out *err) MUST_CHECK;

/**
 * The next octets into `to`, which has REPLY_TURN_MAX; returns how many. *ret_more is false when
 * the reply is complete with them, the end mark included: a line ".". Other lines that begin with a
 * dot get one more.
 */
size_t reply_turn(struct reply *r, char *to, bool *ret_more);

/** Release what the reply holds, complete or not. */
void reply_end(struct reply *r);

/* reply_json.c: JSON, with its commas. A key NULL makes an element of a list. */

void reply_open(struct reply *r, const char *key, char bracket);
void reply_close(struct reply *r, char bracket);
void reply_uint(struct reply *r, const char *key, uint64_t v);
void reply_flag(struct reply *r, const char *key, bool on);
void reply_octets(struct reply *r, const char *key, struct span s); /* foreign */
void reply_text(struct reply *r, const char *key, const char *s);   /* NULL: null */

void reply_time(struct reply *r, const char *key, uint64_t wall_ns);

/* For people. */

/** "2026-11-21T19:17:00.123+08:00", local time. */
void reply_stamp(struct reply *r, uint64_t wall_ns);

/** The text, then blanks up to `width` columns and two more; not for wide characters. */
void reply_cell(struct reply *r, const char *s, int width);

/** A part: the end of a JSON list. */
bool reply_end_list(struct reply *r, uint32_t i);

/** A part: the end of a JSON object that is a reply. */
bool reply_end_object(struct reply *r, uint32_t i);

#endif
