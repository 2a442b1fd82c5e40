#include <inttypes.h>
#include <time.h>

#include "core/edit_state.h"
#include "tools/print.h"
#include "tools/rewrite.h"

/* What rules made of a PDU: each change with its rule, then every field that differs. */

enum { ROOM = 8192 };

static void put_text(FILE *to, struct span s)
{
	char room[ROOM];
	struct out o = out_of(room, sizeof(room));

	text_escape(&o, s, false);
	fprintf(to, "\"%.*s\"", (int)out_len(&o), room);
}

static void put_hex(FILE *to, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		fprintf(to, "%02x", s.p[i]);
}

static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

static void put_number(const struct rewrite_show *s, const struct edit_change *c, uint32_t v)
{
	bool status = strcmp(c->field, "command_status") == 0;

	fprintf(s->to, status ? "0x%08" PRIX32 : "%" PRIu32, v);
	if (s->was.proto->status_in_header && strcmp(c->field, "message_state") == 0 &&
	    receipt_state_word((int)v) != NULL)
		fprintf(s->to, " %s", receipt_state_word((int)v));
}

static void put_value(const struct rewrite_show *s, struct span v)
{
	if (is_text(v))
		put_text(s->to, v);
	else
		put_hex(s->to, v);
}

static void show_change(const struct rewrite_show *s, const struct edit_change *c)
{
	fprintf(s->to, "  %s: %s ", rule_name(s->rules, c->rule), c->field);
	if (c->number)
		put_number(s, c, c->was_number);
	else if (c->added)
		fputs("none", s->to);
	else
		put_value(s, c->was);
	fputs(" → ", s->to);
	if (c->number)
		put_number(s, c, c->now_number);
	else
		put_value(s, c->now);
	fputs(c->dry_run ? "  (dry run: not made)\n" : "\n", s->to);
}

/* How a value of the diff is written. */
enum form { FORM_NUMBER, FORM_STATUS, FORM_OTHER };

static void put_form(const struct rewrite_show *s, struct span v, enum form form)
{
	if (form == FORM_OTHER)
		put_value(s, v);
	else
		fprintf(s->to, form == FORM_STATUS ? "0x%08" PRIX64 : "%" PRIu64, span_uint(v));
}

/* One field of both PDUs, if it differs; `was` NULL: it was not there. */
static void show_field(const struct rewrite_show *s, const char *name, const struct span *was,
	struct span now, enum form form)
{
	if (was != NULL && was->n == now.n && memcmp(was->p, now.p, now.n) == 0)
		return;
	fprintf(s->to, "    %-27s  ", name);
	if (was != NULL)
		put_form(s, *was, form);
	else
		fputs("none", s->to);
	fputs(" → ", s->to);
	put_form(s, now, form);
	fputc('\n', s->to);
}

static struct span field_of(const struct pdu *pdu, const struct pdu_field *f)
{
	return span_of(pdu->frame.p + f->at, f->shape == SHAPE_CSTR ? f->text_len : f->len);
}

static void diff_header(const struct rewrite_show *s)
{
	uint32_t at = 0;

	for (const struct slot *h = s->was.proto->header; h->shape != SHAPE_END; h++) {
		struct span was = span_of(s->was.frame.p + at, h->size);

		show_field(s, field_name(s->was.proto, (enum field)h->field), &was,
			span_of(s->now.frame.p + at, h->size),
			h->field == F_COMMAND_STATUS ? FORM_STATUS : FORM_NUMBER);
		at += h->size;
	}
}

static void diff_tlvs(const struct rewrite_show *s)
{
	size_t at = 0, now_at = 0;
	struct tlv was, now;
	char name[64];

	while (tlv_next(&s->now, &now_at, &now) > 0) {
		bool there = tlv_next(&s->was, &at, &was) > 0 && was.tag == now.tag;
		const struct tlv_kind *kind = tlv_kind(now.tag);

		snprintf(name, sizeof(name), "%04x", now.tag);
		if (kind != NULL && kind->form == TLV_TEXT) {
			was.value.n = there ? bytes_nul(was.value.p, was.value.n) : 0;
			now.value.n = bytes_nul(now.value.p, now.value.n);
		}
		show_field(s, kind != NULL ? kind->name : name, there ? &was.value : NULL,
			now.value,
			kind != NULL && kind->form == TLV_NUMBER ? FORM_NUMBER : FORM_OTHER);
	}
}

static void diff(const struct rewrite_show *s)
{
	fputs("  fields:\n", s->to);
	diff_header(s);
	for (int i = 0; i < s->now.field_count; i++) {
		const struct pdu_field *f = &s->now.fields[i];
		struct span was = span_of(s->was.frame.p, 0);

		if (i < s->was.field_count)
			was = field_of(&s->was, &s->was.fields[i]);
		show_field(s, field_name(s->was.proto, (enum field)f->field),
			i < s->was.field_count ? &was : NULL, field_of(&s->now, f),
			f->shape == SHAPE_UINT ? FORM_NUMBER : FORM_OTHER);
	}
	diff_tlvs(s);
}

static const char *side_word(enum side from)
{
	return from == SIDE_SP ? "sp" : "gw";
}

static void put_time(FILE *to, uint64_t time_ns, int digits)
{
	char room[64];
	struct out o = out_of(room, sizeof(room));
	time_t t = (time_t)(time_ns / 1000000000u);
	struct tm local;

	record_time(&o, time_ns, localtime_r(&t, &local) != NULL ? (int)local.tm_gmtoff : 0,
		digits);
	fprintf(to, "%.*s", (int)out_len(&o), room);
}

void rewrite_show_place(FILE *to, const struct rewrite_place *place)
{
	fprintf(to, "packet %" PRIu64 ": ", place->at.packet);
	put_time(to, place->at.time_ns, 3);
	fprintf(to, " %s ", place->way);
}

static void show_matched(const struct rewrite_show *s, uint64_t matched)
{
	bool first = true;

	for (int i = 0; i < rule_set_count(s->rules); i++) {
		if ((matched >> i & 1u) == 0)
			continue;
		fprintf(s->to, "%s%s", first ? ": nothing to change for " : ", ",
			rule_name(s->rules, i));
		first = false;
	}
	fputs(first ? ": no rule matches\n" : "\n", s->to);
}

static void show_refusal(const struct rewrite_show *s, const char *what, enum edit_refusal refused, int rule)
{
	if (refused != EDIT_FINE)
		fprintf(s->to, "  %s: %s%s%s\n", what, edit_refusal_name(refused), rule >= 0 ? ", rule " : "",
			rule_name(s->rules, rule));
}

static void show_text(const struct rewrite_show *s, const struct edit_result *ret)
{
	char room[ROOM];
	struct out o = out_of(room, sizeof(room));

	if (s->place != NULL)
		rewrite_show_place(s->to, s->place);
	else
		fprintf(s->to, "%" PRIu64 ": ", s->number);
	fprintf(s->to, "%s from %s, seq %" PRIu32 ", %zu octets", pdu_name(&s->was),
		side_word(s->from), s->was.sequence, s->was.frame.n);
	if (!edit_tells(ret)) {
		show_matched(s, ret->matched);
		return;
	}
	if (ret->matched != 0 && edit_answers(s->ctx) > 0) {
		answer_text(&o, s->ctx->answers,
			answers_shown(s->ctx->answers, s->ctx->answer_count), LANG_BOTH);
		fprintf(s->to, " %.*s", (int)out_len(&o), room);
	}
	fputc('\n', s->to);
	for (int i = 0; i < ret->change_count; i++)
		show_change(s, &ret->changes[i]);
	show_refusal(s, "refused", ret->refused, ret->refused_rule);
	show_refusal(s, "refused (dry run)", ret->dry_refused, ret->dry_refused_rule);
	if (s->edited)
		diff(s);
	if (!s->hex)
		return;
	fputs("  before ", s->to);
	put_hex(s->to, s->was.frame);
	if (s->edited) {
		fputs("\n  after  ", s->to);
		put_hex(s->to, s->now.frame);
	}
	fputc('\n', s->to);
}

/* JSON */

static void json_value(FILE *to, const char *key, const struct edit_change *c, bool now)
{
	struct span v = now ? c->now : c->was;

	fprintf(to, ",\"%s\":", key);
	if (c->number)
		fprintf(to, "%" PRIu32, now ? c->now_number : c->was_number);
	else if (c->added && !now)
		fputs("null", to);
	else
		json_octets(to, v);
}

static void json_changes(const struct rewrite_show *s, const struct edit_result *ret)
{
	fputs(",\"changes\":[", s->to);
	for (int i = 0; i < ret->change_count; i++) {
		const struct edit_change *c = &ret->changes[i];

		fprintf(s->to, "%s{\"rule\":", i > 0 ? "," : "");
		json_string(s->to, rule_name(s->rules, c->rule));
		json_key(s->to, "action", edit_action_name(rule_action(s->rules, c->rule)));
		json_key(s->to, "field", c->field);
		json_value(s->to, "was", c, false);
		json_value(s->to, "now", c, true);
		fprintf(s->to, ",\"dry_run\":%s}", c->dry_run ? "true" : "false");
	}
	fputc(']', s->to);
}

static void json_place(FILE *to, const struct rewrite_place *place)
{
	fprintf(to, ",\"packet\":%" PRIu64 ",\"ts\":\"", place->at.packet);
	put_time(to, place->at.time_ns, 6);
	fprintf(to, "\",\"session\":%" PRIu64, place->session);
	json_key(to, "way", place->way);
}

static void json_refusal(const struct rewrite_show *s, enum edit_refusal refused, int rule, const char *key,
	const char *rule_key)
{
	json_key(s->to, key, refused != EDIT_FINE ? edit_refusal_name(refused) : NULL);
	json_key(s->to, rule_key, rule >= 0 ? rule_name(s->rules, rule) : NULL);
}

static void show_json(const struct rewrite_show *s, const struct edit_result *ret)
{
	bool first = true;

	fprintf(s->to, "{\"number\":%" PRIu64, s->number);
	if (s->place != NULL)
		json_place(s->to, s->place);
	json_key(s->to, "pdu", pdu_name(&s->was));
	json_key(s->to, "from", side_word(s->from));
	fprintf(s->to, ",\"seq\":%" PRIu32 ",\"matched\":[", s->was.sequence);
	for (int i = 0; i < rule_set_count(s->rules); i++) {
		if ((ret->matched >> i & 1u) == 0)
			continue;
		fputs(first ? "" : ",", s->to);
		json_string(s->to, rule_name(s->rules, i));
		first = false;
	}
	fputc(']', s->to);
	json_changes(s, ret);
	json_refusal(s, ret->refused, ret->refused_rule, "refused", "refused_rule");
	json_refusal(s, ret->dry_refused, ret->dry_refused_rule, "dry_refused", "dry_refused_rule");
	fprintf(s->to, ",\"edited\":%s,\"before\":\"", s->edited ? "true" : "false");
	put_hex(s->to, s->was.frame);
	fputs("\",\"after\":\"", s->to);
	put_hex(s->to, s->now.frame);
	fputs("\"}\n", s->to);
}

void rewrite_show(struct rewrite_show *s, const struct edit_result *ret)
{
	if (s->json)
		show_json(s, ret);
	else
		show_text(s, ret);
}
