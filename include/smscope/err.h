#ifndef SMSCOPE_ERR_H
#define SMSCOPE_ERR_H

/*
 * Results. 0 is done, a positive value a length or a count, a negative one a failure: -errno when
 * the system failed, one of these when the octets, a file or a limit did.
 */
enum {
	SM_OK = 0,
	SM_ESHORT = -1001,  /* fewer octets than a field needs */
	SM_ETRAIL = -1002,  /* octets left over after the last field */
	SM_ELEN = -1003,    /* a length field outside its limits */
	SM_ENUL = -1004,    /* a C-Octet String without its NUL inside the field's limit */
	SM_ECMD = -1005,    /* a command id that the protocol does not list */
	SM_EVALUE = -1006,  /* a value that makes the rest of the body unreadable (dest_flag 3) */
	SM_EFULL = -1007,   /* a bounded thing is full */
	SM_EFORMAT = -1008, /* a file that does not load; the faults were reported one by one */
	SM_ENONE = -1009,   /* not found */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/** The words for an SM_E* value or a negative errno: static text, never NULL. */
const char *err_text(int err);

#endif
