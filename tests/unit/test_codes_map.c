#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "smscope/receipt.h"

/* Maps of codes: what a file may say, what a site's file replaces, and that the shipped ones hold together. */

#define TABLE "tables = ( { table = \"t\"; title_zh = \"t\"; title_en = \"t\"; source = \"s\"; rows = ( " \
	"{ key = \"1\"; value = 1; zh = \"z\"; en = \"e\"; } ); } );\n"
#define MAP(kind, rows) TABLE "maps = ( { map = \"m\"; title_zh = \"t\"; title_en = \"t\"; source = \"s\"; " \
	kind " rows = (\n" rows " ); } );\n"
#define NEVER_4 ":4: error: this row of map \"m\" is never reached: see line 3"
#define STATUS "kind = \"status\"; side = \"smpp\"; contexts = [ \"submit_resp\" ];"

static char folder[64], said[8192];

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "codes-map-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The set of that file, and of a site's file if there is one; what was said is in `said`. */
static struct code_set *load(const char *text, const char *site)
{
	struct conf_faults faults = { .to = fmemopen(said, sizeof(said), "w") };
	char ours[128], theirs[128];
	struct code_set *set;

	snprintf(ours, sizeof(ours), "%s/ours", folder);
	snprintf(theirs, sizeof(theirs), "%s/site", folder);
	(void)mkdir(ours, 0700);
	(void)mkdir(theirs, 0700);
	put("ours/a.conf", text);
	put("site/b.conf", site != NULL ? site : "tables = ();");
	memset(said, 0, sizeof(said));
	set = codes_load(ours, theirs, &faults);
	fclose(faults.to);
	return set;
}

static const struct {
	const char *text, *said; /* behind the file's name */
} faults[] = {
	{ MAP("", "{ value = 1; gives = 2; }"), ":2: error: a map says its kind: status, stat or err" },
	{ MAP("kind = \"state\";", "{ value = 1; gives = 2; }"), ":2: error: unknown kind \"state\"" },
	{ MAP(STATUS, "{ value = 1; }"), ":3: error: a row of a map says what it gives" },
	{ MAP(STATUS, "{ value = 1; gives = -1; }"), ":3: error: gives is 0 to 0xFFFFFFFF" },
	{ MAP(STATUS, "{ value = 1; gives = \"UNDELIV\"; }"), ":3: error: gives is a number in this map" },
	{ MAP(STATUS, "{ from = 1; gives = 2; }"), ":3: error: from and to stand together" },
	{ MAP(STATUS, "{ value = 1; class = \"ok\"; gives = 2; }"),
	  ":3: error: a row of a map matches by value, by text, by class, or is the default" },
	{ MAP(STATUS, "{ value = 1; class = \"okay\"; gives = 2; }"), ":3: error: unknown class \"okay\"" },
	{ MAP(STATUS, "{ value = 1; gives = 2; given = 3; }"), ":3: error: unknown key \"given\"" },
	{ MAP(STATUS, "{ from = 1; to = 9; gives = 2; },\n{ value = 5; gives = 3; }"),
	  ":4: error: this row of map \"m\" is never reached: see line 3" },
	{ MAP("kind = \"stat\";", "{ text = \"X\"; gives = \"GONE\"; }"),
	  ":3: error: \"GONE\" is none of the seven states" },
	{ MAP("kind = \"stat\";", "{ value = 1; gives = \"UNDELIV\"; }"),
	  ":3: error: a map of words matches by text, not by value" },
	{ MAP("kind = \"stat\";", "{ text = \"MI:*\"; gives = \"UNDELIV\"; },\n{ text = \"mi:*\"; gives = "
		"\"EXPIRED\"; }"),
	  ":4: error: this row of map \"m\" is never reached: see line 3" },
	{ MAP("kind = \"stat\";", "{ text = \"MI:*\"; gives = \"EXPIRED\"; },\n{ text = \"mi:0001\"; gives = "
		"\"DELETED\"; }"), NEVER_4 },
	{ MAP("kind = \"stat\";", "{ text = \"M*\"; gives = \"EXPIRED\"; },\n{ text = \"MI:*\"; gives = "
		"\"DELETED\"; }"), NEVER_4 },
	{ MAP("kind = \"stat\";", "{ text = \"*\"; gives = \"EXPIRED\"; },\n{ text = \"MI\"; gives = "
		"\"DELETED\"; }"), NEVER_4 },
	{ MAP("kind = \"stat\";", "{ text = \"*\"; gives = \"EXPIRED\"; },\n{ class = \"ok\"; gives = "
		"\"DELIVRD\"; }"), NEVER_4 },
	{ MAP("kind = \"err\";", "{ text = \"*\"; gives = \"001\"; },\n{ default = true; gives = \"002\"; }"),
	  NEVER_4 },
	{ MAP(STATUS, "{ from = 0; to = 0xFFFFFFFFL; gives = 2; },\n{ class = \"ok\"; gives = 3; }"), NEVER_4 },
	{ MAP(STATUS, "{ default = true; gives = 2; },\n{ value = 1; gives = 3; }"), NEVER_4 },
	{ MAP(STATUS, "{ from = 4; to = 9; gives = 2; }, { from = 1; to = 4; gives = 2; },\n{ from = 2; to = 8; "
		"gives = 3; }"), NEVER_4 },
	{ MAP(STATUS, "{ class = [ \"ok\", \"auth\" ]; gives = 2; },\n{ class = \"auth\"; gives = 3; }"), NEVER_4 },
	{ MAP(STATUS, "{ class = \"auth\"; gives = 2; },\n{ class = [ \"ok\", \"auth\" ]; gives = 3; }"),
	  ":4: error: a class of this row of map \"m\" is in line 3 already" },
	{ MAP(STATUS, "{ value = 1; dialect_from = 0x33; gives = 2; },\n{ value = 1; dialect_from = 0x34; "
		"dialect_to = 0x34; gives = 3; }"), NEVER_4 },
	{ MAP(STATUS, "{ value = 1; from = 2; to = 3; gives = 8; }"), ":3: error: value, or from and to: not both" },
	{ MAP(STATUS, "{ from = 9; to = 3; gives = 8; }"), ":3: error: from is the lesser one: from = 3; to = 9\n" },
	{ MAP(STATUS, "{ value = 1; dialect_from = 0x50; dialect_to = 0x34; gives = 8; }"),
	  ":3: error: dialect_from is the lesser one" },
	{ MAP(STATUS, "{ value = -1; gives = 8; }"), ":3: error: a result is 0 to 0xFFFFFFFF; from 0x80000000 on" },
	{ MAP(STATUS, "{ from = 1; to = 0x7FFFFFFFFFFFFFFFL; gives = 8; }, { from = 2; to = 0x7FFFFFFFFFFFFFFFL; "
		"gives = 8; }"), ":3: error: a result is 0 to 0xFFFFFFFF; from 0x80000000 on" },
	{ MAP("kind = \"err\";", "{ text = \"X\"; gives = \"a b\"; }"),
	  ":3: error: \"a b\" is no word of at most 16 octets" },
	{ TABLE "maps = ( { map = \"m\"; kind = \"err\"; rows = ( { text = \"a\"; gives = \"b\"; } ); } );",
	  ":2: error: map \"m\" needs title_zh, title_en and source" },
};

static void faults_have_file_and_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		assert_null(load(faults[i].text, NULL));
		if (strstr(said, faults[i].said) == NULL)
			fail_msg("no \"%s\" in: %s", faults[i].said, said);
	}
}

/* An exception, and behind it the rule. */
static void rows_that_are_reached(void **state)
{
	static const char *const all[] = {
		MAP(STATUS, "{ value = 5; gives = 2; }, { from = 1; to = 9; gives = 3; }, { default = true; "
			"gives = 4; }"),
		MAP(STATUS, "{ from = 1; to = 4; gives = 2; }, { from = 6; to = 9; gives = 2; }, { from = 1; to = 9; "
			"gives = 3; }"),
		MAP("kind = \"status\";", "{ value = 1; contexts = [ \"login\" ]; gives = 2; }, { value = 1; "
			"gives = 3; }"),
		MAP(STATUS, "{ value = 1; dialect_from = 0x50; gives = 2; }, { value = 1; gives = 3; }"),
		MAP(STATUS, "{ default = true; dialect_from = 0x50; gives = 2; }, { class = \"ok\"; gives = 3; }"),
		MAP("kind = \"stat\";", "{ text = \"MI:0001\"; gives = \"DELETED\"; }, { text = \"MI:*\"; gives = "
			"\"EXPIRED\"; }, { text = \"MI\"; gives = \"UNKNOWN\"; }, { text = \"*\"; "
			"gives = \"UNDELIV\"; }"),
		MAP("kind = \"err\";", "{ text = \"1\"; gives = \"001\"; }, { text = \"2\"; gives = \"0002\"; }"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct code_set *set = load(all[i], NULL);

		if (set == NULL)
			fail_msg("%s", said);
		codes_free(set);
	}
}

/* Rows that look alike and differ in context or version do not hide each other. */
static void rows_of_other_scopes(void **state)
{
	struct code_set *set = load(MAP(STATUS, "{ value = 1; gives = 2; }, { value = 1; contexts = [ \"login\" ]; "
		"gives = 3; }, { class = \"billing\"; gives = 4; }, { default = true; dialect_from = 0x50; "
		"gives = 5; }"), NULL);
	struct code_mapped c = { .context = CTX_SUBMIT_RESP, .dialect = 0x34, .number = 1 };
	const struct code_map *m;

	(void)state;
	if (set == NULL)
		fail_msg("%s", said);
	m = codes_map(set, "m");
	assert_int_equal(code_map_find(m, &c)->number, 2);
	c.context = CTX_LOGIN;
	assert_int_equal(code_map_find(m, &c)->number, 3);
	c.number = 9;
	assert_null(code_map_find(m, &c));
	c.context = CTX_SUBMIT_RESP;
	c.has_class = true;
	c.cls = CLASS_BILLING;
	assert_int_equal(code_map_find(m, &c)->number, 4);
	c.has_class = false;
	assert_null(code_map_find(m, &c));
	c.dialect = 0x50;
	assert_int_equal(code_map_find(m, &c)->number, 5);
	assert_true(code_map_asks_class(m));
	codes_free(set);
}

static void a_site_replaces(void **state)
{
	struct code_set *set = load(MAP(STATUS, "{ value = 1; gives = 2; }"), "maps = ( { map = \"m\"; "
		"title_zh = \"t\"; title_en = \"t\"; source = \"s\"; kind = \"status\"; rows = ( { value = 1; "
		"gives = 7; } ); } );");
	struct code_mapped c = { .context = CTX_SUBMIT_RESP, .number = 1 };

	(void)state;
	if (set == NULL)
		fail_msg("%s", said);
	assert_int_equal(codes_map_count(set), 1);
	assert_int_equal(code_map_find(codes_map_at(set, 0), &c)->number, 7);
	codes_free(set);
}

/* Every state is one of the seven; every infoX and Alibaba code that is listed has its place. */
static void shipped_maps(void **state)
{
	struct conf_faults none = { .to = stderr };
	struct code_set *set = codes_load(SOURCE_DIR "/codes", NULL, &none);
	static const char *const pairs[][2] = { { "infox-to-smpp34", "infox-submit" },
		{ "aliyun-to-smpp34", "aliyun-smpp" } };

	(void)state;
	assert_non_null(set);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct code_map *m = codes_map(set, pairs[i][0]);
		const struct code_table *t = codes_table(set, pairs[i][1]);

		for (int k = 0; k < t->row_count; k++) {
			struct code_mapped c = { .context = CTX_SUBMIT_RESP, .dialect = 0x34,
				.number = t->rows[k].lo };

			if (t->rows[k].lo > t->rows[k].hi)
				continue;
			if (code_map_find(m, &c) == NULL)
				fail_msg("%s has no row for %s", m->name, t->rows[k].key);
		}
	}
	for (int i = 0; i < codes_map_count(set); i++) {
		const struct code_map *m = codes_map_at(set, i);

		for (int k = 0; m->kind == MAP_STAT && k < m->row_count; k++)
			assert_true(receipt_state_of(span_of(m->rows[k].word, strlen(m->rows[k].word))) >= 0);
	}
	codes_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_have_file_and_line),
		cmocka_unit_test(rows_that_are_reached),
		cmocka_unit_test(rows_of_other_scopes),
		cmocka_unit_test(a_site_replaces),
		cmocka_unit_test(shipped_maps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
