#ifndef SMSCOPE_ADMIN_STORIES_H
#define SMSCOPE_ADMIN_STORIES_H

#include "admin/reply.h"

/* What is told of messages and their reports. */

/** False: nothing is known yet. */
bool stories_counts(const struct admin *a, struct story_counts *ret);
bool stories_evidence(const struct admin *a, int link, struct id_evidence *ret);

/** "1204 of 1000000 messages remembered; …", a line of its own. */
void stories_text(struct reply *r);
void stories_json(struct reply *r);

/** "412 of 412 matched as hex→dec", nothing before the link's first report. */
void stories_link_text(struct reply *r, int link);
void stories_link_json(struct reply *r, int link);

#endif
