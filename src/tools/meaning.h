#ifndef SMSCOPE_TOOLS_MEANING_H
#define SMSCOPE_TOOLS_MEANING_H

#include "smscope/record.h"

/*
 * What codes mean, for a tool that shows PDUs: the loaded tables, whose profiles are asked, in
 * which language. All zero: no tables, every answer is empty.
 */
enum { MEANING_PROFILES = 16 };

struct meaning {
	struct code_set *set;
	const struct code_profile *profiles[MEANING_PROFILES + 1];
	int profile_count;
	enum record_lang lang;
};

/**
 * Load the tables and look up `names`, a comma-separated list of profiles (NULL: "standard").
 * Returns SM_OK; SM_ENONE when a profile is unknown, which was said on standard error. Tables that
 * do not load are a warning there: answers stay empty.
 */
int meaning_open(struct meaning *m, const char *names);
void meaning_close(struct meaning *m);

/**
 * Append the answer to `q`, as words or as JSON members; nothing if there is none. `q->profiles` is
 * filled in.
 */
void meaning_put(const struct meaning *m, struct out *o, struct code_query q, bool json);

#endif
