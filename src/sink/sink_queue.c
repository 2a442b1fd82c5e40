#include "sink/sink_queue.h"

#include <assert.h>
#include <string.h>

enum { QUEUE_LEAST = 64 * 1024 };

static uint32_t rounded(uint32_t size)
{
	uint32_t n = QUEUE_LEAST;

	while (n < size && n < 1u << 30)
		n <<= 1;
	return n;
}

size_t sink_queue_bytes(uint32_t size)
{
	return sizeof(struct sink_queue) + rounded(size);
}

static enum sink_queue_was look(const struct sink_queue *q, uint32_t size, uint64_t place)
{
	uint64_t head = atomic_load(&q->head), tail = atomic_load(&q->tail);
	uint32_t magic = atomic_load(&q->magic);

	if (magic == 0)
		return SINK_QUEUE_NEW;
	if (magic != SINK_QUEUE_MAGIC || q->layout != SINK_QUEUE_LAYOUT)
		return SINK_QUEUE_LAYOUT_BAD;
	if (q->place != place)
		return SINK_QUEUE_OF_OTHER;
	if (q->size != size)
		return SINK_QUEUE_SIZE_BAD;
	if (tail > head || head - tail > size || atomic_load(&q->noted) > 2 || atomic_load(&q->begun) > 1 ||
		(head > tail && q->data[(head - 1) & (size - 1)] != '\n'))
		return SINK_QUEUE_ENDS_BAD;
	return SINK_QUEUE_KEPT;
}

struct sink_queue_left sink_queue_look(const struct sink_queue *q, uint32_t size)
{
	uint64_t head = atomic_load(&q->head), tail = atomic_load(&q->tail), end;
	struct sink_queue_left left = { .some = atomic_load(&q->magic) != 0 };

	if (!left.some || sink_queue_place(q) == 0)
		return left;
	left.some = head != tail;
	/* A larger one would have to be trusted to lie in the memory whole. */
	if (tail < head && q->size > 0 && (q->size & (q->size - 1)) == 0 && q->size <= rounded(size) &&
		head - tail <= q->size && q->data[(head - 1) & (q->size - 1)] == '\n')
		left.lines = sink_queue_lines(q, tail, head, &end);
	return left;
}

enum sink_queue_was sink_queue_adopt(struct sink_queue *q, uint32_t size, uint64_t place)
{
	enum sink_queue_was was;

	assert((uintptr_t)q % _Alignof(struct sink_queue) == 0);
	size = rounded(size);
	was = look(q, size, place);
	if (was == SINK_QUEUE_KEPT)
		return was;
	atomic_store(&q->magic, 0); /* who dies in the middle of this leaves a new one */
	memset(q, 0, sizeof(*q));
	q->layout = SINK_QUEUE_LAYOUT;
	q->place = place;
	q->size = size;
	atomic_store(&q->magic, SINK_QUEUE_MAGIC);
	return was;
}

uint64_t sink_queue_place(const struct sink_queue *q)
{
	return atomic_load(&q->magic) == SINK_QUEUE_MAGIC && q->layout == SINK_QUEUE_LAYOUT
		       ? q->place
		       : 0;
}

uint32_t sink_queue_used(const struct sink_queue *q)
{
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);

	return (uint32_t)(head - tail);
}

/* Which of the two is the last one that was put: that which began last may have died on the way. */
static uint32_t last_put(const struct sink_queue *q)
{
	uint32_t begun = atomic_load_explicit(&q->begun, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	return head >= q->puts[begun].end ? begun : 1 - begun;
}

uint64_t sink_queue_last(const struct sink_queue *q)
{
	return q->puts[last_put(q)].id;
}

/* Before the head moves. A line of no record is noted, too: it takes the place of one that died on the way. */
static void note_put(struct sink_queue *q, uint64_t id, uint64_t end)
{
	uint32_t last = last_put(q), next = 1 - last;

	q->puts[next] = (struct sink_put){ .id = id != 0 ? id : q->puts[last].id, .end = end };
	atomic_store_explicit(&q->begun, next, memory_order_release);
}

bool sink_queue_put(struct sink_queue *q, const void *line, size_t n, uint64_t id)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	uint32_t at = (uint32_t)(head & (q->size - 1));
	size_t first = q->size - at;

	if (n > q->size - (head - tail))
		return false;
	if (first > n)
		first = n;
	note_put(q, id, head + n);
	memcpy(q->data + at, line, first);
	memcpy(q->data, (const uint8_t *)line + first, n - first);
	atomic_store_explicit(&q->head, head + n, memory_order_release);
	return true;
}

struct span sink_queue_peek(const struct sink_queue *q, uint64_t at, uint64_t until)
{
	uint32_t from = (uint32_t)(at & (q->size - 1));
	uint64_t n = until - at, together = q->size - from;

	return span_of(q->data + from, (size_t)(n < together ? n : together));
}

uint64_t sink_queue_lines(const struct sink_queue *q, uint64_t at, uint64_t until,
	uint64_t *ret_end)
{
	uint64_t lines = 0, end_at = at;

	while (at < until) {
		struct span s = sink_queue_peek(q, at, until);
		const uint8_t *end = s.p + s.n;

		for (const uint8_t *p = s.p; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) {
			p++;
			lines++;
			end_at = at + (uint64_t)(p - s.p);
		}
		at += s.n;
	}
	*ret_end = end_at;
	return lines;
}

void sink_queue_consume(struct sink_queue *q, uint64_t at)
{
	atomic_store_explicit(&q->tail, at, memory_order_release);
}
