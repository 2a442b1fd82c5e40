#include "conf/conf_source.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INCLUDE_DEPTH = 10, BRACKETS_MAX = 64, WORD_SHOWN = 40 };

/* What the token before this one was; other tokens stand for themselves. */
enum { TOKEN_NONE, TOKEN_NAME = 'n', TOKEN_VALUE = 'v', TOKEN_STRING = '"' };

struct bracket {
	char open;
	const char *file;
	int line;
};

struct scan {
	struct conf_source *src;
	const char *file;
	int line;
	int comment_line;      /* where the comment that we are in began; 0: in none */
	const char *comment_file;
	char before;           /* the token before this one */
	char name[32];         /* the last name, for a number that follows */
	int name_line;
	struct bracket brackets[BRACKETS_MAX];
	int bracket_count;
	bool brackets_lost;    /* one did not fit: say nothing more about them */
	const char *chain[INCLUDE_DEPTH + 1]; /* the files we are in */
};

#define REFUSE(sc, ...) \
	do { \
		conf_error((sc)->src->faults, (sc)->file, (sc)->line, __VA_ARGS__); \
		(sc)->src->hopeless = true; \
	} while (0)

static bool value_expected(const struct scan *sc)
{
	char in = sc->bracket_count > 0 ? sc->brackets[sc->bracket_count - 1].open : '{';

	if (sc->before == '=' || sc->before == ':')
		return true;
	return in != '{' && (sc->before == in || sc->before == ',');
}

static void bad_number(struct scan *sc)
{
	struct conf_source *s = sc->src;
	struct conf_bad_number *b;

	if (s->bad_count == CONF_BAD_NUMBERS)
		return;
	b = &s->bad[s->bad_count++];
	b->line = sc->name_line;
	memcpy(b->name, sc->name, sizeof(b->name));
}

/*
 * An integer as libconfig 1.5 sees it: 32 bits unless it ends in L, and what does not fit is cut
 * without a word. False if `w` is no integer.
 */
static bool scan_integer(struct scan *sc, const char *w)
{
	const char *digits = w + (*w == '-' || *w == '+');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') && digits == w;
	bool negative = *w == '-', wide;
	unsigned long long v;
	char *end;

	if (hex ? !isxdigit((unsigned char)digits[2]) : !isdigit((unsigned char)digits[0]))
		return false;
	errno = 0;
	v = strtoull(digits, &end, hex ? 16 : 10);
	wide = *end == 'L';
	end += wide ? 1 + (end[1] == 'L') : 0;
	if (*end != '\0')
		return false;
	if (!hex && digits[0] == '0' && isdigit((unsigned char)digits[1])) {
		conf_error(sc->src->faults, sc->file, sc->line,
			"%s is read as decimal %llu, not as octal: leave the leading 0 off", w, v);
		bad_number(sc);
	} else if (errno == ERANGE || v > (unsigned long long)LLONG_MAX + negative) {
		REFUSE(sc, "%s does not fit 64 bits", w);
	} else if (!wide && v > (unsigned long long)INT_MAX + negative) {
		uint32_t cut = (uint32_t)v;

		conf_error(sc->src->faults, sc->file, sc->line,
			"%s does not fit 32 bits and would be read as %d", w,
			(int)(negative ? 0u - cut : cut));
		bad_number(sc);
	}
	return true;
}

static bool scan_float(const char *w)
{
	char *end;

	if (strpbrk(w, "xXpPnNiI") != NULL)
		return false;
	strtod(w, &end);
	return end != w && *end == '\0';
}

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("_.*+-", c) != NULL);
}

static const char *scan_word(struct scan *sc, const char *p, const char *end)
{
	char word[128];
	size_t n = 0;

	while (p < end && word_char(*p)) {
		if (n < sizeof(word) - 1)
			word[n++] = *p;
		p++;
	}
	word[n] = '\0';
	if (!value_expected(sc)) {
		snprintf(sc->name, sizeof(sc->name), "%.*s", (int)sizeof(sc->name) - 1, word);
		sc->name_line = sc->src->line_count;
		sc->before = TOKEN_NAME;
		return p;
	}
	sc->before = TOKEN_VALUE;
	if (strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0)
		return p;
	if (scan_integer(sc, word) || scan_float(word))
		return p;
	REFUSE(sc, "%.*s needs quotes: \"%.*s\"", WORD_SHOWN, word, WORD_SHOWN, word);
	while (p < end && strchr(";,)]} \t\r", *p) == NULL)
		p++;	/* the rest of "10.0.0.1:7890" or "text/plain" is not looked at */
	return p;
}

/* `p` is behind the opening quote; returns behind the closing one. No text goes beyond its line. */
static const char *scan_string(struct scan *sc, const char *p, const char *end)
{
	char in = sc->bracket_count > 0 ? sc->brackets[sc->bracket_count - 1].open : '{';

	if (in != '{' && sc->before == TOKEN_STRING)
		REFUSE(sc, "a ',' is missing between two texts");
	else if (!value_expected(sc) && sc->before != TOKEN_STRING)
		/* libconfig 1.5 would refuse it, too, and lose the text's memory. */
		REFUSE(sc, "text without a NAME = before it");
	for (; p < end && *p != '"'; p++) {
		if (*p != '\\' || p + 1 == end)
			continue;
		p++;
		if (*p == 'x' && end - p > 2 && p[1] == '0' && p[2] == '0')
			REFUSE(sc, "\\x00 would end the text here");
		else if (strchr("\"\\nrtfx", *p) == NULL)
			conf_warn(sc->src->faults, sc->file, sc->line,
				"\\%c is no escape and stays as it is%s", *p,
				*p == 'u' ? ": write the character itself, in UTF-8" : "");
	}
	sc->before = TOKEN_STRING;
	if (p == end) {
		REFUSE(sc, "text without its closing '\"' on this line");
		return end;
	}
	return p + 1;
}

static char closing(char open)
{
	return open == '{' ? '}' : open == '(' ? ')' : ']';
}

static void scan_open(struct scan *sc, char c)
{
	if (c == '{' && sc->before == '}' && sc->bracket_count > 0 &&
			sc->brackets[sc->bracket_count - 1].open == '(')
		REFUSE(sc, "a ',' is missing between '}' and '{'");
	if (sc->bracket_count == BRACKETS_MAX) {
		if (!sc->brackets_lost)
			REFUSE(sc, "more than %d brackets deep", BRACKETS_MAX);
		sc->brackets_lost = true;
		return;
	}
	sc->brackets[sc->bracket_count++] = (struct bracket){ c, sc->file, sc->line };
	sc->before = c;
}

static void scan_close(struct scan *sc, char c)
{
	const struct bracket *b;

	if (c != '}' && sc->before == ',')
		REFUSE(sc, "no ',' before '%c'", c);
	sc->before = c;
	if (sc->brackets_lost)
		return;
	if (sc->bracket_count == 0) {
		REFUSE(sc, "'%c' closes nothing", c);
		sc->brackets_lost = true;
		return;
	}
	b = &sc->brackets[--sc->bracket_count];
	if (closing(b->open) != c) {
		REFUSE(sc, "'%c' where the '%c' of %s:%d needs '%c'", c, b->open, b->file, b->line,
			closing(b->open));
		sc->brackets_lost = true;
	}
}

/*
 * Octets outside of texts and comments that are not ASCII: mostly the punctuation of a Chinese
 * keyboard.
 */
static const char *scan_foreign(struct scan *sc, const char *p, const char *end)
{
	static const struct {
		const char *is, *not;
	} known[] = {
		{ "；", ";" }, { "，", "," }, { "＝", "=" }, { "：", ":" }, { "（", "(" },
		{ "）", ")" }, { "｛", "{" }, { "｝", "}" }, { "［", "[" }, { "］", "]" },
		{ "“", "\"" }, { "”", "\"" }, { "「", "\"" }, { "」", "\"" }, { "＂", "\"" },
		{ "　", " " }, { "\u00a0", " " },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].is);

		if ((size_t)(end - p) < n || memcmp(p, known[i].is, n) != 0)
			continue;
		REFUSE(sc, "full-width %s where '%s' is meant",
			known[i].not[0] == ' ' ? "space" : known[i].is, known[i].not);
		sc->before = known[i].not[0] == ' ' ? sc->before : known[i].not[0];
		return p + n;
	}
	REFUSE(sc, "octet 0x%02x outside of texts and comments", (unsigned char)*p);
	while (p < end && (unsigned char)*p >= 0x80)
		p++;
	return p;
}

static const char *scan_mark(struct scan *sc, const char *p, const char *end)
{
	if ((unsigned char)*p >= 0x80)
		return scan_foreign(sc, p, end);
	if (strchr("{[(", *p) != NULL) {
		scan_open(sc, *p);
	} else if (strchr("}])", *p) != NULL) {
		scan_close(sc, *p);
	} else if (*p == '@') {
		REFUSE(sc, "%s", end - p >= 12 && memcmp(p, "@include_dir", 12) == 0 ?
			"a folder is named by include_dir = \"FOLDER\";" :
			"'@' may only begin a line: @include \"FILE\"");
		return end;
	} else if (value_expected(sc)) {
		REFUSE(sc, "text needs double quotes");
		sc->before = TOKEN_VALUE;
		while (p + 1 < end && strchr(";,)]}", p[1]) == NULL)
			p++;
	} else {
		sc->before = *p;
	}
	return p + 1;
}

/* One line, without its end. */
static void scan_line(struct scan *sc, const char *p, const char *end)
{
	while (p < end) {
		if (sc->comment_line != 0) {
			p = memmem(p, (size_t)(end - p), "*/", 2);
			if (p == NULL)
				return;
			p += 2;
			sc->comment_line = 0;
		} else if (strchr(" \t\r\f", *p) != NULL) {
			p++;
		} else if (*p == '#' || (end - p > 1 && p[0] == '/' && p[1] == '/')) {
			return;
		} else if (end - p > 1 && p[0] == '/' && p[1] == '*') {
			sc->comment_line = sc->line;
			sc->comment_file = sc->file;
			p += 2;
		} else if (*p == '"') {
			p = scan_string(sc, p + 1, end);
		} else if (word_char(*p)) {
			p = scan_word(sc, p, end);
		} else {
			p = scan_mark(sc, p, end);
		}
	}
}

static bool scan_text(struct scan *sc, const char *text, size_t len, int depth);

/* The file of `@include "NAME"`: relative names start where the including file lies. */
static bool include(struct scan *sc, const char *name, size_t name_len, int depth)
{
	struct conf_source *s = sc->src;
	const char *file = sc->file, *slash = strrchr(file, '/');
	int line = sc->line, dir = slash != NULL && *name != '/' ? (int)(slash - file) + 1 : 0;
	char path[PATH_MAX], *text;
	size_t len = 0;
	bool ok;

	if (memchr(name, '*', name_len) != NULL || memchr(name, '?', name_len) != NULL) {
		REFUSE(sc, "patterns are not followed here: see include_dir");
		return true;
	}
	snprintf(path, sizeof(path), "%.*s%.*s", dir, file, (int)name_len, name);
	sc->file = settings_file(s->owner, path);
	if (sc->file == NULL)
		sc->file = file;
	for (int i = 0; i <= depth; i++)
		if (sc->chain[i] == sc->file || depth + 1 > INCLUDE_DEPTH) {
			sc->file = file;
			REFUSE(sc, "cannot include %s: %s", path, depth + 1 > INCLUDE_DEPTH ?
				"too many files deep" : "it would include itself");
			return true;
		}
	text = conf_source_slurp(s, path, file, line, &len);
	ok = text != NULL && scan_text(sc, text, len, depth + 1);
	if (text == NULL)
		s->hopeless = true;
	free(text);
	sc->file = file;
	sc->line = line;
	return text == NULL || ok;
}

/* If the line is an @include, do it and return where the rest of the line begins; else NULL. */
static const char *scan_include(struct scan *sc, const char *p, const char *end, int depth,
	bool *ret_ok)
{
	const char *name, *quote;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (end - p < 10 || memcmp(p, "@include", 8) != 0 || (p[8] != ' ' && p[8] != '\t'))
		return NULL;
	for (p += 8; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	if (p == end || *p != '"')
		return NULL;
	name = p + 1;
	quote = memchr(name, '"', (size_t)(end - name));
	if (quote == NULL)
		return NULL;
	if (sc->src->alone)
		REFUSE(sc, "no other file may be included here");
	else
		*ret_ok = include(sc, name, (size_t)(quote - name), depth);
	return quote + 1;
}

static bool scan_text(struct scan *sc, const char *text, size_t len, int depth)
{
	const char *p = text, *end = text + len, *nul = memchr(text, '\0', len);
	struct conf_source *s = sc->src;

	sc->chain[depth] = sc->file;
	sc->line = 1;
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;	/* the byte order mark that some editors write */
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)), *rest;
		bool ok = true;

		if (eol == NULL)
			eol = end;
		if (nul != NULL && nul < eol) {
			REFUSE(sc, "octet 0x00: this is no text file");
			return false;
		}
		rest = sc->comment_line == 0 ? scan_include(sc, p, eol, depth, &ok) : NULL;
		if (rest != NULL)
			p = rest;
		if (!ok || conf_source_begin_line(s, sc->file, sc->line) != 0 ||
				conf_source_put(s, p, (size_t)(eol - p)) != 0 ||
				conf_source_put(s, "\n", 1) != 0)
			return false;
		scan_line(sc, p, eol);
		p = eol + 1;
		sc->line++;
	}
	return true;
}

void conf_scan(struct conf_source *s, const char *file, const char *text, size_t len)
{
	struct scan *sc = calloc(1, sizeof(*sc));

	if (sc == NULL) {
		conf_error(s->faults, file, 0, "%s", strerror(ENOMEM));
		s->hopeless = true;
		return;
	}
	sc->src = s;
	sc->file = file;
	if (!scan_text(sc, text, len, 0)) {
		s->hopeless = true;
	} else if (sc->comment_line != 0) {
		conf_error(s->faults, sc->comment_file, sc->comment_line,
			"comment without its closing */");
		s->hopeless = true;
	} else if (!sc->brackets_lost) {
		for (int i = 0; i < sc->bracket_count; i++) {
			const struct bracket *b = &sc->brackets[i];

			conf_error(s->faults, b->file, b->line, "'%c' is never closed by '%c'",
				b->open, closing(b->open));
			s->hopeless = true;
		}
	}
	free(sc);
}
