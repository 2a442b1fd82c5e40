/* The frame ring: what goes in comes out, in order, whole; a full ring counts; another process can adopt it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/ring.h"

enum { SIZE = 256 * 1024 };

static struct ring *fresh(void)
{
	void *mem = aligned_alloc(64, (ring_bytes(SIZE) + 63) / 64 * 64);

	assert_non_null(mem);
	return ring_init(mem, SIZE);
}

static bool put(struct ring *r, uint64_t number, uint32_t len, bool event)
{
	struct ring_entry *e = ring_reserve(r, len, event, number);
	uint32_t size;

	if (e == NULL)
		return false;
	size = e->size;
	*e = (struct ring_entry){ .size = size, .kind = event ? RING_EVENT : RING_FRAME,
		.len = len, .offset = number };
	memset(ring_octets(e), (int)(number & 0xff), len);
	ring_publish(r, e);
	return true;
}

static void check(struct ring *r, uint64_t number, uint32_t len)
{
	const struct ring_entry *e = ring_next(r);
	const uint8_t *p;

	assert_non_null(e);
	assert_int_equal(e->offset, number);
	assert_int_equal(e->len, len);
	p = (const uint8_t *)(e + 1);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(p[i], number & 0xff);
	ring_consume(r, e);
}

/* Lengths of every residue, many times round the ring: the pad at its end takes every size it can. */
static void test_order_over_many_rounds(void **state)
{
	struct ring *r = fresh();
	uint64_t in = 0, out = 0;

	(void)state;
	while (in < 40000) {
		for (int i = 0; i < 7; i++, in++)
			assert_true(put(r, in, (uint32_t)(in * 37 % 1501), in % 11 == 0));
		for (int i = 0; i < 7; i++, out++)
			check(r, out, (uint32_t)(out * 37 % 1501));
	}
	assert_null(ring_next(r));
	assert_int_equal(atomic_load(&r->lost), 0);
	assert_int_equal(atomic_load(&r->put), in);
	free(r);
}

static void test_full_counts_and_keeps_a_reserve(void **state)
{
	struct ring *r = fresh();
	uint64_t in = 0, refused = 0;

	(void)state;
	while (put(r, in, 1000, false))
		in++;
	refused++;
	assert_false(put(r, 77, 1000, false));
	refused++;
	assert_int_equal(atomic_load(&r->lost), refused);
	assert_int_equal(atomic_load(&r->lost_first_ns), in);
	assert_int_equal(atomic_load(&r->lost_last_ns), 77);
	assert_true(SIZE - atomic_load(&r->head) >= RING_RESERVE);
	assert_true(put(r, in, 200, true));	/* an event still finds room */
	for (uint64_t out = 0; out < in; out++)
		check(r, out, 1000);
	check(r, in, 200);
	assert_true(put(r, 5, 1000, false));
	free(r);
}

static void test_an_entry_beyond_half_the_ring_is_refused(void **state)
{
	struct ring *r = fresh();

	(void)state;
	assert_false(put(r, 1, SIZE / 2, true));
	assert_int_equal(atomic_load(&r->lost), 1);
	free(r);
}

static void test_the_entry_in_hand_is_noted(void **state)
{
	struct ring *r = fresh();
	const struct ring_entry *e;

	(void)state;
	put(r, 0, 10, false);
	put(r, 1, 10, false);
	check(r, 0, 10);
	e = ring_next(r);
	assert_false(ring_suspect(r));
	ring_hold(r);
	assert_true(ring_suspect(r));
	ring_consume(r, e);
	assert_false(ring_suspect(r));
	free(r);
}

static void test_adopt(void **state)
{
	struct ring *r = fresh();

	(void)state;
	put(r, 3, 30, false);
	assert_ptr_equal(ring_adopt(r, SIZE), r);
	check(r, 3, 30);
	assert_null(ring_adopt(r, SIZE * 2));
	atomic_store(&r->tail, atomic_load(&r->head) + 8);
	assert_null(ring_adopt(r, SIZE));
	atomic_store(&r->tail, 0);
	r->layout++;
	assert_null(ring_adopt(r, SIZE));
	free(r);
}

/* Bits that flip cost records, never the consumer. */
static void test_spoilt(void **state)
{
	unsigned seed = 1, passed_over = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct ring *r = fresh();
		const struct ring_entry *e;
		uint64_t head;

		for (uint64_t i = 0; i < 40; i++)
			put(r, i, (uint32_t)rand_r(&seed) % 400, false);
		head = atomic_load(&r->head);
		for (int i = 0; i < 4; i++)
			r->data[(unsigned)rand_r(&seed) % head] ^= (uint8_t)(1u << rand_r(&seed) % 8);
		while ((e = ring_next(r)) != NULL) {
			uint64_t at = (uint64_t)((const uint8_t *)e - r->data);

			assert_true(at + sizeof(*e) + e->len + e->note_len <= head);
			ring_consume(r, e);
		}
		if (atomic_load(&r->lost) > 0)
			passed_over++;
		assert_int_equal(atomic_load(&r->tail), head);
		put(r, 1, 20, false);
		check(r, 1, 20);
		free(r);
	}
	assert_in_range(passed_over, 100, 2900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_over_many_rounds),
		cmocka_unit_test(test_full_counts_and_keeps_a_reserve),
		cmocka_unit_test(test_an_entry_beyond_half_the_ring_is_refused),
		cmocka_unit_test(test_the_entry_in_hand_is_noted),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_spoilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
