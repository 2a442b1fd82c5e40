#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness.h"

/* A PDU goes out in another form, and the engine dies on the way. */

static struct rig rig;
static int gateway, gateway_port;

static void begin(enum sim_proto proto, const char *host, const char *keys)
{
	/* Each report is asked for, so the log may fall behind by all of them. */
	static const struct rig_options options = { .control = true,
		.daemon = "drain_timeout = \"2s\"; ring_size = \"64M\";" };
	struct rig_link link = { .protocol = proto == SIM_SMPP ? "smpp" : "cmpp", .host = host,
		.upstream = &gateway_port, .upstream_count = 1, .keys = keys };

	gateway = peer_listen(&gateway_port, 64);
	rig_start(&rig, &options, &link, 1);
}

static const char rules[] = "profile = \"infox\"; rules = ("
	"  { name = \"states\"; action = \"map_stat\"; map = \"states\"; pdu = \"report\"; } );";

enum { EDIT_COUNT = 24000, EDIT_ROUNDS = 7, BALLAST = 3000, REPORT_MOST = BALLAST + 300 };

/* With a TLV of a vendor some reports are so long that one of them is often half out. */
static size_t with_ballast(uint32_t i, uint8_t *pdu, size_t n)
{
	if (i % 5 != 0)
		return n;
	memcpy(pdu + n, "\x14\x03", 2);
	pdu[n + 2] = BALLAST >> 8;
	pdu[n + 3] = BALLAST & 0xff;
	memset(pdu + n + 4, 'x', BALLAST);
	n += 4 + BALLAST;
	pdu[2] = (uint8_t)(n >> 8);
	pdu[3] = (uint8_t)n;
	return n;
}

/* A report as the gateway sends it, or as rules have it. */
static size_t report_of(uint32_t i, bool as_ruled, uint8_t *to)
{
	bool mapped = i % 3 != 2;
	char id[16];
	struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = i + 1, .src = sim_text("13812345678"),
		.dst = sim_text("10690001"), .registered = true, .stat = sim_text("DELIVRD"),
		.err = sim_text("000"), .submit_time = sim_text("2611300100"),
		.done_time = sim_text("2611300101"), .receipt = SIM_RECEIPT_TEXT };

	snprintf(id, sizeof id, "%08X", i);
	pdu.msgid = sim_text(id);
	if (mapped)
		pdu.stat = sim_text(as_ruled ? "UNDELIV" : "MK:0010");
	if (mapped && as_ruled)
		pdu.err = sim_text("MK:0010");
	return with_ballast(i, to, sim_build(SIM_SMPP, &pdu, to));
}

/* Octets that were sent to the SP's socket and not read: in its own queue, and in the one at the other end. */
static size_t unread_by(int sp)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	unsigned int from, to, waits;
	size_t sum = 0;
	char line[256];
	int here;
	FILE *f;

	pause_ms(300); /* until all that is received is confirmed */
	assert_int_equal(getsockname(sp, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(ioctl(sp, SIOCINQ, &here), 0);
	f = fopen("/proc/net/tcp", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, " %*d: %*x:%x %*x:%x %*x %x:", &from, &to, &waits) == 3 &&
			from == (unsigned int)rig.port[0] && to == ntohs(a.sin_port))
			sum = waits;
	fclose(f);
	return sum + (size_t)here;
}

/* Reports on their way to an SP, and what is known of where their stream stood at each kill. */
struct edited {
	uint8_t *in, *seen;
	size_t in_n, sent;
	size_t got, checked; /* octets of `seen`: read, and compared */
	uint32_t at;         /* the report that begins at `checked` */
	size_t kills[EDIT_ROUNDS];
	int kill_count, kill;
	bool raw, ready;     /* what comes may be as it was sent; or, the first of them, as rules have it */
	int torn;            /* kills with one in another form half out */
	struct pair p;
};

static void edited_make(struct edited *e)
{
	*e = (struct edited){ .in = malloc((size_t)EDIT_COUNT * REPORT_MOST),
		.seen = malloc((size_t)EDIT_COUNT * REPORT_MOST) };
	for (uint32_t i = 0; i < EDIT_COUNT; i++)
		e->in_n += report_of(i, false, e->in + e->in_n);
}

static bool is(const uint8_t *p, size_t n, const uint8_t *want, size_t want_n)
{
	return n == want_n && memcmp(p, want, n) == 0;
}

/*
 * One whole report, as rules have it. Behind a kill it may be as it was sent, until one that rules have changed
 * comes; the first of those may have been made ready by the engine that died.
 */
static void edited_compare(struct edited *e, const uint8_t *p, size_t n)
{
	uint8_t ruled[SIM_PDU_MAX], sent[SIM_PDU_MAX];
	size_t ruled_n = report_of(e->at, true, ruled), sent_n = report_of(e->at, false, sent);
	bool changed = !is(ruled, ruled_n, sent, sent_n), torn = false;

	for (; e->kill < e->kill_count && e->kills[e->kill] < e->checked + n; e->kill++) {
		torn = torn || e->kills[e->kill] > e->checked;
		e->raw = e->ready = true;
	}
	if (!is(p, n, ruled, ruled_n) && (!is(p, n, sent, sent_n) || !e->raw))
		fail_msg("report %u at octet %zu is wrong", e->at, e->checked);
	if (!changed)
		return;
	e->torn += torn && is(p, n, ruled, ruled_n);
	e->raw = e->raw && (e->ready || is(p, n, sent, sent_n));
	e->ready = false;
}

static bool edited_read(struct edited *e, size_t most)
{
	size_t n = peer_read(e->p.sp, e->seen + e->got, most, 100);

	e->got += n;
	while (e->got - e->checked >= 4) {
		const uint8_t *p = e->seen + e->checked;
		size_t len = (size_t)p[2] << 8 | p[3];

		assert_in_range(len, 16, REPORT_MOST);
		if (len > e->got - e->checked)
			break;
		edited_compare(e, p, len);
		e->checked += len;
		e->at++;
	}
	return n > 0;
}

/*
 * Reports of which two in three go out in another length, to a receiver that does not read: the engine dies
 * with an edited PDU half out, edits before it done and more behind it. Its successor ends what was begun
 * although it has no rules yet; what follows may go out as it came until it has them.
 */
static void edits(void **state)
{
	struct edited e;

	(void)state;
	begin(SIM_SMPP, NULL, rules);
	rig_await_ready(&rig);
	edited_make(&e);
	peer_buffers(gateway, 4096);
	e.p = pair_login_over(peer_dial_buffers(rig.port[0], 4096), gateway, SIM_SMPP);
	for (int i = 0; i < EDIT_ROUNDS; i++) {
		e.sent += peer_fill(e.p.gw, e.in + e.sent, e.in_n - e.sent);
		assert_true(e.sent < e.in_n); /* or nothing is held up */
		rig_engine_down(&rig);
		e.kills[e.kill_count++] = e.got + unread_by(e.p.sp);
		rig_engine_up(&rig);
		rig_await_ready(&rig);
		/* So much that the kernel tells the engine of room: the next kill finds what that has sent by rules. */
		for (int k = 0; k < 300; k++)
			(void)edited_read(&e, 5003);
	}
	while (e.at < EDIT_COUNT) {
		size_t left = e.in_n - e.sent;

		e.sent += left > 0 ? peer_fill(e.p.gw, e.in + e.sent, left < 50000 ? left : 50000) : 0;
		assert_true(edited_read(&e, 100000));
	}
	print_message("half out in another form at %d of %d kills\n", e.torn, EDIT_ROUNDS);
	assert_int_equal(e.checked, e.got);
	assert_int_equal(e.kill, EDIT_ROUNDS);
	assert_true(e.torn > 0);
	peer_expect_silence(e.p.sp, 50);
	rig_await_count(&rig, EDIT_COUNT, "ev=report");
	assert_int_equal(rig_count(&rig, "ev=malformed"), 0);
	pair_close(e.p);
	rig_expect_balance(&rig, 1);
	rig_stop(&rig);
	free(e.in);
	free(e.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(edits, rig_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
