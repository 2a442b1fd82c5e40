#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls_peer.h"

enum { PATHS = 64, TUNNELS = 1200, CHUNK = 16384, DAY_S = 86400 };

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

struct tls_id tls_id_make(const struct tls_id_options *o)
{
	static long serial = 1000;
	struct tls_id id = { X509_new(),
		o->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
	const struct tls_id *by = o->issuer ? o->issuer : &id;
	bool dated = o->from_s != 0 || o->to_s != 0;
	char san[300];
	X509_NAME *name;

	assert_non_null(id.x);
	assert_non_null(id.key);
	X509_set_version(id.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id.x), dated ? o->from_s : -DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(id.x), dated ? o->to_s : DAY_S);
	name = X509_get_subject_name(id.x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)o->name, -1,
		-1, 0);
	X509_set_issuer_name(id.x, X509_get_subject_name(by->x));
	X509_set_pubkey(id.x, id.key);
	extend(id.x, by->x, NID_basic_constraints, o->ca ? "critical,CA:TRUE" : "CA:FALSE");
	extend(id.x, by->x, NID_subject_key_identifier, "hash");
	snprintf(san, sizeof san, "DNS:%s", o->name);
	if (!o->ca && (o->san == NULL || o->san[0]))
		extend(id.x, by->x, NID_subject_alt_name, o->san ? o->san : san);
	assert_true(X509_sign(id.x, by->key, EVP_sha256()) > 0);
	return id;
}

void tls_id_free(struct tls_id *id)
{
	X509_free(id->x);
	EVP_PKEY_free(id->key);
	memset(id, 0, sizeof *id);
}

static const char *path_of(const char *dir, const char *name)
{
	static char paths[PATHS][160];
	static int next;
	char *path = paths[next++ % PATHS];

	snprintf(path, sizeof paths[0], "%s/%s", dir, name);
	return path;
}

static FILE *create(const char *path, unsigned int mode)
{
	int fd;
	FILE *f;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	return f;
}

const char *tls_write(const char *dir, const char *name, X509 *const *x, int count, EVP_PKEY *key,
	const char *password)
{
	const char *path = path_of(dir, name);
	FILE *f = create(path, 0600);

	for (int i = 0; i < count; i++)
		assert_int_equal(PEM_write_X509(f, x[i]), 1);
	if (key)
		assert_int_equal(PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL,
			(const unsigned char *)password, password ? (int)strlen(password) : 0,
			NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	return path;
}

const char *tls_write_text(const char *dir, const char *name, const char *text, size_t n,
	unsigned int mode)
{
	const char *path = path_of(dir, name);
	FILE *f = create(path, mode);

	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	return path;
}

const char *tls_write_crl(const char *dir, const char *name, const struct tls_id *ca,
	X509 *const *revoked, int count)
{
	const char *path = path_of(dir, name);
	FILE *f = create(path, 0600);
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -DAY_S));
	for (int i = 0; i < count; i++) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked[i]));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, DAY_S));
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return path;
}

static SSL_CTX *ctx_make(const SSL_METHOD *method, const struct tls_id *id, X509 *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	assert_non_null(ctx);
	if (id) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, id->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
	}
	if (ca) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return ctx;
}

SSL_CTX *tls_client_ctx(const struct tls_id *id, X509 *ca)
{
	return ctx_make(TLS_client_method(), id, ca);
}

SSL_CTX *tls_server_ctx(const struct tls_id *id, X509 *ca)
{
	return ctx_make(TLS_server_method(), id, ca);
}

static SSL *shake(SSL_CTX *ctx, int fd, bool server, const char *name, unsigned long *ret_error)
{
	struct timeval limit = { .tv_sec = 10 };
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	SSL_set_fd(ssl, fd);
	if (name)
		SSL_set_tlsext_host_name(ssl, name);
	ERR_clear_error();
	if ((server ? SSL_accept(ssl) : SSL_connect(ssl)) == 1)
		return ssl;
	if (ret_error)
		*ret_error = ERR_peek_error();
	else
		ERR_print_errors_fp(stderr);
	SSL_free(ssl);
	return NULL;
}

SSL *tls_connect(SSL_CTX *ctx, int fd, const char *name, unsigned long *ret_error)
{
	return shake(ctx, fd, false, name, ret_error);
}

SSL *tls_accept(SSL_CTX *ctx, int fd, unsigned long *ret_error)
{
	return shake(ctx, fd, true, NULL, ret_error);
}

/* Octets of one direction that the other end has not taken yet. */
struct hand {
	uint8_t octets[CHUNK];
	size_t at, n;
	bool open;
};

struct tunnel {
	SSL *ssl;
	int fd, plain;
	size_t record;
	enum tls_manner manner;
	struct hand out, in; /* plain to TLS, TLS to plain */
};

static pthread_t threads[TUNNELS];
static int thread_count;

static void end_out(struct tunnel *t)
{
	t->out.open = false;
	if (t->manner != TLS_RUDE)
		SSL_shutdown(t->ssl);
	if (t->manner != TLS_HALF)
		shutdown(t->fd, SHUT_WR);
}

/* Plain to TLS, a record at a time. True: something moved. */
static bool carry_out(struct tunnel *t)
{
	struct hand *h = &t->out;
	size_t piece;
	ssize_t n;

	if (h->at == h->n) {
		n = h->open ? recv(t->plain, h->octets, CHUNK, MSG_DONTWAIT) : -1;
		if (n == 0)
			end_out(t);
		h->at = 0;
		h->n = n > 0 ? (size_t)n : 0;
		return n >= 0 && h->open;
	}
	piece = h->n - h->at;
	if (t->record && piece > t->record)
		piece = t->record;
	n = SSL_write(t->ssl, h->octets + h->at, (int)piece);
	if (n > 0)
		h->at += (size_t)n;
	else if (SSL_get_error(t->ssl, (int)n) > SSL_ERROR_WANT_WRITE)
		h->at = h->n;
	return n > 0;
}

static bool carry_in(struct tunnel *t)
{
	struct hand *h = &t->in;
	ssize_t n;

	if (h->at == h->n) {
		n = h->open ? SSL_read(t->ssl, h->octets, CHUNK) : -1;
		if (n <= 0 && h->open && SSL_get_error(t->ssl, (int)n) != SSL_ERROR_WANT_READ) {
			h->open = false;
			shutdown(t->plain, SHUT_WR);
		}
		h->at = 0;
		h->n = n > 0 ? (size_t)n : 0;
		return n > 0;
	}
	n = send(t->plain, h->octets + h->at, h->n - h->at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		h->at += (size_t)n;
	else if (errno != EAGAIN)
		h->at = h->n;
	return n > 0;
}

static void tunnel_wait(const struct tunnel *t)
{
	bool outward = t->out.at < t->out.n, inward = t->in.at < t->in.n;
	struct pollfd p[] = { { .fd = t->fd }, { .fd = t->plain } };

	p[0].events = (short)((outward ? POLLOUT : 0) | (!inward && t->in.open ? POLLIN : 0));
	p[1].events = (short)((inward ? POLLOUT : 0) | (!outward && t->out.open ? POLLIN : 0));
	for (int i = 0; i < 2; i++)
		if (p[i].events == 0)
			p[i].fd = -1;
	(void)poll(p, 2, 100);
}

static void *tunnel_run(void *arg)
{
	struct tunnel *t = arg;

	while (t->in.open || t->out.open || t->in.at < t->in.n || t->out.at < t->out.n) {
		bool out = carry_out(t), in = carry_in(t);

		ERR_clear_error();
		if (!out && !in)
			tunnel_wait(t);
	}
	SSL_free(t->ssl);
	close(t->plain);
	close(t->fd);
	free(t);
	OPENSSL_thread_stop();
	return NULL;
}

int tls_tunnel(SSL *ssl, size_t record, enum tls_manner manner)
{
	struct tunnel *t = calloc(1, sizeof *t);
	int pair[2], fd = SSL_get_fd(ssl);

	assert_non_null(t);
	assert_true(thread_count < TUNNELS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	peer_forget(fd);
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	*t = (struct tunnel){ .ssl = ssl, .fd = fd, .plain = pair[1], .record = record,
		.manner = manner, .out.open = true, .in.open = true };
	assert_int_equal(pthread_create(&threads[thread_count], NULL, tunnel_run, t), 0);
	thread_count++;
	return peer_adopt(pair[0]);
}

int tls_dial(int port, SSL_CTX *ctx, const char *name)
{
	SSL *ssl = tls_connect(ctx, peer_dial(port), name, NULL);

	assert_non_null(ssl);
	return tls_tunnel(ssl, 0, TLS_POLITE);
}

int tls_answer(int listener, SSL_CTX *ctx)
{
	SSL *ssl = tls_accept(ctx, peer_accept(listener), NULL);

	assert_non_null(ssl);
	return tls_tunnel(ssl, 0, TLS_POLITE);
}

void tls_sweep(void)
{
	while (thread_count > 0)
		pthread_join(threads[--thread_count], NULL);
}

struct tls_kit kit;

int tls_kit_open(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	memset(&kit, 0, sizeof kit);
	snprintf(kit.dir, sizeof kit.dir, "%s/smscope-tls-XXXXXX",
		tmp && strlen(tmp) < 32 ? tmp : P_tmpdir);
	assert_non_null(mkdtemp(kit.dir));
	kit.ca = tls_id_make(&(struct tls_id_options){ .name = "Test CA", .ca = true });
	kit.server = tls_id_make(&(struct tls_id_options){ .name = "smscope.test",
		.issuer = &kit.ca });
	kit.client = tls_id_make(&(struct tls_id_options){ .name = "acme", .issuer = &kit.ca });
	kit.gateway = tls_id_make(&(struct tls_id_options){ .name = "smsc.test",
		.san = "DNS:smsc.test,IP:127.0.0.1", .issuer = &kit.ca });
	kit.ca_file = tls_write(kit.dir, "ca.pem", &kit.ca.x, 1, NULL, NULL);
	kit.server_file = tls_write(kit.dir, "server.pem", &kit.server.x, 1, kit.server.key, NULL);
	kit.client_file = tls_write(kit.dir, "client.pem", &kit.client.x, 1, kit.client.key, NULL);
	kit.sp = tls_client_ctx(NULL, kit.ca.x);
	kit.gw = tls_server_ctx(&kit.gateway, NULL);
	return 0;
}

int tls_kit_close(void **state)
{
	DIR *d = opendir(kit.dir);
	char path[400];

	(void)state;
	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", kit.dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(kit.dir);
	tls_id_free(&kit.ca);
	tls_id_free(&kit.server);
	tls_id_free(&kit.client);
	tls_id_free(&kit.gateway);
	SSL_CTX_free(kit.sp);
	SSL_CTX_free(kit.gw);
	return 0;
}
