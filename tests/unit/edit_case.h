#ifndef SMSCOPE_TEST_EDIT_CASE_H
#define SMSCOPE_TEST_EDIT_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "smscope/edit.h"
#include "vectors.h"

/*
 * A rule, a PDU, what comes out: what the tests of edits share. PDUs are those of
 * tests/data/vectors.json and tests/data/receipts/.
 */

static struct code_set *edit_codes;
static const struct code_profile *edit_profiles[3];
static struct edit_context edit_ctx;
static struct edit_result edit_ret;
static uint8_t edit_in[4096], edit_out[4096];
static size_t edit_in_len;

static inline int edit_setup(void **state)
{
	struct conf_faults faults = { .to = stderr };

	(void)state;
	edit_codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	return edit_codes != NULL ? 0 : -1;
}

static inline int edit_teardown(void **state)
{
	(void)state;
	codes_free(edit_codes);
	return 0;
}

static inline const struct code_map *edit_map(const char *name)
{
	const struct code_map *m = codes_map(edit_codes, name);

	assert_non_null(m);
	return m;
}

static inline void edit_fault(void *arg, int rule, const char *key, const char *what)
{
	(void)arg;
	fail_msg("rule %d, %s: %s", rule, key, what);
}

/* The next edit is of this link. */
static inline void edit_link(const struct proto *proto, uint8_t dialect, const char *profile)
{
	edit_context_init(&edit_ctx);
	edit_ctx.codes = edit_codes;
	edit_ctx.profiles = edit_profiles;
	edit_ctx.proto = proto;
	edit_ctx.dialect = dialect;
	edit_profiles[0] = codes_profile(edit_codes, profile);
	edit_profiles[1] = NULL;
	assert_non_null(edit_profiles[0]);
}

/* Octets of hexadecimal digits; blanks are skipped. */
static inline void edit_hex(const char *hex)
{
	edit_in_len = 0;
	for (unsigned v; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		edit_in[edit_in_len++] = (uint8_t)v;
	}
}

static inline void edit_vector(const char *id)
{
	json_t *all = vectors_load(), *v;
	size_t i;

	edit_in_len = 0;
	json_array_foreach(json_is_array(all) ? all : json_object_get(all, "vectors"), i, v)
	{
		if (strcmp(vector_str(v, "id"), id) == 0)
			edit_hex(vector_str(v, "hex"));
	}
	json_decref(all);
	if (edit_in_len == 0)
		fail_msg("no vector %s", id);
}

/* PDU number `which`, from 1, of tests/data/receipts/NAME.hex. */
static inline void edit_receipt(const char *name, int which)
{
	char path[512], line[1024];
	uint8_t all[16384];
	size_t n = 0, at = 0;
	FILE *f;

	snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/receipts/%s.hex", name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *p = line;

		for (unsigned v; *p != '#' && sscanf(p, "%2x", &v) == 1; p += 2)
			all[n++] = (uint8_t)v;
	}
	fclose(f);
	while (--which > 0)
		at += bytes_u32(all + at);
	assert_true(at < n);
	edit_in_len = bytes_u32(all + at);
	memcpy(edit_in, all + at, edit_in_len);
}

/* A deliver_sm of SMPP 3.4, section 4.6.1, with that text; `coding` is data_coding. */
static inline void edit_deliver(const void *text, size_t n, uint8_t esm_class, uint8_t coding)
{
	static const uint8_t head[] = { 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1, '8',
		'6', '1', '3', '8', 0, 0, 0, '1', '0', '6', '9', 0 };
	const uint8_t tail[] = { esm_class, 0, 0, 0, 0, 0, 0, coding, 0, (uint8_t)n };

	memcpy(edit_in, head, sizeof(head));
	memcpy(edit_in + sizeof(head), tail, sizeof(tail));
	memcpy(edit_in + sizeof(head) + sizeof(tail), text, n);
	edit_in_len = sizeof(head) + sizeof(tail) + n;
	bytes_put_u32(edit_in, (uint32_t)edit_in_len);
}

static inline void edit_add_tlv(uint16_t tag, const void *value, size_t n)
{
	uint8_t *p = edit_in + edit_in_len;

	p[0] = (uint8_t)(tag >> 8);
	p[1] = (uint8_t)tag;
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
	memcpy(p + 4, value, n);
	edit_in_len += 4 + n;
	bytes_put_u32(edit_in, (uint32_t)edit_in_len);
}

/* The rules; one with `to` that does not say of which codes is for all of them. */
static inline struct rule_set *edit_set(const struct rule_def *defs, int count)
{
	struct rule_def own[8];

	assert_true(count <= 8);
	for (int i = 0; i < count; i++) {
		own[i] = defs[i];
		if (own[i].to != NULL && own[i].code_count == 0 && own[i].classes == 0)
			own[i].classes = (1u << CLASS_COUNT) - 1;
	}
	return rule_set_new(own, count, edit_fault, NULL);
}

/* The rules on the PDU in hand. Both are in memory of just their size. */
static inline int edit_rules(const struct rule_def *defs, int count, size_t cap)
{
	struct rule_set *rules = edit_set(defs, count);
	uint8_t *in = malloc(edit_in_len), *out = malloc(cap > 0 ? cap : 1);
	int n;

	assert_non_null(rules);
	assert_true(in != NULL && out != NULL);
	memcpy(in, edit_in, edit_in_len);
	memset(edit_ctx.memo, 0, sizeof(edit_ctx.memo));
	n = edit_pdu(rules, &edit_ctx, SIDE_GW, span_of(in, edit_in_len), out, cap, &edit_ret);
	assert_true(n >= 0 && (size_t)n <= cap);
	memcpy(edit_out, out, (size_t)n);
	assert_memory_equal(in, edit_in, edit_in_len);
	rule_set_free(rules);
	/* Spans into the frame die with it; those of the tests are read from edit_in. */
	for (int i = 0; i < edit_ret.change_count; i++) {
		struct edit_change *c = &edit_ret.changes[i];

		if (c->was.p >= in && c->was.p <= in + edit_in_len)
			c->was.p = edit_in + (c->was.p - in);
	}
	free(in);
	free(out);
	return n;
}

static inline int edit_one(struct rule_def def)
{
	def.name = "rule";
	return edit_rules(&def, 1, sizeof(edit_out));
}

static inline struct span edit_span(const char *s)
{
	return span_of(s, strlen(s));
}

/* Change `i` is of that field, from one text to another. */
static inline void edit_says(int i, const char *field, const char *was, const char *now)
{
	const struct edit_change *c = &edit_ret.changes[i];

	assert_true(i < edit_ret.change_count);
	assert_string_equal(c->field, field);
	assert_false(c->number);
	assert_int_equal(c->was.n, strlen(was));
	assert_memory_equal(c->was.p, was, strlen(was));
	assert_int_equal(c->now.n, strlen(now));
	assert_memory_equal(c->now.p, now, strlen(now));
}

static inline void edit_counts(int i, const char *field, uint32_t was, uint32_t now)
{
	const struct edit_change *c = &edit_ret.changes[i];

	assert_true(i < edit_ret.change_count);
	assert_string_equal(c->field, field);
	assert_true(c->number);
	assert_int_equal(c->was_number, was);
	assert_int_equal(c->now_number, now);
}

/* Nothing came out, and why. */
static inline void edit_refused(int n, enum edit_refusal why)
{
	assert_int_equal(n, 0);
	if (edit_ret.refused != why)
		fail_msg("refused: %s, not %s", edit_refusal_name(edit_ret.refused),
			edit_refusal_name(why));
	assert_int_equal(edit_ret.change_count, 0);
}

/* Is `text` in the edited PDU's octets? */
static inline bool edit_has(int n, const char *text)
{
	return memmem(edit_out, (size_t)n, text, strlen(text)) != NULL;
}

#endif
