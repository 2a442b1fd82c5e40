#ifndef SMSCOPE_NET_FOREIGN_H
#define SMSCOPE_NET_FOREIGN_H

#include "net/worker.h"

/*
 * Sessions of older engines in our share of the table. They are not ours to touch, but they count: for the limits of
 * their link, and as sessions of their server. Called by the worker alone.
 */

/* What a session says of itself in the table; without padding, so that two are compared whole. */
struct foreign_seat {
	uint32_t there;           /* 0: there is none, or it is over */
	uint32_t link;            /* its number */
	uint32_t server;          /* upstreams_key(); 0: it has none yet */
	uint32_t account_len;
	uint8_t account[SHM_ACCOUNT];
	struct sockaddr_in6 peer; /* AF_UNSPEC: it is not known yet */
};

/* … and what it was counted for. */
struct foreign {
	struct foreign_seat seat;
	int link;                 /* of our settings; -1: it is in them no more */
	int server;               /* of the link; -1: none */
	bool account;
};

/** Is that session another engine's that lives? */
bool foreign_lives(const struct worker *w, const struct shm_session *s);

/** Count the session in, or what has become other with it since. */
void foreign_follow(struct worker *w, struct foreign *f, const struct shm_session *s);

/** It is over, or ours: it counts no more. */
void foreign_leave(struct worker *w, struct foreign *f);

#endif
