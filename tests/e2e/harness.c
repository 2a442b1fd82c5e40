#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum { LIVE_MAX = 4, PROGRAMS_MAX = 16, CHILDREN_MAX = 16 };

static struct rig *live[LIVE_MAX];
static pid_t programs[PROGRAMS_MAX];

static void live_set(struct rig *from, struct rig *to)
{
	for (int i = 0; i < LIVE_MAX; i++) {
		if (live[i] == from) {
			live[i] = to;
			return;
		}
	}
}

void rig_configure(const struct rig *r, const struct rig_options *o, const struct rig_link *links,
	int count)
{
	static const struct rig_options plain;
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/smscope.conf", r->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	if (!o)
		o = &plain;
	fprintf(f, "control = \"%s\";\n", o->control ? r->control_path : "");
	fprintf(f, "daemon = { %s%s };\n", o->sealed || geteuid() == 0 ? "" : "core_dumps = true; ",
		o->daemon ? o->daemon : "drain_timeout = \"2s\";");
	fprintf(f, "logs = (\n  { type = \"file\"; path = \"%s\"; format = \"json\"; }%s\n);\n",
		r->log_path, o->more_logs ? o->more_logs : "");
	fprintf(f, "links = (\n");
	for (int i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof name, "l%d", i + 1);
		fprintf(f,
			"  { name = \"%s\"; protocol = \"%s\"; listen = \"%s:%d\"; "
			"upstream = [",
			links[i].name ? links[i].name : name, links[i].protocol,
			links[i].host ? links[i].host : "127.0.0.1", links[i].port);
		for (int u = 0; u < links[i].upstream_count; u++)
			fprintf(f, "%s\"127.0.0.1:%d\"", u ? ", " : "", links[i].upstream[u]);
		fprintf(f, "%s];\n    %s }%s\n", links[i].servers ? links[i].servers : "", links[i].keys ? links[i].keys : "",
			i + 1 < count ? "," : "");
	}
	fprintf(f, ");\n");
	assert_int_equal(fclose(f), 0);
}

static bool listening_at(const char *table, int port)
{
	FILE *f = fopen(table, "r");
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f)) {
		unsigned int local, state;

		if (sscanf(line, " %*d: %*x:%x %*x:%*x %x", &local, &state) == 2)
			found = local == (unsigned int)port && state == 0x0a;
	}
	if (f)
		fclose(f);
	return found;
}

static bool listening(int port)
{
	return listening_at("/proc/net/tcp", port) || listening_at("/proc/net/tcp6", port);
}

static int children_of(pid_t pid, pid_t *ret, int cap)
{
	char path[64];
	FILE *f;
	int child, count = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (count < cap && fscanf(f, "%d", &child) == 1)
		ret[count++] = child;
	fclose(f);
	return count;
}

/* The first child of `pid`, or 0. */
static pid_t child_of(pid_t pid)
{
	pid_t child;

	return children_of(pid, &child, 1) == 1 ? child : 0;
}

int rig_children(const struct rig *r, pid_t *ret, int cap)
{
	return children_of(r->pid, ret, cap);
}

static bool has_child(pid_t of, pid_t pid)
{
	pid_t all[CHILDREN_MAX];
	int count = children_of(of, all, CHILDREN_MAX);

	for (int i = 0; i < count; i++)
		if (all[i] == pid)
			return true;
	return false;
}

void rig_install(const struct rig *r, const char *from, unsigned int mode)
{
	char to[128], new[128], octets[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	snprintf(to, sizeof to, "%s/smscoped", r->dir);
	snprintf(new, sizeof new, "%s/smscoped.new", r->dir);
	out = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, octets, sizeof octets)) > 0)
		assert_int_equal(write(out, octets, (size_t)n), n);
	assert_int_equal(n, 0);
	assert_int_equal(fchmod(out, mode), 0);
	close(in);
	close(out);
	assert_int_equal(rename(new, to), 0);
}

static void daemon_exec(const struct rig *r, const struct rig_options *o)
{
	const struct rlimit descriptors = { o->nofile, o->nofile };
	const char *program = getenv("SMSCOPED");
	char conf[128], own[128], asan[96];
	const char *argv[16];
	int argc = 0, err = open(r->err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	snprintf(conf, sizeof conf, "%s/smscope.conf", r->dir);
	snprintf(own, sizeof own, "%s/smscoped", r->dir);
	argv[argc++] = o->own_program ? own : program ? program : BUILD_DIR "/smscoped";
	argv[argc++] = "-c";
	argv[argc++] = conf;
	argv[argc] = NULL;
	if (o->nofile && setrlimit(RLIMIT_NOFILE, &descriptors))
		_exit(126);
	if (err < 0 || dup2(err, 1) < 0 || dup2(err, 2) < 0 || chdir(r->dir))
		_exit(126);
	if (o->before)
		o->before();
	/* The sanitizer would forbid cores itself. */
	snprintf(asan, sizeof asan, "detect_leaks=1:exitcode=97%s%s", o->sealed ? ":disable_coredump=0" : "",
		o->faults ? ":handle_segv=0" : "");
	setenv("ASAN_OPTIONS", asan, 1);
	setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* True when every port listens; false when the daemon ended. */
static bool started(struct rig *r)
{
	for (uint64_t end = now_us() + 30000000u; now_us() < end; pause_ms(10)) {
		int up = 0, status;

		if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
			r->pid = 0;
			return false;
		}
		for (int i = 0; i < r->link_count; i++)
			up += listening(r->port[i]);
		r->engine = child_of(r->pid);
		if (up == r->link_count && (r->engine || getenv("SMSCOPED")))
			return true;
	}
	return false;
}

void rig_start(struct rig *r, const struct rig_options *o, const struct rig_link *links, int count)
{
	static const struct rig_options plain;
	struct rig_link with_ports[RIG_LINKS_MAX];
	const char *tmp = getenv("TMPDIR");

	if (!o)
		o = &plain;
	memset(r, 0, sizeof *r);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	snprintf(r->dir, sizeof r->dir, "%s/smscope-e2e-XXXXXX",
		tmp && strlen(tmp) < 32 ? tmp : P_tmpdir);
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->log_path, sizeof r->log_path, "%s/log.json", r->dir);
	snprintf(r->err_path, sizeof r->err_path, "%s/stderr", r->dir);
	snprintf(r->control_path, sizeof r->control_path, "%s/control.sock", r->dir);
	r->records = json_array();
	r->link_count = count;
	live_set(NULL, r);
	if (o->own_program)
		rig_install(r, BUILD_DIR "/smscoped", 0755);
	for (int i = 0; i < count; i++) {
		with_ports[i] = links[i];
		r->port[i] = links[i].port ? links[i].port : port_closed();
		with_ports[i].port = r->port[i];
	}
	rig_configure(r, o, with_ports, count);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0)
		daemon_exec(r, o);
	if (started(r))
		return;
	print_error("%s\n", rig_file(r, r->err_path, NULL));
	fail_msg("smscoped did not start");
}

void rig_await_ready(struct rig *r)
{
	char want[64] = "engine ready pid=";

	if (r->engine != 0)
		snprintf(want, sizeof want, "engine ready pid=%d after", (int)r->engine);
	for (int i = 0; i < WAIT_MS / 10; i++, pause_ms(10)) {
		char *text = rig_file(r, r->err_path, NULL);
		bool ready = strstr(text, want) != NULL;

		free(text);
		if (ready)
			return;
	}
	fail_msg("the engine does not become ready");
}

void rig_await_engine(struct rig *r, pid_t first, int wait_ms)
{
	for (int i = 0; i < wait_ms / 10; i++, pause_ms(10)) {
		r->engine = child_of(r->pid);
		if (r->engine != 0 && r->engine != first)
			return;
	}
	fail_msg("no other engine comes up");
}

void rig_kill_engine(struct rig *r)
{
	rig_engine_dies(r, SIGKILL);
}

void rig_engine_dies(struct rig *r, int signal_number)
{
	pid_t first = child_of(r->pid);

	kill(first, signal_number);
	rig_await_engine(r, first, WAIT_MS);
}

/* Dead to its last thread, so that its descriptors are closed; its parent may not have looked yet. */
static bool is_dead(pid_t pid)
{
	char path[64], line[1024] = "", state = 0;
	int threads = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return true;
	if (fgets(line, sizeof line, f) && strrchr(line, ')'))
		sscanf(strrchr(line, ')'), ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
			" %*d %*d %d", &state, &threads);
	fclose(f);
	return state == 'Z' && threads <= 1;
}

void rig_engine_down(struct rig *r)
{
	r->engine = child_of(r->pid);
	assert_int_equal(kill(r->pid, SIGSTOP), 0);
	assert_int_equal(kill(r->engine, SIGKILL), 0);
	for (int i = 0; i < WAIT_MS && !is_dead(r->engine); i++)
		pause_ms(1);
	assert_true(is_dead(r->engine));
}

void rig_engine_up(struct rig *r)
{
	assert_int_equal(kill(r->pid, SIGCONT), 0);
	rig_await_engine(r, r->engine, WAIT_MS);
}

static void expect_clean_stderr(const struct rig *r)
{
	static const char *const bad[] = { "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
		"runtime error:", "Assertion", "counts do not fit" };
	char *text = rig_file(r, r->err_path, NULL);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (strstr(text, bad[i])) {
			print_error("%s\n", text);
			fail_msg("standard error says %s", bad[i]);
		}
	}
	free(text);
}

static bool is_program(pid_t pid)
{
	for (int i = 0; i < PROGRAMS_MAX; i++)
		if (programs[i] == pid)
			return true;
	return false;
}

/* As a subreaper this process inherits whatever the daemon leaves behind. */
static void expect_no_child(void)
{
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	if (!f)
		return;
	while (fscanf(f, "%d", &pid) == 1)
		if (!is_program(pid))
			fail_msg("process %d is left", pid);
	fclose(f);
}

static void folder_remove(const struct rig *r)
{
	static const char *const names[] = { "smscope.conf", "log.json", "log.txt", "stderr",
		"fifo", "smscoped" };
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", r->dir, names[i]);
		unlink(path);
	}
	if (rmdir(r->dir))
		print_message("%s is not empty: kept\n", r->dir);
}

void rig_over(struct rig *r)
{
	char core[128];

	r->pid = 0;
	expect_clean_stderr(r);
	expect_no_child();
	snprintf(core, sizeof core, "%s/core", r->dir);
	assert_int_not_equal(access(core, F_OK), 0);
	log_check_rest(r);
	live_set(r, NULL);
	json_decref(r->records);
	folder_remove(r);
	peers_sweep();
}

void rig_await_end(struct rig *r)
{
	int status = 0;
	pid_t ended = 0;

	for (int i = 0; i < 3000 && ended == 0; i++) {
		pause_ms(10);
		ended = waitpid(r->pid, &status, WNOHANG);
	}
	if (ended != r->pid)
		fail_msg("smscoped does not end");
	if (!getenv("SMSCOPED")) {
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	rig_over(r);
}

void rig_stop(struct rig *r)
{
	assert_true(r->pid > 0); /* 0 would be our own process group */
	if (!getenv("SMSCOPED"))
		assert_true(
			has_child(r->pid, r->engine)); /* a dead engine would have been replaced */
	kill(r->pid, SIGTERM);
	rig_await_end(r);
}

int rig_sweep(void **state)
{
	(void)state;
	for (int i = 0; i < PROGRAMS_MAX; i++) {
		if (programs[i] > 0) {
			kill(programs[i], SIGKILL);
			waitpid(programs[i], NULL, 0);
		}
		programs[i] = 0;
	}
	peers_sweep();
	for (int i = 0; i < LIVE_MAX; i++) {
		struct rig *r = live[i];
		pid_t left[CHILDREN_MAX];
		int count;

		if (!r)
			continue;
		live[i] = NULL;
		if (r->pid > 0) {
			count = children_of(r->pid, left, CHILDREN_MAX);
			kill(r->pid, SIGKILL);
			waitpid(r->pid, NULL, 0);
			for (int c = 0; c < count; c++) {
				kill(left[c], SIGKILL);
				waitpid(left[c], NULL, 0);
			}
		}
		json_decref(r->records);
		print_message("kept for a look: %s\n", r->dir);
	}
	return 0;
}

char *rig_file(const struct rig *r, const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "r");
	size_t n = 0, cap = 65536, got;
	char *text = malloc(cap);

	(void)r;
	assert_non_null(text);
	while (f && (got = fread(text + n, 1, cap - n - 1, f)) > 0) {
		n += got;
		if (cap - n < 4096) {
			cap *= 2;
			text = realloc(text, cap);
			assert_non_null(text);
		}
	}
	if (f)
		fclose(f);
	text[n] = '\0';
	if (ret_n)
		*ret_n = n;
	return text;
}

int count_said(const struct rig *r, size_t from, const char *words)
{
	char *text = rig_file(r, r->err_path, NULL);
	int count = 0;

	for (const char *at = text + from; (at = strstr(at, words)) != NULL; at++)
		count++;
	free(text);
	return count;
}

void rig_freeze(const struct rig *r)
{
	bool still;

	assert_int_equal(kill(r->engine, SIGSTOP), 0);
	for (int i = 0; i < 100; i++, pause_ms(1)) {
		char path[64], *text;
		size_t n;

		snprintf(path, sizeof path, "/proc/%d/stat", (int)r->engine);
		text = rig_file(r, path, &n);
		still = strstr(text, ") T ") != NULL;
		free(text);
		if (still)
			return;
	}
	fail_msg("the engine does not stop");
}

void rig_thaw(const struct rig *r)
{
	assert_int_equal(kill(r->engine, SIGCONT), 0);
}

static int process_fds(pid_t pid)
{
	char path[64];
	DIR *d;
	int count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

int rig_engine_fds(const struct rig *r)
{
	return process_fds(r->engine);
}

int rig_keeper_fds(const struct rig *r)
{
	return process_fds(r->pid);
}

long rig_engine_kib(const struct rig *r, bool peak)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)r->engine);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, peak ? "VmHWM: %ld" : "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

long rig_engine_cpu_ms(const struct rig *r)
{
	char path[64], line[1024];
	unsigned long user = 0, sys = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)r->engine);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	fclose(f);
	assert_int_equal(
		sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			&user, &sys),
		2);
	return (long)((user + sys) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

pid_t program_start(int *ret_out, const char *name, const char *const *args)
{
	const char *argv[32] = { NULL };
	char path[256];
	int out[2], argc = 1, slot = 0;
	pid_t pid;

	snprintf(path, sizeof path, BUILD_DIR "/tests/%s", name);
	argv[0] = path;
	while (args && *args && argc < 31)
		argv[argc++] = *args++;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], 1);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(out[1]);
	while (slot < PROGRAMS_MAX - 1 && programs[slot])
		slot++;
	programs[slot] = pid;
	*ret_out = out[0];
	return pid;
}

int program_wait(pid_t pid, int wait_ms)
{
	int status = 0;
	pid_t ended = 0;

	for (uint64_t end = now_us() + (uint64_t)wait_ms * 1000; ended == 0 && now_us() < end;
		pause_ms(2))
		ended = waitpid(pid, &status, WNOHANG);
	if (ended != pid)
		fail_msg("a program of the test does not end");
	for (int i = 0; i < PROGRAMS_MAX; i++)
		if (programs[i] == pid)
			programs[i] = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
