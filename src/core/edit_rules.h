#ifndef SMSCOPE_CORE_EDIT_RULES_H
#define SMSCOPE_CORE_EDIT_RULES_H

#include "core/edit_state.h"

/* Building one set: edit_rules.c copies the rules, edit_check.c says what is wrong with them. */
struct rule_making {
	struct rule_set *set;
	rule_fault_fn *fault;
	void *arg;
	int rule, faults;
	bool no_memory;
};

/** Of the rule in hand; `key` NULL: of all of them. */
void rule_fault(struct rule_making *m, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** "57", "0x39": the digits at *end, which is moved behind them. False: there is none. */
bool rule_number(const char **end, int64_t *ret);

/** What the rule's action needs, is there; `to` as a number goes to r->number. */
void rule_check_action(struct rule_making *m, struct rule *r);

/** The PDUs that the rule can do something to, bits of enum code_context, when all of it is there. */
uint32_t rule_check_pdus(struct rule_making *m, const struct rule *r);

/** What a PDU of that role can be to a rule: bits of enum code_context. */
uint32_t rule_kinds_of(enum role role);

/** Has the protocol a place for what the rule's action changes? */
bool rule_fits_proto(const struct rule *r, const struct proto *p);

#endif
