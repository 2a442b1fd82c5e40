#include "admin/sessions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "smscope/record.h"

enum { LOOK_SLOTS = 64, ADDR_WIDTH = 21 };

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {
		[SESSION_FREE] = "free",
		[SESSION_ACCEPTED] = "accepted",
		[SESSION_DIALING] = "dialing",
		[SESSION_RELAYING] = "relaying",
		[SESSION_DRAINING] = "draining",
		[SESSION_CLOSED] = "closed",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "closed";
}

/*
 * Octet for octet as it is now: the worker that owns it does not stop for us, and no octet is
 * trusted. False: never used. The thread sanitizer is right that this is a race.
 */
__attribute__((no_sanitize("thread")))
static bool copy_slot(const struct shm_session *from, struct shm_session *ret)
{
	const volatile uint64_t *p = (const volatile uint64_t *)from;
	uint64_t *to = (uint64_t *)(void *)ret;

	_Static_assert(sizeof(*from) % sizeof(*p) == 0, "whole words");
	if (((const volatile struct shm_session *)from)->opened_wall_ns == 0)
		return false;
	for (size_t i = 0; i < sizeof(*from) / sizeof(*p); i++)
		to[i] = p[i];
	ret->sp_addr[SHM_ADDR_TEXT - 1] = ret->gw_addr[SHM_ADDR_TEXT - 1] = '\0';
	return true;
}

int session_next(struct reply *r, struct shm_session *ret)
{
	struct shm *shm = r->admin->shm;

	for (int i = 0; i < LOOK_SLOTS; i++) {
		if (!r->walking)
			r->slot = shm_slots_at(shm, r->worker);
		r->walking = r->worker < shm->workers;
		if (!r->walking) {
			r->worker = 0;
			return SM_ENONE;
		}
		/* Behind the first that was never used there is none. */
		if (r->slot >= shm_slots_at(shm, r->worker + 1) ||
			!copy_slot(shm_session(shm, r->slot), ret)) {
			r->worker++;
			r->walking = false;
			continue;
		}
		r->slot++;
		if (ret->id != 0)
			return 1;
	}
	return 0;
}

bool sessions_count(struct reply *r, uint32_t i)
{
	uint32_t links = (uint32_t)r->admin->settings->link_count;
	struct shm_session s;
	int found = 1;

	if (i == 0)
		r->sessions = calloc((size_t)links + 1, sizeof(*r->sessions));
	for (int n = 0; n < LOOK_SLOTS && r->sessions != NULL; n++) {
		struct link_sessions *l;
		int at;

		found = session_next(r, &s);
		if (found <= 0)
			break;
		at = settings_link(r->admin->settings, s.link);
		l = &r->sessions[at >= 0 ? (uint32_t)at : links];
		l->states[s.state <= SESSION_CLOSED ? s.state : SESSION_CLOSED]++;
		l->logged_in += s.logged_in != 0;
		l->blind += s.flow[SIDE_SP].blind != 0;
		l->blind += s.flow[SIDE_GW].blind != 0;
	}
	return r->sessions != NULL && found >= 0;
}

static const char *link_name(const struct reply *r, const struct shm_session *s)
{
	const char *name = shm_link(r->admin->shm, s->link)->name;

	return name[0] != '\0' ? name : "-";
}

static const char *dialect_of(const struct shm_session *s)
{
	const struct proto *p = proto_by_letter((char)s->proto);

	return p != NULL ? dialect_name(p, s->dialect) : NULL;
}

/* What matters most, in one word. */
static const char *state_word(const struct shm_session *s)
{
	if (s->state != SESSION_RELAYING)
		return session_state_name((enum session_state)s->state);
	if (s->flow[SIDE_SP].blind != 0 || s->flow[SIDE_GW].blind != 0)
		return "blind";
	return s->logged_in != 0 ? "relaying" : "login";
}

/* "812", "1.2M" */
static void amount(char *to, size_t cap, uint64_t n)
{
	static const char units[] = " KMGTPE";
	uint64_t tenths = n * 10;
	int unit = 0;

	if (n < 10000) {
		snprintf(to, cap, "%llu", (unsigned long long)n);
		return;
	}
	for (tenths = n / 100, unit = 1; tenths >= 10000; unit++)
		tenths /= 1000;
	snprintf(to, cap, "%llu.%llu%c", (unsigned long long)(tenths / 10),
		(unsigned long long)(tenths % 10), units[unit]);
}

static const char *addr_text(const char *addr)
{
	return addr[0] != '\0' ? addr : "-";
}

static bool text_item(struct reply *r, uint32_t i)
{
	struct shm_session s;
	char age[32], octets[2][32], id[24];
	struct out o = out_of(age, sizeof(age) - 1);
	int found;

	if (i == 0) {
		out_fmt(r->out, "%6s %-*s %-8s %-*s %-*s %-8s %6s %6s %6s\n", "ID", r->name_width,
			"LINK", "STATE", ADDR_WIDTH, "SP", ADDR_WIDTH, "GATEWAY", "DIALECT", "AGE",
			"SP>GW", "GW>SP");
		return true;
	}
	found = session_next(r, &s);
	if (found <= 0)
		return found == 0;
	record_duration(&o, (clock_mono_ns() - s.opened_mono_ns) / 1000);
	*o.pos = '\0';
	amount(octets[SIDE_SP], sizeof(octets[0]), s.flow[SIDE_SP].sent_at);
	amount(octets[SIDE_GW], sizeof(octets[0]), s.flow[SIDE_GW].sent_at);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)s.id);
	out_fmt(r->out, "%6s %-*s %-8s %-*s %-*s %-8s %6s %6s %6s\n", id, r->name_width,
		link_name(r, &s), state_word(&s), ADDR_WIDTH, addr_text(s.sp_addr), ADDR_WIDTH,
		addr_text(s.gw_addr), dialect_of(&s) != NULL ? dialect_of(&s) : "-", age,
		octets[SIDE_SP], octets[SIDE_GW]);
	return true;
}

static bool json_begin(struct reply *r, uint32_t i)
{
	if (i > 0)
		return false;
	reply_open(r, NULL, '{');
	reply_open(r, "sessions", '[');
	return true;
}

static bool json_item(struct reply *r, uint32_t i)
{
	struct shm_session s;
	int found = session_next(r, &s);

	(void)i;
	if (found <= 0)
		return found == 0;
	reply_open(r, NULL, '{');
	reply_uint(r, "id", s.id);
	reply_text(r, "link", link_name(r, &s));
	reply_text(r, "state", session_state_name((enum session_state)s.state));
	reply_flag(r, "logged_in", s.logged_in != 0);
	reply_open(r, "blind", '[');
	if (s.flow[SIDE_SP].blind != 0)
		reply_text(r, NULL, "sp");
	if (s.flow[SIDE_GW].blind != 0)
		reply_text(r, NULL, "gw");
	reply_close(r, ']');
	reply_text(r, "sp", s.sp_addr[0] != '\0' ? s.sp_addr : NULL);
	reply_text(r, "gw", s.gw_addr[0] != '\0' ? s.gw_addr : NULL);
	reply_text(r, "proto", dialect_of(&s));
	reply_time(r, "opened", s.opened_wall_ns);
	reply_uint(r, "age_ms", (clock_mono_ns() - s.opened_mono_ns) / 1000000);
	reply_uint(r, "sp_octets", s.flow[SIDE_SP].sent_at);
	reply_uint(r, "gw_octets", s.flow[SIDE_GW].sent_at);
	reply_uint(r, "sp_pdus", s.flow[SIDE_SP].pdus);
	reply_uint(r, "gw_pdus", s.flow[SIDE_GW].pdus);
	reply_close(r, '}');
	return true;
}

const struct part sessions_text[] = { { text_item }, { NULL } };
const struct part sessions_json[] = {
	{ json_begin }, { json_item }, { reply_end_list }, { reply_end_object }, { NULL }
};
