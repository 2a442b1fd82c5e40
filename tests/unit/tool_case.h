#ifndef SMSCOPE_TEST_TOOL_CASE_H
#define SMSCOPE_TEST_TOOL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* A folder of a test's own, commands that run there, all that they print. */

static char folder[64], got[1 << 18];

static inline int tool_setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "tool-case-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static inline int tool_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

static inline void put(const char *name, const void *octets, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Runs `command` in the folder, times in UTC; both outputs into `got`. Its exit code. */
static inline int run(const char *command)
{
	char line[4096];
	size_t n;
	FILE *f;
	int rc;

	n = (size_t)snprintf(line, sizeof(line), "cd '%s' && export TZ=UTC SMSCOPE_CODES='" SOURCE_DIR
		"/codes' && PATH='" BUILD_DIR "':$PATH && { %s; } 2>&1", folder, command);
	assert_true(n < sizeof(line));
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	assert_true(n < sizeof(got) - 1);
	got[n] = '\0';
	rc = pclose(f);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static inline void says(const char *part)
{
	if (strstr(got, part) == NULL)
		fail_msg("no \"%s\" in: %s", part, got);
}

static inline void says_not(const char *part)
{
	if (strstr(got, part) != NULL)
		fail_msg("\"%s\" in: %s", part, got);
}

#endif
