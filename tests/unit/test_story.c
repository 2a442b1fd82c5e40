#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smscope/story.h"

enum { LIMIT = 64, SECOND = 1000000 };

static struct story_table *table;
static void *memory;
static uint32_t account, other, lab;
static uint64_t now_us = 5 * SECOND;

static int set_up(void **state)
{
	(void)state;
	memory = aligned_alloc(64, (story_bytes(LIMIT) + 63) & ~(size_t)63);
	memset(memory, 0, story_bytes(LIMIT));
	table = story_init(memory, story_bytes(LIMIT), LIMIT, 1000);
	account = story_key("bj");
	other = story_key("sh");
	lab = story_key("lab");
	return table != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static struct span words(const char *s)
{
	return span_of(s, strlen(s));
}

static uint64_t accept_at(const char *id, const char *dst, uint64_t wall_s)
{
	struct story_accepted a = { .account = account, .link = 3, .id = words(id), .dst = words(dst),
		.dst_count = 1, .wants_report = true, .session = 17, .sent_us = now_us,
		.wall_ns = wall_s * 1000000000u };

	story_begin(table, account, words("1069"), words(dst), 0, 0, 0, now_us, &a.part);
	story_accept(table, &a);
	return a.part.number;
}

static uint64_t accepted(const char *id, const char *dst)
{
	return accept_at(id, dst, 1795259820);
}

static struct story_report report_of(const char *id, const char *dst)
{
	return (struct story_report){ .account = account, .link = lab, .id = words(id),
		.dst = words(dst), .final = true, .state = 2 };
}

static bool reported(const char *id, const char *dst, struct story *ret)
{
	struct story_report r = report_of(id, dst);

	return story_match(table, &r, ret);
}

static void each_rule_finds_its_message(void **state)
{
	static const struct {
		const char *response, *report;
		enum id_rule rule;
	} rows[] = {
		{ "7220bb6bd0be98fa", "7220bb6bd0be98fa", ID_EXACT },
		{ "1054AA63", "1054aa63", ID_CASE },
		{ "0001a2b3", "1A2B3", ID_PADDING },
		{ "1500000001", "0000001500000001", ID_PADDING },
		{ "0x3ade68b1", "3ADE68B1", ID_PADDING },
		{ "5e208f8", "98699512", ID_HEX_DEC },
		{ "05E208F8", "98699512", ID_HEX_DEC },
		{ "98699513", "5E208F9", ID_DEC_HEX },
		{ "98699514", "0x05e208fa", ID_DEC_HEX },
		{ "9b3c6b2e-3a49-4f7e-8c0a-4b7e3f7d1c55", "9B3C6B2E-3A49-4F7E-8C0A-4B7E3F7D1C55", ID_CASE },
		{ "123456789012345678901234567890", "123456789012345678901234567890", ID_EXACT },
		{ "a-very-long-message-id-of-sixty-four-octets-as-SMPP-3.4-allows-it",
		  "a-very-long-message-id-of-sixty-four-octets-as-smpp-3.4-allows-it", ID_CASE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct story x;
		uint64_t number;

		tear_down(NULL);
		set_up(NULL);
		number = accepted(rows[i].response, "13800138000");
		assert_true(reported(rows[i].report, "13800138000", &x));
		assert_int_equal(x.rule, rows[i].rule);
		assert_int_equal(x.part.number, number);
		assert_int_equal(x.session, 17);
		assert_int_equal(x.link, 3);
		assert_string_equal(x.dst, "13800138000");
		assert_false(reported("77777777777", "13800138000", &x));
	}
}

static void other_accounts_are_not_looked_at(void **state)
{
	struct story_report r = report_of("77", "13800138000");
	struct story x;

	(void)state;
	accepted("77", "13800138000");
	r.account = other;
	assert_false(story_match(table, &r, &x));
	r.account = account;
	assert_true(story_match(table, &r, &x));
}

static void a_number_in_the_other_base_needs_its_destination(void **state)
{
	struct story x;
	uint64_t in_hex;

	(void)state;
	/* "64" is 100 in decimal and a message of its own. */
	accepted("64", "13800000001");
	in_hex = accepted("100", "13800000002");
	assert_false(reported("256", "13900000009", &x)); /* 0x100 is 256 */
	assert_true(reported("64", "13800000002", &x));
	assert_int_equal(x.part.number, in_hex);
	assert_int_equal(x.rule, ID_DEC_HEX);
	assert_true(reported("64", "8613800000001", &x));
	assert_int_equal(x.rule, ID_EXACT);
	assert_false(x.dst_differs);
	/* As written it is the message, whatever number the report names. */
	accepted("abc", "13800000003");
	assert_true(reported("abc", "13900000004", &x));
	assert_true(x.dst_differs);
}

static void the_habit_of_a_link_decides_between_two(void **state)
{
	struct id_evidence e;
	struct story x;
	char hex[20], dec[20];
	uint64_t number;

	(void)state;
	assert_false(story_evidence_news(table, lab, &e));
	for (unsigned i = 0; i < 30; i++) {
		snprintf(hex, sizeof(hex), "%x", 0xa0000 + i);
		snprintf(dec, sizeof(dec), "%u", 0xa0000 + i);
		accepted(hex, "");
		assert_true(reported(dec, "", &x));
		assert_int_equal(x.rule, ID_HEX_DEC);
		assert_int_equal(story_evidence_news(table, lab, &e), i == 19);
	}
	story_evidence(table, lab, &e);
	assert_int_equal(e.rule, ID_HEX_DEC);
	assert_int_equal(e.matched, 30);
	assert_int_equal(e.reports, 30);
	assert_int_equal(e.by_rule[ID_HEX_DEC], 30);
	number = accepted("4096", ""); /* 0x4096 is 16534, 0x1000 is 4096 */
	accepted("1000", "");
	assert_true(reported("4096", "", &x));
	assert_int_not_equal(x.part.number, number);
	assert_false(reported("no-such-id", "", &x));
	story_evidence(table, lab, &e);
	assert_int_equal(e.matched, 31);
	assert_int_equal(e.reports, 32);
	story_evidence(table, story_key("never heard of"), &e);
	assert_int_equal(e.rule, ID_NONE);
}

static void reports_are_told_apart(void **state)
{
	struct story_report r = report_of("i1", "13800138000");
	struct story x;

	(void)state;
	accepted("i1", "13800138000");
	r.final = false;
	r.state = 1;
	assert_true(story_match(table, &r, &x));
	assert_false(x.duplicate);
	assert_int_equal(x.reports, 1);
	assert_true(story_match(table, &r, &x));
	assert_true(x.duplicate);
	r.state = 6;
	assert_true(story_match(table, &r, &x));
	assert_false(x.duplicate);
	r.final = true;
	r.state = 2;
	assert_true(story_match(table, &r, &x));
	assert_false(x.duplicate);
	assert_int_equal(x.reports, 4);
	assert_true(story_match(table, &r, &x));
	assert_true(x.duplicate);
}

static void an_id_used_again_next_day(void **state)
{
	struct story_report r = report_of("42", "");
	uint64_t first, second, day = 86400, begin = 1795259820;
	struct story x;

	(void)state;
	first = accept_at("42", "", begin);
	now_us += day * SECOND;
	second = accept_at("42", "", begin + day);
	/* The gateway's clock is eight hours ahead of ours. */
	r.wall_ns = (begin + day) * 1000000000u;
	r.submit_date = words("2611211917"); /* eight hours later */
	assert_true(story_match(table, &r, &x));
	assert_int_equal(x.part.number, first);
	r.submit_date = words("2611221917");
	assert_true(story_match(table, &r, &x));
	assert_int_equal(x.part.number, second);
	assert_false(x.duplicate);
	/* Without a time: the newest that still waits. */
	r.submit_date = words("");
	first = accept_at("43", "", begin);
	second = accept_at("43", "", begin);
	r.id = words("43");
	assert_true(story_match(table, &r, &x));
	assert_int_equal(x.part.number, second);
	assert_true(story_match(table, &r, &x));
	assert_int_equal(x.part.number, first);
	assert_false(x.duplicate);
	assert_true(story_match(table, &r, &x));
	assert_true(x.duplicate);
}

static void long_messages_are_joined(void **state)
{
	static const char *const ids[] = { "p1", "p2", "p3" };
	struct story_accepted a = { .account = account, .dst = words("13800138000"), .dst_count = 1 };
	struct story_part again;
	struct story x;
	uint64_t number = 0;

	(void)state;
	for (uint8_t part = 1; part <= 3; part++) {
		story_begin(table, account, words("1069"), words("13800138000"), 0x34, part, 3,
			now_us, &a.part);
		number = part == 1 ? a.part.number : number;
		assert_int_equal(a.part.number, number);
		a.id = words(ids[part - 1]);
		if (part == 2) {
			/* Refused and sent again it is the same message. */
			story_refused(table, &a.part);
			story_begin(table, account, words("1069"), words("13800138000"), 0x34,
				part, 3, now_us, &a.part);
			assert_int_equal(a.part.number, number);
		}
		story_accept(table, &a);
	}
	story_begin(table, account, words("1069"), words("13800138000"), 0x34, 1, 3, now_us, &again);
	assert_int_not_equal(again.number, number);
	story_begin(table, account, words("1069"), words("13900000000"), 0x34, 2, 3, now_us, &again);
	assert_int_not_equal(again.number, number);
	assert_true(reported("p3", "13800138000", &x));
	assert_int_equal(x.part.part, 3);
	assert_int_equal(x.parts_reported, 1);
	assert_true(reported("p1", "13800138000", &x));
	assert_int_equal(x.parts_reported, 2);
	assert_true(reported("p1", "13800138000", &x));
	assert_true(x.duplicate);
	assert_int_equal(x.parts_reported, 2);
	assert_true(reported("p2", "13800138000", &x));
	assert_int_equal(x.parts_reported, 3);
	assert_int_equal(x.part.number, number);
}

static void one_id_for_many_destinations(void **state)
{
	struct story_accepted a = { .account = account, .id = words("m1"), .dst = words("13800000001"),
		.dst_count = 3, .part.number = 7 };
	struct story x;

	(void)state;
	story_accept(table, &a);
	assert_true(reported("m1", "13800000002", &x));
	assert_false(x.duplicate);
	assert_true(reported("m1", "13800000001", &x));
	assert_false(x.duplicate);
	assert_false(x.dst_differs);
	assert_true(reported("m1", "13800000003", &x));
	assert_false(x.duplicate);
	assert_true(reported("m1", "13800000001", &x));
	assert_true(x.duplicate);
	assert_true(reported("m1", "13800000002", &x));
	assert_true(x.duplicate);
}

static void a_msg_id_stands_for_a_range(void **state)
{
	static const uint8_t base[8] = { 0xb2, 0xb9, 0xda, 0x80, 0, 1, 0xff, 0xfe };
	static const uint8_t last[8] = { 0xb2, 0xb9, 0xda, 0x80, 0, 1, 0x00, 0x01 };
	static const uint8_t beyond[8] = { 0xb2, 0xb9, 0xda, 0x80, 0, 1, 0x00, 0x02 };
	struct story_accepted a = { .account = account, .id = span_of(base, 8), .id_binary = true,
		.dst = words("13800000001"), .dst_count = 4, .part.number = 7, .wants_report = true };
	struct story_report r = report_of("", "13800000004");
	struct story x;
	bool full;

	(void)state;
	story_accept(table, &a);
	r.id = span_of(last, 8);
	r.id_binary = true;
	assert_true(story_match(table, &r, &x));
	assert_int_equal(x.part.number, 7);
	assert_true(x.id_binary);
	r.id = span_of(beyond, 8);
	assert_false(story_match(table, &r, &x));
	r.id = span_of(base, 8);
	assert_true(story_match(table, &r, &x));
	/* The members of the range that had none are a guess: nobody is told that they had no report. */
	assert_false(story_expire(table, UINT64_MAX, 1, 0, &x, &full));
}

static void the_oldest_goes_first(void **state)
{
	struct story_counts c;
	struct story x;
	char id[16];
	bool full;

	(void)state;
	for (unsigned i = 0; i < 3 * LIMIT; i++) {
		snprintf(id, sizeof(id), "m%u", i);
		now_us += SECOND;
		accepted(id, "13800138000");
	}
	story_counts(table, &c);
	assert_int_equal(c.entries, LIMIT);
	assert_int_equal(c.evicted, 2 * LIMIT);
	assert_int_equal(c.unreported, 2 * LIMIT);
	assert_false(reported("m127", "", &x));
	assert_true(reported("m128", "", &x));
	assert_true(reported("m191", "", &x));
	/* Room is made, then what is too old goes; those with a report go without a word. */
	assert_true(story_expire(table, now_us, UINT64_MAX, 2, &x, &full));
	assert_true(full);
	assert_memory_equal(x.id, "m129", 4);
	assert_false(story_expire(table, now_us, UINT64_MAX, 2, &x, &full));
	assert_true(story_expire(table, now_us, 50 * SECOND, 2, &x, &full));
	assert_false(full);
	assert_memory_equal(x.id, "m130", 4);
	while (story_expire(table, now_us + 100 * SECOND, 50 * SECOND, 2, &x, &full))
		;
	story_counts(table, &c);
	assert_int_equal(c.entries, 0);
	assert_int_equal(c.aged + c.evicted, 3 * LIMIT);
	assert_int_equal(c.unreported, 3 * LIMIT - 2);
	assert_false(reported("m150", "", &x));
}

/* Every id has the same chain: a gateway that always answers with one. */
static void one_id_for_everything(void **state)
{
	struct story x;

	(void)state;
	for (unsigned i = 0; i < 3 * LIMIT; i++)
		accepted("0", "13800138000");
	assert_true(reported("0", "13800138000", &x));
	assert_true(reported("00", "13800138000", &x));
}

static void another_process_finds_it(void **state)
{
	struct story_table *t;
	struct story_counts c;
	uint32_t broken = 7;
	struct story x;
	size_t bytes = story_bytes(LIMIT);
	char *copy;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char id[16];

		snprintf(id, sizeof(id), "m%u", i);
		accepted(id, "13800138000");
	}
	copy = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	memcpy(copy, memory, bytes);
	assert_null(story_adopt(copy, bytes - 1, LIMIT, &broken));
	assert_null(story_adopt(copy, bytes, LIMIT - 1, &broken));
	table = story_adopt(copy, bytes, LIMIT, &broken);
	assert_non_null(table);
	assert_int_equal(broken, 0);
	assert_true(reported("m99", "13800138000", &x));
	assert_true(reported("m36", "13800138000", &x));
	assert_false(reported("m35", "13800138000", &x));
	/* One bit, anywhere: what is left is found or forgotten, never followed astray. */
	for (size_t bit = 0; bit < 8 * bytes; bit += bit < 8 * 256 ? 1 : 97) {
		memcpy(copy, memory, bytes);
		copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		t = story_adopt(copy, bytes, LIMIT, &broken);
		if (t == NULL)
			continue;
		table = t;
		story_counts(t, &c);
		assert_true(c.entries <= LIMIT && broken <= c.entries);
		for (unsigned i = 0; i < 3; i++) {
			bool full;

			(void)reported("m99", "13800138000", &x);
			accepted("new", "13900000000");
			assert_true(reported("new", "13900000000", &x));
			(void)story_expire(t, now_us + 1, 0, 0, &x, &full);
		}
	}
	free(copy);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_rule_finds_its_message),
		TEST(other_accounts_are_not_looked_at),
		TEST(a_number_in_the_other_base_needs_its_destination),
		TEST(the_habit_of_a_link_decides_between_two),
		TEST(reports_are_told_apart),
		TEST(an_id_used_again_next_day),
		TEST(long_messages_are_joined),
		TEST(one_id_for_many_destinations),
		TEST(a_msg_id_stands_for_a_range),
		TEST(the_oldest_goes_first),
		TEST(one_id_for_everything),
		TEST(another_process_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
