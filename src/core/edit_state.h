#ifndef SMSCOPE_CORE_EDIT_STATE_H
#define SMSCOPE_CORE_EDIT_STATE_H

#include "core/receipt_text.h"
#include "smscope/edit.h"
#include "smscope/msgid.h"

/*
 * From a rule to octets:
 *
 *     edit.c          which rules match          edit_rules.c   what a rule is
 *     edit_plan.c     rule → patches             edit_receipt.c those of a receipt
 *     edit_build.c    patches → octets           edit_verify.c  do the octets say what was meant?
 *     edit_asked.c    whom a response is about   edit_check.c   what is wrong with a rule
 */

struct rule_code {
	int64_t lo, hi;      /* lo > hi: no number */
	const char *text;
	bool prefix;
};

struct rule {
	struct rule_def def; /* its arrays and texts are the set's */
	struct rule_code codes[RULE_CODES_MAX];
	uint32_t number;     /* of def.to */
};

struct owned {
	struct owned *next;
	_Alignas(16) unsigned char octets[];
};

enum { TOUCH_SLOTS = 128, TOUCH_PROTOS = 8 };

struct rule_set {
	int count;
	uint32_t kinds, done_kinds; /* PDUs of all rules; of those that do something */
	/* A rule asks for more than a result: results are not remembered. */
	bool no_memo;
	bool has_dry;
	bool asks_dst;       /* of responses, which do not have it */
	const struct proto *protos[TOUCH_PROTOS];
	uint8_t touch[TOUCH_PROTOS][TOUCH_SLOTS];
	struct rule *rules;
	struct owned *owned; /* copies of all that the definitions point to */
};

static inline unsigned touch_slot(uint32_t command)
{
	return (command & 0x3fu) | (command >> 31) << 6;
}

enum patch_kind {
	PATCH_FIELD,   /* a field of the body, a text of at most its width */
	PATCH_STATUS,  /* the header's status, or a field of fixed width */
	PATCH_STAT,    /* the seven octets of a CMPP report */
	PATCH_LABEL,   /* a value in the text of a receipt */
	PATCH_TLV,     /* the value of a TLV */
	PATCH_TLV_ADD,
};

/* A change as octets: at `at` of the frame `del` octets are replaced by `put`. */
struct edit_patch {
	enum patch_kind kind;
	enum label label;    /* PATCH_LABEL */
	uint16_t tag;        /* PATCH_TLV and PATCH_TLV_ADD; `at` is that of the value */
	enum field field;    /* PATCH_FIELD, PATCH_STATUS */
	uint32_t at, del;
	struct span put;
	struct span said;    /* PATCH_LABEL: what is to be read there afterwards, as text */
};

struct edit_plan {
	int count;
	bool dry;            /* of the rules that only tell */
	bool move;           /* the message goes into message_payload */
	bool may_move;
	uint32_t kinds;      /* bit k: a patch of enum patch_kind k may be there */
	uint32_t fill;       /* octets of empty fields before the first TLV of a response */
	struct edit_patch patches[EDIT_CHANGES_MAX];
};

/* How far a plan is, to go back to when a rule turns out not to do. */
struct edit_mark {
	int count, changes;
	bool move, may_move;
	uint32_t fill;
};

static inline struct edit_mark edit_mark(const struct edit_plan *plan,
	const struct edit_result *ret)
{
	return (struct edit_mark){ plan->count, ret->change_count, plan->move, plan->may_move,
		plan->fill };
}

static inline void edit_back(const struct edit_mark *m, struct edit_plan *plan,
	struct edit_result *ret)
{
	plan->count = m->count;
	plan->move = m->move;
	plan->may_move = m->may_move;
	plan->fill = m->fill;
	ret->change_count = m->changes;
}

/** The labels of the receipt in hand. */
static inline struct labels *edit_labels(struct edit_context *ctx)
{
	_Static_assert(sizeof(struct labels) <= sizeof(ctx->labels), "room for the labels");
	return (struct labels *)(void *)ctx->labels;
}

/** What the link knows of a code as text, best first, into ctx->answers; looked up once. */
int edit_answers(struct edit_context *ctx);
int edit_err_answers(struct edit_context *ctx);

/** A map's row for the PDU's code. */
const struct code_map_row *edit_mapped(struct edit_context *ctx, const struct code_map *map);

/** Memory in the scratch that lasts until the next PDU; an empty span: there is none left. */
struct span edit_keep(struct edit_context *ctx, const void *p, size_t n);

/**
 * Add what the rule changes to the plan, and its changes to `ret`. 1: it applies (it may still
 * change nothing); 0: it does not, the next of its kind is asked; negative: minus an enum
 * edit_refusal.
 */
int edit_plan_rule(struct edit_context *ctx, const struct rule_set *rules, int rule,
	struct edit_plan *plan, struct edit_result *ret);
int edit_plan_stat(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule);
int edit_plan_err(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule);
int edit_plan_text(struct edit_context *ctx, const struct rule *r, struct edit_plan *plan,
	struct edit_result *ret, int rule);

/** Add one patch with its change. 0, or minus EDIT_NO_ROOM. */
int edit_patch_add(struct edit_plan *plan, struct edit_result *ret, const struct edit_patch *patch,
	struct edit_change change, int rule);

/** Is that part of the PDU in the plan already? */
const struct edit_patch *edit_patch_of(const struct edit_plan *plan, enum patch_kind kind,
	int what);

/** Add a new value of a label of the receipt's text; said and put are made here. */
int edit_label(struct edit_context *ctx, struct edit_plan *plan, struct edit_result *ret,
	enum label label, struct span was, struct span now, int rule);

/** Add a new value of a TLV that is there; of that tag the first that is not empty. */
bool edit_tlv_find(const struct pdu *pdu, uint16_t tag, struct tlv *ret);
int edit_tlv(struct edit_context *ctx, struct edit_plan *plan, struct edit_result *ret,
	const struct tlv *t, struct span now, int rule);

/** Does the label stand in the receipt's text? Its value may be empty. */
bool edit_has_label(const struct edit_context *ctx, struct span value);

/** Are the receipt's labels in short_message? Else they are in message_payload. */
static inline bool edit_in_message(const struct edit_context *ctx)
{
	struct span sm = pdu_octets(&ctx->pdu, F_SHORT_MESSAGE), raw = ctx->receipt.raw;

	return sm.n > 0 && raw.p >= sm.p && raw.p <= sm.p + sm.n;
}

/** What the code means, in one language; in English only ASCII where the tables allow. */
void edit_meaning(struct edit_context *ctx, enum record_lang lang, struct out *o);

/** The message's length with the plan's changes; 0 if it is none of short_message. */
size_t edit_message_len(const struct edit_context *ctx, const struct edit_plan *plan);

/** The plan's octets. Their number, or minus an enum edit_refusal. */
int edit_build(struct edit_context *ctx, const struct edit_plan *plan, uint8_t *out, size_t cap);

/** Do the octets say what the plan meant, and nothing else than the frame beside it? */
bool edit_verify(struct edit_context *ctx, const struct edit_plan *plan, struct span out);

enum { TAG_STATUS_TEXT = 0x001d, TAG_RECEIPTED_ID = 0x001e, TAG_NETWORK_ERROR = 0x0423,
	TAG_PAYLOAD = 0x0424, TAG_STATE = 0x0427 };
enum { ESM_UDHI = 0x40, SM_MAX = 254, STAT_AT = 8, STAT_LEN = 7 };

#endif
