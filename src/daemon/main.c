#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libconfig.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/activation.h"
#include "conf/conf.h"
#include "daemon/certificates.h"
#include "daemon/engine.h"
#include "daemon/keeper.h"
#include "daemon/options.h"
#include "daemon/prove.h"
#include "daemon/sinks.h"
#include "daemon/tables.h"

#ifndef SMSCOPE_COMMIT
#define SMSCOPE_COMMIT ""
#endif

/*
 * No descriptor of ours may get the number of a standard stream that the caller left closed. What the
 * caller passed behind them is open, and so stays what it is.
 */
static int hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warn("descriptor limit stays: %s", strerror(errno));
}

static void print_version(void)
{
	printf("smscoped %s%s\n", SMSCOPE_VERSION, SMSCOPE_COMMIT);
	printf("libevent %s\n", event_get_version());
	printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
	printf("libconfig %d.%d.%d\n", LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR,
		LIBCONFIG_VER_REVISION);
}

static int dump(const struct settings *s)
{
	int err = conf_dump(s, stdout);

	if (err < 0)
		fprintf(stderr, "smscoped: cannot print the configuration: %s\n", err_text(err));
	return err < 0 ? EXIT_FAULT : EXIT_OK;
}

static int check(const struct settings *s)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *codes = prove_tables(s);
	char certificates[96] = "";
	/* Both are looked at, so that all faults are named at once. */
	int fit = certificates_check(s, &faults, certificates, sizeof(certificates));

	sinks_check(s, &faults);
	if (codes == NULL || fit < 0) {
		codes_free(codes);
		return EXIT_FAULT;
	}
	conf_summary(s, codes, certificates, stdout);
	codes_free(codes);
	return EXIT_OK;
}

/* The rest of every action that needs settings, which it frees. */
static int act(struct settings *s, const struct options *o)
{
	int code;

	if (o->action == ACTION_RUN) {
		code = prove(s); /* the engine loads its own: the keeper stays small */
		if (code == EXIT_OK)
			return keeper_run(s, o);
	} else {
		code = o->action == ACTION_DUMP ? dump(s) : check(s);
	}
	settings_free(s);
	return code;
}

static int run(const struct options *o)
{
	struct settings *s;

	switch (o->action) {
	case ACTION_HELP:
		options_help(stdout);
		return EXIT_OK;
	case ACTION_VERSION:
		print_version();
		return EXIT_OK;
	case ACTION_LIST_KEYS:
		conf_list_keys(stdout);
		return EXIT_OK;
	case ACTION_ENGINE:
		return engine_main(o->least, o->blind);
	case ACTION_PROVE:
		return prove_settings(o->layout);
	case ACTION_TABLES:
		return tables_check(o->tables, o->tables_site);
	default:
		break;
	}
	if (o->moved >= 0)
		return keeper_go_on(o);
	s = prove_load(o);
	if (s == NULL && o->quick) {
		fputs("smscoped: bad option value; try --help\n", stderr);
		return EXIT_USAGE;
	}
	if (s == NULL)
		return EXIT_FAULT;
	return act(s, o);
}

int main(int argc, char **argv)
{
	struct options o;
	int code, passed;

	if (hold_standard_streams() < 0)
		return EXIT_FAULT;
	passed = activation_take();
	if (options_parse(argc, argv, &o, stderr) < 0)
		return EXIT_USAGE;
	o.passed = passed;
	raise_descriptor_limit();
	code = run(&o);
	/* Output that found no room is no success. */
	if (fflush(stdout) != 0 && code == EXIT_OK)
		code = EXIT_FAULT;
	return code;
}
