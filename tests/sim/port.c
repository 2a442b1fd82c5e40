#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"

/* Below the range from which the kernel gives ports (ip_local_port_range, 32768 and up). */
enum { FIRST = 10000, COUNT = 20000 };

static int bound(int type, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a)) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* A UDP socket at the same number stands for the port. It is never closed: the end of the process does that. */
static bool reserve(int port)
{
	int mark = bound(SOCK_DGRAM, port), fd;

	if (mark < 0)
		return false;
	fd = bound(SOCK_STREAM, port);
	if (fd < 0) {
		int why = errno;

		close(mark);
		errno = why;
		return false;
	}
	close(fd);
	return true;
}

int sim_port(void)
{
	static unsigned int at;

	/* Processes that start together begin far from each other. */
	if (!at)
		at = (unsigned int)getpid() * 7919u;
	for (int tries = 0; tries < COUNT; tries++) {
		int port = FIRST + (int)(at++ % COUNT);

		if (reserve(port))
			return port;
		if (errno != EADDRINUSE)
			break;
	}
	return -1;
}
