#ifndef SMSCOPE_TOOLS_LOG_SHOW_H
#define SMSCOPE_TOOLS_LOG_SHOW_H

#include "smscope/record.h"
#include "tools/log_line.h"

/* Records of a log for people, as the daemon's text log has them, and safe for a terminal. */
struct log_style {
	enum record_lang lang;
	bool color;
	int link_width; /* of the widest link so far */
};

/* Enough for any line: escaping makes six octets of one at most. */
enum { LOG_SHOWN_MAX = 6 * JSON_LINE_MAX + 1024 };

/** A JSON record as a line of the text log, a text line as it is; with its '\n'. */
void log_show(struct out *o, const struct log_line *l, struct log_style *style);

/** A JSON line as it is, but for characters that cannot be seen: they are written as \uXXXX. */
void log_show_json(struct out *o, const struct log_line *l);

/**
 * The record's code, behind a blank: stat=UNDELIV «消息无法送达 / undeliverable»; err= in the same
 * way. Nothing if it has none.
 */
void log_show_code(struct out *o, const struct log_line *l, const struct log_style *style);
void log_show_err(struct out *o, const struct log_line *l, const struct log_style *style);

/** name=ESME_RTHROTTLED, if a reading that is shown has one. */
void log_show_name(struct out *o, const struct log_line *l);

/** Who said so and what to do, for codes that tell of a failure: origin=smsc retry=fix. */
void log_show_advice(struct out *o, const struct log_line *l);

/** The tables that the code's meaning came from: table=infox-report-prefix>infox-smc. */
void log_show_table(struct out *o, const struct log_line *l);

/** ` KEY=value` of a member, ` LABEL=value` if its name differs in text; nothing without it. */
void log_show_member(struct out *o, const struct log_line *l, const char *key, const char *label);

/** What colour the record's class has; NULL: none. */
const char *log_color(const struct log_line *l);

#define COLOR_RED "\x1b[31m"
#define COLOR_GREEN "\x1b[32m"
#define COLOR_YELLOW "\x1b[33m"
#define COLOR_BLUE "\x1b[36m"
#define COLOR_DIM "\x1b[2m"
#define COLOR_BOLD "\x1b[1m"
#define COLOR_RESET "\x1b[0m"

#endif
