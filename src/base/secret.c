#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/** Where `name` lies; NULL with the reason. */
static const char *secret_path(const char *name, char *room, size_t cap, const char **ret_why)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (strchr(name, '/') != NULL)
		return name;
	*ret_why = "a name without a '/' is a credential, and there is no $CREDENTIALS_DIRECTORY";
	if (dir == NULL || dir[0] != '/')
		return NULL;
	*ret_why = "no name of a credential";
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return NULL;
	n = snprintf(room, cap, "%s/%s", dir, name);
	return n > 0 && (size_t)n < cap ? room : NULL;
}

/** What is wrong with a file that should hold a secret, or NULL. */
static const char *secret_fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a plain file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to another user";
	if ((st->st_mode & S_IROTH) != 0)
		return "readable for everybody: chmod o= it";
	if ((st->st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return "open to others than its owner: chmod g-w,o= it";
	if (st->st_size == 0)
		return "empty";
	if (st->st_size > SECRET_MAX)
		return "too long for a secret";
	return NULL;
}

/** Exactly `n` octets, for the file may change while we read: more or fewer is a failure. */
static int secret_read(int fd, size_t n, struct secret *ret)
{
	struct secret s = { malloc(n + 1), 0 };
	ssize_t got = 0;

	if (s.p == NULL)
		return -ENOMEM;
	do {
		got = read(fd, s.p + s.n, n + 1 - s.n);
		if (got > 0)
			s.n += (size_t)got;
	} while ((got > 0 && s.n <= n) || (got < 0 && errno == EINTR));
	if (got != 0 || s.n != n) {
		s.n = n;
		secret_wipe(&s);
		return -EAGAIN;
	}
	s.p[n] = '\0';
	*ret = s;
	return 0;
}

/** What is wrong with a file that anybody may read, or NULL. */
static const char *public_fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a plain file";
	if (st->st_size == 0)
		return "empty";
	return st->st_size > PUBLIC_MAX ? "too long" : NULL;
}

static int file_octets(const char *name, int flags, const char *(*fault)(const struct stat *),
	struct secret *ret, const char **ret_why)
{
	char room[PATH_MAX];
	const char *path = secret_path(name, room, sizeof(room), ret_why);
	int fd, err = -EINVAL;
	struct stat st;

	if (path == NULL)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (fd < 0) {
		err = -errno;
		*ret_why = err == -ELOOP ? "a symbolic link: name the file itself" : err_text(err);
		return err;
	}
	if (fstat(fd, &st) < 0) {
		err = -errno;
		*ret_why = err_text(err);
	} else {
		*ret_why = fault(&st);
		if (*ret_why == NULL) {
			err = secret_read(fd, (size_t)st.st_size, ret);
			if (err < 0)
				*ret_why = err == -EAGAIN ? "changes while it is read" : err_text(err);
		}
	}
	close(fd);
	return err;
}

void secret_hide_process(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int secret_file(const char *name, struct secret *ret, const char **ret_why)
{
	return file_octets(name, O_NOFOLLOW, secret_fault, ret, ret_why);
}

int secret_public(const char *name, struct secret *ret, const char **ret_why)
{
	return file_octets(name, 0, public_fault, ret, ret_why);
}

void secret_wipe(struct secret *s)
{
	if (s->p != NULL)
		explicit_bzero(s->p, s->n);
	free(s->p);
	*s = (struct secret){ NULL, 0 };
}
