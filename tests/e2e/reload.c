#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

/*
 * SIGHUP loads the code tables again while a session is at work. What loads is in effect from the
 * next PDU on; what does not changes nothing, and both logs say where it is broken. Rows C3 and C4
 * of faults.md.
 */

static struct rig rig;
static struct pair session;
static char site[64];
static int gateway;
static uint32_t seq;

/* The site's row for submit result 8. */
static const char table[] =
	"// Acme, table 7\n"
	"tables = (\n"
	"  {\n"
	"    table = \"infox-submit\";\n"
	"    rows = (\n"
	"      { key = \"8\"; cmpp = 8; zh = \"流控\"; en = \"%s\"; class = \"throttled\"; },\n"
	"      { key = \"300\"; cmpp = 300; zh = \"满\"; en = \"full\"; class = \"throttled\"; }\n"
	"    );\n"
	"  }\n"
	");\n";

static void write_octets(const char *name, const char *octets, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", site, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void write_table(const char *en)
{
	char text[sizeof table + 64];

	snprintf(text, sizeof text, table, en);
	write_octets("acme.conf", text, strlen(text));
}

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", site, name);
	unlink(path);
}

static void begin(const char *profile)
{
	static char daemon[128], keys[64];
	int port;
	struct rig_options o = { .daemon = daemon };
	struct rig_link link = { .protocol = "cmpp", .upstream = &port, .upstream_count = 1,
		.keys = keys };

	gateway = peer_listen(&port, 8);
	snprintf(keys, sizeof keys, "profile = \"%s\";", profile);
	snprintf(daemon, sizeof daemon, "drain_timeout = \"2s\"; codes_site = \"%s\";", site);
	rig_start(&rig, &o, &link, 1);
	session = pair_login(&rig, 0, gateway, SIM_CMPP2);
}

static void end(void)
{
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
}

/* A submit answered with 8 is logged with these words; NULL: with none. */
static void expect_meaning(const char *en)
{
	struct sim_pdu ask = { .what = SIM_SUBMIT, .seq = ++seq, .user = sim_text("900001"),
		.src = sim_text("10690001"), .dst = sim_text("13812345678"),
		.body = sim_text("text"), .registered = true };
	struct sim_pdu answer = { .what = SIM_SUBMIT_RESP, .seq = seq, .status = 8,
		.msgid = sim_text("12345678") };
	uint8_t octets[SIM_PDU_MAX];
	json_t *r;

	peer_send_pdu(session.sp, SIM_CMPP2, &ask);
	peer_read_pdu(session.gw, SIM_CMPP2, octets, NULL);
	peer_send_pdu(session.gw, SIM_CMPP2, &answer);
	peer_read_pdu(session.sp, SIM_CMPP2, octets, NULL);
	r = rig_await(&rig, 0, NULL, "ev=submit_resp seq=%u", (unsigned)seq);
	if (en != NULL)
		assert_string_equal(json_string_value(json_object_get(r, "en")), en);
	else
		assert_null(json_object_get(r, "en"));
}

/* The whole session of a reload: HUP, octets both ways meanwhile, and the record of it. */
static json_t *reload(void)
{
	size_t before = rig_count(&rig, "ev=config"), n;
	uint8_t *octets = stream_make(SIM_CMPP2, seq + 1, 200000, 4000, &n);
	struct flow flows[] = {
		{ .from = session.sp, .to = session.gw, .p = octets, .n = n },
		{ .from = session.gw, .to = session.sp, .p = octets, .n = n },
	};
	json_t *all = rig.records, *last = NULL;

	kill(rig.pid, SIGHUP);
	flows_run(flows, 2, 1);
	free(octets);
	rig_await_count(&rig, before + 1, "ev=config");
	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *r = json_array_get(all, i);

		if (strcmp(json_string_value(json_object_get(r, "ev")), "config") == 0)
			last = r;
	}
	assert_string_equal(json_string_value(json_object_get(last, "what")), "codes");
	return last;
}

static void expect_number(const json_t *r, const char *key, int want)
{
	assert_int_equal(json_integer_value(json_object_get(r, key)), want);
}

static void expect_ok(int added, int changed, int removed)
{
	json_t *r = reload();

	if (strcmp(json_string_value(json_object_get(r, "state")), "ok") != 0)
		fail_msg("%s", json_string_value(json_object_get(r, "error")));
	expect_number(r, "added", added);
	expect_number(r, "changed", changed);
	expect_number(r, "removed", removed);
	assert_true(json_integer_value(json_object_get(r, "rows")) > 1000);
}

/* Both logs name it: FILE and LINE, or FILE alone with line 0. */
static void expect_failed(const char *file, int line, const char *what)
{
	char where[160], *err;
	json_t *r = reload();
	const char *error = json_string_value(json_object_get(r, "error"));

	assert_string_equal(json_string_value(json_object_get(r, "state")), "failed");
	assert_true(json_integer_value(json_object_get(r, "faults")) > 0);
	if (line > 0)
		snprintf(where, sizeof where, "%s/%s:%d: error: ", site, file, line);
	else
		snprintf(where, sizeof where, "%s/%s:", site, file);
	assert_non_null(error);
	if (strstr(error, where) == NULL || strstr(error, what) == NULL)
		fail_msg("wanted \"%s…%s\", got \"%s\"", where, what, error);
	err = rig_file(&rig, rig.err_path, NULL);
	assert_non_null(strstr(err, error));
	free(err);
}

static void another_meaning(void **state)
{
	(void)state;
	begin("infox");
	expect_meaning("flow control error");
	expect_ok(0, 0, 0);
	write_table("slow down");
	expect_meaning("flow control error");
	expect_ok(2, 1, 0); /* our row is left the other side */
	expect_meaning("slow down");
	write_table("slower");
	expect_ok(0, 1, 0);
	expect_meaning("slower");
	drop("acme.conf");
	expect_ok(0, 1, 2);
	expect_meaning("flow control error");
	end();
}

/* Where a copy cut after so many octets is reported: some line of it. */
static void cut_everywhere(void)
{
	char text[sizeof table + 64];
	size_t end;

	snprintf(text, sizeof text, table, "cut");
	end = (size_t)(strrchr(text, ')') - text);
	for (size_t n = 0; n < end; n += n < 25 ? 24 : 61) {
		write_octets("acme.conf", text, n);
		expect_failed("acme.conf", 0, "error: ");
		expect_meaning("slow down");
	}
}

static void a_broken_table_changes_nothing(void **state)
{
	char text[sizeof table + 64], folder[128];

	(void)state;
	write_table("slow down");
	begin("infox");
	expect_meaning("slow down");
	cut_everywhere();

	/* The same row twice, a key twice, one language, no UTF-8, a comment that swallows the rest. */
	snprintf(text, sizeof text, table, "two");
	memcpy(strstr(text, "cmpp = 300"), "cmpp = 8  ", 10);
	write_octets("acme.conf", text, strlen(text));
	expect_failed("acme.conf", 7, "row \"300\" matches the same as row \"8\"");
	snprintf(text, sizeof text, table, "two");
	memcpy(strstr(text, "\"300\""), "\"8\"  ", 5);
	write_octets("acme.conf", text, strlen(text));
	expect_failed("acme.conf", 7, "row \"8\" is already at");
	snprintf(text, sizeof text, table, "one");
	memset(strstr(text, "en = "), ' ', strlen("en = \"one\";"));
	write_octets("acme.conf", text, strlen(text));
	expect_failed("acme.conf", 6, "row \"8\" has no en");
	snprintf(text, sizeof text, table, "bad \xff octet");
	write_octets("acme.conf", text, strlen(text));
	expect_failed("acme.conf", 6, "not UTF-8");
	snprintf(text, sizeof text, table, "open");
	memcpy(text, "/*", 2);
	write_octets("acme.conf", text, strlen(text));
	expect_failed("acme.conf", 1, "comment without its closing */");

	/* No file at all: a folder of that name, a link to itself. */
	drop("acme.conf");
	snprintf(folder, sizeof folder, "%s/acme.conf", site);
	assert_int_equal(symlink("acme.conf", folder), 0);
	expect_failed("acme.conf", 0, "Too many levels of symbolic links");
	expect_meaning("slow down");

	drop("acme.conf");
	write_table("mended");
	expect_ok(0, 1, 0);
	expect_meaning("mended");
	end();
	drop("acme.conf");
}

/* A link that names a profile keeps it. */
static void a_profile_in_use_stays(void **state)
{
	static const char profile[] = "profiles = ( { profile = \"acme\"; title_zh = \"a\"; "
		"title_en = \"a\"; rules = ( { contexts = [ \"submit_resp\" ]; side = \"cmpp\"; "
		"steps = ( { table = \"infox-submit\"; } ); } ); } );\n";
	json_t *r;

	(void)state;
	write_octets("profile.conf", profile, strlen(profile));
	begin("acme");
	expect_meaning("flow control error");
	drop("profile.conf");
	r = reload();
	assert_string_equal(json_string_value(json_object_get(r, "state")), "failed");
	assert_non_null(strstr(json_string_value(json_object_get(r, "error")),
		"no profile \"acme\" in the code tables; link \"l1\""));
	expect_meaning("flow control error");
	end();
}

/* However often it is asked, one load is under way and at most one waits. */
static void a_storm(void **state)
{
	int fds, after = 0;
	size_t reloads = 0, quiet = 0;

	(void)state;
	begin("infox");
	expect_ok(0, 0, 0);
	fds = rig_engine_fds(&rig);
	write_table("after the storm");
	for (int i = 0; i < 200; i++) {
		kill(rig.pid, SIGHUP);
		(void)pair_ping(session, SIM_CMPP2);
		pause_ms(3);
	}
	kill(rig.pid, SIGHUP);
	/* Each that began has ended, and no other one begins. */
	for (int i = 0; i < WAIT_MS / 10 && quiet < 50; i++, pause_ms(10)) {
		reloads = rig_count(&rig, "ev=config");
		quiet = (size_t)count_said(&rig, 0, "checking the configuration") == reloads ? quiet + 1 : 0;
	}
	assert_in_range(reloads, 2, 100);
	assert_int_equal(rig_count(&rig, "ev=config state=ok"), reloads);
	expect_meaning("after the storm");
	for (int i = 0; i < 50 && (after = rig_engine_fds(&rig)) != fds; i++)
		pause_ms(20);
	assert_int_equal(after, fds);
	end();
	drop("acme.conf");
}

static pid_t first_child(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	if (fscanf(f, "%d", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

/* An engine that finds broken tables runs without them; a reload gives it what is mended. */
static void after_a_crash(void **state)
{
	pid_t old;

	(void)state;
	if (getenv("SMSCOPED"))
		skip();
	write_table("before");
	begin("infox");
	expect_meaning("before");
	write_octets("acme.conf", table, 100);
	old = rig.engine;
	kill(old, SIGKILL);
	for (int i = 0; i < 500 && (rig.engine == old || rig.engine == 0); i++) {
		pause_ms(10);
		rig.engine = first_child(rig.pid);
	}
	assert_int_not_equal(rig.engine, old);
	peer_close(session.sp);
	peer_close(session.gw);
	session = pair_login(&rig, 0, gateway, SIM_CMPP2);
	expect_meaning(NULL);
	write_table("after");
	assert_string_equal(json_string_value(json_object_get(reload(), "state")), "ok");
	expect_meaning("after");
	end();
	drop("acme.conf");
}

/* Told to end while tables are being read, it ends. */
static void an_end_in_between(void **state)
{
	(void)state;
	begin("infox");
	for (int i = 0; i < 3; i++)
		kill(rig.pid, SIGHUP);
	end();
}

static int make_site(void **state)
{
	(void)state;
	snprintf(site, sizeof site, P_tmpdir "/smscope-site-XXXXXX");
	return mkdtemp(site) == NULL;
}

static int remove_site(void **state)
{
	(void)state;
	drop("acme.conf");
	drop("profile.conf");
	return rmdir(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(another_meaning, rig_sweep),
		cmocka_unit_test_teardown(a_broken_table_changes_nothing, rig_sweep),
		cmocka_unit_test_teardown(a_profile_in_use_stays, rig_sweep),
		cmocka_unit_test_teardown(a_storm, rig_sweep),
		cmocka_unit_test_teardown(after_a_crash, rig_sweep),
		cmocka_unit_test_teardown(an_end_in_between, rig_sweep),
	};

	return cmocka_run_group_tests(tests, make_site, remove_site);
}
