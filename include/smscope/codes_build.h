#ifndef SMSCOPE_CODES_BUILD_H
#define SMSCOPE_CODES_BUILD_H

#include "smscope/codes.h"

/*
 * Building a code set from plain structs. Everything is copied; what is wrong is reported one fault
 * at a time with the file and line it came from, and building goes on, so that all faults show.
 */

enum { CODE_MATCHES_MAX = 6, CODE_STEPS_MAX = 16, CODE_UNDER_MAX = 24 };

/* One way a row matches. */
struct code_match {
	enum { MATCH_NUMBER, MATCH_TEXT, MATCH_DEFAULT } kind;
	uint8_t sides;       /* enum code_side */
	int64_t lo, hi;      /* MATCH_NUMBER; lo == hi is an exact row */
	const char *text;    /* MATCH_TEXT; a trailing '*' makes it a prefix */
};

/* `row` without lo, hi, text, prefix, is_default and nested, which the other members give. */
struct code_row_def {
	struct code_row row;
	struct code_match matches[CODE_MATCHES_MAX];
	int match_count;
	const char *nested[CODE_NESTED_MAX];
	bool twice;          /* another row of the table may match the same: the source has two readings */
};

/* When a step is taken, seen from what the steps before it found. */
enum code_when {
	WHEN_UNKNOWN,  /* nothing */
	WHEN_VAGUE,    /* nothing, or only ranges, default rows and rows of class unknown */
	WHEN_ALWAYS,
};

/* Which rows of its table a step may answer with. */
enum code_rows { ROWS_ANY, ROWS_EXACT, ROWS_NAMED, ROWS_RANGE };

enum code_form { FORM_ANY, FORM_NUMBER, FORM_TEXT };

/* One table to ask. Zero is the plain case except for from and to, which bound the value. */
struct code_step_def {
	const char *table;
	enum code_when when;
	enum code_rows rows;
	enum code_form form;
	bool beside;               /* its rows are no equal reading of the rows before */
	bool derived;              /* its rows are found by a rule, not by a row of their own */
	uint8_t side;              /* read the table from this side; 0: the side that was asked */
	uint8_t dialect_from, dialect_to; /* 0, 0: every dialect, and none known */
	uint8_t platform;
	int64_t from, to;
	int64_t subtract;          /* before the table is asked */
	const char *file;
	int line;
};

struct code_rule_def {
	uint32_t contexts;         /* bit c: enum code_context */
	uint8_t sides;
	struct code_step_def steps[CODE_STEPS_MAX];
	int step_count;
	const char *file;
	int line;
};

/* How the inner value behind certain rows is read, in place of their own nested tables. */
struct code_inner_def {
	const char *under[CODE_UNDER_MAX]; /* "table/key" */
	int under_count;
	bool required;             /* an unknown inner value leaves nothing known */
	struct code_step_def steps[CODE_STEPS_MAX];
	int step_count;
	const char *file;
	int line;
};

/* `line` is 0 when there is none. */
typedef void code_fault_fn(void *arg, const char *file, int line, const char *what);

struct code_builder;

struct code_builder *codes_builder_new(code_fault_fn *fault, void *arg);

/** From here on a table or profile that already exists is not a fault: its rows and rules win. */
void codes_builder_override(struct code_builder *b);

/** Begin a table (name, titles, source, hex, divisor, file, line of `def`). Its number, or SM_EVALUE. */
int codes_add_table(struct code_builder *b, const struct code_table *def);
void codes_add_row(struct code_builder *b, int table, const struct code_row_def *def);

/** Begin a profile. Its number, or SM_EVALUE. */
int codes_add_profile(struct code_builder *b, const char *name, const char *title_zh,
	const char *title_en, const char *file, int line);
void codes_add_rule(struct code_builder *b, int profile, const struct code_rule_def *def);
void codes_add_inner(struct code_builder *b, int profile, const struct code_inner_def *def);

/**
 * Add a map with all its rows, which are copied. One of the site takes the place of a shipped one of
 * that name.
 */
void codes_add_map(struct code_builder *b, const struct code_map *def);

/** Check everything against everything and close the set; frees the builder. NULL if there was any fault. */
struct code_set *codes_seal(struct code_builder *b);

#endif
