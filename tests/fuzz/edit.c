#include <stdlib.h>

#include "check.h"
#include "conf/conf.h"
#include "core/receipt_text.h"
#include "smscope/edit.h"

/*
 * Rules on a PDU: what comes out differs from what went in exactly where the result says so.
 *
 *     1 link | 1 rules | n × 8 octets of a rule | the PDU
 *
 * link: bits 0..2 protocol and dialect, 3 side, 4 profile, 5 an account is known, 6 the caller knows a
 * destination. The PDU's first four octets do not count: they are written here. What is compared is
 * read with the parsers, and without a look at the edit's own check.
 */

enum { RULES = 4, RULE_LEN = 8, OUT_MAX = 70000, MAPS = 5 };

static const struct {
	const struct proto *proto;
	uint8_t dialect;
} links[8] = {
	{ &proto_smpp, 0x34 }, { &proto_smpp, 0x33 }, { &proto_smpp, 0x50 }, { &proto_cmpp, 0x20 },
	{ &proto_cmpp, 0x30 }, { &proto_cmpp, 0x21 }, { &proto_smpp, 0x34 }, { &proto_cmpp, 0x20 },
};

static struct code_set *codes;
static const struct code_profile *profiles[2];
static struct edit_context ctx;
static struct edit_result first, again;
static struct receipt old_receipt, new_receipt;
static struct pdu was, now;

static void fault(void *arg, int rule, const char *key, const char *what)
{
	(void)arg;
	(void)rule;
	CHECK(what != NULL && (key == NULL || *key != '\0'));
}

/* Words of three octets, or of four. */
static const struct code_map *err_map(int width)
{
	static const struct code_map_row rows[2][3] = {
		{ { .lo = 1, .text = "MB:", .prefix = true, .word = "064" },
		  { .lo = 1, .classes = 1u << CLASS_UNDELIVERABLE, .word = "005" },
		  { .lo = 1, .is_default = true, .word = "9:9" } },
		{ { .lo = 1, .text = "MB:", .prefix = true, .word = "0064" },
		  { .lo = 1, .classes = 1u << CLASS_UNDELIVERABLE, .word = "0005" },
		  { .lo = 1, .is_default = true, .word = "9:99" } },
	};
	static const struct code_map maps[2] = {
		{ .name = "err", .kind = MAP_ERR, .sides = CODE_ANY, .row_count = 3, .rows = rows[0] },
		{ .name = "err", .kind = MAP_ERR, .sides = CODE_ANY, .row_count = 3, .rows = rows[1] },
	};

	return &maps[width - 3];
}

static void read_rule(const uint8_t *p, struct rule_def *d)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	static const char *const stats[] = { "UNDELIV", "DELIVRD", "REJECTD", "EXPIRED" };
	static const char *const statuses[] = { "0", "88", "0x45", "70000" };
	static const char *const list[] = { "MB:*", "0-60", "UNDELIV", "57" };
	static const char *const dst[] = { "86", "13" };
	static int count;

	*d = (struct rule_def){ .name = names[count++ % 4], .action = p[0] % EDIT_ACTIONS };
	d->dry_run = (p[1] & 1) != 0;
	d->stop = (p[1] & 2) != 0 || d->action == EDIT_NONE;
	d->log = (p[1] & 4) != 0;
	d->keep_err = (p[1] & 8) != 0;
	d->to_payload = (p[1] & 16) != 0;
	d->strip_zeros = (p[1] & 32) != 0;
	d->from = p[1] >> 6 & 3;
	d->classes = p[2] % 4 == 0 ? (uint32_t)p[3] << 8 | p[2] : 0;
	d->origins = p[3] % 16 == 1 ? p[4] : 0;
	d->codes = list + p[4] % 4;
	d->code_count = p[4] % 8 == 1 ? 1 : 0;
	d->dst = dst + p[5] % 2;
	d->dst_count = p[5] % 8 == 2 ? 1 : 0;
	d->base = (enum edit_base)(p[6] % 3);
	d->letters = (enum edit_case)(p[6] / 3 % 3);
	d->id_width = p[6] / 9;
	d->err_width = 3 + p[5] % 2;
	d->annotate = 1 + p[7] % 3;
	d->lang = p[7] % 2 != 0 ? LANG_ZH : LANG_EN;
	if (d->action == EDIT_MESSAGE_ID && p[7] % 3 == 1)
		d->pdus = 1u << CTX_SUBMIT_RESP | 1u << CTX_REPORT;
	if (d->action == EDIT_MAP_STAT && p[7] % 3 == 1)
		d->to = stats[p[6] % 4];
	else if (d->action == EDIT_MAP_STAT)
		d->map = codes_map(codes, "states");
	if (d->action == EDIT_ERR_WIDTH && p[7] % 2 == 1)
		d->map = err_map(d->err_width);
	if (d->action == EDIT_MAP_STATUS && p[7] % 3 == 1) {
		d->to = statuses[p[6] % 4];
		d->pdus = 1u << CTX_SUBMIT_RESP | 1u << CTX_LOGIN | 1u << CTX_NACK;
	} else if (d->action == EDIT_MAP_STATUS) {
		d->map = codes_map_at(codes, p[6] % codes_map_count(codes));
	}
	if (d->to != NULL && d->classes == 0 && d->code_count == 0)
		d->classes = (1u << CLASS_COUNT) - 1;
}

static bool same(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* The change that is made of that field; NULL: none. */
static const struct edit_change *change_of(const char *field)
{
	const struct edit_change *found = NULL;

	for (int i = 0; i < first.change_count; i++) {
		const struct edit_change *c = &first.changes[i];

		if (c->dry_run || strcmp(c->field, field) != 0)
			continue;
		CHECK(found == NULL); /* one change a field */
		found = c;
	}
	return found;
}

static bool labels_change(void)
{
	return change_of("id") != NULL || change_of("stat") != NULL || change_of("err") != NULL ||
	       change_of("text") != NULL;
}

static void check_header(void)
{
	const struct edit_change *c = change_of("command_status");

	CHECK(now.command == was.command && now.sequence == was.sequence);
	CHECK(now.length == now.frame.n && now.layout == was.layout);
	CHECK(now.status == (c != NULL ? c->now_number : was.status));
	CHECK(c == NULL || c->was_number == was.status);
}

/* A field of the body: a text by what it says, everything else octet for octet. */
static void check_field(const struct pdu_field *a, const struct pdu_field *b)
{
	enum field id = (enum field)a->field;
	const struct edit_change *c = change_of(field_name(was.proto, id));
	struct span x = span_of(was.frame.p + a->at, a->len);
	struct span y = span_of(now.frame.p + b->at, b->len);

	CHECK(a->field == b->field && a->shape == b->shape);
	if (id == F_SHORT_MESSAGE || id == F_SM_LENGTH)
		return;
	if (a->shape == SHAPE_CSTR) {
		x.n = a->text_len;
		y.n = b->text_len;
	}
	if (c != NULL && c->number)
		CHECK(x.n == y.n && span_uint(x) == c->was_number && span_uint(y) == c->now_number);
	else if (c != NULL)
		CHECK(same(x, c->was) && same(y, c->now));
	else
		CHECK(same(x, y));
}

static struct span without_nul(struct span s)
{
	while (s.n > 0 && s.p[s.n - 1] == 0)
		s.n--;
	return s;
}

static void check_tlv(const struct tlv *a, const struct tlv *b, bool nth)
{
	const char *name = tlv_name(a->tag);
	const struct edit_change *c = name != NULL && !nth ? change_of(name) : NULL;

	CHECK(a->tag == b->tag);
	if (a->tag == 0x0424 && labels_change())
		return;
	if (c == NULL || c->added)
		CHECK(same(a->value, b->value));
	else if (c->number)
		CHECK(a->value.n == b->value.n && span_uint(b->value) == c->now_number);
	else
		CHECK(same(without_nul(b->value), without_nul(c->now)) || same(b->value, c->now));
}

static void check_tlvs(bool moved)
{
	size_t at = 0, now_at = 0;
	struct tlv a, b;
	int added = 0;
	uint16_t seen[64];
	int seen_count = 0;

	while (tlv_next(&was, &at, &a) > 0) {
		bool nth = false;

		for (int i = 0; i < seen_count; i++)
			nth = nth || seen[i] == a.tag;
		if (seen_count < 64 && (a.value.n > 0 || a.tag == 0x001d))
			seen[seen_count++] = a.tag;
		CHECK(tlv_next(&now, &now_at, &b) > 0);
		check_tlv(&a, &b, nth || (a.value.n == 0 && a.tag != 0x001d));
	}
	while (tlv_next(&now, &now_at, &b) > 0) {
		const struct edit_change *c = change_of("additional_status_info_text");

		added++;
		if (b.tag == 0x0424)
			CHECK(moved);
		else
			CHECK(b.tag == 0x001d && c != NULL && c->added &&
				same(without_nul(b.value), c->now) && b.value.n <= 256);
	}
	CHECK(added <= 2 && (added == 0 || was.dialect >= 0x34));
}

/* What a label says now: as the change has it, or as before. */
static void check_label(const char *name, struct span before, struct span after)
{
	const struct edit_change *c = change_of(name);

	if (c != NULL)
		CHECK(same(before, c->was) && same(after, c->now));
	else
		CHECK(same(before, after));
}

static struct span word_of(struct span s)
{
	return receipt_first_word(s);
}

static void check_receipt(void)
{
	struct labels a, b;

	(void)labels_read(old_receipt.raw, &old_receipt, &a);
	(void)labels_read(new_receipt.raw, &new_receipt, &b);
	CHECK(a.count == b.count);
	check_label("id", word_of(a.value[L_ID]), word_of(b.value[L_ID]));
	check_label("err", word_of(a.value[L_ERR]), word_of(b.value[L_ERR]));
	check_label("stat", a.value[L_STAT], b.value[L_STAT]);
	check_label("text", a.value[L_TEXT], b.value[L_TEXT]);
	for (enum label l = L_SUB; l <= L_DONE; l++)
		CHECK(same(a.value[l], b.value[l]) && a.seen[l] == b.seen[l]);
}

static void check_message(bool moved)
{
	struct span a = pdu_octets(&was, F_SHORT_MESSAGE), b = pdu_octets(&now, F_SHORT_MESSAGE);
	const struct edit_change *stat = change_of("Stat");

	if (stat != NULL) {
		CHECK(a.n == b.n && a.n >= 35 && memcmp(a.p, b.p, 8) == 0);
		CHECK(memcmp(a.p + 15, b.p + 15, a.n - 15) == 0);
		CHECK(stat->now.n <= 7 && memcmp(b.p + 8, stat->now.p, stat->now.n) == 0);
		for (size_t i = stat->now.n; i < 7; i++)
			CHECK(b.p[8 + i] == 0);
	} else if (!labels_change()) {
		CHECK(same(a, b) && !moved);
	} else {
		CHECK(!moved || b.n == 0);
		CHECK(b.n <= 254 || b.n <= a.n);
		CHECK(receipt_read(&was, &old_receipt) != RECEIPT_NONE);
		CHECK(receipt_read(&now, &new_receipt) != RECEIPT_NONE);
		check_receipt();
	}
}

static void check_edited(struct span frame, struct span out, uint8_t dialect)
{
	struct span payload, sm;
	bool moved;

	CHECK(pdu_parse(&was, ctx.proto, dialect, frame) == SM_OK);
	CHECK(pdu_parse(&now, ctx.proto, was.dialect, out) == SM_OK);
	sm = pdu_octets(&was, F_SHORT_MESSAGE);
	moved = sm.n > 0 && pdu_octets(&now, F_SHORT_MESSAGE).n == 0 &&
		pdu_tlv(&now, 0x0424, &payload);
	check_header();
	CHECK(now.field_count >= was.field_count);
	for (int i = 0; i < was.field_count; i++)
		check_field(&was.fields[i], &now.fields[i]);
	for (int i = was.field_count; i < now.field_count; i++)
		CHECK(now.fields[i].text_len == 0 && change_of("additional_status_info_text") != NULL);
	check_tlvs(moved);
	check_message(moved);
	CHECK(out.n <= ctx.max_pdu);
}

static void check_result(const struct edit_result *r, int n, int rules)
{
	int made = 0;

	CHECK(r->change_count <= EDIT_CHANGES_MAX);
	for (int i = 0; i < r->change_count; i++) {
		const struct edit_change *c = &r->changes[i];

		CHECK(c->rule >= 0 && c->rule < rules && *c->field != '\0');
		CHECK((r->matched >> c->rule & 1u) != 0);
		CHECK(c->number ? c->was_number != c->now_number : c->added || !same(c->was, c->now));
		made += !c->dry_run;
	}
	CHECK((n > 0) == (made > 0));
	CHECK((r->logged & ~r->matched) == 0 && r->matched >> rules == 0);
	CHECK((unsigned)r->refused < EDIT_REFUSALS && r->refused_rule < rules);
}

static void prepare(uint8_t link)
{
	struct conf_faults faults = { .to = stderr };

	if (codes == NULL)
		codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	CHECK(codes != NULL);
	edit_context_init(&ctx);
	ctx.codes = codes;
	ctx.profiles = profiles;
	ctx.proto = links[link & 7].proto;
	ctx.dialect = links[link & 7].dialect;
	ctx.max_pdu = 65536;
	profiles[0] = codes_profile(codes, (link & 16) != 0 ? "aliyun" : "infox");
	if ((link & 32) != 0)
		ctx.account = span_of("acme", 4);
	if ((link & 64) != 0)
		ctx.dst = span_of("8613", 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { data, size };
	uint8_t link = check_octet(&rest), *frame, *out;
	int count = check_octet(&rest) % (RULES + 1), n, m;
	struct rule_def defs[RULES];
	struct rule_set *rules;
	enum side from = (link & 8) != 0 ? SIDE_SP : SIDE_GW;

	prepare(link);
	for (int i = 0; i < count; i++) {
		uint8_t octets[RULE_LEN] = { 0 };
		struct span s = check_take(&rest, RULE_LEN);

		memcpy(octets, s.p, s.n);
		read_rule(octets, &defs[i]);
	}
	rules = rule_set_new(defs, count, fault, NULL);
	frame = check_copy(rest.p, rest.n);
	if (rest.n >= 4)
		bytes_put_u32(frame, (uint32_t)rest.n);
	if (rules == NULL) {
		free(frame);
		return 0;
	}
	out = malloc(OUT_MAX);
	CHECK(out != NULL);
	n = edit_pdu(rules, &ctx, from, span_of(frame, rest.n), out, OUT_MAX, &first);
	CHECK(n >= 0 && n <= OUT_MAX);
	CHECK(count > 0 || (n == 0 && first.refused == EDIT_FINE && first.matched == 0));
	check_result(&first, n, count);
	if (n > 0)
		check_edited(span_of(frame, rest.n), span_of(out, (size_t)n), links[link & 7].dialect);
	/* Again with what was remembered, in a room that is just large enough, then one octet less. */
	for (int less = 0; n > 0 && less < 2; less++) {
		uint8_t *tight = malloc((size_t)n);

		CHECK(tight != NULL);
		m = edit_pdu(rules, &ctx, from, span_of(frame, rest.n), tight, (size_t)(n - less), &again);
		CHECK(less == 0 ? m == n && memcmp(tight, out, (size_t)n) == 0 : m == 0);
		free(tight);
	}
	if (n == 0) {
		m = edit_pdu(rules, &ctx, from, span_of(frame, rest.n), out, OUT_MAX, &again);
		CHECK(m == 0 && again.refused == first.refused && again.matched == first.matched);
	}
	free(out);
	free(frame);
	rule_set_free(rules);
	return 0;
}
