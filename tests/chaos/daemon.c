#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos.h"

/* The daemon under test, in a folder of its own. */

enum { START_MS = 60000, END_MS = 60000, PATH = 512, CHILDREN_MAX = 64 };

static char dir[PATH], log_path[PATH + 16], err_path[PATH + 16], conf_path[PATH + 16];
static pid_t keeper;

/* What PDUs of pdus.c these change, and into what, is written there, too. */
static const char rules[] =
	"rules = ( { name = \"states\"; action = \"map_stat\"; map = \"states\"; pdu = \"report\"; },\n"
	"    { name = \"flow\"; action = \"map_status\"; pdu = \"submit_resp\"; code = \"57\"; to = \"0x58\"; } );";

const char *daemon_log(void)
{
	return log_path;
}

static void write_conf(const int gateway_ports[2], const int ports[2])
{
	static const char *const names[] = { "cmpp", "smpp" };
	FILE *f = fopen(conf_path, "w");

	if (f == NULL)
		give_up("%s: %s", conf_path, strerror(errno));
	fprintf(f, "control = \"%s/control.sock\";\n", dir);
	fprintf(f, "daemon = { workers = %d; drain_timeout = \"5s\";", opt.workers);
	if (opt.ring != NULL)
		fprintf(f, " ring_size = \"%s\";", opt.ring);
	fprintf(f, " };\nlogs = ( { type = \"file\"; path = \"%s\"; format = \"json\"; } );\nlinks = (\n", log_path);
	for (int i = 0; i < 2; i++)
		fprintf(f,
			"  { name = \"%s\"; protocol = \"%s\"; listen = \"127.0.0.1:%d\"; upstream = \"127.0.0.1:%d\";\n"
			"    profile = \"infox\"; pending = %d; %s }%s\n",
			names[i], names[i], ports[i], gateway_ports[i], opt.window < 128 ? 256 : 2 * opt.window,
			opt.rewrite ? rules : "", i == 0 ? "," : "");
	fprintf(f, ");\n");
	if (fclose(f) != 0)
		give_up("%s: %s", conf_path, strerror(errno));
}

static void run_daemon(pid_t parent)
{
	static const struct rlimit no_core = { 0, 0 };
	char program[PATH];
	int err = open(err_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	snprintf(program, sizeof(program), "%s/smscoped", opt.build);
	/* Without its rig a daemon would run for ever. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || err < 0 || dup2(err, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	setrlimit(RLIMIT_CORE, &no_core);
	/* Deaths by SEGV and ABRT are ours, and no finding. */
	setenv("ASAN_OPTIONS", "detect_leaks=1:exitcode=97:handle_segv=0:handle_abort=0:allow_user_segv_handler=1", 1);
	setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
	execl(program, program, "-c", conf_path, (char *)NULL);
	_exit(127);
}

static bool err_says(const char *words, char *line, size_t cap)
{
	FILE *f = fopen(err_path, "r");
	bool found = false;

	while (f != NULL && !found && fgets(line, (int)cap, f) != NULL)
		found = strstr(line, words) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

static bool await_words(const char *words, int wait_ms)
{
	char line[1024];

	for (uint64_t until = now_us() + (uint64_t)wait_ms * 1000; now_us() < until; pause_ms(10)) {
		if (err_says(words, line, sizeof(line)))
			return true;
		if (!daemon_alive())
			return false;
	}
	return false;
}

static void show_err(void)
{
	FILE *f = fopen(err_path, "r");
	char line[1024];
	int lines = 0;

	while (f != NULL && lines++ < 40 && fgets(line, sizeof(line), f) != NULL)
		fputs(line, stderr);
	if (f != NULL)
		fclose(f);
}

void daemon_begin(const int gateway_ports[2], int ret_ports[2])
{
	const char *tmp = getenv("TMPDIR");
	pid_t parent = getpid();

	snprintf(dir, sizeof(dir), "%s/smscope-chaos-XXXXXX", tmp != NULL && strlen(tmp) < 200 ? tmp : P_tmpdir);
	if (mkdtemp(dir) == NULL)
		give_up("%s: %s", dir, strerror(errno));
	snprintf(log_path, sizeof(log_path), "%s/log.json", dir);
	snprintf(err_path, sizeof(err_path), "%s/stderr", dir);
	snprintf(conf_path, sizeof(conf_path), "%s/smscope.conf", dir);
	for (int i = 0; i < 2; i++)
		ret_ports[i] = port_new();
	write_conf(gateway_ports, ret_ports);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what the daemon leaves behind comes to us */
	keeper = fork();
	if (keeper == 0)
		run_daemon(parent);
	if (keeper < 0 || !await_words("engine ready", START_MS)) {
		show_err();
		give_up("smscoped does not start; its folder is %s", dir);
	}
}

bool daemon_alive(void)
{
	int status;

	if (keeper <= 0 || waitpid(keeper, &status, WNOHANG) == 0)
		return keeper > 0;
	if (WIFSIGNALED(status))
		fault("the keeper died of signal %d (%s)", WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	else
		fault("the keeper ended with exit code %d", WEXITSTATUS(status));
	keeper = 0;
	return false;
}

void daemon_signal(int number)
{
	if (keeper > 0)
		kill(keeper, number);
}

static bool zombie(pid_t pid)
{
	char path[64], state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return true;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state == 'Z' || state == 'X';
}

static int children(pid_t of, pid_t *ret, int cap)
{
	char path[64];
	int count = 0, pid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)of, (int)of);
	f = fopen(path, "r");
	while (f != NULL && count < cap && fscanf(f, "%d", &pid) == 1)
		if (!zombie(pid))
			ret[count++] = pid;
	if (f != NULL)
		fclose(f);
	return count;
}

int daemon_engines(pid_t *ret, int cap)
{
	return keeper > 0 ? children(keeper, ret, cap) : 0;
}

static bool child_ready(void)
{
	char line[1024], last[1024] = "";
	FILE *f = fopen(err_path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "engine ready") != NULL || strstr(line, "engine started") != NULL)
			memcpy(last, line, sizeof(last));
	if (f != NULL)
		fclose(f);
	return strstr(last, "engine ready") != NULL;
}

void daemon_await_ready(void)
{
	for (uint64_t until = now_us() + START_MS * 1000; now_us() < until && daemon_alive(); pause_ms(20))
		if (child_ready())
			return;
	fault("no engine becomes ready");
}

/* Reports of sanitizers, and what an assertion says. */
static void expect_clean_err(void)
{
	static const char *const bad[] = { "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
		"runtime error:", "Assertion" };
	char line[1024];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (err_says(bad[i], line, sizeof(line)))
			fault("standard error of the daemon: %s", line);
}

static void expect_nobody(void)
{
	pid_t left[CHILDREN_MAX];
	int count = 0;

	for (int i = 0; i < 500 && (count = children(getpid(), left, CHILDREN_MAX)) > 0; i++)
		pause_ms(10);
	for (int i = 0; i < count; i++) {
		fault("process %d is left", (int)left[i]);
		kill(left[i], SIGKILL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

void daemon_end(void)
{
	int status = 0;
	pid_t ended = 0;

	if (keeper <= 0)
		return;
	kill(keeper, SIGTERM);
	for (uint64_t until = now_us() + END_MS * 1000; now_us() < until && ended == 0; pause_ms(10))
		ended = waitpid(keeper, &status, WNOHANG);
	if (ended != keeper) {
		pid_t engines[CHILDREN_MAX];
		int count = daemon_engines(engines, CHILDREN_MAX);

		fault("smscoped does not end after TERM");
		kill(keeper, SIGKILL);
		waitpid(keeper, NULL, 0);
		for (int i = 0; i < count; i++)
			kill(engines[i], SIGKILL);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fault("smscoped ended with status %#x after TERM", (unsigned int)status);
	}
	keeper = 0;
	expect_nobody();
	expect_clean_err();
}

void daemon_fini(bool keep)
{
	static const char *const names[] = { "smscope.conf", "log.json", "stderr", "control.sock",
		"control.sock.lock" };
	char path[PATH + 32];

	if (keep) {
		fprintf(stderr, "chaos: configuration, log and standard error are in %s\n", dir);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	if (rmdir(dir) < 0)
		fprintf(stderr, "chaos: %s is not empty: kept\n", dir);
}
