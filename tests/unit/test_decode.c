#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

/* `smscope decode` as people and scripts run it: output, exit codes, what goes where. */

static char got[65536];

/* Runs smscope with `args`; standard output into `got`. Returns its exit code. */
static int run(const char *args)
{
	char command[1024];
	size_t n;
	FILE *f;
	int rc;

	snprintf(command, sizeof(command), "SMSCOPE_CODES_SITE= SMSCOPE_CODES='" SOURCE_DIR "/codes' " BUILD_DIR
		"/smscope %s", args);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	rc = pclose(f);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

/* The first object of the output, and the member of its best answer. */
static json_t *parse(void)
{
	json_error_t e;
	json_t *j = json_loads(got, JSON_DISABLE_EOF_CHECK, &e);

	if (j == NULL)
		print_error("%s\n%s\n", e.text, got);
	assert_non_null(j);
	return j;
}

static const char *member(json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static json_t *answer(json_t *j, size_t i)
{
	return json_array_get(json_object_get(j, "answers"), i);
}

static void test_json(void **state)
{
	static const char *const keys[] = { "table", "key", "name", "zh", "en", "class", "origin", "retry", "remark", "cause",
		"action", "derived", "source", "nested" };
	json_t *j, *a, *nested;

	(void)state;
	assert_int_equal(run("decode --json --profile infox --context report --side cmpp MB:0064"), 0);
	j = parse();
	assert_string_equal(member(j, "input"), "MB:0064");
	assert_string_equal(member(j, "profile"), "infox");
	assert_string_equal(member(j, "context"), "report");
	assert_true(json_is_true(json_object_get(j, "known")));
	assert_true(json_is_true(json_object_get(j, "ambiguous")));
	a = answer(j, 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(a, keys[i]));
	assert_string_equal(member(a, "table"), "infox-report-prefix");
	assert_string_equal(member(a, "origin"), "smsc");
	nested = json_object_get(a, "nested");
	assert_true(json_is_true(json_object_get(nested, "known")));
	assert_string_equal(member(nested, "value"), "0064");
	assert_string_equal(member(nested, "table"), "infox-smc");
	assert_string_equal(member(nested, "zh"), "地址错误");
	assert_int_equal(json_array_size(json_object_get(nested, "also")), 1);
	json_decref(j);
}

static void test_values(void **state)
{
	static const struct {
		const char *args, *table, *zh;
		int rc;
	} cases[] = {
		{ "--profile infox --context login --side smpp 11", "infox-login", "登录效验密码错误", 0 },
		{ "--profile standard --context login --side smpp 0x0000000B", "smpp34-status", "目的地址无效", 0 },
		{ "--profile infox --context submit_resp --side cmpp --cmpp-version 3 9", "infox-gateway", "本网关不负责此计费号码", 0 },
		{ "--profile infox --context submit_resp --side cmpp --cmpp-version 2 9", "infox-submit", "前转判断错", 0 },
		{ "--profile infox --context log --platform hpux 10054", "infox-hpux", "设备不是流", 0 },
		{ "--profile infox MI::0010", "infox-report-prefix", "SMSC返回状态报告的状态值为EXPIRED", 0 },
		{ "ESME_RTHROTTLED", "smpp34-status", "流量受限:发送速率超过允许值", 0 },
		{ "E_STORE_TIME_OUT", "infox-internal", "在重发进程中超时", 0 },
		{ "-2147483312", "infox-internal", "在重发进程中超时", 0 },
		{ "ErrCode:97001", "infox-protocol", "缺省解码失败", 0 },
		{ "--profile infox 'stat:UNDELIV err:021'", "infox-message-state", "消息无法送达", 1 },
		{ "E000510", "huaweicloud-code", "短信发送失败,失败原因见 status 参数", 0 },
		{ "isv.AMOUNT_NOT_ENOUGH", "aliyun-smpp", "帐户余额不足", 0 },
		{ "2301104", "linux-errno", "连接被对端复位", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char args[256];
		json_t *j;

		snprintf(args, sizeof(args), "decode --json %s", cases[i].args);
		assert_int_equal(run(args), cases[i].rc);
		j = parse();
		if (answer(j, 0) == NULL || strcmp(member(answer(j, 0), "zh"), cases[i].zh) != 0)
			print_error("%s\n%s\n", args, got);
		assert_string_equal(member(answer(j, 0), "table"), cases[i].table);
		assert_string_equal(member(answer(j, 0), "zh"), cases[i].zh);
		json_decref(j);
	}
}

/* Values as people have them, nothing said about where they are from: what stands first, and what else is there. */
static void test_examples(void **state)
{
	static const struct {
		const char *value, *table, *key, *nested;
		bool ambiguous;
		const char *also; /* TABLE KEY of another answer */
	} cases[] = {
		{ "8", "smpp34-status", "0x00000008", NULL, true, "infox-submit status=57 result=8" },
		{ "0x0000000B", "infox-login", "status=11 result=3", NULL, true, "smpp34-status 0x0000000B" },
		{ "0051", "smpp34-status", "0x00000033", NULL, true, "infox-composite AAAA" },
		{ "MB:0064", "infox-report-prefix", "MB:xxxx", "0X00000040", true, "cmpp-stat-prefix MB:xxxx" },
		{ "mb:0064", "infox-report-prefix", "MB:xxxx", "0X00000040", true, "cmpp-stat-prefix MB:xxxx" },
		{ "MI::0010", "infox-report-prefix", "MI::zzzz", NULL, false, "carriers-prefix-h MI:nnnn" },
		{ "stat:UNDELIV err:021", "infox-message-state", "UNDELIV", NULL, true, "gsm-map-error 21" },
		{ "ESME_RTHROTTLED", "smpp34-status", "0x00000058", NULL, false, NULL },
		{ "E_STORE_TIME_OUT", "infox-internal", "E_STORE_TIME_OUT= 0x80000150", NULL, false, NULL },
		{ "isv.AMOUNT_NOT_ENOUGH", "aliyun-smpp", "isv.AMOUNT_NOT_ENOUGH 45", NULL, false, NULL },
		{ "E000510", "huaweicloud-code", "E000510", NULL, false, NULL },
		{ "ErrCode:97001", "infox-protocol", "97001", NULL, false, NULL },
		{ "2301104", "linux-errno", "104", NULL, false, NULL },
		{ "-2147483312", "infox-internal", "E_STORE_TIME_OUT= 0x80000150", NULL, false,
		  "infox-submit-gateway 一个负数" },
		{ "MB:0088", "infox-report-prefix", "MB:xxxx", "0X0000004C – 0X0000005F", true, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char args[256], key[256];
		const char *nested;
		bool also = cases[i].also == NULL;
		json_t *j, *a;
		size_t k;

		snprintf(args, sizeof(args), "decode --json '%s'", cases[i].value);
		assert_int_equal(run(args), 0);
		j = parse();
		assert_string_equal(member(j, "input"), cases[i].value);
		assert_true(json_is_null(json_object_get(j, "profile")));
		assert_true(json_is_true(json_object_get(j, "known")));
		if (json_is_true(json_object_get(j, "ambiguous")) != cases[i].ambiguous)
			fail_msg("%s", got);
		a = answer(j, 0);
		assert_string_equal(member(a, "table"), cases[i].table);
		assert_string_equal(member(a, "key"), cases[i].key);
		nested = json_string_value(json_object_get(json_object_get(a, "nested"), "key"));
		assert_int_equal(nested == NULL, cases[i].nested == NULL);
		if (nested != NULL)
			assert_string_equal(nested, cases[i].nested);
		json_array_foreach(json_object_get(j, "answers"), k, a) {
			snprintf(key, sizeof(key), "%s %s", member(a, "table"), member(a, "key"));
			also = also || (k > 0 && strcmp(key, cases[i].also) == 0);
		}
		if (!also)
			fail_msg("no %s in: %s", cases[i].also, got);
		json_decref(j);
	}
}

/* The keys that programs rely on, in an answer and in its nested one, known or not. */
static void has_keys(json_t *j)
{
	static const char *const keys[] = { "table", "key", "name", "zh", "en", "class", "origin", "retry", "remark", "cause",
		"action", "derived", "source", "nested" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(j, keys[i]) == NULL)
			fail_msg("no \"%s\" in: %s", keys[i], got);
	assert_true(json_is_boolean(json_object_get(j, "derived")));
}

static void test_contract(void **state)
{
	static const char *const values[] = { "CB:0007", "CB:9999", "SB:0007", "DELIVRD", "0012", "40072" };
	static const char *const top[] = { "input", "profile", "context", "known", "ambiguous", "answers" };
	json_t *j, *a;
	size_t k;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char args[256];

		snprintf(args, sizeof(args), "decode --json --profile infox --context report --side cmpp %s", values[i]);
		assert_int_equal(run(args), 0);
		j = parse();
		for (k = 0; k < sizeof(top) / sizeof(top[0]); k++)
			assert_non_null(json_object_get(j, top[k]));
		json_array_foreach(json_object_get(j, "answers"), k, a) {
			json_t *nested = json_object_get(a, "nested");

			has_keys(a);
			if (json_is_null(nested))
				continue;
			has_keys(nested);
			assert_true(json_is_boolean(json_object_get(nested, "known")));
			assert_int_equal(json_is_true(json_object_get(nested, "known")),
				json_is_string(json_object_get(nested, "table")));
		}
		json_decref(j);
	}
	/* A label names the context, two labels do not. */
	assert_int_equal(run("decode --json ErrCode:97001"), 0);
	j = parse();
	assert_string_equal(member(j, "context"), "log");
	json_decref(j);
	assert_int_equal(run("decode --json 'stat:DELIVRD err:021'"), 0);
	j = parse();
	assert_true(json_is_null(json_object_get(j, "context")));
	json_decref(j);
	/* One object a line, from standard input, too. */
	assert_int_equal(run("decode --json --profile infox --context report <<'X'\nIB:0072\nZZ:1\nID:0020\nX\n"), 1);
	k = 0;
	for (char *p = got; (p = strchr(p, '\n')) != NULL; p++)
		k++;
	assert_int_equal(k, 3);
}

static bool has_word(json_t *list, const char *word)
{
	json_t *w;
	size_t k;

	json_array_foreach(list, k, w)
		if (strcmp(json_string_value(w), word) == 0)
			return true;
	return false;
}

/* An answer holds on its sides in each of its contexts: composite results exist under CMPP only. */
static void test_sides(void **state)
{
	bool submit = false, report = false;
	json_t *j, *a;
	size_t k;

	(void)state;
	assert_int_equal(run("decode --json --profile infox 120102"), 0);
	j = parse();
	json_array_foreach(json_object_get(j, "answers"), k, a) {
		json_t *contexts = json_object_get(a, "contexts"), *sides = json_object_get(a, "sides");

		if (strcmp(member(a, "table"), "infox-composite") != 0)
			continue;
		if (has_word(contexts, "submit_resp")) {
			submit = has_word(sides, "cmpp");
			assert_false(has_word(sides, "smpp"));
		}
		if (has_word(contexts, "report")) {
			report = has_word(contexts, "composite");
			assert_int_equal(json_array_size(sides), 2);
		}
	}
	assert_true(submit && report);
	json_decref(j);
}

/* Blanks around a value and behind a label change nothing. */
static void test_blanks(void **state)
{
	static const char *const pairs[][2] = {
		{ "8", " 8\t " },
		{ "ErrCode:97001", "ErrCode: 97001" },
		{ "stat:UNDELIV err:021", "stat: UNDELIV  err:\t021" },
		{ "E_DCS_ERROR", "E_DCS_ ERROR" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		json_t *both[2];

		for (int k = 0; k < 2; k++) {
			char args[256];

			snprintf(args, sizeof(args), "decode --json '%s'", pairs[i][k]);
			if (run(args) != 0)
				fail_msg("%s", got);
			both[k] = parse();
			json_object_del(both[k], "input");
		}
		for (size_t k = 0; k < json_array_size(json_object_get(both[0], "answers")); k++) {
			json_object_del(answer(both[0], k), "value");
			json_object_del(answer(both[1], k), "value");
		}
		if (!json_equal(both[0], both[1]))
			fail_msg("\"%s\" is another value than \"%s\"", pairs[i][1], pairs[i][0]);
		json_decref(both[0]);
		json_decref(both[1]);
	}
}

static void test_platforms(void **state)
{
	static const struct {
		const char *platform, *table;
		size_t count;
	} cases[] = {
		{ "windows", "infox-winsock", 1 }, { "hpux", "infox-hpux", 1 }, { "aix", NULL, 0 },
	};
	json_t *j;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char args[256];

		snprintf(args, sizeof(args), "decode --json --profile infox --context log --platform %s 10054", cases[i].platform);
		assert_int_equal(run(args), cases[i].count == 0);
		j = parse();
		assert_int_equal(json_array_size(json_object_get(j, "answers")), cases[i].count);
		if (cases[i].count > 0)
			assert_string_equal(member(answer(j, 0), "table"), cases[i].table);
		json_decref(j);
	}
	assert_int_equal(run("decode --json --profile infox --context log 10054"), 0);
	j = parse();
	assert_int_equal(json_array_size(json_object_get(j, "answers")), 2);
	assert_string_equal(member(answer(j, 0), "table"), "infox-winsock");
	assert_true(json_is_true(json_object_get(j, "ambiguous")));
	json_decref(j);
	assert_int_equal(run("decode --json --context errno --platform linux 104"), 0);
	j = parse();
	assert_string_equal(member(answer(j, 0), "name"), "ECONNRESET");
	json_decref(j);
}

static void test_unknown(void **state)
{
	json_t *j;

	(void)state;
	assert_int_equal(run("decode NOTHING 8"), 1);
	assert_non_null(strstr(got, "unknown: NOTHING is in no table"));
	assert_non_null(strstr(got, "ESME_RSYSERR"));
	assert_int_equal(run("decode --json --profile infox --context composite 130001"), 1);
	j = parse();
	assert_true(json_is_false(json_object_get(j, "known")));
	assert_int_equal(json_array_size(json_object_get(j, "answers")), 0);
	json_decref(j);
	/* What a terminal could take for a command is escaped, and JSON stays JSON. */
	assert_int_equal(run("decode \"$(printf 'x\\033[31m\\\"\\\\')\""), 1);
	assert_null(strchr(got, '\033'));
	assert_int_equal(run("decode --json \"$(printf 'x\\033[31m\\\"\\\\\\377')\""), 1);
	json_decref(parse());
}

static void test_lines(void **state)
{
	(void)state;
	assert_int_equal(run("decode --profile infox --context report --lang zh </dev/null"), 0);
	assert_string_equal(got, "");
	assert_int_equal(run("decode --profile infox --context report --lang en <<'X'\nIB:0072\r\n\nID:0020\nX\n"), 0);
	assert_non_null(strstr(got, "no route"));
	assert_non_null(strstr(got, "ID:0020"));
	assert_null(strstr(got, "路由"));
}

static void test_usage(void **state)
{
	(void)state;
	assert_int_equal(run("decode --nothing 1 2>/dev/null"), 2);
	assert_string_equal(got, "");
	assert_int_equal(run("decode --context nowhere 1 2>/dev/null"), 2);
	assert_int_equal(run("decode --side both 1 2>/dev/null"), 2);
	assert_int_equal(run("decode --profile nobody 1 2>&1"), 2);
	assert_non_null(strstr(got, "infox"));
	assert_int_equal(run("decode --codes /nonexistent 1 2>/dev/null"), 1);
	assert_int_equal(run("decode --help"), 0);
	assert_non_null(strstr(got, "usage: smscope decode"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
