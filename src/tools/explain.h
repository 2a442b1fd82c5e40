#ifndef SMSCOPE_TOOLS_EXPLAIN_H
#define SMSCOPE_TOOLS_EXPLAIN_H

#include "smscope/receipt.h"
#include "tools/meaning.h"

/* How to show PDUs, and where. */
struct explain {
	FILE *to;
	bool json, secrets; /* secrets: show passwords and authenticators */
	const char *proto_why; /* how the protocol is known */
	struct meaning meaning;
	int rows;           /* of the PDU being shown */
};

/* How a value is written. */
enum form { FORM_NUMBER, FORM_HEX, FORM_TEXT, FORM_OCTETS, FORM_SECRET };

enum { NOTE_MAX = 2048 };

/* One line of the tree: something of the PDU, where it lies, what it says and what that means. */
struct row {
	const char *part;    /* "header", "body", "item", "tlv", "message", "element", "report" */
	const char *name;
	bool placed;         /* `at` and `len` are known */
	uint32_t at, len;
	enum form form;
	struct span octets;
	char note_text[NOTE_MAX];
	struct out note;     /* what the value means; into note_text */
};

/** Begin a row for `octets` of the frame; the note is empty. */
void row_init(struct row *r, const struct pdu *pdu, const char *part, const char *name,
	enum form form,
	struct span octets);
void row_print(struct explain *e, const struct row *r);

/** What a field's or a TLV's value means by the specification, where it is one of a list. */
void note_field(struct out *o, const struct pdu *pdu, const struct pdu_field *f);
void note_tlv(struct out *o, const struct tlv *t);
void note_state(struct out *o, uint64_t state);
void note_version(struct out *o, const struct proto *p, uint64_t v);

/**
 * A time of an SMPP field, "YYMMDDhhmmsstnnp", absolute or relative; CMPP writes the same. A date
 * of a report, 10, 12 or 14 digits: told by length and plausibility.
 */
void note_time(struct out *o, struct span text);
void note_date(struct out *o, struct span text);

/** Show one parsed PDU. `at` is its offset in the input, `why` how its dialect is known. */
void explain_pdu(struct explain *e, const struct pdu *pdu, size_t at, const char *why);

#endif
