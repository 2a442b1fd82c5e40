#ifndef SMSCOPE_ADMIN_SERVERS_H
#define SMSCOPE_ADMIN_SERVERS_H

#include "admin/reply.h"

/* What is told of the gateways' servers. */

/** Lines of a link, one a server. */
void servers_text(struct reply *r, int link);

/** The same as a member of the link's object. */
void servers_json(struct reply *r, int link);

/* Families of the metrics: all servers of all links. */
uint32_t servers_count(const struct reply *r);
void servers_up(struct reply *r, const char *name, uint32_t i);
void servers_sessions(struct reply *r, const char *name, uint32_t i);
void servers_failures(struct reply *r, const char *name, uint32_t i);

#endif
