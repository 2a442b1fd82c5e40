#include "tools/explain.h"

/* What TLVs say. Sources: SMPP 3.4, section 5.3.2; SMPP 5.0, section 4.8.4. */

static const struct {
	uint16_t tag;
	uint8_t value;
	const char *words;
} tlv_values[] = {
	{ 0x0005, 0, "unknown" }, { 0x0005, 1, "MS display" }, { 0x0005, 2, "mobile equipment" },
	{ 0x0005, 3, "smart card 1" }, { 0x0005, 4, "external unit 1" },
	{ 0x0006, 0, "unknown" }, { 0x0006, 1, "GSM" }, { 0x0006, 2, "ANSI-136" },
	{ 0x0006, 3, "IS-95" }, { 0x0006, 4, "PDC" }, { 0x0006, 5, "PHS" }, { 0x0006, 6, "iDEN" },
	{ 0x0006, 7, "AMPS" }, { 0x0006, 8, "paging" },
	{ 0x0007, 0, "unknown" }, { 0x0007, 1, "SMS" }, { 0x0007, 2, "CSD" },
	{ 0x0007, 3, "packet data" }, { 0x0007, 4, "USSD" }, { 0x0007, 5, "CDPD" },
	{ 0x0007, 6, "DataTAC" }, { 0x0007, 7, "FLEX" }, { 0x0007, 8, "cell broadcast" },
	{ 0x0019, 0, "default" }, { 0x0019, 1, "WCMP" },
	{ 0x0201, 0, "not restricted" }, { 0x0201, 1, "restricted" }, { 0x0201, 2, "confidential" },
	{ 0x0201, 3, "secret" },
	{ 0x0202, 0x80, "NSAP, even" }, { 0x0202, 0x88, "NSAP, odd" },
	{ 0x0202, 0xa0, "user specified" },
	{ 0x020d, 0, "unspecified" }, { 0x020d, 1, "English" }, { 0x020d, 2, "French" },
	{ 0x020d, 3, "Spanish" }, { 0x020d, 4, "German" }, { 0x020d, 5, "Portuguese" },
	{ 0x0420, 0, "not set" }, { 0x0420, 1, "set" },
	{ 0x0421, 0, "not requested" }, { 0x0421, 1, "requested" },
	{ 0x0422, 0, "available" }, { 0x0422, 1, "denied" }, { 0x0422, 2, "unavailable" },
	{ 0x0425, 0, "destination unavailable" }, { 0x0425, 1, "destination address invalid" },
	{ 0x0425, 2, "permanent network error" }, { 0x0425, 3, "temporary network error" },
	{ 0x0426, 0, "no" }, { 0x0426, 1, "yes" },
	{ 0x0501, 0, "PSSD indication" }, { 0x0501, 1, "PSSR indication" },
	{ 0x0501, 2, "USSR request" }, { 0x0501, 3, "USSN request" },
	{ 0x0501, 16, "PSSD response" }, { 0x0501, 17, "PSSR response" },
	{ 0x0501, 18, "USSR confirm" }, { 0x0501, 19, "USSN confirm" },
	{ 0x0600, 0, "basic channel" }, { 0x0600, 1, "extended channel" },
	{ 0x0601, 0, "generic" }, { 0x0601, 1, "GSM" }, { 0x0601, 2, "TDMA" },
	{ 0x0601, 3, "CDMA" },
	{ 0x0603, 0, "no class" }, { 0x0603, 1, "class 1" }, { 0x0603, 2, "class 2" },
	{ 0x0603, 3, "class 3" },
	{ 0x0605, 0, "as often as possible" }, { 0x0605, 8, "seconds" }, { 0x0605, 9, "minutes" },
	{ 0x0605, 10, "hours" }, { 0x0605, 11, "days" }, { 0x0605, 12, "weeks" },
	{ 0x0605, 13, "months" }, { 0x0605, 14, "years" },
	{ 0x0606, 0, "name" }, { 0x0606, 1, "ellipsoid arc" }, { 0x0606, 2, "polygon" },
	{ 0x0608, 255, "not known" },
	{ 0x0611, 0, "no query was made" }, { 0x0611, 1, "queried, not ported" },
	{ 0x0611, 2, "queried, ported" },
	{ 0x1201, 0, "temporary" }, { 0x1201, 1, "default" }, { 0x1201, 2, "invoke" },
	{ 0x1204, 0, "store" }, { 0x1204, 1, "until power down" },
	{ 0x1204, 2, "registration area" }, { 0x1204, 3, "display only" },
	{ 0x1204, 4, "relative" },
	{ 0x130c, 0, "default" }, { 0x130c, 1, "low" }, { 0x130c, 2, "medium" },
	{ 0x130c, 3, "high" },
	{ 0x1380, 0, "digit" }, { 0x1380, 1, "number" }, { 0x1380, 2, "telephone number" },
	{ 0x1380, 3, "password" }, { 0x1380, 4, "character line" }, { 0x1380, 5, "menu" },
	{ 0x1380, 6, "date" }, { 0x1380, 7, "time" }, { 0x1380, 8, "continue" },
};

/* Of a value whose first octet is one of a list. The source's tags share the destination's. */
static void note_listed(struct out *o, uint16_t tag, uint8_t value)
{
	if (tag >= 0x000d && tag <= 0x000f)
		tag = (uint16_t)(tag - 8);
	if (tag == 0x0203)
		tag = 0x0202;
	for (size_t i = 0; i < sizeof(tlv_values) / sizeof(*tlv_values); i++) {
		if (tlv_values[i].tag == tag && tlv_values[i].value == value)
			out_str(o, tlv_values[i].words);
	}
}

/* Source: SMPP 5.0, section 4.8.4.36; three ASCII digits are seen, no network type is 0x30. */
static void note_network_error(struct out *o, struct span v)
{
	static const char *const types[] = {
		NULL, "ANSI-136 access denied", "IS-95 access denied", "GSM", "ANSI-136 cause",
		"IS-95 cause", "ANSI-41", "SMPP", "SMSC specific",
	};
	size_t digits = 0;

	while (digits < v.n && v.p[digits] >= '0' && v.p[digits] <= '9')
		digits++;
	if (digits == v.n)
		out_fmt(o, "the digits %.3s", (const char *)v.p);
	else
		out_fmt(o, "%s, error %u",
			v.p[0] > 0 && v.p[0] < 9 ? types[v.p[0]] : "unknown network",
			(unsigned)(v.p[1] << 8 | v.p[2]));
}

/* Source: SMPP 5.0, section 4.8.4.18. */
static const char *congestion(uint8_t v)
{
	return v == 0 ? "idle" : v < 30 ? "low" : v < 50 ? "medium" : v < 80 ? "high"
		: v < 90 ? "optimum" : v < 100 ? "nearly congested"
		: v == 100 ? "congested" : "reserved";
}

/* Digit mode, type of number, numbering plan, digits. Source: SMPP 3.4, section 5.3.2.36. */
static void note_callback(struct out *o, struct span v)
{
	out_fmt(o, "%s, ton %u, npi %u, \"", v.p[0] == 0 ? "DTMF" : "ASCII", v.p[1], v.p[2]);
	text_escape(o, span_of(v.p + 3, v.n - 3), false);
	out_char(o, '"');
}

/* Values that are no list, of the right length. */
static void note_value(struct out *o, uint16_t tag, struct span v)
{
	static const char *const waiting[] = { "voice mail", "fax", "e-mail", "other" };
	static const char *const shown[] = { "allowed", "restricted", "not available", "reserved" };
	static const char *const screened[] = { "not screened", "verified and passed",
		"verified and failed", "by the network" };

	switch (tag) {
	case 0x0030:
		out_fmt(o, "%s, %s", waiting[v.p[0] & 3], v.p[0] & 0x80 ? "active" : "inactive");
		break;
	case 0x0302:
		out_fmt(o, "presentation %s, number %s", shown[v.p[0] >> 2 & 3],
			screened[v.p[0] & 3]);
		break;
	case 0x0017: out_str(o, "seconds"); break;
	case 0x0210: note_version(o, &proto_smpp, v.p[0]); break;
	case 0x0381: note_callback(o, v); break;
	case 0x0423: note_network_error(o, v); break;
	case 0x0427: note_state(o, v.p[0]); break;
	case 0x0428: out_str(o, congestion(v.p[0])); break;
	case 0x0601: out_fmt(o, ", service %u", (unsigned)(v.p[1] << 8 | v.p[2])); break;
	case 0x0605: out_fmt(o, ": %u", (unsigned)(v.p[1] << 8 | v.p[2])); break;
	case 0x0608: out_str(o, v.p[0] <= 100 ? "percent" : ""); break;
	case 0x0609: note_time(o, span_of(v.p, 16)); break;
	case 0x1383:
		out_fmt(o, "session %u, sequence %u%s", v.p[0], v.p[1] >> 1,
			v.p[1] & 1 ? ", end" : "");
		break;
	default: break;
	}
}

/* Tags that no specification lists: 0x1002 for 0x0210 is seen. Source: SMPP 3.4, section 5.3. */
static void note_unknown(struct out *o, uint16_t tag)
{
	uint16_t swapped = (uint16_t)(tag << 8 | tag >> 8);

	if (tlv_name(swapped) != NULL)
		out_fmt(o, "0x%04x %s with its octets swapped?", swapped, tlv_name(swapped));
	else
		out_str(o, tag >= 0x1400 && tag <= 0x3fff ? "SMSC vendor specific" : "reserved");
}

void note_tlv(struct out *o, const struct tlv *t)
{
	const struct tlv_kind *k = tlv_kind(t->tag);

	if (k == NULL) {
		note_unknown(o, t->tag);
	} else if (t->value.n < k->len_min || t->value.n > k->len_max) {
		out_fmt(o, "%zu octet%s, the specification has %u", t->value.n,
			t->value.n == 1 ? "" : "s", k->len_min);
		if (k->len_max != k->len_min)
			out_fmt(o, " to %u", k->len_max);
	} else if (t->value.n > 0) {
		note_listed(o, t->tag, t->value.p[0]);
		note_value(o, t->tag, t->value);
	}
}
