#include <stdio.h>
#include <string.h>

/*
 * What the hardening flags act on: an array on the stack that a function of unknown length writes to, and
 * a copy whose room the compiler knows. See tests/lint/hardened.
 */
int main(int argc, char **argv)
{
	char room[32] = "";

	for (int i = 0; i < argc; i++)
		strcpy(room, argv[i] + (strlen(argv[i]) > 31 ? strlen(argv[i]) - 31 : 0));
	return puts(room) < 0;
}
