#ifndef SMSCOPE_NET_EDITS_H
#define SMSCOPE_NET_EDITS_H

#include "smscope/edit.h"

/*
 * Rewriting in the data plane. What edits is made of one loading of the code tables; it is immutable, and
 * another takes its place between two looks of a worker.
 */
struct edit_plan {
	const struct code_set *codes;
	int link_count;
	struct edit_link {
		struct rule_set *rules; /* NULL: the link has none */
		const struct code_profile **profiles; /* ends with NULL */
	} *links;
};

struct flow;
struct worker;

/** The worker's part of a plan; from here on nothing of the one before is used. NULL: nothing is edited. */
void edits_take(struct worker *w, const struct edit_plan *plan);
void edits_free(struct worker *w);

/**
 * Do the link's rules have anything to say of the PDU at stream offset `at`? Then what is to be sent in its
 * place, the PDU itself if it stays as it is, lies in a slot of the shared memory, and f->edit tells
 * where; so it goes out by flow_edit_forward() when it is its turn.
 */
bool flow_edit(struct flow *f, struct span frame, uint64_t at);

/**
 * The PDU that begins with `head` goes out as it arrives, too long to be edited: if a rule might have touched
 * it, that is told.
 */
void flow_pass_unedited(struct flow *f, struct span head);

/** Send what stands in for the PDU at `p`, or what the kernel takes of it. True when all of it is out. */
bool flow_edit_forward(struct flow *f, uint8_t *p);

/** Give the slot back: the flow is over. */
void flow_edit_drop(struct flow *f);

#endif
