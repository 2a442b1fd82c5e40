#include "sink/sink.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sink/sink_ops.h"

enum { LINK_WIDTH_MAX = 20 };

struct sink {
	const struct sink_ops *ops;
	struct sink_writer *writer;
	struct sink_queue queue;
	struct sink_tally tally;
	char *name;

	/* The scribe's. */
	enum log_format format;
	uint32_t kinds;
	struct record_style style;
	uint64_t quarter;      /* quarter of an hour for which the time zone was looked up */
	uint64_t lost;         /* lines dropped since the last one that fitted */
	uint64_t lost_from_ns, lost_to_ns;
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

static void sink_release(struct sink *k)
{
	if (k == NULL)
		return;
	sink_queue_fini(&k->queue);
	free(k->name);
	free(k);
}

struct sink *sink_new(const struct sink_settings *s)
{
	struct sink *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->name = strdup(s->path != NULL ? s->path : "stdout");
	if (k == NULL || k->name == NULL || sink_queue_init(&k->queue, s->queue) != SM_OK) {
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
	k->writer = k->ops->start(s, &k->queue, &k->tally);
	if (k->writer == NULL) {
		sink_release(k);
		return NULL;
	}
	return k;
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

static void lose(struct sink *k, uint64_t wall_ns)
{
	if (k->lost == 0)
		k->lost_from_ns = wall_ns;
	k->lost_to_ns = wall_ns;
	k->lost++;
	atomic_fetch_add_explicit(&k->tally.dropped, 1, memory_order_relaxed);
}

/*
 * After a loss the queue has to be half empty again, or every second line would tell of another
 * one.
 */
static bool may_put(struct sink *k)
{
	struct record r;
	size_t n;

	if (k->lost == 0)
		return true;
	if (sink_queue_used(&k->queue) > k->queue.size / 2)
		return false;
	record_init(&r, REC_LOST);
	r.wall_ns = k->lost_to_ns;
	record_uint_extra(&r, "dropped", k->lost);
	record_words_extra(&r, "where", "sink");
	record_time_extra(&r, "from", k->lost_from_ns);
	record_time_extra(&r, "to", k->lost_to_ns);
	n = format(k, &r);
	if (!sink_queue_put(&k->queue, k->line, n))
		return false;
	k->lost = 0;
	return true;
}

void sink_put(struct sink *k, const struct record *r)
{
	size_t n, width;

	if ((k->kinds >> r->kind & 1) == 0)
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
	if (!sink_queue_put(&k->queue, k->line, n))
		lose(k, r->wall_ns);
	else if (sink_queue_used(&k->queue) > k->queue.size / 4)
		k->ops->wake(k->writer);
}

void sink_flush(struct sink *k)
{
	if (k->lost > 0)
		(void)may_put(k);
	if (sink_queue_used(&k->queue) > 0)
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
	ret->lines = atomic_load_explicit(&k->tally.lines, memory_order_relaxed);
	ret->octets = atomic_load_explicit(&k->tally.octets, memory_order_relaxed);
	ret->dropped = atomic_load_explicit(&k->tally.dropped, memory_order_relaxed);
	ret->errors = atomic_load_explicit(&k->tally.errors, memory_order_relaxed);
	ret->queued = sink_queue_used(&k->queue);
}

void sink_free(struct sink *k, uint32_t wait_ms)
{
	if (k == NULL)
		return;
	(void)may_put(k);
	if (!k->ops->stop(k->writer, wait_ms))
		return;
	sink_release(k);
}
