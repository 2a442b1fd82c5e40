#include "conf/codes_load.h"

static int name_in(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return SM_ENONE;
}

static int when_of(const char *name)
{
	static const char *const names[] = { [WHEN_UNKNOWN] = "unknown", [WHEN_VAGUE] = "vague",
		[WHEN_ALWAYS] = "always", NULL };

	return name_in(names, name);
}

static int rows_of(const char *name)
{
	static const char *const names[] = { [ROWS_ANY] = "any",
		[ROWS_EXACT] = "exact",
		[ROWS_NAMED] = "named",
		[ROWS_RANGE] = "range",
		NULL };

	return name_in(names, name);
}

static int form_of(const char *name)
{
	static const char *const names[] = {
		[FORM_ANY] = "any", [FORM_NUMBER] = "number", [FORM_TEXT] = "text", NULL
	};

	return name_in(names, name);
}

static bool step_read(struct codes_loader *l, config_setting_t *s, struct code_step_def *d)
{
	static const char *const known[] = { "table", "when", "rows", "form", "side", "beside",
		"derived", "from", "to", "subtract", "dialect_from", "dialect_to", "platform",
		NULL };
	uint8_t when = WHEN_UNKNOWN, rows = ROWS_ANY, form = FORM_ANY;

	*d = (struct code_step_def){ .from = INT64_MIN, .to = INT64_MAX, .file = l->file,
		.line = (int)config_setting_source_line(s) };
	setting_unknown(l, s, known);
	setting_string(l, s, "table", &d->table);
	setting_name(l, s, "when", when_of, &when);
	setting_name(l, s, "rows", rows_of, &rows);
	setting_name(l, s, "form", form_of, &form);
	setting_side(l, s, &d->side);
	setting_name(l, s, "platform", code_platform_of, &d->platform);
	setting_bool(l, s, "beside", &d->beside);
	setting_bool(l, s, "derived", &d->derived);
	setting_int(l, s, "from", &d->from);
	setting_int(l, s, "to", &d->to);
	setting_int(l, s, "subtract", &d->subtract);
	setting_octet(l, s, "dialect_from", &d->dialect_from);
	setting_octet(l, s, "dialect_to", &d->dialect_to);
	if (d->dialect_from != 0 && d->dialect_to == 0)
		d->dialect_to = 0xff;
	d->when = (enum code_when)when;
	d->rows = (enum code_rows)rows;
	d->form = (enum code_form)form;
	if (d->table == NULL)
		SETTING_FAULT(l, s, "a step names its table");
	return d->table != NULL;
}

static int steps_read(struct codes_loader *l, config_setting_t *group, struct code_step_def *steps)
{
	config_setting_t *list = setting_groups(l, group, "steps");
	int n = 0;

	if (list == NULL || config_setting_length(list) > CODE_STEPS_MAX) {
		SETTING_FAULT(l, group, "a rule has 1 to %d steps", CODE_STEPS_MAX);
		return 0;
	}
	for (int i = 0; i < config_setting_length(list); i++)
		n += step_read(l, config_setting_get_elem(list, (unsigned)i), &steps[n]);
	return n;
}

static void rule_add(struct codes_loader *l, int profile, config_setting_t *s)
{
	static const char *const known[] = { "contexts", "side", "steps", NULL };
	struct code_rule_def d = {
		.sides = CODE_ANY, .file = l->file, .line = (int)config_setting_source_line(s)
	};
	const char *contexts[CTX_COUNT];
	int n = setting_strings(l, s, "contexts", contexts, CTX_COUNT);

	setting_unknown(l, s, known);
	if (n == 0)
		SETTING_FAULT(l, s, "a rule names its contexts");
	for (int i = 0; i < n; i++) {
		int c = code_context_of(contexts[i]);

		if (c < 0)
			SETTING_FAULT(l, s, "unknown context \"%s\"", contexts[i]);
		else
			d.contexts |= 1u << c;
	}
	setting_side(l, s, &d.sides);
	d.step_count = steps_read(l, s, d.steps);
	codes_add_rule(l->builder, profile, &d);
}

static void inner_add(struct codes_loader *l, int profile, config_setting_t *s)
{
	static const char *const known[] = { "under", "required", "steps", NULL };
	struct code_inner_def d = { .file = l->file, .line = (int)config_setting_source_line(s) };

	setting_unknown(l, s, known);
	d.under_count = setting_strings(l, s, "under", d.under, CODE_UNDER_MAX);
	if (d.under_count == 0)
		SETTING_FAULT(l, s,
			"an inner rule names the rows it stands under: under = [ \"table/key\" ]");
	setting_bool(l, s, "required", &d.required);
	d.step_count = steps_read(l, s, d.steps);
	codes_add_inner(l->builder, profile, &d);
}

static void profile_add(struct codes_loader *l, config_setting_t *s)
{
	static const char *const known[] = { "profile", "title_zh", "title_en", "rules", "inner",
		NULL };
	config_setting_t *rules = setting_groups(l, s, "rules"),
			 *inner = setting_groups(l, s, "inner");
	const char *name = NULL, *title_zh = NULL, *title_en = NULL;
	int profile;

	setting_unknown(l, s, known);
	setting_string(l, s, "profile", &name);
	setting_string(l, s, "title_zh", &title_zh);
	setting_string(l, s, "title_en", &title_en);
	if (name == NULL) {
		SETTING_FAULT(l, s, "a profile needs its name: profile = \"…\"");
		return;
	}
	profile = codes_add_profile(
		l->builder, name, title_zh, title_en, l->file, (int)config_setting_source_line(s));
	for (int i = 0; rules != NULL && i < config_setting_length(rules); i++)
		rule_add(l, profile, config_setting_get_elem(rules, (unsigned)i));
	for (int i = 0; inner != NULL && i < config_setting_length(inner); i++)
		inner_add(l, profile, config_setting_get_elem(inner, (unsigned)i));
}

void codes_profiles_add(struct codes_loader *l, config_setting_t *profiles)
{
	for (int i = 0; i < config_setting_length(profiles); i++)
		profile_add(l, config_setting_get_elem(profiles, (unsigned)i));
}
