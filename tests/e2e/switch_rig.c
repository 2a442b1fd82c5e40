#include "switch_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TOLD_MAX = 1 << 16, SAID_MAX = 512, CHANGE_MS = 60000, CHILDREN = 16 };

static int notify_socket = -1;
static char notify_name[64], told[TOLD_MAX];
static size_t told_len;
static uint32_t seed;
static struct side_job *running;

size_t said_now(const struct rig *r)
{
	size_t n;

	free(rig_file(r, r->err_path, &n));
	return n;
}

bool has_said(const struct rig *r, size_t from, const char *words)
{
	return count_said(r, from, words) > 0;
}

void await_said(const struct rig *r, size_t from, const char *format, ...)
{
	char words[SAID_MAX], *text;
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	for (uint64_t end = now_us() + CHANGE_MS * 1000u; now_us() < end; pause_ms(10))
		if (has_said(r, from, words))
			return;
	text = rig_file(r, r->err_path, NULL);
	fputs(text + from, stderr);
	free(text);
	fail_msg("it does not say: %s", words);
}

void notify_open(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len;

	snprintf(notify_name, sizeof notify_name, "@smscope-e2e-%d", (int)getpid());
	memcpy(a.sun_path + 1, notify_name + 1, strlen(notify_name) - 1);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(notify_name));
	notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(notify_socket >= 0);
	assert_int_equal(bind(notify_socket, (struct sockaddr *)&a, len), 0);
	notify_forget();
}

void notify_close(void)
{
	if (notify_socket >= 0)
		close(notify_socket);
	notify_socket = -1;
}

void notify_be_told(void)
{
	setenv("NOTIFY_SOCKET", notify_name, 1);
}

/* What was told since, a line each. */
static void notify_read(void)
{
	ssize_t n;

	while (told_len + 1 < sizeof told &&
		(n = recv(notify_socket, told + told_len, sizeof told - told_len - 1, 0)) > 0) {
		told_len += (size_t)n;
		told[told_len] = '\0';
	}
}

void notify_forget(void)
{
	notify_read();
	told_len = 0;
	told[0] = '\0';
}

void await_told(const char *words)
{
	for (uint64_t end = now_us() + WAIT_MS * 1000u; now_us() < end; pause_ms(10)) {
		notify_read();
		if (strstr(told, words) != NULL)
			return;
	}
	fail_msg("the service manager is not told %s, but %s", words, told);
}

/* The engine that was started last, if it is ready; else 0. */
static pid_t ready_engine(const struct rig *r)
{
	char *text = rig_file(r, r->err_path, NULL);
	int started = 0, ready = 0;

	for (const char *at = text; (at = strstr(at, "engine started pid=")) != NULL; at++)
		(void)sscanf(at, "engine started pid=%d", &started);
	for (const char *at = text; (at = strstr(at, "engine ready pid=")) != NULL; at++)
		(void)sscanf(at, "engine ready pid=%d", &ready);
	free(text);
	return started == ready ? started : 0;
}

void await_engine(struct rig *r, int older)
{
	pid_t children[CHILDREN], engine = 0;
	int count = 0;

	for (uint64_t end = now_us() + CHANGE_MS * 1000u; now_us() < end; pause_ms(10)) {
		engine = ready_engine(r);
		count = rig_children(r, children, CHILDREN);
		for (int i = 0; i < count && engine != 0 && count == older + 1; i++)
			if (children[i] == engine) {
				r->engine = engine;
				return;
			}
	}
	fail_msg("engine %d, and %d processes instead of %d", (int)engine, count, older + 1);
}

struct pair links_begin(struct rig *r, const struct rig_options *o, struct rig_link links[3], int count, int *gateway,
	int *gateway_port)
{
	*gateway = peer_listen(gateway_port, 64);
	for (int i = 0; i < 3; i++)
		links[i] = (struct rig_link){ .protocol = "smpp", .upstream = gateway_port, .upstream_count = 1 };
	rig_start(r, o, links, count);
	for (int i = 0; i < 3; i++)
		links[i].port = i < count ? r->port[i] : (r->port[i] = port_closed());
	rig_await_ready(r);
	return pair_login(r, 0, *gateway, SIM_SMPP);
}

void traffic(struct pair p, enum sim_proto proto, size_t octets)
{
	size_t n1, n2;
	uint8_t *there = stream_make(proto, ++seed, octets, 4000, &n1);
	uint8_t *back = stream_make(proto, ++seed, octets, 4000, &n2);
	struct flow flows[] = {
		{ .from = p.sp, .to = p.gw, .p = there, .n = n1, .piece_max = 3000 },
		{ .from = p.gw, .to = p.sp, .p = back, .n = n2, .piece_max = 3000 },
	};

	flows_run(flows, 2, seed);
	free(there);
	free(back);
}

void serve_one(struct rig *r, int link, int listener, enum sim_proto proto)
{
	struct pair p = pair_login(r, link, listener, proto);

	(void)pair_ping(p, proto);
	p = (struct pair){ p.gw, p.sp };
	(void)pair_ping(p, proto);
	peer_close(p.sp);
	peer_close(p.gw);
}

void submit(struct pair p, enum sim_proto proto, uint32_t seq, uint32_t status, const char *msgid)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT, .seq = seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text("13812345678"),
		.body = sim_text("text"), .registered = true };
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .status = status,
		.msgid = sim_text(msgid) };
	uint8_t octets[SIM_PDU_MAX];

	peer_send_pdu(p.sp, proto, &ask);
	peer_read_pdu(p.gw, proto, octets, NULL);
	peer_send_pdu(p.gw, proto, &answer);
	peer_read_pdu(p.sp, proto, octets, NULL);
}

static bool dial(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool open = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;

	if (fd >= 0)
		close(fd);
	return open;
}

bool port_open(int port)
{
	return dial(port);
}

void dial_turn(void *arg)
{
	struct dialing *d = arg;
	bool open = false;

	for (int i = 0; i < d->count && !open; i++)
		open = dial(d->port[i]);
	if (!open)
		d->refused++;
	d->dialed++;
	pause_ms(2);
}

static void *side_run(void *arg)
{
	struct side_job *j = arg;

	while (!j->over)
		j->turn(j->arg);
	return NULL;
}

void side_begin(struct side_job *j)
{
	pthread_t thread;

	j->over = false;
	assert_int_equal(pthread_create(&thread, NULL, side_run, j), 0);
	j->thread = thread;
	running = j;
}

void side_end(struct side_job *j)
{
	j->over = true;
	running = NULL;
	assert_int_equal(pthread_join(j->thread, NULL), 0);
}

int side_sweep(void **state)
{
	if (running != NULL)
		side_end(running);
	return rig_sweep(state);
}
