#include "scribe_ring.h"

/* Another code set takes the place of the first while the ring is full of PDUs. */

static void put_resp(uint32_t slot)
{
	uint8_t octets[24];

	(void)unhex("000000188000000400000001b2b9da800001000000000008", octets);
	put(0, slot, RING_FRAME, RING_GW, octets, sizeof(octets));
}

static void write_text(const char *name, const char *text)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The tables as they are, but for the meaning of submit result 8. */
static struct code_set *set_with(const char *en)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *set;
	char text[512];

	snprintf(text, sizeof(text), "tables = ( { table = \"infox-submit\"; rows = ( { key = \"8\"; "
		"cmpp = 8; zh = \"新\"; en = \"%s\"; class = \"throttled\"; } ); } );", en);
	write_text("site.conf", text);
	set = codes_load(SOURCE_DIR "/codes", dir, &faults);
	assert_non_null(set);
	return set;
}

static struct record config(const char *state)
{
	static struct record r;

	record_init(&r, REC_CONFIG);
	r.wall_ns = wall_ns;
	record_words_extra(&r, "state", state);
	return r;
}

static void await_entries(uint64_t n)
{
	struct scribe_counts c = { 0 };

	for (int i = 0; i < 1000 && c.entries < n; i++) {
		scribe_counts(scribe, &c);
		poll(NULL, 0, 2);
	}
	assert_true(c.entries >= n);
}

static void the_new_set_answers(void **state)
{
	struct code_set *next = set_with("new words");
	struct record r = config("ok");
	struct scribe_counts c;
	json_t *all;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	start();
	put_resp(0);
	await_entries(1);
	assert_int_equal(scribe_change(scribe, next, &r), 0);
	put_resp(0);
	await_entries(2);
	r = config("failed");
	assert_int_equal(scribe_change(scribe, NULL, &r), 0);
	put_resp(0);
	all = finish(&c);
	codes_free(next);
	assert_int_equal(json_array_size(all), 5);
	assert_string_equal(word(all, 0, "en"), "flow control error");
	assert_string_equal(word(all, 1, "ev"), "config");
	assert_string_equal(word(all, 1, "state"), "ok");
	assert_string_equal(word(all, 2, "en"), "new words");
	assert_string_equal(word(all, 3, "state"), "failed");
	assert_string_equal(word(all, 4, "en"), "new words");
	assert_int_equal(c.records[REC_CONFIG], 2);
	json_decref(all);
}

static _Atomic bool writing;

static void *write_on(void *arg)
{
	(void)arg;
	while (atomic_load(&writing)) {
		for (int i = 0; i < 50; i++)
			put_resp(0);
		poll(NULL, 0, 1);
	}
	return NULL;
}

/* Each set is freed as soon as its successor is in: an address sanitizer sees who still looks. */
static void sets_are_freed_under_load(void **state)
{
	struct code_set *now = NULL, *next;
	struct scribe_counts c;
	const char *last = "flow control error";
	pthread_t writer;
	json_t *all;
	int changes = 0, flips = 0;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	start();
	atomic_store(&writing, true);
	assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (; changes < 20; changes++) {
		struct record r = config("ok");

		next = set_with(changes % 2 == 0 ? "even" : "odd");
		assert_int_equal(scribe_change(scribe, next, &r), 0);
		codes_free(now);
		now = next;
		poll(NULL, 0, 5);
	}
	atomic_store(&writing, false);
	pthread_join(writer, NULL);
	all = finish(&c);
	codes_free(now);
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (strcmp(word(all, i, "ev"), "config") == 0)
			last = flips++ % 2 == 0 ? "even" : "odd";
		else if (strcmp(word(all, i, "ev"), "lost") != 0) /* the writer was faster */
			assert_string_equal(word(all, i, "en"), last);
	}
	assert_int_equal(flips, changes);
	assert_int_equal(c.records[REC_CONFIG], changes);
	assert_int_equal(c.unknown, 0);
	json_decref(all);
}

/* An engine that came up without tables gets them. */
static void the_first_set_comes_late(void **state)
{
	struct code_set *all_codes = codes;
	struct record r = config("ok");
	struct scribe_counts c;
	json_t *all;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	codes = NULL;
	start();
	codes = all_codes;
	put_resp(0);
	await_entries(1);
	assert_int_equal(scribe_change(scribe, codes, &r), 0);
	put_resp(0);
	all = finish(&c);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(word(all, 0, "en"), "(none)");
	assert_string_equal(word(all, 2, "en"), "flow control error");
	json_decref(all);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_new_set_answers),
		TEST(sets_are_freed_under_load),
		TEST(the_first_set_comes_late),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
