#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* Reading the JSON log while it is being written. */

/*
 * Whole lines only, about `most` octets of them; every one must be one JSON object, as docs/records.md
 * has it.
 */
static void log_poll(struct rig *r, size_t most)
{
	char *line = NULL;
	size_t cap = 0;
	struct stat st;
	ssize_t n;
	FILE *f;

	/* A pipe would be taken from its reader, and /dev/full has no end. */
	if (stat(r->log_path, &st) < 0 || !S_ISREG(st.st_mode) || !(f = fopen(r->log_path, "r")))
		return;
	fseek(f, (long)r->log_at, SEEK_SET);
	most = most < SIZE_MAX - r->log_at ? r->log_at + most : SIZE_MAX;
	while (r->log_at < most && (n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n') {
		json_error_t e;
		json_t *o = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, &e);

		if (!o)
			fail_msg("no JSON: %s: %s", e.text, line);
		json_array_append_new(r->records, o);
		record_check(o, line);
		r->log_at += (size_t)n;
	}
	free(line);
	fclose(f);
}

void log_check_rest(struct rig *r)
{
	enum { MOST = 1 << 20 }; /* of the longest logs; elsewhere it is all */

	log_poll(r, MOST);
}

static bool text_of(const json_t *v, char *to, size_t cap)
{
	if (json_is_string(v))
		snprintf(to, cap, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(to, cap, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(to, cap, "%s", json_is_true(v) ? "true" : "false");
	else
		return false;
	return true;
}

static bool equal(const char *have, const char *want)
{
	char *have_end, *want_end;
	long long a = strtoll(have, &have_end, 0), b = strtoll(want, &want_end, 0);

	if (strcmp(have, want) == 0)
		return true;
	return *have && *want && *have_end == '\0' && *want_end == '\0' && a == b;
}

static bool word_fits(const json_t *o, const char *word)
{
	size_t n = strcspn(word, "=~");
	char key[64], have[2048];
	const json_t *v;
	bool fits;

	snprintf(key, sizeof key, "%.*s", (int)n, word);
	if (strcmp(key, "*") == 0) {
		char *all = json_dumps(o, JSON_COMPACT);

		fits = all && strstr(all, word + n + 1) != NULL;
		free(all);
		return fits;
	}
	v = json_object_get(o, key);
	if (!v)
		return false;
	if (word[n] == '~') {
		char *all = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		fits = all && strstr(all, word + n + 1) != NULL;
		free(all);
		return fits;
	}
	return text_of(v, have, sizeof have) && equal(have, word + n + 1);
}

static bool fits(const json_t *o, const char *match)
{
	char copy[512], *at = copy, *word;

	snprintf(copy, sizeof copy, "%s", match);
	while ((word = strsep(&at, " ")))
		if (*word && !word_fits(o, word))
			return false;
	return true;
}

static void log_show(const struct rig *r)
{
	size_t n = json_array_size(r->records);
	char *err = rig_file(r, r->err_path, NULL);

	for (size_t i = n > 20 ? n - 20 : 0; i < n; i++) {
		char *line = json_dumps(json_array_get(r->records, i), JSON_COMPACT);

		print_error("%s\n", line);
		free(line);
	}
	print_error("standard error: %s\n", err);
	free(err);
}

/* Is there a record at `at`? False when the log has not grown for WAIT_MS: one that is behind is waited for. */
static bool log_has(struct rig *r, size_t at)
{
	for (uint64_t end = now_us() + WAIT_MS * 1000u; json_array_size(r->records) <= at; pause_ms(5)) {
		bool late = now_us() >= end;

		log_poll(r, SIZE_MAX);
		if (late)
			break;
	}
	return json_array_size(r->records) > at;
}

json_t *rig_await(struct rig *r, size_t from, size_t *ret_at, const char *match, ...)
{
	char want[512];
	va_list ap;

	va_start(ap, match);
	vsnprintf(want, sizeof want, match, ap);
	va_end(ap);
	for (size_t i = from; log_has(r, i); i++) {
		if (!fits(json_array_get(r->records, i), want))
			continue;
		if (ret_at)
			*ret_at = i;
		return json_array_get(r->records, i);
	}
	log_show(r);
	fail_msg("no record: %s", want);
	return NULL;
}

size_t rig_count(struct rig *r, const char *match, ...)
{
	char want[512];
	size_t count = 0;
	va_list ap;

	va_start(ap, match);
	vsnprintf(want, sizeof want, match, ap);
	va_end(ap);
	log_poll(r, SIZE_MAX);
	for (size_t i = 0; i < json_array_size(r->records); i++)
		count += fits(json_array_get(r->records, i), want);
	return count;
}

void rig_await_count(struct rig *r, size_t count, const char *match)
{
	size_t have = 0;

	for (size_t i = 0; have < count && log_has(r, i); i++)
		have += fits(json_array_get(r->records, i), match);
	if (have >= count)
		return;
	log_show(r);
	fail_msg("%zu of %zu records: %s", have, count, match);
}

void rig_expect_balance(struct rig *r, size_t sessions)
{
	rig_await_count(r, sessions, "ev=session_close");
	assert_int_equal(rig_count(r, "ev=session_close"), sessions);
	assert_int_equal(rig_count(r, "ev=session_open"), sessions);
	for (size_t i = 0; i < json_array_size(r->records); i++) {
		const json_t *one = json_array_get(r->records, i);
		long long sess = (long long)json_integer_value(json_object_get(one, "sess"));

		if (strcmp(json_string_value(json_object_get(one, "ev")), "session_open") != 0)
			continue;
		assert_int_equal(rig_count(r, "ev=session_open sess=%lld", sess), 1);
		assert_int_equal(rig_count(r, "ev=session_close sess=%lld", sess), 1);
	}
}

char *rig_ctl(const struct rig *r, const char *words, int want_code)
{
	char command[512];
	size_t n, cap = 1 << 20;
	char *text = malloc(cap);
	int status;
	FILE *f;

	assert_non_null(text);
	snprintf(command, sizeof(command), BUILD_DIR "/smscope ctl --socket %s %s 2>&1", r->control_path,
		words);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = '\0';
	status = pclose(f);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != want_code)
		fail_msg("ctl %s: %s", words, text);
	return text;
}
