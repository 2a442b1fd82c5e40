#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

/* Rows R1, R2, R3 and R8 of the fault list: no descriptor is left, no memory for a send; many idle sessions. */

enum { CALLERS = 200, WATCH_MS = 3000 };

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

/*
 * R2 in part: a log is to be reopened and no descriptor is left: the old file is used on, and the new one as
 * soon as it can be; no record is lost.
 */
static void none_for_the_log(void **state)
{
	static const struct rig_options few = { .nofile = 96,
		.daemon = "max_sessions = 1000; drain_timeout = \"2s\";" };
	int port, gateway = peer_listen(&port, 64), sp[CALLERS];
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
		.keys = "login_timeout = \"60s\"; max_sessions = 1000; max_per_ip = 1000;" };
	struct sim_pdu submit = { .what = SIM_SUBMIT, .seq = 1, .dst = sim_text("13800138000") };
	char moved[160], *text;
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;

	(void)state;
	rig_start(&rig, &few, &link, 1);
	snprintf(moved, sizeof moved, "%s/log.txt", rig.dir);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login");
	for (int i = 0; i < CALLERS; i++)
		sp[i] = peer_dial(rig.port[0]);
	pause_ms(1000);
	assert_int_equal(rename(rig.log_path, moved), 0);
	kill(rig.pid, SIGUSR1);
	pause_ms(500);
	for (; submit.seq <= 20; submit.seq++) {
		size_t n = sim_build(SIM_SMPP, &submit, octets);

		peer_send(p.sp, octets, n);
		peer_expect(p.gw, octets, n);
	}
	for (int i = 0; i < WAIT_MS / 10; i++, pause_ms(10)) {
		text = rig_file(&rig, moved, NULL);
		if (strstr(text, "\"seq\":20,"))
			break;
		free(text);
		text = NULL;
	}
	assert_non_null(text); /* the old file was used on */
	free(text);
	assert_int_not_equal(access(rig.log_path, F_OK), 0);
	for (int i = 0; i < CALLERS; i++)
		peer_close(sp[i]);
	for (int i = 0; i < WAIT_MS / 10 && access(rig.log_path, F_OK); i++)
		pause_ms(10);
	rig.log_at = 0; /* of the new file */
	peer_send(p.sp, octets, sim_build(SIM_SMPP, &submit, octets));
	rig_await(&rig, 0, NULL, "ev=submit seq=21");
	assert_int_equal(rig_count(&rig, "ev=lost"), 0);
	text = rig_file(&rig, rig.err_path, NULL);
	assert_non_null(strstr(text, "cannot be reopened"));
	free(text);
	unlink(moved);
	peers_sweep();
	rig_stop(&rig);
}

enum { NO_ROOM_LEN = 777 };

/* From here on a send of NO_ROOM_LEN octets finds no memory, in this process and those it becomes. */
static void no_room(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendto, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NO_ROOM_LEN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOBUFS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof rules / sizeof *rules, rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		|| prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(125);
}

/* R3 in part: a send that fails although the connection stands. That session ends, for both, and no other. */
static void no_memory_to_send(void **state)
{
	static const struct rig_options options = { .before = no_room };
	int port, gateway = peer_listen(&port, 64);
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1 };
	uint8_t octets[NO_ROOM_LEN];
	struct pair other;

	(void)state;
	pdu_make(SIM_SMPP, 9, sizeof octets, octets);
	rig_start(&rig, &options, &link, 1);
	other = pair_login(&rig, 0, gateway, SIM_SMPP);
	for (int way = 0; way < 2; way++) {
		struct pair p = pair_login(&rig, 0, gateway, SIM_SMPP);

		peer_send(way ? p.gw : p.sp, octets, sizeof octets);
		peer_expect_end(p.sp);
		peer_expect_end(p.gw);
		peer_close(p.sp);
		peer_close(p.gw);
		rig_await_count(&rig, (size_t)way + 1, "ev=session_close *~ENOBUFS");
		pair_ping(other, SIM_SMPP);
	}
	peers_sweep();
	rig_stop(&rig);
}

/*
 * R8: five thousand sessions that say nothing, if so many descriptors may be had: they cost next to no
 * time and no memory to speak of, and each of them is there when it is spoken to. How much memory beside
 * haproxy: tests/bench/tls idle.
 */
static void many_idle(void **state)
{
	enum { MOST = 5000, OWN = 200, LOOK_MS = 3000 };
	static struct pair all[MOST];
	struct rig_link link = { .protocol = "smpp", .upstream_count = 1,
		.keys = "max_sessions = 10000; max_per_ip = 10000; probe_timeout = \"0s\";" };
	struct rlimit files;
	int port, gateway = peer_listen(&port, 128), count = MOST;
	long kib, cpu;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < 2 * MOST + OWN)
		count = (int)(files.rlim_cur - OWN) / 2;
	link.upstream = &port;
	rig_start(&rig, NULL, &link, 1);
	for (int i = 0; i < 100; i++)
		all[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	kib = rig_engine_kib(&rig, false);
	for (int i = 100; i < count; i++)
		all[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
	rig_await_count(&rig, (size_t)count, "ev=login");
	pause_ms(2000);
	kib = rig_engine_kib(&rig, false) - kib;
	cpu = rig_engine_cpu_ms(&rig);
	pause_ms(LOOK_MS);
	cpu = rig_engine_cpu_ms(&rig) - cpu;
	print_message("%d idle sessions: %ld KiB more, %ld ms of processor in %d ms\n", count, kib, cpu,
		LOOK_MS);
	assert_in_range(cpu, 0, LOOK_MS / 5);
	assert_in_range(kib / count, 0, 32); /* the address sanitizer's included */
	for (int i = 0; i < count; i += 7)
		(void)pair_ping(all[i], SIM_SMPP);
	for (int i = 0; i < count; i++) {
		peer_close(all[i].sp);
		peer_close(all[i].gw);
	}
	rig_await_count(&rig, (size_t)count, "ev=session_close");
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_descriptors, rig_sweep),
		cmocka_unit_test_teardown(none_for_the_gateway, rig_sweep),
		cmocka_unit_test_teardown(none_for_the_log, rig_sweep),
		cmocka_unit_test_teardown(no_memory_to_send, rig_sweep),
		cmocka_unit_test_teardown(many_idle, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
