#include "daemon/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pass.h"

/*
 * Descriptors that no socket gets: an engine that starts, a check and new listeners need some, and without them the
 * sessions that are kept would have nobody to go on in.
 */
enum { RESERVE = 32 };

int vault_init(struct vault *v, struct shm *shm)
{
	*v = (struct vault){ .shm = shm };
	v->place = calloc(shm->session_max, sizeof(*v->place));
	return v->place != NULL ? 0 : -ENOMEM;
}

static void item_close(struct vault_item *i)
{
	for (int side = 0; side < 2; side++)
		if (i->fd[side] >= 0)
			close(i->fd[side]);
}

/* The last one takes the place of the one that goes. */
static void item_remove(struct vault *v, uint32_t at)
{
	struct vault_item *i = &v->items[at], *last = &v->items[v->count - 1];

	item_close(i);
	v->place[i->slot] = 0;
	if (i != last) {
		*i = *last;
		v->place[i->slot] = at + 1;
	}
	v->count--;
}

/* The item of the slot's session; NULL: no memory. */
static struct vault_item *item_of(struct vault *v, const struct pass_note *note)
{
	uint32_t at = v->place[note->slot];
	struct vault_item *more;

	if (at != 0 && v->items[at - 1].session == note->session)
		return &v->items[at - 1];
	if (at != 0)
		item_remove(v, at - 1);
	if (v->count == v->room) {
		uint32_t room = v->room < 64 ? 64 : 2 * v->room;

		more = realloc(v->items, room * sizeof(*more));
		if (more == NULL)
			return NULL;
		v->items = more;
		v->room = room;
	}
	v->place[note->slot] = ++v->count;
	v->items[v->count - 1] = (struct vault_item){ note->session, note->slot, { -1, -1 } };
	return &v->items[v->count - 1];
}

static void put(struct vault *v, const struct pass_note *note, int fd)
{
	struct vault_item *i = NULL;

	if (note->slot < v->shm->session_max && note->side < 2)
		i = item_of(v, note);
	if (i == NULL) {
		close(fd);
		return;
	}
	if (i->fd[note->side] >= 0)
		close(i->fd[note->side]);
	i->fd[note->side] = fd;
}

int vault_take(struct vault *v, const struct vault_item *items, uint32_t count)
{
	v->items = malloc(((size_t)count + 1) * sizeof(*items));
	if (v->items == NULL)
		return -ENOMEM;
	v->room = count + 1;
	for (uint32_t i = 0; i < count; i++) {
		if (items[i].slot >= v->shm->session_max)
			continue;
		v->items[v->count++] = items[i];
		v->place[items[i].slot] = v->count;
	}
	return 0;
}

/* The session ends with its engine, which keeps it as long as it can. Told once a second: they may be many. */
static void unkept(struct vault *v, const struct pass_note *note)
{
	struct shm_session *s = note->slot < v->shm->session_max ? shm_session(v->shm, note->slot) : NULL;
	uint64_t now = clock_mono_ns();

	if (now - v->told_ns >= 1000000000u) {
		log_warn("no descriptor left to keep a session's socket: it will not outlive its engine");
		v->told_ns = now;
	}
	atomic_fetch_add(&v->shm->unkept, 1);
	if (s != NULL && s->id == note->session)
		atomic_store(&s->unkept, 1);
}

/* The lowest number is given first, so there are hardly others. Asked each time: it may be changed from outside. */
static bool of_reserve(int fd)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && (rlim_t)fd + RESERVE >= r.rlim_cur;
}

bool vault_hear(struct vault *v, int sock)
{
	struct pass_note note;
	int fd, got;

	while ((got = pass_receive(sock, &note, &fd)) > 0 || got == -EMFILE) {
		if (got > 0 && !of_reserve(fd)) {
			put(v, &note, fd);
			continue;
		}
		if (got > 0)
			close(fd);
		unkept(v, &note);
	}
	return got != 0;
}

void vault_sweep(struct vault *v)
{
	for (uint32_t i = v->count; i-- > 0;)
		if (shm_session(v->shm, v->items[i].slot)->id != v->items[i].session)
			item_remove(v, i);
}

uint32_t vault_fds(const struct vault *v)
{
	return 2 * v->count;
}

int vault_lend(struct vault *v, int first, int *fds)
{
	int n = 0;

	for (uint32_t i = 0; i < v->count; i++) {
		const struct vault_item *item = &v->items[i];
		struct shm_session *s = shm_session(v->shm, item->slot);

		if (s->id != item->session || shm_engine_lives(v->shm, s->engine))
			continue;
		for (int side = 0; side < 2; side++) {
			s->fd[side] = item->fd[side] >= 0 ? first + n : 0;
			if (item->fd[side] >= 0)
				fds[n++] = item->fd[side];
		}
	}
	return n;
}

void vault_close(struct vault *v)
{
	while (v->count > 0)
		item_remove(v, v->count - 1);
	free(v->items);
	free(v->place);
}
