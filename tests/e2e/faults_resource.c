#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/* Row R1 of the fault list: no descriptor is left when the next connection knocks. */

enum { CALLERS = 200, WATCH_MS = 3000, BOUND_P99_US = 100000 };

static struct rig rig;

/* Lines on standard error that name the cause. */
static int complaints(void)
{
	char *text = rig_file(&rig, rig.err_path, NULL), *line, *at = text;
	int count = 0;

	while ((line = strsep(&at, "\n")))
		count += strstr(line, "descriptor") || strstr(line, "open files")
			|| strstr(line, "EMFILE");
	free(text);
	return count;
}

static void no_descriptors(void **state)
{
	static const struct rig_options few = { .nofile = 96,
		.daemon = "max_sessions = 1000; drain_timeout = \"2s\";" };
	int port, gateway = peer_listen(&port, 64), sp[CALLERS], before;
	struct rig_link link = { .protocol = "smpp",
		.upstream = &port,
		.upstream_count = 1,
		.keys = "login_timeout = \"60s\"; max_sessions = 1000; max_per_ip = 1000;" };
	struct pair p, q;
	uint64_t p99;
	long cpu;

	(void)state;
	rig_start(&rig, &few, &link, 1);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login"); /* codes are loaded, the log is open */
	before = complaints();
	for (int i = 0; i < CALLERS; i++)
		sp[i] = peer_dial(rig.port[0]);
	pause_ms(300);
	cpu = rig_engine_cpu_ms(&rig);
	pause_ms(WATCH_MS);
	cpu = rig_engine_cpu_ms(&rig) - cpu;
	p99 = pair_p99(p, SIM_SMPP, 1000);
	print_message("at the limit: %ld ms of processor in %d ms, p99 of a bound session %lu us, "
		      "%d descriptors\n",
		cpu, WATCH_MS, (unsigned long)p99, rig_engine_fds(&rig));
	assert_in_range(cpu, 0, WATCH_MS / 10);
	assert_in_range(p99, 0, BOUND_P99_US);
	assert_in_range(complaints() - before, 1, 2);
	for (int i = 0; i < CALLERS; i++)
		peer_close(sp[i]);
	pause_ms(1000);
	q = pair_login(&rig, 0, gateway, SIM_SMPP);
	pair_ping(q, SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	peer_close(p.sp);
	peer_close(p.gw);
	peer_close(q.sp);
	peer_close(q.gw);
	rig_stop(&rig);
}

/*
 * R2 in part: the SP's connection took the last descriptor, none is left for the gateway:
 * answered, not dropped.
 */
static void none_for_the_gateway(void **state)
{
	static const struct rig_options few = { .nofile = 96,
		.daemon = "max_sessions = 1000; drain_timeout = \"2s\";" };
	int port, gateway = peer_listen(&port, 64), sp[CALLERS], answered = 0;
	struct rig_link link = { .protocol = "smpp",
		.upstream = &port,
		.upstream_count = 1,
		.keys = "login_timeout = \"60s\"; retry = \"1h\"; "
			"max_sessions = 1000; max_per_ip = 1000;" };
	uint8_t octets[2 * SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, SIM_PDU_MAX);
	struct pair p;

	(void)state;
	rig_start(&rig, &few, &link, 1);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login"); /* codes are loaded, the log is open */
	for (int i = 0; i < CALLERS; i++)
		sp[i] = peer_dial(rig.port[0]);
	pause_ms(500);
	for (int i = 0; i < CALLERS && !answered; i++) {
		struct sim_pdu answer;

		peer_send(sp[i], octets, n);
		if (!peer_has_caller(sp[i], 200))
			continue;
		peer_read_pdu(sp[i], SIM_SMPP, octets + n, &answer);
		assert_int_equal(answer.what, SIM_LOGIN_RESP);
		assert_int_not_equal(answer.status, 0);
		peer_expect_end(sp[i]);
		answered++;
	}
	assert_int_equal(answered, 1);
	pair_ping(p, SIM_SMPP);
	for (int i = 0; i < CALLERS; i++)
		peer_close(sp[i]);
	pause_ms(1000);
	pair_ping(pair_login(&rig, 0, gateway, SIM_SMPP), SIM_SMPP); /* no back-off */
	peers_sweep();
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_descriptors, rig_sweep),
		cmocka_unit_test_teardown(none_for_the_gateway, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
