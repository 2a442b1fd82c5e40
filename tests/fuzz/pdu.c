#include <stdlib.h>

#include "check.h"
#include "smscope/pdu.h"

/*
 * The walker, on one PDU as every protocol and dialect. The length field is written here, so that
 * what the fuzzer changes is the command and the body; of the input its first four octets do not
 * count.
 */

enum { EVERY_LENGTH = 64, LENGTHS = 48, ITEM_MAX = 8 };

static void check_tlvs(const struct pdu *pdu)
{
	struct tlv t = { 0 };
	struct span value;
	size_t at = 0, was = 0;
	int n;

	CHECK(check_inside(pdu->frame, pdu->tlvs));
	while ((n = tlv_next(pdu, &at, &t)) > 0) {
		CHECK(at >= was + 4 && at <= pdu->tlvs.n);
		CHECK(check_inside(pdu->tlvs, t.value) && t.value.n == at - was - 4);
		CHECK(pdu->frame.p + t.at == pdu->tlvs.p + was);
		CHECK(pdu_tlv(pdu, t.tag, &value));
		(void)tlv_name(t.tag);
		was = at;
	}
	CHECK(n == 0 ? at == pdu->tlvs.n : n == SM_ESHORT);
	if (pdu->err == SM_OK)
		CHECK(n == 0);
}

static void check_list(const struct pdu *pdu, const struct slot *slot, const struct pdu_field *list)
{
	struct pdu_field item[ITEM_MAX];
	size_t at = 0, was = 0;
	uint64_t count = 0;
	int n;

	while ((n = pdu_items(pdu, (enum field)list->field, &at, item, ITEM_MAX)) > 0) {
		size_t next = list->at + was;

		CHECK(at > was && at <= list->len && n <= ITEM_MAX);
		for (int i = 0; i < n; i++) {
			CHECK(item[i].at == next && item[i].text_len <= item[i].len);
			CHECK(strcmp(field_name(pdu->proto, (enum field)item[i].field), "?") != 0);
			next += item[i].len;
		}
		CHECK(next == list->at + at);
		was = at;
		count++;
	}
	CHECK(n == 0 && at == list->len);
	if (pdu->err == SM_OK)
		CHECK(count == pdu_uint(pdu, (enum field)slot->by));
}

static void check_fields(const struct pdu *pdu)
{
	size_t next = pdu->proto->header_len;

	CHECK(pdu->field_count == 0 || pdu->layout != NULL);
	for (int i = 0; i < pdu->field_count; i++) {
		const struct pdu_field *f = &pdu->fields[i];
		const struct slot *slot = pdu->layout->body;
		enum field id = (enum field)f->field;

		CHECK(f->at == next && f->len <= pdu->frame.n - f->at && f->text_len <= f->len);
		CHECK(strcmp(field_name(pdu->proto, id), "?") != 0);
		CHECK(pdu_has(pdu, id) && pdu->fields[pdu->slot_of[id] - 1].field == id);
		CHECK(check_inside(pdu->frame, pdu_text(pdu, id)));
		while (slot->field != id || slot->shape != f->shape)
			slot++;
		if (f->shape == SHAPE_LIST)
			check_list(pdu, slot, f);
		next += f->len;
	}
	/* What parsed, parsed to its last octet, and nothing was left out. */
	if (pdu->err == SM_OK)
		CHECK(pdu->frame.p + next == pdu->tlvs.p ? next + pdu->tlvs.n == pdu->frame.n
							 : next == pdu->frame.n);
}

static void check_pdu(const struct proto *p, uint8_t dialect, struct span frame)
{
	struct pdu pdu;
	uint32_t code;
	int err;

	memset(&pdu, 0xa5, sizeof(pdu));
	err = pdu_parse(&pdu, p, dialect, frame);
	CHECK(err == pdu.err && err <= 0 && pdu.err_at <= frame.n);
	CHECK(*pdu_name(&pdu) != '\0' && *dialect_name(p, pdu.dialect) != '\0');
	CHECK(err != SM_OK || pdu.layout != NULL);
	check_fields(&pdu);
	check_tlvs(&pdu);
	for (int f = F_NONE; f < F_COUNT; f++)
		CHECK(pdu.slot_of[f] <= pdu.field_count);
	(void)pdu_result(&pdu, &code);
	CHECK(role_is_ack(pdu_role(&pdu)) == role_is_ack(pdu_role_from(&pdu, SIDE_SP)));
	CHECK(role_is_ack(pdu_role(&pdu)) == role_is_ack(pdu_role_from(&pdu, SIDE_GW)));
}

/* Beginnings of the frame, all of them if it is short: with their own length, and with that of the
 * whole. */
static void check_truncations(const struct proto *p, uint8_t dialect, struct span frame)
{
	size_t step = frame.n <= EVERY_LENGTH ? 1 : 1 + frame.n / LENGTHS;

	for (size_t n = 0; n < frame.n; n += step) {
		uint8_t *part = check_copy(frame.p, n);
		struct pdu pdu;

		CHECK(pdu_parse(&pdu, p, dialect, span_of(part, n)) != SM_OK);
		check_pdu(p, dialect, span_of(part, n));
		if (n >= 4) {
			bytes_put_u32(part, (uint32_t)n);
			check_pdu(p, dialect, span_of(part, n));
		}
		free(part);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame = check_copy(data, size);
	struct span s = { frame, size };

	if (size >= 4)
		bytes_put_u32(frame, (uint32_t)size);
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		const struct dialect *d = (*p)->dialects;

		do
			check_pdu(*p, d->value, s);
		while (d++->value != 0);
		check_truncations(*p, (*p)->dialect_default, s);
	}
	free(frame);
	return 0;
}
