#include "scribe/scribe_state.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/*
 * A report may overtake the response that gives its message a name, on its own connection or on
 * another one of the account. It waits as long as a submit from before it is unanswered, for a few
 * seconds at most, and is told with its own time.
 */

enum {
	HELD_MOST = 4096,
	HOLD_MS = 5000,
	SPARE_MOST = 1024,          /* places kept free, so that what goes for room is told */
	EXPIRED_A_TURN = 256,
	OVERDUE_EVERY_MS = 250,
	OVERDUE_A_LOOK = 4096,
	REST_US = 1000000,          /* a session is at rest after so long */
};

static uint64_t ms_ns(uint64_t ms)
{
	return ms * 1000000u;
}

/* Numbers of stories of a later start are higher: the seconds since 2020, and room for 4 million in each. */
static uint64_t first_number(void)
{
	enum { EPOCH_2020 = 1577836800, SHIFT = 22 };
	uint64_t now_s = clock_wall_ns() / 1000000000u;

	return now_s > EPOCH_2020 ? (now_s - EPOCH_2020) << SHIFT : 1;
}

void scribe_stories_open(struct scribe *s)
{
	uint32_t broken = 0;
	bool lost = false;

	s->held_end = &s->held;
	s->stories = shm_stories(s->shm, first_number(), &broken, &lost);
	if (s->stories == NULL)
		log_error("scribe: no memory for stories: reports are not joined to their messages");
	if (lost)
		log_warn("scribe: the stories of the engine before do not fit: starting without");
	if (broken > 0)
		log_warn("scribe: %u stories of the engine before were broken and forgotten", broken);
	for (int i = 0; i <= s->link_count; i++) {
		const struct link_settings *from = s->of[i];
		struct scope_link *l = &s->links[i];
		int first = 0;

		l->index = (uint16_t)i;
		l->key = story_key(l->name != NULL ? l->name : "");
		l->account = from != NULL && from->account != NULL ? story_key(from->account)
								   : l->key;
		while (first < i && s->links[first].account != l->account)
			first++;
		s->accounts[first].key = l->account;
		l->unanswered = &s->accounts[first].unanswered;
		l->stories = l->name != NULL ? s->stories : NULL;
		if (from == NULL)
			continue;
		l->answer_us = from->answer_timeout_ms * 1000ull;
		l->probe_us = from->probe_timeout_ms * 1000ull;
		l->late_us = from->report_late_ms != 0 ? from->report_late_ms * 1000ull : UINT64_MAX;
	}
}

const struct story_table *scribe_stories(const struct scribe *s)
{
	return s->stories;
}

static const struct account *account_of(const struct scribe *s, uint32_t key)
{
	const struct account *a = s->accounts;

	while (a->key != key)
		a++;
	return a;
}

static const struct ring *ring_of(const struct scribe *s, const struct ring_entry *e)
{
	for (uint32_t i = 0; e != NULL && i < s->shm->ring_count; i++) {
		const struct ring *r = shm_ring(s->shm, (int)i);

		if ((const uint8_t *)e >= r->data && (const uint8_t *)e < r->data + r->size)
			return r;
	}
	return NULL;
}

/* What waits is told by the next engine if this one dies, but only while the ring has it. */
static bool can_wait(const struct ring *ring, const struct ring_entry *where)
{
	return ring == NULL || !ring_fades(ring, where);
}

bool scribe_hold(struct scribe *s, const struct ring_entry *e)
{
	const struct story_report *ask = &s->work.waiting;
	const struct ring *ring = ring_of(s, s->entry);
	struct held *h;

	if (s->held_count == HELD_MOST || ask->id.n > sizeof(h->id) ||
		account_of(s, ask->account)->unanswered == 0 || !can_wait(ring, s->entry) ||
		clock_mono_ns() >= e->mono_ns + ms_ns(HOLD_MS))
		return false;
	h = malloc(sizeof(*h) + e->len + e->note_len);
	if (h == NULL)
		return false;
	/* From its arrival on, however many engines it waits in. */
	*h = (struct held){ .until_ns = e->mono_ns + ms_ns(HOLD_MS), .account = ask->account, .ask = *ask };
	memcpy(h->id, ask->id.p, ask->id.n);
	h->ask.id.p = (const uint8_t *)h->id;
	h->ask.dst.n = 0;
	memcpy(&h->entry, e, sizeof(*e) + e->len + e->note_len);
	h->where = s->entry;
	h->ring = ring;
	if (s->entry != NULL)
		s->entry->told = RING_WAITS;
	*s->held_end = h;
	s->held_end = &h->next;
	s->held_count++;
	s->kept = true;
	return true;
}

/* Its entry, if the ring has it still. */
static struct ring_entry *entry_of(const struct held *h)
{
	struct ring_entry *e = h->where;

	return e != NULL && e->session == h->entry.session && e->offset == h->entry.offset &&
		e->mono_ns == h->entry.mono_ns ? e : NULL;
}

/* Told at last: the records are those of the entry that was read before, not of one that is in hand. */
static void tell(struct scribe *s, struct held *h)
{
	struct ring_entry *in_hand = s->entry;
	uint64_t told_id = s->told_id;
	uint32_t given = s->given;
	int link = s->link;

	s->entry = entry_of(h);
	s->told_id = 0;
	s->given = 0;
	s->link = scribe_link_of(s, h->entry.link);
	scribe_frame(s, &h->entry, false, true);
	scribe_account(s);
	if (s->entry != NULL)
		s->entry->told = RING_TOLD; /* who comes after us need not tell it */
	s->entry = in_hand;
	s->told_id = told_id;
	s->given = given;
	s->link = link;
	free(h);
}

static void unlink_held(struct scribe *s, struct held **at)
{
	struct held *h = *at;

	*at = h->next;
	if (h->next == NULL)
		s->held_end = at;
	s->held_count--;
}

void scribe_release(struct scribe *s, uint64_t session)
{
	struct held **at = &s->held;

	while (*at != NULL) {
		struct held *h = *at;

		if (session != 0 && h->entry.session != session) {
			at = &h->next;
			continue;
		}
		unlink_held(s, at);
		tell(s, h);
	}
}

/* When the oldest request of the account's SPs that is unanswered was sent; UINT64_MAX: none is. */
static uint64_t oldest_us(const struct scribe *s, uint32_t account)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < s->shm->session_max; i++) {
		const struct track *t = &s->tracks[i];
		uint64_t us = t->scope != NULL && t->account == account ? scope_oldest_us(t->scope)
									: 0;

		if (us != 0 && us < oldest)
			oldest = us;
	}
	return oldest;
}

/* Held reports whose message is known by now, or never will be. */
static void look_at_held(struct scribe *s, uint64_t now_ns)
{
	struct held **at = &s->held;
	uint64_t oldest = 0;
	uint32_t account = 0;

	while (*at != NULL) {
		struct held *h = *at;

		if (h->account != account) {
			account = h->account;
			oldest = oldest_us(s, account);
		}
		if (now_ns < h->until_ns && can_wait(h->ring, h->where) && oldest <= h->entry.mono_ns / 1000 &&
			!story_known(s->stories, &h->ask)) {
			at = &h->next;
			continue;
		}
		unlink_held(s, at);
		tell(s, h);
	}
}

static void tell_unreported(struct scribe *s, const struct story *x, bool full, uint64_t now_us)
{
	char part[16];
	struct out o = out_of(part, sizeof(part));
	struct record r;

	record_init(&r, REC_NO_REPORT);
	r.wall_ns = clock_wall_ns();
	s->link = scribe_link_of(s, x->link);
	r.link = s->links[s->link].name;
	r.session = x->session;
	r.story = x->part.number;
	r.msgid = span_of(x->id, x->id_len);
	r.msgid_binary = x->id_binary;
	r.dst = span_of(x->dst, strlen(x->dst));
	record_words_extra(&r, "reason", full ? "capacity" : "age");
	record_ms_extra(&r, "after", now_us > x->sent_us ? now_us - x->sent_us : 0);
	if (x->reports > 0)
		record_uint_extra(&r, "interim_reports", x->reports);
	if (x->part.total > 1) {
		out_fmt(&o, "%u/%u", x->part.part, x->part.total);
		record_text_extra(&r, "part", span_of(part, out_len(&o)));
	}
	tally_add(&s->tallies->all.extra, 1);
	scribe_emit(s, &r);
}

static void forget_old(struct scribe *s, uint64_t now_us)
{
	uint64_t age_us = s->settings->story_age_ms != 0 ? s->settings->story_age_ms * 1000ull
							 : UINT64_MAX;
	uint32_t spare = s->shm->stories / 16 < SPARE_MOST ? s->shm->stories / 16 : SPARE_MOST;
	struct story x;
	bool full;

	for (int i = 0; i < EXPIRED_A_TURN; i++) {
		if (!story_expire(s->stories, now_us, age_us, spare, &x, &full))
			return;
		tell_unreported(s, &x, full, now_us);
	}
}

static void tell_overdue(struct scribe *s, uint64_t now_us)
{
	uint64_t wall_ns = clock_wall_ns();
	int left = OVERDUE_A_LOOK;

	for (uint32_t i = 0; i < s->shm->session_max; i++) {
		struct track *t = &s->tracks[i];

		while (left > 0 && t->scope != NULL &&
			scope_overdue(t->scope, now_us, wall_ns, &s->work) > 0) {
			s->link = t->link;
			tally_add(&s->tallies->all.extra, 1);
			scribe_emit(s, &s->work.records[0]);
			left--;
		}
		if (t->scope != NULL && now_us > REST_US)
			scope_rest(t->scope, now_us - REST_US);
	}
}

void scribe_tick(struct scribe *s, uint64_t now_ns)
{
	if (s->held != NULL)
		look_at_held(s, now_ns);
	if (s->stories != NULL)
		forget_old(s, now_ns / 1000);
	if (now_ns - s->overdue_ns < ms_ns(OVERDUE_EVERY_MS))
		return;
	s->overdue_ns = now_ns;
	scribe_look_at_zone(s);
	tell_overdue(s, now_ns / 1000);
}
