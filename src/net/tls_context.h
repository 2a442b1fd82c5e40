#ifndef SMSCOPE_NET_TLS_CONTEXT_H
#define SMSCOPE_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "net/tls.h"

/*
 * One side of one link: a context of OpenSSL for each certificate (towards the gateway exactly one).
 * Immutable once loaded. It lives as long as its first context, which connections keep.
 */
struct tls_context {
	const struct link_settings *link;
	enum side side;
	SSL_CTX *ctx[NAMES_MAX];
	int count;
	uint8_t pins[NAMES_MAX][TLS_FINGERPRINT]; /* fingerprints of the certificates that may pass */
	int pin_count;
};

struct tls_set {
	int link_count;
	struct tls_context *(*of)[2];             /* [link][side]; NULL: no TLS, or it does not load */
	struct tls_certificate *certificates;
	int certificate_count;
};

/** With `count` contexts that have no certificate yet; NULL when memory is short. */
struct tls_context *tls_context_new(const struct link_settings *l, enum side side, int count);

/** The set's hold of it ends: it goes with its last connection. */
void tls_context_free(struct tls_context *c);

/** SHA-256 of the certificate. False: it cannot be had. */
bool tls_fingerprint(const X509 *x, uint8_t to[TLS_FINGERPRINT]);

/** 64 hexadecimal digits, with or without colons, perhaps "sha256:" before them. */
bool tls_fingerprint_read(const char *text, uint8_t to[TLS_FINGERPRINT]);

#endif
