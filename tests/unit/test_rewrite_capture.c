#include <jansson.h>
#include <stdbool.h>

#include "tool_case.h"

/* `smscope rewrite` on captures that other programs made: tests/data/captures/README.md. */

#define CAPTURES SOURCE_DIR "/tests/data/captures/"
#define REWRITE "smscope rewrite -c a.conf --link "
#define CONF "links = (\n" \
	"{ name = \"smsc\"; protocol = \"smpp\"; profile = \"infox\"; listen = \"127.0.0.1:0\"; " \
	"upstream = \"192.0.2.1:1\"; rules = ( " \
	"{ name = \"results\"; action = \"map_status\"; map = \"infox-to-smpp34\"; account = \"acme\"; }, " \
	"{ name = \"states\"; action = \"map_stat\"; map = \"states\"; }, " \
	"{ name = \"ids\"; action = \"message_id\"; id_base = \"hex_to_dec\"; }, " \
	"{ name = \"errs\"; action = \"err_width\"; width = 3; } ); },\n" \
	"{ name = \"cmcc\"; protocol = \"cmpp\"; profile = \"infox\"; listen = \"127.0.0.1:0\"; " \
	"upstream = \"192.0.2.1:1\"; rules = ( " \
	"{ name = \"results\"; action = \"map_status\"; map = \"infox-to-cmpp\"; }, " \
	"{ name = \"states\"; action = \"map_stat\"; map = \"states\"; } ); },\n" \
	"{ name = \"any\"; listen = \"127.0.0.1:0\"; upstream = \"192.0.2.1:1\"; } );\n"

/* PDUs without what stands before them, and without what is told of the capture. */
#define BARE "sed -E '/octets? (are missing|skipped|at its end)/d; s/^packet [0-9]+: [^ ]+ [^ ]+ //; " \
	"/^[0-9]+ packets, /d'"
/* Either side sends these, and digits do not tell which. */
#define EITHER "sed -E 's/^((unbind|enquire_link|CMPP_TERMINATE|CMPP_ACTIVE_TEST)[^ ]*) from (sp|gw)/\\1/'"

static int setup(void **state)
{
	int rc = tool_setup(state);

	if (rc == 0)
		put("a.conf", CONF, strlen(CONF));
	return rc;
}

static int run_of(const char *link, const char *options, const char *capture)
{
	char command[1024];

	snprintf(command, sizeof(command), REWRITE "%s %s " CAPTURES "%s", link, options, capture);
	return run(command);
}

/* What it says of a PDU is what it says when the PDU is given as digits. */
static void as_with_digits(void **state)
{
	static const struct {
		const char *link, *options, *capture, *sum;
		int rc;
	} all[] = {
		{ "smsc", "", "smpp.pcapng", "43 packets, 1 session, 30 PDUs: 7 edited, 3 refused; "
		  "rules: results 2, states 0, ids 5, errs 0\n", 1 },
		{ "cmcc", "", "cmpp.pcap", "49 packets, 1 session, 32 PDUs: 4 edited, 0 refused; "
		  "rules: results 2, states 2\n", 0 },
		{ "smsc", "", "ipv6.pcap", "32 packets, 1 session, 18 PDUs: 4 edited, ", 1 },
		{ "smsc", "", "disorder.pcap", "44 packets, 1 session, 30 PDUs: 7 edited, 3 refused; "
		  "rules: results 2, states 0, ids 5, errs 0\n", 1 },
		{ "smsc", "", "middle.pcapng", "31 packets, 1 session, 23 PDUs: 5 edited, 3 refused", 1 },
		{ "cmcc", "", "loss.pcap", "47 packets, 1 session, 29 PDUs: 4 edited, 0 refused; rules: "
		  "results 2, states 2; left aside: 283 octets missing\n", 0 },
		{ "smsc", "--filter 'tcp port 22775'", "kannel.pcapng", "53 packets, 1 session, 38 PDUs: "
		  "9 edited, 4 refused; rules: results 2, states 0, ids 7, errs 0; left aside: 26 packets "
		  "filtered out\n", 1 },
		{ "smsc", "--filter 'tcp port 27751'", "kannel.pcapng", "1 session, 38 PDUs: 9 edited", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char command[2048];

		assert_int_equal(run_of(all[i].link, all[i].options, all[i].capture), all[i].rc);
		says(all[i].sum);
		snprintf(command, sizeof(command), "try() { " REWRITE "%s %s --all $1 " CAPTURES "%s; }; "
			"try --json 2>&- | sed 's/.*\"before\":\"//; s/\".*//' >digits; "
			"try --hex | " BARE " | " EITHER " >capture; "
			REWRITE "%s --hex digits | sed -E 's/^[0-9]+: //' | " EITHER " >given; "
			"cmp capture given && grep -c octets given", all[i].link, all[i].options,
			all[i].capture, all[i].link);
		if (run(command) != 0)
			fail_msg("%s: %s", all[i].capture, got);
		assert_int_equal(atoi(got), atoi(strstr(all[i].sum, "session, ") + 9));
	}
}

/* The same packets, whatever lies below IP. */
static void link_types(void **state)
{
	static const char *const all[] = { "short-sll.pcap", "short-sll2.pcap", "short-vlan.pcap",
		"short-qinq.pcap", "short-raw.pcap", "short-null.pcap", "short-loop.pcap" };
	char *want;

	(void)state;
	assert_int_equal(run_of("smsc", "--all --hex", "smpp.pcapng"), 1);
	*strstr(got, "packet 16: ") = '\0';
	want = strdup(got);
	assert_non_null(want);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char command[1024];

		assert_int_equal(run_of("smsc", "--all --hex", all[i]), 0);
		says("15 packets, 1 session, 10 PDUs: 1 edited, 0 refused; rules: results 1");
		snprintf(command, sizeof(command), REWRITE "smsc --all --hex " CAPTURES "%s | sed '$d'",
			all[i]);
		assert_int_equal(run(command), 0);
		assert_string_equal(got, want);
	}
	free(want);
}

static void each_line_has_its_place(void **state)
{
	(void)state;
	assert_int_equal(run_of("smsc", "", "ipv6.pcap"), 1);
	says(" [::1]:27752>[::1]:");
	assert_int_equal(run_of("cmcc", "", "cmpp.pcap"), 0);
	says("packet 17: 2026-11-30T09:02:22.913+00:00 127.0.0.1:27900>127.0.0.1:52508 CMPP_SUBMIT_RESP "
	     "from gw, seq 5, 21 octets «超过最大提交数 / maximum number of submissions exceeded»\n"
	     "  results: Result 65 → 8\n");
	says_not("CMPP_SUBMIT from");
	says_not("no rule matches");
	assert_int_equal(run_of("cmcc", "--all", "cmpp.pcap"), 0);
	says("packet 4: 2026-11-30T09:02:22.744+00:00 127.0.0.1:52508>127.0.0.1:27900 CMPP_CONNECT from "
	     "sp, seq 1, 39 octets: no rule matches\n");
}

/* Two sessions in one capture, each with its own login. */
static void sessions(void **state)
{
	(void)state;
	assert_int_equal(run_of("smsc", "--json", "kannel.pcapng 2>/dev/null"), 1);
	for (char *line = got, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		json_t *o;
		const char *way;
		long long session;

		*end = '\0';
		o = json_loads(line, 0, NULL);
		assert_non_null(o);
		way = json_string_value(json_object_get(o, "way"));
		session = json_integer_value(json_object_get(o, "session"));
		assert_true(session == 1 || session == 2);
		assert_non_null(strstr(way, session == 1 ? ":22775" : ":27751"));
		assert_string_equal(json_string_value(json_object_get(o, "from")), "gw");
		assert_true(json_integer_value(json_object_get(o, "packet")) > 0);
		assert_int_equal(strlen(json_string_value(json_object_get(o, "ts"))), 32);
		json_decref(o);
	}
	assert_int_equal(run_of("smsc", "--json", "kannel.pcapng >/dev/null"), 1);
	says("53 packets, 2 sessions, 76 PDUs: 18 edited, 8 refused; rules: results 4, states 0, ids 14, "
	     "errs 0\n");
}

static void losses(void **state)
{
	(void)state;
	assert_int_equal(run_of("cmcc", "", "loss.pcap"), 0);
	says("127.0.0.1:27900>127.0.0.1:52508 108 octets are missing\n");
	says("127.0.0.1:52508>127.0.0.1:27900 175 octets are missing\n");
	assert_int_equal(run_of("smsc", "", "snapped.pcap"), 0);
	says("packet 14: 2026-11-30T09:02:22.316+00:00 127.0.0.1:48324>127.0.0.1:27750 14 octets are "
	     "missing\n");
	says("127.0.0.1:48324>127.0.0.1:27750 270 octets skipped before this\n");
	says("; left aside: 745 octets missing, 661 octets skipped, 13 packets cut\n");
}

static void from_a_pipe(void **state)
{
	(void)state;
	assert_int_equal(run(REWRITE "smsc " CAPTURES "kannel.pcapng >a; cat " CAPTURES
		"kannel.pcapng | " REWRITE "smsc - >b; cmp a b && wc -l <a"), 0);
	assert_true(atoi(got) > 50);
}

static void filters(void **state)
{
	(void)state;
	assert_int_equal(run_of("smsc", "--filter 'tcp port'", "smpp.pcapng"), 2);
	says("smpp.pcapng: --filter: ");
	says_not("packets");
	assert_int_equal(run_of("smsc", "--filter 'tcp port 1'", "smpp.pcapng"), 2);
	says("smpp.pcapng: --filter leaves none of 43 packets\n");
	assert_int_equal(run(REWRITE "smsc --filter tcp 00000010800000040000003900000007"), 2);
	says("smscope rewrite: --filter is for captures, and this is none\n");
	assert_int_equal(run_of("smsc", "--from gw", "smpp.pcapng"), 2);
	says("smscope rewrite: --from is for digits: a capture tells who sent what\n");
}

static void faults(void **state)
{
	/* of 802.11, and a header without a packet */
	static const char odd[] = "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\x69\0\0\0";
	static const char none[] = "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0";

	(void)state;
	assert_int_equal(run("head -c 3000 " CAPTURES "smpp.pcapng >cut; " REWRITE "smsc cut"), 0);
	says("results: command_status 0x00000039 → 0x00000058\n");
	says("20 packets, 1 session, 15 PDUs: 2 edited, 0 refused; ");
	says("\nsmscope rewrite: cut: packet 21: truncated pcapng dump file");
	put("odd", odd, sizeof(odd) - 1);
	assert_int_equal(run(REWRITE "smsc odd"), 2);
	says("smscope rewrite: odd: packet 1: link type IEEE802_11, 105, is not read\n");
	put("none", none, sizeof(none) - 1);
	assert_int_equal(run(REWRITE "smsc none"), 2);
	says("smscope rewrite: none: no TCP in 0 packets\n");
	assert_int_equal(run_of("smsc", "", "cmpp.pcap"), 2);
	says("49 packets, 0 sessions, 0 PDUs: 0 edited, 0 refused; ");
	says("; left aside: 1 other connection\n");
	says("cmpp.pcap: no PDU of smpp in what TCP carried\n");
	assert_int_equal(run_of("cmcc", "", "middle.pcapng"), 2);
	says("no PDU of cmpp in what TCP carried\n");
}

/* A link that takes either protocol. */
static void told_by_the_login(void **state)
{
	(void)state;
	assert_int_equal(run_of("any", "--all", "cmpp.pcap"), 0);
	says("49 packets, 1 session, 32 PDUs");
	assert_int_equal(run_of("any", "--all", "smpp.pcapng"), 0);
	says("43 packets, 1 session, 30 PDUs");
	assert_int_equal(run_of("any", "", "middle.pcapng"), 2);
	says("no login: link any tells its protocol by one, give --proto\n");
	assert_int_equal(run_of("any", "--proto smpp", "middle.pcapng"), 0);
	says("31 packets, 1 session, 23 PDUs");
}

/* What is told of protocol and version is true of the link, or said to be none of it. */
static void told_by_options(void **state)
{
	static const struct {
		const char *link, *options, *said;
	} all[] = {
		{ "smsc", "--dialect 9.9", "--dialect 9.9 is none of SMPP 3.3, SMPP 3.4, SMPP 5.0\n" },
		{ "cmcc", "--dialect 3.4", "--dialect 3.4 is none of CMPP 2.0, CMPP 2.1, CMPP 3.0, CMPP 1.2\n" },
		{ "smsc", "--proto cmpp", "--proto cmpp: link smsc is of smpp\n" },
		{ "any", "--proto cmpp --dialect 3.4", "--dialect 3.4 is none of CMPP 2.0, " },
		{ "any", "--dialect 0.1", "--dialect 0.1 is none of CMPP 2.0, CMPP 2.1, CMPP 3.0, CMPP 1.2, "
		  "SMPP 3.3, SMPP 3.4, SMPP 5.0\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(run_of(all[i].link, all[i].options, "smpp.pcapng"), 2);
		says(all[i].said);
		says_not("PDUs");
	}
	/* of a link that takes either, the version tells the protocol */
	assert_int_equal(run_of("any", "--dialect 3.4", "middle.pcapng"), 0);
	says("31 packets, 1 session, 23 PDUs");
	assert_int_equal(run_of("any", "--dialect 3.0", "smpp.pcapng"), 2);
	says("no PDU of cmpp in what TCP carried\n");
	assert_int_equal(run_of("smsc", "--proto smpp --dialect 3.3", "smpp.pcapng"), 1);
}

/* A capture of our own, for what none of the others has: IP as it is, times a second apart. */
static struct {
	uint8_t octets[8192];
	size_t n;
	uint32_t packet, seq[2];
} own;

static void put_le32(uint32_t v)
{
	for (int i = 0; i < 4; i++)
		own.octets[own.n++] = (uint8_t)(v >> 8 * i);
}

static void own_begin(void)
{
	static const char head[] = "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\x65\0\0";

	memset(&own, 0, sizeof(own));
	memcpy(own.octets, head, sizeof(head));
	own.n = 24;
}

/* What end 0 or 1 sends. */
static void own_put(int from, bool syn, const void *data, size_t n)
{
	uint8_t *p;

	put_le32(1000000000 + own.packet++);
	put_le32(0);
	put_le32((uint32_t)n + 40);
	put_le32((uint32_t)n + 40);
	p = own.octets + own.n;
	p[0] = 0x45;
	p[3] = (uint8_t)(n + 40);
	p[9] = 6;
	p[12] = p[16] = 10;
	p[15] = (uint8_t)from;
	p[19] = (uint8_t)!from;
	p[21] = (uint8_t)(from + 1);
	p[23] = (uint8_t)(!from + 1);
	p[26] = (uint8_t)(own.seq[from] >> 8);
	p[27] = (uint8_t)own.seq[from];
	p[32] = 0x50;
	p[33] = syn ? 2 : 0;
	memcpy(p + 40, data, n);
	own.seq[from] += (uint32_t)n + syn;
	own.n += n + 40;
	assert_true(n < 200 && own.n < sizeof(own.octets) - 256);
}

/* What it says of the capture as a link has it. */
static int own_run_of(const char *link)
{
	char command[256];

	put("own", own.octets, own.n);
	snprintf(command, sizeof(command), REWRITE "%s --all own", link);
	return run(command);
}

static int own_run(void)
{
	return own_run_of("smsc");
}

static const uint8_t bind_pdu[] = "\0\0\0\x1e\0\0\0\x09\0\0\0\0\0\0\0\1" "acme\0pwd\0\0\x34\0\0";
static const uint8_t probe[] = "\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\2";
static const uint8_t bind_resp[] = "\0\0\0\x15\x80\0\0\x09\0\0\0\0\0\0\0\1gate";
static const uint8_t connect[] = "\0\0\0\x27\0\0\0\1\0\0\0\1" "900001aaaaaaaaaaaaaaaa\x20\0\0\0\0";

/* A login octet by octet, from its SYN on. */
static void octet_by_octet(void **state)
{
	(void)state;
	own_begin();
	own_put(0, true, "", 0);
	for (size_t i = 0; i < 30; i++)
		own_put(0, false, bind_pdu + i, 1);
	own_put(0, false, probe, 16);
	assert_int_equal(own_run(), 0);
	says("packet 31: 2001-09-09T01:47:10.000+00:00 10.0.0.0:1>10.0.0.1:2 bind_transceiver from sp, "
	     "seq 1, 30 octets: no rule matches\npacket 32: ");
	says("32 packets, 1 session, 2 PDUs: 0 edited, 0 refused; rules: results 0, states 0, ids 0, "
	     "errs 0\n");
}

/* A link that takes either protocol: a login in any two segments, behind what is none, octet by octet. */
static void login_in_parts(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 30; cut++) {
		own_begin();
		own_put(0, true, "", 0);
		if (cut % 3 == 0)
			own_put(0, false, "PROXY TCP4 10.0.0.9 10.0.0.1 9 2\r\n", 34);
		if (cut % 5 == 0)
			own_put(1, false, probe, 10);
		own_put(0, false, bind_pdu, cut);
		own_put(0, false, bind_pdu + cut, 30 - cut);
		if (cut % 5 == 0)
			own_put(1, false, probe + 10, 6);
		own_put(0, false, probe, 16);
		assert_int_equal(own_run_of("any"), 0);
		says("bind_transceiver from sp, seq 1, 30 octets");
		says("10.0.0.0:1>10.0.0.1:2 enquire_link from sp, seq 2");
		says(cut % 5 == 0 ? "1 session, 3 PDUs: " : "1 session, 2 PDUs: ");
		says_not("skipped");
	}
	own_begin();
	own_put(0, true, "", 0);
	for (size_t i = 0; i < 39; i++)
		own_put(0, false, connect + i, 1);
	assert_int_equal(own_run_of("any"), 0);
	says("40 packets, 1 session, 1 PDU: 0 edited, 0 refused\n");
	/* what lies between them is missing */
	own_begin();
	own_put(0, true, "", 0);
	own_put(0, false, bind_pdu, 10);
	own.seq[0] += 10;
	own_put(0, false, bind_pdu + 20, 10);
	assert_int_equal(own_run_of("any"), 2);
	says("no login: link any tells its protocol by one, give --proto\n");
}

/* Who is the SP: who dialled; a login knows better; else whoever sends such a PDU. */
static void whose_side(void **state)
{
	(void)state;
	own_begin();
	own_put(0, true, "", 0);
	own_put(0, false, probe, 16);
	own_put(1, false, probe, 16);
	assert_int_equal(own_run(), 0);
	says("10.0.0.0:1>10.0.0.1:2 enquire_link from sp,");
	says("10.0.0.1:2>10.0.0.0:1 enquire_link from gw,");
	own_put(1, false, bind_pdu, 30);
	own_put(1, false, probe, 16);
	assert_int_equal(own_run(), 0);
	says("10.0.0.1:2>10.0.0.0:1 enquire_link from sp,");
	own_begin();
	own_put(0, false, probe, 16);
	own_put(0, false, bind_resp, 21);
	own_put(1, false, probe, 16);
	assert_int_equal(own_run(), 0);
	says("packet 1: 2001-09-09T01:46:40.000+00:00 10.0.0.0:1>10.0.0.1:2 enquire_link from gw,");
	says("10.0.0.1:2>10.0.0.0:1 enquire_link from sp,");
}

static void something_before(void **state)
{
	(void)state;
	/* a header of a proxy */
	own_begin();
	own_put(0, true, "", 0);
	own_put(0, false, "PROXY TCP4 10.0.0.9 10.0.0.1 9 2\r\n", 34);
	own_put(0, false, bind_pdu, 30);
	assert_int_equal(own_run(), 0);
	says("34 octets skipped before this\n");
	says("3 packets, 1 session, 1 PDU: 0 edited, 0 refused; ");
	says("; left aside: 34 octets skipped\n");
	/* what logs in otherwise is something else for good */
	own_begin();
	own_put(0, true, "", 0);
	own_put(0, false, connect, 39);
	own_put(0, false, probe, 16);
	assert_int_equal(own_run(), 2);
	says("left aside: 1 other connection\n");
	/* the login is missing */
	own_begin();
	own_put(0, true, "", 0);
	own.seq[0] += 30;
	own_put(0, false, probe, 16);
	assert_int_equal(own_run(), 0);
	says("2 packets, 1 session, 1 PDU: 0 edited, 0 refused; ");
	says("; left aside: 30 octets missing\n");
	/* half a PDU at its end */
	own_put(0, false, bind_pdu, 9);
	assert_int_equal(own_run(), 0);
	says("9 octets at its end are no whole PDU\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_with_digits),
		cmocka_unit_test(link_types),
		cmocka_unit_test(each_line_has_its_place),
		cmocka_unit_test(sessions),
		cmocka_unit_test(losses),
		cmocka_unit_test(from_a_pipe),
		cmocka_unit_test(filters),
		cmocka_unit_test(faults),
		cmocka_unit_test(told_by_the_login),
		cmocka_unit_test(told_by_options),
		cmocka_unit_test(octet_by_octet),
		cmocka_unit_test(login_in_parts),
		cmocka_unit_test(whose_side),
		cmocka_unit_test(something_before),
	};

	return cmocka_run_group_tests(tests, setup, tool_teardown);
}
