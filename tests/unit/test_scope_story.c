#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/scope.h"

/*
 * Submit, response and report through the scopes of one account: rows X1, X3, X4, X6 and X8 of the
 * fault list. PDUs are written out from the layouts of the specifications (SMPP 3.4, 4.4 to 4.6 and 5.3;
 * CMPP 2.0, 7.4); "@" stands for the sequence number.
 */

enum { LIMIT = 256, SECOND = 1000000 };

static const uint64_t wall_at_first = 1795259820123456789ull;

static struct story_table *stories;
static struct scope_link links[2];
static uint32_t unanswered;
static struct scope *sessions[3];
static struct scope_work work;
static uint64_t now_us, wall_ns;
static void *memory;

static int set_up(void **state)
{
	static const struct code_profile *none[] = { NULL };
	size_t bytes = (story_bytes(LIMIT) + 63) & ~(size_t)63;

	(void)state;
	memory = aligned_alloc(64, bytes);
	if (memory == NULL)
		return -1;
	memset(memory, 0, bytes);
	stories = story_init(memory, bytes, LIMIT, 5000);
	unanswered = 0;
	now_us = 100 * SECOND;
	wall_ns = wall_at_first;
	for (int i = 0; i < 2; i++)
		links[i] = (struct scope_link){ .name = i == 0 ? "eu" : "bj",
			.proto = i == 0 ? &proto_smpp : &proto_cmpp, .profiles = none, .pending = 64,
			.answer_us = 60 * SECOND, .probe_us = 10 * SECOND, .late_us = 3600ull * SECOND,
			.stories = stories, .account = story_key("acme"), .index = (uint16_t)i,
			.key = story_key(i == 0 ? "eu" : "bj"), .unanswered = &unanswered };
	for (int i = 0; i < 3; i++)
		sessions[i] = scope_new(&links[i == 2], (uint64_t)i + 1, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		scope_free(sessions[i]);
	assert_int_equal(unanswered, 0);
	free(memory);
	return 0;
}

/* Lengths and sequence numbers are filled in: the first four octets, and four for each '@'. */
static int give(int session, enum side from, const char *hex, uint32_t sequence, bool may_wait,
	bool again)
{
	static uint8_t octets[1024]; /* the records point into it */
	size_t n = 4;
	struct scope_frame f = { .from = from, .may_wait = may_wait, .again = again,
		.mono_us = now_us, .wall_ns = wall_ns };

	while (*hex != '\0') {
		unsigned v;

		if (*hex == ' ') {
			hex++;
		} else if (*hex == '@') {
			bytes_put_u32(octets + n, sequence);
			n += 4;
			hex++;
		} else if (*hex == '\'') {
			for (hex++; *hex != '\''; hex++)
				octets[n++] = (uint8_t)*hex;
			hex++;
		} else {
			assert_int_equal(sscanf(hex, "%2x", &v), 1);
			octets[n++] = (uint8_t)v;
			hex += 2;
		}
	}
	bytes_put_u32(octets, (uint32_t)n);
	f.octets = span_of(octets, n);
	return scope_pdu(sessions[session], &f, &work);
}

static int take(int session, enum side from, const char *hex, uint32_t sequence)
{
	return give(session, from, hex, sequence, false, false);
}

static void has(const char *text)
{
	char line[RECORD_LINE_MAX + 1], all[4 * RECORD_LINE_MAX] = "";
	static const struct record_style style = { .mask = MASK_PART };

	for (int i = 0; i < work.count; i++) {
		line[record_line_json(&work.records[i], &style, line, RECORD_LINE_MAX)] = '\0';
		if (strstr(line, text) != NULL)
			return;
		strcat(all, line);
	}
	fail_msg("no %s in %s", text, all);
}

static void has_not(const char *text)
{
	char line[RECORD_LINE_MAX + 1];
	static const struct record_style style = { .mask = MASK_PART };

	for (int i = 0; i < work.count; i++) {
		line[record_line_json(&work.records[i], &style, line, RECORD_LINE_MAX)] = '\0';
		if (strstr(line, text) != NULL)
			fail_msg("%s in %s", text, line);
	}
}

#define SUBMIT_SM(esm, rest) "00000004 00000000 @ 00 0101'1069'00 0101'8613800138000'00 " esm \
	" 0000 00 00 01 00 00 00 " rest
#define SUBMIT_SM_RESP(id) "80000004 00000000 @ '" id "'00"
#define RECEIPT(text, n) "00000005 00000000 @ 00 0101'8613800138000'00 0101'1069'00 04 0000 00 00 00 00 " \
	"00 00 " n " '" text "'"
#define REPORT_OF(id) RECEIPT("id:" id " stat:DELIVRD err:000", "1c") /* ids of four octets */
#define INTERIM_OF(id) RECEIPT("id:" id " stat:ENROUTE err:000", "1c")
#define ENQUIRE_LINK "00000015 00000000 @"
#define ENQUIRE_LINK_RESP "80000015 00000000 @"

/* X8: parts told apart by SAR TLVs; the second is refused and sent again. */
static void parts_by_tlvs(void **state)
{
	static const char *const part[] = {
		SUBMIT_SM("00", "05'hello' 020c00021234 020e000103 020f000101"),
		SUBMIT_SM("00", "05'hello' 020c00021234 020e000103 020f000102"),
		SUBMIT_SM("00", "05'hello' 020c00021234 020e000103 020f000103"),
	};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(take(i % 2, SIDE_SP, part[i], 10 + i), 1);
		has(i == 1 ? "\"part\":\"2/3\"" : "/3\"");
		has("\"story\":5000");
	}
	assert_int_equal(take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 10), 1);
	has("\"story\":5000");
	has("\"part\":\"1/3\"");
	assert_int_equal(take(1, SIDE_GW, "80000004 00000058 @", 11), 1);
	has("\"story\":5000");
	assert_int_equal(take(0, SIDE_GW, SUBMIT_SM_RESP("id03"), 12), 1);
	assert_int_equal(take(1, SIDE_SP, part[1], 13), 1);
	has("\"story\":5000");
	assert_int_equal(take(1, SIDE_GW, SUBMIT_SM_RESP("id02"), 13), 1);
	assert_int_equal(take(0, SIDE_GW, REPORT_OF("id03"), 1), 1);
	has("\"story\":5000");
	has("\"part\":\"3/3\",\"parts_reported\":\"1/3\"");
	has_not("submit_sess");
	assert_int_equal(take(0, SIDE_GW, INTERIM_OF("id02"), 2), 1);
	has("\"interim\":true");
	has("\"parts_reported\":\"1/3\"");
	has("\"submit_sess\":2");
	assert_int_equal(take(0, SIDE_GW, REPORT_OF("id02"), 3), 1);
	has("\"nth\":2");
	has("\"parts_reported\":\"2/3\"");
	assert_int_equal(take(0, SIDE_GW, REPORT_OF("id01"), 4), 1);
	has("\"parts_reported\":\"3/3\"");
	/* The same reference, later: another message. */
	assert_int_equal(take(0, SIDE_SP, part[0], 20), 1);
	has("\"story\":5001");
}

/* Parts told apart by a user data header; what a submit without parts has. */
static void parts_by_header(void **state)
{
	(void)state;
	take(0, SIDE_SP, SUBMIT_SM("40", "0b 050003340201 'hello'"), 1);
	has("\"story\":5000");
	has("\"part\":\"1/2\"");
	take(0, SIDE_SP, SUBMIT_SM("40", "0b 050003340202 'hello'"), 2);
	has("\"story\":5000");
	take(0, SIDE_SP, SUBMIT_SM("40", "0b 050003350202 'hello'"), 3);
	has("\"story\":5001");
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 4);
	has("\"story\":5002");
	has_not("part");
}

#define CMPP_NUMBER "'13800138000' 00000000000000000000"
#define CMPP_SUBMIT(total, number) "00000004 @ 0000000000000000 " total number "01 01 " \
	"'service001' 00 " CMPP_NUMBER " 00 00 0f '900001' '01' '000000' " \
	"0000000000000000000000000000000000 0000000000000000000000000000000000 " \
	"'10690001' 00000000000000000000000000 01 " CMPP_NUMBER " 02 'hi' 0000000000000000"
#define CMPP_SUBMIT_RESP(id) "80000004 @ " id " 00"

/* CMPP has no reference: parts of one message follow one another. */
static void parts_by_fields(void **state)
{
	(void)state;
	take(2, SIDE_SP, CMPP_SUBMIT("02", "01"), 1);
	has("\"ev\":\"submit\"");
	has("\"story\":5000");
	has("\"part\":\"1/2\"");
	take(2, SIDE_SP, CMPP_SUBMIT("02", "02"), 2);
	has("\"story\":5000");
	take(2, SIDE_SP, CMPP_SUBMIT("02", "01"), 3);
	has("\"story\":5001");
	take(2, SIDE_GW, CMPP_SUBMIT_RESP("b2b9da8000010001"), 3);
	has("\"story\":5001");
	has("\"part\":\"1/2\"");
}

/* X6: a report that is there first is given back, and told when the response has come, or never will. */
static void a_report_may_wait(void **state)
{
	(void)state;
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1);
	assert_int_equal(unanswered, 1);
	assert_int_equal(give(1, SIDE_GW, REPORT_OF("id01"), 9, true, false), 0);
	assert_true(work.wait);
	assert_false(story_known(stories, &work.waiting));
	assert_int_equal(scope_oldest_us(sessions[0]), now_us);
	now_us += 2 * SECOND;
	take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 1);
	assert_int_equal(unanswered, 0);
	assert_int_equal(give(1, SIDE_GW, REPORT_OF("id01"), 9, false, true), 1);
	assert_false(work.wait);
	has("\"match\":\"exact\"");
	has("\"early\":true");
	has("\"after_ms\":2000");
	/* Taken in once: its response finds one request. */
	assert_int_equal(take(1, SIDE_SP, "80000005 00000008 @ 00", 9), 1);
	has_not("unmatched");
	assert_int_equal(take(1, SIDE_SP, "80000005 00000008 @ 00", 9), 1);
	has("unmatched");
	assert_int_equal(give(1, SIDE_GW, REPORT_OF("id09"), 10, false, false), 1);
	has("\"match\":\"none\"");
	has_not("after_ms");
}

/* X1: the wall clock goes where it likes, and into 2038; what is measured is not its business. */
static void the_wall_clock_jumps(void **state)
{
	static const int64_t jumps[] = { 3600, -3600, 86400, -86400, 400000000, -1700000000 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		wall_ns = wall_at_first;
		take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1);
		wall_ns += (uint64_t)jumps[i] * 1000000000u;
		now_us += 40000;
		take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 1);
		has("\"rtt_us\":40000");
		if (i == 4)
			has("\"ts\":\"2039-07-");
		now_us += 4 * SECOND;
		wall_ns = wall_at_first - (uint64_t)jumps[i] * 1000000000u;
		take(0, SIDE_GW, REPORT_OF("id01"), 100 + i);
		has("\"match\":\"exact\"");
		has("\"after_ms\":4040");
		has_not("late");
		assert_int_equal(scope_overdue(sessions[0], now_us, wall_ns, &work), 0);
	}
}

/* X3: a report from before its submit, by whatever clock, came after no time at all. */
static void never_before_its_submit(void **state)
{
	(void)state;
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1);
	take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 1);
	now_us -= 3 * SECOND;
	take(0, SIDE_GW,
		RECEIPT("id:id01 submit date:9912312359 done date:0001010000 stat:DELIVRD err:000",
			"48"), 7);
	has("\"after_ms\":0");
	has("\"submitted\":\"9912312359\"");
}

/* X4: sequence numbers wrap, and come back while an old request still waits. */
static void sequence_numbers_come_back(void **state)
{
	static const uint32_t numbers[] = { 0x7fffffff, 1, 0xffffffff, 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), numbers[i]);
	for (size_t i = 0; i < 4; i++) {
		take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), numbers[i]);
		has("rtt_us");
		has_not("unmatched");
	}
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1);
	now_us += 6 * SECOND;
	assert_int_equal(take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1), 2);
	has("\"ev\":\"stall\"");
	has("\"reason\":\"superseded\"");
	has("\"age_ms\":6000");
	now_us += 30000;
	take(0, SIDE_GW, SUBMIT_SM_RESP("id02"), 1);
	has("\"rtt_us\":30000");
	assert_int_equal(unanswered, 0);
}

static void what_is_overdue_is_told_once(void **state)
{
	struct scope_summary x;

	(void)state;
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 1);
	take(0, SIDE_SP, ENQUIRE_LINK, 2);
	take(0, SIDE_GW, ENQUIRE_LINK, 3);
	now_us += SECOND;
	take(0, SIDE_SP, ENQUIRE_LINK_RESP, 3);
	now_us += 10 * SECOND;
	assert_int_equal(scope_overdue(sessions[0], now_us, wall_ns, &work), 1);
	has("\"ev\":\"stall\"");
	has("\"cmd\":\"enquire_link\",\"seq\":2");
	has("\"reason\":\"unanswered\",\"pdu\":\"enquire_link\",\"from\":\"sp\",\"age_ms\":11000");
	assert_int_equal(scope_overdue(sessions[0], now_us, wall_ns, &work), 0);
	take(0, SIDE_SP, ENQUIRE_LINK, 4);
	scope_summary(sessions[0], &x);
	assert_int_equal(x.probe_open_us[SIDE_SP], now_us - 11 * SECOND);
	assert_int_equal(x.probe_open_us[SIDE_GW], 0);
	assert_int_equal(x.probe_rtt_us[SIDE_GW], SECOND);
	take(0, SIDE_GW, ENQUIRE_LINK_RESP, 4);
	now_us += 50 * SECOND;
	assert_int_equal(scope_overdue(sessions[0], now_us, wall_ns, &work), 1);
	has("\"seq\":1,\"story\":5000,\"dst\":\"861****8000\"");
	assert_int_equal(scope_overdue(sessions[0], now_us + 600 * SECOND, wall_ns, &work), 0);
	/* Too late is not never. */
	take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 1);
	has("\"rtt_us\":61000000");
	has("\"story\":5000");
}

/* The SP wanted reports of failures only: that there is none is no news. */
static void who_wants_no_report(void **state)
{
	struct story x;
	bool full;

	(void)state;
	take(0, SIDE_SP,
		"00000004 00000000 @ 00 0101'1069'00 0101'8613800138000'00 00 0000 00 00 02 00 00 00 00",
		1);
	take(0, SIDE_GW, SUBMIT_SM_RESP("id01"), 1);
	assert_false(story_expire(stories, UINT64_MAX, 1, 0, &x, &full));
	take(0, SIDE_SP, SUBMIT_SM("00", "05 'hello'"), 2);
	take(0, SIDE_GW, SUBMIT_SM_RESP("id02"), 2);
	assert_true(story_expire(stories, UINT64_MAX, 1, 0, &x, &full));
	assert_string_equal(x.dst, "8613800138000");
	assert_memory_equal(x.id, "id02", 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(parts_by_tlvs),
		TEST(parts_by_header),
		TEST(parts_by_fields),
		TEST(a_report_may_wait),
		TEST(the_wall_clock_jumps),
		TEST(never_before_its_submit),
		TEST(sequence_numbers_come_back),
		TEST(what_is_overdue_is_told_once),
		TEST(who_wants_no_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
