#include "base/tls_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *tls_result_name(enum tls_result r)
{
	static const char *const names[] = {
		[TLS_OK] = "ok",
		[TLS_FAILED] = "failed",
		[TLS_TIMEOUT] = "timeout",
		[TLS_REFUSED] = "refused",
	};

	return (size_t)r < TLS_RESULTS ? names[r] : "failed";
}

int tls_status_init(struct tls_status *s, int link_count)
{
	memset(s, 0, sizeof(*s));
	s->handshakes = calloc((size_t)link_count + 1, sizeof(*s->handshakes));
	if (s->handshakes == NULL)
		return -ENOMEM;
	s->link_count = link_count;
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void tls_status_fini(struct tls_status *s)
{
	if (s->handshakes == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->certificates);
	free(s->handshakes);
	s->handshakes = NULL;
}

int tls_status_certificates(struct tls_status *s, const struct tls_certificate *c, int count)
{
	struct tls_certificate *copy = calloc((size_t)count + 1, sizeof(*copy)), *before;

	if (copy == NULL)
		return -ENOMEM;
	if (count > 0)
		memcpy(copy, c, (size_t)count * sizeof(*copy));
	pthread_mutex_lock(&s->lock);
	before = s->certificates;
	s->certificates = copy;
	s->certificate_count = count;
	pthread_mutex_unlock(&s->lock);
	free(before);
	return 0;
}

bool tls_status_certificate(const struct tls_status *s, int i, struct tls_certificate *ret)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;
	bool found;

	pthread_mutex_lock(lock);
	found = i >= 0 && i < s->certificate_count;
	if (found)
		*ret = s->certificates[i];
	pthread_mutex_unlock(lock);
	return found;
}
