#include "tools/annotate_label.h"

enum { LABEL_MAX = 24, GAP_MAX = 2 };

/* Folded: lower case, without '_' and '-'. */
static const struct {
	const char *word;
	uint8_t len, kind;
} labels[] = {
	{"stat", 4, LABEL_STAT},
	{"reportstat", 10, LABEL_STAT},
	{"dlrstat", 7, LABEL_STAT},
	{"reportstatus", 12, LABEL_STAT},
	{"dlrstatus", 9, LABEL_STAT},
	{"err", 3, LABEL_ERR},
	{"dlrerr", 6, LABEL_ERR},
	{"errcode", 7, LABEL_LOG},
	{"errorcode", 9, LABEL_ERROR},
	{"errno", 5, LABEL_ERRNO},
	{"commandstatus", 13, LABEL_STATUS},
	{"cmdstatus", 9, LABEL_STATUS},
	{"smppstatus", 10, LABEL_STATUS},
	{"status", 6, LABEL_WORD},
	{"respstatus", 10, LABEL_WORD},
	{"submitstatus", 12, LABEL_WORD},
	{"bindstatus", 10, LABEL_WORD},
	{"connectstatus", 13, LABEL_WORD},
	{"loginstatus", 11, LABEL_WORD},
	{"result", 6, LABEL_RESULT},
	{"submitresult", 12, LABEL_RESULT},
	{"cmppresult", 10, LABEL_RESULT},
	{"respresult", 10, LABEL_RESULT},
	{"messagestate", 12, LABEL_STATE},
	{"text", 4, LABEL_TEXT},
	{"genericnack", 11, LABEL_DUMP},
	{"code", 4, LABEL_CODE},
};

/* Chinese labels and their octets in a GBK line; the longest first. */
static const struct {
	const char *utf8, *gbk;
	uint8_t kind;
} wide_labels[] = {
	{"状态报告", "\xd7\xb4\xcc\xac\xb1\xa8\xb8\xe6", LABEL_STAT},
	{"错误代码", "\xb4\xed\xce\xf3\xb4\xfa\xc2\xeb", LABEL_ERROR},
	{"错误码", "\xb4\xed\xce\xf3\xc2\xeb", LABEL_ERROR},
	{"返回码", "\xb7\xb5\xbb\xd8\xc2\xeb", LABEL_RESULT},
	{"结果", "\xbd\xe1\xb9\xfb", LABEL_RESULT},
	{"状态", "\xd7\xb4\xcc\xac", LABEL_WORD},
};

static bool ends_with(const uint8_t *from, const uint8_t *end, const char *word, size_t n)
{
	return (size_t)(end - from) >= n && memcmp(end - n, word, n) == 0;
}

static bool wide_label(const uint8_t *from, const uint8_t *end, struct label *ret)
{
	for (size_t i = 0; i < sizeof(wide_labels) / sizeof(*wide_labels); i++) {
		size_t n = strlen(wide_labels[i].utf8), g = strlen(wide_labels[i].gbk);
		bool utf8 = ends_with(from, end, wide_labels[i].utf8, n);

		if (!utf8 && !ends_with(from, end, wide_labels[i].gbk, g))
			continue;
		ret->kind = (enum label_kind)wide_labels[i].kind;
		ret->start = end - (utf8 ? n : g);
		ret->shown = span_of(wide_labels[i].utf8, n);
		return true;
	}
	return false;
}

static enum label_kind word_kind(struct span word)
{
	char folded[LABEL_MAX];
	uint8_t n = 0;

	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] != '_' && word.p[i] != '-')
			folded[n++] = (char)(word.p[i] | 0x20);
	}
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		if (labels[i].len == n && memcmp(labels[i].word, folded, n) == 0)
			return (enum label_kind)labels[i].kind;
	}
	if (word.n > 5 && memcmp(word.p + word.n - 5, "_resp", 5) == 0)
		return LABEL_DUMP;
	return LABEL_NONE;
}

static const uint8_t *skip_blanks(const uint8_t *from, const uint8_t *end)
{
	for (int i = 0; i < GAP_MAX && end > from && (end[-1] == ' ' || end[-1] == '\t'); i++)
		end--;
	return end;
}

/* "error code": two words for one label. */
static bool error_before(const uint8_t *from, const uint8_t *end)
{
	const uint8_t *p = skip_blanks(from, end);

	if (p == end)
		return false;
	return (ends_with(from, p, "rror", 4) && (p - from < 5 || (p[-5] | 0x20) == 'e')) ||
	       ends_with(from, p, "err", 3) || ends_with(from, p, "Err", 3);
}

struct label label_before(const uint8_t *from, const uint8_t *end)
{
	struct label l = {.kind = LABEL_NONE};
	const uint8_t *word;

	end = skip_blanks(from, end);
	if (end > from && (end[-1] == '"' || end[-1] == '\'')) {
		l.quoted = true;
		end--;
	}
	if (end == from)
		return l;
	if (end[-1] >= 0x80) {
		(void)wide_label(from, end, &l);
		return l;
	}
	word = end;
	while (word > from && (octet_is_letter(word[-1]) || word[-1] == '_' || word[-1] == '-')) {
		if (end - word == LABEL_MAX)
			return l;
		word--;
	}
	/* A letter behind an octet beyond ASCII may be the second half of a GBK character. */
	if (word == end || (word > from && octet_is_digit(word[-1])))
		return l;
	if (word - from >= 1 && word[-1] >= 0x80 &&
	    word_kind(span_of(word, (size_t)(end - word))) == LABEL_NONE)
		word++;
	l.kind = word < end ? word_kind(span_of(word, (size_t)(end - word))) : LABEL_NONE;
	if (l.kind == LABEL_CODE && error_before(from, word))
		l.kind = LABEL_ERROR;
	l.start = word;
	l.shown = span_of(word, (size_t)(end - word));
	return l;
}

static const struct {
	const char *text;
	uint8_t len, word;
	uint16_t also;
} words[] = {
	{"bind", 4, WORD_LOGIN, 1u << WORD_SMPP},
	{"login", 5, WORD_LOGIN, 0},
	{"logon", 5, WORD_LOGIN, 0},
	{"connect", 7, WORD_LOGIN, 0},
	{"submit", 6, WORD_SUBMIT, 0},
	{"deliver", 7, WORD_DELIVER, 0},
	{"report", 6, WORD_REPORT, 0},
	{"receipt", 7, WORD_REPORT, 0},
	{"dlr", 3, WORD_REPORT, 0},
	{"query", 5, WORD_QUERY, 0},
	{"cancel", 6, WORD_CANCEL, 0},
	{"forward", 7, WORD_FORWARD, 0},
	{"fwd", 3, WORD_FORWARD, 0},
	{"nack", 4, WORD_NACK, 1u << WORD_SMPP},
	{"smpp", 4, WORD_SMPP, 0},
	{"_sm", 3, WORD_SMPP, 0},
	{"esme", 4, WORD_SMPP, 0},
	{"cmpp", 4, WORD_CMPP, 0},
	{"ismg", 4, WORD_CMPP, 0},
	{"http", 4, WORD_HTTP, 0},
	{"登录", 6, WORD_LOGIN, 0},
	{"\xb5\xc7\xc2\xbc", 4, WORD_LOGIN, 0},
	{"登陆", 6, WORD_LOGIN, 0},
	{"\xb5\xc7\xc2\xbd", 4, WORD_LOGIN, 0},
	{"提交", 6, WORD_SUBMIT, 0},
	{"\xcc\xe1\xbd\xbb", 4, WORD_SUBMIT, 0},
	{"下发", 6, WORD_SUBMIT, 0},
	{"\xcf\xc2\xb7\xa2", 4, WORD_SUBMIT, 0},
	{"状态报告", 12, WORD_REPORT, 0},
	{"\xd7\xb4\xcc\xac\xb1\xa8\xb8\xe6", 8, WORD_REPORT, 0},
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_word(const uint8_t *p, const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lower(p[i]) != (uint8_t)word[i])
			return false;
	}
	return true;
}

/*
 * Words that only look like one: connection and connected tell of TCP, delivered and delivery of a
 * message's fate, unbind of the end; "submit date" is a label of a receipt.
 */
static bool misleads(const uint8_t *from, const uint8_t *p, const uint8_t *next, const uint8_t *end,
		     const char *word)
{
	uint8_t c = next < end ? lower(*next) : 0;

	switch (word[0]) {
	case 'b':
		return p - from >= 2 && same_word(p - 2, "un", 2);
	case 'c':
		return word[1] == 'o' && (c == 'i' || c == 'e' || c == 'o');
	case 'd':
		return word[1] == 'e' && (c == 'e' || c == 'y');
	case 's':
		if (word[1] != 'u')
			return false;
		next += c == ' ' || c == '_';
		return end - next >= 4 &&
		       (same_word(next, "date", 4) || same_word(next, "time", 4));
	default:
		return false;
	}
}

void words_find(struct words *w, struct span piece)
{
	static const bool begins[256] = {
		['b'] = true,  ['c'] = true,  ['d'] = true,  ['e'] = true,  ['f'] = true,
		['h'] = true,  ['i'] = true,  ['l'] = true,  ['n'] = true,  ['q'] = true,
		['r'] = true,  ['s'] = true,  ['_'] = true,  [0xb5] = true, [0xcc] = true,
		[0xcf] = true, [0xd7] = true, [0xe4] = true, [0xe6] = true, [0xe7] = true,
	};
	const uint8_t *end = piece.p + piece.n;

	for (const uint8_t *p = piece.p; p < end; p++) {
		if (!begins[lower(*p)])
			continue;
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
			size_t n = words[i].len;

			if ((uint8_t)words[i].text[0] != lower(*p) || (size_t)(end - p) < n ||
			    !same_word(p, words[i].text, n) ||
			    misleads(piece.p, p, p + n, end, words[i].text))
				continue;
			w->all |= (uint16_t)(1u << words[i].word | words[i].also);
			if (w->count < WORDS_MAX) {
				w->list[w->count].at = p;
				w->list[w->count++].word = words[i].word;
			}
			p += n - 1;
			break;
		}
	}
}

int words_context(const struct words *w, const uint8_t *at)
{
	int best = -1;

	for (int i = 0; i < w->count; i++) {
		if (w->list[i].word > WORD_NACK)
			continue;
		if (best >= 0 && w->list[i].at > at)
			break;
		best = w->list[i].word;
	}
	return best;
}
