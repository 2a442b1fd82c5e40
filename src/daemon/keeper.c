#include "daemon/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/control_path.h"
#include "base/clock.h"
#include "base/notify.h"
#include "base/secret.h"
#include "base/shm.h"
#include "conf/conf_keys.h"
#include "daemon/engine.h"
#include "daemon/listen.h"
#include "daemon/vault.h"

/*
 * The keeper owns what must outlive an engine: listeners, shared memory, the settings in effect. It
 * reads signals, the engine's "ready" and the engine's death, and never an octet of a peer.
 *
 *   start ─▶ engine ─ died ─▶ wait 0 … 5 s ─▶ start …         TERM: drain, INT: stop, then end
 */
enum {
	TICK_MS = 1000,        /* beats are looked at so often */
	STILL_TICKS = 15,      /* a thread without a beat for so many ticks: kill */
	READY_TICKS = 60,      /* an engine that is not ready by then: kill */
	BACK_OFF_MS = 100,     /* after a death without progress, doubled up to … */
	BACK_OFF_MAX_MS = 5000,
	PROGRESS_MS = 60000,   /* an engine that lived so long did well without traffic, too */
	FIRST_TRIES = 5,       /* deaths before any engine was ready: give up */
	END_GRACE_MS = 5000,   /* an engine told to end is killed so long after its time */
	FIXED_FDS = ENGINE_FD_LISTENERS - ENGINE_FD_CONTROL,
	FD_VAULT = ENGINE_FD_VAULT - ENGINE_FD_CONTROL,
	WATCHED = SHM_WORKERS_MAX + 2,
	SWEEP_MS = 250,        /* sockets of sessions that are over are closed so often */
};

enum stage { RUNNING, DRAINING, STOPPING };

struct keeper {
	const struct settings *settings;
	const struct options *options;
	struct shm *shm;
	uint32_t worker_count;
	uint32_t ring_count;
	const struct ring *rings[SHM_RINGS_MAX]; /* taken once: an engine may spoil the offsets */
	struct vault vault;
	int *fds;              /* the engine's, from ENGINE_FD_CONTROL on; fds[0] changes */
	int fd_count;
	int signal_fd;
	int control;           /* our end; -1 none */
	int passed;            /* our end of what the engine sends sockets through; -1 none */
	struct control_path control_path; /* fd -1: none */
	bool terminal;         /* standard error was one when we started */
	pid_t engine;          /* 0: none runs */
	bool ready;            /* this engine */
	bool was_ready;        /* any engine */
	bool reloading;        /* this engine loads code tables */
	bool killed;           /* this engine, by us: it stood still */
	bool again;            /* and shall once more; or as soon as it is ready */
	uint64_t born_ns, born_traffic;
	unsigned deaths;       /* in a row without progress */
	uint64_t start_at_ns;  /* the next engine starts then */
	uint64_t tick_at_ns, sweep_at_ns, feed_at_ns, feed_every_ns;
	unsigned ticks;        /* of this engine */
	struct { uint64_t beat; unsigned still; } watched[WATCHED];
	enum stage stage;
	uint64_t kill_at_ns;   /* an engine that was told to end has until then */
	int code;
};

static uint64_t ms_ns(uint64_t ms)
{
	return ms * 1000000u;
}

/* Entries that workers offered to their rings: a number that moves when something is relayed. */
static uint64_t traffic(const struct keeper *k)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < k->ring_count; i++)
		n += atomic_load(&k->rings[i]->put) + atomic_load(&k->rings[i]->lost);
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
	if (k->deaths > 0)
		wait_ms = k->deaths > 6 ? BACK_OFF_MAX_MS :
			(uint64_t)BACK_OFF_MS << (k->deaths - 1);
	k->start_at_ns = clock_mono_ns() + ms_ns(wait_ms);
	if (k->stage == RUNNING)
		log_info("next engine in %u ms", (unsigned)wait_ms);
}

/* The ends of two sockets, ours in `ours`. */
static int make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	*ours = pair[0];
	*theirs = pair[1];
	return 0;
}

static void close_pair(int *ours, int *theirs)
{
	if (*ours >= 0)
		close(*ours);
	if (*theirs >= 0)
		close(*theirs);
	*ours = *theirs = -1;
}

/* Fork an engine that has our descriptors and, behind them, the sockets of the sessions that go on in it. */
static pid_t engine_fork(struct keeper *k)
{
	int *fds = malloc(((size_t)k->fd_count + vault_fds(&k->vault)) * sizeof(*fds));
	int count = k->fd_count;
	pid_t pid;

	if (fds == NULL)
		return -1;
	memcpy(fds, k->fds, (size_t)count * sizeof(*fds));
	count += vault_lend(&k->vault, ENGINE_FD_CONTROL + count, fds + count);
	pid = fork();
	if (pid == 0)
		engine_exec(fds, count, k->options->least);
	free(fds);
	return pid;
}

static void engine_start(struct keeper *k)
{
	int vault = -1;
	pid_t pid = -1;

	k->fds[0] = -1;
	atomic_fetch_add(&k->shm->engine, 1);
	if (make_pair(&k->control, &k->fds[0]) == 0 && make_pair(&k->passed, &vault) == 0) {
		k->fds[FD_VAULT] = vault;
		pid = engine_fork(k);
	}
	if (pid < 0) {
		log_error("no engine can be started: %s", strerror(errno));
		close_pair(&k->control, &k->fds[0]);
		close_pair(&k->passed, &vault);
		engine_later(k, false, false);
		return;
	}
	close(k->fds[0]);
	close(vault);
	k->engine = pid;
	k->ready = k->reloading = false;
	k->ticks = 0;
	memset(k->watched, 0, sizeof(k->watched));
	k->born_ns = clock_mono_ns();
	k->born_traffic = traffic(k);
	atomic_fetch_add(&k->shm->engine_starts, 1);
	log_info("engine started pid=%d", (int)pid);
}

static void engine_tell(struct keeper *k, uint32_t verb, uint32_t value)
{
	struct control c = { verb, value };

	if (k->control >= 0 && send(k->control, &c, sizeof(c), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("engine pid=%d does not listen: %s", (int)k->engine, strerror(errno));
}

static void engine_kill(struct keeper *k, const char *why)
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

/* SIGCHLD: the engine may be gone. */
static void engine_reap(struct keeper *k)
{
	uint64_t age_ns = clock_mono_ns() - k->born_ns;
	bool progress;
	int status;

	if (k->engine == 0 || waitpid(k->engine, &status, WNOHANG) != k->engine)
		return;
	if (k->stage == RUNNING || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_death(k->engine, status);
	k->engine = 0;
	if (k->control >= 0)
		close(k->control);
	k->control = -1;
	(void)vault_hear(&k->vault, k->passed);
	close(k->passed);
	k->passed = -1;
	vault_sweep(&k->vault);
	atomic_store(&k->shm->suspect, k->killed || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL));
	k->killed = false;
	/* One that gives up by itself has a reason that trying again does not cure. */
	progress = traffic(k) != k->born_traffic || (k->ready && age_ns >= ms_ns(PROGRESS_MS));
	engine_later(k, progress, WIFEXITED(status));
}

/*
 * HUP: the engine loads the code tables again, one load at a time. However many are asked for
 * meanwhile, one more follows.
 */
static void reload(struct keeper *k)
{
	char state[64];

	k->again = !k->ready || k->reloading;
	if (k->again || k->stage != RUNNING)
		return;
	log_warn("HUP: loading the code tables and certificates again; the rest of the configuration stays as it is: "
		 "restart to apply another one");
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(clock_mono_ns() / 1000));
	notify_send(state);
	k->reloading = true;
	engine_tell(k, CONTROL_RELOAD, 0);
}

/* To the service manager: at work, or again at work. */
static void tell_ready(const struct keeper *k)
{
	char state[96];

	snprintf(state, sizeof(state), "%sSTATUS=links=%d engine=%d",
		k->stage == RUNNING ? "READY=1\n" : "", k->settings->link_count, (int)k->engine);
	notify_send(state);
}

static void engine_ready(struct keeper *k)
{
	k->ready = k->was_ready = true;
	k->ticks = 0;
	log_info("engine ready pid=%d after_ms=%u", (int)k->engine,
		(unsigned)((clock_mono_ns() - k->born_ns) / 1000000u));
}

/* A packet from the engine, or its end of the socket closed. */
static void engine_hear(struct keeper *k)
{
	struct control c = { 0 };
	ssize_t n = recv(k->control, &c, sizeof(c), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(k->control);
		k->control = -1;
		return;
	}
	if (n != (ssize_t)sizeof(c) || (c.verb != CONTROL_READY && c.verb != CONTROL_RELOADED))
		return;
	if (c.verb == CONTROL_READY)
		engine_ready(k);
	k->reloading = false;
	tell_ready(k);
	if (k->again)
		reload(k);
}

/* Sockets from the engine. */
static void engine_pass(struct keeper *k)
{
	if (vault_hear(&k->vault, k->passed))
		return;
	close(k->passed);
	k->passed = -1;
}

/* A session that drains may wait for its peer's FIN when the time of the drain is over. */
static uint32_t longest_linger_ms(const struct settings *s)
{
	uint32_t ms = 0;

	for (int i = 0; i < s->link_count; i++)
		if (s->links[i].linger_timeout_ms > ms)
			ms = s->links[i].linger_timeout_ms;
	return ms;
}

/* TERM and INT. A drain may be cut short by a stop; nothing goes back. */
static void end(struct keeper *k, enum stage stage, const char *signal_name)
{
	uint32_t drain_ms = stage == DRAINING ? k->settings->drain_timeout_ms : 0;
	uint64_t wait_ms = END_GRACE_MS;

	if (k->stage == STOPPING)
		return;
	if (k->stage == RUNNING)
		notify_send("STOPPING=1");
	k->stage = stage;
	log_info("ending signal=%s sessions_may_take_ms=%u", signal_name, drain_ms);
	engine_tell(k, stage == DRAINING ? CONTROL_DRAIN : CONTROL_STOP, drain_ms);
	if (stage == DRAINING)
		wait_ms += drain_ms + (uint64_t)longest_linger_ms(k->settings);
	k->kill_at_ns = clock_mono_ns() + ms_ns(wait_ms);
}

static void on_signal(struct keeper *k, uint32_t number)
{
	switch (number) {
	case SIGCHLD:
		engine_reap(k);
		return;
	case SIGTERM:
		end(k, k->stage == RUNNING ? DRAINING : STOPPING, "TERM");
		return;
	case SIGINT:
		end(k, STOPPING, "INT");
		return;
	case SIGUSR1:
		log_info("log files are reopened");
		engine_tell(k, CONTROL_REOPEN, 0);
		return;
	case SIGHUP:
		/* A link started on a terminal goes with it; once hung up it is none. */
		if (k->options->quick && k->terminal && !isatty(STDERR_FILENO))
			end(k, STOPPING, "HUP");
		else
			reload(k);
		return;
	default:
		log_warn("USR2 changes nothing: restart to run another version");
	}
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(k, info.ssi_signo);
}

/*
 * Has a thread of the engine stopped? Counted in our own ticks, not by the clock: when the whole
 * machine or both of us were frozen, nobody stood still.
 */
static void watch(struct keeper *k)
{
	char why[64];
	uint32_t count = k->worker_count + (k->ready ? 2 : 1);

	k->ticks++;
	if (!k->ready && k->ticks >= READY_TICKS) {
		k->ticks = 0;
		engine_kill(k, "does not become ready");
	}
	for (uint32_t i = 0; i < count; i++) {
		const _Atomic uint64_t *at = i < k->worker_count ? &k->shm->beat_worker_ns[i] :
			i == k->worker_count ? &k->shm->beat_front_ns : &k->shm->beat_scribe_ns;
		uint64_t beat = atomic_load(at);

		k->watched[i].still = beat == k->watched[i].beat ? k->watched[i].still + 1 : 0;
		k->watched[i].beat = beat;
		if (k->watched[i].still < STILL_TICKS)
			continue;
		if (i < k->worker_count)
			snprintf(why, sizeof(why), "stands still (worker %u)", (unsigned)i);
		else
			snprintf(why, sizeof(why), "stands still (%s)",
				i == k->worker_count ? "front" : "scribe");
		k->watched[i].still = 0;
		engine_kill(k, why);
		return;
	}
}

/* Do what is due at `now`; returns when the next thing is. */
static uint64_t do_due(struct keeper *k, uint64_t now)
{
	uint64_t next;

	if (k->engine == 0 && k->stage == RUNNING && now >= k->start_at_ns)
		engine_start(k);
	if (k->engine != 0 && k->stage != RUNNING && now >= k->kill_at_ns) {
		engine_kill(k, "does not end");
		k->kill_at_ns = now + ms_ns(END_GRACE_MS);
	}
	if (now >= k->tick_at_ns) {
		if (k->engine != 0)
			watch(k);
		k->tick_at_ns = now + ms_ns(TICK_MS);
	}
	if (now >= k->sweep_at_ns) {
		vault_sweep(&k->vault);
		k->sweep_at_ns = now + ms_ns(SWEEP_MS);
	}
	if (k->feed_every_ns != 0 && now >= k->feed_at_ns) {
		notify_send("WATCHDOG=1");
		k->feed_at_ns = now + k->feed_every_ns;
	}
	next = k->tick_at_ns < k->sweep_at_ns || k->vault.count == 0 ? k->tick_at_ns : k->sweep_at_ns;
	if (k->engine == 0 && k->start_at_ns < next)
		next = k->start_at_ns;
	if (k->feed_every_ns != 0 && k->feed_at_ns < next)
		next = k->feed_at_ns;
	return next;
}

static void keeper_loop(struct keeper *k)
{
	while (k->engine != 0 || k->stage == RUNNING) {
		uint64_t now = clock_mono_ns(), next = do_due(k, now);
		int wait_ms = next > now ? (int)((next - now) / 1000000u) + 1 : 0;
		struct pollfd from[] = {
			{ .fd = k->signal_fd, .events = POLLIN },
			{ .fd = k->control, .events = POLLIN },
			{ .fd = k->passed, .events = POLLIN },
		};

		if (poll(from, 3, wait_ms) <= 0)
			continue;
		if (from[2].revents != 0)
			engine_pass(k);
		if (from[1].revents != 0)
			engine_hear(k);
		if (from[0].revents != 0)
			read_signals(k);
	}
}

static int open_signals(void)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* were it ignored, as inherited, a death would leave no status */
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Everything but the listeners, which fds[FIXED_FDS…] already hold. */
static int keeper_open(struct keeper *k)
{
	const struct settings *s = k->settings;
	int err;

	k->signal_fd = open_signals();
	if (k->signal_fd < 0)
		return -errno;
	k->fds[1] = shm_create(s->workers, s->ring_size, s->max_sessions, s->stories,
		s->hold_max);
	if (k->fds[1] < 0)
		return k->fds[1];
	k->shm = shm_map(k->fds[1]);
	if (k->shm == NULL)
		return -errno;
	k->worker_count = k->shm->workers;
	k->ring_count = k->shm->ring_count;
	for (uint32_t i = 0; i < k->ring_count; i++)
		k->rings[i] = shm_ring(k->shm, (int)i);
	err = vault_init(&k->vault, k->shm);
	if (err < 0)
		return err;
	k->fds[2] = engine_settings_fd(s);
	return k->fds[2] < 0 ? k->fds[2] : 0;
}

/* Where the engine finds it: behind the listeners. */
static int *control_fd(struct keeper *k)
{
	return &k->fds[FIXED_FDS + listen_count(k->settings)];
}

/*
 * The control socket. That the default place is taken or out of reach is no reason to leave a link
 * without its proxy; that the place asked for is, the operator wants to know.
 */
static int open_control(struct keeper *k)
{
	const struct settings *s = k->settings;
	bool asked = conf_origin(CONF_TOP, s, "control")->file != NULL;
	int err;

	if (s->control[0] == '\0')
		return 0;
	err = control_path_open(s->control, &k->control_path);
	if (err == 0) {
		*control_fd(k) = k->control_path.fd;
		k->fd_count++;
		return 0;
	}
	if (asked)
		log_error("cannot listen control=%s: %s", s->control,
			err == -EADDRINUSE ? "another smscoped answers there" : err_text(err));
	else
		log_warn("no control socket at %s: %s", s->control,
			err == -EADDRINUSE ? "another smscoped answers there" : err_text(err));
	return asked ? err : 0;
}

static int open_listeners(struct keeper *k)
{
	if (listen_open(k->settings, k->fds + FIXED_FDS) < 0)
		return EXIT_BIND;
	k->fd_count = FIXED_FDS + listen_count(k->settings);
	return open_control(k) < 0 ? EXIT_BIND : EXIT_OK;
}

static void keeper_close(struct keeper *k)
{
	vault_close(&k->vault);
	shm_unmap(k->shm);
	if (k->control_path.fd >= 0) {
		control_path_close(k->settings->control, &k->control_path);
		*control_fd(k) = -1;
	}
	k->fds[FD_VAULT] = -1; /* this and fds[0] are the engine's */
	for (int i = 1; i < k->fd_count; i++)
		if (k->fds[i] >= 0)
			close(k->fds[i]);
	if (k->signal_fd >= 0)
		close(k->signal_fd);
	free(k->fds);
}

int keeper_run(const struct settings *s, const struct options *o)
{
	struct keeper k = { .settings = s, .options = o, .signal_fd = -1, .control = -1,
		.passed = -1,
		.control_path.fd = -1, .fd_count = FIXED_FDS };
	int err;

	log_init("keeper", o->least);
	if (!s->core_dumps)
		secret_hide_process();
	k.terminal = isatty(STDERR_FILENO) == 1;
	k.feed_every_ns = ms_ns(notify_watchdog_ms()) / 2;
	k.fds = malloc((size_t)(FIXED_FDS + listen_count(s) + 1) * sizeof(*k.fds));
	if (k.fds == NULL)
		return EXIT_FAULT;
	for (int i = 0; i < FIXED_FDS; i++)
		k.fds[i] = -1;
	k.code = open_listeners(&k);
	if (k.code != EXIT_OK) {
		keeper_close(&k);
		return k.code;
	}
	err = keeper_open(&k);
	if (err == 0) {
		listen_announce(s, k.fds + FIXED_FDS, o->quick);
		keeper_loop(&k);
	} else {
		log_error("cannot start: %s", err_text(err));
		k.code = EXIT_FAULT;
	}
	keeper_close(&k);
	log_info("ended code=%d", k.code);
	return k.code;
}
