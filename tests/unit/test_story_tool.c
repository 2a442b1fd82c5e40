#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMSCOPE BUILD_DIR "/smscope"
#define DATA SOURCE_DIR "/tests/data/story"
#define SAMPLE DATA "/sample.json"

/*
 * `smscope story` on tests/data/story/sample.json: the log of a day with a message of each kind;
 * its first session is of a daemon that wrote no `story` yet.
 */

enum { ROOM = 1 << 20 };

static char folder[] = "/tmp/test-story-XXXXXX";
static char got[ROOM], path[128];

static int run_from(const char *input, const char *args)
{
	char command[2048];
	size_t n;
	FILE *f;
	int rc;

	snprintf(command, sizeof(command), "%s " SMSCOPE " story %s 2>&1", input, args);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	rc = pclose(f);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static int run(const char *args)
{
	return run_from("", args);
}

static void says(const char *part)
{
	if (strstr(got, part) == NULL)
		fail_msg("no \"%s\" in: %s", part, got);
}

static int count(const char *what)
{
	int n = 0;

	for (const char *p = got; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void put(const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void a_long_message(void **state)
{
	(void)state;
	assert_int_equal(run("--lang en 1121191700-104-22 " SAMPLE), 0);
	says("message 1121191700-104-21, 1121191700-104-22, 1121191700-104-23 to 138****1234 on "
	     "cmcc-bj\n"
	     "  delivered after 12.1s: stat=DELIVRD «Message is delivered to destination»\n"
	     "  from 10690000, CMPP 2.0, session 2; 3 parts: 3 accepted, 3 reported\n"
	     "  2026-11-21 +08:00\n"
	     "  19:17:00.123          SUBMIT       1/3 seq=11 enc=UCS2 len=134\n");
	says("  19:17:00.166  +43ms   SUBMIT_RESP  2/3 seq=12 result=0 «success» "
	     "msgid=1121191700-104-22 table=infox-submit\n");
	says("  19:17:12.300  +12.1s  REPORT       3/3 stat=DELIVRD «");
	assert_int_equal(count("\n"), 13);
	assert_int_equal(count("message "), 1);
}

static void early_interim_and_duplicate_reports(void **state)
{
	(void)state;
	assert_int_equal(run("--lang en 7F00A1 " SAMPLE), 0);
	says("  delivered after 12ms: ");
	says("sessions 3, 4\n");
	says(" before the response sess=4 ");
	assert_int_equal(run("--lang en 7F00A2 " SAMPLE), 0);
	says("  failed after 1m03s: stat=UNDELIV «Message is undeliverable»\n");
	says("stat=ACCEPTD «Message is in accepted state» name=ACCEPTED interim ");
	says(" duplicate err=MK:0010 «the SMSC's status report has the state UNDELIV → 0010 peer's "
	     "own» match=case resp_id=7F00A2 sess=4 ");
	says("  20:19:05.000  +1h02m  REPORT ");
}

/* What an id may look like, and that the rule is told. */
static void ways_to_write_an_id(void **state)
{
	static const struct {
		const char *id, *rule; /* NULL: as written */
	} cases[] = {
		{ "0001E240", NULL },
		{ "123456", NULL },
		{ "0001e240", "; found but for upper and lower case\n" },
		{ "1e240", "; found but for leading zeros\n" },
		{ "000123456", "; found but for leading zeros\n" },
	};
	char args[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(args, sizeof(args), "%s " SAMPLE, cases[i].id);
		assert_int_equal(run(args), 0);
		says("message 0001E240 to 137****3333 on smsc-eu\n  delivered after 2.1s: ");
		says(" match=hex_dec resp_id=0001E240 ");
		if (cases[i].rule != NULL)
			says(cases[i].rule);
		else
			assert_null(strstr(got, "; found"));
	}
	/* 0x7F00A1 */
	assert_int_equal(run("8323233 " SAMPLE), 0);
	says("message 7F00A1 ");
	says("; found one hexadecimal, the other decimal\n");
	/* 1121191708-104-24 as its eight octets */
	assert_int_equal(run("bacd120000680018 " SAMPLE), 0);
	says("message 1121191708-104-24 ");
	says("; found as the octets of a Msg_Id\n");
}

static void ends_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(run("99999999 " SAMPLE), 0);
	says("message 99999999 to 135****4444 on smsc-eu\n  its submit is not in the log: delivered: ");
	says(" of no message that is known ");
	assert_int_equal(run("1121191708-104-24 " SAMPLE), 0);
	says("  no final report after 3d00h\n");
	says("  2026-11-24 +08:00\n  19:17:08.000  +3d00h  NO_REPORT    reason=age\n");
	assert_int_equal(run("7777 " SAMPLE), 0);
	says("message to 138****7777 on cmcc-bj\n  not answered after 30.0s\n");
	says("  STALL        seq=15 reason=unanswered age=30.0s\n");
}

/* Several messages to a number, the newest last; refused, then sent again. */
static void by_number(void **state)
{
	const char *first, *second;

	(void)state;
	assert_int_equal(run("--lang en 13800008888 " SAMPLE), 0);
	assert_int_equal(count("message "), 2);
	first = strstr(got, "message to 138****8888 on cmcc-bj\n  rejected after 30ms: result=8 «");
	second = strstr(got, "\n\nmessage 1121191712-104-25 to 138****8888 on cmcc-bj\n  delivered ");
	assert_true(first != NULL && second > first);
	says("«flow control error» origin=gateway retry=later table=infox-submit\n");
	assert_int_equal(run("138****1234 " SAMPLE), 0);
	assert_int_equal(count("message "), 2);
	assert_int_equal(run("--link smsc-eu 13812341234 " SAMPLE), 1);
	says("smscope story: nothing of \"13812341234\" on link smsc-eu in 45 lines\n");
}

/* No `story`: session and sequence, then the message id. */
static void records_without_a_story(void **state)
{
	char args[256];

	(void)state;
	for (int by_id = 0; by_id <= 1; by_id++) {
		assert_int_equal(run(by_id ? "--lang en 1121191601-104-1 " SAMPLE
					   : "--lang en 13800000001 " SAMPLE), 0);
		assert_int_equal(count("message 1121191601-104-1 to 138****0001 on cmcc-bj\n"), 1);
		says("  failed after 2.0s: stat=MB:0064 «status report when the SMSC returns an error "
		     "response message → address error»\n");
		says("  SUBMIT       seq=2 ");
		says("  SUBMIT_RESP  seq=2 ");
		says("  REPORT       stat=MB:0064 ");
		assert_int_equal(count("\n"), 7);
	}
	/* the same id on another link, and hexadecimal here, decimal there, are for other numbers */
	put("w",
	    "{\"ts\":\"2026-11-21T19:17:00Z\",\"ev\":\"submit\",\"link\":\"a\",\"sess\":1,\"seq\":1,\"dst\":\"1\"}\n"
	    "{\"ts\":\"2026-11-21T19:17:01Z\",\"ev\":\"submit_resp\",\"link\":\"a\",\"sess\":1,\"seq\":1,\"dst\":\"1\",\"code\":0,\"msgid\":\"0000000A\"}\n"
	    "{\"ts\":\"2026-11-21T19:17:02Z\",\"ev\":\"report\",\"link\":\"b\",\"sess\":1,\"seq\":1,\"dst\":\"1\",\"msgid\":\"A\"}\n"
	    "{\"ts\":\"2026-11-21T19:17:03Z\",\"ev\":\"report\",\"link\":\"a\",\"sess\":1,\"seq\":2,\"dst\":\"2\",\"msgid\":\"10\"}\n"
	    "{\"ts\":\"2026-11-21T19:17:04Z\",\"ev\":\"report\",\"link\":\"a\",\"sess\":1,\"seq\":3,\"dst\":\"1\",\"msgid\":\"10\",\"code\":\"DELIVRD\",\"class\":\"ok\"}\n");
	snprintf(args, sizeof(args), "0000000A %s", path);
	assert_int_equal(run(args), 0);
	assert_int_equal(count("  REPORT "), 1);
	says("  delivered after 4.0s: stat=DELIVRD");
	/* found by its reports only: the response is theirs, and brings the submit with it */
	snprintf(args, sizeof(args), "10 %s", path);
	assert_int_equal(run(args), 0);
	says("  19:17:00Z          SUBMIT       seq=1\n");
	says("  19:17:01Z  +1.0s   SUBMIT_RESP  seq=1 ");
	assert_int_equal(count("  REPORT "), 2);
}

/* Submits and responses of a message of two parts, then the reports given. */
static void two_parts(const char *answer2, const char *reports)
{
	static const char line[] =
		"{\"ts\":\"2026-11-21T19:17:0%dZ\",\"ev\":\"%s\",\"link\":\"a\",\"sess\":1,\"seq\":%d,%s"
		"\"dst\":\"1380000\",\"part\":\"%d/2\",\"story\":7}\n";
	char text[2048];
	int n = 0;

	for (int i = 0; i < 4; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, line, i, i < 2 ? "submit" : "submit_resp",
			      i % 2 + 1,
			      i < 2    ? ""
			      : i == 2 ? "\"code\":0,\"msgid\":\"A1\","
				       : answer2, i % 2 + 1);
	put("w", text);
	put("a", reports);
}

#define REPORT(part, code, rest) \
	"{\"ts\":\"2026-11-21T19:17:09Z\",\"ev\":\"report\",\"link\":\"a\",\"msgid\":\"A1\",\"part\":\"" part \
	"\",\"story\":7,\"code\":\"" code "\"," rest "}\n"
#define OK "\"class\":\"ok\",\"final\":true"
#define TAKEN "\"code\":0,\"msgid\":\"A2\","
#define REFUSED "\"code\":8,\"class\":\"throttled\","

/* What the reports of a message come to. */
static void states(void **state)
{
	static const struct {
		const char *answer2, *reports, *state, *parts;
	} cases[] = {
		{ TAKEN, "", "accepted", "2,\"accepted\":2,\"reported\":0" },
		{ TAKEN, REPORT("1/2", "DELIVRD", OK), "partly_delivered",
		  "2,\"accepted\":2,\"reported\":1" },
		{ TAKEN, REPORT("1/2", "DELIVRD", OK) REPORT("1/2", "DELIVRD", OK ",\"duplicate\":true"),
		  "partly_delivered", "2,\"accepted\":2,\"reported\":1" },
		{ TAKEN, REPORT("1/2", "DELIVRD", OK) REPORT("2/2", "DELIVRD", OK), "delivered",
		  "2,\"accepted\":2,\"reported\":2" },
		{ TAKEN, REPORT("1/2", "DELIVRD", OK) REPORT("2/2", "EXPIRED", "\"class\":\"expired\""),
		  "failed", "2,\"accepted\":2,\"reported\":2" },
		{ TAKEN, REPORT("1/2", "ACCEPTD", "\"class\":\"ok\",\"interim\":true"), "pending",
		  "2,\"accepted\":2,\"reported\":0" },
		{ TAKEN, REPORT("1/2", "ACCEPTD", "\"class\":\"pending\""), "pending",
		  "2,\"accepted\":2,\"reported\":0" },
		{ REFUSED, "", "rejected", "2,\"accepted\":1,\"reported\":0" },
		{ REFUSED,
		  "{\"ev\":\"submit_resp\",\"link\":\"a\",\"part\":\"2/2\",\"story\":7,\"code\":0}\n",
		  "accepted", "2,\"accepted\":2,\"reported\":0" },
		{ "", "", "rejected", "2,\"accepted\":1,\"reported\":0" },
	};
	char args[256], want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		two_parts(cases[i].answer2, cases[i].reports);
		snprintf(args, sizeof(args), "--json A1 %s", path);
		assert_int_equal(run(args), 0);
		snprintf(want, sizeof(want), "\"state\":\"%s\"", cases[i].state);
		says(want);
		snprintf(want, sizeof(want), "\"parts\":{\"total\":%s}", cases[i].parts);
		says(want);
	}
}

static void as_json(void **state)
{
	json_t *j, *events, *e;
	size_t i;

	(void)state;
	assert_int_equal(run("--json 1121191700-104-22 " SAMPLE), 0);
	j = json_loads(got, 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "story")), 41);
	assert_string_equal(json_string_value(json_object_get(j, "link")), "cmcc-bj");
	assert_string_equal(json_string_value(json_object_get(j, "dst")), "138****1234");
	assert_string_equal(json_string_value(json_object_get(j, "state")), "delivered");
	assert_int_equal(json_array_size(json_object_get(j, "msgid")), 3);
	for (i = 0; i < 3; i++) {
		static const char *const keys[] = { "total", "accepted", "reported" };
		json_t *parts = json_object_get(j, "parts");

		assert_int_equal(json_integer_value(json_object_get(parts, keys[i])), 3);
	}
	events = json_object_get(j, "events");
	assert_int_equal(json_array_size(events), 9);
	json_array_foreach(events, i, e) {
		assert_int_equal(json_integer_value(json_object_get(e, "story")), 41);
	}
	json_decref(j);
	assert_int_equal(run("--json 13800008888 " SAMPLE), 0);
	assert_int_equal(count("\n"), 2);
	says("\"state\":\"rejected\"");
}

/* Rotated files in any order, standard input, and lines that are none. */
static void files_and_garbage(void **state)
{
	char args[512];

	(void)state;
	snprintf(args, sizeof(args), "head -n 15 " SAMPLE " >%s/1; tail -n +16 " SAMPLE " >%s/2", folder,
		 folder);
	assert_int_equal(system(args), 0);
	snprintf(args, sizeof(args), "--lang en 1121191700-104-22 %s/2 %s/1", folder, folder);
	assert_int_equal(run(args), 0);
	assert_int_equal(count("\n"), 13);
	says("  delivered after 12.1s: ");
	snprintf(args, sizeof(args), "--lang en 1121191700-104-22 - %s/2", folder);
	snprintf(path, sizeof(path), "cat %s/1 |", folder);
	assert_int_equal(run_from(path, args), 0);
	assert_int_equal(count("\n"), 13);
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(args, sizeof(args),
		 "{ cat " SAMPLE "; echo '-- rotated --'; head -c 70000 /dev/zero | tr '\\0' x; echo; "
		 "echo '2026-11-21T19:17:00.123+08:00 l  SUBMIT seq=1'; head -n 10 " SAMPLE
		 " | tail -n 1 | head -c 150; } >%s", path);
	assert_int_equal(system(args), 0);
	snprintf(args, sizeof(args), "1121191700-104-22 %s", path);
	assert_int_equal(run(args), 0);
	assert_int_equal(count("message "), 1);
	says("smscope story: 2 lines are no records\n");
	says("smscope story: lines longer than 65536 octets are left out\n");
	says("smscope story: 1 lines are of a text log; the JSON log (format = \"json\") is what is read\n");
}

static void escapes_and_colour(void **state)
{
	char args[512];

	(void)state;
	put("w",
	    "{\"ts\":\"2026-11-2\\u001bT19:17:00Z\\u009b\",\"ev\":\"submit\",\"link\":\"\\u001b[1m\",\"sess\":1,"
	    "\"seq\":1,\"dst\":\"\\u0007\",\"src\":\"\\u202e\",\"proto\":\"\\u001bc\",\"part\":\"1/2\"}\n"
	    "{\"ts\":\"\",\"ev\":\"submit_resp\",\"link\":\"\\u001b[1m\",\"sess\":1,\"seq\":1,\"dst\":\"\\u0007\","
	    "\"msgid\":\"a\\u001b]0;x\\u0007\",\"code\":1,\"zh\":\"\\u001b\",\"en\":\"\\u009b\",\"name\":\"\\r\"}\n"
	    "{\"ev\":\"report\",\"link\":\"\\u001b[1m\",\"msgid\":\"a\\u001b]0;x\\u0007\",\"reason\":\"\\u001b\"}\n");
	snprintf(args, sizeof(args), "$(printf 'a\\033]0;x\\007') %s", path);
	assert_int_equal(run(args), 0);
	for (const char *p = got; *p != '\0'; p++)
		assert_true(*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f));
	assert_null(strstr(got, "\xc2\x9b"));
	assert_null(strstr(got, "\xe2\x80\xae"));
	says("message a\\u001b]0;x\\u0007 ");
	assert_int_equal(run("7F00A2 " SAMPLE), 0);
	assert_null(strstr(got, "\x1b"));
	assert_int_equal(run("--color always 7F00A2 " SAMPLE), 0);
	says("\x1b[31mREPORT      \x1b[0m stat=UNDELIV \x1b[31m«");
}

/* On a terminal of 100 columns a record is broken between its values. */
static void on_a_terminal(void **state)
{
	struct winsize size = { .ws_row = 40, .ws_col = 100 };
	size_t fill = 0;
	ssize_t n;
	int fd;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("NO_COLOR", "1", 1);
		execl(SMSCOPE, "smscope", "story", "--lang", "en", "7F00A2", SAMPLE, (char *)NULL);
		_exit(127);
	}
	while ((n = read(fd, got + fill, ROOM - 1 - fill)) > 0)
		fill += (size_t)n;
	got[fill] = '\0';
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	says("\r\n                                     err=MK:0010 «");
	for (char *line = strtok(got, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
		size_t columns = 0;

		for (const char *p = line; *p != '\0'; p++)
			columns += (*p & 0xc0) != 0x80;
		if (columns > 100 && strstr(line, "err=MK:0010") == NULL)
			fail_msg("%zu columns: %s", columns, line);
	}
}

static void usage_and_faults(void **state)
{
	(void)state;
	assert_int_equal(run(""), 2);
	says("usage: smscope story");
	assert_int_equal(run("--lang fr x " SAMPLE), 2);
	assert_int_equal(run("--nothing x " SAMPLE), 2);
	assert_int_equal(run("--help"), 0);
	assert_int_equal(run("x /nowhere"), 1);
	says("smscope story: /nowhere: No such file");
	assert_int_equal(run("-c /nowhere.conf x"), 1);
	assert_int_equal(run("nothing-like-it " SAMPLE), 1);
	says("smscope story: nothing of \"nothing-like-it\" in 45 lines\n");
	assert_int_equal(run("7F00A2 " SAMPLE " >/dev/full"), 1);
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	return access(SMSCOPE, X_OK);
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_message),
		cmocka_unit_test(early_interim_and_duplicate_reports),
		cmocka_unit_test(ways_to_write_an_id),
		cmocka_unit_test(ends_that_are_none),
		cmocka_unit_test(by_number),
		cmocka_unit_test(records_without_a_story),
		cmocka_unit_test(states),
		cmocka_unit_test(as_json),
		cmocka_unit_test(files_and_garbage),
		cmocka_unit_test(escapes_and_colour),
		cmocka_unit_test(on_a_terminal),
		cmocka_unit_test(usage_and_faults),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
