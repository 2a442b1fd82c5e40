#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_peer.h"

/*
 * TLS on either side of a link or on both: the octets that come out are those that went in, back
 * pressure works, and ends are told apart. Rows T5, T8 and T11 of faults.md; T1 to T7 and T10 are
 * in tls_faults.c, T9 in tls_files.c.
 */

static struct rig rig;

enum towards { PLAIN, TLS };

struct way {
	enum towards sp, gw;
	enum sim_proto proto;
};

static int listener;

/* A rig with one link, TLS where `way` says. */
static void begin(const struct way *way, const char *more)
{
	static char keys[1024];
	static int port;
	struct rig_link link = { .protocol = way->proto == SIM_SMPP ? "smpp" : "cmpp",
		.upstream = &port, .upstream_count = 1, .keys = keys };
	struct rig_options o = { .control = true };
	char sp[400] = "", gw[400] = "";

	if (way->sp == TLS)
		snprintf(sp, sizeof sp, "tls_certificate = \"%s\";", kit.server_file);
	if (way->gw == TLS)
		snprintf(gw, sizeof gw, "upstream_tls = true; upstream_tls_ca = \"%s\";",
			kit.ca_file);
	snprintf(keys, sizeof keys, "%s %s %s", sp, gw, more ? more : "");
	listener = peer_listen(&port, 16);
	rig_start(&rig, &o, &link, 1);
}

static int dial_sp(const struct way *way, size_t record, enum tls_manner manner)
{
	SSL *ssl;

	if (way->sp == PLAIN)
		return peer_dial(rig.port[0]);
	ssl = tls_connect(kit.sp, peer_dial(rig.port[0]), "smscope.test", NULL);
	assert_non_null(ssl);
	return tls_tunnel(ssl, record, manner);
}

static int answer_gw(const struct way *way, size_t record)
{
	SSL *ssl;

	if (way->gw == PLAIN)
		return peer_accept(listener);
	ssl = tls_accept(kit.gw, peer_accept(listener), NULL);
	assert_non_null(ssl);
	return tls_tunnel(ssl, record, TLS_POLITE);
}

/* Log in through whatever stands between, as pair_login() does it in plain. */
static struct pair login_with(const struct way *way, int sp, size_t record)
{
	uint8_t octets[SIM_PDU_MAX], seen[SIM_PDU_MAX];
	struct sim_pdu login = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text(way->proto == SIM_SMPP ? "c4n4ryPw" : "c4n4ryPw01234567"),
		.stamp = 1121080000 };
	struct sim_pdu answer = { .what = SIM_LOGIN_RESP, .seq = 1, .user = sim_text("gateway"),
		.secret = sim_text("fedcba9876543210") };
	struct pair p = { sp, -1 };
	size_t n = sim_build(way->proto, &login, octets);

	peer_send(sp, octets, n);
	p.gw = answer_gw(way, record);
	peer_expect(p.gw, octets, n);
	n = sim_build(way->proto, &answer, seen);
	peer_send(p.gw, seen, n);
	peer_expect(sp, seen, n);
	return p;
}

static struct pair login(const struct way *way)
{
	return login_with(way, dial_sp(way, 0, TLS_POLITE), 0);
}

static void end(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close");
	rig_stop(&rig);
	tls_sweep();
}

static const struct way ways[] = {
	{ TLS, PLAIN, SIM_SMPP }, { PLAIN, TLS, SIM_SMPP }, { TLS, TLS, SIM_SMPP },
	{ TLS, PLAIN, SIM_CMPP2 }, { PLAIN, TLS, SIM_CMPP2 }, { TLS, TLS, SIM_CMPP2 },
};

static void streams(const struct way *way, struct pair p, size_t n, size_t pdu_max, size_t piece,
	unsigned int pause_us)
{
	size_t n1, n2;
	uint8_t *there = stream_make(way->proto, 3, n, pdu_max, &n1);
	uint8_t *back = stream_make(way->proto, 4, n, pdu_max, &n2);
	struct flow flows[] = {
		{ .from = p.sp, .to = p.gw, .p = there, .n = n1, .piece_max = piece,
			.pause_us = pause_us, .read_max = pause_us ? 65536 : 0 },
		{ .from = p.gw, .to = p.sp, .p = back, .n = n2, .piece_max = piece,
			.pause_us = pause_us, .read_max = pause_us ? 65536 : 0 },
	};

	flows_run(flows, 2, 7);
	free(there);
	free(back);
}

static void test_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct pair p;

		begin(&ways[i], NULL);
		p = login(&ways[i]);
		streams(&ways[i], p, 2000000, 4000, 0, 0);
		streams(&ways[i], p, 200000, 4000, 700, 0);
		rig_await(&rig, 0, NULL, ways[i].sp == TLS ? "ev=login tls~TLSv1.3" :
			"ev=login upstream_tls~TLSv1.3");
		end(p);
	}
}

/* Records of one octet, both ways: each is a record of its own for OpenSSL. */
static void test_records_of_one(void **state)
{
	const struct way way = { TLS, TLS, SIM_SMPP };
	uint8_t first[900];
	struct pair p;
	SSL *ssl;

	(void)state;
	begin(&way, NULL);
	/* All of a long first PDU is there before anybody looks: no further edge tells of its rest. */
	ssl = tls_connect(kit.sp, peer_dial(rig.port[0]), NULL, NULL);
	assert_non_null(ssl);
	pdu_make(SIM_SMPP, 1, sizeof first, first);
	for (size_t i = 0; i < sizeof first; i++)
		assert_int_equal(SSL_write(ssl, first + i, 1), 1);
	rig_await(&rig, 0, NULL, "ev=session_close how=not_login");
	SSL_free(ssl);
	p = login_with(&way, dial_sp(&way, 1, TLS_POLITE), 1);
	streams(&way, p, 60000, 1000, 0, 0);
	end(p);
}

/* PDUs beyond hold_max are passed on as they arrive, those of just hold_max are held until whole. */
static void test_large(void **state)
{
	static const size_t sizes[] = { 32767, 32768, 32769, 49151, 49152, 49153, 200000, 1000000 };
	const struct way way = { TLS, TLS, SIM_SMPP };
	struct pair p;

	(void)state;
	begin(&way, "max_pdu = \"1M\";");
	p = login(&way);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t *octets = malloc(sizes[i]);
		struct flow flows[] = {
			{ .from = p.sp, .to = p.gw, .p = octets, .n = sizes[i], .piece_max = 9000 },
			{ .from = p.gw, .to = p.sp, .p = octets, .n = sizes[i] },
		};

		pdu_make(SIM_SMPP, 9, sizes[i], octets);
		flows_run(flows, 2, 5);
		free(octets);
		pair_ping(p, SIM_SMPP);
	}
	end(p);
}

/* What the kernel lets a socket hold at the most: the third number of tcp_rmem, tcp_wmem. */
static size_t socket_most(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t most = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %*u %zu", &most), 1);
	fclose(f);
	return most;
}

/* More than both connections of a session hold; the rest is for daemon and tunnels. */
static size_t more_than_held(void)
{
	return 2 * (socket_most("/proc/sys/net/ipv4/tcp_rmem")
		+ socket_most("/proc/sys/net/ipv4/tcp_wmem")) + 4000000;
}

/*
 * Nobody reads: what was sent stays with its sender. What was taken is what sockets and tunnels hold; a
 * daemon that went on reading would take it all.
 */
static void test_back_pressure(void **state)
{
	const struct way way = { TLS, TLS, SIM_SMPP };
	size_t n, sent[2];
	uint8_t *octets = stream_make(SIM_SMPP, 5, more_than_held(), 4000, &n);
	struct pair p;

	(void)state;
	begin(&way, "stall = \"1s\";");
	p = login(&way);
	sent[0] = peer_fill(p.sp, octets, n);
	sent[1] = peer_fill(p.gw, octets, n);
	assert_in_range(sent[0], 1, n - 1);
	assert_in_range(sent[1], 1, n - 1);
	for (int i = 0; i < 2; i++) {
		struct flow f = { .from = i ? p.gw : p.sp, .to = i ? p.sp : p.gw, .p = octets,
			.n = n, .sent = sent[i] };

		flows_run(&f, 1, 3);
	}
	streams(&way, p, 3000000, 4000, 0, 2000);
	free(octets);
	end(p);
}

static void test_half_close(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pair p;
		uint8_t octets[300];

		begin(&ways[i], NULL);
		p = login(&ways[i]);
		pdu_make(SIM_SMPP, 3, sizeof octets, octets);
		peer_send(p.sp, octets, sizeof octets);
		shutdown(p.sp, SHUT_WR);
		peer_expect(p.gw, octets, sizeof octets);
		peer_expect_end(p.gw);
		peer_send(p.gw, octets, sizeof octets);
		peer_expect(p.sp, octets, sizeof octets);
		peer_close(p.gw);
		peer_expect_end(p.sp);
		rig_await(&rig, 0, NULL, "ev=session_close by=sp how=fin");
		assert_int_equal(rig_count(&rig, "detail~close_notify"), 0);
		peer_close(p.sp);
		rig_stop(&rig);
		tls_sweep();
	}
}

/* The gateway's side closes first, behind what the slow SP has yet to read. */
static void test_end_behind_octets(void **state)
{
	const struct way way = { TLS, TLS, SIM_SMPP };
	size_t n;
	uint8_t *octets = stream_make(SIM_SMPP, 6, 6000000, 4000, &n);
	struct flow f = { .p = octets, .n = n };
	struct pair p;
	pid_t child;

	(void)state;
	begin(&way, NULL);
	p = login(&way);
	child = fork();
	if (child == 0) {
		peer_send(p.gw, octets, n);
		shutdown(p.gw, SHUT_WR);
		_exit(0);
	}
	f.from = p.gw;
	f.to = p.sp;
	f.sent = n;
	f.read_max = 65536;
	f.pause_us = 2000;
	flows_run(&f, 1, 1);
	peer_expect_end(p.sp);
	assert_int_equal(program_wait(child, WAIT_MS), 0);
	free(octets);
	end(p);
}

/*
 * The daemon ends while the SP takes nothing: a record may be half out then. What arrives in the end is whole
 * PDUs, and TLS ends as it should.
 */
static void test_end_while_blocked(void **state)
{
	const struct way way = { TLS, PLAIN, SIM_SMPP };
	size_t n, got = 0, at = 0;
	uint8_t *octets = stream_make(SIM_SMPP, 8, 30000000, 4000, &n), *seen = malloc(n);
	struct pair p = { -1, -1 };
	struct sim_pdu bind = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("c4n4ryPw") };
	uint8_t login_octets[SIM_PDU_MAX];
	size_t login_n = sim_build(SIM_SMPP, &bind, login_octets);
	SSL *ssl;
	int r;

	(void)state;
	begin(&way, "linger_timeout = \"20s\";");
	ssl = tls_connect(kit.sp, peer_dial_buffers(rig.port[0], 32768), NULL, NULL);
	assert_non_null(ssl);
	assert_int_equal(SSL_write(ssl, login_octets, (int)login_n), (int)login_n);
	p.gw = peer_accept(listener);
	peer_expect(p.gw, login_octets, login_n);
	assert_in_range(peer_fill(p.gw, octets, n), 100000, n - 1);
	kill(rig.pid, SIGTERM);
	pause_ms(2500);	/* the harness's drain_timeout and a little */
	while ((r = SSL_read(ssl, seen + got, (int)(n - got > 65536 ? 65536 : n - got))) > 0)
		got += (size_t)r;
	assert_int_equal(SSL_get_error(ssl, r), SSL_ERROR_ZERO_RETURN);
	assert_memory_equal(seen, octets, got);
	while (at < got)
		at += (size_t)sim_pdu_len(SIM_SMPP, seen + at, got - at);
	assert_int_equal(at, got);
	SSL_free(ssl);
	peer_close(p.gw);
	free(octets);
	free(seen);
	rig_stop(&rig);
}

/* T5: the connection ends without close_notify, at the end of a PDU and inside one. */
static void test_rude(void **state)
{
	const struct way way = { TLS, PLAIN, SIM_SMPP };

	(void)state;
	for (int inside = 0; inside < 2; inside++) {
		uint8_t octets[100], seen[100];
		struct pair p;

		begin(&way, NULL);
		p = login_with(&way, dial_sp(&way, 0, TLS_RUDE), 0);
		pdu_make(SIM_SMPP, 3, sizeof octets, octets);
		peer_send(p.sp, octets, sizeof octets - (size_t)inside);
		shutdown(p.sp, SHUT_WR);
		assert_int_equal(peer_read(p.gw, seen, sizeof seen, WAIT_MS),
			sizeof seen - (size_t)inside);
		assert_memory_equal(seen, octets, sizeof seen - (size_t)inside);
		peer_expect_end(p.gw);
		peer_close(p.gw);
		if (inside) {
			rig_await(&rig, 0, NULL,
				"ev=session_close by=sp how=fin detail~truncated detail~close_notify");
			rig_await(&rig, 0, NULL, "ev=malformed reason~ended");
		} else {
			rig_await(&rig, 0, NULL, "ev=session_close by=sp how=fin detail~close_notify");
			assert_int_equal(rig_count(&rig, "detail~truncated"), 0);
			assert_int_equal(rig_count(&rig, "ev=malformed reason~ended"), 0);
		}
		peer_close(p.sp);
		rig_stop(&rig);
		tls_sweep();
	}
}

/* A refused login arrives although the SP goes on talking. */
static void test_no_gateway(void **state)
{
	static char keys[400];
	int port = port_closed();
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
		.keys = keys };
	struct sim_pdu login_pdu = { .what = SIM_LOGIN, .seq = 7, .user = sim_text("acme"),
		.secret = sim_text("c4n4ryPw") };
	struct sim_pdu got;
	uint8_t octets[SIM_PDU_MAX];
	int sp;

	(void)state;
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\";", kit.server_file);
	rig_start(&rig, NULL, &link, 1);
	sp = tls_dial(rig.port[0], kit.sp, NULL);
	peer_send_pdu(sp, SIM_SMPP, &login_pdu);
	peer_read_pdu(sp, SIM_SMPP, octets, &got);
	assert_int_equal(got.what, SIM_LOGIN_RESP);
	assert_int_not_equal(got.status, 0);
	peer_expect_end(sp);
	peer_close(sp);
	rig_await(&rig, 0, NULL, "ev=session_close how=upstream");
	rig_stop(&rig);
	tls_sweep();
}

/* Sessions that say nothing cost no time: nobody looks again and again for what is not there. */
static void test_idle(void **state)
{
	const struct way way = { TLS, TLS, SIM_SMPP };
	struct pair p;
	long before_ms;

	(void)state;
	begin(&way, NULL);
	p = login(&way);
	streams(&way, p, 300000, 4000, 0, 0);
	pause_ms(500);
	before_ms = rig_engine_cpu_ms(&rig);
	pause_ms(2000);
	assert_in_range(rig_engine_cpu_ms(&rig) - before_ms, 0, 600);
	end(p);
}

static long serial_of(SSL *ssl)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	long serial = ASN1_INTEGER_get(X509_get0_serialNumber(x));

	X509_free(x);
	return serial;
}

/* TLS 1.2 has tickets and session ids of its own. */
static void expect_no_resumption(void)
{
	SSL_CTX *old = tls_client_ctx(NULL, kit.ca.x);
	SSL_SESSION *resume = NULL;

	SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
	for (int i = 0; i < 2; i++) {
		int fd = peer_dial(rig.port[0]);
		SSL *ssl = SSL_new(old);

		SSL_set_fd(ssl, fd);
		if (resume)
			assert_int_equal(SSL_set_session(ssl, resume), 1);
		assert_int_equal(SSL_connect(ssl), 1);
		assert_int_equal(SSL_session_reused(ssl), 0);
		SSL_SESSION_free(resume);
		resume = SSL_get1_session(ssl);
		SSL_free(ssl);
		peer_close(fd);
	}
	SSL_SESSION_free(resume);
	SSL_CTX_free(old);
}

/*
 * T8 and T11: a HUP a turn, another certificate each, while a session is at work; who comes anew gets
 * the new one, also when it would resume what it had before.
 */
static void test_rotation(void **state)
{
	const struct way way = { TLS, PLAIN, SIM_SMPP };
	SSL_SESSION *resume = NULL;
	struct pair p;

	(void)state;
	begin(&way, NULL);
	p = login(&way);
	for (int turn = 0; turn < 8; turn++) {
		struct tls_id next = tls_id_make(&(struct tls_id_options){
			.name = "smscope.test", .issuer = &kit.ca });
		long want = ASN1_INTEGER_get(X509_get0_serialNumber(next.x));
		SSL *ssl;
		int fd;

		kit.server_file = tls_write(kit.dir, "server.pem", &next.x, 1, next.key, NULL);
		kill(rig.pid, SIGHUP);
		streams(&way, p, 300000, 2000, 0, 0);
		rig_await_count(&rig, (size_t)turn + 1, "ev=config what=certificates state=ok");
		fd = peer_dial(rig.port[0]);
		ssl = SSL_new(kit.sp);
		SSL_set_fd(ssl, fd);
		if (resume)
			assert_int_equal(SSL_set_session(ssl, resume), 1);
		assert_int_equal(SSL_connect(ssl), 1);
		assert_int_equal(serial_of(ssl), want);
		assert_int_equal(SSL_session_reused(ssl), 0);
		SSL_SESSION_free(resume);
		resume = SSL_get1_session(ssl);
		SSL_free(ssl);
		peer_close(fd);
		expect_no_resumption();
		tls_id_free(&next);
	}
	SSL_SESSION_free(resume);
	assert_int_equal(rig_count(&rig, "state=failed"), 0);
	end(p);
}

/* Several certificates: SNI chooses, the first is for the rest. */
static void test_sni(void **state)
{
	static char keys[600];
	static const struct { const char *ask; int want; } cases[] = {
		{ NULL, 0 }, { "smscope.test", 0 }, { "two.test", 1 }, { "a.wild.test", 2 },
		{ "nobody.test", 0 },
	};
	struct tls_id ids[3];
	const char *names[] = { "smscope.test", "two.test", "*.wild.test" };
	const char *files[3];
	int port = port_closed();
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
		.keys = keys };
	SSL_CTX *ctx = tls_client_ctx(NULL, kit.ca.x);

	(void)state;
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof name, "sni%d.pem", i);
		ids[i] = tls_id_make(&(struct tls_id_options){ .name = names[i],
			.issuer = &kit.ca });
		files[i] = tls_write(kit.dir, name, &ids[i].x, 1, ids[i].key, NULL);
	}
	snprintf(keys, sizeof keys, "tls_certificate = [ \"%s\", \"%s\", \"%s\" ];", files[0],
		files[1], files[2]);
	rig_start(&rig, NULL, &link, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SSL *ssl = tls_connect(ctx, peer_dial(rig.port[0]), cases[i].ask, NULL);

		assert_non_null(ssl);
		assert_int_equal(serial_of(ssl),
			ASN1_INTEGER_get(X509_get0_serialNumber(ids[cases[i].want].x)));
		SSL_free(ssl);
	}
	rig_stop(&rig);
	for (int i = 0; i < 3; i++)
		tls_id_free(&ids[i]);
	SSL_CTX_free(ctx);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_octets, rig_sweep),
		cmocka_unit_test_teardown(test_records_of_one, rig_sweep),
		cmocka_unit_test_teardown(test_large, rig_sweep),
		cmocka_unit_test_teardown(test_back_pressure, rig_sweep),
		cmocka_unit_test_teardown(test_half_close, rig_sweep),
		cmocka_unit_test_teardown(test_end_behind_octets, rig_sweep),
		cmocka_unit_test_teardown(test_end_while_blocked, rig_sweep),
		cmocka_unit_test_teardown(test_rude, rig_sweep),
		cmocka_unit_test_teardown(test_no_gateway, rig_sweep),
		cmocka_unit_test_teardown(test_idle, rig_sweep),
		cmocka_unit_test_teardown(test_rotation, rig_sweep),
		cmocka_unit_test_teardown(test_sni, rig_sweep),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
