#ifndef SMSCOPE_PDU_H
#define SMSCOPE_PDU_H

#include "smscope/proto.h"

enum { PDU_FIELDS_MAX = 48 };

/*
 * One field: where it lies in the frame. A list is one field (all its octets); pdu_items() walks
 * it. `at` and `len` describe the octets on the wire; `text_len` leaves off a C-Octet String's NUL
 * and the padding of a fixed field.
 */
struct pdu_field {
	uint8_t field;
	uint8_t shape;
	uint16_t text_len;
	uint32_t at, len;
};

/*
 * View of one PDU. Lives where the caller put it; every span points into the frame and dies with
 * it.
 */
struct pdu {
	const struct proto *proto;
	const struct layout *layout; /* NULL: command not known */
	struct span frame;
	uint32_t length, command, status, sequence;
	uint8_t dialect; /* that the body was read as */
	int err;       /* SM_OK: parsed to its last octet */
	uint32_t err_at; /* offset of the octet where it broke */
	uint8_t field_count;
	/* index + 1 into fields, 0 absent; of a repeated field the first */
	uint8_t slot_of[F_COUNT];
	struct pdu_field fields[PDU_FIELDS_MAX];
	struct span tlvs;
};

/**
 * Parse `frame`, one whole PDU, as `dialect`. Returns SM_OK, or why the body does not parse
 * (also in pdu->err, with the offset): the fields before the fault are there all the same, and the
 * header always is if the frame holds one. An unknown command is SM_ECMD.
 *
 * A body that does not fit `dialect` to its last octet but fits another one is read as that;
 * pdu->dialect says which was used. A length field that disagrees with the frame is SM_ELEN; what
 * is there is read.
 */
int pdu_parse(struct pdu *pdu, const struct proto *p, uint8_t dialect, struct span frame);

static inline bool pdu_has(const struct pdu *pdu, enum field f)
{
	return pdu->slot_of[f] != 0;
}

/** The field's octets without terminator and padding; empty when absent. */
static inline struct span pdu_text(const struct pdu *pdu, enum field f)
{
	const struct pdu_field *x;

	if (!pdu_has(pdu, f))
		return (struct span){ pdu->frame.p, 0 };
	x = &pdu->fields[pdu->slot_of[f] - 1];
	return (struct span){ pdu->frame.p + x->at, x->text_len };
}

/** The field's octets as they lie on the wire; empty when absent. */
static inline struct span pdu_octets(const struct pdu *pdu, enum field f)
{
	const struct pdu_field *x;

	if (!pdu_has(pdu, f))
		return (struct span){ pdu->frame.p, 0 };
	x = &pdu->fields[pdu->slot_of[f] - 1];
	return (struct span){ pdu->frame.p + x->at, x->len };
}

/** The field as an integer; 0 when absent. */
static inline uint64_t pdu_uint(const struct pdu *pdu, enum field f)
{
	return span_uint(pdu_octets(pdu, f));
}

static inline enum role pdu_role(const struct pdu *pdu)
{
	return pdu->layout != NULL ? (enum role)pdu->layout->role : R_NONE;
}

/**
 * The role by direction. SMPP's data_sm goes both ways: from the SP's side it is a submit, from the
 * gateway's a delivery; so are their responses. Everything else is as pdu_role() says.
 */
enum role pdu_role_from(const struct pdu *pdu, enum side from);

/** The PDU's result: command_status, or the CMPP Status/Result. True if it has one. */
bool pdu_result(const struct pdu *pdu, uint32_t *ret_code);

struct tlv {
	uint16_t tag;
	struct span value;
	uint32_t at; /* offset of the tag in the frame */
};

/**
 * Step through a TLV area; `*at` starts at 0. 1 a TLV, 0 the end, negative: SM_ESHORT, the rest
 * overruns.
 */
int tlv_next(const struct pdu *pdu, size_t *at, struct tlv *ret);

/** First TLV with that tag; false if there is none. */
bool pdu_tlv(const struct pdu *pdu, uint16_t tag, struct span *ret_value);

/* What the specification says of a TLV. Peers send other lengths: nothing depends on them. */
struct tlv_kind {
	uint16_t tag, len_min, len_max;
	enum { TLV_NUMBER, TLV_TEXT, TLV_OCTETS } form;
	const char *name;
};

/** The TLV with that tag in SMPP 3.4 or 5.0, or NULL; and its name, or NULL. */
const struct tlv_kind *tlv_kind(uint16_t tag);
const char *tlv_name(uint16_t tag);

/**
 * Step through a list field's items; `*at` starts at 0. Fills up to `cap` fields whose offsets are
 * in the frame. Returns the number of fields of this item, 0 at the end, negative on a fault.
 */
int pdu_items(const struct pdu *pdu, enum field list, size_t *at, struct pdu_field *ret,
	size_t cap);

/**
 * Name of the PDU as its specification writes it: "submit_sm_resp", "CMPP_SUBMIT_RESP"; "unknown"
 * if it has none.
 */
const char *pdu_name(const struct pdu *pdu);

#endif
