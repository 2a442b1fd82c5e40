#include "scribe_ring.h"

/* One scribe after another over the same memory: what the first had told, held or in hand, and the log that both write. */

static const char submit_resp_20[] = "000000158000000400000017b2b9da800001000000";

static _Alignas(64) uint8_t memory[16 << 20]; /* of the sink */
static uint64_t tail;
static struct shm_seen seen;

static void begin(void)
{
	struct sink_settings s = { .type = SINK_FILE, .path = path, .format = FORMAT_JSON, .kinds = UINT32_MAX,
		.queue = 8 << 20, .mask = MASK_PART };

	assert_true(sink_shared_bytes(&s) <= sizeof(memory));
	atomic_fetch_add(&shm->engine_starts, 1);
	sinks[0] = sink_new(&s, memory);
	assert_non_null(sinks[0]);
	scribe = scribe_new(&settings, shm, codes, sinks, 1);
	assert_non_null(scribe);
}

static void await_read(void)
{
	struct ring *r = shm_ring(shm, 0);

	for (int i = 0; i < 500 && atomic_load(&r->tail) != atomic_load(&r->head); i++)
		poll(NULL, 0, 5);
	assert_int_equal(atomic_load(&r->tail), atomic_load(&r->head));
}

/* In order, as at a reload; `scribe` may have a report that waits. */
static void leave(void)
{
	await_read();
	scribe_leave(scribe);
	scribe = NULL;
	assert_true(sink_leave(sinks[0], 1000));
}

/* A session that has logged in, a message that is not answered: a report may be its. */
static void set_session(void)
{
	memset(memory, 0, sizeof(memory));
	now_ns = clock_mono_ns();
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x20;
	sessions[0].flags = RING_LOGGED_IN;
	shm_session(shm, 0)->id = 100;
	open_session(0, 0);
}

/* What the ring and the session are before the next entry is read … */
static void remember(void)
{
	await_read();
	tail = atomic_load(&shm_ring(shm, 0)->tail);
	seen = *shm_seen(shm, 0);
}

/* … and are again: the engine was killed with that entry in hand. */
static void have_in_hand(bool noted)
{
	struct ring *r = shm_ring(shm, 0);

	if (!noted)
		*shm_seen(shm, 0) = seen;
	atomic_store(&r->tail, tail);
	atomic_store(&r->hand, tail + 1);
}

/* The response that names the message comes; all that the log has then. */
static json_t *answered(void)
{
	begin();
	put_pdu(0, RING_GW, submit_resp_20);
	await_read();
	poll(NULL, 0, 50);
	scribe_free(scribe);
	scribe = NULL;
	return log_at_end();
}

/* Once more, as in a test of its own. */
static void start_again(void)
{
	assert_int_equal(tear_down(NULL), 0);
	assert_int_equal(set_up(NULL), 0);
}

static void expect(json_t *all, const char *const *evs)
{
	for (size_t i = 0; evs[i] != NULL || i < json_array_size(all); i++)
		assert_string_equal(word(all, i, "ev"), evs[i]);
	for (size_t i = 1; i < json_array_size(all); i++)
		assert_true(number(all, i, "id") > number(all, i - 1, "id"));
	json_decref(all);
}

/* What is told of it at once, that it is malformed, is told once; the report has an id of its own. */
static void malformed_and_waits(void **state)
{
	static const char *const evs[] = { "session_open", "submit", "malformed", "submit_resp", "report", NULL };
	char longer[sizeof(report_20) + 2];

	(void)state;
	snprintf(longer, sizeof(longer), "%s00", report_20);
	longer[7] = '2'; /* of Total_Length */
	for (int deaths = 1; deaths <= 3; deaths += 2) {
		set_session();
		put_pdu(0, 0, submit_20);
		put_pdu(0, RING_GW, longer);
		for (int i = 0; i < deaths; i++) {
			begin();
			leave();
		}
		expect(answered(), evs);
		start_again();
	}
}

/* Killed when its line was put: it is the same message to who goes on. */
static void submit_in_hand(void **state)
{
	json_t *all;

	(void)state;
	set_session();
	begin();
	remember();
	put_pdu(0, 0, submit_20);
	leave();
	have_in_hand(false);
	all = answered();
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(word(all, 1, "ev"), "submit");
	assert_string_equal(word(all, 2, "ev"), "submit_resp");
	assert_true(number(all, 1, "story") > 0);
	assert_int_equal(number(all, 2, "story"), number(all, 1, "story"));
	json_decref(all);
}

/* Killed when it had been set aside to wait, before it was taken off the ring. */
static void waits_in_hand(void **state)
{
	static const char *const evs[] = { "session_open", "submit", "submit_resp", "report", NULL };

	(void)state;
	for (int noted = 0; noted < 2; noted++) {
		set_session();
		put_pdu(0, 0, submit_20);
		begin();
		remember();
		put_pdu(0, RING_GW, report_20);
		leave();
		have_in_hand(noted != 0);
		expect(answered(), evs);
		start_again();
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(malformed_and_waits),
		TEST(submit_in_hand),
		TEST(waits_in_hand),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
