#include "admin/stories.h"

bool stories_counts(const struct admin *a, struct story_counts *ret)
{
	struct scribe *s = admin_scribe(a);

	if (s == NULL || scribe_stories(s) == NULL)
		return false;
	story_counts(scribe_stories(s), ret);
	return true;
}

bool stories_evidence(const struct admin *a, int link, struct id_evidence *ret)
{
	struct scribe *s = admin_scribe(a);

	if (s == NULL || scribe_stories(s) == NULL || link >= a->settings->link_count)
		return false;
	story_evidence(scribe_stories(s), story_key(a->settings->links[link].name), ret);
	return true;
}

void stories_text(struct reply *r)
{
	struct story_counts c;

	if (!stories_counts(r->admin, &c))
		return;
	out_fmt(r->out,
		"messages %u of %u remembered; forgotten for age %llu, for room %llu, without a report %llu\n"
		"reports matched %llu, not matched %llu, duplicate %llu\n",
		c.entries, c.limit, (unsigned long long)c.aged, (unsigned long long)c.evicted,
		(unsigned long long)c.unreported, (unsigned long long)c.matched,
		(unsigned long long)c.unmatched, (unsigned long long)c.duplicates);
}

void stories_json(struct reply *r)
{
	struct story_counts c;

	if (!stories_counts(r->admin, &c))
		return;
	reply_open(r, "stories", '{');
	reply_uint(r, "entries", c.entries);
	reply_uint(r, "limit", c.limit);
	reply_uint(r, "accepted", c.accepted);
	reply_uint(r, "matched", c.matched);
	reply_uint(r, "unmatched", c.unmatched);
	reply_uint(r, "duplicates", c.duplicates);
	reply_uint(r, "aged", c.aged);
	reply_uint(r, "evicted", c.evicted);
	reply_uint(r, "unreported", c.unreported);
	reply_close(r, '}');
}

void stories_link_text(struct reply *r, int link)
{
	struct id_evidence e;

	if (!stories_evidence(r->admin, link, &e) || e.reports == 0)
		return;
	out_fmt(r->out, "  %-10s%llu of %llu reports matched", "ids",
		(unsigned long long)(e.rule != ID_NONE ? e.by_rule[e.rule] : 0),
		(unsigned long long)e.reports);
	if (e.rule != ID_NONE)
		out_fmt(r->out, " %s%s", e.rule >= ID_HEX_DEC ? "as " : "",
			id_rule_words(e.rule));
	if (e.rule != ID_NONE && e.by_rule[e.rule] != e.matched)
		out_fmt(r->out, ", %llu in another way",
			(unsigned long long)(e.matched - e.by_rule[e.rule]));
	out_char(r->out, '\n');
}

void stories_link_json(struct reply *r, int link)
{
	struct id_evidence e;

	if (!stories_evidence(r->admin, link, &e))
		return;
	reply_open(r, "ids", '{');
	reply_uint(r, "reports", e.reports);
	reply_uint(r, "matched", e.matched);
	if (e.rule != ID_NONE) {
		reply_text(r, "rule", id_rule_words(e.rule));
		reply_uint(r, "by_rule", e.by_rule[e.rule]);
	}
	reply_close(r, '}');
}
