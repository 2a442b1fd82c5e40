#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tools/hex.h"
#include "tools/input.h"
#include "tools/rewrite.h"
#include "tools/tools.h"

/*
 * smscope rewrite: what the rules of a link would do to PDUs, before they meet traffic. The PDUs
 * are taken for one session: logins tell the version and the account, submits whom a response is
 * about.
 */

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, ASKED = 256, DIALECT_TOLD = -1 };

struct options {
	const char *config, *link;
	int from;      /* enum side, or -1: each PDU tells */
	int dialect;   /* DIALECT_TOLD, or as given */
	const struct proto *proto;
	bool json, hex;
};

/* Destinations of the last submits, by sequence number. */
struct asked {
	uint32_t sequence;
	char dst[24];
	size_t n;
};

struct session {
	struct edit_context *ctx;
	struct asked asked[ASKED];
	char account[24];
};

static int usage(FILE *to)
{
	fputs("usage: smscope rewrite --link NAME [OPTION...] HEX... | FILE | -\n"
		"What the rules of a link would do to these PDUs: each change with its rule, then\n"
		"every field that differs. A file holds digits, a dump of them, or the octets.\n"
		"      --config FILE   (" SMSCOPE_CONF ")\n"
		"      --link NAME     whose rules; a configuration with one link needs none\n"
		"      --from sp|gw    who sent them; else each PDU tells\n"
		"      --proto P       cmpp or smpp, of a link that tells it by the first PDU\n"
		"      --dialect V     2.0 2.1 3.0 (CMPP), 3.3 3.4 5.0 (SMPP); else by a login\n"
		"      --hex           the octets before and after, too\n"
		"      --json          one object a PDU\n"
		"exit status: 0, 1 if an edit was refused, 2 if there was nothing to try\n"
		"example: smscope rewrite --config smscope.conf --link smsc-eu "
		"00000010800000040000003900000007\n", to);
	return to == stdout ? 0 : EXIT_USAGE;
}

static int dialect_of_text(const char *s)
{
	if (s[0] >= '0' && s[0] <= '9' && s[1] == '.' && s[2] >= '0' && s[2] <= '9' && s[3] == '\0')
		return (s[0] - '0') << 4 | (s[2] - '0');
	return DIALECT_TOLD;
}

static int side_of(const char *s)
{
	return strcmp(s, "sp") == 0 ? SIDE_SP : strcmp(s, "gw") == 0 ? SIDE_GW : -1;
}

/* 0, or the exit code plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "link", required_argument, NULL, 'l' },
		{ "from", required_argument, NULL, 'f' }, { "proto", required_argument, NULL, 'p' },
		{ "dialect", required_argument, NULL, 'd' }, { "hex", no_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c, bad = 0;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'l': o->link = optarg; break;
		case 'f': bad |= (o->from = side_of(optarg)) < 0; break;
		case 'p': bad |= (o->proto = proto_named(optarg)) == NULL; break;
		case 'd': bad |= (o->dialect = dialect_of_text(optarg)) == DIALECT_TOLD; break;
		case 'x': o->hex = true; break;
		case 'j': o->json = true; break;
		case 'h': return usage(stdout) + 1;
		default: bad = 1; break;
		}
	}
	return bad || optind == argc ? usage(stderr) + 1 : 0;
}

/*
 * Captures are told by their first octets. Reading them is not here yet: a reader hands the PDUs
 * of each session to try_all() as these digits do, with the side that sent each.
 */
static bool is_capture(const char *p, size_t n)
{
	static const char magic[][5] = { "\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d",
		"\x4d\x3c\xb2\xa1", "\x0a\x0d\x0d\x0a" };

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		if (n >= 4 && memcmp(p, magic[i], 4) == 0)
			return true;
	}
	return false;
}

static int read_file(struct hex *h, const char *path)
{
	char *text = NULL;
	size_t n = 0;
	int err = input_read(path, &text, &n);

	if (err == SM_OK && is_capture(text, n)) {
		fputs("smscope rewrite: captures are not read yet; give the PDUs as digits\n",
			stderr);
		err = SM_ENONE;
	} else if (err == SM_OK) {
		err = hex_add_any(h, text, n);
	}
	free(text);
	return err;
}

static int read_input(struct hex *h, char **args, int count)
{
	bool file = count == 1 && (strcmp(args[0], "-") == 0 || access(args[0], R_OK) == 0);
	int err = SM_OK;

	if (file)
		err = read_file(h, args[0]);
	for (int i = 0; !file && i < count && err == SM_OK; i++)
		err = hex_add(h, args[i], strlen(args[i]));
	if (err == SM_OK && h->half)
		err = SM_EFORMAT;
	if (err == SM_EFORMAT)
		fprintf(stderr, 
			"smscope rewrite: no hexadecimal digits in pairs, and no file%s%s\n",
			count == 1 ? ": " : "", count == 1 ? args[0] : "");
	else if (err != SM_OK && err != SM_ENONE)
		fprintf(stderr, "smscope rewrite: %s: %s\n", args[0], err_text(err));
	else if (err == SM_OK && h->n == 0) {
		fputs("smscope rewrite: no octets\n", stderr);
		err = SM_ENONE;
	}
	return err;
}

/* Who sends such a PDU; of data_sm, which both do, the gateway. */
static enum side usual_side(const struct pdu *pdu)
{
	switch (pdu_role(pdu)) {
	case R_LOGIN:
	case R_SUBMIT:
	case R_QUERY:
	case R_CANCEL:
	case R_REPLACE:
	case R_BROADCAST:
	case R_DELIVER_ACK:
		return SIDE_SP;
	default:
		return SIDE_GW;
	}
}

/* What the session's own PDUs tell of it: its version, its account, its submits. */
static void learn(struct session *s, const struct options *o, const struct pdu *pdu, enum side from)
{
	struct edit_context *ctx = s->ctx;
	enum role role = pdu_role_from(pdu, from);
	struct span text = pdu_text(pdu, F_SYSTEM_ID), dst = pdu_text(pdu, F_DESTINATION_ADDR);
	struct asked *a = &s->asked[pdu->sequence % ASKED];

	if ((role == R_LOGIN || role == R_LOGIN_ACK) && o->dialect == DIALECT_TOLD)
		ctx->dialect = ctx->proto->dialect_of(pdu->frame, ctx->dialect);
	if (role == R_LOGIN && text.n < sizeof(s->account)) {
		memcpy(s->account, text.p, text.n);
		ctx->account = span_of(s->account, text.n);
	}
	if (role == R_SUBMIT) {
		if (dst.n == 0) {
			dst = pdu_octets(pdu, F_DEST_TERMINAL_ID);
			dst.n = bytes_nul(dst.p, dst.n < 21 ? dst.n : 21);
		}
		a->n = dst.n < sizeof(a->dst) ? dst.n : sizeof(a->dst);
		a->sequence = pdu->sequence;
		memcpy(a->dst, dst.p, a->n);
	}
	ctx->dst = span_of(a->dst, role_is_ack(role) && a->sequence == pdu->sequence ? a->n : 0);
}

static int try_all(struct session *s, const struct options *o, const struct rule_set *rules,
	struct span all)
{
	struct rewrite_show show = { .to = stdout, .json = o->json, .hex = o->hex, .rules = rules,
		.ctx = s->ctx };
	const struct proto *p = s->ctx->proto;
	uint8_t *out = malloc(p->max_pdu + 1024);
	int rc = out != NULL ? 0 : EXIT_USAGE;

	for (size_t at = 0; out != NULL && at < all.n; at += show.was.frame.n) {
		struct span left = span_of(all.p + at, all.n - at);
		int64_t n = proto_frame(left, p->header_len, UINT32_MAX);
		struct edit_result ret;
		int len;

		if (n <= 0) {
			fprintf(stderr, "smscope rewrite: at octet %zu: no whole PDU of %s\n", at,
				p->name);
			rc = EXIT_USAGE;
			break;
		}
		show.number++;
		(void)pdu_parse(&show.was, p, s->ctx->dialect, span_of(left.p, (size_t)n));
		show.from = o->from >= 0 ? (enum side)o->from : usual_side(&show.was);
		learn(s, o, &show.was, show.from);
		len = edit_pdu(rules, s->ctx, show.from, show.was.frame, out, p->max_pdu + 1024,
			&ret);
		show.edited = len > 0;
		show.now = show.was;
		if (show.edited)
			(void)pdu_parse(&show.now, p, s->ctx->dialect, span_of(out, (size_t)len));
		if (ret.refused != EDIT_FINE && rc == 0)
			rc = EXIT_REFUSED;
		rewrite_show(&show, &ret);
	}
	free(out);
	return rc;
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

static const struct proto *proto_for(const struct options *o, const struct link_settings *l,
	struct span all)
{
	int64_t n = proto_frame(all, 12, UINT32_MAX);
	const struct proto *p = l->proto != NULL ? l->proto : o->proto;

	if (p == NULL && n > 0)
		p = proto_detect(span_of(all.p, (size_t)n));
	if (p == NULL)
		fprintf(stderr, "smscope rewrite: link %s tells its protocol by a login: give "
			"--proto\n", l->name);
	return p;
}

static int rewrite(const struct options *o, const struct link_settings *l,
	const struct code_set *codes, struct span all)
{
	struct conf_faults faults = { .to = stderr };
	const struct code_profile *profiles[NAMES_MAX + 1] = { NULL };
	struct session *s = calloc(1, sizeof(*s));
	struct rule_set *rules = conf_rules(l, codes, &faults);
	const struct proto *p = proto_for(o, l, all);
	int rc = EXIT_USAGE;

	if (s != NULL)
		s->ctx = calloc(1, sizeof(*s->ctx));
	if (rules != NULL && p != NULL && s != NULL && s->ctx != NULL) {
		edit_context_init(s->ctx);
		for (int i = 0; i < l->profile_count; i++)
			profiles[i] = codes_profile(codes, l->profiles[i]);
		s->ctx->codes = codes;
		s->ctx->profiles = profiles;
		s->ctx->proto = p;
		s->ctx->max_pdu = l->max_pdu;
		s->ctx->dialect = o->dialect != DIALECT_TOLD ? (uint8_t)o->dialect
							     : p->dialect_default;
		if (rule_set_count(rules) == 0)
			fprintf(stderr, "smscope rewrite: link %s has no rules\n", l->name);
		rc = try_all(s, o, rules, all);
	}
	rule_set_free(rules);
	if (s != NULL)
		free(s->ctx);
	free(s);
	return rc;
}

int rewrite_main(int argc, char **argv)
{
	struct options o = { .config = SMSCOPE_CONF, .from = -1, .dialect = DIALECT_TOLD };
	struct conf_faults faults = { .to = stderr, .look_up = LOOK_UP_NONE };
	struct settings *settings = NULL;
	struct code_set *codes = NULL;
	const struct link_settings *l;
	struct hex h = { 0 };
	int rc = read_options(argc, argv, &o);

	if (rc != 0)
		return rc - 1;
	rc = EXIT_USAGE;
	if (read_input(&h, argv + optind, argc - optind) == SM_OK)
		settings = conf_load(o.config, &faults);
	if (settings != NULL)
		codes = codes_load(codes_dir(settings->codes_dir), settings->codes_site_dir,
			&faults);
	if (codes != NULL && (l = find_link(settings, o.link)) != NULL &&
	    conf_check_profiles(settings, codes, &faults) == 0)
		rc = rewrite(&o, l, codes, span_of(h.octets, h.n));
	codes_free(codes);
	settings_free(settings);
	free(h.octets);
	return fflush(stdout) == 0 ? rc : EXIT_USAGE;
}
