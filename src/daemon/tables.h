#ifndef SMSCOPE_DAEMON_TABLES_H
#define SMSCOPE_DAEMON_TABLES_H

#include <stdatomic.h>

#include "base/settings.h"
#include "scribe/scribe.h"

/*
 * The code tables of a running engine: loaded at start, and again when an operator changed them.
 */

/** Load them; every fault becomes a line of the operator log. NULL if there was one. */
struct code_set *tables_load(const struct settings *s);

/**
 * Load them again beside `codes`, the set in use (NULL: none), and let the scribe change over. Returns
 * the new set: the scribe has done with the old one then. With any fault all stays as it is, and the
 * result is NULL. The log says which it was: the operator's with every fault, the records' as one
 * `config`. Takes as long as the tables take; given up when `*ending` is set.
 */
struct code_set *tables_reload(const struct settings *s, struct scribe *scribe,
	struct code_set *codes, const _Atomic bool *ending);

/**
 * All of the process that tables_reload() starts first: load the tables of these folders, print
 * their faults. Returns its exit code. libconfig ends a process that gives it trouble: better this one.
 */
int tables_check(const char *dir, const char *site_dir);

#endif
