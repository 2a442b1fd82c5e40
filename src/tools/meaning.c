#include <stdlib.h>

#include "conf/conf.h"
#include "tools/meaning.h"

int meaning_open(struct meaning *m, const char *names)
{
	struct conf_faults faults = { .to = stderr };
	char *list, *rest = NULL;

	m->set = codes_load(codes_dir(NULL), codes_site_dir(NULL), &faults);
	if (m->set == NULL) {
		fputs("smscope: the code tables do not load: values are shown without meanings\n",
			stderr);
		return SM_OK;
	}
	list = strdup(names != NULL ? names : "standard");
	for (char *n = list; n != NULL; n = rest) {
		const struct code_profile *p;

		rest = strchr(n, ',');
		if (rest != NULL)
			*rest++ = '\0';
		p = codes_profile(m->set, n);
		if (p == NULL || m->profile_count == MEANING_PROFILES) {
			fprintf(stderr, "smscope: %s \"%s\"\n",
				p == NULL ? "no profile" : "too many profiles:", n);
			free(list);
			return SM_ENONE;
		}
		m->profiles[m->profile_count++] = p;
	}
	free(list);
	return SM_OK;
}

void meaning_close(struct meaning *m)
{
	codes_free(m->set);
	m->set = NULL;
}

void meaning_put(const struct meaning *m, struct out *o, struct code_query q, bool json)
{
	struct code_answer answers[CODE_ANSWERS_MAX];
	int count;

	if (m->set == NULL)
		return;
	q.profiles = m->profiles;
	count = codes_lookup(m->set, &q, answers, CODE_ANSWERS_MAX);
	if (count > 0 && json)
		answer_json(o, answers, count);
	else if (count > 0)
		answer_text(o, answers, answers_shown(answers, count), m->lang);
}
