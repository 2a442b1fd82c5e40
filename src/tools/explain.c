#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/explain.h"
#include "tools/hex.h"
#include "tools/tools.h"

/*
 * smscope explain: hexadecimal digits → octets → PDUs by their lengths → the protocol that fits all
 * of them best → a tree for each.
 */

enum { EXIT_USAGE = 2, DIALECT_UNKNOWN = -1, EXACT = 8, READ_STEP = 65536 };

struct options {
	const struct proto *proto;  /* NULL: told by shape */
	int dialect;                /* DIALECT_UNKNOWN, or as given */
	const char *profiles;
};

static int usage(FILE *to)
{
	fputs("usage: smscope explain [OPTION...] [HEX...]\n"
		"Every field of one PDU, or of several in a row: offset, length, value, meaning.\n"
		"Digits are read from the arguments, from FILE, or from standard input; blanks,\n"
		"0x, ':' and comments that begin with # are skipped. A file may also be what\n"
		"xxd, hexdump -C or a packet analyser prints, or the octets themselves.\n"
		"  -f, --file FILE        read FILE; - is standard input\n"
		"      --proto P          cmpp or smpp; else told by the shape of the PDUs\n"
		"      --dialect V        2.0 2.1 3.0 (CMPP), 3.3 3.4 5.0 (SMPP); else told\n"
		"                         by login and lengths\n"
		"      --profile P[,P...] whose meanings of codes\n"
		"      --lang L           zh, en or both\n"
		"      --json             one object a PDU\n"
		"      --show-secrets     passwords and authenticators, too\n"
		"example: smscope explain 0000000d 80000008 00000017 00\n", to);
	return to == stdout ? 0 : EXIT_USAGE;
}

/* Octets of text fields that no text has. */
static int odd_octets(const struct pdu *pdu)
{
	int odd = 0;

	for (int i = 0; i < pdu->field_count; i++) {
		const struct pdu_field *f = &pdu->fields[i];

		if ((f->shape != SHAPE_CSTR && f->shape != SHAPE_OCTETS) ||
		    field_secret((enum field)f->field))
			continue;
		for (uint32_t k = 0; k < f->text_len; k++)
			odd += pdu->frame.p[f->at + k] < ' ' || pdu->frame.p[f->at + k] > '~';
	}
	return odd;
}

/*
 * How plausible a PDU is under a protocol: exact, results and ids in range, text that can be read.
 */
static int plausible(const struct pdu *pdu)
{
	int score = pdu->err == SM_OK ? EXACT : pdu->layout != NULL ? EXACT / 2 : 1;
	uint64_t id = pdu_uint(pdu, F_MSG_ID);
	char text[40];

	if (pdu->proto->status_in_header) {
		score += pdu->status == 0 ? 2 : pdu->status <= 0xfff;
		score += pdu->sequence > 0 && pdu->sequence < 0x80000000u;
	}
	if (pdu_has(pdu, F_MSG_ID))
		score += id == 0 || (msgid_text(id, text, sizeof(text)) > 10 && text[10] == '-')
				 ? 2 : 0;
	if (pdu_has(pdu, F_SUCCESS_ID))
		score += pdu_uint(pdu, F_SUCCESS_ID) <= 1 ? 2 : 0;
	return score - odd_octets(pdu);
}

/*
 * The sum over all PDUs; a stream that cannot be cut into PDUs ends it. *ret_exact: every one
 * parses.
 */
static int fit(const struct proto *p, struct span all, bool *ret_exact)
{
	int score = 0;

	*ret_exact = true;
	while (all.n > 0) {
		int64_t n = proto_frame(all, p->header_len, p->max_pdu);
		struct pdu pdu;

		if (n <= 0) {
			*ret_exact = false;
			return score;
		}
		if (pdu_parse(&pdu, p, p->dialect_default, span_of(all.p, (size_t)n)) != SM_OK)
			*ret_exact = false;
		score += plausible(&pdu);
		all = span_of(all.p + n, all.n - (size_t)n);
	}
	return score;
}

/*
 * The protocol of the first login, else the one under which all of it is most plausible: a guess,
 * for others (SGIP, SMGP) begin with a length and a command, too.
 */
static const struct proto *choose(struct span all, const char **ret_why)
{
	int64_t n = proto_frame(all, 12, UINT32_MAX);
	const struct proto *best = n > 0 ? proto_detect(span_of(all.p, (size_t)n)) : NULL;
	int most = 0, exact_count = 0;

	*ret_why = "by this login";
	if (best != NULL)
		return best;
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		bool exact;
		int score = fit(*p, all, &exact);

		exact_count += exact;
		if (score > most || (exact && best == NULL)) {
			most = score;
			best = *p;
		}
	}
	*ret_why = exact_count == 1 ? "guessed, the only one that fits"
		 : exact_count > 1 ? "guessed, more than one fits" : "guessed, none fits";
	if (exact_count != 1 && best != NULL)
		fprintf(stderr, "smscope explain: %s; taken as %s, --proto decides\n",
			exact_count > 1 ? "more than one protocol fits" : "no protocol fits",
			best->name);
	return best;
}

/* Parse one PDU as what the PDUs before it made known; say how that is known. */
static const char *parse(struct pdu *pdu, const struct options *o, const struct proto *p,
	struct span frame,
	uint8_t *dialect, bool *known)
{
	uint8_t shown = p->dialect_of(frame, *dialect);
	const char *why = o->dialect != DIALECT_UNKNOWN ? "as given"
			  : *known ? "from an earlier PDU" : "assumed";
	struct span version;

	pdu_parse(pdu, p, *dialect, frame);
	if (pdu->err == SM_OK && (pdu_role(pdu) == R_LOGIN || pdu_role(pdu) == R_LOGIN_ACK)) {
		bool proved = pdu_role(pdu) == R_LOGIN ? p->dialect_of(frame, 0) != 0
			: p == &proto_cmpp || pdu_tlv(pdu, 0x0210, &version);

		*known = *known || proved;
		*dialect = shown;
		pdu_parse(pdu, p, shown, frame);
		if (proved && pdu_role(pdu) == R_LOGIN)
			return "the version this login asks for";
		if (proved)
			return p == &proto_cmpp ? "the length of this response"
						: "the lower version of login and response";
	}
	if (pdu->err == SM_OK && pdu->dialect != *dialect) {
		*dialect = pdu->dialect;
		*known = true;
		return "the only one whose lengths fit";
	}
	if (pdu->err == SM_OK && o->dialect == DIALECT_UNKNOWN && !*known &&
	    (pdu->layout->dialect_min > 0 || pdu->layout->dialect_max < 0xff))
		return "assumed, and its lengths fit";
	return why;
}

static int explain_all(struct explain *e, const struct options *o, struct span all)
{
	const struct proto *p = o->proto;
	uint8_t dialect;
	bool known = false;
	size_t at = 0;

	e->proto_why = "as given";
	if (p == NULL)
		p = choose(all, &e->proto_why);
	if (p == NULL) {
		const char *foreign = proto_foreign(all);

		fprintf(stderr, "smscope explain: neither CMPP nor SMPP%s%s\n",
			foreign != NULL ? ", but " : "",
			foreign != NULL ? foreign : "");
		return 1;
	}
	dialect = o->dialect != DIALECT_UNKNOWN ? (uint8_t)o->dialect : p->dialect_default;
	while (at < all.n) {
		int64_t n = proto_frame(span_of(all.p + at, all.n - at), p->header_len, UINT32_MAX);
		struct span frame = span_of(all.p + at, n > 0 ? (size_t)n : all.n - at);
		struct pdu pdu;
		const char *why = parse(&pdu, o, p, frame, &dialect, &known);

		explain_pdu(e, &pdu, at, why);
		if (n <= 0)
			return 1;
		at += frame.n;
	}
	return 0;
}

/* All of a file, or of standard input: digits, a dump, or the octets themselves. */
static int read_file(struct hex *h, const char *path)
{
	bool standard = path == NULL || strcmp(path, "-") == 0;
	FILE *f = standard ? stdin : fopen(path, "r");
	char *text = NULL;
	size_t cap = 0, n = 0, got = 0;
	int err = f != NULL ? SM_OK : -errno;

	while (err == SM_OK) {
		if (n + READ_STEP > cap) {
			char *more = realloc(text, cap = 2 * cap + READ_STEP);

			if (more == NULL) {
				err = -ENOMEM;
				break;
			}
			text = more;
		}
		if ((got = fread(text + n, 1, READ_STEP, f)) == 0)
			break;
		n += got;
	}
	if (err == SM_OK && ferror(f))
		err = -EIO;
	if (err == SM_OK)
		err = hex_add_any(h, text, n);
	free(text);
	if (f != NULL && !standard)
		fclose(f);
	return err;
}

static int read_input(struct hex *h, const char *path, char **args, int count)
{
	int err = SM_OK;

	if (count == 0 || path != NULL)
		err = read_file(h, path);
	for (int i = 0; i < count && err == SM_OK; i++)
		err = hex_add(h, args[i], strlen(args[i]));
	if (err == SM_OK && h->half)
		err = SM_EFORMAT;
	if (err == SM_EFORMAT && count == 1 && path == NULL && access(args[0], R_OK) == 0)
		fprintf(stderr, "smscope explain: no hexadecimal digits; for the file: -f %s\n",
			args[0]);
	else if (err == SM_EFORMAT)
		fprintf(stderr, h->half ? "smscope explain: an odd digit in line %d\n"
					: "smscope explain: no hexadecimal digit in line %d\n",
						h->line + 1);
	else if (err != SM_OK)
		fprintf(stderr, "smscope explain: %s: %s\n", path != NULL ? path : "input",
			err_text(err));
	else if (h->n == 0)
		fputs("smscope explain: no octets\n", stderr);
	return err == SM_OK && h->n == 0 ? SM_ENONE : err;
}

static int dialect_of_text(const char *s)
{
	if (s[0] >= '0' && s[0] <= '9' && s[1] == '.' && s[2] >= '0' && s[2] <= '9' && s[3] == '\0')
		return (s[0] - '0') << 4 | (s[2] - '0');
	return DIALECT_UNKNOWN;
}

static int lang_of(const char *s, enum record_lang *ret)
{
	static const char *const names[] = { [LANG_BOTH] = "both", [LANG_ZH] = "zh",
		[LANG_EN] = "en" };

	for (int i = LANG_BOTH; i <= LANG_EN; i++) {
		if (strcmp(s, names[i]) == 0) {
			*ret = (enum record_lang)i;
			return SM_OK;
		}
	}
	return SM_ENONE;
}

/* Returns SM_OK, or what usage() returns. */
static int read_options(int argc, char **argv, struct options *o, struct explain *e,
	const char **ret_path)
{
	static const struct option known[] = {
		{ "file", required_argument, NULL, 'f' }, { "proto", required_argument, NULL, 'p' },
		{ "dialect", required_argument, NULL, 'd' },
		  { "profile", required_argument, NULL, 'P' },
		{ "lang", required_argument, NULL, 'l' }, { "json", no_argument, NULL, 'j' },
		{ "show-secrets", no_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
		  { 0 },
	};
	int c, bad = 0;

	while ((c = getopt_long(argc, argv, "f:h", known, NULL)) != -1) {
		switch (c) {
		case 'f': *ret_path = optarg; break;
		case 'p': bad |= (o->proto = proto_named(optarg)) == NULL; break;
		case 'd': bad |= (o->dialect = dialect_of_text(optarg)) == DIALECT_UNKNOWN; break;
		case 'P': o->profiles = optarg; break;
		case 'l': bad |= lang_of(optarg, &e->meaning.lang) != SM_OK; break;
		case 'j': e->json = true; break;
		case 's': e->secrets = true; break;
		case 'h': usage(stdout); exit(0);
		default: bad = 1; break;
		}
	}
	return bad ? usage(stderr) : SM_OK;
}

int explain_main(int argc, char **argv)
{
	struct options o = { .dialect = DIALECT_UNKNOWN };
	struct explain e = { .to = stdout };
	struct hex h = { 0 };
	const char *path = NULL;
	int rc = read_options(argc, argv, &o, &e, &path);

	if (rc != SM_OK)
		return rc;
	if (read_input(&h, path, argv + optind, argc - optind) != SM_OK) {
		free(h.octets);
		return EXIT_USAGE;
	}
	rc = EXIT_USAGE;
	if (meaning_open(&e.meaning, o.profiles) == SM_OK)
		rc = explain_all(&e, &o, span_of(h.octets, h.n));
	meaning_close(&e.meaning);
	free(h.octets);
	return fflush(stdout) == 0 ? rc : 1;
}
