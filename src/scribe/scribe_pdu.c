#include "scribe/scribe_state.h"

void scribe_frame(struct scribe *s, const struct ring_entry *e, bool suspect, bool again)
{
	struct track *t = scribe_track(s, e);
	struct scope_frame f = {
		.octets = span_of(e + 1, e->len),
		.from = (e->flags & RING_GW) != 0 ? SIDE_GW : SIDE_SP,
		.cut = (e->flags & RING_CUT) != 0,
		.ours = (e->flags & RING_OURS) != 0,
		.may_wait = !again,
		.again = again,
		.mono_us = e->mono_ns / 1000,
		.wall_ns = e->wall_ns,
	};

	if (t == NULL || t->scope == NULL)
		return;
	if (f.ours && t->words != NULL && t->words->down[0] != '\0')
		f.why = t->words->down;
	s->work.count = 0;
	s->work.wait = false;
	if (suspect)
		scope_malformed(t->scope, &f, "in hand when smscope died", &s->work);
	else if ((e->flags & RING_TAIL) != 0)
		scope_malformed(t->scope, &f, "stream ended inside a PDU", &s->work);
	else
		(void)scope_pdu(t->scope, &f, &s->work);
	for (int i = 0; i < s->work.count; i++) {
		if (s->work.records[i].kind == REC_LOGIN)
			scribe_put_tls(&s->work.records[i], t);
		scribe_emit(s, &s->work.records[i]);
	}
	if (s->work.wait && !scribe_hold(s, e))
		scribe_frame(s, e, false, true);
}
