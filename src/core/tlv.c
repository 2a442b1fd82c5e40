#include <stdlib.h>

#include "smscope/pdu.h"

/*
 * TLVs: 2 tag | 2 length of the value | value. Any order, no alignment; a tag may repeat.
 * Source: SMPP 3.4, section 5.3; SMPP 5.0, section 4.8.
 */

/* Ascending by tag: the least and the greatest length of the value, what it is, its name. */
static const struct tlv_kind kinds[] = {
	{ 0x0005, 1, 1, TLV_NUMBER, "dest_addr_subunit" },
	{ 0x0006, 1, 1, TLV_NUMBER, "dest_network_type" },
	{ 0x0007, 1, 1, TLV_NUMBER, "dest_bearer_type" },
	{ 0x0008, 2, 2, TLV_NUMBER, "dest_telematics_id" },
	{ 0x000d, 1, 1, TLV_NUMBER, "source_addr_subunit" },
	{ 0x000e, 1, 1, TLV_NUMBER, "source_network_type" },
	{ 0x000f, 1, 1, TLV_NUMBER, "source_bearer_type" },
	{ 0x0010, 1, 1, TLV_NUMBER, "source_telematics_id" },
	{ 0x0017, 4, 4, TLV_NUMBER, "qos_time_to_live" },
	{ 0x0019, 1, 1, TLV_NUMBER, "payload_type" },
	{ 0x001d, 1, 256, TLV_TEXT, "additional_status_info_text" },
	{ 0x001e, 1, 65, TLV_TEXT, "receipted_message_id" },
	{ 0x0030, 1, 1, TLV_NUMBER, "ms_msg_wait_facilities" },
	{ 0x0201, 1, 1, TLV_NUMBER, "privacy_indicator" },
	{ 0x0202, 2, 23, TLV_OCTETS, "source_subaddress" },
	{ 0x0203, 2, 23, TLV_OCTETS, "dest_subaddress" },
	{ 0x0204, 2, 2, TLV_NUMBER, "user_message_reference" },
	{ 0x0205, 1, 1, TLV_NUMBER, "user_response_code" },
	{ 0x020a, 2, 2, TLV_NUMBER, "source_port" },
	{ 0x020b, 2, 2, TLV_NUMBER, "destination_port" },
	{ 0x020c, 2, 2, TLV_NUMBER, "sar_msg_ref_num" },
	{ 0x020d, 1, 1, TLV_NUMBER, "language_indicator" },
	{ 0x020e, 1, 1, TLV_NUMBER, "sar_total_segments" },
	{ 0x020f, 1, 1, TLV_NUMBER, "sar_segment_seqnum" },
	{ 0x0210, 1, 1, TLV_NUMBER, "sc_interface_version" },
	{ 0x0302, 1, 1, TLV_NUMBER, "callback_num_pres_ind" },
	{ 0x0303, 0, 65, TLV_OCTETS, "callback_num_atag" },
	{ 0x0304, 1, 1, TLV_NUMBER, "number_of_messages" },
	{ 0x0381, 4, 19, TLV_OCTETS, "callback_num" },
	{ 0x0420, 1, 1, TLV_NUMBER, "dpf_result" },
	{ 0x0421, 1, 1, TLV_NUMBER, "set_dpf" },
	{ 0x0422, 1, 1, TLV_NUMBER, "ms_availability_status" },
	{ 0x0423, 3, 3, TLV_OCTETS, "network_error_code" },
	{ 0x0424, 0, 65535, TLV_OCTETS, "message_payload" },
	{ 0x0425, 1, 1, TLV_NUMBER, "delivery_failure_reason" },
	{ 0x0426, 1, 1, TLV_NUMBER, "more_messages_to_send" },
	{ 0x0427, 1, 1, TLV_NUMBER, "message_state" },
	{ 0x0428, 1, 1, TLV_NUMBER, "congestion_state" },
	{ 0x0501, 1, 1, TLV_NUMBER, "ussd_service_op" },
	{ 0x0600, 1, 1, TLV_NUMBER, "broadcast_channel_indicator" },
	{ 0x0601, 3, 3, TLV_OCTETS, "broadcast_content_type" },
	{ 0x0602, 1, 255, TLV_OCTETS, "broadcast_content_type_info" },
	{ 0x0603, 1, 1, TLV_NUMBER, "broadcast_message_class" },
	{ 0x0604, 2, 2, TLV_NUMBER, "broadcast_rep_num" },
	{ 0x0605, 3, 3, TLV_OCTETS, "broadcast_frequency_interval" },
	{ 0x0606, 1, 101, TLV_OCTETS, "broadcast_area_identifier" },
	{ 0x0607, 4, 4, TLV_NUMBER, "broadcast_error_status" },
	{ 0x0608, 1, 1, TLV_NUMBER, "broadcast_area_success" },
	{ 0x0609, 16, 17, TLV_TEXT, "broadcast_end_time" },
	{ 0x060a, 1, 255, TLV_OCTETS, "broadcast_service_group" },
	{ 0x060b, 1, 1024, TLV_OCTETS, "billing_identification" },
	{ 0x060d, 7, 65, TLV_TEXT, "source_network_id" },
	{ 0x060e, 7, 65, TLV_TEXT, "dest_network_id" },
	{ 0x060f, 6, 6, TLV_TEXT, "source_node_id" },
	{ 0x0610, 6, 6, TLV_TEXT, "dest_node_id" },
	{ 0x0611, 1, 1, TLV_NUMBER, "dest_addr_np_resolution" },
	{ 0x0612, 10, 10, TLV_TEXT, "dest_addr_np_information" },
	{ 0x0613, 1, 5, TLV_TEXT, "dest_addr_np_country" },
	{ 0x1201, 1, 1, TLV_NUMBER, "display_time" },
	{ 0x1203, 2, 2, TLV_NUMBER, "sms_signal" },
	{ 0x1204, 1, 4, TLV_OCTETS, "ms_validity" },
	{ 0x130c, 0, 1, TLV_NUMBER, "alert_on_message_delivery" },
	{ 0x1380, 1, 1, TLV_NUMBER, "its_reply_type" },
	{ 0x1383, 2, 2, TLV_OCTETS, "its_session_info" },
};

static int compare_tags(const void *key, const void *row)
{
	return (int)*(const uint16_t *)key - (int)((const struct tlv_kind *)row)->tag;
}

const struct tlv_kind *tlv_kind(uint16_t tag)
{
	return bsearch(&tag, kinds, sizeof(kinds) / sizeof(*kinds), sizeof(*kinds), compare_tags);
}

const char *tlv_name(uint16_t tag)
{
	const struct tlv_kind *k = tlv_kind(tag);

	return k != NULL ? k->name : NULL;
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
