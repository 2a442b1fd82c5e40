#ifndef SMSCOPE_ADMIN_CONTROL_PATH_H
#define SMSCOPE_ADMIN_CONTROL_PATH_H

#include <sys/types.h>

#include "smscope/err.h"

/*
 * The control socket's place in the file system. The keeper opens it once and hands the listening
 * socket to every engine, as it does with the links' listeners: while an engine is replaced, who
 * connects waits in the socket's queue.
 */

struct control_path {
	int fd;       /* listening, close-on-exec, non-blocking */
	dev_t device; /* of the file that is ours */
	ino_t file;
};

/**
 * Listen on `path`, mode 0660. A socket left behind there is replaced. 0, or -errno: -EADDRINUSE if
 * somebody answers on it, -EEXIST if it is another kind of file, which stays.
 */
int control_path_open(const char *path, struct control_path *ret) MUST_CHECK;

/** Close it and remove the file, if it is still the one that was made. */
void control_path_close(const char *path, struct control_path *c);

#endif
