#ifndef SMSCOPE_TOOLS_TAIL_H
#define SMSCOPE_TOOLS_TAIL_H

#include "tools/log_match.h"
#include "tools/log_reader.h"
#include "tools/log_show.h"

/*
 *     tail         options, what is done with a line
 *     tail_follow  where lines come from: a stream, or a file whatever becomes of it
 */
struct tail {
	struct log_filter filter;
	struct log_style style;
	struct log_reader reader;
	struct log_line line;
	const char *path;
	long last;     /* how many lines to begin with; negative: all */
	bool follow, json;
	bool told_class, told_text;
	bool gone;     /* nobody reads our output any more, or it cannot be written */
	int rc;
	uint64_t others; /* lines that are no records */
	char *shown;   /* LOG_SHOWN_MAX */
};

/** Is the line one that is asked for? It is in t->line then. */
bool tail_wants(struct tail *t, struct span raw);

/** A line as it came: shown if it is wanted. */
void tail_line(struct tail *t, struct span raw);

/** Write out what was shown. */
void tail_flush(struct tail *t);

/** Lines of a descriptor until it ends; tail_file: of t->path. Both return the exit code. */
int tail_stream(struct tail *t, int fd, const char *name);
int tail_file(struct tail *t);

#endif
