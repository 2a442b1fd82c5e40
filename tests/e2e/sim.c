#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

/*
 * The simulators against octets of other programs (tests/data/sim), and against each other.
 */

static struct sim_text part(const void *p, size_t n)
{
	return (struct sim_text){ p, n };
}

static void expect_text(struct sim_text t, const char *want)
{
	assert_int_equal(t.n, strlen(want));
	assert_memory_equal(t.p, want, t.n);
}

static void expect_octets(enum sim_proto proto, const struct sim_pdu *pdu, const char *name)
{
	uint8_t want[SIM_PDU_MAX], have[SIM_PDU_MAX];
	size_t n = hex_load(name, want, sizeof want), m = sim_build(proto, pdu, have);

	assert_int_equal(m, n);
	assert_memory_equal(have, want, n);
}

static void authenticators(void **state)
{
	uint8_t source[16], answer[16], want[SIM_PDU_MAX];

	(void)state;
	hex_load("cmpp-connect-21", want, sizeof want);
	sim_cmpp_auth("900001", "888888", 1021080510, source);
	assert_memory_equal(source, want + 18, 16);
	hex_load("cmpp-connect-30", want, sizeof want);
	sim_cmpp_auth("900001", "888888", 115093007, answer);
	assert_memory_equal(answer, want + 18, 16);
	hex_load("cmpp-connect_resp-21", want, sizeof want);
	sim_cmpp_auth_answer(SIM_CMPP2, 0, source, "888888", answer);
	assert_memory_equal(answer, want + 13, 16);
	hex_load("cmpp-connect_resp-30", want, sizeof want);
	sim_cmpp_auth_answer(SIM_CMPP3, 0, source, "888888", answer);
	assert_memory_equal(answer, want + 16, 16);
}

static void cmpp_octets(void **state)
{
	static const uint8_t id[] = { 0xb2, 0xb9, 0xda, 0x80, 0x00, 0x01, 0x00, 0x00 };
	struct sim_pdu p = { .what = SIM_LOGIN,
		.seq = 23,
		.user = sim_text("900001"),
		.version = 0x21,
		.stamp = 1021080510 };
	uint8_t auth[16];

	(void)state;
	sim_cmpp_auth("900001", "888888", p.stamp, auth);
	p.secret = part(auth, 16);
	expect_octets(SIM_CMPP2, &p, "cmpp-connect-21");
	p = (struct sim_pdu){ .what = SIM_TEST, .seq = 23 };
	expect_octets(SIM_CMPP2, &p, "cmpp-active_test");
	p.what = SIM_TEST_RESP;
	expect_octets(SIM_CMPP3, &p, "cmpp-active_test_resp");
	p.what = SIM_LOGOUT;
	expect_octets(SIM_CMPP2, &p, "cmpp-terminate");
	p.what = SIM_SUBMIT_RESP;
	p.msgid = part(id, 8);
	expect_octets(SIM_CMPP2, &p, "cmpp-submit_resp-20");
	expect_octets(SIM_CMPP3, &p, "cmpp-submit_resp-30");
}

static void smpp_octets(void **state)
{
	struct sim_pdu p = { .what = SIM_SUBMIT,
		.seq = 20456,
		.src = sim_text("40404"),
		.dst = sim_text("44951361920"),
		.registered = true,
		.body = sim_text("@$#!%&/:") };

	(void)state;
	expect_octets(SIM_SMPP, &p, "smpp-submit_sm-1");
	p = (struct sim_pdu){ .what = SIM_LOGIN_RESP, .seq = 235843, .user = sim_text("Smsc GW") };
	expect_octets(SIM_SMPP, &p, "smpp-bind_transceiver_resp-1");
	p = (struct sim_pdu){
		.what = SIM_LOGIN_RESP, .seq = 1, .command = 0x80000002, .status = 0x0f
	};
	expect_octets(SIM_SMPP, &p, "smpp-bind_transmitter_resp-err-nobody");
	p = (struct sim_pdu){
		.what = SIM_SUBMIT_RESP, .seq = 171192033, .msgid = sim_text("94258431594")
	};
	expect_octets(SIM_SMPP, &p, "smpp-submit_sm_resp-1");
	p = (struct sim_pdu){ .what = SIM_SUBMIT_RESP, .seq = 2, .status = 0x0b };
	expect_octets(SIM_SMPP, &p, "smpp-submit_sm_resp-err-nobody");
}

static void cmpp_reading(void **state)
{
	static const struct {
		const char *name, *stat, *src;
		enum sim_proto proto;
		int body_len;
	} reports[] = {
		{ "cmpp-deliver-20-report-mk", "MK:0001", "13800138000", SIM_CMPP2, 60 },
		{ "cmpp-deliver-30-report-short-stat", "AF:4", "13800138001", SIM_CMPP3, 71 },
		{ "cmpp-deliver-30-report60", "DELIVRD", "13800138001138001380011380013800",
			SIM_CMPP3, 60 },
	};
	uint8_t in[SIM_PDU_MAX], out[SIM_PDU_MAX];
	struct sim_pdu p;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t n = hex_load(reports[i].name, in, sizeof in);

		assert_int_equal(sim_parse(reports[i].proto, in, n, &p), 0);
		assert_true(p.registered);
		expect_text(p.stat, reports[i].stat);
		expect_text(p.src, reports[i].src);
		assert_int_equal(p.body_len, reports[i].body_len);
		assert_int_equal(sim_build(reports[i].proto, &p, out), n);
	}
	assert_int_equal(
		sim_parse(SIM_CMPP2, in, hex_load("cmpp-submit-20", in, sizeof in), &p), 0);
	expect_text(p.dst, "13500002696");
	assert_int_equal(p.body.n, 30);
	assert_int_equal(
		sim_parse(SIM_CMPP3, in, hex_load("cmpp-submit-30", in, sizeof in), &p), 0);
	expect_text(p.src, "900001");
	expect_text(p.dst, "13500002696");
	/* What a 2.0 reader makes of 3.0 octets must be an error, not a guess. */
	assert_int_equal(
		sim_parse(SIM_CMPP2, in, hex_load("cmpp-submit-30", in, sizeof in), &p), -1);
}

/* Our submit has the destination, the text and the tail where the specification's has them. */
static void cmpp_submit_offsets(void **state)
{
	uint8_t want[SIM_PDU_MAX], have[SIM_PDU_MAX];
	struct sim_pdu p = { .what = SIM_SUBMIT,
		.seq = 23,
		.service = sim_text("test"),
		.user = sim_text("900001"),
		.src = sim_text("900001"),
		.dst = sim_text("13500002696"),
		.registered = true,
		.coding = 8 };

	(void)state;
	for (int v = 0; v < 2; v++) {
		enum sim_proto proto = v ? SIM_CMPP3 : SIM_CMPP2;
		size_t n = hex_load(v ? "cmpp-submit-30" : "cmpp-submit-20", want, sizeof want);
		size_t fee = 35, fee_len = v ? 32 : 21, valid = v ? 85 : 73;

		p.body = part(want + (v ? 175 : 151), 30);
		assert_int_equal(sim_build(proto, &p, have), n);
		memcpy(have + fee, want + fee, fee_len);
		memcpy(have + valid, want + valid, 17);
		assert_memory_equal(have, want, n);
	}
}

static void smpp_reading(void **state)
{
	uint8_t in[SIM_PDU_MAX];
	struct sim_pdu p;

	(void)state;
	assert_int_equal(
		sim_parse(SIM_SMPP, in, hex_load("smpp-bind_transceiver-1", in, sizeof in), &p), 0);
	expect_text(p.user, "ALL_TW");
	expect_text(p.secret, "ALL_TW");
	assert_int_equal(
		sim_parse(SIM_SMPP, in, hex_load("smpp-deliver_sm-receipt-1", in, sizeof in), &p),
		0);
	assert_true(p.registered);
	expect_text(p.stat, "DELIVRD");
	expect_text(p.err, "000");
	assert_int_equal(sim_parse(SIM_SMPP, in,
				 hex_load("smpp-deliver_sm-receipt-tlvonly", in, sizeof in), &p),
		0);
	expect_text(p.msgid, "42");
	expect_text(p.stat, "DELIVRD");
}

/* Another program's receipt text, from the words in it. */
static void smpp_receipt_text(void **state)
{
	uint8_t want[SIM_PDU_MAX], have[SIM_PDU_MAX];
	struct sim_pdu p = { .what = SIM_DELIVER,
		.seq = 2,
		.src = sim_text("44951361920"),
		.dst = sim_text("40404"),
		.registered = true,
		.msgid = sim_text("0059113978"),
		.stat = sim_text("DELIVRD"),
		.submit_time = sim_text("1002101730"),
		.done_time = sim_text("1002101731"),
		.body = sim_text("@$#!%&/:"),
		.receipt = SIM_RECEIPT_TEXT };
	size_t n;

	(void)state;
	hex_load("smpp-deliver_sm-receipt-1", want, sizeof want);
	n = sim_build(SIM_SMPP, &p, have);
	assert_memory_equal(have + 4, want + 4, n - 4);
}

static void run_both(const char *proto)
{
	const char *const gw[] = { "--proto", proto, "--listen", "127.0.0.1:0", "--once", "--user",
		"900001", "--password", "secret", "--line", "submit 1/10 8", "--line",
		"report 1/5 MB:0064", "--line", "report 1/7 IB:0072", "--line",
		"report DELIVRD after=20ms", "--line", "mo 1/50 \"hello\"", NULL };
	char port[32] = "", where[64], text[1024] = "";
	const char *const sp[] = { "--proto", proto, "--connect", where, "--count", "2000",
		"--registered", "--connections", "3", "--password", "secret", NULL };
	int gw_out, sp_out;
	pid_t gw_pid = program_start(&gw_out, "simgw", gw), sp_pid;

	assert_true(read(gw_out, port, sizeof port - 1) > 0);
	snprintf(where, sizeof where, "127.0.0.1:%d", atoi(port));
	sp_pid = program_start(&sp_out, "simsp", sp);
	assert_int_equal(program_wait(sp_pid, 30000), 0);
	assert_int_equal(program_wait(gw_pid, 30000), 0);
	assert_true(read(sp_out, text, sizeof text - 1) > 0);
	assert_non_null(strstr(text, "sent=2000 ok=1800 rejected=200 reports=1800"));
	assert_non_null(strstr(text, " mo=36 unanswered=0 strange=0 logins=3 "));
	close(gw_out);
	close(sp_out);
}

static void both_sides(void **state)
{
	(void)state;
	run_both("cmpp2");
	run_both("cmpp3");
	run_both("smpp");
}

static void wrong_password(void **state)
{
	const char *const gw[] = { "--proto", "cmpp3", "--listen", "127.0.0.1:0", "--once",
		"--password", "right", NULL };
	char port[32] = "", where[64];
	const char *const sp[] = { "--proto", "cmpp3", "--connect", where, "--password", "wrong",
		NULL };
	int gw_out, sp_out;
	pid_t gw_pid, sp_pid;

	(void)state;
	gw_pid = program_start(&gw_out, "simgw", gw);
	assert_true(read(gw_out, port, sizeof port - 1) > 0);
	snprintf(where, sizeof where, "127.0.0.1:%d", atoi(port));
	sp_pid = program_start(&sp_out, "simsp", sp);
	assert_int_equal(program_wait(sp_pid, 10000), 3);
	assert_int_equal(program_wait(gw_pid, 10000), 0);
	close(gw_out);
	close(sp_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authenticators),
		cmocka_unit_test(cmpp_octets),
		cmocka_unit_test(smpp_octets),
		cmocka_unit_test(cmpp_reading),
		cmocka_unit_test(cmpp_submit_offsets),
		cmocka_unit_test(smpp_reading),
		cmocka_unit_test(smpp_receipt_text),
		cmocka_unit_test_teardown(both_sides, rig_sweep),
		cmocka_unit_test_teardown(wrong_password, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
