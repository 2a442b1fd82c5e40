#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "conf/conf_value.h"

/* The sample shows every key of the table, with the table's default, and loads. */

#define SAMPLE SOURCE_DIR "/conf/smscope.conf"

static char *lines[600];
static int line_count;

static int read_sample(void **state)
{
	FILE *f = fopen(SAMPLE, "r");
	char line[512];

	(void)state;
	if (f == NULL)
		return -1;
	while (line_count < 600 && fgets(line, sizeof(line), f) != NULL)
		lines[line_count++] = strdup(line);
	fclose(f);
	return line_count < 600 ? 0 : -1;
}

static int free_sample(void **state)
{
	(void)state;
	while (line_count > 0)
		free(lines[--line_count]);
	return 0;
}

/* The line behind blanks and, if it is commented out, behind the '#'. */
static const char *bare(const char *line)
{
	while (isspace((unsigned char)*line) || *line == '#')
		line++;
	return line;
}

/* Which section line `at` lies in: sections open with "daemon = {", "links = (", "logs = (". */
static enum conf_section section_at(int at)
{
	enum conf_section in = CONF_TOP;

	for (int i = 0; i < at; i++) {
		if (strncmp(lines[i], "daemon = {", 10) == 0)
			in = CONF_DAEMON;
		else if (strncmp(lines[i], "links = (", 9) == 0)
			in = CONF_LINK;
		else if (strncmp(lines[i], "logs = (", 8) == 0)
			in = CONF_SINK;
		else if (strncmp(bare(lines[i]), "rules = (", 9) == 0)
			in = CONF_RULE;
		else if (in == CONF_RULE)
			in = bare(lines[i])[0] == ')' ? CONF_LINK : CONF_RULE;
		else if (lines[i][0] == '}' || lines[i][0] == ')')
			in = CONF_TOP;
	}
	return in;
}

/* Index of the line that sets `key` in `section`, commented out or not; -1: none. */
static int find(enum conf_section section, const char *key)
{
	size_t n = strlen(key);

	for (int i = 0; i < line_count; i++) {
		const char *p = bare(lines[i]);

		if (strncmp(p, key, n) == 0 && strncmp(p + n, " = ", 3) == 0 && section_at(i) == section)
			return i;
	}
	return -1;
}

/* The default as the sample writes it. */
static void literal(const struct conf_key *k, char *to, size_t cap)
{
	bool quotes = k->type != CONF_COUNT && k->type != CONF_FLAG;

	snprintf(to, cap, "%s%s%s", quotes ? "\"" : "", k->preset, quotes ? "\"" : "");
}

/* "key = DEFAULT;", or a comment above a line that sets something else saying: default DEFAULT. */
static bool shows_default(int at, const char *key, const char *preset)
{
	char setting[256], words[256];

	snprintf(setting, sizeof(setting), "%s = %s;", key, preset);
	if (strncmp(bare(lines[at]), setting, strlen(setting)) == 0)
		return true;
	snprintf(words, sizeof(words), "default %s", preset);
	for (int i = at - 1; i >= 0 && strchr(lines[i], '#') != NULL; i--)
		if (strstr(lines[i], words) != NULL)
			return true;
	return false;
}

static void test_every_key(void **state)
{
	int missing = 0;

	(void)state;
	for (int s = 0; s < CONF_SECTIONS; s++) {
		int count;
		const struct conf_key *keys = conf_keys((enum conf_section)s, &count);

		for (int i = 0; i < count; i++) {
			int at = find((enum conf_section)s, keys[i].name);
			char preset[128];

			if (at < 0) {
				print_error("%s.%s is not in the sample\n",
					conf_section_name((enum conf_section)s), keys[i].name);
				missing++;
				continue;
			}
			if (keys[i].preset == NULL)
				continue;
			literal(&keys[i], preset, sizeof(preset));
			if (!shows_default(at, keys[i].name, preset)) {
				print_error("smscope.conf:%d: the default is %s\n", at + 1, preset);
				missing++;
			}
		}
	}
	assert_int_equal(missing, 0);
}

/* No row is half filled in, and every sentence is one. */
static void test_rows(void **state)
{
	(void)state;
	for (int s = 0; s < CONF_SECTIONS; s++) {
		int count;
		const struct conf_key *keys = conf_keys((enum conf_section)s, &count);

		for (int i = 0; i < count; i++) {
			const struct conf_key *k = &keys[i];

			assert_non_null(k->help);
			assert_true(isupper((unsigned char)k->help[0]) || islower((unsigned char)k->help[0]));
			assert_int_equal(k->help[strlen(k->help) - 1], '.');
			assert_true(k->min <= k->max);
			assert_int_equal(conf_key_find((enum conf_section)s, k->name), i);
			assert_int_equal(k->type == CONF_CHOICE || k->type == CONF_SET, k->words != NULL);
			if (k->type == CONF_COUNT || k->type == CONF_OCTETS || k->type == CONF_DURATION)
				assert_true(k->unit != NULL && k->max > 0 && (k->preset || k->computed));
		}
	}
}

static void test_sample_loads(void **state)
{
	struct conf_faults faults = { .to = stderr };
	struct settings *s = conf_load(SAMPLE, &faults);

	(void)state;
	assert_non_null(s);
	assert_int_equal(faults.errors + faults.warnings, 0);
	assert_int_equal(s->link_count, 2);
	assert_ptr_equal(s->links[0].proto, proto_named("cmpp"));
	assert_ptr_equal(s->links[1].proto, proto_named("smpp"));
	settings_free(s);
}

/* Those whose default cannot be written down. */
static bool has_no_default(const char *line)
{
	static const char *const keys[] = { "include_dir =", "source =", "codes =", "allow =", "deny =",
		"accounts =", "resolvers =", "proxy_from =", "tls_certificate", "tls_key", "tls_password", "tls_c",
		"upstream_tls_c", "upstream_tls_n", "upstream_tls_k", "upstream_tls_p" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(line, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

/* What is commented out is legal, too: the sample with all of it in force. */
static void test_sample_in_full(void **state)
{
	char *text = NULL, *dumps[2] = { NULL, NULL };
	size_t len = 0, dump_len[2];
	FILE *f = open_memstream(&text, &len);
	struct conf_faults faults = { .to = stderr };
	char path[] = BUILD_DIR "/sample-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	for (int i = 0; i < line_count; i++) {
		const char *p = bare(lines[i]), *equals = strstr(p, " = ");
		bool off = strchr(lines[i], '#') != NULL && equals != NULL && strstr(p, ";\n") != NULL &&
			memchr(p, ' ', (size_t)(equals - p)) == NULL;

		if (has_no_default(p) || section_at(i) == CONF_RULE)
			off = false;
		fputs(off ? p : lines[i], f);
	}
	fclose(f);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	for (int i = 0; i < 2; i++) {
		struct settings *s = conf_load(i == 0 ? SAMPLE : path, &faults);

		assert_non_null(s);
		f = open_memstream(&dumps[i], &dump_len[i]);
		assert_int_equal(conf_dump(s, f), 0);
		fclose(f);
		settings_free(s);
		for (char *p = dumps[i]; (p = strstr(p, " // ")) != NULL; )
			memmove(p, strchr(p, '\n'), strlen(strchr(p, '\n')) + 1);
	}
	assert_string_equal(dumps[0], dumps[1]);
	close(fd);
	unlink(path);
	free(text);
	free(dumps[0]);
	free(dumps[1]);
}

static void test_list(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	conf_list_keys(f);
	fclose(f);
	for (int s = 0; s < CONF_SECTIONS; s++) {
		int count;
		const struct conf_key *keys = conf_keys((enum conf_section)s, &count);

		for (int i = 0; i < count; i++)
			assert_non_null(strstr(text, keys[i].help));
	}
	assert_non_null(strstr(text, "\ndaemon.hold_max\n    A PDU longer than this is passed on as it "
		"arrives instead of whole.\n    4K to 1M octets; default 32K; on restart\n"));
	assert_non_null(strstr(text, "\n    \"login\", \"accept\"; default login; on reload\n"));
	free(text);
}

static void ignore_line(void *arg, const char *line)
{
	(void)arg;
	(void)line;
}

static struct settings *load_daemon(const char *keys)
{
	struct conf_faults faults = { .to = stderr };
	FILE *f = fopen("daemon.conf", "w");
	struct settings *s;

	assert_non_null(f);
	fprintf(f, "links = ( { name = \"a\"; listen = \"127.0.0.1:1\"; upstream = \"192.0.2.1:1\"; "
		"protocol = \"cmpp\"; } ); daemon = { %s };", keys);
	fclose(f);
	s = conf_load("daemon.conf", &faults);
	assert_non_null(s);
	unlink("daemon.conf");
	return s;
}

static char *value_text(const struct conf_key *k, const struct settings *s)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	if (conf_value_has(k, s))
		conf_value_write(k, s, to);
	fclose(to);
	return text;
}

/* What --list-keys says of a restart is what becomes of a key at a reload: it stays as it is, or it does not. */
static void test_restart(void **state)
{
	struct settings *was = load_daemon("workers = 2;");
	struct settings *next = load_daemon("workers = 3; hold_max = \"64K\"; ring_size = \"1M\"; max_sessions = 50; "
		"max_handshakes = 5; stories = 500; story_age = \"1h\"; drain_timeout = \"1m\"; "
		"resolvers = \"192.0.2.53\"; resolve_interval = \"5s\"; core_dumps = true; codes = \"/c\"; "
		"codes_site = \"/s\";");
	int count;
	const struct conf_key *keys = conf_keys(CONF_DAEMON, &count);

	(void)state;
	(void)conf_diff(was, next, ignore_line, NULL);
	for (int i = 0; i < count; i++) {
		char *before = value_text(&keys[i], was), *after = value_text(&keys[i], next);

		if ((strcmp(before, after) == 0) == keys[i].reloadable)
			fail_msg("%s: %s -> %s", keys[i].name, before, after);
		free(before);
		free(after);
	}
	settings_free(was);
	settings_free(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sample_loads),
		cmocka_unit_test(test_sample_in_full),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, read_sample, free_sample);
}
