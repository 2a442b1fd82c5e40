#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libconfig.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/certificates.h"
#include "daemon/engine.h"
#include "daemon/keeper.h"
#include "daemon/options.h"
#include "daemon/tables.h"

#ifndef SMSCOPE_COMMIT
#define SMSCOPE_COMMIT ""
#endif

/* No descriptor of ours may get the number of a standard stream that the caller left closed. */
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

/* Settings from the file or from the command line; faults were printed. */
static struct settings *load(const struct options *o)
{
	/* While it runs, names of gateways are the engine's affair; here they would delay the start. */
	struct conf_faults faults = { .to = stderr,
		.look_up = o->action == ACTION_CHECK ? LOOK_UP_ALL : LOOK_UP_LISTEN };
	struct settings *s;

	s = o->quick ? conf_quick(&o->link, &faults) : conf_load(o->config, &faults);
	if (s == NULL)
		return NULL;
	for (int i = 0; o->color_given && i < s->sink_count; i++)
		s->sinks[i].color = o->color;
	return s;
}

/* The code tables, and in them every profile that a link names; faults were printed. */
static struct code_set *load_tables(const struct settings *s)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *codes = codes_load(codes_dir(s->codes_dir), s->codes_site_dir, &faults);

	if (codes != NULL && conf_check_profiles(s, codes, &faults) == 0)
		return codes;
	codes_free(codes);
	return NULL;
}

static int dump(const struct settings *s)
{
	int err = conf_dump(s, stdout);

	if (err < 0)
		fprintf(stderr, "smscoped: cannot print the configuration: %s\n", err_text(err));
	return err < 0 ? EXIT_FAULT : EXIT_OK;
}

/* The rest of every action that needs settings. */
static int act(const struct settings *s, const struct options *o)
{
	struct conf_faults faults = { .to = stderr };
	char certificates[96] = "";
	struct code_set *codes;
	int fit;

	if (o->action == ACTION_DUMP)
		return dump(s);
	codes = load_tables(s);
	/* Both are looked at, so that all faults are named at once. */
	fit = o->action == ACTION_CHECK ?
		certificates_check(s, &faults, certificates, sizeof(certificates)) :
		certificates_check_apart(s);
	if (codes == NULL || fit < 0) {
		codes_free(codes);
		return EXIT_FAULT;
	}
	if (o->action == ACTION_CHECK)
		conf_summary(s, codes, certificates, stdout);
	codes_free(codes); /* the engine loads its own: the keeper stays small */
	return o->action == ACTION_CHECK ? EXIT_OK : keeper_run(s, o);
}

static int run(const struct options *o)
{
	struct settings *s;
	int code;

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
		return engine_main(o->least);
	case ACTION_TABLES:
		return tables_check(o->tables, o->tables_site);
	default:
		break;
	}
	s = load(o);
	if (s == NULL && o->quick) {
		fputs("smscoped: bad option value; try --help\n", stderr);
		return EXIT_USAGE;
	}
	if (s == NULL)
		return EXIT_FAULT;
	code = act(s, o);
	settings_free(s);
	return code;
}

int main(int argc, char **argv)
{
	struct options o;
	int code;

	if (hold_standard_streams() < 0)
		return EXIT_FAULT;
	if (options_parse(argc, argv, &o, stderr) < 0)
		return EXIT_USAGE;
	raise_descriptor_limit();
	code = run(&o);
	/* Output that found no room is no success. */
	if (fflush(stdout) != 0 && code == EXIT_OK)
		code = EXIT_FAULT;
	return code;
}
