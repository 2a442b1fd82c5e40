#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ring.h"
#include "conf/conf.h"
#include "smscope/edit.h"
#include "smscope/scope.h"

/*
 * What the steps from a PDU to its line cost, in nanoseconds an operation: the median of many warm
 * batches, and the fastest tenth of them, which other work on the machine disturbs less. PDUs are
 * those of tests/data/sim; their reports are of no message that is known, which takes the most looking.
 * It measures and never judges.
 */

enum { BATCH = 256, BATCHES = 1500, WARM = 200, RING = 8 << 20, FRAME_MAX = 512,
	STORIES = 1 << 16 };

struct frame {
	uint8_t octets[FRAME_MAX];
	size_t n;
};

/* The operation of one row of the report, and what it works on. */
struct op {
	const char *name;
	int wanted;                           /* 0: no figure was asked for */
	void (*prepare)(const struct op *op); /* before each batch, not timed; may be NULL */
	void (*run)(const struct op *op, int n);
	const struct proto *proto;
	struct frame *frame;
	enum side from;
	enum code_context context;
	const char *text; /* a code as text; NULL: the number */
	int64_t number;
	bool json;
	int rules; /* which set of rules */
	bool edits;
};

static struct frame cmpp_submit, cmpp_resp, cmpp_report, smpp_submit, smpp_resp, smpp_report;
static struct ring *ring;
static struct story_table *stories;
static const struct code_set *codes;
static const struct code_profile *profiles[2];
static struct scope *scopes[2];
static struct scope_work work;
/* Sets of rules: none of ours matches, results are mapped, reports are. */
enum { RULES_NOTHING, RULES_RESULTS, RULES_REPORTS, RULES_WORDS, RULES_SETS };
static struct rule_set *rule_sets[RULES_SETS];
static struct edit_context edit;
static struct frame smpp_busy, cmpp_busy, smpp_failed;
static volatile uint64_t kept; /* what an operation gives, so that it is not left out */

static void run_ring(const struct op *op, int n)
{
	while (n-- > 0) {
		struct ring_entry *e = ring_reserve(ring, (uint32_t)op->frame->n, false, 1);
		const struct ring_entry *out;
		uint32_t size;

		if (e == NULL)
			abort();
		size = e->size;
		*e = (struct ring_entry){ .size = size,
			.kind = RING_FRAME,
			.len = (uint32_t)op->frame->n,
			.wire_len = (uint32_t)op->frame->n,
			.session = 17,
			.mono_ns = 1,
			.wall_ns = 2 };
		memcpy(ring_octets(e), op->frame->octets, op->frame->n);
		ring_publish(ring, e);
		out = ring_next(ring);
		kept += out->len;
		ring_consume(ring, out);
	}
}

static void run_parse(const struct op *op, int n)
{
	static struct pdu pdu;

	while (n-- > 0) {
		if (pdu_parse(&pdu, op->proto, op->proto->dialect_default,
			    span_of(op->frame->octets, op->frame->n)) != SM_OK)
			abort();
		kept += pdu.field_count;
	}
}

static void run_receipt(const struct op *op, int n)
{
	static struct pdu pdu;
	static struct receipt receipt;

	if (pdu_parse(&pdu, op->proto, op->proto->dialect_default,
		    span_of(op->frame->octets, op->frame->n)) != SM_OK)
		abort();
	while (n-- > 0)
		kept += (uint64_t)receipt_read(&pdu, &receipt);
}

static void run_lookup(const struct op *op, int n)
{
	static struct code_answer answers[RECORD_ANSWERS_MAX];
	struct code_query q = { .profiles = profiles,
		.context = op->context,
		.side = op->proto->status_in_header ? CODE_SMPP : CODE_CMPP,
		.dialect = op->proto->dialect_default,
		.is_text = op->text != NULL,
		.number = op->number };

	if (op->text != NULL)
		q.text = span_of(op->text, strlen(op->text));
	while (n-- > 0)
		kept += (uint64_t)codes_lookup(codes, &q, answers, RECORD_ANSWERS_MAX);
}

static void feed(const struct op *op, struct frame *frame, enum side from, uint32_t sequence)
{
	struct scope_frame f = { .octets = span_of(frame->octets, frame->n),
		.from = from,
		.mono_us = sequence * 10u,
		.wall_ns = 1795259820123456789u };

	bytes_put_u32(frame->octets + op->proto->header_len - 4, sequence);
	kept += (uint64_t)scope_pdu(scopes[op->proto->status_in_header], &f, &work);
}

/* The requests that the batch's responses answer. */
static void prepare_requests(const struct op *op)
{
	for (uint32_t i = 0; i < BATCH; i++)
		feed(op, op->proto == &proto_cmpp ? &cmpp_submit : &smpp_submit, SIDE_SP, i);
}

static void run_decode(const struct op *op, int n)
{
	for (int i = 0; i < n; i++)
		feed(op, op->frame, op->from, (uint32_t)i);
}

/* The record that the batch's lines are of. */
static void prepare_record(const struct op *op)
{
	if (op->from == SIDE_GW && op->frame != &cmpp_report && op->frame != &smpp_report)
		feed(op, op->proto == &proto_cmpp ? &cmpp_submit : &smpp_submit, SIDE_SP, 0);
	feed(op, op->frame, op->from, 0);
	if (work.count != 1)
		abort();
	work.records[0].id = 123456;
}

static void run_line(const struct op *op, int n)
{
	static char line[RECORD_LINE_MAX];
	const struct record_style style = {
		.lang = LANG_BOTH, .mask = MASK_PART, .utc_offset_s = 8 * 3600
	};

	while (n-- > 0)
		kept += op->json ? record_line_json(&work.records[0], &style, line, sizeof(line))
				 : record_line_text(&work.records[0], &style, line, sizeof(line));
}

static void run_edit(const struct op *op, int n)
{
	static uint8_t out[4096];
	static struct edit_result result;

	if (edit.proto != op->proto) {
		edit_context_init(&edit);
		edit.codes = codes;
		edit.profiles = profiles;
		edit.proto = op->proto;
		edit.dialect = op->proto->dialect_default;
	}
	memset(edit.memo, 0, sizeof(edit.memo));
	while (n-- > 0) {
		int len = edit_pdu(rule_sets[op->rules], &edit, op->from,
			span_of(op->frame->octets, op->frame->n), out, sizeof(out), &result);

		if ((len > 0) != op->edits)
			abort();
		kept += (uint64_t)len + result.matched;
	}
}

#define CMPP .proto = &proto_cmpp
#define SMPP .proto = &proto_smpp
#define RING_OF(x) .wanted = 50, .run = run_ring, .frame = (x)
#define PARSE_OF(x) .run = run_parse, .frame = (x)
#define RECEIPT_OF(x) .run = run_receipt, .frame = (x)
#define NUMBER_OF(c, v) .run = run_lookup, .context = (c), .number = (v)
#define TEXT_OF(c, v) .run = run_lookup, .context = (c), .text = (v)
#define ANSWER_OF(x)                                                                               \
	.wanted = 300, .prepare = prepare_requests, .run = run_decode, .frame = (x), .from = SIDE_GW
#define DECODE_OF(x, side) .run = run_decode, .frame = (x), .from = (side)
#define EDIT_OF(x, side, set)                                                                      \
	.run = run_edit, .frame = (x), .from = (side), .rules = (set)
#define EDITED(x, side, set) EDIT_OF(x, side, set), .edits = true, .wanted = 1000
#define LINE_OF(x, side)                                                                           \
	.wanted = 1000, .prepare = prepare_record, .run = run_line, .frame = (x), .from = (side)

static const struct op ops[] = {
	{ "ring: a response in and out", CMPP, RING_OF(&cmpp_resp) },
	{ "ring: a report in and out", CMPP, RING_OF(&cmpp_report) },
	{ "parse: CMPP submit", CMPP, PARSE_OF(&cmpp_submit) },
	{ "parse: CMPP submit_resp", CMPP, PARSE_OF(&cmpp_resp) },
	{ "parse: CMPP report", CMPP, PARSE_OF(&cmpp_report) },
	{ "parse: SMPP submit_sm", SMPP, PARSE_OF(&smpp_submit) },
	{ "parse: SMPP submit_sm_resp", SMPP, PARSE_OF(&smpp_resp) },
	{ "parse: SMPP report", SMPP, PARSE_OF(&smpp_report) },
	{ "receipt: CMPP", CMPP, RECEIPT_OF(&cmpp_report) },
	{ "receipt: SMPP", SMPP, RECEIPT_OF(&smpp_report) },
	{ "lookup: CMPP result 0", CMPP, NUMBER_OF(CTX_SUBMIT_RESP, 0) },
	{ "lookup: CMPP result 9, ambiguous", CMPP, NUMBER_OF(CTX_SUBMIT_RESP, 9) },
	{ "lookup: CMPP composite 40072", CMPP, NUMBER_OF(CTX_SUBMIT_RESP, 40072) },
	{ "lookup: SMPP status 0x58", SMPP, NUMBER_OF(CTX_SUBMIT_RESP, 0x58) },
	{ "lookup: unknown number", SMPP, NUMBER_OF(CTX_SUBMIT_RESP, 0x7ffffff) },
	{ "lookup: DELIVRD", CMPP, TEXT_OF(CTX_REPORT, "DELIVRD") },
	{ "lookup: MB:0064", CMPP, TEXT_OF(CTX_REPORT, "MB:0064") },
	{ "lookup: err 000", SMPP, TEXT_OF(CTX_RECEIPT_ERR, "000") },
	{ "lookup: unknown text", SMPP, TEXT_OF(CTX_REPORT, "NOSUCH") },
	{ "decode: CMPP submit", CMPP, DECODE_OF(&cmpp_submit, SIDE_SP) },
	{ "decode: CMPP submit_resp", CMPP, ANSWER_OF(&cmpp_resp) },
	{ "decode: CMPP report", CMPP, DECODE_OF(&cmpp_report, SIDE_GW), .wanted = 300 },
	{ "decode: SMPP submit_sm", SMPP, DECODE_OF(&smpp_submit, SIDE_SP) },
	{ "decode: SMPP submit_sm_resp", SMPP, ANSWER_OF(&smpp_resp) },
	{ "decode: SMPP report", SMPP, DECODE_OF(&smpp_report, SIDE_GW), .wanted = 300 },
	{ "edit: nothing for it, SMPP submit_sm", SMPP, EDIT_OF(&smpp_submit, SIDE_SP, RULES_NOTHING) },
	{ "edit: nothing for it, SMPP resp", SMPP, EDIT_OF(&smpp_resp, SIDE_GW, RULES_NOTHING) },
	{ "edit: nothing for it, CMPP resp", CMPP, EDIT_OF(&cmpp_resp, SIDE_GW, RULES_NOTHING) },
	{ "edit: nothing for it, SMPP report", SMPP, EDIT_OF(&smpp_report, SIDE_GW, RULES_NOTHING) },
	{ "edit: nothing for it, CMPP report", CMPP, EDIT_OF(&cmpp_report, SIDE_GW, RULES_NOTHING) },
	{ "edit: SMPP status", SMPP, EDITED(&smpp_busy, SIDE_GW, RULES_RESULTS) },
	{ "edit: SMPP status and words", SMPP, EDITED(&smpp_busy, SIDE_GW, RULES_WORDS) },
	{ "edit: CMPP result", CMPP, EDITED(&cmpp_busy, SIDE_GW, RULES_RESULTS) },
	{ "edit: CMPP stat", CMPP, EDITED(&cmpp_report, SIDE_GW, RULES_REPORTS) },
	{ "edit: SMPP stat, err, TLV", SMPP, EDITED(&smpp_failed, SIDE_GW, RULES_REPORTS) },
	{ "text line: CMPP submit", CMPP, LINE_OF(&cmpp_submit, SIDE_SP) },
	{ "text line: CMPP submit_resp", CMPP, LINE_OF(&cmpp_resp, SIDE_GW) },
	{ "text line: CMPP report", CMPP, LINE_OF(&cmpp_report, SIDE_GW) },
	{ "text line: SMPP report", SMPP, LINE_OF(&smpp_report, SIDE_GW) },
	{ "JSON line: CMPP submit", CMPP, LINE_OF(&cmpp_submit, SIDE_SP), .json = true },
	{ "JSON line: CMPP submit_resp", CMPP, LINE_OF(&cmpp_resp, SIDE_GW), .json = true },
	{ "JSON line: CMPP report", CMPP, LINE_OF(&cmpp_report, SIDE_GW), .json = true },
	{ "JSON line: SMPP report", SMPP, LINE_OF(&smpp_report, SIDE_GW), .json = true },
};

/* Hexadecimal digits of a file, lines of comment left out. */
static void load_frame(struct frame *f, const char *name)
{
	char path[512], line[512];
	FILE *from;

	snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/sim/%s.hex", name);
	from = fopen(path, "r");
	if (from == NULL) {
		fprintf(stderr, "micro: cannot read %s\n", path);
		exit(1);
	}
	while (fgets(line, sizeof(line), from) != NULL) {
		unsigned octet;

		for (char *p = line; *p != '#' && sscanf(p, "%2x", &octet) == 1 && f->n < FRAME_MAX;
			p += 2)
			f->octets[f->n++] = (uint8_t)octet;
	}
	fclose(from);
}

static void rule_fault(void *arg, int rule, const char *key, const char *what)
{
	(void)arg;
	fprintf(stderr, "micro: rule %d, %s: %s\n", rule, key, what);
	exit(1);
}

static void make_rules(int set, const struct rule_def *defs, int count)
{
	rule_sets[set] = rule_set_new(defs, count, rule_fault, NULL);
	if (rule_sets[set] == NULL)
		exit(1);
}

static void prepare_edits(void)
{
	const struct rule_def nothing[] = {
		{ .name = "a", .action = EDIT_MAP_STATUS, .to = "8", .classes = 1u << CLASS_BILLING },
		{ .name = "b", .action = EDIT_MAP_STAT, .to = "EXPIRED", .classes = 1u << CLASS_EXPIRED },
		{ .name = "c", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV,
		  .classes = 1u << CLASS_BILLING, .lang = LANG_EN },
	};
	const struct rule_def results[] = {
		{ .name = "a", .action = EDIT_MAP_STATUS, .map = codes_map(codes, "infox-to-smpp34") },
		{ .name = "b", .action = EDIT_MAP_STATUS, .map = codes_map(codes, "infox-to-cmpp") },
		{ .name = "c", .action = EDIT_ANNOTATE, .annotate = ANNOTATE_TLV, .lang = LANG_EN },
	};
	const struct rule_def reports[] = {
		{ .name = "a", .action = EDIT_MAP_STAT, .to = "EXPIRED", .keep_err = true,
		  .classes = UINT32_MAX },
	};

	make_rules(RULES_NOTHING, nothing, 3);
	make_rules(RULES_RESULTS, results, 2);
	make_rules(RULES_WORDS, results, 3);
	make_rules(RULES_REPORTS, reports, 1);
	smpp_busy = (struct frame){ .octets = { 0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 57, 0, 0, 0, 7 },
		.n = 16 };
	cmpp_busy = cmpp_resp;
	cmpp_busy.octets[cmpp_busy.n - 1] = 65;
	smpp_failed = smpp_report;
}

static void prepare(void)
{
	static struct scope_link links[2];
	struct conf_faults faults = { .to = stderr };

	load_frame(&cmpp_submit, "cmpp-submit-20");
	load_frame(&cmpp_resp, "cmpp-submit_resp-20");
	load_frame(&cmpp_report, "cmpp-deliver-20-report-mk");
	load_frame(&smpp_submit, "smpp-submit_sm-1");
	load_frame(&smpp_resp, "smpp-submit_sm_resp-1");
	load_frame(&smpp_report, "smpp-deliver_sm-receipt-1");
	ring = ring_init(aligned_alloc(64, ring_bytes(RING)), RING);
	codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	if (ring == NULL || codes == NULL)
		exit(1);
	profiles[0] = codes_profile(codes, "infox");
	prepare_edits();
	stories = aligned_alloc(64, (story_bytes(STORIES) + 63) & ~(size_t)63);
	if (stories == NULL)
		exit(1);
	memset(stories, 0, story_bytes(STORIES));
	stories = story_init(stories, story_bytes(STORIES), STORIES, 1);
	for (int i = 0; i < 2; i++) {
		links[i] = (struct scope_link){ .name = "bench",
			.proto = i == 0 ? &proto_cmpp : &proto_smpp,
			.codes = codes,
			.profiles = profiles,
			.pending = BATCH,
			.stories = stories,
			.account = 1,
			.key = 1 };
		scopes[i] = scope_new(&links[i], 17, "192.0.2.1:40000");
	}
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(const struct op *op)
{
	static uint64_t ns[BATCHES];
	double median, fast;

	for (int i = -WARM; i < BATCHES; i++) {
		uint64_t start;

		if (op->prepare != NULL)
			op->prepare(op);
		start = clock_mono_ns();
		op->run(op, BATCH);
		if (i >= 0)
			ns[i] = clock_mono_ns() - start;
	}
	qsort(ns, BATCHES, sizeof(*ns), ascending);
	median = (double)ns[BATCHES / 2] / BATCH;
	fast = (double)ns[BATCHES / 10] / BATCH;
	printf("%-36s %8.1f %8.1f", op->name, median, fast);
	if (op->wanted > 0)
		printf(" %8d%s", op->wanted, median > op->wanted ? "  over" : "");
	putchar('\n');
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : "";

	prepare();
	printf("%-36s %8s %8s %8s\n", "ns an operation", "median", "10%", "wanted");
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (strstr(ops[i].name, only) != NULL)
			measure(&ops[i]);
	}
	return 0;
}
