#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "tools/log_reader.h"

/* The buffer holds the longest line that is read and as much again to fill at a time. */
enum { ROOM = 2 * JSON_LINE_MAX };

int log_reader_init(struct log_reader *r)
{
	*r = (struct log_reader){ .buffer = malloc(ROOM) };
	return r->buffer != NULL ? 0 : -ENOMEM;
}

void log_reader_free(struct log_reader *r)
{
	free(r->buffer);
	r->buffer = NULL;
}

void log_reader_reset(struct log_reader *r, int64_t offset)
{
	r->at = r->fill = 0;
	r->skipping = false;
	r->offset = offset;
}

/* Take `n` octets as read. */
static void pass(struct log_reader *r, size_t n)
{
	r->at += n;
	r->offset += (int64_t)n;
}

int log_reader_fill(struct log_reader *r, int fd)
{
	ssize_t n;

	if (r->at > 0) {
		memmove(r->buffer, r->buffer + r->at, r->fill - r->at);
		r->fill -= r->at;
		r->at = 0;
	}
	do
		n = read(fd, r->buffer + r->fill, ROOM - r->fill);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->fill += (size_t)n;
	return (int)n;
}

bool log_reader_next(struct log_reader *r, struct span *ret, int64_t *ret_offset)
{
	const char *start, *end;

	while ((start = r->buffer + r->at,
		end = memchr(start, '\n', r->fill - r->at)) != NULL) {
		size_t n = (size_t)(end - start);
		bool whole = !r->skipping && n <= JSON_LINE_MAX;

		r->too_long += !r->skipping && !whole;
		r->skipping = false;
		*ret = span_of(start, n);
		*ret_offset = r->offset;
		pass(r, n + 1);
		if (whole)
			return true;
	}
	if (r->fill - r->at > JSON_LINE_MAX) {
		r->too_long += !r->skipping;
		r->skipping = true;
	}
	if (r->skipping)
		pass(r, r->fill - r->at);
	return false;
}

bool log_reader_last(struct log_reader *r, struct span *ret, int64_t *ret_offset)
{
	*ret = span_of(r->buffer + r->at, r->fill - r->at);
	*ret_offset = r->offset;
	pass(r, ret->n);
	return ret->n > 0;
}

char *log_of_config(const char *who, const char *config, bool json)
{
	struct conf_faults faults = { .to = stderr, .look_up = LOOK_UP_NONE };
	struct settings *s = conf_load(config, &faults);
	char *path = NULL;

	for (int i = 0; s != NULL && i < s->sink_count && path == NULL; i++) {
		const struct sink_settings *sink = &s->sinks[i];

		if (sink->type == SINK_FILE && (!json || sink->format == FORMAT_JSON))
			path = strdup(sink->path);
	}
	if (path == NULL && s != NULL)
		fprintf(stderr, "%s: %s names no %slog that is a file; name one\n", who, config,
			json ? "JSON " : "");
	else if (path == NULL)
		fprintf(stderr, "%s: no log is named, and %s does not load\n", who, config);
	settings_free(s);
	return path;
}
