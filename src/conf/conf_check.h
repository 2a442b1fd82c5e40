#ifndef SMSCOPE_CONF_CHECK_H
#define SMSCOPE_CONF_CHECK_H

#include "conf/conf.h"

/** What no key's row alone can tell: keys that contradict each other. Reports each. */
void conf_check(const struct settings *s, struct conf_faults *faults);

#endif
