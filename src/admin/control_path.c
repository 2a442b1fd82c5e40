#include "admin/control_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16, LOCK_TRIES = 20, LOCK_PAUSE_US = 100000 };

static int address_of(const char *path, struct sockaddr_un *ret)
{
	size_t len = strlen(path);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, len + 1);
	return 0;
}

/*
 * Look, remove and bind are three steps; two daemons that start together must not take turns in
 * them. A lock on the folder leaves no file behind and ends with its holder. -errno, or what to
 * close.
 */
static int lock_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd, err;

	if (slash == NULL)
		snprintf(folder, sizeof(folder), ".");
	else
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path),
			path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EINTR && (errno != EWOULDBLOCK || i == LOCK_TRIES)) {
			err = -errno;
			close(fd);
			return err;
		}
		usleep(LOCK_PAUSE_US);
	}
	return fd;
}

/* 0: nothing stands there now; what was left behind is gone. */
static int clear(const char *path, const struct sockaddr_un *at)
{
	struct stat st;
	int fd, err;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? errno : 0;
	close(fd);
	/* Connected, or its queue is full: somebody listens. */
	if (err == 0 || err == EAGAIN)
		return -EADDRINUSE;
	if (err != ECONNREFUSED)
		return -err;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The caller has one thread, or the umask would be seen by others. */
static int bind_private(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(0117);
	int err = bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? -errno : 0;

	umask(before);
	return err;
}

static int open_locked(const char *path, const struct sockaddr_un *at, struct control_path *ret)
{
	struct stat st;
	int fd, err = clear(path, at);

	if (err < 0)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_private(fd, at);
	if (err == 0 && (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0)) {
		err = -errno;
		unlink(path);
	}
	if (err < 0) {
		close(fd);
		return err;
	}
	*ret = (struct control_path){ fd, st.st_dev, st.st_ino };
	return 0;
}

int control_path_open(const char *path, struct control_path *ret)
{
	struct sockaddr_un at;
	int lock, err = address_of(path, &at);

	if (err < 0)
		return err;
	lock = lock_folder(path);
	if (lock < 0)
		return lock;
	err = open_locked(path, &at, ret);
	close(lock);
	return err;
}

void control_path_close(const char *path, struct control_path *c)
{
	int lock = lock_folder(path);
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == c->device && st.st_ino == c->file)
		unlink(path);
	close(c->fd);
	c->fd = -1;
	if (lock >= 0)
		close(lock);
}
