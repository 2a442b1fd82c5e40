#include "scribe/scribe_state.h"

#include "smscope/record.h"

/* What is counted of each link and sink, and reading it from another thread. */

static int result_of(enum record_kind kind)
{
	switch (kind) {
	case REC_LOGIN:
		return RESULT_LOGIN;
	case REC_SUBMIT_RESP:
		return RESULT_SUBMIT;
	case REC_REPORT:
		return RESULT_REPORT;
	default:
		return -1;
	}
}

void scribe_tally_link(struct scribe *s, const struct record *r)
{
	struct link_tally *t = scribe_link_tally(s, s->link);
	int result = result_of(r->kind);
	enum code_class cls;

	tally_add(&t->records[r->kind], 1);
	if (!r->has_code || r->kind == REC_UNKNOWN_CODE)
		return;
	tally_add(r->answer_count > 0 ? &t->known : &t->unknown, 1);
	if (result < 0)
		return;
	cls = r->answer_count > 0 ? answer_class(&r->answers[0]) : CLASS_UNKNOWN;
	tally_add(&t->results[result][cls], 1);
}

void scribe_tally_event(struct scribe *s, const struct session_event *e)
{
	struct link_tally *t = scribe_link_tally(s, s->link);
	unsigned how = e->how < END_COUNT ? e->how : END_NONE;

	if (e->kind == EVENT_OPEN)
		tally_add(&t->opened, 1);
	else if (e->kind == EVENT_UNEDITED)
		tally_add(&t->edits_refused[EDIT_NO_ROOM], 1);
	else if (e->kind == EVENT_REFUSED)
		tally_add(&t->refused[how], e->value);
	else if (e->kind == EVENT_CLOSE)
		tally_add(&t->ended[how], 1);
}

static uint64_t count_of(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

void scribe_tally_edit(struct scribe *s, const struct edit_note *n)
{
	struct link_tally *t = scribe_link_tally(s, s->link);

	for (int r = 0; r < RULES_MAX; r++)
		tally_add(&t->edits[r], n->made >> r & 1);
	if (n->done.refused != EDIT_FINE && n->done.refused < EDIT_REFUSALS)
		tally_add(&t->edits_refused[n->done.refused], 1);
}

bool scribe_link_counts(const struct scribe *s, int link, struct scribe_link_counts *ret)
{
	const struct link_tally *t;

	if (link < 0 || link > s->settings->link_count)
		return false;
	t = scribe_link_tally(s, scribe_link(s, link));
	ret->known = count_of(&t->known);
	ret->unknown = count_of(&t->unknown);
	ret->opened = count_of(&t->opened);
	for (int h = 0; h < END_COUNT; h++) {
		ret->refused[h] = count_of(&t->refused[h]);
		ret->ended[h] = count_of(&t->ended[h]);
	}
	for (int k = 0; k < REC_COUNT; k++)
		ret->records[k] = count_of(&t->records[k]);
	for (int i = 0; i < RESULT_COUNT; i++)
		for (int c = 0; c < CLASS_COUNT; c++)
			ret->results[i][c] = count_of(&t->results[i][c]);
	for (int r = 0; r < RULES_MAX; r++)
		ret->edits[r] = count_of(&t->edits[r]);
	for (int r = 0; r < EDIT_REFUSALS; r++)
		ret->edits_refused[r] = count_of(&t->edits_refused[r]);
	return true;
}

bool scribe_sink(const struct scribe *s, int i, struct scribe_sink *ret)
{
	if (i < 0 || i >= s->sink_count)
		return false;
	ret->name = sink_name(s->sinks[i]);
	sink_counts(s->sinks[i], &ret->counts);
	return true;
}
