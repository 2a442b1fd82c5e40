#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/receipt_text.h"
#include "smscope/text.h"

/*
 * What can be said of any receipt's text: every order of its fields, every choice of them, every
 * encoding. Single shapes are in tests/data/receipts/.
 */

static const struct part {
	enum label label;
	const char *name, *value;
} fields[] = {
	{ L_ID, "id:", "0123456789" }, { L_SUB, "sub:", "001" }, { L_DLVRD, "dlvrd:", "001" },
	{ L_SUBMIT, "submit date:", "1701240904" }, { L_DONE, "done date:", "1701240905" },
	{ L_STAT, "stat:", "UNDELIV" }, { L_ERR, "err:", "021" }, { L_TEXT, "text:", "hello" },
};

enum { FIELDS = sizeof(fields) / sizeof(*fields) };

static struct receipt store;

/* The labels of `n` octets, in memory of just their size. */
static void read_octets(const void *p, size_t n, struct labels *ret)
{
	static uint8_t *exact;

	free(exact);
	exact = malloc(n > 0 ? n : 1);
	memcpy(exact, p, n);
	labels_read(span_of(exact, n), &store, ret);
}

static void read_text(const char *text, struct labels *ret)
{
	read_octets(text, strlen(text), ret);
}

static bool is(struct span s, const char *want)
{
	return s.n == strlen(want) && memcmp(s.p, want, s.n) == 0;
}

static void expect(const char *text, const struct labels *l, enum label which, const char *want)
{
	if (!is(l->value[which], want))
		fail_msg("%s: label %d is \"%.*s\", not \"%s\"", text, which,
			(int)l->value[which].n, (const char *)l->value[which].p, want);
}

static void put_field(struct out *o, const struct part *f)
{
	if (out_len(o) > 0)
		out_char(o, ' ');
	out_str(o, f->name);
	out_str(o, f->value);
}

static void check_order(const int *order)
{
	char text[256];
	struct out o = out_of(text, sizeof(text) - 1);
	struct labels l;

	for (int i = 0; i < FIELDS; i++)
		put_field(&o, &fields[order[i]]);
	*o.pos = '\0';
	read_text(text, &l);
	assert_int_equal(l.count, FIELDS);
	for (int i = 0; i < FIELDS; i++)
		expect(text, &l, fields[i].label, fields[i].value);
}

static void swap(int *a, int *b)
{
	int c = *a;

	*a = *b;
	*b = c;
}

static int permute(int *order, int from)
{
	int count = 0;

	if (from == FIELDS) {
		check_order(order);
		return 1;
	}
	for (int i = from; i < FIELDS; i++) {
		swap(&order[from], &order[i]);
		count += permute(order, from + 1);
		swap(&order[from], &order[i]);
	}
	return count;
}

static void every_order(void **state)
{
	int order[FIELDS] = { 0, 1, 2, 3, 4, 5, 6, 7 };

	(void)state;
	assert_int_equal(permute(order, 0), 40320);
}

/* Every field is there with a value, there without one, or missing. */
static void every_choice(void **state)
{
	(void)state;
	for (int choice = 0; choice < 6561; choice++) {
		char text[256];
		struct out o = out_of(text, sizeof(text) - 1);
		struct labels l;
		int rest = choice, count = 0;

		for (int i = 0; i < FIELDS; i++, rest /= 3) {
			if (rest % 3 == 0)
				continue;
			put_field(&o, &(struct part){ fields[i].label, fields[i].name,
				rest % 3 == 1 ? fields[i].value : "" });
			count++;
		}
		*o.pos = '\0';
		read_text(text, &l);
		assert_int_equal(l.count, count);
		rest = choice;
		for (int i = 0; i < FIELDS; i++, rest /= 3)
			expect(text, &l, fields[i].label, rest % 3 == 1 ? fields[i].value : "");
	}
}

static void first_valid_field_wins(void **state)
{
	static const struct {
		const char *text, *id, *stat, *err, *message;
	} cases[] = {
		{ "id:7 stat:UNDELIV err:001 text:stat:DELIVRD", "7", "UNDELIV", "001",
		  "stat:DELIVRD" },
		{ "id:7 stat:UNDELIV err:001 text: stat:DELIVRD", "7", "UNDELIV", "001",
		  "stat:DELIVRD" },
		{ "id:7 stat:UNDELIV text:hi id:9 stat:DELIVRD err:000", "7", "UNDELIV", "",
		  "hi id:9 stat:DELIVRD err:000" },
		{ "id:7 stat:UNDELIV stat:DELIVRD err:1 err:2", "7", "UNDELIV", "1", "" },
		{ "id:7 stat: err: stat:DELIVRD err:2", "7", "DELIVRD", "2", "" },
		/* a stat that is missing is not taken from the message... */
		{ "id:7 err:001 text:stat:DELIVRD", "7", "", "001", "stat:DELIVRD" },
		{ "id:7 err:001 text:my stat:DELIVRD says so", "7", "", "001",
		  "my stat:DELIVRD says so" },
		{ "id:7 err:001 text:hi id:9 stat:DELIVRD done", "7", "", "001",
		  "hi id:9 stat:DELIVRD done" },
		{ "id:7 stat:UNDELIV text:server err: disk full", "7", "UNDELIV", "",
		  "server err: disk full" },
		/* ...but from behind it */
		{ "id:7 err:001 text: stat:DELIVRD", "7", "DELIVRD", "001", "" },
		{ "text:hello you id:7 stat:FAILED:Mob. Abst. err:100", "7",
		  "FAILED:Mob. Abst.", "100", "hello you" },
		{ "text:your id:5 please", "", "", "", "your id:5 please" },
		/* codes that begin like labels */
		{ "id:7 stat:UNDELIV err:ID:0005 text:a", "7", "UNDELIV", "ID:0005", "a" },
		{ "id:7 stat:ID:0020 err:IB:0008", "7", "ID:0020", "IB:0008", "" },
		{ "id:7 stat:UNDELIV err: ID:0005 text:a", "7", "UNDELIV", "ID:0005", "a" },
		{ "id:7 stat:ERR:021 err:021", "7", "ERR:021", "021", "" },
		{ "stat:UNDELIV err:ID:0005 id:7", "7", "UNDELIV", "ID:0005", "" },
		{ "stat:DELIVRD err: id:7", "7", "DELIVRD", "", "" },
		{ "id:7 stat: err:000", "7", "", "000", "" },
		/* labels by other hands */
		{ "id :7 stat : DELIVRD err: 0 Text :a", "7", "DELIVRD", "0", "a" },
		{ "ID:7 STATUS:DELIVRD ERR:0 TEXT:a", "7", "DELIVRD", "0", "a" },
		{ "\xef\xbb\xbfid:7\r\nstat:DELIVRD\r\nerr:0\r\n", "7", "DELIVRD", "0", "" },
		{ "grid:7 thermostat:5 overr:1 context:2", "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct labels l;

		read_text(cases[i].text, &l);
		expect(cases[i].text, &l, L_ID, cases[i].id);
		expect(cases[i].text, &l, L_STAT, cases[i].stat);
		expect(cases[i].text, &l, L_ERR, cases[i].err);
		expect(cases[i].text, &l, L_TEXT, cases[i].message);
	}
}

static void date_labels(void **state)
{
	static const char *const texts[] = {
		"id:7 submit date:1 done date:2 stat:X", "id:7 submit_date:1 done_date:2 stat:X",
		"id:7 Submit Date:1 Done Date:2 stat:X", "id:7 submit  date:1 done  date:2 stat:X",
		"id:7 submitdate:1 donedate:2 stat:X",
		"id:7 submit\x11" "date:1 done\x11" "date:2 stat:X",
		"done date: 2 submit date: 1 id:7 stat:X",
		"id:7 stat:X date:9 submit date:1 done date:2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct labels l;

		read_text(texts[i], &l);
		expect(texts[i], &l, L_SUBMIT, "1");
		expect(texts[i], &l, L_DONE, "2");
		expect(texts[i], &l, L_ID, "7");
	}
}

/* ASCII as UTF-16, an octet order mark before it or not. */
static size_t widen(const char *text, bool little, bool mark, uint8_t *to)
{
	size_t n = 0;

	if (mark) {
		to[n++] = little ? 0xff : 0xfe;
		to[n++] = little ? 0xfe : 0xff;
	}
	for (; *text != '\0'; text++) {
		to[n++] = little ? (uint8_t)*text : 0;
		to[n++] = little ? 0 : (uint8_t)*text;
	}
	return n;
}

static void two_octets_a_character(void **state)
{
	static const char text[] = "id:7 sub:001 stat:FAILED:Mob. Abst.|nt err:00B text:abc";
	uint8_t wide[256];

	(void)state;
	for (int form = 0; form < 4; form++) {
		size_t n = widen(text, form & 1, form & 2, wide);
		struct labels l;

		for (size_t odd = 0; odd < 2; odd++) {
			wide[n] = 0;
			read_octets(wide, n + odd, &l);
			expect(text, &l, L_ID, "7");
			expect(text, &l, L_STAT, "FAILED:Mob. Abst.|nt");
			expect(text, &l, L_ERR, "00B");
			expect(text, &l, L_TEXT, "abc");
		}
	}
}

/* Mostly Chinese, in both orders, a pair of surrogates at every place of the decoder's part. */
static void chinese_before_the_labels(void **state)
{
	static const char tail[] = " id:7 stat:DELIVRD err:000";
	uint8_t wide[2048];

	(void)state;
	for (int little = 0; little < 2; little++) {
		for (size_t lead = 40; lead < 110; lead++) {
			struct labels l;
			size_t n = 0;

			for (size_t i = 0; i < lead; i++, n += 2)
				memcpy(wide + n, little ? "\x60\x4f" : "\x4f\x60", 2);
			memcpy(wide + n, little ? "\x3d\xd8\x00\xde" : "\xd8\x3d\xde\x00", 4);
			n += 4;
			n += widen(tail, little, false, wide + n);
			read_octets(wide, n, &l);
			expect("Chinese", &l, L_ID, "7");
			expect("Chinese", &l, L_STAT, "DELIVRD");
			assert_int_equal(store.store_len, 3 * lead + 4 + strlen(tail));
			assert_memory_equal(store.store + 3 * lead, "\xf0\x9f\x98\x80", 4);
		}
	}
}

/* ASCII stays ASCII, whatever NULs GSM's '@' puts into it, and whatever follows "text:". */
static void one_octet_a_character(void **state)
{
	static const char at[] = "id:7 stat:DELIVRD err:000 text:a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k";
	static const char half[] = "id:7 stat:DELIVRD text:\0h\0e\0l\0l\0o\0 \0t\0h\0e\0r\0e";
	struct labels l;

	(void)state;
	read_octets(at, sizeof(at) - 1, &l);
	expect("@", &l, L_ERR, "000");
	assert_int_equal(l.value[L_TEXT].n, 21);
	assert_int_equal(store.store_len, 0);
	read_octets(half, sizeof(half) - 1, &l);
	expect("half", &l, L_STAT, "DELIVRD");
	assert_int_equal(store.store_len, 0);
}

static void five_thousand_octets(void **state)
{
	static const char head[] = "id:7 sub:001 ", tail[] = " stat:EXPIRED err:034";
	static char text[5001];
	static uint8_t wide[10000];
	struct labels l;

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	memcpy(text, head, strlen(head));
	memcpy(text + 5000 - strlen(tail), tail, strlen(tail));
	read_text(text, &l);
	expect("5 KB", &l, L_STAT, "EXPIRED");
	expect("5 KB", &l, L_ERR, "034");
	for (int little = 0; little < 2; little++) {
		read_octets(wide, widen(text, little, false, wide), &l);
		expect("5 KB", &l, L_STAT, "EXPIRED");
		expect("5 KB", &l, L_ERR, "034");
	}
}

/* Time that does not grow with the square: 60 KB of what looks like labels behind the text. */
static void labels_without_end(void **state)
{
	static const char *const parts[] = {
		" id:", " err: sub:", " err:1 id:1 id:1", ":", " text:", " stat:ID:",
		" done date: submit date:",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		static char text[60000];
		struct out o = out_of(text, sizeof(text));
		struct labels l;

		out_str(&o, i % 2 == 0 ? "text:" : "id:1 text:");
		while (!o.full)
			out_str(&o, parts[i]);
		read_octets(text, sizeof(text), &l);
		assert_true(l.seen[L_TEXT]);
	}
}

static void words_of_a_stat(void **state)
{
	static const struct {
		const char *stat, *word;
		int state;
	} cases[] = {
		{ "DELIVRD", "DELIVRD", 2 }, { "delivrd", "delivrd", 2 },
		{ "DELIVRD err", "DELIVRD", 2 }, { "EXPIRED|timeout", "EXPIRED", 3 },
		{ "UNDELIV:Absent", "UNDELIV", 5 }, { "FAILED:Mob. Abst.|nt ext", "FAILED", -1 },
		{ "UNDELIV\0x", "UNDELIV", 5 }, { "MB:0064", "MB:0064", -1 },
		{ "EXP-MSG-Q-EXD", "EXP-MSG-Q-EXD", -1 }, { "DND_REJECTED", "DND_REJECTED", -1 },
		{ "DELIVR", "DELIVR", -1 }, { "DELIVRD1", "DELIVRD1", -1 }, { "0", "0", -1 },
		{ "2", "2", -1 }, { "", "", -1 }, { ":", ":", -1 }, { "-1", "-1", -1 },
		{ "ENROUTE,", "ENROUTE", 1 }, { "SKIPPED", "SKIPPED", 9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct span stat = span_of(cases[i].stat, strlen(cases[i].stat));

		if (!is(receipt_stat_word(stat), cases[i].word) ||
		    receipt_state_of(stat) != cases[i].state)
			fail_msg("%s", cases[i].stat);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),
		cmocka_unit_test(every_choice),
		cmocka_unit_test(first_valid_field_wins),
		cmocka_unit_test(date_labels),
		cmocka_unit_test(two_octets_a_character),
		cmocka_unit_test(chinese_before_the_labels),
		cmocka_unit_test(one_octet_a_character),
		cmocka_unit_test(five_thousand_octets),
		cmocka_unit_test(labels_without_end),
		cmocka_unit_test(words_of_a_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
