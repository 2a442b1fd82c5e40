#ifndef SMSCOPE_CONF_ADDR_H
#define SMSCOPE_CONF_ADDR_H

#include "base/settings.h"
#include "conf/conf_value.h"

/**
 * "10.0.0.1:7890", "[::1]:2775", "smsc.example:2775" of key `k` into `ret`, whose text is then
 * owned. What else is legal depends on the row's type. A server's name that does not resolve is a
 * warning, and addr_len is 0; so it is for a name that is not to be looked up. Returns 0, or SM_EVALUE after reporting.
 */
int conf_endpoint(const struct conf_key *k, const char *text, struct endpoint *ret,
	const struct conf_at *at);

/** Can only one of both be listened on? They are equal, or one is the wildcard of the same port. */
bool endpoint_overlap(const struct endpoint *a, const struct endpoint *b);

/**
 * Does dialling `server` reach a listener on `listen`? Of a wildcard listener only the loopback
 * addresses are known.
 */
bool endpoint_reaches(const struct endpoint *server, const struct endpoint *listen);

#endif
