#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/scope.h"

/*
 * Rows P5 and P8 to P17 of the fault list, as far as one PDU shows them: what its records say. The
 * octets are written out from the layouts of SMPP 3.4, section 4, and CMPP 2.0, section 7.4. Each
 * frame lies in memory of just its size, so that a read outside it is caught. More of P16 and P17,
 * with both ends, is in tests/e2e/field.c.
 */

#define Z4 "00000000"
#define Z8 Z4 Z4
#define Z10 Z8 "0000"
#define Z13 Z8 Z4 "00"
#define Z16 Z8 Z8
#define Z17 Z16 "00"
#define Z21 Z16 Z4 "00"

/* Lengths are filled in: "LLLLLLLL" is the frame's. */
#define HEAD(command) "LLLLLLLL" command Z4 "00000007"
/* from 10086 to 8613800138000 */
#define NUMBERS "00 0000 313030383600 0101 3836313338303031333830303000"
#define FLAGS(esm, coding) esm "00 00 00 00 00 00" coding "00"
#define SUBMIT(esm, coding, rest) HEAD("00000004") NUMBERS FLAGS(esm, coding) rest
#define RECEIPT(rest) HEAD("00000005") NUMBERS FLAGS("04", "00") rest
#define STAT "737461743a44454c4956524420" /* "stat:DELIVRD " */

#define CMPP2_SUBMIT(count, dests, m, text) \
	"LLLLLLLL 00000004 00000007" Z8 "01010001" Z10 "02" Z21 "000000" "393030303031" "3031" \
	"303030303130" Z17 Z17 Z21 count dests m text Z8
#define CMPP2_DELIVER(registered, m, text) \
	"LLLLLLLL 00000005 00000007" "b2b9da8000680100" Z21 Z10 "000000" "3133383030313338303030" \
	Z10 registered m text Z8
#define NUMBER21 "3133383030313338303030" Z10
#define REPORT_HEAD \
	"b2b9da8000680007 44454c49565244 32363131323131393137 32363131323131393138"

enum { SMPP, CMPP2, CMPP3 };

struct row {
	const char *name;
	int protocol;
	enum side from;
	const char *hex;
	/* one line a record: "key=value", "key~part", "!key" without it */
	const char *says[SCOPE_RECORDS_MAX];
};

#define SP SIDE_SP
#define GW SIDE_GW

static const struct row rows[] = {
	{ "P5: octets behind a PDU without a body", SMPP, SP, HEAD("00000015") "0102030405",
	  { "ev=malformed reason~left at=16 from=sp" } },
	{ "P5: octets behind CMPP_SUBMIT", CMPP2, SP,
	  CMPP2_SUBMIT("01", NUMBER21, "02", "6869") "ff",
	  { "ev=malformed reason~left", "ev=submit dst=138****8000 len=2" } },
	{ "P5: unknown TLVs", SMPP, SP,
	  SUBMIT("00", "00", "02 6869") "1400 0002 abcd 7fff 0000 3fff 0001 00",
	  { "ev=submit len=2 text=hi" } },
	{ "P8: a string without its NUL", SMPP, SP,
	  HEAD("00000004") "00 0000 313030383600 0101 38363133383030313338303030",
	  { "ev=malformed reason~fewer" } },
	{ "P8: a source longer than 21", SMPP, SP,
	  HEAD("00000004") "00 0000 3131313131313131313131313131313131313131313100 0101"
	  "3836313338303031333830303000" FLAGS("00", "00") "02 6869",
	  { "ev=malformed pdu=submit_sm" } },
	{ "P8: a message_id without its NUL", SMPP, GW, HEAD("80000004") "4131",
	  { "ev=submit_resp code=0 msgid=A1 unmatched=true" } },
	{ "P8: a message_id of 70", SMPP, GW,
	  HEAD("80000004") "31313131313131313131313131313131313131313131313131313131313131313131"
	  "313131313131313131313131313131313131313131313131313131313131313131313131" "00",
	  { "ev=malformed", "ev=submit_resp code=0" } },
	{ "P9: sm_length beyond the end", SMPP, SP, SUBMIT("00", "00", "05 6869"),
	  { "ev=malformed reason~fewer" } },
	{ "P9: sm_length 255 of two", SMPP, SP, SUBMIT("00", "00", "ff 6869"),
	  { "ev=malformed reason~fewer" } },
	{ "P9: no short_message but a message_payload", SMPP, SP,
	  SUBMIT("00", "00", "00 0424 0003 796573"), { "ev=submit len=3 text=yes" } },
	{ "P9: short_message and message_payload", SMPP, SP,
	  SUBMIT("00", "00", "02 6869 0424 0003 796573"), { "ev=submit len=2 text=hi" } },
	{ "P9: neither, with a header announced", SMPP, SP, SUBMIT("40", "00", "00"),
	  { "ev=submit len=0 !part" } },
	{ "P9: Msg_Length beyond the end", CMPP2, SP,
	  CMPP2_SUBMIT("01", NUMBER21, "ff", "6869"), { "ev=malformed reason~fewer" } },
	{ "P10: one octet of a TLV", SMPP, SP, SUBMIT("00", "00", "02 6869 04"),
	  { "ev=malformed reason~fewer", "ev=submit text=hi" } },
	{ "P10: three octets of a TLV", SMPP, SP, SUBMIT("00", "00", "02 6869 042400"),
	  { "ev=malformed reason~fewer", "ev=submit text=hi" } },
	{ "P10: a TLV longer than the rest", SMPP, SP, SUBMIT("00", "00", "02 6869 1400 0003 abcd"),
	  { "ev=malformed reason~fewer", "ev=submit text=hi" } },
	{ "P10: a TLV of 65535 that is not there", SMPP, SP, SUBMIT("00", "00", "02 6869 0424 ffff"),
	  { "ev=malformed reason~fewer", "ev=submit text=hi" } },
	{ "P10: an empty message_payload", SMPP, SP, SUBMIT("00", "00", "00 0424 0000"),
	  { "ev=submit len=0" } },
	{ "P10: a message_state of no octets, and of four", SMPP, GW,
	  RECEIPT("00 001e 0003 413100 0427 0000 0427 0004 00000002"),
	  { "ev=report msgid=A1" } },
	{ "P11: a header longer than the message", SMPP, SP, SUBMIT("40", "00", "04 06 000301"),
	  { "ev=submit len=4 enc=binary text=06000301 !part" } },
	{ "P11: a header as long as the message", SMPP, SP, SUBMIT("40", "00", "04 03 240100"),
	  { "ev=submit len=0 !part" } },
	{ "P11: an element past the end of its header", SMPP, SP,
	  SUBMIT("40", "00", "07 04 00090102 6869"), { "ev=submit enc=binary text~04000901 !part" } },
	{ "P11: an element of no octets", SMPP, SP, SUBMIT("40", "00", "05 02 2400 6869"),
	  { "ev=submit text=hi len=2 !part" } },
	{ "P11: two elements of no octets before the part", SMPP, SP,
	  SUBMIT("40", "00", "0c 09 2400 2500 0003770302 6869"),
	  { "ev=submit text=hi len=2 part=2/3" } },
	{ "P11: a part element that is too short", SMPP, SP,
	  SUBMIT("40", "00", "06 03 000101 6869"), { "ev=submit text=hi !part" } },
	{ "P11: the same under CMPP", CMPP2, SP,
	  "LLLLLLLL 00000004 00000007" Z8 "01010001" Z10 "02" Z21 "000100 393030303031 3031"
	  "303030303130" Z17 Z17 Z21 "01" NUMBER21 "04 ff 000301" Z8,
	  { "ev=submit len=4 enc=binary text=ff000301 !part" } },
	{ "P12: half a character of UCS-2", SMPP, SP, SUBMIT("00", "08", "03 4f60 59"),
	  { "ev=submit enc=UCS-2 text~你" } },
	{ "P12: half a pair", SMPP, SP, SUBMIT("00", "08", "04 d83d 4f60"),
	  { "ev=submit text~你" } },
	{ "P12: the escape of GSM 03.38 at the end", SMPP, SP, SUBMIT("00", "00", "03 68691b"),
	  { "ev=submit text~hi" } },
	{ "P12: a data_coding nobody knows", SMPP, SP, SUBMIT("00", "bb", "03 00ff41"),
	  { "ev=submit len=3" } },
	{ "P12: binary", SMPP, SP, SUBMIT("00", "04", "03 00ff41"),
	  { "ev=submit text=00ff41" } },
	{ "P12: half a character of GB18030", CMPP2, SP,
	  "LLLLLLLL 00000004 00000007" Z8 "01010001" Z10 "02" Z21 "00000f 393030303031 3031"
	  "303030303130" Z17 Z17 Z21 "01" NUMBER21 "03 c4e3 ba" Z8,
	  { "ev=submit enc=GB18030 text~你" } },
	{ "P13: no err and no stat", SMPP, GW, RECEIPT("05 69643a4131"), /* id:A1 */
	  { "ev=report msgid=A1 !code !err" } },
	{ "P13: lower case, two blanks", SMPP, GW, /* ID:A1  Stat:delivrd  ERR:001 */
	  RECEIPT("1c 49443a41312020537461743a64656c69767264 20204552523a303031"),
	  { "ev=report msgid=A1 code=delivrd err=001" } },
	{ "P13: a NUL inside", SMPP, GW, /* id:A1 \0stat:DELIVRD */
	  RECEIPT("14 69643a413120 00" STAT), { "ev=report msgid=A1 code=DELIVRD" } },
	{ "P13: stat: in the text", SMPP, GW, /* id:A1 stat:UNDELIV text:stat:DELIVRD */
	  RECEIPT("25 69643a4131 20 737461743a554e44454c4956 20 746578743a" STAT),
	  { "ev=report msgid=A1 code=UNDELIV !conflict" } },
	{ "P13: text and TLV disagree", SMPP, GW, /* id:A1 stat:DELIVRD, message_state 5 */
	  RECEIPT("13 69643a413120" STAT "0427 0001 05"),
	  { "ev=report msgid=A1 conflict=true message_state=UNDELIV" } },
	{ "P14: DestUsr_tl 0", CMPP2, SP, CMPP2_SUBMIT("00", "", "02", "6869"),
	  { "ev=submit dsts=0 !dst" } },
	{ "P14: DestUsr_tl 200 of one", CMPP2, SP, CMPP2_SUBMIT("c8", NUMBER21, "02", "6869"),
	  { "ev=malformed reason~fewer" } },
	{ "P14: a report of 59", CMPP2, GW,
	  CMPP2_DELIVER("01", "3b", REPORT_HEAD NUMBER21 "000000"),
	  { "ev=report code=DELIVRD msgid=1105142942-104-7" } },
	{ "P14: a report of text", CMPP2, GW, CMPP2_DELIVER("01", "05", "68656c6c6f"),
	  { "ev=report undecodable=true !code", "ev=malformed reason~report" } },
	{ "P14: octets of 2.0 in a session of 3.0", CMPP3, SP,
	  CMPP2_SUBMIT("01", NUMBER21, "02", "6869"), { "ev=submit dst=138****8000 len=2" } },
	{ "P15: a command of no version", CMPP3, SP, "LLLLLLLL 00000003 00000007",
	  { "ev=malformed command=3 cmd=unknown seq=7" } },
	{ "P15: a response of no version", SMPP, GW, HEAD("80000114") "00",
	  { "ev=malformed command=2147483924" } },
	{ "P15: generic_nack to nothing", SMPP, GW, "LLLLLLLL 80000000 00000003 00000000",
	  { "ev=nack seq=0 code=3 unmatched=true" } },
	{ "P15: a status in a request", SMPP, SP,
	  "LLLLLLLL 00000004 00000058 00000007" NUMBERS FLAGS("00", "00") "02 6869",
	  { "ev=submit text=hi !code" } },
	{ "P16: a response to nothing", CMPP2, GW, "LLLLLLLL 80000004 00000007 b2b9da8000680007 00",
	  { "ev=submit_resp code=0 unmatched=true !rtt_us" } },
	{ "P16: a response from the wrong side", CMPP2, SP,
	  "LLLLLLLL 80000004 00000007 b2b9da8000680007 08", { "ev=submit_resp code=8 unmatched=true" } },
	{ "P17: outbind", SMPP, GW, HEAD("0000000b") "736d736300 73656372657400", { NULL } },
};

enum { ROWS = sizeof rows / sizeof *rows };

static struct scope_work work;

/* The frame of a row, on the heap. */
static uint8_t *frame_of(const char *hex, size_t *ret_n)
{
	uint8_t *p = malloc(strlen(hex));
	size_t n = 0;
	int high = -1;

	assert_non_null(p);
	for (; *hex; hex++) {
		int v = *hex <= '9' ? *hex - '0' : *hex - 'a' + 10;

		if (*hex == ' ')
			continue;
		if (*hex == 'L')
			v = 0;
		assert_in_range(v, 0, 15);
		if (high >= 0)
			p[n++] = (uint8_t)(high << 4 | v);
		high = high < 0 ? v : -1;
	}
	assert_int_equal(high, -1);
	bytes_put_u32(p, (uint32_t)n);
	*ret_n = n;
	return realloc(p, n);
}

static bool value_fits(json_t *v, const char *want, bool part)
{
	char *have = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	char *text = have;
	bool fits;

	assert_non_null(have);
	if (text[0] == '"') {
		text[strlen(text) - 1] = '\0';
		text++;
	}
	fits = part ? strstr(text, want) != NULL : strcmp(text, want) == 0;
	free(have);
	return fits;
}

/* The record's JSON line against one line of a row. */
static void expect_record(const char *says, int i)
{
	char line[RECORD_LINE_MAX + 1], copy[256], *at = copy, *word;
	struct record_style style = { .mask = MASK_PART, .show_text = true };
	size_t n = record_line_json(&work.records[i], &style, line, RECORD_LINE_MAX);
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);

	line[n] = '\0';
	if (o == NULL)
		fail_msg("no JSON: %s", line);
	snprintf(copy, sizeof(copy), "%s", says);
	while ((word = strsep(&at, " ")) != NULL) {
		size_t key = strcspn(word, "=~");
		bool part = word[key] == '~';

		if (word[0] == '!') {
			if (json_object_get(o, word + 1) != NULL)
				fail_msg("%s in %s", word + 1, line);
			continue;
		}
		word[key] = '\0';
		if (!value_fits(json_object_get(o, word), word + key + 1, part))
			fail_msg("not %s %s in %s", word, word + key + 1, line);
	}
	json_decref(o);
}

static struct scope *scope_for(int protocol)
{
	static const struct code_profile *const none[] = { NULL };
	static struct scope_link links[] = {
		[SMPP] = { .name = "lab", .proto = &proto_smpp },
		[CMPP2] = { .name = "lab", .proto = &proto_cmpp },
		[CMPP3] = { .name = "lab", .proto = &proto_cmpp },
	};
	static const uint8_t dialects[] = { [SMPP] = 0x34, [CMPP2] = 0x20, [CMPP3] = 0x30 };
	struct scope_link *link = &links[protocol];
	struct scope *s;

	link->profiles = none;
	link->pending = 16;
	link->show_text = true;
	s = scope_new(link, 1, "10.0.0.7:51312");
	assert_non_null(s);
	scope_resume(s, link->proto, dialects[protocol], true);
	return s;
}

static void feed(struct scope *s, enum side from, uint8_t *octets, size_t n)
{
	struct scope_frame f = { .octets = span_of(octets, n),
				 .from = from,
				 .mono_us = 1000,
				 .wall_ns = 1795259820123456789ull };

	(void)scope_pdu(s, &f, &work);
}

static void one_row(void **state)
{
	const struct row *row = *state;
	struct scope *s = scope_for(row->protocol);
	size_t n;
	uint8_t *octets = frame_of(row->hex, &n);
	int want = 0;

	feed(s, row->from, octets, n);
	while (want < SCOPE_RECORDS_MAX && row->says[want] != NULL)
		want++;
	for (int i = 0; i < work.count && i < want; i++)
		expect_record(row->says[i], i);
	assert_int_equal(work.count, want);
	free(octets);
	scope_free(s);
}

/* P10: a thousand of the same TLV, and one of 65535 octets that is all there. */
static void many_and_long_tlvs(void **state)
{
	static const char head[] = SUBMIT("00", "00", "00");
	struct scope *s = scope_for(SMPP);
	size_t n, at;
	uint8_t *octets = frame_of(head, &n);

	(void)state;
	octets = realloc(octets, n + 1000 * 6 + 65539);
	assert_non_null(octets);
	at = n;
	for (int i = 0; i < 1000; i++, at += 6)
		memcpy(octets + at, "\x02\x04\x00\x02\x12\x34", 6);
	memcpy(octets + at, "\x04\x24\xff\xff", 4);
	memset(octets + at + 4, 'x', 65535);
	at += 65539;
	bytes_put_u32(octets, (uint32_t)at);
	for (int round = 0; round < 10; round++) {
		feed(s, SIDE_SP, octets, at);
		assert_int_equal(work.count, 1);
		expect_record("ev=submit len=65535 text~xxxxxxxxxxxxxxxx", 0);
	}
	free(octets);
	scope_free(s);
}

/* P13: five thousand octets of receipt, its stat at the very end. */
static void long_receipt(void **state)
{
	static const char head[] = RECEIPT("00"), tail[] = " stat:EXPIRED err:034";
	struct scope *s = scope_for(SMPP);
	size_t n, body = 5000;
	uint8_t *octets = frame_of(head, &n);

	(void)state;
	octets = realloc(octets, n + 4 + body);
	assert_non_null(octets);
	memcpy(octets + n, "\x04\x24\x13\x88", 4);
	memset(octets + n + 4, 'y', body);
	memcpy(octets + n + 4, "id:A1 ", 6);
	memcpy(octets + n + 4 + body - strlen(tail), tail, strlen(tail));
	bytes_put_u32(octets, (uint32_t)(n + 4 + body));
	feed(s, SIDE_GW, octets, n + 4 + body);
	assert_int_equal(work.count, 1);
	expect_record("ev=report msgid=A1 code=EXPIRED err=034", 0);
	free(octets);
	scope_free(s);
}

int main(void)
{
	static struct CMUnitTest tests[ROWS + 2];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
						(void *)(uintptr_t)&rows[i] };
	tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(many_and_long_tlvs);
	tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(long_receipt);
	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
