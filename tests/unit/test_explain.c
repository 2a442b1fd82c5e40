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
		cmocka_unit_test(output_is_escaped),
	};

	return cmocka_run_group_tests(tests, present, NULL);
}
