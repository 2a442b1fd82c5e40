#ifndef SMSCOPE_TOOLS_INPUT_H
#define SMSCOPE_TOOLS_INPUT_H

#include <stddef.h>

/**
 * All octets of a file, or of standard input if the path is "-". *ret is the caller's to free.
 * SM_OK, or -errno with *ret untouched.
 */
int input_read(const char *path, char **ret, size_t *ret_n);

#endif
