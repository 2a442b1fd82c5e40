#include "core/scope_state.h"

/*
 * Stories: a submit is given its number, its response makes it known by its id, a report is joined
 * to it. What the table gives is shown in the records; what it cannot know yet is asked for again.
 */

static bool wants_report(const struct pdu *pdu)
{
	enum { ALWAYS = 1, WHEN = 3 }; /* SMPP's other values ask for failures or successes only */

	return (pdu_uint(pdu, F_REGISTERED_DELIVERY) & WHEN) == ALWAYS;
}

void scope_submitted(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	const struct body *body, struct pending *request)
{
	struct record *r = &w->records[w->count - 1];

	request->wall_ns = f->wall_ns;
	request->wants_report = wants_report(&w->pdu);
	request->part = (struct story_part){ .part = (uint8_t)body->part,
		.total = (uint8_t)body->total };
	if (f->replayed || f->part.number != 0) {
		request->part.number = f->part.number;
		request->part.join = f->part.join;
	} else if (s->link->stories != NULL) {
		story_begin(s->link->stories, s->link->account, r->src, r->dst, body->reference,
			request->part.part, request->part.total, f->mono_us, &request->part);
	}
	w->part = request->part;
	r->story = request->part.number;
}

void scope_part(struct record *r, struct scope_work *w, const struct story_part *p)
{
	struct out o = out_of(w->part_text, sizeof(w->part_text));

	if (p->total <= 1)
		return;
	out_dec(&o, p->part);
	out_char(&o, '/');
	out_dec(&o, p->total);
	record_text_extra(r, "part", span_of(w->part_text, out_len(&o)));
}

void scope_answered(const struct scope *s, const struct scope_frame *f, struct record *r,
	struct scope_work *w)
{
	const struct pending *q = &w->request;
	struct story_accepted a = {
		.account = s->link->account,
		.link = s->link->index,
		.id = r->msgid,
		.id_binary = r->msgid_binary,
		.dst = span_of(q->dst, strlen(q->dst)),
		.dst_count = q->dst_count,
		.wants_report = q->wants_report,
		.part = q->part,
		.session = s->session,
		.sent_us = q->sent_us,
		.answered_us = f->mono_us,
		.wall_ns = q->wall_ns,
	};

	r->story = q->part.number;
	scope_part(r, w, &q->part);
	if (s->link->stories == NULL || q->part.number == 0 || f->replayed)
		return;
	if (r->has_code && r->code != 0)
		story_refused(s->link->stories, &q->part);
	else
		story_accept(s->link->stories, &a);
}

/* "412 of 412 reports matched as hex→dec", once it is well founded. */
static void put_rule(const struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct id_evidence e;
	struct record *r;

	if (!story_evidence_news(s->link->stories, s->link->key, &e))
		return;
	r = &w->records[w->count++];
	scope_record(s, r, REC_ID_RULE, f->wall_ns);
	record_words_extra(r, "how", id_rule_words(e.rule));
	record_uint_extra(r, "matched", e.by_rule[e.rule]);
	record_uint_extra(r, "reports", e.reports);
}

static void put_parts(struct record *r, struct scope_work *w, const struct story *x)
{
	struct out o = out_of(w->parts, sizeof(w->parts));

	scope_part(r, w, &x->part);
	if (x->part.total <= 1)
		return;
	out_dec(&o, x->parts_reported);
	out_char(&o, '/');
	out_dec(&o, x->part.total);
	record_text_extra(r, "parts_reported", span_of(w->parts, out_len(&o)));
}

static void put_story(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	struct record *r)
{
	const struct story *x = &w->story;
	uint64_t after_us = f->mono_us > x->sent_us ? f->mono_us - x->sent_us : 0;

	r->story = x->part.number;
	record_words_extra(r, "match", id_rule_name(x->rule));
	if (x->rule != ID_EXACT)
		record_text_extra(r, "resp_id", span_of(x->id, x->id_len));
	record_ms_extra(r, "after", after_us);
	if (x->duplicate)
		record_flag_extra(r, "duplicate");
	if (x->reports > 1)
		record_uint_extra(r, "nth", x->reports);
	if (f->again || f->mono_us < x->answered_us)
		record_flag_extra(r, "early");
	if (after_us > s->link->late_us)
		record_flag_extra(r, "late");
	if (x->dst_differs)
		record_flag_extra(r, "dst_differs");
	put_parts(r, w, x);
	if (x->session != s->session)
		record_uint_extra(r, "submit_sess", x->session);
}

/*
 * Join the report to its message. False: the message is not known yet, and may be before long.
 */
static bool join(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	bool *ret_known)
{
	const struct receipt *x = &w->receipt;
	struct story_report *r = &w->waiting;

	*r = (struct story_report){
		.account = s->link->account,
		.link = s->link->key,
		.id = x->id,
		.id_binary = x->id_binary,
		.dst = x->dst,
		.submit_date = x->submit_date,
		.wall_ns = f->wall_ns,
		.final = x->kind == RECEIPT_FINAL,
		.state = x->state,
		.may_wait = f->may_wait,
	};
	*ret_known = story_match(s->link->stories, r, &w->story);
	return *ret_known || !f->may_wait || x->id.n == 0;
}

/* What the report itself says; octets of no known layout are shown as a message would be. */
static struct record *put_report(const struct scope *s, const struct scope_frame *f,
	struct scope_work *w)
{
	const struct receipt *x = &w->receipt;
	struct record *r = scope_record_new(s, f, w, REC_REPORT);
	struct body body;

	report_put(s->link, r, x);
	if (!r->has_code && !r->msgid_binary && x->raw.n > 0) {
		body_read(&w->pdu, &body);
		message_put(r, &body, s->link->show_text);
	}
	if (x->undecodable)
		scope_malformed(s, f, "report of no known layout", w);
	return r;
}

void scope_report(const struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	bool known = false;
	struct record *r;

	if (f->replayed)
		return;
	if (s->link->stories != NULL && !join(s, f, w, &known)) {
		w->wait = true;
		return;
	}
	r = put_report(s, f, w);
	if (s->link->stories == NULL)
		return;
	if (known)
		put_story(s, f, w, r);
	else
		record_words_extra(r, "match", id_rule_name(ID_NONE));
	put_rule(s, f, w);
}
