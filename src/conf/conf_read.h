#ifndef SMSCOPE_CONF_READ_H
#define SMSCOPE_CONF_READ_H

#include "conf/conf_keys.h"
#include "conf/conf_source.h"

/* From libconfig's tree to settings. */

/**
 * Parse `source` and add what it says to `s`. The main file may say everything, one of the
 * include_dir only links and logs. Faults are reported one by one.
 */
void conf_read(struct settings *s, const struct conf_source *source, bool is_main);

/** One more link or sink with every default set; NULL after reporting that memory is short. */
struct link_settings *settings_add_link(struct settings *s, struct conf_faults *faults);
struct rule_settings *settings_add_rule(struct link_settings *l, struct conf_faults *faults);
struct sink_settings *settings_add_sink(struct settings *s, struct conf_faults *faults);

/** Set every default of the section. 0, or SM_EFORMAT after reporting. */
int conf_presets(enum conf_section section, void *into, struct conf_faults *faults);

#endif
