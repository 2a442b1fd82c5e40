#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The simulators' own reading and writing of PDUs, in both protocols, independent of src/: what
 * is tested must not vouch for itself. One struct says what a PDU holds, in words both share.
 *
 *     CMPP 12: Total_Length 4 | Command_Id 4 | Sequence_Id 4
 *     SMPP 16: command_length 4 | command_id 4 | command_status 4 | sequence_number 4
 */

enum sim_proto { SIM_CMPP2, SIM_CMPP3, SIM_SMPP };

enum { SIM_PDU_MAX = 8192, SIM_HEADER_MAX = 16 };

enum sim_what {
	SIM_OTHER,
	SIM_LOGIN,
	SIM_LOGIN_RESP,
	SIM_LOGOUT,
	SIM_LOGOUT_RESP,
	SIM_SUBMIT,
	SIM_SUBMIT_RESP,
	SIM_DELIVER,
	SIM_DELIVER_RESP,
	SIM_TEST,
	SIM_TEST_RESP,
	SIM_NACK,
};

/* Borrowed octets; n without a terminator. */
struct sim_text {
	const char *p;
	size_t n;
};

/* How a receipt travels under SMPP. */
enum { SIM_RECEIPT_TEXT = 1, SIM_RECEIPT_TLV = 2 };

struct sim_pdu {
	enum sim_what what;
	uint32_t len, command, status, seq;

	struct sim_text user;
	struct sim_text
		secret; /* SMPP: the password. CMPP: 16 octets of authenticator, either side's */
	uint32_t stamp; /* CMPP: MMDDHHMMSS as a number */
	uint8_t version;

	struct sim_text service, src,
		dst;     /* dst of a report is the SP's number, src the subscriber's */
	bool registered; /* submit: a report is wanted. deliver: this is one */
	uint8_t coding;  /* Msg_Fmt or data_coding */
	struct sim_text body;
	struct sim_text
		msgid; /* CMPP: 8 octets. SMPP: text. Of a report: the message reported on */

	struct sim_text stat, err;
	struct sim_text submit_time, done_time; /* YYMMDDhhmm */
	int body_len; /* CMPP report: 60 or 71; 0: as the version has it */
	int receipt;  /* SMPP: SIM_RECEIPT_…; 0: both */
};

int sim_proto_of(const char *name);
const char *sim_proto_name(enum sim_proto proto);
size_t sim_header_len(enum sim_proto proto);

struct sim_text sim_text(const char *s);

/** Length of the PDU at `p`; 0 if fewer than 4 octets are there; -1 if it is below the header or
 * above SIM_PDU_MAX. */
int sim_pdu_len(enum sim_proto proto, const uint8_t *p, size_t n);

/** Write `pdu` (what, seq, status and the members its kind has) to `to`, at least SIM_PDU_MAX
 * octets. Returns its length. */
size_t sim_build(enum sim_proto proto, const struct sim_pdu *pdu, uint8_t *to);

/** Read one whole PDU; spans point into `p`. Returns 0, or -1 if it contradicts its layout. */
int sim_parse(enum sim_proto proto, const uint8_t *p, size_t n, struct sim_pdu *ret);

/** AuthenticatorSource: MD5 of user (6 octets) + nine NUL + secret + stamp as ten digits. */
void sim_cmpp_auth(const char *user, const char *secret, uint32_t stamp, uint8_t ret[16]);

/** AuthenticatorISMG: MD5 of status (1 or 4 octets by version) + AuthenticatorSource + secret. */
void sim_cmpp_auth_answer(enum sim_proto proto, uint32_t status, const uint8_t source[16],
			  const char *secret, uint8_t ret[16]);

/* What the two protocol files share; not for programs. */
struct sim_put {
	uint8_t *p;
	size_t n;
};

struct sim_take {
	const uint8_t *p, *end;
	bool bad;
};

void sim_put_int(struct sim_put *o, int octets, uint64_t v);
void sim_put_octets(struct sim_put *o, const void *p, size_t n);
void sim_put_fixed(struct sim_put *o, struct sim_text t, size_t width);
void sim_put_cstr(struct sim_put *o, struct sim_text t, size_t max);
uint32_t sim_take_int(struct sim_take *i, int octets);
struct sim_text sim_take_octets(struct sim_take *i, size_t n);
struct sim_text sim_take_fixed(struct sim_take *i, size_t width);
struct sim_text sim_take_cstr(struct sim_take *i);

size_t sim_cmpp_build(enum sim_proto proto, const struct sim_pdu *pdu, uint8_t *to);
int sim_cmpp_parse(enum sim_proto proto, const uint8_t *p, size_t n, struct sim_pdu *ret);
size_t sim_smpp_build(const struct sim_pdu *pdu, uint8_t *to);
int sim_smpp_parse(const uint8_t *p, size_t n, struct sim_pdu *ret);

#endif
