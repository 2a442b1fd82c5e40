#include "net/leg_tls.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/tls.h"
#include "net/tls_words.h"
#include "smscope/proto.h"

/*
 * Edges come once. So reading goes on until the socket has no more (`dry`), until the buffer is
 * full, or until others must have their turn; in the last two cases `unread` says that there is more.
 * SSL_read may have to wait until the socket takes octets and SSL_write until it has some: then the
 * other edge counts, see leg_tls_edge().
 */
enum {
	RECORD_OCTETS = 16 * 1024, /* of a record at most; one SSL_write makes one record */
	LOOK_READS = 64,           /* records read in one look */
	DROP_LOOKS = 4,
	DROP_OCTETS = 4096,
	HEAD_OCTETS = 512,         /* looked at to find out what a peer without TLS speaks */
	/* Messages that a peer may send unasked after the handshake: KeyUpdate, a wish to renegotiate. */
	UNASKED_MAX = 16,
	UNASKED_MS = 10000,
};

struct leg_tls {
	SSL *ssl;
	bool server;
	bool shaken;            /* the handshake is complete */
	bool looked;            /* what the peer speaks is known to be TLS, or left to OpenSSL */
	bool fin;               /* the kernel has seen the peer's FIN */
	bool dry;               /* no octet in the socket until an edge says so */
	bool over;              /* nothing more can be read */
	bool failed;            /* over, for a fault: no further use of `ssl` */
	bool read_needs_write, write_needs_read;
	bool finishing;         /* our close_notify waits for room */
	bool flood;
	uint8_t *in;            /* decrypted, not yet discarded; NULL: nothing */
	size_t in_len, in_cap, in_max;
	unsigned unasked;
	uint64_t unasked_ns;    /* since when they are counted */
	char why[96];
};

static void tls_fail(struct leg *l, const char *why)
{
	struct leg_tls *t = l->tls;

	t->over = t->failed = l->eof = true;
	if (t->why[0] == '\0')
		snprintf(t->why, sizeof(t->why), "%s", why);
	l->why = t->why;
}

/* Called for each message of the protocol, both ways. */
static void on_message(int ours, int version, int type, const void *octets, size_t len, SSL *ssl,
	void *arg)
{
	const uint8_t *p = octets;
	struct leg_tls *t = arg;
	uint64_t now;

	(void)version;
	(void)ssl;
	if (len < 2 || !t->shaken)
		return;
	if (!(type == SSL3_RT_HANDSHAKE && !ours && p[0] == SSL3_MT_KEY_UPDATE) &&
		!(type == SSL3_RT_ALERT && ours && p[1] == SSL_AD_NO_RENEGOTIATION))
		return;
	now = clock_mono_ns();
	if (now - t->unasked_ns >= UNASKED_MS * 1000000ull) {
		t->unasked_ns = now;
		t->unasked = 0;
	}
	if (++t->unasked > UNASKED_MAX)
		t->flood = true;
}

int leg_tls_open(struct leg *l, SSL *ssl, size_t in_max)
{
	struct leg_tls *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		SSL_free(ssl);
		return -ENOMEM;
	}
	t->ssl = ssl;
	t->server = SSL_is_server(ssl) != 0;
	t->in_max = in_max + RECORD_OCTETS;
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, t);
	l->tls = t;
	l->opening = true;
	/* A FIN seen while the leg was plain: its end will be that of TLS. */
	t->fin = l->eof;
	l->eof = false;
	return 0;
}

void leg_tls_close(struct leg *l)
{
	SSL_free(l->tls->ssl);
	OPENSSL_clear_free(l->tls->in, l->tls->in_cap);
	free(l->tls);
	l->tls = NULL;
	l->why = NULL;
	l->opening = false;
	l->owed = 0;
}

void leg_tls_peer(const struct leg *l, struct leg_tls_peer *ret)
{
	SSL *ssl = l->tls->ssl;
	X509 *x = SSL_get0_peer_certificate(ssl);

	snprintf(ret->words, sizeof(ret->words), "%s %s", SSL_get_version(ssl),
		SSL_get_cipher_name(ssl));
	ret->subject[0] = '\0';
	if (x != NULL)
		tls_subject(x, ret->subject, sizeof(ret->subject));
}

/**
 * A peer without TLS: name what it speaks in `why`. 1: look no more, 0: wait for more octets,
 * -ENOTCONN: it left without a word.
 */
static int tls_look(struct leg *l)
{
	struct leg_tls *t = l->tls;
	uint8_t head[HEAD_OCTETS];
	ssize_t n = recv(l->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	struct span in = span_of(head, n > 0 ? (size_t)n : 0);
	const struct proto *proto = NULL;
	const char *name = NULL;
	char upper[16] = "";

	if (n < 0)
		return errno == EAGAIN ? 0 : 1;	/* SSL_do_handshake() will say which */
	if (n == 0)
		return -ENOTCONN;
	if (head[0] == 0x16 || (head[0] & 0x80) != 0)
		return 1;
	if (head[0] == 0) {
		uint32_t len = in.n >= 4 ? bytes_u32(head) : HEAD_OCTETS;

		if (in.n < (len < HEAD_OCTETS ? len : HEAD_OCTETS) && !t->fin)
			return 0;
		proto = proto_detect(span_of(head, len < in.n ? len : in.n));
	} else if (in.n < 4 && !t->fin) {
		return 0;
	} else {
		name = proto_foreign(in);
	}
	if (proto != NULL) {
		for (size_t i = 0; proto->name[i] != '\0' && i + 1 < sizeof(upper); i++)
			upper[i] = (char)toupper((unsigned char)proto->name[i]);
		name = upper;
	}
	if (name != NULL)
		snprintf(t->why, sizeof(t->why), "peer speaks %s on a TLS port", name);
	return 1;
}

int leg_tls_shake(struct leg *l)
{
	struct leg_tls *t = l->tls;
	char why[sizeof(t->why)];
	int n, error;

	if (!l->opening)
		return 1;
	if (t->failed)
		return -EPROTO;
	if (t->server && !t->looked) {
		n = tls_look(l);
		if (n <= 0)
			return n;
		t->looked = true;
	}
	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(t->ssl);
	error = errno;
	if (n == 1) {
		l->opening = false;
		t->shaken = true;
		return 1;
	}
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (error != 0)
			l->error = error;
		tls_fail(l, "connection lost during the handshake");
		return error != 0 ? -error : -EPROTO;
	default:
		tls_words(t->ssl, why, sizeof(why));
		tls_fail(l, why);
		return -EPROTO;
	}
}

short leg_tls_edge(struct leg *l, short what)
{
	struct leg_tls *t = l->tls;
	bool in = (what & (EV_READ | EV_CLOSED)) != 0, out = (what & EV_WRITE) != 0;

	if ((what & EV_CLOSED) != 0)
		t->fin = true;
	if (in && t->write_needs_read) {
		t->write_needs_read = false;
		what |= EV_WRITE;
	}
	if (out && t->read_needs_write) {
		t->read_needs_write = false;
		in = true;
		what |= EV_READ;
	}
	if (in)
		t->dry = false;
	if (out && t->finishing)
		leg_tls_finish(l);
	return what;
}

/** Why SSL_read gave nothing: go on, or is that all for now (`dry`), or for ever (`over`)? */
static bool tls_read_on(struct leg *l, int error)
{
	struct leg_tls *t = l->tls;
	char why[sizeof(t->why)];

	switch (SSL_get_error(t->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		/* Without EAGAIN it was a message of TLS itself, and behind it there may be more. */
		t->dry = error == EAGAIN;
		return !t->dry;
	case SSL_ERROR_WANT_WRITE:
		t->read_needs_write = t->dry = true;
		return false;
	case SSL_ERROR_ZERO_RETURN:
		t->over = l->eof = true;
		return false;
	case SSL_ERROR_SYSCALL:
		l->error = error != 0 ? error : ECONNRESET;
		t->over = l->eof = true;
		return false;
	default:
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			t->over = l->eof = true;
			l->why = "no close_notify";
			return false;
		}
		tls_words(t->ssl, why, sizeof(why));
		tls_fail(l, why);
		return false;
	}
}

/** Read behind the `n` octets at `to`, of which there is room for `max`. Returns how many are there then. */
static size_t tls_fill(struct leg *l, uint8_t *to, size_t n, size_t max)
{
	struct leg_tls *t = l->tls;

	for (int i = 0; i < LOOK_READS && n < max && !t->over && !t->dry; i++) {
		size_t got = 0;
		int error, ok;

		ERR_clear_error();
		errno = 0;
		ok = SSL_read_ex(t->ssl, to + n, max - n, &got);
		error = errno;
		n += got;
		if (t->flood)
			tls_fail(l, "too many KeyUpdate or renegotiation messages");
		else if (ok != 1 && !tls_read_on(l, error))
			break;
	}
	return n;
}

/** The leg keeps the `n` octets at `from`, of which it has the first already. */
static void tls_keep(struct leg *l, const uint8_t *from, size_t n)
{
	struct leg_tls *t = l->tls;
	/* What the buffer moves away from is wiped: a login may be in it. */
	uint8_t *in = n > t->in_cap ? OPENSSL_clear_realloc(t->in, t->in_cap, n) : t->in;

	if (in == NULL) {
		tls_fail(l, "out of memory");
		return;
	}
	if (n > t->in_cap)
		t->in_cap = n;
	memcpy(in + t->in_len, from + t->in_len, n - t->in_len);
	t->in = in;
	t->in_len = n;
}

ssize_t leg_tls_peek(struct leg *l, void *to, size_t cap)
{
	struct leg_tls *t = l->tls;
	size_t max = cap < t->in_max ? cap : t->in_max, n = t->in_len;

	if (l->opening) {
		int err = leg_tls_shake(l);

		if (err <= 0)
			return err == 0 ? -EAGAIN : err;
	}
	if (n > 0)
		memcpy(to, t->in, n);
	n = tls_fill(l, to, n, max);
	if (n > t->in_len)
		tls_keep(l, to, n);
	l->unread = t->in_len + (t->dry || t->over ? 0 : 1);
	if (t->in_len > 0)
		return (ssize_t)t->in_len;
	if (l->error != 0)
		return t->over ? -l->error : -EAGAIN;
	if (t->failed)
		return -EPROTO;
	return t->over ? 0 : -EAGAIN;
}

void leg_tls_forget(struct leg *l, size_t at, size_t n)
{
	struct leg_tls *t = l->tls;

	if (at < t->in_len)
		explicit_bzero(t->in + at, n < t->in_len - at ? n : t->in_len - at);
}

void leg_tls_discard(struct leg *l, size_t n)
{
	struct leg_tls *t = l->tls;
	uint8_t *less;

	if (n > t->in_len)
		n = t->in_len;
	t->in_len -= n;
	if (t->in_len == 0) {
		OPENSSL_free(t->in);
		t->in = NULL;
		t->in_cap = 0;
		return;
	}
	memmove(t->in, t->in + n, t->in_len);
	if (t->in_len >= t->in_cap / 4)
		return;
	less = OPENSSL_realloc(t->in, t->in_len);
	if (less == NULL)
		return;
	t->in = less;
	t->in_cap = t->in_len;
}

ssize_t leg_tls_send(struct leg *l, const void *p, size_t n)
{
	struct leg_tls *t = l->tls;
	size_t sent = 0;

	if (t->failed || l->finished || l->opening)
		return -EPIPE;
	while (sent < n) {
		size_t piece = n - sent < RECORD_OCTETS ? n - sent : RECORD_OCTETS, wrote = 0;
		int error;

		/* A record that is half out: the same octets again, and as many. */
		if (l->owed > 0)
			piece = l->owed;
		if (piece > n - sent)
			return -EPROTO;
		ERR_clear_error();
		errno = 0;
		if (SSL_write_ex(t->ssl, (const uint8_t *)p + sent, piece, &wrote) == 1) {
			sent += wrote;
			l->owed = 0;
			continue;
		}
		error = errno;
		switch (SSL_get_error(t->ssl, 0)) {
		case SSL_ERROR_WANT_READ:
			t->write_needs_read = true;
			l->owed = piece;
			return (ssize_t)sent;
		case SSL_ERROR_WANT_WRITE:
			l->owed = piece;
			return (ssize_t)sent;
		default:
			error = error != 0 && error != EAGAIN ? error : EPIPE;
			if (sent == 0)
				return -error;
			l->error = error;
			return (ssize_t)sent;
		}
	}
	return (ssize_t)sent;
}

void leg_tls_finish(struct leg *l)
{
	struct leg_tls *t = l->tls;
	int n;

	l->finished = true;
	if (!t->failed && !l->opening && l->owed == 0) {
		ERR_clear_error();
		n = SSL_shutdown(t->ssl);
		t->finishing = n < 0 && SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_WRITE;
		if (t->finishing)
			return;
	}
	t->finishing = false;
	shutdown(l->fd, SHUT_WR);
}

bool leg_tls_settled(const struct leg *l)
{
	return !l->tls->finishing;
}

enum leg_drop leg_tls_drop(struct leg *l)
{
	struct leg_tls *t = l->tls;
	uint8_t drop[DROP_OCTETS];
	enum leg_drop rest;

	leg_tls_discard(l, t->in_len);
	for (int i = 0; i < DROP_LOOKS && !l->opening && !t->over && !t->dry; i++)
		(void)tls_fill(l, drop, 0, sizeof(drop));
	if (!l->opening && !t->over)
		return t->dry ? LEG_WAIT : LEG_MORE;
	/* What comes behind the end of TLS must not turn our close into a reset. */
	rest = leg_drop_plain(l);
	return rest == LEG_OVER && t->finishing && !leg_broken(l) ? LEG_WAIT : rest;
}
