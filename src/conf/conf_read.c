#include "conf/conf_read.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_value.h"
#include "smscope/err.h"

struct reader_of_file {
	struct settings *s;
	const struct conf_source *source;
	bool is_main;
};

static struct conf_at at_line(const struct reader_of_file *r, int line)
{
	struct conf_line from = conf_source_line(r->source, line);

	return (struct conf_at){ r->source->faults, from.file, from.line };
}

static struct conf_at at_of(const struct reader_of_file *r, const config_setting_t *st)
{
	return at_line(r, (int)config_setting_source_line(st));
}

int conf_presets(enum conf_section section, void *into, struct conf_faults *faults)
{
	struct conf_at at = { faults, "default", 0 };
	int count, before = faults->errors;
	const struct conf_key *keys = conf_keys(section, &count);

	for (int i = 0; i < count; i++)
		conf_value_preset(&keys[i], into, &at);
	return faults->errors == before ? 0 : SM_EFORMAT;
}

static struct setting_origin *new_origins(enum conf_section section)
{
	return calloc((size_t)conf_origin_count(section), sizeof(struct setting_origin));
}

static void short_of_memory(struct conf_faults *faults)
{
	conf_error(faults, "configuration", 0, "%s", strerror(ENOMEM));
}

struct link_settings *settings_add_link(struct settings *s, struct conf_faults *faults)
{
	size_t count = (size_t)s->link_count + 1;
	struct link_settings *all = realloc(s->links, count * sizeof(*all)), *l;

	if (all != NULL) {
		s->links = all;
		l = &all[s->link_count];
		memset(l, 0, sizeof(*l));
		l->origins = new_origins(CONF_LINK);
	}
	if (all == NULL || l->origins == NULL) {
		short_of_memory(faults);
		return NULL;
	}
	s->link_count++;
	return conf_presets(CONF_LINK, l, faults) == 0 ? l : NULL;
}

struct sink_settings *settings_add_sink(struct settings *s, struct conf_faults *faults)
{
	size_t count = (size_t)s->sink_count + 1;
	struct sink_settings *all = realloc(s->sinks, count * sizeof(*all)), *k;

	if (all != NULL) {
		s->sinks = all;
		k = &all[s->sink_count];
		memset(k, 0, sizeof(*k));
		k->origins = new_origins(CONF_SINK);
	}
	if (all == NULL || k->origins == NULL) {
		short_of_memory(faults);
		return NULL;
	}
	s->sink_count++;
	return conf_presets(CONF_SINK, k, faults) == 0 ? k : NULL;
}

struct rule_settings *settings_add_rule(struct link_settings *l, struct conf_faults *faults)
{
	size_t count = (size_t)l->rule_count + 1;
	struct rule_settings *all = realloc(l->rules, count * sizeof(*all)), *r;

	if (all != NULL) {
		l->rules = all;
		r = &all[l->rule_count];
		memset(r, 0, sizeof(*r));
		r->origin = new_origins(CONF_RULE);
	}
	if (all == NULL || r->origin == NULL) {
		short_of_memory(faults);
		return NULL;
	}
	l->rule_count++;
	return conf_presets(CONF_RULE, r, faults) == 0 ? r : NULL;
}

static void unknown_key(enum conf_section section, const char *name, const struct conf_at *at)
{
	const char *where = conf_section_name(section);
	struct conf_guess g = conf_guess_of(name);
	const struct conf_key *keys;
	int count;

	keys = conf_keys(section, &count);
	for (int i = 0; i < count; i++)
		conf_guess_try(&g, keys[i].name);
	for (int s = 0; s < CONF_SECTIONS && g.nearest == NULL; s++)
		if (conf_key_find((enum conf_section)s, name) >= 0) {
			conf_error(at->faults, at->file, at->line,
				"%s is no key of %s; it belongs %s%s", name,
				where[0] != '\0' ? where : "the file itself",
				s == CONF_TOP ? "outside of all groups" : "in ",
				conf_section_name((enum conf_section)s));
			return;
		}
	conf_error(at->faults, at->file, at->line, "unknown key %s%s%s%s%s%s", name,
		where[0] != '\0' ? " in " : "", where, g.nearest != NULL ? "; did you mean " : "",
		g.nearest != NULL ? g.nearest : "", g.nearest != NULL ? "?" : "");
}

static void wrong_type(const struct conf_key *k, const char *not, const struct conf_at *at)
{
	conf_error(at->faults, at->file, at->line, "%s must be %s%s%s", k->name,
		conf_type_words(k->type), not != NULL ? ", not " : "", not != NULL ? not : "");
}

static bool takes_items(const struct conf_key *k)
{
	return k->count_at != 0 || k->type == CONF_KINDS || k->type == CONF_SET;
}

static bool is_number(const config_setting_t *st)
{
	return config_setting_type(st) == CONFIG_TYPE_INT ||
		config_setting_type(st) == CONFIG_TYPE_INT64;
}

/* A code may be written as a number. */
static void read_code(const struct conf_key *k, void *into, const config_setting_t *st,
	const struct conf_at *at)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", config_setting_get_int64(st));
	(void)conf_value_text(k, into, text, at);
}

static void read_items(const struct reader_of_file *r, const struct conf_key *k, void *into,
	config_setting_t *list)
{
	struct conf_at at = at_of(r, list);
	int count = config_setting_length(list);

	if (!takes_items(k)) {
		wrong_type(k, "a list", &at);
		return;
	}
	if (count == 0)
		conf_error(at.faults, at.file, at.line, "%s is an empty list", k->name);
	for (int i = 0; i < count; i++) {
		config_setting_t *item = config_setting_get_elem(list, (unsigned int)i);

		at = at_of(r, item);
		if (config_setting_type(item) == CONFIG_TYPE_STRING)
			(void)conf_value_text(k, into, config_setting_get_string(item), &at);
		else if (k->type == CONF_CODES && is_number(item))
			read_code(k, into, item, &at);
		else
			wrong_type(k, "a list of something else", &at);
	}
}

static void read_value(const struct reader_of_file *r, const struct conf_key *k, void *into,
	config_setting_t *st)
{
	struct conf_at at = at_of(r, st);
	int line = (int)config_setting_source_line(st);

	if (takes_items(k))
		conf_value_clear(k, into);
	switch (config_setting_type(st)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		if (conf_source_reported(r->source, line, k->name))
			break;
		if (k->type == CONF_COUNT || k->type == CONF_OCTETS)
			(void)conf_value_number(k, into, config_setting_get_int64(st), &at);
		else if (k->type == CONF_CODES)
			read_code(k, into, st, &at);
		else
			wrong_type(k, "a number", &at);
		break;
	case CONFIG_TYPE_FLOAT:
		wrong_type(k, "a fraction", &at);
		break;
	case CONFIG_TYPE_BOOL:
		if (k->type == CONF_FLAG)
			(void)conf_value_flag(k, into, config_setting_get_bool(st) != 0, &at);
		else
			wrong_type(k, "true or false", &at);
		break;
	case CONFIG_TYPE_STRING:
		if (k->type == CONF_COUNT || k->type == CONF_FLAG)
			wrong_type(k, "text", &at);
		else
			(void)conf_value_text(k, into, config_setting_get_string(st), &at);
		break;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		read_items(r, k, into, st);
		break;
	default:
		wrong_type(k, "a group", &at);
		break;
	}
}

static void read_list(const struct reader_of_file *r, const struct conf_key *k, void *parent,
	config_setting_t *list);

/* All keys of a group that is a section; what is missing keeps its default. */
static void read_section(const struct reader_of_file *r, enum conf_section section, void *into,
	config_setting_t *group)
{
	struct conf_at here = at_of(r, group);
	int count;
	const struct conf_key *keys = conf_keys(section, &count);

	*conf_origin(section, into, NULL) = (struct setting_origin){ here.file, here.line };
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *st = config_setting_get_elem(group, (unsigned int)i);
		int key = conf_key_find(section, config_setting_name(st));
		struct conf_at at = at_of(r, st);

		if (key < 0) {
			unknown_key(section, config_setting_name(st), &at);
			continue;
		}
		*conf_origin(section, into, keys[key].name) =
			(struct setting_origin){ at.file, at.line };
		if (keys[key].type == CONF_LIST)
			read_list(r, &keys[key], into, st);
		else
			read_value(r, &keys[key], into, st);
	}
	for (int i = 0; i < count; i++)
		if (keys[i].required && conf_origin(section, into, keys[i].name)->file == NULL)
			conf_error(here.faults, here.file, here.line, "%s is missing in %s",
				keys[i].name, conf_section_name(section));
}

/* One more of what the list holds; `parent` is the link that has rules. */
static void *add_to(const struct reader_of_file *r, enum conf_section section, void *parent,
	struct conf_faults *faults)
{
	if (section == CONF_LINK)
		return settings_add_link(r->s, faults);
	if (section == CONF_SINK)
		return settings_add_sink(r->s, faults);
	return settings_add_rule(parent, faults);
}

static void read_list(const struct reader_of_file *r, const struct conf_key *k, void *parent,
	config_setting_t *list)
{
	enum conf_section section = strcmp(k->name, "links") == 0 ? CONF_LINK
		: strcmp(k->name, "logs") == 0 ? CONF_SINK : CONF_RULE;
	struct conf_at at = at_of(r, list);

	if (config_setting_type(list) != CONFIG_TYPE_LIST) {
		bool empty = config_setting_type(list) == CONFIG_TYPE_ARRAY &&
			config_setting_length(list) == 0;

		if (!empty)
			wrong_type(k, NULL, &at);
		return;
	}
	for (int i = 0; i < config_setting_length(list); i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned int)i);
		void *into;

		at = at_of(r, group);
		if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
			wrong_type(k, NULL, &at);
			continue;
		}
		into = add_to(r, section, parent, at.faults);
		if (into != NULL)
			read_section(r, section, into, group);
	}
}

static void read_top(const struct reader_of_file *r, config_setting_t *root)
{
	int count;
	const struct conf_key *keys = conf_keys(CONF_TOP, &count);

	for (int i = 0; i < config_setting_length(root); i++) {
		config_setting_t *st = config_setting_get_elem(root, (unsigned int)i);
		int key = conf_key_find(CONF_TOP, config_setting_name(st));
		struct conf_at at = at_of(r, st);

		if (key < 0) {
			unknown_key(CONF_TOP, config_setting_name(st), &at);
			continue;
		}
		if (!r->is_main && keys[key].type != CONF_LIST) {
			conf_error(at.faults, at.file, at.line, "%s belongs in the main file",
				keys[key].name);
			continue;
		}
		*conf_origin(CONF_TOP, r->s, keys[key].name) =
			(struct setting_origin){ at.file, at.line };
		if (keys[key].type == CONF_LIST)
			read_list(r, &keys[key], NULL, st);
		else if (keys[key].type != CONF_GROUP)
			read_value(r, &keys[key], r->s, st);
		else if (config_setting_type(st) == CONFIG_TYPE_GROUP)
			read_section(r, CONF_DAEMON, r->s, st);
		else
			wrong_type(&keys[key], NULL, &at);
	}
}

/* libconfig often names the line behind the fault: show the one before, too. */
static void syntax_error(const struct reader_of_file *r, const config_t *config)
{
	const struct conf_source *src = r->source;
	const char *what = config_error_text(config);
	int line = config_error_line(config);
	int last = line < src->line_count ? line : src->line_count;
	struct conf_at at = at_line(r, line);
	char shown[2][128] = { "", "" };

	for (int i = last > 1 ? 0 : 1; i < 2; i++) {
		struct conf_line l = conf_source_line(src, last - 1 + i);
		const char *text = src->text + l.at;

		snprintf(shown[i], sizeof(shown[i]), "\n%6d | %.*s", l.line,
			(int)strcspn(text, "\r\n") > 100 ? 100 : (int)strcspn(text, "\r\n"), text);
	}
	if (what != NULL && strcmp(what, "syntax error") != 0)
		conf_error(at.faults, at.file, at.line, "%s%s", what, shown[1]);
	else
		conf_error(at.faults, at.file, at.line,
			"syntax error at this line or at the end of the one before; "
			"a setting is NAME = VALUE;%s%s",
			shown[0], shown[1]);
}

void conf_read(struct settings *s, const struct conf_source *source, bool is_main)
{
	struct reader_of_file r = { s, source, is_main };
	config_t config;

	config_init(&config);
	if (config_read_string(&config, source->text != NULL ? source->text : "") != CONFIG_TRUE)
		syntax_error(&r, &config);
	else
		read_top(&r, config_root_setting(&config));
	config_destroy(&config);
}
