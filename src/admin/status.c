#include "admin/status.h"

#include <unistd.h>

#include "admin/certificates.h"
#include "admin/servers.h"
#include "admin/sessions.h"
#include "admin/stories.h"
#include "base/clock.h"
#include "smscope/record.h"

/*
 * `status`, for people and for programs. What is told of a link is a row of link_lines[] and one
 * of link_members[]; of the process, of rings or of logs, a part of the lists at the end.
 */

enum { LINE_WIDTH = 100, INDENT = 2, LABEL_WIDTH = 10 };

static const char *const result_names[RESULT_COUNT] = {
	[RESULT_LOGIN] = "logins",
	[RESULT_SUBMIT] = "submits",
	[RESULT_REPORT] = "reports",
};

/* A line of words that is broken before it gets too long; without a word there is none. */
struct line {
	struct reply *r;
	const char *label;
	int column; /* 0: nothing is written yet */
};

static struct line line_begin(struct reply *r, const char *label)
{
	return (struct line){ r, label, 0 };
}

static void line_put(struct line *l, const char *word, uint64_t n)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s %llu", word, (unsigned long long)n);

	if (l->column == 0 || l->column + 2 + len > LINE_WIDTH) {
		out_fmt(l->r->out, "%s%*s%-*s%s", l->column > 0 ? "\n" : "", INDENT, "",
			LABEL_WIDTH, l->column > 0 ? "" : l->label, text);
		l->column = INDENT + LABEL_WIDTH + len;
		return;
	}
	out_fmt(l->r->out, "  %s", text);
	l->column += 2 + len;
}

static void line_end(const struct line *l)
{
	if (l->column > 0)
		out_char(l->r->out, '\n');
}

static uint64_t since_us(uint64_t mono_ns)
{
	return (clock_mono_ns() - mono_ns) / 1000;
}

static uint32_t older_engines(const struct shm *s)
{
	uint32_t n = 0;

	for (int set = 0; set < SHM_SETS; set++)
		n += atomic_load(&s->older[set]) != 0;
	return n;
}

static void text_failed(struct reply *r, int kind)
{
	const struct shm_change *c = shm_last(r->admin->shm, kind);

	if (c != NULL && c->failed)
		out_fmt(r->out, "the last %s failed: %.*s\n", kind == SHM_UPGRADE ? "upgrade" : "reload",
			(int)sizeof(c->text), c->text);
}

static bool text_head(struct reply *r, uint32_t i)
{
	const struct admin *a = r->admin;
	uint32_t count = 0;

	if (i > 0)
		return false;
	for (int l = 0; r->sessions != NULL && l <= a->settings->link_count; l++)
		for (int s = SESSION_ACCEPTED; s < SESSION_CLOSED; s++)
			count += r->sessions[l].states[s];
	out_fmt(r->out, "smscope %s, up ", a->version);
	record_duration(r->out, since_us(a->shm->made_mono_ns));
	out_fmt(r->out, "; engine pid %d, start %llu, up ", (int)getpid(),
		(unsigned long long)atomic_load(&a->shm->engine_starts));
	record_duration(r->out, since_us(a->started_mono_ns));
	out_fmt(r->out, "\nlinks %d, workers %d, sessions %u of %u%s\n", a->settings->link_count,
		a->settings->workers, count, a->shm->session_max,
		admin_scribe(a) != NULL ? "" : "; nothing is decoded yet");
	for (uint32_t n = older_engines(a->shm); n > 0; n--)
		out_str(r->out, "an engine of before still has sessions that cannot move\n");
	if (atomic_load(&a->ending))
		out_str(r->out, "ENDING: nobody is let in any more; the sessions may end on their own for drain_timeout\n");
	if (a->settings->blind)
		out_str(r->out, "BLIND: PDUs are relayed without being looked at; reload to see again\n");
	for (int k = 0; k < SHM_CHANGE_KINDS; k++)
		text_failed(r, k);
	stories_text(r);
	return true;
}

static const char *proto_name(const struct link_settings *l)
{
	return l->proto != NULL ? l->proto->name : "auto";
}

/* The table of links: sessions by state. Item 0 is its head. */
static bool text_sessions(struct reply *r, uint32_t i)
{
	const struct settings *s = r->admin->settings;
	static const struct link_sessions none;
	const struct link_sessions *l;

	if (i > (uint32_t)s->link_count)
		return false;
	if (i == 0) {
		out_fmt(r->out, "\n%-*s  %-8s  %8s  %8s  %8s  %8s  %9s  %5s\n", r->name_width,
			"LINK", "PROTOCOL", "ACCEPTED", "DIALING", "RELAYING", "DRAINING", "LOGGED-IN",
			"BLIND");
		return true;
	}
	l = r->sessions != NULL ? &r->sessions[i - 1] : &none;
	out_fmt(r->out, "%-*s  %-8s  %8u  %8u  %8u  %8u  %9u  %5u\n", r->name_width,
		s->links[i - 1].name, proto_name(&s->links[i - 1]), l->states[SESSION_ACCEPTED],
		l->states[SESSION_DIALING], l->states[SESSION_RELAYING],
		l->states[SESSION_DRAINING], l->logged_in, l->blind);
	return true;
}

/* What a link's writers have in hand. */
struct link_in_hand {
	int index; /* of the link */
	struct scribe *scribe;
	struct scribe_link_counts counts;
};

static void text_records(struct reply *r, const struct link_in_hand *l)
{
	struct line line = line_begin(r, "records");

	for (int k = 0; k < REC_COUNT; k++)
		if (l->counts.records[k] > 0)
			line_put(&line, record_kind_name((enum record_kind)k),
				l->counts.records[k]);
	line_end(&line);
}

static void text_codes(struct reply *r, const struct link_in_hand *l)
{
	struct line line = line_begin(r, "codes");

	line_put(&line, "known", l->counts.known);
	line_put(&line, "unknown", l->counts.unknown);
	line_end(&line);
}

static void text_results(struct reply *r, const struct link_in_hand *l)
{
	for (int i = 0; i < RESULT_COUNT; i++) {
		struct line line = line_begin(r, result_names[i]);

		for (int c = 0; c < CLASS_COUNT; c++)
			if (l->counts.results[i][c] > 0)
				line_put(&line, code_class_name((enum code_class)c),
					l->counts.results[i][c]);
		line_end(&line);
	}
}

static void text_ids(struct reply *r, const struct link_in_hand *l)
{
	stories_link_text(r, l->index);
}

static void text_ends(struct reply *r, const char *label, const uint64_t counts[static END_COUNT])
{
	struct line line = line_begin(r, label);

	for (int h = 0; h < END_COUNT; h++)
		if (counts[h] > 0)
			line_put(&line, end_how_name((enum end_how)h), counts[h]);
	line_end(&line);
}

static void text_connections(struct reply *r, const struct link_in_hand *l)
{
	struct line line = line_begin(r, "sessions");

	line_put(&line, "opened", l->counts.opened);
	line_end(&line);
	text_ends(r, "refused", l->counts.refused);
	text_ends(r, "ended", l->counts.ended);
}

static void text_servers(struct reply *r, const struct link_in_hand *l)
{
	servers_text(r, l->index);
}

static void text_tls(struct reply *r, const struct link_in_hand *l)
{
	certificates_text(r, l->index);
}

/* Lines about a link, each with line_begin() … line_end(). */
static void (*const link_lines[])(struct reply *, const struct link_in_hand *) = {
	text_servers,
	text_connections,
	text_records,
	text_codes,
	text_results,
	text_ids,
	text_tls,
};

/* False: there is no such link, or nothing was counted. */
static bool take_link(const struct reply *r, uint32_t i, struct link_in_hand *ret)
{
	ret->index = (int)i;
	ret->scribe = admin_scribe(r->admin);
	return ret->scribe != NULL && i < (uint32_t)r->admin->settings->link_count &&
		scribe_link_counts(ret->scribe, (int)i, &ret->counts);
}

static bool text_link(struct reply *r, uint32_t i)
{
	struct link_in_hand l;

	if (!take_link(r, i, &l))
		return false;
	out_fmt(r->out, "\n%s\n", r->admin->settings->links[i].name);
	for (size_t k = 0; k < sizeof(link_lines) / sizeof(link_lines[0]); k++)
		link_lines[k](r, &l);
	return true;
}

/* One line for all rings: how many records each had no room for. */
static bool text_rings(struct reply *r, uint32_t i)
{
	struct line line;

	if (i > 0)
		return false;
	out_str(r->out, "\nrecords lost before decoding, by worker\n");
	line = line_begin(r, "worker");
	for (uint32_t w = 0; w < r->admin->shm->workers; w++) {
		char name[16];

		snprintf(name, sizeof(name), "%u:", w);
		line_put(&line, name, shm_lost(r->admin->shm, w));
	}
	line_end(&line);
	return true;
}

static bool text_logs(struct reply *r, uint32_t i)
{
	struct scribe *s = admin_scribe(r->admin);
	struct scribe_sink k;

	if (s == NULL)
		return false;
	if (i == 0) {
		out_fmt(r->out, "\n%12s  %12s  %8s  %12s  %s\n", "LINES", "DROPPED", "ERRORS",
			"QUEUED", "LOG");
		return true;
	}
	if (!scribe_sink(s, (int)i - 1, &k))
		return false;
	out_fmt(r->out, "%12llu  %12llu  %8llu  %12u  ", (unsigned long long)k.counts.lines,
		(unsigned long long)k.counts.dropped, (unsigned long long)k.counts.errors,
		k.counts.queued);
	text_escape(r->out, span_of(k.name, strlen(k.name)), false);
	out_char(r->out, '\n');
	return true;
}

static void json_change(struct reply *r, const char *name, const struct shm_change *c, uint64_t number)
{
	if (number == 0) {
		reply_text(r, name, NULL);
		return;
	}
	reply_open(r, name, '{');
	reply_uint(r, "number", number);
	reply_text(r, "what", c->upgrade ? "upgrade" : "reload");
	reply_flag(r, "failed", c->failed);
	reply_time(r, "time", c->wall_ns);
	reply_octets(r, "text", span_of(c->text, strnlen(c->text, sizeof(c->text))));
	reply_close(r, '}');
}

/* The last change, and the last one of each kind. */
static void json_changes(struct reply *r)
{
	static const char *const names[] = { [SHM_RELOAD] = "last_reload", [SHM_UPGRADE] = "last_upgrade" };
	const struct shm *s = r->admin->shm;

	json_change(r, "change", shm_change(s), atomic_load(&s->change_number));
	for (int k = 0; k < SHM_CHANGE_KINDS; k++)
		json_change(r, names[k], &s->kinds[k].last, atomic_load(&s->kinds[k].last_number));
}

static bool json_head(struct reply *r, uint32_t i)
{
	const struct admin *a = r->admin;

	if (i > 0)
		return false;
	reply_open(r, NULL, '{');
	reply_text(r, "version", a->version);
	reply_time(r, "time", clock_wall_ns());
	reply_uint(r, "uptime_s", since_us(a->shm->made_mono_ns) / 1000000);
	reply_open(r, "engine", '{');
	reply_uint(r, "pid", (uint64_t)getpid());
	reply_uint(r, "starts", atomic_load(&a->shm->engine_starts));
	reply_uint(r, "uptime_s", since_us(a->started_mono_ns) / 1000000);
	reply_flag(r, "decoding", admin_scribe(a) != NULL);
	reply_flag(r, "blind", a->settings->blind);
	reply_uint(r, "older", older_engines(a->shm));
	reply_close(r, '}');
	reply_flag(r, "ending", atomic_load(&a->ending));
	json_changes(r);
	reply_uint(r, "workers", (uint64_t)a->settings->workers);
	reply_uint(r, "max_sessions", a->shm->session_max);
	stories_json(r);
	reply_open(r, "links", '[');
	return true;
}

static void json_records(struct reply *r, const struct link_in_hand *l)
{
	reply_open(r, "records", '{');
	for (int k = 0; k < REC_COUNT; k++)
		if (l->counts.records[k] > 0)
			reply_uint(r, record_kind_name((enum record_kind)k), l->counts.records[k]);
	reply_close(r, '}');
}

static void json_codes(struct reply *r, const struct link_in_hand *l)
{
	reply_open(r, "codes", '{');
	reply_uint(r, "known", l->counts.known);
	reply_uint(r, "unknown", l->counts.unknown);
	reply_close(r, '}');
}

static void json_results(struct reply *r, const struct link_in_hand *l)
{
	for (int i = 0; i < RESULT_COUNT; i++) {
		reply_open(r, result_names[i], '{');
		for (int c = 0; c < CLASS_COUNT; c++)
			if (l->counts.results[i][c] > 0)
				reply_uint(r, code_class_name((enum code_class)c),
					l->counts.results[i][c]);
		reply_close(r, '}');
	}
}

static void json_ids(struct reply *r, const struct link_in_hand *l)
{
	stories_link_json(r, l->index);
}

static void json_ends(struct reply *r, const char *name, const uint64_t counts[static END_COUNT])
{
	reply_open(r, name, '{');
	for (int h = 0; h < END_COUNT; h++)
		if (counts[h] > 0)
			reply_uint(r, end_how_name((enum end_how)h), counts[h]);
	reply_close(r, '}');
}

static void json_connections(struct reply *r, const struct link_in_hand *l)
{
	reply_uint(r, "opened", l->counts.opened);
	json_ends(r, "refused", l->counts.refused);
	json_ends(r, "ended", l->counts.ended);
}

static void json_tls(struct reply *r, const struct link_in_hand *l)
{
	certificates_json(r, l->index);
}

/* Members of a link's object. */
static void (*const link_members[])(struct reply *, const struct link_in_hand *) = {
	json_connections,
	json_records,
	json_codes,
	json_results,
	json_ids,
	json_tls,
};

static void json_states(struct reply *r, const struct link_sessions *l)
{
	reply_open(r, "sessions", '{');
	for (int s = SESSION_ACCEPTED; s < SESSION_CLOSED; s++)
		reply_uint(r, session_state_name((enum session_state)s), l->states[s]);
	reply_close(r, '}');
	reply_uint(r, "logged_in", l->logged_in);
	reply_uint(r, "blind", l->blind);
}

static bool json_link(struct reply *r, uint32_t i)
{
	const struct settings *s = r->admin->settings;
	struct link_in_hand l;

	if (i >= (uint32_t)s->link_count)
		return false;
	reply_open(r, NULL, '{');
	reply_text(r, "name", s->links[i].name);
	reply_text(r, "protocol", proto_name(&s->links[i]));
	if (r->sessions != NULL)
		json_states(r, &r->sessions[i]);
	servers_json(r, (int)i);
	if (take_link(r, i, &l))
		for (size_t k = 0; k < sizeof(link_members) / sizeof(link_members[0]); k++)
			link_members[k](r, &l);
	reply_close(r, '}');
	return true;
}

static bool json_rings(struct reply *r, uint32_t i)
{
	if (i > 0)
		return false;
	reply_close(r, ']');
	reply_open(r, "rings", '[');
	for (uint32_t w = 0; w < r->admin->shm->workers; w++) {
		reply_open(r, NULL, '{');
		reply_uint(r, "worker", w);
		reply_uint(r, "lost", shm_lost(r->admin->shm, w));
		reply_close(r, '}');
	}
	reply_close(r, ']');
	reply_open(r, "logs", '[');
	return true;
}

static bool json_logs(struct reply *r, uint32_t i)
{
	struct scribe *s = admin_scribe(r->admin);
	struct scribe_sink k;

	if (s == NULL || !scribe_sink(s, (int)i, &k))
		return false;
	reply_open(r, NULL, '{');
	reply_text(r, "name", k.name);
	reply_uint(r, "lines", k.counts.lines);
	reply_uint(r, "octets", k.counts.octets);
	reply_uint(r, "dropped", k.counts.dropped);
	reply_uint(r, "errors", k.counts.errors);
	reply_uint(r, "queued", k.counts.queued);
	reply_close(r, '}');
	return true;
}

const struct part status_text[] = {
	{ sessions_count }, { text_head }, { text_sessions }, { text_link }, { text_rings },
	{ text_logs }, { NULL }
};
const struct part status_json[] = {
	{ sessions_count }, { json_head }, { json_link }, { json_rings }, { json_logs },
	{ reply_end_list }, { reply_end_object }, { NULL }
};
