#ifndef SMSCOPE_ADMIN_STATUS_H
#define SMSCOPE_ADMIN_STATUS_H

#include "admin/reply.h"

/* What runs, and what each link has done. */
extern const struct part status_text[], status_json[];

#endif
