#ifndef SMSCOPE_NET_WORKER_H
#define SMSCOPE_NET_WORKER_H

#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/queue.h>

#include "base/settings.h"
#include "base/shm.h"

struct census;
struct edit_context;
struct edit_plan;
struct foreign;
struct pace;
struct refusal_count;
struct refusals;
struct session;
struct tls;
struct upstreams;
TAILQ_HEAD(session_list, session);

/* What the front and all workers share; each has a lock of its own. */
struct commons {
	struct census *census;
	struct pace *pace;
	struct refusals *refusals;
	struct tls *tls;        /* the engine's */
	int vault;              /* the engine's; -1: nothing is kept */
	struct upstreams *upstreams;
};

/* A worker: one thread, one loop, its sessions, its ring. Nothing of it is touched by another thread but `inbox`, `session_count` and `room`. */
struct worker {
	int index;
	uint32_t engine;           /* our number, and our set of rings */
	uint32_t ring_index;       /* of our ring, and of our share of the edit slots */
	const struct settings *settings;
	struct shm *shm;
	struct ring *ring;
	int vault;                 /* where the keeper is sent sockets; the engine's */
	struct census *census;
	struct tls *tls;
	struct pace *pace;
	struct refusals *refusals;
	struct upstreams *upstreams;
	struct event_base *base;
	pthread_t thread;
	bool started, stopping;
	int inbox[2];              /* pipe of struct worker_message */
	struct event *inbox_event, *beat_event, *drain_event;
	uint8_t *scratch;          /* what leg_peek() shows, for one flow at a time */
	size_t scratch_len;
	uint32_t *free_slots;
	uint32_t free_count;
	uint32_t foreign_count;    /* slots of our share that an older engine has still */
	uint32_t foreign_end;      /* all of them are before this one */
	struct foreign *foreign;   /* by slot of our share: what its sessions are counted for */
	uint64_t mono_ns, wall_ns; /* of this turn */
	bool idle_limits;          /* a link has an idle_timeout */
	uint32_t beats;
	struct session_list all, run, dead;
	struct session_list watch; /* those the next beat looks at */
	struct session_list shake; /* whose handshake goes on when nothing is left to relay */
	const struct edit_plan *plan; /* NULL: nothing is edited */
	struct edit_context **edits; /* by link; NULL: none of the link's */
	uint32_t *edit_slots;      /* that are free, + 1 */
	uint32_t edit_slot_count;
	_Atomic uint32_t session_count;
	_Atomic uint32_t room;     /* free slots, less those that connections in the inbox will take */
};

/* What the front tells a worker; WORKER_NEWS: there are some of upstreams. */
struct worker_message {
	enum {
		WORKER_SESSION, WORKER_REFUSED, WORKER_DRAIN, WORKER_STOP, WORKER_PLAN, WORKER_YIELD, WORKER_NEWS
	} kind;
	int fd, link;
	enum end_how how;          /* WORKER_REFUSED */
	uint64_t value;            /* WORKER_REFUSED: how many since the last such message; WORKER_DRAIN: ms */
	struct sockaddr_storage peer;
	socklen_t peer_len;
	bool proxied;              /* WORKER_SESSION: a balancer's; its PROXY header is still to come */
	const struct edit_plan *plan; /* WORKER_PLAN */
	sem_t *taken;              /* WORKER_PLAN: posted when the one before is not used any more; WORKER_YIELD: when it is done */
};

/** Make and start worker `index`. 0 or negative; the reason is logged. */
int MUST_CHECK worker_start(struct worker *w, int index, const struct settings *settings,
	struct shm *shm, const struct commons *commons);

/** From the front: false if the worker's inbox is full. */
bool worker_tell(struct worker *w, const struct worker_message *m);

/** Wait for the thread's end (after WORKER_STOP, or a finished drain) and free what it had. */
void worker_join(struct worker *w);

/** Tell of connections turned away, in the worker's own thread; false if the ring has no room. */
bool worker_report_refused(struct worker *w, const struct refusal_count *r);

/** Call session_step() for `s` again before the loop waits. */
void worker_queue(struct worker *w, struct session *s);

/**
 * Call session_shake() for `s` once those who relay had their turn. A handshake takes as long as
 * hundreds of PDUs: one is taken each time.
 */
void worker_queue_shake(struct worker *w, struct session *s);

/** Call session_watch() for `s` at the next beat. */
void worker_watch(struct worker *w, struct session *s);

/** Is that edit slot one of this worker's share? */
bool worker_owns_edit_slot(const struct worker *w, uint32_t slot);

/** Read the clocks once for this turn. */
void worker_tick(struct worker *w);

#endif
