#include "edit_case.h"

#include "../fuzz/edit.c"

/*
 * The properties of the fuzz target `edit` on PDUs of specifications and other programs, mutated at
 * random, under random rules: the same on every run.
 */

enum { ROUNDS = 60, INPUT_MAX = 2048 };

static uint64_t state_of = 88172645463325252u;

static uint32_t next(void)
{
	state_of ^= state_of << 13;
	state_of ^= state_of >> 7;
	state_of ^= state_of << 17;
	return (uint32_t)(state_of >> 16);
}

static int edits;

static void play(struct span pdu, bool cmpp, uint8_t dialect)
{
	uint8_t input[INPUT_MAX];
	size_t n = 2;
	int rules = 1 + (int)(next() % RULES);

	input[0] = (uint8_t)((cmpp ? dialect >= 0x30 ? 4 : 3 : dialect == 0x50 ? 2 : 0) | (next() & 0x70));
	input[1] = (uint8_t)rules;
	for (int i = 0; i < rules * RULE_LEN; i++)
		input[n++] = (uint8_t)next();
	/* Selectors let most through: rules that match nothing are another test. */
	for (int i = 0; i < rules && next() % 4 != 0; i++) {
		input[2 + i * RULE_LEN + 1] &= 0x3e;
		input[2 + i * RULE_LEN + 2] |= 1;
		input[2 + i * RULE_LEN + 3] = 0;
	}
	if (pdu.n > sizeof(input) - n)
		return;
	memcpy(input + n, pdu.p, pdu.n);
	for (uint32_t k = next() % 4; k > 0 && pdu.n > 8; k--)
		input[n + 8 + next() % (pdu.n - 8)] = (uint8_t)next();
	n += pdu.n;
	(void)LLVMFuzzerTestOneInput(input, n);
	for (int i = 0; i < first.change_count; i++)
		edits += !first.changes[i].dry_run;
}

static void random_rules_on_mutated_vectors(void **state)
{
	json_t *all = vectors_load(), *v;
	size_t i;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		json_array_foreach(all, i, v)
		{
			edit_hex(vector_str(v, "hex"));
			play(span_of(edit_in, edit_in_len), vector_proto(v) == &proto_cmpp,
				vector_dialect(v));
		}
	}
	json_decref(all);
	print_message("%d edits\n", edits);
	assert_true(edits > 500);
}

static void random_rules_on_receipts(void **state)
{
	static const char *const names[] = { "smpp-err-infox", "smpp-ucs2", "smpp-ucs2-little-endian",
		"smpp-ids", "smpp-tlv-disagrees", "smpp-text-first", "smpp-any-order", "smpp-blanks",
		"smpp-message_payload", "smpp-header", "smpp-err-short", "smpp-stat-with-words" };

	(void)state;
	for (int round = 0; round < ROUNDS * 3; round++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			edit_receipt(names[i], 1);
			play(span_of(edit_in, edit_in_len), false, 0x34);
		}
		edit_receipt("cmpp-stat-codes", 1);
		play(span_of(edit_in, edit_in_len), true, 0x20);
	}
	print_message("%d edits\n", edits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_on_mutated_vectors),
		cmocka_unit_test(random_rules_on_receipts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
