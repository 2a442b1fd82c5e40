#ifndef SMSCOPE_TOOLS_REWRITE_H
#define SMSCOPE_TOOLS_REWRITE_H

#include <stdio.h>

#include "conf/conf.h"
#include "smscope/edit.h"
#include "tools/connection.h"

struct rewrite_options {
	const char *config, *link;
	int from;      /* enum side, or -1: each PDU tells */
	int dialect;   /* negative: a login tells */
	const struct proto *proto; /* as told, then that of the link; NULL: the first PDU tells */
	const char *filter; /* of captures */
	bool json, hex;
	bool all;      /* of captures, what stays as it is, too */
};

/* Where a PDU of a capture was. */
struct rewrite_place {
	struct capture_at at;
	uint64_t session; /* from 1 */
	char way[2 * TCP_END_TEXT]; /* who sent it, '>', to whom */
};

/* One PDU, what the rules made of it, and how to show that. */
struct rewrite_show {
	FILE *to;
	bool json, hex;
	const struct rule_set *rules;
	struct edit_context *ctx;
	uint64_t number;     /* of the PDU, from 1 */
	const struct rewrite_place *place; /* NULL: given as digits */
	enum side from;
	struct pdu was, now; /* as parsed; `now` the same when nothing changed */
	bool edited;
};

/** As text or as a JSON object of one line. */
void rewrite_show(struct rewrite_show *s, const struct edit_result *ret);

/** "packet 7: TIME A>B ", which a line about that place begins with. */
void rewrite_show_place(FILE *to, const struct rewrite_place *place);

/* The rules of a link, tried on one PDU after another, and what came of it. */
struct rewrite {
	const struct rewrite_options *options;
	const struct link_settings *link;
	const struct code_set *codes;
	const struct code_profile *profiles[NAMES_MAX + 1];
	struct rule_set *rules;
	uint8_t *out;        /* an edited PDU */
	size_t cap;
	uint64_t pdus, edited, refused;
	uint64_t by_rule[RULES_MAX]; /* PDUs that it changed, or would but for dry_run */
};

/** The link's rules were checked. True, or false after saying why not. rewrite_fini() in any case. */
bool rewrite_init(struct rewrite *w, const struct rewrite_options *o,
	const struct link_settings *l, const struct code_set *codes);
void rewrite_fini(struct rewrite *w);

/* What a session has told of itself: its version, its account, its submits. */
struct rewrite_session;

/** NULL: no memory. Freed with free(). */
struct rewrite_session *rewrite_session_new(const struct rewrite *w, const struct proto *p);

/** Try a whole PDU, sent by side `from`, or by who usually does if that is -1, and show it. */
void rewrite_try(struct rewrite *w, struct rewrite_session *s, struct span frame, int from,
	const struct rewrite_place *place);

/** All PDUs of a capture, then a line that counts. Returns the exit code; closes `f`. */
int rewrite_capture(struct rewrite *w, FILE *f, const char *name);

enum { REWRITE_REFUSED = 1, REWRITE_USAGE = 2 };

#endif
