#include <inttypes.h>

#include "tools/codes.h"

/* A map as `smscope codes show` prints it. */

static void put_key(const struct code_map_row *r)
{
	const char *comma = "class ";

	if (r->is_default) {
		printf("whatever else");
	} else if (r->text != NULL) {
		printf("%s%s", r->text, r->prefix ? "*" : "");
	} else if (r->classes != 0) {
		for (int c = 0; c < CLASS_COUNT; c++) {
			if ((r->classes >> c & 1u) == 0)
				continue;
			printf("%s%s", comma, code_class_name((enum code_class)c));
			comma = ", ";
		}
	} else if (r->lo == r->hi) {
		printf("%" PRId64, r->lo);
	} else {
		printf("%" PRId64 "-%" PRId64, r->lo, r->hi);
	}
}

static void put_scope(const struct code_map_row *r)
{
	const char *comma = "  in ";

	for (int c = 0; c < CTX_COUNT; c++) {
		if ((r->contexts >> c & 1u) == 0)
			continue;
		printf("%s%s", comma, code_context_name((enum code_context)c));
		comma = ", ";
	}
	if (r->dialect_to != 0)
		printf("  version 0x%02X-0x%02X", r->dialect_from, r->dialect_to);
	putchar('\n');
}

void codes_show_map(const struct code_map *m, enum record_lang lang, bool more)
{
	printf("%s  %s%s%s\nmap of kind %s, source: %s\nfile: %s:%d, %d rows\n\n", m->name,
		lang != LANG_EN ? m->title_zh : "", lang == LANG_BOTH ? " / " : "",
		lang != LANG_ZH ? m->title_en : "", code_map_kind_name(m->kind), m->source, m->file,
		m->line, m->row_count);
	for (int i = 0; i < m->row_count; i++) {
		const struct code_map_row *r = &m->rows[i];

		put_key(r);
		if (r->word != NULL)
			printf(" → %s", r->word);
		else if ((m->sides & CODE_SMPP) != 0)
			printf(" → 0x%08" PRIX32, r->number);
		else
			printf(" → %" PRIu32, r->number);
		put_scope(r);
	}
	if (more)
		putchar('\n');
}
