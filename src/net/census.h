#ifndef SMSCOPE_NET_CENSUS_H
#define SMSCOPE_NET_CENSUS_H

#include "base/settings.h"
#include "base/shm.h"
#include "smscope/bytes.h"

/*
 * How many sessions each link has, in total, per SP address and per account. Entered by the front, left by
 * the workers: the threads of the data plane share its lock, a few times per session.
 */
struct census;

/** NULL when memory is short. Holds as many addresses as there can be sessions. */
struct census *census_new(const struct settings *settings);
void census_free(struct census *c);

/**
 * Count a session in: END_NONE, or the limit that forbids it (nothing is counted then). An address of the
 * family AF_UNSPEC is not known yet: census_address() follows.
 */
enum end_how census_enter(struct census *c, int link, const struct sockaddr_storage *peer);

/** Count the address in of a session that was counted without. */
enum end_how census_address(struct census *c, int link, const struct sockaddr_storage *peer);

/** Count the session of an account in, of which the first 16 octets count. The link has a limit for it. */
enum end_how census_account(struct census *c, int link, struct span account);

/** Count in a session, and an account, of an engine before this one, whatever the limits are. */
void census_adopt(struct census *c, int link, const struct sockaddr_storage *peer);
void census_adopt_account(struct census *c, int link, struct span account);

/** Count it out: the session, and its account if that was counted in. */
void census_leave(struct census *c, int link, const struct sockaddr_storage *peer);
void census_account_leave(struct census *c, int link, struct span account);

#endif
