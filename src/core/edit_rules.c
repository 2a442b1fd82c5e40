#include <stdio.h>
#include <stdlib.h>

#include "core/edit_rules.h"

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

static void *own(struct rule_making *m, const void *p, size_t n)
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

static const char *own_text(struct rule_making *m, const char *s)
{
	return s != NULL ? own(m, s, strlen(s)) : NULL;
}

static const char *const *own_list(struct rule_making *m, const char *const *list, int count)
{
	const char **copy = own(m, list, (size_t)count * sizeof(*list));

	for (int i = 0; copy != NULL && i < count; i++)
		copy[i] = own_text(m, list[i]);
	return copy;
}

static const struct code_map *own_map(struct rule_making *m, const struct code_map *map)
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

/* "57", "0x39", "17-255": a number or a range; any text is a word, too, for reports. */
static void read_code(struct rule_making *m, const char *text, struct rule_code *ret)
{
	const char *p = text;
	size_t n = strlen(text);
	char *copy = own(m, text, n);

	*ret = (struct rule_code){ .lo = 1, .hi = 0, .text = copy };
	if (n == 0)
		rule_fault(m, "code", "an empty code");
	if (strcmp(text, "*") == 0)
		rule_fault(m, "code", "a code of * alone is every code: leave it out, or say how it begins");
	if (copy != NULL && n > 1 && copy[n - 1] == '*') {
		copy[n - 1] = '\0';
		ret->prefix = true;
		return;
	}
	if (!rule_number(&p, &ret->lo))
		return;
	ret->hi = ret->lo;
	if (*p == '-') {
		p++;
		if (!rule_number(&p, &ret->hi) || ret->hi < ret->lo)
			rule_fault(m, "code",
				"a range goes from the lesser number to the greater: 17-255");
	}
	if (*p != '\0') {
		ret->lo = 1;
		ret->hi = 0;
	}
}

static void add_rule(struct rule_making *m, const struct rule_def *def)
{
	struct rule *r = &m->set->rules[m->rule];
	int before = m->faults;

	r->def = *def;
	if (def->name == NULL || def->name[0] == '\0')
		rule_fault(m, "name", "a rule needs a name");
	if ((unsigned)def->action >= EDIT_ACTIONS || def->code_count > RULE_CODES_MAX) {
		rule_fault(m, "code", "too many codes");
		return;
	}
	rule_check_action(m, r);
	r->def.name = own_text(m, def->name);
	r->def.to = own_text(m, def->to);
	for (int i = 0; i < def->code_count; i++)
		read_code(m, def->codes[i], &r->codes[i]);
	r->def.tables = own_list(m, def->tables, def->table_count);
	r->def.dst = own_list(m, def->dst, def->dst_count);
	r->def.accounts = own_list(m, def->accounts, def->account_count);
	if (def->map != NULL)
		r->def.map = own_map(m, def->map);
	if (m->faults == before)
		r->def.pdus = rule_check_pdus(m, r);
	m->set->kinds |= r->def.pdus;
	m->set->done_kinds |= def->dry_run ? 0 : r->def.pdus;
	m->set->no_memo |= def->account_count > 0 || def->dst_count > 0 || def->from != 0 ||
			   def->action == EDIT_MESSAGE_ID || def->action == EDIT_ERR_WIDTH;
	m->set->has_dry |= def->dry_run;
	m->set->asks_dst |= def->dst_count > 0 && (r->def.pdus & ~(1u << CTX_REPORT)) != 0;
}

static void make_touch(struct rule_set *set)
{
	const struct proto *const *p = proto_all();

	for (int i = 0; i < TOUCH_PROTOS && p[i] != NULL; i++) {
		set->protos[i] = p[i];
		for (const struct layout *l = p[i]->layouts; l->name != NULL; l++) {
			uint32_t kinds = rule_kinds_of((enum role)l->role);

			for (int k = 0; k < set->count; k++) {
				if ((set->rules[k].def.pdus & kinds) != 0 &&
				    rule_fits_proto(&set->rules[k], p[i]))
					set->touch[i][touch_slot(l->command)] = 1;
			}
		}
	}
}

struct rule_set *rule_set_new(const struct rule_def *defs, int count, rule_fault_fn *fn, void *arg)
{
	struct rule_making m = { .set = calloc(1, sizeof(struct rule_set)), .fault = fn, .arg = arg };
	bool ok;

	if (m.set == NULL)
		return NULL;
	m.set->rules = calloc((size_t)count + 1, sizeof(*m.set->rules));
	ok = m.set->rules != NULL;
	if (count > RULES_MAX) {
		m.rule = -1;
		rule_fault(&m, NULL, "too many rules");
		ok = false;
	}
	for (m.rule = 0; ok && m.rule < count; m.rule++) {
		add_rule(&m, &defs[m.rule]);
		for (int i = 0; i < m.rule && defs[m.rule].name != NULL; i++) {
			if (defs[i].name != NULL && strcmp(defs[i].name, defs[m.rule].name) == 0)
				rule_fault(&m, "name", "another rule has this name");
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

uint32_t rule_pdus(const struct rule_set *rules, int rule)
{
	return rule >= 0 && rule < rules->count ? rules->rules[rule].def.pdus : 0;
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
