#ifndef SMSCOPE_TEXT_H
#define SMSCOPE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "smscope/bytes.h"

/*
 * Text for people: appending, escaping, masking, decoding. A struct out is a bounded buffer of the
 * caller's: what does not fit is left off and `full` says so. It is not NUL-terminated.
 */
struct out {
	char *base, *pos, *end;
	bool full;
};

static inline struct out out_of(char *p, size_t n)
{
	return (struct out){ p, p, p + n, false };
}

static inline size_t out_len(const struct out *o)
{
	return (size_t)(o->pos - o->base);
}

static inline void out_put(struct out *o, const void *p, size_t n)
{
	size_t left = (size_t)(o->end - o->pos);

	if (n > left) {
		o->full = true;
		n = left;
	}
	if (n > 0)
		memcpy(o->pos, p, n);
	o->pos += n;
}

static inline void out_char(struct out *o, char c)
{
	out_put(o, &c, 1);
}

static inline void out_str(struct out *o, const char *s)
{
	out_put(o, s, strlen(s));
}

/** Decimal, and hexadecimal of at least `width` upper-case digits without 0x. */
void out_dec(struct out *o, uint64_t v);
void out_int(struct out *o, int64_t v);
void out_hex(struct out *o, uint64_t v, int width);

/** Octets as lower-case hexadecimal digits. */
void out_octets(struct out *o, struct span s);

/** For the slow paths only. */
void out_fmt(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/**
 * Foreign octets for a line of the text log: valid UTF-8 stays, everything else is escaped: C0,
 * DEL, C1, bidi controls, zero-width characters, BOM, U+2028/9 as \uXXXX, invalid UTF-8 as \xNN,
 * backslash doubled. With `bare`, blanks, '"', '=' and the marks of the line's own syntax are
 * escaped too, so that a value stays one word.
 */
void text_escape(struct out *o, struct span s, bool bare);

/**
 * The same octets inside a JSON string: always valid JSON and valid UTF-8. Invalid octets become
 * \\xNN text; so does NUL, as many readers refuse \u0000.
 */
void text_json(struct out *o, struct span s);

enum mask { MASK_FULL, MASK_PART, MASK_NONE };

/**
 * A telephone number: "138****1234" (first three and last four) under MASK_PART; escaped in any
 * case.
 */
void text_number(struct out *o, struct span s, enum mask mask);

/* How the octets of a message are to be read. */
enum charset { CHARSET_GSM, CHARSET_ASCII, CHARSET_LATIN1, CHARSET_UCS2, CHARSET_GB18030,
	CHARSET_CYRILLIC, CHARSET_HEBREW, CHARSET_JIS, CHARSET_KOREAN, CHARSET_BINARY,
	CHARSET_OTHER };

/** Charset of an SMPP data_coding or a CMPP Msg_Fmt, which SGIP and SMGP have, too. */
enum charset text_charset(const char *proto_name, uint8_t coding);
const char *text_charset_name(enum charset c);

/**
 * Decode a short message to UTF-8. Cut, odd and invalid input gives U+FFFD, never a failure; binary
 * gives hexadecimal digits. The result is not yet escaped.
 */
void text_decode(struct out *o, enum charset c, struct span s);

#endif
