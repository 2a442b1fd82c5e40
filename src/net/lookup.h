#ifndef SMSCOPE_NET_LOOKUP_H
#define SMSCOPE_NET_LOOKUP_H

#include <event2/event.h>

#include "base/upstreams.h"

/*
 * Names of the gateways' servers: looked up in the front's loop, which never waits for an answer. Hosts file and name
 * servers are read anew each time.
 */
struct lookups;

/** NULL when memory is short. All are borrowed. */
struct lookups *lookups_new(const struct settings *settings, struct upstreams *upstreams,
	struct event_base *base);

/**
 * Another engine has our place: from now on only names that have no address yet are asked, for sessions that still
 * are to be dialled, and nobody is told but at debug level.
 */
void lookups_leave(struct lookups *l);

/** Ask what is due. */
void lookups_tick(struct lookups *l, uint64_t now_ns);

/**
 * False while a link has no server with an address and the first answer may still come, for its connect_timeout at
 * most: who connects meanwhile need not be refused.
 */
bool lookups_settled(const struct lookups *l, int link, uint64_t now_ns);

/** Give up what is asked. Runs the loop once, in which nothing else may be left. */
void lookups_free(struct lookups *l);

#endif
