#ifndef SMSCOPE_RECORD_H
#define SMSCOPE_RECORD_H

#include "smscope/codes.h"
#include "smscope/proto.h"
#include "smscope/text.h"

/*
 * A record is one fact for people: what one PDU, or one event of a session, told us. It lives on
 * the scribe's stack; its spans point into the frame and die when sink_put() returns, so a sink
 * formats or copies what it needs.
 */

enum record_kind {
	REC_LOGIN,        /* a login and its result */
	REC_SUBMIT,
	REC_SUBMIT_RESP,
	REC_REPORT,       /* delivery report */
	REC_DELIVER,      /* inbound message */
	REC_DELIVER_RESP, /* only shown when it refuses */
	REC_QUERY_RESP,
	REC_CANCEL_RESP,
	REC_NACK,
	REC_SESSION_OPEN,
	REC_SESSION_CLOSE,
	REC_STALL,        /* a PDU that stays half sent, a request that stays unanswered */
	REC_BLIND,        /* framing lost: octets flow on unparsed */
	REC_LOST,         /* records dropped because a ring was full */
	REC_MALFORMED,
	REC_UPSTREAM,     /* a gateway's server refused, timed out, came back */
	REC_UNKNOWN_CODE,
	REC_CONFIG,
	REC_REFUSED,      /* connections turned away before there was a session */
	REC_NO_REPORT,    /* a message that asked for a report and never had a final one */
	REC_ID_RULE,      /* how a link's reports name the messages of its responses */
	REC_COUNT
};

/** The record's `ev` in JSON and in configuration: "submit_resp". */
const char *record_kind_name(enum record_kind k);
int record_kind_of(const char *name);

enum extra_type {
	EXTRA_TEXT,   /* foreign octets: one word, escaped */
	EXTRA_WORDS,  /* our own words: quoted if they hold a blank */
	EXTRA_UINT,
	EXTRA_INT,    /* `value` is an int64_t */
	EXTRA_HEX,    /* `value` as 0x%08X */
	EXTRA_OCTETS, /* hexadecimal digits, text in JSON too */
	EXTRA_NUMBER, /* a telephone number: masked */
	EXTRA_MS,     /* `value` in microseconds; JSON gives KEY_ms */
	EXTRA_TIME,   /* `value` in nanoseconds since 1970 */
	EXTRA_FLAG,   /* KEY=1, true */
};

/* A key that only some kinds have, in the order to be shown. `key` is static. */
struct record_extra {
	const char *key;
	enum extra_type type;
	struct span text;
	uint64_t value;
};

enum { RECORD_EXTRAS_MAX = 32, RECORD_ANSWERS_MAX = 4, RECORD_ERR_ANSWERS_MAX = 2 };

struct record {
	enum record_kind kind;
	uint64_t wall_ns;         /* since 1970 */
	uint64_t id; /* unique while the shared memory lives: lets a reader remove duplicates */
	const char *link;
	uint64_t session;
	enum side from;           /* direction: who sent the PDU */
	bool has_pdu;
	const char *cmd;          /* as pdu_name(), for display in upper case */
	const struct proto *proto;
	uint8_t dialect;
	uint32_t sequence;

	bool has_code;            /* a result, Stat, stat or message_state */
	const char *code_label;   /* "result", "status", "stat" as the protocol calls it */
	bool code_is_text;
	uint32_t code; /* shown in hexadecimal under SMPP (0x0000000E), decimal under CMPP */
	struct span code_text;
	enum code_context code_context; /* that it was looked up in */
	int answer_count;         /* 0 with has_code: unknown to every table */

	struct span err;          /* err: of an SMPP receipt */
	int err_answer_count;

	struct span msgid;        /* text */
	bool msgid_binary;        /* CMPP: 8 octets, shown by msgid_text() */
	uint64_t story;           /* the same for all records of one message; 0 none; in JSON only */
	bool has_rtt;
	uint64_t rtt_us;
	struct span src, dst;

	bool has_body;            /* charset and body_len are known */
	bool has_text;            /* `body` may be shown: the link says so */
	enum charset charset;
	struct span body;
	uint32_t body_len;

	int extra_count;
	/*
	 * Arrays last: record_init() leaves them alone, the counts say how much of them is meant.
	 */
	struct code_answer answers[RECORD_ANSWERS_MAX];
	struct code_answer err_answers[RECORD_ERR_ANSWERS_MAX];
	struct record_extra extras[RECORD_EXTRAS_MAX];
};

/** An empty record of that kind. */
void record_init(struct record *r, enum record_kind kind);

/**
 * Append a key of the record's own kind; silently left off when there are already
 * RECORD_EXTRAS_MAX.
 */
void record_text_extra(struct record *r, const char *key, struct span s);
void record_words_extra(struct record *r, const char *key, const char *words);
void record_number_extra(struct record *r, const char *key, struct span s);
void record_uint_extra(struct record *r, const char *key, uint64_t v);
void record_int_extra(struct record *r, const char *key, int64_t v);
void record_hex_extra(struct record *r, const char *key, uint64_t v);
void record_octets_extra(struct record *r, const char *key, struct span s);
void record_ms_extra(struct record *r, const char *key, uint64_t us);
void record_time_extra(struct record *r, const char *key, uint64_t wall_ns);
void record_flag_extra(struct record *r, const char *key);

enum record_lang { LANG_BOTH, LANG_ZH, LANG_EN };

/* How a sink wants records written. */
struct record_style {
	enum record_lang lang;
	enum mask mask;
	bool show_text;  /* message text; off by default */
	bool color;
	int utc_offset_s; /* of the times shown */
	int link_width; /* the link's column, so that lines of several links stand in line; the sink
			   learns it */
};

enum { RECORD_LINE_MAX = 8192 };

/**
 * One line, with its '\n', of the text log or of the JSON log. What does not fit is cut at the end
 * of a value and marked; the line always ends with '\n', and a JSON line is always one valid
 * object. Returns its length.
 */
size_t record_line_text(const struct record *r, const struct record_style *style, char *to,
			size_t cap);
size_t record_line_json(const struct record *r, const struct record_style *style, char *to,
			size_t cap);

/** "2026-11-21T19:17:00.123+08:00" with `digits` (3 or 6) of the second's fraction. */
void record_time(struct out *o, uint64_t wall_ns, int utc_offset_s, int digits);

/**
 * A duration for people, about three digits of it: "0.4ms", "41ms", "4.2s", "1m15s", "2h03m",
 * "3d04h".
 */
void record_duration(struct out *o, uint64_t us);

/**
 * A code table's own words, escaped like foreign octets: for a line of text, or inside a JSON
 * string.
 */
void record_words(struct out *o, const char *words, bool json);

/** An answer list as people read it: «流量控制错 / flow control», nested meanings joined by " → ". */
void answer_text(struct out *o, const struct code_answer *answers, int count,
		 enum record_lang lang);

/**
 * How many answers a line shows: the best, those that are as good, and what stands beside a row
 * that says little.
 */
int answers_shown(const struct code_answer *answers, int count);

/** "infox-report-prefix>infox-smc": the tables that the answers shown came from. */
void answers_tables(struct out *o, const struct code_answer *answers, int count);

/**
 * What happened, who said so, what to do: of an answer with a nested meaning, the inner row tells
 * what happened and what to do (unless its class is unknown), the outer one who said so.
 */
enum code_class answer_class(const struct code_answer *a);
enum code_origin answer_origin(const struct code_answer *a);
enum code_retry answer_retry(const struct code_answer *a);

/**
 * The best answer as JSON members, without braces or a leading comma: table, name, zh, en, class,
 * origin, retry, ambiguous, nested, and the other readings in `also`. Without an answer:
 * "class":"unknown".
 */
void answer_json(struct out *o, const struct code_answer *answers, int count);

#endif
