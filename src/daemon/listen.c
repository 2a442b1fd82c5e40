#include "daemon/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/shm.h"
#include "net/leg.h"

int listen_count(const struct settings *s)
{
	int n = 0;

	for (int i = 0; i < s->link_count; i++)
		n += s->links[i].listen_count;
	return n;
}

/*
 * Accepted sockets inherit both options. Without SO_OOBINLINE one urgent octet would leave the
 * stream and falsify the count of unread octets.
 */
static int open_one(const struct endpoint *at)
{
	int on = 1, fd, err;

	if (at->addr_len == 0)
		return -EADDRNOTAVAIL;
	fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	/* "[::]:7890" leaves 0.0.0.0:7890 to whoever is told to listen there. */
	if (at->addr.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0 &&
		bind(fd, (const struct sockaddr *)&at->addr, at->addr_len) == 0 &&
		listen(fd, SOMAXCONN) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The descriptor that listens at that address; -1: none does. A port that the kernel chose is the link's own. */
static int listener_of(const struct settings *s, const int *fds, const struct link_settings *link,
	const struct endpoint *at)
{
	for (int i = 0; s != NULL && i < s->link_count; i++)
		for (int j = 0; j < s->links[i].listen_count; j++, fds++) {
			const struct endpoint *e = &s->links[i].listen[j];

			if (e->addr_len == at->addr_len && memcmp(&e->addr, &at->addr, e->addr_len) == 0 &&
				(((const struct sockaddr_in6 *)(const void *)&e->addr)->sin6_port != 0 ||
					strcmp(s->links[i].name, link->name) == 0))
				return *fds;
		}
	return -1;
}

int listen_reopen(const struct settings *before, const int *fds, const struct settings *now, int *ret_fds)
{
	int n = 0, err = 0;

	for (int i = 0; i < now->link_count; i++) {
		const struct link_settings *l = &now->links[i];

		for (int j = 0; j < l->listen_count; j++) {
			int fd = listener_of(before, fds, l, &l->listen[j]);

			if (fd < 0)
				fd = open_one(&l->listen[j]);
			ret_fds[n++] = fd;
			if (fd >= 0)
				continue;
			err = fd;
			log_error("cannot listen link=%s on=%s: %s", l->name, l->listen[j].text,
				err_text(err));
		}
	}
	while (err < 0 && n-- > 0) {
		bool old = false;

		for (int i = 0; before != NULL && i < listen_count(before); i++)
			old = old || fds[i] == ret_fds[n];
		if (ret_fds[n] >= 0 && !old)
			close(ret_fds[n]);
		ret_fds[n] = -1;
	}
	return err;
}

int listen_open(const struct settings *s, int *ret_fds)
{
	return listen_reopen(NULL, NULL, s, ret_fds);
}

static void announce_one(const struct link_settings *l, int fd, bool to_person)
{
	const char *to = l->upstream_count > 0 ? l->upstream[0].text : "-";
	const char *proto = l->proto != NULL ? l->proto->name : "auto";
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	char on[SHM_ADDR_TEXT];

	(void)getsockname(fd, (struct sockaddr *)&addr, &len);
	leg_address_text(&addr, len, on, sizeof(on));
	if (to_person)
		fprintf(stderr, "smscoped: %s -> %s, %s, codes of %s; Ctrl-C stops\n", on, to,
			proto, l->profile_count > 0 ? l->profiles[0] : "standard");
	else
		log_info("listening link=%s on=%s upstream=%s proto=%s", l->name, on, to, proto);
}

void listen_announce(const struct settings *s, const int *fds, bool to_person)
{
	for (int i = 0; i < s->link_count; i++)
		for (int j = 0; j < s->links[i].listen_count; j++)
			announce_one(&s->links[i], *fds++, to_person);
}
