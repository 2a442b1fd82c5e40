#include "smscope/unknown.h"

#include <stdlib.h>

/* Slots hold index + 1 into the entries, 0 none; at most half of them are in use. */
struct unknown_codes {
	uint32_t limit, count, mask;
	uint32_t *slots;
	struct unknown_code other;
	struct unknown_code entries[];
};

struct unknown_codes *unknown_new(uint32_t limit)
{
	struct unknown_codes *u;
	uint32_t slots = 16;

	if (limit < 1 || limit > 1u << 20)
		limit = UNKNOWN_LIMIT;
	while (slots < 2 * limit)
		slots *= 2;
	u = calloc(1, sizeof(*u) + limit * sizeof(u->entries[0]));
	if (u == NULL)
		return NULL;
	u->slots = calloc(slots, sizeof(u->slots[0]));
	if (u->slots == NULL) {
		free(u);
		return NULL;
	}
	u->limit = limit;
	u->mask = slots - 1;
	return u;
}

void unknown_free(struct unknown_codes *u)
{
	if (u == NULL)
		return;
	free(u->slots);
	free(u);
}

/* The value as it is kept: a text is cut, and what is cut alike counts as one. */
static struct unknown_code key_of(const struct unknown_seen *seen)
{
	struct unknown_code key = { .context = seen->context, .is_text = seen->is_text };

	if (!seen->is_text) {
		key.number = seen->number;
	} else {
		key.text_len = (uint8_t)(seen->text.n < UNKNOWN_TEXT ? seen->text.n : UNKNOWN_TEXT);
		memcpy(key.text, seen->text.p, key.text_len);
	}
	return key;
}

/* FNV-1a. Chosen values can collide; a chain is never longer than the limit. */
static uint32_t hash_of(const struct unknown_code *key)
{
	uint32_t h = 2166136261u ^ (uint32_t)key->context;

	for (uint8_t i = 0; i < key->text_len; i++)
		h = (h ^ (uint8_t)key->text[i]) * 16777619u;
	for (int i = 0; i < 8 && !key->is_text; i++)
		h = (h ^ (uint8_t)((uint64_t)key->number >> (8 * i))) * 16777619u;
	return h ^ h >> 15;
}

static bool same(const struct unknown_code *a, const struct unknown_code *b)
{
	return a->context == b->context && a->is_text == b->is_text && a->number == b->number &&
	       a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len) == 0;
}

/* The value's entry, a new one, or the other. */
static struct unknown_code *entry_of(struct unknown_codes *u, const struct unknown_code *key)
{
	uint32_t at = hash_of(key) & u->mask;

	while (u->slots[at] != 0) {
		struct unknown_code *e = &u->entries[u->slots[at] - 1];

		if (same(e, key))
			return e;
		at = (at + 1) & u->mask;
	}
	if (u->count == u->limit) {
		u->other.other = true;
		return &u->other;
	}
	u->entries[u->count] = *key;
	u->slots[at] = ++u->count;
	return &u->entries[u->count - 1];
}

struct unknown_code *unknown_note(struct unknown_codes *u, const struct unknown_seen *seen,
	uint64_t every_ns, bool *ret_tell)
{
	struct unknown_code key = key_of(seen), *e = entry_of(u, &key);
	bool first = e->count++ == 0;

	if (first)
		e->first_ns = seen->wall_ns;
	e->last_ns = seen->wall_ns;
	/* A clock that was set back must not silence it for years. */
	*ret_tell = first || seen->wall_ns < e->told_ns || seen->wall_ns - e->told_ns >= every_ns;
	if (*ret_tell) {
		e->told_ns = seen->wall_ns;
		e->told_count = e->count;
	}
	return e;
}

uint32_t unknown_count(const struct unknown_codes *u)
{
	return u->count + u->other.other;
}

const struct unknown_code *unknown_at(const struct unknown_codes *u, uint32_t i)
{
	return i < u->count ? &u->entries[i] : &u->other;
}
