#ifndef SMSCOPE_TOOLS_REWRITE_H
#define SMSCOPE_TOOLS_REWRITE_H

#include <stdio.h>

#include "smscope/edit.h"

/* One PDU, what the rules made of it, and how to show that. */
struct rewrite_show {
	FILE *to;
	bool json, hex;
	const struct rule_set *rules;
	struct edit_context *ctx;
	int number;          /* of the PDU, from 1 */
	enum side from;
	struct pdu was, now; /* as parsed; `now` the same when nothing changed */
	bool edited;
};

/** As text or as a JSON object of one line. */
void rewrite_show(struct rewrite_show *s, const struct edit_result *ret);

#endif
