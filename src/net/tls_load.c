#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "net/tls_context.h"

/*
 * From files to contexts. What is secret passes through memory of ours that is wiped before it is
 * freed; messages name files and reasons, never what is in them.
 */

enum { PASSWORD_MAX = 1024 };

struct loader {
	struct tls_set *set;
	enum tls_strict strict;
	tls_fault_fn *fault;
	void *arg;
	const struct link_settings *l;
	int link, faults;
};

struct file {
	const char *key, *path; /* the configuration's key, and its value */
	struct secret octets;
};

static PRINTF_LIKE(3, 4) void fault(struct loader *o, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->faults++;
	o->fault(o->arg, o->link, key, text);
}

/** All of the file. What is `secret` nobody else may read or change. */
static bool file_read(struct loader *o, struct file *f, bool secret)
{
	const char *why = NULL;
	int err = secret ? secret_file(f->path, &f->octets, &why) :
		secret_public(f->path, &f->octets, &why);

	if (err < 0)
		fault(o, f->key, "%s: %s", f->path, why);
	return err == 0;
}

static void pem_fault(struct loader *o, const struct file *f, const char *what)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	char words[256];

	if (reason == PEM_R_NO_START_LINE) {
		fault(o, f->key, "%s: holds no %s", f->path, what);
		ERR_clear_error();
		return;
	}
	tls_file_words(words, sizeof(words));
	fault(o, f->key, "%s: its %s is cut off or damaged (%s)", f->path, what, words);
}

/** Certificate `x` of ours: is it valid today? Remember it for the status. */
static bool note_certificate(struct loader *o, enum side side, const struct file *f, X509 *x)
{
	struct tls_set *set = o->set;
	struct tls_certificate c = { .link = o->link, .side = side }, *more;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	bool expired = X509_cmp_current_time(X509_get0_notAfter(x)) < 0;

	if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(x)) != 1 ||
		!tls_fingerprint(x, c.fingerprint)) {
		ASN1_TIME_free(epoch);
		fault(o, f->key, "%s: its certificate cannot be understood", f->path);
		return false;
	}
	ASN1_TIME_free(epoch);
	c.not_after = (int64_t)days * 86400 + seconds;
	tls_subject(x, c.subject, sizeof(c.subject));
	if (expired || X509_cmp_current_time(X509_get0_notBefore(x)) > 0) {
		if (o->strict == TLS_STRICT || expired)
			fault(o, f->key, "%s: its certificate (%s) %s", f->path, c.subject,
				expired ? "has expired" : "is not valid yet");
		if (o->strict == TLS_STRICT)
			return false;
	}
	more = realloc(set->certificates, ((size_t)set->certificate_count + 1) * sizeof(*more));
	if (more == NULL)
		return false;
	set->certificates = more;
	more[set->certificate_count++] = c;
	return true;
}

/** The certificate and those behind it, into `ctx`. */
static bool load_chain(struct loader *o, SSL_CTX *ctx, enum side side, const struct file *f)
{
	BIO *in = BIO_new_mem_buf(f->octets.p, (int)f->octets.n);
	X509 *x = in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	bool done = false;
	char words[256];

	if (x == NULL) {
		pem_fault(o, f, "certificate");
		goto out;
	}
	if (!note_certificate(o, side, f, x))
		goto out;
	if (SSL_CTX_use_certificate(ctx, x) != 1) {
		tls_file_words(words, sizeof(words));
		fault(o, f->key, "%s: %s", f->path, words);
		goto out;
	}
	for (X509 *next; (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL;)
		if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
			X509_free(next);
			goto out;
		}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		pem_fault(o, f, "chain");
		goto out;
	}
	ERR_clear_error();
	done = true;
out:
	X509_free(x);
	BIO_free(in);
	return done;
}

/* The password as the file has it, up to the end of its first line. */
static int on_password(char *to, int cap, int writing, void *arg)
{
	const struct file *f = arg;
	size_t n = 0;

	(void)writing;
	if (f->octets.p == NULL)
		return 0;
	while (n < f->octets.n && f->octets.p[n] != '\n' && f->octets.p[n] != '\r')
		n++;
	if (n > (size_t)cap || n > PASSWORD_MAX)
		return 0;
	memcpy(to, f->octets.p, n);
	return (int)n;
}

static bool load_key(struct loader *o, SSL_CTX *ctx, const struct file *f, const char *password_key,
	const char *password_path)
{
	struct file password = { .key = password_key, .path = password_path };
	EVP_PKEY *key = NULL;
	BIO *in = NULL;
	bool done = false, encrypted = memmem(f->octets.p, f->octets.n, "ENCRYPTED", 9) != NULL;
	char words[256];

	if (password_path != NULL && !file_read(o, &password, true))
		return false;
	in = BIO_new_mem_buf(f->octets.p, (int)f->octets.n);
	if (in != NULL)
		key = PEM_read_bio_PrivateKey(in, NULL, on_password, &password);
	if (key == NULL && encrypted) {
		fault(o, f->key, "%s: the key is encrypted, and %s", f->path,
			password_path == NULL ? "no password file is named" :
			"the password does not fit");
		ERR_clear_error();
	} else if (key == NULL) {
		/* Decoders leave errors of every format that they tried. */
		ERR_clear_error();
		fault(o, f->key, "%s: holds no private key, or it is cut off or damaged", f->path);
	} else if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1) {
		fault(o, f->key, "%s: the key does not belong to the certificate", f->path);
		ERR_clear_error();
	} else if (SSL_CTX_use_PrivateKey(ctx, key) != 1) {
		tls_file_words(words, sizeof(words));
		fault(o, f->key, "%s: %s", f->path, words);
	} else {
		done = true;
	}
	EVP_PKEY_free(key);
	BIO_free(in);
	secret_wipe(&password.octets);
	return done;
}

/** A certificate of ours with its key; without a file of its own the key is in the certificate's. */
static bool load_pair(struct loader *o, SSL_CTX *ctx, enum side side, const char *certificate,
	const char *key)
{
	bool sp = side == SIDE_SP;
	struct file c = { .key = sp ? "tls_certificate" : "upstream_tls_certificate",
		.path = certificate };
	struct file k = { .key = sp ? "tls_key" : "upstream_tls_key", .path = key };
	bool done = file_read(o, &c, key == NULL) && load_chain(o, ctx, side, &c);

	if (done && key != NULL)
		done = file_read(o, &k, true);
	if (done)
		done = load_key(o, ctx, key != NULL ? &k : &c,
			sp ? "tls_password_file" : "upstream_tls_password_file",
			sp ? o->l->tls_password_file : o->l->upstream_tls_password_file);
	secret_wipe(&c.octets);
	secret_wipe(&k.octets);
	return done;
}

/** Who vouches for the peer. The SP is told their names. */
static bool load_ca(struct loader *o, SSL_CTX *ctx, enum side side, const char *path)
{
	struct file f = { .key = side == SIDE_SP ? "tls_ca" : "upstream_tls_ca", .path = path };
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *in;
	int count = 0;

	if (!file_read(o, &f, false))
		return false;
	in = BIO_new_mem_buf(f.octets.p, (int)f.octets.n);
	for (X509 *x; in != NULL && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL; count++) {
		(void)X509_STORE_add_cert(store, x);
		if (side == SIDE_SP)
			(void)SSL_CTX_add_client_CA(ctx, x);
		X509_free(x);
	}
	if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		pem_fault(o, &f, "certificate");
		count = 0;
	}
	ERR_clear_error();
	BIO_free(in);
	secret_wipe(&f.octets);
	return count > 0;
}

static bool load_crl(struct loader *o, SSL_CTX *ctx, enum side side, const char *path)
{
	struct file f = { .key = side == SIDE_SP ? "tls_crl" : "upstream_tls_crl", .path = path };
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool done = true;
	BIO *in;
	int count = 0;

	if (!file_read(o, &f, false))
		return false;
	in = BIO_new_mem_buf(f.octets.p, (int)f.octets.n);
	for (X509_CRL *x; in != NULL && (x = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL;
		count++) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(x);

		if (next != NULL && X509_cmp_current_time(next) < 0) {
			fault(o, f.key, "%s: is out of date: another was due", f.path);
			done = o->strict != TLS_STRICT && done;
		}
		(void)X509_STORE_add_crl(store, x);
		X509_CRL_free(x);
	}
	if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		pem_fault(o, &f, "revocation list");
		done = false;
	}
	ERR_clear_error();
	(void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	BIO_free(in);
	secret_wipe(&f.octets);
	return done;
}

static bool load_trust(struct loader *o, SSL_CTX *ctx, enum side side)
{
	const struct link_settings *l = o->l;
	const char *ca = side == SIDE_SP ? l->tls_ca : l->upstream_tls_ca;
	const char *crl = side == SIDE_SP ? l->tls_crl : l->upstream_tls_crl;
	bool done = true;

	if (ca != NULL)
		done = load_ca(o, ctx, side, ca);
	else if (side == SIDE_GW)
		(void)SSL_CTX_set_default_verify_paths(ctx);
	return (crl == NULL || load_crl(o, ctx, side, crl)) && done;
}

static bool check_fingerprints(struct loader *o)
{
	uint8_t print[TLS_FINGERPRINT];
	bool done = true;

	for (int i = 0; i < o->l->tls_client_fingerprint_count; i++)
		if (!tls_fingerprint_read(o->l->tls_client_fingerprints[i], print)) {
			fault(o, "tls_client_fingerprints",
				"%s: is no SHA-256 fingerprint, 64 hexadecimal digits",
				o->l->tls_client_fingerprints[i]);
			done = false;
		}
	return done;
}

/** One side of the link. */
static void load_side(struct loader *o, enum side side)
{
	const struct link_settings *l = o->l;
	int count = side == SIDE_SP ? l->tls_certificate_count : 1;
	struct tls_context *c = tls_context_new(l, side, count);
	bool done = c != NULL && (side == SIDE_GW || check_fingerprints(o));
	char words[256];

	if (c == NULL) {
		tls_file_words(words, sizeof(words));
		fault(o, side == SIDE_SP ? "tls_certificate" : "upstream_tls", "%s", words);
	}
	for (int i = 0; c != NULL && i < count; i++) {
		const char *file = side == SIDE_SP ? l->tls_certificate[i] :
			l->upstream_tls_certificate;
		const char *key = side == SIDE_GW ? l->upstream_tls_key :
			i < l->tls_key_count ? l->tls_key[i] : NULL;

		if (file != NULL && !load_pair(o, c->ctx[i], side, file, key))
			done = false;
		/* The context of the name that was asked for verifies the peer: each has it all. */
		if ((i == 0 || done) && !load_trust(o, c->ctx[i], side))
			done = false;
	}
	if (done) {
		o->set->of[o->link][side] = c;
		return;
	}
	tls_context_free(c);
}

struct tls_set *tls_load(const struct settings *s, enum tls_strict strict, tls_fault_fn *on_fault,
	void *arg)
{
	struct tls_set *set = calloc(1, sizeof(*set));
	struct loader o = { .set = set, .strict = strict, .fault = on_fault, .arg = arg };

	if (set != NULL)
		set->of = calloc((size_t)s->link_count + 1, sizeof(*set->of));
	if (set == NULL || set->of == NULL) {
		tls_set_free(set);
		return NULL;
	}
	set->link_count = s->link_count;
	for (o.link = 0; o.link < s->link_count; o.link++) {
		o.l = &s->links[o.link];
		for (int side = SIDE_SP; side <= SIDE_GW; side++)
			if (tls_wanted(o.l, (enum side)side))
				load_side(&o, (enum side)side);
	}
	if (o.faults == 0 || strict == TLS_LENIENT)
		return set;
	tls_set_free(set);
	return NULL;
}

void tls_set_free(struct tls_set *set)
{
	if (set == NULL)
		return;
	for (int i = 0; set->of != NULL && i < set->link_count; i++) {
		tls_context_free(set->of[i][SIDE_SP]);
		tls_context_free(set->of[i][SIDE_GW]);
	}
	free(set->of);
	free(set->certificates);
	free(set);
}

const struct tls_certificate *tls_set_certificates(const struct tls_set *set, int *ret_count)
{
	*ret_count = set != NULL ? set->certificate_count : 0;
	return set != NULL ? set->certificates : NULL;
}
