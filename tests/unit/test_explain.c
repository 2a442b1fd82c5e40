#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "vectors.h"

#define SMSCOPE BUILD_DIR "/smscope"

static char output[1 << 20];

/* Standard output of the tool, NUL-terminated; its exit status. */
static int run(const char *arguments)
{
	char command[8192];
	FILE *f;
	size_t n;

	snprintf(command, sizeof(command), SMSCOPE " explain %s 2>/dev/null </dev/null", arguments);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	return pclose(f) / 256;
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
	assert_non_null(strstr(output, "CMPP 3.0  CMPP_CONNECT_RESP  33 octets at 0  (dialect: the "
				       "length of this response)"));
	assert_non_null(strstr(output,
		"CMPP 3.0  CMPP_ACTIVE_TEST  12 octets at 33  (dialect: from an earlier PDU)"));
	assert_non_null(strstr(output, "CMPP 3.0  CMPP_ACTIVE_TEST_RESP  13 octets at 45"));
	/* two PDUs, two lines */
	assert_int_equal(run("--json 0000000c0000000800000017 0000000c0000000200000018"), 0);
	assert_non_null(strstr(output, "}\n{"));
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
		cmocka_unit_test(messages_as_text),
	};

	return cmocka_run_group_tests(tests, present, NULL);
}
