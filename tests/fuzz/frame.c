#include <stdlib.h>

#include "check.h"
#include "smscope/pdu.h"

/*
 * A stream of one direction, cut into PDUs as the relay does it, and what the relay asks of a
 * login: whose it is, in which dialect, what refuses it, which of its octets are secret.
 */

enum { REFUSAL_MAX = 64 };

static void check_foreign(struct span in)
{
	const char *name = proto_foreign(in);
	uint8_t *head;

	if (name == NULL)
		return;
	/* What is foreign is so by its first octets, and is no length of ours. */
	head = check_copy(in.p, in.n < 4 ? in.n : 4);
	CHECK(proto_foreign(span_of(head, in.n < 4 ? in.n : 4)) == name);
	free(head);
	for (const struct proto *const *p = proto_all(); *p != NULL && in.n >= 4; p++)
		CHECK(proto_frame(in, (*p)->header_len, (*p)->max_pdu) == SM_ELEN);
}

static void check_refusal(const struct proto *p, struct span frame, int reason)
{
	uint8_t whole[REFUSAL_MAX];
	int n = p->refuse(frame, reason, whole, sizeof(whole));
	uint32_t code = 0;
	struct pdu pdu;

	if (n < 0) {
		CHECK(n == SM_ECMD && p->login_fit(frame) == 0);
		return;
	}
	CHECK((size_t)n <= sizeof(whole));
	CHECK(proto_frame(span_of(whole, (size_t)n), p->header_len, p->max_pdu) == n);
	CHECK(pdu_parse(&pdu, p, p->dialect_default, span_of(whole, (size_t)n)) == SM_OK);
	CHECK(pdu_role(&pdu) == R_LOGIN_ACK && pdu_result(&pdu, &code) && code != 0);
	CHECK(pdu.command == (bytes_u32(frame.p + 4) | 0x80000000u));
	CHECK(pdu.sequence == bytes_u32(frame.p + p->header_len - 4));
	for (int cap = 0; cap < n; cap++) {
		uint8_t *to = malloc((size_t)cap);

		CHECK(p->refuse(frame, reason, to, (size_t)cap) == SM_ELEN);
		free(to);
	}
}

static void check_login(const struct proto *p, struct span frame)
{
	const struct proto *found = proto_detect(frame);

	CHECK(p->login_fit(frame) >= 0);
	CHECK(found == NULL ? p->login_fit(frame) == 0
			    : found->login_fit(frame) >= p->login_fit(frame));
	for (const struct dialect *d = p->dialects; d->value != 0; d++) {
		uint8_t proved = p->dialect_of(frame, d->value);

		/* A login proves the same whatever was thought before, or nothing. */
		CHECK(proved == d->value || dialect_name(p, proved) != dialect_name(p, 0));
	}
	for (int reason = REFUSE_UPSTREAM; reason <= REFUSE_DENIED; reason++)
		check_refusal(p, frame, reason);
}

static bool all_are(struct span s, uint8_t octet)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != octet)
			return false;
	}
	return true;
}

/* Same fields at the same places; nothing changed but secrets, and those are gone. */
static void check_scrubbed(const struct pdu *was, const struct pdu *is)
{
	CHECK(is->err == SM_OK && is->layout == was->layout && is->field_count == was->field_count);
	CHECK(is->tlvs.n == was->tlvs.n && memcmp(is->tlvs.p, was->tlvs.p, is->tlvs.n) == 0);
	for (int i = 0; i < is->field_count; i++) {
		const struct pdu_field *a = &was->fields[i], *b = &is->fields[i];
		struct span s = span_of(is->frame.p + b->at, b->text_len);

		CHECK(a->field == b->field && a->at == b->at && a->len == b->len);
		if (field_secret((enum field)b->field))
			CHECK(all_are(s, b->shape == SHAPE_CSTR ? '*' : 0));
		else
			CHECK(memcmp(was->frame.p + a->at, is->frame.p + b->at, b->len) == 0);
	}
}

static void check_scrub(const struct proto *p, struct span frame)
{
	uint8_t *copy;
	struct pdu was, is;
	size_t head = frame.n < p->header_len ? frame.n : p->header_len;

	if (frame.n < 8 || !proto_secret(p, bytes_u32(frame.p + 4)))
		return;
	copy = check_copy(frame.p, frame.n);
	proto_scrub(p, copy, frame.n);
	CHECK(memcmp(copy, frame.p, head) == 0);
	(void)pdu_parse(&was, p, p->dialect_default, frame);
	(void)pdu_parse(&is, p, p->dialect_default, span_of(copy, frame.n));
	if (was.err == SM_OK)
		check_scrubbed(&was, &is);
	else
		CHECK(all_are(span_of(copy + head, frame.n - head), 0));
	free(copy);
}

static void check_frame(const struct proto *p, struct span frame)
{
	check_login(p, frame);
	check_scrub(p, frame);
	/* Of a PDU that is too long for it the ring has the beginning. */
	check_scrub(p, span_of(frame.p, frame.n / 2));
}

static void check_stream(const struct proto *p, struct span in)
{
	int64_t len;

	while ((len = proto_frame(in, p->header_len, p->max_pdu)) > 0) {
		uint8_t *frame;

		CHECK(len >= p->header_len && len <= p->max_pdu && (size_t)len <= in.n);
		for (size_t part = 0; part < 8 && part < (size_t)len; part++)
			CHECK(proto_frame(span_of(in.p, part), p->header_len, p->max_pdu) == 0);
		CHECK(proto_frame(span_of(in.p, (size_t)len - 1), p->header_len, p->max_pdu) == 0);
		frame = check_copy(in.p, (size_t)len);
		check_frame(p, span_of(frame, (size_t)len));
		free(frame);
		check_take(&in, (size_t)len);
	}
	CHECK(len == 0 || (len == SM_ELEN && in.n >= 4));
	CHECK(len != 0 || in.n < 4 || in.n < bytes_u32(in.p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *whole = check_copy(data, size);

	check_foreign(span_of(whole, size));
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		check_stream(*p, span_of(data, size));
		if (size < (*p)->header_len || size > (*p)->max_pdu)
			continue;
		/* The same octets as one PDU, with the length that it has. */
		bytes_put_u32(whole, (uint32_t)size);
		check_frame(*p, span_of(whole, size));
	}
	free(whole);
	return 0;
}
