#include "tools/annotate_label.h"

/*
 * One pass over the octets. Few of them can be the middle of a code's label or its beginning; at
 * those the scan looks back for the label and ahead for the value:
 *
 *     ErrCode:97001    stat:UNDELIV    "result": 8    MB:0064    at ':' and '='
 *     command_status 0x58    code 0x0000000d    response 0000000b at '0' behind a blank
 *     ESME_RTHROTTLED    E_STORE_TIME_OUT    E000510             at 'E'
 *     isv.AMOUNT_NOT_ENOUGH                                      at '.'
 */

enum trigger { T_NONE, T_SEPARATOR, T_WIDE_UTF8, T_WIDE_GBK, T_NAME, T_DOT, T_ZERO };

static const uint8_t triggers[256] = {
	[':'] = T_SEPARATOR, ['='] = T_SEPARATOR, [0xef] = T_WIDE_UTF8, [0xa3] = T_WIDE_GBK,
	['E'] = T_NAME,      ['.'] = T_DOT,       ['0'] = T_ZERO,
};

enum { VALUE_MAX = 40, DIGITS_MAX = 10, STAT_MAX = 20 };

/* The piece in hand. Hits are placed, that is given their contexts, when all of it was seen. */
struct piece {
	struct scan *scan;
	const uint8_t *from, *end;
	const uint8_t *earliest, *latest; /* a hit begins and ends between these */
	const uint8_t *at[HITS_MAX];      /* where the hits of this piece begin */
};

struct value {
	struct span text;
	bool has_number;
	int64_t number;
};

static struct hit *hit_add(struct piece *p, enum hit_kind kind, const uint8_t *start,
			   struct span label, char separator, const struct value *v)
{
	struct scan *s = p->scan;
	struct hit *h = &s->hits[s->count];
	struct out o;

	if (start < p->earliest || v->text.p + v->text.n > p->latest)
		return NULL;
	if (s->count == HITS_MAX) {
		s->more = true;
		return NULL;
	}
	memset(h, 0, offsetof(struct hit, text));
	o = out_of(h->text, sizeof(h->text));
	out_put(&o, label.p, label.n);
	if (label.n > 0)
		out_char(&o, separator);
	h->value_at = (uint8_t)out_len(&o);
	out_put(&o, v->text.p, v->text.n);
	h->len = (uint8_t)out_len(&o);
	h->kind = (uint8_t)kind;
	h->has_number = v->has_number;
	h->number = v->number;
	for (int i = 0; i < s->count; i++) {
		if (s->hits[i].kind == h->kind && s->hits[i].len == h->len &&
		    memcmp(s->hits[i].text, h->text, h->len) == 0)
			return NULL;
	}
	p->at[s->count++] = start;
	return h;
}

static int hex_of(uint8_t c)
{
	if (octet_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* No number goes on behind it: of an address, a date, a time, a fraction, a share. */
static bool ends_there(const uint8_t *p, const uint8_t *end)
{
	if (p == end)
		return true;
	if (octet_is_word(*p) || *p == '%')
		return false;
	if (*p != '.' && *p != ':' && *p != '-' && *p != '/')
		return true;
	return p + 1 == end || !octet_is_word(p[1]);
}

/* Hexadecimal digits, `most` of them at most. Returns how many. */
static size_t read_hex(const uint8_t *p, const uint8_t *end, size_t most, int64_t *ret)
{
	size_t n = 0;

	*ret = 0;
	while (p + n < end && n < most && hex_of(p[n]) >= 0)
		*ret = *ret * 16 + hex_of(p[n++]);
	return n;
}

/*
 * A number that could be a code: 8, -2147483312, 0x58. Eight digits with leading zeros are
 * hexadecimal where `padded` says so.
 */
static bool read_number(const uint8_t *p, const uint8_t *end, bool padded, struct value *ret)
{
	const uint8_t *start = p;
	int64_t v = 0;
	bool minus = p < end && *p == '-';
	size_t n = 0;

	p += minus;
	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
		n = read_hex(p + 2, end, 9, &v);
		if (n == 0 || n > 8)
			return false;
		n += 2;
	} else if (padded && end - p >= 8 && p[0] == '0' && read_hex(p, end, 9, &v) == 8) {
		n = 8;
	} else {
		for (v = 0; p + n < end && n <= DIGITS_MAX && octet_is_digit(p[n]); n++)
			v = v * 10 + (p[n] - '0');
		if (n == 0 || n > DIGITS_MAX || v > UINT32_MAX)
			return false;
	}
	if (!ends_there(p + n, end))
		return false;
	*ret = (struct value){span_of(start, (size_t)(p + n - start)), true, minus ? -v : v};
	return true;
}

/* A word as a Stat or an err: has it: letters, digits, and marks between them. */
static bool read_word(const uint8_t *p, const uint8_t *end, size_t most, struct value *ret)
{
	size_t n = 0;

	while (p + n < end && n <= most &&
	       (octet_is_word(p[n]) || p[n] == ':' || p[n] == '-' || p[n] == '.'))
		n++;
	while (n > 0 && !octet_is_word(p[n - 1]))
		n--;
	if (n == 0 || n > most)
		return false;
	*ret = (struct value){.text = span_of(p, n)};
	return true;
}

/* MB:0064, MI::0010: two capitals and four digits. Returns their length, 0 none. */
static size_t composite_len(const uint8_t *p, const uint8_t *end)
{
	size_t n = 3;

	if (end - p < 7 || !octet_is_letter(p[0]) || !octet_is_letter(p[1]) || p[2] != ':')
		return 0;
	n += p[3] == ':';
	for (int i = 0; i < 4; i++, n++) {
		if (p + n == end || !octet_is_digit(p[n]))
			return 0;
	}
	return n;
}

/* Does the word look like a Stat and like nothing else? "UNDELIV", "MK:0001", "MK00013" */
static bool looks_like_stat(struct span s)
{
	size_t capitals = 0, digits = 0, marks = 0;

	for (size_t i = 0; i < s.n; i++) {
		capitals += s.p[i] >= 'A' && s.p[i] <= 'Z';
		digits += octet_is_digit(s.p[i]);
		marks += s.p[i] == '_' || s.p[i] == '-';
	}
	if (composite_len(s.p, s.p + s.n) == s.n)
		return true;
	return s.n >= 5 && s.n <= 16 && capitals >= 2 && capitals + digits + marks == s.n &&
	       digits <= 5;
}

/* The octet where the value begins: behind blanks, one bracket, one quote. */
static const uint8_t *value_begin(const uint8_t *p, const uint8_t *end)
{
	for (int i = 0; i < 3 && p < end && (*p == ' ' || *p == '\t'); i++)
		p++;
	if (p < end && (*p == '[' || *p == '('))
		p++;
	if (p < end && (*p == '"' || *p == '\''))
		p++;
	return p;
}

static const uint8_t *take_stat(struct piece *p, const struct label *l, char separator,
				const uint8_t *at)
{
	struct value v;
	struct hit *h;

	if (!read_word(at, p->end, STAT_MAX, &v))
		return at;
	p->scan->receipt = true;
	if (octet_is_digit(v.text.p[0]) &&
	    (v.text.n > 5 || !ends_there(v.text.p + v.text.n, p->end)))
		return at;
	h = hit_add(p, HIT_STAT, l->start, l->shown, separator, &v);
	if (h != NULL)
		h->strong = looks_like_stat(v.text);
	return v.text.p + v.text.n;
}

static const uint8_t *take_err(struct piece *p, const struct label *l, char separator,
			       const uint8_t *at)
{
	size_t n = composite_len(at, p->end);
	struct value v = {.has_number = n == 0};
	struct hit *h;

	if (n == 0)
		n = read_hex(at, p->end, 5, &v.number);
	if (n == 0 || n == 5 || !ends_there(at + n, p->end) || (n < 3 && !p->scan->receipt))
		return at;
	v.text = span_of(at, n);
	h = hit_add(p, HIT_ERR, l->start, l->shown, separator, &v);
	if (h != NULL) /* 000 says that there was no error */
		h->strong = p->scan->receipt && !(v.has_number && v.number == 0);
	return at + n;
}

/* The header of a PDU as some write it: (submit_sm_resp: 0x00000010 0x80000004 0x00000058 … */
static const uint8_t *take_dump(struct piece *p, const struct label *l, const uint8_t *at)
{
	struct value v = {.has_number = false};
	const uint8_t *q = at;
	struct hit *h;

	for (int i = 0; i < 3; i++) {
		if (p->end - q < 10 || q[0] != '0' || q[1] != 'x' ||
		    !read_number(q, p->end, false, &v))
			return at;
		q += v.text.n;
		q += q < p->end;
	}
	h = hit_add(p, HIT_STATUS, l->start, l->shown, ' ', &v);
	if (h != NULL)
		h->strong = true;
	return v.text.p + v.text.n;
}

/* status=DELIVRD, command_status: ESME_RTHROTTLED */
static const uint8_t *take_named(struct piece *p, const struct label *l, char separator,
				 const uint8_t *at)
{
	struct value v;

	if (!read_word(at, p->end, VALUE_MAX, &v))
		return at;
	if (v.text.n > 5 && memcmp(v.text.p, "ESME_", 5) == 0) {
		(void)hit_add(p, HIT_NAME, l->start, l->shown, separator, &v);
		return v.text.p + v.text.n;
	}
	if (l->kind == LABEL_WORD && looks_like_stat(v.text)) {
		(void)hit_add(p, HIT_STAT, l->start, l->shown, separator, &v);
		return v.text.p + v.text.n;
	}
	return at;
}

static const uint8_t *take_numbered(struct piece *p, const struct label *l, char separator,
				    const uint8_t *at)
{
	static const uint8_t kinds[] = {
		[LABEL_LOG] = HIT_LOG,       [LABEL_ERROR] = HIT_ERROR, [LABEL_ERRNO] = HIT_ERRNO,
		[LABEL_STATUS] = HIT_STATUS, [LABEL_WORD] = HIT_WORD,   [LABEL_RESULT] = HIT_RESULT,
		[LABEL_STATE] = HIT_STATE,   [LABEL_CODE] = HIT_STATUS,
	};
	enum hit_kind kind = (enum hit_kind)kinds[l->kind];
	struct value v;
	struct hit *h;
	bool hex;

	if (!read_number(at, p->end, l->kind == LABEL_STATUS, &v))
		return take_named(p, l, separator, at);
	hex = v.text.n > 2 && (v.text.p[1] | 0x20) == 'x';
	if (l->kind == LABEL_CODE && !hex)
		return at;
	if (l->kind == LABEL_ERROR && hex)
		kind = HIT_STATUS;
	h = hit_add(p, kind, l->start, l->shown, separator, &v);
	if (h != NULL)
		h->strong = l->kind == LABEL_LOG || l->kind == LABEL_STATUS;
	return v.text.p + v.text.n;
}

static const uint8_t *take_value(struct piece *p, const struct label *l, char separator,
				 const uint8_t *at)
{
	switch (l->kind) {
	case LABEL_NONE:
		return at;
	case LABEL_STAT:
		return take_stat(p, l, separator, at);
	case LABEL_ERR:
		return take_err(p, l, separator, at);
	case LABEL_DUMP:
		return take_dump(p, l, at);
	case LABEL_TEXT:
		if (!p->scan->receipt || l->quoted || separator != ':')
			return at;
		p->scan->done = true;
		return p->end;
	default:
		return take_numbered(p, l, separator, at);
	}
}

/* At the ':' of MB:0064 that no label announced. */
static const uint8_t *take_bare(struct piece *p, const uint8_t *colon)
{
	const uint8_t *start = colon - 2;
	size_t n;
	struct value v;

	if (colon - p->from < 2 || colon[-1] < 'A' || colon[-1] > 'Z' || colon[-2] < 'A' ||
	    colon[-2] > 'Z')
		return colon + 1;
	n = composite_len(start, p->end);
	if (n == 0 || !ends_there(start + n, p->end))
		return colon + 1;
	if (start > p->from &&
	    (octet_is_word(start[-1]) || start[-1] == ':' || start[-1] == '.' || start[-1] == '-'))
		return colon + 1;
	v = (struct value){.text = span_of(start, n)};
	(void)hit_add(p, HIT_BARE, start, span_of(start, 0), 0, &v);
	return start + n;
}

static const uint8_t *at_separator(struct piece *p, const uint8_t *at, size_t len)
{
	uint8_t before = at > p->from ? at[-1] : 0;
	struct label l = {.kind = LABEL_NONE};
	const uint8_t *value, *next;

	/* Times and addresses are most of what has a colon. */
	if (octet_is_digit(before) || before == 0)
		return at + len;
	if (at + len < p->end && at[len] == '=')
		return at + len + 1;
	l = label_before(p->from, at);
	if (l.kind != LABEL_NONE) {
		value = value_begin(at + len, p->end);
		next = take_value(p, &l, *at == '=' ? '=' : ':', value);
		return next > value ? next : at + len;
	}
	return *at == ':' ? take_bare(p, at) : at + len;
}

static const uint8_t *at_wide(struct piece *p, const uint8_t *at, const char *colon, size_t len)
{
	if ((size_t)(p->end - at) < len || memcmp(at, colon, len) != 0)
		return at + 1;
	return at_separator(p, at, len);
}

/* A number behind a blank: its label is the word before. */
static const uint8_t *at_zero(struct piece *p, const uint8_t *at)
{
	struct label l;
	struct value v;
	struct hit *h;

	if (at == p->from || at[-1] != ' ' || p->end - at < 3)
		return at + 1;
	if ((at[1] | 0x20) == 'x') {
		l = label_before(p->from, at);
		if (l.kind < LABEL_ERROR || l.kind == LABEL_TEXT || l.kind == LABEL_DUMP)
			return at + 1;
		if (!read_number(at, p->end, false, &v))
			return at + 1;
	} else {
		static const char word[] = "response ";
		size_t n = sizeof(word) - 1;

		if ((size_t)(at - p->from) < n || memcmp(at - n, word, n) != 0 ||
		    !read_number(at, p->end, true, &v) || v.text.n != 8)
			return at + 1;
		l = (struct label){.start = at - n, .shown = span_of(at - n, n - 1)};
	}
	h = hit_add(p, HIT_STATUS, l.start, l.shown, ' ', &v);
	if (h != NULL)
		h->strong = l.kind == LABEL_STATUS;
	return v.text.p + v.text.n;
}

/* ESME_RTHROTTLED, E_STORE_TIME_OUT, E000510 */
static const uint8_t *at_name(struct piece *p, const uint8_t *at)
{
	size_t n = 1, digits = 0;
	struct value v;

	if (at > p->from && octet_is_word(at[-1]))
		return at + 1;
	while (at + n < p->end && n <= VALUE_MAX &&
	       ((at[n] >= 'A' && at[n] <= 'Z') || octet_is_digit(at[n]) || at[n] == '_')) {
		digits += octet_is_digit(at[n]);
		n++;
	}
	if (n < 4 || n > VALUE_MAX || !ends_there(at + n, p->end))
		return at + 1;
	if (!(digits == 6 && n == 7) && at[1] != '_' && (n < 6 || memcmp(at, "ESME_", 5) != 0))
		return at + n;
	v = (struct value){.text = span_of(at, n)};
	(void)hit_add(p, HIT_NAME, at, span_of(at, 0), 0, &v);
	return at + n;
}

/* isv.AMOUNT_NOT_ENOUGH, isp.SYSTEM_ERROR */
static const uint8_t *at_dot(struct piece *p, const uint8_t *at)
{
	const uint8_t *start = at - 3;
	size_t n = 1;
	struct value v;

	if (at - p->from < 3 || start[0] != 'i' || start[1] != 's' ||
	    (start[2] != 'v' && start[2] != 'p') || (start > p->from && octet_is_word(start[-1])))
		return at + 1;
	while (at + n < p->end && n <= VALUE_MAX && octet_is_word(at[n]))
		n++;
	if (n < 4 || n > VALUE_MAX)
		return at + 1;
	v = (struct value){.text = span_of(start, n + 3)};
	(void)hit_add(p, HIT_NAME, start, span_of(start, 0), 0, &v);
	return at + n;
}

void scan_piece(struct scan *s, struct span octets, bool first, bool last)
{
	struct piece p = {.scan = s, .from = octets.p, .end = octets.p + octets.n};
	const uint8_t *at = p.from;
	int before = s->count;

	p.earliest = first ? p.from : p.from + SCAN_EDGE;
	p.latest = last ? p.end : p.end - SCAN_EDGE;
	while (at < p.end && !s->done) {
		switch (triggers[*at]) {
		case T_NONE:
			at++;
			break;
		case T_SEPARATOR:
			at = at_separator(&p, at, 1);
			break;
		case T_WIDE_UTF8:
			at = at_wide(&p, at, "：", 3);
			break;
		case T_WIDE_GBK:
			at = at_wide(&p, at, "\xa3\xba", 2);
			break;
		case T_NAME:
			at = at_name(&p, at);
			break;
		case T_DOT:
			at = at_dot(&p, at);
			break;
		default:
			at = at_zero(&p, at);
			break;
		}
	}
	if (s->count > before)
		hits_place(s, before, octets, p.at);
}
