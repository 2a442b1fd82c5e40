#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/*
 * Plain sessions outlive their engine: the next one finds out from the kernel's counters where both streams
 * stand. Here, where a stream can stand when an engine dies; how it can end is in survive_ends.c.
 */

static struct rig rig;
static int gateway, gateway_port;

static void begin(enum sim_proto proto, const char *keys)
{
	static const struct rig_options options = { .control = true };
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &gateway_port, .upstream_count = 1, .keys = keys };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
}

/* Still the session it was; then its end, told once. */
static void end(struct pair p, enum sim_proto proto)
{
	pair_exchange(p, proto, 77);
	peer_close(p.sp);
	peer_expect_end(p.gw);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close sess=1 by=sp how=fin");
	assert_int_equal(rig_count(&rig, "ev=session_close"), 1);
	assert_int_equal(rig_count(&rig, "ev=session_open"), 1);
	rig_stop(&rig);
}

static size_t login_of(enum sim_proto proto, uint8_t *to)
{
	struct sim_pdu login = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text(proto == SIM_SMPP ? "secret08" : "0123456789abcdef"),
		.stamp = 1121080000 };

	return sim_build(proto, &login, to);
}

/* The gateway gets the login that the SP has sent, and answers it. */
static struct pair logged_in(int sp, int gw, enum sim_proto proto)
{
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 1, .user = sim_text("gateway"),
		.secret = sim_text("fedcba9876543210") };
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login_of(proto, octets);

	peer_expect(gw, octets, n);
	n = sim_build(proto, &answer, octets);
	peer_send(gw, octets, n);
	peer_expect(sp, octets, n);
	return (struct pair){ sp, gw };
}

/* Of the login `before` octets come before the kill, `between` while nobody runs, the rest after. */
static void login_in_parts(enum sim_proto proto, size_t before, size_t between)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login_of(proto, octets);
	int sp;

	before = before < n ? before : n - 1;
	between = between < n - before ? between : n - before;
	begin(proto, NULL);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, before);
	rig_await(&rig, 0, NULL, "ev=session_open");
	rig_engine_down(&rig);
	peer_send(sp, octets + before, between);
	rig_engine_up(&rig);
	peer_send(sp, octets + before + between, n - before - between);
	end(logged_in(sp, peer_accept(gateway), proto), proto);
}

static void before_a_login(void **state)
{
	(void)state;
	login_in_parts(SIM_CMPP2, 0, 0);
	login_in_parts(SIM_SMPP, 0, SIM_PDU_MAX);
	login_in_parts(SIM_SMPP, 3, 0);
	login_in_parts(SIM_CMPP3, 20, 0);
	login_in_parts(SIM_CMPP2, SIM_PDU_MAX, 1);
	login_in_parts(SIM_SMPP, 16, 2);
}

static void idle(void **state)
{
	struct pair p;

	(void)state;
	begin(SIM_CMPP3, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	for (int i = 0; i < 3; i++)
		rig_kill_engine(&rig);
	peer_expect_silence(p.sp, 300);
	peer_expect_silence(p.gw, 10);
	rig_kill_engine(&rig);
	end(p, SIM_CMPP3);
}

/* What knocks at a full queue is dropped: the gateway is being dialled for as long as we like. */
static void fill_queue(int fds[4])
{
	for (int i = 0; i < 4; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)gateway_port) };

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(connect(fds[i], (struct sockaddr *)&a, sizeof a) == 0 ||
			errno == EINPROGRESS);
	}
	pause_ms(20);
}

static void while_dialling(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login_of(SIM_SMPP, octets);
	int sp, gw, fds[4];
	bool dials = false;

	(void)state;
	begin(SIM_SMPP, "connect_timeout = \"20s\";");
	assert_int_equal(listen(gateway, 0), 0);
	fill_queue(fds);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, n);
	for (int i = 0; i < 500 && !dials; i++) {
		char *text = rig_ctl(&rig, "sessions", 0);

		dials = strstr(text, "dialing") != NULL;
		free(text);
		pause_ms(10);
	}
	assert_true(dials);
	rig_engine_down(&rig);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	assert_int_equal(listen(gateway, 64), 0);
	rig_engine_up(&rig);
	do
		gw = peer_accept(gateway); /* some of those that filled it */
	while (peer_has_caller(gw, WAIT_MS) && recv(gw, octets, 1, MSG_PEEK) <= 0);
	end(logged_in(sp, gw, SIM_SMPP), SIM_SMPP);
}

/* A PDU cut at `at`: its beginning is unread at the kill; the rest comes while nobody runs, or later. */
static void cut_at(struct pair p, enum sim_proto proto, size_t at, bool between, bool back)
{
	int from = back ? p.gw : p.sp, to = back ? p.sp : p.gw;
	uint8_t octets[600];

	pdu_make(proto, 7, sizeof octets, octets);
	peer_send(from, octets, at);
	pause_ms(5);
	rig_engine_down(&rig);
	if (between)
		peer_send(from, octets + at, sizeof octets - at);
	rig_engine_up(&rig);
	if (!between) {
		peer_expect_silence(to, 20);
		peer_send(from, octets + at, sizeof octets - at);
	}
	peer_expect(to, octets, sizeof octets);
}

static void inside_a_pdu(void **state)
{
	static const size_t at[] = { 1, 3, 4, 5, 11, 12, 16, 300, 599 };
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		cut_at(p, SIM_CMPP2, at[i], i % 2 != 0, i % 3 == 0);
	end(p, SIM_CMPP2);
}

/* More than one look sees is there when the next engine comes. */
static void queued_meanwhile(void **state)
{
	size_t n;
	uint8_t *octets = stream_make(SIM_SMPP, 11, 900000, 5000, &n);
	struct flow flows[2];
	struct pair p;

	(void)state;
	begin(SIM_SMPP, NULL);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	flows[0] = (struct flow){ .from = p.sp, .to = p.gw, .p = octets, .n = n };
	flows[1] = (struct flow){ .from = p.gw, .to = p.sp, .p = octets, .n = n };
	rig_engine_down(&rig);
	flow_fill(&flows[0]);
	flow_fill(&flows[1]);
	rig_engine_up(&rig);
	flows_run(flows, 2, 1);
	free(octets);
	end(p, SIM_SMPP);
}

/*
 * The receiver does not read and has little room, so that a send stops inside a PDU. One engine finds that
 * and can do nothing, the next one too; then the receiver has read all that was sent, while nobody runs.
 */
static void torn_send(enum sim_proto proto, bool back, size_t pdu_most)
{
	enum { ROUNDS = 3 };
	size_t n;
	uint8_t *octets = stream_make(proto, 21, 16000000, pdu_most, &n);
	struct flow f = { .p = octets, .n = n };
	int torn = 0;
	struct pair p;

	begin(proto, NULL);
	peer_buffers(gateway, 4096);
	p = pair_login_over(peer_dial_buffers(rig.port[0], 4096), gateway, proto);
	f.from = back ? p.gw : p.sp;
	f.to = back ? p.sp : p.gw;
	for (int i = 0; i < ROUNDS; i++) {
		flow_fill(&f);
		rig_kill_engine(&rig);
		if (i % 2)
			pause_ms(100);
		rig_engine_down(&rig);
		flow_drain(&f);
		torn += flow_end_of(&f, f.got) != f.got;
		if (i % 2)
			flow_fill(&f);
		rig_engine_up(&rig);
	}
	assert_true(torn > 0);
	f.n = flow_end_of(&f, f.sent);
	flows_run(&f, 1, 5);
	free(octets);
	end(p, proto);
}

static void half_out(void **state)
{
	(void)state;
	torn_send(SIM_SMPP, false, 8000);
	torn_send(SIM_CMPP2, true, 8000);
	torn_send(SIM_CMPP3, false, 400);
}

/* An urgent octet is one like any other, and falsifies no counter. */
static void urgent(void **state)
{
	uint8_t octets[300];
	struct pair p;

	(void)state;
	begin(SIM_CMPP2, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	pdu_make(SIM_CMPP2, 9, sizeof octets, octets);
	for (int back = 0; back < 2; back++) {
		int from = back ? p.gw : p.sp, to = back ? p.sp : p.gw;

		/* Before: it is through. */
		peer_send(from, octets, 100);
		assert_int_equal(send(from, octets + 100, 1, MSG_OOB), 1);
		peer_send(from, octets + 101, sizeof octets - 101);
		peer_expect(to, octets, sizeof octets);
		rig_kill_engine(&rig);
		pair_exchange(p, SIM_CMPP2, 31);
		/* At it: unread, in a PDU that is whole, at the very end of one, and before a PDU's rest. */
		rig_engine_down(&rig);
		peer_send(from, octets, sizeof octets);
		peer_send(from, octets, 50);
		assert_int_equal(send(from, octets + 50, 1, MSG_OOB), 1);
		peer_send(from, octets + 51, sizeof octets - 51);
		peer_send(from, octets, sizeof octets - 1);
		assert_int_equal(send(from, octets + sizeof octets - 1, 1, MSG_OOB), 1);
		rig_engine_up(&rig);
		for (int i = 0; i < 3; i++)
			peer_expect(to, octets, sizeof octets);
		assert_int_equal(send(from, octets, 1, MSG_OOB), 1);
		peer_send(from, octets + 1, 9);
		pause_ms(5);
		rig_kill_engine(&rig);
		peer_send(from, octets + 10, sizeof octets - 10);
		peer_expect(to, octets, sizeof octets);
		/* After. */
		rig_kill_engine(&rig);
		peer_send(from, octets, 200);
		assert_int_equal(send(from, octets + 200, 1, MSG_OOB), 1);
		peer_send(from, octets + 201, sizeof octets - 201);
		peer_expect(to, octets, sizeof octets);
	}
	end(p, SIM_CMPP2);
}

/* A PDU that is passed on as it arrives: what has come of it is out, and its end is known to who comes next. */
static void beyond_hold_max(void **state)
{
	enum { LEN = 60000 };
	static const size_t cuts[] = { 1000, 20000, 33000, LEN - 1, LEN };
	uint8_t *octets = malloc(LEN + 400);
	struct pair p;

	(void)state;
	begin(SIM_SMPP, "max_pdu = \"128K\";");
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	pdu_make(SIM_SMPP, 5, LEN, octets);
	pdu_make(SIM_SMPP, 6, 400, octets + LEN); /* framing goes on behind it */
	for (size_t i = 0; i < 2 * sizeof cuts / sizeof *cuts; i++) {
		int from = i % 2 ? p.gw : p.sp, to = i % 2 ? p.sp : p.gw;
		size_t cut = cuts[i / 2], out = cut > 4096 ? cut : 0;

		peer_send(from, octets, cut);
		peer_expect(to, octets, out);
		rig_engine_down(&rig);
		if (i % 4 < 2)
			peer_send(from, octets + cut, LEN + 400 - cut);
		rig_engine_up(&rig);
		if (i % 4 >= 2)
			peer_send(from, octets + cut, LEN + 400 - cut);
		peer_expect(to, octets + out, LEN + 400 - out);
	}
	assert_int_equal(rig_count(&rig, "ev=blind"), 0);
	free(octets);
	end(p, SIM_SMPP);
}

/* The same, when the receiver does not read: all that it has room for is out. */
static void beyond_hold_max_torn(void **state)
{
	(void)state;
	torn_send(SIM_SMPP, false, 60000);
	torn_send(SIM_SMPP, true, 60000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, rig_sweep)
	const struct CMUnitTest tests[] = {
		TEST(before_a_login),
		TEST(idle),
		TEST(while_dialling),
		TEST(inside_a_pdu),
		TEST(queued_meanwhile),
		TEST(half_out),
		TEST(urgent),
		TEST(beyond_hold_max),
		TEST(beyond_hold_max_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
