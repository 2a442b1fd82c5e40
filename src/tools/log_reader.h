#ifndef SMSCOPE_TOOLS_LOG_READER_H
#define SMSCOPE_TOOLS_LOG_READER_H

#include "tools/log_line.h"

/*
 * Whole lines of a file that may still grow. Longer ones than JSON_LINE_MAX are left out and
 * counted.
 */
struct log_reader {
	char *buffer;
	size_t at, fill;
	bool skipping;     /* the rest of a line that is too long */
	int64_t offset;    /* in the file, of what stands at `at` */
	uint64_t too_long;
};

/** Its buffer; 0 or -ENOMEM. log_reader_free() frees it. */
MUST_CHECK int log_reader_init(struct log_reader *r);
void log_reader_free(struct log_reader *r);

/** Begin anew at an offset of a file. */
void log_reader_reset(struct log_reader *r, int64_t offset);

/** Read what there is, or a part of it. Octets, 0 at the end, -errno. */
MUST_CHECK int log_reader_fill(struct log_reader *r, int fd);

/** The next whole line, without its '\n', and where it begins; valid until the next fill. */
bool log_reader_next(struct log_reader *r, struct span *ret, int64_t *ret_offset);

/** What stands behind the last '\n': a line that is not whole, or nothing. */
bool log_reader_last(struct log_reader *r, struct span *ret, int64_t *ret_offset);

/**
 * The first file log that a configuration names, JSON logs only if `json`; the caller frees. NULL
 * after saying on standard error, behind `who`, why there is none.
 */
char *log_of_config(const char *who, const char *config, bool json);

#endif
