#ifndef SIM_PORT_H
#define SIM_PORT_H

/**
 * A TCP port of the loopback addresses that is this process' own until it ends: nobody listens there, no other
 * process that asks here is given it, and the kernel gives it to none. Tests run side by side, and a port that
 * was merely found free would soon be the gateway of another: what dials it then meets a stranger.
 *
 * Returns -1 with errno when there is none.
 */
int sim_port(void);

#endif
