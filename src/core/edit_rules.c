#include <stdio.h>
#include <stdlib.h>

#include "core/edit_state.h"

/* A set of rules: checked, copied, and the table that tells at once which PDUs it can touch. */

static const char *const actions[EDIT_ACTIONS] = {
	[EDIT_NONE] = "none",
	[EDIT_MAP_STATUS] = "map_status",
	[EDIT_MAP_STAT] = "map_stat",
	[EDIT_MESSAGE_ID] = "message_id",
	[EDIT_ERR_WIDTH] = "err_width",
	[EDIT_ANNOTATE] = "annotate",
};

static const char *const refusals[EDIT_REFUSALS] = {
	[EDIT_FINE] = "none",
	[EDIT_PARSE] = "parse",
	[EDIT_TOO_LONG] = "too_long",
	[EDIT_WIDTH] = "width",
	[EDIT_VALUE] = "value",
	[EDIT_VERSION] = "version",
	[EDIT_CHARSET] = "charset",
	[EDIT_NO_FIELD] = "no_field",
	[EDIT_NO_ROOM] = "no_room",
	[EDIT_VERIFY] = "verify",
	[EDIT_SIGNED] = "signed",
};

const char *edit_action_name(enum edit_action a)
{
	return (unsigned)a < EDIT_ACTIONS ? actions[a] : "unknown";
}

const char *edit_refusal_name(enum edit_refusal r)
{
	return (unsigned)r < EDIT_REFUSALS ? refusals[r] : "unknown";
}

#define BIT(c) (1u << (c))

enum {
	RESPONSES = BIT(CTX_LOGIN) | BIT(CTX_SUBMIT_RESP) | BIT(CTX_DELIVER_RESP) |
		    BIT(CTX_QUERY_RESP) | BIT(CTX_CANCEL_RESP) | BIT(CTX_FORWARD_RESP) |
		    BIT(CTX_NACK),
	/* The SP's own answers are not for the SP to read. */
	ANSWERS = RESPONSES & ~BIT(CTX_DELIVER_RESP),
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

/* Building one set. */
struct making {
	struct rule_set *set;
	rule_fault_fn *fault;
	void *arg;
	int rule, faults;
	bool no_memory;
};

static void fault(struct making *m, const char *key, const char *what)
{
	m->faults++;
	m->fault(m->arg, m->rule, key, what);
}

static void *own(struct making *m, const void *p, size_t n)
{
	struct owned *o = calloc(1, sizeof(*o) + n + 1);

	if (o == NULL) {
		m->no_memory = true;
		return NULL;
	}
	if (n > 0)
		memcpy(o->octets, p, n);
	o->next = m->set->owned;
	m->set->owned = o;
	return o->octets;
}

static const char *own_text(struct making *m, const char *s)
{
	return s != NULL ? own(m, s, strlen(s)) : NULL;
}

static const char *const *own_list(struct making *m, const char *const *list, int count)
{
	const char **copy = own(m, list, (size_t)count * sizeof(*list));

	for (int i = 0; copy != NULL && i < count; i++)
		copy[i] = own_text(m, list[i]);
	return copy;
}

static const struct code_map *own_map(struct making *m, const struct code_map *map)
{
	struct code_map *copy = own(m, map, sizeof(*map));
	struct code_map_row *rows = own(m, map->rows, (size_t)map->row_count * sizeof(*rows));

	if (copy == NULL || rows == NULL)
		return NULL;
	for (int i = 0; i < map->row_count; i++) {
		rows[i].text = own_text(m, rows[i].text);
		rows[i].word = own_text(m, rows[i].word);
	}
	copy->rows = rows;
	copy->name = own_text(m, map->name);
	copy->title_zh = copy->title_en = copy->source = copy->file = NULL;
	return copy;
}

/* Digits, decimal or behind 0x; *end is moved behind them. */
static bool number_at(const char **end, int64_t *ret)
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
	*end = p;
	*ret = v;
	return digits > 0;
}

/* "57", "0x39", "17-255": a number or a range; any text is a word, too, for reports. */
static void read_code(struct making *m, const char *text, struct rule_code *ret)
{
	const char *p = text;
	size_t n = strlen(text);
	char *copy = own(m, text, n);

	*ret = (struct rule_code){ .lo = 1, .hi = 0, .text = copy };
	if (n == 0)
		fault(m, "code", "an empty code");
	if (copy != NULL && n > 1 && copy[n - 1] == '*') {
		copy[n - 1] = '\0';
		ret->prefix = true;
		return;
	}
	if (!number_at(&p, &ret->lo))
		return;
	ret->hi = ret->lo;
	if (*p == '-') {
		p++;
		if (!number_at(&p, &ret->hi) || ret->hi < ret->lo)
			fault(m, "code",
				"a range goes from the lesser number to the greater: 17-255");
	}
	if (*p != '\0') {
		ret->lo = 1;
		ret->hi = 0;
	}
}

static void check_status(struct making *m, struct rule *r)
{
	const char *p = r->def.to;
	int64_t v = 0;

	if (r->def.to == NULL)
		return;
	if (!number_at(&p, &v) || *p != '\0' || v > UINT32_MAX)
		fault(m, "to", "to is a status here: a number, decimal or behind 0x");
	r->number = (uint32_t)v;
	if (r->def.pdus == 0 && r->def.classes == 0 && r->def.code_count == 0 &&
	    r->def.table_count == 0)
		fault(m, "to", "to without pdu, class, code or table would give every response "
			"this status");
}

static void check_stat(struct making *m, const struct rule *r)
{
	static const char *const seven[] = { "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD",
		"UNKNOWN", "REJECTD" };
	size_t i = 0;

	while (r->def.to != NULL && i < sizeof(seven) / sizeof(seven[0]) &&
	       strcmp(seven[i], r->def.to) != 0)
		i++;
	if (i == sizeof(seven) / sizeof(seven[0]))
		fault(m, "to", "to is a state here: DELIVRD EXPIRED DELETED UNDELIV ACCEPTD "
			"UNKNOWN REJECTD");
}

static void check_map(struct making *m, const struct rule *r, enum code_map_kind kind)
{
	char text[80];

	if (r->def.map == NULL || r->def.map->kind == kind)
		return;
	snprintf(text, sizeof(text), "%s takes a map of kind %s, this one is of kind %s",
		edit_action_name(r->def.action), code_map_kind_name(kind),
		code_map_kind_name(r->def.map->kind));
	fault(m, "map", text);
}

static void check_action(struct making *m, struct rule *r)
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
		if (d->err_width != 3 && d->err_width != 4)
			fault(m, "width", "width is 3 or 4");
		break;
	case EDIT_MESSAGE_ID:
		if (d->base == ID_BASE_KEEP && d->letters == ID_CASE_KEEP && d->id_width == 0 &&
		    !d->strip_zeros)
			fault(m, "action", "message_id without id_base, id_case, id_width or "
				"id_strip changes nothing");
		break;
	case EDIT_ANNOTATE:
		if (d->annotate == 0)
			fault(m, "in", "annotate needs in = \"tlv\", \"text\" or both");
		break;
	default:
		break;
	}
	if ((d->action == EDIT_MAP_STATUS || d->action == EDIT_MAP_STAT) && !gives)
		fault(m, "action", "a map_status or map_stat needs map or to");
	if (d->map != NULL && d->to != NULL)
		fault(m, "to", "to and map: one of them says what a code becomes");
	if ((d->pdus & ~scopes[d->action].able) != 0)
		fault(m, "pdu", "the action has nothing to do in one of these PDUs");
}

static void add_rule(struct making *m, const struct rule_def *def)
{
	struct rule *r = &m->set->rules[m->rule];

	r->def = *def;
	if (def->name == NULL || def->name[0] == '\0')
		fault(m, "name", "a rule needs a name");
	if ((unsigned)def->action >= EDIT_ACTIONS || def->code_count > RULE_CODES_MAX) {
		fault(m, "code", "too many codes");
		return;
	}
	check_action(m, r);
	r->def.name = own_text(m, def->name);
	r->def.to = own_text(m, def->to);
	for (int i = 0; i < def->code_count; i++)
		read_code(m, def->codes[i], &r->codes[i]);
	r->def.tables = own_list(m, def->tables, def->table_count);
	r->def.dst = own_list(m, def->dst, def->dst_count);
	r->def.accounts = own_list(m, def->accounts, def->account_count);
	if (def->map != NULL)
		r->def.map = own_map(m, def->map);
	if (def->pdus == 0)
		r->def.pdus = scopes[def->action].preset;
	if (def->action == EDIT_ANNOTATE && (def->annotate & ANNOTATE_TEXT) == 0)
		r->def.pdus &= ~BIT(CTX_REPORT);
	if (def->action == EDIT_ANNOTATE && (def->annotate & ANNOTATE_TLV) == 0)
		r->def.pdus &= BIT(CTX_REPORT);
	m->set->kinds |= r->def.pdus;
	m->set->no_memo |= def->account_count > 0 || def->dst_count > 0 || def->from != 0 ||
			   def->action == EDIT_MESSAGE_ID || def->action == EDIT_ERR_WIDTH;
	m->set->has_dry |= def->dry_run;
	m->set->asks_dst |= def->dst_count > 0 && (r->def.pdus & ~BIT(CTX_REPORT)) != 0;
}

/* What a PDU of that role can be to a rule: bits of enum code_context. */
static uint32_t kinds_of(enum role role)
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
static bool action_fits(const struct rule *r, const struct proto *p)
{
	return p->status_in_header || r->def.action == EDIT_NONE ||
	       r->def.action == EDIT_MAP_STATUS || r->def.action == EDIT_MAP_STAT;
}

static void make_touch(struct rule_set *set)
{
	const struct proto *const *p = proto_all();

	for (int i = 0; i < TOUCH_PROTOS && p[i] != NULL; i++) {
		set->protos[i] = p[i];
		for (const struct layout *l = p[i]->layouts; l->name != NULL; l++) {
			uint32_t kinds = kinds_of((enum role)l->role);

			for (int k = 0; k < set->count; k++) {
				if ((set->rules[k].def.pdus & kinds) != 0 &&
				    action_fits(&set->rules[k], p[i]))
					set->touch[i][touch_slot(l->command)] = 1;
			}
		}
	}
}

struct rule_set *rule_set_new(const struct rule_def *defs, int count, rule_fault_fn *fn, void *arg)
{
	struct making m = { .set = calloc(1, sizeof(struct rule_set)), .fault = fn, .arg = arg };
	bool ok;

	if (m.set == NULL)
		return NULL;
	m.set->rules = calloc((size_t)count + 1, sizeof(*m.set->rules));
	ok = m.set->rules != NULL;
	if (count > RULES_MAX) {
		m.rule = -1;
		fault(&m, NULL, "too many rules");
		ok = false;
	}
	for (m.rule = 0; ok && m.rule < count; m.rule++) {
		add_rule(&m, &defs[m.rule]);
		for (int i = 0; i < m.rule && defs[m.rule].name != NULL; i++) {
			if (defs[i].name != NULL && strcmp(defs[i].name, defs[m.rule].name) == 0)
				fault(&m, "name", "another rule has this name");
		}
	}
	if (!ok || m.faults > 0 || m.no_memory) {
		rule_set_free(m.set);
		return NULL;
	}
	m.set->count = count;
	make_touch(m.set);
	return m.set;
}

void rule_set_free(struct rule_set *rules)
{
	if (rules == NULL)
		return;
	for (struct owned *o = rules->owned, *next; o != NULL; o = next) {
		next = o->next;
		free(o);
	}
	free(rules->rules);
	free(rules);
}

int rule_set_count(const struct rule_set *rules)
{
	return rules->count;
}

const char *rule_name(const struct rule_set *rules, int rule)
{
	return rule >= 0 && rule < rules->count ? rules->rules[rule].def.name : "";
}

enum edit_action rule_action(const struct rule_set *rules, int rule)
{
	return rule >= 0 && rule < rules->count ? rules->rules[rule].def.action : EDIT_NONE;
}

bool rule_logs(const struct rule_set *rules, int rule)
{
	return rule >= 0 && rule < rules->count && rules->rules[rule].def.log;
}

bool rule_is_dry(const struct rule_set *rules, int rule)
{
	return rules->rules[rule].def.dry_run;
}

bool edit_wants(const struct rule_set *rules, const struct proto *proto, struct span frame)
{
	if (frame.n < 8)
		return false;
	for (int i = 0; i < TOUCH_PROTOS && rules->protos[i] != NULL; i++) {
		if (rules->protos[i] == proto)
			return rules->touch[i][touch_slot(bytes_u32(frame.p + 4))] != 0;
	}
	return false;
}
