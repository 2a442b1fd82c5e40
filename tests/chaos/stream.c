#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

struct in_transit {
	uint32_t n, edited_n;
};

enum { SHOWN = 24 }; /* octets of a difference */

static uint64_t hash(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

void stream_init(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->last = malloc(SIM_PDU_MAX);
	if (s->last == NULL)
		give_up("out of memory");
	s->sent_hash = s->got_hash = 0xcbf29ce484222325u;
}

void stream_fini(struct stream *s)
{
	free(s->queue);
	free(s->last);
	s->queue = s->last = NULL;
}

static void append(struct stream *s, const void *p, size_t n)
{
	if (n > 0)
		memcpy(s->queue + s->n, p, n);
	s->n += n;
}

void stream_put(struct stream *s, const uint8_t *p, size_t n, const uint8_t *edited, size_t edited_n)
{
	struct in_transit t = { (uint32_t)n, (uint32_t)edited_n };
	size_t need = sizeof(t) + n + edited_n;

	if (s->n + need > s->cap && s->at > 0) {
		memmove(s->queue, s->queue + s->at, s->n - s->at);
		s->n -= s->at;
		s->at = 0;
	}
	if (s->n + need > s->cap) {
		s->cap = s->n + need > 2 * s->cap ? s->n + need : 2 * s->cap;
		s->queue = realloc(s->queue, s->cap);
		if (s->queue == NULL)
			give_up("out of memory");
	}
	append(s, &t, sizeof(t));
	append(s, p, n);
	append(s, edited, edited_n);
	s->sent_octets += n;
	s->sent_pdus++;
	s->edits_due += edited_n > 0;
	s->sent_hash = hash(s->sent_hash, p, n);
}

static size_t same(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* Are the `n` octets at `p` those at `want`, as far as both go? */
static bool begins(const uint8_t *want, size_t want_n, const uint8_t *p, size_t n)
{
	size_t both = n < want_n ? n : want_n;

	return both > 0 && memcmp(want, p, both) == 0;
}

static int hex(char *to, size_t cap, const uint8_t *p, size_t n)
{
	int at = 0;

	to[0] = '\0';
	for (size_t i = 0; i < n && i < SHOWN; i++)
		at += snprintf(to + at, cap - (size_t)at, "%02x", p[i]);
	return at;
}

static uint32_t u32(const uint8_t *p, size_t n, size_t at)
{
	if (n < at + 4)
		return 0;
	return (uint32_t)p[at] << 24 | (uint32_t)p[at + 1] << 16 | (uint32_t)p[at + 2] << 8 | p[at + 3];
}

/* Is it the PDU before, or one that is due later? Then what lies between did not arrive. */
static void look_around(const struct stream *s, const uint8_t *p, size_t n, char *to, size_t cap)
{
	unsigned long long pdus = 0, octets = 0;

	to[0] = '\0';
	if (s->last_n > 0 && begins(s->last, s->last_n, p, n)) {
		snprintf(to, cap, "; it is the PDU before, once more");
		return;
	}
	for (size_t at = s->at; at < s->n;) {
		struct in_transit t;

		memcpy(&t, s->queue + at, sizeof(t));
		at += sizeof(t);
		if (n >= t.n && memcmp(p, s->queue + at, t.n) == 0) {
			snprintf(to, cap, "; it is the PDU sent %llu later: %llu octets did not arrive", pdus, octets);
			return;
		}
		at += t.n + t.edited_n;
		pdus++;
		octets += t.n;
	}
}

/* Told beside whichever it was for longer: the PDU as sent, or as rules change it. */
static int differs(struct stream *s, const struct in_transit *t, const uint8_t *sent, const uint8_t *p, size_t n,
	char *why, size_t cap)
{
	const uint8_t *want = sent, *edited = sent + t->n;
	size_t want_n = t->n, at = same(sent, p, n < t->n ? n : t->n);
	size_t edited_at = same(edited, p, n < t->edited_n ? n : t->edited_n);
	char expected[2 * SHOWN + 1], got[2 * SHOWN + 1], later[96];

	if (edited_at > at) {
		want = edited;
		want_n = t->edited_n;
		at = edited_at;
	}
	hex(expected, sizeof(expected), want + at, want_n - at);
	hex(got, sizeof(got), p + at, n - at);
	look_around(s, p, n, later, sizeof(later));
	snprintf(why, cap,
		"octet %llu of the stream, %zu of PDU %llu%s (length %zu, command %08x): expected %s got %s "
		"(length %u, command %08x)%s",
		(unsigned long long)(s->got_octets + at), at, (unsigned long long)s->got_pdus,
		want == edited ? " as edited" : t->edited_n > 0 ? " not edited" : "", want_n,
		u32(want, want_n, 4), expected, got, u32(p, n, 0), u32(p, n, 4), later);
	return -1;
}

int stream_take(struct stream *s, const uint8_t *p, size_t n, bool *ret_edited, char *why, size_t cap)
{
	struct in_transit t;
	const uint8_t *sent, *edited;
	bool as_sent, as_edited;
	size_t len;

	*ret_edited = false;
	if (n == 0)
		return 0;
	if (s->at == s->n) {
		char got[2 * SHOWN + 1], before[96];

		hex(got, sizeof(got), p, n);
		look_around(s, p, n, before, sizeof(before));
		snprintf(why, cap, "%zu octets behind octet %llu of the stream, the last that was sent: %s%s", n,
			(unsigned long long)s->got_octets, got, before);
		return -1;
	}
	memcpy(&t, s->queue + s->at, sizeof(t));
	sent = s->queue + s->at + sizeof(t);
	edited = sent + t.n;
	as_sent = begins(sent, t.n, p, n);
	as_edited = begins(edited, t.edited_n, p, n);
	if (!as_sent && !as_edited)
		return differs(s, &t, sent, p, n, why, cap);
	/* An edited one may be longer: it is not whole when the other one would be. */
	*ret_edited = as_edited && n >= t.edited_n;
	if (!*ret_edited && (!as_sent || n < t.n))
		return 0;
	len = *ret_edited ? t.edited_n : t.n;
	memcpy(s->last, sent, t.n);
	s->last_n = t.n;
	s->got_hash = hash(s->got_hash, sent, t.n);
	s->got_octets += t.n;
	s->got_pdus++;
	s->edited += *ret_edited;
	s->at += sizeof(t) + t.n + t.edited_n;
	return (int)len;
}
