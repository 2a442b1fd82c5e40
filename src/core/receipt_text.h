#ifndef SMSCOPE_CORE_RECEIPT_TEXT_H
#define SMSCOPE_CORE_RECEIPT_TEXT_H

#include "smscope/receipt.h"

/* The text of an SMPP receipt: labels and what stands behind them. */

enum label { L_NONE, L_ID, L_SUB, L_DLVRD, L_SUBMIT, L_DONE, L_STAT, L_ERR, L_TEXT, L_COUNT };

/* Values by label, blanks around them taken off; a label that is not there has an empty one. */
struct labels {
	struct span value[L_COUNT];
	bool seen[L_COUNT];
	int count; /* of labels seen */
};

/**
 * Find the labels in the octets of a message, whatever its encoding is said to be: as they are, or
 * as two octets a character in either order, then decoded into `store`. Returns the text they were
 * found in.
 */
struct span labels_read(struct span octets, struct receipt *store, struct labels *ret);

/**
 * receipt_read() of a delivery, and of SMPP what its text was read as: spans as those of `ret`. Of
 * another protocol `ret_labels` stays as it is.
 */
enum receipt_kind receipt_read_labels(const struct pdu *pdu, struct receipt *ret,
	struct labels *ret_labels);

/** The code of a report as the records show it: its stat, but a TLV beats the text. */
struct span receipt_code(const struct receipt *receipt);

/**
 * The same of a whole deliver PDU at the price of a glance: true if receipt_code() would say so, or
 * if it cannot be read as a report at all. False: read it.
 */
bool receipt_glance(const struct proto *proto, struct span frame, struct span *ret_code);

static inline bool receipt_is_blank(uint8_t c)
{
	static const uint64_t blanks = 1ull << ' ' | 1ull << '\0' | 1ull << '\t' | 1ull << '\r' |
				       1ull << '\n';

	return c <= ' ' && (blanks >> c & 1) != 0;
}

/** Without the blanks and NULs around it. Here, for it is asked of every value. */
static inline struct span receipt_trim(struct span s)
{
	while (s.n > 0 && receipt_is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && receipt_is_blank(*s.p))
		s = span_of(s.p + 1, s.n - 1);
	return s;
}

/** Up to the first blank or NUL. */
struct span receipt_first_word(struct span s);

/** Is the stat one of those that say "not yet"? `state` is its message_state, or the TLV's. */
bool receipt_is_interim(int state, struct span stat);

#endif
