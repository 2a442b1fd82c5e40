#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/capture.h"
#include "tools/hex.h"
#include "tools/input.h"
#include "tools/rewrite.h"
#include "tools/tools.h"

/*
 * smscope rewrite: what the rules of a link would do to PDUs, before they meet traffic. PDUs that
 * are given as digits are taken for one session; in a capture each connection is one.
 */

/* What there is to try: a capture, or octets. */
struct input {
	FILE *file;    /* NULL: the arguments are the digits */
	bool capture;
	struct hex hex;
};

static int usage(FILE *to)
{
	fputs("usage: smscope rewrite --link NAME [OPTION...] HEX... | FILE | CAPTURE | -\n"
		"What the rules of a link would do to these PDUs: each change with its rule, then\n"
		"every field that differs. A file holds digits, a dump of them, or the octets.\n"
		"Of a capture, pcap or pcapng, PDUs are shown that a rule changes, then a line\n"
		"that counts.\n"
		"      --config FILE   (" SMSCOPE_CONF ")\n"
		"      --link NAME     whose rules; a configuration with one link needs none\n"
		"      --from sp|gw    who sent them; else each PDU tells\n"
		"      --proto P       cmpp or smpp, of a link that tells it by the first PDU\n"
		"      --dialect V     1.2 2.0 2.1 3.0 (CMPP), 3.3 3.4 5.0 (SMPP); else by a login\n"
		"      --filter EXPR   of a capture only these packets: 'tcp port 2775'\n"
		"      --all           of a capture all PDUs, those too that stay as they are\n"
		"      --hex           the octets before and after, too\n"
		"      --json          one object a PDU\n"
		"exit status: 0, 1 if an edit was refused, 2 if there was nothing to try\n"
		"example: smscope rewrite --config smscope.conf --link smsc-eu "
		"00000010800000040000003900000007\n", to);
	return to == stdout ? 0 : REWRITE_USAGE;
}

static int dialect_of_text(const char *s)
{
	if (s[0] >= '0' && s[0] <= '9' && s[1] == '.' && s[2] >= '0' && s[2] <= '9' && s[3] == '\0')
		return (s[0] - '0') << 4 | (s[2] - '0');
	return -1;
}

static int side_of(const char *s)
{
	return strcmp(s, "sp") == 0 ? SIDE_SP : strcmp(s, "gw") == 0 ? SIDE_GW : -1;
}

/* 0, or the exit code plus one. */
static int read_options(int argc, char **argv, struct rewrite_options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "link", required_argument, NULL, 'l' },
		{ "from", required_argument, NULL, 'f' }, { "proto", required_argument, NULL, 'p' },
		{ "dialect", required_argument, NULL, 'd' }, { "hex", no_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' }, { "filter", required_argument, NULL, 'F' },
		{ "all", no_argument, NULL, 'a' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c, bad = 0;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'l': o->link = optarg; break;
		case 'f': bad |= (o->from = side_of(optarg)) < 0; break;
		case 'p': bad |= (o->proto = proto_named(optarg)) == NULL; break;
		case 'd': bad |= (o->dialect = dialect_of_text(optarg)) < 0; break;
		case 'x': o->hex = true; break;
		case 'j': o->json = true; break;
		case 'F': o->filter = optarg; break;
		case 'a': o->all = true; break;
		case 'h': return usage(stdout) + 1;
		default: bad = 1; break;
		}
	}
	return bad || optind == argc ? usage(stderr) + 1 : 0;
}

static int read_octets(struct input *in, char **args, int count)
{
	struct hex *h = &in->hex;
	char *text = NULL;
	size_t n = 0;
	int err = SM_OK;

	if (in->file != NULL) {
		err = input_rest(in->file, &text, &n);
		if (err == SM_OK)
			err = hex_add_any(h, text, n);
		free(text);
	}
	for (int i = 0; in->file == NULL && i < count && err == SM_OK; i++)
		err = hex_add(h, args[i], strlen(args[i]));
	if (err == SM_OK && h->half)
		err = SM_EFORMAT;
	if (err == SM_EFORMAT)
		fprintf(stderr,
			"smscope rewrite: no hexadecimal digits in pairs, and no file%s%s\n",
			count == 1 ? ": " : "", count == 1 ? args[0] : "");
	else if (err != SM_OK)
		fprintf(stderr, "smscope rewrite: %s: %s\n", args[0], err_text(err));
	else if (h->n == 0) {
		fputs("smscope rewrite: no octets\n", stderr);
		err = SM_ENONE;
	}
	return err;
}

/* SM_OK, or negative after saying why. A capture is not read yet. */
static int read_input(struct input *in, const struct rewrite_options *o, char **args, int count)
{
	const char *wrong = NULL;

	if (count == 1 && (strcmp(args[0], "-") == 0 || access(args[0], R_OK) == 0)) {
		in->file = input_open(args[0]);
		if (in->file == NULL) {
			fprintf(stderr, "smscope rewrite: %s: %s\n", args[0], err_text(-errno));
			return SM_ENONE;
		}
		in->capture = capture_is(in->file);
	}
	if (in->capture && o->from >= 0)
		wrong = "--from is for digits: a capture tells who sent what";
	else if (!in->capture && o->filter != NULL)
		wrong = "--filter is for captures, and this is none";
	if (wrong != NULL) {
		fprintf(stderr, "smscope rewrite: %s\n", wrong);
		return SM_EFORMAT;
	}
	return in->capture ? SM_OK : read_octets(in, args, count);
}

static const struct link_settings *find_link(const struct settings *s, const char *name)
{
	for (int i = 0; i < s->link_count; i++) {
		if (name != NULL ? strcmp(s->links[i].name, name) == 0 : s->link_count == 1)
			return &s->links[i];
	}
	if (name != NULL)
		fprintf(stderr, "smscope rewrite: no link \"%s\"; there are:", name);
	else
		fputs("smscope rewrite: --link says which of these:", stderr);
	for (int i = 0; i < s->link_count; i++)
		fprintf(stderr, " %s", s->links[i].name);
	fputc('\n', stderr);
	return NULL;
}

static bool has_dialect(const struct proto *p, int dialect)
{
	const struct dialect *d = p->dialects;

	while (d->value != 0 && d->value != dialect)
		d++;
	return d->value != 0;
}

/* Of all protocols, or of one, the one that has the dialect; NULL after saying what there is. */
static const struct proto *proto_with(const struct proto *only, int dialect)
{
	const struct proto *const one[] = { only, NULL };
	const struct proto *const *all = only != NULL ? one : proto_all(), *const *p = all;

	while (*p != NULL && !has_dialect(*p, dialect))
		p++;
	if (*p != NULL)
		return *p;
	fprintf(stderr, "smscope rewrite: --dialect %d.%d is none of", dialect >> 4, dialect & 15);
	for (p = all; *p != NULL; p++) {
		for (const struct dialect *d = (*p)->dialects; d->value != 0; d++)
			fprintf(stderr, "%s %s", p == all && d == (*p)->dialects ? "" : ",", d->name);
	}
	fputc('\n', stderr);
	return NULL;
}

/* What is told of the protocol has to be true of the link; a link that takes either is told by it. */
static bool options_fit(struct rewrite_options *o, const struct link_settings *l)
{
	const struct proto *p = l->proto != NULL ? l->proto : o->proto;

	if (o->proto != NULL && o->proto != p) {
		fprintf(stderr, "smscope rewrite: --proto %s: link %s is of %s\n", o->proto->name, l->name,
			p->name);
		return false;
	}
	o->proto = o->dialect >= 0 ? proto_with(p, o->dialect) : p;
	return o->dialect < 0 || o->proto != NULL;
}

static const struct proto *proto_for(const struct rewrite *w, struct span all)
{
	int64_t n = proto_frame(all, 12, UINT32_MAX);
	const struct proto *p = w->options->proto;

	if (p == NULL && n > 0)
		p = proto_detect(span_of(all.p, (size_t)n));
	if (p == NULL)
		fprintf(stderr, "smscope rewrite: link %s tells its protocol by a login: give "
			"--proto\n", w->link->name);
	return p;
}

/* Octets of one session, one PDU behind another. */
static int rewrite_octets(struct rewrite *w, struct span all)
{
	const struct proto *p = proto_for(w, all);
	struct rewrite_session *s = p != NULL ? rewrite_session_new(w, p) : NULL;
	int64_t n = 0;
	size_t at = 0;

	if (s == NULL)
		return REWRITE_USAGE;
	for (; at < all.n; at += (size_t)n) {
		n = proto_frame(span_of(all.p + at, all.n - at), p->header_len, UINT32_MAX);
		if (n <= 0)
			break;
		rewrite_try(w, s, span_of(all.p + at, (size_t)n), w->options->from, NULL);
	}
	free(s);
	if (at < all.n) {
		fprintf(stderr, "smscope rewrite: at octet %zu: no whole PDU of %s\n", at,
			p->name);
		return REWRITE_USAGE;
	}
	return w->refused > 0 ? REWRITE_REFUSED : 0;
}

static int rewrite(const struct rewrite_options *o, const struct link_settings *l,
	const struct code_set *codes, struct input *in, const char *name)
{
	struct rewrite w;
	int rc = REWRITE_USAGE;

	if (!rewrite_init(&w, o, l, codes)) {
		rewrite_fini(&w);
		return rc;
	}
	if (in->capture) {
		rc = rewrite_capture(&w, in->file, name);
		in->file = NULL;
	} else {
		rc = rewrite_octets(&w, span_of(in->hex.octets, in->hex.n));
	}
	rewrite_fini(&w);
	return rc;
}

int rewrite_main(int argc, char **argv)
{
	struct rewrite_options o = { .config = SMSCOPE_CONF, .from = -1, .dialect = -1 };
	struct conf_faults faults = { .to = stderr, .look_up = LOOK_UP_NONE };
	struct settings *settings = NULL;
	struct code_set *codes = NULL;
	const struct link_settings *l;
	struct input in = { 0 };
	int rc = read_options(argc, argv, &o);

	if (rc != 0)
		return rc - 1;
	rc = REWRITE_USAGE;
	if (read_input(&in, &o, argv + optind, argc - optind) == SM_OK)
		settings = conf_load(o.config, &faults);
	if (settings != NULL)
		codes = codes_load(codes_dir(settings->codes_dir), settings->codes_site_dir,
			&faults);
	if (codes != NULL && (l = find_link(settings, o.link)) != NULL && options_fit(&o, l) &&
	    conf_check_profiles(settings, codes, &faults) == 0)
		rc = rewrite(&o, l, codes, &in, argv[optind]);
	codes_free(codes);
	settings_free(settings);
	free(in.hex.octets);
	if (in.file != NULL && in.file != stdin)
		fclose(in.file);
	return fflush(stdout) == 0 ? rc : REWRITE_USAGE;
}
