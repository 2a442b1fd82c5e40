#ifndef SMSCOPE_NET_SESSION_H
#define SMSCOPE_NET_SESSION_H

#include <sys/queue.h>

#include "net/leg.h"
#include "net/worker.h"
#include "base/tls_status.h"
#include "base/upstreams.h"
#include "smscope/proxy_header.h"

/*
 * A session is one SP connection and its gateway connection. Transport state only: what was said on
 * it belongs to the scribe.
 *
 *   ACCEPTED ─▶ DIALING ─▶ RELAYING ─▶ DRAINING ─▶ CLOSED        any state may go to DRAINING or CLOSED
 *
 *   ACCEPTED   waits for a whole, permitted login; it stays unread in the kernel
 *   DIALING    tries the gateway's servers in order; when none is left, waits for the login to refuse
 *   RELAYING   two flows, each ends on its own
 *   DRAINING   our FIN is out on both legs; what comes is dropped until the peers' FINs or linger_timeout
 */

/* One direction. The octets between `taken_at` and `sent_at` of `at` are sent and still unread. */
struct flow {
	struct session *session;
	struct leg *in, *out;
	struct shm_flow *at;
	enum side from;
	bool ready;        /* `in` may have unread octets that no edge will tell of */
	bool blocked;      /* `out` took less than it was given: wait for its edge */
	bool done;         /* the end of `in` has been passed on */
	bool dead;         /* `out` is broken: drop what comes */
	bool squeezed;     /* holding the PDU in hand back closes the window: pass it on as it arrives */
	bool tail;         /* `in` ended inside a PDU */
	bool stalled;      /* the stall of the PDU in hand was reported */
	bool behind;       /* the octets up to sent_at went out in an engine that died: what of them is whole is to be told */
	uint32_t hold;     /* a longer PDU is passed on as it arrives */
	size_t peeked;     /* octets that the last look at `in` saw */
	uint64_t mark_at;  /* stream offset where the last look ended without a whole PDU */
	uint64_t clear_until; /* rules have nothing to say of the PDUs before this stream offset */
	uint64_t partial_ns; /* since when a part of a PDU waits; 0: none does */
	struct shm_edit edit; /* of the PDU that goes out in another form; out_len 0: none does */
	uint32_t edit_sent;   /* octets of that form that are out */
	int64_t shift;        /* octets more that went out than were taken, by edits before */
	uint64_t stuck_at, stuck_ns; /* `in` has ended, `out` takes nothing: sent_at, and since when */
};

struct session {
	TAILQ_ENTRY(session) all, run, watch, shake;
	struct worker *worker;
	const struct link_settings *link;
	int link_index;              /* of it in the settings */
	const struct proto *proto;   /* NULL until the first PDU told */
	struct shm_session *shared;
	uint32_t slot;
	bool queued, watched, waits; /* on the worker's run list, watch list, list of handshakes */
	bool dialled;                /* the server being tried has taken the connection */
	bool shaking;                /* counted in by tls_admit() */
	bool proxied;                /* the PROXY header is still to come, and nobody was told of the session */
	bool guarded;                /* no login of the SP goes on that was not admitted */
	bool account_counted;        /* the account is in the census */
	bool kept;                   /* the keeper has, or was sent, our sockets */
	bool ending;                 /* relays no more than the PDUs of which a part is out */
	bool on_server;              /* counted in by upstreams_choose() */
	uint8_t server;              /* index of the server being tried */
	uint16_t tried;              /* a bit for each server tried so far */
	uint8_t cause_side, cause_how;
	uint64_t dial_ns;            /* when the server being tried was begun with */
	int cause_error;
	char *cause_text;            /* NULL: there is none */
	struct leg leg[2];           /* by enum side */
	struct flow flow[2];         /* by the sender's side */
	struct event *timer;         /* of the state; NULL: it has none */
	struct edit_asked *asked;    /* rules ask whom responses are about; NULL: no PDU came since */
	uint64_t idle_said[2], idle_ns[2]; /* admit_idle(): by side, what it had said and since when */
};

/** Does the link ask more of a login than that it is one? */
bool session_guarded(const struct link_settings *l);

/** The PDU that a flow may hold back must fit the receive window of `in`. */
uint32_t hold_of(const struct leg *in, uint32_t hold_max);

/** Begin a session on the accepted `m->fd`, which it owns from now on. */
void session_open(struct worker *w, const struct worker_message *m);

/** The SP's address as the census counted it; AF_UNSPEC: it was not yet. Only its family's octets are there. */
const struct sockaddr_storage *session_peer(const struct session *s);
void session_set_peer(struct session *s, const struct sockaddr_storage *peer);

/** Who the SP says that it is; cut to what a protocol allows. */
void session_set_account(struct session *s, struct span account);

/** Keep what else there is to say of the end, or of a server that did not answer; NULL: nothing. */
void session_note(struct session *s, const char *text);

/** Change state: the one place that does. Asserts that the change is legal, arms the state's timer. */
void session_enter(struct session *s, enum session_state state);

/** Note why the session ends; the first cause stays. `text` may be NULL. */
void session_cause(struct session *s, unsigned side, enum end_how how, int error, const char *text);

/** Send what FINs are owed, drop what comes, close when the peers have. The cause was noted. */
void session_drain(struct session *s);

/** Drain as soon as no PDU is half out, in linger_timeout at the latest. The cause was noted. */
void session_end(struct session *s);

/** Close both legs, report the end; session_free() follows at the end of the loop turn. */
void session_close(struct session *s);

/** Give back the slot and the memory: by the worker, when no callback of the session is on the stack. */
void session_free(struct session *s);

/** Answer the SP's unread login in its own protocol, once it is here, then drain. The cause was noted. */
void session_refuse(struct session *s, enum refusal why);

/** Both flows are over, or one is: go on as that asks. Called by the relay. */
void session_flow_done(struct session *s);

/** Go on with the SP's handshake, and with its login once that is over: called by the list of handshakes. */
void session_shake(struct session *s);

/** Do what can be done now: called by the run list. */
void session_step(struct session *s);

/* session_tls.c */

/** TLS with the SP begins, if the link has it. False: it cannot, and the session ends. */
bool session_tls_open(struct session *s);

/** Go on with the SP's handshake. True: it is complete, or there is none; what follows may be read. */
bool session_tls_shake(struct session *s);

/** The handshake with the SP is over, one way or another; nothing if it was before. */
void session_tls_over(struct session *s, enum tls_result r);

/** If that side of the link speaks TLS, so does the leg just opened from now on. 0 or negative. */
int MUST_CHECK session_secure(struct session *s, enum side side);

/** The handshake of that leg, if it had one, is complete: tell the scribe. */
void session_report_tls(struct session *s, enum side side);

/** The state's timer runs out after so long instead. */
void session_arm(struct session *s, uint32_t ms);

/** A server did not answer: try the next one, with a connect_timeout of its own. */
void session_redial(struct session *s);

/** The gateway's leg is open and connected. */
void session_connected(struct session *s);

/** For the beat: what no edge tells of. Goes on the watch list again if something is open. */
void session_watch(struct session *s);

/** Room on the ring for `len` octets about the session, its description filled in; NULL if there is none. */
struct ring_entry *session_entry(struct session *s, enum ring_kind kind, uint32_t len, uint64_t offset,
	int flags);

/** Report an event of the session to the scribe. */
void session_report(struct session *s, const struct session_event *e, uint64_t offset);

/** The edge callback of both legs. */
void session_on_leg(evutil_socket_t fd, short what, void *arg);

/* relay.c */

void flow_init(struct flow *f, struct session *s, enum side from);

/** Does nothing of a PDU wait for its rest to go out? */
bool flow_even(const struct flow *f);

/** Move what can be moved in one direction; bounded, leaves the session on the run list if there is more. */
void flow_step(struct flow *f);

/** For the beat: find an end that no edge told of; report a PDU that stays half arrived, free a squeezed one. */
void flow_watch(struct flow *f);

/** From here on this direction's octets flow unparsed; one record says so. */
void flow_go_blind(struct flow *f, enum end_how how, uint64_t value, const char *foreign);

/** Put one PDU on the ring, and what is said of its edit. */
void flow_copy_noted(struct flow *f, const uint8_t *p, uint32_t len, const struct edit_note *note);

/** Since when a part of a PDU waits, or that none does. */
void flow_set_partial(struct flow *f, bool waits);

/** `out` is broken: nothing more can be delivered. */
void flow_undeliverable(struct flow *f, int error);

/** Put one frame on the ring as if it had been relayed: smscope's own refusal, and the login it answers. */
void flow_copy(struct flow *f, const uint8_t *p, uint32_t len, uint32_t wire_len, uint64_t offset, int flags);

/* dial.c */

/** Try the link's servers, each once; ends in session_connected() or in session_refuse(). */
void dial_next(struct session *s);

/** The gateway's leg had an edge while dialing. */
void dial_event(struct session *s);

/** connect_timeout is over. */
void dial_timeout(struct session *s);

/** A socket that is connecting to one of the link's servers; or -errno. */
int dial_connect(const struct link_settings *l, const struct upstream_address *to);

/** A session of an engine before is counted in at the server that it has. */
void dial_adopt(struct session *s);

/** The session has left its server, if it had one. */
void dial_leave(struct session *s);

/** Report what the front has found out of servers, in the worker's own thread. */
void dial_tell_news(struct worker *w);

#endif
