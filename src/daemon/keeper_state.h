#ifndef SMSCOPE_DAEMON_KEEPER_STATE_H
#define SMSCOPE_DAEMON_KEEPER_STATE_H

#include <unistd.h>

#include "admin/control_path.h"
#include "base/settings.h"
#include "daemon/engine.h"
#include "daemon/keeper.h"
#include "daemon/vault.h"

/*
 * What the files of the keeper share.
 *
 *     keeper.c          signals, what is due, beginning and end
 *     keeper_engine.c   an engine's life: start, ready, death, standing still
 *     keeper_check.c    the child that checks what is asked for
 *     keeper_switch.c   another configuration or program: checked, then a new engine in the old one's place
 *     keeper_move.c     the keeper becomes another program, too
 */
enum {
	FIXED_FDS = ENGINE_FD_LISTENERS - ENGINE_FD_CONTROL,
	FD_SHM = ENGINE_FD_SHM - ENGINE_FD_CONTROL,
	FD_SETTINGS = ENGINE_FD_SETTINGS - ENGINE_FD_CONTROL,
	FD_VAULT = ENGINE_FD_VAULT - ENGINE_FD_CONTROL,
	OLDER_MAX = SHM_SETS + 1,
	GOOD_MS = 10000,       /* a new program that lived so long is kept */
};

enum stage { RUNNING, DRAINING, STOPPING };

/* Settings, and the descriptors that an engine gets with them, from ENGINE_FD_CONTROL on. */
struct plan_fds {
	struct settings *settings;
	int *fds;   /* those of control and vault are made anew for each engine */
	int count;
};

/* An engine that has given up its place, and brings its last sessions to an end. */
struct older {
	pid_t pid;      /* 0: none */
	int control;
	uint32_t set;
};

/* A thread's pulse as it was seen last, and for how many ticks it has not moved. */
struct beat {
	uint64_t ns;
	unsigned still;
};

/* A change under way: checked by a child, then tried by an engine. */
enum change { CHANGE_NONE, CHANGE_CONFIG, CHANGE_PROGRAM };
enum change_step { STEP_CHECK, STEP_YIELD, STEP_TRIAL };

struct keeper_change {
	enum change kind;
	enum change_step step;
	pid_t checker;
	bool late;         /* it took too long, and was killed */
	int settings_fd;   /* CHANGE_CONFIG: where the checker writes them */
	int faults_fd;     /* what the checker had to say */
	uint64_t until_ns; /* of the step */
	struct plan_fds before, after; /* CHANGE_CONFIG */
	int program_after; /* CHANGE_PROGRAM */
	char text[sizeof(((struct shm_change *)0)->text)]; /* what changes, or what is wrong */
	unsigned more;     /* lines that found no room there */
};

struct keeper {
	const struct options *options;
	struct plan_fds plan;
	struct shm *shm;
	uint32_t worker_count;
	const struct ring *rings[SHM_RINGS_MAX]; /* taken once: an engine may spoil the offsets */
	struct vault vault;
	int signal_fd;
	int program;           /* what engines execute; -1: what we are */
	int program_before;    /* what they executed before, until this one has done well */
	uint64_t trial_until_ns; /* then; 0: it has */
	bool move_failed;      /* we cannot become that */
	char *program_path;    /* where the program lies: another version will, too */
	struct control_path control_path; /* fd -1: none */
	bool terminal;         /* standard error was one when we started */

	pid_t engine;          /* 0: none runs */
	int control;           /* our end; -1 none */
	int passed;            /* our end of what the engine sends sockets through; -1 none */
	bool ready, was_ready; /* this engine; any engine */
	bool killed;           /* this engine, by us: it stood still */
	bool reloading;        /* this engine loads code tables */
	bool blind;            /* engines only relay: they died too often */
	uint64_t born_ns, born_traffic;
	unsigned deaths;       /* in a row without progress */
	uint64_t start_at_ns;  /* the next engine starts then */
	unsigned ticks;        /* of this engine */
	struct beat scribe_beat, front_beat[SHM_SETS], worker_beat[SHM_RINGS_MAX];
	struct older older[OLDER_MAX];

	struct keeper_change change;
	enum change last;      /* the last one that was begun */
	bool reload_again, upgrade_again; /* asked for while a change was under way */

	uint64_t tick_at_ns, sweep_at_ns, feed_at_ns, feed_every_ns;
	enum stage stage;
	uint64_t kill_at_ns;   /* an engine that was told to end has until then */
	int code;
};

static inline uint64_t ms_ns(uint64_t ms)
{
	return ms * 1000000u;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* keeper.c */

/** To the service manager: at work, or again at work. */
void keeper_tell_ready(const struct keeper *k);

/** Signals, and the shared memory of k->plan. 0 or -errno. */
int keeper_map(struct keeper *k);

/** Tell the engine what TERM or INT said; `older` ones, too. */
void keeper_tell_end(struct keeper *k, bool older);

/* keeper_move.c */

/** Become the program that engines run, when they have done well: then it does not return. Else when to look again. */
uint64_t keeper_move_due(struct keeper *k, uint64_t now);

/** Know what the keeper knew that became us: options->moved. 0 or -errno. */
int keeper_take_over(struct keeper *k);

/* keeper_engine.c */

void engine_start(struct keeper *k);
void engine_tell(struct keeper *k, uint32_t verb, uint32_t value);
void engine_kill(struct keeper *k, const char *why);

/** SIGCHLD: engines, or a checker, may be gone. */
void engine_reap(struct keeper *k);

/** A packet from the engine, or its end of the socket closed. */
void engine_hear(struct keeper *k);

/** Sockets from the engine. */
void engine_pass(struct keeper *k);

/** Has a thread of an engine stopped? Once a tick. */
void engine_watch(struct keeper *k);

bool older_any(const struct keeper *k);
void older_tell(struct keeper *k, uint32_t verb, uint32_t value);
void older_kill(struct keeper *k);

/* keeper_check.c */

/** `text` into `to` of `cap` octets; "..." at its end says that there was more. */
void keeper_fit(char *to, size_t cap, const char *text);

/** Start the checker of the change under way. 0, or negative with the reason in the change's text. */
int check_start(struct keeper *k);

/** What the checker had to say, each line to the log; the first fault into the change's text, "" if there was none. */
void check_read(struct keeper_change *c);

/* keeper_switch.c */

/** HUP, USR2. */
void change_ask(struct keeper *k, enum change kind);

/** Begin with what was asked for meanwhile. */
void change_next(struct keeper *k);

/** The checker, pid, ended with that status. */
void change_checked(struct keeper *k, int status);

/** The engine has loaded code tables and certificates; or it has not, and `why`. */
void change_reloaded(struct keeper *k, const char *why);

/** The engine has given up its place; `left` sessions stay with it. */
void change_yielded(struct keeper *k, uint32_t left);

/** The engine died, whatever it was about. True: the change is what made it, and was taken back. */
bool change_engine_died(struct keeper *k);

void change_engine_ready(struct keeper *k);

/** Steps that take too long, trials that went well. Returns when to look again. */
uint64_t change_due(struct keeper *k, uint64_t now);

/** All ends: nobody waits for a check any more. */
void change_stop(struct keeper *k);

/** Free what belongs to a change; what is in effect stays. */
void change_close(struct keeper *k);

void plan_close(struct plan_fds *p, const struct plan_fds *keep);

#endif
