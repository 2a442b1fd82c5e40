#ifndef SMSCOPE_CORE_SCOPE_REPORT_H
#define SMSCOPE_CORE_SCOPE_REPORT_H

#include "smscope/scope.h"

/* What a report says, as a record. */

/** Meanings of a number or a text in the record's protocol and dialect; how many there are. */
int scope_look_up(const struct scope_link *link, const struct record *r, enum code_context context,
	bool is_text, uint32_t number, struct span text, struct code_answer *ret, int cap);

/** Everything but the time and the message of what the report says. */
void report_put(const struct scope_link *link, struct record *r, const struct receipt *x);

#endif
