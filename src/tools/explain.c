#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/explain.h"
#include "tools/hex.h"
#include "tools/input.h"
#include "tools/tools.h"

/*
 * smscope explain: hexadecimal digits → octets → PDUs by their lengths → the protocol that fits all
 * of them best → a tree for each. A report alone, as text or as the octets of its body, gives one,
 * too.
 */

enum { EXIT_USAGE = 2, DIALECT_UNKNOWN = -1, EXACT = 8 };

struct options {
	const struct proto *proto;  /* NULL: told by shape */
	int dialect;                /* DIALECT_UNKNOWN, or as given */
	const char *profiles;
};

static int usage(FILE *to)
{
	fputs("usage: smscope explain [OPTION...] [HEX... | TEXT]\n"
		"Every field of one PDU, or of several in a row: offset, length, value, meaning;\n"
		"also of the body of a CMPP report, and of the text of a receipt.\n"
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
		"example: smscope explain 0000000d 80000008 00000017 00\n"
		"         smscope explain 'id:7 stat:UNDELIV err:021 text:'\n", to);
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

/* Receipts are lines of text; everything else is digits. */
struct input {
	struct hex hex;
	FILE *receipts; /* what is written there comes out as `text`, a line each */
	char *text;
	size_t text_n;
};

/* True if the line is a receipt, and kept. A dump of one shows its text, too, and is none. */
static bool take_receipt(struct input *in, const char *line, size_t n)
{
	const char *comment = memchr(line, '#', n);
	struct receipt receipt;

	if (hex_is_dump(&in->hex, line, n) ||
	    receipt_of_text(span_of(line, comment != NULL ? (size_t)(comment - line) : n),
		&receipt) == RECEIPT_NONE)
		return false;
	fwrite(line, 1, n, in->receipts);
	fputc('\n', in->receipts);
	return true;
}

/* The content of a file: octets if one of them is NUL, else lines. */
static int take_content(struct input *in, const char *text, size_t n)
{
	int err = SM_OK;

	if (n > 0 && memchr(text, '\0', n) != NULL)
		return hex_add_any(&in->hex, text, n);
	for (size_t at = 0, len; at < n && err == SM_OK; at += len) {
		const char *end = memchr(text + at, '\n', n - at);

		len = end != NULL ? (size_t)(end + 1 - (text + at)) : n - at;
		if (take_receipt(in, text + at, end != NULL ? len - 1 : len))
			in->hex.line++;
		else
			err = hex_add_any(&in->hex, text + at, len);
	}
	return err;
}

/* All of a file, or of standard input: receipts, digits, a dump, or the octets themselves. */
static int read_file(struct input *in, const char *path)
{
	char *text = NULL;
	size_t n = 0;
	int err = input_read(path != NULL ? path : "-", &text, &n);

	if (err == SM_OK)
		err = take_content(in, text, n);
	free(text);
	return err;
}

/* All arguments as one line: a receipt has blanks. */
static int read_arguments(struct input *in, char **args, int count)
{
	char *line = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&line, &n);
	int err = -ENOMEM;

	for (int i = 0; i < count && f != NULL; i++)
		fprintf(f, "%s%s", i > 0 ? " " : "", args[i]);
	if (f != NULL && fclose(f) == 0)
		err = take_receipt(in, line, n) ? SM_OK : hex_add(&in->hex, line, n);
	free(line);
	return err;
}

static int read_input(struct input *in, const char *path, char **args, int count)
{
	struct hex *h = &in->hex;
	int err = SM_OK;

	if (count == 1 && strcmp(args[0], "-") == 0)
		count = 0; /* standard input, as everywhere */
	in->receipts = open_memstream(&in->text, &in->text_n);
	if (in->receipts == NULL)
		err = -ENOMEM;
	if (err == SM_OK && (count == 0 || path != NULL))
		err = read_file(in, path);
	if (err == SM_OK && count > 0)
		err = read_arguments(in, args, count);
	if (in->receipts != NULL && fclose(in->receipts) != 0)
		err = -ENOMEM;
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
	else if (h->n == 0 && in->text_n == 0)
		fputs("smscope explain: no octets\n", stderr);
	return err == SM_OK && h->n == 0 && in->text_n == 0 ? SM_ENONE : err;
}

static void explain_receipts(struct explain *e, struct span text)
{
	size_t at = 0;

	while (at < text.n) {
		const uint8_t *line = text.p + at, *end = memchr(line, '\n', text.n - at);
		size_t n = end != NULL ? (size_t)(end - line) : text.n - at;
		struct receipt receipt;

		if (receipt_of_text(span_of(line, n), &receipt) != RECEIPT_NONE)
			explain_alone(e, &proto_smpp, &receipt, at);
		at += n + 1;
	}
}

/* Octets that are no PDU but what one carries. */
static bool explain_body(struct explain *e, const struct options *o, struct span all)
{
	struct receipt receipt;

	if (proto_frame(all, 12, UINT32_MAX) > 0)
		return false;
	if (o->proto != &proto_smpp && receipt_of_cmpp(all, &receipt) != RECEIPT_NONE)
		explain_alone(e, &proto_cmpp, &receipt, 0);
	else if (o->proto != &proto_cmpp && receipt_of_text(all, &receipt) != RECEIPT_NONE)
		explain_alone(e, &proto_smpp, &receipt, 0);
	else
		return false;
	return true;
}

static int explain_input(struct explain *e, const struct options *o, const struct input *in)
{
	struct span octets = span_of(in->hex.octets, in->hex.n);

	explain_receipts(e, span_of(in->text, in->text_n));
	if (octets.n == 0 || explain_body(e, o, octets))
		return 0;
	return explain_all(e, o, octets);
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
	struct input in = { 0 };
	const char *path = NULL;
	int rc = read_options(argc, argv, &o, &e, &path);

	if (rc != SM_OK)
		return rc;
	rc = EXIT_USAGE;
	if (read_input(&in, path, argv + optind, argc - optind) == SM_OK &&
	    meaning_open(&e.meaning, o.profiles) == SM_OK)
		rc = explain_input(&e, &o, &in);
	meaning_close(&e.meaning);
	free(in.hex.octets);
	free(in.text);
	return fflush(stdout) == 0 ? rc : 1;
}
