#include "conf/codes_load.h"

void setting_string(
	struct codes_loader *l, config_setting_t *group, const char *key, const char **ret)
{
	config_setting_t *s = config_setting_get_member(group, key);

	if (s == NULL)
		return;
	if (config_setting_type(s) != CONFIG_TYPE_STRING || *config_setting_get_string(s) == '\0')
		SETTING_FAULT(l, s, "%s is a text that is not empty", key);
	else
		*ret = config_setting_get_string(s);
}

void setting_bool(struct codes_loader *l, config_setting_t *group, const char *key, bool *ret)
{
	config_setting_t *s = config_setting_get_member(group, key);

	if (s == NULL)
		return;
	if (config_setting_type(s) != CONFIG_TYPE_BOOL)
		SETTING_FAULT(l, s, "%s is true or false", key);
	else
		*ret = config_setting_get_bool(s) != 0;
}

bool setting_int(struct codes_loader *l, config_setting_t *group, const char *key, int64_t *ret)
{
	config_setting_t *s = config_setting_get_member(group, key);

	if (s == NULL)
		return false;
	if (config_setting_type(s) != CONFIG_TYPE_INT
		&& config_setting_type(s) != CONFIG_TYPE_INT64) {
		SETTING_FAULT(l, s, "%s is a number", key);
		return false;
	}
	*ret = config_setting_get_int64(s);
	return true;
}

void setting_octet(
	struct codes_loader *l, config_setting_t *group, const char *key, uint8_t *ret)
{
	int64_t v;

	if (!setting_int(l, group, key, &v))
		return;
	if (v < 1 || v > 0xff)
		SETTING_FAULT(l, config_setting_get_member(group, key), "%s is 1 to 255", key);
	else
		*ret = (uint8_t)v;
}

void setting_name(struct codes_loader *l, config_setting_t *group, const char *key,
	int (*of)(const char *), uint8_t *ret)
{
	const char *name = NULL;
	int v;

	setting_string(l, group, key, &name);
	if (name == NULL)
		return;
	v = of(name);
	if (v < 0)
		SETTING_FAULT(
			l, config_setting_get_member(group, key), "unknown %s \"%s\"", key, name);
	else
		*ret = (uint8_t)v;
}

static int side_of(const char *name)
{
	for (int s = CODE_SMPP; s <= CODE_ANY; s++) {
		if (strcmp(name, code_side_name((enum code_side)s)) == 0)
			return s;
	}
	return SM_ENONE;
}

void setting_side(struct codes_loader *l, config_setting_t *group, uint8_t *ret)
{
	setting_name(l, group, "side", side_of, ret);
}

int setting_strings(
	struct codes_loader *l, config_setting_t *group, const char *key, const char **ret, int cap)
{
	config_setting_t *s = config_setting_get_member(group, key);
	int n;

	if (s == NULL)
		return 0;
	if (config_setting_type(s) == CONFIG_TYPE_STRING) {
		ret[0] = config_setting_get_string(s);
		return 1;
	}
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		SETTING_FAULT(l, s, "%s is a list of texts", key);
		return 0;
	}
	n = config_setting_length(s);
	if (n > cap) {
		SETTING_FAULT(l, s, "%s has at most %d members", key, cap);
		n = cap;
	}
	for (int i = 0; i < n; i++) {
		ret[i] = config_setting_get_string_elem(s, i);
		if (ret[i] == NULL) {
			SETTING_FAULT(l, s, "%s is a list of texts", key);
			return i;
		}
	}
	return n;
}

void setting_unknown(struct codes_loader *l, config_setting_t *group, const char *const *known)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(s);
		int k = 0;

		while (known[k] != NULL && strcmp(known[k], name) != 0)
			k++;
		if (known[k] == NULL)
			SETTING_FAULT(l, s, "unknown key \"%s\"", name);
	}
}

config_setting_t *setting_groups(struct codes_loader *l, config_setting_t *group, const char *key)
{
	config_setting_t *s = config_setting_get_member(group, key);

	if (s == NULL)
		return NULL;
	if (!config_setting_is_list(s)) {
		SETTING_FAULT(l, s, "%s is a list of groups: ( { … }, … )", key);
		return NULL;
	}
	for (int i = 0; i < config_setting_length(s); i++) {
		config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (!config_setting_is_group(e)) {
			SETTING_FAULT(l, e, "%s is a list of groups: ( { … }, … )", key);
			return NULL;
		}
	}
	return s;
}
