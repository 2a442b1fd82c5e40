#include <getopt.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tools/decode.h"
#include "tools/tools.h"

enum { PROFILES_MAX = 16, EXIT_UNKNOWN = 1, EXIT_USAGE = 2, RANK_HOLLOW = 3 };

struct options {
	const struct code_set *set;
	const char *profile_names, *context_name, *codes, *site;
	const struct code_profile *profiles[PROFILES_MAX + 1];
	int profile_count;
	int context;         /* -1: all */
	uint8_t side, dialect, platform;
	enum record_lang lang;
	bool json;
};

/* What stands before a value in logs and receipts, and what it says about the value. */
static const struct {
	const char *label;
	int context;         /* -1: any */
	uint8_t side;
} labels[] = {
	{ "stat", CTX_REPORT, CODE_ANY },
	{ "err", CTX_RECEIPT_ERR, CODE_ANY },
	{ "errcode", CTX_LOG, CODE_ANY },
	{ "result", -1, CODE_CMPP },
	{ "status", -1, CODE_SMPP },
	{ "command_status", -1, CODE_SMPP },
	{ "message_state", CTX_REPORT, CODE_SMPP },
	{ "net_error", CTX_NETWORK_ERROR, CODE_SMPP },
};

static const char usage_text[] =
	"usage: smscope decode [options] VALUE...\n"
	"What a code means. Without a VALUE they are read from standard input, one per line.\n"
	"  --profile P[,P...]   whose codes: infox, aliyun, ... (default: all)\n"
	"  --context C          where it was seen (default: every context is tried):\n"
	"                       login submit_resp deliver_resp query_resp cancel_resp\n"
	"                       forward_resp report receipt_err network_error nack\n"
	"                       composite log errno api\n"
	"  --side smpp|cmpp     protocol the value was seen on\n"
	"  --cmpp-version 2|3\n"
	"  --platform windows|hpux|aix|linux   whose socket numbers a log shows\n"
	"  --lang zh|en|both\n"
	"  --json               one object per value\n"
	"  --codes DIR          code tables to use instead of the shipped ones\n"
	"  --site DIR           the site's own tables, which win (default: " CODES_SITE ")\n"
	"example: smscope decode --profile infox MB:0064 0x58 'stat:UNDELIV err:021'\n";

static int usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stderr ? EXIT_USAGE : EXIT_SUCCESS;
}

static bool same_inner(const struct code_answer *a, const struct code_answer *b)
{
	if (a->nested_count != b->nested_count)
		return false;
	for (int i = 0; i < a->nested_count; i++)
		if (a->nested[i].row != b->nested[i].row)
			return false;
	return true;
}

static bool same_answer(const struct code_answer *a, const struct code_answer *b)
{
	return a->row == b->row && a->profile == b->profile && a->ambiguous == b->ambiguous
		&& a->beside == b->beside && same_inner(a, b);
}

/* The other side's answer in the same context is the same reading. */
static void reading_add(struct findings *f, struct span value, const struct code_answer *a,
	int context, uint8_t side)
{
	struct reading *r;

	for (int i = 0; i < f->count; i++) {
		r = &f->at[i];
		if (r->contexts != 1u << context || r->value.p != value.p
			|| !same_answer(&r->answer, a))
			continue;
		r->sides |= side;
		return;
	}
	if (f->count == READINGS_MAX)
		return;
	r = &f->at[f->count++];
	*r = (struct reading){
		.answer = *a, .value = value, .contexts = 1u << context, .sides = side
	};
	for (int i = 0; i < a->nested_count; i++)
		f->ambiguous = f->ambiguous || a->nested[i].ambiguous;
	f->ambiguous = f->ambiguous || a->ambiguous;
}

/* Ask `profiles`; when `only` is set, keep what that profile itself says. */
static void ask(const struct options *o, const struct code_profile *const *profiles,
	const struct code_profile *only, struct span value, int context, uint8_t side,
	struct findings *f)
{
	struct code_query q = { .profiles = profiles,
		.context = (enum code_context)context,
		.side = side,
		.dialect = o->dialect,
		.platform = o->platform,
		.by_name = true,
		.is_text = true,
		.text = value };
	struct code_answer answers[CODE_ANSWERS_MAX];
	char text[32] = "";
	char *end;

	for (int form = 0; form < 2; form++) {
		int n = codes_lookup(o->set, &q, answers, CODE_ANSWERS_MAX);

		for (int i = 0; i < n; i++)
			if (only == NULL || answers[i].profile == only)
				reading_add(f, value, &answers[i], context, side);
		/* Digits may also be a number as it stands in a PDU: a message_state, say. */
		if (value.n == 0 || value.n >= sizeof(text))
			return;
		memcpy(text, value.p, value.n);
		q.is_text = false;
		q.number = strtoll(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
		if (*end != '\0')
			return;
	}
}

static void ask_profiles(
	const struct options *o, struct span value, int context, uint8_t side, struct findings *f)
{
	const struct code_profile *standard = codes_profile(o->set, "standard");

	if (o->profile_count > 0) {
		ask(o, o->profiles, NULL, value, context, side, f);
		return;
	}
	for (int i = 0; i <= codes_profile_count(o->set); i++) {
		const struct code_profile *p[2] = { codes_profile_at(o->set, i), NULL };

		if (i == codes_profile_count(o->set))
			p[0] = standard;
		else if (p[0] == standard)
			continue;
		if (p[0] != NULL)
			ask(o, p, p[0], value, context, side, f);
	}
}

/* What holds on the same sides in several contexts is one reading. */
static void readings_join(struct findings *f)
{
	int count = 0;

	for (int i = 0; i < f->count; i++) {
		const struct reading *from = &f->at[i];
		int at = 0;

		while (at < count && (f->at[at].sides != from->sides
			|| f->at[at].value.p != from->value.p
			|| !same_answer(&f->at[at].answer, &from->answer)))
			at++;
		if (at < count)
			f->at[at].contexts |= from->contexts;
		else
			f->at[count++] = *from;
	}
	f->count = count;
}

/* How much a reading says: a row of its own, a range or default row, a prefix whose inner value is unknown. */
static int reading_rank(const struct reading *r)
{
	const struct code_answer *a = &r->answer;

	if (a->has_nested && a->nested_count == 0 && !a->nested_foreign)
		return RANK_HOLLOW;
	if (a->beside)
		return 2;
	return a->row->is_default || a->row->lo < a->row->hi || a->row->cls == CLASS_UNKNOWN;
}

/* Readings of one profile and context stand together in the order of the profile: the best ranks them all. */
static int group_rank(const struct findings *f, const struct reading *r)
{
	int rank = reading_rank(r);

	for (int i = 0; i < f->count; i++) {
		const struct reading *x = &f->at[i];
		int other = reading_rank(x);

		if (x->contexts == r->contexts && x->sides == r->sides
			&& x->answer.profile == r->answer.profile)
			rank = other < rank ? other : rank;
	}
	return rank;
}

/*
 * Without a context, what says most comes first; a composite code that nothing explains is no reading
 * at all beside one that is.
 */
static void readings_rank(struct findings *f)
{
	struct reading sorted[READINGS_MAX];
	int count = 0;

	for (int rank = 0; rank <= RANK_HOLLOW && (rank < RANK_HOLLOW || count == 0); rank++)
		for (int i = 0; i < f->count; i++)
			if (group_rank(f, &f->at[i]) == rank)
				sorted[count++] = f->at[i];
	memcpy(f->at, sorted, (size_t)count * sizeof(sorted[0]));
	f->count = count;
}

/* Label of "err:021" or "result=8": its index, and the value behind it; -1 when it is none that we know. */
static int label_of(struct span word, struct span *ret_value)
{
	for (size_t at = 0; at < word.n; at++) {
		if (word.p[at] != ':' && word.p[at] != '=')
			continue;
		for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
			if (strlen(labels[i].label) != at
				|| strncasecmp(labels[i].label, (const char *)word.p, at) != 0)
				continue;
			*ret_value = span_of(word.p + at + 1, word.n - at - 1);
			return (int)i;
		}
		return -1;
	}
	return -1;
}

/* A value, and the `part` of the input that it is with its label: -1 none, else one of labels. */
static void part_decode(const struct options *o, struct span part, int label, struct span value,
	struct findings *f)
{
	int context = o->context, before = f->count;
	uint8_t sides = o->side;

	if (label >= 0 && context < 0) {
		context = labels[label].context;
		f->context = f->parts > 0 || context < 0
			? NULL
			: code_context_name((enum code_context)context);
	}
	f->parts++;
	if (label >= 0 && (sides & labels[label].side) != 0)
		sides &= labels[label].side;
	for (int c = 0; c < CTX_COUNT; c++)
		for (uint8_t side = CODE_SMPP; side <= CODE_CMPP; side++)
			if ((context < 0 || context == c) && (sides & side) != 0)
				ask_profiles(o, value, c, side, f);
	if (f->count == before && f->unknown_count < PARTS_MAX)
		f->unknown[f->unknown_count++] = part;
}

static struct span word_next(struct span *rest)
{
	struct span word;

	while (rest->n > 0 && (*rest->p == ' ' || *rest->p == '\t')) {
		rest->p++;
		rest->n--;
	}
	word = span_of(rest->p, 0);
	while (rest->n > 0 && *rest->p != ' ' && *rest->p != '\t') {
		rest->p++;
		rest->n--;
		word.n++;
	}
	return word;
}

/* "stat:UNDELIV err: 021": words, of which a label at the end of one belongs to the next. */
static void words_decode(const struct options *o, struct span rest, struct findings *f)
{
	while (rest.n > 0) {
		struct span word = word_next(&rest), value = word;
		int label = label_of(word, &value);

		if (label >= 0 && value.n == 0)
			value = word_next(&rest);
		word.n = (size_t)(value.p + value.n - word.p);
		part_decode(o, word, label, value, f);
	}
}

/* Returns whether all of it is known. */
static bool value_decode(const struct options *o, const char *input)
{
	const char *from = input + strspn(input, " \t");
	struct span all = span_of(from, strlen(from)), first, value;
	struct findings f = { .profile = o->profile_names, .context = o->context_name };

	while (all.n > 0 && (all.p[all.n - 1] == ' ' || all.p[all.n - 1] == '\t'))
		all.n--;
	f.input = first = all;
	if (label_of(word_next(&first), &value) >= 0)
		words_decode(o, all, &f);
	else
		part_decode(o, all, -1, all, &f);
	readings_join(&f);
	if (o->context < 0)
		readings_rank(&f);
	if (o->json)
		findings_json(stdout, &f, o->lang);
	else
		findings_text(stdout, &f, o->lang);
	return f.unknown_count == 0;
}

static int profiles_read(struct options *o)
{
	char names[256];

	if (o->profile_names == NULL)
		return 0;
	if ((size_t)snprintf(names, sizeof(names), "%s", o->profile_names) >= sizeof(names))
		return SM_EFULL;
	for (char *save, *name = strtok_r(names, ",", &save); name != NULL;
		name = strtok_r(NULL, ",", &save)) {
		const struct code_profile *p = codes_profile(o->set, name);

		if (p != NULL && o->profile_count < PROFILES_MAX) {
			o->profiles[o->profile_count++] = p;
			continue;
		}
		fprintf(stderr, "smscope decode: no profile is named \"%s\"; there are:", name);
		for (int i = 0; i < codes_profile_count(o->set); i++)
			fprintf(stderr, " %s", codes_profile_name(codes_profile_at(o->set, i)));
		fputc('\n', stderr);
		return SM_ENONE;
	}
	return o->profile_count > 0 ? 0 : SM_ENONE;
}

static int choice(const char *arg, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (names[i] != NULL && strcmp(names[i], arg) == 0)
			return i;
	return -1;
}

static bool option_set(struct options *o, int c, const char *arg)
{
	static const char *const sides[] = { NULL, "smpp", "cmpp", "any" };
	static const char *const langs[] = {
		[LANG_BOTH] = "both", [LANG_ZH] = "zh", [LANG_EN] = "en"
	};
	int v = 0;

	switch (c) {
	case 'p':
		o->profile_names = arg;
		break;
	case 'c':
		v = o->context = code_context_of(arg);
		o->context_name = arg;
		break;
	case 's':
		v = choice(arg, sides, 4);
		o->side = (uint8_t)v;
		break;
	case 'v':
		v = strcmp(arg, "2") == 0 ? 0x20 : strcmp(arg, "3") == 0 ? 0x30 : -1;
		o->dialect = (uint8_t)v;
		break;
	case 'f':
		v = code_platform_of(arg);
		o->platform = (uint8_t)v;
		break;
	case 'l':
		v = choice(arg, langs, 3);
		o->lang = (enum record_lang)v;
		break;
	case 'd':
		o->codes = arg;
		break;
	case 'o':
		o->site = arg;
		break;
	default:
		o->json = true;
		break;
	}
	return v >= 0;
}

/* 0, or the exit code plus one. */
static int options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "context", required_argument, NULL, 'c' },
		{ "side", required_argument, NULL, 's' },
		{ "cmpp-version", required_argument, NULL, 'v' },
		{ "platform", required_argument, NULL, 'f' },
		{ "lang", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "codes", required_argument, NULL, 'd' },
		{ "site", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, at = 0;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", known, &at)) != -1) {
		if (c == 'h')
			return usage(stdout) + 1;
		if (c == '?')
			return usage(stderr) + 1;
		if (!option_set(o, c, optarg)) {
			fprintf(stderr, "smscope decode: --%s: unknown value \"%s\"\n",
				known[at].name, optarg);
			return usage(stderr) + 1;
		}
	}
	return 0;
}

/* Values from standard input, one per line. Returns whether all are known. */
static bool lines_decode(const struct options *o)
{
	char *line = NULL;
	bool known = true;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		if (n > 0)
			known = value_decode(o, line) && known;
	}
	free(line);
	return known;
}

/*
 * Arguments with a blank before each negative number, so that none is taken for an option. The caller
 * frees; NULL when there is no memory.
 */
static char **arguments(int argc, char **argv)
{
	char **args = calloc((size_t)argc + 1, sizeof(*args));

	for (int i = 0; args != NULL && i < argc; i++) {
		bool number = argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9';

		if (asprintf(&args[i], "%s%s", number ? " " : "", argv[i]) < 0)
			args[i] = NULL;
	}
	return args;
}

static int decode_run(int argc, char **args)
{
	struct options o = { .context = -1, .side = CODE_ANY, .lang = LANG_BOTH };
	struct conf_faults faults = { .to = stderr };
	int ret = options_read(argc, args, &o);
	struct code_set *set;
	bool known = true;

	if (ret != 0)
		return ret - 1;
	if (optind == argc && isatty(STDIN_FILENO))
		return usage(stderr);
	set = codes_load(codes_dir(o.codes), codes_site_dir(o.site), &faults);
	if (set == NULL)
		return EXIT_UNKNOWN;
	o.set = set;
	if (profiles_read(&o) < 0) {
		codes_free(set);
		return EXIT_USAGE;
	}
	if (optind == argc)
		known = lines_decode(&o);
	for (int i = optind; i < argc; i++)
		known = value_decode(&o, args[i]) && known;
	codes_free(set);
	return fflush(stdout) == 0 && known ? EXIT_SUCCESS : EXIT_UNKNOWN;
}

int decode_main(int argc, char **argv)
{
	char **args = arguments(argc, argv);
	int ret = EXIT_UNKNOWN;
	bool whole = args != NULL;

	for (int i = 0; whole && i < argc; i++)
		whole = args[i] != NULL;
	if (whole)
		ret = decode_run(argc, args);
	else
		fputs("smscope decode: out of memory\n", stderr);
	/* getopt_long() only changes the order. */
	for (int i = 0; args != NULL && i < argc; i++)
		free(args[i]);
	free(args);
	return ret;
}
