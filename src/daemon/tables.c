#include "daemon/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "conf/conf.h"
#include "daemon/options.h"

enum {
	CHECK_MS = 30000,   /* the check of the tables may take so long */
	LOOK_MS = 100,      /* how soon it ends when the engine does */
	FAULTS_SHOWN = 32,  /* in the operator log, of one load */
	FAULTS_MAX = 64 * 1024, /* octets of them that are kept */
	REASON_MAX = 512,
};

/* What is wrong with the tables. */
struct faults {
	int count;
	char first[REASON_MAX];
};

static void add_fault(struct faults *f, const char *line)
{
	if (f->count++ == 0)
		snprintf(f->first, sizeof(f->first), "%s", line);
	if (f->count <= FAULTS_SHOWN)
		log_error("%s", line);
}

static PRINTF_LIKE(2, 3) void add_reason(struct faults *f, const char *fmt, ...)
{
	char line[REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add_fault(f, line);
}

/* The loader's messages, a line each. */
static void add_lines(struct faults *f, char *text)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			add_fault(f, line);
	if (f->count > FAULTS_SHOWN)
		log_error("%d more faults", f->count - FAULTS_SHOWN);
}

static struct code_set *load(const struct settings *s, struct faults *f)
{
	struct conf_faults faults = { 0 };
	struct code_set *codes;
	char *text = NULL;
	size_t len;

	faults.to = open_memstream(&text, &len);
	codes = codes_load(codes_dir(s->codes_dir), s->codes_site_dir, &faults);
	if (faults.to != NULL)
		fclose(faults.to);
	if (codes == NULL && text != NULL)
		add_lines(f, text);
	if (codes == NULL && f->count == 0)
		add_reason(f, "out of memory");
	free(text);
	return codes;
}

struct code_set *tables_load(const struct settings *s)
{
	struct faults f = { 0 };

	return load(s, &f);
}

int tables_check(const char *dir, const char *site_dir)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *codes;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	thread_background();
	codes = codes_load(dir, site_dir, &faults);
	codes_free(codes);
	return codes != NULL ? EXIT_OK : EXIT_FAULT;
}

/* Start this program as the check, its standard error in `to`. 0 or -errno. */
static int check_start(const struct settings *s, int to, pid_t *ret)
{
	posix_spawn_file_actions_t a;
	char *argv[4] = { (char *)"smscoped" }, *dir = NULL, *site = NULL;
	int err = posix_spawn_file_actions_init(&a);

	if (err != 0)
		return -err;
	if (asprintf(&dir, "--tables=%s", codes_dir(s->codes_dir)) < 0)
		dir = NULL;
	if (s->codes_site_dir != NULL && asprintf(&site, "--tables-site=%s", s->codes_site_dir) < 0)
		site = NULL;
	argv[1] = dir;
	argv[2] = site;
	if (dir == NULL || (site == NULL && s->codes_site_dir != NULL))
		err = ENOMEM;
	if (err == 0)
		err = posix_spawn_file_actions_addopen(&a, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&a, STDIN_FILENO, STDOUT_FILENO);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&a, to, STDERR_FILENO);
	if (err == 0)
		err = posix_spawn_file_actions_addclosefrom_np(&a, STDERR_FILENO + 1);
	if (err == 0)
		err = posix_spawn(ret, "/proc/self/exe", &a, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&a);
	free(dir);
	free(site);
	return -err;
}

/* What the check has to say until it ends, as much as has room. False: it takes too long, or we end. */
static bool check_hear(int from, char *text, size_t cap, const _Atomic bool *ending)
{
	uint64_t end_ns = clock_mono_ns() + CHECK_MS * 1000000ull;
	struct pollfd p = { .fd = from, .events = POLLIN };
	char spill[4096];
	size_t len = 0;
	ssize_t n;

	text[0] = '\0';
	while (!atomic_load(ending) && clock_mono_ns() < end_ns) {
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		n = len + 1 < cap ? read(from, text + len, cap - len - 1)
				  : read(from, spill, sizeof(spill));
		if (n == 0)
			return true;
		if (n > 0 && len + 1 < cap) {
			len += (size_t)n;
			text[len] = '\0';
		}
	}
	return false;
}

static void check_end(pid_t pid, bool in_time, char *text, struct faults *f)
{
	int status = 0;

	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
		return;
	add_lines(f, text);
	if (!in_time)
		add_reason(f, "reading the code tables takes too long");
	else if (WIFSIGNALED(status))
		add_reason(f, "reading the code tables ended by signal %d", WTERMSIG(status));
	else if (f->count == 0)
		add_reason(f, "reading the code tables ended with code %d", WEXITSTATUS(status));
}

static void check(const struct settings *s, struct faults *f, const _Atomic bool *ending)
{
	char *text = malloc(FAULTS_MAX);
	int pipe_fds[2] = { -1, -1 }, err = 0;
	bool in_time;
	pid_t pid;

	if (text == NULL || pipe2(pipe_fds, O_CLOEXEC) < 0)
		err = text == NULL ? -ENOMEM : -errno;
	if (err == 0)
		err = check_start(s, pipe_fds[1], &pid);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	if (err == 0) {
		in_time = check_hear(pipe_fds[0], text, FAULTS_MAX, ending);
		check_end(pid, in_time, text, f);
	} else {
		add_reason(f, "the code tables cannot be read: %s", err_text(err));
	}
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	free(text);
}

/* A profile that a link names must not go while it runs. */
/* What a link's rules name must be there, too: the faults name the configuration's lines. */
static void check_rules(const struct link_settings *l, const struct code_set *codes,
	struct faults *f)
{
	struct conf_faults faults = { 0 };
	char *text = NULL;
	size_t n;

	if (l->rule_count == 0)
		return;
	faults.to = open_memstream(&text, &n);
	if (faults.to == NULL) {
		add_reason(f, "out of memory");
		return;
	}
	rule_set_free(conf_rules(l, codes, &faults));
	fclose(faults.to);
	if (faults.errors > 0)
		add_lines(f, text);
	free(text);
}

static void check_profiles(const struct settings *s, const struct code_set *codes, struct faults *f)
{
	for (int i = 0; i < s->link_count; i++) {
		const struct link_settings *l = &s->links[i];

		for (int p = 0; p < l->profile_count; p++)
			if (codes_profile(codes, l->profiles[p]) == NULL)
				add_reason(f,
					"error: no profile \"%s\" in the code tables; link \"%s\" "
					"names it",
					l->profiles[p], l->name);
		check_rules(l, codes, f);
	}
}

static void tell_failed(struct scribe *scribe, const struct faults *f)
{
	struct record r;

	log_error("code tables not reloaded: those in use stay, faults=%d", f->count);
	if (scribe == NULL)
		return;
	record_init(&r, REC_CONFIG);
	r.wall_ns = clock_wall_ns();
	record_words_extra(&r, "what", "codes");
	record_words_extra(&r, "state", "failed");
	record_uint_extra(&r, "faults", (uint64_t)f->count);
	record_words_extra(&r, "error", f->first);
	(void)!scribe_change(scribe, NULL, &r);
}

/* The scribe changes over to `next`. False: it did not, for want of memory. */
static bool install(struct scribe *scribe, const struct code_set *now, const struct code_set *next)
{
	int tables = codes_table_count(next), rows = codes_row_count(next);
	struct codes_changes c = { .rows.added = rows };
	char profiles[48], maps[48];
	struct record r;

	if (now != NULL)
		codes_compare(now, next, &c);
	record_init(&r, REC_CONFIG);
	r.wall_ns = clock_wall_ns();
	record_words_extra(&r, "what", "codes");
	record_words_extra(&r, "state", "ok");
	record_uint_extra(&r, "tables", (uint64_t)tables);
	record_uint_extra(&r, "rows", (uint64_t)rows);
	record_uint_extra(&r, "added", (uint64_t)c.rows.added);
	record_uint_extra(&r, "changed", (uint64_t)c.rows.changed);
	record_uint_extra(&r, "removed", (uint64_t)c.rows.removed);
	snprintf(profiles, sizeof(profiles), "+%d ~%d -%d", c.profiles.added, c.profiles.changed,
		c.profiles.removed);
	if (c.profiles.added + c.profiles.changed + c.profiles.removed > 0)
		record_words_extra(&r, "profiles", profiles);
	snprintf(maps, sizeof(maps), "+%d ~%d -%d", c.maps.added, c.maps.changed, c.maps.removed);
	if (c.maps.added + c.maps.changed + c.maps.removed > 0)
		record_words_extra(&r, "maps", maps);
	if (scribe != NULL && scribe_change(scribe, next, &r) < 0)
		return false;
	log_info("code tables reloaded: tables=%d rows=%d added=%d changed=%d removed=%d", tables,
		rows, c.rows.added, c.rows.changed, c.rows.removed);
	return true;
}

struct code_set *tables_reload(const struct settings *s, struct scribe *scribe,
	struct code_set *codes, const _Atomic bool *ending)
{
	struct code_set *next = NULL;
	struct faults f = { 0 };

	check(s, &f, ending);
	if (atomic_load(ending))
		return NULL;
	if (f.count == 0)
		next = load(s, &f);
	if (next != NULL)
		check_profiles(s, next, &f);
	if (f.count == 0 && !install(scribe, codes, next))
		add_reason(&f, "out of memory");
	if (f.count > 0) {
		tell_failed(scribe, &f);
		codes_free(next);
		return NULL;
	}
	return next;
}
