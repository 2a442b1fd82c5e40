#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "smscope/scope.h"

/*
 * PDUs of other programs' tests, or written out from the layouts of the specifications, as named
 * beside them. Where a test needs another status or sequence, it writes it at its offset of the
 * header.
 */
#define CONNECT_20 /* CMPP 2.0, 7.4.1 */ \
	"000000270000000100000001393030303031e1f3c5e56ed1244e32c46f626f83b2ed2006dc2e0f"
#define CONNECT_30 /* CMPP 3.0, 8.4.1.1 */ \
	"000000270000000100000002393030303031e1f3c5e56ed1244e32c46f626f83b2ed3006dc2e0f"
#define CONNECT_21 /* gocmpp e611134 */ \
	"00000027000000010000001739303030303190d00c1d517abd0b4f65f6bcf8535d16213cdc73be"
#define CONNECT_RESP_21                                                                            \
	"0000001e8000000100000017006c0b846e25bab6daa4ed1c466e0f4bd821" /* gocmpp e611134 */
#define CONNECT_RESP_30                                                                            \
	"000000218000000100000017000000007942977274098cf210ab0c16c367bc8d30" /* gocmpp e611134 */
#define CONNECT_RESP_FAIL                                                                          \
	"0000001e8000000100000001030000000000000000000000000000000020" /* CMPP 2.0, 7.4.1.2 */
#define SUBMIT_20 /* gocmpp e611134 */ \
	"000000bd00000004000000170000000000000000010101017465737400000000000002313335303030303236" \
	"3936000000000000000000000000083930303030313032313000000000313531313035313331353535313031" \
	"2b00000000000000000000000000000000000039303030303100000000000000000000000000000001313335" \
	"3030303032363936000000000000000000001e6d4b8bd50067006f0063006d00700070002000730075006200" \
	"6d006900740000000000000000"
#define SUBMIT_RESP_20 "000000158000000400000017b2b9da800001000000" /* gocmpp e611134 */
#define SUBMIT_RESP_30 "000000188000000400000017b2b9da800001000000000000" /* gocmpp e611134 */
#define DELIVER_MO /* gocmpp e611134 */ \
	"000000670000000500000005b525628000010000393030303031000000000000000000000000000000000000" \
	"0000000000000000000031333431323334303030300000000000000000000000125468697320697320612074" \
	"657374204d4f2e0000000000000000"
#define REPORT_MK /* CMPP 2.0, 7.4.5.1 */ \
	"00000091000000050000002117a5f00186a11235313036393030303100000000000000000000000000535643" \
	"31000000000000000000313338303031333830303000000000000000000000013c17a5e1c186a112344d4b3a" \
	"3030303132343031313530393330323430313135303933313133383030313338303030000000000000000000" \
	"00112233440000000000000000"
#define DELIVER_RESP_20 "000000158000000500000005b52562800001000000" /* gocmpp e611134 */
#define ACTIVE_TEST "0000000c0000000800000017" /* gocmpp e611134 */
#define TERMINATE "0000000c0000000200000017" /* gocmpp e611134 */
#define BIND_TRX /* cloudhopper 193d1c4 */ \
	"00000023000000090000000000039951414c4c5f545700414c4c5f5457000034010200"
#define BIND_TRX_RESP                                                                              \
	"0000001d800000090000000000039943536d7363204757000210000134" /* cloudhopper 193d1c4 */
#define BIND_TX_RESP_ERR "00000010800000020000000f00000001" /* smppex a7f8829 */
#define SUBMIT_SM /* cloudhopper 193d1c4 */ \
	"00000039000000040000000000004fe800010134303430340001013434393531333631393230000000000000" \
	"01000000084024232125262f3a"
#define SUBMIT_SM_SAR /* SMPP 3.4, 4.4.1 and 5.3.2.22 to 24 */ \
	"0000004a00000004000000000000000957415000000031303639000101383631333830303133383030300000" \
	"00000000010000000568656c6c6f020c00021234020e000103020f000101"
#define RECEIPT /* cloudhopper 193d1c4 */ \
	"000000ba00000005000000000000000200010134343935313336313932300001013430343034000400000000" \
	"000000006e69643a30303539313133393738207375623a30303120646c7672643a303031207375626d697420" \
	"646174653a3130303231303137333020646f6e6520646174653a3130303231303137333120737461743a4445" \
	"4c49565244206572723a30303020746578743a4024232125262f3a000e0001010006000101001e0008333836" \
	"30316661000427000102"
#define RECEIPT_TLV /* smppex a7f8829 */ \
	"000000330000000500000000000000000001023132330004053435360004000000000000000000001e000334" \
	"32000427000102"
#define DELIVER_RESP_FAIL "00000011800000050000006400116ac700" /* SMPP 3.4, 4.6.2 */
#define NACK "00000010800000000000000100082a77" /* cloudhopper 193d1c4 */
#define UNKNOWN_PDU "0000001000000110000000000a342ee7" /* cloudhopper 193d1c4 */
#define QUERY_RESP "00000019800000030000000000004fe8313233343500000600" /* cloudhopper 193d1c4 */
#define ENQUIRE "0000001000000015000000000a342ee7" /* cloudhopper 193d1c4 */

static struct code_set *codes;
static struct scope_work work;
static uint8_t octets[1024];

static size_t unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		octets[i] = (uint8_t)v;
	}
	return n;
}

static int feed_octets(struct scope *s, enum side from, size_t n, uint64_t us)
{
	struct scope_frame f = { .octets = span_of(octets, n), .from = from, .mono_us = us,
		.wall_ns = 1795259820123456789ull };

	return scope_pdu(s, &f, &work);
}

static int feed(struct scope *s, enum side from, const char *hex, uint64_t us)
{
	return feed_octets(s, from, unhex(hex), us);
}

/* The same with another sequence number. */
static int feed_as(struct scope *s, enum side from, const char *hex, uint32_t sequence, uint64_t us)
{
	size_t n = unhex(hex);

	bytes_put_u32(octets + (bytes_u32(octets + 4) == 4 && n > 100 ? 8
				: n == 21 || n == 24                  ? 8
								      : 12),
		      sequence);
	return feed_octets(s, from, n, us);
}

static const char *line(int i, bool json)
{
	static char to[RECORD_LINE_MAX + 1];
	struct record_style style = {.mask = MASK_PART, .utc_offset_s = 8 * 3600, .lang = LANG_EN};
	size_t n;

	assert_in_range(i, 0, work.count - 1);
	n = json ? record_line_json(&work.records[i], &style, to, RECORD_LINE_MAX)
		 : record_line_text(&work.records[i], &style, to, RECORD_LINE_MAX);
	to[n] = '\0';
	return to;
}

static void expect(int i, const char *part)
{
	if (strstr(line(i, false), part) == NULL)
		fail_msg("no \"%s\" in: %s", part, line(i, false));
}

static void refuse(int i, const char *part)
{
	if (strstr(line(i, false), part) != NULL)
		fail_msg("\"%s\" in: %s", part, line(i, false));
}

static struct scope *scope_of(const struct proto *proto, const char *profile, uint32_t pending)
{
	static const struct code_profile *profiles[3];
	static struct scope_link link;
	struct scope *s;

	profiles[0] = codes_profile(codes, profile);
	assert_non_null(profiles[0]);
	link = (struct scope_link){.name = "lab",
				   .proto = proto,
				   .codes = codes,
				   .profiles = profiles,
				   .pending = pending};
	s = scope_new(&link, 17, "10.0.0.7:51312");
	assert_non_null(s);
	return s;
}

static void cmpp_login_is_one_record(void **state)
{
	struct scope *s = scope_of(NULL, "standard", 16);
	struct scope_summary x;

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, CONNECT_21, 1000), 0);
	scope_summary(s, &x);
	assert_int_equal(x.login, LOGIN_ASKED);
	assert_int_equal(feed(s, SIDE_GW, CONNECT_RESP_21, 4500), 1);
	assert_int_equal(work.records[0].kind, REC_LOGIN);
	expect(0, " lab      CONNECT_RESP status=0 «");
	expect(0, " source_addr=900001 peer=10.0.0.7:51312 version=\"CMPP 2.1\" ");
	expect(0, " rtt=3.5ms");
	refuse(0, "unmatched");
	refuse(0, "asked=");
	scope_summary(s, &x);
	assert_int_equal(x.login, LOGIN_DONE);
	assert_string_equal(x.account, "900001");
	scope_free(s);
}

static void refused_login_says_why(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);
	struct scope_summary x;

	(void)state;
	feed(s, SIDE_SP, CONNECT_20, 1000);
	assert_int_equal(feed(s, SIDE_GW, CONNECT_RESP_FAIL, 2000), 1);
	expect(0, "CONNECT_RESP status=3 «");
	refuse(0, "unknown");
	scope_summary(s, &x);
	assert_int_equal(x.login, LOGIN_REFUSED);
	scope_free(s);
}

/* protocols/cmpp.md section 12: the length of CONNECT_RESP decides, not the version asked for. */
static void response_length_decides_the_dialect(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);

	(void)state;
	feed(s, SIDE_SP, CONNECT_30, 1000);
	unhex(CONNECT_RESP_FAIL);
	octets[12] = 0;
	octets[11] = 2;
	assert_int_equal(feed_octets(s, SIDE_GW, 30, 2000), 1);
	expect(0, "version=\"CMPP 2.0\" asked=\"CMPP 3.0\"");
	assert_int_equal(feed(s, SIDE_SP, SUBMIT_20, 3000), 1);
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_20, 4000), 1);
	expect(0, "result=0");
	scope_free(s);
}

static void smpp_login_names_the_account(void **state)
{
	struct scope *s = scope_of(NULL, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, BIND_TRX, 1000), 0);
	unhex(BIND_TRX_RESP);
	octets[15] = 0x51;
	assert_int_equal(feed_octets(s, SIDE_GW, 29, 2000), 1);
	expect(0, " BIND_RESP    status=0x00000000 «");
	expect(0, " system_id=ALL_TW peer=10.0.0.7:51312 as=transceiver version=\"SMPP 3.4\"");
	scope_free(s);
}

static void smpp_refusal_without_a_body(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, BIND_TX_RESP_ERR, 2000), 1);
	expect(0, "status=0x0000000F «");
	expect(0, " as=transmitter ");
	expect(0, " unmatched=1");
	scope_free(s);
}

static void submit_and_response_are_joined(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);
	struct scope_summary x;

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, SUBMIT_20, 1000), 1);
	assert_int_equal(work.records[0].kind, REC_SUBMIT);
	expect(0, "SUBMIT       seq=23 dst=135****2696 src=900001 enc=");
	expect(0, " len=30");
	refuse(0, "dsts");
	scope_summary(s, &x);
	assert_int_equal(x.unanswered[SIDE_SP], 1);
	assert_int_equal(x.oldest_us[SIDE_SP], 1000);
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_20, 42000), 1);
	expect(0, "SUBMIT_RESP  seq=23 result=0 «");
	expect(0, " msgid=1105142942-1-0 rtt=41ms dst=135****2696");
	scope_summary(s, &x);
	assert_int_equal(x.unanswered[SIDE_SP], 0);
	scope_free(s);
}

/* faults.md P16. */
static void stray_responses_are_flagged(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_20, 1000), 1); /* without a request */
	expect(0, "unmatched=1");
	refuse(0, "rtt=");
	feed(s, SIDE_SP, SUBMIT_20, 2000);
	assert_int_equal(feed(s, SIDE_SP, SUBMIT_RESP_20, 3000), 1); /* from the wrong side */
	expect(0, "unmatched=1");
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_20, 4000), 1);
	refuse(0, "unmatched");
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_20, 5000), 1); /* twice */
	expect(0, "unmatched=1");
	scope_free(s);
}

static void each_direction_has_its_own_sequence(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	feed_as(s, SIDE_SP, ENQUIRE, 5, 1000);
	feed_as(s, SIDE_GW, RECEIPT, 5, 2000);
	assert_int_equal(feed_as(s, SIDE_SP, DELIVER_RESP_FAIL, 5, 3000), 1);
	assert_int_equal(work.records[0].kind, REC_DELIVER_RESP);
	expect(0, "rtt=1.0ms");
	refuse(0, "unmatched");
	scope_free(s);
}

static void infox_result_eight(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "infox", 16);
	size_t n;

	(void)state;
	feed(s, SIDE_SP, SUBMIT_20, 1000);
	n = unhex(SUBMIT_RESP_20);
	octets[20] = 8;
	assert_int_equal(feed_octets(s, SIDE_GW, n, 2000), 1);
	assert_true(work.records[0].answer_count > 0);
	assert_string_equal(work.records[0].answers[0].row->zh, "流量控制错");
	assert_non_null(strstr(line(0, true), "\"code\":8,\"table\":\"infox-submit\""));
	scope_free(s);
}

static void cmpp_report(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "infox", 16);
	size_t n;

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, REPORT_MK, 1000), 1);
	assert_int_equal(work.records[0].kind, REC_REPORT);
	expect(0, "REPORT       msgid=0115093007-100001-4660 stat=MK:0001 «");
	expect(0, "dst=138****8000 submitted=2401150930 done=2401150931");
	n = unhex(REPORT_MK);
	memcpy(memmem(octets, n, "MK:0001", 7), "MB:0064", 7);
	assert_int_equal(feed_octets(s, SIDE_GW, n, 1000), 1);
	assert_string_equal(work.records[0].answers[0].nested[0].row->zh, "地址错误");
	memcpy(memmem(octets, n, "MB:0064", 7), "ZZ:0064", 7);
	assert_int_equal(feed_octets(s, SIDE_GW, n, 1000), 1);
	expect(0, "stat=ZZ:0064 «unknown»");
	scope_free(s);
}

static void smpp_receipt(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, RECEIPT, 1000), 1);
	expect(0, " stat=DELIVRD «");
	expect(0, " err=000");
	expect(0, " dst=449****1920 submitted=1002101730 done=1002101731");
	refuse(0, "conflict");
	assert_int_equal(feed(s, SIDE_GW, RECEIPT_TLV, 1000), 1);
	expect(0, "msgid=42 stat=DELIVRD «");
	scope_free(s);
}

/* network_error_code: 1 network type | 2 error. SMPP 3.4, 5.3.2.31. 27 in MAP is not 27 in RP-Cause. */
static void network_error(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "infox", 16);
	size_t n = unhex(RECEIPT_TLV "0423000303001b");

	(void)state;
	octets[3] = (uint8_t)n;
	assert_int_equal(feed_octets(s, SIDE_GW, n, 1000), 1);
	expect(0, " net_type=3 net_error=27 net_table=gsm-map-error net_zh=用户不在服务区或关机 net_en=\"absent subscriber\"");
	expect(0, " net_also_table=gsm-rp-cause net_also_zh=目的终端不可用 net_also_en=\"destination out of order\"");
	assert_non_null(strstr(line(0, true), "\"net_table\":\"gsm-map-error\""));
	octets[n - 3] = 8;
	assert_int_equal(feed_octets(s, SIDE_GW, n, 1000), 1);
	expect(0, " net_type=8 net_error=27");
	refuse(0, "net_table");
	scope_free(s);
}

static void inbound_message(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, DELIVER_MO, 1000), 1);
	expect(0, "DELIVER      seq=5 msgid=1110092210-1-0 dst=");
	expect(0, "src=134****0000");
	expect(0, "len=18");
	assert_null(strstr(line(0, true), "This is a test"));
	assert_int_equal(feed(s, SIDE_SP, DELIVER_RESP_20, 2000), 0); /* only a refusal shows */
	scope_free(s);
}

static void keepalives_give_no_record(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 16);
	struct scope_summary x;

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, ACTIVE_TEST, 7000), 0);
	assert_int_equal(feed(s, SIDE_GW, TERMINATE, 8000), 0);
	scope_summary(s, &x);
	assert_int_equal(x.probe_us[SIDE_SP], 7000);
	assert_int_equal(x.probe_us[SIDE_GW], 0);
	assert_true(x.logout);
	assert_int_equal(x.logout_by, SIDE_GW);
	assert_string_equal(x.last[SIDE_SP], "CMPP_ACTIVE_TEST");
	assert_int_equal(x.unanswered[SIDE_SP], 1);
	scope_free(s);
}

static void nack_names_what_it_refuses(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	feed_as(s, SIDE_SP, SUBMIT_SM, 535159, 1000);
	assert_int_equal(feed(s, SIDE_GW, NACK, 2000), 1);
	expect(0, "NACK         seq=535159 status=0x00000001 «");
	expect(0, "from=gw of=submit_sm");
	scope_free(s);
}

static void parts_of_a_long_message(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, SUBMIT_SM_SAR, 1000), 1);
	expect(0, " part=1/3");
	scope_free(s);
}

static void query_response_shows_the_state(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);

	(void)state;
	assert_int_equal(feed(s, SIDE_GW, QUERY_RESP, 1000), 1);
	expect(0, "QUERY_RESP   seq=20456 status=0x00000000");
	expect(0, "message_state=6 stat=ACCEPTD");
	scope_free(s);
}

static void what_does_not_parse_is_malformed(void **state)
{
	struct scope *s = scope_of(&proto_smpp, "standard", 16);
	size_t n;

	(void)state;
	assert_int_equal(feed(s, SIDE_SP, UNKNOWN_PDU, 1000), 1);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
	expect(0, "pdu=unknown command=0x00000110 reason=");
	n = unhex(SUBMIT_SM);
	bytes_put_u32(octets, (uint32_t)n - 12);
	assert_int_equal(feed_octets(s, SIDE_SP, n - 12, 1000), 1);
	assert_int_equal(work.records[0].kind, REC_MALFORMED);
	expect(0, "pdu=submit_sm reason=");
	expect(0, " at=");
	expect(0, " from=sp sess=17");
	scope_free(s);
}

/* No truncation may crash, and each gives a record or is a keepalive. */
static void truncations_are_survived(void **state)
{
	static const char *const fixtures[] = {
		SUBMIT_20, REPORT_MK, DELIVER_MO,    CONNECT_21, CONNECT_RESP_30,
		SUBMIT_SM, RECEIPT,   SUBMIT_SM_SAR, BIND_TRX,   BIND_TRX_RESP};

	(void)state;
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(*fixtures); i++) {
		const struct proto *p = i < 5 ? &proto_cmpp : &proto_smpp;
		size_t whole = strlen(fixtures[i]) / 2;

		for (size_t n = p->header_len; n < whole; n++) {
			struct scope *s = scope_of(p, "standard", 4);
			uint8_t *exact = malloc(n);
			struct scope_frame f = { .from = SIDE_GW };

			unhex(fixtures[i]);
			bytes_put_u32(octets, (uint32_t)n);
			memcpy(exact, octets, n);
			f.octets = span_of(exact, n);
			scope_pdu(s, &f, &work);
			for (int k = 0; k < work.count; k++) {
				line(k, false);
				line(k, true);
			}
			f.cut = true;
			scope_pdu(s, &f, &work);
			free(exact);
			scope_free(s);
		}
	}
}

/* faults.md O8: what a login carries in secret appears in no line. */
static void secrets_stay_secret(void **state)
{
	static const char canary[] = "CANARY7";
	static const char *const hex[] = { "90d00c1d", "6c0b846e" };
	struct scope *s = scope_of(&proto_smpp, "standard", 16);
	size_t n = unhex(BIND_TRX), cut;

	(void)state;
	memcpy(octets + 23, canary, 6); /* the password; a byte less, so that its NUL stays */
	for (cut = 16; cut <= n; cut++) {
		bytes_put_u32(octets, (uint32_t)cut);
		feed_octets(s, SIDE_SP, cut, 1000);
		for (int i = 0; i < work.count; i++) {
			assert_null(strstr(line(i, false), "CANARY"));
			assert_null(strstr(line(i, true), "CANARY"));
		}
	}
	scope_free(s);
	s = scope_of(&proto_cmpp, "standard", 16);
	feed(s, SIDE_SP, CONNECT_21, 1000);
	feed(s, SIDE_GW, CONNECT_RESP_21, 1000);
	for (size_t i = 0; i < 2; i++)
		assert_null(strcasestr(line(0, true), hex[i]));
	scope_free(s);
}

/* faults.md P18: what is remembered is bounded, what goes by is not. */
static void many_unanswered_requests(void **state)
{
	struct scope *s = scope_of(&proto_cmpp, "standard", 100);
	struct scope_summary x;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(feed_as(s, SIDE_SP, SUBMIT_20, i, i), 1);
	scope_summary(s, &x);
	assert_int_equal(x.unanswered[SIDE_SP], 100);
	assert_int_equal(x.forgotten, 99900);
	assert_int_equal(x.pdus[SIDE_SP], 100000);
	scope_free(s);
}

static void resumed_session_knows_its_dialect(void **state)
{
	struct scope *s = scope_of(NULL, "standard", 16);

	(void)state;
	scope_resume(s, &proto_cmpp, 0x30, true);
	assert_int_equal(feed(s, SIDE_GW, SUBMIT_RESP_30, 1000), 1);
	assert_int_equal(work.records[0].kind, REC_SUBMIT_RESP);
	assert_non_null(strstr(line(0, true), "\"proto\":\"CMPP 3.0\""));
	scope_free(s);
}

static int load(void **state)
{
	struct conf_faults faults = { .to = stderr };

	(void)state;
	codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	return codes != NULL ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	codes_free(codes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmpp_login_is_one_record),
		cmocka_unit_test(refused_login_says_why),
		cmocka_unit_test(response_length_decides_the_dialect),
		cmocka_unit_test(smpp_login_names_the_account),
		cmocka_unit_test(smpp_refusal_without_a_body),
		cmocka_unit_test(submit_and_response_are_joined),
		cmocka_unit_test(stray_responses_are_flagged),
		cmocka_unit_test(each_direction_has_its_own_sequence),
		cmocka_unit_test(infox_result_eight),
		cmocka_unit_test(cmpp_report),
		cmocka_unit_test(smpp_receipt),
		cmocka_unit_test(network_error),
		cmocka_unit_test(inbound_message),
		cmocka_unit_test(keepalives_give_no_record),
		cmocka_unit_test(nack_names_what_it_refuses),
		cmocka_unit_test(parts_of_a_long_message),
		cmocka_unit_test(query_response_shows_the_state),
		cmocka_unit_test(what_does_not_parse_is_malformed),
		cmocka_unit_test(truncations_are_survived),
		cmocka_unit_test(secrets_stay_secret),
		cmocka_unit_test(many_unanswered_requests),
		cmocka_unit_test(resumed_session_knows_its_dialect),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
