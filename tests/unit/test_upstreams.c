#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "base/upstreams.h"

/* The states of servers: which one a session gets, when one is down, and what brings it back. */

#define MS 1000000ull

enum { LINK = 1, SERVERS = 3, RETRY_MS = 1000, RETRY_MAX_MS = 60000, PROBE_MS = 10000 };

static struct settings settings;
static struct link_settings links[2];
static struct upstreams *u;
static struct upstream_address to;
static struct upstream_status now_is;
static uint64_t now;

static struct upstream_address address(int last)
{
	struct upstream_address a = { .len = sizeof(struct sockaddr_in) };

	*(struct sockaddr_in *)&a.addr = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(2775), .sin_addr.s_addr = htonl(0xc0000200u + (uint32_t)last) };
	return a;
}

/* The last octet of an IPv4 address; 0: there is none. */
static int last_of(const struct upstream_address *a)
{
	return a->len == 0 ? 0 : (int)(ntohl(((const struct sockaddr_in *)&a->addr)->sin_addr.s_addr) & 0xff);
}

static int set_up(void **state)
{
	static char text[] = "a server";

	(void)state;
	settings = (struct settings){ .links = links, .link_count = 2 };
	for (int l = 0; l < 2; l++) {
		links[l] = (struct link_settings){ .upstream_count = SERVERS, .retry_ms = RETRY_MS,
			.retry_max_ms = RETRY_MAX_MS, .down_after = 3, .probe_interval_ms = PROBE_MS };
		for (int i = 0; i < SERVERS; i++)
			links[l].upstream[i] = (struct endpoint){ text, address(i + 1).addr,
				address(i + 1).len };
	}
	now = 1000000 * MS;
	u = upstreams_new(&settings, 42, now);
	return u != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	upstreams_free(u);
	return 0;
}

static int choose(uint32_t tried)
{
	return upstreams_choose(u, LINK, tried, now, &to);
}

/* A session chose the server, which does not answer. */
static bool miss(int server)
{
	bool fell = upstreams_failed(u, LINK, server, now, now, &now_is);

	upstreams_leave(u, LINK, server);
	return fell;
}

static enum upstream_state state_of(int server)
{
	upstreams_status(u, LINK, server, &now_is);
	return now_is.state;
}

/* Whatever is left alone after a failure may be dialled again. */
static void wait_long(void)
{
	now += 2 * RETRY_MAX_MS * MS;
}

static void make_down(int server)
{
	for (int i = 0; i < 3; i++) {
		wait_long();
		assert_int_equal(choose(7u & ~(1u << server)), server);
		assert_int_equal(miss(server), i == 2);
	}
	assert_int_equal(state_of(server), UPSTREAM_DOWN);
}

static void pauses(void **state)
{
	static const struct { uint32_t failures, first, most, middle; } rows[] = {
		{ 1, 1000, 60000, 1000 }, { 2, 1000, 60000, 2000 }, { 3, 1000, 60000, 4000 },
		{ 6, 1000, 60000, 32000 }, { 7, 1000, 60000, 60000 }, { 4000000000u, 1000, 60000, 60000 },
		{ 1, 1000, 500, 500 }, { 5, 10, 10, 10 }, { 33, 3600000, 3600000, 3600000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t middle = rows[i].middle;

		assert_int_equal(upstream_pause_ms(rows[i].failures, rows[i].first, rows[i].most, 0),
			middle - middle / 4);
		assert_int_equal(upstream_pause_ms(rows[i].failures, rows[i].first, rows[i].most,
			UINT32_MAX), middle - middle / 4 + middle / 2);
		for (uint32_t r = 0; r < UINT32_MAX - 9999999; r += 9999999)
			assert_in_range(upstream_pause_ms(rows[i].failures, rows[i].first, rows[i].most, r),
				middle - middle / 4, middle + middle / 4);
	}
}

/* How long the server is left alone after the failure that just happened. */
static uint64_t left_alone_ms(int server)
{
	uint64_t ms = 0;
	uint64_t began = now;

	while (choose(7u & ~(1u << server)) < 0) {
		now += MS;
		ms++;
	}
	upstreams_leave(u, LINK, server);
	now = began;
	return ms;
}

/* The pause doubles, is never twice the same, and another link's server is not left alone. */
static void backs_off(void **state)
{
	uint64_t expected = RETRY_MS, before = 0;
	bool differ = false;

	(void)state;
	for (int i = 0; i < 9; i++) {
		uint64_t ms;

		assert_int_equal(choose(6), 0);
		miss(0);
		ms = left_alone_ms(0);
		assert_in_range(ms, expected - expected / 4, expected + expected / 4 + 1);
		differ = differ || (expected == RETRY_MAX_MS && before != 0 && ms != before);
		before = expected == RETRY_MAX_MS ? ms : 0;
		expected = expected * 2 < RETRY_MAX_MS ? expected * 2 : RETRY_MAX_MS;
		wait_long();
	}
	assert_true(differ);
	assert_int_equal(upstreams_choose(u, 0, 6, now, &to), 0);
}

static void in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(choose(0), 0);
	assert_int_equal(last_of(&to), 1);
	assert_int_equal(choose(1), 1);
	assert_int_equal(choose(3), 2);
	assert_int_equal(last_of(&to), 3);
	assert_int_equal(choose(7), -1);
	assert_int_equal(state_of(0), UPSTREAM_UNKNOWN);
	assert_int_equal(now_is.sessions, 3);
}

/* The one with the least sessions, the first of equal ones; who leaves makes room. */
static void least(void **state)
{
	static const int expected[] = { 0, 1, 2, 0, 1, 2 };

	(void)state;
	links[LINK].balance = BALANCE_LEAST;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(choose(0), expected[i]);
	upstreams_leave(u, LINK, 1);
	assert_int_equal(choose(0), 1);
	upstreams_leave(u, LINK, 2);
	upstreams_leave(u, LINK, 2);
	assert_int_equal(choose(0), 2);
	assert_int_equal(choose(4), 0); /* it was tried */
	state_of(1);
	assert_int_equal(now_is.sessions, 2);
}

/* down_after failures in a row, and a session that connects in between begins the row anew. */
static void down_after(void **state)
{
	(void)state;
	assert_int_equal(choose(0), 0);
	assert_false(miss(0));
	wait_long();
	assert_int_equal(choose(0), 0);
	assert_false(miss(0));
	assert_int_equal(now_is.failures, 2);
	wait_long();
	assert_int_equal(choose(0), 0);
	assert_true(upstreams_connected(u, LINK, 0, now));
	assert_false(upstreams_connected(u, LINK, 0, now)); /* told once */
	assert_int_equal(state_of(0), UPSTREAM_UP);
	assert_int_equal(now_is.failures, 0);
	make_down(0);
	assert_int_equal(now_is.failures, 3);
	assert_int_equal(now_is.failed, 5);
	assert_int_equal(now_is.since_ns, now);
	wait_long();
	assert_int_equal(choose(6), 0);
	assert_false(miss(0)); /* it cannot fall twice */
	assert_int_equal(state_of(0), UPSTREAM_DOWN);
}

/* Sessions that were dialling when the first of them failed are one failure of the row. */
static void together(void **state)
{
	uint64_t began = now;

	(void)state;
	now += 5000 * MS;
	for (int i = 0; i < 50; i++)
		assert_false(upstreams_failed(u, LINK, 0, began + (uint64_t)i, now + (uint64_t)i, &now_is));
	assert_int_equal(now_is.failures, 1);
	assert_int_equal(now_is.failed, 50);
	assert_int_equal(now_is.state, UPSTREAM_UNKNOWN);
}

/* No session gets a server that is down while there is another; if there is none, it does, in order. */
static void only_as_the_last(void **state)
{
	(void)state;
	make_down(0);
	wait_long();
	assert_int_equal(choose(0), 1);
	assert_int_equal(choose(2), 2);
	assert_int_equal(choose(6), 0);
	make_down(1);
	make_down(2);
	wait_long();
	assert_int_equal(choose(0), 0);
	miss(0);
	assert_int_equal(choose(0), 1); /* 0 is left alone for now */
	miss(1);
	assert_int_equal(choose(0), 2);
	miss(2);
	assert_int_equal(choose(0), -1);
	wait_long();
	assert_int_equal(choose(0), 0);
	assert_true(upstreams_connected(u, LINK, 0, now));
	assert_int_equal(state_of(0), UPSTREAM_UP);
	assert_int_equal(choose(0), 0);
}

static bool probe_due(int server)
{
	int link, which;

	if (!upstreams_probe(u, now, &link, &which, &to))
		return false;
	assert_int_equal(link, LINK);
	assert_int_equal(which, server);
	return true;
}

/* Probes of what is down only, one at a time, an interval apart; one that connects brings it back, and that is news. */
static void probes(void **state)
{
	struct upstream_news news;

	(void)state;
	now += 3600000 * MS;
	assert_false(probe_due(0));
	make_down(0);
	now += PROBE_MS * MS * 3 / 4 - 1;
	assert_false(probe_due(0));
	now += PROBE_MS * MS / 2 + 1;
	assert_true(probe_due(0));
	assert_int_equal(last_of(&to), 1);
	now += 10 * PROBE_MS * MS;
	assert_false(probe_due(0)); /* it is still under way */
	assert_false(upstreams_probed(u, LINK, 0, false, now));
	assert_int_equal(state_of(0), UPSTREAM_DOWN);
	assert_int_equal(now_is.failures, 4);
	assert_false(probe_due(0));
	assert_false(upstreams_have_news(u));
	now += PROBE_MS * MS * 5 / 4;
	assert_true(probe_due(0));
	assert_int_equal(choose(0), 1);
	assert_true(upstreams_probed(u, LINK, 0, true, now));
	assert_int_equal(state_of(0), UPSTREAM_UP);
	assert_int_equal(choose(0), 0);
	assert_true(upstreams_have_news(u));
	assert_true(upstreams_news(u, &news));
	assert_true(news.link == LINK && news.server == 0 && news.up && news.was.len == 0);
	assert_false(upstreams_news(u, &news));
}

/* What takes connections and serves nobody is down again at its first failure, until a session connected. */
static void on_probation(void **state)
{
	struct upstream_news news;

	(void)state;
	make_down(0);
	now += 2 * PROBE_MS * MS;
	assert_true(probe_due(0));
	assert_true(upstreams_probed(u, LINK, 0, true, now));
	assert_int_equal(choose(0), 0);
	assert_true(miss(0));
	assert_false(upstreams_have_news(u)); /* that it was up is not said after that it is down */
	now += 2 * PROBE_MS * MS;
	assert_true(probe_due(0));
	assert_true(upstreams_probed(u, LINK, 0, true, now));
	assert_true(upstreams_news(u, &news));
	upstreams_again(u, &news);
	assert_true(upstreams_news(u, &news));
	assert_false(upstreams_connected(u, LINK, 0, now)); /* that it is up was told */
	assert_false(miss(0));
	assert_int_equal(now_is.state, UPSTREAM_UP);
}

/* A session's connection while a probe is under way: the probe changes nothing more. */
static void overtaken(void **state)
{
	(void)state;
	make_down(0);
	now += 2 * PROBE_MS * MS;
	assert_true(probe_due(0));
	assert_true(upstreams_connected(u, LINK, 0, now));
	assert_false(upstreams_probed(u, LINK, 0, false, now));
	assert_int_equal(state_of(0), UPSTREAM_UP);
	assert_int_equal(now_is.failures, 0);
}

static bool resolved(int server, const struct upstream_address *all, int count)
{
	struct upstream_address before;

	return upstreams_resolved(u, LINK, server, all, count, now, &to, &before);
}

/* The address in use stays while it answers, whatever order the answer has; news is what it was before. */
static void names(void **state)
{
	struct upstream_address all[] = { address(9), address(8), address(7) };
	struct upstream_news news;

	(void)state;
	links[LINK].upstream[0].addr_len = 0;
	upstreams_free(u);
	u = upstreams_new(&settings, 42, now);
	assert_int_equal(choose(0), 0);
	assert_int_equal(to.len, 0);
	assert_true(upstreams_reachable(u, LINK));
	assert_true(resolved(0, all, 2));
	assert_int_equal(last_of(&to), 9);
	assert_false(upstreams_have_news(u)); /* there was none before */
	assert_false(resolved(0, all, 3));
	assert_true(upstreams_unresolved(u, LINK, 0));
	assert_false(upstreams_unresolved(u, LINK, 0));
	state_of(0);
	assert_int_equal(now_is.unanswered, 2);
	assert_int_equal(last_of(&now_is.address), 9); /* the last good one stays */
	assert_true(resolved(0, all + 1, 1));
	assert_true(resolved(0, all + 2, 1));
	assert_true(upstreams_news(u, &news)); /* not told in time, the first one stays */
	assert_int_equal(last_of(&news.now), 7);
	assert_int_equal(last_of(&news.was), 9);
	assert_false(upstreams_news(u, &news));
	state_of(0);
	assert_int_equal(now_is.unanswered, 0);
}

/* One that does not answer gives way to its neighbour, which is dialled and probed at once. */
static void neighbours(void **state)
{
	struct upstream_address all[] = { address(1), address(8) };

	(void)state;
	assert_false(resolved(0, all, 2));
	make_down(0);
	assert_false(probe_due(0));
	assert_false(resolved(0, all, 1)); /* it has none */
	assert_true(resolved(0, all, 2));
	assert_int_equal(last_of(&to), 8);
	assert_int_equal(choose(6), 0);
	assert_int_equal(last_of(&to), 8);
	assert_true(probe_due(0));
	assert_int_equal(last_of(&to), 8);
	assert_int_equal(state_of(0), UPSTREAM_DOWN);
	assert_true(upstreams_probed(u, LINK, 0, true, now));
	assert_false(resolved(0, all, 2));
}

/* Another engine begins with what is known. */
static void next_engine(struct shm *shm)
{
	upstreams_free(u);
	atomic_fetch_add(&shm->engine, 1);
	u = upstreams_new(&settings, 43, now);
	assert_non_null(u);
	upstreams_share(u, shm);
}

static void from_engine_to_engine(void **state)
{
	static char names[SERVERS][8] = { "one", "two", "three" };
	struct upstream_address at = address(7), now_at, was;
	struct shm_wish wish = { .workers = 1, .ring_size = 1 << 20, .session_max = 8, .stories = 16,
		.hold_max = 4096 };
	int fd = shm_create(&wish);
	struct shm *shm = fd >= 0 ? shm_map(fd) : NULL;

	(void)state;
	assert_non_null(shm);
	for (int i = 0; i < SERVERS; i++)
		links[LINK].upstream[i].text = names[i];
	links[LINK].upstream[2].addr_len = 0;
	links[LINK].number = 5;
	next_engine(shm);
	for (int i = 0; i < 3; i++)
		miss(0);
	assert_true(upstreams_resolved(u, LINK, 2, &at, 1, now, &now_at, &was));
	next_engine(shm);
	upstreams_status(u, LINK, 0, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_DOWN);
	assert_int_equal(now_is.failures, 3);
	upstreams_status(u, LINK, 1, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_UNKNOWN);
	upstreams_status(u, LINK, 2, &now_is);
	assert_int_equal(last_of(&now_is.address), 7);
	assert_int_equal(choose(0), 1);
	upstreams_leave(u, LINK, 1);
	/* A server of that name in another place of the list; another link of that number. */
	links[LINK].upstream[0].text = names[1];
	links[LINK].upstream[1].text = names[0];
	next_engine(shm);
	upstreams_status(u, LINK, 1, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_DOWN);
	links[LINK].number = 6;
	next_engine(shm);
	upstreams_status(u, LINK, 1, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_UNKNOWN);
	/* The one before died while it wrote: of that server nothing is known. */
	links[LINK].number = 5;
	for (int i = 0; i < SHM_SERVERS_MAX; i++)
		if (shm_server(shm, (uint32_t)i)->state == UPSTREAM_DOWN)
			atomic_fetch_add(&shm_server(shm, (uint32_t)i)->version, 1);
	next_engine(shm);
	upstreams_status(u, LINK, 1, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_UNKNOWN);
	/* An engine of before keeps what it finds out to itself. */
	atomic_fetch_add(&shm->engine, 1);
	for (int i = 0; i < 3; i++)
		miss(1);
	next_engine(shm);
	upstreams_status(u, LINK, 1, &now_is);
	assert_int_equal(now_is.state, UPSTREAM_UNKNOWN);
	shm_unmap(shm);
	close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pauses),
		TEST(backs_off),
		TEST(in_order),
		TEST(least),
		TEST(down_after),
		TEST(together),
		TEST(only_as_the_last),
		TEST(probes),
		TEST(on_probation),
		TEST(overtaken),
		TEST(names),
		TEST(neighbours),
		TEST(from_engine_to_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
