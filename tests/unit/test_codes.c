#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

/* Small tables written into a folder of the test's own; faults come back as text. */

static char folder[64];
static char faults_text[8192];

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

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	remove(path);
}

static struct code_set *load(const char *site)
{
	FILE *to = fmemopen(faults_text, sizeof(faults_text), "w");
	struct conf_faults faults = { .to = to };
	struct code_set *set;
	char site_path[128];

	assert_non_null(to);
	snprintf(site_path, sizeof(site_path), "%s/%s", folder, site != NULL ? site : "");
	memset(faults_text, 0, sizeof(faults_text));
	set = codes_load(folder, site != NULL ? site_path : NULL, &faults);
	fclose(to);
	assert_int_equal(set == NULL, faults.errors > 0);
	return set;
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "codes-test-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	drop("a.conf");
	drop("b.conf");
	drop("p.conf");
	drop("sub/s.conf");
	drop("sub");
	return rmdir(folder);
}

#define HEAD(name) "{ table = \"" name "\"; title_zh = \"t\"; title_en = \"t\"; source = \"s\"; class = \"system\"; "
#define ROW(key, rest) "{ key = \"" key "\"; zh = \"" key "\"; en = \"e\"; " rest " }"

static const char tables[] =
	"tables = ("
	HEAD("plain") "rows = ("
		ROW("1", "value = 1;") "," ROW("5", "value = 5;") "," ROW("3~9", "from = 3; to = 9; class = \"unknown\";") ","
		ROW("20~29", "from = 20; to = 29;") "," ROW("big", "value = 0x80000150L; also = 77; name = \"E_BIG\";") ","
		ROW("-4", "value = -4;") "," ROW("other", "default = true; class = \"unknown\";") "); },"
	HEAD("sided") "rows = ("
		ROW("57/8", "smpp = 57; cmpp = 8;") "," ROW("60a", "smpp = 60; cmpp = 60; twice = true;") ","
		ROW("60b", "smpp = 60; cmpp = 60; twice = true;") ","
		ROW("other", "smpp_default = true; cmpp_from = 17; cmpp_to = 255;") "); },"
	HEAD("hexed") "hex = true; rows = ("
		ROW("0x41", "value = 0x41;") "," ROW("0x4A", "value = 0x4A;") "," ROW("0x65", "value = 0x65;") ","
		ROW("0x14-0x1F", "from = 0x14; to = 0x1F; class = \"unknown\";") "," ROW("0x20", "value = 0x20;") "); },"
	HEAD("words") "rows = ("
		ROW("OK", "text = \"DELIVRD\";") "," ROW("MB:*", "text = \"MB:*\"; nested = [ \"hexed\" ];") ","
		ROW("MB:0020", "text = \"MB:0020\";") "," ROW("MK:*", "text = \"MK:*\"; foreign = true;") ","
		ROW("ID:*", "text = \"ID:*\"; nested = [ \"sided\", \"plain\" ];") ","
		ROW("IX:*", "text = \"IX:*\"; nested = [ \"plain\" ];") "); },"
	HEAD("parts") "divisor = 10000; rows = ("
		ROW("0", "value = 0; nested = [ \"plain\" ];") "," ROW("1", "value = 1; nested = [ \"hexed\" ];") ","
		ROW("10", "value = 10; nested = [ \"plain\" ];") "," ROW("6", "value = 6; foreign = true;") "); }"
	");";

static const char profiles[] =
	"profiles = ("
	"{ profile = \"standard\"; rules = ("
		"{ contexts = [ \"login\" ]; steps = ( { table = \"plain\"; } ); } ); },"
	"{ profile = \"x\"; rules = ("
		"{ contexts = [ \"login\", \"submit_resp\" ]; steps = ( { table = \"sided\"; } ); },"
		"{ contexts = [ \"report\" ]; steps = ( { table = \"words\"; }, { table = \"plain\"; } ); },"
		"{ contexts = [ \"composite\" ]; steps = ( { table = \"parts\"; } ); },"
		"{ contexts = [ \"query_resp\" ]; side = \"cmpp\"; steps = ("
			"{ table = \"plain\"; from = 3; to = 5; dialect_from = 0x30; }, { table = \"sided\"; when = \"always\"; },"
			"{ table = \"plain\"; from = 3; to = 5; when = \"always\"; }, { table = \"plain\"; from = 20; } ); },"
		"{ contexts = [ \"errno\" ]; steps = ( { table = \"plain\"; subtract = 1000; derived = true; } ); },"
		"{ contexts = [ \"log\" ]; steps = ( { table = \"plain\"; platform = \"windows\"; rows = \"exact\"; },"
			"{ table = \"hexed\"; platform = \"aix\"; when = \"always\"; } ); } );"
	" inner = ( { under = [ \"words/IX:*\" ]; steps = ( { table = \"plain\"; rows = \"range\"; },"
		"{ table = \"plain\"; when = \"always\"; } ); },"
		"{ under = [ \"parts/0\" ]; required = true; steps = ( { table = \"plain\"; rows = \"exact\"; } ); } ); }"
	");";

static struct code_set *small(void)
{
	struct code_set *set;

	put("a.conf", tables);
	put("p.conf", profiles);
	set = load(NULL);
	assert_string_equal(faults_text, "");
	assert_non_null(set);
	return set;
}

static struct code_answer ret[CODE_ANSWERS_MAX];

static int ask_as(const struct code_set *set, const char *profile, enum code_context c, enum code_side side,
	uint8_t dialect, const char *text, int64_t number)
{
	const struct code_profile *p[] = { codes_profile(set, profile), NULL };
	struct code_query q = { .profiles = p, .context = c, .side = side, .dialect = dialect, .is_text = text != NULL,
		.number = number, .text = text != NULL ? span_of(text, strlen(text)) : span_of("", 0) };

	assert_non_null(p[0]);
	return codes_lookup(set, &q, ret, CODE_ANSWERS_MAX);
}

static int number(const struct code_set *set, enum code_context c, enum code_side side, int64_t v)
{
	return ask_as(set, "x", c, side, 0, NULL, v);
}

static int text(const struct code_set *set, enum code_context c, const char *v)
{
	return ask_as(set, "x", c, CODE_CMPP, 0, v, 0);
}

#define assert_key(i, k) assert_string_equal(ret[i].row->key, k)
#define assert_inner(i, n, k) assert_string_equal(ret[i].nested[n].row->key, k)

static void test_exact_range_default(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 5), 1);
	assert_key(0, "5");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 9), 1);
	assert_key(0, "3~9");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 10), 1);
	assert_key(0, "other");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, NULL, 20), 1);
	assert_key(0, "20~29");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, NULL, 77), 1);
	assert_key(0, "big");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, NULL, 0x80000150), 1);
	assert_key(0, "big");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, "0x80000150", 0), 1);
	assert_key(0, "big");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, "-4", 0), 1);
	assert_key(0, "-4");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_CMPP, 0, "0005", 0), 1);
	assert_key(0, "5");
	assert_int_equal(ask_as(set, "standard", CTX_REPORT, CODE_CMPP, 0, "5", 0), 0);
	codes_free(set);
}

static void test_two_numbers(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_SMPP, 57), 1);
	assert_key(0, "57/8");
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_CMPP, 8), 1);
	assert_key(0, "57/8");
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_SMPP, 8), 1);
	assert_key(0, "other");
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_CMPP, 57), 1);
	assert_key(0, "other");
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_CMPP, 256), 0);
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_SMPP, 60), 2);
	assert_key(0, "60a");
	assert_key(1, "60b");
	assert_true(ret[0].ambiguous && ret[1].ambiguous);
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_ANY, 8), 2);
	assert_true(ret[0].ambiguous && ret[1].ambiguous);
	codes_free(set);
}

static void test_standard_beside(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(number(set, CTX_LOGIN, CODE_CMPP, 8), 2);
	assert_key(0, "57/8");
	assert_key(1, "3~9");
	assert_true(!ret[0].ambiguous && !ret[0].beside && !ret[1].ambiguous && ret[1].beside);
	assert_string_equal(codes_profile_name(ret[1].profile), "standard");
	assert_int_equal(number(set, CTX_LOGIN, CODE_CMPP, 5), 1);
	assert_key(0, "5");
	assert_false(ret[0].beside);
	codes_free(set);
}

static void test_words(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(text(set, CTX_REPORT, "delivrd"), 1);
	assert_key(0, "OK");
	assert_int_equal(text(set, CTX_REPORT, "DELIVRD "), 1);
	assert_int_equal(text(set, CTX_REPORT, "DELIVR"), 0);
	assert_int_equal(text(set, CTX_REPORT, "DELIVRDX"), 0);
	assert_int_equal(text(set, CTX_REPORT, ""), 0);
	assert_int_equal(text(set, CTX_REPORT, "mb:0020"), 1);
	assert_key(0, "MB:0020");
	assert_false(ret[0].has_nested);
	assert_int_equal(text(set, CTX_REPORT, "5"), 1);
	assert_key(0, "5");
	codes_free(set);
}

static void test_nested(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(text(set, CTX_REPORT, "ID:0008"), 1);
	assert_key(0, "ID:*");
	assert_string_equal(ret[0].nested_text, "0008");
	assert_int_equal(ret[0].nested_value, 8);
	assert_int_equal(ret[0].nested_count, 1);
	assert_inner(0, 0, "57/8");
	assert_int_equal(text(set, CTX_REPORT, "ID:0005"), 1);
	assert_inner(0, 0, "5");
	assert_int_equal(text(set, CTX_REPORT, "MK:0005"), 1);
	assert_true(ret[0].has_nested && ret[0].nested_foreign && ret[0].nested_count == 0);
	assert_int_equal(text(set, CTX_REPORT, "MK::0005"), 1);
	assert_string_equal(ret[0].nested_text, "0005");
	assert_int_equal(text(set, CTX_REPORT, "MB:9999"), 1);
	assert_true(ret[0].has_nested && !ret[0].nested_foreign && ret[0].nested_count == 0);
	assert_int_equal(text(set, CTX_REPORT, "MB:"), 1);
	assert_true(ret[0].has_nested && ret[0].nested_count == 0);
	assert_int_equal(text(set, CTX_REPORT, "MB:more than a Stat can ever hold, and then some more of it ......."), 1);
	assert_int_equal(strlen(ret[0].nested_text), 15);
	assert_int_equal(text(set, CTX_REPORT, "IX:0005"), 1);
	assert_int_equal(ret[0].nested_count, 2);
	assert_inner(0, 0, "3~9");
	assert_inner(0, 1, "5");
	assert_true(ret[0].nested[0].ambiguous && ret[0].nested[1].ambiguous);
	codes_free(set);
}

static void test_hex(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(text(set, CTX_REPORT, "MB:0065"), 1);
	assert_int_equal(ret[0].nested_count, 2);
	assert_inner(0, 0, "0x41");
	assert_inner(0, 1, "0x65");
	assert_int_equal(ret[0].nested[1].number, 0x65);
	assert_true(ret[0].nested[0].ambiguous);
	assert_int_equal(text(set, CTX_REPORT, "MB:004a"), 1);
	assert_int_equal(ret[0].nested_count, 1);
	assert_inner(0, 0, "0x4A");
	assert_false(ret[0].nested[0].ambiguous);
	assert_int_equal(text(set, CTX_REPORT, "MB:0018"), 1);
	assert_int_equal(ret[0].nested_count, 0);
	assert_int_equal(text(set, CTX_REPORT, "MB:0022"), 1);
	assert_int_equal(ret[0].nested_count, 1);
	assert_inner(0, 0, "0x14-0x1F");
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_ANY, 10065), 1);
	assert_int_equal(ret[0].nested_count, 2);
	codes_free(set);
}

static void test_divisor(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, 100005), 1);
	assert_key(0, "10");
	assert_string_equal(ret[0].nested_text, "0005");
	assert_inner(0, 0, "5");
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, 69007), 1);
	assert_true(ret[0].nested_foreign);
	assert_int_equal(text(set, CTX_COMPOSITE, "0005"), 1);
	assert_key(0, "0");
	assert_inner(0, 0, "5");
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, 4), 0);
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, 130001), 0);
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, 1000005), 0);
	assert_int_equal(number(set, CTX_COMPOSITE, CODE_CMPP, -5), 0);
	codes_free(set);
}

static void test_steps(void **state)
{
	struct code_set *set = small();

	(void)state;
	assert_int_equal(ask_as(set, "x", CTX_QUERY_RESP, CODE_CMPP, 0x20, NULL, 5), 1);
	assert_key(0, "5");
	assert_int_equal(ask_as(set, "x", CTX_QUERY_RESP, CODE_CMPP, 0x30, NULL, 5), 1);
	assert_int_equal(ask_as(set, "x", CTX_QUERY_RESP, CODE_CMPP, 0x30, NULL, 25), 1);
	assert_key(0, "other");
	assert_int_equal(ask_as(set, "x", CTX_QUERY_RESP, CODE_CMPP, 0x30, NULL, 1000), 1);
	assert_string_equal(ret[0].table->name, "plain");
	assert_int_equal(ask_as(set, "x", CTX_QUERY_RESP, CODE_SMPP, 0x34, NULL, 5), 0);
	assert_int_equal(number(set, CTX_ERRNO, CODE_ANY, 1005), 1);
	assert_key(0, "5");
	assert_true(ret[0].derived);
	assert_int_equal(number(set, CTX_LOG, CODE_ANY, 5), 1);
	assert_int_equal(number(set, CTX_LOG, CODE_ANY, 0x41), 1);
	assert_key(0, "0x41");
	codes_free(set);
}

static void test_capacity(void **state)
{
	struct code_set *set = small();
	const struct code_profile *p[] = { codes_profile(set, "x"), NULL };
	struct code_query q = { .profiles = p, .context = CTX_SUBMIT_RESP, .side = CODE_SMPP, .number = 60 };

	(void)state;
	assert_int_equal(codes_lookup(set, &q, ret, 1), 1);
	assert_key(0, "60a");
	assert_int_equal(codes_lookup(set, &q, ret, 0), 0);
	q.profiles = NULL;
	assert_int_equal(codes_lookup(set, &q, ret, 4), 0);
	q.profiles = p;
	q.context = CTX_COUNT;
	assert_int_equal(codes_lookup(set, &q, ret, 4), 0);
	codes_free(set);
}

static void test_names(void **state)
{
	struct code_set *set = small();
	const struct code_profile *p[] = { codes_profile(set, "standard"), NULL };
	struct code_query q = { .profiles = p, .context = CTX_LOGIN, .side = CODE_SMPP, .is_text = true,
		.text = span_of("e_big", 5) };

	(void)state;
	assert_int_equal(codes_lookup(set, &q, ret, 4), 0);
	q.by_name = true;
	assert_int_equal(codes_lookup(set, &q, ret, 4), 1);
	assert_key(0, "big");
	codes_free(set);
}

/* Loads one faulty a.conf and expects `what` among the faults; an '@' in it stands for the folder. */
static void faulty(const char *file, const char *what)
{
	char want[256];
	size_t n = 0;

	for (; *what != '\0' && n + sizeof(folder) < sizeof(want); what++) {
		if (*what == '@')
			n += (size_t)snprintf(want + n, sizeof(want) - n, "%s", folder);
		else
			want[n++] = *what;
	}
	want[n] = '\0';
	drop("p.conf");
	put("a.conf", file);
	assert_null(load(NULL));
	if (strstr(faults_text, want) == NULL)
		print_error("wanted: %s\ngot: %s\n", want, faults_text);
	assert_non_null(strstr(faults_text, want));
}

#define T(rows) "tables = (\n" HEAD("t") "rows = (\n" rows "\n); }\n);\n"
#define A "@/a.conf:"

static void test_faults(void **state)
{
	(void)state;
	faulty(T(ROW("1", "value = 1;") ",\n" ROW("2", "value = 1;")), A "4: error: row \"2\" matches the same as row \"1\" at @/a.conf:3");
	faulty(T(ROW("1", "value = 1;") ",\n" ROW("1", "value = 2;")), A "4: error: row \"1\" is already at");
	faulty(T(ROW("a", "smpp = 1; cmpp = 2;") ",\n" ROW("b", "cmpp = 2;")), A "4: error: row \"b\" matches the same");
	faulty(T(ROW("1", "from = 1; to = 9;") ",\n" ROW("2", "from = 9; to = 12;")), A "4: error: row \"2\" overlaps row \"1\"");
	faulty(T(ROW("1", "from = 9; to = 1;")), A "3: error: row \"1\": from is greater than to");
	faulty(T(ROW("1", "from = 9;")), A "3: error: from and to stand together");
	faulty(T(ROW("1", "")), A "3: error: row \"1\" has nothing to match by");
	faulty(T(ROW("a", "text = \"A:*\";") ",\n" ROW("b", "text = \"a:*\";")), A "4: error: row \"b\" matches the same");
	faulty(T(ROW("a", "text = \"A:*\"; nested = [ \"nobody\" ];")), A "3: error: row \"a\": no table is named \"nobody\"");
	faulty(T("{ key = \"1\"; value = 1; zh = \"z\"; }"), A "3: error: row \"1\" has no en");
	faulty(T("{ key = \"1\"; value = 1; en = \"z\"; }"), A "3: error: row \"1\" has no zh");
	faulty(T("{ key = \"1\"; value = 1; zh = \"z\"; en = \"\"; }"), A "3: error: en is a text that is not empty");
	faulty(T(ROW("1", "value = 1; klass = \"ok\";")), A "3: error: unknown key \"klass\"");
	faulty(T(ROW("1", "value = 1; origin = \"moon\";")), A "3: error: unknown origin \"moon\"");
	faulty(T(ROW("1", "value = \"1\";")), A "3: error: value is a number");
	faulty(T(ROW("1", "value = 2147483984;")), A "3: error: 2147483984 does not fit 32 bits");
	faulty(T(ROW("1", "value = 0xFFFFFFFF;")), A "3: error: 0xFFFFFFFF does not fit 32 bits");
	faulty(T(ROW("1", "value = 99999999999999999999;")), A "3: error: 99999999999999999999 does not fit 64 bits");
	faulty(T(ROW("\xc3", "value = 1;")), A "3: error: not UTF-8");
	faulty(T(ROW("1", "value = 1;")) "/* swallowed", A "6: error: comment without its closing */");
	faulty(T(ROW("1", "value = 1;") ","), A "4: error: no ',' before ')'");
	faulty("tables = ( { table = \"t\"; rows = ( " ROW("1", "value = 1;") " ); } );", A "1: error: table \"t\" names no source");
	faulty(T(ROW("1", "value = 1;")) "more = 1;\n", A "6: error: unknown key \"more\"");
	faulty("", A "1: error: holds neither tables nor profiles nor maps");
	faulty(T(ROW("1", "value = 1;\nvalue = 2;")), A "4: error: this name is already used in the group\n");
	faulty(T(""), A "2: error: table \"t\" has no rows");
}

static void test_all_faults(void **state)
{
	(void)state;
	faulty(T(ROW("1", "value = \"x\";") ",\n" ROW("2", "value = 2; class = \"y\";")), A "3: error: value is a number");
	assert_non_null(strstr(faults_text, "a.conf:4: error: unknown class \"y\""));
}

static void test_profile_faults(void **state)
{
	(void)state;
	put("b.conf", T(ROW("1", "value = 1;")));
	faulty("profiles = ( { profile = \"p\"; rules = (\n{ contexts = [ \"login\" ];\nsteps = ( { table = \"u\"; } ); } ); } );",
		A "3: error: no table is named \"u\"");
	faulty("profiles = ( { profile = \"p\"; rules = (\n{ contexts = [ \"logon\" ]; steps = ( { table = \"t\"; } ); } ); } );",
		A "2: error: unknown context \"logon\"");
	faulty("profiles = ( { profile = \"p\"; rules = (\n{ contexts = [ \"login\" ]; steps = ( { table = \"t\"; } ); },\n"
		"{ contexts = [ \"nack\", \"login\" ]; side = \"smpp\"; steps = ( { table = \"t\"; } ); } ); } );",
		A "3: error: profile \"p\" has a rule for login of smpp already, at @/a.conf:2");
	faulty("profiles = ( { profile = \"p\"; inner = (\n{ under = [ \"t/9\" ]; steps = ( { table = \"t\"; } ); } ); } );",
		A "2: error: no row is \"t/9\"");
	faulty("profiles = ( { profile = \"p\"; rules = (\n{ contexts = [ \"login\" ]; steps = ( { table = \"t\"; when = \"never\"; } ); } ); } );",
		A "2: error: unknown when \"never\"");
	faulty("tables = (\n" HEAD("t") "rows = ( " ROW("1", "value = 1;") " ); } );", "@/b.conf:2: error: table \"t\" is already defined at @/a.conf:2");
}

/* No file that is cut short loads, wherever it was cut before its last bracket. */
static void test_truncated(void **state)
{
	static char cut[sizeof(tables)];
	size_t end = strlen(tables) - 2;

	(void)state;
	for (size_t n = 0; n < end; n += n < 200 ? 1 : 7) {
		struct code_set *set;

		memcpy(cut, tables, n);
		cut[n] = '\0';
		put("a.conf", cut);
		set = load(NULL);
		assert_null(set);
		assert_non_null(strstr(faults_text, "a.conf"));
	}
}

static void test_site(void **state)
{
	struct code_set *set;
	char sub[128];

	(void)state;
	put("a.conf", tables);
	put("p.conf", profiles);
	snprintf(sub, sizeof(sub), "%s-site", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	snprintf(sub, sizeof(sub), "../%s-site/s.conf", folder);
	put(sub, "tables = ( { table = \"plain\"; rows = ( " ROW("mine", "value = 5;") "," ROW("new", "value = 300;") " ); },"
		HEAD("extra") "rows = ( " ROW("1", "value = 1;") " ); } );"
		"profiles = ( { profile = \"x\"; rules = ( { contexts = [ \"nack\" ]; steps = ( { table = \"extra\"; } ); } ); } );");
	snprintf(sub, sizeof(sub), "../%s-site", folder);
	set = load(sub);
	assert_string_equal(faults_text, "");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 5), 1);
	assert_key(0, "mine");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 300), 1);
	assert_key(0, "new");
	assert_int_equal(ask_as(set, "standard", CTX_LOGIN, CODE_SMPP, 0, NULL, 1), 1);
	assert_key(0, "1");
	assert_int_equal(number(set, CTX_NACK, CODE_SMPP, 1), 1);
	assert_string_equal(ret[0].table->name, "extra");
	assert_int_equal(number(set, CTX_SUBMIT_RESP, CODE_SMPP, 57), 1);
	codes_free(set);
	set = load("no-such-folder");
	assert_non_null(set);
	codes_free(set);
	snprintf(sub, sizeof(sub), "../%s-site/s.conf", folder);
	drop(sub);
	snprintf(sub, sizeof(sub), "%s-site", folder);
	assert_int_equal(rmdir(sub), 0);
}

static void test_missing(void **state)
{
	struct conf_faults faults = { .to = NULL };

	(void)state;
	assert_null(codes_load("no-such-folder", NULL, &faults));
	assert_int_equal(faults.errors, 2);
}

static void test_where(void **state)
{
	(void)state;
	assert_string_equal(codes_dir("/x"), "/x");
	setenv("SMSCOPE_CODES", "/y", 1);
	assert_string_equal(codes_dir(NULL), "/y");
	unsetenv("SMSCOPE_CODES");
	assert_string_equal(codes_dir(NULL), SOURCE_DIR "/codes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_range_default),
		cmocka_unit_test(test_two_numbers),
		cmocka_unit_test(test_standard_beside),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_divisor),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_all_faults),
		cmocka_unit_test(test_profile_faults),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_site),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_where),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
