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
