#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/options.h"

static char said[512];

/* Parse "smscoped" and words separated by one space; what is said about them ends up in `said`. */
static int parse(const char *words, struct options *ret)
{
	static char line[512];
	char *argv[32] = { (char *)"smscoped" };
	FILE *err = fmemopen(said, sizeof(said), "w");
	int argc = 1, rc;

	assert_non_null(err);
	snprintf(line, sizeof(line), "%s", words);
	for (char *w = strtok(line, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	rc = options_parse(argc, argv, ret, err);
	fclose(err);
	return rc;
}

static void test_actions(void **state)
{
	static const struct { const char *words; enum action action; } rows[] = {
		{ "", ACTION_RUN },
		{ "-t", ACTION_CHECK },
		{ "--check -c x.conf", ACTION_CHECK },
		{ "--dump-config", ACTION_DUMP },
		{ "--list-keys", ACTION_LIST_KEYS },
		{ "-v", ACTION_VERSION },
		{ "--version", ACTION_VERSION },
		{ "-h", ACTION_HELP },
		{ "-t --help", ACTION_HELP },
		{ "--help --dump-config", ACTION_HELP },
		{ "--engine=warn", ACTION_ENGINE },
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].words, &o), 0);
		assert_int_equal(o.action, rows[i].action);
	}
}

static void test_usage_errors(void **state)
{
	static const struct { const char *words, *said; } rows[] = {
		{ "--foo", "smscoped: unknown option --foo; try --help\n" },
		{ "-x", "smscoped: unknown option -x; try --help\n" },
		{ "-c", "smscoped: -c needs a value; try --help\n" },
		{ "--listen", "smscoped: --listen needs a value; try --help\n" },
		{ "--check=1", "smscoped: no value is taken by --check=1; try --help\n" },
		{ "--list-keys=1", "smscoped: no value is taken by --list-keys=1; try --help\n" },
		{ "--check -xt", "smscoped: unknown option -x; try --help\n" },
		{ "-t=1", "smscoped: unknown option -=; try --help\n" },
		{ "stray", "smscoped: unexpected \"stray\"; try --help\n" },
		{ "-t --dump-config",
			"smscoped: --check, --dump-config and --list-keys exclude one another; try --help\n" },
		{ "--upstream 127.0.0.1:1", "smscoped: --listen is missing; try --help\n" },
		{ "--listen 127.0.0.1:1", "smscoped: --upstream is missing; try --help\n" },
		{ "--profile infox -c f",
			"smscoped: --config and a link on the command line exclude one another; try --help\n" },
		{ "--color blue",
			"smscoped: --color is auto, never or always, not \"blue\"; try --help\n" },
		{ "--engine=x", "smscoped: unknown option --engine=x; try --help\n" },
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].words, &o), -EINVAL);
		assert_string_equal(said, rows[i].said);
	}
}

static void test_quick_link(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse("--listen 127.0.0.1:7890 --upstream=10.0.0.1:7890 --protocol cmpp "
		"--profile infox --lang zh --log json", &o), 0);
	assert_true(o.quick);
	assert_string_equal(o.link.listen, "127.0.0.1:7890");
	assert_string_equal(o.link.upstream, "10.0.0.1:7890");
	assert_string_equal(o.link.protocol, "cmpp");
	assert_string_equal(o.link.profile, "infox");
	assert_string_equal(o.link.lang, "zh");
	assert_string_equal(o.link.log, "json");
	assert_int_equal(o.least, LOG_WARN_);
}

static void test_file(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse("", &o), 0);
	assert_non_null(strstr(o.config, "/smscope/smscope.conf"));
	assert_false(o.quick);
	assert_int_equal(o.least, LOG_INFO_);
	assert_int_equal(parse("-c a.conf", &o), 0);
	assert_string_equal(o.config, "a.conf");
}

static void test_color(void **state)
{
	struct options o;

	(void)state;
	unsetenv("NO_COLOR");
	assert_int_equal(parse("", &o), 0);
	assert_int_equal(o.color, -1);
	assert_false(o.color_given);
	assert_int_equal(parse("--color=always", &o), 0);
	assert_int_equal(o.color, 1);
	setenv("NO_COLOR", "", 1); /* no-color.org: present and not empty */
	assert_int_equal(parse("", &o), 0);
	assert_int_equal(o.color, -1);
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(parse("", &o), 0);
	assert_int_equal(o.color, 0);
	assert_true(o.color_given);
	assert_int_equal(parse("--color=always", &o), 0);
	assert_int_equal(o.color, 1);
	unsetenv("NO_COLOR");
}

/* What the keeper puts on its engine's command line is what the engine reads from it. */
static void test_engine_level(void **state)
{
	struct options o;

	(void)state;
	for (int level = LOG_DEBUG_; level <= LOG_ERROR_; level++) {
		assert_int_equal(parse(options_engine((enum log_level)level), &o), 0);
		assert_int_equal(o.action, ACTION_ENGINE);
		assert_int_equal(o.least, level);
	}
}

static void test_help_is_one_screen(void **state)
{
	char *text = NULL;
	size_t len = 0, lines = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	options_help(to);
	fclose(to);
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 100);
		lines++;
	}
	assert_in_range(lines, 10, 30);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_quick_link),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_color),
		cmocka_unit_test(test_engine_level),
		cmocka_unit_test(test_help_is_one_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
