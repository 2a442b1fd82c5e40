#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A next smscoped that does not work. The file "stub" in the working folder says how: a word for --prove and one
 * for the engine that would follow. With "unseen" both work; but when it is to be the keeper, the engine is dead.
 */
static int act(const char *how)
{
	if (strcmp(how, "fails") == 0) {
		fputs("smscope.conf:1: error: this version knows no links\n", stderr);
		return 1;
	}
	if (strcmp(how, "crashes") == 0) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	while (strcmp(how, "hangs") == 0)
		pause();
	return 0;
}

static int unseen(char **argv)
{
	FILE *f = fopen("engine", "r");
	int pid = 0;

	if (argv[1] != NULL && strncmp(argv[1], "--moved", 7) == 0 && f != NULL && fscanf(f, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		usleep(100000);
	}
	if (f != NULL)
		fcntl(fileno(f), F_SETFD, FD_CLOEXEC);
	execv(BUILD_DIR "/smscoped", argv);
	return 2;
}

int main(int argc, char **argv)
{
	char prove[16] = "", engine[16] = "";
	FILE *f = fopen("stub", "r");

	if (f == NULL || fscanf(f, "%15s %15s", prove, engine) != 2)
		return 2;
	fclose(f);
	if (strcmp(prove, "unseen") == 0)
		return unseen(argv);
	return act(argc > 1 && strncmp(argv[1], "--prove", 7) == 0 ? prove : engine);
}
