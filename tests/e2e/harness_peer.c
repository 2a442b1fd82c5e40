#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "port.h"

enum { FDS_MAX = 20480, PINGS_MAX = 10000 };

static bool ours[FDS_MAX];

static int track(int fd)
{
	if (fd < 0)
		fail_msg("socket: %s", strerror(errno));
	if (fd < FDS_MAX)
		ours[fd] = true;
	return fd;
}

void peers_sweep(void)
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (ours[fd])
			peer_close(fd);
}

void peer_close(int fd)
{
	if (fd >= 0 && fd < FDS_MAX)
		ours[fd] = false;
	close(fd);
}

int peer_adopt(int fd)
{
	return track(fd);
}

void peer_forget(int fd)
{
	if (fd >= 0 && fd < FDS_MAX)
		ours[fd] = false;
}

void peer_reset(int fd)
{
	struct linger abort_it = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
	peer_close(fd);
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

int port_closed(void)
{
	int port = sim_port();

	if (port < 0)
		fail_msg("no port: %s", strerror(errno));
	return port;
}

int peer_listen(int *ret_port, int backlog)
{
	int port = port_closed(), fd = track(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_in a = loopback(port);

	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, backlog))
		fail_msg("port %d: %s", port, strerror(errno));
	*ret_port = port;
	return fd;
}

void peer_buffers(int fd, int octets)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
}

int peer_dial_buffers(int port, int octets)
{
	struct sockaddr_in a = loopback(port);
	int on = 1, fd = track(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (octets > 0)
		peer_buffers(fd, octets);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&a, sizeof a))
		fail_msg("connect to port %d: %s", port, strerror(errno));
	return fd;
}

int peer_dial(int port)
{
	return peer_dial_buffers(port, 0);
}

bool peer_has_caller(int fd, int wait_ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, wait_ms) == 1;
}

int peer_accept(int listener)
{
	int on = 1, fd;

	if (!peer_has_caller(listener, WAIT_MS))
		fail_msg("nobody dials the gateway");
	fd = track(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

void peer_send(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0) {
		ssize_t s = send(fd, at, n, MSG_NOSIGNAL);

		if (s < 0)
			fail_msg("send: %s", strerror(errno));
		at += s;
		n -= (size_t)s;
	}
}

size_t peer_read(int fd, void *p, size_t n, int wait_ms)
{
	uint8_t *at = p;
	size_t got = 0;

	while (got < n) {
		struct pollfd w = { fd, POLLIN, 0 };
		ssize_t r;

		if (poll(&w, 1, wait_ms) <= 0)
			break;
		r = recv(fd, at + got, n - got, 0);
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

void peer_expect(int fd, const void *p, size_t n)
{
	uint8_t *have = malloc(n + 1);
	size_t got;

	assert_non_null(have);
	got = peer_read(fd, have, n, WAIT_MS);
	if (got != n)
		fail_msg("%zu of %zu octets arrived", got, n);
	assert_memory_equal(have, p, n);
	free(have);
}

void peer_expect_end(int fd)
{
	struct pollfd w = { fd, POLLIN, 0 };
	uint8_t octet;
	ssize_t r;

	if (poll(&w, 1, WAIT_MS) <= 0)
		fail_msg("the stream does not end");
	r = recv(fd, &octet, 1, 0);
	if (r < 0)
		fail_msg("instead of a FIN: %s", strerror(errno));
	if (r > 0)
		fail_msg("an octet instead of the end");
}

bool peer_ended(int fd, int wait_ms)
{
	uint64_t end = now_us() + (uint64_t)wait_ms * 1000u;
	uint8_t away[4096];

	while (now_us() < end) {
		struct pollfd w = { fd, POLLIN, 0 };

		if (poll(&w, 1, 10) == 1 && recv(fd, away, sizeof away, 0) <= 0)
			return true;
	}
	return false;
}

void peer_expect_silence(int fd, int ms)
{
	struct pollfd w = { fd, POLLIN, 0 };

	if (poll(&w, 1, ms) != 0)
		fail_msg("something arrives, nothing should");
}

size_t peer_read_pdu(int fd, enum sim_proto proto, uint8_t *to, struct sim_pdu *ret)
{
	int len;

	if (peer_read(fd, to, 4, WAIT_MS) != 4)
		fail_msg("no PDU arrives");
	len = sim_pdu_len(proto, to, 4);
	if (len <= 0)
		fail_msg("a PDU with an impossible length arrives");
	if (peer_read(fd, to + 4, (size_t)len - 4, WAIT_MS) != (size_t)len - 4)
		fail_msg("a PDU arrives in part");
	if (ret && sim_parse(proto, to, (size_t)len, ret))
		fail_msg("a PDU that contradicts itself arrives");
	return (size_t)len;
}

void peer_send_pdu(int fd, enum sim_proto proto, const struct sim_pdu *pdu)
{
	uint8_t octets[SIM_PDU_MAX];

	peer_send(fd, octets, sim_build(proto, pdu, octets));
}

void pair_close(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

struct pair pair_login_over(int sp, int listener, enum sim_proto proto)
{
	uint8_t asked[SIM_PDU_MAX], seen[SIM_PDU_MAX];
	struct sim_pdu login = { .what = SIM_LOGIN,
		.seq = 1,
		.user = sim_text("900001"),
		.secret = sim_text("0123456789abcdef"),
		.stamp = 1121080000 };
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP,
		.seq = 1,
		.user = sim_text("gateway"),
		.secret = sim_text("fedcba9876543210") };
	struct pair p = { sp, -1 };
	size_t n;

	if (proto == SIM_SMPP)
		login.secret.n = 8;
	n = sim_build(proto, &login, asked);
	peer_send(sp, asked, n);
	p.gw = peer_accept(listener);
	peer_expect(p.gw, asked, n);
	n = sim_build(proto, &answer, seen);
	peer_send(p.gw, seen, n);
	peer_expect(sp, seen, n);
	return p;
}

struct pair pair_login(struct rig *r, int link, int listener, enum sim_proto proto)
{
	return pair_login_over(peer_dial(r->port[link]), listener, proto);
}

uint64_t pair_ping(struct pair p, enum sim_proto proto)
{
	struct sim_pdu test = { .what = SIM_TEST, .seq = 4242 };
	uint8_t octets[SIM_PDU_MAX];
	size_t n = sim_build(proto, &test, octets);
	uint64_t sent = now_us();

	peer_send(p.sp, octets, n);
	peer_expect(p.gw, octets, n);
	return now_us() - sent;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t pair_p99(struct pair p, enum sim_proto proto, int ms)
{
	static uint64_t all[PINGS_MAX];
	uint64_t end = now_us() + (uint64_t)ms * 1000;
	size_t n = 0;

	for (; now_us() < end && n < PINGS_MAX; pause_ms(1))
		all[n++] = pair_ping(p, proto);
	assert_true(n > 0);
	qsort(all, n, sizeof *all, by_value);
	return all[n * 99 / 100];
}

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

size_t hex_load(const char *name, uint8_t *to, size_t cap)
{
	char path[512], line[512];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof path, SOURCE_DIR "/tests/data/sim/%s.hex", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	while (f && fgets(line, sizeof line, f)) {
		unsigned int octet;

		line[strcspn(line, "#\r\n")] = '\0';
		for (const char *s = line; sscanf(s, " %2x", &octet) == 1; s += 2) {
			assert_true(n < cap);
			to[n++] = (uint8_t)octet;
		}
	}
	fclose(f);
	return n;
}

size_t peer_fill(int fd, const uint8_t *p, size_t n)
{
	size_t sent = 0;

	for (int idle = 0; idle < 20 && sent < n;) {
		ssize_t s = send(fd, p + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (s > 0) {
			sent += (size_t)s;
			idle = 0;
		} else {
			pause_ms(20);
			idle++;
		}
	}
	return sent;
}
