#include "tools/log_line.h"

#include <ctype.h>
#include <strings.h>

/* The next word; `*rest` is moved behind it and the blanks around it. */
static struct span next_word(struct span *rest)
{
	size_t start = 0, end;

	while (start < rest->n && rest->p[start] == ' ')
		start++;
	for (end = start; end < rest->n && rest->p[end] != ' ';)
		end++;
	struct span word = span_of(rest->p + start, end - start);

	*rest = span_of(rest->p + end, rest->n - end);
	return word;
}

/* Behind « up to and with »; 0 if `s` does not begin with one. */
static size_t meaning_len(struct span s)
{
	const uint8_t *end;

	if (s.n < 2 || memcmp(s.p, "«", 2) != 0)
		return 0;
	end = memmem(s.p, s.n, "»", 2);
	return end != NULL ? (size_t)(end - s.p) + 2 : s.n;
}

bool log_word(struct span *rest, struct span *ret_key, struct span *ret_value)
{
	const uint8_t *p = rest->p, *end = p + rest->n, *equals, *stop;
	size_t skip;

	while (p < end && (*p == ' ' || (skip = meaning_len(span_of(p, (size_t)(end - p)))) > 0))
		p += *p == ' ' ? 1 : skip;
	*rest = span_of(p, (size_t)(end - p));
	if (p == end)
		return false;
	for (equals = p; equals < end && *equals != ' ' && *equals != '=';)
		equals++;
	*ret_key = span_of(p, 0);
	if (equals == end || *equals == ' ') {
		*ret_value = next_word(rest);
		return true;
	}
	*ret_key = span_of(p, (size_t)(equals - p));
	p = equals + 1;
	if (p < end && *p == '"') {
		stop = memchr(p + 1, '"', (size_t)(end - p - 1));
		stop = stop != NULL ? stop : end;
		*ret_value = span_of(p + 1, (size_t)(stop - p - 1));
		stop += stop < end;
	} else {
		for (stop = p; stop < end && *stop != ' ';)
			stop++;
		*ret_value = span_of(p, (size_t)(stop - p));
	}
	*rest = span_of(stop, (size_t)(end - stop));
	return true;
}

static bool is_verb(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < 'A' || s.p[i] > 'Z') && s.p[i] != '_')
			return false;
	}
	return s.n > 0;
}

void log_line_read(struct log_line *l, struct span raw)
{
	struct span rest;
	int64_t us;

	while (raw.n > 0 && (raw.p[raw.n - 1] == '\n' || raw.p[raw.n - 1] == '\r'))
		raw.n--;
	l->raw = rest = raw;
	l->form = LOG_OTHER;
	if (raw.n > 0 && raw.p[0] == '{') {
		if (json_line_read(&l->json, raw) == SM_OK)
			l->form = LOG_JSON;
		return;
	}
	l->time = next_word(&rest);
	l->link = next_word(&rest);
	l->verb = next_word(&rest);
	l->rest = rest;
	if (log_time_read(l->time, 0, &us) && l->link.n > 0 && is_verb(l->verb))
		l->form = LOG_TEXT;
}

bool log_line_value(const struct log_line *l, const char *key, struct out *o)
{
	struct span rest = l->rest, name, value;
	const struct json_line_value *v;
	size_t n = strlen(key);

	if (l->form == LOG_JSON) {
		v = json_line_find(&l->json, key);
		if (v != NULL)
			json_line_text(o, v);
		return v != NULL;
	}
	while (l->form == LOG_TEXT && log_word(&rest, &name, &value)) {
		if (name.n == n && memcmp(name.p, key, n) == 0) {
			out_put(o, value.p, value.n);
			return true;
		}
	}
	return false;
}

const struct proto *log_line_proto(const struct log_line *l)
{
	char room[LOG_VALUE_MAX];
	struct out o = out_of(room, sizeof(room));

	if (l->form != LOG_JSON || !log_line_value(l, "proto", &o))
		return NULL;
	for (const struct proto *const *p = proto_all(); *p != NULL; p++) {
		size_t n = strlen((*p)->name);

		if (out_len(&o) >= n && strncasecmp(room, (*p)->name, n) == 0)
			return *p;
	}
	return NULL;
}

struct span log_line_verb(const struct log_line *l, char room[LOG_VALUE_MAX])
{
	const struct json_line_value *ev;
	const struct proto *proto;
	struct out o = out_of(room, LOG_VALUE_MAX);

	if (l->form != LOG_JSON)
		return l->verb;
	ev = json_line_find(&l->json, "ev");
	if (json_line_is(ev, "login")) {
		proto = log_line_proto(l);
		out_str(&o, proto != NULL ? proto->login_verb : "LOGIN_RESP");
	} else if (ev != NULL) {
		json_line_text(&o, ev);
	}
	for (char *p = room; p < o.pos; p++)
		*p = (char)toupper((unsigned char)*p);
	return span_of(room, out_len(&o));
}

bool log_line_time(const struct log_line *l, int64_t *ret_us)
{
	const struct json_line_value *ts;

	if (l->form == LOG_TEXT)
		return log_time_read(l->time, 0, ret_us);
	if (l->form != LOG_JSON)
		return false;
	ts = json_line_find(&l->json, "ts");
	return ts != NULL && ts->type == JSON_LINE_STRING && log_time_read(ts->text, 0, ret_us);
}

/* `n` digits at *p, which is moved; -1 if they are none. */
static int32_t digits(const uint8_t **p, const uint8_t *end, int n)
{
	int32_t v = 0;

	if (end - *p < n)
		return -1;
	for (int i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return -1;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	return v;
}

/* "2026-11-21": numbers with a mark behind each but the last. */
static bool fields(const uint8_t **p, const uint8_t *end, const char *marks, int first_width,
		   int32_t ret[3])
{
	for (int i = 0; i < 3; i++) {
		ret[i] = digits(p, end, i == 0 ? first_width : 2);
		if (ret[i] < 0 || (i < 2 && (*p == end || *(*p)++ != (uint8_t)marks[i])))
			return false;
	}
	return true;
}

/* Days since 1970; years begin in March, as in record_time(). */
static int64_t day_of(int32_t year, int32_t month, int32_t day)
{
	int64_t y = year - (month <= 2), era = y / 400, in_era = y - era * 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

/* "+08:00", "Z" or nothing. */
static bool offset(const uint8_t *p, const uint8_t *end, int *ret_s)
{
	bool west = p < end && *p == '-';
	int32_t hours, minutes;

	if (p == end)
		return true;
	if (*p == 'Z') {
		*ret_s = 0;
		return p + 1 == end;
	}
	if (*p != '+' && *p != '-')
		return false;
	p++;
	hours = digits(&p, end, 2);
	if (p < end && *p == ':')
		p++;
	minutes = digits(&p, end, 2);
	if (hours < 0 || minutes < 0 || p != end)
		return false;
	*ret_s = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

bool log_time_read(struct span s, int utc_offset_s, int64_t *ret_us)
{
	const uint8_t *p = s.p, *end = p + s.n;
	int32_t date[3], clock[3], us = 0;

	if (!fields(&p, end, "--", 4, date) || p == end || *p++ != 'T' ||
	    !fields(&p, end, "::", 2, clock))
		return false;
	if (date[1] < 1 || date[1] > 12 || date[2] < 1 || date[2] > 31 || clock[0] > 23 ||
	    clock[1] > 59 || clock[2] > 60)
		return false;
	if (p < end && *p == '.') {
		p++;
		for (int32_t unit = 100000; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			us += (*p - '0') * unit;
	}
	if (!offset(p, end, &utc_offset_s))
		return false;
	*ret_us = (day_of(date[0], date[1], date[2]) * 86400 + clock[0] * 3600 + clock[1] * 60 +
		   clock[2] - utc_offset_s) * 1000000 + us;
	return true;
}
