#ifndef SMSCOPE_DAEMON_OPTIONS_H
#define SMSCOPE_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "conf/conf.h"
#include "smscope/err.h"

enum action {
	ACTION_RUN,
	ACTION_CHECK,     /* -t: load everything, say what is wrong, end */
	ACTION_DUMP,
	ACTION_LIST_KEYS,
	ACTION_VERSION,
	ACTION_HELP,
	ACTION_ENGINE,    /* how the keeper starts its engine; not for people */
	ACTION_TABLES,    /* how an engine has code tables checked; not for people */
	ACTION_PROVE,     /* how a keeper asks another version whether it would do; not for people */
};

enum { EXIT_OK = 0, EXIT_FAULT = 1, EXIT_USAGE = 2, EXIT_BIND = 3 };

struct options {
	enum action action;
	const char *config;      /* the file; the default one unless given */
	bool quick;              /* one link from the command line instead of a file */
	struct conf_quick link;
	int color;               /* as sink_settings.color: -1 auto, 0 never, 1 always */
	bool color_given;        /* on the command line or by NO_COLOR: beats the file */
	enum log_level least;    /* of the operator log; an engine is told */
	bool blind;              /* of ACTION_ENGINE: relay, and nothing else */
	const char *layout;      /* of ACTION_PROVE: of the shared memory it would have to do with */
	int moved;               /* of ACTION_RUN: the keeper that executed us in its place left its table there; -1: none did */
	char **argv;
	const char *tables, *tables_site; /* of ACTION_TABLES: folders */
	int passed;              /* of ACTION_RUN, not from the command line: activation_take() */
};

/**
 * Parse the command line; its strings are borrowed. 0, or -EINVAL after one line to `err` that says
 * what is wrong with it.
 */
int options_parse(int argc, char **argv, struct options *ret, FILE *err) MUST_CHECK;

/** The one screen of --help. */
void options_help(FILE *to);

/** The option that makes an engine with this operator-log level: "--engine=info". Static text. */
const char *options_engine(enum log_level least);

#endif
