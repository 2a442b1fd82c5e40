#ifndef SMSCOPE_ADMIN_UNKNOWN_H
#define SMSCOPE_ADMIN_UNKNOWN_H

#include "admin/reply.h"

/* Codes that no table knows, by link. */
extern const struct part unknown_text[], unknown_json[];

#endif
