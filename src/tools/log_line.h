#ifndef SMSCOPE_TOOLS_LOG_LINE_H
#define SMSCOPE_TOOLS_LOG_LINE_H

#include "smscope/proto.h"
#include "tools/json_line.h"

/*
 * A line of one of the daemon's logs, JSON or text, read for its keys. What is neither, a line that
 * was cut or one of another program, is LOG_OTHER.
 */
enum log_form { LOG_OTHER, LOG_JSON, LOG_TEXT };

struct log_line {
	enum log_form form;
	struct span raw;              /* without its line end */
	struct span time, link, verb; /* LOG_TEXT */
	struct span rest;             /* LOG_TEXT: behind the verb */
	struct json_line json;        /* LOG_JSON */
};

/* Longest value that the filters look at. */
enum { LOG_VALUE_MAX = 256 };

/** Read a line; its spans point into `raw`. */
void log_line_read(struct log_line *l, struct span raw);

/**
 * Append the value of a JSON key, or of the word KEY=value of a text line; false if there is none.
 */
bool log_line_value(const struct log_line *l, const char *key, struct out *o);

/** The verb that the text log has for the record; may lie in `room`. */
struct span log_line_verb(const struct log_line *l, char room[LOG_VALUE_MAX]);

/** The protocol of a JSON record, or NULL. */
const struct proto *log_line_proto(const struct log_line *l);

/** When the record was made, microseconds since 1970; false if the line does not tell. */
bool log_line_time(const struct log_line *l, int64_t *ret_us);

/**
 * "2026-11-21T19:17:00.123456+08:00", the fraction of any length or missing, as microseconds since
 * 1970; without an offset it is `utc_offset_s` ahead.
 */
bool log_time_read(struct span s, int utc_offset_s, int64_t *ret_us);

/*
 * Words of a text line behind its verb, meanings between « and » left out. `*rest` is moved; the
 * key is empty for a word without '='. Quotes around a value are taken off.
 */
bool log_word(struct span *rest, struct span *ret_key, struct span *ret_value);

#endif
