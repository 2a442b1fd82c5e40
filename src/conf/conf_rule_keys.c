#include "conf/conf_rule_keys.h"

#include "smscope/edit.h"

/* The keys of a rule. The words of classes, origins and PDUs are those of the core. */

#define RULE(f)		offsetof(struct rule_settings, f), 0
#define RULE_ARRAY(f, n) offsetof(struct rule_settings, f), offsetof(struct rule_settings, n)

_Static_assert(sizeof(enum edit_action) == sizeof(int) && sizeof(enum edit_base) == sizeof(int) &&
	sizeof(enum edit_case) == sizeof(int) && sizeof(enum rule_from) == sizeof(int),
	"a choice is stored as an int");

static const struct conf_word action_words[] = {
	{ "none", EDIT_NONE }, { "map_status", EDIT_MAP_STATUS }, { "map_stat", EDIT_MAP_STAT },
	{ "message_id", EDIT_MESSAGE_ID }, { "err_width", EDIT_ERR_WIDTH },
	{ "annotate", EDIT_ANNOTATE }, { NULL, 0 }
};
static const struct conf_word from_words[] = {
	{ "any", RULE_FROM_ANY }, { "sp", RULE_FROM_SP }, { "gw", RULE_FROM_GW }, { NULL, 0 }
};
static const struct conf_word base_words[] = {
	{ "keep", ID_BASE_KEEP }, { "hex_to_dec", ID_BASE_HEX_TO_DEC },
	{ "dec_to_hex", ID_BASE_DEC_TO_HEX }, { NULL, 0 }
};
static const struct conf_word case_words[] = {
	{ "keep", ID_CASE_KEEP }, { "lower", ID_CASE_LOWER }, { "upper", ID_CASE_UPPER },
	{ NULL, 0 }
};
static const struct conf_word lang_words[] = {
	{ "en", LANG_EN }, { "zh", LANG_ZH }, { NULL, 0 }
};
static const struct conf_word pdu_words[] = {
	{ "login", CTX_LOGIN }, { "submit_resp", CTX_SUBMIT_RESP },
	{ "deliver_resp", CTX_DELIVER_RESP }, { "query_resp", CTX_QUERY_RESP },
	{ "cancel_resp", CTX_CANCEL_RESP }, { "forward_resp", CTX_FORWARD_RESP },
	{ "report", CTX_REPORT }, { "nack", CTX_NACK }, { NULL, 0 }
};
static const struct conf_word class_words[] = {
	{ "unknown", CLASS_UNKNOWN }, { "ok", CLASS_OK }, { "pending", CLASS_PENDING },
	{ "expired", CLASS_EXPIRED }, { "undeliverable", CLASS_UNDELIVERABLE },
	{ "rejected", CLASS_REJECTED }, { "throttled", CLASS_THROTTLED }, { "auth", CLASS_AUTH },
	{ "billing", CLASS_BILLING }, { "subscriber", CLASS_SUBSCRIBER },
	{ "number", CLASS_NUMBER }, { "content", CLASS_CONTENT }, { "routing", CLASS_ROUTING },
	{ "protocol", CLASS_PROTOCOL }, { "network", CLASS_NETWORK }, { "system", CLASS_SYSTEM },
	{ NULL, 0 }
};
static const struct conf_word origin_words[] = {
	{ "none", ORIGIN_NONE }, { "sp", ORIGIN_SP }, { "gateway", ORIGIN_GATEWAY },
	{ "next_gateway", ORIGIN_NEXT_GATEWAY }, { "smsc", ORIGIN_SMSC }, { "scp", ORIGIN_SCP },
	{ "dsmp", ORIGIN_DSMP }, { "space", ORIGIN_SPACE }, { "handset", ORIGIN_HANDSET },
	{ "platform", ORIGIN_PLATFORM }, { "local", ORIGIN_LOCAL }, { NULL, 0 }
};
/* Values are the numbers of bits: ANNOTATE_TLV is 1 << 0. */
static const struct conf_word in_words[] = { { "tlv", 0 }, { "text", 1 }, { NULL, 0 } };

const struct conf_key conf_rule_keys[CONF_RULE_KEYS] = {
	{ .name = "name", .type = CONF_NAME, RULE(name), .min = 1, .max = LINK_NAME_MAX,
	  .required = true, .reloadable = true,
	  .help = "What records call the rule: letters, digits, dot, dash, underscore." },
	{ .name = "action", .type = CONF_CHOICE, RULE(action), .preset = "none",
	  .reloadable = true, .words = action_words,
	  .help = "What the rule does; of each action the first rule that matches counts. none "
		"with stop makes an exception." },
	{ .name = "dry_run", .type = CONF_FLAG, RULE(dry_run), .preset = "false",
	  .reloadable = true, .help = "Only tell what the rule would change." },
	{ .name = "stop", .type = CONF_FLAG, RULE(stop), .preset = "false", .reloadable = true,
	  .help = "Where the rule matches, the rules behind it are not asked." },
	{ .name = "log", .type = CONF_FLAG, RULE(log), .preset = "false", .reloadable = true,
	  .help = "Tell each match, even where nothing changes." },
	{ .name = "pdu", .type = CONF_SET, RULE(pdus), .words = pdu_words,
	  .computed = "those that the action is for", .reloadable = true,
	  .help = "In which PDUs, one or a list." },
	{ .name = "from", .type = CONF_CHOICE, RULE(from), .preset = "any", .reloadable = true,
	  .words = from_words, .help = "Sent by whom: the SP's side, the gateway's, or any." },
	{ .name = "class", .type = CONF_SET, RULE(classes), .words = class_words,
	  .computed = "any", .reloadable = true, .help = "What the code says happened." },
	{ .name = "origin", .type = CONF_SET, RULE(origins), .words = origin_words,
	  .computed = "any", .reloadable = true, .help = "Who said so." },
	{ .name = "code", .type = CONF_CODES, RULE_ARRAY(codes, code_count), .min = 1,
	  .max = RULE_CODES_MAX, .computed = "any", .reloadable = true,
	  .help = "The code itself: of responses a number or a range such as 17-255, of reports a "
		"word, or its beginning, such as MB:*." },
	{ .name = "table", .type = CONF_NAMES, RULE_ARRAY(tables, table_count), .min = 1,
	  .max = NAMES_MAX, .computed = "any", .reloadable = true,
	  .help = "Code tables, one of which the meaning came from." },
	{ .name = "dst", .type = CONF_ACCOUNTS, RULE_ARRAY(dst, dst_count), .min = 1,
	  .max = RULE_TEXTS_MAX, .computed = "any", .reloadable = true,
	  .help = "How the number begins that the message was for." },
	{ .name = "account", .type = CONF_ACCOUNTS, RULE_ARRAY(accounts, account_count), .min = 1,
	  .max = RULE_TEXTS_MAX, .computed = "any", .reloadable = true,
	  .help = "Accounts, system_id or Source_Addr, that the session logged in as." },
	{ .name = "map", .type = CONF_NAME, RULE(map), .min = 1, .max = 64, .reloadable = true,
	  .help = "Map of codes/ that says what a code becomes; of err_width, where zeros are not "
		"enough." },
	{ .name = "to", .type = CONF_TEXT, RULE(to), .min = 1, .max = 16, .reloadable = true,
	  .help = "Instead of a map: the one status, or state, that every matching code becomes; with "
		"code, class, origin or table." },
	{ .name = "keep_err", .type = CONF_FLAG, RULE(keep_err), .preset = "true",
	  .reloadable = true,
	  .help = "map_stat: an err that is zeros or empty gets the stat that was." },
	{ .name = "id_base", .type = CONF_CHOICE, RULE(base), .preset = "keep",
	  .reloadable = true, .words = base_words,
	  .help = "message_id: from hexadecimal digits to decimal ones, or back." },
	{ .name = "id_case", .type = CONF_CHOICE, RULE(letters), .preset = "keep",
	  .reloadable = true, .words = case_words, .help = "message_id: the case of its letters." },
	{ .name = "id_width", .type = CONF_COUNT, RULE(id_width), .max = 64, .preset = "0",
	  .unit = "digits", .reloadable = true,
	  .help = "message_id: zeros in front until it has so many; 0 is none." },
	{ .name = "id_strip", .type = CONF_FLAG, RULE(strip_zeros), .preset = "false",
	  .reloadable = true, .help = "message_id: without the zeros in front." },
	{ .name = "width", .type = CONF_COUNT, RULE(err_width), .min = 3, .max = 4, .preset = "3",
	  .unit = "characters", .reloadable = true,
	  .help = "err_width: how long an err is to be." },
	{ .name = "in", .type = CONF_SET, RULE(annotate), .words = in_words,
	  .computed = "nowhere", .reloadable = true,
	  .help = "annotate: the meaning as the TLV additional_status_info_text of responses, in "
		"the text of receipts, or both." },
	{ .name = "lang", .type = CONF_CHOICE, RULE(lang), .preset = "en", .reloadable = true,
	  .words = lang_words, .help = "annotate: in English, or in Chinese." },
	{ .name = "payload", .type = CONF_FLAG, RULE(to_payload), .preset = "false",
	  .reloadable = true,
	  .help = "A receipt that gets too long for short_message moves to message_payload; else "
		"the rule leaves it alone." },
};
