#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

/*
 * CMPP 2.0 (2.1) and 3.0. Lengths and offsets: the specifications' PDU tables.
 *                          2.0         3.0
 *     terminal number      21          32 (+ 1 type)
 *     result, status       1           4
 *     tail                 8           20
 *     report body          60          71
 */

static const struct {
	uint32_t command;
	enum sim_what what;
} commands[] = {
	{ 0x00000001, SIM_LOGIN },   { 0x80000001, SIM_LOGIN_RESP },
	{ 0x00000002, SIM_LOGOUT },  { 0x80000002, SIM_LOGOUT_RESP },
	{ 0x00000004, SIM_SUBMIT },  { 0x80000004, SIM_SUBMIT_RESP },
	{ 0x00000005, SIM_DELIVER }, { 0x80000005, SIM_DELIVER_RESP },
	{ 0x00000008, SIM_TEST },    { 0x80000008, SIM_TEST_RESP },
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct sim_text none = { "", 0 };

static struct sim_text or_else(struct sim_text t, const char *otherwise)
{
	return t.p ? t : sim_text(otherwise);
}

static struct sim_text or_none(struct sim_text t)
{
	return t.p ? t : none;
}

static int wide(enum sim_proto proto, int narrow, int broad)
{
	return proto == SIM_CMPP3 ? broad : narrow;
}

static void put_submit(struct sim_put *o, enum sim_proto proto, const struct sim_pdu *pdu)
{
	size_t number = (size_t)wide(proto, 21, 32);

	sim_put_int(o, 8, 0);      /* Msg_Id */
	sim_put_int(o, 2, 0x0101); /* Pk_total, Pk_number */
	sim_put_int(o, 1, pdu->registered);
	sim_put_int(o, 1, 1); /* Msg_level */
	sim_put_fixed(o, or_else(pdu->service, "SIM"), 10);
	sim_put_int(o, 1, 2);           /* Fee_UserType: the SP pays */
	sim_put_fixed(o, none, number); /* Fee_terminal_Id */
	if (proto == SIM_CMPP3)
		sim_put_int(o, 1, 0); /* Fee_terminal_type */
	sim_put_int(o, 2, 0);         /* TP_pId, TP_udhi */
	sim_put_int(o, 1, pdu->coding);
	sim_put_fixed(o, or_none(pdu->user), 6); /* Msg_src */
	sim_put_fixed(o, sim_text("02"), 2);     /* FeeType */
	sim_put_fixed(o, sim_text("10"), 6);     /* FeeCode */
	sim_put_fixed(o, none, 17);              /* ValId_Time */
	sim_put_fixed(o, none, 17);              /* At_Time */
	sim_put_fixed(o, or_none(pdu->src), 21); /* Src_Id */
	sim_put_int(o, 1, 1);                    /* DestUsr_tl */
	sim_put_fixed(o, or_none(pdu->dst), number);
	if (proto == SIM_CMPP3)
		sim_put_int(o, 1, 0); /* Dest_terminal_type */
	sim_put_int(o, 1, pdu->body.n);
	sim_put_octets(o, pdu->body.p, pdu->body.n);
	sim_put_fixed(o, none, (size_t)wide(proto, 8, 20));
}

static void put_report(struct sim_put *o, enum sim_proto proto, const struct sim_pdu *pdu)
{
	int len = pdu->body_len ? pdu->body_len : wide(proto, 60, 71);

	sim_put_int(o, 1, (uint64_t)len);
	sim_put_fixed(o, or_none(pdu->msgid), 8);
	sim_put_fixed(o, or_none(pdu->stat), 7);
	sim_put_fixed(o, or_else(pdu->submit_time, "2611210800"), 10);
	sim_put_fixed(o, or_else(pdu->done_time, "2611210801"), 10);
	sim_put_fixed(o, or_none(pdu->src), len == 71 ? 32 : 21);
	sim_put_int(o, 4, pdu->seq); /* SMSC_sequence */
}

static void put_deliver(struct sim_put *o, enum sim_proto proto, const struct sim_pdu *pdu)
{
	sim_put_fixed(o, or_none(pdu->msgid), 8);
	sim_put_fixed(o, or_none(pdu->dst), 21); /* Dest_Id: the SP */
	sim_put_fixed(o, or_else(pdu->service, "SIM"), 10);
	sim_put_int(o, 2, 0); /* TP_pid, TP_udhi */
	sim_put_int(o, 1, pdu->coding);
	sim_put_fixed(o, or_none(pdu->src), (size_t)wide(proto, 21, 32));
	if (proto == SIM_CMPP3)
		sim_put_int(o, 1, 0);
	sim_put_int(o, 1, pdu->registered);
	if (pdu->registered) {
		put_report(o, proto, pdu);
	} else {
		sim_put_int(o, 1, pdu->body.n);
		sim_put_octets(o, pdu->body.p, pdu->body.n);
	}
	sim_put_fixed(o, none, (size_t)wide(proto, 8, 20));
}

static void put_body(struct sim_put *o, enum sim_proto proto, const struct sim_pdu *pdu)
{
	switch (pdu->what) {
	case SIM_LOGIN:
		sim_put_fixed(o, or_none(pdu->user), 6);
		sim_put_fixed(o, or_none(pdu->secret), 16);
		sim_put_int(o, 1, pdu->version ? pdu->version : (uint8_t)wide(proto, 0x20, 0x30));
		sim_put_int(o, 4, pdu->stamp);
		break;
	case SIM_LOGIN_RESP:
		sim_put_int(o, wide(proto, 1, 4), pdu->status);
		sim_put_fixed(o, or_none(pdu->secret), 16);
		sim_put_int(o, 1, pdu->version ? pdu->version : (uint8_t)wide(proto, 0x20, 0x30));
		break;
	case SIM_SUBMIT: put_submit(o, proto, pdu); break;
	case SIM_DELIVER: put_deliver(o, proto, pdu); break;
	case SIM_SUBMIT_RESP:
	case SIM_DELIVER_RESP:
		sim_put_fixed(o, or_none(pdu->msgid), 8);
		sim_put_int(o, wide(proto, 1, 4), pdu->status);
		break;
	case SIM_TEST_RESP: sim_put_int(o, 1, 0); break;
	default: break;
	}
}

size_t sim_cmpp_build(enum sim_proto proto, const struct sim_pdu *pdu, uint8_t *to)
{
	struct sim_put o = { to, 0 }, head = { to, 0 };
	uint32_t command = pdu->command;

	for (int i = 0; i < COMMANDS; i++)
		if (commands[i].what == pdu->what)
			command = commands[i].command;
	sim_put_int(&o, 4, 0);
	sim_put_int(&o, 4, command);
	sim_put_int(&o, 4, pdu->seq);
	put_body(&o, proto, pdu);
	sim_put_int(&head, 4, o.n);
	return o.n;
}

static void take_submit(struct sim_take *i, enum sim_proto proto, struct sim_pdu *r)
{
	size_t number = (size_t)wide(proto, 21, 32);
	uint32_t dests;

	sim_take_octets(i, 10);
	r->registered = sim_take_int(i, 1) == 1;
	sim_take_octets(i, 1);
	r->service = sim_take_fixed(i, 10);
	sim_take_octets(i, 1 + number + (size_t)wide(proto, 0, 1) + 2);
	r->coding = (uint8_t)sim_take_int(i, 1);
	r->user = sim_take_fixed(i, 6);
	sim_take_octets(i, 2 + 6 + 17 + 17);
	r->src = sim_take_fixed(i, 21);
	dests = sim_take_int(i, 1);
	r->dst = dests > 0 ? sim_take_fixed(i, number) : none;
	if (dests > 1)
		sim_take_octets(i, number * (dests - 1));
	sim_take_octets(i, (size_t)wide(proto, 0, 1));
	r->body = sim_take_octets(i, sim_take_int(i, 1));
	sim_take_octets(i, (size_t)wide(proto, 8, 20));
}

static void take_deliver(struct sim_take *i, enum sim_proto proto, struct sim_pdu *r)
{
	struct sim_take in;

	r->msgid = sim_take_octets(i, 8);
	r->dst = sim_take_fixed(i, 21);
	r->service = sim_take_fixed(i, 10);
	sim_take_octets(i, 2);
	r->coding = (uint8_t)sim_take_int(i, 1);
	r->src = sim_take_fixed(i, (size_t)wide(proto, 21, 32));
	sim_take_octets(i, (size_t)wide(proto, 0, 1));
	r->registered = sim_take_int(i, 1) == 1;
	r->body = sim_take_octets(i, sim_take_int(i, 1));
	sim_take_octets(i, (size_t)wide(proto, 8, 20));
	if (i->bad || !r->registered)
		return;
	in.p = (const uint8_t *)r->body.p;
	in.end = in.p + r->body.n;
	in.bad = r->body.n != 60 && r->body.n != 71;
	r->body_len = (int)r->body.n;
	r->msgid = sim_take_octets(&in, 8);
	r->stat = sim_take_fixed(&in, 7);
	r->submit_time = sim_take_fixed(&in, 10);
	r->done_time = sim_take_fixed(&in, 10);
	sim_take_fixed(&in, r->body.n == 71 ? 32 : 21);
	i->bad = in.bad;
}

static void take_body(struct sim_take *i, enum sim_proto proto, struct sim_pdu *r)
{
	switch (r->what) {
	case SIM_LOGIN:
		r->user = sim_take_fixed(i, 6);
		r->secret = sim_take_octets(i, 16);
		r->version = (uint8_t)sim_take_int(i, 1);
		r->stamp = sim_take_int(i, 4);
		break;
	case SIM_LOGIN_RESP:
		r->status = sim_take_int(i, wide(proto, 1, 4));
		r->secret = sim_take_octets(i, 16);
		r->version = (uint8_t)sim_take_int(i, 1);
		break;
	case SIM_SUBMIT: take_submit(i, proto, r); break;
	case SIM_DELIVER: take_deliver(i, proto, r); break;
	case SIM_SUBMIT_RESP:
	case SIM_DELIVER_RESP:
		r->msgid = sim_take_octets(i, 8);
		r->status = sim_take_int(i, wide(proto, 1, 4));
		break;
	case SIM_TEST_RESP: /* the Reserved octet is missing in some peers */
	case SIM_OTHER: i->p = i->end; break;
	default: break;
	}
}

int sim_cmpp_parse(enum sim_proto proto, const uint8_t *p, size_t n, struct sim_pdu *ret)
{
	struct sim_take i = { p, p + n, false };

	memset(ret, 0, sizeof *ret);
	ret->len = sim_take_int(&i, 4);
	ret->command = sim_take_int(&i, 4);
	ret->seq = sim_take_int(&i, 4);
	for (int c = 0; c < COMMANDS; c++)
		if (commands[c].command == ret->command)
			ret->what = commands[c].what;
	take_body(&i, proto, ret);
	return i.bad || i.p != i.end || ret->len != n ? -1 : 0;
}

static void md5(const void *p, size_t n, uint8_t ret[16])
{
	unsigned int len = 16;

	if (!EVP_Digest(p, n, ret, &len, EVP_md5(), NULL))
		memset(ret, 0, 16);
}

void sim_cmpp_auth(const char *user, const char *secret, uint32_t stamp, uint8_t ret[16])
{
	uint8_t in[SIM_PDU_MAX];
	struct sim_put o = { in, 0 };
	char digits[11];

	snprintf(digits, sizeof digits, "%010u", stamp);
	sim_put_fixed(&o, sim_text(user), 6);
	sim_put_fixed(&o, none, 9);
	sim_put_octets(&o, secret, strlen(secret));
	sim_put_octets(&o, digits, 10);
	md5(in, o.n, ret);
}

void sim_cmpp_auth_answer(enum sim_proto proto, uint32_t status, const uint8_t source[16],
			  const char *secret, uint8_t ret[16])
{
	uint8_t in[SIM_PDU_MAX];
	struct sim_put o = { in, 0 };

	sim_put_int(&o, wide(proto, 1, 4), status);
	sim_put_octets(&o, source, 16);
	sim_put_octets(&o, secret, strlen(secret));
	md5(in, o.n, ret);
}
