#ifndef SMSCOPE_CONF_SOURCE_H
#define SMSCOPE_CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/*
 * The text of a configuration file with its @includes pulled in, and for each line where it came
 * from. libconfig is given this text and opens no file itself: 1.5 ends the process when an
 * @include names a folder.
 *
 * On the way in the text is looked over for what libconfig 1.5 takes without a word or explains
 * badly: integers that wrap, numbers that look octal, comments and strings that do not end,
 * brackets, commas and quotes that are missing, full-width punctuation.
 */

struct conf_line {
	const char *file; /* owned by the settings */
	int line;
	size_t at;        /* offset in the text */
};

/* A number that was reported already, so that the wrapped value is not reported again. */
struct conf_bad_number {
	int line; /* of the text, from 1 */
	char name[32];
};

enum { CONF_BAD_NUMBERS = 32 };

struct conf_source {
	struct settings *owner;      /* of file names */
	bool alone;                  /* takes no @include; needs no owner */
	struct conf_faults *faults;
	char *text;                  /* NUL-terminated */
	size_t len, cap;
	struct conf_line *lines;
	int line_count, line_cap;
	bool hopeless;               /* was reported, and libconfig need not see it */
	struct conf_bad_number bad[CONF_BAD_NUMBERS];
	int bad_count;
};

/**
 * Read `path`. 0, or SM_EFORMAT when libconfig need not see it; faults were reported in both
 * cases. Call conf_source_fini() in any case.
 */
int conf_source_file(struct conf_source *s, const char *path);

/** The same with all of `fd`, from its start if it has one; `name` stands for it in messages. */
int conf_source_fd(struct conf_source *s, int fd, const char *name);

void conf_source_fini(struct conf_source *s);

/** Where line `line` (from 1) of the text came from; lines past the end are the last one. */
struct conf_line conf_source_line(const struct conf_source *s, int line);

/** Was a number of key `name` on that line of the text reported? */
bool conf_source_reported(const struct conf_source *s, int line, const char *name);

/* Append to the text; conf_source.c and conf_scan.c only. 0 or SM_EFORMAT after reporting. */
int conf_source_put(struct conf_source *s, const char *p, size_t n);
int conf_source_begin_line(struct conf_source *s, const char *file, int line);

/**
 * Read `path` into memory; `from` and `from_line` name the @include that asked for it (NULL, 0:
 * none). NULL after reporting. The caller frees.
 */
char *conf_source_slurp(struct conf_source *s, const char *path, const char *from, int from_line,
	size_t *ret_len);

/** Look over `text` (`len` octets of file `file`) and append it. */
void conf_scan(struct conf_source *s, const char *file, const char *text, size_t len);

/** Own copy of a file's name that lives as long as the settings; NULL when memory is short. */
const char *settings_file(struct settings *s, const char *name);

#endif
