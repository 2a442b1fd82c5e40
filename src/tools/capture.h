#ifndef SMSCOPE_TOOLS_CAPTURE_H
#define SMSCOPE_TOOLS_CAPTURE_H

#include <stdio.h>

#include "tools/packet.h"

/* Captures, pcap and pcapng, through libpcap: their packets, and the connections in them. */
struct capture_counts {
	uint64_t packets;             /* of the file */
	uint64_t filtered;            /* of these not asked for */
	uint64_t kinds[PACKET_KINDS]; /* of the rest */
	uint64_t cut;                 /* segments of which the capture lacks octets */
};

enum { CAPTURE_FAULT = 512 };

/** Does the file begin as a capture? Nothing is taken from it: it can still be read whole. */
bool capture_is(FILE *f);

/**
 * Read all of `f`, which is closed then unless it is stdin. `filter` is an expression of libpcap,
 * or NULL; it is asked of each packet before anything else. The reader hears of everything in the
 * order of the file; connections end with the file.
 *
 * SM_OK, or negative with *ret_fault one line that says what is wrong, and of which packet: the
 * reader has what came before it, and *ret_counts counts that.
 */
int capture_read(FILE *f, const char *filter, const struct connection_reader *reader, void *arg,
	struct capture_counts *ret_counts, char ret_fault[CAPTURE_FAULT]);

#endif
