#ifndef SMSCOPE_DAEMON_LISTEN_H
#define SMSCOPE_DAEMON_LISTEN_H

#include "base/settings.h"

/** All listening addresses of all links. */
int listen_count(const struct settings *s);

/**
 * Every listener into `ret_fds`, listen_count() of them: link by link, in a link in the order
 * of the file, which is how an engine with the same settings tells them apart. Each is bound, unless
 * one of the `passed` sockets of activation_take() listens there; those that no link wants are closed.
 * 0, or -errno of the last that failed, after each failure was logged and everything closed.
 */
int listen_open(const struct settings *s, int passed, int *ret_fds) MUST_CHECK;

/* The first listener that failed, for who asked for it. */
struct listen_fault {
	char text[320];
};

/**
 * The same for other settings `now`: what listened for `before`, with descriptors `fds`, at the same
 * address goes on. What was opened anew is closed when one fails, and *ret says why.
 */
int listen_reopen(const struct settings *before, const int *fds, const struct settings *now, int *ret_fds,
	struct listen_fault *ret) MUST_CHECK;

/**
 * Say on standard error where each listener is bound, with the port that the kernel chose: for a
 * person at a terminal, else as lines of the operator log.
 */
void listen_announce(const struct settings *s, const int *fds, bool to_person);

#endif
