#include "daemon/keeper_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/prove.h"

/*
 * The child that loads what is asked for, and what it says. It writes to memory of its own: whoever reads our
 * standard error may stand still, and neither of us does for that.
 */
enum { FAULT_LINES = 32 }; /* that are logged of each kind */

void keeper_fit(char *to, size_t cap, const char *text)
{
	static const char more[] = "...";

	if ((size_t)snprintf(to, cap, "%s", text) >= cap)
		memcpy(to + cap - sizeof(more), more, sizeof(more));
}

/* Nothing of ours stays open in it but what it writes to. */
static void checker_run(struct keeper *k)
{
	struct keeper_change *c = &k->change;
	bool program = c->kind == CHANGE_PROGRAM;
	char layout[32], *argv[] = { (char *)"smscoped", layout, NULL };
	int at = program ? fcntl(k->plan.fds[FD_SETTINGS], F_DUPFD, 16) : fcntl(c->settings_fd, F_DUPFD, 16);
	int exe = program ? fcntl(c->program_after, F_DUPFD_CLOEXEC, 16) : -1;
	sigset_t none;

	snprintf(layout, sizeof(layout), "--prove=%d", SHM_LAYOUT);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv("NOTIFY_SOCKET");
	if (at < 0 || dup2(c->faults_fd, STDERR_FILENO) < 0 || dup2(at, PROVE_FD) < 0)
		_exit(EXIT_FAULT);
	if (exe >= 0 && dup3(exe, PROVE_FD + 1, O_CLOEXEC) < 0)
		_exit(EXIT_FAULT);
	close_range(program ? PROVE_FD + 2 : PROVE_FD + 1, ~0u, 0);
	if (!program)
		_exit(prove_config(k->options, k->plan.settings, PROVE_FD));
	execveat(PROVE_FD + 1, "", argv, environ, AT_EMPTY_PATH);
	fprintf(stderr, "%s cannot be run: %s\n", k->program_path, strerror(errno));
	_exit(EXIT_FAULT);
}

/* What the checker writes to, and what it checks. */
static int check_open(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	c->faults_fd = memfd_create("smscope-faults", MFD_CLOEXEC);
	if (c->faults_fd < 0)
		return -errno;
	if (c->kind == CHANGE_PROGRAM)
		return 0;
	c->settings_fd = memfd_create("smscope-next", MFD_CLOEXEC);
	return c->settings_fd < 0 ? -errno : 0;
}

int check_start(struct keeper *k)
{
	struct keeper_change *c = &k->change;
	int err = check_open(k);

	if (err == 0 && c->kind == CHANGE_PROGRAM) {
		c->program_after = open(k->program_path, O_PATH | O_CLOEXEC);
		if (c->program_after < 0) {
			err = -errno;
			snprintf(c->text, sizeof(c->text), "%.400s: %s", k->program_path, err_text(err));
			return err;
		}
	}
	if (err == 0) {
		c->checker = fork();
		if (c->checker == 0)
			checker_run(k);
		err = c->checker < 0 ? -errno : 0;
	}
	if (err < 0)
		snprintf(c->text, sizeof(c->text), "no check can be started: %s", err_text(err));
	return err;
}

/* "FILE:LINE: warning: …", and no fault whose words have that somewhere. */
static bool is_warning(const char *line)
{
	const char *warning = strstr(line, "warning: "), *error = strstr(line, "error: ");

	return warning != NULL && (error == NULL || warning < error);
}

void check_read(struct keeper_change *c)
{
	FILE *f = lseek(c->faults_fd, 0, SEEK_SET) == 0 ? fdopen(dup(c->faults_fd), "r") : NULL;
	int warnings = 0, faults = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	c->text[0] = '\0';
	while (f != NULL && (n = getline(&line, &room, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (is_warning(line)) {
			if (warnings++ < FAULT_LINES)
				log_warn("%s", line);
			continue;
		}
		if (faults == 0)
			keeper_fit(c->text, sizeof(c->text), line);
		if (faults++ < FAULT_LINES)
			log_error("%s", line);
	}
	if (warnings > FAULT_LINES)
		log_warn("%d more warnings", warnings - FAULT_LINES);
	if (faults > FAULT_LINES)
		log_error("%d more faults", faults - FAULT_LINES);
	free(line);
	if (f != NULL)
		fclose(f);
}
