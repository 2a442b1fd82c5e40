#include "smscope/msgid.h"

#include "smscope/text.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool has_prefix(struct span s)
{
	return s.n > 2 && s.p[0] == '0' && lower(s.p[1]) == 'x';
}

static struct span strip(struct span s)
{
	if (has_prefix(s))
		s = span_of(s.p + 2, s.n - 2);
	while (s.n > 1 && *s.p == '0')
		s = span_of(s.p + 1, s.n - 1);
	return s;
}

static bool same(struct span a, struct span b, bool fold)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (fold ? lower(a.p[i]) != lower(b.p[i]) : a.p[i] != b.p[i])
			return false;
	}
	return true;
}

/* Digits of `base`, 0x allowed before hexadecimal ones; false beyond 64 bits. */
static bool number_of(struct span s, unsigned base, uint64_t *ret)
{
	/* Both written out: a division takes longer than all the digits. */
	uint64_t v = 0, most = base == 16 ? UINT64_MAX / 16 : UINT64_MAX / 10;

	if (s.n == 0 || (base == 10 && has_prefix(s)))
		return false;
	s = strip(s);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = lower(s.p[i]);
		unsigned d = base;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10u;
		if (d >= base || v > most || v * base > UINT64_MAX - d)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return true;
}

/* Is it the same number, once in hexadecimal and once in decimal digits? */
static bool rebased(struct span hex, struct span dec)
{
	uint64_t x, y;

	return number_of(dec, 10, &y) && number_of(hex, 16, &x) && x == y;
}

bool id_alike(struct span a, struct span b)
{
	return same(strip(a), strip(b), true) || rebased(a, b) || rebased(b, a);
}

unsigned id_rules(struct span submitted, struct span reported)
{
	unsigned rules = 0;

	if (same(submitted, reported, false))
		rules |= 1u << ID_EXACT;
	if (rules != 0 || same(submitted, reported, true))
		rules |= 1u << ID_CASE;
	if (rules != 0 || same(strip(submitted), strip(reported), true))
		rules |= 1u << ID_PADDING;
	if (rebased(submitted, reported))
		rules |= 1u << ID_HEX_DEC;
	if (rebased(reported, submitted))
		rules |= 1u << ID_DEC_HEX;
	return rules;
}

enum id_rule id_rule_first(unsigned rules, enum id_rule preferred)
{
	if (preferred != ID_NONE && (rules & 1u << preferred) != 0)
		return preferred;
	for (enum id_rule r = ID_EXACT; r < ID_RULES; r++) {
		if ((rules & 1u << r) != 0)
			return r;
	}
	return ID_NONE;
}

size_t id_fold(struct span id, char to[ID_FOLDED_MAX])
{
	struct span s = strip(id);
	size_t n = s.n < ID_FOLDED_MAX ? s.n : ID_FOLDED_MAX;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)lower(s.p[i]);
	return n;
}

size_t id_rebase(struct span id, bool from_hex, char to[ID_FOLDED_MAX])
{
	struct out o = out_of(to, ID_FOLDED_MAX);
	uint64_t v;

	if (!number_of(id, from_hex ? 16 : 10, &v))
		return 0;
	if (from_hex)
		out_dec(&o, v);
	else
		out_hex(&o, v, 1);
	for (size_t i = 0; i < out_len(&o); i++)
		to[i] = (char)lower((uint8_t)to[i]);
	return out_len(&o);
}

const char *id_rule_name(enum id_rule rule)
{
	static const char *const names[ID_RULES] = {
		[ID_NONE] = "none", [ID_EXACT] = "exact", [ID_CASE] = "case",
		[ID_PADDING] = "padding", [ID_HEX_DEC] = "hex_dec", [ID_DEC_HEX] = "hex_dec",
	};

	return (size_t)rule < ID_RULES ? names[rule] : "none";
}

const char *id_rule_words(enum id_rule rule)
{
	static const char *const words[ID_RULES] = {
		[ID_NONE] = "not at all", [ID_EXACT] = "as written", [ID_CASE] = "in any case",
		[ID_PADDING] = "without leading zeros", [ID_HEX_DEC] = "hex→dec",
		[ID_DEC_HEX] = "dec→hex",
	};

	return (size_t)rule < ID_RULES ? words[rule] : "not at all";
}
