#ifndef SMSCOPE_TOOLS_JSON_LINE_H
#define SMSCOPE_TOOLS_JSON_LINE_H

#include "smscope/text.h"

/*
 * One line of a JSON log: an object, read where it lies. Values stay as they are written and are
 * spans of the line; nothing is allocated. Strict: what RFC 8259 does not allow is no object, and
 * neither is a NUL in a string. Of a key that is there twice the later one holds.
 */
enum {
	JSON_LINE_MEMBERS = 96,
	JSON_LINE_DEPTH = 16, /* of lists and objects in each other, the line's own included */
	JSON_LINE_MAX = 64 * 1024
};

enum json_line_type {
	JSON_LINE_STRING,
	JSON_LINE_NUMBER,
	JSON_LINE_TRUE,
	JSON_LINE_FALSE,
	JSON_LINE_NULL,
	JSON_LINE_LIST,
	JSON_LINE_OBJECT,
};

struct json_line_value {
	uint8_t type;     /* enum json_line_type */
	struct span text; /* as written; of a string what stands between the quotes */
};

struct json_line_member {
	struct span key; /* as written, without quotes */
	struct json_line_value value;
};

struct json_line {
	int count;
	struct json_line_member at[JSON_LINE_MEMBERS];
};

/**
 * Read a line, with or without its end. SM_OK; SM_EFORMAT if it is no object, SM_ELEN if it is
 * longer than JSON_LINE_MAX, SM_EFULL if it has too many members or goes too deep.
 */
MUST_CHECK int json_line_read(struct json_line *l, struct span line);

/** The value of a key, or NULL. */
const struct json_line_value *json_line_find(const struct json_line *l, const char *key);

/**
 * Step through the objects of a list; `*at` starts at 0. False: there are no more, or what comes
 * is no object.
 */
bool json_line_item(const struct json_line_value *list, size_t *at, struct json_line *ret);

/** Append a string's text without its escapes; any other value as it is written. */
void json_line_text(struct out *o, const struct json_line_value *v);

/** Is it a string of that text? */
bool json_line_is(const struct json_line_value *v, const char *text);

/** A whole number of at most 64 bits without sign; false if the value is something else. */
bool json_line_uint(const struct json_line_value *v, uint64_t *ret);

#endif
