#include "core/scope_state.h"

/* What waits: requests and keepalives without an answer, and the state of a session at its end. */

const char *scope_side_name(enum side side)
{
	return side == SIDE_SP ? "sp" : "gw";
}

void scope_put_waiting(struct record *r, struct scope_work *w, const struct pending *p, uint64_t now_us,
	const char *reason)
{
	w->request = *p;
	p = &w->request;
	record_words_extra(r, "reason", reason);
	record_words_extra(r, "pdu", r->cmd);
	record_words_extra(r, "from", scope_side_name(r->from));
	r->dst = span_of(p->dst, strlen(p->dst));
	r->story = p->part.number;
	record_ms_extra(r, "age", now_us > p->sent_us ? now_us - p->sent_us : 0);
	scope_part(r, w, &p->part);
}

int scope_meaning(const struct scope *s, enum code_context context, int64_t number,
	struct code_answer *ret, int cap)
{
	struct code_query q = {
		.profiles = s->link->profiles,
		.context = context,
		.side = s->proto != NULL ? (enum code_side)s->proto->code_side : CODE_ANY,
		.dialect = s->dialect,
		.platform = context == CTX_ERRNO ? PLATFORM_LINUX : PLATFORM_ANY,
		.number = number,
	};

	return s->link->codes != NULL ? codes_lookup(s->link->codes, &q, ret, cap) : 0;
}

static struct record *stall(const struct scope *s, enum side from, const char *cmd, uint32_t sequence,
	uint64_t wall_ns, struct scope_work *w)
{
	struct record *r = &w->records[w->count++];

	scope_record(s, r, REC_STALL, wall_ns);
	r->from = from;
	r->has_pdu = true;
	r->cmd = cmd;
	r->sequence = sequence;
	return r;
}

/* Sent before this, a request is overdue; 0: none is. */
static uint64_t due_us(uint64_t now_us, uint64_t limit_us)
{
	return limit_us != 0 && now_us > limit_us ? now_us - limit_us : 0;
}

static bool probe_overdue(struct scope *s, enum side side, uint64_t now_us, uint64_t wall_ns,
	struct scope_work *w)
{
	struct scope_probe *p = &s->probe[side];
	struct record *r;

	if (p->asked_us == 0 || p->told || p->asked_us >= due_us(now_us, s->link->probe_us))
		return false;
	p->told = true;
	r = stall(s, side, p->name, p->sequence, wall_ns, w);
	record_words_extra(r, "reason", "unanswered");
	record_words_extra(r, "pdu", r->cmd);
	record_words_extra(r, "from", scope_side_name(side));
	record_ms_extra(r, "age", now_us - p->asked_us);
	return true;
}

int scope_overdue(struct scope *s, uint64_t now_us, uint64_t wall_ns, struct scope_work *w)
{
	uint64_t before_us = due_us(now_us, s->link->answer_us);
	const struct pending *p;

	w->count = 0;
	for (enum side side = SIDE_SP; side <= SIDE_GW; side++) {
		if (probe_overdue(s, side, now_us, wall_ns, w))
			return w->count;
		while ((p = pending_overdue(s->pending[side], before_us)) != NULL) {
			if (p->probe)
				continue; /* a keepalive has a time of its own */
			scope_put_waiting(stall(s, side, p->name, p->sequence, wall_ns, w), w, p,
				now_us, "unanswered");
			return w->count;
		}
	}
	return 0;
}

void scope_rest(struct scope *s, uint64_t before_us)
{
	for (enum side side = SIDE_SP; side <= SIDE_GW; side++) {
		if (s->last_us[side] > before_us)
			return;
	}
	pending_rest(s->pending[SIDE_SP]);
	pending_rest(s->pending[SIDE_GW]);
}

uint64_t scope_oldest_us(const struct scope *s)
{
	return pending_oldest_us(s->pending[SIDE_SP]);
}

void scope_summary(const struct scope *s, struct scope_summary *ret)
{
	*ret = (struct scope_summary){.login = s->login,
				      .account = s->account,
				      .logout = s->logout,
				      .logout_by = s->logout_by,
				      .forgotten = s->forgotten};
	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		ret->pdus[side] = s->pdus[side];
		ret->last[side] = s->last[side];
		ret->last_us[side] = s->last_us[side];
		ret->probe_us[side] = s->probe[side].last_us;
		ret->probe_open_us[side] = s->probe[side].asked_us;
		ret->probe_rtt_us[side] = s->probe[side].rtt_us;
		ret->unanswered[side] = pending_count(s->pending[side]);
		ret->oldest_us[side] = pending_oldest_us(s->pending[side]);
	}
}
