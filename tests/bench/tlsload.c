#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * Connections as a load, to a port of 127.0.0.1, each with a whole handshake of its own:
 *
 *   tlsload --port P --rate N --seconds S    N handshakes a second, each closed again at once
 *   tlsload --port P --idle N [--plain]      N sessions that log in and then say nothing until standard
 *                                            input ends; "ready N" when all have been answered
 *   tlsload --port P --drop N [--plain]      N connections, one after another, left at various moments
 *
 * tests/bench/tls uses it.
 */

enum { THREADS = 4, IDLE_MOST = 20000, TIMES = 1 << 16 };

static struct {
	int port, rate, seconds, idle, drop;
	bool plain;
} opt;

static SSL_CTX *context;
static _Atomic uint64_t done, failed;
static _Atomic uint32_t time_count;
static uint32_t times_us[TIMES];

/* SMPP 3.4, 4.1.5: bind_transceiver of system_id "idle". */
static const uint8_t bind_pdu[] = { 0, 0, 0, 0x1d, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 'i', 'd', 'l', 'e', 0,
	'p', 'w', 0, 0, 0x34, 0, 0, 0 };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000;
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 10 };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A handshake over `fd`; NULL if there is none. */
static SSL *shake(int fd)
{
	SSL *s = SSL_new(context);

	if (s == NULL)
		return NULL;
	SSL_set_fd(s, fd);
	if (SSL_connect(s) == 1)
		return s;
	SSL_free(s);
	return NULL;
}

static void handshake_once(void)
{
	uint64_t start = now_us();
	int fd = dial();
	SSL *s = fd >= 0 ? shake(fd) : NULL;
	uint32_t at;

	if (s != NULL) {
		at = atomic_fetch_add(&time_count, 1);
		if (at < TIMES)
			times_us[at] = (uint32_t)(now_us() - start);
		SSL_shutdown(s);
		SSL_free(s);
	}
	atomic_fetch_add(s != NULL ? &done : &failed, 1);
	if (fd >= 0)
		close(fd);
}

/* One of THREADS that share the rate. */
static void *handshakes(void *arg)
{
	uint64_t every = (uint64_t)THREADS * 1000000u / (uint64_t)opt.rate, start = now_us();
	uint64_t next = start + every * (uint64_t)*(const int *)arg / THREADS;

	while (now_us() - start < (uint64_t)opt.seconds * 1000000u) {
		uint64_t now = now_us();

		if (now < next)
			usleep((useconds_t)(next - now));
		handshake_once();
		next += every;
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int run_rate(void)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	uint32_t n;

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, handshakes, &numbers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	n = atomic_load(&time_count) < TIMES ? atomic_load(&time_count) : TIMES;
	qsort(times_us, n, sizeof(*times_us), by_value);
	printf("handshakes=%" PRIu64 " failed=%" PRIu64 " per_second=%.0f p50_us=%u p99_us=%u\n",
		atomic_load(&done), atomic_load(&failed), (double)atomic_load(&done) / opt.seconds,
		n > 0 ? times_us[n / 2] : 0, n > 0 ? times_us[n * 99 / 100] : 0);
	return 0;
}

/* Log in and wait for the answer. */
static bool log_in(int fd, SSL *s)
{
	uint8_t answer[256];
	int n;

	if (s != NULL)
		n = SSL_write(s, bind_pdu, sizeof(bind_pdu)) > 0 ? SSL_read(s, answer, sizeof(answer)) : 0;
	else
		n = send(fd, bind_pdu, sizeof(bind_pdu), MSG_NOSIGNAL) > 0
			? (int)recv(fd, answer, sizeof(answer), 0) : 0;
	return n >= 16;
}

static int run_idle(void)
{
	static SSL *sessions[IDLE_MOST];
	static int fds[IDLE_MOST];
	int ready = 0;

	for (int i = 0; i < opt.idle && i < IDLE_MOST; i++) {
		fds[i] = dial();
		sessions[i] = fds[i] >= 0 && !opt.plain ? shake(fds[i]) : NULL;
		if (fds[i] >= 0 && (opt.plain || sessions[i] != NULL) && log_in(fds[i], sessions[i]))
			ready++;
	}
	printf("ready %d\n", ready);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return ready == opt.idle ? 0 : 1;
}

/* Left after the connection, inside the hello, inside the login, after the login. */
static void drop_once(int i)
{
	static const uint8_t hello_begins[] = { 0x16, 3, 1, 2, 0, 1, 0 };
	int fd = dial();
	SSL *s = NULL;

	if (fd < 0) {
		atomic_fetch_add(&failed, 1);
		return;
	}
	if (i % 4 == 1)
		(void)!write(fd, opt.plain ? bind_pdu : hello_begins, 5);
	if (i % 4 >= 2 && !opt.plain)
		s = shake(fd);
	if (i % 4 == 3 && s != NULL)
		(void)SSL_write(s, bind_pdu, sizeof(bind_pdu));
	if (i % 4 == 3 && opt.plain)
		(void)!write(fd, bind_pdu, sizeof(bind_pdu));
	if (i % 8 >= 4)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	if (s != NULL)
		SSL_free(s);
	close(fd);
	atomic_fetch_add(&done, 1);
}

static int run_drop(void)
{
	for (int i = 0; i < opt.drop; i++)
		drop_once(i);
	printf("dropped=%" PRIu64 " failed=%" PRIu64 "\n", atomic_load(&done), atomic_load(&failed));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", required_argument, NULL, 'p' }, { "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' }, { "idle", required_argument, NULL, 'i' },
		{ "drop", required_argument, NULL, 'd' }, { "plain", no_argument, NULL, 'P' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		int *to = c == 'p' ? &opt.port : c == 'r' ? &opt.rate : c == 's' ? &opt.seconds :
			c == 'i' ? &opt.idle : c == 'd' ? &opt.drop : NULL;

		if (c == '?')
			return 2;
		if (to != NULL)
			*to = atoi(optarg);
		else
			opt.plain = true;
	}
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		return 1;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (opt.port <= 0 || (opt.rate > 0) + (opt.idle > 0) + (opt.drop > 0) != 1 ||
		(opt.rate > 0 && opt.seconds <= 0))
		return 2;
	return opt.rate > 0 ? run_rate() : opt.idle > 0 ? run_idle() : run_drop();
}
