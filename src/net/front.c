#include "net/front.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/upstreams.h"
#include "net/access.h"
#include "net/admit.h"
#include "net/census.h"
#include "net/lookup.h"
#include "net/pace.h"
#include "net/probe.h"
#include "net/refusals.h"
#include "net/tls.h"

enum {
	ACCEPT_BUDGET = 64,       /* connections taken from one listener in a turn */
	PAUSE_MS = 200,           /* no accepting for so long when descriptors run out */
	TICK_MS = 200,            /* pulse, drain watch, pause */
	COMPLAIN_S = 10,          /* one line in so many seconds */
	TELL_BUDGET = 16,         /* refusals told in a tick */
	OLDER_MS = 1000,          /* to an engine of before that should have ended as we do */
};

struct gate {
	struct front *front;
	struct front_listener listener;
	struct event *event;
};

struct front {
	const struct settings *settings;
	struct shm *shm;
	uint32_t engine, set;     /* number of ours, and its set of rings */
	struct commons commons;
	struct lookups *lookups;
	struct probes *probes;
	struct event_base *base;
	struct event *tick_event, *control_event;
	struct worker *workers;
	struct gate *gates;
	int gate_count;
	int reserve_fd;           /* given up to accept and close one connection when descriptors run out */
	bool paused, draining, stopping, yielded;
	bool waiting;             /* a gate stays closed for want of an address to dial */
	uint64_t complained_ns, paused_ns, drain_end_ns;
	bool (*on_control)(void *arg);
	void *control_arg;
};

/** The one with the fewest sessions of those that have room for another; older engines may have slots of its share. */
static struct worker *front_idlest(struct front *f)
{
	struct worker *best = NULL;

	for (int i = 0; i < f->settings->workers; i++) {
		struct worker *w = &f->workers[i];

		if (atomic_load(&w->room) > 0 &&
			(best == NULL || atomic_load(&w->session_count) < atomic_load(&best->session_count)))
			best = w;
	}
	return best;
}

static uint32_t front_sessions(const struct front *f)
{
	uint32_t n = 0;

	for (int i = 0; i < f->settings->workers; i++)
		n += atomic_load(&f->workers[i].session_count);
	return n;
}

/** Older engines still have sessions: our scribe makes records of them, so we end behind them. */
static bool front_older(const struct front *f)
{
	for (int i = 0; i < SHM_SETS && !f->yielded; i++)
		if (atomic_load(&f->shm->older[i]) != 0)
			return true;
	return false;
}

static bool front_drained(const struct front *f)
{
	if (!f->draining)
		return false;
	return clock_mono_ns() >= f->drain_end_ns || (front_sessions(f) == 0 && !front_older(f));
}

/** For good: nobody waits in a queue that is never looked at again. */
static void front_close_gates(struct front *f)
{
	for (int i = 0; i < f->gate_count; i++) {
		struct gate *g = &f->gates[i];

		event_del(g->event);
		if (g->listener.fd >= 0)
			close(g->listener.fd);
		g->listener.fd = -1;
	}
}

/** Open or close all gates; those of a link whose servers' names are being looked up for the first time stay closed. */
static void front_gates(struct front *f, bool open)
{
	uint64_t now = clock_mono_ns();

	if (f->yielded || f->draining)
		return;
	f->waiting = false;
	for (int i = 0; i < f->gate_count; i++) {
		if (!open)
			event_del(f->gates[i].event);
		else if (lookups_settled(f->lookups, f->gates[i].listener.link, now))
			event_add(f->gates[i].event, NULL);
		else
			f->waiting = true;
	}
}

/** Tell of connections turned away: a worker has a ring to write to. */
static void front_tell_refusal(struct front *f, const struct refusal_count *r)
{
	struct worker_message m = { .kind = WORKER_REFUSED, .link = r->link, .how = r->how,
		.value = r->count, .peer = r->peer };

	if (!worker_tell(&f->workers[0], &m))
		refusals_again(f->commons.refusals, r);
}

/** It may not pass: close it at once, and say so once a second. */
static void gate_refuse(struct gate *g, const struct worker_message *m, enum end_how how)
{
	struct refusal_count r;

	close(m->fd);
	if (refusals_add(g->front->commons.refusals, m->link, how, &m->peer, clock_mono_ns(), &r))
		front_tell_refusal(g->front, &r);
}

/** Whether a connection may become a session, which is counted in then. A balancer's SP is not known yet. */
static enum end_how gate_admit(struct gate *g, struct worker_message *m)
{
	static const struct sockaddr_storage unknown = { .ss_family = AF_UNSPEC };
	const struct commons *c = &g->front->commons;
	const struct link_settings *l = &g->front->settings->links[m->link];
	enum end_how how = END_NONE;

	m->proxied = access_proxied(l, &m->peer);
	if (!m->proxied)
		how = admit_address(l, m->link, c->pace, &m->peer, clock_mono_ns());
	if (how != END_NONE)
		return how;
	how = census_enter(c->census, m->link, m->proxied ? &unknown : &m->peer);
	if (how != END_NONE)
		return how;
	how = tls_admit(c->tls, m->link, clock_mono_ns());
	if (how != END_NONE)
		census_leave(c->census, m->link, m->proxied ? &unknown : &m->peer);
	return how;
}

static void gate_hand_over(struct gate *g, struct worker_message *m)
{
	struct front *f = g->front;
	struct worker *w = front_idlest(f);
	struct sockaddr_storage counted;
	enum end_how how = w != NULL ? gate_admit(g, m) : END_LIMIT_SESSIONS;

	if (how != END_NONE) {
		gate_refuse(g, m, how);
		return;
	}
	atomic_fetch_sub(&w->room, 1); /* nobody else takes from it */
	atomic_fetch_add(&w->session_count, 1);
	if (worker_tell(w, m))
		return;
	atomic_fetch_sub(&w->session_count, 1);	/* its inbox is full: a flood */
	atomic_fetch_add(&w->room, 1);
	counted = m->peer;
	if (m->proxied)
		counted.ss_family = AF_UNSPEC;
	census_leave(f->commons.census, m->link, &counted);
	tls_end(f->commons.tls, m->link, TLS_REFUSED);
	gate_refuse(g, m, END_LIMIT_SESSIONS);
}

/**
 * No descriptor is left: the listener would be readable for ever. Take one connection off the queue with
 * the reserve, close it, and stop accepting for a moment.
 */
static void gate_exhausted(struct gate *g, int error)
{
	struct front *f = g->front;
	uint64_t now = clock_mono_ns();
	int fd;

	if (f->reserve_fd >= 0) {
		close(f->reserve_fd);
		fd = accept4(g->listener.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		f->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	front_gates(f, false);
	f->paused = true;
	f->paused_ns = now;
	if (f->complained_ns != 0 && now - f->complained_ns < COMPLAIN_S * 1000000000ull)
		return;
	f->complained_ns = now;
	log_error("accepting pauses for %d ms at a time: %s", PAUSE_MS, strerror(error));
}

static void gate_on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct gate *g = arg;

	(void)what;
	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		struct worker_message m = { .kind = WORKER_SESSION, .link = g->listener.link,
			.peer_len = sizeof(m.peer) };

		m.fd = accept4(listener, (struct sockaddr *)&m.peer, &m.peer_len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (m.fd >= 0) {
			gate_hand_over(g, &m);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			gate_exhausted(g, errno);
		else if (errno == ECONNABORTED || errno == EINTR)
			continue;
		return;
	}
}

static void front_tell_all(struct front *f, const struct worker_message *m)
{
	for (int i = 0; i < f->settings->workers; i++)
		while (!worker_tell(&f->workers[i], m))
			usleep(1000);	/* its inbox is full of sessions: it is being read */
}

/** Servers: names, probes, and what came of them. A worker has a ring to write to. */
static void front_mind_upstreams(struct front *f, uint64_t now)
{
	struct worker_message m = { .kind = WORKER_NEWS };

	lookups_tick(f->lookups, now);
	if (f->yielded)
		return; /* the newest engine probes, and tells */
	probes_tick(f->probes, now);
	if (upstreams_have_news(f->commons.upstreams))
		(void)worker_tell(&f->workers[0], &m);	/* if its inbox is full: in the next tick */
	if (f->waiting && !f->paused)
		front_gates(f, true);
}

static void front_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;
	uint64_t now = clock_mono_ns();
	struct refusal_count r;

	(void)fd;
	(void)what;
	/* Ahead of all else: the rings of an engine that has nothing left are another's by now. */
	if (front_drained(f)) {
		event_base_loopbreak(f->base);
		return;
	}
	if (shm_engine_lives(f->shm, f->engine))
		atomic_store(&f->shm->beat_front_ns[f->set], now);
	for (int i = 0; i < TELL_BUDGET && refusals_due(f->commons.refusals, now, &r); i++)
		front_tell_refusal(f, &r);
	front_mind_upstreams(f, now);
	if (f->paused && now - f->paused_ns >= PAUSE_MS * 1000000ull) {
		f->paused = false;
		front_gates(f, true);
	}
}

static void front_on_control(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;

	(void)fd;
	(void)what;
	if (!f->on_control(f->control_arg))
		event_del(f->control_event);
}

static int front_make_gates(struct front *f, const struct front_listener *listeners, int count)
{
	f->gates = calloc((size_t)count + 1, sizeof(*f->gates));
	if (f->gates == NULL)
		return -ENOMEM;
	for (; f->gate_count < count; f->gate_count++) {
		struct gate *g = &f->gates[f->gate_count];

		g->front = f;
		g->listener = listeners[f->gate_count];
		g->event = event_new(f->base, g->listener.fd, EV_READ | EV_PERSIST,
			gate_on_accept, g);
		if (g->event == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int front_start_workers(struct front *f)
{
	f->workers = calloc((size_t)f->settings->workers, sizeof(*f->workers));
	if (f->workers == NULL)
		return -ENOMEM;
	for (int i = 0; i < f->settings->workers; i++) {
		int err = worker_start(&f->workers[i], i, f->settings, f->shm,
			&f->commons);

		if (err < 0)
			return err;
	}
	return 0;
}

struct front *front_new(const struct settings *settings, struct shm *shm, struct tls *tls, int vault,
	const struct front_listener *listeners, int listener_count)
{
	struct front *f = calloc(1, sizeof(*f));
	struct timeval tick = { .tv_sec = 0, .tv_usec = TICK_MS * 1000 };
	int err = -ENOMEM;

	if (f == NULL)
		return NULL;
	f->settings = settings;
	f->shm = shm;
	f->engine = atomic_load(&shm->engine);
	f->set = atomic_load(&shm->set);
	f->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	f->base = event_base_new();
	f->commons = (struct commons){ census_new(settings), pace_new(),
		refusals_new(settings->link_count), tls, vault,
		upstreams_new(settings, clock_wall_ns(), clock_mono_ns()) };
	if (f->base == NULL || f->commons.census == NULL || f->commons.pace == NULL ||
		f->commons.refusals == NULL || f->commons.upstreams == NULL)
		goto fail;
	upstreams_share(f->commons.upstreams, shm);
	f->lookups = lookups_new(settings, f->commons.upstreams, f->base);
	f->probes = probes_new(settings, f->commons.upstreams, f->base);
	if (f->lookups == NULL || f->probes == NULL)
		goto fail;
	lookups_tick(f->lookups, clock_mono_ns());	/* what the hosts file has is known before anybody dials */
	f->tick_event = event_new(f->base, -1, EV_PERSIST, front_on_tick, f);
	if (f->tick_event == NULL || event_add(f->tick_event, &tick) < 0)
		goto fail;
	err = front_make_gates(f, listeners, listener_count);
	if (err < 0)
		goto fail;
	err = front_start_workers(f);
	if (err < 0)
		goto fail;
	atomic_store(&shm->beat_front_ns[f->set], clock_mono_ns());
	return f;
fail:
	log_error("the front cannot start: %s", err_text(err));
	front_free(f);
	return NULL;
}

const struct upstreams *front_upstreams(const struct front *f)
{
	return f->commons.upstreams;
}

struct event_base *front_base(struct front *f)
{
	return f->base;
}

int front_run(struct front *f, int control_fd, bool (*on_control)(void *arg), void *arg)
{
	f->on_control = on_control;
	f->control_arg = arg;
	if (control_fd >= 0) {
		f->control_event = event_new(f->base, control_fd, EV_READ | EV_PERSIST,
			front_on_control, f);
		if (f->control_event == NULL || event_add(f->control_event, NULL) < 0)
			return -ENOMEM;
	}
	front_gates(f, true);
	while (!f->stopping) {
		if (event_base_dispatch(f->base) < 0)
			return -errno;
		if (front_drained(f))
			break;
	}
	return 0;
}

void front_drain(struct front *f, uint32_t timeout_ms)
{
	struct worker_message m = { .kind = WORKER_DRAIN, .value = timeout_ms };
	uint32_t linger_ms = 0;

	if (f->draining && f->drain_end_ns != UINT64_MAX)
		return;
	for (int i = 0; i < f->settings->link_count; i++)
		if (f->settings->links[i].linger_timeout_ms > linger_ms)
			linger_ms = f->settings->links[i].linger_timeout_ms;
	f->draining = true;
	if (front_older(f))
		linger_ms += OLDER_MS;
	f->drain_end_ns = clock_mono_ns() + ((uint64_t)timeout_ms + linger_ms) * 1000000u;
	front_close_gates(f);
	front_tell_all(f, &m);
}

void front_plan(struct front *f, const struct edit_plan *plan)
{
	struct worker_message m = { .kind = WORKER_PLAN, .plan = plan };
	sem_t taken;

	sem_init(&taken, 0, 0);
	m.taken = &taken;
	for (int i = 0; i < f->settings->workers; i++) {
		while (!worker_tell(&f->workers[i], &m))
			usleep(1000);
	}
	for (int i = 0; i < f->settings->workers; i++) {
		while (sem_wait(&taken) < 0 && errno == EINTR)
			;
	}
	sem_destroy(&taken);
}

uint32_t front_yield(struct front *f, uint32_t limit_ms)
{
	struct worker_message m = { .kind = WORKER_YIELD };
	sem_t done;

	f->yielded = true;
	lookups_leave(f->lookups);
	front_close_gates(f);
	sem_init(&done, 0, 0);
	m.taken = &done;
	front_tell_all(f, &m);
	for (int i = 0; i < f->settings->workers; i++) {
		while (sem_wait(&done) < 0 && errno == EINTR)
			;
	}
	sem_destroy(&done);
	if (limit_ms > 0) {
		front_drain(f, limit_ms);
	} else {
		f->draining = true;
		f->drain_end_ns = UINT64_MAX;
	}
	return front_sessions(f);
}

void front_stop(struct front *f)
{
	f->stopping = true;
	event_base_loopbreak(f->base);
}

void front_free(struct front *f)
{
	struct worker_message stop = { .kind = WORKER_STOP };

	if (f == NULL)
		return;
	for (int i = 0; f->workers != NULL && i < f->settings->workers; i++) {
		if (!f->workers[i].started)
			continue;
		while (!worker_tell(&f->workers[i], &stop))
			usleep(1000);
		worker_join(&f->workers[i]);
	}
	free(f->workers);
	for (int i = 0; f->gates != NULL && i < f->gate_count; i++)
		event_free(f->gates[i].event);
	free(f->gates);
	if (f->control_event != NULL)
		event_free(f->control_event);
	if (f->tick_event != NULL)
		event_free(f->tick_event);
	probes_free(f->probes);
	lookups_free(f->lookups);
	if (f->base != NULL)
		event_base_free(f->base);
	upstreams_free(f->commons.upstreams);
	census_free(f->commons.census);
	pace_free(f->commons.pace);
	refusals_free(f->commons.refusals);
	if (f->reserve_fd >= 0)
		close(f->reserve_fd);
	free(f);
}
