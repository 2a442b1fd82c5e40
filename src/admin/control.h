#ifndef SMSCOPE_ADMIN_CONTROL_H
#define SMSCOPE_ADMIN_CONTROL_H

#include <sys/types.h>

#include "admin/admin.h"

struct event_base;
struct ucred;

/*
 * The control socket: a line in, a reply out (docs/control.md), in the loop of the front and in
 * steps that are short beside its accepting.
 */
struct control;

/**
 * Serve `listener`, a listening unix socket that stays the caller's, in `base`. `a` outlives it.
 * NULL when memory is short.
 */
struct control *control_new(struct event_base *base, int listener, const struct admin *a);

/** Hang up on everybody. */
void control_free(struct control *c);

/* What a peer may do. Who may connect at all, the file's mode and owner say first. */
enum control_right { CONTROL_NOTHING, CONTROL_READ, CONTROL_CHANGE };

/**
 * Root and `owner` may change things; members of `group` may read. `groups` are the peer's
 * supplementary ones.
 */
enum control_right control_right_of(const struct ucred *peer, const gid_t *groups, int group_count,
	uid_t owner, gid_t group);

#endif
