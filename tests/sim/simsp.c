#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "conn.h"
#include "wire.h"

/*
 * An SP (ESME): logs in, submits, acknowledges what is delivered, and checks every response and
 * report: a response must answer a request that is out, a report must name a message that was
 * accepted. One thread, one poll() loop.
 */

enum state { WAITING, CONNECTING, LOGIN, BOUND, LEAVING, GONE };

struct slot {
	uint32_t seq; /* 0: free */
	uint64_t sent_us;
};

struct sp {
	struct sim_conn c;
	enum state state;
	uint32_t next_seq, in_flight;
	struct slot *window; /* indexed by the sequence number, `mask` + 1 of them */
	uint64_t since_us, last_sent_us;
};

static struct {
	enum sim_proto proto;
	const char *where, *user, *password, *dest, *source, *text;
	uint64_t count;
	double rate, duration;
	uint32_t window, mask;
	int connections, wait_s, timeout_s, keepalive_s;
	bool registered, quiet, report, reconnect;
} opt = { .proto = SIM_SMPP,
	  .user = "900001",
	  .password = "888888",
	  .dest = "138########",
	  .source = "10690001",
	  .text = "Hello from simsp",
	  .count = 1000,
	  .window = 16,
	  .connections = 1,
	  .wait_s = 5,
	  .timeout_s = 10,
	  .keepalive_s = 30 };

static struct {
	uint64_t logins, refused, sent, ok, rejected, reports, delivered, mo;
	uint64_t strange, unanswered, dropped; /* strange: nothing that we asked for */
	uint32_t login_status;
	struct sim_hist latency;
} got;

static struct sp *sps;
static uint64_t *ids, id_mask, start_us, first_sent_us, last_answer_us;
static uint8_t *id_states; /* 0 free, 1 accepted, 2 reported */

static uint64_t id_of(struct sim_text id)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (uint8_t)id.p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static uint64_t id_slot(uint64_t id)
{
	uint64_t at = id & id_mask;

	while (id_states[at] && ids[at] != id)
		at = (at + 1) & id_mask;
	return at;
}

static void id_accept(struct sim_text msgid)
{
	uint64_t id = id_of(msgid), at;

	if (!ids || got.ok > id_mask / 2)
		return;
	at = id_slot(id);
	if (id_states[at])
		got.strange++; /* the same id twice */
	ids[at] = id;
	id_states[at] = 1;
}

static void id_report(struct sim_text msgid)
{
	uint64_t at;

	if (!ids)
		return;
	at = id_slot(id_of(msgid));
	if (id_states[at] != 1)
		got.strange++;
	else
		id_states[at] = 2;
}

static bool put(struct sp *s, const struct sim_pdu *pdu)
{
	uint8_t *room = sim_conn_room(&s->c, SIM_PDU_MAX);

	if (!room)
		return false;
	s->c.out_n += sim_build(opt.proto, pdu, room);
	return true;
}

static void put_login(struct sp *s)
{
	struct sim_pdu p = { .what = SIM_LOGIN,
			     .seq = s->next_seq++,
			     .user = sim_text(opt.user),
			     .secret = sim_text(opt.password) };
	uint8_t auth[16];

	if (opt.proto != SIM_SMPP) {
		time_t now = time(NULL);
		struct tm t;

		localtime_r(&now, &t);
		p.stamp =
			(uint32_t)((((t.tm_mon + 1) * 100 + t.tm_mday) * 100 + t.tm_hour) * 10000 +
				   t.tm_min * 100 + t.tm_sec);
		sim_cmpp_auth(opt.user, opt.password, p.stamp, auth);
		p.secret = (struct sim_text){ (const char *)auth, 16 };
	}
	put(s, &p);
}

static void gone(struct sp *s)
{
	got.unanswered += s->in_flight;
	s->in_flight = 0;
	memset(s->window, 0, (opt.mask + 1) * sizeof *s->window);
	sim_conn_close(&s->c, false);
	s->state = opt.reconnect && s->state == BOUND ? WAITING : GONE;
	s->since_us = sim_now_us();
}

static void dropped(struct sp *s)
{
	if (s->state != LEAVING)
		got.dropped++;
	gone(s);
}

static void dial(struct sp *s)
{
	int fd = sim_connect(opt.where);

	s->since_us = sim_now_us();
	s->state = CONNECTING;
	s->next_seq = 1;
	if (fd < 0 || sim_conn_open(&s->c, fd)) {
		s->c.fd = -1;
		dropped(s);
	}
}

static void on_login(struct sp *s, const struct sim_pdu *p)
{
	got.login_status = p->status;
	if (s->state != LOGIN)
		got.strange++;
	if (p->status == 0) {
		got.logins++;
		s->state = BOUND;
		return;
	}
	got.refused++;
	s->state = LEAVING;
	shutdown(s->c.fd, SHUT_WR);
}

static void on_answer(struct sp *s, const struct sim_pdu *p, uint64_t now)
{
	struct slot *slot = &s->window[p->seq & opt.mask];

	if (slot->seq != p->seq || p->seq == 0) {
		got.strange++;
		return;
	}
	sim_hist_add(&got.latency, now - slot->sent_us);
	slot->seq = 0;
	s->in_flight--;
	last_answer_us = now;
	if (p->status) {
		got.rejected++;
		return;
	}
	got.ok++;
	id_accept(p->msgid);
}

static void on_deliver(struct sp *s, const struct sim_pdu *p)
{
	struct sim_pdu ack = { .what = SIM_DELIVER_RESP, .seq = p->seq, .msgid = p->msgid };

	if (opt.proto != SIM_SMPP && p->len >= 20) /* DELIVER's own Msg_Id, not the report's */
		ack.msgid = (struct sim_text){ (const char *)s->c.in + s->c.in_at + 12, 8 };
	if (p->registered) {
		got.reports++;
		got.delivered += p->stat.n == 7 && memcmp(p->stat.p, "DELIVRD", 7) == 0;
		id_report(p->msgid);
	} else {
		got.mo++;
	}
	put(s, &ack);
}

static void on_pdu(struct sp *s, const struct sim_pdu *p, uint64_t now)
{
	struct sim_pdu back = { .seq = p->seq };

	switch (p->what) {
	case SIM_LOGIN_RESP: on_login(s, p); break;
	case SIM_SUBMIT_RESP: on_answer(s, p, now); break;
	case SIM_DELIVER: on_deliver(s, p); break;
	case SIM_TEST:
		back.what = SIM_TEST_RESP;
		put(s, &back);
		break;
	case SIM_LOGOUT:
		back.what = SIM_LOGOUT_RESP;
		put(s, &back);
		s->state = LEAVING;
		break;
	case SIM_LOGOUT_RESP: shutdown(s->c.fd, SHUT_WR); break;
	case SIM_TEST_RESP: break;
	default: got.strange++; break;
	}
}

/* Whatever whole PDUs have arrived, while there is room to answer. */
static int take_pdus(struct sp *s, uint64_t now)
{
	while (sim_conn_room(&s->c, SIM_PDU_MAX)) {
		const uint8_t *p = s->c.in + s->c.in_at;
		size_t n = s->c.in_n - s->c.in_at;
		int len = sim_pdu_len(opt.proto, p, n);
		struct sim_pdu pdu;

		if (len < 0)
			return -1;
		if (len == 0 || (size_t)len > n)
			return 0;
		if (sim_parse(opt.proto, p, (size_t)len, &pdu))
			got.strange++;
		else
			on_pdu(s, &pdu, now);
		s->c.in_at += (size_t)len;
	}
	return 0;
}

static struct sim_text number_of(uint64_t n, char to[22])
{
	size_t len = strlen(opt.dest);

	if (len > 21)
		len = 21;
	for (size_t i = len; i-- > 0;) {
		to[i] = opt.dest[i];
		if (to[i] == '#') {
			to[i] = (char)('0' + n % 10);
			n /= 10;
		}
	}
	return (struct sim_text){ to, len };
}

static uint64_t may_send(uint64_t now)
{
	uint64_t left = opt.count - got.sent;

	if (opt.duration > 0)
		left = (double)(now - start_us) < opt.duration * 1e6 ? UINT64_MAX : 0;
	if (opt.rate > 0 && left > 0) {
		uint64_t due = (uint64_t)((double)(now - start_us) * opt.rate / 1e6) + 1;
		uint64_t more = due > got.sent ? due - got.sent : 0;

		left = more < left ? more : left;
	}
	return left;
}

static void submit(struct sp *s, uint64_t now)
{
	uint64_t left = may_send(now);
	char number[22];
	struct sim_pdu p = { .what = SIM_SUBMIT,
			     .user = sim_text(opt.user),
			     .src = sim_text(opt.source),
			     .body = sim_text(opt.text),
			     .registered = opt.registered };

	while (left-- > 0 && s->in_flight < opt.window) {
		struct slot *slot = &s->window[s->next_seq & opt.mask];

		if (slot->seq || !sim_conn_room(&s->c, SIM_PDU_MAX))
			break;
		p.seq = s->next_seq++;
		p.dst = number_of(got.sent, number);
		put(s, &p);
		slot->seq = p.seq;
		slot->sent_us = now;
		s->in_flight++;
		if (got.sent++ == 0)
			first_sent_us = now;
		s->last_sent_us = now;
		if (s->next_seq > 0x7fffffff)
			s->next_seq = 1;
	}
}

static void forget_old(struct sp *s, uint64_t now)
{
	for (uint32_t i = 0; i <= opt.mask; i++) {
		struct slot *slot = &s->window[i];

		if (!slot->seq || now < slot->sent_us + (uint64_t)opt.timeout_s * 1000000u)
			continue;
		slot->seq = 0;
		s->in_flight--;
		got.unanswered++;
	}
}

static bool all_sent(uint64_t now)
{
	return opt.duration > 0 ? (double)(now - start_us) >= opt.duration * 1e6
				: got.sent >= opt.count;
}

/* Nothing more to expect: every answer is here, every report too or its time is over. */
static bool finished(uint64_t now)
{
	if (!all_sent(now))
		return false;
	for (int i = 0; i < opt.connections; i++)
		if (sps[i].in_flight)
			return false;
	return !opt.registered || got.reports >= got.ok ||
	       now > last_answer_us + (uint64_t)opt.wait_s * 1000000u;
}

static void step(struct sp *s, short events, uint64_t now, bool leave)
{
	static const struct sim_pdu bye = { .what = SIM_LOGOUT, .seq = 0x7ffffffe };
	static const struct sim_pdu test = { .what = SIM_TEST, .seq = 0x7ffffffd };

	if (s->state == CONNECTING && events) {
		int e = 0;
		socklen_t len = sizeof e;

		getsockopt(s->c.fd, SOL_SOCKET, SO_ERROR, &e, &len);
		if (e) {
			fprintf(stderr, "%s: %s\n", opt.where, strerror(e));
			dropped(s);
			return;
		}
		s->state = LOGIN;
		put_login(s);
	}
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		long n = sim_conn_read(&s->c);

		now = sim_now_us();
		if (take_pdus(s, now) || n < 0) {
			dropped(s);
			return;
		}
	} else if (s->c.in_n > s->c.in_at && take_pdus(s, now)) {
		dropped(s);
		return;
	}
	if (s->state == BOUND)
		submit(s, now);
	if (s->state == BOUND && leave && put(s, &bye))
		s->state = LEAVING;
	if (s->state == BOUND && now > s->last_sent_us + (uint64_t)opt.keepalive_s * 1000000u &&
	    put(s, &test))
		s->last_sent_us = now;
	if (s->state > CONNECTING && s->state < GONE && sim_conn_write(&s->c))
		dropped(s);
}

static void overdue(struct sp *s, uint64_t now)
{
	if (s->state == WAITING && now > s->since_us + 200000)
		dial(s);
	else if ((s->state == CONNECTING || s->state == LOGIN) &&
		 now > s->since_us + (uint64_t)opt.timeout_s * 1000000u)
		dropped(s);
	else if (s->state == BOUND)
		forget_old(s, now);
}

static int run(struct pollfd *polls)
{
	uint64_t now = sim_now_us(), swept = now, leaving = 0;

	for (;;) {
		bool leave = finished(now);
		int alive = 0;
		bool paced = opt.rate > 0 && !all_sent(now);

		if (leave && !leaving)
			leaving = now;
		for (int i = 0; i < opt.connections; i++) {
			struct sp *s = &sps[i];
			bool writing = s->state == CONNECTING || sim_conn_queued(&s->c) > 0;

			alive += s->state != GONE && !(s->state == WAITING && leave);
			polls[i].fd = s->state == GONE || s->state == WAITING ? -1 : s->c.fd;
			polls[i].events = (short)(POLLIN | (writing ? POLLOUT : 0));
			polls[i].revents = 0;
		}
		if (!alive || (leaving && now - leaving > 3000000))
			return leaving && alive ? 1 : 0;
		if (poll(polls, (nfds_t)opt.connections, paced ? 1 : 50) < 0 && errno != EINTR)
			return 1;
		now = sim_now_us();
		for (int i = 0; i < opt.connections; i++)
			if (sps[i].state != GONE && sps[i].state != WAITING)
				step(&sps[i], polls[i].revents, now, leave);
		if (now - swept > 100000) {
			swept = now;
			for (int i = 0; i < opt.connections; i++)
				overdue(&sps[i], now);
		}
	}
}

static void summary(void)
{
	double s = (double)(last_answer_us - first_sent_us) / 1e6;

	printf("sent=%llu ok=%llu rejected=%llu reports=%llu delivered=%llu mo=%llu "
	       "unanswered=%llu strange=%llu "
	       "logins=%llu refused=%llu dropped=%llu seconds=%.3f rate=%.0f p50_us=%llu "
	       "p99_us=%llu max_us=%llu\n",
	       (unsigned long long)got.sent, (unsigned long long)got.ok,
	       (unsigned long long)got.rejected, (unsigned long long)got.reports,
	       (unsigned long long)got.delivered, (unsigned long long)got.mo,
	       (unsigned long long)got.unanswered, (unsigned long long)got.strange,
	       (unsigned long long)got.logins, (unsigned long long)got.refused,
	       (unsigned long long)got.dropped, got.sent ? s : 0.0,
	       s > 0 ? (double)got.latency.count / s : 0.0,
	       (unsigned long long)sim_hist_at(&got.latency, 0.5),
	       (unsigned long long)sim_hist_at(&got.latency, 0.99),
	       (unsigned long long)got.latency.max_us);
}

static int usage(void)
{
	fputs("usage: simsp --connect HOST:PORT [--proto cmpp2|cmpp3|smpp] [--user U] [--password "
	      "P]\n"
	      "             [--count N | --duration S] [--rate PER_SECOND] [--window N] "
	      "[--connections N]\n"
	      "             [--dest 138########] [--source N] [--text T] [--registered] [--wait "
	      "S]\n"
	      "             [--timeout S] [--keepalive S] [--reconnect] [--quiet] [--report]\n"
	      "Exit code: 0 all answered and reported, 1 not so, 2 usage, 3 the login was "
	      "refused.\n",
	      stderr);
	return 2;
}

static int options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "proto", 1, 0, 'p' },       { "connect", 1, 0, 'c' },
		{ "user", 1, 0, 'u' },        { "password", 1, 0, 'P' },
		{ "count", 1, 0, 'n' },       { "duration", 1, 0, 'D' },
		{ "rate", 1, 0, 'r' },        { "window", 1, 0, 'w' },
		{ "connections", 1, 0, 'C' }, { "dest", 1, 0, 'd' },
		{ "source", 1, 0, 's' },      { "text", 1, 0, 't' },
		{ "registered", 0, 0, 'g' },  { "wait", 1, 0, 'W' },
		{ "timeout", 1, 0, 'T' },     { "keepalive", 1, 0, 'k' },
		{ "reconnect", 0, 0, 'R' },   { "quiet", 0, 0, 'q' },
		{ "report", 0, 0, 'o' },      { 0 },
	};
	int c, proto = SIM_SMPP;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p': proto = sim_proto_of(optarg); break;
		case 'c': opt.where = optarg; break;
		case 'u': opt.user = optarg; break;
		case 'P': opt.password = optarg; break;
		case 'n': opt.count = strtoull(optarg, NULL, 10); break;
		case 'D': opt.duration = atof(optarg); break;
		case 'r': opt.rate = atof(optarg); break;
		case 'w': opt.window = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'C': opt.connections = atoi(optarg); break;
		case 'd': opt.dest = optarg; break;
		case 's': opt.source = optarg; break;
		case 't': opt.text = optarg; break;
		case 'g': opt.registered = true; break;
		case 'W': opt.wait_s = atoi(optarg); break;
		case 'T': opt.timeout_s = atoi(optarg); break;
		case 'k': opt.keepalive_s = atoi(optarg); break;
		case 'R': opt.reconnect = true; break;
		case 'q': opt.quiet = true; break;
		case 'o': opt.report = true; break;
		default: return -1;
		}
	}
	opt.proto = (enum sim_proto)proto;
	if (proto < 0 || !opt.where || optind != argc || opt.window < 1 || opt.window > 65536 ||
	    opt.connections < 1 || strlen(opt.text) > 140)
		return -1;
	for (opt.mask = 1; opt.mask < 2 * opt.window; opt.mask *= 2)
		;
	opt.mask--;
	return 0;
}

int main(int argc, char **argv)
{
	struct pollfd *polls;
	uint64_t most;
	int rc;

	if (options(argc, argv))
		return usage();
	sps = calloc((size_t)opt.connections, sizeof *sps);
	polls = calloc((size_t)opt.connections, sizeof *polls);
	most = opt.duration > 0 ? 1u << 21 : opt.count;
	for (id_mask = 1; id_mask < 2 * most; id_mask *= 2)
		;
	if (opt.registered) {
		ids = calloc(id_mask, sizeof *ids);
		id_states = calloc(id_mask, 1);
	}
	id_mask--;
	if (!sps || !polls || (opt.registered && (!ids || !id_states)))
		return 1;
	start_us = sim_now_us();
	for (int i = 0; i < opt.connections; i++) {
		sps[i].window = calloc(opt.mask + 1, sizeof *sps[i].window);
		if (!sps[i].window)
			return 1;
		dial(&sps[i]);
	}
	last_answer_us = first_sent_us = start_us;
	rc = run(polls);
	if (!opt.quiet || opt.report)
		summary();
	for (int i = 0; i < opt.connections; i++) {
		if (sps[i].c.fd >= 0 && sps[i].state != GONE && sps[i].state != WAITING)
			sim_conn_close(&sps[i].c, false);
		free(sps[i].window);
	}
	free(sps);
	free(polls);
	free(ids);
	free(id_states);
	if (got.refused)
		return 3;
	return rc || got.strange || got.unanswered || got.dropped ||
	       (opt.registered && got.reports < got.ok);
}
