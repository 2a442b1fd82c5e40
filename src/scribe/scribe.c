#include "scribe/scribe_state.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

enum {
	BUDGET = 1024,         /* entries of one ring before the next ring has its turn */
	POLL_MS = 4,           /* between looks at the rings while there is traffic */
	IDLE_MS = 20,
	IDLE_AFTER = 50,       /* empty looks before the slower pace */
};

enum { LOST_EVERY_NS = 1000000000 };

/*
 * An entry that was in hand when an engine was killed is read again, before anything new is told: what has been told
 * of it already has the same ids, by which a sink knows it.
 */
static uint64_t next_id(struct scribe *s)
{
	uint64_t last = atomic_load_explicit(&s->shm->next_record, memory_order_relaxed), id = last + 1;

	if (s->told_id != 0)
		id = s->told_id++;
	if (id > last) /* there may be more to tell this time */
		atomic_store_explicit(&s->shm->next_record, id, memory_order_relaxed);
	if (s->entry != NULL && s->entry->record == 0)
		s->entry->record = id;
	return id;
}

void scribe_emit(struct scribe *s, struct record *r)
{
	r->id = next_id(s);
	tally_add(&s->tallies->all.records[r->kind], 1);
	if (r->has_code && r->kind != REC_UNKNOWN_CODE)
		tally_add(r->answer_count > 0 ? &s->tallies->all.known : &s->tallies->all.unknown, 1);
	if (r->kind == REC_MALFORMED)
		tally_add(&s->tallies->all.malformed, 1);
	scribe_tally_link(s, r);
	s->given++;
	for (int i = 0; i < s->sink_count; i++)
		sink_put(s->sinks[i], r);
	if (code_is_unknown(r) || err_is_unknown(r))
		scribe_unknown_note(s, r);
}

void scribe_account(struct scribe *s)
{
	if (s->given == 0)
		tally_add(&s->tallies->all.silent, 1);
	else
		tally_add(&s->tallies->all.extra, s->given - 1);
}

void track_end(struct scribe *s, struct track *t)
{
	if (s->held != NULL && t->session != 0)
		scribe_release(s, t->session);
	scope_free(t->scope);
	free(t->words);
	*t = (struct track){ 0 };
}

static void track_begin(struct scribe *s, struct track *t, const struct ring_entry *e)
{
	const struct scope_link *link = &s->links[scribe_link_of(s, e->link)];
	const struct session_event *open = (const void *)(e + 1);
	const struct shm_seen *seen = shm_seen(s->shm, e->slot);
	bool known = seen->session == e->session && seen->opened_mono_ns != 0;

	track_end(s, t);
	t->session = e->session;
	t->opened_mono_ns = known ? seen->opened_mono_ns : e->mono_ns;
	t->link = link->index;
	t->account = link->account;
	if (e->kind == RING_EVENT && e->len == sizeof(*open) && open->kind == EVENT_OPEN)
		memcpy(t->peer, open->text, strnlen(open->text, sizeof(t->peer) - 1));
	else if (known)
		memcpy(t->peer, seen->peer, sizeof(t->peer));
	t->scope = scope_new(link, e->session, t->peer[0] != '\0' ? t->peer : NULL);
	if (t->scope != NULL && e->proto != 0)
		scope_resume(t->scope, proto_by_letter((char)e->proto), e->dialect,
			(e->flags & RING_LOGGED_IN) != 0);
	if (t->scope != NULL && known)
		scope_known_as(t->scope, seen->account);
}

struct track *scribe_track(struct scribe *s, const struct ring_entry *e)
{
	struct track *t;

	if (e->slot >= s->shm->session_max || e->session == 0)
		return NULL;
	t = &s->tracks[e->slot];
	/* Without its opening (lost, or seen by an earlier engine) any entry says enough to go on. */
	if (t->session != e->session)
		track_begin(s, t, e);
	return t;
}

/* Of a session that went on in another engine a frame, or the end, may be there twice. */
static bool seen_before(struct scribe *s, const struct ring_entry *e)
{
	struct shm_seen *seen;
	int from = (e->flags & RING_GW) != 0 ? SIDE_GW : SIDE_SP;

	if (e->slot >= s->shm->session_max || e->session == 0 || (e->flags & RING_OURS) != 0)
		return false;
	seen = shm_seen(s->shm, e->slot);
	if (seen->session != e->session)
		return false;
	if (e->kind == RING_FRAME)
		return e->offset < seen->to[from];
	return seen->closed != 0 && e->kind == RING_EVENT &&
	       ((const struct session_event *)(const void *)(e + 1))->kind == EVENT_CLOSE;
}

/* What only its beginning tells of a session, for who begins in the middle of it. */
static void note_beginning(struct shm_seen *seen, const struct track *t, const struct ring_entry *e)
{
	if (t->session != e->session)
		return;
	if (e->kind == RING_EVENT && seen->opened_mono_ns == 0) {
		seen->opened_mono_ns = t->opened_mono_ns;
		memcpy(seen->peer, t->peer, sizeof(seen->peer));
	}
	if (e->kind == RING_FRAME && t->scope != NULL &&
		((e->flags & RING_LOGGED_IN) == 0 || seen->account[0] == '\0'))
		snprintf(seen->account, sizeof(seen->account), "%s", scope_account(t->scope));
}

static void note_seen(struct scribe *s, const struct ring_entry *e)
{
	struct shm_seen *seen;
	int from = (e->flags & RING_GW) != 0 ? SIDE_GW : SIDE_SP;

	if (e->slot >= s->shm->session_max || e->session == 0 || (e->flags & RING_OURS) != 0)
		return;
	seen = shm_seen(s->shm, e->slot);
	if (seen->session != e->session)
		*seen = (struct shm_seen){ .session = e->session };
	note_beginning(seen, &s->tracks[e->slot], e);
	if (e->kind == RING_FRAME)
		seen->to[from] = e->offset + e->wire_len;
	else if (e->kind == RING_EVENT)
		seen->closed |= ((const struct session_event *)(const void *)(e + 1))->kind ==
				EVENT_CLOSE;
}

static void take_entry(struct scribe *s, struct ring_entry *e, bool suspect)
{
	bool whole = e->len + e->note_len <= e->size - sizeof(*e) &&
		     (e->kind != RING_EVENT || e->len >= sizeof(struct session_event));

	s->given = 0;
	s->kept = false;
	s->link = scribe_link_of(s, e->link);
	s->entry = e;
	s->told_id = e->record;
	if (whole && (e->told == RING_WAITS || !seen_before(s, e))) {
		if (e->kind == RING_FRAME)
			scribe_frame(s, e, suspect, false);
		else if (e->kind == RING_EVENT && !suspect)
			scribe_event(s, e);
		note_seen(s, e);
	}
	s->entry = NULL;
	s->told_id = 0;
	tally_add(&s->tallies->all.entries, 1);
	if (!s->kept)
		scribe_account(s);
}

/* The ring whose next entry is the oldest, or -1: what several workers saw comes in the order of its times. */
static int oldest_ring(const struct scribe *s)
{
	uint64_t oldest_ns = UINT64_MAX;
	int best = -1;

	for (int i = 0; i < (int)s->shm->ring_count; i++) {
		const struct ring_entry *e = ring_next(shm_ring(s->shm, i));

		if (e != NULL && e->mono_ns < oldest_ns) {
			oldest_ns = e->mono_ns;
			best = i;
		}
	}
	return best;
}

static void take_next(struct scribe *s, int i)
{
	struct ring *ring = shm_ring(s->shm, i);
	struct ring_entry *e = ring_next(ring);

	ring_hold(ring);
	take_entry(s, e, s->suspect[i]);
	s->suspect[i] = false;
	ring_consume(ring, e);
}

void scribe_take_in_hand(struct scribe *s)
{
	for (int i = 0; i < (int)s->shm->ring_count; i++) {
		const struct ring_entry *e = ring_next(shm_ring(s->shm, i));

		if (e != NULL && e->record != 0)
			take_next(s, i);
	}
}

/* How many entries there were, BUDGET at most. */
static int drain(struct scribe *s)
{
	int n, i;

	for (n = 0; n < BUDGET && !atomic_load_explicit(&s->leave, memory_order_relaxed) &&
		(i = oldest_ring(s)) >= 0; n++)
		take_next(s, i);
	return n;
}

/* Entries that a ring had no room for since the last time it was told. */
static void tell_lost(struct scribe *s, int i)
{
	struct ring *ring = shm_ring(s->shm, i);
	uint64_t lost = atomic_load_explicit(&ring->lost, memory_order_relaxed), first;
	struct record r;

	if (lost == s->lost_seen[i])
		return;
	record_init(&r, REC_LOST);
	first = atomic_exchange(&ring->lost_first_ns, 0);
	r.wall_ns = clock_wall_ns();
	record_uint_extra(&r, "lost", lost - s->lost_seen[i]);
	record_words_extra(&r, "where", "ring");
	record_uint_extra(&r, "worker", (uint64_t)i % s->shm->workers);
	if (first != 0)
		record_time_extra(&r, "from", first);
	record_time_extra(&r, "to", atomic_load(&ring->lost_last_ns));
	tally_add(&s->tallies->all.lost, lost - s->lost_seen[i]);
	tally_add(&s->tallies->all.extra, 1);
	s->lost_seen[i] = lost;
	s->link = s->link_count;
	scribe_emit(s, &r);
}

static void tell_losses(struct scribe *s, uint64_t now_ns)
{
	if (now_ns - s->lost_told_ns < LOST_EVERY_NS)
		return;
	s->lost_told_ns = now_ns;
	for (int i = 0; i < (int)s->shm->ring_count; i++)
		tell_lost(s, i);
}

/* One look at the rings; how many entries it took. */
static int turn(struct scribe *s)
{
	int n = drain(s);
	uint64_t now_ns = clock_mono_ns();

	scribe_tick(s, now_ns);
	tell_losses(s, now_ns);
	for (int i = 0; i < s->sink_count; i++)
		sink_flush(s->sinks[i]);
	atomic_store_explicit(&s->shm->beat_scribe_ns, now_ns, memory_order_relaxed);
	return n;
}

static void *run(void *arg)
{
	struct scribe *s = arg;
	int empty = 0, n;

	thread_name("scribe");
	thread_background();
	/* What an engine died of may be among what it had read before. */
	if (atomic_load(&s->shm->engine_starts) > 1 && atomic_load(&s->shm->suspect) == 0)
		scribe_look_back(s);
	else
		scribe_take_in_hand(s);
	for (;;) {
		bool stop = atomic_load(&s->stop);
		struct timespec pause = { 0, POLL_MS * 1000000L };

		scribe_take_change(s);
		if (atomic_load(&s->leave))
			return NULL;
		n = turn(s);
		if (n == BUDGET || (stop && n > 0))
			continue;
		if (stop)
			break;
		empty = n > 0 ? 0 : empty + 1;
		if (empty > IDLE_AFTER) {
			empty = IDLE_AFTER;
			pause.tv_nsec = IDLE_MS * 1000000L;
		}
		(void)nanosleep(&pause, NULL);
	}
	s->lost_told_ns = 0;
	scribe_release(s, 0);
	tell_losses(s, clock_mono_ns());
	for (int i = 0; i < s->sink_count; i++)
		sink_flush(s->sinks[i]);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct scribe *s)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* What the links' scopes borrow: names, and profiles found by name. */
static bool prepare_links(struct scribe *s, const struct code_set *codes)
{
	s->of = calloc((size_t)s->link_count + 1, sizeof(*s->of));
	s->links = calloc((size_t)s->link_count + 1, sizeof(*s->links));
	if (s->of == NULL || s->links == NULL)
		return false;
	for (int i = 0; i < s->settings->link_count; i++)
		s->of[s->settings->links[i].number] = &s->settings->links[i];
	s->profiles = scribe_profiles(s, codes);
	if (s->profiles == NULL)
		return false;
	for (int i = 0; i <= s->link_count; i++) {
		const struct link_settings *from = s->of[i];

		s->links[i] = (struct scope_link){
			.name = i < s->link_count ? shm_link(s->shm, (uint32_t)i)->name : NULL,
			.proto = from != NULL ? from->proto : NULL,
			.codes = codes,
			.profiles = s->profiles + (size_t)i * (NAMES_MAX + 1),
			.pending = from != NULL ? from->pending : 16,
			.show_text = from != NULL && from->show_text };
	}
	scribe_look_at_zone(s);
	return true;
}

void scribe_look_at_zone(struct scribe *s)
{
	time_t t = (time_t)(clock_wall_ns() / 1000000000u);
	struct tm local;

	if (localtime_r(&t, &local) == NULL)
		return;
	for (int i = 0; i <= s->link_count; i++)
		s->links[i].utc_offset_s = (int)local.tm_gmtoff;
}

static void prepare_rings(struct scribe *s)
{
	for (int i = 0; i < (int)s->shm->ring_count; i++) {
		struct ring *ring = shm_ring(s->shm, i);

		s->suspect[i] = ring_suspect(ring) && atomic_load(&s->shm->suspect) != 0;
		s->lost_seen[i] = atomic_load(&ring->lost);
		/* A loss that nobody told of: how many, the dead engine knew. */
		if (s->lost_seen[i] > 0 && atomic_load(&ring->lost_first_ns) != 0)
			s->lost_seen[i]--;
	}
}

size_t scribe_shared_bytes(void)
{
	return sizeof(struct tallies);
}

/* Those that an engine before us counted on, or from zero. */
static struct tallies *find_tallies(struct scribe *s)
{
	struct tallies *t = shm_counts(s->shm, sizeof(*t));

	if (t == NULL)
		t = s->own_tallies = calloc(1, sizeof(*t));
	if (t != NULL && t->layout != TALLIES_LAYOUT) {
		memset(t, 0, sizeof(*t));
		t->layout = TALLIES_LAYOUT;
	}
	return t;
}

static void scribe_discard(struct scribe *s)
{
	if (s->tracks != NULL) {
		for (uint32_t i = 0; i < s->shm->session_max; i++)
			track_end(s, &s->tracks[i]);
	}
	free(s->tracks);
	free(s->accounts);
	free(s->links);
	free(s->of);
	free(s->profiles);
	free(s->own_tallies);
	scribe_unknown_free(s);
	sem_destroy(&s->taken);
	free(s);
}

struct scribe *scribe_new(const struct settings *settings, struct shm *shm,
	const struct code_set *codes, struct sink *const *sinks, int sink_count)
{
	struct scribe *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL) {
		log_error("scribe: out of memory");
		return NULL;
	}
	s->settings = settings;
	s->shm = shm;
	s->sinks = sinks;
	s->sink_count = sink_count;
	s->link_count = (int)shm_link_count(shm);
	pthread_mutex_init(&s->unknown_lock, NULL);
	sem_init(&s->taken, 0, 0);
	s->tracks = calloc(shm->session_max, sizeof(*s->tracks));
	s->unknown = calloc((size_t)s->link_count + 1, sizeof(struct unknown_codes *));
	s->accounts = calloc((size_t)s->link_count + 1, sizeof(*s->accounts));
	s->tallies = find_tallies(s);
	if (s->tracks == NULL || s->unknown == NULL || s->accounts == NULL ||
		s->tallies == NULL || !prepare_links(s, codes)) {
		log_error("scribe: out of memory");
		scribe_discard(s);
		return NULL;
	}
	scribe_stories_open(s);
	prepare_rings(s);
	err = start_thread(s);
	if (err != 0) {
		log_error("scribe: no thread: %s", strerrordesc_np(err));
		scribe_discard(s);
		return NULL;
	}
	return s;
}

static uint64_t read_count(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

void scribe_counts(const struct scribe *s, struct scribe_counts *ret)
{
	*ret = (struct scribe_counts){
		.entries = read_count(&s->tallies->all.entries),
		.silent = read_count(&s->tallies->all.silent),
		.extra = read_count(&s->tallies->all.extra),
		.lost = read_count(&s->tallies->all.lost),
		.known = read_count(&s->tallies->all.known),
		.unknown = read_count(&s->tallies->all.unknown),
		.malformed = read_count(&s->tallies->all.malformed),
	};
	for (int k = 0; k < REC_COUNT; k++)
		ret->records[k] = read_count(&s->tallies->all.records[k]);
}

void scribe_leave(struct scribe *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->leave, true);
	pthread_join(s->thread, NULL);
	for (struct held *h = s->held, *next; h != NULL; h = next) {
		next = h->next;
		free(h);
	}
	s->held = NULL;
	scribe_discard(s);
}

void scribe_free(struct scribe *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	scribe_discard(s);
}
