#include <stdlib.h>

#include "check.h"
#include "core/receipt_text.h"
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

/* A date is one time or none, and blanks behind it change nothing. */
static void check_time(struct span s)
{
	char padded[40];
	uint64_t near = s.n > 2 ? s.p[0] * 1000000000000000ull : 0;
	int64_t t = -7, u = -7;
	bool is = receipt_time(s, near, &t);

	CHECK(is ? t > -2300000000 && t < 260000000000 : t == -7);
	if (s.n > sizeof(padded) - 2)
		return;
	memcpy(padded, s.p, s.n);
	memcpy(padded + s.n, " ", 2);
	CHECK(receipt_time(span_of(padded, s.n + 2), near, &u) == is && u == t);
}

/* A stat begins with its word, which has the same state. */
static void check_stat(struct span stat)
{
	struct span word = receipt_stat_word(stat);

	CHECK(word.p == stat.p && word.n <= stat.n && (word.n > 0 || stat.n == 0));
	CHECK(receipt_state_of(word) == receipt_state_of(stat));
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
	check_span(pdu, r, r->text_id);
	check_span(pdu, r, r->network_raw);
	check_span(pdu, r, r->odd_state);
	check_time(r->submit_date);
	check_time(r->done_date);
	check_stat(r->stat);
	CHECK(r->text_id.n == 0 || r->conflict);
	CHECK(!r->network_digits || (r->network_raw.n >= 3 && !r->has_network_error));
	if (word == NULL || r->stat.p != (const uint8_t *)word)
		check_span(pdu, r, r->stat);
	CHECK(kind != RECEIPT_NONE || (r->id.n == 0 && r->stat.n == 0 && r->err.n == 0));
	CHECK(!r->id_binary || r->id.n == 8);
	CHECK(!r->undecodable || (r->id.n == 0 && r->stat.n == 0));
}

/* A glance says what reading says, or nothing. */
static void check_glance(const struct pdu *pdu, const struct receipt *r, enum receipt_kind kind)
{
	struct span code, read;

	if (!receipt_glance(pdu->proto, pdu->frame, &code))
		return;
	read = receipt_code(r);
	CHECK(code.n > 0 && check_inside(pdu->frame, code));
	CHECK(pdu->err != SM_OK || kind == RECEIPT_NONE || r->undecodable ||
		(read.n == code.n && memcmp(read.p, code.p, code.n) == 0));
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
	check_glance(pdu, ret, kind);
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

static void check_same_text(const struct receipt *x, const struct receipt *y)
{
	CHECK(same(x->id, y->id) && same(x->stat, y->stat) && same(x->err, y->err) &&
		same(x->text, y->text) && x->state == y->state);
	CHECK(same(x->submit_date, y->submit_date) && same(x->done_date, y->done_date));
}

/* What a PDU without TLVs says, its text says alone, and so does that in two octets a character. */
static void check_alone(const struct receipt *x)
{
	size_t n = x->raw.n;
	struct receipt y;
	bool ascii = true;
	uint8_t *wide;

	if (receipt_of_text(x->raw, &y) == RECEIPT_NONE)
		return;
	if (x->kind != RECEIPT_NONE)
		check_same_text(x, &y);
	for (size_t i = 0; i < n; i++)
		ascii = ascii && x->raw.p[i] > 0 && x->raw.p[i] < 0x80;
	if (!ascii || n > RECEIPT_STORE || y.stat.n == 0 || y.id.n == 0)
		return;
	wide = malloc(2 * n);
	CHECK(wide != NULL);
	for (unsigned high = 0; high < 2; high++) {
		struct receipt z;

		for (size_t i = 0; i < n; i++) {
			wide[2 * i + high] = 0;
			wide[2 * i + 1 - high] = x->raw.p[i];
		}
		CHECK(receipt_of_text(span_of(wide, 2 * n), &z) == y.kind);
		check_same_text(&y, &z);
	}
	free(wide);
}

/* The same text says the same in a short_message, in a message_payload and in a data_sm. */
static void check_carriers(struct input in)
{
	struct frame a, b;
	struct receipt x, y;
	struct pdu pdu;

	if (in.tlvs.n > 0 && memmem(in.tlvs.p, in.tlvs.n, "\x04\x24", 2) != NULL)
		return; /* a message_payload of its own */
	in.which = 'd';
	(void)build(&in, &a, &pdu, &x);
	if (in.tlvs.n == 0)
		check_alone(&x);
	for (const char *which = "pt"; *which != '\0'; which++) {
		in.which = (uint8_t)*which;
		(void)build(&in, &b, &pdu, &y);
		CHECK(x.kind == y.kind && x.conflict == y.conflict);
		check_same_text(&x, &y);
		CHECK(same(x.text_id, y.text_id) && same(x.network_raw, y.network_raw));
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
	check_time(rest);
	return 0;
}
