#ifndef SMSCOPE_TOOLS_ANNOTATE_LABEL_H
#define SMSCOPE_TOOLS_ANNOTATE_LABEL_H

#include "tools/annotate.h"

/* What stands before a value and says what it is. */

enum label_kind {
	LABEL_NONE,
	LABEL_STAT,
	LABEL_ERR,
	LABEL_LOG,
	LABEL_ERROR,
	LABEL_ERRNO,
	LABEL_STATUS,
	LABEL_WORD,
	LABEL_RESULT,
	LABEL_STATE,
	LABEL_TEXT,
	LABEL_DUMP, /* a PDU's name: its header may follow in hexadecimal */
	LABEL_CODE, /* "code" alone: only of use before a number in hexadecimal */
};

struct label {
	enum label_kind kind;
	const uint8_t *start;
	struct span shown; /* in ASCII or UTF-8 */
	bool quoted;       /* it stands in quotes, as in JSON */
};

/** The label that ends before `end`, not before `from`; blanks and a quote between are skipped. */
struct label label_before(const uint8_t *from, const uint8_t *end);

static inline bool octet_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool octet_is_letter(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}

static inline bool octet_is_word(uint8_t c)
{
	return octet_is_digit(c) || octet_is_letter(c) || c == '_';
}

/* Words that tell what a line is about. Those up to WORD_NACK tell the context of a code. */
enum word {
	WORD_LOGIN,
	WORD_SUBMIT,
	WORD_DELIVER,
	WORD_REPORT,
	WORD_QUERY,
	WORD_CANCEL,
	WORD_FORWARD,
	WORD_NACK,
	WORD_SMPP,
	WORD_CMPP,
	WORD_HTTP,
};

enum { WORDS_MAX = 16 };

/* The first WORDS_MAX of a piece in the order in which they stand. */
struct words {
	uint16_t all; /* bit w: enum word */
	int count;
	struct {
		const uint8_t *at;
		uint8_t word;
	} list[WORDS_MAX];
};

void words_find(struct words *w, struct span piece);

/**
 * The word that tells the context of what stands at `at`: the last before it, else the first; -1
 * none.
 */
int words_context(const struct words *w, const uint8_t *at);

/**
 * Give the hits from index `from` on, found at at[index] of the piece, their context and side; drop
 * what is no code after all.
 */
void hits_place(struct scan *s, int from, struct span piece, const uint8_t *const *at);

#endif
