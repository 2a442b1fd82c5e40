#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "conf/conf.h"

/*
 * The text of a file, as a configuration and as a code table. What loads, dumps to what loads to
 * the same; what does not, says why. Nothing but the input is read and no name is looked up: the
 * linker leads open() and getaddrinfo() here. An @include of "self" is the input itself.
 */

static char folder[] = "/tmp/smscope-fuzz-XXXXXX", file[64];
static struct span text;

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);
int __real_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);

static int memory_file(struct span s)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, s.p, s.n) == (ssize_t)s.n);
	return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "self") == 0)
		return memory_file(text);
	if (strcmp(path, file) == 0)
		return __real_open(path, flags);
	errno = ENOENT;
	return -1;
}

int __wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST;
	return __real_getaddrinfo(host, port, &numeric, ret);
}

static void remove_folder(void)
{
	(void)unlink(file);
	(void)rmdir(folder);
}

static void make_folder(void)
{
	CHECK(mkdtemp(folder) != NULL);
	CHECK(atexit(remove_folder) == 0);
	snprintf(file, sizeof(file), "%s/a.conf", folder);
}

static void write_file(struct span s)
{
	int fd = __real_open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, s.p, s.n) == (ssize_t)s.n);
	CHECK(close(fd) == 0);
}

/* What is wrong is said, line by line, and only then. */
struct said {
	struct conf_faults faults;
	char *words;
	size_t len;
};

static void listen_for(struct said *s)
{
	memset(s, 0, sizeof(*s));
	s->faults.to = open_memstream(&s->words, &s->len);
	CHECK(s->faults.to != NULL);
}

static void check_said(struct said *s, bool loaded)
{
	CHECK(fclose(s->faults.to) == 0);
	CHECK(loaded == (s->faults.errors == 0));
	CHECK((memmem(s->words, s->len, ": error: ", 9) != NULL) == (s->faults.errors > 0));
	CHECK((memmem(s->words, s->len, ": warning: ", 11) != NULL) == (s->faults.warnings > 0) ||
		s->faults.errors > 0);
	free(s->words);
}

static struct settings *load(struct span s)
{
	int fd = memory_file(s);
	struct settings *settings;
	struct said said;

	listen_for(&said);
	settings = conf_load_fd(fd, &said.faults);
	check_said(&said, settings != NULL);
	CHECK(close(fd) == 0);
	return settings;
}

/* The effective configuration without the comments that say where each value came from. */
static char *dump(const struct settings *s, size_t *ret_len)
{
	char *words = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&words, &len);

	CHECK(to != NULL && conf_dump(s, to) == 0 && fclose(to) == 0);
	*ret_len = len;
	return words;
}

static size_t without_origins(char *p, size_t n)
{
	size_t to = 0;

	for (size_t at = 0; at < n; at++) {
		char *origin =
			p[at] == ';' ? memmem(p + at, n - at < 5 ? n - at : 5, "; // ", 5) : NULL;

		if (origin == NULL) {
			p[to++] = p[at];
			continue;
		}
		while (at < n && p[at] != '\n')
			at++;
		p[to++] = '\n';
	}
	return to;
}

static void check_settings(void)
{
	struct settings *first = load(text), *second;
	size_t a_len, b_len;
	char *a, *b;

	if (first == NULL)
		return;
	CHECK(first->link_count > 0 && first->workers > 0);
	a = dump(first, &a_len);
	second = load(span_of(a, a_len));
	CHECK(second != NULL);
	b = dump(second, &b_len);
	a_len = without_origins(a, a_len);
	b_len = without_origins(b, b_len);
	CHECK(a_len == b_len && memcmp(a, b, a_len) == 0);
	free(a);
	free(b);
	settings_free(first);
	settings_free(second);
}

/* Every row that stands for one value is found by it, in whatever way its profile asks. */
static void ask_all(const struct code_set *set, const struct code_profile *profile)
{
	const struct code_profile *profiles[] = { profile, NULL };
	struct code_answer answers[CODE_ANSWERS_MAX];

	for (int t = 0; t < codes_table_count(set); t++) {
		const struct code_table *table = codes_table_at(set, t);

		CHECK(codes_table(set, table->name) == table && table->source != NULL);
		for (int i = 0; i < table->row_count; i++) {
			const struct code_row *row = &table->rows[i];
			struct code_query q = { .profiles = profiles,
				.context = (enum code_context)(i % CTX_COUNT),
				.side = CODE_ANY,
				.is_text = row->text != NULL,
				.number = row->lo };
			int n;

			if (q.is_text)
				q.text = span_of(row->text, strlen(row->text));
			n = codes_lookup(set, &q, answers, CODE_ANSWERS_MAX);
			CHECK(n >= 0 && n <= CODE_ANSWERS_MAX);
			for (int k = 0; k < n; k++)
				CHECK(answers[k].row != NULL &&
					answers[k].nested_count <= CODE_NESTED_MAX);
		}
	}
}

static void check_codes(void)
{
	struct code_set *set;
	struct said said;

	write_file(text);
	listen_for(&said);
	set = codes_load(folder, NULL, &said.faults);
	check_said(&said, set != NULL);
	if (set == NULL)
		return;
	CHECK(codes_table_count(set) > 0);
	ask_all(set, NULL);
	for (int i = 0; i < codes_profile_count(set); i++)
		ask_all(set, codes_profile_at(set, i));
	codes_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (file[0] == '\0')
		make_folder();
	text = span_of(data, size);
	check_settings();
	check_codes();
	return 0;
}
