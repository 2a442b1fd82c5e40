#include "tools/story.h"

/* What the records of a story come to: who, when, how many parts, and how it ended. */

static void keep(char to[STORY_TEXT], struct span s)
{
	size_t n = s.n < STORY_TEXT - 1 ? s.n : STORY_TEXT - 1;

	if (s.n == 0 || to[0] != '\0')
		return;
	memcpy(to, s.p, n);
	to[n] = '\0';
}

static void keep_value(char to[STORY_TEXT], const struct log_line *l, const char *key)
{
	char room[STORY_TEXT];
	struct out o = out_of(room, sizeof(room));

	(void)log_line_value(l, key, &o);
	keep(to, span_of(room, out_len(&o)));
}

static void add_id(struct story_sum *s, struct span id)
{
	for (int i = 0; i < s->id_count; i++) {
		if (strlen(s->ids[i]) == id.n && memcmp(s->ids[i], id.p, id.n) == 0)
			return;
	}
	if (id.n == 0)
		return;
	if (s->id_count < STORY_IDS)
		keep(s->ids[s->id_count++], id);
	else
		s->ids_more++;
}

static void add_session(struct story_sum *s, const struct log_line *l)
{
	uint64_t sess;

	if (!json_line_uint(json_line_find(&l->json, "sess"), &sess))
		return;
	for (int i = 0; i < s->sess_count; i++) {
		if (s->sess[i] == sess)
			return;
	}
	if (s->sess_count < STORY_SESSIONS)
		s->sess[s->sess_count++] = sess;
	else
		s->sess_more++;
}

/* Each part's final report for each number counts once. */
static bool add_final(struct story_sum *s, unsigned part, const struct story_event *e)
{
	uint64_t key = part;

	for (size_t i = 0; i < e->dst.n && s->dsts > 1; i++)
		key = key * 1099511628211u + e->dst.p[i];
	for (unsigned i = 0; i < s->reported && i < STORY_FINALS; i++) {
		if (s->finals[i] == key)
			return false;
	}
	if (s->reported < STORY_FINALS)
		s->finals[s->reported] = key;
	s->reported++;
	return true;
}

static bool has(const struct log_line *l, const char *key)
{
	const struct json_line_value *v = json_line_find(&l->json, key);

	return v != NULL && v->type == JSON_LINE_TRUE;
}

static bool is_ok(const struct log_line *l)
{
	uint64_t code;

	return json_line_is(json_line_find(&l->json, "class"), "ok") ||
	       (json_line_uint(json_line_find(&l->json, "code"), &code) && code == 0);
}

static void add_report(struct story_sum *s, const struct log_line *l, const struct story_event *e,
		       const struct story_ref *r)
{
	unsigned total = s->total, part = story_part(l, &total);

	if (has(l, "interim") || (!has(l, "final") &&
				  json_line_is(json_line_find(&l->json, "class"), "pending"))) {
		s->interim = r;
		s->interims++;
	} else if (add_final(s, part, e)) {
		if (is_ok(l))
			s->delivered = r;
		else if (s->failed == NULL)
			s->failed = r;
	}
}

/* A part that was refused and then taken, when it was submitted again, is taken. */
static void add_response(struct story_sum *s, const struct log_line *l, unsigned part,
			 const struct story_ref *r)
{
	bool ok = is_ok(l);

	if (!ok)
		s->rejected = r;
	s->refused += !ok;
	s->refused -= s->answers[part] == ANSWER_REFUSED;
	s->accepted += ok && s->answers[part] != ANSWER_OK;
	s->answers[part] = ok ? ANSWER_OK : ANSWER_REFUSED;
}

static void add(struct story_sum *s, const struct log_line *l, const struct story_event *e,
		const struct story_ref *r)
{
	unsigned part = story_part(l, &s->total);
	uint64_t dsts;

	if (json_line_uint(json_line_find(&l->json, "dsts"), &dsts) && dsts > s->dsts)
		s->dsts = (unsigned)(dsts < 256 ? dsts : 256);
	keep(s->link, e->link);
	keep(s->dst, e->dst);
	keep_value(s->proto, l, "proto");
	add_session(s, l);
	if (e->has_story) {
		s->has_story = true;
		s->story = e->story;
	}
	switch (e->kind) {
	case KIND_SUBMIT:
		keep_value(s->src, l, "src");
		s->has_submit = true;
		s->submits++;
		s->retried += s->submitted[part];
		s->submitted[part] = true;
		break;
	case KIND_RESP:
		add_id(s, e->id);
		add_response(s, l, part, r);
		break;
	case KIND_REPORT:
		add_id(s, e->resp_id.n > 0 ? e->resp_id : e->id);
		add_report(s, l, e, r);
		break;
	case KIND_NO_REPORT:
		add_id(s, e->id);
		s->no_reports++;
		break;
	case KIND_STALL:
		s->stalls++;
		break;
	case KIND_OTHER:
		break;
	}
}

static enum story_state state_of(struct story_sum *s)
{
	bool whole = s->reported >= s->total * s->dsts;

	s->decisive = s->failed != NULL ? s->failed : s->rejected;
	if (s->failed != NULL)
		return STATE_FAILED;
	if (s->refused > 0)
		return STATE_REJECTED;
	s->decisive = s->delivered;
	if (s->delivered != NULL && whole)
		return STATE_DELIVERED;
	if (s->no_reports > 0)
		return STATE_NO_REPORT;
	if (s->delivered != NULL)
		return STATE_PARTLY;
	s->decisive = s->interim;
	if (s->interim != NULL)
		return STATE_PENDING;
	if (s->stalls > 0)
		return STATE_UNANSWERED;
	return s->accepted > 0 ? STATE_ACCEPTED : STATE_SUBMITTED;
}

const char *story_state_name(enum story_state s)
{
	static const char *const names[] = {
		[STATE_FAILED] = "failed",	     [STATE_REJECTED] = "rejected",
		[STATE_DELIVERED] = "delivered",     [STATE_NO_REPORT] = "no_report",
		[STATE_PENDING] = "pending",	     [STATE_PARTLY] = "partly_delivered",
		[STATE_UNANSWERED] = "unanswered",   [STATE_ACCEPTED] = "accepted",
		[STATE_SUBMITTED] = "submitted",
	};

	return names[s];
}

void story_sum(struct story_sum *s, const struct story_files *f, const struct story_ref *refs,
	       size_t count, struct log_line *l)
{
	struct story_event e;

	memset(s, 0, sizeof(*s));
	s->total = s->dsts = 1;
	for (size_t i = 0; i < count; i++) {
		if (story_ref_read(f, &refs[i], l) && story_event_read(&e, l))
			add(s, l, &e, &refs[i]);
	}
	s->state = state_of(s);
}
