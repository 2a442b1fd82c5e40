#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

/*
 * The vendors' documents against the shipped tables: tests/data/inventory.tsv lists every code of the
 * documents with its table, line, numbers and wording. No code is missing, none is extra, none stands
 * in another table, each is found by its numbers, and the short meaning is the document's own.
 */

enum { ITEMS_MAX = 2048, LINE_ROOM = 1024, NO_SUCH_NUMBER = 123456789 };

struct item {
	char text[LINE_ROOM]; /* the fields below, cut apart */
	const char *table, *key, *numbers, *words;
	int line;
};

static struct item *items;
static int item_count;
static struct code_set *set;

static void items_read(void)
{
	FILE *f = fopen(SOURCE_DIR "/tests/data/inventory.tsv", "r");
	struct item *x = items;

	assert_non_null(f);
	while (fgets(x->text, LINE_ROOM, f) != NULL) {
		char *save, *line;

		if (x->text[0] == '#')
			continue;
		assert_true(item_count < ITEMS_MAX - 1);
		x->table = strtok_r(x->text, "\t", &save);
		x->key = strtok_r(NULL, "\t", &save);
		line = strtok_r(NULL, "\t", &save);
		x->numbers = strtok_r(NULL, "\t", &save);
		x->words = strtok_r(NULL, "\t\n", &save);
		assert_non_null(x->words);
		x->line = atoi(line);
		item_count++;
		x++;
	}
	fclose(f);
}

/* Our tables, and a profile of-TABLE for each that asks this table alone. */
static int setup(void **state)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *ours = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	char folder[] = "coverage-site-XXXXXX", path[64];
	FILE *f;

	(void)state;
	items = calloc(ITEMS_MAX, sizeof(*items));
	if (ours == NULL || items == NULL || mkdtemp(folder) == NULL)
		return -1;
	items_read();
	snprintf(path, sizeof(path), "%s/of.conf", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("profiles = (", f);
	for (int i = 0; i < codes_table_count(ours); i++)
		fprintf(f, "%s{ profile = \"of-%s\"; rules = ( { contexts = [ \"api\" ]; "
			"steps = ( { table = \"%s\"; } ); } ); }", i > 0 ? "," : "",
			codes_table_at(ours, i)->name, codes_table_at(ours, i)->name);
	fputs(");", f);
	assert_int_equal(fclose(f), 0);
	set = codes_load(SOURCE_DIR "/codes", folder, &faults);
	unlink(path);
	rmdir(folder);
	codes_free(ours);
	return set == NULL;
}

static int teardown(void **state)
{
	(void)state;
	codes_free(set);
	free(items);
	return 0;
}

static const struct code_row *row_of(const struct item *x)
{
	const struct code_table *t = codes_table(set, x->table);

	for (int i = 0; t != NULL && i < t->row_count; i++)
		if (t->rows[i].source_line == x->line && strcmp(t->rows[i].key, x->key) == 0)
			return &t->rows[i];
	return NULL;
}

/* Is the row among the answers of its own table? */
static bool answers(const struct item *x, const struct code_row *row, enum code_side side, int64_t number)
{
	char name[64];
	const struct code_profile *p[2] = { NULL, NULL };
	struct code_query q = { .profiles = p, .context = CTX_API, .side = side, .number = number };
	struct code_answer ret[CODE_ANSWERS_MAX];
	int n;

	snprintf(name, sizeof(name), "of-%s", x->table);
	p[0] = codes_profile(set, name);
	assert_non_null(p[0]);
	n = codes_lookup(set, &q, ret, CODE_ANSWERS_MAX);
	for (int i = 0; i < n; i++)
		if (ret[i].row == row)
			return true;
	return false;
}

/* One entry of `numbers`. A range may have exact rows at either end, but not everywhere. */
static bool number_holds(const struct item *x, const struct code_row *row, const char *entry)
{
	enum code_side side = CODE_ANY;
	int64_t scale = 1, lo, hi;
	char *end;

	if (strncmp(entry, "smpp=", 5) == 0 || strncmp(entry, "cmpp=", 5) == 0) {
		side = *entry == 's' ? CODE_SMPP : CODE_CMPP;
		entry += 5;
	} else if (strncmp(entry, "div=", 4) == 0) {
		scale = codes_table(set, x->table)->divisor;
		entry += 4;
	}
	if (strcmp(entry, "*") == 0)
		return answers(x, row, side, NO_SUCH_NUMBER);
	lo = hi = strtoll(entry, &end, 10);
	if (strncmp(end, "..", 2) == 0)
		hi = strtoll(end + 2, &end, 10);
	/* A number beside it is another row's, unless this is the default row. */
	if (*end != '\0' || ((answers(x, row, side, (lo - 1) * scale) || answers(x, row, side, (hi + 1) * scale))
		&& !answers(x, row, side, NO_SUCH_NUMBER)))
		return false;
	if (lo == hi)
		return answers(x, row, side, lo * scale);
	return answers(x, row, side, lo) || answers(x, row, side, hi);
}

static void test_none_missing(void **state)
{
	int missing = 0;

	(void)state;
	for (int i = 0; i < item_count; i++) {
		const struct code_row *row = row_of(&items[i]);

		if (row == NULL) {
			print_error("line %d: %s of %s is missing\n", items[i].line, items[i].key, items[i].table);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
	assert_int_equal(item_count, 846);
}

static bool is_vendor(const struct code_table *t)
{
	static const char *const vendors[] = { "infox", "aliyun", "openharmony", "unimtx", "huaweicloud" };

	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (strncmp(t->name, vendors[i], strlen(vendors[i])) == 0)
			return true;
	return false;
}

static void test_none_extra(void **state)
{
	int extra = 0;

	(void)state;
	for (int i = 0; i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		for (int k = 0; is_vendor(t) && k < t->row_count; k++) {
			int found = 0;

			for (int n = 0; n < item_count; n++)
				found += strcmp(items[n].table, t->name) == 0 && row_of(&items[n]) == &t->rows[k];
			if (found == 1)
				continue;
			print_error("%s:%d: %s of %s is %s\n", t->rows[k].file, t->rows[k].line, t->rows[k].key,
				t->name, found == 0 ? "in no document" : "there more than once");
			extra++;
		}
	}
	assert_int_equal(extra, 0);
}

static void test_numbers(void **state)
{
	int wrong = 0;

	(void)state;
	for (int i = 0; i < item_count; i++) {
		const struct code_row *row = row_of(&items[i]);
		char numbers[128], *save;

		snprintf(numbers, sizeof(numbers), "%s", items[i].numbers);
		if (row == NULL || strcmp(numbers, "-") == 0) {
			wrong += row == NULL || row->text == NULL;
			continue;
		}
		for (char *e = strtok_r(numbers, ",", &save); e != NULL; e = strtok_r(NULL, ",", &save)) {
			if (number_holds(&items[i], row, e))
				continue;
			print_error("line %d: %s of %s is not found by %s, or by a number beside it\n", items[i].line,
				items[i].key, items[i].table, e);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* In one of the two languages a short meaning keeps the document's wording, typos too. */
static void test_words(void **state)
{
	int wrong = 0;

	(void)state;
	for (int i = 0; i < item_count; i++) {
		const struct item *x = &items[i];
		const struct code_row *row = row_of(x);

		if (row == NULL || strcmp(x->words, "-") == 0 || strstr(x->words, row->zh) != NULL
			|| strstr(x->words, row->en) != NULL)
			continue;
		print_error("line %d: %s of %s: \"%s\", the document has \"%s\"\n", x->line, x->key, x->table, row->zh,
			x->words);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_missing),
		cmocka_unit_test(test_none_extra),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
