#include <strings.h>

#include "smscope/codes.h"

static const char *const contexts[CTX_COUNT] = {
	[CTX_LOGIN] = "login",
	[CTX_SUBMIT_RESP] = "submit_resp",
	[CTX_DELIVER_RESP] = "deliver_resp",
	[CTX_QUERY_RESP] = "query_resp",
	[CTX_CANCEL_RESP] = "cancel_resp",
	[CTX_FORWARD_RESP] = "forward_resp",
	[CTX_REPORT] = "report",
	[CTX_RECEIPT_ERR] = "receipt_err",
	[CTX_NETWORK_ERROR] = "network_error",
	[CTX_NACK] = "nack",
	[CTX_COMPOSITE] = "composite",
	[CTX_LOG] = "log",
	[CTX_ERRNO] = "errno",
	[CTX_API] = "api",
};

static const char *const sides[CODE_ANY + 1] = {
	[CODE_SMPP] = "smpp",
	[CODE_CMPP] = "cmpp",
	[CODE_ANY] = "any",
};

static const char *const classes[CLASS_COUNT] = {
	[CLASS_UNKNOWN] = "unknown",
	[CLASS_OK] = "ok",
	[CLASS_PENDING] = "pending",
	[CLASS_EXPIRED] = "expired",
	[CLASS_UNDELIVERABLE] = "undeliverable",
	[CLASS_REJECTED] = "rejected",
	[CLASS_THROTTLED] = "throttled",
	[CLASS_AUTH] = "auth",
	[CLASS_BILLING] = "billing",
	[CLASS_SUBSCRIBER] = "subscriber",
	[CLASS_NUMBER] = "number",
	[CLASS_CONTENT] = "content",
	[CLASS_ROUTING] = "routing",
	[CLASS_PROTOCOL] = "protocol",
	[CLASS_NETWORK] = "network",
	[CLASS_SYSTEM] = "system",
};

static const char *const origins[ORIGIN_COUNT] = {
	[ORIGIN_NONE] = "none",
	[ORIGIN_SP] = "sp",
	[ORIGIN_GATEWAY] = "gateway",
	[ORIGIN_NEXT_GATEWAY] = "next_gateway",
	[ORIGIN_SMSC] = "smsc",
	[ORIGIN_SCP] = "scp",
	[ORIGIN_DSMP] = "dsmp",
	[ORIGIN_SPACE] = "space",
	[ORIGIN_HANDSET] = "handset",
	[ORIGIN_PLATFORM] = "platform",
	[ORIGIN_LOCAL] = "local",
};

static const char *const retries[RETRY_COUNT] = {
	[RETRY_NA] = "n/a",
	[RETRY_NEVER] = "never",
	[RETRY_LATER] = "later",
	[RETRY_NOW] = "now",
	[RETRY_FIX] = "fix",
};

static const char *const platforms[PLATFORM_COUNT] = {
	[PLATFORM_ANY] = "any",
	[PLATFORM_WINDOWS] = "windows",
	[PLATFORM_HPUX] = "hpux",
	[PLATFORM_AIX] = "aix",
	[PLATFORM_LINUX] = "linux",
};

static int find(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcasecmp(names[i], name) == 0)
			return i;
	return SM_ENONE;
}

static const char *at(const char *const *names, int count, unsigned i)
{
	return i < (unsigned)count ? names[i] : "unknown";
}

const char *code_context_name(enum code_context c)
{
	return at(contexts, CTX_COUNT, c);
}

const char *code_class_name(enum code_class c)
{
	return at(classes, CLASS_COUNT, c);
}

const char *code_origin_name(enum code_origin o)
{
	return at(origins, ORIGIN_COUNT, o);
}

const char *code_retry_name(enum code_retry r)
{
	return at(retries, RETRY_COUNT, r);
}

const char *code_side_name(enum code_side s)
{
	return (unsigned)s <= CODE_ANY && sides[s] != NULL ? sides[s] : "?";
}

const char *code_platform_name(enum code_platform p)
{
	return at(platforms, PLATFORM_COUNT, p);
}

int code_context_of(const char *name)
{
	return find(contexts, CTX_COUNT, name);
}

int code_class_of(const char *name)
{
	return find(classes, CLASS_COUNT, name);
}

int code_origin_of(const char *name)
{
	return find(origins, ORIGIN_COUNT, name);
}

int code_retry_of(const char *name)
{
	return find(retries, RETRY_COUNT, name);
}

int code_platform_of(const char *name)
{
	return find(platforms, PLATFORM_COUNT, name);
}
