#ifndef SMSCOPE_NET_REFUSALS_H
#define SMSCOPE_NET_REFUSALS_H

#include <netinet/in.h>

#include "base/shm.h"

/*
 * Connections turned away before there was a session: counted by link and reason, and told at most once a
 * second each, with how many there were. Shared by front and workers.
 */
struct refusals;

/* What is to be told. */
struct refusal_count {
	int link;
	enum end_how how;
	uint64_t count;
	struct sockaddr_storage peer; /* the last one's */
};

/** NULL when memory is short. */
struct refusals *refusals_new(int link_count);
void refusals_free(struct refusals *r);

/** Count one; true if *ret is to be told now: its count starts anew. */
bool refusals_add(struct refusals *r, int link, enum end_how how,
	const struct sockaddr_storage *peer, uint64_t now_ns, struct refusal_count *ret);

/** It could not be told: put it back. */
void refusals_again(struct refusals *r, const struct refusal_count *untold);

/** One that has waited for its second, if there is any. */
bool refusals_due(struct refusals *r, uint64_t now_ns, struct refusal_count *ret);

#endif
