#include "smscope/pdu.h"

/*
 * The one walker of all slot tables:
 *
 *     frame   | header | field | field | … | list of items | … | TLV | TLV |
 *     slots             UINT    CSTR         LIST_OF           TLVS         END
 *
 * Every step is a reader_take() or a reader_cstr() inside the frame, and each moves forward or sets
 * the reader's error, which ends the walk. Depth is two: a body, and the items of its lists; items
 * hold no lists.
 */

enum { ITEM_FIELDS_MAX = 8 };

/* How much of `s`, read for `slot`, is text: without the padding of a fixed field. */
static inline size_t text_len(const struct slot *slot, struct span s)
{
	if (slot->shape != SHAPE_OCTETS)
		return s.n;
	s.n = bytes_nul(s.p, s.n);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s.n;
}

/* Read one field that is not a list into `ret`; `var_len` is the length of a VAR. */
static inline void read_field(struct reader *r, const struct slot *slot, uint64_t var_len,
	struct pdu_field *ret)
{
	const uint8_t *start = r->pos;
	size_t n = slot->size, text;

	if (slot->shape == SHAPE_CSTR) {
		size_t left = reader_left(r);

		/* The frame may end where the NUL should be, if the slot says so. */
		if (slot->by != 0 && left < n && bytes_nul(start, left) == left)
			text = reader_take(r, left).n;
		else
			text = reader_cstr(r, n).n;
	} else {
		if (slot->shape == SHAPE_VAR)
			n = (size_t)var_len;
		else if (slot->shape == SHAPE_REST)
			n = reader_left(r);
		text = text_len(slot, reader_take(r, n));
	}
	ret->field = slot->field;
	ret->shape = slot->shape;
	ret->text_len = (uint16_t)(text < UINT16_MAX ? text : UINT16_MAX);
	ret->at = (uint32_t)(start - r->base);
	ret->len = (uint32_t)(r->pos - start);
}

/*
 * Read one item of a list into `ret` (at most ITEM_FIELDS_MAX); returns how many fields it has. A
 * choice of WHENs that none of them meets leaves SM_EVALUE in the reader.
 */
static size_t read_item(struct reader *r, const struct slot *s, struct pdu_field *ret)
{
	size_t n = 0;
	bool on = true, choosing = false, met = false;

	for (; s->shape != SHAPE_END && n < ITEM_FIELDS_MAX; s++) {
		if (s->shape == SHAPE_WHEN && s->size == 0xffff) {
			if (!met && r->err == SM_OK)
				r->err = SM_EVALUE;
			on = true;
			choosing = false;
		} else if (s->shape == SHAPE_WHEN) {
			uint64_t v = 0;

			met = choosing && met;
			choosing = true;
			for (size_t i = 0; i < n; i++) {
				if (ret[i].field == s->by)
					v = span_uint(span_of(r->base + ret[i].at, ret[i].len));
			}
			on = v == s->size;
			met = met || on;
		} else if (on) {
			read_field(r, s, 0, &ret[n++]);
		}
	}
	return n;
}

/* Read a list of `count` items into `ret`; what it covers ends with the last whole item. */
static struct reader read_list(struct reader r, const struct slot *slot, uint64_t count,
	struct pdu_field *ret)
{
	struct pdu_field items[ITEM_FIELDS_MAX];
	const uint8_t *start = r.pos, *last = r.pos;

	while (count-- > 0 && r.err == SM_OK) {
		if (slot->item != NULL)
			read_item(&r, slot->item, items);
		else
			reader_take(&r, slot->size);
		if (r.err == SM_OK && r.pos == last)
			r.err = SM_EVALUE; /* an item of no octets: its table is wrong */
		if (r.err == SM_OK)
			last = r.pos;
	}
	ret->field = slot->field;
	ret->shape = slot->shape;
	ret->at = (uint32_t)(start - r.base);
	ret->len = (uint32_t)(last - start);
	ret->text_len = (uint16_t)(ret->len < UINT16_MAX ? ret->len : UINT16_MAX);
	return r;
}

/*
 * Step over the TLVs to the frame's end; a fault leaves the reader at the tag of the TLV that has
 * it.
 */
static struct reader read_tlvs(struct reader r)
{
	while (r.pos != r.end && r.err == SM_OK) {
		struct reader one = r;

		reader_take(&one, 2);
		reader_take(&one, (size_t)reader_uint(&one, 2));
		if (one.err != SM_OK)
			r.err = one.err;
		else
			r = one;
	}
	return r;
}

static void walk(struct pdu *pdu, const struct layout *layout, size_t end)
{
	struct reader r = reader_of(span_of(pdu->frame.p, end));
	struct pdu_field *f = pdu->fields;
	const struct slot *s = layout->body;

	memset(pdu->slot_of, 0, sizeof(pdu->slot_of));
	pdu->tlvs = span_of(pdu->frame.p + end, 0);
	reader_take(&r, pdu->proto->header_len);
	for (; s->shape != SHAPE_END && r.err == SM_OK; s++) {
		if (s->shape == SHAPE_STOP) {
			if (r.pos == r.end)
				break;
			continue;
		}
		if (s->shape == SHAPE_TLVS) {
			pdu->tlvs = span_of(r.pos, reader_left(&r));
			r = read_tlvs(r);
			continue;
		}
		if (f == pdu->fields + PDU_FIELDS_MAX) {
			r.err = SM_EFULL;
			break;
		}
		if (s->shape == SHAPE_LIST)
			r = read_list(r, s, pdu_uint(pdu, s->by), f);
		else
			read_field(&r, s, s->shape == SHAPE_VAR ? pdu_uint(pdu, s->by) : 0, f);
		if (r.err != SM_OK && (s->shape != SHAPE_LIST || f->len == 0))
			break;
		f++;
		if (pdu->slot_of[s->field] == 0)
			pdu->slot_of[s->field] = (uint8_t)(f - pdu->fields);
	}
	pdu->layout = layout;
	pdu->field_count = (uint8_t)(f - pdu->fields);
	pdu->err = reader_finish(&r);
	pdu->err_at = (uint32_t)reader_at(&r);
}

/*
 * Try the layouts that other dialects have for the command. With fixed widths, "parses to its last
 * octet" is the consistency equation of a CMPP SUBMIT or DELIVER, and the length rule of a
 * response.
 */
static bool walk_others(struct pdu *pdu, const struct layout *rows, const struct layout *tried,
	size_t end)
{
	const struct proto *p = pdu->proto;

	for (const struct layout *l = rows; l->name != NULL && l->command == pdu->command; l++) {
		if (l == tried)
			continue;
		walk(pdu, l, end);
		if (pdu->err != SM_OK)
			continue;
		pdu->dialect = l->dialect_min <= p->dialect_default &&
			p->dialect_default <= l->dialect_max
				       ? p->dialect_default : l->dialect_min;
		return true;
	}
	return false;
}

static int fail_at(struct pdu *pdu, int err, uint32_t at)
{
	pdu->err = err;
	pdu->err_at = at;
	return err;
}

/* The header alone; true if the frame holds one. */
static bool read_header(struct pdu *pdu, const struct proto *p, uint8_t dialect, struct span frame)
{
	pdu->proto = p;
	pdu->layout = NULL;
	pdu->frame = frame;
	pdu->length = pdu->command = pdu->status = pdu->sequence = 0;
	pdu->dialect = dialect;
	pdu->field_count = 0;
	pdu->tlvs = span_of(frame.p, 0);
	if (frame.n < p->header_len)
		return false;
	pdu->length = bytes_u32(frame.p);
	pdu->command = bytes_u32(frame.p + 4);
	if (p->status_in_header)
		pdu->status = bytes_u32(frame.p + 8);
	pdu->sequence = bytes_u32(frame.p + p->header_len - 4);
	return true;
}

int pdu_parse(struct pdu *pdu, const struct proto *p, uint8_t dialect, struct span frame)
{
	const struct layout *rows = p->layouts, *mine;
	size_t end;

	if (!read_header(pdu, p, dialect, frame)) {
		memset(pdu->slot_of, 0, sizeof(pdu->slot_of));
		return fail_at(pdu, SM_ESHORT, (uint32_t)frame.n);
	}
	while (rows->name != NULL && rows->command != pdu->command)
		rows++;
	if (rows->name == NULL) {
		memset(pdu->slot_of, 0, sizeof(pdu->slot_of));
		return fail_at(pdu, pdu->length == frame.n ? SM_ECMD : SM_ELEN,
			pdu->length == frame.n ? 4 : 0);
	}
	mine = rows;
	for (const struct layout *l = rows; l->name != NULL && l->command == pdu->command; l++) {
		if (l->dialect_min <= dialect && dialect <= l->dialect_max)
			mine = l;
	}
	end = frame.n < pdu->length ? frame.n : pdu->length;
	walk(pdu, mine, end > p->header_len ? end : p->header_len);
	if (pdu->length != frame.n)
		return fail_at(pdu, SM_ELEN, 0);
	if (pdu->err != SM_OK && !walk_others(pdu, rows, mine, end))
		walk(pdu, mine, end);
	return pdu->err;
}

enum role pdu_role_from(const struct pdu *pdu, enum side from)
{
	enum role r = pdu_role(pdu);

	if (r == R_DATA)
		return from == SIDE_SP ? R_SUBMIT : R_DELIVER;
	if (r == R_DATA_ACK)
		return from == SIDE_SP ? R_DELIVER_ACK : R_SUBMIT_ACK;
	return r;
}

bool pdu_result(const struct pdu *pdu, uint32_t *ret_code)
{
	const enum field *f = pdu->proto->status_fields;

	if (pdu->proto->status_in_header) {
		if ((pdu->command & 0x80000000u) == 0)
			return false;
		*ret_code = pdu->status;
		return true;
	}
	for (; f != NULL && *f != F_NONE; f++) {
		if (pdu_has(pdu, *f)) {
			*ret_code = (uint32_t)pdu_uint(pdu, *f);
			return true;
		}
	}
	return false;
}

int pdu_items(const struct pdu *pdu, enum field list, size_t *at, struct pdu_field *ret, size_t cap)
{
	const struct slot *s = pdu->layout != NULL ? pdu->layout->body : NULL;
	struct pdu_field items[ITEM_FIELDS_MAX];
	const struct pdu_field *whole;
	struct reader r;
	size_t n = 1;

	if (s == NULL || !pdu_has(pdu, list))
		return 0;
	while (s->shape != SHAPE_END && !(s->shape == SHAPE_LIST && s->field == list))
		s++;
	whole = &pdu->fields[pdu->slot_of[list] - 1];
	if (s->shape == SHAPE_END || *at >= whole->len)
		return 0;
	r = reader_of(span_of(pdu->frame.p, whole->at + whole->len));
	reader_take(&r, whole->at + *at);
	if (s->item != NULL) {
		n = read_item(&r, s->item, items);
	} else {
		const struct slot one = OCTETS(s->field, s->size);

		read_field(&r, &one, 0, &items[0]);
	}
	if (r.err != SM_OK)
		return r.err;
	*at = reader_at(&r) - whole->at;
	if (n > cap)
		n = cap;
	memcpy(ret, items, n * sizeof(*ret));
	return (int)n;
}

const char *pdu_name(const struct pdu *pdu)
{
	if (pdu->layout == NULL)
		return "unknown";
	return pdu->layout->spec_name != NULL ? pdu->layout->spec_name : pdu->layout->name;
}
