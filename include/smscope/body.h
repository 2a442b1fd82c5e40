#ifndef SMSCOPE_BODY_H
#define SMSCOPE_BODY_H

#include "smscope/pdu.h"
#include "smscope/text.h"

/*
 * The short message that a PDU carries: where its text begins, how it is written, which part of a
 * longer message it is. Spans point into the frame.
 */

/* Who says which part this is. A user data header is what the handset reassembles by: it wins. */
enum part_source { PART_NONE, PART_FIELDS, PART_TLVS, PART_HEADER };

struct body {
	struct span octets;      /* all of it: short_message, or message_payload when that is empty */
	struct span udh;         /* the user data header with its length octet; empty: none */
	struct span text;        /* what stands behind the header */
	bool udh_broken;         /* a header is announced and does not fit: text is all the octets */
	enum charset charset;    /* of text; binary if the header is broken */
	enum part_source source;
	uint32_t reference, part, total; /* part 2 of 3; 0 without a source */
	bool disagree;           /* another source names another part */
	uint8_t locking_shift, single_shift; /* national language tables, 0 none; not applied */
};

void body_read(const struct pdu *pdu, struct body *ret);

/* An information element of a user data header. */
struct udh_element {
	uint8_t id;
	struct span data;
};

/**
 * Step through a header, its length octet included; `*at` starts at 0. 1 an element, 0 the end,
 * SM_ESHORT: the next one is longer than what is left.
 */
int udh_next(struct span udh, size_t *at, struct udh_element *ret);

/** The part that an element names: true if it is one of the two that do and makes sense. */
bool udh_part(const struct udh_element *e, uint32_t *ret_reference, uint32_t *ret_part,
	uint32_t *ret_total);

#endif
