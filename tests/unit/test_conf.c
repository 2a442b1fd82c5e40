#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

static char folder[] = BUILD_DIR "/conf-XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* `text` as the file c.conf, which must load without a word. */
static struct settings *load(const char *text)
{
	struct conf_faults faults = { .to = stderr };
	struct settings *s;

	write_file("c.conf", text);
	s = conf_load("c.conf", &faults);
	assert_non_null(s);
	assert_int_equal(faults.errors + faults.warnings, 0);
	unlink("c.conf");
	return s;
}

static void test_defaults(void **state)
{
	struct settings *s = load("links = ( { name = \"a\"; listen = \"127.0.0.1:7890\"; "
		"upstream = \"192.0.2.1:7891\"; protocol = \"cmpp\"; } );");
	const struct link_settings *l = &s->links[0];

	(void)state;
	assert_in_range(s->workers, 1, 64);
	assert_int_equal(s->hold_max, 32768);
	assert_int_equal(s->ring_size, 8388608);
	assert_int_equal(s->drain_timeout_ms, 30000);
	assert_null(s->codes_dir);
	assert_string_equal(s->codes_site_dir, "/etc/smscope/codes.d");
	assert_int_equal(s->link_count, 1);
	assert_string_equal(l->name, "a");
	assert_string_equal(l->account, "a");
	assert_ptr_equal(l->proto, proto_named("cmpp"));
	assert_int_equal(l->max_pdu, l->proto->max_pdu);
	assert_int_equal(l->profile_count, 1);
	assert_string_equal(l->profiles[0], "standard");
	assert_int_equal(l->dial, DIAL_LOGIN);
	assert_int_equal(l->bad_length, BAD_LENGTH_BLIND);
	assert_int_equal(l->connect_timeout_ms, 5000);
	assert_int_equal(l->login_timeout_ms, 10000);
	assert_int_equal(l->linger_timeout_ms, 5000);
	assert_int_equal(l->half_close_timeout_ms, 60000);
	assert_int_equal(l->stall_ms, 30000);
	assert_int_equal(l->retry_ms, 1000);
	assert_int_equal(l->retry_max_ms, 60000);
	assert_int_equal(l->balance, BALANCE_ORDER);
	assert_int_equal(l->down_after, 3);
	assert_int_equal(l->probe_interval_ms, 10000);
	assert_int_equal(s->resolver_count, 0);
	assert_int_equal(s->resolve_interval_ms, 60000);
	assert_false(l->show_text);
	assert_int_equal(l->source.addr_len, 0);
	assert_int_equal(s->sink_count, 1);
	assert_int_equal(s->sinks[0].type, SINK_STDOUT);
	assert_int_equal(s->sinks[0].format, FORMAT_TEXT);
	assert_int_equal(s->sinks[0].mask, MASK_PART);
	assert_int_equal(s->sinks[0].kinds, (1u << REC_COUNT) - 1);
	assert_int_equal(s->sinks[0].queue, 8388608);
	assert_int_equal(s->sinks[0].color, -1);
	settings_free(s);
}

static const char all_keys[] =
	"daemon = { workers = 3; hold_max = \"64K\"; ring_size = 0x100000; max_sessions = 50L;\n"
	"  resolvers = [ \"192.0.2.53\", \"[2001:db8::53]:5353\" ]; resolve_interval = \"5s\";"
	"  drain_timeout = \"1m\"; codes = \"/c\"; codes_site = \"/s\\\\\\\"x\"; };\n"
	"links = (\n"
	"  { name = \"one\"; protocol = \"auto\"; listen = [ \"0.0.0.0:7890\", \"[::]:7890\" ];\n"
	"    upstream = ( \"192.0.2.1:1\", \"192.0.2.2:2\" ); source = \"192.0.2.9\"; profile = ( \"infox\", \"standard\" );\n"
	"    account = \"acc\"; bad_length = \"close\"; connect_timeout = \"250ms\"; login_timeout = \"1m\";\n"
	"    linger_timeout = \"2s\"; half_close_timeout = \"2h\"; stall = \"1500ms\"; retry = \"20ms\";"
	"    retry_max = \"30ms\"; balance = \"least\"; down_after = 9; probe_interval = \"250ms\";\n"
	"    max_pdu = 5000; max_sessions = 7; max_per_ip = 6; pending = 99; show_text = true; },\n"
	"  { name = \"two\"; protocol = \"smpp\"; dial = \"accept\"; listen = \"[::1]:2775\"; upstream = \"[2001:db8::1]:2775\";\n"
	"    source = \"[2001:db8::9]:4000\"; }\n"
	");\n"
	"logs = (\n"
	"  { type = \"stdout\"; format = \"json\"; lang = \"zh\"; numbers = \"none\"; records = [ \"login\", \"report\" ];\n"
	"    queue = \"64K\"; color = \"always\"; },\n"
	"  { path = \"/var/log/日志.log\"; numbers = \"full\"; lang = \"en\"; records = \"nack\"; color = \"never\"; }\n"
	");\n";

static void test_all_link_keys(void **state)
{
	struct settings *s = load(all_keys);
	const struct link_settings *l = &s->links[0];
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(s->link_count, 2);
	assert_null(l->proto);
	assert_int_equal(l->listen_count, 2);
	assert_int_equal(l->listen[1].addr.ss_family, AF_INET6);
	assert_int_equal(l->upstream_count, 2);
	assert_string_equal(l->upstream[1].text, "192.0.2.2:2");
	assert_int_equal(((const struct sockaddr_in *)&l->upstream[1].addr)->sin_port, htons(2));
	assert_int_equal(((const struct sockaddr_in *)&l->upstream[1].addr)->sin_addr.s_addr,
		inet_addr("192.0.2.2"));
	assert_int_equal(l->source.addr_len, sizeof(struct sockaddr_in));
	assert_int_equal(((const struct sockaddr_in *)&l->source.addr)->sin_port, 0);
	assert_int_equal(l->profile_count, 2);
	assert_string_equal(l->profiles[0], "infox");
	assert_string_equal(l->account, "acc");
	assert_int_equal(l->bad_length, BAD_LENGTH_CLOSE);
	assert_int_equal(l->connect_timeout_ms, 250);
	assert_int_equal(l->login_timeout_ms, 60000);
	assert_int_equal(l->linger_timeout_ms, 2000);
	assert_int_equal(l->half_close_timeout_ms, 7200000);
	assert_int_equal(l->stall_ms, 1500);
	assert_int_equal(l->retry_ms, 20);
	assert_int_equal(l->retry_max_ms, 30);
	assert_int_equal(l->balance, BALANCE_LEAST);
	assert_int_equal(l->down_after, 9);
	assert_int_equal(l->probe_interval_ms, 250);
	assert_int_equal(s->resolver_count, 2);
	assert_int_equal(((const struct sockaddr_in *)&s->resolvers[0].addr)->sin_port, htons(53));
	assert_int_equal(((const struct sockaddr_in6 *)&s->resolvers[1].addr)->sin6_port, htons(5353));
	assert_int_equal(s->resolve_interval_ms, 5000);
	assert_int_equal(l->max_pdu, 5000);
	assert_int_equal(l->max_sessions, 7);
	assert_int_equal(l->max_per_ip, 6);
	assert_int_equal(l->pending, 99);
	assert_true(l->show_text);
	l = &s->links[1];
	assert_int_equal(l->dial, DIAL_ACCEPT);
	assert_int_equal(l->max_pdu, proto_named("smpp")->max_pdu);
	assert_int_equal(l->max_sessions, 50);
	assert_int_equal(l->max_per_ip, 50);
	assert_int_equal(l->source.addr.ss_family, AF_INET6);
	assert_non_null(inet_ntop(AF_INET6,
		&((const struct sockaddr_in6 *)&l->upstream[0].addr)->sin6_addr, text, sizeof(text)));
	assert_string_equal(text, "2001:db8::1");
	assert_int_equal(((const struct sockaddr_in6 *)&l->source.addr)->sin6_port, htons(4000));
	settings_free(s);
}

static void test_all_other_keys(void **state)
{
	struct settings *s = load(all_keys);

	(void)state;
	assert_int_equal(s->workers, 3);
	assert_int_equal(s->hold_max, 65536);
	assert_int_equal(s->ring_size, 1048576);
	assert_int_equal(s->max_sessions, 50);
	assert_int_equal(s->drain_timeout_ms, 60000);
	assert_string_equal(s->codes_dir, "/c");
	assert_string_equal(s->codes_site_dir, "/s\\\"x");
	assert_int_equal(s->sink_count, 2);
	assert_int_equal(s->sinks[0].type, SINK_STDOUT);
	assert_int_equal(s->sinks[0].format, FORMAT_JSON);
	assert_int_equal(s->sinks[0].lang, LANG_ZH);
	assert_int_equal(s->sinks[0].mask, MASK_FULL); /* no digit shown: all is masked */
	assert_int_equal(s->sinks[0].kinds, 1u << REC_LOGIN | 1u << REC_REPORT);
	assert_int_equal(s->sinks[0].queue, 65536);
	assert_int_equal(s->sinks[0].color, 1);
	assert_int_equal(s->sinks[1].type, SINK_FILE);
	assert_string_equal(s->sinks[1].path, "/var/log/日志.log");
	assert_int_equal(s->sinks[1].mask, MASK_NONE);
	assert_int_equal(s->sinks[1].kinds, 1u << REC_NACK);
	settings_free(s);
}

static void assert_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static void assert_endpoints(const struct endpoint *a, int a_count, const struct endpoint *b,
	int b_count)
{
	assert_int_equal(a_count, b_count);
	for (int i = 0; i < a_count; i++) {
		assert_text(a[i].text, b[i].text);
		assert_int_equal(a[i].addr_len, b[i].addr_len);
		assert_memory_equal(&a[i].addr, &b[i].addr, sizeof(a[i].addr));
	}
}

static void assert_same_link(const struct link_settings *a, const struct link_settings *b)
{
	assert_text(a->name, b->name);
	assert_text(a->account, b->account);
	assert_ptr_equal(a->proto, b->proto);
	assert_endpoints(a->listen, a->listen_count, b->listen, b->listen_count);
	assert_endpoints(a->upstream, a->upstream_count, b->upstream, b->upstream_count);
	assert_endpoints(&a->source, 1, &b->source, 1);
	assert_int_equal(a->profile_count, b->profile_count);
	for (int i = 0; i < a->profile_count; i++)
		assert_text(a->profiles[i], b->profiles[i]);
	assert_int_equal(a->dial, b->dial);
	assert_int_equal(a->bad_length, b->bad_length);
	assert_int_equal(a->connect_timeout_ms, b->connect_timeout_ms);
	assert_int_equal(a->login_timeout_ms, b->login_timeout_ms);
	assert_int_equal(a->linger_timeout_ms, b->linger_timeout_ms);
	assert_int_equal(a->half_close_timeout_ms, b->half_close_timeout_ms);
	assert_int_equal(a->stall_ms, b->stall_ms);
	assert_int_equal(a->retry_ms, b->retry_ms);
	assert_int_equal(a->retry_max_ms, b->retry_max_ms);
	assert_int_equal(a->balance, b->balance);
	assert_int_equal(a->down_after, b->down_after);
	assert_int_equal(a->probe_interval_ms, b->probe_interval_ms);
	assert_int_equal(a->max_pdu, b->max_pdu);
	assert_int_equal(a->max_sessions, b->max_sessions);
	assert_int_equal(a->max_per_ip, b->max_per_ip);
	assert_int_equal(a->pending, b->pending);
	assert_int_equal(a->show_text, b->show_text);
}

/* Field by field, so that the table of keys does not vouch for itself. */
static void assert_same(const struct settings *a, const struct settings *b)
{
	assert_int_equal(a->workers, b->workers);
	assert_int_equal(a->hold_max, b->hold_max);
	assert_int_equal(a->ring_size, b->ring_size);
	assert_int_equal(a->max_sessions, b->max_sessions);
	assert_int_equal(a->drain_timeout_ms, b->drain_timeout_ms);
	assert_endpoints(a->resolvers, a->resolver_count, b->resolvers, b->resolver_count);
	assert_int_equal(a->resolve_interval_ms, b->resolve_interval_ms);
	assert_text(a->codes_dir, b->codes_dir);
	assert_text(a->codes_site_dir, b->codes_site_dir);
	assert_int_equal(a->link_count, b->link_count);
	for (int i = 0; i < a->link_count; i++)
		assert_same_link(&a->links[i], &b->links[i]);
	assert_int_equal(a->sink_count, b->sink_count);
	for (int i = 0; i < a->sink_count; i++) {
		assert_int_equal(a->sinks[i].type, b->sinks[i].type);
		assert_text(a->sinks[i].path, b->sinks[i].path);
		assert_int_equal(a->sinks[i].format, b->sinks[i].format);
		assert_int_equal(a->sinks[i].lang, b->sinks[i].lang);
		assert_int_equal(a->sinks[i].mask, b->sinks[i].mask);
		assert_int_equal(a->sinks[i].kinds, b->sinks[i].kinds);
		assert_int_equal(a->sinks[i].queue, b->sinks[i].queue);
		assert_int_equal(a->sinks[i].color, b->sinks[i].color);
	}
}

/* Through a memfd as the keeper hands it to an engine, read from the start wherever its offset is. */
static void assert_dump_loads_back(const struct settings *s)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	struct conf_faults faults = { .to = stderr };
	struct settings *back;
	FILE *to = fdopen(dup(fd), "w");

	assert_non_null(to);
	assert_int_equal(conf_dump(s, to), 0);
	fclose(to);
	for (int twice = 0; twice < 2; twice++) {
		back = conf_load_fd(fd, &faults);
		assert_non_null(back);
		assert_int_equal(faults.warnings, 0);
		assert_same(s, back);
		settings_free(back);
	}
	close(fd);
}

static const char *one_of(const char *const *words, int count)
{
	return words[random() % count];
}

/* A random legal file of up to four links and three logs. */
static void random_file(FILE *f)
{
	static const char *const durations[] = { "100ms", "101ms", "1s", "59s", "90s", "2m", "300s" };
	static const char *const sizes[] = { "16", "4097", "\"64K\"", "65536", "\"1M\"", "0x10000" };
	static const char *const yes[] = { "true", "false", "TRUE" };
	static const char *const langs[] = { "zh", "en", "both" };
	static const char *const masks[] = { "mask", "full", "none" };
	static const char *const colors[] = { "auto", "never", "always" };
	long links = random() % 4 + 1, logs = random() % 4;

	if (random() % 2 == 0)
		fprintf(f, "daemon = { workers = %ld; drain_timeout = \"%ldms\"; };\n", random() % 65,
			random() % 86400001);
	fputs("links = (\n", f);
	for (long i = 0; i < links; i++) {
		fprintf(f, "%s{ name = \"n%ld.-_\"; listen = [ \"127.0.0.1:%ld\", \"[::1]:0\" ];\n", i > 0 ? "," : "", i,
			1000 + i);
		fprintf(f, "upstream = [ \"192.0.2.%ld:%ld\", \"[2001:db8::%lx]:%ld\" ];\n", random() % 256,
			random() % 65535 + 1, random() % 65536, random() % 65535 + 1);
		fprintf(f, "stall = \"%s\"; connect_timeout = \"%s\"; max_pdu = %s;\n", one_of(durations, 7),
			one_of(durations, 7), one_of(sizes, 6));
		fprintf(f, "retry = \"%ldms\"; pending = %ld; show_text = %s; }\n", random() % 3600000 + 10,
			random() % 999984 + 16, one_of(yes, 3));
	}
	fputs(");\n", f);
	for (long i = 0; i < logs; i++) {
		fprintf(f, "%s{ path = \"/l %ld\\\\\\\"\"; lang = \"%s\"; numbers = \"%s\"; color = \"%s\"; records = [\n",
			i > 0 ? "," : "logs = (", i, one_of(langs, 3), one_of(masks, 3), one_of(colors, 3));
		for (long n = random() % 5, k = 0; k <= n; k++)
			fprintf(f, "%s\"%s\"", k > 0 ? "," : "",
				record_kind_name((enum record_kind)(random() % REC_COUNT)));
		fprintf(f, "]; queue = %ld; }\n", random() % 1073676288 + 65536);
	}
	fputs(logs > 0 ? ");\n" : "", f);
}

static void test_dump(void **state)
{
	struct settings *s = load(all_keys);

	(void)state;
	assert_dump_loads_back(s);
	settings_free(s);
	srandom(2);
	for (int round = 0; round < 300; round++) {
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		random_file(f);
		fclose(f);
		s = load(text);
		assert_dump_loads_back(s);
		settings_free(s);
		free(text);
	}
}

/* The dump says where each value came from. */
static void test_origins(void **state)
{
	struct settings *s = load(all_keys);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(conf_dump(s, f), 0);
	fclose(f);
	assert_non_null(strstr(text, "\tdrain_timeout = \"1m\"; // c.conf:2\n"));
	assert_non_null(strstr(text, "\t\tsource = \"[2001:db8::9]:4000\"; // c.conf:10\n"));
	assert_non_null(strstr(text, "\t\tstall = \"30s\"; // default\n"));
	free(text);
	settings_free(s);
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	s = load(all_keys);
	assert_true(conf_dump(s, f) < 0);
	fclose(f);
	settings_free(s);
}

static void test_include(void **state)
{
	struct settings *s;

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	assert_int_equal(mkdir("conf.d", 0700), 0);
	write_file("sub/links.inc", "\xef\xbb\xbf# a list\nlinks = (\n@include \"one.inc\"\n);\n");
	write_file("sub/one.inc", "{ name = \"a\"; listen = \"127.0.0.1:1\";\r\nupstream = \"192.0.2.1:1\"; }");
	write_file("conf.d/20.conf", "links = ( { name = \"z\"; listen = \"127.0.0.1:2\"; upstream = \"192.0.2.1:1\"; } );");
	write_file("conf.d/10.conf", "links = ( { name = \"y\"; listen = \"127.0.0.1:3\"; upstream = \"192.0.2.1:1\"; } );\n"
		"logs = ( { path = \"/y\"; } );");
	write_file("conf.d/30.conf.off", "nonsense");
	s = load("include_dir = \"conf.d\";\n@include \"sub/links.inc\" # more\nlogs = ( { type = \"stdout\"; } );\n"
		"/* @include \"none\" \n@include \"none\"\n*/");
	assert_int_equal(s->link_count, 3);
	assert_string_equal(s->links[0].name, "a");
	assert_string_equal(s->links[1].name, "y");
	assert_string_equal(s->links[2].name, "z");
	assert_int_equal(s->sink_count, 2);
	assert_string_equal(s->sinks[1].path, "/y");
	assert_dump_loads_back(s);
	settings_free(s);
	unlink("sub/links.inc");
	unlink("sub/one.inc");
	unlink("conf.d/10.conf");
	unlink("conf.d/20.conf");
	unlink("conf.d/30.conf.off");
	assert_int_equal(rmdir("sub") + rmdir("conf.d"), 0);
}

/* Links may all come from include_dir; a name that the system knows resolves. */
static void test_only_include_dir(void **state)
{
	struct settings *s;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	write_file("conf.d/a.conf", "links = ( { name = \"a\"; listen = \"localhost:0\"; upstream = \"localhost:9\"; } );");
	s = load("include_dir = \"conf.d/\";");
	assert_int_equal(s->link_count, 1);
	assert_true(s->links[0].listen[0].addr_len > 0);
	assert_true(s->links[0].upstream[0].addr_len > 0);
	settings_free(s);
	unlink("conf.d/a.conf");
	assert_int_equal(rmdir("conf.d"), 0);
}

/* Who does not ask for it waits for no name server: an engine, whose keeper listens already. */
static void test_look_up(void **state)
{
	static const struct { enum conf_look_up look_up; bool listen, upstream; } rows[] = {
		{ LOOK_UP_ALL, true, true }, { LOOK_UP_LISTEN, true, false }, { LOOK_UP_NONE, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_faults faults = { .to = stderr, .look_up = rows[i].look_up };
		struct conf_quick q = { .listen = "localhost:7890", .upstream = "localhost:9" };
		struct settings *s = conf_quick(&q, &faults);

		assert_non_null(s);
		assert_int_equal(faults.warnings, 0);
		assert_int_equal(s->links[0].listen[0].addr_len > 0, rows[i].listen);
		assert_int_equal(s->links[0].upstream[0].addr_len > 0, rows[i].upstream);
		settings_free(s);
	}
}

static void test_quick(void **state)
{
	struct conf_quick q = { "127.0.0.1:7890", "10.0.0.1:7890,10.0.0.2:7890", "cmpp", "infox", "zh", "json",
		"/tmp/control.sock" };
	struct conf_faults faults = { .to = stderr };
	struct settings *s = conf_quick(&q, &faults);

	(void)state;
	assert_non_null(s);
	assert_int_equal(faults.errors + faults.warnings, 0);
	assert_int_equal(s->link_count, 1);
	assert_string_equal(s->links[0].name, "cmpp");
	assert_int_equal(s->links[0].upstream_count, 2);
	assert_string_equal(s->links[0].profiles[0], "infox");
	assert_int_equal(s->sink_count, 1);
	assert_int_equal(s->sinks[0].type, SINK_STDOUT);
	assert_int_equal(s->sinks[0].format, FORMAT_JSON);
	assert_int_equal(s->sinks[0].lang, LANG_ZH);
	assert_string_equal(s->control, "/tmp/control.sock");
	assert_dump_loads_back(s);
	settings_free(s);

	s = conf_quick(&(struct conf_quick){ .listen = "[::1]:0", .upstream = "[::1]:7890" }, &faults);
	assert_non_null(s);
	assert_null(s->links[0].proto);
	assert_string_equal(s->links[0].name, "link");
	assert_string_equal(s->control, "");
	assert_dump_loads_back(s);
	assert_string_equal(s->links[0].profiles[0], "standard");
	settings_free(s);
}

static void test_quick_faults(void **state)
{
	struct conf_quick q = { NULL, "10.0.0.1", "cmp", "in/fox", "fr", "xml", NULL };
	char *said = NULL;
	size_t len = 0;
	struct conf_faults faults = { .to = open_memstream(&said, &len) };

	(void)state;
	assert_null(conf_quick(&q, &faults));
	fclose(faults.to);
	assert_string_equal(said,
		"--listen: error: is missing\n"
		"--protocol: error: protocol has no choice \"cmp\"; did you mean \"cmpp\"?\n"
		"--upstream: error: upstream = \"10.0.0.1\": no port\n"
		"--profile: error: profile = \"in/fox\": only letters, digits, '.', '-' and '_'\n"
		"--log: error: format has no choice \"xml\"; there is text, json\n"
		"--lang: error: lang has no choice \"fr\"; there is both, zh, en\n");
	assert_int_equal(faults.errors, 6);
	free(said);
}

static void test_profiles(void **state)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *set = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	struct settings *s = load("links = ( { name = \"a\"; listen = \"127.0.0.1:0\"; upstream = \"192.0.2.1:1\";\n"
		"profile = [ \"infox\",\n\"infx\" ]; } );");
	char *said = NULL, expected[64];
	size_t len = 0;

	(void)state;
	assert_non_null(set);
	faults.to = open_memstream(&said, &len);
	assert_int_equal(conf_check_profiles(s, set, &faults), SM_EFORMAT);
	fclose(faults.to);
	assert_string_equal(said, "c.conf:2: error: no profile \"infx\" in the code tables\n");
	free(said);
	settings_free(s);

	said = NULL;
	s = load("links = ( { name = \"a\"; listen = \"127.0.0.1:0\"; upstream = \"192.0.2.1:1\"; } );");
	assert_int_equal(conf_check_profiles(s, set, &faults), 0);
	faults.to = open_memstream(&said, &len);
	conf_summary(s, set, "", faults.to);
	fclose(faults.to);
	snprintf(expected, sizeof(expected), "OK: 1 link, %d code tables (%d entries)\n",
		codes_table_count(set), codes_row_count(set));
	assert_string_equal(said, expected);
	free(said);
	settings_free(s);
	codes_free(set);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_link_keys),
		cmocka_unit_test(test_all_other_keys),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_only_include_dir),
		cmocka_unit_test(test_look_up),
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_quick_faults),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
