#ifndef SMSCOPE_TEST_SCRIBE_RING_H
#define SMSCOPE_TEST_SCRIBE_RING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "scribe/scribe.h"
#include "smscope/pdu.h"

/* Entries that the test writes into a ring, read back as JSON from the file of a sink. */

enum { RING_SIZE = 1 << 20, SLOTS = 8, STORIES = 256 };

static char dir[64], path[96], command[96];
static struct code_set *codes;
static struct settings settings;
static struct link_settings links[2];
static struct shm *shm;
static struct sink *sinks[1];
static struct scribe *scribe;
static uint64_t now_ns = 1000000000;

/* What a worker would know of the session in a slot when it writes an entry. */
static struct {
	uint16_t link;
	char proto;
	uint8_t dialect, flags;
	uint64_t offset[2]; /* by side: of the next frame */
} sessions[SLOTS];

/* A message and a report of CMPP 2.0; gocmpp e611134 */
static const char submit_20[] =
	"000000bd0000000400000017000000000000000001010101746573740000000000000231333530303030323639"
	"360000000000000000000000000839303030303130323130000000003135313130353133313535353130312b00"
	"000000000000000000000000000000000039303030303100000000000000000000000000000001313335303030"
	"3032363936000000000000000000001e6d4b8bd50067006f0063006d007000700020007300750062006d006900"
	"740000000000000000";
static const char report_20[] =
	"000000910000000500000020b4c553000001000039303030303100000000000000000000000000000000000000"
	"000000000000000000313334313233343030303000000000000000000000013cb4c553000001000044454c4956"
	"524431353131313230393535313531313132303935373133343132333430303030000000000000000000001234"
	"56780000000000000000";

static const uint64_t wall_ns = 1795259820123456789ull;

static inline size_t unhex(const char *hex, uint8_t *to)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		to[i] = (uint8_t)v;
	}
	return n;
}

/* As a worker does it; the session's id is its slot + 100. */
static inline void put(int ring, uint32_t slot, uint8_t kind, uint8_t flags, const void *octets,
		uint32_t len)
{
	struct ring *r = shm_ring(shm, ring);
	struct ring_entry *e = ring_reserve(r, len, kind == RING_EVENT, wall_ns);
	uint32_t size;

	if (e == NULL)
		return;
	size = e->size;
	now_ns += 1000000;
	*e = (struct ring_entry){.size = size,
				 .kind = kind,
				 .flags = flags | sessions[slot % SLOTS].flags,
				 .link = sessions[slot % SLOTS].link,
				 .proto = (uint8_t)sessions[slot % SLOTS].proto,
				 .dialect = sessions[slot % SLOTS].dialect,
				 .slot = slot,
				 .len = len,
				 .wire_len = len,
				 .session = slot + 100,
				 .mono_ns = now_ns,
				 .wall_ns = wall_ns};
	if (kind == RING_FRAME) {
		uint64_t *at = &sessions[slot % SLOTS].offset[(flags & RING_GW) != 0];

		e->offset = *at;
		*at += len;
	}
	memcpy(ring_octets(e), octets, len);
	ring_publish(r, e);
}

static inline void put_pdu(uint32_t slot, uint8_t flags, const char *hex)
{
	uint8_t octets[512];
	size_t n = unhex(hex, octets);
	const struct proto *p = slot == 1 ? &proto_smpp : &proto_cmpp;

	if (proto_secret(p, bytes_u32(octets + 4)))
		proto_scrub(p, octets, n);
	put(0, slot, RING_FRAME, flags, octets, (uint32_t)n);
}

static inline void put_event(uint32_t slot, enum event_kind kind, uint8_t side, enum end_how how,
		      int error)
{
	struct session_event e = {.kind = (uint8_t)kind,
				  .side = side,
				  .how = (uint8_t)how,
				  .error = error,
				  .octets = {1000, 2000}};

	put(0, slot, RING_EVENT, 0, &e, sizeof(e));
}

static inline void open_session(uint32_t slot, uint16_t link)
{
	struct session_event e = { .kind = EVENT_OPEN, .side = SIDE_SP, .text = "10.0.0.7:51312" };

	sessions[slot].link = link;
	put(0, slot, RING_EVENT, 0, &e, sizeof(e));
}

static inline void start(void)
{
	struct sink_settings s = { .type = SINK_FILE, .path = path, .format = FORMAT_JSON,
		.kinds = UINT32_MAX, .queue = 8 << 20, .mask = MASK_PART };

	sinks[0] = sink_new(&s, NULL);
	assert_non_null(sinks[0]);
	scribe = scribe_new(&settings, shm, codes, sinks, 1);
	assert_non_null(scribe);
}

/* End the sink; what it wrote, as an array. */
static inline json_t *log_at_end(void)
{
	json_t *all = json_array(), *one;
	json_error_t error;
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	sink_free(sinks[0], 1000);
	f = fopen(path, "r");
	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		one = json_loads(line, JSON_ALLOW_NUL, &error);
		if (one == NULL)
			fail_msg("%s: %s", error.text, line);
		json_array_append_new(all, one);
	}
	free(line);
	fclose(f);
	return all;
}

/* End the scribe; what it wrote, as an array. */
static inline json_t *finish(struct scribe_counts *ret)
{
	uint64_t records = 0;

	if (scribe != NULL) {
		for (int i = 0; i < 500; i++) {
			struct ring *r = shm_ring(shm, 0);

			if (atomic_load(&r->tail) == atomic_load(&r->head))
				break;
			poll(NULL, 0, 5);
		}
		poll(NULL, 0, 50);
		scribe_counts(scribe, ret);
		for (int k = 0; k < REC_COUNT; k++)
			records += ret->records[k];
		assert_int_equal(ret->entries + ret->extra,
				 records + ret->silent); /* faults.md I5 */
		scribe_free(scribe);
		scribe = NULL;
	}
	return log_at_end();
}

static inline const char *word(json_t *all, size_t i, const char *key)
{
	const char *s = json_string_value(json_object_get(json_array_get(all, i), key));

	return s != NULL ? s : "(none)";
}

static inline long long number(json_t *all, size_t i, const char *key)
{
	json_t *n = json_object_get(json_array_get(all, i), key);

	return json_is_integer(n) ? json_integer_value(n) : -1;
}

static inline int set_up(void **state)
{
	struct shm_wish wish = { 2, RING_SIZE, SLOTS, STORIES, 32768, 0, NULL, 0 };
	int fd = shm_create(&wish);

	(void)state;
	memset(sessions, 0, sizeof(sessions));
	strcpy(dir, "/tmp/smscope-scribe-XXXXXX");
	if (fd < 0 || mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	shm = shm_map(fd);
	close(fd);
	for (int i = 0; shm != NULL && i < settings.link_count; i++)
		links[i].number = shm_link_number(shm, links[i].name);
	return shm != NULL ? 0 : -1;
}

static inline int tear_down(void **state)
{
	(void)state;
	shm_unmap(shm);
	return system(command);
}

static inline int load(void **state)
{
	struct conf_faults faults = { .to = stderr };

	(void)state;
	codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	links[0] = (struct link_settings){ .name = "cmcc-bj", .proto = &proto_cmpp, .pending = 16,
		.profiles = { "infox" }, .profile_count = 1 };
	links[1] = (struct link_settings){ .name = "smsc-eu", .pending = 16 };
	settings.links = links;
	settings.link_count = 2;
	return codes != NULL ? 0 : -1;
}

static inline int unload(void **state)
{
	(void)state;
	codes_free(codes);
	return 0;
}

#endif
