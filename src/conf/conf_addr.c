#include "conf/conf_addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "smscope/err.h"

enum { HOST_MAX = 253, DNS_PORT = 53, PATIENCE_S = 5 };

/* An endpoint taken apart: host without brackets, port as written or empty. */
struct parts {
	char host[HOST_MAX + 1];
	char port[8];
	bool bracket;
};

static int refuse(const struct conf_key *k, const char *text, const char *why,
	const struct conf_at *at)
{
	conf_error(at->faults, at->file, at->line, "%s = \"%s\": %s", k->name, text, why);
	return SM_EVALUE;
}

/* Returns what is wrong, or NULL. */
static const char *split(const char *text, bool port_optional, struct parts *ret)
{
	const char *host = text, *end, *port;

	ret->bracket = *text == '[';
	if (ret->bracket) {
		host++;
		end = strchr(host, ']');
		if (end == NULL)
			return "']' is missing";
		port = end + 1;
		if (*port != ':' && *port != '\0')
			return "':' and a port follow the ']'";
	} else {
		port = strrchr(text, ':');
		if (port != NULL && strchr(text, ':') != port) {
			if (!port_optional)
				return "an IPv6 address stands in brackets: [ADDRESS]:PORT";
			port = NULL;
		}
		end = port != NULL ? port : text + strlen(text);
		port = end;
	}
	if (end == host)
		return "no host; all addresses are 0.0.0.0:PORT or [::]:PORT";
	if (end - host > HOST_MAX)
		return "host too long";
	if (*port == '\0' && !port_optional)
		return "no port";
	memcpy(ret->host, host, (size_t)(end - host));
	ret->host[end - host] = '\0';
	ret->port[0] = '\0';
	if (*port == ':') {
		if (strlen(port + 1) >= sizeof(ret->port) || port[1] == '\0')
			return "the port is a number up to 65535";
		strcpy(ret->port, port + 1);
	}
	return NULL;
}

static bool digits_only(const char *s, const char *also)
{
	for (; *s != '\0'; s++)
		if (!isdigit((unsigned char)*s) && strchr(also, *s) == NULL)
			return false;
	return true;
}

static bool host_name(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("._-", *s) == NULL)
			return false;
	return true;
}

static int look_up(const char *host, int flags, struct endpoint *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list;
	int err = getaddrinfo(host, NULL, &hints, &list);

	if (err != 0)
		return err;
	memcpy(&ret->addr, list->ai_addr, list->ai_addrlen);
	ret->addr_len = list->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

/* May the name be looked up now? */
static bool may_look_up(const struct conf_key *k, const struct conf_faults *f)
{
	if (k->type == CONF_LISTEN)
		return f->look_up != LOOK_UP_NONE;
	return f->look_up == LOOK_UP_ALL && f->looked_ns < PATIENCE_S * 1000000000ull;
}

/* A gateway's name, for a warning only: it is looked up again while smscoped runs. */
static void look_up_server(const struct conf_key *k, const char *text, const struct parts *parts,
	struct endpoint *ret, const struct conf_at *at)
{
	uint64_t began_ns = clock_mono_ns();
	int err = look_up(parts->host, 0, ret);

	at->faults->looked_ns += clock_mono_ns() - began_ns;
	if (err != 0)
		conf_warn(at->faults, at->file, at->line, "%s = \"%s\": does not resolve now: %s",
			k->name, text, gai_strerror(err));
}

/*
 * ::ffff:10.0.0.1 is no address to listen on: a socket of ours for IPv6 leaves IPv4 alone. 0, or SM_EVALUE after
 * reporting.
 */
static int refuse_mapped(const struct conf_key *k, const char *text, const struct parts *parts,
	const struct endpoint *e, const struct conf_at *at)
{
	const struct in6_addr *a = &((const struct sockaddr_in6 *)&e->addr)->sin6_addr;
	char v4[INET_ADDRSTRLEN] = "", why[96];

	if (k->type != CONF_LISTEN || e->addr.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(a))
		return 0;
	(void)inet_ntop(AF_INET, a->s6_addr + 12, v4, sizeof(v4));
	snprintf(why, sizeof(why), "an IPv4 address is written as such: %s:%s", v4, parts->port);
	return refuse(k, text, why, at);
}

/* The address without its port: 0, or SM_EVALUE after reporting. */
static int resolve(const struct conf_key *k, const char *text, const struct parts *parts,
	struct endpoint *ret, const struct conf_at *at)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->addr;
	int err;

	if (parts->bracket || strchr(parts->host, ':') != NULL) {
		if (strchr(parts->host, ':') == NULL ||
			look_up(parts->host, AI_NUMERICHOST, ret) != 0)
			return refuse(k, text, "no IPv6 address", at);
		return refuse_mapped(k, text, parts, ret, at);
	}
	if (digits_only(parts->host, ".")) {
		/* getaddrinfo() would take 10.1 for 10.0.0.1. */
		if (inet_pton(AF_INET, parts->host, &in->sin_addr) != 1)
			return refuse(k, text, "no IPv4 address", at);
		in->sin_family = AF_INET;
		ret->addr_len = sizeof(*in);
		return 0;
	}
	if (strcmp(parts->host, "*") == 0)
		return refuse(k, text, "all addresses are 0.0.0.0 or [::]", at);
	if (!host_name(parts->host))
		return refuse(k, text, "no host name", at);
	if (k->type == CONF_SOURCE)
		return refuse(k, text, "an address of this machine, not a name", at);
	if (k->type == CONF_RESOLVERS)
		return refuse(k, text, "an address, not a name", at);
	if (!may_look_up(k, at->faults))
		return 0;
	if (k->type == CONF_SERVERS) {
		look_up_server(k, text, parts, ret, at);
		return 0;
	}
	err = look_up(parts->host, 0, ret);
	return err == 0 ? 0 : refuse(k, text, gai_strerror(err), at);
}

int conf_endpoint(const struct conf_key *k, const char *text, struct endpoint *ret,
	const struct conf_at *at)
{
	struct endpoint e = { 0 };
	struct parts parts;
	bool optional = k->type == CONF_SOURCE || k->type == CONF_RESOLVERS;
	const char *why = split(text, optional, &parts);
	int port;

	if (why != NULL)
		return refuse(k, text, why, at);
	port = digits_only(parts.port, "") ? atoi(parts.port) : -1;
	if (k->type == CONF_RESOLVERS && parts.port[0] == '\0')
		port = DNS_PORT;
	if (port < 0 || port > 65535)
		return refuse(k, text, "the port is a number up to 65535", at);
	if (port == 0 && k->type == CONF_SERVERS)
		return refuse(k, text, "port 0 cannot be dialled", at);
	if (port == 0 && k->type == CONF_RESOLVERS)
		return refuse(k, text, "port 0 cannot be asked", at);
	if (resolve(k, text, &parts, &e, at) != 0)
		return SM_EVALUE;
	if (e.addr.ss_family == AF_INET)
		((struct sockaddr_in *)&e.addr)->sin_port = htons((uint16_t)port);
	else if (e.addr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&e.addr)->sin6_port = htons((uint16_t)port);
	e.text = strdup(text);
	if (e.text == NULL)
		return refuse(k, text, strerror(ENOMEM), at);
	free(ret->text);
	*ret = e;
	return 0;
}

static uint16_t port_of(const struct endpoint *e)
{
	return e->addr.ss_family == AF_INET ? ((const struct sockaddr_in *)&e->addr)->sin_port :
		((const struct sockaddr_in6 *)&e->addr)->sin6_port;
}

static bool same_host(const struct endpoint *a, const struct endpoint *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->addr,
		*b6 = (const struct sockaddr_in6 *)&b->addr;

	if (a->addr.ss_family != b->addr.ss_family)
		return false;
	if (a->addr.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->addr)->sin_addr.s_addr ==
			((const struct sockaddr_in *)&b->addr)->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0 &&
		a6->sin6_scope_id == b6->sin6_scope_id;
}

static bool wildcard(const struct endpoint *e)
{
	if (e->addr.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&e->addr)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&e->addr)->sin6_addr);
}

static bool loopback(const struct endpoint *e)
{
	if (e->addr.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&e->addr)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&e->addr)->sin6_addr);
}

static bool same_port(const struct endpoint *a, const struct endpoint *b)
{
	return a->addr_len != 0 && b->addr_len != 0 && port_of(a) != 0 && port_of(a) == port_of(b);
}

bool endpoint_overlap(const struct endpoint *a, const struct endpoint *b)
{
	if (!same_port(a, b) || a->addr.ss_family != b->addr.ss_family)
		return false;
	return same_host(a, b) || wildcard(a) || wildcard(b);
}

bool endpoint_reaches(const struct endpoint *server, const struct endpoint *listen)
{
	if (!same_port(server, listen) || server->addr.ss_family != listen->addr.ss_family)
		return false;
	return same_host(server, listen) ||
		(wildcard(listen) && (loopback(server) || wildcard(server)));
}
