#include <assert.h>
#include <string.h>

#include "wire.h"

static const char *const proto_names[] = { "cmpp2", "cmpp3", "smpp" };

int sim_proto_of(const char *name)
{
	for (int i = 0; i < 3; i++)
		if (strcmp(name, proto_names[i]) == 0)
			return i;
	return strcmp(name, "cmpp") == 0 ? SIM_CMPP2 : -1;
}

const char *sim_proto_name(enum sim_proto proto)
{
	return proto_names[proto];
}

size_t sim_header_len(enum sim_proto proto)
{
	return proto == SIM_SMPP ? 16 : 12;
}

struct sim_text sim_text(const char *s)
{
	return (struct sim_text){ s, strlen(s) };
}

int sim_pdu_len(enum sim_proto proto, const uint8_t *p, size_t n)
{
	uint32_t len;

	if (n < 4)
		return 0;
	len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	if (len < sim_header_len(proto) || len > SIM_PDU_MAX)
		return -1;
	return (int)len;
}

size_t sim_build(enum sim_proto proto, const struct sim_pdu *pdu, uint8_t *to)
{
	return proto == SIM_SMPP ? sim_smpp_build(pdu, to) : sim_cmpp_build(proto, pdu, to);
}

int sim_parse(enum sim_proto proto, const uint8_t *p, size_t n, struct sim_pdu *ret)
{
	return proto == SIM_SMPP ? sim_smpp_parse(p, n, ret) : sim_cmpp_parse(proto, p, n, ret);
}

void sim_put_int(struct sim_put *o, int octets, uint64_t v)
{
	assert(o->n + (size_t)octets <= SIM_PDU_MAX);
	for (int i = octets - 1; i >= 0; i--)
		o->p[o->n++] = (uint8_t)(v >> (8 * i));
}

void sim_put_octets(struct sim_put *o, const void *p, size_t n)
{
	assert(o->n + n <= SIM_PDU_MAX);
	if (n > 0)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

void sim_put_fixed(struct sim_put *o, struct sim_text t, size_t width)
{
	size_t n = t.n < width ? t.n : width;

	sim_put_octets(o, t.p, n);
	assert(o->n + width - n <= SIM_PDU_MAX);
	memset(o->p + o->n, 0, width - n);
	o->n += width - n;
}

/* At most `max` octets, the NUL included. */
void sim_put_cstr(struct sim_put *o, struct sim_text t, size_t max)
{
	sim_put_octets(o, t.p, t.n < max ? t.n : max - 1);
	sim_put_int(o, 1, 0);
}

uint32_t sim_take_int(struct sim_take *i, int octets)
{
	uint32_t v = 0;

	if (i->bad || i->end - i->p < octets) {
		i->bad = true;
		return 0;
	}
	while (octets-- > 0)
		v = v << 8 | *i->p++;
	return v;
}

struct sim_text sim_take_octets(struct sim_take *i, size_t n)
{
	struct sim_text t = { (const char *)i->p, 0 };

	if (i->bad || (size_t)(i->end - i->p) < n) {
		i->bad = true;
		return t;
	}
	t.n = n;
	i->p += n;
	return t;
}

/* Padded on the right with NUL; a full field has none. */
struct sim_text sim_take_fixed(struct sim_take *i, size_t width)
{
	struct sim_text t = sim_take_octets(i, width);

	t.n = strnlen(t.p, t.n);
	return t;
}

struct sim_text sim_take_cstr(struct sim_take *i)
{
	struct sim_text t = { (const char *)i->p, 0 };
	size_t left = (size_t)(i->end - i->p), n = i->bad ? left : strnlen(t.p, left);

	if (n == left) {
		i->bad = true;
		return t;
	}
	t.n = n;
	i->p += n + 1;
	return t;
}
