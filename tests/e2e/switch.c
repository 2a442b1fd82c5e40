#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch_rig.h"

/*
 * HUP with a configuration that has a fault: nothing changes, and the fault is told wherever somebody may look
 * for it. Rows C1 and C2 of the fault list.
 */

static struct rig rig;
static struct pair session;
static int gateway, gateway_port;
static char path[128], *good;

static const struct rig_options options = { .before = notify_be_told,
	.daemon = "workers = 2; drain_timeout = \"2s\";" };

static void write_octets(const char *octets, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void begin(void)
{
	struct rig_link link = { .protocol = "cmpp", .upstream = &gateway_port, .upstream_count = 1,
		.keys = "show_text = false;" };

	notify_open();
	gateway = peer_listen(&gateway_port, 16);
	rig_start(&rig, &options, &link, 1);
	rig_await_ready(&rig);
	snprintf(path, sizeof path, "%s/smscope.conf", rig.dir);
	good = rig_file(&rig, path, NULL);
	session = pair_login(&rig, 0, gateway, SIM_CMPP2);
}

static void end(void)
{
	peer_close(session.sp);
	peer_close(session.gw);
	rig_stop(&rig);
	notify_close();
	free(good);
	good = NULL;
}

/* HUP while octets go both ways: it is refused for this reason, and everything is as it was. */
static void expect_refused(const char *fault)
{
	size_t said = said_now(&rig), seen = rig_count(&rig, "ev=config what=config state=failed");
	pid_t children[4];
	json_t *r;

	notify_forget();
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_CMPP2, 100000);
	await_said(&rig, said, "reload failed, nothing is changed: ");
	await_said(&rig, said, "%s", fault);
	await_told("last reload failed: ");
	rig_await_count(&rig, seen + 1, "ev=config what=config state=failed");
	assert_int_equal(rig_count(&rig, "ev=config what=config state=failed"), seen + 1);
	r = json_array_get(rig.records, json_array_size(rig.records) - 1);
	for (size_t i = json_array_size(rig.records); i-- > 0 && !json_object_get(r, "error");)
		r = json_array_get(rig.records, i);
	assert_non_null(json_string_value(json_object_get(r, "error")));
	assert_int_equal(rig_children(&rig, children, 4), 1);
	assert_int_equal(children[0], rig.engine);
	serve_one(&rig, 0, gateway, SIM_CMPP2);
	traffic(session, SIM_CMPP2, 20000);
}

/* What went wrong before is forgotten: the engine changes, the session goes on in it. */
static void expect_good(const char *text, const char *line)
{
	size_t said = said_now(&rig);
	pid_t before = rig.engine;

	write_octets(text, strlen(text));
	notify_forget();
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_CMPP2, 100000);
	await_said(&rig, said, "reload: %s", line);
	await_said(&rig, said, "reload done");
	await_engine(&rig, 0);
	assert_int_not_equal(rig.engine, before);
	await_told("READY=1\nSTATUS=links=1 engine=");
	rig_await(&rig, 0, NULL, "ev=config what=config state=ok changes~max_pdu");
	traffic(session, SIM_CMPP2, 100000);
	serve_one(&rig, 0, gateway, SIM_CMPP2);
}

/* A file that is good: the session goes on under it, and there is somebody at the first link's port. */
static void expect_reload(const char *text)
{
	size_t said = said_now(&rig);

	write_octets(text, strlen(text));
	kill(rig.pid, SIGHUP);
	traffic(session, SIM_CMPP2, 100000);
	await_said(&rig, said, "reload done");
	await_engine(&rig, 0);
	traffic(session, SIM_CMPP2, 100000);
	serve_one(&rig, 0, gateway, SIM_CMPP2);
}

/* In the good file `from` is replaced by `to`, or all from there on is cut. */
enum { NO_LINE = 1000 };

static const struct row {
	const char *from, *to, *fault;
	int more; /* lines from `from` to the one that is named, or NO_LINE */
} rows[] = {
	{ "protocol = ", "protocol ", "text without a NAME = before it", 0 },
	{ "protocol = \"cmpp\";", "protocol = \"cmpp\" x y", "syntax error at this line or at the end of the one before", 0 },
	{ "upstream = ", NULL, "is never closed", -1 },
	{ "  { name = ", NULL, "is never closed", -1 },
	{ "links = (", "/* links = (", "comment without its closing */", 0 },
	{ "protocol = \"cmpp\";", "protocol = \"cmpp;", "text without its closing '\"' on this line", 0 },
	{ "drain_timeout", "drain_timeot", "unknown key drain_timeot in daemon; did you mean drain_timeout?", 0 },
	{ "show_text = false;", "show_text = false; show_text = true;", "duplicate setting name", 0 },
	{ "control = ", "@include \"none.conf\"\ncontrol = ",
		"none.conf: No such file or directory", 0 },
	{ "control = ", "@include \"smscope.conf\"\ncontrol = ", "it would include itself", 0 },
	{ "control = ", "include_dir = \"none\";\ncontrol = ", "none: No such file or directory", 0 },
	{ "show_text = false;", "pending = 15;", "pending must be 16 to 1000000 requests", 0 },
	{ "show_text = false;", "pending = 99999999999;", "does not fit 32 bits", 0 },
	{ "show_text = false;", "pending = 0xFFFFFFFF;", "0xFFFFFFFF does not fit 32 bits", 0 },
	{ "show_text = false;", "show_text = 1;", "show_text must be true or false, not a number", 0 },
	{ "show_text = false;", "stall = “5s”；", "full-width", 0 },
	{ "show_text = false; }", "show_text = false; },", "no ',' before ')'", 1 },
	{ "control = ", "\xff = 1;\ncontrol = ", "octet 0xff outside of texts and comments", 0 },
	{ "control = ", NULL, "no links: there is nothing to stand in", NO_LINE }, /* an empty file */
};

static void spoil(const struct row *row, int *ret_line)
{
	const char *at = strstr(good, row->from);
	size_t before = (size_t)(at - good), n;
	char *text = malloc(strlen(good) + 256);

	assert_non_null(at);
	assert_non_null(text);
	*ret_line = 1 + row->more;
	for (size_t i = 0; i < before; i++)
		*ret_line += good[i] == '\n';
	memcpy(text, good, before);
	n = before;
	if (row->to != NULL)
		n += (size_t)sprintf(text + n, "%s%s", row->to, at + strlen(row->from));
	write_octets(text, n);
	free(text);
}

static char *replaced(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	char *text = malloc(strlen(good) + strlen(to) + 1);

	assert_non_null(at);
	assert_non_null(text);
	sprintf(text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	return text;
}

/* Each with its line; the last words of the operator log are the fault's, the record has the first of them. */
static void faults_in_the_file(void **state)
{
	char where[192], fault[256], *text;

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int line;
		size_t said = said_now(&rig), n;

		spoil(&rows[i], &line);
		snprintf(where, sizeof where, rows[i].more == NO_LINE ? "%s:" : "%s:%d: error: ", path, line);
		expect_refused(where);
		if (!has_said(&rig, said, rows[i].fault))
			fail_msg("row %zu: %s is not said", i, rows[i].fault);
		where[strcspn(where, " ")] = '\0';
		n = rig_count(&rig, "ev=config what=config state=failed error~%s", where);
		if (n == 0)
			fail_msg("row %zu: no record names %s", i, where);
		snprintf(fault, sizeof fault, "last reload failed: %s", where);
		await_told(fault);
	}
	unlink(path);
	snprintf(fault, sizeof fault, "%s: error: No such file or directory", path);
	expect_refused(fault);
	text = replaced("show_text = false;", "max_pdu = 8192;");
	expect_good(text, "link l1 max_pdu \"16K\" -> \"8K\"");
	free(text);
	end();
}

/* A hundred thousand brackets, and a file cut at any octet. */
static void files_that_are_hard(void **state)
{
	enum { DEEP = 100000 };
	char *text = malloc(DEEP + 16);
	size_t n;

	(void)state;
	begin();
	assert_non_null(text);
	n = (size_t)sprintf(text, "links = ");
	memset(text + n, '(', DEEP);
	write_octets(text, n + DEEP);
	expect_refused(path);
	free(text);
	n = strlen(good);
	for (size_t cut = 1; cut < n - 3; cut += n / 9) {
		write_octets(good, cut);
		expect_refused(path);
	}
	end();
}

/* Faults of meaning; each file also has a link that is without one. */
static void expect_nothing_applied(const char *keys, const char *listen, const char *const *words)
{
	char link[1024];
	int port = port_closed();
	char *text;
	size_t said = said_now(&rig);

	snprintf(link, sizeof link,
		"links = (\n"
		"  { name = \"fine\"; listen = \"127.0.0.1:%d\"; upstream = \"127.0.0.1:%d\"; },\n"
		"  { name = \"not\"; listen = \"%s\"; upstream = \"127.0.0.1:%d\"; %s },\n",
		port, gateway_port, listen, gateway_port, keys);
	text = replaced("links = (\n", link);
	write_octets(text, strlen(text));
	free(text);
	expect_refused(words[0]);
	for (; *words != NULL; words++)
		if (!has_said(&rig, said, *words))
			fail_msg("\"%s\" is not said", *words);
	assert_false(port_open(port));
	assert_true(port_open(rig.port[0]));
}

#define EXPECT(keys, listen, ...) \
	expect_nothing_applied(keys, listen, (const char *const[]){ __VA_ARGS__, NULL })

static void faults_of_meaning(void **state)
{
	char taken[32], ours[32], *text;
	int other, taken_port, fds;

	(void)state;
	begin();
	other = peer_listen(&taken_port, 1);
	snprintf(taken, sizeof taken, "127.0.0.1:%d", taken_port);
	snprintf(ours, sizeof ours, "127.0.0.1:%d", rig.port[0]);
	rig_await(&rig, 0, NULL, "ev=login"); /* so the log is open */
	fds = rig_engine_fds(&rig);
	EXPECT("profile = \"nonesuch\";", "127.0.0.1:0", "no profile \"nonesuch\" in the code tables");
	EXPECT("", "127.0.0.1:65536", "the port is a number up to 65535");
	EXPECT("rules = ( { name = \"r\"; action = \"map_stat\"; map = \"nonesuch\"; } );", "127.0.0.1:0",
		"nonesuch");
	EXPECT("tls_certificate = \"/nonesuch.pem\";", "127.0.0.1:0", "/nonesuch.pem");
	EXPECT("", taken, "cannot listen link=not on=",
		"link not cannot listen on 127.0.0.1:", "the address is in use");
	EXPECT("", ours, "is taken by");
	EXPECT("name2 = 1; pending = 15; stall = \"2h\";", "127.0.0.1:0", "unknown key name2",
		"pending must be 16", "stall must be 100ms to 1h");
	peer_close(other);
	for (int i = 0; i < 100 && rig_engine_fds(&rig) != fds; i++)
		pause_ms(20);
	assert_int_equal(rig_engine_fds(&rig), fds);
	text = replaced("show_text = false;", "max_pdu = 8192;");
	expect_good(text, "link l1 max_pdu \"16K\" -> \"8K\"");
	free(text);
	end();
}

/* Its own listener is in the way: it says whose that is, and what can be done. Then does it. */
static void wider(void **state)
{
	char listens[64], other[64], fault[256], *text;
	int moved;

	(void)state;
	begin();
	moved = port_closed();
	snprintf(listens, sizeof listens, "127.0.0.1:%d", rig.port[0]);
	snprintf(other, sizeof other, "0.0.0.0:%d", rig.port[0]);
	text = replaced(listens, other);
	write_octets(text, strlen(text));
	free(text);
	snprintf(fault, sizeof fault, "link l1 cannot listen on %s as long as link l1 listens on %s, which a reload closes last",
		other, listens);
	expect_refused(fault);
	snprintf(other, sizeof other, "127.0.0.1:%d", moved);
	text = replaced(listens, other);
	rig.port[0] = moved;
	expect_reload(text);
	free(text);
	snprintf(other, sizeof other, "0.0.0.0:%d", moved = atoi(strchr(listens, ':') + 1));
	text = replaced(listens, other);
	rig.port[0] = moved;
	expect_reload(text);
	free(text);
	end();
}

/* Two addresses of one link with a port that the kernel chooses: each is one of its own, and goes on. */
static void any_port(void **state)
{
	char link[512], *text, *at;

	(void)state;
	begin();
	snprintf(link, sizeof link, "links = (\n  { name = \"any\"; protocol = \"smpp\"; listen = [ \"127.0.0.1:0\", \"127.0.0.1:0\" ]; "
		"upstream = \"127.0.0.1:%d\"; show_text = false; },\n", gateway_port);
	text = replaced("links = (\n", link);
	for (int i = 0; i < 3; i++) {
		expect_reload(text);
		at = strstr(text, "show_text = ");
		assert_non_null(at);
		memcpy(at + strlen("show_text = "), i % 2 ? "false" : "true ", 5);
	}
	free(text);
	end();
}

/* The file with so many links more, NAME0, NAME1, …; the caller frees. */
static char *with_links(char name, int count)
{
	enum { EACH = 100 };
	char *links = malloc((size_t)count * EACH + 16), *text;
	size_t n = (size_t)sprintf(links, "links = (\n");

	for (int i = 0; i < count; i++)
		n += (size_t)sprintf(links + n, "  { name = \"%c%d\"; listen = \"127.0.0.1:0\"; upstream = \"127.0.0.1:%d\"; },\n",
			name, i, gateway_port);
	text = replaced("links = (\n", links);
	free(links);
	return text;
}

/* Names are kept for the keeper's life; what finds none left is refused before an engine is asked to go. */
static void names_of_links(void **state)
{
	char *text;

	(void)state;
	begin();
	text = with_links('a', 520);
	expect_reload(text);
	free(text);
	text = with_links('b', 520);
	write_octets(text, strlen(text));
	free(text);
	expect_refused("520 links have new names, and 503 of 1024 are left until a restart");
	text = with_links('b', 20);
	expect_reload(text);
	free(text);
	text = with_links('c', 484);
	write_octets(text, strlen(text));
	free(text);
	expect_refused("484 links have new names, and 483 of 1024 are left until a restart");
	end();
}

static int sweep(void **state)
{
	notify_close();
	free(good);
	good = NULL;
	return rig_sweep(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(faults_in_the_file, sweep),
		cmocka_unit_test_teardown(files_that_are_hard, sweep),
		cmocka_unit_test_teardown(faults_of_meaning, sweep),
		cmocka_unit_test_teardown(wider, sweep),
		cmocka_unit_test_teardown(any_port, sweep),
		cmocka_unit_test_teardown(names_of_links, sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
