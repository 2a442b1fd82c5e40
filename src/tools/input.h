#ifndef SMSCOPE_TOOLS_INPUT_H
#define SMSCOPE_TOOLS_INPUT_H

#include <stddef.h>
#include <stdio.h>

/**
 * All octets of a file, or of standard input if the path is "-". *ret is the caller's to free.
 * SM_OK, or -errno with *ret untouched.
 */
int input_read(const char *path, char **ret, size_t *ret_n);

/** Its two steps: stdin for "-", or NULL with errno set; input_rest() closes nothing. */
FILE *input_open(const char *path);
int input_rest(FILE *f, char **ret, size_t *ret_n);

#endif
