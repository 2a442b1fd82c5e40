#include "net/tls_words.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* What an alert of the peer's means: its reason is its number and this. */
enum { ALERT = SSL_AD_REASON_OFFSET };

/* Words where OpenSSL's own are hard to read; NULL: its own will do. */
static const char *plainer(int reason, int server)
{
	switch (reason) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return "client certificate missing";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_UNKNOWN_SSL_VERSION:
		return "no shared TLS version: the peer's are too old";
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_UNEXPECTED_MESSAGE:
		return server ? "peer does not speak TLS" : "the server does not speak TLS there";
	case SSL_R_HTTP_REQUEST:
		return "peer speaks HTTP on a TLS port";
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return "peer closed during the handshake";
	default:
		return NULL;
	}
}

static void verify_words(SSL *ssl, char *to, size_t cap)
{
	long result = SSL_get_verify_result(ssl);
	const char *whose = SSL_is_server(ssl) ? "client certificate" : "server certificate";
	const char *wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (result == X509_V_ERR_APPLICATION_VERIFICATION)
		snprintf(to, cap, "%s is not in the link's list", whose);
	else if (result == X509_V_ERR_HOSTNAME_MISMATCH && wanted != NULL)
		snprintf(to, cap, "%s is not for %s", whose, wanted);
	else
		snprintf(to, cap, "%s: %s", whose, X509_verify_cert_error_string(result));
}

void tls_words(SSL *ssl, char *to, size_t cap)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	const char *words = plainer(reason, SSL_is_server(ssl));

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && ERR_GET_LIB(e) == ERR_LIB_SSL)
		verify_words(ssl, to, cap);
	else if (reason >= ALERT && reason < ALERT + 256 && ERR_GET_LIB(e) == ERR_LIB_SSL)
		snprintf(to, cap, "peer sent alert: %s", SSL_alert_desc_string_long(reason - ALERT));
	else if (words != NULL && ERR_GET_LIB(e) == ERR_LIB_SSL)
		snprintf(to, cap, "%s", words);
	else
		snprintf(to, cap, "%s", ERR_reason_error_string(e) != NULL ?
				ERR_reason_error_string(e) : "TLS fault");
	ERR_clear_error();
}

void tls_file_words(char *to, size_t cap)
{
	unsigned long e = ERR_peek_error();
	const char *words = e != 0 ? ERR_reason_error_string(e) : NULL;

	snprintf(to, cap, "%s", words != NULL ? words : "not readable as PEM");
	ERR_clear_error();
}

void tls_subject(X509 *x, char *to, size_t cap)
{
	X509_NAME *name = X509_get_subject_name(x);
	int at = name != NULL ? X509_NAME_get_index_by_NID(name, NID_commonName, -1) : -1;
	unsigned char *utf8 = NULL;
	int n = -1;

	if (at >= 0)
		n = ASN1_STRING_to_UTF8(&utf8,
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n >= 0) {
		size_t len = (size_t)n < cap - 1 ? (size_t)n : cap - 1;

		for (size_t i = 0; i < len; i++)
			to[i] = utf8[i] < 0x20 || utf8[i] == 0x7f ? '?' : (char)utf8[i];
		to[len] = '\0';
		OPENSSL_free(utf8);
		return;
	}
	to[0] = '\0';
	if (name != NULL)
		(void)X509_NAME_oneline(name, to, (int)cap);
}
