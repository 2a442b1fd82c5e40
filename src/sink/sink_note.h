#ifndef SMSCOPE_SINK_NOTE_H
#define SMSCOPE_SINK_NOTE_H

#include <sys/stat.h>

#include "sink/sink_queue.h"

/*
 * How much of a dead process's last write(2) is out. A note is made before each write; whoever goes
 * on with the queue compares it with the file:
 *
 *   queue:  tail ──────── note.at ─────── note.until ── head
 *   file:   … sent before │ note.size …… size now
 *                └──── these are equal ────┘
 *
 * It may have died before the write, inside it (the kernel stops a write for SIGKILL between two
 * pages), behind it, or when the tail had moved already: always position note.at + growth is out,
 * if the file's end has just the octets that wait from the tail up to there.
 */

/** Writer: octets from `at` to `until` go to the file of `st`, whose size is `size`, next. */
void sink_note_write(struct sink_queue *q, const struct stat *st, off_t size, uint64_t at,
	uint64_t until);

/**
 * Take off the queue what the note's file has. `fd`, of `st`, is a regular file, open to write, at
 * `path` or, if that is NULL, standard output. Returns the position to go on from: above the tail
 * if the file ends with the part of a line up to there. If the note's file was renamed inside its
 * folder, such a part is taken out of it, for the line goes to the new one whole.
 */
uint64_t sink_note_settle(struct sink_queue *q, const char *path, int fd, const struct stat *st);

/** The last write to a pipe, a terminal or their like, that of `st`, may end inside a line. */
bool sink_note_half(const struct sink_queue *q, const struct stat *st);

/** The regular file `fd` of `st` ends inside a line. */
bool sink_file_is_ragged(const char *path, int fd, const struct stat *st);

#endif
