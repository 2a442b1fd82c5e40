#include <stdio.h>
#include <string.h>

#include "tools/tools.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} verbs[] = {
	{ "decode", decode_main, "meaning of codes: smscope decode MB:0041" },
	{ "codes", codes_main, "the code tables: smscope codes list" },
	{ "explain", explain_main,
	  "every field of a PDU: smscope explain 00000010 00000015 00000000 00000001" },
	{ "annotate", annotate_main,
	  "meanings behind the lines of a log: tail -F gateway.log | smscope annotate" },
	{ "rewrite", rewrite_main,
	  "what a link's rules would do to PDUs: smscope rewrite --link NAME HEX" },
	{ "tail", tail_main, "a log of smscoped as it grows: smscope tail --failed smscope.json" },
	{ "story", story_main,
	  "all that became of a message: smscope story 1121191700-104-7 smscope.json" },
	{ "ctl", ctl_main, "ask a running smscoped: smscope ctl status" },
};

static void usage(FILE *to)
{
	fputs("usage: smscope VERB [OPTION...] [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(to, "  %-8s  %s\n", verbs[i].name, verbs[i].what);
	fputs("\n`smscope VERB --help` says more; `smscope --version` says which this is.\n", to);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(verb, "--version") == 0 || strcmp(verb, "-v") == 0) {
		puts("smscope " SMSCOPE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verb, verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	if (argc > 1)
		fprintf(stderr, "smscope: no verb \"%s\"\n", verb);
	usage(stderr);
	return 2;
}
