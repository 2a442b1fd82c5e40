#include <stdlib.h>

#include "check.h"
#include "smscope/proxy_header.h"

/*
 * The header of the PROXY protocol: what is read does not depend on how it comes, is no longer than it
 * may be, and comes back from what is written of it.
 */

static bool same_end(const struct proxy_end *a, const struct proxy_end *b)
{
	return memcmp(a->addr, b->addr, sizeof(a->addr)) == 0 && a->port == b->port;
}

static void check_again(const struct proxy_header *h, uint8_t version)
{
	struct proxy_header one = *h, two = { 0 };
	uint8_t octets[PROXY_WRITE_MAX + 1];
	int n;

	one.version = version;
	n = proxy_header_write(&one, octets, PROXY_WRITE_MAX);
	CHECK(n > 0 && n <= PROXY_WRITE_MAX);
	octets[n] = 'x';
	CHECK(proxy_header_read(span_of(octets, (size_t)n + 1), &two) == n);
	CHECK(two.version == version && two.family == h->family);
	CHECK(same_end(&two.from, &h->from) && same_end(&two.to, &h->to));
	for (int cap = 0; cap < n; cap++)
		CHECK(proxy_header_write(&one, octets, (size_t)cap) == SM_ELEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h = { 0 }, part = { 0 };
	int len = proxy_header_read(span_of(data, size), &h);

	CHECK(len >= 0 || len == SM_EFORMAT || len == SM_ELEN);
	CHECK(len <= 0 || (size_t)len <= size);
	CHECK(len <= 0 || h.version == 2 ? len <= PROXY_V2_MAX : len <= PROXY_V1_MAX);
	for (size_t n = 0; n < size && n < 300; n++) {
		uint8_t *head = check_copy(data, n);
		int some = proxy_header_read(span_of(head, n), &part);

		CHECK(some == len || (some == 0 && (len <= 0 || n < (size_t)len)));
		free(head);
	}
	if (len > 0) {
		check_again(&h, 1);
		check_again(&h, 2);
	}
	return 0;
}
