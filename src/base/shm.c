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

int shm_create(const struct shm_wish *wish)
{
	uint32_t ring_size = wish->ring_size, session_max = wish->session_max;
	int workers = wish->workers, rings = workers * SHM_SETS;
	uint64_t links_at = align64(sizeof(struct shm));
	uint64_t sessions_at = align64(links_at + SHM_LINKS_MAX * sizeof(struct shm_link));
	uint64_t seen_at = align64(sessions_at + (uint64_t)session_max * sizeof(struct shm_session));
	uint64_t at = align64(seen_at + (uint64_t)session_max * sizeof(struct shm_seen));
	uint64_t edits_at = align64(at + (uint64_t)rings * align64(ring_bytes(ring_size)));
	uint64_t edit_size = align64(wish->hold_max + EDIT_GROWTH + sizeof(struct edit_note));
	uint64_t stories_at = align_page(edits_at + (uint64_t)rings * EDIT_SLOTS * edit_size);
	uint64_t counts_at = align_page(stories_at + story_bytes(wish->stories));
	uint64_t sinks_at = align_page(counts_at + wish->counts), size = sinks_at;
	struct shm *s;
	int fd, err;

	if (workers < 1 || workers > SHM_WORKERS_MAX || wish->sink_count > SHM_SINKS_MAX)
		return -EINVAL;
	for (int i = 0; i < wish->sink_count; i++)
		size += align_page(wish->sinks[i]);
	fd = memfd_create("smscope", 0);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		goto fail;
	s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		goto fail;
	s->size = size;
	s->session_max = session_max;
	s->workers = (uint32_t)workers;
	s->ring_count = (uint32_t)rings;
	s->ring_size = ring_size;
	s->made_mono_ns = clock_mono_ns();
	s->links_at = links_at;
	s->sessions_at = sessions_at;
	s->seen_at = seen_at;
	s->stories = wish->stories;
	s->edits_at = edits_at;
	s->edit_size = (uint32_t)edit_size;
	s->stories_at = stories_at;
	s->counts_at = counts_at;
	s->counts_bytes = wish->counts;
	s->sink_count = (uint32_t)wish->sink_count;
	for (int i = 0; i < wish->sink_count; i++) {
		s->sinks[i].at = sinks_at;
		s->sinks[i].bytes = align_page(wish->sinks[i]);
		sinks_at += s->sinks[i].bytes;
	}
	for (int i = 0; i < rings; i++) {
		s->ring_at[i] = at + (uint64_t)i * align64(ring_bytes(ring_size));
		if (ring_init((char *)s + s->ring_at[i], ring_size) == NULL) {
			munmap(s, size);
			close(fd);
			return -EINVAL;
		}
	}
	s->layout = SHM_LAYOUT;
	s->magic = SHM_MAGIC;
	munmap(s, size);
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
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

int shm_link_number(struct shm *s, const char *name)
{
	uint32_t count = shm_link_count(s);

	for (uint32_t i = 0; i < count; i++)
		if (strncmp(shm_link(s, i)->name, name, sizeof(shm_link(s, i)->name)) == 0)
			return (int)i;
	if (count == SHM_LINKS_MAX)
		return -1;
	strncpy(shm_link(s, count)->name, name, sizeof(shm_link(s, count)->name) - 1);
	return (int)count;
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
		[END_ENGINE] = "engine_died",
	};

	return (size_t)how < END_COUNT ? names[how] : "none";
}
