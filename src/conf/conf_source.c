#include "conf/conf_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 8 * 1024 * 1024, GROW = 64 * 1024 };

static int short_of_memory(struct conf_source *s)
{
	if (!s->hopeless)
		conf_error(s->faults, "configuration", 0, "%s", strerror(ENOMEM));
	s->hopeless = true;
	return SM_EFORMAT;
}

int conf_source_put(struct conf_source *s, const char *p, size_t n)
{
	if (n >= TEXT_MAX - s->len) {
		if (!s->hopeless)
			conf_error(s->faults, s->lines[s->line_count - 1].file, 0,
				"more than %d octets of configuration", TEXT_MAX);
		s->hopeless = true;
		return SM_EFORMAT;
	}
	if (s->len + n + 1 > s->cap) {
		size_t cap = s->len + n + 1 + s->cap / 2 + GROW;
		char *text = realloc(s->text, cap);

		if (text == NULL)
			return short_of_memory(s);
		s->text = text;
		s->cap = cap;
	}
	memcpy(s->text + s->len, p, n);
	s->len += n;
	s->text[s->len] = '\0';
	return 0;
}

int conf_source_begin_line(struct conf_source *s, const char *file, int line)
{
	if (s->line_count == s->line_cap) {
		int cap = s->line_cap * 2 + 256;
		struct conf_line *lines = realloc(s->lines, (size_t)cap * sizeof(*lines));

		if (lines == NULL)
			return short_of_memory(s);
		s->lines = lines;
		s->line_cap = cap;
	}
	s->lines[s->line_count++] = (struct conf_line){ file, line, s->len };
	return 0;
}

struct conf_line conf_source_line(const struct conf_source *s, int line)
{
	if (s->line_count == 0)
		return (struct conf_line){ "configuration", 0, 0 };
	if (line > s->line_count)
		line = s->line_count;
	return s->lines[line > 0 ? line - 1 : 0];
}

bool conf_source_reported(const struct conf_source *s, int line, const char *name)
{
	for (int i = 0; i < s->bad_count; i++)
		if (s->bad[i].line == line && strcmp(s->bad[i].name, name) == 0)
			return true;
	return false;
}

/* All of `fd`; from its start where it can be told so, for a descriptor that others share. */
static char *read_all(int fd, size_t *ret_len)
{
	bool seekable = lseek(fd, 0, SEEK_CUR) >= 0;
	size_t len = 0, cap = 0;
	char *text = NULL;

	for (;;) {
		ssize_t n;

		if (len + 1 >= cap) {
			char *more = realloc(text, cap += cap + GROW);

			if (more == NULL)
				goto out;
			text = more;
		}
		n = seekable ? pread(fd, text + len, cap - len - 1, (off_t)len) :
			read(fd, text + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto out;
		len += (size_t)n;
		if (n > 0 && len > TEXT_MAX)
			errno = EFBIG;
		if (n > 0 && len > TEXT_MAX)
			goto out;
		if (n == 0)
			break;
	}
	text[len] = '\0';
	*ret_len = len;
	return text;
out:
	free(text);
	return NULL;
}

char *conf_source_slurp(struct conf_source *s, const char *path, const char *from, int from_line,
	size_t *ret_len)
{
	/* O_NONBLOCK: a FIFO without a writer would hold us up for ever; regular files do not care.
	 */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *text = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : 0;
		if (errno == 0)
			text = read_all(fd, ret_len);
	}
	if (text == NULL && from != NULL)
		conf_error(
			s->faults, from, from_line, "cannot include %s: %s", path, strerror(errno));
	else if (text == NULL)
		conf_error(s->faults, path, 0, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return text;
}

static int scan_all(struct conf_source *s, const char *name, const char *text, size_t len)
{
	const char *file = settings_file(s->owner, name);

	if (file == NULL)
		return short_of_memory(s);
	conf_scan(s, file, text, len);
	return s->hopeless ? SM_EFORMAT : 0;
}

int conf_source_file(struct conf_source *s, const char *path)
{
	size_t len = 0;
	char *text = conf_source_slurp(s, path, NULL, 0, &len);
	int ret = text != NULL ? scan_all(s, path, text, len) : SM_EFORMAT;

	free(text);
	return ret;
}

int conf_source_fd(struct conf_source *s, int fd, const char *name)
{
	size_t len = 0;
	char *text = read_all(fd, &len);
	int ret = SM_EFORMAT;

	if (text != NULL)
		ret = scan_all(s, name, text, len);
	else
		conf_error(s->faults, name, 0, "%s", strerror(errno));
	free(text);
	return ret;
}

void conf_source_fini(struct conf_source *s)
{
	free(s->text);
	free(s->lines);
	s->text = NULL;
	s->lines = NULL;
}
