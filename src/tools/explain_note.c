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
	{ F_FEE_TERMINAL_USER_TYPE, 0, "GoTone" }, { F_FEE_TERMINAL_USER_TYPE, 1, "prepaid" },
	{ F_SRC_USER_TYPE, 0, "GoTone" }, { F_SRC_USER_TYPE, 1, "prepaid" },
	{ F_DEST_USER_TYPE, 0, "GoTone" }, { F_DEST_USER_TYPE, 1, "prepaid" },
	{ F_PRIORITY_FLAG, 1, "GSM: priority; ANSI-136: normal; IS-95: interactive" },
	{ F_PRIORITY_FLAG, 2, "GSM: priority; ANSI-136: urgent; IS-95: urgent" },
	{ F_PRIORITY_FLAG, 3, "GSM: priority; ANSI-136: very urgent; IS-95: emergency" },
	{ F_PRIORITY_FLAG, 4, "GSM cell broadcast: background (5.0)" },
	{ F_REPLACE_IF_PRESENT_FLAG, 1, "replaces a message of the same service, from and to" },
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

/* The mode counts on the way to the SMSC only. */
static void note_esm_class(struct out *o, uint64_t v, bool deliver)
{
	static const char *const modes[] = { "default mode", "datagram", "forward",
		"store and forward" };

	if (!deliver)
		add(o, modes[v & 3]);
	switch (v & 0x3c) {
	case 0x00: add(o, deliver ? "a message" : "default type"); break;
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

void note_version(struct out *o, const struct proto *p, uint64_t v)
{
	const struct dialect *d = p->dialects;

	while (d->value != 0 && d->value != v)
		d++;
	if (p == &proto_smpp && v < 0x33)
		out_str(o, "3.3 or earlier");
	else
		out_fmt(o, d->value != 0 ? "%u.%u" : "%u.%u, which nobody specified",
			(unsigned)v >> 4, (unsigned)v & 15);
}

/* Source: SMPP 5.0, section 4.7.15. */
void note_state(struct out *o, uint64_t state)
{
	static const char *const states[] = {
		"SCHEDULED, not final", "ENROUTE, not final", "DELIVERED, final", "EXPIRED, final",
		"DELETED, final", "UNDELIVERABLE, final",
		"ACCEPTED, final by the specification, an interim state from many gateways",
		"UNKNOWN", "REJECTED, final", "SKIPPED, final",
	};

	if (state < sizeof(states) / sizeof(*states))
		out_str(o, states[state]);
}

/* Source: SMPP 3.4, section 5.2.19; 3GPP TS 23.038, section 4. */
static void note_data_coding(struct out *o, const struct proto *p, uint8_t v)
{
	static const char *const names[] = {
		[0x00] = "SMSC default alphabet, read as ", [0x02] = "8-bit ",
		[0x05] = "JIS X 0208-1990, shown as octets: ", [0x06] = "Cyrillic, ",
		[0x07] = "Hebrew, ", [0x09] = "pictogram, shown as octets: ",
		[0x0a] = "music codes, ", [0x0b] = "reserved: ", [0x0c] = "reserved: ",
		[0x0d] = "JIS X 0212-1990, shown as octets: ",
		[0x0f] = "reserved, in China ",
	};
	const char *name = NULL;

	if (p == &proto_smpp && v < sizeof(names) / sizeof(*names))
		name = names[v];
	else if (p == &proto_smpp && v >= 0xc0 && v < 0xf0)
		name = "message waiting indication, ";
	else if (p != &proto_smpp && v == 3)
		name = "SIM write, ";
	if (name != NULL)
		out_str(o, name);
	else if (v >= 0xf0)
		out_fmt(o, "message class %u, ", v & 3u);
	else if (p == &proto_smpp && v >= 0x10 && v < 0x20)
		out_fmt(o, "message class %u, ", v & 3u);
	out_str(o, text_charset_name(text_charset(p->name, v)));
}

/* Text fields whose values are listed. Source: CMPP 3.0, section 8.4.3.1; SMPP 5.0, 4.7.25. */
static void note_text(struct out *o, const struct pdu *pdu, const struct pdu_field *f)
{
	static const struct {
		uint8_t field;
		const char *value, *words;
	} listed[] = {
		{ F_FEE_TYPE, "01", "free" }, { F_FEE_TYPE, "02", "per message" },
		{ F_FEE_TYPE, "03", "monthly" }, { F_FEE_TYPE, "04", "capped (2.0)" },
		{ F_FEE_TYPE, "05", "fee handled by the SP (2.0)" },
		{ F_FEE_TYPE, "06", "monthly query (FWD, 3.0)" },
		{ F_SERVICE_TYPE, "CMT", "cellular messaging" },
		{ F_SERVICE_TYPE, "CPT", "cellular paging" },
		{ F_SERVICE_TYPE, "VMN", "voice mail notification" },
		{ F_SERVICE_TYPE, "VMA", "voice mail alerting" },
		{ F_SERVICE_TYPE, "WAP", "WAP" }, { F_SERVICE_TYPE, "USSD", "USSD" },
		{ F_SERVICE_TYPE, "CBS", "cell broadcast (5.0)" },
		{ F_SERVICE_TYPE, "GUTS", "generic UDP transport (5.0)" },
	};
	struct span s = span_of(pdu->frame.p + f->at, f->text_len);

	if (f->field == F_SCHEDULE_DELIVERY_TIME || f->field == F_VALIDITY_PERIOD ||
	    f->field == F_FINAL_DATE)
		note_time(o, s);
	for (size_t i = 0; i < sizeof(listed) / sizeof(*listed); i++) {
		if (listed[i].field == f->field && strlen(listed[i].value) == s.n &&
		    memcmp(listed[i].value, s.p, s.n) == 0)
			out_str(o, listed[i].words);
	}
}

static bool note_smpp_field(struct out *o, enum field f, uint64_t v, bool deliver)
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
		note_state(o, v);
		return true;
	case F_ESM_CLASS:
		note_esm_class(o, v, deliver);
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
		note_data_coding(o, pdu->proto, (uint8_t)v);
	} else if (f->shape == SHAPE_CSTR || f->shape == SHAPE_OCTETS) {
		note_text(o, pdu, f);
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
		   (pdu->proto != &proto_smpp || !note_smpp_field(o, (enum field)f->field, v,
		    pdu_role(pdu) == R_DELIVER))) {
		for (size_t i = 0; i < sizeof(field_values) / sizeof(*field_values); i++) {
			if (field_values[i].field == f->field && field_values[i].value == v)
				out_str(o, field_values[i].words);
		}
	}
}
