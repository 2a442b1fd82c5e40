#include <setjmp.h>
#include <stdarg.h>
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

	snprintf(command, sizeof(command), "SMSCOPE_CODES='" SOURCE_DIR "/codes' " BUILD_DIR "/smscope %s", args);
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
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
