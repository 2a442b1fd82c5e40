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

static int read_info(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0 ? -errno : 0;
}

static bool fin_has_come(const struct tcp_info *i, bool broken)
{
	switch (i->tcpi_state) {
	case STATE_CLOSE_WAIT:
	case STATE_LAST_ACK:
	case STATE_CLOSING:
	case STATE_TIME_WAIT:
		return true;
	case STATE_CLOSE:
		return !broken;
	default:
		return false;
	}
}

static bool fin_is_out(const struct tcp_info *i, bool broken)
{
	switch (i->tcpi_state) {
	case STATE_FIN_WAIT1:
	case STATE_FIN_WAIT2:
	case STATE_CLOSING:
	case STATE_LAST_ACK:
	case STATE_TIME_WAIT:
		return true;
	case STATE_CLOSE:
		return !broken;
	default:
		return false;
	}
}

int leg_count(int fd, bool broken, struct leg_count *ret)
{
	struct tcp_info before, after;
	int unread, unconfirmed, err;

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
	ret->fin_out = fin_is_out(&after, broken);
	ret->over = after.tcpi_state == STATE_CLOSE;
	ret->got = (uint64_t)after.tcpi_bytes_received - ret->unread - fin_has_come(&after, broken);
	ret->put = (uint64_t)after.tcpi_bytes_acked + (uint64_t)unconfirmed - ret->fin_out;
	return 0;
}
