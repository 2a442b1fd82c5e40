#include "core/scope_message.h"

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

void message_put(struct record *r, const struct body *body, bool show_text)
{
	r->has_body = true;
	r->charset = body->charset;
	r->body_len = (uint32_t)body->text.n;
	r->has_text = show_text;
	if (r->has_text)
		r->body = body->text;
}
