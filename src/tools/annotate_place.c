#include "tools/annotate_label.h"

/* What the words of a line make of the codes on it: the context and the side of each. */

enum { UNTOLD = -1 };

static uint8_t context_of_word(int word)
{
	static const uint8_t contexts[] = {
		[WORD_LOGIN] = CTX_LOGIN,          [WORD_SUBMIT] = CTX_SUBMIT_RESP,
		[WORD_DELIVER] = CTX_DELIVER_RESP, [WORD_REPORT] = CTX_REPORT,
		[WORD_QUERY] = CTX_QUERY_RESP,     [WORD_CANCEL] = CTX_CANCEL_RESP,
		[WORD_FORWARD] = CTX_FORWARD_RESP, [WORD_NACK] = CTX_NACK,
	};

	return word == UNTOLD ? CTX_SUBMIT_RESP : contexts[word];
}

static void add_context(struct hit *h, enum code_context c)
{
	h->contexts[h->context_count++] = (uint8_t)c;
}

/* The side that the words name, CODE_ANY when they name none or both. */
static uint8_t side_of_words(uint16_t all)
{
	bool smpp = (all >> WORD_SMPP & 1u) != 0, cmpp = (all >> WORD_CMPP & 1u) != 0;

	return smpp == cmpp ? CODE_ANY : smpp ? CODE_SMPP : CODE_CMPP;
}

/* A result of either protocol. CMPP calls it Result, SMPP status; CMPP's login has a Status too. */
static void place_result(struct hit *h, int word, uint16_t all)
{
	uint8_t named = side_of_words(all);

	h->assumed = word == UNTOLD;
	h->side = h->kind == HIT_RESULT ? CODE_CMPP : CODE_SMPP;
	if (named != CODE_ANY && h->kind != HIT_STATUS)
		h->side = named;
	else if (h->kind == HIT_WORD && word == WORD_LOGIN)
		h->side = CODE_ANY;
	add_context(h, (enum code_context)context_of_word(word));
	if (h->contexts[0] == CTX_REPORT && h->kind != HIT_RESULT)
		h->contexts[0] = CTX_SUBMIT_RESP;
	else if (h->contexts[0] == CTX_REPORT)
		add_context(h, CTX_SUBMIT_RESP);
}

static void place_stat(struct hit *h, uint16_t all)
{
	h->side = side_of_words(all);
	/* stat: is how an SMPP receipt writes it. */
	if (h->side == CODE_ANY)
		h->side = memcmp(h->text, "stat:", 5) == 0 ? CODE_SMPP : CODE_CMPP;
	add_context(h, CTX_REPORT);
}

static void place_name(struct hit *h)
{
	const char *value = h->text + h->value_at;

	h->side = CODE_ANY;
	if (value[0] == 'E' && value[1] == 'S') {
		h->side = CODE_SMPP;
		add_context(h, CTX_SUBMIT_RESP);
	} else if (value[1] == '_') {
		add_context(h, CTX_LOG);
	} else {
		add_context(h, CTX_API);
	}
}

static void place(struct hit *h, const struct words *w, uint16_t all, const uint8_t *at)
{
	switch (h->kind) {
	case HIT_STAT:
		place_stat(h, all);
		break;
	case HIT_ERR:
		h->side = CODE_SMPP;
		add_context(h, CTX_RECEIPT_ERR);
		break;
	case HIT_STATE:
		h->side = CODE_SMPP;
		add_context(h, CTX_REPORT);
		break;
	case HIT_BARE:
		h->side = CODE_CMPP;
		add_context(h, CTX_REPORT);
		break;
	case HIT_LOG:
	case HIT_ERROR:
		h->side = side_of_words(all);
		if (h->kind == HIT_ERROR && words_context(w, at) != UNTOLD)
			add_context(h, (enum code_context)context_of_word(words_context(w, at)));
		add_context(h, CTX_LOG);
		add_context(h, CTX_COMPOSITE);
		add_context(h, CTX_ERRNO);
		break;
	case HIT_ERRNO:
		h->side = CODE_ANY;
		add_context(h, CTX_ERRNO);
		break;
	case HIT_NAME:
		place_name(h);
		break;
	default:
		place_result(h, words_context(w, at), all);
		break;
	}
}

/*
 * What may be anything without a word on the line that says otherwise: the status of a web server,
 * a port written DB:3306, an ID:0001.
 */
static bool is_alien(const struct hit *h, uint16_t all)
{
	static const uint16_t ours = 1u << WORD_SUBMIT | 1u << WORD_DELIVER | 1u << WORD_REPORT |
				     1u << WORD_SMPP | 1u << WORD_CMPP;

	switch (h->kind) {
	case HIT_WORD:
	case HIT_RESULT:
		return (all >> WORD_HTTP & 1u) != 0;
	case HIT_BARE:
		return h->text[0] != 'M' && (h->text[0] != 'I' || h->text[1] == 'D') &&
		       (all & ours) == 0;
	default:
		return false;
	}
}

void hits_place(struct scan *s, int from, struct span piece, const uint8_t *const *at)
{
	struct words w = {.all = s->words};
	int kept = from;

	words_find(&w, piece);
	s->words = w.all;
	for (int i = from; i < s->count; i++) {
		struct hit *h = &s->hits[i];

		if (is_alien(h, w.all))
			continue;
		place(h, &w, w.all, at[i]);
		if (s->side != 0)
			h->side = s->side;
		if (kept != i)
			s->hits[kept] = *h;
		kept++;
	}
	s->count = kept;
}
