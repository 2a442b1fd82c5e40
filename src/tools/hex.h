#ifndef SMSCOPE_TOOLS_HEX_H
#define SMSCOPE_TOOLS_HEX_H

#include <stdbool.h>

#include "smscope/bytes.h"

/*
 * Octets written as hexadecimal digits, gathered piece by piece. The octets are the caller's to
 * free.
 */
struct hex {
	uint8_t *octets;
	size_t n, cap;
	int line;     /* of the input, from 1 */
	bool dump;    /* the lines begin with offsets */
	bool half;    /* one digit of an octet is there */
	bool comment; /* inside "# …", until the line ends */
	uint8_t high;
};

/**
 * Add `text`: digits in pairs; blanks, line ends, ':', ',', '-', "0x", "\x" and "# comments" are
 * skipped. Returns SM_OK, SM_EFORMAT at the first other character (hex->line says where) or
 * -ENOMEM.
 */
int hex_add(struct hex *h, const char *text, size_t n);

/**
 * Add all of a file: its octets as they are if one of them is NUL, as in every PDU; else lines of
 * digits, of which those that begin with the offset reached so far and ':' or two blanks are taken
 * for a dump: what stands right of the octets is left out.
 */
int hex_add_any(struct hex *h, const char *text, size_t n);

/** Would hex_add_any() take this line, without its end, for the next one of a dump? */
bool hex_is_dump(const struct hex *h, const char *line, size_t n);

#endif
