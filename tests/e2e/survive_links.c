#include <arpa/inet.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_peer.h"

/*
 * What else of a session, and of its link, the next engine must know: PROXY headers, limits, stories;
 * and what is told of it all.
 */

static const struct rig_options options = { .control = true };
static struct rig rig;
static struct rig_link only;
static int gateway, gateway_port;

static void begin(enum sim_proto proto, const char *host, const char *keys)
{
	only = (struct rig_link){ .protocol = proto == SIM_SMPP ? "smpp" : "cmpp", .host = host,
		.upstream = &gateway_port, .upstream_count = 1, .keys = keys };
	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &only, 1);
}

static size_t login_of(enum sim_proto proto, const char *user, uint8_t *to)
{
	struct sim_pdu login = { .what = SIM_LOGIN, .seq = 1, .user = sim_text(user),
		.secret = sim_text(proto == SIM_SMPP ? "secret08" : "0123456789abcdef"),
		.stamp = 1121080000 };

	return sim_build(proto, &login, to);
}

static void answer_login(struct pair p, enum sim_proto proto)
{
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 1, .user = sim_text("gateway"),
		.secret = sim_text("fedcba9876543210") };
	uint8_t octets[SIM_PDU_MAX];
	size_t n = sim_build(proto, &answer, octets);

	peer_send(p.gw, octets, n);
	peer_expect(p.sp, octets, n);
}

/*
 * A balancer's header in front of the SP's stream, and ours in front of the gateway's: neither is part of a
 * stream. A connection that is still without its header was no session, and none ends.
 */
static void proxy_headers(void **state)
{
	static const char from[] = "PROXY TCP4 192.0.2.1 198.51.100.7 5555 2775\r\n";
	static const size_t cuts[] = { 5, sizeof from - 1, sizeof from + 6, SIZE_MAX };
	size_t count = sizeof cuts / sizeof *cuts;

	(void)state;
	begin(SIM_SMPP, NULL, "proxy_from = \"127.0.0.0/8\"; proxy_to = \"v1\";");
	rig_await_ready(&rig);
	for (size_t i = 0; i < count; i++) {
		uint8_t octets[SIM_PDU_MAX], answer[1];
		size_t n = sizeof from - 1, cut;
		int fds = rig_engine_fds(&rig);
		struct pair p = { peer_dial(rig.port[0]), -1 };

		memcpy(octets, from, n);
		n += login_of(SIM_SMPP, "900001", octets + n);
		cut = cuts[i] < n ? cuts[i] : n;
		peer_send(p.sp, octets, cut);
		if (cut < sizeof from - 1) {
			while (rig_engine_fds(&rig) <= fds)
				pause_ms(1); /* it is accepted */
			rig_kill_engine(&rig); /* nobody has begun to count: the connection goes with its engine */
			assert_true(peer_ended(p.sp, WAIT_MS));
			peer_close(p.sp);
			continue;
		}
		if (cut == n) {
			p.gw = peer_accept(gateway);
			peer_expect(p.gw, from, sizeof from - 1);
			rig_engine_down(&rig);
		} else {
			rig_await_count(&rig, i, "ev=session_open");
			rig_engine_down(&rig);
			peer_send(p.sp, octets + cut, n - cut);
		}
		rig_engine_up(&rig);
		/* Until the gateway is told whom it speaks with, it is dialled again. */
		if (p.gw < 0 || (peer_has_caller(p.gw, WAIT_MS) && recv(p.gw, answer, 1, MSG_PEEK) == 0)) {
			p.gw = peer_accept(gateway);
			peer_expect(p.gw, from, sizeof from - 1);
		}
		peer_expect(p.gw, octets + sizeof from - 1, n - sizeof from + 1);
		answer_login(p, SIM_SMPP);
		rig_kill_engine(&rig);
		pair_exchange(p, SIM_SMPP, 4);
		pair_close(p);
	}
	rig_expect_balance(&rig, count - 1);
	assert_int_equal(rig_count(&rig, "ev=session_close peer=192.0.2.1:5555"), count - 1);
	rig_stop(&rig);
}

static int dial6(int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons((uint16_t)port) };
	int fd = peer_adopt(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void ipv6(void **state)
{
	struct pair p;

	(void)state;
	if (access("/proc/net/if_inet6", R_OK))
		skip();
	begin(SIM_CMPP2, "[::1]", "max_per_ip = 1;");
	p = pair_login_over(dial6(rig.port[0]), gateway, SIM_CMPP2);
	pair_exchange(p, SIM_CMPP2, 6);
	rig_kill_engine(&rig);
	pair_exchange(p, SIM_CMPP2, 7);
	assert_true(peer_ended(dial6(rig.port[0]), WAIT_MS));
	pair_close(p);
	rig_expect_balance(&rig, 1);
	rig_await(&rig, 0, NULL, "ev=session_close peer~[::1]:");
	rig_stop(&rig);
}

/* Sessions with TLS end with their engine, which is told; the next engine takes new ones. */
static void tls_ends(void **state)
{
	char keys[256];
	SSL *ssl;

	(void)state;
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\";", kit.server_file);
	begin(SIM_SMPP, NULL, keys);
	for (int i = 0; i < 2; i++) {
		struct pair p;

		p = pair_login_over(tls_dial(rig.port[0], kit.sp, "smscope.test"), gateway, SIM_SMPP);
		pair_exchange(p, SIM_SMPP, 3);
		rig_await_count(&rig, (size_t)i + 1, "ev=login");
		rig_kill_engine(&rig);
		assert_true(peer_ended(p.sp, WAIT_MS));
		assert_true(peer_ended(p.gw, WAIT_MS));
		pair_close(p);
		rig_await(&rig, 0, NULL, "ev=session_close sess=%d by=smscope how=engine_died", i + 1);
	}
	ssl = tls_connect(kit.sp, peer_dial(rig.port[0]), "smscope.test", NULL); /* no login yet */
	assert_non_null(ssl);
	rig_await_count(&rig, 3, "ev=session_open");
	rig_kill_engine(&rig);
	SSL_free(ssl);
	rig_expect_balance(&rig, 3);
	assert_int_equal(rig_count(&rig, "ev=session_close how=engine_died"), 3);
	rig_stop(&rig);
}

/* Lines of the log that are one record have one id. */
static void count_records(const char *ev, uint32_t from, uint32_t to)
{
	for (uint32_t seq = from; seq < to; seq++) {
		long long id = -1;

		rig_await(&rig, 0, NULL, "ev=%s seq=%u", ev, seq);
		for (size_t i = 0; i < json_array_size(rig.records); i++) {
			const json_t *r = json_array_get(rig.records, i);
			long long this_id = json_integer_value(json_object_get(r, "id"));

			if (strcmp(json_string_value(json_object_get(r, "ev")), ev) != 0 ||
				json_integer_value(json_object_get(r, "seq")) != seq)
				continue;
			assert_string_equal(json_string_value(json_object_get(r, "proto")), "CMPP 3.0");
			if (id >= 0 && this_id != id)
				fail_msg("%s %u is told twice", ev, seq);
			id = this_id;
		}
	}
}

static void pass(int from, int to, const struct sim_pdu *pdu)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = sim_build(SIM_CMPP3, pdu, octets);

	peer_send(from, octets, n);
	peer_expect(to, octets, n);
}

static void submit(struct pair p, uint32_t seq)
{
	const struct sim_pdu pdu = { .what = SIM_SUBMIT, .seq = seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text("13812345678"), .registered = true,
		.body = sim_text("hello") };

	pass(p.sp, p.gw, &pdu);
}

static struct sim_text id_of(uint32_t seq)
{
	static char id[16];

	snprintf(id, sizeof id, "M%07u", seq);
	return (struct sim_text){ id, 8 };
}

static void respond(struct pair p, uint32_t seq)
{
	const struct sim_pdu pdu = { .what = SIM_SUBMIT_RESP, .seq = seq, .msgid = id_of(seq) };

	pass(p.gw, p.sp, &pdu);
}

static void report(struct pair p, uint32_t seq)
{
	const struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = seq, .src = sim_text("13812345678"),
		.dst = sim_text("10690001"), .registered = true, .msgid = id_of(seq),
		.stat = sim_text("DELIVRD"), .submit_time = sim_text("2611300100"),
		.done_time = sim_text("2611300101") };

	pass(p.gw, p.sp, &pdu);
}

/*
 * Kills with what was said just before not told yet, or half told: each PDU is told once, in the session's
 * own dialect, and a report finds its submit in the engine after the next.
 */
static void records(void **state)
{
	enum { KILLS = 6, EACH = 30 };
	uint32_t seq = 1000;
	struct pair p;

	(void)state;
	begin(SIM_CMPP3, NULL, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	for (int i = 0; i < KILLS; i++, seq += EACH) {
		for (uint32_t k = seq; k < seq + EACH; k++) {
			submit(p, k);
			respond(p, k);
		}
		usleep((useconds_t)i * 1500);
		rig_kill_engine(&rig);
		if (i % 2)
			rig_await_ready(&rig);
	}
	for (uint32_t k = 1000; k < seq; k++)
		report(p, k);
	count_records("submit", 1000, seq);
	count_records("submit_resp", 1000, seq);
	count_records("report", 1000, seq);
	for (uint32_t k = 1000; k < seq; k++) {
		const json_t *submitted = rig_await(&rig, 0, NULL, "ev=submit seq=%u", k);

		rig_await(&rig, 0, NULL, "ev=report seq=%u match=exact final=true story=%lld", k,
			(long long)json_integer_value(json_object_get(submitted, "story")));
	}
	rig_await(&rig, 0, NULL, "ev=login sess=1");
	assert_int_equal(rig_count(&rig, "ev=login"), 1);
	pair_close(p);
	rig_expect_balance(&rig, 1);
	rig_await(&rig, 0, NULL, "ev=session_close sess=1 by=sp how=fin proto~3.0 account=900001 peer~127.0.0.1:");
	assert_int_equal(rig_count(&rig, "ev=session_close step~traffic"), 1);
	assert_int_equal(rig_count(&rig, "ev=malformed"), 0);
	rig_stop(&rig);
}

/* The response is of the message that was submitted, whatever engine knew that; then all ends. */
static void answer_and_end(struct pair p, uint32_t seq)
{
	const json_t *submitted = rig_await(&rig, 0, NULL, "ev=submit seq=%u", seq);

	respond(p, seq);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=%u story=%lld", seq,
		(long long)json_integer_value(json_object_get(submitted, "story")));
	pair_close(p);
	rig_expect_balance(&rig, 1);
	rig_stop(&rig);
}

/*
 * A report whose message nobody knows waits for the response that may name it, five seconds from its arrival: not as
 * long again in each engine, or in the end the ring has it no more.
 */
static void a_report_waits_once(void **state)
{
	enum { WAIT_S = 5, LIFE_MS = 700, KILLS = 4 * WAIT_S };
	uint64_t arrived;
	struct pair p;
	int kills = 0;

	(void)state;
	begin(SIM_CMPP3, NULL, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	submit(p, 77); /* unanswered: the report may be its */
	arrived = now_us();
	report(p, 99);
	do {
		assert_true(kills++ < KILLS);
		rig_kill_engine(&rig);
		rig_await_ready(&rig);
		(void)pair_ping(p, SIM_CMPP3); /* or they seem to die of something */
		if (rig_count(&rig, "ev=report") > 0)
			assert_true(now_us() - arrived >= (WAIT_S - 1) * 1000000u);
		pause_ms(LIFE_MS);
	} while (rig_count(&rig, "ev=report") == 0);
	assert_int_equal(rig_count(&rig, "ev=report seq=99"), 1);
	answer_and_end(p, 77);
}

/* A request before the kill, its response after it, its report in a third engine: one story. */
static void response_after_the_kill(void **state)
{
	const json_t *submitted;
	long long story;
	struct pair p;

	(void)state;
	begin(SIM_CMPP3, NULL, NULL);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	submit(p, 77);
	submitted = rig_await(&rig, 0, NULL, "ev=submit seq=77");
	story = (long long)json_integer_value(json_object_get(submitted, "story"));
	rig_kill_engine(&rig);
	respond(p, 77);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=77 story=%lld", story);
	rig_kill_engine(&rig);
	report(p, 77);
	rig_await(&rig, 0, NULL, "ev=report seq=77 match=exact story=%lld", story);
	pair_close(p);
	rig_expect_balance(&rig, 1);
	rig_stop(&rig);
}

/* After a fault nothing is looked back for; after a reload behind it, again. */
static void a_reload_after_a_fault(void **state)
{
	pid_t before;
	struct pair p;

	(void)state;
	begin(SIM_CMPP3, NULL, NULL);
	rig_await_ready(&rig);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	rig_await(&rig, 0, NULL, "ev=login");
	rig_engine_dies(&rig, SIGABRT);
	rig_await_ready(&rig);
	submit(p, 77);
	rig_await(&rig, 0, NULL, "ev=submit seq=77");
	only.keys = "show_text = true;";
	only.port = rig.port[0];
	rig_configure(&rig, &options, &only, 1);
	before = rig.engine;
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config state=ok");
	rig_await_engine(&rig, before, WAIT_MS);
	answer_and_end(p, 77);
}

static void expect_full(const char *user)
{
	uint8_t octets[SIM_PDU_MAX];
	size_t n = login_of(SIM_SMPP, user, octets);
	int sp = peer_dial(rig.port[0]);

	(void)send(sp, octets, n, MSG_NOSIGNAL);
	assert_true(peer_ended(sp, WAIT_MS));
	peer_close(sp);
	assert_false(peer_has_caller(gateway, 20));
}

static void limit(const char *keys)
{
	struct pair p[3];

	begin(SIM_SMPP, NULL, keys);
	for (int i = 0; i < 3; i++)
		p[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	expect_full("900001");
	for (int i = 0; i < 2; i++) {
		rig_kill_engine(&rig);
		for (int k = 0; k < 3; k++)
			(void)pair_ping(p[k], SIM_SMPP);
		expect_full("900001");
	}
	/* One goes, and one may come. */
	peer_close(p[1].sp);
	peer_expect_end(p[1].gw);
	peer_close(p[1].gw);
	rig_await(&rig, 0, NULL, "ev=session_close how=fin");
	p[1] = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_kill_engine(&rig);
	(void)pair_ping(p[1], SIM_SMPP);
	expect_full("900001");
	for (int i = 0; i < 3; i++)
		pair_close(p[i]);
	rig_stop(&rig);
}

static void limits(void **state)
{
	(void)state;
	limit("max_sessions = 3;");
	limit("max_per_ip = 3;");
	limit("max_per_account = 3;");
}

static void await_fds(int engine, int keeper)
{
	for (int i = 0; i < WAIT_MS / 10; i++, pause_ms(10))
		if (rig_engine_fds(&rig) == engine && rig_keeper_fds(&rig) == keeper)
			return;
	fail_msg("descriptors: engine %d, not %d; keeper %d, not %d", rig_engine_fds(&rig), engine,
		rig_keeper_fds(&rig), keeper);
}

/* Sessions that come before a kill and go after it, or the other way round, leave nothing behind. */
static void nothing_is_lost(void **state)
{
	enum { KILLS = 20, SLOTS = 6 };
	struct pair p[SLOTS], p0;
	int engine, keeper, count = 0;

	(void)state;
	begin(SIM_SMPP, NULL, "max_sessions = 6;");
	rig_await_ready(&rig);
	p0 = pair_login(&rig, 0, gateway, SIM_SMPP);
	pair_close(p0);
	rig_await(&rig, 0, NULL, "ev=session_close sess=1");
	rig_kill_engine(&rig);
	rig_await_ready(&rig);
	pause_ms(1000);
	engine = rig_engine_fds(&rig);
	keeper = rig_keeper_fds(&rig);
	for (int i = 0; i < SLOTS; i++, count++)
		p[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	for (int i = 0; i < KILLS; i++) {
		struct pair *q = &p[i % SLOTS];

		peer_close(q->sp);
		if (i % 2) {
			peer_expect_end(q->gw);
			peer_close(q->gw);
		}
		if (i % 3 == 0)
			rig_engine_down(&rig);
		if (i % 2 == 0)
			peer_close(q->gw);
		if (i % 3 == 0)
			rig_engine_up(&rig);
		else
			rig_kill_engine(&rig);
		/* The slot is free when the end is told. */
		rig_await_count(&rig, (size_t)i + 2, "ev=session_close");
		pause_ms(20);
		*q = pair_login(&rig, 0, gateway, SIM_SMPP);
		count++;
		for (int k = 0; k < SLOTS; k++)
			(void)pair_ping(p[k], SIM_SMPP);
	}
	for (int i = 0; i < SLOTS; i++)
		pair_close(p[i]);
	rig_expect_balance(&rig, (size_t)count + 1);
	rig_await_ready(&rig);
	await_fds(engine, keeper);
	rig_stop(&rig);
}

static int sweep(void **state)
{
	int failed = rig_sweep(state);

	tls_sweep();
	return failed;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, sweep)
	const struct CMUnitTest tests[] = {
		TEST(proxy_headers),
		TEST(ipv6),
		TEST(tls_ends),
		TEST(records),
		TEST(a_report_waits_once),
		TEST(response_after_the_kill),
		TEST(a_reload_after_a_fault),
		TEST(limits),
		TEST(nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
