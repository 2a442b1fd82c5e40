#include "admin/unknown.h"

#include <stdlib.h>

/*
 * The list of one link at a time is copied when its first entry is asked for; an item is an entry.
 * What stands behind the last link belongs to none.
 */

/* Entry `i` of all lists, of link *ret_link; NULL: there are no more, or no memory. */
static const struct unknown_code *entry_at(struct reply *r, uint32_t i, int *ret_link)
{
	struct scribe *s = admin_scribe(r->admin);

	if (i == 0) {
		r->unknown_link = -1;
		r->unknown_count = 0;
		r->unknown_at = 0;
		if (r->unknown == NULL)
			r->unknown = calloc(UNKNOWN_LIMIT + 1, sizeof(*r->unknown));
	}
	if (s == NULL || r->unknown == NULL)
		return NULL;
	while (r->unknown_at >= r->unknown_count) {
		if (r->unknown_link >= r->admin->settings->link_count)
			return NULL;
		r->unknown_link++;
		r->unknown_count = scribe_unknown(s, r->unknown_link, r->unknown,
			UNKNOWN_LIMIT + 1);
		r->unknown_at = 0;
	}
	*ret_link = r->unknown_link;
	return &r->unknown[r->unknown_at++];
}

static const char *link_name(const struct reply *r, int link)
{
	const struct settings *s = r->admin->settings;

	return link < s->link_count ? s->links[link].name : "-";
}

static void put_code(struct out *o, const struct unknown_code *u)
{
	if (u->other)
		out_str(o, "(others)");
	else if (u->is_text)
		text_escape(o, span_of(u->text, u->text_len), true);
	else
		out_fmt(o, "%lld", (long long)u->number);
}

static bool text_item(struct reply *r, uint32_t i)
{
	const struct unknown_code *u;
	char code[6 * UNKNOWN_TEXT + 1];
	struct out o = out_of(code, sizeof(code) - 1);
	int link;

	if (i == 0) {
		out_fmt(r->out, "%-*s  %-13s  %-12s  %8s  %-29s  %s\n", r->name_width, "LINK",
			"CONTEXT", "CODE", "COUNT", "LAST", "FIRST SEEN IN");
		return true;
	}
	u = entry_at(r, i - 1, &link);
	if (u == NULL)
		return false;
	put_code(&o, u);
	*o.pos = '\0';
	out_fmt(r->out, "%-*s  %-13s  %-12s  %8llu  ", r->name_width, link_name(r, link),
		u->other ? "-" : code_context_name(u->context), code,
		(unsigned long long)u->count);
	reply_stamp(r, u->last_ns);
	out_fmt(r->out, "  %s\n", u->sample);
	return true;
}

static bool json_begin(struct reply *r, uint32_t i)
{
	if (i > 0)
		return false;
	reply_open(r, NULL, '{');
	reply_open(r, "unknown", '[');
	return true;
}

static bool json_item(struct reply *r, uint32_t i)
{
	int link;
	const struct unknown_code *u = entry_at(r, i, &link);

	if (u == NULL)
		return false;
	reply_open(r, NULL, '{');
	reply_text(r, "link", link < r->admin->settings->link_count ? link_name(r, link) : NULL);
	if (u->other) {
		reply_flag(r, "other", true);
	} else {
		reply_text(r, "context", code_context_name(u->context));
		if (u->is_text)
			reply_octets(r, "code", span_of(u->text, u->text_len));
		else
			reply_uint(r, "code", (uint64_t)u->number);
	}
	reply_uint(r, "count", u->count);
	reply_time(r, "first", u->first_ns);
	reply_time(r, "last", u->last_ns);
	reply_text(r, "sample", u->sample);
	reply_close(r, '}');
	return true;
}

const struct part unknown_text[] = { { text_item }, { NULL } };
const struct part unknown_json[] = {
	{ json_begin }, { json_item }, { reply_end_list }, { reply_end_object }, { NULL }
};
