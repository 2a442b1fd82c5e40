#include "smscope/body.h"

/*
 * A message may begin with a user data header:
 *     1 UDHL: octets that follow | elements: 1 IEI | 1 IEDL | data … | text
 * Sources: 3GPP TS 23.040, section 9.2.3.24; SMPP 3.4, section 5.2.12 (esm_class); CMPP 3.0,
 * section 8.4.3.1 (TP_udhi).
 */

enum { TAG_SAR_REFERENCE = 0x020c, TAG_SAR_TOTAL = 0x020e, TAG_SAR_PART = 0x020f,
	TAG_PAYLOAD = 0x0424 };
enum { IE_PARTS_8 = 0x00, IE_PARTS_16 = 0x08, IE_SINGLE_SHIFT = 0x24, IE_LOCKING_SHIFT = 0x25 };
enum { ESM_UDHI = 0x40 };

int udh_next(struct span udh, size_t *at, struct udh_element *ret)
{
	struct reader r = reader_of(udh);
	struct udh_element e;

	reader_take(&r, *at > 0 ? *at : 1);
	if (r.err == SM_OK && r.pos == r.end)
		return 0;
	e.id = (uint8_t)reader_uint(&r, 1);
	e.data = reader_take(&r, (size_t)reader_uint(&r, 1));
	if (r.err != SM_OK)
		return r.err;
	*at = reader_at(&r);
	*ret = e;
	return 1;
}

static bool makes_sense(uint64_t part, uint64_t total)
{
	return part > 0 && part <= total;
}

bool udh_part(const struct udh_element *e, uint32_t *ret_reference, uint32_t *ret_part,
	uint32_t *ret_total)
{
	size_t width = e->id == IE_PARTS_8 ? 1 : 2;
	const uint8_t *end = e->data.p + e->data.n;

	if ((e->id != IE_PARTS_8 && e->id != IE_PARTS_16) || e->data.n != width + 2 ||
	    !makes_sense(end[-1], end[-2]))
		return false;
	*ret_reference = (uint32_t)span_uint(span_of(e->data.p, width));
	*ret_total = end[-2];
	*ret_part = end[-1];
	return true;
}

/* Of an element that stands twice the last one counts. False: the header is not what it says. */
static bool read_udh(struct body *b)
{
	struct body now = *b;
	struct udh_element e;
	size_t at = 0;
	int got;

	if (b->octets.p[0] >= b->octets.n)
		return false;
	now.udh = span_of(b->octets.p, 1u + b->octets.p[0]);
	now.text = span_of(now.udh.p + now.udh.n, b->octets.n - now.udh.n);
	while ((got = udh_next(now.udh, &at, &e)) > 0) {
		if (udh_part(&e, &now.reference, &now.part, &now.total))
			now.source = PART_HEADER;
		else if (e.id == IE_SINGLE_SHIFT && e.data.n == 1)
			now.single_shift = e.data.p[0];
		else if (e.id == IE_LOCKING_SHIFT && e.data.n == 1)
			now.locking_shift = e.data.p[0];
	}
	if (got < 0)
		return false;
	*b = now;
	return true;
}

static void take_part(struct body *b, enum part_source source, uint64_t reference, uint64_t part,
	uint64_t total)
{
	if (total > UINT8_MAX || !makes_sense(part, total))
		return;
	if (b->source != PART_NONE) {
		b->disagree = total > 1 && (part != b->part || total != b->total);
		return;
	}
	b->source = source;
	b->reference = (uint32_t)reference;
	b->part = (uint32_t)part;
	b->total = (uint32_t)total;
}

/* What the TLVs say of the message; of a repeated one the first. */
static void read_tlvs(const struct pdu *pdu, struct span sar[3], struct span *ret_payload)
{
	static const uint16_t tags[] = { TAG_SAR_REFERENCE, TAG_SAR_PART, TAG_SAR_TOTAL };
	struct tlv t;
	size_t at = 0;

	while (tlv_next(pdu, &at, &t) > 0) {
		if (t.tag == TAG_PAYLOAD && ret_payload->n == 0)
			*ret_payload = t.value;
		for (size_t i = 0; i < 3; i++) {
			if (t.tag == tags[i] && sar[i].n == 0)
				sar[i] = t.value;
		}
	}
}

void body_read(const struct pdu *pdu, struct body *ret)
{
	struct span none = { pdu->frame.p, 0 }, sar[3] = { none, none, none }, payload = none;
	bool udhi = (pdu_uint(pdu, F_ESM_CLASS) & ESM_UDHI) != 0 || pdu_uint(pdu, F_TP_UDHI) != 0;

	memset(ret, 0, sizeof(*ret));
	read_tlvs(pdu, sar, &payload);
	ret->octets = pdu_octets(pdu, F_SHORT_MESSAGE);
	if (ret->octets.n == 0)
		ret->octets = payload;
	ret->udh = span_of(ret->octets.p, 0);
	ret->text = ret->octets;
	ret->charset = text_charset(pdu->proto->name, (uint8_t)pdu_uint(pdu, F_DATA_CODING));
	if (udhi && ret->octets.n > 0 && !read_udh(ret)) {
		ret->udh_broken = true;
		ret->charset = CHARSET_BINARY;
	}
	take_part(ret, PART_TLVS, span_uint(sar[0]), span_uint(sar[1]), span_uint(sar[2]));
	take_part(ret, PART_FIELDS, 0, pdu_uint(pdu, F_PK_NUMBER), pdu_uint(pdu, F_PK_TOTAL));
}
