#include <errno.h>
#include <stdlib.h>

#include "tools/pdu_cut.h"

void pdu_cut_init(struct pdu_cut *c, const struct proto *p, uint32_t max_pdu)
{
	*c = (struct pdu_cut){ .proto = p, .max_pdu = max_pdu };
}

void pdu_cut_fini(struct pdu_cut *c)
{
	free(c->part);
	c->part = NULL;
	c->n = c->cap = 0;
}

static bool known(const struct proto *p, uint32_t command)
{
	for (const struct layout *l = p->layouts; l->name != NULL; l++) {
		if (l->command == command)
			return true;
	}
	return false;
}

bool pdu_cut_begins(const struct proto *p, uint32_t max_pdu, struct span run)
{
	if (run.n < 8)
		return false;
	while (run.n >= 8) {
		uint32_t len = bytes_u32(run.p);

		if (len < p->header_len || len > max_pdu || !known(p, bytes_u32(run.p + 4)))
			return false;
		if (len >= run.n)
			return true;
		run = span_of(run.p + len, run.n - len);
	}
	return true;
}

/*
 * Where PDUs begin in a run; its length if nowhere. One header alone is too little to go by inside
 * a run: a status and a sequence number may look like it.
 */
static size_t beginning(const struct pdu_cut *c, struct span run)
{
	if (pdu_cut_begins(c->proto, c->max_pdu, run))
		return 0;
	for (size_t at = 1; at + 8 <= run.n; at++) {
		struct span rest = span_of(run.p + at, run.n - at);
		uint32_t len = bytes_u32(rest.p);

		if (len >= c->proto->header_len && len <= rest.n - 8 &&
		    pdu_cut_begins(c->proto, c->max_pdu, rest))
			return at;
	}
	return run.n;
}

/* Keep the beginning of a PDU. */
static int keep(struct pdu_cut *c, struct span s)
{
	if (s.n > c->cap - c->n) {
		size_t cap = 2 * (c->n + s.n);
		uint8_t *p = realloc(c->part, cap);

		if (p == NULL)
			return -ENOMEM;
		c->part = p;
		c->cap = cap;
	}
	memcpy(c->part + c->n, s.p, s.n);
	c->n += s.n;
	return SM_OK;
}

static void lose_step(struct pdu_cut *c, size_t more)
{
	c->skipped += c->n + more;
	c->n = 0;
	c->in_step = false;
}

static void tell(struct pdu_cut *c, struct span frame, pdu_cut_fn *fn, void *arg)
{
	uint64_t skipped = c->skipped;

	c->skipped = 0;
	fn(arg, frame, skipped);
}

/* Add to the PDU that has begun: its length first, then what is left of it. */
static int complete(struct pdu_cut *c, struct span *run, pdu_cut_fn *fn, void *arg)
{
	while (c->n > 0 && run->n > 0) {
		size_t want = c->n < 4 ? 4 : bytes_u32(c->part), n = want - c->n;

		n = n < run->n ? n : run->n;
		if (keep(c, span_of(run->p, n)) != SM_OK)
			return -ENOMEM;
		*run = span_of(run->p + n, run->n - n);
		if (c->n < 4)
			return SM_OK;
		want = bytes_u32(c->part);
		if (want < c->proto->header_len || want > c->max_pdu)
			return SM_ELEN;
		if (c->n == want) {
			tell(c, span_of(c->part, c->n), fn, arg);
			c->n = 0;
		}
	}
	return SM_OK;
}

int pdu_cut_run(struct pdu_cut *c, struct span run, pdu_cut_fn *fn, void *arg)
{
	int64_t n = 0;
	int err;

	if (!c->in_step) {
		size_t at = beginning(c, run);

		c->skipped += at;
		run = span_of(run.p + at, run.n - at);
		c->in_step = run.n > 0;
	}
	err = complete(c, &run, fn, arg);
	for (; err == SM_OK && run.n > 0; run = span_of(run.p + n, run.n - (size_t)n)) {
		n = proto_frame(run, c->proto->header_len, c->max_pdu);
		if (n <= 0) {
			err = n < 0 ? SM_ELEN : keep(c, run);
			break;
		}
		tell(c, span_of(run.p, (size_t)n), fn, arg);
	}
	if (err != SM_OK)
		lose_step(c, run.n);
	return err == -ENOMEM ? err : SM_OK;
}

void pdu_cut_gap(struct pdu_cut *c)
{
	lose_step(c, 0);
}

uint64_t pdu_cut_left(const struct pdu_cut *c)
{
	return c->skipped + c->n;
}
