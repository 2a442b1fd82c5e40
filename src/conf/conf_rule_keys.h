#ifndef SMSCOPE_CONF_RULE_KEYS_H
#define SMSCOPE_CONF_RULE_KEYS_H

#include "conf/conf_keys.h"

/* The rows of a link's rules. */
enum { CONF_RULE_KEYS = 24 };

extern const struct conf_key conf_rule_keys[CONF_RULE_KEYS];

#endif
