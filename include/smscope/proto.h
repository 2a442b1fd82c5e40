#ifndef SMSCOPE_PROTO_H
#define SMSCOPE_PROTO_H

#include <stdbool.h>

#include "smscope/bytes.h"

/*
 * A protocol is data: its header, its PDUs as tables of slots, and a handful of questions that need
 * a line of code. One walker (pdu.h) serves them all. Adding a protocol is one file that exports a
 * struct proto, and one line in proto.c.
 */

enum side {
	SIDE_SP, /* the service provider's end: ESME, SP */
	SIDE_GW, /* the gateway's end: SMSC, ISMG */
};

/** The other side. */
static inline enum side side_other(enum side s)
{
	return s == SIDE_SP ? SIDE_GW : SIDE_SP;
}

/* What a PDU is for, whatever its protocol calls it. The acknowledgement follows its request. */
enum role {
	R_NONE,
	R_LOGIN,
	R_LOGIN_ACK,
	R_LOGOUT,
	R_LOGOUT_ACK,
	R_PROBE, /* keepalive: enquire_link, ACTIVE_TEST */
	R_PROBE_ACK,
	R_SUBMIT,
	R_SUBMIT_ACK,
	R_DELIVER,
	R_DELIVER_ACK,
	R_QUERY,
	R_QUERY_ACK,
	R_CANCEL,
	R_CANCEL_ACK,
	R_REPLACE,
	R_REPLACE_ACK,
	R_FORWARD, /* ISMG to ISMG */
	R_FORWARD_ACK,
	R_ROUTE, /* GNS tables */
	R_ROUTE_ACK,
	R_BROADCAST,
	R_BROADCAST_ACK,
	R_ADMIN, /* 3.3 leftovers: param_retrieve and its kin */
	R_ADMIN_ACK,
	R_DATA, /* data_sm, which goes both ways: pdu_role_from() */
	R_DATA_ACK,
	R_OUTBIND,
	R_ALERT,
	R_NACK,
};

static inline bool role_is_ack(enum role r)
{
	return r == R_NACK || (r > R_NONE && r < R_OUTBIND && r % 2 == 0);
}

/*
 * Every field of every PDU. The names that people see are in field_name(). From F_OWN on each
 * protocol may have fields that are nobody else's, numbered and named in its own file.
 */
enum field {
	F_NONE,
#define FIELD(id, smpp, cmpp) F_##id,
#include "smscope/fields.def"
#undef FIELD
	F_OWN,
	F_COUNT = F_OWN + 32
};

enum shape {
	SHAPE_END,
	SHAPE_UINT,   /* big-endian integer of `size` octets */
	SHAPE_OCTETS, /* `size` octets, right-padded with NUL (or spaces, from real peers) */
	SHAPE_RAW,    /* `size` octets that are no text and have no padding */
	SHAPE_CSTR,   /* C-Octet String, at most `size` octets with its NUL */
	SHAPE_VAR,    /* as many octets as field `by` says */
	/* field `by` items: `size` octets each, or, if `item` is set, one walk of it each */
	SHAPE_LIST,
	/*
	 * inside an item: the next slots count only while field `by` is `size`; size 0xffff ends it
	 */
	SHAPE_WHEN,
	SHAPE_TLVS,   /* tag u16, length u16, value, until the frame ends */
	SHAPE_REST,   /* whatever is left, nothing included */
	SHAPE_STOP,   /* the body may legally end here */
};

struct slot {
	uint8_t shape;
	uint8_t field;
	uint8_t by; /* another field; of CSTR: 1 for CSTR_OPEN */
	uint16_t size;
	const struct slot *item;
};

#define UINT(f, n)	{ SHAPE_UINT, (f), 0, (n), NULL }
#define OCTETS(f, n)	{ SHAPE_OCTETS, (f), 0, (n), NULL }
#define RAW(f, n)	{ SHAPE_RAW, (f), 0, (n), NULL }
#define CSTR(f, n)	{ SHAPE_CSTR, (f), 0, (n), NULL }
#define CSTR_OPEN(f, n)	{ SHAPE_CSTR, (f), 1, (n), NULL } /* the frame may end before its NUL */
#define VAR(f, len)	{ SHAPE_VAR, (f), (len), 0, NULL }
#define LIST(f, count, n) { SHAPE_LIST, (f), (count), (n), NULL }
#define LIST_OF(f, count, slots) { SHAPE_LIST, (f), (count), 0, (slots) }
#define WHEN(f, value)	{ SHAPE_WHEN, 0, (f), (value), NULL }
#define END_WHEN	{ SHAPE_WHEN, 0, 0, 0xffff, NULL }
#define TLVS		{ SHAPE_TLVS, 0, 0, 0, NULL }
#define REST(f)		{ SHAPE_REST, (f), 0, 0, NULL }
#define STOP		{ SHAPE_STOP, 0, 0, 0, NULL }
#define END		{ SHAPE_END, 0, 0, 0, NULL }

/* One PDU in one range of dialects. Rows of one command lie together, oldest dialect first. */
struct layout {
	uint32_t command;
	uint8_t dialect_min, dialect_max;
	uint8_t role; /* enum role */
	const char *name; /* lower case, as records show it upper case: "submit_resp" */
	const struct slot *body;
	const char *spec_name; /* as its specification writes it; NULL: the same as name */
};

/*
 * What people call a dialect. The list ends with value 0, whose name stands for every other
 * dialect.
 */
struct dialect {
	uint8_t value;
	const char *name;
};

struct pdu;
struct receipt;

/*
 * Dialects are the protocol's own version octets: CMPP 0x20 0x21 0x30, SMPP 0x33 0x34 0x50.
 */
struct proto {
	const char *name;          /* "cmpp" */
	/*
	 * UINT slots: the length, the command, …; the last is the counter that a response repeats
	 */
	const struct slot *header;
	uint32_t header_len;       /* 12 or 16; also the least legal PDU length */
	uint32_t max_pdu;          /* default ceiling for a PDU's length */
	uint8_t dialect_default;   /* until the link has shown another */
	const char *const *field_names; /* F_COUNT of them; NULL: it has no such field */
	const struct dialect *dialects;
	uint8_t code_side;         /* enum code_side: whose numbers its results are */
	const char *login_verb;    /* of a login's line in the log: "BIND_RESP" */
	const char *account_key;   /* of the account in that line: "system_id" */
	const char *logout_word;   /* "unbind" */
	bool status_in_header;     /* SMPP: octets 8..11 are command_status */
	uint32_t secret_mask;      /* bit c: command c, or its response, carries a secret; c < 32 */
	uint32_t nack_command;     /* 0: the protocol has none */
	const struct layout *layouts; /* ends with name NULL */
	/* body fields that hold a result, F_NONE ends; NULL if in the header */
	const enum field *status_fields;

	/**
	 * Dialect that `frame` (a login request or response) proves, or `now` when it proves
	 * nothing.
	 */
	uint8_t (*dialect_of)(struct span frame, uint8_t now);

	/**
	 * Is `frame` a login request that this protocol could have sent? 0 no, more is a better
	 * fit.
	 */
	int (*login_fit)(struct span frame);

	/**
	 * Write the response that refuses login `frame` with `reason`; at most `cap` octets at
	 * `to`. Returns its length, SM_ELEN if `cap` is too small, SM_ECMD if `frame` is no login
	 * request.
	 */
	int (*refuse)(struct span frame, int reason, uint8_t *to, size_t cap);

	/**
	 * The report that a delivery carries, into `ret`, which is empty but for its spans; the
	 * kind of report (receipt.h).
	 */
	int (*report)(const struct pdu *pdu, struct receipt *ret);
};

/* Reasons of proto.refuse: the protocol chooses the status that fits. */
enum refusal {
	REFUSE_UPSTREAM, /* no gateway answered */
	REFUSE_LIMIT,    /* too many sessions */
	REFUSE_DENIED,   /* account or address not allowed here */
};

extern const struct proto proto_cmpp, proto_smpp;

/** Protocol by name ("cmpp", "smpp"), or NULL. */
const struct proto *proto_named(const char *name);

/** All protocols, ended by NULL. */
const struct proto *const *proto_all(void);

/** Protocol whose login `frame` is (a first PDU, whole), or NULL: the best login_fit wins. */
const struct proto *proto_detect(struct span frame);

/**
 * Length of the first PDU in `in`, its header included.
 *
 * Reads only the leading length field (4 octets, big-endian), so a partial read is fine. Returns
 * the length once that many octets are present, 0 while more are needed, SM_ELEN if the field lies
 * outside [header_len, max_len]. After SM_ELEN the stream cannot be resynchronised: go blind or
 * close.
 */
static inline int64_t proto_frame(struct span in, uint32_t header_len, uint32_t max_len)
{
	uint32_t len;

	if (in.n < 4)
		return 0;
	len = bytes_u32(in.p);
	if (len < header_len || len > max_len)
		return SM_ELEN;
	return in.n >= len ? (int64_t)len : 0;
}

/**
 * What speaks like this, when it is not one of ours: "HTTP", "TLS", "SSH", "AMQP", "PROXY
 * protocol", or NULL.
 */
const char *proto_foreign(struct span in);

/** May `command` carry a password or an authenticator? True for its response, too. */
static inline bool proto_secret(const struct proto *p, uint32_t command)
{
	uint32_t c = command & 0x7fffffffu;

	return c < 32 && (p->secret_mask >> c & 1u) != 0;
}

/**
 * Overwrite every secret in `frame`, a PDU for which proto_secret() holds, in place: fixed fields
 * with zeros, the characters of a C-Octet String with '*', so that what follows it stays where it
 * was and the copy still parses. If its body does not parse, all of the body is zeroed.
 */
void proto_scrub(const struct proto *p, uint8_t *frame, size_t len);

/**
 * The specification's name of a field: "Registered_Delivery" under CMPP, "registered_delivery"
 * under SMPP.
 */
const char *field_name(const struct proto *p, enum field f);

/** Is the field a password or an authenticator? Its octets are shown to nobody. */
bool field_secret(enum field f);

/** The protocol whose name begins with that letter; NULL: none does. */
const struct proto *proto_by_letter(char letter);

/** What people call the protocol and its dialect: "CMPP 2.0". Static text. */
const char *dialect_name(const struct proto *p, uint8_t dialect);

#endif
