#include "tools/story.h"

#include "tools/print.h"

/*
 *   message 1121191700-104-1 to 138****0000 on cmcc-bj
 *     delivered after 0.4s: stat=DELIVRD «消息已送达目的地 / …»
 *     from 10****01, CMPP 2.0, session 2
 *     2026-11-21 +08:00
 *     19:17:00.123         SUBMIT       seq=2 enc=ASCII len=16
 *     19:17:00.153  +30ms  SUBMIT_RESP  seq=2 result=0 «成功 / success»
 *
 * On a terminal what belongs to one record is broken between its values and goes on below the
 * first.
 */

enum { TEXT_COLUMN = 37, TIME_LEN = 12, VALUE_ROOM = 8192 };

/* A record being written: values are put whole onto the line, or onto the next. */
struct row {
	struct out *o;
	int column, columns;
	bool fresh; /* nothing stands on the line behind its columns */
};

/* Columns of a text, without the escape sequences of its colours. */
static int width_of(struct span s)
{
	char room[VALUE_ROOM];
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < sizeof(room) - 1; i++) {
		if (s.p[i] == 0x1b) {
			while (i < s.n && s.p[i] != 'm')
				i++;
			continue;
		}
		room[n++] = (char)s.p[i];
	}
	room[n] = '\0';
	return text_width(room);
}

/* What was written to `value`, which begins with a blank. */
static void put_value(struct row *row, struct out *value)
{
	struct span s = span_of(value->base, out_len(value));
	int width = width_of(s);

	value->pos = value->base;
	if (s.n == 0)
		return;
	if (!row->fresh && row->columns > 0 && row->column + width > row->columns) {
		out_char(row->o, '\n');
		out_fmt(row->o, "%*s", TEXT_COLUMN - 1, "");
		row->column = TEXT_COLUMN - 1;
	}
	out_put(row->o, s.p, s.n);
	row->column += width;
	row->fresh = false;
}

static void color(struct out *o, const struct story_style *style, const char *c)
{
	if (style->log.color && c != NULL)
		out_str(o, c);
}

static struct span value_of(const struct log_line *l, const char *key, char room[STORY_TEXT])
{
	struct out o = out_of(room, STORY_TEXT);

	(void)log_line_value(l, key, &o);
	return span_of(room, out_len(&o));
}

static void put_foreign(struct out *o, const char *s)
{
	text_escape(o, span_of(s, strlen(s)), true);
}

static void put_ids(struct out *o, const struct story_sum *s)
{
	for (int i = 0; i < s->id_count; i++) {
		out_str(o, i > 0 ? ", " : " ");
		put_foreign(o, s->ids[i]);
	}
	if (s->ids_more > 0)
		out_fmt(o, " and %d more", s->ids_more);
}

/* From the first record to the one that says how it ended, or to the last. */
static int64_t took_us(const struct story_sum *s, const struct story_ref *refs, size_t count)
{
	int64_t end = s->decisive != NULL ? s->decisive->us : refs[count - 1].us;

	return end > refs[0].us ? end - refs[0].us : 0;
}

static void put_state(struct out *o, const struct story_sum *s, int64_t us)
{
	static const char *const words[] = {
		[STATE_FAILED] = "failed",
		[STATE_REJECTED] = "rejected",
		[STATE_DELIVERED] = "delivered",
		[STATE_NO_REPORT] = "no final report",
		[STATE_PENDING] = "under way, last heard of",
		[STATE_PARTLY] = "delivered in part, last heard of",
		[STATE_UNANSWERED] = "not answered",
		[STATE_ACCEPTED] = "accepted, no report so far",
		[STATE_SUBMITTED] = "submitted, no answer so far",
	};

	if (!s->has_submit && s->accepted == 0 && s->refused == 0)
		out_str(o, "its submit is not in the log: ");
	out_str(o, words[s->state]);
	if (us > 0) {
		out_str(o, " after ");
		record_duration(o, (uint64_t)us);
	}
}

static void put_facts(struct out *o, const struct story_style *style, const struct story_sum *s)
{
	out_str(o, "  ");
	if (s->src[0] != '\0') {
		out_str(o, "from ");
		put_foreign(o, s->src);
		out_str(o, ", ");
	}
	if (s->proto[0] != '\0') {
		text_escape(o, span_of(s->proto, strlen(s->proto)), false);
		out_str(o, ", ");
	}
	out_str(o, s->sess_count > 1 ? "sessions" : "session");
	for (int i = 0; i < s->sess_count; i++) {
		out_str(o, i > 0 ? ", " : " ");
		out_dec(o, s->sess[i]);
	}
	if (s->total > 1)
		out_fmt(o, "; %u parts: %u accepted, %u reported", s->total, s->accepted,
			s->reported);
	if (s->dsts > 1)
		out_fmt(o, "; %u numbers: %u reported", s->dsts, s->reported);
	if (s->retried > 0)
		out_fmt(o, "; submitted again %u time%s", s->retried, s->retried > 1 ? "s" : "");
	if (style->match != MATCH_EXACT && style->match != MATCH_NUMBER)
		out_fmt(o, "; found %s", match_words(style->match));
	out_char(o, '\n');
}

static void put_heading(struct out *o, const struct story_style *style, const struct story_sum *s,
			int64_t us, const struct log_line *decisive)
{
	color(o, style, COLOR_BOLD);
	out_str(o, "message");
	put_ids(o, s);
	if (s->dst[0] != '\0') {
		out_str(o, " to ");
		put_foreign(o, s->dst);
	}
	if (s->link[0] != '\0') {
		out_str(o, " on ");
		put_foreign(o, s->link);
	}
	color(o, style, COLOR_RESET);
	out_str(o, "\n  ");
	color(o, style, decisive != NULL ? log_color(decisive) : COLOR_YELLOW);
	put_state(o, s, us);
	color(o, style, COLOR_RESET);
	if (decisive != NULL) {
		out_char(o, ':');
		log_show_code(o, decisive, &style->log);
	}
	out_char(o, '\n');
	put_facts(o, style, s);
}

/* "2026-11-21 +08:00" where it is another one than above. */
static void put_date(struct out *o, const struct log_line *l, char before[STORY_TEXT])
{
	char room[STORY_TEXT], text[STORY_TEXT];
	struct span ts = value_of(l, "ts", room);
	struct out date = out_of(text, sizeof(text) - 1);
	size_t zone = ts.n;

	while (zone > 19 && ts.p[zone - 1] != '+' && ts.p[zone - 1] != '-')
		zone--;
	text_escape(&date, span_of(ts.p, ts.n < 10 ? ts.n : 10), true);
	if (zone > 19) {
		out_char(&date, ' ');
		text_escape(&date, span_of(ts.p + zone - 1, ts.n - zone + 1), true);
	}
	*date.pos = '\0';
	if (strcmp(text, before) != 0)
		out_fmt(o, "  %s\n", text);
	memcpy(before, text, sizeof(text));
}

/* How the report's id became that of the response. */
static void put_id_rule(struct out *o, const struct log_line *l)
{
	const struct json_line_value *match = json_line_find(&l->json, "match");
	static const char *const rules[] = { "case", "padding", "hex_dec" };

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (json_line_is(match, rules[i])) {
			log_show_member(o, l, "match", "match");
			log_show_member(o, l, "resp_id", "resp_id");
		}
	}
	if (json_line_is(match, "none"))
		out_str(o, " of no message that is known");
}

/* What a report is beside a final one that comes in its time. */
static void put_flags(struct out *o, const struct log_line *l, bool again)
{
	static const struct {
		const char *key, *words;
	} flags[] = {
		{ "interim", " interim" },
		{ "duplicate", " duplicate" },
		{ "early", " before the response" },
		{ "late", " late" },
		{ "unmatched", " unmatched" },
		{ "conflict", " conflict" },
		{ "dst_differs", " for another number" },
	};

	if (again)
		out_str(o, " again");
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (json_line_find(&l->json, flags[i].key) != NULL)
			out_str(o, flags[i].words);
	}
}

static void put_columns(struct row *row, const struct story_style *style, const struct story_sum *s,
			const struct log_line *l, int64_t since_us, bool first)
{
	char room[LOG_VALUE_MAX], text[64];
	struct span ts = value_of(l, "ts", room);
	struct out *o = row->o, rel = out_of(text, sizeof(text) - 1);
	struct span clock = span_of(ts.p, 0);
	unsigned total = 1, part;

	if (ts.n >= 11)
		clock = span_of(ts.p + 11, ts.n - 11 < TIME_LEN ? ts.n - 11 : TIME_LEN);
	out_str(o, "  ");
	color(o, style, COLOR_DIM);
	text_escape(o, clock, true);
	color(o, style, COLOR_RESET);
	if (!first) {
		out_char(&rel, since_us < 0 ? '-' : '+');
		record_duration(&rel, (uint64_t)(since_us < 0 ? -since_us : since_us));
	}
	*rel.pos = '\0';
	out_fmt(o, "  %-7s ", text);
	color(o, style, log_color(l));
	rel.pos = text;
	text_escape(&rel, log_line_verb(l, room), true);
	*rel.pos = '\0';
	out_fmt(o, "%-12s", text);
	color(o, style, log_color(l) != NULL ? COLOR_RESET : NULL);
	part = story_part(l, &total);
	if (s->total > 1 && total > 1)
		out_fmt(o, " %u/%u", part, total);
	else
		out_str(o, s->total > 1 ? "    " : "");
	row->column = 36 + (s->total > 1 ? 4 : 0);
	row->fresh = true;
}

/* Where it does not go by itself: the id among several, the session among several. */
static void put_place(struct row *row, struct out *v, const struct story_sum *s,
		      const struct log_line *l, enum story_kind kind)
{
	if (kind == KIND_RESP || kind == KIND_OTHER || s->id_count > 1 || s->ids_more > 0) {
		log_show_member(v, l, "msgid", "msgid");
		put_value(row, v);
	}
	if (kind == KIND_REPORT) {
		put_id_rule(v, l);
		put_value(row, v);
	}
	if (s->dsts > 1) {
		log_show_member(v, l, "dst", "dst");
		put_value(row, v);
	}
	if (s->sess_count > 1) {
		log_show_member(v, l, "sess", "sess");
		put_value(row, v);
	}
}

static void put_event(struct row *row, const struct story_style *style, const struct story_sum *s,
		      const struct log_line *l, const struct story_event *e, bool again)
{
	static const char *const members[] = {
		"dsts",	    "enc",	 "len",		   "text", "done", "reason", "age_ms",
		"net_type", "net_error", "parts_reported", "nth",  "interim_reports",
	};
	char room[VALUE_ROOM];
	struct out v = out_of(room, sizeof(room));

	if (e->has_request)
		log_show_member(&v, l, "seq", "seq");
	put_value(row, &v);
	log_show_code(&v, l, &style->log);
	put_value(row, &v);
	log_show_name(&v, l);
	put_value(row, &v);
	put_flags(&v, l, again);
	put_value(row, &v);
	log_show_err(&v, l, &style->log);
	put_value(row, &v);
	put_place(row, &v, s, l, e->kind);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (e->kind != KIND_SUBMIT && (i == 1 || i == 2))
			continue;
		log_show_member(&v, l, members[i], members[i]);
		put_value(row, &v);
	}
	log_show_advice(&v, l);
	put_value(row, &v);
	log_show_table(&v, l);
	put_value(row, &v);
	out_char(row->o, '\n');
}

static void write_out(struct out *o)
{
	fwrite(o->base, 1, out_len(o), stdout);
	o->pos = o->base;
	o->full = false;
}

void story_show(const struct story_style *style, const struct story_sum *s,
		const struct story_files *f, const struct story_ref *refs, size_t count,
		struct log_line *l)
{
	struct out o = out_of(style->shown, LOG_SHOWN_MAX);
	struct row row = { .o = &o, .columns = style->columns };
	char date[STORY_TEXT] = "";
	bool submitted[STORY_PARTS] = { false };
	struct story_event e;

	put_heading(&o, style, s, took_us(s, refs, count),
		    s->decisive != NULL && story_ref_read(f, s->decisive, l) ? l : NULL);
	for (size_t i = 0; i < count; i++) {
		unsigned total = 1, part;

		if (!story_ref_read(f, &refs[i], l) || !story_event_read(&e, l))
			continue;
		part = story_part(l, &total);
		put_date(&o, l, date);
		put_columns(&row, style, s, l, refs[i].us - refs[0].us, i == 0);
		put_event(&row, style, s, l, &e, e.kind == KIND_SUBMIT && submitted[part]);
		submitted[part] = submitted[part] || e.kind == KIND_SUBMIT;
		write_out(&o);
	}
}

static void member_text(struct out *o, const char *key, const char *text)
{
	if (text[0] == '\0')
		return;
	out_fmt(o, "\"%s\":\"", key);
	text_json(o, span_of(text, strlen(text)));
	out_str(o, "\",");
}

void story_show_json(const struct story_style *style, const struct story_sum *s,
		     const struct story_files *f, const struct story_ref *refs, size_t count,
		     struct log_line *l)
{
	struct out o = out_of(style->shown, LOG_SHOWN_MAX);

	out_char(&o, '{');
	if (s->has_story) {
		out_str(&o, "\"story\":");
		out_dec(&o, s->story);
		out_char(&o, ',');
	}
	member_text(&o, "link", s->link);
	out_str(&o, "\"msgid\":[");
	for (int i = 0; i < s->id_count; i++) {
		out_str(&o, i > 0 ? ",\"" : "\"");
		text_json(&o, span_of(s->ids[i], strlen(s->ids[i])));
		out_char(&o, '"');
	}
	out_str(&o, "],");
	member_text(&o, "dst", s->dst);
	out_fmt(&o, "\"state\":\"%s\",\"match\":\"%s\",\"took_ms\":", story_state_name(s->state),
		match_name(style->match));
	out_dec(&o, (uint64_t)took_us(s, refs, count) / 1000);
	out_fmt(&o, ",\"parts\":{\"total\":%u,\"accepted\":%u,\"reported\":%u},\"events\":[",
		s->total, s->accepted, s->reported);
	for (size_t i = 0, shown = 0; i < count; i++) {
		if (!story_ref_read(f, &refs[i], l))
			continue;
		out_str(&o, shown++ > 0 ? "," : "");
		log_show_json(&o, l);
		o.pos--; /* its line end */
		write_out(&o);
	}
	out_str(&o, "]}\n");
	write_out(&o);
}
