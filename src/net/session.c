#include "net/edits.h"
#include "net/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/admit.h"
#include "net/census.h"
#include "net/resume.h"
#include "net/tls.h"

/* Octets of a refusal at most; the least header of any protocol, while it is not known which one. */
enum { REFUSAL_OCTETS = 256, LEAST_HEADER = 12 };

static const uint8_t may_follow[] = {
	[SESSION_FREE] = 1u << SESSION_ACCEPTED,
	[SESSION_ACCEPTED] = 1u << SESSION_DIALING | 1u << SESSION_DRAINING | 1u << SESSION_CLOSED,
	[SESSION_DIALING] = 1u << SESSION_RELAYING | 1u << SESSION_DRAINING | 1u << SESSION_CLOSED,
	[SESSION_RELAYING] = 1u << SESSION_DRAINING | 1u << SESSION_CLOSED,
	[SESSION_DRAINING] = 1u << SESSION_CLOSED,
	[SESSION_CLOSED] = 0,
};

static void session_on_timer(evutil_socket_t fd, short what, void *arg);

void session_arm(struct session *s, uint32_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (s->timer == NULL)
		s->timer = evtimer_new(s->worker->base, session_on_timer, s);
	if (s->timer != NULL)
		evtimer_add(s->timer, &tv);
	else
		log_error("session=%llu no memory for its timer", (unsigned long long)s->shared->id);
}

static void session_disarm(struct session *s)
{
	if (s->timer != NULL)
		evtimer_del(s->timer);
	/* No timer runs while a session relays, which may be for weeks. */
	if (s->timer != NULL && s->shared->state == SESSION_RELAYING) {
		event_free(s->timer);
		s->timer = NULL;
	}
}

void session_enter(struct session *s, enum session_state state)
{
	assert((may_follow[s->shared->state] >> state & 1u) != 0);
	log_debug("session=%llu state %d -> %d", (unsigned long long)s->shared->id,
		s->shared->state, state);
	s->shared->state = (uint8_t)state;
	session_disarm(s);
	switch (state) {
	case SESSION_ACCEPTED:
		session_arm(s, s->link->login_timeout_ms);
		break;
	case SESSION_DIALING:
		session_arm(s, s->link->connect_timeout_ms);
		break;
	case SESSION_RELAYING:
		if (!s->shared->login_seen)
			session_arm(s, s->link->login_timeout_ms);
		break;
	case SESSION_DRAINING:
		session_arm(s, s->link->linger_timeout_ms);
		break;
	case SESSION_CLOSED:
	case SESSION_FREE:
		break;
	}
}

struct ring_entry *session_entry(struct session *s, enum ring_kind kind, uint32_t len,
	uint64_t offset, int flags)
{
	struct worker *w = s->worker;
	struct ring_entry *e = ring_reserve(w->ring, len, kind == RING_EVENT, w->wall_ns);

	if (e == NULL)
		return NULL;
	if (s->shared->logged_in)
		flags |= RING_LOGGED_IN;
	*e = (struct ring_entry){ .size = e->size, .kind = (uint8_t)kind, .flags = (uint8_t)flags,
		.link = s->shared->link, .slot = s->slot, .len = len, .wire_len = len,
		.proto = s->shared->proto, .dialect = s->shared->dialect,
		.session = s->shared->id, .mono_ns = w->mono_ns, .wall_ns = w->wall_ns,
		.offset = offset };
	return e;
}

void session_report(struct session *s, const struct session_event *e, uint64_t offset)
{
	struct ring_entry *entry = session_entry(s, RING_EVENT, sizeof(*e), offset,
		e->side == SIDE_GW ? RING_GW : 0);
	struct session_event *copy;

	if (entry == NULL)
		return;
	copy = (struct session_event *)(void *)ring_octets(entry);
	*copy = *e;
	copy->state = s->shared->state;
	ring_publish(s->worker->ring, entry);
}

void session_cause(struct session *s, unsigned side, enum end_how how, int error, const char *text)
{
	if (s->cause_how != END_NONE)
		return;
	s->cause_side = (uint8_t)side;
	s->cause_how = (uint8_t)how;
	s->cause_error = error;
	session_note(s, text);
}

void session_note(struct session *s, const char *text)
{
	if (text == s->cause_text)
		return;
	free(s->cause_text);
	s->cause_text = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

void session_set_account(struct session *s, struct span account)
{
	if (s->account_counted)
		return; /* it was, when this was admitted, and is given back under that name */
	s->shared->account_len = (uint8_t)(account.n < sizeof(s->shared->account) ? account.n : sizeof(s->shared->account));
	memcpy(s->shared->account, account.p, s->shared->account_len);
}

const struct sockaddr_storage *session_peer(const struct session *s)
{
	return (const struct sockaddr_storage *)(const void *)&s->shared->peer;
}

void session_set_peer(struct session *s, const struct sockaddr_storage *peer)
{
	memset(&s->shared->peer, 0, sizeof(s->shared->peer));
	memcpy(&s->shared->peer, peer, peer->ss_family == AF_INET ? sizeof(struct sockaddr_in)
							   : sizeof(struct sockaddr_in6));
}

void session_redial(struct session *s)
{
	session_arm(s, s->link->connect_timeout_ms);
	dial_next(s);
}

static void session_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	worker_tick(s->worker);
	switch ((enum session_state)s->shared->state) {
	case SESSION_DIALING:
		if (s->leg[SIDE_GW].fd >= 0)
			dial_timeout(s);
		else
			session_drain(s);
		break;
	case SESSION_ACCEPTED:
		session_cause(s, SIDE_US, s->leg[SIDE_SP].opening ? END_HANDSHAKE_TIMEOUT :
			END_LOGIN_TIMEOUT, 0, NULL);
		session_tls_over(s, TLS_TIMEOUT);
		if (s->proxied)
			admit_turn_away(s, END_LOGIN_TIMEOUT);
		else
			session_drain(s);
		break;
	case SESSION_RELAYING:
		if (s->flow[SIDE_SP].done || s->flow[SIDE_GW].done)
			session_cause(s, SIDE_US, END_HALF_CLOSE, 0, NULL);
		else if (!s->shared->login_seen)
			session_cause(s, SIDE_US, END_LOGIN_TIMEOUT, 0, NULL);
		else if (!s->ending)
			break;
		session_drain(s);
		break;
	case SESSION_DRAINING:
		session_close(s);
		break;
	case SESSION_CLOSED:
	case SESSION_FREE:
		break;
	}
}

bool session_guarded(const struct link_settings *l)
{
	return l->account_count > 0 || l->max_per_account > 0 || l->logins_per_minute > 0;
}

/** A fresh session on its slot of the table. */
static void session_init(struct session *s, struct worker *w, const struct worker_message *m)
{
	const struct link_settings *l = s->link = &w->settings->links[m->link];

	s->worker = w;
	s->link_index = m->link;
	s->proto = l->proto;
	s->proxied = m->proxied;
	s->shaking = tls_wanted(l, SIDE_SP);
	s->guarded = session_guarded(l);
	s->leg[SIDE_GW].fd = -1;
	s->slot = w->free_slots[--w->free_count];
	s->shared = shm_session(w->shm, s->slot);
	*s->shared = (struct shm_session){ .link = (uint16_t)l->number,
		.id = atomic_fetch_add(&w->shm->next_session, 1) + 1,
		.engine = w->engine,
		.proto = s->proto != NULL ? (uint8_t)s->proto->name[0] : 0,
		.dialect = s->proto != NULL ? s->proto->dialect_default : 0,
		.opened_wall_ns = w->wall_ns, .opened_mono_ns = w->mono_ns };
	session_set_peer(s, &m->peer);
	if (m->proxied)
		s->shared->peer.sin6_family = AF_UNSPEC;
	leg_address_text(&m->peer, m->peer_len, s->shared->sp_addr, sizeof(s->shared->sp_addr));
	flow_init(&s->flow[SIDE_SP], s, SIDE_SP);
	flow_init(&s->flow[SIDE_GW], s, SIDE_GW);
}

/** Whose session it is is known: what follows, on the wire too, is the SP's own. */
static void session_admitted(struct session *s)
{
	struct session_event e = { .kind = EVENT_OPEN, .side = SIDE_SP };

	memcpy(e.text, s->shared->sp_addr, sizeof(s->shared->sp_addr));
	session_report(s, &e, 0);
	session_keep(s, SIDE_SP);
	if (!session_tls_open(s) || s->leg[SIDE_SP].opening)
		return;	/* nothing is dialled for whom this keeps out */
	if (s->link->dial == DIAL_ACCEPT) {
		session_enter(s, SESSION_DIALING);
		dial_next(s);
	}
}

void session_open(struct worker *w, const struct worker_message *m)
{
	struct session *s = w->free_count > 0 ? calloc(1, sizeof(*s)) : NULL;
	struct sockaddr_storage counted = m->peer;

	if (s == NULL || leg_open(&s->leg[SIDE_SP], w->base, m->fd, session_on_leg, s) < 0) {
		log_error("link %s: session refused: no memory",
			w->settings->links[m->link].name);
		if (m->proxied)
			counted.ss_family = AF_UNSPEC;
		census_leave(w->census, m->link, &counted);
		tls_end(w->tls, m->link, TLS_FAILED);
		atomic_fetch_sub(&w->session_count, 1);
		atomic_fetch_add(&w->room, 1);
		close(m->fd);
		free(s);
		return;
	}
	leg_options(m->fd, w->settings->links[m->link].dead_timeout_ms);
	session_init(s, w, m);
	TAILQ_INSERT_TAIL(&w->all, s, all);
	session_enter(s, SESSION_ACCEPTED);
	if (!s->proxied)
		session_admitted(s);
}

/** The verdict, once: when the relay ends, not when the last peer has hung up. */
static void session_over(struct session *s)
{
	struct session_event e = { .kind = EVENT_CLOSE, .side = s->cause_side, .how = s->cause_how,
		.error = s->cause_error,
		.octets = { s->flow[SIDE_SP].at->sent_at, s->flow[SIDE_GW].at->sent_at } };

	if (s->shared->state >= SESSION_DRAINING || s->proxied)
		return;
	snprintf(e.text, sizeof(e.text), "%s", s->cause_text != NULL ? s->cause_text : "");
	session_report(s, &e, 0);
}

void session_close(struct session *s)
{
	struct worker *w = s->worker;

	if (s->shared->state == SESSION_CLOSED)
		return;
	session_over(s);
	session_tls_over(s, TLS_FAILED);
	flow_edit_drop(&s->flow[SIDE_SP]);
	flow_edit_drop(&s->flow[SIDE_GW]);
	leg_close(&s->leg[SIDE_SP]);
	leg_close(&s->leg[SIDE_GW]);
	session_enter(s, SESSION_CLOSED);
	census_leave(w->census, s->link_index, session_peer(s));
	admit_leave(s);
	dial_leave(s);
	if (s->queued)
		TAILQ_REMOVE(&w->run, s, run);
	if (s->watched)
		TAILQ_REMOVE(&w->watch, s, watch);
	if (s->waits)
		TAILQ_REMOVE(&w->shake, s, shake);
	TAILQ_REMOVE(&w->all, s, all);
	TAILQ_INSERT_TAIL(&w->dead, s, all);	/* freed at the end of the turn: its callbacks may be on the stack */
}

void session_free(struct session *s)
{
	struct worker *w = s->worker;

	s->shared->state = SESSION_FREE;
	atomic_thread_fence(memory_order_release); /* with the id, the slot may be another engine's */
	s->shared->id = 0;
	w->free_slots[w->free_count++] = s->slot;
	atomic_fetch_add(&w->room, 1);
	atomic_fetch_sub(&w->session_count, 1);
	if (s->timer != NULL)
		event_free(s->timer);
	free(s->cause_text);
	free(s->asked);
	free(s);
}

static void session_step_draining(struct session *s)
{
	for (int i = 0; i < 2; i++) {
		switch (leg_drop(&s->leg[i])) {
		case LEG_OVER:
			leg_close(&s->leg[i]);
			break;
		case LEG_MORE:
			worker_queue(s->worker, s);
			break;
		case LEG_WAIT:
			break;
		}
	}
	if (s->leg[SIDE_SP].fd < 0 && s->leg[SIDE_GW].fd < 0)
		session_close(s);
}

void session_drain(struct session *s)
{
	if (s->shared->state >= SESSION_DRAINING)
		return;
	if (s->shared->state == SESSION_DIALING)
		leg_close(&s->leg[SIDE_GW]);
	session_over(s);
	session_tls_over(s, TLS_FAILED);
	session_enter(s, SESSION_DRAINING);
	for (int i = 0; i < 2; i++) {
		if (s->leg[i].fd >= 0 && s->leg[i].error != 0)
			leg_close(&s->leg[i]);
		else
			leg_finish(&s->leg[i]);
	}
	session_step_draining(s);
}

void session_flow_done(struct session *s)
{
	if (s->flow[SIDE_SP].done && s->flow[SIDE_GW].done &&
		leg_settled(&s->leg[SIDE_SP]) && leg_settled(&s->leg[SIDE_GW]))
		session_close(s);
	else if (s->flow[SIDE_SP].done && s->flow[SIDE_GW].done)
		session_drain(s);
	else if (!s->ending)
		session_arm(s, s->link->half_close_timeout_ms);
}

void session_end(struct session *s)
{
	s->ending = true;
	if (s->shared->state == SESSION_RELAYING) {
		session_arm(s, s->link->linger_timeout_ms);
		session_step(s);
	} else {
		session_drain(s);
	}
}

void session_step(struct session *s)
{
	if (s->shared->state == SESSION_DRAINING) {
		session_step_draining(s);
		return;
	}
	for (int i = 0; i < 2 && s->shared->state == SESSION_RELAYING; i++) {
		struct flow *f = &s->flow[i];

		if (!f->done && f->ready && (f->dead || !f->blocked))
			flow_step(f);
	}
	if (s->ending && flow_even(&s->flow[SIDE_SP]) && flow_even(&s->flow[SIDE_GW]))
		session_drain(s);
}

/** The PDU that a flow may hold back must fit the receive window: a quarter of the buffer's memory surely does. */
uint32_t hold_of(const struct leg *in, uint32_t hold_max)
{
	int octets = 0;
	socklen_t len = sizeof(octets);

	if (getsockopt(in->fd, SOL_SOCKET, SO_RCVBUF, &octets, &len) < 0 ||
		(uint32_t)octets / 4 > hold_max)
		return hold_max;
	return (uint32_t)octets / 4;
}

void session_connected(struct session *s)
{
	struct sockaddr_storage gw;
	socklen_t len = sizeof(gw);

	if (getpeername(s->leg[SIDE_GW].fd, (struct sockaddr *)&gw, &len) == 0)
		leg_address_text(&gw, len, s->shared->gw_addr, sizeof(s->shared->gw_addr));
	session_note_bases(s);
	if (s->worker->settings->blind) {
		s->shared->login_seen = 1;
		s->shared->flow[SIDE_SP].blind = s->shared->flow[SIDE_GW].blind = 1;
	}
	session_enter(s, SESSION_RELAYING);
	session_keep(s, SIDE_GW); /* from the first relayed octet on */
	/* An end that came while nobody relayed brings no further edge: the flow must know of it. */
	(void)leg_broken(&s->leg[SIDE_SP]);
	(void)leg_ended(&s->leg[SIDE_SP]);
	for (int i = 0; i < 2; i++)
		s->flow[i].hold = hold_of(s->flow[i].in, s->worker->settings->hold_max);
	worker_watch(s->worker, s);
	session_step(s);
}

void session_refuse(struct session *s, enum refusal why)
{
	struct worker *w = s->worker;
	uint8_t answer[REFUSAL_OCTETS];
	ssize_t n = leg_peek(&s->leg[SIDE_SP], w->scratch, w->scratch_len);
	int64_t len = 0;
	int answer_len = 0;

	if (s->proto != NULL && n > 0)
		len = proto_frame(span_of(w->scratch, (size_t)n), s->proto->header_len,
			s->link->max_pdu);
	if (len == 0 && (n > 0 || n == -EAGAIN) && !s->leg[SIDE_SP].eof) {
		session_arm(s, s->link->login_timeout_ms);	/* dialled on accept: the login is still to come */
		return;
	}
	if (len > 0)
		answer_len = s->proto->refuse(span_of(w->scratch, (size_t)len), (int)why, answer,
			sizeof(answer));
	if (answer_len > 0) {
		flow_copy(&s->flow[SIDE_SP], w->scratch, (uint32_t)len, (uint32_t)len, 0, 0);
		flow_copy(&s->flow[SIDE_GW], answer, (uint32_t)answer_len, (uint32_t)answer_len, 0,
			RING_OURS);
		leg_forget(&s->leg[SIDE_SP], 0, (size_t)len);
		leg_discard(&s->leg[SIDE_SP], (size_t)len);
		explicit_bzero(w->scratch, (size_t)len);
		(void)leg_send(&s->leg[SIDE_SP], answer, (size_t)answer_len);
	}
	session_drain(s);
}

/** The SP's first PDU is a login: the gateway is dialled, or it is refused. */
static void session_login(struct session *s, const struct pdu *login)
{
	enum end_how how = admit_login(s, login);

	s->shared->login_seen = true;
	if (how == END_NONE) {
		session_enter(s, SESSION_DIALING);
		dial_next(s);
		return;
	}
	session_cause(s, SIDE_US, how, 0, NULL);
	session_refuse(s, how == END_ACCOUNT ? REFUSE_DENIED : REFUSE_LIMIT);
}

/** Is the SP's first PDU here, whole, and a login? Until then nothing is dialled. */
static void session_greet(struct session *s)
{
	struct worker *w = s->worker;
	struct leg *sp = &s->leg[SIDE_SP];
	ssize_t n = leg_peek(sp, w->scratch, w->scratch_len);
	struct span in = span_of(w->scratch, n > 0 ? (size_t)n : 0);
	uint32_t least = s->proto != NULL ? s->proto->header_len : LEAST_HEADER;
	int64_t len = proto_frame(in, least, s->link->max_pdu);
	const char *foreign;
	struct pdu pdu;

	if (n == -EAGAIN)
		return;
	if (n <= 0 || (len == 0 && (sp->eof || leg_broken(sp)))) {
		session_cause(s, SIDE_SP, sp->error != 0 ? END_RESET :
			n == -EPROTO ? END_TLS : END_FIN, sp->error, sp->why);
	} else if (len < 0) {
		foreign = proto_foreign(in);
		session_cause(s, SIDE_SP, foreign != NULL ? END_FOREIGN : END_BAD_LENGTH, 0,
			foreign);
	} else if (len == 0) {
		return;
	} else {
		if (s->proto == NULL)
			s->proto = proto_detect(span_of(in.p, (size_t)len));
		if (s->proto != NULL) {
			s->shared->proto = (uint8_t)s->proto->name[0];
			s->shared->dialect = s->proto->dialect_of(span_of(in.p, (size_t)len),
				s->proto->dialect_default);
			(void)pdu_parse(&pdu, s->proto, s->shared->dialect,
				span_of(in.p, (size_t)len));
		}
		if (s->proto != NULL && pdu_role(&pdu) == R_LOGIN) {
			session_login(s, &pdu);
			explicit_bzero(w->scratch, (size_t)len); /* until it is relayed */
			return;
		}
		session_cause(s, SIDE_SP, END_NOT_LOGIN, 0,
			s->proto != NULL ? pdu_name(&pdu) : NULL);
	}
	session_drain(s);
}

void session_shake(struct session *s)
{
	if (s->shared->state == SESSION_ACCEPTED && session_tls_shake(s))
		session_greet(s);
}

void session_on_leg(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	enum side side = fd == s->leg[SIDE_SP].fd ? SIDE_SP : SIDE_GW;

	worker_tick(s->worker);
	what = leg_edge(&s->leg[side], what);
	switch ((enum session_state)s->shared->state) {
	case SESSION_ACCEPTED:
		if (s->proxied) {
			if (!admit_header(s))
				break;
			session_admitted(s);
		}
		if (s->shared->state == SESSION_ACCEPTED && s->leg[SIDE_SP].opening)
			worker_queue_shake(s->worker, s);
		else if (s->shared->state == SESSION_ACCEPTED)
			session_greet(s);
		break;
	case SESSION_DIALING:
		if (side == SIDE_GW) {
			dial_event(s);
		} else if (leg_broken(&s->leg[SIDE_SP])) {
			session_cause(s, SIDE_SP, END_RESET, s->leg[SIDE_SP].error, NULL);
			session_drain(s);
		} else if (s->leg[SIDE_GW].fd < 0) {
			session_refuse(s, REFUSE_UPSTREAM);
		}
		break;
	case SESSION_RELAYING:
		worker_watch(s->worker, s);
		if ((what & (EV_READ | EV_CLOSED)) != 0)
			s->flow[side].ready = true;
		if ((what & EV_WRITE) != 0)
			s->flow[side_other(side)].blocked = false;
		session_step(s);
		break;
	case SESSION_DRAINING:
		session_step(s);
		break;
	case SESSION_CLOSED:
	case SESSION_FREE:
		break;
	}
}

void session_watch(struct session *s)
{
	for (int i = 0; i < 2 && s->shared->state == SESSION_RELAYING; i++)
		if (!s->flow[i].done)
			flow_watch(&s->flow[i]);
}
