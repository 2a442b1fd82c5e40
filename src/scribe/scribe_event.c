#include "scribe/scribe_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *side_name(uint8_t side)
{
	return side == SIDE_SP ? "sp" : side == SIDE_GW ? "gw" : "smscope";
}

static struct span text_of(const struct session_event *e)
{
	return span_of(e->text, strnlen(e->text, sizeof(e->text)));
}

/*
 * "ECONNRESET (Connection reset by peer)", and what the table of errors says; `to` lives as long as the
 * record.
 */
static void put_error(const struct scope *s, struct record *r, int error, char *to, size_t cap)
{
	struct code_answer meaning;
	const char *name = strerrorname_np(abs(error)), *words = strerrordesc_np(abs(error));
	struct out o = out_of(to, cap - 1);

	if (error == 0 || name == NULL)
		return;
	out_str(&o, name);
	out_str(&o, " (");
	out_str(&o, words);
	out_char(&o, ')');
	*o.pos = '\0';
	record_words_extra(r, "error", to);
	if (scope_meaning(s, CTX_ERRNO, abs(error), &meaning, 1) > 0)
		record_words_extra(r, "error_zh", meaning.row->zh);
}

/* The words behind the first ones of an event's text; empty: there are none. */
static struct span more_of(const struct session_event *e)
{
	size_t at = strnlen(e->text, sizeof(e->text) - 1) + 1;

	return at < sizeof(e->text) ? span_of(e->text + at, strnlen(e->text + at, sizeof(e->text) - at)) :
		span_of(e->text, 0);
}

/* The words of a session that has some; NULL: memory is short. */
static struct track_words *words_of(struct track *t)
{
	if (t->words == NULL)
		t->words = calloc(1, sizeof(*t->words));
	return t->words;
}

/* Remember which servers did not answer: smscope's own answer to the login is told with it. */
static void note_server(struct track *t, const struct session_event *e)
{
	const char *name = strerrorname_np(abs(e->error));
	struct track_words *w = t->words;
	struct out o;
	size_t n;

	if (e->kind == EVENT_UPSTREAM_UP) {
		if (w != NULL)
			w->down[0] = '\0';
		return;
	}
	w = words_of(t);
	if (w == NULL)
		return;
	n = strlen(w->down);
	o = out_of(w->down + n, sizeof(w->down) - n - 1);
	out_str(&o, n == 0 ? "no server answers: " : ", ");
	text_escape(&o, text_of(e), false);
	out_char(&o, ' ');
	if (more_of(e).n > 0)
		text_escape(&o, more_of(e), false);
	else
		out_str(&o, name != NULL ? name : "?");
	*o.pos = '\0';
}

/* The words behind those of more_of(). */
static struct span last_of(const struct session_event *e)
{
	struct span more = more_of(e);
	size_t at = (size_t)((const char *)more.p - e->text) + more.n + 1;

	return at < sizeof(e->text) ? span_of(e->text + at, strnlen(e->text + at, sizeof(e->text) - at)) :
		span_of(e->text, 0);
}

static void on_open(struct scribe *s, const struct ring_entry *entry)
{
	struct track *t = scribe_track(s, entry);
	struct record r;

	if (t == NULL || t->scope == NULL)
		return;
	scope_record(t->scope, &r, REC_SESSION_OPEN, entry->wall_ns);
	if (t->peer[0] != '\0')
		record_text_extra(&r, "peer", span_of(t->peer, strlen(t->peer)));
	scribe_emit(s, &r);
}

static void on_tls(struct scribe *s, const struct ring_entry *entry, const struct session_event *e)
{
	struct track *t = scribe_track(s, entry);
	struct span name = more_of(e);
	struct track_words *w = t != NULL && e->side <= SIDE_GW ? words_of(t) : NULL;

	if (w == NULL)
		return;
	snprintf(w->tls[e->side], sizeof(w->tls[0]), "%.*s", (int)sizeof(w->tls[0]) - 1, e->text);
	if (e->side == SIDE_SP)
		snprintf(w->tls_name, sizeof(w->tls_name), "%.*s", (int)name.n, (const char *)name.p);
}

void scribe_put_tls(struct record *r, const struct track *t)
{
	const struct track_words *w = t->words;

	if (w == NULL)
		return;
	if (w->tls[SIDE_SP][0] != '\0')
		record_words_extra(r, "tls", w->tls[SIDE_SP]);
	if (w->tls_name[0] != '\0')
		record_text_extra(r, "tls_name", span_of(w->tls_name, strlen(w->tls_name)));
	if (w->tls[SIDE_GW][0] != '\0')
		record_words_extra(r, "upstream_tls", w->tls[SIDE_GW]);
}

/* At which step the session ended. */
static const char *step_of(const struct scope_summary *x)
{
	switch (x->login) {
	case LOGIN_NONE:
		return "before login";
	case LOGIN_ASKED:
		return "login unanswered";
	case LOGIN_REFUSED:
		return "login refused";
	default:
		return x->logout ? "after logout" : "in traffic";
	}
}

static void put_end(struct record *r, const struct session_event *e, const struct scope_summary *x)
{
	bool logout = x->logout && (e->how == END_FIN || e->how == END_RESET ||
				    e->how == END_NONE);

	record_words_extra(r, "by", side_name(logout ? (uint8_t)x->logout_by : e->side));
	if (logout)
		record_words_extra(r, "how", r->proto->logout_word);
	else
		record_words_extra(r, "how", end_how_name((enum end_how)e->how));
	record_words_extra(r, "step", step_of(x));
}

static uint64_t since(uint64_t now_us, uint64_t us)
{
	return now_us > us ? now_us - us : 0;
}

/* What is left open, and what each side said last. */
static void put_balance(struct record *r, const struct scope_summary *x, uint64_t now_us)
{
	static const char *const keys[2][7] = {
		{ "unanswered", "oldest", "sp_last", "sp_ago", "sp_probe_ago", "sp_probe_rtt",
		  "sp_probe_open" },
		{ "gw_unanswered", "gw_oldest", "gw_last", "gw_ago", "gw_probe_ago", "gw_probe_rtt",
		  "gw_probe_open" },
	};

	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		if (side == SIDE_GW && x->unanswered[side] == 0)
			continue;
		record_uint_extra(r, keys[side][0], x->unanswered[side]);
		if (x->unanswered[side] > 0)
			record_ms_extra(r, keys[side][1], since(now_us, x->oldest_us[side]));
	}
	if (x->forgotten > 0)
		record_uint_extra(r, "forgotten", x->forgotten);
	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		if (x->last[side] == NULL)
			continue;
		record_words_extra(r, keys[side][2], x->last[side]);
		record_ms_extra(r, keys[side][3], since(now_us, x->last_us[side]));
		if (x->probe_us[side] != 0)
			record_ms_extra(r, keys[side][4], since(now_us, x->probe_us[side]));
		if (x->probe_rtt_us[side] != 0)
			record_ms_extra(r, keys[side][5], x->probe_rtt_us[side]);
		if (x->probe_open_us[side] != 0)
			record_ms_extra(r, keys[side][6], since(now_us, x->probe_open_us[side]));
	}
}

/* The number that the gateway's own log has for such an end, where its vendor's tables have one. */
static void put_hint(const struct scope *s, struct record *r, const struct scope_summary *x,
	uint64_t now_us)
{
	enum { PROBE_UNANSWERED = 19003, LOGIN_UNANSWERED = 19006, OPEN_US = 2000000 };
	struct code_answer hint;
	int64_t number = 0;

	if (x->login == LOGIN_ASKED)
		number = LOGIN_UNANSWERED;
	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		uint64_t open_us = x->probe_open_us[side];

		if (!x->logout && open_us != 0 && since(now_us, open_us) >= OPEN_US)
			number = PROBE_UNANSWERED;
	}
	if (number == 0 || scope_meaning(s, CTX_LOG, number, &hint, 1) == 0)
		return;
	record_uint_extra(r, "hint", (uint64_t)number);
	record_words_extra(r, "hint_table", hint.table->name);
	record_words_extra(r, "hint_zh", hint.row->zh);
	record_words_extra(r, "hint_en", hint.row->en);
}

/* Nothing of the session was told: the engine died as it began. */
static bool unheard_of(struct scribe *s, const struct ring_entry *entry)
{
	return entry->slot < s->shm->session_max && s->tracks[entry->slot].session != entry->session &&
	       shm_seen(s->shm, entry->slot)->session != entry->session;
}

static void on_close(struct scribe *s, const struct ring_entry *entry,
		     const struct session_event *e)
{
	struct scope_summary x;
	struct track *t;
	struct record r;
	char error[96];

	if (e->how == END_ENGINE && unheard_of(s, entry))
		return; /* who has no beginning has no end */
	t = scribe_track(s, entry);
	if (t == NULL || t->scope == NULL)
		return;
	scribe_release(s, t->session);
	scope_summary(t->scope, &x);
	scope_record(t->scope, &r, REC_SESSION_CLOSE, entry->wall_ns);
	put_end(&r, e, &x);
	put_error(t->scope, &r, e->error, error, sizeof(error));
	if (e->text[0] != '\0')
		record_words_extra(&r, "detail", e->text);
	if (x.account[0] != '\0')
		record_text_extra(&r, "account", span_of(x.account, strlen(x.account)));
	if (t->peer[0] != '\0')
		record_text_extra(&r, "peer", span_of(t->peer, strlen(t->peer)));
	scribe_put_tls(&r, t);
	record_ms_extra(&r, "lasted", since(entry->mono_ns / 1000, t->opened_mono_ns / 1000));
	put_hint(t->scope, &r, &x, entry->mono_ns / 1000);
	put_balance(&r, &x, entry->mono_ns / 1000);
	record_uint_extra(&r, "sp_octets", e->octets[SIDE_SP]);
	record_uint_extra(&r, "gw_octets", e->octets[SIDE_GW]);
	scribe_emit(s, &r);
	track_end(s, t);
}

static void on_refused(struct scribe *s, const struct ring_entry *entry,
		       const struct session_event *e)
{
	struct record r;

	record_init(&r, REC_REFUSED);
	r.wall_ns = entry->wall_ns;
	r.link = s->links[scribe_link_of(s, entry->link)].name;
	record_words_extra(&r, "reason", end_how_name((enum end_how)e->how));
	record_uint_extra(&r, "count", e->value);
	if (e->text[0] != '\0')
		record_text_extra(&r, "peer", text_of(e));
	scribe_emit(s, &r);
}

/* What a server did that is in `e`, and a session was there or none. */
static void put_upstream(struct record *r, const struct session_event *e)
{
	static const char *const states[] = {
		[EVENT_UPSTREAM_UP] = "up",
		[EVENT_UPSTREAM_DOWN] = "down",
		[EVENT_UPSTREAM_FAILED] = "failed",
		[EVENT_UPSTREAM_MOVED] = "moved",
	};

	record_words_extra(r, "state", states[e->kind]);
	record_text_extra(r, "server", text_of(e));
	if (e->value > 0)
		record_uint_extra(r, "failures", e->value);
	if (e->kind == EVENT_UPSTREAM_MOVED) {
		record_text_extra(r, "address", more_of(e));
		record_text_extra(r, "address_was", last_of(e));
	} else if (more_of(e).n > 0) {
		record_text_extra(r, "detail", more_of(e));
	}
}

/* A server that no session was dialling. */
static void on_upstream(struct scribe *s, const struct ring_entry *entry,
			const struct session_event *e)
{
	struct record r;

	record_init(&r, REC_UPSTREAM);
	r.wall_ns = entry->wall_ns;
	r.link = s->links[scribe_link_of(s, entry->link)].name;
	put_upstream(&r, e);
	scribe_emit(s, &r);
}

static bool is_upstream(const struct session_event *e)
{
	return e->kind == EVENT_UPSTREAM_UP || e->kind == EVENT_UPSTREAM_DOWN ||
		e->kind == EVENT_UPSTREAM_FAILED || e->kind == EVENT_UPSTREAM_MOVED;
}

/* Events in the middle of a session. */
static void on_session(struct scribe *s, const struct ring_entry *entry,
		       const struct session_event *e)
{
	struct track *t = scribe_track(s, entry);
	struct record r;
	char error[96];

	if (t == NULL || t->scope == NULL)
		return;
	scope_record(t->scope, &r,
		     e->kind == EVENT_BLIND   ? REC_BLIND
		     : e->kind == EVENT_STALL ? REC_STALL
					      : REC_UPSTREAM,
		     entry->wall_ns);
	if (is_upstream(e)) {
		note_server(t, e);
		put_upstream(&r, e);
		put_error(t->scope, &r, e->error, error, sizeof(error));
	} else {
		record_words_extra(&r, "from", side_name(e->side));
		record_uint_extra(&r, "offset", entry->offset);
		if (e->kind == EVENT_STALL)
			record_uint_extra(&r, "octets", e->value);
		else
			record_uint_extra(&r, "length", e->value);
		if (e->how != END_NONE)
			record_words_extra(&r, "reason", end_how_name((enum end_how)e->how));
		if (e->text[0] != '\0')
			record_text_extra(&r, "speaks", text_of(e));
	}
	scribe_emit(s, &r);
}

void scribe_event(struct scribe *s, const struct ring_entry *entry)
{
	struct session_event e;

	if (entry->len < sizeof(e))
		return;
	memcpy(&e, entry + 1, sizeof(e));
	e.text[sizeof(e.text) - 1] = '\0';
	scribe_tally_event(s, &e);
	switch (e.kind) {
	case EVENT_OPEN:
		on_open(s, entry);
		break;
	case EVENT_CLOSE:
		on_close(s, entry, &e);
		break;
	case EVENT_TLS:
		on_tls(s, entry, &e);
		break;
	case EVENT_REFUSED:
		on_refused(s, entry, &e);
		break;
	case EVENT_BLIND:
	case EVENT_STALL:
		on_session(s, entry, &e);
		break;
	case EVENT_UPSTREAM_UP:
	case EVENT_UPSTREAM_DOWN:
	case EVENT_UPSTREAM_FAILED:
	case EVENT_UPSTREAM_MOVED:
		if (entry->session == 0)
			on_upstream(s, entry, &e);
		else
			on_session(s, entry, &e);
		break;
	default:
		break;
	}
}
