#ifndef SMSCOPE_TOOLS_STORY_H
#define SMSCOPE_TOOLS_STORY_H

#include "tools/log_match.h"
#include "tools/log_reader.h"
#include "tools/log_show.h"

/*
 * From a log to the stories of single messages. Three passes over the files:
 *
 *     find      records that have the id or the number; their keys make groups
 *     complete  the response of a submit that was found, the submit of such a response, …
 *     gather    where in the files the records of each group stand
 *
 * and then each record is read again to be shown. What is kept is a few words for each record that
 * belongs to a story; the files may be of any size.
 */
enum {
	STORY_GROUPS_MAX = 10000,
	STORY_REFS_MAX = 1 << 20, /* records of all of them */
	STORY_FILES_MAX = 256,
	STORY_TEXT = 128          /* longest id, number or name that is looked at */
};

enum story_kind { KIND_SUBMIT, KIND_RESP, KIND_REPORT, KIND_NO_REPORT, KIND_STALL, KIND_OTHER };

/* A record that can be part of a story. */
struct story_event {
	enum story_kind kind;
	bool has_story, has_request;
	uint64_t story, sess, seq;
	char link_room[STORY_TEXT], id_room[STORY_TEXT], resp_room[STORY_TEXT], dst_room[STORY_TEXT];
	struct span link, id, resp_id, dst; /* empty: there is none */
};

/** Read a JSON record; false if it is no part of any message's story. */
bool story_event_read(struct story_event *e, const struct log_line *l);

/*
 * Which group a key belongs to. A key is the hash of what two records of a message have in common;
 * 64 bits are taken for the thing itself.
 */
struct story_keys {
	struct story_slot {
		uint64_t hash; /* 0: free */
		int32_t group;
	} *slots;
	size_t size, used;
	int32_t *parents; /* of groups that turned out to be one */
	int group_count;
	bool full;
};

int story_keys_init(struct story_keys *k); /* 0 or -ENOMEM */
void story_keys_free(struct story_keys *k);
void story_keys_clear(struct story_keys *k);

/** The group that one of the event's keys belongs to, or -1. */
int story_group_of(const struct story_keys *k, const struct story_event *e);

/** Put all of the event's keys into one group. Nothing changes once there are too many. */
void story_join(struct story_keys *k, const struct story_event *e);

/* Where a record stands. */
struct story_ref {
	int64_t us, begin_us; /* begin_us: of the group's first */
	int64_t offset;
	int32_t group;
	uint16_t file;
	uint32_t len;
};

struct story_files {
	int count;
	struct story_file {
		const char *name;
		int fd;
	} at[STORY_FILES_MAX];
	char *room; /* JSON_LINE_MAX */
};

/** Read a record again; false if it is there no more. */
bool story_ref_read(const struct story_files *f, const struct story_ref *r, struct log_line *l);

enum { STORY_IDS = 8, STORY_SESSIONS = 8, STORY_PARTS = 256, STORY_FINALS = 1024 };

enum story_state {
	STATE_FAILED,     /* a final report says so */
	STATE_REJECTED,   /* a response does */
	STATE_DELIVERED,
	STATE_NO_REPORT,  /* none came in time */
	STATE_PENDING,    /* an interim report came */
	STATE_PARTLY,     /* some parts have their final report */
	STATE_UNANSWERED,
	STATE_ACCEPTED,
	STATE_SUBMITTED
};

enum story_answer { ANSWER_NONE, ANSWER_OK, ANSWER_REFUSED };

/* What the records of a story come to. */
struct story_sum {
	enum story_state state;
	const struct story_ref *decisive; /* whose code says so; NULL: none does */
	int id_count, ids_more, sess_count, sess_more;
	char ids[STORY_IDS][STORY_TEXT], link[STORY_TEXT], dst[STORY_TEXT], src[STORY_TEXT];
	char proto[STORY_TEXT];
	uint64_t sess[STORY_SESSIONS];
	bool has_story;
	uint64_t story;
	unsigned total, dsts, accepted, reported, submits, refused, retried, no_reports, stalls, interims;
	bool has_submit;
	uint64_t finals[STORY_FINALS];
	bool submitted[STORY_PARTS];
	uint8_t answers[STORY_PARTS];
	const struct story_ref *failed, *rejected, *delivered, *interim;
};

void story_sum(struct story_sum *s, const struct story_files *f, const struct story_ref *refs,
	       size_t count, struct log_line *l);
const char *story_state_name(enum story_state s);

/** The part's number in "2/3"; 1 if there is none, and then *ret_total stays as it was. */
unsigned story_part(const struct log_line *l, unsigned *ret_total);

struct story_style {
	struct log_style log;
	enum match match; /* how the message was found */
	int columns;      /* of the terminal; 0: lines are not broken */
	char *shown;      /* LOG_SHOWN_MAX */
};

/** A story on standard output: for people, as JSON. `l` is scratch. */
void story_show(const struct story_style *style, const struct story_sum *s,
		const struct story_files *f, const struct story_ref *refs, size_t count,
		struct log_line *l);
void story_show_json(const struct story_style *style, const struct story_sum *s,
		     const struct story_files *f, const struct story_ref *refs, size_t count,
		     struct log_line *l);

#endif
