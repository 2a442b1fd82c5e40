#include "conf/conf.h"
#include "conf/conf_keys.h"

/* From a link's rules as they are configured to the set that edits. */

enum { MAP_ONE = 1u << EDIT_MAP_STATUS | 1u << EDIT_MAP_STAT, EVERY = (1u << EDIT_ACTIONS) - 1 };

/* Keys that only some actions read. */
static const struct {
	const char *key;
	uint32_t actions;
} uses[] = {
	{ "map", MAP_ONE | 1u << EDIT_ERR_WIDTH }, { "to", MAP_ONE },
	{ "keep_err", 1u << EDIT_MAP_STAT }, { "id_base", 1u << EDIT_MESSAGE_ID },
	{ "id_case", 1u << EDIT_MESSAGE_ID }, { "id_width", 1u << EDIT_MESSAGE_ID },
	{ "id_strip", 1u << EDIT_MESSAGE_ID }, { "width", 1u << EDIT_ERR_WIDTH },
	{ "in", 1u << EDIT_ANNOTATE }, { "lang", 1u << EDIT_ANNOTATE },
	{ "payload", EVERY & ~(1u << EDIT_NONE | 1u << EDIT_MAP_STATUS) },
};
/* Keys for what CMPP does not have. */
static const char *const smpp_keys[] = { "keep_err", "payload" };

struct making {
	const struct link_settings *link;
	struct conf_faults *faults;
};

static struct setting_origin rule_at(const struct rule_settings *r, const char *key)
{
	struct setting_origin o = { NULL, 0 };

	if (key != NULL && conf_key_find(CONF_RULE, key) >= 0)
		o = *conf_origin(CONF_RULE, r, key);
	return o.file != NULL ? o : *conf_origin(CONF_RULE, r, NULL);
}

static void rule_fault(void *arg, int rule, const char *key, const char *what)
{
	const struct making *m = arg;
	struct setting_origin o;

	if (rule < 0) {
		o = *conf_origin(CONF_LINK, m->link, "rules");
		conf_error(m->faults, o.file, o.line, "rules: %s", what);
		return;
	}
	o = rule_at(&m->link->rules[rule], key);
	conf_error(m->faults, o.file, o.line, "rule %s: %s",
		m->link->rules[rule].name != NULL ? m->link->rules[rule].name : "", what);
}

static const struct code_map *find_map(const struct rule_settings *r, const struct code_set *set,
	struct conf_faults *faults)
{
	const struct code_map *map = codes_map(set, r->map);
	struct conf_guess g = conf_guess_of(r->map);
	struct setting_origin o = rule_at(r, "map");

	for (int i = 0; map == NULL && i < codes_map_count(set); i++)
		conf_guess_try(&g, codes_map_at(set, i)->name);
	if (map == NULL)
		conf_error(faults, o.file, o.line, "no map \"%s\" in the code tables%s%s%s", r->map,
			g.nearest != NULL ? "; did you mean \"" : "",
			g.nearest != NULL ? g.nearest : "", g.nearest != NULL ? "\"?" : "");
	return map;
}

static void check_tables(const struct rule_settings *r, const struct code_set *set,
	struct conf_faults *faults)
{
	struct setting_origin o = rule_at(r, "table");

	for (int i = 0; i < r->table_count; i++) {
		struct conf_guess g = conf_guess_of(r->tables[i]);

		if (codes_table(set, r->tables[i]) != NULL)
			continue;
		for (int k = 0; k < codes_table_count(set); k++)
			conf_guess_try(&g, codes_table_at(set, k)->name);
		conf_error(faults, o.file, o.line, "no code table \"%s\"%s%s%s", r->tables[i],
			g.nearest != NULL ? "; did you mean \"" : "",
			g.nearest != NULL ? g.nearest : "", g.nearest != NULL ? "\"?" : "");
	}
}

/* What was set and has no effect was meant to have one. */
static void check_uses(const struct link_settings *l, const struct rule_settings *r,
	struct conf_faults *faults)
{
	struct setting_origin o;

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		o = *conf_origin(CONF_RULE, r, uses[i].key);
		if (o.file != NULL && (uses[i].actions >> r->action & 1u) == 0)
			conf_error(faults, o.file, o.line, "rule %s: %s means nothing to action %s",
				r->name, uses[i].key, edit_action_name(r->action));
	}
	for (size_t i = 0; i < sizeof(smpp_keys) / sizeof(smpp_keys[0]); i++) {
		o = *conf_origin(CONF_RULE, r, smpp_keys[i]);
		if (o.file != NULL && l->proto != NULL && !l->proto->status_in_header)
			conf_error(faults, o.file, o.line, "rule %s: %s means nothing in %s", r->name,
				smpp_keys[i], l->proto->name);
	}
}

/* Only one gateway to another sends what the rule is for: not sure, but hardly meant. */
static void check_from(const struct link_settings *l, const struct rule_set *rules,
	struct conf_faults *faults)
{
	for (int i = 0; i < rule_set_count(rules); i++) {
		const struct rule_settings *r = &l->rules[i];
		struct setting_origin o = rule_at(r, "from");

		if (r->from == RULE_FROM_SP && rule_pdus(rules, i) == 1u << CTX_REPORT)
			conf_warn(faults, o.file, o.line, "rule %s: reports come from the gateway, but "
				"for those that CMPP_FWD passes on", r->name);
	}
}

static struct rule_def def_of(const struct link_settings *l, const struct rule_settings *r,
	const struct code_map *map)
{
	return (struct rule_def){
		.name = r->name, .proto = l->proto, .action = r->action, .dry_run = r->dry_run, .stop = r->stop,
		.log = r->log, .pdus = r->pdus,
		.from = r->from == RULE_FROM_ANY ? 0 : r->from == RULE_FROM_SP ? 1u << SIDE_SP
									      : 1u << SIDE_GW,
		.classes = r->classes, .origins = r->origins,
		.codes = (const char *const *)r->codes, .code_count = r->code_count,
		.tables = (const char *const *)r->tables, .table_count = r->table_count,
		.dst = (const char *const *)r->dst, .dst_count = r->dst_count,
		.accounts = (const char *const *)r->accounts, .account_count = r->account_count,
		.map = map, .to = r->to, .keep_err = r->keep_err, .base = r->base,
		.letters = r->letters, .id_width = (uint8_t)r->id_width,
		.strip_zeros = r->strip_zeros, .err_width = (uint8_t)r->err_width,
		.annotate = r->annotate, .lang = r->lang, .to_payload = r->to_payload,
	};
}

struct rule_set *conf_rules(const struct link_settings *l, const struct code_set *set,
	struct conf_faults *faults)
{
	struct rule_def defs[RULES_MAX];
	struct making m = { l, faults };
	int before = faults->errors, count = l->rule_count < RULES_MAX ? l->rule_count : RULES_MAX;
	struct rule_set *rules;

	if (l->rule_count > RULES_MAX) {
		struct setting_origin o = *conf_origin(CONF_LINK, l, "rules");

		conf_error(faults, o.file, o.line, "more than %d rules", RULES_MAX);
	}
	for (int i = 0; i < count; i++) {
		const struct rule_settings *r = &l->rules[i];

		check_uses(l, r, faults);
		check_tables(r, set, faults);
		defs[i] = def_of(l, r, r->map != NULL ? find_map(r, set, faults) : NULL);
	}
	if (faults->errors != before)
		return NULL;
	rules = rule_set_new(defs, count, rule_fault, &m);
	if (rules == NULL && faults->errors == before)
		conf_error(faults, "configuration", 0, "out of memory");
	if (rules != NULL)
		check_from(l, rules, faults);
	return rules;
}
