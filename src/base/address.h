#ifndef SMSCOPE_BASE_ADDRESS_H
#define SMSCOPE_BASE_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/** "10.0.0.7:51312", "[::1]:2775" into `to`; "?" for another family. */
void address_text(const struct sockaddr_storage *a, socklen_t len, char *to, size_t cap);

#endif
