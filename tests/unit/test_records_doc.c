#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "record_doc.h"
#include "smscope/record.h"

/*
 * docs/records.md has every kind of record, and what major version 1 has promised
 * (tests/data/records/keys-1.tsv): the document may gain keys, never lose one.
 */

static struct record_doc doc;

static int read_doc(void **state)
{
	(void)state;
	return record_doc_read(&doc, SOURCE_DIR "/docs/records.md") ? 0 : -1;
}

static void every_kind(void **state)
{
	(void)state;
	for (int k = 0; k < REC_COUNT; k++) {
		if (!record_doc_has(&doc, record_kind_name((enum record_kind)k)))
			fail_msg("no section: %s", record_kind_name((enum record_kind)k));
	}
	for (size_t i = 0; i < doc.kind_count; i++) {
		if (record_kind_of(doc.kinds[i]) < 0)
			fail_msg("no such kind: %s", doc.kinds[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(doc.kinds[i], doc.kinds[j]);
	}
}

static void promised(void **state)
{
	FILE *f = fopen(SOURCE_DIR "/tests/data/records/keys-1.tsv", "r");
	char line[128];
	int rows = 0, gone = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char ev[24], key[32], types[32];

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%23[^\t]\t%31[^\t]\t%31[^\n]", ev, key, types), 3);
		assert_true(record_doc_types_of(types) != 0);
		rows++;
		if (record_doc_row(&doc, ev, key) == record_doc_types_of(types))
			continue;
		print_error("docs/records.md breaks its promise: %s", line);
		gone++;
	}
	fclose(f);
	assert_int_equal(gone, 0);
	assert_true(rows > 150);
}

static void type_words(void **state)
{
	(void)state;
	assert_int_equal(record_doc_types_of("text"), DOC_TEXT);
	assert_int_equal(record_doc_types_of("number or text"), DOC_NUMBER | DOC_TEXT);
	assert_int_equal(record_doc_types_of("number or"), 0);
	assert_int_equal(record_doc_types_of("numbers"), 0);
	assert_int_equal(record_doc_types_of("true "), 0);
	assert_int_equal(record_doc_types_of(""), 0);
}

static void rows_and_types(void **state)
{
	(void)state;
	assert_int_equal(record_doc_types(&doc, "lost", "code"), DOC_NUMBER | DOC_TEXT);
	assert_int_equal(record_doc_types(&doc, "report", "err_zh"), DOC_TEXT);
	assert_int_equal(record_doc_types(&doc, "report", "after_ms"), DOC_NUMBER);
	assert_int_equal(record_doc_types(&doc, "submit", "after_ms"), 0);
	assert_int_equal(record_doc_types(&doc, "query_resp", "message_state"), DOC_NUMBER);
	assert_int_equal(record_doc_types(&doc, "session_close", "gw_octets"), DOC_NUMBER);
	assert_int_equal(record_doc_types(&doc, "session_close", "foreign"), 0);
	assert_int_equal(record_doc_row(&doc, DOC_OBJECTS, "foreign"), DOC_TRUE);
	assert_int_equal(record_doc_row(&doc, DOC_OBJECTS, "nested"), DOC_LIST);
	assert_int_equal(record_doc_types(&doc, DOC_OBJECTS, "code"), DOC_TEXT);
	assert_int_equal(record_doc_types(&doc, DOC_OBJECTS, "seq"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind),
		cmocka_unit_test(promised),
		cmocka_unit_test(type_words),
		cmocka_unit_test(rows_and_types),
	};

	return cmocka_run_group_tests(tests, read_doc, NULL);
}
