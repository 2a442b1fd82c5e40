#ifndef SMSCOPE_CORE_CODES_BUILD_H
#define SMSCOPE_CORE_CODES_BUILD_H

#include "core/codes_set.h"

/* What has been added so far, as it came. Strings and finished arrays are in the set's arena already. */

struct build_row {
	struct code_row_def def;
	struct code_row *row; /* its place in the sealed table; NULL: overridden */
	int layer;
	uint32_t dead;        /* bit SIDE_SLOTS * match + slot: overridden */
};

struct build_table {
	struct code_index *index;
	struct build_row *rows;
	int count, room;
};

struct build_rule {
	struct code_rule_def def;
	int layer;
};

struct build_inner {
	struct code_inner_def def;
	int layer;
};

struct build_profile {
	struct code_profile *profile;
	const char *file;
	int line, layer;
	struct build_rule *rules;
	int rule_count, rule_room;
	struct build_inner *inner;
	int inner_count, inner_room;
};

struct code_builder {
	struct code_set *set;
	code_fault_fn *fault;
	void *arg;
	int faults, layer;
	bool no_memory;
	int map_layer[CODE_MAPS_MAX];
	const char *file;     /* kept last */
	struct build_table *tables;
	int table_count, table_room;
	struct build_profile *profiles;
	int profile_count, profile_room;
};

/** Zeroed memory that lives as long as the set, or NULL, which has been reported. */
void *codes_alloc(struct code_builder *b, size_t n);

/** A copy of a text that lives as long as the set; NULL of NULL, or when there is no memory. */
const char *codes_keep(struct code_builder *b, const char *s);

void codes_fault(struct code_builder *b, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);

/** Check the rows of a table and make its public array and indexes. */
void codes_table_seal(struct code_builder *b, struct build_table *t);

/** What is compared of a table with each of its rows, of a row, of a profile. */
uint64_t codes_table_digest(const struct code_table *t);
uint64_t codes_row_digest(uint64_t table, const struct build_row *r);
uint64_t codes_profile_digest(const struct build_profile *p);

/** Frees the builder, and the set unless it was taken out of it. */
void codes_builder_free(struct code_builder *b);

#endif
