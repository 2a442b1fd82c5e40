#ifndef E2E_SWITCH_RIG_H
#define E2E_SWITCH_RIG_H

#include "harness.h"

/*
 * What tests of reload and upgrade share: a daemon that is asked for a change while octets go both ways,
 * and the three places where it says what became of it: its standard error, its records, and what it
 * tells the service manager, whose place is taken by a socket of the test.
 */

/** Where to look from for what is said next. */
size_t said_now(const struct rig *r);

/** Wait until standard error has these words at or behind `from`. */
void await_said(const struct rig *r, size_t from, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool has_said(const struct rig *r, size_t from, const char *words);

/** Be the service manager of the daemons to come: `before` of their rigs is notify_be_told. */
void notify_open(void);
void notify_close(void);
void notify_be_told(void);

/** Forget what was told, then: wait until something told since has these words. */
void notify_forget(void);
void await_told(const char *words);

/**
 * A daemon with `count` of three links to one gateway, which listens at *gateway, and a session on the first one. The
 * others have ports, too, for configurations to come.
 */
struct pair links_begin(struct rig *r, const struct rig_options *o, struct rig_link links[3], int count, int *gateway,
	int *gateway_port);

/** Wait until the newest engine is ready and older ones, but `older`, are gone: it is the rig's from now on. */
void await_engine(struct rig *r, int older);

/** Octets both ways through the session, compared as they come out. */
void traffic(struct pair p, enum sim_proto proto, size_t octets);

/** A new session logs in, one PDU goes each way, and it ends. */
void serve_one(struct rig *r, int link, int listener, enum sim_proto proto);

/** One submit from the SP, and its response. */
void submit(struct pair p, enum sim_proto proto, uint32_t seq, uint32_t status, const char *msgid);

/** Does anybody listen at that port of 127.0.0.1? */
bool port_open(int port);

/** A thread that calls `turn` until the end; it must not use what fails a test. */
struct side_job {
	void (*turn)(void *arg);
	void *arg;
	_Atomic bool over;
	unsigned long thread;
};

void side_begin(struct side_job *j); /* one at a time; it outlives a test that fails */
void side_end(struct side_job *j);
int side_sweep(void **state); /* rig_sweep(), behind the job's end */

/** Dial the ports, in order, until one answers, again and again. */
struct dialing {
	int port[2], count;
	_Atomic unsigned int dialed, refused; /* refused: none answered */
};

void dial_turn(void *arg);

#endif
