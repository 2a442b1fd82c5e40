#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/admit.h"
#include "net/tls.h"

static uint64_t *dial_down(struct session *s)
{
	struct worker *w = s->worker;

	return &w->server_down_ns[(size_t)s->link_index * SERVERS_MAX + s->server];
}

static void dial_report(struct session *s, enum event_kind kind, int error, const char *why)
{
	struct session_event e = { .kind = (uint8_t)kind, .side = SIDE_GW, .error = error };
	size_t n;

	snprintf(e.text, sizeof(e.text) / 2, "%s", s->link->upstream[s->server].text);
	n = strlen(e.text) + 1;
	if (why != NULL)
		snprintf(e.text + n, sizeof(e.text) - n, "%s", why);
	session_report(s, &e, 0);
}

/** Did we ourselves lack something? That says nothing about the server. */
static bool dial_lacks(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/** The server being tried did not answer: leave it alone for a while, go on to the next. */
static void dial_failed(struct session *s, int error, const char *why)
{
	s->cause_error = error;
	session_note(s, why);
	if (!dial_lacks(error)) {
		*dial_down(s) = s->worker->mono_ns + s->link->retry_ms * 1000000ull;
		dial_report(s, EVENT_UPSTREAM_DOWN, error, why);
	}
	leg_close(&s->leg[SIDE_GW]);
	s->server++;
}

/** Start to connect to the server `s->server`: 0, or -errno. */
static int dial_start(struct session *s)
{
	const struct endpoint *to = &s->link->upstream[s->server];
	const struct endpoint *from = &s->link->source;
	int fd, err;

	s->dialled = false;
	if (to->addr_len == 0)
		return -EHOSTUNREACH;
	fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	leg_options(fd);
	if (from->addr_len > 0 &&
		bind(fd, (const struct sockaddr *)&from->addr, from->addr_len) < 0)
		goto fail;
	if (connect(fd, (const struct sockaddr *)&to->addr, to->addr_len) < 0 &&
		errno != EINPROGRESS)
		goto fail;
	err = leg_open(&s->leg[SIDE_GW], s->worker->base, fd, session_on_leg, s);
	if (err < 0) {
		close(fd);
		return err;
	}
	err = session_secure(s, SIDE_GW);
	if (err < 0)
		leg_close(&s->leg[SIDE_GW]);
	return err;
fail:
	err = -errno;
	close(fd);
	return err;
}

void dial_next(struct session *s)
{
	while (s->server < s->link->upstream_count) {
		int err;

		if (*dial_down(s) > s->worker->mono_ns) {
			s->server++;
			continue;
		}
		err = dial_start(s);
		if (err == 0)
			return;
		dial_failed(s, -err, err == -ENOKEY ? "no certificate is loaded" : NULL);
	}
	session_cause(s, SIDE_US, END_UPSTREAM, s->cause_error, s->cause_text);
	session_refuse(s, REFUSE_UPSTREAM);
}

/** Connected: go on with the handshake. True when it is complete; a server that fails it does not answer. */
static bool dial_shake(struct session *s)
{
	struct tls_status *status = tls_status(s->worker->tls);
	struct leg *gw = &s->leg[SIDE_GW];
	int err;

	err = leg_shake(gw);
	if (err > 0) {
		tls_status_count(status, s->link_index, SIDE_GW, TLS_OK);
		session_report_tls(s, SIDE_GW);
		return true;
	}
	if (err < 0) {
		tls_status_count(status, s->link_index, SIDE_GW, TLS_FAILED);
		dial_failed(s, err == -EPROTO ? 0 : -err, gw->why);
		session_redial(s);
	}
	return false;
}

void dial_event(struct session *s)
{
	struct leg *gw = &s->leg[SIDE_GW];
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int err;

	if (leg_broken(gw)) {
		dial_failed(s, gw->error, gw->opening && s->dialled ?
			"connection lost during the handshake" : NULL);
		session_redial(s);
		return;
	}
	if (getpeername(gw->fd, (struct sockaddr *)&peer, &len) < 0)
		return;	/* still connecting */
	if (!s->dialled) {
		s->dialled = true;
		err = admit_tell_gateway(s);	/* before any other octet, those of a TLS handshake included */
		if (err < 0) {
			dial_failed(s, -err, NULL);
			session_redial(s);
			return;
		}
		if (gw->opening)
			session_arm(s, s->link->handshake_timeout_ms);
	}
	if (gw->opening && !dial_shake(s))
		return;
	if (*dial_down(s) != 0) {
		*dial_down(s) = 0;
		dial_report(s, EVENT_UPSTREAM_UP, 0, NULL);
	}
	session_connected(s);
}

void dial_timeout(struct session *s)
{
	const struct leg *gw = &s->leg[SIDE_GW];
	bool shaking = gw->opening && s->dialled;

	if (shaking)
		tls_status_count(tls_status(s->worker->tls), s->link_index, SIDE_GW, TLS_TIMEOUT);
	dial_failed(s, ETIMEDOUT, shaking ? "no TLS handshake in time" : NULL);
	session_redial(s);
}
