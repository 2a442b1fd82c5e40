#include "core/receipt_text.h"
#include "smscope/msgid.h"
#include "smscope/text.h"

/*
 * Reports. CMPP has a fixed layout; SMPP a text, which receipt_text.c reads, TLVs, or both. TLVs
 * beat the text.
 */

enum { TAG_RECEIPTED_ID = 0x001e, TAG_NETWORK_ERROR = 0x0423, TAG_PAYLOAD = 0x0424,
	TAG_STATE = 0x0427 };
enum { ESM_TYPE = 0x3c, ESM_RECEIPT = 0x04, ESM_USER_ACK = 0x10, ESM_INTERMEDIATE = 0x20,
	ESM_UDHI = 0x40 };

/* CMPP */

/*
 * A fixed field of the report, without its padding; false if it holds anything but printable ASCII.
 */
static bool read_fixed(struct reader *r, size_t n, struct span *ret)
{
	struct span s = reader_take(r, n);
	bool odd = false;

	s.n = bytes_nul(s.p, s.n);
	s = receipt_trim(s);
	for (size_t i = 0; i < s.n; i++)
		odd |= (uint8_t)(s.p[i] - ' ') > '~' - ' ';
	if (odd)
		return false;
	*ret = s;
	return true;
}

/*
 * Msg_Content of a DELIVER with Registered_Delivery = 1, and of a FWD that carries a report.
 * Fixed widths, text right-padded with NUL (or spaces):
 *     8 Msg_Id | 7 Stat | 10 Submit_time | 10 Done_time
 *     21 or 32 Dest_terminal_Id | 4 SMSC_sequence
 * 60 octets in 2.0, 71 in 3.0, and either on a connection of the other version, so the length
 * tells. Of any other length the first 35 octets are read. Times are YYMMDDHHMM in the gateway's
 * local time.
 * Source: CMPP 2.0, section 7.4.5.1; CMPP 3.0, section 8.4.5.1; the mixture is seen in captures.
 */
static void read_cmpp(struct receipt *ret)
{
	enum { LEN2 = 60, LEN3 = 71, HEAD = 35 };
	struct reader r = reader_of(ret->raw);
	struct span id, stat, submit, done, dst;

	id = reader_take(&r, 8);
	if (ret->raw.n < HEAD || !read_fixed(&r, 7, &stat) || !read_fixed(&r, 10, &submit) ||
	    !read_fixed(&r, 10, &done)) {
		ret->undecodable = true;
		return;
	}
	ret->id = id;
	ret->id_binary = true;
	ret->stat = stat;
	ret->submit_date = submit;
	ret->done_date = done;
	if (ret->raw.n != LEN2 && ret->raw.n != LEN3)
		return;
	if (read_fixed(&r, ret->raw.n == LEN2 ? 21 : 32, &dst))
		ret->dst = dst;
	ret->smsc_sequence = (uint32_t)reader_uint(&r, 4);
}

int receipt_cmpp(const struct pdu *pdu, struct receipt *ret)
{
	uint64_t fwd_type = pdu_uint(pdu, F_MSG_FWD_TYPE);

	if (pdu_role(pdu) == R_FORWARD ? fwd_type != 2 && fwd_type != 3
				       : pdu_uint(pdu, F_REGISTERED_DELIVERY) != 1)
		return RECEIPT_NONE;
	ret->raw = pdu_octets(pdu, F_SHORT_MESSAGE);
	read_cmpp(ret);
	ret->state = ret->stat_state = receipt_state_of(ret->stat);
	return receipt_is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
}

/* SMPP */

/* The octets of a message, without a user data header. */
static struct span without_header(const struct pdu *pdu, struct span s)
{
	if ((pdu_uint(pdu, F_ESM_CLASS) & ESM_UDHI) != 0 && s.n > 0 && s.p[0] < s.n)
		return span_of(s.p + 1 + s.p[0], s.n - 1 - s.p[0]);
	return s;
}

/*
 * The text with its labels: short_message, or message_payload if that is empty or, having labels,
 * follows one that has none.
 */
static struct span read_text(const struct pdu *pdu, struct span payload, struct receipt *ret,
	struct labels *l)
{
	struct span s = pdu_octets(pdu, F_SHORT_MESSAGE), text;

	if (s.n == 0)
		s = payload;
	ret->raw = without_header(pdu, s);
	text = labels_read(ret->raw, ret, l);
	if (l->count > 0 || payload.n == 0 || s.p == payload.p)
		return text;
	s = without_header(pdu, payload);
	text = labels_read(s, ret, l);
	if (l->count > 0)
		ret->raw = s;
	return text;
}

/* What the TLVs of a receipt say; of each the first that is not empty. */
struct receipt_tlvs {
	struct span payload, id, network_error, state;
};

static struct receipt_tlvs read_tlvs(const struct pdu *pdu)
{
	struct span none = { pdu->frame.p, 0 };
	struct receipt_tlvs t = { none, none, none, none };
	struct tlv v;
	size_t at = 0;

	while (tlv_next(pdu, &at, &v) > 0) {
		struct span *place = v.tag == TAG_PAYLOAD         ? &t.payload
				     : v.tag == TAG_RECEIPTED_ID  ? &t.id
				     : v.tag == TAG_NETWORK_ERROR ? &t.network_error
				     : v.tag == TAG_STATE         ? &t.state
								  : NULL;

		if (place != NULL && place->n == 0)
			*place = v.tag == TAG_RECEIPTED_ID ? receipt_trim(v.value) : v.value;
	}
	return t;
}

/*
 * 1 network type | 2 error, or digits from some SMSCs: no type is 0x30 or more. Anything else stays
 * as it came.
 */
static void read_network_error(struct span s, struct receipt *ret)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++)
		digits += s.p[i] >= '0' && s.p[i] <= '9';
	ret->network_raw = s;
	if (s.n >= 3 && digits == s.n) {
		ret->network_digits = true;
		if (ret->err.n == 0)
			ret->err = s;
	} else if (s.n == 3) {
		ret->has_network_error = true;
		ret->network_type = s.p[0];
		ret->network_error = (uint16_t)(s.p[1] << 8 | s.p[2]);
	}
}

/* Some set the receipt's bit, too. */
static bool is_intermediate(unsigned type)
{
	return type == ESM_INTERMEDIATE || type == (ESM_INTERMEDIATE | ESM_RECEIPT);
}

/* An inbound message may have an id: or an err: in it, but none of these. */
static bool is_telling(const struct labels *l)
{
	return (l->seen[L_ID] && l->seen[L_STAT]) || l->seen[L_DLVRD] || l->seen[L_SUBMIT] ||
	       l->seen[L_DONE];
}

/*
 * Several signs vote, as many SMSCs leave esm_class at 0. Its type alone decides, and so does a
 * receipted id; else three votes are needed: a message_state and a network_error_code have two
 * each, a label has one, and so has a message that is empty, where a TLV speaks.
 */
static bool is_receipt(unsigned type, const struct receipt_tlvs *t, const struct labels *l,
	struct span text)
{
	int votes = (t->state.n > 0 ? 2 : 0) + (t->network_error.n > 0 ? 2 : 0);

	if (type == ESM_RECEIPT || is_intermediate(type) || t->id.n > 0)
		return true;
	if (votes > 0 || is_telling(l))
		votes += l->count - l->seen[L_TEXT];
	return votes + (votes > 0 && text.n == 0) >= 3;
}

static void take_text(const struct labels *l, struct receipt *ret)
{
	ret->id = receipt_first_word(l->value[L_ID]);
	ret->stat = l->value[L_STAT];
	ret->err = receipt_first_word(l->value[L_ERR]);
	ret->submit_date = l->value[L_SUBMIT];
	ret->done_date = l->value[L_DONE];
	ret->text = l->value[L_TEXT];
	ret->state = ret->stat_state = receipt_state_of(ret->stat);
}

static void take_tlvs(const struct receipt_tlvs *t, struct receipt *ret)
{
	uint64_t state = span_uint(t->state);

	if (t->id.n > 0) {
		if (ret->id.n > 0 && !id_alike(ret->id, t->id)) {
			ret->conflict = true;
			ret->text_id = ret->id;
		}
		ret->id = t->id;
	}
	if (t->state.n > 0 && t->state.n <= 4 && receipt_state_word((int)state) != NULL) {
		ret->conflict =
			ret->conflict || (ret->stat_state >= 0 && ret->stat_state != (int)state);
		ret->state = (int)state;
	} else if (t->state.n > 0) {
		ret->odd_state = t->state;
	}
	if (ret->stat.n == 0 && ret->state >= 0) {
		const char *word = receipt_state_word(ret->state);

		ret->stat = span_of(word, strlen(word));
		ret->stat_state = ret->state;
	}
	if (t->network_error.n > 0)
		read_network_error(t->network_error, ret);
}

static int read_smpp(const struct pdu *pdu, struct receipt *ret, struct labels *l)
{
	unsigned type = (unsigned)pdu_uint(pdu, F_ESM_CLASS) & ESM_TYPE;
	struct receipt_tlvs t = read_tlvs(pdu);
	struct span text = read_text(pdu, t.payload, ret, l);

	if (!is_receipt(type, &t, l, text))
		return RECEIPT_NONE;
	take_text(l, ret);
	take_tlvs(&t, ret);
	ret->dst = pdu_text(pdu, F_SOURCE_ADDR);
	ret->undecodable = ret->id.n == 0 && ret->stat.n == 0;
	/* 0x10 asks for intermediate notifications in registered_delivery; some answer with it. */
	if (ret->state < 0 && (is_intermediate(type) || type == ESM_USER_ACK))
		return RECEIPT_INTERIM;
	return receipt_is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
}

int receipt_smpp(const struct pdu *pdu, struct receipt *ret)
{
	struct labels l;

	return read_smpp(pdu, ret, &l);
}

/* Empty, its spans at the beginning of `s`. */
static void clear(struct receipt *ret, struct span s)
{
	struct span none = { s.p, 0 };

	memset(ret, 0, offsetof(struct receipt, store));
	ret->store_len = 0;
	ret->raw = ret->id = ret->text_id = ret->stat = ret->err = none;
	ret->submit_date = ret->done_date = ret->dst = ret->text = none;
	ret->network_raw = ret->odd_state = none;
	ret->state = ret->stat_state = -1;
}

enum receipt_kind receipt_of_text(struct span text, struct receipt *ret)
{
	struct labels l;

	clear(ret, text);
	ret->raw = text;
	labels_read(text, ret, &l);
	if (!l.seen[L_STAT] && (!l.seen[L_ID] || l.count < 3))
		return RECEIPT_NONE;
	take_text(&l, ret);
	ret->kind = receipt_is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
	return ret->kind;
}

/* Digits, as the times of a report are; some gateways leave them empty. */
static bool is_time(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

enum receipt_kind receipt_of_cmpp(struct span body, struct receipt *ret)
{
	clear(ret, body);
	ret->raw = body;
	if (body.n != 60 && body.n != 71)
		return RECEIPT_NONE;
	read_cmpp(ret);
	if (ret->undecodable || ret->stat.n == 0 || !is_time(ret->submit_date) ||
	    !is_time(ret->done_date))
		return RECEIPT_NONE;
	ret->state = ret->stat_state = receipt_state_of(ret->stat);
	ret->kind = receipt_is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
	return ret->kind;
}

enum receipt_kind receipt_read_labels(const struct pdu *pdu, struct receipt *ret,
	struct labels *ret_labels)
{
	if (pdu->proto->report != receipt_smpp)
		return receipt_read(pdu, ret);
	clear(ret, span_of(pdu->frame.p, 0));
	ret->kind = (enum receipt_kind)read_smpp(pdu, ret, ret_labels);
	return ret->kind;
}

enum receipt_kind receipt_read(const struct pdu *pdu, struct receipt *ret)
{
	enum role role = pdu_role(pdu);

	clear(ret, span_of(pdu->frame.p, 0));
	if (role == R_DELIVER || role == R_DATA || role == R_FORWARD)
		ret->kind = (enum receipt_kind)pdu->proto->report(pdu, ret);
	return ret->kind;
}

struct span receipt_code(const struct receipt *x)
{
	const char *word = receipt_state_word(x->state);

	if (x->stat_state >= 0 && x->stat_state != x->state && word != NULL)
		return span_of(word, strlen(word));
	return x->stat;
}

size_t msgid_text(uint64_t id, char *to, size_t cap)
{
	static const uint8_t shift[] = { 60, 55, 50, 44, 38 }, most[] = { 12, 31, 23, 59, 59 };
	unsigned part[5];
	struct out o = out_of(to, cap);
	bool date = id >> 60 != 0 && (id >> 55 & 31) != 0;

	for (size_t i = 0; i < 5; i++) {
		part[i] = (unsigned)(id >> shift[i] & (i == 0 ? 15 : i < 3 ? 31 : 63));
		date = date && part[i] <= most[i];
	}
	if (!date) {
		out_hex(&o, id, 16);
		return out_len(&o);
	}
	for (size_t i = 0; i < 5; i++) {
		out_char(&o, (char)('0' + part[i] / 10));
		out_char(&o, (char)('0' + part[i] % 10));
	}
	out_char(&o, '-');
	out_dec(&o, id >> 16 & 0x3fffff);
	out_char(&o, '-');
	out_dec(&o, id & 0xffff);
	return out_len(&o);
}
