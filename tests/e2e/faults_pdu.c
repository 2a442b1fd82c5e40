#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"

/* Rows P1 to P7 of the fault list: lengths that cannot be, PDUs that do not end, protocols that are
 * not ours. */

static struct rig rig;
static int gateway, gateway_port;

static void begin(const char *protocol, const char *keys)
{
	struct rig_link link = {
		.protocol = protocol, .upstream = &gateway_port, .upstream_count = 1, .keys = keys
	};

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, NULL, &link, 1);
}

static size_t bad_header(uint32_t len, uint8_t to[16])
{
	struct sim_pdu login = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001") };
	uint8_t whole[SIM_PDU_MAX];

	sim_build(SIM_SMPP, &login, whole);
	memcpy(to, whole, 16);
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	return 16;
}

/* P1, P2 before login: closed, named, and no gateway was dialled for it. */
static void before_login(const char *protocol, uint32_t header_len)
{
	uint32_t lengths[32];
	int count = 0;
	long peak = 0;

	for (uint32_t len = 0; len < header_len; len++)
		lengths[count++] = len;
	lengths[count++] = 65537;
	lengths[count++] = 0x7fffffff;
	lengths[count++] = 0x80000000;
	lengths[count++] = 0xffffffff;
	begin(protocol, "max_pdu = 65536;");
	for (int i = 0; i < count; i++) {
		size_t from = json_array_size(rig.records);
		uint8_t octets[16];
		int sp = peer_dial(rig.port[0]);

		peer_send(sp, octets, bad_header(lengths[i], octets));
		if (!peer_ended(sp, WAIT_MS))
			fail_msg("length %u before login does not end the session", lengths[i]);
		peer_close(sp);
		rig_await(&rig, from, NULL, "ev=session_close *~bad_length");
		/* The engine listens before it has read its tables; by now it has. */
		if (i == 0)
			peak = rig_engine_kib(&rig, true);
	}
	assert_false(peer_has_caller(gateway, 50));
	assert_in_range(rig_engine_kib(&rig, true) - peak, 0,
		32768); /* nothing of such a size was ever made */
	assert_int_equal(rig_count(&rig, "ev=blind"), 0);
	rig_stop(&rig);
}

static void impossible_before_login(void **state)
{
	(void)state;
	before_login("smpp", 16);
	before_login("cmpp", 12);
}

/*
 * P1, P2 after login, from `from`: that direction goes blind, its octets go on as they are; the
 * other one is still read.
 */
static void goes_blind(enum sim_proto proto, uint32_t len, bool from_gateway)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.seq = 77,
		.user = sim_text("900001"),
		.src = sim_text("10690001"),
		.dst = sim_text("13800138000"),
		.body = sim_text("blind") };
	struct sim_pdu deliver = { .what = SIM_DELIVER,
		.seq = 78,
		.src = sim_text("13800138000"),
		.dst = sim_text("10690001"),
		.msgid = sim_text("12345678"),
		.body = sim_text("hello") };
	size_t at = json_array_size(rig.records), n = 0;
	uint8_t octets[2 * SIM_PDU_MAX + 64];
	struct pair p = pair_login(&rig, 0, gateway, proto);
	long long sess;
	int from = from_gateway ? p.gw : p.sp, to = from_gateway ? p.sp : p.gw;

	n = sim_build(proto, from_gateway ? &deliver : &submit, octets);
	peer_send(from, octets, n);
	peer_expect(to, octets, n);
	n = bad_header(len, octets);
	n += sim_build(proto, from_gateway ? &deliver : &submit, octets + n);
	memcpy(octets + n, "and three", 9); /* no multiple of anything */
	n += 9;
	peer_send(from, octets, n);
	peer_expect(to, octets, n);
	sess = json_integer_value(json_object_get(
		rig_await(&rig, at, &at, "ev=blind link=l1 from=%s", from_gateway ? "gw" : "sp"),
		"sess"));
	n = sim_build(proto, from_gateway ? &submit : &deliver, octets);
	peer_send(to, octets, n);
	peer_expect(from, octets, n);
	rig_await(&rig, at, NULL, from_gateway ? "ev=submit seq=77" : "ev=deliver seq=78");
	assert_int_equal(
		rig_count(&rig, "ev=%s sess=%lld", from_gateway ? "deliver" : "submit", sess), 1);
	assert_int_equal(rig_count(&rig, "ev=blind sess=%lld", sess), 1);
	peer_close(p.sp);
	peer_close(p.gw);
}

static void impossible_after_login(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 8, 11, 65537, 0x7fffffff, 0x80000000,
		0xffffffff };

	(void)state;
	for (int proto = SIM_CMPP2; proto <= SIM_SMPP; proto += 2) {
		begin(proto == SIM_SMPP ? "smpp" : "cmpp",
			"max_pdu = 65536; bad_length = \"blind\";");
		for (size_t i = 0; i < 2 * sizeof lengths / sizeof *lengths; i++)
			goes_blind((enum sim_proto)proto, lengths[i / 2], i % 2);
		rig_stop(&rig);
	}
}

static void impossible_after_login_closes(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu test = { .what = SIM_TEST, .seq = 2 };

	(void)state;
	begin("smpp", "bad_length = \"close\";");
	for (int way = 0; way < 2; way++) {
		size_t from = json_array_size(rig.records);
		struct pair p = pair_login(&rig, 0, gateway, SIM_SMPP);
		size_t n = sim_build(SIM_SMPP, &test, octets);

		bad_header(3, octets + n);
		peer_send(way ? p.gw : p.sp, octets, n + 16);
		peer_expect(way ? p.sp : p.gw, octets, n); /* what was whole still arrives */
		assert_true(peer_ended(p.sp, WAIT_MS));
		assert_true(peer_ended(p.gw, WAIT_MS));
		peer_close(p.sp);
		peer_close(p.gw);
		rig_await(&rig, from, NULL, "ev=session_close *~bad_length");
	}
	rig_stop(&rig);
}

/* P3: nothing of a part goes out, one stall record says so; at the end of the stream it goes out as
 * it is. */
static void promised_more(void **state)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.seq = 5,
		.src = sim_text("10690001"),
		.dst = sim_text("13800138000"),
		.body = sim_text("stalled") };
	uint8_t octets[SIM_PDU_MAX];

	(void)state;
	begin("cmpp", "stall = \"300ms\";");
	for (int way = 0; way < 2; way++) {
		size_t from = json_array_size(rig.records), n;
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP3);
		int in = way ? p.gw : p.sp, out = way ? p.sp : p.gw;

		n = sim_build(SIM_CMPP3, &submit, octets);
		peer_send(in, octets, n - 20);
		peer_expect_silence(out, 200);
		rig_await(&rig, from, NULL, "ev=stall from=%s", way ? "gw" : "sp");
		peer_expect_silence(out, 1200);
		shutdown(in, SHUT_WR);
		peer_expect(out, octets, n - 20);
		peer_expect_end(out);
		peer_close(p.sp);
		peer_close(p.gw);
	}
	assert_int_equal(rig_count(&rig, "ev=stall"), 2);
	rig_stop(&rig);
}

/* A PDU that only pauses gives no stall record. */
static void late_but_whole(void **state)
{
	struct sim_pdu test = { .what = SIM_TEST, .seq = 5 };
	uint8_t octets[SIM_PDU_MAX];
	size_t n = sim_build(SIM_SMPP, &test, octets);
	struct pair p;

	(void)state;
	begin("smpp", "stall = \"3s\";");
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	for (int i = 0; i < 5; i++) {
		peer_send(p.sp, octets, 7);
		pause_ms(200);
		peer_send(p.sp, octets + 7, n - 7);
		peer_expect(p.gw, octets, n);
	}
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=stall"), 0);
	rig_stop(&rig);
}

/* P4: the length is 20 short. The first part frames and is malformed, then the text is taken for a
 * length. */
static void too_short(void **state)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.seq = 9,
		.src = sim_text("10690001"),
		.dst = sim_text("13800138000"),
		.body = sim_text("a text that is read as the next header") };
	uint8_t octets[2 * SIM_PDU_MAX];
	size_t n, whole;
	struct pair p;

	(void)state;
	begin("smpp", NULL);
	p = pair_login(&rig, 0, gateway, SIM_SMPP);
	whole = sim_build(SIM_SMPP, &submit, octets);
	octets[3] = (uint8_t)(whole - 20);
	n = whole + sim_build(SIM_SMPP, &submit, octets + whole);
	peer_send(p.sp, octets, n);
	peer_expect(p.gw, octets, n);
	rig_await(&rig, 0, NULL, "ev=malformed dir=sp>gw");
	rig_await(&rig, 0, NULL, "ev=blind from=sp");
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close");
	assert_int_equal(rig_count(&rig, "ev=submit"), 0);
	assert_int_equal(rig_count(&rig, "ev=blind"), 1);
	rig_stop(&rig);
}

/* P6: a plain port that hears another protocol says which one. */
static void foreign_protocols(void **state)
{
	static const struct {
		const char *name;
		struct sim_text octets;
	} foreign[] = {
		{ "HTTP", { "GET / HTTP/1.0\r\n\r\n", 18 } },
		{ "HTTP", { "POST /sms HTTP/1.1\r\nHost: x\r\n\r\n", 31 } },
		{ "HTTP", { "HEAD / HTTP/1.0\r\n\r\n", 19 } },
		{ "SSH", { "SSH-2.0-OpenSSH_9.2\r\n", 21 } },
		{ "AMQP", { "AMQP\0\0\t\1", 8 } },
		{ "TLS", { "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\x03", 11 } },
		{ "PROXY", { "PROXY TCP4 10.0.0.1 10.0.0.2 1000 2000\r\n", 40 } },
		{ "PROXY", { "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16 } },
	};

	(void)state;
	for (int proto = SIM_CMPP2; proto <= SIM_SMPP; proto += 2) {
		begin(proto == SIM_SMPP ? "smpp" : "cmpp", NULL);
		for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
			size_t from = json_array_size(rig.records);
			int sp = peer_dial(rig.port[0]);

			peer_send(sp, foreign[i].octets.p, foreign[i].octets.n);
			assert_true(peer_ended(sp, WAIT_MS));
			peer_close(sp);
			rig_await(&rig, from, NULL, "ev=session_close *~%s", foreign[i].name);
		}
		assert_false(peer_has_caller(gateway, 20));
		rig_stop(&rig);
	}
}

/* A PDU that is no login ends a session that has none. */
static void not_a_login(void **state)
{
	uint8_t octets[SIM_PDU_MAX];

	(void)state;
	for (int proto = SIM_CMPP2; proto <= SIM_SMPP; proto += 2) {
		int sp;
		struct sim_pdu submit = {
			.what = SIM_SUBMIT, .seq = 1, .dst = sim_text("13800138000")
		};

		begin(proto == SIM_SMPP ? "smpp" : "cmpp", NULL);
		sp = peer_dial(rig.port[0]);
		peer_send(sp, octets, sim_build((enum sim_proto)proto, &submit, octets));
		assert_true(peer_ended(sp, WAIT_MS));
		assert_false(peer_has_caller(gateway, 20));
		rig_await(&rig, 0, NULL, "ev=session_close *~login");
		rig_stop(&rig);
	}
}

/* What is said of a session, in order, without what time and numbering add. */
static char *story(size_t from, size_t until)
{
	static const char *const keys[] = { "ev", "dir", "cmd", "seq", "code", "zh", "msgid", "dst",
		"src", "len" };
	json_t *all = json_array();
	char *text;

	for (size_t i = from; i < until; i++) {
		const json_t *r = json_array_get(rig.records, i);
		const char *ev = json_string_value(json_object_get(r, "ev"));
		json_t *one;

		if (!ev || !json_object_get(r, "seq"))
			continue;
		one = json_object();
		for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
			json_t *v = json_object_get(r, keys[k]);

			if (v)
				json_object_set(one, keys[k], v);
		}
		json_array_append_new(all, one);
	}
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static size_t conversation(uint8_t *to)
{
	struct sim_pdu submit = { .what = SIM_SUBMIT,
		.src = sim_text("10690001"),
		.body = sim_text("the same for all"),
		.registered = true };
	char number[16];
	size_t n = 0;

	for (uint32_t i = 0; i < 41; i++) {
		snprintf(number, sizeof number, "138%08u", i * 1234567);
		submit.dst = sim_text(number);
		submit.seq = 100 + i;
		n += sim_build(SIM_CMPP2, &submit, to + n);
		if (i % 5 == 0) {
			struct sim_pdu test = { .what = SIM_TEST, .seq = 200 + i };

			n += sim_build(SIM_CMPP2, &test, to + n);
		}
	}
	return n;
}

/* P7: whatever the segments, the records are the same. */
static void same_events(void **state)
{
	static const size_t pieces[] = { 0, 1, 3, 13, 200, 3000 };
	uint8_t *octets = malloc(64 * 1024);
	char *first = NULL;
	size_t n;

	(void)state;
	assert_non_null(octets);
	n = conversation(octets);
	begin("cmpp", NULL);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		size_t from = json_array_size(rig.records), until;
		struct pair p = pair_login(&rig, 0, gateway, SIM_CMPP2);
		struct flow f = {
			.from = p.sp, .to = p.gw, .p = octets, .n = n, .piece_max = pieces[i]
		};
		char *said;

		flows_run(&f, 1, (uint32_t)i + 1);
		peer_close(p.sp);
		peer_close(p.gw);
		rig_await(&rig, from, &until, "ev=session_close");
		said = story(from, until);
		if (!first) {
			first = said;
			assert_non_null(strstr(first, "\"seq\":140"));
			continue;
		}
		assert_string_equal(said, first);
		free(said);
	}
	free(first);
	free(octets);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(impossible_before_login, rig_sweep),
		cmocka_unit_test_teardown(impossible_after_login, rig_sweep),
		cmocka_unit_test_teardown(impossible_after_login_closes, rig_sweep),
		cmocka_unit_test_teardown(promised_more, rig_sweep),
		cmocka_unit_test_teardown(late_but_whole, rig_sweep),
		cmocka_unit_test_teardown(too_short, rig_sweep),
		cmocka_unit_test_teardown(foreign_protocols, rig_sweep),
		cmocka_unit_test_teardown(not_a_login, rig_sweep),
		cmocka_unit_test_teardown(same_events, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
