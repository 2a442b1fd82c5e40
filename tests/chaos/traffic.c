#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"
#include "port.h"

enum {
	STEP_MS = 10000, /* for a login or a logout: a moment, but not on a machine that is busy */
	SMALL = 4096,
	DEAF_EVERY_MS = 1500,
	DEAF_MAX_MS = 2500,
	MESSAGE_COST = 4, /* PDUs: submit, response, report, response */
	INBOUND_COST = 2,
	EVENTS = 256,
	UNWATCHED = 1 << 30,
};

struct session *sessions;

static int poller = -1, listeners[2] = { -1, -1 };
static double tokens; /* PDUs that may be sent now */
static uint64_t tokens_at_us;
static uint32_t fate;

const char *session_name(const struct session *s, char to[64])
{
	static const char *const names[] = { "CMPP 2.0", "CMPP 3.0", "SMPP 3.4" };

	snprintf(to, 64, "session %d (%s)", s->index, names[s->proto]);
	return to;
}

static void *grown(void *p, uint32_t count, uint32_t *cap, size_t size)
{
	if (count < *cap)
		return p;
	*cap = *cap > 0 ? 2 * *cap : 4096;
	p = realloc(p, *cap * size);
	if (p == NULL)
		give_up("out of memory");
	return p;
}

struct message *message_new(struct session *s)
{
	s->messages = grown(s->messages, s->message_count, &s->message_cap, sizeof(*s->messages));
	s->messages[s->message_count] = (struct message){ .report = NO_MESSAGE };
	return &s->messages[s->message_count++];
}

struct deliver *deliver_new(struct session *s)
{
	s->delivers = grown(s->delivers, s->deliver_count, &s->deliver_cap, sizeof(*s->delivers));
	s->delivers[s->deliver_count] = (struct deliver){ .message = NO_MESSAGE };
	return &s->delivers[s->deliver_count++];
}

static int socket_new(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, small = SMALL;

	if (fd < 0)
		give_up("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* What a listener accepts inherits them. */
	if (opt.small_buffers) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	}
	return fd;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

int port_new(void)
{
	int port = sim_port();

	if (port < 0)
		give_up("no port to listen on: %s", strerror(errno));
	return port;
}

void traffic_listen(int ret_ports[2])
{
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = loopback(port_new());

		listeners[i] = socket_new();
		if (bind(listeners[i], (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listeners[i], 64) < 0)
			give_up("port %d: %s", ntohs(a.sin_port), strerror(errno));
		ret_ports[i] = ntohs(a.sin_port);
	}
}

/* Everything that has been sent from `from` arrives at the other end, nothing else going on. */
static bool pass(struct end *from)
{
	struct session *s = from->session;
	struct end *to = &s->end[1 - from->side];

	for (uint64_t until = now_us() + STEP_MS * 1000; now_us() < until && !s->broken;) {
		struct pollfd p = { to->fd, POLLIN, 0 };

		end_flush(from);
		if (s->stream[from->side].got_pdus == s->stream[from->side].sent_pdus)
			return true;
		if (poll(&p, 1, end_queued(from) > 0 ? 1 : 10) > 0)
			end_read(to);
	}
	return false;
}

static bool login(struct session *s, int port, int listener)
{
	struct sockaddr_in a = loopback(port);
	struct pollfd p = { listener, POLLIN, 0 };
	uint8_t to[SIM_PDU_MAX];
	int fd = socket_new();

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		give_up("connect to the daemon: %s", strerror(errno));
	end_open(&s->end[SP], s, SP, fd);
	end_put(&s->end[SP], to, make_login(s, to), NULL, 0);
	while (end_queued(&s->end[SP]) > 0 && !s->broken)
		end_flush(&s->end[SP]);
	if (poll(&p, 1, STEP_MS) != 1)
		return false;
	end_open(&s->end[GW], s, GW, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	return pass(&s->end[SP]) && pass(&s->end[GW]);
}

bool traffic_begin(const int ports[2])
{
	fate = opt.seed ^ 0x5eed;
	poller = epoll_create1(EPOLL_CLOEXEC);
	sessions = calloc((size_t)opt.sessions, sizeof(*sessions));
	if (sessions == NULL || poller < 0)
		give_up("no sessions: %s", strerror(errno));
	for (int i = 0; i < opt.sessions; i++) {
		struct session *s = &sessions[i];
		char name[64];

		s->index = i;
		s->proto = i % 2 != 0 ? SIM_SMPP : i % 4 == 0 ? SIM_CMPP2 : SIM_CMPP3;
		s->random = opt.seed * 2654435761u + (uint32_t)i + 1;
		s->end[SP].fd = s->end[GW].fd = -1;
		stream_init(&s->stream[SP]);
		stream_init(&s->stream[GW]);
		if (!login(s, ports[s->proto == SIM_SMPP], listeners[s->proto == SIM_SMPP])) {
			fault("%s: the login does not get through", session_name(s, name));
			return false;
		}
		for (int side = SP; side <= GW; side++) {
			struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->end[side] };

			s->end[side].events = ev.events;
			epoll_ctl(poller, EPOLL_CTL_ADD, s->end[side].fd, &ev);
		}
	}
	return true;
}

static bool deaf(const struct end *e, uint64_t now)
{
	return now < e->deaf_until_us;
}

/* Of half of the sessions one end, the SP's or the gateway's, does not read for a while now and then. */
static void stop_reading(struct end *e, uint64_t now)
{
	if (e->session->index / 2 % 2 != 0 || (e->session->index / 4 % 2 == 0) != (e->side == SP))
		return;
	if (deaf(e, now)) {
		kills_excuse(e->session);
		return;
	}
	if (random_below(&fate, DEAF_EVERY_MS) == 0) /* asked about once a millisecond */
		e->deaf_until_us = now + 1000u * (50 + random_below(&fate, DEAF_MAX_MS));
}

static bool may_ask(const struct end *e, int cost)
{
	return tokens >= cost && e->open < (uint32_t)opt.window && end_queued(e) < REQUESTS_MAX;
}

static bool ask_test(struct end *e, uint8_t *to)
{
	if (random_below(&e->session->random, 50) != 0)
		return false;
	end_put(e, to, make_bare(e->session, SIM_TEST, test_seq(e->tests++), to), NULL, 0);
	e->open++;
	tokens -= INBOUND_COST;
	return true;
}

static void ask_sp(struct end *e)
{
	uint8_t to[SIM_PDU_MAX];

	while (may_ask(e, MESSAGE_COST)) {
		struct session *s = e->session;

		(void)ask_test(e, to);
		(void)message_new(s);
		end_put(e, to, make_submit(s, s->message_count - 1, to), NULL, 0);
		e->open++;
		tokens -= MESSAGE_COST;
		if (random_below(&s->random, 4) == 0) /* the others' turn */
			return;
	}
}

/* The next message that wants a report; false: there is none. */
static bool report_due(struct session *s, uint32_t *ret)
{
	for (; s->reports_next < s->submits_got; s->reports_next++) {
		if ((s->messages[s->reports_next].flags & WANTS_REPORT) != 0) {
			*ret = s->reports_next++;
			return true;
		}
	}
	return false;
}

/* Reports are paid for by their submits, and come even when there is no load any more. */
static void ask_gateway(struct end *e, bool load)
{
	uint8_t to[SIM_PDU_MAX], edited[SIM_PDU_MAX];
	struct session *s = e->session;
	size_t edited_n, n;
	uint32_t message;

	if (load && may_ask(e, INBOUND_COST) && random_below(&s->random, 20) == 0 && !ask_test(e, to)) {
		(void)deliver_new(s);
		end_put(e, to, make_inbound(s, s->deliver_count - 1, to), NULL, 0);
		e->open++;
		tokens -= INBOUND_COST;
	}
	while (e->open < (uint32_t)opt.window && end_queued(e) < REQUESTS_MAX && report_due(s, &message)) {
		deliver_new(s)->message = message;
		s->messages[message].report = s->deliver_count - 1;
		n = make_report(s, message, to, edited, &edited_n);
		end_put(e, to, n, edited, edited_n);
		e->open++;
	}
}

/* Send, and tell epoll what the end waits for. */
static void move(struct end *e, uint64_t now)
{
	struct epoll_event ev = { .data.ptr = e };

	if (e->session->broken) {
		if (e->fd >= 0 && e->events != UNWATCHED)
			epoll_ctl(poller, EPOLL_CTL_DEL, e->fd, NULL);
		e->events = UNWATCHED;
		return;
	}
	end_flush(e);
	ev.events = (deaf(e, now) ? 0 : (uint32_t)EPOLLIN) | (end_queued(e) > 0 ? (uint32_t)EPOLLOUT : 0);
	if (ev.events != e->events)
		epoll_ctl(poller, EPOLL_CTL_MOD, e->fd, &ev);
	e->events = ev.events;
}

static void look_after(struct end *e, bool load, uint64_t now)
{
	if (!load)
		e->deaf_until_us = 0;
	else if (opt.stop_reading)
		stop_reading(e, now);
	if (e->side == SP && load && !e->session->broken)
		ask_sp(e);
	else if (e->side == GW && !e->session->broken)
		ask_gateway(e, load);
	move(e, now);
}

static void refill(uint64_t now)
{
	double most = opt.rate / 20.0; /* what came to a stop is made up for a moment only */

	if (tokens_at_us != 0)
		tokens += (double)(now - tokens_at_us) * opt.rate / 1e6;
	if (tokens > most)
		tokens = most;
	tokens_at_us = now;
}

void traffic_turn(bool load)
{
	static struct epoll_event events[EVENTS];
	static uint64_t looked_us;
	static int first;
	int n = epoll_wait(poller, events, EVENTS, 1);
	uint64_t now = now_us();

	for (int i = 0; i < n; i++) {
		struct end *e = events[i].data.ptr;

		if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !e->session->broken &&
			(!deaf(e, now) || (events[i].events & (EPOLLHUP | EPOLLERR)) != 0))
			end_read(e);
		move(e, now);
	}
	if (now - looked_us < 1000)
		return;
	looked_us = now;
	refill(now);
	first = (first + 1) % opt.sessions;
	for (int i = 0; i < opt.sessions; i++) {
		struct session *s = &sessions[(first + i) % opt.sessions];

		look_after(&s->end[SP], load, now);
		look_after(&s->end[GW], load, now);
	}
}

bool traffic_quiet(void)
{
	for (int i = 0; i < opt.sessions; i++) {
		const struct session *s = &sessions[i];

		if (s->broken)
			continue;
		if (s->end[SP].open + s->end[GW].open > 0 || s->reports_next < s->message_count)
			return false;
		for (int side = SP; side <= GW; side++)
			if (s->stream[side].got_pdus < s->stream[side].sent_pdus)
				return false;
	}
	return true;
}

static void stream_missing(const struct session *s, const struct stream *t, const char *way)
{
	char name[64];

	if (t->got_octets < t->sent_octets)
		fault("%s, %s: %llu octets, %llu PDUs, never arrived; the stream stopped behind octet %llu",
			session_name(s, name), way, (unsigned long long)(t->sent_octets - t->got_octets),
			(unsigned long long)(t->sent_pdus - t->got_pdus), (unsigned long long)t->got_octets);
	else if (t->got_hash != t->sent_hash)
		fault("%s, %s: hash %016llx became %016llx", session_name(s, name), way,
			(unsigned long long)t->sent_hash, (unsigned long long)t->got_hash);
}

void traffic_missing(void)
{
	char name[64];

	for (int i = 0; i < opt.sessions; i++) {
		const struct session *s = &sessions[i];

		if (s->broken)
			continue;
		stream_missing(s, &s->stream[SP], "SP to gateway");
		stream_missing(s, &s->stream[GW], "gateway to SP");
		if (s->answers_got < s->message_count)
			fault("%s: submits %u to %u have no response", session_name(s, name), s->answers_got,
				s->message_count - 1);
		if (s->end[GW].open > 0)
			fault("%s: %u delivers and keepalives of the gateway have no response",
				session_name(s, name), s->end[GW].open);
	}
}

static bool logout(struct session *s)
{
	struct end *sp = &s->end[SP], *gw = &s->end[GW];
	struct pollfd p = { gw->fd, POLLIN, 0 };
	uint8_t to[SIM_PDU_MAX];

	end_put(sp, to, make_bare(s, SIM_LOGOUT, UINT32_MAX, to), NULL, 0);
	if (!pass(sp) || !pass(gw))
		return false;
	close(sp->fd);
	sp->fd = -1;
	return poll(&p, 1, STEP_MS) == 1 && recv(gw->fd, to, sizeof(to), MSG_DONTWAIT) == 0;
}

void traffic_end(void)
{
	char name[64];

	for (int i = 0; i < opt.sessions; i++)
		if (!sessions[i].broken && !logout(&sessions[i]))
			fault("%s: does not end as it should, by logout and FIN", session_name(&sessions[i], name));
	traffic_close();
}

void traffic_close(void)
{
	for (int i = 0; i < opt.sessions; i++) {
		end_close(&sessions[i].end[SP]);
		end_close(&sessions[i].end[GW]);
	}
}

void traffic_fini(void)
{
	for (int i = 0; sessions != NULL && i < opt.sessions; i++) {
		struct session *s = &sessions[i];

		stream_fini(&s->stream[SP]);
		stream_fini(&s->stream[GW]);
		free(s->messages);
		free(s->delivers);
	}
	free(sessions);
	sessions = NULL;
	for (int i = 0; i < 2; i++)
		if (listeners[i] >= 0)
			close(listeners[i]);
	if (poller >= 0)
		close(poller);
}
