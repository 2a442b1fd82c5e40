/* Headers of the PROXY protocol: both versions, every prefix, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "smscope/proxy_header.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

/* Reads it from memory of just that size, with a stream behind it, and after each octet. */
static int reads(const char *p, size_t n, struct proxy_header *ret)
{
	struct proxy_header part;
	uint8_t *copy = malloc(n + 4);
	int len, whole;

	assert_non_null(copy);
	memcpy(copy, p, n);
	memcpy(copy + n, "\0\0\0\x23", 4);
	len = proxy_header_read(span_of(copy, n), ret);
	whole = proxy_header_read(span_of(copy, n + 4), ret);
	if (len > 0)
		assert_int_equal(whole, len);
	for (size_t i = 0; i < n; i++) {
		int some = proxy_header_read(span_of(copy, i), &part);

		if (len > 0 || some > 0)
			assert_true(some == 0 || (some == len && i >= (size_t)len));
		else
			assert_true(some == 0 || some == len);
	}
	free(copy);
	return len;
}

#define READS(s, h) reads(s, sizeof(s) - 1, h)

static void version_1(void **state)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 };
	struct proxy_header h = { 0 };

	(void)state;
	assert_int_equal(READS("PROXY TCP4 192.0.2.1 198.51.100.7 56324 2775\r\n", &h), 46);
	assert_int_equal(h.version, 1);
	assert_int_equal(h.family, PROXY_IPV4);
	assert_memory_equal(h.from.addr, "\xc0\x00\x02\x01", 4);
	assert_memory_equal(h.to.addr, "\xc6\x33\x64\x07", 4);
	assert_int_equal(h.from.port, 56324);
	assert_int_equal(h.to.port, 2775);
	assert_true(READS("PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 1 65535\r\n", &h) > 0);
	assert_int_equal(h.family, PROXY_IPV6);
	assert_memory_equal(h.from.addr, v6, 16);
	assert_memory_equal(h.to.addr, mapped, 16);
	assert_true(READS("PROXY TCP6 :: 1:2:3:4:5:6:7:8 0 0\r\n", &h) > 0);
	assert_true(READS("PROXY TCP6 1:: 1:2:3:4:5:6:7:: 0 0\r\n", &h) > 0);
	/* The longest line there is. */
	assert_int_equal(READS("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", &h), 107);
	assert_int_equal(h.family, PROXY_NONE);
	assert_int_equal(READS("PROXY UNKNOWN\r\n", &h), 15);
}

static void no_version_1(void **state)
{
	static const char *const lines[] = {
		"PROXY TCP4 192.0.2.1 198.51.100.7 56324 2775\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 56324 2775 \r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
		"PROXY TCP4  192.0.2.1 198.51.100.7 56324 2775\r\n",
		"PROXY TCP4 192.0.2.256 198.51.100.7 56324 2775\r\n",
		"PROXY TCP4 192.0.2.01 198.51.100.7 56324 2775\r\n",
		"PROXY TCP4 192.0.2 198.51.100.7 56324 2775\r\n",
		"PROXY TCP4 192.0.2.1.1 198.51.100.7 56324 2775\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 65536 2775\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 056 2775\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.7 -1 2775\r\n",
		"PROXY TCP4 ::1 ::1 1 2775\r\n",
		"PROXY TCP6 1.2.3.4 1.2.3.4 1 2775\r\n",
		"PROXY TCP6 1:2:3:4:5:6:7 :: 1 2\r\n",
		"PROXY TCP6 1:2:3:4:5:6:7:8:9 :: 1 2\r\n",
		"PROXY TCP6 1::2::3 :: 1 2\r\n",
		"PROXY TCP6 1:2:3:4::5:6:7:8 :: 1 2\r\n",
		"PROXY TCP6 1.2.3.4::1 :: 1 2\r\n",
		"PROXY TCP6 ::12345 :: 1 2\r\n",
		"PROXY TCP6 ::g :: 1 2\r\n",
		"PROXY TCP5 1.2.3.4 1.2.3.4 1 2775\r\n",
		"PROXY tcp4 1.2.3.4 1.2.3.4 1 2775\r\n",
		"PROXY \r\n",
		"PROXY UNKNOWN\r\r\n",
		"PROXY UNKNOWN \x1b[2J\r\n",
		"proxy UNKNOWN\r\n",
		"PROXYUNKNOWN\r\n",
		"GET / HTTP/1.0\r\n",
	};
	struct proxy_header h = { .version = 9 };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (reads(lines[i], strlen(lines[i]), &h) != SM_EFORMAT)
			fail_msg("taken: %s", lines[i]);
	/* 108 octets */
	assert_int_equal(READS("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff  65535 65535\r\n", &h), SM_ELEN);
	assert_int_equal(h.version, 9);
	assert_int_equal(READS("\0\0\0\x23\0\0\0\x09", &h), SM_EFORMAT); /* a login */
	assert_int_equal(READS("PROXY TCP4 1.2.3.4 1", &h), 0);
}

static void version_2(void **state)
{
	struct proxy_header h = { 0 };

	(void)state;
	assert_int_equal(READS(SIG "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\x0a\xd7", &h), 28);
	assert_int_equal(h.version, 2);
	assert_int_equal(h.family, PROXY_IPV4);
	assert_memory_equal(h.from.addr, "\xc0\x00\x02\x01", 4);
	assert_int_equal(h.from.port, 56324);
	assert_int_equal(h.to.port, 2775);
	/* with TLVs, one of them empty */
	assert_int_equal(READS(SIG "\x21\x11\0\x16\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\x0a\xd7"
		"\x04\0\x04" "abcd\x05\0\0", &h), 38);
	assert_int_equal(READS(SIG "\x21\x21\0\x24" "0123456789abcdefFEDCBA9876543210\0\x01\0\x02", &h), 52);
	assert_int_equal(h.family, PROXY_IPV6);
	assert_memory_equal(h.from.addr, "0123456789abcdef", 16);
	assert_memory_equal(h.to.addr, "FEDCBA9876543210", 16);
	/* of the balancer itself: what else it says is passed over */
	assert_int_equal(READS(SIG "\x20\0\0\0", &h), 16);
	assert_int_equal(h.family, PROXY_NONE);
	assert_int_equal(READS(SIG "\x20\x11\0\x03" "abc", &h), 19);
	assert_int_equal(READS(SIG "\x21\0\0\x02" "ab", &h), 18);
	assert_int_equal(h.family, PROXY_NONE);
}

static void no_version_2(void **state)
{
	struct proxy_header h;

	(void)state;
	assert_int_equal(READS(SIG "\x11\x11\0\x0c", &h), SM_EFORMAT); /* version 1 */
	assert_int_equal(READS(SIG "\x22\x11\0\x0c", &h), SM_EFORMAT); /* a command that is none */
	assert_int_equal(READS(SIG "\x21\x12\0\x0c", &h), SM_EFORMAT); /* datagrams */
	assert_int_equal(READS(SIG "\x21\x41\0\x0c", &h), SM_EFORMAT);
	assert_int_equal(READS("\r\n\r\n\0\r\nQUIT\r", &h), SM_EFORMAT);
	assert_int_equal(READS(SIG "\x21\x11\0\x0b" "12345678901", &h), SM_EFORMAT); /* too short */
	assert_int_equal(READS(SIG "\x21\x21\0\x0c" "123456789012", &h), SM_EFORMAT);
	/* a length that takes the login for a TLV */
	assert_int_equal(READS(SIG "\x21\x11\0\x14" "123456789012\0\0\0\x23\0\0\0\x09", &h), SM_EFORMAT);
	assert_int_equal(READS(SIG "\x21\x11\x10\x01", &h), SM_ELEN);
	assert_int_equal(READS(SIG "\x20\0\xff\xff", &h), SM_ELEN);
	assert_int_equal(READS(SIG "\x21\x11\0\x0c" "12345678", &h), 0);
}

static void written(void **state)
{
	struct proxy_header h = { .version = 1, .family = PROXY_IPV4,
		.from = { { 255, 255, 255, 255 }, 65535 }, .to = { { 1, 2, 3, 4 }, 0 } }, back;
	uint8_t octets[PROXY_WRITE_MAX];
	int n = proxy_header_write(&h, octets, sizeof(octets));

	(void)state;
	assert_int_equal(n, 44);
	assert_memory_equal(octets, "PROXY TCP4 255.255.255.255 1.2.3.4 65535 0\r\n", 44);
	h.family = PROXY_NONE;
	assert_int_equal(proxy_header_write(&h, octets, sizeof(octets)), 15);
	h = (struct proxy_header){ .version = 1, .family = PROXY_IPV6 };
	memset(h.from.addr, 0xff, 16);
	memset(h.to.addr, 0xff, 16);
	h.from.port = h.to.port = 65535;
	n = proxy_header_write(&h, octets, sizeof(octets));
	assert_true(n > 0);
	assert_int_equal(proxy_header_read(span_of(octets, (size_t)n), &back), n);
	assert_memory_equal(&back, &h, sizeof(h));
	h.version = 2;
	assert_int_equal(proxy_header_write(&h, octets, sizeof(octets)), 52);
	assert_int_equal(proxy_header_write(&h, octets, 51), SM_ELEN);
	h.family = PROXY_NONE;
	assert_int_equal(proxy_header_write(&h, octets, sizeof(octets)), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1), cmocka_unit_test(no_version_1),
		cmocka_unit_test(version_2), cmocka_unit_test(no_version_2),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
