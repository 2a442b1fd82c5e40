#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch_rig.h"
#include "tls_peer.h"

/*
 * Sessions that stay in older engines take part in what the newest one counts: limits of links, sessions of a server,
 * slots of the session table. Row C5 of the fault list.
 */

enum { LINKS = 3, EACH = 2, MOST = 8 };

static struct rig rig;
static int gateway, gateway_port;
static struct rig_link links[LINKS];
static char keys[LINKS][256];
static struct rig_options options;

/* Links of SMPP with TLS, each with keys of its own. */
static void begin(const char *daemon, const char *const *more, int count)
{
	gateway = peer_listen(&gateway_port, 64);
	options = (struct rig_options){ .daemon = daemon, .control = true };
	for (int i = 0; i < count; i++) {
		snprintf(keys[i], sizeof keys[i], "tls_certificate = \"%s\"; %s", kit.server_file, more[i]);
		links[i] = (struct rig_link){ .protocol = "smpp", .upstream = &gateway_port,
			.upstream_count = 1, .keys = keys[i] };
	}
	rig_start(&rig, &options, links, count);
	for (int i = 0; i < count; i++)
		links[i].port = rig.port[i];
	rig_await_ready(&rig);
}

static void reload(int count, int older)
{
	size_t said = said_now(&rig), n = strlen(keys[0]);
	char *more = strstr(keys[0], " show_text = true;");

	if (more != NULL)
		*more = '\0';
	else
		snprintf(keys[0] + n, sizeof keys[0] - n, " show_text = true;");
	rig_configure(&rig, &options, links, count);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload done");
	await_engine(&rig, older);
}

static struct pair log_in(int link)
{
	return pair_login_over(tls_dial(rig.port[link], kit.sp, "smscope.test"), gateway, SIM_SMPP);
}

static void leave(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

/* Turned away where it connects. */
static void expect_closed(int link)
{
	int sp = peer_dial(rig.port[link]);

	assert_true(peer_ended(sp, WAIT_MS));
	peer_close(sp);
}

/* Its login is answered with another status than 0. */
static void expect_refused(int link)
{
	int sp = tls_dial(rig.port[link], kit.sp, "smscope.test");
	struct sim_pdu pdu = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("01234567") };
	uint8_t octets[SIM_PDU_MAX];

	peer_send_pdu(sp, SIM_SMPP, &pdu);
	peer_read_pdu(sp, SIM_SMPP, octets, &pdu);
	assert_int_equal(pdu.what, SIM_LOGIN_RESP);
	assert_int_not_equal(pdu.status, 0);
	peer_expect_end(sp);
	peer_close(sp);
}

/* How many sessions the link's server has, as status has it. */
static int on_server(int link)
{
	char *text = rig_ctl(&rig, "--json status", 0);
	json_t *all = json_loads(text, 0, NULL), *one = json_array_get(json_object_get(all, "links"), (size_t)link);
	json_t *server = json_array_get(json_object_get(one, "servers"), 0);
	int n = (int)json_integer_value(json_object_get(server, "sessions"));

	assert_non_null(server);
	json_decref(all);
	free(text);
	return n;
}

static void await_on_server(int link, int want)
{
	int have = -1;

	for (uint64_t end = now_us() + WAIT_MS * 1000u; now_us() < end; pause_ms(50)) {
		have = on_server(link);
		if (have == want)
			return;
	}
	assert_int_equal(have, want);
}

/* Behind two reloads, while some end and others come. */
static void limits(void **state)
{
	static const char *const each[LINKS] = { "max_sessions = 2;", "max_per_ip = 2;", "max_per_account = 2;" };
	static void (*const expect_full[LINKS])(int) = { expect_closed, expect_closed, expect_refused };
	struct pair p[LINKS][EACH];

	(void)state;
	begin("workers = 2;", each, LINKS);
	for (int i = 0; i < LINKS; i++)
		for (int k = 0; k < EACH; k++)
			p[i][k] = log_in(i);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LINKS; i++) {
			assert_int_equal(on_server(i), EACH);
			expect_full[i](i);
		}
		reload(LINKS, round + 1);
		for (int i = 0; i < LINKS; i++) {
			await_on_server(i, EACH);
			expect_full[i](i);
			leave(p[i][round]);
			await_on_server(i, EACH - 1);
			p[i][round] = log_in(i);
			expect_full[i](i);
		}
	}
	for (int i = 0; i < LINKS; i++)
		for (int k = 0; k < EACH; k++)
			leave(p[i][k]);
	await_engine(&rig, 0);
	for (int i = 0; i < LINKS; i++)
		await_on_server(i, 0);
	for (int i = 0; i < LINKS; i++)
		leave(log_in(i));
	rig_stop(&rig);
}

/* Who logs in only when its engine is an older one counts from then on. */
static void later_login(void **state)
{
	static const char *const each[] = { "max_per_account = 1;" };
	struct pair p;
	int sp;

	(void)state;
	begin("workers = 1;", each, 1);
	sp = tls_dial(rig.port[0], kit.sp, "smscope.test");
	rig_await(&rig, 0, NULL, "ev=session_open");
	reload(1, 1);
	p = pair_login_over(sp, gateway, SIM_SMPP);
	await_on_server(0, 1);
	expect_refused(0);
	leave(p);
	await_on_server(0, 0);
	leave(log_in(0));
	rig_stop(&rig);
}

/* An older engine has all of one worker's slots: the other one's are still there. */
static void slots(void **state)
{
	static const char *const each[] = { "" };
	struct pair p[MOST], later[MOST / 2];

	(void)state;
	begin("workers = 2; max_sessions = 8;", each, 1);
	for (int i = 0; i < MOST; i++)
		p[i] = log_in(0);
	expect_closed(0);
	for (int i = 1; i < MOST; i += 2)
		leave(p[i]);
	reload(1, 1);
	await_on_server(0, MOST / 2);
	for (int i = 0; i < MOST / 2; i++)
		later[i] = log_in(0);
	expect_closed(0);
	rig_await(&rig, 0, NULL, "ev=refused reason=max_sessions");
	/* What ends in the older engine makes room in the newest. */
	for (int i = 0; i < MOST; i += 2)
		leave(p[i]);
	await_engine(&rig, 0);
	await_on_server(0, MOST / 2);
	for (int i = 0; i < MOST; i += 2)
		p[i] = log_in(0);
	expect_closed(0);
	for (int i = 0; i < MOST / 2; i++) {
		leave(p[2 * i]);
		leave(later[i]);
	}
	rig_stop(&rig);
}

/* Fewer sessions than workers. */
static void one_slot(void **state)
{
	static const char *const each[] = { "" };

	(void)state;
	begin("workers = 2; max_sessions = 1;", each, 1);
	for (int i = 0; i < 3; i++) {
		struct pair p = log_in(0);

		expect_closed(0);
		leave(p);
		await_on_server(0, 0);
	}
	rig_stop(&rig);
}

static int sweep(void **state)
{
	int code = rig_sweep(state);

	tls_sweep();
	return code;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(limits, sweep),
		cmocka_unit_test_teardown(later_login, sweep),
		cmocka_unit_test_teardown(slots, sweep),
		cmocka_unit_test_teardown(one_slot, sweep),
	};

	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
