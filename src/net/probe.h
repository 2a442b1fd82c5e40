#ifndef SMSCOPE_NET_PROBE_H
#define SMSCOPE_NET_PROBE_H

#include <event2/event.h>

#include "base/upstreams.h"

/*
 * Servers that are down are connected to now and then, in the front's loop, to see whether they are back. A probe says
 * nothing: when the connection stands it is closed.
 */
struct probes;

/** NULL when memory is short. All are borrowed. */
struct probes *probes_new(const struct settings *settings, struct upstreams *upstreams,
	struct event_base *base);

/** Begin what is due. */
void probes_tick(struct probes *p, uint64_t now_ns);

/** Give up what is under way. */
void probes_free(struct probes *p);

#endif
