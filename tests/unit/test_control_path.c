#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/control_path.h"
#include "conf/conf.h"

/* The control socket's file: made, left behind, taken, not ours; and the key that names it. */

static char dir[64], path[96];

static bool answers(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool yes;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	yes = connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return yes;
}

static void made_and_removed(void **state)
{
	struct control_path c;
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(control_path_open(path, &c), 0);
	assert_int_equal(umask(022), 0); /* as it was */
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_uid, geteuid());
	assert_true((fcntl(c.fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true(answers());
	control_path_close(path, &c);
	assert_int_equal(access(path, F_OK), -1);
}

static void left_behind(void **state)
{
	struct control_path first, second;

	(void)state;
	assert_int_equal(control_path_open(path, &first), 0);
	close(first.fd); /* as a death does */
	assert_int_equal(access(path, F_OK), 0);
	assert_false(answers());
	assert_int_equal(control_path_open(path, &second), 0);
	assert_true(answers());
	control_path_close(path, &second);
}

static void taken(void **state)
{
	struct control_path first, second = { .fd = -7 };

	(void)state;
	assert_int_equal(control_path_open(path, &first), 0);
	assert_int_equal(control_path_open(path, &second), -EADDRINUSE);
	assert_int_equal(second.fd, -7);
	for (int i = 0; i < 40; i++) /* its queue is full: it is taken all the same */
		(void)answers();
	assert_int_equal(control_path_open(path, &second), -EADDRINUSE);
	control_path_close(path, &first);
	assert_int_equal(access(path, F_OK), -1);
}

static void not_ours(void **state)
{
	struct control_path c, other;
	char long_path[160];
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(control_path_open(path, &c), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	assert_int_equal(control_path_open(path, &c), -EEXIST);
	unlink(path);

	/* Somebody removed ours and put another one there. */
	assert_int_equal(control_path_open(path, &c), 0);
	unlink(path);
	assert_int_equal(control_path_open(path, &other), 0);
	control_path_close(path, &c);
	assert_true(answers());
	control_path_close(path, &other);

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	long_path[0] = '/';
	assert_int_equal(control_path_open(long_path, &c), -ENAMETOOLONG);
	assert_int_equal(control_path_open("/nonexistent/x", &c), -ENOENT);
	assert_true(CONTROL_PATH_MAX + 1 <= (int)sizeof(((struct sockaddr_un *)0)->sun_path));
}

/* Who opens at the same time has to wait, and is not kept for ever. */
static void locked(void **state)
{
	struct control_path c;
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(control_path_open(path, &c), -EWOULDBLOCK);
	assert_int_equal(access(path, F_OK), -1);
	close(fd);
	assert_int_equal(control_path_open(path, &c), 0);
	control_path_close(path, &c);
}

static void put(const char *name, const char *text)
{
	char at[128];
	FILE *f;

	snprintf(at, sizeof(at), "%s/%s", dir, name);
	f = fopen(at, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Only that key is read: no name is resolved, nothing else is checked. */
static void key(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "", CONTROL_PATH },
		{ "control = \"/x/y\";", "/x/y" },
		{ "control = \"\";", "" },
		{ "links = ( { nonsense = 3; } );\ncontrol = \"/a\";", "/a" },
		{ "@include \"more\"\n", "/more" },
		{ "control = 3;", CONTROL_PATH },
		{ "control = \"", NULL },
		{ "control = \"/1234567890123456789012345678901234567890123456789012345678901234567890"
		  "12345678901234567890123456789012345678\";", NULL },
	};
	char at[96], got[CONTROL_PATH_MAX + 1];

	(void)state;
	snprintf(at, sizeof(at), "%s/conf", dir);
	put("more", "control = \"/more\";\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_faults faults = { .to = NULL };

		put("conf", rows[i].text);
		assert_int_equal(conf_control(at, got, &faults), rows[i].want != NULL ? 0 : SM_EFORMAT);
		assert_int_equal(faults.errors > 0, rows[i].want == NULL);
		if (rows[i].want != NULL)
			assert_string_equal(got, rows[i].want);
	}
	assert_int_equal(conf_control("/nonexistent/x", got, &(struct conf_faults){ .to = NULL }),
		SM_EFORMAT);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/smscope-control-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(made_and_removed),
		TEST(left_behind),
		TEST(taken),
		TEST(not_ours),
		TEST(locked),
		TEST(key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
