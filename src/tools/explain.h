#ifndef SMSCOPE_TOOLS_EXPLAIN_H
#define SMSCOPE_TOOLS_EXPLAIN_H

#include "smscope/body.h"
#include "smscope/receipt.h"
#include "tools/meaning.h"

/* How to show PDUs, and where. */
struct explain {
	FILE *to;
	bool json, secrets; /* secrets: show passwords and authenticators */
	const char *proto_why; /* how the protocol is known */
	struct meaning meaning;
	int rows;           /* of the PDU being shown */
	struct body body;   /* its message */
	const struct receipt *receipt; /* that it carries, or NULL */
	bool text_shown;    /* its message was shown as text already */
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
	struct span raw;     /* what `octets` was decoded from: JSON shows both; empty: nothing */
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

/** Append what the row's octets mean as a code, a number or a text, in that context. */
void note_code(const struct explain *e, struct row *r, const struct pdu *pdu,
	enum code_context context, bool text);

/** Begin and end an object of the output; `name` is what it is called. */
void explain_begin(struct explain *e, const struct pdu *pdu, const char *name, size_t at,
	const char *why);
void explain_end(struct explain *e, const struct pdu *pdu);

/** If the message `s` of the PDU is text, make it the row's value, decoded. */
void row_decode(struct explain *e, struct row *r, const struct pdu *pdu, struct span s);

/** The rows of the report that the PDU carries. */
void explain_report(struct explain *e, const struct pdu *pdu, const struct receipt *t);

/** The rows of the message: its user data header, its part, its text unless that was shown. */
void explain_message(struct explain *e, const struct pdu *pdu);

/** Show a report that stands alone: the body of a CMPP report, or the text of a receipt. */
void explain_alone(struct explain *e, const struct proto *p, const struct receipt *t, size_t at);

/** Show one parsed PDU. `at` is its offset in the input, `why` how its dialect is known. */
void explain_pdu(struct explain *e, const struct pdu *pdu, size_t at, const char *why);

#endif
