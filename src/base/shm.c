#include "base/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t align64(uint64_t n)
{
	return (n + 63) & ~(uint64_t)63;
}

static uint64_t align_page(uint64_t n)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) & ~(page - 1);
}

/** Where everything will lie; `s` is the header alone. */
static void lay_out(struct shm *s, const struct shm_wish *w)
{
	uint64_t ring = align64(ring_bytes(w->ring_size)), at;

	s->workers = (uint32_t)w->workers;
	s->ring_count = s->workers * SHM_SETS;
	s->ring_size = w->ring_size;
	s->session_max = w->session_max;
	s->stories = w->stories;
	s->links_at = align64(sizeof(struct shm));
	s->servers_at = align64(s->links_at + SHM_LINKS_MAX * sizeof(struct shm_link));
	s->sessions_at = align64(s->servers_at + SHM_SERVERS_MAX * sizeof(struct shm_server));
	s->seen_at = align64(s->sessions_at + (uint64_t)w->session_max * sizeof(struct shm_session));
	at = align64(s->seen_at + (uint64_t)w->session_max * sizeof(struct shm_seen));
	for (uint32_t i = 0; i < s->ring_count; i++, at += ring)
		s->ring_at[i] = at;
	s->edits_at = at;
	s->edit_size = (uint32_t)align64(w->hold_max + EDIT_GROWTH + sizeof(struct edit_note));
	s->stories_at = align_page(at + (uint64_t)s->ring_count * EDIT_SLOTS * s->edit_size);
	s->counts_at = align_page(s->stories_at + story_bytes(w->stories));
	s->counts_bytes = w->counts;
	at = align_page(s->counts_at + w->counts);
	s->sink_count = (uint32_t)w->sink_count;
	for (int i = 0; i < w->sink_count; i++, at += s->sinks[i - 1].bytes) {
		s->sinks[i].at = at;
		s->sinks[i].bytes = align_page(w->sinks[i]);
	}
	s->size = at;
}

int shm_create(const struct shm_wish *wish)
{
	struct shm head = { .made_mono_ns = clock_mono_ns() }, *s;
	bool good = true;
	int fd, err;

	if (wish->workers < 1 || wish->workers > SHM_WORKERS_MAX || wish->sink_count > SHM_SINKS_MAX)
		return -EINVAL;
	lay_out(&head, wish);
	fd = memfd_create("smscope", 0);
	if (fd < 0)
		return -errno;
	s = ftruncate(fd, (off_t)head.size) == 0 ?
		mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (s == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(s, &head, sizeof(head));
	for (uint32_t i = 0; i < s->ring_count; i++)
		good = ring_init((char *)s + s->ring_at[i], s->ring_size) != NULL && good;
	s->layout = SHM_LAYOUT;
	s->magic = SHM_MAGIC;
	munmap(s, head.size);
	if (good)
		return fd;
	close(fd);
	return -EINVAL;
}

/** Do the parts that the header names lie inside the file? */
static bool shm_holds(const struct shm *s, uint64_t size)
{
	if (s->magic != SHM_MAGIC || s->layout != SHM_LAYOUT || s->size != size)
		return false;
	if (s->workers < 1 || s->workers > SHM_WORKERS_MAX || s->ring_count != s->workers * SHM_SETS)
		return false;
	if (s->links_at > size || SHM_LINKS_MAX * sizeof(struct shm_link) > size - s->links_at)
		return false;
	if (s->servers_at > size || SHM_SERVERS_MAX * sizeof(struct shm_server) > size - s->servers_at)
		return false;
	if (s->sessions_at > size || s->seen_at > size ||
		(uint64_t)s->session_max * sizeof(struct shm_session) > size - s->sessions_at ||
		(uint64_t)s->session_max * sizeof(struct shm_seen) > size - s->seen_at)
		return false;
	for (uint32_t i = 0; i < s->ring_count; i++)
		if (s->ring_at[i] > size || ring_bytes(s->ring_size) > size - s->ring_at[i])
			return false;
	if (s->edits_at > size || s->edit_size < sizeof(struct edit_note) ||
		(uint64_t)s->ring_count * EDIT_SLOTS * s->edit_size > size - s->edits_at)
		return false;
	if (s->counts_at > size || s->counts_bytes > size - s->counts_at)
		return false;
	for (uint32_t i = 0; i < s->sink_count && i < SHM_SINKS_MAX; i++)
		if (s->sinks[i].at > size || s->sinks[i].bytes > size - s->sinks[i].at)
			return false;
	return s->sink_count <= SHM_SINKS_MAX && s->stories_at == align_page(s->stories_at) && s->stories_at <= size &&
		story_bytes(s->stories) <= size - s->stories_at;
}

struct shm *shm_map(int fd)
{
	struct stat st;
	struct shm *s;

	if (fstat(fd, &st) < 0)
		return NULL;
	if ((uint64_t)st.st_size < sizeof(struct shm)) {
		errno = EINVAL;
		return NULL;
	}
	s = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return NULL;
	if (!shm_holds(s, (uint64_t)st.st_size)) {
		munmap(s, (size_t)st.st_size);
		errno = EINVAL;
		return NULL;
	}
	return s;
}

void shm_unmap(struct shm *s)
{
	if (s != NULL)
		munmap(s, s->size);
}

uint32_t shm_link_count(struct shm *s)
{
	uint32_t n = 0;

	while (n < SHM_LINKS_MAX && shm_link(s, n)->name[0] != '\0')
		n++;
	return n;
}

/* -1: the name has none. */
static int number_of(struct shm *s, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strncmp(shm_link(s, i)->name, name, sizeof(shm_link(s, i)->name)) == 0)
			return (int)i;
	return -1;
}

bool shm_link_known(struct shm *s, const char *name)
{
	return number_of(s, shm_link_count(s), name) >= 0;
}

int shm_link_number(struct shm *s, const char *name)
{
	uint32_t count = shm_link_count(s);
	int number = number_of(s, count, name);

	if (number >= 0)
		return number;
	if (count == SHM_LINKS_MAX)
		return -1;
	strncpy(shm_link(s, count)->name, name, sizeof(shm_link(s, count)->name) - 1);
	return (int)count;
}

uint64_t shm_lost(struct shm *s, uint32_t i)
{
	uint64_t n = 0;

	for (uint32_t set = 0; set < SHM_SETS; set++)
		n += atomic_load(&shm_ring(s, (int)shm_ring_of(s, set, i))->lost);
	return n;
}

uint64_t shm_waiting(struct shm *s, uint32_t i)
{
	uint64_t n = 0;

	for (uint32_t set = 0; set < SHM_SETS; set++) {
		const struct ring *ring = shm_ring(s, (int)shm_ring_of(s, set, i));
		uint64_t tail = atomic_load(&ring->tail);

		n += atomic_load(&ring->head) - tail;
	}
	return n;
}

bool shm_engine_lives(const struct shm *s, uint32_t engine)
{
	if (engine == 0)
		return false; /* nobody's */
	for (int i = 0; i < SHM_SETS; i++)
		if (atomic_load(&s->older[i]) == engine)
			return true;
	return atomic_load(&s->engine) == engine;
}

struct story_table *shm_stories(struct shm *s, uint64_t first, uint32_t *ret_broken, bool *ret_lost)
{
	char *mem = (char *)s + s->stories_at;
	size_t bytes = (size_t)(align_page(s->stories_at + story_bytes(s->stories)) - s->stories_at);
	struct story_table *t = story_adopt(mem, bytes, s->stories, ret_broken);

	/* An engine that died before its scribe came up has left none. */
	*ret_lost = t == NULL && *(const uint32_t *)(const void *)mem != 0;
	if (t != NULL)
		return t;
	*ret_broken = 0;
	/* Makes it all zero without touching what was never used. */
	if (madvise(mem, bytes, MADV_REMOVE) < 0)
		return NULL;
	return story_init(mem, bytes, s->stories, first);
}

const char *end_how_name(enum end_how how)
{
	static const char *const names[] = {
		[END_NONE] = "none",
		[END_FIN] = "fin",
		[END_RESET] = "reset",
		[END_LOGIN_TIMEOUT] = "login_timeout",
		[END_NOT_LOGIN] = "not_login",
		[END_BAD_LENGTH] = "bad_length",
		[END_FOREIGN] = "foreign",
		[END_UPSTREAM] = "upstream",
		[END_LIMIT_SESSIONS] = "max_sessions",
		[END_LIMIT_ADDRESS] = "max_per_ip",
		[END_LIMIT_HANDSHAKES] = "max_handshakes",
		[END_LIMIT_RATE] = "handshake_rate",
		[END_HANDSHAKE] = "handshake",
		[END_HANDSHAKE_TIMEOUT] = "handshake_timeout",
		[END_TLS] = "tls",
		[END_HALF_CLOSE] = "half_close",
		[END_URGENT] = "urgent",
		[END_SHUTDOWN] = "shutdown",
		[END_ERROR] = "error",
		[END_DENIED] = "denied",
		[END_PENALTY] = "penalty",
		[END_PROXY] = "proxy_header",
		[END_ACCOUNT] = "account",
		[END_LIMIT_ACCOUNT] = "max_per_account",
		[END_LIMIT_LOGINS] = "logins_per_minute",
		[END_IDLE] = "idle_timeout",
		[END_DEAD] = "dead_peer",
		[END_ENGINE] = "engine_died",
	};

	return (size_t)how < END_COUNT ? names[how] : "none";
}
