#ifndef SMSCOPE_CONF_KEYS_H
#define SMSCOPE_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"

/*
 * The keys of the configuration, one row each. Loading, range checks, the list of keys, the dump,
 * the documentation test and settings_free() all read that row.
 */

enum conf_section {
	CONF_TOP,    /* the file itself: struct settings */
	CONF_DAEMON, /* daemon = { … }: struct settings */
	CONF_LINK,   /* one of links: struct link_settings */
	CONF_SINK,   /* one of logs: struct sink_settings */
	CONF_RULE,   /* one of a link's rules: struct rule_settings */
	CONF_SECTIONS
};

enum conf_type {
	CONF_COUNT,     /* uint32_t, a plain number */
	CONF_OCTETS,    /* uint32_t: 4096, "64K", "8M" */
	CONF_DURATION,  /* uint32_t milliseconds: "500ms", "30s", "10m", "2h" */
	CONF_FLAG,      /* bool */
	CONF_TEXT,      /* char *, any text without control characters */
	CONF_NAME,      /* char *, [A-Za-z0-9._-] */
	CONF_CHOICE,    /* an enum or int, one of `words` */
	CONF_PROTOCOL,  /* const struct proto *, "auto" is NULL */
	CONF_LISTEN,    /* struct endpoint []: here the kernel may choose the port (0) */
	CONF_SERVERS,   /* struct endpoint [] */
	CONF_SOURCE,    /* struct endpoint, the port may be left off */
	CONF_RESOLVERS, /* struct endpoint [], no names; without a port it is that of DNS */
	CONF_NAMES,     /* char *[] */
	CONF_TEXTS,     /* char *[], any text without control characters */
	CONF_ACCOUNTS,  /* char *[]: what a login may call itself */
	CONF_PREFIXES,  /* struct prefix []: "10.0.0.0/8", "2001:db8::/32", an address */
	CONF_KINDS,     /* uint32_t, one bit a record kind; "all" */
	CONF_CODES,     /* char *[]: codes, as text or as numbers */
	CONF_SET,       /* uint32_t, one bit for each of `words`, by its value */
	CONF_GROUP,     /* a section of its own */
	CONF_LIST,      /* a list of sections */
};

struct conf_word {
	const char *word; /* NULL ends */
	int value;
};

struct conf_key {
	const char *name;
	enum conf_type type;
	size_t at;            /* offset in the section's struct */
	size_t count_at;      /* arrays: offset of their int count */
	int64_t min, max;     /* of the value, in `unit`; of arrays and texts, items or octets */
	const char *preset;   /* the default as in a file, without quotes; NULL none or computed */
	const char *computed; /* what the default is, if it depends on other keys */
	const char *unit;     /* NULL none */
	bool required;
	bool reloadable;      /* applies on SIGHUP; else at the next start */
	const struct conf_word *words;
	const char *help;
};

/** Rows of a section. */
const struct conf_key *conf_keys(enum conf_section section, int *ret_count);

/** How the section is called in messages and lists: "daemon", "links[]", "" for the file itself. */
const char *conf_section_name(enum conf_section section);

/** Index of key `name` in the section, or SM_ENONE. */
int conf_key_find(enum conf_section section, const char *name);

/**
 * Where key `name` of a section was set; NULL stands for the group itself. `of` is the struct that
 * the section's rows describe. The daemon's keys and the file's own share one array in settings.
 */
struct setting_origin *conf_origin(enum conf_section section, const void *of, const char *name);

/** Entries such an array needs. */
int conf_origin_count(enum conf_section section);

/* The nearest of several words to one that was mistyped. */
struct conf_guess {
	const char *word;    /* what was written */
	const char *nearest; /* NULL: nothing looks like it */
	int distance;
};

/** Nothing tried yet. Both words are borrowed. */
struct conf_guess conf_guess_of(const char *word);
void conf_guess_try(struct conf_guess *g, const char *candidate);

#endif
