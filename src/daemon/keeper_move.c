#include "daemon/keeper_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "daemon/listen.h"

/*
 * Once engines run a new program and do well, the keeper becomes it, too, in its own place: the process,
 * its children and its descriptors stay, and what it knew is in a table that the new one reads. The check
 * of the program has made sure that both mean the same table: SHM_LAYOUT counts for it as well.
 *
 *   | struct table | descriptors of the plan | items of the vault |
 */
enum { TABLE_MAGIC = 0x736d6b70 };

struct table {
	uint32_t magic, layout;
	struct control_path control_path;
	struct older older[OLDER_MAX];
	pid_t engine;
	int control, passed;
	bool blind;
	unsigned deaths;
	uint64_t born_ns, born_traffic;
	uint32_t fd_count, item_count;
	char program_path[PATH_MAX];
};

/* 0 or -errno. */
static int put(int fd, const void *p, size_t n)
{
	ssize_t put = write(fd, p, n);

	return put < 0 ? -errno : (size_t)put == n ? 0 : -ENOSPC;
}

static int get(int fd, void *p, size_t n)
{
	ssize_t got = read(fd, p, n);

	return got < 0 ? -errno : (size_t)got == n ? 0 : -EBADMSG;
}

/* The table, as a descriptor; or -errno. */
static int table_write(const struct keeper *k)
{
	struct table t = { .magic = TABLE_MAGIC, .layout = SHM_LAYOUT, .control_path = k->control_path,
		.engine = k->engine, .control = k->control, .passed = k->passed, .blind = k->blind,
		.deaths = k->deaths, .born_ns = k->born_ns, .born_traffic = k->born_traffic,
		.fd_count = (uint32_t)k->plan.count, .item_count = k->vault.count };
	int fd = memfd_create("smscope-keeper", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	memcpy(t.older, k->older, sizeof(t.older));
	snprintf(t.program_path, sizeof(t.program_path), "%s", k->program_path);
	err = put(fd, &t, sizeof(t));
	if (err == 0)
		err = put(fd, k->plan.fds, t.fd_count * sizeof(*k->plan.fds));
	if (err == 0)
		err = put(fd, k->vault.items, t.item_count * sizeof(*k->vault.items));
	if (err == 0 && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

static void leave_open(int fd, bool open)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC);
}

/* Descriptors that outlive the exec, or, `open` false, that children must not have. */
static void leave_all_open(const struct keeper *k, int table, bool open)
{
	leave_open(table, open);
	leave_open(k->control, open);
	leave_open(k->passed, open);
	for (int i = 0; i < k->plan.count; i++)
		leave_open(k->plan.fds[i], open);
	for (int i = 0; i < OLDER_MAX; i++)
		if (k->older[i].pid != 0)
			leave_open(k->older[i].control, open);
	for (uint32_t i = 0; i < k->vault.count; i++)
		for (int side = 0; side < 2; side++)
			leave_open(k->vault.items[i].fd[side], open);
}

/* Our own command line, with the table's descriptor first. NULL: no memory. */
static char **arguments(const struct keeper *k, char *moved)
{
	char **before = k->options->argv, **argv;
	int n = 0, from = k->options->moved >= 0 ? 2 : 1;

	while (before[n] != NULL)
		n++;
	argv = malloc(((size_t)n + 2) * sizeof(*argv));
	if (argv == NULL)
		return NULL;
	argv[0] = before[0];
	argv[1] = moved;
	memcpy(argv + 2, before + from, (size_t)(n - from + 1) * sizeof(*argv));
	return argv;
}

/* Returns only if it cannot be done. */
static int move(struct keeper *k)
{
	char moved[32], **argv;
	int table, err;

	if (k->passed >= 0)
		(void)vault_hear(&k->vault, k->passed);
	table = table_write(k);
	if (table < 0)
		return table;
	snprintf(moved, sizeof(moved), "--moved=%d", table);
	argv = arguments(k, moved);
	if (argv != NULL) {
		leave_all_open(k, table, true);
		execveat(k->program, "", argv, environ, AT_EMPTY_PATH);
	}
	err = argv != NULL ? -errno : -ENOMEM;
	leave_all_open(k, table, false);
	close(table);
	free(argv);
	return err;
}

uint64_t keeper_move_due(struct keeper *k, uint64_t now)
{
	uint64_t at = k->born_ns + ms_ns(GOOD_MS);
	int err;

	if (k->program < 0 || k->move_failed || k->engine == 0 || !k->ready || k->killed || k->reloading ||
		k->change.kind != CHANGE_NONE || k->trial_until_ns != 0 || k->stage != RUNNING)
		return UINT64_MAX;
	if (now < at)
		return at;
	log_info("the keeper becomes the new program");
	err = move(k);
	log_warn("the keeper stays the program it is: %s", err_text(err));
	k->move_failed = true;
	return UINT64_MAX;
}

/* What `from` has behind the table. */
static int table_rest(struct keeper *k, const struct table *t, int from)
{
	struct vault_item *items = malloc(((size_t)t->item_count + 1) * sizeof(*items));
	int err;

	k->plan.fds = malloc((size_t)t->fd_count * sizeof(*k->plan.fds));
	k->plan.count = (int)t->fd_count;
	err = items == NULL || k->plan.fds == NULL ? -ENOMEM :
		get(from, k->plan.fds, t->fd_count * sizeof(*k->plan.fds));
	if (err == 0)
		err = get(from, items, t->item_count * sizeof(*items));
	if (err == 0)
		err = keeper_map(k);
	if (err == 0)
		err = vault_take(&k->vault, items, t->item_count);
	free(items);
	return err;
}

static int settings_read(struct keeper *k)
{
	struct conf_faults faults = { .look_up = LOOK_UP_NONE }; /* said when it was checked; and nothing here may block */

	k->plan.settings = conf_load_fd(k->plan.fds[FD_SETTINGS], &faults);
	if (k->plan.settings == NULL || k->plan.count < FIXED_FDS + listen_count(k->plan.settings))
		return -EBADMSG;
	return 0;
}

int keeper_take_over(struct keeper *k)
{
	struct table *t = malloc(sizeof(*t));
	int from = k->options->moved, err = t != NULL ? get(from, t, sizeof(*t)) : -ENOMEM;

	if (err == 0 && (t->magic != TABLE_MAGIC || t->layout != SHM_LAYOUT || t->fd_count < FIXED_FDS))
		err = -EBADMSG;
	if (err == 0) {
		memcpy(k->older, t->older, sizeof(k->older));
		k->engine = t->engine;
		k->control = t->control;
		k->passed = t->passed;
		k->blind = t->blind;
		k->deaths = t->deaths;
		k->born_ns = t->born_ns;
		k->born_traffic = t->born_traffic;
		k->ready = k->was_ready = true;
		k->program_path = strdup(t->program_path);
		err = k->program_path != NULL ? table_rest(k, t, from) : -ENOMEM;
	}
	if (err == 0)
		err = settings_read(k);
	if (err == 0) {
		k->control_path = t->control_path;
		leave_all_open(k, -1, false);
	}
	free(t);
	close(from);
	return err;
}
