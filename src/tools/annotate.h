#ifndef SMSCOPE_TOOLS_ANNOTATE_H
#define SMSCOPE_TOOLS_ANNOTATE_H

#include "tools/meaning.h"

/*
 * From a line of some log to what its codes mean:
 *
 *     scan    octets → hits: where a code stands, what its label and the line's words make of it
 *     charset which encoding the line has
 *     say     hits → the text that is appended
 */

enum { HITS_MAX = 8, HIT_TEXT = 104, HIT_CONTEXTS = 4 };

enum hit_kind {
	HIT_STAT,  /* Stat of a report */
	HIT_ERR,   /* err: of a receipt */
	HIT_LOG,   /* ErrCode: of a gateway's log */
	HIT_ERROR, /* error_code=, of whatever program */
	HIT_ERRNO,
	HIT_STATUS, /* command_status */
	HIT_WORD,   /* status=, of either protocol or of none */
	HIT_RESULT,
	HIT_STATE, /* message_state */
	HIT_BARE,  /* MB:0064 without a label */
	HIT_NAME,  /* ESME_RTHROTTLED */
};

/* A code on a line. */
struct hit {
	uint8_t kind;                   /* enum hit_kind */
	uint8_t contexts[HIT_CONTEXTS]; /* enum code_context, in the order to be tried */
	uint8_t context_count;
	uint8_t side; /* enum code_side */
	bool assumed; /* nothing on the line tells the context */
	bool strong;  /* surely a code: said even if no table knows it */
	bool has_number;
	int64_t number;
	uint8_t len, value_at;
	char text[HIT_TEXT]; /* as shown, "Stat=MB:0064"; the value begins at value_at */
};

/* What was found on the line so far. All zero: a line begins. */
struct scan {
	uint8_t side; /* forced by the user, 0 not */
	int count;
	bool more;      /* there were more than HITS_MAX */
	bool receipt;   /* a stat: went by, so an err: is its error */
	uint16_t words; /* of the line so far: bit w, enum word of the scan */
	bool done;      /* what follows is the text of a message */
	struct hit hits[HITS_MAX];
};

/* Octets at either edge of a piece where nothing is taken for found: it may be cut. */
enum { SCAN_EDGE = 256 };

/**
 * Look for codes in a piece of a line. Pieces of one line overlap by at least 4 * SCAN_EDGE, so
 * that what stands at an edge of one is whole in another; `first` and `last` tell the line's ends.
 */
void scan_piece(struct scan *s, struct span piece, bool first, bool last);

/* Which encodings the octets of a line can be in. All zero: a line begins. */
struct charset_guess {
	bool high; /* something beyond ASCII */
	bool wide; /* as UTF-8: a character of three octets or four, as every Chinese one has */
	bool not_utf8, not_gbk;
	uint8_t left, low, top; /* of the UTF-8 character begun: octets due, bounds of the next */
	bool trail;             /* of the GBK character begun: its second octet is due */
};

void charset_feed(struct charset_guess *g, struct span s);

/**
 * What it was, at the line's end. Where both fit, as ASCII does and GBK that happens to be UTF-8 of
 * two-octet characters: `before`, the stream's last encoding.
 */
bool charset_is_gbk(const struct charset_guess *g, bool before);

/** UTF-8 to GBK, with marks that every GBK terminal has; octets appended to `o`. */
void charset_put_gbk(struct out *o, struct span utf8);

/* How to say it. */
struct say {
	const struct code_set *set;
	const struct code_profile *const *profiles; /* as given; NULL: standard, then every other */
	const struct code_profile *const *others;   /* every profile but standard */
	enum code_platform platform;
	enum record_lang lang;
	bool color;
};

/** The text behind the line, in UTF-8; nothing if no code on it has anything to say. */
void say_hits(const struct say *say, const struct scan *s, struct out *o);

#endif
