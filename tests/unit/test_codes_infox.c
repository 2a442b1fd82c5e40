#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/conf.h"

/*
 * The shipped tables answer as the vendor's documents and the rules for reading them say: nesting,
 * order, and each known ambiguity.
 */

static struct code_set *set;

static int setup(void **state)
{
	struct conf_faults faults = { .to = stderr };

	(void)state;
	set = codes_load(SOURCE_DIR "/codes", NULL, &faults);
	return set == NULL;
}

static int teardown(void **state)
{
	(void)state;
	codes_free(set);
	return 0;
}

/*
 * One question and its whole answer. Meanings stand in order, "; " between; '?' behind one of several,
 * "(…)" around the standard one beside; "> " before inner meanings, " | " between them; "own" for the
 * peer's own inner value, "none" for one that no table has.
 */
struct expect {
	const char *profile;
	enum code_context context;
	enum code_side side;
	uint8_t dialect;
	const char *text;   /* NULL: number */
	int64_t number;
	const char *want;
};

static void answer_write(FILE *to, const struct code_answer *a)
{
	fprintf(to, "%s%s%s", a->beside ? "(" : "", a->row->zh, a->ambiguous ? "?" : "");
	if (a->has_nested)
		fprintf(to, " > %s", a->nested_foreign ? "own" : a->nested_count == 0 ? "none" : "");
	for (int i = 0; i < a->nested_count; i++)
		fprintf(to, "%s%s%s", i > 0 ? " | " : "", a->nested[i].row->zh, a->nested[i].ambiguous ? "?" : "");
	fprintf(to, "%s", a->beside ? ")" : "");
}

static bool holds(const struct expect *e)
{
	const struct code_profile *p[] = { codes_profile(set, e->profile), NULL };
	struct code_query q = { .profiles = p, .context = e->context, .side = e->side, .dialect = e->dialect,
		.is_text = e->text != NULL, .number = e->number, .by_name = true };
	struct code_answer ret[CODE_ANSWERS_MAX];
	char got[2048] = "";
	FILE *to = fmemopen(got, sizeof(got), "w");
	int n;

	assert_non_null(to);
	assert_non_null(p[0]);
	if (e->text != NULL)
		q.text = span_of(e->text, strlen(e->text));
	n = codes_lookup(set, &q, ret, CODE_ANSWERS_MAX);
	for (int i = 0; i < n; i++) {
		fputs(i > 0 ? "; " : "", to);
		answer_write(to, &ret[i]);
	}
	fclose(to);
	if (strcmp(got, e->want) == 0)
		return true;
	print_error("%s %s %s %lld\n  wanted: %s\n  got:    %s\n", e->profile, code_context_name(e->context),
		e->text != NULL ? e->text : "", (long long)e->number, e->want, got);
	return false;
}

static void all_hold(const struct expect *e, size_t count)
{
	size_t good = 0;

	for (size_t i = 0; i < count; i++)
		good += holds(&e[i]);
	assert_int_equal(good, count);
}

#define ALL_HOLD(e) all_hold(e, sizeof(e) / sizeof((e)[0]))
#define REPORT(text, want) { "infox", CTX_REPORT, CODE_CMPP, 0x20, text, 0, want }
#define COMPOSITE(n, want) { "infox", CTX_COMPOSITE, CODE_ANY, 0, NULL, n, want }
#define SUBMIT2(n, want) { "infox", CTX_SUBMIT_RESP, CODE_CMPP, 0x20, NULL, n, want }
#define SUBMIT3(n, want) { "infox", CTX_SUBMIT_RESP, CODE_CMPP, 0x30, NULL, n, want }
#define STATUS(n, want) { "infox", CTX_SUBMIT_RESP, CODE_SMPP, 0x34, NULL, n, want }
#define LOGIN(n, want) { "infox", CTX_LOGIN, CODE_SMPP, 0x34, NULL, n, want }
#define LOG(n, want) { "infox", CTX_LOG, CODE_ANY, 0, NULL, n, want }

#define MB "SMSC返回错误响应消息时的状态报告"
#define STD_MB "; (短消息中心返回错误响应 > own)"
#define MA "SMSC不返回响应消息时的状态报告"
#define STD_MA "; (短消息中心未返回响应 > own)"
#define IB "下一级ISMG返回错误响应消息时的状态报告"
#define STD_IB "; (下一级网关返回错误响应 > own)"
#define CB "SCP返回错误响应消息时的状态报告"
#define STD_CB "; (SCP 返回错误响应 > own)"

static void test_reports(void **state)
{
	static const struct expect e[] = {
		REPORT("DELIVRD", "消息已送达目的地; (已送达)"),
		REPORT("MB:0064", MB " > 地址错误? | 无效的目的地址NPI?" STD_MB),
		REPORT("mb:0064", MB " > 地址错误? | 无效的目的地址NPI?" STD_MB),
		REPORT("IB:0072", IB " > 找不到路由" STD_IB),
		REPORT("DB:9007", "DSMP返回错误响应消息时的状态报告 > 业务网关超过限制的流量; (DSMP 返回错误响应 > own)"),
		REPORT("CB:0007", CB " > 用户余额不足" STD_CB),
		REPORT("ID:0020", "SPACE用户鉴权模块鉴权用户停机或欠费错误"),
		REPORT("ID:0021", "SPACE用户鉴权模块:用户销户错误"),
		REPORT("ID:0072", "网关ISMG内部检测错误码 > 找不到路由"),
		REPORT("MK:0010", "SMSC返回状态报告的状态值为UNDELIV > own"),
		REPORT("SB:9007", "SP返回错误响应消息时的状态报告 > own; (SP 返回错误响应 > own)"),
		REPORT("MC:0055", "没有从SMSC处接收到状态报告时的状态报告 > 等待状态报告超时; (未收到短消息中心的状态报告 > own)"),
		REPORT("IA:0072", "下一级ISMG不返回响应消息时的状态报告 > 找不到路由; (下一级网关未返回响应 > own)"),
		REPORT("MA:0054", MA " > 超时未接收到响应消息" STD_MA),
		REPORT("CB:9999", CB " > none" STD_CB),
		REPORT("XX:0001", ""),
		REPORT("0012", "鉴权失败"),
		REPORT("-2147483312", "重发消息错误 > 在重发进程中超时"),
		{ "infox", CTX_REPORT, CODE_SMPP, 0x34, NULL, 2, "已送达" },
		{ "infox", CTX_RECEIPT_ERR, CODE_SMPP, 0x34, "IB:0072", 0, IB " > 找不到路由" },
		{ "standard", CTX_REPORT, CODE_CMPP, 0x20, "MB:0064", 0, "短消息中心返回错误响应 > own" },
		{ "standard", CTX_REPORT, CODE_SMPP, 0x34, "undeliv", 0, "无法送达" },
	};

	(void)state;
	ALL_HOLD(e);
}

static void test_results(void **state)
{
	static const struct expect e[] = {
		STATUS(57, "流量控制错; (保留); (群发列表修改选项无效)"),
		SUBMIT2(8, "流量控制错; (流量控制:超过约定速率)"),
		LOGIN(11, "登录效验密码错误; (目的地址无效)"),
		{ "standard", CTX_LOGIN, CODE_SMPP, 0x34, NULL, 11, "目的地址无效" },
		{ "infox", CTX_LOGIN, CODE_CMPP, 0x20, NULL, 3, "登录效验密码错误; (认证失败)" },
		STATUS(88, "短消息中心或SCP处出错; (流量受限:发送速率超过允许值)"),
		{ "standard", CTX_SUBMIT_RESP, CODE_SMPP, 0x34, "ESME_RTHROTTLED", 0, "流量受限:发送速率超过允许值" },
		SUBMIT2(256, "其他错误"),
	};

	(void)state;
	ALL_HOLD(e);
}

/* The numbers are those of the list of ambiguities that the tables' documents have. */
static void test_ambiguities(void **state)
{
	static const struct expect e[] = {
		/* 1 */ { "infox", CTX_COMPOSITE, CODE_ANY, 0, "0051", 0, "网关错误码 > 尚未建立连接" },
		/* 1 */ { "infox", CTX_SUBMIT_RESP, CODE_SMPP, 0x34, "0x39", 0, "流量控制错; (保留); (群发列表修改选项无效)" },
		/* 2 */ COMPOSITE(10012, "消息发往SCP出错时错误码 > 发送SCP的过程中目的帐号被删除"),
		/* 2 */ COMPOSITE(100065, "SMC返回错误应答时的错误码,其中FFFF为SMC返回的错误应答消息中的错误码值 > "
			"超过最大提交数? | 目的地址错误?"),
		/* 2 */ COMPOSITE(72, "网关错误码 > 找不到路由"),
		/* 2 */ COMPOSITE(130001, ""),
		/* 2 */ COMPOSITE(1000065, ""),
		/* 3 */ COMPOSITE(97001, "消息发往SMC出错时错误码 > none"),
		/* 3 */ LOG(97001, "缺省解码失败"),
		/* 3 */ LOG(19003, "握手超时"),
		/* 4 */ REPORT("MB:0065", MB " > 超过最大提交数? | 目的地址错误?" STD_MB),
		/* 4 */ REPORT("MB:0020", MB " > 保留? | 无效的SYSTEMID? | 消息队列满?" STD_MB),
		/* 4 */ REPORT("MB:004A", MB " > 替换消息失败" STD_MB),
		/* 4 */ REPORT("MB:0008", MB " > 保留给SMSC厂商定义错误? | 短消息中心系统错误?" STD_MB),
		/* 4 */ REPORT("MB:0088", MB " > 保留? | 流量受限:发送速率超过允许值?" STD_MB),
		/* 5 */ REPORT("MI:0010", "SMSC返回状态报告的状态值为EXPIRED > own"),
		/* 6 */ STATUS(19, "接口无效?; 无提交权限?; (替换消息失败)"),
		/* 6 */ SUBMIT2(15, "接口无效; (其他错误)"),
		/* 6 */ SUBMIT2(19, "无提交权限; (其他错误)"),
		/* 7 */ SUBMIT2(60, "黑名单用户?; 余额不足?; (其他错误)"),
		/* 7 */ STATUS(60, "黑名单用户?; 余额不足?; (保留)"),
		/* 7 */ REPORT("CB:0060", CB " > 余额不足" STD_CB),
		/* 7 */ COMPOSITE(20060, "SCP返回错误应答时的错误码,其中BBBB为SCP返回的错误应答消息中的错误码值 > 余额不足"),
		/* 8 */ LOGIN(48, "对端设备IP被限制; (保留); (列出群发列表失败)"),
		/* 8 */ STATUS(48, "短消息中心或SCP处出错; (保留); (列出群发列表失败)"),
		/* 9 */ STATUS(66, "超过最大下发数; (不接受带替换要求的提交)"),
		/* 10 */ SUBMIT2(9, "前转判断错?; 本网关不负责此计费号码?; (其他错误)"),
		/* 10 */ SUBMIT3(9, "本网关不负责此计费号码?; 前转判断错?; (本网关不负责此计费号码)"),
		/* 10 */ SUBMIT2(13, "各种鉴权失败?; 目的地址错?; (其他错误)"),
		/* 10 */ SUBMIT3(13, "目的地址错?; 各种鉴权失败?; (Dest_terminal_Id 错误)"),
		/* 10 */ SUBMIT2(72, "短消息中心或SCP处出错?; 找不到路由?; (其他错误)"),
		/* 10 */ SUBMIT2(64, "地址错误; (其他错误)"),
		/* 10 */ SUBMIT3(20060, "SCP返回错误应答时的错误码,其中BBBB为SCP返回的错误应答消息中的错误码值 > 余额不足"),
	};

	(void)state;
	ALL_HOLD(e);
}

static void test_ambiguities_nested(void **state)
{
	static const struct expect e[] = {
		/* 11 */ REPORT("IB:0009", IB " > 本网关不负责此计费号码? | 前转判断错?" STD_IB),
		/* 11 */ COMPOSITE(40009, "下一级ISMG返回错误应答时的错误码,其中CCCC为下一级ISMG返回的错误应答消息中的错误码值 > "
			"本网关不负责此计费号码? | 前转判断错?"),
		/* 12 */ REPORT("MB:0250", MB " > 保留给SMSC厂商定义错误? | 消息队列满?" STD_MB),
		/* 13 */ { "infox", CTX_LOG, CODE_ANY, 0, "2147483984", 0, "在重发进程中超时" },
		/* 13 */ { "infox", CTX_LOG, CODE_ANY, 0, "E_STORE_TIME_OUT", 0, "在重发进程中超时" },
		/* 14 */ REPORT("CA:0100", "SCP不返回响应消息时的状态报告 > 向SCP发送消息时失败; (SCP 未返回响应 > own)"),
		/* 14 */ REPORT("MA:0100", MA " > 厂家自定义的错误码? | 向SCP发送消息时失败?" STD_MA),
		/* 14 */ COMPOSITE(10100, "消息发往SCP出错时错误码 > 向SCP发送消息时失败"),
		/* 14 */ COMPOSITE(90100, "消息发往SMC出错时错误码 > 厂家自定义的错误码? | 向SCP发送消息时失败?"),
		/* 15 */ REPORT("MI::0010", "SMSC返回状态报告的状态值为EXPIRED > own"),
		/* 15 */ COMPOSITE(120102, "SPACE返回错误应答时的错误码,其中FFFF为SPACE返回的错误应答消息中的错误码值 > 用户停机"),
		/* 16 */ REPORT("CB:0014", CB " > 未登记的网关" STD_CB),
		/* 16 */ REPORT("CB:0030", CB " > 未登记的网关" STD_CB),
		/* 17 */ COMPOSITE(89007, "DSMP返回错误应答时的错误码,其中EEEE为DSMP返回的错误应答消息中的错误码值 > "
			"业务网关超过限制的流量"),
		/* 17 */ COMPOSITE(69007, "SP返回错误应答时的错误码,其中DDDD为SP返回的错误应答消息中的错误码值 > own"),
		/* 18 */ LOG(4021, "增加号段鉴权信息已经存在或输入号段无效"),
		/* 18 */ LOG(99021, "增加号段鉴权信息已经存在或输入号段无效"),
		/* 18 */ LOG(99039, ""),
		/* 19 */ LOG(0, "接口断连,没有socket错误"),
		/* 20 */ { "aliyun", CTX_SUBMIT_RESP, CODE_SMPP, 0x34, NULL, 20, "调用成功; (消息队列满)" },
		/* 20 */ { "aliyun", CTX_SUBMIT_RESP, CODE_SMPP, 0x34, NULL, 0, "成功" },
		/* 20 */ { "aliyun", CTX_API, CODE_ANY, 0, "isp.SYSTEM_ERROR", 0, "接入层发生系统错误?; 发生系统错误?" },
		/* 21 */ { "openharmony", CTX_ERRNO, CODE_ANY, 0, NULL, 2301104, "连接被对端复位" },
		/* 21 */ { "openharmony", CTX_ERRNO, CODE_ANY, 0, NULL, 2303104, "中断系统调用" },
		/* 21 */ { "openharmony", CTX_ERRNO, CODE_ANY, 0, NULL, 2300002, "系统内部错误" },
		/* 22 */ { "unimtx", CTX_API, CODE_ANY, 0, NULL, 101000, "内部错误" },
		/* 23 */ { "huaweicloud", CTX_API, CODE_ANY, 0, "000000", 0, "请求发送成功" },
	};

	(void)state;
	ALL_HOLD(e);
}

/*
 * MB: the SMSC's own table first; where its row is a reserved or vendor's range or the default row and
 * the number is a named SMPP 3.4 status, that status is a further reading. Every number, in both forms.
 */
static void check_mb(int n, const struct code_answer *a)
{
	const struct code_table *smpp = codes_table(set, "smpp34-status");
	const struct code_row *smc = a->nested[0].row, *named = NULL;
	bool found = false;

	assert_string_equal(a->nested[0].table->name, "infox-smc");
	for (int i = 0; i < smpp->row_count && n > 0; i++)
		if (smpp->rows[i].lo == n && smpp->rows[i].hi == n && smpp->rows[i].name != NULL)
			named = &smpp->rows[i];
	for (int i = 1; i < a->nested_count; i++) {
		found = found || (a->nested[i].row == named && a->nested[i].ambiguous);
		assert_true(a->nested[i].table != smpp || a->nested[i].row == named);
	}
	assert_int_equal(found, named != NULL && (smc->is_default || smc->lo < smc->hi));
}

static void test_smsc_answers(void **state)
{
	const struct code_profile *p[] = { codes_profile(set, "infox"), NULL };
	struct code_query stat = { .profiles = p, .context = CTX_REPORT, .side = CODE_CMPP, .is_text = true };
	struct code_query composite = { .profiles = p, .context = CTX_COMPOSITE, .side = CODE_ANY };
	struct code_answer ret[CODE_ANSWERS_MAX];

	(void)state;
	for (int n = 0; n <= 9999; n++) {
		char text[16];

		snprintf(text, sizeof(text), "MB:%04d", n);
		stat.text = span_of(text, strlen(text));
		assert_in_range(codes_lookup(set, &stat, ret, CODE_ANSWERS_MAX), 1, 2);
		check_mb(n, &ret[0]);
		composite.number = 100000 + n;
		assert_int_equal(codes_lookup(set, &composite, ret, CODE_ANSWERS_MAX), 1);
		check_mb(n, &ret[0]);
	}
}

/* Published lists and GSM: a profile picks the number space; standard knows the network's own errors. */
static void test_carriers(void **state)
{
#define LISTS(p, text, want) { p, CTX_REPORT, CODE_CMPP, 0x20, text, 0, want }
#define MK "短消息中心报告的状态为 UNDELIV > "
	static const struct expect e[] = {
		LISTS("carriers-h", "MK:0011", MK "消息等待列表满(MAP 33)"),
		LISTS("carriers-n", "MK:0011", MK "未开通短消息业务"),
		LISTS("carriers-n", "MK:11", MK "未开通短消息业务"),
		LISTS("carriers-n", "MK:0101", MK "系统拥塞"),
		LISTS("carriers-s", "MK:0011", MK "own"),
		LISTS("carriers-h", "MK:0099", MK "none"),
		LISTS("carriers-h", "MB:0066", "短消息中心返回错误响应 > 替换请求无效" STD_MB),
		LISTS("carriers-s", "MB:0066", "短消息中心返回错误响应 > 超过最大下发数" STD_MB),
		LISTS("carriers-n", "MB:0066", "短消息中心返回错误响应 > own"),
		LISTS("carriers-h", "ID:0140", "网关内部检测出的错误 > 不在白名单中"),
		LISTS("carriers-h", "DELIVRD", "已送达"),
		LISTS("carriers-aggregator", "MA:0022", "平台规则 > 超过单号码限制" STD_MA),
		LISTS("carriers-aggregator", "noroute", "没有路由"),
		{ "carriers-h", CTX_SUBMIT_RESP, CODE_CMPP, 0x20, NULL, 69, "黑名单用户; (其他错误)" },
		{ "carriers-h", CTX_SUBMIT_RESP, CODE_CMPP, 0x20, NULL, 8, "流量控制:超过约定速率" },
		{ "standard", CTX_NETWORK_ERROR, CODE_SMPP, 0x34, NULL, 27, "用户不在服务区或关机?; 目的终端不可用?" },
		{ "standard", CTX_NETWORK_ERROR, CODE_SMPP, 0x34, NULL, 6, "用户不在服务区(短消息)" },
		{ "standard", CTX_NETWORK_ERROR, CODE_SMPP, 0x34, NULL, 0xd3, "存储空间已满" },
		{ "standard", CTX_RECEIPT_ERR, CODE_SMPP, 0x34, "027", 0, "" },
		{ "gsm", CTX_RECEIPT_ERR, CODE_SMPP, 0x34, "006", 0, "用户不在服务区(短消息)" },
		{ "infox", CTX_RECEIPT_ERR, CODE_SMPP, 0x34, "027", 0, "应答超时" },
	};

	(void)state;
	ALL_HOLD(e);
}

/* Sockets: the platform picks the table; unknown, Winsock comes first. */
static void test_platform(void **state)
{
	const struct code_profile *p[] = { codes_profile(set, "infox"), NULL };
	struct code_query q = { .profiles = p, .context = CTX_LOG, .side = CODE_ANY, .number = 10054 };
	struct code_answer ret[CODE_ANSWERS_MAX];

	(void)state;
	assert_int_equal(codes_lookup(set, &q, ret, CODE_ANSWERS_MAX), 2);
	assert_string_equal(ret[0].table->name, "infox-winsock");
	assert_string_equal(ret[1].table->name, "infox-hpux");
	assert_true(ret[0].ambiguous && ret[1].ambiguous);
	q.platform = PLATFORM_HPUX;
	assert_int_equal(codes_lookup(set, &q, ret, CODE_ANSWERS_MAX), 1);
	assert_string_equal(ret[0].table->name, "infox-hpux");
	assert_false(ret[0].ambiguous);
	q.platform = PLATFORM_AIX;
	assert_int_equal(codes_lookup(set, &q, ret, CODE_ANSWERS_MAX), 0);
}

/*
 * Every row of every table is found again through a lookup by what it matches. A site profile lists
 * each table in a context of its own.
 */
static bool row_found(const struct code_set *s, const struct code_row *row, const char *table)
{
	const struct code_profile *p[] = { codes_profile(s, table), NULL };
	struct code_query q = { .profiles = p, .context = CTX_API, .side = CODE_ANY };
	/* The ends of a range may have rows of their own, but not both. No table lists the third. */
	const int64_t numbers[] = { row->lo, row->hi, 123456789 };
	struct code_answer ret[CODE_ANSWERS_MAX];
	char text[80] = "";

	if (row->text != NULL) {
		snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(row->text, "*"), row->text, row->prefix ? "9998" : "");
		q.is_text = true;
		q.text = span_of(text, strlen(text));
	}
	for (int k = row->lo > row->hi ? 2 : 0; k < 3; k++) {
		int n;

		q.number = numbers[k];
		n = codes_lookup(s, &q, ret, CODE_ANSWERS_MAX);
		for (int i = 0; i < n; i++)
			if (strcmp(ret[i].row->key, row->key) == 0 && ret[i].row->source_line == row->source_line)
				return true;
	}
	return false;
}

static void test_every_row(void **state)
{
	struct conf_faults faults = { .to = stderr };
	struct code_set *s;
	char name[] = "codes-site-XXXXXX", path[64];
	int rows = 0, missing = 0;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(name));
	snprintf(path, sizeof(path), "%s/p.conf", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("profiles = (", f);
	for (int i = 0; i < codes_table_count(set); i++)
		fprintf(f, "%s{ profile = \"%s\"; rules = ( { contexts = [ \"api\" ]; steps = ( { table = \"%s\"; } ); } ); }",
			i > 0 ? "," : "", codes_table_at(set, i)->name, codes_table_at(set, i)->name);
	fputs(");", f);
	fclose(f);
	/* unimtx is a profile of ours, too: the rule is the same. */
	s = codes_load(SOURCE_DIR "/codes", name, &faults);
	remove(path);
	remove(name);
	assert_non_null(s);
	for (int i = 0; i < codes_table_count(s); i++) {
		const struct code_table *t = codes_table_at(s, i);

		for (int k = 0; k < t->row_count; k++, rows++) {
			struct code_row plain = t->rows[k];

			/* Composite tables match the number div their divisor. */
			if (t->divisor > 0) {
				plain.lo *= t->divisor;
				plain.hi *= t->divisor;
			}
			if (row_found(s, &plain, t->name))
				continue;
			print_error("%s:%d: %s %s is not found\n", plain.file, plain.line, t->name, plain.key);
			missing++;
		}
	}
	assert_int_equal(rows, codes_row_count(s));
	assert_true(rows > 400);
	assert_int_equal(missing, 0);
	codes_free(s);
}

/* What a table needs to be of use to people. */
static void test_rows_whole(void **state)
{
	(void)state;
	for (int i = 0; i < codes_table_count(set); i++) {
		const struct code_table *t = codes_table_at(set, i);

		assert_non_null(t->source);
		for (int k = 0; k < t->row_count; k++) {
			assert_true(strlen(t->rows[k].zh) > 0 && strlen(t->rows[k].en) > 0);
			assert_true((t->rows[k].remark_zh == NULL) == (t->rows[k].remark_en == NULL));
			assert_true((t->rows[k].cause_zh == NULL) == (t->rows[k].cause_en == NULL));
			assert_true((t->rows[k].action_zh == NULL) == (t->rows[k].action_en == NULL));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_ambiguities),
		cmocka_unit_test(test_ambiguities_nested),
		cmocka_unit_test(test_smsc_answers),
		cmocka_unit_test(test_carriers),
		cmocka_unit_test(test_platform),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_rows_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
