#include "conf/conf_check.h"

#include <string.h>

#include "base/shm.h"
#include "conf/conf_addr.h"
#include "conf/conf_keys.h"
#include "conf/conf_prefix.h"

/* Where to point for key `name`: where it was set, else at its group. */
static struct setting_origin link_at(const struct link_settings *l, const char *name)
{
	struct setting_origin o = *conf_origin(CONF_LINK, l, name);

	return o.file != NULL ? o : *conf_origin(CONF_LINK, l, NULL);
}

static struct setting_origin sink_at(const struct sink_settings *k, const char *name)
{
	struct setting_origin o = *conf_origin(CONF_SINK, k, name);

	return o.file != NULL ? o : *conf_origin(CONF_SINK, k, NULL);
}

static struct setting_origin daemon_at(const struct settings *s, const char *name)
{
	return *conf_origin(CONF_DAEMON, s, name);
}

static void check_daemon(const struct settings *s, struct conf_faults *faults)
{
	struct setting_origin o = daemon_at(s, "ring_size");
	uint32_t size = s->ring_size;
	/* An entry never wraps, so half of what frames may use must hold the largest. */
	uint64_t need = RING_RESERVE + 2 * ((uint64_t)s->hold_max + sizeof(struct ring_entry));

	if ((size & (size - 1)) != 0)
		conf_error(faults, o.file, o.line,
			"ring_size must be a power of two, such as \"8M\"");
	if (size < need) {
		o = o.file != NULL ? o : daemon_at(s, "hold_max");
		conf_error(faults, o.file, o.line,
			"a ring_size of %u octets is too small for PDUs of hold_max %u: "
			"it takes %llu",
			size, s->hold_max, (unsigned long long)need);
	}
}

static void check_pdu(const struct link_settings *l, struct conf_faults *faults)
{
	struct setting_origin o = link_at(l, "max_pdu");
	uint32_t header = 0;

	for (const struct proto *const *all = proto_all(); *all != NULL; all++)
		if ((l->proto == NULL || l->proto == *all) && (*all)->header_len > header)
			header = (*all)->header_len;
	if (l->max_pdu < header)
		conf_error(faults, o.file, o.line,
			"max_pdu %u is less than a PDU's header, %u octets", l->max_pdu, header);
	if (l->proto == NULL && l->dial == DIAL_ACCEPT) {
		o = link_at(l, "dial");
		conf_error(faults, o.file, o.line, "dial = \"accept\" needs protocol = \"cmpp\" or "
			"\"smpp\": with auto the first PDU must come first");
	}
}

static void check_limits(const struct settings *s, const struct link_settings *l,
	struct conf_faults *faults)
{
	struct setting_origin o = *conf_origin(CONF_LINK, l, "max_sessions");

	if (o.file != NULL && l->max_sessions > s->max_sessions)
		conf_warn(faults, o.file, o.line,
			"max_sessions %u of link %s is more than the daemon's %u", l->max_sessions,
			l->name != NULL ? l->name : "", s->max_sessions);
	o = *conf_origin(CONF_LINK, l, "max_per_ip");
	if (o.file != NULL && l->max_per_ip > l->max_sessions)
		conf_warn(faults, o.file, o.line,
			"max_per_ip %u is more than the link's max_sessions %u", l->max_per_ip,
			l->max_sessions);
}

static bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* Who may pass: one prefix cannot say both, and what is asked of a login needs one that is waited for. */
static void check_access(const struct link_settings *l, struct conf_faults *faults)
{
	static const char *const of_login[] = { "accounts", "max_per_account", "logins_per_minute" };
	const bool asked[] = { l->account_count > 0, l->max_per_account > 0,
		l->logins_per_minute > 0 };
	struct setting_origin o = link_at(l, "deny"), other = link_at(l, "allow");
	char text[PREFIX_TEXT];

	for (int i = 0; i < l->deny_count; i++)
		for (int j = 0; j < l->allow_count; j++)
			if (prefix_equal(&l->deny[i], &l->allow[j]))
				conf_error(faults, o.file, o.line,
					"deny %s is in allow, too, at %s:%d",
					conf_prefix_text(&l->deny[i], text), other.file, other.line);
	for (size_t i = 0; l->dial == DIAL_ACCEPT && i < sizeof(asked) / sizeof(asked[0]); i++) {
		o = link_at(l, of_login[i]);
		if (asked[i])
			conf_error(faults, o.file, o.line, "%s needs dial = \"login\": with "
				"\"accept\" the login is passed on without a look",
				of_login[i]);
	}
}

static void check_servers(const struct link_settings *l, struct conf_faults *faults)
{
	struct setting_origin o = link_at(l, "retry_max");

	if (l->retry_max_ms < l->retry_ms)
		conf_error(faults, o.file, o.line, "retry_max is less than retry");
	o = link_at(l, "upstream");

	for (int i = 0; i < l->upstream_count; i++) {
		const struct endpoint *u = &l->upstream[i];

		for (int j = 0; j < l->listen_count; j++)
			if (endpoint_reaches(u, &l->listen[j]))
				conf_error(faults, o.file, o.line,
					"upstream %s is the link's own listen address %s", u->text,
					l->listen[j].text);
		for (int j = 0; j < i; j++)
			if (strcmp(u->text, l->upstream[j].text) == 0)
				conf_warn(faults, o.file, o.line, "upstream %s is listed twice",
					u->text);
		if (l->source.addr_len != 0 && u->addr_len != 0 &&
				l->source.addr.ss_family != u->addr.ss_family)
			conf_error(faults, link_at(l, "source").file, link_at(l, "source").line,
				"upstream %s cannot be dialled from source %s: "
				"one is IPv4, one IPv6",
				u->text, l->source.text);
	}
}

/* Which TLS keys need or exclude each other. What the files hold is another matter: net/tls.h. */
static void check_tls(const struct link_settings *l, struct conf_faults *faults)
{
	static const char *const need_certificate[] = { "tls_key", "tls_password_file", "tls_ca",
		"tls_crl", "tls_client_names", "tls_client_fingerprints" };
	static const char *const need_upstream[] = { "upstream_tls_ca", "upstream_tls_crl",
		"upstream_tls_name", "upstream_tls_certificate", "upstream_tls_key",
		"upstream_tls_password_file" };
	struct setting_origin o;

	for (size_t i = 0; i < sizeof(need_certificate) / sizeof(need_certificate[0]); i++) {
		o = *conf_origin(CONF_LINK, l, need_certificate[i]);
		if (o.file != NULL && l->tls_certificate_count == 0)
			conf_error(faults, o.file, o.line, "%s without tls_certificate: there is "
				"no TLS with the SP", need_certificate[i]);
	}
	for (size_t i = 0; i < sizeof(need_upstream) / sizeof(need_upstream[0]); i++) {
		o = *conf_origin(CONF_LINK, l, need_upstream[i]);
		if (o.file != NULL && !l->upstream_tls)
			conf_error(faults, o.file, o.line, "%s without upstream_tls = true: there "
				"is no TLS with the gateway", need_upstream[i]);
	}
	o = *conf_origin(CONF_LINK, l, "tls_key");
	if (o.file != NULL && l->tls_key_count != l->tls_certificate_count)
		conf_error(faults, o.file, o.line, "tls_key names %d file%s, tls_certificate %d",
			l->tls_key_count, l->tls_key_count == 1 ? "" : "s",
			l->tls_certificate_count);
	o = *conf_origin(CONF_LINK, l, "tls_client_names");
	if (o.file != NULL && l->tls_ca == NULL)
		conf_error(faults, o.file, o.line, "tls_client_names without tls_ca: anybody can "
			"make a certificate with such a name");
	o = *conf_origin(CONF_LINK, l, "tls_crl");
	if (o.file != NULL && l->tls_ca == NULL)
		conf_error(faults, o.file, o.line, "tls_crl without tls_ca");
	o = *conf_origin(CONF_LINK, l, "upstream_tls_key");
	if (o.file != NULL && l->upstream_tls_certificate == NULL)
		conf_error(faults, o.file, o.line, "upstream_tls_key without "
			"upstream_tls_certificate");
	o = *conf_origin(CONF_LINK, l, "upstream_tls_verify");
	if (l->upstream_tls && !l->upstream_tls_verify)
		conf_warn(faults, o.file, o.line, "upstream_tls_verify = false: whoever answers is "
			"taken for the gateway");
}

/* Every listen address of `l` against those before it, in this link and in earlier ones. */
static void check_listen(const struct settings *s, int link, struct conf_faults *faults)
{
	const struct link_settings *l = &s->links[link];
	struct setting_origin o = link_at(l, "listen");

	for (int i = 0; i < l->listen_count; i++)
		for (int other = 0; other <= link; other++) {
			const struct link_settings *x = &s->links[other];
			int end = other == link ? i : x->listen_count;

			for (int j = 0; j < end; j++) {
				if (!endpoint_overlap(&l->listen[i], &x->listen[j]))
					continue;
				conf_error(faults, o.file, o.line,
					"listen %s is taken by %s at %s:%d", l->listen[i].text,
					x->listen[j].text, link_at(x, "listen").file,
					link_at(x, "listen").line);
			}
		}
}

static void check_names(const struct settings *s, int link, struct conf_faults *faults)
{
	const struct link_settings *l = &s->links[link];
	struct setting_origin o = link_at(l, "name");

	for (int i = 0; i < link && l->name != NULL; i++) {
		const struct link_settings *x = &s->links[i];

		if (x->name != NULL && strcmp(l->name, x->name) == 0) {
			conf_error(faults, o.file, o.line, "another link is named %s, at %s:%d",
				l->name, link_at(x, "name").file, link_at(x, "name").line);
			return;
		}
	}
}

static bool same_place(const struct sink_settings *a, const struct sink_settings *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == SINK_STDOUT)
		return true;
	return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
}

static void check_sink(const struct settings *s, int sink, struct conf_faults *faults)
{
	const struct sink_settings *k = &s->sinks[sink];
	bool has_path = conf_origin(CONF_SINK, k, "path")->file != NULL;
	struct setting_origin o = sink_at(k, "path");

	if (k->type == SINK_FILE && !has_path)
		conf_error(faults, o.file, o.line, "a log of type \"file\" needs a path");
	if (k->type == SINK_STDOUT && has_path)
		conf_error(faults, o.file, o.line, "a log of type \"stdout\" has no path");
	for (int i = 0; i < sink; i++)
		if (same_place(k, &s->sinks[i])) {
			conf_error(faults, o.file, o.line, "another log is written to %s already",
				k->type == SINK_STDOUT ? "standard output" : k->path);
			return;
		}
}

/* Each has a number in the shared memory. */
static void check_count(const struct settings *s, struct conf_faults *faults)
{
	struct setting_origin o = *conf_origin(CONF_TOP, s, "links");

	if (s->link_count > SHM_LINKS_MAX)
		conf_error(faults, o.file, o.line, "%d links, at most %d", s->link_count, SHM_LINKS_MAX);
}

void conf_check(const struct settings *s, struct conf_faults *faults)
{
	check_daemon(s, faults);
	check_count(s, faults);
	for (int i = 0; i < s->link_count; i++) {
		check_names(s, i, faults);
		check_pdu(&s->links[i], faults);
		check_limits(s, &s->links[i], faults);
		check_access(&s->links[i], faults);
		check_servers(&s->links[i], faults);
		check_listen(s, i, faults);
		check_tls(&s->links[i], faults);
	}
	for (int i = 0; i < s->sink_count; i++)
		check_sink(s, i, faults);
	if (s->sink_count == 0) {
		struct setting_origin o = *conf_origin(CONF_TOP, s, "logs");

		conf_warn(faults, o.file, o.line, "logs is empty: nothing is written");
	}
}

int conf_check_profiles(const struct settings *s, const struct code_set *set,
	struct conf_faults *faults)
{
	int before = faults->errors;

	for (int i = 0; i < s->link_count; i++) {
		const struct link_settings *l = &s->links[i];
		struct setting_origin o = link_at(l, "profile");

		for (int j = 0; j < l->profile_count; j++)
			if (codes_profile(set, l->profiles[j]) == NULL)
				conf_error(faults, o.file, o.line,
					"no profile \"%s\" in the code tables", l->profiles[j]);
		if (l->rule_count > 0)
			rule_set_free(conf_rules(l, set, faults));
	}
	return faults->errors == before ? 0 : SM_EFORMAT;
}

void conf_summary(const struct settings *s, const struct code_set *set, const char *more, FILE *to)
{
	int tables = codes_table_count(set), rows = codes_row_count(set);

	fprintf(to, "OK: %d link%s, %d code table%s (%d %s)%s\n", s->link_count,
		s->link_count == 1 ? "" : "s", tables, tables == 1 ? "" : "s", rows,
		rows == 1 ? "entry" : "entries", more);
}
