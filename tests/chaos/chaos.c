#include "chaos.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SHOWN_FAULTS = 20, FAULT_GRACE_MS = 300, STUCK_MS = 45000 };

struct options opt = {
	.seconds = 60,
	.kills = -1,
	.sessions = 20,
	.workers = 4,
	.signal = SIGKILL,
	.rate = 20000,
	.window = -1,
	.seed = 1,
	.build = BUILD_DIR,
};

static unsigned int fault_count;
static uint64_t first_fault_us;
static bool daemon_started;

static const char help[] =
	"Usage: chaos [OPTIONS]\n"
	"\n"
	"Sessions of CMPP and SMPP under load through one smscoped whose engine is killed at random\n"
	"instants. Both ends of each session are here: every octet is compared with what was sent, and the\n"
	"JSON log with all of it. Exits with 0 only if nothing was lost, doubled, reordered or closed; with 1\n"
	"if something was, and says what; with 2 if it could not run.\n"
	"\n"
	"  --seconds N         of load (60)\n"
	"  --kills N           at random instants in that time (200, or one in 20 s with --signal STOP)\n"
	"  --signal NAME       KILL, SEGV, ABRT or STOP (KILL)\n"
	"  --sessions N        half of them SMPP 3.4, a quarter each CMPP 2.0 and 3.0 (20)\n"
	"  --workers N         of the daemon (4)\n"
	"  --upgrade-every MS  USR2 to the keeper\n"
	"  --reload-every MS   HUP to the keeper\n"
	"  --rewrite           links with rules that change states of reports and results of submits\n"
	"  --stop-reading      one end of half of the sessions does not read now and then\n"
	"  --small-buffers     4 KiB each way on the sockets here, and for what the daemon sends: in a network\n"
	"                      of its own, if this may be made\n"
	"  --rate N            PDUs a second of all sessions together, both ways (20000)\n"
	"  --window N          requests without a response, of each end (32; 1500 with --stop-reading)\n"
	"  --ring SIZE         ring_size of the daemon (its default)\n"
	"  --seed N            of instants and messages (1)\n"
	"  --spoil WHAT        done once by chaos itself, to show that it is noticed: to a PDU octet, drop,\n"
	"                      double or swap; to a record record (left out), again, copy\n"
	"  --build DIR         where smscoped is (" BUILD_DIR ")\n"
	"  --keep              leave the folder with configuration, log and standard error\n";

uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void pause_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

uint32_t random_next(uint32_t *state)
{
	uint32_t x = *state != 0 ? *state : 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

uint32_t random_below(uint32_t *state, uint32_t below)
{
	return (uint32_t)((uint64_t)random_next(state) * below >> 32);
}

void fault(const char *format, ...)
{
	char text[700]; /* lines of a log are long, and begin with what tells them apart */
	va_list ap;

	if (fault_count++ == 0)
		first_fault_us = now_us();
	if (fault_count > SHOWN_FAULTS)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "FAULT: %s%s\n", text, strlen(text) == sizeof(text) - 1 ? "…" : "");
}

unsigned int faults(void)
{
	return fault_count;
}

void give_up(const char *format, ...)
{
	va_list ap;

	fputs("chaos: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (daemon_started)
		daemon_end();
	exit(2);
}

/* --- options */

static int number_of(const char *name, const char *text, int least)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < least || n > 10000000)
		give_up("--%s: not a number from %d on: %s", name, least, text);
	return (int)n;
}

static int signal_of(const char *name)
{
	static const int numbers[] = { SIGKILL, SIGSEGV, SIGABRT, SIGSTOP };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, sigabbrev_np(numbers[i])) == 0)
			return numbers[i];
	give_up("--signal: KILL, SEGV, ABRT or STOP");
}

enum letter { HELP = 'h', SECONDS = 1000, KILLS, SIGNAL, SESSIONS, WORKERS, UPGRADE, RELOAD, REWRITE,
	STOP_READING, SMALL_BUFFERS, RATE, WINDOW, RING, SPOIL, SEED, BUILD, KEEP };

static const struct option options[] = {
	{ "help", no_argument, NULL, HELP },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "kills", required_argument, NULL, KILLS },
	{ "signal", required_argument, NULL, SIGNAL },
	{ "sessions", required_argument, NULL, SESSIONS },
	{ "workers", required_argument, NULL, WORKERS },
	{ "upgrade-every", required_argument, NULL, UPGRADE },
	{ "reload-every", required_argument, NULL, RELOAD },
	{ "rewrite", no_argument, NULL, REWRITE },
	{ "stop-reading", no_argument, NULL, STOP_READING },
	{ "small-buffers", no_argument, NULL, SMALL_BUFFERS },
	{ "rate", required_argument, NULL, RATE },
	{ "window", required_argument, NULL, WINDOW },
	{ "ring", required_argument, NULL, RING },
	{ "spoil", required_argument, NULL, SPOIL },
	{ "seed", required_argument, NULL, SEED },
	{ "build", required_argument, NULL, BUILD },
	{ "keep", no_argument, NULL, KEEP },
	{ NULL, 0, NULL, 0 },
};

static void take_option(int letter, const char *name, const char *value)
{
	switch (letter) {
	case HELP: fputs(help, stdout); exit(0);
	case SECONDS: opt.seconds = number_of(name, value, 1); break;
	case KILLS: opt.kills = number_of(name, value, 0); break;
	case SIGNAL: opt.signal = signal_of(value); break;
	case SESSIONS: opt.sessions = number_of(name, value, 1); break;
	case WORKERS: opt.workers = number_of(name, value, 1); break;
	case UPGRADE: opt.upgrade_ms = number_of(name, value, 1); break;
	case RELOAD: opt.reload_ms = number_of(name, value, 1); break;
	case REWRITE: opt.rewrite = true; break;
	case STOP_READING: opt.stop_reading = true; break;
	case SMALL_BUFFERS: opt.small_buffers = true; break;
	case RATE: opt.rate = number_of(name, value, 100); break;
	case WINDOW: opt.window = number_of(name, value, 1); break;
	case RING: opt.ring = value; break;
	case SPOIL: opt.spoil = value; break;
	case SEED: opt.seed = (uint32_t)number_of(name, value, 1); break;
	case BUILD: opt.build = value; break;
	case KEEP: opt.keep = true; break;
	default: give_up("try --help");
	}
}

static void read_options(int argc, char **argv)
{
	int letter, at = 0;

	while ((letter = getopt_long(argc, argv, "h", options, &at)) != -1)
		take_option(letter, letter == '?' ? "" : options[at].name, optarg);
	if (optind < argc)
		give_up("try --help");
	if (opt.kills < 0)
		opt.kills = opt.signal == SIGSTOP ? opt.seconds / 20 : 200;
	if (opt.window < 0)
		opt.window = opt.stop_reading ? 1500 : 32;
	/* A session's number has twelve bits of a CMPP gateway's, its answers to a window have to fit. */
	if (opt.sessions > 4000 || opt.window > 10000 || opt.seconds > 4000)
		give_up("at most 4000 sessions, 4000 seconds, a window of 10000");
}

/* --- the run */

static bool spill(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* A network of our own, loopback only, in which the daemon's sockets have 4 KiB to send from, too. */
static void small_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "chaos: no network of our own (%s): the daemon's buffers are not small\n",
			strerror(errno));
		return;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		give_up("loopback: %s", strerror(errno));
	close(fd);
	if (!spill("/proc/sys/net/ipv4/tcp_wmem", "4096 4096 4096"))
		fprintf(stderr, "chaos: tcp_wmem cannot be set: the daemon's buffers are not small\n");
}

static uint64_t octets_got(void)
{
	uint64_t n = 0;

	for (int i = 0; i < opt.sessions; i++)
		n += sessions[i].stream[SP].got_octets + sessions[i].stream[GW].got_octets;
	return n;
}

/* A first fault is rarely alone: others of the same moment are waited for. */
static bool failed(void)
{
	return fault_count > 0 && now_us() - first_fault_us > FAULT_GRACE_MS * 1000;
}

static void load(void)
{
	uint64_t end_us = now_us() + (uint64_t)opt.seconds * 1000000u, looked_us = 0;

	kills_begin();
	while (now_us() < end_us && !failed()) {
		traffic_turn(true);
		kills_turn();
		if (now_us() - looked_us < 10000)
			continue;
		looked_us = now_us();
		kills_look();
		if (!daemon_alive())
			return;
	}
}

/* No new requests; everything under way arrives and is answered. */
static void settle(void)
{
	uint64_t moved_us = now_us(), octets = octets_got();

	while (!traffic_quiet() && fault_count == 0) {
		traffic_turn(false);
		kills_look();
		if (octets_got() != octets) {
			octets = octets_got();
			moved_us = now_us();
		}
		if (now_us() - moved_us > STUCK_MS * 1000u) {
			fault("nothing has moved for %d s", STUCK_MS / 1000);
			break;
		}
		if (!daemon_alive())
			break;
	}
	traffic_missing();
	kills_enough();
}

static void sum_way(const char *way, enum side from)
{
	unsigned long long pdus = 0, octets = 0, due = 0, edited = 0, h = 0;

	for (int i = 0; i < opt.sessions; i++) {
		const struct stream *s = &sessions[i].stream[from];

		pdus += s->got_pdus;
		octets += s->got_octets;
		due += s->edits_due;
		edited += s->edited;
		h = h * 31 + s->got_hash;
	}
	printf("  %s: %llu PDUs, %llu octets arrived, hash of all %016llx", way, pdus, octets, h);
	if (due > 0)
		printf(", %llu of %llu PDUs as rules change them", edited, due);
	printf("\n");
}

static void sum(void)
{
	unsigned long long submits = 0, delivers = 0, broken = 0;

	for (int i = 0; i < opt.sessions; i++) {
		submits += sessions[i].message_count;
		delivers += sessions[i].deliver_count;
		broken += sessions[i].broken;
	}
	printf("chaos: %d s, %d sessions, %d workers, window %d, at most %d PDU/s, seed %u%s%s%s\n", opt.seconds,
		opt.sessions, opt.workers, opt.window, opt.rate, opt.seed, opt.rewrite ? ", rewriting" : "",
		opt.stop_reading ? ", ends that do not read" : "", opt.small_buffers ? ", small buffers" : "");
	sum_way("SP to gateway", SP);
	sum_way("gateway to SP", GW);
	printf("  %llu submits, %llu reports and inbound messages; %llu sessions broken\n", submits, delivers,
		broken);
}

int main(int argc, char **argv)
{
	int gateways[2], ports[2];

	read_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (opt.small_buffers)
		small_network();
	traffic_listen(gateways);
	daemon_started = true;
	daemon_begin(gateways, ports);
	if (traffic_begin(ports)) {
		load();
		if (fault_count == 0)
			settle();
		if (fault_count == 0) {
			daemon_await_ready();
			traffic_end();
		}
	}
	traffic_close();
	daemon_end();
	sum();
	kills_sum();
	/* Of sessions that broke, nobody can say what the log must have. */
	if (fault_count == 0)
		account();
	traffic_fini();
	daemon_fini(opt.keep || (fault_count > 0 && opt.spoil == NULL));
	if (fault_count > SHOWN_FAULTS)
		fprintf(stderr, "… and %u more faults\n", fault_count - SHOWN_FAULTS);
	printf("%s\n", fault_count == 0 ? "nothing lost, doubled, reordered or closed" : "FAILED");
	return fault_count > 0;
}
