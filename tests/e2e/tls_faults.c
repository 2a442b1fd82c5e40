#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_peer.h"

/*
 * Peers that do TLS wrong, or not at all, on either side: each is refused in the way TLS has for it, and
 * the verdict says why. Rows T1 to T4, T6, T7, T10, P6 and O8 of faults.md.
 */

static struct rig rig;
static char keys[1200];
static int listener;

#define SP_KEYS "tls_certificate = \"%s\"; "

static void begin(const char *more, const char *daemon)
{
	static int port;
	struct rig_link link = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
		.keys = keys };
	struct rig_options o = { .control = true, .daemon = daemon };

	snprintf(keys, sizeof keys, SP_KEYS "%s%s", kit.server_file,
		strstr(more, "handshake_timeout") ? "" : "handshake_timeout = \"1s\"; ", more);
	listener = peer_listen(&port, 16);
	rig_start(&rig, &o, &link, 1);
}

static struct sim_pdu bind_pdu(void)
{
	return (struct sim_pdu){ .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("c4n4ryPw") };
}

/* A whole session through TLS works: what came before has left nothing behind. */
static void expect_works(SSL_CTX *ctx)
{
	int sp = tls_dial(rig.port[0], ctx, "smscope.test");
	struct pair p = pair_login_over(sp, listener, SIM_SMPP);

	pair_ping(p, SIM_SMPP);
	peer_close(p.sp);
	peer_close(p.gw);
}

static void end(void)
{
	rig_stop(&rig);
	tls_sweep();
}

/* T1, P6: what is no TLS is named, and answered with what TLS has for it. */
static void test_no_tls(void **state)
{
	struct sim_pdu bind = bind_pdu();
	uint8_t pdu[SIM_PDU_MAX], connect[SIM_PDU_MAX];
	struct sim_pdu cmpp = { .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("c4n4ryPw01234567"), .stamp = 1 };
	struct {
		const void *octets;
		size_t n;
		const char *says;
	} cases[] = {
		{ pdu, sim_build(SIM_SMPP, &bind, pdu), "detail~SMPP" },
		{ connect, sim_build(SIM_CMPP2, &cmpp, connect), "detail~CMPP" },
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "detail~HTTP" },
		{ "SSH-2.0-x\r\n", 11, "detail~SSH" },
		{ "AMQP\0\0\x09\x01", 8, "detail~AMQP" },
		{ "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", 34, "detail~PROXY" },
		{ "hello, world, hello, world", 26, "detail~TLS" },
	};

	(void)state;
	begin("", NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char match[160];
		int fd = peer_dial(rig.port[0]);

		for (size_t at = 0; at < cases[i].n; at++) {
			peer_send(fd, (const uint8_t *)cases[i].octets + at, 1);
			if (i < 3)
				pause_ms(1);
		}
		assert_true(peer_ended(fd, WAIT_MS));
		peer_close(fd);
		snprintf(match, sizeof match, "ev=session_close by=sp how=handshake %s",
			cases[i].says);
		rig_await_count(&rig, i + 1, "ev=session_close how=handshake");
		rig_await(&rig, 0, NULL, "%s", match);
	}
	/* Who only looks whether the port is open says nothing wrong. */
	peer_close(peer_dial(rig.port[0]));
	rig_await(&rig, 0, NULL, "ev=session_close by=sp how=fin");
	expect_works(kit.sp);
	end();
}

/* A ClientHello as OpenSSL makes it. */
static size_t hello_make(uint8_t *to, size_t cap)
{
	SSL *ssl = SSL_new(kit.sp);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int n;

	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	n = BIO_read(out, to, (int)cap);
	assert_true(n > 0);
	SSL_free(ssl);
	return (size_t)n;
}

/* T2: a hello and then nothing, half a hello, nothing at all; and one that comes octet by octet. */
static void test_slow_hello(void **state)
{
	uint8_t hello[4096];
	size_t n = hello_make(hello, sizeof hello), lengths[] = { 0, 1, 5, 6, n / 2, n };
	int fds[sizeof lengths / sizeof *lengths];
	uint64_t since;
	struct pair p;
	SSL *ssl;
	int pair[2];
	pid_t pump;

	(void)state;
	begin("", NULL);
	since = now_us();
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		fds[i] = peer_dial(rig.port[0]);
		peer_send(fds[i], hello, lengths[i]);
	}
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		assert_true(peer_ended(fds[i], WAIT_MS));
		peer_close(fds[i]);
	}
	assert_in_range(now_us() - since, 900000, 8000000);
	rig_await_count(&rig, sizeof lengths / sizeof *lengths,
		"ev=session_close by=smscope how=handshake_timeout");
	/* One octet a segment, by a pump between a client and the daemon. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[0] = peer_dial(rig.port[0]);
	pump = fork();
	if (pump == 0) {
		close(pair[0]);
		for (;;) {
			struct pollfd w[] = { { pair[1], POLLIN, 0 }, { fds[0], POLLIN, 0 } };
			uint8_t octet;

			poll(w, 2, -1);
			for (int i = 0; i < 2; i++)
				if (w[i].revents && read(w[i].fd, &octet, 1) == 1)
					(void)!write(w[!i].fd, &octet, 1);
				else if (w[i].revents)
					_exit(0);
		}
	}
	close(pair[1]);
	ssl = tls_connect(kit.sp, pair[0], NULL, NULL);
	assert_non_null(ssl);
	p = pair_login_over(tls_tunnel(ssl, 1, TLS_POLITE), listener, SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	peer_close(p.sp);
	peer_close(p.gw);
	peer_close(fds[0]);
	assert_int_equal(program_wait(pump, WAIT_MS), 0);
	end();
}

/* T3: as many handshakes a second, and at one time, as the configuration says. */
static void test_limits(void **state)
{
	int taken = 0, fds[40];

	(void)state;
	begin("handshake_rate = 5;", NULL);
	for (int i = 0; i < 40; i++)
		fds[i] = peer_dial(rig.port[0]);
	pause_ms(300);
	for (int i = 0; i < 40; i++) {
		taken += !peer_ended(fds[i], 20);
		peer_close(fds[i]);
	}
	assert_in_range(taken, 1, 9);
	rig_await(&rig, 0, NULL, "ev=refused reason=handshake_rate");
	pause_ms(1100);
	expect_works(kit.sp);
	end();
	begin("handshake_timeout = \"2s\";", "drain_timeout = \"2s\"; max_handshakes = 3;");
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < 10; i++)
			fds[i] = peer_dial(rig.port[0]);
		pause_ms(300);
		taken = 0;
		for (int i = 0; i < 10; i++) {
			taken += !peer_ended(fds[i], 20);
			peer_close(fds[i]);
		}
		assert_int_equal(taken, 3);
		pause_ms(100);
	}
	rig_await(&rig, 0, NULL, "ev=refused reason=max_handshakes");
	expect_works(kit.sp);
	end();
}

/* The daemon ends the connection with an alert whose words are these. */
static void expect_alert(SSL *ssl, const char *words)
{
	char octet;
	int n = SSL_read(ssl, &octet, 1);
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	assert_true(n <= 0);
	assert_non_null(reason);
	if (!strstr(reason, words))
		fail_msg("the alert is \"%s\", not \"%s\"", reason, words);
	ERR_clear_error();
}

/* T4: renegotiation is refused, KeyUpdates are taken but not without end. */
static void test_updates(void **state)
{
	SSL_CTX *old = tls_client_ctx(NULL, kit.ca.x);
	struct sim_pdu bind = bind_pdu();
	uint8_t pdu[SIM_PDU_MAX];
	size_t n = sim_build(SIM_SMPP, &bind, pdu);
	int gw, ended = 0;
	SSL *ssl;

	(void)state;
	SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
	begin("", NULL);
	ssl = tls_connect(old, peer_dial(rig.port[0]), NULL, NULL);
	assert_non_null(ssl);
	assert_int_equal(SSL_renegotiate(ssl), 1);
	assert_true(SSL_do_handshake(ssl) <= 0 ||
		(SSL_write(ssl, pdu, (int)n) > 0 && SSL_read(ssl, pdu, 1) <= 0));
	ERR_clear_error();
	SSL_free(ssl);

	/* A few updates, and the other side's answer to them. */
	ssl = tls_connect(kit.sp, peer_dial(rig.port[0]), NULL, NULL);
	assert_non_null(ssl);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(ssl), 1);
	}
	n = sim_build(SIM_SMPP, &bind, pdu);
	assert_int_equal(SSL_write(ssl, pdu, (int)n), (int)n);
	gw = peer_accept(listener);
	peer_expect(gw, pdu, n);
	for (int i = 0; i < 5000 && !ended; i++)
		ended = SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
			SSL_do_handshake(ssl) != 1;
	rig_await(&rig, 0, NULL, "ev=session_close by=sp how=tls detail~KeyUpdate");
	ERR_clear_error();
	SSL_free(ssl);
	peer_close(gw);
	SSL_CTX_free(old);
	expect_works(kit.sp);
	end();
}

/* T10: what is older than TLS 1.2, or weak, finds nothing to agree on. */
static void test_old(void **state)
{
	static const struct { int most; const char *ciphers, *groups; } cases[] = {
		{ TLS1_3_VERSION, "ALL", "ffdhe2048:ffdhe8192" },
		{ TLS1_VERSION, "ALL:@SECLEVEL=0", NULL }, { TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL },
		{ TLS1_2_VERSION, "AES128-SHA:@SECLEVEL=0", NULL },
		{ TLS1_2_VERSION, "AES128-GCM-SHA256:@SECLEVEL=0", NULL },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", NULL },
		{ TLS1_2_VERSION, "NULL:aNULL:@SECLEVEL=0", NULL },
		{ TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0", NULL },
	};

	(void)state;
	begin("", NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SSL_CTX *ctx = tls_client_ctx(NULL, NULL);
		unsigned long error = 0;

		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, cases[i].most);
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, cases[i].ciphers), 1);
		if (cases[i].groups)
			assert_int_equal(SSL_CTX_set1_groups_list(ctx, cases[i].groups), 1);
		assert_null(tls_connect(ctx, peer_dial(rig.port[0]), NULL, &error));
		assert_true(ERR_GET_REASON(error) == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
			ERR_GET_REASON(error) == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
		ERR_clear_error();
		SSL_CTX_free(ctx);
	}
	rig_await_count(&rig, 1, "ev=session_close how=handshake detail~key");
	rig_await_count(&rig, 2, "ev=session_close how=handshake detail~version");
	rig_await_count(&rig, 5, "ev=session_close how=handshake detail~cipher");
	expect_works(kit.sp);
	end();
}

/* T7: certificates of SPs. */
static void test_clients(void **state)
{
	struct tls_id other_ca = tls_id_make(&(struct tls_id_options){ .name = "Other", .ca = true });
	struct tls_id expired = tls_id_make(&(struct tls_id_options){ .name = "acme",
		.issuer = &kit.ca, .from_s = -7200, .to_s = -3600 });
	struct tls_id early = tls_id_make(&(struct tls_id_options){ .name = "acme",
		.issuer = &kit.ca, .from_s = 3600, .to_s = 7200 });
	struct tls_id stranger = tls_id_make(&(struct tls_id_options){ .name = "nobody",
		.issuer = &kit.ca });
	struct tls_id foreign = tls_id_make(&(struct tls_id_options){ .name = "acme",
		.issuer = &other_ca });
	struct tls_id revoked = tls_id_make(&(struct tls_id_options){ .name = "acme",
		.issuer = &kit.ca });
	struct { const struct tls_id *id; const char *alert, *says; } cases[] = {
		{ NULL, "certificate required", "detail~missing" },
		{ &expired, "certificate expired", "detail~expired" },
		{ &early, "bad certificate", "detail~not_yet" },
		{ &stranger, "handshake failure", "detail~list" },
		{ &foreign, "unknown ca", "detail~issuer" },
		{ &revoked, "certificate revoked", "detail~revoked" },
	};
	const char *crl = tls_write_crl(kit.dir, "clients.crl", &kit.ca, &revoked.x, 1);
	SSL_CTX *good = tls_client_ctx(&kit.client, kit.ca.x);
	char more[800];

	(void)state;
	cases[2].says = "detail~yet";
	snprintf(more, sizeof more, "tls_ca = \"%s\"; tls_crl = \"%s\"; "
		"tls_client_names = [ \"other\", \"acme\" ];", kit.ca_file, crl);
	begin(more, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SSL_CTX *ctx = tls_client_ctx(cases[i].id, NULL);
		SSL *ssl = tls_connect(ctx, peer_dial(rig.port[0]), NULL, NULL);

		assert_non_null(ssl);	/* TLS 1.3: the client is done before the server has looked */
		expect_alert(ssl, cases[i].alert);
		rig_await(&rig, 0, NULL, "ev=session_close by=sp how=handshake %s", cases[i].says);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
	}
	assert_int_equal(rig_count(&rig, "ev=login"), 0);
	expect_works(good);
	rig_await(&rig, 0, NULL, "ev=login tls_name=acme");
	rig_await(&rig, 0, NULL, "ev=session_close tls_name=acme");
	assert_false(peer_has_caller(listener, 0));
	end();
	SSL_CTX_free(good);
	tls_id_free(&other_ca);
	tls_id_free(&expired);
	tls_id_free(&early);
	tls_id_free(&stranger);
	tls_id_free(&foreign);
	tls_id_free(&revoked);
}

/* A certificate that is known by its fingerprint needs nobody's signature, but may not have expired. */
static void test_fingerprints(void **state)
{
	struct tls_id known = tls_id_make(&(struct tls_id_options){ .name = "self" });
	struct tls_id other = tls_id_make(&(struct tls_id_options){ .name = "self" });
	SSL_CTX *good = tls_client_ctx(&known, kit.ca.x), *bad = tls_client_ctx(&other, NULL);
	unsigned char md[EVP_MAX_MD_SIZE];
	char more[300], hex[100] = "";
	unsigned int n;
	SSL *ssl;

	(void)state;
	assert_int_equal(X509_digest(known.x, EVP_sha256(), md, &n), 1);
	for (unsigned int i = 0; i < n; i++)
		snprintf(hex + 3 * i, 4, "%02X:", md[i]);
	hex[3 * n - 1] = '\0';
	snprintf(more, sizeof more, "tls_client_fingerprints = \"sha256:%s\";", hex);
	begin(more, NULL);
	ssl = tls_connect(bad, peer_dial(rig.port[0]), NULL, NULL);
	assert_non_null(ssl);
	expect_alert(ssl, "handshake failure");
	SSL_free(ssl);
	rig_await(&rig, 0, NULL, "ev=session_close how=handshake detail~list");
	expect_works(good);
	end();
	SSL_CTX_free(good);
	SSL_CTX_free(bad);
	tls_id_free(&known);
	tls_id_free(&other);
}

/* T12: a balancer's PROXY header stands before the hello, and nothing else does. */
static void test_before_hello(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 192.0.2.1 51312 2775\r\n";
	static const char *const more[] = { "x", "\r\n", header };
	SSL *ssl;
	struct pair p;
	int fd;

	(void)state;
	begin("proxy_from = \"127.0.0.1\";", NULL);
	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		fd = peer_dial(rig.port[0]);
		peer_send(fd, header, sizeof header - 1);
		peer_send(fd, more[i], strlen(more[i]));
		assert_null(tls_connect(kit.sp, fd, NULL, &(unsigned long){ 0 }));
		ERR_clear_error();
		peer_close(fd);
		rig_await_count(&rig, i + 1,
			"ev=session_close by=sp how=handshake peer=192.0.2.7:51312");
	}
	fd = peer_dial(rig.port[0]);
	peer_send(fd, header, sizeof header - 1);
	ssl = tls_connect(kit.sp, fd, NULL, NULL);
	assert_non_null(ssl);
	p = pair_login_over(tls_tunnel(ssl, 0, TLS_POLITE), listener, SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=login peer=192.0.2.7:51312 tls~TLSv1.3");
	peer_close(p.sp);
	peer_close(p.gw);
	end();
}

/* T3: handshakes as fast as one client makes them, and a session that must not feel it. */
static void test_storm(void **state)
{
	uint64_t p99, end_us = now_us() + 3000000;
	struct pair p;
	pid_t child;

	(void)state;
	begin("handshake_rate = 100000;", NULL);
	p = pair_login_over(tls_dial(rig.port[0], kit.sp, NULL), listener, SIM_SMPP);
	child = fork();
	if (child == 0) {
		int count = 0;

		for (; now_us() < end_us || count < 100; count++) {
			int fd = peer_dial(rig.port[0]);
			SSL *ssl = tls_connect(kit.sp, fd, NULL, NULL);

			if (!ssl)
				_exit(1);
			SSL_free(ssl);
			peer_close(fd);
		}
		_exit(0);
	}
	p99 = pair_p99(p, SIM_SMPP, 2500);
	print_message("p99 of a session during handshakes: %llu us\n", (unsigned long long)p99);
	assert_in_range(p99, 1, BOUND_P99_US);
	assert_int_equal(program_wait(child, WAIT_MS), 0);
	peer_close(p.sp);
	peer_close(p.gw);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_no_tls, rig_sweep),
		cmocka_unit_test_teardown(test_slow_hello, rig_sweep),
		cmocka_unit_test_teardown(test_limits, rig_sweep),
		cmocka_unit_test_teardown(test_updates, rig_sweep),
		cmocka_unit_test_teardown(test_old, rig_sweep),
		cmocka_unit_test_teardown(test_clients, rig_sweep),
		cmocka_unit_test_teardown(test_fingerprints, rig_sweep),
		cmocka_unit_test_teardown(test_before_hello, rig_sweep),
		cmocka_unit_test_teardown(test_storm, rig_sweep),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
