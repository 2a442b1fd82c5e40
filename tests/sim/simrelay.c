#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

/*
 * A bad network between two programs: octets arrive late, in pieces, not at all, or the connection
 * breaks. It knows nothing of PDUs; what it does is counted in octets of each direction.
 *
 *   --split N      at most N octets in one send, each after --delay
 *   --hold N       after N octets nothing more goes on, the connection stays
 *   --cut N        after N octets: FIN both ways
 *   --reset N      after N octets: reset both ways
 */

enum { PAIRS_MAX = 256, PIECE = 16384 };

struct way {
	struct sim_conn *from, *to;
	uint64_t passed, next_us;
	bool ended;
};

struct pair {
	struct sim_conn a, b;
	struct way way[2];
};

static struct {
	const char *listen, *connect;
	uint64_t delay_us, split, hold, cut, reset;
} opt = { .split = PIECE };

static struct pair *pairs[PAIRS_MAX];
static int pair_count;

static uint64_t limit(void)
{
	return opt.hold ? opt.hold : opt.cut ? opt.cut : opt.reset ? opt.reset : UINT64_MAX;
}

/* Move at most one piece. -1: the pair is over. */
static int pass(struct way *w, uint64_t now)
{
	size_t n = w->from->in_n - w->from->in_at;
	uint64_t left = limit() - w->passed;
	uint8_t *room;

	if (left == 0)
		return opt.hold ? 0 : -1;
	if (n > opt.split)
		n = (size_t)opt.split;
	if (n > left)
		n = (size_t)left;
	if (n == 0 && w->from->eof && !w->ended && sim_conn_queued(w->to) == 0) {
		shutdown(w->to->fd, SHUT_WR);
		w->ended = true;
	}
	if (n == 0 || now < w->next_us)
		return 0;
	room = sim_conn_queued(w->to) ? NULL : sim_conn_room(w->to, n);
	if (!room)
		return 0;
	memcpy(room, w->from->in + w->from->in_at, n);
	w->from->in_at += n;
	w->to->out_n += n;
	w->passed += n;
	w->next_us = now + opt.delay_us;
	return sim_conn_write(w->to);
}

static int step(struct pair *p, uint64_t now)
{
	for (int i = 0; i < 2; i++) {
		struct way *w = &p->way[i];

		if (!w->from->eof && sim_conn_read(w->from) < 0 && w->from->error)
			return -1;
		if (sim_conn_write(w->to) || pass(w, now))
			return -1;
	}
	return p->way[0].ended && p->way[1].ended ? -1 : 0;
}

static void drop(int i)
{
	bool reset = opt.reset &&
		     (pairs[i]->way[0].passed >= opt.reset || pairs[i]->way[1].passed >= opt.reset);

	sim_conn_close(&pairs[i]->a, reset);
	sim_conn_close(&pairs[i]->b, reset);
	free(pairs[i]);
	pairs[i] = pairs[--pair_count];
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = pair_count < PAIRS_MAX ? accept(listener, NULL, NULL) : -1;
		struct pair *p;
		int to;

		if (fd < 0)
			return;
		p = calloc(1, sizeof *p);
		to = p ? sim_connect(opt.connect) : -1;
		if (to < 0 || sim_conn_open(&p->a, fd) || sim_conn_open(&p->b, to)) {
			close(fd);
			free(p);
			return;
		}
		p->way[0] = (struct way){ .from = &p->a, .to = &p->b };
		p->way[1] = (struct way){ .from = &p->b, .to = &p->a };
		pairs[pair_count++] = p;
	}
}

static int run(int listener)
{
	static struct pollfd polls[2 * PAIRS_MAX + 1];

	for (;;) {
		uint64_t now;

		polls[0] = (struct pollfd){ listener, POLLIN, 0 };
		for (int i = 0; i < pair_count; i++) {
			struct pair *p = pairs[i];

			polls[2 * i + 1] =
				(struct pollfd){ p->a.eof || p->a.in_n ? -1 : p->a.fd, POLLIN, 0 };
			polls[2 * i + 2] =
				(struct pollfd){ p->b.eof || p->b.in_n ? -1 : p->b.fd, POLLIN, 0 };
		}
		if (poll(polls, (nfds_t)(2 * pair_count + 1), 1) < 0 && errno != EINTR)
			return 1;
		now = sim_now_us();
		for (int i = pair_count - 1; i >= 0; i--)
			if (step(pairs[i], now))
				drop(i);
		accept_all(listener);
	}
}

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", 1, 0, 'l' },   { "connect", 1, 0, 'c' },
		{ "delay-us", 1, 0, 'd' }, { "split", 1, 0, 's' },
		{ "hold", 1, 0, 'h' },     { "cut", 1, 0, 'x' },
		{ "reset", 1, 0, 'r' },    { 0 },
	};
	int c, port = 0, listener;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l': opt.listen = optarg; break;
		case 'c': opt.connect = optarg; break;
		case 'd': opt.delay_us = number(optarg); break;
		case 's': opt.split = number(optarg); break;
		case 'h': opt.hold = number(optarg); break;
		case 'x': opt.cut = number(optarg); break;
		case 'r': opt.reset = number(optarg); break;
		default: return 2;
		}
	}
	if (!opt.listen || !opt.connect || opt.split < 1 || optind != argc) {
		fputs("usage: simrelay --listen HOST:PORT --connect HOST:PORT [--delay-us N] "
		      "[--split N]\n"
		      "                [--hold N | --cut N | --reset N]\n",
		      stderr);
		return 2;
	}
	listener = sim_listen(opt.listen, &port);
	if (listener < 0)
		return 1;
	printf("%d\n", port);
	fflush(stdout);
	return run(listener);
}
