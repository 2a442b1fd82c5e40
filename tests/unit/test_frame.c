#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vectors.h"

static json_t *vectors;

static struct span vector_octets(const char *id)
{
	size_t i, n;
	json_t *v;

	json_array_foreach(vectors, i, v) {
		if (strcmp(vector_str(v, "id"), id) == 0) {
			uint8_t *p = octets_of(vector_str(v, "hex"), &n);

			return span_of(p, n);
		}
	}
	fail_msg("no vector %s", id);
	return span_of("", 0);
}

static int64_t frame_of(uint32_t length, size_t have, const struct proto *p)
{
	static uint8_t octets[70000];

	bytes_put_u32(octets, length);
	return proto_frame(span_of(octets, have), p->header_len, p->max_pdu);
}

/* No length below the header, none above the ceiling, and no octet more than four is looked at. */
static void lengths(void **state)
{
	static const uint32_t absurd[] = { 0x7fffffff, 0x80000000, 0xffffffff, 0xf0000011,
		0x47455420, 0x16030100 };

	(void)state;
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		uint32_t header = (*p)->header_len, most = (*p)->max_pdu;

		for (uint32_t n = 0; n < header; n++)
			assert_int_equal(frame_of(n, 64, *p), SM_ELEN);
		for (size_t i = 0; i < sizeof(absurd) / sizeof(*absurd); i++) {
			assert_int_equal(frame_of(absurd[i], 4, *p), SM_ELEN);
			assert_int_equal(frame_of(absurd[i], 69000, *p), SM_ELEN);
		}
		for (size_t have = 0; have < 4; have++)
			assert_int_equal(frame_of(0, have, *p), 0);
		assert_int_equal(frame_of(header, header - 1, *p), 0);
		assert_int_equal(frame_of(header, header, *p), header);
		assert_int_equal(frame_of(header, header + 40, *p), header);
		assert_int_equal(frame_of(most, most - 1, *p), 0);
		assert_int_equal(frame_of(most, most, *p), most);
		assert_int_equal(frame_of(most + 1, 4, *p), SM_ELEN);
	}
}

static void foreign_protocols(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		const char *name;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n", 16, "HTTP" }, { "POST /", 6, "HTTP" },
		  { "HTTP/1.1 400", 12, "HTTP" },
		{ "\x16\x03\x01\x02\x00\x01", 6, "TLS" }, { "SSH-2.0-x", 9, "SSH" },
		  { "AMQP\0\0\x09\x01", 8, "AMQP" },
		{ "PROXY TCP4 ", 11, "PROXY protocol" },
		{ "\r\n\r\n\0\r\nQUIT\n", 12, "PROXY protocol" },
		{ "\0\0\0\x27\0\0\0\1", 8, NULL }, { "GE", 2, NULL }, { "", 0, NULL },
		  { "\x16", 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *name = proto_foreign(span_of(rows[i].octets, rows[i].n));

		if (rows[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, rows[i].name);
	}
}

/* Only logins say which protocol speaks, and each says it for its own. */
static void detection(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v) {
		size_t n;
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);
		uint32_t command = bytes_u32(octets + 4);
		const struct proto *p = vector_proto(v), *found = proto_detect(span_of(octets, n));
		bool login = p == &proto_cmpp ? command == 1 : command == 1 || command == 2 ||
			command == 9;

		if (found != (login ? p : NULL))
			fail_msg("%s: %s", vector_str(v, "id"),
				found != NULL ? found->name : "none");
		if (login)
			assert_null(proto_detect(span_of(octets, n - 1)));
		free(octets);
	}
}

/*
 * A bind_receiver as long as a CONNECT, and a CONNECT whose Sequence_Id could be a command_status
 * of 0.
 */
static void detection_of_twins(void **state)
{
	size_t n;
	/*
	 * system_id "abcdefg", password "pwd", no system_type, 0x34, 0, 0, address_range "106912"
	 */
	uint8_t *bind = octets_of("000000270000000100000000000000016162636465666700" "70776400"
		"00" "340000"
		"31303639313200", &n);
	struct span connect = vector_octets("cmpp-connect-20");

	(void)state;
	assert_int_equal(n, 39);
	assert_ptr_equal(proto_detect(span_of(bind, 39)), &proto_smpp);
	memset((uint8_t *)(uintptr_t)connect.p + 8, 0, 4);
	assert_ptr_equal(proto_detect(connect), &proto_cmpp);
	free(bind);
	free((void *)(uintptr_t)connect.p);
}

static void names(void **state)
{
	(void)state;
	assert_ptr_equal(proto_named("cmpp"), &proto_cmpp);
	assert_ptr_equal(proto_named("smpp"), &proto_smpp);
	assert_null(proto_named("sgip"));
	assert_string_equal(field_name(&proto_cmpp, F_REGISTERED_DELIVERY), "Registered_Delivery");
	assert_string_equal(field_name(&proto_smpp, F_REGISTERED_DELIVERY), "registered_delivery");
	assert_string_equal(field_name(&proto_smpp, F_MSG_ID), "?");
	assert_string_equal(field_name(&proto_smpp, F_COUNT), "?");
	assert_string_equal(dialect_name(&proto_cmpp, 0x21), "CMPP 2.1");
	assert_string_equal(dialect_name(&proto_cmpp, 0x7f), "CMPP");
	assert_string_equal(dialect_name(&proto_smpp, 0x34), "SMPP 3.4");
}

static bool contains(const uint8_t *p, size_t n, const char *what, size_t len)
{
	for (size_t i = 0; i + len <= n; i++) {
		if (memcmp(p + i, what, len) == 0)
			return true;
	}
	return false;
}

/* After scrubbing no secret is left, everything else is as it was, and the copy still parses. */
static void scrub(void **state)
{
	size_t i;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v) {
		json_t *fields = json_object_get(v, "fields");
		const struct proto *p = vector_proto(v);
		size_t n, changed = 0, secret = 0;
		uint8_t *before = octets_of(vector_str(v, "hex"), &n),
			*octets = octets_of(vector_str(v, "hex"), &n);
		const char *password = vector_str(fields, "password");
		struct pdu pdu;

		if (!proto_secret(p, bytes_u32(octets + 4))) {
			assert_null(json_object_get(fields, "password"));
			assert_null(json_object_get(fields, "AuthenticatorSource"));
			free(before);
			free(octets);
			continue;
		}
		proto_scrub(p, octets, n);
		for (size_t k = 0; k < n; k++)
			changed += octets[k] != before[k];
		if (json_object_get(fields, "AuthenticatorSource") != NULL) {
			secret = 16;
			assert_true(contains(octets + 18, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
				16));
		} else if (*password != '\0') {
			secret = strlen(password);
			assert_memory_equal(octets + 17 + strlen(vector_str(fields, "system_id")),
				"********", secret);
		}
		assert_true(changed <= (secret > 0 ? secret : 16));
		assert_int_equal(pdu_parse(&pdu, p, vector_dialect(v), span_of(octets, n)), SM_OK);
		free(before);
		free(octets);
	}
}

static void scrub_what_does_not_parse(void **state)
{
	struct span s = vector_octets("smpp-bind_transceiver-1");
	uint8_t *octets = (uint8_t *)(uintptr_t)s.p;

	(void)state;
	octets[s.n - 1] = 'x'; /* address_range without its NUL */
	proto_scrub(&proto_smpp, octets, s.n);
	for (size_t i = 16; i < s.n; i++)
		assert_int_equal(octets[i], 0);
	assert_int_equal(bytes_u32(octets), s.n);
	proto_scrub(&proto_smpp, octets, 7);
	proto_scrub(&proto_smpp, octets, 0);
	free(octets);
}

static int refusal(const char *id, int reason, uint8_t *to, size_t cap)
{
	struct span s = vector_octets(id);
	const struct proto *p = strncmp(id, "cmpp", 4) == 0 ? &proto_cmpp : &proto_smpp;
	int n = p->refuse(s, reason, to, cap);

	free((void *)(uintptr_t)s.p);
	return n;
}

/* Octet by octet, as the specifications have the responses. */
static void refusals(void **state)
{
	static const struct {
		const char *id;
		int reason;
		const char *hex;
	} rows[] = {
		{ "smpp-bind_transceiver-1", REFUSE_UPSTREAM,
		  "0000001180000009000000080003995100" },
		{ "smpp-bind_transmitter-1", REFUSE_LIMIT, "00000011800000020000000d0003995f00" },
		{ "smpp-bind_receiver-33", REFUSE_DENIED, "00000011800000010000000f0000000100" },
		{ "cmpp-connect-21", REFUSE_UPSTREAM,
		  "0000001e800000010000001705" "00000000000000000000000000000000" "21" },
		{ "cmpp-connect-20", REFUSE_DENIED,
		  "0000001e800000010000000102" "00000000000000000000000000000000" "20" },
		{ "cmpp-connect-30", REFUSE_LIMIT,
		  "00000021800000010000000200000005" "00000000000000000000000000000000" "30" },
		{ "cmpp-connect-7f", REFUSE_UPSTREAM,
		  "00000021800000010000000300000005" "00000000000000000000000000000000" "30" },
	};
	uint8_t to[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n;
		uint8_t *want = octets_of(rows[i].hex, &n);

		memset(to, 0xaa, sizeof(to));
		assert_int_equal(refusal(rows[i].id, rows[i].reason, to, n - 1), SM_ELEN);
		assert_int_equal(to[0], 0xaa);
		assert_int_equal(refusal(rows[i].id, rows[i].reason, to, sizeof(to)), n);
		assert_memory_equal(to, want, n);
		assert_int_equal(to[n], 0xaa);
		free(want);
	}
	assert_int_equal(refusal("smpp-submit_sm-1", REFUSE_UPSTREAM, to, sizeof(to)), SM_ECMD);
	assert_int_equal(refusal("cmpp-active_test", REFUSE_UPSTREAM, to, sizeof(to)), SM_ECMD);
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
		cmocka_unit_test(lengths), cmocka_unit_test(foreign_protocols),
			cmocka_unit_test(detection),
		cmocka_unit_test(detection_of_twins), cmocka_unit_test(names),
			cmocka_unit_test(scrub),
		cmocka_unit_test(scrub_what_does_not_parse), cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
