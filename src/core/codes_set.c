#include <stdlib.h>

#include "core/codes_set.h"

void codes_free(struct code_set *set)
{
	struct code_chunk *c = set != NULL ? set->chunks : NULL;

	while (c != NULL) {
		struct code_chunk *next = c->next;

		free(c);
		c = next;
	}
	free(set);
}

const struct code_profile *codes_profile(const struct code_set *set, const char *name)
{
	for (int i = 0; i < set->profile_count; i++)
		if (strcmp(set->profiles[i]->name, name) == 0)
			return set->profiles[i];
	return NULL;
}

const char *codes_profile_name(const struct code_profile *profile)
{
	return profile->name;
}

const char *codes_profile_title(const struct code_profile *profile, bool zh)
{
	return zh ? profile->title_zh : profile->title_en;
}

int codes_profile_count(const struct code_set *set)
{
	return set->profile_count;
}

const struct code_profile *codes_profile_at(const struct code_set *set, int i)
{
	return i >= 0 && i < set->profile_count ? set->profiles[i] : NULL;
}

const struct code_table *codes_table(const struct code_set *set, const char *name)
{
	for (int i = 0; i < set->table_count; i++)
		if (strcmp(set->tables[i]->pub.name, name) == 0)
			return &set->tables[i]->pub;
	return NULL;
}

int codes_table_count(const struct code_set *set)
{
	return set->table_count;
}

const struct code_table *codes_table_at(const struct code_set *set, int i)
{
	return i >= 0 && i < set->table_count ? &set->tables[i]->pub : NULL;
}

int codes_row_count(const struct code_set *set)
{
	return set->row_count;
}
