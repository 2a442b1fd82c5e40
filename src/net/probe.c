#include "net/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/session.h"

enum { PROBES_MAX = 64 }; /* at one time */

struct probe {
	struct probes *all;
	struct event *event; /* NULL: not under way */
	int fd, link, server;
};

struct probes {
	const struct settings *settings;
	struct upstreams *upstreams;
	struct event_base *base;
	struct probe each[PROBES_MAX];
};

struct probes *probes_new(const struct settings *settings, struct upstreams *upstreams,
	struct event_base *base)
{
	struct probes *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->settings = settings;
	p->upstreams = upstreams;
	p->base = base;
	for (int i = 0; i < PROBES_MAX; i++)
		p->each[i].all = p;
	return p;
}

static void probe_over(struct probes *p, int link, int server, bool connected)
{
	const struct link_settings *l = &p->settings->links[link];

	if (upstreams_probed(p->upstreams, link, server, connected, clock_mono_ns()))
		log_info("link %s: upstream %s is up again", l->name, l->upstream[server].text);
}

static void probe_close(struct probe *one)
{
	event_free(one->event); /* before its descriptor, which another probe may get */
	close(one->fd);
	one->event = NULL;
}

static void on_probe(evutil_socket_t fd, short what, void *arg)
{
	struct probe *one = arg;
	int error = 0;
	socklen_t len = sizeof(error);
	bool connected = (what & EV_WRITE) != 0 &&
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;

	probe_close(one);
	probe_over(one->all, one->link, one->server, connected);
}

static struct probe *probe_free_one(struct probes *p)
{
	for (int i = 0; i < PROBES_MAX; i++)
		if (p->each[i].event == NULL)
			return &p->each[i];
	return NULL;
}

/** 0, or -errno: it could not even be begun. */
static int probe_start(struct probe *one, const struct link_settings *l,
	const struct upstream_address *to)
{
	uint32_t ms = l->connect_timeout_ms;
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	one->fd = dial_connect(l, to);
	if (one->fd < 0)
		return one->fd;
	one->event = event_new(one->all->base, one->fd, EV_WRITE, on_probe, one);
	if (one->event != NULL && event_add(one->event, &tv) == 0)
		return 0;
	if (one->event != NULL)
		event_free(one->event);
	one->event = NULL;
	close(one->fd);
	return -ENOMEM;
}

void probes_tick(struct probes *p, uint64_t now_ns)
{
	struct probe *one;
	struct upstream_address to;
	int link, server;

	while ((one = probe_free_one(p)) != NULL &&
			upstreams_probe(p->upstreams, now_ns, &link, &server, &to)) {
		one->link = link;
		one->server = server;
		if (probe_start(one, &p->settings->links[link], &to) < 0)
			probe_over(p, link, server, false);
	}
}

void probes_free(struct probes *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < PROBES_MAX; i++)
		if (p->each[i].event != NULL)
			probe_close(&p->each[i]);
	free(p);
}
