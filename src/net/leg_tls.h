#ifndef SMSCOPE_NET_LEG_TLS_H
#define SMSCOPE_NET_LEG_TLS_H

#include "net/leg.h"

/*
 * The other kind of leg: TLS. leg.c hands everything on to here when a leg has a struct leg_tls.
 *
 *   kernel: records ─▶ SSL_read ─▶ | octets looked at by leg_peek() | ─▶ discarded
 *
 * The kernel cannot keep what was decrypted, so this kind owns a buffer: at most hold_max and a
 * record, allocated only while it holds something. When it is full nothing is read, the window
 * closes, and the sender feels it.
 */
struct ssl_st;

/**
 * Make TLS of the leg just opened; owns `ssl`, whose socket is the leg's, from now on. `in_max` is
 * the most octets the leg keeps. leg_shake() is next. 0 or -ENOMEM (then `ssl` is freed).
 */
int MUST_CHECK leg_tls_open(struct leg *l, struct ssl_st *ssl, size_t in_max);

/* What is known of the peer when the handshake is complete. */
struct leg_tls_peer {
	char words[64];  /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
	char subject[72]; /* common name of its certificate; empty: none was shown */
};

void leg_tls_peer(const struct leg *l, struct leg_tls_peer *ret);

/* As those of leg.h without _tls. */
int leg_tls_shake(struct leg *l);
short leg_tls_edge(struct leg *l, short what);
ssize_t leg_tls_peek(struct leg *l, void *to, size_t cap);
ssize_t leg_tls_send(struct leg *l, const void *p, size_t n);
void leg_tls_discard(struct leg *l, size_t n);
void leg_tls_forget(struct leg *l, size_t at, size_t n);
void leg_tls_finish(struct leg *l);
bool leg_tls_settled(const struct leg *l);
enum leg_drop leg_tls_drop(struct leg *l);
void leg_tls_close(struct leg *l);

#endif
