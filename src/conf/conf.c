#include "conf/conf.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/shm.h"
#include "conf/conf_check.h"
#include "conf/conf_read.h"
#include "conf/conf_value.h"

const char *settings_file(struct settings *s, const char *name)
{
	char **files;

	for (int i = 0; i < s->file_count; i++)
		if (strcmp(s->files[i], name) == 0)
			return s->files[i];
	files = realloc(s->files, ((size_t)s->file_count + 1) * sizeof(*files));
	if (files == NULL)
		return NULL;
	s->files = files;
	files[s->file_count] = strdup(name);
	return files[s->file_count] != NULL ? files[s->file_count++] : NULL;
}

static struct settings *settings_new(struct conf_faults *faults)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->origins = calloc((size_t)conf_origin_count(CONF_TOP), sizeof(*s->origins));
	if (s == NULL || s->origins == NULL) {
		conf_error(faults, "configuration", 0, "%s", strerror(ENOMEM));
		free(s);
		return NULL;
	}
	(void)conf_presets(CONF_TOP, s, faults);
	(void)conf_presets(CONF_DAEMON, s, faults);
	return s;
}

static void clear(enum conf_section section, void *of)
{
	int count;
	const struct conf_key *keys = conf_keys(section, &count);

	for (int i = 0; i < count; i++)
		conf_value_clear(&keys[i], of);
}

void settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->link_count; i++) {
		struct link_settings *l = &s->links[i];

		for (int k = 0; k < l->rule_count; k++) {
			clear(CONF_RULE, &l->rules[k]);
			free(l->rules[k].origin);
		}
		free(l->rules);
		clear(CONF_LINK, l);
		free(l->origins);
	}
	for (int i = 0; i < s->sink_count; i++) {
		clear(CONF_SINK, &s->sinks[i]);
		free(s->sinks[i].origins);
	}
	clear(CONF_TOP, s);
	clear(CONF_DAEMON, s);
	for (int i = 0; i < s->file_count; i++)
		free(s->files[i]);
	free(s->files);
	free(s->links);
	free(s->sinks);
	free(s->origins);
	free(s);
}

static int processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > SHM_WORKERS_MAX ? SHM_WORKERS_MAX : n;
}

/* The largest PDU of the link's protocol, or of all where the first PDU will tell which. */
static uint32_t default_max_pdu(const struct proto *proto)
{
	uint32_t most = 0;

	if (proto != NULL)
		return proto->max_pdu;
	for (const struct proto *const *all = proto_all(); *all != NULL; all++)
		most = (*all)->max_pdu > most ? (*all)->max_pdu : most;
	return most;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The defaults that depend on other keys. */
static void complete(struct settings *s, struct conf_faults *faults)
{
	if (s->workers == 0)
		s->workers = processors();
	for (int i = 0; i < s->link_count; i++) {
		struct link_settings *l = &s->links[i];

		if (conf_origin(CONF_LINK, l, "max_sessions")->file == NULL)
			l->max_sessions = lesser(l->max_sessions, s->max_sessions);
		if (conf_origin(CONF_LINK, l, "max_per_ip")->file == NULL)
			l->max_per_ip = lesser(l->max_per_ip, l->max_sessions);
		if (conf_origin(CONF_LINK, l, "retry_max")->file == NULL && l->retry_max_ms < l->retry_ms)
			l->retry_max_ms = l->retry_ms;
		if (l->max_pdu == 0)
			l->max_pdu = default_max_pdu(l->proto);
		if (l->account == NULL && l->name != NULL) {
			l->account = strdup(l->name);
			if (l->account == NULL)
				conf_error(faults, "configuration", 0, "%s", strerror(ENOMEM));
		}
	}
	if (s->sink_count == 0 && conf_origin(CONF_TOP, s, "logs")->file == NULL) {
		struct sink_settings *k = settings_add_sink(s, faults);

		if (k != NULL)
			k->type = SINK_STDOUT;
	}
}

/* `s` if nothing was wrong since there were `before` errors, else NULL and it is released. */
static struct settings *finish(struct settings *s, int before, struct conf_faults *faults)
{
	if (s != NULL) {
		complete(s, faults);
		conf_check(s, faults);
	}
	if (faults->errors == before)
		return s;
	settings_free(s);
	return NULL;
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_file(struct settings *s, const char *path, bool is_main,
	struct conf_faults *faults)
{
	struct conf_source src = { .owner = s, .faults = faults };

	if (conf_source_file(&src, path) == 0)
		conf_read(s, &src, is_main);
	conf_source_fini(&src);
}

/* The *.conf of include_dir; a relative one starts where the main file lies. */
static void load_dir(struct settings *s, const char *main_path, struct conf_faults *faults)
{
	const struct setting_origin *o = conf_origin(CONF_TOP, s, "include_dir");
	const char *slash = strrchr(main_path, '/');
	int base = slash != NULL && s->include_dir[0] != '/' ? (int)(slash - main_path) + 1 : 0;
	char dir[PATH_MAX], path[PATH_MAX + 256];
	struct dirent **names;
	int count;

	snprintf(dir, sizeof(dir), "%.*s%s", base, main_path, s->include_dir);
	count = scandir(dir, &names, is_conf, by_octets);
	if (count < 0) {
		conf_error(faults, o->file, o->line, "include_dir %s: %s", dir, strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		load_file(s, path, false, faults);
		free(names[i]);
	}
	free(names);
}

/* An empty result is refused: a comment that swallowed the rest would look like one. */
static void need_links(const struct settings *s, const char *path, struct conf_faults *faults)
{
	const struct setting_origin *o = conf_origin(CONF_TOP, s, "links");

	if (s->link_count == 0)
		conf_error(faults, o->file != NULL ? o->file : path, o->line,
			"no links: there is nothing to stand in");
}

struct settings *conf_load(const char *path, struct conf_faults *faults)
{
	int before = faults->errors;
	struct settings *s = settings_new(faults);

	if (s == NULL)
		return NULL;
	load_file(s, path, true, faults);
	if (s->include_dir != NULL)
		load_dir(s, path, faults);
	if (faults->errors == before || s->link_count > 0)
		need_links(s, path, faults);
	return finish(s, before, faults);
}

struct settings *conf_load_fd(int fd, struct conf_faults *faults)
{
	int before = faults->errors;
	struct settings *s = settings_new(faults);
	struct conf_source src = { .owner = s, .faults = faults };

	if (s == NULL)
		return NULL;
	if (conf_source_fd(&src, fd, "configuration") == 0) {
		conf_read(s, &src, true);
		if (faults->errors == before)
			need_links(s, "configuration", faults);
	}
	conf_source_fini(&src);
	return finish(s, before, faults);
}

/* An option's value for key `name`; arrays take a comma between items. */
static void set_option(enum conf_section section, void *into, const char *name,
	const char *option, const char *value, struct conf_faults *faults)
{
	struct conf_at at = { faults, option, 0 };
	int count;
	const struct conf_key *k = conf_keys(section, &count) + conf_key_find(section, name);

	if (value == NULL)
		return;
	*conf_origin(section, into, name) = (struct setting_origin){ option, 0 };
	if (k->count_at != 0) {
		char *copy = strdup(value), *rest = copy, *item;

		conf_value_clear(k, into);
		while ((item = strsep(&rest, ",")) != NULL)
			(void)conf_value_text(k, into, item, &at);
		free(copy);
	} else {
		(void)conf_value_text(k, into, value, &at);
	}
}

struct settings *conf_quick(const struct conf_quick *q, struct conf_faults *faults)
{
	int before = faults->errors;
	struct settings *s = settings_new(faults);
	struct link_settings *l = s != NULL ? settings_add_link(s, faults) : NULL;
	struct sink_settings *k = s != NULL ? settings_add_sink(s, faults) : NULL;

	if (q->listen == NULL)
		conf_error(faults, "--listen", 0, "is missing");
	if (q->upstream == NULL)
		conf_error(faults, "--upstream", 0, "is missing");
	if (l != NULL && k != NULL) {
		set_option(CONF_TOP, s, "control", "--control", q->control != NULL ? q->control : "",
			faults);
		set_option(CONF_LINK, l, "protocol", "--protocol", q->protocol, faults);
		set_option(CONF_LINK, l, "listen", "--listen", q->listen, faults);
		set_option(CONF_LINK, l, "upstream", "--upstream", q->upstream, faults);
		set_option(CONF_LINK, l, "profile", "--profile", q->profile, faults);
		set_option(CONF_LINK, l, "name", "--protocol",
			l->proto != NULL ? l->proto->name : "link", faults);
		k->type = SINK_STDOUT;
		set_option(CONF_SINK, k, "format", "--log", q->log, faults);
		set_option(CONF_SINK, k, "lang", "--lang", q->lang, faults);
	}
	return finish(s, before, faults);
}
