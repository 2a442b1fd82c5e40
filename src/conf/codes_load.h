#ifndef SMSCOPE_CONF_CODES_LOAD_H
#define SMSCOPE_CONF_CODES_LOAD_H

#include <libconfig.h>

#include "conf/conf.h"
#include "smscope/codes_build.h"

/* One loading of code tables: `file` is the one being read. */
struct codes_loader {
	struct conf_faults *faults;
	struct code_builder *builder;
	const char *file;
};

/**
 * Read and parse one file. What libconfig alone would let pass, see conf_source.h, and octets that are no
 * UTF-8 are faults here. 0, or SM_EFORMAT with every fault reported.
 */
int codes_file_read(struct codes_loader *l, config_t *cfg);

/** Add the profiles of a `profiles` list. */
void codes_profiles_add(struct codes_loader *l, config_setting_t *profiles);

/** Add the maps of a `maps` list. */
void codes_maps_add(struct codes_loader *l, config_setting_t *maps);

#define SETTING_FAULT(l, s, ...) \
	conf_error((l)->faults, (l)->file, (int)config_setting_source_line(s), __VA_ARGS__)

/* Each getter leaves *ret alone when the key is absent, and reports a value of another kind. */
void setting_string(struct codes_loader *l, config_setting_t *group, const char *key, const char **ret);
void setting_bool(struct codes_loader *l, config_setting_t *group, const char *key, bool *ret);
bool setting_int(struct codes_loader *l, config_setting_t *group, const char *key, int64_t *ret);

/** A number of 1 to 255. */
void setting_octet(struct codes_loader *l, config_setting_t *group, const char *key, uint8_t *ret);

/** Value of a name by `of`, into *ret; what it is not is reported as "unknown WHAT". */
void setting_name(struct codes_loader *l, config_setting_t *group, const char *key, int (*of)(const char *),
	uint8_t *ret);

/** `side`: an enum code_side. */
void setting_side(struct codes_loader *l, config_setting_t *group, uint8_t *ret);

/** A list or array of strings; one string counts as a list of one. Returns how many. */
int setting_strings(struct codes_loader *l, config_setting_t *group, const char *key, const char **ret, int cap);

/** Report every key of the group that is not in `known`, which ends with NULL. */
void setting_unknown(struct codes_loader *l, config_setting_t *group, const char *const *known);

/** The member, if it is a list of groups; NULL, reported unless absent, if not. */
config_setting_t *setting_groups(struct codes_loader *l, config_setting_t *group, const char *key);

#endif
