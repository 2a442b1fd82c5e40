#ifndef SMSCOPE_NET_LEG_COUNT_H
#define SMSCOPE_NET_LEG_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "smscope/err.h"

/*
 * What was ever taken from a plain connection and ever given to it, by any process: the kernel counts.
 * Octets of the sequence space that are none of the stream (FINs) are left out.
 */
struct leg_count {
	uint64_t got;    /* octets read */
	uint64_t unread; /* octets that have arrived behind those */
	uint64_t put;    /* octets written */
	bool fin_out;    /* our FIN is out */
	bool over;       /* nothing comes or goes any more: a FIN may be among `got`, or missing */
};

/** `broken`: the connection was reset, so its end is no FIN. 0 or -errno. */
int MUST_CHECK leg_count(int fd, bool broken, struct leg_count *ret);

#endif
