#include "net/lookup.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/shm.h"

enum {
	SOON_MS = 5000,     /* so long after the last time while the server does not answer */
	AGAIN_MS = 1000,    /* … after the first time without an answer, then doubled */
	ANSWER_S = 30,      /* no answer after so long: none will come */
	HOST_OCTETS = 254,
};

#define SECOND_NS 1000000000ull
#define RESOLV_CONF "/etc/resolv.conf"

struct name {
	struct lookups *all;
	int link, server;
	char host[HOST_OCTETS], port[8];
	struct evdns_getaddrinfo_request *request; /* NULL: none, or given up */
	bool asking, answered;   /* answered: once, for better or worse */
	uint32_t unanswered;     /* in a row */
	uint64_t asked_ns, next_ns;
};

struct lookups {
	const struct settings *settings;
	struct upstreams *upstreams;
	struct event_base *base;
	struct evdns_base *dns;  /* NULL while nothing is asked */
	struct name *names;
	int count, asking;
	uint64_t began_ns;
	bool closing, left;
};

static void on_dns_log(int is_warning, const char *words)
{
	(void)is_warning;
	log_debug("%s", words);
}

static void add_name(struct lookups *l, int link, int server)
{
	const char *text = l->settings->links[link].upstream[server].text;
	const char *colon = strrchr(text, ':');
	struct name *n = &l->names[l->count];

	/* The configuration was checked: a host of at most 253 octets, a colon, a number. */
	if (colon == NULL || colon - text >= HOST_OCTETS)
		return;
	*n = (struct name){ .all = l, .link = link, .server = server };
	memcpy(n->host, text, (size_t)(colon - text));
	snprintf(n->port, sizeof(n->port), "%s", colon + 1);
	l->count++;
}

struct lookups *lookups_new(const struct settings *settings, struct upstreams *upstreams,
	struct event_base *base)
{
	struct lookups *l = calloc(1, sizeof(*l));
	size_t most = 1;

	if (l == NULL)
		return NULL;
	for (int i = 0; i < settings->link_count; i++)
		most += (size_t)settings->links[i].upstream_count;
	l->names = calloc(most, sizeof(*l->names));
	if (l->names == NULL) {
		free(l);
		return NULL;
	}
	l->settings = settings;
	l->upstreams = upstreams;
	l->base = base;
	l->began_ns = clock_mono_ns();
	for (int i = 0; i < settings->link_count; i++)
		for (int j = 0; j < settings->links[i].upstream_count; j++)
			if (settings->links[i].upstream[j].addr_len == 0)
				add_name(l, i, j);
	evdns_set_log_fn(on_dns_log);
	return l;
}

/** A resolver that knows the name servers of now; NULL when memory is short. */
static struct evdns_base *dns_open(struct lookups *l)
{
	struct evdns_base *dns = evdns_base_new(l->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	int flags = DNS_OPTIONS_ALL;

	if (dns == NULL)
		return NULL;
	/* Unless resolv.conf says otherwise: three attempts in all, at one name server after the other. */
	evdns_base_set_option(dns, "timeout:", "2");
	/* It does not live long enough to test name servers in between, nor to give one up. */
	evdns_base_set_option(dns, "max-timeouts:", "255");
	evdns_base_set_option(dns, "initial-probe-timeout:", "3600");
	if (l->settings->resolver_count > 0)
		flags &= ~DNS_OPTION_NAMESERVERS;
	/* If it cannot be read there is a name server on this machine, or there is none. */
	(void)evdns_base_resolv_conf_parse(dns, flags, RESOLV_CONF);
	for (int i = 0; i < l->settings->resolver_count; i++) {
		const struct endpoint *e = &l->settings->resolvers[i];

		(void)evdns_base_nameserver_sockaddr_add(dns, (const struct sockaddr *)&e->addr,
			e->addr_len, 0);
	}
	return dns;
}

static bool is_address(const struct upstream_address *a, const struct evutil_addrinfo *of)
{
	return a->len == (socklen_t)of->ai_addrlen && memcmp(&a->addr, of->ai_addr, a->len) == 0;
}

/* Beyond those that count only the one in use does: it takes the last one's place. */
static int take_addresses(const struct evutil_addrinfo *list, const struct upstream_address *in_use,
	struct upstream_address all[UPSTREAM_ADDRESSES])
{
	int count = 0;

	for (; list != NULL; list = list->ai_next) {
		if (list->ai_family != AF_INET && list->ai_family != AF_INET6)
			continue;
		if (count < UPSTREAM_ADDRESSES) {
			struct upstream_address *a = &all[count++];

			*a = (struct upstream_address){ .len = (socklen_t)list->ai_addrlen };
			memcpy(&a->addr, list->ai_addr, list->ai_addrlen);
		} else if (is_address(in_use, list)) {
			all[UPSTREAM_ADDRESSES - 1] = *in_use;
		}
	}
	return count;
}

static void name_resolved(struct name *n, const struct upstream_address *all, int count,
	uint64_t now_ns)
{
	struct lookups *l = n->all;
	const struct link_settings *link = &l->settings->links[n->link];
	struct upstream_address now, was;
	char now_text[SHM_ADDR_TEXT], was_text[SHM_ADDR_TEXT];
	void (*info)(const char *fmt, ...) PRINTF_LIKE(1, 2) = l->left ? log_debug : log_info;
	void (*warn)(const char *fmt, ...) PRINTF_LIKE(1, 2) = l->left ? log_debug : log_warn;

	if (n->unanswered > 0)
		info("link %s: upstream %s: the name is resolved again", link->name,
			link->upstream[n->server].text);
	n->unanswered = 0;
	n->next_ns = now_ns + l->settings->resolve_interval_ms * 1000000ull;
	if (!upstreams_resolved(l->upstreams, n->link, n->server, all, count, now_ns, &now, &was))
		return;
	address_text(&now.addr, now.len, now_text, sizeof(now_text));
	if (was.len == 0) {
		info("link %s: upstream %s is %s", link->name, link->upstream[n->server].text,
			now_text);
		return;
	}
	address_text(&was.addr, was.len, was_text, sizeof(was_text));
	warn("link %s: upstream %s is %s now, it was %s", link->name,
		link->upstream[n->server].text, now_text, was_text);
}

static void name_unresolved(struct name *n, int error, uint64_t now_ns)
{
	struct lookups *l = n->all;
	const struct link_settings *link = &l->settings->links[n->link];
	uint64_t most = l->settings->resolve_interval_ms;
	void (*warn)(const char *fmt, ...) PRINTF_LIKE(1, 2) = l->left ? log_debug : log_warn;

	n->next_ns = now_ns + 1000000ull * upstream_pause_ms(++n->unanswered,
		most < AGAIN_MS ? (uint32_t)most : AGAIN_MS, (uint32_t)most, UINT32_MAX / 2);
	if (upstreams_unresolved(l->upstreams, n->link, n->server))
		warn("link %s: upstream %s: the name is not resolved, its last address stays: %s",
			link->name, link->upstream[n->server].text,
			error == EVUTIL_EAI_CANCEL ? "no answer" : evutil_gai_strerror(error));
}

static void on_answer(int error, struct evutil_addrinfo *list, void *arg)
{
	struct name *n = arg;
	struct upstream_address all[UPSTREAM_ADDRESSES];
	struct upstream_status now;
	int count;

	upstreams_status(n->all->upstreams, n->link, n->server, &now);
	count = error == 0 ? take_addresses(list, &now.address, all) : 0;
	if (list != NULL)
		evutil_freeaddrinfo(list);
	n->request = NULL;
	n->asking = false;
	n->answered = true;
	n->all->asking--;
	if (n->all->closing)
		return;
	if (count > 0)
		name_resolved(n, all, count, clock_mono_ns());
	else
		name_unresolved(n, error != 0 ? error : EVUTIL_EAI_NODATA, clock_mono_ns());
}

static void ask(struct name *n, uint64_t now_ns)
{
	struct lookups *l = n->all;
	const struct endpoint *source = &l->settings->links[n->link].source;
	struct evutil_addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP,
		.ai_family = source->addr_len > 0 ? source->addr.ss_family : AF_UNSPEC };
	struct evdns_getaddrinfo_request *request;

	n->asked_ns = now_ns;
	if (l->dns == NULL)
		l->dns = dns_open(l);
	if (l->dns == NULL)
		return;	/* at the next tick */
	n->asking = true;
	l->asking++;
	request = evdns_getaddrinfo(l->dns, n->host, n->port, &hints, on_answer, n);
	if (n->asking)
		n->request = request;	/* else it is answered already: by the hosts file */
}

static bool is_due(const struct name *n, uint64_t now_ns)
{
	struct upstream_status s;
	uint64_t soon_ms = n->all->settings->resolve_interval_ms;

	upstreams_status(n->all->upstreams, n->link, n->server, &s);
	if (n->all->left && s.address.len > 0)
		return false;
	if (now_ns >= n->next_ns)
		return true;
	if (soon_ms > SOON_MS)
		soon_ms = SOON_MS;
	return s.failures > 0 && n->unanswered == 0 && now_ns >= n->asked_ns + soon_ms * 1000000u;
}

void lookups_leave(struct lookups *l)
{
	l->left = true;
}

void lookups_tick(struct lookups *l, uint64_t now_ns)
{
	for (int i = 0; i < l->count; i++) {
		struct name *n = &l->names[i];

		if (!n->asking && is_due(n, now_ns))
			ask(n, now_ns);
		if (n->request == NULL || now_ns < n->asked_ns + ANSWER_S * SECOND_NS)
			continue;
		evdns_getaddrinfo_cancel(n->request);	/* which is an answer, too */
		n->request = NULL;
	}
	if (l->asking > 0 || l->dns == NULL)
		return;
	evdns_base_free(l->dns, 1);
	l->dns = NULL;
}

bool lookups_settled(const struct lookups *l, int link, uint64_t now_ns)
{
	uint64_t patience_ms = l->settings->links[link].connect_timeout_ms;

	if (now_ns >= l->began_ns + patience_ms * 1000000u ||
			upstreams_reachable(l->upstreams, link))
		return true;
	for (int i = 0; i < l->count; i++)
		if (l->names[i].link == link && !l->names[i].answered)
			return false;
	return true;
}

void lookups_free(struct lookups *l)
{
	if (l == NULL)
		return;
	l->closing = true;
	for (int i = 0; i < l->count; i++)
		if (l->names[i].request != NULL)
			evdns_getaddrinfo_cancel(l->names[i].request);
	/* What was cancelled is released in its callbacks, and these come in the loop. */
	if (l->dns != NULL) {
		event_base_loop(l->base, EVLOOP_NONBLOCK);
		evdns_base_free(l->dns, 1);
	}
	free(l->names);
	free(l);
}
