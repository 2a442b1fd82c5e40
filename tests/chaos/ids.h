#ifndef CHAOS_IDS_H
#define CHAOS_IDS_H

#include <stddef.h>
#include <stdint.h>

/* Ids of records, each with what it was said of. */

struct ids {
	struct id_row *rows;
	size_t count, cap; /* a power of two */
};

enum { IDS_NEW, IDS_SAME, IDS_OTHER };

void ids_init(struct ids *s);
void ids_fini(struct ids *s);

/** Remember that `id` was said of `what`: it is new, was said of the same before, or of another. */
int ids_add(struct ids *s, uint64_t id, const char *what);

#endif
