#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "vectors.h"

#define SMSCOPE BUILD_DIR "/smscope"

static char output[1 << 20];

/* Standard output of a command, NUL-terminated; its exit status. */
static int run_command(const char *command)
{
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	return pclose(f) / 256;
}

static int run(const char *arguments)
{
	char command[8192];

	snprintf(command, sizeof(command), SMSCOPE " explain %s 2>/dev/null </dev/null", arguments);
	return run_command(command);
}

/* Every vector: one JSON object, the right protocol, every field with its place, no secret. */
static void vectors_as_json(void **state)
{
	json_t *vectors = vectors_load(), *v;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, v) {
		char arguments[4096];
		const char *password = vector_str(json_object_get(v, "fields"), "password");
		json_t *pdu, *field;
		size_t k, at = 0;

		if (strcmp(vector_str(v, "id"), "smpp-badlen-1") == 0)
			continue;
		snprintf(arguments, sizeof(arguments), "--json %s", vector_str(v, "hex"));
		assert_int_equal(run(arguments), 0);
		pdu = json_loads(output, 0, NULL);
		if (pdu == NULL ||
			strcasecmp(vector_str(pdu, "proto"), vector_str(v, "protocol")) != 0)
			fail_msg("%s: %s", vector_str(v, "id"), output);
		json_array_foreach(json_object_get(pdu, "fields"), k, field) {
			const char *part = vector_str(field, "part");

			if (strcmp(part, "header") != 0 && strcmp(part, "body") != 0 &&
				strcmp(part, "tlv") != 0)
				continue;
			if (json_integer_value(json_object_get(field, "at")) != (json_int_t)at)
				fail_msg("%s: gap at %zu", vector_str(v, "id"), at);
			at += (size_t)json_integer_value(json_object_get(field, "len"));
		}
		if (json_object_get(pdu, "error") == NULL)
			assert_int_equal(at, strlen(vector_str(v, "hex")) / 2);
		/* where password and account are one word, the account is shown */
		if (*password != '\0' &&
		    strcmp(password, vector_str(json_object_get(v, "fields"), "system_id")) != 0)
			assert_null(strstr(output, password));
		json_decref(pdu);
	}
	json_decref(vectors);
}

static void secrets_only_when_asked(void **state)
{
	static const char connect[] =
		"00000027000000010000001739303030303190d00c1d517abd0b4f65f6bcf8535d16213cdc73be";
	char arguments[256];

	(void)state;
	assert_int_equal(run(connect), 0);
	assert_non_null(strstr(output, "AuthenticatorSource"));
	assert_non_null(strstr(output, "******"));
	assert_null(strstr(output, "90d00c1d"));
	snprintf(arguments, sizeof(arguments), "--show-secrets %s", connect);
	assert_int_equal(run(arguments), 0);
	assert_non_null(strstr(output, "90d00c1d517abd0b4f65f6bcf8535d16"));
}

/* Several PDUs one after another: the CONNECT_RESP decides for what follows. */
static void dialect_from_the_login(void **state)
{
	(void)state;
	assert_int_equal(run("00000021800000010000001700000000 7942977274098cf210ab0c16c367bc8d 30"
		" 0000000c:00000008:00000017 0x0000000d 80000008 00000017 00"), 0);
	assert_non_null(strstr(output, "CMPP 3.0  CMPP_CONNECT_RESP  33 octets at 0  (protocol: "
		"guessed, the only one that fits; dialect: the length of this response)"));
	assert_non_null(strstr(output,
		"CMPP 3.0  CMPP_ACTIVE_TEST  12 octets at 33  (protocol: guessed, the only one "
		"that fits; dialect: from an earlier PDU)"));
	assert_non_null(strstr(output, "CMPP 3.0  CMPP_ACTIVE_TEST_RESP  13 octets at 45"));
	/* two PDUs, two lines */
	assert_int_equal(run("--json 0000000c0000000800000017 0000000c0000000200000018"), 0);
	assert_non_null(strstr(output, "}\n{"));
}

/* CONNECT with a version that nobody specified proves nothing. */
static void dialect_of_an_odd_version(void **state)
{
	(void)state;
	assert_int_equal(run("0000002700000001000000033930303030310102030405060708090a0b0c0d0e0f10"
		"7f06dc2e0f"), 0);
	assert_non_null(strstr(output, "(protocol: by this login; dialect: assumed)"));
	assert_non_null(strstr(output, "7.15, which nobody specified"));
}

/* A file or standard input: digits, octets, dumps. All of them say what the digits say. */
static void forms_of_the_input(void **state)
{
	static const char *const forms[] = {
		"printf '\\0\\0\\0\\015\\200\\0\\0\\010\\0\\0\\0\\027\\0"
		"\\0\\0\\0\\014\\0\\0\\0\\002\\0\\0\\0\\002'",
		"printf '%s\n' '# a comment' '0000000d 80000008 00000017 00' "
		"0000000c 00000002 00000002",
		"printf '%s\n' '00000000: 0000 000d 8000 0008 0000 0017 0000 0000  ................' "
		"'00000010: 0c00 0000 0200 0000 02                   .........'",
		"printf '%s\n' '00000000  00 00 00 0d 80 00 00 08  00 00 00 17 00 00 00 00  |....|' "
		"'00000010  0c 00 00 00 02 00 00 00  02                       |...ab|' 00000019",
		"printf '%s\n' '0000  00 00 00 0d 80 00 00 08 00 00 00 17 00 00 00 00   ...#.... 00' "
		"'0010  0c 00 00 00 02 00 00 00 02                        abcdef00'",
	};
	static char want[sizeof(output)];

	(void)state;
	assert_int_equal(run("--json 0000000d8000000800000017000000000c0000000200000002"), 0);
	memcpy(want, output, sizeof(want));
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		static const char *const from[] = { "", "-", "-f -" };
		char command[2048];

		for (int k = 0; k < 3; k++) {
			snprintf(command, sizeof(command), "%s | " SMSCOPE " explain --json %s", forms[i],
				from[k]);
			assert_int_equal(run_command(command), 0);
			assert_string_equal(output, want);
		}
	}
}

/* The same rows of a tree, by name, in the order of the PDU. */
static void meanings(void **state)
{
	static const struct {
		const char *id, *words;
	} rows[] = {
		{ "smpp-submit_sm-concat8", "part 1 of 2, reference 167" },
		{ "smpp-submit_sm-concat8", "\"1/2\"             by the user data header" },
		{ "smpp-submit_sm-sar", "by the sar_ TLVs" },
		{ "smpp-submit_sm-udh", "language table 3, not applied" },
		{ "cmpp-submit-20-concat", "Pk_total and Pk_number say otherwise" },
		{ "smpp-submit_sm_resp-50tlvs", "optimum" },
		{ "smpp-submit_sm_resp-50tlvs", "GSM, error 34" },
		{ "smpp-bind_transceiver_resp-swappedtag", "0x0210 sc_interface_version with its" },
		{ "smpp-deliver_sm-receipt-vendorTLV", "SMSC vendor specific" },
		{ "smpp-deliver_sm-receipt-asciinec", "the digits 027" },
		{ "smpp-query_sm_resp-final", "2024-01-15 10:45:00 UTC+08:00" },
		{ "smpp-query_sm_resp-final", "UNDELIVERABLE, final" },
		{ "smpp-replace_sm-1", "01 years 02 months 03 days 04:05:06 from now" },
		{ "smpp-broadcast_sm-1", "minutes: 31" },
		{ "smpp-deliver_sm-receipt-1", "2010-02-10 17:30" },
		{ "cmpp-deliver-30-report60", "2022-12-05 19:56" },
		{ "cmpp-submit-20-card", "message class 2, binary" },
		{ "cmpp-fwd-30", "per message" },
	};
	json_t *vectors = vectors_load(), *v;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, v) {
		for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
			if (strcmp(vector_str(v, "id"), rows[k].id) != 0)
				continue;
			assert_int_equal(run(vector_str(v, "hex")), 0);
			if (strstr(output, rows[k].words) == NULL)
				fail_msg("%s: no %s in\n%s", rows[k].id, rows[k].words, output);
		}
	}
	json_decref(vectors);
}

/* TLVs of another length than the specification's, and header elements that do not fit. */
static void deviations_are_told(void **state)
{
	static const char submit[] = "0000000400000000000000010000003100000032"
		"004000000000000000"; /* to data_coding, UDHI */
	char arguments[512];

	(void)state;
	snprintf(arguments, sizeof(arguments), "00000032%s%s", submit,
		"00" "040500ab01" "042800020102" "0427000102");
	assert_int_equal(run(arguments), 0);
	assert_non_null(strstr(output, "the user data header that is announced does not fit"));
	assert_non_null(strstr(output, "2 octets, the specification has 1"));
	assert_non_null(strstr(output, "DELIVERED, final"));
}

/*
 * PDUs of SGIP and SMGP begin with a length and a command, too. No login of theirs is taken for one
 * of ours, and whatever else is shown is said to be a guess.
 */
static void other_protocols_are_guesses(void **state)
{
	json_t *waiting = vectors_waiting(), *v;
	size_t i, n, count[2] = { 0, 0 };

	(void)state;
	json_array_foreach(waiting, i, v) {
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);
		char arguments[4096];

		if (proto_detect(span_of(octets, n)) != NULL)
			fail_msg("%s: taken for a login", vector_str(v, "id"));
		snprintf(arguments, sizeof(arguments), "--json %s", vector_str(v, "hex"));
		run(arguments);
		if (output[0] != '\0' && strstr(output, "\"proto_why\":\"guessed") == NULL)
			fail_msg("%s: %s", vector_str(v, "id"), output);
		print_message("waiting: %s %s %s\n", vector_str(v, "protocol"),
			vector_str(v, "version"), vector_str(v, "id"));
		count[vector_str(v, "protocol")[1] == 'M']++;
		free(octets);
	}
	assert_int_equal(count[0], 11);
	assert_int_equal(count[1], 11);
	json_decref(waiting);
}

static void faults_of_the_input(void **state)
{
	(void)state;
	assert_int_equal(run("000"), 2);
	assert_int_equal(run("zz"), 2);
	assert_int_equal(run(""), 2);
	assert_int_equal(run("--proto sgip 00"), 2);
	assert_int_equal(run("--dialect x 00"), 2);
	assert_int_equal(run("474554202f20485454502f312e31"), 1);
	assert_int_equal(
		run("--proto cmpp 0000000c000000080000001700"), 1); /* one octet of a second PDU */
}

/* CMPP 2.0, 7.4.5.1: Msg_Id, Stat, Submit_time, Done_time, Dest_terminal_Id 21, SMSC_sequence */
static const char report_body[] = "b2b9da8000010000" "4d423a30303634" "32363039313630323437"
	"32363039313630323438" "313338303031333830303000000000000000000000" "00000007";

static const char *field_value(json_t *pdu, const char *name, const char *key)
{
	json_t *field;
	size_t i;

	json_array_foreach(json_object_get(pdu, "fields"), i, field) {
		if (strcmp(vector_str(field, "name"), name) == 0)
			return vector_str(field, key);
	}
	return "(none)";
}

static void reports_that_stand_alone(void **state)
{
	char arguments[512];
	json_t *pdu;

	(void)state;
	snprintf(arguments, sizeof(arguments), "--json --profile infox %s", report_body);
	assert_int_equal(run(arguments), 0);
	pdu = json_loads(output, 0, NULL);
	assert_string_equal(vector_str(pdu, "proto"), "cmpp");
	assert_string_equal(vector_str(pdu, "dialect"), "CMPP 2.0");
	assert_string_equal(vector_str(pdu, "pdu"), "report");
	assert_string_equal(field_value(pdu, "Stat", "value"), "MB:0064");
	assert_non_null(strstr(field_value(pdu, "Stat", "meaning"), "address error"));
	assert_string_equal(field_value(pdu, "Dest_terminal_Id", "value"), "13800138000");
	assert_string_equal(field_value(pdu, "Msg_Id", "meaning"), "1105142942-1-0");
	json_decref(pdu);
	/* without its last octet it is nothing that is known */
	snprintf(arguments, sizeof(arguments), "%.*s", (int)sizeof(report_body) - 3, report_body);
	assert_int_not_equal(run(arguments), 0);
	/* as arguments with blanks, in capitals, as hexadecimal digits */
	assert_int_equal(run("--json 'id:77 submit date:2609160247 STAT:UNDELIV err:021 "
			     "text:a#b'"), 0);
	pdu = json_loads(output, 0, NULL);
	assert_string_equal(vector_str(pdu, "pdu"), "receipt");
	assert_string_equal(field_value(pdu, "stat", "value"), "UNDELIV");
	assert_string_equal(field_value(pdu, "err", "value"), "021");
	assert_string_equal(field_value(pdu, "text", "value"), "a#b");
	assert_string_equal(field_value(pdu, "submit date", "value"), "2609160247");
	json_decref(pdu);
	/* of a stat with words behind it the first is looked up */
	assert_int_equal(run("'id:77 stat:FAILED:Mob. Abst.|nt ext err:ID:0005'"), 0);
	assert_non_null(strstr(output, "\"FAILED:Mob. Abst.|nt ext\"  «发送失败 / failed»"));
	assert_non_null(strstr(output, "\"ID:0005\""));
	assert_int_equal(run("id:77 sub:001 stat:ENROUTE"), 0);
	assert_non_null(strstr(output, "\"interim\""));
	assert_int_equal(run("69643a3920737461743a44454c49565244206572723a303030"), 0);
	assert_non_null(strstr(output, "\"DELIVRD\""));
	/* the comment of a line of digits is none */
	assert_int_equal(run("'0000000c0000000800000017 # id:7 stat:DELIVRD'"), 0);
	assert_non_null(strstr(output, "CMPP_ACTIVE_TEST"));
	assert_null(strstr(output, "receipt"));
}

/* A message that is text is shown as text, where it lies; JSON keeps its octets. */
static void messages_as_text(void **state)
{
	static const struct {
		const char *id, *shown;
	} cases[] = {
		{ "smpp-deliver_sm-receipt-1", "id:" },
		{ "smpp-submit_sm-1", "¡" },
		{ "cmpp-submit-20", "" },
	};
	json_t *vectors = vectors_load(), *v, *pdu;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, v) {
		for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
			bool smpp = vector_proto(v) == &proto_smpp;
			const char *name = smpp ? "short_message" : "Msg_Content";
			char arguments[4096];

			if (strcmp(vector_str(v, "id"), cases[k].id) != 0)
				continue;
			snprintf(arguments, sizeof(arguments), "--json %s", vector_str(v, "hex"));
			assert_int_equal(run(arguments), 0);
			pdu = json_loads(output, 0, NULL);
			assert_memory_equal(field_value(pdu, name, "value"), cases[k].shown,
				strlen(cases[k].shown));
			assert_non_null(strcasestr(vector_str(v, "hex"),
				field_value(pdu, name, "octets")));
			assert_true(strlen(field_value(pdu, name, "octets")) > 0);
			json_decref(pdu);
		}
	}
	json_decref(vectors);
}

/* The octets of a vector as a dump with their text beside them, into a file of the test's. */
static void write_dump(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t at = 0; at < n; at += 16) {
		fprintf(f, "%08zx ", at);
		for (size_t i = at; i < at + 16; i++)
			fprintf(f, i < n ? " %02x" : "   ", i < n ? p[i] : 0u);
		fputs("  |", f);
		for (size_t i = at; i < at + 16 && i < n; i++)
			fputc(p[i] >= ' ' && p[i] <= '~' ? p[i] : '.', f);
		fputs("|\n", f);
	}
	assert_int_equal(fclose(f), 0);
}

/* "|" stands between equal readings; what stands beside a vendor's is none. */
static void one_reading_is_one(void **state)
{
	(void)state;
	assert_int_equal(run("--profile infox --lang en 'id:7 stat:UNDELIV err:MB:0064 text:'"), 0);
	assert_non_null(strstr(output, "«Message is undeliverable»"));
	assert_non_null(strstr(output, "address error | invalid destination address NPI»"));
	/* A default row says little: there the standard's meaning helps. */
	assert_int_equal(run("--profile infox --lang en 00000010 80000004 00000058 00000001"), 0);
	assert_non_null(strstr(output, "error at the SMSC or the SCP | throttled"));
}

/* Lines that are receipts, between lines that are not; a dump of a receipt is still a dump. */
static void receipts_among_the_lines(void **state)
{
	static const char path[] = BUILD_DIR "/test_explain.dump";
	static char want[sizeof(output)];
	json_t *vectors = vectors_load(), *v;
	size_t i, n, found = 0;

	(void)state;
	assert_int_equal(run_command("printf '%s\n' '0000000c 00000008' "
		"'id:7 stat:UNDELIV err:021' '00000017 # id:9 stat:DELIVRD' | "
		SMSCOPE " explain -f -"), 0);
	assert_non_null(strstr(output, "\"UNDELIV\""));
	assert_non_null(strstr(output, "CMPP_ACTIVE_TEST  12 octets"));
	assert_null(strstr(output, "DELIVRD"));
	assert_int_equal(run_command("printf '%s\n' 'id:7 stat:UNDELIV' zz | "
		SMSCOPE " explain 2>&1"), 2);
	assert_non_null(strstr(output, "in line 2"));
	json_array_foreach(vectors, i, v) {
		char arguments[4096];
		uint8_t *octets;

		if (strncmp(vector_str(v, "id"), "smpp-deliver_sm-receipt-", 24) != 0)
			continue;
		octets = octets_of(vector_str(v, "hex"), &n);
		write_dump(path, octets, n);
		free(octets);
		found++;
		snprintf(arguments, sizeof(arguments), "--json %s", vector_str(v, "hex"));
		run(arguments);
		memcpy(want, output, sizeof(want));
		snprintf(arguments, sizeof(arguments), "--json -f %s", path);
		run(arguments);
		assert_string_equal(output, want);
	}
	json_decref(vectors);
	unlink(path);
	assert_true(found > 0);
}

/* Foreign octets do not reach the terminal as they are. */
static void output_is_escaped(void **state)
{
	(void)state;
	assert_int_equal(
		run("--proto smpp 0000001c 8000000400000000000000011b5d3532073b0a2220c29b00"), 0);
	for (const char *p = output; *p != '\0'; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n');
	assert_null(strstr(output, "\xc2\x9b"));
}

static int present(void **state)
{
	(void)state;
	if (access(SMSCOPE, X_OK) == 0)
		return 0;
	fputs(SMSCOPE " is not built\n", stderr);
	return -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_as_json), cmocka_unit_test(secrets_only_when_asked),
		cmocka_unit_test(dialect_from_the_login), cmocka_unit_test(faults_of_the_input),
		cmocka_unit_test(output_is_escaped), cmocka_unit_test(reports_that_stand_alone),
		cmocka_unit_test(messages_as_text), cmocka_unit_test(dialect_of_an_odd_version),
		cmocka_unit_test(forms_of_the_input), cmocka_unit_test(receipts_among_the_lines),
		cmocka_unit_test(one_reading_is_one),
		cmocka_unit_test(meanings), cmocka_unit_test(deviations_are_told),
		cmocka_unit_test(other_protocols_are_guesses),
	};

	return cmocka_run_group_tests(tests, present, NULL);
}
