#ifndef SMSCOPE_CONF_VALUE_H
#define SMSCOPE_CONF_VALUE_H

#include <stdio.h>

#include "conf/conf.h"
#include "conf/conf_keys.h"

/*
 * One value of one key: from text or number into the section's struct and back. The row of the key
 * says what is legal.
 */

/* Where a value was written, and where faults about it go. */
struct conf_at {
	struct conf_faults *faults;
	const char *file;
	int line;
};

/**
 * Set key `k` of `section` (a struct of the row's section), or append to it if it is an array.
 * Texts are copied. 0, or SM_EVALUE after reporting; the section is then as it was.
 */
int conf_value_number(const struct conf_key *k, void *section, int64_t n, const struct conf_at *at);
int conf_value_flag(const struct conf_key *k, void *section, bool on, const struct conf_at *at);
int conf_value_text(const struct conf_key *k, void *section, const char *text,
	const struct conf_at *at);

/** Set the row's default, if it has one that does not depend on other keys. */
void conf_value_preset(const struct conf_key *k, void *section, const struct conf_at *at);

/** Release what the key owns and make it as if never set. */
void conf_value_clear(const struct conf_key *k, void *section);

/** Has the key a value now? Texts and arrays may have none, groups and lists never do. */
bool conf_value_has(const struct conf_key *k, const void *section);

/** Write the value that it has as a file would have it. */
void conf_value_write(const struct conf_key *k, const void *section, FILE *to);

/** A number in the row's unit as people write it: 32K, 5m, 256. */
void conf_value_amount(const struct conf_key *k, int64_t n, char *to, size_t cap);

/** What such a key takes: "a duration such as \"5s\"". Static text. */
const char *conf_type_words(enum conf_type type);

#endif
