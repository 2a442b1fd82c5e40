#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "smscope/pdu.h"

/*
 * What the targets begin with, made of tests/data/vectors.json:
 *
 *     seeds VECTORS FOLDER    a folder for each target, a file for each vector, and whole sessions
 */

static const char *root;

static void make_dir(const char *path)
{
	CHECK(mkdir(path, 0777) == 0 || errno == EEXIST);
}

static FILE *create(const char *target, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	make_dir(path);
	snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
	f = fopen(path, "wb");
	CHECK(f != NULL);
	return f;
}

static void put(FILE *f, struct span s)
{
	CHECK(fwrite(s.p, 1, s.n, f) == s.n);
}

static void put_octets(FILE *f, uint8_t a, uint8_t b, uint8_t c)
{
	put(f, span_of((const uint8_t[]){ a, b, c }, 3));
}

static void finish(FILE *f)
{
	CHECK(fclose(f) == 0);
}

static const char *word(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	CHECK(s != NULL);
	return s;
}

/* Octets of the vector; the caller frees. */
static struct span octets_of(const json_t *v)
{
	const char *hex = word(v, "hex");
	size_t n = strlen(hex) / 2;
	uint8_t *p = malloc(n + 1);

	CHECK(p != NULL);
	for (size_t i = 0; i < n; i++) {
		unsigned octet;

		CHECK(sscanf(hex + 2 * i, "%2x", &octet) == 1);
		p[i] = (uint8_t)octet;
	}
	return span_of(p, n);
}

static bool is_cmpp(const json_t *v)
{
	return strcmp(word(v, "protocol"), "CMPP") == 0;
}

/* Only the SP asks to log in and submits; the rest of a vector's direction does not matter. */
static bool from_gateway(const struct pdu *pdu)
{
	enum role r = pdu_role(pdu);

	return r == R_DELIVER || r == R_ALERT || r == R_OUTBIND ||
	       (role_is_ack(r) && r != R_DELIVER_ACK);
}

static void put_play(FILE *f, const struct pdu *pdu)
{
	put_octets(f, from_gateway(pdu), (uint8_t)(pdu->frame.n >> 8), (uint8_t)pdu->frame.n);
	put(f, pdu->frame);
}

/* The message of a deliver, and the TLVs beside it. */
static void write_receipt(const char *id, const struct pdu *pdu)
{
	struct span body = pdu_octets(pdu, F_SHORT_MESSAGE), tlvs = pdu->tlvs;
	bool cmpp = pdu->proto == &proto_cmpp;
	uint8_t flags = cmpp ? 1
			     : (uint8_t)((pdu_uint(pdu, F_ESM_CLASS) >> 2 & 15) |
					 (pdu_uint(pdu, F_ESM_CLASS) & 64));
	FILE *f;

	if (pdu_role(pdu) != R_DELIVER || tlvs.n > 63)
		return;
	f = create("receipt", id);
	put_octets(f, cmpp ? '2' : 'd', flags, (uint8_t)tlvs.n);
	put(f, tlvs);
	put(f, body);
	finish(f);
}

/* Three sets of rules for each vector: results and words, states and ids, widths and a dry run. */
static void write_edit(const char *id, const struct pdu *pdu)
{
	static const uint8_t rules[][2 + 16] = {
		{ 0, 2, 1, 0, 1, 2, 0, 0, 0, 0, 5, 0, 1, 2, 0, 0, 0, 0 },
		{ 0, 2, 2, 8, 1, 2, 0, 0, 0, 0, 3, 0, 1, 2, 0, 0, 1, 1 },
		{ 16, 2, 4, 0, 1, 2, 0, 0, 0, 0, 5, 16, 1, 2, 0, 0, 0, 2 },
		{ 0, 2, 2, 8, 1, 2, 0, 0, 1, 1, 5, 1, 1, 2, 0, 0, 0, 1 },
	};
	char name[128];

	for (uint8_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		FILE *f;

		snprintf(name, sizeof(name), "%s-%u", id, i);
		f = create("edit", name);
		put_octets(f, (uint8_t)(rules[i][0] | (pdu->proto == &proto_cmpp
			? pdu->dialect >= 0x30 ? 4 : 3 : 0)), rules[i][1], rules[i][2]);
		put(f, span_of(&rules[i][3], sizeof(rules[i]) - 3));
		put(f, pdu->frame);
		finish(f);
	}
}

static void write_vector(const json_t *v, FILE *session)
{
	struct span s = octets_of(v);
	const char *id = word(v, "id");
	struct pdu pdu;
	FILE *f;

	(void)pdu_parse(&pdu, is_cmpp(v) ? &proto_cmpp : &proto_smpp, is_cmpp(v) ? 0x20 : 0x34, s);
	f = create("frame", id);
	put(f, s);
	finish(f);
	f = create("pdu", id);
	put(f, s);
	finish(f);
	f = create("record", id);
	put(f, span_of(is_cmpp(v) ? "\x51\0" : "\x52\0", 2));
	put_play(f, &pdu);
	finish(f);
	put_play(session, &pdu);
	write_receipt(id, &pdu);
	write_edit(id, &pdu);
	free((void *)(uintptr_t)s.p);
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *all, *v;
	FILE *cmpp, *smpp;
	size_t i;

	CHECK(argc == 3);
	root = argv[2];
	make_dir(root);
	all = json_load_file(argv[1], 0, &error);
	CHECK(json_array_size(all) > 0);
	cmpp = create("record", "session-cmpp");
	smpp = create("record", "session-smpp");
	put(cmpp, span_of("\x40\x01", 2));
	put(smpp, span_of("\x06\x01", 2));
	json_array_foreach(all, i, v) write_vector(v, is_cmpp(v) ? cmpp : smpp);
	finish(cmpp);
	finish(smpp);
	json_decref(all);
	printf("%zu vectors\n", i);
	return 0;
}
