#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"
#include "ids.h"
#include "record_doc.h"

/*
 * The log beside what was sent. It is a file, so no record is there twice, under whatever id; and there is one
 * record of each submit, response, report and inbound message, and of each session's login, beginning and end.
 */

enum { TYPES_CHECKED = 20000 }; /* records held against docs/records.md, key by key */

/* What the log says of a session; found by its account, which the login has. */
struct told {
	json_int_t id;
	struct session *session; /* NULL: no login told whose it is */
	unsigned int opens, closes, logins, in_hand;
	uint64_t octets[2];
	json_int_t last_submit, last_resp;
};

static struct told *told;
static int told_count;
static struct {
	unsigned long long records, lost, torn, in_hand, unmatched, ruled, other;
} sums;

static struct told *told_of(json_int_t id)
{
	static int last;

	if (last < told_count && told[last].id == id)
		return &told[last];
	for (last = 0; last < told_count; last++)
		if (told[last].id == id)
			return &told[last];
	told = realloc(told, (size_t)(told_count + 1) * sizeof(*told));
	if (told == NULL)
		give_up("out of memory");
	told[told_count] = (struct told){ .id = id };
	return &told[told_count++];
}

static const char *text_at(json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static json_int_t number_at(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool check_types(json_t *o, const char *ev, const char *line)
{
	static struct record_doc doc;
	const char *key;
	json_t *v;

	if (doc.kind_count == 0 && !record_doc_read(&doc, SOURCE_DIR "/docs/records.md"))
		give_up("docs/records.md does not read");
	json_object_foreach(o, key, v) {
		if (record_doc_types(&doc, ev, key) == 0) {
			fault("docs/records.md has no \"%s\" in %s: %s", key, ev, line);
			return false;
		}
	}
	return true;
}

/* The message that a record is about, by its sequence number or its id; NULL and a fault if there is none. */
static struct message *message_at(const struct session *s, uint32_t number, bool known, const char *line)
{
	if (known && number < s->message_count)
		return &s->messages[number];
	fault("a record of a message that there is not: %s", line);
	return NULL;
}

static void mark(struct message *m, uint8_t flag, const char *line)
{
	if ((m->flags & flag) != 0)
		fault("told twice, under another id: %s", line);
	m->flags |= flag;
}

/* Requests and responses of a session are told in the order of their numbers. */
static void in_order(json_int_t *last, json_int_t seq, const char *line)
{
	if (seq < *last)
		fault("told out of turn, behind sequence %lld: %s", (long long)*last, line);
	*last = seq;
}

static void take_submit(struct told *t, json_t *o, const char *line)
{
	uint32_t number = 0;
	bool known = seq_number((uint32_t)number_at(o, "seq"), &number);
	struct message *m = message_at(t->session, number, known, line);

	if (m == NULL)
		return;
	mark(m, LOG_SUBMIT, line);
	in_order(&t->last_submit, number_at(o, "seq"), line);
}

/* A rule is told exactly where the SP saw what it makes. */
static void same_edit(json_t *o, bool edited, const char *line)
{
	if ((json_object_get(o, "rule") != NULL) != edited)
		fault("%s: %s", edited ? "arrived edited, told without a rule" : "arrived as sent, told with a rule",
			line);
	sums.ruled += edited;
}

static void take_submit_resp(struct told *t, json_t *o, const char *line)
{
	uint32_t number = 0;
	bool known = seq_number((uint32_t)number_at(o, "seq"), &number);
	struct message *m = message_at(t->session, number, known, line);
	char id[40];

	if (m == NULL)
		return;
	mark(m, LOG_RESP, line);
	in_order(&t->last_resp, number_at(o, "seq"), line);
	msgid_text(t->session, number, id);
	if (m->status == 0 && strcmp(text_at(o, "msgid"), id) != 0)
		fault("msgid is not %s: %s", id, line);
	if (number_at(o, "code") != m->status)
		fault("code is not %u: %s", m->status, line);
	same_edit(o, (m->flags & RESP_EDITED) != 0, line);
	sums.unmatched += json_is_true(json_object_get(o, "unmatched"));
}

static void take_report(struct told *t, json_t *o, const char *line)
{
	uint32_t number = 0;
	bool known = msgid_message(t->session, text_at(o, "msgid"), &number);
	struct message *m = message_at(t->session, number, known, line);

	if (m == NULL)
		return;
	mark(m, LOG_REPORT, line);
	if (m->report == NO_MESSAGE || number_at(o, "seq") != deliver_seq(m->report))
		fault("not the sequence of that report: %s", line);
	if (strcmp(text_at(o, "code"), stat_name(m->stat)) != 0)
		fault("code is not %s: %s", stat_name(m->stat), line);
	same_edit(o, (m->flags & REPORT_EDITED) != 0, line);
}

static void take_inbound(struct told *t, json_t *o, const char *line)
{
	uint32_t number = 0;

	if (!seq_number((uint32_t)number_at(o, "seq"), &number) || number >= t->session->deliver_count ||
		t->session->delivers[number].message != NO_MESSAGE)
		fault("a record of a message that there is not: %s", line);
	else if (t->session->delivers[number].logged)
		fault("told twice, under another id: %s", line);
	else
		t->session->delivers[number].logged = true;
}

static void take_login(struct told *t, json_t *o, const char *line)
{
	const char *who = text_at(o, strcmp(text_at(o, "link"), "cmpp") == 0 ? "source_addr" : "system_id");
	int index = *who != '\0' ? atoi(who) : -1;

	if (index < 0 || index >= opt.sessions) {
		fault("a login of nobody: %s", line);
		return;
	}
	t->session = &sessions[index];
	t->logins++;
}

static void take_close(struct told *t, json_t *o, const char *line)
{
	t->closes++;
	t->octets[SP] = (uint64_t)number_at(o, "sp_octets");
	t->octets[GW] = (uint64_t)number_at(o, "gw_octets");
	if (strcmp(text_at(o, "by"), "sp") != 0)
		fault("not closed by the SP: %s", line);
}

static void take_of_session(json_t *o, const char *ev, const char *line)
{
	struct told *t = told_of(number_at(o, "sess"));

	if (strcmp(ev, "session_open") == 0) {
		t->opens++;
		return;
	}
	if (strcmp(ev, "login") == 0) {
		take_login(t, o, line);
		return;
	}
	if (strcmp(ev, "session_close") == 0)
		take_close(t, o, line);
	else if (strcmp(ev, "malformed") == 0 && strstr(text_at(o, "reason"), "in hand when") != NULL)
		t->in_hand++, sums.in_hand++;
	else if (strcmp(ev, "malformed") == 0 || strcmp(ev, "blind") == 0)
		fault("every PDU was well formed: %s", line);
	else if (t->session == NULL)
		fault("a record of a session without a login: %s", line);
	else if (strcmp(ev, "submit") == 0)
		take_submit(t, o, line);
	else if (strcmp(ev, "submit_resp") == 0)
		take_submit_resp(t, o, line);
	else if (strcmp(ev, "report") == 0)
		take_report(t, o, line);
	else if (strcmp(ev, "deliver") == 0)
		take_inbound(t, o, line);
	else
		sums.other++;
}

/* A line that a death cut short is none; there is at most one for each. */
static void torn(const char *line)
{
	int deaths = kills_done() * (opt.upgrade_ms > 0 ? 2 : 1);

	if (++sums.torn > (unsigned long long)deaths)
		fault("no JSON, and nothing died that could have cut it: %.200s", line);
}

static void take_line(struct ids *seen, const char *line, size_t n, bool again)
{
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	const char *ev = o != NULL ? text_at(o, "ev") : "";

	if (o == NULL || *ev == '\0') {
		torn(line);
		json_decref(o);
		return;
	}
	sums.records++;
	if (sums.records <= TYPES_CHECKED)
		(void)check_types(o, ev, line);
	if (json_object_get(o, "id") != NULL && !(again && spoil_id())) {
		char what[96];
		int found;

		snprintf(what, sizeof(what), "%s %lld %lld", ev, (long long)number_at(o, "sess"),
			(long long)number_at(o, "seq"));
		found = ids_add(seen, (uint64_t)number_at(o, "id"), what);
		if (found == IDS_OTHER)
			fault("this id was another record's: %s", line);
		if (found != IDS_NEW) {
			fault("told twice: %s", line);
			json_decref(o);
			return;
		}
	}
	if (strcmp(ev, "lost") == 0)
		sums.lost += (unsigned long long)(number_at(o, "lost") + number_at(o, "dropped"));
	else if (json_object_get(o, "sess") != NULL)
		take_of_session(o, ev, line);
	json_decref(o);
}

static void read_log(void)
{
	FILE *f = fopen(daemon_log(), "r");
	struct ids seen;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int times;

	if (f == NULL)
		give_up("no log at %s", daemon_log());
	ids_init(&seen);
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		times = spoil_record(line);
		for (int i = 0; i < times; i++)
			take_line(&seen, line, (size_t)n, i > 0);
	}
	free(line);
	ids_fini(&seen);
	fclose(f);
}

/* What stood in the scribe's hands when it died is told as such, without its number: one excuse for each. */
static void missing(struct told *t, const char *what, uint32_t number, uint32_t seq)
{
	char name[64];

	if (t->in_hand > 0)
		t->in_hand--;
	else
		fault("%s: no record of %s %u (sequence %u)", session_name(t->session, name), what, number, seq);
}

static void look_for_all(struct told *t)
{
	const struct session *s = t->session;

	for (uint32_t i = 0; i < s->message_count; i++) {
		const struct message *m = &s->messages[i];

		if ((m->flags & LOG_SUBMIT) == 0)
			missing(t, "submit", i, submit_seq(i));
		if ((m->flags & LOG_RESP) == 0)
			missing(t, "the response to submit", i, submit_seq(i));
		if (m->report != NO_MESSAGE && (m->flags & LOG_REPORT) == 0)
			missing(t, "the report on message", i, deliver_seq(m->report));
	}
	for (uint32_t i = 0; i < s->deliver_count; i++)
		if (s->delivers[i].message == NO_MESSAGE && !s->delivers[i].logged)
			missing(t, "inbound message", i, deliver_seq(i));
}

static void once(const struct told *t, unsigned int times, const char *what)
{
	char name[64];

	if (times != 1)
		fault("%s, sess %lld: %u records of its %s", t->session != NULL ? session_name(t->session, name) :
			"an unknown session", (long long)t->id, times, what);
}

static void compare(void)
{
	int *sess = calloc((size_t)opt.sessions, sizeof(*sess));
	char name[64];

	for (int i = 0; i < told_count; i++) {
		struct told *t = &told[i];

		once(t, t->opens, "beginning");
		once(t, t->logins, "login");
		once(t, t->closes, "end");
		if (t->session == NULL)
			continue;
		if (sess[t->session->index]++ > 0)
			fault("%s has two numbers in the log", session_name(t->session, name));
		look_for_all(t);
		for (int side = SP; side <= GW; side++)
			if (t->closes == 1 && t->octets[side] != t->session->stream[side].sent_octets)
				fault("%s: its end says %s %llu, sent were %llu", session_name(t->session, name),
					side == SP ? "sp_octets" : "gw_octets", (unsigned long long)t->octets[side],
					(unsigned long long)t->session->stream[side].sent_octets);
	}
	for (int i = 0; i < opt.sessions; i++)
		if (sess[i] == 0)
			fault("%s: not in the log", session_name(&sessions[i], name));
	free(sess);
}

void account(void)
{
	read_log();
	if (sums.lost > 0)
		fault("%llu records were lost, says the log itself: a smaller --rate, or a larger --ring", sums.lost);
	compare();
	printf("  log: %llu records, %llu lost, %llu lines cut by a death, "
		"%llu PDUs in hand at a death, %llu responses told without their request",
		sums.records, sums.lost, sums.torn, sums.in_hand, sums.unmatched);
	printf(opt.rewrite ? ", %llu with a rule\n" : "\n", sums.ruled);
	free(told);
}
