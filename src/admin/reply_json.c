#include "admin/reply.h"

#include <time.h>

#include "smscope/record.h"

static void put_text(struct reply *r, struct span s)
{
	out_char(r->out, '"');
	text_json(r->out, s);
	out_char(r->out, '"');
}

static void put_key(struct reply *r, const char *key)
{
	if (r->comma)
		out_char(r->out, ',');
	r->comma = true;
	if (key == NULL)
		return;
	out_char(r->out, '"');
	out_str(r->out, key);
	out_str(r->out, "\":");
}

void reply_open(struct reply *r, const char *key, char bracket)
{
	put_key(r, key);
	out_char(r->out, bracket);
	r->comma = false;
}

void reply_close(struct reply *r, char bracket)
{
	out_char(r->out, bracket);
	r->comma = true;
}

void reply_uint(struct reply *r, const char *key, uint64_t v)
{
	put_key(r, key);
	out_dec(r->out, v);
}

void reply_flag(struct reply *r, const char *key, bool on)
{
	put_key(r, key);
	out_str(r->out, on ? "true" : "false");
}

void reply_octets(struct reply *r, const char *key, struct span s)
{
	put_key(r, key);
	put_text(r, s);
}

void reply_text(struct reply *r, const char *key, const char *s)
{
	if (s != NULL) {
		reply_octets(r, key, span_of(s, strlen(s)));
		return;
	}
	put_key(r, key);
	out_str(r->out, "null");
}

void reply_time(struct reply *r, const char *key, uint64_t wall_ns)
{
	put_key(r, key);
	out_char(r->out, '"');
	reply_stamp(r, wall_ns);
	out_char(r->out, '"');
}

void reply_stamp(struct reply *r, uint64_t wall_ns)
{
	time_t t = (time_t)(wall_ns / 1000000000u);
	struct tm local;

	record_time(r->out, wall_ns, localtime_r(&t, &local) != NULL ? (int)local.tm_gmtoff : 0, 3);
}

bool reply_end_list(struct reply *r, uint32_t i)
{
	if (i > 0)
		return false;
	reply_close(r, ']');
	return true;
}

bool reply_end_object(struct reply *r, uint32_t i)
{
	if (i > 0)
		return false;
	reply_close(r, '}');
	out_char(r->out, '\n');
	return true;
}
