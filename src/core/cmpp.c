#include "smscope/codes.h"
#include "smscope/receipt.h"

/*
 * CMPP 2.0, 2.1 and 3.0. The header has 12 octets:
 *     4 Total_Length | 4 Command_Id | 4 Sequence_Id
 * 2.1 differs from 2.0 in the meaning of values only. 3.0 widens results to 4 octets and numbers to
 * 32.
 * Sources: CMPP 2.0 (2002.4), sections 7 and 8; CMPP 3.0.0, QB-GF-028-2003, sections 8 and 9.
 */

enum { HEADER = 12, CONNECT = 1, CONNECT_LEN = 39, VERSION_AT = 34 };
enum { ACK2_LEN = 30, ACK3_LEN = 33 };

static const struct slot header[] = {
	UINT(F_LENGTH, 4), UINT(F_COMMAND, 4), UINT(F_SEQUENCE, 4), END,
};
static const struct slot nothing[] = { END };

/* 39 octets in every version. Source: CMPP 3.0, section 8.4.1.1. */
static const struct slot connect[] = {
	OCTETS(F_SYSTEM_ID, 6), RAW(F_AUTH_SOURCE, 16), UINT(F_VERSION, 1), UINT(F_TIMESTAMP, 4),
	END,
};

/*
 * Version is the highest that the server speaks, not what this connection uses. Source: section
 * 8.4.1.2.
 */
static const struct slot connect_ack2[] = {
	UINT(F_STATUS, 1), RAW(F_AUTH_ISMG, 16), UINT(F_VERSION, 1), END,
};
static const struct slot connect_ack3[] = {
	UINT(F_STATUS, 4), RAW(F_AUTH_ISMG, 16), UINT(F_VERSION, 1), END,
};

/*
 *     8 Msg_Id | 1 Pk_total | 1 Pk_number | 1 Registered_Delivery | 1 Msg_level | 10 Service_Id
 *     1 Fee_UserType | 21 or 32 Fee_terminal_Id | [3.0: 1 Fee_terminal_type]
 *     1 TP_pId | 1 TP_udhi | 1 Msg_Fmt | 6 Msg_src | 2 FeeType | 6 FeeCode
 *     17 ValId_Time | 17 At_Time | 21 Src_Id
 *     1 DestUsr_tl | n × 21 or 32 Dest_terminal_Id | [3.0: 1 Dest_terminal_type]
 *     1 Msg_Length | Msg_Content | 8 Reserve or 20 LinkID
 * Source: CMPP 2.0, section 7.4.3.1; CMPP 3.0, section 8.4.3.1.
 */
static const struct slot submit2[] = {
	RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1), UINT(F_REGISTERED_DELIVERY, 1),
	UINT(F_MSG_LEVEL, 1), OCTETS(F_SERVICE_ID, 10), UINT(F_FEE_USER_TYPE, 1),
	OCTETS(F_FEE_TERMINAL_ID, 21), UINT(F_PROTOCOL_ID, 1), UINT(F_TP_UDHI, 1),
	UINT(F_DATA_CODING, 1), OCTETS(F_MSG_SRC, 6), OCTETS(F_FEE_TYPE, 2), OCTETS(F_FEE_CODE, 6),
	OCTETS(F_VALIDITY_PERIOD, 17), OCTETS(F_SCHEDULE_DELIVERY_TIME, 17), OCTETS(F_SRC_ID, 21),
	UINT(F_DEST_COUNT, 1), LIST(F_DEST_TERMINAL_ID, F_DEST_COUNT, 21), UINT(F_SM_LENGTH, 1),
	VAR(F_SHORT_MESSAGE, F_SM_LENGTH), OCTETS(F_RESERVE, 8), END,
};
static const struct slot submit3[] = {
	RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1), UINT(F_REGISTERED_DELIVERY, 1),
	UINT(F_MSG_LEVEL, 1), OCTETS(F_SERVICE_ID, 10), UINT(F_FEE_USER_TYPE, 1),
	OCTETS(F_FEE_TERMINAL_ID, 32), UINT(F_FEE_TERMINAL_TYPE, 1), UINT(F_PROTOCOL_ID, 1),
	UINT(F_TP_UDHI, 1), UINT(F_DATA_CODING, 1), OCTETS(F_MSG_SRC, 6), OCTETS(F_FEE_TYPE, 2),
	OCTETS(F_FEE_CODE, 6), OCTETS(F_VALIDITY_PERIOD, 17), OCTETS(F_SCHEDULE_DELIVERY_TIME, 17),
	OCTETS(F_SRC_ID, 21), UINT(F_DEST_COUNT, 1), LIST(F_DEST_TERMINAL_ID, F_DEST_COUNT, 32),
	UINT(F_DEST_TERMINAL_TYPE, 1), UINT(F_SM_LENGTH, 1), VAR(F_SHORT_MESSAGE, F_SM_LENGTH),
	OCTETS(F_LINK_ID, 20), END,
};

/* Of SUBMIT and DELIVER alike. Source: CMPP 3.0, sections 8.4.3.2 and 8.4.5.2. */
static const struct slot result2[] = { RAW(F_MSG_ID, 8), UINT(F_RESULT, 1), END };
static const struct slot result3[] = { RAW(F_MSG_ID, 8), UINT(F_RESULT, 4), END };

/*
 *     8 Msg_Id | 21 Dest_Id | 10 Service_Id | 1 TP_pid | 1 TP_udhi | 1 Msg_Fmt
 *     21 or 32 Src_terminal_Id | [3.0: 1 Src_terminal_type] | 1 Registered_Delivery
 *     1 Msg_Length | Msg_Content | 8 Reserved or 20 LinkID
 * Source: CMPP 2.0, section 7.4.5.1; CMPP 3.0, section 8.4.5.1.
 */
static const struct slot deliver2[] = {
	RAW(F_MSG_ID, 8), OCTETS(F_DEST_ID, 21), OCTETS(F_SERVICE_ID, 10), UINT(F_PROTOCOL_ID, 1),
	UINT(F_TP_UDHI, 1), UINT(F_DATA_CODING, 1), OCTETS(F_SRC_TERMINAL_ID, 21),
	UINT(F_REGISTERED_DELIVERY, 1), UINT(F_SM_LENGTH, 1), VAR(F_SHORT_MESSAGE, F_SM_LENGTH),
	OCTETS(F_RESERVED, 8), END,
};
static const struct slot deliver3[] = {
	RAW(F_MSG_ID, 8), OCTETS(F_DEST_ID, 21), OCTETS(F_SERVICE_ID, 10), UINT(F_PROTOCOL_ID, 1),
	UINT(F_TP_UDHI, 1), UINT(F_DATA_CODING, 1), OCTETS(F_SRC_TERMINAL_ID, 32),
	UINT(F_SRC_TERMINAL_TYPE, 1), UINT(F_REGISTERED_DELIVERY, 1), UINT(F_SM_LENGTH, 1),
	VAR(F_SHORT_MESSAGE, F_SM_LENGTH), OCTETS(F_LINK_ID, 20), END,
};

/* Source: CMPP 3.0, sections 8.4.4 (QUERY) and 8.4.6 (CANCEL). */
static const struct slot query[] = {
	OCTETS(F_TIME, 8), UINT(F_QUERY_TYPE, 1), OCTETS(F_QUERY_CODE, 10), OCTETS(F_RESERVE, 8),
	END,
};
static const struct slot query_ack[] = {
	OCTETS(F_TIME, 8), UINT(F_QUERY_TYPE, 1), OCTETS(F_QUERY_CODE, 10), UINT(F_MT_TLMSG, 4),
	UINT(F_MT_TLUSR, 4), UINT(F_MT_SCS, 4), UINT(F_MT_WT, 4), UINT(F_MT_FL, 4),
	UINT(F_MO_SCS, 4),
	UINT(F_MO_WT, 4), UINT(F_MO_FL, 4), END,
};
static const struct slot cancel[] = { RAW(F_MSG_ID, 8), END };
static const struct slot cancel_ack2[] = { UINT(F_SUCCESS_ID, 1), END };
static const struct slot cancel_ack3[] = { UINT(F_SUCCESS_ID, 4), END };

/*
 * One reserved octet; some peers leave it off (seen in captures). Source: CMPP 3.0, section
 * 8.4.7.2.
 */
static const struct slot active_ack[] = { STOP, UINT(F_RESERVED, 1), END };

/* A message from ISMG to ISMG; SUBMIT with a route in front. Source: CMPP 3.0, section 8.4.8.1. */
static const struct slot fwd2[] = {
	OCTETS(F_SOURCE_ID, 6), OCTETS(F_DESTINATION_ID, 6), UINT(F_NODES_COUNT, 1),
	UINT(F_MSG_FWD_TYPE, 1), RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1),
	UINT(F_REGISTERED_DELIVERY, 1), UINT(F_MSG_LEVEL, 1), OCTETS(F_SERVICE_ID, 10),
	UINT(F_FEE_USER_TYPE, 1), OCTETS(F_FEE_TERMINAL_ID, 21), UINT(F_PROTOCOL_ID, 1),
	UINT(F_TP_UDHI, 1), UINT(F_DATA_CODING, 1), OCTETS(F_MSG_SRC, 6), OCTETS(F_FEE_TYPE, 2),
	OCTETS(F_FEE_CODE, 6), OCTETS(F_VALIDITY_PERIOD, 17), OCTETS(F_SCHEDULE_DELIVERY_TIME, 17),
	OCTETS(F_SRC_ID, 21), UINT(F_DEST_COUNT, 1), LIST(F_DEST_ID, F_DEST_COUNT, 21),
	UINT(F_SM_LENGTH, 1), VAR(F_SHORT_MESSAGE, F_SM_LENGTH), OCTETS(F_RESERVE, 8), END,
};
static const struct slot fwd3[] = {
	OCTETS(F_SOURCE_ID, 6), OCTETS(F_DESTINATION_ID, 6), UINT(F_NODES_COUNT, 1),
	UINT(F_MSG_FWD_TYPE, 1), RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1),
	UINT(F_REGISTERED_DELIVERY, 1), UINT(F_MSG_LEVEL, 1), OCTETS(F_SERVICE_ID, 10),
	UINT(F_FEE_USER_TYPE, 1), OCTETS(F_FEE_TERMINAL_ID, 21), OCTETS(F_FEE_TERMINAL_PSEUDO, 32),
	UINT(F_FEE_TERMINAL_USER_TYPE, 1), UINT(F_PROTOCOL_ID, 1), UINT(F_TP_UDHI, 1),
	UINT(F_DATA_CODING, 1), OCTETS(F_MSG_SRC, 6), OCTETS(F_FEE_TYPE, 2), OCTETS(F_FEE_CODE, 6),
	OCTETS(F_VALIDITY_PERIOD, 17), OCTETS(F_SCHEDULE_DELIVERY_TIME, 17), OCTETS(F_SRC_ID, 21),
	OCTETS(F_SRC_PSEUDO, 32), UINT(F_SRC_USER_TYPE, 1), UINT(F_SRC_TYPE, 1),
	UINT(F_DEST_COUNT, 1),
	LIST(F_DEST_ID, F_DEST_COUNT, 21), OCTETS(F_DEST_PSEUDO, 32), UINT(F_DEST_USER_TYPE, 1),
	UINT(F_SM_LENGTH, 1), VAR(F_SHORT_MESSAGE, F_SM_LENGTH), OCTETS(F_LINK_ID, 20), END,
};
static const struct slot fwd_ack2[] = {
	RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1), UINT(F_RESULT, 1), END,
};
static const struct slot fwd_ack3[] = {
	RAW(F_MSG_ID, 8), UINT(F_PK_TOTAL, 1), UINT(F_PK_NUMBER, 1), UINT(F_RESULT, 4), END,
};

/*
 * Routes, between ISMG and GNS. Where only the length of a body is known, it is one field.
 * Source: CMPP 2.0, section 8; CMPP 3.0, section 9.
 */
#define ROUTE_HEAD OCTETS(F_DESTINATION_ID, 6), OCTETS(F_GATEWAY_IP, 15), UINT(F_GATEWAY_PORT, 2)
#define MT_RANGE(n) OCTETS(F_START_ID, n), OCTETS(F_END_ID, n), OCTETS(F_AREA_CODE, 4)
#define SP_OF_3 OCTETS(F_SP_ID, 6), OCTETS(F_SP_CODE, 21), UINT(F_SP_ACCESS_TYPE, 1)
#define MO_RANGE OCTETS(F_START_CODE, 4), OCTETS(F_END_CODE, 4)

static const struct slot mt_route[] = { OCTETS(F_SOURCE_ID, 6), OCTETS(F_TERMINAL_ID, 21), END };
static const struct slot mt_route_ack2[] = {
	UINT(F_ROUTE_ID, 4), ROUTE_HEAD, MT_RANGE(6), UINT(F_RESULT, 1), END,
};
static const struct slot mt_route_ack3[] = {
	UINT(F_ROUTE_ID, 4), ROUTE_HEAD, MT_RANGE(9), UINT(F_RESULT, 1), UINT(F_USER_TYPE, 1),
	OCTETS(F_TIME_STAMP, 14), END,
};
static const struct slot mo_route[] = {
	OCTETS(F_SOURCE_ID, 6), OCTETS(F_SP_CODE, 21), OCTETS(F_SERVICE_ID, 10),
	OCTETS(F_SERVICE_CODE, 4), END,
};
static const struct slot mo_route_ack2[] = {
	UINT(F_ROUTE_ID, 4), ROUTE_HEAD, OCTETS(F_SP_ID, 21), MO_RANGE, UINT(F_RESULT, 1), END,
};
static const struct slot mo_route_ack3[] = {
	UINT(F_ROUTE_ID, 4), ROUTE_HEAD, SP_OF_3, MO_RANGE, UINT(F_RESULT, 1),
	OCTETS(F_TIME_STAMP, 14), END,
};
static const struct slot get_route2[] = {
	OCTETS(F_SOURCE_ID, 6), OCTETS(F_ROUTE_TYPE, 2), UINT(F_LAST_ROUTE_ID, 4), END,
};
static const struct slot get_route3[] = {
	OCTETS(F_SOURCE_ID, 6), OCTETS(F_ROUTE_TYPE, 4), UINT(F_LAST_ROUTE_ID, 4), END,
};
static const struct slot get_route_ack2[] = { RAW(F_BODY, 71), END };
static const struct slot get_mt_route_ack3[] = { RAW(F_BODY, 73), END };
static const struct slot get_mo_route_ack3[] = { RAW(F_BODY, 96), END };
static const struct slot mt_update2[] = { RAW(F_BODY, 44), END };
static const struct slot mt_update3[] = { RAW(F_BODY, 51), END };
static const struct slot mo_update2[] = { RAW(F_BODY, 67), END };
static const struct slot mo_update3[] = { RAW(F_BODY, 74), END };
static const struct slot push_mt3[] = { RAW(F_BODY, 65), END };
static const struct slot push_mo3[] = { RAW(F_BODY, 88), END };
static const struct slot route_result[] = { UINT(F_RESULT, 1), END };
static const struct slot update_ack3[] = { RAW(F_BODY, 19), END };

enum { ACK = (int)0x80000000 };

#define ROW(c, min, max, role, name, body, spec) \
	{ (uint32_t)(c), min, max, role, name, body, "CMPP_" spec }
#define BOTH(c, role, name, body, spec) ROW(c, 0, 0xff, role, name, body, spec)
#define V2(c, role, name, body, spec) ROW(c, 0, 0x2f, role, name, body, spec)
#define V3(c, role, name, body, spec) ROW(c, 0x30, 0xff, role, name, body, spec)

/* The busiest commands first: the table is searched from its top. */
static const struct layout layouts[] = {
	V2(4, R_SUBMIT, "submit", submit2, "SUBMIT"),
	V3(4, R_SUBMIT, "submit", submit3, "SUBMIT"),
	V2(ACK | 4, R_SUBMIT_ACK, "submit_resp", result2, "SUBMIT_RESP"),
	V3(ACK | 4, R_SUBMIT_ACK, "submit_resp", result3, "SUBMIT_RESP"),
	V2(5, R_DELIVER, "deliver", deliver2, "DELIVER"),
	V3(5, R_DELIVER, "deliver", deliver3, "DELIVER"),
	V2(ACK | 5, R_DELIVER_ACK, "deliver_resp", result2, "DELIVER_RESP"),
	V3(ACK | 5, R_DELIVER_ACK, "deliver_resp", result3, "DELIVER_RESP"),
	BOTH(8, R_PROBE, "active_test", nothing, "ACTIVE_TEST"),
	BOTH(ACK | 8, R_PROBE_ACK, "active_test_resp", active_ack, "ACTIVE_TEST_RESP"),
	BOTH(1, R_LOGIN, "connect", connect, "CONNECT"),
	V2(ACK | 1, R_LOGIN_ACK, "connect_resp", connect_ack2, "CONNECT_RESP"),
	V3(ACK | 1, R_LOGIN_ACK, "connect_resp", connect_ack3, "CONNECT_RESP"),
	BOTH(2, R_LOGOUT, "terminate", nothing, "TERMINATE"),
	BOTH(ACK | 2, R_LOGOUT_ACK, "terminate_resp", nothing, "TERMINATE_RESP"),
	BOTH(6, R_QUERY, "query", query, "QUERY"),
	BOTH(ACK | 6, R_QUERY_ACK, "query_resp", query_ack, "QUERY_RESP"),
	BOTH(7, R_CANCEL, "cancel", cancel, "CANCEL"),
	V2(ACK | 7, R_CANCEL_ACK, "cancel_resp", cancel_ack2, "CANCEL_RESP"),
	V3(ACK | 7, R_CANCEL_ACK, "cancel_resp", cancel_ack3, "CANCEL_RESP"),
	V2(9, R_FORWARD, "fwd", fwd2, "FWD"),
	V3(9, R_FORWARD, "fwd", fwd3, "FWD"),
	V2(ACK | 9, R_FORWARD_ACK, "fwd_resp", fwd_ack2, "FWD_RESP"),
	V3(ACK | 9, R_FORWARD_ACK, "fwd_resp", fwd_ack3, "FWD_RESP"),
	BOTH(0x10, R_ROUTE, "mt_route", mt_route, "MT_ROUTE"),
	V2(ACK | 0x10, R_ROUTE_ACK, "mt_route_resp", mt_route_ack2, "MT_ROUTE_RESP"),
	V3(ACK | 0x10, R_ROUTE_ACK, "mt_route_resp", mt_route_ack3, "MT_ROUTE_RESP"),
	BOTH(0x11, R_ROUTE, "mo_route", mo_route, "MO_ROUTE"),
	V2(ACK | 0x11, R_ROUTE_ACK, "mo_route_resp", mo_route_ack2, "MO_ROUTE_RESP"),
	V3(ACK | 0x11, R_ROUTE_ACK, "mo_route_resp", mo_route_ack3, "MO_ROUTE_RESP"),
	V2(0x12, R_ROUTE, "get_route", get_route2, "GET_ROUTE"),
	V3(0x12, R_ROUTE, "get_mt_route", get_route3, "GET_MT_ROUTE"),
	V2(ACK | 0x12, R_ROUTE_ACK, "get_route_resp", get_route_ack2, "GET_ROUTE_RESP"),
	V3(ACK | 0x12, R_ROUTE_ACK, "get_mt_route_resp", get_mt_route_ack3, "GET_MT_ROUTE_RESP"),
	V2(0x13, R_ROUTE, "mt_route_update", mt_update2, "MT_ROUTE_UPDATE"),
	V3(0x13, R_ROUTE, "mt_route_update", mt_update3, "MT_ROUTE_UPDATE"),
	V2(ACK | 0x13, R_ROUTE_ACK, "mt_route_update_resp", route_result, "MT_ROUTE_UPDATE_RESP"),
	V3(ACK | 0x13, R_ROUTE_ACK, "mt_route_update_resp", update_ack3, "MT_ROUTE_UPDATE_RESP"),
	V2(0x14, R_ROUTE, "mo_route_update", mo_update2, "MO_ROUTE_UPDATE"),
	V3(0x14, R_ROUTE, "mo_route_update", mo_update3, "MO_ROUTE_UPDATE"),
	V2(ACK | 0x14, R_ROUTE_ACK, "mo_route_update_resp", route_result, "MO_ROUTE_UPDATE_RESP"),
	V3(ACK | 0x14, R_ROUTE_ACK, "mo_route_update_resp", update_ack3, "MO_ROUTE_UPDATE_RESP"),
	V2(0x15, R_ROUTE, "push_mt_route_update", mt_update2, "PUSH_MT_ROUTE_UPDATE"),
	V3(0x15, R_ROUTE, "push_mt_route_update", push_mt3, "PUSH_MT_ROUTE_UPDATE"),
	BOTH(ACK | 0x15, R_ROUTE_ACK, "push_mt_route_update_resp", route_result,
		"PUSH_MT_ROUTE_UPDATE_RESP"),
	V2(0x16, R_ROUTE, "push_mo_route_update", mo_update2, "PUSH_MO_ROUTE_UPDATE"),
	V3(0x16, R_ROUTE, "push_mo_route_update", push_mo3, "PUSH_MO_ROUTE_UPDATE"),
	BOTH(ACK | 0x16, R_ROUTE_ACK, "push_mo_route_update_resp", route_result,
		"PUSH_MO_ROUTE_UPDATE_RESP"),
	BOTH(0x17, R_ROUTE, "get_mo_route", get_route3, "GET_MO_ROUTE"),
	BOTH(ACK | 0x17, R_ROUTE_ACK, "get_mo_route_resp", get_mo_route_ack3, "GET_MO_ROUTE_RESP"),
	{ 0 },
};

static const char *const field_names[F_COUNT] = {
#define FIELD(id, smpp, cmpp) [F_##id] = cmpp,
#include "smscope/fields.def"
#undef FIELD
};

static const struct dialect dialects[] = {
	{ 0x20, "CMPP 2.0" }, { 0x21, "CMPP 2.1" }, { 0x30, "CMPP 3.0" }, { 0x12, "CMPP 1.2" },
	{ 0, "CMPP" },
};

static const enum field status_fields[] = { F_RESULT, F_STATUS, F_SUCCESS_ID, F_NONE };

static bool is_connect(struct span frame)
{
	return frame.n == CONNECT_LEN && bytes_u32(frame.p) == CONNECT_LEN &&
	       bytes_u32(frame.p + 4) == CONNECT;
}

static bool version_known(uint8_t v)
{
	return v == 0x12 || v == 0x20 || v == 0x21 || v == 0x30;
}

/*
 * CONNECT says what the client wants. CONNECT_RESP decides, by its length: its Version octet may
 * name 3.0 in a PDU framed as 2.x. A private version (0x7f is seen) proves nothing.
 */
static uint8_t dialect_of(struct span frame, uint8_t now)
{
	if (is_connect(frame))
		return version_known(frame.p[VERSION_AT]) ? frame.p[VERSION_AT] : now;
	if (frame.n < HEADER || bytes_u32(frame.p + 4) != ((uint32_t)ACK | CONNECT))
		return now;
	if (frame.n == ACK3_LEN)
		return now >= 0x30 ? now : 0x30;
	if (frame.n == ACK2_LEN)
		return now < 0x30 ? now : 0x20;
	return now;
}

/*
 * A bind_receiver may be 39 octets long, too: there Source_Addr begins with a sequence number's
 * NUL.
 */
static int login_fit(struct span frame)
{
	if (!is_connect(frame))
		return 0;
	return 1 + version_known(frame.p[VERSION_AT]) +
	       (frame.p[HEADER] > ' ' && frame.p[HEADER] < 0x7f);
}

/*
 * CONNECT_RESP with an empty authenticator, as the specification asks of a failure.
 * Status 2: illegal source address. Status 5: other. Source: CMPP 3.0, section 8.4.1.2.
 */
static int refuse(struct span frame, int reason, uint8_t *to, size_t cap)
{
	uint8_t version, status = reason == REFUSE_DENIED ? 2 : 5;
	size_t len;

	if (!is_connect(frame))
		return SM_ECMD;
	version = frame.p[VERSION_AT] >= 0x30 ? 0x30 : frame.p[VERSION_AT];
	len = version >= 0x30 ? ACK3_LEN : ACK2_LEN;
	if (cap < len)
		return SM_ELEN;
	memset(to, 0, len);
	bytes_put_u32(to, (uint32_t)len);
	bytes_put_u32(to + 4, (uint32_t)ACK | CONNECT);
	memcpy(to + 8, frame.p + 8, 4);
	to[len == ACK3_LEN ? HEADER + 3 : HEADER] = status;
	to[len - 1] = version;
	return (int)len;
}

const struct proto proto_cmpp = {
	.name = "cmpp",
	.header = header,
	.header_len = HEADER,
	.max_pdu = 16384, /* a SUBMIT 3.0 with 255 destinations and 255 octets has 8578 */
	.dialect_default = 0x20,
	.field_names = field_names,
	.dialects = dialects,
	.code_side = CODE_CMPP,
	.login_verb = "CONNECT_RESP",
	.account_key = "source_addr",
	.logout_word = "terminate",
	.secret_mask = 1u << CONNECT,
	.layouts = layouts,
	.status_fields = status_fields,
	.dialect_of = dialect_of,
	.login_fit = login_fit,
	.refuse = refuse,
	.report = receipt_cmpp,
};
