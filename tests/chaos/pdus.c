#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

/* What the two sides say. Sequence numbers and message ids are computed from numbers, and back. */

enum {
	TLV_PAYLOAD = 0x0424,
	PAYLOAD_MAX = 4000,
	RULED_STATUS = 57, /* what the rules of daemon.c change … */
	RULED_STATUS_TO = 0x58,
	RULED_STAT = 1, /* … and which of the stats */
};

static const char *const stats[] = { "DELIVRD", "MK:0010", "UNDELIV", "EXPIRED" };

const char *stat_name(int stat)
{
	return stats[stat];
}

/* The login has 1; submits and delivers are even, keepalives odd. */
uint32_t submit_seq(uint32_t message)
{
	return 2 + 2 * message;
}

uint32_t deliver_seq(uint32_t deliver)
{
	return 2 + 2 * deliver;
}

uint32_t test_seq(uint32_t test)
{
	return 3 + 2 * test;
}

bool seq_number(uint32_t seq, uint32_t *ret)
{
	if (seq < 2 || seq % 2 != 0)
		return false;
	*ret = (seq - 2) / 2;
	return true;
}

/*
 * CMPP: 4 bits month | 5 day | 5 hour | 6 minute | 6 second | 22 gateway | 16 sequence. The date is always
 * the same one; session and the number's upper bits are the gateway.
 */
static uint32_t cmpp_gateway(const struct session *s, uint32_t message)
{
	return (uint32_t)s->index << 10 | message >> 16;
}

struct sim_text msgid_wire(const struct session *s, uint32_t message, char to[32])
{
	struct sim_put o = { (uint8_t *)to, 0 };

	if (s->proto == SIM_SMPP)
		return (struct sim_text){ to, (size_t)snprintf(to, 32, "m%d-%08x", s->index, message) };
	sim_put_int(&o, 8, (uint64_t)11 << 60 | (uint64_t)21 << 55 | (uint64_t)19 << 50 | (uint64_t)17 << 44 |
		(uint64_t)cmpp_gateway(s, message) << 16 | (message & 0xffff));
	return (struct sim_text){ to, o.n };
}

void msgid_text(const struct session *s, uint32_t message, char to[40])
{
	char wire[32];

	if (s->proto == SIM_SMPP)
		snprintf(to, 40, "%.*s", (int)msgid_wire(s, message, wire).n, wire);
	else
		snprintf(to, 40, "1121191700-%u-%u", cmpp_gateway(s, message), message & 0xffff);
}

bool msgid_message(const struct session *s, const char *text, uint32_t *ret)
{
	unsigned int gateway, low;
	char again[40];
	int index;

	if (s->proto == SIM_SMPP) {
		if (sscanf(text, "m%d-%x", &index, ret) != 2)
			return false;
	} else {
		if (sscanf(text, "1121191700-%u-%u", &gateway, &low) != 2)
			return false;
		*ret = (gateway & 0x3ff) << 16 | low;
	}
	msgid_text(s, *ret, again);
	return strcmp(text, again) == 0;
}

static struct sim_text letters(struct session *s, char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)('A' + random_below(&s->random, 26));
	return (struct sim_text){ to, n };
}

/* Whom the message went to, and who reports. */
static struct sim_text subscriber(uint32_t message, char to[16])
{
	return (struct sim_text){ to, (size_t)snprintf(to, 16, "138%08u", message * 2654435761u % 100000000) };
}

size_t make_login(const struct session *s, uint8_t *to)
{
	char user[8];
	uint8_t secret[16];
	struct sim_pdu pdu = { .what = SIM_LOGIN, .seq = 1, .stamp = 1121191700 };

	snprintf(user, sizeof(user), "%06d", s->index);
	pdu.user = sim_text(user);
	pdu.secret = sim_text("secret");
	if (s->proto != SIM_SMPP) {
		sim_cmpp_auth(user, "secret", pdu.stamp, secret);
		pdu.secret = (struct sim_text){ (char *)secret, sizeof(secret) };
	}
	return sim_build(s->proto, &pdu, to);
}

/* A message beyond what short_message holds lies in a TLV behind it. */
static size_t put_payload(struct session *s, uint8_t *to, size_t len)
{
	static char octets[PAYLOAD_MAX];
	struct sim_put o = { to, len }, head = { to, 0 };
	size_t n = 200 + random_below(&s->random, PAYLOAD_MAX - 200);

	sim_put_int(&o, 2, TLV_PAYLOAD);
	sim_put_int(&o, 2, n);
	sim_put_octets(&o, letters(s, octets, n).p, n);
	sim_put_int(&head, 4, o.n);
	return o.n;
}

size_t make_submit(struct session *s, uint32_t message, uint8_t *to)
{
	bool payload = s->proto == SIM_SMPP && random_below(&s->random, 16) == 0;
	char body[160], dst[16];
	struct sim_pdu pdu = { .what = SIM_SUBMIT, .seq = submit_seq(message), .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = subscriber(message, dst), .registered = true };
	size_t n;

	if (!payload)
		pdu.body = letters(s, body, 1 + random_below(&s->random, sizeof(body)));
	n = sim_build(s->proto, &pdu, to);
	return payload ? put_payload(s, to, n) : n;
}

size_t make_submit_resp(struct session *s, uint32_t message, uint8_t *to, uint8_t *edited, size_t *ret_edited)
{
	struct message *m = &s->messages[message];
	char id[32];
	struct sim_pdu pdu = { .what = SIM_SUBMIT_RESP, .seq = submit_seq(message) };
	size_t n;

	m->status = random_below(&s->random, 16) == 0 ? RULED_STATUS : random_below(&s->random, 16) == 0 ? 8 : 0;
	if (m->status == 0) {
		pdu.msgid = msgid_wire(s, message, id);
		m->flags |= random_below(&s->random, 8) != 0 ? WANTS_REPORT : 0;
		m->stat = (uint8_t)(random_below(&s->random, 4) == 0 ? RULED_STAT :
			random_below(&s->random, 4) == 0 ? 2 + random_below(&s->random, 2) : 0);
	}
	pdu.status = m->status;
	n = sim_build(s->proto, &pdu, to);
	*ret_edited = 0;
	if (opt.rewrite && m->status == RULED_STATUS) {
		pdu.status = RULED_STATUS_TO;
		*ret_edited = sim_build(s->proto, &pdu, edited);
	}
	return n;
}

size_t make_report(struct session *s, uint32_t message, uint8_t *to, uint8_t *edited, size_t *ret_edited)
{
	const struct message *m = &s->messages[message];
	bool ruled = m->stat == RULED_STAT;
	char id[32], number[16];
	struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = deliver_seq(m->report), .src = subscriber(message, number),
		.dst = sim_text("10690001"), .registered = true, .msgid = msgid_wire(s, message, id),
		.stat = sim_text(stats[m->stat]), .err = sim_text("000"),
		.submit_time = sim_text("2611300100"), .done_time = sim_text("2611300101"),
		/* A TLV has no such state. */
		.receipt = ruled || random_below(&s->random, 2) == 0 ? SIM_RECEIPT_TEXT :
			SIM_RECEIPT_TEXT | SIM_RECEIPT_TLV };
	size_t n = sim_build(s->proto, &pdu, to);

	*ret_edited = 0;
	if (opt.rewrite && ruled) {
		pdu.stat = sim_text("UNDELIV");
		pdu.err = sim_text(stats[RULED_STAT]); /* where SMPP keeps what was said */
		*ret_edited = sim_build(s->proto, &pdu, edited);
	}
	return n;
}

size_t make_inbound(struct session *s, uint32_t deliver, uint8_t *to)
{
	char body[140], src[16], id[32];
	struct sim_pdu pdu = { .what = SIM_DELIVER, .seq = deliver_seq(deliver), .src = subscriber(deliver, src),
		.dst = sim_text("10690001"), .msgid = msgid_wire(s, 0x1000000 + deliver, id),
		.body = letters(s, body, 1 + random_below(&s->random, sizeof(body))) };

	return sim_build(s->proto, &pdu, to);
}

size_t make_bare(const struct session *s, enum sim_what what, uint32_t seq, uint8_t *to)
{
	struct sim_pdu pdu = { .what = what, .seq = seq };

	return sim_build(s->proto, &pdu, to);
}
