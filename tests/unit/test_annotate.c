#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMSCOPE BUILD_DIR "/smscope"
#define DATA SOURCE_DIR "/tests/data/annotate"

/*
 * tests/data/annotate/NAME.log goes through the filter with the options of NAME.args, if there are
 * any, and must come out as NAME.out, which leaves out the words between « and »: the tables may
 * word a meaning better.
 */

enum { ROOM = 16 << 20 };

static char *in, *out, *want;

static size_t read_whole(const char *path, char *to)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(to, 1, ROOM - 1, f);
	fclose(f);
	to[n] = '\0';
	return n;
}

/* The filter on `n` octets of `in`; its output in `out`. */
static size_t run(const char *args, size_t n)
{
	char path[] = "/tmp/test-annotate-XXXXXX", command[512];
	int fd = mkstemp(path);
	size_t got;
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, in, n), n);
	close(fd);
	snprintf(command, sizeof(command), SMSCOPE " annotate %s <%s", args, path);
	f = popen(command, "r");
	assert_non_null(f);
	got = fread(out, 1, ROOM - 1, f);
	assert_int_equal(pclose(f), 0);
	unlink(path);
	out[got] = '\0';
	return got;
}

static size_t run_text(const char *args, const char *text)
{
	size_t n = strlen(text);

	memcpy(in, text, n);
	return run(args, n);
}

static bool line_has(const char *line, const char *octets)
{
	return memmem(line, strcspn(line, "\n"), octets, strlen(octets)) != NULL;
}

/* "状态" in GBK is valid UTF-8 of two-octet characters, too: then the log goes on as it was. */
static void two_encodings_at_once(void **state)
{
	const char *second, *third;

	(void)state;
	run_text("--lang zh", "\xcc\xe1\xbd\xbb\xca\xa7\xb0\xdc result=8\n"
		"\xd7\xb4\xcc\xac result=8\n\xe7\x8a\xb6\xe6\x80\x81 result=8\n");
	assert_true(line_has(out, "\xa1\xb6"));
	second = strchr(out, '\n') + 1;
	assert_true(line_has(second, "\xa1\xb6"));
	third = strchr(second, '\n') + 1;
	assert_true(line_has(third, "«"));
	run_text("--lang zh", "Jos\xc3\xa9 result=8\n");
	assert_true(line_has(out, "«"));
}

/* Take out what stands between two marks of two octets each. */
static size_t strip(char *p, size_t n, const char *open, const char *close)
{
	size_t kept = 0;

	for (size_t i = 0; i < n;) {
		char *end;

		p[kept++] = p[i++];
		if (kept < 2 || memcmp(p + kept - 2, open, 2) != 0)
			continue;
		end = memmem(p + i, n - i, close, 2);
		if (end != NULL)
			i = (size_t)(end - p);
	}
	return kept;
}

static void check(const char *name)
{
	char path[1024], args[256] = "";
	FILE *f;
	size_t n, m;

	snprintf(path, sizeof(path), DATA "/%s.args", name);
	f = fopen(path, "r");
	if (f != NULL) {
		assert_non_null(fgets(args, sizeof(args), f));
		args[strcspn(args, "\n")] = '\0';
		fclose(f);
	}
	snprintf(path, sizeof(path), DATA "/%s.log", name);
	n = run(args, read_whole(path, in));
	n = strip(out, n, "«", "»");
	n = strip(out, n, "\xa1\xb6", "\xa1\xb7");
	snprintf(path, sizeof(path), DATA "/%s.out", name);
	m = read_whole(path, want);
	for (size_t line = 1, i = 0; i < n || i < m; i++) {
		if (i >= n || i >= m || out[i] != want[i])
			fail_msg("%s.out:%zu: differs, at \"%.60s\"", name, line,
				 out + (i < n ? i : n));
		line += out[i] == '\n';
	}
}

static void golden_files(void **state)
{
	DIR *d = opendir(DATA);
	struct dirent *e;
	int count = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char *dot = strrchr(e->d_name, '.');

		if (dot == NULL || strcmp(dot, ".log") != 0)
			continue;
		*dot = '\0';
		check(e->d_name);
		count++;
	}
	closedir(d);
	assert_true(count >= 6);
}

static void words_of_the_meaning(void **state)
{
	(void)state;
	run_text("--lang en", "command_status 0x58\n");
	assert_non_null(
		strstr(out, "command_status 0x58  # command_status 0x58 submit_resp? «throttled"));
	run_text("--lang zh --profile infox", "ErrCode:97012\n");
	assert_non_null(strstr(out, "«协议不支持»"));
	assert_null(strstr(out, "\x1b["));
	run_text("--lang zh --profile infox --color always", "ErrCode:97012\n");
	assert_non_null(strstr(out, "\x1b["));
	run_text("--side smpp", "result=8\n");
	assert_non_null(strstr(out, "table=smpp34-status"));
	run_text("--profile infox --platform hpux", "ErrCode:10054\n");
	assert_null(strstr(out, "winsock"));
}

/* The octets of every line pass as they are, whatever they are; the line end stays where it was. */
static void octets_pass_unchanged(void **state)
{
	static const char ends[] = "a\0result=x\0\n\xff\xfe\r\n\n\r\n\xe7\x8a last";
	unsigned seed = 7;
	size_t n = sizeof(ends) - 1;

	(void)state;
	memcpy(in, ends, n);
	assert_int_equal(run("", n), n);
	assert_memory_equal(in, out, n);
	n = 3 << 20;
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245u + 12345u;
		in[i] = (char)(seed >> 16);
		/* no label without its separator */
		if (in[i] == ':' || in[i] == '=' || in[i] == '.' || in[i] == 'E' || in[i] == '0' ||
		    in[i] == '\xa3' || in[i] == '\xef')
			in[i] = '?';
	}
	assert_int_equal(run("", n), n);
	assert_memory_equal(in, out, n);
	run_text("--lang en", "stat:UNDELIV\r\nstat:DELIVRD");
	assert_memory_equal(out, "stat:UNDELIV  # stat", 20);
	assert_non_null(strstr(out, "smpp-receipt-stat\r\nstat:DELIVRD  # stat"));
	assert_int_equal(out[strlen(out) - 1], 't');
	assert_int_equal(run_text("", ""), 0);
}

/* Any octets around a code: what is appended comes off again, and the line is what it was. */
static void random_lines_keep_their_octets(void **state)
{
	static const char *const codes[] = {"ErrCode:97001", "stat:UNDELIV err:021",
					    "\xef\xbc\x9a",  "result=8",
					    "ESME_RSYSERR",  "isv.",
					    "\xa3\xba",      "command_status=",
					    " 0x00000058",   "E_"};
	unsigned seed = 99;
	size_t n = 0, at = 0;

	(void)state;
	while (n < 300000) {
		seed = seed * 1103515245u + 12345u;
		if ((seed >> 16) % 7 == 0) {
			const char *s = codes[(seed >> 20) % 10];

			memcpy(in + n, s, strlen(s));
			n += strlen(s);
		} else {
			in[n++] = (seed >> 16) % 5 == 0 ? (char)(seed >> 24)
							: " a:=\n.0E\r\xb5"[(seed >> 22) % 10];
		}
	}
	in[n++] = '\n';
	memcpy(want, out, run("--profile infox", n) + 1);
	for (size_t start = 0; start < n;) {
		size_t end = (size_t)((char *)memchr(in + start, '\n', n - start) - in), text = end;

		if (text > start && in[text - 1] == '\r')
			text--;
		assert_memory_equal(in + start, out + at, text - start);
		at += text - start;
		if (memcmp(out + at, "  # ", 4) == 0)
			at = (size_t)((char *)memchr(out + at, '\n', ROOM - at) - out) -
			     (end - text);
		assert_memory_equal(in + text, out + at, end - text + 1);
		at += end - text + 1;
		start = end + 1;
	}
}

/* A line longer than any buffer, with a code at each place where it could be cut. */
static void long_lines(void **state)
{
	static const char code[] = " result=8.5 Stat:UNDELIV ";
	size_t n = 5 << 20;

	(void)state;
	for (int shift = -40; shift < 40; shift += 3) {
		char *said;
		size_t got;

		memset(in, 'x', n);
		memcpy(in + (1 << 20) + shift, code, sizeof(code) - 1);
		memcpy(in + (2 << 20) - 256 + shift, code, sizeof(code) - 1);
		memcpy(in + (3 << 20) - 1024 + shift, code, sizeof(code) - 1);
		in[n - 1] = '\n';
		got = run("--lang en", n);
		assert_memory_equal(in, out, n - 1);
		said = out + n - 1;
		assert_memory_equal(said, "  # Stat:UNDELIV report", 23);
		assert_null(strstr(said, ";"));
		assert_int_equal(out[got - 1], '\n');
	}
	/* the context of a code is told by words near it, the encoding by all of the line */
	memset(in, 'x', n);
	memcpy(in, "\xb5\xc7\xc2\xbc", 4);
	memcpy(in + n - 20, " ErrCode:97001 ", 15);
	in[n - 1] = '\n';
	run("--profile infox", n);
	assert_non_null(strstr(out + n - 1, "\xa1\xb6"));
}

/* From a pipe that pauses, a line comes back before the next is written. */
static void line_in_line_out(void **state)
{
	int to[2], from[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execl(SMSCOPE, "smscope", "annotate", "--lang", "en", (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	for (int i = 0; i < 3; i++) {
		struct pollfd p = {from[0], POLLIN, 0};
		ssize_t n;

		assert_int_equal(write(to[1], "Stat:", 5), 5);
		assert_int_equal(poll(&p, 1, 20), 0); /* half a line says nothing yet */
		assert_int_equal(write(to[1], "UNDELIV\n", 8), 8);
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = read(from[0], out, ROOM - 1);
		assert_true(n > 20 && out[n - 1] == '\n');
		assert_memory_equal(out, "Stat:UNDELIV  # ", 16);
	}
	close(to[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(from[0]);
}

static void usage_and_files(void **state)
{
	(void)state;
	assert_int_equal(system(SMSCOPE " annotate --help >/dev/null"), 0);
	assert_int_equal(system(SMSCOPE " annotate --side x </dev/null 2>/dev/null") / 256, 2);
	assert_int_equal(system(SMSCOPE " annotate --lang x </dev/null 2>/dev/null") / 256, 2);
	assert_int_equal(system(SMSCOPE " annotate --profile x </dev/null 2>/dev/null") / 256, 2);
	assert_int_equal(system(SMSCOPE " annotate /nowhere 2>/dev/null") / 256, 1);
	assert_int_equal(
		system(SMSCOPE " annotate " DATA "/never.log >/dev/full 2>/dev/null") / 256, 1);
	assert_int_equal(system(SMSCOPE " annotate " DATA "/never.log - </dev/null >/dev/null"), 0);
}

static int set_up(void **state)
{
	(void)state;
	in = malloc(ROOM);
	out = malloc(ROOM);
	want = malloc(ROOM);
	if (access(SMSCOPE, X_OK) == 0 && in != NULL && out != NULL && want != NULL)
		return 0;
	fputs(SMSCOPE " is not built\n", stderr);
	return -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(in);
	free(out);
	free(want);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files),
		cmocka_unit_test(words_of_the_meaning),
		cmocka_unit_test(two_encodings_at_once),
		cmocka_unit_test(octets_pass_unchanged),
		cmocka_unit_test(random_lines_keep_their_octets),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(line_in_line_out),
		cmocka_unit_test(usage_and_files),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
