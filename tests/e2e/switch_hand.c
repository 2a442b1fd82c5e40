#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/shm.h"
#include "smscope/proto.h"
#include "switch_rig.h"

/*
 * A PDU that a worker had in hand when its engine died of a fault, twice, is parsed no more. No PDU is known that
 * does this, so the test writes what a worker writes before it parses, into the same shared memory, and then the
 * engine dies of a signal.
 */

static struct rig rig;
static struct shm *shm;

static void shm_open_of(pid_t engine)
{
	char path[64], to[64];
	ssize_t n;
	int fd = -1;

	for (int i = 3; i < 8 && fd < 0; i++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)engine, i);
		n = readlink(path, to, sizeof to - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strncmp(to, "/memfd:", 7) == 0)
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	assert_true(fd >= 0);
	shm = shm_map(fd);
	assert_non_null(shm);
	close(fd);
}

static struct shm_flow *flow_of(enum side from)
{
	for (uint32_t i = 0; i < shm->session_max; i++)
		if (shm_session(shm, i)->id != 0)
			return &shm_session(shm, i)->flow[from];
	fail_msg("there is no session");
	return NULL;
}

/* As if the worker was at the PDU that comes next; then the engine ends so. */
static void die_with_in_hand(struct shm_flow *f, int number)
{
	pid_t before = rig.engine;

	f->hand_at = f->taken_at + 1;
	kill(before, number);
	for (int i = 0; i < 1000 && rig.engine == before; i++) {
		pid_t now;

		pause_ms(10);
		if (rig_children(&rig, &now, 1) == 1)
			rig.engine = now;
	}
	await_engine(&rig, 0);
	assert_int_not_equal(rig.engine, before);
}

static void ping_both(struct pair p)
{
	(void)pair_ping(p, SIM_SMPP);
	p = (struct pair){ p.gw, p.sp };
	(void)pair_ping(p, SIM_SMPP);
}

static void no_core(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static void twice_is_enough(void **state)
{
	int port, gateway = peer_listen(&port, 8);
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1 };
	struct rig_options o = { .before = no_core };
	struct pair p;
	struct shm_flow *f;
	uint64_t before;

	(void)state;
	rig_start(&rig, &o, &link, 1);
	rig_await_ready(&rig);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	ping_both(p);
	shm_open_of(rig.engine);
	f = flow_of(SIDE_GW);

	/* By a KILL, or once only, or at another PDU: that says nothing of the PDU. */
	die_with_in_hand(f, SIGKILL);
	die_with_in_hand(f, SIGKILL);
	assert_int_equal(f->blind, 0);
	die_with_in_hand(f, SIGABRT);
	assert_int_equal(f->blind, 0);
	before = f->taken_at;
	ping_both(p);
	for (int i = 0; i < 500 && f->taken_at == before; i++)
		pause_ms(10);
	die_with_in_hand(f, SIGABRT);
	assert_int_equal(f->blind, 0);
	assert_int_equal(rig_count(&rig, "ev=blind"), 0);

	die_with_in_hand(f, SIGABRT);
	assert_int_equal(f->blind, 1);
	assert_int_equal(flow_of(SIDE_SP)->blind, 0);
	rig_await(&rig, 0, NULL, "ev=blind from=gw reason=engine_died");
	traffic(p, SIM_SMPP, 200000);
	submit(p, SIM_SMPP, 900, 0, "900a");
	rig_await(&rig, 0, NULL, "ev=submit seq=900");
	assert_int_equal(rig_count(&rig, "ev=submit_resp seq=900"), 0);

	/* Other sessions see both ways. */
	peer_close(p.sp);
	peer_close(p.gw);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(p, SIM_SMPP, 901, 0, "901a");
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=901");
	shm_unmap(shm);
	peer_close(p.sp);
	peer_close(p.gw);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(twice_is_enough, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
