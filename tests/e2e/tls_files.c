#include <fcntl.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tls_peer.h"

/*
 * Certificates and keys as files: what is wrong with them is said before anything starts, and on HUP
 * those in use stay. Gateways whose certificate does not hold. What is secret is nowhere. Rows T6, T9
 * and O8 of faults.md.
 */

static struct rig rig;
static char keys[1400];
static int listener;

static void begin_with(const int *ports, int count)
{
	struct rig_link link = { .protocol = "smpp", .upstream = ports, .upstream_count = count,
		.keys = keys };
	struct rig_options o = { .control = true };

	rig_start(&rig, &o, &link, 1);
}

static void end(void)
{
	rig_stop(&rig);
	tls_sweep();
}

static struct sim_pdu bind_pdu(void)
{
	return (struct sim_pdu){ .what = SIM_LOGIN, .seq = 1, .user = sim_text("900001"),
		.secret = sim_text("c4n4ryPw") };
}

/* T6: what is wrong with the gateway's certificate is said, and the SP is told that nobody answers. */
static void test_gateways(void **state)
{
	struct tls_id other_ca = tls_id_make(&(struct tls_id_options){ .name = "Other", .ca = true });
	struct tls_id ids[] = {
		tls_id_make(&(struct tls_id_options){ .name = "smsc.test", .issuer = &kit.ca,
			.san = "IP:127.0.0.1", .from_s = -7200, .to_s = -3600 }),
		tls_id_make(&(struct tls_id_options){ .name = "elsewhere.test", .issuer = &kit.ca }),
		tls_id_make(&(struct tls_id_options){ .name = "smsc.test", .issuer = &other_ca,
			.san = "IP:127.0.0.1" }),
		tls_id_make(&(struct tls_id_options){ .name = "smsc.test", .issuer = &kit.ca,
			.san = "IP:127.0.0.1" }),
	};
	const char *says[] = { "detail~expired", "detail~IP", "detail~issuer", "detail~revoked" };
	const char *crl = tls_write_crl(kit.dir, "gw.crl", &kit.ca, &ids[3].x, 1);
	uint8_t octets[SIM_PDU_MAX];
	struct sim_pdu bind = bind_pdu(), got;
	int port;

	(void)state;
	listener = peer_listen(&port, 16);
	snprintf(keys, sizeof keys, "retry = \"100ms\"; retry_max = \"100ms\"; down_after = 100; "
		"upstream_tls = true; upstream_tls_ca = \"%s\"; "
		"upstream_tls_crl = \"%s\";", kit.ca_file, crl);
	begin_with(&port, 1);
	for (int i = 0; i < 4; i++) {
		SSL_CTX *ctx = tls_server_ctx(&ids[i], NULL);
		int sp = peer_dial(rig.port[0]), gw;
		unsigned long error = 0;
		char match[100];

		peer_send_pdu(sp, SIM_SMPP, &bind);
		gw = peer_accept(listener);
		assert_null(tls_accept(ctx, gw, &error));
		assert_true(ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET);
		ERR_clear_error();
		peer_read_pdu(sp, SIM_SMPP, octets, &got);
		assert_int_not_equal(got.status, 0);
		peer_expect_end(sp);
		peer_close(sp);
		peer_close(gw);
		snprintf(match, sizeof match, "ev=upstream state=failed %s", says[i]);
		rig_await(&rig, 0, NULL, "%s", match);
		snprintf(match, sizeof match, "ev=session_close how=upstream %s", says[i]);
		rig_await(&rig, 0, NULL, "%s", match);
		snprintf(match, sizeof match, "ev=login by=smscope why%s", says[i] + 6);
		rig_await(&rig, 0, NULL, "%s", match);
		SSL_CTX_free(ctx);
		pause_ms(150);
	}
	end();
	for (int i = 0; i < 4; i++)
		tls_id_free(&ids[i]);
	tls_id_free(&other_ca);
}

/* A server without TLS, one that is silent, and one whose name is another: the next one is taken. */
static void test_next_server(void **state)
{
	int ports[3], plain = peer_listen(&ports[0], 4), silent = peer_listen(&ports[1], 4), sp, fd;
	struct sim_pdu bind = bind_pdu();
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;
	size_t n = sim_build(SIM_SMPP, &bind, octets);

	(void)state;
	listener = peer_listen(&ports[2], 4);
	snprintf(keys, sizeof keys, "handshake_timeout = \"500ms\"; upstream_tls = true; "
		"upstream_tls_ca = \"%s\"; upstream_tls_name = \"smsc.test\"; "
		"upstream_tls_certificate = \"%s\"; tls_certificate = \"%s\";",
		kit.ca_file, kit.client_file, kit.server_file);
	begin_with(ports, 3);
	sp = tls_dial(rig.port[0], kit.sp, NULL);
	peer_send(sp, octets, n);
	fd = peer_accept(plain);
	peer_send(fd, "220 mail.example\r\n", 18);
	p = (struct pair){ sp, -1 };
	peer_accept(silent);
	p.gw = tls_answer(listener, kit.gw);
	peer_expect(p.gw, octets, n);
	pair_ping(p, SIM_SMPP);
	rig_await(&rig, 0, NULL, "ev=upstream state=failed detail~speak");
	rig_await(&rig, 0, NULL, "ev=upstream state=failed detail~time");
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close tls~TLSv1.3 upstream_tls~TLSv1.3");
	assert_int_equal(rig_count(&rig, "ev=session_close detail~time"), 0);
	end();
}

/* The gateway asks who we are. */
static void test_shown_to_gateway(void **state)
{
	SSL_CTX *strict = tls_server_ctx(&kit.gateway, kit.ca.x);
	struct sim_pdu bind = bind_pdu();
	uint8_t octets[SIM_PDU_MAX];
	size_t n = sim_build(SIM_SMPP, &bind, octets);
	const char *key, *chain, *password = tls_write_text(kit.dir, "pw", "c4n4ryKey\n", 10, 0600);
	int port, sp, gw;

	(void)state;
	chain = tls_write(kit.dir, "client-chain.pem", (X509 *[]){ kit.client.x, kit.ca.x }, 2, NULL,
		NULL);
	key = tls_write(kit.dir, "client.key", NULL, 0, kit.client.key, "c4n4ryKey");
	listener = peer_listen(&port, 4);
	snprintf(keys, sizeof keys, "upstream_tls = true; upstream_tls_ca = \"%s\"; "
		"upstream_tls_certificate = \"%s\"; upstream_tls_key = \"%s\"; "
		"upstream_tls_password_file = \"%s\"; tls_min_version = \"1.3\";",
		kit.ca_file, chain, key, password);
	begin_with(&port, 1);
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, n);
	gw = tls_answer(listener, strict);
	peer_expect(gw, octets, n);
	peer_close(sp);
	peer_close(gw);
	end();
	SSL_CTX_free(strict);
}

/* What `smscoped -t` says of a link with these keys; its exit code. */
static int check(const char *with, char *said, size_t cap)
{
	char conf[200], line[1600];
	FILE *f;
	size_t n;
	int status;

	snprintf(conf, sizeof conf, "%s/check.conf", kit.dir);
	f = fopen(conf, "w");
	assert_non_null(f);
	fprintf(f, "control = \"\";\nlinks = ( { name = \"l\"; listen = \"127.0.0.1:1\";\n"
		"upstream = \"127.0.0.1:2\";\n%s } );\n", with);
	fclose(f);
	snprintf(line, sizeof line, "%s -t -c %s 2>&1", BUILD_DIR "/smscoped", conf);
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(said, 1, cap - 1, f);
	said[n] = '\0';
	status = pclose(f);
	return status;
}

struct bad {
	const char *what, *says;
	const char *certificate, *key;
};

enum { BADS = 12 };

/* T9: all the ways in which files can be wrong. */
static int make_bad(struct bad *to)
{
	struct tls_id expired = tls_id_make(&(struct tls_id_options){ .name = "old",
		.issuer = &kit.ca, .from_s = -7200, .to_s = -3600 });
	struct tls_id early = tls_id_make(&(struct tls_id_options){ .name = "early",
		.issuer = &kit.ca, .from_s = 3600, .to_s = 7200 });
	struct rig none = { 0 };
	size_t n;
	char *pem = rig_file(&none, kit.server_file, &n);
	const char *good = kit.server_file;
	char *key_at = strstr(pem, "-----BEGIN PRIVATE");
	size_t key_len = n - (size_t)(key_at - pem);
	struct bad all[BADS] = {
		{ "no such file", "No such file", "/nowhere/x.pem", NULL },
		{ "empty", "empty", tls_write_text(kit.dir, "b1.pem", "", 0, 0600), NULL },
		{ "no PEM", "holds no certificate", tls_write_text(kit.dir, "b2.pem", "hello\n", 6,
			0600), NULL },
		{ "cut off in the certificate", "cut off", tls_write_text(kit.dir, "b3.pem", pem, 300,
			0600), NULL },
		{ "cut off in the key", "holds no private key", good, tls_write_text(kit.dir, "b4.key",
			key_at, key_len - 60, 0600) },
		{ "no key", "holds no private key", tls_write(kit.dir, "b5.pem", &kit.server.x, 1, NULL,
			NULL), NULL },
		{ "another's key", "does not belong", good, tls_write(kit.dir, "b6.key", NULL, 0,
			kit.client.key, NULL) },
		{ "a key for everybody", "chmod", good, tls_write_text(kit.dir, "b7.key", key_at,
			key_len, 0644) },
		{ "expired", "expired", tls_write(kit.dir, "b8.pem", &expired.x, 1, expired.key, NULL),
			NULL },
		{ "too early", "not valid yet", tls_write(kit.dir, "b9.pem", &early.x, 1, early.key,
			NULL), NULL },
		{ "encrypted", "encrypted", good, tls_write(kit.dir, "b10.key", NULL, 0,
			kit.server.key, "c4n4ryKey") },
		{ "a folder", "plain file", kit.dir, NULL },
	};

	memcpy(to, all, sizeof all);
	free(pem);
	tls_id_free(&expired);
	tls_id_free(&early);
	return BADS;
}

static void test_checked(void **state)
{
	struct bad bads[BADS];
	char with[900], said[4096];
	int count = make_bad(bads);

	(void)state;
	for (int i = 0; i < count; i++) {
		char place[200];

		snprintf(with, sizeof with, "tls_certificate = \"%s\";\n%s%s%s", bads[i].certificate,
			bads[i].key ? "tls_key = \"" : "", bads[i].key ? bads[i].key : "",
			bads[i].key ? "\";\n" : "");
		assert_int_not_equal(check(with, said, sizeof said), 0);
		if (!strstr(said, bads[i].says))
			fail_msg("%s: %s", bads[i].what, said);
		snprintf(place, sizeof place, "/check.conf:%d: error: tls_", bads[i].key ? 5 : 4);
		if (!strstr(said, place))
			fail_msg("%s: not at %s: %s", bads[i].what, place, said);
		assert_null(strstr(said, "c4n4ry"));
	}
	snprintf(with, sizeof with, "tls_certificate = \"%s\";", kit.server_file);
	assert_int_equal(check(with, said, sizeof said), 0);
	assert_non_null(strstr(said, ", 1 certificate (expires in "));
	snprintf(with, sizeof with, "tls_certificate = \"%s\"; tls_client_names = \"a\";",
		kit.server_file);
	assert_int_not_equal(check(with, said, sizeof said), 0);
	assert_non_null(strstr(said, "tls_client_names without tls_ca"));
	snprintf(with, sizeof with, "tls_certificate = \"%s\"; tls_client_fingerprints = \"12:34\";",
		kit.server_file);
	assert_int_not_equal(check(with, said, sizeof said), 0);
	assert_non_null(strstr(said, "fingerprint"));
}

static long serial_now(void)
{
	int fd = peer_dial(rig.port[0]);
	SSL *ssl = tls_connect(kit.sp, fd, NULL, NULL);
	X509 *x;
	long serial;

	assert_non_null(ssl);
	x = SSL_get1_peer_certificate(ssl);
	serial = ASN1_INTEGER_get(X509_get0_serialNumber(x));
	X509_free(x);
	SSL_free(ssl);
	peer_close(fd);
	return serial;
}

static void copy_over(const char *from, const char *to, unsigned int mode)
{
	struct rig none = { 0 };
	size_t n;
	char *text = rig_file(&none, from, &n);

	unlink(to);
	if (access(from, F_OK) == 0)
		tls_write_text(kit.dir, strrchr(to, '/') + 1, text, n, mode);
	free(text);
}

/* The same on HUP: what is in use stays, and both logs say why. */
static void test_reloaded(void **state)
{
	struct bad bads[BADS];
	int count = make_bad(bads), port;
	char live[200], live_key[200];
	long serial;

	(void)state;
	snprintf(live, sizeof live, "%s/live.pem", kit.dir);
	snprintf(live_key, sizeof live_key, "%s/live.key", kit.dir);
	copy_over(kit.server_file, live, 0600);
	copy_over(kit.server_file, live_key, 0600);
	listener = peer_listen(&port, 4);
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\"; tls_key = \"%s\";", live, live_key);
	begin_with(&port, 1);
	serial = serial_now();
	for (int i = 0; i < count; i++) {
		copy_over(bads[i].certificate, live, 0600);
		copy_over(bads[i].key ? bads[i].key : bads[i].certificate, live_key,
			strcmp(bads[i].says, "chmod") == 0 ? 0644 : 0600);
		kill(rig.pid, SIGHUP);
		rig_await_count(&rig, (size_t)i + 1, "ev=config what=certificates state=failed");
		assert_int_equal(serial_now(), serial);
	}
	copy_over(kit.server_file, live, 0600);
	copy_over(kit.server_file, live_key, 0600);
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config what=certificates state=ok certificates=1");
	assert_int_equal(serial_now(), serial);
	end();
}

/* R2: no descriptor is left to read files with: those in use stay. */
static void test_no_descriptor(void **state)
{
	enum { CALLERS = 120 };
	struct rig_link link = { .protocol = "smpp", .upstream_count = 1, .keys = keys };
	struct rig_options o = { .nofile = 96,
		.daemon = "max_handshakes = 1000; drain_timeout = \"2s\";" };
	int port, fds[CALLERS];
	long serial;

	(void)state;
	listener = peer_listen(&port, 4);
	link.upstream = &port;
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\"; handshake_timeout = \"60s\"; "
		"handshake_rate = 1000;", kit.server_file);
	rig_start(&rig, &o, &link, 1);
	serial = serial_now();
	rig_await(&rig, 0, NULL, "ev=session_close");
	for (int i = 0; i < CALLERS; i++)
		fds[i] = peer_dial(rig.port[0]);
	pause_ms(500);
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config what=certificates state=failed error~open");
	for (int i = 0; i < CALLERS; i++)
		peer_close(fds[i]);
	pause_ms(1000);
	assert_int_equal(serial_now(), serial);
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config what=certificates state=ok");
	end();
}

/* The answer of the control socket to one line. */
static char *ask(const char *request)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *text = calloc(1, 65536);

	strncpy(a.sun_path, rig.control_path, sizeof a.sun_path - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	peer_send(fd, request, strlen(request));
	shutdown(fd, SHUT_WR);
	peer_read(fd, text, 65535, WAIT_MS);
	close(fd);
	return text;
}

/* Warned of once, shown in the status, exported as a number. */
static void test_status(void **state)
{
	struct tls_id soon = tls_id_make(&(struct tls_id_options){ .name = "soon.test",
		.issuer = &kit.ca, .from_s = -10, .to_s = 10 * 86400 + 60 });
	const char *file = tls_write(kit.dir, "soon.pem", &soon.x, 1, soon.key, NULL);
	int port;
	char *text;

	(void)state;
	listener = peer_listen(&port, 4);
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\";", file);
	begin_with(&port, 1);
	rig_await(&rig, 0, NULL, "ev=config what=certificate state=expires subject=soon.test days=10");
	(void)serial_now();
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config what=certificates state=ok");
	pause_ms(200);
	assert_int_equal(rig_count(&rig, "ev=config what=certificate"), 1);
	text = ask("status\n");
	assert_non_null(strstr(text, "certificate sp soon.test expires in 10 days"));
	assert_non_null(strstr(text, "  tls sp    ok 1  failed 0"));
	free(text);
	text = ask("status --json\n");
	assert_non_null(strstr(text, "\"subject\":\"soon.test\""));
	free(text);
	text = ask("metrics\n");
	assert_non_null(strstr(text, "smscope_tls_certificate_not_after_timestamp_seconds{link=\"l1\""));
	assert_non_null(strstr(text,
		"smscope_tls_handshakes_total{link=\"l1\",side=\"sp\",result=\"ok\"} 1"));
	free(text);
	end();
	tls_id_free(&soon);
}

static void expect_absent(const char *text, const char *where, const char *key_line)
{
	if (strstr(text, "c4n4ry") || strstr(text, key_line) || strstr(text, "PRIVATE KEY"))
		fail_msg("%s has a secret", where);
}

/* O8: neither a password nor a line of a key is in anything that the daemon writes or answers. */
static void test_secrets(void **state)
{
	const char *requests[] = { "status\n", "status --json\n", "metrics\n", "sessions --json\n",
		"unknown\n" };
	const char *key = tls_write(kit.dir, "s.key", NULL, 0, kit.server.key, "c4n4ryKey");
	const char *password = tls_write_text(kit.dir, "s.pw", "c4n4ryKey\n", 10, 0600);
	struct rig none = { 0 };
	char *pem = rig_file(&none, kit.server_file, NULL), *text;
	char key_line[65] = "", path[64];
	struct sim_pdu bind = bind_pdu();
	uint8_t octets[SIM_PDU_MAX];
	struct pair p;
	int port;

	(void)state;
	memcpy(key_line, strchr(strstr(pem, "BEGIN PRIVATE"), '\n') + 1, 64);
	listener = peer_listen(&port, 4);
	snprintf(keys, sizeof keys, "tls_certificate = \"%s\"; tls_key = \"%s\"; "
		"tls_password_file = \"%s\";", kit.server_file, key, password);
	begin_with(&port, 1);
	p.sp = tls_dial(rig.port[0], kit.sp, NULL);
	peer_send_pdu(p.sp, SIM_SMPP, &bind);
	p.gw = peer_accept(listener);
	peer_read_pdu(p.gw, SIM_SMPP, octets, NULL);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		text = ask(requests[i]);
		expect_absent(text, requests[i], key_line);
		free(text);
	}
	tls_write_text(kit.dir, "s.pw", "c4n4ryWrong\n", 12, 0600);
	kill(rig.pid, SIGHUP);
	rig_await(&rig, 0, NULL, "ev=config state=failed error~password");
	peer_close(p.sp);
	peer_close(p.gw);
	rig_await(&rig, 0, NULL, "ev=session_close");
	text = rig_file(&rig, rig.log_path, NULL);
	expect_absent(text, "the log", key_line);
	free(text);
	text = rig_file(&rig, rig.err_path, NULL);
	expect_absent(text, "standard error", key_line);
	free(text);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "/proc/%d/cmdline", (int)(i ? rig.engine : rig.pid));
		text = rig_file(&none, path, NULL);
		expect_absent(text, path, key_line);
		free(text);
	}
	free(pem);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_gateways, rig_sweep),
		cmocka_unit_test_teardown(test_next_server, rig_sweep),
		cmocka_unit_test_teardown(test_shown_to_gateway, rig_sweep),
		cmocka_unit_test_teardown(test_checked, rig_sweep),
		cmocka_unit_test_teardown(test_reloaded, rig_sweep),
		cmocka_unit_test_teardown(test_no_descriptor, rig_sweep),
		cmocka_unit_test_teardown(test_status, rig_sweep),
		cmocka_unit_test_teardown(test_secrets, rig_sweep),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, tls_kit_open, tls_kit_close);
}
