#include "conf/conf_keys.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/shm.h"
#include "conf/conf.h"
#include "conf/conf_rule_keys.h"
#include "smscope/err.h"

#define SETTING(f)	offsetof(struct settings, f), 0
#define SETTING_ARRAY(f, n) offsetof(struct settings, f), offsetof(struct settings, n)
#define LINK(f)		offsetof(struct link_settings, f), 0
#define LINK_ARRAY(f, n) offsetof(struct link_settings, f), offsetof(struct link_settings, n)
#define SINK(f)		offsetof(struct sink_settings, f), 0

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

_Static_assert(sizeof(enum dial) == sizeof(int) && sizeof(enum bad_length) == sizeof(int) &&
	sizeof(enum balance) == sizeof(int) &&
	sizeof(enum sink_type) == sizeof(int) && sizeof(enum log_format) == sizeof(int) &&
	sizeof(enum proxy_to) == sizeof(int) && sizeof(enum tls_version) == sizeof(int) &&
	sizeof(enum record_lang) == sizeof(int) && sizeof(enum mask) == sizeof(int),
	"a choice is stored as an int");

static const struct conf_word dial_words[] = {
	{ "login", DIAL_LOGIN }, { "accept", DIAL_ACCEPT }, { NULL, 0 }
};
static const struct conf_word bad_length_words[] = {
	{ "blind", BAD_LENGTH_BLIND }, { "close", BAD_LENGTH_CLOSE }, { NULL, 0 }
};
static const struct conf_word balance_words[] = {
	{ "order", BALANCE_ORDER }, { "least", BALANCE_LEAST }, { NULL, 0 }
};
static const struct conf_word tls_version_words[] = {
	{ "1.2", TLS_1_2 }, { "1.3", TLS_1_3 }, { NULL, 0 }
};
static const struct conf_word proxy_words[] = {
	{ "none", PROXY_TO_NONE }, { "v1", PROXY_TO_V1 }, { "v2", PROXY_TO_V2 }, { NULL, 0 }
};
static const struct conf_word sink_words[] = {
	{ "file", SINK_FILE }, { "stdout", SINK_STDOUT }, { NULL, 0 }
};
static const struct conf_word format_words[] = {
	{ "text", FORMAT_TEXT }, { "json", FORMAT_JSON }, { NULL, 0 }
};
static const struct conf_word lang_words[] = {
	{ "both", LANG_BOTH }, { "zh", LANG_ZH }, { "en", LANG_EN }, { NULL, 0 }
};
/* The key says how much of a number is shown, enum mask how much is hidden. */
static const struct conf_word mask_words[] = {
	{ "mask", MASK_PART }, { "full", MASK_NONE }, { "none", MASK_FULL }, { NULL, 0 }
};
static const struct conf_word color_words[] = {
	{ "auto", -1 }, { "never", 0 }, { "always", 1 }, { NULL, 0 }
};

static const struct conf_key top_keys[] = {
	{ .name = "include_dir", .type = CONF_TEXT, SETTING(include_dir), .min = 1, .max = PATH_MAX,
	  .reloadable = true,
	  .help = "Folder whose *.conf are loaded after this file, sorted by name; each may add "
		"links and logs." },
	{ .name = "control", .type = CONF_TEXT, SETTING(control), .max = CONTROL_PATH_MAX,
	  .preset = CONTROL_PATH,
	  .help = "Socket on which smscope ctl asks a running smscoped; empty for none." },
	{ .name = "daemon", .type = CONF_GROUP, .help = "What concerns the whole process." },
	{ .name = "links", .type = CONF_LIST, .required = true, .reloadable = true,
	  .help = "The links to stand in, one group each." },
	{ .name = "logs", .type = CONF_LIST, .reloadable = true,
	  .computed = "one text log on standard output",
	  .help = "Where records go, one group each." },
};

static const struct conf_key daemon_keys[] = {
	{ .name = "workers", .type = CONF_COUNT, SETTING(workers), .max = SHM_WORKERS_MAX,
	  .preset = "0",
	  .unit = "threads",
	  .help = "Threads that relay; 0 is one for each processor this process may use." },
	{ .name = "hold_max", .type = CONF_OCTETS, SETTING(hold_max), .min = 4 * KIB, .max = MIB,
	  .preset = "32K", .unit = "octets",
	  .help = "A PDU longer than this is passed on as it arrives instead of whole." },
	{ .name = "ring_size", .type = CONF_OCTETS, SETTING(ring_size), .min = 256 * KIB,
	  .max = 1024 * MIB, .preset = "8M", .unit = "octets",
	  .help = "Frames of one worker that may wait for decoding, a power of two; beyond it "
		"records are lost and counted, traffic is not." },
	{ .name = "max_sessions", .type = CONF_COUNT, SETTING(max_sessions), .min = 1,
	  .max = 1000000,
	  .preset = "10000", .unit = "sessions",
	  .help = "Sessions of all links together: the size of the session table." },
	{ .name = "max_handshakes", .type = CONF_COUNT, SETTING(max_handshakes), .min = 1,
	  .max = 1000000, .preset = "256", .unit = "handshakes",
	  .help = "TLS handshakes with SPs of all links under way at one time; further ones are "
		"refused." },
	{ .name = "stories", .type = CONF_COUNT, SETTING(stories), .min = 16, .max = 100000000,
	  .preset = "1000000", .unit = "messages",
	  .help = "Accepted messages of all links remembered until their reports have come, the "
		"oldest forgotten first; 133 octets each, taken as they are used." },
	{ .name = "story_age", .type = CONF_DURATION, SETTING(story_age_ms), .min = SECOND,
	  .max = 30ll * 24 * HOUR, .preset = "72h", .unit = "milliseconds", .reloadable = true,
	  .help = "How long a message is remembered; one that asked for a report and had none by "
		"then gives a no_report record." },
	{ .name = "drain_timeout", .type = CONF_DURATION, SETTING(drain_timeout_ms),
	  .max = 24 * HOUR,
	  .preset = "30s", .unit = "milliseconds", .reloadable = true,
	  .help = "After SIGTERM sessions may end on their own for so long." },
	{ .name = "resolvers", .type = CONF_RESOLVERS, SETTING_ARRAY(resolvers, resolver_count),
	  .min = 1, .max = RESOLVERS_MAX, .computed = "those of the system", .reloadable = true,
	  .help = "Name servers that are asked for the gateways' names, ADDRESS or ADDRESS:PORT, one or "
		"a list." },
	{ .name = "resolve_interval", .type = CONF_DURATION, SETTING(resolve_interval_ms),
	  .min = SECOND, .max = 24 * HOUR, .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "How often names of gateways are looked up again; sooner while one is not answered, or "
		"its server does not answer." },
	{ .name = "core_dumps", .type = CONF_FLAG, SETTING(core_dumps), .preset = "false",
	  .help = "Allow core files, and debuggers of the daemon's own user: memory holds what is "
		"relayed, logins too." },
	{ .name = "codes", .type = CONF_TEXT, SETTING(codes_dir), .min = 1, .max = PATH_MAX,
	  .computed = "the tables that came with the program", .reloadable = true,
	  .help = "Folder of the code tables." },
	{ .name = "codes_site", .type = CONF_TEXT, SETTING(codes_site_dir), .min = 1,
	  .max = PATH_MAX,
	  .preset = CODES_SITE, .reloadable = true,
	  .help = "Folder of your own code tables; they win over the shipped ones, and it need not "
		"exist." },
};

static const struct conf_key link_keys[] = {
	{ .name = "name", .type = CONF_NAME, LINK(name), .min = 1, .max = LINK_NAME_MAX,
	  .required = true, .reloadable = true,
	  .help = "What logs call the link: letters, digits, dot, dash, underscore." },
	{ .name = "protocol", .type = CONF_PROTOCOL, LINK(proto), .preset = "auto",
	  .reloadable = true,
	  .help = "cmpp or smpp; auto tells it by each session's first PDU." },
	{ .name = "listen", .type = CONF_LISTEN, LINK_ARRAY(listen, listen_count), .min = 1,
	  .max = LISTEN_MAX, .required = true, .reloadable = true,
	  .help = "Addresses the SP connects to, HOST:PORT, one or a list." },
	{ .name = "upstream", .type = CONF_SERVERS, LINK_ARRAY(upstream, upstream_count), .min = 1,
	  .max = SERVERS_MAX, .required = true, .reloadable = true,
	  .help = "The gateway's servers, HOST:PORT, one or a list; see balance." },
	{ .name = "balance", .type = CONF_CHOICE, LINK(balance), .preset = "order",
	  .reloadable = true, .words = balance_words,
	  .help = "Which of several servers a session gets: the first in order that answers, or the one "
		"with the least sessions." },
	{ .name = "source", .type = CONF_SOURCE, LINK(source), .computed = "the kernel chooses",
	  .reloadable = true,
	  .help = "Local address to dial the gateway from, for gateways that know you by it." },
	{ .name = "profile", .type = CONF_NAMES, LINK_ARRAY(profiles, profile_count), .min = 1,
	  .max = NAMES_MAX, .preset = "standard", .reloadable = true,
	  .help = "Whose codes the gateway speaks, one or a list, first answer wins; standard is "
		"always asked last." },
	{ .name = "account", .type = CONF_NAME, LINK(account), .min = 1, .max = 64,
	  .computed = "the link's name", .reloadable = true,
	  .help = "Links with the same account share their messages and reports." },
	{ .name = "dial", .type = CONF_CHOICE, LINK(dial), .preset = "login", .reloadable = true,
	  .words = dial_words,
	  .help = "When to connect to the gateway: after the SP's login arrived, or on accept "
		"(needed for outbind)." },
	{ .name = "bad_length", .type = CONF_CHOICE, LINK(bad_length), .preset = "blind",
	  .reloadable = true, .words = bad_length_words,
	  .help = "After login, on an impossible length field: relay on without parsing, or "
		"close." },
	{ .name = "connect_timeout", .type = CONF_DURATION, LINK(connect_timeout_ms), .min = 100,
	  .max = 5 * MINUTE, .preset = "5s", .unit = "milliseconds", .reloadable = true,
	  .help = "A server that did not accept in this time is given up and the next one tried." },
	{ .name = "login_timeout", .type = CONF_DURATION, LINK(login_timeout_ms), .min = 100,
	  .max = 5 * MINUTE, .preset = "10s", .unit = "milliseconds", .reloadable = true,
	  .help = "A connection whose login is not complete by then is closed." },
	{ .name = "linger_timeout", .type = CONF_DURATION, LINK(linger_timeout_ms), .min = 100,
	  .max = 5 * MINUTE, .preset = "5s", .unit = "milliseconds", .reloadable = true,
	  .help = "How long to wait for the peer's FIN after ours." },
	{ .name = "half_close_timeout", .type = CONF_DURATION, LINK(half_close_timeout_ms),
	  .min = 100,
	  .max = 24 * HOUR, .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "How long one direction may live on after the other has ended, and the rest of an "
		"ended one when its receiver takes nothing." },
	{ .name = "stall", .type = CONF_DURATION, LINK(stall_ms), .min = 100, .max = HOUR,
	  .preset = "30s", .unit = "milliseconds", .reloadable = true,
	  .help = "A PDU half arrived for so long gives a stall record." },
	{ .name = "retry", .type = CONF_DURATION, LINK(retry_ms), .min = 10, .max = HOUR,
	  .preset = "1s",
	  .unit = "milliseconds", .reloadable = true,
	  .help = "A server that failed is left alone for so long, and for twice as long after each further "
		"failure, all give or take a quarter." },
	{ .name = "retry_max", .type = CONF_DURATION, LINK(retry_max_ms), .min = 10, .max = HOUR,
	  .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "The longest such pause." },
	{ .name = "down_after", .type = CONF_COUNT, LINK(down_after), .min = 1, .max = 1000,
	  .preset = "3", .unit = "failures", .reloadable = true,
	  .help = "A server that failed so often in a row is down: no session tries it while there is "
		"another." },
	{ .name = "probe_interval", .type = CONF_DURATION, LINK(probe_interval_ms), .min = 100,
	  .max = HOUR, .preset = "10s", .unit = "milliseconds", .reloadable = true,
	  .help = "How often a server that is down is connected to, and nothing said, to see whether it is "
		"back; give or take a quarter." },
	{ .name = "max_pdu", .type = CONF_OCTETS, LINK(max_pdu), .min = 12, .max = 16 * MIB,
	  .computed = "the protocol's", .unit = "octets", .reloadable = true,
	  .help = "A length field above this is impossible: before login the session is closed, "
		"after it see bad_length." },
	{ .name = "max_sessions", .type = CONF_COUNT, LINK(max_sessions), .min = 1, .max = 1000000,
	  .preset = "1000", .unit = "sessions", .reloadable = true,
	  .help = "Sessions of this link at one time, in any case no more than the daemon's." },
	{ .name = "max_per_ip", .type = CONF_COUNT, LINK(max_per_ip), .min = 1, .max = 1000000,
	  .preset = "500", .unit = "sessions", .reloadable = true,
	  .help = "Sessions of this link from one address at one time." },
	{ .name = "max_per_account", .type = CONF_COUNT, LINK(max_per_account), .max = 1000000,
	  .preset = "0", .unit = "sessions", .reloadable = true,
	  .help = "Sessions of this link that one account may have at one time; 0 is no limit." },
	{ .name = "allow", .type = CONF_PREFIXES, LINK_ARRAY(allow, allow_count), .min = 1,
	  .max = PREFIXES_MAX, .computed = "everybody", .reloadable = true,
	  .help = "Networks that SPs may connect from, ADDRESS/BITS or an address; the longest prefix of "
		"allow and deny decides, and with allow whoever is in neither stays out." },
	{ .name = "deny", .type = CONF_PREFIXES, LINK_ARRAY(deny, deny_count), .min = 1,
	  .max = PREFIXES_MAX, .computed = "nobody", .reloadable = true,
	  .help = "Networks that SPs may not connect from." },
	{ .name = "accounts", .type = CONF_ACCOUNTS, LINK_ARRAY(accounts, account_count), .min = 1,
	  .max = ACCOUNTS_MAX, .computed = "all", .reloadable = true,
	  .help = "The only accounts, system_id or Source_Addr, that may log in through this link." },
	{ .name = "logins_per_minute", .type = CONF_COUNT, LINK(logins_per_minute), .max = 100000,
	  .preset = "0", .unit = "logins", .reloadable = true,
	  .help = "Logins of one address, and of one account, in a minute; more are refused, 0 is no "
		"limit." },
	{ .name = "penalty_after", .type = CONF_COUNT, LINK(penalty_after), .max = 100000,
	  .preset = "0", .unit = "logins", .reloadable = true,
	  .help = "An address that had so many logins refused within a minute, by the gateway or by "
		"us, may not connect for the time of penalty; 0 is never." },
	{ .name = "penalty", .type = CONF_DURATION, LINK(penalty_ms), .min = SECOND,
	  .max = 24 * HOUR, .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "How long such an address stays out." },
	{ .name = "idle_timeout", .type = CONF_DURATION, LINK(idle_timeout_ms), .max = 24 * HOUR,
	  .preset = "0s", .unit = "milliseconds", .reloadable = true,
	  .help = "A session is closed when one side has not sent a whole PDU for so long, whatever "
		"octets come; 0s never." },
	{ .name = "dead_timeout", .type = CONF_DURATION, LINK(dead_timeout_ms), .min = 2 * SECOND,
	  .max = HOUR, .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "A peer that has confirmed nothing for so long, while octets for it were sent again "
		"and again, is gone; one that only does not read is not." },
	{ .name = "proxy_from", .type = CONF_PREFIXES, LINK_ARRAY(proxy_from, proxy_from_count),
	  .min = 1, .max = PROXIES_MAX, .computed = "nobody", .reloadable = true,
	  .help = "Balancers whose connections must begin with a PROXY header, version 1 or 2; its "
		"address is the SP's." },
	{ .name = "proxy_to", .type = CONF_CHOICE, LINK(proxy_to), .preset = "none",
	  .reloadable = true, .words = proxy_words,
	  .help = "Send the gateway a PROXY header of that version, with the SP's address, before "
		"the first octet." },
	{ .name = "pending", .type = CONF_COUNT, LINK(pending), .min = 16, .max = 1000000,
	  .preset = "256", .unit = "requests", .reloadable = true,
	  .help = "Unanswered requests remembered in each direction of a session, to match "
		"responses; more than the window." },
	{ .name = "answer_timeout", .type = CONF_DURATION, LINK(answer_timeout_ms), .max = HOUR,
	  .preset = "60s", .unit = "milliseconds", .reloadable = true,
	  .help = "A request without a response for so long gives a stall record; 0 never." },
	{ .name = "probe_timeout", .type = CONF_DURATION, LINK(probe_timeout_ms), .max = HOUR,
	  .preset = "10s", .unit = "milliseconds", .reloadable = true,
	  .help = "The same for a keepalive: enquire_link, ACTIVE_TEST." },
	{ .name = "report_late", .type = CONF_DURATION, LINK(report_late_ms), .min = SECOND,
	  .max = 30ll * 24 * HOUR, .preset = "24h", .unit = "milliseconds", .reloadable = true,
	  .help = "A report that comes so long after its submit is marked late." },
	{ .name = "show_text", .type = CONF_FLAG, LINK(show_text), .preset = "false",
	  .reloadable = true, .help = "Show the text of messages in the logs." },
	{ .name = "tls_certificate", .type = CONF_TEXTS,
	  LINK_ARRAY(tls_certificate, tls_certificate_count), .min = 1, .max = NAMES_MAX,
	  .computed = "no TLS with the SP", .reloadable = true,
	  .help = "TLS with the SP: certificate and chain, PEM, one file or a list; the SP's SNI "
		"chooses, the first is for the rest." },
	{ .name = "tls_key", .type = CONF_TEXTS, LINK_ARRAY(tls_key, tls_key_count), .min = 1,
	  .max = NAMES_MAX, .computed = "in the certificate's file", .reloadable = true,
	  .help = "Private keys of the certificates, in their order; a name without a slash is one "
		"of systemd's credentials." },
	{ .name = "tls_password_file", .type = CONF_TEXT, LINK(tls_password_file), .min = 1,
	  .max = PATH_MAX, .reloadable = true,
	  .help = "File whose first line opens encrypted keys." },
	{ .name = "tls_ca", .type = CONF_TEXT, LINK(tls_ca), .min = 1, .max = PATH_MAX,
	  .reloadable = true,
	  .help = "The SP must show a certificate that one of these, PEM, has signed." },
	{ .name = "tls_crl", .type = CONF_TEXT, LINK(tls_crl), .min = 1, .max = PATH_MAX,
	  .reloadable = true,
	  .help = "Revoked certificates of SPs, PEM; each issuer must have its list here." },
	{ .name = "tls_client_names", .type = CONF_TEXTS,
	  LINK_ARRAY(tls_client_names, tls_client_name_count), .min = 1, .max = NAMES_MAX,
	  .computed = "any", .reloadable = true,
	  .help = "Names, DNS or common, one of which the SP's certificate must have." },
	{ .name = "tls_client_fingerprints", .type = CONF_TEXTS,
	  LINK_ARRAY(tls_client_fingerprints, tls_client_fingerprint_count), .min = 1,
	  .max = NAMES_MAX, .computed = "any", .reloadable = true,
	  .help = "SHA-256 fingerprints of certificates of SPs that may pass, beside those of "
		"tls_client_names; without tls_ca nobody needs to have signed them." },
	{ .name = "tls_min_version", .type = CONF_CHOICE, LINK(tls_min_version), .preset = "1.2",
	  .reloadable = true, .words = tls_version_words,
	  .help = "Oldest version of TLS, on both sides." },
	{ .name = "handshake_timeout", .type = CONF_DURATION, LINK(handshake_timeout_ms),
	  .min = 100, .max = 5 * MINUTE, .preset = "5s", .unit = "milliseconds",
	  .reloadable = true,
	  .help = "A TLS handshake that is not complete by then ends the connection." },
	{ .name = "handshake_rate", .type = CONF_COUNT, LINK(handshake_rate), .min = 1,
	  .max = 100000, .preset = "300", .unit = "handshakes", .reloadable = true,
	  .help = "TLS handshakes with SPs in a second; further ones are refused." },
	{ .name = "upstream_tls", .type = CONF_FLAG, LINK(upstream_tls), .preset = "false",
	  .reloadable = true, .help = "TLS with the gateway." },
	{ .name = "upstream_tls_verify", .type = CONF_FLAG, LINK(upstream_tls_verify),
	  .preset = "true", .reloadable = true,
	  .help = "The gateway's certificate must be valid, signed, and for its name." },
	{ .name = "upstream_tls_ca", .type = CONF_TEXT, LINK(upstream_tls_ca), .min = 1,
	  .max = PATH_MAX, .computed = "those that the system trusts", .reloadable = true,
	  .help = "Who may sign the gateway's certificate, PEM." },
	{ .name = "upstream_tls_crl", .type = CONF_TEXT, LINK(upstream_tls_crl), .min = 1,
	  .max = PATH_MAX, .reloadable = true,
	  .help = "Revoked certificates of gateways, PEM; each issuer must have its list here." },
	{ .name = "upstream_tls_name", .type = CONF_TEXT, LINK(upstream_tls_name), .min = 1,
	  .max = 253, .computed = "the host in upstream", .reloadable = true,
	  .help = "Name, or address, that the gateway's certificate must be for; asked for by SNI." },
	{ .name = "upstream_tls_certificate", .type = CONF_TEXT, LINK(upstream_tls_certificate),
	  .min = 1, .max = PATH_MAX, .reloadable = true,
	  .help = "Certificate and chain to show to the gateway, PEM." },
	{ .name = "upstream_tls_key", .type = CONF_TEXT, LINK(upstream_tls_key), .min = 1,
	  .max = PATH_MAX, .computed = "in the certificate's file", .reloadable = true,
	  .help = "Its private key, as tls_key." },
	{ .name = "upstream_tls_password_file", .type = CONF_TEXT,
	  LINK(upstream_tls_password_file), .min = 1, .max = PATH_MAX, .reloadable = true,
	  .help = "File whose first line opens that key." },
	{ .name = "rules", .type = CONF_LIST, .computed = "none", .reloadable = true,
	  .help = "Rules that rewrite what passes, one group each, tried in this order." },
};

static const struct conf_key sink_keys[] = {
	{ .name = "type", .type = CONF_CHOICE, SINK(type), .preset = "file", .reloadable = true,
	  .words = sink_words, .help = "A file, or standard output." },
	{ .name = "path", .type = CONF_TEXT, SINK(path), .min = 1, .max = PATH_MAX,
	  .reloadable = true,
	  .help = "The file, reopened on SIGUSR1; a log of type file must have one." },
	{ .name = "format", .type = CONF_CHOICE, SINK(format), .preset = "text", .reloadable = true,
	  .words = format_words, .help = "Lines for people, or one JSON object a line." },
	{ .name = "lang", .type = CONF_CHOICE, SINK(lang), .preset = "both", .reloadable = true,
	  .words = lang_words, .help = "Language of the meanings in text lines." },
	{ .name = "numbers", .type = CONF_CHOICE, SINK(mask), .preset = "mask", .reloadable = true,
	  .words = mask_words,
	  .help = "Telephone numbers: mask gives 138****1234, full all digits, none no digit." },
	{ .name = "records", .type = CONF_KINDS, SINK(kinds), .preset = "all", .reloadable = true,
	  .help = "Which records are written, a list of kinds, or all." },
	{ .name = "queue", .type = CONF_OCTETS, SINK(queue), .min = 64 * KIB, .max = 1024 * MIB,
	  .preset = "8M", .unit = "octets", .reloadable = true,
	  .help = "Octets that may wait for a slow disk or reader; beyond it lines are dropped and "
		"counted." },
	{ .name = "color", .type = CONF_CHOICE, SINK(color), .preset = "auto", .reloadable = true,
	  .words = color_words,
	  .help = "Colour on standard output; auto is on a terminal, never in a file." },
};

static const struct {
	const char *name;
	const struct conf_key *keys;
	int count;
} sections[CONF_SECTIONS] = {
#define ROWS(a) (a), (int)(sizeof(a) / sizeof((a)[0]))
	[CONF_TOP] = { "", ROWS(top_keys) },
	[CONF_DAEMON] = { "daemon", ROWS(daemon_keys) },
	[CONF_LINK] = { "links[]", ROWS(link_keys) },
	[CONF_SINK] = { "logs[]", ROWS(sink_keys) },
	[CONF_RULE] = { "rules[]", conf_rule_keys, CONF_RULE_KEYS },
#undef ROWS
};

const struct conf_key *conf_keys(enum conf_section section, int *ret_count)
{
	*ret_count = sections[section].count;
	return sections[section].keys;
}

const char *conf_section_name(enum conf_section section)
{
	return sections[section].name;
}

int conf_key_find(enum conf_section section, const char *name)
{
	for (int i = 0; i < sections[section].count; i++)
		if (strcmp(sections[section].keys[i].name, name) == 0)
			return i;
	return SM_ENONE;
}

int conf_origin_count(enum conf_section section)
{
	if (section == CONF_TOP || section == CONF_DAEMON)
		return sections[CONF_TOP].count + sections[CONF_DAEMON].count + 1;
	return sections[section].count + 1;
}

struct setting_origin *conf_origin(enum conf_section section, const void *of, const char *name)
{
	int i = name != NULL ? conf_key_find(section, name) : sections[section].count;

	assert(i >= 0);
	switch (section) {
	case CONF_LINK:
		return &((const struct link_settings *)of)->origins[i];
	case CONF_SINK:
		return &((const struct sink_settings *)of)->origins[i];
	case CONF_RULE:
		return &((const struct rule_settings *)of)->origin[i];
	case CONF_DAEMON:
		return &((const struct settings *)of)->origins[sections[CONF_TOP].count + i];
	default:
		return &((const struct settings *)of)->origins[i];
	}
}

enum { GUESS_MAX = 40, FAR = 99 };

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with their neighbour to make `b` of `a`. */
static int distance(const char *a, const char *b)
{
	int rows[3][GUESS_MAX + 1] = { { 0 } };
	size_t n = strlen(a), m = strlen(b);

	if (n > GUESS_MAX || m > GUESS_MAX)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		const int *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
		int *now = rows[i % 3];

		now[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = least(up[j], now[j - 1]) + 1;
			now[j] = least(now[j], up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], up2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

struct conf_guess conf_guess_of(const char *word)
{
	size_t n = strlen(word);

	/* A third of the letters may be wrong, and at least one; beyond that it is another word. */
	return (struct conf_guess){ word, NULL, n < 6 ? 2 : (int)(n / 3) + 1 };
}

void conf_guess_try(struct conf_guess *g, const char *candidate)
{
	int d = strcasecmp(g->word, candidate) == 0 ? 0 : distance(g->word, candidate);

	if (d < g->distance) {
		g->distance = d;
		g->nearest = candidate;
	}
}
