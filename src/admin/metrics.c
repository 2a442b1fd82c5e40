#include "admin/metrics.h"

#include <stdlib.h>

#include "admin/certificates.h"
#include "admin/servers.h"
#include "admin/sessions.h"
#include "admin/stories.h"
#include "smscope/record.h"

/*
 * A family is a row of families[]: its name, type, help, how many samples it has now and how to
 * write one. Per-link counts come from scribe_link_counts(): one sample a link, or links × values.
 */

enum { LABEL_ROOM = 4096 };

/* Inside the quotes of a label: valid UTF-8 without line breaks, quotes and backslashes escaped. */
static void put_label(struct out *o, const char *value)
{
	char room[LABEL_ROOM];
	struct out text = out_of(room, sizeof(room));

	text_escape(&text, span_of(value, strlen(value)), false);
	for (const char *p = room; p < text.pos; p++) {
		if (*p == '\n') {
			out_str(o, "\\n");
			continue;
		}
		if (*p == '"' || *p == '\\')
			out_char(o, '\\');
		out_char(o, *p);
	}
}

void metrics_sample(struct out *o, const char *name, uint64_t v, const char *const *labels)
{
	char comma = '{';

	out_str(o, name);
	for (; labels[0] != NULL; labels += 2) {
		out_char(o, comma);
		out_str(o, labels[0]);
		out_str(o, "=\"");
		put_label(o, labels[1]);
		out_char(o, '"');
		comma = ',';
	}
	out_str(o, comma == ',' ? "} " : " ");
	out_dec(o, v);
	out_char(o, '\n');
}

#define SAMPLE(r, name, v, ...) \
	metrics_sample((r)->out, (name), (v), (const char *const[]){ __VA_ARGS__, NULL })

static uint32_t link_count(const struct reply *r)
{
	return (uint32_t)r->admin->settings->link_count;
}

/* Of link_count + 1, the last of which stands for what belongs to none. */
static const char *link_name(const struct reply *r, uint32_t i)
{
	return i < link_count(r) ? r->admin->settings->links[i].name : "-";
}

static void number_text(uint32_t n, char to[static 16])
{
	snprintf(to, 16, "%u", n);
}

static uint32_t one(const struct reply *r)
{
	(void)r;
	return 1;
}

static void build_info(struct reply *r, const char *name, uint32_t i)
{
	(void)i;
	SAMPLE(r, name, 1, "version", r->admin->version);
}

static void start_time(struct reply *r, const char *name, uint32_t i)
{
	(void)i;
	metrics_sample(r->out, name, r->admin->started_wall_ns / 1000000000u,
		(const char *const[]){ NULL });
}

static uint32_t three(const struct reply *r)
{
	(void)r;
	return 3;
}

/* The first one, and those that followed a death. */
static void engine_starts(struct reply *r, const char *name, uint32_t i)
{
	static const char *const reasons[] = { "start", "death", "change" };
	uint64_t starts = atomic_load(&r->admin->shm->engine_starts);
	uint64_t deaths = atomic_load(&r->admin->shm->engine_deaths);
	uint64_t first = starts > 0, rest = starts - first;

	if (deaths > rest)
		deaths = rest; /* the next one is still to come */
	SAMPLE(r, name, i == 0 ? first : i == 1 ? deaths : rest - deaths, "reason", reasons[i]);
}

enum { STATES = SESSION_CLOSED - SESSION_ACCEPTED };

static uint32_t each_link(const struct reply *r)
{
	return r->sessions != NULL ? link_count(r) : 0;
}

static uint32_t each_state(const struct reply *r)
{
	return each_link(r) * STATES;
}

static void sessions(struct reply *r, const char *name, uint32_t i)
{
	enum session_state state = (enum session_state)(SESSION_ACCEPTED + i % STATES);

	SAMPLE(r, name, r->sessions[i / STATES].states[state], "link", link_name(r, i / STATES),
		"state", session_state_name(state));
}

static void session_up(struct reply *r, const char *name, uint32_t i)
{
	SAMPLE(r, name, r->sessions[i].logged_in, "link", link_name(r, i));
}

static void blind_sessions(struct reply *r, const char *name, uint32_t i)
{
	SAMPLE(r, name, r->sessions[i].blind, "link", link_name(r, i));
}

/* A link's counts; all zero when nothing is counted yet. */
static struct scribe_link_counts counts_of(const struct reply *r, uint32_t link)
{
	struct scribe_link_counts c = { .known = 0 };
	struct scribe *s = admin_scribe(r->admin);

	if (s != NULL)
		(void)scribe_link_counts(s, (int)link, &c);
	return c;
}

/* Sessions opened, and one sample a reason; those that no connection is refused for are not written. */
static uint32_t each_connection(const struct reply *r)
{
	return link_count(r) * END_COUNT;
}

static void connections(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_link_counts c = counts_of(r, i / END_COUNT);
	unsigned how = i % END_COUNT;

	if (how == END_NONE)
		SAMPLE(r, name, c.opened, "link", link_name(r, i / END_COUNT), "result",
			"opened");
	else
		SAMPLE(r, name, c.refused[how], "link", link_name(r, i / END_COUNT), "result",
			end_how_name((enum end_how)how));
}

static void session_ends(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_link_counts c = counts_of(r, i / END_COUNT);
	unsigned how = i % END_COUNT;

	SAMPLE(r, name, c.ended[how], "link", link_name(r, i / END_COUNT), "reason",
		end_how_name((enum end_how)how));
}

static uint32_t each_kind(const struct reply *r)
{
	return (link_count(r) + 1) * REC_COUNT;
}

static void records(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_link_counts c = counts_of(r, i / REC_COUNT);

	SAMPLE(r, name, c.records[i % REC_COUNT], "link", link_name(r, i / REC_COUNT), "kind",
		record_kind_name((enum record_kind)(i % REC_COUNT)));
}

enum { OUTCOMES = 3 };

static uint32_t each_outcome(const struct reply *r)
{
	return link_count(r) * OUTCOMES;
}

static void annotations(struct reply *r, const char *name, uint32_t i)
{
	static const char *const names[] = { "known", "unknown", "failed" };
	struct scribe_link_counts c = counts_of(r, i / OUTCOMES);
	const uint64_t values[] = { c.known, c.unknown, c.records[REC_MALFORMED] };

	SAMPLE(r, name, values[i % OUTCOMES], "link", link_name(r, i / OUTCOMES), "outcome",
		names[i % OUTCOMES]);
}

static uint32_t each_class(const struct reply *r)
{
	return link_count(r) * CLASS_COUNT;
}

static void results(struct reply *r, const char *name, uint32_t i, enum scribe_result result)
{
	struct scribe_link_counts c = counts_of(r, i / CLASS_COUNT);

	SAMPLE(r, name, c.results[result][i % CLASS_COUNT], "link", link_name(r, i / CLASS_COUNT),
		"class", code_class_name((enum code_class)(i % CLASS_COUNT)));
}

static void logins(struct reply *r, const char *name, uint32_t i)
{
	results(r, name, i, RESULT_LOGIN);
}

static void submits(struct reply *r, const char *name, uint32_t i)
{
	results(r, name, i, RESULT_SUBMIT);
}

static void reports(struct reply *r, const char *name, uint32_t i)
{
	results(r, name, i, RESULT_REPORT);
}

static uint32_t each_unknown(const struct reply *r)
{
	return admin_scribe(r->admin) != NULL ? link_count(r) : 0;
}

static void unknown_codes(struct reply *r, const char *name, uint32_t i)
{
	int count = scribe_unknown(admin_scribe(r->admin), (int)i, NULL, 0);

	SAMPLE(r, name, (uint64_t)count, "link", link_name(r, i));
}

/* The rules of all links, one behind the other. */
static uint32_t each_edit_rule(const struct reply *r)
{
	uint32_t count = 0;

	for (int i = 0; i < r->admin->settings->link_count; i++)
		count += (uint32_t)r->admin->settings->links[i].rule_count;
	return count;
}

static void rewrites(struct reply *r, const char *name, uint32_t i)
{
	const struct link_settings *l = r->admin->settings->links;
	uint32_t link = 0;

	while (i >= (uint32_t)l[link].rule_count)
		i -= (uint32_t)l[link++].rule_count;
	SAMPLE(r, name, counts_of(r, link).edits[i], "link", link_name(r, link), "rule",
		l[link].rules[i].name);
}

static uint32_t each_edit_refusal(const struct reply *r)
{
	return each_edit_rule(r) > 0 ? link_count(r) * (EDIT_REFUSALS - 1) : 0;
}

static void rewrite_refused(struct reply *r, const char *name, uint32_t i)
{
	uint32_t link = i / (EDIT_REFUSALS - 1), why = i % (EDIT_REFUSALS - 1) + 1;

	SAMPLE(r, name, counts_of(r, link).edits_refused[why], "link", link_name(r, link), "reason",
		edit_refusal_name((enum edit_refusal)why));
}

static uint32_t one_table(const struct reply *r)
{
	struct story_counts c;

	return stories_counts(r->admin, &c);
}

static void story_entries(struct reply *r, const char *name, uint32_t i)
{
	struct story_counts c = { 0 };

	(void)i;
	(void)stories_counts(r->admin, &c);
	SAMPLE(r, name, c.entries, NULL);
}

static void story_capacity(struct reply *r, const char *name, uint32_t i)
{
	struct story_counts c = { 0 };

	(void)i;
	(void)stories_counts(r->admin, &c);
	SAMPLE(r, name, c.limit, NULL);
}

static uint32_t both_reasons(const struct reply *r)
{
	return 2 * one_table(r);
}

static void story_evictions(struct reply *r, const char *name, uint32_t i)
{
	struct story_counts c = { 0 };

	(void)stories_counts(r->admin, &c);
	SAMPLE(r, name, i == 0 ? c.aged : c.evicted, "reason", i == 0 ? "age" : "capacity");
}

static void unreported(struct reply *r, const char *name, uint32_t i)
{
	struct story_counts c = { 0 };

	(void)i;
	(void)stories_counts(r->admin, &c);
	SAMPLE(r, name, c.unreported, NULL);
}

static uint32_t each_story_link(const struct reply *r)
{
	return one_table(r) * link_count(r);
}

static void orphan_reports(struct reply *r, const char *name, uint32_t i)
{
	struct id_evidence e = { 0 };

	(void)stories_evidence(r->admin, (int)i, &e);
	SAMPLE(r, name, e.reports - e.matched, "link", link_name(r, i));
}

static uint32_t each_rule(const struct reply *r)
{
	return each_story_link(r) * (ID_RULES - 1);
}

static void id_matches(struct reply *r, const char *name, uint32_t i)
{
	enum id_rule rule = (enum id_rule)(i % (ID_RULES - 1) + 1);
	uint32_t link = i / (ID_RULES - 1);
	struct id_evidence e = { 0 };

	(void)stories_evidence(r->admin, (int)link, &e);
	SAMPLE(r, name, e.by_rule[rule], "link", link_name(r, link), "rule", id_rule_words(rule));
}

static uint32_t each_worker(const struct reply *r)
{
	return r->admin->shm->workers;
}

static void records_lost(struct reply *r, const char *name, uint32_t i)
{
	char worker[16];

	number_text(i, worker);
	SAMPLE(r, name, shm_lost(r->admin->shm, i), "worker", worker);
}

static void ring_used(struct reply *r, const char *name, uint32_t i)
{
	char worker[16];

	number_text(i, worker);
	SAMPLE(r, name, shm_waiting(r->admin->shm, i), "worker", worker);
}

static uint32_t each_log(const struct reply *r)
{
	struct scribe *s = admin_scribe(r->admin);
	struct scribe_sink k;
	uint32_t n = 0;

	while (s != NULL && scribe_sink(s, (int)n, &k))
		n++;
	return n;
}

static struct scribe_sink log_of(const struct reply *r, uint32_t i)
{
	struct scribe_sink k = { .name = "" };

	(void)scribe_sink(admin_scribe(r->admin), (int)i, &k);
	return k;
}

static void log_lines(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_sink k = log_of(r, i);

	SAMPLE(r, name, k.counts.lines, "sink", k.name);
}

static void log_bytes(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_sink k = log_of(r, i);

	SAMPLE(r, name, k.counts.octets, "sink", k.name);
}

static void log_dropped(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_sink k = log_of(r, i);

	SAMPLE(r, name, k.counts.dropped, "sink", k.name);
}

static void log_errors(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_sink k = log_of(r, i);

	SAMPLE(r, name, k.counts.errors, "sink", k.name);
}

static void log_queue(struct reply *r, const char *name, uint32_t i)
{
	struct scribe_sink k = log_of(r, i);

	SAMPLE(r, name, k.counts.queued, "sink", k.name);
}

static uint32_t each_table(const struct reply *r)
{
	const struct code_set *codes = admin_codes_lock(r->admin);
	uint32_t count = codes != NULL ? (uint32_t)codes_table_count(codes) : 0;

	admin_codes_unlock(r->admin);
	return count;
}

static void last_of(struct reply *r, const char *name, int kind)
{
	const struct shm_change *c = shm_last(r->admin->shm, kind);

	if (c != NULL)
		metrics_sample(r->out, name, !c->failed, (const char *const[]){ NULL });
}

static void last_reload(struct reply *r, const char *name, uint32_t i)
{
	(void)i;
	last_of(r, name, SHM_RELOAD);
}

static void last_upgrade(struct reply *r, const char *name, uint32_t i)
{
	(void)i;
	last_of(r, name, SHM_UPGRADE);
}

static uint32_t one_reload(const struct reply *r)
{
	return shm_last(r->admin->shm, SHM_RELOAD) != NULL;
}

static uint32_t one_upgrade(const struct reply *r)
{
	return shm_last(r->admin->shm, SHM_UPGRADE) != NULL;
}

static void unkept(struct reply *r, const char *name, uint32_t i)
{
	(void)i;
	metrics_sample(r->out, name, atomic_load(&r->admin->shm->unkept), (const char *const[]){ NULL });
}

static void table_entries(struct reply *r, const char *name, uint32_t i)
{
	const struct code_set *codes = admin_codes_lock(r->admin);
	/* A reload between two samples may have left fewer. */
	const struct code_table *t = codes != NULL ? codes_table_at(codes, (int)i) : NULL;

	if (t != NULL)
		SAMPLE(r, name, (uint64_t)t->row_count, "table", t->name);
	admin_codes_unlock(r->admin);
}

static const struct family {
	const char *name, *type, *help;
	uint32_t (*count)(const struct reply *r);
	void (*sample)(struct reply *r, const char *name, uint32_t i);
} families[] = {
	{ "smscope_build_info", "gauge", "Always 1; the version is its label.", one, build_info },
	{ "process_start_time_seconds", "gauge", "When this engine started, since 1970.", one,
	  start_time },
	{ "smscope_engine_starts_total", "counter", "Engines started by this keeper.", three,
	  engine_starts },
	{ "smscope_config_last_reload_successful", "gauge",
	  "Whether the last reload was done.", one_reload, last_reload },
	{ "smscope_program_last_upgrade_successful", "gauge",
	  "Whether the last upgrade was done.", one_upgrade, last_upgrade },
	{ "smscope_sessions_unkept_total", "counter",
	  "Sockets that the keeper does not have: their sessions end with their engine.", one, unkept },
	{ "smscope_sessions", "gauge", "Sessions by state.", each_state, sessions },
	{ "smscope_session_up", "gauge", "Sessions whose login succeeded.", each_link, session_up },
	{ "smscope_blind_sessions", "gauge", "Directions of sessions that are relayed unparsed.",
	  each_link, blind_sessions },
	{ "smscope_connections_total", "counter",
	  "Connections of SPs that became sessions, and those turned away, by reason.",
	  each_connection, connections },
	{ "smscope_session_end_total", "counter", "Sessions that ended, by what ended them.",
	  each_connection, session_ends },
	{ "smscope_upstream_up", "gauge", "0: the gateway's server is down; 1: it is not, or not known to be.",
	  servers_count, servers_up },
	{ "smscope_upstream_sessions", "gauge", "Sessions that a gateway's server has.",
	  servers_count, servers_sessions },
	{ "smscope_upstream_failures_total", "counter",
	  "Sessions and probes that a gateway's server did not answer.", servers_count,
	  servers_failures },
	{ "smscope_records_total", "counter", "Records by kind.", each_kind, records },
	{ "smscope_annotations_total", "counter",
	  "Codes with and without a meaning, and PDUs that did not parse.", each_outcome,
	  annotations },
	{ "smscope_login_results_total", "counter", "Logins answered, by class of the result.",
	  each_class, logins },
	{ "smscope_submit_results_total", "counter", "Submits answered, by class of the result.",
	  each_class, submits },
	{ "smscope_reports_total", "counter", "Delivery reports, by class of the state.",
	  each_class, reports },
	{ "smscope_unknown_codes", "gauge", "Different codes that no table knows.", each_unknown,
	  unknown_codes },
	{ "smscope_rewrites_total", "counter", "PDUs that a rule changed.", each_edit_rule, rewrites },
	{ "smscope_rewrite_refused_total", "counter",
	  "PDUs that went out as they came although a rule asked for a change.", each_edit_refusal,
	  rewrite_refused },
	{ "smscope_correlation_entries", "gauge", "Messages that wait for their reports.",
	  one_table, story_entries },
	{ "smscope_correlation_capacity", "gauge", "The most there may be.", one_table,
	  story_capacity },
	{ "smscope_correlation_evictions_total", "counter", "Messages forgotten.", both_reasons,
	  story_evictions },
	{ "smscope_unreported_messages_total", "counter",
	  "Messages forgotten that had asked for a report and had no final one.", one_table,
	  unreported },
	{ "smscope_orphan_reports_total", "counter", "Reports whose message was not found.",
	  each_story_link, orphan_reports },
	{ "smscope_report_id_rules_total", "counter",
	  "Reports whose id the rule makes the response's; several rules may fit one.", each_rule,
	  id_matches },
	{ "smscope_records_lost_total", "counter", "Records that a full ring had no room for.",
	  each_worker, records_lost },
	{ "smscope_ring_used_bytes", "gauge", "What waits to be decoded.", each_worker, ring_used },
	{ "smscope_log_lines_total", "counter", "Lines written.", each_log, log_lines },
	{ "smscope_log_bytes_total", "counter", "Octets written.", each_log, log_bytes },
	{ "smscope_log_dropped_total", "counter", "Lines that a full queue had no room for.",
	  each_log, log_dropped },
	{ "smscope_log_errors_total", "counter", "Writes that failed.", each_log, log_errors },
	{ "smscope_log_queue_bytes", "gauge", "What waits to be written.", each_log, log_queue },
	{ "smscope_tls_handshakes_total", "counter",
	  "TLS handshakes with SPs (side sp) and gateways (side gw), by result.", handshakes_count,
	  handshakes_sample },
	{ "smscope_tls_certificate_not_after_timestamp_seconds", "gauge",
	  "When a certificate of ours expires, since 1970.", certificates_count,
	  certificates_sample },
	{ "smscope_code_table_entries", "gauge", "Rows of a code table.", each_table,
	  table_entries },
};

/* A sample with, before the first of its family, the family's head. */
static bool metrics_item(struct reply *r, uint32_t i)
{
	const struct family *f;

	if (i == 0)
		r->family = r->sample = 0;
	if (r->family == sizeof(families) / sizeof(families[0]))
		return false;
	f = &families[r->family];
	if (r->sample >= f->count(r)) {
		r->family++;
		r->sample = 0;
		return true;
	}
	if (r->sample == 0)
		out_fmt(r->out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
	f->sample(r, f->name, r->sample++);
	return true;
}

const struct part metrics_text[] = { { sessions_count }, { metrics_item }, { NULL } };
