#ifndef SMSCOPE_DAEMON_KEEPER_H
#define SMSCOPE_DAEMON_KEEPER_H

#include "daemon/options.h"

/**
 * Bind the listeners of `s`, which is the keeper's from here on, keep an engine running until TERM or INT. Returns the exit code of
 * smscoped: EXIT_OK, EXIT_BIND, or EXIT_FAULT when there is no memory or no engine comes up.
 */
int keeper_run(struct settings *s, const struct options *o);

/**
 * In the place of the keeper that executed us and left what it knew in o->moved: all goes on as it was.
 * Returns the exit code of smscoped.
 */
int keeper_go_on(const struct options *o);

#endif
