#ifndef SMSCOPE_NET_PACE_H
#define SMSCOPE_NET_PACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "smscope/bytes.h"

/*
 * How often: logins of an address and of an account, refused logins of an address. A table of fixed size;
 * where it is full the one that was quiet longest is forgotten. Times are monotonic nanoseconds. Threads of
 * the data plane share its lock, once or twice per login.
 */
struct pace;

enum pace_kind { PACE_ADDRESS, PACE_ACCOUNT, PACE_REFUSED };

/** What is counted: octets of an address or an account, of one link. */
struct pace_key {
	enum pace_kind kind;
	int link;
	struct span octets; /* more than PACE_OCTETS are cut */
};

enum { PACE_OCTETS = 16, PACE_ROWS = 4096 };

/** NULL when memory is short. */
struct pace *pace_new(void);
void pace_free(struct pace *p);

/**
 * Count one more of `key` unless there were `limit` within the last minute: false then. A minute slides: of
 * the minute before the current one as much counts as is still within the last sixty seconds.
 */
bool pace_take(struct pace *p, const struct pace_key *key, uint32_t limit, uint64_t now_ns);

/** One login of that address was refused: from the `after`-th within a minute it is out for `penalty_ms`. */
void pace_refused(struct pace *p, const struct pace_key *key, uint32_t after, uint32_t penalty_ms,
	uint64_t now_ns);

/** Is that address out? */
bool pace_out(struct pace *p, const struct pace_key *key, uint64_t now_ns);

#endif
