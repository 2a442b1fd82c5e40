#include <string.h>

#include "smscope/err.h"

const char *err_text(int err)
{
	const char *text;

	switch (err) {
	case SM_OK:
		return "no error";
	case SM_ESHORT:
		return "fewer octets than a field needs";
	case SM_ETRAIL:
		return "octets left over after the last field";
	case SM_ELEN:
		return "length field outside its limits";
	case SM_ENUL:
		return "C-Octet String without its NUL";
	case SM_ECMD:
		return "command not listed by the protocol";
	case SM_EVALUE:
		return "value that makes the rest unreadable";
	case SM_EFULL:
		return "full";
	case SM_EFORMAT:
		return "file does not load";
	case SM_ENONE:
		return "not found";
	default:
		text = err < 0 && err > SM_ESHORT ? strerrordesc_np(-err) : NULL;
		return text != NULL ? text : "unknown error";
	}
}
