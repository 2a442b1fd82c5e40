#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"

int sim_conn_open(struct sim_conn *c, int fd)
{
	int on = 1;

	memset(c, 0, sizeof *c);
	c->fd = fd;
	c->in = malloc(SIM_BUFFER);
	c->out = malloc(SIM_BUFFER);
	if (!c->in || !c->out) {
		sim_conn_close(c, true);
		return -ENOMEM;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

void sim_conn_close(struct sim_conn *c, bool reset)
{
	struct linger abort_it = { 1, 0 };

	if (c->fd >= 0) {
		if (reset)
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
		close(c->fd);
	}
	c->fd = -1;
	free(c->in);
	free(c->out);
	c->in = c->out = NULL;
	c->in_at = c->in_n = c->out_at = c->out_n = 0;
}

long sim_conn_read(struct sim_conn *c)
{
	ssize_t n;

	if (c->in_at > 0) {
		memmove(c->in, c->in + c->in_at, c->in_n - c->in_at);
		c->in_n -= c->in_at;
		c->in_at = 0;
	}
	if (c->in_n == SIM_BUFFER)
		return 0;
	n = recv(c->fd, c->in + c->in_n, SIM_BUFFER - c->in_n, 0);
	if (n > 0) {
		c->in_n += (size_t)n;
		return (long)n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	c->eof = n == 0;
	c->error = n < 0 ? errno : 0;
	return -1;
}

int sim_conn_write(struct sim_conn *c)
{
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0) {
			c->error = errno;
			return -1;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_n = 0;
	return 0;
}

uint8_t *sim_conn_room(struct sim_conn *c, size_t n)
{
	if (SIM_BUFFER - c->out_n < n && c->out_at > 0) {
		memmove(c->out, c->out + c->out_at, c->out_n - c->out_at);
		c->out_n -= c->out_at;
		c->out_at = 0;
	}
	return SIM_BUFFER - c->out_n < n ? NULL : c->out + c->out_n;
}

static struct addrinfo *resolve(const char *where, int flags)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list = NULL;
	const char *colon = strrchr(where, ':');
	char host[256];
	int e;

	if (!colon || (size_t)(colon - where) >= sizeof host) {
		fprintf(stderr, "%s: not HOST:PORT\n", where);
		return NULL;
	}
	snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
	if (host[0] == '[' && colon[-1] == ']') {
		memmove(host, host + 1, strlen(host));
		host[strlen(host) - 1] = '\0';
	}
	e = getaddrinfo(host, colon + 1, &want, &list);
	if (e) {
		fprintf(stderr, "%s: %s\n", where, gai_strerror(e));
		return NULL;
	}
	return list;
}

int sim_listen(const char *where, int *ret_port)
{
	struct addrinfo *a = resolve(where, AI_PASSIVE);
	struct sockaddr_storage got;
	socklen_t len = sizeof got;
	int fd = -1, on = 1;

	if (!a)
		return -1;
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&got, &len)) {
		fprintf(stderr, "%s: %s\n", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	} else {
		*ret_port = ntohs(((struct sockaddr_in *)(void *)&got)->sin_port);
	}
	freeaddrinfo(a);
	return fd;
}

int sim_connect(const char *where)
{
	struct addrinfo *a = resolve(where, 0);
	int fd;

	if (!a)
		return -1;
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS) {
		fprintf(stderr, "%s: %s\n", where, strerror(errno));
		close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

uint64_t sim_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static size_t bucket_of(uint64_t us)
{
	unsigned int row = 0;

	while (us >> row >= 2 * SIM_HIST_SUB)
		row++;
	if (row >= SIM_HIST_ROWS - 1)
		return SIM_HIST_ROWS * SIM_HIST_SUB - 1;
	return us < SIM_HIST_SUB ? us : (row + 1) * SIM_HIST_SUB + (us >> row) - SIM_HIST_SUB;
}

static uint64_t bucket_top(size_t b)
{
	uint64_t row = b / SIM_HIST_SUB, sub = b % SIM_HIST_SUB;

	return row == 0 ? sub : (((sub + SIM_HIST_SUB + 1) << (row - 1)) - 1);
}

void sim_hist_add(struct sim_hist *h, uint64_t us)
{
	h->buckets[bucket_of(us)]++;
	h->count++;
	if (us > h->max_us)
		h->max_us = us;
}

uint64_t sim_hist_at(const struct sim_hist *h, double share)
{
	uint64_t seen = 0, want = (uint64_t)(share * (double)h->count);

	for (size_t b = 0; b < SIM_HIST_ROWS * SIM_HIST_SUB; b++) {
		seen += h->buckets[b];
		if (seen > want)
			return bucket_top(b) < h->max_us ? bucket_top(b) : h->max_us;
	}
	return h->max_us;
}
