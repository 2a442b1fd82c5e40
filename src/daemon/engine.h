#ifndef SMSCOPE_DAEMON_ENGINE_H
#define SMSCOPE_DAEMON_ENGINE_H

#include <stdint.h>

#include "base/log.h"
#include "base/settings.h"

/*
 * The engine is this program again, started by its keeper with options_engine() and these
 * descriptors. The listeners are in the order of listen_open(); behind them, if there is one, the
 * listening control socket, then the sockets of sessions: shm_session.fd tells whose.
 */
enum {
	ENGINE_FD_CONTROL = 3, /* SOCK_SEQPACKET; its end means that the keeper died */
	ENGINE_FD_SHM,
	ENGINE_FD_SETTINGS,    /* sealed memfd with the configuration in effect */
	ENGINE_FD_VAULT,       /* SOCK_SEQPACKET: duplicates of sockets go to the keeper, base/pass.h */
	ENGINE_FD_LISTENERS,
};

/* One packet of the control socket. */
struct control {
	uint32_t verb;
	uint32_t value;
};

enum {
	CONTROL_DRAIN = 1, /* to the engine: stop accepting, end within `value` ms */
	CONTROL_STOP,      /* to the engine: end at once */
	CONTROL_REOPEN,    /* to the engine: reopen log files */
	CONTROL_READY,     /* to the keeper: relaying, decoding and logging */
	CONTROL_RELOAD,    /* to the engine: load the code tables again */
	CONTROL_RELOADED,  /* to the keeper: done, the next one may come; `value` 1: what was in use stays */
	CONTROL_YIELD,     /* to the engine: leave all that can go on to the next one; `value` ms for the rest, 0 no limit */
	CONTROL_YIELDED,   /* to the keeper: `value` sessions are left */
	CONTROL_ASK,       /* to the keeper: somebody wants a reload, or, `value` 1, an upgrade */
	CONTROL_TELL,      /* to the engine: a change has come to its end, there may be a record to make */
};

/** A sealed memfd with the settings, for ENGINE_FD_SETTINGS; or -errno. */
int engine_settings_fd(const struct settings *s);

struct engine_start {
	int program;          /* what to execute; -1: what runs already */
	enum log_level least; /* of the operator log */
	bool blind;           /* relay, and nothing else */
};

/**
 * In a forked child of the keeper: become an engine that finds `fds`, `count` of them, from
 * ENGINE_FD_CONTROL on; there is room for one more. Does not return; a failure is logged, and exit code 1.
 */
void engine_exec(const struct engine_start *how, int *fds, int count) __attribute__((noreturn));

/** All of an engine's life; returns its exit code. */
int engine_main(enum log_level least, bool blind);

#endif
