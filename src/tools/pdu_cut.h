#ifndef SMSCOPE_TOOLS_PDU_CUT_H
#define SMSCOPE_TOOLS_PDU_CUT_H

#include "smscope/pdu.h"

/*
 * The PDUs of one direction, from runs of its octets. Where they begin is not known at first, after
 * a gap and after a length that no PDU has. Then octets are skipped up to a run that begins as a
 * PDU does, or up to two PDUs in a row inside one.
 */
struct pdu_cut {
	const struct proto *proto;
	uint32_t max_pdu;
	bool in_step;
	uint64_t skipped;  /* octets since it was in step */
	uint8_t *part;     /* the beginning of a PDU */
	size_t n, cap;
};

/** A whole PDU; `skipped` octets before it belong to none. The frame is valid during the call. */
typedef void pdu_cut_fn(void *arg, struct span frame, uint64_t skipped);

/** At most `max_pdu` octets a PDU. Holds no memory yet. */
void pdu_cut_init(struct pdu_cut *c, const struct proto *p, uint32_t max_pdu);
void pdu_cut_fini(struct pdu_cut *c);

/** Is this how PDUs begin: each header that is there has a command known and a length in limits? */
bool pdu_cut_begins(const struct proto *p, uint32_t max_pdu, struct span run);

/** SM_OK or -ENOMEM; the octets are skipped then. */
int pdu_cut_run(struct pdu_cut *c, struct span run, pdu_cut_fn *fn, void *arg);

/** Octets are missing here: the PDU they belong to is skipped. */
void pdu_cut_gap(struct pdu_cut *c);

/** Octets that belong to no whole PDU, at the end. */
uint64_t pdu_cut_left(const struct pdu_cut *c);

#endif
