#ifndef SMSCOPE_NET_ADMIT_H
#define SMSCOPE_NET_ADMIT_H

#include "net/session.h"
#include "smscope/pdu.h"

/*
 * What a session must pass before its login goes to the gateway: the PROXY header of a balancer, the rules
 * for accounts, how often. And what ends it for being idle.
 */

/**
 * May an SP connect from there now? END_NONE, or why not. Nothing is counted. Called by the front, and again by
 * a worker for the address that a PROXY header tells.
 */
enum end_how admit_address(const struct link_settings *l, int link, struct pace *pace,
	const struct sockaddr_storage *peer, uint64_t now_ns);

/**
 * Read the PROXY header that a balancer's connection begins with; what follows it stays unread in the
 * kernel. True once it was read and its address admitted. False: it is not all here yet, or the session is
 * closed.
 */
bool admit_header(struct session *s);

/** Turn away a session that nobody was told of: counted, told now and then, closed. */
void admit_turn_away(struct session *s, enum end_how how);

/**
 * May this login of the SP go on? END_NONE, and its account is counted in; else why not, and it was counted as
 * refused. The answer to it is the caller's.
 */
enum end_how admit_login(struct session *s, const struct pdu *login);

/** The gateway refused a login of the session. */
void admit_refused(struct session *s);

/** Count the session's account out. */
void admit_leave(struct session *s);

/** Send the gateway the PROXY header, before any other octet: 0, or -errno. */
int admit_tell_gateway(struct session *s);

/** Called now and then: a session of which one side is gone without a word ends. */
void admit_dead(struct session *s);

/** Is a side silent for longer than the link allows? Then the session ends. Called about once a second. */
void admit_idle(struct session *s);

#endif
