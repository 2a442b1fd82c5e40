#include "daemon/prove.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/shm.h"
#include "daemon/certificates.h"
#include "daemon/sinks.h"

/*
 * What is listened on, by number: settings that were read once are read again by keepers and engines to come, which
 * must not wait for name servers.
 */
static int pin_listeners(struct settings *s)
{
	for (int i = 0; i < s->link_count; i++)
		for (int j = 0; j < s->links[i].listen_count; j++) {
			struct endpoint *e = &s->links[i].listen[j];
			char text[SHM_ADDR_TEXT], *copy;

			if (e->addr_len == 0 || e->text[0] == '[' || e->text[strspn(e->text, "0123456789.:")] == '\0')
				continue; /* no name */
			address_text(&e->addr, e->addr_len, text, sizeof(text));
			copy = strdup(text);
			if (copy == NULL)
				return -ENOMEM;
			free(e->text);
			e->text = copy;
		}
	return 0;
}

struct settings *prove_load(const struct options *o)
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
	if (o->action != ACTION_RUN || pin_listeners(s) == 0)
		return s;
	settings_free(s);
	return NULL;
}

struct code_set *prove_tables(const struct settings *s)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *codes = codes_load(codes_dir(s->codes_dir), s->codes_site_dir, &faults);

	if (codes != NULL && conf_check_profiles(s, codes, &faults) == 0)
		return codes;
	codes_free(codes);
	return NULL;
}

int prove(const struct settings *s)
{
	struct code_set *codes = prove_tables(s);
	/* Both are looked at, so that all faults are named at once. */
	int fit = certificates_check_apart(s);

	if (codes == NULL)
		fit = -1;
	codes_free(codes);
	return fit < 0 ? EXIT_FAULT : EXIT_OK;
}

/* Its warnings were told when it was read from the files, with their names and lines. */
static struct settings *read_again(int fd)
{
	struct conf_faults faults = { .to = stderr, .errors_only = true, .look_up = LOOK_UP_NONE };

	return conf_load_fd(fd, &faults);
}

static void ignore(void *arg, const char *line)
{
	(void)arg;
	(void)line;
}

int prove_config(const struct options *o, const struct settings *now, int fd)
{
	struct settings *s = prove_load(o);
	FILE *to = fdopen(dup(fd), "w");

	if (s == NULL || to == NULL || conf_dump(s, to) < 0 || fclose(to) != 0)
		return EXIT_FAULT;
	if (conf_diff(now, s, ignore, NULL) > 0) {
		struct conf_faults faults = { .to = stderr };

		sinks_check(s, &faults);
		if (prove(s) != EXIT_OK)
			return EXIT_FAULT;
	}
	settings_free(s);
	s = read_again(fd);
	settings_free(s);
	return s != NULL ? EXIT_OK : EXIT_FAULT;
}

int prove_settings(const char *layout)
{
	struct settings *s;
	int code;

	if (strtol(layout, NULL, 10) != SHM_LAYOUT) {
		fputs("this program has another layout of the shared memory: it needs a restart\n", stderr);
		return EXIT_FAULT;
	}
	s = read_again(PROVE_FD);
	code = s != NULL ? prove(s) : EXIT_FAULT;

	settings_free(s);
	return code;
}
