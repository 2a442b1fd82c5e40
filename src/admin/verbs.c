#include "admin/change.h"
#include "admin/metrics.h"
#include "admin/reply.h"
#include "admin/sessions.h"
#include "admin/status.h"
#include "admin/unknown.h"

static bool help_item(struct reply *r, uint32_t i)
{
	const struct verb *v = &verb_all()[i];
	char words[40];

	if (v->name == NULL)
		return false;
	snprintf(words, sizeof(words), "%s%s", v->name, v->json != NULL ? " [--json]" : "");
	reply_cell(r, words, 18);
	out_fmt(r->out, "%s\n", v->what);
	return true;
}

static const struct part help_text[] = { { help_item }, { NULL } };

static const struct verb verbs[] = {
	{ "status", "what runs, and what each link has done", status_text, status_json, false },
	{ "sessions", "the sessions that are open now", sessions_text, sessions_json, false },
	{ "unknown", "codes that no table knows, by link", unknown_text, unknown_json, false },
	{ "metrics", "counters in Prometheus text format", metrics_text, NULL, false },
	{ "reload", "read the configuration again, as HUP does", reload_text, NULL, true },
	{ "upgrade", "change over to the program on disk, as USR2 does", upgrade_text, NULL, true },
	{ "change", "what became of the last reload and the last upgrade, the later one first", change_text, NULL, false },
	{ "help", "these verbs", help_text, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

const struct verb *verb_all(void)
{
	return verbs;
}
