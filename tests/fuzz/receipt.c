#include <stdlib.h>

#include "check.h"
#include "smscope/receipt.h"
#include "smscope/text.h"

/*
 * The reader of reports. The input becomes the message of a PDU that is put together here:
 *
 *     1 which PDU: see build() | 1 flags | 1 octets of TLVs, modulo 64 | TLVs | text
 *
 * flags, of SMPP: bits 0..3 the esm_class's type, bit 6 a user data header; of CMPP: bit 0
 * Registered_Delivery. Printable octets will do: "d1@id:7 stat:DELIVRD" is a deliver_sm with a
 * receipt's esm_class and no TLVs.
 */

enum { FRAME_MAX = 70000, SM_MAX = 254, CMPP_MAX = 255 };

struct input {
	uint8_t which, flags;
	struct span tlvs, text;
};

/* A PDU being written. */
struct frame {
	uint8_t *p;
	size_t n;
};

static void put(struct frame *f, const void *p, size_t n)
{
	CHECK(n <= FRAME_MAX - f->n);
	if (n > 0)
		memcpy(f->p + f->n, p, n);
	f->n += n;
}

static void put_octet(struct frame *f, size_t v)
{
	put(f, (const uint8_t[]){ (uint8_t)v }, 1);
}

static void put_zeros(struct frame *f, size_t n)
{
	while (n-- > 0)
		put_octet(f, 0);
}

static void put_header(struct frame *f, uint32_t command, size_t len)
{
	f->n = 0;
	put_zeros(f, len);
	bytes_put_u32(f->p + 4, command);
	f->p[len - 1] = 7;
}

/* Layouts: CMPP 2.0, section 7.4.5.1; CMPP 3.0, section 8.4.5.1. */
static void build_cmpp(struct frame *f, const struct input *in, bool v3)
{
	size_t n = in->text.n < CMPP_MAX ? in->text.n : CMPP_MAX;

	put_header(f, 5, 12);
	put_zeros(f, 8 + 21 + 10 + 1 + 1 + 1);
	put_zeros(f, v3 ? 33 : 21);
	put_octet(f, in->flags & 1);
	put_octet(f, n);
	put(f, in->text.p, n);
	put_zeros(f, v3 ? 20 : 8);
}

/* A FWD 2.0 to one destination; bits 0..1 of the flags are Msg_Fwd_Type. Layout: CMPP 3.0,
 * section 8.4.8.1. */
static void build_fwd(struct frame *f, const struct input *in)
{
	size_t n = in->text.n < CMPP_MAX ? in->text.n : CMPP_MAX;

	put_header(f, 9, 12);
	put_zeros(f, 6 + 6 + 1);
	put_octet(f, in->flags & 3);
	put_zeros(f, 8 + 1 + 1 + 1 + 1 + 10 + 1 + 21 + 1 + 1 + 1 + 6 + 2 + 6 + 17 + 17 + 21);
	put_octet(f, 1);
	put_zeros(f, 21);
	put_octet(f, n);
	put(f, in->text.p, n);
	put_zeros(f, 8);
}

static unsigned esm_class(const struct input *in)
{
	return (in->flags & 0x0fu) << 2 | (in->flags & 0x40u);
}

static void put_payload(struct frame *f, struct span text)
{
	put(f, (const uint8_t[]){ 0x04, 0x24, (uint8_t)(text.n >> 8), (uint8_t)text.n }, 4);
	put(f, text.p, text.n);
}

/* Layout: SMPP 3.4, section 4.6.1; the text is the short_message or, `payload`, a TLV. */
static void build_deliver_sm(struct frame *f, const struct input *in, bool payload)
{
	put_header(f, 5, 16);
	put(f,
		"\0\1\1"
		"8613800138000\0"
		"\1\1"
		"10086",
		25);
	put_octet(f, esm_class(in));
	put_zeros(f, 2 + 1 + 1 + 1 + 1 + 1 + 1);
	put_octet(f, payload ? 0 : in->text.n);
	if (payload)
		put_payload(f, in->text);
	else
		put(f, in->text.p, in->text.n);
	put(f, in->tlvs.p, in->tlvs.n);
}

/* Layout: SMPP 3.4, section 4.7.1. */
static void build_data_sm(struct frame *f, const struct input *in)
{
	put_header(f, 0x103, 16);
	put(f,
		"\0\1\1"
		"8613800138000\0"
		"\1\1"
		"10086",
		25);
	put_octet(f, esm_class(in));
	put_zeros(f, 2);
	put_payload(f, in->text);
	put(f, in->tlvs.p, in->tlvs.n);
}

/* Inside the frame, or inside the store where the text was decoded. */
static void check_span(const struct pdu *pdu, const struct receipt *r, struct span s)
{
	CHECK(check_inside(pdu->frame, s) || check_inside(span_of(r->store, r->store_len), s));
}

static void check_receipt(const struct pdu *pdu, const struct receipt *r, enum receipt_kind kind)
{
	const char *word = receipt_state_word(r->state);

	CHECK(r->kind == kind && r->store_len <= sizeof(r->store));
	CHECK(r->state >= -1 && r->state <= 9 && (word != NULL) == (r->state >= 0));
	check_utf8(r->store, r->store_len);
	check_span(pdu, r, r->raw);
	check_span(pdu, r, r->id);
	check_span(pdu, r, r->err);
	check_span(pdu, r, r->submit_date);
	check_span(pdu, r, r->done_date);
	check_span(pdu, r, r->dst);
	check_span(pdu, r, r->text);
	if (word == NULL || r->stat.p != (const uint8_t *)word)
		check_span(pdu, r, r->stat);
	CHECK(kind != RECEIPT_NONE || (r->id.n == 0 && r->stat.n == 0 && r->err.n == 0));
	CHECK(!r->id_binary || r->id.n == 8);
	CHECK(!r->undecodable || (r->id.n == 0 && r->stat.n == 0));
}

static enum receipt_kind read_frame(
	const struct proto *p, struct frame *f, struct pdu *pdu, struct receipt *ret)
{
	enum receipt_kind kind;

	bytes_put_u32(f->p, (uint32_t)f->n);
	f->p = realloc(f->p, f->n); /* to its size: what lies behind it is out of bounds */
	CHECK(f->p != NULL);
	(void)pdu_parse(pdu, p, p->dialect_default, span_of(f->p, f->n));
	memset(ret, 0xa5, sizeof(*ret));
	kind = receipt_read(pdu, ret);
	check_receipt(pdu, ret, kind);
	return kind;
}

static enum receipt_kind build(
	const struct input *in, struct frame *f, struct pdu *pdu, struct receipt *ret)
{
	f->p = malloc(FRAME_MAX);
	CHECK(f->p != NULL);
	switch (in->which) {
	case '2':
		build_cmpp(f, in, false);
		return read_frame(&proto_cmpp, f, pdu, ret);
	case '3':
		build_cmpp(f, in, true);
		return read_frame(&proto_cmpp, f, pdu, ret);
	case 'f':
		build_fwd(f, in);
		return read_frame(&proto_cmpp, f, pdu, ret);
	case 't':
		build_data_sm(f, in);
		return read_frame(&proto_smpp, f, pdu, ret);
	case 'p':
		build_deliver_sm(f, in, true);
		return read_frame(&proto_smpp, f, pdu, ret);
	default:
		build_deliver_sm(f, in, in->text.n > SM_MAX);
		return read_frame(&proto_smpp, f, pdu, ret);
	}
}

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* The same text says the same in a short_message, in a message_payload and in a data_sm. */
static void check_carriers(struct input in)
{
	struct frame a, b;
	struct receipt x, y;
	struct pdu pdu;

	in.which = 'd';
	(void)build(&in, &a, &pdu, &x);
	for (const char *which = "pt"; *which != '\0'; which++) {
		in.which = (uint8_t)*which;
		(void)build(&in, &b, &pdu, &y);
		CHECK(x.kind == y.kind && x.state == y.state && x.conflict == y.conflict);
		CHECK(same(x.id, y.id) && same(x.stat, y.stat) && same(x.err, y.err) &&
			same(x.text, y.text));
		CHECK(same(x.submit_date, y.submit_date) && same(x.done_date, y.done_date));
		free(b.p);
	}
	free(a.p);
}

static void check_msgid(struct span s)
{
	char whole[64];
	size_t n = msgid_text(span_uint(s), whole, sizeof(whole));

	CHECK(n >= 14 && n <= 32);
	for (size_t i = 0; i < n; i++)
		CHECK(strchr("0123456789ABCDEF-", whole[i]) != NULL && whole[i] != '\0');
	for (size_t cap = 0; cap < n; cap++) {
		char *part = (char *)check_copy(whole, cap);

		CHECK(msgid_text(span_uint(s), part, cap) == cap && memcmp(part, whole, cap) == 0);
		free(part);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { data, size < 60000 ? size : 60000 };
	struct input in;
	struct frame f;
	struct pdu pdu;
	struct receipt r;

	in.which = check_octet(&rest);
	in.flags = check_octet(&rest);
	in.tlvs = check_take(&rest, check_octet(&rest) & 63u);
	in.text = rest;
	(void)build(&in, &f, &pdu, &r);
	free(f.p);
	if (strchr("23f", in.which) == NULL)
		check_carriers(in);
	check_msgid(span_of(rest.p, rest.n < 8 ? rest.n : 8));
	return 0;
}
