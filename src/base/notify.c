#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len;
	ssize_t sent;
	int fd, err;

	if (name == NULL || name[0] == '\0')
		return 0;
	len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len >= sizeof(to.sun_path))
		return -EINVAL;
	memcpy(to.sun_path, name, len);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* An abstract name is as long as the address says; a path carries its NUL. */
	len += offsetof(struct sockaddr_un, sun_path) + (name[0] == '/');
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)len);
	err = errno;
	close(fd);
	return sent < 0 ? -err : 1;
}

/* The value of a decimal environment variable, 0 if there is none. */
static unsigned long env_number(const char *name)
{
	const char *text = getenv(name);

	return text != NULL ? strtoul(text, NULL, 10) : 0;
}

uint32_t notify_watchdog_ms(void)
{
	unsigned long us = env_number("WATCHDOG_USEC"), pid = env_number("WATCHDOG_PID");

	if (pid != 0 && pid != (unsigned long)getpid())
		return 0;
	us /= 1000;
	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}
