#include "tools/explain.h"

enum { TAG_PAYLOAD = 0x0424 };

/*
 * The user data header at the head of `s`: told, and skipped. Source: 3GPP TS 23.040, section
 * 9.2.3.24.
 */
static struct span explain_udh(struct explain *e, const struct pdu *pdu, struct span s)
{
	struct reader udh, ie;
	struct row r;

	if (s.n == 0 || s.p[0] >= s.n)
		return s;
	row_init(&r, pdu, "message", "user data header", FORM_OCTETS, span_of(s.p, 1u + s.p[0]));
	udh = reader_of(span_of(s.p + 1, s.p[0]));
	while (udh.err == SM_OK && reader_left(&udh) > 0) {
		unsigned id = (unsigned)reader_uint(&udh, 1), ref, total, part;

		ie = reader_of(reader_take(&udh, (size_t)reader_uint(&udh, 1)));
		if ((id != 0x00 || reader_left(&ie) != 3) && (id != 0x08 || reader_left(&ie) != 4))
			continue;
		ref = (unsigned)reader_uint(&ie, id == 0 ? 1 : 2);
		total = (unsigned)reader_uint(&ie, 1);
		part = (unsigned)reader_uint(&ie, 1);
		out_fmt(&r.note, "part %u of %u, reference %u", part, total, ref);
	}
	row_print(e, &r);
	return span_of(s.p + 1 + s.p[0], s.n - 1 - s.p[0]);
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' || s.p[i] > '~') && s.p[i] != '\n' && s.p[i] != '\r')
			return false;
	}
	return true;
}

static bool has_udh(const struct pdu *pdu)
{
	return (pdu_uint(pdu, F_ESM_CLASS) & 0x40) != 0 || pdu_uint(pdu, F_TP_UDHI) == 1;
}

void row_decode(struct explain *e, struct row *r, const struct pdu *pdu, struct span s)
{
	static char text[4 * 65536];
	struct out o = out_of(text, sizeof(text));
	enum charset c = text_charset(pdu->proto->name, (uint8_t)pdu_uint(pdu, F_DATA_CODING));

	if (s.n == 0 || has_udh(pdu) || (e->receipt != NULL && pdu->proto == &proto_cmpp))
		return;
	/* Receipts are ASCII whatever the data_coding says, as some copy it from the submit. */
	if (is_printable(s) && (e->receipt != NULL || c == CHARSET_OTHER))
		c = CHARSET_ASCII;
	if (c == CHARSET_BINARY || c == CHARSET_OTHER)
		return;
	text_decode(&o, c, s);
	r->form = FORM_TEXT;
	r->raw = s;
	r->octets = span_of(text, out_len(&o));
	out_str(&r->note, text_charset_name(c));
	e->text_shown = true;
}

/* The message behind its user data header, or what no row showed as text. */
void explain_message(struct explain *e, const struct pdu *pdu)
{
	static char text[4 * 65536];
	struct out o = out_of(text, sizeof(text));
	struct span s = pdu_octets(pdu, F_SHORT_MESSAGE), payload;
	enum charset c = text_charset(pdu->proto->name, (uint8_t)pdu_uint(pdu, F_DATA_CODING));
	struct row r;

	if (s.n == 0 && pdu_tlv(pdu, TAG_PAYLOAD, &payload))
		s = payload;
	if (s.n == 0 || e->text_shown)
		return;
	if (has_udh(pdu))
		s = explain_udh(e, pdu, s);
	text_decode(&o, c, s);
	row_init(&r, pdu, "message", "text", FORM_TEXT, s);
	r.octets = span_of(text, out_len(&o));
	out_str(&r.note, text_charset_name(c));
	row_print(e, &r);
}

static void explain_value(struct explain *e, const struct pdu *pdu, const char *name, struct span s)
{
	struct row r;

	if (s.n == 0)
		return;
	row_init(&r, pdu, "report", name, FORM_TEXT, s);
	if (strcmp(name, "stat") == 0 || strcmp(name, "Stat") == 0)
		note_code(e, &r, pdu, CTX_REPORT, true);
	if (strcmp(name, "err") == 0)
		note_code(e, &r, pdu, CTX_RECEIPT_ERR, true);
	row_print(e, &r);
}

void explain_report(struct explain *e, const struct pdu *pdu, const struct receipt *t)
{
	bool cmpp = pdu->proto == &proto_cmpp;
	const char *kind = t->undecodable ? "of no known shape"
			   : t->kind == RECEIPT_INTERIM ? "interim" : "final";
	char id[40];
	struct row r;

	row_init(&r, pdu, "message", "report", FORM_TEXT, t->raw);
	r.octets = span_of(kind, strlen(kind));
	out_str(&r.note, t->conflict ? "text and TLVs disagree" : "");
	row_print(e, &r);
	if (t->id_binary) {
		row_init(&r, pdu, "report", "Msg_Id", FORM_HEX, t->id);
		out_put(&r.note, id, msgid_text(span_uint(t->id), id, sizeof(id)));
		row_print(e, &r);
	} else {
		explain_value(e, pdu, "id", t->id);
	}
	explain_value(e, pdu, cmpp ? "Stat" : "stat", t->stat);
	explain_value(e, pdu, "err", t->err);
	explain_value(e, pdu, cmpp ? "Submit_time" : "submit date", t->submit_date);
	explain_value(e, pdu, cmpp ? "Done_time" : "done date", t->done_date);
	explain_value(e, pdu, cmpp ? "Dest_terminal_Id" : "handset", t->dst);
	explain_value(e, pdu, "text", t->text);
	if (cmpp && (t->raw.n == 60 || t->raw.n == 71) && !t->undecodable) {
		row_init(&r, pdu, "report", "SMSC_sequence", FORM_NUMBER,
			span_of(t->raw.p + t->raw.n - 4, 4));
		row_print(e, &r);
	}
}

void explain_alone(struct explain *e, const struct proto *p, const struct receipt *t, size_t at)
{
	bool cmpp = p == &proto_cmpp;
	struct pdu pdu = { .proto = p, .frame = t->raw, .dialect = p->dialect_default };

	if (cmpp)
		pdu.dialect = t->raw.n == 60 ? 0x20 : 0x30;
	explain_begin(e, &pdu, cmpp ? "report" : "receipt", at,
		cmpp ? "the length of this report" : "assumed");
	explain_report(e, &pdu, t);
	explain_end(e, &pdu);
}
