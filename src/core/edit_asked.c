#include "core/edit_state.h"
#include "core/scope_message.h"

/* What the sequence number says that a response does not: whom the request was about. */

/* It ends the header. */
static uint32_t sequence_of(const struct proto *proto, struct span frame)
{
	return frame.n >= proto->header_len ? bytes_u32(frame.p + proto->header_len - 4) : 0;
}

bool edit_asks_dst(const struct rule_set *rules)
{
	return rules->asks_dst;
}

void edit_request(struct edit_asked *a, struct edit_context *ctx, struct span frame)
{
	struct edit_request *r = &a->of[sequence_of(ctx->proto, frame) % EDIT_ASKED];
	struct span dst;
	uint32_t count;

	if (frame.n < ctx->proto->header_len || (bytes_u32(frame.p + 4) & 0x80000000u) != 0)
		return;
	(void)pdu_parse(&ctx->pdu, ctx->proto, ctx->dialect, frame);
	*r = (struct edit_request){ .sequence = sequence_of(ctx->proto, frame) };
	if (pdu_role_from(&ctx->pdu, SIDE_SP) != R_SUBMIT && pdu_role(&ctx->pdu) != R_CANCEL)
		return;
	dst = message_destination(&ctx->pdu, &count);
	r->n = (uint8_t)(dst.n < sizeof(r->dst) ? dst.n : sizeof(r->dst));
	memcpy(r->dst, dst.p, r->n);
}

struct span edit_requested(const struct edit_asked *a, const struct proto *proto, struct span frame)
{
	uint32_t sequence = sequence_of(proto, frame);
	const struct edit_request *r = &a->of[sequence % EDIT_ASKED];

	return span_of(r->dst, r->sequence == sequence ? r->n : 0);
}
