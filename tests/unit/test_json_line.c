#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/json_line.h"

/* The reader of one JSON line, against jansson: what either takes for an object both read alike. */

static struct json_line line;

static int read_text(const char *text)
{
	return json_line_read(&line, span_of(text, strlen(text)));
}

static void same_value(const json_t *want, const struct json_line_value *v)
{
	static char text[JSON_LINE_MAX];
	struct out o = out_of(text, sizeof(text));
	uint64_t n;

	assert_non_null(v);
	json_line_text(&o, v);
	switch (json_typeof(want)) {
	case JSON_STRING:
		assert_int_equal(v->type, JSON_LINE_STRING);
		assert_int_equal(out_len(&o), json_string_length(want));
		assert_memory_equal(text, json_string_value(want), out_len(&o));
		assert_true(json_line_is(v, json_string_value(want)) || out_len(&o) > 128);
		break;
	case JSON_INTEGER:
		assert_int_equal(v->type, JSON_LINE_NUMBER);
		if (json_integer_value(want) >= 0 && text[0] != '-') {
			assert_true(json_line_uint(v, &n));
			assert_int_equal(n, json_integer_value(want));
		}
		break;
	case JSON_REAL:
		assert_int_equal(v->type, JSON_LINE_NUMBER);
		assert_false(json_line_uint(v, &n));
		break;
	case JSON_TRUE:
		assert_int_equal(v->type, JSON_LINE_TRUE);
		break;
	case JSON_FALSE:
		assert_int_equal(v->type, JSON_LINE_FALSE);
		break;
	case JSON_NULL:
		assert_int_equal(v->type, JSON_LINE_NULL);
		break;
	case JSON_ARRAY:
		assert_int_equal(v->type, JSON_LINE_LIST);
		break;
	case JSON_OBJECT:
		assert_int_equal(v->type, JSON_LINE_OBJECT);
		break;
	}
}

/* The same objects in the list as jansson finds, up to the first item that is none. */
static void same_list(const json_t *want, const struct json_line_value *v)
{
	static struct json_line inner;
	size_t at = 0, i;
	const char *key;
	json_t *item, *value;

	json_array_foreach(want, i, item) {
		if (!json_is_object(item)) {
			assert_false(json_line_item(v, &at, &inner));
			return;
		}
		assert_true(json_line_item(v, &at, &inner));
		json_object_foreach(item, key, value) {
			same_value(value, json_line_find(&inner, key));
		}
	}
	assert_false(json_line_item(v, &at, &inner));
}

static void check(const char *p, size_t n)
{
	json_error_t error;
	json_t *want = json_loadb(p, n, 0, &error), *value;
	int rc = json_line_read(&line, span_of(p, n));
	const char *key;

	if (!json_is_object(want) != (rc != SM_OK))
		fail_msg("rc %d, jansson says \"%s\": %.*s", rc, want != NULL ? "" : error.text,
			 (int)n, p);
	json_object_foreach(want, key, value) {
		const struct json_line_value *v = json_line_find(&line, key);

		same_value(value, v);
		if (json_is_array(value))
			same_list(value, v);
	}
	json_decref(want);
}

static void single_lines(void **state)
{
	static const char *const texts[] = {
		"{}", " { } \r\n", "{\"a\":1}", "{\"a\":-0}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":1.5e+3}",
		"{\"a\":1e}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":-}", "{\"a\":18446744073709551615.0}",
		"{\"a\":true,\"b\":false,\"c\":null}", "{\"a\":tru}", "{\"a\":truex}", "{\"a\" : \"b\" , \"c\":[ ] }",
		"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u00e9\\u4e2d\\ud83d\\ude00\"}",
		"{\"a\":\"\\ud83d\"}", "{\"a\":\"\\ude00\"}", "{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\\u0000\"}",
		"{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\t\"}",
		"{\"a\":\"中文 é \xf0\x9f\x98\x80\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe4\xb8\"}", "{\"a\":\"\x80\"}", "{\"a\":1,}",
		"{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\":1}x", "{\"a\":1", "{", "",
		"[]", "[1]", "null", "x", "{a:1}", "{'a':1}", "{\"a\":1,\"a\":2}", "{\"\\u0061\":3}",
		"{\"a\":[{\"code\":\"0064\",\"zh\":\"地址\"},{\"code\":\"x\",\"n\":[{}]}]}", "{\"a\":[1,{\"b\":2}]}",
		"{\"a\":[[[]],{},[{}]]}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":{\"b\":{\"c\":[]}}}",
		"{\"a\":{\"b\" 1}}", "{\"a\":{1:2}}", "{\"a\":[}", "{\"a\":[)]}", "{\"a\":{]}", "{\"\":1}", "{\"a\":[]]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		size_t n = strlen(texts[i]);
		char *copy = malloc(n + 1);

		/* in memory of just that size: the sanitizer sees who reads behind it */
		assert_non_null(copy);
		memcpy(copy, texts[i], n);
		copy = realloc(copy, n > 0 ? n : 1);
		check(copy, n);
		free(copy);
	}
}

/* The lines of a log; cut anywhere, they are none. */
static void log_lines(void **state)
{
	static char text[JSON_LINE_MAX];
	FILE *f = fopen(SOURCE_DIR "/tests/data/story/sample.json", "r");
	int count = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(text, sizeof(text), f) != NULL) {
		size_t n = strlen(text);

		check(text, n);
		assert_int_equal(json_line_read(&line, span_of(text, n)), SM_OK);
		for (size_t cut = 0; cut < n - 2; cut++)
			assert_int_equal(json_line_read(&line, span_of(text, cut)), SM_EFORMAT);
		count++;
	}
	fclose(f);
	assert_true(count > 40);
}

static void limits(void **state)
{
	static char text[JSON_LINE_MAX + 64];
	struct out o = out_of(text, sizeof(text));
	uint64_t n;

	(void)state;
	out_char(&o, '{');
	for (int i = 0; i < JSON_LINE_MEMBERS; i++)
		out_fmt(&o, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
	out_str(&o, "}");
	assert_int_equal(json_line_read(&line, span_of(text, out_len(&o))), SM_OK);
	assert_int_equal(line.count, JSON_LINE_MEMBERS);
	o.pos--;
	out_str(&o, ",\"more\":1}");
	assert_int_equal(json_line_read(&line, span_of(text, out_len(&o))), SM_EFULL);

	for (int deep = JSON_LINE_DEPTH - 2; deep <= JSON_LINE_DEPTH; deep++) {
		o = out_of(text, sizeof(text));
		out_str(&o, "{\"a\":");
		for (int i = 0; i < deep; i++)
			out_char(&o, '[');
		for (int i = 0; i < deep; i++)
			out_char(&o, ']');
		out_char(&o, '}');
		assert_int_equal(json_line_read(&line, span_of(text, out_len(&o))),
				 deep < JSON_LINE_DEPTH ? SM_OK : SM_EFULL);
	}
	memset(text, ' ', sizeof(text));
	text[0] = '{';
	text[JSON_LINE_MAX - 1] = '}';
	assert_int_equal(json_line_read(&line, span_of(text, JSON_LINE_MAX)), SM_OK);
	assert_int_equal(json_line_read(&line, span_of(text, JSON_LINE_MAX + 1)), SM_ELEN);

	assert_int_equal(read_text("{\"a\":18446744073709551615,\"b\":18446744073709551616}"), SM_OK);
	assert_true(json_line_uint(json_line_find(&line, "a"), &n) && n == UINT64_MAX);
	assert_false(json_line_uint(json_line_find(&line, "b"), &n));
	assert_false(json_line_uint(NULL, &n));
	assert_false(json_line_is(NULL, ""));
	assert_null(json_line_find(&line, "c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_lines),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
