#ifndef SMSCOPE_NET_LEG_H
#define SMSCOPE_NET_LEG_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "smscope/err.h"

/*
 * One side's connection, as the relay sees it: octets that can be looked at, taken, and sent. A leg
 * owns its descriptor and its one edge-triggered event. A plain one holds no octets of its own; one
 * with TLS (leg_tls.h) behaves alike.
 *
 *   unread octets in the kernel:  | looked at by leg_peek() ……… |
 *                                 | leg_discard() |
 */
struct leg_tls;

struct leg {
	int fd;          /* -1: closed */
	struct leg_tls *tls; /* NULL: plain */
	bool opening;    /* the handshake is not complete: leg_shake(); never of a plain leg */
	bool eof;        /* the peer's FIN is here, perhaps behind unread octets */
	bool finished;   /* our FIN is out */
	size_t unread;   /* octets in the kernel at the last peek, those behind an urgent mark (and a FIN) included */
	size_t owed;     /* octets that a send has begun: offer at least as many again, the same ones; plain: 0 */
	uint64_t asked_ns; /* when leg_dead() first saw an attempt without an answer; 0: there is none */
	int error;       /* errno of a connection that is broken; what had arrived may still be read */
	const char *why; /* what else there is to say of its end, or NULL */
	struct event event;
};

/** The socket options every leg has: no Nagle, keepalive, urgent octets in line, attempts often enough for leg_dead(). */
void leg_options(int fd, uint32_t dead_ms);

/** "10.0.0.7:51312", "[::1]:2775". */
void leg_address_text(const struct sockaddr_storage *a, socklen_t len, char *to, size_t cap);

/** Take over the connected or connecting `fd`; `on_event(fd, what, arg)` is called at every edge. 0 or negative. */
int MUST_CHECK leg_open(struct leg *l, struct event_base *base, int fd, event_callback_fn on_event,
	void *arg);

/** Close without lingering: the caller has seen to it that nothing unread is destroyed that matters. */
void leg_close(struct leg *l);

/** Go on with the handshake: 1 complete (at once on a plain leg), 0 wait for an edge, else it failed, `why`. */
int MUST_CHECK leg_shake(struct leg *l);

/** An edge of the leg's event: call this first, and go by the edges it returns. */
short leg_edge(struct leg *l, short what);

/**
 * Unread octets, at most `cap`, left unread. Above 0 how many, 0 end of stream, -EAGAIN none now, else
 * -errno: -EPROTO when only what the connection carries is broken, `why`.
 */
ssize_t leg_peek(struct leg *l, void *to, size_t cap);

/** Octets accepted by the kernel, 0 if it takes none now, else -errno. */
ssize_t leg_send(struct leg *l, const void *p, size_t n);

/** Drop `n` octets that leg_peek() has shown. */
void leg_discard(struct leg *l, size_t n);

/** Overwrite `n` of the octets that leg_peek() has shown, from `at` on, where we hold them ourselves: they were secret and will be dropped. */
void leg_forget(struct leg *l, size_t at, size_t n);

/** Has the peer's FIN arrived? Asks the kernel, keeps the answer in `eof`. */
bool leg_ended(struct leg *l);

/** Is the window closing although little is unread? Then what is unread pins more memory than it is worth. */
bool leg_squeezed(const struct leg *l);

/** Is the connection broken? Asks the kernel, keeps the answer in `error`. */
bool leg_broken(struct leg *l);

/**
 * Has the peer answered none of several attempts to reach it, for `ms` by now? One that is alive but does not
 * read answers. Asks the kernel; call it every few seconds.
 */
bool leg_dead(struct leg *l, uint64_t now_ns, uint32_t ms);

/** Send the FIN, once. */
void leg_finish(struct leg *l);

/** Has the kernel all that we said, the end included? If not, an edge will bring the rest about. */
bool leg_settled(const struct leg *l);

enum leg_drop {
	LEG_WAIT, /* nothing more now: an edge will tell */
	LEG_MORE, /* there may be more: no edge will tell, call again */
	LEG_OVER, /* nothing more can come */
};

/** Read and drop what comes, a bounded amount at a time. */
enum leg_drop leg_drop(struct leg *l);

/** The same of the connection below, whatever it carries: for leg_tls.c. */
enum leg_drop leg_drop_plain(struct leg *l);

#endif
