#ifndef E2E_HARNESS_H
#define E2E_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <jansson.h>

#include "wire.h"

/*
 * The daemon between two peers that speak raw octets. A rig is one daemon with its own folder,
 * configuration and logs; peers are plain sockets of the test. Everything fails by cmocka's rules,
 * and rig_sweep() as teardown ends what a failed test left.
 *
 *     test ─ SP socket ─▶ smscoped ─▶ gateway socket ─ test
 *                            └─▶ log.json, stderr, exit code
 */

enum { RIG_LINKS_MAX = 8, WAIT_MS = 20000 };

/*
 * Tells that somebody waited for somebody else, not how fast anything is: with sanitizers, on a machine that
 * others use too, 99 of 100 PDUs of a session that nothing is wrong with are through within that.
 */
enum { BOUND_P99_US = 100000 };

struct rig_link {
	const char *name; /* NULL: "l1", "l2", … by place */
	const char *protocol; /* "cmpp", "smpp", "auto" */
	const int *upstream; /* ports on 127.0.0.1, in order */
	int upstream_count;
	const char *servers; /* items of the upstream list instead of such ports, or NULL */
	const char *host; /* to listen on, "[::1]"; NULL: 127.0.0.1 */
	int port; /* to listen on; 0: any */
	const char *keys; /* further libconfig lines of this link, or NULL */
};

struct rig_options {
	const char *daemon; /* lines of the daemon section, or NULL */
	const char *more_logs; /* further elements of the log list, each with its comma before it */
	unsigned int nofile; /* descriptors the daemon may have, if not 0 */
	bool sealed; /* as configured by default: only root may look into the daemon's memory and descriptors */
	bool faults; /* the test sends the engine SIGSEGV: the sanitizer leaves that alone */
	bool control; /* a control socket, at control.sock of the rig's folder */
	bool own_program; /* start a copy of smscoped that lies in the rig's folder: a test may replace it */
	void (*before)(void); /* called in the child that becomes the daemon, or NULL */
};

struct rig {
	char dir[64];
	pid_t pid, engine; /* the keeper, and its child when the rig had started */
	int link_count, port[RIG_LINKS_MAX];
	char log_path[128], err_path[128], control_path[128];
	size_t log_at; /* octets of the log read so far */
	json_t *records; /* array of everything read so far */
};

/** Start a daemon with one listening port a link: "l1", "l2", …; returns when all of them listen.
 */
void rig_start(struct rig *r, const struct rig_options *o, const struct rig_link *links, int count);

/** Write the configuration file again, with these links; each names its port. */
void rig_configure(const struct rig *r, const struct rig_options *o, const struct rig_link *links,
	int count);

/** Put a copy of that program in the place of the rig's own one, as a package does: under another name, then renamed. */
void rig_install(const struct rig *r, const char *from, unsigned int mode);

/** TERM, then: exit code 0, no sanitizer report, the same engine all the time, no core, no process
 * left. */
void rig_stop(struct rig *r);

/** The rest of it, when a signal that ends smscoped was sent already. */
void rig_await_end(struct rig *r);

/** The rest of that, when the keeper is gone and waited for. */
void rig_over(struct rig *r);

/** cmocka teardown: kill and close what is left of a test. */
int rig_sweep(void **state);

/** Wait until this engine decodes: code tables and rules are there. */
void rig_await_ready(struct rig *r);

/** Children of the keeper: the engine, older ones with sessions, one that checks. */
int rig_children(const struct rig *r, pid_t *ret, int cap);

/** End the engine as a crash would, and wait for the next one. */
void rig_kill_engine(struct rig *r);
void rig_engine_dies(struct rig *r, int signal_number);

/** Wait until another engine than `first` is there. */
void rig_await_engine(struct rig *r, pid_t first, int wait_ms);

/** The same in two steps, with nobody at the sockets in between. */
void rig_engine_down(struct rig *r);
void rig_engine_up(struct rig *r);

/** The engine sees at once all that happens between these two. */
void rig_freeze(const struct rig *r);
void rig_thaw(const struct rig *r);

/**
 * The first record at or after index `from` that `match` fits, waiting for it; fails the test when
 * none comes and the log has not grown for WAIT_MS. `match` is words "key=value" (equal as text or as
 * number), "key~text" (contains) and "*~text" (anywhere in the record). ret_at, if not NULL, gets its index.
 */
json_t *rig_await(struct rig *r, size_t from, size_t *ret_at, const char *match, ...)
	__attribute__((format(printf, 4, 5)));

/** How many records of those written by now fit. */
size_t rig_count(struct rig *r, const char *match, ...) __attribute__((format(printf, 2, 3)));

/** Wait until at least `count` fit. */
void rig_await_count(struct rig *r, size_t count, const char *match);

/** So many sessions began, and of each one end is told; waits for the ends. */
void rig_expect_balance(struct rig *r, size_t sessions);

/** Its kind, its keys and their types must be those of docs/records.md; `line` is the record as
 * written. Done with every record that a rig reads, at rig_stop() with those not read before. */
void record_check(json_t *o, const char *line);
void log_check_rest(struct rig *r);

/** All octets of a file of the rig's folder, NUL-terminated; free() it. */
char *rig_file(const struct rig *r, const char *path, size_t *ret_n);

/** How often the daemon has said that on standard error, behind octet `from`. */
int count_said(const struct rig *r, size_t from, const char *words);

/**
 * What `smscope ctl WORDS` says, standard output and error together, exiting with `want_code`; free() it.
 * The rig has a control socket.
 */
char *rig_ctl(const struct rig *r, const char *words, int want_code);

/** How many descriptors the engine, and the keeper, has open. */
int rig_engine_fds(const struct rig *r);
int rig_keeper_fds(const struct rig *r);

/** Resident memory of the engine, in KiB: `peak` the most it ever was. */
long rig_engine_kib(const struct rig *r, bool peak);

/** User and system time of the engine so far, in milliseconds. */
long rig_engine_cpu_ms(const struct rig *r);

/* Peers. Sockets are closed by rig_sweep() if not before with peer_close(). */
int peer_listen(int *ret_port, int backlog);
int peer_dial(int port);
int peer_dial_buffers(int port, int octets); /* SO_RCVBUF and SO_SNDBUF of so many octets */
int peer_accept(int listener);
void peer_buffers(int fd, int octets); /* … before it connects; of a listener: of all that it accepts */
bool peer_has_caller(int fd, int wait_ms); /* or octets, of a connection */
void peer_close(int fd);
int peer_adopt(int fd); /* the harness closes it from now on */
void peer_forget(int fd); /* … no longer */
void peer_reset(int fd);

/** Send until nothing more is taken for 400 ms, or all `n` octets are; returns how many were. */
size_t peer_fill(int fd, const uint8_t *p, size_t n);
void peer_send(int fd, const void *p, size_t n);

/** At most `n` octets until `wait_ms` pass without one or the stream ends; returns how many. */
size_t peer_read(int fd, void *p, size_t n, int wait_ms);
void peer_expect(int fd, const void *p, size_t n);
void peer_expect_end(int fd); /* FIN, and nothing before it */
bool peer_ended(int fd, int wait_ms); /* FIN or reset; octets before it are thrown away */
void peer_expect_silence(int fd, int ms); /* neither octets nor an end */

/** One whole PDU. */
size_t peer_read_pdu(int fd, enum sim_proto proto, uint8_t *to, struct sim_pdu *ret);
void peer_send_pdu(int fd, enum sim_proto proto, const struct sim_pdu *pdu);

/** Close every socket that is still open. */
void peers_sweep(void);

/** A port that nobody listens on, nor will but this process and its daemons: sim_port(). */
int port_closed(void);

/* A logged-in session, seen from both ends. */
struct pair {
	int sp, gw;
};

/** Dial the link, log in as `proto`, accept at `listener`, answer with status 0. */
struct pair pair_login(struct rig *r, int link, int listener, enum sim_proto proto);

/** Close both ends. */
void pair_close(struct pair p);

/** The same over sockets that the test already has at the SP's side. */
struct pair pair_login_over(int sp, int listener, enum sim_proto proto);

/** Send one keepalive request from the SP's side and wait for it at the gateway's; microseconds. */
uint64_t pair_ping(struct pair p, enum sim_proto proto);

/** Ping for `ms` milliseconds, one each millisecond; the value that 99 of 100 do not exceed. */
uint64_t pair_p99(struct pair p, enum sim_proto proto, int ms);

/* A stream on its way through the daemon; compared octet for octet as it comes out. */
struct flow {
	int from, to;
	const uint8_t *p;
	size_t n;
	size_t piece_max; /* one send: 1 … piece_max octets, at random; 0: as much as goes */
	size_t read_max; /* one read at most; 0: as much as there is */
	unsigned int pause_us; /* between two reads */
	size_t sent, got;
	uint64_t read_after_us;
};

/** Run all flows at once until each has arrived; fails on the first wrong octet, or when nothing
 * moves for WAIT_MS. */
void flows_run(struct flow *flows, int count, uint32_t seed);

/** A flow in steps: send what the way takes now; read and compare what has come. */
void flow_fill(struct flow *f);
void flow_drain(struct flow *f);

/** Where the PDU ends that has the octet before `at`. */
size_t flow_end_of(const struct flow *f, size_t at);

/** Streams both ways at once, and nothing else comes. */
void pair_exchange(struct pair p, enum sim_proto proto, uint32_t seed);

/** `n` octets, or a little less, of well-framed PDUs with random lengths and contents; free() it.
 * Ends at a PDU's end. */
uint8_t *stream_make(enum sim_proto proto, uint32_t seed, size_t n, size_t pdu_max, size_t *ret_n);

/** A PDU of exactly `len` octets: a keepalive request with random octets behind its header. */
void pdu_make(enum sim_proto proto, uint32_t seq, size_t len, uint8_t *to);

uint32_t random_next(uint32_t *state);
uint64_t now_us(void);
void pause_ms(int ms);

/** Octets of tests/data/sim/NAME.hex. */
size_t hex_load(const char *name, uint8_t *to, size_t cap);

/** Start a program of the build's tests/ folder with its standard output in a pipe; ended by
 * rig_sweep(). */
pid_t program_start(int *ret_out, const char *name, const char *const *args);
int program_wait(pid_t pid, int wait_ms); /* exit code; fails when it does not end */

#endif
