#include "sink/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sink/sink_ops.h"

enum { LINK_WIDTH_MAX = 20 };

struct sink {
	const struct sink_ops *ops;
	struct sink_writer *writer;
	struct sink_queue *queue;
	bool owned;            /* the queue is ours to free */
	char *name;

	/* The scribe's. */
	enum log_format format;
	uint32_t kinds;
	struct record_style style;
	uint64_t quarter;      /* quarter of an hour for which the time zone was looked up */
	char line[RECORD_LINE_MAX];
};

static const struct sink_ops *const ops_of[] = {
	[SINK_FILE] = &sink_file,
	[SINK_STDOUT] = &sink_file,
};

/* Colour is for a terminal, never for a file. */
static bool wants_color(const struct sink_settings *s)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (s->type != SINK_STDOUT || s->format != FORMAT_TEXT || s->color == 0)
		return false;
	if (s->color > 0)
		return true;
	return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || *no_color == '\0') &&
	       term != NULL && strcmp(term, "dumb") != 0;
}

/* A time zone changes its offset on a quarter of an hour, if at all. */
static void look_at_zone(struct sink *k, uint64_t wall_ns)
{
	uint64_t quarter = wall_ns / (900u * 1000000000ull) + 1;
	time_t t = (time_t)(wall_ns / 1000000000u);
	struct tm local;

	if (quarter == k->quarter)
		return;
	k->quarter = quarter;
	if (localtime_r(&t, &local) != NULL)
		k->style.utc_offset_s = (int)local.tm_gmtoff;
}

static size_t format(struct sink *k, const struct record *r)
{
	look_at_zone(k, r->wall_ns);
	if (k->format == FORMAT_JSON)
		return record_line_json(r, &k->style, k->line, sizeof(k->line));
	return record_line_text(r, &k->style, k->line, sizeof(k->line));
}

static uint64_t lost_of(const struct sink *k)
{
	return atomic_load_explicit(&k->queue->loss.lost, memory_order_relaxed);
}

static void lose(struct sink *k, uint64_t wall_ns)
{
	struct sink_loss *loss = &k->queue->loss;
	uint64_t lost = lost_of(k);

	if (lost == 0) {
		loss->told_at = 0;
		loss->from_ns = wall_ns;
	}
	loss->to_ns = wall_ns;
	atomic_store_explicit(&loss->lost, lost + 1, memory_order_release);
	atomic_fetch_add_explicit(&k->queue->tally.dropped, 1, memory_order_relaxed);
}

/* A line that tells of lost ones; `lost` 0: nobody knows how many, `from_ns` 0: nor since when. */
static size_t format_loss(struct sink *k, uint64_t lost, uint64_t from_ns, uint64_t to_ns)
{
	struct record r;

	record_init(&r, REC_LOST);
	r.wall_ns = to_ns;
	if (lost > 0)
		record_uint_extra(&r, "dropped", lost);
	record_words_extra(&r, "where", "sink");
	if (lost > 0 && from_ns > 0) {
		record_time_extra(&r, "from", from_ns);
		record_time_extra(&r, "to", to_ns);
	}
	return format(k, &r);
}

/*
 * After a loss the queue has to be half empty again, or every second line would tell of another
 * one.
 */
static bool may_put(struct sink *k)
{
	struct sink_loss *loss = &k->queue->loss;
	uint64_t lost = lost_of(k);
	size_t n;

	if (lost == 0)
		return true;
	if (sink_queue_used(k->queue) > k->queue->size / 2)
		return false;
	n = format_loss(k, lost, loss->from_ns, loss->to_ns);
	loss->told_at = atomic_load_explicit(&k->queue->head, memory_order_relaxed) + n;
	if (!sink_queue_put(k->queue, k->line, n, 0))
		return false;
	atomic_store_explicit(&loss->lost, 0, memory_order_release);
	return true;
}

static void sink_release(struct sink *k)
{
	if (k == NULL)
		return;
	if (k->owned)
		free(k->queue);
	free(k->name);
	free(k);
}

/* Where lines go to: what makes two sinks the same one, in whatever configuration. */
static uint64_t place_of(const struct sink_settings *s)
{
	uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)s->type; /* FNV-1a */

	for (const char *p = s->path != NULL ? s->path : ""; *p != '\0'; p++)
		hash = (hash ^ (uint8_t)*p) * 0x100000001b3u;
	return hash;
}

size_t sink_shared_bytes(const struct sink_settings *s)
{
	return sink_queue_bytes(s->queue);
}

bool sink_shared_fits(const void *shared, const struct sink_settings *s)
{
	return sink_queue_place(shared) == place_of(s);
}

bool sink_shared_empty(const void *shared)
{
	return !sink_queue_look(shared, 0).some;
}

/* The lines that an earlier process left, or word that there are none left of them. */
static void adopt(struct sink *k, const struct sink_settings *s)
{
	static const char *const why[] = {
		[SINK_QUEUE_OF_OTHER] = "was another log's",
		[SINK_QUEUE_LAYOUT_BAD] = "has another layout",
		[SINK_QUEUE_SIZE_BAD] = "has another size",
		[SINK_QUEUE_ENDS_BAD] = "has positions that cannot be",
	};
	struct sink_queue_left left = sink_queue_look(k->queue, s->queue);
	enum sink_queue_was was = sink_queue_adopt(k->queue, s->queue, place_of(s));
	struct sink_loss *loss = &k->queue->loss;

	if (was == SINK_QUEUE_KEPT) {
		if (loss->told_at != 0 && loss->told_at == atomic_load(&k->queue->head))
			atomic_store(&loss->lost, 0);
		if (sink_queue_used(k->queue) > 0)
			log_info("log %s: lines of an earlier process go on octets=%u", k->name,
				sink_queue_used(k->queue));
	} else if (was != SINK_QUEUE_NEW && left.some) {
		char lines[24] = "";

		if (left.lines > 0)
			snprintf(lines, sizeof(lines), " lines=%llu", (unsigned long long)left.lines);
		log_warn("log %s: its memory %s: lines that waited there are lost%s", k->name,
			why[was], lines);
		atomic_store(&k->queue->tally.dropped, left.lines);
		(void)sink_queue_put(k->queue, k->line,
			format_loss(k, left.lines, 0, clock_wall_ns()), 0);
	}
}

static struct sink_queue *queue_alloc(const struct sink_settings *s)
{
	struct sink_queue *q = aligned_alloc(_Alignof(struct sink_queue), sink_shared_bytes(s));

	if (q != NULL)
		memset(q, 0, sizeof(*q));
	return q;
}

struct sink *sink_new(const struct sink_settings *s, void *shared)
{
	struct sink *k = calloc(1, sizeof(*k));

	if (k != NULL) {
		k->name = strdup(s->path != NULL ? s->path : "stdout");
		k->owned = shared == NULL;
		k->queue = k->owned ? queue_alloc(s) : shared;
	}
	if (k == NULL || k->name == NULL || k->queue == NULL) {
		log_error("sink %s: out of memory", s->path != NULL ? s->path : "stdout");
		sink_release(k);
		return NULL;
	}
	k->ops = ops_of[s->type];
	k->format = s->format;
	k->kinds = s->kinds;
	k->style.lang = s->lang;
	k->style.mask = s->mask;
	k->style.show_text = true; /* each link says whether its records carry any */
	k->style.color = wants_color(s);
	adopt(k, s);
	k->writer = k->ops->start(s, k->queue);
	if (k->writer == NULL) {
		sink_release(k);
		return NULL;
	}
	return k;
}

void sink_put(struct sink *k, const struct record *r)
{
	size_t n, width;

	if ((k->kinds >> r->kind & 1) == 0 || (r->id != 0 && r->id <= sink_queue_last(k->queue)))
		return;
	if (!may_put(k)) {
		lose(k, r->wall_ns);
		return;
	}
	if (r->link != NULL) {
		width = strlen(r->link);
		if (width > (size_t)k->style.link_width)
			k->style.link_width = width < LINK_WIDTH_MAX ? (int)width : LINK_WIDTH_MAX;
	}
	n = format(k, r);
	if (!sink_queue_put(k->queue, k->line, n, r->id))
		lose(k, r->wall_ns);
	else if (sink_queue_used(k->queue) > k->queue->size / 4)
		k->ops->wake(k->writer);
}

void sink_flush(struct sink *k)
{
	if (lost_of(k) > 0)
		(void)may_put(k);
	if (sink_queue_used(k->queue) > 0)
		k->ops->wake(k->writer);
}

void sink_reopen(struct sink *k)
{
	k->ops->reopen(k->writer);
}

const char *sink_name(const struct sink *k)
{
	return k->name;
}

void sink_counts(const struct sink *k, struct sink_counts *ret)
{
	ret->lines = atomic_load_explicit(&k->queue->tally.lines, memory_order_relaxed);
	ret->octets = atomic_load_explicit(&k->queue->tally.octets, memory_order_relaxed);
	ret->dropped = atomic_load_explicit(&k->queue->tally.dropped, memory_order_relaxed);
	ret->errors = atomic_load_explicit(&k->queue->tally.errors, memory_order_relaxed);
	ret->queued = sink_queue_used(k->queue);
}

static bool sink_end(struct sink *k, uint32_t wait_ms, bool leave)
{
	if (!k->ops->stop(k->writer, wait_ms, leave))
		return false;
	sink_release(k);
	return true;
}

bool sink_free(struct sink *k, uint32_t wait_ms)
{
	if (k == NULL)
		return true;
	(void)may_put(k);
	return sink_end(k, wait_ms, false);
}

bool sink_leave(struct sink *k, uint32_t wait_ms)
{
	return k == NULL || sink_end(k, wait_ms, true);
}
