#include "smscope/codes.h"
#include "smscope/receipt.h"

/*
 * SMPP 3.3, 3.4 and 5.0. The header has 16 octets:
 *     4 command_length | 4 command_id | 4 command_status | 4 sequence_number
 * One layout serves all versions: they differ in commands and TLVs, and peers send TLVs whatever
 * version they bound with. A response may end after its header, whatever its status, and after its
 * first string (seen in captures). Sources: SMPP 3.4 issue 1.2, section 4; SMPP 5.0, section 4.
 */

enum { HEADER = 16, OUTBIND = 0x0b };
enum { TAG_SC_INTERFACE_VERSION = 0x0210 };

static const struct slot header[] = {
	UINT(F_LENGTH, 4), UINT(F_COMMAND, 4), UINT(F_COMMAND_STATUS, 4), UINT(F_SEQUENCE, 4), END,
};
static const struct slot nothing[] = { END };

/* 5.0 allows congestion_state in every response. Source: SMPP 5.0, section 4.8.4.18. */
static const struct slot tlvs[] = { TLVS, END };

/* The body of a vendor's command: its name is known, its layout is not. */
static const struct slot opaque[] = { REST(F_BODY), END };

/*
 * The password's limit is 9, yet some SMSCs take longer ones: read to the NUL.
 * Source: SMPP 3.4, section 4.1.1.
 */
static const struct slot bind[] = {
	CSTR(F_SYSTEM_ID, 16), CSTR(F_PASSWORD, 0xffff), CSTR(F_SYSTEM_TYPE, 13),
	UINT(F_VERSION, 1),
	UINT(F_ADDR_TON, 1), UINT(F_ADDR_NPI, 1), CSTR(F_ADDRESS_RANGE, 41), END,
};
static const struct slot bind_ack[] = { STOP, CSTR_OPEN(F_SYSTEM_ID, 16), TLVS, END };

/* Source: SMPP 3.4, section 4.1.7.1. */
static const struct slot outbind[] = { CSTR(F_SYSTEM_ID, 16), CSTR(F_PASSWORD, 0xffff), END };

#define SOURCE(n) UINT(F_SOURCE_ADDR_TON, 1), UINT(F_SOURCE_ADDR_NPI, 1), CSTR(F_SOURCE_ADDR, n)
#define DEST(n) UINT(F_DEST_ADDR_TON, 1), UINT(F_DEST_ADDR_NPI, 1), CSTR(F_DESTINATION_ADDR, n)
#define TIMES CSTR(F_SCHEDULE_DELIVERY_TIME, 17), CSTR(F_VALIDITY_PERIOD, 17)
#define MESSAGE UINT(F_SM_LENGTH, 1), VAR(F_SHORT_MESSAGE, F_SM_LENGTH)

/*
 * submit_sm and deliver_sm:
 *     c6 service_type | 1 ton | 1 npi | c21 source_addr | 1 ton | 1 npi | c21 destination_addr
 *     1 esm_class | 1 protocol_id | 1 priority_flag | c17 schedule_delivery_time
 *     c17 validity_period | 1 registered_delivery | 1 replace_if_present_flag | 1 data_coding
 *     1 sm_default_msg_id | 1 sm_length | short_message | TLVs
 * cN: C-Octet String of at most N octets with its NUL. Source: SMPP 3.4, sections 4.4.1 and 4.6.1.
 */
static const struct slot message[] = {
	CSTR(F_SERVICE_TYPE, 6), SOURCE(21), DEST(21), UINT(F_ESM_CLASS, 1), UINT(F_PROTOCOL_ID, 1),
	UINT(F_PRIORITY_FLAG, 1), TIMES, UINT(F_REGISTERED_DELIVERY, 1),
	UINT(F_REPLACE_IF_PRESENT_FLAG, 1), UINT(F_DATA_CODING, 1), UINT(F_SM_DEFAULT_MSG_ID, 1),
	MESSAGE, TLVS, END,
};
static const struct slot message_ack[] = { STOP, CSTR_OPEN(F_MESSAGE_ID, 65), TLVS, END };

/* dest_flag 1: an SME address; 2: a distribution list. Source: SMPP 3.4, section 4.5.1.1. */
static const struct slot dest_address[] = {
	UINT(F_DEST_FLAG, 1), WHEN(F_DEST_FLAG, 1), DEST(21), WHEN(F_DEST_FLAG, 2),
	CSTR(F_DL_NAME, 21),
	END_WHEN, END,
};
static const struct slot multi[] = {
	CSTR(F_SERVICE_TYPE, 6), SOURCE(21), UINT(F_DEST_COUNT, 1),
	LIST_OF(F_DEST_ADDRESS, F_DEST_COUNT, dest_address), UINT(F_ESM_CLASS, 1),
	UINT(F_PROTOCOL_ID, 1), UINT(F_PRIORITY_FLAG, 1), TIMES, UINT(F_REGISTERED_DELIVERY, 1),
	UINT(F_REPLACE_IF_PRESENT_FLAG, 1), UINT(F_DATA_CODING, 1), UINT(F_SM_DEFAULT_MSG_ID, 1),
	MESSAGE, TLVS, END,
};

/* Source: SMPP 3.4, section 4.5.2. */
static const struct slot unsuccess_sme[] = { DEST(21), UINT(F_ERROR_STATUS_CODE, 4), END };
static const struct slot multi_ack[] = {
	STOP, CSTR_OPEN(F_MESSAGE_ID, 65), STOP, UINT(F_NO_UNSUCCESS, 1),
	LIST_OF(F_UNSUCCESS_SME, F_NO_UNSUCCESS, unsuccess_sme), TLVS, END,
};

/* The text is in the message_payload TLV. Source: SMPP 3.4, section 4.7.1. */
static const struct slot data[] = {
	CSTR(F_SERVICE_TYPE, 6), SOURCE(65), DEST(65), UINT(F_ESM_CLASS, 1),
	UINT(F_REGISTERED_DELIVERY, 1), UINT(F_DATA_CODING, 1), TLVS, END,
};

/* Source: SMPP 3.4, section 4.8. */
static const struct slot query[] = { CSTR(F_MESSAGE_ID, 65), SOURCE(21), END };
static const struct slot query_ack[] = {
	STOP, CSTR_OPEN(F_MESSAGE_ID, 65), STOP, CSTR(F_FINAL_DATE, 17), UINT(F_MESSAGE_STATE, 1),
	UINT(F_ERROR_CODE, 1), TLVS, END,
};

/* Source: SMPP 3.4, sections 4.9.1 and 4.10.1. */
static const struct slot cancel[] = {
	CSTR(F_SERVICE_TYPE, 6), CSTR(F_MESSAGE_ID, 65), SOURCE(21), DEST(21), END,
};
static const struct slot replace[] = {
	CSTR(F_MESSAGE_ID, 65), SOURCE(21), TIMES, UINT(F_REGISTERED_DELIVERY, 1),
	UINT(F_SM_DEFAULT_MSG_ID, 1), MESSAGE, TLVS, END,
};

/* Source: SMPP 3.4, section 4.12.1. */
static const struct slot alert[] = {
	SOURCE(65), UINT(F_ESME_ADDR_TON, 1), UINT(F_ESME_ADDR_NPI, 1), CSTR(F_ESME_ADDR, 65),
	TLVS, END,
};

/* Source: SMPP 5.0, sections 4.4 and 4.6. */
static const struct slot broadcast[] = {
	CSTR(F_SERVICE_TYPE, 6), SOURCE(21), CSTR(F_MESSAGE_ID, 65), UINT(F_PRIORITY_FLAG, 1),
	TIMES,
	UINT(F_REPLACE_IF_PRESENT_FLAG, 1), UINT(F_DATA_CODING, 1), UINT(F_SM_DEFAULT_MSG_ID, 1),
	TLVS, END,
};
static const struct slot broadcast_query[] = { CSTR(F_MESSAGE_ID, 65), SOURCE(21), TLVS, END };
static const struct slot broadcast_cancel[] = {
	CSTR(F_SERVICE_TYPE, 6), CSTR(F_MESSAGE_ID, 65), SOURCE(21), TLVS, END,
};

/* 3.3 only, as libraries that still speak it have them; no specification text was at hand. */
static const struct slot param[] = { CSTR(F_PARAM_NAME, 0xffff), END };
static const struct slot param_ack[] = { STOP, CSTR_OPEN(F_PARAM_VALUE, 0xffff), END };
static const struct slot last[] = { SOURCE(21), UINT(F_NUM_MSGS, 1), END };
static const struct slot message_id[] = { CSTR(F_MESSAGE_ID, 65), END };
static const struct slot last_ack[] = {
	STOP, UINT(F_NUM_MSGS, 1), LIST_OF(F_MESSAGE_IDS, F_NUM_MSGS, message_id), END,
};
static const struct slot details[] = {
	CSTR(F_MESSAGE_ID, 65), SOURCE(21), UINT(F_SM_LENGTH, 1), END,
};
static const struct slot details_ack[] = {
	STOP, CSTR(F_SERVICE_TYPE, 6), SOURCE(21), UINT(F_DEST_COUNT, 1),
	LIST_OF(F_DEST_ADDRESS, F_DEST_COUNT, dest_address), UINT(F_PROTOCOL_ID, 1),
	UINT(F_PRIORITY_FLAG, 1), TIMES, UINT(F_REGISTERED_DELIVERY, 1), UINT(F_DATA_CODING, 1),
	MESSAGE, CSTR(F_MESSAGE_ID, 65), CSTR(F_FINAL_DATE, 17), UINT(F_MESSAGE_STATE, 1),
	UINT(F_ERROR_CODE, 1), END,
};

enum { ACK = (int)0x80000000 };

#define ROW(c, role, name, body) { (uint32_t)(c), 0, 0xff, role, name, body, NULL }

/* The busiest commands first: the table is searched from its top. */
static const struct layout layouts[] = {
	ROW(4, R_SUBMIT, "submit_sm", message),
	ROW(ACK | 4, R_SUBMIT_ACK, "submit_sm_resp", message_ack),
	ROW(5, R_DELIVER, "deliver_sm", message),
	ROW(ACK | 5, R_DELIVER_ACK, "deliver_sm_resp", message_ack),
	ROW(0x15, R_PROBE, "enquire_link", nothing),
	ROW(ACK | 0x15, R_PROBE_ACK, "enquire_link_resp", tlvs),
	ROW(0x103, R_DATA, "data_sm", data),
	ROW(ACK | 0x103, R_DATA_ACK, "data_sm_resp", message_ack),
	ROW(ACK, R_NACK, "generic_nack", tlvs),
	ROW(1, R_LOGIN, "bind_receiver", bind),
	ROW(ACK | 1, R_LOGIN_ACK, "bind_receiver_resp", bind_ack),
	ROW(2, R_LOGIN, "bind_transmitter", bind),
	ROW(ACK | 2, R_LOGIN_ACK, "bind_transmitter_resp", bind_ack),
	ROW(9, R_LOGIN, "bind_transceiver", bind),
	ROW(ACK | 9, R_LOGIN_ACK, "bind_transceiver_resp", bind_ack),
	ROW(OUTBIND, R_OUTBIND, "outbind", outbind),
	ROW(6, R_LOGOUT, "unbind", nothing),
	ROW(ACK | 6, R_LOGOUT_ACK, "unbind_resp", tlvs),
	ROW(3, R_QUERY, "query_sm", query),
	ROW(ACK | 3, R_QUERY_ACK, "query_sm_resp", query_ack),
	ROW(7, R_REPLACE, "replace_sm", replace),
	ROW(ACK | 7, R_REPLACE_ACK, "replace_sm_resp", tlvs),
	ROW(8, R_CANCEL, "cancel_sm", cancel),
	ROW(ACK | 8, R_CANCEL_ACK, "cancel_sm_resp", tlvs),
	ROW(0x21, R_SUBMIT, "submit_multi", multi),
	ROW(ACK | 0x21, R_SUBMIT_ACK, "submit_multi_resp", multi_ack),
	ROW(0x22, R_ADMIN, "param_retrieve", param),
	ROW(ACK | 0x22, R_ADMIN_ACK, "param_retrieve_resp", param_ack),
	ROW(0x23, R_ADMIN, "query_last_msgs", last),
	ROW(ACK | 0x23, R_ADMIN_ACK, "query_last_msgs_resp", last_ack),
	ROW(0x24, R_ADMIN, "query_msg_details", details),
	ROW(ACK | 0x24, R_ADMIN_ACK, "query_msg_details_resp", details_ack),
	ROW(0x102, R_ALERT, "alert_notification", alert),
	ROW(0x111, R_BROADCAST, "broadcast_sm", broadcast),
	ROW(ACK | 0x111, R_BROADCAST_ACK, "broadcast_sm_resp", message_ack),
	ROW(0x112, R_BROADCAST, "query_broadcast_sm", broadcast_query),
	ROW(ACK | 0x112, R_BROADCAST_ACK, "query_broadcast_sm_resp", message_ack),
	ROW(0x113, R_BROADCAST, "cancel_broadcast_sm", broadcast_cancel),
	ROW(ACK | 0x113, R_BROADCAST_ACK, "cancel_broadcast_sm_resp", tlvs),
	/* Huawei SMPP+ */
	ROW(0x01000001, R_ADMIN, "auth_acc", opaque),
	ROW(ACK | 0x01000001, R_ADMIN_ACK, "auth_acc_resp", opaque),
	ROW(0x01000002, R_ADMIN, "sm_result_notify", opaque),
	ROW(ACK | 0x01000002, R_ADMIN_ACK, "sm_result_notify_resp", opaque),
	{ 0 },
};

static const char *const field_names[F_COUNT] = {
#define FIELD(id, smpp, cmpp) [F_##id] = smpp,
#include "smscope/fields.def"
#undef FIELD
};

static const struct dialect dialects[] = {
	{ 0x33, "SMPP 3.3" }, { 0x34, "SMPP 3.4" }, { 0x50, "SMPP 5.0" }, { 0, "SMPP" },
};

static bool is_bind(uint32_t command)
{
	return command == 1 || command == 2 || command == 9;
}

/* Up to 0x33 is 3.3 or earlier; 0x35..0x4f and above 0x50 are reserved, though seen. */
static uint8_t version_of(uint64_t v, uint8_t now)
{
	if (v <= 0x33)
		return 0x33;
	return v == 0x34 || v == 0x50 ? (uint8_t)v : now;
}

/*
 * The lower of interface_version and sc_interface_version. A response without the TLV proves
 * nothing:
 * such SMSCs send TLVs all the same. Source: SMPP 3.4, section 5.3.2.25.
 */
static uint8_t dialect_of(struct span frame, uint8_t now)
{
	struct span v;
	struct pdu pdu;
	uint8_t theirs;

	if (pdu_parse(&pdu, &proto_smpp, now, frame) != SM_OK)
		return now;
	if (is_bind(pdu.command))
		return version_of(pdu_uint(&pdu, F_VERSION), now);
	if (!is_bind(pdu.command & ~(uint32_t)ACK) || !pdu_tlv(&pdu, TAG_SC_INTERFACE_VERSION, &v))
		return now;
	theirs = version_of(span_uint(v), now);
	return theirs < now ? theirs : now;
}

static int login_fit(struct span frame)
{
	struct pdu pdu;

	if (frame.n < HEADER || bytes_u32(frame.p) != frame.n || !is_bind(bytes_u32(frame.p + 4)) ||
	    bytes_u32(frame.p + 8) != 0)
		return 0;
	return pdu_parse(&pdu, &proto_smpp, proto_smpp.dialect_default, frame) == SM_OK ? 4 : 1;
}

/*
 * bind_*_resp with an empty system_id. 3.4 wants no body in an error, but stacks that always read
 * system_id fail on a bare header, and those that do not skip the one NUL.
 */
static int refuse(struct span frame, int reason, uint8_t *to, size_t cap)
{
	enum { ESME_RSYSERR = 0x08, ESME_RBINDFAIL = 0x0d, ESME_RINVSYSID = 0x0f,
		LEN = HEADER + 1 };

	if (frame.n < HEADER || !is_bind(bytes_u32(frame.p + 4)))
		return SM_ECMD;
	if (cap < LEN)
		return SM_ELEN;
	bytes_put_u32(to, LEN);
	bytes_put_u32(to + 4, (uint32_t)ACK | bytes_u32(frame.p + 4));
	bytes_put_u32(to + 8, reason == REFUSE_LIMIT ? ESME_RBINDFAIL
			      : reason == REFUSE_DENIED ? ESME_RINVSYSID : ESME_RSYSERR);
	memcpy(to + 12, frame.p + 12, 4);
	to[HEADER] = 0;
	return LEN;
}

const struct proto proto_smpp = {
	.name = "smpp",
	.header = header,
	.header_len = HEADER,
	.max_pdu = 69632, /* a message_payload of 65535 octets and 4 KiB for the rest */
	.dialect_default = 0x34,
	.field_names = field_names,
	.dialects = dialects,
	.code_side = CODE_SMPP,
	.login_verb = "BIND_RESP",
	.account_key = "system_id",
	.logout_word = "unbind",
	.status_in_header = true,
	.secret_mask = 1u << 1 | 1u << 2 | 1u << 9 | 1u << OUTBIND,
	.nack_command = (uint32_t)ACK,
	.layouts = layouts,
	.dialect_of = dialect_of,
	.login_fit = login_fit,
	.refuse = refuse,
	.report = receipt_smpp,
};
