#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "script.h"
#include "wire.h"

/*
 * An ISMG (SMSC): accepts logins, answers submits and sends reports as its script says, and checks
 * that every deliver is acknowledged once. One thread, one poll() loop.
 *
 *   submit ─▶ answer now, or into `answers` until its delay is over
 *          └▶ reports and messages into `delivers` until they are due and the window has room
 */

enum { CONNS_MAX = 8192, JOBS_MAX = 16384, ACKS = 4096 };

struct job {
	uint64_t due_us, order; /* equal times keep their order */
	uint64_t id;
	uint32_t seq, status;
	const struct script_rule *rule; /* NULL: an answer */
	char src[22], dst[22];
};

/* The earliest job first: a binary heap in a fixed array. */
struct jobs {
	struct job *at;
	uint32_t count;
};

struct gw {
	struct sim_conn c;
	bool bound, leaving, stopped;
	struct jobs answers, delivers;
	uint32_t next_seq, unacked, submits;
	uint32_t *acks; /* sequence numbers of delivers that are out, by seq % ACKS */
};

static struct {
	enum sim_proto proto;
	const char *where, *user, *password, *name;
	uint32_t window;
	bool once, quiet;
} opt = { .proto = SIM_SMPP, .name = "simgw", .window = 64 };

static struct {
	uint64_t accepted, logins, refused, submits, answers, reports, messages, acks, strange,
		gone;
} got;

static struct script script;
static struct gw *gws[CONNS_MAX];
static int gw_count;
static uint64_t last_id, last_order;
static volatile sig_atomic_t stopping;

static bool earlier(const struct job *a, const struct job *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static bool jobs_put(struct jobs *q, const struct job *j)
{
	uint32_t i = q->count;

	if (!q->at)
		q->at = calloc(JOBS_MAX, sizeof *q->at);
	if (!q->at || i == JOBS_MAX)
		return false;
	q->count++;
	while (i > 0 && earlier(j, &q->at[(i - 1) / 2])) {
		q->at[i] = q->at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	q->at[i] = *j;
	q->at[i].order = ++last_order;
	return true;
}

static void jobs_drop_first(struct jobs *q)
{
	struct job *last = &q->at[--q->count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= q->count)
			break;
		if (child + 1 < q->count && earlier(&q->at[child + 1], &q->at[child]))
			child++;
		if (!earlier(&q->at[child], last))
			break;
		q->at[i] = q->at[child];
		i = child;
	}
	q->at[i] = *last;
}

static bool put(struct gw *g, const struct sim_pdu *pdu)
{
	uint8_t *room = sim_conn_room(&g->c, SIM_PDU_MAX);

	if (!room)
		return false;
	g->c.out_n += sim_build(opt.proto, pdu, room);
	return true;
}

/* CMPP: eight octets, 21 November 19:17:00, gateway 104; SMPP: eight hexadecimal digits. */
static struct sim_text msgid_of(uint64_t id, char to[24])
{
	static const char digits[] = "0123456789ABCDEF";
	uint64_t cmpp = 0xbacd100000000000u + (104u << 16) + (id & 0xffff) + ((id >> 16) << 32);

	for (int i = 0; i < 8; i++) {
		if (opt.proto == SIM_SMPP)
			to[i] = digits[id >> (28 - 4 * i) & 15];
		else
			to[i] = (char)(cmpp >> (56 - 8 * i));
	}
	to[8] = '\0';
	return (struct sim_text){ to, 8 };
}

static void copy_number(char to[22], struct sim_text from)
{
	size_t n = from.n < 21 ? from.n : 21;

	memcpy(to, from.p, n);
	to[n] = '\0';
}

static void fault(struct gw *g)
{
	static const uint8_t bad[16] = { 0, 0, 0, 7 };
	struct sim_pdu half = { .what = SIM_TEST, .seq = g->next_seq };
	uint8_t *room = sim_conn_room(&g->c, SIM_PDU_MAX);

	switch (script.fault) {
	case FAULT_BAD_LENGTH:
		if (room) {
			memcpy(room, bad, sizeof bad);
			g->c.out_n += sizeof bad;
		}
		break;
	case FAULT_HALF_PDU:
		if (room) {
			sim_build(opt.proto, &half, room);
			g->c.out_n += sim_header_len(opt.proto) / 2;
		}
		g->stopped = true;
		break;
	case FAULT_STOP_READING: g->stopped = true; break;
	default: break;
	}
}

static void put_answer(struct gw *g, const struct job *j)
{
	char id[24];
	struct sim_pdu p = { .what = SIM_SUBMIT_RESP, .seq = j->seq, .status = j->status };
	static const char no_id[8];

	p.msgid = j->status ? (struct sim_text){ no_id, 8 } : msgid_of(j->id, id);
	put(g, &p);
	got.answers++;
}

/* Jobs that follow an accepted submit. */
static void schedule(struct gw *g, const struct sim_pdu *p, uint64_t id, uint64_t now)
{
	const struct script_rule *rule =
		p->registered ? script_next(&script, SCRIPT_REPORT, NULL) : NULL;
	struct job j = { .id = id, .rule = rule };

	copy_number(j.dst, p->src);
	copy_number(j.src, p->dst);
	if (rule && strcmp(rule->text, "none") != 0) {
		j.due_us = now + script.delay_us + rule->after_us;
		jobs_put(&g->delivers, &j);
	}
	j.rule = script_next(&script, SCRIPT_MO, NULL);
	if (j.rule) {
		j.id = ++last_id;
		j.due_us = now + script.delay_us;
		jobs_put(&g->delivers, &j);
	}
}

static int on_submit(struct gw *g, const struct sim_pdu *p, uint64_t now)
{
	const struct script_rule *rule = script_next(&script, SCRIPT_SUBMIT, NULL);
	struct job j = { .seq = p->seq,
			 .due_us = now + script.delay_us,
			 .status = rule ? rule->status : 0 };

	got.submits++;
	g->submits++;
	if (!g->bound)
		got.strange++;
	if (script.fault && g->submits == script.fault_after) {
		if (script.fault == FAULT_DROP || script.fault == FAULT_RESET)
			return -1;
		fault(g);
	}
	if (script_next(&script, SCRIPT_SILENT, NULL))
		return 0;
	if (!j.status)
		j.id = ++last_id;
	if (script.delay_us)
		jobs_put(&g->answers, &j);
	else
		put_answer(g, &j);
	if (!j.status)
		schedule(g, p, j.id, now);
	return 0;
}

static uint32_t judge(const struct sim_pdu *p, const char *user)
{
	const struct script_rule *rule = script_next(&script, SCRIPT_LOGIN, user);
	uint8_t auth[16];

	if (rule)
		return rule->status;
	if (opt.user && strcmp(user, opt.user) != 0)
		return opt.proto == SIM_SMPP ? 0x0f : 2;
	if (!opt.password)
		return 0;
	if (opt.proto == SIM_SMPP)
		return p->secret.n == strlen(opt.password) &&
				       memcmp(p->secret.p, opt.password, p->secret.n) == 0
			       ? 0
			       : 0x0e;
	sim_cmpp_auth(user, opt.password, p->stamp, auth);
	return memcmp(auth, p->secret.p, 16) == 0 ? 0 : 3;
}

static void on_login(struct gw *g, const struct sim_pdu *p)
{
	struct sim_pdu back = { .what = SIM_LOGIN_RESP,
				.seq = p->seq,
				.command = p->command | 0x80000000u,
				.user = sim_text(opt.name) };
	uint8_t auth[16];
	char user[32];

	snprintf(user, sizeof user, "%.*s", (int)p->user.n, p->user.p);
	back.status = judge(p, user);
	if (opt.proto != SIM_SMPP && back.status == 0) {
		sim_cmpp_auth_answer(opt.proto, 0, (const uint8_t *)p->secret.p,
				     opt.password ? opt.password : "", auth);
		back.secret = (struct sim_text){ (const char *)auth, 16 };
	}
	put(g, &back);
	if (back.status) {
		got.refused++;
		g->leaving = true;
	} else {
		got.logins++;
		g->bound = true;
	}
}

static void on_ack(struct gw *g, const struct sim_pdu *p)
{
	if (p->seq == 0 || !g->acks || g->acks[p->seq % ACKS] != p->seq) {
		got.strange++;
		return;
	}
	g->acks[p->seq % ACKS] = 0;
	g->unacked--;
	got.acks++;
}

static int on_pdu(struct gw *g, const struct sim_pdu *p, uint64_t now)
{
	struct sim_pdu back = { .seq = p->seq };

	switch (p->what) {
	case SIM_LOGIN: on_login(g, p); return 0;
	case SIM_SUBMIT: return on_submit(g, p, now);
	case SIM_DELIVER_RESP: on_ack(g, p); return 0;
	case SIM_TEST:
		back.what = SIM_TEST_RESP;
		put(g, &back);
		return 0;
	case SIM_LOGOUT:
		back.what = SIM_LOGOUT_RESP;
		put(g, &back);
		g->leaving = true;
		return 0;
	case SIM_TEST_RESP:
	case SIM_LOGOUT_RESP: return 0;
	default: got.strange++; return 0;
	}
}

static bool has_room(struct gw *g)
{
	return !g->stopped && g->answers.count < JOBS_MAX - 1 && g->delivers.count < JOBS_MAX - 2 &&
	       sim_conn_room(&g->c, 2 * SIM_PDU_MAX);
}

static int take_pdus(struct gw *g, uint64_t now)
{
	while (has_room(g)) {
		const uint8_t *p = g->c.in + g->c.in_at;
		size_t n = g->c.in_n - g->c.in_at;
		int len = sim_pdu_len(opt.proto, p, n);
		struct sim_pdu pdu;

		if (len < 0)
			return -1;
		if (len == 0 || (size_t)len > n)
			return 0;
		if (sim_parse(opt.proto, p, (size_t)len, &pdu))
			got.strange++;
		else if (on_pdu(g, &pdu, now))
			return -1;
		g->c.in_at += (size_t)len;
	}
	return 0;
}

static bool put_deliver(struct gw *g, const struct job *j)
{
	const struct script_rule *r = j->rule;
	bool colon = strchr(r->text, ':') != NULL, report = r->word == SCRIPT_REPORT;
	char id[24];
	struct sim_pdu p = { .what = SIM_DELIVER,
			     .seq = g->next_seq,
			     .src = sim_text(j->src),
			     .dst = sim_text(j->dst),
			     .msgid = msgid_of(j->id, id),
			     .registered = report,
			     .body_len = r->body_len,
			     .receipt = r->receipt };

	if (!report)
		p.body = sim_text(r->text);
	else if (opt.proto == SIM_SMPP && colon) { /* a gateway's own code travels in err: */
		p.stat = sim_text("UNDELIV");
		p.err = sim_text(r->err[0] ? r->err : r->text);
	} else {
		p.stat = sim_text(r->text);
		p.err = sim_text(r->err[0] ? r->err : "000");
	}
	if (!g->acks)
		g->acks = calloc(ACKS, sizeof *g->acks);
	if (!g->acks || g->acks[p.seq % ACKS] || !put(g, &p))
		return false;
	g->acks[p.seq % ACKS] = p.seq;
	g->next_seq = g->next_seq == 0x7fffffff ? 1 : g->next_seq + 1;
	g->unacked++;
	if (report)
		got.reports++;
	else
		got.messages++;
	return true;
}

static void run_jobs(struct gw *g, uint64_t now)
{
	while (g->answers.count && g->answers.at[0].due_us <= now &&
	       sim_conn_room(&g->c, SIM_PDU_MAX)) {
		put_answer(g, &g->answers.at[0]);
		jobs_drop_first(&g->answers);
	}
	while (g->delivers.count && g->delivers.at[0].due_us <= now && g->unacked < opt.window) {
		if (!put_deliver(g, &g->delivers.at[0]))
			break;
		jobs_drop_first(&g->delivers);
	}
}

static void drop(int i)
{
	struct gw *g = gws[i];

	sim_conn_close(&g->c, script.fault == FAULT_RESET && g->submits >= script.fault_after);
	free(g->answers.at);
	free(g->delivers.at);
	free(g->acks);
	free(g);
	gws[i] = gws[--gw_count];
	got.gone++;
}

static int step(struct gw *g, short events, uint64_t now)
{
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		long n = sim_conn_read(&g->c);

		if (n < 0 && g->c.error)
			return -1;
		now = sim_now_us();
	}
	if (take_pdus(g, now))
		return -1;
	run_jobs(g, now);
	if (sim_conn_write(&g->c))
		return -1;
	if (sim_conn_queued(&g->c) == 0) {
		if (g->leaving) {
			shutdown(g->c.fd, SHUT_WR);
			g->leaving = false;
			g->stopped = false;
		}
		if (g->c.eof && !g->answers.count)
			return -1;
	}
	return 0;
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = gw_count < CONNS_MAX ? accept(listener, NULL, NULL) : -1;
		struct gw *g;

		if (fd < 0)
			return;
		g = calloc(1, sizeof *g);
		if (!g || sim_conn_open(&g->c, fd)) {
			close(fd);
			free(g);
			return;
		}
		g->next_seq = 1;
		gws[gw_count++] = g;
		got.accepted++;
	}
}

/* Milliseconds until the next job of any connection, at most 100. */
static int next_due(uint64_t now)
{
	uint64_t wait = 100000;

	for (int i = 0; i < gw_count; i++) {
		const struct gw *g = gws[i];
		uint64_t due = g->answers.count ? g->answers.at[0].due_us : UINT64_MAX;

		if (g->delivers.count && g->unacked < opt.window && g->delivers.at[0].due_us < due)
			due = g->delivers.at[0].due_us;
		if (due < now + wait)
			wait = due > now ? due - now : 0;
	}
	return (int)((wait + 999) / 1000);
}

static int run(int listener)
{
	static struct pollfd polls[CONNS_MAX + 1];

	while (!stopping && !(opt.once && got.accepted && !gw_count)) {
		uint64_t now = sim_now_us();
		int polled = gw_count;

		polls[0].fd = listener;
		polls[0].events = POLLIN;
		for (int i = 0; i < polled; i++) {
			struct gw *g = gws[i];
			bool full = g->stopped || g->c.eof || g->c.in_n - g->c.in_at == SIM_BUFFER;

			polls[i + 1].fd = g->c.fd;
			polls[i + 1].events = (short)((full ? 0 : POLLIN) |
						      (sim_conn_queued(&g->c) ? POLLOUT : 0));
			polls[i + 1].revents = 0;
		}
		if (poll(polls, (nfds_t)polled + 1, next_due(now)) < 0 && errno != EINTR)
			return 1;
		now = sim_now_us();
		for (int i = polled - 1; i >= 0;
		     i--) /* backwards: drop() moves the last one into the gap */
			if (step(gws[i], polls[i + 1].revents, now))
				drop(i);
		if (polls[0].revents)
			accept_all(listener);
	}
	return 0;
}

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static int usage(void)
{
	fputs("usage: simgw --listen HOST:PORT [--proto cmpp2|cmpp3|smpp] [--user U] [--password "
	      "P]\n"
	      "             [--script FILE] [--line \"SCRIPT LINE\"] [--name SYSTEM_ID] [--window "
	      "N]\n"
	      "             [--once] [--quiet]\n"
	      "Prints the port it listens on. Ends on TERM or INT, or with --once after its last "
	      "connection.\n",
	      stderr);
	return 2;
}

static int options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "proto", 1, 0, 'p' },
		{ "listen", 1, 0, 'l' },
		{ "user", 1, 0, 'u' },
		{ "password", 1, 0, 'P' },
		{ "script", 1, 0, 's' },
		{ "line", 1, 0, 'L' },
		{ "name", 1, 0, 'n' },
		{ "window", 1, 0, 'w' },
		{ "once", 0, 0, 'o' },
		{ "quiet", 0, 0, 'q' },
		{ 0 },
	};
	int c, proto = SIM_SMPP;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p': proto = sim_proto_of(optarg); break;
		case 'l': opt.where = optarg; break;
		case 'u': opt.user = optarg; break;
		case 'P': opt.password = optarg; break;
		case 'n': opt.name = optarg; break;
		case 'w': opt.window = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'o': opt.once = true; break;
		case 'q': opt.quiet = true; break;
		case 's':
			if (script_load(&script, optarg))
				return -1;
			break;
		case 'L':
			if (script_line(&script, optarg))
				return -1;
			break;
		default: return -1;
		}
	}
	opt.proto = (enum sim_proto)proto;
	return proto < 0 || !opt.where || optind != argc || opt.window < 1 || opt.window > ACKS ? -1
												: 0;
}

int main(int argc, char **argv)
{
	struct sigaction stop = { .sa_handler = on_signal };
	int listener, port = 0, rc;

	if (options(argc, argv))
		return usage();
	script_line(&script, "report DELIVRD");
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	listener = sim_listen(opt.where, &port);
	if (listener < 0)
		return 1;
	printf("%d\n", port);
	fflush(stdout);
	rc = run(listener);
	while (gw_count > 0)
		drop(gw_count - 1);
	close(listener);
	if (!opt.quiet)
		printf("accepted=%llu logins=%llu refused=%llu submits=%llu answers=%llu "
		       "reports=%llu messages=%llu "
		       "acks=%llu strange=%llu\n",
		       (unsigned long long)got.accepted, (unsigned long long)got.logins,
		       (unsigned long long)got.refused, (unsigned long long)got.submits,
		       (unsigned long long)got.answers, (unsigned long long)got.reports,
		       (unsigned long long)got.messages, (unsigned long long)got.acks,
		       (unsigned long long)got.strange);
	return rc || got.strange;
}
