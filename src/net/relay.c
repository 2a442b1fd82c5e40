/*
 * The relay: the kernel is the buffer. One look at a flow is
 *
 *   unread in the kernel   | whole PDU | whole PDU | whole PDU | part |
 *                          ^taken_at        ^sent_at           ^k
 *
 *   peek      everything unread, left unread
 *   look      k octets may go: whole PDUs; while passing or blind, whatever is there
 *   send      from sent_at on; the kernel may stop inside a PDU
 *   ring      copies of the PDUs now sent to their last octet
 *   discard   those PDUs, whole: taken_at moves
 *
 * Nothing is held here: an octet leaves the sender's socket only after the receiver's took it.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "net/admit.h"
#include "net/edits.h"

enum {
	FLOW_TURNS = 8,        /* looks at one flow before the others get theirs */
	CUT_OCTETS = 4 * 1024, /* what the ring gets of a PDU that is passed on as it arrives */
};

void flow_init(struct flow *f, struct session *s, enum side from)
{
	*f = (struct flow){ .session = s, .from = from, .in = &s->leg[from],
		.out = &s->leg[side_other(from)], .at = &s->shared->flow[from],
		.hold = s->worker->settings->hold_max, .ready = true };
}

void flow_copy(struct flow *f, const uint8_t *p, uint32_t len, uint32_t wire_len, uint64_t offset,
	int flags)
{
	struct session *s = f->session;
	struct ring_entry *e = session_entry(s, RING_FRAME, len, offset,
		flags | (f->from == SIDE_GW ? RING_GW : 0));

	if (e == NULL)
		return;
	e->wire_len = wire_len;
	memcpy(ring_octets(e), p, len);
	if (len >= 8 && proto_secret(s->proto, bytes_u32(p + 4)))
		proto_scrub(s->proto, ring_octets(e), len);
	ring_publish(s->worker->ring, e);
}

/**
 * What the worker itself must know of a PDU while the login is not over: did it succeed, in which dialect.
 * True if it carries a secret.
 */
static bool flow_watch_login(struct flow *f, struct span frame)
{
	struct session *s = f->session;
	struct pdu pdu;
	uint32_t code;

	if (!proto_secret(s->proto, bytes_u32(frame.p + 4)))
		return false;
	f->at->hand_at = f->at->taken_at + 1;
	s->shared->dialect = s->proto->dialect_of(frame, s->shared->dialect);
	(void)pdu_parse(&pdu, s->proto, s->shared->dialect, frame);
	if (f->from == SIDE_SP && pdu_role(&pdu) == R_LOGIN) {
		s->shared->login_seen = true;
		session_set_account(s, pdu_text(&pdu, F_SYSTEM_ID));
	} else if (f->from == SIDE_GW && pdu_role(&pdu) == R_LOGIN_ACK && pdu_result(&pdu, &code)) {
		if (code == 0)
			s->shared->logged_in = 1;
		else
			admit_refused(s);
	}
	f->at->hand_at = 0;
	return true;
}

/** Is the PDU at `p`, stream offset `at`, a login of the SP that nobody has admitted? Its first 8 octets are there. */
static bool flow_guards(const struct flow *f, struct span frame, uint64_t at)
{
	const struct session *s = f->session;
	struct pdu pdu;

	if (!s->guarded || f->from != SIDE_SP || at == s->shared->admitted_at ||
		!proto_secret(s->proto, bytes_u32(frame.p + 4)))
		return false;
	(void)pdu_parse(&pdu, s->proto, s->shared->dialect, frame);
	return pdu_role(&pdu) == R_LOGIN;
}

void flow_copy_noted(struct flow *f, const uint8_t *p, uint32_t len, const struct edit_note *note)
{
	struct session *s = f->session;
	struct ring_entry *e;

	if (!s->shared->logged_in)
		(void)flow_watch_login(f, span_of(p, len));
	e = session_entry(s, RING_FRAME, len + (uint32_t)sizeof(*note), f->at->taken_at,
		f->from == SIDE_GW ? RING_GW : 0);
	if (e == NULL)
		return;
	e->len = e->wire_len = len;
	e->note_len = (uint16_t)sizeof(*note);
	memcpy(ring_octets(e), p, len);
	if (proto_secret(s->proto, bytes_u32(p + 4)))
		proto_scrub(s->proto, ring_octets(e), len);
	memcpy(ring_octets(e) + len, note, sizeof(*note));
	ring_publish(s->worker->ring, e);
}

void flow_set_partial(struct flow *f, bool waits)
{
	if (waits == (f->partial_ns != 0))
		return;
	f->partial_ns = waits ? f->session->worker->mono_ns : 0;
	f->stalled = f->squeezed = false;
}

/** The octets of `p` that go out without being framed: while blind, or up to the end of a PDU that is passed on. */
static size_t flow_unframed(const struct flow *f, size_t n)
{
	uint64_t left = f->at->pass_until - f->at->taken_at;

	if (f->edit.out_len > 0)
		return 0; /* a blind engine, too, brings to its end what another has begun */
	if (f->at->blind)
		return n;
	if (f->at->pass_until <= f->at->taken_at)
		return 0;
	return left < n ? (size_t)left : n;
}

bool flow_even(const struct flow *f)
{
	return f->done || f->dead || (f->at->sent_at == f->at->taken_at &&
		f->at->pass_until <= f->at->taken_at && f->out->owed == 0 &&
		(f->edit.out_len == 0 || f->edit_sent == 0));
}

/** Does something else go out in the place of this PDU? Asked once of each: what has begun goes on so. */
static bool flow_stops_to_edit(struct flow *f, struct span frame, uint64_t at)
{
	const struct edit_plan *plan = f->session->worker->plan;

	if (at < f->clear_until)
		return false;
	if (f->edit.out_len > 0)
		return true;
	/* It was begun, or a TLS record with it, when there were no rules. */
	if (at < f->at->sent_at + f->out->owed)
		return false;
	if (plan != NULL && plan->links[f->session->link_index].rules != NULL && flow_edit(f, frame, at))
		return true;
	f->clear_until = at + frame.n;
	return false;
}

/** How many of the `n` unread octets may go out now. */
static size_t flow_look(struct flow *f, const uint8_t *p, size_t n)
{
	const struct session *s = f->session;
	const struct edit_plan *plan = s->worker->plan;
	/* What another engine began to send in another form goes on so, rules or not. */
	bool ruled = f->edit.out_len > 0 || (plan != NULL && plan->links[s->link_index].rules != NULL);
	size_t least = (size_t)(f->at->sent_at - f->at->taken_at) + f->out->owed;
	size_t k = flow_unframed(f, n);

	if (k > 0)
		return k;
	for (;;) {
		int64_t len = proto_frame(span_of(p + k, n - k), s->proto->header_len,
			s->link->max_pdu);

		if (len <= 0)
			return k;
		if (flow_guards(f, span_of(p + k, (size_t)len), f->at->taken_at + k))
			return k;
		if (ruled && flow_stops_to_edit(f, span_of(p + k, (size_t)len), f->at->taken_at + k))
			return k;
		k += (size_t)len;
		if (s->ending && k >= least)
			return k;
	}
}

/** Copy to the ring and discard what was sent to its last octet; `s` octets of `p` are sent. */
static void flow_take(struct flow *f, uint8_t *p, size_t s)
{
	struct session *ses = f->session;
	bool secret = false;
	size_t d = 0;

	if (flow_unframed(f, s) > 0) {
		d = s;
	} else {
		for (;;) {
			int64_t len = proto_frame(span_of(p + d, s - d), ses->proto->header_len,
				ses->link->max_pdu);

			if (len <= 0)
				break;
			if (!ses->shared->logged_in)
				secret = flow_watch_login(f, span_of(p + d, (size_t)len));
			flow_copy(f, p + d, (uint32_t)len, (uint32_t)len, f->at->taken_at + d, 0);
			if (secret) { /* it is out, and need not lie about until something else comes */
				explicit_bzero(p + d, (size_t)len);
				leg_forget(f->in, d, (size_t)len);
			}
			secret = false;
			f->at->pdus++;
			d += (size_t)len;
		}
	}
	if (d == 0)
		return;
	leg_discard(f->in, d);
	f->at->taken_at += d;
	flow_set_partial(f, false);
}

/** `out` is broken: nothing more can be delivered. The other flow reads what `out` still has, then ends. */
void flow_undeliverable(struct flow *f, int error)
{
	struct flow *other = &f->session->flow[side_other(f->from)];

	f->dead = true;
	if (f->out->error == 0)
		f->out->error = error == EPIPE ? ECONNRESET : error;
	f->session->shared->error[side_other(f->from)] = f->out->error;
	other->ready = true;
	worker_queue(f->session->worker, f->session);
}

/** What an engine that died has sent: the PDUs that are out whole are told, and discarded. */
static void flow_catch_up(struct flow *f, uint8_t *p, size_t n)
{
	uint64_t s = f->at->sent_at - f->at->taken_at;

	f->behind = false;
	if (s > 0)
		flow_take(f, p, s < n ? (size_t)s : n);
}

/** Send `k` octets at `p`, or what the kernel takes of them. True when all are out. */
static bool flow_forward(struct flow *f, uint8_t *p, size_t k)
{
	size_t s = (size_t)(f->at->sent_at - f->at->taken_at);
	ssize_t n;

	assert(s < k);
	n = leg_send(f->out, p + s, k - s);
	if (n < 0) {
		flow_undeliverable(f, (int)-n);
		return false;
	}
	f->at->sent_at += (uint64_t)n;
	s += (size_t)n;
	f->blocked = s < k;
	if (n > 0)
		flow_take(f, p, s);
	return !f->blocked;
}

/** Let the PDU that begins at `p` go out as it arrives; its beginning is the ring's copy. */
static void flow_pass(struct flow *f, const uint8_t *p, size_t n, uint64_t len, int flags)
{
	size_t copy = n < CUT_OCTETS ? n : CUT_OCTETS;

	if (copy > len)
		copy = (size_t)len;
	flow_copy(f, p, (uint32_t)copy, (uint32_t)len, f->at->taken_at, flags);
	flow_pass_unedited(f, span_of(p, n));
	f->at->pass_until = f->at->taken_at + len;
	f->at->pdus++;
}

void flow_go_blind(struct flow *f, enum end_how how, uint64_t value, const char *foreign)
{
	struct session_event e = { .kind = EVENT_BLIND, .side = (uint8_t)f->from,
		.how = (uint8_t)how, .value = value };

	if (foreign != NULL)
		snprintf(e.text, sizeof(e.text), "%s", foreign);
	session_report(f->session, &e, f->at->taken_at);
	f->at->blind = 1;
}

/** Framing is lost. Before the login succeeded the session ends, after it this direction goes blind. */
static bool flow_lost_framing(struct flow *f, struct span at)
{
	struct session *s = f->session;
	const char *foreign = proto_foreign(at);
	enum end_how how = foreign != NULL ? END_FOREIGN : END_BAD_LENGTH;

	if (!s->shared->logged_in || s->link->bad_length == BAD_LENGTH_CLOSE) {
		session_cause(s, f->from, how, 0, foreign);
		session_drain(s);
		return false;
	}
	flow_go_blind(f, how, bytes_u32(at.p), foreign);
	return true;
}

/** A further login of a guarded session, whole: it goes on if it is admitted, or the session ends. */
static bool flow_admit(struct flow *f, struct span frame)
{
	struct session *s = f->session;
	enum end_how how;
	struct pdu pdu;

	(void)pdu_parse(&pdu, s->proto, s->shared->dialect, frame);
	how = admit_login(s, &pdu);
	if (how == END_NONE) {
		s->shared->admitted_at = f->at->taken_at;
		return true;
	}
	session_cause(s, SIDE_US, how, 0, NULL);
	session_end(s);
	return false;
}

/**
 * May what begins at `p` not go out in pieces? A login of a guarded session may not, nor what could become
 * one: there is no reason for such a login but to get past us.
 */
static bool flow_forbids_pieces(struct flow *f, struct span in)
{
	struct session *s = f->session;

	if (!s->guarded || f->from != SIDE_SP ||
		(in.n >= 8 && !flow_guards(f, in, f->at->taken_at)))
		return false;
	session_cause(s, SIDE_SP, END_NOT_LOGIN, 0, "a login that does not come whole");
	session_end(s);
	return true;
}

/**
 * No whole PDU among the `n` octets at `p`: find out why. True: the mode changed or more has come,
 * look again. False: wait for an edge.
 */
static bool flow_unstick(struct flow *f, const uint8_t *p, size_t n)
{
	const struct session *s = f->session;
	uint32_t header_len = s->proto->header_len, max_pdu = s->link->max_pdu;
	uint64_t end_at = f->at->taken_at + n;
	uint32_t len = n >= 4 ? bytes_u32(p) : 0;
	int64_t whole = proto_frame(span_of(p, n), header_len, max_pdu);

	if (whole < 0)
		return flow_lost_framing(f, span_of(p, n));
	if (whole > 0 && !s->ending && flow_guards(f, span_of(p, (size_t)whole), f->at->taken_at))
		return flow_admit(f, span_of(p, (size_t)whole));
	if ((len > f->hold && n >= (f->hold < CUT_OCTETS ? f->hold : CUT_OCTETS)) ||
		(f->squeezed && n >= 4)) {
		if (flow_forbids_pieces(f, span_of(p, n)))
			return false;
		flow_pass(f, p, n, len, RING_CUT);
		return true;
	}
	if (f->in->unread > f->peeked && f->mark_at != end_at) {
		f->mark_at = end_at;	/* more came, or there was no room to look at it: look once more */
		return true;
	}
	if (f->in->unread > f->peeked && f->in->unread > f->peeked + leg_ended(f->in)) {
		/* No more to be seen, a FIN apart: a peek never passes the urgent mark in the way. */
		if (flow_forbids_pieces(f, span_of(p, n)))
			return false;
		if (n < 4)
			flow_go_blind(f, END_URGENT, 0, NULL);
		else
			flow_pass(f, p, n, len, RING_CUT);
		return true;
	}
	if (f->in->eof || leg_broken(f->in)) {
		f->in->eof = f->tail = true;
		flow_pass(f, p, n, n, RING_TAIL);
		return true;
	}
	flow_set_partial(f, true);
	return false;
}

/** Nothing more will come from `in`: `error` 0 a FIN, else a reset. All that had come is out. */
static void flow_end(struct flow *f, int error)
{
	struct session *s = f->session;
	const char *why = f->in->why;
	char cut[EVENT_TEXT];

	flow_set_partial(f, false);
	f->done = true;
	f->at->eof = 1;
	if (why != NULL && f->tail) {
		snprintf(cut, sizeof(cut), "truncated inside a PDU: %s", why);
		why = cut;
	}
	if (error != 0) {
		/* Of a connection that is sound, only what it carries is broken: its end is orderly. */
		session_cause(s, f->from, error == EPROTO ? END_TLS : END_RESET,
			error == EPROTO ? 0 : error, why);
		session_drain(s);
		return;
	}
	session_cause(s, f->from, END_FIN, 0, why);
	leg_finish(f->out);
	session_flow_done(s);
}

/** The receiver is gone: what the sender still says is dropped, so that its end can be seen. */
static void flow_drop(struct flow *f)
{
	switch (leg_drop(f->in)) {
	case LEG_OVER:
		flow_end(f, f->in->error);
		break;
	case LEG_MORE:
		worker_queue(f->session->worker, f->session);
		break;
	case LEG_WAIT:
		f->ready = false;
		break;
	}
}

/**
 * Send what may go of the `n` octets at `p`; *ret_k of them have gone. False: the receiver takes no more, or
 * is gone.
 */
static bool flow_send_on(struct flow *f, uint8_t *p, size_t n, size_t *ret_k)
{
	size_t gone = 0;

	for (;;) {
		size_t k = flow_look(f, p + gone, n - gone);

		if (k > 0 && !flow_forward(f, p + gone, k))
			return false;
		gone += k;
		if (f->edit.out_len == 0 || f->edit.at != f->at->taken_at)
			break;
		k = f->edit.in_len;
		if (!flow_edit_forward(f, p + gone))
			return false;
		gone += k;
	}
	*ret_k = gone;
	return true;
}

void flow_step(struct flow *f)
{
	struct session *s = f->session;
	struct worker *w = s->worker;

	if (f->dead) {
		flow_drop(f);
		return;
	}
	for (int turn = 0; turn < FLOW_TURNS && !(s->ending && flow_even(f)); turn++) {
		ssize_t n = leg_peek(f->in, w->scratch, w->scratch_len);
		size_t k;
		bool framed;

		if (n <= 0) {
			f->ready = false;
			if (n != -EAGAIN || f->in->error != 0)
				flow_end(f, f->in->error != 0 || n == 0 ? f->in->error : (int)-n);
			return;
		}
		f->peeked = (size_t)n;
		if (f->behind) {
			flow_catch_up(f, w->scratch, (size_t)n);
			continue;
		}
		framed = flow_unframed(f, (size_t)n) == 0;
		if (!flow_send_on(f, w->scratch, (size_t)n, &k))
			return;
		if (k < (size_t)n) {
			if (framed && !flow_unstick(f, w->scratch + k, (size_t)n - k)) {
				f->ready = false;
				return;
			}
		} else if (f->in->unread == (size_t)n && !f->in->eof && f->in->error == 0) {
			f->ready = false;	/* drained; the next octet brings an edge */
			return;
		}
	}
	worker_queue(w, s);
}

/** A part of a PDU waits: is there room for the rest, does it come? */
static void flow_watch_partial(struct flow *f)
{
	struct session *s = f->session;
	struct session_event e = { .kind = EVENT_STALL, .side = (uint8_t)f->from };

	worker_watch(s->worker, s);
	if (leg_squeezed(f->in)) {
		f->squeezed = f->ready = true;
		worker_queue(s->worker, s);
	}
	if (f->stalled || s->worker->mono_ns - f->partial_ns < s->link->stall_ms * 1000000ull)
		return;
	f->stalled = true;
	e.value = f->in->unread;
	session_report(s, &e, f->at->taken_at);
}

/** `in` has ended, but not all that it said is out. As long as `out` takes some of it, it may. */
static void flow_watch_end(struct flow *f)
{
	struct session *s = f->session;
	uint64_t now = s->worker->mono_ns;

	worker_watch(s->worker, s);
	f->ready = true;
	worker_queue(s->worker, s);
	if (!f->blocked || f->at->sent_at != f->stuck_at || f->stuck_ns == 0) {
		f->stuck_at = f->at->sent_at;
		f->stuck_ns = now;
	} else if (now - f->stuck_ns >= s->link->half_close_timeout_ms * 1000000ull) {
		session_cause(s, SIDE_US, END_HALF_CLOSE, 0, NULL);
		session_drain(s);
	}
}

void flow_watch(struct flow *f)
{
	bool broken = leg_broken(f->in);

	f->session->shared->error[f->from] = f->in->error;
	/* A reset that came together with octets brought one edge, which showed the octets. */
	if (broken || f->in->eof)
		flow_watch_end(f);
	else if (f->partial_ns != 0)
		flow_watch_partial(f);
}
