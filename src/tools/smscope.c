#include <string.h>

#include "tools/tools.h"

int main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "decode") == 0 ? decode_main(argc - 1, argv + 1) : 2;
}
