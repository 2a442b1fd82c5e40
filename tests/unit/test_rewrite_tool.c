#include <jansson.h>

#include "tool_case.h"

/*
 * `smscope rewrite`, and docs/rewriting.md: its configuration loads, its commands print what it shows.
 * What comes out is read by tshark, too, where it is installed.
 */

#define CONF "links = ( { name = \"a\"; protocol = \"smpp\"; profile = \"infox\"; listen = \"127.0.0.1:0\"; " \
	"upstream = \"192.0.2.1:1\"; rules = ( " \
	"{ name = \"mine\"; action = \"map_status\"; to = \"0x45\"; code = \"57\"; account = \"acme\"; dst = \"138\"; }, " \
	"{ name = \"states\"; action = \"map_stat\"; map = \"states\"; }, " \
	"{ name = \"three\"; action = \"err_width\"; }, " \
	"{ name = \"words\"; action = \"annotate\"; in = \"tlv\"; class = \"routing\"; } ); } );\n"

static char *doc_text(void)
{
	static char text[65536];
	FILE *f = fopen(SOURCE_DIR "/docs/rewriting.md", "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void doc_prints_what_it_shows(void **state)
{
	char *doc = doc_text(), *conf = strstr(doc, "```\nlinks = ("), *end;
	int commands = 0;

	(void)state;
	assert_non_null(conf);
	end = strstr(conf + 4, "```");
	put("rewriting.conf", conf + 4, (size_t)(end - conf - 4));
	assert_int_equal(run("cp " SOURCE_DIR "/tests/data/captures/short-sll.pcap smsc.pcap"), 0);
	for (char *p = doc; (p = strstr(p, "```console\n$ ")) != NULL; commands++) {
		char command[2048], *line = p + strlen("```console\n$ "), *out = strchr(line, '\n') + 1;

		end = strstr(out, "```");
		assert_true(end != NULL && (size_t)(out - line) < sizeof(command));
		memcpy(command, line, (size_t)(out - line));
		command[out - line - 1] = '\0';
		(void)run(command);
		*end = '\0';
		assert_string_equal(got, out);
		p = end + 1;
	}
	assert_true(commands >= 8);
}

static void json_says_it_too(void **state)
{
	json_t *o, *c;

	(void)state;
	put("a.conf", CONF, strlen(CONF));
	assert_int_equal(run("smscope rewrite -c a.conf --json 00000010800000040000001e00000007"), 0);
	o = json_loads(got, 0, NULL);
	assert_non_null(o);
	c = json_array_get(json_object_get(o, "changes"), 0);
	assert_string_equal(json_string_value(json_object_get(c, "rule")), "words");
	assert_string_equal(json_string_value(json_object_get(c, "now")), "no route found");
	assert_true(json_is_null(json_object_get(c, "was")));
	assert_true(json_is_true(json_object_get(o, "edited")));
	assert_string_equal(json_string_value(json_object_get(o, "after")),
		"00000024800000040000001e0000000700001d000f6e6f20726f75746520666f756e6400");
	json_decref(o);
}

/* The PDUs are one session: who logged in, and whom a submit was for. */
static void pdus_are_a_session(void **state)
{
	/* bind_transceiver of acme, version 3.4 */
	static const char *const bind = "0000001f00000009000000000000000161636d6500707764670000340000 00";
	static const char *const submit = "0000003000000004000000000000000700000031303639000000313338303031"
		"33383030300000000000000100000000";
	static const char *const resp = "00000010800000040000003900000007";
	char command[1024];

	(void)state;
	put("a.conf", CONF, strlen(CONF));
	snprintf(command, sizeof(command), "smscope rewrite -c a.conf %s %s", submit, resp);
	assert_int_equal(run(command), 0);
	says("2: submit_sm_resp from gw, seq 7, 16 octets: no rule matches\n");
	snprintf(command, sizeof(command), "smscope rewrite -c a.conf %s %s %s", bind, submit, resp);
	if (run(command) != 0)
		fail_msg("%s", got);
	says("3: submit_sm_resp from gw, seq 7, 16 octets");
	says("mine: command_status 0x00000039 → 0x00000045");
}

/* What the SP refuses the gateway has sent, whatever the SP has asked under the same number. */
static void only_the_gateway_answers(void **state)
{
	static const char conf[] = "links = ( { name = \"a\"; protocol = \"smpp\"; listen = \"127.0.0.1:0\"; "
		"upstream = \"192.0.2.1:1\"; rules = ( { name = \"theirs\"; log = true; dst = \"138\"; } ); } );\n";
	static const char *const submit = "0000003000000004000000000000000700000031303639000000313338303031"
		"33383030300000000000000100000000", *const nack = "00000010800000000000000300000007";
	char command[1024];

	(void)state;
	put("b.conf", conf, strlen(conf));
	snprintf(command, sizeof(command), "smscope rewrite -c b.conf %s %s", submit, nack);
	assert_int_equal(run(command), 0);
	says("2: generic_nack from gw, seq 7, 16 octets: nothing to change for theirs\n");
	snprintf(command, sizeof(command), "smscope rewrite -c b.conf --from sp %s %s", submit, nack);
	assert_int_equal(run(command), 0);
	says("2: generic_nack from sp, seq 7, 16 octets: no rule matches\n");
}

/* What a rule set is warned of is said once. */
static void warned_once(void **state)
{
	static const char conf[] = "links = ( { name = \"a\"; protocol = \"cmpp\"; listen = \"127.0.0.1:0\"; "
		"upstream = \"192.0.2.1:1\"; rules = ( { name = \"r\"; action = \"map_stat\"; map = \"states\"; "
		"from = \"sp\"; } ); } );\n";

	(void)state;
	put("c.conf", conf, strlen(conf));
	assert_int_equal(run("smscope rewrite -c c.conf 000000158000000400000017b2b9da800001000041 2>&1 | "
		"grep -c 'warning: rule r'"), 0);
	assert_string_equal(got, "1\n");
}

static void files_and_faults(void **state)
{
	static const uint8_t octets[] = { 0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x1e, 0, 0, 0, 7 };
	static const char pcap[] = "\xd4\xc3\xb2\xa1\2\0\4\0";

	(void)state;
	put("a.conf", CONF, strlen(CONF));
	put("raw", octets, sizeof(octets));
	put("capture", pcap, sizeof(pcap) - 1);
	assert_int_equal(run("smscope rewrite -c a.conf raw"), 0);
	says("words: additional_status_info_text none");
	assert_int_equal(run("xxd raw 2>/dev/null | smscope rewrite -c a.conf - || "
		"smscope rewrite -c a.conf raw"), 0);
	says("words: ");
	assert_int_equal(run("smscope rewrite -c a.conf capture"), 2);
	says("smscope rewrite: capture: no capture: truncated dump file");
	assert_int_equal(run("smscope rewrite -c a.conf zz"), 2);
	says("no hexadecimal digits in pairs, and no file: zz");
	assert_int_equal(run("smscope rewrite -c a.conf --link b 00"), 2);
	says("no link \"b\"; there are: a\n");
	assert_int_equal(run("smscope rewrite -c a.conf 0000"), 2);
	says("no whole PDU");
	assert_int_equal(run("smscope rewrite"), 2);
	says("usage: smscope rewrite");
	assert_int_equal(run("smscope rewrite -c nowhere.conf 00"), 2);
	/* a refusal shows in the exit status */
	assert_int_equal(run("smscope rewrite -c a.conf 0000004e0000000500000000000000090001013836313338303000"
		"000031303639000400000000000000002269643a3720737461743a554e44454c4956206572723a353330382074657874"
		"3a6869"), 1);
	says("refused: width, rule three");
}

/* The receipt with its state, its err and a TLV rewritten, and a response that got a TLV. */
static void tshark_reads_it(void **state)
{
	(void)state;
	if (system("command -v tshark >/dev/null && command -v text2pcap >/dev/null && "
		"command -v xxd >/dev/null") != 0)
		skip();
	put("a.conf", CONF, strlen(CONF));
	put("pdus", "0000005200000005000000000000000900010138363133383030000000313036390004000000000000000021"
		"69643a3720737461743a4d423a30303634206572723a30303020746578743a686904270001070000001080000004"
		"0000001e00000007", 196);
	(void)run("smscope rewrite -c a.conf --hex pdus | sed -n 's/^  after  //p' | while read hex; do "
		"echo $hex | xxd -r -p | od -Ax -tx1 -v; done >dump; "
		"text2pcap -q -T 40000,2775 dump pcap >/dev/null 2>&1; "
		"tshark -r pcap -d tcp.port==2775,smpp -V 2>/dev/null");
	says("Message length: 37");
	says("Message state: UNDELIVERABLE (5)");
	says("Command: Submit_sm - resp"); /* tshark reads no body behind an error */
	if (strstr(got, "Malformed") != NULL)
		fail_msg("malformed: %s", got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doc_prints_what_it_shows),
		cmocka_unit_test(json_says_it_too),
		cmocka_unit_test(pdus_are_a_session),
		cmocka_unit_test(only_the_gateway_answers),
		cmocka_unit_test(warned_once),
		cmocka_unit_test(files_and_faults),
		cmocka_unit_test(tshark_reads_it),
	};

	return cmocka_run_group_tests(tests, tool_setup, tool_teardown);
}
