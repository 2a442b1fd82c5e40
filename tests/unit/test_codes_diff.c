#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smscope/codes_build.h"

/* What codes_compare() sees between two small sets that differ in one thing. */

static void no_fault(void *arg, const char *file, int line, const char *what)
{
	(void)arg;
	print_error("%s:%d: %s\n", file, line, what);
	fail();
}

enum { MINE = 5 };

/* How a set differs from the plain one. */
struct twist {
	int rows;                 /* of table "a"; 0: three */
	bool other_order;
	bool moved;               /* to other lines of another file */
	const char *en, *action;  /* of row 1 */
	uint8_t sides;            /* that row 1 matches */
	const char *source;       /* of table "a" */
	bool no_table;            /* no "b" */
	bool twins, other_twin;   /* two rows of one key in "b"; one of them changed */
	uint8_t site;             /* the sides for which a later layer has its own row for 1 */
	bool inner;               /* a profile more */
	int64_t from;             /* of the profile's step */
};

static void add(struct code_builder *b, int table, const struct twist *t, int key, const char *en)
{
	static const char *const keys[] = { "0", "1", "2", "3", "4", "mine" };
	int value = key == MINE ? 1 : key;
	struct code_row_def d = {
		.row = { .key = keys[key], .zh = "z", .en = en, .file = t->moved ? "g" : "f",
			.line = t->moved ? 9 : 1, .cls = CLASS_SYSTEM },
		.matches = { { .kind = MATCH_NUMBER, .sides = CODE_ANY, .lo = value, .hi = value } },
		.match_count = 1,
	};

	if (key == 1 && t->sides != 0)
		d.matches[0].sides = t->sides;
	if (key == MINE)
		d.matches[0].sides = t->site;
	if (key == 1)
		d.row.action_en = t->action;
	codes_add_row(b, table, &d);
}

static void add_twins(struct code_builder *b, int table, const struct twist *t)
{
	for (int i = 0; i < 2; i++) {
		struct code_row_def d = {
			.row = { .key = "60", .zh = "z", .file = "f" },
			.matches = { { .kind = MATCH_NUMBER, .sides = CODE_ANY, .lo = 60, .hi = 60 } },
			.match_count = 1,
			.twice = true,
		};

		d.row.en = i == 0 ? "black list" : t->other_twin ? "no money" : "balance";
		codes_add_row(b, table, &d);
	}
}

static void add_profile(struct code_builder *b, const char *name, int64_t from)
{
	int p = codes_add_profile(b, name, "t", "t", "f", 1);
	struct code_rule_def d = { .contexts = 1u << CTX_LOGIN, .sides = CODE_ANY, .step_count = 1,
		.steps = { { .table = "a", .from = from, .to = INT64_MAX } } };

	codes_add_rule(b, p, &d);
}

static struct code_set *make(const struct twist *t)
{
	struct code_builder *b = codes_builder_new(no_fault, NULL);
	struct code_table def = { .name = "a", .title_zh = "t", .title_en = "t", .file = "f",
		.source = t->source != NULL ? t->source : "s" };
	int rows = t->rows > 0 ? t->rows : 3, table;
	struct code_set *set;

	assert_non_null(b);
	table = codes_add_table(b, &def);
	for (int i = 0; i < rows; i++) {
		int key = t->other_order ? rows - 1 - i : i;

		add(b, table, t, key, key == 1 && t->en != NULL ? t->en : "e");
	}
	def.name = "b";
	def.source = "s";
	if (!t->no_table) {
		int other = codes_add_table(b, &def);

		add(b, other, &(struct twist){ 0 }, 4, "e");
		if (t->twins)
			add_twins(b, other, t);
	}
	add_profile(b, "p", t->from);
	if (t->inner)
		add_profile(b, "q", 0);
	codes_builder_override(b);
	if (t->site != 0)
		add(b, table, t, MINE, "of the site");
	set = codes_seal(b);
	assert_non_null(set);
	return set;
}

static void expect(const struct twist *from, const struct twist *to, int added, int changed,
	int removed)
{
	struct code_set *a = make(from), *b = make(to);
	struct codes_changes c;

	codes_compare(a, b, &c);
	assert_int_equal(c.rows.added, added);
	assert_int_equal(c.rows.changed, changed);
	assert_int_equal(c.rows.removed, removed);
	codes_compare(b, a, &c);
	assert_int_equal(c.rows.added, removed);
	assert_int_equal(c.rows.changed, changed);
	assert_int_equal(c.rows.removed, added);
	codes_free(a);
	codes_free(b);
}

static void test_rows(void **state)
{
	const struct twist plain = { 0 };

	(void)state;
	expect(&plain, &plain, 0, 0, 0);
	expect(&plain, &(struct twist){ .other_order = true }, 0, 0, 0);
	expect(&plain, &(struct twist){ .moved = true }, 0, 0, 0);
	expect(&plain, &(struct twist){ .rows = 4 }, 1, 0, 0);
	expect(&plain, &(struct twist){ .rows = 1 }, 0, 0, 2);
	expect(&plain, &(struct twist){ .en = "another" }, 0, 1, 0);
	expect(&plain, &(struct twist){ .action = "call" }, 0, 1, 0);
	expect(&plain, &(struct twist){ .sides = CODE_CMPP }, 0, 1, 0);
	expect(&plain, &(struct twist){ .source = "another document" }, 0, 3, 0);
	expect(&plain, &(struct twist){ .no_table = true }, 0, 0, 1);
	expect(&plain, &(struct twist){ .site = CODE_ANY }, 1, 0, 1);
	expect(&plain, &(struct twist){ .en = "another", .rows = 2, .no_table = true }, 0, 1, 2);
	/* The site's row takes one side only: what is left of ours is another row than it was. */
	expect(&plain, &(struct twist){ .site = CODE_SMPP }, 1, 1, 0);
}

static void test_twins(void **state)
{
	const struct twist plain = { 0 }, twins = { .twins = true },
			   other = { .twins = true, .other_twin = true };

	(void)state;
	expect(&plain, &twins, 2, 0, 0);
	expect(&twins, &twins, 0, 0, 0);
	expect(&twins, &other, 0, 1, 0);
}

static void test_profiles(void **state)
{
	struct code_set *plain = make(&(struct twist){ 0 });
	struct code_set *more = make(&(struct twist){ .inner = true, .from = 3 });
	struct codes_changes c;

	(void)state;
	codes_compare(plain, more, &c);
	assert_int_equal(c.profiles.added, 1);
	assert_int_equal(c.profiles.changed, 1);
	assert_int_equal(c.profiles.removed, 0);
	assert_int_equal(c.rows.added + c.rows.changed + c.rows.removed, 0);
	codes_compare(more, plain, &c);
	assert_int_equal(c.profiles.added, 0);
	assert_int_equal(c.profiles.removed, 1);
	codes_free(plain);
	codes_free(more);
}

static void map_fault(void *arg, const char *file, int line, const char *what)
{
	(void)arg;
	fail_msg("%s:%d: %s", file, line, what);
}

/* A set of one table and `count` maps; the last one gives `number`. */
static struct code_set *with_maps(int count, uint32_t number)
{
	struct code_builder *b = codes_builder_new(map_fault, NULL);
	const struct code_table table = { .name = "t", .title_zh = "t", .title_en = "t", .source = "s",
		.file = "f", .line = 1 };
	const struct code_row_def row = { .row = { .key = "1", .zh = "z", .en = "e", .file = "f" },
		.matches = { { .kind = MATCH_NUMBER, .sides = CODE_ANY, .lo = 1, .hi = 1 } },
		.match_count = 1 };
	static const char *const names[] = { "a", "b" };
	int t = codes_add_table(b, &table);

	codes_add_row(b, t, &row);
	for (int i = 0; i < count; i++) {
		const struct code_map_row rows[] = { { .lo = 1, .hi = 1, .number = number } };
		const struct code_map map = { .name = names[i], .title_zh = "t", .title_en = "t",
			.source = "s", .sides = CODE_ANY, .row_count = 1, .rows = rows, .file = "f" };

		codes_add_map(b, &map);
	}
	return codes_seal(b);
}

static void test_maps(void **state)
{
	struct code_set *one = with_maps(1, 5), *two = with_maps(2, 5), *other = with_maps(1, 6);
	struct codes_changes c;

	(void)state;
	codes_compare(one, two, &c);
	assert_int_equal(c.maps.added, 1);
	assert_int_equal(c.maps.changed + c.maps.removed, 0);
	codes_compare(two, other, &c);
	assert_int_equal(c.maps.added, 0);
	assert_int_equal(c.maps.changed, 1);
	assert_int_equal(c.maps.removed, 1);
	codes_free(one);
	codes_free(two);
	codes_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
