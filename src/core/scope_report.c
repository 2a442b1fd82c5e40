#include "core/scope_report.h"

int scope_look_up(const struct scope_link *link, const struct record *r, enum code_context context,
	bool is_text, uint32_t number, struct span text, struct code_answer *ret, int cap)
{
	struct code_query q = {
		.profiles = link->profiles,
		.context = context,
		.side = (enum code_side)r->proto->code_side,
		.dialect = r->dialect,
		.is_text = is_text,
		.number = number,
		.text = text,
	};

	return link->codes != NULL ? codes_lookup(link->codes, &q, ret, cap) : 0;
}

/* Of a TLV that should have one octet, or three, as much as anybody wants to see. */
static struct span beginning(struct span s)
{
	return span_of(s.p, s.n < 32 ? s.n : 32);
}

/*
 * Type and number as they came; in a GSM network the number has a meaning, or two. What has another
 * shape is shown only.
 */
static void put_network_error(
	const struct scope_link *link, struct record *r, const struct receipt *x)
{
	static const char *const keys[][3] = {
		{ "net_table", "net_zh", "net_en" },
		{ "net_also_table", "net_also_zh", "net_also_en" },
	};
	enum { NETWORK_GSM = 3, READINGS = sizeof(keys) / sizeof(keys[0]) };
	struct code_answer answers[READINGS];
	int n = 0;

	if (!x->has_network_error) {
		if (x->network_digits)
			record_text_extra(r, "net_digits", beginning(x->network_raw));
		else if (x->network_raw.n > 0)
			record_octets_extra(r, "net_octets", beginning(x->network_raw));
		return;
	}
	record_uint_extra(r, "net_type", x->network_type);
	record_uint_extra(r, "net_error", x->network_error);
	if (x->network_type == NETWORK_GSM)
		n = scope_look_up(link, r, CTX_NETWORK_ERROR, false, x->network_error,
			span_of("", 0), answers, READINGS);
	for (int i = 0; i < n; i++) {
		record_words_extra(r, keys[i][0], answers[i].table->name);
		record_words_extra(r, keys[i][1], answers[i].row->zh);
		record_words_extra(r, keys[i][2], answers[i].row->en);
	}
}

/*
 * The state as the text says it or, if a TLV says another, as the TLV does. Words behind it are not
 * in any table: then its own word is looked up.
 */
static void put_stat(const struct scope_link *link, struct record *r, const struct receipt *x)
{
	const char *word = receipt_state_word(x->state);
	struct span first;

	r->code_label = "stat";
	r->code_context = CTX_REPORT;
	r->code_is_text = true;
	r->code_text = x->stat;
	if (x->stat_state >= 0 && x->stat_state != x->state)
		r->code_text = span_of(word, strlen(word));
	r->has_code = r->code_text.n > 0;
	if (!r->has_code)
		return;
	r->answer_count = scope_look_up(link, r, CTX_REPORT, true, 0, r->code_text, r->answers,
		RECORD_ANSWERS_MAX);
	if (r->answer_count > 0)
		return;
	first = receipt_stat_word(r->code_text);
	if (first.n == r->code_text.n)
		return;
	r->answer_count =
		scope_look_up(link, r, CTX_REPORT, true, 0, first, r->answers, RECORD_ANSWERS_MAX);
	for (int i = 0; i < r->answer_count; i++)
		r->answers[i].derived = true;
}

/* What the text says and the TLVs deny, and a message_state that is none. */
static void put_conflict(struct record *r, const struct receipt *x)
{
	const char *word = receipt_state_word(x->state);

	if (x->conflict)
		record_flag_extra(r, "conflict");
	if (x->text_id.n > 0)
		record_text_extra(r, "text_id", x->text_id);
	if (x->stat_state >= 0 && x->stat_state != x->state)
		record_text_extra(r, "text_stat", x->stat);
	if (word != NULL && x->stat_state != x->state)
		record_words_extra(r, "message_state", word);
	if (x->odd_state.n > 0)
		record_octets_extra(r, "state_octets", beginning(x->odd_state));
}

void report_put(const struct scope_link *link, struct record *r, const struct receipt *x)
{
	enum { CMPP2_LEN = 60, CMPP3_LEN = 71 };

	r->msgid = x->id;
	r->msgid_binary = x->id_binary;
	r->dst = x->dst;
	put_stat(link, r, x);
	r->err = x->err;
	if (x->err.n > 0)
		r->err_answer_count = scope_look_up(link, r, CTX_RECEIPT_ERR, true, 0, x->err,
			r->err_answers, RECORD_ERR_ANSWERS_MAX);
	put_network_error(link, r, x);
	if (x->submit_date.n > 0)
		record_text_extra(r, "submitted", x->submit_date);
	if (x->done_date.n > 0)
		record_text_extra(r, "done", x->done_date);
	if (x->kind == RECEIPT_INTERIM)
		record_flag_extra(r, "interim");
	else if (r->has_code)
		record_flag_extra(r, "final");
	put_conflict(r, x);
	if (x->id_binary && x->raw.n != CMPP2_LEN && x->raw.n != CMPP3_LEN)
		record_uint_extra(r, "report_len", x->raw.n);
	if (x->undecodable)
		record_flag_extra(r, "undecodable");
}
