#ifndef SMSCOPE_DAEMON_VAULT_H
#define SMSCOPE_DAEMON_VAULT_H

#include "base/shm.h"

/*
 * The sockets that the keeper holds for its engines: of each session those of its legs, until the
 * session table says that it is over.
 */
struct vault_item {
	uint64_t session;
	uint32_t slot;
	int fd[2]; /* by side; -1 none */
};

struct vault {
	struct shm *shm;
	uint32_t *place; /* by slot: + 1, where in `items`; 0 nowhere */
	struct vault_item *items;
	uint32_t count, room;
	uint64_t told_ns; /* monotonic: when it was said last that there is no room */
};

/** 0 or -errno. */
int MUST_CHECK vault_init(struct vault *v, struct shm *shm);

/** Hold what another keeper held: `items`, whose descriptors are open here, too. 0 or -errno. */
int MUST_CHECK vault_take(struct vault *v, const struct vault_item *items, uint32_t count);

/** Take what engines have sent through `sock` so far. False: the other end is closed, and nothing is left. */
bool vault_hear(struct vault *v, int sock);

/** Close what belongs to sessions that are over. */
void vault_sweep(struct vault *v);

/** How many descriptors there are. */
uint32_t vault_fds(const struct vault *v);

/**
 * The descriptors for an engine that starts into `fds`, of which the first will be number `first` there;
 * the session table is told which is whose. Those of sessions that an older engine has stay here. Returns
 * how many.
 */
int vault_lend(struct vault *v, int first, int *fds);

void vault_close(struct vault *v);

#endif
