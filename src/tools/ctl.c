#include "tools/tools.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"

/* smscope ctl: one line to the control socket, its answer printed. docs/control.md says how. */

#ifndef SMSCOPE_CONF
#define SMSCOPE_CONF "/etc/smscope/smscope.conf"
#endif

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_OLD_RUNS = 4, LINE_ROOM = 1024, WAIT_MS = 15000,
	GROW = 64 * 1024, CHANGE_TRIES = 400, CHANGE_PAUSE_MS = 250 };

struct ctl {
	const char *socket, *config; /* NULL: not given */
	char path[CONTROL_PATH_MAX + 1];
	char line[LINE_ROOM + 1];    /* with its end */
	size_t line_len;
	char *answer;
	size_t answer_len, answer_cap;
};

static const char usage_text[] =
	"usage: smscope ctl [--socket PATH | -c FILE] [--json] VERB [OPTION...]\n"
	"\n"
	"Asks a running smscoped. `smscope ctl help` lists the verbs it knows.\n"
	"\n"
	"      --socket PATH   its control socket\n"
	"  -c, --config FILE   the configuration that names it (" SMSCOPE_CONF ")\n"
	"      --json          an answer for programs\n"
	"\n"
	"reload and upgrade wait until it is done or has failed.\n"
	"\n"
	"Ends with 0; 1 refused or no answer, 2 usage, 4 the upgrade failed and the old one runs on.\n";

static int usage(FILE *to, int code)
{
	fputs(usage_text, to);
	return code;
}

static bool line_add(struct ctl *c, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = word; *p != '\0'; p++)
		if (*p == ' ' || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return false;
	if (n == 0 || n + 1 > LINE_ROOM - c->line_len)
		return false;
	memcpy(c->line + c->line_len, word, n);
	c->line_len += n;
	c->line[c->line_len++] = ' ';
	return true;
}

/* Our options stand before the verb, what follows it is the request's. 0, or the exit code plus one. */
static int read_options(struct ctl *c, int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, asked = false;
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "+c:h", known, NULL)) != -1) {
		if (opt == 'h')
			return usage(stdout, 0) + 1;
		if (opt == '?')
			return usage(stderr, EXIT_USAGE) + 1;
		c->socket = opt == 's' ? optarg : c->socket;
		c->config = opt == 'c' ? optarg : c->config;
		json = json || opt == 'j';
	}
	if (optind == argc || (c->socket != NULL && c->config != NULL))
		return usage(stderr, EXIT_USAGE) + 1;
	for (int i = optind; i < argc; i++) {
		if (!line_add(c, argv[i])) {
			fprintf(stderr, "smscope: no request can have \"%s\"\n", argv[i]);
			return EXIT_USAGE + 1;
		}
		asked = asked || strcmp(argv[i], "--json") == 0;
	}
	if (json && !asked && !line_add(c, "--json"))
		return usage(stderr, EXIT_USAGE) + 1;
	c->line[c->line_len - 1] = '\n';
	return 0;
}

/* Where the socket is. Without being told: as the usual file says, if it can be read. */
static bool find_socket(struct ctl *c)
{
	struct conf_faults faults = { .to = c->config != NULL ? stderr : NULL };
	const char *given = c->socket;

	if (given == NULL && conf_control(c->config != NULL ? c->config : SMSCOPE_CONF, c->path,
			&faults) < 0) {
		if (c->config != NULL)
			return false;
		given = CONTROL_PATH;
	}
	if (given != NULL && (strlen(given) == 0 || strlen(given) > CONTROL_PATH_MAX)) {
		fprintf(stderr, "smscope: \"%s\" is no path of a socket\n", given);
		return false;
	}
	if (given != NULL)
		memcpy(c->path, given, strlen(given) + 1);
	if (c->path[0] == '\0')
		fputs("smscope: the configuration says that there is no control socket\n", stderr);
	return c->path[0] != '\0';
}

static const char *likely(int err)
{
	switch (err) {
	case ENOENT:
		return "nothing is there; is smscoped running, and is this its control socket?";
	case ECONNREFUSED:
		return "nobody listens; smscoped has ended";
	case EACCES:
	case EPERM:
		return "no permission; be root, or a member of the socket's group";
	case EAGAIN:
		return "too many wait there; try again";
	default:
		return strerrordesc_np(err);
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	fprintf(stderr, "smscope: %s: %s\n", path, likely(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Is the answer complete: has it a line "." at its end? */
static bool complete(const struct ctl *c)
{
	size_t n = c->answer_len;

	return n >= 2 && memcmp(c->answer + n - 2, ".\n", 2) == 0 &&
		(n == 2 || c->answer[n - 3] == '\n');
}

static bool room(struct ctl *c)
{
	size_t cap = c->answer_cap * 2 + GROW;
	char *p;

	if (c->answer_cap - c->answer_len > GROW / 2)
		return true;
	p = realloc(c->answer, cap);
	if (p == NULL)
		return false;
	c->answer = p;
	c->answer_cap = cap;
	return true;
}

/* All of the answer, before a slow terminal makes the daemon wait. NULL, or what went wrong. */
static const char *read_answer(struct ctl *c, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (!complete(c)) {
		if (poll(&p, 1, WAIT_MS) == 0)
			return "no answer; smscoped does not come to it";
		if (!room(c))
			return strerrordesc_np(ENOMEM);
		n = recv(fd, c->answer + c->answer_len, c->answer_cap - c->answer_len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return "the answer broke off; smscoped may have started a new engine: "
			       "try again";
		c->answer_len += (size_t)n;
	}
	return NULL;
}

/* Without the end mark, and without the dots that were put before dots. */
static int print_answer(struct ctl *c)
{
	static const char mark[] = "error: ";
	const char *p = c->answer, *end = p + c->answer_len - 2;
	bool refused = (size_t)(end - p) >= sizeof(mark) - 1 &&
		memcmp(p, mark, sizeof(mark) - 1) == 0;

	if (refused) {
		fprintf(stderr, "smscope: %.*s", (int)(end - p) - (int)sizeof(mark) + 1,
			p + sizeof(mark) - 1);
		return EXIT_REFUSED;
	}
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl != NULL ? nl + 1 : end;

		p += *p == '.';
		fwrite(p, 1, (size_t)(next - p), stdout);
		p = next;
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_REFUSED;
}

/* One request, the answer into `c`. NULL, or what went wrong; "": nobody answers, which was said. */
static const char *ask(struct ctl *c, const char *line, size_t n)
{
	int fd = connect_to(c->path);
	const char *why;

	if (fd < 0)
		return "";
	c->answer_len = 0;
	/* Who is turned away is told so before it is asked what it wants: read in any case. */
	(void)send(fd, line, n, MSG_NOSIGNAL);
	why = read_answer(c, fd);
	close(fd);
	return why;
}

/* The answer as text. */
static const char *text_of(struct ctl *c)
{
	if (!room(c))
		return "";
	c->answer[c->answer_len] = '\0';
	return c->answer;
}

/* The line that tells of the last change of that kind; NULL: none does. */
static const char *line_of(const char *text, const char *kind)
{
	char what[16];

	for (; *text != '\0'; text += *text == '\n') {
		if (sscanf(text, "%*u %15s", what) == 1 && strcmp(what, kind) == 0)
			return text;
		text += strcspn(text, "\n");
	}
	return NULL;
}

/* Until a change of that kind, later than `number`, has come to its end: its words, and the exit code. */
static int await_change(struct ctl *c, const char *kind, unsigned long long number)
{
	static const char request[] = "change\n";

	for (int i = 0; i < CHANGE_TRIES; i++) {
		const char *line = NULL, *words;
		bool ok;

		poll(NULL, 0, CHANGE_PAUSE_MS);
		if (ask(c, request, sizeof(request) - 1) == NULL)
			line = line_of(text_of(c), kind);
		if (line == NULL || strtoull(line, NULL, 10) <= number)
			continue;
		words = strchr(line, ' ') + 1;
		ok = strncmp(words + strlen(kind), " ok", 3) == 0;
		fprintf(ok ? stdout : stderr, "%.*s\n", (int)strcspn(words, "\n"), words);
		return ok ? EXIT_SUCCESS : strcmp(kind, "upgrade") == 0 ? EXIT_OLD_RUNS : EXIT_REFUSED;
	}
	fputs("smscope: it takes too long\n", stderr);
	return EXIT_REFUSED;
}

int ctl_main(int argc, char **argv)
{
	struct ctl c = { .socket = NULL };
	int code = read_options(&c, argc, argv);
	const char *kind = strcmp(c.line, "reload\n") == 0 ? "reload" :
		strcmp(c.line, "upgrade\n") == 0 ? "upgrade" : NULL;
	const char *why;

	if (code != 0)
		return code - 1;
	if (!find_socket(&c))
		return EXIT_REFUSED;
	why = ask(&c, c.line, c.line_len);
	if (why != NULL && why[0] != '\0')
		fprintf(stderr, "smscope: %s: %s\n", c.path, why);
	if (why != NULL)
		code = EXIT_REFUSED;
	else if (kind != NULL && c.answer_len > 0 && c.answer[0] >= '0' && c.answer[0] <= '9')
		code = await_change(&c, kind, strtoull(text_of(&c), NULL, 10));
	else
		code = print_answer(&c);
	free(c.answer);
	return code;
}
