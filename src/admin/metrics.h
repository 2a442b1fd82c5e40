#ifndef SMSCOPE_ADMIN_METRICS_H
#define SMSCOPE_ADMIN_METRICS_H

#include "admin/reply.h"

/* Prometheus text format 0.0.4. */
extern const struct part metrics_text[];

/**
 * One sample, `NAME{KEY="VALUE",…} v`; labels are pairs of texts that end with NULL. Values are
 * foreign: what would break the line is escaped.
 */
void metrics_sample(struct out *o, const char *name, uint64_t v, const char *const *labels);

#endif
