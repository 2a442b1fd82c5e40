#include "daemon/keeper_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	STILL_TICKS = 15,      /* a thread without a beat for so many ticks: kill */
	READY_TICKS = 60,      /* an engine that is not ready by then: kill */
	AGAIN_MS = 1000,       /* after a start that was none, for want of memory, processes or descriptors */
	BACK_OFF_MS = 100,     /* after a death without progress, doubled up to … */
	BACK_OFF_MAX_MS = 5000,
	PROGRESS_MS = 60000,   /* an engine that lived so long did well without traffic, too */
	FIRST_TRIES = 5,       /* deaths before any engine was ready: give up */
	BLIND_DEATHS = 5,      /* deaths in a row without progress: relay, and nothing else */
};

/* Entries that the newest engine's workers offered to their rings: a number that moves when something is relayed. */
static uint64_t traffic(const struct keeper *k)
{
	uint32_t set = atomic_load(&k->shm->set) % SHM_SETS;
	uint64_t n = 0;

	for (uint32_t i = 0; i < k->worker_count; i++) {
		const struct ring *r = k->rings[shm_ring_of(k->shm, set, i)];

		n += atomic_load(&r->put) + atomic_load(&r->lost);
	}
	return n;
}

/* When to start another: at once after progress, later and later without, never if hopeless. */
static void engine_later(struct keeper *k, bool progress, bool hopeless)
{
	uint64_t wait_ms = 0;

	k->deaths = progress ? 0 : k->deaths + 1;
	if (k->stage == RUNNING && !k->was_ready && (hopeless || k->deaths >= FIRST_TRIES)) {
		log_error("giving up: no engine comes up");
		k->stage = STOPPING;
		k->code = EXIT_FAULT;
	}
	if (k->deaths >= BLIND_DEATHS && !k->blind) {
		k->blind = true;
		log_error("%u engines died without relaying a PDU: from now on PDUs are relayed blind, "
			  "without parsing, logging or rewriting; HUP tries to see again", k->deaths);
	}
	if (k->deaths > 0)
		wait_ms = k->deaths > 6 ? BACK_OFF_MAX_MS :
			(uint64_t)BACK_OFF_MS << (k->deaths - 1);
	k->start_at_ns = clock_mono_ns() + ms_ns(wait_ms);
	if (k->stage == RUNNING)
		log_info("next engine in %u ms", (unsigned)wait_ms);
}

/* The ends of a socket, ours in *ours. */
static int make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	*ours = pair[0];
	*theirs = pair[1];
	return 0;
}

/* Fork an engine that has the plan's descriptors and, behind them, the sockets of the sessions that go on in it. */
static pid_t engine_fork(struct keeper *k)
{
	struct engine_start how = { .program = k->program, .least = k->options->least,
		.blind = k->blind };
	int *fds = malloc(((size_t)k->plan.count + vault_fds(&k->vault) + 1) * sizeof(*fds));
	int count = k->plan.count;
	pid_t pid;

	if (fds == NULL)
		return -1;
	memcpy(fds, k->plan.fds, (size_t)count * sizeof(*fds));
	count += vault_lend(&k->vault, ENGINE_FD_CONTROL + count, fds + count);
	pid = fork();
	if (pid == 0)
		engine_exec(&how, fds, count);
	free(fds);
	return pid;
}

void engine_start(struct keeper *k)
{
	int *control = &k->plan.fds[0], *vault = &k->plan.fds[FD_VAULT];
	pid_t pid = -1;

	*control = *vault = -1;
	atomic_fetch_add(&k->shm->engine, 1);
	if (make_pair(&k->control, control) == 0 && make_pair(&k->passed, vault) == 0)
		pid = engine_fork(k);
	close_fd(control);
	close_fd(vault);
	if (pid < 0) {
		log_error("no engine can be started: %s", strerror(errno));
		close_fd(&k->control);
		close_fd(&k->passed);
		/* Being blind would not help here. */
		if (k->was_ready)
			k->start_at_ns = clock_mono_ns() + ms_ns(AGAIN_MS);
		else
			engine_later(k, false, false);
		return;
	}
	k->engine = pid;
	k->ready = k->reloading = false;
	k->ticks = 0;
	k->scribe_beat = (struct beat){ 0 };
	memset(k->front_beat, 0, sizeof(k->front_beat));
	memset(k->worker_beat, 0, sizeof(k->worker_beat));
	k->born_ns = clock_mono_ns();
	k->born_traffic = traffic(k);
	atomic_fetch_add(&k->shm->engine_starts, 1);
	log_info("engine started pid=%d sessions=%u%s", (int)pid, k->vault.count,
		k->blind ? " blind" : "");
}

static void tell(int control, pid_t pid, uint32_t verb, uint32_t value)
{
	struct control c = { verb, value };

	if (control >= 0 && send(control, &c, sizeof(c), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("engine pid=%d does not listen: %s", (int)pid, strerror(errno));
}

void engine_tell(struct keeper *k, uint32_t verb, uint32_t value)
{
	tell(k->control, k->engine, verb, value);
}

void engine_kill(struct keeper *k, const char *why)
{
	log_error("engine pid=%d %s: killing it", (int)k->engine, why);
	k->killed = true;
	kill(k->engine, SIGKILL);
}

static void log_death(pid_t pid, int status)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	if (WIFSIGNALED(status))
		log_error("engine died pid=%d signal=SIG%s core=%s", (int)pid,
			name != NULL ? name : "?", WCOREDUMP(status) ? "yes" : "no");
	else
		log_error("engine died pid=%d exit=%d", (int)pid, WEXITSTATUS(status));
}

/* Where the engine was, nobody relays now; its sockets are here. */
static void engine_gone(struct keeper *k)
{
	k->engine = 0;
	k->ready = k->reloading = false;
	close_fd(&k->control);
	if (k->passed >= 0)
		(void)vault_hear(&k->vault, k->passed);
	close_fd(&k->passed);
	vault_sweep(&k->vault);
}

static void engine_died(struct keeper *k, int status)
{
	bool progress = traffic(k) != k->born_traffic ||
		(k->ready && clock_mono_ns() - k->born_ns >= ms_ns(PROGRESS_MS));
	bool fault = k->killed || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL);
	bool loading = k->reloading;

	if (k->stage == RUNNING || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_death(k->engine, status);
	engine_gone(k);
	if (loading)
		change_reloaded(k, "the engine died meanwhile; the next one reads them as it begins");
	atomic_fetch_add(&k->shm->engine_deaths, 1);
	k->killed = false;
	atomic_store(&k->shm->suspect, fault);
	if (change_engine_died(k)) {
		k->start_at_ns = 0;
		return;
	}
	/* One that gives up by itself has a reason that trying again does not cure. */
	engine_later(k, progress, WIFEXITED(status));
}

bool older_any(const struct keeper *k)
{
	for (int i = 0; i < OLDER_MAX; i++)
		if (k->older[i].pid != 0)
			return true;
	return false;
}

static bool older_reap(struct keeper *k, pid_t pid, int status)
{
	for (int i = 0; i < OLDER_MAX; i++) {
		struct older *o = &k->older[i];

		if (o->pid != pid)
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_death(pid, status);
		else
			log_info("the engine before has ended pid=%d", (int)pid);
		close_fd(&o->control);
		o->pid = 0;
		if (o->set < SHM_SETS)
			atomic_store(&k->shm->older[o->set], 0);
		return true;
	}
	return false;
}

void engine_reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->engine)
			engine_died(k, status);
		else if (pid == k->change.checker && k->change.kind != CHANGE_NONE)
			change_checked(k, status);
		else
			(void)older_reap(k, pid, status);
	}
}

void older_tell(struct keeper *k, uint32_t verb, uint32_t value)
{
	for (int i = 0; i < OLDER_MAX; i++)
		if (k->older[i].pid != 0)
			tell(k->older[i].control, k->older[i].pid, verb, value);
}

void older_kill(struct keeper *k)
{
	for (int i = 0; i < OLDER_MAX; i++)
		if (k->older[i].pid != 0)
			kill(k->older[i].pid, SIGKILL);
}

static void engine_ready(struct keeper *k)
{
	k->ready = k->was_ready = true;
	k->ticks = 0;
	log_info("engine ready pid=%d after_ms=%u", (int)k->engine,
		(unsigned)((clock_mono_ns() - k->born_ns) / 1000000u));
	change_engine_ready(k);
}

void engine_hear(struct keeper *k)
{
	struct control c = { 0 };
	ssize_t n = recv(k->control, &c, sizeof(c), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&k->control);
		return;
	}
	if (n != (ssize_t)sizeof(c))
		return;
	switch (c.verb) {
	case CONTROL_READY:
		engine_ready(k);
		keeper_tell_ready(k);
		break;
	case CONTROL_RELOADED:
		change_reloaded(k, c.value == 0 ? NULL :
			"code tables or certificates do not load: those in use stay, the log says why");
		break;
	case CONTROL_ASK:
		change_ask(k, c.value != 0 ? CHANGE_PROGRAM : CHANGE_CONFIG);
		break;
	case CONTROL_YIELDED:
		(void)vault_hear(&k->vault, k->passed);
		close_fd(&k->passed);
		change_yielded(k, c.value);
		break;
	default:
		break;
	}
}

void engine_pass(struct keeper *k)
{
	if (!vault_hear(&k->vault, k->passed))
		close_fd(&k->passed);
}

/*
 * Counted in our own ticks, not by the clock: when the whole machine or both of us were frozen, nobody
 * stood still.
 */
static bool beat_stopped(struct beat *b, const _Atomic uint64_t *at)
{
	uint64_t ns = atomic_load(at);

	b->still = ns == b->ns ? b->still + 1 : 0;
	b->ns = ns;
	if (b->still < STILL_TICKS)
		return false;
	b->still = 0;
	return true;
}

/* Which thread of the engine with that set of rings stands still; false: none. */
static bool stands_still(struct keeper *k, uint32_t set, char *ret_why, size_t cap)
{
	for (uint32_t i = 0; i < k->worker_count; i++) {
		uint32_t ring = shm_ring_of(k->shm, set, i);

		if (beat_stopped(&k->worker_beat[ring], &k->shm->beat_worker_ns[ring])) {
			snprintf(ret_why, cap, "stands still (worker %u)", (unsigned)i);
			return true;
		}
	}
	snprintf(ret_why, cap, "stands still (front)");
	return beat_stopped(&k->front_beat[set], &k->shm->beat_front_ns[set]);
}

static void older_watch(struct keeper *k)
{
	char why[64];

	for (int i = 0; i < OLDER_MAX; i++) {
		const struct older *o = &k->older[i];

		if (o->pid == 0 || o->set >= SHM_SETS || !stands_still(k, o->set, why, sizeof(why)))
			continue;
		log_error("engine of before pid=%d %s: killing it", (int)o->pid, why);
		kill(o->pid, SIGKILL);
	}
}

void engine_watch(struct keeper *k)
{
	char why[64];

	older_watch(k);
	if (k->engine == 0)
		return;
	if (!k->ready && ++k->ticks >= READY_TICKS) {
		k->ticks = 0;
		engine_kill(k, "does not become ready");
	} else if (stands_still(k, atomic_load(&k->shm->set), why, sizeof(why))) {
		engine_kill(k, why);
	} else if (k->ready && !k->blind && beat_stopped(&k->scribe_beat, &k->shm->beat_scribe_ns)) {
		engine_kill(k, "stands still (scribe)");
	}
}
