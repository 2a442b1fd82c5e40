#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/admit.h"

static uint64_t *dial_down(struct session *s)
{
	struct worker *w = s->worker;

	return &w->server_down_ns[(size_t)s->shared->link * SERVERS_MAX + s->server];
}

static void dial_report(struct session *s, enum event_kind kind, int error)
{
	struct session_event e = { .kind = (uint8_t)kind, .side = SIDE_GW, .error = error };

	snprintf(e.text, sizeof(e.text), "%s", s->link->upstream[s->server].text);
	session_report(s, &e, 0);
}

/** Did we ourselves lack something? That says nothing about the server. */
static bool dial_lacks(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/** The server being tried did not answer: leave it alone for a while, go on to the next. */
static void dial_failed(struct session *s, int error)
{
	leg_close(&s->leg[SIDE_GW]);
	s->cause_error = error;
	if (!dial_lacks(error)) {
		*dial_down(s) = s->worker->mono_ns + s->link->retry_ms * 1000000ull;
		dial_report(s, EVENT_UPSTREAM_DOWN, error);
	}
	s->server++;
}

/** Start to connect to the server `s->server`: 0, or -errno. */
static int dial_start(struct session *s)
{
	const struct endpoint *to = &s->link->upstream[s->server];
	const struct endpoint *from = &s->link->source;
	int fd, err;

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
	if (err < 0)
		close(fd);
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
		dial_failed(s, -err);
	}
	session_cause(s, SIDE_US, END_UPSTREAM, s->cause_error, NULL);
	session_refuse(s, REFUSE_UPSTREAM);
}

void dial_event(struct session *s)
{
	struct leg *gw = &s->leg[SIDE_GW];
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int err;

	if (leg_broken(gw)) {
		dial_failed(s, gw->error);
		session_redial(s);
		return;
	}
	if (getpeername(gw->fd, (struct sockaddr *)&peer, &len) < 0)
		return;	/* still connecting */
	err = admit_tell_gateway(s);	/* before any other octet, those of a TLS handshake included */
	if (err < 0) {
		dial_failed(s, -err);
		session_redial(s);
		return;
	}
	if (*dial_down(s) != 0) {
		*dial_down(s) = 0;
		dial_report(s, EVENT_UPSTREAM_UP, 0);
	}
	session_connected(s);
}

void dial_timeout(struct session *s)
{
	dial_failed(s, ETIMEDOUT);
	session_redial(s);
}
