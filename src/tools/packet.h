#ifndef SMSCOPE_TOOLS_PACKET_H
#define SMSCOPE_TOOLS_PACKET_H

#include "tools/connection.h"

/* One packet of a capture, from its link layer to its TCP segment. */
enum packet {
	PACKET_TCP,
	PACKET_NOT_IP,
	PACKET_NOT_TCP,
	PACKET_FRAGMENT, /* of a TCP segment; these are not put together */
	PACKET_CUT,      /* the capture does not hold all of its headers */
	PACKET_BAD,      /* its headers contradict themselves */
	PACKET_KINDS
};

/** Can packets of libpcap's link type DLT_… be read? */
bool packet_link_known(int link);

/**
 * What `octets` are, of which there were `sent` on the wire. *ret is set for PACKET_TCP; its data
 * points into `octets`. Padding behind the IP packet is left off.
 */
enum packet packet_read(int link, struct span octets, size_t sent, struct segment *ret);

#endif
