#ifndef SMSCOPE_CORE_SCOPE_MESSAGE_H
#define SMSCOPE_CORE_SCOPE_MESSAGE_H

#include "smscope/body.h"
#include "smscope/scope.h"

/* What a submit or a deliver says of its message, whatever the protocol calls the fields. */

/** First destination, and how many there are. */
struct span message_destination(const struct pdu *pdu, uint32_t *ret_count);

struct span message_source(const struct pdu *pdu);

/**
 * Length and encoding of the message whose body was read; its octets only with `show_text`.
 */
void message_put(struct record *r, const struct body *body, bool show_text);

#endif
