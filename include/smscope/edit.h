#ifndef SMSCOPE_EDIT_H
#define SMSCOPE_EDIT_H

#include "smscope/receipt.h"
#include "smscope/record.h"

/*
 * Rewriting: a PDU is edited by the rules of its link, or left alone. What comes out was parsed
 * again and says what was meant and nothing else; command, sequence number and the number of
 * PDUs never change. A set of rules is built once and then immutable; what changes lies in the
 * caller's context.
 */

enum edit_action {
	EDIT_NONE,       /* stands in the way of rules behind it, or is told only */
	EDIT_MAP_STATUS, /* command_status; CMPP Result, Status */
	EDIT_MAP_STAT,   /* Stat of a CMPP report; stat: of a receipt, its TLVs with it */
	EDIT_MESSAGE_ID, /* of SMPP, in receipts or in responses */
	EDIT_ERR_WIDTH,  /* err: of a receipt */
	EDIT_ANNOTATE,   /* the meaning, as a TLV of responses or in a receipt's text: */
	EDIT_ACTIONS
};

/* Why an edit that a rule asked for was not made. */
enum edit_refusal {
	EDIT_FINE,
	EDIT_PARSE,    /* the PDU does not parse to its last octet */
	EDIT_TOO_LONG, /* the message, a TLV or the PDU would be longer than it may be */
	EDIT_WIDTH,    /* the value does not fit its fixed field */
	EDIT_VALUE,    /* an id that is no number of that base */
	EDIT_VERSION,  /* SMPP 3.3 has no TLVs */
	EDIT_CHARSET,  /* the text cannot be written in the receipt's encoding */
	EDIT_NO_FIELD, /* the PDU has no place for it */
	EDIT_NO_ROOM,  /* the caller's buffer is too small, or there are too many changes */
	EDIT_VERIFY,   /* the edited PDU does not say what was meant */
	EDIT_SIGNED,   /* an authenticator covers the value: CMPP's Status of a login */
	EDIT_REFUSALS
};

/** "map_status"; "too_long". Static text. */
const char *edit_action_name(enum edit_action a);
const char *edit_refusal_name(enum edit_refusal r);

enum edit_base { ID_BASE_KEEP, ID_BASE_HEX_TO_DEC, ID_BASE_DEC_TO_HEX };
enum edit_case { ID_CASE_KEEP, ID_CASE_LOWER, ID_CASE_UPPER };
enum { ANNOTATE_TLV = 1, ANNOTATE_TEXT = 2 };
enum { RULES_MAX = 64, RULE_CODES_MAX = 32, RULE_PREFIXES_MAX = 64 };

/*
 * A rule as it is configured: what it is asked of, and what it does then. Selectors that are empty
 * match everything. Everything is copied by rule_set_new().
 */
struct rule_def {
	const char *name;
	const struct proto *proto; /* that the link speaks; NULL: any */
	enum edit_action action;
	bool dry_run;        /* told, not done; and no rule that does something is kept from anything */
	bool stop;           /* where it matches, no rule behind it is asked */
	bool log;            /* told even where it changes nothing */

	uint32_t pdus;       /* bit c: enum code_context; 0: those that the action is for */
	uint32_t from;       /* bit s: enum side; 0: either */
	uint32_t classes, origins; /* bits of enum code_class and code_origin */
	const char *const *codes;  /* "57", "0x39", "17-255", "MB:0064", "MB:*" */
	int code_count;
	const char *const *tables; /* that the answer, or what is nested in it, came from */
	int table_count;
	const char *const *dst;    /* how the destination begins */
	int dst_count;
	const char *const *accounts; /* system_id, Source_Addr */
	int account_count;

	const struct code_map *map; /* of map_status, map_stat, err_width; may be NULL */
	const char *to;      /* of map_status a number, of map_stat a state; NULL: the map's */
	bool keep_err;       /* map_stat: the stat that was goes into an err that says nothing */
	enum edit_base base;
	enum edit_case letters;
	uint8_t id_width;    /* zeros in front up to so many digits; 0: none */
	bool strip_zeros;
	uint8_t err_width;   /* 3 or 4 */
	uint32_t annotate;   /* ANNOTATE_* */
	enum record_lang lang; /* LANG_ZH or LANG_EN */
	bool to_payload;     /* a message that gets too long moves to message_payload */
};

struct rule_set;

/** `rule` is the index of the rule, or -1. */
typedef void rule_fault_fn(void *arg, int rule, const char *key, const char *what);

/** NULL after reporting each fault. `defs` may be none: such a set touches nothing. */
struct rule_set *rule_set_new(const struct rule_def *defs, int count, rule_fault_fn *fault,
	void *arg);
void rule_set_free(struct rule_set *rules);

int rule_set_count(const struct rule_set *rules);
const char *rule_name(const struct rule_set *rules, int rule);
enum edit_action rule_action(const struct rule_set *rules, int rule);
/** The PDUs that it can do something to: bits of enum code_context. */
uint32_t rule_pdus(const struct rule_set *rules, int rule);
bool rule_logs(const struct rule_set *rules, int rule);
bool rule_is_dry(const struct rule_set *rules, int rule);

enum { EDIT_CHANGES_MAX = 16, EDIT_SCRATCH = 4096, EDIT_BANKS = 4 };

/* One value that changes. Spans point into the frame and into the context's scratch. */
struct edit_change {
	const char *field;   /* as specified; of a receipt's text "id", "stat", "err", "text" */
	bool number;         /* was_number, now_number; else the texts */
	bool added;          /* was not there */
	uint32_t was_number, now_number;
	struct span was, now;
	int rule;
	bool dry_run;
};

/* What became of a PDU. */
struct edit_result {
	int change_count;    /* of those made, and of those that dry_run rules would make */
	struct edit_change changes[EDIT_CHANGES_MAX];
	enum edit_refusal refused; /* the first edit that was not made, of rules that are not dry_run */
	int refused_rule;    /* -1: all of them */
	enum edit_refusal dry_refused; /* the same of dry_run rules: it would not have been made */
	int dry_refused_rule;
	uint64_t logged;     /* bit r: rule r matched, and is to be told */
	uint64_t matched;    /* bit r: rule r matched */
};

/** Has a rule changed something, or wanted to? */
static inline bool edit_tells(const struct edit_result *r)
{
	return r->change_count > 0 || r->refused != EDIT_FINE || r->dry_refused != EDIT_FINE;
}

/* Codes that interest no rule: answered from here until the codes or the rules change. */
struct edit_memo {
	uint8_t dialect;     /* 0: free */
	bool has_words;      /* of `words` one is in use */
	uint32_t quiet[CTX_NACK + 1][8]; /* bit v: a result of v has no rule */
	struct {
		uint8_t n;   /* 0: free */
		char text[15];
	} words[16];         /* codes of reports, by what they begin with */
};

struct edit_patch;

/*
 * What the rules of a link work with: facts first, set by the caller; then memory. One for each
 * thread and link; 28 KiB. edit_context_init() again when codes, profiles or rules are others.
 */
struct edit_context {
	const struct code_set *codes;
	const struct code_profile *const *profiles; /* ends with NULL */
	const struct proto *proto;
	uint8_t dialect;     /* of the session, now */
	uint32_t max_pdu;    /* an edited PDU is no longer; 0: the protocol's */
	struct span account; /* that the session logged in as; empty: not known */
	struct span dst;     /* destination of the request answered, if the caller knows it */

	/* edit.c's own from here on. */
	struct edit_memo memo[EDIT_BANKS];
	struct pdu pdu, edited;
	struct receipt receipt, again;
	enum code_context kind, context; /* of the PDU; that its code is looked up in */
	uint32_t number;
	struct span code;    /* of a report */
	uint64_t labels[24]; /* of its text: struct labels of receipt_text.h */
	int answer_count, err_answer_count; /* -1: not looked up yet */
	struct code_answer answers[RECORD_ANSWERS_MAX], err_answers[RECORD_ERR_ANSWERS_MAX];
	uint8_t scratch[EDIT_SCRATCH];
	size_t scratch_len;
	uint8_t content[2048]; /* of a message that moves */
};

/** Empty: no codes, no profiles, nothing remembered. Then set the facts. */
void edit_context_init(struct edit_context *ctx);

/*
 * The numbers that an SP's latest requests were about, by sequence number: for rules with `dst` on what
 * answers them. All zero: there were none. One of a session; 16 KiB.
 */
enum { EDIT_ASKED = 512 };

struct edit_asked {
	struct edit_request {
		uint32_t sequence;
		uint8_t n;
		char dst[27]; /* cut to fit */
	} of[EDIT_ASKED];
};

/** Has a rule `dst` for responses? Else nobody need remember requests. */
bool edit_asks_dst(const struct rule_set *rules);

/** The SP sent `frame`: whatever it is, it is remembered if it is a request. Uses the context's facts and memory. */
void edit_request(struct edit_asked *a, struct edit_context *ctx, struct span frame);

/** For ctx->dst: whom the response `frame` is about; empty: not known. Valid until the next edit_request(). */
struct span edit_requested(const struct edit_asked *a, const struct proto *proto, struct span frame);

/** Could a rule touch this PDU? By its header alone: false lets edit_pdu() be left out. */
bool edit_wants(const struct rule_set *rules, const struct proto *proto, struct span frame);

/**
 * Edit `frame`, a whole PDU from side `from`, by the rules, into `out` of `cap` octets. Returns
 * the length of the edited PDU; 0: send the frame as it came, because no rule changes it or
 * because the change was refused: `ret` says which. Allocates nothing. `ret` is filled in any
 * case and valid until the context is used again.
 */
int edit_pdu(const struct rule_set *rules, struct edit_context *ctx, enum side from,
	struct span frame, uint8_t *out, size_t cap, struct edit_result *ret);

#endif
