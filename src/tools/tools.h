#ifndef SMSCOPE_TOOLS_H
#define SMSCOPE_TOOLS_H

/* One function per verb of smscope; argv[0] is the verb. Returns the exit code. */
int codes_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int decode_main(int argc, char **argv);
int ctl_main(int argc, char **argv);
int annotate_main(int argc, char **argv);
int rewrite_main(int argc, char **argv);
int tail_main(int argc, char **argv);
int story_main(int argc, char **argv);

#endif
