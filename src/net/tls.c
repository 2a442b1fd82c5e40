#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_context.h"

/* A bucket of handshakes: `rate` more each second, a second's worth at most. Only the front's thread has it. */
struct bucket {
	uint64_t filled_ns;
	double left;
};

struct tls {
	const struct settings *settings;
	struct tls_status status;
	pthread_mutex_t lock; /* of `set` */
	struct tls_set *set;  /* NULL: none is loaded */
	struct bucket *buckets; /* by link */
	_Atomic uint32_t shaking; /* handshakes with SPs under way */
};

bool tls_wanted(const struct link_settings *l, enum side side)
{
	return side == SIDE_SP ? l->tls_certificate_count > 0 : l->upstream_tls;
}

struct tls *tls_new(const struct settings *settings)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->settings = settings;
	pthread_mutex_init(&t->lock, NULL);
	t->buckets = calloc((size_t)settings->link_count + 1, sizeof(*t->buckets));
	if (t->buckets == NULL || tls_status_init(&t->status, settings->link_count) < 0) {
		tls_free(t);
		return NULL;
	}
	return t;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	tls_set_free(t->set);
	tls_status_fini(&t->status);
	pthread_mutex_destroy(&t->lock);
	free(t->buckets);
	free(t);
}

struct tls_status *tls_status(struct tls *t)
{
	return &t->status;
}

int tls_install(struct tls *t, struct tls_set *set)
{
	struct tls_set *before;
	int count, err;
	const struct tls_certificate *c = tls_set_certificates(set, &count);

	err = tls_status_certificates(&t->status, c, count);
	if (err < 0)
		return err;
	pthread_mutex_lock(&t->lock);
	before = t->set;
	t->set = set;
	pthread_mutex_unlock(&t->lock);
	tls_set_free(before);
	return 0;
}

/** Is there a handshake left for this second? */
static bool bucket_take(struct bucket *b, uint32_t rate, uint64_t now_ns)
{
	double more = (double)(now_ns - b->filled_ns) / 1e9 * rate;

	b->left = b->filled_ns == 0 || b->left + more > rate ? rate : b->left + more;
	b->filled_ns = now_ns;
	if (b->left < 1)
		return false;
	b->left -= 1;
	return true;
}

enum end_how tls_admit(struct tls *t, int link, uint64_t now_ns)
{
	const struct link_settings *l = &t->settings->links[link];
	enum end_how how = END_NONE;

	if (!tls_wanted(l, SIDE_SP))
		return END_NONE;
	if (atomic_load(&t->shaking) >= t->settings->max_handshakes)
		how = END_LIMIT_HANDSHAKES;
	else if (!bucket_take(&t->buckets[link], l->handshake_rate, now_ns))
		how = END_LIMIT_RATE;
	if (how != END_NONE)
		tls_status_count(&t->status, link, SIDE_SP, TLS_REFUSED);
	else
		atomic_fetch_add(&t->shaking, 1);
	return how;
}

void tls_end(struct tls *t, int link, enum tls_result r)
{
	if (!tls_wanted(&t->settings->links[link], SIDE_SP))
		return;
	tls_status_count(&t->status, link, SIDE_SP, r);
	atomic_fetch_sub(&t->shaking, 1);
}

/** The host of "HOST:PORT", without brackets. */
static void host_of(const char *text, char *to, size_t cap)
{
	const char *end = strrchr(text, ':');
	size_t n = end != NULL ? (size_t)(end - text) : strlen(text);

	if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	snprintf(to, cap, "%.*s", (int)n, text);
}

/** Who the gateway must prove to be, and what is asked for in the hello. */
static bool name_server(SSL *ssl, const struct link_settings *l, int server)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char host[256];

	if (l->upstream_tls_name != NULL)
		snprintf(host, sizeof(host), "%s", l->upstream_tls_name);
	else
		host_of(l->upstream[server].text, host, sizeof(host));
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
		return true;	/* an address is no name to ask for */
	ERR_clear_error();
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
		SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *tls_begin(struct tls *t, int link, enum side side, int server, int fd)
{
	const struct link_settings *l = &t->settings->links[link];
	struct tls_context *c;
	SSL *ssl = NULL;

	pthread_mutex_lock(&t->lock);
	c = t->set != NULL ? t->set->of[link][side] : NULL;
	if (c != NULL)
		ssl = SSL_new(c->ctx[0]);
	pthread_mutex_unlock(&t->lock);
	if (ssl == NULL)
		return NULL;
	if (SSL_set_fd(ssl, fd) != 1 || (side == SIDE_GW && !name_server(ssl, l, server))) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	if (side == SIDE_SP)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}
