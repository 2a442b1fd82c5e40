#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/* Streams of PDUs, and sending them through while comparing what comes out. */

enum { FLOWS_MAX = 32, READ_MAX = 65536 };

uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void pdu_make(enum sim_proto proto, uint32_t seq, size_t len, uint8_t *to)
{
	struct sim_pdu test = { .what = SIM_TEST, .seq = seq };
	uint8_t head[SIM_PDU_MAX];
	size_t n = sim_build(proto, &test, head);
	uint32_t random = seq * 2654435761u + 1;

	assert_true(len >= n);
	memcpy(to, head, n);
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	while (n < len)
		to[n++] = (uint8_t)random_next(&random);
}

uint8_t *stream_make(enum sim_proto proto, uint32_t seed, size_t n, size_t pdu_max, size_t *ret_n)
{
	uint8_t *p = malloc(n);
	uint32_t random = seed * 2u + 1u, seq = 1;
	size_t at = 0;

	assert_non_null(p);
	while (n - at >= SIM_PDU_MAX + pdu_max) {
		uint32_t kind = random_next(&random) % 8;
		struct sim_pdu pdu = { .what = SIM_SUBMIT,
			.seq = seq,
			.user = sim_text("900001"),
			.src = sim_text("10690001"),
			.dst = sim_text("13800138000"),
			.registered = true };
		char text[140];

		if (kind == 0) {
			size_t len = 16 + random_next(&random) % (pdu_max - 15);

			pdu_make(proto, seq, len, p + at);
			at += len;
		} else {
			pdu.what = kind < 3 ? SIM_TEST : SIM_SUBMIT;
			for (size_t i = 0; i < sizeof text; i++)
				text[i] = (char)random_next(&random);
			pdu.body = (struct sim_text){ text, random_next(&random) % sizeof text };
			at += sim_build(proto, &pdu, p + at);
		}
		seq++;
	}
	*ret_n = at;
	return p;
}

static bool flow_send(struct flow *f, uint32_t *random)
{
	size_t n = f->n - f->sent;
	ssize_t s;

	if (f->piece_max > 0) {
		size_t piece = 1 + random_next(random) % f->piece_max;

		n = piece < n ? piece : n;
	}
	s = send(f->from, f->p + f->sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s < 0 && errno != EAGAIN)
		fail_msg("send: %s", strerror(errno));
	if (s > 0)
		f->sent += (size_t)s;
	return s > 0;
}

static bool flow_read(struct flow *f)
{
	static uint8_t have[READ_MAX];
	size_t max = f->read_max ? f->read_max : sizeof have;
	ssize_t r = recv(f->to, have, max, MSG_DONTWAIT);

	if (r < 0 && errno == EAGAIN)
		return false;
	if (r <= 0)
		fail_msg("the stream ends after %zu of %zu octets", f->got, f->n);
	if (f->got + (size_t)r > f->sent)
		fail_msg("more octets arrive than were sent");
	for (ssize_t i = 0; i < r; i++)
		if (have[i] != f->p[f->got + (size_t)i])
			fail_msg("octet %zu is wrong", f->got + (size_t)i);
	f->got += (size_t)r;
	f->read_after_us = now_us() + f->pause_us;
	return true;
}

static bool flows_step(struct flow *flows, int count, const struct pollfd *polls, uint32_t *random)
{
	bool moved = false;

	for (int i = 0; i < count; i++) {
		if (polls[2 * i].revents && flow_send(&flows[i], random))
			moved = true;
		if (polls[2 * i + 1].revents && flow_read(&flows[i]))
			moved = true;
	}
	return moved;
}

void flows_run(struct flow *flows, int count, uint32_t seed)
{
	struct pollfd polls[2 * FLOWS_MAX];
	uint64_t moved_us = now_us();
	uint32_t random = seed * 2u + 1u;

	assert_true(count <= FLOWS_MAX);
	for (;;) {
		uint64_t now = now_us();
		bool done = true, paused = false;

		for (int i = 0; i < count; i++) {
			struct flow *f = &flows[i];
			bool late = f->read_after_us > now;

			done = done && f->got == f->n;
			paused = paused || late;
			polls[2 * i] = (struct pollfd){ f->sent < f->n ? f->from : -1, POLLOUT, 0 };
			polls[2 * i + 1] =
				(struct pollfd){ f->got < f->n && !late ? f->to : -1, POLLIN, 0 };
		}
		if (done)
			return;
		if (poll(polls, (nfds_t)(2 * count), paused ? 1 : 100) < 0)
			fail_msg("poll: %s", strerror(errno));
		if (flows_step(flows, count, polls, &random))
			moved_us = now;
		else if (now - moved_us > WAIT_MS * 1000u)
			fail_msg("nothing moves: %zu of %zu octets sent, %zu arrived",
				flows[0].sent, flows[0].n, flows[0].got);
	}
}

void flow_fill(struct flow *f)
{
	f->sent += peer_fill(f->from, f->p + f->sent, f->n - f->sent);
}

void flow_drain(struct flow *f)
{
	while (peer_has_caller(f->to, 300) && f->got < f->sent)
		(void)flow_read(f);
}

size_t flow_end_of(const struct flow *f, size_t at)
{
	size_t end = 0;

	while (end < at)
		end += (size_t)f->p[end] << 24 | (size_t)f->p[end + 1] << 16 |
			(size_t)f->p[end + 2] << 8 | f->p[end + 3];
	return end;
}

void pair_exchange(struct pair p, enum sim_proto proto, uint32_t seed)
{
	enum { OCTETS = 60000, PDU_MOST = 3000 };
	size_t there_n, back_n;
	uint8_t *there = stream_make(proto, seed, OCTETS, PDU_MOST, &there_n);
	uint8_t *back = stream_make(proto, seed + 1, OCTETS, PDU_MOST, &back_n);
	struct flow flows[2] = {
		{ .from = p.sp, .to = p.gw, .p = there, .n = there_n },
		{ .from = p.gw, .to = p.sp, .p = back, .n = back_n },
	};

	flows_run(flows, 2, seed);
	peer_expect_silence(p.sp, 10);
	peer_expect_silence(p.gw, 10);
	free(there);
	free(back);
}
