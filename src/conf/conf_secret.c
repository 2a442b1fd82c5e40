#include "conf/conf_secret.h"

int conf_secret_file(const struct conf_key *k, const char *name, struct secret *ret,
	const struct conf_at *at)
{
	const char *why = NULL;

	if (secret_file(name, ret, &why) == 0)
		return 0;
	conf_error(at->faults, at->file, at->line, "%s = \"%s\": %s", k->name, name, why);
	return SM_EVALUE;
}
