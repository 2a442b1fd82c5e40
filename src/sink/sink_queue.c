#include "sink/sink_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_LEAST = 64 * 1024 };

int sink_queue_init(struct sink_queue *q, uint32_t size)
{
	uint32_t n = QUEUE_LEAST;

	while (n < size && n < 1u << 30)
		n <<= 1;
	q->data = malloc(n);
	if (q->data == NULL)
		return -ENOMEM;
	q->size = n;
	atomic_init(&q->head, 0);
	atomic_init(&q->tail, 0);
	return SM_OK;
}

void sink_queue_fini(struct sink_queue *q)
{
	free(q->data);
	q->data = NULL;
}

uint32_t sink_queue_used(const struct sink_queue *q)
{
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);

	return (uint32_t)(head - tail);
}

bool sink_queue_put(struct sink_queue *q, const void *line, size_t n)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	uint32_t at = (uint32_t)(head & (q->size - 1));
	size_t first = q->size - at;

	if (n > q->size - (head - tail))
		return false;
	if (first > n)
		first = n;
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

void sink_queue_consume(struct sink_queue *q, uint64_t at)
{
	atomic_store_explicit(&q->tail, at, memory_order_release);
}
