#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"

/* The folder of the running program, with its '/'; empty if it cannot be told. */
static void program_dir(char to[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", to, PATH_MAX - 1);
	char *slash;

	to[n > 0 ? n : 0] = '\0';
	slash = strrchr(to, '/');
	to[slash != NULL ? slash - to + 1 : 0] = '\0';
}

const char *codes_dir(const char *configured)
{
	static char moved[PATH_MAX + sizeof("../" SMSCOPE_DATA_CODES)];
	const char *env = getenv("SMSCOPE_CODES");
	char program[PATH_MAX];

	if (configured != NULL)
		return configured;
	if (env != NULL && *env != '\0')
		return env;
	program_dir(program);
	if (strncmp(program, SMSCOPE_BUILD_DIR "/", strlen(SMSCOPE_BUILD_DIR "/")) == 0)
		return SMSCOPE_SOURCE_CODES;
	/* Installed below another prefix than it was configured for: the tables have moved along. */
	snprintf(moved, sizeof(moved), "%s../" SMSCOPE_DATA_CODES, program);
	return access(moved, R_OK) == 0 ? moved : SMSCOPE_INSTALLED_CODES;
}

const char *codes_site_dir(const char *configured)
{
	const char *env = getenv("SMSCOPE_CODES_SITE");

	if (configured != NULL)
		return *configured != '\0' ? configured : NULL;
	if (env != NULL)
		return *env != '\0' ? env : NULL;
	return CODES_SITE;
}
