#include "tools/story.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 1024, SLOTS_MAX = 1 << 18, KEYS_MAX = 5 };

int story_keys_init(struct story_keys *k)
{
	*k = (struct story_keys){ .size = SLOTS_FIRST };
	k->slots = calloc(k->size, sizeof(*k->slots));
	k->parents = calloc(STORY_GROUPS_MAX, sizeof(*k->parents));
	return k->slots != NULL && k->parents != NULL ? 0 : -ENOMEM;
}

void story_keys_free(struct story_keys *k)
{
	free(k->slots);
	free(k->parents);
	*k = (struct story_keys){ 0 };
}

void story_keys_clear(struct story_keys *k)
{
	memset(k->slots, 0, k->size * sizeof(*k->slots));
	k->used = 0;
	k->group_count = 0;
	k->full = false;
}

/* FNV-1a, octet by octet. */
static uint64_t hash_octets(uint64_t h, const void *p, size_t n)
{
	const uint8_t *octets = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ octets[i]) * 1099511628211u;
	return h;
}

static uint64_t hash_begin(char kind)
{
	return hash_octets(14695981039346656037u, &kind, 1);
}

static uint64_t hash_span(uint64_t h, struct span s)
{
	return hash_octets(hash_octets(h, s.p, s.n), "", 1);
}

/* Ids are one without regard to case and to zeros before them. */
static uint64_t hash_id(uint64_t h, struct span id)
{
	while (id.n > 1 && id.p[0] == '0')
		id = span_of(id.p + 1, id.n - 1);
	for (size_t i = 0; i < id.n; i++) {
		uint8_t c = id.p[i] >= 'A' && id.p[i] <= 'Z' ? id.p[i] | 0x20 : id.p[i];

		h = hash_octets(h, &c, 1);
	}
	return hash_octets(h, "", 1);
}

static uint64_t hash_end(uint64_t h)
{
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

/* The id read in `base` and written in the other one. */
static bool other_form(struct span id, unsigned base, char to[32], struct span *ret)
{
	struct out o = out_of(to, 32);
	char text[32];
	char *end;
	unsigned long long v;

	if (id.n == 0 || id.n >= sizeof(text))
		return false;
	memcpy(text, id.p, id.n);
	text[id.n] = '\0';
	if (strspn(text, base == 10 ? "0123456789" : "0123456789abcdefABCDEF") != id.n)
		return false;
	errno = 0;
	v = strtoull(text, &end, (int)base);
	if (errno != 0)
		return false;
	if (base == 10)
		out_hex(&o, v, 1);
	else
		out_dec(&o, v);
	*ret = span_of(to, out_len(&o));
	return true;
}

static uint64_t alias_key(const struct story_event *e, struct span id)
{
	return hash_end(hash_span(hash_id(hash_span(hash_begin('A'), e->link), id), e->dst));
}

/*
 * What records of one message have in common: the number of its story; of request and response
 * session and sequence; of a report without a story, and of what it may belong to, the message id.
 * An id that is hexadecimal here and decimal there must be for the same number, too.
 */
static int keys_of(const struct story_event *e, uint64_t ret[KEYS_MAX])
{
	uint64_t h;
	char form[32];
	struct span other;
	int n = 0;

	if (e->has_story)
		ret[n++] = hash_end(hash_octets(hash_begin('S'), &e->story, sizeof(e->story)));
	if (e->has_request) {
		h = hash_span(hash_span(hash_begin('R'), e->link), e->dst);
		h = hash_octets(h, &e->sess, sizeof(e->sess));
		ret[n++] = hash_end(hash_octets(h, &e->seq, sizeof(e->seq)));
	}
	if (e->id.n == 0 || (e->has_story && e->kind != KIND_RESP))
		return n;
	ret[n++] = hash_end(hash_id(hash_span(hash_begin('I'), e->link), e->id));
	if (e->kind != KIND_RESP) {
		ret[n++] = alias_key(e, e->id);
		return n;
	}
	if (other_form(e->id, 10, form, &other))
		ret[n++] = alias_key(e, other);
	if (other_form(e->id, 16, form, &other))
		ret[n++] = alias_key(e, other);
	return n;
}

static struct story_slot *slot_of(const struct story_keys *k, uint64_t hash)
{
	size_t i = hash & (k->size - 1);

	while (k->slots[i].hash != 0 && k->slots[i].hash != hash)
		i = (i + 1) & (k->size - 1);
	return &k->slots[i];
}

static int root_of(const struct story_keys *k, int group)
{
	while (k->parents[group] != group)
		group = k->parents[group];
	return group;
}

int story_group_of(const struct story_keys *k, const struct story_event *e)
{
	uint64_t keys[KEYS_MAX];
	int n = keys_of(e, keys);

	for (int i = 0; i < n; i++) {
		const struct story_slot *s = slot_of(k, keys[i]);

		if (s->hash != 0)
			return root_of(k, s->group);
	}
	return -1;
}

static bool grow(struct story_keys *k)
{
	struct story_keys next = *k;

	if (k->size == SLOTS_MAX)
		return false;
	next.size = k->size * 2;
	next.slots = calloc(next.size, sizeof(*next.slots));
	if (next.slots == NULL)
		return false;
	for (size_t i = 0; i < k->size; i++) {
		if (k->slots[i].hash != 0)
			*slot_of(&next, k->slots[i].hash) = k->slots[i];
	}
	free(k->slots);
	*k = next;
	return true;
}

void story_join(struct story_keys *k, const struct story_event *e)
{
	uint64_t keys[KEYS_MAX];
	int n = keys_of(e, keys), group = story_group_of(k, e);

	if (n == 0)
		return;
	if ((k->used + KEYS_MAX > k->size / 2 && !grow(k)) ||
	    (group < 0 && k->group_count == STORY_GROUPS_MAX)) {
		k->full = true;
		return;
	}
	if (group < 0) {
		group = k->group_count++;
		k->parents[group] = group;
	}
	for (int i = 0; i < n; i++) {
		struct story_slot *s = slot_of(k, keys[i]);

		if (s->hash != 0) {
			k->parents[root_of(k, s->group)] = group;
			continue;
		}
		*s = (struct story_slot){ keys[i], group };
		k->used++;
	}
}
