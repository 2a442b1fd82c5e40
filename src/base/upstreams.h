#ifndef SMSCOPE_BASE_UPSTREAMS_H
#define SMSCOPE_BASE_UPSTREAMS_H

#include "base/settings.h"
#include "base/shm.h"
#include "smscope/err.h"

/*
 * What is known of the gateways' servers: one state for each server of each link, shared by all
 * threads of an engine. Time is an argument, monotonic. Nothing here does I/O or waits, so the lock is held
 * for a few instructions only; whoever tells of a change does it afterwards.
 *
 *   unknown ── a session connected ─▶ up ── down_after failures in a row ─▶ down
 *      └──────────────── the same ──────────────────────────────────────────▶┘ │
 *                                     up ◀── a session or a probe connected ───┘
 */

enum upstream_state { UPSTREAM_UNKNOWN, UPSTREAM_UP, UPSTREAM_DOWN };

const char *upstream_state_name(enum upstream_state s); /* "unknown", "up", "down" */

enum { UPSTREAM_ADDRESSES = 16 }; /* of one name that count: the first ones, the one in use in any case */

struct upstream_address {
	struct sockaddr_storage addr; /* with the port */
	socklen_t len;                /* 0: none is known */
};

struct upstream_status {
	enum upstream_state state;
	struct upstream_address address;
	uint32_t sessions;  /* that it has, those being connected to it included */
	uint32_t failures;  /* in a row */
	uint32_t unanswered; /* how often in a row its name got no answer */
	uint64_t failed;    /* in all */
	uint64_t since_ns;  /* of the state */
};

/* What came about without a session that could tell. */
struct upstream_news {
	int link, server;
	bool up;                           /* a probe connected */
	struct upstream_address now, was;  /* `was` has none: the address did not change */
};

struct upstreams;

/** Nothing is known yet but the addresses that are written as such. `seed` makes the jitter. NULL: memory is short. */
struct upstreams *upstreams_new(const struct settings *settings, uint64_t seed, uint64_t now_ns);
void upstreams_free(struct upstreams *u);

/**
 * Know what the engine before knew, addresses of names included, and leave in `shm` what is known from here on. By the
 * links' numbers; of servers that find no place there nothing is left. Before any thread uses it.
 */
void upstreams_share(struct upstreams *u, struct shm *shm);

/**
 * The server that a session dials next, which counts the session from now on; `tried` has a bit for each that it
 * tried before. By the link's balance of those that may be dialled; one that is down only when no
 * other is left. -1: there is none.
 */
int upstreams_choose(struct upstreams *u, int link, uint32_t tried, uint64_t now_ns,
	struct upstream_address *ret);

/** What tells a link's servers apart, whatever else a configuration changes. */
uint32_t upstreams_key(const struct endpoint *server);

/** A session that an engine before had there counts from now on: its server, -1 if the link has it no more. */
int upstreams_adopt(struct upstreams *u, int link, uint32_t key);

/** The session that had chosen the server has left it. */
void upstreams_leave(struct upstreams *u, int link, int server);

/** A session connected, TLS included. True: it had failed before, and that is to be told. */
bool upstreams_connected(struct upstreams *u, int link, int server, uint64_t now_ns);

/**
 * The server did not answer a session that began to dial at `began_ns`: it is left alone for a while. Of those who
 * were dialling at the same time only the first counts for the row. What holds now is in *ret; true: it is down since
 * this one.
 */
bool upstreams_failed(struct upstreams *u, int link, int server, uint64_t began_ns,
	uint64_t now_ns, struct upstream_status *ret);

/** The pause after so many failures in a row, in ms: doubled with each from `first` up to `most`, ±25 % by `random`. */
uint64_t upstream_pause_ms(uint32_t failures, uint32_t first, uint32_t most, uint32_t random);

/** A server whose probe is due, if there is one: somebody connects to *to, and says how it went. */
bool upstreams_probe(struct upstreams *u, uint64_t now_ns, int *ret_link, int *ret_server,
	struct upstream_address *to);

/** The probe is over. True: the server is up again, which is news. */
bool upstreams_probed(struct upstreams *u, int link, int server, bool connected, uint64_t now_ns);

/**
 * The name of a server stands for these addresses now, at least one. The one in use stays if it is among them and
 * answers; if it does not, its neighbour takes its place. True: *ret is in use from now on, and *ret_was was before.
 */
bool upstreams_resolved(struct upstreams *u, int link, int server,
	const struct upstream_address *all, int count, uint64_t now_ns,
	struct upstream_address *ret, struct upstream_address *ret_was);

/** Its name got no answer, and the address in use stays. True: for the first time in a row. */
bool upstreams_unresolved(struct upstreams *u, int link, int server);

/** Has any server of the link an address? */
bool upstreams_reachable(struct upstreams *u, int link);

/** What holds now. */
void upstreams_status(const struct upstreams *u, int link, int server, struct upstream_status *ret);

/** Take what is to be told; false: there is nothing. */
bool upstreams_news(struct upstreams *u, struct upstream_news *ret);

/** It could not be told: put it back, unless the server is down again by now. */
void upstreams_again(struct upstreams *u, const struct upstream_news *untold);

/** Is there anything to be told? */
bool upstreams_have_news(struct upstreams *u);

#endif
