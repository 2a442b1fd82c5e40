#include <inttypes.h>
#include <stdlib.h>

#include "tools/capture.h"
#include "tools/pdu_cut.h"
#include "tools/rewrite.h"

/* The PDUs of a capture: each connection that shows one of the link's protocol is a session. */

struct run {
	struct rewrite *w;
	FILE *told;        /* what is told of the capture itself */
	struct capture_counts counts;
	uint64_t sessions, aside, missing, skipped;
};

/* The beginning of what may be a login. */
struct held {
	uint8_t *octets;
	size_t n;
};

/* A connection. */
struct tap {
	struct run *run;
	struct connection *c;
	const struct capture_at *at; /* during a call */
	int from;                    /* the end whose octets these are */
	int sp;                      /* the end that is the SP's; -1: not known */
	bool aside;                  /* it speaks something else */
	bool octets;                 /* some were seen */
	struct pdu_cut cut[2];
	struct held held[2];         /* while no protocol is known */
	bool passed[2];              /* octets of it that are no login, then */
	struct rewrite_session *session;
	uint64_t number;             /* of the session */
	uint64_t missing;
};

static void place_of(const struct tap *t, int from, const struct capture_at *at,
	struct rewrite_place *ret)
{
	char a[TCP_END_TEXT], b[TCP_END_TEXT];

	ret->at = *at;
	ret->session = t->number;
	tcp_end_text(&t->c->end[from], a);
	tcp_end_text(&t->c->end[1 - from], b);
	snprintf(ret->way, sizeof(ret->way), "%s>%s", a, b);
}

/* "packet 7: TIME A>B 12 octets are missing" */
static void tell(const struct tap *t, int from, const struct capture_at *at, uint64_t n,
	const char *what)
{
	struct rewrite_place place;

	place_of(t, from, at, &place);
	rewrite_show_place(t->run->told, &place);
	fprintf(t->run->told, "%" PRIu64 " %s %s\n", n, n == 1 ? "octet" : "octets", what);
}

/*
 * Is a PDU, of a connection that nothing is known of, one of `p`? A login says so by itself; of
 * other PDUs the headers are alike, but a body mostly fits a single protocol.
 */
static bool speaks(const struct proto *p, struct span frame)
{
	const struct proto *detected = proto_detect(frame);
	bool others = false;
	struct pdu pdu;

	if (detected != NULL)
		return detected == p;
	if (pdu_parse(&pdu, p, p->dialect_default, frame) == SM_OK)
		return true;
	if (pdu.layout == NULL)
		return false;
	for (const struct proto *const *q = proto_all(); *q != NULL; q++)
		others = others || (*q != p && pdu_parse(&pdu, *q, (*q)->dialect_default, frame) ==
							SM_OK);
	return !others;
}

/* The first PDU; of a connection seen in its middle the first that is of the protocol. */
static void start(struct tap *t, struct span frame)
{
	struct run *r = t->run;
	const struct proto *p = t->cut[0].proto;

	if (speaks(p, frame))
		t->session = rewrite_session_new(r->w, p);
	if (t->session == NULL) {
		t->aside = t->c->dialled;
		return;
	}
	t->number = ++r->sessions;
	r->missing += t->missing;
}

/* The end that is the SP's, by a PDU that says so. */
static void learn_side(struct tap *t, struct span frame)
{
	struct pdu pdu;

	(void)pdu_parse(&pdu, t->cut[0].proto, t->cut[0].proto->dialect_default, frame);
	switch (pdu_role(&pdu)) {
	case R_LOGIN:
		t->sp = t->from;
		break;
	case R_LOGIN_ACK:
	case R_OUTBIND:
		t->sp = 1 - t->from;
		break;
	default:
		break;
	}
}

static void on_pdu(void *arg, struct span frame, uint64_t skipped)
{
	struct tap *t = arg;
	struct rewrite_place place;

	if (t->session == NULL && !t->aside)
		start(t, frame);
	if (t->session == NULL)
		return;
	if (skipped > 0) {
		tell(t, t->from, t->at, skipped, "skipped before this");
		t->run->skipped += skipped;
	}
	learn_side(t, frame);
	place_of(t, t->from, t->at, &place);
	rewrite_try(t->run->w, t->session, frame,
		t->sp < 0 ? -1 : t->sp == t->from ? SIDE_SP : SIDE_GW, &place);
}

static void on_begin(void *arg, struct connection *c, const struct capture_at *at)
{
	struct run *r = arg;
	struct tap *t = calloc(1, sizeof(*t));

	(void)at;
	c->user = t;
	if (t == NULL)
		return;
	t->run = r;
	t->c = c;
	t->sp = c->dialled ? 0 : -1;
}

/*
 * A link that takes either protocol is told by a login: whole in a segment, or in several from where
 * one began. What is no login is passed over.
 */

static const struct proto *login_proto(const struct tap *t, struct span octets, int64_t *ret_len)
{
	*ret_len = proto_frame(octets, 12, t->run->w->link->max_pdu);
	return *ret_len > 0 ? proto_detect(span_of(octets.p, (size_t)*ret_len)) : NULL;
}

static void hold(struct held *h, struct span octets)
{
	uint8_t *p = realloc(h->octets, h->n + octets.n);

	if (p == NULL)
		return;
	memcpy(p + h->n, octets.p, octets.n);
	h->octets = p;
	h->n += octets.n;
}

static void let_go(struct held *h)
{
	free(h->octets);
	*h = (struct held){ NULL, 0 };
}

static void begin_as(struct tap *t, const struct proto *p)
{
	for (int i = 0; i < 2; i++) {
		pdu_cut_init(&t->cut[i], p, t->run->w->link->max_pdu);
		t->cut[i].in_step = t->c->dialled && !t->passed[i];
	}
}

/* The protocol of the login that ends here, with all of it in *octets; NULL: there is none yet. */
static const struct proto *await_login(struct tap *t, int from, struct span *octets)
{
	struct held *h = &t->held[from];
	int64_t alone, joined;
	const struct proto *p = login_proto(t, *octets, &alone);

	if (p != NULL)
		return p;
	if (h->n > 0) {
		hold(h, *octets);
		p = login_proto(t, span_of(h->octets, h->n), &joined);
		if (p != NULL)
			*octets = span_of(h->octets, h->n);
		if (p != NULL || joined == 0)
			return p;
		let_go(h);
	}
	if (alone == 0)
		hold(h, *octets);
	else
		t->passed[from] = true;
	return NULL;
}

/* Octets of a connection whose protocol is not known; true when they tell it. */
static bool know_proto(struct tap *t, int from, struct span *octets)
{
	const struct proto *p = t->run->w->options->proto;

	if (t->cut[0].proto != NULL)
		return true;
	if (p == NULL)
		p = await_login(t, from, octets);
	if (p != NULL)
		begin_as(t, p);
	return p != NULL;
}

static void cut(struct tap *t, int from, struct span octets)
{
	t->from = from;
	(void)pdu_cut_run(&t->cut[from], octets, on_pdu, t); /* without memory they are skipped */
}

static void on_octets(void *arg, struct connection *c, int from, struct span octets,
	const struct capture_at *at)
{
	struct tap *t = c->user;

	(void)arg;
	if (t == NULL)
		return;
	t->octets = true;
	if (t->aside || !know_proto(t, from, &octets))
		return;
	t->at = at;
	cut(t, from, octets);
	let_go(&t->held[from]);
	if (t->held[1 - from].n > 0) {
		cut(t, 1 - from, span_of(t->held[1 - from].octets, t->held[1 - from].n));
		let_go(&t->held[1 - from]);
	}
}

static void on_gap(void *arg, struct connection *c, int from, uint64_t missing,
	const struct capture_at *at)
{
	struct run *r = arg;
	struct tap *t = c->user;

	if (t == NULL || t->aside)
		return;
	t->missing += missing;
	let_go(&t->held[from]);
	pdu_cut_gap(&t->cut[from]);
	if (t->session == NULL)
		return;
	r->missing += missing;
	tell(t, from, at, missing, "are missing");
}

static void on_end(void *arg, struct connection *c, enum connection_end how,
	const struct capture_at *at)
{
	struct run *r = arg;
	struct tap *t = c->user;

	(void)how;
	if (t == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		uint64_t left = pdu_cut_left(&t->cut[i]);

		if (t->session != NULL && left > 0) {
			tell(t, i, at, left, "at its end are no whole PDU");
			r->skipped += left;
		}
		pdu_cut_fini(&t->cut[i]);
		let_go(&t->held[i]);
	}
	r->aside += t->session == NULL && t->octets;
	free(t->session);
	free(t);
	c->user = NULL;
}

/* The line that counts */

static void put_count(FILE *to, const char *before, uint64_t n, const char *one, const char *many)
{
	fprintf(to, "%s%" PRIu64 " %s", before, n, n == 1 ? one : many);
}

static void put_others(const struct run *r)
{
	const struct capture_counts *c = &r->counts;
	const struct {
		uint64_t n;
		const char *one, *many;
	} all[] = {
		{ r->aside, "other connection", "other connections" },
		{ r->missing, "octet missing", "octets missing" },
		{ r->skipped, "octet skipped", "octets skipped" },
		{ c->filtered, "packet filtered out", "packets filtered out" },
		{ c->kinds[PACKET_NOT_IP] + c->kinds[PACKET_NOT_TCP], "packet not TCP",
		  "packets not TCP" },
		{ c->kinds[PACKET_FRAGMENT], "fragment", "fragments" },
		{ c->cut + c->kinds[PACKET_CUT], "packet cut", "packets cut" },
		{ c->kinds[PACKET_BAD], "packet broken", "packets broken" },
	};
	const char *before = "; left aside: ";

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].n == 0)
			continue;
		put_count(r->told, before, all[i].n, all[i].one, all[i].many);
		before = ", ";
	}
}

static void summary(const struct run *r)
{
	const struct rewrite *w = r->w;

	put_count(r->told, "", r->counts.packets, "packet", "packets");
	put_count(r->told, ", ", r->sessions, "session", "sessions");
	put_count(r->told, ", ", w->pdus, "PDU", "PDUs");
	fprintf(r->told, ": %" PRIu64 " edited, %" PRIu64 " refused", w->edited, w->refused);
	for (int i = 0; i < rule_set_count(w->rules); i++)
		fprintf(r->told, "%s %s %" PRIu64, i == 0 ? "; rules:" : ",",
			rule_name(w->rules, i), w->by_rule[i]);
	put_others(r);
	fputc('\n', r->told);
}

/* Why there was nothing to try. */
static void say_nothing(const struct run *r, const char *name)
{
	const struct capture_counts *c = &r->counts;
	const struct proto *p = r->w->options->proto;

	fprintf(stderr, "smscope rewrite: %s: ", name);
	if (c->packets == c->filtered && c->packets > 0)
		fprintf(stderr, "--filter leaves none of %" PRIu64 " packets\n", c->packets);
	else if (c->kinds[PACKET_TCP] == 0)
		fprintf(stderr, "no TCP in %" PRIu64 " packets\n", c->packets - c->filtered);
	else if (p == NULL)
		fprintf(stderr, "no login: link %s tells its protocol by one, give --proto\n",
			r->w->link->name);
	else
		fprintf(stderr, "no PDU of %s in what TCP carried\n", p->name);
}

int rewrite_capture(struct rewrite *w, FILE *f, const char *name)
{
	static const struct connection_reader reader = { on_begin, on_octets, on_gap, on_end };
	struct run r = { .w = w, .told = w->options->json ? stderr : stdout };
	char fault[CAPTURE_FAULT];
	int err = capture_read(f, w->options->filter, &reader, &r, &r.counts, fault);

	if (r.counts.packets > 0)
		summary(&r);
	fflush(stdout);
	if (err != SM_OK)
		fprintf(stderr, "smscope rewrite: %s: %s\n", name, fault);
	else if (w->pdus == 0)
		say_nothing(&r, name);
	if (w->pdus == 0)
		return REWRITE_USAGE;
	return w->refused > 0 ? REWRITE_REFUSED : 0;
}
