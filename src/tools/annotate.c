#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/annotate.h"
#include "tools/tools.h"

/*
 * smscope annotate: octets in, the same octets out, and behind a line that has codes what they
 * mean. Only what is found on a line is kept, so that a line may be of any length: one that does
 * not fit the buffer goes out piece by piece, and its pieces overlap for the scan.
 */

enum { EXIT_USAGE = 2, IN_SIZE = 1 << 20, OUT_SIZE = 1 << 18, OVERLAP = 4 * SCAN_EDGE };
enum { SAID_MAX = 16384, PROFILES_SHOWN = 64 };

struct filter {
	struct say say;
	struct scan scan; /* of the line in hand */
	struct charset_guess charset;
	bool gbk;   /* the encoding of the last line that showed one */
	bool begun; /* a piece of the line in hand is out */
	uint8_t side;
	uint8_t *in, *out;
	size_t fill, out_fill;
	size_t written; /* of `in`: octets that are out already */
	bool failed;    /* output cannot be written */
};

static int usage(FILE *to)
{
	fputs("usage: smscope annotate [OPTION...] [FILE...]\n"
	      "Passes a log of a gateway or an SP on as it is and says behind each line what the\n"
	      "codes on it mean. Without FILE, or where it is -, standard input is read.\n"
	      "      --profile P[,P...] whose codes; by default the protocols' own, and where "
	      "they\n"
	      "                         do not know one whoever does\n"
	      "      --side S           smpp or cmpp; else told by the words of each line\n"
	      "      --platform P       windows, hpux, aix or linux: whose socket numbers\n"
	      "      --lang L           zh, en or both\n"
	      "      --color W          auto, always or never\n"
	      "example: tail -F gateway.log | smscope annotate --profile infox\n",
	      to);
	return to == stdout ? 0 : EXIT_USAGE;
}

static void flush(struct filter *f)
{
	for (size_t at = 0; at < f->out_fill && !f->failed;) {
		ssize_t n = write(STDOUT_FILENO, f->out + at, f->out_fill - at);

		if (n < 0 && errno == EAGAIN)
			(void)poll(&(struct pollfd){STDOUT_FILENO, POLLOUT, 0}, 1, -1);
		else if (n < 0 && errno != EINTR) {
			fprintf(stderr, "smscope annotate: standard output: %s\n",
				err_text(-errno));
			f->failed = true;
		} else if (n > 0) {
			at += (size_t)n;
		}
	}
	f->out_fill = 0;
}

static void put(struct filter *f, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0 && !f->failed) {
		size_t room = OUT_SIZE - f->out_fill, part = n < room ? n : room;

		memcpy(f->out + f->out_fill, from, part);
		f->out_fill += part;
		from += part;
		n -= part;
		if (f->out_fill == OUT_SIZE)
			flush(f);
	}
}

/* What the line's codes mean, in its own encoding. `rest`: its octets that are not out yet. */
static void put_said(struct filter *f, struct span rest)
{
	static char said[SAID_MAX], gbk[SAID_MAX];
	struct out o = out_of(said, sizeof(said)), g = out_of(gbk, sizeof(gbk));

	say_hits(&f->say, &f->scan, &o);
	if (out_len(&o) == 0)
		return;
	charset_feed(&f->charset, rest);
	f->gbk = charset_is_gbk(&f->charset, f->gbk);
	if (f->gbk)
		charset_put_gbk(&g, span_of(said, out_len(&o)));
	else
		g = o;
	put(f, g.base, out_len(&g));
}

/*
 * A line, or the last piece of it, from `start`; its end is "\n", "\r\n" or none. What is said
 * stands before the end.
 */
static void line(struct filter *f, size_t start, size_t end, size_t newline_len)
{
	size_t text = end;
	struct span rest;

	if (text > start && f->in[text - 1] == '\r')
		text--;
	scan_piece(&f->scan, span_of(f->in + start, text - start), !f->begun, true);
	rest = span_of(f->in + f->written, text > f->written ? text - f->written : 0);
	put(f, rest.p, rest.n);
	if (f->scan.count > 0)
		put_said(f, rest);
	f->written = f->written > text ? f->written : text;
	put(f, f->in + f->written, end + newline_len - f->written);
	f->written = end + newline_len;
	f->scan.count = 0;
	f->scan.words = 0;
	f->scan.more = f->scan.receipt = f->scan.done = false;
	f->charset = (struct charset_guess){0};
	f->begun = false;
}

/* The buffer is full of one line: what will not be looked at again goes out. */
static void piece(struct filter *f)
{
	size_t out = f->fill - OVERLAP;
	struct span part = span_of(f->in + f->written, out - f->written);

	scan_piece(&f->scan, span_of(f->in, f->fill), !f->begun, false);
	put(f, part.p, part.n);
	charset_feed(&f->charset, part);
	memmove(f->in, f->in + out, OVERLAP);
	f->fill = OVERLAP;
	f->written = 0;
	f->begun = true;
}

/* Every whole line of the buffer. `seen`: octets of it that are known to hold no line end. */
static void lines(struct filter *f, size_t seen)
{
	size_t start = 0;
	const uint8_t *newline;

	while ((newline = memchr(f->in + seen, '\n', f->fill - seen)) != NULL) {
		size_t end = (size_t)(newline - f->in);

		line(f, start, end, 1);
		start = seen = end + 1;
	}
	if (start > 0) {
		memmove(f->in, f->in + start, f->fill - start);
		f->fill -= start;
		f->written = 0;
	}
	if (f->fill == IN_SIZE)
		piece(f);
}

/* Will a read wait? Then what is ready goes out first. */
static bool is_pausing(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) <= 0;
}

static int read_all(struct filter *f, int fd, const char *name)
{
	ssize_t n = 1;

	while (n > 0 && !f->failed) {
		size_t before = f->fill;

		if (is_pausing(fd))
			flush(f);
		n = read(fd, f->in + f->fill, IN_SIZE - f->fill);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			if (errno == EAGAIN)
				(void)poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1);
			n = 1;
		} else if (n < 0) {
			fprintf(stderr, "smscope annotate: %s: %s\n", name, err_text(-errno));
		} else if (n > 0) {
			f->fill += (size_t)n;
			lines(f, before);
		}
	}
	if (f->fill > f->written || f->begun)
		line(f, 0, f->fill, 0);
	f->fill = f->written = 0;
	flush(f);
	return n < 0 || f->failed ? 1 : 0;
}

static int read_file(struct filter *f, const char *path)
{
	int fd, rc;

	if (strcmp(path, "-") == 0)
		return read_all(f, STDIN_FILENO, "standard input");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "smscope annotate: %s: %s\n", path, err_text(-errno));
		return 1;
	}
	rc = read_all(f, fd, path);
	close(fd);
	return rc;
}

static int choice(const char *arg, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], arg) == 0)
			return i;
	}
	return -1;
}

/* Returns SM_OK, or what usage() returns. */
static int read_options(int argc, char **argv, struct filter *f, const char **ret_profiles)
{
	static const struct option known[] = {
		{"profile", required_argument, NULL, 'p'},
		{"side", required_argument, NULL, 's'},
		{"platform", required_argument, NULL, 'f'},
		{"lang", required_argument, NULL, 'l'},
		{"color", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	static const char *const sides[] = {"any", "smpp", "cmpp"};
	static const char *const langs[] = {
		[LANG_BOTH] = "both", [LANG_ZH] = "zh", [LANG_EN] = "en"};
	static const char *const colors[] = {"never", "always", "auto"};
	int c, v = 0, color = 2, bad = 0;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (c) {
		case 'p':
			*ret_profiles = optarg;
			break;
		case 's':
			v = choice(optarg, sides, 3);
			f->side = (uint8_t)v;
			break;
		case 'f':
			v = code_platform_of(optarg);
			f->say.platform = (enum code_platform)v;
			break;
		case 'l':
			v = choice(optarg, langs, 3);
			f->say.lang = (enum record_lang)v;
			break;
		case 'c':
			v = color = choice(optarg, colors, 3);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			v = -1;
			break;
		}
		bad |= v < 0;
	}
	f->say.color =
		color == 1 || (color == 2 && isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	f->scan.side = f->side;
	return bad ? usage(stderr) : SM_OK;
}

/* Every profile but the standard, in the order of the set. */
static void other_profiles(const struct code_set *set, const struct code_profile **ret)
{
	int n = 0;

	for (int i = 0; i < codes_profile_count(set) && n < PROFILES_SHOWN; i++) {
		const struct code_profile *p = codes_profile_at(set, i);

		if (strcmp(codes_profile_name(p), "standard") != 0)
			ret[n++] = p;
	}
	ret[n] = NULL;
}

static int filter_files(struct filter *f, char **files, int count)
{
	int rc = 1;

	f->in = malloc(IN_SIZE);
	f->out = malloc(OUT_SIZE);
	if (f->in == NULL || f->out == NULL)
		fputs("smscope annotate: out of memory\n", stderr);
	else
		rc = count == 0 ? read_file(f, "-") : 0;
	for (int i = 0; i < count && f->out != NULL && f->in != NULL && !f->failed; i++)
		rc |= read_file(f, files[i]);
	free(f->in);
	free(f->out);
	return rc;
}

int annotate_main(int argc, char **argv)
{
	static const struct code_profile *others[PROFILES_SHOWN + 1];
	static struct filter f;
	struct meaning m = {0};
	const char *profiles = NULL;
	int rc = read_options(argc, argv, &f, &profiles);

	if (rc != SM_OK)
		return rc;
	if (meaning_open(&m, profiles) != SM_OK) {
		meaning_close(&m);
		return EXIT_USAGE;
	}
	if (m.set == NULL)
		return 1;
	other_profiles(m.set, others);
	f.say.set = m.set;
	f.say.profiles = profiles != NULL ? m.profiles : NULL;
	f.say.others = others;
	rc = filter_files(&f, argv + optind, argc - optind);
	meaning_close(&m);
	return rc;
}
