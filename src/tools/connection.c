#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "tools/connection.h"
#include "tools/reassembly.h"

enum { BUCKETS = 4096, NEAR = 1 << 20 };

struct tracked;

struct direction {
	struct tracked *of;
	int from;
	struct reassembly octets;
};

/*
 * A connection that ended stays in the table, so that what is sent again, late, is not taken for
 * another one.
 */
struct tracked {
	struct connection c; /* first: what readers hold */
	struct connections *table;
	struct direction way[2];
	bool ended, closing;
	enum connection_end how;  /* of closing */
	uint64_t closing_ns;
	uint32_t bucket;
	LIST_ENTRY(tracked) in_bucket;
	TAILQ_ENTRY(tracked) by_use, by_close;
};

struct connections {
	const struct connection_reader *reader;
	void *arg;
	struct capture_at at;
	uint64_t begun;
	size_t held, count;
	TAILQ_HEAD(, tracked) by_use; /* the least recently used first */
	TAILQ_HEAD(, tracked) closing; /* over, but for octets that may still come out of order */
	LIST_HEAD(, tracked) buckets[BUCKETS];
};

void tcp_end_text(const struct tcp_end *e, char to[TCP_END_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(e->ip_len == 4 ? AF_INET : AF_INET6, e->ip, ip, sizeof(ip));
	snprintf(to, TCP_END_TEXT, e->ip_len == 4 ? "%s:%u" : "[%s]:%u", ip, e->port);
}

static void octets(void *arg, struct span s, const struct capture_at *at)
{
	struct direction *d = arg;
	struct connections *t = d->of->table;

	t->reader->octets(t->arg, &d->of->c, d->from, s, at);
}

static void gap(void *arg, uint64_t missing, const struct capture_at *at)
{
	struct direction *d = arg;
	struct connections *t = d->of->table;

	t->reader->gap(t->arg, &d->of->c, d->from, missing, at);
}

static const struct reassembly_to to_reader = { octets, gap };

struct connections *connections_new(const struct connection_reader *reader, void *arg)
{
	struct connections *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->reader = reader;
	t->arg = arg;
	TAILQ_INIT(&t->by_use);
	TAILQ_INIT(&t->closing);
	return t;
}

static void end(struct tracked *k, enum connection_end how)
{
	struct connections *t = k->table;

	if (k->ended)
		return;
	k->ended = true;
	if (k->closing)
		TAILQ_REMOVE(&t->closing, k, by_close);
	reassembly_end(&k->way[0].octets);
	reassembly_end(&k->way[1].octets);
	t->reader->end(t->arg, &k->c, how, &t->at);
}

static void forget(struct tracked *k, enum connection_end how)
{
	struct connections *t = k->table;

	end(k, how);
	reassembly_fini(&k->way[0].octets);
	reassembly_fini(&k->way[1].octets);
	LIST_REMOVE(k, in_bucket);
	TAILQ_REMOVE(&t->by_use, k, by_use);
	t->count--;
	free(k);
}

void connections_free(struct connections *t)
{
	while (t != NULL && !TAILQ_EMPTY(&t->by_use))
		forget(TAILQ_FIRST(&t->by_use), CONNECTION_CUT);
	free(t);
}

static bool same(const struct tcp_end *a, const struct tcp_end *b)
{
	return a->port == b->port && a->ip_len == b->ip_len && memcmp(a->ip, b->ip, a->ip_len) == 0;
}

static uint32_t hash(const struct tcp_end *e)
{
	uint32_t h = 2166136261u ^ e->port;

	for (int i = 0; i < e->ip_len; i++)
		h = (h ^ e->ip[i]) * 16777619u;
	return h ^ h >> 15;
}

/* The connection of a segment, and which of its ends sent it. */
static struct tracked *find(struct connections *t, const struct segment *s, uint32_t bucket,
	int *ret_from)
{
	struct tracked *k;

	LIST_FOREACH(k, &t->buckets[bucket], in_bucket) {
		bool first = same(&k->c.end[0], &s->from) && same(&k->c.end[1], &s->to);

		if (first || (same(&k->c.end[1], &s->from) && same(&k->c.end[0], &s->to))) {
			*ret_from = first ? 0 : 1;
			return k;
		}
	}
	return NULL;
}

static struct tracked *begin(struct connections *t, const struct segment *s, uint32_t bucket,
	int *ret_from)
{
	struct tracked *k;
	bool answer = (s->flags & TCP_SYN) != 0 && (s->flags & TCP_ACK) != 0;

	if (t->count >= CONNECTIONS_MAX)
		forget(TAILQ_FIRST(&t->by_use), CONNECTION_FORGOTTEN);
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return NULL;
	*ret_from = answer ? 1 : 0;
	k->c = (struct connection){ .dialled = (s->flags & TCP_SYN) != 0, .number = ++t->begun };
	k->c.end[*ret_from] = s->from;
	k->c.end[1 - *ret_from] = s->to;
	k->table = t;
	k->bucket = bucket;
	for (int i = 0; i < 2; i++) {
		k->way[i].of = k;
		k->way[i].from = i;
		reassembly_init(&k->way[i].octets, &to_reader, &k->way[i], &t->held);
	}
	LIST_INSERT_HEAD(&t->buckets[bucket], k, in_bucket);
	TAILQ_INSERT_TAIL(&t->by_use, k, by_use);
	t->count++;
	t->reader->begin(t->arg, &k->c, &t->at);
	return k;
}

/*
 * Does the segment belong to another connection on the same addresses and ports? A SYN with another
 * number does, and behind the end octets that are far from those sent before: what is near was
 * under way when a reset went by, or is sent again.
 */
static bool is_another(const struct tracked *k, int from, const struct segment *s)
{
	const struct reassembly *r = &k->way[from].octets;

	if ((s->flags & TCP_SYN) != 0)
		return r->syn ? r->isn != s->seq : r->begun;
	return k->ended && r->begun && s->len > 0 && s->seq - r->next + NEAR > 2 * NEAR;
}

/* All of its octets went by, or will not come: its FIN is acknowledged. */
static bool is_over(const struct reassembly *r)
{
	return r->done || (r->fin && r->waits && r->acked == r->fin_at + 1);
}

/* The connection is over: at once if nothing is missing, or when that has had its time. */
static void close_soon(struct tracked *k, enum connection_end how)
{
	struct connections *t = k->table;

	if (!reassembly_misses(&k->way[0].octets) && !reassembly_misses(&k->way[1].octets)) {
		end(k, how);
	} else if (!k->closing) {
		k->closing = true;
		k->closing_ns = t->at.time_ns;
		k->how = how;
		TAILQ_INSERT_TAIL(&t->closing, k, by_close);
	}
}

static void close_those_due(struct connections *t)
{
	struct tracked *k;

	while ((k = TAILQ_FIRST(&t->closing)) != NULL &&
	       reassembly_late(k->closing_ns, t->at.time_ns))
		end(k, k->how);
}

int connections_segment(struct connections *t, const struct segment *s,
	const struct capture_at *at)
{
	uint32_t bucket = (hash(&s->from) + hash(&s->to)) % BUCKETS;
	struct tracked *k;
	int from = 0;

	t->at = *at;
	close_those_due(t);
	k = find(t, s, bucket, &from);
	if (k != NULL && is_another(k, from, s)) {
		forget(k, CONNECTION_AGAIN);
		k = NULL;
	}
	if (k == NULL) {
		if ((s->flags & TCP_SYN) == 0 && s->len == 0)
			return SM_OK;
		k = begin(t, s, bucket, &from);
		if (k == NULL)
			return -ENOMEM;
	}
	TAILQ_REMOVE(&t->by_use, k, by_use);
	TAILQ_INSERT_TAIL(&t->by_use, k, by_use);
	if (k->ended)
		return SM_OK;
	reassembly_time(&k->way[0].octets, at->time_ns);
	reassembly_time(&k->way[1].octets, at->time_ns);
	reassembly_segment(&k->way[from].octets, s, at);
	if ((s->flags & TCP_ACK) != 0)
		reassembly_acked(&k->way[1 - from].octets, s->ack, at);
	if ((s->flags & TCP_RST) != 0)
		close_soon(k, CONNECTION_RESET);
	else if (is_over(&k->way[0].octets) && is_over(&k->way[1].octets))
		close_soon(k, CONNECTION_FIN);
	return SM_OK;
}
