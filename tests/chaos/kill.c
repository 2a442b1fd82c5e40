#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

/* Deaths of the engine, upgrades and reloads, and for how long nothing moved after each death. */

enum { QUIET_BEGIN_MS = 300, ENGINES_MAX = 64 };

struct instant {
	uint64_t at_us;
	uint64_t all_us, one_us; /* longest time without an octet: of all sessions, of any one */
};

static struct instant *instants; /* of kills, sorted; of upgrades and reloads where none is killed */
static int count, done;
static uint32_t random_state;
static uint64_t end_us, moved_us, upgrade_at_us, reload_at_us;
static unsigned int upgrades, reloads;
static pid_t last_pid, seen[ENGINES_MAX]; /* seen: engines at the last look */
static int seen_count;
static unsigned int engines_seen;

static int by_time(const void *a, const void *b)
{
	const struct instant *x = a, *y = b;

	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/* Upgrades and reloads there can be, which are looked at where nothing is killed. */
static size_t changes_most(void)
{
	size_t most = 0;

	if (opt.upgrade_ms > 0)
		most += (size_t)opt.seconds * 1000 / (size_t)opt.upgrade_ms + 1;
	if (opt.reload_ms > 0)
		most += (size_t)opt.seconds * 1000 / (size_t)opt.reload_ms + 1;
	return most;
}

void kills_begin(void)
{
	uint32_t span_us = (uint32_t)opt.seconds * 1000000u - QUIET_BEGIN_MS * 1000u;
	uint64_t begin_us = now_us();

	random_state = opt.seed ^ 0xdead;
	moved_us = begin_us;
	end_us = begin_us + (uint64_t)opt.seconds * 1000000u;
	count = opt.kills;
	instants = calloc((size_t)count + changes_most() + 1, sizeof(*instants));
	if (instants == NULL)
		give_up("out of memory");
	for (int i = 0; i < count; i++)
		instants[i].at_us = begin_us + QUIET_BEGIN_MS * 1000 + random_below(&random_state, span_us);
	qsort(instants, (size_t)count, sizeof(*instants), by_time);
	upgrade_at_us = opt.upgrade_ms > 0 ? begin_us + (uint64_t)opt.upgrade_ms * 1000 : UINT64_MAX;
	reload_at_us = opt.reload_ms > 0 ? begin_us + (uint64_t)opt.reload_ms * 1000 : UINT64_MAX;
	for (int i = 0; i < opt.sessions; i++)
		sessions[i].moved_us = begin_us;
}

/* What has not moved until now belongs to the last death. */
static void silence(uint64_t *longest_us, uint64_t since_us, uint64_t now)
{
	if (done > 0 && now - since_us > *longest_us)
		*longest_us = now - since_us;
}

/* What has happened now is what a silence from here on is for. */
static void begin_instant(uint64_t now)
{
	if (done > 0) {
		silence(&instants[done - 1].all_us, moved_us, now);
		for (int i = 0; i < opt.sessions; i++)
			silence(&instants[done - 1].one_us, sessions[i].moved_us, now);
	}
	instants[done++].at_us = now;
}

/*
 * An upgrade has two engines for a moment: either may die. The one that died, or stands still, last
 * is no longer one to choose; its death is only not seen yet.
 */
static bool kill_one(uint64_t now)
{
	pid_t engines[ENGINES_MAX];
	int n = daemon_engines(engines, ENGINES_MAX);
	pid_t pid = n > 0 ? engines[random_below(&random_state, (uint32_t)n)] : 0;

	if (pid == 0 || pid == last_pid || kill(pid, opt.signal) < 0)
		return false;
	last_pid = pid;
	begin_instant(now);
	return true;
}

/*
 * No engine just now: another instant of the time that is left. Not the next moment: then each engine would
 * die as it begins, and the keeper rightly waits longer each time.
 */
static void draw_again(uint64_t now)
{
	uint32_t left_us = end_us > now ? (uint32_t)(end_us - now) : 0;

	instants[done].at_us = now + 1 + random_below(&random_state, left_us);
	qsort(instants + done, (size_t)(count - done), sizeof(*instants), by_time);
}

void kills_turn(void)
{
	uint64_t now = now_us();

	if (now >= upgrade_at_us) {
		daemon_signal(SIGUSR2);
		upgrades++;
		if (count == 0)
			begin_instant(now);
		upgrade_at_us += (uint64_t)opt.upgrade_ms * 1000;
	}
	if (now >= reload_at_us) {
		daemon_signal(SIGHUP);
		reloads++;
		if (count == 0)
			begin_instant(now);
		reload_at_us += (uint64_t)opt.reload_ms * 1000;
	}
	if (done < count && now >= instants[done].at_us && !kill_one(now))
		draw_again(now);
}

void kills_look(void)
{
	pid_t now[ENGINES_MAX];
	int n = daemon_engines(now, ENGINES_MAX);

	for (int i = 0; i < n; i++) {
		bool old = false;

		for (int k = 0; k < seen_count; k++)
			old = old || seen[k] == now[i];
		engines_seen += !old;
	}
	memcpy(seen, now, (size_t)n * sizeof(*now));
	seen_count = n;
}

void kills_moved(struct session *s)
{
	uint64_t now = now_us();

	if (done > 0) {
		silence(&instants[done - 1].all_us, moved_us, now);
		silence(&instants[done - 1].one_us, s->moved_us, now);
	}
	moved_us = s->moved_us = now;
}

void kills_excuse(struct session *s)
{
	s->moved_us = now_us();
}

const char *kills_last(char to[96])
{
	if (done == 0)
		snprintf(to, 96, "before the first kill");
	else if (count == 0)
		snprintf(to, 96, "%.1f ms after change %d",
			(double)(now_us() - instants[done - 1].at_us) / 1000.0, done);
	else
		snprintf(to, 96, "%.1f ms after kill %d (%s to engine %d)",
			(double)(now_us() - instants[done - 1].at_us) / 1000.0, done,
			sigabbrev_np(opt.signal), (int)last_pid);
	return to;
}

int kills_done(void)
{
	return count > 0 ? done : 0;
}

void kills_enough(void)
{
	/* Who stands still is replaced after a while only. */
	int least = opt.signal == SIGSTOP ? count > 0 : count * 9 / 10;

	if (count > 0 && done < least)
		fault("only %d of %d kills found an engine", done, count);
	if (upgrades > 0 && count == 0 && engines_seen < 2)
		fault("%u upgrades were asked for, and the engine is still the first one", upgrades);
}

static int by_all(const void *a, const void *b)
{
	const struct instant *x = a, *y = b;

	return x->all_us < y->all_us ? -1 : x->all_us > y->all_us;
}

static int by_one(const void *a, const void *b)
{
	const struct instant *x = a, *y = b;

	return x->one_us < y->one_us ? -1 : x->one_us > y->one_us;
}

static double ms(uint64_t us)
{
	return (double)us / 1000.0;
}

void kills_sum(void)
{
	const struct instant *half, *most, *worst;

	printf("  %d kills by %s, %u upgrades and %u reloads asked for, %u engines seen\n",
		count > 0 ? done : 0, sigabbrev_np(opt.signal), upgrades, reloads, engines_seen);
	if (done > 0) {
		half = &instants[done / 2];
		most = &instants[(done - 1) * 99 / 100];
		worst = &instants[done - 1];
		qsort(instants, (size_t)done, sizeof(*instants), by_all);
		printf("  longest silence around a %s, ms: all sessions p50 %.1f p99 %.1f max %.1f",
			count > 0 ? "kill" : "change", ms(half->all_us), ms(most->all_us), ms(worst->all_us));
		qsort(instants, (size_t)done, sizeof(*instants), by_one);
		printf("; any one session p50 %.1f p99 %.1f max %.1f\n", ms(half->one_us), ms(most->one_us),
			ms(worst->one_us));
	}
	free(instants);
}
