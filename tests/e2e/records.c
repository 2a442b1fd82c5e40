#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

/*
 * What the log says of what the link said: logins, responses, reports, under the infoX profile
 * and the standard one, for both protocols. Meanings are those of the vendor's document, infox-
 * gateway.txt.
 */

enum { INFOX_CMPP, INFOX_SMPP, PLAIN_CMPP, PLAIN_SMPP, LINKS };

static const char subscriber[] = "13812345678", canary[] = "Canary77";

static struct rig rig;
static int gateway[LINKS], gateway_port[LINKS];
static char text_log[128];

static void begin(void)
{
	static char more[256];
	struct rig_options o = { .more_logs = more };
	struct rig_link links[LINKS] = {
		[INFOX_CMPP] = { .protocol = "cmpp", .keys = "profile = \"infox\";" },
		[INFOX_SMPP] = { .protocol = "smpp", .keys = "profile = [ \"infox\" ];" },
		[PLAIN_CMPP] = { .protocol = "auto" },
		[PLAIN_SMPP] = { .protocol = "auto" },
	};

	for (int i = 0; i < LINKS; i++) {
		gateway[i] = peer_listen(&gateway_port[i], 8);
		links[i].upstream = &gateway_port[i];
		links[i].upstream_count = 1;
	}
	snprintf(text_log, sizeof text_log, P_tmpdir "/smscope-text-XXXXXX");
	close(mkstemp(text_log));
	snprintf(more, sizeof more, ",\n  { type = \"file\"; path = \"%s\"; format = \"text\"; }",
		text_log);
	rig_start(&rig, &o, links, LINKS);
}

static void end(void)
{
	rig_stop(&rig);
	unlink(text_log);
}

/* A login answered with `status`; the SP's name is `user`. */
static void login(int link, enum sim_proto proto, const char *user, uint32_t status)
{
	struct sim_pdu ask = {
		.what = SIM_LOGIN, .seq = 11, .user = sim_text(user), .stamp = 1121080000
	};
	struct sim_pdu answer = {
		.what = SIM_LOGIN_RESP, .seq = 11, .user = sim_text("gw"), .status = status
	};
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu seen;
	struct pair p = { peer_dial(rig.port[link]), -1 };

	ask.secret = proto == SIM_SMPP ? sim_text(canary) : sim_text("Canary77Canary77");
	if (proto != SIM_SMPP)
		answer.secret = sim_text("Yranac88Yranac88");
	peer_send_pdu(p.sp, proto, &ask);
	p.gw = peer_accept(gateway[link]);
	peer_read_pdu(p.gw, proto, octets, &seen);
	peer_send_pdu(p.gw, proto, &answer);
	peer_read_pdu(p.sp, proto, octets, &seen);
	assert_int_equal(seen.status, status);
	pair_close(p);
}

static void logins(void **state)
{
	(void)state;
	begin();
	login(INFOX_CMPP, SIM_CMPP2, "900001", 0);
	rig_await(&rig, 0, NULL, "ev=login link=l1 code=0 class=ok *~900001");
	login(INFOX_CMPP, SIM_CMPP3, "900002", 3);
	rig_await(&rig, 0, NULL, "ev=login link=l1 code=3 class=auth zh~登录效验密码错误 *~900002");
	login(INFOX_CMPP, SIM_CMPP2, "900003", 48);
	rig_await(&rig, 0, NULL, "ev=login link=l1 code=48 zh~对端设备IP被限制");
	login(INFOX_SMPP, SIM_SMPP, "acme", 11);
	rig_await(&rig, 0, NULL, "ev=login link=l2 code=11 class=auth zh~登录效验密码错误 *~acme");
	login(PLAIN_CMPP, SIM_CMPP3, "900004", 3);
	rig_await(&rig, 0, NULL, "ev=login link=l3 code=3 class=auth");
	login(PLAIN_SMPP, SIM_SMPP, "acme", 14);
	rig_await(&rig, 0, NULL, "ev=login link=l4 code=14 name=ESME_RINVPASWD class=auth");
	login(PLAIN_SMPP, SIM_SMPP, "acme", 0);
	rig_await(&rig, 0, NULL, "ev=login link=l4 code=0 class=ok");
	end();
}

static struct sim_text msgid(enum sim_proto proto, uint32_t n, char to[16])
{
	snprintf(to, 16, proto == SIM_SMPP ? "%08X" : "MID%05u", n);
	return (struct sim_text){ to, 8 };
}

/* Submit `seq`, answered after 60 ms with `status`. */
static void submit(struct pair p, enum sim_proto proto, uint32_t seq, uint32_t status)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT,
		.seq = seq,
		.user = sim_text("900001"),
		.src = sim_text("10690001"),
		.dst = sim_text(subscriber),
		.body = sim_text("SecretText42"),
		.registered = true };
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .status = status }, seen;
	uint8_t octets[SIM_PDU_MAX];
	char id[16];

	answer.msgid = msgid(proto, seq, id);
	peer_send_pdu(p.sp, proto, &ask);
	peer_read_pdu(p.gw, proto, octets, &seen);
	pause_ms(60);
	peer_send_pdu(p.gw, proto, &answer);
	peer_read_pdu(p.sp, proto, octets, &seen);
}

static void expect_rtt(const json_t *record)
{
	const json_t *rtt = json_object_get(record, "rtt_us");

	assert_true(json_is_integer(rtt));
	assert_in_range(json_integer_value(rtt), 55000, 2000000);
}

static void submit_responses(void **state)
{
	struct pair p;

	(void)state;
	begin();
	p = pair_login(&rig, INFOX_CMPP, gateway[INFOX_CMPP], SIM_CMPP2);
	submit(p, SIM_CMPP2, 101, 8);
	submit(p, SIM_CMPP2, 102, 0);
	pair_close(p);
	p = pair_login(&rig, INFOX_SMPP, gateway[INFOX_SMPP], SIM_SMPP);
	submit(p, SIM_SMPP, 201, 57);
	submit(p, SIM_SMPP, 202, 0);
	submit(p, SIM_SMPP, 203, 88);
	pair_close(p);
	p = pair_login(&rig, PLAIN_CMPP, gateway[PLAIN_CMPP], SIM_CMPP3);
	submit(p, SIM_CMPP3, 301, 8);
	pair_close(p);
	p = pair_login(&rig, PLAIN_SMPP, gateway[PLAIN_SMPP], SIM_SMPP);
	submit(p, SIM_SMPP, 401, 88);
	submit(p, SIM_SMPP, 402, 0x4fe);
	pair_close(p);
	rig_await(&rig, 0, NULL, "ev=submit link=l1 seq=101 dir=sp>gw");
	expect_rtt(rig_await(&rig, 0, NULL,
		"ev=submit_resp link=l1 seq=101 code=8 class=throttled zh~流量控制错 dir=gw>sp"));
	expect_rtt(rig_await(&rig, 0, NULL, "ev=submit_resp link=l1 seq=102 code=0 class=ok"));
	expect_rtt(rig_await(&rig, 0, NULL,
		"ev=submit_resp link=l2 seq=201 code=57 class=throttled zh~流量控制错"));
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=202 code=0 class=ok msgid=000000CA");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l2 seq=203 code=88 *~ESME_RTHROTTLED");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l3 seq=301 code=8 class=throttled");
	rig_await(&rig, 0, NULL,
		"ev=submit_resp link=l4 seq=401 code=88 name=ESME_RTHROTTLED class=throttled");
	rig_await(&rig, 0, NULL, "ev=submit_resp link=l4 seq=402 code=0x4fe");
	assert_int_equal(rig_count(&rig, "ev=submit_resp"), 8);
	end();
}

/* One report to the SP, acknowledged. */
static void report(struct pair p, enum sim_proto proto, uint32_t seq, const char *stat,
	const char *err, int shape)
{
	struct sim_pdu deliver = { .what = SIM_DELIVER,
		.seq = seq,
		.src = sim_text(subscriber),
		.dst = sim_text("10690001"),
		.registered = true,
		.stat = sim_text(stat),
		.err = sim_text(err) };
	struct sim_pdu ack = { .what = SIM_DELIVER_RESP, .seq = seq }, seen;
	uint8_t octets[SIM_PDU_MAX];
	char id[16];

	deliver.msgid = ack.msgid = msgid(proto, seq, id);
	if (proto == SIM_SMPP)
		deliver.receipt = shape;
	else
		deliver.body_len = shape;
	peer_send_pdu(p.gw, proto, &deliver);
	peer_read_pdu(p.sp, proto, octets, &seen);
	peer_send_pdu(p.sp, proto, &ack);
	peer_read_pdu(p.gw, proto, octets, &seen);
}

static void cmpp_reports(void **state)
{
	static const struct {
		const char *stat, *want;
	} reports[] = {
		{ "MB:0064", "code=MB:0064 zh~SMSC返回错误响应消息 nested~地址错误" },
		{ "IB:0072", "code=IB:0072 zh~下一级ISMG返回错误响应消息 nested~找不到路由" },
		{ "DB:9007", "code=DB:9007 zh~DSMP返回错误响应消息 nested~业务网关超过限制的流量" },
		{ "CB:0007", "code=CB:0007 zh~SCP返回错误响应消息 nested~用户余额不足" },
		{ "ID:0020", "code=ID:0020 zh~SPACE用户鉴权模块鉴权用户停机或欠费错误" },
		{ "MK:0010", "code=MK:0010 zh~UNDELIV nested~0010" },
		{ "DELIVRD", "code=DELIVRD class=ok" },
		{ "UNDELIV", "code=UNDELIV class=undeliverable" },
		{ "QQ:1234", "code=QQ:1234 class=unknown" },
	};
	struct pair two, three;

	(void)state;
	begin();
	two = pair_login(&rig, INFOX_CMPP, gateway[INFOX_CMPP], SIM_CMPP2);
	three = pair_login(&rig, INFOX_CMPP, gateway[INFOX_CMPP], SIM_CMPP3);
	for (uint32_t i = 0; i < sizeof reports / sizeof *reports; i++) {
		report(two, SIM_CMPP2, 1000 + i, reports[i].stat, "", 60);
		report(three, SIM_CMPP3, 2000 + i, reports[i].stat, "", 71);
		report(three, SIM_CMPP3, 3000 + i, reports[i].stat, "", 60); /* they exist */
	}
	for (uint32_t i = 0; i < sizeof reports / sizeof *reports; i++)
		for (uint32_t base = 1000; base <= 3000; base += 1000)
			rig_await(&rig, 0, NULL, "ev=report link=l1 seq=%u dst~138****5678 %s",
				base + i, reports[i].want);
	assert_int_equal(rig_count(&rig, "ev=report"), 27);
	assert_int_equal(rig_count(&rig, "ev=deliver"), 0);
	pair_close(two);
	pair_close(three);
	end();
}

static void smpp_reports(void **state)
{
	struct pair p;

	(void)state;
	begin();
	p = pair_login(&rig, INFOX_SMPP, gateway[INFOX_SMPP], SIM_SMPP);
	report(p, SIM_SMPP, 1, "DELIVRD", "000", SIM_RECEIPT_TEXT);
	report(p, SIM_SMPP, 2, "UNDELIV", "MB:0064", SIM_RECEIPT_TEXT);
	report(p, SIM_SMPP, 3, "EXPIRED", "000", SIM_RECEIPT_TLV);
	report(p, SIM_SMPP, 4, "REJECTD", "IB:0072", SIM_RECEIPT_TEXT | SIM_RECEIPT_TLV);
	report(p, SIM_SMPP, 5, "MB:0064", "000", SIM_RECEIPT_TEXT);
	rig_await(&rig, 0, NULL, "ev=report link=l2 seq=1 code=DELIVRD class=ok msgid=00000001");
	rig_await(&rig, 0, NULL,
		"ev=report link=l2 seq=2 code=UNDELIV class=undeliverable err=MB:0064");
	rig_await(&rig, 0, NULL, "ev=report link=l2 seq=3 class=expired msgid=00000003");
	rig_await(&rig, 0, NULL, "ev=report link=l2 seq=4 code=REJECTD class=rejected err=IB:0072");
	rig_await(&rig, 0, NULL, "ev=report link=l2 seq=5 code=MB:0064 nested~地址错误");
	assert_int_equal(rig_count(&rig, "ev=report"), 5);
	pair_close(p);
	end();
}

/* Receipts of other programs, as they were on the wire. */
static void receipts_of_others(void **state)
{
	static const char *const names[] = { "smpp-deliver_sm-receipt-1",
		"smpp-deliver_sm-receipt-tlvonly" };
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;

	(void)state;
	begin();
	p = pair_login(&rig, PLAIN_SMPP, gateway[PLAIN_SMPP], SIM_SMPP);
	for (int i = 0; i < 2; i++) {
		size_t n = hex_load(names[i], octets, sizeof octets);

		peer_send(p.gw, octets, n);
		peer_expect(p.sp, octets, n);
	}
	rig_await(&rig, 0, NULL, "ev=report link=l4 seq=2 class=ok dst~449****1920");
	rig_await(&rig, 0, NULL, "ev=report link=l4 seq=0 class=ok msgid=42");
	pair_close(p);
	end();
}

static void expect_absent(const char *text, const char *what, const char *where)
{
	if (strstr(text, what))
		fail_msg("%s is in %s", what, where);
}

/* Ends of sessions in a text log. */
static int ends_in(const char *text)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, " SESSION_CLOSE ")) != NULL; at++)
		n++;
	return n;
}

/* Secrets never, numbers masked, text not shown, foreign octets escaped: in every output. */
static void private_things(void **state)
{
	/* 16 octets that a careless hexdump would show: the canary's, in both cases */
	static const char *const secrets[] = { "Canary77", "Yranac88", "43616e61727937",
		"SecretText42", "13812345678", "8613987654321" };
	struct sim_pdu mo = { .what = SIM_DELIVER,
		.seq = 31,
		.src = sim_text("8613987654321"),
		.dst = sim_text("106\n{\"ev\":\"fake\"}\x1b[2J"),
		.body = sim_text("SecretText42"),
		.msgid = sim_text("12345678") };
	uint8_t octets[SIM_PDU_MAX];
	char *outputs[3];
	struct pair p;

	(void)state;
	begin();
	login(INFOX_CMPP, SIM_CMPP2, "900001", 0);
	login(INFOX_CMPP, SIM_CMPP3, "900001", 3);
	login(INFOX_SMPP, SIM_SMPP, "acme", 14);
	login(PLAIN_SMPP, SIM_SMPP, "acme", 0);
	p = pair_login(&rig, INFOX_SMPP, gateway[INFOX_SMPP], SIM_SMPP);
	submit(p, SIM_SMPP, 21, 0);
	peer_send_pdu(p.gw, SIM_SMPP, &mo);
	peer_read_pdu(p.sp, SIM_SMPP, octets, NULL);
	pair_close(p);
	rig_await(&rig, 0, NULL, "ev=submit seq=21 dst~138****5678");
	rig_await(&rig, 0, NULL, "ev=deliver seq=31");
	rig_await_count(&rig, 5, "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=fake"), 0);
	outputs[2] = rig_file(&rig, text_log, NULL);
	for (int i = 0; i < WAIT_MS / 10 && ends_in(outputs[2]) < 5; i++) { /* another sink, in its own time */
		pause_ms(10);
		free(outputs[2]);
		outputs[2] = rig_file(&rig, text_log, NULL);
	}
	assert_non_null(strstr(outputs[2], "138****5678"));
	outputs[0] = rig_file(&rig, rig.log_path, NULL);
	outputs[1] = rig_file(&rig, rig.err_path, NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const where[] = { "the JSON log", "standard error",
			"the text log" };

		for (size_t s = 0; s < sizeof secrets / sizeof *secrets; s++)
			expect_absent(outputs[i], secrets[s], where[i]);
		assert_null(strchr(outputs[i], 0x1b));
		free(outputs[i]);
	}
	end();
}

/* A message from a subscriber, a keepalive that says nothing, a nack. */
static void other_records(void **state)
{
	struct sim_pdu mo = { .what = SIM_DELIVER,
		.seq = 41,
		.src = sim_text(subscriber),
		.dst = sim_text("10690001"),
		.body = sim_text("TD"),
		.msgid = sim_text("12345678") };
	struct sim_pdu test = { .what = SIM_TEST, .seq = 42 },
		       bye = { .what = SIM_LOGOUT, .seq = 43 };
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;
	size_t n;

	(void)state;
	begin();
	p = pair_login(&rig, PLAIN_SMPP, gateway[PLAIN_SMPP], SIM_SMPP);
	peer_send_pdu(p.gw, SIM_SMPP, &mo);
	peer_send_pdu(p.gw, SIM_SMPP, &test);
	n = hex_load("smpp-generic_nack-1", octets, sizeof octets);
	peer_send(p.gw, octets, n);
	peer_read(p.sp, octets, 1, WAIT_MS);
	rig_await(&rig, 0, NULL, "ev=session_open link=l4");
	rig_await(&rig, 0, NULL, "ev=deliver link=l4 seq=41 src~138****5678");
	rig_await(&rig, 0, NULL, "ev=nack link=l4 dir=gw>sp");
	assert_int_equal(rig_count(&rig, "seq=42"), 0);
	peer_send_pdu(p.sp, SIM_SMPP, &bye);
	bye.what = SIM_LOGOUT_RESP;
	pause_ms(20);
	peer_send_pdu(p.gw, SIM_SMPP, &bye);
	pause_ms(20);
	pair_close(p);
	rig_await(&rig, 0, NULL, "ev=session_close link=l4 *~unbind");
	end();
}

static int teardown(void **state)
{
	unlink(text_log);
	return rig_sweep(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(logins, teardown),
		cmocka_unit_test_teardown(submit_responses, teardown),
		cmocka_unit_test_teardown(cmpp_reports, teardown),
		cmocka_unit_test_teardown(smpp_reports, teardown),
		cmocka_unit_test_teardown(receipts_of_others, teardown),
		cmocka_unit_test_teardown(private_things, teardown),
		cmocka_unit_test_teardown(other_records, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
