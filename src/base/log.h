#ifndef SMSCOPE_BASE_LOG_H
#define SMSCOPE_BASE_LOG_H

#include "smscope/err.h"

/*
 * The operator log: what the daemon itself has to say, on standard error, one line each:
 * "2026-11-21T19:17:00.123+08:00 smscoped[keeper 812] warn: words key=value". Thread-safe: one
 * write(2) per line, and none waits: a line that standard error has no room for is dropped, and the
 * next one that gets through says how many were. A control octet inside a line becomes a space.
 * Octets from the wire pass text_escape() before they get here.
 */
enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

enum { LOG_LINE_MAX = 2048 }; /* octets with the '\n'; the rest of a longer line is cut off */

/** `role`, static text, is shown before the process id. Call this before there are threads. */
void log_init(const char *role, enum log_level least);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
