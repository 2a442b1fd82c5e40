#include "base/ring.h"

#include <string.h>

#include "base/clock.h"

static uint64_t round8(uint64_t n)
{
	return (n + 7) & ~(uint64_t)7;
}

size_t ring_bytes(uint32_t size)
{
	return sizeof(struct ring) + size;
}

static bool ring_size_ok(uint32_t size)
{
	return size >= 4 * (uint32_t)RING_RESERVE && (size & (size - 1)) == 0;
}

struct ring *ring_init(void *mem, uint32_t size)
{
	struct ring *r = mem;

	if (!ring_size_ok(size))
		return NULL;
	memset(r, 0, sizeof(*r));
	r->layout = RING_LAYOUT;
	r->size = size;
	return r;
}

struct ring *ring_adopt(void *mem, uint32_t size)
{
	struct ring *r = mem;
	uint64_t head, tail;

	if (!ring_size_ok(size) || r->layout != RING_LAYOUT || r->size != size)
		return NULL;
	head = atomic_load(&r->head);
	tail = atomic_load(&r->tail);
	if (tail > head || head - tail > size || head % 8 != 0 || tail % 8 != 0)
		return NULL;
	r->tail_seen = tail;
	return r;
}

static void ring_count_loss(struct ring *r, uint64_t wall_ns)
{
	uint64_t none = 0;

	atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
	atomic_compare_exchange_strong(&r->lost_first_ns, &none, wall_ns);
	atomic_store_explicit(&r->lost_last_ns, wall_ns, memory_order_relaxed);
}

/** Are `need` octets free, besides `spare`? Looks at the consumer's position only when the last look does not do. */
static bool ring_room(struct ring *r, uint64_t head, uint64_t need, uint64_t spare)
{
	if (head + need + spare - r->tail_seen <= r->size)
		return true;
	r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	return head + need + spare - r->tail_seen <= r->size;
}

struct ring_entry *ring_reserve(struct ring *r, uint32_t len, bool event, uint64_t wall_ns)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t need = round8(sizeof(struct ring_entry) + (uint64_t)len);
	uint64_t to_end = r->size - head % r->size;
	uint64_t pad = need > to_end ? to_end : 0;
	struct ring_entry *e;

	if (need > r->size / 2 || !ring_room(r, head, need + pad, event ? 0 : RING_RESERVE)) {
		ring_count_loss(r, wall_ns);
		return NULL;
	}
	if (pad > 0) {
		/* Of a pad entry only size and kind exist: the end of the ring may hold no more than 8 octets. */
		e = (struct ring_entry *)(void *)(r->data + head % r->size);
		e->size = (uint32_t)pad;
		e->kind = RING_PAD;
		head += pad;
		atomic_store_explicit(&r->head, head, memory_order_release);
	}
	e = (struct ring_entry *)(void *)(r->data + head % r->size);
	e->size = (uint32_t)need;
	return e;
}

void ring_publish(struct ring *r, const struct ring_entry *e)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	atomic_store_explicit(&r->put, atomic_load_explicit(&r->put, memory_order_relaxed) + 1,
		memory_order_relaxed);
	atomic_store_explicit(&r->head, head + e->size, memory_order_release);
}

/* Is it one that ring_reserve() made? An engine that died may have spoilt it. */
static bool ring_sound(const struct ring *r, const struct ring_entry *e, uint64_t tail, uint64_t head)
{
	if (e->size == 0 || e->size % 8 != 0 || e->size > head - tail || e->size > r->size - tail % r->size)
		return false;
	return e->kind == RING_PAD ||
	       (e->size >= sizeof(*e) && (uint64_t)e->len + e->note_len <= e->size - sizeof(*e));
}

struct ring_entry *ring_next(struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), head;

	while (tail != (head = atomic_load_explicit(&r->head, memory_order_acquire))) {
		struct ring_entry *e = (void *)(r->data + tail % r->size);

		if (!ring_sound(r, e, tail, head)) {
			ring_count_loss(r, clock_wall_ns());
			atomic_store_explicit(&r->tail, head, memory_order_release);
			return NULL;
		}
		if (e->kind != RING_PAD)
			return e;
		tail += e->size;
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	return NULL;
}

void ring_hold(struct ring *r)
{
	atomic_store_explicit(&r->hand,
		atomic_load_explicit(&r->tail, memory_order_relaxed) + 1, memory_order_relaxed);
}

bool ring_suspect(const struct ring *r)
{
	return atomic_load(&r->hand) == atomic_load(&r->tail) + 1;
}

void ring_consume(struct ring *r, const struct ring_entry *e)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), next = tail + e->size;
	uint64_t step = r->size / RING_MARKS;

	if (tail / step != next / step)
		r->marks[next / step % RING_MARKS] = next;
	atomic_store_explicit(&r->hand, 0, memory_order_relaxed);
	atomic_store_explicit(&r->tail, next, memory_order_release);
}

/* The producer may be writing an entry that is not published yet. */
static bool ring_has(const struct ring *r, uint64_t at)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	return at + r->size >= head + r->size / 4;
}

bool ring_fades(const struct ring *r, const struct ring_entry *e)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
	uint64_t at = (uint64_t)((const uint8_t *)e - r->data);

	return (head - at) % r->size > r->size / 2;
}

uint64_t ring_kept(const struct ring *r)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), oldest = tail;

	if (tail < r->size / 2 && ring_has(r, 0))
		return 0;
	for (int i = 0; i < RING_MARKS; i++)
		if (r->marks[i] != 0 && r->marks[i] < oldest && ring_has(r, r->marks[i]))
			oldest = r->marks[i];
	return oldest;
}

bool ring_kept_next(struct ring *r, uint64_t *at, void *to, size_t cap, struct ring_entry **ret_where)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	while (*at < tail) {
		struct ring_entry *e = (void *)(r->data + *at % r->size);
		uint32_t size = *(volatile uint32_t *)&e->size;
		uint8_t kind = *(volatile uint8_t *)&e->kind;

		if (!ring_has(r, *at) || size == 0 || size % 8 != 0 || size > r->size - *at % r->size)
			return false;
		if (kind != RING_PAD && size >= sizeof(*e) && size <= cap) {
			memcpy(to, e, size);
			if (!ring_has(r, *at))
				return false;
			*at += size;
			*ret_where = e;
			return true;
		}
		*at += size;
	}
	return false;
}
