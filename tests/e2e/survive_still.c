#include <signal.h>
#include <sys/resource.h>

#include "harness.h"

/*
 * Other deaths than by SIGKILL: of a fault, which makes suspect what was in hand, and of standing still, which
 * the keeper ends. Sessions go on.
 */

static struct rig rig;
static int gateway, gateway_port;

static void no_core(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static struct pair begin(enum sim_proto proto)
{
	static const struct rig_options options = { .faults = true, .before = no_core };
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &gateway_port, .upstream_count = 1 };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
	return pair_login(&rig, 0, gateway, proto);
}

static void end(struct pair p)
{
	peer_close(p.sp);
	peer_expect_end(p.gw);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close sess=1 by=sp how=fin");
	assert_int_equal(rig_count(&rig, "ev=session_close"), 1);
	assert_int_equal(rig_count(&rig, "ev=session_open"), 1);
	assert_int_equal(rig_count(&rig, "ev=blind"), 0);
	rig_stop(&rig);
}

static void by_a_fault(void **state)
{
	static const int signals[] = { SIGSEGV, SIGABRT, SIGSEGV, SIGABRT };
	struct pair p = begin(SIM_CMPP2);

	(void)state;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		pair_exchange(p, SIM_CMPP2, (uint32_t)i);
		rig_engine_dies(&rig, signals[i]);
	}
	pair_exchange(p, SIM_CMPP2, 9);
	end(p);
}

/* Octets on their way wait as long as it takes: nothing is lost, and nothing ends. */
static void by_standing_still(void **state)
{
	enum { LEN = 700 };
	uint8_t octets[LEN];
	struct pair p = begin(SIM_SMPP);
	pid_t first;

	(void)state;
	pair_exchange(p, SIM_SMPP, 1);
	first = rig.engine;
	assert_int_equal(kill(first, SIGSTOP), 0);
	pdu_make(SIM_SMPP, 1, LEN, octets);
	peer_send(p.sp, octets, LEN);
	peer_send(p.gw, octets, LEN);
	rig_await_engine(&rig, first, 40000);
	peer_expect(p.gw, octets, LEN);
	peer_expect(p.sp, octets, LEN);
	pair_exchange(p, SIM_SMPP, 2);
	end(p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, rig_sweep)
	const struct CMUnitTest tests[] = {
		TEST(by_a_fault),
		TEST(by_standing_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
