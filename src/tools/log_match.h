#ifndef SMSCOPE_TOOLS_LOG_MATCH_H
#define SMSCOPE_TOOLS_LOG_MATCH_H

#include "tools/log_line.h"

/* How an id or a number that was asked for is that of a record; the first is the best. */
enum match {
	MATCH_EXACT,
	MATCH_CASE,    /* but for upper and lower case */
	MATCH_PADDING, /* but for zeros before it */
	MATCH_NUMBER,  /* as a telephone number */
	MATCH_HEX_DEC, /* one hexadecimal, one decimal */
	MATCH_OCTETS,  /* a CMPP Msg_Id as one number, decimal or 16 hexadecimal digits */
	MATCH_NONE
};

/** "exact", "case", …; and the same in words. */
const char *match_name(enum match m);
const char *match_words(enum match m);

enum match id_match(struct span wanted, struct span id);

/**
 * Can `shown`, a number as a log has it, be the one that is wanted? Masked numbers agree if what is
 * left of them does ("138****1234"), others if one is the end of the other. `wanted` may be masked,
 * too, and may lack a country code.
 */
bool number_match(struct span wanted, struct span shown);

/** Is `code` the one wanted: the same text but for case, or the same number (0x58 and 88)? */
bool code_match(struct span wanted, struct span code);

/* Which lines are wanted. Lists are comma-separated; NULL does not ask. */
struct log_filter {
	const char *links, *events, *classes, *codes, *number, *msgid;
	bool failed;
	bool has_since;
	int64_t since_us;
};

/** Is there an event of that name, or a verb of the text log? */
bool log_event_known(struct span name);

bool log_filter_match(const struct log_filter *f, const struct log_line *l);

#endif
