#include <errno.h>
#include <stdlib.h>

#include "tools/hex.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int put(struct hex *h, uint8_t nibble)
{
	if (!h->half) {
		h->high = nibble;
		h->half = true;
		return SM_OK;
	}
	if (h->n == h->cap) {
		size_t cap = h->cap > 0 ? 2 * h->cap : 4096;
		uint8_t *p = realloc(h->octets, cap);

		if (p == NULL)
			return -ENOMEM;
		h->octets = p;
		h->cap = cap;
	}
	h->octets[h->n++] = (uint8_t)(h->high << 4 | nibble);
	h->half = false;
	return SM_OK;
}

int hex_add(struct hex *h, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err, d = digit(text[i]);

		if (text[i] == '\n') {
			h->comment = false;
			h->line++;
		} else if (h->comment || text[i] == '#') {
			h->comment = true;
		} else if ((text[i] == '0' || text[i] == '\\') && i + 1 < n &&
			   (text[i + 1] == 'x' || text[i + 1] == 'X') && !h->half) {
			i++;
		} else if (d >= 0) {
			if ((err = put(h, (uint8_t)d)) != SM_OK)
				return err;
		} else if (strchr(" \t\r:,-", text[i]) == NULL || text[i] == '\0') {
			return SM_EFORMAT;
		}
	}
	return SM_OK;
}

enum { DUMP_OCTETS = 16 };

/* The digits at the head of `s`, and their value. */
static size_t digits_at(const char *s, size_t n, uint64_t *ret_value)
{
	size_t i = 0;

	*ret_value = 0;
	for (; i < n && digit(s[i]) >= 0; i++)
		*ret_value = *ret_value << 4 | (unsigned)digit(s[i]);
	return i;
}

static size_t blanks_at(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	return i;
}

/*
 * Is `s` a line of a dump? Then *ret_at and *ret_n are its octets' place. They end at a gap of three
 * blanks, at anything but digits in pairs, and after 16 octets:
 *     00000010: 3130 3000 0001                           100...
 *     00000010  31 30 30 00 00 01                        |100...|
 */
static bool is_dump(const struct hex *h, const char *s, size_t n, size_t *ret_at, size_t *ret_n)
{
	uint64_t value;
	size_t at = digits_at(s, n, &value), gap, octets = 0, len, end;

	if (h->half || at < 4 || at > 8 || value != h->n || (h->n > 0 && !h->dump))
		return false;
	gap = blanks_at(s + at, n - at);
	if (gap < 2 && (at < n ? s[at] != ':' : h->n == 0))
		return false;
	at += at < n && s[at] == ':';
	*ret_at = end = at;
	while ((gap = blanks_at(s + at, n - at)) < 3 && octets < DUMP_OCTETS) {
		at += gap;
		len = digits_at(s + at, n - at, &value);
		if (len == 0 || len % 2 != 0 || octets + len / 2 > DUMP_OCTETS)
			break;
		at += len;
		octets += len / 2;
		end = at;
	}
	*ret_n = end - *ret_at;
	return true;
}

bool hex_is_dump(const struct hex *h, const char *line, size_t n)
{
	size_t at, count;

	return is_dump(h, line, n, &at, &count);
}

static int add_octets(struct hex *h, const char *p, size_t n)
{
	int err = SM_OK;

	for (size_t i = 0; i < n && err == SM_OK; i++) {
		err = put(h, (uint8_t)p[i] >> 4);
		if (err == SM_OK)
			err = put(h, (uint8_t)p[i] & 15);
	}
	return err;
}

int hex_add_any(struct hex *h, const char *text, size_t n)
{
	int err = SM_OK;

	if (n > 0 && memchr(text, '\0', n) != NULL)
		return add_octets(h, text, n);
	for (size_t at = 0, len; at < n && err == SM_OK; at += len) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t from, count;

		len = end != NULL ? (size_t)(end + 1 - (text + at)) : n - at;
		if (is_dump(h, text + at, end != NULL ? len - 1 : len, &from, &count)) {
			h->dump = true;
			err = hex_add(h, text + at + from, count);
			h->line++;
		} else {
			err = hex_add(h, text + at, len);
		}
	}
	return err;
}
