#ifndef SMSCOPE_ADMIN_CERTIFICATES_H
#define SMSCOPE_ADMIN_CERTIFICATES_H

#include "admin/reply.h"

/* What is told of TLS. */

/** Lines of a link: handshakes by result, certificates and when they expire; none without TLS. */
void certificates_text(struct reply *r, int link);

/** The same as members of the link's object. */
void certificates_json(struct reply *r, int link);

/* Families of the metrics. */
uint32_t certificates_count(const struct reply *r);
void certificates_sample(struct reply *r, const char *name, uint32_t i);
uint32_t handshakes_count(const struct reply *r);
void handshakes_sample(struct reply *r, const char *name, uint32_t i);

#endif
