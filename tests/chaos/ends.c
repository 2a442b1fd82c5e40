#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ends.h"

static const char *const side_names[] = { "the SP", "the gateway" };

void end_open(struct end *e, struct session *s, enum side side, int fd)
{
	memset(e, 0, sizeof(*e));
	e->session = s;
	e->side = side;
	e->fd = fd;
	e->in = malloc(IN_MAX);
	e->out = malloc(OUT_MAX);
	if (e->in == NULL || e->out == NULL)
		give_up("out of memory");
}

void end_close(struct end *e)
{
	if (e->in != NULL && e->fd >= 0)
		close(e->fd);
	e->fd = -1;
	free(e->in);
	free(e->out);
	e->in = e->out = NULL;
}

static void broken(struct end *e, const char *what)
{
	char name[64], when[96];

	if (!e->session->broken)
		fault("%s, %s: %s; %s", session_name(e->session, name),
			e->side == SP ? "gateway to SP, at the SP" : "SP to gateway, at the gateway", what, kills_last(when));
	e->session->broken = true;
}

/* The daemon closed the connection, or reset it. */
static void ended(struct end *e, int err)
{
	const struct stream *s = &e->session->stream[1 - e->side];
	char what[160];

	snprintf(what, sizeof(what), "the session was closed towards %s (%s) behind octet %llu of %llu, PDU %llu",
		side_names[e->side], err != 0 ? strerrorname_np(err) : "FIN", (unsigned long long)s->got_octets,
		(unsigned long long)s->sent_octets, (unsigned long long)s->got_pdus);
	broken(e, what);
}

void end_put(struct end *e, const uint8_t *p, size_t n, const uint8_t *edited, size_t edited_n)
{
	if (e->out_n + n > OUT_MAX) {
		memmove(e->out, e->out + e->out_at, end_queued(e));
		e->out_n -= e->out_at;
		e->out_at = 0;
	}
	if (e->out_n + n > OUT_MAX)
		give_up("more answers than fit: a smaller --window would do");
	memcpy(e->out + e->out_n, p, n);
	e->out_n += n;
	stream_put(&e->session->stream[e->side], p, n, edited, edited_n);
}

void end_flush(struct end *e)
{
	while (end_queued(e) > 0 && !e->session->broken) {
		size_t most = 1 + random_below(&e->session->random, 3000);
		size_t n = end_queued(e) < most ? end_queued(e) : most;
		ssize_t k = send(e->fd, e->out + e->out_at, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (k < 0) {
			ended(e, errno);
			return;
		}
		e->out_at += (size_t)k;
		/* So that half a PDU often waits in the daemon when it dies. */
		if ((size_t)k < n || random_below(&e->session->random, 8) == 0)
			return;
	}
}

static void answer(struct end *e, enum sim_what what, uint32_t seq)
{
	uint8_t to[SIM_PDU_MAX];

	end_put(e, to, make_bare(e->session, what, seq, to), NULL, 0);
}

static void take_submit(struct end *e, uint32_t number)
{
	uint8_t to[SIM_PDU_MAX], edited[SIM_PDU_MAX];
	size_t edited_n, n;

	if (number != e->session->submits_got) {
		broken(e, "a submit out of turn");
		return;
	}
	e->session->submits_got++;
	n = make_submit_resp(e->session, number, to, edited, &edited_n);
	end_put(e, to, n, edited, edited_n);
}

static void take_submit_resp(struct end *e, uint32_t number, bool edited)
{
	struct session *s = e->session;

	if (number != s->answers_got || e->open == 0 || (s->messages[number].flags & ANSWERED) != 0) {
		broken(e, "a submit's response out of turn");
		return;
	}
	s->messages[number].flags |= (uint8_t)(ANSWERED | (edited ? RESP_EDITED : 0));
	s->answers_got++;
	e->open--;
}

static void take_deliver(struct end *e, uint32_t number, bool edited)
{
	struct session *s = e->session;
	uint32_t message = number < s->deliver_count ? s->delivers[number].message : NO_MESSAGE;

	if (number >= s->deliver_count ||
		(message != NO_MESSAGE && (s->messages[message].flags & REPORTED) != 0)) {
		broken(e, "a report out of turn");
		return;
	}
	if (message != NO_MESSAGE)
		s->messages[message].flags |= (uint8_t)(REPORTED | (edited ? REPORT_EDITED : 0));
	answer(e, SIM_DELIVER_RESP, deliver_seq(number));
}

static void take_deliver_resp(struct end *e, uint32_t number)
{
	struct session *s = e->session;

	if (number >= s->deliver_count || s->delivers[number].acked || e->open == 0) {
		broken(e, "a deliver's response out of turn");
		return;
	}
	s->delivers[number].acked = true;
	e->open--;
}

/* A whole PDU, which is one that the other end sent. */
static void take(struct end *e, const struct sim_pdu *pdu, bool edited)
{
	uint32_t number = 0;

	(void)seq_number(pdu->seq, &number);
	switch (pdu->what) {
	case SIM_SUBMIT: take_submit(e, number); break;
	case SIM_SUBMIT_RESP: take_submit_resp(e, number, edited); break;
	case SIM_DELIVER: take_deliver(e, number, edited); break;
	case SIM_DELIVER_RESP: take_deliver_resp(e, number); break;
	case SIM_LOGIN: answer(e, SIM_LOGIN_RESP, pdu->seq); break;
	case SIM_LOGOUT: answer(e, SIM_LOGOUT_RESP, pdu->seq); break;
	case SIM_TEST: answer(e, SIM_TEST_RESP, pdu->seq); break;
	case SIM_TEST_RESP: e->open--; break;
	default: break;
	}
}

void end_read(struct end *e)
{
	struct stream *s = &e->session->stream[1 - e->side];
	ssize_t n = recv(e->fd, e->in + e->in_n, IN_MAX - e->in_n, MSG_DONTWAIT);
	size_t at = 0;
	char why[512];
	bool edited;
	int len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ended(e, n < 0 ? errno : 0);
		return;
	}
	kills_moved(e->session);
	e->in_n += (size_t)n;
	spoil_octets(e);
	while (!e->session->broken &&
		(len = stream_take(s, e->in + at, e->in_n - at, &edited, why, sizeof(why))) != 0) {
		struct sim_pdu pdu;

		if (len < 0)
			broken(e, why);
		else if (sim_parse(e->session->proto, e->in + at, (size_t)len, &pdu) < 0)
			broken(e, "a PDU that does not parse");
		else
			take(e, &pdu, edited);
		at += len > 0 ? (size_t)len : 0;
	}
	memmove(e->in, e->in + at, e->in_n - at);
	e->in_n -= at;
}
