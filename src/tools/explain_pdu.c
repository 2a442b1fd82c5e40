#include "tools/explain.h"

enum { OCTETS_SHOWN = 24, VALUE_MAX = 1 << 20 };
enum { TAG_PAYLOAD = 0x0424, TAG_ERROR_STATUS = 0x0607 };

void row_init(struct row *r, const struct pdu *pdu, const char *part, const char *name,
	enum form form,
	struct span octets)
{
	r->part = part;
	r->name = name;
	r->placed = octets.p >= pdu->frame.p && octets.p <= pdu->frame.p + pdu->frame.n;
	r->at = r->placed ? (uint32_t)(octets.p - pdu->frame.p) : 0;
	r->len = (uint32_t)octets.n;
	r->form = form;
	r->octets = octets;
	r->raw = span_of(octets.p, 0);
	r->note = out_of(r->note_text, sizeof(r->note_text));
}

static void print_value(const struct row *r, struct out *o, bool json)
{
	size_t n = r->octets.n;

	switch (r->form) {
	case FORM_NUMBER:
		out_dec(o, span_uint(r->octets));
		break;
	case FORM_HEX:
		out_str(o, json ? "\"0x" : "0x");
		out_hex(o, span_uint(r->octets), (int)(2 * n));
		out_str(o, json ? "\"" : "");
		break;
	case FORM_TEXT:
		out_char(o, '"');
		if (json)
			text_json(o, r->octets);
		else
			text_escape(o, r->octets, false);
		out_char(o, '"');
		break;
	case FORM_OCTETS:
		out_str(o, json ? "\"" : "");
		out_octets(o, json || n <= OCTETS_SHOWN ? r->octets
							: span_of(r->octets.p, OCTETS_SHOWN));
		out_str(o, json ? "\"" : n > OCTETS_SHOWN ? "…" : "");
		break;
	case FORM_SECRET:
		out_str(o, json ? "\"******\"" : "******");
		break;
	}
}

static void print_json(struct explain *e, const struct row *r, const struct out *value)
{
	char text[2 * NOTE_MAX];
	struct out o = out_of(text, sizeof(text));

	fprintf(e->to, "%s{\"part\":\"%s\",\"name\":\"%s\"", e->rows++ > 0 ? "," : "", r->part,
		r->name);
	if (r->placed)
		fprintf(e->to, ",\"at\":%u,\"len\":%u", r->at, r->len);
	fprintf(e->to, ",\"value\":%.*s", (int)out_len(value), value->base);
	if (r->raw.n > 0) {
		fputs(",\"octets\":\"", e->to);
		for (size_t i = 0; i < r->raw.n; i++)
			fprintf(e->to, "%02x", r->raw.p[i]);
		fputc('"', e->to);
	}
	if (out_len(&r->note) > 0) {
		text_json(&o, span_of(r->note.base, out_len(&r->note)));
		fprintf(e->to, ",\"meaning\":\"%.*s\"", (int)out_len(&o), o.base);
	}
	fputc('}', e->to);
}

void row_print(struct explain *e, const struct row *r)
{
	static char text[VALUE_MAX]; /* the longest message_payload, all of it escaped */
	struct out o = out_of(text, sizeof(text));
	bool inner = strcmp(r->part, "item") == 0 || strcmp(r->part, "report") == 0 ||
		strcmp(r->part, "element") == 0;

	print_value(r, &o, e->json);
	if (e->json) {
		print_json(e, r, &o);
		return;
	}
	if (r->placed)
		fprintf(e->to, "  %6u %6u  ", r->at, r->len);
	else
		fprintf(e->to, "  %6s %6s  ", "", "");
	fprintf(e->to, "%s%-*s  %.*s", inner ? "  " : "", inner ? 32 : 34, r->name,
		(int)out_len(&o), o.base);
	if (out_len(&r->note) > 0)
		fprintf(e->to, "%*s  %.*s", out_len(&o) < 16 ? (int)(16 - out_len(&o)) : 0, "",
			(int)out_len(&r->note),
			r->note.base);
	fputc('\n', e->to);
}

/* Which question a response's result is the answer to. */
static enum code_context context_of(const struct pdu *pdu)
{
	switch (pdu_role(pdu)) {
	case R_LOGIN_ACK:
		return CTX_LOGIN;
	case R_DELIVER_ACK:
	case R_DATA_ACK:
		return CTX_DELIVER_RESP;
	case R_QUERY_ACK:
		return CTX_QUERY_RESP;
	case R_CANCEL_ACK:
	case R_REPLACE_ACK:
		return CTX_CANCEL_RESP;
	case R_FORWARD_ACK:
		return CTX_FORWARD_RESP;
	case R_NACK:
		return CTX_NACK;
	default:
		return CTX_SUBMIT_RESP;
	}
}

void note_code(const struct explain *e, struct row *r, const struct pdu *pdu,
	enum code_context context,
	bool text)
{
	meaning_put(&e->meaning, &r->note, (struct code_query){ .context = context,
		.side = (enum code_side)pdu->proto->code_side,
		.dialect = pdu->dialect, .is_text = text, .number = (int64_t)span_uint(r->octets),
		.text = r->octets }, false);
}

static void explain_header(struct explain *e, const struct pdu *pdu)
{
	size_t at = 0;

	for (const struct slot *s = pdu->proto->header; s->shape != SHAPE_END; s++) {
		bool hex = s->field == F_COMMAND || s->field == F_COMMAND_STATUS;
		uint32_t code;
		struct row r;

		row_init(&r, pdu, "header", field_name(pdu->proto, (enum field)s->field),
			hex ? FORM_HEX : FORM_NUMBER, span_of(pdu->frame.p + at, s->size));
		at += s->size;
		if (s->field == F_LENGTH && pdu->length != pdu->frame.n)
			out_fmt(&r.note, "%zu octets are here", pdu->frame.n);
		else if (s->field == F_COMMAND)
			out_str(&r.note, pdu_name(pdu));
		else if (s->field == F_COMMAND_STATUS && pdu_result(pdu, &code))
			note_code(e, &r, pdu, context_of(pdu), false);
		row_print(e, &r);
	}
}

static enum form form_of(const struct explain *e, const struct pdu_field *f)
{
	if (field_secret((enum field)f->field) && !e->secrets)
		return FORM_SECRET;
	switch (f->field) {
	case F_MSG_ID:
	case F_ESM_CLASS:
	case F_REGISTERED_DELIVERY:
	case F_DATA_CODING:
	case F_VERSION:
	case F_ERROR_STATUS_CODE:
		return FORM_HEX;
	default:
		if (f->shape == SHAPE_UINT)
			return FORM_NUMBER;
		return f->shape == SHAPE_CSTR || f->shape == SHAPE_OCTETS ? FORM_TEXT : FORM_OCTETS;
	}
}

static void explain_field(struct explain *e, const struct pdu *pdu, const struct pdu_field *f,
	const char *part)
{
	enum form form = form_of(e, f);
	struct row r;

	row_init(&r, pdu, part, field_name(pdu->proto, (enum field)f->field), form,
		span_of(pdu->frame.p + f->at, form == FORM_TEXT ? f->text_len : f->len));
	r.len = f->len;
	if (f->field == F_RESULT || f->field == F_STATUS || f->field == F_SUCCESS_ID ||
		f->field == F_ERROR_STATUS_CODE)
		note_code(e, &r, pdu, context_of(pdu), false);
	else if (f->field == F_SHORT_MESSAGE)
		row_decode(e, &r, pdu, r.octets);
	else if (form != FORM_SECRET)
		note_field(&r.note, pdu, f);
	row_print(e, &r);
}

static void explain_list(struct explain *e, const struct pdu *pdu, const struct pdu_field *list)
{
	struct pdu_field f[8];
	struct row r;
	size_t at = 0;
	int n, items = 0;

	while (pdu_items(pdu, (enum field)list->field, &at, f, 8) > 0)
		items++;
	row_init(&r, pdu, "body", field_name(pdu->proto, (enum field)list->field), FORM_OCTETS,
		span_of(pdu->frame.p + list->at, list->len));
	out_fmt(&r.note, "%d item%s", items, items == 1 ? "" : "s");
	row_print(e, &r);
	at = 0;
	while ((n = pdu_items(pdu, (enum field)list->field, &at, f, 8)) > 0) {
		for (int i = 0; i < n; i++)
			explain_field(e, pdu, &f[i], "item");
	}
}

/* How a TLV's value is written: as its specification has it, an unknown one by its length. */
static enum form tlv_form(const struct tlv *t)
{
	const struct tlv_kind *k = tlv_kind(t->tag);

	if (t->tag == TAG_ERROR_STATUS && t->value.n == 4)
		return FORM_HEX;
	if (k != NULL && k->form == TLV_TEXT)
		return FORM_TEXT;
	if (t->value.n == 0 || t->value.n > (k != NULL ? 8 : 2))
		return FORM_OCTETS;
	return k == NULL || k->form == TLV_NUMBER ? FORM_NUMBER : FORM_OCTETS;
}

static void explain_tlvs(struct explain *e, const struct pdu *pdu)
{
	struct tlv t;
	struct row r;
	size_t at = 0;
	int got;

	while ((got = tlv_next(pdu, &at, &t)) > 0) {
		const char *name = tlv_name(t.tag);
		char label[64];

		snprintf(label, sizeof(label), "0x%04x %s", t.tag, name != NULL ? name : "unknown");
		row_init(&r, pdu, "tlv", label, tlv_form(&t), t.value);
		r.at = t.at;
		r.len = (uint32_t)t.value.n + 4;
		while (r.form == FORM_TEXT && r.octets.n > 0 && r.octets.p[r.octets.n - 1] == 0)
			r.octets.n--;
		note_tlv(&r.note, &t);
		if (t.tag == TAG_PAYLOAD)
			row_decode(e, &r, pdu, t.value);
		if (r.form == FORM_HEX)
			note_code(e, &r, pdu, CTX_SUBMIT_RESP, false);
		row_print(e, &r);
	}
	if (got < 0) {
		row_init(&r, pdu, "tlv", "(broken)", FORM_OCTETS,
			span_of(pdu->tlvs.p + at, pdu->tlvs.n - at));
		out_str(&r.note, "longer than what is left of the PDU");
		row_print(e, &r);
	}
}

void explain_begin(struct explain *e, const struct pdu *pdu, const char *name, size_t at,
	const char *why)
{
	const char *dialect = dialect_name(pdu->proto, pdu->dialect);

	e->rows = 0;
	e->text_shown = false;
	if (e->json) {
		fprintf(e->to,
			"{\"offset\":%zu,\"length\":%zu,\"proto\":\"%s\",\"proto_why\":\"%s\","
			"\"dialect\":\"%s\",\"why\":\"%s\",\"pdu\":\"%s\"",
			at, pdu->frame.n, pdu->proto->name, e->proto_why, dialect, why, name);
		if (pdu->err != SM_OK)
			fprintf(e->to, ",\"error\":\"%s\",\"error_at\":%u", err_text(pdu->err),
				pdu->err_at);
		fputs(",\"fields\":[", e->to);
		return;
	}
	fprintf(e->to, "%s  %s  %zu octets at %zu  (protocol: %s; dialect: %s)\n", dialect, name,
		pdu->frame.n, at, e->proto_why, why);
	fprintf(e->to, "  %6s %6s  %-34s  %s\n", "offset", "length", "field", "value");
}

void explain_end(struct explain *e, const struct pdu *pdu)
{
	if (e->json)
		fputs("]}\n", e->to);
	else if (pdu->err != SM_OK)
		fprintf(e->to, "  error at offset %u: %s\n\n", pdu->err_at, err_text(pdu->err));
	else
		fputc('\n', e->to);
}

void explain_pdu(struct explain *e, const struct pdu *pdu, size_t at, const char *why)
{
	struct receipt receipt;

	body_read(pdu, &e->body);
	e->receipt = receipt_read(pdu, &receipt) != RECEIPT_NONE ? &receipt : NULL;
	explain_begin(e, pdu, pdu_name(pdu), at, why);
	if (pdu->frame.n >= pdu->proto->header_len)
		explain_header(e, pdu);
	for (int i = 0; i < pdu->field_count; i++) {
		if (pdu->fields[i].shape == SHAPE_LIST)
			explain_list(e, pdu, &pdu->fields[i]);
		else
			explain_field(e, pdu, &pdu->fields[i], "body");
	}
	explain_tlvs(e, pdu);
	if (e->receipt != NULL)
		explain_report(e, pdu, e->receipt);
	else
		explain_message(e, pdu);
	e->receipt = NULL;
	explain_end(e, pdu);
}
