#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "net/admit.h"
#include "net/tls.h"

static void dial_report(struct session *s, enum event_kind kind, int error, const char *why,
	uint32_t failures)
{
	struct session_event e = { .kind = (uint8_t)kind, .side = SIDE_GW, .error = error,
		.value = failures };
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

void dial_leave(struct session *s)
{
	if (s->on_server)
		upstreams_leave(s->worker->upstreams, s->link_index, s->server);
	s->on_server = false;
}

void dial_adopt(struct session *s)
{
	int server = upstreams_adopt(s->worker->upstreams, s->link_index, s->shared->server);

	if (server < 0)
		return;	/* the link has it no more */
	s->server = (uint8_t)server;
	s->on_server = true;
}

/** The server being tried did not answer: it is left alone for a while, and the next one tried. */
static void dial_failed(struct session *s, int error, const char *why)
{
	struct upstream_status now;

	s->cause_error = error;
	session_note(s, why);
	if (!dial_lacks(error)) {
		if (upstreams_failed(s->worker->upstreams, s->link_index, s->server, s->dial_ns,
				s->worker->mono_ns, &now))
			log_warn("link %s: upstream %s is down after %u failures: %s", s->link->name,
				s->link->upstream[s->server].text, now.failures,
				why != NULL ? why : strerror(error));
		dial_report(s, now.state == UPSTREAM_DOWN ? EVENT_UPSTREAM_DOWN :
			EVENT_UPSTREAM_FAILED, error, why, now.failures);
	}
	leg_close(&s->leg[SIDE_GW]);
	dial_leave(s);
}

int dial_connect(const struct link_settings *l, const struct upstream_address *to)
{
	const struct endpoint *from = &l->source;
	int fd, err;

	fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	leg_options(fd, l->dead_timeout_ms);
	if (from->addr_len > 0 &&
		bind(fd, (const struct sockaddr *)&from->addr, from->addr_len) < 0)
		goto fail;
	if (connect(fd, (const struct sockaddr *)&to->addr, to->len) < 0 && errno != EINPROGRESS)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

/** Start to connect to the server `s->server`: 0, or -errno. */
static int dial_start(struct session *s, const struct upstream_address *to)
{
	int fd, err;

	s->dialled = false;
	if (to->len == 0)
		return -EHOSTUNREACH;
	fd = dial_connect(s->link, to);
	if (fd < 0)
		return fd;
	err = leg_open(&s->leg[SIDE_GW], s->worker->base, fd, session_on_leg, s);
	if (err < 0) {
		close(fd);
		return err;
	}
	err = session_secure(s, SIDE_GW);
	if (err < 0)
		leg_close(&s->leg[SIDE_GW]);
	return err;
}

/** Words for what the errno does not say. */
static const char *dial_why(int err, const struct upstream_address *to)
{
	if (err == -ENOKEY)
		return "no certificate is loaded";
	return to->len == 0 ? "its name has not been resolved" : NULL;
}

void dial_next(struct session *s)
{
	struct worker *w = s->worker;
	struct upstream_address to;
	int server, err;

	while ((server = upstreams_choose(w->upstreams, s->link_index, s->tried, w->mono_ns,
			&to)) >= 0) {
		s->server = (uint8_t)server;
		s->tried |= (uint16_t)(1u << server);
		s->on_server = true;
		s->dial_ns = w->mono_ns;
		s->shared->server = upstreams_key(&s->link->upstream[server]);
		err = dial_start(s, &to);
		if (err == 0)
			return;
		dial_failed(s, -err, dial_why(err, &to));
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
	if (upstreams_connected(s->worker->upstreams, s->link_index, s->server,
			s->worker->mono_ns))
		dial_report(s, EVENT_UPSTREAM_UP, 0, NULL, 0);
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

/** An event of a link that no session had; false if the ring has no room. */
static bool dial_report_news(struct worker *w, const struct upstream_news *n, enum event_kind kind)
{
	const struct endpoint *server = &w->settings->links[n->link].upstream[n->server];
	struct ring_entry *entry = ring_reserve(w->ring, sizeof(struct session_event), true, w->wall_ns);
	struct session_event e = { .kind = (uint8_t)kind, .side = SIDE_US };
	size_t at;

	if (entry == NULL)
		return false;
	snprintf(e.text, sizeof(e.text) - 2 * SHM_ADDR_TEXT, "%s", server->text);
	at = strlen(e.text) + 1;
	if (kind == EVENT_UPSTREAM_MOVED) {
		address_text(&n->now.addr, n->now.len, e.text + at, SHM_ADDR_TEXT);
		at += strlen(e.text + at) + 1;
		address_text(&n->was.addr, n->was.len, e.text + at, SHM_ADDR_TEXT);
	}
	*entry = (struct ring_entry){ .size = entry->size, .kind = RING_EVENT,
		.link = (uint16_t)w->settings->links[n->link].number, .len = sizeof(e), .wire_len = sizeof(e),
		.mono_ns = w->mono_ns, .wall_ns = w->wall_ns };
	memcpy(ring_octets(entry), &e, sizeof(e));
	ring_publish(w->ring, entry);
	return true;
}

void dial_tell_news(struct worker *w)
{
	struct upstream_news n;

	while (upstreams_news(w->upstreams, &n)) {
		if (n.was.len > 0 && dial_report_news(w, &n, EVENT_UPSTREAM_MOVED))
			n.was.len = 0;
		if (n.was.len == 0 && n.up && dial_report_news(w, &n, EVENT_UPSTREAM_UP))
			n.up = false;
		if (n.was.len == 0 && !n.up)
			continue;
		upstreams_again(w->upstreams, &n); /* the ring is full: the front asks again soon */
		return;
	}
}
