#ifndef SMSCOPE_RECEIPT_H
#define SMSCOPE_RECEIPT_H

#include "smscope/pdu.h"

/*
 * A delivery report, whatever carried it: the fixed 60 or 71 octets of CMPP, the text and TLVs of
 * SMPP. Spans point into the frame, or into `store` when the text had to be decoded first.
 */

enum receipt_kind {
	RECEIPT_NONE,  /* an inbound message */
	RECEIPT_FINAL, /* final or not known to be otherwise */
	RECEIPT_INTERIM,
};

enum { RECEIPT_STORE = 8192 }; /* octets of a text that had to be decoded; more is cut */

struct receipt {
	enum receipt_kind kind;
	struct span raw;       /* the receipt as it came */
	struct span id;        /* message id as written; CMPP: the 8 octets of Msg_Id */
	bool id_binary;        /* CMPP */
	struct span text_id;   /* the text's, where the TLV has another id */
	struct span stat, err; /* as written, case kept; no stat: the TLV's state as a word */
	struct span submit_date, done_date; /* as written */
	struct span dst;       /* CMPP Dest_terminal_Id; SMPP: the PDU's source_addr, the handset */
	struct span text;
	int state;             /* SMPP message_state 0..9, from the TLV or from stat; -1 unknown */
	int stat_state;        /* that of `stat`, whatever the TLV says; -1 none */
	struct span odd_state; /* a message_state TLV that is none of those */
	bool has_network_error;
	uint8_t network_type;
	uint16_t network_error;
	struct span network_raw; /* network_error_code as it came, of whatever length */
	bool network_digits;     /* it is ASCII digits; they are the err if the text has none */
	bool conflict;         /* text and TLV disagree */
	bool undecodable;      /* flagged as a report, yet fits no known shape: only raw is set */
	uint32_t smsc_sequence;
	char store[RECEIPT_STORE];
	size_t store_len;
};

/**
 * Read the report that a DELIVER, deliver_sm or data_sm carries. Returns its kind; RECEIPT_NONE
 * means an inbound message. Never fails: what cannot be read is left empty and flagged.
 */
enum receipt_kind receipt_read(const struct pdu *pdu, struct receipt *ret);

/** proto.report of CMPP and of SMPP. */
int receipt_cmpp(const struct pdu *pdu, struct receipt *ret);
int receipt_smpp(const struct pdu *pdu, struct receipt *ret);

/**
 * Read the text of a receipt that stands alone, without its PDU. RECEIPT_NONE if it has too few of
 * a receipt's labels to be one. Spans point into `text` or into `store`.
 */
enum receipt_kind receipt_of_text(struct span text, struct receipt *ret);

/**
 * Read the 60 or 71 octets of a CMPP report that stand alone. RECEIPT_NONE if they fit no report.
 */
enum receipt_kind receipt_of_cmpp(struct span body, struct receipt *ret);

/**
 * The word a stat begins with, where more follows it: FAILED of "FAILED:Mob. Abst.". All of it
 * where digits follow a colon, as in MB:0064: that is one code.
 */
struct span receipt_stat_word(struct span stat);

/** message_state of a stat's word (DELIVRD, case-blind), -1 if it is none of the ten. */
int receipt_state_of(struct span stat);

/** Stat word of a message_state: "DELIVRD"; NULL out of range. */
const char *receipt_state_word(int state);

/**
 * A date of a receipt as it is written, in seconds since 1970. A date without a zone is taken as
 * UTC, for want of a better: it is off by the gateway's zone. What can be read in two ways
 * (200809011130 has seconds, or a century; two digits of a year are of either century) is read as
 * what lies nearer to `near_wall_ns`, the time of its arrival in nanoseconds since 1970. false, and
 * *ret_s untouched, if it is empty, all zeros, no form of a date, or no day of the calendar.
 */
bool receipt_time(struct span s, uint64_t near_wall_ns, int64_t *ret_s);

/**
 * CMPP Msg_Id for people: "1121191700-104-7" (MMDDHHMMSS-gateway-sequence), or 16 hex digits if its
 * time fields are out of range.
 */
size_t msgid_text(uint64_t id, char *to, size_t cap);

#endif
