#ifndef SMSCOPE_CODES_H
#define SMSCOPE_CODES_H

#include <stdbool.h>

#include "smscope/bytes.h"

/*
 * What a code means. A code means nothing without its context, so the key of every lookup is
 * (profile, context, protocol side, value) and the answer is a list, best first.
 *
 * The set is built once (codes_build.h), then immutable: lookups take no lock and allocate nothing.
 * Strings and rows belong to the set.
 */

enum code_context {
	CTX_LOGIN,
	CTX_SUBMIT_RESP,
	CTX_DELIVER_RESP,
	CTX_QUERY_RESP,
	CTX_CANCEL_RESP,
	CTX_FORWARD_RESP,
	CTX_REPORT,      /* Stat of a CMPP report, stat: of an SMPP receipt, message_state */
	CTX_RECEIPT_ERR, /* err: of an SMPP receipt */
	CTX_NETWORK_ERROR, /* network_error_code of an SMPP receipt whose network is GSM */
	CTX_NACK,
	CTX_COMPOSITE,   /* numeric gateway code: prefix and nested code */
	CTX_LOG,         /* ErrCode: in a gateway's log */
	CTX_ERRNO,
	CTX_API,
	CTX_COUNT
};

/* One bit each; another protocol whose numbers mean something else is another one. */
enum code_side { CODE_SMPP = 1, CODE_CMPP = 2, CODE_ANY = 3 };
enum { CODE_SIDES = 2 };

/* Whose socket numbers a log shows. ANY: every platform's reading is given. */
enum code_platform {
	PLATFORM_ANY, PLATFORM_WINDOWS, PLATFORM_HPUX, PLATFORM_AIX, PLATFORM_LINUX,
	PLATFORM_COUNT
};

/* What happened. */
enum code_class {
	CLASS_UNKNOWN,
	CLASS_OK, CLASS_PENDING, CLASS_EXPIRED, CLASS_UNDELIVERABLE, CLASS_REJECTED, CLASS_THROTTLED,
	CLASS_AUTH, CLASS_BILLING, CLASS_SUBSCRIBER, CLASS_NUMBER, CLASS_CONTENT, CLASS_ROUTING,
	CLASS_PROTOCOL, CLASS_NETWORK, CLASS_SYSTEM,
	CLASS_COUNT
};

/* Who said so. */
enum code_origin {
	ORIGIN_NONE,
	ORIGIN_SP, ORIGIN_GATEWAY, ORIGIN_NEXT_GATEWAY, ORIGIN_SMSC, ORIGIN_SCP, ORIGIN_DSMP,
	ORIGIN_SPACE, ORIGIN_HANDSET, ORIGIN_PLATFORM, ORIGIN_LOCAL,
	ORIGIN_COUNT
};

/* What to do about it. */
enum code_retry { RETRY_NA, RETRY_NEVER, RETRY_LATER, RETRY_NOW, RETRY_FIX, RETRY_COUNT };

const char *code_context_name(enum code_context c);
const char *code_class_name(enum code_class c);
const char *code_origin_name(enum code_origin o);
const char *code_retry_name(enum code_retry r);
const char *code_side_name(enum code_side s); /* of one side */
const char *code_platform_name(enum code_platform p);

/** Value of a name, or negative (SM_ENONE). */
int code_context_of(const char *name);
int code_class_of(const char *name);
int code_origin_of(const char *name);
int code_retry_of(const char *name);
int code_platform_of(const char *name);

enum { CODE_NESTED_MAX = 4, CODE_ANSWERS_MAX = 16 };

/*
 * One row of the source. `key` is the value as the source writes it ("14~49", "MB:xxxx", "0X00000040").
 * lo..hi, text and is_default say how it matches first; a row that prints two numbers is found by
 * both. Optional strings are NULL.
 */
struct code_row {
	const char *key;
	int64_t lo, hi;        /* numeric rows; lo > hi in others */
	const char *text;      /* text rows: NULL in numeric ones; matched case-blind */
	bool prefix;           /* `text` is a prefix; what follows it is the nested value */
	bool is_default;       /* answers when no other row of the table does */
	const char *name;      /* mnemonic: ESME_RTHROTTLED, E_STORE_TIME_OUT */
	const char *zh, *en;
	const char *remark_zh, *remark_en;
	const char *cause_zh, *cause_en;
	const char *action_zh, *action_en;
	uint8_t cls, origin, retry; /* enum code_class, code_origin, code_retry */
	bool foreign;          /* what follows the prefix is the peer's own */
	/* Tables that explain what follows the prefix, in order; none: the value is the peer's own. */
	const struct code_table *nested[CODE_NESTED_MAX];
	const char *file;      /* where it was loaded from */
	int line;
	int source_line;       /* line of the source document, 0 none */
	uint64_t digest;       /* of all that it says, wherever it stands: codes_compare() */
};

struct code_table {
	const char *name;   /* "infox-smc" */
	const char *title_zh, *title_en;
	const char *source; /* document the meanings come from */
	bool hex;           /* written in hexadecimal by its source: a 4-digit decimal text may also be read as hex */
	int64_t divisor;    /* composite tables: prefix = n div divisor, nested = n mod divisor; else 0 */
	int row_count;
	bool reached;       /* a step of a profile or a row's nested list leads to it */
	const struct code_row *rows; /* in the order of the source */
	const char *file;
	int line;
};

struct code_set;
struct code_profile;

/* One reading of a value. */
struct code_answer {
	const struct code_profile *profile; /* whose rule gave it */
	const struct code_table *table;
	const struct code_row *row;
	int64_t number;      /* the value as this reading understood it; INT64_MIN for text */
	bool ambiguous;      /* another answer of the list is as good */
	bool beside;         /* the standard meaning, kept beside a vendor's */
	bool derived;        /* by rule, not by a row of its own */
	bool has_nested;     /* the value has an inner value: nested_value, nested_text */
	int64_t nested_value;
	char nested_text[16];  /* the inner value as written: "0064" */
	struct {
		const struct code_table *table;
		const struct code_row *row;
		int64_t number;      /* as this reading understood it: 0x65 where the digits were taken as hexadecimal */
		bool ambiguous, derived;
	} nested[CODE_NESTED_MAX];
	int nested_count;    /* 0 with has_nested: the inner value is unknown to the nested tables, or the peer's own */
	bool nested_foreign; /* the inner value belongs to the peer: no table can know it */
};

/** A profile of the set by name, or NULL. Profiles list, for each context and side, tables in order. */
const struct code_profile *codes_profile(const struct code_set *set, const char *name);
const char *codes_profile_name(const struct code_profile *profile);
const char *codes_profile_title(const struct code_profile *profile, bool zh);

/** Profiles in load order by index. */
int codes_profile_count(const struct code_set *set);
const struct code_profile *codes_profile_at(const struct code_set *set, int i);

/*
 * Question. `profiles` ends with NULL: the first that answers wins, except that "standard" is always
 * asked last and its answer kept beside a vendor's.
 */
struct code_query {
	const struct code_profile *const *profiles;
	enum code_context context;
	enum code_side side;
	uint8_t dialect;     /* 0x20, 0x30, 0x34 …; 0 when not known */
	uint8_t platform;    /* enum code_platform: of CTX_LOG and CTX_ERRNO */
	bool by_name;        /* text may also be a row's name: "ESME_RTHROTTLED" */
	bool is_text;
	int64_t number;      /* unless is_text */
	struct span text;    /* as on the wire or as typed: "MB:0064", "DELIVRD", "0051" */
};

/**
 * Meanings of a value, best first, into `ret` (at most `cap`). Returns how many; 0: no table of the
 * profiles lists it. Allocates nothing.
 */
int codes_lookup(const struct code_set *set, const struct code_query *q, struct code_answer *ret, int cap);

/** Table by name, or NULL; tables in load order by index. */
const struct code_table *codes_table(const struct code_set *set, const char *name);
int codes_table_count(const struct code_set *set);
const struct code_table *codes_table_at(const struct code_set *set, int i);

/*
 * A map: which code stands for which, for rewriting (edit.h). Rows are tried in order, the first that
 * matches holds. All rows of a map give numbers, or all of them words.
 */
enum code_map_kind {
	MAP_STATUS, /* numbers: command_status, Result, Status */
	MAP_STAT,   /* the stat of a report to one of the seven standard states */
	MAP_ERR,    /* the err of a receipt to another */
	MAP_KINDS
};

struct code_map_row {
	uint32_t contexts;    /* bit c: enum code_context; MAP_STATUS only */
	uint8_t dialect_from, dialect_to; /* 0, 0: every dialect */
	int64_t lo, hi;       /* by number; lo > hi: not by number */
	const char *text;     /* by word, case-blind; NULL: not */
	bool prefix;          /* `text` is how it begins */
	uint32_t classes;     /* by what it means, bit c: enum code_class; 0: not */
	bool is_default;      /* whatever it is */
	uint32_t number;      /* what it becomes: of MAP_STATUS */
	const char *word;     /* of the others */
	int line;
};

struct code_map {
	const char *name, *title_zh, *title_en, *source;
	enum code_map_kind kind;
	uint8_t sides;        /* enum code_side */
	int row_count;
	const struct code_map_row *rows;
	const char *file;
	int line;
};

/* A code in hand, for code_map_find(). */
struct code_mapped {
	enum code_context context;
	uint8_t dialect;
	bool is_text;
	int64_t number;
	struct span text;
	bool has_class;      /* `cls` is known: rows that ask for it may match */
	enum code_class cls;
};

/** The first row that matches, or NULL. */
const struct code_map_row *code_map_find(const struct code_map *map, const struct code_mapped *c);

/** Does a row ask for the class? Then the answer has to be known first. */
bool code_map_asks_class(const struct code_map *map);

/** Map by name, or NULL; maps in load order by index. */
const struct code_map *codes_map(const struct code_set *set, const char *name);
int codes_map_count(const struct code_set *set);
const struct code_map *codes_map_at(const struct code_set *set, int i);

const char *code_map_kind_name(enum code_map_kind k);
int code_map_kind_of(const char *name);

/** Rows of all tables. */
int codes_row_count(const struct code_set *set);

/* How many were added, changed and removed. */
struct codes_count {
	int added, changed, removed;
};

struct codes_changes {
	struct codes_count rows;     /* by table and key; a table's source and kind are part of each */
	struct codes_count profiles; /* by name */
	struct codes_count maps;     /* by name */
};

/** What turns one set into the other. Takes a time that grows with the rows: not for the way of a PDU. */
void codes_compare(const struct code_set *from, const struct code_set *to,
	struct codes_changes *ret);

void codes_free(struct code_set *set);

#endif
