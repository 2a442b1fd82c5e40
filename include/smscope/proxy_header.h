#ifndef SMSCOPE_PROXY_HEADER_H
#define SMSCOPE_PROXY_HEADER_H

#include <stdbool.h>

#include "smscope/bytes.h"
#include "smscope/err.h"

/*
 * The header of the PROXY protocol, which a balancer puts before a connection's first octet to say whose
 * connection it passes on. Version 1 is a line of text, version 2 is binary.
 * Source: The PROXY protocol, versions 1 & 2, sections 2.1 and 2.2.
 */

enum {
	PROXY_V1_MAX = 107,       /* octets of a line with its CR LF */
	PROXY_V2_MAX = 16 + 4096, /* we take no longer one; 65,551 are possible */
	PROXY_WRITE_MAX = PROXY_V1_MAX,
};

enum proxy_family { PROXY_NONE, PROXY_IPV4, PROXY_IPV6 };

/* One end of a connection. IPv4 addresses are the first four octets. */
struct proxy_end {
	uint8_t addr[16];
	uint16_t port;
};

struct proxy_header {
	uint8_t version;    /* 1 or 2 */
	uint8_t family;     /* enum proxy_family; PROXY_NONE: the connection is the balancer's own, or it cannot tell */
	struct proxy_end from, to;
};

/**
 * Read a header at the head of `in`. Above 0 its length: what follows it is the stream. 0 while more octets
 * are needed, SM_EFORMAT if these are the beginning of no header, SM_ELEN if it is longer than it may be. What
 * is read does not depend on how the octets come: a header is one however little of it `in` had before.
 */
int proxy_header_read(struct span in, struct proxy_header *ret);

/**
 * Write a header of h->version to `to`; returns its length, SM_ELEN if `cap` is too small. PROXY_WRITE_MAX
 * octets are always enough.
 */
int proxy_header_write(const struct proxy_header *h, uint8_t *to, size_t cap);

#endif
