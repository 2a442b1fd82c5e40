#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/*
 * Submit, response and reports as one story: over connections, links and engines, in any order, with
 * ids in another base; and what is said of those that never hear anything.
 */

static const char subscriber[] = "13812345678";

static struct rig rig;
static int gateway, gateway_port;

static void (*before)(void); /* in the process that becomes the daemon */

static void begin(const char *protocol, const char *keys, const char *daemon, int count)
{
	struct rig_options o = { .daemon = daemon, .before = before };
	struct rig_link links[2];

	gateway = peer_listen(&gateway_port, 64);
	for (int i = 0; i < count; i++)
		links[i] = (struct rig_link){ .protocol = protocol, .upstream = &gateway_port,
			.upstream_count = 1, .keys = keys };
	rig_start(&rig, &o, links, count);
}

/* Passes it through, whichever way. */
static void pass(int from, int to, enum sim_proto proto, const struct sim_pdu *pdu)
{
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu seen;

	peer_send_pdu(from, proto, pdu);
	peer_read_pdu(to, proto, octets, &seen);
	assert_int_equal(seen.seq, pdu->seq);
}

static void submit(struct pair p, enum sim_proto proto, uint32_t seq, const char *dst)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT, .seq = seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text(dst), .body = sim_text("hello"),
		.registered = true };

	pass(p.sp, p.gw, proto, &ask);
}

static void answer(struct pair p, enum sim_proto proto, uint32_t seq, struct sim_text id)
{
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .msgid = id };

	pass(p.gw, p.sp, proto, &answer);
}

static void report(struct pair p, enum sim_proto proto, uint32_t seq, struct sim_text id,
	const char *dst, const char *stat)
{
	struct sim_pdu deliver = { .what = SIM_DELIVER, .seq = seq, .src = sim_text(dst),
		.dst = sim_text("10690001"), .registered = true, .msgid = id,
		.stat = sim_text(stat), .err = sim_text("000"),
		.submit_time = sim_text("2611300100"), .done_time = sim_text("2611300101"),
		.receipt = SIM_RECEIPT_TEXT };
	struct sim_pdu ok = { .what = SIM_DELIVER_RESP, .seq = seq, .msgid = id };

	pass(p.gw, p.sp, proto, &deliver);
	pass(p.sp, p.gw, proto, &ok);
}

static long long number_of(const json_t *record, const char *key)
{
	return json_integer_value(json_object_get(record, key));
}

/*
 * Two connections; each report comes on the other one, before the response, in hexadecimal where the
 * response is decimal.
 */
static void the_hardest_way(void **state)
{
	enum { COUNT = 60 };
	struct pair p[2];
	char dst[16], hex[16], dec[16];
	long long sess[2];

	(void)state;
	begin("smpp", NULL, NULL, 1);
	for (int i = 0; i < 2; i++) {
		size_t from = json_array_size(rig.records);

		p[i] = pair_login(&rig, 0, gateway, SIM_SMPP);
		sess[i] = number_of(rig_await(&rig, from, NULL, "ev=login"), "sess");
	}
	for (unsigned i = 0; i < COUNT; i++) {
		struct pair *on = &p[i % 2], *other = &p[(i + 1) % 2];
		const json_t *submitted, *responded, *reported;

		snprintf(dst, sizeof(dst), "138%08u", i * 7919);
		snprintf(hex, sizeof(hex), "%08X", 0x05e208f0 + i);
		snprintf(dec, sizeof(dec), "%u", 0x05e208f0 + i);
		submit(*on, SIM_SMPP, 100 + i, dst);
		report(*other, SIM_SMPP, 200 + i, sim_text(hex), dst, "DELIVRD");
		/* The scribe sees two rings and has had the time to look. */
		if (i % 10 == 0)
			pause_ms(30);
		answer(*on, SIM_SMPP, 100 + i, sim_text(dec));
		submitted = rig_await(&rig, 0, NULL, "ev=submit seq=%u", 100 + i);
		responded = rig_await(&rig, 0, NULL, "ev=submit_resp seq=%u", 100 + i);
		reported = rig_await(&rig, 0, NULL,
			"ev=report seq=%u match=hex_dec early=true final=true resp_id=%s "
			"sess=%lld submit_sess=%lld",
			200 + i, dec, sess[(i + 1) % 2], sess[i % 2]);
		assert_true(number_of(reported, "story") > 0);
		assert_int_equal(number_of(submitted, "story"), number_of(reported, "story"));
		assert_int_equal(number_of(responded, "story"), number_of(reported, "story"));
	}
	assert_int_equal(rig_count(&rig, "ev=report"), COUNT);
	assert_int_equal(rig_count(&rig, "ev=report match=hex_dec"), COUNT);
	rig_await(&rig, 0, NULL, "ev=id_rule link=l1 how=dec→hex matched=20 reports=20");
	assert_int_equal(rig_count(&rig, "ev=id_rule"), 1);
	pair_close(p[0]);
	pair_close(p[1]);
	rig_stop(&rig);
}

static void every_label(void **state)
{
	struct sim_text id = { "MID00042", 8 };
	struct pair p;

	(void)state;
	begin("cmpp", "report_late = \"1s\";", NULL, 1);
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	submit(p, SIM_CMPP2, 42, subscriber);
	answer(p, SIM_CMPP2, 42, id);
	report(p, SIM_CMPP2, 1, id, subscriber, "ACCEPTD");
	rig_await(&rig, 0, NULL, "ev=report seq=1 match=exact interim=true");
	report(p, SIM_CMPP2, 2, id, subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report seq=2 match=exact final=true nth=2");
	report(p, SIM_CMPP2, 3, id, subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report seq=3 match=exact duplicate=true nth=3");
	pause_ms(1100);
	report(p, SIM_CMPP2, 4, id, "13900000000", "DELIVRD");
	assert_true(number_of(rig_await(&rig, 0, NULL, "ev=report seq=4 late=true dst_differs=true"),
			    "after_ms") >= 1100);
	id.p = "MID00043";
	report(p, SIM_CMPP2, 5, id, subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report seq=5 match=none");
	assert_int_equal(rig_count(&rig, "ev=report late=true"), 1);
	assert_int_equal(rig_count(&rig, "ev=report duplicate=true"), 2);
	assert_int_equal(rig_count(&rig, "ev=report early=true"), 0);
	pair_close(p);
	rig_stop(&rig);
}

/* X7: another link of the account, another engine; the account of another link sees nothing. */
static void other_links_and_engines(void **state)
{
	struct pair p;

	(void)state;
	begin("smpp", "account = \"acme\";", NULL, 2);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(p, SIM_SMPP, 1, subscriber);
	answer(p, SIM_SMPP, 1, sim_text("id-1"));
	submit(p, SIM_SMPP, 2, subscriber);
	answer(p, SIM_SMPP, 2, sim_text("id-2"));
	pair_close(p);
	p = pair_login(&rig, 1, gateway, SIM_SMPP);
	report(p, SIM_SMPP, 1, sim_text("ID-1"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report link=l2 match=case resp_id=id-1");
	rig_kill_engine(&rig);
	(void)pair_ping(p, SIM_SMPP); /* the session goes on */
	pair_close(p);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	report(p, SIM_SMPP, 3, sim_text("id-2"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report link=l1 seq=3 match=exact final=true");
	report(p, SIM_SMPP, 4, sim_text("id-1"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report link=l1 seq=4 match=exact duplicate=true");
	pair_close(p);
	rig_stop(&rig);
}

static void accounts_are_apart(void **state)
{
	struct pair p;

	(void)state;
	begin("smpp", NULL, NULL, 2);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(p, SIM_SMPP, 1, subscriber);
	answer(p, SIM_SMPP, 1, sim_text("77"));
	pair_close(p);
	p = pair_login(&rig, 1, gateway, SIM_SMPP);
	report(p, SIM_SMPP, 1, sim_text("77"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report link=l2 match=none");
	pair_close(p);
	rig_stop(&rig);
}

/* A submit, then a keepalive that nobody answers: each is told, and the end says what it was. */
static void nothing_comes_back(void **state)
{
	struct sim_pdu test = { .what = SIM_TEST, .seq = 9 };
	struct pair p;

	(void)state;
	begin("cmpp", "profile = \"infox\"; answer_timeout = \"400ms\"; probe_timeout = \"600ms\";",
		NULL, 1);
	p = pair_login(&rig, 0, gateway, SIM_CMPP3);
	submit(p, SIM_CMPP3, 8, subscriber);
	pass(p.sp, p.gw, SIM_CMPP3, &test);
	rig_await(&rig, 0, NULL, "ev=stall seq=8 reason=unanswered pdu=CMPP_SUBMIT from=sp dst=138****5678");
	rig_await(&rig, 0, NULL, "ev=stall seq=9 reason=unanswered pdu=CMPP_ACTIVE_TEST from=sp");
	pause_ms(1500);
	assert_int_equal(rig_count(&rig, "ev=stall"), 2);
	peer_reset(p.sp);
	rig_await(&rig, 0, NULL,
		"ev=session_close by=sp how=reset unanswered=2 hint=19003 hint_zh=握手超时 "
		"error~ECONNRESET error_zh=连接被对端复位 sp_last=CMPP_ACTIVE_TEST");
	peer_close(p.gw);
	rig_stop(&rig);
}

static void no_report_in_time(void **state)
{
	struct pair p;

	(void)state;
	begin("smpp", NULL, "story_age = \"1s\";", 1);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(p, SIM_SMPP, 1, subscriber);
	answer(p, SIM_SMPP, 1, sim_text("id-1"));
	submit(p, SIM_SMPP, 2, subscriber);
	answer(p, SIM_SMPP, 2, sim_text("id-2"));
	report(p, SIM_SMPP, 1, sim_text("id-2"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=no_report link=l1 msgid=id-1 reason=age dst=138****5678");
	report(p, SIM_SMPP, 2, sim_text("id-1"), subscriber, "DELIVRD");
	rig_await(&rig, 0, NULL, "ev=report seq=2 match=none");
	assert_int_equal(rig_count(&rig, "ev=no_report"), 1);
	pair_close(p);
	rig_stop(&rig);
}

/* P18: the table of what waits is bounded, and nothing waits for it. */
static void a_hundred_thousand_unanswered(void **state)
{
	enum { COUNT = 100000, A_TIME = 500 };
	struct sim_pdu ask = { .what = SIM_SUBMIT, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text(subscriber), .body = sim_text("x") };
	uint8_t *octets = malloc((size_t)A_TIME * SIM_PDU_MAX);
	struct pair p;
	long kib = 0;

	(void)state;
	begin("smpp", NULL, NULL, 1);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	for (int i = 0; i < COUNT / A_TIME; i++) {
		struct flow f = { .from = p.sp, .to = p.gw, .p = octets };

		for (int k = 0; k < A_TIME; k++) {
			ask.seq = (uint32_t)(i * A_TIME + k + 10);
			f.n += sim_build(SIM_SMPP, &ask, octets + f.n);
		}
		flows_run(&f, 1, 1);
		if (i == 20)
			kib = rig_engine_kib(&rig, true);
	}
#ifndef __SANITIZE_THREAD__ /* which takes several times what a program takes */
	/* A ring and the queue of a log that is behind, twice over. */
	assert_in_range(rig_engine_kib(&rig, true) - kib, 0, 32 * 1024);
#else
	(void)kib;
#endif
	(void)pair_ping(p, SIM_SMPP);
	pair_close(p);
	/* The log is behind by as much as a ring holds. */
	for (int i = 0; i < 60 && rig_count(&rig, "ev=session_close") == 0; i++)
		pause_ms(1000);
	assert_true(number_of(rig_await(&rig, 0, NULL, "ev=session_close unanswered=256"),
			    "forgotten") > 0);
	free(octets);
	rig_stop(&rig);
}

/* The programs started from here on have a monotonic clock that is eleven days ahead. */
static bool clock_ahead(void)
{
	static const char ahead[] = "monotonic 1000000 0";
	int fd;
	bool done;

	if (unshare(CLONE_NEWTIME) < 0)
		return false;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	done = fd >= 0 && write(fd, ahead, sizeof(ahead) - 1) == (ssize_t)sizeof(ahead) - 1;
	close(fd);
	return done;
}

static void set_clock_ahead(void)
{
	if (!clock_ahead())
		_exit(125);
}

static bool may_set_clock(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(clock_ahead() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* X2: a monotonic clock far from the one that this program has, as after another boot. */
static void another_monotonic_clock(void **state)
{
	struct pair p;

	(void)state;
	if (!may_set_clock())
		skip();
	before = set_clock_ahead;
	begin("smpp", NULL, NULL, 1);
	before = NULL;
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	submit(p, SIM_SMPP, 1, subscriber);
	pause_ms(50);
	answer(p, SIM_SMPP, 1, sim_text("id-1"));
	report(p, SIM_SMPP, 1, sim_text("id-1"), subscriber, "DELIVRD");
	assert_in_range(number_of(rig_await(&rig, 0, NULL, "ev=report match=exact"), "after_ms"), 50,
		5000);
	rig_kill_engine(&rig);
	pair_close(p);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	report(p, SIM_SMPP, 2, sim_text("id-1"), subscriber, "DELIVRD");
	assert_in_range(number_of(rig_await(&rig, 0, NULL, "ev=report duplicate=true"), "after_ms"), 50,
		20000);
	pair_close(p);
	rig_stop(&rig);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, rig_sweep)
	const struct CMUnitTest tests[] = {
		TEST(the_hardest_way),
		TEST(every_label),
		TEST(other_links_and_engines),
		TEST(accounts_are_apart),
		TEST(another_monotonic_clock),
		TEST(nothing_comes_back),
		TEST(no_report_in_time),
		TEST(a_hundred_thousand_unanswered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
