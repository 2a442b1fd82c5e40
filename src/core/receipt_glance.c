#include "core/receipt_text.h"

/*
 * The code of a report, told without reading the report. Only the shape that nearly all have is
 * known here, and whatever could make receipt_read() say otherwise is left to it.
 */

enum { DELIVER = 5, CMPP_HEADER = 12, CMPP_STAT_AT = 8, CMPP_STAT_LEN = 7 };
enum { ESM_UDHI = 0x40, TAG_STATE = 0x0427 };

static uint8_t lower(uint8_t c)
{
	return c | 0x20;
}

static bool is_alnum(uint8_t c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* CMPP */

/* Does a DELIVER whose Registered_Delivery is at `at` fill the frame with a report? */
static bool cmpp_fits(struct span frame, size_t at, size_t behind)
{
	size_t n = frame.n > at + 1 ? frame.p[at + 1] : 0;

	return frame.n == at + 2 + n + behind;
}

/* Msg_Id, Dest_Id, Service_Id, three octets and the number stand before: layouts in cmpp.c. */
static bool glance_cmpp(struct span frame, struct span *ret)
{
	enum { V2_AT = CMPP_HEADER + 63, V3_AT = CMPP_HEADER + 75, RESERVED = 8, LINK_ID = 20 };
	bool v2 = cmpp_fits(frame, V2_AT, RESERVED), v3 = cmpp_fits(frame, V3_AT, LINK_ID);
	const uint8_t *p = frame.p + (v2 ? V2_AT : V3_AT);
	size_t n = 0;

	if (v2 == v3 || p[0] != 1 || (p[1] != 60 && p[1] != 71))
		return false;
	p += 2 + CMPP_STAT_AT;
	while (n < CMPP_STAT_LEN && p[n] > ' ' && p[n] <= '~')
		n++;
	if (n == 0 || (n < CMPP_STAT_LEN && p[n] != '\0'))
		return false;
	*ret = span_of(p, n);
	return true;
}

/* SMPP */

/* Do the `n` octets before `end` spell the word, which is in lower case? */
static bool spells(struct span s, const uint8_t *end, const char *word, size_t n)
{
	if ((size_t)(end - s.p) < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (lower(end[(ptrdiff_t)i - (ptrdiff_t)n]) != (uint8_t)word[i])
			return false;
	}
	return true;
}

/* Where the value of "stat:" begins; NULL: another label could be it, or turn it into text. */
static const uint8_t *find_stat(struct span s)
{
	const uint8_t *end = s.p + s.n, *p = s.p, *colon;

	while ((colon = memchr(p, ':', (size_t)(end - p))) != NULL) {
		p = colon + 1;
		if (colon == s.p || !is_alnum(colon[-1]))
			return NULL;
		if (spells(s, colon, "text", 4) || spells(s, colon, "status", 6))
			return NULL;
		if (spells(s, colon, "stat", 4))
			return colon - s.p > 4 && colon[-5] == ' ' ? p : NULL;
	}
	return NULL;
}

/* The colon of "MB:0064"; behind "id" it would end a label. */
static bool is_code_colon(const uint8_t *word, size_t n)
{
	return n == 2 && word[n] == ':' && !(lower(word[0]) == 'i' && lower(word[1]) == 'd');
}

/* One word, as "DELIVRD" or "MB:0064", and "err:" behind it. */
static bool read_stat(struct span s, struct span *ret)
{
	const uint8_t *p = find_stat(s);
	size_t left = p != NULL ? (size_t)(s.p + s.n - p) : 0, n = 0;

	while (n < left && (is_alnum(p[n]) || is_code_colon(p, n)))
		n++;
	if (n == 0 || left - n < 5 || p[n] != ' ' || !spells(s, p + n + 5, "err:", 4) ||
	    p[n + 4] != ':')
		return false;
	*ret = span_of(p, n);
	return true;
}

/* Is there no message_state, or one that is the stat's? */
static bool state_agrees(struct reader *r, struct span stat)
{
	while (r->err == SM_OK && r->pos != r->end) {
		uint64_t tag = reader_uint(r, 2);
		struct span value = reader_take(r, (size_t)reader_uint(r, 2));

		if (tag == TAG_STATE && (value.n != 1 || receipt_state_of(stat) != value.p[0]))
			return false;
	}
	return r->err == SM_OK;
}

/* The layout is in smpp.c. */
static bool glance_smpp(struct span frame, struct span *ret)
{
	struct reader r = reader_of(frame);
	struct span esm_class, sm;

	reader_take(&r, 16);
	reader_cstr(&r, 6);
	reader_take(&r, 2);
	reader_cstr(&r, 21);
	reader_take(&r, 2);
	reader_cstr(&r, 21);
	esm_class = reader_take(&r, 3);
	reader_cstr(&r, 17);
	reader_cstr(&r, 17);
	reader_take(&r, 4);
	sm = reader_take(&r, (size_t)reader_uint(&r, 1));
	return r.err == SM_OK && (esm_class.p[0] & ESM_UDHI) == 0 && read_stat(sm, ret) &&
	       state_agrees(&r, *ret);
}

bool receipt_glance(const struct proto *proto, struct span frame, struct span *ret_code)
{
	if (frame.n < 16 || bytes_u32(frame.p) != frame.n || bytes_u32(frame.p + 4) != DELIVER)
		return false;
	return proto->report == receipt_smpp ? glance_smpp(frame, ret_code)
					     : glance_cmpp(frame, ret_code);
}
