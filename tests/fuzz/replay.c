#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Runs a target, without a fuzzer, on every file of the folders named: an ordinary test. */

enum { FILE_MAX = 1 << 20 };

static void play_file(const char *path)
{
	static uint8_t octets[FILE_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *copy;
	size_t n;

	CHECK(f != NULL);
	n = fread(octets, 1, sizeof(octets), f);
	CHECK(!ferror(f) && feof(f));
	fclose(f);
	copy = check_copy(octets, n);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

/* How many files it has; hidden ones do not count. A folder that is not there has none. */
static int play_folder(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort), played = 0;

	CHECK(n >= 0 || errno == ENOENT);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			play_file(path);
			played++;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return played;
}

int main(int argc, char **argv)
{
	int played = 0;

	for (int i = 1; i < argc; i++)
		played += play_folder(argv[i]);
	printf("%d files\n", played);
	return played > 0 ? 0 : 1;
}
