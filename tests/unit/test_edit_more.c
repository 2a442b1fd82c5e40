#include "edit_case.h"

/*
 * Ids, widths, annotations, refusals, and which rule it is. Row P19 of the fault list: what does not fit
 * 254 octets or a fixed field, or would break the order of TLVs, leaves the original.
 */

#define INFOX edit_link(&proto_smpp, 0x34, "infox")

static void id_in_receipts(void **state)
{
	struct rule_def d = { .action = EDIT_MESSAGE_ID, .base = ID_BASE_HEX_TO_DEC };
	static const char text[] = "id:38601fa sub:001 dlvrd:001 stat:DELIVRD err:000 text:id:38601fa";
	int n;

	(void)state;
	INFOX;
	edit_deliver(text, strlen(text), 4, 0);
	edit_add_tlv(0x001e, "038601FA", 9);
	edit_add_tlv(0x0427, "\2", 1);
	n = edit_one(d);
	assert_true(n > 0);
	edit_says(0, "id", "38601fa", "59113978");
	edit_says(1, "receipted_message_id", "038601FA", "59113978");
	assert_true(edit_has(n, "id:59113978 sub:001 dlvrd:001 stat:DELIVRD err:000 text:id:38601fa"));
	assert_true(memmem(edit_out, (size_t)n, "\0\x1e\0\x09" "59113978\0\x04\x27\0\1\2", 18) != NULL);
	assert_int_equal(edit_out[41], strlen(text) + 1);
	/* and back, with case and width */
	memcpy(edit_in, edit_out, (size_t)n);
	edit_in_len = (size_t)n;
	d = (struct rule_def){ .action = EDIT_MESSAGE_ID, .base = ID_BASE_DEC_TO_HEX,
		.letters = ID_CASE_UPPER, .id_width = 8 };
	n = edit_one(d);
	edit_says(0, "id", "59113978", "038601FA");
	edit_says(1, "receipted_message_id", "59113978", "038601FA");
	/* not a number of that base: neither of the two is touched */
	edit_deliver("id:xyz stat:DELIVRD err:000 text:", 33, 4, 0);
	edit_add_tlv(0x001e, "12", 3);
	edit_refused(edit_one(d), EDIT_VALUE);
	d = (struct rule_def){ .action = EDIT_MESSAGE_ID, .strip_zeros = true };
	edit_deliver("id:000 stat:DELIVRD err:000 text:", 33, 4, 0);
	n = edit_one(d);
	edit_says(0, "id", "000", "0");
}

static void id_in_responses(void **state)
{
	struct rule_def d = { .action = EDIT_MESSAGE_ID, .base = ID_BASE_DEC_TO_HEX,
		.pdus = 1u << CTX_SUBMIT_RESP };
	char hex[300] = "00000051 80000004 00000000 0a342ee1";
	int n;

	(void)state;
	INFOX;
	edit_vector("smpp-submit_sm_resp-1");
	n = edit_one(d);
	assert_true(n > 0);
	edit_says(0, "message_id", "94258431594", "15f23d866a");
	assert_int_equal(bytes_u32(edit_out), n);
	assert_memory_equal(edit_out + 16, "15f23d866a", 11);
	edit_vector("smpp-submit_sm_resp-nobody");
	assert_int_equal(edit_one(d), 0);
	assert_int_equal(edit_ret.refused, EDIT_FINE);
	/* 64 characters and a NUL is all there may be */
	for (int i = 0; i < 64; i++)
		strcat(hex, "41");
	strcat(hex, "00");
	edit_hex(hex);
	d = (struct rule_def){ .action = EDIT_MESSAGE_ID, .letters = ID_CASE_LOWER, .id_width = 65,
		.pdus = 1u << CTX_SUBMIT_RESP };
	edit_refused(edit_one(d), EDIT_WIDTH);
	d.id_width = 64;
	assert_int_equal(edit_one(d), 81);
	assert_int_equal(edit_out[16], 'a');
	/* a CMPP id is a number of eight octets */
	edit_link(&proto_cmpp, 0x20, "infox");
	edit_vector("cmpp-submit_resp-20");
	assert_int_equal(edit_one(d), 0);
}

static void err_of_another_width(void **state)
{
	static const struct code_map_row rows[] = {
		{ .lo = 1, .text = "MB:", .prefix = true, .word = "064" },
		{ .lo = 1, .text = "5308", .word = "308" },
	};
	const struct code_map map = { .name = "mine", .kind = MAP_ERR, .sides = CODE_ANY, .row_count = 2,
		.rows = rows };
	struct rule_def d = { .action = EDIT_ERR_WIDTH, .err_width = 3 };
	static const char *const want[][2] = { { "0000", "000" }, { "0021", "021" }, { "1", "001" },
		{ "000", "" }, { "5308", "!" }, { "MB:0064", "!" }, { "21b", "" }, { "0a1b", "a1b" } };
	char text[100], wanted[100];
	int n;

	(void)state;
	INFOX;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		snprintf(text, sizeof(text), "id:7 stat:UNDELIV err:%s text:x", want[i][0]);
		snprintf(wanted, sizeof(wanted), "id:7 stat:UNDELIV err:%s text:x", want[i][1]);
		edit_deliver(text, strlen(text), 4, 0);
		n = edit_one(d);
		if (want[i][1][0] == '!')
			edit_refused(n, EDIT_WIDTH);
		else if (want[i][1][0] == '\0')
			assert_int_equal(n, 0);
		else
			assert_true(n > 0 && edit_has(n, wanted));
	}
	d.map = &map;
	edit_deliver("id:7 stat:UNDELIV err:5308 text:x", 33, 4, 0);
	n = edit_one(d);
	edit_says(0, "err", "5308", "308");
	edit_receipt("smpp-err-infox", 1);
	n = edit_one(d);
	edit_says(0, "err", "MB:0064", "064");
	d = (struct rule_def){ .action = EDIT_ERR_WIDTH, .err_width = 4 };
	edit_vector("smpp-deliver_sm-receipt-asciinec"); /* network_error_code holds digits */
	n = edit_one(d);
	assert_true(n >= 0);
}

static void meaning_as_tlv(void **state)
{
	struct rule_def d = { .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .lang = LANG_EN };
	static const char text[] = "flow control error";
	int n;

	(void)state;
	INFOX;
	edit_hex("00000010 80000004 00000039 00000007");
	n = edit_one(d);
	assert_int_equal(n, 16 + 1 + 4 + sizeof(text));
	assert_memory_equal(edit_out + 16, "\0\0\x1d\0\x13", 5);
	assert_memory_equal(edit_out + 21, text, sizeof(text));
	assert_true(edit_ret.changes[0].added);
	/* with a body, with TLVs, with one of this tag */
	edit_vector("smpp-submit_sm_resp-err-body");
	n = edit_one(d);
	assert_true(n > (int)edit_in_len);
	assert_memory_equal(edit_out + 4, edit_in + 4, edit_in_len - 4);
	edit_vector("smpp-submit_sm_resp-50tlvs");
	n = edit_one(d);
	assert_string_equal(edit_ret.changes[0].field, "additional_status_info_text");
	assert_false(edit_ret.changes[0].added);
	assert_memory_equal(edit_out + n - 12, edit_in + edit_in_len - 12, 12);
	/* the id without its NUL gets it */
	edit_hex("00000011 80000004 00000039 00000007 39");
	n = edit_one(d);
	assert_memory_equal(edit_out + 16, "9\0\0\x1d", 4);
	/* success needs no words unless they are asked for; 3.3 has no TLVs */
	edit_vector("smpp-submit_sm_resp-1");
	assert_int_equal(edit_one(d), 0);
	d.classes = 1u << CLASS_OK;
	assert_true(edit_one(d) > 0);
	d.classes = 0;
	edit_ctx.dialect = 0x33;
	edit_hex("00000010 80000004 00000039 00000007");
	edit_refused(edit_one(d), EDIT_VERSION);
	/* a query response without its fields cannot have a state made up */
	edit_ctx.dialect = 0x34;
	edit_hex("00000010 80000003 00000067 00000007");
	edit_refused(edit_one(d), EDIT_NO_FIELD);
}

static void meaning_in_chinese(void **state)
{
	struct rule_def d = { .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV | ANNOTATE_TEXT,
		.lang = LANG_ZH };
	int n;

	(void)state;
	INFOX;
	edit_hex("00000010 80000004 00000039 00000007");
	n = edit_one(d);
	assert_true(edit_has(n, "流量控制错"));
	/* a receipt in ASCII has no Chinese, one in UCS-2 has */
	edit_deliver("id:7 stat:UNDELIV err:021 text:x", 32, 4, 0);
	edit_refused(edit_one(d), EDIT_CHARSET);
	edit_receipt("smpp-ucs2", 1);
	n = edit_one(d);
	assert_true(n > 0);
	assert_true(memmem(edit_out, (size_t)n, "\0t\0e\0x\0t\0:\x6d\x88\x60\x6f", 14) != NULL);
	edit_receipt("smpp-ucs2-little-endian", 1);
	n = edit_one(d);
	assert_true(n > 0);
	assert_true(memmem(edit_out, (size_t)n, "t\0:\0\x88\x6d\x6f\x60", 8) != NULL);
}

static void meaning_in_text(void **state)
{
	struct rule_def d = { .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TEXT, .lang = LANG_EN };
	char text[255];
	int n;

	(void)state;
	INFOX;
	edit_deliver("id:7 stat:MB:0064 err:000 text:hello", 36, 4, 0);
	n = edit_one(d);
	assert_true(n > 0 && edit_has(n, "text:status report when the SMSC"));
	assert_true(edit_has(n, "-> address error"));
	edit_deliver("id:7 stat:MB:0064 err:000", 25, 4, 0);
	edit_refused(edit_one(d), EDIT_NO_FIELD);
	/* at the limit: 254 octets go, 255 do not, unless they may move */
	for (int extra = 0; extra < 2; extra++) {
		n = snprintf(text, sizeof(text), "id:%.*s stat:UNDELIV err:0 text:x", 202 + extra,
			"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
			"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
			"00000000000000000000000000000000000000000000");
		edit_deliver(text, (size_t)n, 4, 0);
		n = edit_one(d);
		if (extra == 0)
			assert_int_equal(edit_out[41], 254);
		else
			edit_refused(n, EDIT_TOO_LONG);
	}
	d.to_payload = true;
	n = edit_one(d);
	assert_int_equal(edit_out[41], 0);
	assert_memory_equal(edit_out + 42, "\x04\x24\x00\xff" "id:000", 10);
	assert_int_equal(n, 42 + 4 + 255);
	edit_ctx.max_pdu = 300;
	edit_refused(edit_one(d), EDIT_TOO_LONG);
	edit_ctx.max_pdu = 0;
	edit_ctx.dialect = 0x33;
	edit_refused(edit_one(d), EDIT_VERSION);
	edit_ctx.dialect = 0x34;
	edit_add_tlv(0x0424, "x", 1);
	edit_refused(edit_one(d), EDIT_TOO_LONG);
}

/* Not to its last octet: not to be edited. And every room that is too small is told. */
static void what_is_left_alone(void **state)
{
	struct rule_def d = { .name = "r", .action = EDIT_MAP_STAT, .to = "REJECTD" };
	int n;

	(void)state;
	INFOX;
	edit_deliver("id:7 stat:UNDELIV err:021 text:x", 32, 4, 0);
	n = edit_one(d);
	for (size_t cap = 0; cap < (size_t)n; cap++)
		edit_refused(edit_rules(&d, 1, cap), EDIT_NO_ROOM);
	assert_int_equal(edit_rules(&d, 1, (size_t)n), n);
	edit_in[edit_in_len++] = 0;
	bytes_put_u32(edit_in, (uint32_t)edit_in_len);
	edit_refused(edit_one(d), EDIT_PARSE);
	edit_in_len -= 5;
	bytes_put_u32(edit_in, (uint32_t)edit_in_len);
	edit_refused(edit_one(d), EDIT_PARSE);
}

/* One set, one context, several PDUs: what the first leaves behind does not hide the second. */
static void what_is_remembered(void **state)
{
	static const char *const pdus[] = { "00000010 80000004 00000000 00000007",
		"00000013 80000004 00000000 00000007 613100" };
	const struct rule_def defs[] = {
		{ .name = "id", .action = EDIT_MESSAGE_ID, .letters = ID_CASE_UPPER,
		  .pdus = 1u << CTX_SUBMIT_RESP },
		{ .name = "err", .action = EDIT_ERR_WIDTH, .err_width = 3 },
	};
	struct rule_set *rules = rule_set_new(defs, 2, edit_fault, NULL);

	(void)state;
	INFOX;
	for (size_t i = 0; i < 2; i++) {
		if (i == 0)
			edit_hex(pdus[0]);
		else
			edit_deliver("id:7 stat:DELIVRD text:xxx", 26, 4, 0);
		assert_int_equal(edit_pdu(rules, &edit_ctx, SIDE_GW, span_of(edit_in, edit_in_len),
			edit_out, sizeof(edit_out), &edit_ret), 0);
		assert_int_equal(edit_ret.refused, EDIT_FINE);
		if (i == 0)
			edit_hex(pdus[1]);
		else
			edit_deliver("id:7 stat:DELIVRD err:0000 text:xxx", 35, 4, 0);
		assert_true(edit_pdu(rules, &edit_ctx, SIDE_GW, span_of(edit_in, edit_in_len), edit_out,
			sizeof(edit_out), &edit_ret) > 0);
	}
	rule_set_free(rules);
}

/* Two words that are remembered in one place are two words. */
static void words_are_told_apart(void **state)
{
	const char *const code[] = { "DELETED" };
	const struct rule_def def = { .name = "d", .action = EDIT_MAP_STAT, .to = "UNDELIV",
		.codes = code, .code_count = 1 };
	struct rule_set *rules = rule_set_new(&def, 1, edit_fault, NULL);

	(void)state;
	INFOX;
	for (int i = 0; i < 4; i++) {
		edit_deliver(i % 2 == 0 ? "id:7 stat:DELIVRD err:000" : "id:7 stat:DELETED err:000", 25, 4,
			0);
		assert_int_equal(edit_pdu(rules, &edit_ctx, SIDE_GW, span_of(edit_in, edit_in_len),
			edit_out, sizeof(edit_out), &edit_ret) > 0, i % 2);
	}
	rule_set_free(rules);
}

/* P19: every TLV stays where it was, repeated ones too; what is added comes last. */
static void tlvs_keep_their_order(void **state)
{
	static const uint16_t tags[] = { 0x0427, 0x1403, 0x001e, 0x0427, 0x0423, 0x001e, 0x0424 };
	struct rule_def d[] = {
		{ .name = "state", .action = EDIT_MAP_STAT, .to = "DELIVRD" },
		{ .name = "id", .action = EDIT_MESSAGE_ID, .base = ID_BASE_HEX_TO_DEC },
	};
	char text[254];
	struct tlv t;
	struct pdu pdu;
	size_t at = 0;
	int n;

	(void)state;
	INFOX;
	memset(text, 'x', sizeof(text));
	memcpy(text, "id:1f stat:UNDELIV text:", 24);
	edit_deliver(text, sizeof(text), 4, 0);
	edit_add_tlv(0x0427, "\5", 1);
	edit_add_tlv(0x1403, "v", 1);
	edit_add_tlv(0x001e, "1F", 3);
	edit_add_tlv(0x0427, "\5", 1);
	edit_add_tlv(0x0423, "\3\0\x1b", 3);
	edit_add_tlv(0x001e, "", 0);
	n = edit_rules(d, 2, sizeof(edit_out));
	assert_true(n > 0);
	assert_int_equal(edit_out[41], 254); /* 1f and 31 are as long */
	memcpy(edit_in + 42, "id:FFFF stat:UNDELIV text:", 26); /* 65535 is one longer */
	edit_refused(edit_rules(&d[1], 1, sizeof(edit_out)), EDIT_TOO_LONG);
	d[1].to_payload = true;
	n = edit_rules(d, 2, sizeof(edit_out));
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(edit_out, (size_t)n)), SM_OK);
	assert_int_equal(pdu_uint(&pdu, F_SM_LENGTH), 0);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		assert_int_equal(tlv_next(&pdu, &at, &t), 1);
		assert_int_equal(t.tag, tags[i]);
	}
	assert_int_equal(tlv_next(&pdu, &at, &t), 0);
	assert_int_equal(t.value.n, 255);
}

static void first_of_each_action_wins(void **state)
{
	const char *const throttled[] = { "57" }, *const dst[] = { "86138" }, *const other[] = { "7" };
	struct rule_def d[] = {
		{ .name = "tried", .action = EDIT_MAP_STATUS, .to = "1", .codes = throttled,
		  .code_count = 1, .dry_run = true },
		{ .name = "first", .action = EDIT_MAP_STATUS, .to = "2", .codes = throttled,
		  .code_count = 1, .log = true },
		{ .name = "second", .action = EDIT_MAP_STATUS, .to = "3", .codes = throttled,
		  .code_count = 1 },
		{ .name = "note", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .lang = LANG_EN },
	};
	int n;

	(void)state;
	INFOX;
	edit_hex("00000010 80000004 00000039 00000007");
	n = edit_rules(d, 4, sizeof(edit_out));
	assert_true(n > 16);
	assert_int_equal(bytes_u32(edit_out + 8), 2);
	assert_int_equal(edit_ret.change_count, 3);
	assert_true(edit_ret.changes[0].dry_run);
	assert_int_equal(edit_ret.changes[0].now_number, 1);
	assert_int_equal(edit_ret.matched, 1 | 2 | 8);
	assert_int_equal(edit_ret.logged, 2);
	d[1].stop = true;
	assert_int_equal(edit_rules(d, 4, sizeof(edit_out)), 16);
	d[1].action = EDIT_NONE;
	d[1].to = NULL;
	assert_int_equal(edit_rules(d, 4, sizeof(edit_out)), 0);
	assert_int_equal(edit_ret.matched, 1 | 2);
	assert_int_equal(edit_ret.change_count, 1);
	/* by destination and by account */
	d[0] = (struct rule_def){ .name = "dst", .action = EDIT_MAP_STAT, .to = "REJECTD", .dst = dst,
		.dst_count = 1 };
	edit_deliver("id:7 stat:UNDELIV err:021 text:x", 32, 4, 0);
	assert_true(edit_rules(d, 1, sizeof(edit_out)) > 0);
	d[0].dst = other;
	assert_int_equal(edit_rules(d, 1, sizeof(edit_out)), 0);
	d[0].dst_count = 0;
	d[0].accounts = other;
	d[0].account_count = 1;
	assert_int_equal(edit_rules(d, 1, sizeof(edit_out)), 0);
	edit_ctx.account = edit_span("7");
	assert_true(edit_rules(d, 1, sizeof(edit_out)) > 0);
}

static int faults;

static void count_fault(void *arg, int rule, const char *key, const char *what)
{
	(void)arg;
	assert_true(rule >= -1 && what[0] != '\0');
	faults += key != NULL;
}

#define REPORT (1u << CTX_REPORT)
#define SUBMIT (1u << CTX_SUBMIT_RESP)
#define CODES(list) .codes = (list), .code_count = sizeof(list) / sizeof((list)[0])

/* One fault each. */
static void rules_that_are_none(void **state)
{
	const char *const odd[] = { "9-3" }, *const all[] = { "*" }, *const word[] = { "MB:0064" };
	const char *const range[] = { "50-60" }, *const both[] = { "57", "MB:*" }, *const dst[] = { "138" };
	const struct code_map_row long_row = { .lo = 1, .is_default = true, .word = "0064", .line = 7 };
	const struct code_map err = { .name = "e", .kind = MAP_ERR, .sides = CODE_ANY, .row_count = 1,
		.rows = &long_row, .file = "e.conf" };
	const struct rule_def d[] = {
		{ .action = EDIT_MAP_STAT, .to = "UNDELIV", .classes = 1 },
		{ .name = "a", .action = EDIT_MAP_STAT, .to = "undeliv", .classes = 1 },
		{ .name = "b", .action = EDIT_MAP_STAT },
		{ .name = "c", .action = EDIT_MAP_STATUS, .to = "5" },
		{ .name = "c1", .action = EDIT_MAP_STATUS, .to = "5", .pdus = SUBMIT },
		{ .name = "c2", .action = EDIT_MAP_STAT, .to = "UNDELIV", .dst = dst, .dst_count = 1 },
		{ .name = "d", .action = EDIT_MAP_STATUS, .to = "x", .classes = 1 },
		{ .name = "e", .action = EDIT_MAP_STAT, .map = edit_map("infox-to-smpp34") },
		{ .name = "f", .action = EDIT_MAP_STAT, .map = edit_map("states"), .pdus = 1u << CTX_LOGIN },
		{ .name = "g", .action = EDIT_ERR_WIDTH, .err_width = 5 },
		{ .name = "g1", .action = EDIT_ERR_WIDTH, .err_width = 3, .map = &err },
		{ .name = "h", .action = EDIT_MESSAGE_ID },
		{ .name = "i", .action = EDIT_ANNOTATE },
		{ .name = "i1", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TEXT, .pdus = SUBMIT },
		{ .name = "i2", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .pdus = REPORT },
		{ .name = "i3", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV | ANNOTATE_TEXT,
		  .pdus = REPORT },
		{ .name = "i4", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .proto = &proto_cmpp },
		{ .name = "i5", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .to_payload = true },
		{ .name = "j", .action = EDIT_NONE, .stop = true, CODES(odd) },
		{ .name = "k", .action = EDIT_NONE, .stop = true, CODES(all) },
		{ .name = "l", .action = EDIT_NONE },
		{ .name = "m", .action = EDIT_NONE, .stop = true, .pdus = SUBMIT, CODES(word) },
		{ .name = "n", .action = EDIT_NONE, .stop = true, .pdus = REPORT, CODES(range) },
		{ .name = "o", .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-smpp34"), CODES(both) },
		{ .name = "p", .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-smpp34"),
		  .proto = &proto_cmpp },
		{ .name = "q", .action = EDIT_MAP_STATUS, .map = edit_map("infox-to-smpp34"),
		  .pdus = 1u << CTX_DELIVER_RESP },
		{ .name = "r", .action = EDIT_MAP_STAT, .map = edit_map("states"), .proto = &proto_smpp,
		  .from = 1u << SIDE_SP },
		{ .name = "s", .action = EDIT_NONE, .stop = true, .pdus = SUBMIT | 1u << CTX_LOGIN,
		  .dst = dst, .dst_count = 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(d) / sizeof(d[0]); i++) {
		faults = 0;
		assert_null(rule_set_new(&d[i], 1, count_fault, NULL));
		if (faults != 1)
			fail_msg("rule %s: %d faults", d[i].name, faults);
	}
	for (int i = 0; i < EDIT_REFUSALS; i++)
		assert_string_not_equal(edit_refusal_name((enum edit_refusal)i), "unknown");
	for (int i = 0; i < EDIT_ACTIONS; i++)
		assert_string_not_equal(edit_action_name((enum edit_action)i), "unknown");
}

/* Nearly such, and there is something that they can do. */
static void rules_that_can_be(void **state)
{
	const char *const word[] = { "MB:0064", "57" }, *const number[] = { "57" }, *const dst[] = { "138" };
	const struct code_map_row row = { .lo = 1, .is_default = true, .word = "064" };
	const struct code_map err = { .name = "e", .kind = MAP_ERR, .sides = CODE_ANY, .row_count = 1,
		.rows = &row };
	const struct rule_def d[] = {
		{ .name = "a", .action = EDIT_MAP_STATUS, .to = "5", .origins = 1u << ORIGIN_SCP },
		{ .name = "b", .action = EDIT_MAP_STAT, .to = "UNDELIV", CODES(number) },
		{ .name = "c", .action = EDIT_ERR_WIDTH, .err_width = 3, .map = &err },
		{ .name = "d", .action = EDIT_NONE, .stop = true, CODES(word) },
		{ .name = "e", .action = EDIT_NONE, .log = true, .dst = dst, .dst_count = 1 },
		{ .name = "f", .action = EDIT_MAP_STAT, .map = edit_map("states"), .from = 1u << SIDE_SP,
		  .proto = &proto_cmpp },
	};
	struct rule_set *rules = rule_set_new(d, 6, edit_fault, NULL);

	(void)state;
	assert_non_null(rules);
	assert_int_equal(rule_pdus(rules, 1), REPORT);
	assert_int_equal(rule_pdus(rules, 4), REPORT | SUBMIT | 1u << CTX_CANCEL_RESP | 1u << CTX_NACK);
	/* a word is no number, and so not that of success */
	INFOX;
	edit_hex("00000010 80000004 00000000 00000007");
	assert_int_equal(edit_rules(&d[3], 1, sizeof(edit_out)), 0);
	assert_int_equal(edit_ret.matched, 0);
	rule_set_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_in_receipts),
		cmocka_unit_test(id_in_responses),
		cmocka_unit_test(err_of_another_width),
		cmocka_unit_test(meaning_as_tlv),
		cmocka_unit_test(meaning_in_chinese),
		cmocka_unit_test(meaning_in_text),
		cmocka_unit_test(what_is_left_alone),
		cmocka_unit_test(what_is_remembered),
		cmocka_unit_test(words_are_told_apart),
		cmocka_unit_test(tlvs_keep_their_order),
		cmocka_unit_test(first_of_each_action_wins),
		cmocka_unit_test(rules_that_are_none),
		cmocka_unit_test(rules_that_can_be),
	};

	return cmocka_run_group_tests(tests, edit_setup, edit_teardown);
}
