#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/leg_tls.h"
#include "net/session.h"
#include "net/tls.h"

/* What a session does about the TLS of its legs: begin it, and tell how the handshake went. */

int session_secure(struct session *s, enum side side)
{
	struct worker *w = s->worker;
	struct leg *l = &s->leg[side];
	struct ssl_st *ssl;

	if (!tls_wanted(s->link, side))
		return 0;
	ssl = tls_begin(w->tls, s->link_index, side, s->server, l->fd);
	if (ssl == NULL)
		return -ENOKEY;
	return leg_tls_open(l, ssl, w->settings->hold_max);
}

void session_report_tls(struct session *s, enum side side)
{
	struct session_event e = { .kind = EVENT_TLS, .side = (uint8_t)side };
	struct leg_tls_peer peer;
	size_t n;

	if (s->leg[side].tls == NULL)
		return;
	leg_tls_peer(&s->leg[side], &peer);
	n = (size_t)snprintf(e.text, sizeof(peer.words), "%s", peer.words) + 1;
	snprintf(e.text + n, sizeof(e.text) - n, "%s", peer.subject);
	session_report(s, &e, 0);
}

void session_tls_over(struct session *s, enum tls_result r)
{
	if (!s->shaking)
		return;
	s->shaking = false;
	tls_end(s->worker->tls, s->link_index, r);
}

bool session_tls_open(struct session *s)
{
	if (session_secure(s, SIDE_SP) < 0) {
		session_cause(s, SIDE_US, END_HANDSHAKE, 0, "no certificate is loaded");
		session_drain(s);
		return false;
	}
	if (s->leg[SIDE_SP].opening)
		session_arm(s, s->link->handshake_timeout_ms);
	return true;
}

bool session_tls_shake(struct session *s)
{
	struct leg *sp = &s->leg[SIDE_SP];
	int err;

	if (!sp->opening)
		return true;
	err = leg_shake(sp);
	if (err == 0)
		return false;
	if (err < 0) {
		if (sp->error != 0)
			session_cause(s, SIDE_SP, END_RESET, sp->error, sp->why);
		else
			session_cause(s, SIDE_SP, err == -EPROTO ? END_HANDSHAKE : END_FIN, 0,
				sp->why);
		session_drain(s);
		return false;
	}
	session_tls_over(s, TLS_OK);
	session_report_tls(s, SIDE_SP);
	session_arm(s, s->link->login_timeout_ms);
	if (s->link->dial == DIAL_LOGIN)
		return true;
	session_enter(s, SESSION_DIALING);
	dial_next(s);
	return false;
}
