#ifndef CHAOS_ENDS_H
#define CHAOS_ENDS_H

#include "chaos.h"

/* One end of a session: its socket, what it has half read and not yet sent. */

enum { IN_MAX = 64 * 1024, OUT_MAX = 1024 * 1024, REQUESTS_MAX = 32 * 1024 };

void end_open(struct end *e, struct session *s, enum side side, int fd);
void end_close(struct end *e);

/** Queue a PDU; `edited` as stream_put() has it. */
void end_put(struct end *e, const uint8_t *p, size_t n, const uint8_t *edited, size_t edited_n);

/** Send what is queued, in pieces of any length, perhaps not all of it. */
void end_flush(struct end *e);

/** Read, compare, and do what the PDUs ask for. */
void end_read(struct end *e);

static inline size_t end_queued(const struct end *e)
{
	return e->out_n - e->out_at;
}

#endif
