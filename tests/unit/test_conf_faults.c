#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

/*
 * Faulty files and what is said about them, whole: file, line, words, and how many. Every row is loaded
 * as m.conf of a folder of its own, which also holds what @include and include_dir ask for.
 */

#define LINK(name, more) "{ name=\"" name "\"; listen=\"127.0.0.1:0\"; upstream=\"192.0.2.1:7890\";" more "}"
#define LINKS(more) "links = ( " LINK("a", more) " );\n"
#define BOTH(a, b) "links = ( " a ",\n" b " );\n"

static const struct row {
	const char *text;
	const char *said; /* all of it, without the folder; a last '*' leaves the rest open */
	int errors, warnings;
	const char *also[2], *also_text[2]; /* other files */
} rows[] = {
	/* libconfig 1.5 takes these without a word. */
	{ "\n" LINKS("max_sessions = 99999999999;"),
	  "m.conf:2: error: 99999999999 does not fit 32 bits and would be read as 1215752191\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("\nmax_pdu = 0xFFFFFFFF;"),
	  "m.conf:2: error: 0xFFFFFFFF does not fit 32 bits and would be read as -1\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("max_pdu =\n-2147483649;"),
	  "m.conf:2: error: -2147483649 does not fit 32 bits and would be read as 2147483647\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("max_pdu = 99999999999999999999L;"),
	  "m.conf:1: error: 99999999999999999999L does not fit 64 bits\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("max_pdu = 99999999999L;"),
	  "m.conf:1: error: max_pdu must be 12 to 16M\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("pending = 0755;"),
	  "m.conf:1: error: 0755 is read as decimal 755, not as octal: leave the leading 0 off\n", 1, 0, { 0 }, { 0 } },
	{ "/* a comment\n" LINKS(""), "m.conf:1: error: comment without its closing */\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "\nlogs = ();\n/* this and all that follows\nbad = 1;\n",
	  "m.conf:4: error: comment without its closing */\n", 1, 0, { 0 }, { 0 } },
	{ "daemon = { };\n", "m.conf: error: no links: there is nothing to stand in\n", 1, 0, { 0 }, { 0 } },
	{ "", "m.conf: error: no links: there is nothing to stand in\n", 1, 0, { 0 }, { 0 } },
	{ "\nlinks = ();", "m.conf:2: error: no links: there is nothing to stand in\n", 1, 0, { 0 }, { 0 } },
	{ "links = [];", "m.conf:1: error: no links: there is nothing to stand in\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "\nlogs = ( { path = \"/x/\\u4e2d\"; } );\n",
	  "m.conf:3: warning: \\u is no escape and stays as it is: write the character itself, in UTF-8\n", 0, 1, { 0 }, { 0 } },
	{ LINKS("account = \"a\\x00b\";"), "m.conf:1: error: \\x00 would end the text here\n", 1, 0, { 0 }, { 0 } },
	{ BOTH("{ name = \"a\"; listen = [ \"127.0.0.1:0\"\n\"127.0.0.1:0\" ]; upstream = \"192.0.2.1:1\"; }", LINK("b", "")),
	  "m.conf:2: error: a ',' is missing between two texts\n", 1, 0, { 0 }, { 0 } },

	/* It refuses these, and we say why. */
	{ LINKS("") "links = ( );\n", "m.conf:2: error: duplicate setting name\n     2 | links = ( );\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("stall = \"5s\";\nstall = \"6s\";"), "m.conf:2: error: duplicate setting name*", 1, 0, { 0 }, { 0 } },
	{ LINKS("profile = [ \"infox\", ];"), "m.conf:1: error: no ',' before ']'\n", 1, 0, { 0 }, { 0 } },
	{ "links = ( " LINK("a", "") ", );", "m.conf:1: error: no ',' before ')'\n", 1, 0, { 0 }, { 0 } },
	{ "links = ( " LINK("a", "") "\n" LINK("b", "") ");",
	  "m.conf:2: error: a ',' is missing between '}' and '{'\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("profile = infox;\nstall = 30s; source = 10.0.0.1:0;\naccount = 'x';"),
	  "m.conf:1: error: infox needs quotes: \"infox\"\n"
	  "m.conf:2: error: 30s needs quotes: \"30s\"\n"
	  "m.conf:2: error: 10.0.0.1 needs quotes: \"10.0.0.1\"\n"
	  "m.conf:3: error: text needs double quotes\n", 4, 0, { 0 }, { 0 } },
	{ LINKS("account = \"x;\n") "daemon = { };", "m.conf:1: error: text without its closing '\"' on this line\n", 1, 0, { 0 }, { 0 } },
	{ "links = (\n{ name = \"a\"; \n);\n", "m.conf:3: error: ')' where the '{' of m.conf:2 needs '}'\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "\ndaemon = {\n workers = 1;\n", "m.conf:3: error: '{' is never closed by '}'\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "};\n", "m.conf:2: error: '}' closes nothing\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("stall = “5s”；"),
	  "m.conf:1: error: full-width “ where '\"' is meant\n"
	  "m.conf:1: error: full-width ” where '\"' is meant\n"
	  "m.conf:1: error: full-width ； where ';' is meant\n", 3, 0, { 0 }, { 0 } },
	{ LINKS("stall \"5s\";"), "m.conf:1: error: text without a NAME = before it\n", 1, 0, { 0 }, { 0 } },
	{ "a b", "m.conf:1: error: syntax error at this line or at the end of the one before; a setting is NAME = VALUE;\n"
	  "     1 | a b\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "daemon =\nlogs = ( );\n",
	  "m.conf:3: error: logs needs quotes: \"logs\"\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "a b\n c = 1;\n",
	  "m.conf:2: error: syntax error at this line or at the end of the one before; a setting is NAME = VALUE;\n"
	  "     1 | " LINKS("") "     2 | a b\n", 1, 0, { 0 }, { 0 } },

	/* @include */
	{ "@include \"none.conf\"\n" LINKS(""), "m.conf:1: error: cannot include none.conf: No such file or directory\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "@include \".\"\n", "m.conf:2: error: cannot include .: Is a directory\n", 1, 0, { 0 }, { 0 } },
	{ "@include \"*.conf\"\n" LINKS(""), "m.conf:1: error: patterns are not followed here: see include_dir\n", 1, 0, { 0 }, { 0 } },
	{ "@include_dir \"d\"\n" LINKS(""), "m.conf:1: error: a folder is named by include_dir = \"FOLDER\";\n", 1, 0, { 0 }, { 0 } },
	{ "@include \"m.conf\"\n", "m.conf:1: error: cannot include m.conf: it would include itself\n", 1, 0, { 0 }, { 0 } },
	{ "\n@include \"i.conf\"\n", "i.conf:2: error: cannot include m.conf: it would include itself\n", 1, 0,
	  { "i.conf" }, { "\n@include \"m.conf\"\n" } },
	{ LINKS("") "@include \"i.conf\"\nwat = 1;\n",
	  "i.conf:2: error: 4294967296 does not fit 32 bits and would be read as 0\n"
	  "i.conf:1: error: unknown key demon; did you mean daemon?\n"
	  "i.conf:2: error: unknown key x\n"
	  "m.conf:3: error: unknown key wat\n", 4, 0, { "i.conf" }, { "demon = { };\nx = 4294967296;" } },
	{ LINKS("") "@include \"i.conf\"\nwat = 1;\n", "i.conf:2: error: syntax error at this line*", 1, 0,
	  { "i.conf" }, { "daemon = { };\nworkers ;" } },

	/* include_dir */
	{ "\ninclude_dir = \"none\";\n" LINKS(""), "m.conf:2: error: include_dir none: No such file or directory\n", 1, 0, { 0 }, { 0 } },
	{ "include_dir = \"d\";\n" LINKS(""),
	  "d/1.conf:2: error: daemon belongs in the main file\n"
	  "d/2.conf:1: error: unknown key lonks; did you mean links?\n"
	  "d/2.conf:2: error: include_dir belongs in the main file\n", 3, 0,
	  { "d/2.conf", "d/1.conf" }, { "lonks = ( );\ninclude_dir = \"x\";", "\ndaemon = { };" } },
	{ "include_dir = \"d\";\n" LINKS(""), "d/1.conf:2: error: another link is named a, at m.conf:2\n", 1, 0,
	  { "d/1.conf", "d/.2.conf" }, { "links = (\n" LINK("a", "") ");", "!" } },

	/* Unknown keys and wrong types, in every group. */
	{ "dæmon = { };\n" LINKS(""), "m.conf:1: error: octet 0xc3 outside of texts and comments\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("upsteam = 1; max_sesions = 5;\n path = \"/x\"; xyzzy = 1;")
	  "daemon = { hold_mx = 1; retry = \"1s\"; };\nlogs = ( { type = \"stdout\"; colour = \"auto\"; workers = 1; } );\nhold_max = 1;",
	  "m.conf:1: error: unknown key upsteam in links[]; did you mean upstream?\n"
	  "m.conf:1: error: unknown key max_sesions in links[]; did you mean max_sessions?\n"
	  "m.conf:2: error: path is no key of links[]; it belongs in logs[]\n"
	  "m.conf:2: error: unknown key xyzzy in links[]\n"
	  "m.conf:3: error: unknown key hold_mx in daemon; did you mean hold_max?\n"
	  "m.conf:3: error: retry is no key of daemon; it belongs in links[]\n"
	  "m.conf:4: error: unknown key colour in logs[]; did you mean color?\n"
	  "m.conf:4: error: workers is no key of logs[]; it belongs in daemon\n"
	  "m.conf:5: error: hold_max is no key of the file itself; it belongs in daemon\n", 9, 0, { 0 }, { 0 } },
	{ "daemon = 5;\nlinks = { };\nlogs = ( 1, { type = \"stdout\"; } );\n",
	  "m.conf:1: error: daemon must be a group: { … }\n"
	  "m.conf:2: error: links must be a list of groups: ( { … }, { … } )\n"
	  "m.conf:3: error: logs must be a list of groups: ( { … }, { … } )\n", 3, 0, { 0 }, { 0 } },
	{ LINKS("stall = 30; retry = 1.5; pending = \"64\"; max_pdu = true;\nshow_text = 1; account = 5; dial = [ \"login\" ]; profile = ( 1 );\n"
	  "source = { }; show_text2 = true;"),
	  "m.conf:1: error: stall must be a duration such as \"5s\" or \"500ms\", not a number\n"
	  "m.conf:1: error: retry must be a duration such as \"5s\" or \"500ms\", not a fraction\n"
	  "m.conf:1: error: pending must be a number, not text\n"
	  "m.conf:1: error: max_pdu must be octets such as 4096 or \"64K\", not true or false\n"
	  "m.conf:2: error: show_text must be true or false, not a number\n"
	  "m.conf:2: error: account must be text in double quotes, not a number\n"
	  "m.conf:2: error: dial must be text in double quotes, not a list\n"
	  "m.conf:2: error: profile must be text in double quotes, or a list of such, not a list of something else\n"
	  "m.conf:3: error: source must be text in double quotes, not a group\n"
	  "m.conf:3: error: unknown key show_text2 in links[]; did you mean show_text?\n", 10, 0, { 0 }, { 0 } },
	{ LINKS("stall = \"5\"; retry = \"5x\"; max_pdu = \"64k\"; login_timeout = \"-5s\"; linger_timeout = \"\"; connect_timeout = \"1 s\";"),
	  "m.conf:1: error: stall = \"5\": must be a duration such as \"5s\" or \"500ms\"\n"
	  "m.conf:1: error: retry = \"5x\": must be a duration such as \"5s\" or \"500ms\"\n"
	  "m.conf:1: error: max_pdu = \"64k\": must be octets such as 4096 or \"64K\"\n"
	  "m.conf:1: error: login_timeout = \"-5s\": must be a duration such as \"5s\" or \"500ms\"\n"
	  "m.conf:1: error: linger_timeout = \"\": must be a duration such as \"5s\" or \"500ms\"\n"
	  "m.conf:1: error: connect_timeout = \"1 s\": must be a duration such as \"5s\" or \"500ms\"\n", 6, 0, { 0 }, { 0 } },

	/* Ranges and choices. */
	{ LINKS("stall = \"2h\"; retry = \"9ms\"; max_pdu = \"1G\"; pending = 15; max_per_ip = -1; half_close_timeout = \"99999d\";"),
	  "m.conf:1: error: stall must be 100ms to 1h\n"
	  "m.conf:1: error: retry must be 10ms to 1h\n"
	  "m.conf:1: error: max_pdu must be 12 to 16M\n"
	  "m.conf:1: error: pending must be 16 to 1000000 requests\n"
	  "m.conf:1: error: max_per_ip must be 1 to 1000000 sessions\n"
	  "m.conf:1: error: half_close_timeout must be 100ms to 1d\n", 6, 0, { 0 }, { 0 } },
	{ LINKS("protocol = \"cmp\"; dial = \"now\"; bad_length = \"Close\"; profile = \"in fox\";")
	  "logs = ( { type = \"stdot\"; format = \"xml\"; numbers = \"part\"; records = [ \"submit\", \"reprot\" ]; path = \"/x\"; } );",
	  "m.conf:1: error: protocol has no choice \"cmp\"; did you mean \"cmpp\"?\n"
	  "m.conf:1: error: dial has no choice \"now\"; there is login, accept\n"
	  "m.conf:1: error: bad_length has no choice \"Close\"; did you mean \"close\"?\n"
	  "m.conf:1: error: profile = \"in fox\": only letters, digits, '.', '-' and '_'\n"
	  "m.conf:2: error: type has no choice \"stdot\"; did you mean \"stdout\"?\n"
	  "m.conf:2: error: format has no choice \"xml\"; there is text, json\n"
	  "m.conf:2: error: numbers has no choice \"part\"; there is mask, full, none\n"
	  "m.conf:2: error: records has no choice \"reprot\"; did you mean \"report\"?\n", 8, 0, { 0 }, { 0 } },
	{ LINKS("profile = [];") "logs = ( { path = \"\"; }, { records = [ ]; path = \"/a\\x01b\"; } );",
	  "m.conf:1: error: profile is an empty list\n"
	  "m.conf:2: error: path is empty\n"
	  "m.conf:2: error: records is an empty list\n"
	  "m.conf:2: error: path holds a control character\n", 4, 0, { 0 }, { 0 } },
	{ LINKS("account = \"0123456789012345678901234567890123456789012345678901234567890123x\";"),
	  "m.conf:1: error: account is longer than 64 octets\n", 1, 0, { 0 }, { 0 } },

	/* What must be there. */
	{ "links = (\n{ },\n{ name = \"b\"; listen = \"127.0.0.1:0\"; } );\nlogs = (\n{ } );",
	  "m.conf:2: error: name is missing in links[]\n"
	  "m.conf:2: error: listen is missing in links[]\n"
	  "m.conf:2: error: upstream is missing in links[]\n"
	  "m.conf:3: error: upstream is missing in links[]\n"
	  "m.conf:5: error: a log of type \"file\" needs a path\n", 5, 0, { 0 }, { 0 } },
	{ BOTH(LINK("a/b", ""), LINK("012345678901234567890123456789012", "")),
	  "m.conf:1: error: name = \"a/b\": only letters, digits, '.', '-' and '_'\n"
	  "m.conf:2: error: name is longer than 32 octets\n", 2, 0, { 0 }, { 0 } },

	/* Endpoints. */
	{ "links = ( { name = \"a\"; upstream = \"192.0.2.1:1\"; listen = [ \"127.0.0.1\", \":1\", \"::1:2775\", \"[::1]\",\n"
	  "\"[::1:5\", \"[::1]5\", \"[10.0.0.1]:5\", \"10.1:5\",\n\"127.0.0.1:65536\", \"127.0.0.1:-1\", \"127.0.0.1:\", \"127.0.0.1:1x\", \"*:5\", \"a b:5\" ]; } );",
	  "m.conf:1: error: listen = \"127.0.0.1\": no port\n"
	  "m.conf:1: error: listen = \":1\": no host; all addresses are 0.0.0.0:PORT or [::]:PORT\n"
	  "m.conf:1: error: listen = \"::1:2775\": an IPv6 address stands in brackets: [ADDRESS]:PORT\n"
	  "m.conf:1: error: listen = \"[::1]\": no port\n"
	  "m.conf:2: error: listen = \"[::1:5\": ']' is missing\n"
	  "m.conf:2: error: listen = \"[::1]5\": ':' and a port follow the ']'\n"
	  "m.conf:2: error: listen = \"[10.0.0.1]:5\": no IPv6 address\n"
	  "m.conf:2: error: listen = \"10.1:5\": no IPv4 address\n"
	  "m.conf:3: error: listen = \"127.0.0.1:65536\": the port is a number up to 65535\n"
	  "m.conf:3: error: listen = \"127.0.0.1:-1\": the port is a number up to 65535\n"
	  "m.conf:3: error: listen = \"127.0.0.1:\": the port is a number up to 65535\n"
	  "m.conf:3: error: listen = \"127.0.0.1:1x\": the port is a number up to 65535\n"
	  "m.conf:3: error: listen = \"*:5\": all addresses are 0.0.0.0 or [::]\n"
	  "m.conf:3: error: listen = \"a b:5\": no host name\n", 14, 0, { 0 }, { 0 } },
	{ "links = ( { name = \"a\"; upstream = \"[::ffff:192.0.2.1]:1\";\nlisten = \"[::ffff:127.0.0.1]:2775\"; } );",
	  "m.conf:2: error: listen = \"[::ffff:127.0.0.1]:2775\": an IPv4 address is written as such: 127.0.0.1:2775\n",
	  1, 0, { 0 }, { 0 } },
	{ "links = ( { name = \"a\"; upstream = \"192.0.2.1:0\"; listen = \"127.0.0.1:0\"; source = \"localhost\"; } );",
	  "m.conf:1: error: upstream = \"192.0.2.1:0\": port 0 cannot be dialled\n"
	  "m.conf:1: error: source = \"localhost\": an address of this machine, not a name\n", 2, 0, { 0 }, { 0 } },
	/* A label of more than 63 octets never resolves and asks no server. */
	{ "links = ( { name = \"a\"; listen = \"127.0.0.1:0\";\n"
	  "upstream = \"x123456789x123456789x123456789x123456789x123456789x123456789x123456789.invalid:5\"; } );",
	  "m.conf:2: warning: upstream = \"x123456789x123456789x123456789x123456789x123456789x123456789x123456789.invalid:5\": does not resolve now: *",
	  0, 1, { 0 }, { 0 } },
	{ "links = ( { name = \"a\"; upstream = \"192.0.2.1:5\"; listen = [ \"127.0.0.1:1\", \"127.0.0.1:2\", \"127.0.0.1:3\", \"127.0.0.1:4\",\n"
	  "\"127.0.0.1:5\", \"127.0.0.1:6\", \"127.0.0.1:7\", \"127.0.0.1:8\",\n\"127.0.0.1:9\" ]; } );",
	  "m.conf:3: error: listen has more than 8 items\n", 1, 0, { 0 }, { 0 } },

	/* Keys that contradict each other. */
	{ BOTH("{ name = \"a\"; listen = \"127.0.0.1:7890\"; upstream = \"192.0.2.1:1\"; }",
	  "{ name = \"b\"; upstream = \"192.0.2.1:1\"; listen = [ \"[::1]:7890\",\n\"127.0.0.1:7890\" ]; }"),
	  "m.conf:2: error: listen 127.0.0.1:7890 is taken by 127.0.0.1:7890 at m.conf:1\n", 1, 0, { 0 }, { 0 } },
	{ "links = ( { name = \"a\"; upstream = \"192.0.2.1:1\"; listen = [ \"127.0.0.1:7890\", \"0.0.0.0:7890\" ]; } );",
	  "m.conf:1: error: listen 0.0.0.0:7890 is taken by 127.0.0.1:7890 at m.conf:1\n", 1, 0, { 0 }, { 0 } },
	{ "links = ( { name = \"a\"; listen = \"[::]:7890\";\nupstream = [ \"[::1]:7890\", \"192.0.2.1:7890\", \"192.0.2.1:7890\" ]; } );",
	  "m.conf:2: error: upstream [::1]:7890 is the link's own listen address [::]:7890\n"
	  "m.conf:2: warning: upstream 192.0.2.1:7890 is listed twice\n", 1, 1, { 0 }, { 0 } },
	{ LINKS("\nsource = \"[::1]:0\";"),
	  "m.conf:2: error: upstream 192.0.2.1:7890 cannot be dialled from source [::1]:0: one is IPv4, one IPv6\n", 1, 0, { 0 }, { 0 } },
	{ BOTH(LINK("a", "protocol = \"cmpp\"; max_pdu = 12;"), LINK("b", "protocol = \"smpp\";\nmax_pdu = 15;")),
	  "m.conf:3: error: max_pdu 15 is less than a PDU's header, 16 octets\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("\ndial = \"accept\";"),
	  "m.conf:2: error: dial = \"accept\" needs protocol = \"cmpp\" or \"smpp\": with auto the first PDU must come first\n", 1, 0, { 0 }, { 0 } },
	{ LINKS("") "daemon = { hold_max = \"1M\";\nring_size = 1500000; };",
	  "m.conf:3: error: ring_size must be a power of two, such as \"8M\"\n"
	  "m.conf:3: error: a ring_size of 1500000 octets is too small for PDUs of hold_max 1048576: it takes *", 2, 0, { 0 }, { 0 } },
	{ LINKS("retry = \"2m\";\nretry_max = \"1m\"; balance = \"most\"; down_after = 0; probe_interval = \"10ms\";"),
	  "m.conf:2: error: balance has no choice \"most\"; there is order, least\n"
	  "m.conf:2: error: down_after must be 1 to 1000 failures\n"
	  "m.conf:2: error: probe_interval must be 100ms to 1h\n"
	  "m.conf:2: error: retry_max is less than retry\n", 4, 0, { 0 }, { 0 } },
	{ LINKS("retry = \"2m\";"), "", 0, 0, { 0 }, { 0 } },
	{ LINKS("") "daemon = { resolvers = [ \"ns.example\",\n\"10.1\", \"192.0.2.1:0\", \"192.0.2.1:x\", \"[::1\" ]; };",
	  "m.conf:2: error: resolvers = \"ns.example\": an address, not a name\n"
	  "m.conf:3: error: resolvers = \"10.1\": no IPv4 address\n"
	  "m.conf:3: error: resolvers = \"192.0.2.1:0\": port 0 cannot be asked\n"
	  "m.conf:3: error: resolvers = \"192.0.2.1:x\": the port is a number up to 65535\n"
	  "m.conf:3: error: resolvers = \"[::1\": ']' is missing\n", 5, 0, { 0 }, { 0 } },
	{ LINKS("max_sessions = 20; max_per_ip = 30;") "daemon = { max_sessions = 10; };",
	  "m.conf:1: warning: max_sessions 20 of link a is more than the daemon's 10\n"
	  "m.conf:1: warning: max_per_ip 30 is more than the link's max_sessions 20\n", 0, 2, { 0 }, { 0 } },
	{ LINKS("") "logs = ( { type = \"stdout\";\npath = \"/x\"; }, { path = \"/y\"; },\n{ path = \"/y\"; },\n{ type = \"stdout\"; } );",
	  "m.conf:3: error: a log of type \"stdout\" has no path\n"
	  "m.conf:4: error: another log is written to /y already\n"
	  "m.conf:5: error: another log is written to standard output already\n", 3, 0, { 0 }, { 0 } },
	{ LINKS("") "\nlogs = ( );", "m.conf:3: warning: logs is empty: nothing is written\n", 0, 1, { 0 }, { 0 } },
};

static char folder[] = BUILD_DIR "/conf-XXXXXX";

static void write_file(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* What loading `path` says; the caller frees. */
static char *said_about(const char *path, struct conf_faults *ret_faults, bool *ret_loaded)
{
	char *said = NULL;
	size_t len = 0;
	struct conf_faults faults = { .to = open_memstream(&said, &len) };
	struct settings *s = conf_load(path, &faults);

	fclose(faults.to);
	faults.to = NULL;
	*ret_loaded = s != NULL;
	*ret_faults = faults;
	settings_free(s);
	return said;
}

static void assert_said(const char *said, const char *expected)
{
	size_t n = strlen(expected);

	if (n > 0 && expected[n - 1] == '*') {
		if (strncmp(said, expected, n - 1) != 0)
			assert_string_equal(said, expected);
	} else {
		assert_string_equal(said, expected);
	}
}

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("d", 0700), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct conf_faults faults;
		bool loaded;
		char *said;

		write_file("m.conf", r->text, strlen(r->text));
		for (int j = 0; j < 2 && r->also[j] != NULL; j++)
			write_file(r->also[j], r->also_text[j], strlen(r->also_text[j]));
		said = said_about("m.conf", &faults, &loaded);
		assert_said(said, r->said);
		assert_int_equal(faults.errors, r->errors);
		assert_int_equal(faults.warnings, r->warnings);
		assert_int_equal(loaded, r->errors == 0);
		free(said);
		for (int j = 0; j < 2 && r->also[j] != NULL; j++)
			unlink(r->also[j]);
		unlink("m.conf");
	}
	assert_int_equal(rmdir("d"), 0);
}

/* So many links, one a line; what is said of them. The caller frees. */
static char *said_of_links(int count, struct conf_faults *faults, bool *ret_loaded)
{
	FILE *f;
	char *said;

	f = fopen("m.conf", "w");
	assert_non_null(f);
	fputs("\nlinks = (\n", f);
	for (int i = 0; i < count; i++)
		fprintf(f, "{ name=\"l%d\"; listen=\"127.0.0.1:0\"; upstream=\"192.0.2.1:7890\"; }%s\n", i, i + 1 < count ? "," : "");
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
	said = said_about("m.conf", faults, ret_loaded);
	unlink("m.conf");
	return said;
}

static void test_count(void **state)
{
	struct conf_faults faults;
	bool loaded;
	char *said;

	(void)state;
	said = said_of_links(1024, &faults, &loaded);
	assert_string_equal(said, "");
	assert_true(loaded);
	free(said);
	said = said_of_links(1025, &faults, &loaded);
	assert_string_equal(said, "m.conf:2: error: 1025 links, at most 1024\n");
	assert_false(loaded);
	free(said);
}

static void test_files(void **state)
{
	static const char nul[] = "daemon = { };\n\0links = ( );";
	struct conf_faults faults;
	bool loaded;
	char *said;

	(void)state;
	said = said_about("none.conf", &faults, &loaded);
	assert_string_equal(said, "none.conf: error: No such file or directory\n");
	assert_int_equal(faults.errors, 1);
	free(said);
	said = said_about(".", &faults, &loaded);
	assert_string_equal(said, ".: error: Is a directory\n");
	assert_int_equal(faults.errors, 1);
	free(said);
	write_file("m.conf", nul, sizeof(nul) - 1);
	said = said_about("m.conf", &faults, &loaded);
	assert_string_equal(said, "m.conf:2: error: octet 0x00: this is no text file\n");
	free(said);
	unlink("m.conf");
}

/* Nesting, size and depth have a ceiling. */
static void test_hostile(void **state)
{
	enum { DEEP = 200000, LARGE = 9 * 1024 * 1024 };
	struct conf_faults faults;
	char *text = malloc(LARGE), *said, name[16];
	bool loaded;

	(void)state;
	memset(text, '(', DEEP);
	memcpy(text, "links =", 7);
	write_file("m.conf", text, DEEP);
	said = said_about("m.conf", &faults, &loaded);
	assert_string_equal(said, "m.conf:1: error: more than 64 brackets deep\n");
	free(said);
	memset(text, '\n', LARGE);
	write_file("m.conf", text, LARGE);
	said = said_about("m.conf", &faults, &loaded);
	assert_string_equal(said, "m.conf: error: File too large\n");
	free(said);
	free(text);
	for (int i = 0; i < 12; i++) {
		char line[64];

		snprintf(name, sizeof(name), "%d.conf", i);
		snprintf(line, sizeof(line), "@include \"%d.conf\"\n", i + 1);
		write_file(name, line, strlen(line));
	}
	said = said_about("0.conf", &faults, &loaded);
	assert_string_equal(said, "10.conf:1: error: cannot include 11.conf: too many files deep\n");
	free(said);
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.conf", i);
		unlink(name);
	}
	unlink("m.conf");
}

/* A good file cut at every octet: a fault or a whole configuration, never a crash or a leak. */
static void test_cut_anywhere(void **state)
{
	static const char good[] = LINKS("profile = [ \"infox\", \"standard\" ]; /* c */ stall = \"5s\";")
		"daemon = { hold_max = 0x8000; }; # e\nlogs = ( { type = \"stdout\"; records = [ \"report\" ]; } );\n";

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		struct conf_faults faults;
		bool loaded;
		char *said;

		write_file("m.conf", good, n);
		said = said_about("m.conf", &faults, &loaded);
		assert_int_equal(loaded, faults.errors == 0);
		free(said);
	}
	unlink("m.conf");
}

/* Nothing read from random octets may crash, and what is said never lacks a file. */
static void test_mutations(void **state)
{
	static const char good[] = LINKS("profile = [ \"infox\" ]; stall = \"5s\"; max_pdu = 4096L;")
		"@include \"i.conf\"\ndaemon = { hold_max = 0x8000; };\nlogs = ( { type = \"stdout\"; } );\n";
	static const char marks[] = "\"\"\\{}[](),;:=@#/*\n\n 0-9L\xef\xbc\x9b";
	char text[sizeof(good)];

	(void)state;
	srandom(1);
	write_file("i.conf", "# nothing\n", 10);
	for (int round = 0; round < 3000; round++) {
		struct conf_faults faults;
		bool loaded;
		char *said;

		memcpy(text, good, sizeof(good));
		for (long k = random() % 4; k >= 0; k--)
			text[(size_t)random() % (sizeof(good) - 1)] =
				marks[(size_t)random() % (sizeof(marks) - 1)];
		write_file("m.conf", text, sizeof(good) - 1);
		said = said_about("m.conf", &faults, &loaded);
		assert_int_equal(loaded, faults.errors == 0);
		assert_int_equal(said[0] == '\0', faults.errors + faults.warnings == 0);
		assert_null(strstr(said, "(null)"));
		free(said);
	}
	unlink("i.conf");
	unlink("m.conf");
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
