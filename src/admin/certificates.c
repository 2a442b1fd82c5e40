#include "admin/certificates.h"

#include <string.h>

#include "admin/metrics.h"
#include "base/clock.h"
#include "smscope/record.h"

enum { DAY_S = 86400 };

static bool has_tls(const struct reply *r, int link, enum side side)
{
	const struct link_settings *l = &r->admin->settings->links[link];

	if (r->admin->tls == NULL)
		return false;
	return side == SIDE_SP ? l->tls_certificate_count > 0 : l->upstream_tls;
}

static uint64_t handshakes(const struct reply *r, int link, enum side side, enum tls_result result)
{
	return atomic_load_explicit(&r->admin->tls->handshakes[link][side][result],
		memory_order_relaxed);
}

static const char *side_word(enum side side)
{
	return side == SIDE_SP ? "sp" : "gw";
}

static void text_certificate(struct reply *r, const struct tls_certificate *c)
{
	int64_t left_s = c->not_after - (int64_t)(clock_wall_ns() / 1000000000u);

	out_fmt(r->out, "  certificate %s ", side_word(c->side));
	text_escape(r->out, span_of(c->subject, strlen(c->subject)), false);
	if (left_s < 0)
		out_str(r->out, " has expired\n");
	else
		out_fmt(r->out, " expires in %lld days\n", (long long)(left_s / DAY_S));
}

void certificates_text(struct reply *r, int link)
{
	struct tls_certificate c;

	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		if (!has_tls(r, link, (enum side)side))
			continue;
		out_fmt(r->out, "  tls %s    ", side_word((enum side)side));
		for (int i = 0; i < TLS_RESULTS; i++)
			out_fmt(r->out, "%s%s %llu", i > 0 ? "  " : "", tls_result_name((enum tls_result)i),
				(unsigned long long)handshakes(r, link, (enum side)side,
					(enum tls_result)i));
		out_char(r->out, '\n');
	}
	for (int i = 0; r->admin->tls != NULL && tls_status_certificate(r->admin->tls, i, &c); i++)
		if (c.link == link)
			text_certificate(r, &c);
}

static void json_fingerprint(struct reply *r, const uint8_t print[TLS_FINGERPRINT])
{
	char hex[2 * TLS_FINGERPRINT + 1];

	for (int i = 0; i < TLS_FINGERPRINT; i++)
		snprintf(hex + 2 * i, 3, "%02x", print[i]);
	reply_text(r, "sha256", hex);
}

void certificates_json(struct reply *r, int link)
{
	struct tls_certificate c;

	if (!has_tls(r, link, SIDE_SP) && !has_tls(r, link, SIDE_GW))
		return;
	reply_open(r, "handshakes", '{');
	for (int side = SIDE_SP; side <= SIDE_GW; side++) {
		if (!has_tls(r, link, (enum side)side))
			continue;
		reply_open(r, side_word((enum side)side), '{');
		for (int i = 0; i < TLS_RESULTS; i++)
			reply_uint(r, tls_result_name((enum tls_result)i),
				handshakes(r, link, (enum side)side, (enum tls_result)i));
		reply_close(r, '}');
	}
	reply_close(r, '}');
	reply_open(r, "certificates", '[');
	for (int i = 0; tls_status_certificate(r->admin->tls, i, &c); i++) {
		if (c.link != link)
			continue;
		reply_open(r, NULL, '{');
		reply_text(r, "shown_to", side_word(c.side));
		reply_octets(r, "subject", span_of(c.subject, strlen(c.subject)));
		reply_time(r, "not_after", (uint64_t)(c.not_after > 0 ? c.not_after : 0) * 1000000000u);
		json_fingerprint(r, c.fingerprint);
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

uint32_t certificates_count(const struct reply *r)
{
	struct tls_certificate c;
	uint32_t n = 0;

	while (r->admin->tls != NULL && tls_status_certificate(r->admin->tls, (int)n, &c))
		n++;
	return n;
}

void certificates_sample(struct reply *r, const char *name, uint32_t i)
{
	struct tls_certificate c;

	/* A reload between two samples may have left fewer. */
	if (!tls_status_certificate(r->admin->tls, (int)i, &c))
		return;
	metrics_sample(r->out, name, (uint64_t)(c.not_after > 0 ? c.not_after : 0),
		(const char *const[]){ "link", r->admin->settings->links[c.link].name, "side",
			side_word(c.side), "subject", c.subject, NULL });
}

uint32_t handshakes_count(const struct reply *r)
{
	return r->admin->tls != NULL ? (uint32_t)r->admin->settings->link_count * 2 * TLS_RESULTS : 0;
}

void handshakes_sample(struct reply *r, const char *name, uint32_t i)
{
	enum tls_result result = (enum tls_result)(i % TLS_RESULTS);
	enum side side = i / TLS_RESULTS % 2 == 0 ? SIDE_SP : SIDE_GW;
	int link = (int)(i / TLS_RESULTS / 2);

	if (!has_tls(r, link, side))
		return;
	metrics_sample(r->out, name, handshakes(r, link, side, result),
		(const char *const[]){ "link", r->admin->settings->links[link].name, "side",
			side_word(side), "result", tls_result_name(result), NULL });
}
