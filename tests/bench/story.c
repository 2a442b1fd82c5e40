#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "smscope/story.h"

/*
 * The table of stories at its default size and beyond: what an insert costs while it fills, when it
 * is full and each one pushes the oldest out, what finding a report's message costs, how much memory
 * there is in use, how long another process takes to adopt it. Every insert is timed by itself, and
 * the whole is done several times over: what an insert needs is the least of its times, for what the
 * table does at an insert it does each time, and what the machine does it does at another one. The
 * slowest of all as timed stands beside it.
 */

enum { LIMIT = 1000000, ROUNDS = 3, PASSES = 5, TOTAL = ROUNDS * LIMIT };

static struct story_table *table;
static uint32_t account, lab;

static uint32_t *least_ns, *most_ns; /* by round, the slowest */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static long resident_mib(void)
{
	long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL && fscanf(f, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (f != NULL)
		fclose(f);
	return resident * sysconf(_SC_PAGESIZE) >> 20;
}

static struct span id_of(uint32_t i, char to[24])
{
	return span_of(to, (size_t)snprintf(to, 24, "%08X%04X", i * 2654435761u, i & 0xffff));
}

static struct span number_of(uint32_t i, char to[24])
{
	return span_of(to, (size_t)snprintf(to, 24, "138%08u", i % 100000000));
}

static void insert(uint32_t i)
{
	char id[24], dst[24];
	struct story_accepted a = { .account = account, .id = id_of(i, id), .dst = number_of(i, dst),
		.dst_count = 1, .wants_report = true, .session = 1, .sent_us = i };

	story_begin(table, account, span_of("1069", 4), a.dst, 0, 0, 0, i, &a.part);
	story_accept(table, &a);
}

/* Fill the table, then twice as many again. */
static void insert_all(void)
{
	for (uint32_t i = 0; i < TOTAL; i++) {
		uint64_t begin = clock_ns(CLOCK_MONOTONIC);
		uint32_t ns;

		insert(i);
		ns = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - begin);
		if (ns < least_ns[i])
			least_ns[i] = ns;
		if (ns > most_ns[i / LIMIT])
			most_ns[i / LIMIT] = ns;
	}
}

static void print_round(uint32_t round)
{
	uint32_t *ns = least_ns + round * LIMIT;

	qsort(ns, LIMIT, sizeof(*ns), by_value);
	printf("%-10s %9" PRIu32 " %7" PRIu32 " %7" PRIu32 " %7" PRIu32 " %9.1f %14.1f\n",
		round == 0 ? "filling" : "full", (round + 1) * LIMIT, ns[LIMIT / 2],
		ns[LIMIT / 100 * 99], ns[LIMIT / 1000 * 999], ns[LIMIT - 1] / 1e3,
		most_ns[round] / 1e3);
}

static void find_round(uint32_t from, const char *what, bool there)
{
	char id[24], dst[24];
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint32_t found = 0;
	struct story x;

	for (uint32_t i = 0; i < LIMIT; i++) {
		struct story_report r = { .account = account, .link = lab, .final = true, .state = 2 };

		r.id = id_of(from + i * 7919u % LIMIT, id);
		r.dst = number_of(from + i * 7919u % LIMIT, dst);
		found += story_match(table, &r, &x);
	}
	printf("%-10s %u of %u found, %.0f ns each\n", what, found, LIMIT,
		(double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / LIMIT);
	if (found != (there ? LIMIT : 0))
		abort();
}

int main(void)
{
	size_t bytes = story_bytes(LIMIT);
	int fd = memfd_create("bench", 0);
	uint64_t begin;
	uint32_t broken;
	long before;
	void *mem;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return 1;
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return 1;
	account = story_key("bench");
	lab = story_key("lab");
	least_ns = malloc(TOTAL * sizeof(*least_ns));
	most_ns = calloc(ROUNDS, sizeof(*most_ns));
	if (least_ns == NULL || most_ns == NULL)
		return 1;
	memset(least_ns, 0xff, TOTAL * sizeof(*least_ns));
	before = resident_mib();
	for (int pass = 0; pass < PASSES; pass++) {
		if (madvise(mem, bytes, MADV_REMOVE) < 0)
			return 1;
		table = story_init(mem, bytes, LIMIT, 1);
		insert_all();
	}
	printf("%d messages: %zu MiB of address space, in use when full %ld MiB\n", LIMIT, bytes >> 20,
		resident_mib() - before);
	printf("%-10s %9s %7s %7s %7s %9s %14s\n", "insert", "messages", "p50 ns", "p99", "p99.9",
		"worst us", "as timed, us");
	for (uint32_t round = 0; round < ROUNDS; round++)
		print_round(round);
	find_round((ROUNDS - 1) * LIMIT, "there", true);
	find_round((ROUNDS - 2) * LIMIT, "forgotten", false);
	begin = clock_ns(CLOCK_MONOTONIC);
	table = story_adopt(mem, bytes, LIMIT, &broken);
	printf("%-10s %.1f ms, %u broken\n", "adopted", (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e6,
		broken);
	return table == NULL || broken != 0;
}
