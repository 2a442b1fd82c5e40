#ifndef SMSCOPE_DAEMON_PROVE_H
#define SMSCOPE_DAEMON_PROVE_H

#include "daemon/options.h"
#include "smscope/codes.h"

/* Does everything that a configuration names load? Faults go to standard error. */

enum { PROVE_FD = 3 }; /* where `smscoped --prove` finds the settings in effect */

/** Settings from the file or from the command line; NULL after saying what is wrong. */
struct settings *prove_load(const struct options *o);

/** The code tables, and in them every profile and map that a link names. NULL: something is not there. */
struct code_set *prove_tables(const struct settings *s);

/** Code tables and certificates: EXIT_OK or EXIT_FAULT. */
int prove(const struct settings *s);

/**
 * In a child of the keeper: what `o` names now, where `now` is in effect; the settings are written to `fd`,
 * and read from there again. If they are the same, code tables and certificates are left to the engine.
 */
int prove_config(const struct options *o, const struct settings *now, int fd);

/**
 * What PROVE_FD holds: how a keeper asks another version of this program whether it would do. `layout` is
 * the number of its shared memory's.
 */
int prove_settings(const char *layout);

#endif
