#include "admin/servers.h"

#include <string.h>

#include "admin/metrics.h"
#include "base/address.h"
#include "base/clock.h"
#include "smscope/record.h"

static const struct link_settings *link_of(const struct reply *r, int link)
{
	return &r->admin->settings->links[link];
}

static uint64_t age_ns(const struct upstream_status *s)
{
	uint64_t now = clock_mono_ns();

	return now > s->since_ns ? now - s->since_ns : 0;
}

/* What it is reached at, if that is not what the configuration says. */
static const char *address_of(const struct upstream_status *s, char to[static SHM_ADDR_TEXT])
{
	if (s->address.len == 0)
		return NULL;
	address_text(&s->address.addr, s->address.len, to, SHM_ADDR_TEXT);
	return to;
}

static void text_server(struct reply *r, const char *name, const struct upstream_status *s)
{
	char address[SHM_ADDR_TEXT];
	const char *at = address_of(s, address);

	out_str(r->out, "  server    ");
	text_escape(r->out, span_of(name, strlen(name)), false);
	if (at == NULL)
		out_str(r->out, " (no address)");
	else if (strcmp(at, name) != 0)
		out_fmt(r->out, " (%s)", at);
	out_fmt(r->out, " %s for ", upstream_state_name(s->state));
	record_duration(r->out, age_ns(s) / 1000);
	out_fmt(r->out, "  sessions %u", s->sessions);
	if (s->failures > 0)
		out_fmt(r->out, "  failures in a row %u", s->failures);
	if (s->failed > 0)
		out_fmt(r->out, "  failures %llu", (unsigned long long)s->failed);
	if (s->unanswered > 0)
		out_fmt(r->out, "  name not resolved %u times", s->unanswered);
	out_char(r->out, '\n');
}

void servers_text(struct reply *r, int link)
{
	const struct link_settings *l = link_of(r, link);
	struct upstream_status s;

	for (int i = 0; r->admin->upstreams != NULL && i < l->upstream_count; i++) {
		upstreams_status(r->admin->upstreams, link, i, &s);
		text_server(r, l->upstream[i].text, &s);
	}
}

static void json_server(struct reply *r, const char *name, const struct upstream_status *s)
{
	char address[SHM_ADDR_TEXT];

	reply_open(r, NULL, '{');
	reply_octets(r, "server", span_of(name, strlen(name)));
	reply_text(r, "state", upstream_state_name(s->state));
	reply_text(r, "address", address_of(s, address));
	reply_uint(r, "sessions", s->sessions);
	reply_uint(r, "failures_in_row", s->failures);
	reply_uint(r, "failures", s->failed);
	reply_uint(r, "unresolved", s->unanswered);
	reply_time(r, "since", clock_wall_ns() - age_ns(s));
	reply_close(r, '}');
}

void servers_json(struct reply *r, int link)
{
	const struct link_settings *l = link_of(r, link);
	struct upstream_status s;

	if (r->admin->upstreams == NULL)
		return;
	reply_open(r, "servers", '[');
	for (int i = 0; i < l->upstream_count; i++) {
		upstreams_status(r->admin->upstreams, link, i, &s);
		json_server(r, l->upstream[i].text, &s);
	}
	reply_close(r, ']');
}

uint32_t servers_count(const struct reply *r)
{
	uint32_t count = 0;

	for (int i = 0; r->admin->upstreams != NULL && i < r->admin->settings->link_count; i++)
		count += (uint32_t)link_of(r, i)->upstream_count;
	return count;
}

/* Server `i` of all; *ret_link and *ret_server say which it is. */
static struct upstream_status server_at(const struct reply *r, uint32_t i, int *ret_link,
	int *ret_server)
{
	struct upstream_status s;

	*ret_link = 0;
	while (i >= (uint32_t)link_of(r, *ret_link)->upstream_count)
		i -= (uint32_t)link_of(r, (*ret_link)++)->upstream_count;
	*ret_server = (int)i;
	upstreams_status(r->admin->upstreams, *ret_link, *ret_server, &s);
	return s;
}

static void sample(struct reply *r, const char *name, uint64_t v, int link, int server)
{
	/* One that is listed twice has one sample: two with the same labels are none. */
	for (int i = 0; i < server; i++)
		if (strcmp(link_of(r, link)->upstream[i].text, link_of(r, link)->upstream[server].text) == 0)
			return;
	metrics_sample(r->out, name, v, (const char *const[]){ "link", link_of(r, link)->name,
		"server", link_of(r, link)->upstream[server].text, NULL });
}

void servers_up(struct reply *r, const char *name, uint32_t i)
{
	int link, server;
	struct upstream_status s = server_at(r, i, &link, &server);

	sample(r, name, s.state != UPSTREAM_DOWN, link, server);
}

void servers_sessions(struct reply *r, const char *name, uint32_t i)
{
	int link, server;
	struct upstream_status s = server_at(r, i, &link, &server);

	sample(r, name, s.sessions, link, server);
}

void servers_failures(struct reply *r, const char *name, uint32_t i)
{
	int link, server;
	struct upstream_status s = server_at(r, i, &link, &server);

	sample(r, name, s.failed, link, server);
}
