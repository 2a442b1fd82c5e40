#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vectors.h"

static json_t *vectors;

static void expect(bool ok, json_t *v, const char *what)
{
	if (!ok)
		fail_msg("%s: %s", vector_str(v, "id"), what);
}

static json_t *vector_named(const char *id)
{
	size_t i;
	json_t *v;

	json_array_foreach(vectors, i, v) {
		if (strcmp(vector_str(v, "id"), id) == 0)
			return v;
	}
	fail_msg("no vector %s", id);
	return NULL;
}

#define HEX(id) vector_str(vector_named(id), "hex")

/* CMPP: the layout follows the evidence, whatever dialect the caller believes in. */
static void dialect_by_consistency(void **state)
{
	size_t i, n;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v) {
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);
		struct pdu right, wrong;
		uint8_t is = vector_dialect(v), other = is >= 0x30 ? 0x20 : 0x30;

		if (vector_proto(v) == &proto_cmpp &&
		    pdu_parse(&right, &proto_cmpp, is, span_of(octets, n)) == SM_OK) {
			expect(right.dialect == is, v, "dialect kept");
			expect(pdu_parse(&wrong, &proto_cmpp, other, span_of(octets, n)) == SM_OK,
				v, "other dialect");
			expect(wrong.layout == right.layout, v, "layout by evidence");
			if (right.layout->dialect_max != 0xff || right.layout->dialect_min != 0)
				expect(wrong.dialect == (is >= 0x30 ? 0x30 : 0x20), v,
					"dialect told");
		}
		free(octets);
	}
}

static uint8_t after(const char *hex, const struct proto *p, uint8_t now)
{
	size_t n;
	uint8_t *octets = octets_of(hex, &n);
	uint8_t d = p->dialect_of(span_of(octets, n), now);

	free(octets);
	return d;
}

static uint8_t cmpp_after(const char *id, uint8_t now)
{
	return after(HEX(id), &proto_cmpp, now);
}

static void dialect_by_connect(void **state)
{
	(void)state;
	assert_int_equal(cmpp_after("cmpp-connect-21", 0x20), 0x21);
	assert_int_equal(cmpp_after("cmpp-connect-20", 0x30), 0x20);
	assert_int_equal(cmpp_after("cmpp-connect-30", 0x20), 0x30);
	assert_int_equal(cmpp_after("cmpp-connect-7f", 0x20), 0x20);
	assert_int_equal(cmpp_after("cmpp-connect_resp-21", 0x21), 0x21);
	assert_int_equal(cmpp_after("cmpp-connect_resp-21", 0x30), 0x20);
	assert_int_equal(cmpp_after("cmpp-connect_resp-30", 0x20), 0x30);
	assert_int_equal(cmpp_after("cmpp-connect_resp-20-fail", 0x30), 0x20);
	assert_int_equal(cmpp_after("cmpp-submit-30", 0x20), 0x20);
	/* 30 octets that name 3.0: still framed as 2.x */
	assert_int_equal(after("0000001e8000000100000017006c0b846e25bab6daa4ed1c466e0f4bd830",
		&proto_cmpp, 0x30), 0x20);
}

static uint8_t smpp_after(const char *id, uint8_t now)
{
	return after(HEX(id), &proto_smpp, now);
}

static void dialect_by_bind(void **state)
{
	(void)state;
	assert_int_equal(smpp_after("smpp-bind_receiver-33", 0x34), 0x33);
	assert_int_equal(smpp_after("smpp-bind_transceiver-50", 0x34), 0x50);
	assert_int_equal(smpp_after("smpp-bind_transmitter-2", 0x34), 0x34);
	assert_int_equal(smpp_after("smpp-bind_transceiver_resp-1", 0x50), 0x34);
	assert_int_equal(smpp_after("smpp-bind_transceiver_resp-1", 0x33), 0x33);
	assert_int_equal(smpp_after("smpp-bind_transceiver_resp-noTLV", 0x50), 0x50);
	assert_int_equal(smpp_after("smpp-submit_sm-1", 0x50), 0x50);
}

/* command_status of responses; the body's result in CMPP. */
static void results(void **state)
{
	static const struct {
		const char *id;
		bool has;
		uint32_t code;
	} rows[] = {
		{ "smpp-submit_sm_resp-vendor", true, 0x412 },
		  { "smpp-bind_transceiver_resp-err-nul", true, 0x53 },
		{ "smpp-generic_nack-1", true, 1 }, { "smpp-alert_notification-1", false, 0 },
		{ "smpp-submit_sm-1", false, 0 }, { "cmpp-submit_resp-30-vendor", true, 107 },
		{ "cmpp-submit_resp-20", true, 0 }, { "cmpp-connect_resp-20-fail", true, 3 },
		{ "cmpp-cancel_resp-30", true, 1 }, { "cmpp-fwd_resp-30", true, 1 },
		  { "cmpp-submit-20", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *v = vector_named(rows[i].id);
		struct pdu pdu;
		uint32_t code = 0;
		size_t n;
		uint8_t *octets = octets_of(vector_str(v, "hex"), &n);

		expect(pdu_parse(&pdu, vector_proto(v), vector_dialect(v),
			span_of(octets, n)) == SM_OK, v, "parse");
		expect(pdu_result(&pdu, &code) == rows[i].has && code == rows[i].code, v, "result");
		free(octets);
	}
}

static void roles_by_direction(void **state)
{
	struct pdu pdu;
	size_t n;
	uint8_t *octets = octets_of(HEX("smpp-data_sm-1"), &n);

	(void)state;
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(octets, n)), SM_OK);
	assert_int_equal(pdu_role_from(&pdu, SIDE_SP), R_SUBMIT);
	assert_int_equal(pdu_role_from(&pdu, SIDE_GW), R_DELIVER);
	free(octets);
	octets = octets_of(HEX("smpp-data_sm_resp-1"), &n);
	assert_int_equal(pdu_parse(&pdu, &proto_smpp, 0x34, span_of(octets, n)), SM_OK);
	assert_int_equal(pdu_role_from(&pdu, SIDE_SP), R_DELIVER_ACK);
	assert_int_equal(pdu_role_from(&pdu, SIDE_GW), R_SUBMIT_ACK);
	free(octets);
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
		cmocka_unit_test(dialect_by_consistency), cmocka_unit_test(dialect_by_connect),
		cmocka_unit_test(dialect_by_bind), cmocka_unit_test(results),
		cmocka_unit_test(roles_by_direction),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
