#ifndef SMSCOPE_BASE_TLS_STATUS_H
#define SMSCOPE_BASE_TLS_STATUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "smscope/proto.h"

/*
 * What can be told of TLS while it runs: handshakes counted by link and side, and the certificates
 * that smscope shows. Written by the data plane and by who loads certificates, read by any thread.
 */

enum tls_result {
	TLS_OK,      /* the handshake is complete */
	TLS_FAILED,
	TLS_TIMEOUT,
	TLS_REFUSED, /* not begun: a limit */
	TLS_RESULTS
};

/** "ok", "failed", "timeout", "refused". */
const char *tls_result_name(enum tls_result r);

enum { TLS_SUBJECT_TEXT = 72, TLS_FINGERPRINT = 32 };

/* A certificate of ours: what a listener shows to the SP, or smscope to the gateway. */
struct tls_certificate {
	int link;
	enum side side;                       /* to whom it is shown */
	char subject[TLS_SUBJECT_TEXT];       /* its common name, or what it has instead */
	uint8_t fingerprint[TLS_FINGERPRINT]; /* SHA-256 */
	int64_t not_after;                    /* seconds since 1970 */
};

struct tls_status {
	int link_count;
	_Atomic uint64_t (*handshakes)[2][TLS_RESULTS]; /* [link][side][result] */
	pthread_mutex_t lock;                           /* of what follows */
	struct tls_certificate *certificates;
	int certificate_count;
};

/** Nothing counted, no certificate. 0 or -ENOMEM. */
int tls_status_init(struct tls_status *s, int link_count) MUST_CHECK;
void tls_status_fini(struct tls_status *s);

/** These are in use from now on; copied. 0 or -ENOMEM: then it still names those before. */
int tls_status_certificates(struct tls_status *s, const struct tls_certificate *c, int count)
	MUST_CHECK;

/** Certificate `i`, in the order of the links; false: there are no more. */
bool tls_status_certificate(const struct tls_status *s, int i, struct tls_certificate *ret);

static inline void tls_status_count(struct tls_status *s, int link, enum side side, enum tls_result r)
{
	atomic_fetch_add_explicit(&s->handshakes[link][side][r], 1, memory_order_relaxed);
}

#endif
