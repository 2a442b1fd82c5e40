#include "scribe_ring.h"

/* submit_resp of CMPP 3.0 with a result; the gateway's message id is the same in each. */
static void put_result(uint32_t slot, uint32_t result)
{
	uint8_t octets[24];

	(void)unhex("000000188000000400000001b2b9da800001000000000000", octets);
	bytes_put_u32(octets + 20, result);
	put(0, slot, RING_FRAME, RING_GW, octets, sizeof(octets));
}

/* The first of each value gives a record of its own; every one is counted. */
static void unknown_codes_are_told_once(void **state)
{
	static struct unknown_code list[4];
	struct scribe_counts c;
	json_t *all;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	start();
	put_result(0, 990099);
	put_result(0, 990099);
	put_result(0, 8);
	put_result(0, 2000000000);
	for (int i = 0; i < 500; i++) {
		scribe_counts(scribe, &c);
		if (c.entries == 4)
			break;
		poll(NULL, 0, 10);
	}
	assert_int_equal(scribe_unknown(scribe, 0, list, 4), 2);
	assert_int_equal(scribe_unknown(scribe, 1, list, 4), 0);
	assert_int_equal(scribe_unknown(scribe, 7, list, 4), 0);
	assert_int_equal(scribe_unknown(scribe, 0, list, 1), 2);
	assert_int_equal(list[0].number, 990099);
	assert_int_equal(list[0].count, 2);
	assert_int_equal(list[0].context, CTX_SUBMIT_RESP);
	assert_int_equal(list[0].first_ns, wall_ns);
	all = finish(&c);
	assert_int_equal(json_array_size(all), 6);
	assert_string_equal(word(all, 0, "ev"), "submit_resp");
	assert_string_equal(word(all, 1, "ev"), "unknown_code");
	assert_int_equal(number(all, 1, "code"), 990099);
	assert_string_equal(word(all, 1, "class"), "unknown");
	assert_string_equal(word(all, 1, "context"), "submit_resp");
	assert_string_equal(word(all, 1, "link"), "cmcc-bj");
	assert_string_equal(word(all, 1, "pdu"), "CMPP_SUBMIT_RESP");
	assert_int_equal(number(all, 1, "count"), 1);
	assert_memory_equal(word(all, 1, "sample"), "CMPP_SUBMIT_RESP seq=1 msgid=", 29);
	assert_string_equal(word(all, 2, "ev"), "submit_resp");
	assert_string_equal(word(all, 3, "ev"), "submit_resp");
	assert_int_equal(number(all, 5, "code"), 2000000000);
	assert_int_equal(c.unknown, 3);
	assert_int_equal(c.records[REC_UNKNOWN_CODE], 2);
	json_decref(all);
}

/* A peer that invents codes gets as many records as the list is long, and one. */
static void invented_codes_are_bounded(void **state)
{
	static struct unknown_code list[UNKNOWN_LIMIT + 1];
	struct scribe_counts c;
	json_t *all;
	uint64_t entries = 0, counted = 0;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	start();
	for (uint32_t i = 0; i < 3000; i++)
		put_result(0, 100000000 + i * 7919);
	for (int i = 0; i < 1000 && entries < 3000; i++) {
		poll(NULL, 0, 10);
		scribe_counts(scribe, &c);
		entries = c.entries;
	}
	assert_int_equal(scribe_unknown(scribe, 0, list, UNKNOWN_LIMIT + 1), UNKNOWN_LIMIT + 1);
	for (int i = 0; i <= UNKNOWN_LIMIT; i++)
		counted += list[i].count;
	assert_int_equal(counted, 3000);
	assert_true(list[UNKNOWN_LIMIT].other);
	all = finish(&c);
	assert_int_equal(c.records[REC_UNKNOWN_CODE], UNKNOWN_LIMIT + 1);
	assert_int_equal(json_array_size(all), 3000 + UNKNOWN_LIMIT + 1);
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (json_is_true(json_object_get(json_array_get(all, i), "other")))
			assert_int_equal(number(all, i, "code"), -1);
	}
	json_decref(all);
}

/* The engine died behind the first of an entry's records: no id is given to two of them. */
static void more_is_told_than_before_a_death(void **state)
{
	struct scribe_counts c;
	json_t *all;

	(void)state;
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	put_result(0, 990099);
	put_result(0, 8);
	ring_hold(shm_ring(shm, 0));
	ring_next(shm_ring(shm, 0))->record = 7;
	atomic_store(&shm->next_record, 7);
	start();
	all = finish(&c);
	assert_int_equal(json_array_size(all), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(number(all, (size_t)i, "id"), 7 + i);
	assert_string_equal(word(all, 1, "ev"), "unknown_code");
	json_decref(all);
}

/* What the record shows of the message is masked, and one receipt may have two unknown codes. */
static void unknown_codes_of_a_receipt(void **state)
{
	struct scribe_counts c;
	json_t *all;
	char hex[512];
	static const char text[] = "id:77 stat:NEVERSEEN err:5A5";
	int n = 0;

	(void)state;
	n += snprintf(hex, sizeof(hex), "%08x00000005000000000000000900010131333830303133383030300001"
					"01313036393030303100040000000000000000%02x",
		16 + 1 + 2 + 12 + 2 + 9 + 3 + 2 + 5 + (int)sizeof(text) - 1, (int)sizeof(text) - 1);
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		n += snprintf(hex + n, sizeof(hex) - (size_t)n, "%02x", (unsigned char)text[i]);
	sessions[1].link = 1;
	sessions[1].proto = 's';
	sessions[1].dialect = 0x34;
	start();
	put_pdu(1, RING_GW, hex);
	all = finish(&c);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(word(all, 0, "ev"), "report");
	assert_string_equal(word(all, 1, "code"), "NEVERSEEN");
	assert_string_equal(word(all, 1, "context"), "report");
	assert_string_equal(word(all, 2, "code"), "5A5");
	assert_string_equal(word(all, 2, "context"), "receipt_err");
	assert_string_equal(word(all, 2, "sample"),
		"deliver_sm seq=9 msgid=77 stat=NEVERSEEN err=5A5 dst=138****8000");
	json_decref(all);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(unknown_codes_are_told_once),
		TEST(more_is_told_than_before_a_death),
		TEST(invented_codes_are_bounded),
		TEST(unknown_codes_of_a_receipt),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
