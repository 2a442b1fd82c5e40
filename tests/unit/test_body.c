#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smscope/body.h"
#include "vectors.h"

static uint8_t *octets;
static struct pdu pdu;

static struct body read_frame(const struct proto *p, const char *hex)
{
	struct body body;
	size_t n;

	free(octets);
	octets = octets_of(hex, &n);
	bytes_put_u32(octets, (uint32_t)n);
	assert_int_equal(pdu_parse(&pdu, p, p->dialect_default, span_of(octets, n)), SM_OK);
	body_read(&pdu, &body);
	return body;
}

/* A submit_sm, its text and what follows it as hexadecimal digits. Source: SMPP 3.4, 4.4.1. */
static struct body smpp(unsigned esm_class, unsigned coding, const char *text, const char *tlvs)
{
	char hex[2048];

	snprintf(hex, sizeof(hex), "000000000000000400000000000000010000003100000032"
		"00%02x0000000000" "00%02x00" "%02zx%s%s", esm_class, coding, strlen(text) / 2,
		text, tlvs);
	return read_frame(&proto_smpp, hex);
}

/* A CMPP_SUBMIT in the same way. Source: CMPP 2.0, section 7.4.3.1. */
static struct body cmpp(unsigned total, unsigned part, unsigned udhi, const char *text)
{
	char hex[2048];

	snprintf(hex, sizeof(hex), "000000000000000400000001" "%016x%02x%02x" "0000%020x"
		"00%042x" "00%02x08" "%012x%04x%012x%034x%034x%042x" "01%042x" "%02zx%s%016x", 0,
		total, part, 0, 0, udhi, 0, 0, 0, 0, 0, 0, 0, strlen(text) / 2, text, 0);
	return read_frame(&proto_cmpp, hex);
}

static void is_text(const struct body *b, const char *want)
{
	static char text[512];
	struct out o = out_of(text, sizeof(text));

	text_decode(&o, b->charset, b->text);
	if (out_len(&o) != strlen(want) || memcmp(text, want, out_len(&o)) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)out_len(&o), text, want);
}

static void is_part(const struct body *b, enum part_source source, unsigned reference,
	unsigned part, unsigned total)
{
	assert_int_equal(b->source, source);
	assert_int_equal(b->reference, reference);
	assert_int_equal(b->part, part);
	assert_int_equal(b->total, total);
}

static void parts_from_the_header(void **state)
{
	struct body b = smpp(0x40, 0, "050003a70201" "6869", "");

	(void)state;
	is_part(&b, PART_HEADER, 0xa7, 1, 2);
	is_text(&b, "hi");
	assert_int_equal(b.udh.n, 6);
	assert_false(b.udh_broken);
	b = smpp(0x40, 8, "060804abcd0302" "6d4b8bd5", "");
	is_part(&b, PART_HEADER, 0xabcd, 2, 3);
	is_text(&b, "\xe6\xb5\x8b\xe8\xaf\x95");
	/* behind ports, before an element of no length */
	b = smpp(0x40, 0, "0d" "05040b8423f0" "0003010505" "2100" "6869", "");
	is_part(&b, PART_HEADER, 1, 5, 5);
	is_text(&b, "hi");
	/* twice: the last counts (TS 23.040, 9.2.3.24) */
	b = smpp(0x40, 0, "0a" "0003010201" "0003010202" "6869", "");
	is_part(&b, PART_HEADER, 1, 2, 2);
	/* in message_payload */
	b = smpp(0x40, 0, "", "04240008" "050003a70202" "6869");
	is_part(&b, PART_HEADER, 0xa7, 2, 2);
	is_text(&b, "hi");
	/* nothing but a header */
	b = smpp(0x40, 0, "050003a70202", "");
	is_part(&b, PART_HEADER, 0xa7, 2, 2);
	is_text(&b, "");
	b = smpp(0x40, 0, "00" "6869", "");
	is_part(&b, PART_NONE, 0, 0, 0);
	is_text(&b, "hi");
	b = cmpp(1, 1, 1, "060804abcd0302" "6d4b8bd5");
	is_part(&b, PART_HEADER, 0xabcd, 2, 3);
	is_text(&b, "\xe6\xb5\x8b\xe8\xaf\x95");
	assert_false(b.disagree); /* 1 of 1 is what those write who leave it to the header */
}

/* Part 0, part 3 of 2, total 0, another length of the element: no part, and still a header. */
static void parts_that_make_no_sense(void **state)
{
	static const char *const headers[] = { "050003a70200", "050003a70203", "050003a70000",
		"0500020201", "060003a7020100", "0608030000a70201" };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		char text[64];
		struct body b;

		snprintf(text, sizeof(text), "%s%s", headers[i], i == 3 ? "00" : "6869");
		b = smpp(0x40, 0, text, "020c00021234" "020e000103" "020f000101");
		is_part(&b, PART_TLVS, 0x1234, 1, 3);
	}
}

static void parts_from_tlvs_and_fields(void **state)
{
	struct body b = smpp(0, 0, "6869", "020c00021234" "020e000103" "020f000102");

	(void)state;
	is_part(&b, PART_TLVS, 0x1234, 2, 3);
	b = smpp(0, 0, "6869", "020e000103" "020f000104");
	is_part(&b, PART_NONE, 0, 0, 0);
	b = smpp(0, 0, "6869", "020e000103");
	is_part(&b, PART_NONE, 0, 0, 0);
	b = smpp(0, 0, "6869", "020e00080100000000000003" "020f000101");
	is_part(&b, PART_NONE, 0, 0, 0);
	b = cmpp(3, 2, 0, "6d4b");
	is_part(&b, PART_FIELDS, 0, 2, 3);
	b = cmpp(0, 0, 0, "6d4b");
	is_part(&b, PART_NONE, 0, 0, 0);
	b = cmpp(2, 3, 0, "6d4b");
	is_part(&b, PART_NONE, 0, 0, 0);
}

static void the_header_wins(void **state)
{
	struct body b = smpp(0x40, 0, "050003a70201" "6869", "020e000103" "020f000102");

	(void)state;
	is_part(&b, PART_HEADER, 0xa7, 1, 2);
	assert_true(b.disagree);
	b = smpp(0x40, 0, "050003a70201" "6869", "020e000102" "020f000101");
	assert_false(b.disagree);
	b = cmpp(5, 1, 1, "050003a70302" "6d4b");
	is_part(&b, PART_HEADER, 0xa7, 2, 3);
	assert_true(b.disagree);
}

/* faults.md P9, P11: no header where one is announced, or one that overruns: all of it as hex. */
static void headers_that_do_not_fit(void **state)
{
	static const char *const texts[] = {
		"05",                 /* a length and nothing else */
		"ff6869", "036869",   /* longer than the message */
		"0300046869",         /* an element longer than the header */
		"0100" "6869",        /* an element without its length */
		"060003a7020100" "6869", /* a lone octet behind the last element */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct body b = smpp(0x40, 8, texts[i], "");

		assert_true(b.udh_broken);
		is_part(&b, PART_NONE, 0, 0, 0);
		assert_int_equal(b.udh.n, 0);
		is_text(&b, texts[i]);
		b = cmpp(1, 1, 1, texts[i]);
		is_text(&b, texts[i]);
	}
	assert_false(smpp(0x40, 0, "", "").udh_broken);
	assert_int_equal(smpp(0x40, 0, "", "").octets.n, 0);
}

/* National tables are named and not applied. Source: TS 23.040, sections 9.2.3.24.15 and .16. */
static void national_tables(void **state)
{
	struct body b = smpp(0x40, 0, "06" "240101" "250103" "6869", "");

	(void)state;
	assert_int_equal(b.single_shift, 1);
	assert_int_equal(b.locking_shift, 3);
	is_text(&b, "hi");
}

/* Of both, short_message is the message. */
static void short_message_and_payload(void **state)
{
	struct body b = smpp(0, 0, "6869", "04240002" "6f6b");

	(void)state;
	is_text(&b, "hi");
	b = smpp(0, 0, "", "04240002" "6f6b");
	is_text(&b, "ok");
	b = smpp(0, 0, "", "04240000" "04240002" "6f6b");
	is_text(&b, "ok");
}

/* PDUs of other programs. */
static void vectors_with_parts(void **state)
{
	static const struct {
		const char *id;
		enum part_source source;
		unsigned reference, part, total;
		const char *text; /* its beginning */
	} rows[] = {
		{ "smpp-submit_sm-concat8", PART_HEADER, 0xa7, 1, 2, "\xe6\xb5\x8b\xe8\xaf\x95" },
		{ "smpp-submit_sm-sar", PART_TLVS, 0x1234, 1, 3, "hello" },
		{ "cmpp-submit-20-concat", PART_HEADER, 0x66, 1, 3, "\xe5\xb0\x8a" },
		{ "smpp-submit_sm-udh", PART_NONE, 0, 0, 0, "t{st" },
		{ "cmpp-submit-20-card", PART_FIELDS, 0, 1, 1, "0080111639" },
	};
	json_t *vectors = vectors_load(), *v;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, v) {
		for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
			char text[1024];
			struct out o = out_of(text, sizeof(text));
			struct body b;

			if (strcmp(vector_str(v, "id"), rows[k].id) != 0)
				continue;
			b = read_frame(vector_proto(v), vector_str(v, "hex"));
			is_part(&b, rows[k].source, rows[k].reference, rows[k].part, rows[k].total);
			text_decode(&o, b.charset, b.text);
			if (strncmp(text, rows[k].text, strlen(rows[k].text)) != 0)
				fail_msg("%s: %.*s", rows[k].id, (int)out_len(&o), text);
		}
	}
	json_decref(vectors);
	free(octets);
	octets = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_from_the_header), cmocka_unit_test(parts_that_make_no_sense),
		cmocka_unit_test(parts_from_tlvs_and_fields), cmocka_unit_test(the_header_wins),
		cmocka_unit_test(headers_that_do_not_fit), cmocka_unit_test(national_tables),
		cmocka_unit_test(short_message_and_payload), cmocka_unit_test(vectors_with_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
