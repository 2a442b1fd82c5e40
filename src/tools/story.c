#include "tools/story.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tools.h"

enum { EXIT_USAGE = 2, COLUMNS_LEAST = 80 };

struct teller {
	const char *wanted, *link, *config;
	bool json, is_number; /* is_number: what is wanted could be a telephone number */
	enum match best;
	struct story_style style;
	struct story_files files;
	struct story_keys keys;
	struct story_ref *refs;
	size_t ref_count, ref_room;
	struct log_reader reader;
	struct log_line line;
	uint64_t lines, others, texts; /* read; neither JSON nor text; of a text log */
	bool refs_full;
};

static const char usage_text[] =
	"usage: smscope story [OPTION...] ID|NUMBER [FILE...]\n"
	"The whole life of a message, or of all to a number, from JSON logs of smscoped: submit,\n"
	"response, reports. Without FILE the first JSON log of the configuration; - is standard\n"
	"input. An ID is found as it was written, else but for case, for leading zeros, in\n"
	"hexadecimal for decimal; a NUMBER may be whole, masked or only its end.\n"
	"      --link L       only of this link\n"
	"      --json         one object for each message, its records as they are\n"
	"      --lang L       zh, en or both\n"
	"      --color W      auto, always or never\n"
	"  -c, --config FILE  configuration that names the log (" SMSCOPE_CONF ")\n"
	"example: smscope story 1121191700-104-7 /var/log/smscope/smscope.json\n";

static int usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int fault(const char *name, int err)
{
	fprintf(stderr, "smscope story: %s: %s\n", name, err_text(err));
	return err;
}

/* How the record is the one asked for. */
static enum match match_of(const struct teller *t, const struct story_event *e)
{
	struct span wanted = span_of(t->wanted, strlen(t->wanted));
	enum match a = id_match(wanted, e->id), b = id_match(wanted, e->resp_id);

	a = b < a ? b : a;
	if (a > MATCH_NUMBER && t->is_number && number_match(wanted, e->dst))
		a = MATCH_NUMBER;
	return a;
}

/* Only the best way of being the one asked for counts: what was found in a worse one is dropped. */
static void find(struct teller *t, const struct story_event *e)
{
	enum match m = match_of(t, e);

	if (m == MATCH_NONE || m > t->best)
		return;
	if (m < t->best)
		story_keys_clear(&t->keys);
	t->best = m;
	story_join(&t->keys, e);
}

/* Requests and responses only: a report that was let in by its id brings no other with it. */
static void complete(struct teller *t, const struct story_event *e)
{
	if (e->has_request && story_group_of(&t->keys, e) >= 0)
		story_join(&t->keys, e);
}

static struct story_ref *new_ref(struct teller *t)
{
	struct story_ref *more;
	size_t room = t->ref_room == 0 ? 256 : t->ref_room * 2;

	if (t->ref_count == t->ref_room) {
		more = t->ref_room < STORY_REFS_MAX ? realloc(t->refs, room * sizeof(*more)) : NULL;
		if (more == NULL) {
			t->refs_full = true;
			return NULL;
		}
		t->refs = more;
		t->ref_room = room;
	}
	return &t->refs[t->ref_count++];
}

static void gather(struct teller *t, const struct story_event *e, int file, int64_t offset)
{
	int group = story_group_of(&t->keys, e);
	/* a record that does not tell its time has that of the one before it */
	int64_t us = t->ref_count > 0 ? t->refs[t->ref_count - 1].us : 0;
	struct story_ref *r = group >= 0 ? new_ref(t) : NULL;

	if (r == NULL)
		return;
	(void)log_line_time(&t->line, &us);
	*r = (struct story_ref){ .us = us, .offset = offset, .group = group,
				 .file = (uint16_t)file, .len = (uint32_t)t->line.raw.n };
}

enum pass { PASS_FIND, PASS_COMPLETE, PASS_GATHER };

static void take_line(struct teller *t, enum pass pass, int file, struct span raw, int64_t offset)
{
	struct story_event e;

	log_line_read(&t->line, raw);
	if (pass == PASS_FIND) {
		t->lines++;
		t->others += t->line.form == LOG_OTHER && t->line.raw.n > 0;
		t->texts += t->line.form == LOG_TEXT;
	}
	if (!story_event_read(&e, &t->line) ||
	    (t->link != NULL && (e.link.n != strlen(t->link) ||
				 memcmp(e.link.p, t->link, e.link.n) != 0)))
		return;
	if (pass == PASS_FIND)
		find(t, &e);
	else if (pass == PASS_COMPLETE)
		complete(t, &e);
	else
		gather(t, &e, file, offset);
}

static int read_file(struct teller *t, enum pass pass, int file)
{
	const struct story_file *f = &t->files.at[file];
	struct span line;
	int64_t at;
	int n;

	if (lseek(f->fd, 0, SEEK_SET) < 0)
		return fault(f->name, -errno);
	log_reader_reset(&t->reader, 0);
	while ((n = log_reader_fill(&t->reader, f->fd)) > 0) {
		while (log_reader_next(&t->reader, &line, &at))
			take_line(t, pass, file, line, at);
	}
	if (log_reader_last(&t->reader, &line, &at))
		take_line(t, pass, file, line, at);
	return n < 0 ? fault(f->name, n) : 0;
}

static int read_all(struct teller *t, enum pass pass)
{
	int rc = 0;

	for (int i = 0; i < t->files.count && rc == 0; i++)
		rc = read_file(t, pass, i);
	return rc;
}

/* What cannot be read twice is kept in a file that has no name. */
static int spool(int fd, const char *name)
{
	FILE *copy = tmpfile();
	char room[8192];
	ssize_t n;
	int rc;

	if (copy == NULL)
		return fault("temporary file", -errno);
	while ((n = read(fd, room, sizeof(room))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && fwrite(room, 1, (size_t)n, copy) != (size_t)n)
			break;
	}
	if (n != 0 || fflush(copy) != 0)
		rc = fault(n < 0 ? name : "temporary file", -errno);
	else
		rc = dup(fileno(copy));
	fclose(copy);
	return rc;
}

static int open_file(struct teller *t, const char *name)
{
	bool standard = strcmp(name, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC), copy;

	if (t->files.count == STORY_FILES_MAX)
		return fault(name, SM_EFULL);
	if (fd < 0)
		return fault(name, -errno);
	if (standard || lseek(fd, 0, SEEK_CUR) < 0) {
		copy = spool(fd, standard ? "standard input" : name);
		if (!standard)
			close(fd);
		fd = copy;
	}
	if (fd < 0)
		return fd;
	t->files.at[t->files.count++] = (struct story_file){ name, fd };
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct story_ref *x = a, *y = b;

	if (x->begin_us != y->begin_us)
		return x->begin_us < y->begin_us ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Stories in order of their beginning, and each in order of time. */
static int sort(struct teller *t)
{
	int64_t *begins = malloc(STORY_GROUPS_MAX * sizeof(*begins));

	if (begins == NULL)
		return -ENOMEM;
	for (int i = 0; i < STORY_GROUPS_MAX; i++)
		begins[i] = INT64_MAX;
	for (size_t i = 0; i < t->ref_count; i++) {
		if (t->refs[i].us < begins[t->refs[i].group])
			begins[t->refs[i].group] = t->refs[i].us;
	}
	for (size_t i = 0; i < t->ref_count; i++)
		t->refs[i].begin_us = begins[t->refs[i].group];
	free(begins);
	if (t->ref_count > 0)
		qsort(t->refs, t->ref_count, sizeof(*t->refs), by_time);
	return 0;
}

static void tell(struct teller *t)
{
	static struct story_sum sum;
	size_t end;

	for (size_t i = 0; i < t->ref_count; i = end) {
		for (end = i; end < t->ref_count && t->refs[end].group == t->refs[i].group;)
			end++;
		story_sum(&sum, &t->files, &t->refs[i], end - i, &t->line);
		if (t->json) {
			story_show_json(&t->style, &sum, &t->files, &t->refs[i], end - i, &t->line);
			continue;
		}
		if (i > 0)
			putchar('\n');
		story_show(&t->style, &sum, &t->files, &t->refs[i], end - i, &t->line);
	}
}

static void tell_rest(const struct teller *t)
{
	if (t->keys.full || t->refs_full)
		fprintf(stderr, "smscope story: only the first %d messages are told: "
			"--link, or a whole number, finds fewer\n", STORY_GROUPS_MAX);
	if (t->others > 0)
		fprintf(stderr, "smscope story: %llu lines are no records\n",
			(unsigned long long)t->others);
	if (t->reader.too_long > 0)
		fprintf(stderr, "smscope story: lines longer than %d octets are left out\n",
			JSON_LINE_MAX);
	if (t->texts > 0)
		fprintf(stderr, "smscope story: %llu lines are of a text log; the JSON log "
			"(format = \"json\") is what is read\n", (unsigned long long)t->texts);
}

static int run(struct teller *t)
{
	int rc;

	t->best = MATCH_NONE;
	t->files.room = malloc(JSON_LINE_MAX);
	t->style.shown = malloc(LOG_SHOWN_MAX);
	if (t->files.room == NULL || t->style.shown == NULL || story_keys_init(&t->keys) < 0 ||
	    log_reader_init(&t->reader) < 0)
		return fault(t->wanted, -ENOMEM);
	for (int pass = PASS_FIND; pass <= PASS_GATHER; pass++) {
		rc = read_all(t, (enum pass)pass);
		if (rc < 0)
			return rc;
		if (t->keys.group_count == 0)
			break;
	}
	tell_rest(t);
	if (t->ref_count == 0) {
		fprintf(stderr, "smscope story: nothing of \"%s\"%s%s in %llu lines\n", t->wanted,
			t->link != NULL ? " on link " : "", t->link != NULL ? t->link : "",
			(unsigned long long)t->lines);
		return SM_ENONE;
	}
	t->style.match = t->best;
	rc = sort(t);
	if (rc == 0)
		tell(t);
	return rc;
}

static int choice(const char *arg, const char *const *names)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(names[i], arg) == 0)
			return i;
	}
	return -1;
}

/* 0, or the exit code plus one. */
static int options_read(int argc, char **argv, struct teller *t)
{
	static const struct option known[] = {
		{ "link", required_argument, NULL, 'k' }, { "json", no_argument, NULL, 'j' },
		{ "lang", required_argument, NULL, 'l' }, { "color", required_argument, NULL, 'w' },
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const langs[] = { [LANG_BOTH] = "both", [LANG_ZH] = "zh",
					     [LANG_EN] = "en" };
	static const char *const colors[] = { "never", "always", "auto" };
	int c, color = 2, lang = LANG_BOTH;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout) + 1;
		if (c == 'l')
			lang = choice(optarg, langs);
		if (c == 'w')
			color = choice(optarg, colors);
		if (c == '?' || lang < 0 || color < 0)
			return usage(stderr) + 1;
		t->link = c == 'k' ? optarg : t->link;
		t->config = c == 'c' ? optarg : t->config;
		t->json = t->json || c == 'j';
	}
	if (optind == argc || argv[optind][0] == '\0')
		return usage(stderr) + 1;
	t->wanted = argv[optind++];
	t->is_number = strspn(t->wanted, "+*0123456789") == strlen(t->wanted) &&
		       strlen(t->wanted) >= 3;
	t->style.log.lang = (enum record_lang)lang;
	t->style.log.color = color == 1 || (color == 2 && isatty(STDOUT_FILENO) != 0 &&
					     getenv("NO_COLOR") == NULL);
	return 0;
}

static int terminal_columns(void)
{
	struct winsize size = { 0 };

	if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col >= COLUMNS_LEAST ? size.ws_col : size.ws_col > 0 ? COLUMNS_LEAST : 0;
}

int story_main(int argc, char **argv)
{
	static struct teller t = { .config = SMSCOPE_CONF };
	char *named = NULL;
	int rc = options_read(argc, argv, &t);

	if (rc != 0)
		return rc - 1;
	if (optind == argc) {
		named = log_of_config("smscope story", t.config, true);
		rc = named != NULL ? open_file(&t, named) : SM_ENONE;
	}
	for (int i = optind; i < argc && rc == 0; i++)
		rc = open_file(&t, argv[i]);
	signal(SIGPIPE, SIG_IGN);
	t.style.columns = terminal_columns();
	if (rc == 0)
		rc = run(&t);
	if (fflush(stdout) != 0 && errno != EPIPE)
		rc = fault("standard output", -errno);
	for (int i = 0; i < t.files.count; i++)
		close(t.files.at[i].fd);
	story_keys_free(&t.keys);
	log_reader_free(&t.reader);
	free(t.files.room);
	free(t.style.shown);
	free(t.refs);
	free(named);
	return rc == 0 ? EXIT_SUCCESS : 1;
}
