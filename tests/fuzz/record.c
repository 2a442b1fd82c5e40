#include <jansson.h>
#include <stdlib.h>

#include "check.h"
#include "conf/conf.h"
#include "smscope/scope.h"

/*
 * A session from its PDUs to its lines: a scope, the shipped code tables, both formats of the log.
 *
 *     1 options | 1 profile | n × ( 1 how | 2 octets that follow | PDU )
 *
 * options: bits 0..1 protocol (0, 3: told by the first PDU), 2 message text, 3 colour, 4..5 language,
 * 6..7 mask.
 * how: bit 0 from the gateway, 1 cut, 2 smscope's own, 3 not parsed, 4 a report may wait, 7 the PDU's length field stays
 * as it is; else it is given the PDU's length.
 */

enum { FROM_GW = 1, CUT = 2, OURS = 4, SUSPECT = 8, MAY_WAIT = 16, LENGTH_STAYS = 0x80 };
enum { PENDING = 4, CAP_LEAST = 64, STORIES = 16 };

struct play {
	struct scope *scope;
	struct scope_link link;
	struct record_style style;
	const struct code_profile *profiles[2];
	struct scope_work work;
	uint64_t us;
	uint64_t pdus[2];
	uint32_t unanswered;
};

static const struct code_set *codes(void)
{
	static struct code_set *set;

	if (set == NULL) {
		struct conf_faults faults = { .to = stderr };

		set = codes_load(SOURCE_DIR "/codes", NULL, &faults);
		CHECK(set != NULL);
	}
	return set;
}

static void begin(struct play *p, uint8_t options, uint8_t profile)
{
	static char *stories;
	static const struct proto *const protocols[] = { NULL, &proto_cmpp, &proto_smpp, NULL };

	memset(p, 0, sizeof(*p));
	if (stories == NULL)
		stories = aligned_alloc(64, (story_bytes(STORIES) + 63) & ~(size_t)63);
	CHECK(stories != NULL);
	memset(stories, 0, story_bytes(STORIES));
	p->profiles[0] = codes_profile_at(codes(), profile % codes_profile_count(codes()));
	p->link = (struct scope_link){ .name = "link",
		.proto = protocols[options & 3],
		.codes = codes(),
		.profiles = p->profiles,
		.pending = PENDING,
		.stories = story_init(stories, story_bytes(STORIES), STORIES, 1),
		.account = 1,
		.key = 1,
		.answer_us = 5000,
		.probe_us = 3000,
		.late_us = 4000,
		.unanswered = &p->unanswered,
		.show_text = (options & 4) != 0 };
	p->style = (struct record_style){ .lang = (enum record_lang)((options >> 4 & 3) % 3),
		.mask = (enum mask)((options >> 6) % 3),
		.show_text = (options & 4) != 0,
		.color = (options & 8) != 0,
		.utc_offset_s = 8 * 3600 };
	p->scope = scope_new(&p->link, 17, "192.0.2.1:40000");
	CHECK(p->scope != NULL);
}

/* Take the colours out of a line; nothing else may begin with an escape. */
static size_t without_color(char *p, size_t n)
{
	size_t to = 0;

	for (size_t at = 0; at < n; at++) {
		if (p[at] != '\x1b') {
			p[to++] = p[at];
			continue;
		}
		CHECK(n - at > 3 && p[at + 1] == '[');
		for (at += 2; at < n && p[at] != 'm'; at++)
			CHECK(p[at] >= '0' && p[at] <= '9');
	}
	return to;
}

static size_t times(const char *p, size_t n, const char *what)
{
	const char *end = p + n;
	size_t count = 0;

	for (; (p = memmem(p, (size_t)(end - p), what, strlen(what))) != NULL; p++)
		count++;
	return count;
}

/* One line, and nothing in it that could pass for another. */
static void check_text(const struct record *r, const struct record_style *style, size_t cap)
{
	char *line = malloc(cap);
	size_t n = record_line_text(r, style, line, cap);

	CHECK(n > 0 && n <= cap && line[n - 1] == '\n');
	if (style->color)
		n = without_color(line, n);
	check_shown(line, n - 1);
	if (!style->show_text) /* in the message's quotes they may stand alone */
		CHECK(times(line, n, "«") == times(line, n, "»"));
	free(line);
}

static void check_json(const struct record *r, const struct record_style *style, size_t cap)
{
	char *line = malloc(cap);
	size_t n = record_line_json(r, style, line, cap);
	json_error_t error;
	json_t *j;

	CHECK(n > 0 && n <= cap && line[n - 1] == '\n');
	check_shown(line, n - 1);
	j = json_loadb(line, n - 1, JSON_REJECT_DUPLICATES, &error);
	CHECK(j != NULL && json_is_object(j));
	if (cap == RECORD_LINE_MAX) {
		CHECK(strcmp(json_string_value(json_object_get(j, "ev")),
			      record_kind_name(r->kind)) == 0);
		CHECK(json_is_string(json_object_get(j, "ts")));
	}
	json_decref(j);
	free(line);
}

static void check_record(const struct play *p, const struct record *r, size_t cap)
{
	CHECK((unsigned)r->kind < REC_COUNT && r->extra_count <= RECORD_EXTRAS_MAX);
	CHECK(r->answer_count >= 0 && r->answer_count <= RECORD_ANSWERS_MAX);
	CHECK(r->err_answer_count >= 0 && r->err_answer_count <= RECORD_ERR_ANSWERS_MAX);
	check_text(r, &p->style, RECORD_LINE_MAX);
	check_json(r, &p->style, RECORD_LINE_MAX);
	check_text(r, &p->style, cap);
	check_json(r, &p->style, cap);
}

static void check_summary(const struct play *p)
{
	struct scope_summary sum;

	scope_summary(p->scope, &sum);
	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		CHECK(sum.pdus[side] == p->pdus[side] && sum.unanswered[side] <= PENDING);
		CHECK(sum.last_us[side] <= p->us && sum.oldest_us[side] <= p->us);
		CHECK(sum.unanswered[side] == 0 || sum.pdus[side] > 0);
	}
}

static void play_frame(struct play *p, uint8_t how, struct span octets)
{
	uint8_t *copy = check_copy(octets.p, octets.n);
	struct scope_frame f = { .octets = span_of(copy, octets.n),
		.from = (how & FROM_GW) != 0 ? SIDE_GW : SIDE_SP,
		.cut = (how & CUT) != 0,
		.ours = (how & OURS) != 0,
		.may_wait = (how & MAY_WAIT) != 0,
		.mono_us = p->us,
		.wall_ns = 1763723820000000000u + p->us * 1000 };
	struct scope_summary before, after;
	int n;

	if (octets.n >= 4 && (how & LENGTH_STAYS) == 0)
		bytes_put_u32(copy, (uint32_t)octets.n);
	p->work.count = 0;
	scope_summary(p->scope, &before);
	if ((how & SUSPECT) != 0)
		scope_malformed(p->scope, &f, "in hand when smscope died", &p->work);
	else
		(void)scope_pdu(p->scope, &f, &p->work);
	if (p->work.wait && (how & SUSPECT) == 0) {
		/* Given back without a record of it; told at last it gives some. */
		f.may_wait = false;
		f.again = true;
		(void)scope_pdu(p->scope, &f, &p->work);
		CHECK(!p->work.wait);
	}
	n = p->work.count;
	CHECK(n >= 0 && n <= SCOPE_RECORDS_MAX);
	scope_summary(p->scope, &after);
	p->pdus[f.from] += after.pdus[f.from] - before.pdus[f.from];
	CHECK(after.pdus[f.from] - before.pdus[f.from] <= 1);
	for (int i = 0; i < n; i++)
		check_record(p, &p->work.records[i], CAP_LEAST + (octets.n * 7 + how) % 1024);
	free(copy);
	check_summary(p);
	p->us += 700;
	while (scope_overdue(p->scope, p->us, f.wall_ns, &p->work) > 0)
		check_record(p, &p->work.records[0], CAP_LEAST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play p;
	struct span in = { data, size };
	uint8_t options = check_octet(&in);

	begin(&p, options, check_octet(&in));
	while (in.n > 0) {
		uint8_t how = check_octet(&in);

		play_frame(&p, how, check_take(&in, (size_t)span_uint(check_take(&in, 2))));
	}
	scope_free(p.scope);
	CHECK(p.unanswered == 0);
	return 0;
}
