#ifndef SMSCOPE_CONF_H
#define SMSCOPE_CONF_H

#include <stdio.h>

#include "base/settings.h"
#include "smscope/codes.h"

/*
 * Configuration and code tables, from libconfig files to plain data. Every fault is reported as
 * "FILE:LINE: error: …" through `faults`, all of them, not the first.
 */

/* Which host names are looked up while loading: name servers may be slow, or dead. */
enum conf_look_up {
	LOOK_UP_ALL,    /* to check them: those of gateways for as long as a few seconds have not passed */
	LOOK_UP_LISTEN, /* what is listened on; gateways are looked up while smscoped runs */
	LOOK_UP_NONE,   /* nothing: listen and upstream may then be without an address */
};

/* Where faults go: one call a fault; `line` 0 when there is none. Counts live in the struct. */
struct conf_faults {
	FILE *to;      /* NULL: count only */
	bool errors_only; /* warnings are counted, and not told */
	int errors, warnings;
	enum conf_look_up look_up;
	uint64_t looked_ns; /* how long names of gateways have taken so far */
};

void conf_error(struct conf_faults *f, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
void conf_warn(struct conf_faults *f, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);

/**
 * Load and check `path` with its @includes and the *.conf of its include_dir. NULL if there was any
 * error. The code tables are another matter: codes_load(), then conf_check_profiles().
 */
struct settings *conf_load(const char *path, struct conf_faults *faults);

/** The same from a descriptor (a memfd that the keeper filled with conf_dump()). */
struct settings *conf_load_fd(int fd, struct conf_faults *faults);

/* One link from the command line. */
struct conf_quick {
	const char *listen, *upstream, *protocol, *profile, *lang, *log;
	const char *control; /* NULL: no control socket */
};

/** Settings for one foreground link with its log on standard output; faults are named by option. */
struct settings *conf_quick(const struct conf_quick *q, struct conf_faults *faults);

/* Where the control socket is unless the configuration says otherwise; a path fits a sockaddr_un. */
#define CONTROL_PATH "/run/smscope/control.sock"
enum { CONTROL_PATH_MAX = 107 };

/**
 * The control socket that `path` names, into `ret` of CONTROL_PATH_MAX + 1 octets, without loading
 * the rest, which may ask a name server. 0, or SM_EFORMAT after reporting.
 */
int conf_control(const char *path, char *ret, struct conf_faults *faults);

/**
 * Effective configuration as a file that conf_load() reads back to the same settings; a comment on
 * each line says where its value came from. Returns 0 or -errno.
 */
int conf_dump(const struct settings *s, FILE *to);

/** Every key with type, range, default, unit and its sentence. */
void conf_list_keys(FILE *to);

void settings_free(struct settings *s);

typedef void conf_diff_fn(void *arg, const char *line);

/**
 * Tell how `to` differs from `from`, a line each: "link cmcc-bj max_pdu 4096 -> 8192". Keys that need a
 * restart are told, too, and set back to what they are in `from`. Returns how many others there are.
 */
int conf_diff(const struct settings *from, struct settings *to, conf_diff_fn *tell, void *arg);

/** Does the code set know every link's profiles, and what its rules name? 0, or SM_EFORMAT after reporting what it lacks. */
int conf_check_profiles(const struct settings *s, const struct code_set *set,
	struct conf_faults *faults);

/**
 * The link's rules as a set that edits: with none it touches nothing. NULL after reporting what is wrong,
 * unknown maps and tables too. The caller frees.
 */
struct rule_set *conf_rules(const struct link_settings *l, const struct code_set *set,
	struct conf_faults *faults);

/** "OK: 3 links, 26 code tables (1214 entries)" and `more`, one line. */
void conf_summary(const struct settings *s, const struct code_set *set, const char *more, FILE *to);

/**
 * Load the code tables: every *.conf of `dir` and its folders, then those of `site_dir` (may be NULL
 * or missing), whose rows and tables win. NULL if there was any error.
 */
struct code_set *codes_load(const char *dir, const char *site_dir, struct conf_faults *faults);

/**
 * The folder of the shipped tables: `configured` if not NULL, else $SMSCOPE_CODES, else codes/ of the source tree the
 * program was built from if it runs from its build folder, else share/smscope/codes beside the program's own
 * folder, else the installed one. Static or borrowed text; not for threads at the same time.
 */
const char *codes_dir(const char *configured);

/* Where a site keeps tables of its own unless its configuration says otherwise. */
#define CODES_SITE "/etc/smscope/codes.d"

/**
 * The folder of the site's own tables for a tool, which reads no configuration: `configured` if not NULL, else
 * $SMSCOPE_CODES_SITE, else CODES_SITE; NULL when the one that decides is empty.
 */
const char *codes_site_dir(const char *configured);

#endif
