#ifndef SMSCOPE_BASE_ACTIVATION_H
#define SMSCOPE_BASE_ACTIVATION_H

#include "smscope/err.h"

/*
 * Sockets that a service manager opened for us: $LISTEN_FDS descriptors from ACTIVATION_FIRST on, if
 * $LISTEN_PID is this process. Source: sd_listen_fds(3).
 */
enum { ACTIVATION_FIRST = 3 };

/**
 * How many were passed; from here on they are closed by an exec. 0: none, or they are another process's;
 * -EINVAL: $LISTEN_FDS is no number, -EBADF: there are not so many. In any case the variables are gone,
 * so call this once, before anything else opens descriptors or there are threads.
 */
int activation_take(void) MUST_CHECK;

#endif
