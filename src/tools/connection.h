#ifndef SMSCOPE_TOOLS_CONNECTION_H
#define SMSCOPE_TOOLS_CONNECTION_H

#include <stdbool.h>

#include "tools/segment.h"

/*
 * The TCP connections of a capture, from its segments: who is connected to whom, and what each end
 * sent, in order (reassembly.h). A connection that was there before the capture began is one too.
 */
enum { TCP_END_TEXT = 64 };

/** "10.0.0.7:51312", "[2001:db8::1]:2775". */
void tcp_end_text(const struct tcp_end *e, char to[TCP_END_TEXT]);

enum connection_end {
	CONNECTION_FIN,       /* both ends were done */
	CONNECTION_RESET,
	CONNECTION_AGAIN,     /* another one began on the same addresses and ports */
	CONNECTION_FORGOTTEN, /* too many others are newer */
	CONNECTION_CUT,       /* the capture ends */
};

struct connection {
	struct tcp_end end[2]; /* [0] dialled; if no SYN tells, [0] was the first to be seen */
	bool dialled;           /* a SYN tells */
	uint64_t number;        /* from 1, as they began */
	void *user;             /* the reader's; NULL at first */
};

/* What a capture tells its reader. `from` is the index of the end that sent the octets. */
struct connection_reader {
	void (*begin)(void *arg, struct connection *c, const struct capture_at *at);
	/**
	 * Never empty. A run is a segment, or what of one is new; valid during the call. `at` is
	 * where it was captured: what had to wait for others comes behind what is later.
	 */
	void (*octets)(void *arg, struct connection *c, int from, struct span run,
		const struct capture_at *at);
	/** So many octets are missing before the next run. */
	void (*gap)(void *arg, struct connection *c, int from, uint64_t missing,
		const struct capture_at *at);
	/** The last that is heard of it. */
	void (*end)(void *arg, struct connection *c, enum connection_end how,
		const struct capture_at *at);
};

enum { CONNECTIONS_MAX = 4096 };

struct connections;

/** NULL: no memory. */
struct connections *connections_new(const struct connection_reader *reader, void *arg);

/** Ends those that are left, then frees. NULL is nothing. */
void connections_free(struct connections *t);

/** SM_OK or -ENOMEM; the segment is lost then, the rest is as it was. */
int connections_segment(struct connections *t, const struct segment *s,
	const struct capture_at *at);

#endif
