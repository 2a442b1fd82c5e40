#include "net/edits.h"
#include "net/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/admit.h"
#include "net/foreign.h"
#include "net/refusals.h"
#include "net/resume.h"

enum { SCRATCH_LEAST = 128 * 1024, BEAT_MS = 500, IDLE_BEATS = 2, DEAD_BEATS = 4 };

void worker_tick(struct worker *w)
{
	w->mono_ns = clock_mono_ns();
	w->wall_ns = clock_wall_ns();
}

void worker_queue(struct worker *w, struct session *s)
{
	if (s->queued || s->shared->state == SESSION_CLOSED)
		return;
	s->queued = true;
	TAILQ_INSERT_TAIL(&w->run, s, run);
}

void worker_watch(struct worker *w, struct session *s)
{
	if (s->watched || s->shared->state == SESSION_CLOSED)
		return;
	s->watched = true;
	TAILQ_INSERT_TAIL(&w->watch, s, watch);
}

void worker_queue_shake(struct worker *w, struct session *s)
{
	if (s->waits || s->shared->state == SESSION_CLOSED)
		return;
	s->waits = true;
	TAILQ_INSERT_TAIL(&w->shake, s, shake);
}

bool worker_tell(struct worker *w, const struct worker_message *m)
{
	ssize_t n;

	do
		n = write(w->inbox[1], m, sizeof(*m));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*m);
}

bool worker_report_refused(struct worker *w, const struct refusal_count *r)
{
	struct session_event e = { .kind = EVENT_REFUSED, .side = SIDE_US, .how = (uint8_t)r->how,
		.value = r->count };
	struct ring_entry *entry = ring_reserve(w->ring, sizeof(e), true, w->wall_ns);

	if (entry == NULL)
		return false;
	leg_address_text(&r->peer, r->peer.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
		sizeof(struct sockaddr_in6), e.text, sizeof(e.text));
	*entry = (struct ring_entry){ .size = entry->size, .kind = RING_EVENT,
		
		.link = (uint16_t)w->settings->links[r->link].number, .len = sizeof(e), .wire_len = sizeof(e), .mono_ns = w->mono_ns, .wall_ns = w->wall_ns };
	memcpy(ring_octets(entry), &e, sizeof(e));
	ring_publish(w->ring, entry);
	return true;
}

/** End every session: at once, or politely with FINs and linger_timeout. */
static void worker_end_sessions(struct worker *w, bool at_once)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&w->all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all);
		session_cause(s, SIDE_US, END_SHUTDOWN, 0, NULL);
		if (at_once)
			session_close(s);
		else
			session_end(s);
	}
}

/** Sessions that can go on in the next engine leave this one, as they are. */
static void worker_yield(struct worker *w)
{
	struct session *s, *next;

	w->foreign_count = 0; /* what others leave is for who accepts now; they go on counting as they did */
	for (s = TAILQ_FIRST(&w->all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all);
		if (session_can_yield(s))
			session_yield(s);
	}
}

static void worker_on_drained(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	worker_tick(arg);
	worker_end_sessions(arg, false);
}

static void worker_on_message(struct worker *w, const struct worker_message *m)
{
	struct timeval tv = { .tv_sec = (time_t)(m->value / 1000),
		.tv_usec = (suseconds_t)(m->value % 1000) * 1000 };
	struct refusal_count refused;

	switch (m->kind) {
	case WORKER_SESSION:
		session_open(w, m);
		break;
	case WORKER_REFUSED:
		refused = (struct refusal_count){ m->link, m->how, m->value, m->peer };
		if (!worker_report_refused(w, &refused))
			refusals_again(w->refusals, &refused);
		break;
	case WORKER_DRAIN:
		evtimer_add(w->drain_event, &tv);
		break;
	case WORKER_YIELD:
		worker_yield(w);
		sem_post(m->taken);
		break;
	case WORKER_PLAN:
		edits_take(w, m->plan);
		sem_post(m->taken);
		break;
	case WORKER_NEWS:
		dial_tell_news(w);
		break;
	case WORKER_STOP:
		w->stopping = true;
		worker_end_sessions(w, true);
		break;
	}
}

static void worker_on_inbox(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct worker_message m;

	(void)what;
	worker_tick(w);
	while (!w->stopping && read(fd, &m, sizeof(m)) == (ssize_t)sizeof(m))
		worker_on_message(w, &m);
}

/** Slots of older engines whose sessions are over, or that died, are ours; the others count as what they are by now. */
static void worker_reclaim(struct worker *w)
{
	uint32_t from = shm_slots_at(w->shm, (uint32_t)w->index);

	for (uint32_t i = from; i < w->foreign_end; i++) {
		struct shm_session *s = shm_session(w->shm, i);

		if (s->engine == w->engine)
			continue;
		if (foreign_lives(w, s)) {
			foreign_follow(w, &w->foreign[i - from], s);
			continue;
		}
		foreign_leave(w, &w->foreign[i - from]);
		if (!session_resume(w, i)) {
			w->free_slots[w->free_count++] = i;
			atomic_fetch_add(&w->room, 1);
		}
		w->foreign_count--;
	}
}

static void worker_look_at_all(struct worker *w, void (*look)(struct session *s))
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&w->all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all);
		look(s);
	}
}

/** The pulse the keeper watches, and a look at the sessions that had an edge or have something open. */
static void worker_on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct session_list now = TAILQ_HEAD_INITIALIZER(now);
	struct session *s;

	(void)fd;
	(void)what;
	worker_tick(w);
	if (shm_engine_lives(w->shm, w->engine))
		atomic_store(&w->shm->beat_worker_ns[w->ring_index], w->mono_ns);
	if (w->foreign_count > 0)
		worker_reclaim(w);
	TAILQ_CONCAT(&now, &w->watch, watch);
	while ((s = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, s, watch);
		s->watched = false;
		session_watch(s);
	}
	w->beats++;
	if (w->idle_limits && w->beats % IDLE_BEATS == 0)
		worker_look_at_all(w, admit_idle);
	if (w->beats % DEAD_BEATS == 0)
		worker_look_at_all(w, admit_dead);
}

/** What the edges left over: one more bounded step each. */
static void worker_run(struct worker *w)
{
	struct session_list now = TAILQ_HEAD_INITIALIZER(now);
	struct session *s;

	TAILQ_CONCAT(&now, &w->run, run);
	if (!TAILQ_EMPTY(&now))
		worker_tick(w);
	while ((s = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, s, run);
		s->queued = false;
		session_step(s);
	}
}

static void worker_shake(struct worker *w)
{
	struct session *s = TAILQ_FIRST(&w->shake);

	if (s == NULL)
		return;
	worker_tick(w);
	TAILQ_REMOVE(&w->shake, s, shake);
	s->waits = false;
	session_shake(s);
}

static void worker_bury(struct worker *w)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&w->dead)) != NULL) {
		TAILQ_REMOVE(&w->dead, s, all);
		session_free(s);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	char name[24];

	/* What `top -H` and the benchmark know the thread by. */
	snprintf(name, sizeof(name), "worker-%d", w->index);
	thread_name(name);
	while (!w->stopping) {
		bool idle = TAILQ_EMPTY(&w->run) && TAILQ_EMPTY(&w->shake);
		int flags = idle ? EVLOOP_ONCE : EVLOOP_NONBLOCK;

		if (event_base_loop(w->base, flags) < 0) {
			log_error("worker %d: event loop failed: %s", w->index, strerror(errno));
			abort();	/* the keeper starts another engine */
		}
		worker_run(w);
		worker_shake(w);
		worker_bury(w);
	}
	return NULL;
}

static void worker_free(struct worker *w)
{
	if (w->inbox_event != NULL)
		event_free(w->inbox_event);
	if (w->beat_event != NULL)
		event_free(w->beat_event);
	if (w->drain_event != NULL)
		event_free(w->drain_event);
	if (w->base != NULL)
		event_base_free(w->base);
	for (int i = 0; i < 2; i++)
		if (w->inbox[i] >= 0)
			close(w->inbox[i]);
	free(w->scratch);
	free(w->free_slots);
	free(w->foreign);
	edits_free(w);
}

bool worker_owns_edit_slot(const struct worker *w, uint32_t slot)
{
	return (slot - 1) / EDIT_SLOTS == w->ring_index;
}

static bool worker_edits_in(const struct worker *w, uint32_t slot)
{
	struct session *s;

	TAILQ_FOREACH(s, &w->all, all)
		if (s->flow[SIDE_SP].edit.slot == slot || s->flow[SIDE_GW].edit.slot == slot)
			return true;
	return false;
}

/** Those that no session of an engine before us has half sent. */
static int worker_take_edit_slots(struct worker *w)
{
	w->edit_slots = calloc(EDIT_SLOTS, sizeof(*w->edit_slots));
	if (w->edit_slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < EDIT_SLOTS; i++) {
		uint32_t slot = w->ring_index * EDIT_SLOTS + i + 1;

		if (!worker_edits_in(w, slot))
			w->edit_slots[w->edit_slot_count++] = slot;
	}
	return 0;
}

/**
 * This worker's share of the session table: no lock, no other worker's slots. What an engine before us left
 * in them goes on here.
 */
static int worker_take_slots(struct worker *w)
{
	uint32_t from = shm_slots_at(w->shm, (uint32_t)w->index);
	uint32_t to = shm_slots_at(w->shm, (uint32_t)w->index + 1), used = from;

	w->free_slots = calloc(to - from + 1, sizeof(*w->free_slots));
	if (w->free_slots == NULL)
		return -ENOMEM;
	while (used < to && shm_session(w->shm, used)->opened_wall_ns != 0)
		used++;
	while (to-- > used)
		w->free_slots[w->free_count++] = to;
	w->foreign_end = used;
	w->foreign = calloc(used - from + 1, sizeof(*w->foreign));
	if (w->foreign == NULL)
		return -ENOMEM;
	for (uint32_t i = used; i-- > from;) {
		const struct shm_session *s = shm_session(w->shm, i);

		if (foreign_lives(w, s)) {
			w->foreign_count++;
			foreign_follow(w, &w->foreign[i - from], s);
		} else if (!session_resume(w, i)) {
			w->free_slots[w->free_count++] = i;
		}
	}
	atomic_store(&w->room, w->free_count);
	return worker_take_edit_slots(w);
}

static int worker_make_loop(struct worker *w)
{
	struct timeval beat = { .tv_sec = 0, .tv_usec = BEAT_MS * 1000 };
	struct event_config *config = event_config_new();

	if (config == NULL)
		return -ENOMEM;
	event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	if (w->base == NULL)
		return -ENOTSUP;
	if (pipe2(w->inbox, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	w->inbox_event = event_new(w->base, w->inbox[0], EV_READ | EV_PERSIST, worker_on_inbox, w);
	w->beat_event = event_new(w->base, -1, EV_PERSIST, worker_on_beat, w);
	w->drain_event = evtimer_new(w->base, worker_on_drained, w);
	if (w->inbox_event == NULL || w->beat_event == NULL || w->drain_event == NULL ||
		event_add(w->inbox_event, NULL) < 0 || event_add(w->beat_event, &beat) < 0)
		return -ENOMEM;
	return 0;
}

int worker_start(struct worker *w, int index, const struct settings *settings, struct shm *shm,
	const struct commons *commons)
{
	int err;

	*w = (struct worker){ .index = index, .settings = settings, .shm = shm,
		.census = commons->census, .pace = commons->pace, .refusals = commons->refusals,
		.tls = commons->tls, .vault = commons->vault, .upstreams = commons->upstreams,
		.engine = atomic_load(&shm->engine),
		.ring_index = shm_ring_of(shm, atomic_load(&shm->set), (uint32_t)index),
		.inbox = { -1, -1 } };
	w->ring = ring_adopt(shm_ring(shm, (int)w->ring_index), shm->ring_size);
	if (w->ring == NULL) {
		log_error("worker %d: what the engine before left in its ring is broken, and lost", index);
		w->ring = ring_init(shm_ring(shm, (int)w->ring_index), shm->ring_size);
	}
	for (int i = 0; i < settings->link_count; i++)
		w->idle_limits = w->idle_limits || settings->links[i].idle_timeout_ms > 0;
	TAILQ_INIT(&w->all);
	TAILQ_INIT(&w->run);
	TAILQ_INIT(&w->dead);
	TAILQ_INIT(&w->watch);
	TAILQ_INIT(&w->shake);
	worker_tick(w);
	atomic_store(&shm->beat_worker_ns[w->ring_index], w->mono_ns);
	w->scratch_len = 4 * (size_t)settings->hold_max;
	if (w->scratch_len < SCRATCH_LEAST)
		w->scratch_len = SCRATCH_LEAST;
	w->scratch = malloc(w->scratch_len);
	err = w->scratch == NULL ? -ENOMEM : worker_make_loop(w);
	if (err == 0)
		err = worker_take_slots(w);
	if (err == 0)
		err = -pthread_create(&w->thread, NULL, worker_main, w);
	if (err < 0) {
		log_error("worker %d cannot start: %s", index, err_text(err));
		worker_free(w);
		return err;
	}
	w->started = true;
	return 0;
}

void worker_join(struct worker *w)
{
	if (!w->started)
		return;
	pthread_join(w->thread, NULL);
	worker_free(w);
	w->started = false;
}
