#include "tools/tail.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/tools.h"

enum { EXIT_USAGE = 2, LAST_DEFAULT = 10, LAST_MAX = 1000000 };

static const char usage_text[] =
	"usage: smscope tail [OPTION...] [FILE]\n"
	"Follows a log of smscoped, JSON or text, through logrotate, and shows what is asked for.\n"
	"Without FILE the first file log of the configuration; with - standard input.\n"
	"  -n, --lines N          begin with the last N that are asked for (10); all\n"
	"  -f, --follow           go on as the log grows (this is what it does anyway)\n"
	"      --no-follow        end at the log's end\n"
	"  -c, --config FILE      configuration that names the log (" SMSCOPE_CONF ")\n"
	"      --link L[,L...]    of these links\n"
	"      --event E[,E...]   of these kinds: login,submit,submit_resp,report,stall,...\n"
	"      --class C[,C...]   of these classes: throttled,undeliverable,... (JSON only)\n"
	"      --code C[,C...]    with these codes: 8, 0x58, MB:0064, ESME_RTHROTTLED\n"
	"      --number N         to or from this number; finds masked ones, too\n"
	"      --msgid ID         of this message\n"
	"      --failed           only what did not succeed\n"
	"      --since T          15m, 2h, 3d; 14:30; 2026-11-21T14:30\n"
	"      --lang L           zh, en or both\n"
	"      --color W          auto, always or never\n"
	"      --json             JSON lines as they are\n"
	"example: smscope tail --failed --link cmcc-bj /var/log/smscope/smscope.json\n";

static int usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

void tail_flush(struct tail *t)
{
	if (t->gone || fflush(stdout) == 0)
		return;
	t->gone = true;
	if (errno == EPIPE)
		return;
	fprintf(stderr, "smscope tail: standard output: %s\n", err_text(-errno));
	t->rc = 1;
}

static void tell_once(bool *told, const char *what)
{
	if (!*told)
		fprintf(stderr, "smscope tail: %s\n", what);
	*told = true;
}

bool tail_wants(struct tail *t, struct span raw)
{
	log_line_read(&t->line, raw);
	if (t->line.form == LOG_TEXT && t->filter.classes != NULL)
		tell_once(&t->told_class, "text lines have no class: --class leaves them out");
	if (t->line.form == LOG_TEXT && t->json)
		tell_once(&t->told_text, "text lines are left out of --json");
	return !(t->line.form == LOG_TEXT && t->json) && log_filter_match(&t->filter, &t->line);
}

void tail_line(struct tail *t, struct span raw)
{
	struct out o = out_of(t->shown, LOG_SHOWN_MAX);
	bool wanted = tail_wants(t, raw);

	t->others += t->line.form == LOG_OTHER && t->line.raw.n > 0;
	if (!wanted)
		return;
	if (t->json)
		log_show_json(&o, &t->line);
	else
		log_show(&o, &t->line, &t->style);
	fwrite(t->shown, 1, out_len(&o), stdout);
}

static int choice(const char *arg, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], arg) == 0)
			return i;
	}
	return -1;
}

/* "10", or "all". */
static bool lines_read(const char *arg, long *ret)
{
	char *end;

	if (strcmp(arg, "all") == 0) {
		*ret = -1;
		return true;
	}
	errno = 0;
	*ret = strtol(arg, &end, 10);
	return errno == 0 && end > arg && *end == '\0' && *ret >= 0 && *ret <= LAST_MAX;
}

/* "15m": so long ago. */
static bool ago_read(const char *arg, int64_t now_us, int64_t *ret_us)
{
	static const char units[] = "smhd";
	static const int64_t seconds[] = { 1, 60, 3600, 86400 };
	char *end;
	long n = strtol(arg, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;

	if (end == arg || unit == NULL || end[1] != '\0' || n < 0 || n > 1000000)
		return false;
	*ret_us = now_us - n * seconds[unit - units] * 1000000;
	return true;
}

/* A time without zone is local; without date the last one that was. */
static bool since_read(const char *arg, int64_t *ret_us)
{
	static const char *const forms[] = {
		"%H:%M", "%H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
	};
	int64_t now_us = (int64_t)(clock_wall_ns() / 1000);
	time_t now = (time_t)(now_us / 1000000), then;

	if (ago_read(arg, now_us, ret_us))
		return true;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm;
		const char *end;

		localtime_r(&now, &tm);
		tm.tm_sec = 0;
		if (i >= 2)
			tm.tm_hour = tm.tm_min = 0;
		end = strptime(arg, forms[i], &tm);
		if (end == NULL || *end != '\0')
			continue;
		tm.tm_isdst = -1;
		then = mktime(&tm);
		if (i < 2 && then > now)
			then -= 86400;
		*ret_us = (int64_t)then * 1000000;
		return true;
	}
	return log_time_read(span_of(arg, strlen(arg)), 0, ret_us);
}

/* Every item of a list must be known; what is not is said. */
static bool known(const char *list, bool event)
{
	char item[64];

	while (*(list += strspn(list, ",")) != '\0') {
		size_t n = strcspn(list, ",");
		bool ok;

		snprintf(item, sizeof(item), "%.*s", (int)(n < 63 ? n : 63), list);
		ok = event ? log_event_known(span_of(item, strlen(item))) : code_class_of(item) >= 0;
		if (!ok) {
			fprintf(stderr, "smscope tail: no %s \"%s\"; there are:",
				event ? "event" : "class", item);
			for (int i = 0; i < (event ? (int)REC_COUNT : (int)CLASS_COUNT); i++)
				fprintf(stderr, " %s",
					event ? record_kind_name((enum record_kind)i)
					      : code_class_name((enum code_class)i));
			fputc('\n', stderr);
			return false;
		}
		list += n;
	}
	return true;
}

enum { OPT_LINK = 256, OPT_EVENT, OPT_CLASS, OPT_CODE, OPT_NUMBER, OPT_MSGID, OPT_FAILED,
	OPT_SINCE, OPT_LANG, OPT_COLOR, OPT_JSON, OPT_NO_FOLLOW };

static const struct option longs[] = {
	{ "lines", required_argument, NULL, 'n' },
	{ "follow", no_argument, NULL, 'f' },
	{ "no-follow", no_argument, NULL, OPT_NO_FOLLOW },
	{ "config", required_argument, NULL, 'c' },
	{ "link", required_argument, NULL, OPT_LINK },
	{ "event", required_argument, NULL, OPT_EVENT },
	{ "class", required_argument, NULL, OPT_CLASS },
	{ "code", required_argument, NULL, OPT_CODE },
	{ "number", required_argument, NULL, OPT_NUMBER },
	{ "msgid", required_argument, NULL, OPT_MSGID },
	{ "failed", no_argument, NULL, OPT_FAILED },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "lang", required_argument, NULL, OPT_LANG },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* One option that asks for lines; false if its value is wrong. */
static bool filter_option(int c, struct log_filter *f)
{
	switch (c) {
	case OPT_LINK:
		f->links = optarg;
		return true;
	case OPT_EVENT:
		f->events = optarg;
		return known(optarg, true);
	case OPT_CLASS:
		f->classes = optarg;
		return known(optarg, false);
	case OPT_CODE:
		f->codes = optarg;
		return true;
	case OPT_NUMBER:
		f->number = optarg;
		return true;
	case OPT_MSGID:
		f->msgid = optarg;
		return true;
	case OPT_FAILED:
		return f->failed = true;
	case OPT_SINCE:
		return f->has_since = since_read(optarg, &f->since_us);
	default:
		return false;
	}
}

/* 0, or the exit code plus one. */
static int options_read(int argc, char **argv, struct tail *t, const char **ret_config)
{
	static const char *const langs[] = { [LANG_BOTH] = "both", [LANG_ZH] = "zh",
					     [LANG_EN] = "en" };
	static const char *const colors[] = { "never", "always", "auto" };
	bool ok = true, lines = false;
	int c, color = 2, lang = LANG_BOTH;

	optind = 1;
	while (ok && (c = getopt_long(argc, argv, "n:fc:h", longs, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout) + 1;
		if (c == 'n')
			ok = lines = lines_read(optarg, &t->last);
		else if (c == 'f' || c == OPT_NO_FOLLOW)
			t->follow = c == 'f';
		else if (c == 'c')
			*ret_config = optarg;
		else if (c == OPT_LANG)
			ok = (lang = choice(optarg, langs, 3)) >= 0;
		else if (c == OPT_COLOR)
			ok = (color = choice(optarg, colors, 3)) >= 0;
		else if (c == OPT_JSON)
			t->json = true;
		else
			ok = filter_option(c, &t->filter);
		if (!ok && c != '?' && c != OPT_EVENT && c != OPT_CLASS)
			fprintf(stderr, "smscope tail: not understood: \"%s\"\n", optarg);
		if (!ok && c != '?')
			return EXIT_USAGE + 1;
	}
	if (!ok || argc - optind > 1)
		return usage(stderr) + 1;
	if (t->filter.has_since && !lines)
		t->last = -1;
	t->style.lang = (enum record_lang)lang;
	t->style.color = color == 1 || (color == 2 && isatty(STDOUT_FILENO) != 0 &&
					 getenv("NO_COLOR") == NULL);
	t->path = optind < argc ? argv[optind] : NULL;
	return 0;
}

static void tell_skipped(const struct tail *t)
{
	if (t->others > 0)
		fprintf(stderr, "smscope tail: %llu lines are no records\n",
			(unsigned long long)t->others);
	if (t->reader.too_long > 0)
		fprintf(stderr, "smscope tail: %llu lines are longer than %d octets\n",
			(unsigned long long)t->reader.too_long, JSON_LINE_MAX);
}

int tail_main(int argc, char **argv)
{
	static struct tail t = { .last = LAST_DEFAULT, .follow = true };
	const char *config = SMSCOPE_CONF;
	char *named = NULL;
	int rc = options_read(argc, argv, &t, &config);

	if (rc != 0)
		return rc - 1;
	if (t.path == NULL)
		t.path = named = log_of_config("smscope tail", config, t.json);
	if (t.path == NULL)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	t.shown = malloc(LOG_SHOWN_MAX);
	if (t.shown == NULL || log_reader_init(&t.reader) < 0) {
		fputs("smscope tail: out of memory\n", stderr);
		rc = 1;
	} else {
		rc = strcmp(t.path, "-") == 0 ? tail_stream(&t, STDIN_FILENO, "standard input")
					      : tail_file(&t);
		tell_skipped(&t);
	}
	log_reader_free(&t.reader);
	free(t.shown);
	free(named);
	return rc;
}
