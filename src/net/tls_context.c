#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Where a context of OpenSSL keeps its struct tls_context; the first one owns it. */
static int index_borrowed = -1, index_owned = -1;
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static void on_first_freed(void *parent, void *p, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	struct tls_context *c = p;

	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	if (c == NULL)
		return;
	for (int i = 1; i < c->count; i++)
		SSL_CTX_free(c->ctx[i]);
	free(c);
}

static void make_indexes(void)
{
	index_borrowed = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	index_owned = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_first_freed);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool tls_fingerprint_read(const char *text, uint8_t to[TLS_FINGERPRINT])
{
	uint8_t out[TLS_FINGERPRINT];
	size_t n = 0;

	if (strncasecmp(text, "sha256:", 7) == 0)
		text += 7;
	while (*text != '\0') {
		int high = hex_digit(text[0]), low = high >= 0 ? hex_digit(text[1]) : -1;

		if (low < 0 || n == sizeof(out))
			return false;
		out[n++] = (uint8_t)(high << 4 | low);
		text += 2;
		if (*text == ':' && text[1] != '\0')
			text++;
	}
	if (n != sizeof(out))
		return false;
	memcpy(to, out, sizeof(out));
	return true;
}

bool tls_fingerprint(const X509 *x, uint8_t to[TLS_FINGERPRINT])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (X509_digest(x, EVP_sha256(), md, &n) != 1 || n != TLS_FINGERPRINT)
		return false;
	memcpy(to, md, TLS_FINGERPRINT);
	return true;
}

/* The certificate for the name that the peer asks for; the first one if none is. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_context *c = arg;

	(void)alert;
	for (int i = 0; name != NULL && i < c->count; i++) {
		X509 *x = SSL_CTX_get0_certificate(c->ctx[i]);

		if (x == NULL || X509_check_host(x, name, 0, 0, NULL) != 1)
			continue;
		(void)SSL_set_SSL_CTX(ssl, c->ctx[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* Is the SP's certificate one of those that the link lists? */
static bool listed(const struct tls_context *c, X509 *x)
{
	const struct link_settings *l = c->link;
	unsigned flags = X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
	uint8_t print[TLS_FINGERPRINT];

	for (int i = 0; i < l->tls_client_name_count; i++)
		if (X509_check_host(x, l->tls_client_names[i], 0, flags, NULL) == 1)
			return true;
	if (c->pin_count == 0 || !tls_fingerprint(x, print))
		return false;
	for (int i = 0; i < c->pin_count; i++)
		if (memcmp(print, c->pins[i], sizeof(print)) == 0)
			return true;
	return false;
}

/* What a certificate may lack that is known by its fingerprint: somebody who vouches for it. */
static bool only_unknown(int error)
{
	return error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
		error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
		error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
		error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
		error == X509_V_ERR_CERT_UNTRUSTED;
}

static int on_verify(int ok, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_context *c = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index_borrowed);
	bool leaf = X509_STORE_CTX_get_error_depth(x) == 0;

	if (!ok && (c->link->tls_ca != NULL || !only_unknown(X509_STORE_CTX_get_error(x))))
		return 0;
	if (leaf && c->link->tls_client_name_count + c->pin_count > 0 &&
		!listed(c, X509_STORE_CTX_get_current_cert(x))) {
		X509_STORE_CTX_set_error(x, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	X509_STORE_CTX_set_error(x, X509_V_OK);
	return 1;
}

static void demand_certificates(SSL_CTX *ctx, const struct tls_context *c)
{
	const struct link_settings *l = c->link;

	if (c->side == SIDE_GW)
		SSL_CTX_set_verify(ctx, l->upstream_tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			NULL);
	else if (l->tls_ca != NULL || l->tls_client_fingerprint_count > 0)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			on_verify);
}

/* What all contexts have in common. NULL: OpenSSL's queue of errors says why. */
static SSL_CTX *make_ctx(struct tls_context *c)
{
	SSL_CTX *ctx = SSL_CTX_new(c->side == SIDE_SP ? TLS_server_method() : TLS_client_method());
	int least = c->link->tls_min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (ctx == NULL)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, least) != 1 ||
		SSL_CTX_set_max_proto_version(ctx, 0) != 1 ||
		SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
		SSL_CTX_set_ex_data(ctx, index_borrowed, c) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* Sessions last for weeks: nothing is resumed, so nothing outlives the certificates it began with. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_CLEANSE_PLAINTEXT);	/* a login's password is in it */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		SSL_MODE_RELEASE_BUFFERS);
	/* One call reads one record, so that a flood of messages without content keeps nobody waiting. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	demand_certificates(ctx, c);
	return ctx;
}

struct tls_context *tls_context_new(const struct link_settings *l, enum side side, int count)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	pthread_once(&index_once, make_indexes);
	if (c == NULL)
		return NULL;
	c->link = l;
	c->side = side;
	for (int i = 0; side == SIDE_SP && i < l->tls_client_fingerprint_count; i++)
		if (tls_fingerprint_read(l->tls_client_fingerprints[i], c->pins[c->pin_count]))
			c->pin_count++;
	for (; c->count < count; c->count++) {
		c->ctx[c->count] = make_ctx(c);
		if (c->ctx[c->count] == NULL)
			goto fail;
	}
	if (SSL_CTX_set_ex_data(c->ctx[0], index_owned, c) != 1)
		goto fail;
	if (side == SIDE_SP) {
		SSL_CTX_set_tlsext_servername_callback(c->ctx[0], on_name);
		SSL_CTX_set_tlsext_servername_arg(c->ctx[0], c);
	}
	return c;
fail:
	for (int i = 0; i < c->count; i++)
		SSL_CTX_free(c->ctx[i]);
	free(c);
	return NULL;
}

void tls_context_free(struct tls_context *c)
{
	if (c != NULL)
		SSL_CTX_free(c->ctx[0]);
}
