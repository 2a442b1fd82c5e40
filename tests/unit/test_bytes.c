#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "smscope/bytes.h"

static const uint8_t octets[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };

static void take_to_the_last_octet(void **state)
{
	struct reader r = reader_of(span_of(octets, sizeof(octets)));
	struct span s;

	(void)state;
	s = reader_take(&r, 0);
	assert_ptr_equal(s.p, octets);
	s = reader_take(&r, sizeof(octets));
	assert_int_equal(s.n, sizeof(octets));
	assert_int_equal(reader_finish(&r), SM_OK);
	assert_int_equal(reader_left(&r), 0);
	s = reader_take(&r, 0);
	assert_int_equal(reader_finish(&r), SM_OK);
}

static void take_past_the_end(void **state)
{
	static const size_t sizes[] = { sizeof(octets) + 1, SIZE_MAX, SIZE_MAX - 3,
		(size_t)1 << 63 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct reader r = reader_of(span_of(octets, sizeof(octets)));
		struct span s = reader_take(&r, sizes[i]);

		assert_int_equal(s.n, 0);
		assert_non_null(s.p);
		assert_int_equal(reader_finish(&r), SM_ESHORT);
		assert_int_equal(reader_at(&r), 0);
	}
}

static void first_error_sticks(void **state)
{
	struct reader r = reader_of(span_of(octets, sizeof(octets)));

	(void)state;
	assert_int_equal(reader_uint(&r, 2), 0x0102);
	assert_int_equal(reader_take(&r, 7).n, 0);
	assert_int_equal(reader_uint(&r, 1), 0);
	assert_int_equal(reader_take(&r, 1).n, 0);
	assert_int_equal(reader_cstr(&r, 4).n, 0);
	assert_int_equal(reader_at(&r), 2);
	assert_int_equal(reader_finish(&r), SM_ESHORT);
}

static void integers_are_big_endian(void **state)
{
	struct reader r = reader_of(span_of(octets, sizeof(octets)));
	uint8_t out[4];

	(void)state;
	assert_true(reader_uint(&r, 8) == 0x0102030405060708u);
	r = reader_of(span_of(octets, sizeof(octets)));
	assert_int_equal(reader_uint(&r, 4), 0x01020304);
	assert_int_equal(reader_uint(&r, 4), 0x05060708);
	assert_int_equal(reader_uint(&r, 1), 0);
	assert_int_equal(reader_finish(&r), SM_ESHORT);
	bytes_put_u32(out, 0x80000004);
	assert_memory_equal(out, "\x80\x00\x00\x04", 4);
	assert_int_equal(bytes_u32(out), 0x80000004);
	assert_int_equal(span_uint(span_of(octets, 0)), 0);
}

static void unread_octets_are_told(void **state)
{
	struct reader r = reader_of(span_of(octets, sizeof(octets)));

	(void)state;
	reader_take(&r, sizeof(octets) - 1);
	assert_int_equal(reader_finish(&r), SM_ETRAIL);
	reader_take(&r, 1);
	assert_int_equal(reader_finish(&r), SM_OK);
}

/* `max` counts the NUL: 5 characters need 6. */
static void cstr_limits(void **state)
{
	static const uint8_t text[] = "12345\0tail";
	static const struct {
		size_t have, max, n;
		int err;
	} rows[] = {
		{ 10, 6, 5, SM_OK }, { 10, 7, 5, SM_OK }, { 6, 6, 5, SM_OK },
		{ 10, 5, 0, SM_ENUL }, { 5, 5, 0, SM_ENUL }, { 5, 6, 0, SM_ESHORT },
		{ 0, 6, 0, SM_ESHORT }, { 10, 0, 0, SM_ENUL }, { 5, SIZE_MAX, 0, SM_ESHORT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct reader r = reader_of(span_of(text, rows[i].have));
		struct span s = reader_cstr(&r, rows[i].max);

		assert_int_equal(s.n, rows[i].n);
		assert_int_equal(r.err, rows[i].err);
		assert_int_equal(reader_at(&r), rows[i].err == SM_OK ? 6 : 0);
	}
}

static void errors_have_words(void **state)
{
	(void)state;
	for (int e = SM_ENONE; e <= SM_ESHORT; e++) {
		assert_string_not_equal(err_text(e), "unknown error");
		assert_string_not_equal(err_text(e), err_text(SM_OK));
	}
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_string_equal(err_text(SM_ENONE - 1), "unknown error");
	assert_string_equal(err_text(7), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_to_the_last_octet), cmocka_unit_test(take_past_the_end),
		cmocka_unit_test(first_error_sticks), cmocka_unit_test(integers_are_big_endian),
		cmocka_unit_test(unread_octets_are_told), cmocka_unit_test(cstr_limits),
		cmocka_unit_test(errors_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
