#ifndef SMSCOPE_TEST_SINK_CASE_H
#define SMSCOPE_TEST_SINK_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sink/sink.h"

/* A folder of a test's own, numbered lines, what became of them: what the tests of sinks share. */

static char dir[64], path[96];

/* Line `n`, recognised by its sequence number; `id` may be 0. */
static inline void put_record(struct sink *k, uint32_t n, uint64_t id)
{
	struct record r;

	record_init(&r, REC_SUBMIT);
	r.wall_ns = 1795259820123456789ull + n;
	r.link = "lab";
	r.has_pdu = true;
	r.sequence = n;
	r.id = id;
	r.dst = span_of("13800001234", 11);
	sink_put(k, &r);
}

static inline void put(struct sink *k, uint32_t n)
{
	put_record(k, n, 0);
}

static inline struct sink_counts counts_of(const struct sink *k)
{
	struct sink_counts c;

	sink_counts(k, &c);
	return c;
}

static inline void nap(int ms)
{
	poll(NULL, 0, ms);
}

/* Until all that was queued is out. */
static inline void settle(struct sink *k)
{
	for (int i = 0; i < 1000 && counts_of(k).queued > 0; i++) {
		sink_flush(k);
		nap(5);
	}
	assert_int_equal(counts_of(k).queued, 0);
}

static inline char *read_file(const char *from)
{
	FILE *f = fopen(from, "r");
	char *text = NULL;
	size_t cap = 0;

	assert_non_null(f);
	if (getdelim(&text, &cap, '\0', f) < 0)
		text[0] = '\0';
	fclose(f);
	return text;
}

static inline int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/smscope-sink-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#endif
