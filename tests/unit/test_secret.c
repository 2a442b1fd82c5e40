/* Files with secrets: what is taken, what is refused with which words, and that nothing of it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/conf_secret.h"

static char dir[] = BUILD_DIR "/secret-XXXXXX";
static char path[256], other[256];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(dir);
}

static void write_key(const char *text, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_refusal(const char *name, const char *words)
{
	struct secret s = { NULL, 0 };
	const char *why = NULL;

	assert_true(secret_file(name, &s, &why) < 0);
	assert_non_null(why);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", why, words);
	assert_null(s.p);
}

static void test_taken(void **state)
{
	static const mode_t modes[] = { 0400, 0600, 0440, 0640 };
	struct secret s;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		write_key("open\0sesame", 11, modes[i]);
		assert_int_equal(secret_file(path, &s, &why), 0);
		assert_int_equal(s.n, 11);
		assert_memory_equal(s.p, "open\0sesame", 12);
		secret_wipe(&s);
		assert_null(s.p);
		assert_int_equal(s.n, 0);
	}
	secret_wipe(&s);
}

static void test_refused(void **state)
{
	static char long_text[SECRET_MAX + 1];

	(void)state;
	write_key("x", 1, 0644);
	expect_refusal(path, "readable for everybody");
	write_key("x", 1, 0660);
	expect_refusal(path, "open to others");
	write_key("x", 1, 0602);
	expect_refusal(path, "open to others");
	write_key("", 0, 0600);
	expect_refusal(path, "empty");
	write_key(long_text, sizeof(long_text), 0600);
	expect_refusal(path, "too long");
	write_key("x", 1, 0600);
	assert_int_equal(symlink(path, other), 0);
	expect_refusal(other, "symbolic link");
	unlink(other);
	expect_refusal(other, "No such file");
	assert_int_equal(mkfifo(other, 0600), 0);
	expect_refusal(other, "not a plain file");
	unlink(other);
	expect_refusal(dir, "not a plain file");
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		expect_refusal(path, "another user");
	}
}

static void test_credentials(void **state)
{
	struct secret s;
	const char *why;

	(void)state;
	unlink(path);
	write_key("credential", 10, 0400);
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_refusal("key", "CREDENTIALS_DIRECTORY");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(secret_file("key", &s, &why), 0);
	assert_string_equal(s.p, "credential");
	secret_wipe(&s);
	expect_refusal("..", "no name");
	expect_refusal("", "no name");
	unsetenv("CREDENTIALS_DIRECTORY");
}

/* In a configuration the fault has file and line, and shows the name but nothing of the file. */
static void test_fault(void **state)
{
	static const struct conf_key k = { .name = "tls_key" };
	char *text = NULL;
	size_t n = 0;
	struct conf_faults faults = { .to = open_memstream(&text, &n) };
	struct conf_at at = { &faults, "x.conf", 7 };
	struct secret s = { NULL, 0 };

	(void)state;
	unlink(path);
	write_key("CANARY", 6, 0604);
	assert_int_equal(conf_secret_file(&k, path, &s, &at), SM_EVALUE);
	fclose(faults.to);
	assert_int_equal(faults.errors, 1);
	assert_non_null(strstr(text, "x.conf:7: error: tls_key = \""));
	assert_non_null(strstr(text, "readable for everybody"));
	assert_null(strstr(text, "CANARY"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_fault),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
