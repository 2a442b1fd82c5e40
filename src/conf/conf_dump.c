#include "conf/conf.h"

#include <errno.h>

#include "conf/conf_keys.h"
#include "conf/conf_value.h"

/* Where the line's value came from, as a comment that cannot end before the line does. */
static void dump_origin(const struct setting_origin *o, FILE *to)
{
	if (o->file == NULL) {
		fputs("; // default\n", to);
		return;
	}
	fputs("; // ", to);
	for (const char *p = o->file; *p != '\0'; p++)
		putc((unsigned char)*p < 0x20 ? '?' : *p, to);
	if (o->line > 0)
		fprintf(to, ":%d", o->line);
	putc('\n', to);
}

static void dump_section(enum conf_section section, const void *of, const char *indent, FILE *to)
{
	int count;
	const struct conf_key *keys = conf_keys(section, &count);

	for (int i = 0; i < count; i++) {
		if (!conf_value_has(&keys[i], of))
			continue;
		/* A rule's key that means nothing to its action is a fault where it is set. */
		if (section == CONF_RULE && conf_origin(section, of, keys[i].name)->file == NULL)
			continue;
		fprintf(to, "%s%s = ", indent, keys[i].name);
		conf_value_write(&keys[i], of, to);
		dump_origin(conf_origin(section, of, keys[i].name), to);
	}
}

static void dump_rules(const struct link_settings *l, FILE *to)
{
	if (l->rule_count == 0)
		return;
	fputs("\t\trules = (", to);
	for (int i = 0; i < l->rule_count; i++) {
		fputs(i > 0 ? ",\n\t\t\t{\n" : "\n\t\t\t{\n", to);
		dump_section(CONF_RULE, &l->rules[i], "\t\t\t\t", to);
		fputs("\t\t\t}", to);
	}
	fputs("\n\t\t);\n", to);
}

int conf_dump(const struct settings *s, FILE *to)
{
	int count;
	const struct conf_key *control = conf_keys(CONF_TOP, &count) +
		conf_key_find(CONF_TOP, "control");

	/* The file's other keys named more files; what these said is in what follows. */
	fprintf(to, "%s = ", control->name);
	conf_value_write(control, s, to);
	dump_origin(conf_origin(CONF_TOP, s, control->name), to);
	fputs("\ndaemon = {\n", to);
	dump_section(CONF_DAEMON, s, "\t", to);
	fputs("};\n\nlinks = (", to);
	for (int i = 0; i < s->link_count; i++) {
		fputs(i > 0 ? ",\n\t{\n" : "\n\t{\n", to);
		dump_section(CONF_LINK, &s->links[i], "\t\t", to);
		dump_rules(&s->links[i], to);
		fputs("\t}", to);
	}
	fputs("\n);\n\nlogs = (", to);
	for (int i = 0; i < s->sink_count; i++) {
		fputs(i > 0 ? ",\n\t{\n" : "\n\t{\n", to);
		dump_section(CONF_SINK, &s->sinks[i], "\t\t", to);
		fputs("\t}", to);
	}
	fputs("\n);\n", to);
	return fflush(to) == 0 && !ferror(to) ? 0 : -EIO;
}

static void list_words(const struct conf_key *k, FILE *to)
{
	for (const struct conf_word *w = k->words; w->word != NULL; w++)
		fprintf(to, "%s\"%s\"", w == k->words ? "" : ", ", w->word);
}

static void list_range(const struct conf_key *k, FILE *to)
{
	char least[32], most[32];

	if (k->words != NULL) {
		list_words(k, to);
		fputs(k->type == CONF_SET ? "; or a list of such" : "", to);
		return;
	}
	switch (k->type) {
	case CONF_COUNT:
	case CONF_OCTETS:
	case CONF_DURATION:
		conf_value_amount(k, k->min, least, sizeof(least));
		conf_value_amount(k, k->max, most, sizeof(most));
		fprintf(to, "%s to %s %s", least, most,
			k->type == CONF_DURATION ? "(duration)" : k->unit);
		break;
	case CONF_PROTOCOL:
		fputs("\"auto\"", to);
		for (const struct proto *const *p = proto_all(); *p != NULL; p++)
			fprintf(to, ", \"%s\"", (*p)->name);
		break;
	case CONF_LISTEN:
	case CONF_SERVERS:
	case CONF_RESOLVERS:
	case CONF_NAMES:
	case CONF_TEXTS:
	case CONF_ACCOUNTS:
	case CONF_CODES:
	case CONF_PREFIXES:
		fprintf(to, "text, or a list of up to %lld", (long long)k->max);
		break;
	case CONF_KINDS:
		fputs("\"all\"", to);
		for (int i = 0; i < REC_COUNT; i++)
			fprintf(to, ", \"%s\"", record_kind_name((enum record_kind)i));
		break;
	case CONF_FLAG:
		fputs("true, false", to);
		break;
	case CONF_GROUP:
		fputs("group", to);
		break;
	case CONF_LIST:
		fputs("list of groups", to);
		break;
	default:
		fputs("text", to);
		break;
	}
}

/*
 * daemon.hold_max
 *     A PDU longer than this …
 *     4K to 1M octets; default 32K; on restart
 */
void conf_list_keys(FILE *to)
{
	for (int s = 0; s < CONF_SECTIONS; s++) {
		const char *where = conf_section_name((enum conf_section)s);
		int count;
		const struct conf_key *keys = conf_keys((enum conf_section)s, &count);

		for (int i = 0; i < count; i++) {
			const struct conf_key *k = &keys[i];

			fprintf(to, "%s%s%s\n    %s\n    ", where, where[0] != '\0' ? "." : "",
				k->name, k->help);
			list_range(k, to);
			if (k->required)
				fputs("; required", to);
			else if (k->preset != NULL || k->computed != NULL)
				fprintf(to, "; default %s",
					k->preset != NULL ? k->preset : k->computed);
			fputs(k->reloadable ? "; on reload\n" : "; on restart\n", to);
		}
	}
}
