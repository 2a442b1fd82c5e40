#ifndef SMSCOPE_FUZZ_CHECK_H
#define SMSCOPE_FUZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smscope/bytes.h"

/*
 * A target is one file with this function. It takes any octets and checks properties that hold for
 * all of them; libFuzzer looks for octets that break one, replay.c runs those that are known.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, and names the property, unless `x`. */
#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x))

_Noreturn void check_failed(const char *file, int line, const char *what);

/** A copy in memory of just that size, so that the sanitizer sees who reads behind it; the caller
 * frees. */
uint8_t *check_copy(const void *p, size_t n);

/** Take at most `n` octets from the head of `in`. */
struct span check_take(struct span *in, size_t n);

/** The next octet of `in`, 0 at its end. */
uint8_t check_octet(struct span *in);

bool check_inside(struct span outer, struct span s);

/** Well-formed UTF-8 to its last octet, written without a look at the core's own reader of it. */
void check_utf8(const char *p, size_t n);

/** UTF-8 of characters that can be seen and leave their neighbours alone: no control, bidi mark or
 * zero width. */
void check_shown(const char *p, size_t n);

#endif
