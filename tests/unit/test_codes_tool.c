#include "tool_case.h"

#include <unistd.h>

#include <jansson.h>

#include "conf/conf.h"

/* `smscope codes`, site tables, and docs/codes.md: its files load, its commands print what it shows. */

enum { FILE_ROOM = 1 << 20 };

static char text[FILE_ROOM];

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

/* smscope with the shipped tables and `site` (may be empty). */
static int smscope(const char *site, const char *args)
{
	char command[512];

	snprintf(command, sizeof(command), "SMSCOPE_CODES_SITE='%s' smscope %s", site, args);
	return run(command);
}

static void test_list(void **state)
{
	json_int_t rows = 0;
	json_t *j, *t;
	size_t i;

	(void)state;
	assert_int_equal(smscope("", "codes list"), 0);
	says("infox-smc ");
	says("  infox/smc.conf ");
	says("infoX gateway error codes, lines 597-640\n");
	assert_int_equal(smscope("", "codes list --json"), 0);
	j = json_loads(got, 0, NULL);
	assert_non_null(j);
	json_array_foreach(json_object_get(j, "tables"), i, t) {
		rows += json_integer_value(json_object_get(t, "rows"));
		assert_true(json_is_string(json_object_get(t, "source")) && json_is_string(json_object_get(t, "file")));
		if (strcmp(json_string_value(json_object_get(t, "table")), "infox-smc") == 0)
			assert_int_equal(json_integer_value(json_object_get(t, "rows")), 44);
	}
	assert_int_equal(json_integer_value(json_object_get(j, "rows")), rows);
	json_decref(j);
}

/* Columns of what stands before the last blank run of two: one column an octet, two for a wide character. */
static int column_of(const char *line, const char *what)
{
	int columns = 0;

	for (const char *end = strstr(line, what); line < end; line++)
		if ((*line & 0xc0) != 0x80)
			columns += (unsigned char)*line >= 0xe3 ? 2 : 1;
	return columns;
}

static void test_show(void **state)
{
	char *plain, *wide;

	(void)state;
	assert_int_equal(smscope("", "codes show infox-submit --lang en"), 0);
	says("source: infoX gateway error codes, lines 670-696\n");
	plain = strstr(got, "\nstatus=57 result=8 ") + 1;
	wide = strstr(got, "\n其它 result=17~255 ") + 1;
	assert_int_equal(column_of(plain, "throttled "), column_of(wide, "rejected "));
	says_not("流量控制错");
	assert_int_equal(smscope("", "codes show infox-report-prefix --lang zh"), 0);
	says("    then: infox-send infox-gateway\n");
	assert_int_equal(smscope("", "codes show infox-su"), 1);
	says("no table is named \"infox-su\"; there are: infox-submit infox-submit-gateway\n");
}

static void test_usage(void **state)
{
	static const char *const wrong[] = { "codes", "codes show", "codes show a b", "codes nothing", "codes list x",
		"codes lint a b", "codes --nothing list", "codes show infox-smc --lang fr" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(smscope("", wrong[i]), 2);
		says("usage: smscope codes list");
	}
	assert_int_equal(smscope("", "codes --help"), 0);
	assert_int_equal(smscope("", "codes list --codes /nonexistent"), 1);
}

#define HEAD "tables = (\n{ table = \"t\"; title_zh = \"t\"; title_en = \"t\"; source = \"s\"; rows = (\n"
#define TAIL "\n); }\n);\n"
#define ROW(key, rest) "{ key = \"" key "\"; zh = \"z\"; en = \"e\"; " rest " }"

static void test_lint(void **state)
{
	static const struct {
		const char *rows, *fault;
	} cases[] = {
		{ ROW("1", "value = 1;") ",\n" ROW("2", "value = 1;"), ":4: error: row \"2\" matches the same as row \"1\" at " },
		{ ROW("1", "value = 1;") ",\n" ROW("1", "value = 2;"), ":4: error: row \"1\" is already at " },
		{ ROW("1", "from = 1; to = 9;") ",\n" ROW("2", "from = 9; to = 12;"), ":4: error: row \"2\" overlaps row \"1\" at " },
		{ "{ key = \"1\"; value = 1; zh = \"z\"; }", ":3: error: row \"1\" has no en" },
		{ ROW("1", "value = 1; nested = [ \"u\" ];"), ":3: error: row \"1\": no table is named \"u\"" },
		{ ROW("1", "value = 1; class = \"u\";"), ":3: error: unknown class \"u\"" },
		{ ROW("\xff", "value = 1;"), ":3: error: not UTF-8" },
		{ ROW("1", "value = 1;") ",\n{ key = \"2\"; va", ":5: error: ')' where" },
	};
	char file[1024], fault[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(file, sizeof(file), HEAD "%s" TAIL, cases[i].rows);
		put("a.conf", file, strlen(file));
		assert_int_equal(smscope("", "codes lint ."), 1);
		snprintf(fault, sizeof(fault), "./a.conf%s", cases[i].fault);
		says(fault);
		/* The same below the site's folder. */
		assert_int_equal(smscope(".", "codes lint"), 1);
		says(fault);
	}
	snprintf(file, sizeof(file), HEAD "%s" TAIL, ROW("1", "value = 1;"));
	put("a.conf", file, strlen(file));
	assert_int_equal(smscope("", "codes lint ."), 0);
	assert_string_equal(got, "OK: 1 tables, 1 rows, 0 profiles\n");
	assert_int_equal(smscope(".", "codes lint"), 0);
	drop("a.conf");
	assert_int_equal(smscope("", "codes lint ."), 1);
	says("no code tables here");
}

/* A site's file that was cut between its tables and its profiles is whole as it stands. */
static void test_lint_unreached(void **state)
{
	static const char tables[] = HEAD ROW("1", "value = 1;") TAIL;
	static const char profile[] = "profiles = ( { profile = \"p\"; title_zh = \"t\"; title_en = \"t\"; "
		"rules = ( { contexts = [ \"login\" ]; steps = ( { table = \"t\"; } ); } ); } );\n";
	static const char more[] = "tables = (\n{ table = \"infox-send\"; rows = (\n"
		ROW("0499", "value = 499;") TAIL;
	char file[1024];

	(void)state;
	put("a.conf", tables, strlen(tables));
	assert_int_equal(smscope(".", "codes lint"), 0);
	says("./a.conf:2: note: table \"t\" is asked by no profile");
	says("\nOK: ");
	snprintf(file, sizeof(file), "%s%s", tables, profile);
	put("a.conf", file, strlen(file));
	assert_int_equal(smscope(".", "codes lint"), 0);
	says_not("note");
	put("a.conf", more, strlen(more));
	assert_int_equal(smscope(".", "codes lint"), 0);
	says_not("note");
	drop("a.conf");
}

static size_t file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return n;
}

/* A real file cut anywhere is refused by name, or all of it was there. */
static void test_cut(void **state)
{
	size_t n = file_read(SOURCE_DIR "/codes/standard/smpp.conf");
	int refused = 0, rows = 0;

	(void)state;
	assert_true(n > 16384);
	for (size_t cut = n; cut > 0; cut = cut > 256 ? (cut - 1) / 256 * 256 : 0) {
		char faults_text[4096] = "";
		FILE *to = fmemopen(faults_text, sizeof(faults_text), "w");
		struct conf_faults faults = { .to = to };
		struct code_set *set;

		put("cut.conf", text, cut);
		set = codes_load(folder, NULL, &faults);
		fclose(to);
		if (cut == n)
			rows = codes_row_count(set);
		if (set != NULL)
			assert_int_equal(codes_row_count(set), rows);
		else
			assert_non_null(strstr(faults_text, "cut.conf:"));
		refused += set == NULL;
		codes_free(set);
	}
	drop("cut.conf");
	assert_int_equal(rows, 164);
	assert_int_equal(refused, (int)((n - 1) / 256));
}

static void test_coverage(void **state)
{
	static const char file[] = HEAD "{ key = \"1\"; value = 1; zh = \"none\"; en = \"e\"; class = \"ok\"; },\n"
		"{ key = \"2\"; value = 2; zh = \"中\"; en = \"文\"; origin = \"smsc\"; remark_zh = \"注\"; },\n"
		"{ key = \"3\"; value = 3; zh = \"中\"; en = \"e\"; class = \"ok\"; origin = \"smsc\"; line = 7; }" TAIL;
	json_t *j, *all;

	(void)state;
	put("a.conf", file, sizeof(file) - 1);
	assert_int_equal(smscope(".", "codes coverage t"), 0);
	assert_string_equal(got, "./a.conf:3: 1: missing zh, origin, source_line\n./a.conf:4: 2: missing en, "
		"second_language, class, source_line\n");
	assert_int_equal(smscope(".", "codes coverage"), 0);
	says("all   ");
	assert_int_equal(smscope(".", "codes coverage nothing"), 1);
	drop("a.conf");
	/* Ours lack no word of either language. */
	assert_int_equal(smscope("", "codes coverage --json"), 0);
	j = json_loads(got, 0, NULL);
	all = json_object_get(json_object_get(j, "all"), "missing");
	assert_int_equal(json_integer_value(json_object_get(all, "en")), 0);
	assert_int_equal(json_integer_value(json_object_get(all, "second_language")), 0);
	assert_int_equal(json_integer_value(json_object_get(all, "origin")), 0);
	json_decref(j);
}

/* The site's row in place of ours, in the tool as in the daemon. */
static void test_site(void **state)
{
	static const char file[] = "tables = ( { table = \"infox-send\"; rows = (\n"
		"{ key = \"0100\"; value = 100; zh = \"省\"; en = \"province\"; class = \"network\"; } ); } );\n";

	(void)state;
	put("a.conf", file, sizeof(file) - 1);
	assert_int_equal(smscope(".", "decode --profile infox --context report CA:0100"), 0);
	says("省 / province");
	assert_int_equal(smscope(".", "decode --profile infox --context report CA:0051"), 0);
	says("尚未建立连接");
	assert_int_equal(smscope("", "decode --profile infox --context report CA:0100"), 0);
	says("向SCP发送消息时失败");
	assert_int_equal(smscope("", "decode --site . --profile infox --context report CA:0100"), 0);
	says("省 / province");
	assert_int_equal(smscope(".", "decode --site '' --profile infox --context report CA:0100"), 0);
	says("向SCP发送消息时失败");
	/* Other tables instead of ours; the site's still win. */
	assert_int_equal(smscope(".", "decode --codes ./none 1"), 1);
	drop("a.conf");
}

/* The next fenced block behind *at; *at moves behind it. NULL: none. */
static char *block_next(char **at, const char *kind)
{
	char open[32], *from, *end;

	snprintf(open, sizeof(open), "\n```%s\n", kind);
	from = strstr(*at, open);
	if (from == NULL)
		return NULL;
	from += strlen(open);
	end = strstr(from, "\n```\n");
	assert_non_null(end);
	end[1] = '\0';
	*at = end + 2;
	return from;
}

static void test_docs(void **state)
{
	int files = 0, commands = 0;
	char *at = text, *block;

	(void)state;
	file_read(SOURCE_DIR "/docs/codes.md");
	for (at = text; (at = strstr(at, "\n```\n// codes.d/")) != NULL; files++) {
		char name[32], *end = strstr(at + 5, "\n```\n");

		assert_int_equal(sscanf(at + 5, "// codes.d/%31s", name), 1);
		put(name, at + 5, (size_t)(end - at) - 4);
		at = end;
	}
	assert_int_equal(files, 2);
	for (at = text; (block = block_next(&at, "console")) != NULL;) {
		while (block != NULL && *block != '\0') {
			char *line = block, *end = strchr(block, '\n');
			char *next = strstr(end, "\n$ ");

			assert_memory_equal(line, "$ smscope ", 10);
			*end = '\0';
			if (next != NULL)
				next[1] = '\0';
			assert_int_equal(smscope(".", line + 10), 0);
			assert_string_equal(got, end + 1);
			if (next != NULL)
				next[1] = '$';
			block = next != NULL ? next + 1 : NULL;
			commands++;
		}
	}
	assert_int_equal(smscope(".", "codes lint"), 0);
	assert_int_equal(commands, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_lint),
		cmocka_unit_test(test_lint_unreached),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_site),
		cmocka_unit_test(test_docs),
	};

	return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
