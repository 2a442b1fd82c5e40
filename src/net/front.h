#ifndef SMSCOPE_NET_FRONT_H
#define SMSCOPE_NET_FRONT_H

#include "base/settings.h"
#include "base/shm.h"

/*
 * The data plane: one front that accepts, and workers that relay. See docs/architecture.md.
 *
 *   listener ─▶ front ─▶ worker with fewest sessions ─▶ session: leg ⇄ relay ⇄ leg
 */
struct edit_plan;
struct front;
struct tls;

/* A listening socket that the keeper made, and the link it serves. Shared with the keeper: never shut down. */
struct front_listener {
	int fd;
	int link; /* index into settings->links */
};

/**
 * Start `settings->workers` worker threads; worker i writes into ring i of `shm`. Accepting starts with
 * front_run(); sessions of an engine before go on at once. `vault` is where the keeper is sent duplicates of
 * sockets, -1 nowhere. NULL if a thread or a loop cannot be had; the reason was logged. `settings`,
 * `shm` and `tls` must outlive the front.
 */
struct front *front_new(const struct settings *settings, struct shm *shm, struct tls *tls, int vault,
	const struct front_listener *listeners, int listener_count);

/**
 * What edits PDUs from now on, borrowed; NULL: nothing does. Waits until no worker uses the one before.
 * From one thread at a time, between front_new() and front_free().
 */
void front_plan(struct front *f, const struct edit_plan *plan);

struct event_base;

struct upstreams;

/** What is known of the gateways' servers; valid until front_free(). */
const struct upstreams *front_upstreams(const struct front *f);

/** The front's loop, for what else shall run in it; valid until front_free(). */
struct event_base *front_base(struct front *f);

/**
 * Run the front's loop in this thread until front_stop() or the last session of a drain is gone. `control_fd` is
 * watched for reading: `on_control(arg)` is called when it is readable; returning false ends watching.
 */
int front_run(struct front *f, int control_fd, bool (*on_control)(void *arg), void *arg);

/** Stop accepting; let sessions end on their own for `timeout_ms`, then close them; front_run() returns when none is left. Callable from on_control. */
void front_drain(struct front *f, uint32_t timeout_ms);

/**
 * Another engine takes over: accept no more, close the listeners, let go of the sessions that can go on
 * there. What is left comes to its end here, by itself or in `limit_ms` (0: whenever it does); front_run()
 * returns when none is left. Returns how many there are. Callable from on_control.
 */
uint32_t front_yield(struct front *f, uint32_t limit_ms);

/** Make front_run() return at once: sessions are closed. Callable from on_control. */
void front_stop(struct front *f);

/** Join the workers and free everything. */
void front_free(struct front *f);

#endif
