#include "core/edit_state.h"

#include <strings.h>

/*
 * Which rules match a PDU. What can be told from its header alone is; then it is parsed, its
 * code is looked up once, if a rule asks, and the rules are tried in order: of each action the
 * first that matches counts. Rules that only tell keep none of the others from anything.
 */

void edit_context_init(struct edit_context *ctx)
{
	struct span none = { (const uint8_t *)"", 0 };

	ctx->codes = NULL;
	ctx->profiles = NULL;
	ctx->proto = NULL;
	ctx->dialect = 0;
	ctx->max_pdu = 0;
	ctx->account = ctx->dst = ctx->code = none;
	ctx->scratch_len = 0;
	memset(ctx->memo, 0, sizeof(ctx->memo));
}

struct span edit_keep(struct edit_context *ctx, const void *p, size_t n)
{
	uint8_t *to = ctx->scratch + ctx->scratch_len;

	if (n > sizeof(ctx->scratch) - ctx->scratch_len)
		return span_of(to, 0);
	if (n > 0)
		memcpy(to, p, n);
	ctx->scratch_len += n;
	return span_of(to, n);
}

/* What the PDU is to a rule, and where its code is looked up. */
static bool kind_of(struct edit_context *ctx, enum side from)
{
	static const struct {
		uint8_t role, kind, context;
	} roles[] = {
		{ R_LOGIN_ACK, CTX_LOGIN, CTX_LOGIN },
		{ R_SUBMIT_ACK, CTX_SUBMIT_RESP, CTX_SUBMIT_RESP },
		{ R_BROADCAST_ACK, CTX_SUBMIT_RESP, CTX_SUBMIT_RESP },
		{ R_DELIVER_ACK, CTX_DELIVER_RESP, CTX_DELIVER_RESP },
		{ R_QUERY_ACK, CTX_QUERY_RESP, CTX_QUERY_RESP },
		{ R_CANCEL_ACK, CTX_CANCEL_RESP, CTX_CANCEL_RESP },
		{ R_REPLACE_ACK, CTX_CANCEL_RESP, CTX_SUBMIT_RESP },
		{ R_FORWARD_ACK, CTX_FORWARD_RESP, CTX_FORWARD_RESP },
		{ R_NACK, CTX_NACK, CTX_NACK },
		{ R_DELIVER, CTX_REPORT, CTX_REPORT },
		{ R_FORWARD, CTX_REPORT, CTX_REPORT },
	};
	enum role role = pdu_role_from(&ctx->pdu, from);

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (roles[i].role != role)
			continue;
		ctx->kind = (enum code_context)roles[i].kind;
		ctx->context = (enum code_context)roles[i].context;
		return true;
	}
	return false;
}

static int look_up(struct edit_context *ctx, enum code_context context, struct span text,
	struct code_answer *ret, int cap)
{
	struct code_query q = {
		.profiles = ctx->profiles,
		.context = context,
		.side = (enum code_side)ctx->proto->code_side,
		.dialect = ctx->dialect,
		.is_text = context == CTX_REPORT || context == CTX_RECEIPT_ERR,
		.number = ctx->number,
		.text = text,
	};

	return ctx->codes != NULL ? codes_lookup(ctx->codes, &q, ret, cap) : 0;
}

int edit_answers(struct edit_context *ctx)
{
	struct span first;

	if (ctx->answer_count >= 0)
		return ctx->answer_count;
	ctx->answer_count = look_up(ctx, ctx->context, ctx->code, ctx->answers, RECORD_ANSWERS_MAX);
	if (ctx->kind != CTX_REPORT || ctx->answer_count > 0)
		return ctx->answer_count;
	/* As records do: words behind a stat are in no table, its own word may be. */
	first = receipt_stat_word(ctx->code);
	if (first.n < ctx->code.n)
		ctx->answer_count =
			look_up(ctx, ctx->context, first, ctx->answers, RECORD_ANSWERS_MAX);
	return ctx->answer_count;
}

int edit_err_answers(struct edit_context *ctx)
{
	if (ctx->err_answer_count < 0)
		ctx->err_answer_count = look_up(ctx, CTX_RECEIPT_ERR, ctx->receipt.err,
			ctx->err_answers, RECORD_ERR_ANSWERS_MAX);
	return ctx->err_answer_count;
}

const struct code_map_row *edit_mapped(struct edit_context *ctx, const struct code_map *map)
{
	struct code_mapped c = {
		.context = ctx->kind,
		.dialect = ctx->dialect,
		.is_text = ctx->kind == CTX_REPORT,
		.number = ctx->number,
		.text = ctx->code,
	};

	if ((map->sides & ctx->proto->code_side) == 0)
		return NULL;
	if (code_map_asks_class(map) && edit_answers(ctx) > 0) {
		c.has_class = true;
		c.cls = answer_class(&ctx->answers[0]);
	}
	return code_map_find(map, &c);
}

/* Selectors */

static bool code_fits(const struct edit_context *ctx, const struct rule_code *c)
{
	size_t n = strlen(c->text);

	if (ctx->kind != CTX_REPORT)
		return c->lo <= ctx->number && ctx->number <= c->hi;
	if (c->prefix ? ctx->code.n < n : ctx->code.n != n)
		return false;
	return strncasecmp(c->text, (const char *)ctx->code.p, n) == 0;
}

static bool any_code(const struct edit_context *ctx, const struct rule *r)
{
	for (int i = 0; i < r->def.code_count; i++) {
		if (code_fits(ctx, &r->codes[i]))
			return true;
	}
	return r->def.code_count == 0;
}

static bool any_text(const char *const *list, int count, struct span s, bool prefix)
{
	for (int i = 0; i < count; i++) {
		size_t n = strlen(list[i]);

		if ((prefix ? s.n >= n : s.n == n) && memcmp(list[i], s.p, n) == 0)
			return true;
	}
	return count == 0;
}

static bool any_table(const struct edit_context *ctx, const struct rule *r)
{
	const struct code_answer *a = &ctx->answers[0];

	for (int i = 0; i < r->def.table_count; i++) {
		if (strcmp(r->def.tables[i], a->table->name) == 0)
			return true;
		for (int k = 0; k < a->nested_count; k++) {
			if (strcmp(r->def.tables[i], a->nested[k].table->name) == 0)
				return true;
		}
	}
	return r->def.table_count == 0;
}

/* What the first answer says; of a code that no table knows only that its class is unknown. */
static bool answer_fits(struct edit_context *ctx, const struct rule *r)
{
	const struct rule_def *d = &r->def;

	if (d->classes == 0 && d->origins == 0 && d->table_count == 0)
		return true;
	if (edit_answers(ctx) == 0)
		return d->origins == 0 && d->table_count == 0 &&
		       (d->classes >> CLASS_UNKNOWN & 1u) != 0;
	if (d->classes != 0 && (d->classes >> answer_class(&ctx->answers[0]) & 1u) == 0)
		return false;
	if (d->origins != 0 && (d->origins >> answer_origin(&ctx->answers[0]) & 1u) == 0)
		return false;
	return any_table(ctx, r);
}

static bool rule_fits(struct edit_context *ctx, const struct rule *r, enum side from)
{
	const struct rule_def *d = &r->def;
	struct span dst = ctx->kind == CTX_REPORT ? ctx->receipt.dst : ctx->dst;

	return (d->pdus >> ctx->kind & 1u) != 0 && (d->from == 0 || (d->from >> from & 1u) != 0) &&
	       any_code(ctx, r) && any_text(d->accounts, d->account_count, ctx->account, false) &&
	       any_text(d->dst, d->dst_count, dst, true) && answer_fits(ctx, r);
}

/* Memory of results that no rule wants */

static struct edit_memo *memo_of(struct edit_context *ctx)
{
	for (int i = 0; i < EDIT_BANKS && ctx->dialect != 0; i++) {
		if (ctx->memo[i].dialect == ctx->dialect)
			return &ctx->memo[i];
		if (ctx->memo[i].dialect == 0) {
			ctx->memo[i].dialect = ctx->dialect;
			return &ctx->memo[i];
		}
	}
	return NULL;
}

enum { MEMO_NUMBERS = 256 };

static bool quiet_number(const struct edit_memo *m, int kind, uint32_t number)
{
	return (m->quiet[kind][number / 32] >> number % 32 & 1u) != 0;
}

/* Where the code of a report would be remembered; short ones only. */
static unsigned word_slot(struct span code)
{
	enum { SLOTS = 16 };
	_Static_assert(sizeof(((struct edit_memo *)0)->words) == SLOTS * 16, "slots of 16 octets");

	return (code.p[0] * 7u + code.p[code.n - 1] + (unsigned)code.n) % SLOTS;
}

/* Is it a code that is remembered? */
static bool quiet_word(const struct edit_memo *m, struct span code)
{
	unsigned slot = word_slot(code);

	return m->words[slot].n == code.n && memcmp(m->words[slot].text, code.p, code.n) == 0;
}

/* By the kind of PDU: one whose code means what it does elsewhere is not remembered. */
static bool can_note(const struct rule_set *rules, const struct edit_context *ctx)
{
	if (ctx->kind != ctx->context)
		return false;
	if (ctx->kind == CTX_REPORT)
		return !rules->no_memo && ctx->code.n > 0 &&
		       ctx->code.n <= sizeof(ctx->memo[0].words[0].text);
	return !rules->no_memo && ctx->number < MEMO_NUMBERS;
}

static void note_quiet(const struct rule_set *rules, struct edit_context *ctx)
{
	struct edit_memo *m;
	unsigned slot;

	if (!can_note(rules, ctx) || (m = memo_of(ctx)) == NULL)
		return;
	if (ctx->kind != CTX_REPORT) {
		m->quiet[ctx->kind][ctx->number / 32] |= 1u << ctx->number % 32;
		return;
	}
	slot = word_slot(ctx->code);
	m->has_words = true;
	m->words[slot].n = (uint8_t)ctx->code.n;
	memcpy(m->words[slot].text, ctx->code.p, ctx->code.n);
}

/* A result that was found to interest no rule. */
static bool known_quiet(const struct rule_set *rules, struct edit_context *ctx)
{
	struct edit_memo *m;

	if (!can_note(rules, ctx) || (m = memo_of(ctx)) == NULL)
		return false;
	if (ctx->kind == CTX_REPORT)
		return quiet_word(m, ctx->code);
	return quiet_number(m, (int)ctx->kind, ctx->number);
}

/* An SMPP response tells its result before it is parsed. */
static bool quiet_status(struct edit_context *ctx, struct span frame, uint32_t command)
{
	uint32_t status = bytes_u32(frame.p + 8);
	int kind = command == 0x80000004u   ? CTX_SUBMIT_RESP
		   : command == 0x80000005u ? CTX_DELIVER_RESP
					    : -1;
	struct edit_memo *m;

	return ctx->proto->status_in_header && kind >= 0 && status < MEMO_NUMBERS &&
	       (m = memo_of(ctx)) != NULL && quiet_number(m, kind, status);
}

/* What can be told before the PDU is parsed. */
static bool is_quiet(const struct rule_set *rules, struct edit_context *ctx, struct span frame)
{
	uint32_t command = bytes_u32(frame.p + 4);
	struct edit_memo *m;
	struct span code;

	if (rules->no_memo || frame.n < 16)
		return false;
	if ((command & 0x80000000u) != 0)
		return quiet_status(ctx, frame, command);
	return (m = memo_of(ctx)) != NULL && m->has_words &&
	       receipt_glance(ctx->proto, frame, &code) && quiet_word(m, code);
}

/* Parse and find the code. False: nothing here for a rule, and `ret` says if that is a refusal. */
static bool read_pdu(const struct rule_set *rules, struct edit_context *ctx, enum side from,
	struct span frame, struct edit_result *ret)
{
	int err = pdu_parse(&ctx->pdu, ctx->proto, ctx->dialect, frame);
	bool known = ctx->pdu.layout != NULL && kind_of(ctx, from);

	if (!known || (rules->kinds >> ctx->kind & 1u) == 0)
		return false;
	if (err != SM_OK) {
		*((rules->done_kinds >> ctx->kind & 1u) != 0 ? &ret->refused : &ret->dry_refused) = EDIT_PARSE;
		return false;
	}
	ctx->answer_count = ctx->err_answer_count = -1;
	ctx->scratch_len = 0;
	ctx->number = 0;
	ctx->code = span_of(frame.p, 0);
	if (ctx->kind != CTX_REPORT)
		return pdu_result(&ctx->pdu, &ctx->number) && !known_quiet(rules, ctx);
	if (receipt_read_labels(&ctx->pdu, &ctx->receipt, edit_labels(ctx)) == RECEIPT_NONE ||
	    ctx->receipt.undecodable)
		return false;
	ctx->code = receipt_code(&ctx->receipt);
	return !known_quiet(rules, ctx);
}

static void refuse(const struct edit_plan *plan, struct edit_result *ret, enum edit_refusal why, int rule)
{
	enum edit_refusal *refused = plan->dry ? &ret->dry_refused : &ret->refused;

	if (*refused != EDIT_FINE)
		return;
	*refused = why;
	*(plan->dry ? &ret->dry_refused_rule : &ret->refused_rule) = rule;
}

/* What rules before it leave to a rule: `done` are actions that had one. */
struct course {
	uint32_t done;
	bool stopped;
};

static void try_rule(const struct rule_set *rules, struct edit_context *ctx, int i, struct edit_plan *plan,
	struct course *course, struct edit_result *ret)
{
	const struct rule *r = &rules->rules[i];
	int n = edit_plan_rule(ctx, rules, i, plan, ret);

	if (n == 0)
		return;
	if (n < 0)
		refuse(plan, ret, (enum edit_refusal)-n, i);
	if (r->def.action != EDIT_NONE)
		course->done |= 1u << r->def.action;
	course->stopped = r->def.stop;
	ret->matched |= (uint64_t)1 << i;
	if (r->def.log)
		ret->logged |= (uint64_t)1 << i;
}

/*
 * The rules in their order, for two plans: what is done, and what rules that only tell would do, each in its place:
 * the ones before it keep such a rule from what they will keep it from when it does something.
 */
static void run_rules(const struct rule_set *rules, struct edit_context *ctx, enum side from,
	struct edit_plan *plan, struct edit_plan *dry, struct edit_result *ret)
{
	struct course real = { 0 }, told = { 0 };

	for (int i = 0; i < rules->count && !real.stopped; i++) {
		const struct rule_def *d = &rules->rules[i].def;
		uint32_t done = d->dry_run ? real.done | told.done : real.done;

		if ((d->dry_run && told.stopped) || (done >> d->action & 1u) != 0 ||
			!rule_fits(ctx, &rules->rules[i], from))
			continue;
		try_rule(rules, ctx, i, d->dry_run ? dry : plan, d->dry_run ? &told : &real, ret);
	}
}

/* Build and verify; a change that was not made is no change. */
static int finish(struct edit_context *ctx, struct edit_plan *plan, uint8_t *out, size_t cap,
	struct edit_result *ret)
{
	int n = edit_build(ctx, plan, out, cap), kept = 0;

	if (n > 0 && !edit_verify(ctx, plan, span_of(out, (size_t)n)))
		n = -EDIT_VERIFY;
	if (n > 0)
		return n;
	refuse(plan, ret, (enum edit_refusal)-n, -1);
	for (int i = 0; i < ret->change_count; i++) {
		if (ret->changes[i].dry_run != plan->dry)
			ret->changes[kept++] = ret->changes[i];
	}
	ret->change_count = kept;
	return 0;
}

static void plan_init(struct edit_plan *plan, bool dry)
{
	plan->count = 0;
	plan->dry = dry;
	plan->move = plan->may_move = false;
	plan->kinds = plan->fill = 0;
}

/* What is in the context, by all rules. */
static int edit_read(const struct rule_set *rules, struct edit_context *ctx, enum side from,
	uint8_t *out, size_t cap, struct edit_result *ret)
{
	struct edit_plan plan, dry;

	plan_init(&plan, false);
	plan_init(&dry, true);
	run_rules(rules, ctx, from, &plan, &dry, ret);
	if (ret->matched == 0)
		note_quiet(rules, ctx);
	if (dry.count > 0)
		(void)finish(ctx, &dry, out, cap, ret);
	return plan.count > 0 ? finish(ctx, &plan, out, cap, ret) : 0;
}

int edit_pdu(const struct rule_set *rules, struct edit_context *ctx, enum side from,
	struct span frame, uint8_t *out, size_t cap, struct edit_result *ret)
{
	ret->change_count = 0;
	ret->refused = ret->dry_refused = EDIT_FINE;
	ret->refused_rule = ret->dry_refused_rule = -1;
	ret->logged = ret->matched = 0;
	if (!edit_wants(rules, ctx->proto, frame) || is_quiet(rules, ctx, frame) ||
	    !read_pdu(rules, ctx, from, frame, ret))
		return 0;
	return edit_read(rules, ctx, from, out, cap, ret);
}
