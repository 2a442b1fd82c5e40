#include "daemon/certificates.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf_keys.h"
#include "daemon/options.h"

enum { DAY_S = 86400, REASON_MAX = 768 };

static bool wanted(const struct settings *s)
{
	for (int i = 0; i < s->link_count; i++)
		if (tls_wanted(&s->links[i], SIDE_SP) || tls_wanted(&s->links[i], SIDE_GW))
			return true;
	return false;
}

/* To the key that names the file, else to the link. */
struct checking {
	const struct settings *s;
	struct conf_faults *faults;
};

static void report_fault(void *arg, int link, const char *key, const char *text)
{
	const struct checking *c = arg;
	const struct link_settings *l = &c->s->links[link];
	const struct setting_origin *o = conf_origin(CONF_LINK, l, key);

	if (o->file == NULL)
		o = conf_origin(CONF_LINK, l, NULL);
	conf_error(c->faults, o->file, o->line, "%s %s", key, text);
}

static int64_t days_left(const struct tls_certificate *c)
{
	int64_t left_s = c->not_after - (int64_t)(clock_wall_ns() / 1000000000u);

	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}

static void summarize(const struct tls_set *set, char *to, size_t cap)
{
	int count;
	const struct tls_certificate *all = tls_set_certificates(set, &count);
	int64_t least = INT64_MAX;

	to[0] = '\0';
	for (int i = 0; i < count; i++)
		if (days_left(&all[i]) < least)
			least = days_left(&all[i]);
	if (count > 0)
		snprintf(to, cap, ", %d certificate%s (%sexpires in %lld day%s)", count,
			count == 1 ? "" : "s", count == 1 ? "" : "the first ", (long long)least,
			least == 1 ? "" : "s");
}

int certificates_check(const struct settings *s, struct conf_faults *faults, char *ret_words,
	size_t cap)
{
	struct checking c = { s, faults };
	int before = faults->errors;
	struct tls_set *set;

	ret_words[0] = '\0';
	if (!wanted(s))
		return 0;
	set = tls_load(s, TLS_STRICT, report_fault, &c);
	if (set == NULL && faults->errors == before)
		conf_error(faults, "certificates", 0, "%s", err_text(-ENOMEM));
	if (set != NULL)
		summarize(set, ret_words, cap);
	tls_set_free(set);
	return set != NULL ? 0 : SM_EFORMAT;
}

int certificates_check_apart(const struct settings *s)
{
	struct conf_faults faults = { .to = stderr };
	char words[96];
	pid_t pid;
	int status = 0;

	if (!wanted(s))
		return 0;
	fflush(NULL);
	signal(SIGCHLD, SIG_DFL); /* were it ignored, as inherited, there would be no status */
	pid = fork();
	if (pid == 0) {
		status = certificates_check(s, &faults, words, sizeof(words));
		fflush(stderr);
		_exit(status == 0 ? EXIT_OK : EXIT_FAULT);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK ? 0 : SM_EFORMAT;
}

/* Of a running engine: lines of the log; the first one is the record's, too. */
struct loading {
	const struct settings *s;
	int count;
	char first[REASON_MAX];
};

static void log_fault(void *arg, int link, const char *key, const char *text)
{
	struct loading *o = arg;
	char line[REASON_MAX];

	snprintf(line, sizeof(line), "link %s: %s %s", o->s->links[link].name, key, text);
	log_error("%s", line);
	if (o->count++ == 0)
		snprintf(o->first, sizeof(o->first), "%s", line);
}

int certificates_load(const struct settings *s, struct tls *tls)
{
	struct loading o = { .s = s };
	struct tls_set *set;

	if (!wanted(s))
		return 0;
	set = tls_load(s, TLS_LENIENT, log_fault, &o);
	if (set == NULL)
		return -ENOMEM;
	if (tls_install(tls, set) < 0) {
		tls_set_free(set);
		return -ENOMEM;
	}
	return 0;
}

static void emit(struct scribe *scribe, struct record *r)
{
	if (scribe != NULL)
		(void)!scribe_change(scribe, NULL, r);
}

bool certificates_reload(const struct settings *s, struct tls *tls, struct scribe *scribe)
{
	struct loading o = { .s = s };
	struct tls_set *set;
	struct record r;
	int count;

	if (!wanted(s))
		return true;
	set = tls_load(s, TLS_STRICT, log_fault, &o);
	(void)tls_set_certificates(set, &count);
	if (set != NULL && tls_install(tls, set) < 0) {
		tls_set_free(set);
		set = NULL;
	}
	record_init(&r, REC_CONFIG);
	r.wall_ns = clock_wall_ns();
	record_words_extra(&r, "what", "certificates");
	record_words_extra(&r, "state", set != NULL ? "ok" : "failed");
	if (set != NULL) {
		record_uint_extra(&r, "certificates", (uint64_t)count);
		log_info("certificates reloaded: %d; sessions keep those they began with", count);
	} else {
		if (o.count == 0)
			snprintf(o.first, sizeof(o.first), "%s", err_text(-ENOMEM));
		record_uint_extra(&r, "faults", (uint64_t)(o.count > 0 ? o.count : 1));
		record_words_extra(&r, "error", o.first);
		log_error("certificates not reloaded: those in use stay, faults=%d", o.count);
	}
	emit(scribe, &r);
	return set != NULL;
}

/* The nearest threshold that has been reached: days, or -1 for none. */
static int threshold(int64_t left)
{
	static const int days[] = { 3, 14, 30 };

	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		if (left <= days[i])
			return days[i];
	return -1;
}

/* Was the operator told of this certificate at this threshold? If not, take it that he is now. */
static bool tell_once(struct certificates_told *told, const uint8_t *print, int days)
{
	void *more;

	for (int i = 0; i < told->count; i++) {
		if (memcmp(told->one[i].fingerprint, print, TLS_FINGERPRINT) != 0)
			continue;
		if (told->one[i].days == days)
			return false;
		told->one[i].days = days;
		return true;
	}
	more = realloc(told->one, ((size_t)told->count + 1) * sizeof(*told->one));
	if (more == NULL)
		return true;
	told->one = more;
	memcpy(told->one[told->count].fingerprint, print, TLS_FINGERPRINT);
	told->one[told->count++].days = days;
	return true;
}

void certificates_watch(const struct settings *s, struct tls *tls, struct scribe *scribe,
	struct certificates_told *told)
{
	struct tls_certificate c;

	for (int i = 0; tls_status_certificate(tls_status(tls), i, &c); i++) {
		int64_t left = days_left(&c);
		int days = threshold(left);
		struct record r;

		if (days < 0 || !tell_once(told, c.fingerprint, days))
			continue;
		log_warn("link %s: certificate %s %s %lld days", s->links[c.link].name, c.subject,
			left < 0 ? "has expired since" : "expires in",
			(long long)(left < 0 ? -left : left));
		record_init(&r, REC_CONFIG);
		r.wall_ns = clock_wall_ns();
		r.link = s->links[c.link].name;
		record_words_extra(&r, "what", "certificate");
		record_words_extra(&r, "state", left < 0 ? "expired" : "expires");
		record_text_extra(&r, "subject", span_of(c.subject, strlen(c.subject)));
		record_words_extra(&r, "shown_to", c.side == SIDE_SP ? "sp" : "gw");
		if (left >= 0)
			record_uint_extra(&r, "days", (uint64_t)left);
		record_time_extra(&r, "not_after", (uint64_t)c.not_after * 1000000000u);
		emit(scribe, &r);
	}
}
