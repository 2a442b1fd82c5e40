#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "record_doc.h"

/* Every record that a test reads is held against docs/records.md. */

static const struct record_doc *doc(void)
{
	static struct record_doc d;

	if (d.kind_count == 0 && !record_doc_read(&d, SOURCE_DIR "/docs/records.md"))
		fail_msg("docs/records.md does not read");
	return &d;
}

static unsigned type_of(const json_t *v)
{
	if (json_is_string(v))
		return DOC_TEXT;
	if (json_is_integer(v))
		return json_integer_value(v) >= 0 ? DOC_NUMBER | DOC_INTEGER : DOC_INTEGER;
	return json_is_true(v) ? DOC_TRUE : json_is_array(v) ? DOC_LIST : 0;
}

static void check_members(const char *ev, json_t *o, const char *line)
{
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		unsigned types = record_doc_types(doc(), ev, key);
		json_t *item;
		size_t i;

		if (types == 0)
			fail_msg("docs/records.md: %s has no \"%s\": %s", ev, key, line);
		if ((type_of(v) & types) == 0)
			fail_msg("docs/records.md: %s has another type of \"%s\": %s", ev, key, line);
		json_array_foreach(v, i, item)
		{
			if (!json_is_object(item))
				fail_msg("\"%s\" holds what is no object: %s", key, line);
			check_members(DOC_OBJECTS, item, line);
		}
	}
}

void record_check(json_t *o, const char *line)
{
	const char *ev = json_string_value(json_object_get(o, "ev"));

	if (!ev || !record_doc_has(doc(), ev))
		fail_msg("docs/records.md: no such kind: %s", line);
	if (!json_object_get(o, "ts"))
		fail_msg("no ts: %s", line);
	check_members(ev, o, line);
}
