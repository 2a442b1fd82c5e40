#ifndef SMSCOPE_TOOLS_CODES_H
#define SMSCOPE_TOOLS_CODES_H

#include <stdio.h>

#include "smscope/codes.h"

/** What is missing: a line for each table that lacks something, then languages, classes and sources. */
void coverage_text(FILE *to, const struct code_set *set);

/** The same for every table as one JSON object. */
void coverage_json(FILE *to, const struct code_set *set);

/** The rows of one table that lack something, and what. */
void coverage_rows(FILE *to, const struct code_table *t);

#endif
