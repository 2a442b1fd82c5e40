#ifndef SMSCOPE_TOOLS_CODES_H
#define SMSCOPE_TOOLS_CODES_H

#include <stdio.h>

#include "smscope/record.h"

/** What is missing: a line for each table that lacks something, then languages, classes and sources. */
void coverage_text(FILE *to, const struct code_set *set);

/** The same for every table as one JSON object. */
void coverage_json(FILE *to, const struct code_set *set);

/** A map, row by row; `more` follows it: a table of the same name. */
void codes_show_map(const struct code_map *m, enum record_lang lang, bool more);

/** The rows of one table that lack something, and what. */
void coverage_rows(FILE *to, const struct code_table *t);

#endif
