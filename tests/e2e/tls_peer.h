#ifndef E2E_TLS_PEER_H
#define E2E_TLS_PEER_H

#include <openssl/ssl.h>

#include "harness.h"

/*
 * Peers with TLS. Certificates are made when a test runs, so that none expires in the repository. A
 * tunnel is a thread between a plain socket of the test and a TLS connection, so that whatever the
 * harness does with plain octets it does through TLS:
 *
 *     test ─ plain socket ─ tunnel ─ TLS ─ smscoped
 */

struct tls_id {
	X509 *x;
	EVP_PKEY *key;
};

struct tls_id_options {
	const char *name;             /* common name, and DNS name unless `san` */
	const char *san;              /* "DNS:a,IP:127.0.0.1"; "" none, NULL as the name */
	const struct tls_id *issuer;  /* NULL: signed by itself */
	bool ca;
	long from_s, to_s;            /* valid, seconds from now; both 0: a day either way */
	bool rsa;                     /* else P-256 */
};

struct tls_id tls_id_make(const struct tls_id_options *o);
void tls_id_free(struct tls_id *id);

/* Write as PEM into `dir`/`name`, mode 0600; returns a path that lives until the 64th next call. */
const char *tls_write(const char *dir, const char *name, X509 *const *x, int count, EVP_PKEY *key,
	const char *password);
const char *tls_write_crl(const char *dir, const char *name, const struct tls_id *ca,
	X509 *const *revoked, int count);
const char *tls_write_text(const char *dir, const char *name, const char *text, size_t n,
	unsigned int mode);

/* Contexts of peers: `id` may be NULL, `ca` NULL verifies nobody. */
SSL_CTX *tls_client_ctx(const struct tls_id *id, X509 *ca);
SSL_CTX *tls_server_ctx(const struct tls_id *id, X509 *ca);

/* A blocking handshake over `fd`; NULL when it fails, `ret_error` then has OpenSSL's reason. */
SSL *tls_connect(SSL_CTX *ctx, int fd, const char *name, unsigned long *ret_error);
SSL *tls_accept(SSL_CTX *ctx, int fd, unsigned long *ret_error);

/* Ends of a tunnel that are not polite. */
enum tls_manner {
	TLS_POLITE,    /* a FIN of the plain side becomes close_notify and FIN */
	TLS_RUDE,      /* … only FIN */
	TLS_HALF,      /* … only close_notify, and the connection stays */
};

/** Start a tunnel over `ssl`, which it owns; records of `record` octets at most, 0: as they come. */
int tls_tunnel(SSL *ssl, size_t record, enum tls_manner manner);

/** Both at once: a tunnel to a link of the rig, and one from a caller of `listener`. */
int tls_dial(int port, SSL_CTX *ctx, const char *name);
int tls_answer(int listener, SSL_CTX *ctx);

/* What most tests need: an authority, a certificate of it for each end, and their files. */
struct tls_kit {
	char dir[64];
	struct tls_id ca, server, client, gateway;
	const char *ca_file, *server_file, *client_file;
	SSL_CTX *sp, *gw; /* of the test's own peers; the gateway demands no certificate */
};

extern struct tls_kit kit;

/** Before and after a group of tests. */
int tls_kit_open(void **state);
int tls_kit_close(void **state);

/** Join what threads have ended; in teardown. */
void tls_sweep(void);

#endif
