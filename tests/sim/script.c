#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "wire.h"

static const char *const words[SCRIPT_WORDS] = { "login", "submit", "report", "mo", "no-response" };

static const char *const faults[] = {
	[FAULT_DROP] = "drop-connection",      [FAULT_RESET] = "reset",
	[FAULT_BAD_LENGTH] = "bad-length",     [FAULT_HALF_PDU] = "half-pdu",
	[FAULT_STOP_READING] = "stop-reading",
};

static int time_of(const char *s, uint32_t *ret_us)
{
	char *end;
	double v = strtod(s, &end);
	double unit = strcmp(end, "us") == 0   ? 1
		      : strcmp(end, "ms") == 0 ? 1e3
		      : strcmp(end, "s") == 0  ? 1e6
					       : 0;

	if (end == s || unit == 0 || v < 0 || v * unit > 4e9)
		return -1;
	*ret_us = (uint32_t)(v * unit);
	return 0;
}

/* The next word of a line, with "quotes" taken off; NULL at the end. Cuts `*at`. */
static char *next_word(char **at)
{
	char *s = *at, *end;

	while (isspace((unsigned char)*s))
		s++;
	if (*s == '\0' || *s == '#')
		return NULL;
	if (*s == '"') {
		end = strchr(++s, '"');
		if (!end)
			return NULL;
	} else {
		end = s + strcspn(s, " \t\r\n");
	}
	*at = *end ? end + 1 : end;
	*end = '\0';
	return s;
}

static bool starts(const char *s, const char *with, const char **ret_rest)
{
	size_t n = strlen(with);

	if (strncmp(s, with, n) != 0)
		return false;
	*ret_rest = s + n;
	return true;
}

static bool share_of(const char *s, struct script_rule *r)
{
	unsigned int k, n;
	char rest;

	if (sscanf(s, "%u/%u%c", &k, &n, &rest) != 2 || n == 0 || k > n)
		return false;
	r->take = k;
	r->of = n;
	return true;
}

static int option_of(const char *s, struct script_rule *r)
{
	const char *v;

	if (share_of(s, r))
		return 1;
	if (starts(s, "after=", &v))
		return time_of(v, &r->after_us) ? -1 : 1;
	if (starts(s, "err=", &v))
		return snprintf(r->err, sizeof r->err, "%s", v) < (int)sizeof r->err ? 1 : -1;
	if (starts(s, "user=", &v))
		return snprintf(r->user, sizeof r->user, "%s", v) < (int)sizeof r->user ? 1 : -1;
	if (starts(s, "body=", &v)) {
		r->body_len = atoi(v);
		return r->body_len == 60 || r->body_len == 71 ? 1 : -1;
	}
	if (starts(s, "as=", &v)) {
		r->receipt = strcmp(v, "text") == 0  ? SIM_RECEIPT_TEXT
			     : strcmp(v, "tlv") == 0 ? SIM_RECEIPT_TLV
						     : SIM_RECEIPT_TEXT | SIM_RECEIPT_TLV;
		return 1;
	}
	return 0;
}

static int rule_line(struct script *s, enum script_word word, char *at)
{
	struct script_rule r = { .word = word, .take = 1, .of = 1 };
	char *w, *end;
	int have_value = word == SCRIPT_SILENT;

	while ((w = next_word(&at))) {
		int o = option_of(w, &r);

		if (o < 0)
			return -1;
		if (o > 0)
			continue;
		if (have_value++)
			return -1;
		if (word == SCRIPT_REPORT || word == SCRIPT_MO) {
			snprintf(r.text, sizeof r.text, "%s", w);
			continue;
		}
		r.status = (uint32_t)strtoul(w, &end, 0);
		if (*end || end == w)
			return -1;
	}
	if (!have_value || s->rule_count == SCRIPT_RULES_MAX)
		return -1;
	s->rules[s->rule_count++] = r;
	return 0;
}

static int fault_line(struct script *s, char *at)
{
	const char *name = next_word(&at), *after, *v;

	if (!name)
		return -1;
	if (strcmp(name, "no-response") == 0)
		return rule_line(s, SCRIPT_SILENT, at);
	for (int f = FAULT_DROP; f <= FAULT_STOP_READING; f++) {
		if (strcmp(name, faults[f]) != 0)
			continue;
		after = next_word(&at);
		s->fault = (enum script_fault)f;
		s->fault_after = 1;
		if (after && !starts(after, "after=", &v))
			return -1;
		if (after)
			s->fault_after = (uint32_t)strtoul(v, NULL, 10);
		return s->fault_after > 0 ? 0 : -1;
	}
	return -1;
}

int script_line(struct script *s, const char *line)
{
	char copy[1024], *at = copy, *w;
	int rc = -1;

	snprintf(copy, sizeof copy, "%s", line);
	w = next_word(&at);
	if (!w)
		return 0;
	if (strcmp(w, "fault") == 0) {
		rc = fault_line(s, at);
	} else if (strcmp(w, "delay") == 0) {
		w = next_word(&at);
		rc = w ? time_of(w, &s->delay_us) : -1;
	} else {
		for (int i = 0; i <= SCRIPT_MO; i++)
			if (strcmp(w, words[i]) == 0)
				rc = rule_line(s, (enum script_word)i, at);
	}
	if (rc)
		fprintf(stderr, "script: cannot read: %s\n", line);
	return rc;
}

int script_load(struct script *s, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	int rc = 0;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (rc == 0 && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = '\0';
		rc = script_line(s, line);
	}
	fclose(f);
	return rc;
}

struct script_rule *script_next(struct script *s, enum script_word word, const char *user)
{
	for (int i = 0; i < s->rule_count; i++) {
		struct script_rule *r = &s->rules[i];

		if (r->word != word || (r->user[0] && (!user || strcmp(user, r->user) != 0)))
			continue;
		r->have += r->take;
		if (r->have < r->of)
			continue;
		r->have -= r->of;
		return r;
	}
	return NULL;
}
