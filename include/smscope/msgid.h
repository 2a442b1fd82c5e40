#ifndef SMSCOPE_MSGID_H
#define SMSCOPE_MSGID_H

#include <stdbool.h>

#include "smscope/bytes.h"

/*
 * A message id is given in the response to a submit and comes back in the report, not always as it
 * was: in another case, with or without leading zeros or 0x, in hexadecimal where it had been decimal.
 */

/* How a report's id becomes the submit response's, simplest first. */
enum id_rule {
	ID_NONE,
	ID_EXACT,
	ID_CASE,
	ID_PADDING, /* leading zeros, 0x; in any case */
	ID_HEX_DEC, /* hexadecimal in the response, decimal in the report */
	ID_DEC_HEX, /* the other way round */
	ID_RULES
};

/* An id folded is at most so long; SMPP 3.4 has 64, receipts are not held to it. */
enum { ID_FOLDED_MAX = 72 };

/** Which rules hold between two ids: bit 1 << rule; 0 none. */
unsigned id_rules(struct span submitted, struct span reported);

/** Does any rule hold between two ids, either way? */
bool id_alike(struct span a, struct span b);

/** The simplest of `rules`, or `preferred` if it is one of them. ID_NONE of none. */
enum id_rule id_rule_first(unsigned rules, enum id_rule preferred);

/**
 * What all ids have in common that ID_PADDING takes for one: lower case, no 0x, no leading zeros. At
 * most ID_FOLDED_MAX octets, what is beyond is left off. Returns the length.
 */
size_t id_fold(struct span id, char to[ID_FOLDED_MAX]);

/**
 * The folded id that `id` is in the other base: `from_hex`, its hexadecimal digits as a decimal number;
 * else its decimal digits in hexadecimal. 0 if it is no such number, or one beyond 64 bits.
 */
size_t id_rebase(struct span id, bool from_hex, char to[ID_FOLDED_MAX]);

/** "exact", "case", "padding", "hex_dec" in both directions, "none". */
const char *id_rule_name(enum id_rule rule);

/** The rule for people: "as written", "hex→dec": what the response has, then what the report has. */
const char *id_rule_words(enum id_rule rule);

#endif
