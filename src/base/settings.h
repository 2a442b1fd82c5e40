#ifndef SMSCOPE_BASE_SETTINGS_H
#define SMSCOPE_BASE_SETTINGS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "smscope/edit.h"

/*
 * What the daemon was told to do, as plain data. src/conf fills it from the file or the command line
 * and checks it; everyone else only reads it. One allocation owner: settings_free() in src/conf.
 */

enum { NAMES_MAX = 16, SERVERS_MAX = 16, LISTEN_MAX = 8, LINK_NAME_MAX = 32 };
enum { RESOLVERS_MAX = 8 };
enum { PREFIXES_MAX = 128, PROXIES_MAX = 16, ACCOUNTS_MAX = 256, ACCOUNT_NAME_MAX = 16 };

/* Where a key was set, for what is said about it later. file NULL: nowhere, its default holds. */
struct setting_origin {
	const char *file; /* settings->files */
	int line;         /* 0: from the command line */
};

struct endpoint {
	char *text; /* as configured: "10.0.0.1:7890", "[::1]:2775", "smsc.example:2775" */
	struct sockaddr_storage addr;
	socklen_t addr_len; /* 0: a name that was not looked up at load time, or in vain */
};

/* Addresses that begin alike. IPv4 ones are written as IPv6, mapped: 10.0.0.0/8 has 104 bits. */
struct prefix {
	uint8_t addr[16];
	uint8_t bits;
};

enum dial { DIAL_LOGIN, DIAL_ACCEPT };
enum tls_version { TLS_1_2, TLS_1_3 };
enum proxy_to { PROXY_TO_NONE, PROXY_TO_V1, PROXY_TO_V2 };
enum bad_length { BAD_LENGTH_BLIND, BAD_LENGTH_CLOSE };
enum balance { BALANCE_ORDER, BALANCE_LEAST };

enum { RULE_TEXTS_MAX = 32 };
enum rule_from { RULE_FROM_ANY, RULE_FROM_SP, RULE_FROM_GW };

/* A rule that rewrites, as it was configured: struct rule_def of edit.h says what each means. */
struct rule_settings {
	char *name;
	enum edit_action action;
	bool dry_run, stop, log;
	uint32_t pdus;              /* bit c: enum code_context; 0: the action's own */
	enum rule_from from;
	uint32_t classes, origins;
	char *codes[RULE_CODES_MAX], *tables[NAMES_MAX];
	char *dst[RULE_TEXTS_MAX], *accounts[RULE_TEXTS_MAX];
	int code_count, table_count, dst_count, account_count;
	char *map, *to;
	bool keep_err;
	enum edit_base base;
	enum edit_case letters;
	uint32_t id_width;
	bool strip_zeros;
	uint32_t err_width, annotate;
	enum record_lang lang;
	bool to_payload;
	struct setting_origin *origin;
};

struct link_settings {
	char *name;
	int number;                 /* the link's in the shared memory; an engine sets it */
	char *account;              /* joins links that share one account; default: the name */
	const struct proto *proto;  /* NULL: told by the first PDU */
	struct endpoint listen[LISTEN_MAX];
	int listen_count;
	struct endpoint upstream[SERVERS_MAX];
	int upstream_count;
	struct endpoint source;     /* address to dial from; addr_len 0: the kernel chooses */
	char *profiles[NAMES_MAX];
	int profile_count;
	enum dial dial;
	enum bad_length bad_length;
	uint32_t connect_timeout_ms, login_timeout_ms, linger_timeout_ms, half_close_timeout_ms;
	uint32_t stall_ms;          /* a PDU half arrived for so long gives a stall record */
	enum balance balance;       /* which of several servers a session gets */
	uint32_t retry_ms;          /* a server that failed is left alone for so long, twice as long after the next failure */
	uint32_t retry_max_ms;      /* … up to this */
	uint32_t down_after;        /* failures in a row that make a server down */
	uint32_t probe_interval_ms; /* between two probes of a server that is down */
	uint32_t max_pdu;           /* octets */
	uint32_t max_sessions, max_per_ip;
	struct prefix allow[PREFIXES_MAX], deny[PREFIXES_MAX]; /* of SPs; the longest one decides */
	int allow_count, deny_count;
	struct prefix proxy_from[PROXIES_MAX]; /* who connects from there begins with a PROXY header */
	int proxy_from_count;
	enum proxy_to proxy_to;
	char *accounts[ACCOUNTS_MAX]; /* that may log in; none: all */
	int account_count;
	uint32_t max_per_account;   /* sessions of one account; 0 no limit */
	uint32_t logins_per_minute; /* of one address and of one account; 0 no limit */
	uint32_t penalty_after;     /* logins of one address refused in a minute; 0 never */
	uint32_t penalty_ms;
	uint32_t dead_timeout_ms;   /* octets unconfirmed for so long, although asked for again: the peer is gone */
	uint32_t idle_timeout_ms;   /* a side without a whole PDU for so long ends the session; 0 never */
	uint32_t pending;           /* unanswered requests remembered per session and direction */
	uint32_t answer_timeout_ms; /* a request unanswered for so long gives a stall record; 0 never */
	uint32_t probe_timeout_ms;  /* the same for a keepalive */
	uint32_t report_late_ms;    /* a report so long after its submit is called late */
	bool show_text;
	/* TLS towards the SP if there is a certificate: names of files, see base/secret.h. */
	char *tls_certificate[NAMES_MAX];
	int tls_certificate_count;
	char *tls_key[NAMES_MAX];   /* as the certificates, or none: the keys are in their files */
	int tls_key_count;
	char *tls_password_file;
	char *tls_ca, *tls_crl;     /* tls_ca: the SP must show a certificate */
	char *tls_client_names[NAMES_MAX], *tls_client_fingerprints[NAMES_MAX];
	int tls_client_name_count, tls_client_fingerprint_count;
	enum tls_version tls_min_version; /* on both sides */
	uint32_t handshake_timeout_ms, handshake_rate;
	/* TLS towards the gateway. */
	bool upstream_tls, upstream_tls_verify;
	char *upstream_tls_ca, *upstream_tls_crl; /* upstream_tls_ca NULL: the system's */
	char *upstream_tls_name;    /* NULL: the host of the server */
	char *upstream_tls_certificate, *upstream_tls_key, *upstream_tls_password_file;
	struct rule_settings *rules; /* in the order of the file */
	int rule_count;
	struct setting_origin *origins; /* one for each key of src/conf's table */
};

enum sink_type { SINK_FILE, SINK_STDOUT };
enum log_format { FORMAT_TEXT, FORMAT_JSON };

struct sink_settings {
	enum sink_type type;
	char *path;
	enum log_format format;
	enum record_lang lang;
	enum mask mask;
	uint32_t kinds;             /* bit k: record kind k is written */
	uint32_t queue;             /* octets waiting for the writer; beyond it lines are dropped and counted */
	int color;                  /* -1 auto, 0 never, 1 always */
	struct setting_origin *origins;
};

struct settings {
	int workers;                /* at least 1 */
	uint32_t hold_max;          /* octets: a longer PDU is passed on as it arrives */
	uint32_t ring_size;         /* octets per worker, a power of two */
	uint32_t max_handshakes;    /* with SPs, under way at one time */
	uint32_t max_sessions;      /* of the whole daemon: the size of the session table */
	uint32_t stories;           /* messages remembered until their reports have come */
	uint32_t story_age_ms;      /* … for so long */
	uint32_t drain_timeout_ms;
	bool blind;                 /* an engine's: relay, and nothing else */
	struct endpoint resolvers[RESOLVERS_MAX]; /* name servers; none: those of the system */
	int resolver_count;
	uint32_t resolve_interval_ms; /* names of gateways are looked up so often */
	bool core_dumps;            /* else nobody but root sees our memory */
	char *codes_dir;            /* NULL: codes_dir() chooses */
	char *codes_site_dir;       /* need not exist */
	char *include_dir;          /* its *.conf were loaded, too; their links and sinks are below */
	char *control;              /* path of the control socket; empty: none */
	struct link_settings *links;
	int link_count;
	struct sink_settings *sinks;
	int sink_count;
	struct setting_origin *origins;
	char **files;               /* every file that was read, as named in messages */
	int file_count;
};

/** Index of the link with that number; -1: none has it. */
static inline int settings_link(const struct settings *s, uint32_t number)
{
	int i = s->link_count - 1;

	while (i >= 0 && (uint32_t)s->links[i].number != number)
		i--;
	return i;
}

#endif
