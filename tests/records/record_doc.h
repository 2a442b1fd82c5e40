#ifndef RECORD_DOC_H
#define RECORD_DOC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * docs/records.md as tests read it: which keys each kind of record may have, and of which type. Rows
 * are those of tests/lint/records: the table of common keys, that of objects in lists, one for each
 * kind.
 */

enum { DOC_TEXT = 1, DOC_NUMBER = 2, DOC_TRUE = 4, DOC_LIST = 8, DOC_INTEGER = 16 };

#define DOC_COMMON  "*"
#define DOC_OBJECTS "[]"

struct doc_key {
	char ev[24]; /* kind, DOC_COMMON or DOC_OBJECTS */
	char key[32];
	unsigned types; /* bits of the above */
};

enum { DOC_KEYS_MAX = 512, DOC_KINDS_MAX = 48, DOC_SLOTS = 2 * DOC_KEYS_MAX };

struct record_doc {
	char kinds[DOC_KINDS_MAX][24]; /* in the document's order */
	size_t kind_count;
	struct doc_key keys[DOC_KEYS_MAX];
	size_t key_count;
	unsigned short slots[DOC_SLOTS]; /* index + 1 of a key, found by its name; 0 none */
};

/** Read the document; false if it cannot be read, or a row of it not understood. */
bool record_doc_read(struct record_doc *d, const char *path);

/** "number or text" as bits; 0: no such type. */
unsigned record_doc_types_of(const char *words);

bool record_doc_has(const struct record_doc *d, const char *ev);

/** Types that `key` may have right there; 0: it has no row. */
unsigned record_doc_row(const struct record_doc *d, const char *ev, const char *key);

/**
 * Types that `key` may have in a record of the kind, common keys included; in DOC_OBJECTS only those
 * that stand there.
 */
unsigned record_doc_types(const struct record_doc *d, const char *ev, const char *key);

#endif
