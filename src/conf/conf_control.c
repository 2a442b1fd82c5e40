#include "conf/conf.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_source.h"
#include "smscope/err.h"

/* The value of `control` in the text, or the default. */
static int find(struct conf_source *src, const char *path, char *ret)
{
	const char *value = CONTROL_PATH;
	config_t config;
	int err = SM_OK;

	config_init(&config);
	if (config_read_string(&config, src->text != NULL ? src->text : "") != CONFIG_TRUE) {
		struct conf_line at = conf_source_line(src, config_error_line(&config));

		conf_error(src->faults, at.file, at.line, "%s", config_error_text(&config));
		err = SM_EFORMAT;
	} else {
		(void)config_lookup_string(&config, "control", &value);
		if (strlen(value) <= CONTROL_PATH_MAX) {
			memcpy(ret, value, strlen(value) + 1);
		} else {
			conf_error(src->faults, path, 0, "control is longer than %d octets",
				CONTROL_PATH_MAX);
			err = SM_EFORMAT;
		}
	}
	config_destroy(&config);
	return err;
}

int conf_control(const char *path, char *ret, struct conf_faults *faults)
{
	struct settings *files = calloc(1, sizeof(*files)); /* owns their names */
	struct conf_source src = { .owner = files, .faults = faults };
	int before = faults->errors, err = SM_EFORMAT;

	if (files == NULL)
		conf_error(faults, path, 0, "%s", strerror(ENOMEM));
	else if (conf_source_file(&src, path) == 0 && faults->errors == before)
		err = find(&src, path, ret);
	conf_source_fini(&src);
	settings_free(files);
	return err;
}
