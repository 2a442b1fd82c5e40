#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"

/* Does the running program lie in the folder it was built in? */
static bool in_build_folder(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
	size_t len = strlen(SMSCOPE_BUILD_DIR);

	return n > 0 && (size_t)n < sizeof(exe) && (size_t)n > len
		&& memcmp(exe, SMSCOPE_BUILD_DIR, len) == 0 && exe[len] == '/';
}

const char *codes_dir(const char *configured)
{
	const char *env = getenv("SMSCOPE_CODES");

	if (configured != NULL)
		return configured;
	if (env != NULL && *env != '\0')
		return env;
	return in_build_folder() ? SMSCOPE_SOURCE_CODES : SMSCOPE_INSTALLED_CODES;
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
