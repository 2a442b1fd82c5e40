#ifndef SIM_CONN_H
#define SIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A non-blocking connection with one buffer each way, and what a simulator needs around it:
 * addresses, clock, latency figures. Buffers are made once; nothing is allocated per PDU.
 */

enum { SIM_BUFFER = 256 * 1024 };

struct sim_conn {
	int fd;               /* -1: closed */
	bool connecting, eof; /* eof: the peer sent its FIN */
	int error;            /* errno that ended it, or 0 */
	uint8_t *in, *out;
	size_t in_at, in_n;   /* unread octets are in[in_at .. in_n) */
	size_t out_at, out_n; /* unsent octets are out[out_at .. out_n) */
};

/** Take over `fd`: non-blocking, TCP_NODELAY. Returns 0 or -errno. */
int sim_conn_open(struct sim_conn *c, int fd);

/** Close and free the buffers; `reset`: abort the connection. */
void sim_conn_close(struct sim_conn *c, bool reset);

/** Read what is there. Octets read, 0 for none, -1 at the end: c->eof or c->error says which. */
long sim_conn_read(struct sim_conn *c);

/** Send what is queued, as far as it goes. 0 or -1. */
int sim_conn_write(struct sim_conn *c);

/** Where to put `n` more octets, or NULL if the buffer has no room now; then add to c->out_n. */
uint8_t *sim_conn_room(struct sim_conn *c, size_t n);

static inline size_t sim_conn_queued(const struct sim_conn *c)
{
	return c->out_n - c->out_at;
}

/** "HOST:PORT" to a listening or connecting socket; -1 with a message on standard error. */
int sim_listen(const char *where, int *ret_port);
int sim_connect(const char *where);

uint64_t sim_now_us(void);

/* Latencies: 32 steps to each power of two, so a figure is right to about 3 %. */
enum { SIM_HIST_SUB = 32, SIM_HIST_ROWS = 40 };

struct sim_hist {
	uint64_t count, max_us, buckets[SIM_HIST_ROWS * SIM_HIST_SUB];
};

void sim_hist_add(struct sim_hist *h, uint64_t us);

/** The value that `share` (0.99) of all values do not exceed. */
uint64_t sim_hist_at(const struct sim_hist *h, double share);

#endif
