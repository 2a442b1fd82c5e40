#include "daemon/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin/control.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/thread.h"
#include "conf/conf.h"
#include "daemon/certificates.h"
#include "daemon/listen.h"
#include "daemon/options.h"
#include "daemon/plan.h"
#include "daemon/sinks.h"
#include "daemon/tables.h"
#include "net/front.h"
#include "net/tls.h"
#include "scribe/scribe.h"

enum {
	WATCH_S = 3600, /* so often the certificates' dates are looked at */
	CODES_TRIES = 4, /* a second apart */
	OLDER_MS = 1000,
};

/*
 * Two threads here: the main one runs the front; the second one, `late`, brings up what relaying
 * does not need (codes, sinks, scribe), says "ready", then loads code tables again whenever it is
 * asked. The rest have threads of their own.
 */
struct engine {
	struct settings *settings;
	struct shm *shm;
	struct front_listener *listeners;
	int listener_count;
	struct tls *tls;
	struct front *front;
	struct admin admin;
	struct control *control; /* NULL: no control socket */
	pthread_t late;
	struct sinks sinks;
	struct edit_plan *plan;  /* over `codes` */
	struct code_set *codes; /* of `late` until that has ended; the scribe borrows it */
	struct scribe *scribe;
	sem_t wake;            /* for `late`: something of these is wanted */
	_Atomic bool ending, reload;
	bool late_ended;       /* it is joined */
	bool blind;            /* engines before us died: relay, and nothing else */
};

int engine_settings_fd(const struct settings *s)
{
	int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	int fd = memfd_create("smscope-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	FILE *to = copy >= 0 ? fdopen(copy, "w") : NULL;

	if (to == NULL)
		goto fail;
	err = conf_dump(s, to);
	if (fclose(to) == 0 && err == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0)
		return fd;
	close(fd);
	return err < 0 ? err : -EIO;
fail:
	err = -errno;
	if (copy >= 0)
		close(copy);
	if (fd >= 0)
		close(fd);
	return err;
}

static __attribute__((noreturn)) void cannot_start(const char *what)
{
	log_error("engine cannot start: %s: %s", what, strerror(errno));
	_exit(EXIT_FAULT);
}

/* fds[i] to the number `to`; whoever stands there, its index + 1 in owner[], gets the number that becomes free. */
static void place_fd(int *fds, int i, int to, int *owner, int end)
{
	int from = fds[i], k = owner[to] - 1, away = -1;

	if (k >= 0 && (away = fcntl(to, F_DUPFD_CLOEXEC, 0)) < 0)
		cannot_start("one descriptor more is needed");
	if (dup2(from, to) < 0 || (k >= 0 && dup2(away, from) < 0))
		cannot_start("what the keeper has open");
	close(k >= 0 ? away : from);
	if (k >= 0)
		fds[k] = from;
	if (from < end)
		owner[from] = k + 1;
}

/*
 * fds[i] to the number ENGINE_FD_CONTROL + i, without the flag that closes it. There may be hardly a free number, so
 * nothing but the one in hand is open twice.
 */
static void place_fds(int *fds, int count)
{
	int end = ENGINE_FD_CONTROL + count, *owner = calloc((size_t)end, sizeof(*owner));

	if (owner == NULL)
		cannot_start("what the keeper has open");
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0 && fds[i] < end)
			owner[fds[i]] = i + 1;
	for (int i = 0; i < count; i++) {
		int to = ENGINE_FD_CONTROL + i;

		if (fds[i] != to)
			place_fd(fds, i, to, owner, end);
		else if (fcntl(to, F_SETFD, 0) < 0)
			cannot_start("what the keeper has open");
	}
	free(owner);
}

void engine_exec(const struct engine_start *how, int *fds, int count)
{
	static char name[] = "smscoped", blind[] = "--blind";
	char *argv[] = { name, (char *)options_engine(how->least), how->blind ? blind : NULL, NULL };
	int null = open("/dev/null", O_RDWR), end = ENGINE_FD_CONTROL + count;
	sigset_t none;

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
	if (how->program >= 0)
		fds[count] = how->program; /* behind the rest, and closed by the exec */
	place_fds(fds, how->program >= 0 ? count + 1 : count);
	if (how->program >= 0)
		(void)fcntl(end++, F_SETFD, FD_CLOEXEC);
	close_range((unsigned)end, ~0u, 0);
	setpgid(0, 0); /* Ctrl-C is for the keeper, who passes it on */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv("NOTIFY_SOCKET");
	if (how->program >= 0)
		execveat(end - 1, "", argv, environ, AT_EMPTY_PATH);
	else
		execv("/proc/self/exe", argv);
	cannot_start("exec");
}

/* Signals meant for smscoped may reach both processes; only the keeper acts on them. */
static void ignore_signals(void)
{
	static const int ignored[] = {
		SIGPIPE, SIGXFSZ, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGTTOU, SIGTTIN,
	};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Messages of the loader as lines of the operator log. */
static void log_faults(char *text)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			log_error("%s", line);
}

static struct settings *load_settings(void)
{
	struct conf_faults faults = { .look_up = LOOK_UP_NONE }; /* the keeper listens already */
	struct settings *s;
	char *text = NULL;
	size_t len;

	faults.to = open_memstream(&text, &len);
	s = conf_load_fd(ENGINE_FD_SETTINGS, &faults);
	if (faults.to != NULL)
		fclose(faults.to);
	if (s == NULL && text != NULL)
		log_faults(text);
	free(text);
	return s;
}

/* The keeper had loaded these tables: what stops them now may pass, as a flood that has taken every descriptor. */
static struct code_set *load_codes_patiently(const struct settings *s)
{
	struct code_set *codes = tables_load(s);

	for (int i = 1; codes == NULL && i < CODES_TRIES; i++) {
		sleep(1);
		codes = tables_load(s);
	}
	if (codes == NULL)
		log_error("running without meanings: the code tables do not load");
	return codes;
}

/* No PDU is looked at, so none can be waited for. */
static void see_nothing(struct settings *s)
{
	s->blind = true;
	for (int i = 0; i < s->link_count; i++) {
		struct link_settings *l = &s->links[i];

		l->dial = DIAL_ACCEPT;
		l->account_count = 0;
		l->max_per_account = l->logins_per_minute = 0;
	}
	log_error("relaying blind: PDUs are not looked at, nothing is logged or rewritten");
}

static int number_links(struct engine *e)
{
	for (int i = 0; i < e->settings->link_count; i++) {
		struct link_settings *l = &e->settings->links[i];

		l->number = shm_link_number(e->shm, l->name);
		if (l->number < 0)
			return -ENOSPC;
	}
	return 0;
}

static bool listens(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

static int adopt_listeners(struct engine *e)
{
	int n = listen_count(e->settings), fd = ENGINE_FD_LISTENERS;

	e->listeners = calloc((size_t)n + 1, sizeof(*e->listeners));
	if (e->listeners == NULL)
		return -ENOMEM;
	for (int i = 0; i < e->settings->link_count; i++)
		for (int j = 0; j < e->settings->links[i].listen_count; j++, fd++) {
			if (!listens(fd))
				return -EBADF;
			e->listeners[e->listener_count++] = (struct front_listener){ fd, i };
		}
	return 0;
}

static void tell_keeper_value(uint32_t verb, uint32_t value)
{
	struct control c = { verb, value };

	send(ENGINE_FD_CONTROL, &c, sizeof(c), MSG_NOSIGNAL);
}

static void tell_keeper(uint32_t verb)
{
	tell_keeper_value(verb, 0);
}

/* True: somebody wants something. False: it is time to look at the certificates' dates. */
static bool await_wake(struct engine *e)
{
	struct timespec end;
	int got;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WATCH_S;
	while ((got = sem_timedwait(&e->wake, &end)) < 0 && errno == EINTR)
		;
	while (sem_trywait(&e->wake) == 0)
		;
	return got == 0;
}

/* The workers change over to rules over these tables. */
static void take_plan(struct engine *e, const struct code_set *codes)
{
	struct edit_plan *before = e->plan;

	e->plan = plan_new(e->settings, codes);
	if (before == NULL && e->plan == NULL)
		return;
	front_plan(e->front, e->plan);
	plan_free(before);
}

static void serve_reload(struct engine *e, struct certificates_told *told)
{
	struct code_set *next = tables_reload(e->settings, e->scribe, e->codes, &e->ending);
	bool fit;

	if (next != NULL) {
		take_plan(e, next);
		admin_codes(&e->admin, next);
		codes_free(e->codes);
		e->codes = next;
	}
	fit = certificates_reload(e->settings, e->tls, e->scribe);
	certificates_watch(e->settings, e->tls, e->scribe, told);
	tell_keeper_value(CONTROL_RELOADED, next == NULL || !fit);
}

/* What the keeper changed, or could not: a configuration, the program. */
static void tell_change(struct engine *e, const struct shm_change *c)
{
	struct record r;

	record_init(&r, REC_CONFIG);
	r.wall_ns = c->wall_ns;
	record_words_extra(&r, "what", c->upgrade ? "program" : "config");
	record_words_extra(&r, "state", c->failed ? "failed" : "ok");
	if (c->text[0] != '\0')
		record_words_extra(&r, c->failed ? "error" : "changes", c->text);
	(void)!scribe_change(e->scribe, NULL, &r);
}

/* Those, too, that came to their end when no engine could write. */
static void tell_changes(struct engine *e)
{
	uint64_t last = atomic_load(&e->shm->change_number), told = atomic_load(&e->shm->changes_told);

	if (e->scribe == NULL)
		return;
	if (last - told > SHM_CHANGES)
		told = last - SHM_CHANGES;
	while (told < last) {
		const struct shm_change *c = &e->shm->changes[++told % SHM_CHANGES];

		if (!c->quiet)
			tell_change(e, c);
		atomic_store(&e->shm->changes_told, told);
	}
}

/* Asked again meanwhile, it loads once more, not once each. */
static void serve_reloads(struct engine *e)
{
	struct certificates_told told = { 0 };
	bool woken;

	thread_background();
	certificates_watch(e->settings, e->tls, e->scribe, &told);
	for (;;) {
		tell_changes(e);
		woken = await_wake(e);
		if (atomic_load(&e->ending))
			break;
		if (!woken)
			certificates_watch(e->settings, e->tls, e->scribe, &told);
		else if (atomic_exchange(&e->reload, false))
			serve_reload(e, &told);
	}
	tell_changes(e);
	free(told.one);
}

static void *late_start(void *arg)
{
	struct engine *e = arg;

	thread_name("tables");
	if (e->blind) {
		tell_keeper(CONTROL_READY);
		return NULL;
	}
	e->codes = load_codes_patiently(e->settings);
	take_plan(e, e->codes);
	admin_codes(&e->admin, e->codes);
	sinks_open(&e->sinks);
	e->scribe = scribe_new(e->settings, e->shm, e->codes, e->sinks.all, e->sinks.count);
	if (e->scribe == NULL)
		log_error("relaying without records: no scribe");
	else
		admin_late(&e->admin, e->scribe);
	tell_keeper(CONTROL_READY);
	serve_reloads(e);
	return NULL;
}

/* Everything but the sessions ends first: their pause is as short as can be. */
static void engine_yield(struct engine *e, uint32_t limit_ms)
{
	uint32_t left;

	atomic_store(&e->ending, true);
	sem_post(&e->wake);
	pthread_join(e->late, NULL);
	e->late_ended = true;
	control_free(e->control);
	e->control = NULL;
	scribe_leave(e->scribe);
	e->scribe = NULL;
	sinks_leave(&e->sinks);
	left = front_yield(e->front, limit_ms);
	tell_keeper_value(CONTROL_YIELDED, left + e->sinks.stuck);
}

static void engine_drain(struct engine *e, uint32_t ms)
{
	atomic_store(&e->admin.ending, true);
	front_drain(e->front, ms);
}

/* One packet from the keeper; on_control of front_run(). */
static bool on_control(void *arg)
{
	struct engine *e = arg;
	struct control c = { 0 };
	ssize_t n = recv(ENGINE_FD_CONTROL, &c, sizeof(c), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n != (ssize_t)sizeof(c)) {
		uint32_t ms = e->settings->drain_timeout_ms;

		log_error("the keeper is gone: no new sessions, ending within %u ms", ms);
		engine_drain(e, ms);
		return false;
	}
	if (c.verb == CONTROL_DRAIN)
		engine_drain(e, c.value);
	else if (c.verb == CONTROL_STOP)
		front_stop(e->front);
	else if (c.verb == CONTROL_REOPEN)
		sinks_reopen(&e->sinks);
	else if (c.verb == CONTROL_YIELD && !e->late_ended)
		engine_yield(e, c.value);
	else if (c.verb == CONTROL_RELOAD || c.verb == CONTROL_TELL) {
		if (c.verb == CONTROL_RELOAD)
			atomic_store(&e->reload, true);
		sem_post(&e->wake);
	}
	return true;
}

static void ask_keeper(bool upgrade)
{
	tell_keeper_value(CONTROL_ASK, upgrade);
}

/* The control socket, if the keeper has one; an engine without it relays as well. */
static void serve_control(struct engine *e)
{
	int fd = ENGINE_FD_LISTENERS + listen_count(e->settings);

	admin_init(&e->admin, e->settings, e->shm, tls_status(e->tls), front_upstreams(e->front),
		SMSCOPE_VERSION);
	e->admin.ask = ask_keeper;
	if (!listens(fd))
		return;
	e->control = control_new(front_base(e->front), fd, &e->admin);
	if (e->control == NULL)
		log_error("no control socket: %s", err_text(-ENOMEM));
}

static int open_tls(struct engine *e)
{
	e->tls = tls_new(e->settings);
	if (e->tls == NULL)
		return -ENOMEM;
	return certificates_load(e->settings, e->tls);
}

/* What must stand before the first octet is relayed. */
static int engine_open(struct engine *e)
{
	int err;

	e->shm = shm_map(ENGINE_FD_SHM);
	if (e->shm == NULL) {
		log_error("no shared memory: an engine is started by its keeper, not by hand");
		return -EINVAL;
	}
	e->settings = load_settings();
	if (e->settings == NULL)
		return -EINVAL;
	if (!e->settings->core_dumps)
		secret_hide_process();
	if (e->blind)
		see_nothing(e->settings);
	err = number_links(e);
	if (err < 0) {
		log_error("more links than the shared memory has numbers for: restart");
		return err;
	}
	err = adopt_listeners(e);
	if (err < 0) {
		log_error("listeners do not fit the settings: %s", err_text(err));
		return err;
	}
	err = sinks_init(&e->sinks, e->shm, e->settings);
	if (err < 0)
		return err;
	err = open_tls(e);
	if (err < 0) {
		log_error("no TLS: %s", err_text(err));
		return err;
	}
	e->front = front_new(e->settings, e->shm, e->tls, ENGINE_FD_VAULT, e->listeners,
		e->listener_count);
	if (e->front == NULL)
		return -EINVAL;
	serve_control(e);
	return 0;
}

/* Told to end at once, older engines do so, too: what their sessions' ends left in the rings is ours to tell. */
static void await_older(const struct engine *e)
{
	for (int t = 0; t < OLDER_MS / 10 && e->scribe != NULL; t++) {
		bool any = false;

		for (int i = 0; i < SHM_SETS; i++)
			any = any || atomic_load(&e->shm->older[i]) != 0;
		if (!any)
			return;
		usleep(10000);
	}
}

/* The scribe drains what the workers left, then the sinks write it. */
static void engine_close(struct engine *e)
{
	control_free(e->control);
	front_free(e->front);
	await_older(e);
	plan_free(e->plan);
	tls_free(e->tls);
	scribe_free(e->scribe);
	sinks_end(&e->sinks);
	sinks_fini(&e->sinks);
	codes_free(e->codes);
	free(e->listeners);
	settings_free(e->settings);
	if (!e->sinks.stuck)
		shm_unmap(e->shm);
}

int engine_main(enum log_level least, bool blind)
{
	struct engine e = { .blind = blind };
	int err;

	sem_init(&e.wake, 0, 0);
	log_init("engine", least);
	ignore_signals();
	prctl(PR_SET_NAME, "smscoped"); /* else it is named after /proc/self/exe */
	err = engine_open(&e);
	if (err == 0) {
		err = -pthread_create(&e.late, NULL, late_start, &e);
		if (err < 0)
			log_error("no thread: %s", err_text(err));
	}
	if (err == 0) {
		err = front_run(e.front, ENGINE_FD_CONTROL, on_control, &e);
		atomic_store(&e.ending, true);
		sem_post(&e.wake);
		if (!e.late_ended)
			pthread_join(e.late, NULL);
	}
	engine_close(&e);
	return err == 0 ? 0 : 1;
}
