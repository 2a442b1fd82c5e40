#include "daemon/keeper_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/notify.h"
#include "base/secret.h"
#include "conf/conf_keys.h"
#include "daemon/listen.h"
#include "scribe/scribe.h"
#include "sink/sink.h"

/*
 * The keeper owns what must outlive an engine: listeners, shared memory, the settings in effect, and a
 * duplicate of every plain session's sockets. It reads signals, the engine's "ready" and the engine's
 * death, and never an octet of a peer.
 *
 *   start ─▶ engine ─ died ─▶ wait 0 … 5 s ─▶ start …         TERM: drain, INT: stop, then end
 */
enum {
	TICK_MS = 1000,        /* beats are looked at so often */
	SWEEP_MS = 250,        /* sockets of sessions that are over are closed so often */
	END_GRACE_MS = 5000,   /* an engine told to end is killed so long after its time */
};

/* " last reload failed: …" if it did, on one line; else nothing. */
static void put_failed(const struct keeper *k, int kind, char *to, size_t cap)
{
	const struct shm_change *c = shm_last(k->shm, kind);
	char text[124];

	to[0] = '\0';
	if (c == NULL || !c->failed)
		return;
	keeper_fit(text, sizeof(text), c->text);
	snprintf(to, cap, " last %s failed: %s", kind == SHM_UPGRADE ? "upgrade" : "reload", text);
	for (char *p = to; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
}

void keeper_tell_ready(const struct keeper *k)
{
	char state[480], failed[SHM_CHANGE_KINDS][160];

	for (int i = 0; i < SHM_CHANGE_KINDS; i++)
		put_failed(k, i, failed[i], sizeof(failed[i]));
	snprintf(state, sizeof(state), "%sSTATUS=links=%d engine=%d%s%s%s",
		k->stage == RUNNING ? "READY=1\n" : "", k->plan.settings->link_count, (int)k->engine,
		k->blind ? " BLIND" : "", failed[SHM_RELOAD], failed[SHM_UPGRADE]);
	notify_send(state);
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

/* The numbers stay taken: two plans may have them. */
static void close_listeners_of(const struct keeper *k, const struct plan_fds *plan)
{
	int count = plan->settings != NULL ? listen_count(plan->settings) : 0;

	for (int i = 0; i < count; i++)
		if (dup3(k->plan.fds[FD_SHM], plan->fds[FIXED_FDS + i], O_CLOEXEC) < 0)
			log_warn("a listener stays open: %s", strerror(errno));
}

/* Nobody is let in any more, and who comes shall not wait for that in a queue. */
static void close_listeners(struct keeper *k)
{
	const struct keeper_change *c = &k->change;

	if (c->kind != CHANGE_NONE && c->step == STEP_YIELD)
		return; /* the next engine begins with them; then we are called again */
	close_listeners_of(k, &k->plan);
	close_listeners_of(k, &c->before);
	close_listeners_of(k, &c->after);
}

void keeper_tell_end(struct keeper *k, bool older)
{
	uint32_t drain_ms = k->stage == DRAINING ? k->plan.settings->drain_timeout_ms : 0;
	uint32_t verb = k->stage == DRAINING ? CONTROL_DRAIN : CONTROL_STOP;

	close_listeners(k);
	engine_tell(k, verb, drain_ms);
	if (older)
		older_tell(k, verb, drain_ms);
}

/* TERM and INT. A drain may be cut short by a stop; nothing goes back. */
static void end(struct keeper *k, enum stage stage, const char *signal_name)
{
	uint32_t drain_ms = stage == DRAINING ? k->plan.settings->drain_timeout_ms : 0;
	uint64_t wait_ms = END_GRACE_MS;

	if (k->stage == STOPPING)
		return;
	if (k->stage == RUNNING)
		notify_send("STOPPING=1");
	k->stage = stage;
	change_stop(k);
	log_info("ending signal=%s sessions_may_take_ms=%u", signal_name, drain_ms);
	keeper_tell_end(k, true);
	if (stage == DRAINING)
		wait_ms += drain_ms + (uint64_t)longest_linger_ms(k->plan.settings);
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
			change_ask(k, CHANGE_CONFIG);
		return;
	default:
		change_ask(k, CHANGE_PROGRAM);
	}
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(k, info.ssi_signo);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Do what is due at `now`; returns when the next thing is. */
static uint64_t do_due(struct keeper *k, uint64_t now)
{
	uint64_t next = change_due(k, now);

	next = sooner(next, keeper_move_due(k, now));
	if (k->engine == 0 && k->stage == RUNNING && now >= k->start_at_ns)
		engine_start(k);
	if (k->stage != RUNNING && now >= k->kill_at_ns) {
		if (k->engine != 0)
			engine_kill(k, "does not end");
		older_kill(k);
		k->kill_at_ns = now + ms_ns(END_GRACE_MS);
	}
	if (now >= k->tick_at_ns) {
		engine_watch(k);
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
	next = sooner(next, k->tick_at_ns);
	if (k->vault.count > 0)
		next = sooner(next, k->sweep_at_ns);
	if (k->engine == 0 && k->stage == RUNNING)
		next = sooner(next, k->start_at_ns);
	if (k->feed_every_ns != 0)
		next = sooner(next, k->feed_at_ns);
	return next;
}

static void keeper_loop(struct keeper *k)
{
	while (k->engine != 0 || older_any(k) || k->stage == RUNNING) {
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

/* A queue for each log, and room for a few that a later configuration may name. */
static int make_shm(const struct settings *s)
{
	enum { MORE = 2 };
	uint64_t bytes[SHM_SINKS_MAX], most = 0;
	struct shm_wish wish = { s->workers, s->ring_size, s->max_sessions, s->stories, s->hold_max,
		scribe_shared_bytes(), bytes, 0 };

	for (int i = 0; i < s->sink_count && i < SHM_SINKS_MAX - MORE; i++) {
		bytes[wish.sink_count++] = sink_shared_bytes(&s->sinks[i]);
		if (bytes[i] > most)
			most = bytes[i];
	}
	for (int i = 0; i < MORE && most > 0; i++)
		bytes[wish.sink_count++] = most;
	return shm_create(&wish);
}

int keeper_map(struct keeper *k)
{
	k->signal_fd = open_signals();
	if (k->signal_fd < 0)
		return -errno;
	k->shm = shm_map(k->plan.fds[FD_SHM]);
	if (k->shm == NULL)
		return -errno;
	k->worker_count = k->shm->workers;
	for (uint32_t i = 0; i < k->shm->ring_count; i++)
		k->rings[i] = shm_ring(k->shm, (int)i);
	return vault_init(&k->vault, k->shm);
}

/* Everything but the listeners, which fds[FIXED_FDS…] already hold. */
static int keeper_open(struct keeper *k)
{
	const struct settings *s = k->plan.settings;
	int *fds = k->plan.fds, err;

	fds[FD_SHM] = make_shm(s);
	if (fds[FD_SHM] < 0)
		return fds[FD_SHM];
	err = keeper_map(k);
	if (err < 0)
		return err;
	fds[FD_SETTINGS] = engine_settings_fd(s);
	return fds[FD_SETTINGS] < 0 ? fds[FD_SETTINGS] : 0;
}

/* Where the engine finds it: behind the listeners. */
static int *control_fd(struct keeper *k)
{
	return &k->plan.fds[FIXED_FDS + listen_count(k->plan.settings)];
}

/*
 * The control socket. That the default place is taken or out of reach is no reason to leave a link
 * without its proxy; that the place asked for is, the operator wants to know.
 */
static int open_control(struct keeper *k)
{
	const struct settings *s = k->plan.settings;
	bool asked = conf_origin(CONF_TOP, s, "control")->file != NULL;
	int err;

	if (s->control[0] == '\0')
		return 0;
	err = control_path_open(s->control, &k->control_path);
	if (err == 0) {
		*control_fd(k) = k->control_path.fd;
		k->plan.count++;
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
	struct plan_fds *p = &k->plan;

	if (listen_open(p->settings, k->options->passed, p->fds + FIXED_FDS) < 0)
		return EXIT_BIND;
	p->count = FIXED_FDS + listen_count(p->settings);
	return open_control(k) < 0 ? EXIT_BIND : EXIT_OK;
}

static void keeper_close(struct keeper *k)
{
	change_close(k);
	vault_close(&k->vault);
	shm_unmap(k->shm);
	if (k->control_path.fd >= 0) {
		control_path_close(k->plan.settings->control, &k->control_path);
		*control_fd(k) = -1;
	}
	plan_close(&k->plan, NULL);
	if (k->signal_fd >= 0)
		close(k->signal_fd);
	if (k->program >= 0)
		close(k->program);
	if (k->program_before >= 0)
		close(k->program_before);
	free(k->program_path);
}

/* Where the program that runs lies: a package puts the next version there. */
static char *program_path(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

static void keeper_init(struct keeper *k, const struct options *o)
{
	*k = (struct keeper){ .options = o, .signal_fd = -1, .control = -1, .passed = -1, .program = -1, .program_before = -1,
		.control_path.fd = -1, .plan.count = FIXED_FDS };
	log_init("keeper", o->least);
	k->terminal = isatty(STDERR_FILENO) == 1;
	k->feed_every_ns = ms_ns(notify_watchdog_ms()) / 2;
}

static int keeper_end(struct keeper *k, int err)
{
	if (err < 0) {
		log_error("cannot start: %s", err_text(err));
		k->code = EXIT_FAULT;
	}
	err = k->code;
	keeper_close(k);
	log_info("ended code=%d", err);
	return err;
}

int keeper_go_on(const struct options *o)
{
	struct keeper k;
	int err;

	keeper_init(&k, o);
	prctl(PR_SET_NAME, "smscoped"); /* else it is named after a descriptor */
	err = keeper_take_over(&k);
	if (err == 0 && !k.plan.settings->core_dumps)
		secret_hide_process();
	if (err == 0) {
		log_info("the keeper is the new program engine=%d sessions=%u", (int)k.engine,
			k.vault.count);
		engine_reap(&k); /* a SIGCHLD of meanwhile is lost */
		keeper_loop(&k);
	}
	return keeper_end(&k, err);
}

int keeper_run(struct settings *s, const struct options *o)
{
	struct keeper k;
	int err;

	keeper_init(&k, o);
	k.plan.settings = s;
	if (!s->core_dumps)
		secret_hide_process();
	k.program_path = program_path();
	k.plan.fds = malloc((size_t)(FIXED_FDS + listen_count(s) + 1) * sizeof(*k.plan.fds));
	if (k.plan.fds == NULL || k.program_path == NULL) {
		keeper_close(&k);
		return EXIT_FAULT;
	}
	for (int i = 0; i < FIXED_FDS; i++)
		k.plan.fds[i] = -1;
	k.code = open_listeners(&k);
	if (k.code != EXIT_OK) {
		err = k.code;
		keeper_close(&k);
		return err;
	}
	err = keeper_open(&k);
	if (err == 0) {
		listen_announce(s, k.plan.fds + FIXED_FDS, o->quick);
		keeper_loop(&k);
	}
	return keeper_end(&k, err);
}
