#ifndef SMSCOPE_TOOLS_SEGMENT_H
#define SMSCOPE_TOOLS_SEGMENT_H

#include "smscope/bytes.h"

/* What a packet of a capture says about TCP, and where it stands. */
struct tcp_end {
	uint8_t ip[16];
	uint8_t ip_len; /* 4 or 16 */
	uint16_t port;
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

struct segment {
	struct tcp_end from, to;
	uint32_t seq, ack;
	uint32_t len;     /* of the octets as they were sent; the capture may hold fewer */
	uint8_t flags;    /* TCP_* */
	struct span data;
};

/* Where in the capture something happens. */
struct capture_at {
	uint64_t packet;  /* from 1, of the file */
	uint64_t time_ns; /* since 1970 */
};

#endif
