#include "base/address.h"

#include <netdb.h>
#include <stdio.h>

void address_text(const struct sockaddr_storage *a, socklen_t len, char *to, size_t cap)
{
	char host[46], port[8];

	if (getnameinfo((const struct sockaddr *)a, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(to, cap, "?");
	else if (a->ss_family == AF_INET6)
		snprintf(to, cap, "[%s]:%s", host, port);
	else
		snprintf(to, cap, "%s:%s", host, port);
}
