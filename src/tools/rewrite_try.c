#include <stdlib.h>

#include "tools/rewrite.h"

/* One PDU after another: what its session knows, what the rules make of it. */

struct rewrite_session {
	struct edit_context ctx;
	struct edit_asked asked;
	char account[24];
};

bool rewrite_init(struct rewrite *w, const struct rewrite_options *o,
	const struct link_settings *l, const struct code_set *codes)
{
	struct conf_faults faults = { 0 }; /* were told when the profiles were checked */

	*w = (struct rewrite){ .options = o, .link = l, .codes = codes };
	for (const struct proto *const *p = proto_all(); *p != NULL; p++)
		w->cap = (*p)->max_pdu + 1024 > w->cap ? (*p)->max_pdu + 1024 : w->cap;
	for (int i = 0; i < l->profile_count; i++)
		w->profiles[i] = codes_profile(codes, l->profiles[i]);
	w->rules = conf_rules(l, codes, &faults);
	w->out = malloc(w->cap);
	if (w->rules == NULL || w->out == NULL) {
		fputs("smscope rewrite: out of memory\n", stderr);
		return false;
	}
	if (rule_set_count(w->rules) == 0)
		fprintf(stderr, "smscope rewrite: link %s has no rules\n", l->name);
	return true;
}

void rewrite_fini(struct rewrite *w)
{
	rule_set_free(w->rules);
	free(w->out);
}

struct rewrite_session *rewrite_session_new(const struct rewrite *w, const struct proto *p)
{
	struct rewrite_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	edit_context_init(&s->ctx);
	s->ctx.codes = w->codes;
	s->ctx.profiles = w->profiles;
	s->ctx.proto = p;
	s->ctx.max_pdu = w->link->max_pdu;
	s->ctx.dialect = w->options->dialect >= 0 ? (uint8_t)w->options->dialect
						  : p->dialect_default;
	return s;
}

/* Who sends such a PDU; of data_sm, which both do, the gateway. */
static enum side usual_side(const struct pdu *pdu)
{
	switch (pdu_role(pdu)) {
	case R_LOGIN:
	case R_SUBMIT:
	case R_QUERY:
	case R_CANCEL:
	case R_REPLACE:
	case R_BROADCAST:
	case R_DELIVER_ACK:
		return SIDE_SP;
	default:
		return SIDE_GW;
	}
}

/* What the session's own PDUs tell of it; its version only if that was not `told`. */
static void learn(struct rewrite_session *s, bool told, const struct pdu *pdu, enum side from)
{
	struct edit_context *ctx = &s->ctx;
	enum role role = pdu_role_from(pdu, from);
	struct span text = pdu_text(pdu, F_SYSTEM_ID);

	if ((role == R_LOGIN || role == R_LOGIN_ACK) && !told)
		ctx->dialect = ctx->proto->dialect_of(pdu->frame, ctx->dialect);
	if (role == R_LOGIN && text.n < sizeof(s->account)) {
		memcpy(s->account, text.p, text.n);
		ctx->account = span_of(s->account, text.n);
	}
	/* As smscoped has it: what the SP answers was asked by the gateway, under numbers of its own. */
	ctx->dst = from == SIDE_GW ? edit_requested(&s->asked, ctx->proto, pdu->frame) : span_of("", 0);
	if (from == SIDE_SP)
		edit_request(&s->asked, ctx, pdu->frame);
}

static void count(struct rewrite *w, bool edited, const struct edit_result *ret)
{
	uint64_t rules = 0;

	w->edited += edited;
	w->refused += ret->refused != EDIT_FINE;
	for (int i = 0; i < ret->change_count; i++)
		rules |= UINT64_C(1) << ret->changes[i].rule;
	for (int i = 0; i < rule_set_count(w->rules); i++)
		w->by_rule[i] += rules >> i & 1u;
}

void rewrite_try(struct rewrite *w, struct rewrite_session *s, struct span frame, int from,
	const struct rewrite_place *place)
{
	const struct rewrite_options *o = w->options;
	const struct proto *p = s->ctx.proto;
	struct rewrite_show show = { .to = stdout, .json = o->json, .hex = o->hex,
		.rules = w->rules, .ctx = &s->ctx, .number = ++w->pdus, .place = place };
	struct edit_result ret;
	int len;

	(void)pdu_parse(&show.was, p, s->ctx.dialect, frame);
	show.from = from >= 0 ? (enum side)from : usual_side(&show.was);
	learn(s, o->dialect >= 0, &show.was, show.from);
	len = edit_pdu(w->rules, &s->ctx, show.from, frame, w->out, p->max_pdu + 1024, &ret);
	show.edited = len > 0;
	show.now = show.was;
	if (show.edited)
		(void)pdu_parse(&show.now, p, s->ctx.dialect, span_of(w->out, (size_t)len));
	count(w, show.edited, &ret);
	if (place == NULL || o->all || ret.logged != 0 || edit_tells(&ret))
		rewrite_show(&show, &ret);
}
