#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"

#define SMSCOPE BUILD_DIR "/smscope"
#define SAMPLE SOURCE_DIR "/tests/data/story/sample.json"

/* `smscope tail`: filters, and how what they let through is shown. */

enum { ROOM = 4 << 20 };

static char folder[] = "/tmp/test-tail-XXXXXX";
static char got[ROOM], path[128], other[128];

static int run(const char *args)
{
	char command[2048];
	size_t n;
	FILE *f;
	int rc;

	snprintf(command, sizeof(command), SMSCOPE " tail --no-follow %s 2>&1", args);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	rc = pclose(f);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static int lines(void)
{
	int n = 0;

	for (const char *p = got; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	return n;
}

static void says(const char *part)
{
	if (strstr(got, part) == NULL)
		fail_msg("no \"%s\" in: %s", part, got);
}

static void put(const char *to, const char *mode, const char *text)
{
	FILE *f = fopen(to, mode);

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* How many of the sample's lines each filter lets through; and of the same lines as text. */
static void filters_one_by_one(void **state)
{
	static const struct {
		const char *args;
		int json, text;
	} cases[] = {
		{ "", 45, 45 },
		{ "--link smsc-eu", 20, 20 },
		{ "--link smsc-eu,cmcc-bj", 45, 45 },
		{ "--link smsc", 0, 0 },
		{ "--event report", 11, 11 },
		{ "--event REPORT,no_report", 12, 12 },
		{ "--event login", 2, 2 },
		{ "--event BIND_RESP", 1, 1 },
		{ "--event stall --event id_rule", 1, 1 },
		{ "--code 8", 1, 1 },
		{ "--code 0x58", 1, 1 },
		{ "--code 88", 1, 1 },
		{ "--code esme_rthrottled", 1, 1 },
		{ "--code mb:0064", 1, 1 },
		{ "--code MK:0010,8", 3, 3 },
		{ "--code 58", 0, 0 },
		{ "--number 13812341234", 13, 13 },
		{ "--number 138****1234", 13, 13 },
		{ "--number 13912341234", 0, 0 },
		{ "--number 5678", 3, 3 },
		{ "--msgid 1121191700-104-22", 2, 2 },
		{ "--msgid 7f00a2", 4, 4 },
		{ "--msgid 1E240", 2, 2 },
		{ "--failed", 7, 7 },
		{ "--failed --link cmcc-bj", 4, 4 },
		{ "--since 2026-11-21T19:19:00+08:00", 3, 3 },
		{ "--since 2026-11-25T00:00:00Z", 0, 0 },
		{ "--class throttled", 2, -1 },
		{ "--class throttled,pending", 3, -1 },
		{ "--class ok --event submit_resp", 9, -1 },
	};
	char args[512];

	(void)state;
	snprintf(args, sizeof(args), "-n all " SAMPLE " >%s", path);
	assert_int_equal(run(args), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(args, sizeof(args), "-n all %s " SAMPLE, cases[i].args);
		assert_int_equal(run(args), 0);
		if (lines() != cases[i].json)
			fail_msg("%s: %d lines of JSON", cases[i].args, lines());
		snprintf(args, sizeof(args), "-n all %s %s", cases[i].args, path);
		assert_int_equal(run(args), 0);
		if (cases[i].text >= 0 && lines() != cases[i].text)
			fail_msg("%s: %d lines of text", cases[i].args, lines());
		if (cases[i].text >= 0)
			continue;
		assert_int_equal(lines(), 1);
		says("smscope tail: text lines have no class: --class leaves them out\n");
	}
}

/* The last lines that are wanted, wherever in the file they stand. */
static void the_last_ones(void **state)
{
	char args[512];
	FILE *f;

	(void)state;
	assert_int_equal(run(SAMPLE), 0);
	assert_int_equal(lines(), 10);
	assert_int_equal(run("-n 0 " SAMPLE), 0);
	assert_int_equal(lines(), 0);
	assert_int_equal(run("-n 2 --code DELIVRD --lang en " SAMPLE), 0);
	assert_int_equal(lines(), 2);
	says("msgid=1121191712-104-25 stat=DELIVRD «Message is delivered to destination» name=");
	assert_int_equal(run("-n 100 --code 8 " SAMPLE), 0);
	assert_int_equal(lines(), 1);

	/* three wanted lines in much that is not, one longer than any window, no line end at the end */
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 30000; i++) {
		fprintf(f, "2026-11-21T19:17:00.123+08:00 l  %s seq=%d\n",
			i % 10000 == 5 ? "LOST  " : "SUBMIT", i);
		if (i != 20010)
			continue;
		for (int n = 0; n < 1000000; n++)
			fputc('x', f);
		fputc('\n', f);
	}
	fputs("2026-11-21T19:17:00.123+08:00 l  LOST seq=30000", f);
	fclose(f);
	snprintf(args, sizeof(args), "-n 3 --event lost %s", path);
	assert_int_equal(run(args), 0);
	says("LOST   seq=10005\n");
	says("LOST   seq=20005\n");
	says("LOST seq=30000\n");
	says("1 lines are longer than 65536 octets\n");
	assert_int_equal(lines(), 4);
	snprintf(args, sizeof(args), "-n 25000 --event submit %s", path);
	assert_int_equal(run(args), 0);
	assert_int_equal(lines(), 25000 + 1); /* and what is said of the long one */
	snprintf(args, sizeof(args), "-n all --event lost - <%s", path);
	assert_int_equal(run(args), 0);
	assert_int_equal(lines(), 5);
}

static void shown_as_the_text_log_is(void **state)
{
	(void)state;
	assert_int_equal(run("-n all --lang zh --number 0001 " SAMPLE), 0);
	says("2026-11-21T19:16:01.030+08:00 cmcc-bj  SUBMIT_RESP  seq=2 result=0 «成功» "
	     "msgid=1121191601-104-1 rtt=30ms dst=138****0001 table=infox-submit\n");
	says("«SMSC返回错误响应消息时的状态报告 → 地址错误»");
	says(" origin=smsc retry=fix table=infox-report-prefix>infox-smc\n");
	assert_int_equal(run("-n all --code MK:0010 --lang both " SAMPLE), 0);
	says(" err=MK:0010 «SMSC返回状态报告的状态值为UNDELIV → 0010 对端自定 / the SMSC's status "
	     "report has the state UNDELIV → 0010 peer's own» dst=136****2222 ");
	says(" match=case resp_id=7F00A2 after=1m03s ");
	assert_int_equal(run("-n all --code 88 --lang en " SAMPLE), 0);
	says(" seq=5 status=0x00000058 «throttling error: ");
	assert_int_equal(run("-n all --event deliver " SAMPLE), 0);
	says(" enc=\"GSM 03.38\" len=2 text=\"TD\\u001b[31m\"\n");
	assert_int_equal(run("-n 1 --event report --json " SAMPLE), 0);
	says("{\"ts\":\"2026-11-21T20:19:05.000000+08:00\",\"id\":");
	assert_null(strstr(got, "\x1b"));
}

/* One record, as the daemon writes it into its JSON log, and into its text log. */
static void put_record(const struct record *r, FILE *json, FILE *text)
{
	struct record_style style = { .mask = MASK_PART, .utc_offset_s = 28800, .link_width = 7 };
	char line[RECORD_LINE_MAX];

	fwrite(line, 1, record_line_json(r, &style, line, sizeof(line)), json);
	fwrite(line, 1, record_line_text(r, &style, line, sizeof(line)), text);
}

/* A record with a code that the profile infox has something to say about. */
static struct record *coded(const struct code_set *set, enum record_kind kind, bool smpp,
			    uint32_t code, const char *stat)
{
	static struct record r;
	const struct code_profile *profiles[] = { codes_profile(set, "infox"), NULL };
	struct code_query q = {
		.profiles = profiles,
		.context = kind == REC_REPORT ? CTX_REPORT : CTX_SUBMIT_RESP,
		.side = smpp ? CODE_SMPP : CODE_CMPP,
		.dialect = smpp ? 0x34 : 0x20,
		.is_text = stat != NULL,
		.number = code,
		.text = span_of(stat != NULL ? stat : "", stat != NULL ? strlen(stat) : 0),
	};

	record_init(&r, kind);
	r.wall_ns = 1795259820123000000;
	r.link = "cmcc-bj";
	r.session = 3;
	r.proto = smpp ? &proto_smpp : &proto_cmpp;
	r.dialect = q.dialect;
	r.has_pdu = r.has_code = true;
	r.cmd = "submit_resp";
	r.sequence = 7;
	r.code_label = stat != NULL ? "stat" : smpp ? "status" : "result";
	r.code_is_text = q.is_text;
	r.code = code;
	r.code_text = q.text;
	r.answer_count = codes_lookup(set, &q, r.answers, RECORD_ANSWERS_MAX);
	r.msgid = span_of("00A1", 4);
	r.dst = span_of("13812341234", 11);
	return &r;
}

/* What tail makes of the JSON log is the text log, octet for octet. */
static void the_same_as_the_daemon_writes(void **state)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *set = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	FILE *json = fopen(path, "w"), *text = fopen(other, "w");
	static char want[8 * RECORD_LINE_MAX];
	struct record *r, plain;
	char args[256];

	(void)state;
	assert_true(set != NULL && json != NULL && text != NULL);
	put_record(coded(set, REC_SUBMIT_RESP, false, 0, NULL), json, text);
	put_record(coded(set, REC_SUBMIT_RESP, false, 8, NULL), json, text);
	put_record(coded(set, REC_SUBMIT_RESP, true, 0x58, NULL), json, text);
	r = coded(set, REC_SUBMIT_RESP, true, 0x0b, NULL);
	r->has_rtt = true;
	r->rtt_us = 41234;
	put_record(r, json, text);
	put_record(coded(set, REC_REPORT, false, 0, "MB:0064"), json, text);
	r = coded(set, REC_REPORT, true, 0, "UNDELIV");
	record_flag_extra(r, "final");
	record_text_extra(r, "resp_id", span_of("a=b\x1b", 4));
	record_ms_extra(r, "after", 63000000);
	put_record(r, json, text);
	record_init(&plain, REC_SESSION_CLOSE);
	plain.wall_ns = r->wall_ns;
	plain.link = "cmcc-bj";
	plain.session = 3;
	record_words_extra(&plain, "step", "in traffic");
	put_record(&plain, json, text);
	fclose(json);
	fclose(text);
	codes_free(set);
	text = fopen(other, "r");
	assert_non_null(text);
	want[fread(want, 1, sizeof(want) - 1, text)] = '\0';
	fclose(text);
	snprintf(args, sizeof(args), "-n all %s", path);
	assert_int_equal(run(args), 0);
	for (size_t i = 0, line = 0; got[i] != '\0' || want[i] != '\0'; i++) {
		if (got[i] != want[i])
			fail_msg("%.*s\n%.*s", (int)strcspn(got + line, "\n"), got + line,
				 (int)strcspn(want + line, "\n"), want + line);
		line = want[i] == '\n' ? i + 1 : line;
	}
}

/* The records as they are: --json changes no octet of what the daemon writes. */
static void json_lines_as_they_are(void **state)
{
	static char whole[ROOM];
	FILE *f = fopen(SAMPLE, "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(whole, 1, sizeof(whole) - 1, f);
	whole[n] = '\0';
	fclose(f);
	assert_int_equal(run("-n all --json " SAMPLE), 0);
	assert_string_equal(got, whole);
}

/* A file may hold anything: nothing of it moves the cursor or paints. */
static void foreign_octets(void **state)
{
	char args[256];

	(void)state;
	put(path, "w",
	    "{\"ts\":\"2026-11-21T19:17:00.1Z\",\"ev\":\"sub\\u001b[2Jmit\",\"link\":\"\\u009b31m\","
	    "\"dst\":\"\\r\\u202e\",\"x\\u001b\":\"y\",\"part\":\"a\\u0007 b\\\"c\",\"code\":\"\\u001b[0m»\"}\n"
	    "2026-11-21T19:17:00.123+08:00 l  SUBMIT a=\x1b[31m \xc2\x9b \xff\xe2\x80\xae \\u001b\n"
	    "\x1b]0;title\x07\n"
	    "{\"ts\":\"2026-11-21T19:17:00.1Z\",\"ev\":\"submit\",\"link\":\"\xc2\x9b\x7f\"}\n"
	    "{\"ts\":\"2026-11-21T19:17:0");
	for (int json = 0; json <= 1; json++) {
		snprintf(args, sizeof(args), "-n all %s %s", json ? "--json" : "", path);
		assert_int_equal(run(args), 0);
		for (const char *p = got; *p != '\0'; p++)
			assert_true(*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f));
		assert_null(strstr(got, "\xc2\x9b"));
		assert_null(strstr(got, "\xe2\x80\xae"));
		assert_null(strstr(got, "\xff"));
		says("2 lines are no records\n");
		if (json) {
			says("\"link\":\"\\u009b\\u007f\"}\n");
			says("text lines are left out of --json\n");
		} else {
			says("SUB\\u001b[2JMIT result=\\u001b[0m\\u00bb «");
			says("l  SUBMIT a=\\u001b[31m \\u009b \\xff\\u202e \\u001b\n");
		}
	}
}

static void colour(void **state)
{
	static const char *const colors[] = { "--color auto", "--color never", "" };
	char args[256];

	(void)state;
	for (size_t i = 0; i < sizeof(colors) / sizeof(*colors); i++) {
		snprintf(args, sizeof(args), "-n all %s " SAMPLE, colors[i]);
		assert_int_equal(run(args), 0);
		assert_null(strstr(got, "\x1b"));
	}
	assert_int_equal(run("-n all --color always --code 8 --lang en " SAMPLE), 0);
	says("\x1b[33mSUBMIT_RESP \x1b[0m seq=16 result=8 \x1b[33m«flow control error»\x1b[0m rtt");
	assert_int_equal(run("-n all --color always --code MB:0064 " SAMPLE), 0);
	says("\x1b[31mREPORT");
	put(path, "w",
	    "2026-11-21T19:17:00.123+08:00 l  SUBMIT_RESP  seq=1 result=8 «x» dst=1\n"
	    "2026-11-21T19:17:00.123+08:00 l  REPORT       msgid=1 stat=UNDELIV «y»\n"
	    "2026-11-21T19:17:00.123+08:00 l  SUBMIT_RESP  seq=2 status=0x00000000 «z»\n");
	snprintf(args, sizeof(args), "--color always %s", path);
	assert_int_equal(run(args), 0);
	says("\x1b[33mSUBMIT_RESP\x1b[0m  seq=1 result=8 \x1b[33m«x»\x1b[0m dst=1\n");
	says("\x1b[31mREPORT\x1b[0m       msgid=1 stat=UNDELIV \x1b[31m«y»\x1b[0m\n");
	says("\x1b[32mSUBMIT_RESP\x1b[0m  seq=2 status=0x00000000 \x1b[32m«z»\x1b[0m\n");
}

static void usage_and_faults(void **state)
{
	static const char *const wrong[] = { "--nothing", "-n x x", "-n -1 x", "--lang fr x",
					     "--color red x", "--event reports x", "--class bad x",
					     "--since yesterday x", "a b" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		if (run(wrong[i]) != 2)
			fail_msg("%s: %s", wrong[i], got);
	}
	says("usage: smscope tail");
	assert_int_equal(run("--event reports x"), 2);
	says("no event \"reports\"; there are: login submit");
	assert_int_equal(run("--help"), 0);
	assert_int_equal(run("/nowhere"), 1);
	says("smscope tail: /nowhere: No such file");
	assert_int_equal(run("-c /nowhere.conf"), 1);
	says("no log is named, and /nowhere.conf does not load\n");
	assert_int_equal(run(SAMPLE " >/dev/full"), 1);
	assert_int_equal(run(SAMPLE " | head -n 1 >/dev/null"), 0);
}

/* The log of a configuration. */
static void log_of_a_configuration(void **state)
{
	char text[1024], args[256];

	(void)state;
	snprintf(text, sizeof(text),
		 "links = ( { name = \"l\"; protocol = \"cmpp\"; listen = \"127.0.0.1:7890\"; "
		 "upstream = [ \"127.0.0.1:7891\" ]; } );\n"
		 "logs = ( { type = \"stdout\"; }, { type = \"file\"; path = \"%s/a.log\"; },\n"
		 "{ type = \"file\"; path = \"" SAMPLE "\"; format = \"json\"; } );\n", folder);
	put(path, "w", text);
	snprintf(text, sizeof(text), "%s/a.log", folder);
	put(text, "w", "2026-11-21T19:17:00.123+08:00 l  SUBMIT       seq=1\n");
	snprintf(args, sizeof(args), "-c %s", path);
	assert_int_equal(run(args), 0);
	assert_string_equal(got, "2026-11-21T19:17:00.123+08:00 l  SUBMIT       seq=1\n");
	snprintf(args, sizeof(args), "-c %s --json", path);
	assert_int_equal(run(args), 0);
	assert_int_equal(lines(), 10);
	unlink(text);
}

/* On a terminal there is colour, unless NO_COLOR is set. */
static void on_a_terminal(void **state)
{
	(void)state;
	for (int no_color = 0; no_color <= 1; no_color++) {
		size_t fill = 0;
		ssize_t n;
		int fd;
		pid_t pid = forkpty(&fd, NULL, NULL, NULL);

		assert_true(pid >= 0);
		if (pid == 0) {
			unsetenv("NO_COLOR");
			if (no_color)
				setenv("NO_COLOR", "1", 1);
			execl(SMSCOPE, "smscope", "tail", "--no-follow", SAMPLE, (char *)NULL);
			_exit(127);
		}
		while ((n = read(fd, got + fill, ROOM - 1 - fill)) > 0)
			fill += (size_t)n;
		got[fill] = '\0';
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(fd);
		assert_int_equal(strstr(got, "\x1b[") != NULL, !no_color);
		says("NO_REPORT");
	}
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(other, sizeof(other), "%s/log.1", folder);
	return access(SMSCOPE, X_OK);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_one_by_one),
		cmocka_unit_test(the_last_ones),
		cmocka_unit_test(shown_as_the_text_log_is),
		cmocka_unit_test(the_same_as_the_daemon_writes),
		cmocka_unit_test(json_lines_as_they_are),
		cmocka_unit_test(foreign_octets),
		cmocka_unit_test(colour),
		cmocka_unit_test(usage_and_faults),
		cmocka_unit_test(log_of_a_configuration),
		cmocka_unit_test(on_a_terminal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
