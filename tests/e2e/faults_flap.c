#include <stdlib.h>
#include <sys/socket.h>

#include "harness.h"

/*
 * Row N11 of the fault list: sessions that come and go all the time, and 200 that go at once. Nothing
 * stays behind in either process, nobody waits for ever, and a link beside them does not feel it.
 *
 * Timeouts are short, so that a timer that outlived its session would run out inside the test, on memory
 * that is free: the sanitizer's business.
 */

enum { CROWD = 200, TIMEOUT_MS = 2000, PINGS_MAX = 20000 };
/* Who goes, how, and how far the session had come. */
enum { SP_CLOSES, GW_CLOSES, SP_RESETS, GW_RESETS, SAYS_NOTHING, HALF_LOGIN, NO_ANSWER, KINDS };

static struct rig rig;
static int gateway, gateway_port, quiet_gateway, quiet_port;
static struct pair quiet;
static int engine_fds, keeper_fds;
static uint8_t login[SIM_PDU_MAX];
static size_t login_len;
static uint64_t pings[PINGS_MAX];
static size_t ping_count;

static struct pair come(int kind)
{
	struct pair p = { peer_dial(rig.port[0]), -1 };

	switch (kind) {
	case SAYS_NOTHING:
		return p;
	case HALF_LOGIN:
		peer_send(p.sp, login, login_len / 2);
		return p;
	case NO_ANSWER:
		peer_send(p.sp, login, login_len);
		p.gw = peer_accept(gateway);
		peer_expect(p.gw, login, login_len);
		return p;
	default:
		return pair_login_over(p.sp, gateway, SIM_SMPP);
	}
}

static bool gateway_goes(int kind)
{
	return kind == GW_CLOSES || kind == GW_RESETS;
}

static void go(struct pair p, int kind)
{
	int who = gateway_goes(kind) ? p.gw : p.sp;

	if (kind == SP_RESETS || kind == GW_RESETS)
		peer_reset(who);
	else
		peer_close(who);
}

static void expect_gone(struct pair p, int kind)
{
	int other = gateway_goes(kind) ? p.sp : p.gw;

	if (other < 0)
		return;
	assert_true(peer_ended(other, WAIT_MS));
	peer_close(other);
}

static void ping(void)
{
	uint64_t us = pair_ping(quiet, SIM_SMPP);

	if (ping_count < PINGS_MAX)
		pings[ping_count++] = us;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t pings_p99(void)
{
	qsort(pings, ping_count, sizeof *pings, by_value);
	return pings[ping_count * 99 / 100];
}

/* Each of `sessions` is told once, both ways, and both processes have what they had before them. */
static void expect_nothing_left(size_t sessions)
{
	rig_await_count(&rig, sessions, "ev=session_close link=l1");
	for (int i = 0; i < WAIT_MS / 10; i++, pause_ms(10))
		if (rig_engine_fds(&rig) == engine_fds && rig_keeper_fds(&rig) == keeper_fds)
			break;
	assert_int_equal(rig_engine_fds(&rig), engine_fds);
	assert_int_equal(rig_keeper_fds(&rig), keeper_fds);
	assert_int_equal(rig_count(&rig, "ev=session_open link=l1"), sessions);
	assert_int_equal(rig_count(&rig, "ev=session_close link=l1"), sessions);
}

/* No slot, and no session of the link, more than CROWD and the quiet one: 101 slots for each worker. */
static void begin(void)
{
	static const struct rig_options options = {
		.daemon = "workers = 2; max_sessions = 202; drain_timeout = \"2s\";",
	};
	static const char keys[] = "max_sessions = 200; max_per_ip = 200; login_timeout = \"2s\"; "
		"linger_timeout = \"2s\"; half_close_timeout = \"2s\";";
	const struct rig_link links[] = {
		{ .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1, .keys = keys },
		{ .protocol = "smpp", .upstream = &quiet_port, .upstream_count = 1 },
	};

	gateway = peer_listen(&gateway_port, CROWD);
	quiet_gateway = peer_listen(&quiet_port, 1);
	rig_start(&rig, &options, links, 2);
	rig_await_ready(&rig);
	keeper_fds = rig_keeper_fds(&rig) + 2; /* with those of the session, which it gets in its own time */
	quiet = pair_login(&rig, 1, quiet_gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login link=l2");
	engine_fds = rig_engine_fds(&rig);
	ping_count = 0;
}

static void end(void)
{
	peer_expect_silence(quiet.sp, TIMEOUT_MS + 500);
	(void)pair_ping(quiet, SIM_SMPP);
	rig_stop(&rig);
}

/* 20 a second, each kind in turn. */
static void flaps(void **state)
{
	enum { FLAPS = 140, EVERY_US = 50000 };
	uint64_t due = now_us(), p99;

	(void)state;
	begin();
	for (int i = 0; i < FLAPS; i++) {
		int kind = i % KINDS;
		struct pair p = come(kind);

		ping();
		go(p, kind);
		ping();
		expect_gone(p, kind);
		for (due += EVERY_US; now_us() < due; pause_ms(1))
			ping();
	}
	p99 = pings_p99();
	print_message("p99 of a quiet link: %lu us\n", (unsigned long)p99);
	assert_in_range(p99, 0, BOUND_P99_US);
	expect_nothing_left(FLAPS);
	end();
}

/* As many as the link may have come, and go in one turn of the loop; and then as many come again. */
static void all_at_once(void **state)
{
	enum { ROUNDS = 3, TURNS = 4 };
	static const int kinds[ROUNDS][TURNS] = {
		{ SP_CLOSES, SP_CLOSES, SP_CLOSES, SP_CLOSES },
		{ GW_RESETS, GW_RESETS, GW_RESETS, GW_RESETS },
		{ SP_CLOSES, GW_CLOSES, SP_RESETS, GW_RESETS },
	};
	static struct pair p[CROWD];
	uint64_t first, p99;

	(void)state;
	begin();
	for (int round = 0; round < ROUNDS; round++) {
		int more;

		for (int i = 0; i < CROWD; i++)
			p[i] = come(kinds[round][i % TURNS]);
		more = peer_dial(rig.port[0]);
		assert_true(peer_ended(more, WAIT_MS));
		peer_close(more);
		rig_freeze(&rig);
		for (int i = 0; i < CROWD; i++)
			go(p[i], kinds[round][i % TURNS]);
		rig_thaw(&rig);
		first = pair_ping(quiet, SIM_SMPP);
		p99 = pair_p99(quiet, SIM_SMPP, 500);
		print_message("a quiet link: at once %lu us, then p99 %lu us\n", (unsigned long)first,
			(unsigned long)p99);
		assert_in_range(p99, 0, BOUND_P99_US);
		for (int i = 0; i < CROWD; i++)
			expect_gone(p[i], kinds[round][i % TURNS]);
		expect_nothing_left((size_t)CROWD * (size_t)(round + 1));
	}
	end();
}

static int load_login(void **state)
{
	(void)state;
	login_len = hex_load("smpp-bind_transceiver-1", login, sizeof login);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(flaps, rig_sweep),
		cmocka_unit_test_teardown(all_at_once, rig_sweep),
	};

	return cmocka_run_group_tests(tests, load_login, NULL);
}
