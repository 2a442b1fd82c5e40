#ifndef SMSCOPE_CONF_SECRET_H
#define SMSCOPE_CONF_SECRET_H

#include "base/secret.h"
#include "conf/conf_value.h"

/**
 * The secret in the file that key `k` names, as secret_file() reads it; what is wrong is a fault at
 * `at`. Returns 0, or SM_EVALUE after reporting. The caller wipes.
 */
int MUST_CHECK conf_secret_file(const struct conf_key *k, const char *name, struct secret *ret,
	const struct conf_at *at);

#endif
