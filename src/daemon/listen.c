#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/activation.h"
#include "base/log.h"
#include "base/shm.h"
#include "conf/conf_addr.h"
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

/* Something that listens before we do. */
struct held {
	struct sockaddr_storage addr;
	socklen_t len;
	const char *link; /* whose it is; NULL: a service manager passed it, nobody's yet */
	int fd;
	bool taken; /* it goes on: two of one link may be told to have any port */
};

static int held_before(const struct settings *s, const int *fds, struct held *to)
{
	int n = 0;

	for (int i = 0; i < s->link_count; i++)
		for (int j = 0; j < s->links[i].listen_count; j++, n++) {
			const struct endpoint *e = &s->links[i].listen[j];

			to[n] = (struct held){ e->addr, e->addr_len, s->links[i].name, fds[n], false };
		}
	return n;
}

/* MPTCP is none: what a socket has sent and received is counted by TCP's own counters. */
static bool listens_tcp(int fd)
{
	static const struct { int name, want; } options[] = {
		{ SO_TYPE, SOCK_STREAM }, { SO_PROTOCOL, IPPROTO_TCP }, { SO_ACCEPTCONN, 1 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int value = -1;
		socklen_t len = sizeof(value);

		if (getsockopt(fd, SOL_SOCKET, options[i].name, &value, &len) < 0 ||
			value != options[i].want)
			return false;
	}
	return true;
}

/* Sockets that a service manager passed get what open_one() gives to ours. What is unfit is closed. */
static int held_passed(int count, struct held *to)
{
	int n = 0;

	for (int fd = ACTIVATION_FIRST; fd < ACTIVATION_FIRST + count; fd++) {
		struct held *h = &to[n];
		int on = 1, flags = fcntl(fd, F_GETFL);

		*h = (struct held){ .len = sizeof(h->addr), .fd = fd };
		if (!listens_tcp(fd)) {
			log_error("descriptor=%d was passed, but is no listening TCP socket: closed", fd);
			close(fd);
		} else if (getsockname(fd, (struct sockaddr *)&h->addr, &h->len) < 0 || flags < 0 ||
			fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
			fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0) {
			log_error("descriptor=%d was passed, but is of no use: %s: closed", fd,
				strerror(errno));
			close(fd);
		} else {
			n++;
		}
	}
	return n;
}

/* May it go on as the link's listener at that address? A port that the kernel chose is the link's own. */
static bool is_listener_of(const struct held *h, const struct link_settings *link, const struct endpoint *at)
{
	if (h->taken || h->len != at->addr_len || memcmp(&h->addr, &at->addr, h->len) != 0)
		return false;
	return h->link == NULL || ((const struct sockaddr_in6 *)(const void *)&h->addr)->sin6_port != 0 ||
		strcmp(h->link, link->name) == 0;
}

/* The descriptor that listens at that address; -1: none does. */
static int listener_of(struct held *held, int count, const struct link_settings *link,
	const struct endpoint *at)
{
	for (struct held *h = held; h < held + count; h++) {
		if (!is_listener_of(h, link, at))
			continue;
		if (h->link == NULL) {
			log_info("descriptor=%d was passed link=%s on=%s", h->fd, link->name, at->text);
			h->link = link->name;
		}
		h->taken = true;
		return h->fd;
	}
	return -1;
}

/*
 * Why an address cannot be had. Our own listener may be in the way: 127.0.0.1:7890 of 0.0.0.0:7890, and the other
 * way round. It is closed when the new one is open and not before, or callers would be refused in between.
 */
static void say_why(const struct held *held, int count, const struct link_settings *link, const struct endpoint *at,
	int err, struct listen_fault *ret)
{
	char on[SHM_ADDR_TEXT];

	snprintf(ret->text, sizeof(ret->text), "link %s cannot listen on %s: %s", link->name, at->text,
		err == -EADDRINUSE ? "the address is in use" : err_text(err));
	for (const struct held *h = held; err == -EADDRINUSE && h < held + count; h++) {
		struct endpoint other = { .addr = h->addr, .addr_len = h->len };

		if (h->link == NULL || !endpoint_overlap(&other, at))
			continue;
		leg_address_text(&h->addr, h->len, on, sizeof(on));
		snprintf(ret->text, sizeof(ret->text), "link %s cannot listen on %s as long as link %s listens on %s, "
			"which a reload closes last: take that out with one reload and add this with the next, or restart",
			link->name, at->text, h->link, on);
		return;
	}
}

static bool is_held(const struct held *held, int count, int fd)
{
	for (int i = 0; i < count; i++)
		if (held[i].fd == fd)
			return true;
	return false;
}

/* Into `ret_fds` what is held already, the rest opened anew; after a failure that is closed again. */
static int open_all(struct held *held, int count, const struct settings *s, int *ret_fds, struct listen_fault *ret)
{
	int n = 0, err = 0;

	for (int i = 0; i < s->link_count; i++) {
		const struct link_settings *l = &s->links[i];

		for (int j = 0; j < l->listen_count; j++) {
			int fd = listener_of(held, count, l, &l->listen[j]);

			if (fd < 0)
				fd = open_one(&l->listen[j]);
			ret_fds[n++] = fd;
			if (fd >= 0)
				continue;
			log_error("cannot listen link=%s on=%s: %s", l->name, l->listen[j].text, err_text(fd));
			if (err == 0)
				say_why(held, count, l, &l->listen[j], fd, ret);
			err = fd;
		}
	}
	while (err < 0 && n-- > 0) {
		if (ret_fds[n] >= 0 && !is_held(held, count, ret_fds[n]))
			close(ret_fds[n]);
		ret_fds[n] = -1;
	}
	return err;
}

int listen_reopen(const struct settings *before, const int *fds, const struct settings *now, int *ret_fds,
	struct listen_fault *ret)
{
	struct held *held = calloc((size_t)listen_count(before) + 1, sizeof(*held));
	int err = -ENOMEM;

	snprintf(ret->text, sizeof(ret->text), "%s", err_text(err));
	if (held != NULL)
		err = open_all(held, held_before(before, fds, held), now, ret_fds, ret);
	free(held);
	return err;
}

/* Passed, but no link's. */
static void close_rest(const struct held *held, int count, bool failed)
{
	char on[SHM_ADDR_TEXT];

	for (const struct held *h = held; h < held + count; h++) {
		if (h->link == NULL) {
			leg_address_text(&h->addr, h->len, on, sizeof(on));
			log_warn("descriptor=%d was passed on=%s, where no link listens: closed", h->fd, on);
		}
		if (h->link == NULL || failed)
			close(h->fd);
	}
}

int listen_open(const struct settings *s, int passed, int *ret_fds)
{
	struct listen_fault fault;
	struct held *held;
	int count, err;

	if (passed < 0) {
		log_error("LISTEN_FDS does not say what was passed: %s: nothing is taken", err_text(passed));
		passed = 0;
	}
	held = calloc((size_t)passed + 1, sizeof(*held));
	if (held == NULL)
		return -ENOMEM;
	count = held_passed(passed, held);
	err = open_all(held, count, s, ret_fds, &fault);
	close_rest(held, count, err < 0);
	free(held);
	return err;
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
