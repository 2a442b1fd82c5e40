#include "tools/explain.h"

/* Source: 3GPP TS 23.040, section 9.2.3.24. */
static const char *element_name(uint8_t id)
{
	static const char *const names[] = {
		[0x00] = "concatenation", [0x01] = "special message indication",
		[0x04] = "ports, 8 bits", [0x05] = "ports, 16 bits", [0x06] = "SMSC control",
		[0x07] = "source of the header", [0x08] = "concatenation, 16 bits",
		[0x09] = "wireless control messages", [0x24] = "national single shift",
		[0x25] = "national locking shift",
	};
	const char *name = id < sizeof(names) / sizeof(*names) ? names[id] : NULL;

	return name != NULL ? name : id >= 0x70 && id <= 0x7f ? "SIM toolkit security" : "element";
}

static void explain_element(struct explain *e, const struct pdu *pdu, const struct udh_element *ie)
{
	uint32_t reference, part, total;
	char label[64];
	struct row r;

	snprintf(label, sizeof(label), "0x%02x %s", ie->id, element_name(ie->id));
	row_init(&r, pdu, "element", label, FORM_OCTETS, ie->data);
	r.at -= 2;
	r.len += 2;
	if (udh_part(ie, &reference, &part, &total))
		out_fmt(&r.note, "part %u of %u, reference %u", part, total, reference);
	else if (ie->id == 0x00 || ie->id == 0x08)
		out_str(&r.note, "makes no sense: ignored");
	else if (ie->id == 0x05 && ie->data.n == 4)
		out_fmt(&r.note, "to port %u, from port %u",
			(unsigned)span_uint(span_of(ie->data.p, 2)),
			(unsigned)span_uint(span_of(ie->data.p + 2, 2)));
	else if (ie->id == 0x04 && ie->data.n == 2)
		out_fmt(&r.note, "to port %u, from port %u", ie->data.p[0], ie->data.p[1]);
	else if ((ie->id == 0x24 || ie->id == 0x25) && ie->data.n == 1)
		out_fmt(&r.note, "language table %u, not applied to the text", ie->data.p[0]);
	row_print(e, &r);
}

/* The header at the head of the message, told element by element. */
static void explain_udh(struct explain *e, const struct pdu *pdu, const struct body *b)
{
	struct udh_element ie;
	struct row r;
	size_t at = 0;

	if (b->udh.n > 0) {
		row_init(&r, pdu, "message", "user data header", FORM_OCTETS, b->udh);
		row_print(e, &r);
	}
	while (udh_next(b->udh, &at, &ie) > 0)
		explain_element(e, pdu, &ie);
}

static void explain_part(struct explain *e, const struct pdu *pdu, const struct body *b)
{
	static const char *const sources[] = {
		[PART_FIELDS] = "by Pk_total and Pk_number", [PART_TLVS] = "by the sar_ TLVs",
		[PART_HEADER] = "by the user data header",
	};
	char text[32];
	struct row r;

	if (b->total < 2)
		return;
	row_init(&r, pdu, "message", "part", FORM_TEXT, span_of("", 0));
	r.octets = span_of(text, (size_t)snprintf(text, sizeof(text), "%u/%u", b->part, b->total));
	out_str(&r.note, sources[b->source]);
	if (b->disagree)
		out_str(&r.note, b->octets.n > 0 && pdu_has(pdu, F_PK_TOTAL)
				 ? "; Pk_total and Pk_number say otherwise"
				 : "; the sar_ TLVs say otherwise");
	row_print(e, &r);
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' || s.p[i] > '~') && s.p[i] != '\n' && s.p[i] != '\r')
			return false;
	}
	return true;
}

/* The row's value becomes `s` as text. */
static void row_text(struct row *r, enum charset c, struct span s)
{
	static char text[4 * 65536];
	struct out o = out_of(text, sizeof(text));

	text_decode(&o, c, s);
	r->form = FORM_TEXT;
	r->octets = span_of(text, out_len(&o));
	out_str(&r->note, text_charset_name(c));
}

void row_decode(struct explain *e, struct row *r, const struct pdu *pdu, struct span s)
{
	const struct body *b = &e->body;
	enum charset c = b->charset;

	if (s.n == 0 || b->udh.n > 0 || b->udh_broken ||
	    (e->receipt != NULL && pdu->proto == &proto_cmpp))
		return;
	/* Receipts are ASCII whatever the data_coding says, as some copy it from the submit. */
	if (is_printable(s) && (e->receipt != NULL || c == CHARSET_OTHER))
		c = CHARSET_ASCII;
	if (c == CHARSET_BINARY || c == CHARSET_OTHER)
		return;
	row_text(r, c, s);
	r->raw = s;
	e->text_shown = true;
}

void explain_message(struct explain *e, const struct pdu *pdu)
{
	const struct body *b = &e->body;
	struct row r;

	if (b->octets.n == 0)
		return;
	explain_udh(e, pdu, b);
	explain_part(e, pdu, b);
	if (e->text_shown)
		return;
	row_init(&r, pdu, "message", "text", FORM_TEXT, b->text);
	row_text(&r, b->charset, b->text);
	if (b->udh_broken)
		out_str(&r.note, "; the user data header that is announced does not fit");
	row_print(e, &r);
}

static void explain_value(struct explain *e, const struct pdu *pdu, const char *name, struct span s)
{
	struct row r;

	if (s.n == 0)
		return;
	row_init(&r, pdu, "report", name, FORM_TEXT, s);
	if (strcmp(name, "stat") == 0 || strcmp(name, "Stat") == 0) {
		note_code(e, &r, pdu, CTX_REPORT, true);
		r.octets = receipt_stat_word(s);
		if (out_len(&r.note) == 0 && r.octets.n < s.n)
			note_code(e, &r, pdu, CTX_REPORT, true);
		r.octets = s;
	}
	if (strcmp(name, "err") == 0)
		note_code(e, &r, pdu, CTX_RECEIPT_ERR, true);
	if (strstr(name, "date") != NULL || strstr(name, "_time") != NULL)
		note_time(&r.note, s);
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
	e->proto_why = cmpp ? "by the shape of this report" : "by the labels of this receipt";
	explain_begin(e, &pdu, cmpp ? "report" : "receipt", at,
		cmpp ? "the length of this report" : "assumed");
	explain_report(e, &pdu, t);
	explain_end(e, &pdu);
}
