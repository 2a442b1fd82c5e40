#include "scribe/scribe_state.h"

#include <stdlib.h>

#include "smscope/receipt.h"

/*
 * Codes that no table knows: each counted by link and context, and told once, then at most once an
 * hour. What a record says of them is masked, whatever the log that shows it masks.
 */

static const uint64_t every_ns = 3600000000000ull;

static int link_of(const struct scribe *s, const struct record *r)
{
	int i = 0;

	/* The scope took the name from there. */
	while (i < s->link_count && s->links[i].name != r->link)
		i++;
	return i;
}

/* "CMPP_SUBMIT_RESP seq=10421 msgid=1121191700-104-7 dst=138****1234" */
static void put_sample(struct unknown_code *e, const struct record *r)
{
	struct out o = out_of(e->sample, sizeof(e->sample) - 1);
	char id[40];

	out_str(&o, r->cmd != NULL ? r->cmd : "-");
	out_str(&o, " seq=");
	out_dec(&o, r->sequence);
	if (r->msgid.n > 0) {
		out_str(&o, " msgid=");
		if (r->msgid_binary)
			out_put(&o, id, msgid_text(span_uint(r->msgid), id, sizeof(id)));
		else
			text_escape(&o, r->msgid, true);
	}
	if (r->kind == REC_REPORT && r->err.n > 0) {
		out_str(&o, " stat=");
		text_escape(&o, r->code_text, true);
		out_str(&o, " err=");
		text_escape(&o, r->err, true);
	}
	if (r->dst.n > 0) {
		out_str(&o, " dst=");
		text_number(&o, r->dst, MASK_PART);
	}
	*o.pos = '\0';
}

static void tell(struct scribe *s, const struct record *r, const struct unknown_code *e,
	const char *label, const struct unknown_seen *seen)
{
	struct record u;

	record_init(&u, REC_UNKNOWN_CODE);
	u.wall_ns = r->wall_ns;
	u.link = r->link;
	u.session = r->session;
	u.from = r->from;
	u.has_pdu = r->has_pdu;
	u.cmd = r->cmd;
	u.proto = r->proto;
	u.dialect = r->dialect;
	u.sequence = r->sequence;
	u.has_code = !e->other;
	u.code_label = label;
	u.code_is_text = seen->is_text;
	u.code = (uint32_t)seen->number;
	u.code_text = seen->text;
	u.code_context = seen->context;
	if (u.cmd != NULL)
		record_words_extra(&u, "pdu", u.cmd);
	if (e->other)
		record_flag_extra(&u, "other");
	else
		record_words_extra(&u, "context", code_context_name(e->context));
	record_uint_extra(&u, "count", e->count);
	record_time_extra(&u, "first", e->first_ns);
	record_time_extra(&u, "last", e->last_ns);
	record_words_extra(&u, "sample", e->sample);
	scribe_emit(s, &u);
}

static void note(struct scribe *s, const struct record *r, const char *label,
	const struct unknown_seen *seen)
{
	int link = link_of(s, r);
	struct unknown_code *e = NULL;
	bool news = false;

	pthread_mutex_lock(&s->unknown_lock);
	if (s->unknown[link] == NULL)
		s->unknown[link] = unknown_new(UNKNOWN_LIMIT);
	if (s->unknown[link] != NULL)
		e = unknown_note(s->unknown[link], seen, every_ns, &news);
	if (e != NULL && e->count == 1)
		put_sample(e, r);
	pthread_mutex_unlock(&s->unknown_lock);
	if (news)
		tell(s, r, e, label, seen);
}

/* 000 says that there was no error, even where no table lists it. */
static bool all_zero(struct span s)
{
	while (s.n > 0 && *s.p == '0')
		s = span_of(s.p + 1, s.n - 1);
	return s.n == 0;
}

void scribe_unknown_note(struct scribe *s, const struct record *r)
{
	struct unknown_seen seen = { .context = r->code_context, .is_text = r->code_is_text,
		.number = r->code, .text = r->code_text, .wall_ns = r->wall_ns };

	if (s->links[0].codes == NULL)
		return; /* without tables nothing is known */
	if (code_is_unknown(r))
		note(s, r, r->code_label, &seen);
	if (!err_is_unknown(r) || all_zero(r->err))
		return;
	seen = (struct unknown_seen){ .context = CTX_RECEIPT_ERR, .is_text = true, .text = r->err,
		.wall_ns = r->wall_ns };
	note(s, r, "err", &seen);
}

int scribe_unknown(struct scribe *s, int link, struct unknown_code *ret, int cap)
{
	int count = 0;

	if (link < 0 || link > s->settings->link_count)
		return 0;
	link = scribe_link(s, link);
	pthread_mutex_lock(&s->unknown_lock);
	if (s->unknown[link] != NULL)
		count = (int)unknown_count(s->unknown[link]);
	for (int i = 0; i < count && i < cap; i++)
		ret[i] = *unknown_at(s->unknown[link], (uint32_t)i);
	pthread_mutex_unlock(&s->unknown_lock);
	return count;
}

void scribe_unknown_free(struct scribe *s)
{
	for (int i = 0; s->unknown != NULL && i <= s->link_count; i++)
		unknown_free(s->unknown[i]);
	free(s->unknown);
	pthread_mutex_destroy(&s->unknown_lock);
}
