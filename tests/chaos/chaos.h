#ifndef CHAOS_H
#define CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

/*
 * The engine dies at random instants while sessions are under load. This program is both ends of every
 * session, so it knows each octet that must arrive, and afterwards each record that the log must have.
 *
 *     SP ends ──▶ smscoped: keeper ─ engine, engine, … ──▶ gateway ends       one process, one thread
 *        └── streams of PDUs on their way, compared octet for octet ──┘
 *     log.json ──▶ account: each submit, response, report and inbound message exactly once
 */

struct options {
	int seconds, kills, sessions, workers, signal, upgrade_ms, reload_ms, rate, window;
	bool rewrite, stop_reading, small_buffers, keep;
	uint32_t seed;
	const char *build, *ring, *spoil;
};

extern struct options opt;

uint64_t now_us(void);
void pause_ms(int ms);
uint32_t random_next(uint32_t *state);

/** A number of 0 … below - 1. */
uint32_t random_below(uint32_t *state, uint32_t below);

/** What must not be: told at once, the first twenty of them, and the exit status is 1. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned int faults(void);

/** Give up: this machine or this build cannot run it. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- stream.c: PDUs that one end has sent and the other has not seen */

struct stream {
	uint8_t *queue; /* of frames: struct in_transit, octets as sent, octets as edited */
	size_t cap, at, n;
	uint64_t sent_octets, sent_pdus, got_octets, got_pdus, edits_due, edited;
	uint8_t *last; /* the PDU taken last */
	size_t last_n;
	uint64_t sent_hash, got_hash; /* of the octets as sent: got_hash takes an edit back */
};

void stream_init(struct stream *s);
void stream_fini(struct stream *s);

/** `n` octets are one PDU on its way; if rules may edit it, `edited` is what then has to arrive. */
void stream_put(struct stream *s, const uint8_t *p, size_t n, const uint8_t *edited, size_t edited_n);

/**
 * Compare what has arrived with the PDU that is due. Returns its length; 0 while it is not whole; -1 if it
 * is another, and `why` says where and what. ret_edited: it arrived as rules change it.
 */
int stream_take(struct stream *s, const uint8_t *p, size_t n, bool *ret_edited, char *why, size_t cap);

/* --- traffic.c: the sessions */

enum side { SP, GW };

enum {
	ANSWERED = 1,      /* the SP has the response */
	REPORTED = 2,      /* the SP has the report */
	WANTS_REPORT = 4,
	RESP_EDITED = 8,   /* as the SP saw it */
	REPORT_EDITED = 16,
	LOG_SUBMIT = 32,   /* the log has the submit; set by account.c, like the next two */
	LOG_RESP = 64,
	LOG_REPORT = 128,
};

struct message {
	uint32_t report; /* number of the deliver that reports on it */
	uint8_t flags, status, stat; /* status of the response; stat: index of stat_name() */
};

/* A deliver of the gateway: a report, or an inbound message. */
struct deliver {
	uint32_t message; /* NO_MESSAGE: inbound */
	bool acked, logged;
};

enum { NO_MESSAGE = UINT32_MAX };

struct end {
	struct session *session;
	enum side side;
	int fd;
	uint32_t events; /* asked of epoll */
	uint8_t *in, *out;
	size_t in_n, out_at, out_n;
	uint32_t open;           /* requests without a response */
	uint32_t tests;          /* keepalives sent */
	uint64_t deaf_until_us;  /* not reading */
};

struct session {
	int index;
	enum sim_proto proto;
	struct end end[2];
	struct stream stream[2]; /* by who sends */
	uint32_t random;
	bool broken; /* told as a fault; nothing more is done with it */
	uint32_t answers_got;      /* by the SP, and … */
	uint32_t submits_got, reports_next; /* by the gateway: messages it knows, and has looked at for a report */
	uint32_t message_count, message_cap, deliver_count, deliver_cap;
	struct message *messages;
	struct deliver *delivers;
	uint64_t moved_us;
};

extern struct session *sessions;

/** sim_port(), or the end. */
int port_new(void);

/** Listen as the gateway of each protocol: CMPP, SMPP. */
void traffic_listen(int ret_ports[2]);

/** Dial and log in, one session after the other. False: a session did not come up. */
bool traffic_begin(const int ports[2]);

/** One turn: wait for sockets at most a millisecond, read, answer, and, if `load`, send new requests. */
void traffic_turn(bool load);

/** Has all that was sent arrived, and been answered? */
bool traffic_quiet(void);

/** What is still missing, each as a fault. */
void traffic_missing(void);

/** Log out and close, one after the other. */
void traffic_end(void);

/** Close what is still open, as it is. */
void traffic_close(void);
void traffic_fini(void);

const char *session_name(const struct session *s, char to[64]);
struct message *message_new(struct session *s);
struct deliver *deliver_new(struct session *s);

/* --- pdus.c: what is said */

uint32_t submit_seq(uint32_t message);
uint32_t deliver_seq(uint32_t deliver);
uint32_t test_seq(uint32_t test);

/** Number of the message, or deliver, with that sequence number; false if it is none. */
bool seq_number(uint32_t seq, uint32_t *ret);

const char *stat_name(int stat);

/** The id of a message: as in the PDU, and as logs write it. */
struct sim_text msgid_wire(const struct session *s, uint32_t message, char to[32]);
void msgid_text(const struct session *s, uint32_t message, char to[40]);

/** Which message has that id in the log; false if none of this session. */
bool msgid_message(const struct session *s, const char *text, uint32_t *ret);

/* Each writes a PDU to `to` and returns its length; of what rules would make of it to `edited`, 0 for nothing else. */
size_t make_login(const struct session *s, uint8_t *to);
size_t make_submit(struct session *s, uint32_t message, uint8_t *to);
size_t make_submit_resp(struct session *s, uint32_t message, uint8_t *to, uint8_t *edited, size_t *ret_edited);
size_t make_report(struct session *s, uint32_t message, uint8_t *to, uint8_t *edited, size_t *ret_edited);
size_t make_inbound(struct session *s, uint32_t deliver, uint8_t *to);
size_t make_bare(const struct session *s, enum sim_what what, uint32_t seq, uint8_t *to);

/* --- kill.c: what happens to the engine */

void kills_begin(void);

/** Do what is due. */
void kills_turn(void);

/** Which engines are there now? Asked often, so that each is counted. */
void kills_look(void);

/** A fault if too little happened for the rest to mean anything. */
void kills_enough(void);

/** Octets arrived in session `s`; and: it did not listen until now, so its silence was its own. */
void kills_moved(struct session *s);
void kills_excuse(struct session *s);

/** "0.7 ms after kill 3 (KILL to engine 1234)". */
const char *kills_last(char to[96]);
int kills_done(void);
void kills_sum(void);

/* --- daemon.c */

void daemon_begin(const int gateway_ports[2], int ret_ports[2]);

/** Engines alive: the keeper's children that are no zombies. */
int daemon_engines(pid_t *ret, int cap);

/** Is the keeper that was started still there? */
bool daemon_alive(void);
void daemon_signal(int number);

/** Wait until it decodes. */
void daemon_await_ready(void);

/** TERM: exit code 0, nobody left, no sanitizer's report. */
void daemon_end(void);

/** Remove the folder, or say where it is. */
void daemon_fini(bool keep);
const char *daemon_log(void);

/* --- spoil.c: --spoil, once; else none of these does anything */

struct end;
void spoil_octets(struct end *e);

/** How often a line of the log is to be taken; and whether its id counts when it is taken again. */
int spoil_record(const char *line);
bool spoil_id(void);

/* --- account.c */

/** Hold the log against what was sent. */
void account(void);

#endif
