/* How many sessions from where: limits hold, and counting out is the exact inverse of counting in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/census.h"

static struct link_settings links[2];
static struct settings settings = { .max_sessions = 512, .links = links, .link_count = 2 };

static struct sockaddr_storage v4(uint32_t address)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = address;
	return a;
}

static void test_limits(void **state)
{
	struct census *c;
	struct sockaddr_storage a = v4(0x0100007f), b = v4(0x0200007f);

	(void)state;
	links[0].max_sessions = 3;
	links[0].max_per_ip = 2;
	links[1].max_sessions = 9;
	links[1].max_per_ip = 9;
	c = census_new(&settings);
	assert_int_equal(census_enter(c, 0, &a), END_NONE);
	assert_int_equal(census_enter(c, 0, &a), END_NONE);
	assert_int_equal(census_enter(c, 0, &a), END_LIMIT_ADDRESS);
	assert_int_equal(census_enter(c, 1, &a), END_NONE);	/* another link counts for itself */
	assert_int_equal(census_enter(c, 0, &b), END_NONE);
	assert_int_equal(census_enter(c, 0, &b), END_LIMIT_SESSIONS);
	census_leave(c, 0, &a);
	assert_int_equal(census_enter(c, 0, &b), END_NONE);
	census_free(c);
}

/* Addresses come and go at random; a plain array is the judge. */
static void test_random_against_an_array(void **state)
{
	enum { ADDRESSES = 400, MOVES = 60000 };
	static int held[ADDRESSES];
	struct census *c;
	int total = 0;

	(void)state;
	links[0].max_sessions = 500;
	links[0].max_per_ip = 3;
	c = census_new(&settings);
	srand(7);
	for (int i = 0; i < MOVES; i++) {
		int k = rand() % ADDRESSES;
		struct sockaddr_storage a = v4((uint32_t)k * 2654435761u);

		if (rand() % 2 == 0) {
			enum end_how want = total >= 500 ? END_LIMIT_SESSIONS :
				held[k] >= 3 ? END_LIMIT_ADDRESS : END_NONE;

			assert_int_equal(census_enter(c, 0, &a), want);
			if (want == END_NONE) {
				held[k]++;
				total++;
			}
		} else if (held[k] > 0) {
			census_leave(c, 0, &a);
			held[k]--;
			total--;
		}
	}
	census_free(c);
}

/* Accounts are counted beside addresses; an address may become known later than its session. */
static void test_accounts(void **state)
{
	struct census *c;
	struct sockaddr_storage a = v4(0x0100007f), unknown = { .ss_family = AF_UNSPEC };
	struct span one = span_of("900001", 6), other = span_of("900002", 6);

	(void)state;
	links[0] = (struct link_settings){ .max_sessions = 4, .max_per_ip = 1, .max_per_account = 2 };
	c = census_new(&settings);
	assert_int_equal(census_enter(c, 0, &unknown), END_NONE);
	assert_int_equal(census_enter(c, 0, &unknown), END_NONE);
	assert_int_equal(census_address(c, 0, &a), END_NONE);
	assert_int_equal(census_address(c, 0, &a), END_LIMIT_ADDRESS);
	assert_int_equal(census_account(c, 0, one), END_NONE);
	assert_int_equal(census_account(c, 0, one), END_NONE);
	assert_int_equal(census_account(c, 0, one), END_LIMIT_ACCOUNT);
	assert_int_equal(census_account(c, 0, other), END_NONE);
	census_account_leave(c, 0, one);
	assert_int_equal(census_account(c, 0, one), END_NONE);
	census_leave(c, 0, &unknown);
	census_leave(c, 0, &a);
	assert_int_equal(census_enter(c, 0, &a), END_NONE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(census_enter(c, 0, &unknown), END_NONE);
	assert_int_equal(census_enter(c, 0, &unknown), END_LIMIT_SESSIONS);
	census_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_random_against_an_array),
		cmocka_unit_test(test_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
