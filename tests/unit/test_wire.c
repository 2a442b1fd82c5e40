#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "smscope/pdu.h"

/*
 * Every PDU, length, offset and TLV, against tables that were typed from the specifications
 * (tests/data/wire).
 */

enum { ACTIVE_TEST_RESP = 0x80000008u };

static uint8_t octets[32768];
static char line[256];

static FILE *open_table(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), SOURCE_DIR "/tests/data/wire/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	return f;
}

/* The next row of a table, without comments; false at its end. */
static bool next_row(FILE *f)
{
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#' && line[0] != '\0')
			return true;
	}
	fclose(f);
	return false;
}

/* A number, or -1 for "-". */
static int number_of(const char *s)
{
	return strcmp(s, "-") == 0 ? -1 : atoi(s);
}

static struct span frame_of(uint32_t command, size_t n)
{
	bytes_put_u32(octets, (uint32_t)n);
	bytes_put_u32(octets + 4, command);
	return span_of(octets, n);
}

/* Where a field of a CMPP PDU with one destination begins, by tests/data/wire; -1: nowhere. */
static int place_of(uint32_t command, const char *field, bool v3)
{
	FILE *f = open_table("cmpp_fields.txt");
	int ret = -1;

	while (next_row(f)) {
		char name[40], at[2][8];
		unsigned c;

		assert_int_equal(sscanf(line, "%x %39s %7s %*s %7s", &c, name, at[0], at[1]), 4);
		if (c == command && strcmp(name, field) == 0)
			ret = number_of(at[v3]);
	}
	return ret;
}

struct length_row {
	uint32_t command;
	char name[40];
	int fixed[2], per_dest[2], text[2];
};

static bool next_length(FILE *f, struct length_row *r)
{
	char fixed[2][8];

	if (!next_row(f))
		return false;
	assert_int_equal(sscanf(line, "%x %39s %7s %d %d %7s %d %d", &r->command, r->name, fixed[0],
		&r->per_dest[0], &r->text[0], fixed[1], &r->per_dest[1], &r->text[1]), 8);
	r->fixed[0] = number_of(fixed[0]);
	r->fixed[1] = number_of(fixed[1]);
	return true;
}

static size_t cmpp_frame(const struct length_row *r, bool v3, int dests, int text)
{
	size_t n = (size_t)(r->fixed[v3] + dests * r->per_dest[v3] + text * r->text[v3]);
	int count_at = place_of(r->command, "DestUsr_tl", v3);
	int length_at = place_of(r->command, "Msg_Length", v3);

	memset(octets, 0, sizeof(octets));
	if (r->per_dest[v3] > 0)
		octets[count_at] = (uint8_t)dests;
	if (r->text[v3] > 0)
		octets[length_at + (dests - 1) * r->per_dest[v3]] = (uint8_t)text;
	return n;
}

/*
 * As long as the specification says: read to the last octet as the right version, whatever version
 * was believed in. One octet less or more: not.
 */
static void cmpp_total_lengths(void **state)
{
	static const int dests[] = { 1, 0, 2, 99, 255 }, texts[] = { 0, 1, 60, 140, 255 };
	FILE *f = open_table("cmpp_lengths.txt");
	struct length_row r;
	int rows = 0;

	(void)state;
	while (next_length(f, &r)) {
		for (int k = 0; k < 2 * 25; k++) {
			bool v3 = k % 2 != 0;
			int d = r.per_dest[v3] > 0 ? dests[k / 2 % 5] : 1;
			size_t n;
			struct pdu pdu;

			if (r.fixed[v3] < 0)
				continue;
			n = cmpp_frame(&r, v3, d, texts[k / 10]);
			for (int as = 0x20; as <= 0x30; as += 0x10) {
				if (pdu_parse(&pdu, &proto_cmpp, (uint8_t)as,
					frame_of(r.command, n)) != SM_OK)
					fail_msg("%s %d.0: %zu octets", r.name, 2 + v3, n);
				if (as == (v3 ? 0x30 : 0x20) && strcmp(pdu_name(&pdu), r.name) != 0)
					fail_msg("%s, not %s", pdu_name(&pdu), r.name);
				if (r.fixed[0] != r.fixed[1] && r.fixed[1 - v3] >= 0)
					assert_int_equal(pdu.dialect, v3 ? 0x30 : 0x20);
			}
			if (pdu_parse(&pdu, &proto_cmpp, v3 ? 0x30 : 0x20,
				frame_of(r.command, n - 1)) == SM_OK &&
			    r.command != ACTIVE_TEST_RESP)
				fail_msg("%s: %zu octets", r.name, n - 1);
			if (pdu_parse(&pdu, &proto_cmpp, v3 ? 0x30 : 0x20,
				frame_of(r.command, n + 1)) == SM_OK)
				fail_msg("%s: %zu octets", r.name, n + 1);
		}
		rows++;
	}
	assert_int_equal(rows, 34);
	assert_int_equal(pdu_parse(&(struct pdu){ 0 }, &proto_cmpp, 0x30, frame_of(3, 12)),
		SM_ECMD);
}

static const struct pdu_field *field_named(const struct pdu *pdu, const char *name)
{
	for (int i = 0; i < pdu->field_count; i++) {
		if (strcmp(field_name(pdu->proto, (enum field)pdu->fields[i].field), name) == 0)
			return &pdu->fields[i];
	}
	return NULL;
}

static void cmpp_offsets_and_sizes(void **state)
{
	FILE *f = open_table("cmpp_fields.txt");
	int count = 0;

	(void)state;
	while (next_row(f)) {
		char name[40], place[4][8], kept[256];
		FILE *lengths = open_table("cmpp_lengths.txt");
		struct length_row r;
		unsigned command;

		assert_int_equal(sscanf(line, "%x %39s %7s %7s %7s %7s", &command, name, place[0],
			place[1], place[2], place[3]), 6);
		snprintf(kept, sizeof(kept), "%s", line);
		while (next_length(lengths, &r)) {
			for (int v3 = 0; v3 < 2 && r.command == command; v3++) {
				const struct pdu_field *x;
				struct pdu pdu;

				if (r.fixed[v3] < 0)
					continue;
				assert_int_equal(pdu_parse(&pdu, &proto_cmpp, v3 ? 0x30 : 0x20,
					frame_of(command, cmpp_frame(&r, v3 != 0, 1, 0))), SM_OK);
				x = field_named(&pdu, name);
				if ((x == NULL) != (number_of(place[2 * v3]) < 0) ||
				    (x != NULL && ((int)x->at != number_of(place[2 * v3]) ||
				    		   (int)x->len != number_of(place[2 * v3 + 1]))))
					fail_msg("%d.0: %s", 2 + v3, kept);
				count++;
			}
		}
	}
	assert_true(count > 200);
}

/* Octets of digits, blanks and bars, behind the header; how many octets the frame has. */
static size_t smpp_frame(const char *digits)
{
	size_t n = 16;
	unsigned v;
	int used;

	memset(octets, 0, 16);
	for (digits += strspn(digits, " |-"); sscanf(digits, "%2x%n", &v, &used) == 1;
	     digits += strspn(digits, " |-")) {
		octets[n++] = (uint8_t)v;
		digits += used;
	}
	return n;
}

static int parse_smpp(uint32_t command, uint32_t status, size_t n, const char *name)
{
	struct pdu pdu;

	bytes_put_u32(octets + 8, status);
	(void)pdu_parse(&pdu, &proto_smpp, 0x34, frame_of(command, n));
	if (strcmp(pdu_name(&pdu), name) != 0)
		fail_msg("%s, not %s", pdu_name(&pdu), name);
	return pdu.err;
}

/*
 * Every command with the shortest body it can have; a response also with none, with one string
 * without its NUL, and with a TLV, at any status; nothing else with an octet less.
 */
static void smpp_commands(void **state)
{
	static const uint8_t congestion[] = { 0x04, 0x28, 0x00, 0x01, 0x55 };
	FILE *f = open_table("smpp_commands.txt");
	int rows = 0;

	(void)state;
	while (next_row(f)) {
		uint32_t command;
		char name[40];
		int body;
		size_t n;
		bool old, vendor;

		assert_int_equal(sscanf(line, "%x %39s %n", &command, name, &body), 2);
		n = smpp_frame(line + body);
		old = (command & 0xff) >= 0x22 && (command & 0xff) <= 0x24; /* 3.3 has no TLVs */
		vendor = (command & 0x01000000) != 0;
		for (uint32_t status = 0; status < 2; status++) {
			if (parse_smpp(command, status, n, name) != SM_OK)
				fail_msg("%s", line);
			if (command >> 31 == 0 && n > 16 && !vendor)
				assert_true(parse_smpp(command, status, n - 1, name) != SM_OK);
			if (command >> 31 == 0)
				continue;
			if (parse_smpp(command, status, 16, name) != SM_OK)
				fail_msg("%s without a body", name);
			if (n == 18 && parse_smpp(command, status, 17, name) != SM_OK)
				fail_msg("%s with a string that has no NUL", name);
			memcpy(octets + n, congestion, sizeof(congestion));
			if (!old && !vendor && parse_smpp(command, status, n + sizeof(congestion),
				name) != SM_OK)
				fail_msg("%s with congestion_state", name);
		}
		rows++;
	}
	assert_int_equal(rows, 43);
}

static void smpp_tlvs(void **state)
{
	static const char *const forms[] = { "number", "text", "octets" };
	FILE *f = open_table("smpp_tlvs.txt");
	int known = 0, rows = 0;

	(void)state;
	for (; next_row(f); rows++) {
		char name[40], form[8];
		const struct tlv_kind *k;
		unsigned tag, least, most;

		assert_int_equal(sscanf(line, "%x %39s %u %u %7s", &tag, name, &least, &most, form),
			5);
		k = tlv_kind((uint16_t)tag);
		if (k == NULL || strcmp(k->name, name) != 0 || k->len_min != least ||
		    k->len_max != most || strcmp(forms[k->form], form) != 0)
			fail_msg("%s", line);
		assert_string_equal(tlv_name((uint16_t)tag), name);
	}
	for (unsigned tag = 0; tag < 0x10000; tag++)
		known += tlv_kind((uint16_t)tag) != NULL;
	assert_int_equal(known, rows);
	assert_int_equal(rows, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmpp_total_lengths), cmocka_unit_test(cmpp_offsets_and_sizes),
		cmocka_unit_test(smpp_commands), cmocka_unit_test(smpp_tlvs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
