#ifndef SMSCOPE_TOOLS_PRINT_H
#define SMSCOPE_TOOLS_PRINT_H

#include <stdio.h>

#include "smscope/bytes.h"

/* Longest text that json_octets() takes whole. */
enum { PRINT_ROOM = 8192 };

/** A JSON string, or null; any octets. */
void json_octets(FILE *to, struct span s);
void json_string(FILE *to, const char *s);

/** `,"KEY":VALUE`. */
void json_key(FILE *to, const char *key, const char *value);

/**
 * Columns that a terminal gives a UTF-8 text: two for East Asian wide and full-width characters, none for
 * combining ones. What is no UTF-8 counts one an octet.
 */
int text_width(const char *s);

/** The text, then blanks up to `width` columns and two more. */
void text_cell(FILE *to, const char *s, int width);

#endif
