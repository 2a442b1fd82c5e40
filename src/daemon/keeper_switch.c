#include "daemon/keeper_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/notify.h"
#include "conf/conf.h"
#include "daemon/listen.h"

/*
 * Another configuration, or another program:
 *
 *   CHECK   a child loads all of it and says what is wrong; nothing has changed so far
 *   YIELD   the engine leaves its sessions to the keeper, but those that cannot move
 *   TRIAL   the next engine has them; if it dies before it has done well, all is taken back
 *
 * An engine never changes its own settings: what differs differs from its first octet on. Code tables and
 * certificates are no settings; if nothing else is asked for, the engine itself loads them again.
 */
enum {
	CHECK_MS = 60000,
	YIELD_MS = 10000,
	LISTENERS_MAX = 65536,
};

static int shm_kind(enum change kind)
{
	return kind == CHANGE_PROGRAM ? SHM_UPGRADE : SHM_RELOAD;
}

/* For who asks; and in a record. */
static void change_note(struct keeper *k, enum change kind, bool failed, bool quiet, const char *text)
{
	uint64_t number = atomic_load(&k->shm->change_number) + 1;
	int of = shm_kind(kind), other = SHM_CHANGE_KINDS - 1 - of;
	bool other_under_way = k->change.kind != CHANGE_NONE && shm_kind(k->change.kind) == other;
	struct shm_change *c = &k->shm->changes[number % SHM_CHANGES];

	c->wall_ns = clock_wall_ns();
	c->upgrade = (uint8_t)of;
	c->failed = failed;
	c->quiet = quiet;
	keeper_fit(c->text, sizeof(c->text), text);
	k->shm->kinds[of].last = *c;
	atomic_store(&k->shm->kinds[of].last_number, number);
	/* First: who asks in between must not take this one for the answer. */
	atomic_store(&k->shm->kinds[of].begun_number, number);
	atomic_store(&k->shm->kinds[other].begun_number, number + other_under_way);
	atomic_store(&k->shm->change_number, number);
}

/* From here on it is another one that answers who asks for one. */
static void change_note_begun(struct keeper *k, enum change kind)
{
	atomic_store(&k->shm->kinds[shm_kind(kind)].begun_number, atomic_load(&k->shm->change_number) + 1);
}

static void change_tell(struct keeper *k, enum change kind, bool failed, const char *text)
{
	change_note(k, kind, failed, false, text);
	if (k->engine != 0 && k->ready)
		engine_tell(k, CONTROL_TELL, 0);
	keeper_tell_ready(k);
}

static const char *change_name(enum change kind)
{
	return kind == CHANGE_PROGRAM ? "upgrade" : "reload";
}

static bool in_plan(const struct plan_fds *p, int fd)
{
	for (int i = 1; p != NULL && i < p->count; i++)
		if (p->fds[i] == fd)
			return true;
	return false;
}

void plan_close(struct plan_fds *p, const struct plan_fds *keep)
{
	for (int i = 1; p->fds != NULL && i < p->count; i++)
		if (p->fds[i] >= 0 && !in_plan(keep, p->fds[i]))
			close(p->fds[i]);
	free(p->fds);
	settings_free(p->settings);
	*p = (struct plan_fds){ .settings = NULL };
}

static void change_over(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	close_fd(&c->settings_fd);
	close_fd(&c->faults_fd);
	c->kind = CHANGE_NONE;
	c->checker = 0;
}

static void change_fail(struct keeper *k, const char *why)
{
	struct keeper_change *c = &k->change;
	enum change kind = c->kind;

	log_error("%s failed, nothing is changed: %s", change_name(kind), why);
	plan_close(&c->after, &k->plan);
	if (kind == CHANGE_PROGRAM)
		close_fd(&c->program_after);
	change_over(k);
	change_tell(k, kind, true, why);
	change_next(k);
}

/* The reason is in the change's own text. */
static void fail_so(struct keeper *k)
{
	char why[sizeof(k->change.text)];

	memcpy(why, k->change.text, sizeof(why));
	change_fail(k, why);
}

/* A set of rings that no engine has; -1: older ones with sessions have them all. */
static int free_set(const struct keeper *k)
{
	uint32_t now = atomic_load(&k->shm->set);

	for (int i = 0; i < SHM_SETS; i++)
		if ((uint32_t)i != now && atomic_load(&k->shm->older[i]) == 0)
			return i;
	return -1;
}

static bool change_allowed(const struct keeper *k, enum change kind, const char **ret_why)
{
	bool older = false;

	for (int i = 0; i < SHM_SETS; i++)
		older = older || atomic_load(&k->shm->older[i]) != 0;
	*ret_why = kind == CHANGE_PROGRAM && older ?
		"an engine of before still has sessions that cannot move" :
		free_set(k) < 0 ? "too many engines of before still have sessions that cannot move" : NULL;
	return *ret_why == NULL;
}

static bool *asked_again(struct keeper *k, enum change kind)
{
	return kind == CHANGE_PROGRAM ? &k->upgrade_again : &k->reload_again;
}

static void change_begin(struct keeper *k, enum change kind)
{
	struct keeper_change *c = &k->change;
	char state[64];
	const char *why;

	*c = (struct keeper_change){ .kind = kind, .step = STEP_CHECK, .settings_fd = -1,
		.faults_fd = -1, .program_after = -1,
		.until_ns = clock_mono_ns() + ms_ns(CHECK_MS) };
	*asked_again(k, kind) = false;
	k->last = kind;
	change_note_begun(k, kind);
	log_info("%s: checking %s", kind == CHANGE_PROGRAM ? "USR2" : "HUP",
		kind == CHANGE_PROGRAM ? k->program_path : "the configuration");
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(clock_mono_ns() / 1000));
	notify_send(state);
	if (kind == CHANGE_PROGRAM && !change_allowed(k, kind, &why)) {
		change_fail(k, why);
		return;
	}
	if (check_start(k) < 0)
		fail_so(k);
}

/* It has done well; or so far, and the next change takes its engine's place. */
static void program_keep(struct keeper *k)
{
	close_fd(&k->program_before);
	k->trial_until_ns = 0;
	log_info("the new program stays");
}

static void program_take_back(struct keeper *k)
{
	close_fd(&k->program);
	k->program = k->program_before;
	k->program_before = -1;
	k->trial_until_ns = 0;
}

void change_ask(struct keeper *k, enum change kind)
{
	if (k->stage != RUNNING)
		return;
	if (k->change.kind != CHANGE_NONE || !k->ready || k->reloading)
		*asked_again(k, kind) = true;
	else
		change_begin(k, kind);
}

void change_next(struct keeper *k)
{
	if (k->change.kind != CHANGE_NONE || !k->ready || k->reloading || k->stage != RUNNING)
		return;
	/* In turn: a storm of the one does not keep the other waiting. */
	if (k->upgrade_again && !(k->reload_again && k->last == CHANGE_PROGRAM))
		change_begin(k, CHANGE_PROGRAM);
	else if (k->reload_again)
		change_begin(k, CHANGE_CONFIG);
}

/* The sessions of links that are in the configuration no more stay where they are. */
static void mark_gone(struct keeper *k, const struct settings *s)
{
	uint32_t count = shm_link_count(k->shm);

	for (uint32_t i = 0; i < count; i++) {
		bool gone = true;

		for (int l = 0; l < s->link_count && gone; l++)
			gone = strcmp(s->links[l].name, shm_link(k->shm, i)->name) != 0;
		atomic_store(&shm_link(k->shm, i)->gone, gone);
	}
}

static void change_yield(struct keeper *k)
{
	struct keeper_change *c = &k->change;
	uint32_t limit_ms = 0;

	if (k->trial_until_ns != 0)
		program_keep(k);
	if (k->passed >= 0)
		(void)vault_hear(&k->vault, k->passed); /* which sessions have no socket here, the engine is told so */
	c->step = STEP_YIELD;
	c->until_ns = clock_mono_ns() + ms_ns(YIELD_MS);
	if (c->kind == CHANGE_PROGRAM)
		limit_ms = k->plan.settings->drain_timeout_ms > 0 ? k->plan.settings->drain_timeout_ms : 1;
	else
		mark_gone(k, c->after.settings);
	engine_tell(k, CONTROL_YIELD, limit_ms);
}

/* What differs; of what does not fit there is the number. The log has all. */
static void add_line(void *arg, const char *line)
{
	enum { MORE = sizeof("; and 4294967295 more") };
	struct keeper_change *c = arg;
	size_t n = strlen(c->text), room = sizeof(c->text) - MORE;

	log_info("reload: %s", line);
	if (n == 0)
		keeper_fit(c->text, room, line);
	else if (c->more == 0 && n + strlen("; ") + strlen(line) < room)
		snprintf(c->text + n, room - n, "; %s", line);
	else
		c->more++;
}

static void end_lines(struct keeper_change *c)
{
	size_t n = strlen(c->text);

	if (c->more > 0)
		snprintf(c->text + n, sizeof(c->text) - n, "; and %u more", c->more);
}

/* Descriptors of the plan: what listens already goes on doing so. 0, or negative and *ret is why. */
static int plan_open(struct keeper *k, struct plan_fds *p, struct listen_fault *ret)
{
	int listeners = listen_count(p->settings), controls = k->plan.count - FIXED_FDS -
		listen_count(k->plan.settings), err;

	p->count = FIXED_FDS + listeners + controls;
	snprintf(ret->text, sizeof(ret->text), "%s", err_text(-ENOMEM));
	p->fds = malloc((size_t)p->count * sizeof(*p->fds));
	if (p->fds == NULL)
		return -ENOMEM;
	for (int i = 0; i < p->count; i++)
		p->fds[i] = -1;
	err = listen_reopen(k->plan.settings, k->plan.fds + FIXED_FDS, p->settings, p->fds + FIXED_FDS, ret);
	if (err < 0)
		return err;
	p->fds[FD_SHM] = k->plan.fds[FD_SHM];
	for (int i = 0; i < controls; i++)
		p->fds[FIXED_FDS + listeners + i] = k->plan.fds[k->plan.count - controls + i];
	p->fds[FD_SETTINGS] = engine_settings_fd(p->settings);
	if (p->fds[FD_SETTINGS] >= 0)
		return 0;
	snprintf(ret->text, sizeof(ret->text), "%s", err_text(p->fds[FD_SETTINGS]));
	return p->fds[FD_SETTINGS];
}

/* Is there a number for each link that is new? If not, *c says so: no engine could start. */
static bool numbers_suffice(struct keeper *k, struct keeper_change *c)
{
	const struct settings *s = c->after.settings;
	uint32_t left = SHM_LINKS_MAX - shm_link_count(k->shm), more = 0;

	for (int i = 0; i < s->link_count; i++)
		more += !shm_link_known(k->shm, s->links[i].name);
	if (more <= left)
		return true;
	snprintf(c->text, sizeof(c->text), "%u links have new names, and %u of %d are left until a restart: "
		"those that were used before, too, are kept", more, left, SHM_LINKS_MAX);
	return false;
}

/* The checker has found the configuration good: how does it differ from the one in effect? */
static void config_checked(struct keeper *k)
{
	struct keeper_change *c = &k->change;
	struct conf_faults faults = { .look_up = LOOK_UP_NONE }; /* the checker has said it all */
	struct listen_fault fault;
	const char *why;
	int count;

	c->text[0] = '\0';
	c->after.settings = conf_load_fd(c->settings_fd, &faults);
	if (c->after.settings == NULL) {
		change_fail(k, "what was checked cannot be read");
		return;
	}
	count = conf_diff(k->plan.settings, c->after.settings, add_line, c);
	end_lines(c);
	if (count == 0 && !k->blind) {
		plan_close(&c->after, &k->plan);
		change_over(k);
		log_info("reload: the configuration is the same; code tables and certificates are loaded again");
		k->reloading = true;
		engine_tell(k, CONTROL_RELOAD, 0);
		return;
	}
	if (!change_allowed(k, CHANGE_CONFIG, &why)) {
		change_fail(k, why);
		return;
	}
	if (!numbers_suffice(k, c))
		fail_so(k);
	else if (plan_open(k, &c->after, &fault) < 0)
		change_fail(k, fault.text);
	else
		change_yield(k);
}

void change_reloaded(struct keeper *k, const char *why)
{
	k->reloading = false;
	/* Else what needs a restart, if anything: no other change began meanwhile. */
	change_note(k, CHANGE_CONFIG, why != NULL, true, why != NULL ? why : k->change.text);
	keeper_tell_ready(k);
	change_next(k);
}

void change_checked(struct keeper *k, int status)
{
	struct keeper_change *c = &k->change;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;

	c->checker = 0;
	check_read(c);
	if (!good && c->late)
		snprintf(c->text, sizeof(c->text), "the check takes too long");
	else if (!good && c->text[0] == '\0' && WIFSIGNALED(status))
		snprintf(c->text, sizeof(c->text), "the check ended by signal %d", WTERMSIG(status));
	else if (!good && c->text[0] == '\0')
		snprintf(c->text, sizeof(c->text), "the check ended with code %d", WEXITSTATUS(status));
	if (k->stage != RUNNING) {
		change_over(k);
	} else if (!good) {
		fail_so(k);
	} else if (k->engine == 0 || !k->ready) {
		change_fail(k, "the engine died meanwhile");
	} else if (c->kind == CHANGE_PROGRAM) {
		c->text[0] = '\0';
		change_yield(k);
	} else {
		config_checked(k);
	}
}

/* The next engine starts with what is new. */
static void change_try(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	c->step = STEP_TRIAL;
	c->until_ns = UINT64_MAX;
	k->blind = false;
	k->deaths = 0;
	if (c->kind == CHANGE_CONFIG) {
		c->before = k->plan;
		k->plan = c->after;
		c->after = (struct plan_fds){ .settings = NULL };
	} else {
		k->program_before = k->program;
		k->program = c->program_after;
		k->trial_until_ns = UINT64_MAX;
		k->move_failed = false;
		c->program_after = -1;
	}
}

/* A place for one more; there are more than sets, so the one it is taken from just ends. */
static struct older *older_place(struct keeper *k)
{
	struct older *o = k->older;

	while (o->pid != 0 && o < k->older + OLDER_MAX - 1)
		o++;
	for (int i = 0; o->pid != 0 && i < OLDER_MAX; i++)
		if (k->older[i].set == SHM_SETS)
			o = &k->older[i];
	if (o->pid != 0)
		close_fd(&o->control);
	return o;
}

void change_yielded(struct keeper *k, uint32_t left)
{
	uint32_t set = atomic_load(&k->shm->set);
	struct older *o;
	int next = free_set(k);

	if (k->change.step != STEP_YIELD || k->change.kind == CHANGE_NONE)
		return;
	o = older_place(k);
	*o = (struct older){ k->engine, k->control, left > 0 ? set : SHM_SETS };
	k->engine = 0;
	k->control = -1;
	if (left > 0) {
		log_info("engine pid=%d keeps %u sessions until they end", (int)o->pid, left);
		atomic_store(&k->shm->older[set], atomic_load(&k->shm->engine));
		atomic_store(&k->shm->set, (uint32_t)next);
	}
	change_try(k);
	atomic_store(&k->shm->suspect, 0); /* it died of nothing */
	engine_start(k);
	if (k->stage != RUNNING)
		keeper_tell_end(k, false); /* the others know */
}

static const char taken_back[] = "the new engine died: the old one's place is taken by another of its kind";

/* All as it was before. */
static void change_take_back(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	if (c->kind == CHANGE_CONFIG) {
		c->after = k->plan;
		k->plan = c->before;
		c->before = (struct plan_fds){ .settings = NULL };
		mark_gone(k, k->plan.settings);
	} else {
		program_take_back(k);
	}
	change_fail(k, taken_back);
}

bool change_engine_died(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	if (k->stage != RUNNING) {
		if (c->kind != CHANGE_NONE && c->step == STEP_YIELD) {
			c->step = STEP_TRIAL; /* nobody begins with the listeners any more */
			keeper_tell_end(k, false);
		}
		return false;
	}
	if (c->kind != CHANGE_NONE && c->step == STEP_YIELD) {
		change_try(k); /* it need not yield any more */
	} else if (c->kind != CHANGE_NONE && c->step == STEP_TRIAL) {
		change_take_back(k);
	} else if (k->trial_until_ns != 0) {
		program_take_back(k);
		log_error("upgrade failed, nothing is changed: %s", taken_back);
		change_tell(k, CHANGE_PROGRAM, true, taken_back);
	} else {
		return false;
	}
	return true;
}

void change_engine_ready(struct keeper *k)
{
	struct keeper_change *c = &k->change;
	char text[sizeof(c->text)];

	if (c->kind == CHANGE_NONE || c->step != STEP_TRIAL) {
		change_next(k);
		return;
	}
	memcpy(text, c->text, sizeof(text));
	log_info("%s done", change_name(c->kind));
	change_tell(k, c->kind, false, text);
	if (c->kind == CHANGE_PROGRAM)
		k->trial_until_ns = clock_mono_ns() + ms_ns(GOOD_MS);
	plan_close(&c->before, &k->plan);
	change_over(k);
	change_next(k);
}

/* A step of a change takes too long. Returns when to look again. */
static uint64_t step_due(struct keeper *k, uint64_t now)
{
	struct keeper_change *c = &k->change;

	if (c->kind == CHANGE_NONE)
		return UINT64_MAX;
	if (now < c->until_ns)
		return c->until_ns;
	if (c->step == STEP_CHECK && c->checker > 0) {
		c->late = true;
		kill(c->checker, SIGKILL);
	} else if (c->step == STEP_YIELD) {
		engine_kill(k, "does not yield");
	}
	c->until_ns = now + ms_ns(CHECK_MS);
	return c->until_ns;
}

uint64_t change_due(struct keeper *k, uint64_t now)
{
	uint64_t next = step_due(k, now);

	if (k->trial_until_ns == 0)
		return next;
	if (now >= k->trial_until_ns)
		program_keep(k);
	else if (k->trial_until_ns < next)
		next = k->trial_until_ns;
	return next;
}

void change_stop(struct keeper *k)
{
	if (k->change.kind != CHANGE_NONE && k->change.checker > 0)
		kill(k->change.checker, SIGKILL);
}

void change_close(struct keeper *k)
{
	struct keeper_change *c = &k->change;

	if (c->kind == CHANGE_NONE)
		return;
	plan_close(&c->before, &k->plan);
	plan_close(&c->after, &k->plan);
	close_fd(&c->program_after);
	change_over(k);
}
