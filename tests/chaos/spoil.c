#include <string.h>

#include "ends.h"

/*
 * What must be noticed, done once by the rig itself: a rig that cannot fail shows nothing. PDUs are spoiled
 * as they arrive, in the middle of a session; records as they are read.
 */

enum { PDUS_BEFORE = 20 };

static bool done;

static bool is(const char *what)
{
	return opt.spoil != NULL && strcmp(opt.spoil, what) == 0;
}

void spoil_octets(struct end *e)
{
	uint8_t first[SIM_PDU_MAX];
	int len = sim_pdu_len(e->session->proto, e->in, e->in_n), next;

	if (opt.spoil == NULL || done || e->session->stream[1 - e->side].got_pdus < PDUS_BEFORE || len <= 0 ||
		e->in_n < (size_t)len)
		return;
	next = sim_pdu_len(e->session->proto, e->in + len, e->in_n - (size_t)len);
	done = true;
	if (is("octet")) {
		e->in[len - 1] ^= 1;
	} else if (is("drop")) {
		e->in_n -= (size_t)len;
		memmove(e->in, e->in + len, e->in_n);
	} else if (is("double") && e->in_n + (size_t)len <= IN_MAX) {
		memmove(e->in + len, e->in, e->in_n);
		e->in_n += (size_t)len;
	} else if (is("swap") && next > 0 && (size_t)(len + next) <= e->in_n) {
		memcpy(first, e->in, (size_t)len);
		memmove(e->in, e->in + len, (size_t)next);
		memcpy(e->in + next, first, (size_t)len);
	} else {
		done = false;
	}
}

int spoil_record(const char *line)
{
	if (opt.spoil == NULL || done || strstr(line, "\"ev\":\"submit_resp\"") == NULL)
		return 1;
	done = is("record") || is("again") || is("copy");
	return is("record") ? 0 : is("again") || is("copy") ? 2 : 1;
}

bool spoil_id(void)
{
	return is("again");
}
