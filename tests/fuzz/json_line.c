#include <jansson.h>
#include <stdlib.h>

#include "check.h"
#include "tools/json_line.h"

/*
 * Any octets as a line of a JSON log: what is read lies inside the line, and is what another reader
 * finds there. Where that one refuses only the size of a number, or takes more than there is room
 * for here, the two may differ; and it overlooks a NUL behind a number.
 */

enum { INPUT_MAX = 4096 };

static void check_value(const json_t *want, const struct json_line_value *v)
{
	static char text[INPUT_MAX];
	struct out o = out_of(text, sizeof(text));
	uint64_t n;

	json_line_text(&o, v);
	CHECK(!o.full && out_len(&o) <= v->text.n);
	if (json_is_string(want)) {
		CHECK(v->type == JSON_LINE_STRING && out_len(&o) == json_string_length(want));
		CHECK(memcmp(text, json_string_value(want), out_len(&o)) == 0);
	} else if (json_is_integer(want)) {
		CHECK(v->type == JSON_LINE_NUMBER);
		CHECK(!json_line_uint(v, &n) || n == (uint64_t)json_integer_value(want));
	}
	CHECK(json_is_true(want) == (v->type == JSON_LINE_TRUE));
	CHECK(json_is_null(want) == (v->type == JSON_LINE_NULL));
	CHECK(json_is_array(want) == (v->type == JSON_LINE_LIST));
	CHECK(json_is_object(want) == (v->type == JSON_LINE_OBJECT));
}

static void check_items(struct span line, const json_t *want, const struct json_line_value *list)
{
	static struct json_line inner;
	size_t at = 0, i = 0;

	for (; json_line_item(list, &at, &inner); i++) {
		CHECK(at <= list->text.n);
		CHECK(want == NULL || json_is_object(json_array_get(want, i)));
		for (int k = 0; k < inner.count; k++)
			CHECK(check_inside(line, inner.at[k].value.text));
	}
	CHECK(want == NULL || i == json_array_size(want) || !json_is_object(json_array_get(want, i)) ||
	      json_object_size(json_array_get(want, i)) > JSON_LINE_MEMBERS);
}

static bool is_size_of_number(const json_error_t *error)
{
	return json_error_code(error) == json_error_numeric_overflow;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_line l;
	json_error_t error;
	uint8_t *copy;
	json_t *want, *value;
	const char *key;
	struct span line;
	int rc;

	if (size > INPUT_MAX)
		return 0;
	copy = check_copy(data, size);
	line = span_of(copy, size);
	rc = json_line_read(&l, line);
	want = json_loadb((const char *)copy, size, 0, &error);
	CHECK(rc == SM_OK || rc == SM_EFORMAT || rc == SM_EFULL);
	if (rc == SM_OK)
		CHECK(json_is_object(want) || (want == NULL && is_size_of_number(&error)));
	else
		CHECK(!json_is_object(want) || rc == SM_EFULL || memchr(copy, 0, size) != NULL);
	for (int i = 0; rc == SM_OK && i < l.count; i++) {
		CHECK(check_inside(line, l.at[i].key) && check_inside(line, l.at[i].value.text));
		if (l.at[i].value.type == JSON_LINE_LIST)
			check_items(line, NULL, &l.at[i].value);
	}
	json_object_foreach(rc == SM_OK ? want : NULL, key, value) {
		const struct json_line_value *v = json_line_find(&l, key);

		CHECK(v != NULL || strlen(key) > 128);
		if (v == NULL)
			continue;
		check_value(value, v);
		if (json_is_array(value))
			check_items(line, value, v);
	}
	json_decref(want);
	free(copy);
	return 0;
}
