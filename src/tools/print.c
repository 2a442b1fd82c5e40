#include "tools/print.h"

#include "smscope/text.h"

void json_octets(FILE *to, struct span s)
{
	char room[PRINT_ROOM];
	struct out o = out_of(room, sizeof(room));

	text_json(&o, s);
	fputc('"', to);
	fwrite(room, 1, out_len(&o), to);
	fputc('"', to);
}

void json_string(FILE *to, const char *s)
{
	if (s == NULL)
		fputs("null", to);
	else
		json_octets(to, span_of(s, strlen(s)));
}

void json_key(FILE *to, const char *key, const char *value)
{
	fprintf(to, ",\"%s\":", key);
	json_string(to, value);
}

/* The character at *p, which is moved behind it; an octet that begins none stands for itself. */
static uint32_t next_char(const unsigned char **p)
{
	const unsigned char *s = *p;
	int more = *s < 0xc2 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf5 ? 3 : 0;
	uint32_t c = more > 0 ? *s & (0x3fu >> more) : *s;

	*p = s + 1;
	for (int i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return *s;
		c = c << 6 | (s[i] & 0x3fu);
	}
	*p = s + 1 + more;
	return c;
}

/* Ranges of characters, sorted. Source: Unicode EastAsianWidth (W and F) and general category Mn, Cf. */
static const struct width {
	uint32_t from, to;
	int columns;
} widths[] = {
	{ 0x0300, 0x036f, 0 },   { 0x1100, 0x115f, 2 },   { 0x200b, 0x200f, 0 },
	{ 0x2e80, 0x303e, 2 },   { 0x3041, 0x4dbf, 2 },   { 0x4e00, 0xa4cf, 2 },
	{ 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },
	{ 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },
	{ 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
};

int text_width(const char *s)
{
	int columns = 0;

	for (const unsigned char *p = (const unsigned char *)s; *p != '\0';) {
		uint32_t c = next_char(&p);
		size_t i = 0;

		while (i < sizeof(widths) / sizeof(widths[0]) && widths[i].to < c)
			i++;
		columns += i < sizeof(widths) / sizeof(widths[0]) && widths[i].from <= c
			? widths[i].columns
			: 1;
	}
	return columns;
}

void text_cell(FILE *to, const char *s, int width)
{
	int w = text_width(s);

	fprintf(to, "%s%*s", s, (w < width ? width - w : 0) + 2, "");
}
