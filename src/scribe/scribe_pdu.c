#include "scribe/scribe_state.h"

#include <string.h>

/* What rules did. */
static void put_done(struct record *r, const struct edit_words *w)
{
	if (w->rules[0] != '\0')
		record_words_extra(r, "rule", w->rules);
	if (w->was[0] != '\0')
		record_words_extra(r, "was", w->was);
	if (w->now[0] != '\0')
		record_words_extra(r, "now", w->now);
	if (w->refused != EDIT_FINE)
		record_words_extra(r, "refused", edit_refusal_name((enum edit_refusal)w->refused));
}

/* What rules with dry_run would have done. */
static void put_dry(struct record *r, const struct edit_words *w)
{
	if (w->rules[0] == '\0' && w->refused == EDIT_FINE)
		return;
	record_flag_extra(r, "dry_run");
	if (w->rules[0] != '\0')
		record_words_extra(r, "dry_rule", w->rules);
	if (w->was[0] != '\0')
		record_words_extra(r, "dry_was", w->was);
	if (w->now[0] != '\0')
		record_words_extra(r, "dry_now", w->now);
	if (w->refused != EDIT_FINE)
		record_words_extra(r, "dry_refused", edit_refusal_name((enum edit_refusal)w->refused));
}

/* Into the record that is of the PDU. */
static void put_edit(struct scribe *s, const struct edit_note *n)
{
	scribe_tally_edit(s, n);
	for (int i = 0; i < s->work.count; i++) {
		enum record_kind k = s->work.records[i].kind;

		if (k == REC_STALL || k == REC_MALFORMED || k == REC_ID_RULE)
			continue;
		put_done(&s->work.records[i], &n->done);
		put_dry(&s->work.records[i], &n->dry);
		break;
	}
}

static void end_words(struct edit_words *w)
{
	w->rules[sizeof(w->rules) - 1] = '\0';
	w->was[sizeof(w->was) - 1] = '\0';
	w->now[sizeof(w->now) - 1] = '\0';
}

/* What lies behind the entry's octets, as strings that end; false: there is none. */
static bool read_note(const struct ring_entry *e, struct edit_note *ret)
{
	if (e->note_len != sizeof(*ret))
		return false;
	memcpy(ret, (const uint8_t *)(e + 1) + e->len, sizeof(*ret));
	end_words(&ret->done);
	end_words(&ret->dry);
	return true;
}

static struct scope_frame frame_of(const struct ring_entry *e)
{
	return (struct scope_frame){
		.octets = span_of(e + 1, e->len),
		.from = (e->flags & RING_GW) != 0 ? SIDE_GW : SIDE_SP,
		.cut = (e->flags & RING_CUT) != 0,
		.ours = (e->flags & RING_OURS) != 0,
		.may_wait = true,
		.mono_us = e->mono_ns / 1000,
		.wall_ns = e->wall_ns,
	};
}

void scribe_replay(struct scribe *s, const struct ring_entry *e)
{
	struct track *t = scribe_track(s, e);
	struct scope_frame f = frame_of(e);

	if (t == NULL || t->scope == NULL || e->kind != RING_FRAME || (e->flags & RING_TAIL) != 0)
		return;
	f.replayed = true;
	f.part.number = e->story;
	f.part.join = e->join;
	s->work.count = 0;
	s->work.wait = false;
	(void)scope_pdu(t->scope, &f, &s->work);
}

/* What waited is told under ids of its own: what the PDU gave at first, as that it is malformed, had others. */
static void begin_telling(struct scribe *s)
{
	if (s->entry == NULL || s->entry->told != RING_WAITS)
		return;
	s->entry->record = s->told_id = 0;
	s->entry->told = RING_TELLING;
}

void scribe_frame(struct scribe *s, const struct ring_entry *e, bool suspect, bool again)
{
	struct track *t = scribe_track(s, e);
	struct edit_note note; /* the records point into it */
	struct scope_frame f = frame_of(e);

	if (t == NULL || t->scope == NULL)
		return;
	f.may_wait = !again;
	f.again = again;
	f.ruled = read_note(e, &note);
	/* Read again, a submit has its message already. */
	f.part.number = e->story;
	f.part.join = e->join;
	if (again)
		begin_telling(s);
	if (f.ours && t->words != NULL && t->words->down[0] != '\0')
		f.why = t->words->down;
	s->work.count = 0;
	s->work.wait = false;
	s->work.part.number = 0;
	if (suspect && s->entry != NULL)
		s->entry->told = RING_SHUNNED;
	if (suspect)
		scope_malformed(t->scope, &f, "in hand when smscope died", &s->work);
	else if ((e->flags & RING_TAIL) != 0)
		scope_malformed(t->scope, &f, "stream ended inside a PDU", &s->work);
	else
		(void)scope_pdu(t->scope, &f, &s->work);
	if (s->entry != NULL && s->work.part.number != 0) {
		s->entry->story = s->work.part.number;
		s->entry->join = s->work.part.join;
	}
	if (!s->work.wait && f.ruled)
		put_edit(s, &note);
	for (int i = 0; i < s->work.count; i++) {
		if (s->work.records[i].kind == REC_LOGIN)
			scribe_put_tls(&s->work.records[i], t);
		scribe_emit(s, &s->work.records[i]);
	}
	if (s->work.wait && !scribe_hold(s, e))
		scribe_frame(s, e, false, true);
}
