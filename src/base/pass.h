#ifndef SMSCOPE_BASE_PASS_H
#define SMSCOPE_BASE_PASS_H

#include <stdint.h>
#include <sys/types.h>

#include "smscope/err.h"

/*
 * Descriptors on their way from an engine to its keeper, each with a note that says whose it is. The
 * socket is a SOCK_SEQPACKET of AF_UNIX.
 */
struct pass_note {
	uint64_t session;
	uint32_t slot;
	uint32_t side; /* enum side */
};

/** Send a duplicate of `fd`; any thread, never waits. 0, or -errno: -EAGAIN if the socket is full. */
int MUST_CHECK pass_send(int sock, const struct pass_note *note, int fd);

/**
 * 1 and *ret_fd, close-on-exec; 0 the other end is closed; -EAGAIN nothing now; -EMFILE with the note: there
 * was no room for its descriptor; else -errno.
 */
int MUST_CHECK pass_receive(int sock, struct pass_note *ret_note, int *ret_fd);

#endif
