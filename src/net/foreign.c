#include "net/foreign.h"

#include <string.h>

#include "base/upstreams.h"
#include "net/census.h"

bool foreign_lives(const struct worker *w, const struct shm_session *s)
{
	return s->id != 0 && s->engine != w->engine && shm_engine_lives(w->shm, s->engine);
}

/* Its engine writes there meanwhile: what is half written now is another seat at the next beat. */
static struct foreign_seat seat_of(const struct shm_session *s)
{
	struct foreign_seat seat = { .there = s->state != SESSION_FREE && s->state != SESSION_CLOSED };

	if (seat.there == 0)
		return seat;
	seat.link = s->link;
	seat.server = s->state != SESSION_ACCEPTED ? s->server : 0;
	seat.account_len = s->account_len <= SHM_ACCOUNT ? s->account_len : 0;
	memcpy(seat.account, s->account, seat.account_len);
	memcpy(&seat.peer, &s->peer, sizeof(seat.peer));
	return seat;
}

static const struct sockaddr_storage *peer_of(const struct foreign *f)
{
	return (const struct sockaddr_storage *)(const void *)&f->seat.peer;
}

static struct span account_of(const struct foreign *f)
{
	return span_of(f->seat.account, f->seat.account_len);
}

void foreign_follow(struct worker *w, struct foreign *f, const struct shm_session *s)
{
	struct foreign_seat seat = seat_of(s);

	if (memcmp(&seat, &f->seat, sizeof(seat)) == 0)
		return;
	foreign_leave(w, f);
	if (seat.there == 0)
		return;
	*f = (struct foreign){ .link = settings_link(w->settings, seat.link), .server = -1 };
	memcpy(&f->seat, &seat, sizeof(seat));
	if (f->link < 0)
		return;
	census_adopt(w->census, f->link, peer_of(f));
	f->account = seat.account_len > 0 && w->settings->links[f->link].max_per_account > 0;
	if (f->account)
		census_adopt_account(w->census, f->link, account_of(f));
	if (seat.server != 0)
		f->server = upstreams_adopt(w->upstreams, f->link, seat.server);
}

void foreign_leave(struct worker *w, struct foreign *f)
{
	if (f->seat.there != 0 && f->link >= 0) {
		census_leave(w->census, f->link, peer_of(f));
		if (f->account)
			census_account_leave(w->census, f->link, account_of(f));
		if (f->server >= 0)
			upstreams_leave(w->upstreams, f->link, f->server);
	}
	memset(f, 0, sizeof(*f));
}
