#include "record_doc.h"

#include <stdio.h>
#include <string.h>

unsigned record_doc_types_of(const char *words)
{
	static const struct {
		const char *word;
		unsigned type;
	} types[] = { { "text", DOC_TEXT }, { "number", DOC_NUMBER }, { "true", DOC_TRUE },
		{ "list", DOC_LIST }, { "integer", DOC_INTEGER } };
	enum { TYPES = sizeof(types) / sizeof(*types) };
	unsigned found = 0;

	for (;;) {
		size_t n = strcspn(words, " "), i = 0;

		while (i < TYPES && (strlen(types[i].word) != n || strncmp(words, types[i].word, n) != 0))
			i++;
		if (i == TYPES)
			return 0;
		found |= types[i].type;
		if (strncmp(words + n, " or ", 4) != 0)
			return words[n] == '\0' ? found : 0;
		words += n + 4;
	}
}

/* FNV-1a: a log is long, and each of its keys is looked up. */
static unsigned slot_of(const char *key)
{
	unsigned h = 2166136261u;

	while (*key != '\0')
		h = (h ^ (unsigned char)*key++) * 16777619u;
	return (h ^ h >> 16) % DOC_SLOTS;
}

static bool add_key(struct record_doc *d, const char *ev, const char *key, size_t n, unsigned types)
{
	struct doc_key *k = &d->keys[d->key_count];
	unsigned slot;

	if (d->key_count == DOC_KEYS_MAX || n >= sizeof(k->key))
		return false;
	snprintf(k->ev, sizeof(k->ev), "%s", ev);
	memcpy(k->key, key, n);
	k->key[n] = '\0';
	k->types = types;
	slot = slot_of(k->key);
	while (d->slots[slot] != 0)
		slot = (slot + 1) % DOC_SLOTS;
	d->slots[slot] = (unsigned short)++d->key_count;
	return true;
}

/* "| `first`, `last` | number, ms | what |": one key or several, their type, its unit. */
static bool read_row(struct record_doc *d, const char *ev, char *row)
{
	char *at = row + 1, *keys = strsep(&at, "|"), *type = strsep(&at, "|");
	unsigned types;
	int count = 0;

	if (type == NULL)
		return false;
	type += strspn(type, " ");
	type[strcspn(type, ",")] = '\0';
	while (*type != '\0' && type[strlen(type) - 1] == ' ')
		type[strlen(type) - 1] = '\0';
	types = record_doc_types_of(type);
	while ((keys = strchr(keys, '`')) != NULL) {
		size_t n = strcspn(++keys, "`");

		if (!add_key(d, ev, keys, n, types))
			return false;
		keys += n + (keys[n] != '\0');
		count++;
	}
	return types != 0 && count > 0;
}

/* Which table a heading opens; "" none. False: too many kinds. */
static bool read_heading(struct record_doc *d, const char *line, bool *in_kinds, char ev[24])
{
	bool section = strncmp(line, "## ", 3) == 0;
	const char *title = line + strspn(line, "# ");

	ev[0] = '\0';
	if (section)
		*in_kinds = strcmp(title, "Kinds") == 0;
	if (strcmp(title, "Common keys") == 0) {
		strcpy(ev, DOC_COMMON);
	} else if (strcmp(title, "Objects in lists") == 0) {
		strcpy(ev, DOC_OBJECTS);
	} else if (*in_kinds && !section) {
		if (d->kind_count == DOC_KINDS_MAX || strlen(title) >= sizeof(d->kinds[0]))
			return false;
		strcpy(d->kinds[d->kind_count++], title);
		strcpy(ev, title);
	}
	return true;
}

bool record_doc_read(struct record_doc *d, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096], ev[24] = "";
	bool in_kinds = false, good = true;

	memset(d, 0, sizeof(*d));
	if (f == NULL)
		return false;
	while (good && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "##", 2) == 0)
			good = read_heading(d, line, &in_kinds, ev);
		else if (ev[0] != '\0' && strncmp(line, "| `", 3) == 0)
			good = read_row(d, ev, line);
		if (!good)
			fprintf(stderr, "%s: not understood: %s\n", path, line);
	}
	fclose(f);
	return good && d->kind_count > 0 && d->key_count > 0;
}

bool record_doc_has(const struct record_doc *d, const char *ev)
{
	for (size_t i = 0; i < d->kind_count; i++) {
		if (strcmp(d->kinds[i], ev) == 0)
			return true;
	}
	return false;
}

static unsigned look_up(const struct record_doc *d, const char *ev, const char *or_ev,
	const char *key)
{
	for (unsigned at = slot_of(key); d->slots[at] != 0; at = (at + 1) % DOC_SLOTS) {
		const struct doc_key *k = &d->keys[d->slots[at] - 1];

		if (strcmp(k->key, key) == 0 && (strcmp(k->ev, ev) == 0 || strcmp(k->ev, or_ev) == 0))
			return k->types;
	}
	return 0;
}

unsigned record_doc_row(const struct record_doc *d, const char *ev, const char *key)
{
	return look_up(d, ev, ev, key);
}

unsigned record_doc_types(const struct record_doc *d, const char *ev, const char *key)
{
	return look_up(d, ev, strcmp(ev, DOC_OBJECTS) != 0 ? DOC_COMMON : ev, key);
}
