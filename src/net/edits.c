#include "net/edits.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/session.h"

/*
 * An edited PDU is as long as it likes, so it cannot be sent from where the original lies unread:
 *
 *   unread in the kernel   | whole PDU | edited PDU | whole PDU |
 *                          ^taken_at   ^edit.at
 *   slot, shared memory                | what goes out instead |
 *                                             ^edit.sent
 *
 * It is in the slot before its first octet goes out, and the original is discarded when its last one has
 * gone. A PDU that a rule looked at without changing it takes the same way, with what is to be told of it.
 */

void edits_take(struct worker *w, const struct edit_plan *plan)
{
	w->plan = plan;
	if (w->edits == NULL && plan != NULL)
		w->edits = calloc((size_t)w->settings->link_count, sizeof(*w->edits));
	for (int i = 0; plan != NULL && w->edits != NULL && i < plan->link_count; i++) {
		if (plan->links[i].rules == NULL)
			continue;
		if (w->edits[i] == NULL)
			w->edits[i] = malloc(sizeof(*w->edits[i]));
		if (w->edits[i] == NULL) {
			log_error("worker %d: no memory to rewrite link %s", w->index,
				w->settings->links[i].name);
			continue;
		}
		edit_context_init(w->edits[i]);
		w->edits[i]->codes = plan->codes;
		w->edits[i]->profiles = plan->links[i].profiles;
		w->edits[i]->max_pdu = w->settings->links[i].max_pdu;
	}
}

void edits_free(struct worker *w)
{
	for (int i = 0; w->edits != NULL && i < w->settings->link_count; i++)
		free(w->edits[i]);
	free(w->edits);
	free(w->edit_slots);
}

static uint8_t *slot_octets(const struct flow *f)
{
	return shm_edit_slot(f->session->worker->shm, f->edit.slot - 1);
}

static struct edit_note *slot_note(const struct flow *f)
{
	struct shm *shm = f->session->worker->shm;

	return (struct edit_note *)(void *)(slot_octets(f) + shm->edit_size - sizeof(struct edit_note));
}

/* Does the value hold what somebody wrote to somebody? */
static bool holds_text(const struct edit_change *c)
{
	static const char *const fields[] = { "text", "short_message", "message_payload", "Msg_Content" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(c->field, fields[i]) == 0)
			return true;
	return false;
}

/* "stat=MB:0064 err=000": what the changes were, or are; of a message's text only that it changed. */
static void put_values(char *to, size_t cap, const struct edit_result *r, bool dry, bool now, bool show_text)
{
	struct out o = out_of(to, cap - 1);

	for (int i = 0; i < r->change_count; i++) {
		const struct edit_change *c = &r->changes[i];

		if (c->dry_run != dry)
			continue;
		if (out_len(&o) > 0)
			out_char(&o, ' ');
		out_str(&o, c->field);
		out_char(&o, '=');
		if (c->number)
			out_dec(&o, now ? c->now_number : c->was_number);
		else if (!show_text && holds_text(c))
			out_str(&o, "(text)");
		else if (now || !c->added)
			text_escape(&o, now ? c->now : c->was, false);
	}
	*o.pos = '\0';
}

/* Whole names; "…" stands for those that find no room. */
static void put_rules(char *to, size_t cap, const struct rule_set *rules, uint64_t which, bool dry)
{
	static const char more[] = "…";
	struct out o = out_of(to, cap - 1);

	for (int i = 0; i < rule_set_count(rules); i++) {
		const char *name = rule_name(rules, i);

		if ((which >> i & 1) == 0 || rule_is_dry(rules, i) != dry)
			continue;
		if (out_len(&o) > 0)
			out_char(&o, ',');
		if (out_len(&o) + strlen(name) + sizeof(more) >= cap) {
			out_str(&o, more);
			break;
		}
		out_str(&o, name);
	}
	*o.pos = '\0';
}

static void put_words(struct edit_words *w, const struct rule_set *rules, const struct edit_result *r, bool dry,
	bool show_text)
{
	enum edit_refusal refused = dry ? r->dry_refused : r->refused;
	int by = dry ? r->dry_refused_rule : r->refused_rule;
	uint64_t told = r->logged;

	for (int i = 0; i < r->change_count; i++)
		told |= (uint64_t)1 << r->changes[i].rule;
	if (refused != EDIT_FINE && by >= 0)
		told |= (uint64_t)1 << by;
	w->refused = (uint8_t)refused;
	put_rules(w->rules, sizeof(w->rules), rules, told, dry);
	put_values(w->was, sizeof(w->was), r, dry, false, show_text);
	put_values(w->now, sizeof(w->now), r, dry, true, show_text);
}

static void fill_note(struct edit_note *n, const struct rule_set *rules, const struct edit_result *r,
	bool show_text)
{
	n->made = 0;
	for (int i = 0; i < r->change_count; i++)
		if (!r->changes[i].dry_run)
			n->made |= (uint64_t)1 << r->changes[i].rule;
	put_words(&n->done, rules, r, false, show_text);
	put_words(&n->dry, rules, r, true, show_text);
}

static bool take_slot(struct flow *f)
{
	struct worker *w = f->session->worker;

	if (w->edit_slot_count == 0)
		return false;
	f->edit.slot = w->edit_slots[--w->edit_slot_count];
	return true;
}

static void give_slot(struct flow *f)
{
	struct worker *w = f->session->worker;

	/* One of an engine before us with another set: it stays out of use as long as we live. */
	if (worker_owns_edit_slot(w, f->edit.slot))
		w->edit_slots[w->edit_slot_count++] = f->edit.slot;
	f->edit.slot = 0;
}

/* For who comes after us: the other one of the two stays whole until this one is. */
static void note_edit(struct flow *f)
{
	uint64_t next = atomic_load_explicit(&f->at->edit_now, memory_order_relaxed) ^ 1;

	f->at->edits[next & 1] = f->edit;
	atomic_store_explicit(&f->at->edit_now, next, memory_order_release);
}

static void report_unedited(struct flow *f, uint64_t at)
{
	struct session_event e = { .kind = EVENT_UNEDITED, .side = (uint8_t)f->from };

	session_report(f->session, &e, at);
}

void flow_pass_unedited(struct flow *f, struct span head)
{
	const struct session *s = f->session;
	const struct edit_plan *plan = s->worker->plan;
	const struct rule_set *rules = plan != NULL ? plan->links[s->link_index].rules : NULL;

	if (rules != NULL && edit_wants(rules, s->proto, head))
		report_unedited(f, f->at->taken_at);
}

/*
 * Whom the PDU is about, if a rule asks that of responses. A session that comes from another engine does not
 * know it of what was asked there.
 */
static void mind_request(struct flow *f, const struct rule_set *rules, struct edit_context *ctx,
	struct span frame)
{
	struct session *s = f->session;

	ctx->dst = span_of("", 0);
	if (!edit_asks_dst(rules))
		return;
	if (s->asked == NULL)
		s->asked = calloc(1, sizeof(*s->asked));
	if (s->asked == NULL)
		return;
	if (f->from == SIDE_SP)
		edit_request(s->asked, ctx, frame);
	else
		ctx->dst = edit_requested(s->asked, s->proto, frame);
}

bool flow_edit(struct flow *f, struct span frame, uint64_t at)
{
	struct session *s = f->session;
	struct worker *w = s->worker;
	int link = s->link_index, len;
	const struct rule_set *rules = w->plan->links[link].rules;
	struct edit_context *ctx = w->edits[link];
	size_t cap = w->shm->edit_size - sizeof(struct edit_note);
	struct edit_result r;
	bool wanted = edit_wants(rules, s->proto, frame), room;

	if (ctx == NULL || !(wanted || edit_asks_dst(rules)))
		return false;
	ctx->proto = s->proto;
	ctx->dialect = s->shared->dialect;
	f->at->hand_at = at + 1;
	mind_request(f, rules, ctx, frame);
	if (!wanted) {
		f->at->hand_at = 0;
		return false;
	}
	room = frame.n <= cap && take_slot(f);
	ctx->account = span_of(s->shared->account, s->shared->account_len);
	len = edit_pdu(rules, ctx, f->from, frame, room ? slot_octets(f) : NULL, room ? cap : 0, &r);
	f->at->hand_at = 0;
	if (!room) {
		if (r.refused != EDIT_FINE)	/* not of what only dry_run rules asked for */
			report_unedited(f, at);
		return false;
	}
	if (len <= 0 && r.logged == 0 && !edit_tells(&r)) {
		give_slot(f);
		return false;
	}
	if (len <= 0) {
		memcpy(slot_octets(f), frame.p, frame.n);
		len = (int)frame.n;
	}
	fill_note(slot_note(f), rules, &r, s->link->show_text);
	f->edit.at = at;
	f->edit.out_at = at + (uint64_t)f->shift;
	f->edit.in_len = (uint32_t)frame.n;
	f->edit.out_len = (uint32_t)len;
	f->edit_sent = 0;
	note_edit(f);
	return true;
}

/* Copy original and note to the ring, discard the original. */
static void edit_done(struct flow *f, uint8_t *p)
{
	struct shm_edit *e = &f->edit;

	flow_copy_noted(f, p, e->in_len, slot_note(f));
	leg_discard(f->in, e->in_len);
	f->at->pdus++;
	f->shift += (int64_t)e->out_len - (int64_t)e->in_len;
	f->at->taken_at += e->in_len;
	f->at->sent_at = f->at->taken_at;
	e->out_len = 0;
	give_slot(f);
	flow_set_partial(f, false);
}

bool flow_edit_forward(struct flow *f, uint8_t *p)
{
	struct shm_edit *e = &f->edit;
	ssize_t n = 0;

	/* All of it may have gone out in an engine that died. */
	if (f->edit_sent < e->out_len)
		n = leg_send(f->out, slot_octets(f) + f->edit_sent, e->out_len - f->edit_sent);
	if (n < 0) {
		flow_undeliverable(f, (int)-n);
		return false;
	}
	f->edit_sent += (uint32_t)n;
	f->blocked = f->edit_sent < e->out_len;
	if (!f->blocked)
		edit_done(f, p);
	return !f->blocked;
}

void flow_edit_drop(struct flow *f)
{
	if (f->edit.slot != 0)
		give_slot(f);
	f->edit.out_len = 0;
}
