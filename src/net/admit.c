#include "net/admit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "net/access.h"
#include "net/census.h"
#include "net/pace.h"
#include "net/refusals.h"

/** The key of an address; `room` holds its octets. */
static struct pace_key address_key(enum pace_kind kind, int link,
	const struct sockaddr_storage *peer, uint8_t room[static 16])
{
	access_octets(room, peer);
	return (struct pace_key){ kind, link, span_of(room, 16) };
}

enum end_how admit_address(const struct link_settings *l, int link, struct pace *pace,
	const struct sockaddr_storage *peer, uint64_t now_ns)
{
	uint8_t room[16];
	struct pace_key key = address_key(PACE_REFUSED, link, peer, room);

	if (!access_allowed(l, peer))
		return END_DENIED;
	return l->penalty_after > 0 && pace_out(pace, &key, now_ns) ? END_PENALTY : END_NONE;
}

void admit_turn_away(struct session *s, enum end_how how)
{
	struct worker *w = s->worker;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	struct refusal_count r;

	memcpy(&peer, session_peer(s), sizeof(s->shared->peer));
	if (peer.ss_family == AF_UNSPEC)
		(void)getpeername(s->leg[SIDE_SP].fd, (struct sockaddr *)&peer, &len);
	if (refusals_add(w->refusals, s->link_index, how, &peer, w->mono_ns, &r) &&
		!worker_report_refused(w, &r))
		refusals_again(w->refusals, &r);
	session_close(s);
}

/* How an IPv6 address begins that is an IPv4 one. */
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/** The SP's end as a socket address; false: the header tells none. */
static bool header_peer(const struct proxy_header *h, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;

	if (h->family == PROXY_NONE)
		return false;
	*ret = (struct sockaddr_storage){ 0 };
	if (h->family == PROXY_IPV4 || memcmp(h->from.addr, mapped, sizeof(mapped)) == 0) {
		in->sin_family = AF_INET;
		in->sin_port = htons(h->from.port);
		memcpy(&in->sin_addr, h->from.addr + (h->family == PROXY_IPV4 ? 0 : sizeof(mapped)), 4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(h->from.port);
		memcpy(&in6->sin6_addr, h->from.addr, 16);
	}
	return true;
}

/** The header is read: from here on its address is the SP's, if it tells one. */
static void header_done(struct session *s)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	enum end_how how;

	if (!header_peer(&s->shared->asked, &peer))
		(void)getpeername(s->leg[SIDE_SP].fd, (struct sockaddr *)&peer, &len);
	leg_address_text(&peer, peer.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
		sizeof(struct sockaddr_in6), s->shared->sp_addr, sizeof(s->shared->sp_addr));
	how = admit_address(s->link, s->link_index, s->worker->pace, &peer, s->worker->mono_ns);
	if (how == END_NONE)
		how = census_address(s->worker->census, s->link_index, &peer);
	if (how != END_NONE) {
		admit_turn_away(s, how);
		return;
	}
	session_set_peer(s, &peer);
	s->proxied = false;
}

/*
 * Looks at the socket itself, not through the leg: these octets lie in front of whatever the leg makes of
 * the others.
 */
bool admit_header(struct session *s)
{
	struct leg *sp = &s->leg[SIDE_SP];
	uint8_t octets[PROXY_V2_MAX];
	ssize_t n;
	int len;

	do
		n = recv(sp->fd, octets, sizeof(octets), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		session_close(s);	/* not an octet: somebody looked whether we are here */
		return false;
	}
	len = proxy_header_read(span_of(octets, (size_t)n), &s->shared->asked);
	if (len == 0 && !leg_ended(sp))
		return false;
	if (len <= 0) {
		admit_turn_away(s, END_PROXY);
		return false;
	}
	/* Exactly the header: the stream, its counters too, begins behind it. */
	while (recv(sp->fd, octets, (size_t)len, MSG_DONTWAIT) < 0 && errno == EINTR)
		;
	header_done(s);
	return s->shared->state != SESSION_CLOSED;
}

static void count_refused(struct session *s)
{
	uint8_t room[16];
	struct pace_key key = address_key(PACE_REFUSED, s->link_index, session_peer(s), room);

	if (s->link->penalty_after > 0)
		pace_refused(s->worker->pace, &key, s->link->penalty_after, s->link->penalty_ms,
			s->worker->mono_ns);
}

static bool often(struct session *s, const struct pace_key *key)
{
	uint32_t limit = s->link->logins_per_minute;

	return limit > 0 && !pace_take(s->worker->pace, key, limit, s->worker->mono_ns);
}

/** Another account of the session takes the place of the one that was counted. */
static enum end_how count_account(struct session *s, struct span account)
{
	enum end_how how;

	admit_leave(s);
	if (s->link->max_per_account == 0)
		return END_NONE;
	how = census_account(s->worker->census, s->link_index, account);
	if (how != END_NONE)
		return how;
	session_set_account(s, account);
	s->account_counted = true;
	return END_NONE;
}

enum end_how admit_login(struct session *s, const struct pdu *login)
{
	struct span account = pdu_text(login, F_SYSTEM_ID);
	int link = s->link_index;
	uint8_t room[16];
	struct pace_key from = address_key(PACE_ADDRESS, link, session_peer(s), room);
	struct pace_key of = { PACE_ACCOUNT, link, account };
	enum end_how how = END_NONE;

	if (often(s, &from))
		how = END_LIMIT_LOGINS;
	else if (!access_account(s->link, account))
		how = END_ACCOUNT;
	else if (often(s, &of))
		how = END_LIMIT_LOGINS;
	else
		how = count_account(s, account);
	if (how != END_NONE)
		count_refused(s);
	return how;
}

void admit_refused(struct session *s)
{
	count_refused(s);
}

void admit_leave(struct session *s)
{
	if (!s->account_counted)
		return;
	s->account_counted = false;
	census_account_leave(s->worker->census, s->link_index,
		span_of(s->shared->account, s->shared->account_len));
}

static struct proxy_end end_of(const struct sockaddr_storage *a)
{
	struct proxy_end e = { .port = ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port) };
	uint8_t octets[16];

	access_octets(octets, a); /* the port is at the same place in both families */
	memcpy(e.addr, octets, sizeof(e.addr));
	return e;
}

/** Both ends that are IPv4 ones, perhaps mapped, as such; any other pair as IPv6. */
static void settle_family(struct proxy_header *h)
{
	struct proxy_end *const ends[] = { &h->from, &h->to };

	h->family = PROXY_IPV6;
	if (memcmp(h->from.addr, mapped, sizeof(mapped)) != 0 ||
		memcmp(h->to.addr, mapped, sizeof(mapped)) != 0)
		return;
	h->family = PROXY_IPV4;
	for (int i = 0; i < 2; i++) {
		memmove(ends[i]->addr, ends[i]->addr + sizeof(mapped), 4);
		memset(ends[i]->addr + 4, 0, sizeof(mapped));
	}
}

int admit_tell_gateway(struct session *s)
{
	struct proxy_header h = s->shared->asked;
	struct sockaddr_storage ours = { 0 };
	socklen_t len = sizeof(ours);
	uint8_t octets[PROXY_WRITE_MAX];
	ssize_t sent;
	int n;

	if (s->link->proxy_to == PROXY_TO_NONE)
		return 0;
	if (h.family == PROXY_NONE) {
		if (getsockname(s->leg[SIDE_SP].fd, (struct sockaddr *)&ours, &len) < 0)
			return -errno;
		h.from = end_of(session_peer(s));
		h.to = end_of(&ours);
		settle_family(&h);
	}
	h.version = s->link->proxy_to == PROXY_TO_V2 ? 2 : 1;
	n = proxy_header_write(&h, octets, sizeof(octets));
	if (n < 0)
		return -EMSGSIZE;
	do
		sent = send(s->leg[SIDE_GW].fd, octets, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return sent == n ? 0 : -ENOBUFS;	/* a fresh socket has room for it */
}

/** What moves when a side says something: PDUs, and octets where there are none. */
static uint64_t said_by(const struct flow *f)
{
	return f->at->blind ? f->at->pdus + f->at->sent_at : f->at->pdus;
}

void admit_dead(struct session *s)
{
	if (s->shared->state != SESSION_RELAYING)
		return;
	for (int i = 0; i < 2; i++) {
		if (!leg_dead(&s->leg[i], s->worker->mono_ns, s->link->dead_timeout_ms))
			continue;
		s->leg[i].error = ETIMEDOUT; /* so it is let go of, and the other side told */
		session_cause(s, (unsigned)i, END_DEAD, ETIMEDOUT, NULL);
		session_drain(s);
		return;
	}
}

void admit_idle(struct session *s)
{
	uint64_t now = s->worker->mono_ns, limit = s->link->idle_timeout_ms * 1000000ull;

	if (limit == 0 || s->shared->state != SESSION_RELAYING || s->ending)
		return;
	for (int i = 0; i < 2; i++) {
		uint64_t said = said_by(&s->flow[i]);

		if (s->idle_ns[i] == 0 || said != s->idle_said[i]) {
			s->idle_said[i] = said;
			s->idle_ns[i] = now;
		} else if (now - s->idle_ns[i] >= limit && !s->flow[i].done) {
			session_cause(s, (unsigned)i, END_IDLE, 0, NULL);
			session_end(s);
			return;
		}
	}
}
