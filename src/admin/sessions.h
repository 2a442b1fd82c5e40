#ifndef SMSCOPE_ADMIN_SESSIONS_H
#define SMSCOPE_ADMIN_SESSIONS_H

#include "admin/reply.h"

/* Sessions of a link, as last counted. */
struct link_sessions {
	uint32_t states[SESSION_CLOSED + 1]; /* by enum session_state */
	uint32_t logged_in;
	uint32_t blind; /* directions */
};

/** "relaying". */
const char *session_state_name(enum session_state state);

/**
 * A copy of the session that stands next in the table, from where `r` is. 1; 0 after a number of
 * slots without one: ask again; SM_ENONE at the end, where the walk may begin anew. Workers write
 * meanwhile, so the copy may be a little out of step with itself.
 */
int session_next(struct reply *r, struct shm_session *ret);

/** A part that writes nothing: r->sessions, link_count of them and one for what has no link. */
bool sessions_count(struct reply *r, uint32_t i);

extern const struct part sessions_text[], sessions_json[];

#endif
