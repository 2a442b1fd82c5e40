#include <iconv.h>

#include "smscope/text.h"

/*
 * Short messages to UTF-8. Whatever is cut, odd or invalid becomes U+FFFD and decoding goes on
 * behind it.
 */

enum { REPLACEMENT = 0xfffd, ESCAPE = 0x1b };

/* A whole character or none. */
static void put_rune(struct out *o, uint32_t c)
{
	char s[4];
	size_t n;

	if (c < 0x80) {
		s[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	if (o->full || n > (size_t)(o->end - o->pos))
		o->full = true;
	else
		out_put(o, s, n);
}

/* The default alphabet, one septet an octet. Source: 3GPP TS 23.038, section 6.2.1. */
static uint32_t gsm_rune(uint8_t c)
{
	static const uint16_t low[0x20] = {
		'@', 0xa3, '$', 0xa5, 0xe8, 0xe9, 0xf9, 0xec, 0xf2, 0xc7, '\n', 0xd8, 0xf8, '\r',
			0xc5, 0xe5,
		0x394, '_', 0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, ESCAPE,
			0xc6, 0xe6,
		0xdf, 0xc9,
	};

	if (c > 0x7f)
		return REPLACEMENT;
	if (c < 0x20)
		return low[c];
	switch (c) {
	case 0x24: return 0xa4;
	case 0x40: return 0xa1;
	case 0x5b: return 0xc4;
	case 0x5c: return 0xd6;
	case 0x5d: return 0xd1;
	case 0x5e: return 0xdc;
	case 0x5f: return 0xa7;
	case 0x60: return 0xbf;
	case 0x7b: return 0xe4;
	case 0x7c: return 0xf6;
	case 0x7d: return 0xf1;
	case 0x7e: return 0xfc;
	case 0x7f: return 0xe0;
	default: return c;
	}
}

/* What follows the escape; 0 for a place that is empty. Source: 3GPP TS 23.038, section 6.2.1.1. */
static uint32_t gsm_extension(uint8_t c)
{
	switch (c) {
	case 0x0a: return '\f';
	case 0x14: return '^';
	case 0x28: return '{';
	case 0x29: return '}';
	case 0x2f: return '\\';
	case 0x3c: return '[';
	case 0x3d: return '~';
	case 0x3e: return ']';
	case 0x40: return '|';
	case 0x65: return 0x20ac;
	default: return 0;
	}
}

static void decode_gsm(struct out *o, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint32_t c;

		if (s.p[i] != ESCAPE) {
			put_rune(o, gsm_rune(s.p[i]));
			continue;
		}
		c = i + 1 < s.n ? gsm_extension(s.p[i + 1]) : 0;
		if (c != 0)
			i++;
		put_rune(o, c != 0 ? c : REPLACEMENT);
	}
}

static void decode_8bit(struct out *o, struct span s, uint8_t last)
{
	for (size_t i = 0; i < s.n; i++)
		put_rune(o, s.p[i] <= last ? s.p[i] : REPLACEMENT);
}

/* UTF-16BE: peers that say UCS-2 send surrogate pairs. */
static void decode_utf16(struct out *o, struct span s)
{
	for (size_t i = 0; i + 1 < s.n; i += 2) {
		uint32_t c = (uint32_t)s.p[i] << 8 | s.p[i + 1];
		uint32_t d = i + 3 < s.n ? (uint32_t)s.p[i + 2] << 8 | s.p[i + 3] : 0;

		if (c >= 0xd800 && c < 0xdc00 && d >= 0xdc00 && d < 0xe000) {
			put_rune(o, 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00));
			i += 2;
		} else {
			put_rune(o, c >= 0xd800 && c < 0xe000 ? REPLACEMENT : c);
		}
	}
	if (s.n % 2 != 0)
		put_rune(o, REPLACEMENT);
}

/*
 * What needs a megabyte of tables, by libc; opening the converter is the one thing in the core that
 * allocates outside *_new, and only when a text is shown. Without it, what is not ASCII becomes
 * U+FFFD.
 */
static void decode_by_libc(struct out *o, struct span s, const char *from)
{
	iconv_t cd = iconv_open("UTF-8", from);
	char *in = (char *)(uintptr_t)s.p;
	size_t left = s.n;

	if (cd == (iconv_t)-1) { /* NOLINT: iconv's own way to say so */
		decode_8bit(o, s, 0x7f);
		return;
	}
	while (left > 0 && !o->full) {
		char part[256], *to = part;
		size_t room = sizeof(part), before = left;
		bool stuck = iconv(cd, &in, &left, &to, &room) == (size_t)-1 && left == before;

		for (char *p = part; p < to;) {
			size_t n = 1;

			while (p + n < to && (p[n] & 0xc0) == 0x80)
				n++;
			if (n > (size_t)(o->end - o->pos))
				o->full = true;
			else
				out_put(o, p, n);
			p += o->full ? (size_t)(to - p) : n;
		}
		if (stuck) {
			put_rune(o, REPLACEMENT);
			in++;
			left--;
			iconv(cd, NULL, NULL, NULL, NULL);
		}
	}
	iconv_close(cd);
}

void text_decode(struct out *o, enum charset c, struct span s)
{
	switch (c) {
	case CHARSET_GSM:
		decode_gsm(o, s);
		break;
	case CHARSET_ASCII:
		decode_8bit(o, s, 0x7f);
		break;
	case CHARSET_LATIN1:
		decode_8bit(o, s, 0xff);
		break;
	case CHARSET_UCS2:
		decode_utf16(o, s);
		break;
	case CHARSET_GB18030:
		decode_by_libc(o, s, "GB18030");
		break;
	case CHARSET_CYRILLIC:
		decode_by_libc(o, s, "ISO-8859-5");
		break;
	case CHARSET_HEBREW:
		decode_by_libc(o, s, "ISO-8859-8");
		break;
	case CHARSET_JIS:
		decode_by_libc(o, s, "ISO-2022-JP");
		break;
	case CHARSET_KOREAN:
		decode_by_libc(o, s, "EUC-KR");
		break;
	case CHARSET_BINARY:
	case CHARSET_OTHER:
		out_octets(o, s);
		break;
	}
}

/* Source: SMPP 3.4, section 5.2.19; for 0x10..0x1f and 0xc0..0xff 3GPP TS 23.038, section 4. */
static enum charset smpp_charset(uint8_t coding)
{
	static const uint8_t low[] = {
		CHARSET_GSM, CHARSET_ASCII, CHARSET_BINARY, CHARSET_LATIN1, CHARSET_BINARY,
			CHARSET_OTHER,
		CHARSET_CYRILLIC, CHARSET_HEBREW, CHARSET_UCS2, CHARSET_OTHER, CHARSET_JIS,
			CHARSET_OTHER,
		CHARSET_OTHER, CHARSET_OTHER, CHARSET_KOREAN, CHARSET_GB18030,
	};

	if (coding < sizeof(low))
		return (enum charset)low[coding];
	if (coding < 0x20) {
		static const uint8_t general[] = { CHARSET_GSM, CHARSET_BINARY, CHARSET_UCS2,
			CHARSET_OTHER };

		return (enum charset)general[coding >> 2 & 3];
	}
	if (coding < 0xc0)
		return CHARSET_OTHER;
	if (coding < 0xe0)
		return CHARSET_GSM;
	if (coding < 0xf0)
		return CHARSET_UCS2;
	return (coding & 4) != 0 ? CHARSET_BINARY : CHARSET_GSM;
}

/* Source: CMPP 3.0, section 8.4.3.1; 25 is UCS-2 for one engine (seen in its source). */
static enum charset cmpp_charset(uint8_t format)
{
	switch (format) {
	case 0:
		return CHARSET_ASCII;
	case 3:
	case 4:
		return CHARSET_BINARY;
	case 8:
	case 25:
		return CHARSET_UCS2;
	case 15:
		return CHARSET_GB18030;
	default:
		return format >= 0xf0 && (format & 4) != 0 ? CHARSET_BINARY : CHARSET_OTHER;
	}
}

enum charset text_charset(const char *proto_name, uint8_t coding)
{
	return strcmp(proto_name, "smpp") == 0 ? smpp_charset(coding) : cmpp_charset(coding);
}

const char *text_charset_name(enum charset c)
{
	static const char *const names[] = {
		[CHARSET_GSM] = "GSM 03.38", [CHARSET_ASCII] = "ASCII",
			[CHARSET_LATIN1] = "ISO-8859-1",
		[CHARSET_UCS2] = "UCS-2", [CHARSET_GB18030] = "GB18030",
		[CHARSET_CYRILLIC] = "ISO-8859-5", [CHARSET_HEBREW] = "ISO-8859-8",
			[CHARSET_JIS] = "ISO-2022-JP", [CHARSET_KOREAN] = "KS C 5601",
		[CHARSET_BINARY] = "binary",
		[CHARSET_OTHER] = "other",
	};

	return names[c];
}
