#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/bytes.h"
#include "tools/input.h"

enum { READ_STEP = 65536 };

int input_rest(FILE *f, char **ret, size_t *ret_n)
{
	size_t cap = 0, n = 0, got = 1;
	char *octets = NULL;

	while (got > 0) {
		if (n + READ_STEP > cap) {
			char *more = realloc(octets, cap = 2 * cap + READ_STEP);

			if (more == NULL) {
				free(octets);
				return -ENOMEM;
			}
			octets = more;
		}
		got = fread(octets + n, 1, READ_STEP, f);
		n += got;
	}
	if (ferror(f)) {
		free(octets);
		return -EIO;
	}
	*ret = octets;
	*ret_n = n;
	return SM_OK;
}

FILE *input_open(const char *path)
{
	return strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
}

int input_read(const char *path, char **ret, size_t *ret_n)
{
	FILE *f = input_open(path);
	int err;

	if (f == NULL)
		return -errno;
	err = input_rest(f, ret, ret_n);
	if (f != stdin)
		fclose(f);
	return err;
}
