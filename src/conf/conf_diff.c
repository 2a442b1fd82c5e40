#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_keys.h"
#include "conf/conf_value.h"

/* How two configurations differ, key by key, as the values are written. */

struct diff {
	conf_diff_fn *tell;
	void *arg;
	int count;
};

static void say(struct diff *d, const char *line)
{
	d->count++;
	d->tell(d->arg, line);
}

static char *value_of(const struct conf_key *k, const void *of)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	if (to == NULL)
		return NULL;
	if (conf_value_has(k, of))
		conf_value_write(k, of, to);
	fclose(to);
	return text;
}

enum { VALUE_MAX = 164 };

static const char *shown(const char *value, char room[static VALUE_MAX])
{
	static const char cut[] = "...";

	if (value == NULL || *value == '\0')
		return "none";
	if (snprintf(room, VALUE_MAX, "%s", value) >= VALUE_MAX)
		memcpy(room + VALUE_MAX - sizeof(cut), cut, sizeof(cut));
	return room;
}

/* "link cmcc-bj max_pdu 4096 -> 8192"; `more` behind it. True if they differ. */
static bool diff_key(struct diff *d, const char *where, const struct conf_key *k, const void *a,
	const void *b, const char *more)
{
	char *was = value_of(k, a), *now = value_of(k, b), line[512], rooms[2][VALUE_MAX];
	bool differ = was == NULL || now == NULL || strcmp(was, now) != 0;

	if (differ) {
		snprintf(line, sizeof(line), "%s%s %s -> %s%s", where, k->name, shown(was, rooms[0]),
			shown(now, rooms[1]), more);
		say(d, line);
	}
	free(was);
	free(now);
	return differ;
}

static void diff_section(struct diff *d, enum conf_section section, const char *where, const void *a,
	const void *b)
{
	int count;
	const struct conf_key *keys = conf_keys(section, &count);

	for (int i = 0; i < count; i++)
		if (keys[i].type != CONF_GROUP && keys[i].type != CONF_LIST &&
			(keys[i].reloadable || section == CONF_LINK || section == CONF_SINK))
			(void)diff_key(d, where, &keys[i], a, b, "");
}

static bool same_rules(const struct link_settings *a, const struct link_settings *b)
{
	int count;
	const struct conf_key *keys = conf_keys(CONF_RULE, &count);
	bool same = a->rule_count == b->rule_count;

	for (int r = 0; same && r < a->rule_count; r++)
		for (int i = 0; same && i < count; i++) {
			char *was = value_of(&keys[i], &a->rules[r]), *now = value_of(&keys[i], &b->rules[r]);

			same = was != NULL && now != NULL && strcmp(was, now) == 0;
			free(was);
			free(now);
		}
	return same;
}

static const struct link_settings *link_of(const struct settings *s, const char *name)
{
	for (int i = 0; i < s->link_count; i++)
		if (strcmp(s->links[i].name, name) == 0)
			return &s->links[i];
	return NULL;
}

static void diff_links(struct diff *d, const struct settings *a, const struct settings *b)
{
	char text[96];

	for (int i = 0; i < a->link_count; i++) {
		snprintf(text, sizeof(text), "link %s removed", a->links[i].name);
		if (link_of(b, a->links[i].name) == NULL)
			say(d, text);
	}
	for (int i = 0; i < b->link_count; i++) {
		const struct link_settings *now = &b->links[i], *was = link_of(a, now->name);

		snprintf(text, sizeof(text), "link %s %s", now->name, was == NULL ? "added" : "");
		if (was == NULL) {
			say(d, text);
			continue;
		}
		diff_section(d, CONF_LINK, text, was, now);
		snprintf(text, sizeof(text), "link %s rules changed", now->name);
		if (!same_rules(was, now))
			say(d, text);
	}
}

static void diff_sinks(struct diff *d, const struct settings *a, const struct settings *b)
{
	char text[64];

	snprintf(text, sizeof(text), "logs: %d -> %d", a->sink_count, b->sink_count);
	if (a->sink_count != b->sink_count)
		say(d, text);
	for (int i = 0; i < a->sink_count && i < b->sink_count; i++) {
		snprintf(text, sizeof(text), "logs[%d] ", i);
		diff_section(d, CONF_SINK, text, &a->sinks[i], &b->sinks[i]);
	}
}

/* What the shared memory, or the keeper itself, was made for. */
static void keep_fixed(const struct settings *from, struct settings *to)
{
	char *control = from->control != NULL ? strdup(from->control) : NULL;

	to->workers = from->workers;
	to->hold_max = from->hold_max;
	to->ring_size = from->ring_size;
	to->max_handshakes = from->max_handshakes;
	to->max_sessions = from->max_sessions;
	to->stories = from->stories;
	to->core_dumps = from->core_dumps;
	if (control != NULL) {
		free(to->control);
		to->control = control;
	}
}

static void diff_fixed(struct diff *d, enum conf_section section, const char *where,
	const struct settings *a, const struct settings *b)
{
	int count;
	const struct conf_key *keys = conf_keys(section, &count);

	for (int i = 0; i < count; i++)
		if (!keys[i].reloadable && keys[i].type != CONF_GROUP)
			(void)diff_key(d, where, &keys[i], a, b, ": needs a restart, stays as it is");
}

int conf_diff(const struct settings *from, struct settings *to, conf_diff_fn *tell, void *arg)
{
	struct diff d = { tell, arg, 0 };

	diff_fixed(&d, CONF_TOP, "", from, to);
	diff_fixed(&d, CONF_DAEMON, "daemon.", from, to);
	d.count = 0; /* these change nothing */
	keep_fixed(from, to);
	diff_section(&d, CONF_DAEMON, "daemon.", from, to);
	diff_links(&d, from, to);
	diff_sinks(&d, from, to);
	return d.count;
}
