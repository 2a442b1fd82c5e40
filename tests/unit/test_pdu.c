#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smscope/receipt.h"
#include "vectors.h"

static json_t *vectors;

static void expect(bool ok, json_t *v, const char *what)
{
	if (!ok)
		fail_msg("%s: %s", vector_str(v, "id"), what);
}

/* The field that a vector's key names; F_NONE for what is no field of the body. */
static enum field field_of(const struct proto *p, const char *key)
{
	char name[64];
	size_t n = strlen(key);

	if (n > 4 && strcmp(key + n - 4, "_hex") == 0)
		n -= 4;
	snprintf(name, sizeof(name), "%.*s", (int)n, key);
	if (strcmp(name, "Valid_Time") == 0)
		return F_VALIDITY_PERIOD;
	if (strcmp(name, "dest_addresses") == 0)
		return F_DEST_ADDRESS;
	for (int f = 1; f < F_COUNT; f++) {
		if (strcasecmp(field_name(p, (enum field)f), name) == 0)
			return (enum field)f;
	}
	return F_NONE;
}

static bool same_hex(struct span s, const char *hex)
{
	size_t n;
	uint8_t *p = octets_of(hex, &n);
	bool same = n == s.n && memcmp(p, s.p, n) == 0;

	free(p);
	return same;
}

static bool same_text(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Does one value of the parser equal what the vector says it is? */
static bool same_value(struct span octets, struct span text, const char *key, json_t *want)
{
	const char *s = json_string_value(want);

	if (json_is_integer(want))
		return (json_int_t)span_uint(octets) == json_integer_value(want);
	if (json_is_object(want))
		return span_uint(octets) == strtoull(vector_str(want, "raw"), NULL, 16);
	if (strstr(key, "_hex") != NULL || strncmp(key, "Authenticator", 13) == 0)
		return same_hex(octets, s);
	if (strncmp(s, "0x", 2) == 0)
		return span_uint(octets) == strtoull(s, NULL, 16);
	return same_text(text, s);
}

static struct span field_octets(const struct pdu *pdu, const struct pdu_field *f)
{
	return span_of(pdu->frame.p + f->at, f->len);
}

static struct span field_text(const struct pdu *pdu, const struct pdu_field *f)
{
	return span_of(pdu->frame.p + f->at, f->text_len);
}

static void compare_item(json_t *v, const struct pdu *pdu, json_t *item, const struct pdu_field *f,
	int n)
{
	const char *key;
	json_t *want;

	if (!json_is_object(item)) {
		expect(n == 1 && same_value(field_octets(pdu, f), field_text(pdu, f), "", item), v,
			"item");
		return;
	}
	expect((int)json_object_size(item) == n, v, "fields of an item");
	json_object_foreach(item, key, want) {
		enum field id = field_of(pdu->proto, key);
		int i = 0;

		while (i < n && f[i].field != id)
			i++;
		expect(i < n, v, key);
		expect(same_value(field_octets(pdu, &f[i]), field_text(pdu, &f[i]), key, want), v,
			key);
	}
}

static void compare_list(json_t *v, const struct pdu *pdu, enum field id, json_t *want)
{
	struct pdu_field f[8];
	size_t at = 0;

	for (size_t i = 0; i < json_array_size(want); i++) {
		int n = pdu_items(pdu, id, &at, f, 8);

		expect(n > 0, v, "list too short");
		compare_item(v, pdu, json_array_get(want, i), f, n);
	}
	expect(pdu_items(pdu, id, &at, f, 8) == 0, v, "list too long");
}

static void compare_tlvs(json_t *v, const struct pdu *pdu, json_t *want, bool cut)
{
	size_t at = 0;
	struct tlv t;

	for (size_t i = 0; i < json_array_size(want); i++) {
		json_t *w = json_array_get(want, i);
		const char *name = vector_str(w, "name");

		expect(tlv_next(pdu, &at, &t) == 1, v, "TLV missing");
		expect(t.tag == strtoul(vector_str(w, "tag"), NULL, 16), v, "tag");
		expect(same_hex(t.value, vector_str(w, "value_hex")), v, "TLV value");
		expect(t.at + 4 == (size_t)(t.value.p - pdu->frame.p), v, "TLV offset");
		if (strcmp(name, "unknown") == 0)
			expect(tlv_name(t.tag) == NULL, v, "TLV known after all");
		else
			expect(tlv_name(t.tag) != NULL && strcmp(tlv_name(t.tag), name) == 0, v,
				name);
	}
	expect(tlv_next(pdu, &at, &t) == (cut ? SM_ESHORT : 0), v, "end of TLVs");
}

static void compare_header(json_t *v, const struct pdu *pdu, json_t *f)
{
	bool smpp = pdu->proto == &proto_smpp;
	const char *names[] = { smpp ? "command_length" : "Total_Length",
		smpp ? "command_id" : "Command_Id",
		smpp ? "sequence_number" : "Sequence_Id" };

	expect(pdu->length == json_integer_value(json_object_get(f, names[0])), v, names[0]);
	expect(pdu->command == strtoul(vector_str(f, names[1]), NULL, 16), v, names[1]);
	expect(pdu->sequence == json_integer_value(json_object_get(f, names[2])), v, names[2]);
	if (smpp)
		expect(pdu->status == strtoul(vector_str(f, "command_status"), NULL, 16), v,
			"status");
}

/* Keys of a vector that describe no field. */
static bool is_note(const char *key)
{
	static const char *const notes[] = {
		"command_length", "command_id", "command_status", "sequence_number",
		"Total_Length", "Command_Id",
		"Sequence_Id", "tlvs", "tlv_error", "decode_error", "note_decode", "trailing_hex",
		"receipt_text",
		"report",
	};

	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		if (strcmp(key, notes[i]) == 0)
			return true;
	}
	return false;
}

static void compare_fields(json_t *v, const struct pdu *pdu, json_t *fields)
{
	const char *key;
	json_t *want;
	size_t count = 0;

	json_object_foreach(fields, key, want) {
		enum field id;

		if (is_note(key))
			continue;
		id = field_of(pdu->proto, key);
		expect(id != F_NONE, v, key);
		expect(pdu_has(pdu, id), v, key);
		count++;
		if (json_is_array(want))
			compare_list(v, pdu, id, want);
		else
			expect(same_value(pdu_octets(pdu, id), pdu_text(pdu, id), key, want), v,
				key);
	}
	/* A message cut off before its last field is in the vector as far as it goes. */
	expect(count == pdu->field_count, v, "fields that the vector does not have");
}

/* Why a vector does not parse: what its notes say, not what the parser says. */
static int expected_error(json_t *v, json_t *fields, size_t n)
{
	bool cmpp = vector_proto(v) == &proto_cmpp;
	const char *length = cmpp ? "Total_Length" : "command_length";

	if ((size_t)json_integer_value(json_object_get(fields, length)) != n)
		return SM_ELEN;
	if (strstr(vector_str(v, "id"), "-unknown-") != NULL)
		return SM_ECMD;
	if (json_object_get(fields, "decode_error") != NULL ||
		json_object_get(fields, "tlv_error") != NULL)
		return SM_ESHORT;
	return SM_OK;
}

/* Fields follow one another without a gap, from the header to the TLVs, inside the frame. */
static bool tidy(const struct pdu *pdu)
{
	size_t at = pdu->proto->header_len;

	for (int i = 0; i < pdu->field_count; i++) {
		const struct pdu_field *f = &pdu->fields[i];

		if (f->at != at || f->len > pdu->frame.n - at || f->text_len > f->len)
			return false;
		at += f->len;
	}
	if (pdu->tlvs.n > 0 && pdu->tlvs.p != pdu->frame.p + at)
		return false;
	return at + pdu->tlvs.n <= pdu->frame.n && pdu->err_at <= pdu->frame.n;
}

static void vectors_field_by_field(void **state)
{
	size_t i, n;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v) {
		json_t *fields = json_object_get(v, "fields");
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);
		int want = expected_error(v, fields, n);
		struct pdu pdu;

		expect(pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
			span_of(octets, n)) == want, v,
			"parse result");
		expect(pdu.err == want && tidy(&pdu), v, "spans");
		compare_header(v, &pdu, fields);
		if (want != SM_ELEN && want != SM_ECMD) {
			/* A list that is empty in the vector is there, with no octets. */
			if (json_object_get(fields, "decode_error") == NULL)
				compare_fields(v, &pdu, fields);
			compare_tlvs(v, &pdu, json_object_get(fields, "tlvs"), want == SM_ESHORT &&
				pdu.tlvs.n > 0);
			expect(strcasecmp(pdu_name(&pdu), vector_str(v, "pdu")) == 0, v,
				pdu_name(&pdu));
		}
		free(octets);
	}
	assert_int_equal(json_array_size(vectors), 118);
}

static json_t *vector_named(const char *id)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors, i, v) {
		if (strcmp(vector_str(v, "id"), id) == 0)
			return v;
	}
	fail_msg("no vector %s", id);
	return NULL;
}

/* The fields before the fault are there, and the offset shows where it broke. */
static void faults_show_their_place(void **state)
{
	static const struct {
		const char *id;
		uint32_t at;
		enum field last;
	} rows[] = {
		{ "smpp-deliver_sm-short", 49, F_SM_LENGTH },
		{ "smpp-deliver_sm-receipt-cut", 155, F_SHORT_MESSAGE },
		{ "smpp-badlen-1", 0, F_NONE },
		{ "cmpp-unknown-3", 4, F_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *v = vector_named(rows[i].id);
		struct pdu pdu;
		size_t n;
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);

		expect(pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
			span_of(octets, n)) != SM_OK, v, "good");
		expect(pdu.err_at == rows[i].at, v, "offset");
		if (rows[i].last != F_NONE)
			expect(pdu.fields[pdu.field_count - 1].field == rows[i].last, v,
				"last field");
		free(octets);
	}
}

/*
 * The consistency equations of SUBMIT, DELIVER and FWD, 2.0 or 3.0. Source: the layouts of both.
 * Does n = fixed + width * count + length hold, with the count at `count_at`, the length behind
 * what it counts?
 */
static bool sum_holds(const uint8_t *b, size_t n, size_t fixed, size_t width, size_t count_at,
	size_t gap)
{
	size_t count = 0, length_at = count_at;

	if (n <= count_at)
		return false;
	if (width > 0) {
		count = b[count_at];
		length_at = count_at + 1 + width * count + gap;
	}
	return n > length_at && n == fixed + width * count + b[length_at];
}

static bool equation_holds(const uint8_t *b, size_t n)
{
	if (bytes_u32(b + 4) == 5)
		return sum_holds(b, n, 85, 0, 76, 0) || sum_holds(b, n, 109, 0, 88, 0);
	if (bytes_u32(b + 4) == 9)
		return sum_holds(b, n, 152, 21, 142, 0) || sum_holds(b, n, 264, 21, 209, 33);
	return sum_holds(b, n, 138, 21, 128, 0) || sum_holds(b, n, 163, 32, 140, 1);
}

/*
 * May the first `n` octets of a good vector be a PDU of their own? Told from the vector and the
 * specifications: where TLVs end; inside or behind the first string of an SMPP response; as a 2.x
 * response of CMPP, or where the equations hold; as an ACTIVE_TEST_RESP without its octet.
 */
static bool may_end(json_t *v, const uint8_t *octets, size_t n, size_t whole)
{
	uint32_t command = bytes_u32(octets + 4);
	json_t *fields = json_object_get(v, "fields"), *tlvs = json_object_get(fields, "tlvs");
	size_t end = whole;

	if (vector_proto(v) == &proto_cmpp) {
		static const struct {
			uint32_t command;
			size_t n;
		} rows[] = {
			{ 0x80000001, 30 }, { 0x80000004, 21 }, { 0x80000005, 21 },
			  { 0x80000007, 13 },
			{ 0x80000008, 12 }, { 0x80000009, 23 },
		};

		if (command == 4 || command == 5 || command == 9)
			return equation_holds(octets, n);
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			if (rows[i].command == command && rows[i].n == n)
				return true;
		}
		return false;
	}
	for (size_t i = json_array_size(tlvs); i-- > 0;) {
		end -= 4 + (size_t)json_integer_value(json_object_get(json_array_get(tlvs, i),
			"length"));
		if (n == end)
			return true;
	}
	if (command >> 31 == 0)
		return false;
	return n <= 16 + strlen(vector_str(fields, "message_id")) + strlen(vector_str(fields,
		"system_id")) + 1;
}

static void no_truncation_parses(void **state)
{
	size_t i, whole;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v) {
		uint8_t *octets = octets_of(vector_str(v, "hex"), &whole);

		if (expected_error(v, json_object_get(v, "fields"), whole) != SM_OK) {
			free(octets);
			continue;
		}
		for (size_t n = 0; n < whole; n++) {
			uint8_t *cut = malloc(n + 1);
			struct pdu pdu;

			memcpy(cut, octets, n);
			cut = realloc(cut, n > 0 ? n : 1);
			expect(pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
				span_of(cut, n)) != SM_OK, v, "cut");
			if (n >= vector_proto(v)->header_len) {
				bytes_put_u32(cut, (uint32_t)n);
				expect((pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
					span_of(cut, n)) == SM_OK) ==
					may_end(v, octets, n, whole), v, "cut, length corrected");
				expect(tidy(&pdu), v, "spans of a cut PDU");
			}
			free(cut);
		}
		free(octets);
	}
}

static void trailing_octets_are_told(void **state)
{
	static const char *const ids[] = { "smpp-enquire_link-1", "smpp-cancel_sm-1",
		"cmpp-submit-30",
		"cmpp-deliver-20-mo", "cmpp-active_test_resp" };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		json_t *v = vector_named(ids[i]);
		struct pdu pdu;
		size_t n;
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);

		octets = realloc(octets, n + 1);
		octets[n] = 0x7f;
		bytes_put_u32(octets, (uint32_t)n + 1);
		expect(pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
			span_of(octets, n + 1)) == SM_ETRAIL, v, "");
		expect(pdu.err_at == n, v, "offset of the trailing octet");
		free(octets);
	}
}

/*
 * submit_multi with an SME, a distribution list and an SME; then with a dest_flag of 3, which makes
 * the
 * rest unreadable. Source of the layout: SMPP 3.4, sections 4.5.1 and 4.5.1.1.
 */
static void lists_of_choices(void **state)
{
	static const char head[] = "0000000000000021000000000000000100" "01013130363900";
	static const char dests[] = "03" "010101313200" "0267726f757000" "010005333400";
	static const char tail[] = "0000000000010008000268" "69020c00021234";
	static const enum field want[3][4] = {
		{ F_DEST_FLAG, F_DEST_ADDR_TON, F_DEST_ADDR_NPI, F_DESTINATION_ADDR },
		{ F_DEST_FLAG, F_DL_NAME },
		{ F_DEST_FLAG, F_DEST_ADDR_TON, F_DEST_ADDR_NPI, F_DESTINATION_ADDR },
	};
	char hex[256];
	struct pdu_field f[8];
	struct pdu pdu;
	struct span v;
	size_t n, at = 0;
	uint8_t *octets;

	(void)state;
	snprintf(hex, sizeof(hex), "%s%s%s", head, dests, tail);
	octets = octets_of(hex, &n);
	bytes_put_u32(octets, (uint32_t)n);
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(octets, n)), SM_OK);
	for (int i = 0; i < 3; i++) {
		int count = pdu_items(&pdu, F_DEST_ADDRESS, &at, f, 8);

		assert_int_equal(count, i == 1 ? 2 : 4);
		for (int k = 0; k < count; k++)
			assert_int_equal(f[k].field, want[i][k]);
		if (i == 1)
			assert_true(same_text(field_text(&pdu, &f[1]), "group"));
		if (i == 2)
			assert_true(same_text(field_text(&pdu, &f[3]), "34"));
	}
	assert_int_equal(pdu_items(&pdu, F_DEST_ADDRESS, &at, f, 8), 0);
	assert_true(same_text(pdu_octets(&pdu, F_SHORT_MESSAGE), "hi"));
	assert_true(pdu_tlv(&pdu, 0x020c, &v) && span_uint(v) == 0x1234);
	assert_false(pdu_tlv(&pdu, 0x020d, &v));

	octets[25 + 6] = 3; /* dest_flag of the group */
	at = 0;
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(octets, n)), SM_EVALUE);
	assert_int_equal(pdu_items(&pdu, F_DEST_ADDRESS, &at, f, 8), 4);
	assert_int_equal(pdu_items(&pdu, F_DEST_ADDRESS, &at, f, 8), 0);
	free(octets);
}

/* Whatever is done to a vector, nothing is read outside it and every walk ends. */
static void mutations_stay_inside(void **state)
{
	uint64_t seed = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		json_t *v = json_array_get(vectors, (size_t)round % json_array_size(vectors));
		struct pdu_field f[8];
		struct receipt receipt;
		struct pdu pdu;
		struct tlv t;
		size_t n, at = 0;
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);

		for (int hits = 1 + round % 5; hits > 0; hits--) {
			size_t hit;

			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			hit = 4 + (seed >> 8) % (n - 4);
			octets[hit] = seed % 3 == 0 ? 0xff : (uint8_t)(seed >> 40);
		}
		pdu_parse(&pdu, vector_proto(v), (uint8_t)(seed >> 16), span_of(octets, n));
		expect(tidy(&pdu), v, "spans of a mutation");
		while (tlv_next(&pdu, &at, &t) > 0)
			expect(t.value.p + t.value.n <= octets + n, v, "TLV outside");
		for (int i = 0; i < pdu.field_count; i++) {
			at = 0;
			while (pdu_items(&pdu, (enum field)pdu.fields[i].field, &at, f, 8) > 0)
				expect(at <= pdu.fields[i].len, v, "item outside");
		}
		receipt_read(&pdu, &receipt);
		free(octets);
	}
}

static int load(void **state)
{
	(void)state;
	vectors = vectors_load();
	return vectors != NULL ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_field_by_field), cmocka_unit_test(faults_show_their_place),
		cmocka_unit_test(no_truncation_parses), cmocka_unit_test(trailing_octets_are_told),
		cmocka_unit_test(lists_of_choices), cmocka_unit_test(mutations_stay_inside),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
