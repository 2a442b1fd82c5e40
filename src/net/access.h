#ifndef SMSCOPE_NET_ACCESS_H
#define SMSCOPE_NET_ACCESS_H

#include "base/settings.h"
#include "smscope/bytes.h"

/*
 * Who may pass, as the configuration says: questions with no state. IPv4 addresses and those that
 * come mapped in IPv6 are the same ones.
 */

/** The address in 16 octets, IPv4 ones mapped; all zero if it is neither. */
void access_octets(uint8_t to[static 16], const struct sockaddr_storage *peer);

/**
 * May an SP connect from there? The longest prefix of allow and deny decides. Of an address in none, that
 * there is no allow.
 */
bool access_allowed(const struct link_settings *l, const struct sockaddr_storage *peer);

/** Must what comes from there begin with a PROXY header? */
bool access_proxied(const struct link_settings *l, const struct sockaddr_storage *peer);

/** May this account log in? */
bool access_account(const struct link_settings *l, struct span account);

#endif
