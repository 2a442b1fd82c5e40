#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "core/receipt_text.h"
#include "smscope/scope.h"

/*
 * tests/data/receipts/: a NAME.hex for every shape of a report, a NAME.out with its records as
 * JSON. A .hex holds PDUs one after the other in hexadecimal, comments, and "# link:" with protocol,
 * version and code profiles. docs/receipts.md has a row for each shape.
 *
 * What the records are is written to tests/receipts/ of the build folder, to be compared, read, and
 * copied if it is right.
 */

#define FOLDER SOURCE_DIR "/tests/data/receipts/"
#define MADE BUILD_DIR "/tests/receipts/"

enum { SHAPES_MAX = 200, PDUS_LEN = 16384, OUT_LEN = 65536, NAME_LEN = 64, PROFILES_MAX = 4 };

struct sample {
	char name[NAME_LEN];
	struct scope_link link;
	const struct code_profile *profiles[PROFILES_MAX];
	uint8_t dialect;
	uint8_t octets[PDUS_LEN];
	size_t n;
};

static char names[SHAPES_MAX][NAME_LEN];
static int name_count;
static struct code_set *codes;
static struct scope_work work;

static FILE *open_file(const char *folder, const char *name, const char *end, const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s%s", folder, name, end);
	return fopen(path, mode);
}

/* "# link: smpp 3.4 gsm standard" */
static void read_link(struct sample *s, char *words)
{
	char *word = strtok(words, " \n");
	int count = 0;

	assert_non_null(word);
	s->link = (struct scope_link){ .name = "lab", .codes = codes, .profiles = s->profiles,
		.pending = 16, .show_text = true };
	s->link.proto = strcmp(word, "smpp") == 0 ? &proto_smpp : &proto_cmpp;
	word = strtok(NULL, " \n");
	assert_non_null(word);
	s->dialect = (uint8_t)((word[0] - '0') << 4 | (word[2] - '0'));
	while ((word = strtok(NULL, " \n")) != NULL) {
		assert_in_range(count, 0, PROFILES_MAX - 2);
		s->profiles[count] = codes_profile(codes, word);
		assert_non_null(s->profiles[count++]);
	}
	s->profiles[count] = NULL;
}

static void add_hex(struct sample *s, const char *line)
{
	for (unsigned v; sscanf(line, "%2x", &v) == 1; line += 2) {
		assert_in_range(s->n, 0, PDUS_LEN - 1);
		s->octets[s->n++] = (uint8_t)v;
	}
	if (*line != '\n')
		fail_msg("%s.hex: not hexadecimal: %s", s->name, line);
}

static void read_shape(const char *name, struct sample *ret)
{
	static const char link[] = "# link: ";
	FILE *f = open_file(FOLDER, name, ".hex", "r");
	char line[1024];

	assert_non_null(f);
	ret->n = 0;
	ret->link.proto = NULL;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, link, strlen(link)) == 0)
			read_link(ret, line + strlen(link));
		else if (line[0] != '#')
			add_hex(ret, line);
	}
	fclose(f);
	if (ret->link.proto == NULL || ret->n == 0)
		fail_msg("%s.hex: no link or no PDU", name);
}

/* One frame, in memory of just its size: what a session that is up says of it, behind `out`. */
static void put_records(const struct sample *s, struct span frame, bool cut, struct out *out)
{
	static const struct record_style style = { .mask = MASK_PART, .show_text = true };
	struct scope *scope = scope_new(&s->link, 1, NULL);
	uint8_t *exact = malloc(frame.n);
	struct scope_frame f = { .octets = span_of(exact, frame.n), .from = SIDE_GW, .cut = cut,
		.wall_ns = 1795259820123456789ull };

	assert_non_null(scope);
	scope_resume(scope, s->link.proto, s->dialect, true);
	memcpy(exact, frame.p, frame.n);
	scope_pdu(scope, &f, &work);
	for (int i = 0; i < work.count; i++) {
		char line[RECORD_LINE_MAX];
		size_t n = record_line_json(&work.records[i], &style, line, sizeof(line));
		json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);

		if (o == NULL)
			fail_msg("%s: no JSON: %.*s", s->name, (int)n, line);
		json_decref(o);
		out_put(out, line, n);
	}
	free(exact);
	scope_free(scope);
}

static struct span next_frame(const struct sample *s, size_t *at)
{
	struct span frame = span_of(s->octets + *at, 0);

	if (*at == s->n)
		return frame;
	assert_true(s->n - *at >= 4);
	frame.n = bytes_u32(frame.p);
	if (frame.n < 12 || frame.n > s->n - *at)
		fail_msg("%s.hex: the PDU at %zu says it has %zu octets", s->name, *at, frame.n);
	*at += frame.n;
	return frame;
}

static void write_made(const char *name, struct span s)
{
	FILE *f;

	mkdir(MADE, 0777);
	f = open_file(MADE, name, ".out", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
	assert_int_equal(fclose(f), 0);
}

static int line_len(struct span s)
{
	const uint8_t *end = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;

	return (int)(end != NULL ? (size_t)(end - s.p) : s.n);
}

static struct span behind_line(struct span s)
{
	size_t n = (size_t)line_len(s);

	n += n < s.n;
	return span_of(s.p + n, s.n - n);
}

/* Shows the first line that is another; false if there is none. */
static bool differ(const char *name, struct span want, struct span have)
{
	for (int number = 1; want.n > 0 || have.n > 0; number++) {
		int w = line_len(want), h = line_len(have);

		if (w != h || memcmp(want.p, have.p, (size_t)w) != 0) {
			print_error("%s.out:%d\n  want %.*s\n  have %.*s\n", name, number, w,
				(const char *)want.p, h, (const char *)have.p);
			return true;
		}
		want = behind_line(want);
		have = behind_line(have);
	}
	return false;
}

static bool check_shape(const char *name)
{
	static struct sample shape;
	static char made[OUT_LEN], want[OUT_LEN];
	struct out out = out_of(made, sizeof(made));
	struct span frame;
	size_t at = 0, n;
	FILE *f;

	read_shape(name, &shape);
	while ((frame = next_frame(&shape, &at)).n > 0)
		put_records(&shape, frame, false, &out);
	assert_false(out.full);
	write_made(name, span_of(made, out_len(&out)));
	f = open_file(FOLDER, name, ".out", "r");
	if (f == NULL) {
		print_error("%s.hex has no %s.out\n", name, name);
		return false;
	}
	n = fread(want, 1, sizeof(want), f);
	fclose(f);
	return !differ(name, span_of(want, n), span_of(made, out_len(&out)));
}

static void every_shape_says_what_it_said(void **state)
{
	int faults = 0;

	(void)state;
	assert_true(name_count >= 60);
	for (int i = 0; i < name_count; i++)
		faults += !check_shape(names[i]);
	if (faults > 0)
		fail_msg("%d of %d shapes: diff -u %s %s", faults, name_count, FOLDER, MADE);
}

/* No beginning of a PDU breaks anything; each still gives a record, as a daemon's cut copy does. */
static void every_beginning_is_survived(void **state)
{
	static struct sample shape;
	static char made[OUT_LEN];

	(void)state;
	for (int i = 0; i < name_count; i++) {
		struct span frame;
		size_t at = 0;

		read_shape(names[i], &shape);
		while ((frame = next_frame(&shape, &at)).n > 0) {
			for (size_t n = shape.link.proto->header_len; n < frame.n; n += 3) {
				struct out out = out_of(made, sizeof(made));

				put_records(&shape, span_of(frame.p, n), n % 2 == 0, &out);
				assert_true(out_len(&out) > 0);
			}
		}
	}
}

/* True if a glance told the code; then it is the one that reading tells. */
static bool glance_agrees(const struct sample *s, struct span frame)
{
	static struct receipt receipt;
	struct span code, read;
	struct pdu pdu;

	if (!receipt_glance(s->link.proto, frame, &code))
		return false;
	if (pdu_parse(&pdu, s->link.proto, s->dialect, frame) != SM_OK ||
	    receipt_read(&pdu, &receipt) == RECEIPT_NONE)
		return true;
	read = receipt_code(&receipt);
	if (read.n != code.n || memcmp(read.p, code.p, code.n) != 0)
		fail_msg("%s: a glance says %.*s, reading %.*s", s->name, (int)code.n,
			(const char *)code.p, (int)read.n, (const char *)read.p);
	return true;
}

static void a_glance_says_what_reading_says(void **state)
{
	static struct sample shape;
	int smpp = 0, cmpp = 0;

	(void)state;
	for (int i = 0; i < name_count; i++) {
		struct span frame;
		size_t at = 0;

		read_shape(names[i], &shape);
		while ((frame = next_frame(&shape, &at)).n > 0) {
			bool told = glance_agrees(&shape, frame);

			smpp += told && shape.link.proto == &proto_smpp;
			cmpp += told && shape.link.proto == &proto_cmpp;
		}
	}
	print_message("told at a glance: %d of SMPP, %d of CMPP\n", smpp, cmpp);
	assert_true(smpp >= 15 && cmpp >= 4);
}

static int find_name(const char *name, size_t n)
{
	int i = 0;

	while (i < name_count && (strncmp(names[i], name, n) != 0 || names[i][n] != '\0'))
		i++;
	return i;
}

static void every_out_has_its_octets(void **state)
{
	DIR *d = opendir(FOLDER);
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');

		if (dot == NULL || dot == e->d_name || strcmp(e->d_name, "..") == 0)
			continue;
		if (strcmp(dot, ".out") == 0 &&
		    find_name(e->d_name, (size_t)(dot - e->d_name)) == name_count)
			fail_msg("%s has no .hex", e->d_name);
		if (strcmp(dot, ".out") != 0 && strcmp(dot, ".hex") != 0)
			fail_msg("%s: what is it?", e->d_name);
	}
	closedir(d);
}

/* Rows of the document's table begin with "| `NAME`". */
static void the_document_has_every_shape(void **state)
{
	FILE *f = fopen(SOURCE_DIR "/docs/receipts.md", "r");
	bool seen[SHAPES_MAX] = { false };
	char line[2048];
	int faults = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		size_t n = strcspn(line + 3, "`");
		int i;

		if (strncmp(line, "| `", 3) != 0)
			continue;
		i = find_name(line + 3, n);
		if (i == name_count || seen[i]) {
			print_error("docs/receipts.md: %.*s %s\n", (int)n, line + 3,
				i == name_count ? "has no file" : "has two rows");
			faults++;
		}
		seen[i] = true;
	}
	fclose(f);
	for (int i = 0; i < name_count; i++) {
		if (!seen[i])
			print_error("docs/receipts.md: no row for %s\n", names[i]);
		faults += !seen[i];
	}
	assert_int_equal(faults, 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int load(void **state)
{
	struct conf_faults faults = { .to = stderr };
	DIR *d = opendir(FOLDER);
	struct dirent *e;

	(void)state;
	codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	if (codes == NULL || d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n < 5 || n - 4 >= NAME_LEN || strcmp(e->d_name + n - 4, ".hex") != 0)
			continue;
		assert_in_range(name_count, 0, SHAPES_MAX - 2);
		snprintf(names[name_count++], NAME_LEN, "%.*s", (int)(n - 4), e->d_name);
	}
	closedir(d);
	qsort(names, (size_t)name_count, NAME_LEN, by_name);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	codes_free(codes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_says_what_it_said),
		cmocka_unit_test(every_beginning_is_survived),
		cmocka_unit_test(a_glance_says_what_reading_says),
		cmocka_unit_test(every_out_has_its_octets),
		cmocka_unit_test(the_document_has_every_shape),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
