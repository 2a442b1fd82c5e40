#ifndef SMSCOPE_NET_TLS_WORDS_H
#define SMSCOPE_NET_TLS_WORDS_H

#include <stddef.h>

/* What OpenSSL has to say, in words for the operator. Never a key or a password. */
struct ssl_st;
struct x509_st;

/** Why the last call on `ssl` failed; empties this thread's queue of errors. */
void tls_words(struct ssl_st *ssl, char *to, size_t cap);

/** Why the last call that concerns a file failed: the oldest error of the queue, which is emptied. */
void tls_file_words(char *to, size_t cap);

/** The subject's common name, else the whole subject; octets that are not printable ASCII or UTF-8 become '?'. */
void tls_subject(struct x509_st *x, char *to, size_t cap);

#endif
