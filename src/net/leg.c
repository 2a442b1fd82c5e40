#include "net/leg.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "net/leg_tls.h"

/* A peer that is gone without a FIN is found in KEEP_IDLE + KEEP_COUNT × KEEP_INTERVAL seconds. */
enum { KEEP_IDLE_S = 30, KEEP_INTERVAL_S = 10, KEEP_COUNT = 3 };

/*
 * Receive memory a leg asks for. The unread head of a PDU pins the whole buffer it lies in, and the
 * kernel goes on appending to that buffer: nine unread octets were seen to hold 128 KiB, which closed
 * the window of a default-sized socket for good. The most that one buffer can pin is 17 fragments of 32 KiB.
 */
enum { ROOM_OCTETS = 1024 * 1024 };

/* A segment may be lost. Attempts are no further apart than a part of dead_timeout, if the kernel lets us say so. */
enum { DEAD_ATTEMPTS = 3, DEAD_PARTS = 4, ATTEMPTS_APART_LEAST_MS = 1000 };

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* since Linux 6.15, which libraries do not know yet */
#endif

/* How much leg_drop() reads in one turn of the loop before others get theirs. */
enum { DROP_TURNS = 16, DROP_OCTETS = 256 * 1024 };

/**
 * The kernel doubles the time between attempts up to 120 s: who died while its window had long been shut would be
 * asked the third time after six minutes. What the administrator set lower stays.
 */
static void leg_ask_often(int fd, uint32_t dead_ms)
{
	int apart = (int)(dead_ms / DEAD_PARTS), most = 0;
	socklen_t len = sizeof(most);

	if (apart < ATTEMPTS_APART_LEAST_MS)
		apart = ATTEMPTS_APART_LEAST_MS;
	if (getsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &most, &len) == 0 && apart < most)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &apart, sizeof(apart));
}

void leg_options(int fd, uint32_t dead_ms)
{
	const int on = 1, idle = KEEP_IDLE_S, interval = KEEP_INTERVAL_S, count = KEEP_COUNT;

	/* Best effort: a link without one of these still works. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
	leg_ask_often(fd, dead_ms);
}

/**
 * SO_RCVBUF would be cut to net.core.rmem_max and end the kernel's own tuning. Raising SO_RCVLOWAT
 * makes room up to half of tcp_rmem's maximum and leaves tuning on; the room stays when it goes back to 1.
 */
static void leg_make_room(int fd)
{
	const int room = ROOM_OCTETS, one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
}

void leg_address_text(const struct sockaddr_storage *a, socklen_t len, char *to, size_t cap)
{
	address_text(a, len, to, cap);
}

int leg_open(struct leg *l, struct event_base *base, int fd, event_callback_fn on_event, void *arg)
{
	*l = (struct leg){ .fd = fd };
	leg_make_room(fd);
	event_assign(&l->event, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
		on_event, arg);
	if (event_add(&l->event, NULL) < 0) {
		l->fd = -1;
		return -ENOMEM;
	}
	return 0;
}

void leg_close(struct leg *l)
{
	if (l->fd < 0)
		return;
	if (l->tls != NULL)
		leg_tls_close(l);
	event_del(&l->event);	/* before close: or its edges reach the next socket of that number */
	close(l->fd);
	l->fd = -1;
}

int leg_shake(struct leg *l)
{
	return l->tls != NULL ? leg_tls_shake(l) : 1;
}

short leg_edge(struct leg *l, short what)
{
	if (l->tls != NULL)
		return leg_tls_edge(l, what);
	if ((what & EV_CLOSED) != 0)
		l->eof = true;
	return what;
}

ssize_t leg_peek(struct leg *l, void *to, size_t cap)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec io = { to, cap };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;
	int unread;

	if (l->tls != NULL)
		return leg_tls_peek(l, to, cap);
	do
		n = recvmsg(l->fd, &m, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno != EAGAIN)
			l->error = errno;
		return -errno;
	}
	l->unread = (size_t)n;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_TCP && c->cmsg_type == TCP_CM_INQ) {
		memcpy(&unread, CMSG_DATA(c), sizeof(unread));
		if (unread > n)
			l->unread = (size_t)unread;
	}
	return n;
}

ssize_t leg_send(struct leg *l, const void *p, size_t n)
{
	ssize_t sent;

	if (l->tls != NULL)
		return leg_tls_send(l, p, n);
	do
		sent = send(l->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN ? 0 : -errno;
}

void leg_forget(struct leg *l, size_t at, size_t n)
{
	if (l->tls != NULL)
		leg_tls_forget(l, at, n);
}

void leg_discard(struct leg *l, size_t n)
{
	if (l->tls != NULL) {
		leg_tls_discard(l, n);
		return;
	}
	while (n > 0) {
		/* TCP drops the octets without copying them; an urgent mark may end a call early. */
		ssize_t got = recv(l->fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT);

		if (got > 0)
			n -= (size_t)got;
		else if (got == 0 || errno != EINTR)
			return;
	}
}

bool leg_ended(struct leg *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

	/* TLS ends by a message of its own, which only reading finds. */
	if (!l->eof && l->tls == NULL && poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP) != 0)
		l->eof = true;
	return l->eof;
}

bool leg_squeezed(const struct leg *l)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (l->tls != NULL)
		return false;	/* it keeps what is left of a PDU outside the kernel */
	if (getsockopt(l->fd, SOL_SOCKET, SO_MEMINFO, mem, &len) < 0 || len < sizeof(mem))
		return false;
	return mem[SK_MEMINFO_RMEM_ALLOC] > mem[SK_MEMINFO_RCVBUF] / 2;
}

bool leg_broken(struct leg *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (l->error == 0 && getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
		l->error = error;
	return l->error != 0;
}

bool leg_dead(struct leg *l, uint64_t now_ns, uint32_t ms)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);
	unsigned int attempts;

	if (l->fd < 0 || getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &i, &len) < 0)
		return false;
	/* Both are counted anew from each answer on: a window that stays shut for days has 0 or 1. */
	attempts = i.tcpi_retransmits > i.tcpi_probes ? i.tcpi_retransmits : i.tcpi_probes;
	if (attempts == 0)
		l->asked_ns = 0;
	else if (l->asked_ns == 0)
		l->asked_ns = now_ns;
	/* The last answer may be old because nothing was asked: so the first attempt must be old, too. */
	return attempts >= DEAD_ATTEMPTS && i.tcpi_last_ack_recv >= ms && i.tcpi_last_data_recv >= ms &&
		now_ns - l->asked_ns >= ms * 1000000ull / DEAD_PARTS * (DEAD_PARTS - 1);
}

void leg_finish(struct leg *l)
{
	if (l->fd < 0 || l->finished)
		return;
	if (l->tls != NULL) {
		leg_tls_finish(l);
		return;
	}
	l->finished = true;
	shutdown(l->fd, SHUT_WR);
}

bool leg_settled(const struct leg *l)
{
	return l->tls == NULL || leg_tls_settled(l);
}

enum leg_drop leg_drop(struct leg *l)
{
	if (l->fd < 0)
		return LEG_OVER;
	return l->tls != NULL ? leg_tls_drop(l) : leg_drop_plain(l);
}

enum leg_drop leg_drop_plain(struct leg *l)
{
	for (int i = 0; i < DROP_TURNS; i++) {
		ssize_t n = recv(l->fd, NULL, DROP_OCTETS, MSG_TRUNC | MSG_DONTWAIT);

		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		return n < 0 && errno == EAGAIN ? LEG_WAIT : LEG_OVER;
	}
	return LEG_MORE;
}
