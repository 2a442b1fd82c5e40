#include "smscope/receipt.h"
#include "smscope/text.h"

/*
 * Reports. CMPP has a fixed layout; SMPP a text that everyone writes differently, TLVs, or both:
 *
 *     id:IIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm
 *     stat:DDDDDDD err:EEE text:…
 *
 * Labels are found anywhere, case-blind; a value ends at the next known label. TLVs beat text.
 * Source of the text: SMPP 3.4, appendix B; of its variations: captures and public issue trackers.
 */

enum { TAG_RECEIPTED_ID = 0x001e, TAG_NETWORK_ERROR = 0x0423, TAG_PAYLOAD = 0x0424,
	TAG_STATE = 0x0427 };
enum { ESM_TYPE = 0x3c, ESM_RECEIPT = 0x04, ESM_INTERMEDIATE = 0x20, ESM_UDHI = 0x40 };
enum { STATE_SCHEDULED = 0, STATE_ENROUTE = 1, STATE_ACCEPTED = 6, STATE_SKIPPED = 9 };

/* Words of a stat, by message_state; and some of a few gateways, of which none is final. */
struct word {
	const char *text;
	size_t n;
};

#define WORD(s) { s, sizeof(s) - 1 }

static const struct word state_words[] = {
	WORD("SCHEDULED"), WORD("ENROUTE"), WORD("DELIVRD"), WORD("EXPIRED"), WORD("DELETED"),
	WORD("UNDELIV"), WORD("ACCEPTD"), WORD("UNKNOWN"), WORD("REJECTD"), WORD("SKIPPED"),
};
static const struct word interim_words[] = {
	WORD("ACKED"), WORD("BUFFRED"), WORD("BUFFERD"), WORD("BUFFERED"),
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Which of the words is `s`, written in whatever case? -1: none. */
static int word_of(struct span s, const struct word *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		if (s.n != words[i].n)
			continue;
		while (same < s.n && lower(s.p[same]) == lower((uint8_t)words[i].text[same]))
			same++;
		if (same == s.n)
			return (int)i;
	}
	return -1;
}

int receipt_state_of(struct span stat)
{
	return word_of(stat, state_words, sizeof(state_words) / sizeof(*state_words));
}

const char *receipt_state_word(int state)
{
	return state >= STATE_SCHEDULED && state <= STATE_SKIPPED ? state_words[state].text : NULL;
}

/* ACCEPTD is final in the specification and "taken over, more to come" from most gateways. */
static bool is_interim(int state, struct span stat)
{
	return state == STATE_SCHEDULED || state == STATE_ENROUTE || state == STATE_ACCEPTED ||
	       word_of(stat, interim_words, sizeof(interim_words) / sizeof(*interim_words)) >= 0;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\0' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && is_blank(*s.p))
		s = span_of(s.p + 1, s.n - 1);
	return s;
}

/* CMPP */

/*
 * A fixed field of the report, without its padding; false if it holds anything but printable ASCII.
 */
static bool read_fixed(struct reader *r, size_t n, struct span *ret)
{
	struct span s = reader_take(r, n);
	bool odd = false;

	s.n = bytes_nul(s.p, s.n);
	s = trim(s);
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
	ret->state = receipt_state_of(ret->stat);
	return is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
}

/* SMPP */

enum label { L_NONE, L_ID, L_SUB, L_DLVRD, L_SUBMIT, L_DONE, L_STAT, L_ERR, L_TEXT, L_COUNT };

/*
 * Does `word` end at `end`, at the start of the text or behind something that is no part of a word?
 */
static const uint8_t *word_before(struct span s, const uint8_t *end, const char *word, size_t n)
{
	const uint8_t *p;

	if ((size_t)(end - s.p) < n)
		return NULL;
	p = end - n;
	for (size_t i = 0; i < n; i++) {
		if (lower(p[i]) != (uint8_t)word[i])
			return NULL;
	}
	if (p > s.p) {
		uint8_t c = lower(p[-1]);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
			return NULL;
	}
	return p;
}

/*
 * The label that ends at the colon `colon`, its first octet in *ret_start. "status:" and
 * "submit_date:" are taken, too.
 */
static enum label label_at(struct span s, const uint8_t *colon, const uint8_t **ret_start)
{
	static const struct {
		const char *word;
		char last;
		uint8_t n, label;
	} labels[] = {
		{ "id", 'd', 2, L_ID }, { "sub", 'b', 3, L_SUB }, { "dlvrd", 'd', 5, L_DLVRD },
		{ "stat", 't', 4, L_STAT }, { "err", 'r', 3, L_ERR }, { "text", 't', 4, L_TEXT },
		{ "submit date", 'e', 11, L_SUBMIT }, { "done date", 'e', 9, L_DONE },
		{ "submit_date", 'e', 11, L_SUBMIT }, { "done_date", 'e', 9, L_DONE },
		{ "status", 's', 6, L_STAT },
	};
	uint8_t last;

	if (colon == s.p)
		return L_NONE;
	last = lower(colon[-1]);
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		if ((uint8_t)labels[i].last != last)
			continue;
		*ret_start = word_before(s, colon, labels[i].word, labels[i].n);
		if (*ret_start != NULL)
			return (enum label)labels[i].label;
	}
	return L_NONE;
}

/* Values by label; a label that is there without a value has p set and n 0. */
struct labels {
	struct span value[L_COUNT];
	bool seen[L_COUNT];
	int count;
};

/*
 * The first of each label wins. What follows "text:" is the message, whatever it says; only an
 * id or a stat that was not there before is still looked for, as some write the text first.
 */
static void read_labels(struct span s, struct labels *ret)
{
	const uint8_t *end = s.p + s.n, *colon = s.p, *value = NULL;
	enum label open = L_NONE;

	memset(ret->seen, 0, sizeof(ret->seen));
	ret->count = 0;
	while (colon < end && (colon = memchr(colon, ':', (size_t)(end - colon))) != NULL) {
		const uint8_t *start = NULL;
		enum label l = label_at(s, colon++, &start);

		if (l == L_NONE || (ret->seen[L_TEXT] && l != L_ID && l != L_STAT) ||
		    (ret->seen[L_TEXT] && ret->seen[l]))
			continue;
		if (open != L_NONE)
			ret->value[open] = span_of(value, (size_t)(start - value));
		open = ret->seen[l] ? L_NONE : l;
		ret->count += !ret->seen[l];
		ret->seen[l] = true;
		value = colon;
	}
	if (open != L_NONE)
		ret->value[open] = span_of(value, (size_t)(end - value));
}

static struct span label_value(const struct labels *l, enum label which, struct span none)
{
	return l->seen[which] ? trim(l->value[which]) : span_of(none.p, 0);
}

/* An id or an error code has no blanks: what follows one is a label that nobody knows. */
static struct span first_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_blank(s.p[i]))
			return span_of(s.p, i);
	}
	return s;
}

/* Octets as text of two octets a character? Labels are ASCII, so every other octet is zero. */
static bool looks_wide(struct span s)
{
	size_t zero = 0, pairs = s.n / 2 < 16 ? s.n / 2 : 16;

	if (s.n < 8 || bytes_nul(s.p, 8) == 8)
		return false;
	for (size_t i = 0; i < pairs; i++)
		zero += s.p[2 * i] == 0 && s.p[2 * i + 1] != 0;
	return 2 * zero > pairs;
}

/* The octets that hold the text: short_message or message_payload, without a user data header. */
static struct span body_of(const struct pdu *pdu, struct span payload)
{
	struct span s = pdu_octets(pdu, F_SHORT_MESSAGE);

	if (s.n == 0)
		s = payload;
	if ((pdu_uint(pdu, F_ESM_CLASS) & ESM_UDHI) != 0 && s.n > 0 && s.p[0] < s.n)
		s = span_of(s.p + 1 + s.p[0], s.n - 1 - s.p[0]);
	return s;
}

/* What the TLVs of a receipt say. */
struct receipt_tlvs {
	struct span payload, id, network_error;
	int state;
	bool has_id;
};

static struct receipt_tlvs read_tlvs(const struct pdu *pdu)
{
	struct span none = { pdu->frame.p, 0 };
	struct receipt_tlvs t = { .payload = none, .id = none, .network_error = none, .state = -1 };
	struct tlv v;
	size_t at = 0;

	while (tlv_next(pdu, &at, &v) > 0) {
		if (v.tag == TAG_PAYLOAD && t.payload.n == 0) {
			t.payload = v.value;
		} else if (v.tag == TAG_RECEIPTED_ID && !t.has_id) {
			t.id = trim(v.value);
			t.has_id = t.id.n > 0;
		} else if (v.tag == TAG_NETWORK_ERROR && t.network_error.n == 0) {
			t.network_error = v.value;
		} else if (v.tag == TAG_STATE && v.value.n == 1 && v.value.p[0] <= STATE_SKIPPED) {
			t.state = v.value.p[0];
		}
	}
	return t;
}

static struct span strip_zeros(struct span s)
{
	while (s.n > 1 && *s.p == '0')
		s = span_of(s.p + 1, s.n - 1);
	return s;
}

/* `s` as a number to `base`; false if it is none of at most 64 bits. */
static bool number_of(struct span s, unsigned base, uint64_t *ret)
{
	uint64_t v = 0, most = UINT64_MAX / base;

	if (s.n > 2 && base == 16 && s.p[0] == '0' && lower(s.p[1]) == 'x')
		s = span_of(s.p + 2, s.n - 2);
	s = strip_zeros(s);
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = lower(s.p[i]);
		unsigned d = 16;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10u;
		if (d >= base || v > most || v * base > UINT64_MAX - d)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return true;
}

/* One message id written twice: in another case, zero-padded, in hexadecimal. */
static bool same_id(struct span a, struct span b)
{
	uint64_t x, y;
	struct span p = strip_zeros(a), q = strip_zeros(b);
	size_t i = 0;

	if (a.n == b.n && memcmp(a.p, b.p, a.n) == 0)
		return true;
	while (i < p.n && p.n == q.n && lower(p.p[i]) == lower(q.p[i]))
		i++;
	if (p.n == q.n && i == p.n)
		return true;
	return (number_of(a, 10, &x) && number_of(b, 16, &y) && x == y) ||
	       (number_of(a, 16, &x) && number_of(b, 10, &y) && x == y);
}

/* 1 network type | 2 error, or three ASCII digits from some SMSCs: no type is 0x30 or more. */
static void read_network_error(struct span s, struct receipt *ret)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++)
		digits += s.p[i] >= '0' && s.p[i] <= '9';
	if (s.n >= 3 && digits == s.n) {
		if (ret->err.n == 0)
			ret->err = s;
	} else if (s.n == 3) {
		ret->has_network_error = true;
		ret->network_type = s.p[0];
		ret->network_error = (uint16_t)(s.p[1] << 8 | s.p[2]);
	}
}

/*
 * Several signs vote, as many SMSCs leave esm_class at 0: its type alone decides, and a receipted
 * id; else an id and a stat need one label or a message_state more.
 */
static bool is_receipt(unsigned type, const struct receipt_tlvs *t, const struct labels *l)
{
	int votes = t->state >= 0 ? 2 : 0;

	if (type == ESM_RECEIPT || type == ESM_INTERMEDIATE || t->has_id)
		return true;
	if (l->seen[L_ID] && l->seen[L_STAT])
		votes += l->count - l->seen[L_TEXT];
	return votes >= 3;
}

/* The text, decoded into `ret->store` if it has two octets a character. */
static struct span receipt_text(struct span body, struct receipt *ret)
{
	struct out o = out_of(ret->store, sizeof(ret->store));

	if (!looks_wide(body))
		return trim(body);
	text_decode(&o, CHARSET_UCS2, span_of(body.p, body.n - body.n % 2));
	ret->store_len = out_len(&o);
	return span_of(ret->store, ret->store_len);
}

static void take_text(const struct labels *l, struct span text, struct receipt *ret)
{
	ret->id = first_word(label_value(l, L_ID, text));
	ret->stat = label_value(l, L_STAT, text);
	ret->err = first_word(label_value(l, L_ERR, text));
	ret->submit_date = label_value(l, L_SUBMIT, text);
	ret->done_date = label_value(l, L_DONE, text);
	ret->text = label_value(l, L_TEXT, text);
}

int receipt_smpp(const struct pdu *pdu, struct receipt *ret)
{
	unsigned type = (unsigned)pdu_uint(pdu, F_ESM_CLASS) & ESM_TYPE;
	struct receipt_tlvs t = read_tlvs(pdu);
	struct labels l;
	struct span text;

	ret->raw = body_of(pdu, t.payload);
	text = receipt_text(ret->raw, ret);
	read_labels(text, &l);
	if (!is_receipt(type, &t, &l))
		return RECEIPT_NONE;
	take_text(&l, text, ret);
	ret->dst = pdu_text(pdu, F_SOURCE_ADDR);
	ret->state = receipt_state_of(ret->stat);
	if (t.has_id) {
		ret->conflict = ret->id.n > 0 && !same_id(ret->id, t.id);
		ret->id = t.id;
	}
	if (t.state >= 0) {
		ret->conflict = ret->conflict || (ret->state >= 0 && ret->state != t.state);
		ret->state = t.state;
		if (ret->stat.n == 0)
			ret->stat = span_of(state_words[t.state].text, state_words[t.state].n);
	}
	read_network_error(t.network_error, ret);
	ret->undecodable = ret->id.n == 0 && ret->stat.n == 0;
	if (type == ESM_INTERMEDIATE && ret->state < 0)
		return RECEIPT_INTERIM;
	return is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
}

/* Empty, its spans at the beginning of `s`. */
static void clear(struct receipt *ret, struct span s)
{
	struct span none = { s.p, 0 };

	memset(ret, 0, offsetof(struct receipt, store));
	ret->store_len = 0;
	ret->raw = ret->id = ret->stat = ret->err = none;
	ret->submit_date = ret->done_date = ret->dst = ret->text = none;
	ret->state = -1;
}

enum receipt_kind receipt_of_text(struct span text, struct receipt *ret)
{
	struct labels l;
	struct span s;

	clear(ret, text);
	ret->raw = text;
	s = receipt_text(text, ret);
	read_labels(s, &l);
	if (!l.seen[L_STAT] && (!l.seen[L_ID] || l.count < 3))
		return RECEIPT_NONE;
	take_text(&l, s, ret);
	ret->state = receipt_state_of(ret->stat);
	ret->kind = is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
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
	ret->state = receipt_state_of(ret->stat);
	ret->kind = is_interim(ret->state, ret->stat) ? RECEIPT_INTERIM : RECEIPT_FINAL;
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
