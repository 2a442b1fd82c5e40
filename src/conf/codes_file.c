#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/codes_load.h"

enum { FILE_MAX = 16 << 20 };

/* Walks the raw text beside libconfig, which does not tell what it wrapped or swallowed. */
struct scan {
	struct codes_loader *l;
	const char *p;
	int line;
	bool bad;
};

static void scan_fault(struct scan *s, int line, const char *what)
{
	conf_error(s->l->faults, s->l->file, line, "%s", what);
	s->bad = true;
}

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

static void scan_utf8(struct scan *s, const char *text)
{
	int line = 1;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
		int n = utf8_len(p);

		if (n == 0) {
			scan_fault(s, line, "not UTF-8");
			return;
		}
		line += *p == '\n';
		p += n;
	}
}

static void scan_string(struct scan *s)
{
	int line = s->line;

	for (s->p++; *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p[1] != '\0')
			s->p++;
		if (*s->p == '\0') {
			scan_fault(s, line, "the string that begins here is never closed");
			return;
		}
		s->line += *s->p == '\n';
	}
	s->p++;
}

static void scan_comment(struct scan *s)
{
	int line = s->line;

	for (s->p += 2; s->p[0] != '*' || s->p[1] != '/'; s->p++) {
		if (*s->p == '\0') {
			scan_fault(s, line, "the comment that begins here is never closed");
			return;
		}
		s->line += *s->p == '\n';
	}
	s->p += 2;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
		|| c == '_' || c == '*' || c == '-';
}

static void scan_number(struct scan *s, bool minus)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s->p, &end, s->p[0] == '0' && (s->p[1] | 0x20) == 'x' ? 16 : 10);
	if (errno == ERANGE || v > INT64_MAX)
		scan_fault(s, s->line, "this number does not fit 64 bits");
	else if (*end != 'L' && v > (unsigned long long)INT32_MAX + minus)
		scan_fault(s, s->line, "numbers of 2^31 and above are written with an L");
	s->p = end;
	while (*s->p == 'L')
		s->p++;
}

static void scan_text(struct scan *s)
{
	char before = '\0';

	while (*s->p != '\0') {
		char c = *s->p;

		if (c == '"') {
			scan_string(s);
		} else if (c == '/' && s->p[1] == '*') {
			scan_comment(s);
		} else if (c == '#' || (c == '/' && s->p[1] == '/')) {
			s->p += strcspn(s->p, "\n");
		} else if (c >= '0' && c <= '9') {
			scan_number(s, before == '-');
		} else if (c == '@') {
			scan_fault(s, s->line, "code tables include no other files");
			s->p++;
		} else if (is_word(c) && c != '-') {
			while (is_word(*s->p))
				s->p++;
		} else {
			s->line += c == '\n';
			s->p++;
		}
		before = c;
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

int codes_file_read(struct codes_loader *l, config_t *cfg)
{
	char *text = file_text(l);
	struct scan s = { l, text, 1, false };
	int ret = SM_EFORMAT;

	if (text == NULL)
		return ret;
	scan_utf8(&s, text);
	scan_text(&s);
	if (!s.bad && config_read_string(cfg, text) == CONFIG_FALSE)
		conf_error(l->faults, l->file, config_error_line(cfg),
			"%s here or just before: a missing ';' or ',', a ',' too many, or a file "
			"cut short",
			config_error_text(cfg));
	else if (!s.bad)
		ret = 0;
	free(text);
	return ret;
}
