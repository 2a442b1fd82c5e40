#include "core/scope_clock.h"
#include "core/scope_state.h"

#include <stdlib.h>
#include <string.h>

enum { TAG_SC_INTERFACE_VERSION = 0x0210 };

static void count_unanswered(const struct scope *s, enum side asking, int more)
{
	if (asking == SIDE_SP && s->link->unanswered != NULL)
		*s->link->unanswered += (uint32_t)more;
}

struct scope *scope_new(const struct scope_link *link, uint64_t session, const char *peer)
{
	struct scope *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->link = link;
	s->session = session;
	s->peer = peer;
	s->pending[SIDE_SP] = pending_new(link->pending);
	s->pending[SIDE_GW] = pending_new(link->pending);
	if (s->pending[SIDE_SP] == NULL || s->pending[SIDE_GW] == NULL) {
		scope_free(s);
		return NULL;
	}
	scope_resume(s, link->proto, 0, false);
	return s;
}

void scope_free(struct scope *s)
{
	if (s == NULL)
		return;
	if (s->pending[SIDE_SP] != NULL)
		count_unanswered(s, SIDE_SP, -(int)pending_count(s->pending[SIDE_SP]));
	pending_free(s->pending[SIDE_SP]);
	pending_free(s->pending[SIDE_GW]);
	free(s);
}

void scope_resume(struct scope *s, const struct proto *proto, uint8_t dialect, bool logged_in)
{
	if (proto != NULL)
		s->proto = proto;
	s->dialect_proved = dialect != 0;
	if (dialect != 0)
		s->dialect = dialect;
	else if (s->proto != NULL)
		s->dialect = s->proto->dialect_default;
	if (logged_in)
		s->login = LOGIN_DONE;
}

void scope_record(const struct scope *s, struct record *r, enum record_kind kind, uint64_t wall_ns)
{
	record_init(r, kind);
	r->wall_ns = wall_ns;
	r->link = s->link->name;
	r->session = s->session;
	r->proto = s->proto;
	r->dialect = s->dialect;
}

struct record *scope_record_new(const struct scope *s, const struct scope_frame *f,
	struct scope_work *w, enum record_kind kind)
{
	struct record *r = &w->records[w->count++];

	scope_record(s, r, kind, f->wall_ns);
	r->from = f->from;
	r->has_pdu = true;
	r->cmd = pdu_name(&w->pdu);
	r->sequence = w->pdu.sequence;
	return r;
}

static void copy_text(char *to, size_t cap, struct span s)
{
	size_t n = s.n < cap - 1 ? s.n : cap - 1;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

/* The PDU's numeric result with its meaning; false if it has none. */
static bool put_result(const struct scope *s, struct record *r, const struct pdu *pdu,
	enum code_context context)
{
	if (!pdu_result(pdu, &r->code))
		return false;
	r->has_code = true;
	r->code_label = s->proto->status_in_header ? "status" : "result";
	r->code_context = context;
	r->answer_count = scope_look_up(s->link, r, context, false, r->code, span_of("", 0),
		r->answers, RECORD_ANSWERS_MAX);
	return true;
}

static void put_msgid(struct record *r, const struct pdu *pdu)
{
	if (pdu_has(pdu, F_MESSAGE_ID)) {
		r->msgid = pdu_text(pdu, F_MESSAGE_ID);
	} else if (pdu_uint(pdu, F_MSG_ID) != 0) {
		r->msgid = pdu_octets(pdu, F_MSG_ID);
		r->msgid_binary = true;
	}
}

/* The request that a response answers; without one the record says so. */
static bool take_request(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	enum side asking = side_other(f->from);
	uint32_t command = pdu_role(&w->pdu) == R_NACK ? 0 : w->pdu.command & 0x7fffffffu;

	if (!pending_take(s->pending[asking], w->pdu.sequence, command, &w->request))
		return false;
	count_unanswered(s, asking, -1);
	return true;
}

static void put_round_trip(struct record *r, const struct scope_frame *f,
			   const struct pending *request, bool matched)
{
	if (!matched) {
		record_flag_extra(r, "unmatched");
		return;
	}
	r->has_rtt = true;
	r->rtt_us = f->mono_us > request->sent_us ? f->mono_us - request->sent_us : 0;
	r->dst = span_of(request->dst, strlen(request->dst));
	if (request->dst_count > 1)
		record_uint_extra(r, "dsts", request->dst_count);
}

/*
 * A sequence number is used again while its request waits. If that was seconds ago, nobody waits for
 * it any more and the next response is the newer request's; else both are answered, in order.
 */
static void supersede(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	enum { GIVEN_UP_US = 5000000 };
	struct pending older;
	struct record *r;

	if (f->mono_us < GIVEN_UP_US ||
		!pending_take_old(s->pending[f->from], w->pdu.sequence, w->pdu.command,
			f->mono_us - GIVEN_UP_US, &older))
		return;
	count_unanswered(s, f->from, -1);
	r = scope_record_new(s, f, w, REC_STALL);
	scope_put_waiting(r, w, &older, f->mono_us, "superseded");
}

/* Every request waits for its response; the newest are kept. */
static struct pending *remember(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	const struct pdu *pdu = &w->pdu;
	enum role role = pdu_role_from(pdu, f->from);
	struct pending forgotten, *p;
	bool forgot;
	uint32_t count;

	supersede(s, f, w);
	p = pending_put(s->pending[f->from], pdu->sequence, f->mono_us, &forgotten, &forgot);
	p->command = pdu->command;
	p->name = pdu_name(pdu);
	p->probe = role == R_PROBE;
	s->forgotten += forgot;
	count_unanswered(s, f->from, forgot ? 0 : 1);
	if (role == R_SUBMIT || role == R_DELIVER) {
		copy_text(p->dst, sizeof(p->dst), message_destination(pdu, &count));
		p->dst_count = (uint8_t)(count < 255 ? count : 255);
	}
	return p;
}

const char *scope_account(const struct scope *s)
{
	return s->account;
}

void scope_known_as(struct scope *s, const char *account)
{
	copy_text(s->account, sizeof(s->account), span_of(account, strlen(account)));
}

static void login(struct scope *s, const struct scope_frame *f, const struct pdu *pdu)
{
	copy_text(s->asked, sizeof(s->asked), pdu_text(pdu, F_SYSTEM_ID));
	s->version_asked = (uint8_t)pdu_uint(pdu, F_VERSION);
	s->skewed = pdu_has(pdu, F_TIMESTAMP) &&
		scope_skew((uint32_t)pdu_uint(pdu, F_TIMESTAMP), f->wall_ns, s->link->utc_offset_s,
			&s->skew_s) && (s->skew_s > SKEW_TOLD_S || s->skew_s < -SKEW_TOLD_S);
	if (s->login != LOGIN_DONE) {
		s->login = LOGIN_ASKED;
		memcpy(s->account, s->asked, sizeof(s->account));
	}
}

/* A second login that is refused leaves the session what it was. */
static void login_answered(struct scope *s, bool accepted)
{
	if (accepted)
		memcpy(s->account, s->asked, sizeof(s->account));
	if (s->login != LOGIN_DONE)
		s->login = accepted ? LOGIN_DONE : LOGIN_REFUSED;
}

/* What an SMPP session may be used for, from the bind's command. */
static const char *bind_words(uint32_t command)
{
	switch (command & 0x7fffffffu) {
	case 1:
		return "receiver";
	case 2:
		return "transmitter";
	case 9:
		return "transceiver";
	default:
		return NULL;
	}
}

/* The clock of the SP is off: what a gateway refuses for that looks like a wrong password. */
static void put_skew(const struct scope *s, struct record *r, bool ours)
{
	if (!s->skewed)
		return;
	record_int_extra(r, "skew", s->skew_s);
	if (scope_skew_is_zone(s->skew_s))
		record_words_extra(r, "skew_as", "time zone");
	if (!r->has_code || r->code == 0 || ours)
		return;
	record_words_extra(r, "hint_zh", "SP 时钟与本机不符：登录更常因时间戳而非密码被拒");
	record_words_extra(r, "hint_en", "the SP's clock is off: logins are refused for their Timestamp "
		"more often than for the password");
}

static void put_login(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	bool matched = take_request(s, f, w), smpp = s->proto->status_in_header;
	struct record *r = scope_record_new(s, f, w, REC_LOGIN);
	struct span offered = pdu_octets(&w->pdu, F_VERSION);
	uint8_t version;

	if (put_result(s, r, &w->pdu, CTX_LOGIN)) {
		if (!smpp)
			r->code_label = "status";
		login_answered(s, r->code == 0);
	}
	record_text_extra(r, s->proto->account_key, span_of(s->asked, strlen(s->asked)));
	if (s->peer != NULL)
		record_text_extra(r, "peer", span_of(s->peer, strlen(s->peer)));
	if (smpp && bind_words(w->pdu.command) != NULL)
		record_words_extra(r, "as", bind_words(w->pdu.command));
	record_words_extra(r, "version", dialect_name(s->proto, s->dialect));
	if (matched && s->version_asked != s->dialect)
		record_words_extra(r, "asked", dialect_name(s->proto, s->version_asked));
	if (smpp)
		pdu_tlv(&w->pdu, TAG_SC_INTERFACE_VERSION, &offered);
	version = (uint8_t)span_uint(offered);
	if (version != 0 && version != s->dialect)
		record_words_extra(r, "offered", dialect_name(s->proto, version));
	if (f->ours)
		record_words_extra(r, "by", "smscope");
	if (f->ours && f->why != NULL)
		record_words_extra(r, "why", f->why);
	if (matched)
		put_skew(s, r, f->ours);
	put_round_trip(r, f, &w->request, matched);
}

static void put_submit(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	struct pending *request)
{
	struct record *r = scope_record_new(s, f, w, REC_SUBMIT);
	struct body body;
	uint32_t count;

	r->dst = message_destination(&w->pdu, &count);
	r->src = message_source(&w->pdu);
	if (count != 1)
		record_uint_extra(r, "dsts", count);
	body_read(&w->pdu, &body);
	message_put(r, &body, s->link->show_text);
	scope_submitted(s, f, w, &body, request);
	scope_part(r, w, &request->part);
}

static void put_deliver(const struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct story_part part;
	struct record *r;
	struct body body;
	uint32_t count;

	if (receipt_read(&w->pdu, &w->receipt) != RECEIPT_NONE) {
		scope_report(s, f, w);
		return;
	}
	r = scope_record_new(s, f, w, REC_DELIVER);
	put_msgid(r, &w->pdu);
	r->dst = message_destination(&w->pdu, &count);
	r->src = message_source(&w->pdu);
	body_read(&w->pdu, &body);
	message_put(r, &body, s->link->show_text);
	part = (struct story_part){ .part = (uint8_t)body.part, .total = (uint8_t)body.total };
	scope_part(r, w, &part);
}

/* A response that shows itself: its result, the message it names, how long it took. */
static struct record *put_response(struct scope *s, const struct scope_frame *f,
				   struct scope_work *w, enum record_kind kind,
				   enum code_context context)
{
	bool matched = take_request(s, f, w);
	struct record *r = scope_record_new(s, f, w, kind);

	(void)put_result(s, r, &w->pdu, context);
	put_msgid(r, &w->pdu);
	put_round_trip(r, f, &w->request, matched);
	return r;
}

static void put_submit_resp(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct record *r = put_response(s, f, w, REC_SUBMIT_RESP, CTX_SUBMIT_RESP);

	if (r->has_rtt)
		scope_answered(s, f, r, w);
}

static void put_deliver_resp(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	uint32_t code;

	if (f->ruled || (pdu_result(&w->pdu, &code) && code != 0))
		(void)put_response(s, f, w, REC_DELIVER_RESP, CTX_DELIVER_RESP);
	else
		(void)take_request(s, f, w);
}

static void put_query_resp(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct record *r = put_response(s, f, w, REC_QUERY_RESP, CTX_QUERY_RESP);
	const char *word = NULL;

	if (pdu_has(&w->pdu, F_MESSAGE_STATE)) {
		word = receipt_state_word((int)pdu_uint(&w->pdu, F_MESSAGE_STATE));
		record_uint_extra(r, "message_state", pdu_uint(&w->pdu, F_MESSAGE_STATE));
	}
	if (word != NULL)
		record_words_extra(r, "stat", word);
	if (pdu_has(&w->pdu, F_ERROR_CODE))
		record_uint_extra(r, "error_code", pdu_uint(&w->pdu, F_ERROR_CODE));
}

static void put_nack(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct record *r = put_response(s, f, w, REC_NACK, CTX_NACK);
	const char *name = r->has_rtt ? w->request.name : NULL;

	record_words_extra(r, "from", scope_side_name(f->from));
	if (name != NULL)
		record_words_extra(r, "of", name);
}

/* Responses without a kind of their own are shown with the PDU's name. */
static void put_other_resp(struct scope *s, const struct scope_frame *f, struct scope_work *w,
	enum record_kind kind, enum code_context context)
{
	struct record *r = put_response(s, f, w, kind, context);

	record_words_extra(r, "pdu", r->cmd);
}

static void put_pdu(struct scope *s, const struct scope_frame *f, struct scope_work *w,
	struct pending *request)
{
	switch (pdu_role_from(&w->pdu, f->from)) {
	case R_LOGIN_ACK:
		put_login(s, f, w);
		break;
	case R_SUBMIT:
		put_submit(s, f, w, request);
		break;
	case R_SUBMIT_ACK:
		put_submit_resp(s, f, w);
		break;
	case R_DELIVER:
		put_deliver(s, f, w);
		break;
	case R_DELIVER_ACK:
		put_deliver_resp(s, f, w);
		break;
	case R_QUERY_ACK:
		put_query_resp(s, f, w);
		break;
	case R_CANCEL_ACK:
		(void)put_response(s, f, w, REC_CANCEL_RESP, CTX_CANCEL_RESP);
		break;
	case R_REPLACE_ACK:
		put_other_resp(s, f, w, REC_CANCEL_RESP, CTX_SUBMIT_RESP);
		break;
	case R_FORWARD_ACK:
		put_other_resp(s, f, w, REC_SUBMIT_RESP, CTX_FORWARD_RESP);
		break;
	case R_BROADCAST_ACK:
		put_other_resp(s, f, w, REC_SUBMIT_RESP, CTX_SUBMIT_RESP);
		break;
	case R_NACK:
		put_nack(s, f, w);
		break;
	default:
		if (role_is_ack(pdu_role(&w->pdu)))
			(void)take_request(s, f, w);
		break;
	}
}

static void probed(struct scope_probe *p, const struct scope_frame *f, const struct pdu *pdu)
{
	p->last_us = f->mono_us;
	if (p->asked_us != 0)
		return;
	p->asked_us = f->mono_us;
	p->name = pdu_name(pdu);
	p->sequence = pdu->sequence;
}

static void probe_answered(struct scope_probe *p, const struct scope_frame *f)
{
	if (p->last_us != 0 && f->mono_us > p->last_us)
		p->rtt_us = f->mono_us - p->last_us;
	p->asked_us = 0;
	p->told = false;
}

/*
 * State that follows from the PDU, whether or not a record does. Returns the request to be answered,
 * if it is one.
 */
static struct pending *observe(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	const struct pdu *pdu = &w->pdu;
	enum role role = pdu_role(pdu);

	s->pdus[f->from]++;
	s->last[f->from] = pdu_name(pdu);
	s->last_us[f->from] = f->mono_us;
	if (role == R_PROBE)
		probed(&s->probe[f->from], f, pdu);
	if (role == R_PROBE_ACK)
		probe_answered(&s->probe[side_other(f->from)], f);
	if (role == R_LOGIN)
		login(s, f, pdu);
	if (role == R_LOGOUT) {
		s->logout = true;
		s->logout_by = f->from;
	}
	if (role > R_NONE && role < R_OUTBIND && !role_is_ack(role))
		return remember(s, f, w);
	return NULL;
}

static void parse(struct scope *s, const struct scope_frame *f, struct pdu *pdu)
{
	uint8_t dialect;
	enum role role;

	(void)pdu_parse(pdu, s->proto, s->dialect, f->octets);
	role = pdu_role(pdu);
	if (role == R_LOGIN || role == R_LOGIN_ACK) {
		dialect = s->proto->dialect_of(f->octets, s->dialect);
		s->dialect_proved = true;
	} else
		dialect = s->dialect_proved || pdu->err != SM_OK ? s->dialect : pdu->dialect;
	if (dialect == s->dialect)
		return;
	s->dialect = dialect;
	if (pdu->dialect != dialect)
		(void)pdu_parse(pdu, s->proto, dialect, f->octets);
}

static void put_malformed(const struct scope *s, const struct scope_frame *f, struct scope_work *w,
	const char *why, bool has_offset)
{
	struct record *r = scope_record_new(s, f, w, REC_MALFORMED);

	record_words_extra(r, "pdu", r->cmd);
	if (w->pdu.layout == NULL)
		record_hex_extra(r, "command", w->pdu.command);
	record_words_extra(r, "reason", why);
	if (has_offset)
		record_uint_extra(r, "at", w->pdu.err_at);
	record_uint_extra(r, "octets", f->octets.n);
	record_words_extra(r, "from", scope_side_name(f->from));
}

/*
 * Did enough of a body that does not parse to its end come through for its record? A report is
 * read before TLVs that overrun, and before a LinkID that is cut (a gateway sends 60 octets where it
 * says 71).
 */
static bool tells_enough(const struct pdu *pdu)
{
	uint32_t code;

	if (pdu->err == SM_OK || pdu->err == SM_ETRAIL || pdu->err == SM_ELEN)
		return true;
	if (pdu->err == SM_ESHORT && (pdu->tlvs.n > 0 || pdu_has(pdu, F_SHORT_MESSAGE)))
		return true;
	return role_is_ack(pdu_role(pdu)) && pdu_result(pdu, &code);
}

int scope_pdu(struct scope *s, const struct scope_frame *f, struct scope_work *w)
{
	struct pending *request = NULL;

	w->count = 0;
	w->wait = false;
	if (s->proto == NULL)
		scope_resume(s, proto_detect(f->octets), 0, false);
	if (s->proto == NULL) {
		scope_malformed(s, f, "no known protocol", w);
		return w->count;
	}
	parse(s, f, &w->pdu);
	if (!f->again)
		request = observe(s, f, w);
	if (w->pdu.err != SM_OK && !f->cut && !f->again)
		put_malformed(s, f, w, err_text(w->pdu.err), true);
	if (f->cut || tells_enough(&w->pdu))
		put_pdu(s, f, w, request);
	else if (role_is_ack(pdu_role(&w->pdu)))
		(void)take_request(s, f, w);
	return w->count;
}

void scope_malformed(const struct scope *s, const struct scope_frame *f, const char *why,
		     struct scope_work *w)
{
	if (w->count == 0)
		w->pdu = (struct pdu){ .proto = s->proto, .frame = f->octets };
	if (w->count == 0 && f->octets.n >= 8)
		w->pdu.command = bytes_u32(f->octets.p + 4);
	put_malformed(s, f, w, why, false);
}
