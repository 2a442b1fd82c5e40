#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

/*
 * Who may pass: networks, accounts, how often, PROXY headers (rows N2, N15, N16 of the fault list, and
 * what a refusal must be: answered, arrived, counted, told).
 */

static struct rig rig;
static int gateway, gateway_port;

static void begin(const char *protocol, const char *keys)
{
	struct rig_link link = { .protocol = protocol, .upstream = &gateway_port,
		.upstream_count = 1, .keys = keys };

	gateway = peer_listen(&gateway_port, 256);
	rig_start(&rig, NULL, &link, 1);
}

/* Dial from another address of 127.0.0.0/8. */
static int dial_from(const char *source)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, source, &a.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)rig.port[0]);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static size_t login(const char *account, enum sim_proto proto, uint8_t *to)
{
	struct sim_pdu pdu = { .what = SIM_LOGIN, .seq = 7, .user = sim_text(account),
		.secret = sim_text(proto == SIM_SMPP ? "01234567" : "0123456789abcdef"),
		.stamp = 1121080000 };

	return sim_build(proto, &pdu, to);
}

/* A login that is answered with another status than 0, in its own protocol, and then the end. */
static void expect_refused(int sp, const char *account, enum sim_proto proto, uint32_t status)
{
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu answer;

	peer_send(sp, octets, login(account, proto, octets));
	peer_read_pdu(sp, proto, octets, &answer);
	assert_int_equal(answer.what, SIM_LOGIN_RESP);
	assert_int_equal(answer.seq, 7);
	assert_int_equal(answer.status, status);
	peer_expect_end(sp);
	peer_close(sp);
	assert_false(peer_has_caller(gateway, 20));
}

/* A login that the gateway answers with `status`. */
static struct pair log_in(int sp, const char *account, enum sim_proto proto, uint32_t status)
{
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 7, .status = status,
		.user = sim_text("gateway"), .secret = sim_text("fedcba9876543210") };
	uint8_t octets[SIM_PDU_MAX], seen[SIM_PDU_MAX];
	size_t n = login(account, proto, octets);
	struct pair p = { sp, -1 };

	peer_send(sp, octets, n);
	p.gw = peer_accept(gateway);
	peer_expect(p.gw, octets, n);
	n = sim_build(proto, &answer, seen);
	peer_send(p.gw, seen, n);
	peer_expect(sp, seen, n);
	return p;
}

static void leave(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

/* Networks: turned away at once, nothing dialled, told once a second with how many. */
static void networks(void **state)
{
	enum { TRIES = 20 };
	size_t told = 0, count = 0;

	(void)state;
	begin("cmpp", "allow = [ \"127.0.0.0/24\", \"127.0.1.9\" ]; deny = \"127.0.0.7\";");
	leave(log_in(dial_from("127.0.0.8"), "900001", SIM_CMPP2, 0));
	leave(log_in(dial_from("127.0.1.9"), "900001", SIM_CMPP2, 0));
	for (int i = 0; i < TRIES; i++) {
		int sp = dial_from(i % 2 ? "127.0.0.7" : "127.0.1.1");

		assert_true(peer_ended(sp, 2000));
		close(sp);
	}
	pause_ms(1500);
	rig_await(&rig, 0, NULL, "ev=refused reason=denied peer~127.0.0.7:");
	for (size_t i = 0; i < json_array_size(rig.records); i++) {
		json_t *r = json_array_get(rig.records, i);

		if (strcmp(json_string_value(json_object_get(r, "ev")), "refused") == 0) {
			told++;
			count += (size_t)json_integer_value(json_object_get(r, "count"));
		}
	}
	assert_int_equal(count, TRIES);
	assert_in_range(told, 1, 4);
	assert_int_equal(rig_count(&rig, "ev=session_open"), 2);
	assert_false(peer_has_caller(gateway, 50));
	rig_stop(&rig);
}

/* Accounts: refused in the SP's own protocol, and it arrives although more was on its way. */
static void accounts(void **state)
{
	uint8_t octets[32 * SIM_PDU_MAX], answer_octets[SIM_PDU_MAX];
	struct sim_pdu submit = { .what = SIM_SUBMIT, .dst = sim_text("13800138000") }, answer;
	size_t n;
	int sp;

	(void)state;
	begin("auto", "accounts = [ \"900001\", \"esme1\" ];");
	leave(log_in(peer_dial(rig.port[0]), "900001", SIM_CMPP2, 0));
	leave(log_in(peer_dial(rig.port[0]), "esme1", SIM_SMPP, 0));
	expect_refused(peer_dial(rig.port[0]), "900002", SIM_CMPP2, 2);
	expect_refused(peer_dial(rig.port[0]), "900002", SIM_CMPP3, 2);
	expect_refused(peer_dial(rig.port[0]), "esme2", SIM_SMPP, 0x0f);
	rig_await_count(&rig, 3, "ev=session_close how=account");
	rig_await(&rig, 0, NULL, "ev=login system_id=esme2 by=smscope");
	n = login("esme3", SIM_SMPP, octets);
	for (submit.seq = 100; submit.seq < 130; submit.seq++)
		n += sim_build(SIM_SMPP, &submit, octets + n);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, n);
	pause_ms(300); /* whatever destroys the answer has had its time */
	peer_read_pdu(sp, SIM_SMPP, answer_octets, &answer);
	assert_int_equal(answer.status, 0x0f);
	peer_expect_end(sp);
	rig_stop(&rig);
}

/* A second login of a session is held to the same rules, and does not slip by in pieces. */
static void second_login(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;
	size_t n;

	(void)state;
	begin("smpp", "accounts = [ \"esme1\", \"esme2\" ];");
	p = log_in(peer_dial(rig.port[0]), "esme1", SIM_SMPP, 0x0e);
	n = login("esme2", SIM_SMPP, octets);
	peer_send(p.sp, octets, n);
	peer_expect(p.gw, octets, n);
	pair_ping(p, SIM_SMPP);
	n = login("esme3", SIM_SMPP, octets);
	peer_send(p.sp, octets, n);
	peer_expect_end(p.gw);
	peer_expect_end(p.sp);
	leave(p);
	rig_await(&rig, 0, NULL, "ev=session_close how=account");
	/* in two halves, after a successful login */
	p = log_in(peer_dial(rig.port[0]), "esme1", SIM_SMPP, 0);
	peer_send(p.sp, octets, n / 2);
	pause_ms(50);
	peer_send(p.sp, octets + n / 2, n - n / 2);
	peer_expect_end(p.gw);
	leave(p);
	rig_await_count(&rig, 2, "ev=session_close how=account");
	/* behind another PDU, in one write */
	p = log_in(peer_dial(rig.port[0]), "esme1", SIM_SMPP, 0);
	pdu_make(SIM_SMPP, 5, 16, octets);
	n = 16 + login("esme3", SIM_SMPP, octets + 16);
	peer_send(p.sp, octets, n);
	peer_expect(p.gw, octets, 16);
	peer_expect_end(p.gw);
	leave(p);
	rig_stop(&rig);
}

static void per_account(void **state)
{
	struct pair a, b;

	(void)state;
	begin("cmpp", "max_per_account = 2;");
	a = log_in(peer_dial(rig.port[0]), "900001", SIM_CMPP2, 0);
	b = log_in(peer_dial(rig.port[0]), "900001", SIM_CMPP2, 0);
	expect_refused(peer_dial(rig.port[0]), "900001", SIM_CMPP2, 5);
	leave(log_in(peer_dial(rig.port[0]), "900002", SIM_CMPP2, 0));
	leave(a);
	rig_await_count(&rig, 3, "ev=session_close");
	pause_ms(300); /* the record is there before the last FIN is */
	leave(log_in(peer_dial(rig.port[0]), "900001", SIM_CMPP2, 0));
	leave(b);
	rig_await(&rig, 0, NULL, "ev=session_close how=max_per_account");
	rig_stop(&rig);
}

/* Of an address, whatever the account; and of an account, wherever from. */
static void per_minute(void **state)
{
	(void)state;
	begin("smpp", "logins_per_minute = 3;");
	for (int i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof name, "a%d", i);
		leave(log_in(dial_from("127.0.0.2"), name, SIM_SMPP, 0));
	}
	expect_refused(dial_from("127.0.0.2"), "a4", SIM_SMPP, 0x0d);
	for (int i = 0; i < 3; i++) {
		char source[16];

		snprintf(source, sizeof source, "127.0.0.%d", 10 + i);
		leave(log_in(dial_from(source), "esme1", SIM_SMPP, 0));
	}
	expect_refused(dial_from("127.0.0.20"), "esme1", SIM_SMPP, 0x0d);
	leave(log_in(dial_from("127.0.0.20"), "esme2", SIM_SMPP, 0));
	rig_await_count(&rig, 2, "ev=session_close how=logins_per_minute");
	rig_stop(&rig);
}

/* Whoever was refused too often, by the gateway or by us, stays out for a while; others do not. */
static void penalty(void **state)
{
	struct pair p;
	int sp;

	(void)state;
	begin("cmpp", "accounts = \"900001\"; penalty_after = 3; penalty = \"2s\";");
	for (int i = 0; i < 2; i++) {
		p = log_in(dial_from("127.0.0.2"), "900001", SIM_CMPP2, 3);
		peer_close(p.gw);
		peer_expect_end(p.sp);
		peer_close(p.sp);
	}
	leave(log_in(dial_from("127.0.0.2"), "900001", SIM_CMPP2, 0));
	expect_refused(dial_from("127.0.0.2"), "900009", SIM_CMPP2, 2);
	sp = dial_from("127.0.0.2");
	assert_true(peer_ended(sp, 1000));
	close(sp);
	leave(log_in(dial_from("127.0.0.3"), "900001", SIM_CMPP2, 0));
	rig_await(&rig, 0, NULL, "ev=refused reason=penalty peer~127.0.0.2:");
	pause_ms(2100);
	leave(log_in(dial_from("127.0.0.2"), "900001", SIM_CMPP2, 0));
	rig_stop(&rig);
}

/* N2: whoever drips octets of one PDU does not live by them; whole PDUs of both sides keep a session. */
static void idle(void **state)
{
	uint8_t octets[SIM_PDU_MAX];
	struct pair drips, lives;
	uint64_t start;
	size_t at = 0;

	(void)state;
	begin("smpp", "idle_timeout = \"2s\";");
	drips = log_in(peer_dial(rig.port[0]), "esme1", SIM_SMPP, 0);
	lives = log_in(peer_dial(rig.port[0]), "esme2", SIM_SMPP, 0);
	pdu_make(SIM_SMPP, 9, 200, octets);
	for (start = now_us(); now_us() < start + 6000000 && !peer_has_caller(drips.sp, 100); at++) {
		struct pair back = { lives.gw, lives.sp };

		assert_true(at < 200);
		peer_send(drips.sp, octets + at, 1);
		pair_ping((struct pair){ drips.gw, drips.sp }, SIM_SMPP);	/* the other side does live */
		pair_ping(lives, SIM_SMPP);
		pair_ping(back, SIM_SMPP);
	}
	assert_in_range(now_us() - start, 1500000, 4500000);
	peer_expect_end(drips.sp);
	rig_await(&rig, 0, NULL, "ev=session_close how=idle_timeout by=sp");
	pair_ping(lives, SIM_SMPP);
	leave(drips);
	leave(lives);
	rig_stop(&rig);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Sends the header in pieces with the login right behind it, and expects the login alone at the gateway. */
static struct pair proxied_login(const char *header, size_t n, size_t cut)
{
	uint8_t octets[512], answer[SIM_PDU_MAX];
	struct sim_pdu ok = { .what = SIM_LOGIN_RESP, .seq = 7, .user = sim_text("gateway") };
	size_t all = n + login("esme1", SIM_SMPP, octets + n);
	struct pair p = { peer_dial(rig.port[0]), -1 };

	memcpy(octets, header, n);
	if (cut > 0) {
		peer_send(p.sp, octets, cut);
		pause_ms(5);
	}
	peer_send(p.sp, octets + cut, all - cut);
	p.gw = peer_accept(gateway);
	peer_expect(p.gw, octets + n, all - n);
	n = sim_build(SIM_SMPP, &ok, answer);
	peer_send(p.gw, answer, n);
	peer_expect(p.sp, answer, n);
	pair_ping(p, SIM_SMPP);
	return p;
}

static const char v1[] = "PROXY TCP4 192.0.2.1 198.51.100.7 5555 2775\r\n";
static const char v2[] = SIGNATURE "\x21\x21\0\x28" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\x15\xb3\x0a\xd7" "\x04\0\x01x";

static const char mapped[] = "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.7 5555 2775\r\n";

/* The header's address is the SP's, and the stream begins behind it, wherever it was cut. */
static void proxy_from(void **state)
{
	(void)state;
	begin("smpp", "proxy_from = \"127.0.0.0/8\"; allow = [ \"192.0.2.0/24\", \"2001:db8::/32\", "
		"\"127.0.0.1\" ];");
	for (size_t cut = 0; cut < sizeof v1 - 1; cut += 5) {
		leave(proxied_login(v1, sizeof v1 - 1, cut));
		rig_await_count(&rig, cut / 5 + 1, "ev=session_close");
	}
	rig_await(&rig, 0, NULL, "ev=session_open peer=192.0.2.1:5555");
	rig_await(&rig, 0, NULL, "ev=login peer=192.0.2.1:5555");
	leave(proxied_login(v2, sizeof v2 - 1, 20));
	rig_await(&rig, 0, NULL, "ev=login peer=[2001:db8::1]:5555");
	leave(proxied_login(mapped, sizeof mapped - 1, 20));
	rig_await(&rig, 0, NULL, "ev=login peer=192.0.2.7:5555");
	leave(proxied_login("PROXY UNKNOWN\r\n", 15, 3));	/* the balancer's own: its address counts */
	leave(proxied_login(SIGNATURE "\x20\0\0\0", 16, 0));
	rig_await(&rig, 0, NULL, "ev=login peer~127.0.0.1:");
	rig_stop(&rig);
}

/* The limit of an address is that of the SP, not of the balancer. */
static void proxy_limits(void **state)
{
	static const char other[] = "PROXY TCP4 192.0.2.2 198.51.100.7 5555 2775\r\n";
	struct pair a, b;
	int sp;

	(void)state;
	begin("smpp", "proxy_from = \"127.0.0.1\"; deny = \"192.0.2.9\"; max_per_ip = 1;");
	a = proxied_login(v1, sizeof v1 - 1, 0);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, v1, sizeof v1 - 1);
	assert_true(peer_ended(sp, 2000));
	peer_close(sp);
	rig_await(&rig, 0, NULL, "ev=refused reason=max_per_ip");
	b = proxied_login(other, sizeof other - 1, 0);
	leave(a);
	rig_await_count(&rig, 1, "ev=session_close");
	pause_ms(300); /* the record is there before the last FIN is */
	leave(proxied_login(v1, sizeof v1 - 1, 0));
	leave(b);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, "PROXY TCP4 192.0.2.9 198.51.100.7 5555 2775\r\n", 45);
	assert_true(peer_ended(sp, 2000));
	rig_await(&rig, 0, NULL, "ev=refused reason=denied");
	assert_false(peer_has_caller(gateway, 20));
	rig_stop(&rig);
}

/* N15: what is no header of a balancer ends it, with a reason; a header from anybody else is foreign. */
static void proxy_garbage(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
	} bad[] = {
#define ROW(s) { s, sizeof(s) - 1 }
		ROW("GET / HTTP/1.0\r\n\r\n"), ROW("PROXY TCP4 1.2.3.4\r\n"),
		ROW("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff  65535 65535\r\n"),
		ROW(SIGNATURE "\x21\x11\0\x14" "123456789012\0\0\0\x23\0\0\0\x09"),
		ROW(SIGNATURE "\x21\x11\xff\xff"), ROW("\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01"),
#undef ROW
	};
	size_t count = sizeof bad / sizeof *bad;
	uint64_t start;
	int sp;

	(void)state;
	begin("smpp", "proxy_from = \"127.0.0.1\"; login_timeout = \"1s\";");
	for (size_t i = 0; i < count; i++) {
		sp = peer_dial(rig.port[0]);
		peer_send(sp, bad[i].octets, bad[i].n);
		if (!peer_ended(sp, 2000))
			fail_msg("header %zu stays", i);
		peer_close(sp);
	}
	rig_await(&rig, 0, NULL, "ev=refused reason=proxy_header");
	/* a header that drips has the time of a login */
	sp = peer_dial(rig.port[0]);
	start = now_us();
	for (size_t i = 0; i < 40 && !peer_ended(sp, 100); i++)
		if (send(sp, v1 + i, 1, MSG_NOSIGNAL) < 0)
			break;
	assert_in_range(now_us() - start, 800000, 3000000);
	rig_await(&rig, 0, NULL, "ev=refused reason=login_timeout");
	/* somebody who only looks whether we are here is no news */
	peer_close(peer_dial(rig.port[0]));
	/* from an address that is no balancer */
	sp = dial_from("127.0.0.2");
	peer_send(sp, v1, sizeof v1 - 1);
	assert_true(peer_ended(sp, 2000));
	close(sp);
	rig_await(&rig, 0, NULL, "ev=session_close how=foreign *~PROXY");
	sp = dial_from("127.0.0.2");
	peer_send(sp, v2, sizeof v2 - 1);
	assert_true(peer_ended(sp, 2000));
	close(sp);
	rig_await_count(&rig, 2, "ev=session_close how=foreign *~PROXY");
	assert_int_equal(rig_count(&rig, "ev=session_open"), 2);
	assert_false(peer_has_caller(gateway, 20));
	rig_stop(&rig);
}

/* The gateway hears of the SP's address before the login: our own end's, or what a balancer told. */
static void proxy_to(const char *version)
{
	char keys[128], want[128];
	uint8_t octets[SIM_PDU_MAX], got[SIM_PDU_MAX];
	size_t n = login("esme1", SIM_SMPP, octets), head;
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int sp, gw;

	snprintf(keys, sizeof keys, "proxy_from = \"127.0.0.9\"; proxy_to = \"%s\";", version);
	begin("smpp", keys);
	sp = peer_dial(rig.port[0]);
	assert_int_equal(getsockname(sp, (struct sockaddr *)&a, &len), 0);
	peer_send(sp, octets, n);
	gw = peer_accept(gateway);
	if (version[1] == '1') {
		snprintf(want, sizeof want, "PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n",
			ntohs(a.sin_port), rig.port[0]);
		head = strlen(want);
	} else {
		uint8_t ports[4] = { (uint8_t)(ntohs(a.sin_port) >> 8), (uint8_t)ntohs(a.sin_port),
			(uint8_t)(rig.port[0] >> 8), (uint8_t)rig.port[0] };

		memcpy(want, SIGNATURE "\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01", 24);
		memcpy(want + 24, ports, 4);
		head = 28;
	}
	assert_int_equal(peer_read(gw, got, head + n, WAIT_MS), head + n);
	assert_memory_equal(got, want, head);
	assert_memory_equal(got + head, octets, n);
	pair_ping((struct pair){ sp, gw }, SIM_SMPP);
	sp = dial_from("127.0.0.9");
	peer_send(sp, v1, sizeof v1 - 1);
	peer_send(sp, octets, n);
	gw = peer_accept(gateway);
	head = version[1] == '1' ? sizeof v1 - 1 : 28;
	assert_int_equal(peer_read(gw, got, head + n, WAIT_MS), head + n);
	if (version[1] == '1')
		assert_memory_equal(got, v1, head);
	else
		assert_memory_equal(got + 16, "\xc0\0\x02\x01\xc6\x33\x64\x07\x15\xb3\x0a\xd7", 12);
	assert_memory_equal(got + head, octets, n);
	close(sp);
	rig_stop(&rig);
}

static void proxy_to_gateway(void **state)
{
	(void)state;
	proxy_to("v1");
	proxy_to("v2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(networks, rig_sweep),
		cmocka_unit_test_teardown(accounts, rig_sweep),
		cmocka_unit_test_teardown(second_login, rig_sweep),
		cmocka_unit_test_teardown(per_account, rig_sweep),
		cmocka_unit_test_teardown(per_minute, rig_sweep),
		cmocka_unit_test_teardown(penalty, rig_sweep),
		cmocka_unit_test_teardown(idle, rig_sweep),
		cmocka_unit_test_teardown(proxy_from, rig_sweep),
		cmocka_unit_test_teardown(proxy_limits, rig_sweep),
		cmocka_unit_test_teardown(proxy_garbage, rig_sweep),
		cmocka_unit_test_teardown(proxy_to_gateway, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
