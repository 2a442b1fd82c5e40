#include <stdarg.h>
#include <stdio.h>

#include "core/edit_rules.h"

/* What is wrong with a rule: what its action needs and does not have, and what can never be. */

void rule_fault(struct rule_making *m, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m->faults++;
	m->fault(m->arg, m->rule, key, text);
}

#define BIT(c) (1u << (c))

enum {
	RESPONSES = BIT(CTX_LOGIN) | BIT(CTX_SUBMIT_RESP) | BIT(CTX_DELIVER_RESP) |
		    BIT(CTX_QUERY_RESP) | BIT(CTX_CANCEL_RESP) | BIT(CTX_FORWARD_RESP) |
		    BIT(CTX_NACK),
	/* The SP's own answers are not for the SP to read. */
	ANSWERS = RESPONSES & ~BIT(CTX_DELIVER_RESP),
	/* What tells of failures alone, and what the SP may think of an inbound message */
	WITHOUT_SUCCESS = BIT(CTX_NACK) | BIT(CTX_DELIVER_RESP),
	WITH_ID = BIT(CTX_REPORT) | BIT(CTX_SUBMIT_RESP) | BIT(CTX_QUERY_RESP),
};

/* Contexts that an action can work in, and those it does unless told. */
static const struct {
	uint32_t able, preset;
} scopes[EDIT_ACTIONS] = {
	[EDIT_NONE] = { RESPONSES | BIT(CTX_REPORT), RESPONSES | BIT(CTX_REPORT) },
	[EDIT_MAP_STATUS] = { RESPONSES, ANSWERS },
	[EDIT_MAP_STAT] = { BIT(CTX_REPORT), BIT(CTX_REPORT) },
	[EDIT_MESSAGE_ID] = { WITH_ID, BIT(CTX_REPORT) },
	[EDIT_ERR_WIDTH] = { BIT(CTX_REPORT), BIT(CTX_REPORT) },
	[EDIT_ANNOTATE] = { RESPONSES | BIT(CTX_REPORT), ANSWERS | BIT(CTX_REPORT) },
};

bool rule_number(const char **end, int64_t *ret)
{
	const char *p = *end;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
	int64_t v = 0;
	int digits = 0;

	for (p += hex ? 2 : 0; digits < 10; p++, digits++) {
		int d = *p >= '0' && *p <= '9' ? *p - '0'
			: hex && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f' ? (*p | 0x20) - 'a' + 10
									   : -1;

		if (d < 0)
			break;
		v = v * (hex ? 16 : 10) + d;
	}
	if (digits == 0)
		return false;
	*end = p;
	*ret = v;
	return true;
}

static void check_status(struct rule_making *m, struct rule *r)
{
	const char *p = r->def.to;
	int64_t v = 0;

	if (r->def.to == NULL)
		return;
	if (!rule_number(&p, &v) || *p != '\0' || v > UINT32_MAX)
		rule_fault(m, "to", "to is a status here: a number, decimal or behind 0x");
	r->number = (uint32_t)v;
}

static void check_stat(struct rule_making *m, const struct rule *r)
{
	static const char *const seven[] = { "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD",
		"UNKNOWN", "REJECTD" };
	size_t i = 0;

	while (r->def.to != NULL && i < sizeof(seven) / sizeof(seven[0]) &&
	       strcmp(seven[i], r->def.to) != 0)
		i++;
	if (i == sizeof(seven) / sizeof(seven[0]))
		rule_fault(m, "to", "to is a state here: DELIVRD EXPIRED DELETED UNDELIV ACCEPTD "
			"UNKNOWN REJECTD");
}

static void check_map(struct rule_making *m, const struct rule *r, enum code_map_kind kind)
{
	if (r->def.map != NULL && r->def.map->kind != kind)
		rule_fault(m, "map", "%s takes a map of kind %s, this one is of kind %s",
			edit_action_name(r->def.action), code_map_kind_name(kind),
			code_map_kind_name(r->def.map->kind));
}

/* A word of another length would be refused each time. */
static void check_err_map(struct rule_making *m, const struct rule *r)
{
	const struct code_map *map = r->def.map;

	for (int i = 0; map != NULL && map->kind == MAP_ERR && i < map->row_count; i++) {
		if (strlen(map->rows[i].word) != r->def.err_width)
			rule_fault(m, "map", "width is %d, and map %s gives \"%s\", at %s:%d", r->def.err_width,
				map->name, map->rows[i].word, map->file != NULL ? map->file : "row",
				map->file != NULL ? map->rows[i].line : i + 1);
	}
}

void rule_check_action(struct rule_making *m, struct rule *r)
{
	const struct rule_def *d = &r->def;
	bool gives = d->map != NULL || d->to != NULL;

	switch (d->action) {
	case EDIT_MAP_STATUS:
		check_map(m, r, MAP_STATUS);
		check_status(m, r);
		break;
	case EDIT_MAP_STAT:
		check_map(m, r, MAP_STAT);
		check_stat(m, r);
		break;
	case EDIT_ERR_WIDTH:
		check_map(m, r, MAP_ERR);
		check_err_map(m, r);
		if (d->err_width != 3 && d->err_width != 4)
			rule_fault(m, "width", "width is 3 or 4");
		break;
	case EDIT_MESSAGE_ID:
		if (d->base == ID_BASE_KEEP && d->letters == ID_CASE_KEEP && d->id_width == 0 &&
		    !d->strip_zeros)
			rule_fault(m, "action", "message_id without id_base, id_case, id_width or "
				"id_strip changes nothing");
		break;
	case EDIT_ANNOTATE:
		if (d->annotate == 0)
			rule_fault(m, "in", "annotate needs in = \"tlv\", \"text\" or both");
		break;
	default:
		if (!d->stop && !d->log)
			rule_fault(m, "action", "action none without stop or log does nothing");
		break;
	}
	if ((d->action == EDIT_MAP_STATUS || d->action == EDIT_MAP_STAT) && !gives)
		rule_fault(m, "action", "a map_status or map_stat needs map or to");
	if (d->to != NULL && d->classes == 0 && d->origins == 0 && d->code_count == 0 &&
	    d->table_count == 0 && (d->pdus == 0 || (d->pdus & ~(uint32_t)WITHOUT_SUCCESS) != 0))
		rule_fault(m, "to", "to needs code, class, origin or table: without them success and "
			"failure become the same");
	if (d->map != NULL && d->to != NULL)
		rule_fault(m, "to", "to and map: one of them says what a code becomes");
}

uint32_t rule_kinds_of(enum role role)
{
	switch (role) {
	case R_LOGIN_ACK: return BIT(CTX_LOGIN);
	case R_SUBMIT_ACK: return BIT(CTX_SUBMIT_RESP);
	case R_BROADCAST_ACK: return BIT(CTX_SUBMIT_RESP);
	case R_DELIVER_ACK: return BIT(CTX_DELIVER_RESP);
	case R_DATA_ACK: return BIT(CTX_SUBMIT_RESP) | BIT(CTX_DELIVER_RESP);
	case R_QUERY_ACK: return BIT(CTX_QUERY_RESP);
	case R_CANCEL_ACK: return BIT(CTX_CANCEL_RESP);
	case R_REPLACE_ACK: return BIT(CTX_CANCEL_RESP);
	case R_FORWARD_ACK: return BIT(CTX_FORWARD_RESP);
	case R_NACK: return BIT(CTX_NACK);
	case R_DELIVER: return BIT(CTX_REPORT);
	case R_DATA: return BIT(CTX_REPORT);
	case R_FORWARD: return BIT(CTX_REPORT);
	default: return 0;
	}
}

/* Ids, receipts with an err and TLVs are SMPP's. */
bool rule_fits_proto(const struct rule *r, const struct proto *p)
{
	return p->status_in_header || r->def.action == EDIT_NONE ||
	       r->def.action == EDIT_MAP_STATUS || r->def.action == EDIT_MAP_STAT;
}

/* PDUs in which a rule can do nothing, whatever comes */

/* Why not: the key that says so, and what is wrong with it. */
struct never {
	const char *key;
	char text[160];
	bool absent;         /* the protocol has no such PDU: a rule may be for links of the other one, too */
	size_t reason;       /* of never_at_all(): how far it got */
};

static bool never(struct never *n, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

static bool never(struct never *n, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
	n->key = key;
	n->absent = false;
	return true;
}

static const char *name_of(int pdu)
{
	return code_context_name((enum code_context)pdu);
}

static uint32_t kinds_in(const struct proto *p)
{
	uint32_t kinds = 0;

	for (const struct layout *l = p->layouts; l->name != NULL; l++)
		kinds |= rule_kinds_of((enum role)l->role);
	return kinds;
}

/* Bits of enum side. Of CMPP's gateways one may stand where the SP does: CMPP_FWD goes both ways. */
static uint32_t senders(int pdu, const struct proto *p)
{
	const uint32_t sp = BIT(SIDE_SP), gw = BIT(SIDE_GW);

	if (pdu == CTX_DELIVER_RESP)
		return sp;
	if (pdu == CTX_REPORT)
		return (kinds_in(p) & BIT(CTX_FORWARD_RESP)) != 0 ? sp | gw : gw;
	return pdu == CTX_FORWARD_RESP || pdu == CTX_NACK ? sp | gw : gw;
}

/* Of a report it stands there; of a response its request tells, if it has a number: edit_asked.c. */
static bool tells_dst(const struct rule *r, int pdu, const struct proto *p)
{
	if (pdu == CTX_NACK)
		return r->def.from != BIT(SIDE_SP);
	return pdu == CTX_REPORT || pdu == CTX_SUBMIT_RESP ||
	       (pdu == CTX_CANCEL_RESP && p->status_in_header);
}

/* Has the row that PDU, in a version that the protocol has? */
static bool row_serves(const struct code_map_row *row, int pdu, const struct proto *p)
{
	const struct dialect *d = p->dialects;

	if (row->contexts != 0 && (row->contexts >> pdu & 1u) == 0)
		return false;
	if (row->dialect_to == 0)
		return true;
	while (d->value != 0 && (d->value < row->dialect_from || d->value > row->dialect_to))
		d++;
	return d->value != 0;
}

static bool is_code_of(const struct rule_code *c, bool report)
{
	return report ? c->lo == c->hi || c->lo > c->hi : c->lo <= c->hi && c->lo <= UINT32_MAX;
}

static const char *with_codes(bool report)
{
	return report ? "report, which has words: MB:0064, MB:*"
		      : "response, which has numbers: 57, 17-255";
}

/* Reasons, one after another: true if `ret` says why not. */

static bool never_action(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	const char *action = edit_action_name(r->def.action);

	if ((scopes[r->def.action].able >> pdu & 1u) == 0)
		return never(ret, "pdu", "%s has nothing to do in %s", action, name_of(pdu));
	if (!rule_fits_proto(r, p))
		return never(ret, "action", "%s has no place for %s", p->name, action);
	if ((kinds_in(p) >> pdu & 1u) != 0)
		return false;
	(void)never(ret, "pdu", "%s has no %s", p->name, name_of(pdu));
	ret->absent = true;
	return true;
}

static bool never_from(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	return r->def.from != 0 && (r->def.from & senders(pdu, p)) == 0 &&
	       never(ret, "from", "a %s comes from the %s", name_of(pdu),
		       pdu == CTX_DELIVER_RESP ? "SP" : "gateway");
}

static bool never_in(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	bool report = pdu == CTX_REPORT;

	(void)p;
	if (r->def.action != EDIT_ANNOTATE ||
	    (r->def.annotate & (report ? ANNOTATE_TEXT : ANNOTATE_TLV)) != 0)
		return false;
	return never(ret, "in", report ? "in = \"tlv\" is of responses, and not of a %s"
				       : "in = \"text\" is of reports, and not of a %s", name_of(pdu));
}

static bool never_dst(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	return r->def.dst_count > 0 && !tells_dst(r, pdu, p) &&
	       never(ret, "dst", "whom a %s is about is not known", name_of(pdu));
}

static bool never_code(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	bool report = pdu == CTX_REPORT;
	int i = 0;

	(void)p;
	while (i < r->def.code_count && !is_code_of(&r->codes[i], report))
		i++;
	return r->def.code_count > 0 && i == r->def.code_count &&
	       never(ret, "code", "code \"%s\" is none of a %s", r->def.codes[0], with_codes(report));
}

/* The map of err_width is asked only where zeros are not enough. */
static bool never_mapped(const struct rule *r, int pdu, const struct proto *p, struct never *ret)
{
	const struct code_map *map = r->def.map;
	int i = 0;

	if (map == NULL || r->def.action == EDIT_ERR_WIDTH)
		return false;
	if ((map->sides & p->code_side) == 0)
		return never(ret, "map", "map %s is not for %s", map->name, p->name);
	while (i < map->row_count && !row_serves(&map->rows[i], pdu, p))
		i++;
	return i == map->row_count &&
	       never(ret, "map", "map %s has no row for a %s", map->name, name_of(pdu));
}

/* Each reason rules out some of the protocols that the link may speak: the last one is what is wrong. */
static bool never_at_all(const struct rule *r, int pdu, struct never *ret)
{
	static bool (*const reasons[])(const struct rule *, int, const struct proto *,
		struct never *) = { never_action, never_from, never_in, never_dst, never_code,
		never_mapped };
	const struct proto *const *all = proto_all();
	uint32_t left = 0;

	for (int k = 0; all[k] != NULL; k++) {
		if (r->def.proto == NULL || r->def.proto == all[k])
			left |= BIT(k);
	}
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		for (int k = 0; all[k] != NULL; k++) {
			if ((left >> k & 1u) == 0 || !reasons[i](r, pdu, all[k], ret))
				continue;
			left &= ~BIT(k);
			ret->reason = i;
		}
	}
	return left == 0;
}

/* Each of several codes has a PDU among the rule's that can have it. */
static void check_codes(struct rule_making *m, const struct rule *r, bool reports, bool others)
{
	for (int i = 0; i < r->def.code_count; i++) {
		const struct rule_code *c = &r->codes[i];

		if ((reports && is_code_of(c, true)) || (others && is_code_of(c, false)))
			continue;
		rule_fault(m, "code", "code \"%s\" is none of a %s", r->def.codes[i], with_codes(reports));
	}
}

/* Parts of the rule that only some PDUs have a use for. */
static void check_parts(struct rule_making *m, const struct rule *r, uint32_t pdus)
{
	bool reports = (pdus & BIT(CTX_REPORT)) != 0, others = (pdus & RESPONSES) != 0;

	check_codes(m, r, reports, others);
	if (r->def.to_payload && !reports)
		rule_fault(m, "payload", "payload is of reports, and the rule is for none");
	if (r->def.action != EDIT_ANNOTATE)
		return;
	if ((r->def.annotate & ANNOTATE_TEXT) != 0 && !reports)
		rule_fault(m, "in", "in = \"text\" is of reports, and the rule is for none");
	if ((r->def.annotate & ANNOTATE_TLV) != 0 && !others)
		rule_fault(m, "in", "in = \"tlv\" is of responses, and the rule is for none");
}

/* A PDU that is named and cannot be is a slip; of those that the action is for, one has to be left. */
uint32_t rule_check_pdus(struct rule_making *m, const struct rule *r)
{
	uint32_t named = r->def.pdus, asked = named != 0 ? named : scopes[r->def.action].preset, pdus = 0;
	struct never last = { .key = NULL }, n = last;

	for (int i = 0; i < CTX_COUNT; i++) {
		if ((asked >> i & 1u) == 0)
			continue;
		if (!never_at_all(r, i, &n)) {
			pdus |= BIT(i);
			continue;
		}
		if (named != 0 && !n.absent && strcmp(n.text, last.text) != 0)
			rule_fault(m, n.key, "%s", n.text);
		/* Of those that nobody named, what was wrong with the one that got furthest */
		if (named != 0 || last.key == NULL || n.reason > last.reason)
			last = n;
	}
	if (pdus == 0 && (named == 0 || last.absent))
		rule_fault(m, last.key, "%s", last.text);
	if (pdus != 0)
		check_parts(m, r, pdus);
	return pdus;
}
