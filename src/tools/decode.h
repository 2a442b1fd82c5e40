#ifndef SMSCOPE_TOOLS_DECODE_H
#define SMSCOPE_TOOLS_DECODE_H

#include <stdio.h>

#include "smscope/codes.h"
#include "smscope/record.h"

enum { READINGS_MAX = 192, PARTS_MAX = 8 };

/* One meaning of a value, with every context and side in which it is that. */
struct reading {
	struct code_answer answer;
	struct span value;  /* the part of the input that it reads */
	uint32_t contexts;  /* bit c: enum code_context */
	uint8_t sides;
};

/* All that is known of one input. */
struct findings {
	struct span input;
	const char *profile; /* as given, NULL: every profile was tried */
	const char *context; /* as given or as the only label says; NULL: every context was tried, or several labels */
	int parts;
	struct reading at[READINGS_MAX];
	int count;
	struct span unknown[PARTS_MAX]; /* parts of the input without a meaning */
	int unknown_count;
	bool ambiguous;
};

/** One JSON object and a newline. */
void findings_json(FILE *to, const struct findings *f, enum record_lang lang);

/** A block for people: the input, then its readings by profile and context, best first. */
void findings_text(FILE *to, const struct findings *f, enum record_lang lang);

#endif
