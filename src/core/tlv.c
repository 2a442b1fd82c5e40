#include <stdlib.h>

#include "smscope/pdu.h"

/*
 * TLVs: 2 tag | 2 length of the value | value. Any order, no alignment; a tag may repeat.
 * Source: SMPP 3.4, section 5.3; SMPP 5.0, section 4.8.
 */

/* Ascending by tag. */
static const struct tag {
	uint16_t tag;
	const char *name;
} tags[] = {
	{ 0x0005, "dest_addr_subunit" },
	{ 0x0006, "dest_network_type" },
	{ 0x0007, "dest_bearer_type" },
	{ 0x0008, "dest_telematics_id" },
	{ 0x000d, "source_addr_subunit" },
	{ 0x000e, "source_network_type" },
	{ 0x000f, "source_bearer_type" },
	{ 0x0010, "source_telematics_id" },
	{ 0x0017, "qos_time_to_live" },
	{ 0x0019, "payload_type" },
	{ 0x001d, "additional_status_info_text" },
	{ 0x001e, "receipted_message_id" },
	{ 0x0030, "ms_msg_wait_facilities" },
	{ 0x0201, "privacy_indicator" },
	{ 0x0202, "source_subaddress" },
	{ 0x0203, "dest_subaddress" },
	{ 0x0204, "user_message_reference" },
	{ 0x0205, "user_response_code" },
	{ 0x020a, "source_port" },
	{ 0x020b, "destination_port" },
	{ 0x020c, "sar_msg_ref_num" },
	{ 0x020d, "language_indicator" },
	{ 0x020e, "sar_total_segments" },
	{ 0x020f, "sar_segment_seqnum" },
	{ 0x0210, "sc_interface_version" },
	{ 0x0302, "callback_num_pres_ind" },
	{ 0x0303, "callback_num_atag" },
	{ 0x0304, "number_of_messages" },
	{ 0x0381, "callback_num" },
	{ 0x0420, "dpf_result" },
	{ 0x0421, "set_dpf" },
	{ 0x0422, "ms_availability_status" },
	{ 0x0423, "network_error_code" },
	{ 0x0424, "message_payload" },
	{ 0x0425, "delivery_failure_reason" },
	{ 0x0426, "more_messages_to_send" },
	{ 0x0427, "message_state" },
	{ 0x0428, "congestion_state" },
	{ 0x0501, "ussd_service_op" },
	{ 0x0600, "broadcast_channel_indicator" },
	{ 0x0601, "broadcast_content_type" },
	{ 0x0602, "broadcast_content_type_info" },
	{ 0x0603, "broadcast_message_class" },
	{ 0x0604, "broadcast_rep_num" },
	{ 0x0605, "broadcast_frequency_interval" },
	{ 0x0606, "broadcast_area_identifier" },
	{ 0x0607, "broadcast_error_status" },
	{ 0x0608, "broadcast_area_success" },
	{ 0x0609, "broadcast_end_time" },
	{ 0x060a, "broadcast_service_group" },
	{ 0x060b, "billing_identification" },
	{ 0x060d, "source_network_id" },
	{ 0x060e, "dest_network_id" },
	{ 0x060f, "source_node_id" },
	{ 0x0610, "dest_node_id" },
	{ 0x0611, "dest_addr_np_resolution" },
	{ 0x0612, "dest_addr_np_information" },
	{ 0x0613, "dest_addr_np_country" },
	{ 0x1201, "display_time" },
	{ 0x1203, "sms_signal" },
	{ 0x1204, "ms_validity" },
	{ 0x130c, "alert_on_message_delivery" },
	{ 0x1380, "its_reply_type" },
	{ 0x1383, "its_session_info" },
};

static int compare_tags(const void *key, const void *row)
{
	return (int)*(const uint16_t *)key - (int)((const struct tag *)row)->tag;
}

const char *tlv_name(uint16_t tag)
{
	const struct tag *t = bsearch(&tag, tags, sizeof(tags) / sizeof(*tags), sizeof(*tags),
		compare_tags);

	return t != NULL ? t->name : NULL;
}

int tlv_next(const struct pdu *pdu, size_t *at, struct tlv *ret)
{
	struct reader r = reader_of(pdu->tlvs);
	struct tlv t;

	reader_take(&r, *at);
	if (r.err == SM_OK && r.pos == r.end)
		return 0;
	t.at = (uint32_t)(r.pos - pdu->frame.p);
	t.tag = (uint16_t)reader_uint(&r, 2);
	t.value = reader_take(&r, (size_t)reader_uint(&r, 2));
	if (r.err != SM_OK)
		return r.err;
	*at = reader_at(&r);
	*ret = t;
	return 1;
}

bool pdu_tlv(const struct pdu *pdu, uint16_t tag, struct span *ret_value)
{
	struct tlv t;
	size_t at = 0;

	while (tlv_next(pdu, &at, &t) > 0) {
		if (t.tag == tag) {
			*ret_value = t.value;
			return true;
		}
	}
	return false;
}
