#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/* What rules do to the traffic of a link: the right octets change, all others stay, and both are told. */

static const char subscriber[] = "13812345678";

static const char rules[] =
	"profile = \"infox\"; rules = ("
	"  { name = \"states\"; action = \"map_stat\"; map = \"states\"; pdu = \"report\"; },"
	"  { name = \"flow\"; action = \"map_status\"; pdu = \"submit_resp\"; code = \"57\"; to = \"0x58\"; } );";

static struct rig rig;
static int gateway, gateway_port;

static void begin(const char *protocol, const char *keys)
{
	static const struct rig_options options = { .control = true };
	struct rig_link link = { .protocol = protocol, .upstream = &gateway_port, .upstream_count = 1,
		.keys = keys };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
	/* Rules are there when the code tables are. */
	rig_await_ready(&rig);
}

static struct sim_pdu report_of(uint32_t seq, const char *id, const char *stat)
{
	return (struct sim_pdu){ .what = SIM_DELIVER, .seq = seq, .src = sim_text(subscriber),
		.dst = sim_text("10690001"), .registered = true, .msgid = { id, 8 },
		.stat = sim_text(stat), .err = sim_text("000"), .submit_time = sim_text("2611300100"),
		.done_time = sim_text("2611300101"), .receipt = SIM_RECEIPT_TEXT };
}

static void pass(int from, int to, enum sim_proto proto, const struct sim_pdu *pdu, struct sim_pdu *ret,
	uint8_t octets[SIM_PDU_MAX])
{
	peer_send_pdu(from, proto, pdu);
	peer_read_pdu(to, proto, octets, ret);
	assert_int_equal(ret->seq, pdu->seq);
}

static bool is(struct sim_text t, const char *want)
{
	return t.n == strlen(want) && memcmp(t.p, want, t.n) == 0;
}

static void states_and_results(enum sim_proto proto)
{
	uint8_t octets[SIM_PDU_MAX], before[SIM_PDU_MAX];
	struct sim_pdu pdu, seen;
	struct pair p;
	size_t n;

	begin(proto == SIM_SMPP ? "smpp" : "cmpp", rules);
	p = pair_login(&rig, 0, gateway, proto);
	pdu = report_of(1, "MID00001", "MK:0010");
	n = sim_build(proto, &pdu, before);
	pass(p.gw, p.sp, proto, &pdu, &seen, octets);
	assert_true(is(seen.stat, "UNDELIV"));
	assert_true(is(seen.msgid, "MID00001"));
	rig_await(&rig, 0, NULL, "ev=report seq=1 code=MK:0010 rule=states was~MK:0010 now~UNDELIV");
	if (proto != SIM_SMPP) {
		/* Seven octets, and nothing else, are others. */
		uint8_t *at = memmem(before, n, "MK:0010", 7);

		assert_non_null(at);
		memcpy(at, "UNDELIV", 7);
		assert_memory_equal(octets, before, n);
	}
	/* What no rule touches is what it was. */
	pdu = report_of(2, "MID00002", "DELIVRD");
	n = sim_build(proto, &pdu, before);
	peer_send(p.gw, before, n);
	peer_expect(p.sp, before, n);
	pdu = (struct sim_pdu){ .what = SIM_SUBMIT, .seq = 7, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text(subscriber), .body = sim_text("hello") };
	pass(p.sp, p.gw, proto, &pdu, &seen, octets);
	pdu = (struct sim_pdu){ .what = SIM_SUBMIT_RESP, .seq = 7, .status = 57,
		.msgid = { "MID00007", 8 } };
	pass(p.gw, p.sp, proto, &pdu, &seen, octets);
	assert_int_equal(seen.status, 0x58);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=7 code=57 rule=flow was~57 now~88");
	assert_int_equal(rig_count(&rig, "*~\"rule\""), 2);
	pair_close(p);
	rig_stop(&rig);
}

static void reports_and_responses(void **state)
{
	(void)state;
	states_and_results(SIM_CMPP2);
	states_and_results(SIM_CMPP3);
	states_and_results(SIM_SMPP);
}

/*
 * Thousands of PDUs, every third with a state that changes its length, to a receiver that is slow and whose
 * buffers are small, so that edited ones stop half way, while the code tables are loaded again and again:
 * what arrives is exactly what was meant, in order.
 */
static void in_a_stream(void **state)
{
	enum { COUNT = 6000 };
	uint8_t *in = malloc((size_t)COUNT * 512), *out = malloc((size_t)COUNT * 512);
	struct pair p;
	size_t in_n = 0, out_n = 0, hup_at = 0;

	(void)state;
	begin("smpp", rules);
	p = pair_login_over(peer_dial_buffers(rig.port[0], 4096), gateway, SIM_SMPP);
	for (uint32_t i = 0; i < COUNT; i++) {
		char id[16];
		struct sim_pdu pdu;

		snprintf(id, sizeof(id), "%08X", i);
		pdu = report_of(i + 1, id, i % 3 == 0 ? "MK:0010" : "DELIVRD");
		in_n += sim_build(SIM_SMPP, &pdu, in + in_n);
		if (i % 3 == 0) {
			pdu.stat = sim_text("UNDELIV");
			pdu.err = sim_text("MK:0010");
		}
		out_n += sim_build(SIM_SMPP, &pdu, out + out_n);
	}
	for (size_t sent = 0, got = 0; got < out_n;) {
		static uint8_t seen[65536];
		size_t n;

		if (got >= hup_at) {
			kill(rig.pid, SIGHUP); /* rules over other tables take the place of these */
			hup_at += out_n / 8;
		}
		if (sent < in_n) {
			ssize_t k = send(p.gw, in + sent, in_n - sent < 3001 ? in_n - sent : 3001,
				MSG_DONTWAIT | MSG_NOSIGNAL);

			sent += k > 0 ? (size_t)k : 0;
		}
		n = peer_read(p.sp, seen, 700, sent < in_n ? 0 : 2000);
		assert_memory_equal(seen, out + got, n);
		assert_true(n > 0 || sent < in_n);
		got += n;
	}
	peer_expect_silence(p.sp, 100);
	assert_int_equal(rig_count(&rig, "ev=malformed"), 0);
	rig_await_count(&rig, COUNT / 3, "ev=report rule=states");
	pair_close(p);
	rig_stop(&rig);
	free(in);
	free(out);
}

/* A rule that only tells, and one that stands in the way. */
static void told_and_spared(void **state)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"spare\"; action = \"none\"; stop = true; dst = \"10690002\"; },"
		"  { name = \"try\"; action = \"map_stat\"; map = \"states\"; dry_run = true;"
		"    account = \"900001\"; },"
		"  { name = \"other\"; action = \"map_stat\"; to = \"DELIVRD\"; code = \"MK:*\";"
		"    account = \"900002\"; } );";
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = report_of(1, "MID00001", "MK:0010");
	struct pair p;
	size_t n;

	(void)state;
	begin("cmpp", keys);
	p = pair_login(&rig, 0, gateway, SIM_CMPP2);
	n = sim_build(SIM_CMPP2, &pdu, octets);
	peer_send(p.gw, octets, n);
	peer_expect(p.sp, octets, n);
	rig_await(&rig, 0, NULL, "ev=report seq=1 dry_run=true dry_rule=try dry_was~MK:0010 dry_now~UNDELIV");
	pair_close(p);
	rig_stop(&rig);
}

/*
 * What one rule may not change keeps no other from it; what only would be changed stands apart. And a response that has
 * no record of its own gets one.
 */
static void told_apart(void **state)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"ids\"; action = \"message_id\"; id_case = \"lower\"; pdu = \"report\"; },"
		"  { name = \"four\"; action = \"err_width\"; width = 4; dry_run = true; },"
		"  { name = \"heard\"; action = \"map_status\"; to = \"0x58\"; pdu = \"deliver_resp\"; code = \"0\"; } );";
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = report_of(1, "MID00001", "DELIVRD"), seen;
	struct pair p;
	char *told;

	(void)state;
	begin("smpp", keys);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	pdu.err = sim_text("53081");
	pass(p.gw, p.sp, SIM_SMPP, &pdu, &seen, octets);
	assert_true(is(seen.msgid, "mid00001"));
	rig_await(&rig, 0, NULL, "ev=report seq=1 rule=ids was~id=MID00001 now=id=mid00001 dry_rule=four dry_refused=width");
	pdu.seq = 2;
	pdu.err = sim_text("021");
	pass(p.gw, p.sp, SIM_SMPP, &pdu, &seen, octets);
	assert_true(is(seen.err, "021"));
	rig_await(&rig, 0, NULL, "ev=report seq=2 rule=ids now=id=mid00001 dry_run=true dry_was=err=021 dry_now=err=0021");
	pdu = (struct sim_pdu){ .what = SIM_DELIVER_RESP, .seq = 2 };
	pass(p.sp, p.gw, SIM_SMPP, &pdu, &seen, octets);
	assert_int_equal(seen.status, 0x58);
	rig_await(&rig, 0, NULL, "ev=deliver_resp seq=2 code=0 rule=heard was~0 now~88");
	told = rig_ctl(&rig, "metrics", 0);
	assert_non_null(strstr(told, "smscope_rewrites_total{link=\"l1\",rule=\"ids\"} 2\n"));
	assert_non_null(strstr(told, "smscope_rewrites_total{link=\"l1\",rule=\"four\"} 0\n"));
	assert_null(strstr(told, "reason=\"width\"} 1"));
	free(told);
	pair_close(p);
	rig_stop(&rig);
}

/* A submit to that number, answered with 57: what the SP is told. */
static uint32_t answer_to(struct pair p, enum sim_proto proto, uint32_t seq, const char *dst, bool asked)
{
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = { .what = SIM_SUBMIT, .seq = seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text(dst), .body = sim_text("hello") }, seen;

	if (!asked)
		pass(p.sp, p.gw, proto, &pdu, &seen, octets);
	pdu = (struct sim_pdu){ .what = SIM_SUBMIT_RESP, .seq = seq, .status = 57, .msgid = { "MID00007", 8 } };
	pass(p.gw, p.sp, proto, &pdu, &seen, octets);
	return seen.status;
}

/* A response says nothing of the number, its request did. */
static void by_the_number_of_the_request(enum sim_proto proto)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"theirs\"; action = \"map_status\"; to = \"8\"; code = \"57\"; dst = [ \"139\", \"8613900\" ]; } );";
	static const char theirs[] = "13900000001", others[] = "13800000001";
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = { .what = SIM_SUBMIT, .user = sim_text("900001"), .src = sim_text("10690001"),
		.body = sim_text("hello") }, seen;
	struct pair p;

	begin(proto == SIM_SMPP ? "smpp" : "cmpp", keys);
	p = pair_login(&rig, 0, gateway, proto);
	assert_int_equal(answer_to(p, proto, 100, theirs, false), 8);
	assert_int_equal(answer_to(p, proto, 101, others, false), 57);
	assert_int_equal(answer_to(p, proto, 100, others, false), 57);
	/* A window of them, answered from the last to the first. */
	for (pdu.seq = 200; pdu.seq < 264; pdu.seq++) {
		pdu.dst = pdu.seq % 3 == 0 ? sim_text(theirs) : sim_text(others);
		pass(p.sp, p.gw, proto, &pdu, &seen, octets);
	}
	for (uint32_t seq = 263; seq >= 200; seq--)
		assert_int_equal(answer_to(p, proto, seq, "", true), seq % 3 == 0 ? 8 : 57);
	/* Not asked in this engine, not known to it. */
	pdu.seq = 300;
	pdu.dst = sim_text(theirs);
	pass(p.sp, p.gw, proto, &pdu, &seen, octets);
	rig_kill_engine(&rig);
	rig_await_ready(&rig);
	assert_int_equal(answer_to(p, proto, 300, "", true), 57);
	assert_int_equal(answer_to(p, proto, 301, theirs, false), 8);
	rig_await(&rig, 0, NULL, "ev=submit_resp seq=301 code=57 rule=theirs now~8");
	pair_close(p);
	rig_stop(&rig);
}

static void by_the_number(void **state)
{
	(void)state;
	by_the_number_of_the_request(SIM_CMPP2);
	by_the_number_of_the_request(SIM_CMPP3);
	by_the_number_of_the_request(SIM_SMPP);
}

/* A message's text is told to nobody, what a rule puts beside it neither. */
static void no_text_is_told(void **state)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"say\"; action = \"annotate\"; in = \"text\"; class = \"undeliverable\"; lang = \"en\"; } );";
	static const char text[] = "id:MID00001 sub:001 dlvrd:001 submit date:2611300100 done date:2611300101 "
		"stat:UNDELIV err:000 text:SecretText42";
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = 1, .src = sim_text(subscriber),
		.dst = sim_text("10690001"), .body = sim_text(text) }, seen;
	struct pair p;
	json_t *r;
	char *line;

	(void)state;
	begin("smpp", keys);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	pass(p.gw, p.sp, SIM_SMPP, &pdu, &seen, octets);
	assert_non_null(memmem(octets, seen.len, "text:", 5));
	r = rig_await(&rig, 0, NULL, "ev=report seq=1 rule=say was~text= now~text=");
	line = json_dumps(r, JSON_COMPACT);
	assert_null(strstr(line, "SecretText42"));
	free(line);
	pair_close(p);
	rig_stop(&rig);
}

/* P19: the state would make the message longer than 254 octets: it goes out as it came, and that is told. */
static void what_does_not_fit(void **state)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"say\"; action = \"map_stat\"; to = \"UNDELIV\"; code = \"MK:*\"; } );";
	char text[252];
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = 1, .src = sim_text(subscriber),
		.dst = sim_text("10690001") };
	struct pair p;
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "id:MID00001 sub:001 dlvrd:001 submit date:2611300100 "
		"done date:2611300101 stat:MK:1 err:000 text:");
	memset(text + n, 'x', sizeof(text) - n);
	pdu.body.p = text;
	pdu.body.n = sizeof(text);
	begin("smpp", keys);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	n = sim_build(SIM_SMPP, &pdu, octets);
	peer_send(p.gw, octets, n);
	peer_expect(p.sp, octets, n);
	rig_await(&rig, 0, NULL, "ev=report seq=1 rule=say refused=too_long");
	pair_close(p);
	rig_stop(&rig);
}

/* A report beyond hold_max goes out as it arrives: no rule can edit it, and that is counted. */
static void what_is_not_held(void **state)
{
	static const char keys[] = "profile = \"infox\"; rules = ("
		"  { name = \"say\"; action = \"map_stat\"; to = \"UNDELIV\"; code = \"MK:*\"; } );";
	enum { LEN = 60000 };
	static const struct rig_options options = { .control = true };
	struct rig_link link = { .protocol = "smpp", .upstream = &gateway_port, .upstream_count = 1,
		.keys = keys };
	uint8_t *octets = calloc(1, LEN);
	struct sim_pdu pdu = report_of(1, "MID00001", "MK:0010");
	char *metrics;
	struct pair p;
	size_t n;

	(void)state;
	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
	rig_await_ready(&rig);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	n = sim_build(SIM_SMPP, &pdu, octets);
	/* A TLV of a vendor fills the PDU. */
	octets[n] = 0x14;
	octets[n + 2] = (uint8_t)((LEN - n - 4) >> 8);
	octets[n + 3] = (uint8_t)(LEN - n - 4);
	octets[2] = LEN >> 8;
	octets[3] = LEN & 0xff;
	peer_send(p.gw, octets, 20000);
	pause_ms(50);
	peer_send(p.gw, octets + 20000, LEN - 20000);
	peer_expect(p.sp, octets, LEN);
	peer_send(p.gw, octets, LEN);
	peer_expect(p.sp, octets, LEN);
	rig_await_count(&rig, 2, "ev=report seq=1");
	metrics = rig_ctl(&rig, "metrics", 0);
	if (strstr(metrics, "smscope_rewrite_refused_total{link=\"l1\",reason=\"no_room\"} 2\n") == NULL)
		fail_msg("not counted:\n%s", strstr(metrics, "smscope_rewrite"));
	free(metrics);
	free(octets);
	pair_close(p);
	rig_stop(&rig);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, rig_sweep)
	const struct CMUnitTest tests[] = {
		TEST(reports_and_responses),
		TEST(in_a_stream),
		TEST(told_and_spared),
		TEST(told_apart),
		TEST(by_the_number),
		TEST(no_text_is_told),
		TEST(what_does_not_fit),
		TEST(what_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
