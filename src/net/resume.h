#ifndef SMSCOPE_NET_RESUME_H
#define SMSCOPE_NET_RESUME_H

#include "net/session.h"

/*
 * Sessions that outlive their engine: the keeper has a duplicate of each plain one's sockets, the
 * session table the rest.
 */

/** Let the keeper have the socket of that leg; nothing if the session has TLS. Never waits. */
void session_keep(struct session *s, enum side side);

/** What the sockets have counted so far is none of the streams: note it. Both legs are open. */
void session_note_bases(struct session *s);

/** Could the session go on in another engine? */
bool session_can_yield(const struct session *s);

/** Let go of it: the next engine finds it in the table, and its sockets at the keeper. */
void session_yield(struct session *s);

/**
 * Go on with the session that an engine before us left in this slot of the table, or tell that it is
 * over and free the slot. True: the slot is in use.
 */
bool session_resume(struct worker *w, uint32_t slot);

#endif
