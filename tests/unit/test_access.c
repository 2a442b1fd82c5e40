/* Who may pass: prefixes as they are written and as they match, accounts, how often, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "conf/conf_prefix.h"
#include "net/access.h"
#include "net/pace.h"
#include "net/refusals.h"

#define SECOND_NS 1000000000ull

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage a = { 0 };

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)(void *)&a)->sin_addr) == 1) {
		a.ss_family = AF_INET;
	} else {
		a.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text,
			&((struct sockaddr_in6 *)(void *)&a)->sin6_addr), 1);
	}
	return a;
}

static int prefix(const char *text, struct prefix *ret, char **ret_words)
{
	static const struct conf_key k = { .name = "allow" };
	size_t n = 0;
	char *words = NULL;
	struct conf_faults faults = { .to = open_memstream(&words, &n) };
	struct conf_at at = { &faults, "x.conf", 3 };
	int err = conf_prefix(&k, text, ret, &at);

	fclose(faults.to);
	assert_int_equal(faults.errors, err != 0);
	if (ret_words != NULL)
		*ret_words = words;
	else
		free(words);
	return err;
}

static void written(void **state)
{
	static const char *const rows[][2] = {
		{ "10.0.0.0/8", "10.0.0.0/8" }, { "192.0.2.1", "192.0.2.1/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" }, { "::/0", "::/0" }, { "[2001:db8::]/32", "2001:db8::/32" },
		{ "2001:DB8::1", "2001:db8::1/128" }, { "::ffff:10.0.0.0/104", "10.0.0.0/8" },
		{ "::ffff:0:0/96", "0.0.0.0/0" }, { "fe80::/10", "fe80::/10" },
	};
	char text[PREFIX_TEXT];
	struct prefix p, again;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(prefix(rows[i][0], &p, NULL), 0);
		assert_string_equal(conf_prefix_text(&p, text), rows[i][1]);
		assert_int_equal(prefix(text, &again, NULL), 0);
		assert_memory_equal(&p, &again, sizeof(p));
	}
}

static void refused(void **state)
{
	static const char *const rows[][2] = {
		{ "10.0.0.1/8", "is 10.0.0.0/8 meant?" }, { "2001:db8::1/64", "is 2001:db8::/64 meant?" },
		{ "10.0.0.0/33", "0 to 32" }, { "::/129", "0 to 128" }, { "10.0.0.0/", "0 to 32" },
		{ "10.0.0.0/8x", "0 to 32" }, { "10.0.0.0/-1", "0 to 32" }, { "10.0.0.0/0008", "0 to 32" },
		{ "10.0.0/8", "no address" }, { "", "no address" }, { "sp.example", "no address" },
		{ "[10.0.0.0]/8", "no address" }, { "10.0.0.0:7890", "no address" },
	};
	struct prefix p;
	char *words;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_not_equal(prefix(rows[i][0], &p, &words), 0);
		assert_non_null(strstr(words, "x.conf:3: error: allow = \""));
		if (strstr(words, rows[i][1]) == NULL)
			fail_msg("%s: %s", rows[i][0], words);
		free(words);
	}
}

static void fill(struct prefix *to, int *count, const char *list)
{
	char copy[256], *rest = copy, *item;

	*count = 0;
	snprintf(copy, sizeof(copy), "%s", list);
	while ((item = strsep(&rest, " ")) != NULL)
		if (item[0] != '\0')
			assert_int_equal(prefix(item, &to[(*count)++], NULL), 0);
}

/* The longest prefix decides, in whatever order they stand; v4-mapped addresses are IPv4 ones. */
static void longest_decides(void **state)
{
	static const struct {
		const char *allow, *deny, *peer;
		bool may;
	} rows[] = {
		{ "", "", "192.0.2.1", true },
		{ "10.0.0.0/8", "", "10.255.0.1", true }, { "10.0.0.0/8", "", "11.0.0.0", false },
		{ "10.0.0.0/8", "", "9.255.255.255", false },
		{ "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", false },
		{ "10.0.0.0/8 10.1.2.3", "10.1.0.0/16", "10.1.2.3", true },
		{ "", "10.0.0.0/8", "10.0.0.1", false }, { "", "10.0.0.0/8", "192.0.2.1", true },
		{ "192.0.2.128/25", "", "192.0.2.127", false },
		{ "192.0.2.128/25", "", "192.0.2.128", true },
		{ "192.0.2.1", "", "::ffff:192.0.2.1", true },
		{ "", "192.0.2.1", "::ffff:192.0.2.1", false },
		{ "::/0", "", "192.0.2.1", false }, { "::/0", "", "::ffff:192.0.2.1", false },
		{ "::/0", "", "2001:db8::1", true }, { "0.0.0.0/0", "", "2001:db8::1", false },
		{ "0.0.0.0/0", "", "::ffff:1.2.3.4", true },
		{ "2001:db8::/33", "", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "", "2001:db8:8000::1", false },
		{ "2001:db8::/32", "2001:db8::1", "2001:db8::1", false },
		{ "0.0.0.0/0 ::/0", "", "::1", true },
	};
	static struct link_settings l;
	struct sockaddr_storage balancer;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sockaddr_storage peer = address(rows[i].peer);

		fill(l.allow, &l.allow_count, rows[i].allow);
		fill(l.deny, &l.deny_count, rows[i].deny);
		if (access_allowed(&l, &peer) != rows[i].may)
			fail_msg("allow %s deny %s: %s", rows[i].allow, rows[i].deny, rows[i].peer);
	}
	fill(l.proxy_from, &l.proxy_from_count, "127.0.0.1 2001:db8::/32");
	balancer = address("::ffff:127.0.0.1");
	assert_true(access_proxied(&l, &balancer));
	balancer = address("127.0.0.2");
	assert_false(access_proxied(&l, &balancer));
}

static void accounts(void **state)
{
	static char first[] = "900001", second[] = "a b";
	static struct link_settings l;

	(void)state;
	assert_true(access_account(&l, span_of("x", 1)));
	l.accounts[0] = first;
	l.accounts[1] = second;
	l.account_count = 2;
	assert_true(access_account(&l, span_of("900001", 6)));
	assert_true(access_account(&l, span_of("a b", 3)));
	assert_false(access_account(&l, span_of("90000", 5)));
	assert_false(access_account(&l, span_of("900001\0", 7)));
	assert_false(access_account(&l, span_of("", 0)));
}

static struct pace_key key_of(const char *text)
{
	return (struct pace_key){ PACE_ADDRESS, 0, span_of(text, strlen(text)) };
}

/* At most so many within any sixty seconds, or nearly; what is refused does not count. */
static void minutes(void **state)
{
	struct pace *p = pace_new();
	struct pace_key a = key_of("a"), b = key_of("b"), other = a;
	uint64_t t = 1000 * SECOND_NS;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(pace_take(p, &a, 5, t + (uint64_t)i));
	assert_false(pace_take(p, &a, 5, t + 10));
	assert_true(pace_take(p, &b, 5, t + 10));
	other.link = 1;
	assert_true(pace_take(p, &other, 1, t + 10));
	other = a;
	other.kind = PACE_ACCOUNT;
	assert_true(pace_take(p, &other, 1, t + 10));
	for (int i = 0; i < 100; i++)
		assert_false(pace_take(p, &a, 5, t + 59 * SECOND_NS));
	assert_false(pace_take(p, &a, 5, t + 60 * SECOND_NS));	/* they all lie within the last minute */
	assert_true(pace_take(p, &a, 5, t + 73 * SECOND_NS));
	assert_false(pace_take(p, &a, 5, t + 73 * SECOND_NS));
	for (int i = 0; i < 5; i++)
		assert_true(pace_take(p, &a, 5, t + 300 * SECOND_NS));
	pace_free(p);
}

static void penalties(void **state)
{
	struct pace *p = pace_new();
	struct pace_key a = key_of("a");
	uint64_t t = 1000 * SECOND_NS;

	(void)state;
	a.kind = PACE_REFUSED;
	assert_false(pace_out(p, &a, t));
	pace_refused(p, &a, 3, 5000, t);
	pace_refused(p, &a, 3, 5000, t + SECOND_NS);
	assert_false(pace_out(p, &a, t + SECOND_NS));
	pace_refused(p, &a, 3, 5000, t + 2 * SECOND_NS);
	assert_true(pace_out(p, &a, t + 2 * SECOND_NS));
	assert_true(pace_out(p, &a, t + 7 * SECOND_NS - 1));
	assert_false(pace_out(p, &a, t + 7 * SECOND_NS));
	pace_refused(p, &a, 3, 5000, t + 8 * SECOND_NS);	/* it begins anew */
	assert_false(pace_out(p, &a, t + 8 * SECOND_NS));
	pace_free(p);
}

/* More than the table holds: it forgets, the newest is there. */
static void many(void **state)
{
	struct pace *p = pace_new();
	uint64_t t = 1000 * SECOND_NS;
	char name[16];

	(void)state;
	for (int i = 0; i < 10 * PACE_ROWS; i++) {
		struct pace_key k;

		snprintf(name, sizeof(name), "%d", i);
		k = key_of(name);
		assert_true(pace_take(p, &k, 1, t + (uint64_t)i));
		assert_false(pace_take(p, &k, 1, t + (uint64_t)i));
	}
	pace_free(p);
}

/* Each is counted once, told at most once a second, with none left over. */
static void told(void **state)
{
	struct refusals *r = refusals_new(2);
	struct sockaddr_storage peer = address("192.0.2.9");
	struct refusal_count c;
	uint64_t t = 1000 * SECOND_NS;

	(void)state;
	assert_false(refusals_due(r, t, &c));
	assert_true(refusals_add(r, 1, END_DENIED, &peer, t, &c));
	assert_int_equal(c.count, 1);
	assert_int_equal(c.link, 1);
	for (int i = 0; i < 10; i++)
		assert_false(refusals_add(r, 1, END_DENIED, &peer, t + 5, &c));
	assert_true(refusals_add(r, 0, END_DENIED, &peer, t + 5, &c));
	assert_true(refusals_add(r, 1, END_PENALTY, &peer, t + 5, &c));
	assert_false(refusals_due(r, t + SECOND_NS - 1, &c));
	assert_true(refusals_due(r, t + SECOND_NS, &c));
	assert_int_equal(c.count, 10);
	assert_int_equal(c.how, END_DENIED);
	assert_memory_equal(&c.peer, &peer, sizeof(peer));
	refusals_again(r, &c);
	assert_false(refusals_due(r, t + SECOND_NS, &c));
	assert_true(refusals_due(r, t + 2 * SECOND_NS, &c));
	assert_int_equal(c.count, 10);
	assert_false(refusals_due(r, t + 9 * SECOND_NS, &c));
	refusals_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written), cmocka_unit_test(refused), cmocka_unit_test(longest_decides),
		cmocka_unit_test(accounts), cmocka_unit_test(minutes), cmocka_unit_test(penalties),
		cmocka_unit_test(many), cmocka_unit_test(told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
