#include <strings.h>

#include "smscope/receipt.h"
#include "smscope/record.h"
#include "tools/log_match.h"

/* The next item of a comma-separated list, which is moved; empty items are passed over. */
static bool next_item(const char **list, struct span *ret)
{
	size_t n;

	*list += strspn(*list, ",");
	n = strcspn(*list, ",");
	*ret = span_of(*list, n);
	*list += n;
	return n > 0;
}

static bool same_case(struct span a, struct span b)
{
	return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0;
}

static bool is(struct span s, const char *word)
{
	return same_case(s, span_of(word, strlen(word)));
}

static bool is_login_verb(struct span verb)
{
	if (is(verb, "LOGIN_RESP"))
		return true;
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		if (is(verb, (*p)->login_verb))
			return true;
	}
	return false;
}

bool log_event_known(struct span name)
{
	for (int k = 0; k < REC_COUNT; k++) {
		if (is(name, record_kind_name((enum record_kind)k)))
			return true;
	}
	return is_login_verb(name);
}

/* A value of the line, at most LOG_VALUE_MAX of it, in `room`. */
static bool value(const struct log_line *l, const char *key, char room[LOG_VALUE_MAX],
		  struct span *ret)
{
	struct out o = out_of(room, LOG_VALUE_MAX);
	bool has = log_line_value(l, key, &o);

	*ret = span_of(room, out_len(&o));
	return has;
}

/* The record's kind; of a text line its verb, where a login's has several names. */
static struct span event_of(const struct log_line *l, char room[LOG_VALUE_MAX])
{
	struct span s = l->verb;

	if (l->form == LOG_JSON)
		(void)value(l, "ev", room, &s);
	return s;
}

static bool event_in(const char *list, const struct log_line *l)
{
	char room[LOG_VALUE_MAX], verb_room[LOG_VALUE_MAX];
	struct span event = event_of(l, room), verb = log_line_verb(l, verb_room), item;
	bool login = is_login_verb(verb);

	while (next_item(&list, &item)) {
		if (same_case(item, event) || same_case(item, verb) || (login && is(item, "login")))
			return true;
	}
	return false;
}

static bool link_in(const char *list, const struct log_line *l)
{
	char room[LOG_VALUE_MAX];
	struct span link = l->link, item;

	if (l->form == LOG_JSON && !value(l, "link", room, &link))
		return false;
	while (next_item(&list, &item)) {
		if (item.n == link.n && memcmp(item.p, link.p, item.n) == 0)
			return true;
	}
	return false;
}

static bool class_in(const char *list, const struct log_line *l)
{
	char room[LOG_VALUE_MAX];
	struct span class, item;

	if (l->form != LOG_JSON || !value(l, "class", room, &class))
		return false;
	while (next_item(&list, &item)) {
		if (item.n == class.n && memcmp(item.p, class.p, item.n) == 0)
			return true;
	}
	return false;
}

static bool code_in(const char *list, const struct log_line *l)
{
	static const char *const json[] = { "code", "name", "err", NULL };
	static const char *const text[] = { "result", "status", "stat", "name", "err", NULL };
	char room[LOG_VALUE_MAX];
	struct span item, code;

	while (next_item(&list, &item)) {
		for (const char *const *key = l->form == LOG_JSON ? json : text; *key != NULL;
		     key++) {
			if (value(l, *key, room, &code) && code_match(item, code))
				return true;
		}
	}
	return false;
}

static bool has_number(const char *number, const struct log_line *l)
{
	static const char *const keys[] = { "dst", "src" };
	char room[LOG_VALUE_MAX];
	struct span s;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (value(l, keys[i], room, &s) && number_match(span_of(number, strlen(number)), s))
			return true;
	}
	return false;
}

static bool has_msgid(const char *id, const struct log_line *l)
{
	static const char *const keys[] = { "msgid", "resp_id" };
	char room[LOG_VALUE_MAX];
	struct span s;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (value(l, keys[i], room, &s) &&
		    id_match(span_of(id, strlen(id)), s) <= MATCH_PADDING)
			return true;
	}
	return false;
}

/* Of a text line, which has no class. */
static bool text_failed(const struct log_line *l)
{
	static const char *const results[] = { "result", "status" };
	char room[LOG_VALUE_MAX];
	struct span s;

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		if (value(l, results[i], room, &s))
			return !code_match(span_of("0", 1), s);
	}
	if (!value(l, "stat", room, &s))
		return false;
	switch (receipt_state_of(s)) {
	case 0: /* SCHEDULED */
	case 1: /* ENROUTE */
	case 2: /* DELIVRD */
	case 6: /* ACCEPTD */
		return false;
	default:
		return true;
	}
}

static bool has_failed(const struct log_line *l)
{
	static const char *const events[] = { "blind",	 "lost",    "malformed", "nack",
					      "no_report", "refused", "stall" };
	char room[LOG_VALUE_MAX];
	struct span event = event_of(l, room), class;

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		if (is(event, events[i]))
			return true;
	}
	if (l->form == LOG_TEXT)
		return text_failed(l);
	return value(l, "class", room, &class) && !is(class, "ok") && !is(class, "pending");
}

bool log_filter_match(const struct log_filter *f, const struct log_line *l)
{
	int64_t us;

	if (l->form == LOG_OTHER)
		return false;
	if (f->has_since && (!log_line_time(l, &us) || us < f->since_us))
		return false;
	return (f->links == NULL || link_in(f->links, l)) &&
	       (f->events == NULL || event_in(f->events, l)) &&
	       (f->classes == NULL || class_in(f->classes, l)) &&
	       (f->codes == NULL || code_in(f->codes, l)) &&
	       (f->number == NULL || has_number(f->number, l)) &&
	       (f->msgid == NULL || has_msgid(f->msgid, l)) && (!f->failed || has_failed(l));
}
