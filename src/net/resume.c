#include "net/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pass.h"
#include "net/admit.h"
#include "net/census.h"
#include "net/edits.h"
#include "net/leg_count.h"
#include "net/tls.h"

/*
 * Where a stream stands, the kernel knows better than the table, which is written after each call:
 *
 *   taken   = what was ever read from the sender's socket
 *   written = what was ever written to the receiver's
 *
 *   unread in the kernel   | sent head ……… | not sent yet
 *                          ^taken          ^taken + (written − taken − what edits added)
 */

/* At first by what the link has, then by what the legs are: its link may have changed in between, at a reload. */
static bool session_plain(const struct session *s, enum side side)
{
	if (side == SIDE_SP)
		return !tls_wanted(s->link, SIDE_SP) && !tls_wanted(s->link, SIDE_GW);
	return s->leg[SIDE_SP].tls == NULL && s->leg[SIDE_GW].tls == NULL;
}

void session_keep(struct session *s, enum side side)
{
	struct pass_note note = { s->shared->id, s->slot, (uint32_t)side };
	int err;

	if (!session_plain(s, side)) {
		s->kept = false; /* an engine before us may have kept the SP's */
		return;
	}
	err = pass_send(s->worker->vault, &note, s->leg[side].fd);
	s->kept = err == 0 && (side == SIDE_SP || s->kept);
	if (err < 0)
		atomic_fetch_add(&s->worker->shm->unkept, 1);
}

bool session_can_yield(const struct session *s)
{
	return s->kept && atomic_load(&s->shared->unkept) == 0 && !s->proxied && s->shared->state < SESSION_CLOSED &&
		!atomic_load(&shm_link(s->worker->shm, s->shared->link)->gone);
}

void session_yield(struct session *s)
{
	struct worker *w = s->worker;

	for (int i = 0; i < 2; i++)
		leg_close(&s->leg[i]); /* the keeper's duplicates keep the connections */
	if (s->queued)
		TAILQ_REMOVE(&w->run, s, run);
	if (s->watched)
		TAILQ_REMOVE(&w->watch, s, watch);
	TAILQ_REMOVE(&w->all, s, all);
	if (s->timer != NULL)
		event_free(s->timer);
	free(s->cause_text);
	free(s->asked);
	s->shared->engine = 0; /* of nobody who lives */
	free(s);
	atomic_fetch_sub(&w->session_count, 1);
}

void session_note_bases(struct session *s)
{
	struct leg_count c;

	for (int i = 0; i < 2; i++) {
		if (leg_count(s->leg[i].fd, false, &c) < 0)
			continue;
		s->shared->got_base[i] = c.got;
		s->shared->put_base[i] = c.put;
	}
}

/* The edit that was under way, or the last one: which side of it are we on? */
static void resume_edit(struct flow *f, uint64_t written)
{
	const struct shm_edit *e = &f->at->edits[atomic_load(&f->at->edit_now) & 1];

	if (e->out_len == 0)
		return;
	f->shift = (int64_t)(e->out_at - e->at);
	if (f->at->taken_at >= e->at + e->in_len) {
		f->shift += (int64_t)e->out_len - (int64_t)e->in_len;
		return;
	}
	f->edit = *e;
	if (written > e->out_at)
		f->edit_sent = (uint32_t)(written - e->out_at);
	if (f->edit_sent > e->out_len)
		f->edit_sent = e->out_len;
}

/* A PDU that was being parsed when an engine died of a fault, for the second time: no more parsing. */
static void resume_hand(struct flow *f)
{
	struct shm_flow *at = f->at;
	uint64_t hand = at->hand_at;

	at->hand_at = 0;
	if (hand == 0 || atomic_load(&f->session->worker->shm->suspect) == 0)
		return;
	if (at->hand_died_at == hand && !at->blind)
		flow_go_blind(f, END_ENGINE, 0, NULL);
	at->hand_died_at = hand;
}

static void resume_flow(struct flow *f, const struct leg_count *in, const struct leg_count *out)
{
	const struct shm_session *s = f->session->shared;
	uint64_t written = out->put - s->put_base[side_other(f->from)], sent;
	uint64_t taken = in->got - s->got_base[f->from];
	int64_t ahead;

	/* Did a FIN come before the reset? The table knows: but for an instant it is exact, and then a PDU behind. */
	if (!in->over || taken - f->at->taken_at + 1 > 2)
		f->at->taken_at = taken;
	resume_edit(f, written);
	sent = f->edit.out_len > 0 && written > f->edit.out_at ? f->edit.at
							       : written - (uint64_t)f->shift;
	ahead = (int64_t)(sent - f->at->taken_at);
	if (ahead < 0 || (uint64_t)ahead > in->unread) {
		/* Of a broken connection the counts are not the stream's: nothing more will go out. */
		if (f->in->error == 0 && f->out->error == 0)
			log_error("session=%llu counts do not fit: taken=%llu unread=%llu written=%llu",
				(unsigned long long)s->id, (unsigned long long)f->at->taken_at,
				(unsigned long long)in->unread, (unsigned long long)written);
		ahead = ahead < 0 ? 0 : (int64_t)in->unread;
	}
	f->at->sent_at = f->at->taken_at + (uint64_t)ahead;
	f->behind = ahead > 0;
	/* What has begun goes on as it began. */
	f->clear_until = f->edit.out_len > 0 ? f->edit.at : f->at->sent_at;
	f->done = out->fin_out;
	f->hold = hold_of(f->in, f->session->worker->settings->hold_max);
	resume_hand(f);
	f->at->blind |= f->session->worker->settings->blind;
}

static bool resume_flows(struct session *s)
{
	struct leg_count count[2];

	for (int i = 0; i < 2; i++) {
		s->leg[i].error = s->shared->error[i];
		if (leg_count(s->leg[i].fd, leg_broken(&s->leg[i]), &count[i]) < 0)
			return false;
		s->shared->error[i] = s->leg[i].error;
		(void)leg_ended(&s->leg[i]);
		s->leg[i].finished = count[i].fin_out;
	}
	for (int i = 0; i < 2; i++)
		resume_flow(&s->flow[i], &count[i], &count[side_other((enum side)i)]);
	return true;
}

/* One of the directions, or both, had ended: who did that first says the verdict. */
static void resume_ends(struct session *s)
{
	for (int i = 0; i < 2; i++)
		if (s->flow[i].done && !s->flow[side_other((enum side)i)].done)
			session_cause(s, (unsigned)i, END_FIN, 0, NULL);
	if (s->flow[SIDE_SP].done || s->flow[SIDE_GW].done)
		session_flow_done(s);
}

/* The counts that the front keeps of sessions know nothing of this one yet. */
static void resume_census(struct session *s)
{
	struct worker *w = s->worker;

	census_adopt(w->census, s->link_index, session_peer(s));
	if (s->link->max_per_account > 0 && s->shared->account_len > 0) {
		census_adopt_account(w->census, s->link_index,
			span_of(s->shared->account, s->shared->account_len));
		s->account_counted = true;
	}
	atomic_fetch_add(&w->session_count, 1);
}

static struct session *resume_make(struct worker *w, uint32_t slot)
{
	struct session *s = calloc(1, sizeof(*s));
	struct shm_session *shared = shm_session(w->shm, slot);

	if (s == NULL)
		return NULL;
	s->worker = w;
	s->slot = slot;
	s->shared = shared;
	s->link_index = settings_link(w->settings, shared->link);
	s->link = &w->settings->links[s->link_index];
	s->proto = proto_by_letter((char)shared->proto);
	s->guarded = session_guarded(s->link);
	s->kept = true;
	for (int i = 0; i < 2; i++) {
		flow_init(&s->flow[i], s, (enum side)i);
		s->leg[i].fd = -1;
	}
	for (int i = 0; i < 2; i++) {
		int fd = shared->fd[i];

		shared->fd[i] = 0;
		if (fd > 0 && leg_open(&s->leg[i], w->base, fd, session_on_leg, s) < 0)
			close(fd);
	}
	return s;
}

/* It goes on where its state was; false: it cannot. */
static bool resume_state(struct session *s)
{
	enum session_state state = (enum session_state)s->shared->state;

	switch (state) {
	case SESSION_DIALING:
		leg_close(&s->leg[SIDE_GW]); /* the login is still unread: dial again */
		s->shared->gw_addr[0] = '\0';
		/* fall through */
	case SESSION_ACCEPTED:
		if (s->leg[SIDE_SP].fd < 0)
			return false;
		s->shared->state = SESSION_FREE;
		session_enter(s, SESSION_ACCEPTED);
		if (s->link->dial == DIAL_ACCEPT) {
			session_enter(s, SESSION_DIALING);
			dial_next(s);
		}
		return true;
	case SESSION_RELAYING:
		if (s->leg[SIDE_SP].fd < 0 || s->leg[SIDE_GW].fd < 0 || s->proto == NULL ||
			!resume_flows(s))
			return false;
		dial_adopt(s);
		if (!s->shared->login_seen)
			session_arm(s, s->link->login_timeout_ms);
		worker_watch(s->worker, s);
		worker_queue(s->worker, s);
		resume_ends(s);
		return true;
	case SESSION_DRAINING:
		dial_adopt(s);
		session_arm(s, s->link->linger_timeout_ms);
		for (int i = 0; i < 2; i++)
			leg_finish(&s->leg[i]);
		worker_queue(s->worker, s);
		return true;
	default:
		return false;
	}
}

/* One that cannot go on: its end is told, unless it was, or nobody knows that it began. */
static void resume_over(struct session *s)
{
	struct session_event e = { .kind = EVENT_CLOSE, .side = SIDE_US, .how = END_ENGINE };

	if (s->shared->state < SESSION_DRAINING && session_peer(s)->ss_family != AF_UNSPEC) {
		for (int i = 0; i < 2; i++)
			e.octets[i] = s->shared->flow[i].sent_at;
		session_report(s, &e, 0);
	}
	for (int i = 0; i < 2; i++)
		leg_close(&s->leg[i]);
	s->shared->id = 0;
	s->shared->state = SESSION_FREE;
	free(s);
}

/* Its link is in the configuration no more, and the engine that had kept it is dead. */
static void resume_gone(struct worker *w, uint32_t slot)
{
	struct shm_session *shared = shm_session(w->shm, slot);
	struct session s = { .worker = w, .slot = slot, .shared = shared };
	struct session_event e = { .kind = EVENT_CLOSE, .side = SIDE_US, .how = END_ENGINE,
		.octets = { shared->flow[SIDE_SP].sent_at, shared->flow[SIDE_GW].sent_at } };

	if (shared->state < SESSION_DRAINING && session_peer(&s)->ss_family != AF_UNSPEC)
		session_report(&s, &e, 0);
	for (int i = 0; i < 2; i++)
		if (shared->fd[i] > 0)
			close(shared->fd[i]);
	shared->id = 0;
}

bool session_resume(struct worker *w, uint32_t slot)
{
	struct shm_session *shared = shm_session(w->shm, slot);
	struct session *s;

	shared->engine = w->engine;
	if (shared->id != 0 && settings_link(w->settings, shared->link) < 0)
		resume_gone(w, slot);
	if (shared->id == 0) {
		shared->state = SESSION_FREE;
		return false;
	}
	s = resume_make(w, slot);
	if (s == NULL)
		return false;
	resume_census(s);
	TAILQ_INSERT_TAIL(&w->all, s, all);
	if (resume_state(s))
		return true;
	TAILQ_REMOVE(&w->all, s, all);
	census_leave(w->census, s->link_index, session_peer(s));
	admit_leave(s);
	dial_leave(s);
	atomic_fetch_sub(&w->session_count, 1);
	resume_over(s);
	return false;
}
