#include "admin/change.h"

/*
 * The keeper does it, and another engine may answer when it is done: so the answer is the number that the
 * last change had, and who wants to know asks `change` until there is another. One of the same kind that is under
 * way may have read what is no longer there: then the answer is the number that it will have.
 */

static bool ask(struct reply *r, uint32_t i, int kind)
{
	const struct shm *s = r->admin->shm;
	uint64_t begun = atomic_load(&s->kinds[kind].begun_number);

	if (i > 0)
		return false;
	out_fmt(r->out, "%llu\n", (unsigned long long)begun);
	if (r->admin->ask != NULL)
		r->admin->ask(kind == SHM_UPGRADE);
	return true;
}

static bool ask_reload(struct reply *r, uint32_t i)
{
	return ask(r, i, SHM_RELOAD);
}

static bool ask_upgrade(struct reply *r, uint32_t i)
{
	return ask(r, i, SHM_UPGRADE);
}

/* The last change, then the last one of the other kind, if there was one. */
static bool last_change(struct reply *r, uint32_t i)
{
	const struct shm *s = r->admin->shm;
	const struct shm_change *c = shm_change(s);
	uint64_t number = atomic_load(&s->change_number);

	if (i == 1) {
		int other = SHM_CHANGE_KINDS - 1 - c->upgrade;

		number = atomic_load(&s->kinds[other].last_number);
		c = &s->kinds[other].last;
	}
	if (i > 1 || (i == 1 && number == 0))
		return false;
	out_fmt(r->out, "%llu %s %s%s", (unsigned long long)number, c->upgrade ? "upgrade" : "reload",
		c->failed ? "failed" : "ok", c->text[0] != '\0' ? " " : "");
	text_escape(r->out, span_of(c->text, strnlen(c->text, sizeof(c->text))), false);
	out_char(r->out, '\n');
	return true;
}

const struct part reload_text[] = { { ask_reload }, { NULL } };
const struct part upgrade_text[] = { { ask_upgrade }, { NULL } };
const struct part change_text[] = { { last_change }, { NULL } };
