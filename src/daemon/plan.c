#include "daemon/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "conf/conf.h"

static bool have_rules(const struct settings *s)
{
	for (int i = 0; i < s->link_count; i++)
		if (s->links[i].rule_count > 0)
			return true;
	return false;
}

static const struct code_profile **profiles_of(const struct link_settings *l,
	const struct code_set *codes)
{
	const struct code_profile **all = calloc((size_t)l->profile_count + 1, sizeof(*all)), **next = all;

	for (int i = 0; all != NULL && i < l->profile_count; i++) {
		*next = codes_profile(codes, l->profiles[i]);
		if (*next != NULL)
			next++;
	}
	return all;
}

/* Faults were found when the tables were checked: what is left is want of memory. */
static struct rule_set *rules_of(const struct link_settings *l, const struct code_set *codes)
{
	struct conf_faults faults = { 0 };
	struct rule_set *rules;
	char *text = NULL;
	size_t len;

	faults.to = open_memstream(&text, &len);
	rules = conf_rules(l, codes, &faults);
	if (faults.to != NULL)
		fclose(faults.to);
	if (rules == NULL)
		log_error("link %s rewrites nothing: %s", l->name, text != NULL ? text : "no memory");
	free(text);
	return rules;
}

struct edit_plan *plan_new(const struct settings *s, const struct code_set *codes)
{
	struct edit_plan *plan;

	if (codes == NULL || !have_rules(s))
		return NULL;
	plan = calloc(1, sizeof(*plan));
	if (plan != NULL)
		plan->links = calloc((size_t)s->link_count, sizeof(*plan->links));
	if (plan == NULL || plan->links == NULL) {
		log_error("nothing is rewritten: no memory");
		plan_free(plan);
		return NULL;
	}
	plan->codes = codes;
	plan->link_count = s->link_count;
	for (int i = 0; i < s->link_count; i++) {
		struct edit_link *l = &plan->links[i];

		if (s->links[i].rule_count == 0)
			continue;
		l->profiles = profiles_of(&s->links[i], codes);
		l->rules = l->profiles != NULL ? rules_of(&s->links[i], codes) : NULL;
	}
	return plan;
}

void plan_free(struct edit_plan *plan)
{
	if (plan == NULL)
		return;
	for (int i = 0; plan->links != NULL && i < plan->link_count; i++) {
		rule_set_free(plan->links[i].rules);
		free(plan->links[i].profiles);
	}
	free(plan->links);
	free(plan);
}
