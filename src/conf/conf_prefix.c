#include "conf/conf_prefix.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "smscope/err.h"

enum { MAPPED_BITS = 96, ADDRESS_MAX = 64 };

static bool mapped(const struct prefix *p)
{
	static const uint8_t head[12] = { [10] = 0xff, [11] = 0xff };

	return p->bits >= MAPPED_BITS && memcmp(p->addr, head, sizeof(head)) == 0;
}

/** Keep the first `bits`; true if another one was set. */
static bool cut(struct prefix *p)
{
	bool more = false;

	for (unsigned i = 0; i < 128; i++) {
		uint8_t bit = (uint8_t)(0x80u >> i % 8);

		if (i >= p->bits && (p->addr[i / 8] & bit) != 0) {
			p->addr[i / 8] &= (uint8_t)~bit;
			more = true;
		}
	}
	return more;
}

/** The address that `text` writes, and how many bits such addresses have; 0: none. */
static int address(const char *text, struct prefix *ret)
{
	char host[ADDRESS_MAX];
	size_t n = strlen(text);

	if (inet_pton(AF_INET, text, ret->addr + 12) == 1) {
		ret->addr[10] = ret->addr[11] = 0xff;
		return 32;
	}
	if (n > 2 && n < sizeof(host) && text[0] == '[' && text[n - 1] == ']') {
		memcpy(host, text + 1, n - 2);
		host[n - 2] = '\0';
		text = host;
	}
	return inet_pton(AF_INET6, text, ret->addr) == 1 ? 128 : 0;
}

static const char *read_prefix(const char *text, struct prefix *ret)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char host[ADDRESS_MAX];
	int width, bits;

	if (n >= sizeof(host))
		return "no address";
	memcpy(host, text, n);
	host[n] = '\0';
	width = address(host, ret);
	if (width == 0)
		return "no address; a network is ADDRESS/BITS, such as 10.0.0.0/8";
	bits = width;
	if (slash != NULL) {
		bits = isdigit((unsigned char)slash[1]) && strlen(slash + 1) <= 3 ? atoi(slash + 1) : -1;
		for (const char *p = slash + 1; *p != '\0'; p++)
			if (!isdigit((unsigned char)*p))
				bits = -1;
		if (bits < 0 || bits > width)
			return width == 32 ? "the bits of an IPv4 prefix are 0 to 32" :
				"the bits of an IPv6 prefix are 0 to 128";
	}
	ret->bits = (uint8_t)(bits + 128 - width);
	return NULL;
}

int conf_prefix(const struct conf_key *k, const char *text, struct prefix *ret,
	const struct conf_at *at)
{
	struct prefix p = { .bits = 0 };
	const char *why = read_prefix(text, &p);
	char meant[PREFIX_TEXT];

	if (why != NULL) {
		conf_error(at->faults, at->file, at->line, "%s = \"%s\": %s", k->name, text, why);
		return SM_EVALUE;
	}
	if (cut(&p)) {
		conf_error(at->faults, at->file, at->line,
			"%s = \"%s\": bits are set behind the prefix; is %s meant?", k->name, text,
			conf_prefix_text(&p, meant));
		return SM_EVALUE;
	}
	*ret = p;
	return 0;
}

const char *conf_prefix_text(const struct prefix *p, char to[static PREFIX_TEXT])
{
	bool v4 = mapped(p);
	size_t n;

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? p->addr + 12 : p->addr, to, PREFIX_TEXT);
	n = strlen(to);
	snprintf(to + n, PREFIX_TEXT - n, "/%d", v4 ? p->bits - MAPPED_BITS : p->bits);
	return to;
}
