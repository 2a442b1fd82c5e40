#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * Row N12: servers by name, and a name server of the test's own that answers, says that there is no
 * such name, or holds its answers back. Whatever it does, a bound session feels nothing of it.
 */

enum mode { ANSWERS, NO_SUCH_NAME, HOLDS_BACK };
enum { QUERY_MAX = 512, HEADER = 12, TYPE_A = 1, HELD_MAX = 16, ADDRESSES_MAX = 24 };

/* Shared with the child that is the name server. */
struct dns {
	_Atomic int mode, asked, count, last[ADDRESSES_MAX]; /* 127.0.0.last */
};

static struct rig rig;
static struct dns *dns;
static pid_t dns_pid;
static int dns_port, port, gateway[4]; /* gateway[i] listens on 127.0.0.i, all on one port */

/* The question as it came, behind it the addresses if it asks for IPv4. */
static size_t answer_to(uint8_t *m, size_t n)
{
	size_t at = HEADER;
	int count = 0;

	while (at < n && m[at] != 0)
		at += m[at] + 1u;
	if (n < HEADER || at + 5 > n)
		return 0;
	m[2] |= 0x84; /* response, authoritative */
	m[3] = (uint8_t)(0x80 | (dns->mode == NO_SUCH_NAME ? 3 : 0));
	if (dns->mode == ANSWERS && m[at + 2] == TYPE_A)
		count = dns->count;
	n = at + 5;
	memset(m + 6, 0, 6);
	m[7] = (uint8_t)count;
	for (int i = 0; i < count; i++, n += 16) {
		const uint8_t rr[16] = { 0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0,
			(uint8_t)dns->last[i] };

		memcpy(m + n, rr, sizeof rr);
	}
	return n;
}

static void dns_run(int fd)
{
	static struct held { uint8_t m[QUERY_MAX * 2]; size_t n; struct sockaddr_in from; } held[HELD_MAX];
	int count = 0;

	for (;;) {
		struct held *h = &held[count];
		socklen_t len = sizeof h->from;
		ssize_t n = recvfrom(fd, h->m, QUERY_MAX, 0, (struct sockaddr *)&h->from, &len);

		if (n > 0) {
			dns->asked++;
			h->n = (size_t)n;
			count += count < HELD_MAX - 1;
		}
		for (; dns->mode != HOLDS_BACK && count > 0; count--) {
			h = &held[count - 1];
			h->n = answer_to(h->m, h->n);
			sendto(fd, h->m, h->n, 0, (struct sockaddr *)&h->from, sizeof h->from);
		}
	}
}

static void dns_start(enum mode mode)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct timeval soon = { .tv_usec = 20000 };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	dns = mmap(NULL, sizeof *dns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(dns != MAP_FAILED);
	dns->mode = mode;
	dns->count = 1;
	dns->last[0] = 2;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	dns_port = ntohs(a.sin_port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
	dns_pid = fork();
	assert_true(dns_pid >= 0);
	if (dns_pid == 0)
		dns_run(fd);
	close(fd);
}

static void dns_stop(void)
{
	if (dns_pid > 0) {
		kill(dns_pid, SIGKILL);
		waitpid(dns_pid, NULL, 0);
	}
	dns_pid = 0;
}

static void finish(void)
{
	dns_stop(); /* no child of the test's own may be left */
	rig_stop(&rig);
}

static int sweep(void **state)
{
	dns_stop();
	return rig_sweep(state);
}

static int listen_at(int last)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = peer_adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (!port)
		port = port_closed();
	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)last);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16))
		fail_msg("127.0.0.%d:%d: %s", last, port, strerror(errno));
	return fd;
}

static char daemon_keys[128];
static const struct rig_options options = { .daemon = daemon_keys, .control = true };
static const struct rig_link by_address = { .name = "l2", .protocol = "smpp", .upstream = &port, .upstream_count = 1,
	.keys = "connect_timeout = \"2s\";" };

/* Link 0 has its gateway by name, link 1 by address: gateway[1]. */
static void begin(enum mode mode, const char *keys)
{
	static char servers[64];
	struct rig_link links[2] = { { .protocol = "smpp", .servers = servers, .keys = keys }, by_address };

	port = 0;
	for (int i = 1; i < 4; i++)
		gateway[i] = listen_at(i);
	dns_start(mode);
	snprintf(daemon_keys, sizeof daemon_keys, "workers = 1; drain_timeout = \"2s\"; "
		"resolvers = \"127.0.0.1:%d\"; resolve_interval = \"1s\";", dns_port);
	snprintf(servers, sizeof servers, "\"smsc.test:%d\"", port);
	rig_start(&rig, &options, links, 2);
}

static void end_pair(struct pair p)
{
	peer_close(p.sp);
	peer_close(p.gw);
}

/* Pings until the name server was asked `more` times. */
static void ping_until_asked(struct pair p, int more)
{
	int enough = dns->asked + more;

	for (int i = 0; dns->asked < enough; i++, pause_ms(5)) {
		pair_ping(p, SIM_SMPP);
		assert_true(i < 8000);
	}
}

/* What the status says of the named server's lookups without an answer. */
static int unresolved(void)
{
	char *text = rig_ctl(&rig, "--json status", 0);
	json_t *all = json_loads(text, 0, NULL);
	json_t *link = json_array_get(json_object_get(all, "links"), 0);
	json_t *server = json_array_get(json_object_get(link, "servers"), 0);
	int n = (int)json_integer_value(json_object_get(server, "unresolved"));

	assert_non_null(server);
	free(text);
	json_decref(all);
	return n;
}

static void ping_until_unresolved(struct pair p)
{
	for (int i = 0; unresolved() == 0; i++) {
		assert_true(i < 400);
		for (int j = 0; j < 10; j++, pause_ms(5))
			pair_ping(p, SIM_SMPP);
	}
}

static void expect_said(const char *words)
{
	char *said = rig_file(&rig, rig.err_path, NULL);

	if (strstr(said, words) == NULL)
		fail_msg("not said: %s\n%s", words, said);
	free(said);
}

/* An address that changes: told, and taken by new sessions; the old ones go on where they are. */
static void moves(void **state)
{
	struct pair p, q;
	json_t *moved;
	char address[32];

	(void)state;
	begin(ANSWERS, NULL);
	p = pair_login(&rig, 0, gateway[2], SIM_SMPP);
	rig_await_ready(&rig);
	ping_until_asked(p, 4);
	assert_int_equal(rig_count(&rig, "ev=upstream state=moved"), 0);
	dns->last[0] = 3;
	moved = rig_await(&rig, 0, NULL, "ev=upstream state=moved server=smsc.test:%d", port);
	snprintf(address, sizeof address, "127.0.0.3:%d", port);
	assert_string_equal(json_string_value(json_object_get(moved, "address")), address);
	snprintf(address, sizeof address, "127.0.0.2:%d", port);
	assert_string_equal(json_string_value(json_object_get(moved, "address_was")), address);
	q = pair_login(&rig, 0, gateway[3], SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	snprintf(address, sizeof address, "it was 127.0.0.2:%d", port);
	expect_said(address);
	end_pair(p);
	end_pair(q);
	finish();
}

/* A name server that says no, says nothing, is gone: the last good address stays in use. */
static void last_good(void **state)
{
	static const char *const how[] = { "says no", "says nothing", "is gone" };
	struct pair p, q;

	(void)state;
	for (int i = 0; i < 3; i++) {
		print_message("a name server that %s\n", how[i]);
		begin(ANSWERS, NULL);
		p = pair_login(&rig, 0, gateway[2], SIM_SMPP);
		rig_await_ready(&rig);
		dns->mode = i == 0 ? NO_SUCH_NAME : HOLDS_BACK;
		if (i == 2)
			dns_stop();
		ping_until_unresolved(p);
		q = pair_login(&rig, 0, gateway[2], SIM_SMPP);
		pair_ping(p, SIM_SMPP);
		expect_said("the name is not resolved, its last address stays");
		/* In the next engine as well, which was never answered. */
		rig_kill_engine(&rig);
		rig_await_ready(&rig);
		end_pair(q);
		q = pair_login(&rig, 0, gateway[2], SIM_SMPP);
		pair_ping(p, SIM_SMPP);
		end_pair(p);
		end_pair(q);
		finish();
		peers_sweep();
	}
}

/* It has not answered yet at the start: nobody else waits, and who comes for that link is served once it does. */
static void slow_at_first(void **state)
{
	struct pair p, q;
	int sp;

	(void)state;
	begin(HOLDS_BACK, "connect_timeout = \"60s\";");
	sp = peer_dial(rig.port[0]);
	p = pair_login(&rig, 1, gateway[1], SIM_SMPP);
	ping_until_asked(p, 1);
	pair_ping(p, SIM_SMPP);
	dns->mode = ANSWERS;
	q = pair_login_over(sp, gateway[2], SIM_SMPP);
	pair_ping(p, SIM_SMPP);
	pair_ping(q, SIM_SMPP);
	end_pair(p);
	end_pair(q);
	finish();
}

/* There is no such name: the login is refused and the reason told; once there is, sessions have it. */
static void no_address(void **state)
{
	uint8_t octets[SIM_PDU_MAX], answer[SIM_PDU_MAX];
	size_t n = hex_load("smpp-bind_transceiver-1", octets, sizeof octets);
	struct sim_pdu refusal;
	char why[96];
	int sp;

	(void)state;
	begin(NO_SUCH_NAME, "retry = \"10ms\";");
	sp = peer_dial(rig.port[0]);
	peer_send(sp, octets, n);
	peer_read_pdu(sp, SIM_SMPP, answer, &refusal);
	assert_int_equal(refusal.what, SIM_LOGIN_RESP);
	assert_int_not_equal(refusal.status, 0);
	peer_close(sp);
	snprintf(why, sizeof why, "no server answers: smsc.test:%d its name has not been resolved", port);
	assert_string_equal(json_string_value(json_object_get(
				    rig_await(&rig, 0, NULL, "ev=login by=smscope"), "why")), why);
	dns->mode = ANSWERS;
	for (int i = 0; unresolved() > 0; i++, pause_ms(50))
		assert_true(i < 400);
	end_pair(pair_login(&rig, 0, gateway[2], SIM_SMPP));
	finish();
}

/* Of two addresses the one that does not answer gives way to the other. */
static void two_addresses(void **state)
{
	(void)state;
	begin(ANSWERS, "retry = \"10ms\"; down_after = 1; probe_interval = \"1h\";");
	end_pair(pair_login(&rig, 0, gateway[2], SIM_SMPP));
	rig_await_ready(&rig);
	dns->last[1] = 3;
	dns->count = 2;
	peer_close(gateway[2]);
	for (int i = 0; !peer_has_caller(gateway[3], 50); i++) {
		int sp = peer_dial(rig.port[0]);
		uint8_t octets[SIM_PDU_MAX];

		peer_send(sp, octets, hex_load("smpp-bind_transceiver-1", octets, sizeof octets));
		assert_true(i < 200);
	}
	rig_await(&rig, 0, NULL, "ev=upstream state=moved");
	rig_await(&rig, 0, NULL, "ev=upstream state=up");
	finish();
}

/* An answer with more addresses than count: the one in use stays, wherever it stands. */
static void many_addresses(void **state)
{
	struct pair p;

	(void)state;
	begin(ANSWERS, "retry = \"10ms\";");
	p = pair_login(&rig, 0, gateway[2], SIM_SMPP);
	for (int i = 0; i < ADDRESSES_MAX; i++)
		dns->last[i] = i < ADDRESSES_MAX - 1 ? 100 + i : 2;
	dns->count = ADDRESSES_MAX;
	ping_until_asked(p, 6);
	assert_int_equal(count_said(&rig, 0, " now, it was "), 0);
	end_pair(p);
	end_pair(pair_login(&rig, 0, gateway[2], SIM_SMPP));
	assert_int_equal(rig_count(&rig, "ev=upstream state=moved"), 0);
	finish();
}

/* The link is gone, its session stays: its engine asks for no name any more, and complains of none. */
static void an_older_engine(void **state)
{
	struct rig_link left = by_address;
	struct pair p;
	size_t said;
	int asked;

	(void)state;
	begin(ANSWERS, "retry = \"10ms\";");
	p = pair_login(&rig, 0, gateway[2], SIM_SMPP);
	rig_await_ready(&rig);
	ping_until_asked(p, 2);
	left.port = rig.port[1];
	said = said_now(&rig);
	rig_configure(&rig, &options, &left, 1);
	kill(rig.pid, SIGHUP);
	await_said(&rig, said, "reload done");
	await_engine(&rig, 1);
	dns->mode = NO_SUCH_NAME;
	asked = dns->asked;
	for (int i = 0; i < 300; i++, pause_ms(10))
		pair_ping(p, SIM_SMPP);
	assert_in_range(dns->asked, asked, asked + 2); /* that was under way */
	assert_int_equal(count_said(&rig, 0, "the name is not resolved"), 0);
	end_pair(p);
	await_engine(&rig, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(moves, sweep),
		cmocka_unit_test_teardown(last_good, sweep),
		cmocka_unit_test_teardown(slow_at_first, sweep),
		cmocka_unit_test_teardown(no_address, sweep),
		cmocka_unit_test_teardown(two_addresses, sweep),
		cmocka_unit_test_teardown(many_addresses, sweep),
		cmocka_unit_test_teardown(an_older_engine, sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
