#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifndef SMSCOPE_CONF
#define SMSCOPE_CONF "/etc/smscope/smscope.conf"
#endif

enum { OPT_DUMP = 256, OPT_KEYS, OPT_LISTEN, OPT_UPSTREAM, OPT_PROTOCOL, OPT_PROFILE, OPT_LANG,
	OPT_LOG, OPT_CONTROL, OPT_COLOR, OPT_ENGINE, OPT_TABLES, OPT_TABLES_SITE,
	OPT_PROVE, OPT_BLIND, OPT_MOVED };

static const struct option longs[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 't' },
	{ "dump-config", no_argument, NULL, OPT_DUMP },
	{ "list-keys", no_argument, NULL, OPT_KEYS },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "upstream", required_argument, NULL, OPT_UPSTREAM },
	{ "protocol", required_argument, NULL, OPT_PROTOCOL },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "lang", required_argument, NULL, OPT_LANG },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "tables", required_argument, NULL, OPT_TABLES },
	{ "tables-site", required_argument, NULL, OPT_TABLES_SITE },
	{ "prove", required_argument, NULL, OPT_PROVE },
	{ "blind", no_argument, NULL, OPT_BLIND },
	{ "moved", required_argument, NULL, OPT_MOVED },
	{ 0 },
};

static const char help[] =
	"smscoped - stands between an SP and its SMS gateway (CMPP, SMPP), passes every octet\n"
	"on unchanged and says what the codes on the wire mean.\n"
	"\n"
	"  smscoped [-c FILE]                    run the links of a configuration file\n"
	"  smscoped --listen ADDR --upstream ADDR [--protocol P] [...]\n"
	"                                        run one link here, its log on standard output\n"
	"\n"
	"  -c, --config FILE     configuration (" SMSCOPE_CONF ")\n"
	"  -t, --check           check configuration and code tables, then end\n"
	"      --dump-config     print the configuration in effect, defaults included\n"
	"      --list-keys       print every configuration key with range and default\n"
	"      --listen ADDR     where SPs connect, 127.0.0.1:7890 or [::1]:7890\n"
	"      --upstream ADDR   the gateway\n"
	"      --protocol P      cmpp, smpp or auto (auto: told by the first PDU)\n"
	"      --profile NAME    whose codes the gateway speaks: standard, infox, ...\n"
	"      --lang L          meanings in zh, en or both\n"
	"      --log FORMAT      text or json\n"
	"      --control PATH    socket for smscope ctl; by default none\n"
	"      --color WHEN      auto, never or always\n"
	"  -v, --version         -h, --help\n"
	"\n"
	"  smscoped --listen 127.0.0.1:7890 --upstream 10.0.0.1:7890 --profile infox --lang zh\n"
	"\n"
	"Signals: TERM lets sessions end, INT (Ctrl-C) stops at once, HUP loads configuration, code\n"
	"tables and certificates again, USR1 reopens log files, USR2 changes over to the program\n"
	"that lies where this one did. Sessions go on.\n"
	"Ends with 0; 1 fault in configuration or at run time, 2 usage, 3 cannot listen.\n";

static const char *const engine_options[] = {
	"--engine=debug", "--engine=info", "--engine=warn", "--engine=error",
};

void options_help(FILE *to)
{
	fputs(help, to);
}

const char *options_engine(enum log_level least)
{
	return engine_options[least];
}

/* Index of `word` in a list ended by NULL, or -EINVAL. */
static int word_of(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -EINVAL;
}

static PRINTF_LIKE(2, 3) int usage(FILE *err, const char *fmt, ...)
{
	va_list ap;

	fputs("smscoped: ", err);
	va_start(ap, fmt);
	vfprintf(err, fmt, ap);
	va_end(ap);
	fputs("; try --help\n", err);
	return -EINVAL;
}

/* Two things to do are one too many, but --help and --version always have their way. */
static int set_action(struct options *o, enum action a, FILE *err)
{
	bool final = o->action == ACTION_HELP || o->action == ACTION_VERSION;

	if (a == ACTION_HELP || a == ACTION_VERSION)
		o->action = final ? o->action : a;
	else if (o->action == ACTION_RUN || o->action == a)
		o->action = a;
	else if (!final)
		return usage(err, "--check, --dump-config and --list-keys exclude one another");
	return 0;
}

static int set_color(struct options *o, const char *when, FILE *err)
{
	static const char *const words[] = { "auto", "never", "always", NULL };
	int i = word_of(words, when);

	if (i < 0)
		return usage(err, "--color is auto, never or always, not \"%s\"", when);
	o->color = i - 1;
	o->color_given = true;
	return 0;
}

static int set_engine(struct options *o, const char *level, FILE *err)
{
	static const char *const words[] = { "debug", "info", "warn", "error", NULL };
	int i = word_of(words, level);

	if (i < 0)
		return usage(err, "unknown option --engine=%s", level);
	o->least = (enum log_level)i;
	o->action = ACTION_ENGINE;
	return 0;
}

static int set_link(struct options *o, int opt, const char *value)
{
	struct conf_quick *q = &o->link;
	const char **where = opt == OPT_LISTEN ? &q->listen : opt == OPT_UPSTREAM ? &q->upstream :
		opt == OPT_PROTOCOL ? &q->protocol : opt == OPT_PROFILE ? &q->profile :
		opt == OPT_LANG ? &q->lang : opt == OPT_CONTROL ? &q->control : &q->log;

	*where = value;
	o->quick = true;
	return 0;
}

static bool is_long(int value)
{
	for (const struct option *o = longs; o->name != NULL; o++)
		if (o->val == value)
			return true;
	return false;
}

static int set_option(struct options *o, int opt, char **argv, FILE *err)
{
	switch (opt) {
	case 'c':
		o->config = optarg;
		return 0;
	case 't':
		return set_action(o, ACTION_CHECK, err);
	case OPT_DUMP:
		return set_action(o, ACTION_DUMP, err);
	case OPT_KEYS:
		return set_action(o, ACTION_LIST_KEYS, err);
	case 'v':
		return set_action(o, ACTION_VERSION, err);
	case 'h':
		return set_action(o, ACTION_HELP, err);
	case OPT_COLOR:
		return set_color(o, optarg, err);
	case OPT_ENGINE:
		return set_engine(o, optarg, err);
	case OPT_TABLES:
		o->action = ACTION_TABLES;
		o->tables = optarg;
		return 0;
	case OPT_PROVE:
		o->action = ACTION_PROVE;
		o->layout = optarg;
		return 0;
	case OPT_MOVED:
		o->moved = atoi(optarg);
		return 0;
	case OPT_BLIND:
		o->blind = true;
		return 0;
	case OPT_TABLES_SITE:
		o->tables_site = optarg;
		return 0;
	case ':':
		return usage(err, "%s needs a value", argv[optind - 1]);
	case '?':
		/* 0: an unknown long option; a known one: it takes no value; else a short one. */
		if (optopt == 0)
			return usage(err, "unknown option %s", argv[optind - 1]);
		if (is_long(optopt))
			return usage(err, "no value is taken by %s", argv[optind - 1]);
		return usage(err, "unknown option -%c", optopt);
	default:
		return set_link(o, opt, optarg);
	}
}

/* What options say together. */
static int check(struct options *o, FILE *err)
{
	if (o->action == ACTION_HELP || o->action == ACTION_VERSION ||
			o->action == ACTION_LIST_KEYS)
		return 0;
	if (o->quick && o->config != NULL)
		return usage(err, "--config and a link on the command line exclude one another");
	if (o->quick && o->link.listen == NULL)
		return usage(err, "--listen is missing");
	if (o->quick && o->link.upstream == NULL)
		return usage(err, "--upstream is missing");
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, FILE *err)
{
	const char *no_color = getenv("NO_COLOR");
	struct options o = { .action = ACTION_RUN, .color = -1, .least = LOG_INFO_, .moved = -1, .argv = argv };
	int opt;

	optind = 0; /* glibc: start afresh, also on a second call */
	while ((opt = getopt_long(argc, argv, "+:c:tvh", longs, NULL)) != -1)
		if (set_option(&o, opt, argv, err) < 0)
			return -EINVAL;
	if (optind < argc)
		return usage(err, "unexpected \"%s\"", argv[optind]);
	if (check(&o, err) < 0)
		return -EINVAL;
	if (!o.color_given && no_color != NULL && no_color[0] != '\0') {
		o.color = 0;
		o.color_given = true;
	}
	if (o.config == NULL)
		o.config = SMSCOPE_CONF;
	if (o.quick && o.action != ACTION_ENGINE)
		o.least = LOG_WARN_;
	*ret = o;
	return 0;
}
