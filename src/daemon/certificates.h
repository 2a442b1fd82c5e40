#ifndef SMSCOPE_DAEMON_CERTIFICATES_H
#define SMSCOPE_DAEMON_CERTIFICATES_H

#include "conf/conf.h"
#include "net/tls.h"
#include "scribe/scribe.h"

/*
 * The certificates of a configuration: checked before anything runs, loaded by the engine, and
 * again when an operator changed them.
 */

/**
 * Load all that the links name and forget it again; faults point to the key. `ret_words` gets what
 * the summary says of them: ", 2 certificates (the first expires in 41 days)", or nothing. 0, or
 * SM_EFORMAT after reporting.
 */
int certificates_check(const struct settings *s, struct conf_faults *faults, char *ret_words,
	size_t cap);

/** The same in a process of its own, so that no key was ever in this one. */
int certificates_check_apart(const struct settings *s);

/**
 * At an engine's start: what does not load leaves its link without TLS, everything else runs. The
 * log has the faults. 0 or -ENOMEM.
 */
int certificates_load(const struct settings *s, struct tls *tls);

/** Load them again; with any fault those in use stay: false. The log and a `config` record say which it was. */
bool certificates_reload(const struct settings *s, struct tls *tls, struct scribe *scribe);

/* Which certificates an operator was warned of. */
struct certificates_told {
	int count;
	struct {
		uint8_t fingerprint[TLS_FINGERPRINT];
		int days; /* the last threshold */
	} *one;
};

/** Warn of those that expire soon, once at each of 30, 14 and 3 days before. */
void certificates_watch(const struct settings *s, struct tls *tls, struct scribe *scribe,
	struct certificates_told *told);

#endif
