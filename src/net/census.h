#ifndef SMSCOPE_NET_CENSUS_H
#define SMSCOPE_NET_CENSUS_H

#include "base/settings.h"
#include "base/shm.h"

/*
 * How many sessions each link has, in total and per SP address. Entered by the front, left by the
 * workers: the one place where threads of the data plane share a lock, once per session.
 */
struct census;

/** NULL when memory is short. Holds as many addresses as there can be sessions. */
struct census *census_new(const struct settings *settings);
void census_free(struct census *c);

/** Count a session in: END_NONE, or the limit that forbids it (nothing is counted then). */
enum end_how census_enter(struct census *c, int link, const struct sockaddr_storage *peer);

/** Count it out. */
void census_leave(struct census *c, int link, const struct sockaddr_storage *peer);

#endif
