#include "base/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union pass_control {
	struct cmsghdr head;
	char octets[CMSG_SPACE(sizeof(int))];
};

int pass_send(int sock, const struct pass_note *note, int fd)
{
	struct pass_note copy = *note;
	struct iovec io = { &copy, sizeof(copy) };
	union pass_control control = { .octets = { 0 } };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.octets,
		.msg_controllen = sizeof(control.octets) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	while (sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The one descriptor of the packet, -1 if there is none. */
static int descriptor_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int pass_receive(int sock, struct pass_note *ret_note, int *ret_fd)
{
	struct pass_note note;
	struct iovec io = { &note, sizeof(note) };
	union pass_control control;
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.octets,
		.msg_controllen = sizeof(control.octets) };
	ssize_t n;
	int fd;

	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	fd = descriptor_of(&m);
	if (n != (ssize_t)sizeof(note)) {
		if (fd >= 0)
			close(fd);
		return -EBADMSG;
	}
	*ret_note = note;
	*ret_fd = fd;
	return fd >= 0 ? 1 : -EMFILE;
}
