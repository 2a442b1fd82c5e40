#include "tools/story.h"

#include <unistd.h>

static struct span text_of(const struct log_line *l, const char *key, char room[STORY_TEXT])
{
	struct out o = out_of(room, STORY_TEXT);

	(void)log_line_value(l, key, &o);
	return span_of(room, out_len(&o));
}

/* Does the record tell of a submit, be it of one that was never answered? */
static bool is_of_submit(const struct log_line *l, const char *key)
{
	char room[STORY_TEXT];
	struct span pdu = text_of(l, key, room);

	return memmem(pdu.p, pdu.n, "submit", 6) != NULL ||
	       memmem(pdu.p, pdu.n, "SUBMIT", 6) != NULL;
}

bool story_event_read(struct story_event *e, const struct log_line *l)
{
	static const struct {
		const char *ev;
		enum story_kind kind;
		bool request; /* its sequence number is the submit's */
	} kinds[] = {
		{ "submit", KIND_SUBMIT, true },       { "submit_resp", KIND_RESP, true },
		{ "report", KIND_REPORT, false },      { "no_report", KIND_NO_REPORT, false },
		{ "stall", KIND_STALL, true },	       { "nack", KIND_OTHER, true },
		{ "query_resp", KIND_OTHER, false },   { "cancel_resp", KIND_OTHER, false },
	};
	const struct json_line_value *ev;
	size_t i = 0, count = sizeof(kinds) / sizeof(*kinds);

	if (l->form != LOG_JSON)
		return false;
	ev = json_line_find(&l->json, "ev");
	while (i < count && !json_line_is(ev, kinds[i].ev))
		i++;
	if (i == count || (kinds[i].kind == KIND_STALL && !is_of_submit(l, "pdu")) ||
	    (strcmp(kinds[i].ev, "nack") == 0 && !is_of_submit(l, "of")))
		return false;
	e->kind = kinds[i].kind;
	e->has_story = json_line_uint(json_line_find(&l->json, "story"), &e->story);
	e->has_request = kinds[i].request &&
			 json_line_uint(json_line_find(&l->json, "sess"), &e->sess) &&
			 json_line_uint(json_line_find(&l->json, "seq"), &e->seq);
	e->link = text_of(l, "link", e->link_room);
	e->id = text_of(l, "msgid", e->id_room);
	e->resp_id = text_of(l, "resp_id", e->resp_room);
	e->dst = text_of(l, "dst", e->dst_room);
	return true;
}

bool story_ref_read(const struct story_files *f, const struct story_ref *r, struct log_line *l)
{
	if (pread(f->at[r->file].fd, f->room, r->len, r->offset) != (ssize_t)r->len)
		return false;
	log_line_read(l, span_of(f->room, r->len));
	return l->form == LOG_JSON;
}

unsigned story_part(const struct log_line *l, unsigned *ret_total)
{
	char room[STORY_TEXT + 1];
	struct span s = text_of(l, "part", room);
	unsigned part, total;

	room[s.n] = '\0';
	if (sscanf(room, "%3u/%3u", &part, &total) != 2 || part == 0 || part >= STORY_PARTS ||
	    total >= STORY_PARTS)
		return 1;
	*ret_total = total;
	return part;
}
