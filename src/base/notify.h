#ifndef SMSCOPE_BASE_NOTIFY_H
#define SMSCOPE_BASE_NOTIFY_H

#include <stdint.h>

/*
 * The service manager's side channel: one datagram of "KEY=value" lines to the unix socket that
 * $NOTIFY_SOCKET names, '@' in front meaning the abstract name space. Source: sd_notify(3).
 */

/** Send `state`, never blocking. 1: sent, 0: there is nobody to tell, else -errno. */
int notify_send(const char *state);

/** The manager expects "WATCHDOG=1" at least this often, in ms; 0: it does not. */
uint32_t notify_watchdog_ms(void);

#endif
