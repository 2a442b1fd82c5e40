#include "edit_case.h"

#include "wire.h"

/* Each action on PDUs of specifications and other programs; what came out is read by the simulators' reader. */

#define INFOX_SMPP edit_link(&proto_smpp, 0x34, "infox")
#define INFOX_CMPP edit_link(&proto_cmpp, 0x20, "infox")

static struct sim_pdu read_back(enum sim_proto proto, int n)
{
	struct sim_pdu pdu;

	assert_true(n > 0);
	assert_int_equal(sim_parse(proto, edit_out, (size_t)n, &pdu), 0);
	assert_int_equal(pdu.len, n);
	return pdu;
}

static void sim_says(struct sim_text t, const char *text)
{
	assert_int_equal(t.n, strlen(text));
	assert_memory_equal(t.p, text, t.n);
}

static void no_rule_touches_nothing(void **state)
{
	(void)state;
	INFOX_SMPP;
	edit_vector("smpp-submit_sm_resp-queuefull");
	assert_int_equal(edit_rules(NULL, 0, sizeof(edit_out)), 0);
	assert_int_equal(edit_ret.refused, EDIT_FINE);
	assert_int_equal(edit_ret.matched, 0);
}

static void status_by_map(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-smpp34") };
	int n;

	(void)state;
	INFOX_SMPP;
	edit_hex("00000010 80000004 00000039 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x58);
	assert_int_equal(n, 16);
	edit_counts(0, "command_status", 0x39, 0x58);
	assert_memory_equal(edit_out + 12, edit_in + 12, 4);
	assert_memory_equal(edit_out, edit_in, 8);
	/* 其它 */
	edit_hex("00000010 80000004 00000412 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x45);
	/* is standard already */
	edit_hex("00000010 80000004 00000058 00000007");
	assert_int_equal(edit_one(d), 0);
	assert_int_equal(edit_ret.refused, EDIT_FINE);
	assert_int_equal(edit_ret.matched, 1);
	/* 11 is a wrong password in a login only */
	edit_hex("00000010 80000009 0000000B 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x0E);
	edit_hex("00000010 80000004 00000030 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x45);
}

static void status_by_class_and_by_value(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STATUS, .map = edit_map("class-to-smpp34") };
	const char *const codes[] = { "17-40", "0x39" };
	int n;

	(void)state;
	INFOX_SMPP;
	edit_hex("00000010 80000004 00000039 00000007"); /* flow control error */
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x58);
	edit_hex("00000010 80000004 00000032 00000007"); /* no such user */
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x0B);
	d = (struct rule_def){ .action = EDIT_MAP_STATUS, .to = "0x14", .codes = codes,
		.code_count = 2 };
	n = edit_one(d);
	assert_int_equal(n, 0);
	assert_int_equal(edit_ret.matched, 0);
	edit_hex("00000010 80000004 00000039 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x14);
	edit_hex("00000010 80000004 00000011 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x14);
}

static void status_of_aliyun(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STATUS, .map = edit_map("aliyun-to-smpp34") };
	int n;

	(void)state;
	edit_link(&proto_smpp, 0x34, "aliyun");
	edit_hex("0000001c 80000004 00000014 0a342ee1 393432353834333135393400");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0);
	sim_says(read_back(SIM_SMPP, n).msgid, "94258431594");
	edit_hex("00000010 80000004 00000028 00000007");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_SMPP, n).status, 0x58);
	edit_hex("00000010 80000004 00000000 00000007");
	assert_int_equal(edit_one(d), 0);
}

static void result_of_cmpp(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-cmpp") };
	int n;

	(void)state;
	INFOX_CMPP;
	edit_hex("00000015 80000004 00000017 b2b9da8000010000 41");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_CMPP2, n).status, 8);
	edit_counts(0, "Result", 65, 8);
	edit_hex("00000015 80000004 00000017 b2b9da8000010000 0d");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_CMPP2, n).status, 9);
	edit_ctx.dialect = 0x30;
	edit_hex("00000018 80000004 00000017 b2b9da8000010000 00000032");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_CMPP3, n).status, 13);
	/* 13 is a code of 3.0's own; in 2.0 no such user is "other" */
	edit_hex("00000018 80000004 00000017 b2b9da8000010000 0000000d");
	assert_int_equal(edit_one(d), 0);
	edit_ctx.dialect = 0x20;
	edit_hex("00000015 80000004 00000017 b2b9da8000010000 32");
	n = edit_one(d);
	assert_int_equal(read_back(SIM_CMPP2, n).status, 9);
	/* one octet holds no composite code */
	edit_ctx.dialect = 0x20;
	d = (struct rule_def){ .action = EDIT_MAP_STATUS, .to = "40072", .pdus = 1u << CTX_SUBMIT_RESP };
	edit_hex("00000015 80000004 00000017 b2b9da8000010000 0d");
	edit_refused(edit_one(d), EDIT_WIDTH);
	/* and neither protocol's map serves the other */
	d = (struct rule_def){ .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-smpp34") };
	assert_int_equal(edit_one(d), 0);
	assert_int_equal(edit_ret.matched, 0);
}

/* AuthenticatorISMG covers Status: where there is one, Status stays. */
static void status_of_a_cmpp_login(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STATUS, .to = "5", .pdus = 1u << CTX_LOGIN };
	int n;

	(void)state;
	INFOX_CMPP;
	edit_vector("cmpp-connect_resp-20-fail");
	n = edit_one(d);
	assert_int_equal(n, edit_in_len);
	edit_counts(0, "Status", edit_in[12], 5);
	assert_int_equal(read_back(SIM_CMPP2, n).status, 5);
	edit_in[20] = 0x6c;
	edit_refused(edit_one(d), EDIT_SIGNED);
	edit_ctx.dialect = 0x30;
	edit_vector("cmpp-connect_resp-30");
	edit_refused(edit_one(d), EDIT_SIGNED);
}

static void stat_of_cmpp(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STAT, .map = edit_map("states") };
	struct sim_pdu pdu;
	int n;

	(void)state;
	INFOX_CMPP;
	edit_receipt("cmpp-stat-codes", 1);
	n = edit_one(d);
	pdu = read_back(SIM_CMPP2, n);
	sim_says(pdu.stat, "UNDELIV");
	edit_says(0, "Stat", "MB:0064", "UNDELIV");
	assert_int_equal(n, edit_in_len);
	for (size_t i = 0, changed = 0; i < edit_in_len; i++) {
		changed += edit_in[i] != edit_out[i];
		assert_true(changed <= 7);
	}
	edit_vector("cmpp-deliver-20-report-mk"); /* MK:0001 */
	n = edit_one(d);
	sim_says(read_back(SIM_CMPP2, n).stat, "UNDELIV");
	edit_ctx.dialect = 0x30;
	edit_vector("cmpp-deliver-30-report-short-stat"); /* AF:4 and NULs: no table lists it */
	assert_int_equal(edit_one(d), 0);
	d = (struct rule_def){ .action = EDIT_MAP_STAT, .to = "REJECTD" };
	n = edit_one(d);
	pdu = read_back(SIM_CMPP3, n);
	sim_says(pdu.stat, "REJECTD");
	edit_says(0, "Stat", "AF:4", "REJECTD");
	edit_vector("cmpp-deliver-30-mo");
	assert_int_equal(edit_one(d), 0);
	assert_int_equal(edit_ret.matched, 0);
}

static void stat_families_of_infox(void **state)
{
	static const char *const want[][2] = { { "MI:0001", "EXPIRED" }, { "MJ:0001", "DELETED" },
		{ "MK:0001", "UNDELIV" }, { "ML:0001", "ACCEPTD" }, { "MM:0001", "UNKNOWN" },
		{ "MN:0001", "REJECTD" }, { "delivrd", "DELIVRD" }, { "DELIVRD", "DELIVRD" },
		{ "CB:0007", "REJECTD" }, { "MC:0055", "UNKNOWN" }, { "CA:0100", "UNDELIV" }, { "ENROUTE", "ENROUTE" } };
	struct rule_def d = { .action = EDIT_MAP_STAT, .map = edit_map("states"), .keep_err = true };
	struct sim_pdu pdu;
	char text[200];
	int n;

	(void)state;
	INFOX_SMPP;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		snprintf(text, sizeof(text), "id:7 sub:001 dlvrd:000 submit date:1701240904 done date:"
			"1701240905 stat:%s err:000 text:abc", want[i][0]);
		edit_deliver(text, strlen(text), 4, 0);
		n = edit_one(d);
		if (strcmp(want[i][0], want[i][1]) == 0) {
			assert_int_equal(n, 0);
			continue;
		}
		if (n <= 0)
			fail_msg("%s: %s", want[i][0], edit_refusal_name(edit_ret.refused));
		pdu = read_back(SIM_SMPP, n);
		sim_says(pdu.stat, want[i][1]);
		sim_says(pdu.err, strchr(want[i][0], ':') != NULL ? want[i][0] : "000");
		sim_says(pdu.msgid, "7");
	}
}

/* The TLVs say the same as the text; an err that says something stays. */
static void stat_and_its_tlvs(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STAT, .map = edit_map("states"), .keep_err = true };
	static const char text[] = "id:7 stat:MI:0010 err:021 text:";
	struct sim_pdu pdu;
	int n;

	(void)state;
	INFOX_SMPP;
	edit_deliver(text, strlen(text), 4, 0);
	edit_add_tlv(0x001e, "7", 2);
	edit_add_tlv(0x0423, "\3\0\x1b", 3);
	edit_add_tlv(0x1403, "vendor", 6);
	edit_add_tlv(0x0427, "\5", 1);
	n = edit_one(d);
	pdu = read_back(SIM_SMPP, n);
	sim_says(pdu.stat, "EXPIRED");
	sim_says(pdu.err, "021");
	edit_says(0, "stat", "MI:0010", "EXPIRED");
	edit_counts(1, "message_state", 5, 3);
	assert_int_equal(edit_ret.change_count, 2);
	d = (struct rule_def){ .action = EDIT_MAP_STAT, .to = "DELIVRD" };
	n = edit_one(d);
	sim_says(read_back(SIM_SMPP, n).stat, "DELIVRD");
	assert_int_equal(edit_ret.change_count, 3);
	edit_counts(1, "message_state", 5, 2);
	assert_true(memmem(edit_out, (size_t)n, "\x04\x23\0\3\3\0\0", 7) != NULL);
	assert_memory_equal(edit_ret.changes[2].now.p, "\3\0\0", 3);
	assert_true(memmem(edit_out, (size_t)n, "\x14\x03\0\6vendor\x04\x27\0\1\2", 15) != NULL);
	/* a state of four octets, which some send */
	edit_deliver(text, strlen(text), 4, 0);
	edit_add_tlv(0x0423, "\3\0\x1b", 3);
	edit_add_tlv(0x0427, "\0\0\5", 3);
	n = edit_one(d);
	assert_true(memmem(edit_out, (size_t)n, "\x04\x23\0\3\3\0\0\x04\x27\0\3\0\0\2", 14) != NULL);
	/* TLVs alone */
	edit_vector("smpp-deliver_sm-receipt-tlvonly");
	d.to = "EXPIRED";
	n = edit_one(d);
	assert_int_equal(n, edit_in_len);
	edit_counts(0, "message_state", 2, 3);
}

/* The stat that was goes into err only where the message has room for it. */
static void stat_that_does_not_fit_into_err(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STAT, .map = edit_map("states"), .keep_err = true };
	char text[254];
	int n;

	(void)state;
	INFOX_SMPP;
	for (size_t len = sizeof(text) - 4; len <= sizeof(text) - 3; len++) {
		memset(text, 'x', sizeof(text));
		memcpy(text, "id:7 stat:MI:0001 err:000 text:", 31);
		edit_deliver(text, len, 4, 0);
		n = edit_one(d);
		assert_true(n > 0 && edit_has(n, len == sizeof(text) - 4 ? "stat:EXPIRED err:MI:0001 text:"
			: "stat:EXPIRED err:000 text:"));
		assert_int_equal(edit_out[41], len == sizeof(text) - 4 ? 254 : 251);
	}
}

static void stat_in_ucs2(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STAT, .to = "REJECTD" };
	int n;

	(void)state;
	INFOX_SMPP;
	edit_receipt("smpp-ucs2", 1);
	n = edit_one(d);
	assert_int_equal(n, edit_in_len);
	edit_says(0, "stat", "UNDELIV", "REJECTD");
	assert_true(memmem(edit_out, (size_t)n, "\0s\0t\0a\0t\0:\0R\0E\0J\0E\0C\0T\0D\0 \0e", 28) != NULL);
	edit_receipt("smpp-ucs2-little-endian", 1);
	n = edit_one(d);
	assert_int_equal(n, edit_in_len);
	assert_true(memmem(edit_out, (size_t)n, "t\0:\0R\0E\0J\0E\0C\0T\0D\0 \0e\0", 22) != NULL);
}

/* The text of data_sm, and of a deliver_sm whose message is in message_payload. */
static void stat_in_payload(void **state)
{
	struct rule_def d = { .action = EDIT_MAP_STAT, .to = "REJECTD", .keep_err = true };
	int n;

	(void)state;
	INFOX_SMPP;
	edit_vector("smpp-deliver_sm-receipt-payload");
	n = edit_one(d);
	assert_true(n > 0 && edit_has(n, "stat:REJECTD"));
	assert_int_equal(edit_ret.changes[0].rule, 0);
	edit_receipt("smpp-data_sm", 1);
	n = edit_one(d);
	assert_true(n > 0 && edit_has(n, "stat:REJECTD"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rule_touches_nothing),
		cmocka_unit_test(status_by_map),
		cmocka_unit_test(status_by_class_and_by_value),
		cmocka_unit_test(status_of_aliyun),
		cmocka_unit_test(result_of_cmpp),
		cmocka_unit_test(status_of_a_cmpp_login),
		cmocka_unit_test(stat_of_cmpp),
		cmocka_unit_test(stat_families_of_infox),
		cmocka_unit_test(stat_and_its_tlvs),
		cmocka_unit_test(stat_that_does_not_fit_into_err),
		cmocka_unit_test(stat_in_ucs2),
		cmocka_unit_test(stat_in_payload),
	};

	return cmocka_run_group_tests(tests, edit_setup, edit_teardown);
}
