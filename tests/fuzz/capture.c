#include <stdlib.h>

#include "check.h"
#include "tools/capture.h"
#include "tools/pdu_cut.h"

/*
 * Any octets as a capture. Connections begin once and end once, octets come between the two, never
 * more of them than the file has; PDUs and what is skipped are together what came.
 */

enum { INPUT_MAX = 1 << 16, MAX_PDU = 4096 };

static const struct proto *const protos[2] = { &proto_smpp, &proto_cmpp };

struct way {
	struct pdu_cut cut[2]; /* one for each protocol */
	uint64_t octets, framed[2];
};

struct tap {
	struct connection *c;
	struct way way[2];
};

static struct {
	size_t size;
	uint64_t begun, open, octets, packet;
} all;

/* A PDU of `way`; which of its two cuts found it is told by `protocol`. */
struct found {
	struct way *way;
	int protocol;
};

static void on_pdu(void *arg, struct span frame, uint64_t skipped)
{
	struct found *f = arg;
	const struct proto *p = protos[f->protocol];
	struct pdu pdu;

	CHECK(frame.n >= p->header_len && frame.n <= MAX_PDU);
	CHECK(bytes_u32(frame.p) == frame.n);
	f->way->framed[f->protocol] += frame.n + skipped;
	CHECK(f->way->framed[f->protocol] <= f->way->octets);
	(void)pdu_parse(&pdu, p, p->dialect_default, frame);
	CHECK(pdu.length == frame.n);
}

static void check_at(const struct capture_at *at)
{
	CHECK(at->packet > 0);
	all.packet = at->packet > all.packet ? at->packet : all.packet;
}

static void on_begin(void *arg, struct connection *c, const struct capture_at *at)
{
	struct tap *t = calloc(1, sizeof(*t));

	CHECK(arg == &all && t != NULL && c->user == NULL);
	check_at(at);
	CHECK(c->number == ++all.begun);
	CHECK(++all.open <= CONNECTIONS_MAX);
	t->c = c;
	c->user = t;
	for (int i = 0; i < 2; i++) {
		for (int p = 0; p < 2; p++) {
			pdu_cut_init(&t->way[i].cut[p], protos[p], MAX_PDU);
			t->way[i].cut[p].in_step = c->dialled;
		}
	}
}

static void on_octets(void *arg, struct connection *c, int from, struct span run,
	const struct capture_at *at)
{
	struct tap *t = c->user;
	uint8_t *copy = check_copy(run.p, run.n);

	CHECK(arg == &all && t->c == c && (from == 0 || from == 1) && run.n > 0);
	check_at(at);
	all.octets += run.n;
	CHECK(all.octets <= all.size);
	t->way[from].octets += run.n;
	for (int p = 0; p < 2; p++) {
		struct found f = { &t->way[from], p };

		CHECK(pdu_cut_run(&t->way[from].cut[p], span_of(copy, run.n), on_pdu, &f) == SM_OK);
		CHECK(t->way[from].cut[p].n < MAX_PDU);
	}
	free(copy);
}

static void on_gap(void *arg, struct connection *c, int from, uint64_t missing,
	const struct capture_at *at)
{
	struct tap *t = c->user;

	CHECK(arg == &all && t->c == c && missing > 0 && missing <= UINT32_MAX);
	check_at(at);
	for (int p = 0; p < 2; p++)
		pdu_cut_gap(&t->way[from].cut[p]);
}

static void on_end(void *arg, struct connection *c, enum connection_end how,
	const struct capture_at *at)
{
	struct tap *t = c->user;

	CHECK(arg == &all && t->c == c && how <= CONNECTION_CUT);
	check_at(at);
	for (int i = 0; i < 2; i++) {
		for (int p = 0; p < 2; p++) {
			CHECK(t->way[i].framed[p] + pdu_cut_left(&t->way[i].cut[p]) ==
			      t->way[i].octets);
			pdu_cut_fini(&t->way[i].cut[p]);
		}
	}
	all.open--;
	free(t);
	c->user = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct connection_reader reader = { on_begin, on_octets, on_gap, on_end };
	struct capture_counts counts;
	char fault[CAPTURE_FAULT];
	uint64_t kinds = 0;
	FILE *f;
	int err;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	f = fmemopen((void *)(uintptr_t)data, size, "r");
	CHECK(f != NULL);
	memset(&all, 0, sizeof(all));
	all.size = size;
	(void)capture_is(f);
	err = capture_read(f, NULL, &reader, &all, &counts, fault);
	CHECK(all.open == 0 && all.packet <= counts.packets);
	CHECK((err == SM_OK) == (fault[0] == '\0') && strlen(fault) < sizeof(fault));
	for (int i = 0; i < PACKET_KINDS; i++)
		kinds += counts.kinds[i];
	CHECK(kinds + counts.filtered == counts.packets);
	CHECK(counts.cut <= counts.kinds[PACKET_TCP] && all.begun <= counts.kinds[PACKET_TCP]);
	return 0;
}
