#ifndef SMSCOPE_NET_TLS_H
#define SMSCOPE_NET_TLS_H

#include "base/settings.h"
#include "base/shm.h"
#include "base/tls_status.h"
#include "net/tls_words.h"

/*
 * TLS of all links.
 *
 *   files ─ tls_load ─▶ struct tls_set, immutable ─ tls_install ─▶ struct tls ─ tls_begin ─▶ a connection
 *
 * A connection keeps the contexts that it began with; the next one gets those installed last.
 */
struct tls;
struct tls_set;

/* Something that is wrong with a file that key `key` of the link names. */
typedef void tls_fault_fn(void *arg, int link, const char *key, const char *text);

enum tls_strict {
	TLS_STRICT,  /* certificates that have expired are faults */
	TLS_LENIENT, /* they are not: peers decide. What does not load leaves its link without TLS */
};

/** Is TLS spoken on that side of the link? */
bool tls_wanted(const struct link_settings *l, enum side side);

/**
 * Load what the links name, and call `fault` for everything that is wrong. NULL: something was and
 * `strict` is TLS_STRICT, or memory is short. Lists of the settings are borrowed.
 */
struct tls_set *tls_load(const struct settings *s, enum tls_strict strict, tls_fault_fn *fault,
	void *arg);
void tls_set_free(struct tls_set *set);

/** Our certificates in a set, in the order of the links. */
const struct tls_certificate *tls_set_certificates(const struct tls_set *set, int *ret_count);

/** NULL when memory is short. `settings` must outlive it. */
struct tls *tls_new(const struct settings *settings);
void tls_free(struct tls *t);

/** Connections that begin from now on use `set`, which belongs to `t` then. 0 or -ENOMEM. Any thread. */
int MUST_CHECK tls_install(struct tls *t, struct tls_set *set);

/** For the status, as long as `t` is. */
struct tls_status *tls_status(struct tls *t);

/**
 * The front's question before it takes a connection of the link: END_NONE, or which limit of
 * handshakes forbids it, which is counted. Counted in until tls_end().
 */
enum end_how tls_admit(struct tls *t, int link, uint64_t now_ns);

/** A handshake with the SP is over. Any thread. */
void tls_end(struct tls *t, int link, enum tls_result r);

/**
 * TLS on connection `fd` of that side of the link; `server` is the index of the gateway's server. NULL:
 * its files do not load, or memory is short.
 */
struct ssl_st *tls_begin(struct tls *t, int link, enum side side, int server, int fd);

#endif
