#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/codes_load.h"
#include "conf/conf_source.h"

enum { FILE_MAX = 4 << 20 };

/* Octets of the UTF-8 character at p, 0 if it is none; the text ends with NUL. */
static int utf8_len(const unsigned char *p)
{
	int n = *p < 0x80 ? 1 : *p >= 0xc2 && *p <= 0xdf ? 2 : *p >= 0xe0 && *p <= 0xef ? 3
		: *p >= 0xf0 && *p <= 0xf4 ? 4 : 0;

	for (int i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f)
		|| (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void scan_utf8(struct codes_loader *l, const char *text)
{
	int line = 1;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
		int n = utf8_len(p);

		if (n == 0) {
			conf_error(l->faults, l->file, line, "not UTF-8");
			return;
		}
		line += *p == '\n';
		p += n;
	}
}

/* The whole file, NUL-terminated; the caller frees. NULL with the reason reported. */
static char *file_text(struct codes_loader *l)
{
	int fd = open(l->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t size, have = 0;
	char *text = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		conf_error(l->faults, l->file, 0, "%s", err_text(-errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		conf_error(l->faults, l->file, 0, "not a regular file of at most %d MiB",
			FILE_MAX >> 20);
		goto out;
	}
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	while (text != NULL && have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n <= 0)
			break;
		have += (size_t)n;
	}
	if (text == NULL || have < size || memchr(text, '\0', size) != NULL) {
		conf_error(l->faults, l->file, 0, "%s", text == NULL ? "out of memory"
			: have < size ? "cannot be read to its end" : "holds a NUL octet");
		free(text);
		text = NULL;
		goto out;
	}
	text[size] = '\0';
out:
	if (fd >= 0)
		close(fd);
	return text;
}

/* libconfig says "syntax error" of most, mostly a line too late. */
static void parse_fault(struct codes_loader *l, const config_t *cfg)
{
	const char *what = config_error_text(cfg);

	if (strcmp(what, "duplicate setting name") == 0)
		conf_error(l->faults, l->file, config_error_line(cfg),
			"this name is already used in the group");
	else
		conf_error(l->faults, l->file, config_error_line(cfg),
			"%s here or just before: a missing ';' or ',', a ',' too many, or a file "
			"cut short",
			what);
}

int codes_file_read(struct codes_loader *l, config_t *cfg)
{
	struct conf_source src = { .faults = l->faults, .alone = true };
	int before = l->faults->errors;
	char *text = file_text(l);

	if (text != NULL) {
		scan_utf8(l, text);
		conf_scan(&src, l->file, text, strlen(text));
	}
	free(text);
	if (l->faults->errors == before &&
		config_read_string(cfg, src.text != NULL ? src.text : "") == CONFIG_FALSE)
		parse_fault(l, cfg);
	conf_source_fini(&src);
	return l->faults->errors == before ? 0 : SM_EFORMAT;
}
