#ifndef SMSCOPE_BASE_RING_H
#define SMSCOPE_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smscope/err.h"

/*
 * The frame ring: from one worker to the scribe. Single producer, single consumer, in shared memory;
 * offsets, no pointers, so that another process finds it as it was. Full means count and drop.
 *
 *   | struct ring | entry | entry | … pad | entry … |       positions grow for ever; data[pos % size]
 *
 * An entry is a struct ring_entry and its octets, padded to 8. It never wraps: a pad entry fills the end.
 */

enum ring_kind {
	RING_PAD,
	RING_FRAME, /* a PDU that was sent; octets: the PDU, or its beginning (RING_CUT) */
	RING_EVENT, /* something a session did; octets: struct session_event */
};

enum {
	RING_CUT = 1,  /* not all of the PDU's `wire_len` octets are here */
	RING_TAIL = 2, /* not a whole PDU: what was left at the end of the stream */
	RING_GW = 4,   /* sent by the gateway's side; else by the SP's */
	RING_OURS = 8, /* smscope's own answer in the gateway's place (RING_GW is set, too) */
	RING_LOGGED_IN = 16, /* the session's login had succeeded */
};

/* What became of an entry that was consumed. */
enum ring_told {
	RING_TOLD,
	RING_WAITS,   /* it is to be told later */
	RING_TELLING, /* it waited, and is being told */
	RING_SHUNNED, /* it is not to be parsed again: an engine died of it */
};

struct ring_entry {
	uint32_t size;      /* of the whole entry, header and padding included */
	uint8_t kind, flags;
	uint16_t link;      /* number of the link: shm_link() */
	uint32_t slot;      /* index in the session table */
	uint32_t len;       /* octets that follow */
	uint32_t wire_len;  /* octets on the wire */
	uint8_t proto;      /* the session's: first letter of its name, 0 not known yet */
	uint8_t dialect;
	uint16_t note_len;  /* octets behind those: a struct edit_note, or none */
	uint64_t session;   /* session id; 0 none */
	uint64_t mono_ns, wall_ns;
	uint64_t offset;    /* of the PDU's first octet in its direction's stream */
	/* The consumer's own, for the one after it. */
	uint64_t record;    /* id of the first record made of this; 0 none yet */
	uint64_t story;     /* number of the message that was submitted; 0 none */
	uint16_t join;
	uint8_t told;       /* enum ring_told */
	uint8_t pad_[5];
};

enum { RING_LAYOUT = 3, RING_RESERVE = 64 * 1024, RING_MARKS = 16 };

struct ring {
	uint32_t layout;    /* RING_LAYOUT */
	uint32_t size;      /* of data, a power of two */
	_Alignas(64) _Atomic uint64_t head;  /* the producer's position */
	_Atomic uint64_t lost;               /* entries that found no room */
	_Atomic uint64_t lost_first_ns, lost_last_ns; /* wall time of the first and last loss not yet reported */
	_Atomic uint64_t put;                /* entries that did */
	uint64_t tail_seen;                  /* the producer's last look at `tail` */
	_Alignas(64) _Atomic uint64_t tail;  /* the consumer's */
	_Atomic uint64_t hand;               /* position + 1 of the entry being parsed; 0 none */
	uint64_t marks[RING_MARKS];          /* the consumer's: where entries began, a sixteenth apart; 0 none */
	_Alignas(64) uint8_t data[];
};

/** Octets of memory for a ring of `size` octets of data. */
size_t ring_bytes(uint32_t size);

/** Make an empty ring at `mem`; `size` is a power of two, at least 256 KiB. */
struct ring *ring_init(void *mem, uint32_t size);

/** The ring at `mem` as an earlier process left it, or NULL if it does not look like one of `size` octets. */
struct ring *ring_adopt(void *mem, uint32_t size);

/**
 * Room for an entry with `len` octets; the caller fills in everything but `size`, then calls
 * ring_publish(). NULL: full, and counted. Frames leave RING_RESERVE octets free for events.
 */
struct ring_entry *ring_reserve(struct ring *r, uint32_t len, bool event, uint64_t wall_ns);
void ring_publish(struct ring *r, const struct ring_entry *e);

static inline uint8_t *ring_octets(struct ring_entry *e)
{
	return (uint8_t *)(e + 1);
}

/**
 * The consumer's next entry, or NULL. It stays valid, and the consumer's, until ring_consume(). One that cannot be
 * right is passed over with all behind it, and counted as a loss.
 */
struct ring_entry *ring_next(struct ring *r);

/** Note that the next entry is about to be parsed: if the process dies of it, ring_suspect() tells the next one. */
void ring_hold(struct ring *r);
bool ring_suspect(const struct ring *r);

/**
 * What was consumed and is still there, for a consumer that wants to know what the one before knew: start
 * with *at = ring_kept(), then ask for one entry after another. Each is copied to `to`, of `cap` octets,
 * for the producer may write over it; true while there is one, *ret_where is the entry itself.
 */
uint64_t ring_kept(const struct ring *r);
bool ring_kept_next(struct ring *r, uint64_t *at, void *to, size_t cap, struct ring_entry **ret_where);

/**
 * Is that entry of the ring, one that was consumed or is just being so, about to be written over? An engine to come
 * will not find it then. `e` is not read.
 */
bool ring_fades(const struct ring *r, const struct ring_entry *e);

/** Done with the next entry. */
void ring_consume(struct ring *r, const struct ring_entry *e);

#endif
