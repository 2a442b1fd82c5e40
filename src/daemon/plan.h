#ifndef SMSCOPE_DAEMON_PLAN_H
#define SMSCOPE_DAEMON_PLAN_H

#include "base/settings.h"
#include "net/edits.h"

/** The links' rules over these code tables, which it borrows; NULL: no link has rules. What fails is logged. */
struct edit_plan *plan_new(const struct settings *s, const struct code_set *codes);
void plan_free(struct edit_plan *plan);

#endif
