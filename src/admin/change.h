#ifndef SMSCOPE_ADMIN_CHANGE_H
#define SMSCOPE_ADMIN_CHANGE_H

#include "admin/reply.h"

/* Another configuration, another program: asking the keeper for it, and what became of the last one. */
extern const struct part reload_text[], upgrade_text[], change_text[];

#endif
