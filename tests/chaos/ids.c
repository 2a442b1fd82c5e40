#include "ids.h"

#include <stdlib.h>

#include "chaos.h"

struct id_row {
	uint64_t id; /* 0: free; no record has it */
	uint64_t what;
};

void ids_init(struct ids *s)
{
	s->count = 0;
	s->cap = 1 << 16;
	s->rows = calloc(s->cap, sizeof(*s->rows));
	if (s->rows == NULL)
		give_up("out of memory");
}

void ids_fini(struct ids *s)
{
	free(s->rows);
}

static struct id_row *row_of(struct id_row *rows, size_t cap, uint64_t id)
{
	size_t i = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);

	while (rows[i].id != 0 && rows[i].id != id)
		i = (i + 1) & (cap - 1);
	return &rows[i];
}

static void grow(struct ids *s)
{
	struct id_row *rows = calloc(2 * s->cap, sizeof(*rows));

	if (rows == NULL)
		give_up("out of memory");
	for (size_t i = 0; i < s->cap; i++)
		if (s->rows[i].id != 0)
			*row_of(rows, 2 * s->cap, s->rows[i].id) = s->rows[i];
	free(s->rows);
	s->rows = rows;
	s->cap *= 2;
}

int ids_add(struct ids *s, uint64_t id, const char *what)
{
	uint64_t h = 0xcbf29ce484222325u;
	struct id_row *row;

	for (const char *p = what; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	if (2 * s->count >= s->cap)
		grow(s);
	row = row_of(s->rows, s->cap, id);
	if (row->id == id)
		return row->what == h ? IDS_SAME : IDS_OTHER;
	*row = (struct id_row){ id, h };
	s->count++;
	return IDS_NEW;
}
