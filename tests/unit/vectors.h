#ifndef SMSCOPE_TEST_VECTORS_H
#define SMSCOPE_TEST_VECTORS_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "smscope/pdu.h"

/*
 * tests/data/vectors.json: PDUs from the specifications and from other programs' tests, with the
 * fields that those decode. A frame is copied to memory of just its size, so that a read outside it
 * is caught.
 */

static inline json_t *vectors_of(const char *path)
{
	json_error_t error;
	json_t *all = json_load_file(path, 0, &error);

	if (all == NULL)
		fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
	return all;
}

static inline json_t *vectors_load(void)
{
	return vectors_of(SOURCE_DIR "/tests/data/vectors.json");
}

/* Those of SGIP and SMGP, which nobody here reads yet. */
static inline json_t *vectors_waiting(void)
{
	return vectors_of(SOURCE_DIR "/tests/data/vectors_waiting.json");
}

static inline const char *vector_str(json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s != NULL ? s : "";
}

/* Octets of hexadecimal digits, on the heap; their number in *ret_n. */
static inline uint8_t *octets_of(const char *hex, size_t *ret_n)
{
	size_t n = strlen(hex) / 2;
	uint8_t *p = malloc(n > 0 ? n : 1);

	for (size_t i = 0; p != NULL && i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			abort();
		p[i] = (uint8_t)v;
	}
	*ret_n = n;
	return p;
}

static inline const struct proto *vector_proto(json_t *v)
{
	return strcmp(vector_str(v, "protocol"), "CMPP") == 0 ? &proto_cmpp : &proto_smpp;
}

/* "3.4" is 0x34; "any" and "n/a" are the default. */
static inline uint8_t vector_dialect(json_t *v)
{
	const char *s = vector_str(v, "version");

	if (s[0] < '0' || s[0] > '9')
		return vector_proto(v)->dialect_default;
	return (uint8_t)((s[0] - '0') << 4 | (s[2] - '0'));
}

#endif
