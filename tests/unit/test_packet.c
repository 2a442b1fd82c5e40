#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/dlt.h>

#include "tools/packet.h"

/* Headers octet by octet, as RFC 791, 8200, 9293, IEEE 802.1Q and libpcap's link types have them. */

#define ETHER "\1\2\3\4\5\6\7\10\11\12\13\14"
#define IP4(words, len, frag, protocol) \
	words "\0" len "\0\0" frag "\100" protocol "\0\0" "\300\0\2\1" "\300\0\2\2"
#define FROM6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define TO6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define IP6(len, next) "\x60\0\0\0" len next "\100" FROM6 TO6
#define TCP(words, flags) "\x0a\xd7\x9c\x40" "\0\0\1\0" "\0\0\2\0" words flags "\377\377" "\0\0\0\0"
#define PLAIN IP4("\105", "\0\053", "\0\0", "\6") TCP("\120", "\20") "abc"

/* As it was captured, whole; a copy, so that the sanitizer sees who reads on. */
static enum packet read_of(int link, const char *p, size_t n, size_t sent, struct segment *ret)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(n > 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, p, n);
	return packet_read(link, span_of(copy, n), sent, ret);
}

#define READ(link, s) read_of(link, s, sizeof(s) - 1, sizeof(s) - 1, &x)

static void is_abc(const struct segment *x)
{
	assert_int_equal(x->from.port, 2775);
	assert_int_equal(x->to.port, 40000);
	assert_int_equal(x->seq, 256);
	assert_int_equal(x->ack, 512);
	assert_int_equal(x->flags, TCP_ACK);
	assert_int_equal(x->len, 3);
	assert_int_equal(x->data.n, 3);
	assert_memory_equal(x->data.p, "abc", 3);
}

static void link_layers(void **state)
{
	struct segment x;

	(void)state;
	assert_int_equal(READ(DLT_RAW, PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(x.from.ip_len, 4);
	assert_memory_equal(x.from.ip, "\300\0\2\1", 4);
	assert_memory_equal(x.to.ip, "\300\0\2\2", 4);
	assert_int_equal(READ(DLT_IPV4, PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x08\0" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x81\0\0\5\x08\0" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x88\xa8\0\5\x81\0\0\6\x08\0" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x91\0\0\5\x08\0" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_NULL, "\2\0\0\0" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_LOOP, "\0\0\0\2" PLAIN), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_LINUX_SLL, "\0\0\0\1\0\6" "\1\2\3\4\5\6\0\0" "\x08\0" PLAIN),
		PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_LINUX_SLL2, "\x08\0\0\0\0\0\0\1\0\1\4\6" "\1\2\3\4\5\6\0\0" PLAIN),
		PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x08\6" PLAIN), PACKET_NOT_IP);
	assert_int_equal(READ(DLT_RAW, ""), PACKET_NOT_IP);
	assert_false(packet_link_known(DLT_IEEE802_11));
	assert_true(packet_link_known(DLT_EN10MB));
}

static void padding_and_options(void **state)
{
	struct segment x;

	(void)state;
	/* Ethernet pads to 60 octets */
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x08\0" PLAIN "\0\0\0"), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_RAW, IP4("\107", "\0\063", "\100\0", "\6") "OPTIONS." TCP("\120", "\20")
		"abc"), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\067", "\0\0", "\6") TCP("\200", "\20")
		"TCP OPTIONS." "abc"), PACKET_TCP);
	is_abc(&x);
	/* a network card fills the length in later */
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\0", "\0\0", "\6") TCP("\120", "\20") "abc"),
		PACKET_TCP);
	is_abc(&x);
}

static void version_6(void **state)
{
	struct segment x;

	(void)state;
	assert_int_equal(READ(DLT_IPV6, IP6("\0\27", "\6") TCP("\120", "\20") "abc"), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(x.from.ip_len, 16);
	assert_memory_equal(x.from.ip, FROM6, 16);
	assert_memory_equal(x.to.ip, TO6, 16);
	assert_int_equal(READ(DLT_EN10MB, ETHER "\x86\xdd" IP6("\0\27", "\6") TCP("\120", "\20") "abc"
		"pad"), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_NULL, "\30\0\0\0" IP6("\0\0", "\6") TCP("\120", "\20") "abc"),
		PACKET_TCP);
	is_abc(&x);
	/* hop-by-hop, destination options of 16 octets, routing, a fragment that is all, AH of 12 */
	assert_int_equal(READ(DLT_RAW, IP6("\0\113", "\0") "\74\0\1\4\0\0\0\0"
		"\53\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0" "\54\0\0\0\0\0\0\0" "\63\0\0\0\0\0\0\1"
		"\6\1\0\0\0\0\0\1\0\0\0\2" TCP("\120", "\20") "abc"), PACKET_TCP);
	is_abc(&x);
	assert_int_equal(READ(DLT_RAW, IP6("\0\37", "\54") "\6\0\0\1\0\0\0\1" TCP("\120", "\20") "abc"),
		PACKET_FRAGMENT);
	assert_int_equal(READ(DLT_RAW, IP6("\0\37", "\54") "\21\0\0\1\0\0\0\1" TCP("\120", "\20") "abc"),
		PACKET_NOT_TCP);
	assert_int_equal(READ(DLT_RAW, IP6("\0\27", "\62") TCP("\120", "\20") "abc"), PACKET_NOT_TCP);
	/* extensions longer than the packet */
	assert_int_equal(READ(DLT_RAW, IP6("\0\4", "\0") "\6\0\1\4\0\0\0\0" TCP("\120", "\20")),
		PACKET_BAD);
}

static void others(void **state)
{
	struct segment x;

	(void)state;
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\0", "\21") TCP("\120", "\20") "abc"),
		PACKET_NOT_TCP);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\x20\0", "\6") TCP("\120", "\20") "abc"),
		PACKET_FRAGMENT);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\5", "\6") TCP("\120", "\20") "abc"),
		PACKET_FRAGMENT);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\5", "\21") TCP("\120", "\20") "abc"),
		PACKET_NOT_TCP);
	/* headers that contradict themselves */
	assert_int_equal(READ(DLT_RAW, IP4("\104", "\0\053", "\0\0", "\6") TCP("\120", "\20") "abc"),
		PACKET_BAD);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\023", "\0\0", "\6") TCP("\120", "\20") "abc"),
		PACKET_BAD);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\0", "\6") TCP("\100", "\20") "abc"),
		PACKET_BAD);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\0", "\6") TCP("\240", "\20") "abc"),
		PACKET_BAD);
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\0", "\6") "\0\1\2"), PACKET_BAD);
	/* what a reset says is for people */
	assert_int_equal(READ(DLT_RAW, IP4("\105", "\0\053", "\0\0", "\6") TCP("\120", "\4") "why"),
		PACKET_TCP);
	assert_int_equal(x.len, 0);
	assert_int_equal(x.data.n, 0);
}

/* A capture may hold any part of a packet. */
static void every_length(void **state)
{
	static const char four[] = ETHER "\x81\0\0\5\x08\0"
		IP4("\107", "\0\077", "\0\0", "\6") "OPTIONS." TCP("\200", "\20") "TCP OPTIONS." "abc";
	static const char six[] = ETHER "\x86\xdd" IP6("\0\37", "\0") "\6\0\1\4\0\0\0\0"
		TCP("\120", "\20") "abc";
	static const struct {
		const char *p;
		size_t n, headers; /* up to TCP's own, without options */
	} all[] = { { four, sizeof(four) - 1, 66 }, { six, sizeof(six) - 1, 82 } };
	struct segment x = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t n = 0; n < all[i].n; n++) {
			enum packet kind = read_of(DLT_EN10MB, all[i].p, n, all[i].n, &x);

			assert_int_equal(kind, n < all[i].headers ? PACKET_CUT : PACKET_TCP);
			if (kind != PACKET_TCP)
				continue;
			assert_int_equal(x.len, 3);
			assert_int_equal(x.data.n, n + 3 < all[i].n ? 0 : n + 3 - all[i].n);
		}
		assert_int_equal(read_of(DLT_EN10MB, all[i].p, all[i].n, all[i].n, &x), PACKET_TCP);
		is_abc(&x);
	}
	(void)read_of(DLT_RAW, "", 0, 0, &x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_layers),
		cmocka_unit_test(padding_and_options),
		cmocka_unit_test(version_6),
		cmocka_unit_test(others),
		cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
