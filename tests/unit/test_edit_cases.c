#include "edit_case.h"

/* What a rule may meet that is not usual, and rules that only tell. */

#define SMPP(version) edit_link(&proto_smpp, version, "infox")

static bool has(int n, const void *part, size_t len)
{
	return memmem(edit_out, (size_t)n, part, len) != NULL;
}

/* One number, in the text in one base and in the TLV in the other: afterwards in both as it is asked for. */
static void id_in_two_bases(void **state)
{
	static const struct {
		const char *text, *tlv;
		enum edit_base base;
		const char *now, *changed;
	} cases[] = {
		{ "59113978", "38601FA", ID_BASE_HEX_TO_DEC, "59113978", "receipted_message_id" },
		{ "38601fa", "59113978", ID_BASE_HEX_TO_DEC, "59113978", "id" },
		{ "59113978", "38601FA", ID_BASE_DEC_TO_HEX, "38601FA", "id" },
		{ "38601FA", "0059113978", ID_BASE_DEC_TO_HEX, "38601FA", "receipted_message_id" },
	};
	char text[100];

	(void)state;
	SMPP(0x34);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule_def d = { .action = EDIT_MESSAGE_ID, .base = cases[i].base, .letters = ID_CASE_UPPER };
		char tlv[32] = { 0 };
		size_t n = (size_t)snprintf(text, sizeof(text), "id:%s stat:DELIVRD err:000 text:", cases[i].text);
		int len;

		edit_deliver(text, n, 4, 0);
		edit_add_tlv(0x001e, cases[i].tlv, strlen(cases[i].tlv) + 1);
		len = edit_one(d);
		assert_true(len > 0);
		assert_int_equal(edit_ret.change_count, 1);
		assert_string_equal(edit_ret.changes[0].field, cases[i].changed);
		n = (size_t)snprintf(text, sizeof(text), "id:%s ", cases[i].now);
		assert_true(has(len, text, n));
		n = (size_t)snprintf(tlv + 4, sizeof(tlv) - 4, "%s", cases[i].now) + 1;
		memcpy(tlv, "\0\x1e\0", 3);
		tlv[3] = (char)n;
		assert_true(has(len, tlv, 4 + n));
	}
	/* In one base both: both are another number in the other. */
	edit_deliver("id:10 stat:DELIVRD err:000 text:", 32, 4, 0);
	edit_add_tlv(0x001e, "10", 3);
	assert_true(edit_one((struct rule_def){ .action = EDIT_MESSAGE_ID, .base = ID_BASE_HEX_TO_DEC }) > 0);
	edit_says(0, "id", "10", "16");
	edit_says(1, "receipted_message_id", "10", "16");
}

static void ids_that_do_not_fit(void **state)
{
	(void)state;
	SMPP(0x34);
	edit_deliver("id:0x00 stat:DELIVRD err:000 text:", 34, 4, 0);
	edit_refused(edit_one((struct rule_def){ .action = EDIT_MESSAGE_ID, .strip_zeros = true }), EDIT_VALUE);
	edit_refused(edit_one((struct rule_def){ .action = EDIT_MESSAGE_ID, .id_width = 12 }), EDIT_VALUE);
	/* SMPP 3.3: eight octets and a NUL. */
	for (int version = 0x33; version <= 0x34; version++) {
		struct rule_def d = { .action = EDIT_MESSAGE_ID, .base = ID_BASE_HEX_TO_DEC,
			.pdus = 1u << CTX_SUBMIT_RESP };

		SMPP((uint8_t)version);
		edit_hex("00000019 80000004 00000000 00000007 6666666666666666 00");
		if (version == 0x33) {
			edit_refused(edit_one(d), EDIT_WIDTH);
		} else {
			assert_true(edit_one(d) > 0);
			edit_says(0, "message_id", "ffffffff", "4294967295");
		}
	}
}

/* A message that is too long already may change what does not make it longer. */
static void longer_than_it_may_be(void **state)
{
	char text[256];

	(void)state;
	SMPP(0x34);
	memset(text, 'x', sizeof(text));
	memcpy(text, "id:1f stat:DELIVRD text:", 24);
	edit_deliver(text, 255, 4, 0);
	assert_true(edit_one((struct rule_def){ .action = EDIT_MESSAGE_ID, .letters = ID_CASE_UPPER }) > 0);
	edit_says(0, "id", "1f", "1F");
}

/* network_error_code has three octets, whatever the err becomes. */
static void err_is_wider_than_its_tlv(void **state)
{
	int n;

	(void)state;
	SMPP(0x34);
	edit_deliver("id:7 stat:UNDELIV err:021 text:", 31, 4, 0);
	edit_add_tlv(0x0423, "021", 3);
	n = edit_one((struct rule_def){ .action = EDIT_ERR_WIDTH, .err_width = 4 });
	assert_true(n > 0);
	assert_int_equal(edit_ret.change_count, 1);
	edit_says(0, "err", "021", "0021");
	assert_true(has(n, "\x04\x23\0\3" "021", 7));
}

static void words_that_were_there(void **state)
{
	int n;

	(void)state;
	SMPP(0x34);
	edit_hex("0000001f 80000004 00000039 00000007 00 001d 000a 6f6c6420776f726473 00");
	n = edit_one((struct rule_def){ .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .lang = LANG_EN });
	assert_true(n > 0);
	edit_says(0, "additional_status_info_text", "old words", "flow control error");
	assert_true(has(n, "flow control error", 19));
}

/* In SMPP a code of replace means what one of submit does; what is remembered of cancel says nothing of it. */
static void cancel_and_replace(void **state)
{
	static const char *const pdus[] = { "00000010 80000008 00000039 00000001", "00000010 80000007 00000039 00000002" };
	const struct rule_def d = { .name = "r", .action = EDIT_MAP_STATUS, .to = "0x58",
		.classes = 1u << CLASS_THROTTLED };

	(void)state;
	for (int first = 0; first < 2; first++) {
		struct rule_set *rules = rule_set_new(&d, 1, edit_fault, NULL);

		SMPP(0x34);
		for (int i = 0; i < 2; i++) {
			int which = (first + i) % 2;

			edit_hex(pdus[which]);
			assert_int_equal(edit_pdu(rules, &edit_ctx, SIDE_GW, span_of(edit_in, edit_in_len), edit_out,
				sizeof(edit_out), &edit_ret), which == 1 ? 16 : 0);
		}
		rule_set_free(rules);
	}
}

/* An edit that is not made keeps no other from being made; one that would not be is told apart. */
static void refused_beside_others(void **state)
{
	struct rule_def d[] = {
		{ .name = "errs", .action = EDIT_ERR_WIDTH, .err_width = 3 },
		{ .name = "ids", .action = EDIT_MESSAGE_ID, .letters = ID_CASE_UPPER },
	};

	(void)state;
	SMPP(0x34);
	edit_deliver("id:1f stat:DELIVRD err:5308 text:", 33, 4, 0);
	assert_true(edit_rules(d, 2, sizeof(edit_out)) > 0);
	assert_int_equal(edit_ret.change_count, 1);
	assert_int_equal(edit_ret.refused, EDIT_WIDTH);
	assert_int_equal(edit_ret.refused_rule, 0);
	assert_int_equal(edit_ret.dry_refused, EDIT_FINE);
	d[0].dry_run = true;
	assert_true(edit_rules(d, 2, sizeof(edit_out)) > 0);
	assert_int_equal(edit_ret.change_count, 1);
	assert_false(edit_ret.changes[0].dry_run);
	assert_int_equal(edit_ret.refused, EDIT_FINE);
	assert_int_equal(edit_ret.dry_refused, EDIT_WIDTH);
	assert_int_equal(edit_ret.dry_refused_rule, 0);
}

/* A rule that only tells is kept from it by what keeps it from doing it later. */
static void only_told(void **state)
{
	struct rule_def d[] = {
		{ .name = "first", .action = EDIT_NONE, .stop = true },
		{ .name = "tried", .action = EDIT_MESSAGE_ID, .letters = ID_CASE_UPPER, .dry_run = true },
		{ .name = "behind", .action = EDIT_MESSAGE_ID, .base = ID_BASE_HEX_TO_DEC },
	};

	(void)state;
	SMPP(0x34);
	edit_deliver("id:1f stat:DELIVRD err:000 text:", 32, 4, 0);
	assert_int_equal(edit_rules(d, 3, sizeof(edit_out)), 0);
	assert_int_equal(edit_ret.matched, 1);
	d[0].stop = false;
	d[0].log = true;
	assert_true(edit_rules(d, 3, sizeof(edit_out)) > 0);
	assert_int_equal(edit_ret.matched, 7);
	assert_int_equal(edit_ret.change_count, 2);
	/* The same action before it */
	d[0] = d[2];
	d[0].name = "first";
	assert_true(edit_rules(d, 3, sizeof(edit_out)) > 0);
	assert_int_equal(edit_ret.matched, 1);
	/* It stops others that only tell, none that does something. */
	d[0] = (struct rule_def){ .name = "first", .action = EDIT_NONE, .stop = true, .dry_run = true };
	assert_true(edit_rules(d, 3, sizeof(edit_out)) > 0);
	assert_int_equal(edit_ret.matched, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_in_two_bases),
		cmocka_unit_test(ids_that_do_not_fit),
		cmocka_unit_test(longer_than_it_may_be),
		cmocka_unit_test(err_is_wider_than_its_tlv),
		cmocka_unit_test(words_that_were_there),
		cmocka_unit_test(cancel_and_replace),
		cmocka_unit_test(refused_beside_others),
		cmocka_unit_test(only_told),
	};

	return cmocka_run_group_tests(tests, edit_setup, edit_teardown);
}
