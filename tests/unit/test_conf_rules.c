#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/conf_rule_keys.h"

/* Rules as a file has them: the sample's, faulty ones, and what a dump says of them. */

static struct code_set *codes;

static int setup(void **state)
{
	struct conf_faults faults = { .to = stderr };

	(void)state;
	codes = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	return codes != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	codes_free(codes);
	return 0;
}

/* Settings of one link with these rules; what was said goes to *ret_said, the caller's to free. */
static struct settings *load(const char *proto, const char *rules, char **ret_said,
	struct rule_set **ret_set)
{
	char text[16384];
	size_t n = (size_t)snprintf(text, sizeof(text), "links = ( { name = \"a\"; protocol = \"%s\";\n"
		"listen = \"127.0.0.1:0\"; upstream = \"192.0.2.1:1\";\n%s } );\n", proto, rules), len;
	int fd = memfd_create("rules", MFD_CLOEXEC);
	struct conf_faults faults = { .to = open_memstream(ret_said, &len) };
	struct settings *s;

	assert_true(n < sizeof(text) && fd >= 0 && faults.to != NULL);
	assert_int_equal(write(fd, text, n), n);
	s = conf_load_fd(fd, &faults);
	*ret_set = s != NULL ? conf_rules(&s->links[0], codes, &faults) : NULL;
	fclose(faults.to);
	close(fd);
	return s;
}

/* What can never do anything, and what would make success and failure the same; CMPP where the link is of it. */
#define IS(key) "rules = ( { name = \"r\"; " key " } );"
#define STATUS "action = \"map_status\"; map = \"infox-to-smpp34\"; "
#define STAT "action = \"map_stat\"; map = \"states\"; "
#define ERROR "configuration:4: error: rule r: "

static const struct never {
	const char *rules, *said;
	bool cmpp;
} nevers[] = {
	{ IS("action = \"map_status\";\nmap = \"infox-to-smpp34\";"),
	  ERROR "map infox-to-smpp34 is not for cmpp\n", true },
	{ IS("pdu = \"deliver_resp\"; action = \"map_status\";\nmap = \"infox-to-smpp34\";"),
	  ERROR "map infox-to-smpp34 has no row for a deliver_resp\n", false },
	{ IS("pdu = \"submit_resp\"; action = \"annotate\";\nin = \"text\";"),
	  ERROR "in = \"text\" is of reports, and not of a submit_resp\n", false },
	{ IS("pdu = \"report\"; action = \"annotate\";\nin = \"tlv\";"),
	  ERROR "in = \"tlv\" is of responses, and not of a report\n", false },
	{ IS("pdu = \"report\"; action = \"annotate\";\nin = [ \"tlv\", \"text\" ];"),
	  ERROR "in = \"tlv\" is of responses, and the rule is for none\n", false },
	{ IS("action = \"annotate\"; in = \"tlv\";\npayload = true;"),
	  ERROR "payload is of reports, and the rule is for none\n", false },
	{ IS(STATUS "\ncode = \"MB:*\";"),
	  ERROR "code \"MB:*\" is none of a response, which has numbers: 57, 17-255\n", false },
	{ IS(STATUS "\ncode = [ \"57\", \"5*\" ];"),
	  ERROR "code \"5*\" is none of a response, which has numbers: 57, 17-255\n", false },
	{ IS(STATUS "\ncode = \"57x\";"),
	  ERROR "code \"57x\" is none of a response, which has numbers: 57, 17-255\n", false },
	{ IS(STATUS "\ncode = \"0x\";"),
	  ERROR "code \"0x\" is none of a response, which has numbers: 57, 17-255\n", false },
	{ IS(STATUS "\ncode = \"12345678901\";"),
	  ERROR "code \"12345678901\" is none of a response, which has numbers: 57, 17-255\n", false },
	{ IS(STATUS "\ncode = \"*\";"),
	  ERROR "a code of * alone is every code: leave it out, or say how it begins\n", false },
	{ IS(STAT "\ncode = \"50-60\";"),
	  ERROR "code \"50-60\" is none of a report, which has words: MB:0064, MB:*\n", false },
	{ IS(STAT "\nfrom = \"sp\";"), ERROR "a report comes from the gateway\n", false },
	{ IS("pdu = \"deliver_resp\"; stop = true;\ndst = \"138\";"),
	  ERROR "whom a deliver_resp is about is not known\n", false },
	{ IS("pdu = [ \"submit_resp\", \"login\" ]; stop = true;\ndst = \"138\";"),
	  ERROR "whom a login is about is not known\n", false },
	{ IS("pdu = \"cancel_resp\"; stop = true;\ndst = \"138\";"),
	  ERROR "whom a cancel_resp is about is not known\n", true },
	{ IS("stop = true;\npdu = \"forward_resp\";"), ERROR "smpp has no forward_resp\n", false },
	{ IS("\naction = \"message_id\"; id_case = \"upper\";"), ERROR "cmpp has no place for message_id\n",
	  true },
	{ IS(STAT "\nkeep_err = true;"), ERROR "keep_err means nothing in cmpp\n", true },
	{ IS("\naction = \"none\";"), ERROR "action none without stop or log does nothing\n", false },
	{ IS("action = \"map_status\"; pdu = \"submit_resp\";\nto = \"0x58\";"),
	  ERROR "to needs code, class, origin or table: without them success and failure become the same\n",
	  false },
	{ IS("action = \"map_stat\"; dst = \"138\";\nto = \"UNDELIV\";"),
	  ERROR "to needs code, class, origin or table: without them success and failure become the same\n",
	  false },
	{ IS("action = \"map_status\"; origin = \"scp\"; to = \"0x58\";"), "", false },
	{ IS("action = \"map_status\"; pdu = [ \"nack\", \"deliver_resp\" ]; to = \"8\";"), "", false },
	/* one file of rules for links of either protocol */
	{ IS("action = \"map_status\"; pdu = [ \"submit_resp\", \"nack\" ]; code = \"57\"; to = \"8\";"), "", true },
	{ IS("action = \"map_status\"; code = \"57\"; to = \"8\";\npdu = \"nack\";"), ERROR "cmpp has no nack\n", true },
	{ IS("stop = true; from = \"sp\";\ndst = \"86\";"), ERROR "whom a deliver_resp is about is not known\n", false },
	/* from one gateway to another a report may come from where the SP is */
	{ IS(STAT "\nfrom = \"sp\";"), "configuration:4: warning: rule r: reports come from the gateway, but for "
	  "those that CMPP_FWD passes on\n", true },
};

static void what_can_never_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nevers) / sizeof(nevers[0]); i++) {
		struct rule_set *set;
		char *said;
		struct settings *s = load(nevers[i].cmpp ? "cmpp" : "smpp", nevers[i].rules, &said, &set);

		assert_string_equal(said, nevers[i].said);
		assert_int_equal(set == NULL, strstr(said, "error") != NULL);
		rule_set_free(set);
		settings_free(s);
		free(said);
	}
}

/* A link that may speak either: what one of the two can have is none; of several reasons the nearest. */
static void of_either_protocol(void **state)
{
	static const char *const rules[][2] = {
		{ IS(STATUS), "" }, { IS("action = \"annotate\"; in = \"tlv\";"), "" },
		{ IS("stop = true; pdu = [ \"nack\", \"forward_resp\" ];"), "" },
		{ IS(STATUS "\ncode = \"MB:*\";"),
		  ERROR "code \"MB:*\" is none of a response, which has numbers: 57, 17-255\n" },
		{ IS("action = \"message_id\"; id_strip = true;\nfrom = \"sp\";"),
		  ERROR "a report comes from the gateway\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct rule_set *set;
		char *said;
		struct settings *s = load("auto", rules[i][0], &said, &set);

		assert_string_equal(said, rules[i][1]);
		rule_set_free(set);
		settings_free(s);
		free(said);
	}
}

static const struct fault {
	const char *rules, *said;
} faults[] = {
	{ "rules = ( { } );", "configuration:3: error: name is missing in rules[]\n" },
	{ "rules = { };", "configuration:3: error: rules must be a list of groups: ( { … }, { … } )\n" },
	{ "rules = ( { name = \"r\"; action = \"anotate\"; } );",
	  "configuration:3: error: action has no choice \"anotate\"; did you mean \"annotate\"?\n" },
	{ "rules = ( { name = \"r\";\nclass = [ \"ok\", \"throtled\" ]; } );",
	  "configuration:4: error: class has no choice \"throtled\"; did you mean \"throttled\"?\n" },
	{ "rules = ( { name = \"r\"; action = \"map_stat\";\nmap = \"state\"; } );",
	  "configuration:4: error: no map \"state\" in the code tables; did you mean \"states\"?\n" },
	{ "rules = ( { name = \"r\"; stop = true;\ntable = \"infox-smx\"; } );",
	  "configuration:4: error: no code table \"infox-smx\"; did you mean \"infox-smc\"?\n" },
	{ "rules = ( { name = \"r\"; action = \"map_stat\";\nmap = \"infox-to-smpp34\"; } );",
	  "configuration:4: error: rule r: map_stat takes a map of kind stat, this one is of kind status\n" },
	{ "rules = ( { name = \"r\"; action = \"map_stat\"; class = \"ok\";\nto = \"GONE\"; } );",
	  "configuration:4: error: rule r: to is a state here: DELIVRD EXPIRED DELETED UNDELIV ACCEPTD "
	  "UNKNOWN REJECTD\n" },
	{ "rules = ( { name = \"r\"; action = \"annotate\"; in = \"tlv\";\nwidth = 4; } );",
	  "configuration:4: error: rule r: width means nothing to action annotate\n" },
	{ "rules = ( { name = \"r\"; action = \"err_width\";\nwidth = 5; } );",
	  "configuration:4: error: width must be 3 to 4 characters\n" },
	{ "rules = ( { name = \"r\"; stop = true; },\n{ name = \"r\"; stop = true; } );",
	  "configuration:4: error: rule r: another rule has this name\n" },
	{ "rules = ( { name = \"r\"; stop = true; code = ( 5,\n\"9-3\" ); } );",
	  "configuration:3: error: rule r: a range goes from the lesser number to the greater: 17-255\n" },
	{ "rules = ( { name = \"r\";\ncode = true; } );",
	  "configuration:4: error: code must be a number or text in double quotes, or a list of such, not "
	  "true or false\n" },
	{ "rules = ( { name = \"r\";\nstall = \"1s\"; } );",
	  "configuration:4: error: stall is no key of rules[]; it belongs in links[]\n" },
};

static void every_fault_has_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct rule_set *set;
		char *said;
		struct settings *s = load("smpp", faults[i].rules, &said, &set);

		assert_string_equal(said, faults[i].said);
		assert_null(set);
		settings_free(s);
		free(said);
	}
}

/* Sixty-five of them. */
static void too_many(void **state)
{
	char text[8192] = "rules = (";
	struct rule_set *set;
	char *said;
	struct settings *s;

	(void)state;
	for (int i = 0; i <= RULES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s{ name = \"r%d\"; }",
			i > 0 ? "," : "", i);
	strcat(text, ");");
	s = load("smpp", text, &said, &set);
	assert_null(set);
	assert_non_null(strstr(said, "configuration:3: error: more than 64 rules"));
	settings_free(s);
	free(said);
}

/* The sample's rules, without the marks of a comment. */
static void sample_rules(char *to, size_t cap)
{
	FILE *f = fopen(SOURCE_DIR "/conf/smscope.conf", "r");
	char line[512];
	bool on = false;

	assert_non_null(f);
	*to = '\0';
	while (fgets(line, sizeof(line), f) != NULL) {
		char *p = strchr(line, '#');

		on = on || (p != NULL && strcmp(p, "# rules = (\n") == 0);
		if (!on || p == NULL)
			continue;
		assert_true(strlen(to) + strlen(p) < cap);
		strcat(to, p + 1);
		if (strcmp(p, "# );\n") == 0)
			break;
	}
	fclose(f);
}

static char *dump(const struct settings *s)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(conf_dump(s, f), 0);
	fclose(f);
	return text;
}

static void sample_is_legal_and_dumps(void **state)
{
	char rules[8192], *said, *text, *again;
	struct rule_set *set;
	struct settings *s, *t;
	struct conf_faults quiet = { .to = stderr };
	int fd = memfd_create("dump", MFD_CLOEXEC);

	(void)state;
	sample_rules(rules, sizeof(rules));
	s = load("auto", rules, &said, &set); /* some are of CMPP, some of SMPP */
	assert_string_equal(said, "");
	assert_non_null(set);
	assert_int_equal(rule_set_count(set), 6);
	assert_string_equal(rule_name(set, 0), "spare-vip");
	assert_int_equal(rule_action(set, 3), EDIT_MESSAGE_ID);
	assert_int_equal(s->links[0].rules[0].code_count, 4);
	assert_string_equal(s->links[0].rules[0].codes[0], "57");
	assert_int_equal(s->links[0].rules[0].pdus, 1u << CTX_SUBMIT_RESP | 1u << CTX_REPORT);
	assert_int_equal(s->links[0].rules[5].annotate, ANNOTATE_TLV | ANNOTATE_TEXT);
	text = dump(s);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	t = conf_load_fd(fd, &quiet);
	assert_non_null(t);
	again = dump(t);
	for (char **p = (char *[]){ text, again, NULL }; *p != NULL; p++) {
		for (char *q = *p; (q = strstr(q, " // ")) != NULL;)
			memmove(q, strchr(q, '\n'), strlen(strchr(q, '\n')) + 1);
	}
	assert_string_equal(text, again);
	free(text);
	free(again);
	free(said);
	close(fd);
	rule_set_free(set);
	settings_free(s);
	settings_free(t);
}

/* The words of a key that stands for names of the core are all of these, with their values. */
static void words_are_those_of_the_core(void **state)
{
	static const struct {
		const char *key;
		int count;
		int (*of)(const char *);
	} rows[] = { { "class", CLASS_COUNT, code_class_of }, { "origin", ORIGIN_COUNT, code_origin_of },
		{ "pdu", 8, code_context_of } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct conf_word *w = conf_rule_keys[conf_key_find(CONF_RULE, rows[i].key)].words;
		int n = 0;

		for (; w[n].word != NULL; n++)
			assert_int_equal(rows[i].of(w[n].word), w[n].value);
		assert_int_equal(n, rows[i].count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_has_its_line),
		cmocka_unit_test(too_many),
		cmocka_unit_test(what_can_never_be),
		cmocka_unit_test(of_either_protocol),
		cmocka_unit_test(sample_is_legal_and_dumps),
		cmocka_unit_test(words_are_those_of_the_core),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
