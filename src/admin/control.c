#include "admin/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/reply.h"

/*
 *   listener ─▶ client:  line ─▶ reply_begin ─▶ reply_turn … as the reader takes it ─▶ line …
 *
 * A client has LINE_S for each line, and a reader that takes nothing for so long is hung up on; of
 * what it does not take no more than OUT_HIGH and one turn waits here.
 */

enum {
	CLIENTS_MAX = 16,
	ACCEPT_BUDGET = 16,
	LINE_S = 10,
	PAUSE_MS = 500,         /* no accepting for so long when descriptors run out */
	OUT_LOW = 16 * 1024,    /* below it a reply goes on */
	OUT_HIGH = 64 * 1024,   /* above it it waits */
	OUT_MAX = 256 * 1024,   /* never reached: hang up */
	IN_MAX = REPLY_LINE_MAX + 2,
	GROUPS_MAX = 256,       /* a peer in more groups is asked about its first one only */
};

_Static_assert(OUT_HIGH + REPLY_TURN_MAX <= OUT_MAX, "a turn fits");

struct client {
	struct control *control;
	struct bufferevent *bev;
	struct event *deadline; /* for the line */
	struct event *turn;     /* go on in the next turn of the loop */
	struct reply reply;
	enum control_right right;
	bool replying, eof;
	bool closing;           /* once what is written is out */
	bool dead;              /* freed by control_on_reap() */
};

struct control {
	struct event_base *base;
	const struct admin *admin;
	int listener;
	struct event *accept_event, *pause_event, *reap_event;
	struct client *clients[CLIENTS_MAX];
	char room[REPLY_TURN_MAX];
};

static const struct timeval at_once;

static void client_free(struct client *c)
{
	reply_end(&c->reply);
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	if (c->deadline != NULL)
		event_free(c->deadline);
	if (c->turn != NULL)
		event_free(c->turn);
	free(c);
}

/* May be called from its own callbacks: freed at the end of the turn. */
static void client_end(struct client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	event_del(c->deadline);
	event_del(c->turn);
	event_add(c->control->reap_event, &at_once);
}

static void control_on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i] != NULL && control->clients[i]->dead) {
			client_free(control->clients[i]);
			control->clients[i] = NULL;
		}
}

/*
 * Go on in the next turn of the loop. Not put off by asking twice: while the input is at its limit,
 * libevent says so in every turn.
 */
static void client_again(struct client *c)
{
	if (!c->dead && !c->closing && !evtimer_pending(c->turn, NULL))
		event_add(c->turn, &at_once);
}

static struct evbuffer *client_out(struct client *c)
{
	return bufferevent_get_output(c->bev);
}

/* Take no more lines; hang up when what is written is out. */
static void client_finish(struct client *c)
{
	c->closing = true;
	bufferevent_disable(c->bev, EV_READ);
	event_del(c->deadline);
	if (evbuffer_get_length(client_out(c)) == 0)
		client_end(c);
}

static void client_put(struct client *c, const char *p, size_t n)
{
	struct evbuffer *out = client_out(c);

	if (evbuffer_get_length(out) + n > OUT_MAX || evbuffer_add(out, p, n) < 0)
		client_end(c);
}

static void client_refuse(struct client *c, const char *why, size_t n)
{
	client_put(c, "error: ", 7);
	client_put(c, why, n);
	client_put(c, "\n.\n", 3);
}

static void client_wait_line(struct client *c)
{
	struct timeval limit = { .tv_sec = LINE_S };

	if (c->dead)
		return;
	bufferevent_enable(c->bev, EV_READ);
	event_add(c->deadline, &limit);
}

/* One turn of the reply, if its reader has taken enough of what went before. */
static void client_reply(struct client *c)
{
	size_t n;
	bool more;

	if (evbuffer_get_length(client_out(c)) >= OUT_HIGH)
		return; /* client_on_write() goes on */
	n = reply_turn(&c->reply, c->control->room, &more);
	client_put(c, c->control->room, n);
	if (!more) {
		c->replying = false;
		reply_end(&c->reply);
		if (!c->eof)
			client_wait_line(c);
	}
	client_again(c);
}

/* Take the next line from the input into `to`. Its length, or -1: there is none yet. */
static int take_line(struct client *c, char to[static IN_MAX])
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t n = evbuffer_get_length(in), take = n;
	struct evbuffer_ptr nl = evbuffer_search(in, "\n", 1, NULL);

	if (nl.pos >= 0)
		take = (size_t)nl.pos + 1;
	else if (n <= REPLY_LINE_MAX && !(c->eof && n > 0))
		return -1;
	if (take > IN_MAX)
		take = IN_MAX;
	evbuffer_remove(in, to, take);
	return (int)(take - (nl.pos >= 0 && (size_t)nl.pos < take));
}

/* Begin to answer the next line, if there is one. */
static void client_serve(struct client *c)
{
	char line[IN_MAX], why[256];
	struct out err = out_of(why, sizeof(why));
	int n = take_line(c, line), code = SM_EFORMAT;

	if (n < 0) {
		if (c->eof)
			client_finish(c);
		return;
	}
	event_del(c->deadline);
	if (n > REPLY_LINE_MAX)
		out_str(&err, "the line is too long");
	else
		code = reply_begin(&c->reply, c->control->admin, span_of(line, (size_t)n),
			c->right == CONTROL_CHANGE, &err);
	if (code == SM_OK) {
		c->replying = true;
		bufferevent_disable(c->bev, EV_READ);
	} else {
		client_refuse(c, why, out_len(&err));
	}
	if (code == SM_EFORMAT) {
		client_finish(c);
		return;
	}
	if (code != SM_OK && !c->eof)
		client_wait_line(c);
	client_again(c);
}

/* One thing in a turn of the loop. */
static void client_on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (c->dead || c->closing)
		return;
	if (c->replying)
		client_reply(c);
	else
		client_serve(c);
}

static void client_on_read(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	(void)bev;
	client_again(c);
}

static void client_on_write(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	(void)bev;
	if (c->dead)
		return;
	if (c->closing && evbuffer_get_length(client_out(c)) == 0)
		client_end(c);
	else if (c->replying)
		client_again(c);
}

/* The peer's end of its lines, which are answered still; or that it is gone, or takes nothing. */
static void client_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;

	(void)bev;
	if ((what & BEV_EVENT_EOF) == 0) {
		client_end(c);
		return;
	}
	c->eof = true;
	client_again(c);
}

static void client_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	static const char why[] = "no line for too long";
	struct client *c = arg;

	(void)fd;
	(void)what;
	client_refuse(c, why, sizeof(why) - 1);
	if (!c->dead)
		client_finish(c);
}

enum control_right control_right_of(const struct ucred *peer, const gid_t *groups, int group_count,
	uid_t owner, gid_t group)
{
	if (peer->uid == 0 || peer->uid == owner)
		return CONTROL_CHANGE;
	if (peer->gid == group)
		return CONTROL_READ;
	for (int i = 0; i < group_count; i++)
		if (groups[i] == group)
			return CONTROL_READ;
	return CONTROL_NOTHING;
}

/*
 * Asked of the kernel, which noted it when the peer connected. The group is the file's, which an
 * operator may have changed; the owner is whom this process runs as.
 */
static enum control_right right_of(const struct control *control, int fd)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ucred peer;
	struct stat st;
	gid_t groups[GROUPS_MAX], group = getegid();
	socklen_t peer_len = sizeof(peer), at_len = sizeof(at) - 1, groups_len = sizeof(groups);
	int count = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0)
		return CONTROL_NOTHING;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) == 0)
		count = (int)(groups_len / sizeof(groups[0]));
	if (getsockname(control->listener, (struct sockaddr *)&at, &at_len) == 0 &&
		stat(at.sun_path, &st) == 0)
		group = st.st_gid;
	return control_right_of(&peer, groups, count, geteuid(), group);
}

/* `fd` belongs to the client, even on failure. */
static struct client *client_new(struct control *control, int fd, enum control_right right)
{
	struct client *c = calloc(1, sizeof(*c));
	struct timeval limit = { .tv_sec = LINE_S };

	if (c != NULL)
		c->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		close(fd);
		free(c);
		return NULL;
	}
	c->control = control;
	c->right = right;
	c->deadline = evtimer_new(control->base, client_on_deadline, c);
	c->turn = evtimer_new(control->base, client_on_turn, c);
	if (c->deadline == NULL || c->turn == NULL) {
		client_free(c);
		return NULL;
	}
	bufferevent_setcb(c->bev, client_on_read, client_on_write, client_on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, IN_MAX);
	bufferevent_setwatermark(c->bev, EV_WRITE, OUT_LOW, 0);
	bufferevent_set_timeouts(c->bev, NULL, &limit);
	bufferevent_enable(c->bev, EV_WRITE);
	client_wait_line(c);
	return c;
}

/* Not even a client: one answer, if there is room for it, and out. */
static void turn_away(int fd, const char *why)
{
	(void)send(fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void control_take(struct control *control, int fd)
{
	enum control_right right = right_of(control, fd);
	int i = 0;

	if (right == CONTROL_NOTHING) {
		turn_away(fd, "error: not permitted: be root, or in the socket's group\n.\n");
		return;
	}
	while (i < CLIENTS_MAX && control->clients[i] != NULL)
		i++;
	if (i == CLIENTS_MAX) {
		turn_away(fd, "error: too many clients\n.\n");
		return;
	}
	control->clients[i] = client_new(control, fd, right);
}

static void control_on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };
	struct control *control = arg;

	(void)what;
	for (int i = 0; i < ACCEPT_BUDGET; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			control_take(control, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			event_del(control->accept_event);
			event_add(control->pause_event, &pause);
		}
		return;
	}
}

static void control_on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	event_add(control->accept_event, NULL);
}

struct control *control_new(struct event_base *base, int listener, const struct admin *a)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->base = base;
	c->admin = a;
	c->listener = listener;
	c->accept_event = event_new(base, listener, EV_READ | EV_PERSIST, control_on_accept, c);
	c->pause_event = evtimer_new(base, control_on_pause, c);
	c->reap_event = evtimer_new(base, control_on_reap, c);
	if (c->accept_event == NULL || c->pause_event == NULL || c->reap_event == NULL ||
		event_add(c->accept_event, NULL) < 0) {
		control_free(c);
		return NULL;
	}
	return c;
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i] != NULL)
			client_free(c->clients[i]);
	if (c->accept_event != NULL)
		event_free(c->accept_event);
	if (c->pause_event != NULL)
		event_free(c->pause_event);
	if (c->reap_event != NULL)
		event_free(c->reap_event);
	free(c);
}
