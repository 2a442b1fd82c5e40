#ifndef SMSCOPE_BASE_SECRET_H
#define SMSCOPE_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "smscope/err.h"

/*
 * Octets that nobody else may see: a private key, the key of a hash. They come from files, never from a
 * configuration or a command line, and are wiped when they are let go.
 */

enum { SECRET_MAX = 64 * 1024, PUBLIC_MAX = 4 * 1024 * 1024 };

struct secret {
	uint8_t *p; /* `n` octets and a NUL behind them; NULL: nothing */
	size_t n;
};

/**
 * The octets of `name`, a path. A name without a slash is a file of $CREDENTIALS_DIRECTORY, where systemd
 * puts what LoadCredential= names. The file must be a plain one, not a symbolic link, of root or of the
 * user we run as, unreadable for others, writable for its owner only, and hold 1 … SECRET_MAX octets.
 *
 * Returns 0, or negative with the reason in *ret_why, static text that fits behind the name and a
 * colon. The caller wipes.
 */
int MUST_CHECK secret_file(const char *name, struct secret *ret, const char **ret_why);

/** The same of a file that is no secret, such as a certificate: anybody may read it, of whomever it is. */
int MUST_CHECK secret_public(const char *name, struct secret *ret, const char **ret_why);

/** Overwrite and free; empty afterwards. */
void secret_wipe(struct secret *s);

/**
 * Give this process no core file, and let nobody but root read its memory or trace it. Not inherited: a program
 * that is executed begins without. Sanitizers still find leaks.
 */
void secret_hide_process(void);

#endif
