#include "tools/explain.h"

/*
 * Values that the specifications list. Sources: SMPP 3.4, section 5.2 and 5.3.2; SMPP 5.0, section
 * 4.7 and 4.8; CMPP 3.0, section 8.4.
 */

static const struct {
	uint8_t field, value;
	const char *words;
} field_values[] = {
	{ F_FEE_USER_TYPE, 0, "the destination pays" },
	{ F_FEE_USER_TYPE, 1, "the source pays" },
	{ F_FEE_USER_TYPE, 2, "the SP pays" },
	{ F_FEE_USER_TYPE, 3, "Fee_terminal_Id pays" },
	{ F_FEE_TERMINAL_TYPE, 0, "real number" },
	{ F_FEE_TERMINAL_TYPE, 1, "pseudo code" },
	{ F_DEST_TERMINAL_TYPE, 0, "real number" },
	{ F_DEST_TERMINAL_TYPE, 1, "pseudo code" },
	{ F_SRC_TERMINAL_TYPE, 0, "real number" },
	{ F_SRC_TERMINAL_TYPE, 1, "pseudo code" },
	{ F_TP_UDHI, 1, "a header stands before the text" },
	{ F_QUERY_TYPE, 0, "totals" },
	{ F_QUERY_TYPE, 1, "by Service_Id" },
	{ F_MSG_FWD_TYPE, 0, "MT" },
	{ F_MSG_FWD_TYPE, 1, "MO" },
	{ F_MSG_FWD_TYPE, 2, "report of an MT" },
	{ F_MSG_FWD_TYPE, 3, "report of an MO" },
	{ F_DEST_FLAG, 1, "SME address" },
	{ F_DEST_FLAG, 2, "distribution list" },
};

static const char *const tons[] = {
	"unknown", "international", "national", "network specific", "subscriber number",
	"alphanumeric",
	"abbreviated",
};

static const char *npi_words(uint64_t v)
{
	switch (v) {
	case 0: return "unknown";
	case 1: return "ISDN (E.163/E.164)";
	case 3: return "data (X.121)";
	case 4: return "telex (F.69)";
	case 6: return "land mobile (E.212)";
	case 8: return "national";
	case 9: return "private";
	case 10: return "ERMES";
	case 14: return "Internet (IP)";
	case 18: return "WAP client id";
	default: return NULL;
	}
}

/* Append with a comma before all but the first. */
static void add(struct out *o, const char *words)
{
	if (out_len(o) > 0)
		out_str(o, ", ");
	out_str(o, words);
}

static void note_esm_class(struct out *o, uint64_t v)
{
	static const char *const modes[] = { "default mode", "datagram", "forward",
		"store and forward" };

	add(o, modes[v & 3]);
	switch (v & 0x3c) {
	case 0x00: break;
	case 0x04: add(o, "delivery receipt"); break;
	case 0x08: add(o, "SME delivery acknowledgement"); break;
	case 0x10: add(o, "SME user acknowledgement"); break;
	case 0x18: add(o, "conversation abort"); break;
	case 0x20: add(o, "intermediate notification"); break;
	default: add(o, "reserved message type"); break;
	}
	if ((v & 0x40) != 0)
		add(o, "UDHI");
	if ((v & 0x80) != 0)
		add(o, "reply path");
}

static void note_registered(struct out *o, uint64_t v)
{
	static const char *const receipts[] = {
		"no receipt", "receipt on success or failure", "receipt on failure",
		"receipt on success (5.0)",
	};
	static const char *const acks[] = {
		NULL, "SME delivery acknowledgement", "SME user acknowledgement",
			"both SME acknowledgements",
	};

	add(o, receipts[v & 3]);
	if ((v >> 2 & 3) != 0)
		add(o, acks[v >> 2 & 3]);
	if ((v & 0x10) != 0)
		add(o, "intermediate notification");
}

static void note_version(struct out *o, const struct proto *p, uint64_t v)
{
	if (p == &proto_smpp && v < 0x33)
		out_str(o, "3.3 or earlier");
	else
		out_fmt(o, "%u.%u", (unsigned)v >> 4, (unsigned)v & 15);
}

static bool note_smpp_field(struct out *o, enum field f, uint64_t v)
{
	const char *words = NULL;

	switch (f) {
	case F_SOURCE_ADDR_TON:
	case F_DEST_ADDR_TON:
	case F_ESME_ADDR_TON:
	case F_ADDR_TON:
		words = v < sizeof(tons) / sizeof(*tons) ? tons[v] : NULL;
		break;
	case F_SOURCE_ADDR_NPI:
	case F_DEST_ADDR_NPI:
	case F_ESME_ADDR_NPI:
	case F_ADDR_NPI:
		words = npi_words(v);
		break;
	case F_MESSAGE_STATE:
		words = v < 10 ? receipt_state_word((int)v) : NULL;
		break;
	case F_ESM_CLASS:
		note_esm_class(o, v);
		return true;
	case F_REGISTERED_DELIVERY:
		note_registered(o, v);
		return true;
	default:
		return false;
	}
	if (words != NULL)
		out_str(o, words);
	return true;
}

void note_field(struct out *o, const struct pdu *pdu, const struct pdu_field *f)
{
	struct span octets = span_of(pdu->frame.p + f->at, f->len);
	uint64_t v = span_uint(octets);
	char id[40];

	if (f->field == F_MSG_ID && f->len == 8 && v != 0) {
		out_put(o, id, msgid_text(v, id, sizeof(id)));
	} else if (f->field == F_DATA_CODING) {
		out_str(o, text_charset_name(text_charset(pdu->proto->name, (uint8_t)v)));
	} else if (f->field == F_VERSION) {
		note_version(o, pdu->proto, v);
	} else if (f->field == F_REGISTERED_DELIVERY && pdu->proto == &proto_cmpp) {
		static const char *const deliveries[] = { "a message", "a report" };
		static const char *const wishes[] = { "no report", "report wanted" };
		bool deliver = pdu_role(pdu) == R_DELIVER;

		if (v < 2)
			out_str(o, deliver ? deliveries[v] : wishes[v]);
		else if (v == 2)
			out_str(o, "bill only (2.0)");
	} else if (f->field == F_TIMESTAMP) {
		out_fmt(o, "MMDDHHMMSS %010u", (unsigned)v);
	} else if (f->shape == SHAPE_UINT && f->len == 1 &&
		   (pdu->proto != &proto_smpp || !note_smpp_field(o, (enum field)f->field, v))) {
		for (size_t i = 0; i < sizeof(field_values) / sizeof(*field_values); i++) {
			if (field_values[i].field == f->field && field_values[i].value == v)
				out_str(o, field_values[i].words);
		}
	}
}

static const struct {
	uint16_t tag;
	uint8_t value;
	const char *words;
} tlv_values[] = {
	{ 0x0006, 1, "GSM" }, { 0x0006, 3, "IS-95" }, { 0x000e, 1, "GSM" }, { 0x000e, 3, "IS-95" },
	{ 0x0019, 0, "default" }, { 0x0019, 1, "WCMP" },
	{ 0x0201, 0, "not restricted" }, { 0x0201, 1, "restricted" }, { 0x0201, 2, "confidential" },
	{ 0x0201, 3, "secret" },
	{ 0x0420, 0, "not set" }, { 0x0420, 1, "set" }, { 0x0421, 0, "not requested" },
	  { 0x0421, 1, "requested" },
	{ 0x0422, 0, "available" }, { 0x0422, 1, "denied" }, { 0x0422, 2, "unavailable" },
	{ 0x0425, 0, "destination unavailable" }, { 0x0425, 1, "destination address invalid" },
	{ 0x0425, 2, "permanent network error" }, { 0x0425, 3, "temporary network error" },
	{ 0x0426, 0, "no" }, { 0x0426, 1, "yes" },
};

static void note_network_error(struct out *o, struct span v)
{
	static const char *const types[] = {
		NULL, "ANSI-136 access denied", "IS-95 access denied", "GSM", "ANSI-136 cause",
			"IS-95 cause", "ANSI-41",
		"SMPP", "SMSC specific",
	};

	if (v.p[0] >= '0' && v.p[0] <= '9')
		out_str(o, "ASCII digits");
	else
		out_fmt(o, "%s, error %u",
			v.p[0] > 0 && v.p[0] < 9 ? types[v.p[0]] : "unknown network",
			(unsigned)(v.p[1] << 8 | v.p[2]));
}

void note_tlv(struct out *o, const struct tlv *t)
{
	if (t->tag == 0x0423 && t->value.n == 3)
		note_network_error(o, t->value);
	else if (t->tag == 0x0427 && t->value.n == 1 && t->value.p[0] < 10)
		out_str(o, receipt_state_word(t->value.p[0]));
	else if (t->tag == 0x0210 && t->value.n == 1)
		note_version(o, &proto_smpp, t->value.p[0]);
	for (size_t i = 0; i < sizeof(tlv_values) / sizeof(*tlv_values); i++) {
		if (tlv_values[i].tag == t->tag && t->value.n == 1 &&
			tlv_values[i].value == t->value.p[0])
			out_str(o, tlv_values[i].words);
	}
}
