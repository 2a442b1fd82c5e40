#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/record.h"

/* 2026-11-21 19:17:00.123456789 at +08:00 */
#define NOON 1795259820123456789ull

static const struct code_table submit_table = { .name = "infox-submit" };
static const struct code_table gateway_table = { .name = "infox-gateway" };
static const struct code_table prefix_table = { .name = "infox-report-prefix" };
static const struct code_table smc_table = { .name = "infox-smc" };
static const struct code_table smpp_table = { .name = "smpp-status" };
static const struct code_row flow = { .zh = "流量控制错", .en = "flow control error",
	.cls = CLASS_THROTTLED, .origin = ORIGIN_GATEWAY, .retry = RETRY_LATER };
static const struct code_row no_route = { .zh = "找不到路由", .en = "no route",
	.cls = CLASS_ROUTING, .origin = ORIGIN_GATEWAY, .retry = RETRY_NEVER };
static const struct code_row mb = { .zh = "SMSC返回错误响应消息时的状态报告", .en = "SMSC answered with an error",
	.cls = CLASS_UNDELIVERABLE, .origin = ORIGIN_SMSC, .retry = RETRY_NA };
static const struct code_row address = { .zh = "地址错误", .en = "address error",
	.cls = CLASS_NUMBER, .origin = ORIGIN_GATEWAY, .retry = RETRY_FIX };
static const struct code_row throttled = { .name = "ESME_RTHROTTLED", .zh = "超速", .en = "throttled",
	.cls = CLASS_THROTTLED, .origin = ORIGIN_SMSC, .retry = RETRY_LATER };
static const struct code_row delivered = { .zh = "短消息成功送达", .en = "delivered", .cls = CLASS_OK };

static const struct record_style plain = { .mask = MASK_PART, .utc_offset_s = 8 * 3600 };

static struct span text(const char *s)
{
	return span_of(s, strlen(s));
}

static struct record *new_record(enum record_kind kind, const char *link)
{
	static struct record r;

	memset(&r, 0x5a, sizeof(r)); /* nothing may depend on what record_init() leaves alone */
	record_init(&r, kind);
	r.wall_ns = NOON;
	r.link = link;
	r.id = 7;
	r.session = 17;
	return &r;
}

static const char *line_of(const struct record *r, const struct record_style *style, bool json)
{
	static char line[RECORD_LINE_MAX + 1];
	size_t n = json ? record_line_json(r, style, line, RECORD_LINE_MAX)
			: record_line_text(r, style, line, RECORD_LINE_MAX);

	assert_in_range(n, 1, RECORD_LINE_MAX);
	assert_int_equal(line[n - 1], '\n');
	line[n] = '\0';
	return line;
}

static json_t *object_of(const struct record *r)
{
	json_error_t error;
	json_t *j = json_loads(line_of(r, &plain, true), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
			       &error);

	if (j == NULL)
		fail_msg("%s: %s", error.text, line_of(r, &plain, true));
	return j;
}

static const char *word_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "(none)";
}

static struct code_answer answer_of(const struct code_table *table, const struct code_row *row)
{
	return (struct code_answer){ .table = table, .row = row };
}

static struct record *submit_resp(void)
{
	struct record *r = new_record(REC_SUBMIT_RESP, "cmcc-bj");

	r->has_pdu = true;
	r->from = SIDE_GW;
	r->cmd = "CMPP_SUBMIT_RESP";
	r->proto = &proto_cmpp;
	r->dialect = 0x20;
	r->sequence = 10421;
	r->has_code = true;
	r->code_label = "result";
	r->code = 8;
	r->answers[0] = answer_of(&submit_table, &flow);
	r->answer_count = 1;
	r->msgid = text("1121191700-104-7");
	r->has_rtt = true;
	r->rtt_us = 41000;
	return r;
}

static void submit_resp_line(void **state)
{
	struct record *r = submit_resp();
	json_t *j = object_of(r);

	(void)state;
	assert_string_equal(line_of(r, &plain, false),
		"2026-11-21T19:17:00.123+08:00 cmcc-bj  SUBMIT_RESP  seq=10421 result=8 "
		"«流量控制错 / flow control error» msgid=1121191700-104-7 rtt=41ms "
		"origin=gateway retry=later table=infox-submit\n");
	assert_string_equal(word_of(j, "ts"), "2026-11-21T19:17:00.123456+08:00");
	assert_string_equal(word_of(j, "ev"), "submit_resp");
	assert_string_equal(word_of(j, "link"), "cmcc-bj");
	assert_string_equal(word_of(j, "dir"), "gw>sp");
	assert_string_equal(word_of(j, "proto"), "CMPP 2.0");
	assert_string_equal(word_of(j, "cmd"), "CMPP_SUBMIT_RESP");
	assert_int_equal(json_integer_value(json_object_get(j, "id")), 7);
	assert_int_equal(json_integer_value(json_object_get(j, "sess")), 17);
	assert_int_equal(json_integer_value(json_object_get(j, "seq")), 10421);
	assert_int_equal(json_integer_value(json_object_get(j, "code")), 8);
	assert_string_equal(word_of(j, "table"), "infox-submit");
	assert_string_equal(word_of(j, "zh"), "流量控制错");
	assert_string_equal(word_of(j, "en"), "flow control error");
	assert_string_equal(word_of(j, "class"), "throttled");
	assert_string_equal(word_of(j, "origin"), "gateway");
	assert_string_equal(word_of(j, "retry"), "later");
	assert_int_equal(json_integer_value(json_object_get(j, "rtt_us")), 41000);
	json_decref(j);
}

static void smpp_status_is_eight_hex_digits(void **state)
{
	struct record *r = submit_resp();

	(void)state;
	r->proto = &proto_smpp;
	r->dialect = 0x34;
	r->cmd = "submit_sm_resp";
	r->code_label = "status";
	r->code = 0x58;
	r->answers[0] = answer_of(&smpp_table, &throttled);
	r->msgid = text("");
	assert_string_equal(
		line_of(r, &plain, false),
		"2026-11-21T19:17:00.123+08:00 cmcc-bj  SUBMIT_RESP  seq=10421 status=0x00000058 "
		"«超速 / throttled» name=ESME_RTHROTTLED rtt=41ms origin=smsc retry=later "
		"table=smpp-status\n");
}

static void report_line_nests_meanings(void **state)
{
	struct record *r = new_record(REC_REPORT, "cmcc-bj");
	static const uint8_t id[8] = { 0xb4, 0xc5, 0x53, 0x00, 0x00, 0x01, 0x00, 0x07 };
	json_t *j, *nested;

	(void)state;
	r->has_pdu = true;
	r->from = SIDE_GW;
	r->cmd = "CMPP_DELIVER";
	r->proto = &proto_cmpp;
	r->dialect = 0x20;
	r->msgid = span_of(id, sizeof(id));
	r->msgid_binary = true;
	r->has_code = r->code_is_text = true;
	r->code_label = "stat";
	r->code_text = text("MB:0064");
	r->answers[0] = answer_of(&prefix_table, &mb);
	r->answers[0].has_nested = true;
	memcpy(r->answers[0].nested_text, "0064", 5);
	r->answers[0].nested_count = 1;
	r->answers[0].nested[0].table = &smc_table;
	r->answers[0].nested[0].row = &address;
	r->answer_count = 1;
	r->dst = text("13800001234");
	assert_string_equal(
		line_of(r, &plain, false),
		"2026-11-21T19:17:00.123+08:00 cmcc-bj  REPORT       msgid=1109172112-1-7 "
		"stat=MB:0064 "
		"«SMSC返回错误响应消息时的状态报告 → 地址错误 / SMSC answered with an error → "
		"address error» "
		"dst=138****1234 origin=smsc retry=fix table=infox-report-prefix>infox-smc\n");
	j = object_of(r);
	assert_string_equal(word_of(j, "code"), "MB:0064");
	assert_string_equal(word_of(j, "dst"), "138****1234");
	assert_string_equal(word_of(j, "class"), "number");
	nested = json_array_get(json_object_get(j, "nested"), 0);
	assert_string_equal(word_of(nested, "code"), "0064");
	assert_string_equal(word_of(nested, "table"), "infox-smc");
	assert_string_equal(word_of(nested, "zh"), "地址错误");
	json_decref(j);

	r->answers[0].nested_count = 0;
	assert_non_null(strstr(line_of(r, &plain, false),
			       "→ 0064 未知 / SMSC answered with an error → 0064 unknown»"));
	r->answers[0].nested_foreign = true;
	assert_non_null(strstr(line_of(r, &plain, false), "→ 0064 peer's own»"));
	j = object_of(r);
	assert_true(json_is_true(
		json_object_get(json_array_get(json_object_get(j, "nested"), 0), "foreign")));
	json_decref(j);
}

static void ambiguous_readings_are_visible(void **state)
{
	struct record *r = submit_resp();
	json_t *j;

	(void)state;
	r->answers[0].ambiguous = true;
	r->answers[1] = answer_of(&gateway_table, &no_route);
	r->answers[1].ambiguous = true;
	r->answer_count = 2;
	assert_non_null(strstr(line_of(r, &plain, false),
		"«流量控制错 / flow control error | 找不到路由 / no route»"));
	assert_non_null(strstr(line_of(r, &plain, false), " table=infox-submit|infox-gateway\n"));
	j = object_of(r);
	assert_true(json_is_true(json_object_get(j, "ambiguous")));
	assert_string_equal(word_of(json_array_get(json_object_get(j, "also"), 0), "table"),
			    "infox-gateway");
	json_decref(j);
}

static void unknown_is_said_to_be_unknown(void **state)
{
	struct record *r = submit_resp();
	json_t *j;

	(void)state;
	r->answer_count = 0;
	assert_non_null(strstr(line_of(r, &plain, false), "result=8 «未知 / unknown» msgid="));
	assert_null(strstr(line_of(r, &plain, false), "table="));
	j = object_of(r);
	assert_string_equal(word_of(j, "class"), "unknown");
	json_decref(j);
}

static void language_is_chosen(void **state)
{
	struct record_style zh = plain, en = plain;
	struct record *r = submit_resp();

	(void)state;
	zh.lang = LANG_ZH;
	en.lang = LANG_EN;
	assert_non_null(strstr(line_of(r, &zh, false), "result=8 «流量控制错» msgid"));
	assert_non_null(strstr(line_of(r, &en, false), "result=8 «flow control error» msgid"));
}

static void color_follows_the_class(void **state)
{
	struct record_style color = plain;
	struct record *r = submit_resp();

	(void)state;
	color.color = true;
	assert_non_null(strstr(line_of(r, &color, false), "\x1b[33mSUBMIT_RESP \x1b[0m"));
	r->answers[0].row = &no_route;
	assert_non_null(strstr(line_of(r, &color, false), "\x1b[31mSUBMIT_RESP \x1b[0m"));
	r->answers[0].row = &delivered;
	assert_non_null(strstr(line_of(r, &color, false), "\x1b[32m«短消息成功送达 / delivered»\x1b[0m"));
	assert_null(strchr(line_of(r, &plain, false), 0x1b));
	assert_null(strstr(line_of(r, &color, true), "\x1b"));
}

/* Links of several lengths stand in line once the longest was seen. */
static void columns_stand_in_line(void **state)
{
	struct record_style wide = plain;
	struct record *r = submit_resp();
	const char *line;
	ptrdiff_t at;

	(void)state;
	wide.link_width = 12;
	r->link = "a";
	line = line_of(r, &wide, false);
	at = strstr(line, "SUBMIT_RESP") - line;
	r->link = "twelve-chars";
	line = line_of(r, &wide, false);
	assert_int_equal(strstr(line, "SUBMIT_RESP") - line, at);
}

static void times_are_right(void **state)
{
	static const struct { uint64_t ns; int offset; const char *text; } rows[] = {
		{ 0, 0, "1970-01-01T00:00:00.000+00:00" },
		{ 951782399999999999ull, 0, "2000-02-28T23:59:59.999+00:00" },
		{ 951782400000000000ull, 0, "2000-02-29T00:00:00.000+00:00" },
		{ 1709251199000000000ull, 0, "2024-02-29T23:59:59.000+00:00" },
		{ 1709251200000000000ull, 0, "2024-03-01T00:00:00.000+00:00" },
		{ 1735689599500000000ull, 0, "2024-12-31T23:59:59.500+00:00" },
		{ 1735689600000000000ull, -5 * 3600 - 1800, "2024-12-31T18:30:00.000-05:30" },
		{ 2147483648000000000ull, 0, "2038-01-19T03:14:08.000+00:00" },
		{ 4102444800000000000ull, 5 * 3600 + 2700, "2100-01-01T05:45:00.000+05:45" },
		{ 4107542400000000000ull, 0, "2100-03-01T00:00:00.000+00:00" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char to[64];
		struct out o = out_of(to, sizeof(to));

		record_time(&o, rows[i].ns, rows[i].offset, 3);
		out_char(&o, '\0');
		assert_string_equal(to, rows[i].text);
	}
}

static void durations_are_short(void **state)
{
	static const struct { uint64_t us; const char *text;
	} rows[] = {
		{0, "0.0ms"},        {450, "0.4ms"},        {9999, "9.9ms"},
		{41000, "41ms"},     {999999, "999ms"},     {4200000, "4.2s"},
		{65000000, "1m05s"}, {7380000000, "2h03m"}, {273600000000, "3d04h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char to[64];
		struct out o = out_of(to, sizeof(to));

		record_duration(&o, rows[i].us);
		out_char(&o, '\0');
		assert_string_equal(to, rows[i].text);
	}
}

/* faults.md O1 to O5: what a peer may put into any field. */
static void foreign_octets_stay_inside_their_value(void **state)
{
	static const struct { const char *octets; size_t n;
	} rows[] = {
#define ROW(s) { s, sizeof(s) - 1 }
		ROW("\n"),
		ROW("\r\n2026-01-01T00:00:00.000+08:00 x  LOGIN FAKE"),
		ROW("\0\0"),
		ROW("\x1b[2J\x1b]52;c;eA==\x07"),
		ROW("\x9b"
		    "31m"),
		ROW("\xc2\x9b"
		    "31m"),
		ROW("\x7f"),
		ROW("\xe2\x80\xae"
		    "abc"),
		ROW("\xe2\x80\x8b"),
		ROW("\xef\xbb\xbf"),
		ROW("\xe2\x80\xa8\xe2\x80\xa9"),
		ROW("\xc0\xaf"),
		ROW("\xed\xa0\x80"),
		ROW("\xff\xfe\xfd"),
		ROW("\xe4\xb8"),
		ROW("%n%s%s%s%1$n"),
		ROW("\"},{\"ev\":\"fake\""),
		ROW("a b=c \xc2\xbb result=0"),
		ROW("\\"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct span s = span_of(rows[i].octets, rows[i].n);
		struct record *r = submit_resp();
		const char *line, *p;
		int newlines = 0, equals = 0;
		json_t *j;

		r->code_is_text = true;
		r->code_text = r->err = r->msgid = r->dst = r->src = s;
		record_text_extra(r, "system_id", s);
		r->has_body = r->has_text = true;
		r->charset = CHARSET_ASCII;
		r->body = s;
		line = line_of(r, &plain, false);
		for (p = line; *p != '\0'; p++) {
			newlines += *p == '\n';
			equals += *p == '=';
			assert_true((uint8_t)*p >= 0x20 || *p == '\n');
			assert_int_not_equal(*p, 0x7f);
			assert_false((uint8_t)p[0] == 0xc2 && (uint8_t)p[1] < 0xa0);
		}
		assert_int_equal(newlines, 1);
		assert_int_equal(equals, 13);
		j = object_of(r);
		assert_string_equal(word_of(j, "ev"), "submit_resp");
		json_decref(j);
	}
}

static void over_long_values_are_left_off_whole(void **state)
{
	char big[RECORD_LINE_MAX];
	struct record *r = submit_resp();
	json_t *j;

	(void)state;
	memset(big, '\n', sizeof(big));
	record_text_extra(r, "first", span_of(big, sizeof(big)));
	record_text_extra(r, "second", text("fits"));
	assert_null(strstr(line_of(r, &plain, false), "first="));
	assert_non_null(strstr(line_of(r, &plain, false), "second=fits"));
	assert_non_null(strstr(line_of(r, &plain, false), " cut=1\n"));
	j = object_of(r);
	assert_true(json_is_true(json_object_get(j, "cut")));
	assert_string_equal(word_of(j, "second"), "fits");
	json_decref(j);
}

/* Whatever the room, a line is complete. */
static void any_room_gives_a_whole_line(void **state)
{
	char line[1024];
	struct record *r = submit_resp();

	(void)state;
	record_text_extra(r, "system_id", text("ac\"me\n"));
	for (size_t cap = 64; cap < sizeof(line); cap++) {
		json_error_t error;
		size_t n = record_line_json(r, &plain, line, cap);
		json_t *j = json_loadb(line, n, 0, &error);

		assert_in_range(n, 1, cap);
		assert_non_null(j);
		json_decref(j);
		n = record_line_text(r, &plain, line, cap);
		assert_in_range(n, 1, cap);
		assert_int_equal(line[n - 1], '\n');
	}
}

static void text_is_shown_only_where_allowed(void **state)
{
	struct record_style open = plain;
	struct record *r = submit_resp();

	(void)state;
	open.show_text = true;
	r->has_body = true;
	r->charset = CHARSET_UCS2;
	r->body = span_of("\x4f\x60\x59\x7d\x00\"", 6);
	r->body_len = 6;
	assert_non_null(strstr(line_of(r, &open, false), "len=6"));
	assert_null(strstr(line_of(r, &open, false), "你好"));
	r->has_text = true;
	assert_null(strstr(line_of(r, &plain, false), "你好"));
	assert_null(strstr(line_of(r, &plain, true), "你好"));
	assert_non_null(strstr(line_of(r, &open, false), " text=\"你好\\u0022\""));
	assert_non_null(strstr(line_of(r, &open, true), "\"text\":\"你好\\\"\""));
}

/* What stands after a key is one word or in quotes, our own words included. */
static void words_with_blanks_are_quoted(void **state)
{
	struct record *r = submit_resp();

	(void)state;
	r->has_body = true;
	r->charset = CHARSET_GSM;
	record_words_extra(r, "step", "in traffic");
	assert_non_null(
		strstr(line_of(r, &plain, false), " step=\"in traffic\" enc=\"GSM 03.38\" "));
}

static void err_keeps_its_nested_meaning(void **state)
{
	struct record *r = submit_resp();
	json_t *j;

	(void)state;
	r->err = text("MB:0064");
	r->err_answers[0] = answer_of(&prefix_table, &mb);
	r->err_answers[0].has_nested = true;
	r->err_answers[0].nested_count = 1;
	r->err_answers[0].nested[0].table = &smc_table;
	r->err_answers[0].nested[0].row = &address;
	r->err_answer_count = 1;
	j = object_of(r);
	assert_string_equal(word_of(j, "err"), "MB:0064");
	assert_string_equal(word_of(j, "err_table"), "infox-report-prefix");
	assert_string_equal(word_of(json_array_get(json_object_get(j, "err_nested"), 0), "zh"),
		"地址错误");
	json_decref(j);
	assert_non_null(strstr(line_of(r, &plain, false), " err=MB:0064 «SMSC返回"));
	assert_non_null(
		strstr(line_of(r, &plain, false), " err_table=infox-report-prefix>infox-smc\n"));
}

static void kinds_have_names(void **state)
{
	(void)state;
	for (int k = 0; k < REC_COUNT; k++)
		assert_int_equal(record_kind_of(record_kind_name((enum record_kind)k)), k);
	assert_int_equal(record_kind_of("nonsense"), SM_ENONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submit_resp_line),
		cmocka_unit_test(smpp_status_is_eight_hex_digits),
		cmocka_unit_test(report_line_nests_meanings),
		cmocka_unit_test(ambiguous_readings_are_visible),
		cmocka_unit_test(unknown_is_said_to_be_unknown),
		cmocka_unit_test(language_is_chosen),
		cmocka_unit_test(color_follows_the_class),
		cmocka_unit_test(columns_stand_in_line),
		cmocka_unit_test(times_are_right),
		cmocka_unit_test(durations_are_short),
		cmocka_unit_test(foreign_octets_stay_inside_their_value),
		cmocka_unit_test(over_long_values_are_left_off_whole),
		cmocka_unit_test(any_room_gives_a_whole_line),
		cmocka_unit_test(text_is_shown_only_where_allowed),
		cmocka_unit_test(words_with_blanks_are_quoted),
		cmocka_unit_test(err_keeps_its_nested_meaning),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
