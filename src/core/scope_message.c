#include "core/scope_message.h"

enum { TAG_SAR_TOTAL = 0x020e, TAG_SAR_NUMBER = 0x020f, TAG_MESSAGE_PAYLOAD = 0x0424 };
enum { ESM_UDHI = 0x40 };

struct span message_destination(const struct pdu *pdu, uint32_t *ret_count)
{
	static const uint8_t lists[] = { F_DEST_TERMINAL_ID, F_DEST_ADDRESS };
	struct span s = pdu_text(pdu, F_DESTINATION_ADDR);
	struct pdu_field item[4];

	*ret_count = 1;
	if (s.n > 0)
		return s;
	for (size_t i = 0; i < sizeof(lists); i++) {
		size_t at = 0;
		int n;

		if (!pdu_has(pdu, (enum field)lists[i]))
			continue;
		*ret_count = (uint32_t)pdu_uint(pdu, F_DEST_COUNT);
		n = pdu_items(pdu, (enum field)lists[i], &at, item, 4);
		if (n > 0)
			return span_of(pdu->frame.p + item[n - 1].at, item[n - 1].text_len);
	}
	return pdu_text(pdu, F_DEST_ID);
}

struct span message_source(const struct pdu *pdu)
{
	static const uint8_t fields[] = { F_SOURCE_ADDR, F_SRC_TERMINAL_ID, F_SRC_ID };

	for (size_t i = 0; i < sizeof(fields); i++) {
		if (pdu_has(pdu, (enum field)fields[i]))
			return pdu_text(pdu, (enum field)fields[i]);
	}
	return span_of("", 0);
}

static void put_part(struct scope_work *w, struct record *r, uint64_t number, uint64_t total)
{
	struct out o = out_of(w->part, sizeof(w->part));

	if (total <= 1)
		return;
	out_dec(&o, number);
	out_char(&o, '/');
	out_dec(&o, total);
	record_text_extra(r, "part", span_of(w->part, out_len(&o)));
}

/*
 * The user data header at the head of `body`: its own length, then elements of an id, a length and
 * octets. False if it or an element says more than is there: then nobody knows where text begins.
 * Source: 3GPP TS 23.040, section 9.2.3.24.
 */
static bool split_udh(struct span body, struct span *ret_udh, struct span *ret_text)
{
	struct span udh;

	if (body.n == 0 || body.p[0] >= body.n)
		return false;
	udh = span_of(body.p + 1, body.p[0]);
	for (size_t at = 0; udh.n - at >= 2; at += 2u + udh.p[at + 1]) {
		if (udh.p[at + 1] > udh.n - at - 2)
			return false;
	}
	*ret_udh = udh;
	*ret_text = span_of(udh.p + udh.n, body.n - 1 - udh.n);
	return true;
}

/* Part of a long message: 00 03 ref total part, or 08 04 ref ref total part. */
static bool put_udh_part(struct scope_work *w, struct record *r, struct span udh)
{
	for (size_t at = 0; udh.n - at >= 2; at += 2u + udh.p[at + 1]) {
		const uint8_t *ie = udh.p + at;

		if ((ie[0] == 0 && ie[1] == 3) || (ie[0] == 8 && ie[1] == 4)) {
			put_part(w, r, ie[1 + ie[1]], ie[ie[1]]);
			return true;
		}
	}
	return false;
}

void message_put(struct record *r, struct scope_work *w, bool show_text)
{
	const struct pdu *pdu = &w->pdu;
	struct span body = pdu_octets(pdu, F_SHORT_MESSAGE), total, number, udh;
	bool udhi = pdu->proto->status_in_header ? (pdu_uint(pdu, F_ESM_CLASS) & ESM_UDHI) != 0
					       : pdu_uint(pdu, F_TP_UDHI) != 0;
	bool part = false;

	r->charset = text_charset(pdu->proto->name, (uint8_t)pdu_uint(pdu, F_DATA_CODING));
	if (body.n == 0 && !pdu_tlv(pdu, TAG_MESSAGE_PAYLOAD, &body))
		body = span_of(pdu->frame.p, 0);
	if (udhi && split_udh(body, &udh, &body))
		part = put_udh_part(w, r, udh);
	else if (udhi && body.n > 0)
		r->charset = CHARSET_BINARY;
	if (!part && pdu_has(pdu, F_PK_TOTAL))
		put_part(w, r, pdu_uint(pdu, F_PK_NUMBER), pdu_uint(pdu, F_PK_TOTAL));
	else if (!part && pdu_tlv(pdu, TAG_SAR_TOTAL, &total) &&
		 pdu_tlv(pdu, TAG_SAR_NUMBER, &number))
		put_part(w, r, span_uint(number), span_uint(total));
	r->has_body = true;
	r->body_len = (uint32_t)body.n;
	r->has_text = show_text;
	if (r->has_text)
		r->body = body;
}
