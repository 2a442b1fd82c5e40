#include "scribe_ring.h"

/* gocmpp e611134; the report: CMPP 2.0, 7.4.5.1 */
static const char connect_21[] =
	"00000027000000010000001739303030303190d00c1d517abd0b4f65f6bcf8535d16213cdc73be";
static const char connect_resp_21[] =
	"0000001e8000000100000017006c0b846e25bab6daa4ed1c466e0f4bd821";
static const char connect_30[] =
	"000000270000000100000017393030303031e1f3c5e56ed1244e32c46f626f83b2ed3006dc2e0f";
static const char connect_resp_30[] =
	"000000218000000100000017000000007942977274098cf210ab0c16c367bc8d30";
static const char submit_resp_20[] = "000000158000000400000017b2b9da800001000000";
static const char active_test[] = "0000000c0000000800000017";
static const char terminate[] = "0000000c0000000200000018";
/* cloudhopper 193d1c4 */
static const char submit_sm[] =
	"00000039000000040000000000004fe8000101343034303400010134343935313336313932300000"
	"0000000001000000084024232125262f3a";

static void session_from_open_to_close(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	start();
	open_session(0, 0);
	put_pdu(0, 0, connect_21);
	put_pdu(0, RING_GW, connect_resp_21);
	put_pdu(0, 0, active_test);
	put_pdu(0, RING_GW, submit_resp_20);
	put_pdu(0, 0, terminate);
	put_event(0, EVENT_CLOSE, SIDE_SP, END_FIN, 0);
	all = finish(&c);
	assert_int_equal(json_array_size(all), 4);
	assert_string_equal(word(all, 0, "ev"), "session_open");
	assert_string_equal(word(all, 0, "link"), "cmcc-bj");
	assert_string_equal(word(all, 0, "peer"), "10.0.0.7:51312");
	assert_int_equal(number(all, 0, "sess"), 100);
	assert_int_equal(number(all, 0, "id"), 1);
	assert_string_equal(word(all, 1, "ev"), "login");
	assert_int_equal(number(all, 1, "code"), 0);
	assert_string_equal(word(all, 1, "source_addr"), "900001");
	assert_string_equal(word(all, 1, "version"), "CMPP 2.1");
	assert_int_equal(number(all, 1, "rtt_us"), 1000);
	assert_string_equal(word(all, 2, "ev"), "submit_resp");
	assert_true(json_is_true(json_object_get(json_array_get(all, 2), "unmatched")));
	assert_string_equal(word(all, 3, "ev"), "session_close");
	assert_string_equal(word(all, 3, "by"), "sp");
	assert_string_equal(word(all, 3, "how"), "terminate");
	assert_string_equal(word(all, 3, "step"), "after logout");
	assert_int_equal(number(all, 3, "unanswered"), 2);
	assert_int_equal(number(all, 3, "lasted_ms"), 6);
	assert_int_equal(number(all, 3, "sp_octets"), 1000);
	assert_string_equal(word(all, 3, "sp_last"), "CMPP_TERMINATE");
	assert_int_equal(c.entries, 7);
	assert_int_equal(c.silent, 3);
	assert_int_equal(c.malformed, 0);
	json_decref(all);
}

/*
 * The ring's copy of a 3.0 response still says what it said: scrubbing takes the authenticator and
 * nothing else.
 */
static void scrubbed_response_keeps_its_status(void **state)
{
	struct scribe_counts c;
	json_t *all;
	char hex[80];

	(void)state;
	memcpy(hex, connect_resp_30, sizeof(connect_resp_30));
	hex[31] = '3';
	start();
	open_session(0, 0);
	put_pdu(0, 0, connect_30);
	put_pdu(0, RING_GW, hex);
	all = finish(&c);
	assert_string_equal(word(all, 1, "ev"), "login");
	assert_int_equal(number(all, 1, "code"), 3);
	assert_string_equal(word(all, 1, "version"), "CMPP 3.0");
	json_decref(all);
}

static void our_own_refusal_is_said_to_be_ours(void **state)
{
	struct scribe_counts c;
	json_t *all;
	char hex[80];

	(void)state;
	memcpy(hex, connect_resp_21, sizeof(connect_resp_21));
	hex[25] = '9';
	start();
	open_session(0, 0);
	put_pdu(0, 0, connect_21);
	put_pdu(0, RING_GW | RING_OURS, hex);
	put_event(0, EVENT_CLOSE, SIDE_US, END_UPSTREAM, ECONNREFUSED);
	all = finish(&c);
	assert_int_equal(number(all, 1, "code"), 9);
	assert_string_equal(word(all, 1, "by"), "smscope");
	assert_string_equal(word(all, 2, "by"), "smscope");
	assert_string_equal(word(all, 2, "how"), "upstream");
	assert_string_equal(word(all, 2, "step"), "login refused");
	json_decref(all);
}

static void events_are_records(void **state)
{
	struct session_event refused = {.kind = EVENT_REFUSED,
					.side = SIDE_US,
					.how = END_LIMIT_ADDRESS,
					.value = 12,
					.text = "10.0.0.9:4711"};
	struct ring_entry *e;
	struct scribe_counts c;
	json_t *all;
	uint32_t size;

	(void)state;
	start();
	open_session(0, 0);
	put_event(0, EVENT_BLIND, SIDE_GW, END_BAD_LENGTH, 0);
	put_event(0, EVENT_STALL, SIDE_SP, END_NONE, 0);
	put_event(0, EVENT_UPSTREAM_DOWN, SIDE_GW, END_NONE, ECONNREFUSED);
	put_event(0, EVENT_UPSTREAM_UP, SIDE_GW, END_NONE, 0);
	put_event(0, EVENT_CLOSE, SIDE_GW, END_RESET, ECONNRESET);
	e = ring_reserve(shm_ring(shm, 0), sizeof(refused), true, wall_ns);
	size = e->size;
	*e = (struct ring_entry){.size = size,
				 .kind = RING_EVENT,
				 .link = 1,
				 .len = sizeof(refused),
				 .wall_ns = wall_ns};
	memcpy(ring_octets(e), &refused, sizeof(refused));
	ring_publish(shm_ring(shm, 0), e);
	all = finish(&c);
	assert_int_equal(json_array_size(all), 7);
	assert_string_equal(word(all, 1, "ev"), "blind");
	assert_string_equal(word(all, 1, "from"), "gw");
	assert_string_equal(word(all, 2, "ev"), "stall");
	assert_string_equal(word(all, 3, "state"), "down");
	assert_string_equal(word(all, 3, "error"), "ECONNREFUSED (Connection refused)");
	assert_string_equal(word(all, 4, "state"), "up");
	assert_string_equal(word(all, 5, "by"), "gw");
	assert_string_equal(word(all, 5, "how"), "reset");
	assert_string_equal(word(all, 5, "step"), "before login");
	assert_string_equal(word(all, 5, "error"), "ECONNRESET (Connection reset by peer)");
	assert_string_equal(word(all, 6, "ev"), "refused");
	assert_string_equal(word(all, 6, "link"), "smsc-eu");
	assert_string_equal(word(all, 6, "reason"), "max_per_ip");
	assert_int_equal(number(all, 6, "count"), 12);
	json_decref(all);
}

/*
 * The opening was lost or seen by another engine: the session table knows link, protocol and
 * dialect.
 */
static void session_without_an_opening(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	sessions[1].link = 1;
	sessions[1].proto = 's';
	sessions[1].dialect = 0x34;
	sessions[1].flags = RING_LOGGED_IN;
	sessions[2].link = 9; /* no such link */
	start();
	put_pdu(1, 0, submit_sm);
	put_event(1, EVENT_CLOSE, SIDE_SP, END_FIN, 0);
	put_event(2, EVENT_STALL, SIDE_SP, END_NONE, 0);
	put(0, SLOTS + 5, RING_FRAME, 0, "x", 1); /* no such slot */
	all = finish(&c);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(word(all, 0, "ev"), "submit");
	assert_string_equal(word(all, 0, "link"), "smsc-eu");
	assert_string_equal(word(all, 0, "proto"), "SMPP 3.4");
	assert_string_equal(word(all, 1, "step"), "in traffic");
	assert_string_equal(word(all, 2, "link"), "(none)");
	json_decref(all);
}

/* What was in hand when an engine died is not parsed again; what follows is. */
static void entry_in_hand_at_a_death(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	open_session(0, 0);
	ring_consume(shm_ring(shm, 0), ring_next(shm_ring(shm, 0)));
	put_pdu(0, RING_GW, submit_resp_20);
	put_pdu(0, RING_GW, submit_resp_20);
	ring_hold(shm_ring(shm, 0)); /* in hand, never consumed */
	atomic_store(&shm->suspect, 1); /* and it died of a fault */
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(word(all, 0, "ev"), "malformed");
	assert_string_equal(word(all, 0, "reason"), "in hand when smscope died");
	assert_string_equal(word(all, 1, "ev"), "submit_resp");
	assert_int_equal(c.malformed, 1);
	assert_int_equal(atomic_load(&shm_ring(shm, 0)->hand), 0);
	json_decref(all);
}

/* Of an engine that was killed the entry is innocent: it is told, under the ids it may have had already. */
static void entry_in_hand_at_a_kill(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	open_session(0, 0);
	ring_consume(shm_ring(shm, 0), ring_next(shm_ring(shm, 0)));
	put_pdu(0, RING_GW, submit_resp_20);
	put_pdu(0, RING_GW, submit_resp_20);
	ring_hold(shm_ring(shm, 0));
	ring_next(shm_ring(shm, 0))->record = 5;
	atomic_store(&shm->next_record, 7);
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(word(all, 0, "ev"), "submit_resp");
	assert_int_equal(number(all, 0, "id"), 5);
	assert_string_equal(word(all, 1, "ev"), "submit_resp");
	assert_int_equal(number(all, 1, "id"), 8);
	json_decref(all);
}

/* And before all that is new: a worker may have been late with an entry of an earlier time. */
static void entry_in_hand_comes_first(void **state)
{
	struct scribe_counts c;
	uint8_t octets[64];
	uint32_t n = (uint32_t)unhex(submit_resp_20, octets);
	json_t *all;

	(void)state;
	for (uint32_t slot = 0; slot < 2; slot++) {
		sessions[slot].proto = 'c';
		sessions[slot].dialect = 0x20;
	}
	put(0, 0, RING_FRAME, RING_GW, octets, n);
	put(1, 1, RING_FRAME, RING_GW, octets, n);
	ring_hold(shm_ring(shm, 1));
	ring_next(shm_ring(shm, 1))->record = 5;
	atomic_store(&shm->next_record, 5);
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 2);
	assert_int_equal(number(all, 0, "id"), 5);
	assert_int_equal(number(all, 0, "sess"), 101);
	assert_int_equal(number(all, 1, "id"), 6);
	json_decref(all);
}

/* The entry that the next put makes. */
static const struct ring_entry *entry_to_come(void)
{
	const struct ring *r = shm_ring(shm, 0);

	return (const struct ring_entry *)(const void *)(r->data + atomic_load(&r->head));
}

/* A report that waits is told when its session ends: under an id of its own, while the end is in hand. */
static void a_report_waits_for_the_end(void **state)
{
	const struct ring_entry *report, *close;
	struct scribe_counts c;
	json_t *all;

	(void)state;
	now_ns = clock_mono_ns();
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x20;
	sessions[0].flags = RING_LOGGED_IN;
	open_session(0, 0);
	put_pdu(0, 0, submit_20); /* it may be what the report is of, until it is answered */
	report = entry_to_come();
	put_pdu(0, RING_GW, report_20);
	close = entry_to_come();
	put_event(0, EVENT_CLOSE, SIDE_SP, END_FIN, 0);
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 4);
	assert_string_equal(word(all, 2, "ev"), "report");
	assert_int_equal(number(all, 2, "id"), 3);
	assert_int_equal(report->record, 3);
	assert_int_equal(report->told, RING_TOLD);
	assert_string_equal(word(all, 3, "ev"), "session_close");
	assert_int_equal(number(all, 3, "id"), 4);
	assert_int_equal(close->record, 4);
	json_decref(all);
}

/* An engine that takes over copies what it cannot know to have been copied. */
static void frames_and_ends_are_told_once(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	open_session(0, 0);
	put_pdu(0, RING_GW, submit_resp_20);
	sessions[0].offset[SIDE_GW] = 0;
	put_pdu(0, RING_GW, submit_resp_20);
	put_pdu(0, RING_GW, submit_resp_20);
	put_event(0, EVENT_CLOSE, SIDE_US, END_ENGINE, 0);
	put_event(0, EVENT_CLOSE, SIDE_US, END_ENGINE, 0);
	put_event(1, EVENT_CLOSE, SIDE_US, END_ENGINE, 0); /* nobody was told that it began */
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 4);
	assert_string_equal(word(all, 1, "ev"), "submit_resp");
	assert_string_equal(word(all, 2, "ev"), "submit_resp");
	assert_string_equal(word(all, 3, "ev"), "session_close");
	assert_string_equal(word(all, 3, "how"), "engine_died");
	assert_int_equal(c.silent, 3);
	json_decref(all);
}

static void losses_are_told(void **state)
{
	struct scribe_counts c;
	uint64_t tried = 0;
	json_t *all;
	size_t i;

	(void)state;
	sinks[0] = NULL;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x20;
	start();
	while (atomic_load(&shm_ring(shm, 0)->lost) < 5) {
		put_pdu(0, RING_GW, submit_resp_20);
		tried++;
		assert_true(tried < 50000000);
	}
	for (i = 0; i < 400; i++) {
		scribe_counts(scribe, &c);
		if (c.lost == atomic_load(&shm_ring(shm, 0)->lost))
			break;
		poll(NULL, 0, 10);
	}
	all = finish(&c);
	assert_int_equal(c.entries + c.lost, tried);
	for (i = 0; i < json_array_size(all) && strcmp(word(all, i, "ev"), "lost") != 0; i++)
		;
	assert_true(i < json_array_size(all));
	assert_true(number(all, i, "lost") >= 1);
	assert_memory_equal(word(all, i, "from"), "20", 2);
	assert_memory_equal(word(all, i, "to"), "20", 2);
	json_decref(all);
}

static void two_rings_are_both_read(void **state)
{
	struct scribe_counts c;
	json_t *all;
	uint8_t octets[64];
	size_t n = unhex(submit_resp_20, octets);

	(void)state;
	for (uint32_t slot = 0; slot < 2; slot++) {
		sessions[slot].proto = 'c';
		sessions[slot].dialect = 0x20;
	}
	start();
	for (int i = 0; i < 5000; i++) {
		put(0, 0, RING_FRAME, RING_GW, octets, (uint32_t)n);
		put(1, 1, RING_FRAME, RING_GW, octets, (uint32_t)n);
	}
	for (int i = 0; i < 500; i++) {
		scribe_counts(scribe, &c);
		if (c.entries == 10000)
			break;
		poll(NULL, 0, 10);
	}
	all = finish(&c);
	assert_int_equal(c.entries, 10000);
	assert_int_equal(c.records[REC_SUBMIT_RESP], 10000);
	assert_int_equal(c.known, 10000);
	assert_int_equal(json_array_size(all), 10000);
	json_decref(all);
}

/* An idle scribe costs less than half a per cent of a core and keeps its beat. */
static void idle_costs_next_to_nothing(void **state)
{
	struct scribe_counts c;
	uint64_t cpu, beat;

	(void)state;
	start();
	poll(NULL, 0, 400);
	beat = atomic_load(&shm->beat_scribe_ns);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	poll(NULL, 0, 1000);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	print_message("idle for a second: %llu us of CPU\n", (unsigned long long)cpu / 1000);
	assert_true(cpu < 20 * 1000000); /* generous: sanitizers, a busy machine */
	assert_true(atomic_load(&shm->beat_scribe_ns) > beat);
	json_decref(finish(&c));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(session_from_open_to_close),
		TEST(scrubbed_response_keeps_its_status),
		TEST(our_own_refusal_is_said_to_be_ours),
		TEST(events_are_records),
		TEST(session_without_an_opening),
		TEST(entry_in_hand_at_a_death),
		TEST(entry_in_hand_at_a_kill),
		TEST(entry_in_hand_comes_first),
		TEST(a_report_waits_for_the_end),
		TEST(frames_and_ends_are_told_once),
		TEST(losses_are_told),
		TEST(two_rings_are_both_read),
		TEST(idle_costs_next_to_nothing),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
