#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a simulated gateway does, one line each; '#' begins a comment. SHARE is "K/N" (K of every N,
 * spread evenly) and left out means all that no earlier line of the same word took.
 *
 *     login [user=NAME] [SHARE] STATUS       the answer to a login
 *     submit [SHARE] STATUS                  the answer to a submit
 *     report [SHARE] STAT [err=TEXT] [after=TIME] [as=text|tlv|both] [body=60|71]
 *     report [SHARE] none                    no report
 *     delay TIME                             before every submit response
 *     mo [SHARE] "TEXT"                      a message to the SP
 *     fault no-response [SHARE]
 *     fault drop-connection|reset|bad-length|half-pdu|stop-reading after=N      of each connection,
 * at its N-th submit
 *
 * TIME is a number with us, ms or s.
 */

enum { SCRIPT_RULES_MAX = 64, SCRIPT_TEXT_MAX = 128 };

enum script_word {
	SCRIPT_LOGIN,
	SCRIPT_SUBMIT,
	SCRIPT_REPORT,
	SCRIPT_MO,
	SCRIPT_SILENT,
	SCRIPT_WORDS
};

struct script_rule {
	enum script_word word;
	char user[32];           /* login: of this user only */
	uint32_t take, of, have; /* K/N and its running remainder */
	uint32_t status;
	char text[SCRIPT_TEXT_MAX]; /* Stat, or the message */
	char err[16];
	uint32_t after_us;
	int receipt, body_len; /* as struct sim_pdu has them */
};

enum script_fault {
	FAULT_NONE,
	FAULT_DROP,
	FAULT_RESET,
	FAULT_BAD_LENGTH,
	FAULT_HALF_PDU,
	FAULT_STOP_READING
};

struct script {
	struct script_rule rules[SCRIPT_RULES_MAX];
	int rule_count;
	uint32_t delay_us;
	enum script_fault fault;
	uint32_t fault_after;
};

/** Read one line. 0, or -1 with what is wrong on standard error. */
int script_line(struct script *s, const char *line);

/** Read a file. 0 or -1. */
int script_load(struct script *s, const char *path);

/** The rule for the next event of kind `word`, or NULL. `user` is for logins, else NULL. */
struct script_rule *script_next(struct script *s, enum script_word word, const char *user);

#endif
