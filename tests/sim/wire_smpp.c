#include <stdio.h>
#include <string.h>

#include "wire.h"

/*
 * SMPP 3.4. Integers big-endian, C-octet strings end in NUL, TLVs are tag 2 | length 2 | value.
 * Source: SMPP Protocol Specification v3.4, issue 1.2, sections 4 and 5.
 */

static const struct {
	uint32_t command;
	enum sim_what what;
} commands[] = {
	{ 0x00000009, SIM_LOGIN },   { 0x80000009, SIM_LOGIN_RESP },
	{ 0x00000001, SIM_LOGIN },   { 0x80000001, SIM_LOGIN_RESP },
	{ 0x00000002, SIM_LOGIN },   { 0x80000002, SIM_LOGIN_RESP },
	{ 0x00000006, SIM_LOGOUT },  { 0x80000006, SIM_LOGOUT_RESP },
	{ 0x00000004, SIM_SUBMIT },  { 0x80000004, SIM_SUBMIT_RESP },
	{ 0x00000005, SIM_DELIVER }, { 0x80000005, SIM_DELIVER_RESP },
	{ 0x00000015, SIM_TEST },    { 0x80000015, SIM_TEST_RESP },
	{ 0x80000000, SIM_NACK },
};

enum {
	COMMANDS = sizeof commands / sizeof *commands,
	TLV_RECEIPTED_ID = 0x001e,
	TLV_INTERFACE_VERSION = 0x0210,
	TLV_PAYLOAD = 0x0424,
	TLV_MESSAGE_STATE = 0x0427,
};

static const struct {
	const char *stat;
	uint8_t state;
} states[] = {
	{ "ENROUTE", 1 }, { "DELIVRD", 2 }, { "EXPIRED", 3 }, { "DELETED", 4 },
	{ "UNDELIV", 5 }, { "ACCEPTD", 6 }, { "UNKNOWN", 7 }, { "REJECTD", 8 },
};

static const struct sim_text none = { "", 0 };

static struct sim_text or_none(struct sim_text t)
{
	return t.p ? t : none;
}

static bool is(struct sim_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static uint8_t state_of(struct sim_text stat)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (is(stat, states[i].stat))
			return states[i].state;
	return 7;
}

/* "id:… sub:001 dlvrd:001 submit date:… done date:… stat:… err:000 text:…": appendix B. */
static size_t receipt_text(const struct sim_pdu *pdu, char *to, size_t cap)
{
	struct sim_text id = or_none(pdu->msgid), stat = or_none(pdu->stat),
			body = or_none(pdu->body);
	struct sim_text err = pdu->err.p ? pdu->err : sim_text("000");
	struct sim_text sent = pdu->submit_time.p ? pdu->submit_time : sim_text("2611210800");
	struct sim_text done = pdu->done_time.p ? pdu->done_time : sim_text("2611210801");
	int n = snprintf(to, cap,
			 "id:%.*s sub:001 dlvrd:%s submit date:%.*s done date:%.*s stat:%.*s "
			 "err:%.*s text:%.*s",
			 (int)id.n, id.p, is(stat, "DELIVRD") ? "001" : "000", (int)sent.n, sent.p,
			 (int)done.n, done.p, (int)stat.n, stat.p, (int)err.n, err.p,
			 body.n < 20 ? (int)body.n : 20, body.p);

	return n < (int)cap ? (size_t)n : cap - 1;
}

static void put_tlv(struct sim_put *o, uint16_t tag, const void *p, size_t n)
{
	sim_put_int(o, 2, tag);
	sim_put_int(o, 2, n);
	sim_put_octets(o, p, n);
}

static void put_message(struct sim_put *o, const struct sim_pdu *pdu)
{
	bool report = pdu->what == SIM_DELIVER && pdu->registered;
	int how = report ? pdu->receipt ? pdu->receipt : SIM_RECEIPT_TEXT | SIM_RECEIPT_TLV : 0;
	struct sim_text body = or_none(pdu->body);
	char text[255];

	if (report) {
		body.p = text;
		body.n = how & SIM_RECEIPT_TEXT ? receipt_text(pdu, text, sizeof text) : 0;
	}
	sim_put_cstr(o, or_none(pdu->service), 6);
	sim_put_int(o, 2, 0x0101); /* TON, NPI */
	sim_put_cstr(o, or_none(pdu->src), 21);
	sim_put_int(o, 2, 0x0101);
	sim_put_cstr(o, or_none(pdu->dst), 21);
	sim_put_int(o, 1, report ? 0x04 : 0); /* esm_class */
	sim_put_int(o, 2, 0);                 /* protocol_id, priority_flag */
	sim_put_int(o, 2, 0);                 /* schedule_delivery_time, validity_period */
	sim_put_int(o, 1, pdu->what == SIM_SUBMIT && pdu->registered);
	sim_put_int(o, 1, 0); /* replace_if_present_flag */
	sim_put_int(o, 1, report ? 0 : pdu->coding);
	sim_put_int(o, 1, 0); /* sm_default_msg_id */
	sim_put_int(o, 1, body.n);
	sim_put_octets(o, body.p, body.n);
	if (how & SIM_RECEIPT_TLV) {
		uint8_t state = state_of(pdu->stat);
		struct sim_text id = or_none(pdu->msgid);

		sim_put_int(o, 2, TLV_RECEIPTED_ID);
		sim_put_int(o, 2, id.n + 1);
		sim_put_cstr(o, id, 65);
		put_tlv(o, TLV_MESSAGE_STATE, &state, 1);
	}
}

static void put_body(struct sim_put *o, const struct sim_pdu *pdu)
{
	static const uint8_t version = 0x34;

	switch (pdu->what) {
	case SIM_LOGIN:
		sim_put_cstr(o, or_none(pdu->user), 16);
		sim_put_cstr(o, or_none(pdu->secret),
			     256); /* 9 by the specification, more in the field */
		sim_put_cstr(o, or_none(pdu->service), 13);
		sim_put_int(o, 1, pdu->version ? pdu->version : version);
		sim_put_int(o, 2, 0);
		sim_put_cstr(o, none, 41);
		break;
	case SIM_LOGIN_RESP:
		if (pdu->status)
			break;
		sim_put_cstr(o, or_none(pdu->user), 16);
		put_tlv(o, TLV_INTERFACE_VERSION, &version, 1);
		break;
	case SIM_SUBMIT:
	case SIM_DELIVER: put_message(o, pdu); break;
	case SIM_SUBMIT_RESP:
		if (!pdu->status)
			sim_put_cstr(o, or_none(pdu->msgid), 65);
		break;
	case SIM_DELIVER_RESP: sim_put_cstr(o, none, 65); break;
	default: break;
	}
}

size_t sim_smpp_build(const struct sim_pdu *pdu, uint8_t *to)
{
	struct sim_put o = { to, 0 }, head = { to, 0 };
	uint32_t command = pdu->command;

	for (int i = COMMANDS - 1; i >= 0 && !pdu->command; i--)
		if (commands[i].what == pdu->what)
			command = commands[i].command;
	sim_put_int(&o, 4, 0);
	sim_put_int(&o, 4, command);
	sim_put_int(&o, 4, pdu->status);
	sim_put_int(&o, 4, pdu->seq);
	put_body(&o, pdu);
	sim_put_int(&head, 4, o.n);
	return o.n;
}

/* The value of `label` in a receipt's text: up to the next blank. */
static struct sim_text labelled(struct sim_text text, const char *label)
{
	size_t n = strlen(label);

	for (size_t at = 0; at + n <= text.n; at++) {
		struct sim_text v = { text.p + at + n, 0 };

		if (memcmp(text.p + at, label, n) != 0)
			continue;
		while (at + n + v.n < text.n && v.p[v.n] != ' ')
			v.n++;
		return v;
	}
	return none;
}

static void take_tlvs(struct sim_take *i, struct sim_pdu *r)
{
	while (!i->bad && i->p < i->end) {
		uint32_t tag = sim_take_int(i, 2);
		struct sim_text v = sim_take_octets(i, sim_take_int(i, 2));

		if (i->bad)
			return;
		if (tag == TLV_RECEIPTED_ID && r->registered) {
			r->msgid = v;
			r->msgid.n = strnlen(v.p, v.n);
		} else if (tag == TLV_PAYLOAD && r->body.n == 0) {
			r->body = v;
		} else if (tag == TLV_MESSAGE_STATE && v.n == 1 && !r->stat.n) {
			for (size_t s = 0; s < sizeof states / sizeof *states; s++)
				if (states[s].state == (uint8_t)v.p[0])
					r->stat = sim_text(states[s].stat);
		}
	}
}

static void take_message(struct sim_take *i, struct sim_pdu *r)
{
	uint32_t esm_class;

	r->service = sim_take_cstr(i);
	sim_take_octets(i, 2);
	r->src = sim_take_cstr(i);
	sim_take_octets(i, 2);
	r->dst = sim_take_cstr(i);
	esm_class = sim_take_int(i, 1);
	sim_take_octets(i, 2);
	sim_take_cstr(i);
	sim_take_cstr(i);
	r->registered = (sim_take_int(i, 1) & 3) != 0;
	sim_take_octets(i, 1);
	r->coding = (uint8_t)sim_take_int(i, 1);
	sim_take_octets(i, 1);
	r->body = sim_take_octets(i, sim_take_int(i, 1));
	if (r->what == SIM_DELIVER) {
		r->registered = (esm_class & 0x3c) == 0x04;
		if (r->registered) {
			r->msgid = labelled(r->body, "id:");
			r->stat = labelled(r->body, "stat:");
			r->err = labelled(r->body, "err:");
		}
	}
	take_tlvs(i, r);
}

static void take_body(struct sim_take *i, struct sim_pdu *r)
{
	switch (r->what) {
	case SIM_LOGIN:
		r->user = sim_take_cstr(i);
		r->secret = sim_take_cstr(i);
		r->service = sim_take_cstr(i);
		r->version = (uint8_t)sim_take_int(i, 1);
		sim_take_octets(i, 2);
		sim_take_cstr(i);
		break;
	case SIM_LOGIN_RESP:
		if (i->p < i->end) /* an error may come without a body */
			r->user = sim_take_cstr(i);
		take_tlvs(i, r);
		break;
	case SIM_SUBMIT:
	case SIM_DELIVER: take_message(i, r); break;
	case SIM_SUBMIT_RESP:
	case SIM_DELIVER_RESP:
		if (i->p < i->end)
			r->msgid = sim_take_cstr(i);
		take_tlvs(i, r);
		break;
	default: i->p = i->end; break;
	}
}

int sim_smpp_parse(const uint8_t *p, size_t n, struct sim_pdu *ret)
{
	struct sim_take i = { p, p + n, false };

	memset(ret, 0, sizeof *ret);
	ret->len = sim_take_int(&i, 4);
	ret->command = sim_take_int(&i, 4);
	ret->status = sim_take_int(&i, 4);
	ret->seq = sim_take_int(&i, 4);
	for (int c = 0; c < COMMANDS; c++)
		if (commands[c].command == ret->command)
			ret->what = commands[c].what;
	take_body(&i, ret);
	return i.bad || i.p != i.end || ret->len != n ? -1 : 0;
}
