#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smscope/receipt.h"
#include "smscope/text.h"
#include "vectors.h"

/*
 * Shapes of reports that real gateways send, values made up. A deliver_sm is put together by hand:
 * head, text, TLVs, as SMPP 3.4, section 4.6.1 lays it out.
 */
struct sample {
	const char *what;
	const char *text;   /* short_message */
	const char *tlvs;   /* hexadecimal */
	const char *id, *stat, *err, *submit, *done, *message;
	int state;
	uint8_t esm_class;
	enum receipt_kind kind;
	bool conflict, undecodable;
};

#define TLV_ID_42 "001e0003343200"
#define TLV_DELIVERED "0427000102"

static const struct sample shapes[] = {
	{ "the specification's",
	  "id:0123456789 sub:001 dlvrd:001 submit date:1701240904 done date:1701240905 "
	  "stat:DELIVRD err:000 text:hello", "", "0123456789", "DELIVRD", "000", "1701240904",
	  "1701240905", "hello",
	  2, 4, RECEIPT_FINAL, false, false },
	{ "1 no sub, no dlvrd",
	  "id:1500000001 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hi",
	  "", "1500000001", "DELIVRD", "000", "1701240904", "1701240904", "hi", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "2 no text, err last",
	  "id:7 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000", "", "7",
	  "DELIVRD", "000", "1701240904", "1701240904", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "3 no dates", "id:7 sub:001 dlvrd:001 stat:UNDELIV err:001", "", "7", "UNDELIV", "001",
	  "", "", "", 5, 4,
	  RECEIPT_FINAL, false, false },
	{ "4 dates of 12 digits",
	  "id:7 submit date:260905143140 done date:260905143145 stat:EXPIRED err:0", "", "7",
	  "EXPIRED", "0", "260905143140", "260905143145", "", 3, 4, RECEIPT_FINAL, false, false },
	{ "5 dates of 14 digits",
	  "id:7 submit date:20110314181534 done date:20110314181741 stat:DELIVRD", "", "7",
	  "DELIVRD", "", "20110314181534", "20110314181741", "", 2, 4, RECEIPT_FINAL, false,
	  false },
	{ "6 dates with the century",
	  "id:7 submit date:200809011130 done date:200809011130 stat:DELIVRD err:0", "", "7",
	  "DELIVRD", "0", "200809011130", "200809011130", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "7 ISO dates",
	  "id:7 submit date:2013-02-17 00:04:29 done date:2013-02-17 00:04:31 stat:DELIVRD err:0 "
	  "text:x",
	  "", "7", "DELIVRD", "0", "2013-02-17 00:04:29", "2013-02-17 00:04:31", "x", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "8 dates with an offset",
	  "id:7 submit date:180711070003912+ done date:180711070004012+ stat:DELIVRD err:000",
	  "", "7", "DELIVRD", "000", "180711070003912+", "180711070004012+", "", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "9 empty date", "id:7 submit date:0000000000 done date: stat:REJECTD err:5", "", "7",
	  "REJECTD", "5",
	  "0000000000", "", "", 8, 4, RECEIPT_FINAL, false, false },
	{ "10 Text", "id:7 stat:DELIVRD err:000 Text:Hello", "", "7", "DELIVRD", "000", "", "",
	  "Hello", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "11 err of four digits", "id:7 stat:UNDELIV err:5308 text:", "", "7", "UNDELIV", "5308",
	  "", "", "", 5, 4,
	  RECEIPT_FINAL, false, false },
	{ "12 err empty", "id:7 stat:DELIVRD err: text:a", "", "7", "DELIVRD", "", "", "", "a", 2,
	  4, RECEIPT_FINAL,
	  false, false },
	{ "12 err behind a blank", "id:7 stat:DELIVRD err: 0", "", "7", "DELIVRD", "0", "", "", "",
	  2, 4, RECEIPT_FINAL,
	  false, false },
	{ "13 err in letters", "id:7 stat:UNDELIV err:21b text:", "", "7", "UNDELIV", "21b", "",
	  "", "", 5, 4,
	  RECEIPT_FINAL, false, false },
	{ "14 err before stat", "id:7 err:123 stat:DND_REJECTED text:z", "", "7", "DND_REJECTED",
	  "123", "", "", "z", -1,
	  4, RECEIPT_FINAL, false, false },
	{ "15 any order, text not last",
	  "sub:001 id:99 err:000 dlvrd:001 done date:1701240904 text: stat:DELIVRD", "",
	  "99", "DELIVRD", "000", "", "1701240904", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "16 other words", "id:7 sub:001 stat:BUFFRED err:000", "", "7", "BUFFRED", "000", "", "",
	  "", -1, 4,
	  RECEIPT_INTERIM, false, false },
	{ "16 FAILED", "id:7 sub:001 stat:FAILED err:034", "", "7", "FAILED", "034", "", "", "",
	  -1, 4, RECEIPT_FINAL,
	  false, false },
	{ "17 long stat", "id:7 stat:EXP-MSG-Q-EXD err:1", "", "7", "EXP-MSG-Q-EXD", "1", "", "",
	  "", -1, 4,
	  RECEIPT_FINAL, false, false },
	{ "18 words behind stat", "id:7 stat:FAILED:Mob. Abst.|nt ext err:100", "", "7",
	  "FAILED:Mob. Abst.|nt ext", "100",
	  "", "", "", -1, 4, RECEIPT_FINAL, false, false },
	{ "19 numeric stat", "id:7 sub:001 stat:0 err:0", "", "7", "0", "0", "", "", "", -1, 4,
	  RECEIPT_FINAL, false,
	  false },
	{ "20 lower case", "ID:7 STAT:delivrd ERR:000", "", "7", "delivrd", "000", "", "", "", 2,
	  4, RECEIPT_FINAL, false,
	  false },
	{ "21 junk in front", "4790000000Sender^id:1054AA63 sub:0 dlvrd:1 stat:DELIVRD err:0", "",
	  "1054AA63", "DELIVRD",
	  "0", "", "", "", 2, 0, RECEIPT_FINAL, false, false },
	{ "21 question mark", "?id:55 sub:001 stat:DELIVRD err:000 text:'!<55>", "", "55",
	  "DELIVRD", "000", "", "",
	  "'!<55>", 2, 4, RECEIPT_FINAL, false, false },
	{ "22 dots for numbers", "id:7 sub:... dlvrd:... stat:DELIVRD err:000", "", "7", "DELIVRD",
	  "000", "", "", "", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "23 counts that lie", "id:7 sub:0 dlvrd:1 stat:ENROUTE err:000", "", "7", "ENROUTE",
	  "000", "", "", "", 1, 4,
	  RECEIPT_INTERIM, false, false },
	{ "26 binary in the text", "id:7 stat:DELIVRD err:000 text:a\x1b\xff", "", "7", "DELIVRD",
	  "000", "", "",
	  "a\x1b\xff", 2, 4, RECEIPT_FINAL, false, false },
	{ "27 TLVs only", "", TLV_ID_42 TLV_DELIVERED, "42", "DELIVRD", "", "", "", "", 2, 4,
	  RECEIPT_FINAL, false, false },
	{ "27 TLVs only, esm_class 0", "", TLV_ID_42 TLV_DELIVERED, "42", "DELIVRD", "", "", "",
	  "", 2, 0, RECEIPT_FINAL,
	  false, false },
	{ "28 message_payload", "", "0424001c"
	  "69643a3720737461743a554e44454c4956206572723a3030312020" "20", "7", "UNDELIV",
	  "001", "", "", "", 5, 4, RECEIPT_FINAL, false, false },
	{ "30 esm_class 0", "id:7 sub:001 dlvrd:001 stat:DELIVRD err:000 text:", "", "7",
	  "DELIVRD", "000", "", "", "", 2,
	  0, RECEIPT_FINAL, false, false },
	{ "31 esm_class 0x20", "id:7 sub:001 stat:ENROUTE err:000", "", "7", "ENROUTE", "000", "",
	  "", "", 1, 0x20,
	  RECEIPT_INTERIM, false, false },
	{ "31 accepted first", "id:7 sub:001 stat:ACCEPTD err:000", "", "7", "ACCEPTD", "000", "",
	  "", "", 6, 4,
	  RECEIPT_INTERIM, false, false },
	{ "32 a bare token", "ACK/", "", "", "", "", "", "", "", -1, 4, RECEIPT_FINAL, false,
	  true },
	{ "33 digits for an error", "id:7 stat:UNDELIV", "04230003303031", "7", "UNDELIV", "001",
	  "", "", "", 5, 4,
	  RECEIPT_FINAL, false, false },
	{ "35 vendor TLVs", "id:7 stat:DELIVRD err:000", "14030005333130303114010001aa", "7",
	  "DELIVRD", "000", "", "", "",
	  2, 4, RECEIPT_FINAL, false, false },
	{ "36 text against TLV", "id:7 stat:UNKNOWN err:000", "0427000109", "7", "UNKNOWN", "000",
	  "", "", "", 9, 4,
	  RECEIPT_FINAL, true, false },
	{ "37 state 0", "id:7 err:000", "0427000100", "7", "SCHEDULED", "000", "", "", "", 0, 4,
	  RECEIPT_INTERIM, false,
	  false },
	{ "38 hex in the TLV", "id:0059113978 stat:DELIVRD err:000",
	  "001e00083338363031666100" TLV_DELIVERED, "38601fa",
	  "DELIVRD", "000", "", "", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "38 other case, padded", "id:00ABcd12 stat:DELIVRD err:000", "001e000761624344313200",
	  "abCD12", "DELIVRD", "000",
	  "", "", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "38 another id", "id:8 stat:DELIVRD err:000", TLV_ID_42, "42", "DELIVRD", "000", "", "",
	  "", 2, 4, RECEIPT_FINAL,
	  true, false },
	{ "41 status and underscores",
	  "id:7 submit_date:1701240904 done_date:1701240905 status:DELIVRD err:0", "", "7",
	  "DELIVRD", "0", "1701240904", "1701240905", "", 2, 4, RECEIPT_FINAL, false, false },
	{ "42 composite err", "id:7 stat:UNDELIV err:MK:0001 text:", "", "7", "UNDELIV", "MK:0001",
	  "", "", "", 5, 4,
	  RECEIPT_FINAL, false, false },
	{ "labels inside the text", "id:7 stat:UNDELIV err:001 text:id:9 stat:DELIVRD err:000", "",
	  "7", "UNDELIV", "001",
	  "", "", "id:9 stat:DELIVRD err:000", 5, 4, RECEIPT_FINAL, false, false },
	{ "two blanks", "id:7  stat:DELIVRD  err:000  text:a", "", "7", "DELIVRD", "000", "", "",
	  "a", 2, 4, RECEIPT_FINAL,
	  false, false },
	{ "an inbound message", "where is my id: it is 5", "", "", "", "", "", "", "", -1, 0,
	  RECEIPT_NONE, false, false },
	{ "an inbound message with two of the labels", "id:7 stat:ok", "", "", "", "", "", "", "",
	  -1, 0, RECEIPT_NONE, false,
	  false },
	{ "an inbound message with a colon", "grid:7 thermostat:5 overr:1", "", "", "", "", "", "",
	  "", -1, 0, RECEIPT_NONE,
	  false, false },
	{ "nothing at all", "", "", "", "", "", "", "", "", -1, 0, RECEIPT_NONE, false, false },
};

static void put_octets(struct out *o, const char *hex)
{
	size_t n;
	uint8_t *p = octets_of(hex, &n);

	out_put(o, p, n);
	free(p);
}

/* A deliver_sm from 8613800138000 to 1069. */
static uint8_t *deliver(uint8_t esm_class, uint8_t coding, struct span text, const char *tlvs,
	size_t *ret_n)
{
	char frame[2048];
	struct out o = out_of(frame, sizeof(frame));
	uint8_t *copy;

	put_octets(&o, "00000000000000050000000000000001" "00" "0101"
		"3836313338303031333830303000" "0000" "3130363900");
	out_char(&o, (char)esm_class);
	put_octets(&o, "0000" "0000" "0000");
	out_char(&o, (char)coding);
	out_char(&o, 0);
	out_char(&o, (char)text.n);
	out_put(&o, text.p, text.n);
	put_octets(&o, tlvs);
	assert_false(o.full);
	*ret_n = out_len(&o);
	copy = malloc(*ret_n);
	memcpy(copy, frame, *ret_n);
	bytes_put_u32(copy, (uint32_t)*ret_n);
	return copy;
}

static void same(const char *what, const char *key, struct span have, const char *want)
{
	if (have.n != strlen(want) || memcmp(have.p, want, have.n) != 0)
		fail_msg("%s: %s is \"%.*s\", not \"%s\"", what, key, (int)have.n,
			(const char *)have.p, want);
}

static void check(const struct sample *s, const struct receipt *r)
{
	if (r->kind != s->kind || r->state != s->state || r->conflict != s->conflict ||
	    r->undecodable != s->undecodable)
		fail_msg("%s: kind %d state %d conflict %d undecodable %d", s->what, r->kind,
			r->state, r->conflict,
			r->undecodable);
	if (r->kind == RECEIPT_NONE)
		return;
	same(s->what, "id", r->id, s->id);
	same(s->what, "stat", r->stat, s->stat);
	same(s->what, "err", r->err, s->err);
	same(s->what, "submit date", r->submit_date, s->submit);
	same(s->what, "done date", r->done_date, s->done);
	same(s->what, "text", r->text, s->message);
	same(s->what, "dst", r->dst, "8613800138000");
}

static struct span text_of(const char *s)
{
	return span_of(s, strlen(s));
}

static void shapes_of_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct sample *s = &shapes[i];
		struct receipt r;
		struct pdu pdu;
		size_t n;
		uint8_t *frame = deliver(s->esm_class, 0, text_of(s->text), s->tlvs, &n);

		if (pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)) != SM_OK)
			fail_msg("%s: does not parse", s->what);
		receipt_read(&pdu, &r);
		check(s, &r);
		free(frame);
	}
}

/* 24, 40: the same texts as UTF-16BE, with data_coding 8; with a NUL that sm_length counts. */
static void shapes_in_two_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct sample *s = &shapes[i];
		char wide[512];
		struct out o = out_of(wide, sizeof(wide));
		struct receipt r;
		struct pdu pdu;
		size_t n;
		uint8_t *frame;

		for (const char *p = s->text; *p != '\0'; p++)
			out_put(&o, (const char[]){ 0, *p }, 2);
		if (out_len(&o) < 16 || out_len(&o) > 253 || strchr(s->text, '\x1b') != NULL)
			continue;
		for (int nul = 0; nul < 2; nul++) {
			frame = deliver(s->esm_class, 8, span_of(wide, out_len(&o)), s->tlvs, &n);
			assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)),
				SM_OK);
			receipt_read(&pdu, &r);
			check(s, &r);
			free(frame);
			out_char(&o, 0);
		}
	}
}

/* 25: data_coding 8, though the text is ASCII. 40: a NUL behind the text. */
static void other_encodings(void **state)
{
	static const char text[] = "id:7 sub:001 stat:DELIVRD err:000";
	struct receipt r;
	struct pdu pdu;
	size_t n;
	uint8_t *frame = deliver(4, 8, span_of(text, sizeof(text)), "", &n);

	(void)state;
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	assert_int_equal(receipt_read(&pdu, &r), RECEIPT_FINAL);
	same("25", "err", r.err, "000");
	assert_int_equal(r.state, 2);
	assert_int_equal(r.raw.n, sizeof(text));
	free(frame);
}

/* 29: a data_sm has its text in message_payload. Source of the layout: SMPP 3.4, section 4.7.1. */
static void data_sm(void **state)
{
	static const char hex[] = "000000000000010300000000000000010001013836313300" "0000"
		"3130363900" "040000"
		"04240020" "69643a3720737461743a44454c49565244206572723a30303020746578743a61";
	struct receipt r;
	struct pdu pdu;
	size_t n;
	uint8_t *frame = octets_of(hex, &n);

	(void)state;
	bytes_put_u32(frame, (uint32_t)n);
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	assert_int_equal(receipt_read(&pdu, &r), RECEIPT_FINAL);
	same("data_sm", "stat", r.stat, "DELIVRD");
	same("data_sm", "text", r.text, "a");
	same("data_sm", "dst", r.dst, "8613");
	free(frame);
}

static void network_errors(void **state)
{
	struct receipt r;
	struct pdu pdu;
	size_t n;
	uint8_t *frame = deliver(4, 0, text_of("id:7 stat:UNDELIV err:00B"), "04230003030022", &n);

	(void)state;
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	receipt_read(&pdu, &r);
	assert_true(r.has_network_error);
	assert_int_equal(r.network_type, 3);
	assert_int_equal(r.network_error, 0x22);
	same("text and TLV", "err", r.err, "00B");
	free(frame);
	frame = deliver(4, 0, text_of("id:7 stat:UNDELIV"), "0423000430313233", &n); /* 34 */
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	receipt_read(&pdu, &r);
	assert_false(r.has_network_error);
	same("34", "err", r.err, "0123");
	free(frame);
}

/* A user data header stands before the text; one that is longer than the message does not. */
static void behind_a_header(void **state)
{
	struct receipt r;
	struct pdu pdu;
	size_t n;
	uint8_t *frame = deliver(0x44, 0,
		text_of("\x05\x04\x03\x01\x02\x01id:7 stat:DELIVRD err:0"), "", &n);

	(void)state;
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	assert_int_equal(receipt_read(&pdu, &r), RECEIPT_FINAL);
	same("UDH", "id", r.id, "7");
	free(frame);
	frame = deliver(0x44, 0, text_of("\xff"), "", &n);
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(frame, n)), SM_OK);
	assert_int_equal(receipt_read(&pdu, &r), RECEIPT_FINAL);
	assert_true(r.undecodable);
	free(frame);
}

static void check_vector(json_t *v, const struct receipt *r)
{
	json_t *fields = json_object_get(v, "fields"),
		*text = json_object_get(fields, "receipt_text");
	json_t *report = json_object_get(fields, "report"), *tlv;
	const char *what = vector_str(v, "id"), *id = vector_str(text, "id");
	size_t i;

	if (report != NULL) {
		assert_true(r->id_binary);
		assert_true(span_uint(r->id) == strtoull(vector_str(json_object_get(report,
			"Msg_Id"), "raw"), NULL, 16));
		same(what, "Stat", r->stat, vector_str(report, "Stat"));
		same(what, "Submit_time", r->submit_date, vector_str(report, "Submit_time"));
		same(what, "Done_time", r->done_date, vector_str(report, "Done_time"));
		same(what, "Dest_terminal_Id", r->dst, vector_str(report, "Dest_terminal_Id"));
		assert_int_equal(r->smsc_sequence,
			json_integer_value(json_object_get(report, "SMSC_sequence")));
		return;
	}
	json_array_foreach(json_object_get(fields, "tlvs"), i, tlv) {
		if (strcmp(vector_str(tlv, "name"), "receipted_message_id") == 0)
			id = vector_str(tlv, "value");
		if (strcmp(vector_str(tlv, "name"), "message_state") == 0)
			assert_int_equal(r->state,
				json_integer_value(json_object_get(tlv, "value")));
	}
	assert_false(r->conflict);
	same(what, "id", r->id, id);
	if (text == NULL)
		return;
	same(what, "stat", r->stat, vector_str(text, "stat"));
	same(what, "err", r->err, vector_str(text, "err"));
	same(what, "submit date", r->submit_date, vector_str(text, "submit date"));
	same(what, "done date", r->done_date, vector_str(text, "done date"));
}

static void reports_of_vectors(void **state)
{
	json_t *vectors = vectors_load(), *v;
	size_t i, n, reports = 0;

	(void)state;
	json_array_foreach(vectors, i, v) {
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);
		bool is_report = strstr(vector_str(v, "id"), "-receipt") != NULL ||
			strstr(vector_str(v, "id"), "-report") != NULL ||
				strstr(vector_str(v, "id"), "intermediate") != NULL;
		struct receipt r;
		struct pdu pdu;

		if (pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
			span_of(octets, n)) == SM_OK ||
		    strcmp(vector_str(v, "id"), "smpp-deliver_sm-receipt-cut") == 0) {
			receipt_read(&pdu, &r);
			if ((r.kind != RECEIPT_NONE) != is_report)
				fail_msg("%s: kind %d", vector_str(v, "id"), r.kind);
			if (is_report)
				check_vector(v, &r);
			reports += is_report;
		}
		free(octets);
	}
	assert_true(reports >= 16);
	json_decref(vectors);
}

/* DELIVER 2.0 with Registered_Delivery 1 and a content of `n` octets. */
static enum receipt_kind cmpp_content(const void *content, uint8_t n, struct receipt *ret)
{
	static uint8_t frame[85 + 255];
	struct pdu pdu;

	memset(frame, 0, sizeof(frame));
	bytes_put_u32(frame, 85u + n);
	bytes_put_u32(frame + 4, 5);
	frame[75] = 1;
	frame[76] = n;
	memcpy(frame + 77, content, n);
	assert_int_equal(pdu_parse(&pdu, &proto_cmpp, 0x20, span_of(frame, 85u + n)), SM_OK);
	return receipt_read(&pdu, ret);
}

static void cmpp_lengths(void **state)
{
	static const char report[] = "\x17\xa5\xe1\xc1\x86\xa1\x12\x34" "MB:0064" "2401150930"
		"2401150931"
		"13800138000\0\0\0\0\0\0\0\0\0\0" "\0\0\0\7" "more than a report has";
	struct receipt r;

	(void)state;
	assert_int_equal(cmpp_content(report, 60, &r), RECEIPT_FINAL);
	same("60", "Dest_terminal_Id", r.dst, "13800138000");
	same("60", "Stat", r.stat, "MB:0064");
	assert_int_equal(r.smsc_sequence, 7);
	assert_int_equal(cmpp_content(report, 35, &r), RECEIPT_FINAL);
	same("35", "Stat", r.stat, "MB:0064");
	same("35", "Done_time", r.done_date, "2401150931");
	assert_int_equal(r.dst.n, 0);
	assert_false(r.undecodable);
	assert_int_equal(cmpp_content(report, 34, &r), RECEIPT_FINAL);
	assert_true(r.undecodable);
	assert_int_equal(r.stat.n, 0);
	assert_int_equal(r.raw.n, 34);
	/* flagged as a report, but a text in GBK */
	assert_int_equal(cmpp_content("\xd6\xd0\xce\xc4\xb2\xe2\xca\xd4"
		"\xd6\xd0\xce\xc4\xb2\xe2\xca\xd4"
		"\xd6\xd0\xce\xc4\xb2\xe2\xca\xd4\xd6\xd0\xce\xc4\xb2\xe2\xca\xd4\xd6\xd0\xce\xc4",
		36, &r), RECEIPT_FINAL);
	assert_true(r.undecodable);
	assert_int_equal(r.id.n, 0);
}

static void states_and_words(void **state)
{
	(void)state;
	for (int i = 0; i <= 9; i++)
		assert_int_equal(receipt_state_of(text_of(receipt_state_word(i))), i);
	assert_int_equal(receipt_state_of(text_of("deliVRD")), 2);
	assert_int_equal(receipt_state_of(text_of("DELIVR")), -1);
	assert_int_equal(receipt_state_of(text_of("")), -1);
	assert_null(receipt_state_word(10));
	assert_null(receipt_state_word(-1));
}

static void message_ids(void **state)
{
	char text[40];

	(void)state;
	/* fields of vectors.json, cmpp-deliver-20-report-mk */
	same("id", "text", span_of(text, msgid_text(0x17a5e1c186a11234, text, sizeof(text))),
		"0115093007-100001-4660");
	same("id", "text", span_of(text, msgid_text(0, text, sizeof(text))), "0000000000000000");
	same("id", "text", span_of(text, msgid_text(0xffffffffffffffff, text, sizeof(text))),
		"FFFFFFFFFFFFFFFF");
	assert_int_equal(msgid_text(0x17a5e1c186a11234, text, 4), 4);
}

/* Without a PDU around it: a stat alone is enough, an id needs company. */
static void without_a_pdu(void **state)
{
	static const struct {
		const char *text;
		enum receipt_kind kind;
	} cases[] = {
		{ "stat:DELIVRD", RECEIPT_FINAL }, { "err:021 Stat: ENROUTE ", RECEIPT_INTERIM },
		{ "id:7 sub:001 err:000", RECEIPT_FINAL }, { "id:7 err:000", RECEIPT_NONE },
		{ "00000010 00000015: 0c", RECEIPT_NONE }, { "state:DELIVRD", RECEIPT_NONE },
		{ "", RECEIPT_NONE },
	};
	uint8_t body[72] = { 0xb2, 0xb9, 0xda, 0x80, 0, 1 };
	struct receipt r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = strlen(cases[i].text);
		char *exact = malloc(n > 0 ? n : 1);

		memcpy(exact, cases[i].text, n);
		if (receipt_of_text(span_of(exact, n), &r) != cases[i].kind)
			fail_msg("%s", cases[i].text);
		free(exact);
	}
	memcpy(body + 8, "UNDELIV26091602472609160248", 27);
	for (size_t n = 0; n <= sizeof(body); n++) {
		uint8_t *exact = malloc(n > 0 ? n : 1);

		memcpy(exact, body, n);
		assert_int_equal(receipt_of_cmpp(span_of(exact, n), &r),
			n == 60 || n == 71 ? RECEIPT_FINAL : RECEIPT_NONE);
		free(exact);
	}
	body[20] = 'x'; /* no time */
	assert_int_equal(receipt_of_cmpp(span_of(body, 60), &r), RECEIPT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_of_text), cmocka_unit_test(shapes_in_two_octets),
		cmocka_unit_test(other_encodings), cmocka_unit_test(data_sm),
			cmocka_unit_test(network_errors),
		cmocka_unit_test(behind_a_header), cmocka_unit_test(reports_of_vectors),
		cmocka_unit_test(cmpp_lengths), cmocka_unit_test(states_and_words),
			cmocka_unit_test(message_ids), cmocka_unit_test(without_a_pdu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
