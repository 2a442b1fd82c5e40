#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "field_octets.h"
#include "harness.h"

/*
 * What peers really do, specification or not: rows P15 to P17 and X4 of the fault list, and
 * behaviours seen in captures and in issue lists of other programs. Each play is a list of steps
 * with octets written by hand: what one end sends is expected at the other, octet for octet; then
 * the records of each connection must be the ones listed, in that order, and no other.
 */

enum { STEPS_MAX = 48, CONNS = 2, OCTETS_MAX = 65536 };
enum { SMPP, CMPP, SMPP_AT_ONCE, LINKS };

struct step {
	char what;     /* 's' the SP sends, 'g' the gateway sends, '=' a record, '.' the close */
	int conn;
	int times;
	const char *text; /* octets, "########" the sequence numbers 2, 3, …; or words of a match */
};

struct play {
	const char *name;
	int link;
	struct step steps[STEPS_MAX];
};

#define SP(hex) { 's', 0, 1, hex }
#define GW(hex) { 'g', 0, 1, hex }
#define SP_ALL(n, hex) { 's', 0, n, hex } /* in one write */
#define GW_ALL(n, hex) { 'g', 0, n, hex }
#define SP_B(hex) { 's', 1, 1, hex } /* on the second connection */
#define GW_B(hex) { 'g', 1, 1, hex }
/* Words as rig_await() has them, and "!key": the record has no such key. */
#define SAYS(match) { '=', 0, 1, match }
#define SAYS_ALL(n, match) { '=', 0, n, match }
#define SAYS_B(match) { '=', 1, 1, match }
#define CLOSE(match) { '.', 0, 1, match }

#define BOUND SP(BIND), GW(BIND_OK)
#define SAYS_BOUND SAYS("ev=login code=0 system_id=acme as=transceiver !unmatched")
#define CONNECTED2 SP(CONNECT("20")), GW(CONNECT_OK2("20"))
#define CONNECTED3 SP(CONNECT("30")), GW(CONNECT_OK3("30"))
#define SAYS_CONNECTED SAYS("ev=login code=0 source_addr=900001 !unmatched")

static const struct play plays[] = {
	/* Kannel, SMPPSim and many SMSCs: no body, an empty message_id, a whole one; even with
	 * status 0. */
	{ "refusals with and without a body", SMPP, {
		BOUND,
		SP_ALL(4, SUBMIT("########")),
		GW("00000010 80000004 00000058 00000002"),
		GW("00000011 80000004 0000000b 00000003 00"),
		GW("00000013 80000004 00000045 00000004 413100"),
		GW("00000010 80000004 00000000 00000005"),
		SAYS_BOUND,
		SAYS_ALL(4, "ev=submit"),
		SAYS("ev=submit_resp seq=2 code=0x58 class=throttled rtt_us~ !msgid"),
		SAYS("ev=submit_resp seq=3 code=0x0b class=number rtt_us~ !msgid"),
		SAYS("ev=submit_resp seq=4 code=0x45 msgid=A1 rtt_us~"),
		SAYS("ev=submit_resp seq=5 code=0 class=ok rtt_us~ !msgid"),
		CLOSE("step~traffic unanswered=0"),
	} },
	{ "a bind refused by a bare header", SMPP, {
		SP(BIND),
		GW("00000010 80000009 0000000e 00000001"),
		SAYS("ev=login code=0x0e class=auth system_id=acme"),
		CLOSE("step~refused"),
	} },
	/* protocols/cmpp.md, section 12: the response's length decides. */
	{ "a login of 2.0 answered as 3.0", CMPP, {
		SP(CONNECT("20")),
		GW(CONNECT_OK3("30")),
		SP(SUBMIT3("00000002")),
		GW(SUBMIT_OK3("00000002", ID7)),
		GW(DELIVER3("000000b4", "00000001", "47", REPORT71(ID7))),
		SP(DELIVER_OK3("00000001")),
		SP(SUBMIT2("00000003")), /* the SP keeps to its own version */
		GW(SUBMIT_OK3("00000003", ID7)),
		SAYS("ev=login code=0 version~3.0 asked~2.0 proto~3.0"),
		SAYS("ev=submit seq=2 proto~3.0"),
		SAYS("ev=submit_resp seq=2 code=0 msgid=1105142942-104-7 rtt_us~"),
		SAYS("ev=report code=DELIVRD msgid=1105142942-104-7"),
		SAYS("ev=submit seq=3"),
		SAYS("ev=submit_resp seq=3 code=0 rtt_us~"),
		CLOSE("account=900001 unanswered=0"),
	} },
	{ "a login of 3.0 answered as 2.0", CMPP, {
		SP(CONNECT("30")),
		GW(CONNECT_OK2("30")),
		SP(SUBMIT2("00000002")),
		GW(SUBMIT_OK2("00000002", ID7)),
		GW(DELIVER2("00000091", "00000001", "3c", REPORT60(ID7))),
		SP(DELIVER_OK2("00000001")),
		SAYS("ev=login code=0 version~2.0 asked~3.0 offered~3.0 proto~2.0"),
		SAYS("ev=submit seq=2 proto~2.0"),
		SAYS("ev=submit_resp seq=2 code=0 msgid=1105142942-104-7 rtt_us~"),
		SAYS("ev=report code=DELIVRD msgid=1105142942-104-7"),
		CLOSE("unanswered=0"),
	} },
	{ "every Msg_Id is zero", CMPP, {
		CONNECTED2,
		SP_ALL(2, SUBMIT2("########")),
		GW_ALL(2, SUBMIT_OK2("########", Z8)),
		GW(DELIVER2("00000091", "00000001", "3c", REPORT60(Z8))),
		SP(DELIVER_OK2("00000001")),
		SAYS_CONNECTED,
		SAYS_ALL(2, "ev=submit"),
		SAYS_ALL(2, "ev=submit_resp code=0 rtt_us~ !msgid !unmatched"),
		SAYS("ev=report code=DELIVRD class=ok"),
		CLOSE("unanswered=0"),
	} },
	{ "every Msg_Id is the same", CMPP, {
		CONNECTED3,
		SP_ALL(3, SUBMIT3("########")),
		GW_ALL(3, SUBMIT_OK3("########", ID7)),
		SAYS_CONNECTED,
		SAYS_ALL(3, "ev=submit"),
		SAYS_ALL(3, "ev=submit_resp code=0 msgid=1105142942-104-7 rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
	{ "two requests under one sequence number", SMPP, {
		BOUND,
		SP(SUBMIT("00000007") SUBMIT("00000007")),
		GW(SUBMIT_OK("00000007")),
		GW("00000010 80000004 00000014 00000007"),
		GW(SUBMIT_OK("00000007")), /* one more than was asked */
		SAYS_BOUND,
		SAYS_ALL(2, "ev=submit seq=7"),
		SAYS("ev=submit_resp seq=7 code=0 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=7 code=0x14 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=7 code=0 unmatched=true !rtt_us"),
		CLOSE("unanswered=0"),
	} },
	{ "a submit and a keepalive under one sequence number", CMPP, {
		CONNECTED2,
		SP(SUBMIT2("00000007") "0000000c 00000008 00000007"),
		GW("0000000d 80000008 00000007 00"),
		GW(SUBMIT_OK2("00000007", ID7)),
		SAYS_CONNECTED,
		SAYS("ev=submit seq=7"),
		SAYS("ev=submit_resp seq=7 rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
	{ "ACTIVE_TEST answered by ACTIVE_TEST", CMPP, {
		CONNECTED2,
		GW("0000000c 00000008 00000005"),
		SP("0000000c 00000008 00000005"),
		GW("0000000c 00000008 00000006"),
		SP("0000000c 80000008 00000006"), /* 12 octets: the reserved one is left off */
		SP(SUBMIT2("00000005")),
		GW(SUBMIT_OK2("00000005", ID7)),
		SAYS_CONNECTED,
		SAYS("ev=submit seq=5"),
		SAYS("ev=submit_resp seq=5 rtt_us~ !unmatched"),
		CLOSE("unanswered=1 gw_unanswered=1"),
	} },
	{ "reports of the other version", CMPP, {
		CONNECTED3,
		GW(DELIVER3("000000a9", "00000001", "3c", REPORT60(ID7))),
		SP(DELIVER_OK3("00000001")),
		GW(DELIVER3("000000b4", "00000002", "47", REPORT71(ID7))),
		SP(DELIVER_OK3("00000002")),
		SAYS_CONNECTED,
		SAYS_ALL(2, "ev=report code=DELIVRD msgid=1105142942-104-7 dst=138****8000 "
			    "submitted=2611211917 done=2611211918"),
		CLOSE("gw_last=CMPP_DELIVER sp_last=CMPP_DELIVER_RESP !gw_unanswered"),
	} },
	{ "reports of 71 octets, of 35 and of none under 2.0", CMPP, {
		CONNECTED2,
		GW(DELIVER2("0000009c", "00000001", "47", REPORT71(ID7))),
		SP(DELIVER_OK2("00000001")),
		GW(DELIVER2("00000078", "00000002", "23", REPORT_HEAD(ID7))),
		SP(DELIVER_OK2("00000002")),
		GW(DELIVER2("00000057", "00000003", "02", "6869")),
		SP(DELIVER_OK2("00000003")),
		SAYS_CONNECTED,
		SAYS("ev=report code=DELIVRD msgid=1105142942-104-7 dst=138****8000"),
		SAYS("ev=report code=DELIVRD msgid=1105142942-104-7"),
		SAYS("ev=report undecodable=true !code"),
		SAYS("ev=malformed seq=3 reason~report"),
		CLOSE("!gw_unanswered"),
	} },
	{ "41 PDUs in one write", SMPP, {
		BOUND,
		SP_ALL(41, SUBMIT("########")),
		GW_ALL(41, SUBMIT_OK("########")),
		GW_ALL(41, ENQUIRE("########")),
		SP_ALL(41, ENQUIRE_OK("########")),
		SAYS_BOUND,
		SAYS_ALL(41, "ev=submit"),
		SAYS_ALL(41, "ev=submit_resp code=0 msgid=A1 rtt_us~ !unmatched"),
		CLOSE("unanswered=0 !gw_unanswered"),
	} },
	{ "message ids of 64 characters", SMPP, {
		BOUND,
		SP(SUBMIT("00000002")),
		GW("00000051 80000004 00000000 00000002"
		   "30313233343536373839616263646566 30313233343536373839616263646566"
		   "30313233343536373839616263646566 3031323334353637383961626364656600"),
		SAYS_BOUND,
		SAYS("ev=submit"),
		SAYS("ev=submit_resp msgid="
		     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
		CLOSE("unanswered=0"),
	} },
	{ "sequence numbers that skip and wrap", SMPP, {
		BOUND,
		SP(SUBMIT("7fffffff") SUBMIT("00000001") SUBMIT("00000064") SUBMIT("00000063")),
		SP(SUBMIT("fffffffe") SUBMIT("ffffffff") SUBMIT("00000000") SUBMIT("80000000")),
		GW(SUBMIT_OK("00000001") SUBMIT_OK("7fffffff") SUBMIT_OK("00000000")),
		GW(SUBMIT_OK("80000000") SUBMIT_OK("ffffffff") SUBMIT_OK("fffffffe")),
		GW(SUBMIT_OK("00000063") SUBMIT_OK("00000064")),
		SAYS_BOUND,
		SAYS("ev=submit seq=2147483647"),
		SAYS_ALL(5, "ev=submit"),
		SAYS("ev=submit seq=0"),
		SAYS("ev=submit seq=2147483648"),
		SAYS("ev=submit_resp seq=1 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=2147483647 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=0 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=2147483648 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=4294967295 rtt_us~ !unmatched"),
		SAYS_ALL(3, "ev=submit_resp rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
	{ "deliveries that nobody answers", SMPP, {
		BOUND,
		GW_ALL(3, RECEIPT("########")),
		SP(ENQUIRE("00000002")),
		GW(ENQUIRE_OK("00000002")),
		SAYS_BOUND,
		SAYS_ALL(3, "ev=report code=DELIVRD msgid=A1"),
		CLOSE("gw_unanswered=3 gw_oldest_ms~ unanswered=0"),
	} },
	{ "two connections, both from 1, receipts on the other", SMPP, {
		SP(BIND_AS("00000002")),
		GW("00000015 80000002 00000000 00000001 736d736300"),
		SP_B(BIND_AS("00000001")),
		GW_B("00000015 80000001 00000000 00000001 736d736300"),
		SP(SUBMIT("00000001")),
		SP_B(ENQUIRE("00000001")),
		GW_B(RECEIPT("00000001")), /* before the response */
		GW_B(ENQUIRE_OK("00000001")),
		GW(SUBMIT_OK("00000001")),
		SP_B(RECEIPT_OK("00000001")),
		SAYS("ev=login as=transmitter code=0"),
		SAYS_B("ev=login as=receiver code=0"),
		SAYS("ev=submit seq=1"),
		SAYS_B("ev=report code=DELIVRD msgid=A1 seq=1"),
		SAYS("ev=submit_resp msgid=A1 seq=1 rtt_us~ !unmatched"),
		CLOSE("unanswered=0 !gw_unanswered"),
	} },
	{ "P17: submits before the bind is answered", SMPP, {
		SP(BIND SUBMIT("00000002")),
		SP(SUBMIT("00000003")),
		GW(BIND_OK),
		GW(SUBMIT_OK("00000002") SUBMIT_OK("00000003")),
		SAYS_ALL(2, "ev=submit"),
		SAYS_BOUND,
		SAYS_ALL(2, "ev=submit_resp code=0 rtt_us~ !unmatched"),
		CLOSE("step~traffic unanswered=0"),
	} },
	{ "P17: submits answered before the bind is", SMPP, {
		SP(BIND SUBMIT("00000002")),
		GW("00000010 80000004 00000004 00000002"),
		GW(BIND_OK),
		SAYS("ev=submit seq=2"),
		SAYS("ev=submit_resp code=4 name=ESME_RINVBNDSTS rtt_us~"),
		SAYS_BOUND,
		CLOSE("step~traffic unanswered=0"),
	} },
	/* The second bind names another account and is refused: the session stays what it was. */
	{ "P17: bind twice", SMPP, {
		BOUND,
		SP("00000021 00000002 00000000 00000002 6575726f00 73656372657400 00 340000 00"),
		GW("00000010 80000002 00000005 00000002"),
		SP(SUBMIT("00000003")),
		GW(SUBMIT_OK("00000003")),
		SAYS_BOUND,
		SAYS("ev=login code=5 name=ESME_RALYBND system_id=euro as=transmitter"),
		SAYS("ev=submit"),
		SAYS("ev=submit_resp code=0 rtt_us~"),
		CLOSE("step~traffic account=acme unanswered=0"),
	} },
	{ "P17: CONNECT twice, in another version", CMPP, {
		CONNECTED2,
		SP("00000027 00000001 00000002 393030303032" AUTH "30 42d1b1c0"),
		GW("0000001e 80000001 00000002 05" AUTH "20"),
		SP(SUBMIT2("00000003")),
		GW(SUBMIT_OK2("00000003", ID7)),
		SAYS_CONNECTED,
		SAYS("ev=login code=5 source_addr=900002"),
		SAYS("ev=submit proto~2.0"),
		SAYS("ev=submit_resp code=0 rtt_us~ proto~2.0"),
		CLOSE("step~traffic account=900001"),
	} },
	{ "P17: outbind, answered by a bind", SMPP_AT_ONCE, {
		GW("0000001c 0000000b 00000000 00000001 736d736300 73656372657400"),
		SP(BIND_AS("00000001")),
		GW("00000015 80000001 00000000 00000001 736d736300"),
		GW(RECEIPT("00000002")),
		SP(RECEIPT_OK("00000002")),
		SAYS("ev=login code=0 as=receiver system_id=acme !unmatched"),
		SAYS("ev=report code=DELIVRD"),
		CLOSE("step~traffic !gw_unanswered"),
	} },
	{ "P17: unbind with 100 in flight", SMPP, {
		BOUND,
		SP_ALL(100, SUBMIT("########")),
		SP(UNBIND("00000066")),
		GW(UNBIND_OK("00000066")),
		SAYS_BOUND,
		SAYS_ALL(100, "ev=submit"),
		CLOSE("how=unbind by=sp unanswered=100 oldest_ms~"),
	} },
	{ "generic_nack with and without a sequence number", SMPP, {
		BOUND,
		SP(SUBMIT("00000002")),
		GW("00000010 80000000 00000002 00000000"),
		GW("00000010 80000000 00000003 00000002"),
		SP("00000010 80000000 00000003 00000000"),
		SAYS_BOUND,
		SAYS("ev=submit"),
		SAYS("ev=nack seq=0 code=2 from=gw unmatched=true !of"),
		SAYS("ev=nack seq=2 code=3 from=gw of=submit_sm rtt_us~ !unmatched"),
		SAYS("ev=nack seq=0 code=3 from=sp unmatched=true"),
		CLOSE("unanswered=0"),
	} },
	{ "P15: commands nobody knows", SMPP, {
		BOUND,
		SP("00000014 00010200 00000000 00000002 deadbeef"),
		GW("00000010 80010200 00000000 00000002"),
		GW("00000010 00000000 00000000 00000000"),
		SP(SUBMIT("00000003")),
		GW(SUBMIT_OK("00000003")),
		SAYS_BOUND,
		SAYS("ev=malformed command=0x00010200 from=sp seq=2"),
		SAYS("ev=malformed command=0x80010200 from=gw seq=2"),
		SAYS("ev=malformed command=0x00000000 from=gw"),
		SAYS("ev=submit"),
		SAYS("ev=submit_resp rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
	{ "P15: a status in requests", SMPP, {
		BOUND,
		SP("00000035 00000004 00000058 00000002" SUBMIT_BODY),
		GW(SUBMIT_OK("00000002")),
		GW("00000010 00000015 0000000e 00000003"),
		SP(ENQUIRE_OK("00000003")),
		SAYS_BOUND,
		SAYS("ev=submit seq=2 !code"),
		SAYS("ev=submit_resp code=0 rtt_us~"),
		CLOSE("unanswered=0 !gw_unanswered"),
	} },
	{ "P15: the CMPP command that no version has", CMPP, {
		CONNECTED2,
		SP("0000000c 00000003 00000002"),
		GW("0000000c 80000003 00000002"),
		SAYS_CONNECTED,
		SAYS("ev=malformed command=0x00000003 from=sp"),
		SAYS("ev=malformed command=0x80000003 from=gw"),
		CLOSE("unanswered=0"),
	} },
	{ "P16: responses to nothing, twice, from the wrong side, of the wrong type", SMPP, {
		BOUND,
		GW(SUBMIT_OK("00000063")),
		SP_ALL(2, SUBMIT("########")),
		GW(SUBMIT_OK("00000002") SUBMIT_OK("00000002")),
		SP(SUBMIT_OK("00000003")),
		GW("00000016 80000003 00000000 00000003 4131000002 00"),
		GW(ENQUIRE_OK("00000003")),
		SP(RECEIPT_OK("00000003")),
		GW("00000011 80000005 00000008 00000003 00"),
		GW(SUBMIT_OK("00000003")),
		SAYS_BOUND,
		SAYS("ev=submit_resp seq=99 unmatched=true !rtt_us"),
		SAYS_ALL(2, "ev=submit"),
		SAYS("ev=submit_resp seq=2 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=2 unmatched=true !rtt_us"),
		SAYS("ev=submit_resp seq=3 dir=sp>gw unmatched=true !rtt_us"),
		SAYS("ev=query_resp seq=3 unmatched=true !rtt_us"),
		SAYS("ev=deliver_resp seq=3 dir=gw>sp code=8 unmatched=true !rtt_us"),
		SAYS("ev=submit_resp seq=3 dir=gw>sp rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
	{ "P16: the same under CMPP", CMPP, {
		CONNECTED3,
		GW(SUBMIT_OK3("00000063", ID7)),
		SP_ALL(2, SUBMIT3("########")),
		GW(SUBMIT_OK3("00000002", ID7) SUBMIT_OK3("00000002", ID7)),
		SP(SUBMIT_OK3("00000003", ID7)),
		GW("00000010 80000007 00000003 00000000"),
		GW("0000000d 80000008 00000003 00"),
		GW(SUBMIT_OK3("00000003", ID7)),
		SAYS_CONNECTED,
		SAYS("ev=submit_resp seq=99 unmatched=true !rtt_us"),
		SAYS_ALL(2, "ev=submit"),
		SAYS("ev=submit_resp seq=2 rtt_us~ !unmatched"),
		SAYS("ev=submit_resp seq=2 unmatched=true !rtt_us"),
		SAYS("ev=submit_resp seq=3 dir=sp>gw unmatched=true !rtt_us"),
		SAYS("ev=cancel_resp seq=3 unmatched=true !rtt_us"),
		SAYS("ev=submit_resp seq=3 dir=gw>sp rtt_us~ !unmatched"),
		CLOSE("unanswered=0"),
	} },
};

enum { PLAYS = sizeof plays / sizeof *plays };

static struct rig rig;
static int gateway;

static size_t octets_of(const struct step *s, uint8_t *to)
{
	size_t n = 0;

	for (int i = 0; i < s->times; i++) {
		char number[9];
		const char *p = s->text, *digit = number;
		int high = -1;

		snprintf(number, sizeof number, "%08x", i + 2);
		for (; *p; p++) {
			char c = *p == '#' ? *digit : *p;
			int v = c <= '9' ? c - '0' : c - 'a' + 10;

			if (c == ' ')
				continue;
			digit = *p == '#' && digit[1] ? digit + 1 : number;
			assert_in_range(v, 0, 15);
			if (high >= 0)
				to[n++] = (uint8_t)(high << 4 | v);
			high = high < 0 ? v : -1;
		}
		assert_int_equal(high, -1);
	}
	assert_true(n < OCTETS_MAX);
	return n;
}

/* A step of octets. The first one of a connection opens it: by the SP's login, or at once. */
static void pass(const struct play *play, const struct step *s, struct pair *p)
{
	static uint8_t octets[OCTETS_MAX];
	size_t n = octets_of(s, octets);

	if (p->sp < 0)
		p->sp = peer_dial(rig.port[play->link]);
	if (p->gw < 0 && s->what == 'g')
		p->gw = peer_accept(gateway);
	peer_send(s->what == 's' ? p->sp : p->gw, octets, n);
	if (p->gw < 0)
		p->gw = peer_accept(gateway);
	peer_expect(s->what == 's' ? p->gw : p->sp, octets, n);
}

/* Index of the session's next record at or after `at` that tells of a PDU; -1 none. */
static json_int_t next_record(json_int_t session, size_t at)
{
	for (; at < json_array_size(rig.records); at++) {
		json_t *o = json_array_get(rig.records, at);
		const char *ev = json_string_value(json_object_get(o, "ev"));

		if (json_integer_value(json_object_get(o, "sess")) == session &&
		    strncmp(ev, "session_", 8) != 0 && strcmp(ev, "upstream") != 0)
			return (json_int_t)at;
	}
	return -1;
}

/* The words of `match` with a '!' are keys that must be missing; the others go to `ret`. */
static void expect_missing(json_t *o, const char *match, char *ret, size_t cap)
{
	char copy[512], *at = copy, *word;
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", match);
	ret[0] = '\0';
	while ((word = strsep(&at, " "))) {
		if (word[0] != '!')
			n += (size_t)snprintf(ret + n, cap - n, "%s ", word);
		else if (o && json_object_get(o, word + 1))
			fail_msg("a record has the key %s: %s", word + 1,
				 json_dumps(o, JSON_COMPACT));
	}
}

static void expect_record(size_t *at, const struct step *s, json_int_t session)
{
	json_int_t i = next_record(session, *at);
	char words[512];
	size_t got;

	if (i < 0)
		fail_msg("no more records, but not yet: %s", s->text);
	expect_missing(json_array_get(rig.records, (size_t)i), s->text, words, sizeof words);
	rig_await(&rig, (size_t)i, &got, "%s", words);
	if (got != (size_t)i)
		fail_msg("instead of %s: %s", s->text,
			 json_dumps(json_array_get(rig.records, (size_t)i), JSON_COMPACT));
	*at = got + 1;
}

/* Both ends of every connection close; the sessions' numbers go to `session`. */
static void close_all(struct pair *pairs, size_t from, json_int_t session[CONNS])
{
	size_t at = from;

	for (int c = 0; c < CONNS && pairs[c].sp >= 0; c++) {
		json_t *o = rig_await(&rig, at, &at, "ev=session_open");

		session[c] = json_integer_value(json_object_get(o, "sess"));
		at++;
		peer_close(pairs[c].sp);
		peer_expect_end(pairs[c].gw);
		peer_close(pairs[c].gw);
		rig_await(&rig, from, NULL, "ev=session_close sess=%lld", (long long)session[c]);
	}
}

static void expect_close(const struct step *s, size_t from, json_int_t session)
{
	char words[512];
	json_t *o;

	expect_missing(NULL, s->text, words, sizeof words);
	o = rig_await(&rig, from, NULL, "ev=session_close sess=%lld %s", (long long)session, words);
	expect_missing(o, s->text, words, sizeof words);
}

static void run(void **state)
{
	const struct play *play = *state;
	struct pair pairs[CONNS] = { { -1, -1 }, { -1, -1 } };
	size_t from = json_array_size(rig.records), at[CONNS] = { from, from };
	json_int_t session[CONNS] = { 0, 0 };
	const struct step *s;

	for (s = play->steps; s->what; s++)
		if (s->what == 's' || s->what == 'g')
			pass(play, s, &pairs[s->conn]);
	close_all(pairs, from, session);
	for (s = play->steps; s->what; s++) {
		for (int i = 0; i < s->times && s->what == '='; i++)
			expect_record(&at[s->conn], s, session[s->conn]);
		if (s->what == '.')
			expect_close(s, from, session[s->conn]);
	}
	for (int c = 0; c < CONNS; c++)
		if (session[c] && next_record(session[c], at[c]) >= 0)
			fail_msg("more records than the play has");
}

static int begin(void **state)
{
	int port;
	struct rig_link links[LINKS] = {
		[SMPP] = { .protocol = "smpp", .upstream = &port, .upstream_count = 1 },
		[CMPP] = { .protocol = "cmpp", .upstream = &port, .upstream_count = 1 },
		[SMPP_AT_ONCE] = { .protocol = "smpp", .upstream = &port, .upstream_count = 1,
			.keys = "dial = \"accept\";" },
	};

	(void)state;
	gateway = peer_listen(&port, 64);
	rig_start(&rig, NULL, links, LINKS);
	return 0;
}

static int end(void **state)
{
	rig_stop(&rig);
	return rig_sweep(state);
}

int main(void)
{
	static struct CMUnitTest tests[PLAYS];

	for (size_t i = 0; i < PLAYS; i++)
		tests[i] = (struct CMUnitTest){ plays[i].name, run, NULL, NULL,
						(void *)(uintptr_t)&plays[i] };
	return cmocka_run_group_tests_name("field", tests, begin, end);
}
