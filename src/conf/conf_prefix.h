#ifndef SMSCOPE_CONF_PREFIX_H
#define SMSCOPE_CONF_PREFIX_H

#include "base/settings.h"
#include "conf/conf_value.h"

/* "ffff:…:ffff/128" and its NUL. */
enum { PREFIX_TEXT = 52 };

/**
 * "10.0.0.0/8", "2001:db8::/32", or an address alone, which stands for itself; IPv6 ones may stand in
 * brackets. No bit may be set behind the prefix: it is a slip, and says something else than was meant.
 * Returns 0, or SM_EVALUE after reporting.
 */
int conf_prefix(const struct conf_key *k, const char *text, struct prefix *ret,
	const struct conf_at *at);

/** As a file would have it, in `to`, which is returned. */
const char *conf_prefix_text(const struct prefix *p, char to[static PREFIX_TEXT]);

#endif
