#include "net/leg_count.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/*
 *   tcpi_bytes_received = octets in order that have arrived, a FIN counts one more
 *   SIOCINQ             = of these the unread ones, without the FIN
 *   tcpi_bytes_acked    = octets that the peer has confirmed, and our FIN
 *   SIOCOUTQ            = octets, and our FIN, that it has not
 *
 * A segment that arrives between the two halves of a sum spoils it: a half is read between two equal
 * readings of the other. Source: Linux, tcp(7), and measurement.
 */

enum { /* of the kernel's include/net/tcp_states.h */
	STATE_FIN_WAIT1 = 4, STATE_FIN_WAIT2, STATE_TIME_WAIT, STATE_CLOSE, STATE_CLOSE_WAIT,
	STATE_LAST_ACK, STATE_LISTEN, STATE_CLOSING,
};

enum { FIN_COME = 1, FIN_OUT = 2 };

static int read_info(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0 ? -errno : 0;
}

/* Which FINs a state tells of; of a connection that is over by a reset, none. */
static unsigned fins_of(const struct tcp_info *i, bool broken)
{
	static const uint8_t fins[] = {
		[STATE_FIN_WAIT1] = FIN_OUT,
		[STATE_FIN_WAIT2] = FIN_OUT,
		[STATE_TIME_WAIT] = FIN_OUT | FIN_COME,
		[STATE_CLOSE] = FIN_OUT | FIN_COME,
		[STATE_CLOSE_WAIT] = FIN_COME,
		[STATE_LAST_ACK] = FIN_OUT | FIN_COME,
		[STATE_CLOSING] = FIN_OUT | FIN_COME,
	};

	if (i->tcpi_state >= sizeof(fins) || (i->tcpi_state == STATE_CLOSE && broken))
		return 0;
	return fins[i->tcpi_state];
}

int leg_count(int fd, bool broken, struct leg_count *ret)
{
	struct tcp_info before, after;
	int unread, unconfirmed, err;
	unsigned fins;

	err = read_info(fd, &after);
	if (err < 0)
		return err;
	do {
		before = after;
		if (ioctl(fd, SIOCINQ, &unread) < 0 || ioctl(fd, SIOCOUTQ, &unconfirmed) < 0)
			return -errno;
		err = read_info(fd, &after);
		if (err < 0)
			return err;
	} while (before.tcpi_bytes_received != after.tcpi_bytes_received ||
		before.tcpi_bytes_acked != after.tcpi_bytes_acked ||
		before.tcpi_state != after.tcpi_state);
	ret->unread = (uint64_t)unread;
	fins = fins_of(&after, broken);
	ret->fin_out = (fins & FIN_OUT) != 0;
	ret->over = after.tcpi_state == STATE_CLOSE;
	ret->got = (uint64_t)after.tcpi_bytes_received - ret->unread - ((fins & FIN_COME) != 0);
	ret->put = (uint64_t)after.tcpi_bytes_acked + (uint64_t)unconfirmed - ret->fin_out;
	return 0;
}
