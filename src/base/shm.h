#ifndef SMSCOPE_BASE_SHM_H
#define SMSCOPE_BASE_SHM_H

#include <netinet/in.h>

#include "base/ring.h"
#include "smscope/proxy_header.h"
#include "smscope/story.h"

/*
 * The shared memory that outlives an engine: made by the keeper, mapped by every engine.
 *
 *   | struct shm | links | servers | sessions | seen | rings | edits | stories | counts | queues of sinks |
 *
 * Parts are found by offset. Each part has its own layout number; one that does not fit starts empty.
 *
 * Several engines may be alive: one that accepts and relays, and older ones that only bring their TLS
 * sessions to an end. Each has a set of rings and edit slots of its own, one ring a worker; the scribe
 * of the newest engine reads them all.
 */

enum {
	SHM_MAGIC = 0x736d7363,
	SHM_LAYOUT = 9,        /* of all this, and of the table that a keeper leaves to the next program */
	SHM_WORKERS_MAX = 64,
	SHM_SETS = 4,
	SHM_RINGS_MAX = SHM_WORKERS_MAX * SHM_SETS,
	SHM_ADDR_TEXT = 56,
	SHM_LINKS_MAX = 1024,
	SHM_SERVERS_MAX = 4096,
	SHM_SINKS_MAX = 64,
	SHM_ACCOUNT = 16,
	SHM_CHANGES = 8,
};

enum session_state {
	SESSION_FREE, /* the slot is empty */
	SESSION_ACCEPTED,
	SESSION_DIALING,
	SESSION_RELAYING,
	SESSION_DRAINING,
	SESSION_CLOSED,
};

/*
 * A link, by a number that it keeps as long as the shared memory lives: configurations come and go, and
 * entries of rings, sessions and stories refer to links of former ones.
 */
struct shm_link {
	char name[40];       /* empty: no link has the number yet */
	_Atomic uint64_t gone; /* it is in the configuration no more: its sessions stay with the engine they have */
};

/* What the last engine knew of a gateway's server: base/upstreams.h. */
struct shm_server {
	_Atomic uint64_t version; /* odd: it died while it wrote here */
	uint32_t link, key;  /* number of the link + 1, 0: free; upstreams_key() */
	uint32_t state;      /* enum upstream_state */
	uint32_t failing, failures, on_probation;
	uint64_t failed, since_ns, failed_ns, retry_ns, probe_ns;
	struct sockaddr_storage addr; /* of its name */
	uint32_t addr_len, pad_;
};

enum { SHM_RELOAD, SHM_UPGRADE, SHM_CHANGE_KINDS };

/* A change of configuration or program that was asked for, and what became of it: the keeper writes it. */
struct shm_change {
	uint64_t wall_ns;
	uint8_t upgrade;     /* SHM_UPGRADE: of the program; SHM_RELOAD: of the configuration */
	uint8_t failed;      /* nothing was changed */
	uint8_t quiet;       /* code tables or certificates, of which the engine makes records itself */
	uint8_t pad_[5];
	char text[488];      /* why, or what is other now */
};

/* What is said of a PDU that rules looked at: behind its octets in the ring. */
struct edit_note {
	uint64_t made;       /* bit r: rule r of the link */
	struct edit_words {
		uint8_t refused; /* enum edit_refusal */
		char rules[63];  /* names, comma between them */
		char was[160], now[240]; /* "stat=MB:0064 err=000"; our own words and what the PDU had, escaped */
	} done, dry;         /* by those that do something; by dry_run rules, if they did */
};

/*
 * A PDU that goes out in another form, or the last one that did: with the octets of both streams it
 * tells what is out whenever an engine dies. out_len 0: there was none.
 */
struct shm_edit {
	uint64_t at, out_at; /* where the original begins, and where the other one does in what was sent */
	uint32_t in_len, out_len; /* octets of both */
	uint32_t slot;       /* + 1, where its octets lie; 0 none */
	uint32_t pad_;
};

/* One direction of a session: from `side` to the other one. Offsets count octets of that stream. */
struct shm_flow {
	uint64_t taken_at;   /* consumed from the sender's socket */
	uint64_t sent_at;    /* sent to the receiver's; sent_at - taken_at is the sent head of an unread PDU */
	uint64_t pass_until; /* a PDU beyond hold_max, or a tail, is passed through up to here */
	uint8_t blind, eof, pad_[6];
	uint64_t pdus;
	uint64_t hand_at;    /* + 1, the PDU that is being parsed; 0 none */
	uint64_t hand_died_at; /* + 1, the one that was when an engine died of a fault */
	struct shm_edit edits[2];
	_Atomic uint64_t edit_now; /* which of the two holds; the other may be half written */
};

struct shm_session {
	uint64_t id;         /* 0: free; ids are never reused */
	uint32_t engine;     /* number of the engine that has it */
	uint16_t link;       /* number of the link: shm_link() */
	uint8_t state;       /* enum session_state */
	uint8_t proto;       /* first letter of its name, 0 not known yet */
	uint8_t dialect;
	uint8_t logged_in;
	uint8_t login_seen;
	uint8_t account_len; /* of an account that counts for max_per_account */
	uint8_t account[SHM_ACCOUNT];
	uint32_t server;     /* upstreams_key() of the one it has, or tries */
	_Atomic uint32_t unkept; /* the keeper had no descriptor for one of its sockets */
	int32_t fd[2];       /* by side, in an engine that starts: what the keeper had kept; 0 nothing */
	uint64_t got_base[2], put_base[2]; /* by side: what the socket had received and sent before the streams */
	int32_t error[2];    /* by side: what broke the connection, which its socket says only once */
	uint64_t opened_wall_ns, opened_mono_ns;
	uint64_t admitted_at; /* stream offset of the SP's login that was admitted last */
	struct sockaddr_in6 peer; /* the SP's address, of either family */
	struct proxy_header asked; /* what a balancer said; version 0: nothing */
	char sp_addr[SHM_ADDR_TEXT], gw_addr[SHM_ADDR_TEXT]; /* "10.0.0.7:51312", "[::1]:2775" */
	struct shm_flow flow[2]; /* by enum side of the sender */
};

/* What the scribe has told of the session in a slot: an engine that goes on may say it again. */
struct shm_seen {
	uint64_t session;
	uint64_t to[2];      /* by side: frames that begin before this offset are told */
	uint64_t closed;
	uint64_t opened_mono_ns; /* 0: nobody saw it open */
	char peer[SHM_ADDR_TEXT];
	char account[SHM_ACCOUNT + 8]; /* that logged in; cut to fit */
};

struct shm {
	uint32_t magic, layout;
	uint64_t size;
	uint32_t session_max, workers, ring_size;
	uint32_t ring_count;             /* workers × SHM_SETS */
	uint32_t stories;                /* the most messages of the story table */
	uint32_t pad_;
	uint64_t links_at;               /* offset of SHM_LINKS_MAX links */
	uint64_t servers_at;             /* of SHM_SERVERS_MAX servers */
	uint64_t sessions_at;            /* of the session table */
	uint64_t seen_at;                /* of the scribe's, a struct shm_seen a slot */
	uint64_t stories_at;             /* of the story table, at a page */
	uint64_t counts_at, counts_bytes; /* of what the scribe counts */
	uint64_t edits_at;               /* of the slots for edited PDUs, EDIT_SLOTS for each ring */
	uint32_t edit_size;              /* octets of one, its note included */
	uint32_t pad2_;
	uint64_t ring_at[SHM_RINGS_MAX]; /* offsets of the rings */
	_Atomic uint64_t next_session;   /* the last session id given */
	_Atomic uint64_t next_record;    /* the last record id given */
	_Atomic uint64_t engine_starts, engine_deaths;
	_Atomic uint32_t engine;         /* number of the engine that accepts; the keeper counts */
	_Atomic uint32_t set;            /* its set of rings */
	_Atomic uint32_t older[SHM_SETS]; /* numbers of those that bring sessions to an end, by set; 0 none */
	_Atomic uint32_t suspect;        /* the engine before died of a fault: what it had in hand is not parsed again */
	_Atomic uint32_t pad3_;
	struct shm_change changes[SHM_CHANGES]; /* the last ones, by number */
	_Atomic uint64_t change_number;  /* of the last one, 0: there was none; grows when it is written */
	_Atomic uint64_t changes_told;   /* of the last one that there is a record of */
	struct {
		_Atomic uint64_t last_number; /* of the last one of this kind, 0: there was none */
		_Atomic uint64_t begun_number; /* what begins now gets a higher one: one under way has the next, maybe */
		struct shm_change last; /* that one; written before its number */
	} kinds[SHM_CHANGE_KINDS];
	uint32_t sink_count, pad4_;
	struct {
		uint64_t at, bytes;
		_Atomic uint64_t engine; /* number of the engine that writes it; 0 none */
	} sinks[SHM_SINKS_MAX];
	_Atomic uint64_t unkept;         /* sockets that the keeper was not sent, or had no descriptor for */
	uint64_t made_mono_ns;           /* when the keeper made it: all uptime counts from there */
	_Atomic uint64_t beat_scribe_ns; /* monotonic: that thread was alive then */
	_Atomic uint64_t beat_front_ns[SHM_SETS];       /* by set: older engines are watched, too */
	_Atomic uint64_t beat_worker_ns[SHM_RINGS_MAX]; /* by number of the worker's ring */
};

/* How large it is to be. */
struct shm_wish {
	int workers;
	uint32_t ring_size, session_max, stories, hold_max;
	uint64_t counts;       /* octets for what the scribe counts */
	const uint64_t *sinks; /* octets of the queues of sinks */
	int sink_count;
};

/** Make the shared memory as a memfd; returns its descriptor (close-on-exec off) or -errno. */
int shm_create(const struct shm_wish *wish);

/** Map `fd`; NULL if it is not a shared memory of this layout (errno says more). */
struct shm *shm_map(int fd);
void shm_unmap(struct shm *s);

static inline struct shm_session *shm_session(struct shm *s, uint32_t slot)
{
	return (struct shm_session *)(void *)((char *)s + s->sessions_at) + slot;
}

static inline struct shm_seen *shm_seen(struct shm *s, uint32_t slot)
{
	return (struct shm_seen *)(void *)((char *)s + s->seen_at) + slot;
}

static inline struct shm_link *shm_link(struct shm *s, uint32_t number)
{
	return (struct shm_link *)(void *)((char *)s + s->links_at) + number % SHM_LINKS_MAX;
}

static inline struct shm_server *shm_server(struct shm *s, uint32_t i)
{
	return (struct shm_server *)(void *)((char *)s + s->servers_at) + i;
}

/** The number of the link with that name, a new one if it has none yet; -1: all are taken. One caller at a time. */
int shm_link_number(struct shm *s, const char *name);

/** The last change; all zero if there was none. */
static inline const struct shm_change *shm_change(const struct shm *s)
{
	return &s->changes[atomic_load(&s->change_number) % SHM_CHANGES];
}

/** The last change of a kind, SHM_RELOAD or SHM_UPGRADE; NULL: there was none. */
static inline const struct shm_change *shm_last(const struct shm *s, int kind)
{
	return atomic_load(&s->kinds[kind].last_number) != 0 ? &s->kinds[kind].last : NULL;
}

/** Has the name a number? */
bool shm_link_known(struct shm *s, const char *name);

/** How many numbers are given. */
uint32_t shm_link_count(struct shm *s);

/** Of the rings of worker `i`, in all sets: entries that found no room, and octets that wait. */
uint64_t shm_lost(struct shm *s, uint32_t i);
uint64_t shm_waiting(struct shm *s, uint32_t i);

/** The memory for what the scribe counts; NULL: there are no `bytes` of it. */
static inline void *shm_counts(struct shm *s, size_t bytes)
{
	return s->counts_bytes >= bytes ? (char *)s + s->counts_at : NULL;
}

/** The memory of a sink's queue. */
static inline void *shm_sink(struct shm *s, uint32_t i)
{
	return (char *)s + s->sinks[i].at;
}

/** Is that engine bringing sessions to an end, or the one that accepts? */
bool shm_engine_lives(const struct shm *s, uint32_t engine);

/**
 * Worker `i` has the slots from here up to the next worker's. It takes the lowest free one, so the
 * first slot whose opened_wall_ns is 0 was never used, and none behind it: a table for a million
 * sessions costs memory for as many as there were at one time.
 */
static inline uint32_t shm_slots_at(const struct shm *s, uint32_t i)
{
	return (uint32_t)((uint64_t)s->session_max * i / s->workers);
}

/** Number of the ring, and of the share of the edit slots, that worker `i` of that set has. */
static inline uint32_t shm_ring_of(const struct shm *s, uint32_t set, uint32_t i)
{
	return set * s->workers + i;
}

/* Slots of a worker: as many sessions may have an edited PDU half out; further ones relay as it came. */
enum { EDIT_SLOTS = 64, EDIT_GROWTH = 2048 };

static inline uint8_t *shm_edit_slot(struct shm *s, uint32_t slot)
{
	return (uint8_t *)s + s->edits_at + (uint64_t)slot * s->edit_size;
}

static inline struct ring *shm_ring(struct shm *s, int i)
{
	return (struct ring *)(void *)((char *)s + s->ring_at[i]);
}

/**
 * The story table as an earlier engine left it, or a new one if there is none or it is not fit for use;
 * *ret_lost says which, *ret_broken how many of its entries were forgotten. NULL: memory is short.
 */
struct story_table *shm_stories(struct shm *s, uint64_t first, uint32_t *ret_broken, bool *ret_lost);

/* What a RING_EVENT entry says. */
enum event_kind {
	EVENT_OPEN,         /* an SP connected from `text` */
	EVENT_CLOSE,        /* the session is over: who, how, at which step, error */
	EVENT_BLIND,        /* framing lost in direction `side`: `offset`, `value` is the impossible length */
	EVENT_STALL,        /* a PDU of `value` octets has been half arrived for longer than stall_ms */
	EVENT_UPSTREAM_UP,  /* connected to `text`, which had failed before; without a session, a probe did */
	EVENT_UPSTREAM_DOWN,/* `text` did not answer and is down: `error`, and behind the text's NUL more words;
				`value` failures in a row */
	EVENT_TLS,          /* TLS stands on `side`: version and cipher, behind the NUL the SP's name */
	EVENT_REFUSED,      /* no session (entry's session is 0): `how`, `value` of them, `text` the last address */
	EVENT_UNEDITED,     /* the PDU at `offset` goes out as it came for want of room to edit it */
	EVENT_UPSTREAM_FAILED, /* as EVENT_UPSTREAM_DOWN, but the server is not down yet */
	EVENT_UPSTREAM_MOVED, /* the name `text` has another address: behind NULs that one, and the one before */
};

/* How a session ended, or why it was refused. */
enum end_how {
	END_NONE,
	END_FIN,            /* `side` closed its end */
	END_RESET,          /* `side` reset the connection: error */
	END_LOGIN_TIMEOUT,
	END_NOT_LOGIN,      /* the first PDU was no login */
	END_BAD_LENGTH,     /* an impossible length before login, or the link says close */
	END_FOREIGN,        /* another protocol: `text` names it */
	END_UPSTREAM,       /* no gateway answered */
	END_LIMIT_SESSIONS,
	END_LIMIT_ADDRESS,
	END_LIMIT_HANDSHAKES,
	END_LIMIT_RATE,
	END_HALF_CLOSE,     /* the other half stayed open too long */
	END_HANDSHAKE,      /* TLS: the handshake failed, `text` says why */
	END_HANDSHAKE_TIMEOUT,
	END_TLS,            /* TLS broke later: `text` */
	END_URGENT,         /* EVENT_BLIND only: an urgent mark inside a length field */
	END_SHUTDOWN,       /* smscoped stops */
	END_ERROR,          /* errno in `error` */
	END_DENIED,         /* that address may not connect: allow, deny */
	END_PENALTY,        /* nor may this one for now: too many logins were refused */
	END_PROXY,          /* no PROXY header, or none that can be read, where there must be one */
	END_ACCOUNT,        /* the account is none of accounts */
	END_LIMIT_ACCOUNT,
	END_LIMIT_LOGINS,
	END_IDLE,           /* `side` sent no whole PDU for idle_timeout */
	END_DEAD,           /* `side` is gone without a word: nothing it was sent for dead_timeout was confirmed */
	END_ENGINE,         /* the engine died, and this session could not go on in the next one */
	END_COUNT
};

const char *end_how_name(enum end_how how); /* "fin", "login_timeout", … */

enum { EVENT_TEXT = 192 };

struct session_event {
	uint8_t kind;   /* enum event_kind */
	uint8_t side;   /* enum side: who did it; 2: smscope */
	uint8_t how;    /* enum end_how */
	uint8_t state;  /* enum session_state when it happened */
	int32_t error;  /* errno, or 0 */
	uint64_t value;
	uint64_t octets[2]; /* EVENT_CLOSE: octets relayed, by sender's side */
	char text[EVENT_TEXT]; /* NUL-terminated, foreign */
};

enum { SIDE_US = 2 };

#endif
