#include "scribe_ring.h"

#include <ctype.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "admin/control.h"
#include "admin/metrics.h"
#include "admin/reply.h"

/* Replies of the control socket, made of a scribe and a session table that the test fills. */

static struct admin admin;
static struct upstreams *upstreams;
static char *answer;
static size_t answer_len, turns;

static struct span span_text(const char *s)
{
	return span_of(s, strlen(s));
}

/* The whole reply, which stays until the next one; its end mark is checked and cut off. */
static const char *ask(const char *line)
{
	static char room[REPLY_TURN_MAX];
	char why[256];
	struct out err = out_of(why, sizeof(why));
	struct reply r;
	bool more = true;

	free(answer);
	answer = NULL;
	answer_len = turns = 0;
	assert_int_equal(reply_begin(&r, &admin, span_text(line), false, &err), SM_OK);
	while (more) {
		size_t n = reply_turn(&r, room, &more);

		answer = realloc(answer, answer_len + n + 1);
		assert_non_null(answer);
		memcpy(answer + answer_len, room, n);
		answer_len += n;
		turns++;
		assert_true(turns < 100000);
	}
	reply_end(&r);
	assert_true(answer_len >= 2);
	assert_string_equal((answer[answer_len] = '\0', answer + answer_len - 2), ".\n");
	assert_true(answer_len == 2 || answer[answer_len - 3] == '\n');
	answer[answer_len -= 2] = '\0';
	return answer;
}

static json_t *ask_json(const char *line)
{
	json_error_t error;
	json_t *all = json_loads(ask(line), 0, &error);

	if (all == NULL)
		fail_msg("%s: %s", error.text, answer);
	assert_int_equal(strcspn(answer, "\n"), answer_len - 1); /* one line */
	return all;
}

/* A path of keys and indexes: "links.0.records.submit_resp". */
static long long at(json_t *all, const char *keys)
{
	char copy[128], *rest = copy, *word_;

	snprintf(copy, sizeof(copy), "%s", keys);
	while (all != NULL && (word_ = strsep(&rest, ".")) != NULL)
		all = isdigit((unsigned char)*word_) ? json_array_get(all, (size_t)atoi(word_)) :
			json_object_get(all, word_);
	if (json_is_boolean(all))
		return json_is_true(all);
	return json_is_integer(all) ? json_integer_value(all) : -1;
}

static void refusals(void **state)
{
	static const struct { const char *line; int code; const char *why; } rows[] = {
		{ "", SM_EVALUE, "no verb; help lists them" },
		{ "   ", SM_EVALUE, "no verb; help lists them" },
		{ "stat", SM_EVALUE, "no verb \"stat\"; help lists them" },
		{ "status2", SM_EVALUE, "no verb \"status2\"; help lists them" },
		{ "STATUS", SM_EVALUE, "no verb \"STATUS\"; help lists them" },
		{ "status --xml", SM_EVALUE, "no option \"--xml\"; help lists them" },
		{ "metrics --json", SM_EVALUE, "no option \"--json\"; help lists them" },
		{ "status a b c d e f g h", SM_EVALUE, "too many words" },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", SM_EVALUE,
		  "no verb \"abcdefghijklmnopqrstuvwxyzabcdef...\"; help lists them" },
		{ "status\t", SM_EFORMAT, "this is no line of text" },
		{ "status\x7f", SM_EFORMAT, "this is no line of text" },
		{ "stat\xc3\xa9", SM_EFORMAT, "this is no line of text" },
		{ "status\r\r", SM_EFORMAT, "this is no line of text" },
	};
	char why[256];
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct out err = out_of(why, sizeof(why) - 1);

		assert_int_equal(reply_begin(&r, &admin, span_text(rows[i].line), true, &err),
			rows[i].code);
		*err.pos = '\0';
		assert_string_equal(why, rows[i].why);
	}
	assert_int_equal(reply_begin(&r, &admin, span_of("\0status", 7), true,
		&(struct out){ why, why, why, false }), SM_EFORMAT);
	assert_memory_equal(ask("help\r"), "status [--json] ", 16);
	assert_memory_equal(ask("  help  "), "status [--json] ", 16);
}

/* Before the scribe runs there is an answer, too. */
static void early(void **state)
{
	json_t *all;

	(void)state;
	assert_non_null(strstr(ask("status"), "nothing is decoded yet"));
	all = ask_json("status --json");
	assert_int_equal(at(all, "engine.decoding"), 0);
	assert_int_equal(at(all, "links.1.sessions.relaying"), 0);
	assert_int_equal(at(all, "links.1.records.login"), -1);
	json_decref(all);
	all = ask_json("unknown --json");
	assert_int_equal(json_array_size(json_object_get(all, "unknown")), 0);
	json_decref(all);
	all = ask_json("sessions --json");
	assert_int_equal(json_array_size(json_object_get(all, "sessions")), 0);
	json_decref(all);
	assert_non_null(strstr(ask("metrics"), "smscope_sessions{link=\"smsc-eu\",state=\"dialing\"} 0\n"));
}

/* submit_resp of CMPP 3.0 with a result. */
static void put_result(uint32_t result)
{
	uint8_t octets[24];

	(void)unhex("000000188000000400000001b2b9da800001000000000000", octets);
	bytes_put_u32(octets + 20, result);
	put(0, 0, RING_FRAME, RING_GW, octets, sizeof(octets));
}

static void await_entries(uint64_t count)
{
	struct scribe_counts c = { .entries = 0 };

	for (int i = 0; i < 1000 && c.entries < count; i++) {
		poll(NULL, 0, 5);
		scribe_counts(scribe, &c);
	}
	assert_int_equal(c.entries, count);
}

static struct shm_session *fill_slot(uint32_t slot, uint64_t id, uint16_t link, enum session_state s)
{
	struct shm_session *at_ = shm_session(shm, slot);

	*at_ = (struct shm_session){ .id = id, .link = link, .state = (uint8_t)s, .proto = 's',
		.dialect = 0x34, .opened_wall_ns = wall_ns, .opened_mono_ns = clock_mono_ns(),
		.sp_addr = "10.0.0.7:51312", .gw_addr = "[2001:db8::1]:2775",
		.flow = { { .sent_at = 1234, .pdus = 3 }, { .sent_at = 1200000, .pdus = 4 } } };
	return at_;
}

/* One link with results, one with sessions. */
static void fill(void)
{
	sessions[0].proto = 'c';
	sessions[0].dialect = 0x30;
	start();
	put_result(0);
	put_result(0);
	put_result(8);
	put_result(990099);
	open_session(2, 1);
	await_entries(5);
	admin_codes(&admin, codes);
	admin_late(&admin, scribe);
	fill_slot(0, 11, 1, SESSION_RELAYING)->logged_in = 1;
	fill_slot(1, 12, 1, SESSION_RELAYING)->flow[SIDE_GW].blind = 1;
	fill_slot(2, 0, 1, SESSION_FREE);
	fill_slot(3, 13, 0, SESSION_DIALING)->proto = 0;
	fill_slot(4, 14, 77, SESSION_DRAINING); /* the second worker's first */
	fill_slot(6, 15, 1, SESSION_RELAYING);  /* behind one never used: nobody can have made it */
}

static void unfill(void)
{
	struct scribe_counts c;

	atomic_store(&admin.scribe, NULL);
	json_decref(finish(&c));
}

static void status_numbers(void **state)
{
	json_t *all;

	(void)state;
	fill();
	all = ask_json("status --json");
	assert_int_equal(at(all, "engine.decoding"), 1);
	assert_int_equal(at(all, "engine.pid"), getpid());
	assert_int_equal(at(all, "workers"), 2);
	assert_int_equal(at(all, "max_sessions"), SLOTS);
	assert_int_equal(at(all, "links.0.records.submit_resp"), 4);
	assert_int_equal(at(all, "links.0.records.unknown_code"), 1);
	assert_int_equal(at(all, "links.0.codes.known"), 3);
	assert_int_equal(at(all, "links.0.codes.unknown"), 1);
	assert_int_equal(at(all, "links.0.submits.ok"), 2);
	assert_int_equal(at(all, "links.0.submits.throttled"), 1);
	assert_int_equal(at(all, "links.0.submits.unknown"), 1);
	assert_int_equal(at(all, "links.0.sessions.dialing"), 1);
	assert_int_equal(at(all, "links.1.records.submit_resp"), -1);
	assert_int_equal(at(all, "links.1.records.session_open"), 1);
	assert_int_equal(at(all, "links.1.sessions.relaying"), 2);
	assert_int_equal(at(all, "links.1.logged_in"), 1);
	assert_int_equal(at(all, "links.1.blind"), 1);
	assert_int_equal(at(all, "rings.1.lost"), 0);
	assert_int_equal(at(all, "logs.0.dropped"), 0);
	json_decref(all);
	unfill();
}

static void status_words(void **state)
{
	const char *text, *line;

	(void)state;
	fill();
	text = ask("status");
	assert_non_null(strstr(text, "\nlinks 2, workers 2, sessions 4 of 8\n"));
	assert_non_null(strstr(text, "\nsmsc-eu  auto             0         0         2         0"
				     "          1      1\n"));
	assert_non_null(strstr(text, "\ncmcc-bj\n  sessions  opened 0\n  records   submit_resp 4  unknown_code 1\n"
				     "  codes     known 3  unknown 1\n"
				     "  submits   unknown 1  ok 2  throttled 1\n\n"));
	for (line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 100);
	unfill();
}

static void session_lines(void **state)
{
	json_t *all, *one;
	const char *text, *line;

	(void)state;
	fill();
	all = ask_json("sessions --json");
	one = json_object_get(all, "sessions");
	assert_int_equal(json_array_size(one), 4);
	assert_int_equal(at(one, "0.id"), 11);
	assert_int_equal(at(one, "0.logged_in"), 1);
	assert_int_equal(at(one, "0.sp_octets"), 1234);
	assert_int_equal(at(one, "0.gw_octets"), 1200000);
	assert_int_equal(at(one, "0.gw_pdus"), 4);
	assert_string_equal(word(one, 0, "state"), "relaying");
	assert_string_equal(word(one, 0, "sp"), "10.0.0.7:51312");
	assert_string_equal(word(one, 0, "gw"), "[2001:db8::1]:2775");
	assert_string_equal(word(one, 0, "proto"), "SMPP 3.4");
	assert_string_equal(json_string_value(json_array_get(
		json_object_get(json_array_get(one, 1), "blind"), 0)), "gw");
	assert_true(json_is_null(json_object_get(json_array_get(one, 2), "proto")));
	assert_string_equal(word(one, 3, "link"), "-");
	json_decref(all);
	text = ask("sessions");
	assert_non_null(strstr(text, " relaying 10.0.0.7:51312        [2001:db8::1]:2775"));
	assert_non_null(strstr(text, "  1234   1.2M\n"));
	assert_non_null(strstr(text, " smsc-eu blind "));
	for (line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 100);
	unfill();
}

static void unknown_lists(void **state)
{
	json_t *all, *list;

	(void)state;
	fill();
	all = ask_json("unknown --json");
	list = json_object_get(all, "unknown");
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(at(list, "0.code"), 990099);
	assert_int_equal(at(list, "0.count"), 1);
	assert_string_equal(word(list, 0, "link"), "cmcc-bj");
	assert_string_equal(word(list, 0, "context"), "submit_resp");
	json_decref(all);
	assert_non_null(strstr(ask("unknown"), "\ncmcc-bj  submit_resp    990099 "));
	unfill();
}

/* A large table takes many turns, none of which is long; an empty one touches nothing. */
static void large_table(void **state)
{
	enum { MANY = 20000 };
	struct shm *small = shm;
	struct shm_wish wish = { 2, RING_SIZE, 2 * MANY, STORIES, 32768, 0, NULL, 0 };
	int fd = shm_create(&wish);
	json_t *all;

	(void)state;
	shm = admin.shm = shm_map(fd);
	close(fd);
	assert_non_null(shm);
	for (uint32_t i = 0; i < MANY; i++)
		fill_slot(i, i + 1, (uint16_t)(i % 2), SESSION_RELAYING);
	for (uint32_t i = 0; i < MANY; i += 7)
		shm_session(shm, i)->id = 0;
	all = ask_json("sessions --json");
	assert_int_equal(json_array_size(json_object_get(all, "sessions")), MANY - (MANY + 6) / 7);
	assert_true(turns >= MANY / 256);
	json_decref(all);
	all = ask_json("status --json");
	assert_int_equal(at(all, "links.0.sessions.relaying") + at(all, "links.1.sessions.relaying"),
		MANY - (MANY + 6) / 7);
	json_decref(all);
	shm_unmap(shm);
	shm = admin.shm = small;
}

/* Names that would end a reply, or a label. */
static void dots(void **state)
{
	static struct link_settings odd[2] = { { .name = (char *)"." }, { .name = (char *)"..a" } };
	struct settings s = settings;
	const char *text;

	(void)state;
	s.links = odd;
	start();
	admin_codes(&admin, codes);
	admin_late(&admin, scribe);
	admin.settings = &s;
	text = ask("status");
	assert_non_null(strstr(text, "\n..\n"));
	assert_non_null(strstr(text, "\n...a\n"));
	assert_null(strstr(text, "\n.\n"));
	admin.settings = &settings;
	unfill();
}

static bool name_ok(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalpha((unsigned char)p[i]) && p[i] != '_' && (i == 0 || !isdigit((unsigned char)p[i])))
			return false;
	return n > 0;
}

/* `{a="b",c="d"} 17`: returns what follows the labels. */
static const char *skip_labels(const char *p)
{
	if (*p != '{')
		return p;
	do {
		size_t n = strcspn(++p, "=");

		assert_true(name_ok(p, n));
		p += n + 1;
		assert_int_equal(*p++, '"');
		for (; *p != '"'; p++) {
			assert_true((unsigned char)*p >= 0x20);
			if (*p == '\\') {
				p++;
				assert_true(strchr("\\\"n", *p) != NULL);
			}
		}
		p++;
	} while (*p == ',');
	assert_int_equal(*p, '}');
	return p + 1;
}

/* The text format, version 0.0.4: HELP and TYPE before a family, whose samples lie together. */
static void check_metrics(const char *text)
{
	static char seen[65536];
	char name[128] = "", type[16] = "", key[160];

	seen[0] = '\0';
	while (*text != '\0') {
		const char *line = text, *p;
		size_t n;

		text = strchr(line, '\n');
		assert_non_null(text);
		text++;
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line + 7, "%127s", name), 1);
			snprintf(key, sizeof(key), "|%s|", name);
			assert_null(strstr(seen, key)); /* a family of one name comes once */
			strcat(seen, key);
			assert_int_equal(sscanf(text, "# TYPE %159s %15s\n", key, type), 2);
			assert_string_equal(key, name);
			assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0);
			n = strlen(name);
			assert_int_equal(n > 6 && strcmp(name + n - 6, "_total") == 0,
				strcmp(type, "counter") == 0);
			text = strchr(text, '\n') + 1;
			assert_int_equal(strncmp(text, name, n), 0); /* no head without samples */
			continue;
		}
		n = strcspn(line, "{ ");
		assert_true(name_ok(line, n));
		assert_int_equal(n, strlen(name));
		assert_memory_equal(line, name, n);
		p = skip_labels(line + n);
		assert_int_equal(*p, ' ');
		n = strspn(++p, "0123456789");
		assert_true(n > 0 && p[n] == '\n');
	}
}

static void metrics(void **state)
{
	const char *text;

	(void)state;
	snprintf(path, sizeof(path), "%s/l\"} 1\nx\\\xff", dir);
	fill();
	text = ask("metrics");
	check_metrics(text);
	assert_non_null(strstr(text, "smscope_build_info{version=\"9.9\"} 1\n"));
	assert_non_null(strstr(text, "smscope_sessions{link=\"smsc-eu\",state=\"relaying\"} 2\n"));
	assert_non_null(strstr(text, "smscope_session_up{link=\"smsc-eu\"} 1\n"));
	assert_non_null(strstr(text, "smscope_blind_sessions{link=\"smsc-eu\"} 1\n"));
	assert_non_null(strstr(text, "smscope_records_total{link=\"cmcc-bj\",kind=\"submit_resp\"} 4\n"));
	assert_non_null(strstr(text, "smscope_annotations_total{link=\"cmcc-bj\",outcome=\"known\"} 3\n"));
	assert_non_null(strstr(text, "smscope_annotations_total{link=\"cmcc-bj\",outcome=\"unknown\"} 1\n"));
	assert_non_null(strstr(text,
		"smscope_submit_results_total{link=\"cmcc-bj\",class=\"throttled\"} 1\n"));
	assert_non_null(strstr(text, "smscope_unknown_codes{link=\"cmcc-bj\"} 1\n"));
	assert_non_null(strstr(text, "smscope_records_lost_total{worker=\"1\"} 0\n"));
	assert_non_null(strstr(text, "smscope_code_table_entries{table=\"infox-submit\"} "));
	assert_non_null(strstr(text, "/l\\\"} 1\\\\u000ax\\\\\\\\\\\\xff\"} "));
	unfill();
}

static void labels(void **state)
{
	static const struct { const char *value, *line; } rows[] = {
		{ "plain", "m{a=\"plain\"} 7\n" },
		{ "", "m{a=\"\"} 7\n" },
		{ "\"} 1\nx", "m{a=\"\\\"} 1\\\\u000ax\"} 7\n" },
		{ "\xe4\xb8\xad", "m{a=\"\xe4\xb8\xad\"} 7\n" },
		{ "\xe4\xb8", "m{a=\"\\\\xe4\\\\xb8\"} 7\n" },
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct out o = out_of(line, sizeof(line) - 1);

		metrics_sample(&o, "m", 7, (const char *const[]){ "a", rows[i].value, NULL });
		*o.pos = '\0';
		assert_string_equal(line, rows[i].line);
	}
}

/* Servers: which is up, what each has, and a name that was never resolved. */
static void servers(void **state)
{
	struct upstream_status now;
	struct upstream_address to;
	json_t *all, *list;

	(void)state;
	fill();
	assert_int_equal(upstreams_choose(upstreams, 1, 0, clock_mono_ns(), &to), 0);
	assert_false(upstreams_connected(upstreams, 1, 0, clock_mono_ns()));
	assert_int_equal(upstreams_choose(upstreams, 1, 1, clock_mono_ns(), &to), 1);
	assert_true(upstreams_failed(upstreams, 1, 1, clock_mono_ns(), clock_mono_ns(), &now));
	upstreams_leave(upstreams, 1, 1);
	assert_true(upstreams_unresolved(upstreams, 0, 0));
	ask("status");
	assert_non_null(strstr(answer, "\n  server    ismg.example:7890 (no address) unknown for "));
	assert_non_null(strstr(answer, "  sessions 0  name not resolved 1 times\n"));
	assert_non_null(strstr(answer, "\n  server    192.0.2.1:2775 up for "));
	assert_non_null(strstr(answer, "\n  server    192.0.2.2:2775 down for "));
	assert_non_null(strstr(answer, "  sessions 0  failures in a row 1  failures 1\n"));
	all = ask_json("status --json");
	assert_int_equal(at(all, "links.1.servers.0.sessions"), 1);
	assert_int_equal(at(all, "links.1.servers.1.failures_in_row"), 1);
	assert_int_equal(at(all, "links.1.servers.1.failures"), 1);
	assert_int_equal(at(all, "links.0.servers.0.unresolved"), 1);
	list = json_object_get(json_array_get(json_object_get(all, "links"), 1), "servers");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "state")), "down");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "address")),
		"192.0.2.2:2775");
	list = json_object_get(json_array_get(json_object_get(all, "links"), 0), "servers");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "address")));
	json_decref(all);
	ask("metrics");
	assert_non_null(strstr(answer, "smscope_upstream_up{link=\"cmcc-bj\",server=\"ismg.example:7890\"} 1\n"));
	assert_non_null(strstr(answer, "smscope_upstream_up{link=\"smsc-eu\",server=\"192.0.2.2:2775\"} 0\n"));
	assert_non_null(strstr(answer,
		"smscope_upstream_sessions{link=\"smsc-eu\",server=\"192.0.2.1:2775\"} 1\n"));
	assert_non_null(strstr(answer,
		"smscope_upstream_failures_total{link=\"smsc-eu\",server=\"192.0.2.2:2775\"} 1\n"));
	unfill();
}

static void rights(void **state)
{
	static const struct { struct ucred peer; gid_t groups[2]; int count; enum control_right want; } rows[] = {
		{ { 1, 0, 0 }, { 0 }, 0, CONTROL_CHANGE },
		{ { 1, 500, 9 }, { 0 }, 0, CONTROL_CHANGE },
		{ { 1, 501, 600 }, { 0 }, 0, CONTROL_READ },
		{ { 1, 501, 9 }, { 8, 600 }, 2, CONTROL_READ },
		{ { 1, 501, 9 }, { 8, 600 }, 1, CONTROL_NOTHING },
		{ { 1, 501, 0 }, { 8, 7 }, 2, CONTROL_NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(control_right_of(&rows[i].peer, rows[i].groups, rows[i].count, 500, 600),
			rows[i].want);
}

static struct endpoint endpoint_v4(char *text, uint32_t host, uint16_t port)
{
	struct endpoint e = { .text = text, .addr_len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (struct sockaddr_in *)&e.addr;

	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(host) };
	return e;
}

static int begin(void **state)
{
	int err = set_up(state);

	settings.workers = 2;
	upstreams = upstreams_new(&settings, 1, clock_mono_ns());
	assert_non_null(upstreams);
	if (err == 0)
		admin_init(&admin, &settings, shm, NULL, upstreams, "9.9");
	return err;
}

static int begin_with_servers(void **state)
{
	static char named[] = "ismg.example:7890", first[] = "192.0.2.1:2775", second[] = "192.0.2.2:2775";
	int err = begin(state);

	upstreams_free(upstreams);
	links[0].upstream[0] = (struct endpoint){ .text = named, .addr_len = 0 };
	links[0].upstream_count = 1;
	links[1].upstream[0] = endpoint_v4(first, 0xc0000201, 2775);
	links[1].upstream[1] = endpoint_v4(second, 0xc0000202, 2775);
	links[1].upstream_count = 2;
	links[1].down_after = 1;
	upstreams = upstreams_new(&settings, 1, clock_mono_ns());
	assert_non_null(upstreams);
	admin.upstreams = upstreams;
	return err;
}

static int end(void **state)
{
	if (scribe != NULL) /* the test failed */
		unfill();
	free(answer);
	answer = NULL;
	upstreams_free(upstreams);
	return tear_down(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(refusals),
		TEST(early),
		TEST(status_numbers),
		TEST(status_words),
		TEST(session_lines),
		TEST(unknown_lists),
		TEST(large_table),
		TEST(dots),
		TEST(metrics),
		TEST(labels),
		cmocka_unit_test_setup_teardown(servers, begin_with_servers, end),
		TEST(rights),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
